"""A figure as a small SVG, drawn in a millisecond without a browser: the gallery's pictures.

Understands what figures of rooms are made of: lines, filled outlines, bars, markers and words on linear and log axes,
circles and paths sized in pixels, rectangles and lines in data units, arrows, and names, which are shown where the
picture is large enough to read them.
Ticks, grids and axis titles are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from html import escape, unescape
from math import hypot, log10
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import plotly.graph_objects as go

WIDTH, HEIGHT = 760, 348
EDGE = 9.0
"""Pixels above and below the figure, in place of the room for ticks and titles."""
WEIGHT = 1.5
"""Lines and points are drawn this much heavier than in the figure: the picture is mostly seen at half size."""
NAMES_FROM = 520
"""Width in pixels from which on names are shown."""
GAP = 4.0
"""Pixels between a point and the words beside it."""
DASHES = {"dash": "9 6", "dot": "1.5 2.5", "dashdot": "5 2.5 1.5 2.5", "longdash": "8 4"}


@dataclass(frozen=True)
class Axis:
    """Data to pixels along one side of the picture; ``stop < start`` for the vertical one."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False
    """Whether ``low`` and ``high`` are powers of ten."""

    def __call__(self, value: float) -> float:
        value = log10(value) if self.log else value
        return self.start + (value - self.low) / ((self.high - self.low) or 1.0) * (self.stop - self.start)


def figure_svg(fig: go.Figure, label: str, width: int = WIDTH, height: int = HEIGHT) -> str:
    """The figure as a standalone SVG of this size; every axis that is used must have an explicit range.

    ``label`` is its text alternative. The background is transparent.
    """
    axes = _axes(fig, width, height)
    notes = fig.layout.annotations
    parts = [_arrow(note, axes) for note in notes if note.showarrow and not note.text]
    parts += [_shape(item, axes) for item in fig.layout.shapes]
    for trace in fig.data:
        if trace.type in ("scatter", "scattergl"):
            x, y = axes[trace.xaxis or "x"], axes[trace.yaxis or "y"]
            mode = trace.mode or "lines"
            parts += [_line(trace, x, y)] if "lines" in mode else []
            parts += list(_markers(trace, x, y)) if "markers" in mode else []
            parts += list(_words(trace, x, y)) if "text" in mode else []
        elif trace.type == "bar":
            parts += list(_bars(trace, axes[trace.xaxis or "x"], axes[trace.yaxis or "y"]))
    parts += [_text(note, axes) for note in notes if note.text]
    style = f"text{{font-family:system-ui,sans-serif}}@media(max-width:{NAMES_FROM - 1}px){{text{{display:none}}}}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(label)}"><style>{style}</style><title>{escape(label)}</title>{"".join(parts)}</svg>'
    )


def _axes(fig: go.Figure, width: int, height: int) -> dict[str, Axis]:
    margin = fig.layout.margin
    left, right = float(margin.l or 0), width - float(margin.r or 0)
    top, bottom = EDGE, height - EDGE
    axes: dict[str, Axis] = {}
    for name in fig.layout:
        if match := re.fullmatch(r"([xy])axis(\d*)", name):
            axis = fig.layout[name]
            if axis.range is None:
                continue
            start, stop = axis.domain or (0.0, 1.0)
            ends = (left, right) if match[1] == "x" else (bottom, top)
            span = ends[1] - ends[0]
            low, high = (float(end) for end in axis.range)
            axes[match[1] + match[2]] = Axis(
                low, high, ends[0] + start * span, ends[0] + stop * span, log=axis.type == "log"
            )
    for name in [name for name in axes if name.startswith("y")]:
        anchor = fig.layout[f"yaxis{name[1:]}"].scaleanchor
        if anchor in axes:
            axes[anchor], axes[name] = _square(axes[anchor], axes[name])
    return axes


def _square(x: Axis, y: Axis) -> tuple[Axis, Axis]:
    """The two axes with one scale: the range of the finer one grows around its middle."""
    units = [(axis.high - axis.low) / abs(axis.stop - axis.start) for axis in (x, y)]
    grown = [max(units) / unit for unit in units]
    found = [
        replace(axis, low=middle - (middle - axis.low) * factor, high=middle + (axis.high - middle) * factor)
        for axis, factor in zip((x, y), grown, strict=True)
        for middle in [(axis.low + axis.high) / 2]
    ]
    return found[0], found[1]


