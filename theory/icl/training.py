"""Training many models on prompts as one batched program, CPU or CUDA: fresh prompts in every step, Adam, cosine.

Models never meet: each has its own generator and its own loss, and Adam works entry by entry, so that the losses are
summed, not averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from math import cos, pi
from typing import Any

import numpy as np

from theory.core.errors import ParameterError
from theory.icl.model import build, initial_weights, weights_of
from theory.icl.problem import Floats
from theory.icl.prompt_law import PromptLaw
from theory.icl.simulation.training_prompts import Sampler, generator_of
from theory.shared.training.adam import Adam
from theory.shared.training.engine import check_device, never, run_programs

WARM_UP = 50
LEARNING_RATE = 0.01
BETAS = (0.9, 0.95)
EARLIER = 0.8
"""A run whose loss falls by more than its margin after this fraction of the steps has not settled."""
LARGEST_DIM = 64
INITIAL_STREAM, PROMPT_STREAM = 0, 1
STATISTICS_PAY = 3
"""Sufficient statistics cost less than the examples from about this many examples per dimension."""


@dataclass(frozen=True, eq=False)
class Trained:
    """One trained model: parameters at the end and after ``EARLIER`` of the steps, and the training losses (T,).

    A loss includes the label noise of the query and is an average over the fresh prompts of its step.
    """

    weights: Mapping[str, Floats]
    earlier: Mapping[str, Floats]
    losses: Floats
    law: PromptLaw

    @property
    def finite(self) -> bool:
        """False where training diverged."""
        return bool(np.isfinite(self.losses).all()) and all(np.isfinite(w).all() for w in self.weights.values())


def train(
    model: str,
    laws: Sequence[PromptLaw],
    seeds: Sequence[int],
    steps: int,
    batch_size: int,
    *,
    query: str = "integrated",
    statistics: bool | None = None,
    learning_rate: float = LEARNING_RATE,
    ranks: Sequence[int] | None = None,
    device: str = "cpu",
    dtype: str = "float32",
    emit: Callable[[float], None] | None = None,
    watch: Callable[[float, list[Trained]], None] | None = None,
    stop: Callable[[], bool] = never,
) -> list[Trained]:
    """Train one model for each law and seed; laws may differ in everything but the dimension.

    ``query``: "integrated" averages the loss over queries exactly (softmax, and retrieval with features that are not
    Gaussian, need "sampled"). ``statistics`` draws sufficient statistics instead of examples; by default where that is
    exact, the model is linear attention or a preconditioner, and prompts are long. ``watch`` receives the fraction that
    is done and the models as they are, at most ten times a second.

    Raises:
        ParameterError: a value that is not allowed. Cancelled: ``stop()`` turned true.
    """
    if steps < 1:
        raise ParameterError("steps", steps, "a whole number of at least 1")
    if batch_size < 1:
        raise ParameterError("batch_size", batch_size, "a whole number of at least 1")
    if not laws:
        return []
    if max(law.dim for law in laws) > LARGEST_DIM:
        raise ParameterError("dim", max(law.dim for law in laws), f"at most {LARGEST_DIM} for trained models")
    check_device(device)
    program = _Program(model, laws, seeds, steps, batch_size, query, statistics, learning_rate, ranks, device, dtype)

    def report(fraction: float) -> None:
        if emit is not None:
            emit(fraction)
        if watch is not None:
            watch(fraction, program.results())

    run_programs([program], steps, report, stop)
    return program.results()


def sees_statistics(model: str) -> bool:
    """Whether the model sees a prompt through Z'Z alone."""
    return model not in ("h3", "softmax")


def default_statistics(model: str, laws: Sequence[PromptLaw]) -> bool:
    """Whether sufficient statistics are exact for these laws, and cheaper than the examples."""
    exact = sees_statistics(model) and all(law.has_statistics for law in laws)
    return exact and max(law.length for law in laws) > STATISTICS_PAY * laws[0].dim


class _Program:
    """All models advance together: a :class:`theory.shared.training.engine.Program`."""

    def __init__(
        self,
        model: str,
        laws: Sequence[PromptLaw],
        seeds: Sequence[int],
        steps: int,
        batch_size: int,
        query: str,
        statistics: bool | None,
        learning_rate: float,
        ranks: Sequence[int] | None,
        device: str,
        dtype: str,
    ) -> None:
        torch: Any = import_module("torch")

        self._integrated = query == "integrated"
        if self._integrated and (model == "softmax" or not all(law.query_integrates for law in laws)):
            raise ParameterError("query", query, "sampled for this model and these features")
        use = default_statistics(model, laws) if statistics is None else statistics
        if use and not sees_statistics(model):
            raise ParameterError("statistics", use, f"examples: {model} does not see a prompt through Z'Z alone")
        kind: Any = getattr(torch, dtype)
        generators = [generator_of(seed, PROMPT_STREAM, device=device) for seed in seeds]
        self._sampler = Sampler(laws, generators, statistics=use, device=device, dtype=kind)
        self._laws, self._batch, self._peak, self._total = tuple(laws), batch_size, learning_rate, steps
        self._lengths = [law.length for law in laws]
        weights = [
            initial_weights(
                model, law.dim, law.length, generator_of(seed, INITIAL_STREAM), None if ranks is None else ranks[i]
            )
            for i, (law, seed) in enumerate(zip(laws, seeds, strict=True))
        ]
        self._module = build(model, weights, self._lengths, device=device, dtype=kind)
        self._adam = Adam(self._module.parameters(), BETAS)
        self._losses = torch.zeros(steps, len(laws), dtype=torch.float64, device=device)
        self._noise = torch.tensor([law.noise_variance for law in laws], dtype=kind, device=device)
        self._step, self._earlier_step = 0, int(EARLIER * steps)
        self._earlier: list[dict[str, Floats]] = self._snapshot()
        self.size = len(laws) * batch_size * self._sampler.rows * (laws[0].dim + 1)
        self.finished = False

    def advance(self, until: int) -> None:
        while self._step < until:
            if self._step == self._earlier_step:
                self._earlier = self._snapshot()
            losses = self._draw_losses()
            self._losses[self._step] = losses.detach()
            self._adam.step(losses, self._peak * schedule(self._step, self._total))
            self._step += 1

    def results(self) -> list[Trained]:
        losses = self._losses[: self._step].cpu().numpy()
        return [
            Trained(weights, self._earlier[index], losses[:, index].copy(), self._laws[index])
            for index, weights in enumerate(self._snapshot())
        ]

    def _draw_losses(self) -> Any:
        drawn = self._sampler.draw(self._batch)
        if self._integrated:
            errors = drawn.error(self._module.direction(drawn.tokens))
        else:
            found = self._module(drawn.tokens, drawn.query, self._sampler.present)
            errors = ((drawn.query * drawn.task).sum(dim=2) - found) ** 2
        return errors.mean(dim=1) + self._noise

    def _snapshot(self) -> list[dict[str, Floats]]:
        return [weights_of(self._module, index, length) for index, length in enumerate(self._lengths)]


def schedule(step: int, steps: int) -> float:
    """Learning rate of a step as a fraction of its peak: linear warm-up, then a cosine down to 0.

    >>> [round(schedule(step, 1000), 3) for step in (0, 49, 525, 999)]
    [0.02, 1.0, 0.5, 0.0]
    """
    warm = min(WARM_UP, max(1, steps // 4))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + cos(pi * (step - warm) / (steps - warm)))
