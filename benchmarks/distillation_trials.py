"""A Monte Carlo trial of three students, sampling included, against a pseudo-inverse for each of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.harness import Line, least_seconds, readable
from theory.distillation.simulation.students import simulate
from theory.distillation.simulation.teachers import arms

SAMPLES, SIZE, TRIALS = 200, 500, 20
REQUIRED = 15


def run() -> Iterator[Line]:
    index = np.arange(1.0, SIZE + 1)
    eigenvalues, signal = index**-2.0, index**0.25
    columns = np.column_stack(list(arms(eigenvalues, signal, SAMPLES, 0.0).values()))

    def ours() -> object:
        return simulate(eigenvalues, signal, columns, SAMPLES, [(0, trial) for trial in range(TRIALS)])

    def pseudo_inverses() -> None:
        generator = np.random.default_rng(0)
        inputs = generator.standard_normal((SAMPLES, SIZE)) * np.sqrt(eigenvalues)
        noise = generator.standard_normal(SAMPLES)
        for column in columns.T:
            weights = np.linalg.pinv(inputs) @ (inputs @ column + noise)
            assert float(eigenvalues @ (weights - signal) ** 2) > 0

    fast, slow = least_seconds(ours) / TRIALS, least_seconds(pseudo_inverses)
    note = f"a pinv for each student: {readable(slow)}"
    yield Line(f"trial of three students, n={SAMPLES}, p={SIZE}", readable(fast), note, slow / fast, REQUIRED)
