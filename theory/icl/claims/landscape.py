"""The risk is a known quadratic in the preconditioner, and gradient descent on it is known step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Check, Claim, Predict, Rival, Symbol
from theory.icl.claims import assumptions as needs
from theory.icl.claims.optimum import prompt_needs
from theory.icl.claims.shared import NO_ALARM, REJECTED, RESOLUTION, SQUARE, exact_check, lowered, risk_check
from theory.icl.experiments.descent import PROBE_SIZES, surface
from theory.icl.optimum import kurtosis_of
from theory.icl.parameters import Params
from theory.icl.problem import Regression
from theory.icl.quadratic import Landscape, gd_path, landscape, whitened_condition_number
from theory.shared.statistics import TINY

EXACT = 1e-5
ROUNDING = 1e-10


def _describe(found: Landscape, params: Params, problem: Regression) -> Dataset:
    condition = whitened_condition_number(problem.spectrum[0], params.context_length, params.noise_variance)
    probed = {"not_measured": "judged by the risk of random preconditioners and by the path of descent"}

    def about(long_name: str, **more: str) -> dict[str, str]:
        return {"long_name": long_name, **probed, **more}

    return Dataset(
        {
            "preconditioner": (SQUARE, found.optimum, about("W at the bottom", spec_name="W")),
            "risk": ((), found.lowest, about("risk at the bottom", spec_name="risk_opt")),
            "feature_basis": (SQUARE, found.feature_basis, about("eigenvectors of the feature covariance")),
            "moment_basis": (SQUARE, found.moment_basis, about("eigenvectors of K")),
            "curvature": (SQUARE, found.curvature, about("Hessian eigenvalues 2 s_j mu_k")),
            "step": (
                (),
                params.step_size * found.largest_step,
                {"long_name": "step size of gradient descent", "spec_name": "eta"},
            ),
            "largest_step": ((), found.largest_step, {"long_name": "descent diverges from this step size on"}),
            "condition": ((), min(condition, 1e300), about("condition number in whitened weights")),
        }
    )


def _honest(params: Params, problem: Regression) -> Landscape:
    return landscape(problem, params.context_length, params.noise_variance, kurtosis_of(params.features))


def _predict(params: Params, problem: Regression) -> Dataset:
    return _describe(_honest(params, problem), params, problem)


def _measure(params: Params, problem: Regression, raw: Dataset) -> Dataset:
    """The step size at which descent ran as the given fraction of its stability limit."""
    step = float(raw.step.values.ravel()[0])
    return raw.assign(step=((), step), largest_step=((), step / params.step_size))


def _compare(params: Params, problem: Regression, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    """The surface at random preconditioners against sampled prompts, and descent against the closed form.

    The path is an exact comparison: rounding of up to 20,000 steps, relative to the largest weight at that time.
    """
    bases = (prediction.feature_basis.values, prediction.moment_basis.values)
    found = Landscape(prediction.preconditioner.values, float(prediction.risk), *bases, prediction.curvature.values)
    checks: list[Check] = []
    for place, size in enumerate(PROBE_SIZES):
        # A path of no steps evaluates the surface.
        predicted = [float(gd_path(found, probe, 0.0, np.zeros(1))[1][0]) for probe in measured.probe.values[:, place]]
        ratio = measured.probe_risk.values[:, :, place] / np.maximum(predicted, TINY)[:, None]
        checks.append(risk_check(f"risk of random preconditioners of size {size:g}", ratio.ravel(), 1.0))
    gaps: list[float] = []
    for times, kept in zip(measured.time.values, measured.weights.values, strict=True):
        path, _ = gd_path(found, kept[0], float(prediction.step), times.astype(np.float64))
        sizes = np.maximum(np.abs(kept).max(axis=(1, 2)), TINY)
        gaps.append(float((np.abs(path - kept).max(axis=(1, 2)) / sizes).max()))
    step = float(measured.step)
    exact = {
        "path of gradient descent, relative": max(gaps),
        "stability limit of the step size, relative": float(prediction.step) / step - 1 if step else 0.0,
    }
    return (
        *checks,
        *(exact_check(name, off, ROUNDING, EXACT) for name, off in exact.items()),
    )


def _changed(change: Callable[[Params, Regression, Landscape], Landscape]) -> Predict[Params, Regression]:
    return lambda params, problem: _describe(change(params, problem, _honest(params, problem)), params, problem)


def _half_curvature(params: Params, problem: Regression, honest: Landscape) -> Landscape:
    return replace(honest, curvature=honest.curvature / 2)


def _noiseless(params: Params, problem: Regression, honest: Landscape) -> Landscape:
    quiet = landscape(problem, params.context_length, 0.0, kurtosis_of(params.features))
    return replace(quiet, lowest=quiet.lowest + params.noise_variance)


def _whitened(params: Params, problem: Regression, honest: Landscape) -> Landscape:
    scale = float(np.trace(problem.feature_covariance)) / problem.dim
    sizes = np.maximum(np.linalg.eigvalsh(problem.feature_covariance), TINY)
    return replace(honest, curvature=honest.curvature / sizes[:, None] * scale)


icl_convex_landscape = Claim(
    id="icl-convex-landscape",
    title="The risk is a bowl whose every curvature is known",
    short="The bowl",
    statement="As a function of the preconditioner the risk is a quadratic. Gradient descent contracts each of its "
    "directions by its own factor at every step, and diverges exactly when the step exceeds 2 over the largest "
    "curvature. Longer prompts make the bowl narrower: pre-training gets harder.",
    latex=r"L(W)=L^\star+\mathrm{tr}\big(\Sigma_x DKD^\top\big),\quad D=W-W^\star,\qquad "
    r"\hat D_{jk}(t)=(1-2\eta s_j\mu_k)^t\,\hat D_{jk}(0)",
    symbols={
        r"L^\star": Symbol("the risk at the bottom", "risk"),
        r"W^\star": Symbol("the preconditioner at the bottom", "preconditioner"),
        "K": Symbol("second moment of X'y"),
        r"\hat D_{jk}(t)": Symbol("distance to the bottom along one curvature, after t steps"),
        r"\eta": Symbol("step size of gradient descent", "step"),
        "s_j": Symbol("eigenvalues of the feature covariance"),
        r"\mu_k": Symbol("eigenvalues of K"),
    },
    source="arXiv 2407.10005; spectrum of the Hessian and path are our derivation",
    kind="theorem",
    defaults={"dim": 5, "replicates": 2000, "basis_rotation": 0.5, "feature_decay": 0.5, "steps": 1000},
    uses=needs.PROMPTS | {"step_size", "steps"},
    resolution=RESOLUTION,
    assumptions=prompt_needs,
    predict=_predict,
    measure=_measure,
    compare=_compare,
    mutate=lowered("risk", "curvature"),
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
    power=f"{NO_ALARM}, nor at 40 random settings. {REJECTED}",
)
