"""Conditional-logit (Luce choice) maximum likelihood with multiplicities.

One choice set is a bag of items with counts c; item j is chosen with probability proportional to c_j exp(f_j).
The estimate is finite exactly when the "was chosen over" graph is strongly connected (Zermelo 1929, Ford 1957), and
unique up to a constant, which is fixed by centring the scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import LinearOperator, cg

from theory.core.errors import DataError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Counts = csr_array | npt.NDArray[Any]

_DENSE_ITEMS = 500
_MAX_STEPS = 200


@dataclass(frozen=True, eq=False)
class ChoiceFit:
    """Maximum-likelihood scores, centred, shape (m,), with the evidence that they are one.

    ``loss`` is the total negative log-likelihood, ``gradient_norm`` the largest entry of its gradient. Where the
    estimate is infinite because some items were never chosen over the others, ``exists`` is false and scores are NaN.
    """

    scores: Floats
    loss: float
    gradient_norm: float
    exists: bool
    steps: int
    converged: bool


def fit_choice(counts: Counts, chosen: Integers, multiplicity: Integers | None = None) -> ChoiceFit:
    """Fit item scores to choices.

    Shapes: ``counts`` (n, m), dense or sparse, the bag of each choice set; ``chosen`` (n,) the chosen item;
    ``multiplicity`` (n,) how often this was observed (default once). Damped Newton; the system (H + 11') d = g is
    solved by Cholesky for m <= 500 and by conjugate gradients, without forming H, above.
    Stops when no entry of the gradient exceeds 1e-12 times the number of observations.

    Raises:
        DataError: ``choice_not_in_set``, a chosen item has count 0.

    >>> fit_choice(np.ones((4, 2)), np.array([0, 0, 0, 1])).scores.round(4)
    array([ 0.5493, -0.5493])
    """
    sets = _sets(counts)
    weights = np.ones(sets.n) if multiplicity is None else multiplicity.astype(np.float64)
    label = np.flatnonzero(sets.items == chosen[sets.rows])
    if len(label) < sets.n:
        row = int(np.setdiff1d(np.arange(sets.n), sets.rows[label])[0])
        raise DataError("choice_not_in_set", f"row {row}: item {chosen[row]} was chosen but is not in the set.")
    if not _connected(sets, chosen):
        return ChoiceFit(np.full(sets.m, np.nan), np.nan, np.nan, exists=False, steps=0, converged=False)
    wins: Floats = np.bincount(chosen, weights, minlength=sets.m).astype(np.float64)
    total = float(weights.sum())

    def objective(scores: Floats) -> tuple[float, Floats, Floats]:
        chances, log_norm, entries = sets.chances(scores)
        return float(weights @ (log_norm - entries[label])), chances, sets.sums(chances, weights) - wins

    scores, steps = np.zeros(sets.m), 0
    loss, chances, gradient = objective(scores)
    while np.abs(gradient).max() >= 1e-12 * total and steps < _MAX_STEPS:
        direction = _newton_direction(sets, chances, weights, gradient, total)
        decrement = float(gradient @ direction)
        size = 1.0
        trial = objective(scores - direction)
        # Below this decrement rounding hides the decrease of the loss, and full Newton steps contract.
        while decrement > 1e-9 * total and not trial[0] <= loss - 0.25 * size * decrement and size > 1e-10:
            size /= 2
            trial = objective(scores - size * direction)
        if decrement <= 1e-9 * total and np.abs(trial[2]).max() >= np.abs(gradient).max():
            break
        scores = scores - size * direction
        loss, chances, gradient = trial
        steps += 1
    worst = float(np.abs(gradient).max())
    return ChoiceFit(scores - scores.mean(), loss, worst, True, steps, worst < 1e-10 * total)


def fisher_information(counts: Counts, scores: Floats, multiplicity: Integers | None = None) -> Floats:
    """Hessian of the total negative log-likelihood, shape (m, m): the sum of diag(p_i) - p_i p_i'."""
    sets = _sets(counts)
    weights = np.ones(sets.n) if multiplicity is None else multiplicity.astype(np.float64)
    return _hessian(sets, sets.chances(scores)[0], weights)


def nonzero_spectrum(information: Floats) -> Floats:
    """Eigenvalues of an information matrix without the zero of its constant direction, ascending, shape (m - 1,)."""
    m = len(information)
    scale = max(float(np.trace(information)), 1e-300)
    # The constant direction is lifted above all others instead of being sorted out by a cut-off.
    return np.asarray(np.linalg.eigvalsh(information + 2 * scale / m * np.ones((m, m)))[:-1], dtype=np.float64)


def estimation_variance(information: Floats) -> float:
    """Asymptotic E|f - theta|^2 of the centred estimate: the trace of the pseudo-inverse of the information."""
    return float(np.sum(1 / nonzero_spectrum(information)))


@dataclass(frozen=True, eq=False)
class _Sets:
    """Choice sets as flat entries: set ``rows``, item ``items``, ``log_counts``; set i starts at ``starts[i]``."""

    rows: Integers
    items: Integers
    log_counts: Floats
    starts: Integers
    n: int
    m: int

    def chances(self, scores: Floats) -> tuple[Floats, Floats, Floats]:
        """Probability of each entry, log mass of each set, log mass of each entry; safe for scores of any size."""
        entries = scores[self.items] + self.log_counts
        top = np.maximum.reduceat(entries, self.starts)
        mass = np.exp(entries - top[self.rows])
        norm = np.add.reduceat(mass, self.starts)
        return mass / norm[self.rows], top + np.log(norm), entries

    def sums(self, chances: Floats, weights: Floats) -> Floats:
        """Expected number of choices of each item, shape (m,)."""
        return np.bincount(self.items, chances * weights[self.rows], minlength=self.m).astype(np.float64)


def _sets(counts: Counts) -> _Sets:
    table = csr_array(counts, copy=True)
    table.sum_duplicates()
    table.eliminate_zeros()
    n, m = table.shape
    rows = np.repeat(np.arange(n), np.diff(table.indptr))
    items = table.indices.astype(np.int64)
    return _Sets(rows, items, np.log(table.data), table.indptr[:-1].astype(np.int64), n, m)


def _connected(sets: _Sets, chosen: Integers) -> bool:
    edges = (chosen[sets.rows], sets.items)
    graph = csr_array((np.ones(len(sets.items)), edges), shape=(sets.m, sets.m))
    return connected_components(graph, directed=True, connection="strong")[0] == 1


def _hessian(sets: _Sets, chances: Floats, weights: Floats) -> Floats:
    scaled = chances * np.sqrt(weights)[sets.rows]
    # A dense product is faster as long as the zeros are few or the table is small.
    if sets.n * sets.m <= max(4 * len(scaled), 200_000):
        factor = np.zeros((sets.n, sets.m))
        factor[sets.rows, sets.items] = scaled
        product = factor.T @ factor
    else:
        table = csr_array((scaled, (sets.rows, sets.items)), shape=(sets.n, sets.m))
        product = (table.T @ table).toarray()
    return np.diag(sets.sums(chances, weights)) - product


def _newton_direction(sets: _Sets, chances: Floats, weights: Floats, gradient: Floats, total: float) -> Floats:
    # Any positive multiple of 11' fixes the free constant; this one keeps the matrix well scaled.
    lift = total / sets.m**2
    if sets.m <= _DENSE_ITEMS:
        return cho_solve(cho_factor(_hessian(sets, chances, weights) + lift, check_finite=False), gradient)
    diagonal = sets.sums(chances, weights)

    def product(vector: Floats) -> Floats:
        shares = np.add.reduceat(chances * vector[sets.items], sets.starts)
        return diagonal * vector - sets.sums(chances, weights * shares) + lift * vector.sum()

    operator = LinearOperator((sets.m, sets.m), matvec=product, dtype=np.float64)
    scale = LinearOperator((sets.m, sets.m), matvec=lambda vector: vector / diagonal, dtype=np.float64)
    accuracy = min(0.1, float(np.abs(gradient).max()) / total + 1e-10)
    direction, _ = cg(operator, gradient, rtol=accuracy, maxiter=20 * sets.m, M=scale)
    return direction
