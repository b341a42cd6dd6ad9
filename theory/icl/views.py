"""What each figure of the room draws, as small labelled Datasets: all computation lives here, none in the drawing.

Measurements come from :mod:`theory.icl.landed` and :mod:`theory.icl.layer_runs`.
"""

from __future__ import annotations

from theory.icl.views_talk import bowl, judged_layers, risk_curve
from theory.icl.views_tests import (
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
