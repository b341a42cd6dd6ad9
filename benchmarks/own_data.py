"""A person's own text of 100,000 windows: prediction, held-out measurement and both figures, as the page does it."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.harness import Line, readable
from theory.next_token.own.held_out import MAX_WINDOWS
from widgets.kit.page import Screen
from widgets.kit.panel import Run
from widgets.kit.sources import Source
from widgets.next_token.own import automaton_figure, automaton_picker, study_figure, study_numbers, text_job

LENGTHS = (8, 32)
DISTINCT = 3000
FEWEST_WORDS = 1000
BUDGET = 10.0


def run() -> Iterator[Line]:
    # Longer than what is read: words outside the vocabulary are left out before the text is cut.
    content = zipf_text(3 * MAX_WINDOWS // 2, DISTINCT)
    for length in LENGTHS:
        started = perf_counter()
        study = studied(content, length)
        spent = perf_counter() - started
        words = study.data.training.vocab_size
        enough = study.data.total >= MAX_WINDOWS and words >= FEWEST_WORDS
        name = f"own text, {study.data.total:,} windows x {length}, {words:,} words"
        right = study.held_out.automaton.right[0]
        text = f"budget {BUDGET:g} s; {study.held_out.judged:,} held-out windows judged, {right:.0%} right"
        yield Line(name, readable(spent), text, BUDGET / spent if enough else 0.0, 1)


def studied(content: bytes, prompt_length: int) -> Any:
    """What the page finds in a text, with everything that it then shows built once."""
    found: list[Any] = []

    def report(_: float, **new: Any) -> None:
        found.extend(new.values())

    text_job(Source(content, "zipf.txt"), "words", prompt_length)(report, lambda: False)
    done = Run(state="done", extra=found[-1])
    study_numbers(done.extra)
    study_figure(done, Screen())
    automaton_figure(done, automaton_picker(done, None, lambda _: None), Screen())
    return done.extra


def zipf_text(n_words: int, distinct: int, seed: int = 0) -> bytes:
    """Words with Zipf frequencies, a fifth of them repeated from shortly before, as a text repeats its topic."""
    rng = np.random.default_rng(seed)
    edges = np.cumsum(1.0 / np.arange(1, distinct + 1))
    drawn = np.searchsorted(edges / edges[-1], rng.random(n_words))
    back = np.maximum(np.arange(n_words) - rng.integers(1, 12, n_words), 0)
    drawn = np.where(rng.random(n_words) < 0.2, drawn[back], drawn)
    return " ".join(f"word{word}" for word in drawn.tolist()).encode()
