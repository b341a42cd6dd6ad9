"""Compiled gradient descent in logit space: one model at a time, every step in one loop over its prompts."""

from __future__ import annotations

from math import exp, inf, isfinite, log, log1p, sqrt

import numpy as np

from theory.next_token.simulation.rows import Layout
from theory.shared.compiled import compiled
from theory.shared.training.engine import LOSS_INCREASE, FloatArray, IntArray

LOSS_CODES = {"log": 0, "squared": 1, "linear": 2}


@compiled
def mean_loss_gradient(
    state: FloatArray,
    starts: IntArray,
    nodes: IntArray,
    counts: FloatArray,
    weights: FloatArray,
    kind: int,
    gradient: FloatArray,
    scratch: FloatArray,
) -> float:
    """Add the gradient of the mean loss with respect to ``state`` to ``gradient``; return the loss.

    The label is the first entry of each row. Its probability enters as 1 - p = r / Z with r the mass of the other
    tokens, so nothing is lost to cancellation however close p comes to 1.
    """
    total = 0.0
    for row in range(len(weights)):
        first, end = starts[row], starts[row + 1]
        top = state[nodes[first]]
        for entry in range(first + 1, end):
            top = max(top, state[nodes[entry]])
        rest = 0.0
        for entry in range(first + 1, end):
            mass = counts[entry] * exp(state[nodes[entry]] - top)
            scratch[entry - first] = mass
            rest += mass
        label_mass = counts[first] * exp(state[nodes[first]] - top)
        norm = rest + label_mass
        if kind == 0:
            slope = 1.0
            if label_mass > 1e-290:
                loss = log1p(rest / label_mass)
            else:
                loss = log(rest / counts[first]) + (top - state[nodes[first]])
        elif kind == 1:
            slope = 2.0 * (label_mass / norm) * (rest / norm)
            loss = (rest / norm) ** 2
        else:
            slope = label_mass / norm
            loss = rest / norm
        total += weights[row] * loss
        scale = weights[row] * slope / norm
        gradient[nodes[first]] -= scale * rest
        for entry in range(first + 1, end):
            gradient[nodes[entry]] += scale * scratch[entry - first]
    return total


@compiled
def precondition(
    gradient: FloatArray, gram: FloatArray, gram_active: FloatArray, halfway: FloatArray, direction: FloatArray
) -> None:
    """direction = (G g G) on the active columns, halfway = G g; all stored [active last, token]."""
    n_active, vocab_size = halfway.shape
    halfway[:, :] = 0.0
    for column in range(n_active):
        for source in range(vocab_size):
            value = gradient[column * vocab_size + source]
            if value != 0.0:
                for token in range(vocab_size):
                    halfway[column, token] += value * gram[source, token]
    direction[:] = 0.0
    for column in range(n_active):
        for other in range(n_active):
            factor = gram_active[column, other]
            for token in range(vocab_size):
                direction[column * vocab_size + token] += factor * halfway[other, token]


@compiled
def advance(
    until: int,
    counters: IntArray,
    state: FloatArray,
    displacement: FloatArray,
    starts: IntArray,
    nodes: IntArray,
    counts: FloatArray,
    weights: FloatArray,
    gram: FloatArray,
    gram_active: FloatArray,
    general: bool,
    kind: int,
    normalised: bool,
    eta: float,
    previous: FloatArray,
    checkpoints: IntArray,
    values: FloatArray,
    displacements: FloatArray,
    losses: FloatArray,
    norms: FloatArray,
) -> None:
    """Advance to step ``until``, recording at checkpoints; counters = (step, next checkpoint, diverged_at or -1)."""
    gradient = np.zeros(len(state))
    direction = np.zeros(len(state))
    halfway = np.zeros_like(displacement)
    scratch = np.empty(len(nodes) + 1)
    while counters[2] < 0:
        step = counters[0]
        gradient[:] = 0.0
        loss = mean_loss_gradient(state, starts, nodes, counts, weights, kind, gradient, scratch)
        if not isfinite(loss) or (not normalised and loss > previous[0] * (1.0 + LOSS_INCREASE)):
            counters[2] = step
            break
        due = counters[1] < len(checkpoints) and checkpoints[counters[1]] == step
        if general:
            precondition(gradient, gram, gram_active, halfway, direction)
        length = 0.0
        if normalised or due:
            for node in range(len(state)):
                length += gradient[node] * (direction[node] if general else gradient[node])
            length = sqrt(max(length, 0.0))
        if due:
            values[counters[1]] = state
            displacements[counters[1]] = displacement
            losses[counters[1]] = loss
            norms[counters[1]] = length
            counters[1] += 1
        if step >= until:
            break
        previous[0] = loss
        stride = eta
        if normalised:
            stride = eta / length if length > 0.0 else 0.0
        if general:
            for node in range(len(state)):
                state[node] -= stride * direction[node]
            for column in range(halfway.shape[0]):
                for token in range(halfway.shape[1]):
                    displacement[column, token] += stride * halfway[column, token]
        else:
            for node in range(len(state)):
                state[node] -= stride * gradient[node]
        counters[0] = step + 1


class CompiledDescent:
    """One model's descent as a :class:`theory.shared.training.engine.Program`."""

    def __init__(
        self, layout: Layout, eta: float, loss: str, normalised: bool, checkpoints: IntArray, initial: FloatArray | None
    ) -> None:
        self.layout, self.eta, self.checkpoints = layout, eta, checkpoints
        self._kind, self._normalised = LOSS_CODES[loss], normalised
        self._state = layout.initial_state(initial)
        shape: tuple[int, int] = (0, 0) if layout.gram is None else (len(layout.active), layout.vocab_size)
        self._displacement = np.zeros(shape)
        n_checkpoints = len(checkpoints)
        self.values = np.empty((n_checkpoints, len(self._state)))
        self.displacements = np.empty((n_checkpoints, *shape))
        self.loss, self.gradient_norm = np.empty(n_checkpoints), np.empty(n_checkpoints)
        self._counters = np.array([0, 0, -1], dtype=np.int64)
        self._previous = np.array([inf])
        self._gram = self._gram_active = np.zeros((0, 0))
        if layout.gram is not None:
            self._gram = layout.gram
            self._gram_active = np.ascontiguousarray(layout.gram[np.ix_(layout.active, layout.active)])

    @property
    def size(self) -> int:
        return self.layout.size

    @property
    def recorded(self) -> int:
        """The number of checkpoints reached so far."""
        return int(self._counters[1])

    @property
    def diverged_at(self) -> int | None:
        return int(self._counters[2]) if self._counters[2] >= 0 else None

    @property
    def finished(self) -> bool:
        return self.diverged_at is not None

    def advance(self, until: int) -> None:
        """Perform the steps up to number ``until``."""
        layout = self.layout
        advance(
            until, self._counters, self._state, self._displacement, layout.starts, layout.nodes, layout.counts,
            layout.weights, self._gram, self._gram_active, layout.gram is not None, self._kind, self._normalised,
            self.eta, self._previous, self.checkpoints, self.values, self.displacements, self.loss, self.gradient_norm,
        )  # fmt: skip
