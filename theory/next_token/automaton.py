"""The program that training approaches: next-token distributions from the graph alone, with a certificate (3.8, 3.9).

``comparable`` prompts are the theorem of arXiv 2403.08081; what happens where the partial order is silent is ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from theory.core.errors import DataError, ParameterError
from theory.next_token.sharp import amplitude, finite_part_tolerance, predicted_logits, relaxation
from theory.next_token.structure import Solution
from theory.next_token.svm import TIGHT
from theory.next_token.validation import positive

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Certificate = Literal["comparable", "decided_by_margin", "tie", "contains_unseen", "no_data"]
Tie = Literal["none", "finite_odds", "slow_drift", "undetermined"]


@dataclass(frozen=True)
class Detail:
    """Why the automaton answers as it does."""

    explanation: str
    tie: Tie
    """What decides between winners of equal level; ``undetermined`` means the answer depends on the history."""
    rate: float
    """The losers' odds fall like (step size * steps)^-rate; infinity when nobody loses, 0 for a logarithmic drift."""
    winners: Ints
    """Distinct tokens that keep probability in the limit."""


class Prediction(NamedTuple):
    """A next-token distribution (K,) and the reason to believe it."""

    distribution: Floats
    certificate: Certificate
    detail: Detail


def automaton_next(solution: Solution, prompt: Sequence[int] | Ints) -> Prediction:
    """Limit of the trained model's next-token distribution, zero initial weights; work linear in the prompt.

    Raises:
        DataError: the prompt is empty or has a token outside the vocabulary.
    """
    tokens, counts, last = read_prompt(solution, prompt)
    part = solution.part(last)
    scc = part.condensation.scc_of(last, tokens)
    if scc[tokens == last][0] < 0:
        return _without_data(part, last, tokens, counts)
    if scc.min() < 0:
        detail = _by_level(part, last, tokens, np.ones(len(tokens), dtype=np.bool_), scc)
        return Prediction(_share(part, last, tokens, counts, detail.winners), "contains_unseen", detail)
    top = int(scc.min())
    present = frozenset(scc.tolist())
    if present <= part.condensation.reaches(top):
        winners = tokens[scc == top]
        rate = np.inf if len(present) == 1 else 1.0
        detail = Detail("one component present has priority over all others", "none", rate, winners)
        return Prediction(_share(part, last, tokens, counts, winners), "comparable", detail)
    below = frozenset[int]().union(*(part.condensation.reaches(upper) - {upper} for upper in present))
    detail = _by_level(part, last, tokens, np.array([int(c) not in below for c in scc]), scc)
    certificate: Certificate = "decided_by_margin" if detail.tie == "none" else "tie"
    return Prediction(_share(part, last, tokens, counts, detail.winners), certificate, detail)


def read_prompt(solution: Solution, prompt: Sequence[int] | Ints) -> tuple[Ints, Floats, int]:
    """Distinct tokens, their counts and the last token of a prompt.

    Raises:
        DataError: the prompt is empty or has a token outside the vocabulary.
    """
    given = np.asarray(prompt)
    size = solution.prompts.vocab_size
    if given.ndim != 1 or len(given) == 0:
        raise DataError("empty_prompt", "a prompt needs at least one token")
    if given.dtype.kind not in "iu" or given.min() < 0 or given.max() >= size:
        raise DataError("token_out_of_range", f"prompt {given.tolist()}: tokens are whole numbers from 0 to {size - 1}")
    tokens, counts = np.unique(given, return_counts=True)
    return tokens.astype(np.int64), counts.astype(np.float64), int(given[-1])


def _without_data(part: Solution, last: int, tokens: Ints, counts: Floats) -> Prediction:
    distribution = np.zeros(part.prompts.vocab_size)
    if part.geometry is None:
        distribution[tokens] = counts / counts.sum()
        detail = Detail("no training prompt ends with this token: untrained weights", "none", np.inf, tokens)
    else:
        # Correlated embeddings let the other columns speak for this one.
        unknown = np.full(len(tokens), -1, dtype=np.int64)
        detail = _by_level(part, last, tokens, np.ones(len(tokens), dtype=np.bool_), unknown)
        distribution = _share(part, last, tokens, counts, detail.winners)
    return Prediction(distribution, "no_data", detail)


