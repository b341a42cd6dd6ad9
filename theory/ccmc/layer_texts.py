"""Texts that a real attention layer writes: each token is sampled from explicit attention over all positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from theory.ccmc.attention import weights_of
from theory.ccmc.chain import Chain, Floats, Integers
from theory.ccmc.experiments_mapping import attend, head_of_layer
from theory.errors import Cancelled, DataError


def layer_texts(
    chain: Chain,
    n_tokens: int,
    seeds: Sequence[int],
    times: Integers | npt.NDArray[np.int64],
    stop: Callable[[], bool] = bool,
) -> Floats:
    """Token counts (run, time, token) in texts of the layer with the chain's embeddings, head and weights.

    ``times`` (M,): lengths, prompt included, ascending, at which tokens are counted. The whole text is attended to for
    every token: O(n_tokens^2) per run.

    Raises:
        DataError: the chain has no finite weights, or the head's output is no probability law. Cancelled: ``stop``.
    """
    weights, head = weights_of(chain.transition, chain.vectors), head_of_layer(chain)
    found = np.empty((len(seeds), len(times), chain.vocab_size))
    for run, seed in enumerate(seeds):
        generator = np.random.default_rng((seed, 1))
        text = np.empty(n_tokens, dtype=np.int64)
        text[: len(chain.prompt)] = chain.prompt
        for length in range(len(chain.prompt), n_tokens):
            law = attend(chain.vectors, weights, head, text[:length], include_self=chain.include_self)
            if law.min() < -1e-9 or abs(law.sum() - 1) > 1e-9:
                raise DataError("not_a_law", f"the layer's output {law.round(3).tolist()} is no probability law.")
            text[length] = generator.choice(chain.vocab_size, p=np.maximum(law, 0) / np.maximum(law, 0).sum())
        if stop():
            raise Cancelled
        counts = np.cumsum(text[:, None] == np.arange(chain.vocab_size), axis=0)
        found[run] = counts[np.asarray(times) - 1]
    return found
