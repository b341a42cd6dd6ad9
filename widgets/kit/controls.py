"""Parameters as controls: sliders, menus, presets and the page's address, all read off a room's parameter model.

A *point* is a claim, a preset and the values that differ from both: the address of a page says exactly that, and the
controls are built from it. Nothing here knows which room it serves.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import marimo as mo

from theory.core.parameters import Spec, canonical, clamp, ladder, parse, read_value, specs
from theory.core.vocabulary import Claim, Preset, Room

VISITOR_KEYS = frozenset(
    {"theme", "layout", "token", "file", "access_token", "refresh_token", "session_id", "kiosk", "show-code"}
)
"""Keys of the address that say who looks and how, not at what."""
PAGE_KEYS = VISITOR_KEYS | {"claim", "preset", "shown"}
"""Keys of the address that are not parameters."""


@dataclass(frozen=True)
class Point:
    """Where a visitor stands: a claim, a preset (or ""), the values that differ from both, and which part is shown.

    ``shown`` is a token's number, where the page shows one token's part at a time.
    """

    claim: str
    preset: str = ""
    values: Mapping[str, object] = field(default_factory=dict[str, object])
    shown: int | None = None
    notes: tuple[str, ...] = ()


def claim_of(room: Room, claim_id: str) -> Claim:
    """The room's claim with this id."""
    return next(claim for claim in room.claims if claim.id == claim_id)


def preset_of(room: Room, name: str) -> Preset | None:
    """The room's preset with this name, or None."""
    return next((preset for preset in room.presets if preset.name == name), None)


def from_address(room: Room, query: Mapping[str, str | list[str]], claim_id: str) -> Point:
    """The point that an address describes; a bare address leads to ``claim_id`` at its own defaults.

    Whatever cannot be used is left out and said in a sentence of ``notes``: an address never raises.
    """
    given = {key: value[-1] if isinstance(value, list) else value for key, value in query.items()}
    notes: list[str] = []
    wanted = given.get("claim", _home(room, given.get("preset", ""), claim_id))
    if wanted not in (known := [claim.id for claim in room.claims]):
        notes.append(f"claim = {_short(wanted)} is not known: expected one of {', '.join(known)}.")
        wanted = claim_id
    preset = given.get("preset", "")
    if preset and preset_of(room, preset) is None:
        known = [found.name for found in room.presets]
        notes.append(f"preset = {_short(preset)} is not known: expected one of {', '.join(known)}.")
        preset = ""
    values = {key: read_value(text) for key, text in given.items() if key not in PAGE_KEYS}
    usable: dict[str, object] = {}
    for key, value in values.items():
        found, said = clamp(room.Params, {key: value})
        notes.extend(said)
        usable |= found.changed()
        if not said:
            usable |= {name: getattr(found, name) for name in canonical(room.Params, {key: value})}
    shown = given.get("shown", "")
    if shown and not shown.isdecimal():
        notes.append(f"shown = {_short(shown)} is not allowed: expected the number of a token.")
    point = Point(wanted, preset, usable, int(shown[:6]) if shown.isdecimal() else None)
    params, said = settle(room, point, {})
    return Point(wanted, preset, differing(room, point, params), point.shown, (*notes, *said))


def base(room: Room, point: Point) -> dict[str, Any]:
    """All parameter values at a point's claim and preset, before the visitor changed any."""
    preset = preset_of(room, point.preset)
    changed = canonical(room.Params, claim_of(room, point.claim).defaults)
    changed |= canonical(room.Params, preset.values if preset else {})
    return parse(room.Params, changed).model_dump()


def settle(room: Room, point: Point, moved: Mapping[str, object]) -> tuple[Any, tuple[str, ...]]:
    """The parameters at a point with some controls moved, inside the bounds that they leave each other.

    Returns the parameters and a sentence for every value that had to give way.
    """
    values = base(room, point) | dict(point.values) | dict(moved)
    params, notes = clamp(room.Params, values)
    bounds: dict[str, tuple[float, float]] = {}
    for _ in range(3):  # a bound may move when another value gives way
        bounds = room.bounds(params)
        params, more = clamp(room.Params, params.model_dump(), bounds)
        if not more:
            break
        notes = (*notes, *more)
    return params, notes


def differing(room: Room, point: Point, params: Any) -> dict[str, object]:
    """The values of ``params`` that differ from those of the point's claim and preset."""
    start = base(room, point)
    return {name: value for name, value in params.model_dump().items() if value != start[name]}


