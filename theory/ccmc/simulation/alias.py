"""A compiled sampler whose tokens cost the same whatever the vocabulary: alias tables of a text that changes slowly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from theory.ccmc.problem import Floats, Integers
from theory.ccmc.simulation.batch import Batch, arrived, count
from theory.ccmc.simulation.random_numbers import uniform
from theory.shared.compiled import compiled

Tokens = npt.NDArray[np.uint16]
MOST_ADDED = 65_536
"""Tokens after which the tables are made anew at the latest (K^2 if that is more): the rest stays in the cache."""


@compiled
def tabulate(mass: Floats, table: Floats, weight: Floats, keep: Floats, other: Tokens, waiting: Integers) -> None:
    """Alias tables of ``mass * table[k]`` for every last token k (Walker 1977, built as by Vose 1991).

    Fills ``weight`` (K,) with the sums; then a column i drawn at random gives token i with probability ``keep[k, i]``,
    else token ``other[k, i]``. ``waiting`` (K,) is room for work.
    """
    size = len(mass)
    for k in range(size):
        total = 0.0
        for j in range(size):
            total += mass[j] * table[k, j]
        weight[k] = total
        if total <= 0:
            continue
        light, heavy = 0, size
        for j in range(size):
            keep[k, j], other[k, j] = mass[j] * table[k, j] * (size / total), j
            if keep[k, j] < 1:
                waiting[light] = j
                light += 1
            else:
                heavy -= 1
                waiting[heavy] = j
        while light > 0 and heavy < size:
            light -= 1
            short, donor = waiting[light], waiting[heavy]
            other[k, short] = donor
            keep[k, donor] -= 1 - keep[k, short]
            if keep[k, donor] < 1:
                heavy += 1
                waiting[light] = donor
                light += 1
        for at in range(light):  # what rounding left over
            keep[k, waiting[at]] = 1.0


@compiled
def run_alias(
    b: Batch,
    first: int,
    budget: float,
    table: Floats,
    weight: Floats,
    keep: Floats,
    other: Tokens,
    added: Tokens,
    held: Integers,
) -> int:
    """Sample from the weights ``N_j table[last, j]`` as a mixture: the text up to some moment, and what came since.

    The first part is drawn from its tables; of the second, each of the ``added`` tokens is proposed with weight 1 and
    accepted with probability ``table[last, j]``. The tables are made anew when the second part has grown to a quarter
    of the text (at least K^2/4 tokens) or has been refused K^2 times: they cost no more than they save. ``held`` (4,)
    says for which run the tables are, how much has been added, how much may be, and how often it was refused.
    """
    size = len(table)
    waiting = np.zeros(size, dtype=np.int64)
    for run in range(first, len(b.n)):
        rng, N, moved = b.state[run], b.counts[run], b.moves[run]
        if held[0] != run:
            held[0], held[1], held[2], held[3] = run, 0, 0, 0
        while b.place[run] < len(b.times):
            target = b.times[b.place[run]]
            now, k, spent, since, most, refused = b.n[run], b.last[run], 0.0, held[1], held[2], held[3]
            while now < target and spent < budget:
                if since >= most or refused > size * size:
                    tabulate(N, table, weight, keep, other, waiting)
                    since, refused = 0, 0
                    most = min(max(size * size // 4, int(now) // 4), len(added))
                    spent += size * size / 4
                spent += 1
                at = uniform(rng) * (weight[k] + since)
                if at < weight[k]:
                    at *= size / weight[k]
                    i = min(int(at), size - 1)
                    alias = np.int64(other[k, i])
                    j = i if at - i < keep[k, i] else alias
                else:
                    j = np.int64(added[min(int(at - weight[k]), since - 1)])
                    if uniform(rng) >= table[k, j]:
                        refused += 1
                        continue
                added[since] = j
                since += 1
                now += 1
                count(N, moved, k, j, 1.0)
                k = j
            budget -= spent
            held[1], held[2], held[3] = since, most, refused
            if not arrived(b, run, now, k, spent):
                return run
    return len(b.n)
