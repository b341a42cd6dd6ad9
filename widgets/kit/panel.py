"""The frame around every room: header, statement, verdict, progress, and experiments that run in the background."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from html import escape
from typing import Any, Literal

import marimo as mo
from marimo._entrypoints import registry
from marimo._runtime.context import get_context

from theory.core.bench import Result
from theory.core.errors import BenchError, Cancelled
from theory.core.vocabulary import Assumption, Claim, Room, Stop
from widgets.kit import live, ruler

EXPERIMENTS = threading.BoundedSemaphore(2)
"""Visitors share one process: at most this many experiments compute at a time, the others wait their turn."""
UPDATE_SECONDS = 0.1
REST_SECONDS = 0.6
"""An experiment starts only after the controls have rested this long."""

sys.setswitchinterval(0.0005)  # an experiment must not make the page wait 5 ms for each message that it sends

# marimo reads the metadata of every installed package before each run of cells, in search of plugins: 5 ms of a move.
registry.get_entry_points = cache(registry.get_entry_points)

State = Literal["waiting", "running", "done", "cancelled", "failed"]


@dataclass(frozen=True)
class Run:
    """A background run as the page sees it; ``key`` says for which settings, so that stale results are not shown."""

    key: str = ""
    state: State = "waiting"
    fraction: float = 0.0
    seconds_left: float | None = None
    raw: Any = None
    """What was measured so far."""
    result: Result | None = None
    extra: Any = None
    message: str = ""
    subject: Any = None
    """What the run is about: sections that need not follow the hand show this, not the controls' latest position."""


def is_served() -> bool:
    """Whether a browser is looking at these cells, rather than an export or a test running them."""
    return mo.running_in_notebook()


Report = Callable[..., None]
"""``report(fraction, raw=..., result=..., extra=...)``: progress, and what is new since the last call."""
Job = Callable[[Report, Stop], None]


def current(run: Run, key: str) -> Run:
    """The run if it belongs to ``key``, else one that waits to begin."""
    return run if run.key == key else Run(key)


def run_in_background(
    key: str,
    job: Job,
    publish: Callable[[Run], None],
    cancelled: threading.Event | None = None,
    subject: Any = None,
    rested: Callable[[Any], None] | None = None,
) -> None:
    """Run ``job(report, stop)`` in a thread of the calling cell and publish its progress at most ten times a second.

    ``rested(subject)`` is called once the controls have rested, before the job starts.
    The thread is asked to stop when the cell runs again (the visitor moved on), the visitor's session has ended, or
    ``cancelled`` is set. Outside a served notebook (a script, a test) the job simply runs here and now.
    """
    if not mo.running_in_notebook():
        _run(Run(key, "running", subject=subject), job, publish, lambda: False)
        return
    names = get_context().globals  # emptied when the session ends, of which marimo tells no thread

    def work() -> None:
        thread = mo.current_thread()

        def stop() -> bool:
            return thread.should_exit or not names or (cancelled is not None and cancelled.is_set())

        start = time.monotonic() + REST_SECONDS
        while time.monotonic() < start:
            if stop():
                return
            time.sleep(0.02)
        if rested is not None:
            rested(subject)
        while not EXPERIMENTS.acquire(timeout=0.1):
            if stop():
                return
        try:
            _run(
                Run(key, "running", subject=subject),
                job,
                lambda run: None if thread.should_exit else publish(run),
                stop,
            )
        finally:
            EXPERIMENTS.release()
            _loaded_for_good()

    mo.Thread(target=work, daemon=True).start()


@cache
def _loaded_for_good() -> None:
    """Once per process: what an experiment needed to load is not searched for garbage again, 0.2 s of a slider move."""
    gc.collect()
    gc.freeze()


def also_when_over(publish: Callable[[Run], None], rest: Callable[[Run], None]) -> Callable[[Run], None]:
    """Publish every update to one state and only the last one to another, whose readers are slow to draw."""

    def both(run: Run) -> None:
        publish(run)
        if run.state != "running":
            rest(run)

    return both


def _run(latest: Run, job: Job, publish: Callable[[Run], None], stop: Stop) -> None:
    started = last = time.monotonic()

    def report(fraction: float, **found: Any) -> None:
        nonlocal last, latest
        now = time.monotonic()
        left = (now - started) * (1 - fraction) / fraction if fraction > 0.02 else None
        latest = replace(latest, fraction=fraction, seconds_left=left, **found)
        if found.keys() - {"raw"} or now - last >= UPDATE_SECONDS:
            last = now
            publish(latest)

    try:
        job(report, stop)
        publish(replace(latest, state="done", fraction=1.0))
    except Cancelled:
        publish(replace(latest, state="cancelled", message="Stopped. Move a control to run it again."))
    except BenchError as error:
        publish(replace(latest, state="failed", message=str(error)))
    except MemoryError:
        publish(replace(latest, state="failed", message="Not enough memory for this experiment: make it smaller."))


