"""Experiments on the risk of ``c x'X'y`` as a quadratic in c: aligned and independent prompts, and two sizes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.icl.experiments.prompts import prompt_count, sampled
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression, isotropic
from theory.icl.simulation.prompts import blocks, draw_prompts, task_moment

GROWTH = 4
"""The second size of the scaling experiment, as a multiple of the first."""


def scaled_risks(params: Params, problem: Regression, count: int, *seed: int) -> Floats:
    """Risk of ``c x'X'y`` as a measured quadratic in c, shape (count, 3): constant, -linear / 2 and quadratic part.

    Retrieved and independent examples: task and noise are averaged over. Aligned ones: query and noise, given the task.
    """
    features, tasks, noise = problem.feature_covariance, task_moment(params, problem), params.noise_variance
    found = np.zeros((count, 3))
    first = 0
    for generator, size in blocks(count, *seed):
        drawn = draw_prompts(params, problem, size, generator)
        inner, cols = drawn.examples, slice(first, first + size)
        first += size
        if params.design == "alignment":
            clean = np.einsum("bnd,bn->bd", inner, np.einsum("bnd,bd->bn", inner, drawn.task))
            # Given the task, queries have mean alpha beta, and the task kept is gamma beta.
            mean = params.alignment * np.sqrt(params.alignment**2 * problem.dim + 1) * drawn.task
            along = np.einsum("bnd,bd->bn", inner, mean)
            traces = np.einsum("bnd,bnd->b", inner @ features, inner) + (along**2).sum(axis=1)

            def product(one: Floats, other: Floats, mean: Floats = mean) -> Floats:
                along = np.einsum("bd,bd->b", mean, one) * np.einsum("bd,bd->b", mean, other)
                return np.einsum("bd,bd->b", one @ features, other) + along

            found[cols, 0] = product(drawn.task, drawn.task) + noise
            found[cols, 1] = product(drawn.task, clean)
            found[cols, 2] = product(clean, clean) + noise * traces
        elif params.design == "drift":
            seen = np.einsum("bd,bd->b", drawn.query, drawn.correlation)
            truth = np.einsum("bd,bd->b", drawn.query, drawn.task)
            found[cols] = np.stack([truth**2 + noise, truth * seen, seen**2], axis=1)
        else:
            near = np.einsum("bnd,bd->bn", inner, drawn.query)
            pulled = np.einsum("bnd,bn->bd", inner, near)
            found[cols, 0] = np.einsum("bd,bd->b", drawn.query @ tasks, drawn.query) + noise
            found[cols, 1] = np.einsum("bd,bd->b", drawn.query @ tasks, pulled)
            found[cols, 2] = np.einsum("bd,bd->b", pulled @ tasks, pulled) + noise * (near**2).sum(axis=1)
    return found


def _quadratics(parts: list[Floats], dim: str, names: npt.ArrayLike) -> Dataset:
    about = {"long_name": "risk of c x'X'y as a quadratic in c"}
    stacked = np.stack(parts, axis=1)
    return Dataset({"scaled": (("replicate", dim, "power"), stacked, about)}, coords={dim: names, "power": [0, 1, 2]})


def _scaled(params: Params, problem: Regression, seed: int) -> Dataset:
    """The same random numbers with the alignment of the parameters and with none."""
    count, apart = prompt_count(params, 6), params.model_copy(update={"alignment": 0.0})
    parts = [scaled_risks(here, problem, count, seed) for here in (params, apart)]
    return _quadratics(parts, "arm", ["aligned", "independent"])


def larger(params: Params, problem: Regression) -> tuple[Params, Regression]:
    """Four times the dimension and the context at the same kappa: an isotropic problem."""
    update = {"context_length": GROWTH * params.context_length, "alignment": params.alignment / np.sqrt(GROWTH)}
    return params.model_copy(update=update), isotropic(GROWTH * problem.dim)


def _scaled_sizes(params: Params, problem: Regression, seed: int) -> Dataset:
    """The same at two sizes with as many examples per dimension and the same kappa."""
    count, points = prompt_count(params, 6), ((params, problem), larger(params, problem))
    parts = [scaled_risks(*point, count, seed, size) for size, point in enumerate(points)]
    return _quadratics(parts, "dimension", [found.dim for _, found in points])


scaled = sampled("scaled", _scaled, lambda params, dim: 6, lambda params, dim: 2 * dim * params.context_length)
scaled_sizes = sampled(
    "scaled_sizes",
    _scaled_sizes,
    lambda params, dim: 6,
    lambda params, dim: (1 + GROWTH**2) * dim * params.context_length,
)
