"""Training data of next-token prediction: ragged prompts with one label each, validated once and then trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from theory.core.errors import DataError
from theory.core.problem import Problem
from theory.next_token.validation import check_range, embedding_rows, flatten, integers
from theory.shared.files.text import short

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

DENSE_LIMIT_BYTES = 2e8
MAX_VOCAB_SIZE = 1_000_000
_SHOWN_ROWS = 10


@dataclass(frozen=True, eq=False)
class Prompts(Problem):
    """Prompts of token ids with the next token of each (arXiv 2403.08081); build it with :func:`make_prompts`.

    Shapes: ``tokens`` (total,), all prompts one after another, the last token of a prompt being part of it;
    ``offsets`` (n + 1,); ``labels`` (n,); ``embed`` (vocab_size, dim), or ``None`` for orthonormal rows.
    ``kept_fraction`` is the share of rows that could be used (label in the prompt), ``dropped`` the number left out.
    """

    tokens: Integers
    offsets: Integers
    labels: Integers
    vocab_size: int
    embed: Floats | None = None
    names: tuple[str, ...] = ()
    kept_fraction: float = 1.0
    dropped: int = 0
    true_scores: Floats | None = None
    """Scores (vocab_size,) of the choice model that drew the labels, where it is known."""

    @property
    def n(self) -> int:
        """Number of prompts."""
        return len(self.labels)

    @property
    def dim(self) -> int:
        """Embedding dimension."""
        return self.vocab_size if self.embed is None else int(self.embed.shape[1])

    @cached_property
    def lengths(self) -> Integers:
        """Tokens per prompt, shape (n,)."""
        return np.diff(self.offsets)

    @cached_property
    def last(self) -> Integers:
        """Last token (the query) of each prompt, shape (n,)."""
        return self.tokens[self.offsets[1:] - 1]

    @cached_property
    def uninformative(self) -> int:
        """Number of prompts with one distinct token: no loss, no edge."""
        lowest = np.minimum.reduceat(self.tokens, self.offsets[:-1])
        return int(np.sum(lowest == np.maximum.reduceat(self.tokens, self.offsets[:-1])))

    def sequence(self, row: int) -> Integers:
        """The tokens of one prompt."""
        return self.tokens[self.offsets[row] : self.offsets[row + 1]]

    def name(self, token: int) -> str:
        """What a person calls a token: its name, or its id.

        >>> make_prompts([[0, 1]], [0], names=("tea", "cup")).name(1)
        'cup'
        """
        return self.names[token] if self.names else str(token)

    def csr(self) -> csr_array:
        """Occurrences of each token in each prompt, sparse, shape (n, vocab_size), int64, columns sorted."""
        ones = np.ones(len(self.tokens), dtype=np.int64)
        counts = csr_array((ones, self.tokens, self.offsets), shape=(self.n, self.vocab_size), copy=True)
        counts.sum_duplicates()
        return counts

    def counts(self) -> Integers:
        """Occurrences of each token in each prompt, dense, shape (n, vocab_size).

        Raises:
            DataError: ``too_large``, the dense table would take more than 2e8 bytes.
        """
        refuse_dense(8 * self.n * self.vocab_size, "the dense table of counts", "use csr()")
        table = np.zeros((self.n, self.vocab_size), dtype=np.int64)
        np.add.at(table, (np.repeat(np.arange(self.n), self.lengths), self.tokens), 1)
        return table

    @cached_property
    def vectors(self) -> Floats:
        """Embedding rows, shape (vocab_size, dim); the identity when ``embed`` is ``None``."""
        if self.embed is not None:
            return self.embed
        refuse_dense(8 * self.vocab_size**2, "the embedding matrix", "use orthonormal formulas, which need none")
        return np.eye(self.vocab_size)

    @cached_property
    def gram(self) -> Floats:
        """Inner products of the embedding rows, shape (vocab_size, vocab_size)."""
        refuse_dense(8 * self.vocab_size**2, "the Gram matrix", "use orthonormal formulas, which need none")
        return self.vectors @ self.vectors.T

    @cached_property
    def is_orthonormal(self) -> bool:
        """Whether the embedding rows are orthonormal to 1e-10."""
        return self.embed is None or bool(np.abs(self.gram - np.eye(self.vocab_size)).max() < 1e-10)


@dataclass(frozen=True, eq=False)
class MergedRows:
    """Rows with equal (bag of tokens, last token, label) written once, sorted by last token, then label.

    Shapes: ``counts`` sparse (m, vocab_size); ``last``, ``labels``, ``multiplicity`` and ``first`` (m,), the latter a
    row of the original data that looks like this.
    """

    counts: csr_array
    last: Integers
    labels: Integers
    multiplicity: Integers
    first: Integers


def make_prompts(
    sequences: Sequence[Sequence[int]] | npt.NDArray[Any],
    labels: Sequence[int] | npt.NDArray[Any],
    vocab_size: int | None = None,
    embed: Sequence[Sequence[float]] | npt.NDArray[Any] | None = None,
    names: Sequence[str] = (),
    missing_label: Literal["error", "drop"] = "error",
) -> Prompts:
    """Validate prompts and labels; rows are counted from 0 in every message.

    ``vocab_size`` defaults to the number of embedding rows, else of names, else to the largest id plus one. With
    ``missing_label="drop"`` rows whose label is not in their prompt are left out and counted.

    Raises:
        DataError: ``no_prompts``, ``length_mismatch``, ``empty_sequence``, ``token_not_integer``,
            ``token_out_of_range``, ``label_not_in_sequence``, ``vocabulary_too_large``, ``names_mismatch``,
            ``embedding_shape`` or ``embedding_not_finite``; the message names the row and the value.

    >>> make_prompts([[0, 1, 1], [2, 1]], [0, 2]).counts()
    array([[1, 2, 0],
           [0, 1, 1]])
    """
    tokens, lengths = flatten(sequences)
    label_ids = integers(labels, "label")
    if len(lengths) != len(label_ids):
        raise DataError("length_mismatch", f"{len(lengths)} prompts but {len(label_ids)} labels.")
    if not len(lengths):
        raise DataError("no_prompts", "there is no prompt to learn from.")
    if not lengths.all():
        raise DataError("empty_sequence", f"row {int(np.argmin(lengths))} is an empty prompt: []; give its last token.")
    offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)])
    vectors = None if embed is None else embedding_rows(embed)
    size = vocab_size or (len(vectors) if vectors is not None else len(names))
    size = int(size or max(tokens.max(), label_ids.max()) + 1)
    check_range(tokens, size, "token", offsets)
    check_range(label_ids, size, "label", None)
    if size > MAX_VOCAB_SIZE:
        raise DataError("vocabulary_too_large", f"{size} tokens; at most {MAX_VOCAB_SIZE} are supported.")
    if names and len(names) != size:
        raise DataError("names_mismatch", f"{len(names)} token names for a vocabulary of {size}.")
    if vectors is not None and len(vectors) != size:
        raise DataError("embedding_shape", f"{len(vectors)} embedding rows for a vocabulary of {size}.")
    prompts = Prompts(tokens, offsets, label_ids, size, vectors, tuple(str(name) for name in names))
    return _without_missing_labels(prompts, missing_label)


def select(prompts: Prompts, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64] | Sequence[int]) -> Prompts:
    """Some rows of the data, in the given order; vocabulary, embedding and names stay."""
    index = np.asarray(rows)
    index = np.flatnonzero(index) if index.dtype == np.bool_ else index.astype(np.int64)
    lengths = prompts.lengths[index]
    offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)])
    position: Integers = np.arange(offsets[-1], dtype=np.int64) + np.repeat(
        prompts.offsets[index] - offsets[:-1], lengths
    )
    return replace(prompts, tokens=prompts.tokens[position], offsets=offsets, labels=prompts.labels[index])


def merged(prompts: Prompts) -> MergedRows:
    """Write prompts with the same bag of tokens, last token and label once, with their number (order is irrelevant).

    >>> merged(make_prompts([[0, 1, 2], [1, 0, 2], [0, 0, 2]], [0, 0, 0])).multiplicity.tolist()
    [2, 1]
    """
    # Sums of two random 64-bit words per token identify a bag whatever its order: no sorting of 10^7 tokens.
    words = np.random.default_rng(0).integers(2**64, size=(2, prompts.vocab_size), dtype=np.uint64)
    keys = [np.add.reduceat(word[prompts.tokens], prompts.offsets[:-1]) for word in words]
    order = np.lexsort((np.arange(prompts.n), *keys, prompts.labels, prompts.last))
    fresh = np.ones(prompts.n, dtype=np.bool_)
    fresh[1:] = np.any([np.diff(column[order]) != 0 for column in (*keys, prompts.labels, prompts.last)], axis=0)
    starts = np.flatnonzero(fresh)
    first, multiplicity = order[starts], np.diff(np.append(starts, prompts.n))
    order = np.lexsort((first, prompts.labels[first], prompts.last[first]))
    kept = select(prompts, first[order])
    return MergedRows(kept.csr(), kept.last, kept.labels, multiplicity[order], first[order])


def refuse_dense(size_bytes: float, what: str, hint: str) -> None:
    """Refuse an array of more than 2e8 bytes before it is allocated.

    Raises:
        DataError: ``too_large``, with the hint.
    """
    if size_bytes > DENSE_LIMIT_BYTES:
        raise DataError("too_large", f"{what} would take {size_bytes / 1e6:,.0f} MB (limit 200 MB); {hint}.")


def _without_missing_labels(prompts: Prompts, missing_label: str) -> Prompts:
    hits = prompts.tokens == np.repeat(prompts.labels, prompts.lengths)
    present = np.logical_or.reduceat(hits, prompts.offsets[:-1])
    if present.all():
        return prompts
    missing = np.flatnonzero(~present)
    if missing_label == "error":
        shown = ", ".join(map(str, missing[:_SHOWN_ROWS])) + (", ..." if len(missing) > _SHOWN_ROWS else "")
        row = int(missing[0])
        example = f"row {row} has label {prompts.labels[row]}, prompt {short(repr(prompts.sequence(row).tolist()))}"
        raise DataError(
            "label_not_in_sequence",
            f"the label is not in the prompt in {len(missing)} of {prompts.n} rows ({shown}): {example}. "
            "The loss is infinite there; drop these rows with missing_label=drop.",
        )
    if len(missing) == prompts.n:
        raise DataError("no_prompts", f"none of the {prompts.n} prompts contains its label; nothing is left.")
    kept = select(prompts, present)
    return replace(kept, kept_fraction=kept.n / prompts.n, dropped=len(missing))
