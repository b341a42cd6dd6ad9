"""The page's sections for a person's own input: the prompt playground, and a text of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import marimo as mo
import numpy as np

from theory.core.errors import BenchError
from theory.core.vocabulary import Stop
from theory.next_token import views
from theory.next_token.automaton import generate
from theory.next_token.own.held_out import HeldOut, OwnData, Score, judge_held_out, read_own
from theory.next_token.problem import Prompts
from theory.next_token.simulation import surveys
from theory.next_token.structure import solve
from widgets.kit import panel
from widgets.kit.cards import body, joined
from widgets.kit.export import Upload
from widgets.kit.page import HEIGHT, Rested, Screen, Shown, show
from widgets.kit.sources import Source, plain_label, shown_name
from widgets.next_token import figures
from widgets.next_token.sections import graph_files

FORMS = {"Words": "words", "Characters": "characters", "JSONL tokens": "jsonl"}
LONGEST_PROMPT = 16
TOKENS_OFFERED = 40
CERTIFICATES = {
    "comparable": "Certain, by the theorem",
    "decided_by_margin": "Decided by margin",
    "tie": "A tie",
    "contains_unseen": "Holds an unseen token",
    "no_data": "No data",
}
"""What a certificate means, in a few words."""
COMPONENTS_SHOWN = 12
LASTS_OFFERED = 400


def token_buttons(problem: Prompts, get_prompt: Callable[[], Sequence[int]], choose: Callable[[Any], None]) -> Any:
    """One button per token, which appends it to the prompt."""

    def button(token: int) -> Any:
        return mo.ui.button(
            label=plain_label(problem.name(token)),
            on_change=lambda _: choose((*get_prompt(), token)[-LONGEST_PROMPT:]),
        )

    return mo.ui.array([button(token) for token in range(min(problem.vocab_size, TOKENS_OFFERED))])


def usual_prompt(problem: Prompts, prompt: Sequence[int], last: int) -> tuple[int, ...]:
    """The visitor's prompt if it fits this vocabulary, else the first training prompt that ends with ``last``."""
    if prompt and max(prompt) < problem.vocab_size:
        return tuple(prompt)
    return tuple(int(token) for token in problem.sequence(int(np.flatnonzero(problem.last == last)[0])))


def playground(rested: Rested, prompt: Sequence[int], screen: Screen) -> tuple[Shown, str]:
    """The automaton beside the trained model on one prompt, with its certificate and a generated continuation."""
    problem, raw = rested.problem, rested.run.raw
    solution = solve(problem)
    logits = None if raw is None or "logits" not in raw else raw.logits.values[-1]
    data = views.playground(solution, prompt, logits)
    shown = show(
        "playground",
        lambda dark, narrow: figures.playground_bars(data, dark=dark),
        {"playground": data},
        "Bars: the automaton, computed without training. Points: the trained model.",
        screen,
        judged=True,
    )
    word = CERTIFICATES[data.attrs["certificate"]]
    text = " ".join(problem.name(int(token)) for token in generate(solution, prompt, 24, rested.params.data_seed))
    said = (
        f'{panel.heading(3, "Prompt")}<p class="bench-code">{panel.escape(data.attrs["prompt"])} → ?</p>'
        f'<p class="bench-caption"><b>{word}:</b> '
        f"{panel.escape(data.attrs['explanation'])}.</p>"
        f'{panel.heading(3, "It goes on")}<p class="bench-code">{panel.escape(text)}</p>'
        + panel.sentence("Only tokens of the prompt can follow: the automaton never leaves them.")
    )
    return shown, said


@dataclass(frozen=True)
class Study:
    """What was found in a text."""

    data: OwnData
    held_out: HeldOut
    survey: Any
    source: str
    upload: Upload


def text_job(source: Source, form: Any, prompt_length: int) -> panel.Job:
    """Read the text, learn its automaton, judge it on held-out windows, survey the window lengths."""

    def work(report: panel.Report, stop: Stop) -> None:
        data = read_own(source.content, form, prompt_length)
        report(0.2)
        solve(data.training)
        report(0.4)
        held_out = judge_held_out(data, stop)
        report(0.8)
        survey = None if data.stream is None else surveys.text_windows(data.stream, len(data.names), source=source.name)
        upload = source.upload("jsonl" if form == "jsonl" else "txt")
        report(1.0, extra=Study(data, held_out, survey, source.name, upload))

    return work


