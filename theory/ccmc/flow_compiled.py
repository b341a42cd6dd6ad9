"""Inner loops of the share dynamics: the fast chain's stationary law, and an adaptive Runge-Kutta in log shares.

The stationary law uses the subtraction-free elimination of Grassmann, Taksar and Heyman, so that shares of 1e-300 keep
all their digits. The integrator is Dormand and Prince's pair of orders 5 and 4.
"""

from __future__ import annotations

import numpy as np

from theory.ccmc.problem import Floats, Integers
from theory.shared.compiled import compiled

TINY = 1e-300
MOST_STEPS = 100_000

STAGES = np.array(
    [
        [0, 0, 0, 0, 0, 0],
        [1 / 5, 0, 0, 0, 0, 0],
        [3 / 40, 9 / 40, 0, 0, 0, 0],
        [44 / 45, -56 / 15, 32 / 9, 0, 0, 0],
        [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729, 0, 0],
        [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656, 0],
        [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
    ]
)
ERRORS = np.array([71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40])


@compiled
def stationary(table: Floats, size: int, law: Floats) -> float:
    """Write the stationary law of the chain in ``table`` (its upper left corner) into ``law``; destroys the table.

    Returns the smallest chance with which an eliminated token is left for the others; at 0 the law is not unique.
    """
    least = 1.0
    for n in range(size - 1, 0, -1):
        leaving = 0.0
        for j in range(n):
            leaving += table[n, j]
        least = min(least, leaving)
        for i in range(n):
            table[i, n] /= max(leaving, TINY)
            for j in range(n):
                table[i, j] += table[i, n] * table[n, j]
    law[0] = whole = 1.0
    for n in range(1, size):
        law[n] = 0.0
        for i in range(n):
            law[n] += law[i] * table[i, n]
        whole += law[n]
    for n in range(size):
        law[n] /= whole
    return least


@compiled
def last_token_law(transition: Floats, shares: Floats, law: Floats, table: Floats, order: Integers) -> None:
    """Write the stationary law v (K,) of the fast chain at ``shares`` into ``law``; the other arrays are scratch."""
    size = len(shares)
    for k in range(size):
        order[k] = k
    top = np.argmax(shares)
    order[0], order[top] = top, 0  # the largest share is eliminated last: every other token can reach it
    for i in range(size):
        total = 0.0
        for j in range(size):
            total += shares[j] * transition[order[i], j]
        for j in range(size):
            table[i, j] = shares[order[j]] * transition[order[i], order[j]] / max(total, TINY)
    stationary(table, size, law)
    law[0], law[top] = law[top], law[0]


@compiled
def log_velocity(
    transition: Floats, log_shares: Floats, out: Floats, shares: Floats, law: Floats, table: Floats, order: Integers
) -> None:
    """Write d(log m)/dτ = Pᵀu − 1, u = v / (P m), into ``out`` (K,)."""
    size = len(log_shares)
    top = log_shares.max()
    whole = 0.0
    for k in range(size):
        shares[k] = np.exp(log_shares[k] - top)
        whole += shares[k]
    for k in range(size):
        shares[k] /= whole
    last_token_law(transition, shares, law, table, order)
    for j in range(size):
        out[j] = -1.0
    for k in range(size):
        total = 0.0
        for j in range(size):
            total += shares[j] * transition[k, j]
        for j in range(size):
            out[j] += transition[k, j] * law[k] / max(total, TINY)


@compiled
def velocities(transition: Floats, log_shares: Floats) -> Floats:
    """d(log m)/dτ at log shares (B, K)."""
    size = log_shares.shape[1]
    found = np.empty_like(log_shares)
    shares, law = np.empty(size), np.empty(size)
    table, order = np.empty((size, size)), np.empty(size, dtype=np.int64)
    for b in range(len(log_shares)):
        log_velocity(transition, log_shares[b], found[b], shares, law, table, order)
    return found


@compiled
def laws(transition: Floats, shares: Floats) -> Floats:
    """The fast chain's stationary law v (B, K) at shares (B, K)."""
    size = shares.shape[1]
    found = np.empty_like(shares)
    table, order = np.empty((size, size)), np.empty(size, dtype=np.int64)
    for b in range(len(shares)):
        last_token_law(transition, shares[b], found[b], table, order)
    return found


@compiled
def integrate(transition: Floats, starts: Floats, log_times: Floats, tolerance: float) -> Floats:
    """Log shares (B, M, K) at rising log-times (M,), each >= 0, from log shares ``starts`` (B, K) at log-time 0."""
    size = starts.shape[1]
    found = np.empty((len(starts), len(log_times), size))
    shares, law = np.empty(size), np.empty(size)
    table, order = np.empty((size, size)), np.empty(size, dtype=np.int64)
    slopes, point = np.empty((7, size)), np.empty(size)
    for b in range(len(starts)):
        state = starts[b].copy()
        now, step, taken = 0.0, 0.05, 0
        log_velocity(transition, state, slopes[0], shares, law, table, order)
        for m in range(len(log_times)):
            while log_times[m] - now > 1e-12 and taken < MOST_STEPS:
                taken += 1
                length = min(step, log_times[m] - now)
                for stage in range(1, 7):
                    for k in range(size):
                        change = 0.0
                        for before in range(stage):
                            change += STAGES[stage, before] * slopes[before, k]
                        point[k] = state[k] + length * change
                    log_velocity(transition, point, slopes[stage], shares, law, table, order)
                worst = 0.0
                for k in range(size):
                    error = 0.0
                    for stage in range(7):
                        error += ERRORS[stage] * slopes[stage, k]
                    worst = max(worst, abs(length * error) / (tolerance * (1 + abs(state[k]))))
                if worst <= 1.0:
                    now += length
                    top = point.max()
                    whole = 0.0
                    for k in range(size):
                        whole += np.exp(point[k] - top)
                    for k in range(size):
                        state[k] = point[k] - top - np.log(whole)
                        slopes[0, k] = slopes[6, k]
                if length == step or worst > 1.0:
                    step = length * min(5.0, max(0.2, 0.9 * max(worst, 1e-10) ** -0.2))
            found[b, m] = state
    return found
