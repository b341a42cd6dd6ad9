"""Learning curves on sampled data: independent trials at four sample sizes, features growing with the samples."""

from __future__ import annotations

import numpy as np
import xarray as xr
from xarray import Dataset

from theory.core.vocabulary import Stop
from theory.distillation.data import resized
from theory.distillation.experiments.students import coefficients
from theory.distillation.experiments.trials import trial_experiment
from theory.distillation.parameters import Params
from theory.distillation.problem import Integers, Regression
from theory.distillation.simulation.students import simulate
from theory.distillation.simulation.teachers import arms

SHARES = (8, 4, 2, 1)
"""n is n_samples divided by these, and has as many times the trials: small fits are cheap and scatter more."""
FEATURES_PER_SAMPLE = 10


def sample_grid(params: Params) -> Integers:
    """The four sample sizes, ascending; n_samples is the largest."""
    return np.array([max(round(params.n_samples / share), 2) for share in SHARES], dtype=np.int64)


def at_size(params: Params, problem: Regression, n_samples: int) -> Regression:
    """The problem at one sample size, with ten features per sample where the spectrum is a law."""
    return resized(params, problem, FEATURES_PER_SAMPLE * n_samples)


def _block(params: Params, problem: Regression, seed: int, stop: Stop) -> Dataset:
    """Students of the strong, mask and optimal teachers on the same rows and noise, at every sample size."""
    found: list[Dataset] = []
    for step, (n, share) in enumerate(zip(sample_grid(params).tolist(), SHARES, strict=True)):
        here = at_size(params, problem, n)
        taught = arms(here.eigenvalues, here.signal, n, params.ridge)
        seeds = [(seed, step, trial) for trial in range(share * params.replicates)]
        columns = np.column_stack(list(taught.values()))
        trials = simulate(here.eigenvalues, here.signal, columns, n, seeds, params.ridge, stop)
        found.append(coefficients(trials, list(taught)).assign(samples=("replicate", np.full(len(seeds), n))))
    return xr.concat(found, "replicate", data_vars="minimal")


def _work(params: Params, problem: Regression) -> float:
    sizes = np.array(SHARES), sample_grid(params).astype(np.float64)
    return float(sum(share * (n**3 * (FEATURES_PER_SAMPLE + 1) + 300 * n**2) for share, n in zip(*sizes, strict=True)))


learning_curve = trial_experiment(
    "learning-curve",
    frozenset({"n_samples", "ridge", "spectrum", "spectrum_exponent", "signal_exponent", "rate", "head_fraction"})
    | {"level_ratio", "eigenvalues"},
    _block,
    _work,
    lambda params, problem: 3 * FEATURES_PER_SAMPLE * params.n_samples**2,
)
"""Noise enters the fits linearly, so that one simulation serves every noise level."""