def study_numbers(study: Study) -> str:
    """Prediction and held-out measurement of a text, as numbers and a table."""
    data, found = study.data, study.held_out
    solution = solve(data.training)
    sizes = solution.condensation.size
    numbers = {
        "windows": f"{data.total:,}",
        "contain their next token": f"{data.kept_fraction:.0%}",
        "distinct tokens": f"{data.training.vocab_size:,}",
        "components": f"{solution.condensation.n_components:,}",
        "largest": f"{int(sizes.max(initial=1)):,} tokens",
        "predicted loss floor": f"{solution.irreducible_loss:.3f} nats",
    }

    def row(name: str, score: Score) -> list[str]:
        share, low, high = score.right
        return [
            name,
            f"{share:.1%} ({low:.1%} to {high:.1%})",
            f"{score.probability:.1%}",
            f"{score.log_loss:.2f} nats",
            f"{score.ruled_out:.1%}",
        ]

    head = ("", "next token right", "its probability", "log loss", "ruled out (infinite loss)")
    rows = [
        row("automaton, held out", found.automaton),
        row("automaton, in training", found.in_training),
        row("untrained layer (counts), held out", found.untrained),
    ]
    why = ", ".join(f"{count:,} {CERTIFICATES[name].lower()}" for name, count in found.certificates.items())
    return (
        panel.stats(numbers)
        + panel.table(head, rows)
        + panel.sentence(
            f"{found.judged:,} held-out windows from the last fifth of {study.source}; by certificate: {why}."
        )
    )


def study_figure(run: panel.Run, screen: Screen) -> Shown | str:
    """Realisable share, contradictions and largest component against the window length."""
    if run.extra is None:
        return "" if run.message else panel.skeleton(HEIGHT)
    survey = run.extra.survey
    if survey is None:
        return panel.sentence("Rows of tokens have no windows: the figure over window lengths needs a text.")
    caption = (
        "How much of this text the theorem can speak about: longer windows contain their next token more often, and "
        "contradict themselves more."
    )
    return show(
        "text_windows",
        lambda dark, narrow: figures.text_windows(survey, dark=dark),
        {"text_windows": survey},
        caption,
        screen,
        run.extra.upload,
    )


def automaton_picker(run: panel.Run, chosen: int | None, choose: Callable[[int], None]) -> Any:
    """A searchable menu of the last tokens of the text, the most frequent first; None before it was read."""
    if run.extra is None:
        return None
    prompts = run.extra.data.training
    tokens, counts = np.unique(prompts.last, return_counts=True)
    order = tokens[np.argsort(-counts, kind="stable")][:LASTS_OFFERED].tolist()
    options = {shown_name(prompts.name(token)): token for token in order}
    value = next((name for name, token in options.items() if token == chosen), next(iter(options)))
    return mo.ui.dropdown(options, value=value, searchable=True, label="Windows that end with", on_change=choose)


def automaton_figure(run: panel.Run, word: Any, screen: Screen) -> Shown | str:
    """The condensation of the text under one last token."""
    if run.extra is None or word is None:
        return "" if run.message else panel.skeleton(HEIGHT)
    try:
        data = views.anatomy(solve(run.extra.data.training), word.value, limit=COMPONENTS_SHOWN)
    except BenchError as error:
        return panel.sentence(str(error))
    hidden = data.attrs["hidden"]
    caption = f"The automaton after “{data.attrs['last_name']}”"
    caption += f"; {hidden:,} lower components are not drawn, the files have them." if hidden else "."
    return show(
        "automaton",
        lambda dark, narrow: figures.condensation_explorer(data, dark=dark),
        {"automaton": data},
        caption,
        screen,
        run.extra.upload,
    )


def playground_card(tokens: Any, clear: Any, shown: Shown, said: str) -> Any:
    """The prompt playground: tokens to click, the two predictions, the certificate and a continuation."""
    buttons = joined(tokens)
    return panel.card(
        f'{panel.heading(3, "Prompt playground")}<div class="bench-tokens">{buttons}{clear}</div>',
        f'<div class="bench-halves"><div>{shown.html}</div><div>{said}</div></div>',
    )


def found(run: panel.Run, shown: Shown | str) -> str:
    """Numbers and figure of a text; nothing before it was read."""
    return (study_numbers(run.extra) if run.extra is not None else "") + body(shown)


def automaton_card(run: panel.Run, word: Any, shown: Shown | str) -> Any:
    """The automaton of the text under one last token, and its files."""
    if run.extra is None or word is None:
        return panel.card(panel.heading(3, "The automaton of this text"), body(shown))
    prompts, last = run.extra.data.training, word.value
    graphml = mo.download(lambda: graph_files(prompts, last)[0].encode(), "automaton.graphml", label="GraphML")
    node_link = mo.download(lambda: graph_files(prompts, last)[1].encode(), "automaton.json", label="JSON")
    return panel.card(
        panel.heading(3, "The automaton of this text"),
        f'<div class="bench-row">{word}{graphml}{node_link}</div>{body(shown)}',
    )
