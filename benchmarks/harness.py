"""What the benchmarks share: timing, and the line that each of them prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter, process_time


@dataclass(frozen=True)
class Line:
    """One measured benchmark.

    ``ratio`` is how much better we are than ``baseline`` (None: nothing to compare with), ``required`` the smallest
    ratio that passes (None: printed, not asserted).
    """

    name: str
    measured: str
    baseline: str
    ratio: float | None = None
    required: float | None = None

    @property
    def passes(self) -> bool:
        return self.required is None or (self.ratio is not None and self.ratio >= self.required)

    def __str__(self) -> str:
        ratio = "" if self.ratio is None else f"{self.ratio:.3g} x"
        required = "" if self.required is None else f">= {self.required:g}"
        flag = "" if self.passes else "  MISSED"
        return f"{self.name:<46} {self.measured:>12} {ratio:>9} {required:>7}   {self.baseline}{flag}"


def seconds(function: Callable[[], object], repeats: int = 5) -> float:
    """Median wall seconds of a call, after one call that is not counted."""
    function()
    times: list[float] = []
    for _ in range(repeats):
        started = perf_counter()
        function()
        times.append(perf_counter() - started)
    return median(times)


def least_seconds(function: Callable[[], object], repeats: int = 5) -> float:
    """Least processor seconds of a call: where two sides differ a hundredfold, a wait would decide the ratio."""
    function()
    times: list[float] = []
    for _ in range(repeats):
        started = process_time()
        function()
        times.append(process_time() - started)
    return min(times)


def readable(value: float) -> str:
    """Seconds in a unit that a person reads."""
    for factor, unit in ((1.0, "s"), (1e3, "ms")):
        if value * factor >= 1.0:
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e6:.3g} us"
