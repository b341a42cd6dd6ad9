"""Which sampler to take, and what it will cost: the steps are estimated from short pilot runs before a long one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from theory.ccmc.problem import Floats, Integers
from theory.ccmc.simulation.random_numbers import Seed
from theory.ccmc.simulation.state import LEAP_ALWAYS, Cures, Method, Runs
from theory.core.errors import ParameterError

MOST_TOKENS = 9_000_000_000_000_000
"""Counts are float64, exact up to 2^53."""
MOST_STEPS = 2e10
"""Steps that one call takes on: some ten minutes on one core."""
MOST_TEXT = 250_000_000
"""Bytes of text kept at once, by the samplers that need the text."""
LOWEST_TEMPERATURE = 0.05
RECORDS = 60
PILOT_STEPS, LONG_PILOT_STEPS, PILOT_TEXT = 5_000, 500_000, 10_000
PILOT_SEEDS: tuple[Seed, ...] = tuple((2**63, pilot) for pilot in range(8))
"""The pilots have seeds of their own: what is chosen for a run never depends on the runs beside it."""
FEW_TOKENS = 2
"""Up to this vocabulary, adding up the weights of all tokens is cheaper than looking one up in tables."""
LONG = 100_000_000
"""A longer text is leapt in any case: short pilots cannot see that it collapses late."""
OFTEN = 0.5
"""Leaps per token from which on a text counts as one that keeps switching."""
ALWAYS = 1e5
"""So few tokens are generated without asking what they cost."""
Asked = Literal["auto", "direct", "leap", "alias", "scan_rejection", "history_rejection"]


def checked_cures(
    output_temperature: float = 1.0,
    count_cap: int | None = None,
    window: int | None = None,
    recency_exponent: float = 0.0,
) -> Cures:
    """The cures as one value.

    Raises:
        ParameterError: a value is not allowed.
    """
    if not LOWEST_TEMPERATURE <= output_temperature < math.inf:
        # At 0 the heaviest token would follow always; far below 0.05 the weights leave the range of floats.
        raise ParameterError("output_temperature", output_temperature, f"a number from {LOWEST_TEMPERATURE}")
    for name, value, least in (("count_cap", count_cap, 1), ("window", window, 2)):
        if value is not None and (value != int(value) or value < least):
            raise ParameterError(name, value, f"a whole number from {least}, or None")
    if not 0 <= recency_exponent < math.inf:
        raise ParameterError("recency_exponent", recency_exponent, "a number from 0")
    return Cures(float(output_temperature), count_cap, window, float(recency_exponent))


def checked_method(method: str, cures: Cures) -> Method:
    """The method to use.

    Raises:
        ParameterError: unknown, or it cannot sample the process with these cures.
    """
    allowed: dict[Method, tuple[Method, ...]] = {
        "leap": ("leap", "alias", "direct", "scan_rejection", "history_rejection"),
        "direct": ("direct",),
        "history_rejection": ("history_rejection",),
        "window": (),
    }
    possible = allowed[usual_method(cures)]
    for known in possible:
        if method == known:
            return known
    raise ParameterError("method", method, f"one of {', '.join(('auto', *possible))} with these cures")


def checked_times(times: npt.NDArray[Any] | None, start: int, n_tokens: float) -> Floats:
    """Record times (M,) as whole numbers, by default evenly spaced in the logarithm.

    Raises:
        ParameterError: not in rising order, or not from ``start`` to ``n_tokens``; ``n_tokens`` is not allowed.
    """
    if not start <= n_tokens <= MOST_TOKENS or n_tokens != int(n_tokens):
        raise ParameterError("n_tokens", n_tokens, f"a whole number from {start} (the prompt) to {MOST_TOKENS:,}")
    if times is None:
        return log_times(start, n_tokens, RECORDS)
    given = np.asarray(times, dtype=np.float64)
    whole = np.round(given)
    if given.ndim != 1 or not len(given) or not np.isfinite(given).all() or (np.diff(whole) < 0).any():
        raise ParameterError("times", times, "at least one number of tokens, in rising order")
    if whole[0] < start or whole[-1] > n_tokens:
        raise ParameterError("times", times, f"numbers of tokens from {start} (the prompt) to {n_tokens:g} (n_tokens)")
    return whole


def log_times(start: float, end: float, count: int) -> Floats:
    """At most ``count`` whole numbers from ``start`` to ``end``, evenly spaced in the logarithm, both ends included.

    >>> log_times(2, 1000, 4).tolist()
    [2.0, 16.0, 126.0, 1000.0]
    """
    return np.unique(np.concatenate([[start], np.round(np.geomspace(start, end, count)), [end]]).clip(start, end))


def usual_method(cures: Cures) -> Method:
    """The method for these cures, whatever the chain."""
    if cures.window is not None or (cures.recency_exponent > 0 and cures.shaped):
        return "window"
    if cures.recency_exponent > 0:
        return "history_rejection"
    return "direct" if cures.shaped else "leap"


def best_method(table: Floats, prompt: Integers, n_tokens: float, cures: Cures) -> Method:
    """The fastest method: see :func:`theory.ccmc.simulation.sampling.choose_method`."""
    usual, n_left = usual_method(cures), n_tokens - len(prompt)
    if usual != "leap" or len(table) <= FEW_TOKENS or not ALWAYS < n_left <= LONG:
        return usual
    mixed = Effort.of(table, prompt, n_tokens, "leap", cures).steps(n_left) > OFTEN * n_left
    return "alias" if mixed else "leap"


@dataclass(frozen=True)
class Effort:
    """Pilot runs: ``generated`` (P,) tokens in ``spent`` (P,) steps, which last grew as their power ``power``."""

    generated: Floats
    spent: Floats
    power: float

    @classmethod
    def of(
        cls, table: Floats, prompt: Integers, n_tokens: float, method: Method, cures: Cures, budget: float = PILOT_STEPS
    ) -> Effort:
        """Run each pilot for half the budget, then for the rest, and compare.

        Where it can, a pilot leaps at every turn: its steps then grow like the switches between tokens from the start.
        """
        if method == "direct":
            return cls(np.ones(1), np.ones(1), 1.0)
        start, end = float(len(prompt)), n_tokens
        budget = min(budget, max((n_tokens - start) / 1000, 500))  # a pilot costs little beside what it foresees
        if method in ("history_rejection", "window") and cures.window is None:
            end = min(n_tokens, start + PILOT_TEXT)
        halves: list[tuple[float, float, float, float]] = []
        for seed in PILOT_SEEDS:
            run = Runs(table, prompt, end, [seed], method, cures, leap_below=LEAP_ALWAYS)
            run.spend(end, budget / 2)
            first = float(run.n[0] - start), float(run.steps[0])
            run.spend(end, budget / 2)
            halves.append((*first, float(run.n[0] - start), float(run.steps[0])))
        early, fewer, generated, spent = np.maximum(np.array(halves).T, 1.0)
        # Pooled: a single pilot whose leader changes would say more about itself than about the chain.
        length = np.log(generated / early).sum()
        power = np.log(spent / fewer).sum() / length if length > 0 else 1.0
        return cls(generated, spent, min(power, 1.0 if method in ("leap", "alias") else 2.0))

    def steps(self, generated: float) -> float:
        """Expected number of steps of one run that generates so many tokens."""
        return float((self.spent * np.maximum(generated / self.generated, 1.0) ** self.power).mean())

    def reach(self, budget: float) -> float:
        """How many tokens one run generates in ``budget`` steps, to within a factor of two."""
        lengths = 10.0 ** np.arange(0, 16, 0.25)
        return float(max((length for length in lengths.tolist() if self.steps(length) <= budget), default=1.0))


def refuse_endless(table: Floats, prompt: Integers, n_tokens: float, n_runs: int, method: Method, cures: Cures) -> None:
    """Raise a ParameterError when the runs would take more steps than one call takes on."""
    n_left = n_tokens - len(prompt)
    if (
        n_left * n_runs <= ALWAYS
        or Effort.of(table, prompt, n_tokens, method, cures).steps(n_left) * n_runs <= MOST_STEPS
    ):
        return
    # A chain that collapses late looks endless to a short pilot.
    effort = Effort.of(table, prompt, n_tokens, method, cures, LONG_PILOT_STEPS)
    steps = effort.steps(n_left) * n_runs
    if steps > MOST_STEPS:
        why = "with these settings tokens are drawn one by one"
        if method in ("leap", "alias"):
            why = "this chain keeps switching between tokens, so that repeats cannot be drawn in one go"
        elif cures.window is not None:
            why = "tokens are drawn one by one until the window holds a single one"
        most = f"at most about {effort.reach(MOST_STEPS / n_runs):.1g} for {n_runs} runs: {why} ({steps:.1g} steps)"
        raise ParameterError("n_tokens", f"{n_tokens:.3g}", most)


def lots(seeds: Sequence[Seed], n_tokens: float, method: Method, cures: Cures) -> Iterator[Sequence[Seed]]:
    """The seeds in lots whose texts fit into memory together."""
    size = len(seeds)
    if method in ("history_rejection", "window"):
        size = int(MOST_TEXT // (n_tokens if cures.window is None else cures.window))
        if size == 0:
            raise ParameterError("n_tokens", f"{n_tokens:.3g}", f"at most {MOST_TEXT:,}: the text itself is kept")
    for start in range(0, max(len(seeds), 1), max(size, 1)):  # no seeds at all are refused where they are read
        yield seeds[start : start + size]


def step_seconds(method: Method, vocab_size: int) -> float:
    """Seconds per step on one core of a current server, measured for K = 2 to 256 and rounded up."""
    fixed, per_token = {
        "direct": (25e-9, 6e-10),
        "leap": (60e-9, 8e-10),
        "alias": (25e-9, 2e-10),
        "scan_rejection": (20e-9, 4e-10),
        "history_rejection": (60e-9, 5e-11),
        "window": (40e-9, 1.2e-9),
    }[method]
    return fixed + per_token * vocab_size
