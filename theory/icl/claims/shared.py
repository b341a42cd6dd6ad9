"""What the claims of this room have in common: resolution, words, mutations and the check on sampled prompts."""

from __future__ import annotations

from collections.abc import Callable

from xarray import Dataset

from theory.core.vocabulary import Check
from theory.icl.problem import Floats
from theory.shared.statistics import relative_check

RESOLUTION = 0.05
ROUNDING = 1e-9
SQUARE = ("row", "column")
REJECTED = "A prediction off by twice the resolution was rejected in all of them."
NO_ALARM = "No false alarm in 40 blocks of 8 seeds that were not used for tuning"


def risk_check(name: str, risks: Floats, predicted: float, resolution: float = RESOLUTION) -> Check:
    """The prompts' risks (B,) against a prediction that is exact, in units of the prediction."""
    return relative_check(name, risks, predicted, ROUNDING, resolution, "replicates")


def lowered(*names: str) -> Callable[[Dataset, float], Dataset]:
    """A mutation: these variables smaller by the fraction ``amount``."""
    return lambda prediction, amount: prediction.assign(
        {name: prediction[name] / (1 + 1.05 * amount) for name in names}
    )
