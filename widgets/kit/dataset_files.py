"""Datasets as files for other programs: tidy tables and plain NetCDF."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import Dataset


def tidy(dataset: Dataset) -> DataFrame:
    """One row per value: ``variable``, a column per dimension (empty where it does not apply), ``value``, ``units``."""
    import pandas as pd

    dims = [str(dim) for dim in dataset.dims]
    frames: list[DataFrame] = []
    for name, variable in dataset.data_vars.items():
        own = [str(dim) for dim in variable.dims]
        columns: dict[str, Any] = {"variable": np.repeat(str(name), variable.size)}
        grids = np.indices(variable.shape).reshape(len(own), -1) if own else []
        for dim, index in zip(own, grids, strict=True):
            labels = dataset[dim].values if dim in dataset.coords else np.arange(dataset.sizes[dim])
            columns[dim] = labels[index]
        columns["value"] = variable.values.ravel()
        frames.append(pd.DataFrame(columns).assign(units=str(variable.attrs.get("units", ""))))
    order = ["variable", *dims, "value", "units"]
    if not frames:
        return pd.DataFrame(columns=order)
    return pd.concat([frame.astype(object) for frame in frames], ignore_index=True).reindex(columns=order)


def netcdf(dataset: Dataset) -> bytes:
    """The Dataset as a plain NetCDF-4 file that any reader understands: booleans as 0 and 1, simple attributes."""
    plain = dataset.copy()
    for name, variable in plain.variables.items():
        variable.attrs = _attributes(variable.attrs)
        if variable.dtype == bool:
            plain[name] = (variable.dims, variable.values.astype(np.int8), variable.attrs)
        elif variable.dtype.kind in "UO":
            plain[name] = (variable.dims, variable.values.astype(str).astype(object), variable.attrs)
    plain.attrs = _attributes(plain.attrs)
    return bytes(plain.to_netcdf(engine="h5netcdf"))


def _attributes(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    simple = (str, int, float, np.integer, np.floating)
    kept = {str(key): value for key, value in attrs.items() if value is not None}
    return {
        key: int(value) if isinstance(value, (bool, np.bool_)) else value if isinstance(value, simple) else str(value)
        for key, value in kept.items()
    }
