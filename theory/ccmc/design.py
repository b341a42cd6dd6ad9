"""Training prompts, grouped: the likelihood sees a prompt only through its last token and its token counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from theory.ccmc.problem import Booleans, Integers, checked_prompt
from theory.core.errors import DataError, ParameterError


@dataclass(frozen=True, eq=False)
class Design:
    """Distinct prompts: ``counts`` (U, K) of the keys, ``last`` (U,), ``weight`` (U,), ``chosen`` (U or 0, K)."""

    counts: Integers
    last: Integers
    weight: Integers
    chosen: Integers


def grouped(counts: Integers, last: Integers, labels: Integers | None = None) -> Design:
    """Group n prompts, given as key counts (n, K) with last tokens (n,) and perhaps next tokens (n,)."""
    size = counts.shape[1]
    distinct, group, weight = _distinct_rows(np.column_stack([last, counts]))
    chosen = np.zeros((0, size), dtype=np.int64)
    if labels is not None:
        chosen = np.bincount(group * size + labels, minlength=len(distinct) * size).reshape(-1, size)
    return Design(distinct[:, 1:], distinct[:, 0], weight.astype(np.int64), chosen.astype(np.int64))


def drawn_design(
    vocab_size: int,
    n_samples: int,
    prompt_length: int,
    generator: np.random.Generator,
    *,
    unseen_pairs: int = 0,
    islands: int = 1,
    include_self: bool = True,
) -> Design:
    """Prompts of uniform tokens with a uniform last token.

    ``unseen_pairs`` (last, other) pairs never occur: their place is taken by the other tokens. With several
    ``islands`` the tokens before the last come from one group (token modulo islands), drawn anew for each prompt.

    Raises:
        ParameterError: so many pairs are unseen that some last token has nothing left to occur with.
    """
    missing = _unseen(vocab_size, unseen_pairs, generator)
    group_of = np.arange(vocab_size) % islands
    n_last = generator.multinomial(n_samples, np.full(vocab_size, 1 / vocab_size))
    tables: list[Integers] = []
    for k in range(vocab_size):
        allowed = [np.flatnonzero((group_of == group) & ~missing[k]) for group in range(islands)]
        allowed = [tokens for tokens in allowed if len(tokens)]
        n_group = generator.multinomial(n_last[k], np.full(len(allowed), 1 / len(allowed)))
        for tokens, n in zip(allowed, n_group, strict=True):
            table = np.zeros((n, vocab_size), dtype=np.int64)
            table[:, tokens] = generator.multinomial(prompt_length - 1, np.full(len(tokens), 1 / len(tokens)), size=n)
            table[:, k] += include_self
            tables.append(table)
    return grouped(np.concatenate(tables), np.repeat(np.arange(vocab_size), n_last))


def given_design(
    sequences: Sequence[Sequence[int]], labels: Sequence[int] | None, vocab_size: int, *, include_self: bool = True
) -> Design:
    """A person's own prompts (and next tokens) as a design.

    Raises:
        DataError: an empty prompt, a token outside the vocabulary, a next token that is not among its prompt's keys,
            a different number of prompts and next tokens; the row is named.
    """
    if not len(sequences):
        raise DataError("no_prompts", "there are no training prompts.")
    if labels is not None and len(labels) != len(sequences):
        raise DataError("labels_length", f"{len(labels)} next tokens for {len(sequences)} prompts; expected one each.")
    counts = np.zeros((len(sequences), vocab_size), dtype=np.int64)
    last = np.zeros(len(sequences), dtype=np.int64)
    for row, sequence in enumerate(sequences):
        try:
            tokens = checked_prompt(sequence, vocab_size)
        except DataError as error:
            raise DataError(error.code, f"row {row}: {error}") from None
        last[row] = tokens[-1]
        keys = tokens if include_self else tokens[:-1]
        if not len(keys):
            raise DataError("no_keys", f"row {row} has one token only, and the query is masked out of its keys.")
        counts[row] = np.bincount(keys, minlength=vocab_size)
    if labels is None:
        return grouped(counts, last)
    chosen: Any = np.asarray(checked_prompt(labels, vocab_size))
    absent = np.flatnonzero(counts[np.arange(len(chosen)), chosen] == 0)
    if len(absent):
        row = int(absent[0])
        raise DataError("label_not_in_prompt", f"row {row}: next token {chosen[row]} is not among the prompt's keys.")
    return grouped(counts, last, chosen)


def _distinct_rows(table: Integers) -> tuple[Integers, Integers, Integers]:
    """Distinct rows, the group of each row, and the group sizes; sorting one number per row where one can hold it."""
    base = table.max(axis=0, initial=0) + 1
    if np.prod(base.astype(np.float64)) < 2**62:
        place = np.cumprod(np.append(1, base[:0:-1]))[::-1]
        _, first, group, weight = np.unique(table @ place, return_index=True, return_inverse=True, return_counts=True)
        return table[first], group, weight
    distinct, group, weight = np.unique(table, axis=0, return_inverse=True, return_counts=True)
    return distinct, group.ravel(), weight


def _unseen(vocab_size: int, n_pairs: int, generator: np.random.Generator) -> Booleans:
    missing = np.zeros((vocab_size, vocab_size), dtype=bool)
    others = np.argwhere(~np.eye(vocab_size, dtype=bool))
    most = len(others) - vocab_size
    if n_pairs > most:
        raise ParameterError("unseen_pairs", n_pairs, f"at most {most} with {vocab_size} tokens")
    # One other token per last token stays, so that no prompt consists of its last token alone.
    kept = (np.arange(vocab_size) + generator.integers(1, vocab_size, size=vocab_size)) % vocab_size
    free = others[others[:, 1] != kept[others[:, 0]]]
    chosen = free[generator.choice(len(free), n_pairs, replace=False)] if n_pairs else free[:0]
    missing[chosen[:, 0], chosen[:, 1]] = True
    return missing
