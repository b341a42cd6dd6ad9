"""Figures of the room ``icl``: a labelled Dataset of :mod:`theory.icl.views` in, a figure out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from widgets.icl.comparisons import descent, length, retrieval, softmax, staircase
from widgets.icl.curves import side_by_side
from widgets.icl.layers import equivalence, memory, own_ranks, ranks
from widgets.icl.talk import draw_bowl, draw_curve
from widgets.kit.drawing import Drawing

if TYPE_CHECKING:
    from xarray import Dataset

    from theory.core.bench import Result

__all__ = [
    "descent",
    "equivalence",
    "length",
    "memory",
    "own_ranks",
    "ranks",
    "retrieval",
    "softmax",
    "staircase",
    "talk_picture",
]

PICTURED = "icl-pgd-equivalence"
"""The claim whose measurement is in the gallery's picture."""


def talk_picture(bowl: Dataset, curve: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """The finding in one picture: layers that land in the predicted bowl, beside the risk against the prompt's length.

    Args:
        bowl: :func:`theory.icl.views.bowl`.
        curve: :func:`theory.icl.views.risk_curve`.
    """
    drawing = Drawing()
    draw_bowl(drawing, bowl, dark)
    reach = draw_curve(drawing, curve, dark)
    side_by_side(drawing, narrow, (12.0, reach))
    alt = f"The best weights are {float(bowl.best_a):.3g} and {float(bowl.best_b):.3g} over n, with risk "
    alt += f"{float(bowl.lowest):.4g}; at length {curve.attrs['here']} the predicted risk is {float(curve.now):.4g}."
    if np.isfinite(float(curve.crossover)):
        alt += f" Retrieval hurts beyond {float(curve.crossover):.1f} examples."
    return drawing.figure(alt, dark, "talk_picture", live=True)


def picture(result: Result, dark: bool) -> go.Figure:
    """The opening picture of a checked claim, for the gallery: predicted lines and the points measured for it."""
    from theory.icl import views

    params: Any = result.params
    problem: Any = result.shown.problem
    raw: Any = result.shown.raw
    trained = views.judged_layers(params, raw)
    return talk_picture(views.bowl(params, problem, trained), views.risk_curve(params, problem, trained), dark=dark)
