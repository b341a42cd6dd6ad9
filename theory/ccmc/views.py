"""What each figure of the room draws, as small labelled Datasets: all computation lives here, none in the drawing.

Runs come from the experiments as raw Datasets, see :mod:`theory.ccmc.views_runs`.
"""

from __future__ import annotations

from theory.ccmc.views_cures import SETTINGS, cures, generated_text
from theory.ccmc.views_curves import learning_error, winner_probability
from theory.ccmc.views_pairs import coverage, transition_exponents
from theory.ccmc.views_simplex import flow
from theory.ccmc.views_talk import growth, phases, structure, winners

__all__ = [
    "SETTINGS",
    "coverage",
    "cures",
    "flow",
    "generated_text",
    "growth",
    "learning_error",
    "phases",
    "structure",
    "transition_exponents",
    "winner_probability",
    "winners",
]
