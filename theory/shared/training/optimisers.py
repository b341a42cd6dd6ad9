"""Update rules for stacked models, with their state in plain tensors: torch's own cost more than a small model's steps.

A rule gets, for each parameter, the direction to descend along. Entries never meet, so that a batch of models is
trained at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Rule = Callable[[Sequence[Any]], None]
TINY = 1e-8


def adam(
    parameters: Sequence[Any], rate: float | Callable[[int], float], betas: tuple[float, float] = (0.9, 0.999)
) -> Rule:
    """Adam (arXiv 1412.6980) with bias correction; ``rate`` is the learning rate, or its schedule from step 0 on."""
    own = [parameter.detach() for parameter in parameters]
    means, squares = ([each.new_zeros(each.shape) for each in own] for _ in range(2))
    first, second = betas
    count = 0

    def move(directions: Sequence[Any]) -> None:
        nonlocal count
        size = rate(count) if callable(rate) else rate
        count += 1
        for each, direction, mean, square in zip(own, directions, means, squares, strict=True):
            mean.lerp_(direction, 1 - first)
            square.mul_(second).addcmul_(direction, direction, value=1 - second)
            spread = (square.sqrt() / (1 - second**count) ** 0.5).add_(TINY)
            each.addcdiv_(mean, spread, value=-size / (1 - first**count))

    return move


def descent(parameters: Sequence[Any], strides: Any) -> Rule:
    """Gradient descent with a step size (M,) of its own for each model."""
    own = [parameter.detach() for parameter in parameters]

    def move(directions: Sequence[Any]) -> None:
        for each, direction in zip(own, directions, strict=True):
            each.sub_(per_model(strides, each) * direction)

    return move


def unit(direction: Any, length: Any) -> Any:
    """Each model's direction (M, ...) over its length (M,); 0 where the length is 0."""
    return direction * per_model((1.0 / length).where(length > 0.0, 0.0), direction)


def per_model(values: Any, like: Any) -> Any:
    """``values`` (M,) shaped to meet the axes of ``like`` (M, ...)."""
    return values.view(-1, *[1] * (like.ndim - 1))
