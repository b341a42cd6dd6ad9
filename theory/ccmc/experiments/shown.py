"""What the page shows beside its claims: generated texts, texts of the real layer, who wins from where, cures tried.

How long the texts are, and how many, follows from the steps that pilot runs foresee: never from a clock.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from xarray import Dataset

from theory.ccmc.experiments.generation import CURES, cures_of
from theory.ccmc.experiments.turns import Told, in_turn
from theory.ccmc.label_sets import label_sets
from theory.ccmc.mapping import tempered
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain, Floats, prompt_of_counts
from theory.ccmc.simulation.cost import RECORDS
from theory.ccmc.simulation.sampling import CureOptions, affordable_tokens, expected_events, simulate
from theory.core.errors import DataError
from theory.core.vocabulary import Experiment, Plan, Stop

STEPS = 2e7
"""Steps that all texts of a figure take together: a second or two."""
STEP_SECONDS = 1e-7
TEXTS = 40
MOST_MOVES = 12
"""Largest vocabulary whose moves are counted."""
LAYER_TEXTS, LAYER_TOKENS, LAYER_TIMES = 3, 1000, 9
"""Texts of the attention layer, their length, and points along each at which tokens are counted."""
TRAINING_STEPS = 100
"""Steps of L-BFGS: at a few thousand prompts the estimate stands after about 30."""
FIRST_COUNTS = tuple(range(1, 13))
"""How often token 0 is in the prompts from which it may win."""
FEWEST_RUNS, MOST_RUNS = 30, 300
DECIDED = 100_000
"""Tokens after which a run is on the side of the separatrix that it stays on."""
SETTINGS: dict[str, tuple[float, ...]] = {
    "output_temperature": (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0),
    "attention_temperature": (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0),
    "count_cap": (1, 3, 10, 30, 100, 300, 1000),
    "window": (4, 8, 16, 32, 64, 128, 256, 512, 1000),
}
"""Values at which each cure is tried."""
CURED_TEXTS, CURED_TOKENS = 12, 20_000
"""Texts for each value of a cure, and their length beyond the prompt."""


def _texts(params: Params, chain: Chain, seed: int, told: Told, stop: Stop) -> Dataset:
    transition, cures = tempered(chain.transition, params.attention_temperature), cures_of(params)
    shortest = 10 * len(chain.prompt)
    wanted = max(params.n_tokens, shortest)
    found = simulate(
        transition,
        chain.prompt,
        max(affordable_tokens(STEPS, transition, chain.prompt, wanted, TEXTS, **cures), shortest),
        [(seed, run) for run in range(TEXTS)],
        transitions_counted=chain.vocab_size <= MOST_MOVES,
        stop=stop,
        progress=told,
        **cures,
    )
    data: dict[str, Any] = {"counts": (("replicate", "time", "token"), found.counts)}
    if found.moves is not None:
        data["moves"] = (("replicate", "time", "last", "token"), found.moves)
    return Dataset(data, coords={"time": found.times})


def _texts_plan(params: Params, chain: Chain, replicates: int) -> Plan:
    size = chain.vocab_size
    stored = 8 * TEXTS * RECORDS * size * (size + 1 if size <= MOST_MOVES else 1)
    return Plan(STEPS * STEP_SECONDS * replicates, stored, "seed")


def _layer_texts(params: Params, chain: Chain, seed: int, told: Told, stop: Stop) -> Dataset:
    """Texts of an attention layer that has learnt from the problem's prompts, every token by explicit attention."""
    from theory.ccmc.model import generate
    from theory.ccmc.training import train

    start = len(chain.prompt)
    if start > LAYER_TOKENS // 4:
        raise DataError("prompt_long", f"the attention layer continues prompts of at most {LAYER_TOKENS // 4} tokens.")
    layer = train([chain], [label_sets(chain, 1)[0]], TRAINING_STEPS, stop=stop)[0].layer
    texts = generate(layer, chain.prompt, LAYER_TOKENS, [(seed, run) for run in range(LAYER_TEXTS)], stop=stop)
    times = np.unique(np.geomspace(start, LAYER_TOKENS, LAYER_TIMES).round()).astype(np.int64)
    counts = np.cumsum(texts[:, :, None] == np.arange(chain.vocab_size), axis=1)[:, times - 1]
    return Dataset({"counts": (("replicate", "time", "token"), counts.astype(np.float64))}, coords={"time": times})


