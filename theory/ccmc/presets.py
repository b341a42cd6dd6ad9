"""Points of this room's parameter space worth visiting, and those that leave a theorem's assumptions."""

from __future__ import annotations

from theory.core.vocabulary import Preset

_GIVEN = ("transition", "prompt", "initial_counts", "initial_shares", "initial_tokens", "sequences", "labels")


def _at(**values: object) -> dict[str, object]:
    """These values, and nothing else given as an array: a preset must not meet another claim's of another length."""
    return {**dict.fromkeys((*_GIVEN, "token_names")), **values}


PRESETS = (
    Preset(
        "echo_or_rally",
        "An echo, or a rally",
        _at(
            transition=((0.6, 0.25, 0.15), (0.2, 0.2, 0.6), (0.2, 0.65, 0.15)),
            token_names=("echo", "ping", "pong"),
            n_tokens=300_000,
        ),
        "From one prompt either echo repeats itself alone, or ping and pong share the text for ever.",
    ),
    Preset(
        "two_winners",
        "Two winners",
        _at(
            transition=(
                (0.3, 0.5, 0.15, 0.05),
                (0.55, 0.2, 0.15, 0.1),
                (0.2, 0.2, 0.5, 0.1),
                (0.3, 0.3, 0.3, 0.1),
            )
        ),
        "Tokens 0 and 1 share the text as 61 : 39, or token 2 has it alone; token 3 always loses.",
    ),
    Preset(
        "coin",
        "Two tokens, one survives",
        _at(chain="two_tokens", odds_first=2.0, odds_second=2.0),
        "Each token prefers itself: half of the runs collapse to one, half to the other.",
        claim="winner-probability",
    ),
    Preset(
        "balance",
        "Balance on a ring",
        _at(chain="circulant", stay=0.37, advance=0.55, initial_tokens=10_000),
        "From an even prompt the three tokens keep equal shares.",
        claim="cyclic-bistable",
    ),
    Preset(
        "monologues",
        "Monologues on the same ring",
        _at(
            chain="circulant",
            stay=0.37,
            advance=0.55,
            initial_tokens=1_000_000,
            initial_shares=(0.999, 0.000999, 0.000001),
            n_tokens=1_000_000_000,
        ),
        "The same chain from an uneven prompt: each token dominates in turn, for longer and longer.",
        claim="cyclic-bistable",
    ),
    Preset(
        "heals",
        "Temperature 2 heals",
        _at(transition=((0.5, 0.3, 0.2), (0.5, 0.3, 0.2), (0.5, 0.3, 0.2)), output_temperature=2.0),
        "At output temperature 1 the most probable token wins; at 2 the shares are the law itself.",
        breaks=True,
    ),
    Preset(
        "window_kills",
        "A window kills",
        _at(chain="two_tokens", odds_first=0.5, odds_second=0.5, window=10, n_tokens=10_000),
        "Two tokens that would share for ever: with a window of ten tokens, one of them soon leaves it and is gone.",
        breaks=True,
    ),
    Preset(
        "separation",
        "Too few prompts",
        _at(chain="random", vocab_size=4, n_samples=500),
        "With 500 prompts some tokens never lose: their estimates run away, and the mean error explodes.",
        breaks=True,
        claim="fisher-constant",
    ),
    Preset(
        "unseen_pairs",
        "Pairs never seen",
        _at(chain="random", vocab_size=4, unseen_pairs=2),
        "Two pairs of last token and token are in no prompt: no amount of data finds their probabilities.",
        breaks=True,
        claim="coverage-connectivity",
    ),
    Preset(
        "islands",
        "Two islands",
        _at(chain="random", vocab_size=5, islands=2, include_self="no"),
        "The query is masked out of its keys and prompts come from two groups: ratios across them stay unknown.",
        breaks=True,
        claim="coverage-connectivity",
    ),
    Preset(
        "polya",
        "A tie",
        _at(chain="uniform", vocab_size=3),
        "All entries equal: a Pólya urn, whose shares settle anywhere. There is no winner.",
        breaks=True,
    ),
    Preset(
        "no_rest",
        "No rest at all",
        _at(chain="circulant", stay=0.36, advance=0.4, initial_tokens=10_000),
        "A ring without any stable winner set: the text wanders for ever.",
        breaks=True,
    ),
    Preset(
        "random_head",
        "A head that does not invert",
        _at(chain="random", vocab_size=4, head="random"),
        "C Eᵀ is not the identity: the layer's output is no longer a probability law.",
        breaks=True,
        claim="attention-is-ccmc",
    ),
    Preset(
        "too_few_dimensions",
        "Too few dimensions",
        _at(chain="random", vocab_size=4, dim=3),
        "Fewer dimensions than tokens: the weights no longer determine P.",
        breaks=True,
        claim="w-unique-subspace",
    ),
)
