"""Figures of the room ``icl`` about what single layers hold: sample weights, ranks, and the matrix they amount to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from widgets.icl.curves import Line, Points, draw_panel, one_panel, side_by_side
from widgets.kit import theme
from widgets.kit.drawing import Drawing

if TYPE_CHECKING:
    from xarray import Dataset


def memory(data: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Learned and best sample weights by lag, and what H3 gains over attention."""
    drawing, colours = Drawing(), theme.palette(dark)
    drawing.traces.append(
        {
            "type": "bar",
            "x": data.lag.values,
            "y": data.omega.values,
            "marker": {"color": theme.translucent(theme.GREEN, 0.45)},
            "name": "best weights (theory)",
            "hovertemplate": "lag %{x}: %{y:.3f} predicted<extra></extra>",
        }
    )
    if "learnt" in data:
        for model, omega in enumerate(data.learnt.values):
            drawing.add_scatter(
                x=data.lag.values,
                y=omega,
                mode="markers",
                marker={"size": 6, "color": theme.VERMILION},
                name=f"trained H3 layer {model + 1}",
                hovertemplate="lag %{x}: %{y:.3f} trained<extra></extra>",
            )
    beside = {"y": 0.0, "yanchor": "bottom", "len": 0.44} if narrow else {}
    lengths = [f"{length}" for length in data.length.values]
    drawing.traces.append(
        {
            "type": "heatmap",
            "x": lengths,
            "y": data.correlation.values,
            "z": data.gain.values,
            "colorscale": [[0, theme.mix(colours.paper, colours.muted, 0.06)], [1, theme.GREEN]],
            "zmin": 0.0,
            "colorbar": {"thickness": 10, "outlinewidth": 0, "title": {"text": "gain"}, **beside},
            "xaxis": "x2",
            "yaxis": "y2",
            "name": "gain",
            "hovertemplate": "n = %{x}, ρ = %{y:.2f}: H3 gains %{z:.3g}<extra></extra>",
        }
    )
    drawing.update_layout(
        xaxis={"title": {"text": "lag"}, "automargin": False},
        yaxis={"title": {"text": "weight of the example"}, "automargin": False},
        xaxis2={"title": {"text": "context length n"}, "type": "category", "automargin": False},
        yaxis2={"title": {"text": "task correlation ρ"}, "automargin": False},
        bargap=0.15,
    )
    side_by_side(drawing, narrow, (12.0, 70.0), share=0.4)
    gained = float(data.attention) - float(data.h3)
    alt = f"Best sample weights of H3 ({data.attrs['drift']}); it gains {gained:.3g} over the risk of attention, "
    alt += f"{float(data.attention):.4g}."
    return drawing.figure(alt, dark, "memory")


