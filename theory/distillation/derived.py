"""Written by ``python -m theory.distillation.symbolic``: change the derivation there, not this file."""

# fmt: off

from __future__ import annotations

import numpy

from theory.distillation.problem import Floats

Level = float | Floats


def curvature(learnt: Floats, unlearnt: Floats, overfitting: Level, one_minus_overfitting: Level) -> Floats:
    """Coefficient of b squared."""
    return learnt**2 + overfitting*unlearnt**2/one_minus_overfitting


def optimal_factor(learnt: Floats, unlearnt: Floats, overfitting: Level, one_minus_overfitting: Level) -> Floats:
    """Best teacher over truth."""
    return learnt/(learnt**2 + overfitting*unlearnt**2/one_minus_overfitting)


def keep_cost(learnt: Floats, unlearnt: Floats, overfitting: Level, one_minus_overfitting: Level) -> Floats:
    """Risk of a kept coordinate over that of a dropped one."""
    return unlearnt**2/one_minus_overfitting


def amplify_below(one_minus_overfitting: float) -> float:
    """Amplified where zeta is smaller."""
    return float(one_minus_overfitting)


def keep_below(one_minus_overfitting: float) -> float:
    """Kept by the best mask where zeta is smaller."""
    return float(numpy.sqrt(one_minus_overfitting))


LATEX = {
    "curvature": r"c \zeta^{2} + \left(\zeta - 1\right)^{2}",
    "optimal_factor": r"\frac{1 - \zeta}{c \zeta^{2} + \left(\zeta - 1\right)^{2}}",
    "keep_cost": r"\frac{\zeta^{2}}{1 - \Omega}",
    "amplify_below": r"1 - \Omega",
    "keep_below": r"\sqrt{1 - \Omega}",
}
"""The same expressions as LaTeX, with c = Omega / (1 - Omega)."""
