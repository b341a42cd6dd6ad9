"""Sections *Test*, *Break it* and *Why* of the room ``ccmc``: their figures, measurements and numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from xarray import Dataset

from theory.ccmc import views
from theory.ccmc.experiments.mapping import attend, head_of_layer
from theory.ccmc.experiments.shown import SETTINGS, cured_texts, wins_by_count
from theory.ccmc.mapping import ccmc_next, weights_of
from theory.ccmc.problem import Chain
from theory.core.errors import BenchError
from theory.core.vocabulary import Stop
from widgets.ccmc import figures
from widgets.ccmc.page import found_in
from widgets.kit import cards, panel
from widgets.kit.page import Rested, Screen, Shown, measure_figure, measured_figure

TESTS = {
    "Who wins": "winner_probability",
    "Learning P from prompts": "learning_error",
    "Learning P from one text": "transition_exponents",
    "What the prompts determine": "coverage",
}
_CAPTIONS = {
    "winner_probability": "The probability that token 0 wins against how often it is in the prompt: the line is exact, "
    "by dynamic programming; points are simulated texts with their 95 % interval.",
    "learning_error": "n times the squared error, and twice n times the excess risk, settle on two constants that "
    "Fisher's information predicts. Shaded: more than 1 % of the data sets have no finite estimate.",
    "transition_exponents": "How often a move is seen in one text grows with this power of its length; below 0 it is "
    "seen finitely often, and its probability cannot be learnt from any single text.",
    "coverage": "For each last token the tokens that occur together in some prompt. Ratios between components are "
    "unknown, however many such prompts there are.",
    "cures": "Share of the most frequent token after 20,000 tokens, one cure at a time. Dashed: the predicted limit of "
    "ever longer texts; the vertical line is where the sliders stand.",
}
LONGEST_PROMPT = 20_000
"""Tokens of a first prompt up to which cures are tried: they read all of it, for each text."""
PROBES = 20
SIZES = (300, 1000, 3000, 10_000, 30_000, 100_000)
LEARNERS = 200


def measured(which: str, rested: Rested, stop: Stop) -> Dataset:
    """The numbers behind a figure, with its measurement.

    Raises:
        BenchError: the figure has nothing to say at these parameters.
    """
    problem, params = rested.problem, rested.params
    match which:
        case "winner_probability":
            return views.winner_probability(problem, found_in(wins_by_count, params, problem, stop))
        case "learning_error":
            return views.learning_curve(problem, params, SIZES, LEARNERS, stop=stop)
        case "transition_exponents":
            return views.transition_exponents(problem, rested.run.raw)
        case "cures":
            if len(problem.prompt) > LONGEST_PROMPT:
                raise BenchError(f"The cures are tried on first prompts of at most {LONGEST_PROMPT:,} tokens.")
            now = {name: getattr(params, name) for name in SETTINGS}
            return views.cures(problem, now, found_in(cured_texts, params, problem, stop))
        case _:
            return views.coverage(problem)


def start(which: str, rested: Rested, publish: Callable[[panel.Run], None]) -> str:
    """Measure what a figure of the page shows, once the page's own run is over; returns what the run belongs to."""

    def work(report: panel.Report, stop: Stop) -> None:
        report(1.0, extra=measured(which, rested, stop))

    return measure_figure(which, rested, work, publish)


def figure(which: str, run: panel.Run, screen: Screen) -> Shown | str:
    """A figure of *Test* or *Break it*, or a sentence in its place."""
    draws: dict[str, Callable[..., Any]] = {
        "winner_probability": figures.winner_probability,
        "learning_error": figures.learning_error,
        "transition_exponents": figures.transition_exponents,
        "coverage": figures.coverage_graphs,
        "cures": figures.cures,
    }
    return measured_figure(which, run, screen, draws[which], _CAPTIONS[which])


def break_card(presets: Any, cures: Shown | str) -> Any:
    """The card of the section *Break it*."""
    title = panel.heading(3, "What restores mixing, and what does not")
    return cards.break_card(presets, title + cards.body(cures))


def equality(problem: Chain) -> str:
    """The live cell of *Why*: explicit attention over positions beside the formula, on random prompts."""
    try:
        weights = weights_of(problem.transition, problem.vectors)
        head = head_of_layer(problem)
    except BenchError as error:
        return panel.sentence(str(error))
    generator = np.random.default_rng(0)
    worst = 0.0
    for _ in range(PROBES):
        prompt = generator.integers(0, problem.vocab_size, size=int(generator.integers(2, 40)))
        counts = np.bincount(prompt, minlength=problem.vocab_size)
        layer = attend(problem.vectors, weights, head, prompt)
        worst = max(worst, float(np.abs(layer - ccmc_next(counts, prompt[-1], problem.transition)).max()))
    return panel.stats(
        {
            "random prompts": f"{PROBES}",
            "largest difference between C Xᵀ softmax(X W e) and N·P": f"{worst:.1e}",
        }
    )
