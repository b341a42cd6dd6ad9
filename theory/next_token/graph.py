"""Token-priority graphs: strongly connected components of every last token at once, and their partial order.

For each last token k the graph has an edge from the label to every other token of each prompt that ends in k
("the label had priority"). Source: arXiv 2403.08081; the pruning and the block-diagonal pass are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from theory.core.errors import DataError, ParameterError
from theory.next_token.components import SparseComponents, connected_pairs, label_edges, rank_lasts
from theory.next_token.problem import Integers, Prompts, refuse_dense

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Column:
    """The condensation for one last token.

    Components are numbered from the top (longest path from above, then smallest token); those below ``n_seen`` occur
    in the data, the others are single unseen tokens. ``edges`` (e, 2) are pairs [upper, lower] of different components.
    """

    last: int
    component: Integers
    n_seen: int
    edges: Integers

    @cached_property
    def sizes(self) -> Integers:
        """Tokens per component."""
        return np.bincount(self.component)

    @cached_property
    def reach(self) -> tuple[int, ...]:
        """For each component the bit set of the components below it (bit b: component b can be reached)."""
        below = [0] * len(self.sizes)
        # Sorted by upper component, and numbers grow downwards: reversed order visits every target first.
        for upper, lower in reversed(_pairs(self.edges)):
            below[upper] |= 1 << lower | below[lower]
        return tuple(below)

    @cached_property
    def reduced_edges(self) -> Integers:
        """Transitive reduction of ``edges``: the cover relations, shape (r, 2)."""
        covers: list[tuple[int, int]] = []
        covered, current = 0, -1
        for upper, lower in _pairs(self.edges):
            if upper != current:
                covered, current = 0, upper
            if not covered >> lower & 1:
                covers.append((upper, lower))
                covered |= self.reach[lower]
        return np.array(covers, dtype=np.int64).reshape(-1, 2)

    @cached_property
    def depth(self) -> Integers:
        """Length of the longest path from the top to each component; 0 for unseen tokens."""
        depth = [0] * len(self.sizes)
        for upper, lower in _pairs(self.edges):
            depth[lower] = max(depth[lower], depth[upper] + 1)
        return np.array(depth, dtype=np.int64)

    def members(self, component: int) -> Integers:
        """Tokens of one component."""
        return np.flatnonzero(self.component == component)

    def above(self, upper: int, lower: int) -> bool:
        """Whether there is a path from component ``upper`` down to component ``lower``."""
        return bool(self.reach[upper] >> lower & 1)


@dataclass(frozen=True, eq=False)
class PriorityStructure:
    """Partition and partial order for all last tokens.

    ``pairs`` (p,) are the sorted seen pairs ``last * vocab_size + token``; ``pair_component`` (p,) counts the
    components of each last token from the top; ``edges`` (e, 3) are rows [last, upper, lower] of the condensations,
    sorted. Dense views are indexed [token, last] like the logits and made when asked for.
    """

    vocab_size: int
    pairs: Integers
    pair_component: Integers
    pair_size: Integers
    edges: Integers

    @cached_property
    def component(self) -> Integers:
        """Component of each token, (K, K), from the top; unseen tokens follow, -1 in columns without data.

        Raises:
            DataError: ``too_large``, vocabulary above 5000: use ``pairs`` and ``pair_component``.
        """
        component = self._dense(self.pair_component, -1)
        n_seen = np.zeros(self.vocab_size, dtype=np.int64)
        np.maximum.at(n_seen, self.pairs // self.vocab_size, self.pair_component + 1)
        unseen = ~self.seen & (n_seen > 0)
        component[unseen] = (n_seen + np.cumsum(unseen, axis=0) - 1)[unseen]
        return component

    @cached_property
    def component_size(self) -> Integers:
        """Tokens in the component of each token, (K, K); 1 for unseen tokens, 0 in columns without data."""
        return np.maximum(self._dense(self.pair_size, 0), self.component >= 0)

    @cached_property
    def seen(self) -> Mask:
        """Whether the token occurs in a prompt with that last token, (K, K)."""
        return self._dense(np.ones(len(self.pairs), dtype=np.int64), 0) > 0

    def _dense(self, values: Integers, fill: int) -> Integers:
        refuse_dense(8 * self.vocab_size**2, "an array over [token, last]", "use pairs and pair_component")
        table = np.full((self.vocab_size, self.vocab_size), fill, dtype=np.int64)
        table[self.pairs % self.vocab_size, self.pairs // self.vocab_size] = values
        return table

    @cached_property
    def columns(self) -> tuple[int, ...]:
        """Last tokens that have data."""
        return tuple(np.unique(self.pairs // self.vocab_size).tolist())

    @cached_property
    def _built(self) -> dict[int, Column]:
        return {}

    def column(self, k: int) -> Column:
        """The condensation for last token ``k``.

        Raises:
            DataError: ``no_data``, no prompt ends in ``k``.
        """
        if k not in self._built:
            first, end = np.searchsorted(self.pairs, [k * self.vocab_size, (k + 1) * self.vocab_size])
            if first == end:
                raise DataError("no_data", f"no data for this last token: no prompt ends in token {k}.")
            seen = self.pairs[first:end] - k * self.vocab_size
            n_seen = int(self.pair_component[first:end].max()) + 1
            component = np.full(self.vocab_size, -1, dtype=np.int64)
            component[seen] = self.pair_component[first:end]
            component[component < 0] = n_seen + np.arange(self.vocab_size - len(seen))
            start, stop = np.searchsorted(self.edges[:, 0], [k, k + 1])
            self._built[k] = Column(k, component, n_seen, self.edges[start:stop, 1:])
        return self._built[k]

    def same_component(self, i: int, j: int, k: int) -> bool:
        """Whether tokens i and j lie on a common cycle (or are equal) for last token k."""
        component = self.column(k).component
        return bool(component[i] == component[j])

    def has_priority(self, i: int, j: int, k: int) -> bool:
        """Whether i reaches j but j does not reach i, for last token k."""
        column = self.column(k)
        return column.above(int(column.component[i]), int(column.component[j]))

    def priority(self, k: int) -> Mask:
        """``has_priority`` for all pairs of tokens, shape (K, K), indexed [upper, lower]."""
        column = self.column(k)
        above = np.array([[column.above(a, b) for b in range(len(column.sizes))] for a in range(len(column.sizes))])
        return above[np.ix_(column.component, column.component)]

    def levels_from_top(self, k: int) -> Integers:
        """Longest path from the top to each token's component, shape (K,); 0 for unseen tokens."""
        column = self.column(k)
        return column.depth[column.component]


