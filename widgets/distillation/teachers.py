"""The figure of the room ``distillation`` about teachers that are themselves fitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from widgets.distillation.arms import error_bars, hue, risk_ticks, words
from widgets.kit import theme
from widgets.kit.drawing import Drawing
from widgets.kit.marks import write_labels

if TYPE_CHECKING:
    from xarray import Dataset

WORDS = {"student": "student", "teacher": "its teacher"}


def two_stage(data: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Risk of a fitted teacher and of its student against the teacher's sample size m, beside two fixed teachers.

    Takes :func:`theory.distillation.views.two_stage`. Hatched: next to m = p, where the teacher interpolates just
    barely, no prediction is made.
    """
    drawing = Drawing()
    m = data.m.values
    colours = theme.palette(dark)
    peak, here = float(data.peak), float(data.here)
    span = _span(data)
    fill = theme.mix(colours.paper, colours.muted, 0.16)
    drawing.add_shape(
        type="rect",
        x0=0.95 * peak,
        x1=1.05 * peak,
        y0=10 ** span[0],
        y1=10 ** span[1],
        xref="x",
        yref="y",
        fillcolor=fill,
        line={"width": 0, "color": fill},
        layer="below",
    )
    for name, arm in (("strong", "strong"), ("optimal", "mask")):
        drawing.add_scatter(
            x=m[[0, -1]],
            y=np.full(2, float(data[name])),
            mode="lines",
            line={"width": 1.4, "dash": "dash", "color": hue(arm, dark)},
            name=name,
            hovertemplate="%{y:.4g}<extra></extra>",
        )
    for name in ("teacher", "student"):
        drawing.add_scatter(
            x=m,
            y=data[name].values,
            mode="lines",
            line={"width": 2.2 if name == "student" else 1.6, "color": hue(name, dark)},
            name=f"{name} (theory)",
            hovertemplate=f"{WORDS[name]}: risk %{{y:.4g}} predicted, m = %{{x:.0f}}<extra></extra>",
        )
        if "measured" in data:
            mean, low, high = data.measured.sel(role=name).values
            drawing.add_scatter(
                x=data.m_measured.values,
                y=mean,
                mode="markers",
                marker={"size": theme.MARKER_SIZE, "color": hue(name, dark)},
                error_y=error_bars(low, mean, high, hue(name, dark)),
                name=f"{name} (trained)",
                hovertemplate=f"{WORDS[name]}: risk %{{y:.4g}} measured, m = %{{x:,}}<extra></extra>",
            )
    drawing.add_scatter(
        x=[here, here],
        y=[10 ** span[0], 10 ** span[1]],
        mode="lines",
        line={"width": 1.2, "dash": "dot", "color": colours.muted},
        hoverinfo="skip",
        name="here",
    )
    words(
        drawing,
        [(peak, 10 ** (span[1] - 0.04 * (span[1] - span[0])), "m = p", "middle center")],
        [colours.ink],
        dark,
        "x",
        "y",
        "peak",
    )
    ends = {
        "true labels": (float(data.strong), "strong"),
        "best teacher": (float(data.optimal), "mask"),
        "student": (float(data.student.values[-1]), "student"),
    }
    seen = np.flatnonzero(np.nan_to_num(data.teacher.values) > 10 ** (span[0] + 0.06 * (span[1] - span[0])))
    if len(seen):
        last = int(seen[-1])
        place = (float(m[last]), float(data.teacher.values[last]), "  its teacher", "middle right")
        words(drawing, [place], [hue("teacher", dark)], dark, "x", "y", "teacher")
    shown = {name: end for name, end in ends.items() if end[0] > 10 ** span[0]}
    labels = theme.end_labels(
        [float(np.log10(value)) for value, _ in shown.values()],
        list(shown),
        [hue(arm, dark) for _, arm in shown.values()],
        span,
    )
    write_labels(drawing, labels, float(m[-1]), span, dark, log=True, xaxis="x", yaxis="y")
    drawing.update_layout(
        xaxis={
            "type": "log",
            "range": [float(np.log10(m[0])) - 0.05, float(np.log10(m[-1])) + 0.05],
            "dtick": 1,
            "exponentformat": "power",
            "title": {"text": "training samples m of the teacher"},
        },
        yaxis={
            "type": "log",
            "range": list(span),
            **risk_ticks(span),
            "title": {"text": "excess risk"},
        },
        margin={"l": 66, "r": 100, "t": theme.TOP, "b": theme.BOTTOM},
    )
    student = data.student.values
    at = int(np.nanargmin(student))
    alt = (
        f"Risk of the student against the samples of its fitted teacher: least {student[at]:.4g} at m = {m[at]:.0f}, "
        f"{student[at] / float(data.strong):.2f} times that of true labels ({float(data.strong):.4g})."
    )
    return drawing.figure(alt, dark, "two_stage")


def _span(data: Dataset) -> tuple[float, float]:
    """Powers of ten that show the student, both reference lines, and the teacher a little below them."""
    kept = [data.student.values, np.array([float(data.strong), float(data.optimal)])]
    values = np.concatenate(kept)
    values = values[np.isfinite(values) & (values > 0)]
    teacher = data.teacher.values[np.isfinite(data.teacher.values)]
    low = max(float(teacher.min()), 0.4 * float(values.min()))
    ends = np.log10([min(low, float(values.min())), max(float(values.max()), float(np.quantile(teacher, 0.95)))])
    pad = 0.08 * max(ends[1] - ends[0], 0.3)
    return float(ends[0] - pad), float(ends[1] + 1.5 * pad)
