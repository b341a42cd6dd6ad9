"""Self-attention as a context-conditioned Markov chain, and the two-way map between its weights W and the chain P.

One attention layer reads a prompt x_1..x_L with query x_L = k: positions get softmax_i(e_{x_i}ᵀ W e_k), and the head C
with C Eᵀ = I turns the average embedding into a next-token law. Positions that hold the same token add up, so

    π_j = N_j P_kj / Σ_l N_l P_kl,   P_kj = softmax_j(e_jᵀ W e_k),   N = token counts      (arXiv 2402.13512).

W and P determine each other in S = span{(e_i − e_j) e_kᵀ}, of dimension K(K − 1). Ours, with L = log P and G = E Eᵀ:

    c = −L G⁻¹1 / (1ᵀG⁻¹1),   B = G⁻¹(Lᵀ + 1cᵀ)G⁻¹,   W = Eᵀ B E.

An element of S is Eᵀ B E with 1ᵀB = 0; its logits G B G equal Lᵀ up to a constant per last token, which 1ᵀB = 0 fixes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from theory.ccmc.problem import Floats, Integers, checked_counts, checked_positive, checked_transition, where
from theory.core.errors import DataError, ParameterError

LARGEST_CONDITION = 1e10
"""Condition number of the Gram matrix from which embeddings count as dependent."""


def ccmc_next(counts: Any, last: Any, transition: Any, *, include_self: bool = True) -> Floats:
    """The next-token law after prompts with these token counts and last tokens.

    Shapes: ``counts`` (..., K) of the keys, whole numbers; ``last`` (...,); ``transition`` (K, K), row = last token;
    result (..., K). With ``include_self`` the last token is one of the keys, so its count is at least 1.

    Raises:
        DataError: as :func:`~theory.ccmc.problem.checked_transition` and
            :func:`~theory.ccmc.problem.checked_counts`, or ``no_next_token`` when P forbids every token of a prompt
            after its last one.

    >>> ccmc_next([2, 1], 1, np.array([[0.5, 0.5], [0.25, 0.75]])).round(3).tolist()
    [0.4, 0.6]
    """
    chain = checked_transition(transition)
    table, query = checked_counts(counts, last, len(chain), include_self=include_self)
    law = weighted_next(table, query, chain)
    lost = np.argwhere(np.isnan(law[..., 0]))
    if len(lost):
        k = int(query[tuple(lost[0])])
        raise DataError("no_next_token", f"{where(lost[0])}row {k} of P allows no token that is in the prompt.")
    return law


def weighted_next(weights: Floats, last: Integers, transition: Floats) -> Floats:
    """The next-token law (..., K) for any weights (..., K) of the tokens in place of counts; NaN where it has no mass.

    Raises:
        DataError: ``weight_negative``.

    >>> weighted_next(np.array([1.0, 0.0]), np.array(0), np.eye(2)[::-1]).tolist()
    [nan, nan]
    """
    if (weights < 0).any():
        raise DataError("weight_negative", f"a token has weight {weights.min():g}; expected at least 0.")
    mass = transition[last] * weights
    total = mass.sum(axis=-1, keepdims=True)
    return np.divide(mass, total, out=np.full_like(mass, np.nan), where=total > 0)


def position_weights(prompt: Integers, position_logits: Floats, vocab_size: int) -> Floats:
    """What additive position logits make of the counts: Σ_{i: x_i = j} exp(b_i), shape (K,), up to one factor.

    ``prompt`` and ``position_logits`` have shape (L,). The next-token law is :func:`weighted_next` of the result.

    >>> position_weights(np.array([0, 1, 0]), np.log([2.0, 4.0, 1.0]), 2).tolist()
    [0.75, 1.0]
    """
    mass = np.exp(position_logits - position_logits.max())
    return np.bincount(prompt, mass, minlength=vocab_size).astype(np.float64)


@dataclass(frozen=True, eq=False)
class PositionTerms:
    """The four terms of an attention logit (e_{x_i} + p_i)ᵀ W (e_k + p_L) when positions are added as embeddings.

    ``chain`` (K, K)[last, token] e_jᵀ W e_k: the base chain. ``positions`` (L,) p_iᵀ W p_L: position logits, as the
    theorem wants them. ``position_by_last`` (L, K) p_iᵀ W e_k: position weights that depend on the last token.
    ``token_by_length`` (K,) e_jᵀ W p_L: a base chain that depends on the prompt's length. The last two break it.
    """

    chain: Floats
    positions: Floats
    position_by_last: Floats
    token_by_length: Floats


def position_terms(weights: Floats, embed: Floats, positions: Floats) -> PositionTerms:
    """Split attention logits into token and position parts: W (d, d), E (K, d), p_1..p_L (L, d) of one prompt.

    The values must not see positions either (C p_i = 0); then the law is :func:`weighted_next` with P and weights
    tilted by the four terms. Our reconstruction of the paper's position embeddings.
    """
    current = positions[-1]
    return PositionTerms(
        chain=(embed @ weights @ embed.T).T,
        positions=positions @ weights @ current,
        position_by_last=positions @ weights @ embed.T,
        token_by_length=embed @ weights @ current,
    )


def condition_number(embed: Floats) -> float:
    """Condition number of the Gram matrix E Eᵀ of embedding rows (K, d); infinite when they are dependent."""
    sizes = np.linalg.svd(embed, compute_uv=False)
    if embed.shape[1] < len(embed) or sizes[-1] <= sizes[0] * np.sqrt(np.finfo(float).eps):
        return float("inf")
    return float((sizes[0] / sizes[-1]) ** 2)


def gram_of(embed: Floats) -> Floats:
    """The Gram matrix G = E Eᵀ, (K, K), of linearly independent embedding rows (K, d).

    Raises:
        DataError: ``embeddings_shape``, or ``embeddings_dependent``: rank below K, or G has a condition above 1e10.
    """
    if embed.ndim != 2 or not np.isfinite(embed).all():
        raise DataError(
            "embeddings_shape", f"embeddings of shape {embed.shape}; expected rows (K, d) of finite numbers."
        )
    condition = condition_number(embed)
    if condition > LARGEST_CONDITION:
        rank = int(np.linalg.matrix_rank(embed))
        evidence = f"rank {rank} of {len(embed)}" if rank < len(embed) else f"condition number {condition:.2g}"
        message = f"the embeddings are (almost) dependent ({evidence}), P does not determine W."
        raise DataError("embeddings_dependent", message)
    return embed @ embed.T


def head_of(embed: Floats) -> Floats:
    """The linear head C = G⁻¹ E, (K, d), which inverts the embeddings: C Eᵀ = I.

    Raises:
        DataError: ``embeddings_dependent``.
    """
    return _solved(gram_of(embed), embed)


def weights_of(transition: Floats, embed: Floats) -> Floats:
    """The one W (d, d) in S whose base chain is P (K, K), for embedding rows E (K, d); formula above.

    For orthonormal rows the Frobenius norm of W is that of the row-centred logits log P.

    Raises:
        DataError: ``embeddings_dependent``, or ``transition_zero`` when an entry of P is 0: its logit is infinite.

    >>> weights_of(np.array([[0.8, 0.2], [0.5, 0.5]]), np.eye(2)).round(3).tolist()
    [[0.693, 0.0], [-0.693, 0.0]]
    """
    logits, gram = np.log(checked_positive(transition)), gram_of(embed)
    if len(gram) != len(logits):
        raise DataError("embeddings_shape", f"{len(gram)} embedding rows for {len(logits)} tokens; expected one each.")
    row = np.linalg.solve(gram, np.ones(len(gram)))
    shift = -(logits @ row) / row.sum()
    inner = _solved(gram, _solved(gram, (logits + shift[:, None]).T).T).T
    return embed.T @ inner @ embed


def transition_of(weights: Floats, embed: Floats) -> Floats:
    """The base chain of attention weights: P_kj = softmax_j(e_jᵀ W e_k), (K, K), row = last token.

    Raises:
        DataError: ``weights_not_finite``.
    """
    logits = (embed @ weights @ embed.T).T
    if not np.isfinite(logits).all():
        raise DataError("weights_not_finite", "the attention logits of these weights and embeddings are not finite.")
    mass = np.exp(logits - logits.max(axis=1, keepdims=True))
    return mass / mass.sum(axis=1, keepdims=True)


def _solved(matrix: Floats, right: Floats) -> Floats:
    return np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)


def tempered(transition: Floats, attention_temperature: float) -> Floats:
    """``P^(1/attention_temperature)`` with its rows renormalised, (K, K): attention logits divided by the temperature.

    Raises:
        ParameterError: the temperature is not positive. DataError: P is no base chain.

    >>> tempered(np.array([[0.8, 0.2], [0.5, 0.5]]), 0.5).round(3).tolist()
    [[0.941, 0.059], [0.5, 0.5]]
    """
    if not 0 < attention_temperature < np.inf:
        raise ParameterError("attention_temperature", attention_temperature, "a positive number")
    chain = checked_transition(transition)
    powers = (chain / chain.max(axis=1, keepdims=True)) ** (1 / attention_temperature)
    return powers / powers.sum(axis=1, keepdims=True)
