"""What claims about several fits in a row share: finite-size errors, measured quadratic forms, checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Check
from theory.distillation.claims.students import SPECTRUM, slope_of
from theory.distillation.problem import Floats, Regression
from theory.distillation.student_risk import noise_error, slope_error
from theory.shared.statistics import difference_check, entry_of, pooled

STAGED = SPECTRUM | {"n_samples", "n_teacher_samples", "noise_variance_target", "noise_variance_teacher"}
RESOLUTION = 0.2
NOTHING = 1e-9
"""A risk below this fraction of the signal's energy is zero: a noiseless least-squares teacher knows the truth."""
ROUNDING = 1e-6
"""Least squares of exact labels is exact up to rounding."""


def finite_size(
    parts: Callable[[Floats], Floats],
    sizes: Sequence[float],
    features: Sequence[float],
    free: Sequence[float],
    reached: Floats,
) -> Floats:
    """Relative finite-size error allowed to each of k risks, of order 1 / n_free of every stage that reaches it.

    ``parts(sizes)`` is (2, k): what the signal and what the noise contributes. ``reached`` (stages, k) is 1 where a
    stage matters to a risk. A stage enters through the local slope in its own sample size, on its own side of
    ``features``, where it would have its interpolation peak.
    """
    here, scale = parts(np.asarray(sizes, dtype=np.float64)), np.asarray(sizes, dtype=np.float64)
    error = np.zeros(here.shape[1])
    for stage, (size, peak) in enumerate(zip(scale, features, strict=True)):
        factor = 0.95 if size < peak <= 1.1 * size else 1.1
        moved = parts(np.where(np.arange(len(scale)) == stage, factor * size, scale))
        signal, noise = (slope_of(before, after, factor) for before, after in zip(here, moved, strict=True))
        error += reached[stage] * (slope_error(signal) * here[0] + noise_error(noise) * here[1]) / free[stage]
    return error / np.maximum(here.sum(axis=0), 1e-300)


def signal_and_noise(risks: Callable[[bool], Floats]) -> Floats:
    """Rows signal and noise (2, k) from risks (k,) with the label noise switched off and on."""
    clean = risks(False)
    return np.stack([clean, np.maximum(risks(True) - clean, 0.0)])


def quadratic_form(raw: Dataset, deviations: Floats) -> Floats:
    """Measured excess risk (R, k) of every trial: the moments at these weights (k, parts) of the parts."""
    return np.einsum("ki,rkij,kj->rk", deviations, pooled(raw["moments"]), deviations)


def stage_check(
    name: str, problem: Regression, prediction: Dataset, measured: Dataset, hint: str, **at: object
) -> Check:
    """Measured over predicted risk; zero within rounding where it is nothing beside the variance of clean labels."""
    here = prediction.sel(at)
    unit = float(here.risk) + NOTHING * float(problem.eigenvalues @ problem.signal**2)
    allowed = max(float(here.risk_allowance) / unit, ROUNDING)
    found = entry_of(measured, "risk", **at)
    return difference_check(name, found, float(here.risk), (-allowed, allowed), RESOLUTION, hint, unit)
