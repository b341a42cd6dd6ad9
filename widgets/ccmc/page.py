"""The page of the room ``ccmc``: what it measures, its opening picture, the matrix editor and the generated text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import marimo as mo
import numpy as np
from xarray import Dataset

from theory.ccmc import views
from theory.ccmc.claims.assumptions import plain_generation
from theory.ccmc.experiments.shown import layer_texts, shown_texts
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain
from theory.core.bench import check_claim
from theory.core.errors import BenchError, Cancelled
from theory.core.runs import fetch
from theory.core.store import Store
from theory.core.vocabulary import Claim, Experiment, Replicate, Stop
from widgets.ccmc import figures, prose
from widgets.ccmc.growth import token_hues
from widgets.ccmc.simplex_rows import SimplexRows
from widgets.kit import controls, panel
from widgets.kit.page import SEEDS, Now, Page, Rested, Screen, Shown, show

HOME = "winner-sets"
OPENING = "echo_or_rally"
SLIDERS = (
    "chain",
    "vocab_size",
    "odds_first",
    "odds_second",
    "top_probability",
    "stay",
    "advance",
    "count_first",
    "count_others",
    "n_tokens",
    "output_temperature",
    "data_seed",
)
EDITED = 12
"""Largest vocabulary whose matrix is shown as an editor."""
FROM_A_MATRIX = ("prompt", "initial_counts", "initial_shares", "token_names")
"""Arrays whose length is that of a given matrix: they go with it."""
CURES: dict[str, tuple[str, dict[str, float | int]]] = {
    "output": ("Output temperature 2", {"output_temperature": 2.0}),
    "attention": ("Attention temperature 2", {"attention_temperature": 2.0}),
    "cap": ("Count no token more than 5 times", {"count_cap": 5}),
    "window": ("See the last 10 tokens only", {"window": 10}),
    "recency": ("Recent tokens weigh more", {"recency_exponent": 0.8}),
}
"""Switches beside the generated text: label and what they set."""


def job(claim: Claim, params: Any, problem: Chain) -> panel.Job:
    """Measure: texts from the shown chain first, then texts of the real attention layer, then the claim."""

    def work(report: panel.Report, stop: Stop) -> None:
        report(0.3, raw=found_in(shown_texts, params, problem, stop))
        report(0.4, extra=real_layer(params, problem, stop))
        result = check_claim(claim, params, SEEDS, emit=lambda fraction, _: report(0.4 + 0.6 * fraction), stop=stop)
        report(1.0, result=result)

    return work


PAGE = Page("ccmc", HOME, prose.LEAD, SLIDERS, job, OPENING)


def found_in(
    experiment: Experiment[Params, Chain], params: Params, problem: Chain, stop: Stop, store: Store | None = None
) -> Dataset:
    """What an experiment finds on the shown problem."""
    return fetch(experiment, params, [Replicate(problem, params.data_seed)], store=store, stop=stop)[0][0]


def real_layer(params: Params, problem: Chain, stop: Stop) -> Dataset | None:
    """Texts of an attention layer trained; None where generation is not plain, or no layer can be trained."""
    if not plain_generation(params).holds:
        return None
    try:
        return found_in(layer_texts, params, problem, stop)
    except Cancelled:
        raise
    except BenchError:
        return None


def talk(now: Now | Rested, run: panel.Run, screen: Screen) -> Shown:
    """The opening picture: what can win, beside the shares in many generated texts on their predicted slopes."""
    params, problem = now.params, now.problem
    plain = plain_generation(params).holds
    structure = views.structure(problem, run.raw)
    growth = views.growth(problem, run.raw, until=float(params.n_tokens), plain=plain)
    layer: Dataset | None = run.extra

    def build(dark: bool, narrow: bool) -> Any:
        fig = figures.talk_picture(structure, growth, dark=dark, narrow=narrow)
        return fig if layer is None else _with_layer(fig, layer, problem, dark)

    caption = "Dashed: the predicted slopes. Thin lines: generated texts"
    caption += (
        f"; crosses: {layer.sizes['replicate']} texts of an attention layer trained on {problem.n_samples:,} prompts."
        if layer is not None
        else "."
    )
    if run.raw is not None and plain and run.raw.time.values[-1] < params.n_tokens:
        caption += f" Texts end at {run.raw.time.values[-1]:,.0f} tokens: longer ones take too long to wait for."
    if not plain:
        caption += " A cure is on: the slopes of the plain process do not apply, and none is drawn."
    return show("talk_picture", build, {"structure": structure, "growth": growth}, caption, screen, judged=True)


def _with_layer(fig: Any, layer: Dataset, problem: Chain, dark: bool) -> Any:
    """Add the shares in the real layer's texts as crosses on the axes of the shares."""
    shares = views.all_shares(layer)
    runs, marks, size = shares.shape
    hues = token_hues(size, dark)
    fig.add_scatter(
        x=np.tile(np.repeat(layer["time"].values, size), runs),
        y=np.where(shares > 0, shares, np.nan).ravel(),
        mode="markers",
        marker={"symbol": "x-thin", "size": 6, "line": {"width": 1.6, "color": hues * (marks * runs)}},
        text=[problem.name(token) for token in range(size)] * (marks * runs),
        hovertemplate="<b>%{text}</b>: %{y:.2%} after %{x:,} tokens<br>trained attention layer<extra></extra>",
        name="attention layer",
        xaxis="x2",
        yaxis="y2",
    )
    return fig


