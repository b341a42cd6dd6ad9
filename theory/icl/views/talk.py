"""The opening picture as labelled arrays: the risk over two directions with the path of descent, and risk against n."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.icl.claims.trained import query_risk
from theory.icl.drift import attention_risk_under_drift, h3_optimum, task_correlation
from theory.icl.optimum import independent_optimum, kurtosis_of, optimal_preconditioner, step_risk
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression
from theory.icl.retrieval import alignment_optimum, rag_crossover, rag_floor, rag_optimum
from theory.icl.views.plane import contours, coordinates, plane
from theory.shared.statistics import mean_of

CURVE, LONGEST, FEWEST_DRIFTS = 120, 200, 24
SPAN = (-0.25, 1.6)
"""The plane that is shown, in units of the optimum's larger coordinate."""
NOTHING_TO_LEARN = 1e-6
"""An optimum this small is 0 but for rounding; the plane is then shown in units of 1, the step of endless prompts."""


def bowl(params: Params, problem: Regression, trained: Dataset | None = None) -> Dataset:
    """The risk over n times the weights of two eigen-directions of the tasks, all others at their best.

    The directions are the strongest and the one in the middle. ``path_a``, ``path_b`` (t,) is gradient descent from 0
    in closed form; layers trained at the sliders' length are points ``trained_a``, ``trained_b`` (model,) with the way
    they took ``way_a``, ``way_b`` (time, model).
    """
    n, dim = params.context_length, problem.dim
    second = min(max(1, dim // 2), dim - 1)
    shown = plane(params, problem, second)
    best = n * shown.optimum
    size = float(np.abs(best).max())
    ends = np.array(SPAN) * (size if size > NOTHING_TO_LEARN else 1.0)
    excess, ellipses = contours(shown.hessian / n**2, best, ends)
    found: dict[str, Any] = {
        "level_risk": (("level",), shown.lowest + excess, {"long_name": "risk on the contour, label noise included"}),
        "contour_a": (("level", "corner"), ellipses[..., 0], {"long_name": "contour, first direction"}),
        "contour_b": (("level", "corner"), ellipses[..., 1], {"long_name": "contour, second direction"}),
        "range": (("end",), ends, {"long_name": "what is shown of both axes"}),
        "best_a": ((), best[0]),
        "best_b": ((), best[1]),
        "lowest": ((), shown.lowest, {"long_name": "smallest risk"}),
        "path_a": (("t",), n * shown.path[:, 0], {"long_name": "gradient descent, first direction"}),
        "path_b": (("t",), n * shown.path[:, 1], {"long_name": "gradient descent, second direction"}),
        "path_risk": (("t",), shown.path_risk, {"long_name": "risk along gradient descent"}),
    }
    if trained is not None:
        here = np.flatnonzero(trained.n.values == n)
        if len(here):
            layers = coordinates(trained.preconditioner.values[here], problem, second)
            ways = coordinates(trained.path.values[:, here], problem, second) if "path" in trained else None
            for place, name in enumerate("ab"):
                found[f"trained_{name}"] = (("model",), n * layers[..., place], {"long_name": "trained layers"})
                if ways is not None:
                    found[f"way_{name}"] = (
                        ("time", "model"),
                        n * ways[..., place],
                        {"long_name": "layers in training"},
                    )
    values = problem.spectrum[0]
    about = {
        "design": params.design,
        "n": n,
        "second": second + 1,
        "step_size": params.step_size,
        "first_eigenvalue": float(values[0]),
        "second_eigenvalue": float(values[second]),
    }
    return Dataset(found, attrs=about)


def risk_curve(params: Params, problem: Regression, trained: Dataset | None = None) -> Dataset:
    """Risk against the length of the prompt: ``risk`` (curve, n), with trained layers as points.

    Curves: ``exact`` always; ``independent`` and ``approximation`` beside retrieved and aligned examples; ``h3`` beside
    attention on drifting tasks. ``floor`` and ``crossover`` are NaN where there is none.
    """
    noise, dim, alpha = params.noise_variance, problem.dim, params.alignment
    n = np.geomspace(1, LONGEST, CURVE)
    values = problem.spectrum[0]
    floor = crossover = now = np.nan
    if params.design == "drift":
        n = np.unique(np.geomspace(2, 100, FEWEST_DRIFTS).round())
        curves = _drifting(params, values, n)
        now = _drifting(params, values, np.array([params.context_length]))["exact"][0]
    elif params.design == "independent":
        curves = {"exact": _independent(params, problem, n)}
        now = _independent(params, problem, np.array([params.context_length]))[0]
    else:
        exact = rag_optimum if params.design == "rag" else alignment_optimum
        found = exact(dim, n, alpha, noise)
        curves = {
            "exact": found.risk,
            "approximation": found.risk_approx,
            "independent": rag_optimum(dim, n, 0.0, noise).risk,
        }
        now = float(exact(dim, params.context_length, alpha, noise).risk)
        if params.design == "rag":
            floor = float(rag_floor(dim, alpha)) + noise
            crossover = float(rag_crossover(dim, alpha, noise))
    names = list(curves)
    data: dict[str, Any] = {
        "risk": (("curve", "n"), np.stack([curves[name] for name in names]), {"long_name": "risk, noise included"}),
        "floor": ((), floor, {"long_name": "risk of endlessly many retrieved examples"}),
        "crossover": (
            (),
            crossover if np.isfinite(crossover) else np.nan,
            {"long_name": "length where retrieval hurts"},
        ),
        "now": ((), now, {"long_name": "risk at the sliders' length"}),
        "noise": ((), noise, {"long_name": "label noise"}),
    }
    if trained is not None and "risk" in trained:
        data["trained_n"] = (("model",), trained.n.values, {"long_name": "context length"})
        data["trained_risk"] = (("model",), trained.risk.values, {"long_name": "risk of trained layers"})
        data["trained_error"] = (("model",), trained.standard_error.values, {"long_name": "standard error"})
        data["settled"] = (("model",), trained.settled.values, {"long_name": "the loss had come to rest"})
    return Dataset(
        data, coords={"curve": names, "n": n}, attrs={"design": params.design, "here": params.context_length}
    )


def judged_layers(params: Params, raw: Dataset) -> Dataset:
    """The layers that a claim about trained attention measured, as :func:`bowl` and :func:`risk_curve` take them."""
    off = query_risk(raw, raw.odd.values + raw.even.values) + params.noise_variance
    count, risk = raw.sizes["seed"], mean_of(off.T)
    return Dataset(
        {
            "n": (("model",), np.full(count, params.context_length)),
            "preconditioner": (("model", "row", "column"), raw.preconditioner.values),
            "risk": (("model",), risk.mean),
            "standard_error": (("model",), risk.error),
            "settled": (("model",), np.ones(count, dtype=bool)),
        }
    )


def _independent(params: Params, problem: Regression, n: Floats) -> Floats:
    if params.features == "gaussian":
        return independent_optimum(problem.spectrum[0], n, params.noise_variance).risk
    kurtosis = kurtosis_of(params.features)
    found: list[float] = []
    for length in n.tolist():
        step = optimal_preconditioner(problem, length, params.noise_variance, kurtosis)
        found.append(float(step_risk(step, problem, length, params.noise_variance, kurtosis)))
    return np.array(found)


def _drifting(params: Params, values: Floats, lengths: npt.NDArray[np.float64]) -> dict[str, Floats]:
    attention: list[float] = []
    weighted: list[float] = []
    for length in lengths.tolist():
        along, query = task_correlation(params.drift, int(length), params.task_correlation, params.period)
        attention.append(attention_risk_under_drift(along, query, values, params.noise_variance))
        weighted.append(h3_optimum(along, query, values, params.noise_variance).risk)
    return {"exact": np.array(attention), "h3": np.array(weighted)}
