"""What each figure of the room draws, as small labelled Datasets: all computation lives here, none in the drawing.

Measurements come from the experiments as raw Datasets, see :mod:`theory.distillation.simulation.learning_curves`.
"""

from theory.distillation.views.curves import exponents as exponents
from theory.distillation.views.curves import gain_map as gain_map
from theory.distillation.views.curves import learning as learning
from theory.distillation.views.curves import paper_table as paper_table
from theory.distillation.views.curves import teacher_sizes as teacher_sizes
from theory.distillation.views.curves import two_stage as two_stage
from theory.distillation.views.networks import networks as networks
from theory.distillation.views.own import own_curve as own_curve
from theory.distillation.views.own import own_spectrum as own_spectrum
from theory.distillation.views.talk import anatomy as anatomy
from theory.distillation.views.talk import curves as curves
