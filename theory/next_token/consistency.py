"""How well the soft composition inside a component estimates the scores that made the labels (ours)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def fisher_information(counts: Floats, scores: Floats) -> Floats:
    """(m, m) information ``sum_i diag(p_i) - p_i p_i'`` about the scores of one component.

    Args:
        counts: (n, m) occurrences of the component's tokens in each prompt.
        scores: (m,) scores; label probabilities are proportional to ``count * exp(score)``.
    """
    mass = counts * np.exp(scores - scores.max())
    probabilities = mass / mass.sum(axis=1, keepdims=True)
    return np.diag(probabilities.sum(axis=0)) - probabilities.T @ probabilities


def consistency_risk(information: Floats) -> float:
    """Asymptotic squared error ``E||f - theta||^2 = tr H^+`` of centred scores.

    The pseudo-inverse cuts eigenvalues at 1e-10 of the largest: the constant vector is null only up to rounding.

    >>> consistency_risk(np.array([[2.0, -2.0], [-2.0, 2.0]]))
    0.25
    """
    return float(np.trace(np.linalg.pinv(information, rcond=1e-10, hermitian=True)))


def consistency_tolerance(risk: float, n_samples: int) -> float:
    """Finite-sample allowance on the risk: relative ``30 / n``."""
    return risk * 30.0 / n_samples
