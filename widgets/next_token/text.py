"""Figures of the room ``next_token`` about prompts and texts: one prompt, windows of a text, its condensation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from widgets.kit import marks, theme
from widgets.kit.drawing import Drawing

if TYPE_CHECKING:
    from xarray import Dataset

ROW, ARC = 30, 64
"""Pixels per component in the explorer, and how far its arcs reach to the left."""


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
        xaxis={"range": [0, 1.03], "tickformat": ".0%", "title": {"text": "probability of the next token"}},
        yaxis={
            "ticklabelstandoff": 8,
            "autorange": "reversed",
            "type": "category",
            "showgrid": False,
            "tickfont": {"size": theme.TEXT_SIZE},
        },
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
        marks.points(fig, windows, shares, hue, name, f"{name}: %{{y:.1%}} at T = %{{x}}")
        ends.append(marks.last_mean(shares))
    names[0] = "label in window"
    span = (-0.04, 1.04)
    fig.update_layout(
        xaxis={
            **marks.log_axis(windows, "window length T (tokens)"),
            "dtick": None,
            "tickvals": windows,
            "ticktext": [str(w) for w in windows],
        },
        yaxis={"range": list(span), "tickformat": ".0%", "title": {"text": "share"}},
        margin={"r": 124, "l": 12, "t": theme.TOP, "b": theme.BOTTOM},
    )
    theme.add_end_labels(fig, theme.end_labels(ends, names, hues, span), float(np.log10(windows[-1])), dark)
    alt = (
        f"In {data.attrs['source']}, at window {windows[-1]}: {ends[0]:.0%} of next tokens occur in their window, the "
        f"largest component holds {ends[1]:.0%} of the tokens, {ends[2]:.0%} of the labels lie in cycles."
    )
    return theme.finish(fig, alt, dark, "text_windows")


def condensation_explorer(data: Dataset, dark: bool = False) -> go.Figure:
    """The top of a large condensation as a list: one row per component, arcs for priorities, words with soft weights.

    Takes the same Dataset as the talk picture's left panel, components sorted from the top; attrs ``hidden`` counts the
    components that were left out.
    """
    colours = theme.palette(dark)
    count = data.sizes["component"]
    sizes = data["size"].values
    hue = theme.token_colours(1, dark)[0]
    labels = [_component_label(data, component) for component in range(count)]
    radii = np.clip(5.0 * np.sqrt(sizes), 5.0, 13.0)
    fig = go.Figure()
    drawing = Drawing()
    for upper, lower in zip(data.upper.values.tolist(), data.lower.values.tolist(), strict=True):
        _arc(drawing, int(upper), int(lower), colours.muted)
    fig.add_trace(
        go.Scatter(
            x=[0.0] * count,
            y=list(range(count)),
            mode="markers",
            marker={
                "size": 2 * radii,
                "color": [
                    theme.readable(theme.mix(hue, colours.paper, 0.0 if s > 1 else 0.55), colours.paper, 1.5)
                    for s in sizes
                ],
                "line": {"color": hue, "width": 1.4},
            },
            text=[full for _, full in labels],
            hovertemplate="%{text}<extra></extra>",
            cliponaxis=False,
            name="components",
        )
    )
    words = {"x": 0, "xref": "paper", "showarrow": False}
    levels = [theme.signed(float(level)) for level in data.level.values]
    for row, (short, _) in enumerate(labels):
        font = {"size": theme.TICK_SIZE, "color": colours.ink if sizes[row] > 1 else colours.muted}
        drawing.add_annotation(y=row, text=short, xanchor="left", xshift=22, font=font, **words)
        if row == 0 or levels[row] != levels[row - 1]:
            font = {"size": theme.TICK_SIZE, "color": colours.muted}
            drawing.add_annotation(y=row, text=levels[row], xanchor="right", xshift=-ARC - 16, font=font, **words)
    fig.update_layout(
        xaxis={"visible": False, "range": [0.0, 1.0], "fixedrange": True},
        yaxis={
            "range": [count - 0.4, -0.6],
            "showticklabels": False,
            "showgrid": False,
            "title": {"text": "predicted level z", "standoff": ARC + 64},
        },
        height=count * ROW + 40,
        margin={"t": 12, "b": 28, "l": ARC + 84, "r": 8},
    )
    hidden = int(data.attrs["hidden"])
    if hidden:
        drawing.add_annotation(
            x=0,
            y=0,
            yref="paper",
            yanchor="top",
            yshift=-4,
            xanchor="left",
            xshift=20,
            showarrow=False,
            text=f"and {hidden:,} lower components",
            font={"size": theme.TICK_SIZE, "color": colours.muted},
        )
    drawing.onto(fig)
    alt = (
        f"The top {count} of {count + hidden} components for last token {data.attrs['last_name']}; the highest is "
        f"{', '.join(str(name) for name in data.name.values[data.member.values == 0][:4])}."
    )
    return theme.finish(fig, alt, dark, "condensation_explorer")


def _component_label(data: Dataset, component: int) -> tuple[str, str]:
    inside = np.flatnonzero(data.member.values == component)
    inside = inside[np.argsort(-data.weight.values[inside], kind="stable")]
    names = [theme.escape(str(data.name.values[token])) for token in inside]
    total = int(data["size"].values[component])
    head = f"<b>level {theme.signed(float(data.level.values[component]))}</b>, {total} token{'s' * (total > 1)}<br>"
    if total == 1:
        return names[0], head + names[0]
    weights = [f"{float(data.weight.values[token]):.0%}" for token in inside]
    pairs = [f"{name} {weight}" for name, weight in zip(names, weights, strict=True)]
    shown: list[str] = []
    for pair in pairs:
        if sum(len(p) + 3 for p in [*shown, pair]) > 30 and shown:
            break
        shown.append(pair)
    more = f" +{total - len(shown)}" if total > len(shown) else ""
    rest = f"<br>and {total - 20} more" if total > 20 else ""
    return " · ".join(shown) + more, head + "<br>".join(pairs[:20]) + rest


def _arc(drawing: Drawing, upper: int, lower: int, colour: str) -> None:
    depth = ARC * 4 / 3 * min(1.0, ((abs(lower - upper) + 1) / 14) ** 0.6)
    third = (lower - upper) * 0.3
    path = f"M 0,{upper} C {-depth:.1f},{upper + third} {-depth:.1f},{lower - third} 0,{lower}"
    line = {"width": 1.1, "color": theme.translucent(colour, 0.6)}
    drawing.add_shape(type="path", path=path, xref="paper", xsizemode="pixel", xanchor=0, line=line, layer="below")
