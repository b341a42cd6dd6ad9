"""Figures of the room ``next_token`` that put a measurement on a predicted curve: steps, prompts, text windows.

Datasets with several instances carry the dimension ``statistic`` = (mean, low, high): the mean and the 10-90 % band.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from widgets import theme

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

LOG = {"type": "log", "exponentformat": "power", "dtick": 1}


def correlation(data: Dataset, dark: bool = False) -> go.Figure:
    """Cosine of the trained weights, and of their displacement, with the Graph-SVM solution, against steps.

    The axis counts nines (it is logarithmic in 1 - cosine). The dashed line is the finite-time prediction. Needs
    ``angle``, ``displacement`` (statistic, step) and ``predicted`` (step), all as 1 - cosine.
    """
    fig = go.Figure()
    colours = _two(dark)
    steps = data.step.values
    _line(fig, steps, data.predicted.values, colours[0], "predicted cosine", "1 − cos %{y:.2e} predicted, step %{x:,}")
    _points(fig, steps, data.angle, colours[0], "weights W", "1 − cos %{y:.2e} measured, step %{x:,}")
    _points(fig, steps, data.displacement, colours[1], "displacement", "1 − cos %{y:.2e} displacement, step %{x:,}")
    last = np.log10([_last(data.angle), _last(data.displacement)])
    floor = min(float(np.nanmin(np.log10(np.maximum(v, 1e-16)))) for v in (data.angle.values, data.displacement.values))
    top = max(float(np.nanmax(np.log10(np.maximum(data.angle.values, 1e-16)))), -1.0)
    span = (top + 0.15, floor - 0.25)
    nines = [10.0**-k for k in range(0, 17) if span[1] - 0.2 <= -k <= span[0]]
    fig.update_layout(
        xaxis=_log_axis(steps, "gradient-descent steps t"),
        yaxis={
            "type": "log",
            "range": list(span),
            "tickvals": nines,
            "ticktext": ["0" if v == 1 else f"{1 - v:.{max(1, round(-np.log10(v)))}f}" for v in nines],
            "title": {"text": "cosine with the Graph-SVM solution"},
        },
        margin={"r": 108, "l": 12, "t": theme.TOP, "b": theme.BOTTOM},
    )
    labels = theme.end_labels((-last).tolist(), ["weights W", "displacement"], colours, (-span[0], -span[1]))
    flipped = [theme.EndLabel(-label.value, label.text, label.colour, label.shift) for label in labels]
    theme.add_end_labels(fig, flipped, float(np.log10(steps[-1])), dark)
    alt = (
        f"Cosine with the Graph-SVM solution after {steps[-1]:,} steps: weights {1 - _last(data.angle):.4f}, "
        f"predicted {1 - float(data.predicted.values[-1]):.4f}, displacement {1 - _last(data.displacement):.6f}."
    )
    return theme.finish(fig, alt, dark, "correlation")


def finite_part(data: Dataset, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Error of the finite part with its slope -1 bound, and the norm over its leading term, against log time.

    Needs ``error``, ``norm_ratio`` (statistic, step) and ``bound``, ``predicted_norm_ratio`` (step); ``eta_t`` (step).
    """
    fig = go.Figure()
    colours = _two(dark)
    x = data.eta_t.values
    text = "%{y:.3g} measured at ηt = %{x:.3g}"
    if np.isfinite(data.error.values).any():
        _line(fig, x, data.bound.values, colours[0], "bound", "bound ‖W<sub>svm</sub>‖ / (h ηt) = %{y:.3g}")
        _points(fig, x, data.error, colours[0], "error", text)
        half = len(x) // 2
        _name(fig, x[half], data.bound.values[half], "bound, slope −1", colours[0], dark, log=(True, True), shift=5)
        message = f"Distance of the finite part from its limit: {_last(data.error):.2g} at the last step, bound "
        message += f"{float(data.bound.values[-1]):.2g}."
    else:
        message = "No component has more than one token: the finite part is zero."
        fig.add_annotation(x=0.5, y=0.5, xref="x domain", yref="y domain", text=message.replace(": ", ":<br>"))
        fig.update_annotations(showarrow=False)
    axes = {"xaxis": "x2", "yaxis": "y2"}
    ratio = data.predicted_norm_ratio.values
    _line(fig, x, np.ones_like(x), theme.palette(dark).muted, "limit", "limit 1", **axes)
    _line(fig, x, ratio, colours[1], "predicted", "%{y:.4f} predicted", **axes)
    _points(fig, x, data.norm_ratio, colours[1], "norm ratio", text, **axes)
    time_axis = _log_axis(x, "step size × steps, ηt")
    fig.update_layout(
        xaxis={**time_axis, "domain": [0.0, 0.44]},
        yaxis={
            **LOG,
            "title": {"text": "‖Π<sub>fin</sub> W − W<sub>fin</sub>‖"},
        },
        xaxis2={**time_axis, "domain": [0.56, 1.0], "anchor": "y2"},
        yaxis2={"anchor": "x2", "title": {"text": "‖W‖ / (log(ηt) ‖W<sub>svm</sub>‖)"}},
    )
    alt = f"{message} Norm over its leading term: {_last(data.norm_ratio):.3f}, predicted {float(ratio[-1]):.3f}."
    return theme.finish(fig, alt, dark, "finite_part", stacked=narrow)


