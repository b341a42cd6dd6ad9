"""Lines named at their ends, points with error bars, and panels: what all figures of the room ``icl`` are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from widgets.kit import theme
from widgets.kit.drawing import Drawing
from widgets.kit.marks import words, write_labels

Floats = npt.NDArray[np.float64]
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True, eq=False)
class Line:
    """A predicted curve: ``label`` at its end ("" for none), ``name`` in the data."""

    x: Floats
    y: Floats
    colour: str
    label: str
    name: str
    dash: str = "solid"


@dataclass(frozen=True, eq=False)
class Points:
    """Measured points with two standard errors; hollow where training had not come to rest."""

    x: Floats
    y: Floats
    colour: str
    name: str
    error: Floats | None = None
    settled: npt.NDArray[np.bool_] | None = None
    symbol: str = "circle"


def draw_panel(
    drawing: Drawing,
    axis: str,
    lines: Sequence[Line],
    points: Sequence[Points],
    titles: tuple[str, str],
    dark: bool,
    *,
    log: tuple[bool, bool] = (True, False),
    span: tuple[float, float] | None = None,
) -> float:
    """Draw on x<axis>, y<axis>; returns the pixels that the names at the ends take. ``span`` in units of the axis."""
    axes = {"xaxis": f"x{axis}", "yaxis": f"y{axis}"}
    for line in lines:
        drawing.add_scatter(
            x=line.x,
            y=line.y,
            mode="lines",
            line={"width": 2.0, "color": line.colour, "dash": line.dash},
            name=line.name,
            hovertemplate=f"{line.name}: %{{y:.4g}}<br>{titles[0]} = %{{x:.4g}}<extra></extra>",
            **axes,
        )
    for found in points:
        marker: dict[str, object] = {"size": theme.MARKER_SIZE, "color": found.colour, "symbol": found.symbol}
        if found.settled is not None and not found.settled.all():
            marker["color"] = [found.colour if rest else "rgba(0,0,0,0)" for rest in found.settled.tolist()]
            marker["line"] = {"width": 1.6, "color": found.colour}
        bars: dict[str, object] = {}
        if found.error is not None:
            doubled = 2 * found.error
            upright = {"array": doubled, "arrayminus": doubled, "color": found.colour, "symmetric": False}
            bars = {"error_y": {"type": "data", "thickness": 1.2, "width": 0, **upright}}
        drawing.add_scatter(
            x=found.x,
            y=found.y,
            mode="markers",
            marker=marker,
            **bars,
            name=found.name,
            hovertemplate=f"{found.name}: %{{y:.4g}}<br>{titles[0]} = %{{x:.4g}}<extra></extra>",
            **axes,
        )
    low, high = span or span_of(lines, points, log[1])
    xs = np.concatenate([*(line.x for line in lines), *(found.x for found in points)])
    reach = _name_ends(drawing, lines, (low, high), dark, log, axes)
    across: dict[str, object] = {"title": {"text": titles[0]}, "automargin": False}
    across |= {"range": _padded(xs, log[0])}
    if log[0]:
        across |= {"type": "log", "tickvals": list(TICKS), "tickformat": ",d"}
    up: dict[str, object] = {"title": {"text": titles[1]}, "range": [low, high], "automargin": False}
    if log[1]:
        up |= {"type": "log", **_ticks(low, high)}
    drawing.update_layout(**{f"xaxis{axis}": across, f"yaxis{axis}": up})
    return reach


def _padded(xs: Floats, log: bool) -> list[float]:
    ends = [float(np.log10(v)) if log else float(v) for v in (xs.min(), xs.max())]
    room = 0.015 * (ends[1] - ends[0])
    return [ends[0] - room, ends[1] + room]


def _ticks(low: float, high: float) -> dict[str, object]:
    """Ticks of a logarithmic axis: 1, 2, 5 where they have room, else powers of ten."""
    first, last = int(np.floor(low)), int(np.ceil(high))
    if last - first > 4:
        return {"exponentformat": "power", "dtick": max(1, (last - first) // 5), "tickmode": "linear"}
    return {"tickvals": [m * 10.0**k for k in range(first, last + 1) for m in (1, 2, 5)], "tickformat": "~g"}


def span_of(lines: Sequence[Line], points: Sequence[Points], log: bool) -> tuple[float, float]:
    """A range that shows all lines and points, in powers of ten on a logarithmic axis."""
    values = np.concatenate([*(line.y.ravel() for line in lines), *(found.y.ravel() for found in points)])
    values = values[np.isfinite(values) & ((values > 0) | (not log))]
    if not values.size:
        return 0.0, 1.0
    ends = np.log10(values) if log else values
    low, high = float(ends.min()), float(ends.max())
    room = max(high - low, 1e-3 * max(abs(high), 1e-6), 0.1 if log else 0.0)
    return low - 0.05 * room, high + 0.1 * room


def _name_ends(
    drawing: Drawing,
    lines: Sequence[Line],
    span: tuple[float, float],
    dark: bool,
    log: tuple[bool, bool],
    axes: dict[str, str],
) -> float:
    """Names at the ends of the lines; returns the pixels that they take."""
    named = [line for line in lines if line.label and np.isfinite(line.y).any()]
    ends = [float(line.y[np.isfinite(line.y)][-1]) for line in named]
    heights = [float(np.log10(max(end, 1e-300))) if log[1] else end for end in ends]
    inside = [float(np.clip(height, *span)) for height in heights]
    labels = theme.end_labels(inside, [line.label for line in named], [line.colour for line in named], span)
    if not labels:
        return 12.0
    x = max(float(line.x[-1]) for line in named)
    write_labels(drawing, labels, x, span, dark, log=log[1], xaxis=axes["xaxis"], yaxis=axes["yaxis"])
    return max(theme.text_width(label.text) for label in labels) + 14


def side_by_side(drawing: Drawing, narrow: bool, reach: tuple[float, float], share: float = 0.44) -> None:
    """Lay out two panels beside each other, or on a narrow screen below each other."""
    height, top, below = theme.PANEL_HEIGHT, theme.TOP, theme.BOTTOM
    total = height if not narrow else 2 * height + below + top
    first, second = ([0.0, share], [share + 0.13, 1.0]) if not narrow else ([0.0, 1.0], [0.0, 1.0])
    low = (total - height) / total if narrow else 0.0
    right = max(reach) if narrow else reach[1]
    drawing.update_layout(
        height=total + top + below,
        margin={"l": 60, "r": right + 8, "t": top, "b": below},
        xaxis={"domain": first, "anchor": "y"},
        yaxis={"domain": [low, 1.0], "anchor": "x"},
        xaxis2={"domain": second, "anchor": "y2"},
        yaxis2={"domain": [0.0, height / total], "anchor": "x2"},
    )


def one_panel(drawing: Drawing, reach: float) -> None:
    """Margins of a figure with one panel."""
    drawing.update_layout(
        height=theme.PANEL_HEIGHT + theme.TOP + theme.BOTTOM,
        margin={"l": 60, "r": reach + 8, "t": theme.TOP, "b": theme.BOTTOM},
    )


def write(
    drawing: Drawing,
    places: list[tuple[float, float, str, str]],
    colours: list[str],
    dark: bool,
    axes: dict[str, str] | None = None,
) -> None:
    """Texts at (x, y, text, position) as one trace."""
    here = axes or {"xaxis": "x", "yaxis": "y"}
    words(drawing, places, colours, dark, here["xaxis"], here["yaxis"])
