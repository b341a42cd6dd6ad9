"""A sliding window: which token takes over, and when.

If attention sees the last w tokens only, a token that leaves the window never returns (ours, beyond arXiv 2402.13512).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array, eye_array
from scipy.sparse.linalg import splu

from theory.ccmc.problem import Floats, Integers, checked_positive, checked_prompt
from theory.core.errors import ParameterError

MOST_WINDOWS = 5000
"""Largest number of windows K^w for which fixation is solved exactly."""


def neutral_fixation(window: Integers, vocab_size: int) -> Floats:
    """Chance (K,) that each token takes over a full ``window`` (w,) when all entries of P are equal.

    A token that has r steps left in the window is worth r: each step takes one from every place and adds w to a token
    drawn uniformly, so the worth of a token is a martingale. The newest place weighs most.

    Raises:
        DataError: the window is empty, or a token is outside the vocabulary.

    >>> neutral_fixation(np.array([0, 1]), 2).round(4).tolist()
    [0.3333, 0.6667]
    """
    window = checked_prompt(window, vocab_size)
    width = len(window)
    worth = np.bincount(window, np.arange(1, width + 1), minlength=vocab_size)
    return worth / (width * (width + 1) / 2)


@dataclass(frozen=True, eq=False)
class Fixation:
    """Chance (K,) that each token takes over the window, and how many tokens it takes until one has.

    ``mean_time`` and ``time_spread`` (standard deviation) belong to the given window; ``longest_mean`` is the largest
    mean time of all windows.
    """

    chance: Floats
    mean_time: float
    time_spread: float
    longest_mean: float


def fixation(transition: Floats, window: Integers) -> Fixation:
    """Exact fixation in a full window (w,) of any chain without zeros, by a sparse solve over all K^w windows.

    Raises:
        ParameterError: more than 5000 windows. DataError: P is no base chain without zeros, or the window no prompt.

    >>> fixation(np.full((2, 2), 0.5), np.array([0, 1])).chance.round(4).tolist()
    [0.3333, 0.6667]
    """
    transition, window = checked_positive(transition), checked_prompt(window, len(transition))
    size, width = len(transition), len(window)
    if size**width > MOST_WINDOWS:
        raise ParameterError("window", width, f"at most {int(np.log(MOST_WINDOWS) / np.log(size))} with {size} tokens")
    chances, times, squares = _all_fixations(np.ascontiguousarray(transition).tobytes(), size, width)
    state = int(window @ size ** np.arange(width)[::-1])
    spread = float(np.sqrt(max(squares[state] - times[state] ** 2, 0.0)))
    return Fixation(chances[state], float(times[state]), spread, float(times.max()))


def longest_neutral_time(width: int, vocab_size: int) -> float:
    """Mean number of tokens until one has a window of ``width`` when all of P is equal, from the worst start.

    The diffusion limit ``w²/2 log K`` with w + 1 for w, which lies above all exact values (w up to 12 at K = 2).
    """
    return (width + 1) ** 2 / 2 * float(np.log(vocab_size))


@lru_cache(maxsize=16)
def _all_fixations(content: bytes, size: int, width: int) -> tuple[Floats, Floats, Floats]:
    transition = np.frombuffer(content).reshape(size, size)
    count = size**width
    states: Integers = np.arange(count, dtype=np.int64)
    places: Integers = states[:, None] // size ** np.arange(width)[::-1] % size
    tallies: Integers = np.count_nonzero(places[:, :, None] == np.arange(size), axis=1)
    weights = tallies * transition[places[:, -1]]
    laws = weights / weights.sum(axis=1, keepdims=True)
    fixed = tallies.max(axis=1) == width
    following: Integers = states[:, None] % size ** (width - 1) * size + np.arange(size)
    moving = np.flatnonzero(~fixed)
    rows: Integers = np.repeat(states, size)
    chain = csr_array((laws.ravel(), (rows, following.ravel())), shape=(count, count))[moving]
    solved = splu((eye_array(len(moving)) - chain[:, moving]).tocsc())
    ends = np.flatnonzero(fixed)
    to_ends = chain[:, ends].toarray()
    answers = solved.solve(np.column_stack([to_ends, np.ones(len(moving))]))
    chances, times, squares = np.zeros((count, size)), np.zeros(count), np.zeros(count)
    chances[ends, places[ends, 0]] = 1.0
    chances[np.ix_(moving, places[ends, 0])] = answers[:, :-1]
    times[moving] = answers[:, -1]
    # E T² = 1 + Σ Q (2 T + T²) = 2 T − 1 + Σ Q T².
    squares[moving] = solved.solve(2 * answers[:, -1] - 1)
    return chances, times, squares
