"""Whole learning curves at once, the map of gains, and local slopes with infinitely many features."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from theory.core.errors import ParameterError
from theory.distillation import derived
from theory.distillation.effective_ridge import Stats, solve_taus, stats
from theory.distillation.power_law import (
    SMALLEST_SPECTRUM_EXPONENT,
    finite_signal,
    finite_trace,
    power_law_limits,
    power_law_nodes,
)
from theory.distillation.problem import Floats, as_long, at_least

RIDGES = 400
"""Effective ridges tried when the penalty is tuned, evenly in the logarithm; a parabola refines the best one."""
SPREAD = 40.0
"""Half-width of the transition of an exponential spectrum, in units of 1 / rate."""
STEP = 1.05
ARMS = ("strong", "mask", "optimal")


@dataclass(frozen=True, eq=False)
class Curves:
    """Risks and statistics along sample sizes; all arrays have the shape (N,) of ``n_samples``.

    ``strong``, ``mask`` and ``optimal`` are excess risks; ``kept`` and ``amplified`` count features.
    """

    n_samples: Floats
    strong: Floats
    mask: Floats
    optimal: Floats
    kept: Floats
    amplified: Floats
    effective_ridge: Floats
    overfitting: Floats
    one_minus_overfitting: Floats

    @property
    def free_samples(self) -> Floats:
        return self.n_samples * self.one_minus_overfitting


def learning_curves(
    eigenvalues: Floats,
    signal: Floats,
    n_samples: Floats,
    noise_variance: float = 0.0,
    ridge: float = 0.0,
    weights: Floats | None = None,
) -> Curves:
    """Excess risks of strong, masked and optimal labels for every n; one vectorised solve.

    Shapes: ``eigenvalues``, ``signal`` and ``weights`` (p,), ``n_samples`` (N,). Noise is the same in all arms.

    Raises:
        ParameterError: a sample size reaches the number of features without ridge; negative noise or ridge.
        DataError: shapes do not fit.

    >>> found = learning_curves(np.ones(10), np.ones(10), np.array([4.0]))
    >>> round(float(found.strong[0]), 6), round(float(found.optimal[0]), 6)  # equal eigenvalues: nothing to gain
    (6.0, 6.0)
    """
    at_least(0, noise_variance=noise_variance)
    as_long(eigenvalues, signal=signal)
    sizes = np.asarray(n_samples, dtype=np.float64)
    count = np.ones(len(eigenvalues)) if weights is None else weights
    energy = count * eigenvalues * signal**2
    tau = solve_taus(eigenvalues, sizes, ridge, weights)
    inverse = 1 / (eigenvalues + tau[:, None])
    learnt, unlearnt = eigenvalues * inverse, tau[:, None] * inverse
    overfitting = learnt**2 @ count / sizes
    free = ((learnt * unlearnt) @ count + ridge / tau) / sizes
    noise = overfitting / free * noise_variance
    fractions = learnt, unlearnt, overfitting[:, None], free[:, None]
    keep = derived.keep_cost(*fractions)
    # The best coordinate costs 1 - (1-zeta)^2 / curvature, written without the cancellation.
    best = (overfitting / free)[:, None] * unlearnt**2 / derived.curvature(*fractions)
    return Curves(
        sizes,
        keep @ energy + noise,
        np.minimum(keep, 1.0) @ energy + noise,
        best @ energy + noise,
        (keep < 1) @ count,
        (unlearnt < free[:, None] - 1e-12) @ count,
        tau,
        overfitting,
        free,
    )


def tuned_ridge(
    eigenvalues: Floats,
    signal: Floats,
    n_samples: Floats,
    noise_variance: float = 0.0,
    weights: Floats | None = None,
) -> Floats:
    """Risk (N,) of strong labels with the best penalty for each n; shapes as in :func:`learning_curves`, n below p.

    For a given tau the penalty is known, so that tau is searched, not the penalty: one grid serves all sample sizes,
    and every tau above the ridgeless one is a positive penalty.
    """
    untuned = learning_curves(eigenvalues, signal, n_samples, noise_variance, 0.0, weights)
    sizes, count = untuned.n_samples, np.ones(len(eigenvalues)) if weights is None else weights
    low = math.log(float(untuned.effective_ridge.min()))
    grid = np.linspace(low, math.log(1e3 * float(eigenvalues.max())), RIDGES)
    tau = np.exp(grid)[:, None]
    inverse = 1 / (eigenvalues + tau)
    missed = (tau * inverse) ** 2 @ (count * eigenvalues * signal**2)
    overfitting = (eigenvalues * inverse) ** 2 @ count / sizes[:, None]
    allowed = (np.exp(grid) >= untuned.effective_ridge[:, None]) & (overfitting < 1)
    risks = (missed + overfitting * noise_variance) / np.where(allowed, 1 - overfitting, 1.0)
    risks = np.where(allowed, risks, np.inf)
    rows, at = np.arange(len(sizes)), np.clip(risks.argmin(axis=1), 1, RIDGES - 2)
    left, middle, right = risks[rows, at - 1], risks[rows, at], risks[rows, at + 1]
    inside = np.isfinite(left) & np.isfinite(right) & (left > middle) & (right > middle)
    left, right = np.where(inside, left, middle), np.where(inside, right, middle)
    bend = np.where(inside, left - 2 * middle + right, 1.0)
    vertex = middle - (left - right) ** 2 / (8 * bend)
    return np.minimum(np.where(inside, vertex, risks.min(axis=1)), untuned.strong)


def gain_map(
    spectrum_exponents: Floats, sample_ratios: Floats, n_features: int, signal_exponent: float, noise: float = 0.0
) -> tuple[Floats, Floats]:
    """Optimal over strong risk (exponents, ratios) for power laws at ``n = ratio * n_features``, and its floor.

    The floor min(Omega, 1 - Omega) is the smallest ratio that any truth allows (without noise).

    Raises:
        ParameterError: a ratio is not between 0 and 1; negative noise.

    >>> [found.round(9).tolist() for found in gain_map(np.array([0.0]), np.array([0.5]), 20, 1.5)]
    [[[1.0]], [[0.5]]]
    """
    at_least(2, n_features=n_features)
    wrong = [ratio for ratio in sample_ratios.tolist() if not 0 < ratio < 1]
    if wrong:
        raise ParameterError("sample_ratios", wrong[0], "numbers between 0 and 1: then the student interpolates")
    index = np.arange(1, n_features + 1, dtype=np.float64)
    rows: list[tuple[Floats, Floats]] = []
    for exponent in spectrum_exponents:
        signal = index ** ((exponent - signal_exponent) / 2)
        found = learning_curves(index**-exponent, signal, sample_ratios * n_features, noise)
        rows.append((found.optimal / found.strong, np.minimum(found.overfitting, found.one_minus_overfitting)))
    return np.array([ratio for ratio, _ in rows]), np.array([floor for _, floor in rows])


def local_slopes(
    spectrum: Literal["power", "exponential"], decay: float, signal_exponent: float, n_samples: Floats
) -> dict[str, Floats]:
    """Slopes d log R / d log n (N,) of the strong, mask and optimal arms with infinitely many features, noiseless.

    ``decay`` is the exponent of the power law or the rate of the exponential spectrum.

    Raises:
        ParameterError: infinite trace or infinite signal; a rate or a sample size that is not positive.
    """
    sizes = np.asarray(n_samples, dtype=np.float64)
    at_least(1, n_samples=float(sizes.min()))
    up = np.array([_infinite_risks(spectrum, decay, signal_exponent, n * STEP) for n in sizes])
    down = np.array([_infinite_risks(spectrum, decay, signal_exponent, n / STEP) for n in sizes])
    slopes = np.log(up / down) / (2 * math.log(STEP))
    return {arm: slopes[:, column] for column, arm in enumerate(ARMS)}


def limit_slopes(spectrum: Literal["power", "exponential"], decay: float, signal_exponent: float) -> dict[str, float]:
    """Where :func:`local_slopes` end: teachers change the exponent on an exponential spectrum only, and by one.

    Raises:
        ParameterError: infinite trace or infinite signal.

    >>> limit_slopes("power", 2.0, 1.5), limit_slopes("exponential", 0.05, 3.0)
    ({'strong': -0.5, 'mask': -0.5, 'optimal': -0.5}, {'strong': -1.0, 'mask': -2.0, 'optimal': -2.0})
    """
    if spectrum == "power":
        return dict.fromkeys(ARMS, -power_law_limits(decay, signal_exponent).exponent)
    finite_signal(signal_exponent)
    best = 1 - signal_exponent
    return {"strong": best + 1, "mask": best, "optimal": best}


def _infinite_risks(spectrum: str, decay: float, signal_exponent: float, n_samples: float) -> tuple[float, ...]:
    finite_signal(signal_exponent)
    slowest = signal_exponent
    if spectrum == "power":
        finite_trace(decay)
        slowest = min(decay, signal_exponent)
        breaks = [n_samples * math.exp(step) for step in (-4, 4, 12, 40)]
    else:
        if not decay > 0:
            raise ParameterError("rate", decay, "above 0: otherwise the trace is infinite")
        breaks = [n_samples - SPREAD / decay, n_samples + SPREAD / decay, 30 * n_samples, 1e5 * n_samples]
    slowest = max(slowest, SMALLEST_SPECTRUM_EXPONENT + 1e-6)

    def solved(cuts: list[float]) -> tuple[Floats, Floats, Stats]:
        nodes, weights = power_law_nodes(slowest, math.inf, cuts)
        if spectrum == "power":
            eigenvalues = np.maximum((nodes / n_samples) ** -decay, np.finfo(np.float64).tiny)  # steep tails underflow
        else:  # in units of the eigenvalue at n, which itself would underflow
            eigenvalues = np.exp(np.clip(-decay * (nodes - n_samples), -600, 600))
        return nodes, weights, stats(eigenvalues, n_samples, 0.0, weights, start=1.0)

    _, _, rough = solved(breaks)
    ratio = derived.keep_below(rough.one_minus_overfitting)
    edge = rough.effective_ridge * (1 - ratio) / ratio  # the eigenvalue at which zeta reaches the mask's threshold
    cut = n_samples * edge ** (-1 / decay) if spectrum == "power" else n_samples - math.log(edge) / decay
    nodes, weights, found = solved([*breaks, math.floor(cut)])
    energy = weights * nodes**-signal_exponent
    fractions = found.learnt_fraction, found.unlearnt_fraction, found.overfitting, found.one_minus_overfitting
    keep = derived.keep_cost(*fractions)
    best = found.noise_amplification * found.unlearnt_fraction**2 / derived.curvature(*fractions)
    return float(keep @ energy), float(np.minimum(keep, 1.0) @ energy), float(best @ energy)
