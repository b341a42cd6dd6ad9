"""The regularisation path: minimisers of the loss plus a vanishing ridge, by Newton's method (no training dynamics)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from theory.core.errors import Cancelled
from theory.next_token.convex import Block, assemble, blocks
from theory.next_token.problem import Prompts
from theory.next_token.validation import positive

Floats = npt.NDArray[np.float64]

PENALTIES = np.logspace(0, -14, 15)
"""Ridge penalties, from strong to where float64 ends."""


def newton_path(prompts: Prompts, penalties: Floats = PENALTIES, stop: Callable[[], bool] | None = None) -> Floats:
    """(len(penalties), K, K) logits [token, last] of ``argmin L(W) + penalty / 2 ||W||_F^2``.

    Damped Newton, each penalty started from the solution of the one before; give penalties in descending order.

    Raises:
        ParameterError: a penalty that is not above 0.
        Cancelled: ``stop()`` turned true.
    """
    positive("penalties", penalties)
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


def loss_of(prompts: Prompts, logits: Floats) -> Floats:
    """(m,) mean log-loss in nats of logits (m, K, K) [token, last], without cancellation at large margins."""
    total = np.zeros(len(logits))
    for block in blocks(prompts):
        tokens, last = block.pairs % prompts.vocab_size, block.pairs // prompts.vocab_size
        plain = Block(block.pairs, block.counts, block.labels, block.weights, np.eye(len(tokens)), block.readout)
        total += [plain.loss(values) for values in logits[:, tokens, last]]
    return total
