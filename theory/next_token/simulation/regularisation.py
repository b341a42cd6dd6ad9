"""The regularisation path: minimisers of the loss plus a vanishing ridge, by Newton's method (no training dynamics)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.core.errors import Cancelled
from theory.next_token.convex import Block, assemble, blocks
from theory.next_token.problem import Prompts

Floats = npt.NDArray[np.float64]

PENALTIES = np.logspace(0, -14, 15)
"""Ridge penalties, from strong to where float64 ends."""


def newton_path(prompts: Prompts, penalties: Floats = PENALTIES, stop: Callable[[], bool] | None = None) -> Floats:
    """(len(penalties), K, K) logits [token, last] of ``argmin L(W) + penalty / 2 ||W||_F^2``.

    Damped Newton, each penalty started from the solution of the one before; give penalties in descending order.

    Raises:
        Cancelled: ``stop()`` turned true.
    """
    parts = blocks(prompts)
    paths = [_path(block, penalties, stop) for block in parts]
    return assemble(parts, paths, prompts.vocab_size)


def _path(block: Block, penalties: Floats, stop: Callable[[], bool] | None) -> Floats:
    dim = int(block.design.shape[1])
    point: Floats = np.zeros(dim)
    path: Floats = np.zeros((len(penalties), dim))
    for i, penalty in enumerate(penalties):
        if stop is not None and stop():
            raise Cancelled
        previous = np.inf
        for _ in range(300):
            gradient, hessian = block.derivatives(point)
            gradient = gradient + penalty * point
            hessian[np.diag_indices(len(hessian))] += penalty
            step: Floats = np.asarray(np.linalg.solve(hessian, gradient), dtype=np.float64)
            # In units of the penalty the objective is strongly convex with modulus 1, so that this decrement
            # bounds the length of the step and 1 / (1 + decrement) is a safe damping.
            decrement = float(np.sqrt(max(gradient @ step, 0.0) / penalty))
            if decrement < 1e-9 or (decrement < 1e-4 and decrement >= previous):
                break
            previous = decrement
            point = point - step / (1.0 + decrement if decrement > 0.3 else 1.0)
        path[i] = point
    return path


def newton_path_dataset(prompts: Prompts, stop: Callable[[], bool]) -> Dataset:
    """The path as a labelled run: dimension ``step`` counts penalties from strong to weak.

    ``log_time`` is the length R of the path in units of W_svm, ``R + log R = log(1 / penalty)``, which takes the place
    of log-time; ``loss`` is without the ridge.
    """
    logits = newton_path(prompts, PENALTIES, stop)
    # Newton for R + log R = log(1 / penalty), independent of what predicts it.
    radius = np.ones(len(PENALTIES))
    for _ in range(60):
        radius = np.maximum(radius - (radius + np.log(radius * PENALTIES)) / (1.0 + 1.0 / radius), 1e-3)
    return Dataset(
        {
            "logits": (("step", "token", "last"), logits, {"units": "nats", "spec_name": "S"}),
            "loss": (("step",), loss_of(prompts, logits), {"units": "nats", "spec_name": "L"}),
            "log_time": (("step",), radius, {"units": "path length / ||W_svm||", "spec_name": "R"}),
            "penalty": (("step",), PENALTIES, {"units": "nats", "spec_name": "mu"}),
        },
        coords={"step": np.arange(1, len(PENALTIES) + 1)},
    )


def loss_of(prompts: Prompts, logits: Floats) -> Floats:
    """(m,) mean log-loss in nats of logits (m, K, K) [token, last], without cancellation at large margins."""
    total = np.zeros(len(logits))
    for block in blocks(prompts):
        tokens, last = block.pairs % prompts.vocab_size, block.pairs // prompts.vocab_size
        plain = Block(block.pairs, block.counts, block.labels, block.weights, np.eye(len(tokens)), block.readout)
        total += [plain.loss(values) for values in logits[:, tokens, last]]
    return total
