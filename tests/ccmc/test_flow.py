"""The flow of the shares against scipy's LSODA, and its derivatives."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from theory.ccmc import flow
from theory.ccmc.winners import winner_sets

Floats = npt.NDArray[np.float64]
SPIRAL = np.stack([np.roll([0.36, 0.6, 0.04], k) for k in range(3)])


def right_side(transition: Floats, log_shares: Floats) -> Floats:
    """d(log m)/dτ from a linear solve for the fast chain's stationary law."""
    shares = np.exp(log_shares)
    weights = transition * shares
    totals = weights.sum(axis=1)
    chain = weights / totals[:, None]
    system = np.vstack([np.eye(len(shares)) - chain.T, np.ones(len(shares))])
    law = np.linalg.lstsq(system, np.append(np.zeros(len(shares)), 1.0), rcond=None)[0]
    return transition.T @ (law / totals) - 1


@pytest.mark.parametrize("seed", range(3))
def test_trajectories_agree_with_lsoda(seed: int) -> None:
    generator = np.random.default_rng(seed)
    size = 3 + seed
    transition, start = generator.dirichlet(np.ones(size), size=size), generator.dirichlet(np.ones(size))
    times = np.array([0.5, 2.0, 6.0])
    expected = solve_ivp(
        lambda _, state: right_side(transition, state),
        (0, 6),
        np.log(start),
        method="LSODA",
        rtol=1e-10,
        atol=1e-10,
        t_eval=times,
    ).y.T
    assert flow.trajectories(transition, start[None], times)[0] == pytest.approx(expected, abs=1e-6)


def test_a_trajectory_does_not_depend_on_its_neighbours() -> None:
    starts, times = np.random.default_rng(0).dirichlet(np.ones(3), size=5), np.linspace(0, 8, 9)
    together = flow.trajectories(SPIRAL, starts, times)
    assert all(
        (flow.trajectories(SPIRAL, start[None], times)[0] == path).all()
        for start, path in zip(starts, together, strict=True)
    )


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(2, 6), small=st.floats(0, 250))
def test_stationary_law_keeps_its_digits(seed: int, size: int, small: float) -> None:
    generator = np.random.default_rng(seed)
    transition, shares = generator.dirichlet(np.ones(size), size=size), generator.dirichlet(np.ones(size))
    shares[0] *= 10.0**-small
    shares /= shares.sum()
    law = flow.last_token_shares(transition, shares)
    assert law.sum() == pytest.approx(1)
    assert law == pytest.approx(law @ flow.fast_chain(transition, shares), rel=1e-9)


def test_losers_fade_with_their_exponent_far_below_rounding() -> None:
    transition = np.tile([0.8, 0.15, 0.05], (3, 1))
    late = flow.trajectories(transition, np.array([[0.4, 0.3, 0.3]]), np.array([90.0, 100.0]))[0]
    assert np.diff(late, axis=0)[0, 1:] / 10 + 1 == pytest.approx([0.1875, 0.0625], abs=1e-9)
    assert np.exp(late[-1, 2]) < 1e-40


def test_tokens_without_share_stay_without() -> None:
    end = np.exp(flow.trajectories(SPIRAL, np.array([[0.5, 0.5, 0.0]]), np.array([3.0])))[0, 0]
    assert end[2] == 0
    assert end.sum() == pytest.approx(1)


def test_velocity_is_the_slope_of_a_trajectory() -> None:
    shares = np.array([0.5, 0.3, 0.2])
    path = np.exp(flow.trajectories(SPIRAL, shares[None], np.array([1e-5])))[0, 0]
    assert (path - shares) / 1e-5 == pytest.approx(flow.velocity(SPIRAL, shares), abs=1e-4)


def test_basins_of_two_sticky_tokens_meet_at_the_separatrix() -> None:
    transition = np.array([[0.75, 0.25], [0.4, 0.6]])  # odds 3 and 1.5: separatrix (1 - 1.5)/(2 - 4.5) = 0.2
    goals = winner_sets(transition).shares
    reached, away = flow.basins(transition, np.array([[0.19, 0.81], [0.21, 0.79]]), goals)
    assert goals[reached].round(6).tolist() == [[0, 1], [1, 0]]
    assert (away < 1e-6).all()


def test_a_cycle_reaches_no_goal() -> None:
    transition = np.stack([np.roll([0.40, 0.41, 0.19], k) for k in range(3)])
    reached, _ = flow.basins(transition, np.array([[0.5, 0.3, 0.2]]), np.full((1, 3), 1 / 3))
    assert reached.tolist() == [-1]
    assert flow.basins(transition, np.array([[0.5, 0.3, 0.2]]), np.zeros((0, 3)))[0].tolist() == [-1]


def test_response_is_the_derivative_of_the_flow() -> None:
    shares, way = np.array([0.5, 0.3, 0.2]), np.array([[1e-4, -1e-4, 0.0]])
    found = flow.response(SPIRAL, shares, way, np.array([2.0]))
    finer = flow.response(SPIRAL, shares, way / 4, np.array([2.0]))
    assert found.first == pytest.approx(4 * finer.first, rel=1e-4)
    assert found.first.sum() == pytest.approx(0, abs=1e-12)
    assert found.second == pytest.approx(16 * finer.second, rel=0.05, abs=1e-12)


def test_spread_starts_follow_the_prompt() -> None:
    starts = flow.spread_starts(np.array([900, 100, 0]), 200)
    assert starts.mean(axis=0) == pytest.approx([0.9, 0.1, 0], abs=0.01)
    assert (starts[:, 2] == 0).all()
