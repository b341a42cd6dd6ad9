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
from theory.claim import Claim, Room, Stop
from theory.errors import BenchError
from theory.next_token import surveys, trends, views
from theory.next_token.contradiction import effect_of_removal, shortest_contradictions
from theory.next_token.descent import descend
from theory.next_token.experiments import initial_logits
from theory.next_token.graph import priority_structure
from theory.next_token.graph_export import condensation_graph, to_graphml, to_json
from theory.next_token.model import head_of, weights_of, weights_to_safetensors
from theory.next_token.prompts import Prompts
from theory.next_token.rows import curvature_bound
from theory.next_token.structure import solve
from theory.report import reproduce_command
from widgets import next_token as figures
from widgets import panel, theme
from widgets.export import Upload, export_zip

HOME = "sharp-logits"
"""The claim of a bare address: its training run is what the talk picture shows."""
OPENING = {"data_seed": 21}
"""Where a bare address leads: an instance inside the assumptions whose two last tokens both have a contradiction."""
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
PHASE_SEEDS = 200
HEIGHT = 414
"""Pixels of a figure, for the place that it takes before it is there."""
LEVELS_SHOWN = 14
CYCLES_SHOWN = 4
JUDGED = ("talk_picture", "correlation", "finite_part", "loss_gap", "extraction", "playground")
"""Figures of the run that the verdict is about; the others belong to no check."""
DENSE_NAMES = 500
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
    name: str, build: Callable[[bool, bool], Any], data: Mapping[str, Dataset], caption: str, screen: Screen
) -> Shown:
    """Build a figure for the visitor's screen."""
    fig = build(screen.dark, screen.narrow)
    below = f'<p class="bench-caption">{html.escape(caption)}</p>' if caption else ""
    return Shown(name, build, data, caption, panel.figure(fig, theme.figure_text(fig)) + below)


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


def last_picker(problem: Prompts, last: int | None, choose: Callable[[int], None]) -> Any:
    """A choice among the last tokens that occur in the data."""
    columns = [int(k) for k in np.unique(problem.last)]
    options = {problem.name(k): k for k in columns}
    chosen = last if last in columns else columns[0]
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
        marker={"symbol": "x-thin", "size": 7, "line": {"width": 1.4, "color": theme.palette(dark).ink}},
        text=np.tile([str(name) for name in curves.name.values], len(time)),
        hovertemplate="<b>%{text}</b>: %{y:.4f}<br>real attention layer<extra></extra>",
        name="attention layer",
        xaxis="x2",
        yaxis="y2",
    )
    return fig


TESTS = {
    "Direction": "correlation",
    "Finite part": "finite_part",
    "Loss gap": "loss_gap",
    "Reading the automaton": "extraction",
}
_CAPTIONS = {
    "correlation": "1 - cosine between the trained weights and the Graph-SVM direction over the data sets of this run "
    "(mean and 10-90 % band); dashed is the predicted value at finite time, not the limit.",
    "finite_part": "Left: the distance of the finite part from its limit falls like 1/(ηt). Right: the norm over its "
    "leading term creeps towards 1, as slowly as predicted. Normalised descent keeps a floor of the step size instead.",
    "loss_gap": "ηt (L − L*) settles on the squared norm of the Graph-SVM solution: one number, no tuning.",
    "extraction": "Slopes of the trained logits between two checkpoints, thresholded at 1/2, give back the order; a "
    "cross marks a pair that was read wrongly.",
}


