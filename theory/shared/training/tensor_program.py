"""The tensor engine: many independent models as stacked tensors, trained together on CPU or CUDA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from theory.shared.training.engine import IntArray
from theory.shared.training.optimisers import Rule, per_model

Array = npt.NDArray[Any]
Slope = Callable[[int], tuple[Any, Sequence[Any]]]
"""The losses (M,) of all models at a step, and for each parameter the direction (M, ...) that descends them."""


class TensorProgram:
    """Training of M models that never meet, as a :class:`theory.shared.training.engine.Program`.

    ``parameters`` (M, ...) are stacked models. Every step asks ``slope`` once and lets ``rule`` move the parameters;
    at a checkpoint ``record(losses)`` keeps what describes the models before the move, by default all parameters and
    the losses. ``size`` is the work of one step. A model whose loss stops being finite, or rises by more than the
    fraction ``rise``, stands still from there on, alone; with ``rise`` None nobody watches.
    """

    def __init__(
        self,
        parameters: Sequence[Any],
        slope: Slope,
        rule: Rule,
        size: int,
        checkpoints: IntArray | Sequence[int] = (),
        record: Callable[[Any], Any] | None = None,
        rise: float | None = None,
    ) -> None:
        torch: Any = import_module("torch")

        self._parameters, self._slope, self._rule, self.size = parameters, slope, rule, size
        self._checkpoints, self._record, self._rise = checkpoints, record or self._copies, rise
        self._ahead: Sequence[Any] | None = None
        models = (len(parameters[0]),)
        self._diverged = parameters[0].new_full(models, -1, dtype=torch.int64)
        self.losses: Any = parameters[0].new_full(models, torch.inf)
        """The losses (M,) seen last."""
        self.step = 0
        self.records: list[Any] = []

    @property
    def finished(self) -> bool:
        return bool((self._diverged >= 0).all())

    def advance(self, until: int) -> None:
        while self.step < until or self._due:
            # The last look of a chunk serves the next one: a slope that draws fresh data is asked once a step.
            directions = self._look() if self._ahead is None else self._ahead
            if self.step >= until:
                self._ahead = directions
                break
            self._ahead = None
            self._rule(directions)
            self.step += 1
        # Waiting here keeps chunk times honest on a device that runs ahead of Python.
        self.losses.cpu()

    def diverged_at(self, model: int) -> int | None:
        """The step at which the loss rose or stopped being finite."""
        found = int(self._diverged[model])
        return found if found >= 0 else None

    def history(self, model: int) -> tuple[IntArray, list[Array]]:
        """The checkpoints (C,) that one model reached before it diverged, and each part (C, ...) of its records."""
        reached, limit = np.asarray(self._checkpoints[: len(self.records)], np.int64), self.diverged_at(model)
        count = len(reached) if limit is None else int(np.searchsorted(reached, limit))
        # Without a record, one of now shows the shapes.
        parts = zip(*(self.records or [self._record(self.losses)]), strict=True)
        return reached[:count], [np.array([one[model] for one in part])[:count] for part in parts]

    @property
    def _due(self) -> bool:
        cursor = len(self.records)
        return cursor < len(self._checkpoints) and self._checkpoints[cursor] == self.step

    def _look(self) -> Sequence[Any]:
        losses, directions = self._slope(self.step)
        if self._rise is not None:
            bad = ~losses.isfinite() | (losses > self.losses * (1.0 + self._rise))
            self._diverged.masked_fill_(bad & (self._diverged < 0), self.step)
            alive = self._diverged < 0
            directions = [direction.where(per_model(alive, direction), 0.0) for direction in directions]
        self.losses = losses
        if self._due:
            self.records.append(self._record(losses))
        return directions

    def _copies(self, losses: Any) -> tuple[Array, ...]:
        return tuple(to_array(each) for each in (*self._parameters, losses))


def slope_of(losses: Callable[[int], Any], parameters: Sequence[Any]) -> Slope:
    """The slope of ``losses(step)`` (M,) by automatic differentiation; the sum trains each model on its own loss."""
    torch: Any = import_module("torch")

    def slope(step: int) -> tuple[Any, Sequence[Any]]:
        found = losses(step)
        return found.detach(), torch.autograd.grad(found.sum(), parameters)

    return slope


def to_tensor(array: Array, device: str) -> Any:
    """The array on a device."""
    torch: Any = import_module("torch")

    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


def to_array(tensor: Any) -> Array:
    """A copy of the tensor."""
    return tensor.detach().cpu().numpy().copy()


def padded(arrays: Sequence[Array], fill: float = 0.0) -> Array:
    """Arrays of several shapes as one (M, ...), each axis filled up at its end.

    >>> padded([np.ones((1, 2)), np.ones((2, 1))]).tolist()
    [[[1.0, 1.0], [0.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]]]
    """
    shape = np.max([array.shape for array in arrays], axis=0)
    found = np.full((len(arrays), *shape), fill, np.result_type(*arrays))
    for own, array in zip(found, arrays, strict=True):
        own[tuple(map(slice, array.shape))] = array
    return found
