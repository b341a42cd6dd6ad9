"""A compiled sampler that needs only the counts and the last token: inverse law, and repeats in one go."""

from __future__ import annotations

import numpy as np

from theory.ccmc.problem import Floats, Integers
from theory.ccmc.simulation.batch import Batch, arrived, count, pick, shaped_weight, weigh
from theory.ccmc.simulation.random_numbers import repeats, uniform
from theory.shared.compiled import compiled

MOST = 1e16
"""More than all tokens of a run."""
REFRESH = 65_536
"""Additions after which a sum that is kept up to date is formed anew: its relative error stays below 1e-11."""


@compiled
def run_counts(
    b: Batch,
    first: int,
    budget: float,
    table: Floats,
    columns: Floats,
    exponent: float,
    cap: float,
    leap_below: float,
    mass: Floats,
    totals: Floats,
    pending: Floats,
    age: Integers,
) -> int:
    """Sample from weights ``min(N_j, cap)^exponent table[last, j]``, kept in ``mass`` (the counts themselves if plain).

    ``totals`` (R, K) are the sums of the weights after each last token, ``columns`` the transpose of ``table``.
    While the other tokens weigh less than ``leap_below`` times the last one, its repeats are drawn in one go: exact,
    because the choice looks at the present state only and the run is followed to its end. ``pending`` (R,) holds the
    repeats still to come, -1 for none; at 0 another token must follow.
    """
    size = len(table)
    scratch = np.zeros(size)
    shaped = exponent != 1 or cap < np.inf
    for run in range(first, len(b.n)):
        rng, N, moved, M, S = b.state[run], b.counts[run], b.moves[run], mass[run], totals[run]
        while b.place[run] < len(b.times):
            target = b.times[b.place[run]]
            now, k, spent, since, left = b.n[run], b.last[run], 0.0, age[run], pending[run]
            while now < target and spent < budget:
                if left > 0:
                    step = min(left, target - now)
                    now += step
                    left -= step
                    count(N, moved, k, k, step)
                    continue
                spent += 1
                since += 1
                if since >= REFRESH:
                    since = 0
                    for i in range(size):
                        S[i] = weigh(M, table[i])
                row = table[k]
                own = M[k] * row[k]
                kept, total = M[k], S[k]
                if left == 0 or total - own < leap_below * own:
                    # Summed without the last token: a difference would have no digits left beside 1e15.
                    M[k] = 0.0
                    total = weigh(M, row)
                    if left < 0:
                        M[k] = kept
                        left = repeats(rng, kept, total / row[k])
                        for i in range(size):  # at once, so that record times leave no trace in the rounding
                            S[i] += columns[k, i] * min(left, MOST)
                        continue
                j = pick(M, row, scratch, uniform(rng) * total)
                M[k] = kept
                if scratch[j] <= 0:
                    continue
                left = -1.0
                now += 1
                count(N, moved, k, j, 1.0)
                gain = 1.0
                if shaped:
                    before, M[j] = M[j], shaped_weight(N[j], cap, exponent)
                    gain = M[j] - before
                if gain > 0:
                    for i in range(size):
                        S[i] += columns[j, i] * gain
                k = j
            budget -= spent
            age[run], pending[run] = since, left
            if not arrived(b, run, now, k, spent):
                return run
    return len(b.n)