def header(room: Room, lead: str) -> Any:
    """Navigation, the finding as title, one sentence that says what to see, and the paper."""
    paper = room.paper
    return mo.Html(
        '<div class="bench-head"><nav class="bench-nav" aria-label="Theorem Bench">'
        '<a class="bench-home" href="/">Theorem Bench</a><a href="/">Gallery</a><span class="bench-gap"></span>'
        '<button type="button" data-bench-copy="">copy link</button>'
        '<button type="button" data-theme-switch="" aria-label="light or dark">◐</button></nav>'
        f"{heading(1, escape(room.finding), 'bench-title')}"
        f'<p class="bench-lead">{escape(lead)}</p>'
        f'<p class="bench-source">{escape(paper.authors)}, <a href="https://arxiv.org/abs/{paper.arxiv}" '
        f'rel="noreferrer" target="_blank">{escape(paper.title)}</a>, {escape(paper.venue)} '
        f"{paper.year}.</p></div>"
    )


def heading(level: int, title: str, kind: str = "") -> str:
    """A heading as HTML; ``title`` is escaped by the caller.

    A tag with a role, not ``<h2>``: marimo looks through the whole page for the places of real headings, for an
    outline of its own, each time that a cell is drawn. That took longer than the picture itself.
    """
    return f'<div role="heading" aria-level="{level}" class="{kind or f"bench-h{level}"}">{title}</div>'


def section(title: str, sentence: str) -> Any:
    """The heading of one of the seven sections; its anchor is the title in lower case."""
    anchor = title.lower().replace(" ", "-")
    return mo.Html(
        f'<div class="bench"><div class="bench-section" id="{anchor}">{heading(2, escape(title))}'
        f"<p>{escape(sentence)}</p></div></div>"
    )


def statement(claim: Claim, assumptions: Sequence[Assumption], picker: Any) -> Any:
    """The claim's formula beside its assumptions, each a chip that says whether it holds here and why."""
    formula = mo.md(f"$${claim.latex}$$").text
    kind = {"theorem": "Theorem of the paper.", "extension": "Extension, derived here.", "observation": "Observation."}
    return mo.Html(
        '<div class="bench"><div class="bench-card" id="statement">'
        f'<div class="bench-statement"><div>{heading(2, "Statement", "bench-eyebrow")}{picker}'
        f'</div><div class="bench-chips">{ruler.chips(assumptions)}</div>'
        f'<div class="bench-formula">{formula}</div></div>'
        f'<p class="bench-caption"><b>{kind[claim.kind]}</b> {escape(claim.statement)}</p></div></div>'
    )


def notes(sentences: Sequence[str], error: bool = False) -> Any:
    """Sentences about input that had to give way; nothing when there are none."""
    kind = "bench-note bench-error" if error else "bench-note"
    rows = "".join(f'<div class="{kind}" role="status">{escape(text)}</div>' for text in dict.fromkeys(sentences))
    return mo.Html(f'<div class="bench">{rows}</div>' if rows else "<span></span>")


def figure(fig: Any, alt: str) -> str:
    """A figure with its text alternative, as HTML to be placed in a layout."""
    if live.is_live(fig):
        return f'<div class="bench-figure">{live.html(fig)}</div>'
    return f'<div class="bench-figure" data-bench-alt="{escape(alt, quote=True)}">{mo.as_html(fig)}</div>'


def card(*parts: str) -> Any:
    """Parts below each other on one card of the page."""
    return mo.Html(f'<div class="bench"><div class="bench-card">{"".join(parts)}</div></div>')


def skeleton(height: int) -> str:
    """The place of a figure that is being computed."""
    return f'<div class="bench-skeleton" style="height:{height}px" role="status" aria-label="computing"></div>'


def progress(run: Run, cancel: Any) -> str:
    """A thin line with the time left and a way to stop; as high when nothing runs, so that nothing jumps."""
    if run.state == "running":
        left = f"{run.seconds_left:.0f} s left" if run.seconds_left and run.seconds_left >= 1 else "training…"
        bar = f'<span class="bench-bar"><i style="width:{100 * run.fraction:.0f}%"></i></span>'
        return f'<div class="bench-progress" role="status">{bar}<span>{left}</span>{cancel}</div>'
    text = "training starts when the controls rest" if run.state == "waiting" else run.message
    return f'<div class="bench-progress" role="status">{escape(text)}</div>'


def verdict(run: Run) -> str:
    """The badge, the ruler and the sentence that says why; the same height before and after."""
    if run.result is None:
        text = run.message or "The prediction stands; the measurement is under way."
        return (
            f'<div class="bench-verdict"><div>{ruler.badge(None)}</div><div></div>'
            f'<div class="bench-why">{escape(text)}</div></div>'
        )
    found = run.result
    return (
        f'<div class="bench-verdict"><div>{ruler.badge(found.verdict)}</div><div>{ruler.ruler(found)}</div>'
        f'<div class="bench-why">{escape(found.verdict.explanation)}<br>{cost(found)}</div></div>'
    )


def cost(result: Result) -> str:
    """What a verdict rests on, in a few words."""
    count = f"{len(result.instances)} data sets" if len(result.instances) > 1 else f"{result.seeds} seeds"
    said = f"{count}, {result.seconds:.1f} s" + ("" if result.computed else ", from the store")
    return escape(said)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """An HTML table of escaped cells."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="bench-scroll"><table class="bench-table"><tr>{top}</tr>{body}</table></div>'


def stats(values: Mapping[str, str]) -> str:
    """A line of numbers with their names."""
    parts = (f'<span class="bench-stat">{escape(k)} <b>{escape(v)}</b></span>' for k, v in values.items())
    return f'<div class="bench-stats">{"".join(parts)}</div>'


def sentence(text: str) -> str:
    """A sentence where a figure or a table would be."""
    return f'<p class="bench-caption">{escape(text)}</p>'
