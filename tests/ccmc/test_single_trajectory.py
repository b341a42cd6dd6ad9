"""Moves in one text: exponents against a direct simulation and against the flow."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.ccmc.single_trajectory import flow_exponents, learnable, measured_exponents, move_exponents
from theory.ccmc.winners import winner_sets

Floats = npt.NDArray[np.float64]


def test_identical_rows_are_learnable_up_to_two_thirds() -> None:
    for top in (0.55, 0.66, 0.67, 0.9):
        theta = winner_sets(np.array([[top, 1 - top]] * 2)).exponents[0]
        assert learnable(theta)[1, 1] == (top <= 2 / 3)
        assert learnable(theta)[0].all() and learnable(theta)[:, 0].all()


@given(theta=st.lists(st.floats(0, 1), min_size=2, max_size=5))
def test_exponents_are_symmetric_and_at_most_one(theta: list[float]) -> None:
    found = move_exponents(np.array([1.0, *theta]))
    assert found == pytest.approx(found.T) and found.max() <= 1
    assert found[0] == pytest.approx([1.0, *theta])


def test_measured_slopes_recover_power_laws_with_a_constant() -> None:
    """Moves a + b n^e with a random prefactor per run; negative and zero exponents included."""
    generator = np.random.default_rng(0)
    times, stretch = np.array([1e3, 1e5, 1e7]), float(np.log(100.0))
    exponents = np.array([[0.5, -0.3], [1e-9, 0.2]])
    counts = generator.gamma(2.0, size=(40, 2)) * 100
    prefactor = counts[:, None, :, None] * counts[:, None, None, :]
    moves = 7.0 + prefactor * times[:, None, None] ** exponents / exponents
    slope, error, fewest = measured_exponents(moves, counts, stretch)
    assert slope == pytest.approx(exponents, abs=1e-6)
    assert error == pytest.approx(0, abs=1e-6) and (fewest > 0).all()


def test_moves_that_are_never_seen_have_no_slope() -> None:
    moves = np.zeros((5, 3, 2, 2))
    moves[:, :, 0, 0] = [1, 10, 100]
    slope, error, fewest = measured_exponents(moves, np.ones((5, 2)), 1.0)
    assert np.isfinite(slope[0, 0]) and np.isnan(slope[1, 1]) and np.isnan(error[1, 1]) and fewest[1, 1] == 0


def test_flow_slopes_approach_the_exponents() -> None:
    transition = np.array([[0.6, 0.3, 0.1], [0.5, 0.3, 0.2], [0.4, 0.4, 0.2]])
    winners = winner_sets(transition)
    expected = move_exponents(winners.exponents[0])
    gaps = [
        np.abs(flow_exponents(transition, np.array([[1 - 3 * small, 2 * small, small]]), 3.0) - expected).max()
        for small in (1e-2, 1e-4, 1e-6)
    ]
    assert gaps[1] < gaps[0] / 20 and gaps[2] < gaps[1] / 20 and gaps[2] < 1e-4


def test_direct_simulation_counts_moves_as_predicted() -> None:
    """Two tokens with equal rows, exponent 1/3: written out token by token."""
    generator = np.random.default_rng(1)
    top, runs, times = 0.6, 1500, (60, 480, 3840)
    counts = np.tile([30.0, 20.0], (runs, 1))
    last, moves = np.zeros(runs, dtype=int), np.zeros((runs, 2, 2))
    seen, start = [], counts
    for n in range(50, times[-1]):
        weak = (1 - top) * counts[:, 1]
        token = (generator.random(runs) * (top * counts[:, 0] + weak) < weak).astype(int)
        moves[np.arange(runs), last, token] += 1
        counts[np.arange(runs), token] += 1
        last = token
        if n + 1 in times:
            seen.append(moves.copy())
            start = counts.copy() if n + 1 == times[0] else start
    stretch = float(np.log(8))
    slope, error, _ = measured_exponents(np.stack(seen, axis=1), start, stretch)
    shares = start / start.sum(axis=1, keepdims=True)
    along = flow_exponents(np.array([[top, 1 - top]] * 2), shares, stretch)
    chance = (1 / start).mean(axis=0)
    assert (np.abs(slope - along) < 4.5 * error + (chance[:, None] + chance) / stretch).all()
