"""What each figure of the room draws, as small labelled Datasets: all computation lives here, none in the drawing.

Runs come from the experiments as raw Datasets, see :mod:`theory.ccmc.views.runs`.
"""

from __future__ import annotations

from theory.ccmc.views.cures import cures, generated_text
from theory.ccmc.views.curves import learning_curve, learning_error, winner_probability
from theory.ccmc.views.pairs import coverage, transition_exponents
from theory.ccmc.views.runs import all_shares
from theory.ccmc.views.simplex import flow
from theory.ccmc.views.talk import growth, phases, structure, winners

__all__ = [
    "all_shares",
    "coverage",
    "cures",
    "flow",
    "generated_text",
    "growth",
    "learning_curve",
    "learning_error",
    "phases",
    "structure",
    "transition_exponents",
    "winner_probability",
    "winners",
]
