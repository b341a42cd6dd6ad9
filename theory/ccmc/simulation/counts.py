"""Compiled samplers that need only the counts and the last token: inverse law, run-length leap, scan rejection.

``table`` (K, K) holds P with each row divided by its largest entry (the law is the same). Every kernel advances run
after run to the record ``times`` until ``budget`` steps are spent, and returns the run to go on with (R when all are
done).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from theory.ccmc.simulation.random_numbers import repeats, uniform
from theory.shared.compiled import compiled, inlined

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
MOST_TRIES = 64
MOST = 1e16
"""More than all tokens of a run."""
REFRESH = 65_536
"""Additions after which a sum that is kept up to date is formed anew: its relative error stays below 1e-11."""


@compiled
def weigh(mass: Floats, row: Floats) -> float:
    """Sum of ``mass * row``."""
    total = 0.0
    for j in range(len(mass)):
        total += mass[j] * row[j]
    return total


@compiled
def shaped_weight(count: float, cap: float, exponent: float) -> float:
    """A token's weight, apart from its entry of P, when it counts ``count`` times."""
    return min(count, cap) ** exponent


@inlined
def pick(mass: Floats, row: Floats, scratch: Floats, left: float) -> int:
    """The token at weight ``left`` of the total; leaves the weights in ``scratch`` (K,).

    When rounding has run past the end, its weight there may be 0: draw again.

    Eight tokens at a time: most of the time goes into waiting for one addition to feed the next.
    """
    size = len(mass)
    for j in range(size):
        scratch[j] = mass[j] * row[j]
    b = 0
    while b < size - 8:
        low = (scratch[b] + scratch[b + 1]) + (scratch[b + 2] + scratch[b + 3])
        block = low + ((scratch[b + 4] + scratch[b + 5]) + (scratch[b + 6] + scratch[b + 7]))
        if left < block:
            break
        left -= block
        b += 8
    j, end = b, min(b + 8, size)
    while j < end - 1 and left >= scratch[j]:
        left -= scratch[j]
        j += 1
    return j


@compiled
def record(
    run: int,
    place: Integers,
    counts: Floats,
    last: Integers,
    moves: Floats,
    seen_counts: Floats,
    seen_last: Integers,
    seen_moves: Floats,
) -> None:
    """Write the state of a run at its next record time."""
    at = place[run]
    seen_last[run, at] = last[run]
    for j in range(seen_counts.shape[2]):
        seen_counts[run, at, j] = counts[run, j]
    if len(moves):
        seen_moves[run, at] = moves[run]
    place[run] = at + 1


@compiled
def run_counts(
    table: Floats,
    columns: Floats,
    exponent: float,
    cap: float,
    leap_below: float,
    times: Floats,
    first: int,
    budget: float,
    state: Words,
    n: Floats,
    counts: Floats,
    mass: Floats,
    totals: Floats,
    last: Integers,
    pending: Floats,
    age: Integers,
    place: Integers,
    steps: Floats,
    moves: Floats,
    seen_counts: Floats,
    seen_last: Integers,
    seen_moves: Floats,
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
    counted = len(moves) > 0
    for run in range(first, len(n)):
        rng, N, M, S = state[run], counts[run], mass[run], totals[run]
        while place[run] < len(times):
            target = times[place[run]]
            now, k, spent, since, left = n[run], last[run], 0.0, age[run], pending[run]
            while now < target and spent < budget:
                if left > 0:
                    step = min(left, target - now)
                    now += step
                    left -= step
                    N[k] += step
                    if counted:
                        moves[run, k, k] += step
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
                N[j] += 1
                gain = 1.0
                if shaped:
                    before, M[j] = M[j], shaped_weight(N[j], cap, exponent)
                    gain = M[j] - before
                if gain > 0:
                    for i in range(size):
                        S[i] += columns[j, i] * gain
                if counted:
                    moves[run, k, j] += 1
                k = j
            budget -= spent
            steps[run] += spent
            n[run], last[run], age[run], pending[run] = now, k, since, left
            if now < target:
                return run
            record(run, place, counts, last, moves, seen_counts, seen_last, seen_moves)
    return len(n)


@compiled
def run_scan(
    table: Floats,
    times: Floats,
    first: int,
    budget: float,
    state: Words,
    n: Floats,
    counts: Floats,
    last: Integers,
    order: Integers,
    rank: Integers,
    place: Integers,
    steps: Floats,
    moves: Floats,
    seen_counts: Floats,
    seen_last: Integers,
    seen_moves: Floats,
) -> int:
    """Propose a token from the counts in decreasing order, accept with ``table[last, j]``; exact law after 64 tries.

    ``order`` (R, K) lists the tokens by decreasing count and ``rank`` (R, K) is its inverse.
    """
    scratch = np.zeros(counts.shape[1])
    counted = len(moves) > 0
    for run in range(first, len(n)):
        rng, N, by_count, position = state[run], counts[run], order[run], rank[run]
        while place[run] < len(times):
            target = times[place[run]]
            now, k, spent = n[run], last[run], 0.0
            while now < target and spent < budget:
                row = table[k]
                j, tries = -1, 0
                while j < 0 and tries < MOST_TRIES:
                    tries += 1
                    left = uniform(rng) * now
                    at = 0
                    while at < len(N) - 1 and left >= N[by_count[at]]:
                        left -= N[by_count[at]]
                        at += 1
                    if uniform(rng) < row[by_count[at]]:
                        j = by_count[at]
                spent += tries
                if j < 0:
                    j = pick(N, row, scratch, uniform(rng) * weigh(N, row))
                    if scratch[j] <= 0:
                        continue
                now += 1
                N[j] += 1
                at = position[j]
                while at > 0 and N[by_count[at - 1]] < N[j]:
                    above = by_count[at - 1]
                    by_count[at], position[above] = above, at
                    at -= 1
                by_count[at], position[j] = j, at
                if counted:
                    moves[run, k, j] += 1
                k = j
            budget -= spent
            steps[run] += spent
            n[run], last[run] = now, k
            if now < target:
                return run
            record(run, place, counts, last, moves, seen_counts, seen_last, seen_moves)
    return len(n)
