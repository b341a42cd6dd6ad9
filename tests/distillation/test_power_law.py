"""Infinitely many features: quadrature against long sums, and the limits of the power law."""

from __future__ import annotations

import math

import numpy as np
import pytest

from theory.core.errors import ParameterError
from theory.distillation.effective_ridge import solve_tau, stats
from theory.distillation.power_law import near_boundary, power_law_limits, power_law_nodes
from theory.distillation.student_risk import amplified, optimal_mask


@pytest.mark.parametrize("exponent", [0.0, 0.8, 1.5, 3.0])
def test_nodes_sum_like_all_features(exponent: float) -> None:
    index = np.arange(1.0, 200_001)
    nodes, weights = power_law_nodes(exponent, 200_000)
    assert len(nodes) < 1300
    tau = solve_tau(nodes**-exponent, 300, 0.0, weights)
    assert tau == pytest.approx(solve_tau(index**-exponent, 300), rel=1e-7)
    short, ones = power_law_nodes(exponent, 300)
    assert len(short) == 300 and ones.sum() == 300


def test_a_jump_is_integrated_when_it_is_named() -> None:
    nodes, weights = power_law_nodes(2.0, 100_000, (5000,))
    assert weights @ (nodes <= 5000.5) == pytest.approx(5000, rel=1e-9)


def test_tau_at_infinity() -> None:
    nodes, weights = power_law_nodes(2.0)
    tau = solve_tau(nodes**-2.0, 10, 0.0, weights)
    assert tau == pytest.approx((math.pi / 2 / 10.5) ** 2, rel=1e-5)
    assert stats(nodes**-2.0, 100, 0.0, weights).overfitting == pytest.approx(0.5 - 1 / 400, abs=1e-7)
    nodes, weights = power_law_nodes(2.0, 4_000_000)
    assert stats(nodes**-2.0, 100, 0.0, weights).overfitting == pytest.approx(0.497505, abs=1e-6)


@pytest.mark.parametrize("alpha", [2.0, 2.5, 3.0])
def test_counts_per_sample_approach_their_limits(alpha: float) -> None:
    limits = power_law_limits(alpha, 1.5)
    index = np.arange(1.0, 400_001)
    found = stats(index**-alpha, 1000)
    assert found.overfitting == pytest.approx(limits.overfitting, abs=0.02)
    assert amplified(found) / 1000 == pytest.approx(limits.amplified, rel=0.05)
    assert optimal_mask(found) / 1000 == pytest.approx(limits.kept, rel=0.05)
    assert found.noise_amplification == pytest.approx(limits.noise_floor, rel=0.08)


@pytest.mark.parametrize(("alpha", "beta"), [(2.0, 1.5), (1.5, 2.0), (2.0, 3.0), (2.0, 6.0), (1.5, 5.0), (3.0, 1.5)])
def test_strong_risk_approaches_its_law(alpha: float, beta: float) -> None:
    limits = power_law_limits(alpha, beta)
    nodes, weights = power_law_nodes(min(alpha, beta), math.inf, (2e3, 1e7, 1e9))
    found = stats(nodes**-alpha, 1e5, 0.0, weights)
    strong = float(weights @ (nodes**-beta * found.unlearnt_fraction**2)) / found.one_minus_overfitting
    assert strong * 1e5**limits.exponent == pytest.approx(limits.constant, rel=3e-4)


def test_infinite_trace_or_signal_is_refused() -> None:
    for refused in (
        lambda: power_law_nodes(1.05),
        lambda: power_law_limits(1.0, 2.0),
        lambda: power_law_limits(2.0, 1.0),
    ):
        with pytest.raises(ParameterError):
            refused()
    assert power_law_limits(2.0, 5.0).constant == math.inf
    assert near_boundary(2.0, 4.9) and not near_boundary(2.0, 4.0)
