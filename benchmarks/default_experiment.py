"""The default experiment: predict, train, judge, with an empty store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from tempfile import TemporaryDirectory
from time import perf_counter
from unittest.mock import patch

import theory
from benchmarks.harness import Line, readable, seconds

CLAIM = "sharp-logits"
BUDGET = 5.0


def run() -> Iterator[Line]:
    # A fresh instance each time: solutions of problems seen before are remembered.
    fresh = count()
    predict = seconds(lambda: theory.predict(CLAIM, data_seed=next(fresh)), 15)
    yield Line(f"predict {CLAIM} at its defaults", readable(predict), "budget 20 ms", 0.02 / predict)
    with TemporaryDirectory() as folder, patch.dict(os.environ, THEOREM_BENCH_STORE=folder):
        started = perf_counter()
        report = theory.check(CLAIM)
        spent = perf_counter() - started
    baseline = f"budget {BUDGET:g} s; verdict: {report.verdict.status}"
    yield Line(f"predict + train + verdict, {CLAIM}, 8 instances", readable(spent), baseline, BUDGET / spent)
