"""Heat maps of the room ``next_token``: the automaton read from trained weights, and the phase of random data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from widgets.kit import theme

if TYPE_CHECKING:
    from xarray import Dataset

NARROW = 220.0
"""Pixels that a panel's columns have on a phone: names that need more are turned upright."""


def extraction_heatmap(data: Dataset, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Slope differences read from the trained logits, beside the true relation; a cross marks a wrong reading.

    Needs ``difference``, ``relation`` (above, below; NaN in ``relation`` for incomparable pairs) and ``name``.
    """
    names = [theme.escape(str(name)) for name in data.name.values]
    difference, relation = data.difference.values, data.relation.values
    read = np.where(np.abs(difference) < 0.5, 0.0, np.sign(difference))
    wrong = np.isfinite(relation) & (read != relation)
    fig = go.Figure()
    scale = _relation_scale(dark)
    known = {-1.0: "below", 0.0: "same component", 1.0: "above"}
    words = np.array([[known.get(float(r), "incomparable") for r in row] for row in relation], dtype=object)
    common = {"x": names, "y": names, "zmin": -1.5, "zmax": 1.5, "colorscale": scale, "showscale": False}
    small = len(names) <= 10
    for axis, values, hover in (
        ("", difference, "%{y} minus %{x}: %{z:.3f} per unit of log time<br>truth: %{customdata}<extra></extra>"),
        ("2", relation, "%{y} is %{customdata} (%{x})<extra></extra>"),
    ):
        shown = np.where(np.isfinite(relation), values, np.nan)
        fig.add_trace(
            go.Heatmap(
                z=shown,
                customdata=words,
                hovertemplate=hover,
                hoverongaps=False,
                xgap=2,
                ygap=2,
                text=[[theme.signed(round(float(z), 1)) for z in row] for row in shown] if small and not axis else None,
                texttemplate="%{text}" if small and not axis else None,
                textfont={"size": theme.SMALL_SIZE},
                xaxis=f"x{axis}",
                yaxis=f"y{axis}",
                **common,
            )
        )
    rows, columns = np.nonzero(wrong)
    fig.add_trace(
        go.Scatter(
            x=[names[i] for i in columns],
            y=[names[i] for i in rows],
            mode="markers",
            marker={"symbol": "x", "size": 11, "color": theme.readable(theme.VERMILION, theme.palette(dark).paper)},
            hovertemplate="%{y} and %{x}: read wrongly<extra></extra>",
            name="read wrongly",
        )
    )
    widths = [theme.text_width(name) for name in names]
    turned = sum(widths) + 8 * len(names) > NARROW
    lift = min(max(widths), 90.0) + 16 if turned else 26
    square = {"type": "category", "showgrid": False, "side": "top", "tickangle": -90 if turned else 0}
    rows_axis = {"type": "category", "showgrid": False, "autorange": "reversed"}
    fig.update_layout(
        xaxis={**square, "domain": [0.0, 0.46]},
        yaxis=rows_axis,
        xaxis2={**square, "domain": [0.54, 1.0], "anchor": "y2"},
        yaxis2={**rows_axis, "anchor": "x2", "showticklabels": False},
        height=theme.PANEL_HEIGHT + lift + 38 + 56,
        margin={"t": lift + 38, "b": 56, "l": 12, "r": 16},
    )
    for axis, title in (("", "read from the weights"), ("2", "true relation")):
        _panel_title(fig, axis, title, theme.palette(dark).muted, lift)
    _relation_key(fig, dark)
    comparable = int(np.isfinite(relation).sum())
    alt = (
        f"Slope differences of {len(names)} tokens read from the trained logits: {comparable - int(wrong.sum())} of "
        f"{comparable} comparable pairs agree with the true relation."
    )
    return theme.finish(fig, alt, dark, "extraction_heatmap", stacked=narrow)


def phase_map(data: Dataset, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Share of acyclic graphs and mean size of the largest component, over label flips and number of prompts.

    Needs ``acyclic``, ``largest`` (statistic, prompts, flips); attrs ``seeds``.
    """
    fig = go.Figure()
    flips = [f"{flip:g}" for flip in data.flips.values]
    prompts = [str(n) for n in data.prompts.values]
    colours = theme.palette(dark)
    for axis, values, hue, word in (
        ("", data.acyclic, theme.BLUE, "acyclic"),
        ("2", data.largest, theme.GREEN, "largest component"),
    ):
        mean = values.sel(statistic="mean").values
        bounds = np.stack([values.sel(statistic="low").values, values.sel(statistic="high").values], axis=-1)
        scale = [[0.0, theme.mix(colours.paper, hue, 0.04)], [1.0, theme.mix(hue, "#000000", 0.1)]]
        fig.add_trace(
            go.Heatmap(
                x=flips,
                y=prompts,
                z=mean,
                customdata=bounds,
                zmin=0.0,
                zmax=1.0,
                colorscale=scale,
                showscale=False,
                xgap=2,
                ygap=2,
                texttemplate="%{z:.2f}" if mean.size <= 90 else None,
                textfont={"size": theme.SMALL_SIZE},
                hovertemplate=f"ε = %{{x}}, n = %{{y}}<br>{word}: %{{z:.3f}}"
                "<br>interval %{customdata[0]:.3f} to %{customdata[1]:.3f}<extra></extra>",
                xaxis=f"x{axis}",
                yaxis=f"y{axis}",
                name=word,
            )
        )
    plain = {"type": "category", "showgrid": False}
    fig.update_layout(
        xaxis={**plain, "domain": [0.0, 0.46], "title": {"text": "label flip probability ε"}},
        yaxis={**plain, "title": {"text": "number of prompts n"}},
        xaxis2={**plain, "domain": [0.54, 1.0], "anchor": "y2", "title": {"text": "label flip probability ε"}},
        yaxis2={**plain, "anchor": "x2", "showticklabels": narrow},
    )
    for axis, title in (("", "share of acyclic graphs"), ("2", "largest component, share of tokens")):
        _panel_title(fig, axis, title, colours.muted)
    corner = (
        float(data.acyclic.sel(statistic="mean").values[0, 0]),
        float(data.largest.sel(statistic="mean").values[-1, -1]),
    )
    alt = (
        f"Share of acyclic graphs over label flips and prompts, {data.attrs['seeds']} data sets per cell: "
        f"{corner[0]:.0%} with few prompts and few flips; with many of both the largest component holds "
        f"{corner[1]:.0%} of the tokens."
    )
    return theme.finish(fig, alt, dark, "phase_map", stacked=narrow)


def _relation_scale(dark: bool) -> list[list[float | str]]:
    colours = theme.palette(dark)
    low, high = theme.mix(theme.ORANGE, colours.paper, 0.1), theme.mix(theme.BLUE, colours.paper, 0.1)
    middle = theme.mix(colours.paper, colours.muted, 0.18)
    third = 1 / 3
    return [
        [0.0, low],
        [third, theme.mix(low, colours.paper, 0.45)],
        [third, middle],
        [1 - third, middle],
        [1 - third, theme.mix(high, colours.paper, 0.45)],
        [1.0, high],
    ]


def _relation_key(fig: go.Figure, dark: bool) -> None:
    scale = _relation_scale(dark)
    parts = (
        f"<span style='color:{scale[5][1]}'>■</span> row above column",
        f"<span style='color:{scale[2][1]}'>■</span> same",
        f"<span style='color:{scale[0][1]}'>■</span> below",
        "<br>blank: incomparable",
    )
    fig.add_annotation(
        x=0,
        y=0,
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="top",
        yshift=-14,
        showarrow=False,
        text="  ".join(parts),
        align="left",
        font={"size": theme.TICK_SIZE, "color": theme.palette(dark).muted},
    )


def _panel_title(fig: go.Figure, axis: str, text: str, colour: str, lift: float = 4) -> None:
    fig.add_annotation(
        x=0,
        y=1,
        xref=f"x{axis} domain",
        yref=f"y{axis} domain",
        xanchor="left",
        yanchor="bottom",
        yshift=lift,
        text=text,
        showarrow=False,
        font={"size": theme.TEXT_SIZE, "color": colour},
    )
