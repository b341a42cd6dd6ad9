"""The room's notebook runs headless from top to bottom, with its seven sections and its figures."""

from __future__ import annotations

import re
from typing import Any

import pytest

from notebooks.next_token import app
from widgets.panel import Run
from widgets.rooms.next_token import Shown

SECTIONS = ("Statement", "Play", "Test", "Break it", "Why", "Your data", "Export")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """All text that the cells show, and the names that they define."""
    outputs, names = app.run()
    return "\n".join(getattr(output, "text", "") for output in outputs), dict(names)


def test_has_seven_sections_in_order(ran: tuple[str, dict[str, Any]]) -> None:
    found = [title for title in re.findall(r"<h2[^>]*>([^<]+)</h2>", ran[0]) if title in SECTIONS]
    assert found == list(SECTIONS)


def test_shows_theory_and_measurement_of_the_real_layer(ran: tuple[str, dict[str, Any]]) -> None:
    run: Run = ran[1]["run"]
    assert run.state == "done"
    assert run.result is not None
    assert run.result.verdict.status == "holds"
    talk: Shown = ran[1]["talk"]
    names = {trace.name for trace in talk.build(False, False).data}
    assert {"trained model", "attention layer"} <= names


@pytest.mark.parametrize("name", ["talk", "test", "phases", "playground", "text_figure", "automaton"])
def test_every_figure_says_what_it_shows(ran: tuple[str, dict[str, Any]], name: str) -> None:
    shown: Shown = ran[1][name]
    assert len(shown.build(True, True).layout.meta["alt"]) > 40
    assert all(len(dataset.variables) for dataset in shown.data.values())
