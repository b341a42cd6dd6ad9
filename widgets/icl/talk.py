"""The two panels of the opening picture of the room ``icl``: the bowl, and the risk against the prompt's length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from widgets.icl.curves import Line, Points, draw_panel, write
from widgets.kit import theme

if TYPE_CHECKING:
    from xarray import Dataset

    from widgets.kit.drawing import Drawing

CURVES = {
    "exact": ("attention", theme.BLUE, "solid"),
    "approximation": ("approximation", theme.BLUE, "dash"),
    "independent": ("random examples", theme.GREY, "solid"),
    "h3": ("H3", theme.GREEN, "solid"),
}


def draw_bowl(drawing: Drawing, bowl: Dataset, dark: bool) -> None:
    """Contours of the risk with the path of descent, the best step, and the layers that were trained."""
    colours = theme.palette(dark)
    for level, risk in enumerate(bowl.level_risk.values.tolist()):
        share = 0.02 + 0.36 * level / (bowl.sizes["level"] - 1)
        drawing.add_scatter(
            x=bowl.contour_a.values[level],
            y=bowl.contour_b.values[level],
            mode="lines",
            fill="toself",
            fillcolor=theme.mix(colours.paper, theme.BLUE, share),
            line={"width": 0.8, "color": theme.mix(colours.paper, theme.BLUE, 0.3 + share)},
            hoverinfo="skip",
            name=f"risk {risk:.4g} (theory)",
        )
    path = {"x": bowl.path_a.values, "y": bowl.path_b.values}
    drawing.add_scatter(
        **path,
        mode="lines",
        line={"width": 1.4, "color": colours.ink},
        hoverinfo="skip",
        name="path of gradient descent (theory)",
    )
    drawing.add_scatter(
        **path,
        mode="markers",
        marker={"size": 4, "color": colours.ink},
        customdata=bowl.path_risk.values,
        name="gradient descent (theory)",
        hovertemplate="gradient descent: risk %{customdata:.4g}<extra></extra>",
    )
    best = float(bowl.best_a), float(bowl.best_b)
    drawing.add_scatter(
        x=[best[0]],
        y=[best[1]],
        mode="markers",
        marker={"symbol": "x-thin", "size": 15, "line": {"width": 2, "color": colours.ink}},
        name="best step (theory)",
        hovertemplate="best step: %{x:.3g}, %{y:.3g}<extra></extra>",
    )
    if "trained_a" in bowl:
        _layers(drawing, bowl)
    ends = bowl.range.values.tolist()
    _name_bowl(drawing, bowl, best, (ends[0], ends[1]), dark)
    title = "n × weight of direction"
    fixed = {"range": ends, "automargin": False}
    drawing.update_layout(
        xaxis={"title": {"text": f"{title} 1"}, **fixed},
        yaxis={"title": {"text": f"{title} {bowl.attrs['second']}"}, **fixed},
    )


def _layers(drawing: Drawing, bowl: Dataset) -> None:
    """The way of every trained layer, as one line with gaps, and where it ended."""
    if "way_a" in bowl:
        gap = np.full(bowl.sizes["model"], np.nan)
        across, up = (np.vstack([bowl[name].values, gap]).T.ravel() for name in ("way_a", "way_b"))
        drawing.add_scatter(
            x=across,
            y=up,
            mode="lines",
            line={"width": 1.0, "color": theme.translucent(theme.VERMILION, 0.55)},
            hoverinfo="skip",
            name="layers in training",
        )
    drawing.add_scatter(
        x=bowl.trained_a.values,
        y=bowl.trained_b.values,
        mode="markers",
        marker={"size": theme.MARKER_SIZE + 1, "color": theme.VERMILION},
        name="trained attention layers",
        hovertemplate="trained layer: %{x:.3g}, %{y:.3g}<extra></extra>",
    )


def _name_bowl(
    drawing: Drawing, bowl: Dataset, best: tuple[float, float], ends: tuple[float, float], dark: bool
) -> None:
    """Words in corners that neither path nor layers enter, and risks at the tops of the contours."""
    colours = theme.palette(dark)
    width = ends[1] - ends[0]
    line = 0.055 * width
    left, high = ends[0] + 0.02 * width, ends[1] - 0.05 * width
    said = [("× best step (theory)", colours.ink), ("• gradient descent (theory)", colours.ink)]
    said += [("● trained attention", theme.VERMILION)] if "trained_a" in bowl else []
    places = [(left, high - row * line, text, "middle right") for row, (text, _) in enumerate(said)]
    shades = [colour for _, colour in said]
    last, free = best[1], high - len(said) * line
    for level in range(bowl.sizes["level"])[::-1]:
        at = int(bowl.contour_b.values[level].argmax())
        across, up = float(bowl.contour_a.values[level, at]), float(bowl.contour_b.values[level, at])
        inside = ends[0] + 0.06 * width < across < ends[1] - 0.06 * width
        if inside and last + 0.09 * width < up < free:
            places.append((across, up, f"{float(bowl.level_risk.values[level]):.3g}", "middle center"))
            shades.append(colours.muted)
            last = up
    write(drawing, places, shades, dark)


def draw_curve(drawing: Drawing, curve: Dataset, dark: bool) -> float:
    """Risk against n, with trained layers, floor and crossover; returns the pixels that the names take."""
    colours = theme.palette(dark)
    lines = [
        Line(
            curve.n.values,
            curve.risk.values[row],
            CURVES[str(name)][1],
            CURVES[str(name)][0],
            f"{name} (theory)",
            CURVES[str(name)][2],
        )
        for row, name in enumerate(curve["curve"].values)
    ]
    found: list[Points] = []
    if "trained_n" in curve:
        layers = (curve.trained_n.values, curve.trained_risk.values, theme.VERMILION, "attention (trained layers)")
        found.append(Points(*layers, curve.trained_error.values, curve.settled.values))
    top = float(max(line.y.max() for line in lines))
    low = min([0.0, *(float(line.y.min()) for line in lines)])
    span = (low, 1.1 * top)
    reach = draw_panel(drawing, "2", lines, found, ("context length n", "risk"), dark, span=span)
    axes = {"xaxis": "x2", "yaxis": "y2"}
    here = float(curve.attrs["here"])
    drawing.add_scatter(
        x=[here, here],
        y=list(span),
        mode="lines",
        line={"width": 1.2, "dash": "dot", "color": colours.muted},
        hoverinfo="skip",
        name="here",
        **axes,
    )
    drawing.add_scatter(
        x=[here],
        y=[float(curve.now)],
        mode="markers",
        marker={"size": 11, "color": "rgba(0,0,0,0)", "line": {"width": 1.8, "color": theme.BLUE}},
        name="at this n",
        hovertemplate="risk %{y:.4g} predicted<extra></extra>",
        **axes,
    )
    if np.isfinite(float(curve.floor)):
        drawing.add_scatter(
            x=[float(curve.n.values[0]), float(curve.n.values[-1])],
            y=[float(curve.floor)] * 2,
            mode="lines",
            line={"width": 1.2, "dash": "dot", "color": theme.BLUE},
            name="floor (theory)",
            hovertemplate="no number of retrieved examples goes below %{y:.4g}<extra></extra>",
            **axes,
        )
    crossing = float(curve.crossover)
    if np.isfinite(crossing):
        orange = theme.ORANGE
        top = span[1] - 0.05 * (span[1] - span[0])
        places = [(float(curve.n.values[-1]), top, f"▲ retrieval hurts beyond n = {crossing:,.1f} ", "middle left")]
        if crossing <= float(curve.n.values[-1]):
            risk = float(np.interp(np.log(crossing), np.log(curve.n.values), curve.risk.values[0]))
            places.append((crossing, risk, "▲", "middle center"))
        write(drawing, places, [orange] * len(places), dark, axes)
    return reach
