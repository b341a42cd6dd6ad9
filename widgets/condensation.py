"""Drawing a condensation: components at the height of their predicted level, soft weights as wedges, priorities as arrows.

All sizes are pixels around a data anchor, so circles stay round and names stay apart at every width of the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, hypot, pi, sin, sqrt
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from widgets.theme import (
    PANEL_HEIGHT,
    SMALL_SIZE,
    TICK_SIZE,
    contrast,
    escape,
    palette,
    readable,
    text_width,
    token_colours,
)

if TYPE_CHECKING:
    from xarray import Dataset

NOMINAL_WIDTH = 300.0
"""Pixels that the layout assumes for a panel: what a 360 px phone leaves."""
ROW_GAP = 34.0
CROWD = 4
"""More unchosen tokens than this on one level are drawn as one crowd."""


@dataclass(frozen=True)
class Item:
    """One thing to place: a component (token positions ``tokens``), or a crowd of single tokens on one level."""

    components: tuple[int, ...]
    tokens: tuple[int, ...]
    level: float
    radius: float
    left: float
    right: float
    crowd: bool

    @property
    def half_height(self) -> float:
        return self.radius + (16 if len(self.tokens) > 1 and not self.crowd else 3)


def draw_condensation(fig: go.Figure, anatomy: Dataset, dark: bool, axis: str = "", compact: bool = False) -> None:
    """Draw ``anatomy`` (see :func:`theory.next_token.views.anatomy`) on the axes ``x<axis>``/``y<axis>`` of ``fig``."""
    xref, yref = f"x{axis}", f"y{axis}"
    items = _items(anatomy, compact)
    height = PANEL_HEIGHT if not compact else 120.0
    levels = [item.level for item in items]
    high, low = max(levels), min(levels)
    above = max(item.half_height for item in items if item.level == high) + 6
    below = max(item.half_height for item in items if item.level == low) + 6
    scale = max(high - low, 1e-9) / max(height - above - below, 40.0) if high > low else 2.0 / height
    span = (low - below * scale, high + above * scale) if high > low else (low - 1.0, high + 1.0)
    heights = [(span[1] - item.level) / scale for item in items]
    edges = list(zip(anatomy.upper.values.tolist(), anatomy.lower.values.tolist(), strict=True))
    places = place(items, heights, edges)
    owner = {component: at for at, item in enumerate(items) for component in item.components}
    colours = palette(dark)
    for source, target in sorted({(owner[a], owner[b]) for a, b in edges if owner[a] != owner[b]}):
        _arrow(fig, (places[source], items[source]), (places[target], items[target]), colours.muted, xref, yref)
    hues = token_colours(int(anatomy.attrs["vocab_size"]), dark)
    for item, x in zip(items, places, strict=True):
        _draw_item(fig, anatomy, item, x, hues, dark, xref, yref, compact)
    _hover_targets(fig, anatomy, items, places, axis)
    ticks = _tick_levels(levels, scale)
    fig.update_layout(
        {
            f"xaxis{axis}": {
                "range": [-NOMINAL_WIDTH / 2 - 8, NOMINAL_WIDTH / 2 + 8],
                "visible": False,
                "fixedrange": True,
            },
            f"yaxis{axis}": {
                "range": list(span),
                "fixedrange": True,
                "tickvals": ticks,
                "ticktext": [signed(level) for level in ticks],
                "title": {"text": "predicted level z (logits per log time)"},
            },
        }
    )


def signed(value: float) -> str:
    """A level as text with a true minus sign: 1 -> '1', -0.3333 -> '−0.33'."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "0", "") else text.replace("-", "−")


def place(items: Sequence[Item], heights: Sequence[float], edges: Sequence[tuple[int, int]]) -> list[float]:
    """Horizontal positions (pixels from the centre): below the parents, off other items and off their arrows."""
    owner = {component: at for at, item in enumerate(items) for component in item.components}
    parents: dict[int, set[int]] = {at: set() for at in range(len(items))}
    for upper, lower in edges:
        parents[owner[lower]].add(owner[upper])
    rows: dict[int, list[int]] = {}
    for at, height in enumerate(heights):
        rows.setdefault(round(height), []).append(at)
    placed: dict[int, float] = {}
    for _, row in sorted(rows.items()):
        wishes = {at: _mean([placed[parent] for parent in parents[at] if parent in placed]) for at in row}
        row.sort(key=lambda at: (wishes[at], at))
        width = sum(items[at].left + items[at].right for at in row)
        gap = min(ROW_GAP, max(4.0, (NOMINAL_WIDTH - width) / max(len(row) - 1, 1)))
        offsets: list[float] = []
        cursor = -(width + gap * (len(row) - 1)) / 2
        for at in row:
            offsets.append(cursor + items[at].left)
            cursor += items[at].left + items[at].right + gap
        middle = (offsets[0] + offsets[-1]) / 2
        offsets = [offset - middle for offset in offsets]
        wish = _mean(list(wishes.values()))

        def cost(shift: float, row: list[int] = row, offsets: list[float] = offsets, wish: float = wish) -> float:
            total = abs(shift - wish) + 0.01 * abs(shift)
            for at, offset in zip(row, offsets, strict=True):
                x, item = shift + offset, items[at]
                total += 30 * max(0.0, x + item.right - NOMINAL_WIDTH / 2, item.left - x - NOMINAL_WIDTH / 2)
                for other, where in placed.items():
                    total += 400 * _overlap(item, x, heights[at], items[other], where, heights[other])
                    for parent in parents[at] & placed.keys() - {other}:
                        line = (placed[parent], heights[parent], x, heights[at])
                        total += 90 * (_distance(line, where, heights[other]) < items[other].radius + 5)
            return total

        shift = min((6.0 * step for step in range(-20, 21)), key=cost)
        placed.update({at: shift + offset for at, offset in zip(row, offsets, strict=True)})
    return [placed[at] for at in range(len(items))]


