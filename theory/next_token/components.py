"""Strongly connected components of the priority graphs of all last tokens in one sparse pass (the pass is ours)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from theory.next_token.prompts import Integers, Prompts, refuse_dense

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
    lasts, rank = np.unique(prompts.last, return_inverse=True)
    size = prompts.vocab_size
    refuse_dense(len(lasts) * size, "the table of pairs of tokens", "limit the vocabulary")
    seen = np.zeros(len(lasts) * size, dtype=np.bool_)
    is_label = np.zeros_like(seen)
    is_label[rank * size + prompts.labels] = True
    sources: list[npt.NDArray[np.int32]] = []
    targets: list[npt.NDArray[np.int32]] = []
    number = np.cumsum(is_label, dtype=np.int32) - 1
    for source, target in label_edges(prompts, rank * size):
        seen[target] = True
        kept = np.flatnonzero(is_label[target] & (source != target))
        sources.append(number[source[kept]])
        targets.append(number[target[kept]])
    count = int(number[-1]) + 1
    source, target = np.concatenate(sources), np.concatenate(targets)
    graph = csr_array((np.ones(len(source), dtype=np.int8), (source, target)), shape=(count, count))
    _, found = connected_components(graph, directed=True, connection="strong")
    local = np.flatnonzero(seen)
    label = np.full(len(local), -1, dtype=np.int64)
    inner = is_label[local]
    label[inner] = found[number[local[inner]]]
    label[~inner] = count + np.arange(np.sum(~inner))
    _, label = np.unique(label, return_inverse=True)
    return SparseComponents(lasts[local // size] * size + local % size, label.astype(np.int64), size)


def label_edges(prompts: Prompts, base: Integers) -> Iterator[tuple[Integers, Integers]]:
    """Pairs (label node, token node) of all prompts, in chunks that bound memory; ``base`` (n,) is each row's block."""
    cuts = np.searchsorted(prompts.offsets, np.arange(0, len(prompts.tokens), _CHUNK_TOKENS))
    cuts = np.unique(np.append(cuts, prompts.n))
    for start, stop in pairwise(cuts.tolist()):
        lengths = prompts.lengths[start:stop]
        tokens = prompts.tokens[prompts.offsets[start] : prompts.offsets[stop]]
        source = np.repeat(base[start:stop] + prompts.labels[start:stop], lengths)
        yield source, np.repeat(base[start:stop], lengths) + tokens
