"""Monte Carlo of the student: fits on sampled data, judged by their exact population risk.

Nothing here uses the risk formula or the fixed point of the predictions: a trial samples X, fits, and measures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, blas, cho_factor, cho_solve

from theory.core.errors import Cancelled, DataError
from theory.distillation.problem import Floats, as_long, at_least

SINGULAR = 1e12
"""Ridgeless fits refuse a wider range of eigenvalues: rounding changes the risk by 0.2 % here, by 4 % at 1e13."""


@dataclass(frozen=True, eq=False)
class Trials:
    """Risk of every trial as a quadratic in the noise's standard deviation s: ``constant + s linear + s^2 quadratic``.

    Shapes: ``constant`` and ``linear`` (trials, k) for k surrogates, ``quadratic`` (trials,). Noise enters a fit
    linearly, so one simulation serves every noise level.
    """

    constant: Floats
    linear: Floats
    quadratic: Floats

    def risk(self, noise_variance: float | Floats) -> Floats:
        """Excess risk (trials, k); ``noise_variance`` is a number or one per surrogate."""
        scale = np.sqrt(np.asarray(noise_variance, dtype=np.float64))
        return self.constant + scale * self.linear + scale**2 * self.quadratic[:, None]


def simulate(
    eigenvalues: Floats,
    signal: Floats,
    surrogates: Floats,
    n_samples: int,
    seeds: Sequence[tuple[int, ...]],
    ridge: float = 0.0,
    stop: Callable[[], bool] | None = None,
) -> Trials:
    """Fit a student on each surrogate's labels, on the same X and the same noise; one trial per seed.

    Shapes: ``eigenvalues`` and ``signal`` (p,), ``surrogates`` (p, k). One Gram matrix and one Cholesky factor serve
    all surrogates. Excess risk is exact for the drawn fit: ``sum lambda (w - beta_star)^2``, no test set.

    Raises:
        DataError: ``gram_singular``, ridgeless with eigenvalues over more than 12 decades; shapes do not fit.
        ParameterError: no samples or a negative ridge. Cancelled: ``stop()`` turned true.
    """
    at_least(0, ridge=ridge)
    at_least(1, n_samples=n_samples)
    as_long(eigenvalues, signal=signal, surrogates=surrogates)
    check_resolvable(eigenvalues, n_samples, ridge)
    columns = surrogates.shape[1]
    constant = np.zeros((len(seeds), columns))
    linear = np.zeros((len(seeds), columns))
    quadratic = np.zeros(len(seeds))
    root = np.sqrt(eigenvalues)
    inputs = np.empty((n_samples, len(eigenvalues)))  # one buffer: fresh pages cost half as much as the fit
    for trial, seed in enumerate(seeds):
        if stop is not None and stop():
            raise Cancelled
        generator = np.random.default_rng(seed)
        generator.standard_normal(out=inputs)
        inputs *= root
        noise = generator.standard_normal(n_samples)
        weights = fit(inputs, np.column_stack([inputs @ surrogates, noise]), ridge)
        error = weights[:, :columns] - signal[:, None]
        constant[trial] = eigenvalues @ error**2
        linear[trial] = 2 * (eigenvalues * weights[:, columns]) @ error
        quadratic[trial] = eigenvalues @ weights[:, columns] ** 2
    return Trials(constant, linear, quadratic)


def check_resolvable(eigenvalues: Floats, n_samples: int, ridge: float) -> None:
    """Refuse a ridgeless fit that float64 cannot do.

    Raises:
        DataError: ``gram_singular``.
    """
    if ridge == 0 and eigenvalues[0] / eigenvalues[min(n_samples, len(eigenvalues)) - 1] > SINGULAR:
        raise DataError(
            "gram_singular", "eigenvalues span more than 12 decades: the Gram matrix is numerically singular."
        )


def fit(inputs: Floats, labels: Floats, ridge: float = 0.0) -> Floats:
    """Minimum-norm (or ridge) solution (p, k) for ``inputs`` (n, p) and ``labels`` (n, k), n below p or ridge > 0.

    Raises:
        DataError: ``gram_singular``, rows that repeat or eigenvalues that float64 cannot tell apart.
    """
    if len(inputs) > inputs.shape[1]:
        return solve_triangle(inputs.T @ inputs, inputs.T @ labels, ridge)
    gram = blas.dsyrk(1.0, inputs.T, trans=1, lower=1)  # a view in the order that BLAS likes, one triangle only
    return inputs.T @ solve_triangle(gram, labels, ridge)


def solve_triangle(gram: Floats, right: Floats, ridge: float) -> Floats:
    """``(gram + ridge I)^-1 right`` from the lower triangle of a positive definite matrix, which is overwritten."""
    gram[np.diag_indices_from(gram)] += ridge
    try:
        factor = cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    except LinAlgError as error:
        raise DataError("gram_singular", "the Gram matrix is not positive definite: add a ridge.") from error
    return cho_solve(factor, right, check_finite=False)
