"""What the room's formulas accept: numbers in their range, or an error that names parameter, value and range."""

from __future__ import annotations

from math import inf

import numpy as np
import numpy.typing as npt

from theory.core.errors import ParameterError
from theory.icl.problem import Floats


def checked(name: str, value: npt.ArrayLike, low: float, high: float = inf, *, whole: bool = False) -> Floats:
    """``value`` as float64, if all of it is finite and from ``low`` to ``high``.

    >>> float(checked("n", 3, 1))
    3.0

    Raises:
        ParameterError: it is not.
    """
    try:
        found = np.asarray(value, dtype=np.float64)
        fits = bool(((found >= low) & (found <= high) & (np.abs(found) < inf)).all() and found.size)
    except (TypeError, ValueError):
        fits, found = False, np.zeros(0)
    if not fits or (whole and (found != np.round(found)).any()):
        kind = "a whole number" if whole else "a finite number"
        above = kind if low == -inf else f"{kind} of at least {low:g}"
        raise ParameterError(name, value, above if high == inf else f"{kind} from {low:g} to {high:g}")
    return found
