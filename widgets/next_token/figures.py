"""Figures of the room ``next_token``: a small labelled Dataset of :mod:`theory.next_token.views` in, a figure out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from widgets.kit import theme
from widgets.kit.drawing import Drawing
from widgets.next_token.condensation import draw_condensation
from widgets.next_token.curves import correlation, finite_part, loss_gap
from widgets.next_token.maps import extraction_heatmap, phase_map
from widgets.next_token.text import condensation_explorer, playground_bars, text_windows

if TYPE_CHECKING:
    from xarray import Dataset

    from theory.core.bench import Result

__all__ = [
    "condensation_explorer",
    "correlation",
    "extraction_heatmap",
    "finite_part",
    "loss_gap",
    "phase_map",
    "playground_bars",
    "talk_picture",
    "text_windows",
    "thumbnail",
]

PICTURED = "sharp-logits"
"""The claim whose measurement is in the gallery's picture."""


def talk_picture(anatomy: Dataset, curves: Dataset, dark: bool = False, narrow: bool = False) -> go.Figure:
    """The theorem in one picture: the condensation of one last token beside its logits on their asymptotes.

    Left: height = predicted level, area = number of tokens, wedges = soft weights. Right: points are trained logits,
    dashed lines were known before training. ``curves`` without ``measured`` draws the theory alone. ``narrow`` stacks
    the panels.
    """
    drawing = Drawing()
    draw_condensation(drawing, anatomy, dark)
    labels = _logits(drawing, curves, dark, axis="2")
    reach = max([*(theme.text_width(label.text) for label in labels), 24.0])
    drawing.update_layout(
        # Automatic margins would lay the figure out twice on every slider move.
        xaxis={"domain": [0.0, 0.36], "automargin": False},
        yaxis={"automargin": False},
        xaxis2={"domain": [0.45, 1.0], "anchor": "y2", "automargin": False, "title": {"text": "log time log(ηt)"}},
        yaxis2={"anchor": "x2", "automargin": False, "title": {"text": "logit of each token"}},
        margin={"r": min(reach, 110.0) + 14, "t": theme.TOP, "b": theme.BOTTOM + 4, "l": 68},
    )
    return drawing.figure(_talk_alt(anatomy, curves), dark, "talk_picture", stacked=narrow, live=True)


def thumbnail(anatomy: Dataset, curves: Dataset, dark: bool = False) -> go.Figure:
    """The talk picture as a small card: same colours and positions, no axes, no words, no interaction."""
    drawing = Drawing()
    draw_condensation(drawing, anatomy, dark, compact=True)
    _logits(drawing, curves, dark, axis="2", compact=True)
    bare = {"visible": False, "fixedrange": True}
    drawing.update_layout(
        xaxis={"domain": [0.0, 0.34], **bare},
        yaxis=bare,
        xaxis2={"domain": [0.4, 1.0], "anchor": "y2", **bare},
        yaxis2={"anchor": "x2", **bare},
        margin={"l": 4, "r": 8, "t": 8, "b": 8},
        height=152,
    )
    fig = drawing.figure(_talk_alt(anatomy, curves), dark, "thumbnail")
    return fig.update_traces(hoverinfo="skip", hovertemplate=None)


def _logits(drawing: Drawing, curves: Dataset, dark: bool, axis: str, compact: bool = False) -> list[theme.EndLabel]:
    colours = theme.token_colours(int(curves.attrs["vocab_size"]), dark)
    names = [theme.escape(str(name)) for name in curves.name.values]
    hues = [colours[int(token) % len(colours)] for token in curves.token.values]
    axes = {"xaxis": f"x{axis}", "yaxis": f"y{axis}"}
    time = curves.log_time.values
    for position, (name, hue) in enumerate(zip(names, hues, strict=True)):
        predicted = curves.predicted.values[position]
        if not np.isfinite(predicted).any():
            continue
        drawing.add_scatter(
            x=time,
            y=predicted,
            mode="lines",
            line={"dash": "dash", "width": 1.2 if compact else 1.6, "color": hue},
            name=f"{name} (theory)",
            hovertemplate=f"{name}: %{{y:.3f}} predicted<br>slope {theme.signed(float(curves.level[position]))}"
            "<br>log time %{x:.2f}<extra></extra>",
            **axes,
        )
    if "measured" in curves:
        _measured_logits(drawing, curves, names, hues, dark, axes, 4 if compact else theme.MARKER_SIZE)
    span = _logit_range(curves)
    stop = float(max(time[-1], curves.measured_log_time.values[-1] if "measured" in curves else time[-1]))
    drawing.update_layout(
        **{
            f"yaxis{axis}": {"range": list(span)},
            f"xaxis{axis}": {"range": [float(time[0]), stop + 0.02 * (stop - float(time[0]))]},
        }
    )
    if curves.attrs["anchored"] and not compact:
        drawing.add_annotation(
            x=0,
            y=1,
            xref=f"x{axis} domain",
            yref=f"y{axis} domain",
            xanchor="left",
            yanchor="bottom",
            text="here only slopes are predicted",
            showarrow=False,
            font={"size": theme.TICK_SIZE, "color": theme.palette(dark).muted},
        )
    labels = theme.end_labels(_ends(curves), names, hues, span)
    if not compact:
        theme.add_end_labels(drawing, labels, stop, dark, xref=f"x{axis}", yref=f"y{axis}")
    return labels


