"""Gradient descent on the population risk, step by step: over the preconditioner, and over a product of factors.

Gradients are written in raw coordinates from the moments of X'y. The risk surface itself is measured on sampled
prompts, so that descending it is an experiment.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xarray import Dataset

from theory.core.errors import Cancelled
from theory.core.vocabulary import Emit, Experiment, Plan, Replicate, Stop
from theory.icl.experiments.prompts import measuring, prompt_count
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Integers, Regression
from theory.icl.simulation.prompt_risks import GramPrompts
from theory.icl.simulation.prompts import BLOCK, blocks, draw_features, task_moment

PROBE_SIZES = (0.5, 2.0)
LARGEST_GROWTH = 1e60
"""Diverging weights are followed until they have grown by this factor."""
RECORDS = 40
SHRUNK = 100.0
"""Factor between the two initial scales whose escape times are compared."""


def moments(params: Params, problem: Regression) -> tuple[Floats, Floats]:
    """E X'y y'X and E X'y beta' (d, d) in raw coordinates, for independent examples."""
    n, features = params.context_length, problem.feature_covariance
    tasks = task_moment(params, problem)
    power = float(np.sum(features * tasks)) + params.noise_variance
    square = n * ((n + 1) * features @ tasks @ features + power * features)
    if params.features == "signs":
        values, vectors = np.linalg.eigh(features)
        root = (vectors * np.sqrt(values)) @ vectors.T
        square -= 2 * n * root @ np.diag(np.diag(root @ tasks @ root)) @ root
    return square, n * features @ tasks


def probes(params: Params, problem: Regression, seed: int) -> Floats:
    """Random preconditioners (size, d, d), a small and a large one, at which a seed measures the risk surface."""
    dim = problem.dim
    size = 1 / ((params.context_length + dim + 1 + params.noise_variance) * np.sqrt(dim))
    drawn = np.random.default_rng((seed, dim, 1)).standard_normal((len(PROBE_SIZES), dim, dim))
    return size * np.array(PROBE_SIZES)[:, None, None] * drawn


def _surface(params: Params, problem: Regression, seed: int) -> Dataset:
    """Risks of random preconditioners on sampled prompts, and plain gradient descent from one of them."""
    dim = problem.dim
    count = prompt_count(params, dim * dim)
    features, tasks, tried = problem.feature_covariance, task_moment(params, problem), probes(params, problem, seed)
    root = np.asarray(np.linalg.cholesky(features), dtype=np.float64)
    risks: list[Floats] = []
    for generator, size in blocks(count, seed):
        examples = draw_features(params, root, (BLOCK, params.context_length), generator)[:size]
        prompts = GramPrompts(examples.transpose(0, 2, 1) @ examples, features, tasks, params.noise_variance)
        risks.append(np.stack([prompts.risk(step) for step in tried], axis=1))
    square, cross = moments(params, problem)
    step = params.step_size / float(np.linalg.eigvalsh(features)[-1] * np.linalg.eigvalsh(square)[-1])
    growth = abs(1 - 2 * params.step_size)
    last = params.steps if growth <= 1 else min(params.steps, int(np.log(LARGEST_GROWTH) / np.log(growth)))
    times = recorded(last, RECORDS)
    weights = descend(tried[1], step, times, square, cross, features)
    return Dataset(
        {
            "probe": (("size", "row", "column"), tried, {"long_name": "random preconditioners"}),
            "probe_risk": (("replicate", "size"), np.concatenate(risks), {"long_name": "their risks"}),
            "step": ((), step, {"long_name": "step size of gradient descent"}),
            "weights": (("record", "row", "column"), weights, {"long_name": "weights along the path"}),
            "time": (("record",), times, {"long_name": "gradient-descent steps"}),
        }
    )


def descend(start: Floats, step: float, times: Integers, square: Floats, cross: Floats, features: Floats) -> Floats:
    """Preconditioners (t, d, d) at the given times of plain gradient descent, from the moments of X'y."""
    kept, weights, wanted = list[Floats](), start, set(times.tolist())
    for time in range(int(times[-1]) + 1):
        if time in wanted:
            kept.append(weights)
        weights = weights - step * 2 * features @ (weights @ square - cross.T)
    return np.stack(kept)


def recorded(last: int, count: int) -> Integers:
    """At most ``count`` + 1 steps from 0 to ``last``, closer together in the beginning."""
    return np.unique(np.concatenate([[0], np.geomspace(1, last, count).round()])).astype(np.int64)


def factored_step(params: Params, problem: Regression) -> float:
    """Step size for the factors: the given fraction of 2 over a bound of the curvature at the optimum.

    There ``v^2 = 1 + sum t_k / v`` with targets t_k of at most 1, and curvatures of at most ``4 lambda_1 v`` plus
    ``2 sum lambda_k / v^2`` for the shared scale.
    """
    values = np.linalg.eigvalsh(problem.whitening[0] @ task_moment(params, problem) @ problem.whitening[0])
    scale = float(np.max(np.roots([1.0, 0.0, -1.0, -float(problem.dim)]).real))
    bound = 4 * float(values[-1]) * scale + 2 * float(values.sum()) / scale**2
    return params.step_size * 2 / max(bound, 1e-300)


