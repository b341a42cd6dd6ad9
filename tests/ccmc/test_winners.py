"""Fixed points, stability and exponents of the share dynamics, against linear algebra written out differently."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.ccmc import flow
from theory.ccmc.winners import fixed_points, jacobian, single_winners, tangent_basis, winner_sets
from theory.core.errors import ParameterError

Floats = npt.NDArray[np.float64]
TWO_WINNERS = np.array([[0.3, 0.5, 0.15, 0.05], [0.55, 0.2, 0.15, 0.1], [0.2, 0.2, 0.5, 0.1], [0.3, 0.3, 0.3, 0.1]])


def random_chain(seed: int, size: int, concentration: float = 1.0) -> Floats:
    return np.random.default_rng(seed).dirichlet(np.full(size, concentration), size=size)


def circulant(stay: float, advance: float, back: float) -> Floats:
    return np.stack([np.roll([stay, advance, back], k) for k in range(3)])


def brute_law(transition: Floats, shares: Floats) -> Floats:
    """Stationary law of the fast chain as the eigenvector of its transpose."""
    chain = transition * shares
    chain /= chain.sum(axis=1, keepdims=True)
    values, vectors = np.linalg.eig(chain.T)
    law: Floats = np.abs(np.real(vectors[:, int(np.argmin(np.abs(values - 1)))]))
    return law / law.sum()


def test_the_two_winner_chain() -> None:
    found = winner_sets(TWO_WINNERS)
    assert found.support.tolist() == [[False, False, True, False], [True, True, False, False]]
    assert found.shares[1] == pytest.approx([0.614, 0.386, 0, 0], abs=5e-4)
    assert found.exponents[1] == pytest.approx([1, 1, 0.384, 0.174], abs=5e-4)
    assert found.exponents[0] == pytest.approx([0.4, 0.4, 1, 0.2])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(2, 5))
def test_fixed_points_stand_still(seed: int, size: int) -> None:
    transition = random_chain(seed, size, 0.7)
    found = fixed_points(transition)
    assert found.shares.sum(axis=1) == pytest.approx(1)
    for support, shares, exponents in zip(found.support, found.shares, found.exponents, strict=True):
        inside = np.ix_(support, support)
        law = brute_law(transition[inside], shares[support])
        assert law == pytest.approx(shares[support], abs=1e-8)
        # An outsider's weight relative to its own count: what a token with share eps gains per unit of log-time.
        gain = (law / (transition[inside] @ shares[support])) @ transition[support]
        assert exponents == pytest.approx(gain, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_jacobian_is_the_derivative_of_the_flow(seed: int) -> None:
    transition = random_chain(seed, 3 + seed % 3)
    found = fixed_points(transition)
    for index in np.flatnonzero(found.support.sum(axis=1) > 1):
        members = np.flatnonzero(found.support[index])
        block, shares = transition[np.ix_(members, members)], found.shares[index][members]
        matrix = jacobian(found.rates[index][members][:, None] * block, shares)
        basis, step = tangent_basis(len(members)), 1e-5 * shares.min()
        measured = [
            (brute_law(block, shares + step * way) - brute_law(block, shares - step * way)) / (2 * step) - way
            for way in basis.T
        ]
        assert matrix @ basis == pytest.approx(np.array(measured).T, abs=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_long_runs_of_the_flow_end_in_winner_sets(seed: int) -> None:
    transition = random_chain(seed, 3 + seed % 2, 0.7)
    found = winner_sets(transition)
    starts = np.random.default_rng(seed).dirichlet(np.ones(len(transition)), size=5)
    for shares in starts:
        for _ in range(1200):  # Euler with a law that shares no code with the flow's
            shares = shares + 0.1 * (brute_law(transition, np.maximum(shares, 1e-12)) - shares)
        assert np.abs(found.shares - shares).sum(axis=1).min() < 0.02
    reached, _ = flow.basins(transition, starts, found.shares)
    assert (reached >= 0).all()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(2, 6))
def test_a_token_wins_alone_iff_its_diagonal_is_the_row_maximum(seed: int, size: int) -> None:
    transition = random_chain(seed, size)
    found = winner_sets(transition)
    alone = found.support.sum(axis=1) == 1
    assert np.flatnonzero(found.support[alone].any(axis=0)).tolist() == single_winners(transition).tolist()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(2, 5))
def test_renaming_tokens_renames_the_winners(seed: int, size: int) -> None:
    transition = random_chain(seed, size)
    order = np.random.default_rng(seed).permutation(size)
    renamed = winner_sets(transition[np.ix_(order, order)])
    expected = {tuple(shares[order].round(8)) for shares in winner_sets(transition).shares}
    assert {tuple(shares.round(8)) for shares in renamed.shares} == expected


@pytest.mark.parametrize("row", [(0.36, 0.399, 0.241), (0.40, 0.41, 0.19)])
def test_some_chains_have_no_winner_set(row: tuple[float, float, float]) -> None:
    assert len(winner_sets(circulant(*row)).shares) == 0


def test_circulant_eigenvalue() -> None:
    found = winner_sets(circulant(0.36, 0.6, 0.04))
    assert found.shares[0] == pytest.approx([1 / 3] * 3)
    omega = 0.36 - 0.32 + 1j * np.sqrt(3) / 2 * (0.6 - 0.04)
    expected = (1 - omega) * np.conj(omega) / (1 - np.conj(omega))
    assert sorted(found.eigenvalues[0].imag) == pytest.approx(sorted([expected.imag, -expected.imag]))
    assert found.eigenvalues[0].real == pytest.approx([expected.real] * 2)


def test_equal_rows_with_tied_maximum_are_reported_as_a_tie() -> None:
    found = fixed_points(np.tile([0.4, 0.4, 0.2], (3, 1)))
    assert found.ties.tolist() == [[True, True, False]]
    assert not found.stable.any()  # each tied token alone is only neutral


def test_equal_rows_without_tie_have_one_winner_and_no_tie() -> None:
    found = fixed_points(np.tile([0.5, 0.3, 0.2], (3, 1)))
    assert len(found.ties) == 0
    assert winner_sets(np.tile([0.5, 0.3, 0.2], (3, 1))).shares.tolist() == [[1, 0, 0]]


@pytest.mark.parametrize("odds", [(0.2, 0.5), (3.0, 2.0), (3.0, 0.5), (0.1, 0.9)])
def test_two_tokens_in_closed_form(odds: tuple[float, float]) -> None:
    first, second = odds
    transition = np.array([[first / (1 + first), 1 / (1 + first)], [1 / (1 + second), second / (1 + second)]])
    found = fixed_points(transition)
    mixed = found.support.all(axis=1)
    assert mixed.any() == ((first - 1) * (second - 1) > 0)
    if mixed.any():
        assert found.shares[mixed][0, 0] == pytest.approx((1 - second) / (2 - first - second))
        slope = -(1 - first) * (1 - second) / (1 - first * second)
        assert found.eigenvalues[mixed][0, 0] == pytest.approx(slope)
        assert found.stable[mixed][0] == (first < 1)


def test_zeros_in_the_chain_give_numbers_or_nothing() -> None:
    found = fixed_points(np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))
    assert np.isfinite(found.shares).all()
    assert np.isfinite(found.exponents).all()


def test_more_than_twelve_tokens_are_refused() -> None:
    with pytest.raises(ParameterError, match="12"):
        fixed_points(np.full((13, 13), 1 / 13))


def test_results_are_shared_and_cannot_be_written() -> None:
    first = fixed_points(TWO_WINNERS)
    assert fixed_points(TWO_WINNERS.copy()) is first
    with pytest.raises(ValueError, match="read-only"):
        first.shares[0, 0] = 1
