"""Sections *Test* and *Break it* of the room ``icl``: their figures, measurements and questions."""

from __future__ import annotations

import threading
from collections.abc import Callable

from xarray import Dataset

from theory.core.vocabulary import Experiment, Stop
from theory.icl import views
from theory.icl.claims.best_steps import best_step
from theory.icl.experiments import layers
from theory.icl.parameters import Params
from theory.icl.problem import Regression, isotropic
from widgets.icl import figures, prose
from widgets.kit import panel
from widgets.kit.page import Rested, Screen, Shown, measure_figure, measured_figure

TESTS = {
    "Retrieval, and where it hurts": "retrieval",
    "The bowl and its curvatures": "descent",
    "The staircase": "staircase",
    "H3 and attention": "memory",
    "Low rank and LoRA": "ranks",
    "Which matrix did it learn?": "equivalence",
    "Linear and softmax attention": "softmax",
    "Another length than in training": "length",
}
_CAPTIONS = {
    "retrieval": "Isotropic tasks. Solid: exact. Dashed: the approximation that counts examples kappa times. Points: "
    "layers trained here, two standard errors. Triangles: beyond them retrieval hurts. Dotted: floors.",
    "descent": "Left: gradient descent contracts each direction at its own rate; lines in closed form, points step by "
    "step. Right: longer prompts make the bowl narrower.",
    "staircase": "Gradient descent over the factors of the preconditioner from a small random start. Dotted: the best "
    "risks of rank 0, 1, 2, ... and the weights that each direction should reach.",
    "memory": "Bars: the best weight of each example by its age. Points: filters of H3 layers trained here. "
    "Right: what H3 gains over attention for this kind of drift.",
    "ranks": "Points: layers trained with factors of each rank. Right: what each direction of a LoRA update repairs on "
    "the new tasks (filled: the chosen rank), with the eigenvalues of the old and the new tasks.",
    "equivalence": "Read off a trained attention layer, predicted without training, and their difference.",
    "softmax": "Isotropic tasks. The line bounds linear attention only. Points: softmax layers trained here, "
    "two standard errors.",
    "length": "Trained at one length, asked at another. Points: trained layers on fresh prompts, two standard errors.",
}


def measured(which: str, rested: Rested, report: panel.Report, stop: Stop) -> None:
    """Report the numbers behind a figure, first as predicted, then with what is trained for it.

    Raises:
        BenchError: the figure has nothing to say at these parameters.
    """
    params, problem = rested.params, rested.problem

    def moved(fraction: float, _: Dataset | None = None) -> None:
        report(fraction)

    if which == "descent":
        report(1.0, extra=views.descent(params, problem))
    elif which == "staircase":
        report(1.0, extra=views.staircase(params, problem, views.descents(params, problem, moved, stop)))
    elif which == "equivalence":
        step = best_step(params, problem, weighted=False).preconditioner
        raw = rested.run.raw
        if not isinstance(raw, Dataset) or not (raw.n.values == params.context_length).any():
            raw = views.fetched(layers.own_length_layers, params, problem, moved, stop)
        report(1.0, extra=views.equivalence(params, problem, step, raw))
    else:
        draw, experiment = _TRAINED[which]
        report(0.01, extra=draw(params, problem, None))
        trained_on = isotropic(problem.dim) if which in _ISOTROPIC else problem
        found = views.fetched(experiment, params, trained_on, moved, stop)
        report(1.0, extra=draw(params, problem, found))


_TRAINED: dict[str, tuple[Callable[..., Dataset], Experiment[Params, Regression]]] = {
    "retrieval": (views.retrieval, layers.retrieval_layers),
    "memory": (views.memory, layers.h3_layers),
    "ranks": (views.ranks, layers.rank_layers),
    "softmax": (views.softmax, layers.softmax_layers),
    "length": (views.length, layers.length_layers),
}
_ISOTROPIC = ("retrieval", "softmax")
"""Figures whose formulas are for tasks without a preferred direction: their layers do not depend on the spectra."""


def start(which: str, rested: Rested, publish: Callable[[panel.Run], None], cancelled: threading.Event) -> str:
    """Measure what a figure of the page shows, once the page's own run is over; returns what the run belongs to."""

    def work(report: panel.Report, stop: Stop) -> None:
        measured(which, rested, report, stop)

    return measure_figure(which, rested, work, publish, cancelled)


def figure(which: str, run: panel.Run, screen: Screen) -> Shown | str:
    """A figure of *Test*, or a sentence in its place."""
    return measured_figure(which, run, screen, getattr(figures, which), _CAPTIONS[which])


def questions() -> str:
    """Questions that one move of a slider answers; the answers are folded away."""
    rows = "".join(
        f"<li>{panel.escape(asked)}<details><summary>answer</summary>{panel.escape(answer)}</details></li>"
        for asked, answer in prose.QUESTIONS
    )
    return panel.heading(3, "One move each") + f'<ul class="bench-caption">{rows}</ul>'
