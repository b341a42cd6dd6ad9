"""Covariances in NumPy's formats; sizes are checked against headers before anything is allocated, nothing unpickled."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from theory.errors import DataError

MOST_BYTES = 16 * 2**20
_ORDER = ("feature_covariance", "task_covariance", "new_task_covariance")


def arrays_of(content: bytes, suffix: str) -> dict[str, npt.NDArray[Any]]:
    """Arrays of a ``.npz`` file by name; a ``.npy`` file holds a task covariance, or features, tasks and new tasks.

    Raises:
        DataError: ``upload_too_large``, ``upload_binary``, ``not_numbers`` or ``wrong_shape``.
    """
    _check_size(len(content))
    if suffix == "npz":
        return _from_archive(content)
    table = _array(content, "the file")
    if table.ndim == 2:
        return {"task_covariance": table}
    if table.ndim == 3 and len(table) in (2, 3):
        return dict(zip(_ORDER, table, strict=False))
    raise DataError("wrong_shape", f"the array has shape {table.shape}; expected (d, d), (2, d, d) or (3, d, d).")


def _from_archive(content: bytes) -> dict[str, npt.NDArray[Any]]:
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            _check_size(sum(entry.file_size for entry in archive.infolist()))
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            return {name[:-4]: _array(archive.read(name), f"array {name[:-4]}") for name in names}
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise DataError("upload_binary", f"this is not a NumPy archive ({error}).") from None


def _array(content: bytes, name: str) -> npt.NDArray[Any]:
    stream = BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
        entries = 1
        for length in shape:
            entries *= int(length)
        if dtype.kind not in "fiu":
            raise DataError("not_numbers", f"{name} holds {dtype}; expected numbers (objects are never unpickled).")
        if entries * dtype.itemsize != len(content) - stream.tell():
            raise DataError("upload_binary", f"{name} is damaged: its size is not that of {shape} entries.")
        stream.seek(0)
        return np.lib.format.read_array(stream, allow_pickle=False)
    except (ValueError, EOFError, SyntaxError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError("upload_binary", f"{name} is not in NumPy's format ({error}).") from None


def _check_size(size: int) -> None:
    if size > MOST_BYTES:
        found, most = size / 2**20, MOST_BYTES // 2**20
        raise DataError("upload_too_large", f"the file has {found:,.1f} MiB; at most {most} MiB are read.")
