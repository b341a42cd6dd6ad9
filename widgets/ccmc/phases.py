"""The left half of the talk picture of the room ``ccmc``: the phases of two tokens, or the list of winner sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from widgets.ccmc.growth import short, token_hues
from widgets.kit import theme
from widgets.kit.drawing import Drawing

if TYPE_CHECKING:
    from xarray import Dataset

REACH = np.log10(20.0)
"""Both odds run from 1/20 to 20."""
MOST_SETS = 6
"""So many winner sets are listed, those with most runs first; a line counts the others."""
HALF_BAR = 7
"""Pixels."""
LINE = 40
"""Characters of the line about a winner set's losers."""


def draw_phases(drawing: Drawing, phases: Dataset, dark: bool, axis: str = "", compact: bool = False) -> None:
    """Draw ``phases`` (see :func:`theory.ccmc.views.phases`) on x<axis>, y<axis>: four phases and the point itself."""
    colours = theme.palette(dark)
    axes = {"xaxis": f"x{axis}", "yaxis": f"y{axis}"}
    hues = token_hues(2, dark)
    names = [short(name) for name in phases.name.values]
    both = theme.mix(hues[0], hues[1], 0.5)
    # Sign of log alpha, sign of log beta, fill, words.
    corners = (
        (1, -1, theme.mix(colours.paper, hues[0], 0.24), [f"{names[0]} wins"]),
        (-1, 1, theme.mix(colours.paper, hues[1], 0.24), [f"{names[1]} wins"]),
        (1, 1, theme.mix(colours.paper, colours.muted, 0.24), ["either can win"]),
        (-1, -1, theme.mix(colours.paper, both, 0.1), ["both stay"]),
    )
    for across, up, fill, _ in corners:
        drawing.add_shape(
            type="rect",
            x0=1.0,
            x1=10 ** (across * REACH),
            y0=1.0,
            y1=10 ** (up * REACH),
            xref=axes["xaxis"],
            yref=axes["yaxis"],
            fillcolor=fill,
            line={"width": 0, "color": fill},
            layer="below",
        )
    for end in ((1, -1), (-1, 1)):
        drawing.add_shape(
            type="line",
            x0=1.0,
            y0=1.0,
            x1=10 ** (end[0] * REACH),
            y1=10 ** (end[1] * REACH),
            xref=axes["xaxis"],
            yref=axes["yaxis"],
            line={"width": 1, "dash": "dot", "color": colours.muted},
            layer="below",
        )
    if not compact:
        drawing.add_scatter(
            x=[float(f"{10 ** (across * REACH / 2):.4g}") for across, _, _, _ in corners],
            y=[float(f"{10 ** (up * REACH * 0.8):.4g}") for _, up, _, _ in corners],
            mode="text",
            text=["<br>".join(words) for _, _, _, words in corners],
            textfont={"size": theme.TICK_SIZE, "color": colours.ink},
            hoverinfo="skip",
            name="phases",
            **axes,
        )
    odds = [float(np.clip(phases[key], 10**-REACH, 10**REACH)) for key in ("odds_first", "odds_second")]
    drawing.add_scatter(
        x=[odds[0]],
        y=[odds[1]],
        mode="markers",
        marker={"size": 9 if compact else 13, "color": colours.ink, "line": {"width": 2, "color": colours.paper}},
        hovertemplate=f"α = {float(phases.odds_first):.3g}, β = {float(phases.odds_second):.3g}<br>"
        f"{theme.escape(str(phases.attrs['phase']))}<extra></extra>",
        name="this chain",
        cliponaxis=False,
        **axes,
    )
    ticks = {"tickvals": [0.1, 1, 10], "ticktext": ["0.1", "1", "10"], "showgrid": False, "fixedrange": True}
    square = {"type": "log", "range": [-REACH, REACH], **ticks}
    drawing.update_layout(
        **{
            f"xaxis{axis}": {**square, "title": {"text": f"odds α that {names[0]} repeats itself"}},
            f"yaxis{axis}": {**square, "title": {"text": f"odds β that {names[1]} repeats itself"}},
        }
    )


