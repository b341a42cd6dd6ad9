"""Gradient descent on the attention weights, carried out in logit space: S <- S - eta G (grad_S L) G.

This is exactly gradient descent on W with S = E W E^T (:mod:`theory.next_token.model` holds the real layer), without
any (dim, dim) object. The gradient is the stable one: the label's entry is -r/Z, never p - 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from theory.core.errors import DataError, ParameterError
from theory.next_token.problem import Prompts
from theory.next_token.simulation.descent_compiled import LOSS_CODES, CompiledDescent
from theory.next_token.simulation.descent_tensor import TensorDescent
from theory.next_token.simulation.rows import Layout, build_layout
from theory.shared.training.engine import (
    FloatArray,
    IntArray,
    check_checkpoints,
    check_device,
    choose_engine,
    never,
    run_programs,
)

LossName = Literal["log", "squared", "linear"]
DescentName = Literal["plain", "normalised"]
DENSE_BYTES = 2e8


@dataclass(frozen=True, eq=False)
class Trajectory:
    """One model's training run at its checkpoints.

    Attributes:
        steps: (C,) step numbers of the checkpoints reached.
        loss: (C,) mean loss over all prompts.
        gradient_norm: (C,) Frobenius norm of the gradient in the weights.
        eta: absolute step size; for normalised descent the length of every step in the weights.
        diverged_at: the step at which the loss rose or stopped being finite, or None; nothing is recorded from there.
        pairs: (m,) ``last * vocab_size + token`` of the logits that descent moves.
        values: (C, m) these logits.
        initial: (K, K) initial logits [token, last], or None for zero.
    """

    steps: IntArray
    loss: FloatArray
    gradient_norm: FloatArray
    eta: float
    diverged_at: int | None
    vocab_size: int
    pairs: IntArray
    values: FloatArray
    initial: FloatArray | None

    @property
    def log_time(self) -> FloatArray:
        """(C,) log(eta t); minus infinity at step 0."""
        with np.errstate(divide="ignore"):
            return np.log(self.eta * self.steps)

    @cached_property
    def logits(self) -> FloatArray:
        """(C, K, K) logits [checkpoint, token, last].

        Raises:
            DataError: the array would exceed 200 MB; use ``pairs`` and ``values``.
        """
        size = self.vocab_size
        if 8.0 * len(self.steps) * size**2 > DENSE_BYTES:
            message = f"{len(self.steps)} checkpoints of {size} x {size} logits exceed {DENSE_BYTES:.0f} bytes"
            raise DataError("too_large", f"{message}; record fewer checkpoints or use pairs and values")
        dense = np.zeros((len(self.steps), size, size))
        if self.initial is not None:
            dense += self.initial
        dense[:, self.pairs % size, self.pairs // size] = self.values
        return dense


def descend(
    problems: Sequence[Prompts],
    steps: int,
    learning_rate: float = 1.0,
    *,
    optimizer: DescentName = "plain",
    loss: LossName = "log",
    initial: FloatArray | Sequence[FloatArray | None] | None = None,
    checkpoints: npt.ArrayLike | None = None,
    device: str = "cpu",
    engine: str = "auto",
    emit: Callable[[float, list[Trajectory]], None] | None = None,
    stop: Callable[[], bool] = never,
) -> list[Trajectory]:
    """Train one model per problem by gradient descent; the models do not influence each other.

    Args:
        problems: the data of each model.
        steps: number of gradient steps.
        learning_rate: for ``plain`` the step size in units of 1/beta (see ``curvature_bound``),
            for ``normalised`` the length of each step in the weights.
        optimizer: ``plain`` (the theorem) or ``normalised`` (step along the gradient's direction; a model whose
            gradient underflows, at margins beyond about 350, stops moving).
        loss: ``log`` (the theorem), ``squared``: (1 - p)^2, or ``linear``: 1 - p, with p the label's probability.
        initial: initial logits (K, K) [token, last], one for all or one per problem; zero by default.
        checkpoints: step numbers to record; by default 12 per decade and step 0.
        device: ``cpu`` or ``cuda``.
        engine: ``auto``, ``compiled`` or ``tensor``.
        emit: called at most ten times a second with the fraction done and the trajectories so far.
        stop: polled about every 20 ms.

    Raises:
        ParameterError: a value that is not allowed.
        Cancelled: ``stop()`` turned true.
    """
    normalised = _check(steps, learning_rate, optimizer, loss)
    recorded_steps = check_checkpoints(checkpoints, steps)
    initials = _initials(initial, problems)
    if not problems:
        return []
    layouts = [build_layout(prompts) for prompts in problems]
    etas = [learning_rate if normalised else learning_rate / layout.curvature for layout in layouts]
    size, products = (max(value) for value in zip(*((len(x.nodes), x.products) for x in layouts), strict=True))
    chosen = choose_engine(len(layouts), size, steps, check_device(device), products, engine)
    if chosen == "compiled":
        programs = [
            CompiledDescent(layout, eta, loss, normalised, recorded_steps, start)
            for layout, eta, start in zip(layouts, etas, initials, strict=True)
        ]

        def collect() -> list[Trajectory]:
            return [_from_compiled(program, start) for program, start in zip(programs, initials, strict=True)]
    else:
        batch = TensorDescent(layouts, etas, loss, normalised, recorded_steps, initials, device)
        programs = [batch]

        def collect() -> list[Trajectory]:
            return [_from_tensor(batch, index, start) for index, start in enumerate(initials)]

    run_programs(programs, steps, lambda fraction: emit(fraction, collect()) if emit else None, stop)
    return collect()


def _from_compiled(program: CompiledDescent, initial: FloatArray | None) -> Trajectory:
    layout, count = program.layout, program.recorded
    pairs, values = layout.pairs, program.values[:count].copy()
    if layout.gram is not None:
        pairs = np.arange(layout.vocab_size**2)
        values = _whole_logits(layout, layout.gram, values, program.displacements[:count], initial)
    return Trajectory(
        steps=program.checkpoints[:count],
        loss=program.loss[:count].copy(),
        gradient_norm=program.gradient_norm[:count].copy(),
        eta=program.eta,
        diverged_at=program.diverged_at,
        vocab_size=layout.vocab_size,
        pairs=pairs,
        values=values,
        initial=initial,
    )


def _from_tensor(batch: TensorDescent, index: int, initial: FloatArray | None) -> Trajectory:
    layout = batch.layouts[index]
    steps, values, loss, gradient_norm = batch.trajectory(index)
    whole = values.shape[1] == layout.vocab_size**2
    return Trajectory(
        steps=steps,
        loss=loss,
        gradient_norm=gradient_norm,
        eta=batch.etas[index],
        diverged_at=batch.diverged_at(index),
        vocab_size=layout.vocab_size,
        pairs=np.arange(layout.vocab_size**2) if whole else layout.pairs,
        values=values,
        initial=initial,
    )


def _whole_logits(
    layout: Layout, gram: FloatArray, values: FloatArray, displacements: FloatArray, initial: FloatArray | None
) -> FloatArray:
    """Logits of all columns (C, K last * K token): correlated embeddings move columns that have no data, too."""
    count, size = len(values), layout.vocab_size
    logits = np.zeros((count, size, size)) if initial is None else np.tile(initial.T, (count, 1, 1))
    logits -= np.einsum("ka,caj->ckj", gram[:, layout.active], displacements)
    logits[:, layout.active] = values.reshape(count, len(layout.active), size)
    return logits.reshape(count, size * size)


def _check(steps: int, learning_rate: float, optimizer: str, loss: str) -> bool:
    if steps < 1:
        raise ParameterError("steps", steps, "a whole number of at least 1")
    if not (np.isfinite(learning_rate) and learning_rate > 0):
        raise ParameterError("learning_rate", learning_rate, "a positive number")
    if optimizer not in ("plain", "normalised"):
        raise ParameterError("optimizer", optimizer, "plain or normalised")
    if loss not in LOSS_CODES:
        raise ParameterError("loss", loss, "one of " + ", ".join(LOSS_CODES))
    return optimizer == "normalised"


def _initials(
    initial: FloatArray | Sequence[FloatArray | None] | None, problems: Sequence[Prompts]
) -> list[FloatArray | None]:
    if initial is None:
        return [None] * len(problems)
    if isinstance(initial, np.ndarray) and initial.ndim == 2:
        initial = [initial] * len(problems)
    given: list[FloatArray | None] = list(initial)
    if len(given) != len(problems):
        raise ParameterError("initial", f"{len(given)} arrays", f"one per problem ({len(problems)})")
    for logits, prompts in zip(given, problems, strict=True):
        shape = (prompts.vocab_size, prompts.vocab_size)
        if logits is not None and (logits.shape != shape or not np.isfinite(logits).all()):
            raise ParameterError("initial", f"array of shape {logits.shape}", f"finite numbers of shape {shape}")
    return given
