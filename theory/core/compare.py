"""Prediction and measurement in, checks out: the comparison of a claim that writes none of its own.

An attribute ``comparison`` of a predicted variable says how it is compared: ``"difference"`` (the default) or
``"relative"``, in units of the prediction.
"""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt
from xarray import DataArray, Dataset

from theory.core.vocabulary import Check

Floats = npt.NDArray[np.float64]
ALLOWANCE, STANDARD_ERROR = "_allowance", "_se"


def shared_variables(prediction: Dataset, measured: Dataset) -> tuple[str, ...]:
    """Names that are both predicted and measured, without allowances and standard errors."""
    names = [str(name) for name in prediction.data_vars if name in measured.data_vars]
    return tuple(name for name in names if not name.endswith((ALLOWANCE, STANDARD_ERROR)))


def named_alike(prediction: Dataset, measured: Dataset) -> Dataset:
    """What was measured of what was predicted, with its standard errors, without further evidence."""
    names = shared_variables(prediction, measured)
    return measured[[name for name in measured.data_vars if str(name).removesuffix(STANDARD_ERROR) in names]]


def default_compare(
    prediction: Dataset, measured: Dataset, resolution: float, hint: str = "steps"
) -> tuple[Check, ...]:
    """A check for each shared variable: for each entry where it was sampled, at the worst entry where it is exact.

    >>> predicted, found = Dataset({"risk": 2.0, "risk_allowance": 0.1}), Dataset({"risk": 2.05})
    >>> [(check.name, round(check.deviation, 3)) for check in default_compare(predicted, found, 0.2)]
    [('risk', 0.05)]
    """
    checks: list[Check] = []
    for name in shared_variables(prediction, measured):
        checks += _checks(name, prediction, measured, resolution, hint)
    return tuple(checks)


def _checks(name: str, prediction: Dataset, measured: Dataset, resolution: float, hint: str) -> list[Check]:
    predicted = prediction[name]
    expected = _values(predicted)
    unit = np.abs(expected) if predicted.attrs.get("comparison") == "relative" else np.ones_like(expected)
    deviation = (_values(measured[name].transpose(*predicted.dims)) - expected) / unit
    allowed = _beside(prediction, name + ALLOWANCE, predicted) / unit
    errors = _beside(measured, name + STANDARD_ERROR, predicted) / unit
    attrs = measured[name + STANDARD_ERROR].attrs if name + STANDARD_ERROR in measured else {}
    dof, replicates = float(attrs.get("dof", inf)), int(attrs.get("replicates", 1))
    if not deviation.size:
        return []
    sampled = bool(errors.any())
    entries = range(deviation.size) if sampled else [int(np.argmax(np.abs(deviation) - allowed))]
    return [
        Check(
            name=_label(predicted, entry) if sampled else name,
            deviation=float(deviation.flat[entry]),
            allowance=(-float(allowed.flat[entry]), float(allowed.flat[entry])),
            resolution=resolution,
            standard_error=float(errors.flat[entry]),
            dof=dof,
            replicates=replicates,
            raise_hint=hint,
        )
        for entry in entries
    ]


def _values(variable: DataArray) -> Floats:
    return np.asarray(variable.values, dtype=np.float64)


def _beside(data: Dataset, name: str, like: DataArray) -> Floats:
    """A companion variable in the shape of ``like``; zero where there is none."""
    if name not in data:
        return np.zeros(like.shape)
    found: Any = data[name]
    return np.asarray(found.broadcast_like(like).transpose(*like.dims).values, dtype=np.float64)


def _label(variable: DataArray, entry: int) -> str:
    """``risk at model = H3``: a variable's entry by its coordinates."""
    if not variable.dims:
        return str(variable.name)
    places = np.unravel_index(entry, variable.shape)
    where = [f"{dim} = {variable[dim].values[at]}" for dim, at in zip(variable.dims, places, strict=True)]
    return f"{variable.name} at {', '.join(where)}"
