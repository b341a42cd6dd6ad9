"""Experiments that repeat one random trial: their seeds, their loop and their cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from xarray import Dataset

from theory.core.errors import Cancelled, DataError
from theory.core.vocabulary import Emit, Experiment, Plan, Replicate, Stop
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats, Regression
from theory.shared.experiments import each

Cost = Callable[[Params, Regression], float]


def trial_experiment(
    name: str,
    uses: frozenset[str],
    block: Callable[[Params, Regression, int, Stop], Dataset],
    work: Cost,
    numbers: Cost,
) -> Experiment[Params, Regression]:
    """Independent trials on one problem, ``replicates`` of them per seed.

    ``block(params, problem, seed, stop)`` runs those of one seed. A trial costs ``work`` multiplications and holds
    ``numbers`` floats.
    """

    def run(
        params: Params, replicates: Sequence[Replicate[Regression]], device: str, emit: Emit, stop: Stop
    ) -> list[Dataset]:
        def one(replicate: Replicate[Regression]) -> Dataset:
            try:
                return block(params, replicate.problem, replicate.seed, stop)
            except DataError as error:  # what float64 cannot fit says so instead of a number
                return Dataset(attrs={"not_run": f"Not run: {error}"})

        return each(replicates, one, emit, stop)

    def plan(params: Params, problem: Regression, seeds: int) -> Plan:
        seconds = seeds * params.replicates * work(params, problem) / 5e9
        return Plan(seconds, 8 * int(numbers(params, problem)), "trial")

    return Experiment(f"distillation-{name}", uses | {"replicates"}, "seed", plan, run)


def trial_seeds(seed: int, replicates: int) -> list[tuple[int, int]]:
    """One generator per trial: a trial does not depend on how many others run beside it."""
    return [(seed, trial) for trial in range(replicates)]


def each_trial(replicates: int, seed: int, stop: Stop, measure: Callable[[np.random.Generator], Floats]) -> Floats:
    """``measure`` once per trial, stacked along the first axis.

    Raises:
        Cancelled: ``stop()`` turned true.
    """
    found: list[Floats] = []
    for stream in trial_seeds(seed, replicates):
        if stop():
            raise Cancelled
        found.append(measure(np.random.default_rng(stream)))
    return np.array(found)


def fit_work(n: int, p: int) -> float:
    """Multiplications of one fit: sampling, Gram matrix, factor; from p samples on a triangle is drawn instead."""
    return 20.0 * p * p if n >= p else n * n * p + n**3 / 3 + 40 * n * p
