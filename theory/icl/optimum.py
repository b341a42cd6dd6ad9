"""The best one-step preconditioned gradient descent on independent data, and the risk of any preconditioner.

With u = X' y whitened by the feature covariance, ``E u beta' = n A`` and ``E u u' = S = n ((n+1) A + M I)``, so
the risk ``L(W) = M - 2 n tr(W A) + tr(W S W')`` is a quadratic (arXiv 2407.10005; re-derived with Wick's theorem).
Risks include the label noise of the query.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from theory.core.errors import ParameterError
from theory.icl.inputs import checked
from theory.icl.problem import Floats, Regression, covariances

SIGNS_EXCESS_KURTOSIS = -2.0
"""Fourth cumulant of a random sign."""


class Optimum(NamedTuple):
    """The best risk, shape (...), with the preconditioner ``weights`` (..., d) in the eigenbasis of A.

    ``gain`` (..., d) is the risk that each direction removes.
    """

    risk: Floats
    weights: Floats
    gain: Floats


def independent_optimum(eigenvalues: npt.ArrayLike, n: npt.ArrayLike, sigma2: npt.ArrayLike) -> Optimum:
    """Optimal risk ``M - sum n lambda^2 / ((n+1) lambda + M)``, M the sum of eigenvalues plus noise.

    Shapes: ``eigenvalues`` (..., d); ``n`` and ``sigma2`` broadcast against the leading axes; n may be real. Null
    directions are legal: nothing is inverted.

    Raises:
        ParameterError: a number out of range.

    >>> found = independent_optimum([1.0, 1.0], 3, 0.0)  # d + s2 - n d / (n + d + 1 + s2)
    >>> round(float(found.risk), 6), found.weights.round(6).tolist()
    (1.0, [0.166667, 0.166667])
    """
    values = checked("eigenvalues", eigenvalues, 0)
    length = checked("n", n, 1)[..., None]
    power = values.sum(axis=-1, keepdims=True) + checked("sigma2", sigma2, 0)[..., None]
    bottom = (length + 1) * values + power
    weights = np.divide(values, bottom, out=np.zeros(np.broadcast(values, bottom).shape), where=bottom > 0)
    gain = length * values * weights
    return Optimum(power[..., 0] - gain.sum(axis=-1), weights, gain)


def independent_optimum_matrix(
    feature_covariance: Floats, task_covariance: Floats, n: float, sigma2: float
) -> tuple[float, Floats]:
    """Optimal risk and preconditioner W (d, d) for any pair of covariances.

    Raises:
        DataError: a matrix is not a covariance. ParameterError: a number out of range.
    """
    problem = covariances(feature_covariance, task_covariance)
    return float(independent_optimum(problem.spectrum[0], n, sigma2).risk), optimal_preconditioner(problem, n, sigma2)


def risk_surface(
    preconditioner: npt.ArrayLike, feature_covariance: Floats, task_covariance: Floats, n: float, sigma2: float
) -> Floats:
    """Risk L(W), shape (...), of any preconditioners (..., d, d) on independent Gaussian examples.

    >>> float(risk_surface(np.zeros((2, 2)), np.eye(2), np.eye(2), 3, 0.5))  # predicting 0
    2.5

    Raises:
        DataError: a matrix is not a covariance. ParameterError: a number out of range, or another dimension.
    """
    problem = covariances(feature_covariance, task_covariance)
    steps = checked("preconditioner", preconditioner, -np.inf)
    if steps.shape[-2:] != (problem.dim,) * 2:
        raise ParameterError("preconditioner", steps.shape, f"matrices of shape ({problem.dim}, {problem.dim})")
    return step_risk(steps, problem, float(checked("n", n, 1)), float(checked("sigma2", sigma2, 0)))


def optimal_preconditioner(problem: Regression, n: float, sigma2: float, kurtosis: float = 0.0) -> Floats:
    """W* (d, d) in raw coordinates: ``Sigma_x^(-1/2) n A S^(-1) Sigma_x^(-1/2)``; zero where nothing can be learnt."""
    white = problem.whitened_tasks
    moment = second_moment(problem, n, sigma2, kurtosis)
    if not moment.any():
        return np.zeros_like(white)
    unroot = problem.whitening[1]
    # S is singular only together with A: the least-norm solution leaves null directions alone.
    return unroot @ (n * white @ np.linalg.pinv(moment, hermitian=True)) @ unroot


def second_moment(problem: Regression, n: float, sigma2: float, kurtosis: float = 0.0) -> Floats:
    """S (d, d), second moment of the whitened X' y; ``kurtosis`` is the excess kurtosis of independent features.

    Independent unit-variance coordinates with excess kurtosis k add ``n k diag(A)``.
    """
    white = problem.whitened_tasks
    power = float(np.trace(white)) + sigma2
    found: Floats = n * ((n + 1) * white + power * np.eye(problem.dim))
    return found + n * kurtosis * np.diag(np.diag(white))


def step_risk(preconditioner: Floats, problem: Regression, n: float, sigma2: float, kurtosis: float = 0.0) -> Floats:
    """Risk (...) of preconditioners (..., d, d) for a problem, and features with excess ``kurtosis``."""
    root = problem.whitening[0]
    white = root @ preconditioner @ root
    tasks = problem.whitened_tasks
    moment = second_moment(problem, n, sigma2, kurtosis)
    power = float(np.trace(tasks)) + sigma2
    linear = np.einsum("...ij,ji->...", white, tasks)
    quadratic = np.einsum("...ij,jk,...ik->...", white, moment, white)
    return power - 2 * n * linear + quadratic


def kurtosis_of(features: str) -> float:
    """Excess kurtosis of the features that the parameter names."""
    return SIGNS_EXCESS_KURTOSIS if features == "signs" else 0.0