def address(room: Room, point: Point, params: Any, claim_id: str) -> dict[str, str]:
    """The keys and values of the address of this page; ``claim_id`` is left out because a bare address means it."""
    found = {name: _written(value) for name, value in differing(room, point, params).items()}
    if point.preset:
        found["preset"] = point.preset
    if point.claim != _home(room, point.preset, claim_id):
        found["claim"] = point.claim
    if point.shown is not None:
        found["shown"] = str(point.shown)
    return found


def write_address(query: Any, wanted: Mapping[str, str]) -> None:
    """Make ``mo.query_params()`` say ``wanted``, leaving the keys of the page and the server alone."""
    for key in list(query.to_dict()):
        if key not in wanted and key not in VISITOR_KEYS:
            query.remove(key)
    for key, value in wanted.items():
        if query.get(key) != value:
            query[key] = value


def build(room: Room, point: Point) -> Any:
    """One control per parameter (arrays have none), as a ``mo.ui.dictionary`` keyed by parameter name."""
    params, _ = settle(room, point, {})
    made = {
        spec.name: _control(spec, getattr(params, spec.name)) for spec in specs(room.Params) if spec.kind != "array"
    }
    return mo.ui.dictionary(made)


def layout(room: Room, controls: Any, shown: tuple[str, ...], footer: str = "") -> str:
    """The controls as a column: ``shown`` first and in that order, the others folded away under *Advanced*."""
    by_name = {spec.name: spec for spec in specs(room.Params) if spec.kind != "array"}
    folded = [name for name in by_name if name not in shown]

    def row(name: str) -> str:
        hint = html.escape(by_name[name].description, quote=True)
        return f'<div class="bench-control" data-parameter="{name}" title="{hint}">{controls[name]}</div>'

    first = "".join(row(name) for name in shown)
    rest = "".join(row(name) for name in folded)
    more = f'<details class="bench-more"><summary>Advanced</summary>{rest}</details>' if rest else ""
    return f'<div class="bench-controls">{first}{more}{footer}</div>'


def hide_idle(room: Room, params: Any) -> str:
    """A style sheet that hides the controls which do nothing at ``params``; they keep their places and values."""
    active = room.active(params)
    idle = [f'[data-parameter="{spec.name}"]' for spec in specs(room.Params) if spec.name not in active]
    return f"<style>{','.join(idle)} {{ display: none; }}</style>" if idle else ""


def presets(room: Room, point: Point, choose: Any, *, breaking: bool | None = None) -> Any:
    """Buttons for the presets (all, or only those that do or do not leave the assumptions); ``choose`` sets a point."""
    found = [preset for preset in room.presets if breaking in (None, preset.breaks)]

    def button(preset: Preset) -> Any:
        label = f"**{preset.title}**" if preset.name == point.preset else preset.title
        return mo.ui.button(
            label=label,
            tooltip=preset.shows,
            on_change=lambda _: choose(Point(preset.claim or point.claim, preset.name)),
        )

    return mo.ui.array([button(preset) for preset in found])


def claim_picker(room: Room, point: Point, current: Callable[[], Any], choose: Any) -> Any:
    """A menu of the room's claims; choosing one keeps what the visitor has changed in the ``current()`` parameters."""
    titles = {claim.title: claim.id for claim in room.claims}

    def go(claim_id: str) -> None:
        choose(Point(claim_id, point.preset, differing(room, point, current())))

    title = claim_of(room, point.claim).title
    return mo.ui.dropdown(titles, value=title, label="Claim", allow_select_none=False, on_change=go)


def _home(room: Room, preset_name: str, claim_id: str) -> str:
    """The claim that an address without one means: its preset's, else ``claim_id``."""
    preset = preset_of(room, preset_name)
    return (preset.claim if preset else "") or claim_id


def _control(spec: Spec, value: Any) -> Any:
    label = f"{spec.label} <i>{html.escape(spec.symbol)}</i>"
    if spec.kind == "choice":
        return mo.ui.dropdown(list(spec.choices), value=value, label=label, full_width=True)
    integer = spec.kind == "integer"
    if spec.default is None:
        unset = "not set"
        options = {unset: None} | {f"{rung:,}": rung for rung in ladder(spec, value)}
        chosen = unset if value is None else f"{value:,}"
        return mo.ui.dropdown(options, value=chosen, label=label, full_width=True)
    if spec.scale == "log10":
        return mo.ui.slider(steps=ladder(spec, value), value=value, label=label, show_value=True, full_width=True)
    low, high, step = (round(x) if integer else x for x in (spec.low, spec.high, spec.step))
    return mo.ui.slider(low, high, step, value=value, label=label, show_value=True, full_width=True)


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
