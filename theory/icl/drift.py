"""Tasks that drift within the prompt: what weighting the examples gains over attention, and the Kalman predictor.

Tasks have correlations ``E beta_i beta_j' = R_ij Sigma_beta`` and ``E beta_i beta' = r_i Sigma_beta`` with the query's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from theory.core.errors import BenchError, ParameterError
from theory.icl.inputs import checked
from theory.icl.kalman import kalman_filter
from theory.icl.problem import Floats

CORRELATION = 1e-10
"""Rounding that a table of correlations may show, per row."""
ROUNDS = 500
"""The fixed point of one scalar takes 1 to 11 rounds; this many mean that it does not settle."""


class Weighted(NamedTuple):
    """Best sample weights ``omega`` (n,), preconditioner ``weights`` (d,) in the eigenbasis of A, and their risk."""

    omega: Floats
    weights: Floats
    risk: float


def task_correlation(kind: str, n: int, rho: float, period: int = 4) -> tuple[Floats, Floats]:
    """Correlations R (n, n) of the tasks along the prompt and r (n,) with the query's task.

    ``ar1``: rho^|i-j|. ``switch``: tasks before and after the middle are correlated by rho. ``period``: the task of
    example i is that of i + period, and different phases are independent. ``exchangeable``: rho for any two tasks.

    >>> task_correlation("ar1", 2, 0.5)[1].tolist()
    [0.25, 0.5]
    """
    checked("n", n, 1, whole=True)
    checked("rho", rho, -1, 1)
    checked("period", period, 1, whole=True)
    place = np.arange(n + 1)
    if kind == "ar1":
        table = np.power(rho, np.abs(place[:, None] - place[None, :]), dtype=np.float64)
    elif kind == "switch":
        late = place >= n / 2
        table = np.where(late[:, None] == late[None, :], 1.0, rho)
    elif kind == "period":
        table = (place[:, None] % period == place[None, :] % period).astype(np.float64)
    elif kind == "exchangeable":
        table = np.where(place[:, None] == place[None, :], 1.0, rho)
    else:
        raise ParameterError("kind", kind, "ar1, switch, period or exchangeable")
    return table[:n, :n], table[:n, n]


def h3_optimum(task_corr: Floats, query_corr: Floats, eigenvalues: npt.ArrayLike, sigma2: float) -> Weighted:
    """The best weighted step, which one layer of H3 can express.

    Isotropic tasks: ``omega = (R + tau I)^(-1) r`` with ``tau = d + 1 + sigma^2`` (arXiv 2407.10005). Other spectra
    (ours): ``omega`` is proportional to ``((R + I) s + M I)^(-1) r`` for one scalar s between the extreme eigenvalues,
    found by fixed-point iteration with R diagonalised once.

    Raises:
        BenchError: the fixed point is not found. ParameterError: no correlations, or a number out of range.
    """
    values, power = _checked(task_corr, query_corr, eigenvalues, sigma2)
    if not values.any() or not query_corr.any():
        return Weighted(np.zeros(len(query_corr)), np.zeros(len(values)), power)
    # The law of omega's shape does not know how large r is: at unit size its squares do not vanish.
    strength = float(np.abs(query_corr).max())
    unit = query_corr / strength
    sizes, basis = np.linalg.eigh(task_corr)
    seen = basis.T @ unit
    _check_joint(sizes, strength * seen)
    scalar = float(values.max())
    for _ in range(ROUNDS):
        omega = seen / ((sizes + 1) * scalar + power)
        bottom = _bottom(values, float(sizes @ omega**2), float(omega @ omega), power)
        ratio = values / bottom
        share = (ratio / ratio.max()) ** 2
        found = float(share @ values / share.sum())
        if abs(found - scalar) <= 1e-14 * scalar:
            break
        scalar = found
    else:
        raise BenchError("the best sample weights were not found: the fixed point does not settle.")
    _, weights, risk = weighted_optimum(basis @ omega, task_corr, unit, values, sigma2)
    omega, risk = strength * (basis @ omega), power - strength**2 * (power - risk)
    if np.ptp(values) == 0:
        # Only the product of omega and W is identified: isotropic tasks take the identity as preconditioner.
        omega, weights = omega * weights[0], np.ones_like(weights)
    return Weighted(omega, weights, risk)


def weighted_optimum(
    omega: Floats, task_corr: Floats, query_corr: Floats, eigenvalues: npt.ArrayLike, sigma2: float
) -> Weighted:
    """The best step for given sample weights (n,)."""
    values, power = _checked(task_corr, query_corr, eigenvalues, sigma2)
    bottom = _bottom(values, float(omega @ task_corr @ omega), float(omega @ omega), power)
    overlap = float(omega @ query_corr)
    weights = np.divide(overlap * values, bottom, out=np.zeros_like(values), where=bottom > 0)
    return Weighted(omega, weights, power - float(np.sum(overlap * values * weights)))


def attention_optimum_under_drift(
    task_corr: Floats, query_corr: Floats, eigenvalues: npt.ArrayLike, sigma2: float
) -> Weighted:
    """The best unweighted step, all that attention can express: omega is 1 for every example."""
    return weighted_optimum(np.ones(len(query_corr)), task_corr, query_corr, eigenvalues, sigma2)


def attention_risk_under_drift(
    task_corr: Floats, query_corr: Floats, eigenvalues: npt.ArrayLike, sigma2: float
) -> float:
    """Best risk of attention, which weighs all examples alike.

    >>> ones = np.ones((3, 3)), np.ones(3)
    >>> round(attention_risk_under_drift(*ones, np.ones(2), 0.0), 6)  # a constant task: the independent optimum
    1.0
    """
    return attention_optimum_under_drift(task_corr, query_corr, eigenvalues, sigma2).risk


def kalman_risk(rho: float, n: int, dim: int, sigma2: float) -> Floats:
    """Risk of the Kalman predictor of an AR(1) task after 0..n examples, shape (n + 1,): ``sigma^2 + d P_n`` (ours)."""
    checked("dim", dim, 1, whole=True)
    return checked("sigma2", sigma2, 0) + dim * kalman_filter(rho, n, dim + 1 + sigma2)[0]


def _checked(task_corr: Floats, query_corr: Floats, eigenvalues: npt.ArrayLike, sigma2: float) -> tuple[Floats, float]:
    """Eigenvalues and label power, once the correlations are known to have the right shape and range."""
    checked("query_corr", query_corr, -1, 1)
    checked("task_corr", task_corr, -1, 1)
    shape = (len(query_corr),) * 2
    symmetric = task_corr.shape == shape and np.abs(task_corr - task_corr.T).max() <= CORRELATION
    if not symmetric or (task_corr.diagonal() != 1).any():
        raise ParameterError("task_corr", task_corr, f"a symmetric matrix of shape {shape} with 1 on its diagonal")
    values = checked("eigenvalues", eigenvalues, 0)
    return values, float(values.sum()) + float(checked("sigma2", sigma2, 0))


def _check_joint(sizes: Floats, seen: Floats) -> None:
    """Whether R, of eigenvalues ``sizes`` (n,), and r, ``seen`` (n,) in its eigenbasis, are correlations together."""
    rounding = CORRELATION * len(sizes)
    known = float(np.sum(np.divide(seen**2, sizes, out=np.zeros_like(sizes), where=sizes > rounding)))
    beyond = float(np.abs(seen[sizes <= rounding]).max(initial=0.0))
    if sizes[0] < -rounding or known > 1.001 or beyond > 2 * rounding**0.5:
        raise ParameterError("task_corr", "R", "positive semidefinite, also with the query's correlations r added")


def _bottom(values: Floats, quadratic: float, square: float, power: float) -> Floats:
    return (quadratic + square) * values + power * square
