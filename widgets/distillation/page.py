"""The page of the room ``distillation``: what it measures when the controls rest, and its opening picture."""

from __future__ import annotations

from typing import Any

from xarray import Dataset

from theory.core.bench import check_claim
from theory.core.errors import BenchError
from theory.core.vocabulary import Claim, Stop
from theory.distillation import views
from theory.distillation.problem import Regression
from theory.distillation.simulation.learning_curves import fits_key, measured_curve, measured_factors
from widgets.distillation import figures, prose
from widgets.kit import panel
from widgets.kit.page import SEEDS, Now, Page, Rested, Screen, Shown, show

HOME = "omniscient-risk"
NETWORKS = "trained-network-w2s"
SLIDERS = (
    "n_samples",
    "spectrum",
    "spectrum_exponent",
    "rate",
    "signal_exponent",
    "n_features",
    "features",
    "noise_variance_target",
    "noisy_arms",
    "ridge",
    "n_teacher_samples",
    "noise_variance_teacher",
)


def job(claim: Claim, params: Any, problem: Regression) -> panel.Job:
    """Measure: students along the learning curve, the best factor of single features, then the claim."""

    def work(report: panel.Report, stop: Stop) -> None:
        measured_curve(params, problem, lambda fraction, found: report(0.4 * fraction, raw=found), stop)
        report(0.5, extra=measured_factors(params, problem, stop))
        if claim.id == NETWORKS:
            raise BenchError("These networks take a while: train them with the button in the section Test.")
        result = check_claim(claim, params, SEEDS, emit=lambda fraction, _: report(0.5 + 0.5 * fraction), stop=stop)
        report(1.0, result=result)

    return work


PAGE = Page("distillation", HOME, prose.LEAD, SLIDERS, job)


def talk(now: Now | Rested, run: panel.Run, screen: Screen, last: panel.Run | None = None) -> Shown:
    """The opening picture: what the best teacher does to each feature, beside what that does to the risk.

    ``last`` is the page's latest run: its learning curve stays while a slider moves that needs no new fits.
    """
    params, problem = now.params, now.problem
    fits = run.raw if run.raw is not None else kept((last or run).raw, params, problem)
    anatomy = views.anatomy(params, problem, run.extra)
    curves = views.curves(params, problem, fits)
    real = problem.features is not None
    caption = "Lines are predicted from the spectrum alone. Points: students trained on sampled data; left, the factor "
    caption += "that would have been best for them."
    if real:
        caption = f"Lines are predicted from the spectrum of {problem.source}. Points: students trained on sampled "
        caption += "rows and judged on all others. Labels are noiseless: the noise slider does nothing here."
    return show(
        "talk_picture",
        lambda dark, narrow: figures.talk_picture(anatomy, curves, dark=dark, narrow=narrow),
        {"anatomy": anatomy, "curves": curves},
        caption,
        screen,
        judged=True,
    )


def kept(raw: Dataset | None, params: Any, problem: Regression) -> Dataset | None:
    """A measured learning curve if its fits are those of this problem, at whatever n and noise."""
    usable = isinstance(raw, Dataset) and raw.attrs.get("fits") == fits_key(params, problem)
    return raw if usable else None
