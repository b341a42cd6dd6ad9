"""Next tokens after a problem's training prompts: observed, or drawn from P in a way that the problem alone fixes."""

from __future__ import annotations

import numpy as np

from theory.ccmc.probes import generator_of
from theory.ccmc.problem import Chain, Floats, Integers

LABEL_STREAM, WEIGHT_STREAM = 5, 6
LARGEST_SETS = 1_000_000
"""Most numbers in all label sets together: predictions read them too, and must follow a slider."""


def next_laws(chain: Chain) -> Floats:
    """The law of the next token after each training prompt, (U, K); zeros where P allows none of its keys."""
    mass = chain.counts * chain.transition[chain.last]
    total = mass.sum(axis=1, keepdims=True)
    return np.divide(mass, total, out=np.zeros_like(mass), where=total > 0)


def drawn_labels(chain: Chain, laws: Floats, generator: np.random.Generator) -> Integers:
    """How often each token follows each training prompt in one draw, (U, K): multinomial over each distinct prompt."""
    drawn: Integers = generator.multinomial(chain.weight, laws).astype(np.int64)
    # numpy gives what rounding leaves of a law to its last token; a prompt without any law has no next tokens.
    drawn[laws == 0] = 0
    return drawn


def label_sets(chain: Chain, wanted: int) -> Integers:
    """Sets of next tokens (R, U, K): the observed ones alone (R = 1), or up to ``wanted`` drawn ones.

    A large problem has fewer sets: together they hold at most a million numbers.
    """
    if chain.has_labels:
        return chain.chosen[None]
    size = int(np.clip(LARGEST_SETS // max(chain.counts.size, 1), 1, wanted))
    generator, laws = generator_of(chain, LABEL_STREAM), next_laws(chain)
    return np.stack([drawn_labels(chain, laws, generator) for _ in range(size)])


def initial_weights(chain: Chain, scale: float) -> Floats:
    """Gaussian initial attention weights (d, d) with standard deviation ``scale``, fixed by the problem."""
    dim = chain.vectors.shape[1]
    return scale * generator_of(chain, WEIGHT_STREAM).standard_normal((dim, dim))


def curvature_bound(chain: Chain) -> float:
    """β, an upper bound of the mean loss's curvature in W: λ_max(G) λ_max(D^½ G D^½) / 2 with D = diag Pr(x_L = k).

    A law's covariance diag(π) − ππᵀ has no eigenvalue above 1/2, and the Hessian is Σ_k (Eᵀ H_k E) ⊗ e_k e_kᵀ. For
    orthonormal embeddings β is half the share of the most frequent last token. Step sizes are in units of 1/β.
    """
    gram = chain.vectors @ chain.vectors.T
    share = np.bincount(chain.last, chain.weight, minlength=chain.vocab_size) / chain.n_samples
    scaled = np.sqrt(share)[:, None] * gram * np.sqrt(share)
    return max(float(np.linalg.eigvalsh(gram)[-1] * np.linalg.eigvalsh(scaled)[-1]) / 2, 1e-300)
