"""The cells of ``notebooks/distillation.ipynb``: a cell that begins with ``#`` is text."""

from __future__ import annotations

CELLS = (
    "# The best teacher is not the truth\n\n"
    "A student that learns from true labels is beaten by one whose teacher exaggerates the strong features and "
    "understates the weak ones. The same figures and the same parameters as in the app; the theory is "
    "*High-dimensional Analysis of Knowledge Distillation* "
    "([arXiv:2410.18837](https://arxiv.org/abs/2410.18837)) and what this room adds to it.",
    "import numpy as np\n\n"
    "import theory\n"
    "from theory.distillation import views\n"
    "from theory.distillation.simulation.learning_curves import fits_of\n"
    "from theory.distillation.student_risk import risk\n"
    "from widgets.distillation import figures as distillation\n"
    "from widgets.kit import jupyter\n\n"
    "jupyter.use()\n"
    'room = theory.room("distillation")\n'
    "[(claim.id, claim.title) for claim in room.claims]",
    "## Play\n\nTheory follows the sliders: no student is trained. Left what the best teacher does to each feature, "
    "right what that does to the risk.",
    "def predicted(params, problem):\n"
    "    return distillation.talk_picture(views.anatomy(params, problem), views.curves(params, problem))\n\n\n"
    "jupyter.explore(\n"
    "    room,\n"
    "    predicted,\n"
    '    names=("n_samples", "spectrum", "spectrum_exponent", "signal_exponent", "noise_variance_target", "ridge"),\n'
    ")",
    "## Test\n\nNow train students on sampled data: the points are means over two hundred of them.",
    'result = jupyter.measure("omniscient-risk", n_samples=200)\n'
    "params, problem = result.params, result.shown.problem\n"
    "fits = fits_of(params, problem, result.shown.raw)\n"
    "distillation.talk_picture(views.anatomy(params, problem), views.curves(params, problem, fits))",
    "jupyter.verdict(result)",
    "## A fitted teacher\n\nA teacher fitted on a few hundred samples makes a better student than the truth does.",
    "few = room.Params(n_features=600, n_samples=40)\ndistillation.two_stage(views.two_stage(few, room.draw(few, 0)))",
    "## Your own numbers\n\nPredictions are labelled arrays, and the formulas are plain functions of arrays.",
    "result.prediction",
    "eigenvalues = np.arange(1, 501.0) ** -2\n"
    "truth = np.sqrt(np.arange(1, 501.0) ** -1.5 / eigenvalues)\n"
    "float(risk(eigenvalues, truth, truth, n_samples=200).risk)",
)
