"""Whether maximum likelihood has a finite answer: strong connectivity of who was chosen over whom, per last token.

For a last token k draw an arc from each chosen token to every other key of its prompt. The likelihood of row k of log P
has a maximum, unique up to one constant per component, iff every component of this graph is strongly connected: Ford's
condition for Bradley-Terry, for Luce choice with multiplicities (ours; companion of arXiv 2402.13512 for finite data).
Otherwise some tokens were never chosen over the others, and their logits run away from them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from theory.ccmc.problem import Booleans, Floats, Integers, checked_counts
from theory.core.errors import DataError


def arcs(counts: Integers, last: Integers, chosen: Integers) -> Booleans:
    """Who was chosen over whom, (..., K, K, K)[last, winner, loser]; a token is its own loser where it was chosen.

    Shapes: ``counts`` (U, K) of the keys, ``last`` (U,), ``chosen`` (..., U, K) next tokens observed after each prompt.

    Raises:
        DataError: as :func:`~theory.ccmc.problem.checked_counts`, or next tokens of another shape.

    >>> np.argwhere(arcs(np.array([[2, 1, 1]]), np.array([0]), np.array([[0, 3, 0]]))).tolist()
    [[0, 1, 0], [0, 1, 1], [0, 1, 2]]
    """
    size = counts.shape[1]
    checked_counts(counts, last, size)
    if chosen.shape[-2:] != counts.shape:
        raise DataError("counts_shape", f"next tokens of shape {chosen.shape} for counts of shape {counts.shape}.")
    found = np.zeros((*chosen.shape[:-2], size, size, size), dtype=np.bool_)
    for k in range(size):
        rows = np.flatnonzero(last == k)
        won = np.swapaxes(chosen[..., rows, :] > 0, -1, -2).astype(np.float64)
        found[..., k, :, :] = won @ (counts[rows] > 0).astype(np.float64) > 0
    return found


def strong_classes(found: Booleans) -> tuple[Integers, Integers]:
    """Strong and weak classes of graphs (..., K, K)[winner, loser]: labels (..., K), equal within a class.

    All graphs are the blocks of one sparse graph, so that thousands of them cost one call.
    """
    *batch, size, _ = found.shape
    blocks = found.reshape(-1, size, size)
    block, winner, loser = np.nonzero(blocks)
    nodes = len(blocks) * size
    edges = (block * size + winner, block * size + loser)
    graph = csr_array((np.ones(len(block), dtype=np.int8), edges), shape=(nodes, nodes))
    strong = connected_components(graph, directed=True, connection="strong")[1]
    weak = connected_components(graph, directed=False)[1]
    return strong.reshape(*batch, size).astype(np.int64), weak.reshape(*batch, size).astype(np.int64)


def mle_exists(found: Booleans) -> Booleans:
    """Whether each row has a finite maximum-likelihood estimate; ``found`` (..., K, K, K) from :func:`arcs`.

    A component of tokens that were never compared with the others is judged on its own, so that unseen pairs and
    islands do not count as runaways. Result (..., K)[last].

    >>> once = np.array([[[1, 1, 0]]])  # after the last token 0: token 0 and token 1 were each chosen once
    >>> prompts = np.array([[1, 1, 0]]), np.array([0])
    >>> mle_exists(arcs(*prompts, once))[0].tolist(), mle_exists(arcs(*prompts, 0 * once + [1, 0, 0]))[0].tolist()
    ([True, True, True], [False, True, True])
    """
    strong, weak = strong_classes(found)
    return _distinct(strong) == _distinct(weak)


@dataclass(frozen=True)
class Runaway:
    """Tokens whose logits run away after one last token: ``up`` (never beaten from outside) or down (never chosen)."""

    last: int
    tokens: tuple[int, ...]
    up: bool


@dataclass(frozen=True, eq=False)
class Existence:
    """Where maximum likelihood has a finite answer: ``exists`` (K,)[last], and the tokens that run away where not."""

    exists: Booleans
    runaways: tuple[Runaway, ...]

    @property
    def everywhere(self) -> bool:
        return bool(self.exists.all())


def existence_of(counts: Integers, last: Integers, chosen: Integers) -> Existence:
    """Existence of the estimate for one set of observed next tokens, with the classes that run away; shapes of arcs.

    >>> existence_of(np.array([[1, 1]]), np.array([0]), np.array([[3, 0]])).runaways
    (Runaway(last=0, tokens=(0,), up=True), Runaway(last=0, tokens=(1,), up=False))
    """
    found = arcs(counts, last, chosen)
    strong, weak = strong_classes(found)
    exists = _distinct(strong) == _distinct(weak)
    runaways: list[Runaway] = []
    for k in np.flatnonzero(~exists).tolist():
        for label in dict.fromkeys(strong[k].tolist()):
            inside = strong[k] == label
            tokens = tuple(np.flatnonzero(inside).tolist())
            beaten, beats = found[k][np.ix_(~inside, inside)].any(), found[k][np.ix_(inside, ~inside)].any()
            if beaten != beats:
                runaways.append(Runaway(k, tokens, up=bool(beats)))
    return Existence(exists, tuple(runaways))


def _distinct(labels: Integers) -> Integers:
    """Number of distinct labels along the last axis."""
    ranked = np.sort(labels, axis=-1)
    return np.sum(ranked[..., 1:] != ranked[..., :-1], axis=-1).astype(np.int64) + 1


def separation_chance(laws: Floats, last: Integers, weight: Integers) -> float:
    """Expected number of tokens that are never chosen over another, or never lose, when next tokens follow ``laws``.

    Shapes: ``laws`` (U, K) next-token laws, ``last`` and ``weight`` (U,). Bounds the chance that some single token
    runs away, which is how an estimate usually fails to exist: two tokens that run away together are rarer.

    >>> round(separation_chance(np.array([[0.5, 0.5]]), np.array([0]), np.array([3])), 3)  # two tokens, twice 1/8
    0.5
    """
    size = laws.shape[1]
    contested = (laws > 0) & (laws < 1)
    never = np.where(contested, np.log1p(-np.where(contested, laws, 0.0)), 0.0) * weight[:, None]
    always = np.where(contested, np.log(np.where(contested, laws, 1.0)), 0.0) * weight[:, None]
    total = 0.0
    for k in range(size):
        rows = last == k
        taking_part = contested[rows].any(axis=0)
        total += float(np.sum((np.exp(never[rows].sum(axis=0)) + np.exp(always[rows].sum(axis=0)))[taking_part]))
    return total
