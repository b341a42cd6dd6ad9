"""Learning curves of the room ``distillation``: predicted lines, and points measured on trained students."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from widgets.distillation.arms import NAMES, error_bars, hue, risk_ticks, words
from widgets.kit import theme
from widgets.kit.drawing import Drawing
from widgets.kit.marks import write_labels

if TYPE_CHECKING:
    from xarray import Dataset

TALL, GAP, LOW = 230, 22, 104
"""Pixels of the panel of factors, of the space below it, and of the panel of unlearnt fractions."""
CURVES = TALL + GAP + LOW
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)


def draw_curves(
    drawing: Drawing,
    curves: Dataset,
    dark: bool,
    axis: str = "",
    height: int = CURVES,
    tuned: bool = False,
    inside: bool = False,
) -> float:
    """Draw ``curves`` (see ``views.curves``) on x<axis>, y<axis>; returns the pixels that the names at the ends take.

    ``tuned`` also draws true labels with the best ridge (see ``views.learning``); ``inside`` writes the names into a
    corner of the panel, where a narrow screen has no room beside it.
    """
    axes = {"xaxis": f"x{axis}", "yaxis": f"y{axis}"}
    n = curves.n.values
    span = risk_range(curves)
    here, colours = float(curves.n_samples), theme.palette(dark)
    drawing.add_scatter(
        x=[here, here],
        y=[10 ** span[0], 10 ** span[1]],
        mode="lines",
        line={"width": 1.2, "dash": "dot", "color": colours.muted},
        hoverinfo="skip",
        name="here",
        **axes,
    )
    arms = [str(arm) for arm in curves.arm.values]
    lines = {arm: curves.predicted.values[row] for row, arm in enumerate(arms)}
    if tuned and np.isfinite(curves.ridge.values).any():
        lines["ridge"] = curves.ridge.values
    for arm, values in lines.items():
        drawing.add_scatter(
            x=n,
            y=values,
            mode="lines",
            line={"width": 2.0, "color": hue(arm, dark), "dash": "dot" if arm == "ridge" else "solid"},
            name=f"{NAMES[arm]} (theory)",
            hovertemplate=f"{NAMES[arm]}: risk %{{y:.4g}} predicted<br>n = %{{x:.0f}}<extra></extra>",
            **axes,
        )
    if "measured" in curves:
        for row, arm in enumerate(arms):
            draw_points(drawing, curves, row, arm, dark, axes)
    reach = 0.0
    if inside:
        _name_inside(drawing, lines, n, span, height, dark, axes)
    else:
        reach = _name_ends(drawing, lines, n, span, height, dark, axes)
    _now(drawing, curves, arms, span, dark, axes)
    drawing.update_layout(
        **{
            f"xaxis{axis}": {
                "type": "log",
                "range": _padded(n),
                "tickvals": list(TICKS),
                "tickformat": ",d",
                "tickangle": 0,
                "title": {"text": "training samples n"},
            },
            f"yaxis{axis}": {
                "type": "log",
                "range": list(span),
                **risk_ticks(span),
                "title": {"text": "excess risk of the student"},
            },
        }
    )
    return reach


def _name_ends(
    drawing: Drawing,
    lines: dict[str, np.ndarray],
    n: np.ndarray,
    span: tuple[float, float],
    height: int,
    dark: bool,
    axes: dict[str, str],
) -> float:
    """Names at the ends of the lines; returns the pixels that they take."""
    ends = {arm: float(values[np.isfinite(values)][-1]) for arm, values in lines.items()}
    shown = [arm for arm in lines if ends[arm] > 0]
    above = (span[0] + 0.03 * (span[1] - span[0]), span[1])  # a text on the very edge is left out
    labels = theme.end_labels(
        [float(np.log10(ends[arm])) for arm in shown],
        [NAMES[arm] for arm in shown],
        [hue(arm, dark) for arm in shown],
        above,
        0.97 * height,
    )
    write_labels(drawing, labels, float(n[-1]), above, dark, 0.97 * height, log=True, **axes)
    return max([theme.text_width(label.text) for label in labels], default=0.0) + 10


def _name_inside(
    drawing: Drawing,
    lines: dict[str, np.ndarray],
    n: np.ndarray,
    span: tuple[float, float],
    height: int,
    dark: bool,
    axes: dict[str, str],
) -> None:
    """Names in the corner on the left that the lines leave free."""
    begin = float(np.log10(max(lines["strong"][0], 1e-300)))
    low = begin > (span[0] + span[1]) / 2
    step = 17 / height * (span[1] - span[0])
    first = span[0] + step * (len(lines) - 0.3) if low else span[1] - 2 * step
    places = [
        (float(n[0]), 10 ** (first - row * step), f" {NAMES[arm]}", "middle right") for row, arm in enumerate(lines)
    ]
    words(drawing, places, [hue(arm, dark) for arm in lines], dark, axes["xaxis"], axes["yaxis"], "names")


def _padded(n: np.ndarray) -> list[float]:
    low, high = np.log10(n[[0, -1]])
    return [float(low - 0.02 * (high - low)), float(high + 0.01 * (high - low))]


def draw_points(drawing: Drawing, curves: Dataset, row: int, arm: str, dark: bool, axes: dict[str, str]) -> None:
    """Measured means of one arm with bars of two standard errors."""
    mean, low, high = curves.measured.values[:, row]
    if not np.isfinite(mean).any():
        return
    trials = curves.trials.values
    drawing.add_scatter(
        x=curves["size"].values,
        y=mean,
        mode="markers",
        marker={"size": theme.MARKER_SIZE, "color": hue(arm, dark)},
        error_y=error_bars(low, mean, high, hue(arm, dark)),
        customdata=np.stack([low, high, trials], axis=-1),
        name=f"{NAMES[arm]} (trained students)",
        hovertemplate=f"{NAMES[arm]}: risk %{{y:.4g}} measured, n = %{{x:,}}<br>%{{customdata[0]:.4g}} to "
        "%{customdata[1]:.4g} from %{customdata[2]:.0f} students<extra></extra>",
        **axes,
    )


def _now(
    drawing: Drawing, curves: Dataset, arms: list[str], span: tuple[float, float], dark: bool, axes: dict[str, str]
) -> None:
    """What the sliders' n gives: rings on the lines, and the gain in words at the top of the panel."""
    now = curves.now.values
    here, colours = float(curves.n_samples), theme.palette(dark)
    drawing.add_scatter(
        x=[here] * len(arms),
        y=now,
        mode="markers",
        marker={
            "size": theme.MARKER_SIZE + 4,
            "color": "rgba(0,0,0,0)",
            "line": {"width": 1.8, "color": [hue(arm, dark) for arm in arms]},
        },
        name="at this n",
        hovertemplate="risk %{y:.4g} predicted<br>n = %{x:,.0f}<extra></extra>",
        **axes,
    )
    saved = 1 - float(now[arms.index("optimal")] / now[arms.index("strong")])
    low, high = np.log10(curves.n.values[[0, -1]])
    left = np.log10(here) > (low + high) / 2
    said = f"{saved:.0%} less risk" if saved >= 0.005 else "nothing gained"
    text = f"{said}  " if left else f"  {said}"
    place = (here, 10 ** (span[1] - 0.04 * (span[1] - span[0])), text, "middle left" if left else "middle right")
    words(drawing, [place], [colours.ink], dark, axes["xaxis"], axes["yaxis"], "gain")


def risk_range(curves: Dataset) -> tuple[float, float]:
    """Range of the risk axis in powers of ten: all lines and points, at least one decade, with room on top."""
    values = [curves.predicted.values.ravel()]
    if "measured" in curves:
        values.append(curves.measured.values[0].ravel())
    known = np.concatenate(values)
    known = np.log10(known[np.isfinite(known) & (known > 0)])
    low, high = (float(known.min()), float(known.max())) if known.size else (-1.0, 0.0)
    high = max(high, low + 1)
    return low - 0.04 * (high - low), high + 0.1 * (high - low)


def curves_alt(curves: Dataset) -> str:
    """The text alternative: the predicted risks at the sliders' n, and how near the measured means are."""
    arms = [str(arm) for arm in curves.arm.values]
    risks = ", ".join(f"{value:.4g} with {NAMES[arm]}" for arm, value in zip(arms, curves.now.values, strict=True))
    said = f"Predicted excess risk with {float(curves.n_samples):,.0f} samples: {risks}."
    if "measured" not in curves:
        return said
    return f"{said} Trained students were measured at {len(curves['size'])} sample sizes."
