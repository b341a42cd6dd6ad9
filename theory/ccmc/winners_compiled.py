"""The inner loop over supports: u_S = P_SS^{-T} 1 by Gaussian elimination with complete pivoting, then m_S.

M = diag(u) P_SS has columns that sum to 1, so m_S is the stationary law of Mᵀ.
"""

from __future__ import annotations

import numpy as np

from theory.ccmc.flow_compiled import stationary
from theory.ccmc.problem import Floats, Integers
from theory.shared.compiled import compiled

NOTHING, POINT, TIE = 0, 1, 2


@compiled
def solve_supports(
    transition: Floats, members: Integers, sizes: Integers, singular: float, smallest: float
) -> tuple[Floats, Floats, Integers]:
    """u and m (F, K) on the first ``sizes`` (F,) of ``members`` (F, K), and what was found (F,): nothing, point or tie.

    A point has all u and m above ``smallest``. P_SS is singular when a pivot is below ``singular`` times the first;
    then there is a tie if the equations can still be met.
    """
    number, most = members.shape
    rates, shares, kind = np.zeros((number, most)), np.zeros((number, most)), np.zeros(number, dtype=np.int64)
    table, column = np.empty((most, most + 1)), np.empty(most, dtype=np.int64)
    value_of, law = np.empty(most), np.empty(most)
    for f in range(number):
        size = sizes[f]
        for i in range(size):
            column[i] = i
            table[i, size] = 1.0
            for j in range(size):
                table[i, j] = transition[members[f, j], members[f, i]]
        rank, first = size, 0.0
        for step in range(size):
            row, col, largest = step, step, -1.0
            for i in range(step, size):
                for j in range(step, size):
                    if abs(table[i, j]) > largest:
                        row, col, largest = i, j, abs(table[i, j])
            if step == 0:
                first = largest
            if largest <= singular * first:
                rank = step
                break
            for j in range(size + 1):
                table[step, j], table[row, j] = table[row, j], table[step, j]
            for i in range(size):
                table[i, step], table[i, col] = table[i, col], table[i, step]
            column[step], column[col] = column[col], column[step]
            for i in range(step + 1, size):
                factor = table[i, step] / table[step, step]
                for j in range(step, size + 1):
                    table[i, j] -= factor * table[step, j]
        if rank < size:
            left = 0.0
            for i in range(rank, size):
                left = max(left, abs(table[i, size]))
            kind[f] = TIE if left < 1e-8 else NOTHING
            continue
        kind[f] = POINT
        for step in range(size - 1, -1, -1):
            value = table[step, size]
            for j in range(step + 1, size):
                value -= table[step, j] * value_of[column[j]]
            value_of[column[step]] = value / table[step, step]
            if value_of[column[step]] <= smallest:
                kind[f] = NOTHING
                break
        if kind[f] == NOTHING:
            continue
        for i in range(size):
            for j in range(size):
                table[i, j] = value_of[j] * transition[members[f, j], members[f, i]]
        if stationary(table, size, law) <= 0.0:  # zeros in P can leave several vectors m, or none with all tokens
            kind[f] = NOTHING
            continue
        for i in range(size):
            if law[i] <= smallest:
                kind[f] = NOTHING
            rates[f, members[f, i]] = value_of[i]
            shares[f, members[f, i]] = law[i]
    return rates, shares, kind
