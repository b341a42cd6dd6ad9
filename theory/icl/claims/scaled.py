"""Reading measured quadratics in the scale c of the step ``c x'X'y``."""

from __future__ import annotations

from math import inf

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Check
from theory.icl.problem import Floats
from theory.icl.retrieval import Aligned
from theory.icl.simulation.prompt_risks import halves, mean_check, pooled, relative

RESOLUTION = 0.1


def risk_at(quadratic: Floats, scale: float) -> Floats:
    """Risk (B,) of the scale c from constant, linear and quadratic parts (B, 3)."""
    return quadratic @ np.array([1.0, -2 * scale, scale**2])


def described(aligned: Aligned, independent: Aligned, more: dict[str, float]) -> Dataset:
    """Scales and risks of aligned prompts and of independent ones, and further numbers by name."""
    both = (aligned, independent)
    found = Dataset(
        {
            "scale": (("arm",), np.array([float(item.c) for item in both]), {"long_name": "c of the step c I"}),
            "risk": (("arm",), np.array([float(item.risk) for item in both]), {"long_name": "best risk"}),
            "approximation": (
                (),
                float(aligned.risk_approx),
                {"long_name": "risk with an effective number of examples"},
            ),
            "label_power": ((), float(aligned.label_power), {"long_name": "risk of predicting 0", "spec_name": "M"}),
        },
        coords={"arm": ["aligned", "independent"]},
    )
    return found.assign({name: ((), value) for name, value in more.items()})


def scaled_checks(prediction: Dataset, raw: Dataset, name: str) -> tuple[Check, ...]:
    """Risk at the predicted scale, its excess over the scale found on other prompts, and the gap to no alignment."""
    quadratic = pooled(raw.scaled)
    predicted = prediction.risk.values
    scales = prediction.scale.values
    risk = float(predicted[0])
    unit = max(risk, 1e-300)
    fit, test = halves(quadratic[:, 0])
    bottom = float(fit[:, 2].sum())
    found = float(fit[:, 1].sum()) / bottom if bottom > 0 else 0.0
    paired = (risk_at(test, float(scales[0])) - risk_at(test, found)) / unit
    here, apart = (risk_at(quadratic[:, arm], float(scales[arm])) for arm in (0, 1))
    gap = (here - apart - float(predicted[0] - predicted[1])) / max(abs(float(predicted[1])), 1e-300)
    return (
        relative(f"risk of {name}", here, risk, RESOLUTION),
        mean_check("excess over the best scale on the prompts", paired, RESOLUTION, (-inf, 1e-9)),
        mean_check(f"{name} minus independent examples", gap, RESOLUTION),
    )
