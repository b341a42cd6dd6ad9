"""Figures of the room ``distillation`` on a person's own features: their spectrum, and curves on their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from widgets.distillation.arms import NAMES, error_bars, hue
from widgets.kit import theme
from widgets.kit.drawing import Drawing
from widgets.kit.marks import write_labels

if TYPE_CHECKING:
    from xarray import Dataset

ACTIONS = {"amplify": "optimal", "keep": "strong", "shrink": "labels", "drop": "mask"}
"""What the best teacher does to a direction, and the colour that says so."""
DOTS = 120


def own_spectrum(data: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Eigenvalues of the features, coloured by what the best teacher does, above the factor that it applies.

    Takes :func:`theory.distillation.views.own_spectrum`.
    """
    drawing = Drawing()
    direction = data.direction.values
    shown = np.unique(np.geomspace(1, len(direction), DOTS).round().astype(np.int64)) - 1
    colours = [hue(ACTIONS[str(action)], dark) for action in data.action.values[shown]]
    actions = [str(action) for action in data.action.values[shown]]
    for suffix, name, log in (("", "eigenvalue", True), ("2", "factor", False)):
        values = data[name].values
        drawing.add_scatter(
            x=direction[shown],
            y=values[shown],
            mode="markers",
            marker={"size": 6, "color": colours},
            text=actions,
            hovertemplate=f"direction %{{x:,}}: {name} %{{y:.4g}}, %{{text}}<extra></extra>",
            name=name,
            xaxis=f"x{suffix}",
            yaxis=f"y{suffix}",
        )
        drawing.update_layout(
            **{
                f"xaxis{suffix}": {
                    "type": "log",
                    "range": [-0.05, float(np.log10(len(direction))) + 0.05],
                    "tickformat": ",d",
                    "dtick": 1,
                    "domain": [0.0, 0.44] if not suffix else [0.56, 1.0],
                    "anchor": f"y{suffix}",
                    "title": {"text": "direction, strongest first"},
                },
                f"yaxis{suffix}": {
                    "anchor": f"x{suffix}",
                    "title": {"text": "share of the variance" if log else "best teacher / truth"},
                    **({"type": "log", "exponentformat": "power", "dtick": 1} if log else {"rangemode": "tozero"}),
                },
            }
        )
    drawing.update_layout(height=(230 if narrow else 290) + theme.TOP + theme.BOTTOM, margin={"l": 66, "r": 20})
    counts = {action: int((data.action.values == action).sum()) for action in ACTIONS}
    told = ", ".join(f"{action} {count}" for action, count in counts.items() if count)
    alt = f"Spectrum of {len(direction):,} directions; the best teacher at n = {int(data.n_samples)}: {told}."
    return drawing.figure(alt, dark, "own_spectrum", stacked=narrow)


def own_curve(data: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Learning curves on a person's rows, predicted and measured, beside the ratio of both.

    Takes :func:`theory.distillation.views.own_curve`. Hollow points: more than a tenth of the rows was sampled.
    """
    drawing = Drawing()
    size = data["size"].values
    colours = theme.palette(dark)
    reliable = data.reliable.values
    arms = [str(arm) for arm in data.arm.values]
    known = np.log10(np.concatenate([data.predicted.values.ravel(), data.measured.values.ravel()]))
    span = (float(known.min()) - 0.08, float(known.max()) + 0.08)
    reach = min(max(0.25, 1.1 * float(np.abs(data.ratio.values[1:] - 1).max())), 2.0)
    bottom, top = max(1 - reach, 0.0), 1 + reach
    for row, arm in enumerate(arms):
        colour = hue(arm, dark)
        drawing.add_scatter(
            x=size,
            y=data.predicted.values[row],
            mode="lines",
            line={"width": 2.0, "color": colour},
            name=f"{NAMES[arm]} (theory)",
            hovertemplate=f"{NAMES[arm]}: %{{y:.4g}} predicted, n = %{{x:,}}<extra></extra>",
            xaxis="x",
            yaxis="y",
        )
        for suffix, values in (("", data.measured.values[:, row]), ("2", data.ratio.values[:, row])):
            mean, low, high = values
            drawing.add_scatter(
                x=size,
                y=np.minimum(mean, top) if suffix else mean,
                mode="markers",
                marker={
                    "size": theme.MARKER_SIZE,
                    "color": [colour if sure else colours.paper for sure in reliable],
                    "line": {"width": 1.5, "color": colour},
                },
                error_y=error_bars(low, mean, high, colour),
                name=f"{NAMES[arm]} (trained students)",
                hovertemplate=f"{NAMES[arm]}: %{{y:.4g}}{' of the prediction' if suffix else ' measured'}, "
                "n = %{x:,}<extra></extra>",
                xaxis=f"x{suffix}",
                yaxis=f"y{suffix}",
            )
    drawing.add_scatter(
        x=size[[0, -1]],
        y=[1.0, 1.0],
        mode="lines",
        line={"width": 1.4, "dash": "dash", "color": colours.muted},
        hoverinfo="skip",
        name="as predicted",
        xaxis="x2",
        yaxis="y2",
    )
    labels = theme.end_labels(
        [float(value) for value in np.log10(data.predicted.values[:, -1])],
        [NAMES[arm] for arm in arms],
        [hue(arm, dark) for arm in arms],
        span,
    )
    write_labels(drawing, labels, float(size[-1]), span, dark, log=True, xaxis="x", yaxis="y")
    axis = {
        "type": "log",
        "range": [float(np.log10(size[0])) - 0.05, float(np.log10(size[-1])) + 0.05],
        "tickformat": ",d",
        "tickvals": [5, 10, 20, 50, 100, 200, 500, 1000, 2000],
        "title": {"text": "training samples n"},
    }
    drawing.update_layout(
        xaxis={**axis, "domain": [0.0, 0.42], "anchor": "y"},
        yaxis={"type": "log", "range": list(span), "exponentformat": "power", "dtick": 1, "anchor": "x"},
        xaxis2={**axis, "domain": [0.7, 1.0], "anchor": "y2"},
        yaxis2={"range": [bottom, top], "anchor": "x2", "title": {"text": "measured / predicted"}},
        margin={"l": 66, "r": 130 if narrow else 20},
    )
    drawing.update_layout(yaxis={"title": {"text": "excess risk on unseen rows"}})
    ratio = data.ratio.values[0, :, -1]
    told = ", ".join(f"{NAMES[arm]} {value:.2f}" for arm, value in zip(arms, ratio, strict=True))
    alt = f"Measured over predicted risk at n = {int(size[-1])}: {told}."
    return drawing.figure(alt, dark, "own_curve", stacked=narrow)
