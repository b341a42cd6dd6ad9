"""The page of the room ``next_token``: what it measures, and its opening picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import marimo as mo
import numpy as np
from xarray import Dataset

from theory.core import catalog
from theory.core.bench import check_claim
from theory.core.runs import fetch
from theory.core.vocabulary import Claim, Replicate, Stop
from theory.next_token import views
from theory.next_token.experiments.descent import initial_logits
from theory.next_token.experiments.shown import attention
from theory.next_token.problem import Prompts
from theory.next_token.schedule import curvature_bound
from theory.next_token.structure import solve
from widgets.kit import panel, theme
from widgets.kit.page import SEEDS, Now, Page, Rested, Screen, Shown, show
from widgets.next_token import figures, prose

HOME = "sharp-logits"
"""The claim of a bare address: its training run is what the talk picture shows."""
SLIDERS = (
    "vocab_size",
    "n_sequences",
    "prompt_length",
    "label_flip_probability",
    "contradictions",
    "n_last",
    "steps",
    "data_seed",
)
LEVELS_SHOWN = 14


def job(claim: Claim, params: Any, problem: Prompts) -> panel.Job:
    """Measure: the shown problem first, then the claim on all its instances, then the real attention layer."""

    def work(report: panel.Report, stop: Stop) -> None:
        trained = check_claim(
            catalog.claim(HOME),
            params,
            1,
            problem=problem,
            rivals=False,
            emit=lambda fraction, raw: report(0.3 * fraction, **({} if raw is None else {"raw": raw})),
            stop=stop,
        )
        report(0.3, raw=trained.shown.raw)
        result = check_claim(claim, params, SEEDS, emit=lambda fraction, _: report(0.3 + 0.6 * fraction), stop=stop)
        report(0.9, result=result)
        report(1.0, extra=real_layer(params, problem, stop))

    return work


PAGE = Page("next_token", HOME, prose.LEAD, SLIDERS, job)


def real_layer(params: Any, problem: Prompts, stop: Stop) -> Dataset | None:
    """The real attention layer trained on the problem; None when it diverges."""
    [run], _ = fetch(attention, params, [Replicate(problem, 0)], stop=stop)
    return run if run.sizes["step"] else None


def last_of(problem: Prompts, last: int | None) -> int:
    """The last token to show: the visitor's choice where prompts end with it, else the first that there is."""
    return last if last is not None and (problem.last == last).any() else int(problem.last.min())


def last_picker(problem: Prompts, last: int | None, choose: Callable[[int], None]) -> Any:
    """A choice among the last tokens that occur in the data."""
    columns = [int(k) for k in np.unique(problem.last)]
    options = {problem.name(k): k for k in columns}
    chosen = last_of(problem, last)
    label = "Prompts that end with"
    if len(columns) <= 8:
        return mo.ui.radio(options, value=problem.name(chosen), inline=True, label=label, on_change=choose)
    return mo.ui.dropdown(options, value=problem.name(chosen), label=label, on_change=choose)


def talk(now: Now | Rested, run: panel.Run, screen: Screen, last: int | None = None) -> Shown:
    """The talk picture of one last token: the condensation beside the logits, measured on predicted asymptotes."""
    params, problem = now.params, now.problem
    last = last_of(problem, None) if last is None else last
    solution = solve(problem)
    anatomy = views.anatomy(solution, last, limit=LEVELS_SHOWN)
    until = float(np.log(params.steps * params.learning_rate / curvature_bound(problem)))
    raw = run.raw if run.raw is not None and "log_time" in run.raw else None
    curves = views.curves(solution, last, raw, until, initial_logits(params, problem))
    layer = run.extra

    def build(dark: bool, narrow: bool) -> Any:
        fig = figures.talk_picture(anatomy, curves, dark=dark, narrow=narrow)
        return fig if layer is None else _with_attention(fig, layer, curves, dark)

    caption = "Dashed: known before training. Points: trained logits"
    if not solution.feasible:
        caption = "No matrix meets all margins in so few dimensions: nothing is predicted. Points: trained logits"
    caption += ", crosses: the real attention layer." if layer is not None else "."
    if curves.attrs["anchored"]:
        caption += " Here the theory fixes slopes, not heights: lines are moved to the last point."
    return show("talk_picture", build, {"anatomy": anatomy, "curves": curves}, caption, screen, judged=True)


def _with_attention(fig: Any, layer: Dataset, curves: Dataset, dark: bool) -> Any:
    """Add the logits of the real attention layer as crosses on the same axes."""
    tokens = [int(token) for token in curves.token.values]
    time = np.log(layer.attrs["step_size"] * layer.step.values)
    values = layer.logits.values[:, tokens, int(curves.attrs["last"])]
    fig.add_scatter(
        x=np.repeat(time, len(tokens)),
        y=values.ravel(),
        mode="markers",
        marker={"symbol": "x-thin", "size": 5, "line": {"width": 1.1, "color": theme.palette(dark).ink}},
        text=np.tile([str(name) for name in curves.name.values], len(time)),
        hovertemplate="<b>%{text}</b>: %{y:.4f}<br>real attention layer<extra></extra>",
        name="attention layer",
        xaxis="x2",
        yaxis="y2",
    )
    return fig
