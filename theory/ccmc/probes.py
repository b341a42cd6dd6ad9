"""New prompts and position logits that a claim is tested on: data, drawn from the problem's own fingerprint."""

from __future__ import annotations

import numpy as np

from theory.ccmc.problem import Chain, Floats, Integers

N_PROBES = 50


def generator_of(chain: Chain, stream: int) -> np.random.Generator:
    """A generator that depends on the problem and on nothing else."""
    return np.random.default_rng([int(chain.fingerprint[:15], 16), stream])


def probe_prompts(chain: Chain, longest: int) -> tuple[Integers, ...]:
    """Fifty prompts of uniform tokens, with lengths spread evenly from 2 to ``longest``."""
    generator = generator_of(chain, 1)
    lengths = np.linspace(2, longest, N_PROBES).round().astype(int)
    tokens = generator.integers(chain.vocab_size, size=int(lengths.sum()), dtype=np.int64)
    return tuple(np.split(tokens, np.cumsum(lengths)[:-1]))


def key_counts(chain: Chain, prompts: tuple[Integers, ...]) -> tuple[Integers, Integers]:
    """Token counts among the keys, (n, K), and last tokens, (n,), of prompts."""
    keys = prompts if chain.include_self else tuple(prompt[:-1] for prompt in prompts)
    counts = np.stack([np.bincount(tokens, minlength=chain.vocab_size) for tokens in keys])
    return counts.astype(np.int64), np.array([prompt[-1] for prompt in prompts], dtype=np.int64)


def position_tables(chain: Chain, longest: int, scale: float) -> tuple[Floats, Floats]:
    """Gaussian position logits with standard deviation ``scale``.

    A vector (longest,) for absolute positions (entry i) or distances (entry L − 1 − i), and a matrix
    (longest, longest) for pairs of positions: entry [i, L − 1] for position i when the query stands at the end.
    """
    generator = generator_of(chain, 2)
    return scale * generator.standard_normal(longest), scale * generator.standard_normal((longest, longest))