def priority_graph(prompts: Prompts, k: int) -> Mask:
    """Adjacency for last token ``k``, shape (K, K): entry [i, j] says that label i stood in a prompt with j.

    >>> from theory.next_token.problem import make_prompts
    >>> priority_graph(make_prompts([[0, 1, 2]], [0]), 2).nonzero()[1].tolist()
    [1, 2]
    """
    if not 0 <= k < prompts.vocab_size:
        raise ParameterError("k", k, f"a token from 0 to {prompts.vocab_size - 1}")
    refuse_dense(prompts.vocab_size**2, "the adjacency matrix", "use connected_pairs, which keeps edges only")
    graph = np.zeros((prompts.vocab_size, prompts.vocab_size), dtype=np.bool_)
    inside = np.repeat(prompts.last == k, prompts.lengths)
    graph[np.repeat(prompts.labels, prompts.lengths)[inside], prompts.tokens[inside]] = True
    np.fill_diagonal(graph, False)
    return graph


def priority_structure(prompts: Prompts) -> PriorityStructure:
    """Components and their order for every last token (arXiv 2403.08081, claim ``priority-order``).

    Raises:
        DataError: ``too_large``, more than 2e8 pairs (last token in the data, token).
    """
    size = prompts.vocab_size
    found = connected_pairs(prompts)
    sizes = found.sizes
    edges = _condensed_edges(prompts, found)
    depth = _longest_path(edges, len(sizes))
    label, first = np.unique(found.label, return_index=True)
    last, token = np.divmod(found.nodes[first], size)
    order = np.lexsort((token, depth[label], last))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - np.searchsorted(last[order], last[order])
    rows = np.stack([last[edges[:, 0]], rank[edges[:, 0]], rank[edges[:, 1]]], axis=1)
    rows = rows[np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))]
    return PriorityStructure(size, found.nodes, rank[found.label], sizes[found.label], rows)


def pair_order(structure: PriorityStructure) -> tuple[Mask, Mask]:
    """(K, K, K) [token, other, last]: same component, and priority of the token over the other."""
    size = structure.vocab_size
    same = np.repeat(np.eye(size, dtype=np.bool_)[:, :, None], size, axis=2)
    above = np.zeros((size, size, size), dtype=np.bool_)
    for k in structure.columns:
        component = structure.component[:, k]
        same[:, :, k] = component[:, None] == component
        above[:, :, k] = structure.priority(k)
    return same, above


def acyclic(structure: PriorityStructure) -> bool:
    """Whether every component is a single token: then the loss can be driven to zero."""
    return bool((structure.pair_size == 1).all())


def _pairs(edges: Integers) -> list[tuple[int, int]]:
    return [(upper, lower) for upper, lower in edges.tolist()]


def _condensed_edges(prompts: Prompts, found: SparseComponents) -> Integers:
    """Distinct edges between different components, sorted, shape (e, 2)."""
    size, count = prompts.vocab_size, int(found.label.max()) + 1
    lasts, rank = rank_lasts(prompts)
    label = np.full(len(lasts) * size, -1, dtype=np.int32)
    label[np.searchsorted(lasts, found.nodes // size) * size + found.nodes % size] = found.label
    keys: list[Integers] = []
    for source, target in label_edges(prompts, rank * size):
        upper, lower = label[source].astype(np.int64), label[target]
        keys.append(np.unique((upper * count + lower)[upper != lower]))
    return np.stack(np.divmod(np.unique(np.concatenate(keys)), count), axis=1)


def _longest_path(edges: Integers, count: int) -> Integers:
    """Longest path from a source to each node of an acyclic graph, peeled layer by layer; edges sorted by source."""
    starts = np.searchsorted(edges[:, 0], np.arange(count + 1))
    waiting = np.bincount(edges[:, 1], minlength=count)
    depth = np.zeros(count, dtype=np.int64)
    layer, level = np.flatnonzero(waiting == 0), 0
    while len(layer):
        depth[layer] = level
        widths = starts[layer + 1] - starts[layer]
        ends = np.cumsum(widths)
        out = edges[np.arange(ends[-1]) + np.repeat(starts[layer] - ends + widths, widths), 1]
        np.subtract.at(waiting, out, 1)
        touched = np.unique(out)
        layer, level = touched[waiting[touched] == 0], level + 1
    return depth
