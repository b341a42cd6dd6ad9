"""Figures of the section *Test* of the room ``icl``, see :mod:`theory.icl.views.tests`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from widgets.icl.curves import Line, Points, draw_panel, one_panel, side_by_side, write
from widgets.kit import theme
from widgets.kit.drawing import Drawing

if TYPE_CHECKING:
    from xarray import Dataset

HUES = (theme.GREY, theme.BLUE, theme.GREEN, theme.VERMILION, theme.PURPLE)
ROUNDING = 1e-12


def retrieval(data: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Risk against n, one colour per alignment: exact, approximation (dashed), trained layers, crossover, floor."""
    drawing = Drawing()
    n, lines, found = data.n.values, list[Line](), list[Points]()
    for row, alpha in enumerate(data.alignment.values):
        hue = HUES[row]
        lines.append(Line(n, data.exact.values[row], hue, f"α = {alpha:g}", f"α = {alpha:g}, exact"))
        if alpha:
            lines.append(Line(n, data.approximation.values[row], hue, "", f"α = {alpha:g}, approximation", "dash"))
        if "trained_risk" in data:
            chosen = data.trained_alignment.values == alpha
            values = (getattr(data, f"trained_{name}").values[chosen] for name in ("n", "risk", "standard_error"))
            x, y, error = values
            found.append(Points(x, y, hue, f"α = {alpha:g}, trained layers", error))
    reach = draw_panel(drawing, "", lines, found, ("context length n", "risk"), dark, log=(True, True))
    for row, alpha in enumerate(data.alignment.values):
        crossing = float(data.crossover.values[row])
        if np.isfinite(crossing) and crossing <= n[-1]:
            risk = float(np.interp(np.log(crossing), np.log(n), data.exact.values[row]))
            drawing.add_scatter(
                x=[crossing],
                y=[risk],
                mode="markers",
                marker={"symbol": "triangle-up", "size": 12, "color": HUES[row]},
                name=f"α = {alpha:g}, crossover",
                hovertemplate="beyond n = %{x:.1f} retrieval hurts<extra></extra>",
            )
        floor = float(data.floor.values[row])
        if alpha and np.isfinite(floor):
            drawing.add_scatter(
                x=[float(n[-1]) * 0.25, float(n[-1])],
                y=[floor, floor],
                mode="lines",
                line={"width": 1.2, "dash": "dot", "color": HUES[row]},
                name=f"α = {alpha:g}, floor",
                hovertemplate="floor %{y:.4g}<extra></extra>",
            )
    one_panel(drawing, reach)
    known = data.crossover.values[np.isfinite(data.crossover.values)]
    said = f" Retrieval hurts beyond {', '.join(f'{value:.1f}' for value in known)} examples." if known.size else ""
    return drawing.figure(f"Risk against context length for four alignments.{said}", dark, "retrieval")


