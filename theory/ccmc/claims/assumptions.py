"""The hypotheses of this room's theorems, each decided on the data at hand, with the numbers that say so."""

from __future__ import annotations

import numpy as np

from theory.ccmc.mapping import LARGEST_CONDITION, condition_number
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain, Floats
from theory.core.vocabulary import Assumption

SAME = 1e-9
"""Probabilities closer than this are equal: given matrices come rounded, and then renormalised."""
CURES: dict[str, tuple[str, float | None]] = {
    "output_temperature": ("output temperature", 1.0),
    "attention_temperature": ("attention temperature", 1.0),
    "count_cap": ("count cap", None),
    "window": ("window", None),
    "recency_exponent": ("recency", 0.0),
}
"""What may change generation: in words, and its value when it changes nothing."""
CHAIN = frozenset(
    {"chain", "vocab_size", "odds_first", "odds_second", "top_probability", "stay", "advance", "concentration"}
    | {"count_first", "count_others", "initial_last", "initial_tokens", "data_seed"}
    | {"transition", "prompt", "initial_counts", "initial_shares"}
)
"""The parameters that decide the base chain and the first prompt."""
TEXT = CHAIN | frozenset(CURES)
"""Those of generated text."""
DATA = CHAIN | frozenset(
    {"n_samples", "prompt_length", "unseen_pairs", "islands", "include_self", "embedding", "dim", "head"}
    | {"sequences", "labels", "embed", "token_names"}
)
"""Those that decide the problem with its training prompts, and with it the prompts that are tried."""


def plain_generation(params: Params, but: str = "") -> Assumption:
    """Nothing but the chain itself drives generation: no temperature, cap, window or recency weight.

    ``but`` names the one of these parameters that the claim is about.
    """
    changed = [
        f"{words} {value:g}"
        for name, (words, plain) in CURES.items()
        if name != but and (value := getattr(params, name)) != plain
    ]
    return Assumption("plain generation", not changed, ", ".join(changed) or "every position counts once, all at T = 1")


def full_support(chain: Chain) -> Assumption:
    """Every entry of P is positive: log P is finite and no token dies."""
    zeros = np.argwhere(chain.transition == 0)
    if not len(zeros):
        return Assumption("positive P", True, f"smallest entry {chain.transition.min():.2g}")
    last, token = zeros[0]
    return Assumption("positive P", False, f"{len(zeros)} zero entries, the first from {last} to {token}")


def whole_prompt(chain: Chain) -> Assumption:
    """Every token occurs in the first prompt: a token that does not is never generated."""
    absent = np.flatnonzero(chain.initial_counts == 0)
    detail = f"{len(absent)} of {chain.vocab_size} tokens are not in the first prompt"
    return Assumption("every token in the prompt", not len(absent), detail)


def identical_rows(chain: Chain) -> Assumption:
    """All rows of P are equal: the last token does not matter."""
    spread = float(np.ptp(chain.transition, axis=0).max())
    return Assumption("identical rows", spread <= SAME, f"entries of a column differ by at most {spread:.2g}")


def unique_maximum(law: Floats) -> Assumption:
    """One token is the most probable of a law; tied tokens share for ever."""
    tied = int(np.sum(law >= law.max() - SAME))
    second = float(np.sort(law)[-2]) if len(law) > 1 else 0.0
    detail = f"{tied} tokens tie at {law.max():.3g}" if tied > 1 else f"largest {law.max():.3g}, next {second:.3g}"
    return Assumption("a unique maximum", tied == 1, detail)


def small_enough(name: str, value: float, limit: float, detail: str) -> Assumption:
    """A derived error that must stay below a limit for the test to be able to see anything."""
    return Assumption(name, bool(value <= limit), f"{detail} {value:.2g}, at most {limit:g}")


def two_tokens(chain: Chain) -> Assumption:
    """The vocabulary has two tokens."""
    return Assumption("two tokens", chain.vocab_size == 2, f"{chain.vocab_size} tokens")


def generates(params: Params, chain: Chain) -> Assumption:
    """The text grows to at least twice its prompt."""
    length = len(chain.prompt)
    return Assumption("a growing text", params.n_tokens >= 2 * length, f"{length:,} tokens become {params.n_tokens:,}")


def independent_embeddings(chain: Chain) -> Assumption:
    """The embeddings are linearly independent: a head that inverts them exists, and P determines W."""
    if chain.embed is None:
        return Assumption("independent embeddings", True, "orthonormal rows")
    rank, condition = int(np.linalg.matrix_rank(chain.embed)), condition_number(chain.embed)
    detail = f"rank {rank} of {chain.vocab_size} in {chain.embed.shape[1]} dimensions, condition number {condition:.2g}"
    return Assumption("independent embeddings", condition <= LARGEST_CONDITION, detail)


def inverse_head(chain: Chain) -> Assumption:
    """The linear head inverts the embeddings: C Eᵀ = I."""
    if chain.head is None:
        return Assumption("inverse head", True, "C = G⁻¹ E")
    error = float(np.abs(chain.head @ chain.vectors.T - np.eye(chain.vocab_size)).max())
    return Assumption("inverse head", error <= SAME, f"C Eᵀ is {error:.2g} away from the identity")
