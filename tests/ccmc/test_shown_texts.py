"""The texts beside a verdict: those of the real layer by exact enumeration, and how long they may become."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare
from xarray import Dataset

from theory.ccmc.data import draw
from theory.ccmc.experiments.shown import LAYER_TOKENS, STEPS, TRAINING_STEPS, layer_texts, shown_texts
from theory.ccmc.label_sets import label_sets
from theory.ccmc.mapping import weights_of
from theory.ccmc.model import Layer, generate, head_of_chain
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain
from theory.ccmc.simulation.sampling import affordable_tokens
from theory.ccmc.training import train
from theory.core.errors import Cancelled, DataError
from theory.core.vocabulary import Replicate

TOKENS = 5


def exact_layer(chain: Chain) -> Layer:
    return Layer(weights_of(chain.transition, chain.vectors), chain.vectors, head_of_chain(chain))


def run(experiment: Any, params: Params, stop: Any = lambda: False) -> Dataset:
    return experiment.run(params, [Replicate(draw(params, params.data_seed), 0)], "cpu", lambda *_: None, stop)[0]


def test_the_trained_layer_has_learnt_the_chain() -> None:
    chain = draw(Params(chain="random", vocab_size=3, n_samples=100_000), 1)
    scores = train([chain], [label_sets(chain, 1)[0]], TRAINING_STEPS)[0].layer.logits
    law = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert np.abs(law - chain.transition).max() < 0.02


def test_short_texts_have_the_law_of_the_chain() -> None:
    chain = draw(Params(chain="random", vocab_size=3, embedding="gaussian", initial_last=2), 1)
    start = len(chain.prompt)
    texts = generate(exact_layer(chain), chain.prompt, start + TOKENS, [(seed, 1) for seed in range(1500)])
    counts = (texts[:, :, None] == np.arange(3)).sum(axis=1)
    law: dict[tuple[int, ...], float] = {}
    for text in product(range(3), repeat=TOKENS):
        so_far, last, chance = chain.initial_counts.astype(float), chain.initial_last, 1.0
        for token in text:
            mass = so_far * chain.transition[last]
            chance *= mass[token] / mass.sum()
            so_far[token] += 1
            last = token
        law[tuple(so_far.astype(int))] = law.get(tuple(so_far.astype(int)), 0.0) + chance
    seen = [int((counts == np.array(key)).all(axis=1).sum()) for key in law]
    assert sum(seen) == len(counts)
    often = np.array(list(law.values())) * len(counts) >= 5
    observed = np.append(np.array(seen)[often], np.array(seen)[~often].sum())
    expected = np.append(np.array(list(law.values()))[often], np.array(list(law.values()))[~often].sum()) * len(counts)
    assert chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-4


def test_its_texts_are_counted_up_to_the_end_and_can_be_stopped() -> None:
    params = Params(chain="random", vocab_size=3, data_seed=1)
    found = run(layer_texts, params)
    assert (found.counts.sum("token") == found["time"]).all()
    assert found["time"].values[[0, -1]].tolist() == [3, LAYER_TOKENS]
    with pytest.raises(Cancelled):
        run(layer_texts, params, lambda: True)


def test_a_head_that_does_not_invert_is_said() -> None:
    with pytest.raises(DataError, match="misses a probability law"):
        run(layer_texts, Params(chain="random", vocab_size=3, head="random"))
    with pytest.raises(DataError, match="at most 250"):
        run(layer_texts, Params(initial_tokens=1000))


@pytest.mark.parametrize(
    ("changes", "whole"),
    [
        ({"odds_first": 4.0, "odds_second": 4.0}, True),
        ({"odds_first": 0.5, "odds_second": 0.5}, False),
        ({"output_temperature": 2.0}, False),
        ({"recency_exponent": 0.8}, False),
    ],
)
def test_texts_are_cut_by_the_steps_that_they_take(changes: dict[str, float], whole: bool) -> None:
    params = Params(n_tokens=10**12, **changes)  # pyright: ignore[reportArgumentType]
    found = run(shown_texts, params)
    assert (found.counts.sum("token") == found["time"]).all()
    assert (found["time"].values[-1] == 10**12) == whole
    assert not whole or found.identical(run(shown_texts, params))


def test_the_affordable_length_depends_on_steps_alone() -> None:
    mixed = np.array([[0.3, 0.7], [0.7, 0.3]])
    lengths = [affordable_tokens(steps, mixed, np.array([0, 1]), 1e12, 40) for steps in (STEPS, STEPS / 100)]
    assert lengths[0] >= 30 * lengths[1]
    assert 0.2 < lengths[0] * 40 / STEPS < 2
    assert affordable_tokens(STEPS, mixed, np.array([0, 1]), 1000, 40) == 1000
