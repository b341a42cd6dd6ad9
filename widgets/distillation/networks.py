"""The figure of the room ``distillation`` about networks that learn their features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from widgets.distillation.arms import NAMES, hue
from widgets.kit import theme
from widgets.kit.drawing import Drawing

if TYPE_CHECKING:
    from xarray import Dataset

TITLES = {"accuracy": "unseen digits named right", "squared_error": "squared error on unseen digits"}


def networks(data: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Accuracy and squared error of trained networks by the labels they saw; a thin line joins the networks of a seed.

    Takes :func:`theory.distillation.views.networks`. Large points are means.
    """
    drawing = Drawing()
    labels = [str(label) for label in data.label.values]
    place = np.arange(len(labels), dtype=np.float64)[::-1]
    colours = theme.palette(dark)
    for column, name in enumerate(TITLES):
        suffix = "2" if column else ""
        axes = {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
        values = data[name].values
        seeds = values.shape[1]
        gap = np.full((1, seeds), np.nan)
        drawing.add_scatter(
            x=np.concatenate([values, gap]).T.ravel(),
            y=np.tile(np.append(place, np.nan), seeds),
            mode="lines",
            line={"width": 0.8, "color": theme.translucent(colours.muted, 0.5)},
            hoverinfo="skip",
            name="same seed",
            **axes,
        )
        drawing.add_scatter(
            x=values.ravel(),
            y=np.repeat(place, seeds),
            mode="markers",
            marker={"size": 4, "color": [hue(label, dark) for label in labels for _ in range(seeds)]},
            hovertemplate="%{x:.3f}<extra></extra>",
            name="networks",
            **axes,
        )
        drawing.add_scatter(
            x=values.mean(axis=1),
            y=place,
            mode="markers",
            marker={"size": 11, "color": [hue(label, dark) for label in labels]},
            text=[NAMES[label] for label in labels],
            hovertemplate="%{text}: mean %{x:.3f}<extra></extra>",
            name="means",
            **axes,
        )
        low, high = float(values.min()), float(values.max())
        pad = 0.06 * (high - low or 1.0)
        drawing.update_layout(
            **{
                f"xaxis{suffix}": {
                    "range": [low - pad, high + pad],
                    "domain": [0.0, 0.47] if not column else [0.53, 1.0],
                    "anchor": f"y{suffix}",
                    "title": {"text": TITLES[name]},
                    **({"tickformat": ".0%"} if not column else {}),
                },
                f"yaxis{suffix}": {
                    "range": [-0.6, len(labels) - 0.4],
                    "anchor": f"x{suffix}",
                    "tickvals": place,
                    "ticktext": [NAMES[label] for label in labels] if not column or narrow else [""] * len(labels),
                },
            }
        )
    drawing.update_layout(
        margin={"l": 160, "r": 20, "t": theme.TOP, "b": theme.BOTTOM}, height=270 + theme.TOP + theme.BOTTOM
    )
    means = dict(zip(labels, data.accuracy.values.mean(axis=1), strict=True))
    told = ", ".join(f"{NAMES[label]} {value:.1%}" for label, value in means.items())
    alt = f"Share of unseen digits named right, mean over {data.accuracy.shape[1]} seeds: {told}."
    return drawing.figure(alt, dark, "networks", stacked=narrow)
