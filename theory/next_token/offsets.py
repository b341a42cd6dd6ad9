"""The offset of the trained weights from their asymptotic ray: one small convex problem (ours)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from theory.next_token.condensation import Condensation
from theory.next_token.svm import TIGHT, GraphSVM, support_edges
from theory.next_token.svm_general import Geometry, support_edges_general
from theory.shared.compiled import compiled

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Offsets:
    """What is known about the trained logits beyond ``log_time * levels``; arrays over components and edges.

    ``exponent`` is indexed by last token (K,); general embeddings couple the columns and repeat one number.
    """

    tight: Bools
    """(m,) margin exactly 1."""
    support: Bools
    """(m,) tight, and positive in some optimal multiplier."""
    blocks: Ints
    """(c,) label of the support block of each component: offsets are determined up to a constant per block."""
    offsets: Floats
    """(c,) z-tilde; the mean over the tokens of a block is zero (orthonormal embeddings)."""
    vector: Floats | None
    """(dim,) coordinates of W-tilde for general embeddings."""
    multipliers: Floats
    """(m,) the optimal multipliers that training selects, ``a_e exp(-(offset difference))``; 0 off the support."""
    exponent: Floats
    """(K,) errors of the predicted logits fall like (step size * steps) to minus this power."""


def solve_offsets(graph: Condensation, svm: GraphSVM) -> Offsets:
    """Offsets for orthonormal embeddings, column by column."""
    tight, support = support_edges(graph.edges, svm.levels, svm.multipliers)
    offsets, multipliers = np.zeros(graph.n_components), np.zeros(len(graph.edges))
    exponent = np.zeros(graph.vocab_size)
    root = np.sqrt(graph.size.astype(np.float64))
    margins = svm.levels[graph.edges[:, 0]] - svm.levels[graph.edges[:, 1]]
    for k in graph.columns:
        nodes = slice(graph.scc_starts[k], graph.scc_starts[k + 1])
        mine = slice(graph.edge_starts[k], graph.edge_starts[k + 1])
        edges, carries = graph.edges[mine] - nodes.start, support[mine]
        rows = np.zeros((int(carries.sum()), nodes.stop - nodes.start))
        at = np.arange(len(rows))
        rows[at, edges[carries, 0]] = 1.0 / root[nodes][edges[carries, 0]]
        rows[at, edges[carries, 1]] = -1.0 / root[nodes][edges[carries, 1]]
        weights, guess = graph.weights[mine][carries], svm.multipliers[mine][carries]
        found, chosen, slowest = minimise_offset(rows, weights, svm.levels[nodes] * root[nodes], guess)
        offsets[nodes] = found / root[nodes]
        multipliers[np.flatnonzero(carries) + mine.start] = chosen
        exponent[k] = _capped(slowest, margins[mine][~carries])
    return Offsets(tight, support, _blocks(graph, support), offsets, None, multipliers, exponent)


def solve_offsets_general(geometry: Geometry, weights: Floats, svm: GraphSVM) -> Offsets:
    """Offsets for general embeddings: all columns at once, in the coordinates of ``geometry``."""
    graph = geometry.condensation
    tight, support = support_edges_general(geometry.edges, weights, svm.multipliers)
    rows = geometry.edges[support]
    found, chosen, slowest = minimise_offset(rows, graph.weights[support], weights, svm.multipliers[support])
    multipliers = np.zeros(len(graph.edges))
    multipliers[support] = chosen
    exponent = np.full(graph.vocab_size, _capped(slowest, geometry.edges[~support] @ weights))
    spread = geometry.logits(found)[graph.tokens, graph.last]
    offsets = np.bincount(graph.scc, spread, graph.n_components) / graph.size
    return Offsets(tight, support, _blocks(graph, support), offsets, found, multipliers, exponent)


def minimise_offset(rows: Floats, weights: Floats, direction: Floats, guess: Floats) -> tuple[Floats, Floats, float]:
    """Minimise ``sum_e a_e exp(-x_e . w) + direction . w`` over w in the span of the vectors x_e.

    Args:
        rows: (s, dim) support edge vectors x_e.
        weights: (s,) effective edge weights a_e.
        direction: (dim,) W_svm, a positive combination of the rows.
        guess: (s,) multipliers to start from.

    Returns:
        The minimiser (dim,), the multipliers ``a_e exp(-x_e . w)`` (s,) that it selects, and the smallest eigenvalue
        of the Hessian on the span (the relaxation rate in log-time; infinity without edges).
    """
    if len(rows) == 0:
        return np.zeros(len(direction)), np.zeros(0), np.inf
    start = np.maximum(guess, 1e-3 * guess.max(initial=1.0))
    return _newton(np.ascontiguousarray(rows), weights, direction, np.log(weights / start))


@compiled
def _newton(rows: Floats, weights: Floats, direction: Floats, gaps: Floats) -> tuple[Floats, Floats, float]:
    _, singular, right = np.linalg.svd(rows, full_matrices=False)
    rank = 0
    while rank < len(singular) and singular[rank] > 1e-9 * singular[0]:
        rank += 1
    basis: Floats = np.ascontiguousarray(right[:rank].T)
    local: Floats = rows @ basis
    transposed: Floats = np.ascontiguousarray(local.T)
    pull: Floats = np.ascontiguousarray(basis.T) @ direction
    point = np.zeros(rank)
    point[:] = np.linalg.solve(transposed @ local, transposed @ gaps)
    chosen = weights * np.exp(-(local @ point))
    for _ in range(100):
        gradient = pull - transposed @ chosen
        hessian = (transposed * chosen) @ local
        step = np.linalg.solve(hessian, gradient)
        decrement = gradient @ step
        if decrement < 1e-26:
            break
        value = chosen.sum() + pull @ point
        length = 1.0
        trial = point - step
        risen = weights * np.exp(-(local @ trial))
        while risen.sum() + pull @ trial > value - 0.25 * length * decrement + 1e-14 * abs(value) and length > 1e-12:
            length *= 0.5
            trial = point - length * step
            risen = weights * np.exp(-(local @ trial))
        point, chosen = trial, risen
    hessian = (transposed * chosen) @ local
    return basis @ point, chosen, np.linalg.eigvalsh(hessian)[0]


def _capped(slowest: float, other_margins: Floats) -> float:
    """Edges off the support matter like (step size * steps)^(1 - margin); degenerate ones (margin 1) for ever."""
    excess = float(other_margins.min(initial=np.inf)) - 1.0
    return max(0.0, min(1.0, slowest, 0.0 if excess < TIGHT else excess))


def _blocks(graph: Condensation, support: Bools) -> Ints:
    upper, lower = graph.edges[support].T
    shape = (graph.n_components, graph.n_components)
    joined = coo_array((np.ones(len(upper), dtype=np.int8), (upper, lower)), shape=shape)
    return connected_components(joined, directed=False)[1].astype(np.int64)
