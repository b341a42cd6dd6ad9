"""Texts that a trained attention layer writes: it learns from the training prompts, then feeds on its own output."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from theory.ccmc.label_sets import label_sets
from theory.ccmc.model import Layer, generate
from theory.ccmc.problem import Chain, Floats, Integers
from theory.ccmc.training import train

TRAINING_STEPS = 100
"""Steps of L-BFGS: at a few thousand prompts the estimate stands after about 30."""


def trained_layer(chain: Chain, stop: Callable[[], bool] = bool) -> Layer:
    """An attention layer trained from W = 0 on the problem's prompts, with next tokens drawn from P (or observed)."""
    return train([chain], [label_sets(chain, 1)[0]], TRAINING_STEPS, stop=stop)[0].layer


def layer_texts(
    layer: Layer,
    prompt: Integers,
    n_tokens: int,
    seeds: Sequence[int],
    times: Integers,
    stop: Callable[[], bool] = bool,
) -> Floats:
    """Token counts (run, time, token) in texts of the layer; every token is sampled from attention over all positions.

    ``times`` (M,): lengths, prompt included, ascending, at which tokens are counted.

    Raises:
        DataError: the head's output is no probability law. Cancelled: ``stop``.
    """
    texts = generate(layer, prompt, n_tokens, [(seed, 1) for seed in seeds], stop=stop)
    counts = np.cumsum(texts[:, :, None] == np.arange(len(layer.embed)), axis=1)
    return counts[:, np.asarray(times) - 1].astype(np.float64)
