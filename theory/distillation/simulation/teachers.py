"""The teachers that experiments compare, built without the predictions' formulas.

tau comes from bisection here, and the best 0-1 teacher and the best teacher from minimising the textbook quadratic
coordinate by coordinate, so that a slip in a prediction cannot also be in the labels that test it.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from theory.distillation.problem import Floats


def fixed_point(eigenvalues: Floats, n_samples: float, ridge: float) -> float:
    """tau with ``sum lambda / (lambda + tau) + ridge / tau = n``, by bisection on log tau."""

    def excess(log_tau: float) -> float:
        tau = np.exp(log_tau)
        return float(np.sum(eigenvalues / (eigenvalues + tau)) + ridge / tau - n_samples)

    high = np.log((eigenvalues.sum() + ridge) / n_samples) + 1e-9
    low = high
    while excess(low) < 0:
        low -= 5.0
    return float(np.exp(brentq(excess, low, high, xtol=1e-14)))


def arms(eigenvalues: Floats, signal: Floats, n_samples: float, ridge: float) -> dict[str, Floats]:
    """The teachers (p,) called strong (the truth), mask (the best 0-1 teacher) and optimal.

    With labels x'b, coordinate i costs ``a_i b_i^2 - 2 l_i b_i beta_i + beta_i^2`` in units of lambda_i, where
    ``l = lambda / (lambda + tau)`` and ``a = l^2 + (1 - l)^2 s / (n - s)`` with s the sum of l^2.
    """
    tau = fixed_point(eigenvalues, n_samples, ridge)
    learnt = eigenvalues / (eigenvalues + tau)
    shared = float(np.sum(learnt**2))
    cost = learnt**2 + (tau / (eigenvalues + tau)) ** 2 * shared / (n_samples - shared)
    keep = cost < 2 * learnt  # keeping costs a - 2 l + 1, dropping costs 1
    return {"strong": signal, "mask": np.where(keep, signal, 0.0), "optimal": learnt / cost * signal}
