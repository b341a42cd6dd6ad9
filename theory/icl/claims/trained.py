"""How trained layers are compared with a predicted step: paired on fresh prompts, where training has arrived."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from xarray import Dataset

from theory.core.judge import quantile
from theory.core.vocabulary import Check
from theory.icl.parameters import Params
from theory.icl.problem import Floats

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
    kept: Floats
    settled: bool

    @property
    def tally(self) -> str:
        return f"{int(self.kept.sum())} of {len(self.kept)} models"


def allowance(params: Params, dim: int, n_parameters: int) -> float:
    """Excess relative to the optimum that training leaves: 16 p F / (B T).

    A cosine averages about a quarter of the T steps of B fresh prompts, so training is a least squares fit of p numbers
    to B T / 4 prompts, whose relative excess is p over that; 4 times that covers the spread over models.
    """
    sampled = params.query == "sampled" or (params.design == "rag" and params.features == "signs")
    return 16 * n_parameters * (SAMPLED_QUERY if sampled else 1.0) / (params.batch_size * params.steps)


def query_risk(raw: Dataset, direction: Floats) -> Floats:
    """Squared error (seed, prompt) of ``x' direction``, averaged over queries; label noise left out."""
    off = raw.task.values - direction
    spread = off @ raw.query_root.values
    return (spread**2).sum(axis=-1) + (off * raw.query_mean.values).sum(axis=-1) ** 2


def arrived(raw: Dataset, predicted: Floats, risk: float, margin: float, resolution: float) -> Arrived:
    """Paired excess of the layers' directions over the ``predicted`` ones (seed, prompt, feature)."""
    unit = max(risk, 1e-300)
    paired = (query_risk(raw, raw.odd.values + raw.even.values) - query_risk(raw, predicted)) / unit
    each, prompts = paired.mean(axis=1), paired.shape[1]
    kept = each <= each.min() + resolution
    errors = paired.std(axis=1, ddof=1) / np.sqrt(prompts)
    fall = (raw.fall.values - quantile(inf, len(each)) * raw.fall_error.values) / unit
    count = int(kept.sum())
    error = float(np.sqrt((errors[kept] ** 2).sum()) / count)
    return Arrived(float(each[kept].mean()), error, kept, bool((fall[kept] <= margin).all()))


def risk_checks(raw: Dataset, found: Arrived, risk: float, margin: float, resolution: float) -> tuple[Check, ...]:
    """None below, reached from above, and no part that is even in the labels; relative to the predicted risk."""
    high = margin if found.settled else max(10 * resolution, 2 * found.excess)
    prompts = raw.sizes["prompt"] * int(found.kept.sum())
    lower = Check(
        name="lower bound respected",
        deviation=found.excess,
        allowance=(0.0, inf),
        resolution=resolution,
        standard_error=found.error,
        replicates=prompts,
    )
    upper = Check(
        name=f"excess over the best step ({found.tally})",
        deviation=found.excess,
        allowance=(-inf, high),
        resolution=resolution,
        standard_error=found.error,
        replicates=prompts,
        raise_hint="steps",
    )
    direction = raw.even.values[found.kept]
    spread = ((direction @ raw.query_root.values[found.kept]) ** 2).sum(axis=-1)
    even = spread + (direction * raw.query_mean.values[found.kept]).sum(axis=-1) ** 2
    size = float(even.mean()) / max(risk, 1e-300)
    error = float(even.std(ddof=1) / np.sqrt(even.size)) / max(risk, 1e-300)
    return (
        lower,
        upper,
        Check(
            name="part even in the labels",
            deviation=size,
            allowance=(-inf, high),
            resolution=resolution,
            standard_error=error,
            raise_hint="steps",
        ),
    )


def scaled_off(prediction: Dataset, amount: float) -> Dataset:
    """The step scaled so that its risk is above the optimum by ``amount`` times the optimum."""
    gain = float(prediction.label_power - prediction.risk)
    factor = 1 + np.sqrt(1.05 * amount * float(prediction.risk) / max(gain, 1e-300))
    return prediction.assign(preconditioner=prediction.preconditioner * factor)
