"""Training the attention layer on prompts with next tokens: many layers as one batch, CPU or CUDA, float64.

Gradient descent and Adam advance all layers together. L-BFGS has a line search of its own for each layer, so that no
layer depends on its neighbours, and trains them one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from theory.ccmc.label_sets import curvature_bound
from theory.ccmc.model import Layer, attention_layer, head_of_chain
from theory.ccmc.problem import Chain
from theory.core.errors import Cancelled, ParameterError
from theory.shared.training.engine import check_checkpoints, check_device, never, run_programs, silent
from theory.shared.training.optimisers import adam, descent
from theory.shared.training.tensor_program import TensorProgram, padded, slope_of, to_array, to_tensor

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
OPTIMIZERS = ("lbfgs", "gradient_descent", "adam")
ADAM_STEP = 0.05
"""Adam's step size at ``learning_rate`` 1, in units of W."""


@dataclass(frozen=True, eq=False)
class Training:
    """One trained layer. ``steps`` (C,) checkpoints with ``weights`` (C, d, d) and mean log-loss ``loss`` (C,).

    ``gradient_norm`` is |∂loss/∂W| at the end. ``step_size`` is absolute (of Adam, its own; of L-BFGS, 1).
    """

    steps: Integers
    weights: Floats
    loss: Floats
    gradient_norm: float
    step_size: float
    layer: Layer


def train(
    chains: Sequence[Chain],
    chosen: Sequence[Integers],
    steps: int,
    learning_rate: float = 1.0,
    *,
    optimizer: str = "lbfgs",
    initial: Sequence[Floats] | None = None,
    checkpoints: npt.ArrayLike | None = None,
    device: str = "cpu",
    emit: Callable[[float], None] | None = None,
    stop: Callable[[], bool] = never,
) -> list[Training]:
    """Train one layer for each problem on the next tokens ``chosen`` (U, K) of its prompts, full batch.

    ``learning_rate`` is in units of 1/β for gradient descent (:func:`theory.ccmc.label_sets.curvature_bound`), of 0.05
    for Adam, and is not used by L-BFGS (strong Wolfe line search, at most ``steps`` iterations). ``initial`` (d, d) per
    problem, zero by default. Problems may differ in size; prompts are padded. L-BFGS reports its end alone.

    Raises:
        ParameterError: a value that is not allowed. Cancelled: ``stop()`` turned true.
    """
    if steps < 1:
        raise ParameterError("steps", steps, "a whole number of at least 1")
    if optimizer not in OPTIMIZERS:
        raise ParameterError("optimizer", optimizer, "one of " + ", ".join(OPTIMIZERS))
    check_device(device)
    starts = [np.zeros((chain.vectors.shape[1],) * 2) for chain in chains] if initial is None else list(initial)
    if not chains:
        return []
    report = emit or silent
    if optimizer == "lbfgs":
        found: list[Training] = []
        for problem in zip(chains, chosen, starts, strict=True):
            found.append(_lbfgs(*problem, steps, device, stop))
            report(len(found) / len(chains))
        return found
    recorded = check_checkpoints(checkpoints, steps)
    layer, losses = _batch(chains, chosen, starts, device)
    parameters, slope = [layer.weights], slope_of(losses, [layer.weights])
    if optimizer == "adam":
        sizes = [ADAM_STEP * learning_rate] * len(chains)
        rule = adam(parameters, sizes[0])
    else:
        sizes = [learning_rate / curvature_bound(chain) for chain in chains]
        rule = descent(parameters, to_tensor(np.array(sizes), device))
    work = len(chains) * max(len(chain.last) for chain in chains) * max(chain.vocab_size for chain in chains)
    program = TensorProgram(parameters, slope, rule, work, recorded)
    run_programs([program], steps, report, stop)
    norms = to_array(slope(steps)[1][0].flatten(1).norm(dim=1))
    return [_training(chain, *program.history(index), norms[index], sizes[index]) for index, chain in enumerate(chains)]


def _batch(
    chains: Sequence[Chain], chosen: Sequence[Integers], starts: Sequence[Floats], device: str
) -> tuple[Any, Callable[[int], Any]]:
    """The layers of problems of different sizes, padded, on a device, and their losses (M,) at a step."""
    import torch

    with np.errstate(divide="ignore"):
        log_counts = padded([np.log(chain.counts) for chain in chains], -np.inf)
    for own, chain in zip(log_counts, chains, strict=True):
        own[len(chain.last) :, 0] = 0.0  # a padded prompt is the single token 0, with share 0
    shares = padded([labels / max(labels.sum(), 1) for labels in chosen])
    data = [to_tensor(array, device) for array in (padded([chain.last for chain in chains]), log_counts, shares)]
    embed, head = padded([chain.vectors for chain in chains]), padded([head_of_chain(chain) for chain in chains])
    layer = attention_layer()(to_tensor(embed, device), to_tensor(head, device))
    with torch.no_grad():
        layer.weights.copy_(to_tensor(padded(starts), device))
    return layer, lambda _: layer.losses(*data)


def _training(chain: Chain, steps: Integers, parts: Sequence[Floats], norm: float, step_size: float) -> Training:
    weights, loss = parts
    dim = chain.vectors.shape[1]
    own = weights[:, :dim, :dim]
    layer = Layer(own[-1], chain.vectors, head_of_chain(chain), chain.include_self)
    return Training(steps, own, loss, float(norm), step_size, layer)


def _lbfgs(
    chain: Chain, chosen: Integers, start: Floats, steps: int, device: str, stop: Callable[[], bool]
) -> Training:
    import torch

    layer, losses = _batch([chain], [chosen], [start], device)
    optimizer: Any = torch.optim.LBFGS(
        [layer.weights],
        max_iter=steps,
        max_eval=2 * steps,
        tolerance_grad=1e-12,
        tolerance_change=0.0,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Any:
        if stop():
            raise Cancelled
        optimizer.zero_grad()
        loss = losses(0).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    done = np.array([optimizer.state[layer.weights]["n_iter"]], np.int64)
    found, (gradient,) = slope_of(losses, [layer.weights])(steps)
    return _training(chain, done, [to_array(layer.weights), to_array(found)], float(gradient.norm()), 1.0)
