"""Sections *Test*, *Break it* and *Why* of the room ``next_token``: their figures, tables, numbers and files."""

from __future__ import annotations

import json
from typing import Any

import marimo as mo
import numpy as np

from theory.core.errors import BenchError
from theory.core.problem import Problem
from theory.core.runs import fetch
from theory.core.vocabulary import Replicate
from theory.next_token import views
from theory.next_token.contradiction import effect_of_removal, shortest_contradictions
from theory.next_token.experiments.shown import phases
from theory.next_token.graph import priority_structure
from theory.next_token.graph_export import condensation_graph, to_graphml, to_json
from theory.next_token.model import head_of, weights_of
from theory.next_token.problem import Prompts
from theory.next_token.schedule import curvature_bound
from theory.next_token.simulation import trends
from theory.next_token.simulation.descent import descend
from theory.next_token.structure import solve
from theory.shared.files.weights import weights_to_safetensors
from widgets.kit import cards, panel
from widgets.kit.page import HEIGHT, Rested, Screen, Shown, show
from widgets.next_token import figures

CYCLES_SHOWN = 4
DENSE_NAMES = 500

TESTS = {
    "Direction": "correlation",
    "Finite part": "finite_part",
    "Loss gap": "loss_gap",
    "Reading the automaton": "extraction",
}
_CAPTIONS = {
    "correlation": "Cosine of the trained weights, and of their displacement, with the Graph-SVM direction over the "
    "judged data sets (mean and 10-90 % band); dashed is the predicted value at finite time, not the limit.",
    "finite_part": "Left: the distance of the finite part from its limit falls like 1/(ηt). Right: the norm over its "
    "leading term creeps towards 1, as slowly as predicted. Normalised descent keeps a floor of the step size instead.",
    "loss_gap": "ηt (L − L*) settles on the squared norm of the Graph-SVM solution: one number, no tuning.",
    "extraction": "Slopes of the trained logits between two checkpoints, thresholded at 1/2, give back the order; a "
    "cross marks a pair that was read wrongly.",
}


def test_figure(which: str, rested: Rested, last: int, screen: Screen) -> Shown | str:
    """One of the figures of the section *Test*, or a sentence in its place."""
    problem, run = rested.problem, rested.run
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
                judged=True,
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
        judged=True,
    )


def phase_map(params: Any, screen: Screen) -> Shown:
    """When random data contradict themselves, at the page's vocabulary and prompt length."""
    [data], _ = fetch(phases, params, [Replicate(Problem(), 0)])
    caption = f"{data.attrs['seeds']} random data sets per cell, one last token; 95 % intervals in the hover text."
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


def break_card(presets: Any, contradicting: str, phases: Shown) -> Any:
    """The card of the section *Break it*."""
    return cards.break_card(
        presets,
        panel.heading(3, "Which prompts contradict each other?") + contradicting,
        panel.heading(3, "When do random data contradict themselves?") + phases.html,
    )


def equality(rested: Rested) -> str:
    """The live cell of *Why*: the same steps taken by the real attention layer and in logit space, compared."""
    problem, run = rested.problem, rested.run
    if run.extra is None:
        return panel.sentence(run.message or "The real attention layer is being trained …")
    layer, trained = run.extra, run.extra.logits.values[-1]
    steps, rate = int(layer.step[-1]), layer.attrs["step_size"] * curvature_bound(problem)
    [logit] = descend([problem], steps, learning_rate=rate, checkpoints=[steps])
    difference = float(np.abs(trained - logit.logits[-1]).max())
    size = float(np.abs(trained).max())
    return panel.stats(
        {
            "autograd steps through X softmax(XWe)": f"{steps:,}",
            "largest logit": f"{size:.3f}",
            "largest difference from logit space": f"{difference:.1e}",
        }
    )


def files(rested: Rested) -> tuple[Any, ...]:
    """What can be taken along from the section *Test*: the trained weights, where they are small enough."""
    raw = rested.run.raw
    if raw is None or "logits" not in raw or rested.problem.vocab_size > DENSE_NAMES:
        return ()
    name, label = "next_token_weights.safetensors", "Trained weights (safetensors)"
    return (mo.download(data=lambda: weights_file(rested), filename=name, label=label),)


def weights_file(rested: Rested) -> bytes:
    """The trained layer (embed, weights, head) as safetensors: from the full training run."""
    problem, embed = rested.problem, rested.problem.vectors
    weights = weights_of(rested.run.raw.logits.values[-1], embed)
    changed = json.dumps(rested.params.changed(), default=str)
    said = {"room": "next_token", "parameters": changed, "data": problem.fingerprint}
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
