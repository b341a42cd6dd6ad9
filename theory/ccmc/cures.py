"""What generation becomes when it is changed: temperature of the output, a cap on counts, weights that fade with age.

All five changes act on the weight of token j after token k, which is ``N_j P_kj`` in plain generation (ours, beyond
arXiv 2402.13512). Attention temperature only replaces P by a power of it; a count cap ends in the base chain itself.
The sliding window has its own module, :mod:`theory.ccmc.window_fixation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import gammaln

from theory.ccmc.flow import last_token_shares, log_velocity
from theory.ccmc.mapping import tempered
from theory.ccmc.problem import Floats, Integers, checked_transition
from theory.core.errors import DataError, ParameterError

Complexes = npt.NDArray[np.complex128]
ROUNDS = 20_000
SETTLED = 1e-10
SMALLEST = 1e-200
STEP = 1e-5
STRIDE = 0.1
"""Longest step of the flow in log-time; its rates are of order one."""


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
        ParameterError: T_o is not above 1, where no balance attracts. DataError: P is no base chain.

    >>> balance(np.tile([0.5, 0.3, 0.2], (3, 1)), 2.0).shares.round(6).tolist()  # at 2 exactly the law itself
    [0.5, 0.3, 0.2]
    """
    if not 1 < output_temperature < np.inf:
        raise ParameterError("output_temperature", output_temperature, "a number above 1: below, one token remains")
    checked = np.ascontiguousarray(checked_transition(transition))
    return _balance(checked.tobytes(), len(checked), output_temperature)


@lru_cache(maxsize=64)
def _balance(content: bytes, size: int, output_temperature: float) -> Balance:
    base = tempered(np.frombuffer(content).reshape(size, size), output_temperature)
    shares = np.vstack([np.full((1, size), 1 / size), 0.9 * np.eye(size) + 0.1 / size])
    for _ in range(ROUNDS):
        factors = _share_growth(base, shares, output_temperature)
        shares = 0.5 * shares * (1 + factors)
        shares = np.maximum(shares / shares.sum(axis=1, keepdims=True), SMALLEST)
        if np.abs(factors - 1)[shares > SMALLEST].max() < SETTLED:
            break
    found = shares[0]
    unique = bool(np.abs(shares - found).max() < 1e-6)
    # Derivatives of v/m by log m, so that a share of 1e-30 keeps its digits. Scaling all of m is no change of shares:
    # that direction, 1 with left eigenvector m, is moved out of the way.
    moved = np.exp(STEP * np.eye(size))
    ahead = _share_growth(base, found * moved, output_temperature)
    behind = _share_growth(base, found / moved, output_temperature)
    slopes = (ahead - behind).T / (2 * STEP)
    modes: Complexes = np.asarray(np.linalg.eigvals(slopes - 100 * found), dtype=np.complex128)
    return Balance(found, -float(modes.real.max()), unique)


def _share_growth(base: Floats, shares: Floats, output_temperature: float) -> Floats:
    """v/m (B, K): how fast each count grows, relative to itself, at positive shares m (B, K) of any sum."""
    powers = np.log(shares) / output_temperature
    powers -= np.log(np.exp(powers).sum(axis=-1, keepdims=True))
    return np.exp(powers) / shares * (1 + log_velocity(base, powers))


def left_of_start(transition: Floats, output_temperature: float, counts: Integers, n_tokens: float) -> float:
    """Largest distance of a share from its balance, at ``n_tokens`` tokens, after a prompt with these counts (K,).

    Chance may lead a short prompt anywhere before the flow of the shares takes over: it is followed from the prompt's
    own shares, and from where each token in turn has made the prompt three times as long. The flow is integrated by
    Heun's rule in log-time.

    Raises:
        ParameterError: as :func:`balance`.
    """
    found = balance(transition, output_temperature)
    base, length = tempered(transition, output_temperature), int(counts.sum())
    late = counts + 2 * length * np.eye(len(counts))
    worst = 0.0
    for starts, begun in ((counts[None] / length, length), (late / (3 * length), 3 * length)):
        end = float(np.log(max(n_tokens / begun, 1.0)))
        steps = int(np.ceil(end / STRIDE))
        shares = np.maximum(starts, 1e-12)
        for _ in range(steps):
            first = _next_shares(base, shares, output_temperature) - shares
            second = _next_shares(base, shares + end / steps * first, output_temperature) - shares
            shares = shares + end / steps * (first + second - end / steps * first) / 2
        worst = max(worst, float(np.abs(shares - found.shares).max()))
    return worst


def _next_shares(base: Floats, shares: Floats, output_temperature: float) -> Floats:
    powers = shares ** (1 / output_temperature)
    return last_token_shares(base, powers / powers.sum(axis=-1, keepdims=True))


def stationary_law(transition: Floats) -> Floats:
    """Stationary law (K,) of a chain P (K, K): where a count cap ends.

    Raises:
        DataError: P is no base chain, or ``reducible``: it has several stationary laws.

    >>> stationary_law(np.array([[0.2, 0.8], [0.4, 0.6]])).round(4).tolist()
    [0.3333, 0.6667]
    """
    size = len(transition)
    system = np.vstack([checked_transition(transition).T - np.eye(size), np.ones(size)])
    law, _, rank, _ = np.linalg.lstsq(system, np.append(np.zeros(size), 1.0), rcond=None)
    if rank < size:
        raise DataError("reducible", "P has sets of tokens that it never leaves, so that its stationary law depends.")
    return law.astype(np.float64)


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
