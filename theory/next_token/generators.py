"""Generated training data: hidden rankings with flips, planted components, Luce choices, and the named examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from theory.core.errors import ParameterError
from theory.next_token.graph import priority_structure
from theory.next_token.problem import Floats, Prompts, make_prompts, select
from theory.next_token.validation import at_least, check_order, probability


def ranked_noise(
    vocab_size: int, n_sequences: int, prompt_length: int, label_flip_probability: float, n_last: int, seed: int
) -> Prompts:
    """Labels follow a hidden ranking, one per last token, except for flips.

    The label is the best-ranked token of its prompt with probability 1 - ``label_flip_probability``, else uniform
    among the distinct tokens present. Prompts are uniform; the last token is one of ``n_last`` different tokens.

    >>> from theory.next_token.graph import acyclic
    >>> acyclic(priority_structure(ranked_noise(6, 40, 4, 0.0, 2, seed=0)))
    True
    """
    at_least("vocab_size", vocab_size, 1)
    at_least("n_sequences", n_sequences, 1)
    at_least("prompt_length", prompt_length, 1)
    if not 1 <= n_last <= vocab_size:
        raise ParameterError("n_last", n_last, f"a whole number from 1 to vocab_size = {vocab_size}")
    probability("label_flip_probability", label_flip_probability)
    rng = np.random.default_rng(seed)
    lasts = rng.permutation(vocab_size)[:n_last]
    position = np.argsort(rng.random((n_last, vocab_size)), axis=1)
    which = rng.integers(n_last, size=n_sequences)
    sequences = np.column_stack([rng.integers(vocab_size, size=(n_sequences, prompt_length - 1)), lasts[which]])
    best = np.argmin(position[which[:, None], sequences], axis=1)
    labels = sequences[np.arange(n_sequences), best]
    for row in np.flatnonzero(rng.random(n_sequences) < label_flip_probability):
        labels[row] = rng.choice(np.unique(sequences[row]))
    return make_prompts(sequences, labels, vocab_size)


def planted(
    scc_sizes: Sequence[int],
    order: Sequence[tuple[int, int]] | None = None,
    theta: Sequence[float] | None = None,
    repeats: int = 4,
    seed: int = 0,
    names: Sequence[str] = (),
) -> Prompts:
    """Data whose condensation is exactly the requested order, with one last token below everything.

    Component p holds the next ``scc_sizes[p]`` tokens; the last token of all prompts is the highest id and never a
    label. A component of tokens a_1..a_m comes from the cycle of prompts {a_q, a_q+1, last} -> a_q, each followed by
    ``repeats`` copies whose label is drawn by Luce's rule from the scores ``theta`` (one per token; standard normal
    when left out); a single token from {a, last} -> a. ``order`` has pairs (upper, lower) of component positions,
    a chain when left out.

    Raises:
        ParameterError: ``scc_sizes`` not positive, ``order`` cyclic or out of range, ``theta`` of another length.

    >>> data = planted([3, 1], seed=0)
    >>> priority_structure(data).column(4).sizes.tolist()
    [3, 1, 1]
    """
    if not scc_sizes or min(scc_sizes) < 1:
        raise ParameterError("scc_sizes", list(scc_sizes), "one or more whole numbers of at least 1")
    at_least("repeats", repeats, 0)
    order = tuple(pairwise(range(len(scc_sizes)))) if order is None else tuple(order)
    check_order(order, len(scc_sizes))
    rng = np.random.default_rng(seed)
    last = sum(scc_sizes)
    scores = rng.standard_normal(last) if theta is None else np.asarray(theta, dtype=np.float64)
    if scores.shape != (last,) or not np.isfinite(scores).all():
        raise ParameterError("theta", np.shape(scores), f"{last} finite scores, one per token of the components")
    starts = np.concatenate([[0], np.cumsum(scc_sizes)])
    sequences: list[list[int]] = []
    labels: list[int] = []
    for start, size in zip(starts.tolist(), scc_sizes, strict=False):
        if size == 1:
            sequences.append([start, last])
            labels.append(start)
            continue
        for q in range(size):
            pair = [start + q, start + (q + 1) % size]
            weights = np.exp(scores[pair] - scores[pair].max())
            drawn = rng.choice(pair, size=repeats, p=weights / weights.sum())
            sequences += [[*pair, last]] * (1 + repeats)
            labels += [pair[0], *drawn.tolist()]
    for upper, lower in order:
        sequences.append([int(starts[upper]), int(starts[lower]), last])
        labels.append(int(starts[upper]))
    # Only because every token but the last is a label somewhere is the last token below all of them.
    assert set(labels) == set(range(last))
    return make_prompts(sequences, labels, last + 1, names=names)


def luce(vocab_size: int, n_sequences: int, prompt_length: int, seed: int) -> tuple[Prompts, Floats]:
    """Prompts with one last token and labels by Luce's rule from known scores; returns the data and the scores.

    With enough prompts all tokens form one component, whose finite scores estimate ``theta`` (vocab_size,), centred.
    """
    at_least("vocab_size", vocab_size, 2)
    at_least("n_sequences", n_sequences, 1)
    at_least("prompt_length", prompt_length, 2)
    rng = np.random.default_rng(seed)
    theta = 0.5 * rng.standard_normal(vocab_size)
    others = rng.integers(vocab_size, size=(n_sequences, prompt_length - 1))
    sequences = np.column_stack([others, np.full(n_sequences, vocab_size - 1)])
    design = make_prompts(sequences, sequences[:, -1], vocab_size)
    return luce_labels(design, theta, int(rng.integers(2**32))), theta - theta.mean()


def luce_labels(prompts: Prompts, theta: Floats, seed: int) -> Prompts:
    """The same prompts with fresh labels, token j drawn with probability proportional to c_j exp(theta_j).

    ``theta`` has shape (vocab_size,). Gumbel noise on every occurrence gives the factor c_j by itself.
    """
    noise = np.random.default_rng(seed).gumbel(size=len(prompts.tokens))
    utility = theta[prompts.tokens] + noise
    best = np.maximum.reduceat(utility, prompts.offsets[:-1])
    winner = np.flatnonzero(utility == np.repeat(best, prompts.lengths))
    return replace(prompts, labels=prompts.tokens[winner])


def add_contradictions(prompts: Prompts, count: int, seed: int) -> Prompts:
    """Append ``count`` reversed samples: existing prompts, labelled with a token that their label had priority over.

    Where every prompt is already inside a component any other token of a prompt is taken; prompts of a single distinct
    token cannot be contradicted and come back as they are.
    """
    if count == 0:
        return prompts
    structure = priority_structure(prompts)
    lower: list[tuple[int, int]] = []
    other: list[tuple[int, int]] = []
    for row in range(prompts.n):
        column = structure.column(int(prompts.last[row]))
        label = int(prompts.labels[row])
        for token in np.unique(prompts.sequence(row)).tolist():
            if token != label:
                below = column.component[token] != column.component[label]
                (lower if below else other).append((row, token))
    # The last token is in every prompt: as a label it would pull whole columns into one component.
    mild = [(row, token) for row, token in lower if token != prompts.last[row]]
    candidates = mild or lower or other
    if not candidates:
        return prompts
    picks = np.random.default_rng(seed).integers(len(candidates), size=count)
    rows, tokens = np.array(candidates, dtype=np.int64)[picks].T
    extended = select(prompts, np.concatenate([np.arange(prompts.n), rows]))
    return replace(extended, labels=np.concatenate([prompts.labels, tokens]))


def undecided_voter(weight_a: int = 3, weight_b: int = 1) -> Prompts:
    """Prompts {A, k} -> A and {B, k} -> B with given frequencies; {A, B, k} never occurs, yet its answer is known."""
    at_least("weight_a", weight_a, 1)
    at_least("weight_b", weight_b, 1)
    sequences, labels = [[0, 2]] * weight_a + [[1, 2]] * weight_b, [0] * weight_a + [1] * weight_b
    return make_prompts(sequences, labels, names=("yes", "no", "voter"))


def slow_tie() -> Prompts:
    """The smallest degenerate tie: {A, k} -> A and {B, D, k} -> B; B wins, but only after e^300 steps."""
    return make_prompts([[0, 3], [1, 2, 3]], [0, 1], names=("A", "B", "D", "k"))


def rock_paper_scissors(repeats: int = 4, seed: int = 0) -> Prompts:
    """A cycle of three, whose weights stay finite, above a chain of three, whose logits fan out for ever."""
    names = ("rock", "paper", "scissors", "referee", "judge", "clerk", "whistle")
    return planted([3, 1, 1, 1], theta=(0.5, 0.0, -0.5, 0.0, 0.0, 0.0), repeats=repeats, seed=seed, names=names)


def one_contradiction(contradictions: int = 1, seed: int = 0) -> Prompts:
    """A clean ranking plus reversed samples: two levels collapse into one component, the loss floor leaves zero."""
    names = ("gold", "silver", "bronze", "tin", "podium")
    return add_contradictions(planted([1, 1, 1, 1], names=names), contradictions, seed)


def equicorrelated(vocab_size: int, dim: int | None = None, correlation: float = 0.5) -> Floats:
    """Unit rows whose pairwise inner products all equal ``correlation`` in [0, 1), shape (vocab_size, dim).

    Raises:
        ParameterError: ``dim`` below ``vocab_size``, or a correlation outside [0, 1).

    >>> rows = equicorrelated(3, 4, 0.25)
    >>> (rows @ rows.T).round(12)[0].tolist()
    [1.0, 0.25, 0.25]
    """
    if not 0 <= correlation < 1:
        raise ParameterError("correlation", correlation, "a number from 0 to below 1")
    width = vocab_size if dim is None else dim
    if width < vocab_size:
        allowed = f"at least vocab_size = {vocab_size} for independent rows (random_unit allows fewer)"
        raise ParameterError("dim", width, allowed)
    gram = (1 - correlation) * np.eye(vocab_size) + correlation
    rows = np.zeros((vocab_size, width))
    rows[:, :vocab_size] = np.linalg.cholesky(gram)
    return rows


def random_unit(vocab_size: int, dim: int | None = None, seed: int = 0) -> Floats:
    """Independent uniform directions, shape (vocab_size, dim); ``dim`` may be below ``vocab_size``."""
    width = vocab_size if dim is None else dim
    at_least("dim", width, 1)
    rows = np.random.default_rng(seed).standard_normal((vocab_size, width))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def squeezed(rows: Floats, dim: int, seed: int = 0) -> Floats:
    """Rows seen from a random ``dim``-dimensional subspace, at unit length: too few dimensions to stay independent."""
    at_least("dim", dim, 1)
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((rows.shape[1], dim)))[0]
    shadows = rows @ basis
    return shadows / np.linalg.norm(shadows, axis=1, keepdims=True)
