"""The section *Your data* of the room ``icl``: covariances or tasks in; risk, step, rank and LoRA out, as tables."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import marimo as mo
import numpy as np

from theory.core.vocabulary import Stop
from theory.icl import views
from theory.icl.own.read import load
from theory.icl.own.report import LONGEST as LONGEST
from theory.icl.own.report import HeldOut, OwnReport, own_report
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression
from widgets.icl import figures
from widgets.kit import panel
from widgets.kit.cards import body
from widgets.kit.export import Upload
from widgets.kit.page import HEIGHT, Screen, Shown, show
from widgets.kit.sources import Source

EXAMPLES = {"Covariances whose strong directions move": "covariances", "Raw rows of 120 tasks": "tasks"}
MAX_UPLOAD = 16 * 2**20
DEFAULTS = (20, 0.25, 95)
"""Context length, noise variance, and the percentage of the gain that a rank should keep."""
SHOWN_DIRECTIONS, SHOWN_FEATURES = 10, 3
PASTED_JSON, PASTED_CSV = "pasted.json", "pasted.csv"


@dataclass(frozen=True)
class Study:
    """What was found in a person's data; the examples have nothing to give back."""

    problem: Regression
    report: OwnReport
    upload: Upload | None


@dataclass(frozen=True)
class Asked:
    """What a person asks about: data (``own`` or an example), context length, noise, and the share of the gain."""

    source: Source
    own: bool
    n: int
    noise: float
    share: float

    @staticmethod
    def of(pasted: str, uploaded: Sequence[Any], example: str, numbers: Sequence[float | None]) -> Asked:
        """An upload, else what was pasted, else the example; a number field that was emptied asks for its default."""
        n, noise, percent = (usual if given is None else given for given, usual in zip(numbers, DEFAULTS, strict=True))
        rest = int(n), float(noise), percent / 100
        if uploaded:
            return Asked(Source(uploaded[0].contents, uploaded[0].name), True, *rest)
        if pasted.strip():
            name = PASTED_JSON if pasted.lstrip()[:1] in ("[", "{") else PASTED_CSV
            return Asked(Source(pasted.encode("utf-8", "surrogatepass"), name), True, *rest)
        return Asked(Source(*example_file(example)), False, *rest)

    @property
    def key(self) -> str:
        """What a study belongs to."""
        return self.source.key(self.source.name, self.n, self.noise, self.share)


def job(asked: Asked) -> panel.Job:
    """Read the data, predict, and where there are raw rows measure on tasks that were not learnt from."""

    def work(report: panel.Report, stop: Stop) -> None:
        source = asked.source
        problem = load(source.content, source.name, Params())
        report(0.3)
        found = own_report(problem, asked.n, asked.noise, asked.share)
        suffix = source.name.lower().rpartition(".")[2]
        report(1.0, extra=Study(problem, found, source.upload(suffix) if asked.own else None))

    return work


def numbers(study: Study) -> str:
    """Risk, step, rank and LoRA as numbers, tables and sentences."""
    report, problem = study.report, study.problem
    counted = {
        "features d": f"{problem.dim}",
        "context length n": f"{report.n:,}",
        "noise variance": f"{report.noise:.3g}",
        "risk of predicting 0": f"{report.label_power:.4g}",
        "best risk of one layer": f"{report.risk:.4g}",
        f"rank for {report.share:.0%} of the gain": f"{report.rank} of {problem.dim}",
        "LoRA rank": f"{report.lora.rank}",
    }
    parts = [panel.stats(counted), *(panel.sentence(note) for note in problem.notes)]
    if report.held_out is not None:
        parts.append(_held_out(report.held_out))
    parts.append(panel.heading(3, "What the best layer learns, direction by direction"))
    head = ("direction", "eigenvalue", "step size", "risk removed", "risk at this rank", "strongest features")
    parts.append(panel.table(head, _directions(report)))
    parts.append(panel.heading(3, "Where LoRA should act") + _lora(report))
    return "".join(parts)


def _directions(report: OwnReport) -> list[list[str]]:
    rows: list[list[str]] = []
    for place in range(min(SHOWN_DIRECTIONS, len(report.eigenvalues))):
        values = (report.eigenvalues, report.weights, report.gain, report.rank_risks[1:])
        numbers_here = [f"{float(column[place]):.4g}" for column in values]
        rows.append([f"{place + 1}", *numbers_here, _features(report.directions[place])])
    return rows


def _features(direction: Floats) -> str:
    """The features with the largest coefficients of a direction, with their shares of its square."""
    shares = direction**2 / max(float(np.sum(direction**2)), 1e-300)
    order = np.argsort(-shares)[:SHOWN_FEATURES]
    return ", ".join(f"x{place + 1} {shares[place]:.0%}" for place in order.tolist() if shares[place] >= 0.01)


def _lora(report: OwnReport) -> str:
    lora = report.lora
    if lora.rank == 0:
        return panel.sentence("The new tasks are the old ones (or none were given): no update lowers the risk.")
    rows = [
        [
            f"{place + 1}",
            f"{lora.risks[place] - lora.risks[place + 1]:.4g}",
            f"{lora.risks[place + 1]:.4g}",
            _features(lora.query_directions[:, place]),
            _features(lora.label_directions[:, place]),
        ]
        for place in range(min(SHOWN_DIRECTIONS, len(lora.risks) - 1))
    ]
    head = ("update rank", "risk repaired", "risk on the new tasks", "reads the query along", "reads X'y along")
    before, best = lora.risks[0], lora.risks[-1]
    said = f"Without an update the old layer has risk {before:.4g} on the new tasks; the best is {best:.4g}."
    return panel.sentence(said) + panel.table(head, rows)


