"""The texts of the explicit attention layer have the law of the chain, by exact enumeration of short texts."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import chisquare

from theory.ccmc.data import draw
from theory.ccmc.mapping import weights_of
from theory.ccmc.model import Layer, head_of_chain
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain
from theory.ccmc.simulation.layer_texts import layer_texts, trained_layer
from theory.core.errors import Cancelled, DataError

TOKENS = 5


def exact_layer(chain: Chain) -> Layer:
    return Layer(weights_of(chain.transition, chain.vectors), chain.vectors, head_of_chain(chain))


def test_the_trained_layer_has_learnt_the_chain() -> None:
    chain = draw(Params(chain="random", vocab_size=3, n_samples=100_000), 1)
    scores = trained_layer(chain).logits
    law = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert np.abs(law - chain.transition).max() < 0.02


def test_short_texts_have_the_law_of_the_chain() -> None:
    chain = draw(Params(chain="random", vocab_size=3, embedding="gaussian", initial_last=2), 1)
    start = len(chain.prompt)
    counts = layer_texts(exact_layer(chain), chain.prompt, start + TOKENS, range(1500), np.array([start + TOKENS]))
    counts = counts[:, 0]
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


def test_a_head_that_does_not_invert_is_said() -> None:
    chain = draw(Params(chain="random", vocab_size=3, head="random"), 0)
    with pytest.raises(DataError, match="misses a probability law"):
        layer_texts(exact_layer(chain), chain.prompt, 20, [0], np.array([20]))


def test_can_be_stopped() -> None:
    with pytest.raises(Cancelled):
        trained_layer(draw(Params(), 0), stop=lambda: True)