def loss_gap(data: Dataset, dark: bool = False) -> go.Figure:
    """Loss gap times ηt against steps, on the constant that the Graph-SVM predicts, with the allowance as a band.

    Needs ``gap`` (statistic, step), ``constant`` (scalar: the predicted value), ``allowance`` (step, relative); attrs
    ``relative`` tells whether several instances were divided by their own constants.
    """
    fig = go.Figure()
    colour = _two(dark)[0]
    steps, constant = data.step.values, float(data.constant)
    edge = np.minimum(data.allowance.values, 1.0) * constant
    fig.add_trace(
        go.Scatter(
            x=np.concatenate([steps, steps[::-1]]),
            y=np.concatenate([constant + edge, (constant - edge)[::-1]]),
            mode="lines",
            fill="toself",
            fillcolor=theme.translucent(theme.GREEN, 0.14),
            line={"width": 0, "color": theme.GREEN},
            hoverinfo="skip",
            name="allowance",
        )
    )
    _line(fig, steps, np.full(len(steps), constant), colour, "predicted", "%{y:.4g} predicted")
    _points(fig, steps, data.gap, colour, "measured", "%{y:.4f} measured, step %{x:,}")
    relative = bool(data.attrs["relative"])
    axis = "ηt (L − L*) / ‖W<sub>svm</sub>‖²" if relative else "ηt (L − L*)"
    late = data.gap.values[:, steps >= steps[-1] / 1e4]
    reach = 1.2 * max(float(np.nanmax(np.abs(late - constant))), 0.1 * constant)
    fig.update_layout(
        xaxis=_log_axis(steps, "gradient-descent steps t"),
        yaxis={"range": [max(0.0, constant - reach), constant + reach], "title": {"text": axis}},
        margin={"r": 76, "l": 12, "t": theme.TOP, "b": theme.BOTTOM},
    )
    _name(fig, steps[-1], constant, "1" if relative else "‖W<sub>svm</sub>‖²", colour, dark, log=(True, False))
    alt = f"The loss gap times ηt tends to {constant:.3f}; measured {_last(data.gap):.4f} after {steps[-1]:,} steps."
    return theme.finish(fig, alt, dark, "loss_gap")


