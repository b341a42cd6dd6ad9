"""Texts with all their moves counted: how often each token followed each other one, after each third of log-time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from xarray import Dataset

from theory.ccmc.problem import Chain, Floats
from theory.ccmc.simulation.sampling import simulate
from theory.core.errors import Cancelled
from theory.core.vocabulary import Emit, Experiment, Plan, Replicate, Stop

THIRDS = 3
SHORTEST = 10
"""Tokens that are generated at least, so that the thirds differ."""


def _run(params: Any, replicates: Sequence[Replicate], device: str, emit: Emit, stop: Stop) -> list[Dataset]:
    found: list[Dataset] = []
    for replicate in replicates:
        if stop():
            raise Cancelled
        chain = replicate.problem
        assert isinstance(chain, Chain)
        found.append(_one(params, chain, replicate.seed, stop))
        emit(len(found) / len(replicates), None)
    return found


def _one(params: Any, chain: Chain, seed: int, stop: Stop) -> Dataset:
    length = len(chain.prompt)
    end = max(params.n_tokens, length + SHORTEST)
    times = cast(Floats, np.geomspace(length, end, THIRDS + 1)).round()
    seeds = [(seed, run) for run in range(params.replicates)]
    text = simulate(chain.transition, chain.prompt, end, seeds, times=times, transitions_counted=True, stop=stop)
    return Dataset(
        {
            "counts": (("replicate", "time", "token"), text.counts),
            "moves": (("replicate", "time", "last", "token"), text.moves),
        },
        coords={"time": times},
    )


def _plan(params: Any, problem: Any, replicates: int) -> Plan:
    runs = params.replicates * replicates
    stored = 8 * runs * (THIRDS + 1) * problem.vocab_size * (problem.vocab_size + 1)
    return Plan(2e-7 * runs * min(params.n_tokens, 1e5), stored, "seed")


counted_moves = Experiment(
    "ccmc/counted_moves",
    frozenset({"n_tokens", "replicates"}),
    "seed",
    _plan,
    _run,
)
