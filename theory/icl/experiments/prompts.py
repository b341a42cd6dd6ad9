"""Experiments on sampled prompts, without training: Gram matrices, and prompts with drifting tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from xarray import Dataset

from theory.core.errors import Cancelled
from theory.core.problem import Problem
from theory.core.vocabulary import Emit, Experiment, Plan, Replicate, Stop
from theory.icl.parameters import Params
from theory.icl.problem import Regression
from theory.icl.simulation.prompts import BLOCK, Prompts, blocks, draw_features, draw_prompts

LARGEST_RECORD = 500_000
"""Numbers that one seed keeps; larger prompts are measured on fewer of them."""


def prompt_count(params: Params, entries: int) -> int:
    """How many prompts a seed draws when each keeps ``entries`` numbers."""
    return max(16, min(params.replicates, LARGEST_RECORD // entries))


def run_each(
    replicates: Sequence[Replicate], emit: Emit, stop: Stop, measure: Callable[[Regression, int], Dataset]
) -> list[Dataset]:
    """One Dataset per replicate, with progress; gives up between replicates when asked to."""
    found: list[Dataset] = []
    for position, replicate in enumerate(replicates):
        if stop():
            raise Cancelled
        assert isinstance(replicate.problem, Regression)
        found.append(measure(replicate.problem, replicate.seed))
        emit((position + 1) / len(replicates), found[0])
    return found


def _run_grams(params: Params, replicates: Sequence[Replicate], device: str, emit: Emit, stop: Stop) -> list[Dataset]:
    """X'X of independent examples at the training and the test length.

    Prompts of another design are kept as well: how far they are from the claim's assumptions shows on them.
    """

    def measure(problem: Regression, seed: int) -> Dataset:
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
        square = ("replicate", "row", "column")
        found = {
            "gram": (square, plain, {"long_name": "X'X"}),
            "gram_test": (square, longer, {"long_name": "X'X at the test length"}),
        }
        if params.design != "independent":
            drawn = _stacked(params, problem, count, seed)
            vector = ("replicate", "feature")
            found |= {
                "task": (vector, drawn.task, {}),
                "query": (vector, drawn.query, {}),
                "correlation": (vector, drawn.correlation, {"long_name": "X'y"}),
            }
        return Dataset(found)

    return run_each(replicates, emit, stop, measure)


def _stacked(params: Params, problem: Regression, count: int, seed: int) -> Prompts:
    parts = [draw_prompts(params, problem, size, generator) for generator, size in blocks(count, seed, 2)]
    names = ("examples", "labels", "task", "query")
    return Prompts(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _run_drifting(
    params: Params, replicates: Sequence[Replicate], device: str, emit: Emit, stop: Stop
) -> list[Dataset]:
    """Products x_i y_i of every example and the query's task, of prompts whose tasks are simulated as a process."""

    def measure(problem: Regression, seed: int) -> Dataset:
        count = prompt_count(params, (params.context_length + 1) * problem.dim)
        parts = [draw_prompts(params, problem, size, generator) for generator, size in blocks(count, seed)]
        products = np.concatenate([part.products.astype(np.float32) for part in parts])
        return Dataset(
            {
                "products": (("replicate", "position", "feature"), products, {"long_name": "x_i y_i"}),
                "task": (("replicate", "feature"), np.concatenate([part.task for part in parts])),
            }
        )

    return run_each(replicates, emit, stop, measure)


Count = Callable[[Params, int], int]
"""Numbers per prompt, from parameters and dimension."""


def plan_of(kept: Count, drawn: Count) -> Callable[[Params, Problem, int], Plan]:
    def plan(params: Params, problem: Problem, replicates: int) -> Plan:
        assert isinstance(problem, Regression)
        entries, numbers = kept(params, problem.dim), drawn(params, problem.dim)
        count = prompt_count(params, entries)
        # Blocks are drawn whole.
        seconds = replicates * max(count, BLOCK) * (numbers * SECONDS_PER_NUMBER + 2e-6)
        return Plan(0.05 + seconds, replicates * count * entries * 8 + 40 * BLOCK * numbers, "seed")

    return plan


SECONDS_PER_NUMBER = 6e-8
"""Measured on one core: drawing a number and the products it enters."""
LAW = frozenset({"design", "context_length", "noise_variance", "alignment", "features", "task_mean", "replicates"}) | {
    "drift",
    "task_correlation",
    "period",
}

grams = Experiment(
    id="icl/grams",
    uses=LAW | {"n_test"},
    replication="seed",
    plan=plan_of(lambda params, dim: 3 * dim * dim, lambda params, dim: dim * (params.context_length + params.n_test)),
    run=_run_grams,
)

drifting = Experiment(
    id="icl/drifting",
    uses=LAW,
    replication="seed",
    plan=plan_of(
        lambda params, dim: dim * (params.context_length + 1), lambda params, dim: 2 * dim * (params.context_length + 1)
    ),
    run=_run_drifting,
)
