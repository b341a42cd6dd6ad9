"""What one endless text reveals about its base chain: how often each move between two tokens is made.

Next to a winner set S with growth exponents theta (1 on S), token i is visited at the rate ``n^(theta_i - 1)`` per
token and picks l with a probability of order ``n^(theta_l - 1)``. Integrated, n tokens hold ``n^(theta_i + theta_l -
1)`` moves from i to l: their logarithm when the exponent is 0, finitely many when it is negative. Each move to l is
one observation of P_il against P_ij with j in S. Ours.
"""

from __future__ import annotations

import numpy as np

from theory.ccmc.flow import last_token_shares, trajectories
from theory.ccmc.problem import Booleans, Floats

FLOW_RECORDS = 60
SMALLEST = 1e-300


def move_exponents(exponents: Floats) -> Floats:
    """Exponent of the number of moves i -> l, shape (..., K, K), for growth exponents (..., K).

    >>> move_exponents(np.array([1.0, 0.4])).round(2).tolist()
    [[1.0, 0.4], [0.4, -0.2]]
    """
    return exponents[..., :, None] + exponents[..., None, :] - 1


def learnable(exponents: Floats) -> Booleans:
    """Which log ratios P_il/P_ij (j a winner) one endless text determines, (..., K, K): theta_i + theta_l >= 1.

    The standard error falls as ``n^-(theta_i + theta_l - 1)/2``; at exactly 1 as one over the root of log n. With
    identical rows and two tokens: the weak token's row is learnable iff its rival's probability is at most 2/3.

    >>> learnable(np.array([1.0, 0.5]))[1, 1], learnable(np.array([1.0, 3 / 7]))[1, 1]
    (np.True_, np.False_)
    """
    return move_exponents(exponents) >= -1e-12


def measured_exponents(moves: Floats, counts: Floats, stretch: float) -> tuple[Floats, Floats, Floats]:
    """Slope of the number of moves against n on log-log axes, its standard error, and moves in the first third.

    ``moves`` (R, 3, K, K) are cumulative at n1 < n2 < n3 with ``n3/n2 = n2/n1 = exp(stretch)``; ``counts`` (R, K) the
    tokens at n1. The moves of the two stretches are compared, so that a constant cancels and a negative exponent can be
    seen. A run's moves are divided by its N_i N_l at n1, to which they are proportional: the random prefactors, whose
    mean need not exist, cancel. Returns (K, K) three times; NaN where nobody moves.
    """
    weight = 1 / np.maximum(counts[:, :, None] * counts[:, None, :], 1.0)
    early, late = (np.diff(moves, axis=1) * weight[:, None]).swapaxes(0, 1)
    total = np.diff(moves, axis=1).sum(axis=0)
    seen = (total > 0).all(axis=0)
    scaled = [part / np.where(seen, part.mean(axis=0), 1.0) for part in (early, late)]
    ratio = np.where(seen, late.mean(axis=0), 1.0) / np.where(seen, early.mean(axis=0), 1.0)
    slope = np.where(seen, np.log(ratio) / stretch, np.nan)
    runs = len(moves)
    spread = (scaled[1] - scaled[0]).std(axis=0, ddof=1) / np.sqrt(runs) if runs > 1 else np.full_like(slope, np.inf)
    return slope, np.where(seen, spread / stretch, np.nan), total.min(axis=0)


def flow_exponents(transition: Floats, shares: Floats, stretch: float) -> Floats:
    """The same slopes along the flow that starts from shares (R, K) at n1, shape (K, K).

    The moves i -> l per log-time are ``n m_i m_l (v_i/m_i) P_il/(P m)_i``. What this differs from the limit is the
    finite-size error of the slope.
    """
    log_times = np.linspace(0.0, 2 * stretch, 2 * FLOW_RECORDS + 1)
    path = np.exp(trajectories(transition, shares, log_times))
    reach = path @ transition.T
    visits = last_token_shares(transition, path) / reach
    moves = (np.exp(log_times)[:, None] * visits)[..., :, None] * transition * path[..., None, :]
    moves /= np.maximum(shares[:, None, :, None] * shares[:, None, None, :], SMALLEST)
    step = log_times[1]
    halves = [moves[:, : FLOW_RECORDS + 1], moves[:, FLOW_RECORDS:]]
    early, late = (np.trapezoid(half, dx=step, axis=1).mean(axis=0) for half in halves)
    return np.log(np.maximum(late, SMALLEST) / np.maximum(early, SMALLEST)) / stretch
