"""A person's own data cut in two: what is learnt from the first part is judged on the last."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from theory.ccmc.design import Design, grouped
from theory.ccmc.mapping import weighted_next
from theory.ccmc.own.read import MAX_WINDOWS, from_log, from_text, key_counts
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain, Floats
from theory.core.errors import DataError
from theory.shared.files.text import decode_upload, encode, parse_jsonl_sequences, tokenise, windows
from theory.shared.intervals import wilson

HELD_OUT = 0.2
"""The last fifth of a text or a log is never learnt from."""


@dataclass(frozen=True, eq=False)
class Parts:
    """A problem learnt from the first part of a person's data, and prompts with next tokens from the rest of it."""

    training: Chain
    held_out: Design


@dataclass(frozen=True)
class Score:
    """How a base chain predicts held-out next tokens.

    ``right``: share whose likeliest token came next, with its 95 % Wilson interval; ``probability``: mean probability
    of what came next; ``log_loss``: mean in nats; ``judged``: number of prompts.
    """

    right: tuple[float, float, float]
    probability: float
    log_loss: float
    judged: int


def cut_text(content: bytes, params: Params) -> Parts:
    """A text as a problem, its last fifth held out; no prompt crosses the cut.

    Raises:
        DataError: what :func:`~theory.ccmc.own.read.from_text` raises, for either part.

    >>> cut_text(b"a rose is a rose is a rose is " * 20, Params()).training.names
    ('a', 'is', 'rose')
    """
    words = tokenise(decode_upload(content), "words")
    cut = round(len(words) * (1 - HELD_OUT))
    training = from_text(" ".join(words[:cut]), params)
    length = params.prompt_length
    ids = encode(words[cut:], training.names)
    if len(ids) <= length:
        detail = f"its last fifth has {len(ids)} words of the vocabulary; at least {length + 1} are needed"
        raise DataError("text_too_short", f"the text is too short to hold a part of it out: {detail}.")
    found = windows(ids[: MAX_WINDOWS + length], length)
    keys = found.sequences if params.include_self == "yes" else found.sequences[:, :-1]
    counts = key_counts(keys, training.vocab_size)
    kept = counts[np.arange(len(counts)), found.labels] > 0
    if not kept.any():
        raise DataError("no_prompts", "no prompt of the held-out part contains its next word; raise prompt_length.")
    return Parts(training, grouped(counts[kept], found.sequences[kept, -1], found.labels[kept]))


def cut_log(content: bytes, params: Params) -> Parts:
    """A log of prompts with next tokens as a problem, its last fifth held out.

    Raises:
        DataError: what :func:`~theory.ccmc.own.read.from_log` raises, for either part.
    """
    rows = parse_jsonl_sequences(content)
    cut = round(len(rows.sequences) * (1 - HELD_OUT))
    if not 0 < cut < len(rows.sequences):
        raise DataError("no_prompts", f"the log has {len(rows.sequences)} rows; at least 3 are needed to hold one out.")
    whole = from_log(rows, params)
    first = from_log(replace(rows, sequences=rows.sequences[:cut], labels=rows.labels[:cut]), params)
    rest = from_log(replace(rows, sequences=rows.sequences[cut:], labels=rows.labels[cut:]), params)
    if not whole.vocab_size == first.vocab_size == rest.vocab_size:
        raise DataError(
            "vocabulary_differs", "the largest token id is not in both parts of the log; give words instead."
        )
    return Parts(first, Design(rest.counts, rest.last, rest.weight, rest.chosen))


def score(design: Design, transition: Floats) -> Score:
    """Judge the law N·P of a base chain (K, K) without zeros on observed next tokens."""
    law = weighted_next(design.counts.astype(np.float64), design.last, transition)
    chosen = design.chosen.astype(np.float64)
    total = float(chosen.sum())
    with np.errstate(divide="ignore"):
        losses = np.where(chosen > 0, -np.log(law), 0.0)
    likeliest = law == law.max(axis=1, keepdims=True)
    # Of several likeliest tokens one is guessed.
    right = round(float((chosen * likeliest / likeliest.sum(axis=1, keepdims=True)).sum()))
    return Score(
        wilson(right, int(total)),
        float((chosen * law).sum()) / total,
        float((chosen * losses).sum()) / total,
        int(total),
    )
