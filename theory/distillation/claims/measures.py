"""What claims read off simulated students, without the theory's help."""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Check
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats


def flat(raw: Dataset, name: str) -> Floats:
    """A variable with all trials of all seeds along the first axis."""
    values = raw[name].transpose("seed", "replicate", ...).values
    return values.reshape(-1, *values.shape[2:]).astype(np.float64)


def arm_noise(params: Params, arms: list[str]) -> Floats:
    """Label noise variance of each arm: only strong labels are noisy when the switch says so."""
    clean = params.noisy_arms == "strong_only"
    return np.array([0.0 if clean and arm != "strong" else params.noise_variance_target for arm in arms])


def arm_risks(params: Params, raw: Dataset) -> dict[str, Floats]:
    """Measured excess risk of every trial (R,), by arm, at the label noise of the parameters."""
    arms = [str(arm) for arm in raw["arm"].values]
    scale = np.sqrt(arm_noise(params, arms))
    squared = flat(raw, "quadratic")[:, None] * scale**2
    risks = flat(raw, "constant") + scale * flat(raw, "linear") + squared
    return {arm: risks[:, column] for column, arm in enumerate(arms)}


def mask_risks(params: Params, raw: Dataset) -> Floats:
    """Measured excess risk (R, cuts) of the mask sweep, without label noise (which shifts all cuts alike)."""
    return flat(raw, "mask_constant")


def relative_check(
    name: str, measured: Floats, predicted: float, allowed: float, resolution: float, hint: str = "n_samples"
) -> Check:
    """Mean of the trials over the prediction, minus one, with its own standard error."""
    ratio = measured / max(predicted, 1e-300)
    count = len(ratio)
    spread = float(ratio.std(ddof=1) / np.sqrt(count)) if count > 1 else 0.0
    return Check(
        name=name,
        deviation=float(ratio.mean()) - 1,
        allowance=(-allowed, allowed),
        resolution=resolution,
        standard_error=spread,
        dof=count - 1,
        replicates=count,
        raise_hint=hint,
    )
