"""Which data contradict? Shortest cycles of prompts that turned hard retrieval into soft composition (ours)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import shortest_path

from theory.core.errors import DataError
from theory.next_token.finite import fit_finite
from theory.next_token.graph import PriorityStructure, acyclic, priority_structure
from theory.next_token.problem import Integers, Prompts, refuse_dense, select


@dataclass(frozen=True)
class Contradiction:
    """A shortest cycle inside one component.

    ``tokens`` a_0, a_1, .., from the smallest id, each had priority over the next and the last one over a_0;
    ``rows[q]`` is a prompt with label a_q that contains the next token. All rows differ: a prompt has one label.
    """

    last: int
    component: int
    tokens: tuple[int, ...]
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Removal:
    """What leaving out one prompt changes; losses are mean log-losses in nats at the infimum."""

    row: int
    loss_before: float
    loss_after: float
    largest_before: int
    largest_after: int
    acyclic_after: bool

    @property
    def change(self) -> float:
        """Irreducible loss after minus before."""
        return self.loss_after - self.loss_before


def shortest_contradictions(
    prompts: Prompts, structure: PriorityStructure, last: int | None = None
) -> tuple[Contradiction, ...]:
    """The minimal contradictory evidence of every component with at least two tokens, from the top of each column.

    Breadth-first search inside each component; ``last`` restricts the answer to one last token.

    >>> from theory.next_token.problem import make_prompts
    >>> data = make_prompts([[0, 1, 2], [1, 2], [0, 1, 2]], [0, 1, 1])
    >>> shortest_contradictions(data, priority_structure(data))[0].rows
    (0, 2)
    """
    inside = structure.pair_size > 1
    columns = np.unique(structure.pairs[inside] // structure.vocab_size).tolist()
    found: list[Contradiction] = []
    for k in columns if last is None else [k for k in columns if k == last]:
        column = structure.column(k)
        rows = np.flatnonzero(prompts.last == k)
        home = column.component[prompts.labels[rows]]
        for component in np.flatnonzero(column.sizes > 1).tolist():
            found.append(_shortest_cycle(prompts, rows[home == component], column.members(component), k, component))
    return tuple(found)


def effect_of_removal(prompts: Prompts, row: int, irreducible_loss: float | None = None) -> Removal:
    """The irreducible loss without one prompt: it falls to 0 if the last cycle goes.

    Only the prompts with the same last token are fitted again when ``irreducible_loss`` of all data is given.

    Raises:
        DataError: ``row_out_of_range``, or ``no_prompts`` when nothing would be left.
    """
    if not 0 <= row < prompts.n:
        raise DataError("row_out_of_range", f"row {row}; expected a row from 0 to {prompts.n - 1}.")
    if prompts.n == 1:
        raise DataError("no_prompts", f"row {row} is the only prompt; nothing would be left.")
    if irreducible_loss is None:
        irreducible_loss = fit_finite(prompts, priority_structure(prompts)).irreducible_loss
    same = np.flatnonzero(prompts.last == prompts.last[row])
    before = select(prompts, same)
    structure = priority_structure(before)
    total = irreducible_loss * prompts.n - fit_finite(before, structure).irreducible_loss * before.n
    largest, clean = 0, True
    if len(same) > 1:
        after = select(prompts, same[same != row])
        smaller = priority_structure(after)
        total += fit_finite(after, smaller).irreducible_loss * after.n
        largest, clean = int(smaller.pair_size.max()), acyclic(smaller)
    # The other columns' total is a difference of two sums: what rounding leaves of an exact zero is not a loss.
    loss = total / (prompts.n - 1)
    loss = 0.0 if abs(loss) < 1e-12 * max(irreducible_loss, 1.0) else loss
    return Removal(row, irreducible_loss, loss, int(structure.pair_size.max()), largest, clean)


def _shortest_cycle(prompts: Prompts, rows: Integers, members: Integers, last: int, component: int) -> Contradiction:
    """``rows`` are the prompts whose label lies in the component."""
    lengths = prompts.lengths[rows]
    data = select(prompts, rows)
    source = np.repeat(data.labels, lengths)
    kept = np.isin(data.tokens, members) & (data.tokens != source)
    m = len(members)
    refuse_dense(12 * m**2, f"the distances inside a component of {m} tokens", "limit the vocabulary")
    edge = np.searchsorted(members, source[kept]) * m + np.searchsorted(members, data.tokens[kept])
    edge, first = np.unique(edge, return_index=True)
    witness = np.repeat(rows, lengths)[kept][first]
    tail, head = np.divmod(edge, m)
    graph = csr_array((np.ones(len(edge)), (tail, head)), shape=(m, m))
    distance, before = shortest_path(graph, method="D", unweighted=True, return_predecessors=True)
    # A shortest cycle through edge (u, v) closes with a shortest path from v back to u.
    best = int(np.argmin(distance[head, tail]))
    start, node = int(head[best]), int(tail[best])
    path = [node]
    while node != start:
        node = int(before[start, node])
        path.append(node)
    path.reverse()
    top = path.index(min(path))
    cycle = path[top:] + path[:top]
    prompts_of = dict(zip(edge.tolist(), witness.tolist(), strict=True))
    used = tuple(prompts_of[a * m + b] for a, b in zip(cycle, [*cycle[1:], cycle[0]], strict=True))
    return Contradiction(last, component, tuple(members[cycle].tolist()), used)
