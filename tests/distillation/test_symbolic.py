"""The committed module of derived expressions is what the derivation writes, and what it says is true."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy

from theory.distillation import derived, symbolic

sp: Any = sympy


def test_the_committed_module_is_up_to_date() -> None:
    written = symbolic.TARGET.read_text(encoding="utf-8")
    assert written == symbolic.source(), "run: python -m theory.distillation.symbolic"


def test_a_stale_module_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    slipped = symbolic.coordinate_risk() + symbolic.zeta**3 * symbolic.surrogate**2
    monkeypatch.setattr(symbolic, "coordinate_risk", lambda: slipped)
    with pytest.raises((ValueError, NotImplementedError, AssertionError)):
        assert symbolic.source() == symbolic.TARGET.read_text(encoding="utf-8")


def test_committed_code_evaluates_the_derived_expressions() -> None:
    generator = np.random.default_rng(0)
    expressions = {item.name: item.expression for item in symbolic.derive()}
    for unlearnt, overfitting in generator.uniform(0.02, 0.98, (40, 2)):
        exact = {symbolic.zeta: unlearnt, symbolic.omega: overfitting}
        arguments = np.array([1 - unlearnt]), np.array([unlearnt]), overfitting, 1 - overfitting
        for name in ("curvature", "optimal_factor", "keep_cost"):
            value = getattr(derived, name)(*arguments)[0]
            assert value == pytest.approx(float(expressions[name].subs(exact)), rel=1e-12)
        for name in ("amplify_below", "keep_below"):
            value = getattr(derived, name)(1 - overfitting)
            assert value == pytest.approx(float(expressions[name].subs(exact)), rel=1e-12)


def test_optimum_and_thresholds_by_brute_force() -> None:
    for unlearnt, overfitting in np.random.default_rng(1).uniform(0.05, 0.95, (10, 2)):
        cost = sp.lambdify(
            symbolic.surrogate,
            symbolic.coordinate_risk().subs({symbolic.zeta: unlearnt, symbolic.omega: overfitting, symbolic.truth: 1}),
        )
        grid = np.linspace(0, 8, 800_001)
        best = grid[np.argmin(cost(grid))]
        arguments = np.array([1 - unlearnt]), np.array([unlearnt]), overfitting, 1 - overfitting
        assert best == pytest.approx(derived.optimal_factor(*arguments)[0], abs=2e-5)
        assert (best > 1 + 2e-5) == (unlearnt < derived.amplify_below(1 - overfitting))
        assert (cost(1.0) < cost(0.0)) == (unlearnt < derived.keep_below(1 - overfitting))


def test_every_expression_has_latex() -> None:
    assert set(derived.LATEX) == {item.name for item in symbolic.derive()}
    assert derived.LATEX["keep_below"] == r"\sqrt{1 - \Omega}"
