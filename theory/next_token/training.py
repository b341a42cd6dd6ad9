"""Training of the real attention layer with autograd: many instances in one tensor program, CPU or CUDA, float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from theory.core.errors import ParameterError
from theory.next_token.model import attention_layer, head_of, logits_of
from theory.next_token.problem import Prompts
from theory.next_token.schedule import curvature_bound
from theory.shared.training.engine import (
    LOSS_INCREASE,
    FloatArray,
    IntArray,
    check_checkpoints,
    check_device,
    never,
    run_programs,
    silent,
)
from theory.shared.training.optimisers import descent, unit
from theory.shared.training.tensor_program import TensorProgram, padded, slope_of, to_tensor


@dataclass(frozen=True, eq=False)
class AttentionRun:
    """One trained attention layer at its checkpoints.

    Attributes:
        steps: (C,) step numbers of the checkpoints reached.
        weights: (C, d, d) key-query product W.
        loss: (C,) mean log-loss over all prompts.
        eta: absolute step size; for normalised descent the length of every step.
        diverged_at: the step at which the loss rose or stopped being finite, or None.
        embed: (K, d).
        head: (K, d).
    """

    steps: IntArray
    weights: FloatArray
    loss: FloatArray
    eta: float
    diverged_at: int | None
    embed: FloatArray
    head: FloatArray

    @property
    def logits(self) -> FloatArray:
        """(C, K, K) scores E W E^T [checkpoint, token, last]."""
        return logits_of(self.weights, self.embed)


def train_attention(
    problems: Sequence[Prompts],
    steps: int,
    learning_rate: float = 1.0,
    *,
    optimizer: str = "plain",
    initial: FloatArray | None = None,
    checkpoints: npt.ArrayLike | None = None,
    device: str = "cpu",
    emit: Callable[[float], None] | None = None,
    stop: Callable[[], bool] = never,
) -> list[AttentionRun]:
    """Train one real attention layer per problem with autograd, all in one batch.

    Arguments as in :func:`theory.next_token.simulation.descent.descend`; ``initial`` is (B, d, d), zero by default.
    Problems may differ in size: prompts, vocabularies and dimensions are padded.

    Raises:
        ParameterError: a value that is not allowed.
        Cancelled: ``stop()`` turned true.
    """
    import torch

    if steps < 1:
        raise ParameterError("steps", steps, "a whole number of at least 1")
    if optimizer not in ("plain", "normalised"):
        raise ParameterError("optimizer", optimizer, "plain or normalised")
    recorded_steps = check_checkpoints(checkpoints, steps)
    check_device(device)
    if not problems:
        return []
    embeds = [prompts.vectors for prompts in problems]
    heads = [head_of(embed) for embed in embeds]
    layer = attention_layer()(to_tensor(padded(embeds), device), to_tensor(padded(heads), device))
    if initial is not None:
        with torch.no_grad():
            layer.weights.copy_(to_tensor(initial, device))
    *data, shares = (to_tensor(array, device) for array in _arrays(problems))
    parameters, normalised = [layer.weights], optimizer == "normalised"
    plain = slope_of(lambda _: (layer.losses(*data) * shares).sum(dim=1), parameters)

    def slope(step: int) -> tuple[Any, list[Any]]:
        losses, (gradient,) = plain(step)
        return losses, [unit(gradient, gradient.flatten(1).norm(dim=1)) if normalised else gradient]

    etas = [learning_rate if normalised else learning_rate / curvature_bound(prompts) for prompts in problems]
    program = TensorProgram(
        parameters,
        slope,
        descent(parameters, to_tensor(np.array(etas), device)),
        data[0].numel() * layer.embed.shape[2],
        recorded_steps,
        rise=np.inf if normalised else LOSS_INCREASE,
    )
    run_programs([program], steps, emit or silent, stop)
    runs: list[AttentionRun] = []
    for index, (embed, head, eta) in enumerate(zip(embeds, heads, etas, strict=True)):
        reached, (weights, loss) = program.history(index)
        dim = embed.shape[1]
        runs.append(AttentionRun(reached, weights[:, :dim, :dim], loss, eta, program.diverged_at(index), embed, head))
    return runs


def _arrays(
    problems: Sequence[Prompts],
) -> tuple[IntArray, npt.NDArray[np.bool_], IntArray, FloatArray]:
    """Prompts padded on the left (the last token stays last): tokens, present (B, n, T); labels, shares (B, n)."""
    width = max(int(prompts.lengths.max()) for prompts in problems)
    present = padded([np.arange(width) >= width - prompts.lengths[:, None] for prompts in problems])
    tokens = np.zeros(present.shape, np.int64)
    tokens[present] = np.concatenate([prompts.tokens for prompts in problems])
    # A row without a prompt reads as the single token 0 followed by itself: zero loss.
    present[:, :, -1] = True
    labels = padded([prompts.labels for prompts in problems])
    return tokens, present, labels, padded([np.full(prompts.n, 1.0 / prompts.n) for prompts in problems])
