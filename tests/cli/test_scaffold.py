"""A new room, a claim added by the walk-through of CONTRIBUTING.md, and a room of another installed package.

Each in a copy of the checkout or an environment of its own, as a person would do it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from theory.cli import scaffold
from theory.core.errors import BenchError, ParameterError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ROOM = "my_room"
LONGEST_CLAIM = 100
"""Lines that a new claim may cost, its theory and its experiment included."""
BLOCK = re.compile(r"^( *)```python\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
IGNORED = (
    ".git",
    ".venv",
    ".lock",
    "build",
    "look",
    "*.egg-info",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
    "__marimo__",
)


def run(folder: Path, *words: str, code: int = 0) -> str:
    """What a command prints in a checkout at ``folder``."""
    environment = os.environ | {"PYTHONPATH": str(folder), "THEOREM_BENCH_STORE": str(folder / ".store")}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a new room, to which the walk-through has added a claim."""
    folder = tmp_path_factory.mktemp("checkout") / "bench"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*IGNORED))
    written = json.loads(run(folder, "-m", "theory.cli", "new-room", ROOM, "--json"))["written"]
    assert written and all(Path(path).is_file() for path in written)
    walk_through(folder)
    return folder


def walk_through(folder: Path) -> None:
    """Write the blocks of CONTRIBUTING.md to the files that their first lines name, and list the claim."""
    lines = 0
    for _, text in BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text()):
        first, _, body = textwrap.dedent(text).partition("\n")
        lines += len([line for line in body.splitlines() if line.strip()])
        name, _, where = first.removeprefix("# ").partition(": ")
        if not where:
            (folder / name).write_text(body)
            continue
        listed = (folder / name).read_text()
        listed = listed.replace("PAPER = ", f"{body}\n\nPAPER = ", 1).replace("claims=(mean,)", "claims=(mean, median)")
        (folder / name).write_text(listed)
    assert 0 < lines <= LONGEST_CLAIM


def test_the_new_claims_hold_on_the_command_line(checkout: Path) -> None:
    listed = json.loads(run(checkout, "-m", "theory.cli", "list", "--json"))
    assert [entry["claim"] for entry in listed if entry["room"] == ROOM] == [f"{ROOM}-mean", f"{ROOM}-median"]
    for name in ("mean", "median"):
        asked = ("check", f"{ROOM}/{name}", "--rivals", "--json", "--no-store")
        found = json.loads(run(checkout, "-m", "theory.cli", *asked))
        assert (found["id"], found["verdict"]["status"]) == (f"{ROOM}/{name}", "holds")
        assert {verdict["status"] for verdict in found["witnesses"]} == {"fails"}
    said = run(checkout, "-m", "theory.cli", "check", f"{ROOM}/mean", "--set", "tails=cauchy", "--no-store", code=3)
    assert "finite variance" in said


def test_the_new_room_passes_the_contract_tests(checkout: Path) -> None:
    files = (
        "core/test_protocol.py",
        "core/test_properties.py",
        "core/test_fingerprint.py",
        "kit/test_openings.py",
        ROOM,
    )
    done = run(checkout, "-m", "pytest", "-q", "-k", ROOM, *(f"tests/{name}" for name in files), f"theory/{ROOM}")
    assert int(re.findall(r"(\d+) passed", done)[0]) > 20


def test_the_page_shows_the_new_claims_with_picture_and_ruler(checkout: Path) -> None:
    code = f"""
        import json
        from notebooks import {ROOM}
        from widgets.kit import pictures
        outputs, names = {ROOM}.app.run()
        text = "".join(getattr(output, "text", "") for output in outputs)
        picture = names["talk"].build(False, False)
        svg = pictures.thumbnail("{ROOM}", names["run"].result, dark=False)
        print(json.dumps([text, sorted(str(trace.name) for trace in picture.data), svg]))
    """
    text, traces, svg = json.loads(run(checkout, "-c", textwrap.dedent(code)).splitlines()[-1])
    for shown in ("The median wastes a third", "Averaging divides the noise", "bench-ruler", "Holds", "Your data"):
        assert shown in text, shown
    assert {"predicted", "measured", "rival: one fewer"} <= set(traces)
    assert svg.startswith("<svg")


def test_the_gallery_shows_the_new_room(checkout: Path) -> None:
    code = (
        f"from notebooks._app import server; print([room.id for room in server.rooms()], server.notebook_of('{ROOM}'))"
    )
    said = run(checkout, "-c", code)
    assert f"'{ROOM}'" in said and f"notebooks/{ROOM}.py" in said


def test_a_room_of_another_package_is_found(tmp_path: Path) -> None:
    """A tiny package in an environment of its own that names its room as an entry point."""
    run(ROOT, "-m", "venv", "--system-site-packages", "--without-pip", str(tmp_path / "env"))
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    ours = {path for path in sys.path if path.endswith("site-packages")}
    (site / "beside.pth").write_text("\n".join([*ours, str(ROOT)]))
    package, about = site / "foreign", site / "foreign-1.0.dist-info"
    package.mkdir()
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[theorem_bench.rooms]\ntoy = foreign.claims:ROOM\n")
    (package / "__init__.py").write_text("")
    (package / "claims.py").write_text((ROOT / "tests" / "toy.py").read_text())
    (package / "notebook.py").write_text("import marimo\n")
    python = str(tmp_path / "env" / "bin" / "python")
    environment = os.environ | {"THEOREM_BENCH_STORE": str(tmp_path / "store")}

    def outside(*words: str) -> str:
        done = subprocess.run([python, *words], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    found: Any = json.loads(outside("-m", "theory.cli", "check", "toy/heads", "--json"))
    assert found["verdict"]["status"] == "holds"
    assert (
        json.loads(outside("-m", "theory.cli", "check", "loss-gap", "--json", "--no-store"))["id"]
        == "next_token/loss-gap"
    )
    code = "from notebooks._app import server; print(server.rooms()[-1].id, server.notebook_of('toy'))"
    assert outside("-c", code).split() == ["toy", str(package / "notebook.py")]


@pytest.mark.parametrize("name", ["", "x", "My_room", "1st", "a-b", "class", "core", "ccmc", "a" * 41, "../evil"])
def test_names_are_checked(name: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="name"):
        scaffold.new_room(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no checkout"):
        scaffold.new_room("fresh", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "fresh.py").write_text("mine")
    with pytest.raises(BenchError, match="exists already"):
        scaffold.new_room("fresh", tmp_path)
    assert (tmp_path / "notebooks" / "fresh.py").read_text() == "mine"
    assert not (tmp_path / "theory").exists()
