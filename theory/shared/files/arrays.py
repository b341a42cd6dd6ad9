"""NumPy's file formats as people upload them: sizes are checked before anything is allocated, nothing is unpickled."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from theory.core.errors import DataError


def read_array(content: bytes, kinds: str, name: str = "the file") -> npt.NDArray[Any]:
    """One array of a ``.npy`` file; ``kinds`` are the letters of NumPy's kinds that are allowed.

    Raises:
        DataError: ``not_numbers`` or ``upload_binary``; the message names the array as ``name``.
    """
    stream = BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
        entries = 1
        for length in shape:
            entries *= int(length)
        if dtype.kind not in kinds:
            raise DataError("not_numbers", f"{name} holds {dtype}; expected numbers (objects are never unpickled).")
        if entries * dtype.itemsize != len(content) - stream.tell():
            raise DataError("upload_binary", f"{name} is damaged: its size is not that of {shape} entries.")
        stream.seek(0)
        return np.lib.format.read_array(stream, allow_pickle=False)
    except (ValueError, EOFError, SyntaxError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError("upload_binary", f"{name} is not in NumPy's format ({error}).") from None


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
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise DataError("upload_binary", f"this is not a NumPy archive ({error}).") from None


def check_size(size: int, most_bytes: int, when: str = "") -> None:
    """Refuse what has more than ``most_bytes``.

    Raises:
        DataError: ``upload_too_large``.
    """
    if size > most_bytes:
        found = f"{size / 2**20:,.1f} MiB{when}"
        raise DataError("upload_too_large", f"the file has {found}; at most {most_bytes // 2**20} MiB are read.")
