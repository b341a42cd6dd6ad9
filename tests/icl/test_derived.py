"""The committed formulas are those that computer algebra derives again, and those that the predictions use."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest

from theory.icl import derived
from theory.icl.optimum import independent_optimum
from theory.icl.retrieval import alignment_optimum, rag_crossover, rag_floor, rag_optimum

POINTS = 20


@pytest.fixture(scope="module")
def expressions() -> tuple[Any, ...]:
    return import_module("theory.icl.symbolic").derive()


def test_the_committed_module_is_what_the_derivation_gives(expressions: tuple[Any, ...]) -> None:
    sympy: Any = import_module("sympy")
    generator = np.random.default_rng(0)
    assert {item.name for item in expressions} == set(derived.LATEX)
    for item in expressions:
        assert derived.LATEX[item.name] == item.latex
        function: Any = sympy.lambdify([sympy.Symbol(a, positive=True) for a in item.arguments], item.expression)
        for _ in range(POINTS):
            values = {name: float(generator.uniform(0.2, 3)) for name in item.arguments}
            committed = getattr(derived, item.name)(**values)
            assert np.isclose(committed, function(*values.values()), rtol=1e-12, atol=0), item.name


def test_predictions_use_the_derived_moments() -> None:
    values = np.array([2.0, 0.7, 0.0])
    best = independent_optimum(values, 7, 0.4)
    power = values.sum() + 0.4
    assert np.allclose(best.weights, derived.weight(values, 7, power), rtol=1e-12)
    assert np.allclose(best.gain, derived.gain(values, 7, power), rtol=1e-12)
    d, n, a, s = 5, 9, 0.6, 0.3
    top, bottom = derived.retrieval_top(a, d, n), derived.retrieval_bottom(a, d, n, s)
    found = rag_optimum(d, n, a, s)
    assert np.allclose([found.c, found.risk], [top / bottom, d + s - top**2 / bottom], rtol=1e-12)
    assert np.isclose(rag_floor(d, a), derived.retrieval_floor(a, d), rtol=1e-12)
    assert np.isclose(rag_crossover(d, a, s), derived.retrieval_crossover(a, d, s), rtol=1e-12)
    g = 1 / (a**2 * d + 1)
    top, bottom = derived.aligned_top(a, d, g, n), derived.aligned_bottom(a, d, g, n, s)
    whole = derived.aligned_power(a, d, g, s)
    aligned = alignment_optimum(d, n, a, s)
    assert np.allclose([aligned.c, aligned.risk], [top / bottom, whole - top**2 / bottom], rtol=1e-12)
