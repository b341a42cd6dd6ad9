"""An explicit attention layer in float64, position by position: what the map between W and P is judged on.

Nothing here uses the closed forms. The layer's weights come from generic least squares, its head from the
pseudo-inverse of the embeddings, its next-token law from a softmax over positions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import orth
from xarray import Dataset

from theory.ccmc.experiments.turns import on_instances
from theory.ccmc.parameters import Params
from theory.ccmc.probes import N_PROBES, generator_of, position_tables, probe_prompts
from theory.ccmc.problem import Chain, Floats, Integers
from theory.core.vocabulary import Experiment, Plan

POSITION_KINDS = ("absolute", "relative", "embedded")
"""Logits added by position, by distance from the query, or through position embeddings p_i with p_iᵀ W p_L."""


def attend(
    embed: Floats, weights: Floats, head: Floats, prompt: Integers, *, bias: Any = 0.0, include_self: bool = True
) -> Floats:
    """One attention layer on one prompt of vectors ``embed[prompt]``: the head's output, (K,).

    Shapes: ``embed`` (K, d), ``weights`` (d, d), ``head`` (K, d), ``bias`` (L,) or a number. The vectors may already
    be positions' own: then ``embed`` has one row per position and ``prompt`` is their order.
    """
    vectors = embed[prompt]
    scores = vectors @ weights @ vectors[-1] + bias
    if not include_self:
        vectors, scores = vectors[:-1], scores[:-1]
    attention = np.exp(scores - scores.max())
    attention /= attention.sum()
    return head @ (vectors.T @ attention)


def any_weights(chain: Chain) -> Floats:
    """The smallest W (d, d) with e_jᵀ W e_k = log P_kj exactly, by pseudo-inverse; in general not in S."""
    inverse = np.linalg.pinv(chain.vectors)
    return inverse @ np.log(chain.transition).T @ inverse.T


def head_of_layer(chain: Chain) -> Floats:
    """The problem's own head, or else the one that inverts the embeddings."""
    return _floats(np.linalg.pinv(chain.vectors).T) if chain.head is None else chain.head


def subspace_weights(chain: Chain) -> tuple[Floats, Floats, Floats]:
    """W in S by least squares on an orthonormal basis of S; also projectors (d, d) on both sides of S."""
    embed = chain.vectors
    left, right = _floats(orth((embed[1:] - embed[0]).T)), _floats(orth(embed.T))
    differences = np.log(chain.transition[:, 1:]) - np.log(chain.transition[:, :1])
    half = _floats(np.linalg.lstsq((embed[1:] - embed[0]) @ left, differences.T, rcond=None)[0])
    inner = _floats(np.linalg.lstsq(embed @ right, half.T, rcond=None)[0]).T
    return left @ inner @ right.T, left @ left.T, right @ right.T


def _floats(found: Any) -> Floats:
    return np.asarray(found, dtype=np.float64)


def _mapping(params: Params, chain: Chain) -> Dataset:
    weights, head = any_weights(chain), head_of_layer(chain)
    law = [
        attend(chain.vectors, weights, head, prompt, include_self=chain.include_self)
        for prompt in probe_prompts(chain, params.prompt_length)
    ]
    return Dataset({"next_law": (("prompt", "token"), np.stack(law))})


def _subspace(params: Params, chain: Chain) -> Dataset:
    weights, left, right = subspace_weights(chain)
    noise = generator_of(chain, 3).standard_normal(weights.shape)
    # As large as the weights themselves, so that the invariance is tested at their own scale.
    noise *= max(float(np.linalg.norm(weights)), 1.0) / np.linalg.norm(noise)
    outside = noise - left @ noise @ right
    head = head_of_layer(chain)
    prompts = probe_prompts(chain, params.prompt_length)
    inside, moved = (
        np.stack([attend(chain.vectors, W, head, prompt, include_self=chain.include_self) for prompt in prompts])
        for W in (weights, weights + outside)
    )
    return Dataset(
        {
            "weights": (("row", "column"), weights, {"spec_name": "W"}),
            "law_change": ((), float(np.abs(moved - inside).max())),
        }
    )


def _positions(params: Params, chain: Chain) -> Dataset:
    longest, embed = params.prompt_length, chain.vectors
    by_position, by_pair = position_tables(chain, longest, params.position_scale)
    weights, head = any_weights(chain), head_of_layer(chain)
    size, dim = embed.shape
    # Position vectors live in coordinates of their own: orthogonal to all tokens, unseen by the head, no cross terms.
    joint = np.zeros((dim + longest, dim + longest))
    joint[:dim, :dim], joint[dim:, dim:] = weights, by_pair
    blind = np.hstack([head, np.zeros((size, longest))])
    law = np.empty((len(POSITION_KINDS), N_PROBES, size))
    for row, prompt in enumerate(probe_prompts(chain, longest)):
        order = np.arange(len(prompt))
        for kind, logits in enumerate((by_position[order], by_position[order[::-1]])):
            law[kind, row] = attend(embed, weights, head, prompt, bias=logits, include_self=chain.include_self)
        vectors = np.hstack([embed[prompt], np.eye(longest)[order]])
        law[2, row] = attend(vectors, joint, blind, order, include_self=chain.include_self)
    return Dataset({"next_law": (("positions", "prompt", "token"), law)}, coords={"positions": list(POSITION_KINDS)})


def _plan(params: Params, problem: Chain, replicates: int) -> Plan:
    return Plan(3e-3 * replicates, 8 * (problem.vocab_size**2 + 3 * N_PROBES * problem.vocab_size), "instance")


explicit_attention = Experiment(
    "ccmc/explicit_attention", frozenset({"prompt_length"}), "instance", _plan, on_instances(_mapping)
)
weight_subspace = Experiment(
    "ccmc/weight_subspace", frozenset({"prompt_length"}), "instance", _plan, on_instances(_subspace)
)
attention_with_positions = Experiment(
    "ccmc/attention_with_positions",
    frozenset({"prompt_length", "position_scale"}),
    "instance",
    _plan,
    on_instances(_positions),
)
