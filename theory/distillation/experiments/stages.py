"""Experiments with several fits: a student of a fitted teacher, chains of generations, a grid of penalties."""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Stop
from theory.distillation.experiments.trials import each_trial, fit_work, trial_experiment
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
UNITS = {"units": "excess risk"}


def penalties_of(problem: Regression) -> Floats:
    """The ridge penalties (P,) that are tried on this problem."""
    return PENALTIES * float(problem.eigenvalues.sum())


def _two_stages(params: Params, problem: Regression, seed: int, stop: Stop) -> Dataset:
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

    found = each_trial(params.replicates, seed, stop, trial)
    return Dataset(
        {"moments": (("replicate", "arm", "part", "other"), found, UNITS)},
        coords={"arm": ARMS, "part": PARTS, "other": PARTS},
    )


def _generations(params: Params, problem: Regression, seed: int, stop: Stop) -> Dataset:
    sizes = chain_sizes(params)

    def trial(generator: np.random.Generator) -> Floats:
        return generations_trial(problem.eigenvalues, problem.signal, sizes, generator)

    found = each_trial(params.replicates, seed, stop, trial)
    return Dataset(
        {"moments": (("replicate", "generation", "part", "other"), found, UNITS)},
        coords={"generation": np.arange(1, len(sizes) + 1)},
    )


def _penalties(params: Params, problem: Regression, seed: int, stop: Stop) -> Dataset:
    """Strong labels and the best teacher of each penalty, on the same rows and noise."""
    lam, signal, n, penalties = problem.eigenvalues, problem.signal, params.n_samples, penalties_of(problem)
    check_resolvable(lam, n, 0.0)
    # Beyond p samples only a penalty leaves something to teach; without one the truth stands in.
    best = [arms(lam, signal, n, mu)["optimal"] if mu > 0 or n < len(lam) else signal for mu in penalties]
    taught = np.column_stack(best)

    def trial(generator: np.random.Generator) -> Floats:
        return penalties_trial(lam, signal, taught, penalties, n, generator)

    found = each_trial(params.replicates, seed, stop, trial)
    return Dataset(
        {"coefficients": (("replicate", "arm", "penalty", "power"), found, UNITS)},
        coords={"arm": ["strong", "optimal"], "penalty": penalties, "power": np.arange(3)},
    )


def _work_two_stages(params: Params, problem: Regression) -> float:
    p = problem.n_features
    turned = 10.0 * p * p if problem.teacher_basis is not None else 0.0
    return fit_work(params.n_samples, p) + fit_work(params.n_teacher_samples, p) + turned


def _work_penalties(params: Params, problem: Regression) -> float:
    n, p = params.n_samples, problem.n_features
    return 2.0 * n * n * p + 12.0 * n**3 + 3 * n * p * len(PENALTIES) + 40 * n * p


two_stages = trial_experiment(
    "two-stages",
    frozenset({"n_samples", "n_teacher_samples", "teacher_features", "ridge"}),
    _two_stages,
    _work_two_stages,
    lambda params, problem: (
        3 * problem.n_features * min(max(params.n_samples, params.n_teacher_samples), problem.n_features)
    ),
)
"""Risks of student, teacher and strong-label student as quadratic forms in both noises."""

generation_chain = trial_experiment(
    "generations",
    frozenset({"generation_sizes", "n_teacher_samples", "n_samples"}),
    _generations,
    lambda params, problem: sum(fit_work(n, problem.n_features) for n in chain_sizes(params)),
    lambda params, problem: 3 * problem.n_features * min(max(chain_sizes(params)), problem.n_features),
)
"""Risks of every generation as quadratic forms in the noises of all."""

ridge_penalties = trial_experiment(
    "ridge-penalties",
    frozenset({"n_samples"}),
    _penalties,
    _work_penalties,
    lambda params, problem: 4 * params.n_samples * (params.n_samples + problem.n_features),
)
"""Risks along a grid of ridge penalties as quadratics in the noise."""
