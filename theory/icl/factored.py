"""The preconditioner as a product of factors, W = v Wq Wk' / n: saddles, plateaus, and how long descent stays (ours).

In whitened features every critical point with v other than 0 is W* restricted to some eigen-directions, with the risk
``M - sum of their gains``; all but the full set are saddles. From a small start descent finds the directions one by
one, strongest first: its plateaus are ``low_rank_risks``, those of the best preconditioners of rank 0, 1, ..., d.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from theory.icl.inputs import checked
from theory.icl.optimum import independent_optimum
from theory.icl.problem import Floats


def targets(eigenvalues: npt.ArrayLike, n: float, sigma2: float) -> Floats:
    """Singular values (d,) of n W in whitened features once learnt: ``n lambda / ((n+1) lambda + M)``."""
    return n * independent_optimum(eigenvalues, n, sigma2).weights


def growth_rate(eigenvalues: npt.ArrayLike, scale: float = 1.0) -> Floats:
    """Growth per unit of time, (d,), of each direction's factors at the origin: ``2 v lambda``.

    With v of order 1 escape takes a time proportional to log(1 / start). With v as small as the other factors the
    origin is a degenerate saddle, and escape takes a time proportional to 1 / start.
    """
    return 2 * scale * checked("eigenvalues", eigenvalues, 0)


def escape_delay(rate: float, step_size: float, shrunk: float) -> float:
    """Steps of descent by which escape comes later when the start is ``shrunk`` times smaller.

    >>> round(escape_delay(8.0, 0.02, 100.0), 2)
    31.03
    """
    checked("rate", rate, 0)
    checked("step_size", step_size, 0)
    checked("shrunk", shrunk, 1)
    grown = np.log1p(step_size * rate)
    return float(np.log(shrunk) / grown) if grown > 0 else np.inf


def nearest_approach(start: float, ratio: float) -> float:
    """How close descent comes to a plateau, to leading order in the initial scale: ``start^(1 - 1/ratio)``.

    While direction r grows from start^2 to 1, the next one grows to start^(2 (1 - 1/ratio)) when its eigenvalue is
    ``ratio`` times smaller, and by the time direction r has converged to its square root.
    """
    checked("start", start, 0)
    return float(start ** (1 - 1 / max(ratio, 1.0)))