def test_figure(which: str, problem: Prompts, last: int, run: panel.Run, screen: Screen) -> Shown | str:
    """One of the figures of the section *Test*, or a sentence in its place."""
    if run.raw is None or "log_time" not in run.raw or run.raw.sizes["step"] < 3:
        return panel.skeleton(HEIGHT) if run.state in ("waiting", "running") else panel.sentence(run.message)
    problems, raws = [problem], [run.raw]
    if run.result is not None:
        found = [
            (instance.problem, instance.raw)
            for instance in run.result.instances
            if instance.raw is not None and {"logits", "log_time"} <= set(instance.raw.variables)
        ]
        if found and "seed" not in found[0][1].dims:
            problems, raws = map(list, zip(*found, strict=True))
    try:
        if which == "extraction":
            data = views.extraction(solve(problem), last, run.raw)
            return show(
                which,
                lambda d, n: figures.extraction_heatmap(data, dark=d, narrow=n),
                {which: data},
                _CAPTIONS[which],
                screen,
            )
        data = getattr(trends, which)([solve(item) for item in problems], raws)
    except BenchError as error:
        return panel.sentence(str(error))
    draws = {"correlation": figures.correlation, "finite_part": figures.finite_part, "loss_gap": figures.loss_gap}
    stacks = which == "finite_part"
    return show(
        which,
        lambda d, n: draws[which](data, dark=d, **({"narrow": n} if stacks else {})),
        {which: data},
        _CAPTIONS[which],
        screen,
    )


def phase_map(params: Any, screen: Screen) -> Shown:
    """When random data contradict themselves, at the page's vocabulary and prompt length."""
    data = surveys.phase_map(params.vocab_size, params.prompt_length, seeds=PHASE_SEEDS)
    caption = f"{PHASE_SEEDS} random data sets per cell, one last token; the 95 % interval is in the hover text."
    return show(
        "phase_map", lambda d, n: figures.phase_map(data, dark=d, narrow=n), {"phase_map": data}, caption, screen
    )


def contradictions(problem: Prompts, last: int) -> str:
    """For each component the shortest contradictory evidence as prompts, and what removing each prompt would change."""
    structure = priority_structure(problem)
    found = shortest_contradictions(problem, structure, last)
    if not found:
        return panel.sentence("No contradiction under this last token: every component is a single token.")
    floor = solve(problem).irreducible_loss
    rows: list[list[str]] = []
    for contradiction in found[:CYCLES_SHOWN]:
        for row in contradiction.rows:
            words = " ".join(problem.name(int(token)) for token in problem.sequence(row))
            after = effect_of_removal(problem, row, floor)
            change = "0: the last contradiction goes" if after.loss_after == 0 else f"{after.loss_after:.4f}"
            rows.append([f"{row}", f"{words} → {problem.name(int(problem.labels[row]))}", change])
    head = ("row", "prompt → label", f"loss floor without it (now {floor:.4f})")
    more = f" The first {CYCLES_SHOWN} of {len(found)} components." if len(found) > CYCLES_SHOWN else ""
    return panel.table(head, rows) + panel.sentence(
        "Each prompt's label had priority over the label of the next; together they close a cycle." + more
    )


def equality(problem: Prompts, run: panel.Run) -> str:
    """The live cell of *Why*: the same steps taken by the real attention layer and in logit space, compared."""
    if run.extra is None:
        return panel.sentence(run.message or "The real attention layer is being trained …")
    attention = run.extra
    steps = int(attention.steps[-1])
    [logit] = descend([problem], steps, learning_rate=attention.eta * curvature_bound(problem), checkpoints=[steps])
    difference = float(np.abs(attention.logits[-1] - logit.logits[-1]).max())
    size = float(np.abs(attention.logits[-1]).max())
    return panel.stats(
        {
            "autograd steps through X softmax(XWe)": f"{steps:,}",
            "largest logit": f"{size:.3f}",
            "largest difference from logit space": f"{difference:.1e}",
        }
    )


def weights_file(problem: Prompts, params: Any, run: panel.Run) -> bytes:
    """The trained layer (embed, weights, head) as safetensors: from the full training run."""
    embed = problem.vectors
    weights = weights_of(run.raw.logits.values[-1], embed)
    said = {"room": "next_token", "parameters": json.dumps(params.changed(), default=str), "data": problem.fingerprint}
    return weights_to_safetensors(weights, embed, head_of(embed), said)


def graph_files(problem: Prompts, last: int) -> tuple[str, str]:
    """The condensation of one last token as GraphML and as JSON."""
    solution = solve(problem)
    dense = problem.vocab_size <= DENSE_NAMES
    graph = condensation_graph(
        priority_structure(problem),
        last,
        problem.names,
        solution.fin_scores if dense else None,
        solution.levels if dense else None,
    )
    return to_graphml(graph), to_json(graph)