def editor(point: controls.Point) -> Any:
    """The matrix editor, which shows a given matrix as edited."""
    given = controls.settle(PAGE.room, point, {})[0].transition
    rows = SimplexRows(edited=[list(row) for row in given] if given and len(given) <= EDITED else [])
    rows.given = given
    return mo.ui.anywidget(rows)


def editor_part(edit: Any) -> str:
    """The editor as it stands above the sliders."""
    hint = "drag a border, or move it with the arrow keys"
    return (
        f'<div class="bench-editor" title="{hint}"><span class="bench-label">P, a row per last token</span>{edit}</div>'
    )


def moved(sliders: Mapping[str, object], edit: Any) -> dict[str, object]:
    """What the controls say together: an edited matrix goes before the sliders that describe one."""
    rows: SimplexRows = edit.widget
    _ = edit.value
    if rows.given is not None and len(rows.given) > EDITED:
        return dict(sliders)
    values = {**sliders, "transition": rows.matrix}
    if rows.given is not None and rows.matrix is None:
        values |= dict.fromkeys(FROM_A_MATRIX)
    return values


def follow(edit: Any, now: Now, screen: Screen) -> None:
    """Show the chain of the page in the editor."""
    problem: Chain = now.problem
    size = problem.vocab_size
    names = [problem.name(token) for token in range(size)]
    shown = problem.transition if size <= EDITED else np.zeros((0, 0))
    edit.widget.follow(shown, names, token_hues(size, screen.dark))


def switches() -> Any:
    """One switch per cure."""
    return mo.ui.dictionary({name: mo.ui.switch(label=label) for name, (label, _) in CURES.items()})


def text_card(rested: Rested, chosen: Any, screen: Screen) -> Any:
    """Text as it is generated, plain and with the cures that are switched on."""
    on = [name for name, value in chosen.value.items() if value]
    options: dict[str, Any] = {}
    for name in on:
        options |= CURES[name][1]
    variants: dict[str, dict[str, Any]] = {"The plain model": {}}
    if on:
        variants[" · ".join(CURES[name][0] for name in on)] = options
    try:
        data = views.generated_text(rested.problem, variants, seed=rested.params.data_seed)
        body = figures.generated_text(data, dark=screen.dark, narrow=screen.narrow)
    except BenchError as error:
        body = panel.sentence(str(error))
    menu = "".join(f'<div class="bench-control">{switch}</div>' for switch in chosen.elements.values())
    return panel.card(
        panel.heading(3, "What it writes"),
        panel.sentence(prose.TEXT),
        f'<div class="bench-grid bench-own"><div class="bench-controls">{menu}</div><div>{body}</div></div>',
    )