def _held_out(found: HeldOut) -> str:
    """The measurement on tasks that were not learnt from."""
    rows = [["predicted from the other half of the tasks", f"{found.predicted:.4g}"]]
    measured = {
        "the predicted step, measured": found.step,
        "least squares on the prompt": found.least_squares,
        "predicting 0": found.zero,
    }
    rows += [[name, f"{mean:.4g} ± {error:.2g}"] for name, (mean, error) in measured.items() if np.isfinite(mean)]
    title = panel.heading(3, "Held out")
    said = f"Mean squared error on prompts from {found.tasks} tasks, with the standard error over tasks."
    return title + panel.table(("", "squared error"), rows) + panel.sentence(said)


def files(run: panel.Run) -> str:
    """The tables to take along."""
    if run.extra is None:
        return ""
    report: OwnReport = run.extra.report
    tables = {
        "Directions": ("directions.csv", lambda: directions_file(report)),
        "Preconditioner": ("preconditioner.csv", lambda: matrix_file(report.preconditioner)),
        "LoRA update": ("lora_update.csv", lambda: matrix_file(report.lora.update)),
    }
    links = (
        mo.download(data=data, filename=name, mimetype="text/csv", label=label)
        for label, (name, data) in tables.items()
    )
    return f'<div class="bench-row">{"".join(f"{link}" for link in links)}</div>'


def directions_file(report: OwnReport) -> bytes:
    """Every direction as CSV: what it gains, the risk of each rank, and its coefficients in raw features."""
    size = len(report.eigenvalues)
    head = ["direction", "eigenvalue", "step", "risk_removed", "rank_risk", "lora_risk"]
    rows: list[list[object]] = [
        [
            place + 1,
            *(float(column[place]) for column in (report.eigenvalues, report.weights, report.gain)),
            float(report.rank_risks[place + 1]),
            float(report.lora.risks[place + 1]),
            *report.directions[place].tolist(),
        ]
        for place in range(size)
    ]
    return _written([[*head, *_names(size)], *rows])


def matrix_file(table: Floats) -> bytes:
    """A matrix of raw features as CSV: rows act on the query, columns on X'y."""
    return _written([_names(table.shape[1]), *table.tolist()])


def _names(size: int) -> list[str]:
    return [f"x{place}" for place in range(1, size + 1)]


def _written(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def ranks_figure(run: panel.Run, screen: Screen) -> Shown | str:
    """The risk of each rank, and what LoRA would repair, for a person's data."""
    if run.extra is None:
        return "" if run.message else panel.skeleton(HEIGHT)
    study: Study = run.extra
    data = views.own_ranks(study.report.rank_risks, study.report.lora.risks)
    return show(
        "own_ranks",
        lambda dark, narrow: figures.own_ranks(data, dark=dark, narrow=narrow),
        {"ranks": data},
        "Predicted from the covariances: attention of each rank, and updates of each rank for the new tasks.",
        screen,
        study.upload,
    )


def found(run: panel.Run, *shown: Shown | str) -> str:
    """Numbers, tables and figures; nothing before the data were read."""
    text = numbers(run.extra) + files(run) if run.extra is not None else ""
    return text + "".join(body(figure) for figure in shown)


@cache
def example_file(name: str) -> tuple[bytes, str]:
    """Example data as a file that a person could upload, and its name."""
    generator = np.random.default_rng(0)
    return (
        (_example_tasks(generator), "tasks.csv") if name == "tasks" else (_example_covariances(generator), "own.json")
    )


def _example_covariances(generator: np.random.Generator) -> bytes:
    size = 8
    strengths = 3.0 * np.arange(1, size + 1.0) ** -2
    mixing = np.linalg.qr(generator.standard_normal((size, size)))[0]
    features = np.eye(size) + 0.5 * np.ones((size, size))
    old = (mixing * strengths) @ mixing.T
    new = (np.roll(mixing, 3, axis=1) * strengths) @ np.roll(mixing, 3, axis=1).T
    tables = {"feature_covariance": features, "task_covariance": old, "new_task_covariance": new}
    rows = {key: np.round((table + table.T) / 2, 6).tolist() for key, table in tables.items()}
    return json.dumps(rows).encode()


def _example_tasks(generator: np.random.Generator) -> bytes:
    tasks, rows, size = 120, 40, 6
    scales = np.array([2.0, 1.0, 0.5, 0.2, 0.1, 0.1])
    betas = generator.standard_normal((tasks, size)) * scales
    X = generator.standard_normal((tasks, rows, size))
    y = np.einsum("trd,td->tr", X, betas) + 0.5 * generator.standard_normal((tasks, rows))
    lines: list[list[object]] = [["task", *_names(size), "y"]]
    for task in range(tasks):
        lines += [[task + 1, *np.round(X[task, row], 4).tolist(), round(float(y[task, row]), 4)] for row in range(rows)]
    return _written(lines)
