"""The figure of the room ``ccmc`` about cures: what becomes of the winner's share when generation is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from widgets.ccmc.learning import dots
from widgets.kit import marks, theme

if TYPE_CHECKING:
    from xarray import Dataset

TITLES = {
    "output_temperature": "output temperature Tₒ",
    "attention_temperature": "attention temperature Tₐ",
    "count_cap": "count cap c",
    "window": "window w (tokens)",
}
"""What each panel varies, as its axis says it."""
LOGARITHMIC = ("count_cap", "window")


def cures(data: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Share of the most frequent token against output temperature, attention temperature, count cap and window.

    Takes :func:`theory.ccmc.views.cures`: ``setting`` (cure, point), ``top_share`` (statistic, cure, point),
    ``predicted`` (cure, point; NaN where theory is silent), ``now`` (cure: the sliders' values, NaN for off). Dashed:
    the predicted limit of ever longer texts. A vertical line is where the sliders stand.
    """
    fig = go.Figure()
    hue = marks.two_colours(dark)[0]
    colours = theme.palette(dark)
    kinds = [str(kind) for kind in data.cure.values]
    places = np.linspace(0.0, 1.0, len(kinds) + 1)
    told: list[str] = []
    for at, kind in enumerate(kinds):
        suffix = str(at + 1) if at else ""
        axes = {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
        panel = data.isel(cure=at)
        x = panel.setting.values.astype(np.float64)
        known = np.isfinite(x)
        x, share, predicted = x[known], panel.top_share.isel(point=known), panel.predicted.values[known]
        if np.isfinite(predicted).any():
            marks.theory_line(
                fig, x, predicted, hue, "limit", f"{TITLES[kind]} = %{{x:.3g}}<br>%{{y:.1%}} predicted", **axes
            )
        hover = f"{TITLES[kind]} = %{{x:.3g}}<br>%{{y:.1%}} measured"
        if np.isfinite(share.sel(statistic="mean").values).any():
            dots(fig, x, share, hue, "simulated runs", hover, np.inf, **axes)
        now = float(panel.now)
        if np.isfinite(now) and x[0] <= now <= x[-1]:
            fig.add_shape(
                type="line",
                x0=now,
                x1=now,
                y0=0,
                y1=1,
                xref=axes["xaxis"],
                yref=f"y{suffix} domain",
                line={"width": 1.2, "dash": "dot", "color": colours.muted},
                layer="below",
            )
        log = kind in LOGARITHMIC
        ends = np.log10(x[[0, -1]]) if log else x[[0, -1]]
        pad = 0.05 * float(ends[1] - ends[0])
        fig.update_layout(
            **{
                f"xaxis{suffix}": {
                    "domain": [float(places[at]), float(places[at + 1] - (0.03 if at + 1 < len(kinds) else 0.0))],
                    "anchor": f"y{suffix}",
                    "range": [float(ends[0]) - pad, float(ends[1]) + pad],
                    "title": {"text": TITLES[kind]},
                    **({"type": "log", "dtick": 1} if log else {"dtick": 1}),
                },
                f"yaxis{suffix}": {
                    "anchor": f"x{suffix}",
                    "range": [-0.03, 1.04],
                    "tickformat": ".0%",
                    "showticklabels": at == 0 or narrow,
                    "title": {"text": "share of the top token" if at == 0 or narrow else ""},
                },
            }
        )
        means = share.sel(statistic="mean").values
        if np.isfinite(means).any():
            told.append(f"{TITLES[kind]} from {x[0]:.3g} to {x[-1]:.3g}: {means[0]:.0%} to {means[-1]:.0%}")
    height = 210 if narrow else 290
    fig.update_layout(height=height + theme.TOP + theme.BOTTOM)
    alt = f"Share of the most frequent token. {'; '.join(told) or 'Predicted limits only'}."
    return theme.finish(fig, alt, dark, "cures", stacked=narrow)
