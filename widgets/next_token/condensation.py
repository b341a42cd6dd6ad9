"""Drawing a condensation: components at their predicted level, soft weights as wedges, priorities as arrows.

All sizes are pixels around a data anchor, so circles stay round and names stay apart at every width of the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, sin, sqrt
from typing import TYPE_CHECKING

from widgets.kit import theme
from widgets.kit.drawing import Drawing
from widgets.kit.theme import (
    SMALL_SIZE,
    TICK_SIZE,
    contrast,
    escape,
    palette,
    readable,
    text_width,
    token_colours,
)
from widgets.next_token.layered import NOMINAL_WIDTH, Item, cramped, first_angle, panel_height, place, vertical, wedges

if TYPE_CHECKING:
    from xarray import Dataset

NAMED = 18
"""Up to so many components are named beside their discs; beyond, the ends of the curves and the hover name them."""
CROWD = 4
"""More unchosen tokens than this on one level are drawn as one crowd."""


NO_LEVELS = "order of priority (no levels: the margins cannot be met)"


def draw_condensation(drawing: Drawing, anatomy: Dataset, dark: bool, axis: str = "", compact: bool = False) -> None:
    """Draw ``anatomy`` (see :func:`theory.next_token.views.anatomy`) on the axes x<axis> and y<axis>."""
    xref, yref = f"x{axis}", f"y{axis}"
    edges = list(zip(anatomy.upper.values.tolist(), anatomy.lower.values.tolist(), strict=True))
    count = anatomy.sizes["component"]
    unit = 8.0 if compact else 19.0 if count <= 7 else 14.0 if count <= 12 else 11.0 if count <= NAMED else 7.0
    items = _items(anatomy, unit, compact)
    span, heights = vertical(items, compact)
    while unit > 5 and cramped(items, heights, edges, 8.0 if compact else 14.0):
        unit *= 0.9
        items = _items(anatomy, unit, compact)
        span, heights = vertical(items, compact)
    levels = [item.level for item in items]
    scale = (span[1] - span[0]) / panel_height(compact)
    places = place(items, heights, edges)
    owner = {component: at for at, item in enumerate(items) for component in item.components}
    colours = palette(dark)
    for source, target in sorted({(owner[a], owner[b]) for a, b in edges if owner[a] != owner[b]}):
        _arrow(
            drawing,
            (places[source], items[source]),
            (places[target], items[target]),
            colours.muted,
            xref,
            yref,
            compact,
        )
    hues = token_colours(int(anatomy.attrs["vocab_size"]), dark)
    for item, x in zip(items, places, strict=True):
        _draw_item(drawing, anatomy, item, x, hues, dark, xref, yref, compact)
    _hover_targets(drawing, anatomy, items, places, axis)
    foretold = bool(anatomy.attrs.get("feasible", 1))
    ticks = _tick_levels(levels, scale) if foretold else []
    drawing.update_layout(
        **{
            f"xaxis{axis}": {
                "range": [-NOMINAL_WIDTH / 2 - 16, NOMINAL_WIDTH / 2 + 16],
                "visible": False,
                "fixedrange": True,
            },
            f"yaxis{axis}": {
                "range": list(span),
                "fixedrange": True,
                "tickvals": ticks,
                "ticktext": [theme.signed(level) for level in ticks],
                "title": {"text": "predicted level z (logits per log time)" if foretold else NO_LEVELS},
            },
        }
    )


def _items(anatomy: Dataset, unit: float, compact: bool) -> list[Item]:
    member = anatomy.member.values.tolist()
    tokens: dict[int, list[int]] = {}
    for position, component in enumerate(member):
        tokens.setdefault(component, []).append(position)
    level = anatomy.level.values.tolist()
    names = [str(name) for name in anatomy.name.values]
    silent = compact or anatomy.sizes["component"] > NAMED
    is_upper = set(anatomy.upper.values.tolist())
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
        label = max(text_width(names[token]) for token in inside) + 8 if not silent else 0.0
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


def _draw_item(
    drawing: Drawing,
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
    silent = compact or anatomy.sizes["component"] > NAMED
    inside = list(item.tokens)
    names = [escape(str(name)) for name in anatomy.name.values[inside]]
    fills = [hues[int(token) % len(hues)] for token in anatomy.token.values[inside]]
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
            drawing.add_shape(type="circle", **box, fillcolor=fill, line={"width": 0}, **anchor)
        if not compact:
            wide = item.right > item.left
            shift = {"xshift": item.left + 6, "xanchor": "left"} if wide else {"yshift": -item.radius - 8}
            drawing.add_annotation(
                text=crowd_text(names), font={"color": colours.muted, "size": TICK_SIZE}, **shift, **words
            )
        return
    if len(item.tokens) == 1:
        r = item.radius
        box = {"x0": -r, "x1": r, "y0": -r, "y1": r}
        drawing.add_shape(type="circle", **box, fillcolor=fills[0], line={"width": 0}, **anchor)
        if not silent:
            font = {"color": readable(fills[0], colours.paper), "size": TICK_SIZE}
            drawing.add_annotation(text=names[0], xanchor="left", xshift=r + 5, font=font, **words)
        return
    weights: list[float] = anatomy.weight.values[inside].tolist()
    component = item.components[0]
    start = first_angle(weights, bool((anatomy.lower == component).any()), bool((anatomy.upper == component).any()))
    rim = {"color": colours.paper, "width": 1.5 if not compact else 0.8}
    for (path, angle), fill, name, weight in zip(
        wedges(weights, item.radius, item.radius * 0.24, start), fills, names, weights, strict=True
    ):
        drawing.add_shape(type="path", path=path, fillcolor=fill, line=rim, **anchor)
        if compact:
            continue
        middle = 0.64 * item.radius
        if 2 * pi * weight * middle >= 27:
            dark_text = contrast("#14161b", fill) > contrast("#ffffff", fill)
            font = {
                "size": SMALL_SIZE if item.radius > 36 else SMALL_SIZE - 1,
                "color": "#14161b" if dark_text else "#ffffff",
            }
            spot = {"xshift": middle * cos(angle), "yshift": middle * sin(angle)}
            drawing.add_annotation(text=f"{weight:.0%}", font=font, **spot, **words)
        if weight >= 0.04 and len(names) <= 12 and not silent:
            side = cos(angle)
            align = "left" if side > 0.25 else "right" if side < -0.25 else "center"
            reach = item.radius + (5 if align != "center" else 9)
            spot = {"xshift": reach * side, "yshift": reach * sin(angle), "xanchor": align}
            font = {"size": TICK_SIZE, "color": readable(fill, colours.paper)}
            drawing.add_annotation(text=name, font=font, **spot, **words)


def _arrow(
    drawing: Drawing,
    tail: tuple[float, Item],
    head: tuple[float, Item],
    colour: str,
    xref: str,
    yref: str,
    compact: bool,
) -> None:
    drawing.add_annotation(
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
        arrowhead=0 if compact else 2,
        arrowsize=1.1,
        arrowwidth=1.3,
        arrowcolor=colour,
        standoff=head[1].radius + 3,
        startstandoff=tail[1].radius + 2,
    )


def _hover_targets(drawing: Drawing, anatomy: Dataset, items: list[Item], places: list[float], axis: str) -> None:
    texts: list[str] = []
    names, weights = anatomy.name.values, anatomy.weight.values
    for item in items:
        shown = item.tokens[:12]
        lines = [
            escape(str(names[token])) + (f" {weights[token]:.1%}" if len(item.tokens) > 1 and not item.crowd else "")
            for token in shown
        ]
        more = f"<br>and {len(item.tokens) - 12} more" if len(item.tokens) > 12 else ""
        kind = "never chosen" if item.crowd else "one component" if len(item.tokens) > 1 else "single token"
        height = f"level {theme.signed(item.level)}" if anatomy.attrs.get("feasible", 1) else f"depth {-item.level:.0f}"
        texts.append(f"<b>{height}</b>, {kind}<br>" + "<br>".join(lines) + more)
    drawing.add_scatter(
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


def _tick_levels(levels: Sequence[float], scale: float) -> list[float]:
    chosen: list[float] = []
    for level in sorted({round(level, 9) for level in levels}, reverse=True):
        if not chosen or (chosen[-1] - level) / scale >= 15:
            chosen.append(level)
    return chosen