def playground_bars(data: Dataset, dark: bool = False) -> go.Figure:
    """Next-token probabilities of one prompt: outlined bars are the automaton, points the trained model.

    Needs ``name``, ``count``, ``predicted`` (token; NaN where the theory is silent), optionally ``trained`` (token).
    """
    colours = theme.token_colours(int(data.attrs["vocab_size"]), dark)
    hues = [colours[int(token) % len(colours)] for token in data.token.values]
    names = [
        f"{theme.escape(str(name))} ×{count}" if count > 1 else theme.escape(str(name))
        for name, count in zip(data.name.values, data["count"].values, strict=True)
    ]
    fig = go.Figure()
    known = np.isfinite(data.predicted.values)
    if known.any():
        fig.add_trace(
            go.Bar(
                x=data.predicted.values,
                y=names,
                orientation="h",
                marker={
                    "color": [theme.translucent(hue, 0.22) for hue in hues],
                    "line": {"color": hues, "width": 1.6},
                },
                width=0.56,
                name="automaton",
                hovertemplate="%{y}: %{x:.4f} predicted<extra></extra>",
            )
        )
    if "trained" in data:
        fig.add_trace(
            go.Scatter(
                x=data.trained.values,
                y=names,
                mode="markers",
                marker={"size": 10, "color": hues, "line": {"width": 1.5, "color": theme.palette(dark).paper}},
                name="trained model",
                hovertemplate="%{y}: %{x:.4f} trained<extra></extra>",
                cliponaxis=False,
            )
        )
    fig.update_layout(
        xaxis={"range": [0, 1], "tickformat": ".0%", "title": {"text": "probability of the next token"}},
        yaxis={"autorange": "reversed", "type": "category", "showgrid": False, "tickfont": {"size": theme.TEXT_SIZE}},
        height=len(names) * 38 + theme.TOP + theme.BOTTOM,
        bargap=0.3,
    )
    prompt = str(data.attrs["prompt"])
    best = int(np.argmax(np.where(known, data.predicted.values, -1.0)))
    said = f"the automaton's first choice is {data.name.values[best]} with {float(data.predicted[best]):.1%}"
    alt = f"Next token after “{prompt}”: {said if known.any() else 'the theory is silent'}."
    if "trained" in data and known.any():
        alt = alt[:-1] + f", the trained model gives it {float(data.trained[best]):.1%}."
    return theme.finish(fig, alt, dark, "playground_bars")


def text_windows(data: Dataset, dark: bool = False) -> go.Figure:
    """What a text offers the theorem, against window length: three shares, each with its Wilson interval.

    Needs ``realisable``, ``largest``, ``in_cycles`` (statistic, window); attrs ``source``.
    """
    fig = go.Figure()
    hues = [theme.token_colours(7, dark)[i] for i in (0, 2, 4)]
    names = ["next word is in the window", "largest component", "labels in cycles"]
    windows = data.window.values
    ends: list[float] = []
    for name, hue, shares in zip(names, hues, (data.realisable, data.largest, data.in_cycles), strict=True):
        _points(fig, windows, shares, hue, name, f"{name}: %{{y:.1%}} at T = %{{x}}")
        ends.append(_last(shares))
    names[0] = "label in window"
    span = (-0.04, 1.04)
    fig.update_layout(
        xaxis={"type": "log", "tickvals": windows, "ticktext": [str(w) for w in windows]},
        yaxis={"range": list(span), "tickformat": ".0%", "title": {"text": "share"}},
        margin={"r": 124, "l": 12, "t": theme.TOP, "b": theme.BOTTOM},
    )
    fig.update_xaxes(title_text="window length T (tokens)")
    theme.add_end_labels(fig, theme.end_labels(ends, names, hues, span), float(np.log10(windows[-1])), dark)
    alt = (
        f"In {data.attrs['source']}, at window {windows[-1]}: {ends[0]:.0%} of next tokens occur in their window, the "
        f"largest component holds {ends[1]:.0%} of the tokens, {ends[2]:.0%} of the labels lie in cycles."
    )
    return theme.finish(fig, alt, dark, "text_windows")


def _points(
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


def _line(
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


def _name(
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


def _log_axis(x: npt.NDArray[np.float64], title: str) -> dict[str, object]:
    first, last = float(np.log10(x[0])), float(np.log10(x[-1]))
    return {**LOG, "range": [first - 0.03 * (last - first), last + 0.03 * (last - first)], "title": {"text": title}}


def _last(values: DataArray) -> float:
    return float(values.sel(statistic="mean").values[-1])


def _two(dark: bool) -> list[str]:
    colours = theme.token_colours(4, dark)
    return [colours[0], colours[3]]
