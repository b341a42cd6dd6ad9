"""The exact high-dimensional risk of a student trained on surrogate labels, and the surrogates that minimise it.

The student fits labels of a surrogate b and is judged against the truth beta_star; its coordinate i behaves like
``(1 - zeta_i) (b_i + gamma g_i / sqrt(n lambda_i))`` with Gaussian g (arXiv 2410.18837; our reconstruction).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from theory.distillation import derived
from theory.distillation.effective_ridge import Stats, stats
from theory.distillation.problem import Floats, as_long, at_least

EQUAL = 1e-12
"""Differences below this are ties: on an isotropic spectrum no feature is amplified."""


@dataclass(frozen=True, eq=False)
class Risk:
    """Excess risk of the student and its parts; scalars for one surrogate, shape (k,) for k of them.

    ``gamma2`` is the student's risk against its own teacher plus the label noise: the noise of the sequence model.
    """

    bias: Floats
    variance: Floats
    gamma2: Floats
    tau: float
    omega: float
    zeta: Floats

    @property
    def risk(self) -> Floats:
        """The excess risk: bias plus variance."""
        return self.bias + self.variance


def risk(
    eigenvalues: Floats,
    signal: Floats,
    surrogate: Floats,
    n_samples: float,
    noise_variance: float = 0.0,
    ridge: float = 0.0,
    weights: Floats | None = None,
) -> Risk:
    """Omniscient risk of a student of ``surrogate``, shape (p,) or (p, k).

    ``R = sum lambda ((1-zeta) b - beta_star)^2 + Omega / (1-Omega) (sigma^2 + sum lambda zeta^2 b^2)``.

    Raises:
        ParameterError: as :func:`solve_tau`, or negative noise. DataError: shapes do not fit.

    >>> lam, beta = np.ones(10), np.ones(10)
    >>> round(float(risk(lam, beta, beta, 4).risk), 6)  # lambda |beta|^2 (1 - n/p)
    6.0
    """
    found = stats(eigenvalues, n_samples, ridge, weights)
    return risk_of(found, eigenvalues, signal, surrogate, noise_variance, weights)


def risk_of(
    found: Stats,
    eigenvalues: Floats,
    signal: Floats,
    surrogate: Floats,
    noise_variance: float = 0.0,
    weights: Floats | None = None,
) -> Risk:
    """Like :func:`risk`, with the statistics of the spectrum already there: all surrogates share one tau."""
    at_least(0, noise_variance=noise_variance)
    as_long(eigenvalues, signal=signal, surrogate=surrogate)
    count = eigenvalues if weights is None else weights * eigenvalues
    teacher = surrogate if surrogate.ndim == 2 else surrogate[:, None]
    error = found.learnt_fraction[:, None] * teacher - signal[:, None]
    unlearnt = found.unlearnt_fraction[:, None] * teacher
    bias: Floats = count @ error**2
    gamma2: Floats = (noise_variance + count @ unlearnt**2) / found.one_minus_overfitting
    variance: Floats = found.overfitting * gamma2
    if surrogate.ndim == 1:
        bias, variance, gamma2 = bias[0], variance[0], gamma2[0]
    return Risk(bias, variance, gamma2, found.effective_ridge, found.overfitting, found.unlearnt_fraction)


def optimal_surrogate(found: Stats, signal: Floats) -> Floats:
    """The best teacher, shape (p,): ``(1-zeta) beta_star / ((1-zeta)^2 + c zeta^2)``.

    It amplifies feature i where zeta_i < 1 - Omega and shrinks it where zeta_i is larger.

    >>> found = stats(np.ones(10), 4)
    >>> optimal_surrogate(found, np.ones(10)).round(9)[:2].tolist()  # isotropic: nothing to gain
    [1.0, 1.0]
    """
    as_long(found.learnt_fraction, signal=signal)
    return derived.optimal_factor(*_fractions(found)) * signal


def curvature(found: Stats) -> Floats:
    """``(1-zeta)^2 + c zeta^2`` (p,): the risk is a quadratic in b_i with this coefficient times lambda_i."""
    return derived.curvature(*_fractions(found))


def _fractions(found: Stats) -> tuple[Floats, Floats, float, float]:
    """What the derived expressions are functions of."""
    return found.learnt_fraction, found.unlearnt_fraction, found.overfitting, found.one_minus_overfitting


def amplified(found: Stats) -> int:
    """How many features the best teacher amplifies: those with zeta_i < 1 - Omega, ties excluded."""
    return int((found.unlearnt_fraction < derived.amplify_below(found.one_minus_overfitting) - EQUAL).sum())


def largest_amplification(found: Stats) -> float:
    """The largest factor that any spectrum with this Omega can ask for: ``(1 + 1/sqrt(Omega)) / 2`` (ours)."""
    return 0.5 * (1 + 1 / math.sqrt(found.overfitting))


def optimal_mask(found: Stats) -> int:
    """How many leading features the best 0-1 teacher keeps: those with zeta_i^2 < 1 - Omega."""
    return int((found.unlearnt_fraction < derived.keep_below(found.one_minus_overfitting)).sum())


def masked(signal: Floats, kept: int) -> Floats:
    """The truth with all but the first ``kept`` features set to zero, shape (p,)."""
    return np.where(np.arange(len(signal)) < kept, signal, 0.0)


def mask_curve(found: Stats, eigenvalues: Floats, signal: Floats, noise_variance: float = 0.0) -> Floats:
    """Risk for every number of kept features k = 0..p, shape (p + 1,), by two cumulative sums.

    Raises:
        ParameterError: negative noise. DataError: shapes do not fit.
    """
    at_least(0, noise_variance=noise_variance)
    as_long(eigenvalues, signal=signal)
    energy = eigenvalues * signal**2
    kept = np.concatenate([[0.0], np.cumsum(energy * derived.keep_cost(*_fractions(found)))])
    dropped = energy.sum() - np.concatenate([[0.0], np.cumsum(energy)])
    return kept + np.maximum(dropped, 0.0) + found.noise_amplification * noise_variance


def gain_bounds(found: Stats) -> tuple[float, float]:
    """Smallest possible ratios to the strong risk without noise, for the best teacher and for the best mask (ours).

    ``min(Omega, 1 - Omega) <= R_opt / R_strong`` and ``1 - Omega <= R_mask / R_strong``.
    """
    return min(found.overfitting, found.one_minus_overfitting), found.one_minus_overfitting


def slope_error(slope: Floats) -> Floats:
    """Relative finite-size error of the signal's part of the risk, times n_free, by its local slope -dlogR/dlogn.

    Fluctuations of tau enter through the slope. Measured over ten pairs of exponents, three surrogates and two sample
    sizes, the coefficient lies between 0.03 and 0.49 times 1 + slope^2, and never above 4.
    """
    return np.minimum(0.6 * (1 + np.clip(np.abs(slope), 0, 8) ** 2), 5.0)


def noise_error(slope: Floats) -> Floats:
    """The same for the noise's part; equal eigenvalues have n/p exactly, and below 1.1 was measured elsewhere."""
    return np.minimum(1.2 * (1 + np.clip(np.abs(slope), 0, 8) ** 2), 5.0)


def shrinkage_error(found: Stats, eigenvalues: Floats, surrogate: Floats) -> Floats:
    """What fluctuating shrinkage adds to the risk, times n_free; shape () or (k,) for surrogates (p,) or (p, k).

    1 / zeta_i - 1 is lambda_i x' K^-1 x with K the Gram matrix of the other features: it fluctuates by
    ``sqrt(2 / n_free)``, which adds ``2 / n_free sum lambda zeta^2 (1-zeta)^2 b^2`` to the mean risk (ours). The slope
    does not show it where a teacher cancels the mean shrinkage.
    """
    return 2 * (eigenvalues * (found.unlearnt_fraction * found.learnt_fraction) ** 2) @ surrogate**2