def draw_winner_sets(drawing: Drawing, sets: Dataset, dark: bool, axis: str = "", compact: bool = False) -> None:
    """Draw ``sets`` (see :func:`theory.ccmc.views.winners`) on x<axis>, y<axis>: one bar per stable winner set.

    A bar is divided as the winners share the text; below it stand the exponents with which the losers grow.
    """
    colours = theme.palette(dark)
    axes = {"xaxis": f"x{axis}", "yaxis": f"y{axis}"}
    hues = token_hues(int(sets.attrs["vocab_size"]), dark)
    names = [short(name) for name in sets.name.values]
    shown = list(range(min(sets.sizes["set"], MOST_SETS)))
    shares, exponents = sets.share_of_winner.values, sets.exponent.values
    base: list[float] = []
    length: list[float] = []
    row: list[int] = []
    hue: list[str] = []
    hover: list[str] = []
    for which in shown:
        start = 0.0
        for token in np.flatnonzero(shares[which] > 0).tolist():
            base.append(round(start, 4))
            length.append(round(float(shares[which, token]), 4))
            row.append(which)
            hue.append(hues[token])
            hover.append(f"{names[token]}: {shares[which, token]:.1%} of the text")
            start += float(shares[which, token])
    rows = max(len(shown), 1 if compact else 4)
    half = HALF_BAR * rows / theme.PANEL_HEIGHT if not compact else 0.3
    if shown:
        drawing.traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "x": length,
                "base": base,
                "y": row,
                "width": 2 * half,
                "marker": {"color": hue, "line": {"width": 1, "color": colours.paper}},
                "text": hover,
                "textposition": "none",
                "hovertemplate": "%{text}<extra></extra>",
                "name": "winner sets (theory)",
                **axes,
            }
        )
    if not compact:
        heads = [_head(sets, which, names) for which in shown]
        tails = [_losers(exponents[which], shares[which], names) for which in shown]
        heads += [] if shown else ["no stable winner set:<br>the shares never come to rest"]
        if sets.sizes["set"] > MOST_SETS:
            tails[-1] += f"<br>and {sets.sizes['set'] - MOST_SETS} more winner sets"
        above = [which - half for which in shown] or [1.0]
        below = [which + 1.5 * half for which in shown]
        for y, texts, side, colour in (
            (above, heads, "top right", colours.ink),
            (below, tails, "bottom right", colours.muted),
        ):
            if not y:
                continue
            drawing.add_scatter(
                x=[0.0] * len(y),
                y=y,
                mode="text",
                text=texts,
                textposition=side,
                textfont={"size": theme.TICK_SIZE, "color": colour},
                cliponaxis=False,
                hoverinfo="skip",
                name="names",
                **axes,
            )
    drawing.update_layout(
        **{
            f"xaxis{axis}": {"range": [0.0, 1.0], "visible": False, "fixedrange": True},
            f"yaxis{axis}": {"range": [rows - 0.5, -0.5], "visible": False, "fixedrange": True},
        }
    )


def _head(sets: Dataset, which: int, names: list[str]) -> str:
    inside = [names[token] for token in np.flatnonzero(sets.share_of_winner.values[which] > 0)]
    listed = ", ".join(inside) if sum(len(name) + 2 for name in inside) <= LINE // 2 else f"{len(inside)} tokens"
    said = f"{inside[0]} wins alone" if len(inside) == 1 else f"{listed} share the text"
    runs = int(sets.attrs["runs"])
    return f"<b>{said}</b>" + (f", {int(sets.won.values[which])} of {runs} runs" if runs else "")


def _losers(exponents: np.ndarray, shares: np.ndarray, names: list[str]) -> str:
    order = [token for token in np.argsort(-exponents, kind="stable").tolist() if shares[token] <= 0]
    told: list[str] = []
    for token in order:
        if sum(len(names[other]) + 9 for other in order[: len(told) + 1]) > LINE and told:
            break
        told.append(f"{names[token]} ~ n<sup>{exponents[token]:.2f}</sup>")
    more = f" +{len(order) - len(told)}" if len(order) > len(told) else ""
    return ",  ".join(told) + more if told else "no token is left behind"


def phases_alt(phases: Dataset) -> str:
    """The text alternative of the phase diagram."""
    odds = f"α = {float(phases.odds_first):.3g}, β = {float(phases.odds_second):.3g}"
    return f"Phase diagram of two tokens: at odds {odds} {phases.attrs['phase']}."


def sets_alt(sets: Dataset) -> str:
    """The text alternative of the list of winner sets."""
    names = [str(name) for name in sets.name.values]
    parts = [
        ", ".join(f"{names[token]} {share:.0%}" for token, share in enumerate(row) if share > 0)
        for row in sets.share_of_winner.values[:MOST_SETS].tolist()
    ]
    if not parts:
        return "No set of tokens is a stable winner set: the shares never come to rest."
    return f"Stable winner sets of {len(names)} tokens: {'; '.join(parts)}."
