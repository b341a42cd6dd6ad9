"""Two tokens: which of them wins, what they share when both stay, and with which probability the first one wins.

With odds alpha = P00/P01 and beta = P11/P10, the share m0 of token 0 moves in log-time tau = log n by

    d log(m0/m1) / dtau = ((alpha - 1) m0 - (beta - 1) m1) / (alpha m0^2 + 2 m0 m1 + beta m1^2),

so four phases: token 0 wins (alpha > 1 > beta), token 1 wins, both can win (alpha, beta > 1), both stay (< 1). Ours:
the last token is a fast chain whose stationary law drives the slow shares; arXiv 2402.13512 treats identical rows,
alpha beta = 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, cast

import numpy as np
from scipy.special import ndtr

from theory.ccmc.problem import Floats, checked_transition
from theory.core.errors import DataError, ParameterError
from theory.shared.compiled import compiled

Phase = Literal["first wins", "second wins", "bistable", "mixed", "boundary"]

PROGRAMME_STEPS = 2000
"""Tokens that the dynamic programme looks ahead; beyond them a Gaussian law decides the winner."""
SMALLEST = 1e-12
"""A probability of zero counts as this much, so that its limit is taken."""


@dataclass(frozen=True)
class TwoTokens:
    """The base chain of two tokens by its odds ``first`` = P00/P01 and ``second`` = P11/P10, both positive."""

    first: float
    second: float

    def __post_init__(self) -> None:
        for name, odds in (("odds_first", self.first), ("odds_second", self.second)):
            if not 0 < odds < np.inf:
                raise ParameterError(name, odds, "a positive number")

    @property
    def phase(self) -> Phase:
        """Which of the four phases; exactly at odds of 1 it is a boundary.

        >>> TwoTokens(3.0, 2.0).phase, TwoTokens(0.2, 0.5).phase, TwoTokens(3.0, 0.5).phase
        ('bistable', 'mixed', 'first wins')
        """
        if self.first == 1 or self.second == 1:
            return "boundary"
        if self.first > 1:
            return "bistable" if self.second > 1 else "first wins"
        return "second wins" if self.second > 1 else "mixed"

    @property
    def balance(self) -> float:
        """The share m0* of token 0 at which shares stand still: separatrix or mix; NaN without one inside (0, 1).

        >>> round(TwoTokens(3.0, 2.0).balance, 4), round(TwoTokens(0.2, 0.5).balance, 4)
        (0.3333, 0.3846)
        """
        if self.phase not in ("bistable", "mixed"):
            return float("nan")
        return (self.second - 1) / (self.first - 1 + self.second - 1)

    @property
    def eigenvalue(self) -> float:
        """Rate in log-time at which a small distance from the balance grows; negative when both tokens stay.

        Its inverse is 1/s0 + 1/s1 - 1, where s0 = 1 - 1/alpha and s1 = 1 - 1/beta are the rates at which the loser
        dies out next to a winner: -(1 - alpha)(1 - beta)/(1 - alpha beta).

        >>> round(TwoTokens(3.0, 2.0).eigenvalue, 4), round(TwoTokens(0.2, 0.2).eigenvalue, 4)
        (0.4, -0.6667)
        """
        if self.phase not in ("bistable", "mixed"):
            return float("nan")
        return 1 / (1 / (1 - 1 / self.first) + 1 / (1 - 1 / self.second) - 1)

    @property
    def limits(self) -> tuple[float, ...]:
        """The shares of token 0 that generation can end at, largest first."""
        return {
            "first wins": (1.0,),
            "second wins": (0.0,),
            "bistable": (1.0, 0.0),
            "mixed": (self.balance,),
            "boundary": (),
        }[self.phase]

    @property
    def rate(self) -> float:
        """The slowest rate, in log-time, at which shares approach a limit or leave the separatrix; 0 at a boundary."""
        if self.phase == "boundary":
            return 0.0
        if self.phase in ("bistable", "mixed"):
            return abs(self.eigenvalue)
        return 1 - 1 / self.first if self.phase == "first wins" else 1 - 1 / self.second

    @cached_property
    def noise(self) -> float:
        """Largest standard deviation of the share, in units of 1/sqrt(n), that the fast chain adds over log-time 1."""
        return float(np.sqrt(self.variance(np.linspace(0.001, 0.999, 999)).max()))

    def switching(self, share: Floats) -> tuple[Floats, Floats]:
        """Probabilities Q01 and Q10 that the last token changes, at these shares of token 0."""
        other = 1 - share
        return other / (self.first * share + other), share / (share + self.second * other)

    def variance(self, share: Floats) -> Floats:
        """Long-run variance of the indicator of token 0 in the fast chain at these shares."""
        leave, enter = self.switching(share)
        return share * (1 - share) * (2 - leave - enter) / (leave + enter)


def two_tokens(transition: Floats) -> TwoTokens:
    """The odds of a base chain of shape (2, 2), row = last token; a zero counts as 1e-12.

    Raises:
        DataError: P is no base chain, or one of more than two tokens.
    """
    checked = checked_transition(transition)
    if len(checked) != 2:
        raise DataError("not_two_tokens", f"P has shape {checked.shape}; the phase diagram is that of (2, 2).")
    (stay, leave), (enter, stay_second) = np.maximum(checked, SMALLEST).tolist()
    return TwoTokens(stay / leave, stay_second / enter)


def winner_probability(
    transition: Floats, counts: tuple[int, int], last: int, steps: int = PROGRAMME_STEPS
) -> tuple[float, float]:
    """Probability that token 0 wins from a prompt with these counts, and an estimate of its numerical error.

    Exact dynamic programme over (count of token 0, last token), ``steps`` tokens ahead; from there the share, shifted
    by what the last token still adds, leaves the separatrix to the side that a Gaussian of variance
    ``variance / (n (1 + 2 eigenvalue))`` decides. The error is inferred from half as many steps, being of order 1/n.
    Where only one token can win the answer is 0 or 1; where both stay, nobody wins: 0.

    Raises:
        DataError: more than two tokens, an empty prompt, or a last token that is not in it.

    >>> probability, error = winner_probability(np.array([[2 / 3, 1 / 3], [1 / 3, 2 / 3]]), (1, 1), 0)
    >>> round(probability, 4), error < 1e-4
    (0.6007, True)
    """
    chain = two_tokens(transition)
    if min(counts) < 0 or not 0 <= last <= 1 or counts[last] < 1:
        raise DataError("last_not_in_counts", f"counts {counts} with last token {last}: it must be in the prompt.")
    if chain.phase != "bistable":
        return float(chain.phase == "first wins"), 0.0
    table = np.asarray(transition, dtype=np.float64)
    fine, coarse = (_programme(table, chain, counts, last, ahead) for ahead in (steps, steps // 2))
    return fine, abs(fine - coarse) * (sum(counts) + steps // 2) / (steps - steps // 2)


def decided_probability(chain: TwoTokens, share: Floats, tokens: int, last: int) -> Floats:
    """Probability that token 0 wins from ``tokens`` tokens near the separatrix, to first order in 1/sqrt(tokens)."""
    balance = chain.balance
    leave, enter = (float(found) for found in chain.switching(np.array(balance)))
    memory = 1 - leave - enter
    # How many tokens 0 more than its share a fast chain that is at ``last`` will still visit.
    excess = ((1 - balance) if last == 0 else -balance) * memory / (1 - memory)
    spread = np.sqrt(float(chain.variance(np.array(balance))) / (tokens * (1 + 2 * chain.eigenvalue)))
    return cast(Floats, ndtr((share + excess / tokens - balance) / spread))


def _programme(transition: Floats, chain: TwoTokens, counts: tuple[int, int], last: int, steps: int) -> float:
    first, second = counts
    tokens = first + second + steps
    share = (first + np.arange(steps + 1)) / tokens
    ends = [decided_probability(chain, share, tokens, token) for token in (0, 1)]
    return _backward(transition, float(first), float(second), ends[0], ends[1])[last]


@compiled
def _backward(
    transition: Floats, first: float, second: float, after_first: Floats, after_second: Floats
) -> tuple[float, float]:
    """Values at the prompt after each last token; index x of the end values = tokens 0 generated. Overwrites them."""
    for n in range(len(after_first) - 2, -1, -1):
        for x in range(n + 1):
            one, other = first + x, second + n - x
            low, rise = after_second[x], after_first[x + 1] - after_second[x]
            after_first[x] = low + rise * one * transition[0, 0] / (one * transition[0, 0] + other * transition[0, 1])
            after_second[x] = low + rise * one * transition[1, 0] / (one * transition[1, 0] + other * transition[1, 1])
    return after_first[0], after_second[0]
