"""Sample weights other than the best, each with the preconditioner that is best for them: what rivals claim."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from theory.icl.claims.best_steps import correlations
from theory.icl.drift import Weighted, weighted_optimum
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression

Weigh = Callable[[Params, int, Floats, Floats], Floats]
"""Sample weights (n,) from parameters, dimension, and the tasks' correlations R (n, n) and r (n,)."""


def weighed(weigh: Weigh, params: Params, problem: Regression) -> Weighted:
    """The step with these sample weights."""
    along, query = correlations(params)
    omega = weigh(params, problem.dim, along, query)
    return weighted_optimum(omega, along, query, problem.spectrum[0], params.noise_variance)


def uniform(params: Params, dim: int, along: Floats, query: Floats) -> Floats:
    """All examples alike."""
    return np.ones_like(query)


def predictor(along: Floats, query: Floats, noise: float) -> Floats:
    """Weights of the best prediction of the query's task from measurements with this noise."""
    return np.asarray(np.linalg.solve(along + noise * np.eye(len(query)), query), dtype=np.float64)


def label_noise_alone(params: Params, dim: int, along: Floats, query: Floats) -> Floats:
    """As if an example measured its task up to label noise: that of its features is forgotten."""
    # Some noise keeps the correlations of one task, which are singular, invertible.
    return predictor(along, query, max(params.noise_variance, 1e-6))
