"""What each figure of the room draws, as small labelled Datasets: all computation lives here, none in the drawing.

Measurements come from the experiments as raw Datasets, see :mod:`theory.distillation.measured`.
"""

from __future__ import annotations

from theory.distillation.views_curves import exponents, gain_map, learning, paper_table, teacher_sizes, two_stage
from theory.distillation.views_networks import networks
from theory.distillation.views_own import own_curve, own_spectrum
from theory.distillation.views_talk import anatomy, curves

__all__ = [
    "anatomy",
    "curves",
    "exponents",
    "gain_map",
    "learning",
    "networks",
    "own_curve",
    "own_spectrum",
    "paper_table",
    "teacher_sizes",
    "two_stage",
]