def ranks(data: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Risk of each rank with trained layers; which directions an update repairs, with the old and new spectra."""
    drawing, colours = Drawing(), theme.palette(dark)
    lines = _ladders(data)
    found: list[Points] = []
    if "trained_risk" in data:
        layers = (data.trained_rank.values, data.trained_risk.values, theme.VERMILION, "trained at this rank")
        found.append(Points(*layers, data.trained_error.values, data.settled.values))
    span = (0.0, 1.08 * max(float(line.y.max()) for line in lines))
    reach = draw_panel(drawing, "", lines, found, ("rank", "risk"), dark, log=(False, False), span=span)
    chosen = data.attrs["chosen"]
    place = np.arange(1, data.sizes["direction"] + 1)
    pale = theme.mix(colours.paper, theme.GREEN, 0.3)
    drawing.traces.append(
        {
            "type": "bar",
            "x": place,
            "y": data.repair.values,
            "marker": {"color": [theme.GREEN if k <= chosen else pale for k in place]},
            "xaxis": "x2",
            "yaxis": "y2",
            "name": "repaired by LoRA",
            "hovertemplate": "direction %{x} of the update repairs %{y:.4g}<extra></extra>",
        }
    )
    spectra = [
        Line(place.astype(np.float64), data[part].values, hue, f"{part} tasks", f"{part} eigenvalues", dash)
        for part, hue, dash in (("old", theme.BLUE, "solid"), ("new", theme.VERMILION, "dot"))
    ]
    top = 1.08 * max(float(data[part].max()) for part in ("repair", "old", "new"))
    titles = ("direction, strongest first", "repaired; eigenvalues")
    beside = draw_panel(drawing, "2", spectra, [], titles, dark, log=(False, False), span=(0.0, top or 1.0))
    drawing.update_layout(xaxis2={"range": [0.4, len(place) + 0.6]}, bargap=0.25)
    side_by_side(drawing, narrow, (reach, beside), share=0.4)
    kept, repaired = float(data.low_rank[chosen]), float(data.lora[chosen])
    alt = f"Rank {chosen} leaves the risk {kept:.4g}; an update of this rank leaves {repaired:.4g} on the new tasks."
    return drawing.figure(alt, dark, "ranks")


def own_ranks(data: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """The ladder of ranks for a person's data."""
    drawing = Drawing()
    lines = _ladders(data)
    span = (0.0, 1.08 * max(float(line.y.max()) for line in lines))
    reach = draw_panel(drawing, "", lines, [], ("rank", "risk"), dark, log=(False, False), span=span)
    one_panel(drawing, reach)
    alt = f"Risk of each rank, from {float(data.low_rank[0]):.4g} down to {float(data.low_rank[-1]):.4g}."
    return drawing.figure(alt, dark, "own_ranks")


def _ladders(data: Dataset) -> list[Line]:
    rank = data["rank"].values.astype(np.float64)
    ladders = [Line(rank, data.low_rank.values, theme.BLUE, "low rank", "attention of this rank (theory)")]
    if float(np.ptp(data.lora.values)) > 0:
        ladders.append(Line(rank, data.lora.values, theme.GREEN, "LoRA", "new tasks after an update (theory)"))
    return ladders


def equivalence(data: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """A trained layer's matrix with the size of its even part, the predicted one, and their difference."""
    drawing, colours = Drawing(), theme.palette(dark)
    top = float(np.abs(data.weights.values).max()) or 1.0
    size = data.sizes["row"]
    gap, third = 0.06, (1 - 2 * 0.06) / 3
    below, top_margin = theme.BOTTOM, theme.TOP
    height = 250
    total = height if not narrow else 3 * height + 2 * 44
    for place, part in enumerate(str(name) for name in data.part.values):
        axis = "" if place == 0 else str(place + 1)
        drawing.traces.append(
            {
                "type": "heatmap",
                "z": data.weights.values[place],
                "zmin": -top,
                "zmax": top,
                "colorscale": [
                    [0, theme.VERMILION],
                    [0.5, theme.mix(colours.paper, colours.muted, 0.05)],
                    [1, theme.BLUE],
                ],
                "showscale": place == 2,
                "colorbar": {"thickness": 10, "outlinewidth": 0},
                "xaxis": f"x{axis}",
                "yaxis": f"y{axis}",
                "name": part,
                "hovertemplate": f"{part}: %{{z:.4f}}<extra></extra>",
            }
        )
        start = place * (third + gap)
        high = 1 - place * (height + 44) / total
        across = [start, start + third] if not narrow else [0.0, 1.0]
        up = [0.0, 1.0] if not narrow else [high - height / total, high]
        said = f"{part}; even part {float(data.even):.1g}" if place == 0 else part
        hidden = {"showticklabels": False, "showgrid": False, "zeroline": False, "automargin": False}
        drawing.update_layout(
            **{
                f"xaxis{axis}": {"domain": across, "anchor": f"y{axis}", "title": {"text": said}, **hidden},
                f"yaxis{axis}": {"domain": up, "anchor": f"x{axis}", "range": [size - 0.5, -0.5], **hidden},
            }
        )
    drawing.update_layout(height=total + below + top_margin, margin={"l": 20, "r": 70, "t": top_margin, "b": below})
    off = float(np.abs(data.weights.values[2]).max()) / top
    alt = f"Largest difference between trained and predicted weights: {off:.1%} of the largest weight; "
    alt += f"the layer's part that is even in the labels has norm {float(data.even):.2g}."
    return drawing.figure(alt, dark, "equivalence")