def _measured_logits(
    drawing: Drawing,
    curves: Dataset,
    names: list[str],
    hues: list[str],
    dark: bool,
    axes: dict[str, str],
    size: int,
) -> None:
    shown = theme.spaced(curves.measured_log_time.values, min(theme.POINTS, theme.MAX_MARKERS // len(names)))
    x = curves.measured_log_time.values[shown]
    y = curves.measured.values[:, shown]
    expected = curves.predicted_at_step.values[:, shown]
    drawing.add_scatter(
        x=np.tile(x, len(names)),
        y=y.ravel(),
        mode="markers",
        marker={
            "size": size,
            "color": np.repeat(hues, len(shown)),
            "line": {"width": 1 if size > 5 else 0.5, "color": theme.palette(dark).paper},
        },
        text=np.repeat(names, len(shown)),
        customdata=np.stack([expected.ravel(), np.tile(curves.step.values[shown], len(names))], axis=-1),
        hovertemplate="<b>%{text}</b>: %{y:.4f} measured<br>%{customdata[0]:.4f} predicted"
        "<br>step %{customdata[1]:,}, log time %{x:.2f}<extra></extra>",
        name="trained model",
        **axes,
    )


def _ends(curves: Dataset) -> list[float]:
    ends = np.array(curves.predicted.values[:, -1], dtype=float)
    if "measured" in curves:
        measured = curves.measured.values[:, -1]
        ends = np.where(np.isfinite(measured), measured, ends)
    return np.nan_to_num(ends).tolist()


def _logit_range(curves: Dataset) -> tuple[float, float]:
    late = curves.predicted.values[:, curves.log_time.values >= 0.35 * curves.log_time.values[-1]]
    values = [late[np.isfinite(late)]]
    if "measured" in curves:
        values.append(curves.measured.values[np.isfinite(curves.measured.values)])
    together = np.concatenate(values)
    low, high = (float(together.min()), float(together.max())) if together.size else (-1.0, 1.0)
    pad = max(0.06 * (high - low), 0.5)
    return low - pad, high + pad


def _talk_alt(anatomy: Dataset, curves: Dataset) -> str:
    member = anatomy.member.values
    order = np.argsort(-anatomy.level.values, kind="stable")
    parts: list[str] = []
    for component in order[:5]:
        inside = [str(name) for name in anatomy.name.values[member == component]]
        shown = ", ".join(inside[:4]) + (f" and {len(inside) - 4} more" if len(inside) > 4 else "")
        level = float(anatomy.level.values[component])
        parts.append(
            f"{shown} at level {theme.signed(level)}" if anatomy.attrs["feasible"] else f"{shown} at depth {-level:.0f}"
        )
    more = f", and {len(order) - 5} further components" if len(order) > 5 else ""
    text = f"Components for last token {anatomy.attrs['last_name']}, from the top: {'; '.join(parts)}{more}."
    if not anatomy.attrs["feasible"]:
        return f"{text} No matrix meets all margins, so nothing is predicted."
    if curves.attrs["anchored"]:
        text += " The theory predicts slopes here, not heights: lines pass through the last measured points."
    if "measured" not in curves:
        return f"{text} Predicted logits grow with these slopes in log time."
    error = np.abs(curves.measured.values[:, -1] - curves.predicted_at_step.values[:, -1])
    if not np.isfinite(error).any():
        return f"{text} Trained logits are shown as points."
    return f"{text} Trained logits lie within {np.nanmax(error):.2g} of their predicted lines at the last step."


def picture(result: Result, dark: bool) -> go.Figure:
    """The opening picture of a checked claim, for the gallery: predicted lines and the points measured for it."""
    from theory.next_token import views
    from theory.next_token.structure import solve

    shown: Any = result.shown
    solution = solve(shown.problem)
    predictable = solution.connected & ~solution.degenerate
    # The picture with most to tell: every logit predicted, then the most components.
    lasts, parts = np.unique(solution.condensation.column, return_counts=True)
    last = int(max(zip(lasts, parts, strict=True), key=lambda pair: (predictable[pair[0]], pair[1]))[0])
    curves = views.curves(solution, last, shown.raw)
    return talk_picture(views.anatomy(solution, last, limit=12), curves, dark=dark)
