"""Layout of the room ``next_token``: the cards of its sections, and the export of every figure."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import marimo as mo

from theory.next_token.prompts import Prompts
from theory.report import reproduce_command
from theory.vocabulary import Room
from widgets import panel
from widgets.export import export_zip
from widgets.rooms.next_token import Shown
from widgets.rooms.next_token_tests import DENSE_NAMES, weights_file

JUDGED = ("talk_picture", "correlation", "finite_part", "loss_gap", "extraction", "playground")
"""Figures of the run that the verdict is about; the others belong to no check."""


def joined(elements: Any) -> str:
    """Controls one after the other, as HTML."""
    return "".join(f"{element}" for element in elements)


def footer(presets: Any, *buttons: Any) -> str:
    """Below the sliders: presets, reset, pin."""
    return (
        '<div class="bench-presets"><span class="bench-label">Presets</span>'
        + joined(presets)
        + f'</div><div class="bench-row">{joined(buttons)}</div>'
    )


@dataclass(frozen=True)
class Pinned:
    """A setting that is kept on the page while the sliders move."""

    shown: Shown
    params: Any
    result: Any


def dock(side: str) -> Any:
    """The card of the controls. It is an output of its own, so that the page need not draw it again on each move."""
    return mo.Html(
        f'<div class="bench bench-dock"><div class="bench-card"><h2 class="bench-eyebrow">Play</h2>{side}</div></div>'
    )


def stage(style: str, notes: Any, last: Any, shown: Shown, progress: str, verdict: str, kept: Pinned | None) -> Any:
    """The card beside the controls: the talk picture, progress, verdict, and what is pinned."""
    choice = f"{last}" if len(last.options) > 1 else ""
    return mo.Html(
        f'<div class="bench bench-stage"><div class="bench-card" id="play">{style}{notes}'
        f'<div class="bench-main">{choice}{shown.html}{progress}{verdict}</div>{_pinned(kept)}</div></div>'
    )


def _pinned(kept: Pinned | None) -> str:
    if kept is None:
        return ""
    changed = ", ".join(f"{name} {value}" for name, value in kept.params.changed().items()) or "the defaults"
    badge = panel.ruler.badge(kept.result.verdict) if kept.result else ""
    return f'<div class="bench-pinned"><h3>Pinned: {html.escape(changed)} {badge}</h3>{kept.shown.html}</div>'


def test_card(picker: Any, shown: Shown | str, run: panel.Run, problem: Prompts, params: Any) -> Any:
    """The card of the section *Test*: a figure, every check of the verdict, the trained weights."""
    body = shown if isinstance(shown, str) else shown.html
    rows: list[list[str]] = []
    if run.result is not None:
        for judged in run.result.verdict.checks:
            rows.append([judged.check.name, judged.status.replace("_", " "), judged.explanation])
        for name, verdict in run.result.rivals.items():
            rows.append([f"rival: {name}", verdict.status.replace("_", " "), verdict.explanation])
    checks = panel.table(("check", "verdict", "why"), rows) if rows else ""
    files = ""
    if run.raw is not None and "logits" in run.raw and problem.vocab_size <= DENSE_NAMES:
        files = mo.download(
            data=lambda: weights_file(problem, params, run),
            filename="next_token_weights.safetensors",
            label="Trained weights (safetensors)",
        )
    return panel.card(
        f"<div>{picker}</div>{body}",
        f'<details class="bench-more"><summary>Every check and every rival</summary>{checks}</details>' if rows else "",
        f'<div class="bench-row">{files}</div>',
    )


def break_card(presets: Any, contradicting: str, phases: Shown) -> Any:
    """The card of the section *Break it*."""
    return panel.card(
        f'<div class="bench-row bench-breaking">{joined(presets)}</div>',
        f"<h3>Which prompts contradict each other?</h3>{contradicting}",
        f"<h3>When do random data contradict themselves?</h3>{phases.html}",
    )


def export_card(room: Room, run: panel.Run, shown: tuple[Shown | str, ...]) -> Any:
    """The card of the section *Export*: one zip per figure, and the command that repeats the check."""
    buttons = [
        mo.download(
            data=lambda figure=figure: zipped(room, run.result if figure.name in JUDGED else None, figure),
            filename=f"{room.id}-{figure.name}.zip",
            mimetype="application/zip",
            label=figure.name.replace("_", " "),
        )
        for figure in shown
        if isinstance(figure, Shown)
    ]
    command = f"<pre class='bench-code'>{html.escape(reproduce_command(run.result))}</pre>" if run.result else ""
    return panel.card(
        f'<div class="bench-row">{joined(buttons)}</div>',
        f"<h3>The same numbers elsewhere</h3>{command}" if command else "",
    )


def zipped(room: Room, result: Any, shown: Shown) -> bytes:
    """The export of one figure; what could not be made is said inside the zip."""
    content, _ = export_zip(
        result, shown.build(False, False), caption=shown.caption, data=shown.data, room=room, upload=shown.upload
    )
    return content
