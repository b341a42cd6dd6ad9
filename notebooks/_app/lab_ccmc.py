"""The cells of ``notebooks/ccmc.ipynb``: a cell that begins with ``#`` is text."""

from __future__ import annotations

CELLS = (
    "# Attention feeds on itself and repeats\n\n"
    "One self-attention layer samples its next token from a Markov chain that the prompt's token counts reweigh. Fed "
    "with its own output it repeats itself until a few tokens are left. The same figures and the same parameters as in "
    "the app; the theory is *From Self-Attention to Markov Models* ([arXiv:2402.13512]"
    "(https://arxiv.org/abs/2402.13512)) and what this room adds to it.",
    "import numpy as np\n\n"
    "import theory\n"
    "from theory.ccmc import views\n"
    "from theory.ccmc.presets import PRESETS\n"
    "from widgets.ccmc import figures as ccmc\n"
    "from widgets.kit import jupyter\n\n"
    "jupyter.use()\n"
    'room = theory.room("ccmc")\n'
    "[(claim.id, claim.title) for claim in room.claims]",
    "## Play\n\nTheory follows the sliders: no text is generated. Left the phase diagram of two tokens, right the "
    "predicted slopes of their shares.",
    "def predicted(params, problem):\n"
    "    return ccmc.talk_picture(views.structure(problem), views.growth(problem, until=params.n_tokens))\n\n\n"
    "jupyter.explore(\n"
    "    room,\n"
    "    predicted,\n"
    '    names=("odds_first", "odds_second", "count_first", "count_others", "n_tokens"),\n'
    ")",
    "## Three tokens\n\nThe simplex of shares: every start flows to a winner set. Filled points are stable.",
    "echo = room.Params(**PRESETS[0].values)\n"
    "chain = room.draw(echo, 0)\n"
    "ccmc.talk_picture(views.structure(chain), views.growth(chain, until=1e6))",
    "## Test\n\nNow generate. Thin lines are texts; the dashed slopes were known before.",
    'result = jupyter.measure("winner-sets", **PRESETS[0].values)\n'
    "shown = result.shown\n"
    "ccmc.talk_picture(views.structure(shown.problem, shown.raw), views.growth(shown.problem, shown.raw))",
    "jupyter.verdict(result)",
    "## Your own numbers\n\nPredictions and measurements are labelled arrays.",
    "result.measurement",
    'theory.predict("winner-sets", transition=[[0.6, 0.25, 0.15], [0.2, 0.2, 0.6], [0.2, 0.65, 0.15]])',
)
