"""Controls that do nothing are not shown, and those that are shown do something."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from theory.core import catalog
from theory.core.errors import BenchError
from theory.core.parameters import specs
from theory.core.vocabulary import every_parameter
from widgets.kit import controls
from widgets.next_token.page import SLIDERS

ROOM = catalog.room("next_token")
ELSEWHERE = {"steps", "learning_rate", "optimizer", "initial_scale", "n_last"}
"""Parameters of the training, and one whose range can be a single value."""
SETTINGS: tuple[dict[str, object], ...] = (
    {},
    {"contradictions": 2},
    {"generator": "planted"},
    {"generator": "planted", "dim": 4},
    {"generator": "undecided_voter"},
    {"generator": "undecided_voter", "contradictions": 2},
    {"generator": "slow_tie"},
    {"generator": "slow_tie", "embedding": "equicorrelated"},
    {"generator": "luce"},
    {"generator": "undecided_voter", "embedding": "random_unit"},
    {"sequences": ((0, 1, 2), (1, 2, 0)), "labels": (0, 2)},
    {"sequences": ((0, 1, 2), (1, 2, 0)), "labels": (0, 2), "embed": np.eye(3).tolist()},
)


def differs(params: Any, name: str, values: list[object]) -> bool:
    """Whether one of the values gives other data."""
    before = ROOM.draw(params, params.data_seed)
    for value in values:
        try:
            moved = ROOM.Params(**(params.model_dump() | {name: value}))
            if ROOM.draw(moved, moved.data_seed).fingerprint != before.fingerprint:  # type: ignore[attr-defined]
                return True
        except (BenchError, ValueError):
            return True
    return False


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_active_parameters_are_those_that_change_the_data(setting: dict[str, object]) -> None:
    params: Any = ROOM.Params(**setting)
    active = ROOM.active(params)
    assert active <= every_parameter(params)
    values: dict[str, list[object]] = {
        spec.name: list(spec.choices)
        if spec.kind == "choice"
        else [value for value in (*range(3, 9), 0.0, 0.1, 0.8) if spec.low <= value <= spec.high]
        if spec.kind == "number"
        else [value for value in range(1, 9) if spec.low <= value <= spec.high]
        for spec in specs(ROOM.Params)
        if spec.kind != "array" and spec.name not in ELSEWHERE | {"missing_label"}
    }
    assert {name for name in values if differs(params, name, values[name])} == active & set(values)
    assert active >= ELSEWHERE - {"n_last"}


def hidden(**values: object) -> set[str]:
    """Names of the controls that the page hides."""
    point = controls.Point("sharp-logits", values=values)
    params, _ = controls.settle(ROOM, point, {})
    page = controls.layout(ROOM, controls.build(ROOM, point), SLIDERS)
    laid_out = re.findall(r'data-parameter="(\w+)"', page)
    assert sorted(laid_out) == sorted(spec.name for spec in specs(ROOM.Params) if spec.kind != "array")
    style = controls.hide_idle(ROOM, params)
    assert "display: none" in style
    return set(re.findall(r'\[data-parameter="(\w+)"\]', style)) & set(laid_out)


def test_the_page_hides_what_does_nothing() -> None:
    shape = {"vocab_size", "n_sequences", "prompt_length", "label_flip_probability", "n_last"}
    assert hidden() == {"correlation", "missing_label"}
    assert hidden(embedding="equicorrelated") == {"missing_label"}
    assert hidden(generator="planted") == {*shape, "correlation", "missing_label"}
    assert hidden(generator="slow_tie") == {*shape, "correlation", "missing_label", "data_seed"}
    assert hidden(generator="slow_tie", contradictions=1) == {*shape, "correlation", "missing_label"}
