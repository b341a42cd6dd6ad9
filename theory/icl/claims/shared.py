"""What the claims of this room have in common: resolution, words, mutations and the check on sampled prompts."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from xarray import Dataset

from theory.core.vocabulary import Check
from theory.icl.problem import Floats
from theory.shared.statistics import mean_check, relative_check

RESOLUTION = 0.05
ROUNDING = 1e-9
SQUARE = ("row", "column")
REJECTED = "A prediction off by twice the resolution was rejected in all of them."
NO_ALARM = "No false alarm in 40 blocks of 8 seeds that were not used for tuning"


def risk_check(name: str, risks: Floats, predicted: float, resolution: float = RESOLUTION) -> Check:
    """The prompts' risks (B,) against a prediction that is exact, in units of the prediction."""
    return relative_check(name, risks, predicted, ROUNDING, resolution, "replicates")


def exact_check(name: str, off: float, rounding: float, resolution: float) -> Check:
    """An identity, up to rounding."""
    return Check(name=name, deviation=off, allowance=(-rounding, rounding), resolution=resolution)


def excess_check(what: str, paired: Floats, resolution: float = RESOLUTION) -> Check:
    """Excess (B,) over what was found on other prompts, which in the mean is never better than the optimum."""
    return mean_check(f"excess over the best {what} on the prompts", paired, (-inf, ROUNDING), resolution)


def lowered(*names: str) -> Callable[[Dataset, float], Dataset]:
    """A mutation: these variables smaller by the fraction ``amount``."""
    return lambda prediction, amount: prediction.assign(
        {name: prediction[name] / (1 + 1.05 * amount) for name in names}
    )
