"""Small networks that learn their features, trained on the labels of several teachers: many as one batched program.

Networks of one seed share their initial weights and their rows, so that labels are the only difference between them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from theory.distillation.digits import SIDE
from theory.distillation.problem import Floats
from theory.shared.training.engine import never, run_programs, silent
from theory.shared.training.optimisers import adam
from theory.shared.training.tensor_program import TensorProgram, slope_of, to_array, to_tensor

HIDDEN, WIDTH, READOUT = 128, 16, 32
"""Hidden units of the MLP; dimension of the attention model's tokens, and hidden units behind it."""
LEARNING_RATE, STEPS = 6e-3, 200
SINGLE = np.dtype(np.float32)


def initial_weights(kind: str, outputs: int, generator: np.random.Generator) -> dict[str, Floats]:
    """Weights of one network: ``kind`` relu is an MLP 64-128-outputs, attention one head on 8 row tokens of 8 pixels.

    Fan-in scaling; the last layer starts at zero, so that all networks start at the same function.
    """
    if kind == "relu":
        shapes = {"first": (SIDE * SIDE, HIDDEN)}
        zeros = {"first_bias": (1, HIDDEN), "last": (HIDDEN, outputs), "last_bias": (1, outputs)}
        gain = 3.0
    else:
        shapes = {
            "embed": (SIDE, WIDTH),
            "query": (WIDTH, WIDTH),
            "key": (WIDTH, WIDTH),
            "value": (WIDTH, WIDTH),
            "first": (SIDE * WIDTH, READOUT),
        }
        zeros = {"first_bias": (1, READOUT), "last": (READOUT, outputs), "last_bias": (1, outputs)}
        gain = float(np.sqrt(2.0))
    found = {name: generator.standard_normal(shape) * (gain / np.sqrt(shape[0])) for name, shape in shapes.items()}
    if kind == "attention":
        found["position"] = 0.5 * generator.standard_normal((SIDE, WIDTH))
    return found | {name: np.zeros(shape) for name, shape in zeros.items()}


def train(
    kind: str,
    starts: list[dict[str, Floats]],
    images: Floats,
    labels: Floats,
    unseen: Floats,
    device: str = "cpu",
    report: Callable[[float], None] = silent,
    stop: Callable[[], bool] = never,
) -> tuple[Floats, Floats]:
    """Train S x T networks together, full batch, with Adam on the squared error (summed over outputs).

    Shapes: ``starts`` S initial weights, ``images`` (S, n, 8, 8), ``labels`` (S, T, n, o), ``unseen`` (S, k, 8, 8).
    Returns the outputs on unseen images (S, T, k, o) and the final training errors (S, T). Single precision, on CPU or
    CUDA.

    Raises:
        Cancelled: ``stop()`` turned true.
    """
    import torch

    seeds, teachers, outputs = labels.shape[0], labels.shape[1], labels.shape[3]

    def shared(array: Floats) -> Any:
        """What the networks of one seed have in common, for each of them."""
        return to_tensor(np.repeat(array.astype(SINGLE), teachers, axis=0), device)

    weights = {name: shared(np.stack([start[name] for start in starts])).requires_grad_() for name in starts[0]}
    forward = _mlp if kind == "relu" else _attention
    inputs = shared(images)
    targets = to_tensor(labels.astype(SINGLE).reshape(seeds * teachers, -1, outputs), device)

    def losses(_: int) -> Any:
        return (forward(weights, inputs) - targets).square().sum(dim=2).mean(dim=1)

    parameters = list(weights.values())
    program = TensorProgram(parameters, slope_of(losses, parameters), adam(parameters, LEARNING_RATE), images.size)
    run_programs([program], STEPS, report, stop)
    with torch.no_grad():
        found = to_array(forward(weights, shared(unseen))).astype(np.float64)
    errors = to_array(program.losses).astype(np.float64)
    return found.reshape(seeds, teachers, -1, outputs), errors.reshape(seeds, teachers)


def operations(kind: str, rows: int, outputs: int) -> float:
    """Multiplications of one forward pass of one network over ``rows`` images."""
    if kind == "relu":
        return float(rows * HIDDEN * (SIDE**2 + outputs))
    return float(rows * (SIDE * WIDTH * (SIDE + 3 * WIDTH + 2 * SIDE + READOUT) + READOUT * outputs))


def _mlp(weights: dict[str, Any], images: Any) -> Any:
    hidden = (images.flatten(2) @ weights["first"] + weights["first_bias"]).relu()
    return hidden @ weights["last"] + weights["last_bias"]


def _attention(weights: dict[str, Any], images: Any) -> Any:
    """Attention over the 8 row tokens of each image, with a residual, then an MLP over all tokens."""
    networks, rows = images.shape[:2]
    embedded = images.flatten(1, 2) @ weights["embed"]
    tokens = embedded.view(networks, rows, SIDE, WIDTH) + weights["position"][:, None]
    flat = tokens.flatten(1, 2)
    queries, keys, values = (
        (flat @ weights[name]).view(networks * rows, SIDE, WIDTH) for name in ("query", "key", "value")
    )
    attention = (queries @ keys.transpose(1, 2) / WIDTH**0.5).softmax(dim=2)
    mixed = tokens + (attention @ values).view_as(tokens)
    hidden = (mixed.flatten(2) @ weights["first"] + weights["first_bias"]).relu()
    return hidden @ weights["last"] + weights["last_bias"]
