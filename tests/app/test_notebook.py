"""Each room's notebook runs headless from top to bottom, with its seven sections and its figures."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import pytest

from theory.core import catalog
from widgets.kit.page import Shown
from widgets.kit.panel import Run

pytestmark = pytest.mark.slow

SECTIONS = ("Statement", "Play", "Test", "Break it", "Why", "Your data", "Export")
TRACES = {
    "next_token": {"trained model", "attention layer"},
    "ccmc": {"simulated runs", "attention layer"},
    "distillation": {"best teacher (trained students)", "best factor, measured"},
    "icl": {"best step (theory)", "trained attention layers"},
}
"""What the opening picture of each room must show besides theory: simulation or training, and the real layer."""
FIGURES = {"next_token": 7, "ccmc": 6, "distillation": 5, "icl": 4}
"""How many figures each room's page shows at once."""

Ran = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module", params=catalog.room_ids())
def ran(request: pytest.FixtureRequest) -> Ran:
    """A room, all text that its cells show, and the names that they define."""
    outputs, names = import_module(f"notebooks.{request.param}").app.run()
    return request.param, "\n".join(getattr(output, "text", "") for output in outputs), dict(names)


def test_has_seven_sections_in_order(ran: Ran) -> None:
    found = [title for title in re.findall(r'aria-level="2"[^>]*>([^<]+)</div>', ran[1]) if title in SECTIONS]
    assert found == list(SECTIONS)


def test_shows_theory_and_measurement_of_the_real_layer(ran: Ran) -> None:
    run: Run = ran[2]["run"]
    assert run.state == "done", run.message
    assert run.result is not None
    assert run.result.verdict.status == "holds"
    talk: Shown = ran[2]["talk"]
    names = {trace.name for trace in talk.build(False, False).data}
    assert TRACES[ran[0]] <= names


def test_every_figure_says_what_it_shows(ran: Ran) -> None:
    figures = {name: found for name, found in ran[2].items() if isinstance(found, Shown)}
    assert len(figures) == FIGURES[ran[0]], sorted(figures)
    for shown in figures.values():
        assert len(shown.build(True, True).layout.meta["alt"]) > 40
        assert all(len(dataset.variables) for dataset in shown.data.values())
