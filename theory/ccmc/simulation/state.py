"""The process with its cures, and batches of its runs: advanced in chunks, so that they can be stopped."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from theory.ccmc.problem import Floats, Integers, checked_prompt, checked_transition
from theory.ccmc.simulation.alias import MOST_ADDED, run_alias
from theory.ccmc.simulation.batch import Batch
from theory.ccmc.simulation.counts import run_counts
from theory.ccmc.simulation.positions import run_history, run_window
from theory.ccmc.simulation.random_numbers import Seed, streams
from theory.core.errors import Cancelled, DataError, ParameterError

Method = Literal["direct", "leap", "alias", "history_rejection", "window"]
Seen = tuple[Floats, Integers, Floats]
"""Counts (R, M, K), last tokens (R, M) and moves (R, M, K, K), or (R, M, 0, 0), at M record times."""
LEAP_BELOW = 0.1
"""Repeats are drawn in one go when the other tokens weigh less than this times the last one: 10 repeats or more."""
LEAP_ALWAYS, LEAP_NEVER = 1e300, -1.0
LOWEST_TEMPERATURE = 0.05
"""At 0 the heaviest token would follow always; far below 0.05 the weights leave the range of floats."""
CHUNK = 2_000_000
"""Steps between two looks at ``stop``: about a tenth of a second."""


@dataclass(frozen=True)
class Cures:
    """What changes the weights of the plain process, all of them off by default.

    Raises:
        ParameterError: a value is not allowed.
    """

    output_temperature: float = 1.0
    count_cap: int | None = None
    window: int | None = None
    recency_exponent: float = 0.0

    def __post_init__(self) -> None:
        if not LOWEST_TEMPERATURE <= self.output_temperature < math.inf:
            raise ParameterError("output_temperature", self.output_temperature, f"a number from {LOWEST_TEMPERATURE}")
        for name, value, least in (("count_cap", self.count_cap, 1), ("window", self.window, 2)):
            if value is not None and (value != int(value) or value < least):
                raise ParameterError(name, value, f"a whole number from {least}, or None")
        if not 0 <= self.recency_exponent < math.inf:
            raise ParameterError("recency_exponent", self.recency_exponent, "a number from 0")

    @property
    def exponent(self) -> float:
        return 1 / self.output_temperature

    @property
    def cap(self) -> float:
        return np.inf if self.count_cap is None else float(self.count_cap)

    @property
    def shaped(self) -> bool:
        """Whether a token's weight is not simply proportional to its count."""
        return self.exponent != 1 or self.count_cap is not None

    @property
    def methods(self) -> tuple[Method, ...]:
        """The samplers of this process, whatever the chain; the usual one first."""
        if self.window is not None or (self.recency_exponent > 0 and self.shaped):
            return ("window",)
        if self.recency_exponent > 0:
            return ("history_rejection",)
        return ("direct",) if self.shaped else ("leap", "alias", "direct", "history_rejection")


@dataclass(frozen=True, eq=False)
class Process:
    """What is sampled: ``table`` (K, K) of weights, see :func:`weight_table`, from a ``prompt`` (L,), with cures."""

    table: Floats
    prompt: Integers
    cures: Cures

    @staticmethod
    def of(transition: Floats, prompt: Integers, cures: Cures) -> Process:
        """From user input.

        Raises:
            DataError: P or the prompt is not usable, or nothing can follow a token.
        """
        checked = checked_transition(transition)
        start = checked_prompt(prompt, len(checked))
        return Process(weight_table(checked, start, cures.exponent), start, cures)


def weight_table(transition: Floats, prompt: Integers, exponent: float) -> Floats:
    """``P^exponent`` over the tokens of the prompt, the largest of each row 1; zero for all others, (K, K).

    Raises:
        DataError: a token can come last after which nothing can follow; it is named.
    """
    size = len(transition)
    present = np.zeros(size, dtype=bool)
    present[prompt] = True
    allowed = transition * present
    top = allowed.max(axis=1, keepdims=True)
    reached, frontier = set[int](), [int(prompt[-1])]
    while frontier:
        token = frontier.pop()
        if token in reached:
            continue
        reached.add(token)
        if top[token] == 0:
            raise dead_end(token)
        frontier += np.flatnonzero(allowed[token]).tolist()
    table = np.zeros((size, size))
    np.divide(allowed, top, out=table, where=top > 0)
    return table if exponent == 1 else table**exponent


