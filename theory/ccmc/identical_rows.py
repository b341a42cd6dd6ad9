"""When all rows of P are one law p: counts are independent Yule processes, and their limit law is explicit.

The next token is j with probability N_j p_j / Σ N_l p_l: the jumps of independent pure-birth processes N_j with rates
p_j. Each has N_j(t) e^{-p_j t} → G_j ~ Gamma(N_j(0), 1). With A the tokens of maximal p and G_A = Σ_A G_j, the text
has n ~ G_A e^{p_A t} tokens, so

    N_j(n) / n^θ_j → G_j / G_A^θ_j,   θ_j = p_j / p_A,   E log = ψ(N_j(0)) − θ_j ψ(N_A(0)),  N_A(0) = Σ_A N_j(0).

Tied tokens (θ = 1) share with a Dirichlet law: nobody wins. Ours; it contains the paper's two-token result
(arXiv 2402.13512).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special

from theory.ccmc.problem import Booleans, Floats, checked_shares
from theory.core.errors import DataError

TIE = 1e-9
NODES = 128
special: Any = scipy.special


def winners(law: Floats) -> Booleans:
    """The tokens of maximal probability, (K,): one wins; several share for ever."""
    return checked_shares(law, len(law)) >= np.max(law) - TIE


def exponents(law: Floats) -> Floats:
    """θ (K,): N_j grows as n^θ_j; 1 for the winner.

    >>> exponents(np.array([0.7, 0.2, 0.1])).round(3).tolist()
    [1.0, 0.286, 0.143]
    """
    return np.where(winners(law), 1.0, law / law.max())


def mean_log_prefactor(law: Floats, counts: Floats) -> Floats:
    """E log of the limit of N_j / n^θ_j, (K,), from the counts (K,) in the first prompt; −inf for absent tokens.

    >>> float(mean_log_prefactor(np.array([0.7, 0.3]), np.array([1.0, 1.0]))[1].round(3))
    -0.33
    """
    own: Floats = special.digamma(_counted(law, counts))
    winner = float(special.digamma(counts[winners(law)].sum()))
    return own - exponents(law) * winner


def log_prefactor_cdf(law: Floats, counts: Floats, token: int, values: Floats) -> Floats:
    """P(log of the limit of N_j / n^θ_j <= value) at each of ``values``; Gamma quadrature at 128 equal probabilities.

    For a tied token the limit is its Beta-distributed share.
    """
    top = winners(law)
    total = float(counts[top].sum())
    scale = np.exp(np.minimum(values, 700.0))
    if top[token]:
        rest = total - float(counts[token])
        if rest == 0:
            return np.where(scale >= 1, 1.0, 0.0)
        beta: Floats = special.betainc(counts[token], rest, np.minimum(scale, 1.0))
        return beta
    nodes: Floats = special.gammaincinv(total, (np.arange(NODES) + 0.5) / NODES)
    theta = float(exponents(law)[token])
    gamma: Floats = special.gammainc(float(counts[token]), scale[:, None] * nodes**theta)
    return gamma.mean(axis=1)


def sample_log_prefactors(law: Floats, counts: Floats, size: int, generator: np.random.Generator) -> Floats:
    """Draws (size, K) of the limits of log N_j − θ_j log n: one Gamma variable per token, G_A shared by all."""
    draws = generator.gamma(_counted(law, counts), size=(size, len(law)))
    return np.log(draws) - exponents(law) * np.log(draws[:, winners(law)].sum(axis=1, keepdims=True))


def _counted(law: Floats, counts: Floats) -> Floats:
    if np.shape(counts) != np.shape(law) or not (np.asarray(counts) >= 0).all():
        raise DataError("counts_shape", f"counts {counts} for {len(law)} tokens; expected as many numbers from 0.")
    return counts


def finite_size_error(law: Floats, counts: Floats, n_tokens: float) -> Floats:
    """Bound (K,) on what E log N_j(n) − θ_j log n still lacks at n tokens.

    Two terms: counts are whole numbers (a geometric count of mean 1/q: at most q + q/2 log(1/q), q = E[n_A^-θ_j] in
    units of its Gamma variable), and the others' tokens are missing from N_A: at most θ_j Σ_l E[N_l] / n.
    """
    theta, top = exponents(law), winners(law)
    total = counts[top].sum()
    above: Floats = special.gammaln(total + theta) - special.gammaln(total)
    below: Floats = special.gammaln(total - theta + top) - special.gammaln(total)
    small = np.minimum(np.exp(above - theta * np.log(n_tokens)), 1.0)
    losing = np.where(top, 0.0, counts * np.exp(below) * n_tokens ** (theta - 1))
    return small * (1 + np.log(1 / small) / 2) + theta * losing.sum()
