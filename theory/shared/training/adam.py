"""Adam with its state in plain tensors: importing torch's own costs more than the training of a small model."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

TINY = 1e-8


class Adam:
    """Adam (arXiv 1412.6980) with bias correction; entries never meet, so that a batch of models is trained at once."""

    def __init__(self, parameters: Iterable[Any], betas: tuple[float, float]) -> None:
        torch: Any = import_module("torch")

        self._parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self._betas, self._count = betas, 0
        self._means = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in self._parameters]

    def step(self, losses: Any, learning_rate: float) -> None:
        """One step down the sum of ``losses``."""
        torch: Any = import_module("torch")

        self._count += 1
        first, second = self._betas
        gradients = torch.autograd.grad(losses.sum(), self._parameters)
        with torch.no_grad():
            for own, gradient, mean, square in zip(
                self._parameters, gradients, self._means, self._squares, strict=True
            ):
                mean.lerp_(gradient, 1 - first)
                square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
                size = (square.sqrt() / (1 - second**self._count) ** 0.5).add_(TINY)
                own.addcdiv_(mean, size, value=-learning_rate / (1 - first**self._count))
