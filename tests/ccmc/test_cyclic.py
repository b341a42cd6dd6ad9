"""The ring of three: eigenvalue, Hopf boundary and cycle against the flow integrated from its definition."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.ccmc.cyclic import Ring, ring_of
from theory.ccmc.experiments.flows import growth, linear_rate, scatter, sojourn_ratio
from theory.ccmc.fluctuations import limit_covariance, long_run_covariance
from theory.ccmc.winners import fixed_points, jacobian

Floats = npt.NDArray[np.float64]
WEIGHTS = st.tuples(*[st.floats(0.05, 1.0)] * 3)


def chain_of(stay: float, advance: float, back: float) -> Floats:
    return np.stack([np.roll([stay, advance, back], k) for k in range(3)])


@settings(max_examples=20, deadline=None)
@given(weights=WEIGHTS)
def test_eigenvalue_and_hopf_predicate(weights: tuple[float, float, float]) -> None:
    stay, advance, back = np.array(weights) / sum(weights)
    ring = Ring(stay, advance, back)
    rate = linear_rate(chain_of(stay, advance, back), np.random.default_rng(0))
    assert rate == pytest.approx(ring.eigenvalue, abs=3e-5)
    if abs(ring.eigenvalue.real) > 1e-9:
        assert ring.mix_attracts == (ring.eigenvalue.real < 0)


@settings(max_examples=30, deadline=None)
@given(weights=WEIGHTS)
def test_uniform_mix_agrees_with_the_general_fixed_points(weights: tuple[float, float, float]) -> None:
    stay, advance, back = np.array(weights) / sum(weights)
    ring, found = Ring(stay, advance, back), fixed_points(chain_of(stay, advance, back))
    whole = np.flatnonzero(found.support.all(axis=1))
    if len(whole):
        assert found.shares[whole[0]] == pytest.approx(np.full(3, 1 / 3))
        assert found.eigenvalues[whole[0]].real.max() == pytest.approx(ring.eigenvalue.real, abs=1e-6)


@pytest.mark.parametrize(
    "ring",
    [Ring(0.37, 0.55, 0.08), Ring(0.37, 0.08, 0.55), Ring(0.36, 0.6, 0.04), Ring(0.3, 0.6, 0.1), Ring(0.45, 0.5, 0.05)],
)
def test_stays_lengthen_by_the_ratio(ring: Ring) -> None:
    assert ring.cycle_exists and ring.cycle_attracts == (ring.stay > 1 / 3)
    assert sojourn_ratio(chain_of(ring.stay, ring.advance, ring.back)) == pytest.approx(ring.cycle_ratio, abs=1e-6)


@pytest.mark.parametrize("ring", [Ring(0.5, 0.3, 0.2), Ring(0.2, 0.5, 0.3)])
def test_no_cycle_unless_stay_lies_between(ring: Ring) -> None:
    assert not ring.cycle_exists and ring.cycle_ratio == 0
    assert sojourn_ratio(chain_of(ring.stay, ring.advance, ring.back)) == pytest.approx(0, abs=1e-6)


def test_some_rings_have_no_stable_fixed_point() -> None:
    for row in ((0.36, 0.399, 0.241), (0.40, 0.41, 0.19)):
        assert not Ring(*row).mix_attracts and not fixed_points(chain_of(*row)).stable.any()


def test_scatter_of_a_stable_mix_tends_to_its_gaussian_limit() -> None:
    ring = Ring(0.05, 0.25, 0.7)
    transition = chain_of(ring.stay, ring.advance, ring.back)
    shares, rates = np.full(3, 1 / 3), np.ones(3)
    limit = limit_covariance(jacobian(rates[:, None] * transition, shares), long_run_covariance(transition, shares))
    late = np.array([200.0])
    assert ring.scatter(late, ring.eigenvalue.real) * np.exp(late) == pytest.approx([np.trace(limit)])
    assert ring.scatter(np.array([1e-6]), ring.eigenvalue.real) / 1e-6 == pytest.approx(
        [np.trace(long_run_covariance(transition, shares))], rel=1e-4
    )
    assert Ring(0.5, 0.25, 0.25).scatter(np.array([1.0]), -0.5) == pytest.approx([10 / 9 * np.exp(-1.0)])
    assert np.isfinite(Ring(1.0, 0.0, 0.0).scatter(np.array([1.0]), 0.0)).all()


@pytest.mark.parametrize("ring", [Ring(0.37, 0.55, 0.08), Ring(0.5, 0.3, 0.2)])
def test_texts_stay_or_leave_as_predicted(ring: Ring) -> None:
    found = [scatter(chain_of(ring.stay, ring.advance, ring.back), seed, lambda: False) for seed in range(4)]
    squares = np.concatenate([one.scattered.values[:, 12] for one in found])
    log_time = np.log(found[0]["length"].values[12] / found[0]["length"].values[0])
    expected = ring.scatter(np.array([log_time]), ring.eigenvalue.real)[0] / found[0]["length"].values[0]
    assert squares.mean() == pytest.approx(expected, rel=4.5 / np.sqrt(len(squares)))


def test_growth_next_to_a_single_token() -> None:
    rates = growth(chain_of(0.4, 0.5, 0.1), np.log([1.0, 1e-12, 1e-12]))
    assert rates[1:] == pytest.approx([0.5 / 0.4 - 1, 0.1 / 0.4 - 1], abs=1e-9)


def test_only_turned_copies_are_a_ring() -> None:
    assert ring_of(chain_of(0.5, 0.3, 0.2)) is not None
    assert ring_of(chain_of(0.5, 0.3, 0.2).T) == Ring(0.5, 0.2, 0.3)
    assert ring_of(np.eye(4)) is None
    assert ring_of(np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.2, 0.3, 0.5]])) is None
    assert np.isfinite(Ring(1.0, 0.0, 0.0).eigenvalue.real)
