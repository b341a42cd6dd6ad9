"""What each figure of the room draws, as small labelled Datasets: all computation lives here, none in the drawing.

Measurements come from :mod:`theory.icl.simulation.layers` and :mod:`theory.icl.simulation.page_runs`.
"""

from __future__ import annotations

from theory.icl.views.talk import bowl, judged_layers, risk_curve
from theory.icl.views.tests import (
    descent,
    equivalence,
    length,
    memory,
    own_ranks,
    ranks,
    retrieval,
    softmax,
    staircase,
)

__all__ = [
    "bowl",
    "descent",
    "equivalence",
    "judged_layers",
    "length",
    "memory",
    "own_ranks",
    "ranks",
    "retrieval",
    "risk_curve",
    "softmax",
    "staircase",
]