def _run_factored(
    params: Params, replicates: Sequence[Replicate[Regression]], device: str, emit: Emit, stop: Stop
) -> list[Dataset]:
    """Descent over W = v Wq Wk' / n from small factors: as given, from a 100 times smaller start, at half step."""
    problem = replicates[0].problem
    dim, n, steps = problem.dim, params.context_length, params.steps
    square, cross = moments(params, problem)
    square, cross, features = square / n**2, cross.T / n, problem.feature_covariance
    power = float(np.sum(features * task_moment(params, problem))) + params.noise_variance
    step = factored_step(params, problem)
    scales = params.initial_scale * np.array([1.0, 1.0 / SHRUNK, 1.0])
    rates = step * np.tile([1.0, 1.0, 0.5], len(replicates))[:, None, None]
    start = [np.random.default_rng((own.seed, dim, 2)).standard_normal((2, dim, dim)) for own in replicates]
    query, key = (np.concatenate([scales[:, None, None] * own[side] for own in start]) for side in (0, 1))
    value = np.ones((len(query), 1, 1))
    conserved = _conserved(query, key)
    risks = np.zeros((len(query), steps + 1))
    drift = np.zeros(len(query))
    times = recorded(steps, 3 * RECORDS)
    wanted = set(times.tolist())
    singular: list[Floats] = []
    for time in range(steps + 1):
        product = query @ key.transpose(0, 2, 1)
        whole = value * product
        moved = whole @ square
        risks[:, time] = power + np.einsum("ij,bik,bjk->b", features, whole, moved - 2 * cross)
        if time in wanted:
            singular.append(np.asarray(np.linalg.svd(whole, compute_uv=False), dtype=np.float64))
        if time == steps // 2:
            drift[0::3] = _moved(conserved, query, key)[0::3]
        if time == steps // 2 * 2:
            drift[2::3] = _moved(conserved, query, key)[2::3]
        gradient = 2 * features @ (moved - cross)
        pushed = rates * value
        change = rates * np.sum(gradient * product, axis=(1, 2), keepdims=True)
        query, key = query - pushed * (gradient @ key), key - pushed * (gradient.transpose(0, 2, 1) @ query)
        value = value - change
        if time % 500 == 0:
            emit(time / steps, None)
            if stop():
                raise Cancelled
    strengths = np.stack(singular, axis=1)
    if not np.isfinite(risks).all():
        return [Dataset(attrs={"not_run": "Not judged: the loss is not finite."}) for _ in replicates]
    names = {"run": ["given", "smaller", "half step"]}
    return [
        Dataset(
            {
                "risk": (("run", "time"), risks[3 * own : 3 * own + 3], {"long_name": "risk along the descent"}),
                "strength": (("record", "direction"), strengths[3 * own], {"long_name": "singular values of n W"}),
                "recorded": (("record",), times, {"long_name": "gradient-descent steps"}),
                "conserved_drift": (("run",), drift[3 * own : 3 * own + 3], {"long_name": "change of Wq'Wq - Wk'Wk"}),
                "step": ((), step, {"long_name": "step size"}),
            },
            coords=names,
        )
        for own in range(len(replicates))
    ]


def _conserved(query: Floats, key: Floats) -> Floats:
    return query.transpose(0, 2, 1) @ query - key.transpose(0, 2, 1) @ key


def _moved(before: Floats, query: Floats, key: Floats) -> Floats:
    return np.linalg.norm(_conserved(query, key) - before, axis=(1, 2))


def _plan_surface(params: Params, problem: Regression, replicates: int) -> Plan:
    dim = problem.dim
    count = max(BLOCK, prompt_count(params, dim * dim))
    drawn = count * dim * (params.context_length + dim) * 5e-8
    seconds = 0.05 + replicates * (drawn + params.steps * (1e-5 + 1e-9 * dim**3))
    return Plan(seconds, 10**7, "seed")


def _plan_factored(params: Params, problem: Regression, replicates: int) -> Plan:
    work = 1e-4 + replicates * 3 * (1e-6 * problem.dim + 6e-9 * problem.dim**3)
    return Plan(params.steps * work, 24 * replicates * params.steps + 10**6, "seed")


_LAW = frozenset({"context_length", "noise_variance", "features", "task_mean", "step_size", "steps"})
surface = Experiment("icl/surface", _LAW | {"replicates"}, "seed", _plan_surface, measuring(_surface))
factored = Experiment("icl/factored", _LAW | {"initial_scale"}, "seed", _plan_factored, _run_factored)
