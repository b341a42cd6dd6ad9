"""Figures of the room ``distillation``: a labelled Dataset of :mod:`theory.distillation.views` in, a figure out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from widgets.distillation.anatomy import anatomy_alt, draw_factors, draw_unlearnt
from widgets.distillation.curves import CURVES, GAP, LOW, curves_alt, draw_curves
from widgets.distillation.learning import learning_curves, paper_rows
from widgets.distillation.maps import exponents, gain_map
from widgets.distillation.networks import networks
from widgets.distillation.own_figures import own_curve, own_spectrum
from widgets.distillation.teachers import two_stage
from widgets.kit import theme
from widgets.kit.drawing import Drawing

if TYPE_CHECKING:
    from xarray import Dataset

    from theory.core.bench import Result

__all__ = [
    "exponents",
    "gain_map",
    "learning_curves",
    "networks",
    "own_curve",
    "own_spectrum",
    "paper_rows",
    "talk_picture",
    "two_stage",
]

PICTURED = "omniscient-risk"
"""The claim whose measurement is in the gallery's picture."""


def talk_picture(anatomy: Dataset, curves: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """The finding in one picture: what the best teacher does to each feature, beside what that does to the risk.

    Left: the best teachers relative to the truth, and below the unlearnt fraction that decides between amplifying,
    shrinking and discarding. Right: learning curves of the students; lines are predicted, points were measured on
    students trained on sampled data. ``narrow`` stacks the panels.

    Args:
        anatomy: :func:`theory.distillation.views.anatomy`.
        curves: :func:`theory.distillation.views.curves`.
    """
    drawing = Drawing()
    draw_factors(drawing, anatomy, dark, narrow)
    draw_unlearnt(drawing, anatomy, dark, "3")
    reach = draw_curves(drawing, curves, dark, "2", inside=narrow)
    top, below = theme.TOP, theme.BOTTOM
    height = CURVES if not narrow else CURVES + below + top + CURVES
    left, right = ([0.0, 0.42], [0.53, 1.0]) if not narrow else ([0.0, 1.0], [0.0, 1.0])
    base = height - CURVES
    fixed = {"automargin": False}
    drawing.update_layout(
        height=height + top + below,
        margin={"l": 60, "r": reach + 12, "t": top, "b": below},
        xaxis={"domain": left, "anchor": "y", **fixed},
        yaxis={"domain": [(base + LOW + GAP) / height, 1.0], "anchor": "x", **fixed},
        xaxis3={"domain": left, "anchor": "y3", **fixed},
        yaxis3={"domain": [base / height, (base + LOW) / height], "anchor": "x3", **fixed},
        xaxis2={"domain": right, "anchor": "y2", **fixed},
        yaxis2={"domain": [0.0, CURVES / height], "anchor": "x2", **fixed},
    )
    return drawing.figure(f"{anatomy_alt(anatomy)} {curves_alt(curves)}", dark, "talk_picture", live=True)


def picture(result: Result, dark: bool) -> go.Figure:
    """The opening picture of a checked claim, for the gallery: predicted lines and the points measured for it."""
    from theory.distillation import views
    from theory.distillation.simulation.learning_curves import fits_of

    params: Any = result.params
    problem: Any = result.shown.problem
    curves = views.curves(params, problem, fits_of(params, problem, result.shown.raw))
    return talk_picture(views.anatomy(params, problem), curves, dark=dark)
