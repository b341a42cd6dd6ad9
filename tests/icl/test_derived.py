"""The committed formulas are those that computer algebra derives again, and those that the predictions use."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from theory.icl.derived import LATEX
from theory.icl.optimum import independent_optimum
from theory.icl.retrieval import alignment_optimum, rag_crossover, rag_floor, rag_optimum


class Derived:
    """The derived expressions, to be evaluated: ``Derived(expressions).weight(eigenvalue=2.0, n=7, power=1.0)``."""

    def __init__(self, expressions: tuple[Any, ...]) -> None:
        self._by_name = {item.name: item for item in expressions}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        sympy: Any = import_module("sympy")
        item = self._by_name[name]
        function: Any = sympy.lambdify([sympy.Symbol(a, positive=True) for a in item.arguments], item.expression)
        return lambda **values: function(*(values[a] for a in item.arguments))


@pytest.fixture(scope="module")
def expressions() -> tuple[Any, ...]:
    return import_module("theory.icl.symbolic").derive()


def test_the_committed_module_is_what_the_derivation_gives(expressions: tuple[Any, ...]) -> None:
    assert {item.name: item.latex for item in expressions} == LATEX


def test_predictions_use_the_derived_moments(expressions: tuple[Any, ...]) -> None:
    derived = Derived(expressions)
    values = np.array([2.0, 0.7, 0.0])
    best = independent_optimum(values, 7, 0.4)
    own = {"eigenvalue": values, "n": 7, "power": values.sum() + 0.4}
    assert np.allclose(best.weights, derived.weight(**own), rtol=1e-12)
    assert np.allclose(best.gain, derived.gain(**own), rtol=1e-12)
    d, n, a, s = 5, 9, 0.6, 0.3
    at = {"dim": d, "n": n, "alpha": a, "noise": s, "gamma2": 1 / (a**2 * d + 1)}
    top, bottom = derived.retrieval_top(**at), derived.retrieval_bottom(**at)
    found = rag_optimum(d, n, a, s)
    assert np.allclose([found.c, found.risk], [top / bottom, d + s - top**2 / bottom], rtol=1e-12)
    assert np.isclose(rag_floor(d, a), derived.retrieval_floor(**at), rtol=1e-12)
    assert np.isclose(rag_crossover(d, a, s), derived.retrieval_crossover(**at), rtol=1e-12)
    top, bottom, whole = derived.aligned_top(**at), derived.aligned_bottom(**at), derived.aligned_power(**at)
    aligned = alignment_optimum(d, n, a, s)
    assert np.allclose([aligned.c, aligned.risk], [top / bottom, whole - top**2 / bottom], rtol=1e-12)


@pytest.mark.parametrize(("optimum", "name"), [(rag_optimum, "retrieval"), (alignment_optimum, "aligned")])
def test_the_approximations_miss_what_is_derived(expressions: tuple[Any, ...], optimum: Any, name: str) -> None:
    kappa, theta, d = 2.0, 2.0, 1e6
    found = optimum(d, theta * d, ((kappa - 1) / d) ** 0.5, 0.3)
    correction = getattr(Derived(expressions), f"{name}_correction")(kappa=kappa, theta=theta)
    assert np.isclose(found.risk - found.risk_approx, correction, rtol=1e-4)
