"""The room as a library: the paper's objects from plain prompts, in one call each.

Data are :class:`~theory.next_token.problem.Prompts`, or prompts as lists of token ids with their labels, or a table of
counts with last tokens and labels (the order inside a prompt does not matter).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
import numpy.typing as npt

from theory.core.errors import DataError, ParameterError
from theory.next_token import automaton, finite, graph, svm
from theory.next_token.graph_export import condensation_graph
from theory.next_token.model import weights_of
from theory.next_token.problem import Prompts, make_prompts
from theory.next_token.structure import Solution, solve
from theory.next_token.validation import check_order, positive

Data = Prompts | Sequence[Sequence[int]] | npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Priorities:
    """What the data decide for one last token: ``component`` (K,), ``condensation``, and ``order`` (K, K) bool.

    ``order[i, j]`` says that token i has priority over token j.
    """

    component: npt.NDArray[np.int64]
    condensation: nx.DiGraph[int]
    order: npt.NDArray[np.bool_]


def as_prompts(data: Data, last: Sequence[int] | None = None, labels: Sequence[int] | None = None) -> Prompts:
    """Prompts from any accepted form: sequences with labels, or counts (n, K) with last tokens and labels.

    Raises:
        DataError: labels are missing, or anything that :func:`~theory.next_token.problem.make_prompts` refuses.
    """
    if isinstance(data, Prompts):
        return data
    if labels is None:
        raise DataError("labels_missing", "give one label per prompt.")
    if last is None or not _are_counts(data, last):
        return make_prompts(data, labels)
    counts = np.asarray(data)
    rows: list[list[int]] = []
    for row, query in enumerate(last):
        if counts[row, query] < 1:
            raise DataError("last_not_in_counts", f"row {row}: the last token {query} has count {counts[row, query]}.")
        bag = counts[row].copy()
        bag[query] -= 1
        rows.append([*np.repeat(np.arange(len(bag)), bag).tolist(), int(query)])
    return make_prompts(rows, labels, vocab_size=counts.shape[1])


def priority_structure(
    data: Data, last: Sequence[int] | None = None, labels: Sequence[int] | None = None
) -> dict[int, Priorities]:
    """Partition and order for each last token that has data (arXiv 2403.08081, token-priority graphs).

    >>> found = priority_structure([[0, 1, 2], [1, 0, 2]], labels=[0, 1])
    >>> found[2].component.tolist(), bool(found[2].order[0, 2])
    ([0, 0, 1], True)
    """
    prompts = as_prompts(data, last, labels)
    structure = graph.priority_structure(prompts)
    return {
        k: Priorities(structure.component[:, k], condensation_graph(structure, k, prompts.names), structure.priority(k))
        for k in structure.columns
    }


def fit_finite(data: Data, last: Sequence[int] | None = None, labels: Sequence[int] | None = None) -> finite.FinitePart:
    """Finite scores [token, last], irreducible loss and smallest curvature (arXiv 2403.08081, finite component)."""
    prompts = as_prompts(data, last, labels)
    return finite.fit_finite(prompts, graph.priority_structure(prompts))


def w_fin(data: Data | Solution, last: Sequence[int] | None = None, labels: Sequence[int] | None = None) -> Floats:
    """(d, d) finite part of the weights: its score differences inside components are those of the fitted scores."""
    solution = _solution(data, last, labels)
    return weights_of(solution.fin_scores, solution.prompts.vectors)


def w_svm(data: Data | Solution, last: Sequence[int] | None = None, labels: Sequence[int] | None = None) -> Floats:
    """(d, d) Graph-SVM solution, the direction in which the weights grow.

    Raises:
        DataError: ``no_separating_direction`` (dependent embeddings only).

    >>> w_svm([[0, 2], [1, 2]], labels=[0, 1]).round(3)[:, 2].tolist()
    [0.333, 0.333, -0.667]
    """
    solution = _solution(data, last, labels)
    return weights_of(solution.levels, solution.prompts.vectors)


def solve_graph_svm(order: npt.ArrayLike, sizes: npt.ArrayLike) -> svm.GraphSVM:
    """Levels and multipliers of the collapsed Graph-SVM for components with these sizes.

    ``order`` is a list of edges (upper, lower), or a bool matrix (m, m) of priorities.

    Raises:
        ParameterError: a size below 1, an edge to a component that there is not, or a cycle.

    >>> solve_graph_svm([(0, 1), (1, 2)], [1, 2, 3]).levels.round(6).tolist()
    [1.333333, 0.333333, -0.666667]
    """
    weights, given = np.asarray(sizes), np.asarray(order)
    if weights.ndim != 1 or weights.dtype.kind not in "iu":
        raise ParameterError("sizes", sizes, "a list of whole numbers, one per component")
    positive("sizes", weights)
    if given.dtype == np.bool_ and given.shape != (len(weights),) * 2:
        raise ParameterError(
            "order", f"a matrix of shape {given.shape}", f"one row and column for {len(weights)} sizes"
        )
    edges = np.argwhere(given) if given.dtype == np.bool_ else given.reshape(-1, 2).astype(np.int64)
    check_order(edges.tolist(), len(weights))
    return svm.solve_graph_svm(edges, weights.astype(np.int64))


def automaton_next(
    data: Data | Solution, prompt: Sequence[int], labels: Sequence[int] | None = None
) -> automaton.Prediction:
    """Next-token distribution (K,) of the learnt automaton for one prompt, its certificate and why.

    >>> voter = [[0, 2]] * 3 + [[1, 2]]
    >>> answer = automaton_next(voter, [0, 1, 2], labels=[0, 0, 0, 1])
    >>> answer.distribution.round(6).tolist(), answer.certificate
    ([0.75, 0.25, 0.0], 'tie')
    """
    return automaton.automaton_next(_solution(data, None, labels), prompt)


def _solution(data: Data | Solution, last: Sequence[int] | None, labels: Sequence[int] | None) -> Solution:
    return data if isinstance(data, Solution) else solve(as_prompts(data, last, labels))


def _are_counts(data: Data, last: Sequence[int]) -> bool:
    """A table of counts is rectangular, and not a list of prompts that end in the given last tokens."""
    if isinstance(data, np.ndarray):
        return data.ndim == 2
    rows = list(data) if not isinstance(data, Prompts) else []
    rectangular = len({len(row) for row in rows}) == 1
    return rectangular and any(row[-1] != query for row, query in zip(rows, last, strict=False))
