"""The cells of ``notebooks/icl.ipynb``: a cell that begins with ``#`` is text."""

from __future__ import annotations

CELLS = (
    "# Attention takes one preconditioned gradient step\n\n"
    "One layer of linear attention, trained on prompts of a linear task, answers like a single gradient step whose "
    "preconditioner is known beforehand. The same figures and the same parameters as in the app; the theory is "
    "*Fine-grained Analysis of In-context Linear Estimation* "
    "([arXiv:2407.10005](https://arxiv.org/abs/2407.10005)) and what this room adds to it.",
    "import numpy as np\n\n"
    "import theory\n"
    "from theory.icl import independent_optimum, rag_crossover, views\n"
    "from widgets.icl import figures as icl\n"
    "from widgets.kit import jupyter\n\n"
    "jupyter.use()\n"
    'room = theory.room("icl")\n'
    "[(claim.id, claim.title) for claim in room.claims]",
    "## Play\n\nTheory follows the sliders: nothing is trained. Left the risk as a bowl over two directions of the "
    "preconditioner, with the path of gradient descent; right the risk against the length of the prompt.",
    "def predicted(params, problem):\n"
    "    return icl.talk_picture(views.bowl(params, problem), views.risk_curve(params, problem))\n\n\n"
    "jupyter.explore(\n"
    "    room,\n"
    "    predicted,\n"
    '    names=("design", "context_length", "alignment", "noise_variance", "spectrum_decay", "step_size"),\n'
    '    values={"dim": 5},\n'
    ")",
    "## Test\n\nNow train attention layers on sampled prompts, at several lengths in one batch.",
    "params = room.Params(dim=5, context_length=10)\n"
    "problem = room.draw(params, params.data_seed)\n"
    "trained = views.landed(params, problem, lambda fraction, found: None, lambda: False)\n"
    "icl.talk_picture(views.bowl(params, problem, trained), views.risk_curve(params, problem, trained))",
    'jupyter.verdict(jupyter.measure("icl-pgd-equivalence"))',
    "## Your own numbers\n\nPredictions are labelled arrays, and the formulas are plain functions of arrays: the best "
    "risk for a spectrum, and the length beyond which retrieval hurts.",
    'theory.predict("icl-rag-risk", context_length=40)',
    "float(independent_optimum(np.arange(1, 6.0) ** -1, 20, 0.25).risk), float(rag_crossover(5, 0.9, 0.0))",
)
