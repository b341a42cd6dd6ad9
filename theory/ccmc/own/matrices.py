"""Transition matrices in files: CSV, JSON and NPY, parsed and never executed; messages count rows as tokens, from 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from theory.ccmc.problem import Floats, checked_transition
from theory.core.errors import DataError
from theory.shared.files.arrays import array_header, matrix_from_json, read_array
from theory.shared.files.tables import Row, read_table
from theory.shared.files.text import MAX_UPLOAD_BYTES, check_size, short

LARGEST_VOCABULARY = 64
"""Most tokens of an uploaded chain."""


@dataclass(frozen=True, eq=False)
class NamedChain:
    """A checked base chain (K, K), row = last token, with the names and the first prompt that came with it, if any."""

    transition: Floats
    names: tuple[str, ...] = ()
    prompt: tuple[int, ...] = ()


def from_csv(content: bytes) -> NamedChain:
    """A matrix from a table of numbers; names may head the columns, the rows, or both in the same order.

    Raises:
        DataError: ``names_mismatch``, or what :func:`~theory.shared.files.tables.read_table` and
            :func:`~theory.ccmc.problem.checked_transition` raise, those of shape as ``transition_shape``.

    >>> from_csv(b",tea,cup\\ntea,0.5,0.5\\ncup,1,0\\n").names
    ('tea', 'cup')
    """
    table = read_table(
        content,
        label_column=_label_column,
        largest=(LARGEST_VOCABULARY, LARGEST_VOCABULARY + 1),
        name="P",
        code="transition_shape",
        first=0,
    )
    labels = () if table.labels is None else tuple(map(str, table.labels.tolist()))
    if table.names and labels and table.names != labels:
        found = f"rows are named {short(repr(labels))} but columns {short(repr(table.names))}"
        raise DataError("names_mismatch", f"{found}.")
    return _checked(table.values, table.names or labels)


def from_json(document: Any) -> NamedChain:
    """A matrix from parsed JSON: rows of numbers, or ``{"transition": rows, "names": [...], "prompt": [...]}``.

    Raises:
        DataError: ``transition_missing``, ``names_mismatch``, or what
            :func:`~theory.shared.files.arrays.matrix_from_json` and :func:`~theory.ccmc.problem.checked_transition`
            raise.

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
    values = matrix_from_json(document, "P", "transition_shape", first=0)
    words = tuple(str(name) for name in cast("Sequence[Any]", names))
    return _checked(values, words, tuple(cast("Sequence[int]", prompt)))


def from_array(content: bytes) -> NamedChain:
    """A matrix from a NumPy file.

    Raises:
        DataError: ``upload_too_large``, ``upload_binary``, ``transition_shape``, or what
            :func:`~theory.ccmc.problem.checked_transition` raises.
    """
    check_size(len(content), MAX_UPLOAD_BYTES)
    shape, dtype, _ = array_header(content)
    if len(shape) != 2 or max(shape) > LARGEST_VOCABULARY or dtype.kind not in "fiu":
        wanted = f"a table of numbers with at most {LARGEST_VOCABULARY} tokens"
        found = {"type": str(dtype), "shape": shape}
        raise DataError("transition_shape", f"the file holds {short(repr(found))}; expected {wanted}.")
    return _checked(read_array(content, "fiu"))


def _label_column(header: Sequence[str], first: Row) -> int | None:
    if header and len(header) != len(first):
        raise DataError("names_mismatch", f"{len(header)} token names for {len(first)} tokens.")
    return 0 if isinstance(first[0], str) else None


def _checked(values: Floats, names: tuple[str, ...] = (), prompt: tuple[int, ...] = ()) -> NamedChain:
    size = len(values)
    if not 2 <= size <= LARGEST_VOCABULARY:
        raise DataError("transition_shape", f"P has {size} rows; expected 2 to {LARGEST_VOCABULARY}.")
    if names and len(names) != size:
        raise DataError("names_mismatch", f"{len(names)} token names for {size} tokens.")
    return NamedChain(checked_transition(values), names, prompt)
