"""Reversible chains: the form's climb and its maxima against the flow's definition and the general winner sets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.ccmc.experiments.flows import climbs, growth
from theory.ccmc.reversible import ascent, balance_defect, height, local_maxima, potential_matrix
from theory.ccmc.winners import winner_sets

Floats = npt.NDArray[np.float64]
SEEDS = st.integers(0, 10_000)


def reversible_chain(seed: int, size: int) -> Floats:
    flows = np.random.default_rng(seed).gamma(1.0, size=(size, size))
    flows = flows + flows.T
    return flows / flows.sum(axis=1, keepdims=True)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, size=st.integers(2, 6))
def test_speed_of_the_climb(seed: int, size: int) -> None:
    transition = reversible_chain(seed, size)
    potential, shares = potential_matrix(transition), np.random.default_rng(seed).dirichlet(np.ones(size))
    speed = shares * growth(transition, np.log(shares))
    assert potential == pytest.approx(potential.T) and potential.sum() == pytest.approx(1)
    assert 2 * speed @ potential @ shares == pytest.approx(float(ascent(potential, shares)), abs=1e-12)
    assert ascent(potential, shares) >= 0


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, size=st.integers(2, 6))
def test_local_maxima_are_the_winner_sets(seed: int, size: int) -> None:
    transition = reversible_chain(seed, size)
    maxima, winners = local_maxima(potential_matrix(transition)), winner_sets(transition)
    ours, theirs = np.lexsort(maxima.shares.T), np.lexsort(winners.shares.T)
    assert maxima.shares[ours] == pytest.approx(winners.shares[theirs], abs=1e-8)
    assert maxima.margin[ours] == pytest.approx(-winners.rate[theirs], abs=1e-7)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, size=st.integers(2, 8))
def test_supports_never_contain_each_other(seed: int, size: int) -> None:
    support = local_maxima(potential_matrix(reversible_chain(seed, size))).support
    assert len(support) > 0
    for i, one in enumerate(support):
        assert all(i == j or (one & ~other).any() for j, other in enumerate(support))


def test_maxima_are_maxima_by_brute_force() -> None:
    potential = potential_matrix(reversible_chain(3, 4))
    generator = np.random.default_rng(0)
    for shares, level in zip(*(getattr(local_maxima(potential), name) for name in ("shares", "height")), strict=True):
        near = (shares + 1e-3 * generator.dirichlet(np.ones(4), size=2000)) / (1 + 1e-3)
        assert height(potential, shares) == pytest.approx(level)
        assert (height(potential, near) < level).all()


def test_climb_never_falls_and_ends_at_a_maximum() -> None:
    transition = reversible_chain(8, 4)
    potential = potential_matrix(transition)
    shares = climbs(transition, np.random.default_rng(1)).flow_shares.values
    assert np.diff(height(potential, shares), axis=1).min() > -1e-10
    goals = local_maxima(potential).shares
    assert np.abs(shares[:, -1, None] - goals).sum(axis=2).min(axis=1).max() < 1e-6


def test_balance_is_decided_on_triangles() -> None:
    assert balance_defect(reversible_chain(5, 5)) < 1e-12
    assert balance_defect(np.array([[0.3, 0.7], [0.6, 0.4]])) < 1e-12
    assert balance_defect(np.array([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.3, 0.2, 0.5]])) == pytest.approx(
        3 * np.log(1.5)
    )
    assert balance_defect(np.array([[0.5, 0.5, 0.0], [0.2, 0.5, 0.3], [0.3, 0.2, 0.5]])) == np.inf


def test_equal_tokens_have_no_strict_maximum() -> None:
    assert len(local_maxima(np.full((3, 3), 1 / 9)).height) == 0
