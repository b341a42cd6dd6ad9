"""Figures of the room ``ccmc`` that put measured points on a predicted curve: who wins, and what learning costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from widgets.ccmc.growth import short, token_hues
from widgets.kit import marks, theme

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

Floats = npt.NDArray[np.float64]
HEADROOM = 2.0
"""The panels show up to so many times the predicted value; points beyond are drawn as arrows at the edge."""
RARE = 0.01
"""Share of replicates without a finite estimate from which on a mean over replicates says nothing."""


def winner_probability(data: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Probability that token 0 wins, against how often it occurs in the prompt.

    Takes :func:`theory.ccmc.views.winner_probability`: ``predicted`` (count), ``won`` (statistic, count; NaN where not
    measured), ``name`` (token).
    """
    hue = token_hues(1, dark)[0]
    names = [short(name) for name in data.name.values]
    count = data["count"].values.astype(np.float64)
    fig = go.Figure()
    marks.theory_line(
        fig, count, data.predicted.values, hue, "exact", f"%{{y:.1%}} predicted<br>%{{x}} × {names[0]} in the prompt"
    )
    measured = "won" in data and bool(np.isfinite(data.won.values).any())
    if measured:
        dots(fig, count, data.won, hue, "simulated runs", "%{y:.1%} of runs measured", np.inf)
    fig.update_layout(
        xaxis={
            "range": [count[0] - 0.4, count[-1] + 0.4],
            "title": {"text": f"times that {names[0]} occurs in the prompt"},
        },
        yaxis={"range": [-0.03, 1.03], "tickformat": ".0%", "title": {"text": f"probability that {names[0]} wins"}},
        height=_height(narrow),
    )
    ends = f"{data.predicted.values[0]:.0%} at {count[0]:.0f} and {data.predicted.values[-1]:.0%} at {count[-1]:.0f}"
    alt = f"Probability that token {names[0]} wins against its count in the prompt: predicted {ends}."
    if measured:
        gap = np.abs(data.won.sel(statistic="mean").values - data.predicted.values)
        alt += f" Simulated runs are within {np.nanmax(gap):.2g} of it."
    return theme.finish(fig, alt, dark, "winner_probability")


def learning_error(data: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """n times the squared error, and 2n times the excess risk, against n, on the constants that theory predicts.

    Takes :func:`theory.ccmc.views.learning_error`: ``error``, ``risk`` (statistic, n: mean, mean -+ 2 SE), ``missing``
    (n: share of replicates without a finite estimate), scalars ``trace`` and ``rank``. In the shaded zone more than 1 %
    of the replicates have no finite estimate.
    """
    fig = go.Figure()
    n = data.n.values.astype(np.float64)
    hues = marks.two_colours(dark)
    colours = theme.palette(dark)
    axis = marks.log_axis(n, "training prompts n")
    missing = np.flatnonzero(data.missing.values > RARE)
    stop = 0.0
    if len(missing):
        last = int(missing[-1])
        # Half way to the first size that is free of it; beyond the panel's edge if there is none.
        stop = float(np.sqrt(n[last] * n[last + 1])) if last + 1 < len(n) else 10 * float(n[-1])
    for panel, (values, constant, hue, words) in enumerate(
        (
            (data.error, float(data.trace), hues[0], "trace of inverse Fisher information"),
            (data.risk, float(data["rank"]), hues[1], "rank of the Fisher information"),
        )
    ):
        suffix = "2" if panel else ""
        axes = {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
        top = HEADROOM * constant
        if len(missing):
            fig.add_shape(
                type="rect",
                x0=0.1 * float(n[0]),
                x1=stop,
                y0=0,
                y1=1,
                xref=axes["xaxis"],
                yref=f"y{suffix} domain",
                fillcolor=theme.translucent(theme.VERMILION, 0.1),
                line={"width": 0},
                layer="below",
            )
        line = np.full(len(n), constant)
        marks.theory_line(fig, n, line, hue, words, f"{words}: %{{y:.4g}} predicted", **axes)
        dots(fig, n, values, hue, "measured", "%{customdata[2]:.4g} measured, n = %{x:,}", top, **axes)
        _write(fig, f"{words}: {constant:.4g}", (0.0, 1.0), "bottom", suffix, theme.readable(hue, colours.paper))
    if len(missing):
        text = "shaded: over 1 % of runs<br>have no finite estimate"
        _write(fig, text, (0.02, 0.02), "bottom", "", theme.readable(theme.VERMILION, colours.paper))
    fig.update_layout(
        xaxis={**axis, "domain": [0.0, 0.45]},
        yaxis={
            "range": [0.0, 1.04 * HEADROOM * float(data.trace) or 1.0],
            "title": {"text": "n × squared error of the logits"},
        },
        xaxis2={**axis, "domain": [0.56, 1.0], "anchor": "y2"},
        yaxis2={
            "anchor": "x2",
            "range": [0.0, 1.04 * HEADROOM * float(data["rank"]) or 1.0],
            "title": {"text": "2n × excess risk"},
        },
    )
    alt = (
        f"n times squared error at n = {n[-1]:,.0f}: {marks.last_mean(data.error):.4g} measured, "
        f"{float(data.trace):.4g} predicted; 2n times excess risk: "
        f"{marks.last_mean(data.risk):.4g} measured, {float(data['rank']):.4g} predicted."
    )
    return theme.finish(fig, alt, dark, "learning_error", stacked=narrow)


def dots(
    fig: go.Figure, x: Floats, values: DataArray, hue: str, name: str, hover: str, top: float, **axes: str
) -> None:
    """Points with their bars; what lies above ``top`` becomes an arrow at the edge that tells its value."""
    mean, low, high = (values.sel(statistic=s).values.astype(np.float64) for s in ("mean", "low", "high"))
    shown = np.isfinite(mean)
    x, mean, low, high = x[shown], mean[shown], low[shown], high[shown]
    outside = mean > top
    held = np.minimum(mean, top)
    fig.add_trace(
        go.Scatter(
            x=x,
            y=held,
            mode="markers",
            marker={
                "size": np.where(outside, theme.MARKER_SIZE + 3, theme.MARKER_SIZE),
                "symbol": np.where(outside, "triangle-up", "circle"),
                "color": hue,
            },
            error_y={
                "type": "data",
                "symmetric": False,
                "array": np.where(outside, 0.0, np.minimum(high, top * 1.1) - held),
                "arrayminus": np.where(outside, 0.0, held - low),
                "thickness": 1.2,
                "width": 0,
            },
            customdata=np.stack([low, high, mean], axis=-1),
            hovertemplate=f"{hover}<br>%{{customdata[0]:.4g}} to %{{customdata[1]:.4g}}<extra></extra>",
            name=name,
            **axes,
        )
    )


def _write(fig: go.Figure, text: str, place: tuple[float, float], anchor: str, suffix: str, colour: str) -> None:
    fig.add_annotation(
        x=place[0],
        y=place[1],
        xref=f"x{suffix} domain",
        yref=f"y{suffix} domain",
        xanchor="left",
        yanchor=anchor,
        align="left",
        text=text,
        showarrow=False,
        font={"size": theme.TICK_SIZE, "color": colour},
    )


def _height(narrow: bool) -> int:
    return (260 if narrow else theme.PANEL_HEIGHT) + theme.TOP + theme.BOTTOM
