"""Tables of features in files: CSV, NPY and NPZ, parsed and never executed; every message names row and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from theory.core.errors import DataError
from theory.distillation.problem import Floats
from theory.shared.files.arrays import read_arrays
from theory.shared.files.tables import MOST_ENTRIES, Row, check_finite, read_table

MOST_BYTES = 200 * 2**20
LABEL_NAMES = ("y", "label", "labels", "target", "targets")
FEATURE_NAMES = ("features", "x", "f")
_NUMBER_KINDS = "fiub"
_ARRAY_KINDS = _NUMBER_KINDS + "US"
_MISSING = ("", "nan", "na", "n/a", "<na>", "#n/a", "#na", "null", "none")
_WORDS = {"true": 1.0, "false": 0.0, **dict.fromkeys(_MISSING, float("nan"))}
"""What pandas and R write in columns of numbers."""


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features (N, p), labels (N,) or (N, o) as they stand in the file (numbers or texts) or None, column names."""

    features: Floats
    labels: npt.NDArray[Any] | None
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_features(content: bytes, filename: str) -> FeatureTable:
    """Read a file by its name: ``.npy``, ``.npz``, and all else as a table with commas, semicolons, tabs or spaces.

    Raises:
        DataError: ``upload_too_large``, ``upload_binary``, ``not_numbers``, ``missing_values``, ``wrong_shape``,
            ``rows_mismatch`` or ``too_many_numbers``.
    """
    suffix = filename.lower().rpartition(".")[2]
    if suffix not in ("npy", "npz"):
        return _from_text(content)
    arrays = read_arrays(content, suffix, _ARRAY_KINDS, MOST_BYTES)
    return _checked(arrays[""], None) if suffix == "npy" else _from_archive(arrays)


def _from_text(content: bytes) -> FeatureTable:
    table = read_table(content, label_column=_label_column, words=_WORDS, most_bytes=MOST_BYTES)
    features, names, notes = table.values, table.names, ()
    if names and not names[0] and _are_row_numbers(features[:, 0]):
        features, names, notes = features[:, 1:], names[1:], ("A column of row numbers was left out.",)
    if not features.shape[1]:
        raise DataError("wrong_shape", "the table has no column of features.")
    if table.labels is not None and table.labels.dtype.kind == "U":
        check_finite(np.where(np.isin(np.char.lower(table.labels), _MISSING), np.nan, 0.0), of="labels")
    return replace(_checked(features, table.labels, names), notes=notes)


def _label_column(header: Sequence[str], _: Row) -> int | None:
    return next((at for at, name in enumerate(header) if name.lower() in LABEL_NAMES), None)


def _are_row_numbers(column: Floats) -> bool:
    """What pandas (from 0) and R (from 1) write before the first column."""
    return column[0] in (0, 1) and np.array_equal(column, column[0] + np.arange(len(column)))


def _from_archive(arrays: Mapping[str, npt.NDArray[Any]]) -> FeatureTable:
    tables = [name for name, array in arrays.items() if array.ndim == 2 and name.lower() not in LABEL_NAMES]
    chosen = next((name for name in tables if name.lower() in FEATURE_NAMES), tables[0] if len(tables) == 1 else None)
    if chosen is None:
        found = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "no arrays"
        raise DataError("wrong_shape", f"the file has {found}; expected a table named features, and perhaps labels.")
    label = next((name for name in arrays if name.lower() in LABEL_NAMES), None)
    return _checked(arrays[chosen], None if label is None else arrays[label])


def _checked(features: npt.NDArray[Any], labels: npt.NDArray[Any] | None, names: tuple[str, ...] = ()) -> FeatureTable:
    if features.ndim != 2 or not features.size:
        raise DataError("wrong_shape", f"features have shape {features.shape}; expected rows of samples by columns.")
    if features.dtype.kind not in _NUMBER_KINDS:
        raise DataError("not_numbers", f"features hold {features.dtype}; expected numbers.")
    if features.size > MOST_ENTRIES:
        found = f"{features.shape[0]:,} x {features.shape[1]:,} numbers"
        raise DataError("too_many_numbers", f"the features are {found}; at most {MOST_ENTRIES:,} are read.")
    if labels is not None and (labels.ndim not in (1, 2) or len(labels) != len(features)):
        raise DataError("rows_mismatch", f"{len(features):,} rows of features, but labels of shape {labels.shape}.")
    table = np.ascontiguousarray(features, dtype=np.float64)
    check_finite(table, names, "features")
    if labels is not None and labels.dtype.kind == "f":
        check_finite(labels, of="labels")
    return FeatureTable(table, labels, names)
