"""What the compiled samplers share: a batch of runs on the way to its record times, and how a token is drawn.

A sampler advances run after run, from ``first``, until ``budget`` steps are spent, and returns the run to go on with (R
when all are done). Its ``table`` (K, K) is P with each row divided by its largest entry: the law is the same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from theory.ccmc.problem import Floats, Integers
from theory.ccmc.simulation.random_numbers import Words
from theory.shared.compiled import compiled, inlined

Token = int | np.int64
MOST_TRIES = 64
"""Rejections after which a token is drawn from its law instead."""


class Batch(NamedTuple):
    """R runs and M record times, as arrays that the samplers change.

    ``times`` (M,), and ``place`` (R,): which of them comes next. ``state`` (R, 4): random numbers. ``n`` (R,): tokens
    so far; ``counts`` (R, K), ``last`` (R,); ``steps`` (R,) that were taken. ``moves`` (R, K, K): how often i was
    followed by j, or (R, 0, 0). What was seen: ``seen_counts`` (R, M, K), ``seen_last`` (R, M) and ``seen_moves``
    (R, M, K, K) or (R, M, 0, 0).
    """

    times: Floats
    place: Integers
    state: Words
    n: Floats
    counts: Floats
    last: Integers
    steps: Floats
    moves: Floats
    seen_counts: Floats
    seen_last: Integers
    seen_moves: Floats


@inlined
def count(N: Floats, moved: Floats, k: Token, j: Token, number: float) -> None:
    """``number`` tokens j after k, in a run's counts (K,) and, if they are kept, its moves (K, K).

    Inner loops hold the rows of a run: to take an array out of a batch costs as much as a token.
    """
    N[j] += number
    if len(moved):
        moved[k, j] += number


@compiled
def arrived(b: Batch, run: int, now: float, last: Token, spent: float) -> bool:
    """Write back where a run is; at its next record time also what is seen there, and say so."""
    b.n[run], b.last[run] = now, last
    b.steps[run] += spent
    at = b.place[run]
    if now < b.times[at]:
        return False
    b.seen_last[run, at] = last
    for j in range(b.counts.shape[1]):
        b.seen_counts[run, at, j] = b.counts[run, j]
    b.seen_moves[run, at] = b.moves[run]
    b.place[run] = at + 1
    return True


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
