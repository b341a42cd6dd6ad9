"""Three tokens: all shares as points of a triangle, where the prompt's shares drift, and which winners they reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from widgets.ccmc.growth import joined, short, token_hues
from widgets.kit import theme
from widgets.kit.drawing import Drawing

if TYPE_CHECKING:
    from xarray import Dataset

Floats = npt.NDArray[np.float64]
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
"""Places of the three tokens: bottom left, bottom right, top."""
HEAD = 0.011
"""Half the width of an arrow's head, in sides of the triangle."""
LARGE = 470


def simplex(flow: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """The flow of the shares of three tokens: arrows, basins of attraction, fixed points, simulated runs.

    A filled disc is a stable fixed point (a winner set), an open one is unstable. Takes
    :func:`theory.ccmc.views.flow`.
    """
    drawing = Drawing()
    height = 330 if narrow else LARGE
    draw_simplex(drawing, flow, dark)
    drawing.update_layout(height=height + 40, margin={"l": 12, "r": 12, "t": 16, "b": 24})
    return drawing.figure(simplex_alt(flow), dark, "simplex")


def draw_simplex(drawing: Drawing, flow: Dataset, dark: bool, axis: str = "", compact: bool = False) -> None:
    """Draw ``flow`` (see :func:`theory.ccmc.views.flow`) on the axes x<axis> and y<axis>."""
    colours = theme.palette(dark)
    axes = {"xaxis": f"x{axis}", "yaxis": f"y{axis}"}
    hues = token_hues(3, dark)
    _basins(drawing, flow, hues, dark, axes)
    outline = placed(np.eye(3)[[0, 1, 2, 0]])
    drawing.add_scatter(
        x=outline[:, 0],
        y=outline[:, 1],
        mode="lines",
        line={"width": 1.2, "color": colours.muted},
        hoverinfo="skip",
        name="simplex",
        **axes,
    )
    if flow.sizes.get("arrow", 0):
        _arrows(drawing, flow, colours.muted, axes)
    if "path" in flow and flow.sizes["run"]:
        _paths(drawing, flow, dark, axes, compact)
    _fixed_points(drawing, flow, dark, axes, compact)
    if not compact:
        _corners(drawing, flow, hues, colours.paper, axes)
    drawing.update_layout(
        **{
            f"xaxis{axis}": {"range": [-0.04, 1.04], "visible": False, "fixedrange": True},
            f"yaxis{axis}": {
                "range": [-0.12, 0.99],
                "visible": False,
                "fixedrange": True,
                "scaleanchor": f"x{axis}",
            },
        }
    )


def placed(shares: Floats) -> Floats:
    """Shares (..., 3) as points (..., 2) of the triangle.

    >>> placed(np.array([0.0, 0.0, 1.0])).round(3).tolist()
    [0.5, 0.866]
    """
    return shares @ CORNERS


def _basins(drawing: Drawing, flow: Dataset, hues: list[str], dark: bool, axes: dict[str, str]) -> None:
    rows, basin = int(flow.attrs["rows"]), flow.basin.values.astype(np.int64)
    strips = _strips(basin, rows)
    names = _set_names(flow)
    for attractor in sorted({which for which, _ in strips if which >= 0}):
        pieces = [corners for which, corners in strips if which == attractor]
        outline = np.concatenate([np.vstack([piece, piece[:1], [[np.nan, np.nan]]]) for piece in pieces])
        fill = _tint(flow.fixed.values[attractor], hues, theme.palette(dark).paper)
        drawing.add_scatter(
            x=outline[:, 0].astype(np.float32),
            y=outline[:, 1].astype(np.float32),
            mode="lines",
            fill="toself",
            fillcolor=fill,
            # A rim of the same colour closes the seams between neighbouring strips.
            line={"width": 0.8, "color": fill},
            hoverinfo="skip",
            name=f"leads to {names[attractor]}",
            **axes,
        )


def _strips(basin: npt.NDArray[np.int64], rows: int) -> list[tuple[int, Floats]]:
    """Small triangles of one basin joined along each row: (basin, corners (4, 2)).

    Row r has 2 (rows - r) - 1 triangles, standing and hanging ones in turn, from left to right.
    """
    found: list[tuple[int, Floats]] = []
    start = 0
    for row in range(rows):
        width = 2 * (rows - row) - 1
        line = basin[start : start + width]
        start += width
        cuts = np.concatenate([[0], np.flatnonzero(np.diff(line)) + 1, [width]])
        for first, stop in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
            low, high = row / rows, (row + 1) / rows
            # Along the bottom edge triangle q starts at (q + 1)//2 steps, along the top edge at q//2.
            corners = [((first + 1) // 2, low), ((stop + 1) // 2, low), (stop // 2, high), (first // 2, high)]
            shares = np.array([[1 - step / rows - up, step / rows, up] for step, up in corners])
            found.append((int(line[first]), placed(shares)))
    return found


def _tint(shares: Floats, hues: list[str], paper: str) -> str:
    top = int(np.argmax(shares))
    hue, total = hues[top], float(shares[top])
    for token in np.flatnonzero(shares > 1e-9):
        if token != top:
            total += float(shares[token])
            hue = theme.mix(hue, hues[int(token)], float(shares[token]) / total)
    return theme.mix(paper, hue, 0.22)


def _arrows(drawing: Drawing, flow: Dataset, colour: str, axes: dict[str, str]) -> None:
    tail, tip = placed(flow.arrow_tail.values), placed(flow.arrow_tip.values)
    along = tip - tail
    length = np.linalg.norm(along, axis=1, keepdims=True)
    unit = along / np.where(length > 0, length, 1.0)
    side = unit[:, ::-1] * [-1, 1]
    size = np.minimum(HEAD, length)
    wings = [tip - 1.7 * size * unit + sign * size * side for sign in (1, -1)]
    gap = np.full_like(tip, np.nan)
    outline = np.stack([tail, tip, gap, wings[0], tip, wings[1], gap], axis=1).reshape(-1, 2)
    drawing.add_scatter(
        x=outline[:, 0].astype(np.float32),
        y=outline[:, 1].astype(np.float32),
        mode="lines",
        line={"width": 1, "color": theme.translucent(colour, 0.9)},
        hoverinfo="skip",
        name="flow (theory)",
        **axes,
    )


def _paths(drawing: Drawing, flow: Dataset, dark: bool, axes: dict[str, str], compact: bool) -> None:
    paths = placed(flow.path.values)
    ink = theme.palette(dark).ink
    x, y = joined(paths[..., 0], paths[..., 1])
    drawing.add_scatter(
        x=x,
        y=y,
        mode="lines",
        line={"width": 1 if compact else 1.3, "color": theme.translucent(ink, 0.6)},
        hoverinfo="skip",
        name="simulated runs",
        **axes,
    )


def _fixed_points(drawing: Drawing, flow: Dataset, dark: bool, axes: dict[str, str], compact: bool) -> None:
    colours = theme.palette(dark)
    points = placed(flow.fixed.values)
    stable = flow.stable.values.astype(bool)
    shares = [[f"{share:.1%}" for share in row] for row in flow.fixed.values.tolist()]
    names = [short(name) for name in flow.name.values]
    drawing.add_scatter(
        x=points[:, 0],
        y=points[:, 1],
        mode="markers",
        marker={
            "size": 8 if compact else 12,
            "color": [colours.ink if good else colours.paper for good in stable],
            "line": {"width": 1.2 if compact else 1.8, "color": colours.ink},
        },
        text=[
            f"<b>{'stable' if good else 'unstable'} fixed point</b><br>"
            + "<br>".join(f"{name} {share}" for name, share in zip(names, row, strict=True))
            for good, row in zip(stable, shares, strict=True)
        ],
        hovertemplate="%{text}<extra></extra>",
        cliponaxis=False,
        name="fixed points (theory)",
        **axes,
    )


def _corners(drawing: Drawing, flow: Dataset, hues: list[str], paper: str, axes: dict[str, str]) -> None:
    drawing.add_scatter(
        x=CORNERS[:, 0],
        y=CORNERS[:, 1] + [-0.045, -0.045, 0.045],
        mode="text",
        text=[short(name) for name in flow.name.values],
        textposition=["bottom center", "bottom center", "top center"],
        textfont={"size": theme.TEXT_SIZE, "color": [theme.readable(hue, paper) for hue in hues]},
        cliponaxis=False,
        hoverinfo="skip",
        name="names",
        **axes,
    )


def _set_names(flow: Dataset) -> list[str]:
    names = [str(name) for name in flow.name.values]
    return [", ".join(names[token] for token in np.flatnonzero(row > 1e-9)) for row in flow.fixed.values]


def simplex_alt(flow: Dataset) -> str:
    """The text alternative of the triangle: its stable fixed points with the share of prompts that each attracts."""
    names = _set_names(flow)
    basin = flow.basin.values
    parts = [
        f"{names[at]} at {' / '.join(f'{share:.0%}' for share in flow.fixed.values[at] if share > 1e-9)}"
        f" (from {(basin == at).mean():.0%} of all shares)"
        for at in np.flatnonzero(flow.stable.values)
    ]
    if not parts:
        return "Shares of three tokens as points of a triangle: no fixed point is stable, so no set of tokens wins."
    return f"Shares of three tokens as points of a triangle. Stable winner sets: {'; '.join(parts)}."
