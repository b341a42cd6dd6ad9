"""Transition matrices in files: CSV, JSON and NPY, parsed and never executed; every message names the row."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from theory.ccmc.problem import Floats, checked_transition
from theory.core.errors import DataError
from theory.shared.files.text import MAX_UPLOAD_BYTES

LARGEST_VOCABULARY = 64
"""Most tokens of an uploaded chain."""
_NPY_HEADER = re.compile(
    rb"\x93NUMPY(?:\x01\x00..|\x02\x00....)"
    rb"\{'descr': '([<>|=](?:f[248]|[iu][1248]))', 'fortran_order': (True|False), "
    rb"'shape': \((\d{1,9}), (\d{1,9})\), \} *\n",
    re.DOTALL,
)
"""Versions 1 and 2 of the format, with a table of plain numbers inside; there is nothing else to evaluate."""


@dataclass(frozen=True, eq=False)
class Table:
    """A checked base chain (K, K), row = last token, with the names and the first prompt that came with it, if any."""

    transition: Floats
    names: tuple[str, ...] = ()
    prompt: tuple[int, ...] = ()


def from_csv(text: str) -> Table:
    """A matrix from comma, semicolon, tab or space separated numbers, with or without token names around it.

    Lines that start with # are skipped. Names may head the columns, the rows, or both in the same order.

    Raises:
        DataError: ``transition_not_number``, ``transition_shape``, ``names_mismatch``, or what
            :func:`~theory.ccmc.problem.checked_transition` raises.

    >>> from_csv(",tea,cup\\ntea,0.5,0.5\\ncup,1,0\\n").names
    ('tea', 'cup')
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    delimiter = next((mark for mark in ";\t," if lines and mark in lines[0]), " ")
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True)]
    except csv.Error as error:
        raise DataError("transition_shape", f"this is not a table ({error}).") from None
    if delimiter != ",":  # a decimal comma
        rows = [[cell.replace(",", ".") for cell in row] for row in rows]
    names: list[str] = []
    if rows and any(_number(cell) is None for cell in rows[0][1:]):
        names = rows.pop(0)
    labels: list[str] = []
    if rows and all(row and _number(row[0]) is None for row in rows):
        labels = [row[0] for row in rows]
        rows = [row[1:] for row in rows]
        names = names[1:] if len(names) == len(labels) + 1 else names
    if names and labels and names != labels:
        raise DataError("names_mismatch", f"rows are named {_short(labels)} but columns {_short(names)}.")
    values: list[list[float]] = []
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            if _number(cell) is None:
                found = f"row {number}, column {column} is {_short(cell)}"
                raise DataError("transition_not_number", f"{found}; expected a number.")
        values.append([float(cell) for cell in row])
    return _table(values, names or labels)


def from_json(document: Any) -> Table:
    """A matrix from parsed JSON: rows of numbers, or ``{"transition": rows, "names": [...], "prompt": [...]}``.

    Raises:
        DataError: ``transition_missing``, ``transition_not_number``, ``transition_shape``, ``names_mismatch``, or what
            :func:`~theory.ccmc.problem.checked_transition` raises.

    >>> from_json([[0.5, 0.5], [0.25, 0.75]]).transition[1].tolist()
    [0.25, 0.75]
    """
    names: Any = ()
    prompt: Any = ()
    if isinstance(document, dict):
        fields = cast("dict[str, Any]", document)
        document = fields.get("transition", fields.get("P"))
        names, prompt = fields.get("names", ()), fields.get("prompt", ())
    if not isinstance(document, list) or not isinstance(names, (list, tuple)) or not isinstance(prompt, (list, tuple)):
        wanted = 'rows of numbers or {"transition": rows, "names": [...], "prompt": [...]}'
        raise DataError("transition_missing", f"this JSON has no transition matrix; expected {wanted}.")
    values: list[list[float]] = []
    for number, row in enumerate(cast("list[Any]", document)):
        if not isinstance(row, list):
            raise DataError("transition_shape", f"row {number} is {_short(row)}; expected a list of numbers.")
        cells = cast("list[Any]", row)
        for cell in cells:
            if isinstance(cell, bool) or not isinstance(cell, (int, float)) or abs(cell) > 1e300:
                raise DataError("transition_not_number", f"row {number} has {_short(cell)}; expected a probability.")
        values.append(cells)
    table = _table(values, [str(name) for name in cast("Sequence[Any]", names)])
    return Table(table.transition, table.names, tuple(cast("Sequence[int]", prompt)))


def from_array(content: bytes) -> Table:
    """A matrix from a NumPy file; its header is matched, not evaluated, and pickled objects are refused.

    Raises:
        DataError: ``upload_too_large``, ``upload_binary``, ``transition_shape``, or what
            :func:`~theory.ccmc.problem.checked_transition` raises.
    """
    if len(content) > MAX_UPLOAD_BYTES:
        raise DataError("upload_too_large", f"the file has {len(content) / 2**20:,.1f} MiB; at most 32 MiB are read.")
    if not content.startswith(b"\x93NUMPY"):
        raise DataError("upload_binary", f"this is not a NumPy file: it starts with {_short(content[:8])}.")
    header = _NPY_HEADER.match(content)
    if header is None or max(int(header[3]), int(header[4])) > LARGEST_VOCABULARY:
        found = content[10:130].partition(b"\n")[0].decode("ascii", "replace").strip()
        wanted = f"a table of numbers with at most {LARGEST_VOCABULARY} tokens"
        raise DataError("transition_shape", f"the file holds {found}; expected {wanted}.")
    shape = int(header[3]), int(header[4])
    dtype, body = np.dtype(header[1].decode()), content[header.end() :]
    if len(body) != shape[0] * shape[1] * dtype.itemsize:
        raise DataError("upload_binary", f"the file is damaged: {len(body)} bytes for {shape[0]} x {shape[1]} numbers.")
    order = "F" if header[2] == b"True" else "C"
    return Table(checked_transition(np.frombuffer(body, dtype).reshape(shape, order=order)))


def _table(rows: Sequence[Sequence[float]], names: Sequence[str]) -> Table:
    size = len(rows)
    if not 2 <= size <= LARGEST_VOCABULARY:
        raise DataError("transition_shape", f"P has {size} rows; expected 2 to {LARGEST_VOCABULARY}.")
    for number, row in enumerate(rows):
        if len(row) != size:
            raise DataError("transition_shape", f"row {number} of P has {len(row)} entries; expected {size}, as rows.")
    if names and len(names) != size:
        raise DataError("names_mismatch", f"{len(names)} token names for {size} tokens.")
    return Table(checked_transition(rows), tuple(names))


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