def _layer_plan(params: Params, chain: Chain, replicates: int) -> Plan:
    rows, size = chain.counts.shape
    seconds = TRAINING_STEPS * (1e-4 + 1e-8 * rows * size) + 1e-4 * LAYER_TOKENS
    return Plan(seconds * replicates, 8 * LAYER_TEXTS * LAYER_TOKENS * (size + chain.vectors.shape[1]), "seed")


def _wins(params: Params, chain: Chain, seed: int, told: Told, stop: Stop) -> Dataset:
    if chain.vocab_size != 2:
        raise DataError("not_two_tokens", f"there are {chain.vocab_size} tokens; the phase diagram is that of two.")
    last = chain.initial_last
    other = max(int(chain.initial_counts[1]), last)
    steps = expected_events(chain.transition, prompt_of_counts((1, other), last), DECIDED)
    runs = int(np.clip(STEPS / len(FIRST_COUNTS) / steps, FEWEST_RUNS, MOST_RUNS))
    shares: list[Floats] = []
    for at, count in enumerate(FIRST_COUNTS):
        seeds = [(seed, count, run) for run in range(runs)]
        prompt = prompt_of_counts((count, other), last)
        text = simulate(chain.transition, prompt, DECIDED, seeds, times=np.array([DECIDED]), stop=stop)
        shares.append(text.counts[:, -1, 0] / DECIDED)
        told((at + 1) / len(FIRST_COUNTS))
    return Dataset({"share": (("count", "replicate"), np.array(shares))}, coords={"count": list(FIRST_COUNTS)})


def _cured(params: Params, chain: Chain, seed: int, told: Told, stop: Stop) -> Dataset:
    end = len(chain.prompt) + CURED_TOKENS
    top = np.full((CURED_TEXTS, len(SETTINGS), max(map(len, SETTINGS.values()))), np.nan)
    for row, (kind, values) in enumerate(SETTINGS.items()):
        for point, value in enumerate(values):
            warm = value if kind == "attention_temperature" else 1.0
            cure = cast(CureOptions, {} if kind == "attention_temperature" else {kind: value})
            seeds = [(seed, row, point, run) for run in range(CURED_TEXTS)]
            base = tempered(chain.transition, warm)
            text = simulate(base, chain.prompt, end, seeds, times=np.array([end]), stop=stop, **cure)
            top[:, row, point] = text.counts[:, -1].max(axis=1) / end
        told((row + 1) / len(SETTINGS))
    return Dataset({"top_share": (("replicate", "cure", "point"), top)}, coords={"cure": list(SETTINGS)})


def _many_plan(params: Params, chain: Chain, replicates: int) -> Plan:
    return Plan(STEPS * STEP_SECONDS * replicates, 8 * MOST_RUNS * len(FIRST_COUNTS), "seed")


shown_texts = Experiment(
    "ccmc/shown_texts",
    frozenset({"n_tokens", "attention_temperature", *CURES}),
    "seed",
    _texts_plan,
    in_turn(_texts),
)
layer_texts = Experiment("ccmc/layer_texts", frozenset[str](), "seed", _layer_plan, in_turn(_layer_texts))
wins_by_count = Experiment("ccmc/wins_by_count", frozenset[str](), "seed", _many_plan, in_turn(_wins))
cured_texts = Experiment("ccmc/cured_texts", frozenset[str](), "seed", _many_plan, in_turn(_cured))
