"""The section *Your data* of the room ``distillation``: features in, spectrum, learning curve and a table of advice."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import marimo as mo

from theory.core.vocabulary import Stop
from theory.distillation import views
from theory.distillation.features import digits_population
from theory.distillation.own.read import load
from theory.distillation.own.report import FeatureReport, feature_report
from theory.distillation.parameters import Params
from theory.distillation.problem import Regression
from widgets.distillation import figures
from widgets.kit import panel
from widgets.kit.cards import body
from widgets.kit.export import Upload
from widgets.kit.page import HEIGHT, Screen, Shown, show
from widgets.kit.sources import Source

EXAMPLES = {
    "Digits, random ReLU layer": "relu",
    "Digits, random attention block": "attention",
}
MAX_UPLOAD = 64 * 2**20
POINTS, TRIALS = 7, 12
EXAMPLE_COPIES = 2


@dataclass(frozen=True)
class Study:
    """What was found in a person's features; the examples have nothing to give back."""

    problem: Regression
    report: FeatureReport
    upload: Upload | None


def source_of(pasted: str, uploaded: Sequence[Any]) -> Source | None:
    """An upload, else what was pasted, else nothing: the example is shown."""
    if uploaded:
        return Source(uploaded[0].contents, uploaded[0].name)
    return Source(pasted.encode("utf-8", "surrogatepass"), "pasted.csv") if pasted.strip() else None


def key_of(source: Source | None, example: str, n_samples: int) -> str:
    """What a study belongs to."""
    return source.key(n_samples) if source is not None else f"example {example} {n_samples}"


def job(source: Source | None, example: str, n_samples: int) -> panel.Job:
    """Read the features, predict their learning curve, and measure it on their own rows."""

    def work(report: panel.Report, stop: Stop) -> None:
        if source is None:
            problem, upload = digits_population(example, EXAMPLE_COPIES, 0), None
        else:
            problem, upload = load(source.content, source.name, Params()), source.upload("csv")
        report(0.3)
        found = feature_report(problem, n_samples or None, points=POINTS, trials=TRIALS, stop=stop)
        report(1.0, extra=Study(problem, found, upload))

    return work


def numbers(study: Study) -> str:
    """Rows, rank, what was done to the data, and the advice for the strongest directions."""
    report = study.report
    counted = {"rows": f"{report.n_rows:,}", "directions": f"{report.rank:,}", "samples n": f"{report.n_samples:,}"}
    parts = [panel.stats(counted), panel.sentence(report.summary)]
    if not report.population_is_large:
        said = f"{report.n_rows:,} rows for {report.rank:,} directions are too few to stand for a population."
        parts.append(panel.notes([said]).text)
    if not all(report.reliable):
        first = next(int(n) for n, sure in zip(report.sizes, report.reliable, strict=True) if not sure)
        parts.append(panel.sentence(f"From n = {first:,} on more than a tenth of the rows is sampled: a wide guess."))
    parts += [panel.sentence(note) for note in study.problem.notes]
    head = ("directions", "share of variance", "best factor", "so")
    parts.append(panel.heading(3, "What the best teacher does") + panel.table(head, _runs(report)))
    return "".join(parts)


def _runs(report: FeatureReport) -> list[list[str]]:
    """Advice for runs of neighbouring directions that are treated alike."""
    rows: list[list[str]] = []
    for action, group in groupby(report.advice, key=lambda item: item.action):
        run = list(group)
        factors = [item.factor for item in run]
        ends = dict.fromkeys((f"{run[0].direction:,}", f"{run[-1].direction:,}"))
        share = sum(item.eigenvalue for item in run)
        between = dict.fromkeys((f"{min(factors):.3f}", f"{max(factors):.3f}"))
        rows.append([" to ".join(ends), f"{share:.2%}", " to ".join(between), action])
    return rows


def advice_file(report: FeatureReport) -> bytes:
    """The advice for every direction as CSV."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("direction", "column", "eigenvalue", "unlearnt_fraction", "factor", "action"))
    for item in report.advice:
        writer.writerow(
            (item.direction, item.column, item.eigenvalue, item.unlearnt_fraction, item.factor, item.action)
        )
    return text.getvalue().encode()


def files(run: panel.Run) -> str:
    """The table of advice to take along."""
    if run.extra is None:
        return ""
    report = run.extra.report
    name = "best_teacher.csv"
    link = mo.download(data=lambda: advice_file(report), filename=name, mimetype="text/csv", label="All directions")
    return f'<div class="bench-row">{link}</div>'


def spectrum_figure(run: panel.Run, screen: Screen) -> Shown | str:
    """The spectrum of a person's features and what the best teacher does to it."""
    if run.extra is None:
        return "" if run.message else panel.skeleton(HEIGHT)
    study: Study = run.extra
    data = views.own_spectrum(study.report)
    return show(
        "own_spectrum",
        lambda dark, narrow: figures.own_spectrum(data, dark=dark, narrow=narrow),
        {"spectrum": data},
        "Colours say what the best teacher does: amplify (green), keep (blue), shrink (grey), drop (amber).",
        screen,
        study.upload,
    )


def curve_figure(run: panel.Run, screen: Screen) -> Shown | str:
    """Learning curves on a person's rows."""
    if run.extra is None:
        return "" if run.message else panel.skeleton(HEIGHT)
    study: Study = run.extra
    data = views.own_curve(study.report)
    return show(
        "own_curve",
        lambda dark, narrow: figures.own_curve(data, dark=dark, narrow=narrow),
        {"curve": data},
        "Predicted from the spectrum; points are students trained on sampled rows, judged on the others. Hollow: more "
        "than a tenth of the rows was sampled.",
        screen,
        study.upload,
    )


def found(run: panel.Run, *shown: Shown | str) -> str:
    """Numbers and figures of a person's features; nothing before they were read."""
    text = numbers(run.extra) + files(run) if run.extra is not None else ""
    return text + "".join(body(figure) for figure in shown)
