"""Generated text: the measurements that the claims about collapse, winners and their cures are judged on."""

from __future__ import annotations

from typing import cast

from xarray import Dataset

from theory.ccmc.experiments.turns import Told, in_turn
from theory.ccmc.mapping import tempered
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain
from theory.ccmc.simulation.cost import MOST_STEPS, RECORDS, step_seconds
from theory.ccmc.simulation.sampling import (
    CureOptions,
    Trajectories,
    choose_method,
    expected_events,
    simulate,
)
from theory.core.vocabulary import Experiment, Plan, Stop

CURES = ("output_temperature", "count_cap", "window", "recency_exponent")
"""The parameters that are keyword arguments of :func:`theory.ccmc.simulation.sampling.simulate` too."""


def cures_of(params: Params) -> CureOptions:
    """Those arguments, as the parameters ask for them."""
    return cast(CureOptions, {name: getattr(params, name) for name in CURES})


def _dataset(text: Trajectories) -> Dataset:
    data = Dataset(
        {
            "counts": (("replicate", "time", "token"), text.counts, {"units": "tokens", "spec_name": "N"}),
            "last": (("replicate", "time"), text.last, {"units": "token id"}),
        },
        coords={"time": text.times},
        attrs={"method": text.method},
    )
    if text.fixed_at is not None:
        data["fixed_at"] = (("replicate",), text.fixed_at, {"units": "tokens"})
    return data


def _generate(params: Params, chain: Chain, seed: int, told: Told, stop: Stop) -> Dataset:
    text = simulate(
        tempered(chain.transition, params.attention_temperature),
        chain.prompt,
        params.n_tokens,
        [(seed, run) for run in range(params.replicates)],
        stop=stop,
        progress=told,
        **cures_of(params),
    )
    return _dataset(text)


def _plan(params: Params, problem: Chain, replicates: int) -> Plan:
    runs = params.replicates * replicates
    stored = 8 * runs * RECORDS * (problem.vocab_size + 1)
    n_tokens = max(params.n_tokens, len(problem.prompt) + 1)
    transition, cures = tempered(problem.transition, params.attention_temperature), cures_of(params)
    method = choose_method(transition, problem.prompt, n_tokens, **cures)
    steps = min(expected_events(transition, problem.prompt, n_tokens, **cures) * runs, MOST_STEPS * replicates)
    return Plan(steps * step_seconds(method, problem.vocab_size) + 1e-5 * runs, stored, "seed")


generation = Experiment(
    "ccmc/generation",
    frozenset({"n_tokens", "replicates", "attention_temperature", *CURES}),
    "seed",
    _plan,
    in_turn(_generate),
)
