"""Texts with all their moves counted: how often each token followed each other one, after each third of log-time."""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from theory.ccmc.experiments.turns import Told, in_turn
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain
from theory.ccmc.simulation.sampling import simulate
from theory.core.vocabulary import Experiment, Plan, Stop

THIRDS = 3
SHORTEST = 10
"""Tokens that are generated at least, so that the thirds differ."""


def _count(params: Params, chain: Chain, seed: int, told: Told, stop: Stop) -> Dataset:
    end = max(params.n_tokens, len(chain.prompt) + SHORTEST)
    times = np.geomspace(len(chain.prompt), end, THIRDS + 1).round()
    seeds = [(seed, run) for run in range(params.replicates)]
    text = simulate(
        chain.transition, chain.prompt, end, seeds, times=times, transitions_counted=True, stop=stop, progress=told
    )
    return Dataset(
        {
            "counts": (("replicate", "time", "token"), text.counts),
            "moves": (("replicate", "time", "last", "token"), text.moves),
        },
        coords={"time": times},
    )


def _plan(params: Params, problem: Chain, replicates: int) -> Plan:
    runs = params.replicates * replicates
    stored = 8 * runs * (THIRDS + 1) * problem.vocab_size * (problem.vocab_size + 1)
    return Plan(2e-7 * runs * min(params.n_tokens, 1e5), stored, "seed")


counted_moves = Experiment("ccmc/counted_moves", frozenset({"n_tokens", "replicates"}), "seed", _plan, in_turn(_count))
