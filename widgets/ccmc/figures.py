"""Figures of the room ``ccmc``: a small labelled Dataset of :mod:`theory.ccmc.views` in, a figure out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from widgets.ccmc.coverage import coverage_graphs
from widgets.ccmc.cures import cures
from widgets.ccmc.growth import draw_growth
from widgets.ccmc.learning import learning_error, winner_probability
from widgets.ccmc.phases import draw_phases, draw_winner_sets, phases_alt, sets_alt
from widgets.ccmc.simplex import draw_simplex, simplex, simplex_alt
from widgets.ccmc.text import generated_text
from widgets.ccmc.transitions import transition_exponents
from widgets.kit import theme
from widgets.kit.drawing import Drawing

if TYPE_CHECKING:
    from xarray import Dataset

    from theory.core.bench import Result

__all__ = [
    "coverage_graphs",
    "cures",
    "generated_text",
    "learning_error",
    "simplex",
    "talk_picture",
    "transition_exponents",
    "winner_probability",
]

PICTURED = "k2-phase-diagram"
"""The claim whose measurement is in the gallery's picture."""

_STRUCTURES = {
    "phases": (draw_phases, phases_alt),
    "flow": (draw_simplex, simplex_alt),
    "winner_sets": (draw_winner_sets, sets_alt),
}
"""How each kind of left panel is drawn and told; Datasets name their kind in the attribute ``kind``."""


_WIDTHS = {"phases": 0.36, "flow": 0.38, "winner_sets": 0.32}
"""Share of the width that each kind takes; words beside the bars of winner sets stick out."""


def talk_picture(structure: Dataset, growth: Dataset, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """The finding in one picture: what can win, beside the share of each token as the model feeds on its output.

    Left: the phase diagram (two tokens), the simplex with its basins (three), or the list of winner sets. Right: thin
    lines are simulated runs, dashed lines have the predicted slopes. ``growth`` without ``share`` draws the theory
    alone. ``narrow`` stacks the panels.

    Args:
        structure: :func:`theory.ccmc.views.structure`.
        growth: :func:`theory.ccmc.views.growth`.
    """
    kind = str(structure.attrs["kind"])
    draw, tell = _STRUCTURES[kind]
    framed = kind == "phases"
    drawing = Drawing()
    draw(drawing, structure, dark)
    reach = draw_growth(drawing, growth, dark, axis="2")
    drawing.update_layout(
        # Automatic margins would lay the figure out twice on every slider move.
        xaxis={"domain": [0.0, _WIDTHS[kind]], "automargin": False},
        yaxis={"automargin": False},
        xaxis2={"domain": [0.46 if framed else 0.48, 1.0], "anchor": "y2", "automargin": False},
        yaxis2={"anchor": "x2", "automargin": False},
        margin={
            "r": min(max(reach, 24.0), 120.0) + 16,
            "t": theme.TOP,
            "b": theme.BOTTOM + 4,
            "l": 68 if framed or narrow else 18,
        },
    )
    alt = f"{tell(structure)} {growth_alt(growth)}"
    return drawing.figure(alt, dark, f"talk_picture {kind}", stacked=narrow, live=True)


def growth_alt(growth: Dataset) -> str:
    """The text alternative of the shares: who won in how many runs, and how fast the others fall back."""
    names = [str(name) for name in growth.name.values]
    sets = [", ".join(names[token] for token in np.flatnonzero(row)) for row in growth.member.values]
    if "share" not in growth:
        return f"Predicted shares of {len(names)} tokens up to {growth.time.values[-1]:.3g} tokens."
    winner = growth.winner.values
    counted = [f"{sets[which]} in {int((winner == which).sum())}" for which in np.unique(winner[winner >= 0])]
    told = f" Winners among {len(winner)} simulated runs: {', '.join(counted)}." if counted else ""
    return f"Shares of {len(names)} tokens in simulated runs of {growth.time.values[-1]:.3g} tokens.{told}"


def picture(result: Result, dark: bool) -> go.Figure:
    """The opening picture of a checked claim, for the gallery: predicted lines and the points measured for it."""
    from theory.ccmc import views

    shown: Any = result.shown
    structure, growth = views.structure(shown.problem, shown.raw), views.growth(shown.problem, shown.raw)
    return talk_picture(structure, growth, dark=dark)
