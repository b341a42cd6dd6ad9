"""``theory new-room NAME``: a room with one toy claim, page, notebook and test, to begin from."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from theory.core import catalog
from theory.core.errors import BenchError, ParameterError

ROOT = Path(__file__).parents[2]
TEMPLATE = Path(__file__).parent / "template"
SUFFIX = ".tmpl"
TAKEN = frozenset({"core", "cli", "shared", "kit", "static", "app", "pages"})
"""Folders beside the rooms."""


def new_room(name: str, root: Path = ROOT) -> tuple[Path, ...]:
    """Write the files of the room ``name`` into the checkout at ``root``; returns their paths.

    Raises:
        ParameterError: ``name`` is not a Python name in lower case, or is taken. BenchError: there is no checkout.
    """
    if re.fullmatch(r"[a-z][a-z0-9_]{1,39}", name) is None or keyword.iskeyword(name):
        raise ParameterError("name", name, "a Python name in lower case with 2 to 40 letters, such as my_room")
    if name in TAKEN or name in catalog.room_ids():
        raise ParameterError("name", name, "a name that no room and no folder beside the rooms has")
    if not (root / "pyproject.toml").is_file():
        raise BenchError(
            f"{root} holds no checkout of the project: rooms of other packages are described in README.md."
        )
    title = name.replace("_", " ").capitalize()
    text = {
        _target(path, name, root): path.read_text(encoding="utf-8")
        .replace("{{room}}", name)
        .replace("{{title}}", title)
        for path in sorted(TEMPLATE.rglob(f"*{SUFFIX}"))
    }
    if present := [path for path in text if path.exists()]:
        raise BenchError(f"{present[0]} exists already: nothing was written.")
    for path, content in text.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    catalog.room_ids.cache_clear()
    return tuple(sorted(text, key=lambda path: path.parts[len(root.parts)] != "theory"))


def _target(path: Path, name: str, root: Path) -> Path:
    """Where a template goes: ``theory/own/read.py.tmpl`` to ``theory/<name>/own/read.py``; a notebook is one file."""
    top, *below = path.relative_to(TEMPLATE).parts
    if top == "notebooks":
        return root / top / f"{name}.py"
    return root / top / name / Path(*below[:-1]) / below[-1].removesuffix(SUFFIX).replace("test_room", f"test_{name}")
