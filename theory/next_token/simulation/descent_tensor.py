"""Gradient descent in logit space as one tensor program over all models, on CPU or CUDA (float64)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theory.next_token.simulation.rows import Layout
from theory.shared.training.engine import LOSS_INCREASE, FloatArray, IntArray
from theory.shared.training.optimisers import descent, unit
from theory.shared.training.tensor_program import TensorProgram, padded, to_array, to_tensor


class TensorDescent(TensorProgram):
    """All models' descent as one program; who diverges is frozen, alone.

    Rows of all models are stacked and padded to the widest: entry 0 is the label, padding repeats the label with
    count 0. The state (models, entries) holds the logits that occur, or with any general embedding all of them,
    K last * K token for the largest K.
    """

    def __init__(
        self,
        layouts: Sequence[Layout],
        etas: Sequence[float],
        loss: str,
        normalised: bool,
        checkpoints: IntArray,
        initials: Sequence[FloatArray | None],
        device: str,
    ) -> None:
        self.layouts, self.etas = layouts, etas
        self._loss_name, self._normalised = loss, normalised
        self._general = any(layout.gram is not None for layout in layouts)
        self._side = max(layout.vocab_size for layout in layouts)
        self._state = to_tensor(self._initial_state(initials), device)
        models = np.repeat(np.arange(len(layouts)), [len(layout.weights) for layout in layouts])
        self._model_of_row = to_tensor(models, device)
        nodes, counts = self._padded_rows()
        self._nodes = to_tensor(nodes + models[:, None] * self._state.shape[1], device)
        self._counts = to_tensor(counts, device)
        self._weights = to_tensor(np.concatenate([layout.weights for layout in layouts]), device)
        grams = [np.eye(layout.vocab_size) if layout.gram is None else layout.gram for layout in layouts]
        self._gram = to_tensor(padded(grams), device) if self._general else None
        self._strides = to_tensor(np.array(etas, dtype=np.float64), device)
        super().__init__(
            [self._state],
            self._descending,
            descent([self._state], self._strides),
            sum(layout.size for layout in layouts),
            checkpoints,
            self._recorded,
            np.inf if normalised else LOSS_INCREASE,
        )

    def trajectory(self, model: int) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
        """(steps, logits (checkpoints, entries), loss, gradient norm) of one model until it diverged."""
        steps, (values, loss, norms) = self.history(model)
        layout, count = self.layouts[model], len(steps)
        if not self._general:
            return steps, values[:, : len(layout.pairs)], loss, norms
        size, blocks = layout.vocab_size, values.reshape(count, self._side, self._side)
        return steps, blocks[:, :size, :size].reshape(count, size**2), loss, norms

    def _descending(self, _: int) -> tuple[Any, list[Any]]:
        loss, gradient = self._mean_loss_gradient()
        direction = gradient
        if self._general:
            blocks = gradient.view(-1, self._side, self._side)
            direction = (self._gram @ blocks @ self._gram).flatten(1)
        self._lately = gradient, direction
        return loss, [unit(direction, self._length()) if self._normalised else direction]

    def _length(self) -> Any:
        """Norms (models,) of the gradient in the weights."""
        gradient, direction = self._lately
        return (gradient * direction).sum(dim=1).clamp(min=0.0).sqrt()

    def _recorded(self, loss: Any) -> tuple[FloatArray, ...]:
        return to_array(self._state), to_array(loss), to_array(self._length())

    def _mean_loss_gradient(self) -> tuple[Any, Any]:
        import torch

        logits = self._state.view(-1)[self._nodes]
        top = logits.amax(dim=1, keepdim=True)
        mass = self._counts * torch.exp(logits - top)
        rest, label_mass = mass[:, 1:].sum(dim=1), mass[:, 0]
        norm = rest + label_mass
        if self._loss_name == "log":
            far = torch.log(rest / self._counts[:, 0]) + top[:, 0] - logits[:, 0]
            row_loss = torch.where(label_mass > 1e-290, torch.log1p(rest / label_mass), far)
            slope = torch.ones_like(norm)
        elif self._loss_name == "squared":
            row_loss, slope = (rest / norm) ** 2, 2.0 * (label_mass / norm) * (rest / norm)
        else:
            row_loss, slope = rest / norm, label_mass / norm
        loss = torch.zeros_like(self._strides).index_add_(0, self._model_of_row, self._weights * row_loss)
        pull = (self._weights * slope / norm)[:, None] * mass
        pull[:, 0] = -self._weights * slope / norm * rest
        gradient = torch.zeros_like(self._state)
        gradient.view(-1).index_add_(0, self._nodes.view(-1), pull.view(-1))
        return loss, gradient

    def _padded_rows(self) -> tuple[IntArray, FloatArray]:
        """Each row's positions in its model's state and its counts, both (rows, widest)."""
        entries = np.concatenate([self._positions(layout)[layout.nodes] for layout in self.layouts])
        widths: IntArray = np.concatenate([np.diff(layout.starts) for layout in self.layouts])
        present = np.arange(int(widths.max(initial=1))) < widths[:, None]
        nodes, counts = np.zeros(present.shape, np.int64), np.zeros(present.shape)
        nodes[:] = entries[np.cumsum(widths) - widths][:, None]
        nodes[present], counts[present] = entries, np.concatenate([layout.counts for layout in self.layouts])
        return nodes, counts

    def _positions(self, layout: Layout) -> IntArray:
        """Where the layout's pairs stand in the state."""
        last, token = np.divmod(layout.pairs, layout.vocab_size)
        return last * self._side + token if self._general else np.arange(len(layout.pairs))

    def _initial_state(self, initials: Sequence[FloatArray | None]) -> FloatArray:
        pairs = zip(self.layouts, initials, strict=True)
        if not self._general:
            return padded([layout.initial_state(initial) for layout, initial in pairs])
        logits = [np.zeros((layout.vocab_size,) * 2) if initial is None else initial.T for layout, initial in pairs]
        return padded(logits).reshape(len(logits), -1)