def _share(part: Solution, last: int, tokens: Ints, counts: Floats, winners: Ints) -> Floats:
    """Count times exponential score among the winners, normalised."""
    wins, graph = np.isin(tokens, winners), part.condensation
    known = graph.scc_of(last, winners)
    if len(winners) == 1:
        score = np.zeros(1)
    elif (known == known[0]).all() and known[0] >= 0:
        score = graph.scores[np.searchsorted(graph.pairs, last * graph.vocab_size + tokens[wins])]
    else:
        score = _limit_scores(part, last, tokens[wins])
    mass = counts[wins] * np.exp(score - score.max())
    distribution = np.zeros(part.prompts.vocab_size)
    distribution[tokens[wins]] = mass / mass.sum()
    return distribution


def _levels(part: Solution, last: int, tokens: Ints, scc: Ints) -> Floats:
    """Level of each token; zero for unseen tokens of orthonormal embeddings."""
    if part.geometry is not None:
        return part.levels[tokens, last]
    return np.where(scc >= 0, part.svm.levels[scc], 0.0)


def _limit_scores(part: Solution, last: int, tokens: Ints) -> Floats:
    """Limit score f + z-tilde of each token; zero for unseen tokens of orthonormal embeddings."""
    if part.geometry is not None:
        return (part.fin_scores + part.offsets)[tokens, last]
    graph = part.condensation
    scc = graph.scc_of(last, tokens)
    at = np.minimum(np.searchsorted(graph.pairs, last * graph.vocab_size + tokens), len(graph.pairs) - 1)
    score = graph.scores[at] + part.offset_solution.offsets[scc]
    return np.where(scc >= 0, score, 0.0)


def _by_level(part: Solution, last: int, tokens: Ints, maximal: npt.NDArray[np.bool_], scc: Ints) -> Detail:
    """The highest level wins; equal levels are a tie, decided by offsets, by a slower drift, or by history."""
    levels = _levels(part, last, tokens, scc)
    best = levels[maximal].max()
    level_ties = maximal & (levels > best - TIGHT)
    losing = maximal & ~level_ties
    rate = float(best - levels[losing].max()) if losing.any() else np.inf
    rate = min(rate, 1.0) if not maximal.all() else rate
    winners, contenders = tokens[level_ties], np.unique(scc[level_ties])
    if len(contenders) == 1 and contenders[0] >= 0:
        return Detail(f"incomparable: the highest level wins by {rate:.4g}", "none", rate, winners)
    if len(winners) == 1:
        return Detail(f"a token never seen with this last token wins by {rate:.4g}", "none", rate, winners)
    blocks = part.offset_solution.blocks[contenders]
    settled = bool(part.connected[last]) if part.geometry is None else bool(part.connected.all())
    if (contenders >= 0).all() and len(set(blocks.tolist())) == 1 and (part.geometry is None or settled):
        return Detail("equal levels: finite odds set by training frequencies", "finite_odds", rate, winners)
    if (part.geometry is None and (contenders >= 0).all()) and bool(part.degenerate[last]):
        drift = part.drift[contenders]
        ahead = contenders[drift > drift.max() - TIGHT]
        if drift.max() > TIGHT and len(set(part.offset_solution.blocks[ahead].tolist())) == 1:
            text = "equal levels: a drift of log log time decides"
            return Detail(text, "slow_drift", 0.0, tokens[level_ties & np.isin(scc, ahead)])
    if settled and not part.degenerate[last] and part.geometry is None:
        return Detail("equal levels: the seen tokens settle at finite odds", "finite_odds", rate, winners)
    return Detail("equal levels: the data leave the odds to the early steps", "undetermined", rate, winners)


def tie_distribution(solution: Solution, last: int, tokens: Sequence[int] | Ints) -> Floats | None:
    """(K,) limit odds between tokens of equal level under one last token, each present once; None if undetermined.

    In a star this is the frequency law: training frequencies, each sample counted with ``c_last / c_label``.
    """
    given = read_prompt(solution, tokens)[0]
    part = solution.part(last)
    scc = part.condensation.scc_of(last, given)
    detail = _by_level(part, last, given, np.ones(len(given), dtype=np.bool_), scc)
    if detail.tie == "undetermined":
        return None
    return _share(part, last, given, np.ones(len(given)), detail.winners)


