"""The risk over two eigen-directions of the tasks, for every kind of prompt: optimum, path of descent, contours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from theory.icl.aligned_surface import AlignedSurface, alignment_surface, retrieval_surface
from theory.icl.drift import task_correlation
from theory.icl.optimum import kurtosis_of, second_moment
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression
from theory.icl.quadratic import gd_path, landscape

PATH_STEPS = 200
CONTOURS, CORNERS = 10, 120
CROWDING = 2.2
"""Contours have risks that grow with this power of their number: evenly spaced ones are 2 in a bowl."""
FLATTEST = 1e-8
"""A direction without curvature has contours that never close; they are drawn this much longer than wide."""


@dataclass(frozen=True, eq=False)
class Plane:
    """A quadratic over two coordinates: ``lowest + [a - a*, b - b*] hessian [..]`` and the path of descent (t, 2)."""

    optimum: Floats
    lowest: float
    hessian: Floats
    path: Floats
    path_risk: Floats


def plane(params: Params, problem: Regression, second: int) -> Plane:
    """The plane of the strongest direction and the one at ``second``, all others at their best."""
    if params.design in ("rag", "alignment"):
        surface = retrieval_surface if params.design == "rag" else alignment_surface
        found = surface(problem.dim, params.context_length, params.alignment, params.noise_variance)
        return _aligned_plane(found, params.step_size)
    if params.design == "drift":
        return _drift_plane(params, problem, second)
    noise, n, kurtosis = params.noise_variance, params.context_length, kurtosis_of(params.features)
    quadratic = landscape(problem, n, noise, kurtosis)
    step = params.step_size * quadratic.largest_step if quadratic.curvature.max() > 0 else 0.0
    weights, risks = gd_path(quadratic, np.zeros((problem.dim,) * 2), step, _times(params.step_size))
    chosen = problem.spectrum[1][:, [0, second]]
    moment = chosen.T @ second_moment(problem, n, noise, kurtosis) @ chosen
    best = coordinates(quadratic.optimum, problem, second)
    return Plane(best, quadratic.lowest, np.diag(np.diag(moment)), coordinates(weights, problem, second), risks)


def _aligned_plane(surface: AlignedSurface, step_size: float) -> Plane:
    """Descent from 0 stays on multiples of the identity, on which it contracts at one rate."""
    p, q = surface.squared_trace, surface.trace_of_square
    curvature = 2 * (p * surface.dim + q)
    factor = (1 - 2 * step_size * curvature / (2 * max(p * surface.dim + q, q))) ** _times(step_size)
    path = surface.scale * (1 - factor)
    risks = surface.lowest + (p * surface.dim**2 + q * surface.dim) * (path - surface.scale) ** 2
    hessian = np.array([[p + q, p], [p, p + q]])
    return Plane(np.full(2, surface.scale), surface.lowest, hessian, np.stack([path, path], axis=1), risks)


def _drift_plane(params: Params, problem: Regression, second: int) -> Plane:
    """All examples weigh alike, which is all that attention can do."""
    n, values = params.context_length, problem.spectrum[0]
    along, query = task_correlation(params.drift, n, params.task_correlation, params.period)
    power = float(values.sum()) + params.noise_variance
    curvature = (along.sum() + n) * values + power * n
    best = query.sum() * values / np.maximum(curvature, 1e-300)
    lowest = power - float(np.sum(curvature * best**2))
    factor = (1 - 2 * params.step_size * curvature / max(curvature.max(), 1e-300)) ** _times(params.step_size)[:, None]
    path = best * (1 - factor)
    risks = lowest + np.sum(curvature * (path - best) ** 2, axis=1)
    chosen = [0, second]
    return Plane(best[chosen], lowest, np.diag(curvature[chosen]), path[:, chosen], risks)


def _times(step_size: float) -> Floats:
    """Steps that are drawn; a path that diverges is cut before it leaves the picture for good."""
    growth = abs(1 - 2 * step_size)
    last = PATH_STEPS if growth <= 1 else min(PATH_STEPS, int(np.log(30) / np.log(growth)))
    return np.arange(last + 1, dtype=np.float64)


def coordinates(weights: Floats, problem: Regression, second: int) -> Floats:
    """Weights (..., 2) of two eigen-directions in whitened features, of preconditioners (..., d, d)."""
    chosen = problem.whitening[0] @ problem.spectrum[1][:, [0, second]]
    return np.einsum("ik,...ij,jk->...k", chosen, weights, chosen)


def contours(hessian: Floats, best: Floats, ends: Floats) -> tuple[Floats, Floats]:
    """Risk above the lowest (level,), largest first, and its ellipses (level, corner, 2) around ``best``."""
    far = np.array([[a, b] for a in ends for b in ends]) - best
    top = float(np.einsum("ci,ij,cj->c", far, hessian, far).max())
    excess = top * (np.arange(CONTOURS, 0, -1) / CONTOURS) ** CROWDING
    sizes, basis = np.linalg.eigh(hessian)
    radii = 1 / np.sqrt(np.maximum(sizes, FLATTEST * max(float(sizes[-1]), 1e-300)))
    angle = np.linspace(0, 2 * np.pi, CORNERS + 1)
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radii @ basis.T
    return excess, best + np.sqrt(excess)[:, None, None] * unit
