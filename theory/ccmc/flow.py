"""How shares move: dm/dτ = v(m) − m in log-time τ = log(n / n₀), with v(m) the stationary law of the fast chain.

While n tokens become n (1 + dτ), the shares m barely move and the last token runs through the fast chain
Q_m[k, j] = m_j P_kj / (P m)_k many times, so new tokens come with its stationary law v(m). Everything is integrated in
y = log m, dy/dτ = Pᵀu − 1 with u = v / (P m): losers at 1e-30 keep their digits. Ours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from theory.ccmc.flow_compiled import integrate, laws, velocities
from theory.ccmc.problem import Floats, Integers, checked_shares, checked_transition
from theory.core.errors import ParameterError

TOLERANCE = 1e-9
SETTLED = 0.02
"""A trajectory within this L1 distance of a fixed point has reached it."""


def fast_chain(transition: Floats, shares: Floats) -> Floats:
    """Q_m (..., K, K): the chain of last tokens while the shares m (..., K) stand still.

    >>> fast_chain(np.array([[0.5, 0.5], [0.2, 0.8]]), np.array([0.8, 0.2])).round(3).tolist()
    [[0.8, 0.2], [0.5, 0.5]]
    """
    joint = transition * shares[..., None, :]
    return joint / joint.sum(axis=-1, keepdims=True)


def last_token_shares(transition: Floats, shares: Floats) -> Floats:
    """v(m) (..., K): how often each token is generated while the shares m (..., K) stand still."""
    flat = np.ascontiguousarray(shares, dtype=np.float64).reshape(-1, shares.shape[-1])
    return laws(np.ascontiguousarray(transition), flat).reshape(shares.shape)


def log_velocity(transition: Floats, log_shares: Floats) -> Floats:
    """d(log m)/dτ = Pᵀu − 1 (..., K) at log shares (..., K); its own unit sum is made exact first."""
    flat = np.ascontiguousarray(log_shares, dtype=np.float64).reshape(-1, log_shares.shape[-1])
    return velocities(np.ascontiguousarray(transition), flat).reshape(log_shares.shape)


def velocity(transition: Floats, shares: Floats) -> Floats:
    """dm/dτ = v(m) − m (..., K) at positive shares m (..., K)."""
    return shares * log_velocity(transition, np.log(shares))


def trajectories(transition: Floats, shares: Floats, log_times: Floats) -> Floats:
    """Log shares (B, M, K) at rising log-times (M,), from shares (B, K) at log-time 0.

    Each trajectory chooses its own steps, so that none depends on its neighbours. A token without share keeps none
    (its log share is −inf).

    Raises:
        DataError: P is no base chain, or the shares are none. ParameterError: log-times that fall, or start below 0.
    """
    chain, times = checked_transition(transition), np.ascontiguousarray(log_times, dtype=np.float64)
    if times.ndim != 1 or not np.isfinite(times).all() or (np.diff(times, prepend=0.0) < 0).any():
        raise ParameterError("log_times", log_times, "finite numbers from 0, in rising order")
    with np.errstate(divide="ignore"):
        starts = np.log(np.ascontiguousarray(checked_shares(shares, len(chain))))
    starts -= np.log(np.exp(starts).sum(axis=1, keepdims=True))
    return integrate(np.ascontiguousarray(chain), starts, times, TOLERANCE)


def basins(transition: Floats, shares: Floats, goals: Floats, log_time: float = 200.0) -> tuple[Integers, Floats]:
    """Which goal (G, K) the flow reaches from each of the shares (B, K), and how far away it ends (L1), both (B,).

    The index is −1 where the flow is not within 0.02 of a goal at ``log_time``: it circles, or passes a saddle.
    """
    if not len(goals):
        return np.full(len(shares), -1), np.full(len(shares), np.inf)
    ends = np.exp(trajectories(transition, shares, np.array([log_time]))[:, 0])
    distance = np.abs(ends[:, None, :] - goals).sum(axis=2)
    nearest = distance.argmin(axis=1)
    away = distance.min(axis=1)
    return np.where(away <= SETTLED, nearest, -1), away


def spread_starts(counts: Integers, number: int = 64) -> Floats:
    """Shares (number, K) that a text may have soon after a prompt with these counts (K,): where its flow begins.

    Drawn (always the same) from the Dirichlet law of a Pólya urn, which the early chance of a short prompt resembles.
    """
    drawn = np.random.default_rng(0).gamma(np.maximum(counts, 1e-3), size=(number, len(counts)))
    drawn = np.maximum(drawn, 1e-12) * (counts > 0)
    return drawn / drawn.sum(axis=1, keepdims=True)


class Response(NamedTuple):
    """What small changes of the starting shares do later: first and second differences of the flow.

    ``first`` (M, K, D): change of the shares at each log-time for a step along each direction; ``second`` (M, K, D):
    their bending, half of φ(m + h) + φ(m − h) − 2 φ(m).
    """

    shares: Floats
    first: Floats
    second: Floats


def response(transition: Floats, shares: Floats, steps: Floats, log_times: Floats) -> Response:
    """The flow's answer (at ``log_times`` (M,)) to moving the shares (K,) by ± each row of ``steps`` (D, K).

    A step that would leave the simplex is shortened, and the answer scaled back up.
    """
    room = np.where(steps != 0, shares / np.maximum(2 * np.abs(steps), 1e-300), np.inf).min(axis=1)
    factor = np.minimum(1.0, room)[:, None]
    starts = np.concatenate([shares[None], shares + factor * steps, shares - factor * steps])
    moved = np.exp(trajectories(transition, starts, log_times))
    up, down = moved[1 : len(steps) + 1], moved[len(steps) + 1 :]
    scale = factor[:, :, None]
    first = (up - down) / (2 * scale)
    second = (up + down - 2 * moved[0]) / (2 * scale**2)
    return Response(moved[0], np.moveaxis(first, 0, -1), np.moveaxis(second, 0, -1))
