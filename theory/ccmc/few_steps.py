"""The exact law of the next few tokens together: a dynamic programme over (token counts, last token).

After last token k token j follows with probability N_j P_kj / Σ_l N_l P_kl (arXiv 2402.13512), so that the order of the
text before its last token does not matter, and n more tokens leave no more than C(n + K − 1, n) K states.
"""

from __future__ import annotations

from math import comb
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from theory.ccmc.problem import Floats, Integers, checked_counts, checked_transition
from theory.core.errors import DataError, ParameterError

MOST_STATES = 2_000_000


class FewStepLaw(NamedTuple):
    """States that have positive probability: ``counts`` (S, K), ``last`` (S,), and their ``probability`` (S,)."""

    counts: Integers
    last: Integers
    probability: Floats


def few_step_law(transition: npt.ArrayLike, counts: npt.ArrayLike, last: int, n_tokens: int) -> FewStepLaw:
    """The law of token counts and last token after ``n_tokens`` more tokens, from counts (K,) that ``last`` is among.

    Raises:
        DataError: P or the counts are not usable, or nothing can follow a token. ParameterError: so many tokens would
            have more than two million states.

    >>> law = few_step_law([[0.8, 0.2], [0.5, 0.5]], [1, 1], 0, 2)
    >>> law.counts[:, 0].tolist(), law.last.tolist(), law.probability.round(4).tolist()
    ([2, 3, 1, 2], [0, 0, 1, 1], [0.0667, 0.7111, 0.1333, 0.0889])
    """
    chain = checked_transition(np.asarray(transition, dtype=np.float64))
    size = len(chain)
    start = checked_counts(counts, last, size, include_self=True)[0].astype(np.int64)
    if n_tokens != int(n_tokens) or n_tokens < 0 or comb(n_tokens + size - 1, n_tokens) * size > MOST_STATES:
        raise ParameterError("n_tokens", n_tokens, f"a whole number from 0 with at most {MOST_STATES:,} states")
    law = FewStepLaw(start[None], np.array([last]), np.ones(1))
    for _ in range(n_tokens):
        law = _one_more(chain, law)
    return law


def _one_more(chain: Floats, law: FewStepLaw) -> FewStepLaw:
    mass = law.counts * chain[law.last]
    total = mass.sum(axis=1)
    if (total == 0).any():
        raise DataError("no_next_token", f"row {law.last[total == 0][0]} of P allows no token that occurs so far.")
    state, token = np.nonzero(mass)
    counts = law.counts[state]
    counts[np.arange(len(token)), token] += 1
    reached, same = np.unique(np.column_stack([token, counts]), axis=0, return_inverse=True)
    share = law.probability[state] * mass[state, token] / total[state]
    return FewStepLaw(reached[:, 1:], reached[:, 0], np.bincount(same.ravel(), share).astype(np.float64))
