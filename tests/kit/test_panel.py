"""Background runs: moving on stops a training, and what was not finished leaves no trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from theory.core import catalog
from theory.core.bench import check_claim
from theory.core.errors import Cancelled
from widgets.kit import panel
from widgets.next_token import page as next_token


def subject(**values: object) -> tuple[Any, Any, Any]:
    """Claim, parameters and problem of the page's opening run."""
    claim = catalog.claim(next_token.HOME)
    params: Any = catalog.parameters(claim, values)
    return claim, params, catalog.room("next_token").draw(params, params.data_seed)


def test_moving_on_cancels_a_running_training_and_stores_nothing(store_path: Path) -> None:
    asked: list[int] = []

    def moved_on() -> bool:
        asked.append(1)
        return len(asked) > 3

    claim, params, problem = subject(steps=1_000_000)
    with pytest.raises(Cancelled):
        check_claim(claim, params, 1, problem=problem, rivals=False, stop=moved_on)
    assert len(asked) == 4
    assert [path for path in store_path.rglob("*") if path.is_file()] == []


def test_a_cancelled_run_says_so_and_keeps_what_was_measured(store_path: Path) -> None:
    seen: list[panel.Run] = []
    claim, params, problem = subject(steps=1_000_000)
    job = next_token.job(claim, params, problem)
    panel._run(panel.Run("key", "running"), job, seen.append, lambda: any(run.fraction > 0 for run in seen))
    assert seen[0].state == "running"
    assert seen[-1].state == "cancelled"
    assert seen[-1].result is None
    assert seen[-1].extra is None
    assert "run it again" in seen[-1].message
    assert [path for path in store_path.rglob("*") if path.is_file()] == []
