"""Closed-form risks of a 50 x 50 slider grid, against a loop that inverts a matrix at every point."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from benchmarks.harness import Line, readable, seconds
from theory.icl.data import draw
from theory.icl.optimum import independent_optimum
from theory.icl.parameters import Params

Floats = npt.NDArray[np.float64]
POINTS, DIM, REQUIRED = 50, 20, 10


def inverted(tasks: Floats, lengths: Floats, noises: Floats) -> Floats:
    """The optimal risk ``M - n^2 tr(A S^-1 A)``, with one inverse at each point."""
    found = np.empty((len(lengths), len(noises)))
    for row, n in enumerate(lengths):
        for column, noise in enumerate(noises):
            power = np.trace(tasks) + noise
            moment = n * ((n + 1) * tasks + power * np.eye(len(tasks)))
            found[row, column] = power - n**2 * np.trace(tasks @ np.linalg.inv(moment) @ tasks)
    return found


def run() -> Iterator[Line]:
    params = Params(dim=DIM)
    problem = draw(params, 0)
    lengths, noises = np.linspace(1, 200, POINTS), np.linspace(0, 4, POINTS)

    def ours() -> Floats:
        return independent_optimum(problem.spectrum[0], lengths[:, None], noises).risk

    assert np.allclose(ours(), inverted(problem.whitened_tasks, lengths, noises))
    fast = seconds(ours)
    slow = seconds(lambda: inverted(problem.whitened_tasks, lengths, noises))
    note = f"a matrix inverse at each point: {readable(slow)}"
    yield Line(f"risk on a {POINTS} x {POINTS} slider grid, d={DIM}", readable(fast), note, slow / fast, REQUIRED)
