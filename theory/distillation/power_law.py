"""Power-law spectra up to infinitely many features: sums by exact head terms and quadrature, and their limits.

``lambda_i = i^-alpha`` and ``lambda_i beta_i^2 = i^-beta``. Every quantity of this room is a sum of smooth functions of
i, so a thousand exact terms and a Gauss-Legendre rule in log i replace any number of features.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise

import numpy as np
from scipy.integrate import quad
from scipy.special import beta as beta_function
from scipy.special import expit
from scipy.special import zeta as riemann_zeta

from theory.core.errors import ParameterError
from theory.distillation.problem import Floats

HEAD = 1024
"""Terms summed exactly: the Euler-Maclaurin error of the rest is of order HEAD^-2 relative to one term."""
ORDER = 160
LARGEST_LOG = 300.0
"""Cap of log i at infinity, so that powers cannot overflow."""
SMALLEST_SPECTRUM_EXPONENT = 1.05
BOUNDARY = 0.3
"""Closer to beta = 2 alpha + 1 than this, logarithmic corrections hide the exponent at any feasible n."""


@dataclass(frozen=True)
class Limits:
    """Asymptotic law of a power-law spectrum at p = infinity (arXiv 2410.18837; constants ours).

    ``exponent`` s and ``constant`` kappa of the strong risk kappa n^-s; ``scale`` C_alpha in
    ``tau = (C_alpha / (n + 1/2))^alpha``; ``overfitting`` 1 - 1/alpha; ``amplified`` and ``kept``: numbers of features
    amplified by the best teacher and kept by the best mask, as multiples of n; ``noise_floor`` alpha - 1, in units of
    the noise variance; ``mask`` and ``optimal``: the constants of these arms, as multiples of the strong one's.
    """

    exponent: float
    constant: float
    scale: float
    overfitting: float
    amplified: float
    kept: float
    noise_floor: float
    mask: float
    optimal: float


def power_law_nodes(
    spectrum_exponent: float, n_features: float = math.inf, breaks: Sequence[float] = ()
) -> tuple[Floats, Floats]:
    """Nodes i (N,) and weights (N,) such that ``weights @ f(nodes)`` is the sum of f over 1..p; about 1e-8 accurate.

    ``breaks`` are indices at which f jumps (the mask's cut) or bends fast: the rule is split at break + 1/2. What is
    summed must fall at least like ``nodes ** -spectrum_exponent``: pass the smaller of two exponents.

    Raises:
        ParameterError: infinitely many features with an exponent so small that the trace is infinite; no features.
    """
    if math.isinf(n_features):
        finite_trace(spectrum_exponent)
    if not n_features >= 1:
        raise ParameterError("n_features", n_features, "at least 1; infinity is allowed")
    cuts = tuple(sorted(cut for cut in breaks if HEAD < cut < n_features))
    return _nodes(float(spectrum_exponent), float(n_features), cuts)


def power_law_limits(spectrum_exponent: float, signal_exponent: float) -> Limits:
    """Exponents and constants at p = infinity.

    Raises:
        ParameterError: infinite trace or infinite signal.

    >>> found = power_law_limits(2.0, 1.5)
    >>> round(found.exponent, 6), round(found.amplified, 4), round(found.kept, 4), round(found.optimal, 3)
    (0.5, 0.6366, 0.9892, 0.616)
    """
    alpha, beta = spectrum_exponent, signal_exponent
    finite_trace(alpha)
    finite_signal(beta)
    scale = (math.pi / alpha) / math.sin(math.pi / alpha)
    if beta < 2 * alpha + 1:
        exponent = beta - 1
        constant = float(beta_function((2 * alpha + 1 - beta) / alpha, (beta - 1) / alpha)) * scale ** (beta - 1)
    elif beta > 2 * alpha + 1:
        exponent = 2 * alpha
        constant = alpha * float(riemann_zeta(beta - 2 * alpha)) * scale ** (2 * alpha)
    else:
        exponent, constant = 2 * alpha, math.inf  # a factor log n appears exactly here
    kept = (math.sqrt(alpha) - 1) ** (-1 / alpha) / scale
    amplified = (alpha - 1) ** (-1 / alpha) / scale
    mask, optimal = _shares(alpha, beta) if beta < 2 * alpha + 1 else (1.0, 1 - 1 / alpha)
    return Limits(exponent, constant, scale, 1 - 1 / alpha, amplified, kept, alpha - 1, mask, optimal)


def finite_trace(spectrum_exponent: float) -> None:
    """Raises ParameterError where infinitely many features have an infinite trace."""
    if not SMALLEST_SPECTRUM_EXPONENT < spectrum_exponent < math.inf:
        raise ParameterError("spectrum_exponent", spectrum_exponent, "above 1.05: otherwise the trace is infinite")


def finite_signal(signal_exponent: float) -> None:
    """Raises ParameterError where infinitely many features have an infinite signal."""
    if not 1 < signal_exponent < math.inf:
        raise ParameterError("signal_exponent", signal_exponent, "above 1: otherwise the signal is infinite")


def near_boundary(spectrum_exponent: float, signal_exponent: float) -> bool:
    """Whether logarithmic corrections make the exponent invisible."""
    return abs(signal_exponent - 2 * spectrum_exponent - 1) < BOUNDARY


@lru_cache(maxsize=256)
def _shares(alpha: float, beta: float) -> tuple[float, float]:
    """Mask and optimal over strong risk where spread-out features decide, beta below 2 alpha + 1.

    Sums over i become integrals of u^-beta times each arm's cost at zeta = u^alpha / (1 + u^alpha), here in log u.
    """

    def total(cost: Callable[[float], float]) -> float:
        def integrand(x: float) -> float:
            return math.exp((1 - beta) * x) * cost(float(expit(alpha * x)))

        edge = -math.log(math.sqrt(alpha) - 1) / alpha  # where the mask cuts
        cuts = (-700 / (2 * alpha + 1), edge - 5, edge, edge + 5, 700 / max(beta - 1, 1.0))  # at the ends e^-700
        return sum(quad(integrand, low, high)[0] for low, high in pairwise(cuts))

    strong = total(lambda zeta: alpha * zeta**2)
    mask = total(lambda zeta: min(alpha * zeta**2, 1.0))
    best = total(lambda zeta: (alpha - 1) * zeta**2 / ((1 - zeta) ** 2 + (alpha - 1) * zeta**2))
    return mask / strong, best / strong


@cache
def _legendre() -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.legendre.leggauss(ORDER)
    return nodes.astype(np.float64), weights.astype(np.float64)


@lru_cache(maxsize=256)
def _nodes(spectrum_exponent: float, n_features: float, cuts: tuple[float, ...]) -> tuple[Floats, Floats]:
    head = np.arange(1, min(HEAD, n_features) + 1, dtype=np.float64)
    points, weights = [head], [np.ones(len(head))]
    start = math.log(HEAD + 0.5)
    if n_features > HEAD:
        decay = max(spectrum_exponent - 1, 1e-300)
        end = min(start + 45 / decay, LARGEST_LOG) if math.isinf(n_features) else math.log(n_features + 0.5)
        edges = [start, *(math.log(cut + 0.5) for cut in cuts), end]
        reference, rule = _legendre()
        for low, high in pairwise(edges):
            place = np.exp((high + low) / 2 + (high - low) / 2 * reference)
            points.append(place)
            weights.append((high - low) / 2 * rule * place)
    return np.concatenate(points), np.concatenate(weights)
