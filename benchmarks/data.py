"""Large synthetic data: tokens with Zipf frequencies, labels from a hidden ranking with flips."""

from __future__ import annotations

import numpy as np

from theory.next_token.problem import Prompts, make_prompts


def zipf_prompts(n: int, length: int, vocab_size: int, flip: float = 0.1, seed: int = 0) -> Prompts:
    """The label is the best-ranked token of the prompt, or with probability ``flip`` any of its tokens."""
    rng = np.random.default_rng(seed)
    frequency = 1.0 / np.arange(1, vocab_size + 1)
    edges = np.cumsum(frequency / frequency.sum())
    sequences = np.empty((n, length), dtype=np.int64)
    for position in range(length):
        sequences[:, position] = np.minimum(np.searchsorted(edges, rng.random(n)), vocab_size - 1)
    ranking = rng.permutation(vocab_size).astype(np.int32)
    # One ranking per last token without a table: a rotation of one hidden ranking.
    best = ((ranking[sequences] + sequences[:, -1:].astype(np.int32)) % vocab_size).argmin(axis=1)
    chosen = np.where(rng.random(n) < flip, rng.integers(length, size=n), best)
    return make_prompts(sequences, sequences[np.arange(n), chosen], vocab_size)
