"""Tables of features in files: CSV, NPY and NPZ, parsed and never executed; every message names row and column."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from typing import Any

import numpy as np
import numpy.typing as npt

from theory.core.errors import DataError
from theory.distillation.problem import Floats
from theory.shared.files.arrays import check_size, read_archive, read_array
from theory.shared.files.text import decode_upload

MOST_BYTES = 200 * 2**20
MOST_ENTRIES = 25_000_000
LABEL_NAMES = ("y", "label", "labels", "target", "targets")
FEATURE_NAMES = ("features", "x", "f")
_NUMBER_KINDS = "fiub"
_ARRAY_KINDS = _NUMBER_KINDS + "US"


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features (N, p), labels (N,) or (N, o) as they stand in the file (numbers or texts) or None, column names."""

    features: Floats
    labels: npt.NDArray[Any] | None
    names: tuple[str, ...] = ()


def read_table(content: bytes, filename: str) -> FeatureTable:
    """Read a file by its name: ``.npy``, ``.npz``, and all else as CSV with commas, semicolons, tabs or spaces.

    Raises:
        DataError: ``upload_too_large``, ``upload_binary``, ``not_numbers``, ``missing_values``, ``wrong_shape``,
            ``rows_mismatch`` or ``too_many_numbers``.
    """
    check_size(len(content), MOST_BYTES)
    suffix = filename.lower().rpartition(".")[2]
    if suffix == "npy":
        return _checked(read_array(content, _ARRAY_KINDS), None)
    return _from_npz(content) if suffix == "npz" else _from_csv(content)


def _from_csv(content: bytes) -> FeatureTable:
    text = decode_upload(content, MOST_BYTES)
    first = next((line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")), "")
    delimiter = next((mark for mark in ";\t," if mark in first), r"\s+")
    cells = re.split(r"\s+", first.strip()) if delimiter == r"\s+" else first.split(delimiter)
    decimal = "," if delimiter in (";", "\t") and re.search(r"\d,\d", text[:10_000]) else "."
    stripped = [cell.strip().strip('"') for cell in cells]
    headed = not any(cell and _is_number(cell.replace(decimal, ".")) for cell in stripped) and any(stripped)
    pandas: Any = import_module("pandas")  # heavy, and without types
    try:
        frame: Any = pandas.read_csv(
            StringIO(text),
            sep=delimiter,
            header=0 if headed else None,
            decimal=decimal,
            comment="#",
            skipinitialspace=True,
            low_memory=False,
        )
    except (ValueError, OverflowError) as error:
        raise DataError("wrong_shape", f"this is not a table: {str(error).strip().splitlines()[-1]}.") from None
    names = [str(name).strip() if headed else f"column {position + 1}" for position, name in enumerate(frame.columns)]
    label = next((at for at, name in enumerate(names) if name.lower() in LABEL_NAMES), None)
    own = [at for at in range(len(names)) if at != label and not _is_row_number(names[at], frame.iloc[:, at])]
    for at in own:
        _check_numbers(frame.iloc[:, at], names[at])
    if not own:
        raise DataError("wrong_shape", "the table has no column of features.")
    features = frame.iloc[:, own].to_numpy(dtype=np.float64)
    labels = None
    if label is not None:
        column: Any = frame.iloc[:, label]
        _check_present(column.isna().to_numpy(), f"column {names[label]}")
        number = column.dtype.kind in _NUMBER_KINDS
        labels = column.to_numpy() if number else column.astype(str).to_numpy().astype(np.str_)
    return _checked(features, labels, tuple(names[at] for at in own))


def _from_npz(content: bytes) -> FeatureTable:
    arrays = read_archive(content, _ARRAY_KINDS, MOST_BYTES)
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
    for values, of in ((table, "features"), (labels, "labels")):
        if values is not None and values.dtype.kind == "f":
            wrong = ~np.isfinite(values.reshape(len(values), -1))
            if wrong.any():
                column = int(wrong.any(axis=0).argmax())
                where = f"column {names[column]}" if names and of == "features" else f"column {column + 1} of the {of}"
                _check_present(wrong[:, column], where, int(wrong.any(axis=1).sum()))
    return FeatureTable(table, labels, names)


def _check_present(missing: npt.NDArray[np.bool_], where: str, rows: int | None = None) -> None:
    if missing.any():
        count = int(missing.sum()) if rows is None else rows
        detail = f"{where}, row {int(missing.argmax()) + 1} has no finite number or text"
        raise DataError("missing_values", f"{detail}; {count:,} rows are incomplete: remove or complete them.")


def _check_numbers(column: Any, name: str) -> None:
    if column.dtype.kind in _NUMBER_KINDS:
        return
    for row, value in enumerate(column.tolist(), start=1):
        if not isinstance(value, float) and not _is_number(str(value)):
            detail = f"column {name}, row {row} is {str(value)[:40]!r}"
            raise DataError("not_numbers", f"{detail}; expected a number. Only a label column may hold texts.")
    raise DataError("not_numbers", f"column {name} does not hold plain numbers.")


def _is_row_number(name: str, column: Any) -> bool:
    """The unnamed first column of a table that was written with its row numbers."""
    return name.startswith("Unnamed") and column.dtype.kind == "i" and column.tolist() == list(range(len(column)))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell == ""
    return True
