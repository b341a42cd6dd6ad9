"""The state of a batch of runs, and how the compiled samplers advance it: in chunks, so that they can be stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from theory.ccmc.problem import Floats, Integers
from theory.ccmc.simulation.alias import MOST_ADDED, run_alias
from theory.ccmc.simulation.counts import run_counts, run_scan
from theory.ccmc.simulation.positions import run_history, run_window
from theory.ccmc.simulation.random_numbers import Seed, streams
from theory.core.errors import Cancelled, DataError

Method = Literal["direct", "leap", "alias", "scan_rejection", "history_rejection", "window"]
LEAP_BELOW = 0.1
"""Repeats are drawn in one go when the other tokens weigh less than this times the last one: 10 repeats or more."""
LEAP_ALWAYS, LEAP_NEVER = 1e300, -1.0
CHUNK = 2_000_000
"""Steps between two looks at ``stop``: about a tenth of a second."""


@dataclass(frozen=True)
class Cures:
    """What changes the weights of the plain process, all of them off by default."""

    output_temperature: float = 1.0
    count_cap: int | None = None
    window: int | None = None
    recency_exponent: float = 0.0

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
    """Independent runs from one prompt, with what was seen of them at the record times."""

    def __init__(
        self,
        table: Floats,
        prompt: Integers,
        n_tokens: float,
        seeds: Sequence[Seed],
        method: Method,
        cures: Cures,
        transitions_counted: bool = False,
        leap_below: float | None = None,
    ) -> None:
        R, K = len(seeds), len(table)
        self.table, self.cures = table, cures
        self.method: Method = method
        self.leap_below = (LEAP_BELOW if leap_below is None else leap_below) if method == "leap" else LEAP_NEVER
        self.state = streams(seeds)
        self.n = np.full(R, float(len(prompt)))
        self.counts = np.tile(np.bincount(prompt, minlength=K).astype(np.float64), (R, 1))
        self.last = np.full(R, int(prompt[-1]))
        self.steps = np.zeros(R)
        self.moves = np.zeros((R, K, K) if transitions_counted else (0, 0, 0))
        self.fixed_at = np.full(R, np.nan)
        match method:
            case "direct" | "leap":
                self.mass = np.minimum(self.counts, cures.cap) ** cures.exponent if cures.shaped else self.counts
                self.columns = np.ascontiguousarray(table.T)
                self.totals = self.mass @ self.columns
                self.pending, self.age = np.full(R, -1.0), np.zeros(R, dtype=np.int64)
            case "alias":
                self.weight, self.keep = np.zeros(K), np.zeros((K, K))
                self.other, self.added = (
                    np.zeros((K, K), dtype=np.uint16),
                    np.zeros(max(MOST_ADDED, K * K), dtype=np.uint16),
                )
                self.held = np.array([-1, 0, 0, 0])
            case "scan_rejection":
                self.order = np.argsort(-self.counts, axis=1, kind="stable")
                self.rank = np.argsort(self.order, axis=1)
            case "history_rejection" | "window":
                span = int(n_tokens) if cures.window is None else cures.window
                kept = prompt[-span:]
                self.text = np.zeros((R, span), dtype=np.uint8 if K <= 256 else np.uint16)
                self.text[:, np.arange(len(prompt) - len(kept), len(prompt)) % span] = kept
                self.inside = np.tile(np.bincount(kept, minlength=K).astype(np.float64), (R, 1))
                weighted = method == "window" and cures.recency_exponent > 0
                self.weights = np.arange(1.0, span * weighted + 1) ** -cures.recency_exponent

    def follow(
        self, times: Floats, stop: Callable[[], bool] | None = None, progress: Callable[[float], None] | None = None
    ) -> tuple[Floats, Integers, Floats]:
        """Counts (R, M, K), last tokens (R, M) and moves (R, M, K, K) at ``times`` (M,), which rise from the present.

        Raises:
            Cancelled: ``stop()`` turned true. DataError: in a window, nothing could follow a token.
        """
        R, M, K = len(self.n), len(times), len(self.table)
        seen = np.zeros((R, M, K)), np.zeros((R, M), dtype=np.int64), np.zeros((len(self.moves), M, K, K))
        place = np.zeros(R, dtype=np.int64)
        run = 0
        while run < R:
            run = self._advance(times, run, CHUNK, place, seen)
            if run < 0:
                raise dead_end(int(self.last[-1 - run]))
            if stop is not None and stop():
                raise Cancelled
            if progress is not None:
                progress(min((run + (self.n[run] / times[-1] if run < R else 0)) / R, 1.0))
        return seen

    def spend(self, n_tokens: float, budget: float) -> None:
        """Advance towards ``n_tokens`` for at most ``budget`` steps, recording nothing."""
        times, R, K = np.array([float(n_tokens)]), len(self.n), len(self.table)
        seen = np.zeros((R, 1, K)), np.zeros((R, 1), dtype=np.int64), np.zeros((len(self.moves), 1, K, K))
        run = self._advance(times, 0, budget, np.zeros(R, dtype=np.int64), seen)
        if run < 0:
            raise dead_end(int(self.last[-1 - run]))

    def _advance(
        self,
        times: Floats,
        run: int,
        budget: float,
        place: npt.NDArray[np.int64],
        seen: tuple[Floats, Integers, Floats],
    ) -> int:
        table, exponent, cap = self.table, self.cures.exponent, self.cures.cap
        when, state, n, counts, last = (times, run, float(budget)), self.state, self.n, self.counts, self.last
        end = (place, self.steps, self.moves, *seen)
        match self.method:
            case "direct" | "leap":
                weights = (self.mass, self.totals, last, self.pending, self.age)
                return run_counts(
                    table, self.columns, exponent, cap, self.leap_below, *when, state, n, counts, *weights, *end
                )
            case "alias":
                tables = (self.weight, self.keep, self.other, self.added, self.held)
                return run_alias(table, *when, state, n, counts, last, *tables, *end)
            case "scan_rejection":
                return run_scan(table, *when, state, n, counts, last, self.order, self.rank, *end)
            case "history_rejection":
                decay = float(self.cures.recency_exponent)
                return run_history(table, decay, *when, state, n, counts, last, self.text, *end)
            case "window":
                own = (self.inside, last, self.text, self.fixed_at)
                return run_window(table, exponent, cap, self.weights, *when, state, n, counts, *own, *end)
