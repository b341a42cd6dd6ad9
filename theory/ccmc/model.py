"""The real attention layer of this room: one parameter, W (d, d), trained on prompts and able to write (2402.13512).

    next-token law = C Xᵀ softmax(X W e_k),   X = the embeddings of the keys, e_k that of the last token.

``forward`` goes through all positions. For training, prompts are grouped: the log-loss sees one only through its last
token and its token counts N, since positions that hold the same token share a score and add up: π ∝ N exp(E W e_k).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from theory.ccmc.problem import Chain, Floats, Integers, checked_prompt
from theory.core.errors import Cancelled, DataError
from theory.shared.training.tensor_program import to_tensor

LEAST_PROBABILITY = -1e-9
"""How far below 0 rounding may push a probability; further down the head does not invert the embeddings."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One attention layer as plain arrays: ``weights`` (d, d), ``embed`` (K, d), ``head`` (K, d)."""

    weights: Floats
    embed: Floats
    head: Floats
    include_self: bool = True

    @property
    def logits(self) -> Floats:
        """Scores e_jᵀ W e_k (K, K)[last, token]: log P up to a constant per row."""
        return (self.embed @ self.weights @ self.embed.T).T


@cache
def attention_layer() -> Any:
    """The class ``AttentionLayer`` (a ``torch.nn.Module``); torch is imported by the first call.

    ``AttentionLayer(embed, head)`` holds B layers: ``embed`` and ``head`` (B, K, d) fixed, ``weights`` (B, d, d)
    trained, zero at first. ``forward(tokens, present)`` maps padded prompts (B, n, T), whose last position holds the
    query, to next-token laws (B, n, K); ``present`` says which positions are keys. ``losses(last, log_counts, shares)``
    is the mean log-loss (B,) of grouped prompts: last tokens (B, U), log key counts (B, U, K) with −inf for absent
    tokens, and shares (B, U, K) of all training examples by prompt and next token.
    """
    import torch
    from torch import nn

    class AttentionLayer(nn.Module):
        embed: torch.Tensor
        head: torch.Tensor

        def __init__(self, embed: torch.Tensor, head: torch.Tensor) -> None:
            super().__init__()
            self.register_buffer("embed", embed)
            self.register_buffer("head", head)
            dim = embed.shape[2]
            self.weights = nn.Parameter(torch.zeros(embed.shape[0], dim, dim, dtype=embed.dtype, device=embed.device))

        def forward(self, tokens: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
            layer = torch.arange(len(tokens), device=tokens.device)[:, None, None]
            keys = self.embed[layer, tokens]
            queries = keys[:, :, -1] @ self.weights.transpose(1, 2)
            scores = (keys @ queries.unsqueeze(3)).squeeze(3)
            attention = torch.softmax(scores.masked_fill(~present, -torch.inf), dim=2)
            attended = (attention.unsqueeze(2) @ keys).squeeze(2)
            return attended @ self.head.transpose(1, 2)

        def losses(self, last: torch.Tensor, log_counts: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
            scores = (self.embed @ self.weights @ self.embed.transpose(1, 2)).transpose(1, 2)
            layer = torch.arange(len(last), device=last.device)[:, None]
            entries = scores[layer, last] + log_counts
            log_law = entries - entries.logsumexp(dim=2, keepdim=True)
            # An absent token has share 0 and log-law −inf, whose product would be NaN.
            return -(shares * log_law.masked_fill(shares == 0, 0.0)).sum(dim=(1, 2))

    return AttentionLayer


def head_of_chain(chain: Chain) -> Floats:
    """The problem's own head (K, d), or the transposed pseudo-inverse of its embeddings, which inverts them."""
    if chain.head is not None:
        return chain.head
    return np.ascontiguousarray(np.linalg.pinv(chain.vectors).T, dtype=np.float64)


def generate(
    layer: Layer,
    prompt: Integers,
    n_tokens: int,
    seeds: Sequence[int | tuple[int, ...]],
    *,
    device: str = "cpu",
    stop: Callable[[], bool] = bool,
) -> Integers:
    """Texts that a layer writes by feeding on itself, (R, n_tokens) token ids, the prompt included.

    One run per entry of ``seeds``, each with its own generator. Every token comes from explicit attention over all
    positions so far, all runs at once: O(R n_tokens² d) time, for up to a few thousand tokens.

    Raises:
        DataError: a token that the layer does not know; ``not_a_law``, the head's output is no probability law, or
            ``no_keys``, the query is masked out of a prompt of one token. Cancelled: ``stop()`` turned true.
    """
    import torch

    prompt = checked_prompt(prompt, len(layer.embed))
    if len(prompt) < (1 if layer.include_self else 2):
        raise DataError("no_keys", "the prompt has no token to attend to.")

    draws = np.stack([np.random.default_rng(seed).random(n_tokens) for seed in seeds]) if len(seeds) else None
    runs = len(seeds)
    text = np.zeros((runs, n_tokens), dtype=np.int64)
    text[:, : len(prompt)] = prompt[:n_tokens]
    if draws is None or n_tokens <= len(prompt):
        return text
    arrays = (layer.embed, layer.weights, layer.head, draws, text)
    embed, weights, head, uniform, tokens = (to_tensor(array, device) for array in arrays)
    keys = torch.zeros(runs, n_tokens, embed.shape[1], dtype=embed.dtype, device=device)
    keys[:, : len(prompt)] = embed[tokens[:, : len(prompt)]]
    masked = 0 if layer.include_self else 1
    lowest = torch.zeros((), dtype=embed.dtype, device=device)
    with torch.no_grad():
        for length in range(len(prompt), n_tokens):
            if length % 64 == 0 and stop():
                raise Cancelled
            queries = keys[:, length - 1] @ weights.T
            seen = keys[:, : length - masked]
            attention = torch.softmax((seen @ queries.unsqueeze(2)).squeeze(2), dim=1)
            law = (attention.unsqueeze(1) @ seen).squeeze(1) @ head.T
            lowest = torch.minimum(lowest, law.min() - (law.sum(dim=1) - 1).abs().max())
            heights = law.clamp_min(0.0).cumsum(dim=1)
            chosen = (uniform[:, length, None] * heights[:, -1:] >= heights).sum(dim=1).clamp_max(len(head) - 1)
            tokens[:, length] = chosen
            keys[:, length] = embed[chosen]
    if float(lowest) < LEAST_PROBABILITY:
        raise DataError("not_a_law", f"the layer's output misses a probability law by {-float(lowest):.2g}.")
    return tokens.cpu().numpy()
