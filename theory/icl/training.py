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
from theory.shared.training.engine import check_device, never, run_programs
from theory.shared.training.optimisers import adam
from theory.shared.training.tensor_program import TensorProgram, slope_of

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
    integrated = query == "integrated"
    if integrated and (model == "softmax" or not all(law.query_integrates for law in laws)):
        raise ParameterError("query", query, "sampled for this model and these features")
    use = default_statistics(model, laws) if statistics is None else statistics
    if use and not sees_statistics(model):
        raise ParameterError("statistics", use, f"examples: {model} does not see a prompt through Z'Z alone")
    torch: Any = import_module("torch")
    kind: Any = getattr(torch, dtype)
    generators = [generator_of(seed, PROMPT_STREAM, device=device) for seed in seeds]
    sampler = Sampler(laws, generators, statistics=use, device=device, dtype=kind)
    lengths = [law.length for law in laws]
    starts = zip(laws, seeds, [None] * len(laws) if ranks is None else ranks, strict=True)
    initial = [
        initial_weights(model, law.dim, law.length, generator_of(seed, INITIAL_STREAM), rank)
        for law, seed, rank in starts
    ]
    module = build(model, initial, lengths, device=device, dtype=kind)
    noise = torch.tensor([law.noise_variance for law in laws], dtype=kind, device=device)
    history = torch.zeros(steps, len(laws), dtype=torch.float64, device=device)

    def losses(step: int) -> Any:
        drawn = sampler.draw(batch_size)
        if integrated:
            errors = drawn.error(module.direction(drawn.tokens))
        else:
            found = module(drawn.tokens, drawn.query, sampler.present)
            errors = ((drawn.query * drawn.task).sum(dim=2) - found) ** 2
        means = errors.mean(dim=1) + noise
        history[step] = means.detach()
        return means

    def snapshot(_: object = None) -> list[dict[str, Floats]]:
        return [weights_of(module, index, length) for index, length in enumerate(lengths)]

    parameters = list(module.parameters())
    program = TensorProgram(
        parameters,
        slope_of(losses, parameters),
        adam(parameters, lambda step: learning_rate * schedule(step, steps), BETAS),
        len(laws) * batch_size * sampler.rows * (laws[0].dim + 1),
        [int(EARLIER * steps)],
        snapshot,
    )
    start = snapshot()

    def results() -> list[Trained]:
        earlier, seen = (*program.records, start)[0], history[: program.step].cpu().numpy()
        parts = zip(snapshot(), earlier, seen.T, laws, strict=True)
        return [Trained(weights, before, own.copy(), law) for weights, before, own, law in parts]

    def report(fraction: float) -> None:
        if emit is not None:
            emit(fraction)
        if watch is not None:
            watch(fraction, results())

    run_programs([program], steps, report, stop)
    return results()


def sees_statistics(model: str) -> bool:
    """Whether the model sees a prompt through Z'Z alone."""
    return model not in ("h3", "softmax")


def default_statistics(model: str, laws: Sequence[PromptLaw]) -> bool:
    """Whether sufficient statistics are exact for these laws, and cheaper than the examples."""
    exact = sees_statistics(model) and all(law.has_statistics for law in laws)
    return exact and max(law.length for law in laws) > STATISTICS_PAY * laws[0].dim


def schedule(step: int, steps: int) -> float:
    """Learning rate of a step as a fraction of its peak: linear warm-up, then a cosine down to 0.

    >>> [round(schedule(step, 1000), 3) for step in (0, 49, 525, 999)]
    [0.02, 1.0, 0.5, 0.0]
    """
    warm = min(WARM_UP, max(1, steps // 4))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + cos(pi * (step - warm) / (steps - warm)))