def _items(anatomy: Dataset, compact: bool) -> list[Item]:
    member = anatomy.member.values.tolist()
    tokens: dict[int, list[int]] = {}
    for position, component in enumerate(member):
        tokens.setdefault(component, []).append(position)
    level = anatomy.level.values.tolist()
    names = [escape(str(name)) for name in anatomy.name.values]
    is_upper = set(anatomy.upper.values.tolist())
    unit = (19.0 if len(tokens) <= 7 else 14.0 if len(tokens) <= 12 else 11.0) * (0.42 if compact else 1.0)
    sinks: dict[float, list[int]] = {}
    for component, inside in tokens.items():
        if len(inside) == 1 and component not in is_upper:
            sinks.setdefault(round(level[component], 6), []).append(component)
    crowds = [tuple(group) for group in sinks.values() if len(group) > CROWD]
    crowded = {component for group in crowds for component in group}
    items: list[Item] = []
    for component, inside in tokens.items():
        if component in crowded:
            continue
        radius = min(unit * (1.2 * sqrt(len(inside)) if len(inside) > 1 else 1.0), 70.0)
        label = max(text_width(names[token]) for token in inside) + 8 if not compact else 0.0
        left = radius + (label * 0.8 if len(inside) > 1 else 3)
        right = radius + (label * 0.8 if len(inside) > 1 else label)
        items.append(Item((component,), tuple(inside), level[component], radius, left, right, crowd=False))
    for group in crowds:
        inside = tuple(tokens[component][0] for component in group)
        rows = -(-len(inside) // 8)
        label = text_width(crowd_text([names[token] for token in inside])) + 8 if not compact else 0.0
        half = 7.0 * min(len(inside), 8)
        extra = (label + half, 9.0 * rows) if half * 2 + label < NOMINAL_WIDTH else (half, 9.0 * rows)
        items.append(Item(group, inside, level[group[0]], extra[1], half, extra[0], crowd=True))
    return items


def crowd_text(names: Sequence[str]) -> str:
    """A crowd's label: the first names and how many more."""
    return ", ".join(names[:2]) + (f" +{len(names) - 2}" if len(names) > 2 else "")


def wedges(weights: Sequence[float], outer: float, inner: float) -> list[tuple[str, float]]:
    """Pixel paths of the wedges of a ring, clockwise from the top, and the angle of each wedge's middle."""
    paths: list[tuple[str, float]] = []
    start = pi / 2 + (pi * weights[0] if len(weights) > 2 else 0.0)
    for weight in weights:
        end = start - 2 * pi * weight
        count = max(2, int(32 * weight) + 2)
        angles = [start + (end - start) * i / (count - 1) for i in range(count)]
        rim = [f"{outer * cos(a):.2f},{outer * sin(a):.2f}" for a in angles]
        rim += [f"{inner * cos(a):.2f},{inner * sin(a):.2f}" for a in reversed(angles)]
        paths.append(("M" + "L".join(rim) + "Z", (start + end) / 2))
        start = end
    return paths


def _draw_item(
    fig: go.Figure,
    anatomy: Dataset,
    item: Item,
    x: float,
    hues: list[str],
    dark: bool,
    xref: str,
    yref: str,
    compact: bool,
) -> None:
    colours = palette(dark)
    names = [escape(str(anatomy.name.values[token])) for token in item.tokens]
    fills = [hues[int(anatomy.token.values[token]) % len(hues)] for token in item.tokens]
    anchor = {
        "xref": xref,
        "yref": yref,
        "xsizemode": "pixel",
        "ysizemode": "pixel",
        "xanchor": x,
        "yanchor": item.level,
    }
    words = {"xref": xref, "yref": yref, "x": x, "y": item.level, "showarrow": False}
    if item.crowd:
        for at, fill in enumerate(fills):
            row, column = divmod(at, 8)
            across = 14.0 * (column - (min(len(fills) - row * 8, 8) - 1) / 2)
            down = 14.0 * (row - (-(-len(fills) // 8) - 1) / 2)
            box = {"x0": across - 5, "x1": across + 5, "y0": -down - 5, "y1": -down + 5}
            fig.add_shape(type="circle", **box, fillcolor=fill, line={"width": 0}, **anchor)
        if not compact:
            wide = item.right > item.left
            shift = {"xshift": item.left + 6, "xanchor": "left"} if wide else {"yshift": -item.radius - 8}
            fig.add_annotation(
                text=crowd_text(names), font={"color": colours.muted, "size": TICK_SIZE}, **shift, **words
            )
        return
    if len(item.tokens) == 1:
        r = item.radius
        box = {"x0": -r, "x1": r, "y0": -r, "y1": r}
        fig.add_shape(type="circle", **box, fillcolor=fills[0], line={"width": 0}, **anchor)
        if not compact:
            font = {"color": readable(fills[0], colours.paper), "size": TICK_SIZE}
            fig.add_annotation(text=names[0], xanchor="left", xshift=r + 5, font=font, **words)
        return
    weights = [float(anatomy.weight.values[token]) for token in item.tokens]
    rim = {"color": colours.paper, "width": 1.5 if not compact else 0.8}
    for (path, angle), fill, name, weight in zip(
        wedges(weights, item.radius, item.radius * 0.24), fills, names, weights, strict=True
    ):
        fig.add_shape(type="path", path=path, fillcolor=fill, line=rim, **anchor)
        if compact:
            continue
        middle = 0.64 * item.radius
        if 2 * pi * weight * middle >= 27:
            dark_text = contrast("#14161b", fill) > contrast("#ffffff", fill)
            font = {"size": SMALL_SIZE, "color": "#14161b" if dark_text else "#ffffff"}
            spot = {"xshift": middle * cos(angle), "yshift": middle * sin(angle)}
            fig.add_annotation(text=f"{weight:.0%}", font=font, **spot, **words)
        if weight >= 0.04 and len(names) <= 12:
            side = cos(angle)
            align = "left" if side > 0.25 else "right" if side < -0.25 else "center"
            reach = item.radius + (5 if align != "center" else 9)
            spot = {"xshift": reach * side, "yshift": reach * sin(angle), "xanchor": align}
            font = {"size": TICK_SIZE, "color": readable(fill, colours.paper)}
            fig.add_annotation(text=name, font=font, **spot, **words)


def _arrow(
    fig: go.Figure, tail: tuple[float, Item], head: tuple[float, Item], colour: str, xref: str, yref: str
) -> None:
    fig.add_annotation(
        x=head[0],
        y=head[1].level,
        ax=tail[0],
        ay=tail[1].level,
        xref=xref,
        yref=yref,
        axref=xref,
        ayref=yref,
        text="",
        showarrow=True,
        arrowhead=2,
        arrowsize=1.1,
        arrowwidth=1.3,
        arrowcolor=colour,
        standoff=head[1].radius + 3,
        startstandoff=tail[1].radius + 2,
    )


def _hover_targets(fig: go.Figure, anatomy: Dataset, items: list[Item], places: list[float], axis: str) -> None:
    texts: list[str] = []
    for item in items:
        shown = item.tokens[:12]
        lines = [
            escape(str(anatomy.name.values[token]))
            + (f" {anatomy.weight.values[token]:.1%}" if len(item.tokens) > 1 and not item.crowd else "")
            for token in shown
        ]
        more = f"<br>and {len(item.tokens) - 12} more" if len(item.tokens) > 12 else ""
        kind = "never chosen" if item.crowd else "one component" if len(item.tokens) > 1 else "single token"
        texts.append(f"<b>level {signed(item.level)}</b>, {kind}<br>" + "<br>".join(lines) + more)
    fig.add_trace(
        go.Scatter(
            x=places,
            y=[item.level for item in items],
            mode="markers",
            marker={"size": [2 * item.radius for item in items], "color": "#888888", "opacity": 0},
            hovertemplate="%{text}<extra></extra>",
            text=texts,
            xaxis=f"x{axis}",
            yaxis=f"y{axis}",
            name="components",
        )
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _tick_levels(levels: Sequence[float], scale: float) -> list[float]:
    chosen: list[float] = []
    for level in sorted({round(level, 9) for level in levels}, reverse=True):
        if not chosen or (chosen[-1] - level) / scale >= 15:
            chosen.append(level)
    return chosen


def _overlap(a: Item, ax: float, ay: float, b: Item, bx: float, by: float) -> bool:
    apart_x = ax - a.left >= bx + b.right + 4 or bx - b.left >= ax + a.right + 4
    apart_y = abs(ay - by) >= a.half_height + b.half_height + 2
    return not (apart_x or apart_y)


def _distance(line: tuple[float, float, float, float], x: float, y: float) -> float:
    x0, y0, x1, y1 = line
    length = hypot(x1 - x0, y1 - y0) or 1.0
    along = min(max(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length**2, 0.0), 1.0)
    return hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0))
