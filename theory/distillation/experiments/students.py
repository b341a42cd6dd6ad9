"""Experiments on sampled data: students of several teachers on the same rows, and the risk as a measured quadratic."""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Stop
from theory.distillation.experiments.trials import each_trial, trial_experiment, trial_seeds
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats, Integers, Regression
from theory.distillation.simulation.students import Trials, check_resolvable, fit, simulate
from theory.distillation.simulation.teachers import arms

MASKS = 60
"""Cuts of the mask sweep, spread evenly in log k."""
PROBED = 12
"""Coordinates whose quadratic is measured, spread evenly in log i."""


def spread_indices(count: int, size: int) -> Integers:
    """At most ``count`` distinct numbers from 1 to ``size``, both included, even in the logarithm."""
    return np.unique(np.geomspace(1, size, count).round().astype(np.int64))


def coefficients(trials: Trials, names: list[str]) -> Dataset:
    """The risk of every trial as a quadratic in the noise, for the first surrogates, which have these names."""
    count = len(names)
    return Dataset(
        {
            "constant": (("replicate", "arm"), trials.constant[:, :count], {"units": "excess risk"}),
            "linear": (("replicate", "arm"), trials.linear[:, :count]),
            "quadratic": (("replicate",), trials.quadratic),
        },
        coords={"arm": names},
    )


def _arms(params: Params, problem: Regression, seed: int, stop: Stop) -> Dataset:
    """Strong, mask and optimal teachers (and a given one), and a sweep of masks, all on the same rows and noise."""
    lam, signal, n = problem.eigenvalues, problem.signal, params.n_samples
    taught = arms(lam, signal, n, params.ridge)
    if len(problem.surrogate):
        taught["given"] = problem.surrogate
    cuts = spread_indices(MASKS, problem.n_features)
    sweep = np.where(np.arange(problem.n_features)[:, None] < cuts, signal[:, None], 0.0)
    columns = np.column_stack([*taught.values(), sweep])
    trials = simulate(lam, signal, columns, n, trial_seeds(seed, params.replicates), params.ridge, stop)
    swept = (("replicate", "kept"), trials.constant[:, len(taught) :])
    return coefficients(trials, list(taught)).assign(mask_constant=swept, kept=("kept", cuts))


def _coordinates(params: Params, problem: Regression, seed: int, stop: Stop) -> Dataset:
    """The risk as a quadratic in single teacher coordinates, measured from the fits' own linear maps.

    A fit maps the teacher b to P b. For coordinate i the risk is ``q b_i^2 - 2 l b_i beta_i + ...`` with
    ``l = lambda_i P_ii`` and ``q = sum_j lambda_j P_ji^2``; other coordinates average out by the symmetry of signs.
    """
    lam = problem.eigenvalues
    chosen = spread_indices(PROBED, len(lam)) - 1
    check_resolvable(lam, params.n_samples, params.ridge)

    def trial(generator: np.random.Generator) -> Floats:
        inputs = generator.standard_normal((params.n_samples, len(lam))) * np.sqrt(lam)
        mapped = fit(inputs, inputs[:, chosen], params.ridge)
        return np.stack([lam[chosen] * mapped[chosen, np.arange(len(chosen))], lam @ mapped**2])

    found = each_trial(params.replicates, seed, stop, trial)
    return Dataset(
        {
            "coordinate_linear": (("replicate", "feature"), found[:, 0]),
            "coordinate_quadratic": (("replicate", "feature"), found[:, 1]),
        },
        coords={"feature": chosen + 1},
    )


def _work(params: Params, problem: Regression) -> float:
    """Sampling, Gram matrix and its factor."""
    n, p = params.n_samples, problem.n_features
    return n * n * p + n**3 / 3 + 40 * n * p


def _numbers(params: Params, problem: Regression) -> float:
    return 3 * params.n_samples * problem.n_features


USES = frozenset({"n_samples", "ridge"})
students = trial_experiment("students", USES, _arms, _work, _numbers)
"""Risks of students as quadratics in the noise: noise sliders reuse the same fits."""

coordinates = trial_experiment("coordinates", USES, _coordinates, _work, _numbers)
