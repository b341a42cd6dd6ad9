"""The figures of the section *Test* as labelled arrays: predicted curves, and what was trained beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
from xarray import Dataset

from theory.icl.drift import attention_risk_under_drift, h3_optimum, task_correlation
from theory.icl.experiments.descent import moments
from theory.icl.factored import targets
from theory.icl.low_rank import left_over, length_risk, lora_singular_values, low_rank_risks
from theory.icl.optimum import independent_optimum, kurtosis_of
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression
from theory.icl.quadratic import gd_path, landscape, whitened_condition_number
from theory.icl.retrieval import alignment_optimum, rag_crossover, rag_floor, rag_optimum

ALIGNMENTS = (0.0, 0.3, 0.6, 0.9)
CURVE = 120
DESCENT_STEPS = 120
MAP_CORRELATIONS, MAP_LENGTHS = 21, (2, 3, 5, 8, 12, 20, 35, 60)


def retrieval(params: Params, problem: Regression, trained: Dataset | None = None) -> Dataset:
    """Risk against n by alignment: ``exact`` and ``approximation`` (alignment, n), ``floor``, ``crossover``."""
    dim, noise = problem.dim, params.noise_variance
    n = np.geomspace(1, 200, CURVE)
    aligned = params.design == "alignment"
    found = (alignment_optimum if aligned else rag_optimum)(dim, n[None], np.array(ALIGNMENTS)[:, None], noise)
    empty = np.full(len(ALIGNMENTS), np.nan)
    floor = empty if aligned else rag_floor(dim, np.array(ALIGNMENTS)) + noise
    crossover = empty if aligned else rag_crossover(dim, np.array(ALIGNMENTS), noise)
    grid = ("alignment", "n")
    data: dict[str, Any] = {
        "exact": (grid, found.risk, {"long_name": "risk, label noise included"}),
        "approximation": (grid, found.risk_approx, {"long_name": "risk of kappa n independent examples"}),
        "floor": (("alignment",), floor, {"long_name": "risk of endlessly many examples"}),
        "crossover": (("alignment",), np.where(np.isfinite(crossover), crossover, np.nan), {}),
    }
    about = {"design": "alignment" if aligned else "rag"}
    return Dataset(data | _layers(trained), coords={"alignment": list(ALIGNMENTS), "n": n}, attrs=about)


def softmax(params: Params, problem: Regression, trained: Dataset | None = None) -> Dataset:
    """Best risk of linear attention against the alignment (alignment,), at the sliders' length."""
    aligned = params.design == "alignment"
    alignment = np.linspace(0, 1, 101)
    exact = alignment_optimum if aligned else rag_optimum
    risks = exact(problem.dim, params.context_length, alignment, params.noise_variance).risk
    data = {"exact": (("alignment",), risks, {"long_name": "best risk of linear attention"})}
    about = {"design": "alignment" if aligned else "rag", "here": params.alignment, "n": params.context_length}
    return Dataset(data | _layers(trained), coords={"alignment": alignment}, attrs=about)


