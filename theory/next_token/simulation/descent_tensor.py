"""Gradient descent in logit space as one tensor program over all models, on CPU or CUDA (float64)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theory.next_token.simulation.rows import Layout
from theory.shared.training.engine import LOSS_INCREASE, FloatArray, IntArray


class TensorDescent:
    """All models' descent as one :class:`theory.shared.training.engine.Program`; who diverges is frozen, alone.

    Rows of all models are stacked and padded to the widest: entry 0 is the label, padding repeats the label with
    count 0. With any general embedding the state is (models, K last, K token) for the largest K, else the concatenated
    logits that occur.
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
        import torch

        self.layouts, self.etas, self.checkpoints = layouts, etas, checkpoints
        self._loss_name, self._normalised, self._device = loss, normalised, device
        self._general = any(layout.gram is not None for layout in layouts)
        self._side = max(layout.vocab_size for layout in layouts)
        self._blocks = self._state_blocks()
        self._step, self._cursor = 0, 0
        n_models, total = len(layouts), self._blocks[-1].stop

        def move(array: FloatArray | IntArray) -> Any:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device)  # pyright: ignore

        nodes, counts = self._padded_rows()
        self._nodes, self._counts = move(nodes), move(counts)
        self._weights = move(np.concatenate([layout.weights for layout in layouts]))
        self._model_of_row = move(np.repeat(np.arange(n_models), [len(layout.weights) for layout in layouts]))
        self._model_of_node = move(np.repeat(np.arange(n_models), [b.stop - b.start for b in self._blocks]))
        self._state = move(self._initial_state(initials, total))
        self._eta = move(np.array(etas, dtype=np.float64))
        self._gram = move(self._stacked_gram()) if self._general else None
        self._previous = move(np.full(n_models, np.inf))
        self._diverged = move(np.full(n_models, -1, dtype=np.int64))
        self._records: list[tuple[FloatArray, FloatArray, FloatArray]] = []

    @property
    def size(self) -> int:
        return sum(layout.size for layout in self.layouts)

    @property
    def finished(self) -> bool:
        return bool((self._diverged >= 0).all())

    def advance(self, until: int) -> None:
        """Perform the steps up to number ``until``; returns when the device has done them."""
        import torch

        with torch.no_grad():
            while True:
                due = self._cursor < len(self.checkpoints) and self.checkpoints[self._cursor] == self._step
                if self._step >= until and not due:
                    break
                loss, gradient = self._mean_loss_gradient()
                direction = self._precondition(gradient) if self._general else gradient
                bad = ~torch.isfinite(loss)
                if not self._normalised:
                    bad |= loss > self._previous * (1.0 + LOSS_INCREASE)
                self._diverged = torch.where(bad & (self._diverged < 0), self._step, self._diverged)
                alive = self._diverged < 0
                stride = self._eta
                if self._normalised or due:
                    length = self._sum_by_model(gradient * direction).clamp(min=0.0).sqrt()
                    if due:
                        recorded = (self._state, loss, length)
                        self._records.append(tuple(part.cpu().numpy().copy() for part in recorded))  # type: ignore[arg-type]
                        self._cursor += 1
                    if self._normalised:
                        stride = torch.where(length > 0.0, stride / length, 0.0)
                if self._step >= until:
                    break
                self._previous = loss
                moves = alive[self._model_of_node]
                stepped = self._state - stride[self._model_of_node] * direction
                self._state = torch.where(moves, stepped, self._state)
                self._step += 1
            # Waiting here keeps chunk times honest on a device that runs ahead of Python.
            self._diverged.cpu()

    def recorded(self, model: int) -> int:
        """The number of checkpoints that a model reached before it diverged."""
        limit = self.diverged_at(model)
        reached = self.checkpoints[: len(self._records)]
        return len(reached) if limit is None else int(np.searchsorted(reached, limit))

    def diverged_at(self, model: int) -> int | None:
        found = int(self._diverged[model])
        return found if found >= 0 else None

    def records(self, model: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(values (checkpoints, state), loss, gradient norm) of one model at the checkpoints that it reached."""
        block, count = self._blocks[model], self.recorded(model)
        values = np.array([state[block] for state, _, _ in self._records[:count]]).reshape(count, -1)
        if self._general:
            side, size = self._side, self.layouts[model].vocab_size
            values = values.reshape(count, side, side)[:, :size, :size].reshape(count, size * size)
        loss = np.array([losses[model] for _, losses, _ in self._records[:count]])
        return values, loss, np.array([norms[model] for _, _, norms in self._records[:count]])

    def _mean_loss_gradient(self) -> tuple[Any, Any]:
        import torch

        logits = self._state[self._nodes]
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
        loss = torch.zeros_like(self._eta).index_add_(0, self._model_of_row, self._weights * row_loss)
        pull = (self._weights * slope / norm)[:, None] * mass
        pull[:, 0] = -self._weights * slope / norm * rest
        gradient = torch.zeros_like(self._state).index_add_(0, self._nodes.reshape(-1), pull.reshape(-1))
        return loss, gradient

    def _precondition(self, gradient: Any) -> Any:
        side = self._side
        blocks = gradient.reshape(-1, side, side)
        return (self._gram @ blocks @ self._gram).reshape(-1)

    def _sum_by_model(self, values: Any) -> Any:
        import torch

        return torch.zeros_like(self._eta).index_add_(0, self._model_of_node, values)

    def _state_blocks(self) -> list[slice]:
        lengths = [self._side**2 if self._general else len(layout.pairs) for layout in self.layouts]
        ends = np.cumsum(lengths)
        return [slice(int(end) - length, int(end)) for end, length in zip(ends, lengths, strict=True)]

    def _padded_rows(self) -> tuple[IntArray, FloatArray]:
        width = max((int(np.diff(layout.starts).max(initial=1)) for layout in self.layouts), default=1)
        n_rows = sum(len(layout.weights) for layout in self.layouts)
        nodes, counts = np.zeros((n_rows, width), np.int64), np.zeros((n_rows, width))
        begin = 0
        for layout, block in zip(self.layouts, self._blocks, strict=True):
            widths = np.diff(layout.starts)
            rows = slice(begin, begin + len(widths))
            present = np.arange(width) < widths[:, None]
            entry_nodes = layout.nodes
            if self._general:
                last, token = np.divmod(layout.pairs[layout.nodes], layout.vocab_size)
                entry_nodes = last * self._side + token
            nodes[rows] = entry_nodes[layout.starts[:-1]][:, None] + block.start
            nodes[rows][present] = entry_nodes + block.start
            counts[rows][present] = layout.counts
            begin += len(widths)
        return nodes, counts

    def _initial_state(self, initials: Sequence[FloatArray | None], total: int) -> FloatArray:
        state = np.zeros(total)
        for layout, block, initial in zip(self.layouts, self._blocks, initials, strict=True):
            if self._general and initial is not None:
                square = state[block].reshape(self._side, self._side)
                square[: layout.vocab_size, : layout.vocab_size] = initial.T
            elif not self._general:
                state[block] = layout.initial_state(initial)
        return state

    def _stacked_gram(self) -> FloatArray:
        gram = np.zeros((len(self.layouts), self._side, self._side))
        for index, layout in enumerate(self.layouts):
            size = layout.vocab_size
            gram[index, :size, :size] = np.eye(size) if layout.gram is None else layout.gram
        return gram
