"""Exact samples of the text that a context-conditioned Markov chain writes, token after token or run after run.

After last token k the next one is j with probability proportional to ``N_j P_kj`` (arXiv 2402.13512), N_j = how often j
occurs so far. Counts and the last token are all that the process needs, so no context is kept or read again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from theory.ccmc.problem import Floats, Integers
from theory.ccmc.simulation.cost import Asked, Effort, checked_times, chosen_method, effort_beyond, lots, refuse_endless
from theory.ccmc.simulation.random_numbers import Seed
from theory.ccmc.simulation.state import Cures, Method, Process, Runs
from theory.core.errors import ParameterError

MOST_SHOWN = 100_000
AT_ONCE = 4096


class CureOptions(TypedDict, total=False):
    """Keyword arguments that change the process; each is off by default.

    The weight of token j after k becomes ``(min(N_j, count_cap) P_kj)^(1/output_temperature)``; N_j counts the last
    ``window`` tokens only, each with weight ``distance^-recency_exponent``, the last token being at distance 1.
    """

    output_temperature: float
    count_cap: int | None
    window: int | None
    recency_exponent: float


@dataclass(frozen=True)
class Trajectories:
    """R runs seen at M moments.

    ``times`` (M,): tokens so far, prompt included. ``counts`` (R, M, K): how often each token occurs in the whole text
    (also where a window hides part of it). ``last`` (R, M). ``moves`` (R, M, K, K): how often i was followed by j in
    the generated text so far, or None. ``events`` (R,): steps that the sampler took. ``fixed_at`` (R,): with a window,
    the number of tokens when it first held a single token, NaN if it did not; None without a window.
    """

    times: Floats
    counts: Floats
    last: Integers
    moves: Floats | None
    method: Method
    events: Floats
    fixed_at: Floats | None = None


def simulate(
    transition: Floats,
    prompt: Integers,
    n_tokens: float,
    seeds: Sequence[Seed],
    *,
    times: npt.NDArray[Any] | None = None,
    method: Asked = "auto",
    transitions_counted: bool = False,
    stop: Callable[[], bool] | None = None,
    progress: Callable[[float], None] | None = None,
    **cures: Unpack[CureOptions],
) -> Trajectories:
    """Generate one text per entry of ``seeds``, each of ``n_tokens`` tokens, prompt included.

    ``transition`` (K, K) is P, row = last token; ``prompt`` (L,) token ids; ``seeds`` whole numbers or tuples of them.
    ``times``: whole numbers of tokens in rising order, by default about 60 from L to ``n_tokens``, evenly spaced in the
    logarithm. A run depends on its own seed, neither on the other seeds nor on ``times``. Every method samples the same
    law (see :func:`choose_method`); ``cures`` change it (see :class:`CureOptions`). ``progress`` is told the fraction
    that is done.

    Raises:
        ParameterError: a value is not allowed, or ``n_tokens`` is beyond what the method can do (with an estimate).
        DataError: P or the prompt is not usable, or nothing can follow a token.
        Cancelled: ``stop()`` turned true.
    """
    process = Process.of(transition, prompt, Cures(**cures))
    moments = checked_times(times, len(process.prompt), n_tokens)
    chosen = chosen_method(process, n_tokens, method)
    refuse_endless(process, n_tokens, len(seeds), chosen)
    found: list[tuple[Any, ...]] = []
    done = 0
    for lot in lots(process, seeds, n_tokens, chosen):
        runs = Runs(process, n_tokens, lot, chosen, transitions_counted)
        seen = runs.follow(moments, stop, _part(progress, done / len(seeds), len(lot) / len(seeds)))
        found.append((*seen, runs.steps, runs.fixed_at))
        done += len(lot)
    counts, last, moves, steps, fixed_at = (np.concatenate(parts) for parts in zip(*found, strict=True))
    kept, windowed = moves if transitions_counted else None, process.cures.window is not None
    return Trajectories(moments, counts, last, kept, chosen, steps, fixed_at if windowed else None)


def generate_text(
    transition: Floats, prompt: Integers, n_tokens: int, seed: Seed, **cures: Unpack[CureOptions]
) -> Integers:
    """One text, token by token, shape (n_tokens,), prompt included; at most 100,000 tokens.

    It is the run that :func:`simulate` makes from the same seed with method ``"direct"`` (or the cure's own method).

    Raises:
        ParameterError, DataError: as :func:`simulate`.
    """
    process = Process.of(transition, prompt, Cures(**cures))
    start = process.prompt
    if not len(start) <= n_tokens <= MOST_SHOWN:
        raise ParameterError("n_tokens", n_tokens, f"a whole number from {len(start)} (the prompt) to {MOST_SHOWN:,}")
    usual = process.cures.methods[0]
    method: Method = "direct" if usual == "leap" else usual
    refuse_endless(process, n_tokens, 1, method)
    runs = Runs(process, n_tokens, [seed], method)
    ends = [*range(len(start), n_tokens, AT_ONCE), n_tokens]
    parts = [runs.follow(np.arange(begin + 1.0, end + 1))[1][0] for begin, end in pairwise(ends)]
    return np.concatenate([start, *parts])


def choose_method(transition: Floats, prompt: Integers, n_tokens: float, **cures: Unpack[CureOptions]) -> Method:
    """The sampler that :func:`simulate` takes by itself. All sample the same law.

    Million tokens per second on one core of an AMD EPYC server for K = 2 / 8 / 64 / 256, over 1e6 tokens, leaps in the
    winner regime over 1e12. *Winner*: token 0 has probability 0.7 in every row; *mixed*: no token likes to repeat:

    ==================  ==============================  =============================
    method              winner                          mixed
    ==================  ==============================  =============================
    whole context read  0.030 / 0.031 / 0.031 / 0.030   0.030 / 0.029 / 0.030 / 0.030
    direct              54 / 54 / 30 / 13               51 / 31 / 13 / 6.5
    alias               47 / 56 / 58 / 33               47 / 50 / 42 / 17
    history rejection   51 / 53 / 49 / 39               25 / 27 / 27 / 22
    leap                2e7 / 1e9 / 6e8 / 1e8           48 / 29 / 14 / 6.3
    ==================  ==============================  =============================

    ``leap`` takes repeats in one go only where at least ten are to be expected, and goes token by token otherwise: it
    is the choice for every plain process, but for three tokens and more that keep switching in pilot runs, over 1e5 to
    1e8 tokens, where tables made now and then (``alias``) avoid the sum over tokens, with a memory of K^2 that the
    length of the text leaves alone. With a temperature or a cap repeats have no closed form: ``direct``. With recency
    weights, positions are proposed by their distance (``history_rejection``), at a cost that the length of the text
    leaves alone. With a window, or recency and another cure, the positions are kept.

    Raises:
        ParameterError, DataError: as :func:`simulate`.
    """
    return chosen_method(Process.of(transition, prompt, Cures(**cures)), n_tokens)


def expected_events(transition: Floats, prompt: Integers, n_tokens: float, **cures: Unpack[CureOptions]) -> float:
    """About how many steps one run will take: short pilot runs, extrapolated by a power of the number of tokens.

    Raises:
        ParameterError, DataError: as :func:`simulate`.
    """
    process = Process.of(transition, prompt, Cures(**cures))
    return Effort.of(process, n_tokens, chosen_method(process, n_tokens)).steps(n_tokens - len(process.prompt))


def affordable_tokens(
    steps: float, transition: Floats, prompt: Integers, n_tokens: float, n_runs: int, **cures: Unpack[CureOptions]
) -> float:
    """The longest text, up to ``n_tokens``, that ``n_runs`` runs reach in about so many ``steps`` together.

    It follows from pilot runs with seeds of their own, so that it is the same on every machine.

    Raises:
        ParameterError, DataError: as :func:`simulate`.
    """
    process = Process.of(transition, prompt, Cures(**cures))
    effort = effort_beyond(steps, process, n_tokens, n_runs, chosen_method(process, n_tokens))
    if effort is None:
        return n_tokens
    reached = float(f"{effort.reach(steps / n_runs):.1g}")
    return min(n_tokens, len(process.prompt) + reached)


def _part(progress: Callable[[float], None] | None, done: float, share: float) -> Callable[[float], None] | None:
    return None if progress is None else lambda fraction: progress(done + share * fraction)
