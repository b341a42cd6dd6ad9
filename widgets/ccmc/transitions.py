"""The figure of the room ``ccmc`` about learning from one text: how often each transition is seen in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from widgets.ccmc.growth import short
from widgets.kit import theme

if TYPE_CHECKING:
    from xarray import Dataset


def transition_exponents(data: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """With which power of T each transition is seen in one text, beside its counts after three lengths.

    Takes :func:`theory.ccmc.views.transition_exponents`: ``exponent`` (from, to), ``moves`` (length, from, to; NaN
    where not measured), ``name`` (token). Below exponent 0 a transition is seen finitely often.
    """
    names = [short(name) for name in data.name.values]
    exponent = data.exponent.values
    lengths = data.length.values if "moves" in data else np.zeros(0)
    panels = 1 + len(lengths)
    starts = np.linspace(0.0, 1.0, panels + 1)[:-1]
    gap = 0.035 if panels > 1 else 0.0
    fig = go.Figure()
    few = len(names) <= 6
    colours = theme.palette(dark)
    common = {"x": names, "y": names, "showscale": False, "xgap": 2, "ygap": 2, "textfont": {"size": theme.SMALL_SIZE}}
    texts = [[theme.signed(round(float(value), 2)) for value in row] for row in exponent]
    fig.add_trace(
        go.Heatmap(
            z=exponent,
            zmin=-1.0,
            zmax=1.0,
            colorscale=_diverging(dark),
            text=texts,
            texttemplate="%{text}" if few else None,
            hovertemplate="%{y} to %{x}: T to the power %{text} predicted<extra></extra>",
            name="exponents",
            **common,
        )
    )
    counts = data.moves.values if panels > 1 else np.zeros((0, 1, 1))
    top = float(np.nanmax(np.log10(1 + counts), initial=1.0))
    scale = [[0.0, theme.mix(colours.paper, theme.GREEN, 0.03)], [1.0, theme.mix(theme.GREEN, colours.paper, 0.15)]]
    for at, table in enumerate(counts):
        fig.add_trace(
            go.Heatmap(
                z=np.log10(1 + table),
                zmin=0.0,
                zmax=top,
                colorscale=scale,
                text=[[compact(float(value)) for value in row] for row in table],
                texttemplate="%{text}" if few else None,
                hovertemplate="%{y} to %{x}: %{text} times measured<extra></extra>",
                xaxis=f"x{at + 2}",
                yaxis=f"y{at + 2}",
                name=f"counts after {lengths[at]:.3g} tokens",
                **common,
            )
        )
    titles = ["exponent of T"] + [f"seen by T = {_power(float(length))}" for length in lengths]
    layout: dict[str, object] = {}
    for at, title in enumerate(titles):
        suffix = str(at + 1) if at else ""
        layout[f"xaxis{suffix}"] = {
            "type": "category",
            "showgrid": False,
            "domain": [float(starts[at]), float(starts[at] + 1 / panels - gap)],
            "anchor": f"y{suffix}",
            "tickangle": 0 if few else -90,
            "title": {"text": "next token"},
        }
        layout[f"yaxis{suffix}"] = {
            "type": "category",
            "showgrid": False,
            "autorange": "reversed",
            "anchor": f"x{suffix}",
            "showticklabels": at == 0 or narrow,
            "title": {"text": "last token" if at == 0 or narrow else ""},
        }
        fig.add_annotation(
            x=0,
            y=1,
            xref=f"x{suffix} domain",
            yref=f"y{suffix} domain",
            xanchor="left",
            yanchor="bottom",
            yshift=4,
            text=title,
            showarrow=False,
            font={"size": theme.TEXT_SIZE, "color": colours.muted},
        )
    fig.update_layout(height=(250 if narrow or few else 300) + theme.TOP + theme.BOTTOM, **layout)
    lost = int((exponent < 0).sum())
    alt = (
        f"Powers of the text length T with which transitions between {len(names)} tokens are seen: {lost} of "
        f"{exponent.size} exponents are negative, so those transitions are seen finitely often."
    )
    return theme.finish(fig, alt, dark, "transition_exponents", stacked=narrow)


def compact(value: float) -> str:
    """A count in few characters.

    >>> [compact(v) for v in (0, 7.25, 431, 25_300, 1e12)]
    ['0', '7.2', '431', '25k', '10¹²']
    """
    if not np.isfinite(value):
        return "–"
    if value < 10:
        return f"{value:.1f}".removesuffix(".0")
    if value < 1000:
        return f"{value:.0f}"
    return f"{value / 1000:.0f}k" if value < 1e5 else _power(value)


def _power(value: float) -> str:
    if value < 1e4:
        return f"{value:,.0f}"
    lead, exponent = (float(part) for part in f"{value:.1e}".split("e"))
    raised = str(int(exponent)).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{raised}" if lead == 1 else f"{lead:.1f}·10{raised}"


def _diverging(dark: bool) -> list[list[float | str]]:
    colours = theme.palette(dark)
    middle = theme.mix(colours.paper, colours.muted, 0.08)
    return [
        [0.0, theme.mix(theme.ORANGE, colours.paper, 0.1)],
        [0.5, middle],
        [1.0, theme.mix(theme.BLUE, colours.paper, 0.15 if not dark else 0.25)],
    ]
