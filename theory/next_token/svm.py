"""Graph-SVM: the directional part of the weights, a maximum-margin problem on each condensed priority graph.

For orthonormal embeddings the columns of the logits decouple and every component becomes one variable:
``min 1/2 sum_C n_C z_C^2`` subject to ``z_A - z_B >= 1`` on every edge A -> B (arXiv 2403.08081; the reduction and the
closed forms are ours). Embeddings that are not orthonormal: :mod:`theory.next_token.svm_general`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import SuperLU, splu

from theory.next_token.validation import at_least, positive
from theory.shared.compiled import compiled

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

TIGHT = 1e-6
"""A margin below 1 + TIGHT counts as exactly 1, a multiplier below TIGHT as 0."""
_MAX_VISITS = 20_000_000
_MAX_SWEEPS = 4000
"""Many columns together are hundreds of small problems, each settled in fewer sweeps than this."""
_ROUNDING = 1e-3
"""The systems become singular at the solution: below this error a step that gains nothing is the last."""


@dataclass(frozen=True, eq=False)
class GraphSVM:
    """Levels and multipliers of a Graph-SVM with the certificate of their optimality."""

    levels: Floats
    """(c,) level z of each component: its slope in log-time."""
    multipliers: Floats
    """(m,) dual variables of the margin constraints; their sum is the squared norm."""
    duality_gap: float
    """``|sum n z^2 - sum lambda|``; zero at the optimum."""
    primal_violation: float
    """Largest violated margin, ``max(0, 1 - (z_A - z_B))``."""

    @property
    def norm_squared(self) -> float:
        """Squared Frobenius norm of W_svm, the sum of the multipliers."""
        return float(self.multipliers.sum())


def chain_levels(sizes: Sequence[int] | Ints) -> Floats:
    """Levels of totally ordered components, sizes given from the top: ``z_p = pbar - p`` (ours).

    >>> chain_levels([1, 2, 3]).round(4).tolist()
    [1.3333, 0.3333, -0.6667]
    """
    n = np.asarray(sizes, dtype=np.float64)
    positive("sizes", n)
    position = np.arange(len(n), dtype=np.float64)
    return (n @ position) / n.sum() - position


def star_levels(n_labels: int) -> Floats:
    """Levels of ``n_labels`` singletons that are all above one token and nothing else; that token comes last (ours).

    >>> star_levels(3).tolist()
    [0.25, 0.25, 0.25, -0.75]
    """
    at_least("n_labels", n_labels, 1)
    levels = np.full(n_labels + 1, 1 / (n_labels + 1))
    levels[-1] -= 1.0
    return levels


def solve_graph_svm(edges: Ints, sizes: Ints) -> GraphSVM:
    """Minimise ``1/2 sum_C n_C z_C^2`` subject to ``z_A - z_B >= 1`` for every edge (A, B).

    Dual coordinate ascent (Hildreth's method); an interior-point method with sparse factorisations where the ascent
    is slow or there are very many edges. Unconnected graphs may be stacked.

    Args:
        edges: (m, 2) upper and lower component of each margin constraint; acyclic; duplicates are allowed.
        sizes: (c,) number of tokens in each component.
    """
    n = np.asarray(sizes, dtype=np.float64)
    upper, lower = np.ascontiguousarray(edges[:, 0]), np.ascontiguousarray(edges[:, 1])
    sweeps = max(_MAX_VISITS, min(_MAX_SWEEPS * len(edges), 5 * _MAX_VISITS)) // max(len(edges), 1)
    multipliers, solved = _dual_ascent(upper, lower, 1.0 / n, 1e-12, sweeps)
    levels = _levels(upper, lower, multipliers, n)
    if not solved:
        levels, multipliers = _interior_point(upper, lower, n)
    return certified(levels, multipliers, float(n @ levels**2), levels[upper] - levels[lower])


def certified(levels: Floats, multipliers: Floats, norm_squared: float, margins: Floats) -> GraphSVM:
    """Attach the optimality certificate: the duality gap and the largest violated margin."""
    violation = float(np.maximum(1.0 - margins, 0.0).max(initial=0.0))
    return GraphSVM(levels, multipliers, abs(norm_squared - float(multipliers.sum())), violation)


def support_edges(edges: Ints, levels: Floats, multipliers: Floats) -> tuple[Bools, Bools]:
    """Which constraints are tight, and which of these can carry a positive multiplier.

    Multipliers are a flow through the tight edges and need not be unique. A tight edge A -> B with zero flow carries
    some in another optimal flow exactly if B reaches A in the residual graph (tight edges forwards, edges with flow
    backwards). So no linear program is needed: the test is one pass for strongly connected components.
    """
    upper, lower = edges[:, 0], edges[:, 1]
    tight = levels[upper] - levels[lower] < 1.0 + TIGHT
    flowing = tight & (multipliers > TIGHT)
    start = np.concatenate([upper[tight], lower[flowing]])
    stop = np.concatenate([lower[tight], upper[flowing]])
    shape = (len(levels), len(levels))
    residual = coo_array((np.ones(len(start), dtype=np.int8), (start, stop)), shape=shape)
    _, label = connected_components(residual, directed=True, connection="strong")
    return tight, tight & (label[upper] == label[lower])


def _levels(upper: Ints, lower: Ints, multipliers: Floats, sizes: Floats) -> Floats:
    count = len(sizes)
    return (np.bincount(upper, multipliers, count) - np.bincount(lower, multipliers, count)) / sizes


@compiled
def _dual_ascent(
    upper: Ints, lower: Ints, inverse_size: Floats, tolerance: float, max_sweeps: int
) -> tuple[Floats, bool]:
    levels = np.zeros(len(inverse_size))
    multipliers = np.zeros(len(upper))
    for _ in range(max_sweeps):
        largest = 0.0
        for e in range(len(upper)):
            a, b = upper[e], lower[e]
            step = (1.0 - levels[a] + levels[b]) / (inverse_size[a] + inverse_size[b])
            step = max(-multipliers[e], step)
            multipliers[e] += step
            levels[a] += step * inverse_size[a]
            levels[b] -= step * inverse_size[b]
            largest = max(largest, abs(step))
        if largest < tolerance:
            return multipliers, True
    return multipliers, False


@dataclass(frozen=True, eq=False)
class _NewtonSystem:
    """Optimality conditions at one interior point, linearised and reduced to the levels."""

    incidence: csr_array
    factor: SuperLU
    slack: Floats
    ratio: Floats
    primal: Floats
    dual: Floats

    def direction(self, complement: Floats) -> tuple[Floats, Floats, Floats]:
        """Steps of levels, slacks and multipliers towards ``slack * multiplier = 0`` with residual ``complement``."""
        shift = complement / self.slack + self.ratio * self.primal
        step = np.asarray(self.factor.solve(-self.dual - self.incidence.T @ shift))
        slack_step = self.incidence @ step + self.primal
        return step, slack_step, -complement / self.slack - self.ratio * slack_step


def _interior_point(upper: Ints, lower: Ints, sizes: Floats) -> tuple[Floats, Floats]:
    edge = np.arange(len(upper))
    signs = np.concatenate([np.ones(len(upper)), -np.ones(len(upper))])
    position = (np.concatenate([edge, edge]), np.concatenate([upper, lower]))
    incidence = csr_array(coo_array((signs, position), shape=(len(upper), len(sizes))))
    transposed = csr_array(incidence.T)
    levels: Floats = np.zeros(len(sizes))
    slack: Floats = np.ones(len(upper))
    multipliers: Floats = np.ones(len(upper))
    best, found = np.inf, (levels, multipliers)
    for _ in range(100):
        dual = sizes * levels - transposed @ multipliers
        primal: Floats = np.asarray(incidence @ levels) - 1.0 - slack
        gap = float(slack @ multipliers) / len(upper)
        # Levels err by at most about the root of the total gap, and by the residuals.
        error = max((gap * len(upper)) ** 0.5, np.abs(dual).max(), np.abs(primal).max())
        if error < best:
            best, found = error, (levels, multipliers)
        elif best < _ROUNDING:
            break
        if gap < 1e-15 and max(np.abs(dual).max(), np.abs(primal).max()) < 1e-10:
            break
        ratio = multipliers / slack
        normal = diags_array(sizes) + transposed @ diags_array(ratio) @ incidence
        try:
            factor = splu(normal.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
        except RuntimeError:  # singular to working precision
            break
        system = _NewtonSystem(incidence, factor, slack, ratio, primal, dual)

        # Mehrotra: an affine trial step decides how much to centre the corrected one.
        _, slack_step, multiplier_step = system.direction(slack * multipliers)
        reach = _step_length(slack, slack_step), _step_length(multipliers, multiplier_step)
        trial = (slack + reach[0] * slack_step) @ (multipliers + reach[1] * multiplier_step) / len(upper)
        centring = gap * (trial / gap) ** 3
        complement = slack * multipliers + slack_step * multiplier_step - centring
        step, slack_step, multiplier_step = system.direction(complement)
        length = 0.995 * min(_step_length(slack, slack_step), _step_length(multipliers, multiplier_step))
        levels = levels + length * step
        slack = slack + length * slack_step
        multipliers = multipliers + length * multiplier_step
    return found


def _step_length(values: Floats, step: Floats) -> float:
    falling = step < 0
    return float(min(1.0, (-values[falling] / step[falling]).min(initial=1.0)))
