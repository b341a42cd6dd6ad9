"""NumPy files that people upload: read when sound, refused with a sentence when not."""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pytest

from theory.core.errors import DataError
from theory.shared.files.arrays import read_archive, read_array

MOST = 10_000


def saved(array: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(array))
    return stream.getvalue()


def archive(**arrays: object) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **{name: np.asarray(array) for name, array in arrays.items()})
    return stream.getvalue()


def test_reads_what_numpy_wrote() -> None:
    table = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(read_array(saved(table), "f"), table)
    found = read_archive(archive(features=table, labels=[1, 2]), "fi", MOST)
    assert found.keys() == {"features", "labels"}
    np.testing.assert_array_equal(found["features"], table)


def test_refuses_objects_damage_and_what_is_no_array() -> None:
    with pytest.raises(DataError, match="never unpickled"):
        read_array(saved(np.array([{}], dtype=object)), "fiu")
    with pytest.raises(DataError, match="damaged"):
        read_array(saved([1.0, 2.0])[:-3], "f")
    with pytest.raises(DataError, match="not in NumPy's format"):
        read_array(pickle.dumps([1]), "f")
    with pytest.raises(DataError, match="not a NumPy archive"):
        read_archive(b"PK\x03\x04 nothing", "f", MOST)


def test_a_header_that_promises_too_much_allocates_nothing() -> None:
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**9)}
    np.lib.format.write_array_header_1_0(stream, header)
    with pytest.raises(DataError, match="damaged"):
        read_array(stream.getvalue() + b"\0" * 64, "f")


def test_an_archive_is_measured_unpacked() -> None:
    bomb = archive(features=np.zeros(MOST))
    assert len(bomb) < MOST
    with pytest.raises(DataError, match="when unpacked"):
        read_archive(bomb, "f", MOST)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr("notes.txt", "no array")
    assert read_archive(stream.getvalue(), "f", MOST) == {}