def joined(elements: Any) -> str:
    """Controls one after the other, as HTML."""
    return "".join(f"{element}" for element in elements)


def footer(presets: Any, *buttons: Any) -> str:
    """Below the sliders: presets, reset, pin."""
    return (
        '<div class="bench-presets"><span class="bench-label">Presets</span>'
        + joined(presets)
        + f'</div><div class="bench-row">{joined(buttons)}</div>'
    )


@dataclass(frozen=True)
class Pinned:
    """A setting that is kept on the page while the sliders move."""

    shown: Shown
    params: Any
    result: Any


def play(side: Any, last: Any, shown: Shown, progress: str, verdict: str, kept: Pinned | None) -> Any:
    """The card of the section *Play*: controls, the talk picture, progress, verdict, and what is pinned."""
    choice = f"{last}" if len(last.options) > 1 else ""
    return mo.Html(
        '<div class="bench"><div class="bench-card bench-play"><div class="bench-grid">'
        f'<div class="bench-controls-side">{side}</div>'
        f'<div class="bench-main">{choice}{shown.html}{progress}</div></div>'
        f"{verdict}{_pinned(kept)}</div></div>"
    )


def _pinned(kept: Pinned | None) -> str:
    if kept is None:
        return ""
    changed = ", ".join(f"{name} {value}" for name, value in kept.params.changed().items()) or "the defaults"
    badge = panel.ruler.badge(kept.result.verdict) if kept.result else ""
    return f'<div class="bench-pinned"><h3>Pinned: {html.escape(changed)} {badge}</h3>{kept.shown.html}</div>'


def test_card(picker: Any, shown: Shown | str, run: panel.Run, problem: Prompts, params: Any) -> Any:
    """The card of the section *Test*: a figure, every check of the verdict, the trained weights."""
    body = shown if isinstance(shown, str) else shown.html
    rows: list[list[str]] = []
    if run.result is not None:
        for judged in run.result.verdict.checks:
            rows.append([judged.check.name, judged.status.replace("_", " "), judged.explanation])
        for name, verdict in run.result.rivals.items():
            rows.append([f"rival: {name}", verdict.status.replace("_", " "), verdict.explanation])
    checks = panel.table(("check", "verdict", "why"), rows) if rows else ""
    files = ""
    if run.raw is not None and "logits" in run.raw and problem.vocab_size <= DENSE_NAMES:
        files = mo.download(
            data=lambda: weights_file(problem, params, run),
            filename="next_token_weights.safetensors",
            label="Trained weights (safetensors)",
        )
    return panel.card(
        f"<div>{picker}</div>{body}",
        f'<details class="bench-more"><summary>Every check and every rival</summary>{checks}</details>' if rows else "",
        f'<div class="bench-row">{files}</div>',
    )


def break_card(presets: Any, contradicting: str, phases: Shown) -> Any:
    """The card of the section *Break it*."""
    return panel.card(
        f'<div class="bench-row bench-breaking">{joined(presets)}</div>',
        f"<h3>Which prompts contradict each other?</h3>{contradicting}",
        f"<h3>When do random data contradict themselves?</h3>{phases.html}",
    )


def export_card(room: Room, run: panel.Run, shown: tuple[Shown | str, ...]) -> Any:
    """The card of the section *Export*: one zip per figure, and the command that repeats the check."""
    buttons = [
        mo.download(
            data=lambda figure=figure: zipped(room, run.result if figure.name in JUDGED else None, figure),
            filename=f"{room.id}-{figure.name}.zip",
            mimetype="application/zip",
            label=figure.name.replace("_", " "),
        )
        for figure in shown
        if isinstance(figure, Shown)
    ]
    command = f"<pre class='bench-code'>{html.escape(reproduce_command(run.result))}</pre>" if run.result else ""
    return panel.card(
        f'<div class="bench-row">{joined(buttons)}</div>',
        f"<h3>The same numbers elsewhere</h3>{command}" if command else "",
    )


def zipped(room: Room, result: Any, shown: Shown) -> bytes:
    """The export of one figure; what could not be made is said inside the zip."""
    content, _ = export_zip(
        result, shown.build(False, False), caption=shown.caption, data=shown.data, room=room, upload=shown.upload
    )
    return content
