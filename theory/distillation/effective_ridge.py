"""The effective ridge tau of minimum-norm and ridge regression, and what it says about each feature.

With p features, n samples and penalty mu, tau is the root of ``n = sum_i lambda_i / (lambda_i + tau) + mu / tau``. All
sums accept ``weights``: multiplicities of compressed eigenvalues, or quadrature weights of an infinite spectrum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from theory.core.errors import ParameterError
from theory.distillation.problem import Floats, at_least

ACCURACY = 1e-10
"""Newton stops when log tau moves less: with a million features rounding hides anything smaller."""
MOST_STEPS = 200


@dataclass(frozen=True, eq=False)
class Stats:
    """What tau says (arXiv 2410.18837; names of the paper's symbols in brackets).

    ``effective_ridge`` [tau]; ``unlearnt_fraction`` [zeta] (p,) and ``learnt_fraction`` [1 - zeta] (p,);
    ``overfitting`` [Omega] and ``one_minus_overfitting`` [1 - Omega], each computed without subtraction;
    ``noise_amplification`` [c = Omega / (1 - Omega)]; ``free_samples`` [n_free = n (1 - Omega)].
    """

    effective_ridge: float
    unlearnt_fraction: Floats
    learnt_fraction: Floats
    overfitting: float
    one_minus_overfitting: float
    noise_amplification: float
    free_samples: float


def solve_tau(
    eigenvalues: Floats, n_samples: float, ridge: float = 0.0, weights: Floats | None = None, start: float | None = None
) -> float:
    """The effective ridge tau > 0, by Newton's method on log tau inside a bracket; 3 to 8 sums over the spectrum.

    Shapes: ``eigenvalues`` (p,), ``weights`` (p,) or None for ones. ``start`` is a guess, such as the last solution.

    Raises:
        ParameterError: without ridge, n reaches the number of features (nothing is left to interpolate with).

    >>> round(solve_tau(np.ones(10), 4), 6)  # equal eigenvalues: tau = (p - n) / n
    1.5
    """
    guess = None if start is None else np.array([start])
    return float(solve_taus(eigenvalues, np.array([float(n_samples)]), ridge, weights, guess)[0])


def solve_taus(
    eigenvalues: Floats,
    n_samples: Floats,
    ridge: float = 0.0,
    weights: Floats | None = None,
    start: Floats | None = None,
) -> Floats:
    """Like :func:`solve_tau` for several sample sizes (N,) at once; shape (N,).

    Raises:
        ParameterError: a sample size is not positive, or reaches the number of features without ridge; the ridge is
            negative; an eigenvalue is not positive.
    """
    total = float(len(eigenvalues)) if weights is None else float(weights.sum())
    trace = float(eigenvalues.sum() if weights is None else weights @ eigenvalues)
    smallest = float(eigenvalues.min())
    at_least(0, ridge=ridge)
    if not (smallest > 0 and trace < np.inf):
        raise ParameterError("eigenvalues", smallest if not smallest > 0 else trace, "positive finite numbers")
    if not float(n_samples.min()) > 0:
        raise ParameterError("n_samples", float(n_samples.min()), "a positive number")
    if ridge == 0 and float(n_samples.max()) >= total:
        allowed = f"a number below the {total:g} features (then the student interpolates), or a ridge above 0"
        raise ParameterError("n_samples", float(n_samples.max()), allowed)
    high: Floats = np.log((trace + ridge) / n_samples)
    least = smallest * np.maximum(total - n_samples, 0.0)
    low: Floats = np.log(np.maximum(least, ridge) / n_samples)  # as if all were the smallest, or nothing but the ridge
    position = high.copy() if start is None else np.minimum(np.log(start), high)
    for _ in range(MOST_STEPS):
        tau = np.exp(position)
        inverse = 1 / (eigenvalues + tau[:, None])
        learnt = eigenvalues * inverse if weights is None else weights * eigenvalues * inverse
        penalty = ridge / tau
        found = learnt.sum(axis=1) + penalty
        slope = tau * np.einsum("ij,ij->i", learnt, inverse) + penalty
        above = found > n_samples
        low, high = np.where(above, position, low), np.where(above, high, position)
        following = position + np.log(found / n_samples) * found / slope
        following = np.where((following >= low) & (following <= high), following, (low + high) / 2)
        settled = bool(np.abs(following - position).max() < ACCURACY)
        position = following
        if settled:
            break
    return np.exp(position)


def stats(
    eigenvalues: Floats, n_samples: float, ridge: float = 0.0, weights: Floats | None = None, start: float | None = None
) -> Stats:
    """Everything that follows from tau; arguments and errors as :func:`solve_tau`.

    >>> found = stats(np.ones(10), 4)
    >>> round(found.overfitting, 6), round(float(found.unlearnt_fraction[0]), 6)
    (0.4, 0.6)
    """
    tau = solve_tau(eigenvalues, n_samples, ridge, weights, start)
    count = np.ones(1) if weights is None else weights
    inverse = 1 / (eigenvalues + tau)
    unlearnt, learnt = tau * inverse, eigenvalues * inverse
    overfitting = float((count * learnt * learnt).sum()) / n_samples
    # 1 - Omega by subtraction would lose all digits near n = p.
    free = (float((count * learnt * unlearnt).sum()) + ridge / tau) / n_samples
    return Stats(tau, unlearnt, learnt, overfitting, free, overfitting / free, n_samples * free)


def compressed(eigenvalues: Floats, bins: int = 4096) -> tuple[Floats, Floats]:
    """A large spectrum as at most ``bins`` weighted eigenvalues: (means, counts) of bins of equal width in log lambda.

    The error of tau is second order in the bin width: about 1e-7 for a million eigenvalues over ten decades.

    Raises:
        ParameterError: no bins.
    """
    at_least(1, bins=bins)
    if len(eigenvalues) <= bins:
        return eigenvalues, np.ones(len(eigenvalues))
    logs = np.log(eigenvalues)
    low, high = float(logs.min()), float(logs.max())
    place = np.minimum(((logs - low) * (bins / max(high - low, 1e-300))).astype(np.int64), bins - 1)
    counts = np.bincount(place, minlength=bins).astype(np.float64)
    sums = np.bincount(place, eigenvalues, minlength=bins)
    kept = counts > 0
    return sums[kept] / counts[kept], counts[kept]
