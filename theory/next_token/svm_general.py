"""Graph-SVM, finite part and projections for embeddings that are not orthonormal (ours).

The columns of the logits no longer decouple, because ``||W||_F^2 = tr(S^T G^-1 S G^-1)``. Everything is done in
coordinates of W restricted to the rows and columns that data can move: a Euclidean space in which an edge A -> B under
last token k is the vector (mean embedding of A - mean embedding of B) x embedding of k.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog, nnls

from theory.core.errors import DataError
from theory.next_token.condensation import Condensation
from theory.next_token.finite import Group
from theory.next_token.svm import TIGHT, GraphSVM, certified

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_LARGEST_SYSTEM = 2.5e7


@dataclass(frozen=True, eq=False)
class Geometry:
    """Coordinates for the weights of one problem with general embeddings; vectors have ``dim`` numbers."""

    embed: Floats
    """(K, d) embeddings."""
    condensation: Condensation

    @cached_property
    def rows(self) -> Floats:
        """(K, r) embeddings in an orthonormal basis of their span."""
        left, singular, _ = np.linalg.svd(self.embed, full_matrices=False)
        kept = singular > 1e-10 * singular.max(initial=0.0)
        return left[:, kept] * singular[kept]

    @property
    def rank(self) -> int:
        """Rank of the embeddings; a linear head that inverts them exists when it equals the vocabulary size."""
        return self.rows.shape[1]

    @cached_property
    def _queries(self) -> Floats:
        # Orthonormal basis (r, q) of the span of the embeddings of last tokens that have data.
        return _span(self.rows[self.condensation.columns].T)

    @cached_property
    def _mean_rows(self) -> Floats:
        # (c, r) mean embedding of each component.
        sums = np.zeros((self.condensation.n_components, self.rank))
        np.add.at(sums, self.condensation.scc, self.rows[self.condensation.tokens])
        return sums / self.condensation.size[:, None]

    def _vectors(self, keys: Floats, last: npt.NDArray[np.int64]) -> Floats:
        queries = self.rows[last] @ self._queries
        if keys.shape[0] * keys.shape[1] * queries.shape[1] > _LARGEST_SYSTEM:
            raise DataError(
                "too_large", f"{len(keys)} margin constraints with general embeddings; use orthonormal embeddings"
            )
        return (keys[:, :, None] * queries[:, None, :]).reshape(len(keys), keys.shape[1] * queries.shape[1])

    @cached_property
    def _cycles(self) -> tuple[Floats, Floats]:
        # Rows (e_j - e_first) x e_k that span the finite subspace, and the score differences on them.
        graph = self.condensation
        _, first = np.unique(graph.scc, return_index=True)
        representative = first[graph.scc]
        others = np.flatnonzero(representative != np.arange(len(graph.pairs)))
        keys = self.rows[graph.tokens[others]] - self.rows[graph.tokens[representative[others]]]
        return self._vectors(keys, graph.last[others]), graph.scores[others] - graph.scores[representative[others]]

    @cached_property
    def finite_basis(self) -> Floats:
        """(dim, s) orthonormal basis of the finite subspace S_fin."""
        rows = self._cycles[0]
        return _span(rows.T)

    @cached_property
    def finite_part(self) -> Floats:
        """(dim,) W_fin: the element of the finite subspace with the fitted score differences."""
        rows, differences = self._cycles
        if len(rows) == 0:
            return np.zeros(int(rows.shape[1]))
        return np.asarray(np.linalg.lstsq(rows, differences, rcond=None)[0], dtype=np.float64)

    def curvature(self, groups: Sequence[Group], n: int) -> float:
        """Smallest eigenvalue on the finite subspace of the Hessian of the restricted mean loss; infinity without one.

        ``groups`` are the restricted data of the components, ``n`` is the number of all prompts.
        """
        hessian = np.zeros((self.finite_basis.shape[1],) * 2)
        for group in groups:
            slope = self._vectors(self.rows[group.tokens], np.full(len(group.tokens), group.last)) @ self.finite_basis
            hessian += slope.T @ group.information @ slope
        return float(np.linalg.eigvalsh(hessian / n)[0]) if len(hessian) else np.inf

    @cached_property
    def edges(self) -> Floats:
        """(m, dim) edge vectors, projected off the finite subspace."""
        upper, lower = self.condensation.edges.T
        vectors = self._vectors(self._mean_rows[upper] - self._mean_rows[lower], self.condensation.column[upper])
        return vectors - (vectors @ self.finite_basis) @ self.finite_basis.T

    def logits(self, vector: Floats) -> Floats:
        """(K, K) logits [token, last] of weights given by their coordinates."""
        columns = self.rows @ self._queries
        return self.rows @ vector.reshape(self.rank, -1) @ columns.T

    def coordinates(self, logits: Floats) -> Floats:
        """(dim,) coordinates of the part of the weights that data can move."""
        inverse = np.linalg.pinv(self.rows)
        return (inverse @ logits @ inverse.T @ self._queries).ravel()

    def norm(self, logits: Floats) -> float:
        """Frobenius norm of the weights that have these logits."""
        inverse = np.linalg.pinv(self.rows)
        return float(np.linalg.norm(inverse @ logits @ inverse.T))

    def at_rest(self, logits: Floats) -> Floats:
        """(K, K) the part of ``logits`` that no gradient of this problem can change."""
        moved = np.column_stack([self.finite_basis, self.edges.T])
        left = _span(moved)
        return logits - self.logits(left @ (left.T @ self.coordinates(logits)))


def _span(columns: Floats) -> Floats:
    """Orthonormal basis of the span of the columns."""
    left, singular, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(left[:, singular > 1e-10 * singular.max(initial=0.0)], dtype=np.float64)


def separating_direction_exists(geometry: Geometry) -> bool:
    """Whether some W meets all margins: always when the embeddings are independent, else a linear program."""
    if geometry.rank == len(geometry.embed) or len(geometry.edges) == 0:
        return True
    margins = geometry.edges
    answer = linprog(np.zeros(margins.shape[1]), A_ub=-margins, b_ub=-np.ones(len(margins)), bounds=(None, None))
    return bool(answer.status == 0)


def solve_general(geometry: Geometry) -> tuple[Floats, GraphSVM]:
    """Minimise ``||W||_F`` over W orthogonal to the finite subspace with margin at least 1 on every edge.

    A least-distance problem: its dual is a non-negative least-squares problem, solved exactly by an active set
    (Lawson and Hanson). Returns the coordinates of W_svm and levels, multipliers and certificate.

    Raises:
        DataError: ``no_separating_direction`` when the margins cannot be met (dependent embeddings only).
    """
    vectors, graph = geometry.edges, geometry.condensation
    if len(vectors) == 0:
        return np.zeros(int(vectors.shape[1])), GraphSVM(np.zeros(graph.n_components), np.zeros(0), 0.0, 0.0)
    if not separating_direction_exists(geometry):
        raise DataError("no_separating_direction", "no weights meet all margins: the embeddings are dependent")
    # Scaling the vectors keeps the least-squares residual, 1 / (1 + ||W||^2), far from rounding.
    scale = float(np.linalg.norm(vectors, axis=1).max())
    target = np.zeros(vectors.shape[1] + 1)
    target[-1] = 1.0
    dual, _ = nnls(np.vstack([vectors.T / scale, np.ones(len(vectors))]), target, maxiter=30 * len(vectors))
    active = dual > 0
    support = vectors[active]
    multipliers = np.zeros(len(vectors))
    multipliers[active] = np.linalg.solve(support @ support.T, np.ones(len(support)))
    weights = vectors.T @ multipliers
    margins = vectors @ weights
    svm = certified(np.zeros(graph.n_components), multipliers, float(weights @ weights), margins)
    levels = geometry.logits(weights)[graph.tokens, graph.last]
    means = np.bincount(graph.scc, levels, graph.n_components) / graph.size
    return weights, GraphSVM(means, multipliers, svm.duality_gap, svm.primal_violation)


def support_edges_general(vectors: Floats, weights: Floats, multipliers: Floats) -> tuple[Bools, Bools]:
    """Which constraints are tight, and which of these can carry a positive multiplier.

    When the tight edge vectors are dependent the multipliers are not unique; one linear program then finds
    multipliers that are positive on as many edges as possible.
    """
    tight = vectors @ weights < 1.0 + TIGHT
    support = tight & (multipliers > TIGHT)
    rows = vectors[tight]
    if support.sum() == tight.sum() or np.linalg.matrix_rank(rows) == len(rows):
        return tight, support
    # Maximise the sum of min(lambda_e, cap): every edge that can be positive is, because solutions can be averaged.
    count, cap = len(rows), 1e-2 * float(multipliers[support].min())
    left, singular, right = np.linalg.svd(rows, full_matrices=False)
    kept = singular > 1e-9 * singular[0]
    equal = np.hstack([left[:, kept].T * singular[kept][:, None], np.zeros((int(kept.sum()), count))])
    answer = linprog(
        np.concatenate([np.zeros(count), -np.ones(count)]),
        A_ub=np.hstack([-np.eye(count), np.eye(count)]),
        b_ub=np.zeros(count),
        A_eq=equal,
        b_eq=right[kept] @ weights,
        bounds=[(0, None)] * count + [(0, cap)] * count,
    )
    if answer.status == 0:
        support = np.zeros(len(vectors), dtype=np.bool_)
        support[np.flatnonzero(tight)] = np.asarray(answer.x)[:count] > 1e-3 * cap
    return tight, support
