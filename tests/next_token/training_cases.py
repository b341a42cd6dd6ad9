"""Random problems for the training tests, drawn without the project's own generators."""

from __future__ import annotations

import numpy as np

from theory.next_token.problem import Prompts, make_prompts


def random_prompts(
    seed: int,
    *,
    vocab_size: int = 6,
    n: int = 12,
    length: int = 4,
    n_last: int = 2,
    flip: float = 0.3,
    dim: int | None = None,
) -> Prompts:
    """Labels follow one ranking per last token, except a share ``flip`` drawn from the prompt; random unit rows."""
    rng = np.random.default_rng(seed)
    ranking = {int(last): rng.permutation(vocab_size) for last in rng.permutation(vocab_size)[:n_last]}
    sequences, labels = [], []
    for _ in range(n):
        last = int(rng.choice(list(ranking)))
        sequence = [*rng.integers(0, vocab_size, length - 1).tolist(), last]
        best = min(sequence, key=lambda token: ranking[last][token])
        labels.append(int(rng.choice(sequence)) if rng.random() < flip else best)
        sequences.append(sequence)
    embed = None
    if dim is not None:
        embed = rng.standard_normal((vocab_size, dim))
        embed /= np.linalg.norm(embed, axis=1, keepdims=True)
    return make_prompts(sequences, labels, vocab_size=vocab_size, embed=embed)
