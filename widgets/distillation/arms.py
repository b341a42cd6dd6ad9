"""Names and colours of the teachers: the same in every figure of the room ``distillation``."""

from __future__ import annotations

import numpy as np

from widgets.kit import theme
from widgets.kit.marks import words as words

_HUES = {
    "strong": 0,
    "mask": 3,
    "optimal": 2,
    "given": 4,
    "labels": 5,
    "ridge": 1,
    "teacher": 4,
    "student": 2,
    "flipped": 5,
    "weak": 4,
    "weak_flipped": 1,
}
"""Place of each teacher in the bench's colours."""
NAMES = {
    "strong": "true labels",
    "mask": "best mask",
    "optimal": "best teacher",
    "given": "given teacher",
    "labels": "labels as they are",
    "ridge": "tuned ridge",
    "flipped": "a fifth flipped",
    "weak": "weak teacher",
    "weak_flipped": "weak teacher of flipped",
}
FEW_DECADES = 1.9


def hue(arm: str, dark: bool) -> str:
    """The colour of a teacher and its students."""
    return theme.token_colours(7, dark)[_HUES[arm]]


def risk_ticks(span: tuple[float, float]) -> dict[str, object]:
    """Ticks of a logarithmic axis over ``span`` powers of ten: 1, 2, 5 where powers of ten are too few."""
    if span[1] - span[0] > FEW_DECADES:
        return {"dtick": max(1, round((span[1] - span[0]) / 6)), "exponentformat": "power"}
    exponents = range(int(np.floor(span[0])), int(np.ceil(span[1])) + 1)
    values = [float(f"{digit}e{power}") for power in exponents for digit in (1, 2, 5)]
    return {"tickvals": values, "ticktext": [f"{value:g}" for value in values]}


def error_bars(low: np.ndarray, mean: np.ndarray, high: np.ndarray, colour: str) -> dict[str, object]:
    """Asymmetric bars from ``low`` to ``high``."""
    return {
        "type": "data",
        "symmetric": False,
        "array": high - mean,
        "arrayminus": mean - low,
        "color": colour,
        "thickness": 1.2,
        "width": 0,
    }