def slow_tie_gap(upper_weight: float, degenerate_weight: float, log_time: float | Floats) -> Floats:
    """Logit lead of B over A in the N-shape ``{A,k} -> A``, ``{B,D,k} -> B``: ``log(b log_time / (2 a))``.

    Raises:
        ParameterError: a weight or a log-time that is not above 0.

    >>> slow_tie_gap(0.5, 0.5, 10.0).round(3).tolist()
    1.609
    """
    given = {"upper_weight": upper_weight, "degenerate_weight": degenerate_weight, "log_time": log_time}
    for name, value in given.items():
        positive(name, value)
    return np.log(degenerate_weight * np.asarray(log_time, dtype=np.float64) / (2.0 * upper_weight))


def automaton_tolerance(solution: Solution, prompt: Sequence[int] | Ints, found: Prediction, log_time: float) -> float:
    """Bound on the total variation between the automaton and the trained model; infinity where nothing is claimed."""
    length, elapsed = len(prompt), float(np.exp(-log_time))
    last = int(prompt[-1])
    if found.certificate == "no_data":
        return 0.0 if solution.geometry is None else np.inf
    if found.detail.tie in ("undetermined", "slow_drift"):
        return np.inf
    finite = finite_part_tolerance(solution, log_time)
    bound = 3.0 * length * amplitude(solution) * elapsed + finite
    if found.certificate == "comparable":
        return bound
    if not solution.connected[last]:
        return np.inf  # the constants between unconnected support blocks are a matter of history
    if np.isfinite(found.detail.rate):
        # The bare power ignores that offsets can favour the losers; the predicted odds know them.
        bound += 3.0 * length * max(elapsed**found.detail.rate, losing_odds(solution, prompt, found, log_time))
    # Odds of two tied tokens err by the gaps on the path between them: twice 1.7 relaxations, a quarter of it in TV.
    return bound + (relaxation(solution, log_time) if found.detail.tie == "finite_odds" else 0.0)


def losing_odds(solution: Solution, prompt: Sequence[int] | Ints, found: Prediction, log_time: float) -> float:
    """Predicted odds of all losing tokens together at finite time; bounds the total variation of comparable prompts."""
    tokens, counts, last = read_prompt(solution, prompt)
    logits = predicted_logits(solution, log_time)[tokens, last]
    mass = counts * np.exp(logits - logits.max())
    wins = np.isin(tokens, found.detail.winners)
    return float(mass[~wins].sum() / mass[wins].sum())


def generate(
    solution: Solution, prompt: Sequence[int] | Ints, n_tokens: int, seed: int, window: int | None = None
) -> Ints:
    """Sample a continuation token by token; it never leaves the set of tokens of the prompt.

    Args:
        window: the automaton sees only the last ``window`` tokens; everything when left out.

    Returns:
        (n_tokens,) the new tokens.
    """
    if n_tokens < 0:
        raise ParameterError("n_tokens", n_tokens, "a whole number from 0 upwards")
    if window is not None and window < 1:
        raise ParameterError("window", window, "a whole number from 1 upwards")
    random = np.random.default_rng(seed)
    text = [int(token) for token in prompt]
    for _ in range(n_tokens):
        seen = text if window is None else text[-window:]
        distribution = automaton_next(solution, seen).distribution
        text.append(int(random.choice(len(distribution), p=distribution)))
    return np.array(text[len(prompt) :], dtype=np.int64)


def all_test_prompts(vocab_size: int, last: int) -> Iterator[tuple[int, ...]]:
    """Every set of at least two tokens that contains ``last``, as a prompt that ends with it (at most 16 tokens).

    Raises:
        ParameterError: the vocabulary is too large to enumerate.
    """
    if vocab_size > 16:
        raise ParameterError("vocab_size", vocab_size, "at most 16 to enumerate all prompts")
    others = [token for token in range(vocab_size) if token != last]
    for count in range(1, vocab_size):
        for chosen in combinations(others, count):
            yield (*chosen, last)
