"""The experiment ``generation``: one independent run per replicate, the same whatever runs beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from theory.ccmc.data import draw
from theory.ccmc.experiments.generation import generation
from theory.ccmc.mapping import tempered
from theory.ccmc.parameters import Params
from theory.ccmc.simulation.sampling import simulate
from theory.core.errors import Cancelled, ParameterError
from theory.core.vocabulary import Replicate


def measure(params: Params, seeds: list[int], **options: Any) -> list[Any]:
    chain = draw(params, params.data_seed)
    emit, stop = options.get("emit", lambda *_: None), options.get("stop", lambda: False)
    return generation.run(params, [Replicate(chain, seed) for seed in seeds], "cpu", emit, stop)


@pytest.mark.parametrize(
    "cures",
    [
        {},
        {"output_temperature": 2.0},
        {"attention_temperature": 2.0},
        {"count_cap": 5},
        {"window": 8},
        {"recency_exponent": 0.5},
    ],
)
def test_runs_are_those_of_the_sampler(cures: dict[str, Any]) -> None:
    params = Params(n_tokens=5000, replicates=3, **cures)
    chain = draw(params, 0)
    told: list[float] = []
    found = measure(params, [4, 7], emit=lambda fraction, _: told.append(fraction))
    options = {name: value for name, value in cures.items() if name != "attention_temperature"}
    transition = tempered(chain.transition, params.attention_temperature)
    for seed, data in zip((4, 7), found, strict=True):
        text = simulate(transition, chain.prompt, 5000, [(seed, run) for run in range(3)], **options)
        np.testing.assert_array_equal(data.counts, text.counts)
        np.testing.assert_array_equal(data["last"], text.last)
        assert data.counts.dims == ("replicate", "time", "token") and data.time.values[-1] == 5000
        assert ("fixed_at" in data) == ("window" in cures)
    assert told == sorted(told) and told[-1] == 1
    np.testing.assert_array_equal(measure(params, [7])[0].counts, found[1].counts)
    assert set(cures) <= generation.uses


def test_plan_is_ready_for_any_length() -> None:
    for values in ({}, {"odds_first": 0.5, "odds_second": 0.5}, {"window": 100}, {"recency_exponent": 0.4}):
        for n_tokens in (100, 10**6, 10**15):
            params = Params(n_tokens=n_tokens, **values)  # pyright: ignore[reportArgumentType]
            plan = generation.plan(params, draw(params, 0), 8)
            assert 0 < plan.seconds < 1e5 and plan.bytes > 0


def test_stops_and_refuses() -> None:
    with pytest.raises(Cancelled):
        measure(Params(), [0], stop=lambda: True)
    with pytest.raises(ParameterError, match="n_tokens"):
        measure(Params(odds_first=0.5, odds_second=0.5, n_tokens=10**15), [0])
    with pytest.raises(ParameterError, match="n_tokens"):
        measure(Params(initial_tokens=1000, n_tokens=100), [0])
