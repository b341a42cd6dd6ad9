"""What generation becomes when it is changed: temperature of the output, a sliding window, weights that fade with age.

All five changes act on the weight of token j after token k, which is ``N_j P_kj`` in plain generation (ours, beyond
arXiv 2402.13512). Attention temperature only replaces P by a power of it; a count cap ends in the base chain itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.sparse import csr_array, eye_array
from scipy.sparse.linalg import splu
from scipy.special import gammaln

from theory.ccmc.chain import Floats, Integers
from theory.ccmc.flow import last_token_shares
from theory.ccmc.sampling import tempered
from theory.errors import ParameterError

Complexes = npt.NDArray[np.complex128]
ROUNDS = 20_000
SETTLED = 1e-12
MOST_WINDOWS = 5000
"""Largest number of windows K^w for which fixation is solved exactly."""


@dataclass(frozen=True, eq=False)
class Balance:
    """Shares (K,) that the text settles at; a deviation falls as n^-``rate``; ``unique``: there is no other."""

    shares: Floats
    rate: float
    unique: bool


def balance(transition: Floats, output_temperature: float) -> Balance:
    """The balance of text sampled from the next-token law to the power 1/T_o, T_o > 1.

    Reinforcement is then sublinear, ``N_j^(1/T_o)``: shares solve m = v(m) with weights ``(m_j P_kj)^(1/T_o)``. Damped
    iteration from every corner of the simplex and from its middle; near T_o = 1 they may end apart (``unique`` false).

    Raises:
        ParameterError: T_o is not above 1, where no balance attracts.

    >>> balance(np.tile([0.5, 0.3, 0.2], (3, 1)), 2.0).shares.round(6).tolist()  # at 2 exactly the law itself
    [0.5, 0.3, 0.2]
    """
    if output_temperature <= 1:
        raise ParameterError("output_temperature", output_temperature, "a number above 1: below, one token remains")
    return _balance(np.ascontiguousarray(transition).tobytes(), len(transition), output_temperature)


@lru_cache(maxsize=64)
def _balance(content: bytes, size: int, output_temperature: float) -> Balance:
    base = tempered(np.frombuffer(content).reshape(size, size), output_temperature)
    shares = np.vstack([np.full((1, size), 1 / size), 0.9 * np.eye(size) + 0.1 / size])
    for _ in range(ROUNDS):
        following = 0.5 * shares + 0.5 * _next_shares(base, shares, output_temperature)
        moved = float(np.abs(following - shares).max())
        shares = following
        if moved < SETTLED:
            break
    found = shares[0]
    unique = bool(np.abs(shares - found).max() < 1e-6)
    # Columns of the Jacobian of v on directions that sum to zero, by central differences.
    step = 1e-6 * found.min()
    directions = np.eye(size)[:, :-1] - np.eye(size)[:, -1:]
    ahead = _next_shares(base, found + step * directions.T, output_temperature)
    behind = _next_shares(base, found - step * directions.T, output_temperature)
    slopes = ((ahead - behind) / (2 * step))[:, :-1].T
    modes: Complexes = np.asarray(np.linalg.eigvals(slopes), dtype=np.complex128)
    return Balance(found, 1 - float(modes.real.max()), unique)


def _next_shares(base: Floats, shares: Floats, output_temperature: float) -> Floats:
    powers = shares ** (1 / output_temperature)
    return last_token_shares(base, powers / powers.sum(axis=-1, keepdims=True))


def stationary_law(transition: Floats) -> Floats:
    """Stationary law (K,) of an irreducible chain P (K, K): where a count cap ends.

    >>> stationary_law(np.array([[0.2, 0.8], [0.4, 0.6]])).round(4).tolist()
    [0.3333, 0.6667]
    """
    size = len(transition)
    system = np.vstack([transition.T - np.eye(size), np.ones(size)])
    return np.linalg.lstsq(system, np.append(np.zeros(size), 1.0), rcond=None)[0].astype(np.float64)


def neutral_fixation(window: Integers, vocab_size: int) -> Floats:
    """Chance (K,) that each token takes over a full ``window`` (w,) when all entries of P are equal.

    A token that has r steps left in the window is worth r: each step takes one from every place and adds w to a token
    drawn uniformly, so the worth of a token is a martingale. The newest place weighs most.

    >>> neutral_fixation(np.array([0, 1]), 2).round(4).tolist()
    [0.3333, 0.6667]
    """
    width = len(window)
    worth = np.bincount(window, np.arange(1, width + 1), minlength=vocab_size)
    return worth / (width * (width + 1) / 2)


@dataclass(frozen=True, eq=False)
class Fixation:
    """Chance (K,) that each token takes over the window, and the mean number of tokens until one has."""

    chance: Floats
    mean_time: float


def fixation(transition: Floats, window: Integers) -> Fixation:
    """Exact fixation in a full window (w,) of any chain, by a sparse solve over all K^w windows.

    Raises:
        ParameterError: more than 5000 windows.
    """
    size, width = len(transition), len(window)
    if size**width > MOST_WINDOWS:
        raise ParameterError("window", width, f"at most {int(np.log(MOST_WINDOWS) / np.log(size))} with {size} tokens")
    chances, times = _all_fixations(np.ascontiguousarray(transition).tobytes(), size, width)
    state = int(window @ size ** np.arange(width)[::-1])
    return Fixation(chances[state], float(times[state]))


@lru_cache(maxsize=16)
def _all_fixations(content: bytes, size: int, width: int) -> tuple[Floats, Floats]:
    transition = np.frombuffer(content).reshape(size, size)
    count = size**width
    states: Integers = np.arange(count, dtype=np.int64)
    places: Integers = states[:, None] // size ** np.arange(width)[::-1] % size
    tallies: Integers = np.count_nonzero(places[:, :, None] == np.arange(size), axis=1)
    weights = tallies * transition[places[:, -1]]
    laws = weights / weights.sum(axis=1, keepdims=True)
    fixed = tallies.max(axis=1) == width
    following: Integers = states[:, None] % size ** (width - 1) * size + np.arange(size)
    moving = np.flatnonzero(~fixed)
    rows: Integers = np.repeat(states, size)
    chain = csr_array((laws.ravel(), (rows, following.ravel())), shape=(count, count))[moving]
    solved = splu((eye_array(len(moving)) - chain[:, moving]).tocsc())
    ends = np.flatnonzero(fixed)
    to_ends = chain[:, ends].toarray()
    answers = solved.solve(np.column_stack([to_ends, np.ones(len(moving))]))
    chances, times = np.zeros((count, size)), np.zeros(count)
    chances[ends, places[ends, 0]] = 1.0
    chances[np.ix_(moving, places[ends, 0])] = answers[:, :-1]
    times[moving] = answers[:, -1]
    return chances, times


def recency_growth(exponent: float, recency: float) -> float:
    """Growth exponent eta of a loser when a token at distance delta weighs delta^-s, 0 <= s < 1.

    With weights ``delta^-s`` a count n^eta is seen as a fraction
    ``eta B(1 - s, eta) / B(1 - s, 1)`` of its plain weight (B the beta integral over past positions), so that
    ``Gamma(eta + 1 - s) = theta Gamma(2 - s) Gamma(eta)``. At s = 0, eta = theta.

    Raises:
        ParameterError: s is at least 1 (the memory is summable, and one token takes over as in a window).

    >>> round(recency_growth(0.5, 0.5), 3), round(recency_growth(0.5, 0.0), 6)
    (0.357, 0.5)
    """
    if not 0 <= recency < 1:
        raise ParameterError("recency_exponent", recency, "a number from 0, below 1")
    if exponent <= 0:
        return 0.0
    if exponent >= 1 or recency == 0:
        return min(exponent, 1.0)

    def excess(growth: float) -> float:
        return float(gammaln(growth + 1 - recency) - np.log(exponent) - gammaln(2 - recency) - gammaln(growth))

    return float(brentq(excess, 1e-12, 1.0, xtol=1e-14))
