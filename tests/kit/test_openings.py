"""The opening picture of every preset of every room, before anything was measured: none may leave the page empty."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from theory.core import catalog
from widgets.kit import page, panel

pytestmark = pytest.mark.slow

PRESETS = [(room.id, preset.name) for room in catalog.rooms() for preset in room.presets]


@pytest.mark.parametrize(("room_id", "preset"), PRESETS)
def test_every_preset_opens_with_a_picture(room_id: str, preset: str) -> None:
    query: dict[str, str | list[str]] = {"preset": preset}
    module: Any = import_module(f"widgets.{room_id}.page")
    shown = module.talk(page.Visit.of(module.PAGE, query).now, panel.Run(), page.Screen.of(query))
    assert "bench-figure" in shown.html
    assert "NaN" not in shown.html
