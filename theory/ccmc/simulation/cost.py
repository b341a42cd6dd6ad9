"""Which sampler to take, and what it will cost: the steps are estimated from short pilot runs before a long one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from theory.ccmc.problem import Floats
from theory.ccmc.simulation.random_numbers import Seed
from theory.ccmc.simulation.state import LEAP_ALWAYS, Method, Process, Runs
from theory.core.errors import ParameterError

MOST_TOKENS = 9_000_000_000_000_000
"""Counts are float64, exact up to 2^53."""
MOST_STEPS = 2e10
"""Steps that one call takes on: some ten minutes on one core."""
MOST_TEXT = 250_000_000
"""Bytes of text kept at once, by the samplers that need the text."""
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
Asked = Literal["auto", "direct", "leap", "alias", "history_rejection"]


def chosen_method(process: Process, n_tokens: float, asked: Asked = "auto") -> Method:
    """The method that was asked for; by itself the fastest, see :func:`theory.ccmc.simulation.sampling.choose_method`.

    Raises:
        ParameterError: unknown, or it cannot sample the process with these cures.
    """
    usual, *others = process.cures.methods
    if asked == "auto":
        n_left = n_tokens - len(process.prompt)
        if usual != "leap" or len(process.table) <= FEW_TOKENS or not ALWAYS < n_left <= LONG:
            return usual
        return "alias" if Effort.of(process, n_tokens, "leap").steps(n_left) > OFTEN * n_left else "leap"
    possible = [method for method in (usual, *others) if method != "window"]  # the window's is not to be asked for
    if asked not in possible:
        raise ParameterError("method", asked, f"one of {', '.join(('auto', *possible))} with these cures")
    return asked


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


@dataclass(frozen=True)
class Effort:
    """Pilot runs: ``generated`` (P,) tokens in ``spent`` (P,) steps, which last grew as their power ``power``."""

    generated: Floats
    spent: Floats
    power: float

    @staticmethod
    def of(process: Process, n_tokens: float, method: Method, budget: float = PILOT_STEPS) -> Effort:
        """Run each pilot for half the budget, then for the rest, and compare.

        Where it can, a pilot leaps at every turn: its steps then grow like the switches between tokens from the start.
        """
        if method == "direct":
            return Effort(np.ones(1), np.ones(1), 1.0)
        start, end = float(len(process.prompt)), n_tokens
        budget = min(budget, max((n_tokens - start) / 1000, 500))  # a pilot costs little beside what it foresees
        if method in ("history_rejection", "window") and process.cures.window is None:
            end = min(n_tokens, start + PILOT_TEXT)
        halves: list[tuple[float, float, float, float]] = []
        for seed in PILOT_SEEDS:
            run = Runs(process, end, [seed], method, leap_below=LEAP_ALWAYS)
            run.spend(end, budget / 2)
            first = float(run.n[0] - start), float(run.steps[0])
            run.spend(end, budget / 2)
            halves.append((*first, float(run.n[0] - start), float(run.steps[0])))
        early, fewer, generated, spent = np.maximum(np.array(halves).T, 1.0)
        # Pooled: a single pilot whose leader changes would say more about itself than about the chain.
        length = np.log(generated / early).sum()
        power = np.log(spent / fewer).sum() / length if length > 0 else 1.0
        return Effort(generated, spent, min(power, 1.0 if method in ("leap", "alias") else 2.0))

    def steps(self, generated: float) -> float:
        """Expected number of steps of one run that generates so many tokens."""
        return float((self.spent * np.maximum(generated / self.generated, 1.0) ** self.power).mean())

    def reach(self, budget: float) -> float:
        """How many tokens one run generates in ``budget`` steps, to within a factor of two."""
        lengths = 10.0 ** np.arange(0, 16, 0.25)
        return float(max((length for length in lengths.tolist() if self.steps(length) <= budget), default=1.0))


def effort_beyond(most: float, process: Process, n_tokens: float, n_runs: int, method: Method) -> Effort | None:
    """What the runs take if that is more than ``most`` steps together; None if it is not."""
    n_left = n_tokens - len(process.prompt)
    if n_left * n_runs <= ALWAYS or Effort.of(process, n_tokens, method).steps(n_left) * n_runs <= most:
        return None
    # A chain that collapses late looks endless to a short pilot.
    effort = Effort.of(process, n_tokens, method, LONG_PILOT_STEPS)
    return effort if effort.steps(n_left) * n_runs > most else None


def refuse_endless(process: Process, n_tokens: float, n_runs: int, method: Method) -> None:
    """Raise a ParameterError when the runs would take more steps than one call takes on."""
    effort = effort_beyond(MOST_STEPS, process, n_tokens, n_runs, method)
    if effort is None:
        return
    why = "with these settings tokens are drawn one by one"
    if method in ("leap", "alias"):
        why = "this chain keeps switching between tokens, so that repeats cannot be drawn in one go"
    elif process.cures.window is not None:
        why = "tokens are drawn one by one until the window holds a single one"
    steps = effort.steps(n_tokens - len(process.prompt)) * n_runs
    most = f"at most about {effort.reach(MOST_STEPS / n_runs):.1g} for {n_runs} runs: {why} ({steps:.1g} steps)"
    raise ParameterError("n_tokens", f"{n_tokens:.3g}", most)


def lots(process: Process, seeds: Sequence[Seed], n_tokens: float, method: Method) -> Iterator[Sequence[Seed]]:
    """The seeds in lots whose texts fit into memory together."""
    size, window = len(seeds), process.cures.window
    if method in ("history_rejection", "window"):
        size = int(MOST_TEXT // (n_tokens if window is None else window))
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
        "history_rejection": (60e-9, 5e-11),
        "window": (40e-9, 1.2e-9),
    }[method]
    return fixed + per_token * vocab_size
