"""The section *Your data* of the room ``ccmc``: a matrix, a text or a log, what can be known from it, who would win."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xarray import Dataset

from theory.ccmc import views
from theory.ccmc.experiments.shown import shown_texts
from theory.ccmc.own.held_out import Parts, Score, cut_log, cut_text, score
from theory.ccmc.own.read import IdentifiabilityReport, identifiability_report, load
from theory.ccmc.own.report import FitReport, fit_report, held_out_losses
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain
from theory.core.store import session_store
from theory.core.vocabulary import Stop
from widgets.ccmc import figures
from widgets.ccmc.page import found_in
from widgets.kit import panel
from widgets.kit.cards import body
from widgets.kit.export import Upload
from widgets.kit.page import HEIGHT, Screen, Shown, show
from widgets.kit.sources import Source, shown_name

FORMS = {"Text": "txt", "Transition matrix": "csv", "Log of prompts": "jsonl"}
"""How pasted data are read; an upload is read by its name where that says what it is."""
_MATRICES = ("csv", "tsv", "json", "npy")
SUGGESTIONS_SHOWN = 4
UNKNOWN_SHOWN = 6
SETS_SHOWN = 6
RATIOS_SHOWN = 8
GENERATED = 1_000_000
"""Tokens of the texts that are generated from a person's chain."""


@dataclass(frozen=True)
class Study:
    """What was found in a person's data; a matrix has no ``fit`` and nothing ``held_out``."""

    chain: Chain
    report: IdentifiabilityReport
    raw: Dataset
    fit: FitReport | None
    held_out: HeldOut | None
    upload: Upload


@dataclass(frozen=True)
class HeldOut:
    """Predictions of next tokens that were never learnt from: by chain, and the log-loss of laws without a prompt."""

    scores: dict[str, Score]
    losses: dict[str, float]


def file_name(source: Source, form: str) -> str:
    """A name whose suffix says how the data are to be read."""
    suffix = source.name.lower().rpartition(".")[2]
    if suffix in (*_MATRICES, "jsonl", "ndjson", "txt"):
        return source.name
    if form == "csv" and source.content.lstrip()[:1] in (b"[", b"{"):
        return "pasted.json"
    return f"pasted.{form}"


def job(source: Source, form: str, prompt_length: int) -> panel.Job:
    """Read the data, say what they determine, fit, judge on the held-out part, and generate from the chain."""
    name = file_name(source, form)
    suffix = name.lower().rpartition(".")[2]

    def work(report: panel.Report, stop: Stop) -> None:
        params = Params(prompt_length=prompt_length, n_tokens=GENERATED)
        chain = load(source.content, name, params)
        report(0.3)
        found = identifiability_report(chain)
        report(0.4)
        fit = fit_report(chain) if chain.has_labels else None
        report(0.5)
        held_out = judged(source.content, suffix, params)
        report(0.7)
        with session_store() as store:  # nothing measured on a person's own data outlives the run
            raw = found_in(shown_texts, params, chain, stop, store)
        report(1.0, extra=Study(chain, found, raw, fit, held_out, source.upload(suffix)))

    return work


def judged(content: bytes, suffix: str, params: Params) -> HeldOut | None:
    """How fitted, given and untrained chains predict next tokens that were held out; None for a matrix."""
    if suffix in _MATRICES:
        return None
    parts: Parts = (cut_log if suffix in ("jsonl", "ndjson") else cut_text)(content, params)
    training, size = parts.training, parts.training.vocab_size
    fitted = fit_report(training).transition
    chains = {"fitted attention layer": fitted}
    if suffix not in ("jsonl", "ndjson"):
        chains["attention layer with the text's bigrams as P"] = training.transition
    chains["untrained layer (counts only)"] = np.full((size, size), 1 / size)
    losses = held_out_losses(training, fitted, parts.held_out)
    return HeldOut(
        {name: score(parts.held_out, chain) for name, chain in chains.items()},
        {"bigrams without the prompt": losses["bigram"], "frequencies alone": losses["unigram"]},
    )


