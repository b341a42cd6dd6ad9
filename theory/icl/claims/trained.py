"""How trained layers are compared with a predicted step: paired on fresh prompts, where training has arrived."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.core.judge import quantile
from theory.core.vocabulary import Check
from theory.icl.parameters import Params
from theory.icl.problem import Floats
from theory.shared.statistics import TINY, mean_of, variables

SAMPLED_QUERY = 10.0
"""How much more the excess is when one query per prompt is drawn instead of averaging over queries (measured)."""


@dataclass(frozen=True, eq=False)
class Arrived:
    """Excess risk of the trained models over a step, relative to its risk, for the models that ended lowest.

    Training can end in other minima, about which the theorem is silent: models whose excess is beyond the best one's
    by more than the resolution are left out. ``settled`` is False when one that is kept was still falling.
    """

    excess: float
    error: float
    kept: npt.NDArray[np.bool_]
    settled: bool


def allowance(params: Params, dim: int, n_parameters: int) -> float:
    """Excess relative to the optimum that training leaves: 16 p F / (B T).

    A cosine averages about a quarter of the T steps of B fresh prompts, so training is a least squares fit of p numbers
    to B T / 4 prompts, whose relative excess is p over that; 4 times that covers the spread over models.
    """
    sampled = params.query == "sampled" or (params.design == "rag" and params.features == "signs")
    return 16 * n_parameters * (SAMPLED_QUERY if sampled else 1.0) / (params.batch_size * params.steps)


def query_risk(data: Dataset, direction: Any) -> Floats:
    """Squared error (seed, prompt) of ``x' direction``, averaged over queries; label noise left out."""
    return _squared(data, data.task.values - direction)


def _squared(data: Dataset, off: Floats) -> Floats:
    """Mean of ``(x' off)^2`` over queries, (seed, prompt)."""
    spread = ((off @ data.query_root.values) ** 2).sum(axis=-1)
    return spread + (off * data.query_mean.values).sum(axis=-1) ** 2


def risks_of(data: Dataset, noise: float) -> dict[str, Any]:
    """Risk of the trained layers, and of predicting 0, on all fresh prompts."""
    layers, nothing = query_risk(data, data.odd.values + data.even.values), query_risk(data, 0.0)
    return variables("risk", (), mean_of(layers.ravel() + noise)) | variables(
        "label_power", (), mean_of(nothing.ravel() + noise)
    )


def arrived(data: Dataset, predicted: Floats, risk: float, margin: float, resolution: float) -> Arrived:
    """Paired excess of the layers' directions over the ``predicted`` ones (seed, prompt, feature)."""
    unit = max(risk, TINY)
    paired = mean_of((query_risk(data, data.odd.values + data.even.values) - query_risk(data, predicted)).T / unit)
    kept = paired.mean <= paired.mean.min() + resolution
    fall = (data.fall.values - quantile(inf, len(kept)) * data.fall_error.values) / unit
    error = float(np.linalg.norm(paired.error[kept])) / int(kept.sum())
    return Arrived(float(paired.mean[kept].mean()), error, kept, bool((fall[kept] <= margin).all()))


def risk_checks(data: Dataset, found: Arrived, risk: float, margin: float, resolution: float) -> tuple[Check, ...]:
    """None below, reached from above, and no part that is even in the labels; relative to the predicted risk."""
    high = margin if found.settled else max(10 * resolution, 2 * found.excess)
    models = int(found.kept.sum())
    excess: dict[str, Any] = {"deviation": found.excess, "standard_error": found.error, "resolution": resolution}
    prompts = data.sizes["prompt"] * models
    even = mean_of(_squared(data, data.even.values)[found.kept].ravel() / max(risk, TINY))
    return (
        Check(name="lower bound respected", allowance=(0.0, inf), replicates=prompts, **excess),
        Check(
            name=f"excess over the best step ({models} of {len(found.kept)} models)",
            allowance=(-inf, high),
            replicates=prompts,
            **excess,
        ),
        Check(
            name="part even in the labels",
            deviation=even.mean,
            allowance=(-inf, high),
            resolution=resolution,
            standard_error=even.error,
        ),
    )


def scaled_off(prediction: Dataset, amount: float) -> Dataset:
    """The step scaled so that its risk is above the optimum by ``amount`` times the optimum."""
    gain = float(prediction.label_power - prediction.risk)
    factor = 1 + np.sqrt(1.05 * amount * float(prediction.risk) / max(gain, TINY))
    return prediction.assign(preconditioner=prediction.preconditioner * factor)
