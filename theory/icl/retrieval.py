"""Data that are aligned with the query or with the task act like more data: exact risks, and the paper's approximation.

Isotropic features and tasks: the optimal preconditioner is c I by rotation invariance and strict convexity, and
c = N / D, L* = label power - N^2 / D for two moments N and D (exact forms: ours; approximations: arXiv 2407.10005).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from theory.icl.inputs import checked
from theory.icl.problem import Floats


class Aligned(NamedTuple):
    """Optimal scale ``c``, exact ``risk``, the approximation ``risk_approx`` and label power, all of shape (...)."""

    c: Floats
    risk: Floats
    risk_approx: Floats
    label_power: Floats


def effective_multiplier(dim: npt.ArrayLike, alignment: npt.ArrayLike) -> Floats:
    """kappa = alpha^2 d + 1: how many independent examples one retrieved example is worth."""
    return checked("alignment", alignment, -np.inf) ** 2 * checked("dim", dim, 1) + 1


def rag_optimum(dim: npt.ArrayLike, n: npt.ArrayLike, alignment: npt.ArrayLike, sigma2: npt.ArrayLike) -> Aligned:
    """Retrieval: ``x_i = alpha x + sqrt(1 - alpha^2) g_i`` near the query x. All arguments broadcast.

    >>> round(float(rag_optimum(3, 5, 0.0, 0.5).risk), 6) == round(3.5 - 5 * 3 / (5 + 3 + 1 + 0.5), 6)
    True
    """
    d, length, noise, square = _arrays(dim, n, sigma2, alignment, 1.0)
    first, cross = _rag_moments(d, square)
    second = (d + 2) * (square * (d + 3) + 1) + (length - 1) * cross + noise * first
    kappa = square * d + 1
    approximate = d + noise - kappa * length * d / (kappa * length + d + noise)
    return Aligned(first / second, d + noise - length * d * first**2 / second, approximate, d + noise)


def rag_floor(dim: npt.ArrayLike, alignment: npt.ArrayLike) -> Floats:
    """Excess over the noise that no number of retrieved examples removes: one step cannot normalise by |x|^2 (ours)."""
    d, _, _, square = _arrays(dim, 1, 0, alignment, 1.0)
    cross = _rag_moments(d, square)[1]
    return 2 * d * square**2 * (d + 2) / cross


def rag_crossover(dim: npt.ArrayLike, alignment: npt.ArrayLike, sigma2: npt.ArrayLike) -> Floats:
    """Context length beyond which retrieved examples are worse than independent ones; infinite at alpha = 0 (ours)."""
    d, _, noise, square = _arrays(dim, 1, sigma2, alignment, 1.0)
    first, _ = _rag_moments(d, square)
    tail = ((d - 1) + noise * (d + 1) * first / (d + 2)) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return ((d + 1) ** 2 + 2) / 2 + np.where(square == 0, np.inf, tail / square)


def alignment_optimum(
    dim: npt.ArrayLike,
    n: npt.ArrayLike,
    alignment: npt.ArrayLike,
    sigma2: npt.ArrayLike,
    gamma2: npt.ArrayLike | None = None,
) -> Aligned:
    """Features around the task: ``x_i, x ~ N(alpha beta, I)``, ``y_i = gamma x_i' beta + noise``. Arguments broadcast.

    ``gamma2`` defaults to 1 / (alpha^2 d + 1), which keeps the label power near d. All expectations are polynomials in
    |beta|^2, whose moments are d (d+2) ... (d+2k-2).

    >>> round(float(alignment_optimum(3, 5, 0.0, 0.5).risk), 6) == round(3.5 - 5 * 3 / (5 + 3 + 1 + 0.5), 6)
    True
    """
    d, length, noise, square = _arrays(dim, n, sigma2, alignment)
    scale = 1 / (square * d + 1) if gamma2 is None else checked("gamma2", gamma2, 0)
    m1 = d
    m2, m3 = m1 * (d + 2), m1 * (d + 2) * (d + 4)
    m4 = m3 * (d + 6)
    # Moments over s = |beta|^2 of (alpha^2 s + 1)^2 s, t2 = alpha^2 s^2 + s, t4, t4 / s and t2^2.
    linear = square**2 * m3 + 2 * square * m2 + m1
    t2 = square * m2 + m1
    t4 = square**2 * m4 + 6 * square * m3 + 3 * m2
    t4_over_s = square**2 * m3 + 6 * square * m2 + 3 * m1
    t2_squared = square**2 * m4 + 2 * square * m3 + m2
    top = length * scale * linear
    along = square * (length * (scale * t4 + noise * t2) + length * (length - 1) * scale * t2_squared)
    across = length * (scale * (t4_over_s + (d - 1) * t2) + noise * (square * m1 + d))
    bottom = along + across + length * (length - 1) * scale * linear
    power = scale * t2 + noise
    kappa2 = (square * d + 1) ** 2
    approximate = d + noise - kappa2 * length * d / (kappa2 * length + d + noise)
    return Aligned(top / bottom, power - top**2 / bottom, approximate, power)


def _rag_moments(d: Floats, square: Floats) -> tuple[Floats, Floats]:
    first = square * (d + 1) + 1
    return first, first**2 + 2 * square**2 * (d + 2)


def _arrays(
    dim: npt.ArrayLike, n: npt.ArrayLike, sigma2: npt.ArrayLike, alignment: npt.ArrayLike, furthest: float = np.inf
) -> tuple[Floats, Floats, Floats, Floats]:
    """Dimension, length, noise and squared alignment, checked: a correlation is at most 1, a shift is not bounded."""
    shift = checked("alignment", alignment, -furthest, furthest)
    return checked("dim", dim, 1), checked("n", n, 1), checked("sigma2", sigma2, 0), shift**2
