"""The page of the room ``icl``: what it measures when the controls rest, and its opening picture."""

from __future__ import annotations

from typing import Any

from xarray import Dataset

from theory.core.bench import check_claim
from theory.core.vocabulary import Claim, Stop
from theory.icl import views
from theory.icl.problem import Regression
from theory.icl.training import LARGEST_DIM
from widgets.icl import figures, prose
from widgets.kit import panel
from widgets.kit.page import SEEDS, Now, Page, Rested, Screen, Shown, show

HOME = "icl-pgd-equivalence"
SLIDERS = (
    "design",
    "context_length",
    "alignment",
    "drift",
    "task_correlation",
    "noise_variance",
    "spectrum_decay",
    "dim",
    "rank",
    "step_size",
    "n_test",
)


def job(claim: Claim, params: Any, problem: Regression) -> panel.Job:
    """Measure: attention layers along the curve of context lengths, as they learn, then the claim."""

    def work(report: panel.Report, stop: Stop) -> None:
        if problem.dim <= LARGEST_DIM:
            raw = views.landed(params, problem, lambda fraction, found: report(0.5 * fraction, raw=found), stop)
            report(0.5, raw=raw, extra=raw)
        result = check_claim(claim, params, SEEDS, emit=lambda fraction, _: report(0.5 + 0.5 * fraction), stop=stop)
        report(1.0, result=result)

    return work


CAPTION = (
    "Lines and contours are predicted. Left: risk over two directions of the preconditioner, gradient descent in "
    "closed form, and the ways of attention layers from random starts as they are trained. Right: their risk on fresh "
    "prompts, with two standard errors; hollow where training had not come to rest."
)
PAGE = Page("icl", HOME, prose.LEAD, SLIDERS, job)


def talk(now: Now | Rested, run: panel.Run, screen: Screen, last: panel.Run | None = None) -> Shown:
    """The opening picture: the bowl with the path of descent and trained layers, beside the risk against n.

    ``last`` is the page's latest run: its layers stay while a slider moves that needs no new training.
    """
    params, problem = now.params, now.problem
    trained = run.raw if run.raw is not None else kept((last or run).raw, params, problem)
    bowl, curve = views.bowl(params, problem, trained), views.risk_curve(params, problem, trained)
    return show(
        "talk_picture",
        lambda dark, narrow: figures.talk_picture(bowl, curve, dark=dark, narrow=narrow),
        {"bowl": bowl, "curve": curve},
        CAPTION,
        screen,
        judged=True,
    )


def kept(raw: Dataset | None, params: Any, problem: Regression) -> Dataset | None:
    """Trained layers if they are those of these prompts, at whatever length."""
    usable = isinstance(raw, Dataset) and raw.attrs.get("trained") == views.landed_key(params, problem)
    return raw if usable else None
