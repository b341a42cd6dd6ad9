"""Writes ``notebooks/<room>.ipynb``, executed, for each room or for those named: ``python -m notebooks._app.lab``.

A room's cells are in ``notebooks/_app/lab_<room>.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import nbformat

from theory.core import catalog

HOME = Path(__file__).resolve().parent.parent


def target(room_id: str) -> Path:
    """Where a room's notebook for JupyterLab is."""
    return HOME / f"{room_id}.ipynb"


def build(room_id: str) -> nbformat.NotebookNode:
    """A room's notebook without outputs; a cell is text when its first line is a heading."""
    cells = []
    for number, source in enumerate(import_module(f"notebooks._app.lab_{room_id}").CELLS):
        text = source.startswith("#")
        cell = nbformat.v4.new_markdown_cell(source) if text else nbformat.v4.new_code_cell(source)
        cell["id"] = f"cell-{number}"
        cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def execute(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with the outputs of a fresh kernel; raises when a cell fails."""
    from nbclient import NotebookClient

    return NotebookClient(notebook, timeout=300, kernel_name="python3", record_timing=False).execute()


def main(room_ids: Sequence[str]) -> int:
    """Execute and write."""
    for name in room_ids or catalog.room_ids():
        nbformat.write(execute(build(name)), target(name))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
