"""The cells of ``notebooks/next_token.ipynb``: a cell that begins with ``#`` is text."""

from __future__ import annotations

CELLS = (
    "# Gradient descent learns an automaton\n\n"
    "One self-attention layer, trained to predict the next token, retrieves the highest component of a graph that the "
    "data define, and mixes softly inside it. The same figures and the same parameters as in the app; the theory is "
    "*Mechanics of Next Token Prediction with Self-Attention* ([arXiv:2403.08081](https://arxiv.org/abs/2403.08081)).",
    "import numpy as np\n\n"
    "import theory\n"
    "from theory.next_token import views\n"
    "from theory.next_token.structure import solve\n"
    "from widgets.kit import jupyter\n"
    "from widgets.next_token import figures as next_token\n\n"
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
