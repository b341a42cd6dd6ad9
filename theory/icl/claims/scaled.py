"""Measured quadratics in the scale c of the step ``c x'X'y``, as every claim about aligned prompts reads them."""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression
from theory.shared.statistics import mean_of, pooled, variables


def risk_at(quadratic: Floats, scale: float) -> Floats:
    """Risk (B,) of the scale c from constant, linear and quadratic parts (B, 3)."""
    return quadratic @ np.array([1.0, -2 * scale, scale**2])


def measure_scales(params: Params, problem: Regression, raw: Dataset) -> Dataset:
    """The best scale for every other prompt with its risk on the rest, and the risk of predicting 0.

    For each arm or dimension, whichever the prompts differ in.
    """
    (along,) = {"arm", "dimension"} & set(map(str, raw.scaled.dims))
    quadratic = pooled(raw.scaled)
    fit, test = quadratic[::2].sum(axis=0), quadratic[1::2]
    scales = np.divide(fit[:, 1], fit[:, 2], out=np.zeros(len(fit)), where=fit[:, 2] > 0)
    risks = np.stack([risk_at(test[:, place], scale) for place, scale in enumerate(scales.tolist())], axis=1)
    return raw.assign(
        scale=((along,), scales),
        **variables("risk", (along,), mean_of(risks)),
        **variables("label_power", (), mean_of(quadratic[:, 0, 0])),
    )
