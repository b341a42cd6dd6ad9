"""Writes ``notebooks/next_token.ipynb``, executed: ``python -m notebooks._app.lab``."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat

HOME = Path(__file__).resolve().parent.parent
TARGET = HOME / "next_token.ipynb"
CELLS = (
    "# Gradient descent learns an automaton\n\n"
    "One self-attention layer, trained to predict the next token, retrieves the highest component of a graph that the "
    "data define, and mixes softly inside it. The same figures and the same parameters as in the app; the theory is "
    "*Mechanics of Next Token Prediction with Self-Attention* ([arXiv:2403.08081](https://arxiv.org/abs/2403.08081)).",
    "import numpy as np\n\n"
    "import theory\n"
    "from theory.next_token import views\n"
    "from theory.next_token.structure import solve\n"
    "from widgets import jupyter, next_token\n\n"
    "jupyter.use()\n"
    'room = theory.room("next_token")\n'
    "[(claim.id, claim.title) for claim in room.claims]",
    "## Play\n\nTheory follows the sliders: no training is involved. Left the components at their predicted levels, "
    "right the logits' asymptotes.",
    "def asymptotes(params, problem):\n"
    "    solution, last = solve(problem), int(problem.last[0])\n"
    "    return next_token.talk_picture(views.anatomy(solution, last, limit=14), views.curves(solution, last))\n\n\n"
    "jupyter.explore(\n"
    "    room,\n"
    "    asymptotes,\n"
    '    names=("vocab_size", "n_sequences", "prompt_length", "label_flip_probability", "n_last", "data_seed"),\n'
    ")",
    "## Test\n\nNow train. Points are the trained logits; the dashed lines were known before.",
    'result = jupyter.measure("sharp-logits")\n'
    "solution, last = solve(result.shown.problem), int(result.shown.problem.last[0])\n"
    "next_token.talk_picture(views.anatomy(solution, last), views.curves(solution, last, result.shown.raw))",
    "jupyter.verdict(result)",
    "## Your own numbers\n\nPredictions and measurements are labelled arrays.",
    "result.measurement",
    'theory.predict("loss-gap", vocab_size=8, n_sequences=20)',
)


def build() -> nbformat.NotebookNode:
    """The notebook without outputs; text and code cells alternate as their first line says."""
    cells = []
    for number, source in enumerate(CELLS):
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


def main() -> int:
    """Execute and write."""
    nbformat.write(execute(build()), TARGET)
    return 0


if __name__ == "__main__":
    sys.exit(main())