def dead_end(token: int) -> DataError:
    """The error for a last token after which no token can be generated."""
    return DataError(
        "no_next_token",
        f"after token {token} every token that row {token} of P allows is absent from the context, so that no "
        "next-token law exists; add one of them to the prompt or make the entry positive.",
    )


class Runs:
    """Independent runs of a process, with what was seen of them at the record times."""

    def __init__(
        self,
        process: Process,
        n_tokens: float,
        seeds: Sequence[Seed],
        method: Method,
        transitions_counted: bool = False,
        leap_below: float | None = None,
    ) -> None:
        table, prompt, cures = process.table, process.prompt, process.cures
        R, K = len(seeds), len(table)
        self.state = streams(seeds)
        self.n = np.full(R, float(len(prompt)))
        self.counts = np.tile(np.bincount(prompt, minlength=K).astype(np.float64), (R, 1))
        self.last = np.full(R, int(prompt[-1]))
        self.steps = np.zeros(R)
        self.moves = np.zeros((R, K, K) if transitions_counted else (R, 0, 0))
        self.fixed_at = np.full(R, np.nan)
        self._sampler: Callable[..., int]
        self._own: tuple[Any, ...]
        match method:
            case "direct" | "leap":
                leaping = (LEAP_BELOW if leap_below is None else leap_below) if method == "leap" else LEAP_NEVER
                mass = np.minimum(self.counts, cures.cap) ** cures.exponent if cures.shaped else self.counts
                columns = np.ascontiguousarray(table.T)
                waiting = (np.full(R, -1.0), np.zeros(R, dtype=np.int64))
                self._sampler = run_counts
                self._own = (table, columns, cures.exponent, cures.cap, leaping, mass, mass @ columns, *waiting)
            case "alias":
                added = np.zeros(max(MOST_ADDED, K * K), dtype=np.uint16)
                tables = (np.zeros(K), np.zeros((K, K)), np.zeros((K, K), dtype=np.uint16))
                self._sampler, self._own = run_alias, (table, *tables, added, np.array([-1, 0, 0, 0]))
            case "history_rejection" | "window":
                span = int(n_tokens) if cures.window is None else cures.window
                kept = prompt[-span:]
                text = np.zeros((R, span), dtype=np.uint8 if K <= 256 else np.uint16)
                text[:, np.arange(len(prompt) - len(kept), len(prompt)) % span] = kept
                inside = np.tile(np.bincount(kept, minlength=K).astype(np.float64), (R, 1))
                if method == "history_rejection":
                    self._sampler, self._own = run_history, (table, float(cures.recency_exponent), text)
                else:
                    weights = np.arange(1.0, span * (cures.recency_exponent > 0) + 1) ** -cures.recency_exponent
                    own = (cures.exponent, cures.cap, weights, inside, text, self.fixed_at)
                    self._sampler, self._own = run_window, (table, *own)

    def follow(
        self, times: Floats, stop: Callable[[], bool] | None = None, progress: Callable[[float], None] | None = None
    ) -> Seen:
        """What is seen at ``times`` (M,), which rise from the present.

        Raises:
            Cancelled: ``stop()`` turned true. DataError: in a window, nothing could follow a token.
        """
        batch, run, R = self._towards(times), 0, len(self.n)
        while run < R:
            run = self._advance(batch, run, CHUNK)
            if stop is not None and stop():
                raise Cancelled
            if progress is not None:
                progress(min((run + (self.n[run] / times[-1] if run < R else 0)) / R, 1.0))
        return batch[-3:]

    def spend(self, n_tokens: float, budget: float) -> None:
        """Advance towards ``n_tokens`` for at most ``budget`` steps, recording nothing."""
        self._advance(self._towards(np.array([float(n_tokens)])), 0, budget)

    def _towards(self, times: npt.NDArray[Any]) -> Batch:
        (R, K), M = self.counts.shape, len(times)
        seen = np.zeros((R, M, K)), np.zeros((R, M), dtype=np.int64), np.zeros((R, M, *self.moves.shape[1:]))
        own = (self.state, self.n, self.counts, self.last, self.steps, self.moves)
        return Batch(np.asarray(times, dtype=np.float64), np.zeros(R, dtype=np.int64), *own, *seen)

    def _advance(self, batch: Batch, run: int, budget: float) -> int:
        run = self._sampler(batch, run, float(budget), *self._own)
        if run < 0:
            raise dead_end(int(self.last[-1 - run]))
        return run
