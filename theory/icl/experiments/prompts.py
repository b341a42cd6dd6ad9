"""Experiments on sampled prompts, without training: Gram matrices, and prompts with drifting tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Emit, Experiment, Plan, Replicate, Run, Stop
from theory.icl.parameters import Params
from theory.icl.problem import Regression
from theory.icl.simulation.prompts import BLOCK, Prompts, blocks, draw_features, draw_prompts
from theory.shared.experiments import each

LARGEST_RECORD = 500_000
"""Numbers that one seed keeps; larger prompts are measured on fewer of them."""
SECONDS_PER_NUMBER = 6e-8
"""Measured on one core: drawing a number and the products it enters."""
LAW = frozenset({"design", "context_length", "noise_variance", "alignment", "features", "task_mean"}) | {
    "drift",
    "task_correlation",
    "period",
}
"""Parameters that decide the law of the prompts beside the covariances."""

Measure = Callable[[Params, Regression, int], Dataset]
"""What one seed measures on a problem."""
Count = Callable[[Params, int], int]
"""Numbers per prompt, from parameters and dimension."""


def prompt_count(params: Params, entries: int) -> int:
    """How many prompts a seed draws when each keeps ``entries`` numbers."""
    return max(16, min(params.replicates, LARGEST_RECORD // entries))


def measuring(measure: Measure) -> Run[Params, Regression]:
    """A run that measures one replicate after the other."""

    def run(
        params: Params, replicates: Sequence[Replicate[Regression]], device: str, emit: Emit, stop: Stop
    ) -> list[Dataset]:
        return each(replicates, lambda own: measure(params, own.problem, own.seed), emit, stop)

    return run


def sampled(
    name: str, measure: Measure, kept: Count, drawn: Count, uses: frozenset[str] = LAW
) -> Experiment[Params, Regression]:
    """An experiment on sampled prompts, each of which keeps ``kept`` of the numbers that it draws."""

    def plan(params: Params, problem: Regression, replicates: int) -> Plan:
        entries, numbers = kept(params, problem.dim), drawn(params, problem.dim)
        count = prompt_count(params, entries)
        # Blocks are drawn whole.
        seconds = replicates * max(count, BLOCK) * (numbers * SECONDS_PER_NUMBER + 2e-6)
        return Plan(0.05 + seconds, replicates * count * entries * 8 + 40 * BLOCK * numbers, "seed")

    return Experiment(f"icl/{name}", uses | {"replicates"}, "seed", plan, measuring(measure))


def _grams(params: Params, problem: Regression, seed: int) -> Dataset:
    """X'X of independent examples at the training and the test length.

    Prompts of another design are kept as well: how far they are from the claim's assumptions shows on them.
    """
    dim, n = problem.dim, params.context_length
    count = prompt_count(params, 3 * dim * dim)
    root = np.asarray(np.linalg.cholesky(problem.feature_covariance), dtype=np.float64)
    plain, longer = np.zeros((2, count, dim, dim))
    first = 0
    for generator, size in blocks(count, seed):
        for gram, length in ((plain, n), (longer, params.n_test)):
            examples = draw_features(params, root, (BLOCK, length), generator)[:size]
            gram[first : first + size] = examples.transpose(0, 2, 1) @ examples
        first += size
    square, vector = ("replicate", "row", "column"), ("replicate", "feature")
    found: dict[str, Any] = {
        "gram": (square, plain, {"long_name": "X'X"}),
        "gram_test": (square, longer, {"long_name": "X'X at the test length"}),
    }
    if params.design != "independent":
        drawn = _drawn(params, problem, count, seed, 2)
        for name in ("task", "query", "correlation"):
            found[name] = (vector, np.concatenate([getattr(part, name) for part in drawn]), {})
    return Dataset(found)


def _drifting(params: Params, problem: Regression, seed: int) -> Dataset:
    """Products x_i y_i of every example and the query's task, of prompts whose tasks are simulated as a process."""
    drawn = _drawn(params, problem, prompt_count(params, (params.context_length + 1) * problem.dim), seed)
    products = np.concatenate([part.products.astype(np.float32) for part in drawn])
    task = np.concatenate([part.task for part in drawn])
    return Dataset(
        {
            "products": (("replicate", "position", "feature"), products, {"long_name": "x_i y_i"}),
            "task": (("replicate", "feature"), task, {"long_name": "the query's task"}),
        }
    )


def _drawn(params: Params, problem: Regression, count: int, *seed: int) -> list[Prompts]:
    return [draw_prompts(params, problem, size, generator) for generator, size in blocks(count, *seed)]


grams = sampled(
    "grams",
    _grams,
    lambda params, dim: 3 * dim * dim,
    lambda params, dim: dim * (params.context_length + params.n_test),
    LAW | {"n_test"},
)
drifting = sampled(
    "drifting",
    _drifting,
    lambda params, dim: dim * (params.context_length + 1),
    lambda params, dim: 2 * dim * (params.context_length + 1),
)
