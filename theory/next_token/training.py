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
from theory.next_token.simulation.rows import curvature_bound
from theory.shared.training.engine import (
    LOSS_INCREASE,
    FloatArray,
    IntArray,
    check_checkpoints,
    check_device,
    never,
    run_programs,
)


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
    if steps < 1:
        raise ParameterError("steps", steps, "a whole number of at least 1")
    if optimizer not in ("plain", "normalised"):
        raise ParameterError("optimizer", optimizer, "plain or normalised")
    recorded_steps = check_checkpoints(checkpoints, steps)
    check_device(device)
    if not problems:
        return []
    program = _AttentionTraining(problems, learning_rate, optimizer == "normalised", initial, recorded_steps, device)
    run_programs([program], steps, emit or (lambda _: None), stop)
    runs: list[AttentionRun] = []
    for index, prompts in enumerate(problems):
        embed, diverged_at = prompts.vectors, program.diverged_at(index)
        dim = embed.shape[1]
        reached = recorded_steps[: len(program.records)]
        count = len(reached) if diverged_at is None else int(np.searchsorted(reached, diverged_at))
        runs.append(
            AttentionRun(
                steps=reached[:count],
                weights=np.array([weights[index, :dim, :dim] for weights, _ in program.records[:count]]),
                loss=np.array([loss[index] for _, loss in program.records[:count]]),
                eta=program.etas[index],
                diverged_at=diverged_at,
                embed=embed,
                head=head_of(embed),
            )
        )
    return runs


class _AttentionTraining:
    """Batched autograd training as a :class:`theory.shared.training.engine.Program`."""

    def __init__(
        self,
        problems: Sequence[Prompts],
        learning_rate: float,
        normalised: bool,
        initial: FloatArray | None,
        checkpoints: IntArray,
        device: str,
    ) -> None:
        import torch

        def move(array: npt.NDArray[Any]) -> torch.Tensor:
            return torch.from_numpy(array).to(device)  # pyright: ignore[reportUnknownMemberType]

        tokens, present, labels, shares = _padded(problems)
        self._data = move(tokens), move(present), move(labels)
        self._shares = move(shares)
        embeds = [prompts.vectors for prompts in problems]
        self._layer = attention_layer()(move(_stacked(embeds)), move(_stacked([head_of(embed) for embed in embeds])))
        if initial is not None:
            with torch.no_grad():
                self._layer.weights.copy_(move(initial))
        betas = [curvature_bound(prompts) for prompts in problems]
        self.etas = [learning_rate if normalised else learning_rate / beta for beta in betas]
        self._eta, self._normalised, self._checkpoints = move(np.array(self.etas)), normalised, checkpoints
        self._previous = torch.full_like(self._eta, torch.inf)
        self._diverged = torch.full_like(self._eta, -1, dtype=torch.int64)
        self._step = 0
        self.records: list[tuple[FloatArray, FloatArray]] = []
        self.size = tokens.size * embeds[0].shape[1]

    @property
    def finished(self) -> bool:
        return bool((self._diverged >= 0).all())

    def diverged_at(self, model: int) -> int | None:
        found = int(self._diverged[model])
        return found if found >= 0 else None

    def advance(self, until: int) -> None:
        import torch

        weights = self._layer.weights
        autograd: Any = torch.autograd
        while True:
            cursor = len(self.records)
            due = cursor < len(self._checkpoints) and self._checkpoints[cursor] == self._step
            if self._step >= until and not due:
                break
            loss = (self._layer.losses(*self._data) * self._shares).sum(dim=1)
            gradient = autograd.grad(loss.sum(), weights)[0]
            loss = loss.detach()
            bad = ~torch.isfinite(loss)
            if not self._normalised:
                bad |= loss > self._previous * (1.0 + LOSS_INCREASE)
            self._diverged = torch.where(bad & (self._diverged < 0), self._step, self._diverged)
            if due:
                self.records.append((weights.detach().cpu().numpy().copy(), loss.cpu().numpy().copy()))
            if self._step >= until:
                break
            stride = self._eta
            if self._normalised:
                length = gradient.flatten(1).norm(dim=1)
                stride = torch.where(length > 0.0, stride / length, 0.0)
            alive = (self._diverged < 0)[:, None, None]
            with torch.no_grad():
                weights.copy_(torch.where(alive, weights - stride[:, None, None] * gradient, weights))
            self._previous = loss
            self._step += 1
        self._diverged.cpu()


def _padded(
    problems: Sequence[Prompts],
) -> tuple[IntArray, npt.NDArray[np.bool_], IntArray, FloatArray]:
    """Prompts padded on the left (the last token stays last): tokens, present (B, n, T); labels, shares (B, n)."""
    n_models, n_rows = len(problems), max(prompts.n for prompts in problems)
    width = max(int(prompts.lengths.max()) for prompts in problems)
    tokens, present = np.zeros((n_models, n_rows, width), np.int64), np.zeros((n_models, n_rows, width), np.bool_)
    labels, shares = np.zeros((n_models, n_rows), np.int64), np.zeros((n_models, n_rows))
    # A row without a prompt reads as the single token 0 followed by itself: zero loss.
    present[:, :, -1] = True
    for index, prompts in enumerate(problems):
        rows = slice(0, prompts.n)
        filled = np.arange(width) >= width - prompts.lengths[:, None]
        present[index, rows] = filled
        tokens[index, rows][filled] = prompts.tokens
        labels[index, rows], shares[index, rows] = prompts.labels, 1.0 / prompts.n
    return tokens, present, labels, shares


def _stacked(arrays: Sequence[FloatArray]) -> FloatArray:
    rows, columns = (max(sizes) for sizes in zip(*(array.shape for array in arrays), strict=True))
    stacked = np.zeros((len(arrays), rows, columns))
    for index, array in enumerate(arrays):
        stacked[index, : array.shape[0], : array.shape[1]] = array
    return stacked
