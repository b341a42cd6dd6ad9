"""Arrays as people save them, in NumPy's formats or JSON: sizes are checked before anything is allocated."""

from __future__ import annotations

import zipfile
import zlib
from io import BytesIO
from tokenize import TokenError
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from theory.core.errors import DataError
from theory.shared.files.text import MAX_UPLOAD_BYTES, check_size, short

LARGEST_JSON_NUMBER = 1e300
"""JSON can spell numbers that no float64 holds."""
_DAMAGED = (ValueError, EOFError, SyntaxError, TypeError, OverflowError, RecursionError, MemoryError, TokenError)
"""What NumPy raises for headers that are no headers."""


def read_arrays(
    content: bytes, suffix: str, kinds: str, most_bytes: int = MAX_UPLOAD_BYTES
) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a ``npz`` file by name, or the one of a ``npy`` file under the empty name.

    Raises:
        DataError: ``upload_too_large``, ``upload_binary`` or ``not_numbers``.
    """
    check_size(len(content), most_bytes)
    return read_archive(content, kinds, most_bytes) if suffix == "npz" else {"": read_array(content, kinds)}


def read_array(content: bytes, kinds: str, name: str = "the file") -> npt.NDArray[Any]:
    """One array of a ``.npy`` file; ``kinds`` are the letters of NumPy's kinds that are allowed.

    Raises:
        DataError: ``not_numbers`` or ``upload_binary``; the message names the array as ``name``.
    """
    shape, dtype, start = array_header(content, name)
    if dtype.kind not in kinds:
        raise DataError("not_numbers", f"{name} holds {dtype}; expected numbers (objects are never unpickled).")
    entries, found = 1, len(content) - start
    for length in shape:
        entries *= length
    if entries * dtype.itemsize != found:
        size = " x ".join(map(str, shape))
        raise DataError("upload_binary", f"{name} is damaged: {found} bytes for {size or 1} numbers of type {dtype}.")
    try:
        return np.lib.format.read_array(BytesIO(content), allow_pickle=False)
    except _DAMAGED:
        raise DataError("upload_binary", f"{name} is damaged: no array has shape {shape}.") from None


def array_header(content: bytes, name: str = "the file") -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Shape and type that a ``.npy`` file says it has, and where its numbers start; nothing is read of these.

    Raises:
        DataError: ``upload_binary``.
    """
    stream = BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
    except _DAMAGED:
        raise DataError("upload_binary", f"this is not a NumPy file: {name} is not in NumPy's format.") from None
    return shape, dtype, stream.tell()


def read_archive(content: bytes, kinds: str, most_bytes: int) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a ``.npz`` file by name; at most ``most_bytes`` when unpacked.

    Raises:
        DataError: ``upload_too_large``, ``upload_binary`` or ``not_numbers``.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            check_size(sum(entry.file_size for entry in archive.infolist()), most_bytes, " when unpacked")
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            return {name[:-4]: read_array(archive.read(name), kinds, f"array {name[:-4]}") for name in names}
    except DataError:
        raise
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, ValueError, EOFError, OSError) as error:
        raise DataError("upload_binary", f"this is not a NumPy archive ({error}).") from None


def matrix_from_json(rows: Any, name: str, code: str = "wrong_shape", first: int = 1) -> npt.NDArray[np.float64]:
    """Rows of numbers from parsed JSON as an array (N, p); ``first`` is the number of the first row in messages.

    Raises:
        DataError: ``code`` where these are not rows of one length, ``not_numbers``; the row is named.

    >>> matrix_from_json([[1, 2], [3, 4.5]], "P").tolist()
    [[1.0, 2.0], [3.0, 4.5]]
    """
    if not isinstance(rows, list):
        raise DataError(code, f"{name} is {short(repr(rows))}; expected rows of numbers.")
    listed = cast("list[Any]", rows)
    for number, row in enumerate(listed, first):
        if not isinstance(row, list):
            raise DataError(code, f"row {number} is {short(repr(row))}; expected a list of numbers.")
        cells = cast("list[Any]", row)
        for cell in cells:
            if isinstance(cell, bool) or not isinstance(cell, (int, float)) or abs(cell) > LARGEST_JSON_NUMBER:
                raise DataError("not_numbers", f"row {number} has {short(repr(cell))}; expected a number.")
        if len(cells) != len(listed[0]):
            found = f"row {number} of {name} has {len(cells)} entries"
            raise DataError(code, f"{found}; expected {len(listed[0])}, as in the first row.")
    return np.array(listed, dtype=np.float64).reshape(len(listed), len(listed[0]) if listed else 0)
