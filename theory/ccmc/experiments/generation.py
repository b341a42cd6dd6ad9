"""Generated text: the measurements that the claims about collapse, winners and their cures are judged on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xarray import Dataset

from theory.ccmc.problem import Chain
from theory.ccmc.simulation.cost import MOST_STEPS, RECORDS, step_seconds
from theory.ccmc.simulation.sampling import (
    CureOptions,
    Trajectories,
    choose_method,
    expected_events,
    simulate,
    tempered,
)
from theory.core.errors import Cancelled
from theory.core.vocabulary import Emit, Experiment, Plan, Replicate, Stop


def cures_of(params: Any) -> CureOptions:
    """The keyword arguments of :func:`theory.ccmc.simulation.sampling.simulate` that the parameters ask for."""
    return {
        "output_temperature": params.output_temperature,
        "count_cap": params.count_cap,
        "window": params.window,
        "recency_exponent": params.recency_exponent,
    }


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


def _generate(params: Any, replicates: Sequence[Replicate], device: str, emit: Emit, stop: Stop) -> list[Dataset]:
    found: list[Dataset] = []

    def told(fraction: float) -> None:
        emit((len(found) + fraction) / len(replicates), None)

    for replicate in replicates:
        if stop():
            raise Cancelled
        chain = replicate.problem
        assert isinstance(chain, Chain)
        text = simulate(
            tempered(chain.transition, params.attention_temperature),
            chain.prompt,
            params.n_tokens,
            [(replicate.seed, run) for run in range(params.replicates)],
            stop=stop,
            progress=told,
            **cures_of(params),
        )
        found.append(_dataset(text))
        emit(len(found) / len(replicates), found[0])
    return found


def _plan(params: Any, problem: Any, replicates: int) -> Plan:
    runs = params.replicates * replicates
    stored = 8 * runs * RECORDS * (problem.vocab_size + 1)
    n_tokens = max(params.n_tokens, len(problem.prompt) + 1)
    transition, cures = tempered(problem.transition, params.attention_temperature), cures_of(params)
    method = choose_method(transition, problem.prompt, n_tokens, **cures)
    steps = min(expected_events(transition, problem.prompt, n_tokens, **cures) * runs, MOST_STEPS * replicates)
    return Plan(steps * step_seconds(method, problem.vocab_size) + 1e-5 * runs, stored, "seed")


generation = Experiment(
    "ccmc/generation",
    frozenset(
        {
            "n_tokens",
            "replicates",
            "output_temperature",
            "attention_temperature",
            "count_cap",
            "window",
            "recency_exponent",
        }
    ),
    "seed",
    _plan,
    _generate,
)
