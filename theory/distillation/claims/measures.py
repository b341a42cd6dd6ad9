"""What claims read off simulated students, without the theory's help, and how it is held against a prediction."""

from __future__ import annotations

from typing import Any

import numpy as np
from xarray import Dataset

from theory.core.compare import ALLOWANCE
from theory.core.vocabulary import Check
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats, Integers
from theory.shared.statistics import TINY, Mean, difference_check, entry_of, mean_of, pooled, variables


def arm_noise(params: Params, arms: list[str]) -> Floats:
    """Label noise variance of each arm: only strong labels are noisy when the switch says so."""
    clean = params.noisy_arms == "strong_only"
    return np.array([0.0 if clean and arm != "strong" else params.noise_variance_target for arm in arms])


def arm_trials(params: Params, raw: Dataset) -> Floats:
    """Measured excess risk (R, arms) of every trial, at the label noise of the parameters."""
    scale = np.sqrt(arm_noise(params, raw["arm"].values.tolist()))
    return pooled(raw["constant"]) + scale * pooled(raw["linear"]) + scale**2 * pooled(raw["quadratic"])[:, None]


def sampled(name: str, trials: Floats, **coords: Any) -> Dataset:
    """Means of trials (R, *coords) with their standard errors, and the trials themselves for paired comparisons."""
    found = variables(name, list(coords), mean_of(trials))
    return Dataset(found | {f"{name}_trials": (("trial", *coords), trials)}, coords)


def placed(found: Mean, at: Integers, size: int) -> Mean:
    """Entries that were measured at positions ``at`` of ``size`` only; NaN stands elsewhere."""
    mean, error = np.full((2, size), np.nan)
    mean[at], error[at] = found.mean, found.error
    return Mean(mean, error, found.count)


def entry_check(
    name: str,
    prediction: Dataset,
    measured: Dataset,
    variable: str,
    resolution: float,
    least_unit: float = TINY,
    **at: object,
) -> Check:
    """One measured entry against its prediction, in units of the prediction or of ``least_unit`` if that is larger."""
    predicted: Any = prediction[variable]
    allowance: Any = prediction[variable + ALLOWANCE]
    expected = float(predicted.sel(at))
    unit = max(expected, least_unit)
    allowed = float(allowance.sel(at)) / unit
    found = entry_of(measured, variable, **at)
    return difference_check(name, found, expected, (-allowed, allowed), resolution, "n_samples", unit)


def rewritten(prediction: Dataset, variable: str, values: Any) -> Dataset:
    """A prediction with other values of a variable, and the same allowance relative to them."""
    found, allowed = prediction[variable], prediction[variable + ALLOWANCE]
    scale = np.divide(values, found.values, out=np.ones(found.shape), where=found.values != 0)
    return prediction.assign(
        {variable: found.copy(data=values), variable + ALLOWANCE: allowed.copy(data=allowed.values * scale)}
    )


def off(prediction: Dataset, amount: float) -> Dataset:
    """All risks too small by ``amount``, relative."""
    return rewritten(prediction, "risk", prediction.risk.values / (1 + 1.05 * amount))