def softmax(data: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Linear attention's best risk against the alignment, and trained softmax layers."""
    drawing = Drawing()
    line = Line(data.alignment.values, data.exact.values, theme.BLUE, "linear (theory)", "linear attention, best")
    found: list[Points] = []
    if "trained_risk" in data:
        layers = (data.trained_alignment.values, data.trained_risk.values, theme.VERMILION, "softmax (trained layers)")
        found.append(Points(*layers, data.trained_standard_error.values))
    top = max(float(data.exact.max()), float(data.trained_risk.max()) if found else 0.0)
    titles = ("alignment α", "risk")
    reach = draw_panel(drawing, "", [line], found, titles, dark, log=(False, False), span=(0.0, 1.1 * top))
    one_panel(drawing, reach)
    alt = f"Risk of softmax and of the best linear attention against the alignment, at n = {data.attrs['n']}."
    return drawing.figure(alt, dark, "softmax")


def descent(data: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Distance to the best weights along single directions, and how the bowl narrows with the length of the prompt."""
    drawing = Drawing()
    lines, found, ends = list[Line](), list[Points](), list[tuple[float, float, str, str]]()
    t = data.t.values
    for row, direction in enumerate(data.direction.values):
        error, walked = data.error.values[row], data.walked.values[row]
        # Below ROUNDING both are rounding errors.
        told = int((error > ROUNDING).sum())
        shown = np.unique(np.linspace(0, told - 1, min(told, 13)).round().astype(int))
        lines.append(Line(t[:told], error[:told], HUES[row], "", f"direction {direction}, closed form"))
        found.append(Points(t[shown], walked[shown], HUES[row], f"direction {direction}, step by step"))
        ends.append((float(t[told - 1]), float(error[told - 1]), f" {direction}", "top right"))
    draw_panel(drawing, "", lines, found, ("step", "distance to the best weight"), dark, log=(False, True))
    write(drawing, ends, list(HUES[: len(ends)]), dark)
    condition = Line(data.n.values, data.condition.values, theme.BLUE, "", "condition number")
    here = Points(np.array([data.attrs["n"]]), np.array([float(data.here)]), theme.VERMILION, "here", symbol="diamond")
    reach = draw_panel(drawing, "2", [condition], [here], ("context length n", "condition number"), dark)
    side_by_side(drawing, narrow, (40.0, reach), share=0.42)
    alt = f"Gradient descent at step {data.attrs['step_size']:g} of the limit; condition number {float(data.here):.3g}."
    return drawing.figure(alt, dark, "descent")


def staircase(data: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Risk along descent over factors with its plateaus, and singular values with their targets."""
    drawing, colours = Drawing(), theme.palette(dark)
    t = data.t.values + 1.0
    lines = [
        Line(t, risks, HUES[1 + seed], "", f"descent from start {seed + 1}")
        for seed, risks in enumerate(data.risk.values)
    ]
    plateau = [
        Line(t[[0, -1]], np.full(2, level), colours.muted, f"rank {rank}", f"plateau of rank {rank}", "dot")
        for rank, level in enumerate(data.plateau.values)
    ]
    reach = draw_panel(drawing, "", [*plateau, *lines], [], ("step", "risk"), dark)
    record = data.record.values + 1.0
    strengths = [
        Line(record, values, HUES[row % len(HUES)], "", f"singular value {row + 1}")
        for row, values in enumerate(data.strength.values.T)
    ]
    levels = [
        Line(record[[0, -1]], np.full(2, level), HUES[row % len(HUES)], "", f"target {row + 1}", "dot")
        for row, level in enumerate(np.sort(data.target.values)[::-1])
    ]
    draw_panel(drawing, "2", [*levels, *strengths], [], ("step", "singular values of n W"), dark)
    for axis in ("xaxis", "xaxis2"):
        drawing.update_layout(**{axis: {"tickvals": [1, 10, 100, 1000, 10_000]}})
    side_by_side(drawing, narrow, (reach, 20.0), share=0.4)
    alt = f"Descent over factors, with plateaus at {', '.join(f'{level:.3g}' for level in data.plateau.values[:6])}."
    return drawing.figure(alt, dark, "staircase")


def length(data: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Risk at other lengths than in training, raw and divided by the actual length."""
    drawing, colours = Drawing(), theme.palette(dark)
    hues = (theme.VERMILION, theme.BLUE, theme.GREY)
    modes = [str(mode) for mode in data["mode"].values]
    lines = [
        Line(data.n.values, data.risk.values[row], hues[row], mode, f"{mode} (theory)", "dash" if row == 2 else "solid")
        for row, mode in enumerate(modes)
    ]
    found: list[Points] = []
    if "trained_risk" in data:
        for row in range(2):
            x = np.repeat(data.test_length.values, data.sizes["model"])
            y, error = data.trained_risk.values[row].ravel(), data.trained_error.values[row].ravel()
            found.append(Points(x, y, hues[row], f"{modes[row]} (trained layers)", error))
    reach = draw_panel(drawing, "", lines, found, ("context length at test time", "risk"), dark, log=(True, True))
    for value, name in ((data.attrs["trained_at"], "trained"), (data.attrs["n_test"], "n'")):
        drawing.add_shape(
            type="line",
            xref="x",
            yref="paper",
            x0=value,
            x1=value,
            y0=0,
            y1=1,
            line={"width": 1.2, "dash": "dot", "color": colours.muted},
        )
        drawing.add_annotation(
            x=float(np.log10(value)),
            y=1.0,
            xref="x",
            yref="paper",
            yanchor="bottom",
            showarrow=False,
            text=name,
            font={"size": theme.SMALL_SIZE, "color": colours.muted},
        )
    one_panel(drawing, reach)
    alt = f"Trained at {data.attrs['trained_at']} examples, asked with up to {float(data.n[-1]):.0f}."
    return drawing.figure(alt, dark, "length")
