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
    for k, row in enumerate(table):
        if not np.isfinite(row).all():
            raise DataError("transition_not_finite", f"row {k} of P contains {row[~np.isfinite(row)][0]}.")
        if (row < 0).any():
            raise DataError("transition_negative", f"row {k} of P contains {row.min():g}; entries are at least 0.")
        if abs(row.sum() - 1) > ROW_SUM_TOLERANCE:
            raise DataError("transition_row_sum", f"row {k} of P sums to {row.sum():.10g}; expected 1.")
    return table


def checked_prompt(tokens: Sequence[int] | npt.NDArray[Any], vocab_size: int) -> Integers:
    """A prompt from user input, shape (L,), L >= 1.

    Raises:
        DataError: empty, not whole numbers, or a token outside the vocabulary.
    """
    listed = list(tokens)
    if not listed:
        raise DataError("prompt_empty", "the prompt is empty; give at least one token.")
    for position, token in enumerate(listed):
        if isinstance(token, bool) or not isinstance(token, (int, np.integer)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DataError("token_not_integer", f"position {position} has token {token!r}; expected a whole number.")
        if not 0 <= token < vocab_size:
            raise DataError(
                "token_out_of_range", f"position {position} has token {token}; expected 0 to {vocab_size - 1}."
            )
    return np.array(listed, dtype=np.int64)


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
