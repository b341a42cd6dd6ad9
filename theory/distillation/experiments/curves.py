"""Learning curves on sampled data: independent trials at four sample sizes, features growing with the samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xarray import Dataset

from theory.core.problem import Problem
from theory.core.vocabulary import Emit, Experiment, Plan, Replicate, Stop
from theory.distillation.data import resized
from theory.distillation.experiments.students import run_blocks
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats, Integers, Regression
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


def _plan(params: Params, problem: Problem, seeds: int) -> Plan:
    work = sum(
        share * (int(n) ** 3 * (FEATURES_PER_SAMPLE + 1) + 30 * FEATURES_PER_SAMPLE * int(n) ** 2)
        for n, share in zip(sample_grid(params), SHARES, strict=True)
    )
    seconds = seeds * params.replicates * work / 5e9
    return Plan(seconds, 8 * 3 * FEATURES_PER_SAMPLE * params.n_samples**2, "trial")


def _run(params: Params, replicates: Sequence[Replicate], device: str, emit: Emit, stop: Stop) -> list[Dataset]:
    """Students of the strong, mask and optimal teachers on the same rows and noise, at every sample size."""

    def measure(problem: Regression, seed: int) -> Dataset:
        constant: list[Floats] = []
        linear: list[Floats] = []
        quadratic: list[Floats] = []
        sizes: list[Integers] = []
        for step, (n, share) in enumerate(zip(sample_grid(params).tolist(), SHARES, strict=True)):
            here = at_size(params, problem, n)
            taught = np.column_stack(list(arms(here.eigenvalues, here.signal, n, params.ridge).values()))
            seeds = [(seed, step, trial) for trial in range(share * params.replicates)]
            trials = simulate(here.eigenvalues, here.signal, taught, n, seeds, params.ridge, stop)
            constant.append(trials.constant)
            linear.append(trials.linear)
            quadratic.append(trials.quadratic)
            sizes.append(np.full(len(seeds), n))
        return Dataset(
            {
                "constant": (("replicate", "arm"), np.concatenate(constant), {"units": "excess risk"}),
                "linear": (("replicate", "arm"), np.concatenate(linear)),
                "quadratic": (("replicate",), np.concatenate(quadratic)),
                "samples": (("replicate",), np.concatenate(sizes)),
            },
            coords={"arm": ["strong", "mask", "optimal"]},
        )

    return run_blocks(replicates, emit, measure)


learning_curve = Experiment(
    id="distillation-learning-curve",
    uses=frozenset(
        {
            "n_samples",
            "ridge",
            "replicates",
            "spectrum",
            "spectrum_exponent",
            "signal_exponent",
            "rate",
            "head_fraction",
            "level_ratio",
            "eigenvalues",
        }
    ),
    replication="seed",
    plan=_plan,
    run=_run,
)
"""Noise enters the fits linearly, so that one simulation serves every noise level."""
