"""What the theory says about a person's covariances or tasks: risk, step, rank, LoRA, and a held-out measurement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from theory.core.errors import DataError, ParameterError
from theory.icl.inputs import checked
from theory.icl.low_rank import left_over, lora_directions, low_rank_risks
from theory.icl.optimum import independent_optimum, optimal_preconditioner
from theory.icl.own.read import TaskMoments, task_moments
from theory.icl.problem import Floats, Integers, Regression
from theory.shared.statistics import mean_of

LONGEST = 10_000
PROMPTS_PER_TASK = 32
LEAST_TASKS = 8
"""Fewer tasks are not split into a half to learn from and a half to judge on."""
NOTHING = 1e-9
"""A change of risk below this fraction of the label power counts as none."""


@dataclass(frozen=True, eq=False)
class Lora:
    """Best updates for the new tasks: ``risks`` (d + 1,) by rank, the ``update`` (d, d) of the chosen rank.

    ``query_directions`` and ``label_directions`` (d, d): column k is the k-th direction, in raw features, along which
    the update reads the query and X'y; ``rank`` is the smallest that repairs the wanted share.
    """

    risks: Floats
    rank: int
    update: Floats
    query_directions: Floats
    label_directions: Floats


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Mean squared errors on tasks that were not learnt from: predicted and measured, with standard errors over tasks.

    ``predicted`` is the risk for the covariances of the other tasks; ``least_squares`` is NaN for prompts that are too
    short for it.
    """

    tasks: int
    predicted: float
    step: tuple[float, float]
    zero: tuple[float, float]
    least_squares: tuple[float, float]


@dataclass(frozen=True, eq=False)
class OwnReport:
    """The answer to a person's data at context length ``n`` and noise variance ``noise``.

    ``eigenvalues``, ``weights`` and ``gain`` (d,) by direction, strongest first; ``directions`` (d, d) raw features as
    rows; ``rank_risks`` (d + 1,); ``rank`` is the smallest that keeps ``share`` of what full rank removes.
    """

    n: int
    noise: float
    share: float
    label_power: float
    risk: float
    eigenvalues: Floats
    weights: Floats
    gain: Floats
    directions: Floats
    preconditioner: Floats
    rank_risks: Floats
    rank: int
    lora: Lora
    held_out: HeldOut | None


def own_report(problem: Regression, n: int, noise: float, share: float = 0.95) -> OwnReport:
    """Everything at once; ``noise`` is replaced by the estimate where raw tasks are given.

    Raises:
        ParameterError: ``context_length``, ``noise_variance`` or ``share`` out of range. DataError: raw tasks with too
            few rows for prompts of this length.
    """
    checked("context_length", n, 1, LONGEST, whole=True)
    checked("noise_variance", noise, 0)
    if not 0 < share <= 1:
        raise ParameterError("share", share, "a number above 0 and up to 1")
    moments = _moments(problem)
    sigma2 = noise if moments is None else moments.noise_variance
    values, basis = problem.spectrum
    found = independent_optimum(values, n, sigma2)
    risks = low_rank_risks(values, n, sigma2)
    return OwnReport(
        n,
        sigma2,
        share,
        float(values.sum()) + sigma2,
        float(found.risk),
        values,
        found.weights,
        found.gain,
        basis.T @ problem.whitening[1],
        optimal_preconditioner(problem, n, sigma2),
        risks,
        _worth(risks, share),
        lora_report(problem, n, sigma2, share),
        held_out(problem, n) if moments is not None else None,
    )


def lora_report(problem: Regression, n: int, sigma2: float, share: float) -> Lora:
    """The best low-rank updates of the old optimum for the new tasks (arXiv 2407.10005; Eckart-Young)."""
    writers, singular, readers, lowest = lora_directions(problem, n, sigma2)
    risks = lowest + left_over(singular**2)
    rank = _worth(risks, share)
    update = (writers[:, :rank] * singular[:rank]) @ readers[:, :rank].T
    return Lora(risks, rank, update, writers, readers)


def held_out(problem: Regression, n: int) -> HeldOut | None:
    """Learn covariances from half of the tasks, judge the step on prompts from the others; None for few tasks.

    Raises:
        DataError: no held-out task has more than ``n`` rows.
    """
    task = problem.own_task
    names = np.unique(task)
    if len(names) < LEAST_TASKS:
        return None
    most = int(np.bincount(task).max())
    if n >= most:
        raise DataError(
            "prompts_too_long", f"context_length = {n}: tasks have at most {most} rows; expected 1 to {most - 1}."
        )
    generator = np.random.default_rng(0)
    mixed = generator.permutation(names)
    learn = np.isin(task, mixed[: len(names) // 2])
    moments = task_moments(problem.own_features[learn], problem.own_labels[learn], task[learn])
    learnt = Regression(moments.features, moments.tasks, moments.tasks)
    step = optimal_preconditioner(learnt, n, moments.noise_variance)
    errors = [
        _errors(problem.own_features[rows], problem.own_labels[rows], step, n, generator)
        for rows in (np.flatnonzero(task == name) for name in mixed[len(names) // 2 :])
        if len(rows) > n
    ]
    if len(errors) < 2:
        raise DataError(
            "prompts_too_long", f"context_length = {n}: fewer than 2 held-out tasks have more rows than that."
        )
    found = mean_of(errors)
    pairs = [(float(mean), float(error)) for mean, error in zip(found.mean, found.error, strict=True)]
    predicted = float(independent_optimum(learnt.spectrum[0], n, moments.noise_variance).risk)
    return HeldOut(found.count, predicted, pairs[0], pairs[1], pairs[2])


def _errors(X: Floats, y: Floats, step: Floats, n: int, generator: np.random.Generator) -> tuple[float, float, float]:
    """Mean squared errors of the step, of predicting 0, and of least squares on prompts drawn from one task."""
    found: list[tuple[float, float, float]] = []
    for _ in range(PROMPTS_PER_TASK):
        chosen: Integers = generator.permutation(len(y))[: n + 1]
        past, query = chosen[:-1], chosen[-1]
        answer = float(X[query] @ step @ (X[past].T @ y[past]))
        solved = float(X[query] @ np.linalg.lstsq(X[past], y[past], rcond=None)[0]) if n >= X.shape[1] else np.nan
        truth = float(y[query])
        found.append(((truth - answer) ** 2, truth**2, (truth - solved) ** 2))
    first, second, third = np.mean(found, axis=0)
    return float(first), float(second), float(third)


def _moments(problem: Regression) -> TaskMoments | None:
    if not len(problem.own_labels):
        return None
    return task_moments(problem.own_features, problem.own_labels, problem.own_task)


def _worth(risks: Floats, share: float) -> int:
    """The smallest rank whose risk removes ``share`` of what all ranks remove; 0 when nothing can be removed."""
    removed = risks[0] - risks
    if removed[-1] <= NOTHING * max(float(risks[0]), 1e-300):
        return 0
    return int((removed >= share * removed[-1] * (1 - 1e-12)).argmax())
