"""What each figure of the room draws, as small labelled Datasets: all computation lives here, none in the drawing.

Measurements come from the experiments as raw Datasets, see :mod:`theory.distillation.simulation.learning_curves`.
"""

from __future__ import annotations

from theory.distillation.views.curves import exponents, gain_map, learning, paper_table, teacher_sizes, two_stage
from theory.distillation.views.networks import networks
from theory.distillation.views.own import own_curve, own_spectrum
from theory.distillation.views.talk import anatomy, curves

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
