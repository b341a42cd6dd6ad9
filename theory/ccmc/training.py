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
from theory.shared.training.engine import check_checkpoints, check_device, never, run_programs

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
    report = emit or _silent
    if optimizer == "lbfgs":
        found: list[Training] = []
        for chain, labels, start in zip(chains, chosen, starts, strict=True):
            found.append(_lbfgs(chain, labels, start, steps, device, stop))
            report(len(found) / len(chains))
        return found
    recorded = check_checkpoints(checkpoints, steps)
    program = _Descent(chains, chosen, starts, learning_rate, optimizer == "adam", recorded, device)
    run_programs([program], steps, report, stop)
    return [program.result(index) for index in range(len(chains))]


class _Batch:
    """Problems of different sizes as padded tensors on a device, and their layers."""

    def __init__(
        self, chains: Sequence[Chain], chosen: Sequence[Integers], starts: Sequence[Floats], device: str
    ) -> None:
        import torch

        def move(array: npt.NDArray[Any]) -> torch.Tensor:
            return torch.from_numpy(array).to(device)  # pyright: ignore[reportUnknownMemberType]

        rows, size = max(len(chain.last) for chain in chains), max(chain.vocab_size for chain in chains)
        dim = max(chain.vectors.shape[1] for chain in chains)
        n = len(chains)
        last, log_counts = np.zeros((n, rows), dtype=np.int64), np.full((n, rows, size), -np.inf)
        shares, embed, head = np.zeros((n, rows, size)), np.zeros((n, size, dim)), np.zeros((n, size, dim))
        weights = np.zeros((n, dim, dim))
        log_counts[:, :, 0] = 0.0  # a padded prompt is the single token 0, with share 0
        for index, (chain, labels) in enumerate(zip(chains, chosen, strict=True)):
            prompts, tokens = chain.counts.shape
            width = chain.vectors.shape[1]
            with np.errstate(divide="ignore"):
                log_counts[index, :prompts, :tokens] = np.log(chain.counts)
            last[index, :prompts] = chain.last
            shares[index, :prompts, :tokens] = labels / max(labels.sum(), 1)
            embed[index, :tokens, :width], head[index, :tokens, :width] = chain.vectors, head_of_chain(chain)
            weights[index, :width, :width] = starts[index]
        self.data = tuple(move(array) for array in (last, log_counts, shares))
        self.layer = attention_layer()(move(embed), move(head))
        with torch.no_grad():
            self.layer.weights.copy_(move(weights))
        self.chains, self.size = chains, n * rows * size

    def losses(self) -> Any:
        return self.layer.losses(*self.data)

    def gradient(self) -> Any:
        import torch

        autograd: Any = torch.autograd
        return autograd.grad(self.losses().sum(), self.layer.weights)[0]

    def training(self, index: int, steps: Integers, weights: Floats, loss: Floats, step_size: float) -> Training:
        chain = self.chains[index]
        dim = chain.vectors.shape[1]
        own = weights[:, :dim, :dim]
        norm = float(self.gradient().flatten(1).norm(dim=1)[index])
        layer = Layer(own[-1], chain.vectors, head_of_chain(chain), chain.include_self)
        return Training(steps, own, loss, norm, step_size, layer)


def _lbfgs(
    chain: Chain, chosen: Integers, start: Floats, steps: int, device: str, stop: Callable[[], bool]
) -> Training:
    import torch

    batch = _Batch([chain], [chosen], [start], device)
    weights = batch.layer.weights
    optimizer: Any = torch.optim.LBFGS(
        [weights],
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
        loss = batch.losses().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        loss = batch.losses().cpu().numpy()
    done = int(optimizer.state[weights]["n_iter"])
    return batch.training(0, np.array([done]), weights.detach().cpu().numpy().copy(), loss, 1.0)


class _Descent(_Batch):
    """Gradient descent or Adam on all layers, as a :class:`theory.shared.training.engine.Program`."""

    def __init__(
        self,
        chains: Sequence[Chain],
        chosen: Sequence[Integers],
        starts: Sequence[Floats],
        learning_rate: float,
        adam: bool,
        checkpoints: Integers,
        device: str,
    ) -> None:
        import torch

        super().__init__(chains, chosen, starts, device)
        self._adam: Any = None
        if adam:
            self._adam = torch.optim.Adam([self.layer.weights], lr=ADAM_STEP * learning_rate)
        self._steps = [ADAM_STEP * learning_rate if adam else learning_rate / curvature_bound(c) for c in chains]
        self._stride = torch.tensor(self._steps, dtype=torch.float64, device=device)[:, None, None]
        self._checkpoints, self._step = checkpoints, 0
        self._records: list[tuple[Floats, Floats]] = []
        self.finished = False

    def advance(self, until: int) -> None:
        import torch

        weights = self.layer.weights
        autograd: Any = torch.autograd
        while True:
            losses = self.losses()
            cursor = len(self._records)
            if cursor < len(self._checkpoints) and self._checkpoints[cursor] == self._step:
                self._records.append((weights.detach().cpu().numpy().copy(), losses.detach().cpu().numpy().copy()))
            if self._step >= until:
                return
            gradient = autograd.grad(losses.sum(), weights)[0]
            if self._adam is None:
                with torch.no_grad():
                    weights.sub_(self._stride * gradient)
            else:
                weights.grad = gradient
                self._adam.step()
            self._step += 1

    def result(self, index: int) -> Training:
        weights = np.stack([record[0][index] for record in self._records])
        loss = np.array([record[1][index] for record in self._records])
        return self.training(index, self._checkpoints, weights, loss, self._steps[index])


def _silent(fraction: float) -> None:
    pass