def _line(trace: Any, x: Axis, y: Axis) -> str:
    pieces: list[str] = []
    pen = "M"
    for a, b in zip(np.asarray(trace.x, float), np.asarray(trace.y, float), strict=True):
        if not (np.isfinite(a) and np.isfinite(b)):
            pen = "M"
            continue
        pieces.append(f"{pen}{x(a):.1f} {y(b):.1f}")
        pen = "L"
    dash = DASHES.get(trace.line.dash or "", "")
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    colour, width = escape(str(trace.line.color or "currentColor")), WEIGHT * float(trace.line.width or 2)
    clip = (
        f"{min(x.start, x.stop):.1f} {min(y.start, y.stop):.1f} {abs(x.stop - x.start):.1f} {abs(y.stop - y.start):.1f}"
    )
    box = clip.split()
    filled = escape(str(trace.fillcolor)) if trace.fill == "toself" else "none"
    return (
        f'<svg x="{box[0]}" y="{box[1]}" width="{box[2]}" height="{box[3]}" viewBox="{clip}">'
        f'<path d="{"".join(pieces)}" fill="{filled}" stroke="{colour}" stroke-width="{width:g}"{dashed}/></svg>'
    )


def _markers(trace: Any, x: Axis, y: Axis) -> Iterable[str]:
    marker = trace.marker
    if marker.opacity == 0:
        return
    xs, ys = np.asarray(trace.x, float), np.asarray(trace.y, float)
    colours = np.broadcast_to(np.asarray(marker.color if marker.color is not None else "currentColor"), xs.shape)
    sizes = np.broadcast_to(np.asarray(marker.size if marker.size is not None else 6, float), xs.shape)
    rim, rim_width = marker.line.color, float(marker.line.width or 0)
    edge = f' stroke="{escape(str(rim))}" stroke-width="{rim_width:g}"' if rim and rim_width else ""
    for a, b, colour, size in zip(xs, ys, colours, sizes, strict=True):
        if np.isfinite(a) and np.isfinite(b):
            place = f'cx="{x(a):.1f}" cy="{y(b):.1f}" r="{WEIGHT * size / 2:g}"'
            yield f'<circle {place} fill="{escape(str(colour))}"{edge}/>'


def _words(trace: Any, x: Axis, y: Axis) -> Iterable[str]:
    """The texts of a text trace, as names."""
    font = trace.textfont
    places = np.broadcast_to(np.asarray(trace.textposition or "middle center"), np.shape(trace.x))
    colours = np.broadcast_to(np.asarray(font.color or "currentColor"), np.shape(trace.x))
    for a, b, said, place, colour in zip(trace.x, trace.y, trace.text, places.tolist(), colours.tolist(), strict=True):
        vertical, horizontal = place.split()
        anchor = {"left": "end", "right": "start"}.get(horizontal, "middle")
        drop = {"bottom": 1.0, "top": -0.4}.get(vertical, 0.35) * float(font.size or 12)
        beside = {"left": -GAP, "right": GAP}.get(horizontal, 0.0)
        yield _named(str(said), x(float(a)) + beside, y(float(b)) + drop, anchor, float(font.size or 12), colour)


def _bars(trace: Any, x: Axis, y: Axis) -> Iterable[str]:
    """The bars of a horizontal bar trace."""
    for length, base, row, colour in zip(trace.x, trace.base, trace.y, trace.marker.color, strict=True):
        left, right = x(base), x(base + length)
        above, below = sorted((y(row - trace.width / 2), y(row + trace.width / 2)))
        size = f'width="{right - left:.1f}" height="{below - above:.1f}"'
        yield f'<rect x="{left:.1f}" y="{above:.1f}" {size} fill="{escape(str(colour))}"/>'


