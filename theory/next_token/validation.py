"""Turning what people give as prompts, labels, embeddings and orders into arrays, or saying what cannot be used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from theory.core.errors import DataError, ParameterError
from theory.shared.files.text import short

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def flatten(sequences: Sequence[Sequence[int]] | npt.NDArray[Any]) -> tuple[Integers, Integers]:
    if isinstance(sequences, np.ndarray) and sequences.ndim == 2 and np.issubdtype(sequences.dtype, np.integer):
        table: Integers = sequences.astype(np.int64)
        return table.reshape(-1), np.full(len(table), table.shape[1], dtype=np.int64)
    for row, sequence in enumerate(sequences):
        if isinstance(sequence, str) or not isinstance(sequence, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DataError("token_not_integer", f"row {row} is {short(repr(sequence))}; expected a list of token ids.")
    lengths = np.fromiter((len(sequence) for sequence in sequences), dtype=np.int64, count=len(sequences))
    return integers(list(chain.from_iterable(sequences)), "token", lengths), lengths


def integers(values: Sequence[int] | npt.NDArray[Any], what: str, lengths: Integers | None = None) -> Integers:
    """Whole numbers as int64; floats and booleans are refused rather than rounded."""
    if isinstance(values, np.ndarray) and values.ndim == 1 and np.issubdtype(values.dtype, np.integer):
        return values.astype(np.int64)
    listed = list(values)
    if set(map(type, listed)) <= {int}:
        try:
            return np.array(listed, dtype=np.int64)
        except OverflowError:
            pass
    for position, value in enumerate(listed):
        where = f"row {position if lengths is None else _row(position, lengths)}"
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DataError("token_not_integer", f"{where} has {what} {short(repr(value))}; expected a whole number.")
        if abs(int(value)) >= 2**63:
            raise DataError("token_out_of_range", f"{where} has {what} {short(repr(value))}; expected a token id.")
    return np.array([int(value) for value in listed], dtype=np.int64)


def check_range(values: Integers, size: int, what: str, offsets: Integers | None) -> None:
    wrong = np.flatnonzero((values < 0) | (values >= size))
    if len(wrong):
        position = int(wrong[0])
        row = position if offsets is None else _row(position, np.diff(offsets))
        allowed = f"from 0 to {size - 1}" if size > 0 else "of at least 0"
        raise DataError("token_out_of_range", f"row {row} has {what} {values[position]}; expected an id {allowed}.")


def embedding_rows(embed: Sequence[Sequence[float]] | npt.NDArray[Any]) -> Floats:
    try:
        vectors = np.asarray(embed, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError("embedding_shape", "embeddings must be rows of numbers, all of one length.") from error
    if vectors.ndim != 2 or not vectors.size:
        raise DataError("embedding_shape", f"embeddings have shape {vectors.shape}; expected (vocab_size, dim).")
    if not np.isfinite(vectors).all():
        row, column = np.argwhere(~np.isfinite(vectors))[0]
        value = vectors[row, column]
        raise DataError("embedding_not_finite", f"embedding row {row}, column {column} is {value}.")
    return vectors


def check_order(order: Sequence[Sequence[int]], count: int) -> None:
    """Pairs (upper, lower) of different positions below ``count`` that close no cycle.

    Raises:
        ParameterError: names the pair, or the cycle.
    """
    for pair in order:
        if len(pair) != 2 or not all(0 <= position < count for position in pair) or pair[0] == pair[1]:
            raise ParameterError("order", tuple(pair), f"pairs of different positions from 0 to {count - 1}")
    above = coo_array((np.ones(len(order)), np.reshape(order, (-1, 2)).astype(np.int64).T), shape=(count, count))
    labels = connected_components(above, directed=True, connection="strong")[1]
    if len(set(labels.tolist())) < count:
        together = np.flatnonzero(labels == np.bincount(labels).argmax()).tolist()
        raise ParameterError("order", together, "pairs (upper, lower) without a cycle; these positions lie on one")


def at_least(parameter: str, value: float, low: int) -> None:
    if not value >= low:
        raise ParameterError(parameter, value, f"a whole number of at least {low}")


def positive(parameter: str, value: npt.ArrayLike) -> None:
    if not (np.asarray(value) > 0).all():
        raise ParameterError(parameter, value, "above 0")


def probability(parameter: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ParameterError(parameter, value, "a number from 0 to 1")


def _row(position: int, lengths: Integers) -> int:
    return int(np.searchsorted(np.cumsum(lengths), position, side="right"))
