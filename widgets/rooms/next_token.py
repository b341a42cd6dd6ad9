"""The page of the room ``next_token``: its runs and figures, each with the numbers behind it, ready to be laid out."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import marimo as mo
import numpy as np
from xarray import Dataset

from theory import catalog
from theory.bench import check_claim
from theory.errors import BenchError
from theory.next_token import views
from theory.next_token.experiments import initial_logits
from theory.next_token.prompts import Prompts
from theory.next_token.rows import curvature_bound
from theory.next_token.structure import solve
from theory.vocabulary import Claim, Room, Stop
from widgets import controls, panel, theme
from widgets import next_token as figures
from widgets.export import Upload

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
SEEDS = 8
HEIGHT = 414
"""Pixels of a figure, for the place that it takes before it is there."""
LEVELS_SHOWN = 14
ATTENTION_STEPS = 1000
"""Steps of the real attention layer that is trained beside the logits: enough to see that they agree."""


@dataclass(frozen=True)
class Screen:
    """What the visitor's address says about the screen."""

    dark: bool = False
    narrow: bool = False

    @staticmethod
    def of(query: Mapping[str, Any]) -> Screen:
        """Read the keys ``theme`` and ``layout``."""
        return Screen(query.get("theme") == "dark", query.get("layout") == "narrow")


@dataclass(frozen=True)
class Shown:
    """A figure on the page: how to build it (dark, narrow), the numbers that it shows, and what to say below it."""

    name: str
    build: Callable[[bool, bool], Any]
    data: Mapping[str, Dataset]
    caption: str
    html: str = ""
    upload: Upload | None = None


def show(
    name: str,
    build: Callable[[bool, bool], Any],
    data: Mapping[str, Dataset],
    caption: str,
    screen: Screen,
    upload: Upload | None = None,
) -> Shown:
    """Build a figure for the visitor's screen; ``upload`` is the person's own file that it shows."""
    fig = build(screen.dark, screen.narrow)
    below = f'<p class="bench-caption">{html.escape(caption)}</p>' if caption else ""
    return Shown(name, build, data, caption, panel.figure(fig, theme.figure_text(fig)) + below, upload)


def start(room: Room, point: controls.Point) -> dict[str, Any]:
    """What the page remembers between moves: the problem found last, and the claim with its assumptions."""
    kept: dict[str, Any] = {}
    claim = controls.claim_of(room, point.claim)
    params, problem, _ = draw(room, controls.settle(room, point, {})[0], kept)
    return kept | {"claimed": (claim, claim.assumptions(params, problem))}


def draw(room: Room, params: Any, kept: dict[str, Any]) -> tuple[Any, Prompts, tuple[str, ...]]:
    """Parameters, their problem, and what to say about it.

    Parameters that give no problem leave the page as it was: ``kept`` remembers the last that did.
    """
    said: tuple[str, ...] = ()
    try:
        kept["found"] = params, room.draw(catalog.validated(room, params), params.data_seed)
    except BenchError as error:
        said = (str(error),)
    if "found" not in kept:
        plain: Any = catalog.parameters(catalog.claim(HOME))
        kept["found"] = plain, room.draw(plain, plain.data_seed)
    return *kept["found"], said


def key_of(claim: Claim, params: Any, problem: Prompts) -> str:
    """What a run belongs to: results of another claim, other parameters or other data are not shown."""
    said = json.dumps([claim.id, params.model_dump(), problem.fingerprint], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()


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


def real_layer(params: Any, problem: Prompts, stop: Stop) -> Any:
    """The real attention layer trained on the problem, for at most ATTENTION_STEPS steps; None when it diverges."""
    from theory.next_token.attention import train_attention

    steps = min(params.steps, ATTENTION_STEPS)
    optimizer = "normalised" if params.optimizer == "normalised" else "plain"
    marks = np.unique(np.geomspace(1, steps, 10).round().astype(np.int64))
    [run] = train_attention([problem], steps, params.learning_rate, optimizer=optimizer, checkpoints=marks, stop=stop)
    return run if len(run.steps) else None


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


def talk(problem: Prompts, last: int, params: Any, run: panel.Run, screen: Screen) -> Shown:
    """The talk picture: the condensation beside the logits, measured ones on their predicted asymptotes."""
    solution = solve(problem)
    anatomy = views.anatomy(solution, last, limit=LEVELS_SHOWN)
    until = float(np.log(params.steps * params.learning_rate / curvature_bound(problem)))
    raw = run.raw if run.raw is not None and "log_time" in run.raw else None
    curves = views.curves(solution, last, raw, until, initial_logits(params, problem))
    attention = run.extra

    def build(dark: bool, narrow: bool) -> Any:
        fig = figures.talk_picture(anatomy, curves, dark=dark, narrow=narrow)
        return fig if attention is None else _with_attention(fig, attention, curves, dark)

    caption = "Dashed: known before training. Points: trained logits"
    caption += ", crosses: the real attention layer." if attention is not None else "."
    if curves.attrs["anchored"]:
        caption += " Here the theory fixes slopes, not heights: lines are moved to the last point."
    return show("talk_picture", build, {"anatomy": anatomy, "curves": curves}, caption, screen)


def _with_attention(fig: Any, attention: Any, curves: Dataset, dark: bool) -> Any:
    """Add the logits of the real attention layer as crosses on the same axes."""
    tokens = [int(token) for token in curves.token.values]
    time = np.log(attention.eta * attention.steps)
    values = attention.logits[:, tokens, int(curves.attrs["last"])]
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
