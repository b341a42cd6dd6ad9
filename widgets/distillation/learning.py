"""The figure of the room ``distillation`` about learning curves: all competitors, and every residual in units of what
the verdict tolerates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from widgets.distillation.arms import NAMES, hue
from widgets.distillation.curves import curves_alt, draw_curves
from widgets.kit import theme
from widgets.kit.drawing import Drawing

if TYPE_CHECKING:
    from xarray import Dataset

HEIGHT, STRIP, GAP = 330, 90, 64


def learning_curves(data: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Learning curves of all teachers and of tuned ridge, with the scatter of single runs, above their residuals.

    Takes :func:`theory.distillation.views.learning`. A residual within -1..1 is what the verdict calls *holds*.
    """
    height = HEIGHT + GAP + STRIP
    drawing = Drawing()
    reach = draw_curves(drawing, data, dark, height=HEIGHT, tuned=True, inside=narrow)
    n = data.n.values
    for row, arm in enumerate(str(name) for name in data.arm.values):
        if "spread" in data and np.isfinite(data.spread.values[row]).all():
            _band(drawing, n, data.predicted.values[row], data.spread.values[row], hue(arm, dark), arm)
        if "residual" in data:
            drawing.add_scatter(
                x=data["size"].values,
                y=np.clip(data.residual.values[row], -2, 2),
                mode="markers",
                marker={"size": theme.MARKER_SIZE, "color": hue(arm, dark)},
                customdata=data.residual.values[row],
                name=f"{NAMES[arm]} (residual)",
                hovertemplate=f"{NAMES[arm]}: %{{customdata:.2f}} of the tolerance, n = %{{x:,}}<extra></extra>",
                xaxis="x2",
                yaxis="y2",
            )
    colours = theme.palette(dark)
    fill = theme.mix(colours.paper, theme.token_colours(3, dark)[2], 0.13)
    drawing.add_shape(
        type="rect",
        x0=float(n[0]),
        x1=float(n[-1]),
        y0=-1,
        y1=1,
        xref="x2",
        yref="y2",
        fillcolor=fill,
        line={"width": 0, "color": fill},
        layer="below",
    )
    drawing.traces.sort(key=lambda trace: "fill" not in trace)  # bands below all lines
    axis = drawing.layout["xaxis"]
    assert isinstance(axis, dict)
    drawing.update_layout(
        height=height + theme.TOP + theme.BOTTOM,
        margin={"l": 66, "r": reach + 12, "t": theme.TOP, "b": theme.BOTTOM},
        xaxis={"anchor": "y", "title": {"text": ""}},
        yaxis={"domain": [(STRIP + GAP) / height, 1.0], "anchor": "x"},
        xaxis2={**axis, "anchor": "y2", "automargin": False},
        yaxis2={
            "domain": [0.0, STRIP / height],
            "anchor": "x2",
            "range": [-2.1, 2.1],
            "tickvals": [-1, 0, 1],
            "title": {"text": "residual"},
            "automargin": False,
        },
    )
    slopes = ""
    if "slope" in data:
        told = [
            f"{data.slope.values[1, row]:.2f} ({data.slope.values[0, row]:.2f} predicted)"
            for row, arm in enumerate(data.arm.values)
            if str(arm) in ("strong", "optimal") and np.isfinite(data.slope.values[1, row])
        ]
        slopes = f" Slopes over the measured sizes, true labels then best teacher: {', '.join(told)}." if told else ""
        worst = float(np.nanmax(np.abs(data.residual.values))) if np.isfinite(data.residual.values).any() else 0.0
        slopes += f" The largest residual is {worst:.2f} of what the verdict tolerates."
    return drawing.figure(curves_alt(data) + slopes, dark, "learning_curves")


def _band(drawing: Drawing, n: np.ndarray, predicted: np.ndarray, spread: np.ndarray, colour: str, arm: str) -> None:
    """Where single runs scatter: the prediction times 1 -+ 2 standard deviations."""
    low, high = predicted * np.maximum(1 - 2 * spread, 0.02), predicted * (1 + 2 * spread)
    drawing.add_scatter(
        x=np.concatenate([n, n[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        mode="lines",
        fill="toself",
        fillcolor=theme.translucent(colour, 0.1),
        line={"width": 0, "color": colour},
        hoverinfo="skip",
        name=f"{NAMES[arm]} (single runs)",
        xaxis="x",
        yaxis="y",
    )


def paper_rows(data: Dataset) -> tuple[tuple[str, ...], list[list[str]]]:
    """Head and rows of the table of the paper's first figure (see ``views.paper_table``)."""
    head = ("n", "Ω", "amplified", "kept", *(f"{NAMES[str(arm)]}: predicted / measured" for arm in data.arm.values))
    rows: list[list[str]] = []
    for column, n in enumerate(data.n.values.tolist()):
        cells = [
            f"{p:.4f} / {m:.4f} ± {e:.4f}"
            for p, m, e in zip(
                data.predicted.values[:, column],
                data.measured.values[:, column],
                data.standard_error.values[:, column],
                strict=True,
            )
        ]
        omega, count, kept = (data[name].values[column] for name in ("overfitting", "amplified", "kept"))
        rows.append([f"{n}", f"{omega:.3f}", f"{count}", f"{kept}", *cells])
    return head, rows
