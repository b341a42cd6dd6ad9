"""The gallery's pictures: each room's opening figure in small, drawn from the result of one of its claims."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from widgets.kit.thumbnail import figure_svg

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from theory.core.bench import Result


def _next_token(result: Result, dark: bool) -> go.Figure:
    from theory.next_token import views
    from theory.next_token.structure import solve
    from widgets.next_token import figures as next_token

    shown: Any = result.shown
    solution = solve(shown.problem)
    predictable = solution.connected & ~solution.degenerate
    # The picture with most to tell: every logit predicted, then the most components.
    lasts, parts = np.unique(solution.condensation.column, return_counts=True)
    last = int(max(zip(lasts, parts, strict=True), key=lambda pair: (predictable[pair[0]], pair[1]))[0])
    curves = views.curves(solution, last, shown.raw)
    return next_token.talk_picture(views.anatomy(solution, last, limit=12), curves, dark=dark)


def _ccmc(result: Result, dark: bool) -> go.Figure:
    from theory.ccmc import views
    from widgets.ccmc import figures as ccmc

    shown: Any = result.shown
    structure, growth = views.structure(shown.problem, shown.raw), views.growth(shown.problem, shown.raw)
    return ccmc.talk_picture(structure, growth, dark=dark)


def _distillation(result: Result, dark: bool) -> go.Figure:
    from theory.distillation import views
    from theory.distillation.simulation.learning_curves import fits_of
    from widgets.distillation import figures as distillation

    params: Any = result.params
    problem: Any = result.shown.problem
    curves = views.curves(params, problem, fits_of(params, problem, result.shown.raw))
    return distillation.talk_picture(views.anatomy(params, problem), curves, dark=dark)


def _icl(result: Result, dark: bool) -> go.Figure:
    from theory.icl import views
    from widgets.icl import figures as icl

    params: Any = result.params
    problem: Any = result.shown.problem
    raw: Any = result.shown.raw
    trained = views.judged_layers(params, raw)
    return icl.talk_picture(views.bowl(params, problem, trained), views.risk_curve(params, problem, trained), dark=dark)


PICTURES: dict[str, str] = {
    "next_token": "sharp-logits",
    "ccmc": "k2-phase-diagram",
    "distillation": "omniscient-risk",
    "icl": "icl-pgd-equivalence",
}
"""The claim whose measurement is in each room's picture."""
_BUILDERS: dict[str, Callable[[Result, bool], go.Figure]] = {
    "next_token": _next_token,
    "ccmc": _ccmc,
    "distillation": _distillation,
    "icl": _icl,
}


def thumbnail(room_id: str, result: Result, *, dark: bool) -> str:
    """A room's opening figure in small, as SVG: predicted lines and the points measured for ``result``."""
    from widgets.kit import theme

    fig = _BUILDERS[room_id](result, dark)
    return figure_svg(fig, theme.figure_text(fig))
