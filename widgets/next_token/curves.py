"""Figures of the room ``next_token`` that put a measurement on a predicted curve over gradient-descent steps.

Datasets with several instances carry the dimension ``statistic`` = (mean, low, high): the mean and the 10-90 % band.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from widgets.kit import marks, theme

if TYPE_CHECKING:
    from xarray import Dataset


def correlation(data: Dataset, dark: bool = False) -> go.Figure:
    """Cosine of the trained weights, and of their displacement, with the Graph-SVM solution, against steps.

    The axis counts nines (it is logarithmic in 1 - cosine). The dashed line is the finite-time prediction. Needs
    ``angle``, ``displacement`` (statistic, step) and ``predicted`` (step), all as 1 - cosine.
    """
    fig = go.Figure()
    colours = marks.two_colours(dark)
    steps = data.step.values
    marks.theory_line(
        fig, steps, data.predicted.values, colours[0], "predicted cosine", "1 − cos %{y:.2e} predicted, step %{x:,}"
    )
    marks.points(fig, steps, data.angle, colours[0], "weights W", "1 − cos %{y:.2e} measured, step %{x:,}")
    marks.points(
        fig, steps, data.displacement, colours[1], "displacement", "1 − cos %{y:.2e} displacement, step %{x:,}"
    )
    last = np.log10([marks.last_mean(data.angle), marks.last_mean(data.displacement)])
    floor = min(float(np.nanmin(np.log10(np.maximum(v, 1e-16)))) for v in (data.angle.values, data.displacement.values))
    top = max(float(np.nanmax(np.log10(np.maximum(data.angle.values, 1e-16)))), -1.0)
    span = (top + 0.15, floor - 0.25)
    nines = [10.0**-k for k in range(17) if span[1] - 0.2 <= -k <= span[0]]
    fig.update_layout(
        xaxis=marks.log_axis(steps, "gradient-descent steps t"),
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
        f"Cosine with the Graph-SVM solution after {steps[-1]:,} steps: weights {1 - marks.last_mean(data.angle):.4f}, "
        f"predicted {1 - float(data.predicted.values[-1]):.4f}, "
        f"displacement {1 - marks.last_mean(data.displacement):.6f}."
    )
    return theme.finish(fig, alt, dark, "correlation")


def finite_part(data: Dataset, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Error of the finite part with its slope -1 bound, and the norm over its leading term, against log time.

    Needs ``error``, ``norm_ratio`` (statistic, step) and ``bound``, ``predicted_norm_ratio`` (step); ``eta_t`` (step).
    """
    fig = go.Figure()
    colours = marks.two_colours(dark)
    x = data.eta_t.values
    text = "%{y:.3g} measured at ηt = %{x:.3g}"
    if np.isfinite(data.error.values).any():
        marks.theory_line(fig, x, data.bound.values, colours[0], "bound", "bound ‖W<sub>svm</sub>‖ / (h ηt) = %{y:.3g}")
        marks.points(fig, x, data.error, colours[0], "error", text)
        half = len(x) // 2
        marks.name_curve(
            fig, x[half], data.bound.values[half], "bound, slope −1", colours[0], dark, log=(True, True), shift=5
        )
        message = (
            f"Distance of the finite part from its limit: {marks.last_mean(data.error):.2g} at the last step, bound "
        )
        message += f"{float(data.bound.values[-1]):.2g}."
    else:
        message = "No component has more than one token: the finite part is zero."
        fig.add_annotation(x=0.5, y=0.5, xref="x domain", yref="y domain", text=message.replace(": ", ":<br>"))
        fig.update_annotations(showarrow=False)
    axes = {"xaxis": "x2", "yaxis": "y2"}
    ratio = data.predicted_norm_ratio.values
    marks.theory_line(fig, x, np.ones_like(x), theme.palette(dark).muted, "limit", "limit 1", **axes)
    marks.theory_line(fig, x, ratio, colours[1], "predicted", "%{y:.4f} predicted", **axes)
    marks.points(fig, x, data.norm_ratio, colours[1], "norm ratio", text, **axes)
    time_axis = marks.log_axis(x, "step size × steps, ηt")
    fig.update_layout(
        xaxis={**time_axis, "domain": [0.0, 0.44]},
        yaxis={
            **marks.LOG,
            "title": {"text": "‖Π<sub>fin</sub> W − W<sub>fin</sub>‖"},
        },
        xaxis2={**time_axis, "domain": [0.56, 1.0], "anchor": "y2"},
        yaxis2={"anchor": "x2", "title": {"text": "‖W‖ / (log(ηt) ‖W<sub>svm</sub>‖)"}},
    )
    measured = marks.last_mean(data.norm_ratio)
    alt = f"{message} Norm over its leading term: {measured:.3f}, predicted {float(ratio[-1]):.3f}."
    return theme.finish(fig, alt, dark, "finite_part", stacked=narrow)


def loss_gap(data: Dataset, dark: bool = False) -> go.Figure:
    """Loss gap times ηt against steps, on the constant that the Graph-SVM predicts, with the allowance as a band.

    Needs ``gap`` (statistic, step), ``constant`` (scalar: the predicted value), ``allowance`` (step, relative); attrs
    ``relative`` tells whether several instances were divided by their own constants.
    """
    fig = go.Figure()
    colour = marks.two_colours(dark)[0]
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
    marks.theory_line(fig, steps, np.full(len(steps), constant), colour, "predicted", "%{y:.4g} predicted")
    marks.points(fig, steps, data.gap, colour, "measured", "%{y:.4f} measured, step %{x:,}")
    relative = bool(data.attrs["relative"])
    axis = "ηt (L − L*) / ‖W<sub>svm</sub>‖²" if relative else "ηt (L − L*)"
    late = data.gap.values[:, steps >= steps[-1] / 1e4]
    reach = 1.2 * max(float(np.nanmax(np.abs(late - constant))), 0.1 * constant)
    fig.update_layout(
        xaxis=marks.log_axis(steps, "gradient-descent steps t"),
        yaxis={"range": [max(0.0, constant - reach), constant + reach], "title": {"text": axis}},
        margin={"r": 76, "l": 12, "t": theme.TOP, "b": theme.BOTTOM},
    )
    marks.name_curve(
        fig, steps[-1], constant, "1" if relative else "‖W<sub>svm</sub>‖²", colour, dark, log=(True, False)
    )
    measured = marks.last_mean(data.gap)
    alt = f"The loss gap times ηt tends to {constant:.3f}; measured {measured:.4f} after {steps[-1]:,} steps."
    return theme.finish(fig, alt, dark, "loss_gap")