def descent(params: Params, problem: Regression) -> Dataset:
    """Squared distance to the best weights along single directions, (direction, t): in closed form and step by step."""
    kurtosis = kurtosis_of(params.features)
    found = landscape(problem, params.context_length, params.noise_variance, kurtosis)
    step = params.step_size * found.largest_step if found.curvature.max() > 0 else 0.0
    growth = abs(1 - 2 * params.step_size)
    last = DESCENT_STEPS if growth <= 1 else min(DESCENT_STEPS, int(np.log(1e6) / np.log(growth)))
    times = np.arange(last + 1, dtype=np.float64)
    weights, _ = gd_path(found, np.zeros((problem.dim,) * 2), step, times)
    square, cross = moments(params, problem)
    walked = [np.zeros((problem.dim,) * 2)]
    for _ in range(last):
        gradient = 2 * problem.feature_covariance @ (walked[-1] @ square - cross.T)
        walked.append(walked[-1] - step * gradient)
    closed, stepped = (
        np.abs(np.einsum("ij,tik,kl->tjl", found.feature_basis, w - found.optimum, found.moment_basis)).reshape(
            last + 1, -1
        )
        for w in (weights, np.stack(walked))
    )
    # Only directions in which the start is off are worth a line.
    moving = np.flatnonzero(closed[0] > 1e-6 * max(float(closed[0].max()), 1e-300))
    by_curvature = moving[np.argsort(-found.curvature.ravel()[moving], kind="stable")]
    order = by_curvature[np.unique(np.linspace(0, len(moving) - 1, min(len(moving), 5)).round().astype(np.int64))]
    n = np.geomspace(1, 1000, CURVE)
    condition = [whitened_condition_number(problem.spectrum[0], float(length), params.noise_variance) for length in n]
    axes = ("direction", "t")
    return Dataset(
        {
            "error": (
                axes,
                (closed / np.maximum(closed[0], 1e-300))[:, order].T,
                {"long_name": "distance to the best weight, relative to the start"},
            ),
            "walked": (
                axes,
                (stepped / np.maximum(stepped[0], 1e-300))[:, order].T,
                {"long_name": "the same, step by step"},
            ),
            "curvature": (("direction",), found.curvature.ravel()[order], {"long_name": "curvature"}),
            "condition": (("n",), np.array(condition), {"long_name": "condition number in whitened weights"}),
            "here": ((), whitened_condition_number(problem.spectrum[0], params.context_length, params.noise_variance)),
        },
        coords={"direction": np.arange(1, len(order) + 1), "t": times, "n": n},
        attrs={"step_size": params.step_size, "n": params.context_length},
    )


def staircase(params: Params, problem: Regression, raw: Dataset) -> Dataset:
    """Risk along descent over factors (seed, t) with the plateaus (rank,), and singular values with their targets."""
    values, n, noise = problem.spectrum[0], params.context_length, params.noise_variance
    risks: Floats = raw.risk.isel(run=0).values
    last = int(risks.shape[1])
    shown = np.unique(np.geomspace(1, last, 300).round().astype(np.int64)) - 1
    return Dataset(
        {
            "risk": (("seed", "t"), risks[:, shown], {"long_name": "risk along the descent"}),
            "plateau": (("rank",), low_rank_risks(values, n, noise), {"long_name": "best risk of each rank"}),
            "strength": (("record", "direction"), raw.strength.values[0], {"long_name": "singular values of n W"}),
            "target": (("direction",), targets(values, n, noise), {"long_name": "n times the best weights"}),
        },
        coords={"t": shown, "record": raw.recorded.values[0]},
    )


def memory(params: Params, problem: Regression, trained: Dataset | None = None) -> Dataset:
    """Best sample weights by lag, those of trained H3 layers, and what H3 gains over attention (correlation, n)."""
    values, n, noise = problem.spectrum[0], params.context_length, params.noise_variance
    along, query = task_correlation(params.drift, n, params.task_correlation, params.period)
    best = h3_optimum(along, query, values, noise)
    attention = attention_risk_under_drift(along, query, values, noise)
    correlations = np.linspace(0, 1, MAP_CORRELATIONS)
    gains = np.array([[_gain(params, values, rho, length) for length in MAP_LENGTHS] for rho in correlations])
    data: dict[str, Any] = {
        "omega": (("lag",), _unit(best.omega)[::-1], {"long_name": "best weight of the example, unit norm"}),
        "gain": (("correlation", "length"), gains, {"long_name": "risk of attention minus risk of H3"}),
        "h3": ((), best.risk, {"long_name": "best risk of H3"}),
        "attention": ((), attention, {"long_name": "best risk of attention"}),
    }
    if trained is not None:
        learnt = np.stack([_unit(omega) for omega in trained.omega.values])[:, ::-1]
        data["learnt"] = (("model", "lag"), learnt, {"long_name": "weights of trained H3 layers, unit norm"})
        data["trained_risk"] = (("model",), trained.risk.values, {"long_name": "risk of trained H3 layers"})
        data["trained_error"] = (("model",), trained.standard_error.values, {"long_name": "standard error"})
    about = {"drift": params.drift, "n": n, "correlation": params.task_correlation}
    return Dataset(
        data, coords={"lag": np.arange(1, n + 1), "correlation": correlations, "length": list(MAP_LENGTHS)}, attrs=about
    )


