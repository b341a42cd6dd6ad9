"""Figures of the room ``distillation`` about all spectra at once: the map of gains, and the exponents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from widgets.distillation.arms import NAMES, hue, words
from widgets.kit import theme
from widgets.kit.drawing import Drawing

if TYPE_CHECKING:
    from xarray import Dataset

LEVELS = (0.2, 0.3, 0.4)
TITLES = {"power": "power law λᵢ = i<sup>−{alpha:g}</sup>", "exponential": "exponential λᵢ = e<sup>−{rate:g}i</sup>"}


def gain_map(data: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Optimal over strong risk for power laws of every exponent and every n/p; a ring where the sliders stand.

    Takes :func:`theory.distillation.views.gain_map`. Dotted contours: no teacher at all could go below this ratio.
    """
    colours = theme.palette(dark)
    green = hue("optimal", dark)
    fig = go.Figure()
    low = float(np.nanmin(data.ratio.values))
    exponent, share = data.exponent.values, data.share.values
    fig.add_trace(
        go.Heatmap(
            x=exponent,
            y=share,
            z=data.ratio.values.T,
            zmin=min(low, 0.9),
            zmax=1.0,
            colorscale=[[0, green], [1, theme.mix(colours.paper, colours.muted, 0.06)]],
            colorbar={
                "title": {"text": "risk<br>ratio", "font": {"size": theme.SMALL_SIZE}},
                "thickness": 10,
                "outlinewidth": 0,
                "tickfont": {"size": theme.TICK_SIZE, "color": colours.muted},
            },
            customdata=data.floor.values.T,
            hovertemplate="α = %{x:.2f}, n/p = %{y:.2f}<br>best teacher over true labels: %{z:.3f}<br>"
            "no teacher below %{customdata:.3f}<extra></extra>",
            name="gain",
        )
    )
    fig.add_trace(
        go.Contour(
            x=exponent,
            y=share,
            z=data.floor.values.T,
            contours={"coloring": "lines", "showlabels": True, "start": LEVELS[0], "end": LEVELS[-1], "size": 0.1},
            line={"width": 1.2, "dash": "dot"},
            colorscale=[[0, colours.ink], [1, colours.ink]],
            showscale=False,
            hoverinfo="skip",
            name="floor",
        )
    )
    here = float(data.here_exponent), float(data.here_share)
    if np.isfinite(here).all():
        fig.add_trace(
            go.Scatter(
                x=[here[0]],
                y=[here[1]],
                mode="markers",
                marker={"size": 13, "color": "rgba(0,0,0,0)", "line": {"width": 2.2, "color": colours.ink}},
                hovertemplate="the sliders<extra></extra>",
                name="here",
            )
        )
    fig.update_layout(
        xaxis={"range": [0, 4], "title": {"text": "spectrum exponent α (0: all features equal)"}},
        yaxis={"range": [0, 1], "title": {"text": "samples over features n/p"}},
        height=(290 if narrow else theme.PANEL_HEIGHT) + theme.TOP + theme.BOTTOM,
    )
    at = np.unravel_index(int(np.nanargmin(data.ratio.values)), data.ratio.shape)
    alt = (
        f"Risk of the best teacher's student over that of true labels', over spectrum exponents and n/p: 1 at exponent "
        f"0, least {low:.2f} at exponent {exponent[at[0]]:.2g} and n/p = {share[at[1]]:.2g}."
    )
    return theme.finish(fig, alt, dark, "gain_map")


def exponents(data: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Local slopes of risk against n with infinitely many features, for a power law and an exponential spectrum.

    Takes :func:`theory.distillation.views.exponents`. Dashed: the limits.
    """
    drawing = Drawing()
    n = data.n.values
    slopes = data.slope.values
    low, high = float(min(slopes.min(), data.limit.values.min())), float(max(slopes.max(), data.limit.values.max()))
    pad = 0.1 * (high - low or 1.0)
    span = (low - pad, high + 1.6 * pad)
    for column, kind in enumerate(str(name) for name in data.spectrum.values):
        suffix = "2" if column else ""
        axes = {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
        for row, arm in enumerate(str(name) for name in data.arm.values):
            drawing.add_scatter(
                x=n[[0, -1]],
                y=np.full(2, data.limit.values[column, row]),
                mode="lines",
                line={"width": 1.2, "dash": "dash", "color": hue(arm, dark)},
                name=f"{NAMES[arm]} (limit)",
                hovertemplate="limit %{y:.3g}<extra></extra>",
                **axes,
            )
            drawing.add_scatter(
                x=n,
                y=slopes[column, row],
                mode="lines",
                line={"width": 2.2 - 0.5 * row, "color": hue(arm, dark)},
                name=f"{NAMES[arm]} (theory)",
                hovertemplate=f"{NAMES[arm]}: risk falls like n^%{{y:.3f}} at n = %{{x:.3g}}<extra></extra>",
                **axes,
            )
        words(
            drawing,
            [
                (
                    float(n[0]),
                    span[1] - 0.05 * (span[1] - span[0]),
                    " " + TITLES[kind].format(**data.attrs),
                    "middle right",
                )
            ],
            [theme.palette(dark).ink],
            dark,
            axes["xaxis"],
            axes["yaxis"],
            "spectrum",
        )
        _name_limits(drawing, data, column, span, dark, axes)
        drawing.update_layout(
            **{
                f"xaxis{suffix}": {
                    "type": "log",
                    "range": [float(np.log10(n[0])), float(np.log10(n[-1]))],
                    "dtick": 2,
                    "exponentformat": "power",
                    "domain": [0.0, 0.44] if not column else [0.56, 1.0],
                    "anchor": f"y{suffix}",
                    "title": {"text": "training samples n"},
                },
                f"yaxis{suffix}": {
                    "range": list(span),
                    "anchor": f"x{suffix}",
                    "title": {"text": "local slope of the risk" if not column or narrow else ""},
                },
            }
        )
    drawing.update_layout(margin={"l": 62, "r": 24, "t": theme.TOP, "b": theme.BOTTOM})
    last = slopes[:, [0, 2], -1]
    alt = (
        f"Local slopes of the risk at n = {n[-1]:.0e}: {last[0, 0]:.3f} with true labels and {last[0, 1]:.3f} with the "
        f"best teacher on the power law; {last[1, 0]:.3f} and {last[1, 1]:.3f} on the exponential spectrum."
    )
    return drawing.figure(alt, dark, "exponents", stacked=narrow)


def _name_limits(
    drawing: Drawing, data: Dataset, column: int, span: tuple[float, float], dark: bool, axes: dict[str, str]
) -> None:
    """The limits in words above their lines: one where all teachers share it."""
    limits = data.limit.values[column]
    n = float(data.n.values[-1])
    colours = [hue(str(arm), dark) for arm in data.arm.values]
    if len(set(limits.tolist())) == 1:
        places = [(n, float(limits[0]) + 0.04 * (span[1] - span[0]), f"all: {limits[0]:.3g} ", "middle left")]
        shades = [theme.palette(dark).ink]
    else:
        lift = 0.04 * (span[1] - span[0])
        places = [
            (n, float(limits[0]) + lift, f"true labels: {limits[0]:.3g} ", "middle left"),
            (n, float(limits[2]) + lift, f"mask and best teacher: {limits[2]:.3g} ", "middle left"),
        ]
        shades = [colours[0], colours[2]]
    words(drawing, places, shades, dark, axes["xaxis"], axes["yaxis"], "limits")
