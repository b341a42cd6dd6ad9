"""A person's own text: windows to learn from, and how their automaton predicts windows that were held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from typing import Literal

import numpy as np
import numpy.typing as npt

from theory.core.errors import Cancelled, DataError
from theory.next_token.automaton import automaton_next
from theory.next_token.problem import Prompts, make_prompts, select
from theory.next_token.structure import Solution, solve
from theory.shared.files.text import decode_upload, encode, parse_jsonl_sequences, tokenise, vocabulary, windows
from theory.shared.intervals import wilson

Ints = npt.NDArray[np.int64]
Form = Literal["words", "characters", "jsonl"]

MAX_WINDOWS = 100_000
HELD_OUT = 0.2
"""The last fifth of the text is never learnt from."""
JUDGED = 1500
"""Held-out windows that are judged, evenly spread."""


@dataclass(frozen=True, eq=False)
class OwnData:
    """Uploaded data cut in two; ``stream`` is the text as token ids, None for rows that are no text."""

    training: Prompts
    held_out: Prompts
    stream: Ints | None
    names: tuple[str, ...]
    total: int
    """Windows in the text, before those without their label were left out."""
    kept_fraction: float


@dataclass(frozen=True)
class Score:
    """How a predictor does on windows that contain their label.

    ``right``: share whose likeliest token is the label (with its 95 % Wilson interval). ``probability``: mean
    probability of the label. ``ruled_out``: share whose label gets probability zero, an infinite log-loss.
    ``log_loss``: mean log-loss in nats over the others; NaN when there are none.
    """

    right: tuple[float, float, float]
    probability: float
    ruled_out: float
    log_loss: float


@dataclass(frozen=True)
class HeldOut:
    """The automaton and the untrained layer (probabilities by counts) on held-out windows, the automaton in training.

    ``certificates`` counts the held-out windows by why the automaton answers as it does; ``comparable`` are those the
    theorem speaks about.
    """

    automaton: Score
    untrained: Score
    in_training: Score
    certificates: dict[str, int]
    judged: int


def read_own(
    content: bytes,
    form: Form,
    prompt_length: int = 8,
    max_vocab: int = 1500,
    max_windows: int = MAX_WINDOWS,
) -> OwnData:
    """Parse an upload: text cut into windows of words or characters, or JSON lines of prompts and labels.

    Windows whose next token they do not contain are left out: the layer cannot predict it. A text longer than
    ``max_windows`` is read from its beginning.

    Raises:
        DataError: what :mod:`theory.shared.files.text` raises; ``too_little_data`` with the number of usable windows.
    """
    if form == "jsonl":
        rows = parse_jsonl_sequences(content)
        prompts = make_prompts(rows.sequences, rows.labels, names=rows.names, missing_label="drop")
        stream, names, total = None, rows.names, prompts.n + prompts.dropped
    else:
        words = tokenise(decode_upload(content), form)
        names = vocabulary(words, max_vocab)
        stream = encode(words, names)[: max_windows + prompt_length]
        found = windows(stream, prompt_length)
        if not len(found.labels):
            raise DataError("too_little_data", f"none of the {found.total} windows contains its next token.")
        prompts = make_prompts(found.sequences, found.labels, len(names), names=names)
        total = found.total
    cut = round((1 - HELD_OUT) * prompts.n)
    if min(cut, prompts.n - cut) < 2:
        raise DataError("too_little_data", f"{prompts.n} usable prompts; at least 10 are needed to hold some out.")
    # A window overlaps the next prompt_length ones: those at the seam are left out on the held-out side.
    seam = cut + (prompt_length if form != "jsonl" and prompts.n - cut > 3 * prompt_length else 0)
    held_out = select(prompts, np.arange(seam, prompts.n))
    return OwnData(select(prompts, np.arange(cut)), held_out, stream, names, total, prompts.n / total)


def judge_held_out(data: OwnData, stop: Callable[[], bool] = lambda: False, judged: int = JUDGED) -> HeldOut:
    """Learn the automaton from the training windows and let it predict held-out ones.

    Raises:
        Cancelled: ``stop()`` turned true.
    """
    solution = solve(data.training)
    held_out, certificates = _score(solution, data.held_out, judged, stop)
    in_training, _ = _score(solution, data.training, judged // 3, stop)
    return HeldOut(
        held_out[0], held_out[1], in_training[0], dict(certificates.most_common()), min(judged, data.held_out.n)
    )


def _score(
    solution: Solution, prompts: Prompts, judged: int, stop: Callable[[], bool]
) -> tuple[tuple[Score, Score], Counter[str]]:
    rows = np.unique(np.linspace(0, prompts.n - 1, min(judged, prompts.n)).astype(np.int64)).tolist()
    learnt: list[tuple[bool, float]] = []
    counted: list[tuple[bool, float]] = []
    certificates: Counter[str] = Counter()
    for row in rows:
        if stop():
            raise Cancelled
        prompt, label = prompts.sequence(row), int(prompts.labels[row])
        found = automaton_next(solution, prompt)
        certificates[found.certificate] += 1
        learnt.append((int(found.distribution.argmax()) == label, float(found.distribution[label])))
        tokens, counts = np.unique(prompt, return_counts=True)
        share = float(counts[tokens == label][0] / len(prompt))
        counted.append((int(tokens[counts.argmax()]) == label, share))
    return (_summary(learnt), _summary(counted)), certificates


def _summary(outcomes: Sequence[tuple[bool, float]]) -> Score:
    probabilities = [probability for _, probability in outcomes]
    possible = [probability for probability in probabilities if probability > 0]
    n = len(outcomes)
    return Score(
        wilson(sum(right for right, _ in outcomes), n),
        sum(probabilities) / n,
        1 - len(possible) / n,
        -sum(map(log, possible)) / len(possible) if possible else float("nan"),
    )
