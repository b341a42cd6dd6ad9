"""How every figure looks: colours, two Plotly templates, end-of-curve labels, text alternatives, the print variant.

Grammar of all figures: theory is a line (dashed where it is an asymptote), measurement is a point with its error bar;
a token has one colour everywhere; curves are named at their ends, not in a legend.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
import plotly.io as pio

BLUE, SKY, GREEN, ORANGE, PURPLE, VERMILION, GREY = (
    "#0072B2",
    "#56B4E9",
    "#009E73",
    "#E69F00",
    "#CC79A7",
    "#D55E00",
    "#6b7280",
)
"""Okabe-Ito. Vermilion is kept for what is wrong (rivals, failures), so no token wears it."""

FONT = "Inter, system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
TEXT_SIZE, TICK_SIZE, SMALL_SIZE = 13, 12, 11
CHARACTER_WIDTH = 0.56
"""Mean width of a character of FONT in units of its size: enough to reserve room for labels without a browser."""
MARKER_SIZE = 7
POINTS = 18
"""Measured points per curve: enough to see agreement, few enough to see the dashes between them."""
MAX_MARKERS = 500
"""More SVG markers than this make a live slider slow (5 ms per hundred)."""
PANEL_HEIGHT = 330
"""Pixels of one panel's plotting area; widths are fluid, heights are not, so label spacing can be computed."""
TOP, BOTTOM = 28, 56
MARGIN = {"l": 12, "r": 16, "t": TOP, "b": BOTTOM}


@dataclass(frozen=True)
class Palette:
    """The page's colours in one mode."""

    paper: str
    ink: str
    muted: str
    line: str


LIGHT = Palette(paper="#ffffff", ink="#1f2430", muted="#5d6470", line="#e7e3da")
DARK = Palette(paper="#1d2027", ink="#e9e7e2", muted="#a3a9b4", line="#343a45")


def palette(dark: bool) -> Palette:
    """The colours of the light or the dark page."""
    return DARK if dark else LIGHT


def template(dark: bool) -> str:
    """Name of the registered Plotly template of the light or the dark page."""
    return "bench_dark" if dark else "bench_light"


def token_colours(n: int, dark: bool = False) -> list[str]:
    """``n`` colours for tokens 0..n-1; token i has the same hue for every ``n`` and in both modes.

    After seven hues the series repeats, mixed towards the ink, then towards the paper.

    >>> token_colours(3)
    ['#0072b2', '#56b4e9', '#009e73']
    """
    colours = palette(dark)
    hues = [BLUE, SKY, GREEN, ORANGE, PURPLE, GREY, colours.ink]
    shades = ((colours.ink, 0.0), (colours.ink, 0.4), (colours.paper, 0.4), (colours.ink, 0.65), (colours.paper, 0.6))
    return [
        readable(mix(hues[i % 7], *shades[i // 7 % len(shades)]), colours.paper, 4.0 if dark else 1.5) for i in range(n)
    ]


def mix(colour: str, other: str, share: float) -> str:
    """``colour`` with ``share`` of ``other`` mixed in (sRGB).

    >>> mix("#000000", "#ffffff", 0.5)
    '#808080'
    """
    mixed = (round(a + (b - a) * share) for a, b in zip(_rgb(colour), _rgb(other), strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def contrast(first: str, second: str) -> float:
    """WCAG 2 contrast ratio of two colours, from 1 to 21.

    >>> round(contrast("#000000", "#ffffff"))
    21
    """
    bright, dim = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def readable(colour: str, paper: str, ratio: float = 4.5) -> str:
    """The nearest shade of ``colour`` whose contrast with ``paper`` is at least ``ratio`` (4.5: text, 3: marks)."""
    pole = "#000000" if _luminance(paper) > 0.18 else "#ffffff"
    shades = (mix(colour, pole, step / 20) for step in range(21))
    return next((shade for shade in shades if contrast(shade, paper) >= ratio), pole)


def translucent(colour: str, alpha: float) -> str:
    """``colour`` as an rgba() string."""
    red, green, blue = _rgb(colour)
    return f"rgba({red},{green},{blue},{alpha:g})"


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
        ends = [(values[a[-1]] - values[b[0]], at) for at, (a, b) in enumerate(zip(groups, groups[1:], strict=False))]
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


def spaced(positions: Sequence[float], count: int) -> list[int]:
    """Indices of at most ``count`` of the ascending ``positions``, evenly spread; the last is always among them.

    >>> spaced([0, 1, 1.1, 2, 3, 4], 3)
    [1, 3, 5]
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


def add_end_labels(fig: go.Figure, labels: Sequence[EndLabel], x: float, dark: bool, **axes: object) -> None:
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


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    channels = ((c / 255 / 12.92) if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in _rgb(colour))
    return sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), channels, strict=True))


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
