"""The risk is a known quadratic in the preconditioner, and gradient descent on it is known step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Check, Claim, Rival
from theory.icl.claims import assumptions as needs
from theory.icl.claims.optimum import RESOLUTION, prompt_needs
from theory.icl.experiments.descent import PROBE_SIZES, surface
from theory.icl.landscape import Landscape, gd_path, landscape, whitened_condition_number
from theory.icl.optimum import kurtosis_of
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression
from theory.icl.simulation.prompt_risks import relative

EXACT = 1e-5
ROUNDING = 1e-10


def _describe(found: Landscape, condition: float, fraction: float) -> Dataset:
    square = ("row", "column")
    step = fraction * found.largest_step
    return Dataset(
        {
            "preconditioner": (square, found.optimum, {"long_name": "W at the bottom", "spec_name": "W"}),
            "risk": ((), found.lowest, {"long_name": "risk at the bottom", "spec_name": "risk_opt"}),
            "feature_basis": (square, found.feature_basis, {"long_name": "eigenvectors of the feature covariance"}),
            "moment_basis": (square, found.moment_basis, {"long_name": "eigenvectors of K"}),
            "curvature": (square, found.curvature, {"long_name": "Hessian eigenvalues 2 s_j mu_k"}),
            "step": ((), step, {"long_name": "step size of gradient descent", "spec_name": "eta"}),
            "largest_step": ((), found.largest_step, {"long_name": "descent diverges from this step size on"}),
            "condition": ((), min(condition, 1e300), {"long_name": "condition number in whitened weights"}),
        }
    )


def _predict(params: Params, problem: Regression) -> Dataset:
    n, noise = params.context_length, params.noise_variance
    found = landscape(problem, n, noise, kurtosis_of(params.features))
    return _describe(found, whitened_condition_number(problem.spectrum[0], n, noise), params.step_size)


def landscape_of(prediction: Dataset) -> Landscape:
    """The quadratic that a prediction describes."""
    bases = (prediction.feature_basis.values, prediction.moment_basis.values)
    return Landscape(prediction.preconditioner.values, float(prediction.risk), *bases, prediction.curvature.values)


def _compare(params: Params, problem: Regression, prediction: Dataset, raw: Dataset) -> tuple[Check, ...]:
    """The surface at random preconditioners against sampled prompts, and descent against the closed form.

    The path is an exact comparison: rounding of up to 20,000 steps, relative to the largest weight at that time.
    """
    found = landscape_of(prediction)
    checks: list[Check] = []
    for place, size in enumerate(PROBE_SIZES):
        # A path of no steps evaluates the surface.
        predicted = [float(gd_path(found, probe, 0.0, np.zeros(1))[1][0]) for probe in raw.probe.values[:, place]]
        ratio = raw.probe_risk.values[:, :, place] / np.maximum(predicted, 1e-300)[:, None]
        checks.append(relative(f"risk of random preconditioners of size {size:g}", ratio.ravel(), 1.0, RESOLUTION))
    gaps: list[float] = []
    for times, kept in zip(raw.time.values, raw.weights.values, strict=True):
        path, _ = gd_path(found, kept[0], float(prediction.step), times.astype(np.float64))
        sizes = np.maximum(np.abs(kept).max(axis=(1, 2)), 1e-300)
        gaps.append(float((np.abs(path - kept).max(axis=(1, 2)) / sizes).max()))
    step = float(raw.step.values.ravel()[0])
    off = float(prediction.step) / step - 1 if step else 0.0
    return (
        *checks,
        Check(
            name="path of gradient descent, relative",
            deviation=max(gaps),
            allowance=(-ROUNDING, ROUNDING),
            resolution=EXACT,
        ),
        Check(
            name="stability limit of the step size, relative",
            deviation=off,
            allowance=(-ROUNDING, ROUNDING),
            resolution=EXACT,
        ),
    )


def _changed(change: Callable[[Params, Regression, Landscape], Landscape]) -> Callable[[Any, Any], Dataset]:
    def predict(params: Params, problem: Regression) -> Dataset:
        n, noise = params.context_length, params.noise_variance
        honest = landscape(problem, n, noise, kurtosis_of(params.features))
        condition = whitened_condition_number(problem.spectrum[0], n, noise)
        return _describe(change(params, problem, honest), condition, params.step_size)

    return predict


def _half_curvature(params: Params, problem: Regression, honest: Landscape) -> Landscape:
    bases = honest.feature_basis, honest.moment_basis
    return Landscape(honest.optimum, honest.lowest, *bases, honest.curvature / 2)


def _noiseless(params: Params, problem: Regression, honest: Landscape) -> Landscape:
    quiet = landscape(problem, params.context_length, 0.0, kurtosis_of(params.features))
    lowest = quiet.lowest + params.noise_variance
    return Landscape(quiet.optimum, lowest, quiet.feature_basis, quiet.moment_basis, quiet.curvature)


def _whitened(params: Params, problem: Regression, honest: Landscape) -> Landscape:
    scale = float(np.trace(problem.feature_covariance)) / problem.dim
    flat: Floats = honest.curvature / np.maximum(np.linalg.eigvalsh(problem.feature_covariance), 1e-300)[:, None]
    bases = honest.feature_basis, honest.moment_basis
    return Landscape(honest.optimum, honest.lowest, *bases, flat * scale)


def _mutate(prediction: Dataset, amount: float) -> Dataset:
    """All risks smaller by the fraction ``amount``."""
    by = 1 + 1.05 * amount
    return prediction.assign(risk=prediction.risk / by, curvature=prediction.curvature / by)


icl_convex_landscape = Claim(
    id="icl-convex-landscape",
    title="The risk is a bowl whose every curvature is known",
    statement="As a function of the preconditioner the risk is a quadratic. Gradient descent contracts each of its "
    "directions by its own factor at every step, and diverges exactly when the step exceeds 2 over the largest "
    "curvature. Longer prompts make the bowl narrower: pre-training gets harder.",
    latex=r"L(W)=L^\star+\mathrm{tr}\big(\Sigma_x DKD^\top\big),\quad D=W-W^\star,\qquad "
    r"\hat D_{jk}(t)=(1-2\eta s_j\mu_k)^t\,\hat D_{jk}(0)",
    source="arXiv 2407.10005; spectrum of the Hessian and path are our derivation",
    kind="theorem",
    defaults={"dim": 5, "replicates": 2000, "basis_rotation": 0.5, "feature_decay": 0.5, "steps": 1000},
    uses=needs.PROMPTS | {"step_size", "steps"},
    resolution=RESOLUTION,
    assumptions=prompt_needs,
    predict=_predict,
    compare=_compare,
    mutate=_mutate,
    experiment=surface,
    rivals=(
        Rival("half the curvature", _changed(_half_curvature), {}, "forgets the 2 of a square's derivative"),
        Rival(
            "noise dropped from the label power",
            _changed(_noiseless),
            {"noise_variance": 2.0},
            "adds label noise to the floor but not to the curvature",
        ),
        Rival("whitened weights", _changed(_whitened), {}, "uses the curvature of whitened weights for raw ones"),
    ),
    power=(
        "No false alarm in 40 blocks of 8 seeds that were not used for tuning, "
        "nor at 40 random settings. "
        "A prediction off by twice the resolution was rejected in all of them."
    ),
)
