"""A person's data cut in two: nothing crosses the cut, and the scores are those of a plain loop."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from theory.ccmc.own.held_out import cut_log, cut_text, score
from theory.ccmc.parameters import Params
from theory.core.errors import DataError
from theory.shared.files.text import tokenise

PARAMS = Params(prompt_length=5)
TEXT = ("the cat saw the dog and the dog saw the cat while a bird saw the cat " * 30).encode()


def log_of(n: int, seed: int = 0) -> bytes:
    generator = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        prompt = generator.integers(0, 4, size=6)
        rows.append({"prompt": prompt.tolist(), "next": int(generator.choice(prompt))})
    return "\n".join(map(json.dumps, rows)).encode()


def test_text_is_cut_where_it_says() -> None:
    words = tokenise(TEXT.decode(), "words")
    cut = round(0.8 * len(words))
    parts = cut_text(TEXT, PARAMS)
    names = parts.training.names
    held = [words[i : i + 6] for i in range(cut, len(words) - 5)]
    usable = [window for window in held if window[5] in window[:5]]
    assert int(parts.held_out.weight.sum()) == len(usable) == int(parts.held_out.chosen.sum())
    expected = sorted((names.index(window[4]), names.index(window[5])) for window in usable)
    last, token = np.nonzero(parts.held_out.chosen)
    found = [
        (int(parts.held_out.last[row]), int(column))
        for row, column in zip(last, token, strict=True)
        for _ in range(int(parts.held_out.chosen[row, column]))
    ]
    assert sorted(found) == expected


def test_scores_are_those_of_a_loop() -> None:
    content = log_of(400)
    parts = cut_log(content, PARAMS)
    transition = parts.training.transition
    rows = [json.loads(line) for line in content.decode().splitlines()][320:]
    losses, chances = [], []
    for row in rows:
        mass = np.bincount(row["prompt"], minlength=4) * transition[row["prompt"][-1]]
        chance = mass[row["next"]] / mass.sum()
        losses.append(-math.log(chance))
        chances.append(chance)
    found = score(parts.held_out, transition)
    assert found.judged == 80
    assert found.log_loss == pytest.approx(np.mean(losses))
    assert found.probability == pytest.approx(np.mean(chances))


@pytest.mark.parametrize(
    ("read", "content", "code"),
    [
        (cut_text, b"one two one", "text_too_short"),
        (cut_text, b"", "upload_empty"),
        (cut_text, bytes(range(256)) * 4, "upload_binary"),
        (cut_log, b'["a", "b", "a"]', "no_prompts"),
        (cut_log, b"not json", "jsonl_line"),
    ],
)
def test_bad_input_gets_a_sentence(read: object, content: bytes, code: str) -> None:
    with pytest.raises(DataError) as found:
        read(content, PARAMS)  # type: ignore[operator]
    assert found.value.code == code
