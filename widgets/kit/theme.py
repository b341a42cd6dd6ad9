"""How every figure looks: colours, two Plotly templates, end-of-curve labels, text alternatives, the print variant.

Grammar of all figures: theory is a line (dashed where it is an asymptote), measurement is a point with its error bar;
a token has one colour everywhere; curves are named at their ends, not in a legend.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import plotly.graph_objects as go
import plotly.io as pio

from widgets.kit.colour import BLUE as BLUE
from widgets.kit.colour import GREEN as GREEN
from widgets.kit.colour import GREY as GREY
from widgets.kit.colour import ORANGE as ORANGE
from widgets.kit.colour import PURPLE as PURPLE
from widgets.kit.colour import SKY as SKY
from widgets.kit.colour import VERMILION as VERMILION
from widgets.kit.colour import contrast as contrast
from widgets.kit.colour import mix as mix
from widgets.kit.colour import palette as palette
from widgets.kit.colour import readable as readable
from widgets.kit.colour import token_colours as token_colours
from widgets.kit.colour import translucent as translucent


class Annotated(Protocol):
    """A figure, finished or in the making, that words can be put on."""

    def add_annotation(self, **annotation: Any) -> Any: ...


FONT = "Inter, system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
TEXT_SIZE, TICK_SIZE, SMALL_SIZE = 13, 12, 11
CHARACTER_WIDTH = 0.56
"""Mean width of a character of FONT in units of its size: enough to reserve room for labels without a browser."""
MARKER_SIZE = 7
POINTS = 18
"""Measured points per curve: enough to see agreement, few enough to see the dashes between them."""
MAX_MARKERS = 500
"""More SVG markers than this make a live slider slow (5 ms per hundred)."""
PANEL_HEIGHT = 350
"""Pixels of one panel's plotting area; widths are fluid, heights are not, so label spacing can be computed."""
TOP, BOTTOM = 28, 56
MARGIN = {"l": 12, "r": 16, "t": TOP, "b": BOTTOM}


def template(dark: bool) -> str:
    """Name of the registered Plotly template of the light or the dark page."""
    return "bench_dark" if dark else "bench_light"


@dataclass(frozen=True)
class EndLabel:
    """A curve's name: anchored at ``value`` on the axis, moved up by ``shift`` pixels so that labels do not overlap."""

    value: float
    text: str
    colour: str
    shift: float


