"""Training many in-context models: one batch against one by one, sufficient statistics against examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import process_time

from benchmarks.harness import Line, readable
from theory.icl.data import draw
from theory.icl.parameters import Params
from theory.icl.prompt_law import PromptLaw, law_of
from theory.icl.simulation.training_prompts import Sampler, generator_of
from theory.icl.training import train

STEPS = 40
REQUIRED = {64: 5, 256: 2}
LENGTHS, NOISES, SEEDS = (10, 20, 40, 60), (0.0, 1.0), 4
LONG, WIDE, PROMPTS, STATISTICS_REQUIRED = 1000, 10, 256, 20


def grid() -> list[PromptLaw]:
    """The laws of 32 models: four lengths, two noise levels, four seeds."""
    points = [Params(dim=5, context_length=n, noise_variance=s) for n in LENGTHS for s in NOISES for _ in range(SEEDS)]
    return [law_of(params, draw(params, 0)) for params in points]


def least_seconds(function: Callable[[], object], repeats: int = 3) -> float:
    """Least processor seconds of a call, after one that is not counted."""
    times: list[float] = []
    for _ in range(repeats + 1):
        started = process_time()
        function()
        times.append(process_time() - started)
    return min(times[1:])


def run() -> Iterator[Line]:
    laws = grid()
    seeds = list(range(len(laws)))
    for batch, required in REQUIRED.items():
        together = least_seconds(lambda batch=batch: train("attention", laws, seeds, STEPS, batch, statistics=True))
        apart = least_seconds(
            lambda batch=batch: [
                train("attention", [law], [seed], STEPS, batch, statistics=True)
                for law, seed in zip(laws, seeds, strict=True)
            ],
            repeats=1,
        )
        note = f"one by one: {readable(apart / STEPS)} a step"
        name = f"32 attention layers, {batch} prompts a step"
        yield Line(name, f"{readable(together / STEPS)}", note, apart / together, required)
    law = long_law()
    costs: dict[bool, float] = {}
    for statistics in (True, False):
        sampler = Sampler([law], [generator_of(0)], statistics=statistics)
        costs[statistics] = least_seconds(lambda sampler=sampler: moments(sampler))
    name = f"Z'Z of {PROMPTS} prompts, n={LONG}, d={WIDE}"
    note = f"drawing examples: {readable(costs[False])}"
    yield Line(name, readable(costs[True]), note, costs[False] / costs[True], STATISTICS_REQUIRED)


def long_law() -> PromptLaw:
    """Prompts longer than the sliders allow."""
    params = Params(dim=WIDE, context_length=200)
    found = law_of(params, draw(params, 0))
    return PromptLaw(LONG, found.noise_variance, found.feature_root, found.task_root, found.task_mean)


def moments(sampler: Sampler) -> object:
    """All that linear attention sees of a batch."""
    tokens = sampler.draw(PROMPTS).tokens
    return tokens.mT @ tokens
