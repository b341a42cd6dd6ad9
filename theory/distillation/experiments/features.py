"""Students of real features: fits on sampled rows of a population, judged on all rows that they did not see.

Nothing here uses the risk formula; teachers come from :mod:`theory.distillation.simulation.teachers`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.linalg import pinvh
from xarray import Dataset

from theory.core.errors import Cancelled, DataError
from theory.core.vocabulary import Stop
from theory.distillation.experiments.trials import trial_experiment, trial_seeds
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats, Regression
from theory.distillation.simulation.students import fit
from theory.distillation.simulation.teachers import arms


def feature_trials(
    problem: Regression,
    n_samples: int,
    seeds: Sequence[tuple[int, ...]],
    ridge: float = 0.0,
    stop: Callable[[], bool] | None = None,
) -> Dataset:
    """Minimum-norm (or ridge) students on ``n_samples`` rows drawn without replacement; one trial per seed.

    Returns:
        ``risk`` (replicate, arm), the excess risk summed over outputs on the rows that a fit did not see, and
        ``singular``, how many Gram matrices had to be inverted on their range. Arms are strong (noiseless truth), mask,
        optimal and, where the population has targets, labels (the targets themselves, with what linear features cannot
        explain).

    All arms of a trial share their rows. The error over unseen rows is the error over all rows, which the population
    covariance gives exactly, less that on the sampled rows: no pass over the population.

    Raises:
        Cancelled: ``stop()`` turned true.
    """
    features, basis, signals = problem.features, problem.basis, problem.signals
    assert features is not None and basis is not None and signals is not None
    factors = arms(problem.eigenvalues, np.ones(problem.n_features), n_samples, ridge)
    teachers = np.stack([factor[:, None] * signals for factor in factors.values()], axis=1)  # (r, arm, output)
    names = (*factors, *(() if problem.targets is None else ("labels",)))
    outputs = signals.shape[1]
    risk, singular = np.zeros((len(seeds), len(names))), 0
    for trial, seed in enumerate(seeds):
        if stop is not None and stop():
            raise Cancelled
        rows = np.random.default_rng(seed).choice(len(features), n_samples, replace=False)
        inputs = features[rows] @ basis
        labels = inputs @ teachers.reshape(len(basis.T), -1)
        if problem.targets is not None:
            labels = np.concatenate([labels, problem.targets[rows]], axis=1)
        weights, regular = _fit(inputs, labels, ridge)
        error = weights.reshape(-1, len(names), outputs) - signals[:, None]
        everywhere = len(features) * np.einsum("i,iao->a", problem.eigenvalues, error**2)
        seen = np.einsum("nao->a", np.tensordot(inputs, error, axes=1) ** 2)
        risk[trial] = (everywhere - seen) / (len(features) - n_samples)
        singular += not regular
    return Dataset(
        {
            "risk": (("replicate", "arm"), risk, {"long_name": "excess risk on unseen rows"}),
            "singular": ((), singular, {"long_name": "fits with a singular Gram matrix"}),
        },
        coords={"arm": list(names)},
    )


def _fit(inputs: Floats, labels: Floats, ridge: float) -> tuple[Floats, bool]:
    """The student's weights, and whether the Gram matrix was regular; else it is inverted on its range."""
    try:
        return fit(inputs, labels, ridge), True
    except DataError:
        gram: Floats = inputs @ inputs.T
        return inputs.T @ (pinvh(gram + ridge * np.eye(len(gram))) @ labels), False


def _block(params: Params, problem: Regression, seed: int, stop: Stop) -> Dataset:
    if problem.features is None:
        return Dataset(attrs={"not_run": "Not run: this problem has a spectrum, but no rows of features."})
    most = min(problem.n_features - 1 if params.ridge == 0 else len(problem.features), len(problem.features) - 1)
    if params.n_samples > most:
        detail = f"{params.n_samples} samples of {len(problem.features)} rows with {problem.n_features} features"
        return Dataset(attrs={"not_run": f"Not run: {detail} leave nothing to interpolate with or to judge on."})
    return feature_trials(problem, params.n_samples, trial_seeds(seed, params.replicates), params.ridge, stop)


def _work(params: Params, problem: Regression) -> float:
    n, p = params.n_samples, problem.n_features
    outputs = 1 if problem.signals is None else problem.signals.shape[1]
    return 5 / 3 * n * p * (p + n + 12 * outputs)


feature_students = trial_experiment(
    "feature-students",
    frozenset({"n_samples", "ridge"}),
    _block,
    _work,
    lambda params, problem: 4 * params.n_samples * problem.n_features,
)
