"""Experiments on sampled data: students of several teachers on the same rows, and the risk as a measured quadratic."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from xarray import Dataset

from theory.core.errors import Cancelled, DataError
from theory.core.problem import Problem
from theory.core.vocabulary import Emit, Experiment, Plan, Replicate, Stop
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats, Integers, Regression
from theory.distillation.simulation.students import check_resolvable, fit, simulate
from theory.distillation.simulation.teachers import arms

MASKS = 60
"""Cuts of the mask sweep, spread evenly in log k."""
PROBED = 12
"""Coordinates whose quadratic is measured, spread evenly in log i."""


def trial_seeds(seed: int, replicates: int) -> list[tuple[int, int]]:
    """One generator per trial: a trial does not depend on how many others run beside it."""
    return [(seed, trial) for trial in range(replicates)]


def spread_indices(count: int, size: int) -> Integers:
    """At most ``count`` distinct numbers from 1 to ``size``, both included, even in the logarithm."""
    return np.unique(np.geomspace(1, size, count).round().astype(np.int64))


def _work(params: Params, problem: Regression) -> float:
    """Floating-point operations of one trial: sampling, Gram matrix, Cholesky factor, in units of one multiply."""
    n, p = params.n_samples, problem.n_features
    return n * n * p + n**3 / 3 + 40 * n * p


def _plan(params: Params, problem: Problem, seeds: int) -> Plan:
    assert isinstance(problem, Regression)
    seconds = seeds * params.replicates * _work(params, problem) / 5e9
    return Plan(seconds, 8 * 3 * params.n_samples * problem.n_features, "trial")


def run_blocks(
    replicates: Sequence[Replicate], emit: Emit, measure: Callable[[Regression, int], Dataset]
) -> list[Dataset]:
    """One block of trials per replicate; what float64 cannot fit says so instead of a number."""
    found: list[Dataset] = []
    for position, replicate in enumerate(replicates):
        assert isinstance(replicate.problem, Regression)
        try:
            found.append(measure(replicate.problem, replicate.seed))
        except DataError as error:
            found.append(Dataset(attrs={"not_run": f"Not run: {error}"}))
        emit((position + 1) / len(replicates), found[0])
    return found


def _run_arms(params: Params, replicates: Sequence[Replicate], device: str, emit: Emit, stop: Stop) -> list[Dataset]:
    """Strong, mask and optimal teachers (and a given one), and a sweep of masks, all on the same rows and noise."""

    def measure(problem: Regression, seed: int) -> Dataset:
        taught = arms(problem.eigenvalues, problem.signal, params.n_samples, params.ridge)
        if len(problem.surrogate):
            taught["given"] = problem.surrogate
        cuts = spread_indices(MASKS, problem.n_features)
        index = np.arange(problem.n_features)[:, None]
        sweep = np.where(index < cuts, problem.signal[:, None], 0.0)
        trials = simulate(
            problem.eigenvalues,
            problem.signal,
            np.column_stack([*taught.values(), sweep]),
            params.n_samples,
            trial_seeds(seed, params.replicates),
            params.ridge,
            stop,
        )
        count = len(taught)
        return Dataset(
            {
                "constant": (("replicate", "arm"), trials.constant[:, :count], {"units": "excess risk"}),
                "linear": (("replicate", "arm"), trials.linear[:, :count]),
                "quadratic": (("replicate",), trials.quadratic),
                "mask_constant": (("replicate", "kept"), trials.constant[:, count:]),
                "mask_linear": (("replicate", "kept"), trials.linear[:, count:]),
            },
            coords={"arm": list(taught), "kept": cuts},
        )

    return run_blocks(replicates, emit, measure)


def _run_quadratic(
    params: Params, replicates: Sequence[Replicate], device: str, emit: Emit, stop: Stop
) -> list[Dataset]:
    """The risk as a quadratic in single teacher coordinates, measured from the fits' own linear maps.

    A fit maps the teacher b to P b. For coordinate i the risk is ``q b_i^2 - 2 l b_i beta_i + ...`` with
    ``l = lambda_i P_ii`` and ``q = sum_j lambda_j P_ji^2``; other coordinates average out by the symmetry of signs.
    """

    def measure(problem: Regression, seed: int) -> Dataset:
        chosen = spread_indices(PROBED, problem.n_features) - 1
        linear = np.zeros((params.replicates, len(chosen)))
        curved = np.zeros((params.replicates, len(chosen)))
        check_resolvable(problem.eigenvalues, params.n_samples, params.ridge)
        for trial, stream in enumerate(trial_seeds(seed, params.replicates)):
            if stop():
                raise Cancelled
            linear[trial], curved[trial] = _coordinate_map(problem, params, chosen, np.random.default_rng(stream))
        return Dataset(
            {
                "coordinate_linear": (("replicate", "feature"), linear),
                "coordinate_quadratic": (("replicate", "feature"), curved),
            },
            coords={"feature": chosen + 1},
        )

    return run_blocks(replicates, emit, measure)


def _coordinate_map(
    problem: Regression, params: Params, chosen: Integers, generator: np.random.Generator
) -> tuple[Floats, Floats]:
    lam = problem.eigenvalues
    inputs = generator.standard_normal((params.n_samples, len(lam))) * np.sqrt(lam)
    mapped = fit(inputs, inputs[:, chosen], params.ridge)
    return lam[chosen] * mapped[chosen, np.arange(len(chosen))], lam @ mapped**2


students = Experiment(
    id="distillation-students",
    uses=frozenset({"n_samples", "ridge", "replicates"}),
    replication="seed",
    plan=_plan,
    run=_run_arms,
)
"""Risks of students as quadratics in the noise: noise sliders reuse the same fits."""

coordinates = Experiment(
    id="distillation-coordinates",
    uses=frozenset({"n_samples", "ridge", "replicates"}),
    replication="seed",
    plan=_plan,
    run=_run_quadratic,
)
