"""The per-coordinate optimum and its thresholds, derived by computer algebra and written as code and LaTeX.

``python -m theory.distillation.symbolic`` derives them again and writes :mod:`theory.distillation.derived`, which the
predictions evaluate and the notebook shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

sp: Any = import_module("sympy")
printing: Any = import_module("sympy.printing.numpy")
TARGET = Path(__file__).with_name("derived.py")
_HEADER = '''"""Written by ``python -m theory.distillation.symbolic``: change the derivation there, not this file."""

# fmt: off

from __future__ import annotations

import numpy

from theory.distillation.problem import Floats

Level = float | Floats
'''
_ARGUMENTS = "(learnt: Floats, unlearnt: Floats, overfitting: Level, one_minus_overfitting: Level) -> Floats"
_THRESHOLD_ARGUMENTS = "(one_minus_overfitting: float) -> float"


@dataclass(frozen=True)
class Derived:
    """One derived expression: its name in the code, what it is, its sympy expression and its LaTeX."""

    name: str
    meaning: str
    expression: Any
    latex: str


zeta, omega = sp.symbols("zeta Omega", positive=True)
surrogate, truth = sp.symbols("b beta", real=True)
learnt, unlearnt, one_minus = sp.symbols("learnt unlearnt one_minus_overfitting")


def coordinate_risk() -> Any:
    """What coordinate i adds to the risk, in units of lambda_i: bias, and the noise that unlearnt labels become."""
    return ((1 - zeta) * surrogate - truth) ** 2 + omega / (1 - omega) * zeta**2 * surrogate**2


def derive() -> tuple[Derived, ...]:
    """The curvature and optimum of the risk in b, the cost of keeping a coordinate, and both thresholds on zeta.

    >>> [item.name for item in derive()]
    ['curvature', 'optimal_factor', 'keep_cost', 'amplify_below', 'keep_below']
    """
    cost = coordinate_risk()
    curvature = sp.diff(cost, surrogate, 2) / 2
    (optimum,) = sp.solve(sp.diff(cost, surrogate), surrogate)
    shape = (1 - zeta) / curvature
    if sp.simplify(optimum - shape * truth) != 0:
        raise ArithmeticError("the stationary point is not (1 - zeta) beta over the curvature")
    keep = sp.simplify(cost.subs(surrogate, truth) / truth**2 * (1 - omega)) / (1 - omega)
    # zeta = 1 - Omega is the only positive crossing: at zeta = 0 the factor is 1 as well, but everything is learnt.
    (amplify,) = [root for root in sp.solve(sp.numer(sp.together(shape - 1)), zeta) if root != 0]
    (mask,) = [root for root in sp.solve(sp.Eq(keep, 1), zeta) if sp.simplify(root.subs(omega, sp.Rational(1, 2))) > 0]
    c = sp.Symbol("c", positive=True)
    shown = sum(sp.simplify(term.subs(omega, c / (1 + c))) for term in curvature.args)
    return (
        Derived("curvature", "coefficient of b squared", curvature, sp.latex(shown)),
        Derived("optimal_factor", "best teacher over truth", shape, sp.latex((1 - zeta) / shown)),
        Derived("keep_cost", "risk of a kept coordinate over that of a dropped one", keep, sp.latex(keep)),
        Derived("amplify_below", "amplified where zeta is smaller", sp.simplify(amplify), sp.latex(amplify)),
        Derived("keep_below", "kept by the best mask where zeta is smaller", sp.simplify(mask), sp.latex(mask)),
    )


def source() -> str:
    """The text of the generated module."""
    printer = printing.NumPyPrinter({"fully_qualified_modules": True})
    items = derive()
    parts = [_HEADER]
    for item in items:
        threshold = item.name.endswith("_below")
        code = printer.doprint(_stable(item.expression))
        body = f"float({code})" if threshold else code
        used = _THRESHOLD_ARGUMENTS if threshold else _ARGUMENTS
        parts.append(f'\n\ndef {item.name}{used}:\n    """{item.meaning.capitalize()}."""\n    return {body}\n')
    rows = "".join(f'    "{item.name}": r"{item.latex}",\n' for item in items)
    parts.append(f'\n\nLATEX = {{\n{rows}}}\n"""The same expressions as LaTeX, with c = Omega / (1 - Omega)."""\n')
    return "".join(parts)


def _stable(expression: Any) -> Any:
    """1 - zeta and 1 - Omega as quantities of their own: differences would lose all digits near 0."""
    ones = {1 - zeta: learnt, zeta - 1: -learnt, 1 - omega: one_minus, omega - 1: -one_minus}
    found = expression.subs(ones)
    return found.subs({zeta: unlearnt, omega: sp.Symbol("overfitting")})


if __name__ == "__main__":
    TARGET.write_text(source(), encoding="utf-8")
