"""Experiments with several fits: a student of a fitted teacher, chains of generations, a grid of penalties."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from xarray import Dataset

from theory.core.errors import Cancelled
from theory.core.problem import Problem
from theory.core.vocabulary import Emit, Experiment, Plan, Replicate, Stop
from theory.distillation.experiments.students import run_blocks, trial_seeds
from theory.distillation.generation_chain import chain_sizes
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats, Regression
from theory.distillation.simulation.stages import generations_trial, penalties_trial, two_stage_trial
from theory.distillation.simulation.students import check_resolvable
from theory.distillation.simulation.teachers import arms

ARMS = ["student", "teacher", "strong"]
PARTS = ["signal", "teacher_noise", "label_noise"]
PENALTIES = np.concatenate([[0.0], np.geomspace(1e-6, 100, 25)])
"""Ridge penalties in units of the trace: three to the decade, and none at all."""


def _trials(params: Params, seed: int, stop: Stop, measure: Callable[[np.random.Generator], Floats]) -> Floats:
    """``measure`` once per trial, stacked along the first axis."""
    found: list[Floats] = []
    for stream in trial_seeds(seed, params.replicates):
        if stop():
            raise Cancelled
        found.append(measure(np.random.default_rng(stream)))
    return np.array(found)


def _fit_work(n: int, p: int) -> float:
    """Multiplies of one fit: sampling, Gram matrix, factor; from p samples on a triangle is drawn instead."""
    return 20.0 * p * p if n >= p else n * n * p + n**3 / 3 + 40 * n * p


def _run_two_stages(
    params: Params, replicates: Sequence[Replicate], device: str, emit: Emit, stop: Stop
) -> list[Dataset]:
    def measure(problem: Regression, seed: int) -> Dataset:
        weak = params.teacher_features

        def trial(generator: np.random.Generator) -> Floats:
            return two_stage_trial(
                problem.eigenvalues,
                problem.teacher_eigenvalues,
                problem.signal,
                params.n_samples,
                params.n_teacher_samples,
                generator,
                ridge=params.ridge,
                teacher_features=None if weak is None else min(weak, problem.n_features),
                teacher_basis=problem.teacher_basis,
            )

        found = _trials(params, seed, stop, trial)
        return Dataset(
            {"moments": (("replicate", "arm", "part", "other"), found, {"units": "excess risk"})},
            coords={"arm": ARMS, "part": PARTS, "other": PARTS},
        )

    return run_blocks(replicates, emit, measure)


def _plan_two_stages(params: Params, problem: Problem, seeds: int) -> Plan:
    assert isinstance(problem, Regression)
    p, sizes = problem.n_features, (params.n_samples, params.n_teacher_samples)
    work = sum(_fit_work(n, p) for n in sizes) + (10.0 * p * p if problem.teacher_basis is not None else 0.0)
    return Plan(seeds * params.replicates * work / 5e9, 8 * 3 * p * max(min(n, p) for n in sizes), "trial")


def _run_generations(
    params: Params, replicates: Sequence[Replicate], device: str, emit: Emit, stop: Stop
) -> list[Dataset]:
    def measure(problem: Regression, seed: int) -> Dataset:
        sizes = chain_sizes(params)
        found = _trials(
            params,
            seed,
            stop,
            lambda generator: generations_trial(problem.eigenvalues, problem.signal, sizes, generator),
        )
        return Dataset(
            {"moments": (("replicate", "generation", "part", "other"), found, {"units": "excess risk"})},
            coords={"generation": np.arange(1, len(sizes) + 1)},
        )

    return run_blocks(replicates, emit, measure)


def _plan_generations(params: Params, problem: Problem, seeds: int) -> Plan:
    assert isinstance(problem, Regression)
    sizes, p = chain_sizes(params), problem.n_features
    work = sum(_fit_work(n, p) for n in sizes)
    return Plan(seeds * params.replicates * work / 5e9, 8 * 3 * p * min(max(sizes), p), "trial")


def penalties_of(problem: Regression) -> Floats:
    """The ridge penalties (P,) that are tried on this problem."""
    return PENALTIES * float(problem.eigenvalues.sum())


def _run_penalties(
    params: Params, replicates: Sequence[Replicate], device: str, emit: Emit, stop: Stop
) -> list[Dataset]:
    """Strong labels and the best teacher of each penalty, on the same rows and noise."""

    def measure(problem: Regression, seed: int) -> Dataset:
        lam, signal, n = problem.eigenvalues, problem.signal, params.n_samples
        check_resolvable(lam, n, 0.0)
        penalties = penalties_of(problem)
        # Beyond p samples only a penalty leaves something to teach; without one the truth stands in.
        best = [arms(lam, signal, n, mu)["optimal"] if mu > 0 or n < len(lam) else signal for mu in penalties]
        found = _trials(
            params,
            seed,
            stop,
            lambda generator: penalties_trial(lam, signal, np.column_stack(best), penalties, n, generator),
        )
        return Dataset(
            {"coefficients": (("replicate", "arm", "penalty", "power"), found, {"units": "excess risk"})},
            coords={"arm": ["strong", "optimal"], "penalty": penalties, "power": np.arange(3)},
        )

    return run_blocks(replicates, emit, measure)


def _plan_penalties(params: Params, problem: Problem, seeds: int) -> Plan:
    assert isinstance(problem, Regression)
    n, p = params.n_samples, problem.n_features
    work = 2.0 * n * n * p + 12.0 * n**3 + 3 * n * p * len(PENALTIES) + 40 * n * p
    return Plan(seeds * params.replicates * work / 5e9, 8 * 4 * n * (n + p), "trial")


two_stages = Experiment(
    id="distillation-two-stages",
    uses=frozenset({"n_samples", "n_teacher_samples", "teacher_features", "ridge", "replicates"}),
    replication="seed",
    plan=_plan_two_stages,
    run=_run_two_stages,
)
"""Risks of student, teacher and strong-label student as quadratic forms in both noises."""

generation_chain = Experiment(
    id="distillation-generations",
    uses=frozenset({"generation_sizes", "n_teacher_samples", "n_samples", "replicates"}),
    replication="seed",
    plan=_plan_generations,
    run=_run_generations,
)
"""Risks of every generation as quadratic forms in the noises of all."""

ridge_penalties = Experiment(
    id="distillation-ridge-penalties",
    uses=frozenset({"n_samples", "replicates"}),
    replication="seed",
    plan=_plan_penalties,
    run=_run_penalties,
)
"""Risks along a grid of ridge penalties as quadratics in the noise."""
