"""The opening picture of every preset of every room, before anything was measured: none may leave the page empty."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from theory.core import catalog
from widgets.kit import page, panel

PRESETS = [(room.id, preset.name) for room in catalog.rooms() for preset in room.presets]


def opening(room_id: str, now: Any, screen: page.Screen) -> page.Shown:
    """The opening picture of a room where the controls stand, without a run."""
    module: Any = import_module(f"widgets.{room_id}.page")
    run = panel.Run()
    if room_id == "next_token":
        return module.talk(now.problem, module.last_of(now.problem, None), now.params, run, screen)
    return module.talk(now, run, screen) if room_id == "ccmc" else module.talk(now, run, run, screen)


@pytest.mark.parametrize(("room_id", "preset"), PRESETS)
def test_every_preset_opens_with_a_picture(room_id: str, preset: str) -> None:
    query: dict[str, str | list[str]] = {"preset": preset}
    now = page.Visit.of(import_module(f"widgets.{room_id}.page").PAGE, query).now
    shown = opening(room_id, now, page.Screen.of(query))
    assert "bench-figure" in shown.html
    assert "NaN" not in shown.html
