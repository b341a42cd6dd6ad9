"""The two marks of every curve: measured points with their bars, and the predicted line, on labelled axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from widgets.kit import theme

if TYPE_CHECKING:
    from xarray import DataArray

    from widgets.kit.drawing import Drawing

LOG = {"type": "log", "exponentformat": "power", "dtick": 1}


def points(
    fig: go.Figure, x: npt.NDArray[np.float64], shares: DataArray, colour: str, name: str, hover: str, **axes: str
) -> None:
    known = shares.sel(statistic="mean").values
    shown = theme.spaced(np.log10(x).tolist(), theme.POINTS)
    shown = [at for at in shown if np.isfinite(known[at])]
    x = x[shown]
    mean, low, high = (shares.sel(statistic=s).values[shown] for s in ("mean", "low", "high"))
    spread = bool(np.nanmax(high - low, initial=0.0) > 0)
    fig.add_trace(
        go.Scatter(
            x=x,
            y=mean,
            mode="markers",
            marker={"size": theme.MARKER_SIZE, "color": colour},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": high - mean,
                "arrayminus": mean - low,
                "thickness": 1.2,
                "width": 0,
                "visible": spread,
            },
            customdata=np.stack([low, high], axis=-1),
            hovertemplate=hover
            + ("<br>%{customdata[0]:.3g} to %{customdata[1]:.3g}" if spread else "")
            + "<extra></extra>",
            name=name,
            **axes,
        )
    )


def theory_line(
    fig: go.Figure,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    colour: str,
    name: str,
    hover: str,
    **axes: str,
) -> None:
    line = {"dash": "dash", "width": 1.6, "color": colour}
    template = f"{hover}<extra></extra>"
    fig.add_trace(go.Scatter(x=x, y=y, mode="lines", line=line, name=name, hovertemplate=template, **axes))


def name_curve(
    fig: go.Figure,
    x: float,
    y: float,
    text: str,
    colour: str,
    dark: bool,
    log: tuple[bool, bool],
    shift: float = 0.0,
) -> None:
    inside = shift != 0
    fig.add_annotation(
        x=np.log10(x) if log[0] else x,
        y=np.log10(y) if log[1] else y,
        text=text,
        showarrow=False,
        xanchor="left",
        xshift=6 if inside else 8,
        yshift=shift,
        yanchor="bottom" if inside else "middle",
        font={"color": theme.readable(colour, theme.palette(dark).paper), "size": theme.TICK_SIZE},
    )


def log_axis(x: npt.NDArray[np.float64], title: str) -> dict[str, object]:
    first, last = float(np.log10(x[0])), float(np.log10(x[-1]))
    last = max(last, first + 0.1)
    return {**LOG, "range": [first - 0.03 * (last - first), last + 0.03 * (last - first)], "title": {"text": title}}


def last_mean(values: DataArray) -> float:
    return float(values.sel(statistic="mean").values[-1])


def two_colours(dark: bool) -> list[str]:
    colours = theme.token_colours(4, dark)
    return [colours[0], colours[3]]


def write_labels(
    drawing: Drawing,
    labels: list[theme.EndLabel],
    x: float,
    span: tuple[float, float],
    dark: bool,
    height: float = theme.PANEL_HEIGHT,
    log: bool = False,
    **axes: str,
) -> None:
    """Names at the ends of curves as one text trace, which a browser lays out faster than annotations."""
    if not labels:
        return
    per_pixel = (span[1] - span[0]) / height
    places = [label.value + label.shift * per_pixel for label in labels]
    paper = theme.palette(dark).paper
    drawing.add_scatter(
        x=[x] * len(labels),
        y=[float(f"{10**place:.4g}") if log else place for place in places],
        mode="text",
        text=[f"  {label.text}" for label in labels],
        textposition="middle right",
        textfont={"size": theme.TICK_SIZE, "color": [theme.readable(label.colour, paper) for label in labels]},
        cliponaxis=False,
        hoverinfo="skip",
        name="names",
        **axes,
    )


def words(
    drawing: Drawing,
    places: list[tuple[float, float, str, str]],
    colours: list[str],
    dark: bool,
    xaxis: str,
    yaxis: str,
    name: str = "words",
) -> None:
    """Texts at (x, y, text, position) as one trace, which a browser lays out faster than annotations."""
    if not places:
        return
    paper = theme.palette(dark).paper
    drawing.add_scatter(
        x=[place[0] for place in places],
        y=[place[1] for place in places],
        mode="text",
        text=[place[2] for place in places],
        textposition=[place[3] for place in places],
        textfont={"size": theme.TICK_SIZE, "color": [theme.readable(colour, paper) for colour in colours]},
        cliponaxis=False,
        hoverinfo="skip",
        name=name,
        xaxis=xaxis,
        yaxis=yaxis,
    )
