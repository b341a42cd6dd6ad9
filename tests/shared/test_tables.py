"""Delimited text: what is a header, a cell, a number; every fault is a sentence with its place."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.core.errors import DataError
from theory.shared.files.tables import Row, Table, read_table

GAPS = {"": math.nan, "true": 1.0}


def first_column(header: Sequence[str], first: Row) -> int | None:
    return 0 if isinstance(first[0], str) or header[:1] == ["id"] else None


def read(text: str) -> Table:
    return read_table(text.encode(), label_column=first_column)


@pytest.mark.parametrize(
    "text",
    [
        "1.5,2\n3,4e1",
        "1.5;2\n3;4e1\n",
        "1,5;2\n3;4e1",
        '"1,5"\t"2"\n3\t40',
        " 1.5   2 \n\t3 40",
        "# a note, with; marks\n\n1.5, 2\r\n  # another\r\n3,40.0\r\n\r\n",
        "1.5,2\r3,40\r",
    ],
)
def test_cells_are_found_however_they_are_separated(text: str) -> None:
    found = read(text)
    assert found.values.tolist() == [[1.5, 2], [3, 40]]
    assert found.names == ()
    assert found.labels is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a,b\n1,2", ("a", "b")),
        ('"a;b";c d\n1;2', ("a;b", "c d")),
        (",b\n1,2", ("", "b")),
        ("b\n1 2", ("", "b")),
        ("0,1,y\n1,2,3", ("0", "1", "y")),
        ("a#1,b_2\n1,2", ("a#1", "b_2")),
        ("1,2\n3,4", ()),
    ],
)
def test_a_header_is_told_from_data(text: str, names: tuple[str, ...]) -> None:
    assert read(text).names == names


def test_a_column_of_labels_keeps_its_texts() -> None:
    words = read('id,x\n"tea, green",1\ncup,2')
    assert words.labels is not None
    assert (words.labels.tolist(), words.names, words.values.tolist()) == (["tea, green", "cup"], ("x",), [[1], [2]])
    numbers = read("id,x\n7,1\n8,2")
    assert numbers.labels is not None
    assert numbers.labels.dtype == np.float64
    plain = read("tea,0,1\ncup,1,0")
    assert plain.labels is not None
    assert plain.labels.tolist() == ["tea", "cup"]


def test_words_stand_for_numbers_where_the_caller_says_so() -> None:
    found = read_table(b"a,b\n,TRUE\n1,2", words=GAPS).values
    np.testing.assert_array_equal(found, [[math.nan, 1], [1, 2]])


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("", "upload_empty", "no text"),
        ("# nothing but notes", "upload_empty", "no rows"),
        ("a,b", "upload_empty", "no rows"),
        ("a,b\n1,2\n\n3,tall", "not_numbers", r"column b, row 2 is 'tall' \(line 4\); expected a number"),
        ("1,2\n3,tall", "not_numbers", r"row 2, column 2 is 'tall' \(line 2\)"),
        ("0.5,0.25,x\n1,2,3", "not_numbers", "row 1, column 3 is 'x'"),
        ("2,2,x\n1,2,3", "not_numbers", "row 1, column 3 is 'x'"),
        ("1,2\n3,", "not_numbers", "row 2, column 2 is ''"),
        ("1,2\n3,1_0", "not_numbers", "'1_0'"),
        ("1;2,5\n3;1.5", "not_numbers", "'1.5'"),
        ("1\t1,234\n2\t5,678", "not_numbers", "'1,234'"),
        ("1,2\n3,4,5", "wrong_shape", r"row 2 of the table has 3 entries \(line 2\); expected 2"),
        ("a,b,c,d\n1,2", "wrong_shape", "the header has 4 names for 2 columns"),
        ('1,2\n"' + "1" * 200_000, "wrong_shape", "line 2 is no row"),
    ],
)
def test_faults_are_named_with_their_place(text: str, code: str, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        read_table(text.encode())
    assert caught.value.code == code


def test_the_caller_names_the_table_its_code_and_its_first_row() -> None:
    with pytest.raises(DataError, match="shape: row 1 of P has 1 entries"):
        read_table(b"1,2\n3", name="P", code="shape", first=0)
    with pytest.raises(DataError, match="row 1, column 1 is 'x'"):
        read_table(b"1,2\n3,x", first=0)


def test_limits_are_kept() -> None:
    assert read_table(b"1,2\n3,4", largest=(2, 2)).values.shape == (2, 2)
    with pytest.raises(DataError, match="more than 1 rows of 2 columns"):
        read_table(b"1,2\n3,4\nnever read", largest=(1, 2))
    with pytest.raises(DataError, match="2 columns; at most 1"):
        read_table(b"1,2\n3,4", largest=(2, 1))
    with pytest.raises(DataError, match="upload_too_large"):
        read_table(b"1,2\n3,4", most_bytes=3)


@given(st.lists(st.lists(st.floats(), min_size=3, max_size=3), min_size=1, max_size=5), st.sampled_from(",;\t "))
def test_every_number_comes_back_exactly(rows: list[list[float]], mark: str) -> None:
    text = "\n".join(mark.join(map(repr, row)) for row in rows)
    np.testing.assert_array_equal(read(text).values, rows)


@given(st.text(alphabet='01,.;\t "\n\r#ax_', max_size=40))
def test_any_text_gives_a_table_or_a_sentence(text: str) -> None:
    try:
        found = read(text)
    except DataError as error:
        assert str(error)
    else:
        assert found.values.ndim == 2
        assert found.labels is None or len(found.labels) == len(found.values)
