"""The real attention layer: f_W(X) = X^T softmax(X W e_k), next token ~ C f_W(X) (arXiv 2403.08081).

:mod:`theory.next_token.training` trains it with autograd; :mod:`theory.next_token.simulation.descent` does the same
computation in logit space without tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from theory.core.errors import DataError
from theory.shared.training.engine import FloatArray


@cache
def attention_layer() -> Any:
    """The class ``AttentionLayer`` (a ``torch.nn.Module``); torch is imported by the first call.

    ``AttentionLayer(embed, head=None)`` holds B layers: ``embed`` (B, K, d) fixed, ``head`` (B, K, d) fixed, by default
    the transposed pseudo-inverse of ``embed`` so that head embed^T = I, and the trained ``weights`` (B, d, d), zero at
    first. ``forward(tokens, present)`` maps padded prompts (B, n, T), whose last position holds the last token, to
    next-token distributions (B, n, K); ``losses(tokens, present, labels)`` gives stable log-losses (B, n).
    """
    import torch
    from torch import nn
    from torch.nn import functional

    class AttentionLayer(nn.Module):
        embed: torch.Tensor
        head: torch.Tensor

        def __init__(self, embed: torch.Tensor, head: torch.Tensor | None = None) -> None:
            super().__init__()
            linalg: Any = torch.linalg
            self.register_buffer("embed", embed)
            self.register_buffer("head", linalg.pinv(embed).transpose(1, 2) if head is None else head)
            dim = embed.shape[2]
            self.weights = nn.Parameter(torch.zeros(embed.shape[0], dim, dim, dtype=embed.dtype, device=embed.device))

        def keys(self, tokens: torch.Tensor) -> torch.Tensor:
            instance = torch.arange(len(tokens), device=tokens.device)[:, None, None]
            return self.embed[instance, tokens]

        def scores(self, keys: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
            queries = keys[:, :, -1] @ self.weights.transpose(1, 2)
            scores = (keys @ queries.unsqueeze(3)).squeeze(3)
            return scores.masked_fill(~present, -torch.inf)

        def forward(self, tokens: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
            keys = self.keys(tokens)
            attention = torch.softmax(self.scores(keys, present), dim=2)
            attended = (attention.unsqueeze(2) @ keys).squeeze(2)
            return attended @ self.head.transpose(1, 2)

        def losses(self, tokens: torch.Tensor, present: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            scores = self.scores(self.keys(tokens), present)
            is_label = tokens == labels.unsqueeze(2)
            label_score = scores.masked_fill(~is_label, -torch.inf).logsumexp(dim=2)
            others = scores.masked_fill(is_label, -torch.inf)
            # A prompt of one distinct token has no rival: its loss is exactly 0, and so must be its gradient.
            alone = (is_label | ~present).all(dim=2)
            rival_score = others.masked_fill(alone.unsqueeze(2), 0.0).logsumexp(dim=2)
            loss = functional.softplus(rival_score - label_score, threshold=torch.inf)
            return torch.where(alone, 0.0, loss)

    return AttentionLayer


def head_of(embed: FloatArray) -> FloatArray:
    """The linear head (K, d) with head embed^T = I, which exists when the embeddings are independent."""
    return np.ascontiguousarray(np.linalg.pinv(embed).T, dtype=np.float64)


def logits_of(weights: FloatArray, embed: FloatArray) -> FloatArray:
    """Scores S = E W E^T (..., K, K) [token, last] of weights (..., d, d)."""
    return embed @ weights @ embed.T


def weights_of(logits: FloatArray, embed: FloatArray) -> FloatArray:
    """The smallest weights (..., d, d) whose scores are ``logits`` (..., K, K); exact for independent embeddings.

    >>> embed = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]])
    >>> np.allclose(logits_of(weights_of(np.diag([2.0, 3.0]), embed), embed), np.diag([2.0, 3.0]))
    True
    """
    inverse = np.linalg.pinv(embed)
    return inverse @ logits @ inverse.T


def next_token_distribution(
    weights: FloatArray, embed: FloatArray, head: FloatArray, prompt: Sequence[int]
) -> FloatArray:
    """The layer's output C X^T softmax(X W e_k) (K,) for one prompt of token ids, its last token k included.

    Raises:
        DataError: the prompt is empty or holds something that is not a token id.

    >>> next_token_distribution(np.zeros((3, 3)), np.eye(3), np.eye(3), [0, 0, 2, 1])
    array([0.5 , 0.25, 0.25])
    """
    ids = np.asarray(prompt)
    if ids.ndim != 1 or len(ids) == 0 or ids.dtype.kind not in "iu" or ids.min() < 0 or ids.max() >= len(embed):
        raise DataError("prompt", f"{list(prompt)} is not a non-empty list of token ids from 0 to {len(embed) - 1}")
    keys = embed[ids]
    scores = keys @ (weights @ keys[-1])
    attention: FloatArray = np.exp(scores - scores.max())
    return head @ (attention / attention.sum() @ keys)
