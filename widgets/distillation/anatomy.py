"""Left half of the talk picture of the room ``distillation``: what the best teacher does to each feature, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from widgets.distillation.arms import NAMES, error_bars, hue, words
from widgets.kit import theme
from widgets.kit.drawing import Drawing

if TYPE_CHECKING:
    from xarray import Dataset

LEAST_TOP = 1.32
"""The axis of factors reaches at least here, so that a larger n does not seem to change the scale."""
PANEL_WIDTHS = {False: 400.0, True: 230.0}
"""Pixels of the panel at least, on wide and on narrow screens: zones with no room for their names have none."""


def draw_factors(drawing: Drawing, anatomy: Dataset, dark: bool, narrow: bool, axis: str = "") -> None:
    """Teacher over truth, feature by feature, with the zones of :func:`zones`; see ``views.anatomy``."""
    axes = {"xaxis": f"x{axis}", "yaxis": f"y{axis}"}
    top = _top(anatomy)
    size = int(anatomy.n_features)
    feature = anatomy.feature.values
    colours = theme.palette(dark)
    for first, last, _, kind in zones(anatomy):
        fill = colours.muted if kind == "shrink" else hue(kind, dark)
        drawing.add_shape(
            type="rect",
            x0=max(first - 0.5, 0.9),
            x1=last + 0.5,
            y0=0.0,
            y1=top,
            xref=axes["xaxis"],
            yref=axes["yaxis"],
            fillcolor=theme.mix(colours.paper, fill, 0.13 if kind != "shrink" else 0.07),
            line={"width": 0, "color": fill},
            layer="below",
        )
    for arm, values in zip(anatomy.teacher.values.tolist(), anatomy.factor.values, strict=True):
        drawing.add_scatter(
            x=feature,
            y=np.clip(values, -top, top),
            mode="lines",
            line={"width": 2.4 if arm == "optimal" else 1.8, "color": hue(arm, dark), "shape": "linear"},
            customdata=values,
            name=f"{NAMES[arm]} (factor)",
            hovertemplate=f"{NAMES[arm]}: %{{customdata:.3f}} × truth<br>feature %{{x:,}}<extra></extra>",
            **axes,
        )
    if "measured" in anatomy:
        mean, low, high = anatomy.measured.values
        drawing.add_scatter(
            x=anatomy.probed.values,
            y=mean,
            mode="markers",
            marker={"size": theme.MARKER_SIZE, "color": hue("optimal", dark)},
            error_y=error_bars(low, mean, high, hue("optimal", dark)),
            name="best factor, measured",
            hovertemplate="%{y:.3f} × truth is best, measured on trained students<br>feature %{x:,}<extra></extra>",
            **axes,
        )
    span = float(np.log10((size + 0.5) / 0.9))
    wide = {zone: np.log10((zone[1] + 0.5) / max(zone[0] - 0.5, 0.9)) / span for zone in zones(anatomy)}
    named = [zone for zone, share in wide.items() if share * PANEL_WIDTHS[narrow] > theme.text_width(zone[2]) + 6]
    words(
        drawing,
        [(_middle(zone), 0.95 * top, zone[2], "middle center") for zone in named],
        [colours.ink if zone[3] == "shrink" else hue(zone[3], dark) for zone in named],
        dark,
        axes["xaxis"],
        axes["yaxis"],
        "zones",
    )
    count, kept = int(anatomy.amplified), int(anatomy.kept)
    places = [(float(count), 0.07 * top, f"{count:,} amplified ", "middle left")] if count > 6 else []
    places += [(float(kept), 0.17 * top, f"{kept:,} kept ", "middle left")] if kept > 6 else []
    shades = [hue("optimal" if "amplified" in place[2] else "mask", dark) for place in places]
    words(drawing, places, shades, dark, axes["xaxis"], axes["yaxis"], "counts")
    drawing.update_layout(
        **{
            f"xaxis{axis}": _feature_axis(size) | {"showticklabels": False},
            f"yaxis{axis}": {
                "range": [min(0.0, 1.08 * float(np.nanmin(np.maximum(anatomy.factor.values, -top)))), top],
                "title": {"text": "teacher / truth"},
                "nticks": 6,
            },
        }
    )


def draw_unlearnt(drawing: Drawing, anatomy: Dataset, dark: bool, axis: str) -> None:
    """The fraction of each feature that is not learnt, with the thresholds of the best teacher and the best mask."""
    axes = {"xaxis": f"x{axis}", "yaxis": f"y{axis}"}
    size = int(anatomy.n_features)
    feature, unlearnt = anatomy.feature.values, anatomy.unlearnt_fraction.values
    free = float(anatomy.one_minus_overfitting)
    colours = theme.palette(dark)
    drawing.add_scatter(
        x=feature,
        y=unlearnt,
        mode="lines",
        line={"width": 2.0, "color": colours.ink},
        name="ζ",
        hovertemplate="ζ = %{y:.3f}: this part of feature %{x:,} is not learnt<extra></extra>",
        **axes,
    )
    for level, arm, said in ((free, "optimal", "1 − Ω"), (np.sqrt(free), "mask", "√(1 − Ω)")):
        drawing.add_scatter(
            x=[1.0, size],
            y=[level, level],
            mode="lines",
            line={"width": 1.4, "dash": "dash", "color": hue(arm, dark)},
            name=f"{said} (threshold)",
            hovertemplate=f"{said} = {level:.3f}<extra></extra>",
            **axes,
        )
    gap = 0.18
    low = min(free + 0.02, 0.72)
    high = max(float(np.sqrt(free)) + 0.02, low + gap)
    words(
        drawing,
        [(1.0, low, f" 1 − Ω = {free:.2g}", "top right"), (1.0, high, f" √(1 − Ω) = {np.sqrt(free):.2g}", "top right")],
        [hue("optimal", dark), hue("mask", dark)],
        dark,
        axes["xaxis"],
        axes["yaxis"],
        "thresholds",
    )
    drawing.update_layout(
        **{
            f"xaxis{axis}": _feature_axis(size) | {"title": {"text": "feature i, strongest first"}},
            f"yaxis{axis}": {"range": [0.0, 1.18], "tickvals": [0, 0.5, 1], "title": {"text": "ζ: not learnt"}},
        }
    )


def zones(anatomy: Dataset) -> list[tuple[int, int, str, str]]:
    """First and last feature, name and colour of the zones: amplify, shrink, discard; empty ones are left out."""
    count, kept, size = int(anatomy.amplified), int(anatomy.kept), int(anatomy.n_features)
    factor = anatomy.factor.sel(teacher="optimal").values
    middle = "leave as it is" if np.abs(factor - 1).max() < 1e-9 else "shrink"
    found = [(1, count, "amplify", "optimal"), (count + 1, kept, middle, "shrink"), (kept + 1, size, "discard", "mask")]
    return [zone for zone in found if zone[0] <= zone[1]]


def anatomy_alt(anatomy: Dataset) -> str:
    """The text alternative: how many features are amplified, kept and discarded, and by how much at most."""
    factor = anatomy.factor.sel(teacher="optimal").values
    at = int(np.nanargmax(factor))
    size, count, kept = (int(anatomy[name]) for name in ("n_features", "amplified", "kept"))
    most = f", at most {factor[at]:.3f} times at feature {int(anatomy.feature.values[at])}" if count else ""
    return (
        f"Of {size:,} features the best teacher amplifies {count:,}{most}; the best mask keeps {kept:,} "
        f"with {int(anatomy.n_samples):,} samples."
    )


def _top(anatomy: Dataset) -> float:
    values = [float(np.nanmax(anatomy.factor.values))]
    if "measured" in anatomy and anatomy.measured.size:
        values.append(float(np.nanmax(anatomy.measured.values)))
    return max(LEAST_TOP, 1.16 * max(values))


def _middle(zone: tuple[int, int, str, str]) -> float:
    return float(np.sqrt(max(zone[0] - 0.5, 0.9) * (zone[1] + 0.5)))


def _feature_axis(size: int) -> dict[str, object]:
    return {
        "type": "log",
        "range": [float(np.log10(0.9)), float(np.log10(size + 0.5))],
        "dtick": 1,
        "tickformat": ",d",
        "tickangle": 0,
    }