def _shape(shape: Any, axes: dict[str, Axis]) -> str:
    x, y = axes.get(shape.xref or "x"), axes.get(shape.yref or "y")
    if x is None or y is None:
        return ""
    in_pixels = shape.xsizemode == "pixel" and shape.ysizemode == "pixel"
    line_width = float(shape.line.width if shape.line.width is not None else 2)
    edge = f' stroke="{escape(str(shape.line.color))}" stroke-width="{line_width:g}"' if line_width else ""
    style = f'fill="{escape(str(shape.fillcolor or "none"))}"{edge}'
    if in_pixels:
        cx, cy = x(float(shape.xanchor)), y(float(shape.yanchor))
        if shape.type == "path":
            # In pixel mode the vertical direction of a path points up, as on the axis.
            return f'<path transform="translate({cx:.1f} {cy:.1f}) scale(1 -1)" d="{escape(shape.path)}" {style}/>'
        x0, x1, y0, y1 = cx + shape.x0, cx + shape.x1, cy - shape.y0, cy - shape.y1
    else:
        x0, x1, y0, y1 = x(shape.x0), x(shape.x1), y(shape.y0), y(shape.y1)
    if shape.type == "circle":
        radii = f'rx="{abs(x1 - x0) / 2:.1f}" ry="{abs(y1 - y0) / 2:.1f}"'
        return f'<ellipse cx="{(x0 + x1) / 2:.1f}" cy="{(y0 + y1) / 2:.1f}" {radii} {style}/>'
    if shape.type == "line":
        return f'<path d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}" {style}/>'
    size = f'width="{abs(x1 - x0):.1f}" height="{abs(y1 - y0):.1f}"'
    return f'<rect x="{min(x0, x1):.1f}" y="{min(y0, y1):.1f}" {size} {style}/>'


def _arrow(note: Any, axes: dict[str, Axis]) -> str:
    x, y = axes.get(note.xref or "x"), axes.get(note.yref or "y")
    if x is None or y is None:
        return ""
    head, tail = (x(note.x), y(note.y)), (x(note.ax), y(note.ay))
    length = hypot(head[0] - tail[0], head[1] - tail[1])
    ux, uy = ((head[0] - tail[0]) / length, (head[1] - tail[1]) / length) if length else (0.0, 0.0)
    gap, start = float(note.standoff or 0), float(note.startstandoff or 0)
    if length - gap - start < 3:
        return ""
    width = float(note.arrowwidth or 1)
    size = 5.5 * width * float(note.arrowsize or 1)
    tip = (head[0] - gap * ux, head[1] - gap * uy)
    neck = (tip[0] - size * ux, tip[1] - size * uy)
    wing = (size * 0.45 * -uy, size * 0.45 * ux)
    colour = escape(str(note.arrowcolor or "currentColor"))
    return (
        f'<path d="M{tail[0] + start * ux:.1f} {tail[1] + start * uy:.1f}L{neck[0]:.1f} {neck[1]:.1f}" '
        f'stroke="{colour}" stroke-width="{width:g}"/>'
        f'<path d="M{tip[0]:.1f} {tip[1]:.1f}L{neck[0] + wing[0]:.1f} {neck[1] + wing[1]:.1f}'
        f'L{neck[0] - wing[0]:.1f} {neck[1] - wing[1]:.1f}Z" fill="{colour}"/>'
    )


def _text(note: Any, axes: dict[str, Axis]) -> str:
    x, y = axes.get(note.xref or "x"), axes.get(note.yref or "y")
    if x is None or y is None:
        return ""
    size = float(note.font.size or 12)
    anchor = {"left": "start", "right": "end"}.get(note.xanchor or "", "middle")
    drop = {"top": 0.8, "bottom": -0.2}.get(note.yanchor or "", 0.35) * size
    across, down = x(note.x) + float(note.xshift or 0), y(note.y) - float(note.yshift or 0) + drop
    return _named(str(note.text), across, down, anchor, size, str(note.font.color or "currentColor"))


def _named(text: str, across: float, down: float, anchor: str, size: float, colour: str) -> str:
    """A line of text; of Plotly's pseudo-HTML only the raised figures of a power are kept, as ``^``."""
    plain = re.sub(r"<[^>]*>", "", text.replace("<br>", " ").replace("<sup>", "^"))
    words = escape(unescape(plain), quote=False).strip()
    place = f'x="{across:.1f}" y="{down:.1f}" text-anchor="{anchor}"'
    return f'<text {place} font-size="{size:g}" fill="{escape(colour)}">{words}</text>'
