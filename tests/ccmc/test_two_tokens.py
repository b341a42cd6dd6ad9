"""Two tokens: phases against the definition of the flow, the winner probability against enumeration."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.ccmc.experiments.flows import growth
from theory.ccmc.two_tokens import TwoTokens, decided_probability, two_tokens, winner_probability
from theory.core.errors import DataError

Floats = npt.NDArray[np.float64]
ODDS = st.floats(0.05, 20.0).filter(lambda odds: abs(np.log(odds)) > 0.05)


def chain_of(first: float, second: float) -> Floats:
    return np.array([[first / (1 + first), 1 / (1 + first)], [1 / (1 + second), second / (1 + second)]])


def drift(transition: Floats, share: float) -> float:
    """d log(m0/m1)/dtau from the definition of the flow."""
    found = growth(transition, np.log([share, 1 - share]))
    return float(found[0] - found[1])


@settings(max_examples=60, deadline=None)
@given(first=ODDS, second=ODDS)
def test_phase_says_where_the_flow_goes(first: float, second: float) -> None:
    transition, chain = chain_of(first, second), TwoTokens(first, second)
    near_first, near_second = drift(transition, 1 - 1e-6) > 0, drift(transition, 1e-6) > 0
    expected = {(True, True): "first wins", (False, False): "second wins", (True, False): "bistable"}
    assert chain.phase == expected.get((near_first, near_second), "mixed")


@settings(max_examples=60, deadline=None)
@given(first=ODDS, second=ODDS)
def test_balance_stands_still_and_moves_at_the_eigenvalue(first: float, second: float) -> None:
    chain, transition = TwoTokens(first, second), chain_of(first, second)
    if chain.phase not in ("bistable", "mixed"):
        assert np.isnan(chain.balance) and np.isnan(chain.eigenvalue)
        return
    balance = chain.balance
    step = 1e-5 * balance * (1 - balance)
    slope = (drift(transition, balance + step) - drift(transition, balance - step)) / (2 * step)
    assert abs(drift(transition, balance)) < 1e-9
    assert slope * balance * (1 - balance) == pytest.approx(chain.eigenvalue, rel=1e-4, abs=1e-8)
    closed = -(1 - first) * (1 - second) / (1 - first * second)
    assert chain.eigenvalue == pytest.approx(closed, rel=1e-9)


def test_winner_probability_equals_the_sum_over_all_texts() -> None:
    transition, counts, steps = chain_of(3.0, 1.7), (2, 1), 9
    chain = two_tokens(transition)
    for last in (0, 1):
        total = 0.0
        for text in product((0, 1), repeat=steps):
            weight, number, previous = 1.0, list(counts), last
            for token in text:
                chances = np.array(number) * transition[previous]
                weight *= chances[token] / chances.sum()
                number[token] += 1
                previous = token
            tokens = sum(number)
            total += weight * float(decided_probability(chain, np.array(number[0] / tokens), tokens, previous))
        assert winner_probability(transition, counts, last, steps)[0] == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize(
    ("odds", "counts", "last", "known"),
    [((2.0, 2.0), (1, 1), 0, 0.6007), ((3.0, 2.0), (1, 1), 1, 0.5432), ((2.0, 3.0), (4, 2), 0, 0.6115)],
)
def test_winner_probability_converges(
    odds: tuple[float, float], counts: tuple[int, int], last: int, known: float
) -> None:
    """Known values: a step at the separatrix after 4000 tokens instead of the Gaussian law."""
    brief, error = winner_probability(chain_of(*odds), counts, last, 500)
    long, _ = winner_probability(chain_of(*odds), counts, last, 4000)
    assert long == pytest.approx(known, abs=1e-4)
    assert abs(brief - long) < 2 * error + 1e-9 < 1e-3


@settings(max_examples=25, deadline=None)
@given(first=ODDS, second=ODDS, ahead=st.integers(1, 30), behind=st.integers(1, 30), last=st.integers(0, 1))
def test_renaming_the_tokens_changes_the_winner(
    first: float, second: float, ahead: int, behind: int, last: int
) -> None:
    here, _ = winner_probability(chain_of(first, second), (ahead, behind), last, 300)
    there, _ = winner_probability(chain_of(second, first), (behind, ahead), 1 - last, 300)
    assert 0 <= here <= 1
    if TwoTokens(first, second).phase in ("mixed", "boundary"):
        assert here == there == 0
    else:
        assert here + there == pytest.approx(1, abs=1e-9)


def test_more_of_a_token_helps_it() -> None:
    values = [winner_probability(chain_of(1.5, 3.0), (count, 6), 1)[0] for count in range(1, 12)]
    assert np.all(np.diff(values) > 0)


def test_bad_input_is_named() -> None:
    with pytest.raises(DataError, match=r"shape \(3, 3\)"):
        two_tokens(np.full((3, 3), 1 / 3))
    with pytest.raises(DataError, match="last token 1"):
        winner_probability(chain_of(2.0, 2.0), (3, 0), 1)


def test_zeros_and_boundaries_give_limits() -> None:
    assert two_tokens(np.array([[1.0, 0.0], [0.2, 0.8]])).phase == "bistable"
    assert two_tokens(np.array([[0.0, 1.0], [1.0, 0.0]])).balance == pytest.approx(0.5)
    neutral = two_tokens(np.full((2, 2), 0.5))
    assert neutral.phase == "boundary" and neutral.rate == 0 and neutral.limits == ()
