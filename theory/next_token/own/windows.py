"""Prompts from a person's text: windows with next-token labels, and a held-out part that training never sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from theory.core.errors import DataError, ParameterError
from theory.next_token.problem import Integers, Prompts, make_prompts
from theory.shared.files.text import Unit, encode, tokenise, vocabulary, windows


def from_text(
    text: str,
    unit: Unit = "words",
    prompt_length: int = 8,
    max_vocab: int = 1000,
    held_out_fraction: float = 0.2,
) -> tuple[Prompts, Prompts]:
    """Training and held-out prompts of one text, in that order.

    The first part of the text trains, the last ``held_out_fraction`` tests; no window crosses the cut. The vocabulary
    is the ``max_vocab`` most frequent tokens of the training part, other tokens are left out. A window is kept when
    its label occurs in it; each result's ``kept_fraction`` and ``dropped`` say how many did.

    Raises:
        ParameterError: ``held_out_fraction`` not in (0, 1), ``unit``, ``prompt_length`` or ``max_vocab`` out of range.
        DataError: ``text_too_short``, or ``no_prompts`` when no window contains its label.

    >>> train, test = from_text("a rose is " * 20, prompt_length=4)
    >>> train.names, train.kept_fraction
    (('a', 'is', 'rose'), 1.0)
    """
    if not 0 < held_out_fraction < 1:
        raise ParameterError("held_out_fraction", held_out_fraction, "a number between 0 and 1")
    tokens = tokenise(text, unit)
    cut = round(len(tokens) * (1 - held_out_fraction))
    names = vocabulary(tokens[:cut], max_vocab)
    train = _prompts(encode(tokens[:cut], names), prompt_length, names, "training")
    test = _prompts(encode(tokens[cut:], names), prompt_length, names, "held-out")
    return train, test


def _prompts(ids: Integers, prompt_length: int, names: tuple[str, ...], part: str) -> Prompts:
    try:
        found = windows(ids, prompt_length)
    except DataError as error:
        if error.code != "text_too_short":
            raise
        needed = f"{prompt_length + 1} are needed for one window"
        raise DataError("text_too_short", f"the {part} part has {len(ids)} tokens; at least {needed}.") from None
    if not len(found.labels):
        detail = f"none of the {found.total} windows of {prompt_length} tokens contains its label"
        raise DataError("no_prompts", f"in the {part} part {detail}; raise prompt_length.")
    prompts = make_prompts(np.ascontiguousarray(found.sequences), found.labels, len(names), names=names)
    return replace(prompts, kept_fraction=found.kept_fraction, dropped=found.total - prompts.n)
