"""What each figure of the room draws, as small labelled Datasets: all computation lives here, none in the drawing.

What is trained beside them comes from :mod:`theory.icl.views.fetched`.
"""

from theory.icl.views.fetched import descents as descents
from theory.icl.views.fetched import fetched as fetched
from theory.icl.views.fetched import landed as landed
from theory.icl.views.fetched import landed_key as landed_key
from theory.icl.views.talk import bowl as bowl
from theory.icl.views.talk import judged_layers as judged_layers
from theory.icl.views.talk import risk_curve as risk_curve
from theory.icl.views.tests import descent as descent
from theory.icl.views.tests import equivalence as equivalence
from theory.icl.views.tests import length as length
from theory.icl.views.tests import memory as memory
from theory.icl.views.tests import own_ranks as own_ranks
from theory.icl.views.tests import ranks as ranks
from theory.icl.views.tests import retrieval as retrieval
from theory.icl.views.tests import softmax as softmax
from theory.icl.views.tests import staircase as staircase
