"""Strongly connected components of the priority graphs of all last tokens in one sparse pass (the pass is ours)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from theory.next_token.problem import Integers, Prompts, refuse_dense
from theory.shared.compiled import compiled

_CHUNK_TOKENS = 1 << 21


@dataclass(frozen=True, eq=False)
class SparseComponents:
    """Components of all last tokens, listed for seen pairs only.

    ``nodes`` (m,) are the sorted pairs ``last * vocab_size + token`` that occur in the data, ``label`` (m,) the
    component of each; two nodes are in one component exactly if their labels are equal.
    """

    nodes: Integers
    label: Integers
    vocab_size: int

    @property
    def sizes(self) -> Integers:
        """Tokens per component, indexed by label."""
        return np.bincount(self.label)


def connected_pairs(prompts: Prompts) -> SparseComponents:
    """Strongly connected components of all priority graphs in one sparse pass, O(number of tokens).

    Nodes are pairs (last, token) in one block-diagonal graph. Edges to tokens that never are labels are pruned first:
    such tokens are sinks, hence components of their own.

    Raises:
        DataError: ``too_large``, more than 2e8 pairs (last token in the data, token).
    """
    lasts, rank = rank_lasts(prompts)
    size = prompts.vocab_size
    refuse_dense(len(lasts) * size, "the table of pairs of tokens", "limit the vocabulary")
    base = rank * size
    seen = np.zeros(len(lasts) * size, dtype=np.bool_)
    is_label = np.zeros_like(seen)
    is_label[base + prompts.labels] = True
    number = np.cumsum(is_label, dtype=np.int32) - 1
    count = int(number[-1]) + 1
    number[~is_label] = count
    starts, targets = _pruned(prompts.tokens, prompts.offsets, prompts.labels, base, seen, number, count)
    graph = csr_array((np.ones(len(targets), dtype=np.int8), targets, starts), shape=(count, count))
    n_found, found = connected_components(graph, directed=True, connection="strong")
    local = np.flatnonzero(seen)
    label = np.full(len(local), -1, dtype=np.int64)
    inner = is_label[local]
    label[inner] = found[number[local[inner]]]
    label[~inner] = n_found + np.arange(np.sum(~inner))
    return SparseComponents(lasts[local // size] * size + local % size, label, size)


@compiled
def _pruned(
    tokens: Integers,
    offsets: Integers,
    labels: Integers,
    base: Integers,
    seen: npt.NDArray[np.bool_],
    number: npt.NDArray[np.int32],
    count: int,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Edges between label nodes in compressed rows (starts, targets); marks every pair that occurs in ``seen``.

    Rows are visited label node by label node, so that each edge is written once however often it occurs. ``number`` is
    ``count`` for what is no label. Nothing branches on the data: whether a token is new cannot be guessed.
    """
    first = np.zeros(count + 1, dtype=np.int64)
    for row in range(len(labels)):
        first[number[base[row] + labels[row]] + 1] += 1
    for node in range(count):
        first[node + 1] += first[node]
    order, place = np.empty(len(labels), dtype=np.int64), first.copy()
    for row in range(len(labels)):
        source = number[base[row] + labels[row]]
        order[place[source]] = row
        place[source] += 1
    starts = np.zeros(count + 1, dtype=np.int32)
    targets, written = np.empty(len(tokens) + 1, dtype=np.int32), 0
    visited_by = np.full(count + 1, -1, dtype=np.int32)
    for source in range(count):
        visited_by[count] = source
        for position in range(first[source], first[source + 1]):
            row = order[position]
            block, here = number[base[row] :], seen[base[row] :]
            for token in tokens[offsets[row] : offsets[row + 1]]:
                here[token] = True
                target = block[token]
                targets[written] = target
                written += visited_by[target] != source
                visited_by[target] = source
        starts[source + 1] = written
    return starts, targets[:written]


def rank_lasts(prompts: Prompts) -> tuple[Integers, Integers]:
    """Last tokens that have data, ascending, and for each prompt the position of its own among them."""
    has_data = np.zeros(prompts.vocab_size, dtype=np.bool_)
    has_data[prompts.last] = True
    return np.flatnonzero(has_data), (np.cumsum(has_data) - 1)[prompts.last]


def label_edges(prompts: Prompts, base: Integers) -> Iterator[tuple[Integers, Integers]]:
    """Pairs (label node, token node) of all prompts, in chunks that bound memory; ``base`` (n,) is each row's block."""
    cuts = np.searchsorted(prompts.offsets, np.arange(0, len(prompts.tokens), _CHUNK_TOKENS))
    cuts = np.unique(np.append(cuts, prompts.n))
    for start, stop in pairwise(cuts.tolist()):
        lengths = prompts.lengths[start:stop]
        tokens = prompts.tokens[prompts.offsets[start] : prompts.offsets[stop]]
        source = np.repeat(base[start:stop] + prompts.labels[start:stop], lengths)
        yield source, np.repeat(base[start:stop], lengths) + tokens