def end_labels(
    values: Sequence[float],
    names: Sequence[str],
    colours: Sequence[str],
    axis_range: tuple[float, float],
    height: float = PANEL_HEIGHT,
    gap: float = 15.0,
) -> list[EndLabel]:
    """Names for the ends of curves, at least ``gap`` pixels apart and inside the panel.

    Neighbours that cannot all be named are joined ("rock, paper +3"). ``axis_range`` is the range of the axis that
    ``values`` are on and ``height`` its length in pixels.
    """
    if not values:
        return []
    low, high = axis_range
    per_pixel = (high - low) / height or 1.0
    order = sorted(range(len(values)), key=lambda i: values[i], reverse=True)
    groups = [[i] for i in order]
    while len(groups) > max(1, int(height // gap)):
        ends = [(values[a[-1]] - values[b[0]], at) for at, (a, b) in enumerate(pairwise(groups))]
        at = min(ends)[1]
        groups[at : at + 2] = [groups[at] + groups[at + 1]]
    wanted = [(high - sum(values[i] for i in group) / len(group)) / per_pixel for group in groups]
    placed = _spread(wanted, gap, height)
    labels: list[EndLabel] = []
    for group, want, got in zip(groups, wanted, placed, strict=True):
        shown = ", ".join(names[i] for i in group[:2]) + (f" +{len(group) - 2}" if len(group) > 2 else "")
        labels.append(EndLabel(high - want * per_pixel, shown, colours[group[0]], want - got))
    return labels


def escape(text: str) -> str:
    """``text`` for Plotly's pseudo-HTML: a person's words never become tags.

    >>> escape("<b>")
    '&lt;b&gt;'
    """
    return html.escape(text, quote=False)


def signed(value: float) -> str:
    """A level as text with a true minus sign: 1 -> '1', -0.3333 -> '−0.33'."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "0", "") else text.replace("-", "−")


def spaced(positions: Sequence[float], count: int) -> list[int]:
    """Indices of at most ``count`` of the ascending ``positions``, evenly spread; the last is always among them.

    >>> spaced([0, 1, 1.1, 2, 3, 4], 3)
    [0, 3, 5]
    """
    if len(positions) == 0:
        return []
    gap = 0.95 * (positions[-1] - positions[0]) / max(count, 1)
    chosen = [len(positions) - 1]
    for at in range(len(positions) - 2, -1, -1):
        if positions[chosen[-1]] - positions[at] >= gap and len(chosen) < count:
            chosen.append(at)
    return chosen[::-1]


def text_width(text: str, size: float = TICK_SIZE) -> float:
    """Estimated width of ``text`` in pixels."""
    return len(text) * size * CHARACTER_WIDTH


def add_end_labels(fig: Annotated, labels: Sequence[EndLabel], x: float, dark: bool, **axes: object) -> None:
    """Write ``labels`` to the right of the curves that end at ``x``; ``axes`` are ``xref`` and ``yref``."""
    for label in labels:
        fig.add_annotation(
            x=x,
            y=label.value,
            text=label.text,
            xanchor="left",
            yanchor="middle",
            xshift=8,
            yshift=label.shift,
            showarrow=False,
            font={"size": TICK_SIZE, "color": readable(label.colour, palette(dark).paper)},
            **axes,
        )


def finish(fig: go.Figure, alt: str, dark: bool, revision: str, stacked: bool = False, **layout: object) -> go.Figure:
    """Common last touches of every builder: template, text alternative, ``uirevision``, optional stacking of panels."""
    fig.update_layout(template=template(dark), uirevision=revision, meta={"alt": alt}, **layout)
    fig.update_layout(margin={**MARGIN, **fig.layout.margin.to_plotly_json()})
    if fig.layout.height is None:
        fig.update_layout(height=PANEL_HEIGHT + fig.layout.margin.t + fig.layout.margin.b)
    return stack(fig) if stacked else fig


def figure_text(fig: go.Figure) -> str:
    """The text alternative of a figure: one or two sentences with its main numbers."""
    return str(fig.layout.meta["alt"])


def stack(fig: go.Figure) -> go.Figure:
    """Put side-by-side panels below each other, each as tall as before: the layout for narrow screens and columns."""
    panels = sorted(
        (name for name in fig.layout.to_plotly_json() if name.startswith("xaxis")),
        key=lambda name: (fig.layout[name].domain or (0.0, 1.0))[0],
    )
    if len(panels) < 2:
        return fig
    top, bottom = fig.layout.margin.t, fig.layout.margin.b
    panel = fig.layout.height - top - bottom
    gaps = [top + (bottom if fig.layout[name].visible is not False else 8) for name in panels[:-1]]
    total = len(panels) * panel + sum(gaps)
    for row, name in enumerate(panels):
        fig.layout[name].domain = (0.0, 1.0)
        start = ((len(panels) - 1 - row) * panel + sum(gaps[row:])) / total
        fig.layout[name.replace("x", "y", 1)].domain = (start, min(1.0, start + panel / total))
        if fig.layout[name].matches and fig.layout[name].matches != "x":
            fig.layout[name].matches = None
    fig.update_layout(height=total + top + bottom)
    return fig


def for_print(fig: go.Figure, width_inches: float = 6.75) -> go.Figure:
    """A copy for a paper: white background, 3.3 or 6.75 inches wide, 8-9 pt type, vectors only.

    Build ``fig`` with ``dark=False``. Panels are stacked below 4.5 inches. Pixels are CSS pixels (96 per inch), which
    PDF and SVG writers turn into 0.75 pt.
    """
    copy = go.Figure(fig)
    if width_inches < 4.5:
        stack(copy)
    traces = [
        go.Scatter({key: value for key, value in trace.to_plotly_json().items() if key != "type"})
        if trace.type == "scattergl"
        else trace
        for trace in copy.data
    ]
    copy = go.Figure(data=traces, layout=copy.layout)
    point = 96 / 72
    copy.update_layout(
        template=template(False),
        width=round(width_inches * 96),
        paper_bgcolor="#ffffff",
        plot_bgcolor="#ffffff",
        font={"size": 9 * point},
    )
    copy.update_annotations(font={"size": 8 * point})
    copy.update_xaxes(tickfont={"size": 8 * point}, title_font={"size": 9 * point})
    copy.update_yaxes(tickfont={"size": 8 * point}, title_font={"size": 9 * point})
    return copy


def _spread(wanted: Sequence[float], gap: float, height: float) -> list[float]:
    """Positions nearest to ``wanted`` (ascending) that keep their order, a distance ``gap``, and lie in [0, height]."""
    blocks: list[tuple[float, int]] = []
    for position in wanted:
        centre, count = position, 1
        while blocks:
            upper, members = blocks[-1]
            if upper + members * gap / 2 + count * gap / 2 <= centre:
                break
            blocks.pop()
            centre = (upper * members + centre * count) / (members + count)
            count += members
        blocks.append((min(max(centre, (count - 1) * gap / 2), height - (count - 1) * gap / 2), count))
    placed = [centre + (i - (count - 1) / 2) * gap for centre, count in blocks for i in range(count)]
    for i in range(1, len(placed)):
        placed[i] = max(placed[i], placed[i - 1] + gap)
    overflow = max(0.0, placed[-1] - height) if placed else 0.0
    for i in range(len(placed) - 1, -1, -1):
        ceiling = height if i == len(placed) - 1 else placed[i + 1] - gap
        placed[i] = min(placed[i], ceiling) if overflow else placed[i]
    return placed


def _make_template(dark: bool) -> go.layout.Template:
    colours = palette(dark)
    axis = {
        "gridcolor": colours.line,
        "zeroline": False,
        "linecolor": colours.line,
        "ticks": "",
        "tickfont": {"size": TICK_SIZE, "color": colours.muted},
        "title": {"font": {"size": TEXT_SIZE, "color": colours.muted}, "standoff": 8},
        "automargin": True,
    }
    layout = go.Layout(
        font={"family": FONT, "size": TEXT_SIZE, "color": colours.ink},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        colorway=token_colours(7, dark),
        xaxis=axis,
        yaxis=axis,
        margin=MARGIN,
        showlegend=False,
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": -0.18, "yanchor": "top"},
        hoverlabel={"bgcolor": colours.paper, "bordercolor": colours.line, "font": {"color": colours.ink}},
        hovermode="closest",
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": colours.muted, "activecolor": colours.ink},
        annotationdefaults={"font": {"size": TICK_SIZE, "color": colours.ink}},
        dragmode="pan",
    )
    return go.layout.Template(layout=layout)


for _dark in (False, True):
    pio.templates[template(_dark)] = _make_template(_dark)