def ranks(params: Params, problem: Regression, trained: Dataset | None = None) -> Dataset:
    """Risk of attention of each rank, and of the old layer on the new tasks after an update of each rank (rank,)."""
    values, n, noise = problem.spectrum[0], params.context_length, params.noise_variance
    singular, lowest = lora_singular_values(problem, n, noise)
    repaired = lowest + left_over(singular**2)
    fresh = Regression(problem.feature_covariance, problem.new_task_covariance, problem.new_task_covariance)
    data: dict[str, Any] = {
        "low_rank": (("rank",), low_rank_risks(values, n, noise), {"long_name": "best risk of each rank"}),
        "lora": (("rank",), repaired, {"long_name": "risk on the new tasks after an update of this rank"}),
        "repair": (("direction",), singular**2, {"long_name": "risk that this direction of the update repairs"}),
        "gain": (("direction",), independent_optimum(values, n, noise).gain, {"long_name": "risk removed"}),
        "old": (("direction",), values, {"long_name": "old eigenvalues"}),
        "new": (("direction",), fresh.spectrum[0], {"long_name": "new eigenvalues"}),
    }
    if trained is not None:
        for name, source in (("trained_rank", "rank"), ("trained_risk", "risk"), ("trained_error", "standard_error")):
            data[name] = (("model",), trained[source].values, {})
        data["settled"] = (("model",), trained.settled.values, {})
    return Dataset(data, coords={"rank": np.arange(problem.dim + 1)}, attrs={"chosen": params.rank})


def equivalence(params: Params, problem: Regression, predicted: Floats, trained: Dataset) -> Dataset:
    """n W of a trained layer, of the prediction, and their difference, (part, row, column); ``even`` its other part."""
    n = params.context_length
    here = np.flatnonzero(trained.n.values == n)
    learnt = trained.preconditioner.values[here[0]]
    parts = np.stack([learnt, predicted, learnt - predicted]) * n
    return Dataset(
        {
            "weights": (("part", "row", "column"), parts, {"long_name": "n W"}),
            "even": ((), float(trained.even.values[here[0]]), {"long_name": "norm of the part even in the labels"}),
        },
        coords={"part": ["trained", "predicted", "difference"]},
        attrs={"n": n},
    )


def length(params: Params, problem: Regression, trained: Dataset | None = None) -> Dataset:
    """Risk against the test length of the model that is best at the sliders' length, (mode, n)."""
    values, n, noise = problem.spectrum[0], params.context_length, params.noise_variance
    tested = np.geomspace(1, max(4.0 * n, params.n_test, 20), CURVE)
    raw, divided = (length_risk(values, n, tested, noise, normalised=flag) for flag in (False, True))
    best = independent_optimum(values, tested, noise).risk
    data: dict[str, Any] = {
        "risk": (("mode", "n"), np.stack([raw, divided, best]), {"long_name": "risk at the test length"}),
        "power": ((), float(values.sum()) + noise, {"long_name": "risk of predicting 0"}),
    }
    if trained is not None:
        data["test_length"] = (("place",), trained.test_length.values, {})
        data["trained_risk"] = (("kind", "place", "model"), trained.risk.values, {})
        data["trained_error"] = (("kind", "place", "model"), trained.standard_error.values, {})
    modes = ["as trained", "divided by length", "trained at that length"]
    return Dataset(data, coords={"mode": modes, "n": tested}, attrs={"trained_at": n, "n_test": params.n_test})


def own_ranks(rank_risks: Floats, lora_risks: Floats) -> Dataset:
    """The ladder of ranks for a person's data."""
    data: dict[str, Any] = {"low_rank": (("rank",), rank_risks, {}), "lora": (("rank",), lora_risks, {})}
    return Dataset(data, coords={"rank": np.arange(len(rank_risks))})


def _layers(trained: Dataset | None) -> dict[str, Any]:
    if trained is None or "risk" not in trained:
        return {}
    names = ("n", "alignment", "risk", "standard_error")
    return {f"trained_{name}": (("model",), trained[name].values.astype(np.float64), {}) for name in names}


def _gain(params: Params, values: Floats, rho: float, length: int) -> float:
    along, query = task_correlation(params.drift, length, rho, params.period)
    best = h3_optimum(along, query, values, params.noise_variance).risk
    return max(attention_risk_under_drift(along, query, values, params.noise_variance) - best, 0.0)


def _unit(omega: Floats) -> Floats:
    size = float(np.linalg.norm(omega)) * (1 if omega.sum() >= 0 else -1)
    return omega / size if size else omega
