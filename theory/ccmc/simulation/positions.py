"""Compiled samplers that keep the text itself: history rejection, and windows or recency weights position by position.

``text`` (R, span) is a ring: position i sits at ``i % span``. An answer of -1 - r says that in run r no token of the
window can follow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from theory.ccmc.problem import Floats
from theory.ccmc.simulation.batch import MOST_TRIES, Batch, arrived, count, pick, shaped_weight, weigh
from theory.ccmc.simulation.random_numbers import Words, uniform
from theory.shared.compiled import compiled

Text = npt.NDArray[Any]


@compiled
def area(x: float, rest: float) -> float:
    """Integral of ``t^(rest - 1)`` from 1 to x."""
    return np.log(x) if abs(rest) < 1e-12 else np.expm1(rest * np.log(x)) / rest


@compiled
def end_of_area(size: float, rest: float) -> float:
    """The x at which :func:`area` is ``size``."""
    return np.exp(size) if abs(rest) < 1e-12 else np.exp(np.log1p(size * rest) / rest)


@compiled
def distance(state: Words, furthest: float, decay: float) -> int:
    """A distance d = 1 ... furthest with probability proportional to ``d^-decay``, at a cost that ``furthest`` leaves
    alone: rejection-inversion (Hörmann and Derflinger 1996)."""
    if decay == 0 or furthest < 2:
        return min(int(uniform(state) * furthest), int(furthest) - 1) + 1
    rest = 1 - decay
    low, high = area(1.5, rest) - 1, area(furthest + 0.5, rest)
    sure = 2 - end_of_area(area(2.5, rest) - 2.0**-decay, rest)
    while True:
        at = high + uniform(state) * (low - high)
        x = end_of_area(at, rest)
        d = min(max(np.floor(x + 0.5), 1.0), furthest)
        if d - x <= sure or at >= area(d + 0.5, rest) - d**-decay:
            return int(d)


@compiled
def run_history(b: Batch, first: int, budget: float, table: Floats, decay: float, text: Text) -> int:
    """Propose the token at a past position, position i with weight ``distance^-decay``; accept with ``table[last, j]``.

    After as many tries as there are positions (at least 64) the law is summed over them instead: at most twice the
    cost of always doing so.
    """
    scratch, mass = np.zeros(len(table)), np.zeros(len(table))
    for run in range(first, len(b.n)):
        rng, N, moved, past = b.state[run], b.counts[run], b.moves[run], text[run]
        while b.place[run] < len(b.times):
            target = b.times[b.place[run]]
            now, k, spent = b.n[run], b.last[run], 0.0
            while now < target and spent < budget:
                row = table[k]
                j, tries, here = -1, 0, int(now)
                while j < 0 and tries < max(MOST_TRIES, here):
                    tries += 1
                    proposed = int(past[here - distance(rng, now, decay)])
                    if uniform(rng) < row[proposed]:
                        j = proposed
                spent += tries
                if j < 0:
                    mass[:] = 0
                    for d in range(1, here + 1):
                        mass[past[here - d]] += float(d) ** -decay
                    j = pick(mass, row, scratch, uniform(rng) * weigh(mass, row))
                    if scratch[j] <= 0:
                        continue
                past[here] = j
                now += 1
                count(N, moved, k, j, 1.0)
                k = j
            budget -= spent
            if not arrived(b, run, now, k, spent):
                return run
    return len(b.n)


@compiled
def run_window(
    b: Batch,
    first: int,
    budget: float,
    table: Floats,
    exponent: float,
    cap: float,
    weights: Floats,
    inside: Floats,
    text: Text,
    fixed_at: Floats,
) -> int:
    """Attend to the last ``span`` positions with weights ``min(N_j, cap)^exponent table[last, j]``.

    ``inside`` (R, K) counts the tokens in the window. With ``weights`` (span,) by distance, N_j is the sum over j's
    positions, added up anew for each token; without (length 0), N_j is the count. Once the window holds one token, the
    rest is decided and costs nothing; ``fixed_at`` (R,) says when that was.
    """
    scratch, mass = np.zeros(len(table)), np.zeros(len(table))
    span = text.shape[1]
    plain = exponent == 1 and cap == np.inf
    for run in range(first, len(b.n)):
        rng, N, moved = b.state[run], b.counts[run], b.moves[run]
        past, held = text[run], inside[run]
        while b.place[run] < len(b.times):
            target = float(b.times[b.place[run]])
            now, k, spent = b.n[run], b.last[run], 0.0
            while now < target and spent < budget:
                row, filled = table[k], min(now, float(span))
                if held[k] == filled and row[k] > 0:
                    if np.isnan(fixed_at[run]):
                        fixed_at[run] = now
                        past[:] = k
                    count(N, moved, k, k, target - now)
                    held[k] = min(target, float(span))
                    now = target
                    continue
                at = int(now) % span
                if len(weights):
                    mass[:] = 0
                    for d in range(1, int(filled) + 1):
                        mass[past[at - d]] += weights[d - 1]  # a negative index goes round the ring
                    spent += 0.1 * filled
                else:
                    mass[:] = held
                if not plain:
                    for j in range(len(mass)):
                        if mass[j] > 0:
                            mass[j] = shaped_weight(mass[j], cap, exponent)
                spent += 1
                total = weigh(mass, row)
                if total <= 0:
                    b.last[run] = k
                    return -1 - run
                j = pick(mass, row, scratch, uniform(rng) * total)
                if scratch[j] <= 0:
                    continue
                if now >= span:
                    held[past[at]] -= 1
                past[at] = j
                held[j] += 1
                now += 1
                count(N, moved, k, j, 1.0)
                k = j
            budget -= spent
            if not arrived(b, run, now, k, spent):
                return run
    return len(b.n)
