"""The figure of the room ``ccmc`` about coverage: which tokens training prompts connect, and what is thereby known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from widgets.ccmc.growth import short
from widgets.kit import theme

if TYPE_CHECKING:
    from xarray import Dataset

CELL, RADIUS = 1.0, 0.26
"""Side of the place of one graph, and the radius of the circle that its tokens stand on."""
TINY = 8
"""From so many tokens on, names stand in the hover only."""


def coverage_graphs(data: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """For each last token the graph of tokens that occur together, and which log-ratios of P are therefore known.

    Takes :func:`theory.ccmc.views.coverage`. A component has one colour; a token alone is hollow.
    """
    component = data.component.values.astype(np.int64)
    size = len(component)
    names = [short(name) for name in data.name.values]
    colours = theme.palette(dark)
    hues = _component_hues(dark)
    columns = min(size, 2 if size == 4 else 3 if narrow or size <= 9 else 4)
    rows = -(-size // columns)
    centres = np.array([[k % columns, -(k // columns)] for k in range(size)], dtype=np.float64) * CELL
    angles = np.pi / 2 - 2 * np.pi * np.arange(size) / size
    ring = RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    fig = go.Figure()
    edges = data.edge.values.astype(np.int64)
    member = component[edges[:, 0], edges[:, 1]] if len(edges) else np.zeros(0, dtype=np.int64)
    for which in np.unique(member).tolist():
        last, first, second = edges[member == which].T
        ends = np.stack([centres[last] + ring[first], centres[last] + ring[second]], axis=1)
        drawn = np.concatenate([ends, np.full((len(ends), 1, 2), np.nan)], axis=1).reshape(-1, 2)
        fig.add_trace(
            go.Scatter(
                x=drawn[:, 0],
                y=drawn[:, 1],
                mode="lines",
                line={"width": 1.3, "color": hues[which % len(hues)]},
                hoverinfo="skip",
                name="occur together",
            )
        )
    alone = np.array([[(row == row[token]).sum() == 1 for token in range(size)] for row in component])
    nodes = (centres[:, None] + ring[None]).reshape(-1, 2)
    rims = [
        hues[which % len(hues)] if not lonely else colours.muted
        for which, lonely in zip(component.ravel(), alone.ravel(), strict=True)
    ]
    small = size >= TINY
    fig.add_trace(
        go.Scatter(
            x=nodes[:, 0],
            y=nodes[:, 1],
            mode="markers",
            marker={
                "size": 6 if small else 12,
                "color": [colours.paper if lonely else rim for rim, lonely in zip(rims, alone.ravel(), strict=True)],
                "line": {"width": 1.6, "color": rims},
            },
            text=[
                f"{names[token]} after {names[last]}: "
                + ("never in a prompt" if alone[last, token] else f"component {component[last, token] + 1}")
                for last in range(size)
                for token in range(size)
            ],
            hovertemplate="%{text}<extra></extra>",
            name="tokens",
        )
    )
    _graph_names(fig, centres, ring, names, dark, small)
    known = _known_pairs(fig, data.known.values, names, dark)
    fig.update_layout(
        xaxis={"domain": [0.0, 0.52], "range": [-0.55, columns - 0.45], "visible": False, "fixedrange": True},
        yaxis={"range": [-rows + 0.5, 0.6], "visible": False, "fixedrange": True, "scaleanchor": "x"},
        xaxis2={"domain": [0.62, 1.0], "anchor": "y2", "title": {"text": "pair of tokens"}, "showgrid": False},
        yaxis2={"anchor": "x2", "autorange": "reversed", "type": "category", "title": {"text": "last token"}},
        height=max(320, 150 * rows) + theme.TOP + theme.BOTTOM,
    )
    alt = (
        f"Co-occurrence graphs of {size} last tokens: {known:.0%} of the log-ratios of P can be learnt; "
        f"{data.attrs['unknown']} directions stay unknown."
    )
    return theme.finish(fig, alt, dark, "coverage_graphs", stacked=narrow)


def _component_hues(dark: bool) -> list[str]:
    """Colours of components; not tokens' colours in their order, so that nobody takes one for the other."""
    hues = theme.token_colours(7, dark)
    return [hues[2], hues[4], hues[3], hues[0], hues[1]]


def _graph_names(
    fig: go.Figure, centres: np.ndarray, ring: np.ndarray, names: list[str], dark: bool, small: bool
) -> None:
    places = [centres + np.array([0.0, RADIUS + (0.13 if small else 0.24)])]
    texts = [f"<b>after {name}</b>" for name in names]
    if not small:
        places.append((centres[:, None] + 1.38 * ring[None]).reshape(-1, 2))
        texts += [name for _ in names for name in names]
    drawn = np.concatenate(places)
    fig.add_trace(
        go.Scatter(
            x=drawn[:, 0],
            y=drawn[:, 1],
            mode="text",
            text=texts,
            textfont={"size": theme.SMALL_SIZE, "color": theme.palette(dark).ink},
            cliponaxis=False,
            hoverinfo="skip",
            name="names",
        )
    )


def _known_pairs(fig: go.Figure, table: np.ndarray, names: list[str], dark: bool) -> float:
    size = len(table)
    first, second = np.triu_indices(size, 1)
    known = table[:, first, second].astype(np.float64)
    colours = theme.palette(dark)
    no, yes = theme.mix(colours.paper, theme.VERMILION, 0.35), theme.mix(colours.paper, theme.GREEN, 0.55)
    pairs = [f"{names[i]} : {names[j]}" for i, j in zip(first, second, strict=True)]
    few = size <= 7
    fig.add_trace(
        go.Heatmap(
            x=pairs,
            y=names,
            z=known,
            zmin=0.0,
            zmax=1.0,
            colorscale=[[0.0, no], [0.5, no], [0.5, yes], [1.0, yes]],
            showscale=False,
            xgap=2 if few else 1,
            ygap=2,
            text=np.where(known > 0, "✓", "?"),
            texttemplate="%{text}" if few else None,
            customdata=np.where(known > 0, "known", "unknown"),
            hovertemplate="after %{y}, %{x}: %{customdata}<extra></extra>",
            xaxis="x2",
            yaxis="y2",
            name="known log-ratios",
        )
    )
    fig.update_layout(xaxis2={"type": "category", "tickangle": -90 if size > 3 else 0, "showticklabels": few})
    fig.add_annotation(
        x=0,
        y=1,
        xref="x2 domain",
        yref="y2 domain",
        xanchor="left",
        yanchor="bottom",
        yshift=4,
        text="✓ known log-ratios, ? unknown" if few else "log-ratios: green known, red unknown",
        showarrow=False,
        font={"size": theme.TICK_SIZE, "color": colours.muted},
    )
    return float(known.mean())
