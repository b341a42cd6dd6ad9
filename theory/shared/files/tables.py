"""Tables as people save them: delimited text, with or without a header; messages name row, column and line."""

from __future__ import annotations

import csv
import re
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from theory.core.errors import DataError
from theory.shared.files.text import MAX_UPLOAD_BYTES, decode_upload, short

MOST_ENTRIES = 25_000_000
Row = Sequence[float | str]
"""Cells as numbers where they are numbers."""
_DECIMAL_COMMA = re.compile(r"(?<!\d)0,\d|\d,(?!\d{3}(?!\d))\d")
"""A comma that cannot separate thousands; where all can, 1,234 is no number."""
_LINE = re.compile(r"([^\r\n]*)(?:\r\n|\r|\n|\Z)")
_NO_WORDS: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers ``values`` (N, p), the ``names`` of the p columns if there is a header, and the column of ``labels``.

    ``labels`` (N,) is the column that may hold texts, if there is one: float64 where all its cells are numbers.
    """

    values: npt.NDArray[np.float64]
    names: tuple[str, ...] = ()
    labels: npt.NDArray[Any] | None = None


def read_table(
    content: bytes,
    *,
    label_column: Callable[[Sequence[str], Row], int | None] = lambda _header, _first: None,
    words: Mapping[str, float] = _NO_WORDS,
    most_bytes: int = MAX_UPLOAD_BYTES,
    largest: tuple[int, int] = (MOST_ENTRIES, MOST_ENTRIES),
    name: str = "the table",
    code: str = "wrong_shape",
    first: int = 1,
) -> Table:
    r"""Rows of numbers separated by semicolons, tabs, commas or else white space, perhaps below a header.

    Empty lines and lines that start with # are skipped. A first row of texts is a header; so is one with texts above
    numbers whose own numbers are whole and all different, as in names that pandas gives. A header that is one name
    short lacks the name of the first column. Decimal commas are read where commas separate no cells, and not all of
    them can separate thousands.

    Args:
        content: the file.
        label_column: from header (empty if there is none) and first row to the column that may hold texts.
        words: what else counts as a number, in small letters: ``{"": nan}`` lets cells be empty.
        most_bytes: largest file.
        largest: most rows and columns; a table has at most ``MOST_ENTRIES`` entries.
        name: what messages call the table.
        code: of errors of shape.
        first: number of the first row and of the first column in messages.

    Raises:
        DataError: what :func:`decode_upload` raises, ``code``, ``upload_empty``, ``not_numbers`` or
            ``too_many_numbers``. Values may be NaN or infinite: only the caller knows what these mean.

    >>> read_table(b"x;y\n1;2,5").values.tolist()
    [[1.0, 2.5]]
    """
    text = decode_upload(content, most_bytes)
    delimiter = _delimiter(text)
    decimal = "," if delimiter != "," and "," in text and _DECIMAL_COMMA.search(text) else "."
    rows = _rows(text, delimiter, code)
    start = list(islice(rows, 2))
    header: list[str] = []
    if start and _is_header(_parsed(start[0][1], decimal, _NO_WORDS), _parsed(start[-1][1], decimal, words)):
        header = [cell.strip() for cell in start.pop(0)[1]]
    if not start:
        raise DataError("upload_empty", "the file has no rows of numbers.")
    width = len(start[0][1])
    if len(header) == width - 1 > 0:
        header.insert(0, "")
    if width > largest[1]:
        raise DataError("too_many_numbers", f"{name} has {width:,} columns; at most {largest[1]:,} are read.")
    label = label_column(header, _parsed(start[0][1], decimal, words))
    if header and len(header) != width:
        raise DataError(code, f"the header has {len(header)} names for {width} columns.")
    if header and label is not None:
        header.pop(label)
    values, labels, row = array("d"), list[str](), first
    for row, (line, cells) in enumerate(chain(start, rows), first):
        if len(cells) != width:
            found = f"row {row} of {name} has {len(cells)} entries (line {line})"
            raise DataError(code, f"{found}; expected {width}, as in the first row.")
        if label is not None:
            labels.append(cells.pop(label).strip())
        numbers = _parsed(cells, decimal, words)
        try:
            values.fromlist(cast("list[float]", numbers))
        except TypeError:
            column = next(column for column, cell in enumerate(numbers) if isinstance(cell, str))
            known = header[column] if header else ""
            place = f"column {short(known)}, row {row}" if known else f"row {row}, column {column + first}"
            found = f"{place} is {short(repr(numbers[column]))} (line {line})"
            raise DataError("not_numbers", f"{found}; expected a number.") from None
        if row - first >= largest[0] or len(values) > MOST_ENTRIES:
            found = f"{name} has more than {row - first:,} rows of {width:,} columns"
            raise DataError("too_many_numbers", f"{found}; no more are read.")
    table = np.asarray(values, dtype=np.float64).reshape(row - first + 1, -1)
    return Table(table, tuple(header), None if label is None else _column(labels, decimal, words))


def check_finite(values: npt.NDArray[Any], names: Sequence[str] = (), of: str = "table") -> None:
    """Refuse numbers (N, p) or (N,) where some are missing.

    Raises:
        DataError: ``missing_values``, with the first place, counted from 1, and the number of rows.
    """
    wrong = ~np.isfinite(values.reshape(len(values), -1))
    if wrong.any():
        column = int(wrong.any(axis=0).argmax())
        known = names[column] if names else ""
        place = f"column {short(known)}" if known else f"column {column + 1} of the {of}"
        detail = f"{place}, row {int(wrong[:, column].argmax()) + 1} has no finite number or text"
        count = int(wrong.any(axis=1).sum())
        raise DataError("missing_values", f"{detail}; {count:,} rows are incomplete: remove or complete them.")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, without empty ones and comments; one after the other, as a file may be large."""
    for number, found in enumerate(_LINE.finditer(text), start=1):
        line = found[1]
        if line and not line.isspace() and not line.lstrip().startswith("#"):
            yield number, line


