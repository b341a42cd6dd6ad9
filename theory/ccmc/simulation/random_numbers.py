"""Random numbers inside compiled loops: one small generator per run, and the run lengths drawn from it.

xoshiro256++ (Blackman and Vigna, arXiv 1805.01407), its state filled by splitmix64 as its authors advise. A run's
stream depends on its own seed alone, so nothing depends on which runs are simulated beside it, or in what order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from theory.core.errors import ParameterError
from theory.shared.compiled import compiled

Words = npt.NDArray[np.uint64]
Seed = int | tuple[int, ...]
UNIT = 2.0**-53


def streams(seeds: Sequence[Seed]) -> Words:
    """Generator states (R, 4), one for each seed: a whole number from 0, or a tuple of such numbers.

    Raises:
        ParameterError: no seeds, or one that is not whole, negative, or 2^64 and more.
    """
    entries = [(seed,) if isinstance(seed, (int, np.integer)) else tuple(seed) for seed in seeds]
    if not entries or any(not entry for entry in entries):
        raise ParameterError("seeds", list(seeds), "at least one seed, each a whole number or a tuple of them")
    longest = max(len(entry) for entry in entries)
    # The length goes in as well, so that 3 and (3, 0) are different seeds.
    table = [(len(entry), *entry, *(0,) * (longest - len(entry))) for entry in entries]
    try:
        words = np.array(table, dtype=np.uint64)
    except (OverflowError, TypeError, ValueError):
        raise ParameterError("seeds", list(seeds), "whole numbers from 0 to 2^64 - 1") from None
    key = np.zeros(len(words), dtype=np.uint64)
    present = np.array([len(entry) for entry in entries])
    for column in range(longest + 1):
        key = np.where(column <= present, _mixed(key ^ _mixed(words[:, column])), key)
    return _mixed(key[:, None] + np.arange(4, dtype=np.uint64) * _GOLDEN)


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mixed(word: Words) -> Words:
    """One step of splitmix64."""
    word = word + _GOLDEN
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@compiled
def uniform(state: Words) -> float:
    """A number in (0, 1), never 0 and never 1; advances ``state`` (4,)."""
    total = state[0] + state[3]
    result = ((total << np.uint64(23)) | (total >> np.uint64(41))) + state[0]
    shifted = state[1] << np.uint64(17)
    state[2] ^= state[0]
    state[3] ^= state[1]
    state[1] ^= state[2]
    state[0] ^= state[3]
    state[2] ^= shifted
    state[3] = (state[3] << np.uint64(45)) | (state[3] >> np.uint64(19))
    return (np.float64(result >> np.uint64(12)) + 0.5) * (2.0 * UNIT)


@compiled
def log_gamma_variate(state: Words, shape: float) -> float:
    """Logarithm of a Gamma(shape, 1) variate (Marsaglia and Tsang 2000).

    In logarithms, because a shape of 1e-3 gives variates far below the smallest float.
    """
    boost = 0.0
    if shape < 1:
        boost = np.log(uniform(state)) / shape
        shape += 1
    d = shape - 1 / 3
    c = 1 / np.sqrt(9 * d)
    while True:
        # Marsaglia's polar method.
        x = 2 * uniform(state) - 1
        y = 2 * uniform(state) - 1
        square = x * x + y * y
        if square >= 1 or square == 0:
            continue
        normal = x * np.sqrt(-2 * np.log(square) / square)
        v = 1 + c * normal
        if v <= 0:
            continue
        v = v * v * v
        if np.log(uniform(state)) < 0.5 * normal * normal + d - d * v + d * np.log(v):
            return boost + np.log(d * v)


@compiled
def repeats(state: Words, count: float, others: float) -> float:
    """How often the last token is drawn again before another one: a float, and infinite rather than overflowing.

    Its weight starts at ``count`` and grows by 1 each time while the others weigh ``others`` together, so
    ``P(R >= r) = prod_{i<r} (count + i)/(count + i + others) = E[B^r]`` with ``B ~ Beta(count, others)``. Drawn as
    ``floor(log U/log B)``, with ``log B = -log1p(g2/g1)`` from two Gamma variates.
    """
    if others <= 0:
        return np.inf
    ratio = np.exp(log_gamma_variate(state, others) - log_gamma_variate(state, count))
    if ratio == 0:
        return np.inf
    return np.floor(-np.log(uniform(state)) / np.log1p(ratio))
