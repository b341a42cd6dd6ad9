"""Public names are what they say: functions and classes, in a fresh process and after everything was imported."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import theory
from theory.core import catalog

ROOT = Path(theory.__file__).parents[1]
PACKAGES = ("theory", *(f"theory.{room}" for room in catalog.room_ids()))
EVERY_MODULE = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "theory").rglob("*.py")
    if path.name != "__main__.py"
)
FRESH = "import json\nfrom tests.core.test_names import wrong\nprint(json.dumps(wrong({package!r})))"


def wrong(package: str) -> list[str]:
    """What goes wrong when each public name is called without arguments: a function says what it misses."""
    home, found = import_module(package), list[str]()
    for name in home.__all__:
        try:
            getattr(home, name)()
        except TypeError as error:
            if "required" not in str(error):
                found.append(f"{name}: {error}")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_can_be_called_in_a_fresh_process(package: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FRESH.format(package=package)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_can_be_called_after_everything_was_imported(package: str) -> None:
    for module in EVERY_MODULE:
        import_module(module)
    assert wrong(package) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_listed_described_and_found_by_completion(package: str) -> None:
    home: Any = import_module(package)
    assert home.__doc__ and home.__all__
    assert dir(home) == sorted(home.__all__)
    for name in home.__all__:
        found = getattr(home, name)
        assert inspect.getdoc(found), f"{package}.{name} has no docstring"
        assert not inspect.ismodule(found)
    with pytest.raises(AttributeError):
        home.nonsense  # noqa: B018


@pytest.mark.parametrize("room", catalog.room_ids())
def test_every_room_publishes_something(room: str) -> None:
    assert len(import_module(f"theory.{room}").__all__) >= 10
