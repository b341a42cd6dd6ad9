"""Sections *Test*, *Break it* and *Why* of the room ``distillation``: their figures, measurements and tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xarray import Dataset

from theory.core import catalog
from theory.core.bench import check_claim
from theory.core.errors import BenchError
from theory.core.vocabulary import Stop
from theory.distillation import views
from theory.distillation.data import draw
from theory.distillation.parameters import Params
from theory.distillation.simulation.learning_curves import measured_teachers
from widgets.distillation import figures, prose
from widgets.distillation.page import NETWORKS
from widgets.kit import cards, panel
from widgets.kit.page import SEEDS, Rested, Screen, Shown, measure_figure, measured_figure

TESTS = {
    "Learning curves and residuals": "learning_curves",
    "How much can be gained": "gain_map",
    "A fitted teacher": "two_stage",
    "Exponents": "exponents",
}
_CAPTIONS = {
    "learning_curves": "Points: means over students with two standard errors; shaded: where single runs scatter. "
    "Dotted: true labels with the best ridge at each n. Below, measured less predicted in units of what the verdict "
    "tolerates.",
    "gain_map": "Risk with the best teacher over risk with true labels, for power laws with 200 features. On the left "
    "edge all features are equal and nothing can be gained. Dotted: no teacher could go below this ratio. Ring: the "
    "sliders.",
    "two_stage": "The teacher is fitted on m samples of its own; its student learns from its labels. Dashed: students "
    "of the truth and of the best teacher. Points were measured. No prediction is made in the shaded strip, where the "
    "teacher barely interpolates.",
    "exponents": "Slopes of log risk on log n with infinitely many features. On a power law all teachers share the "
    "limit (dashed); on an exponential spectrum the best teacher falls faster by one power of n.",
    "networks": "One small point per network, thin lines join networks that share initial weights and images.",
}


def measured(which: str, rested: Rested, stop: Stop) -> Dataset:
    """The numbers behind a figure, with its measurement.

    Raises:
        BenchError: the figure has nothing to say at these parameters.
    """
    params, problem, run = rested.params, rested.problem, rested.run
    match which:
        case "learning_curves":
            return views.learning(params, problem, run.raw)
        case "gain_map":
            return views.gain_map(params, problem)
        case "two_stage":
            if problem.features is not None:
                raise BenchError("Fitted teachers are drawn for a spectrum, not for rows of real features.")
            teachers = measured_teachers(params, problem, views.teacher_sizes(problem, params), stop)
            return views.two_stage(params, problem, teachers)
        case "paper":
            return views.paper_table(stop)
        case _:
            return views.exponents(params, problem)


def start(which: str, rested: Rested, publish: Callable[[panel.Run], None]) -> str:
    """Measure what a figure of the page shows, once the page's own run is over; returns what the run belongs to."""

    def work(report: panel.Report, stop: Stop) -> None:
        report(1.0, extra=measured(which, rested, stop))

    return measure_figure(which, rested, work, publish)


def figure(which: str, run: panel.Run, screen: Screen) -> Shown | str:
    """A figure of *Test*, or a sentence in its place."""
    draws: dict[str, Callable[..., Any]] = {
        "learning_curves": figures.learning_curves,
        "gain_map": figures.gain_map,
        "two_stage": figures.two_stage,
        "exponents": figures.exponents,
        "networks": figures.networks,
    }
    return measured_figure(which, run, screen, draws[which], _CAPTIONS[which])


def network_cost() -> str:
    """What training the networks will take, from the experiment's own plan."""
    claim = catalog.claim(NETWORKS)
    params: Any = catalog.parameters(claim)
    # The cost does not depend on the features, which take a second to compute.
    any_problem = draw(Params(), 0)
    plan = claim.experiment.plan(params, any_problem, SEEDS)
    return f"{6 * SEEDS} networks, about {max(plan.seconds, 1):.0f} s"


def train_networks(pressed: bool, publish: Callable[[panel.Run], None]) -> None:
    """Train the networks of the observation, if the button was pressed."""

    def work(report: panel.Report, stop: Stop) -> None:
        claim = catalog.claim(NETWORKS)
        params: Any = catalog.parameters(claim)
        result = check_claim(claim, params, SEEDS, emit=lambda fraction, _: report(fraction), stop=stop)
        if result.measurement is None or "accuracy" not in result.measurement:
            raise BenchError(result.verdict.explanation)
        report(1.0, result=result, extra=views.networks(result.measurement))

    if pressed:
        panel.run_in_background("networks", work, publish)


def networks_card(button: Any, run: panel.Run, shown: Shown | str) -> Any:
    """The networks behind their button: cost, progress, figure and verdict."""
    parts = [panel.heading(3, "Does it survive in networks that learn their features?"), panel.sentence(prose.NETWORKS)]
    parts.append(f'<div class="bench-row">{button}</div>')
    if run.state == "running":
        parts.append(panel.progress(run, ""))
    if not isinstance(shown, str) or run.message:
        parts.append(cards.body(shown))
    if run.result is not None:
        checks = [judged.check for judged in run.result.verdict.checks]
        rows = [[check.name, f"{check.deviation:+.3f} ± {check.standard_error:.3f}"] for check in checks]
        parts.append(panel.table(("paired over seeds", "mean ± standard error"), rows))
    return panel.card(*parts)


def questions() -> str:
    """Questions that one move of a slider answers; the answers are folded away."""
    rows = "".join(
        f"<li>{panel.escape(asked)}<details><summary>answer</summary>{panel.escape(answer)}</details></li>"
        for asked, answer in prose.QUESTIONS
    )
    return panel.heading(3, "One move each") + f'<ul class="bench-caption">{rows}</ul>'


def paper_card(run: panel.Run) -> Any:
    """The setting of the paper's first figure as a table: predicted and measured."""
    if run.extra is None:
        body = panel.sentence(run.message) if run.message else panel.skeleton(260)
    else:
        body = panel.table(*figures.paper_rows(run.extra))
    title = panel.heading(3, "The setting of the paper's first figure")
    said = "p = 500, λᵢ = i⁻², λᵢβᵢ² = i⁻¹·⁵, no noise: excess risk predicted, and measured with its standard error."
    return panel.card(title, panel.sentence(said), body)
