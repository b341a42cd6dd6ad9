"""Statistics of replicates: means with their standard errors, as numbers, as labelled variables and as checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
from xarray import DataArray, Dataset

from theory.core.compare import STANDARD_ERROR
from theory.core.vocabulary import Check

Floats = npt.NDArray[np.float64]
TINY = 1e-300
"""Stands for a prediction of zero in a ratio."""


def pooled(values: DataArray, along: Sequence[str] = ("seed", "replicate")) -> Floats:
    """A variable with all replicates of all seeds along the first axis.

    >>> pooled(DataArray(np.zeros((2, 3, 5)), dims=("seed", "replicate", "arm"))).shape
    (6, 5)
    """
    present = [dim for dim in along if dim in values.dims]
    found = values.transpose(*present, ...).values
    return found.reshape(-1, *found.shape[len(present) :]).astype(np.float64)


def standard_error(values: npt.ArrayLike) -> Any:
    """Standard error of the mean along the first axis; 0 from a single value.

    >>> float(standard_error([1.0, 3.0]))
    1.0
    """
    found = np.asarray(values, dtype=np.float64)
    count = len(found)
    return found.std(axis=0, ddof=1) / sqrt(count) if count > 1 else np.zeros(found.shape[1:])


@dataclass(frozen=True, eq=False)
class Mean:
    """Mean and standard error of replicates, and how many there were; arrays keep all axes but the first."""

    mean: Any
    error: Any
    count: int


def mean_of(values: npt.ArrayLike) -> Mean:
    """Mean of replicates along the first axis, with its standard error.

    >>> mean_of([1.0, 3.0])
    Mean(mean=2.0, error=1.0, count=2)
    """
    found = np.asarray(values, dtype=np.float64)
    mean, error = found.mean(axis=0), standard_error(found)
    if found.ndim == 1:
        mean, error = float(mean), float(error)
    return Mean(mean, error, len(found))


def variables(name: str, dims: Sequence[str], found: Mean, **attrs: object) -> dict[str, Any]:
    """A measured variable and its standard error, ready for a Dataset; the error knows its degrees of freedom.

    >>> {name: entry[1] for name, entry in variables("risk", (), mean_of([1.0, 3.0])).items()}
    {'risk': 2.0, 'risk_se': 1.0}
    """
    about = {"dof": max(found.count - 1, 1), "replicates": found.count}
    return {name: (tuple(dims), found.mean, attrs), name + STANDARD_ERROR: (tuple(dims), found.error, about)}


def ratio_of(above: npt.ArrayLike, below: npt.ArrayLike) -> Mean:
    """Ratio of two means over the same replicates (R, ...), with the standard error of the delta method.

    >>> ratio_of([1.0, 3.0], [2.0, 6.0])
    Mean(mean=0.5, error=0.0, count=2)
    """
    top, bottom = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    scale = bottom.mean(axis=0)
    ratio = top.mean(axis=0) / scale
    residual = mean_of((top - ratio * bottom) / scale)
    return Mean(ratio if ratio.ndim else float(ratio), residual.error, residual.count)


def entry_of(measured: Dataset, name: str, **at: object) -> Mean:
    """One entry of a variable that :func:`variables` made, with its standard error."""
    value: Any = measured[name]
    error: Any = measured[name + STANDARD_ERROR]
    return Mean(float(value.sel(at)), float(error.sel(at)), int(error.attrs["replicates"]))


def difference_check(
    name: str,
    found: Mean,
    expected: float,
    allowance: tuple[float, float],
    resolution: float,
    hint: str = "replicates",
    unit: float = 1.0,
) -> Check:
    """What was found less what is expected, in multiples of ``unit``; ``allowance`` counts these too."""
    return Check(
        name=name,
        deviation=(found.mean - expected) / unit,
        allowance=allowance,
        resolution=resolution,
        standard_error=found.error / unit,
        dof=max(found.count - 1, 1),
        replicates=found.count,
        raise_hint=hint,
    )


def mean_check(
    name: str, values: npt.ArrayLike, allowance: tuple[float, float], resolution: float, hint: str = "replicates"
) -> Check:
    """The mean of replicates (R,), which should lie in ``allowance``, with its own standard error."""
    return difference_check(name, mean_of(values), 0.0, allowance, resolution, hint)


def relative_check(
    name: str, values: npt.ArrayLike, predicted: float, allowed: float, resolution: float, hint: str = "n_samples"
) -> Check:
    """The mean of replicates (R,) over the prediction, minus one; ``allowed`` is relative too."""
    ratio = np.asarray(values, dtype=np.float64) / max(predicted, TINY)
    return mean_check(name, ratio - 1, (-allowed, allowed), resolution, hint)
