"""NumPy files that people upload: read when sound, refused with a sentence when not."""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pytest

from theory.core.errors import DataError
from theory.shared.files.arrays import array_header, matrix_from_json, read_archive, read_array, read_arrays

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

    assert read_arrays(saved(table), "npy", "f").keys() == {""}
    assert read_arrays(archive(a=table), "npz", "f").keys() == {"a"}
    assert array_header(saved(table))[:2] == ((2, 3), np.float64)


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
    with pytest.raises(DataError, match="too_large"):
        read_arrays(saved(np.zeros(MOST)), "npy", "f", MOST)


@pytest.mark.parametrize("shape", ["(2, 2", "(" * 4000 + "2" + ")" * 4000, "(2, -2)", "(0, 99999999999999999999999)"])
def test_headers_that_are_none_are_sentences(shape: str) -> None:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}".encode() + b"\n"
    with pytest.raises(DataError, match="upload_binary"):
        read_array(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header, "f")


def test_an_archive_is_measured_unpacked() -> None:
    bomb = archive(features=np.zeros(MOST))
    assert len(bomb) < MOST
    with pytest.raises(DataError, match="when unpacked"):
        read_archive(bomb, "f", MOST)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr("notes.txt", "no array")
    assert read_archive(stream.getvalue(), "f", MOST) == {}


def test_archives_with_broken_members_are_sentences() -> None:
    content = bytearray(archive(features=np.arange(100.0)))
    content[60:80] = b"\xff" * 20
    with pytest.raises(DataError, match="not a NumPy archive"):
        read_archive(bytes(content), "f", MOST)


def test_a_matrix_of_json_is_rows_of_numbers() -> None:
    assert matrix_from_json([[1, 2.5]], "P").tolist() == [[1, 2.5]]
    assert matrix_from_json([], "P").shape == (0, 0)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (3, "bad: P is 3"),
        ([[1], 2], "bad: row 1 is 2"),
        ([[1], [1, 2]], "bad: row 1 of P has 2 entries; expected 1"),
        ([[1, "0.5"]], "not_numbers: row 0 has '0.5'"),
        ([[False]], "not_numbers: row 0 has False"),
        ([[10**400]], "not_numbers: row 0 has 1000"),
    ],
)
def test_json_that_is_no_matrix_is_refused(rows: object, says: str) -> None:
    with pytest.raises(DataError, match=says):
        matrix_from_json(rows, "P", "bad", first=0)