def _delimiter(text: str) -> str | None:
    """What separates the cells; None for white space."""
    beginning = next((line for _, line in _lines(text)), "")
    return next((mark for mark in ";\t," if mark in re.sub('"[^"]*"', "", beginning)), None)


def _rows(text: str, delimiter: str | None, code: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in _lines(text):
        if '"' not in line:
            yield number, line.split(delimiter)
            continue
        joined = line if delimiter else " ".join(line.split())
        try:
            yield number, next(csv.reader([joined], delimiter=delimiter or " ", skipinitialspace=True))
        except csv.Error as error:
            raise DataError(code, f"line {number} is no row of a table ({error}).") from None


def _is_header(first: Row, below: Row) -> bool:
    """Texts alone, or above numbers; numbers of its own are whole and different."""
    own = [cell for cell in first if isinstance(cell, float)]
    above = (isinstance(under, float) or not own for under in below)
    named = any(over and isinstance(cell, str) and cell for cell, over in zip(first, above, strict=False))
    return named and len(set(own)) == len(own) and all(cell.is_integer() for cell in own)


def _parsed(cells: Sequence[str], decimal: str, words: Mapping[str, float]) -> list[float | str]:
    """Numbers where cells are numbers; Python would also read 1_0 as ten."""
    if decimal == "." and "_" not in "".join(cells):
        try:
            return [*map(float, cells)]
        except ValueError:
            pass
    return [_number(cell.strip(), decimal, words) for cell in cells]


def _number(cell: str, decimal: str, words: Mapping[str, float]) -> float | str:
    if cell.lower() in words:
        return words[cell.lower()]
    if "_" in cell or (decimal == "," and "." in cell):
        return cell
    try:
        return float(cell.replace(decimal, "."))
    except ValueError:
        return cell


def _column(cells: list[str], decimal: str, words: Mapping[str, float]) -> npt.NDArray[Any]:
    numbers = _parsed(cells, decimal, words)
    texts = any(isinstance(cell, str) for cell in numbers)
    return np.array(cells, dtype=np.str_) if texts else np.array(numbers, dtype=np.float64)
