"""Covariances in NumPy's formats."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from theory.core.errors import DataError
from theory.shared.files.arrays import check_size, read_archive, read_array

MOST_BYTES = 16 * 2**20
_NUMBER_KINDS = "fiu"
_ORDER = ("feature_covariance", "task_covariance", "new_task_covariance")


def arrays_of(content: bytes, suffix: str) -> dict[str, npt.NDArray[Any]]:
    """Arrays of a ``.npz`` file by name; a ``.npy`` file holds a task covariance, or features, tasks and new tasks.

    Raises:
        DataError: ``upload_too_large``, ``upload_binary``, ``not_numbers`` or ``wrong_shape``.
    """
    check_size(len(content), MOST_BYTES)
    if suffix == "npz":
        return read_archive(content, _NUMBER_KINDS, MOST_BYTES)
    table = read_array(content, _NUMBER_KINDS)
    if table.ndim == 2:
        return {"task_covariance": table}
    if table.ndim == 3 and len(table) in (2, 3):
        return dict(zip(_ORDER, table, strict=False))
    raise DataError("wrong_shape", f"the array has shape {table.shape}; expected (d, d), (2, d, d) or (3, d, d).")
