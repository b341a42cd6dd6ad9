"""The cards that every room's page is laid out in, and the export of its figures."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import marimo as mo

from theory.core.report import reproduce_command
from theory.core.vocabulary import Room
from widgets.kit import controls, panel
from widgets.kit.export import export_zip
from widgets.kit.page import Now, Page, Pinned, Shown, Visit


def joined(elements: Iterable[Any]) -> str:
    """Controls one after the other, as HTML."""
    return "".join(f"{element}" for element in elements)


def body(shown: Shown | str) -> str:
    """A figure, or the sentence in its place, as HTML."""
    return shown if isinstance(shown, str) else shown.html


class PlayControls(NamedTuple):
    """The controls of the section *Play*; marimo follows those that a cell binds to names of their own."""

    sliders: Any
    picker: Any
    presets: Any
    breaking: Any
    buttons: Any
    cancel: Any


def play_controls(
    visit: Visit, point: controls.Point, set_point: Callable[[Any], None], set_pin: Callable[[Any], None]
) -> PlayControls:
    """Sliders, the claims' menu, presets that keep and that break assumptions, reset and pin, and cancel."""
    room, home, opening = visit.page.room, visit.page.home, visit.page.opening
    sliders = controls.build(room, point)
    reset = mo.ui.button(label="Reset", on_change=lambda _: set_point(controls.Point(home, opening)))
    pin = mo.ui.button(
        label="Pin / unpin",
        tooltip="keep this figure in view while the sliders move",
        on_change=lambda _: set_pin(lambda pinned: None if pinned else visit.shown),
    )
    return PlayControls(
        sliders,
        controls.claim_picker(room, point, lambda: visit.now.params, set_point),
        controls.presets(room, point, set_point, breaking=False),
        controls.presets(room, point, set_point, breaking=True),
        mo.ui.array([reset, pin]),
        mo.ui.button(label="cancel", on_change=lambda _: visit.stopped.set()),
    )


def choice(menu: Any) -> str:
    """A menu as HTML; nothing where there is nothing to choose."""
    return f"{menu}" if len(menu.options) > 1 else ""


def dock(page: Page, sliders: Any, presets: Any, buttons: Iterable[Any], first: str = "") -> Any:
    """The card of the controls. It is an output of its own, so that the page need not draw it again on each move.

    ``first`` stands above the sliders.
    """
    footer = (
        '<div class="bench-presets"><span class="bench-label">Presets</span>'
        f'{joined(presets)}</div><div class="bench-row">{joined(buttons)}</div>'
    )
    side = first + controls.layout(page.room, sliders, page.sliders, footer)
    return mo.Html(
        f'<div class="bench bench-dock"><div class="bench-card">{panel.heading(2, "Play", "bench-eyebrow")}{side}</div>'
        "</div>"
    )


def stage(page: Page, now: Now, parts: Iterable[Any], run: panel.Run, cancel: Any, pinned: Pinned | None) -> Any:
    """The card beside the controls: the opening picture, progress, verdict, and what is pinned."""
    return mo.Html(
        f'<div class="bench bench-stage"><div class="bench-card" id="play">{controls.hide_idle(page.room, now.params)}'
        f'{panel.notes(now.said)}<div class="bench-main">{joined(parts)}{panel.progress(run, cancel)}'
        f"{panel.verdict(run)}</div>{_pinned(pinned)}</div></div>"
    )


def _pinned(kept: Pinned | None) -> str:
    if kept is None:
        return ""
    changed = ", ".join(f"{name} {value}" for name, value in kept.params.changed().items()) or "the defaults"
    badge = panel.ruler.badge(kept.result.verdict) if kept.result else ""
    title = panel.heading(3, f"Pinned: {html.escape(changed)} {badge}")
    return f'<div class="bench-pinned">{title}{kept.shown.html}</div>'


def test_card(picker: Any, shown: Shown | str, judged: Shown | str, run: panel.Run, files: Iterable[Any]) -> Any:
    """The card of the section *Test*: the claim's picture with every check and rival, a figure to choose, files."""
    rows: list[list[str]] = []
    if run.result is not None:
        for found in run.result.verdict.checks:
            rows.append([found.check.name, found.status.replace("_", " "), found.explanation])
        for name, verdict in run.result.rivals.items():
            rows.append([f"rival: {name}", verdict.status.replace("_", " "), verdict.explanation])
    checks = panel.table(("check", "verdict", "why"), rows) if rows else ""
    return panel.card(
        body(judged),
        f'<details class="bench-more"><summary>Every check and every rival</summary>{checks}</details>' if rows else "",
        f"<div>{picker}</div>{body(shown)}",
        f'<div class="bench-row">{joined(files)}</div>',
    )


def break_card(presets: Any, *parts: str) -> Any:
    """The card of the section *Break it*: presets that leave the assumptions, and what fails then."""
    return panel.card(f'<div class="bench-row bench-breaking">{joined(presets)}</div>', *parts)


def own_card(title: str, inputs: Iterable[Any], run: panel.Run, found: str) -> Any:
    """Input on the left, what was found on the right; an error is a sentence, and what was typed stays."""
    error = f'<div class="bench-note bench-error" role="alert">{panel.escape(run.message)}</div>' if run.message else ""
    return panel.card(
        panel.heading(3, html.escape(title)),
        f'<div class="bench-grid bench-own"><div class="bench-controls">{joined(inputs)}</div>'
        f"<div>{error}{found}</div></div>",
    )


def derivation(steps: Iterable[tuple[str, str]]) -> Any:
    """A derivation, one step (title, markdown with formulas) after the other."""
    laid = "".join(
        f'<div class="bench-step">{panel.heading(3, f"{number}. {title}")}{mo.md(text).text}</div>'
        for number, (title, text) in enumerate(steps, start=1)
    )
    return mo.Html(f'<div class="bench"><div class="bench-card bench-steps">{laid}</div></div>')


def export_card(room: Room, run: panel.Run, shown: Iterable[Shown | str]) -> Any:
    """The card of the section *Export*: one zip per figure, and the command that repeats the check."""
    buttons = [
        mo.download(
            data=lambda figure=figure: zipped(room, run.result, figure),
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
        panel.heading(3, "The same numbers elsewhere") + command if command else "",
    )


def zipped(room: Room, result: Any, shown: Shown) -> bytes:
    """The export of one figure; what could not be made is said inside the zip."""
    content, _ = export_zip(
        result if shown.judged else None,
        shown.build(False, False),
        caption=shown.caption,
        data=shown.data,
        room=room,
        upload=shown.upload,
    )
    return content
