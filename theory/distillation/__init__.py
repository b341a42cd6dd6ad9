"""The best teacher is not the truth: risks of students trained on surrogate labels (arXiv 2410.18837).

The paper's objects are public here and load when they are first used:

>>> import numpy as np
>>> from theory.distillation import optimal_mask, stats
>>> index = np.arange(1.0, 501.0)
>>> optimal_mask(stats(index**-2.0, 200))  # the best 0-1 teacher knows 203 of 500 features
203
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "Params": "parameters",
    "Regression": "problem",
    "amplified": "student_risk",
    "compressed": "effective_ridge",
    "draw": "data",
    "fit": "simulation.students",
    "gain_bounds": "student_risk",
    "gain_map": "curves",
    "generations": "fitted_teachers",
    "largest_amplification": "student_risk",
    "learning_curves": "curves",
    "local_slopes": "curves",
    "mask_curve": "student_risk",
    "masked": "student_risk",
    "optimal_mask": "student_risk",
    "optimal_surrogate": "student_risk",
    "power_law_limits": "power_law",
    "power_law_nodes": "power_law",
    "risk": "student_risk",
    "simulate": "simulation.students",
    "solve_tau": "effective_ridge",
    "solve_taus": "effective_ridge",
    "stats": "effective_ridge",
    "tuned_ridge": "curves",
    "two_stage": "fitted_teachers",
    "two_stage_curve": "stage_curves",
    "two_stage_dense": "fitted_teachers",
}

__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'theory.distillation' has no attribute {name!r}")
    return getattr(import_module(f"theory.distillation.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