def numbers(study: Study) -> str:
    """Identifiability, winners and held-out measurement as numbers, tables and sentences."""
    chain, report = study.chain, study.report
    size = chain.vocab_size
    if study.fit is None:
        return panel.stats({"tokens": f"{size}"}) + _winners(study)
    counted = {
        "tokens": f"{size}",
        "prompts": f"{chain.n_samples:,}",
        "log-ratios of P that they determine": f"{report.coverage.rank} of {size * (size - 1)}",
    }
    parts = [panel.stats(counted), panel.sentence(report.summary)]
    if report.unknown:
        listed = "; ".join(ratio.sentence for ratio in report.unknown[:UNKNOWN_SHOWN])
        more = f"; and {len(report.unknown) - UNKNOWN_SHOWN} more" if len(report.unknown) > UNKNOWN_SHOWN else ""
        parts.append(panel.sentence(f"Cannot be known: {listed}{more}."))
        rows = [
            [
                " ".join(
                    (*(shown_name(chain.name(token)) for token in found.tokens), shown_name(chain.name(found.last)))
                ),
                f"{found.gain}",
            ]
            for found in report.suggestions[:SUGGESTIONS_SHOWN]
        ]
        parts.append(panel.heading(3, "Which prompt to collect next"))
        parts.append(panel.table(("a prompt with these tokens, the last one last", "ratios that it settles"), rows))
    parts.append(_winners(study))
    parts.append(_fitted(study.fit, chain))
    if study.held_out is not None:
        parts.append(panel.heading(3, "Held out"))
        head = ("", "next token right", "its probability", "log loss")
        rows = [_row(name, found) for name, found in study.held_out.scores.items()]
        rows += [[name, "", "", f"{loss:.2f} nats"] for name, loss in study.held_out.losses.items()]
        parts.append(panel.table(head, rows))
        count = next(iter(study.held_out.scores.values())).judged
        parts.append(panel.sentence(f"{count:,} prompts of the last fifth, never learnt from."))
    return "".join(parts)


def _fitted(fit: FitReport, chain: Chain) -> str:
    """The log-ratios that were chosen most often, with their confidence intervals."""
    often = sorted(fit.ratios, key=lambda ratio: -ratio.chosen)[:RATIOS_SHOWN]
    rows = [
        [
            shown_name(chain.name(ratio.last)),
            f"{shown_name(chain.name(ratio.token))} : {shown_name(chain.name(ratio.reference))}",
            f"{np.exp(ratio.estimate):.2f}",
            f"{np.exp(ratio.low):.2f} to {np.exp(ratio.high):.2f}" if ratio.standard_error is not None else "runs away",
            f"{ratio.chosen:,}",
        ]
        for ratio in often
    ]
    head = ("after", "ratio in P", "estimate", f"{fit.level:.0%} interval", "times chosen")
    return panel.heading(3, "The fit") + panel.table(head, rows) + panel.sentence(fit.summary)


def _row(name: str, found: Score) -> list[str]:
    share, low, high = found.right
    return [name, f"{share:.1%} ({low:.1%} to {high:.1%})", f"{found.probability:.1%}", f"{found.log_loss:.2f} nats"]


def _winners(study: Study) -> str:
    data = views.winners(study.chain, study.raw)
    names = [shown_name(str(name)) for name in data.name.values]
    runs = int(data.attrs["runs"])
    rows: list[list[str]] = []
    for shares, won in zip(data.share_of_winner.values[:SETS_SHOWN], data.won.values[:SETS_SHOWN], strict=True):
        order = [int(token) for token in np.argsort(-shares) if shares[token] > 0]
        rows.append([", ".join(f"{names[token]} {shares[token]:.0%}" for token in order), f"{int(won)} of {runs}"])
    if not rows:
        return panel.sentence("No set of tokens is a stable winner set: a text from this chain never comes to rest.")
    head = ("winner set, with the shares in the limit", f"generated texts of {GENERATED:,} tokens that went there")
    return panel.heading(3, "Who would win") + panel.table(head, rows)


def growth_figure(run: panel.Run, screen: Screen) -> Shown | str:
    """The opening picture of the person's own chain."""
    if run.extra is None:
        return "" if run.message else panel.skeleton(HEIGHT)
    study: Study = run.extra
    structure, growth = views.structure(study.chain, study.raw), views.growth(study.chain, study.raw)
    return show(
        "own_chain",
        lambda dark, narrow: figures.talk_picture(structure, growth, dark=dark, narrow=narrow),
        {"structure": structure, "growth": growth},
        "What a model with this chain writes when it feeds on itself: dashed slopes are predicted.",
        screen,
        study.upload,
    )


def coverage_figure(run: panel.Run, screen: Screen) -> Shown | str:
    """Which tokens occur together after each last token."""
    if run.extra is None:
        return "" if run.message else panel.skeleton(HEIGHT)
    study: Study = run.extra
    if study.fit is None:
        return panel.sentence("A matrix comes without prompts: all of it is known.")
    data = views.coverage(study.chain)
    return show(
        "own_coverage",
        lambda dark, narrow: figures.coverage_graphs(data, dark=dark, narrow=narrow),
        {"coverage": data},
        "What these prompts determine: ratios within a component are known, between components they are not.",
        screen,
        study.upload,
    )


def found(run: panel.Run, *shown: Shown | str) -> str:
    """Numbers and figures of a person's data; nothing before they were read."""
    return (numbers(run.extra) if run.extra is not None else "") + "".join(body(figure) for figure in shown)
