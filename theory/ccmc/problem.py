"""The room's data type: a base chain, the prompt that generation starts from, and prompts to learn it from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from theory.core.errors import DataError
from theory.core.problem import Problem

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
ROW_SUM_TOLERANCE = 1e-8


@dataclass(frozen=True, eq=False)
class Chain(Problem):
    """A base chain P with a first prompt and a design of training prompts (arXiv 2402.13512).

    ``transition`` (K, K): P, row = last token. ``prompt`` (L,): token ids in order, the last token included.
    ``embed`` (K, d) and ``head`` (K, d), or None for orthonormal rows and the head that inverts them.

    The training prompts are grouped: ``counts`` (U, K) are the token counts among the keys of each distinct prompt,
    ``last`` (U,) its last token, ``weight`` (U,) how many of the n prompts it stands for. ``chosen`` (U, K) counts the
    next tokens that were observed after it; shape (0, K) when next tokens are to be drawn from P. ``dropped`` counts
    the prompts of a person's own data that were left out because they do not contain their next token.
    """

    transition: Floats
    prompt: Integers
    counts: Integers
    last: Integers
    weight: Integers
    chosen: Integers
    embed: Floats | None = None
    head: Floats | None = None
    include_self: bool = True
    names: tuple[str, ...] = ()
    dropped: int = 0

    @property
    def vocab_size(self) -> int:
        return len(self.transition)

    @property
    def n_samples(self) -> int:
        """Number of training prompts n."""
        return int(self.weight.sum())

    @property
    def initial_counts(self) -> Integers:
        """How often each token occurs in the first prompt, shape (K,)."""
        return np.bincount(self.prompt, minlength=self.vocab_size).astype(np.int64)

    @property
    def initial_last(self) -> int:
        return int(self.prompt[-1])

    @property
    def has_labels(self) -> bool:
        """Whether next tokens were observed (a person's own log) instead of drawn from P."""
        return len(self.chosen) > 0

    @cached_property
    def vectors(self) -> Floats:
        """Embedding rows (K, d), written out."""
        return np.eye(self.vocab_size) if self.embed is None else self.embed

    def name(self, token: int) -> str:
        return self.names[token] if self.names else str(token)


def checked_transition(rows: Sequence[Sequence[float]] | npt.NDArray[Any]) -> Floats:
    """A base chain from user input, shape (K, K), K >= 2.

    Zeros are allowed here; what needs log P says so itself.

    Raises:
        DataError: not square, a NaN, a negative entry, or a row that does not sum to 1; the row is named.
    """
    try:
        table = np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError("transition_shape", "P must be rows of numbers, all of one length.") from error
    if table.ndim != 2 or table.shape[0] != table.shape[1] or len(table) < 2:
        raise DataError("transition_shape", f"P has shape {table.shape}; expected (K, K) with K of at least 2.")
    for k in np.flatnonzero(~_are_laws(table)).tolist():
        row = table[k]
        if not np.isfinite(row).all():
            raise DataError("transition_not_finite", f"row {k} of P contains {row[~np.isfinite(row)][0]}.")
        if (row < 0).any():
            raise DataError("transition_negative", f"row {k} of P contains {row.min():g}; entries are at least 0.")
        raise DataError("transition_row_sum", f"row {k} of P sums to {row.sum():.10g}; expected 1.")
    return table


def checked_positive(rows: Sequence[Sequence[float]] | npt.NDArray[Any]) -> Floats:
    """A base chain from user input whose logarithm is finite.

    Raises:
        DataError: as :func:`checked_transition`, or ``transition_zero``.
    """
    table = checked_transition(rows)
    zeros = np.argwhere(table == 0)
    if len(zeros):
        last, token = zeros[0]
        raise DataError("transition_zero", f"row {last} of P is 0 at token {token}: log P is infinite there.")
    return table


def checked_shares(shares: npt.ArrayLike, vocab_size: int) -> Floats:
    """Shares (..., K) of the tokens from user input.

    Raises:
        DataError: another shape, a share that is negative or no number, or shares that do not sum to 1.
    """
    table = np.asarray(shares, dtype=np.float64)
    if table.shape[-1:] != (vocab_size,) or not _are_laws(table).all():
        raise DataError("no_shares", f"expected {vocab_size} shares of at least 0 that sum to 1, on the last axis.")
    return table


def _are_laws(table: Floats) -> Booleans:
    return (table >= 0).all(axis=-1) & (np.abs(table.sum(axis=-1) - 1) <= ROW_SUM_TOLERANCE)


def checked_prompt(tokens: Sequence[int] | npt.NDArray[Any], vocab_size: int) -> Integers:
    """A prompt from user input, shape (L,), L >= 1.

    Raises:
        DataError: empty, not whole numbers, or a token outside the vocabulary.
    """
    if not isinstance(tokens, np.ndarray) or tokens.dtype.kind not in "iu":
        for position, token in enumerate(tokens):
            if isinstance(token, bool) or not isinstance(token, (int, np.integer)):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise DataError(
                    "token_not_integer", f"position {position} has token {token!r}; expected a whole number."
                )
    table = np.array(tokens, dtype=np.int64)
    if not len(table):
        raise DataError("prompt_empty", "the prompt is empty; give at least one token.")
    for position in np.flatnonzero((table < 0) | (table >= vocab_size)).tolist():
        found = f"position {position} has token {table[position]}"
        raise DataError("token_out_of_range", f"{found}; expected 0 to {vocab_size - 1}.")
    return table


def prompt_of_counts(counts: Sequence[int] | npt.NDArray[Any], last: int) -> Integers:
    """A prompt with these counts that ends in ``last``; the other tokens are spread evenly over it.

    Raises:
        DataError: a count is negative or not whole, or the last token does not occur.

    >>> prompt_of_counts([2, 2], 0).tolist()
    [1, 0, 1, 0]
    """
    given = np.asarray(counts)
    for token, count in enumerate(given.tolist()):
        if count < 0 or count != int(count):
            raise DataError("count_not_whole", f"token {token} has count {count}; expected a whole number from 0.")
    if not 0 <= last < len(given) or given[last] < 1:
        raise DataError("last_not_in_counts", f"the last token {last} has count 0; it must be in the prompt.")
    rest = given.astype(np.int64)
    rest[last] -= 1
    # Occurrence i of a token with count c sits at (i + 1/2)/c: every window then holds the shares of the whole.
    places: list[Floats] = [(np.arange(count) + 0.5) / count for count in rest.tolist() if count]
    place = np.concatenate([np.zeros(0), *places])
    tokens = np.repeat(np.arange(len(given)), rest)
    return np.append(tokens[np.argsort(place, kind="stable")], last).astype(np.int64)


def checked_counts(
    counts: npt.ArrayLike, last: npt.ArrayLike, vocab_size: int, *, include_self: bool = False
) -> tuple[Floats, Integers]:
    """Token counts (..., K) among the keys of prompts, and their last tokens (...,), from user input.

    Raises:
        DataError: ``counts_shape``, ``count_not_whole``, ``token_not_integer``, ``token_out_of_range``,
            ``prompt_empty``, or with ``include_self`` also ``last_not_in_counts``; the row is named.
    """
    table, query = np.asarray(counts, dtype=np.float64), np.asarray(last)
    if table.shape[-1:] != (vocab_size,) or table.shape[:-1] != query.shape:
        shapes = f"counts of shape {table.shape} with last tokens of shape {query.shape}"
        raise DataError("counts_shape", f"{shapes}; expected (..., {vocab_size}) and (...,).")
    wrong = np.argwhere(~(table >= 0) | (table != np.floor(table)) | np.isinf(table))
    if len(wrong):
        value = f"token {wrong[0][-1]} has count {table[tuple(wrong[0])]:g}"
        raise DataError("count_not_whole", f"{where(wrong[0][:-1])}{value}; expected a whole number from 0.")
    if query.dtype.kind not in "iu":
        raise DataError("token_not_integer", "last tokens must be whole numbers.")
    outside = np.argwhere((query < 0) | (query >= vocab_size))
    if len(outside):
        value = f"last token {query[tuple(outside[0])]}"
        raise DataError("token_out_of_range", f"{where(outside[0])}{value}; expected 0 to {vocab_size - 1}.")
    empty = np.argwhere(table.sum(axis=-1) == 0)
    if len(empty):
        raise DataError("prompt_empty", f"{where(empty[0])}the prompt has no keys; give at least one token.")
    absent = np.argwhere(np.take_along_axis(table, query[..., None], axis=-1)[..., 0] == 0)
    if include_self and len(absent):
        value = f"the last token {query[tuple(absent[0])]} has count 0"
        raise DataError("last_not_in_counts", f"{where(absent[0])}{value}; it must be in the prompt.")
    return table, query.astype(np.int64)


def where(index: npt.NDArray[np.intp]) -> str:
    return f"row {', '.join(map(str, index))}: " if len(index) else ""
