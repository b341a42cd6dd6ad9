"""Graph-SVM of all columns from the data against the generic convex program on the whole weight matrix."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

import numpy as np

from benchmarks.harness import Line, readable, seconds
from theory.next_token.experiments.brute_force import generic_margin_problem
from theory.next_token.generators import ranked_noise
from theory.next_token.structure import compose

VOCAB_SIZE = 24


def run() -> Iterator[Line]:
    prompts = ranked_noise(VOCAB_SIZE, 8 * VOCAB_SIZE, 4, 0.1, VOCAB_SIZE, seed=1)
    ours = seconds(lambda: compose(prompts).levels)
    generic_margin_problem(ranked_noise(3, 6, 3, 0.0, 1, seed=0))  # loads the modelling tool before the clock runs
    started = perf_counter()
    generic = generic_margin_problem(prompts)
    baseline = perf_counter() - started
    np.testing.assert_allclose(compose(prompts).levels, generic, atol=1e-4)
    name = f"Graph-SVM from data, all columns, K={VOCAB_SIZE}"
    yield Line(name, readable(ours), f"cvxpy (Clarabel) on W: {readable(baseline)}", baseline / ours, 50)
