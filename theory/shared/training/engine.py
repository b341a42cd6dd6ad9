"""Training many small models as one batched program, with two engines behind one interface.

The *compiled* engine runs loops over one model after another (tiny models, many steps); the *tensor* engine steps all
models at once on CPU or CUDA (large models). A room writes one :class:`Program` per engine; :func:`run_programs`
drives any of them in chunks so that progress is shown, and a person who moves on is obeyed within 50 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from theory.core.errors import Cancelled, ParameterError

EngineName = Literal["compiled", "tensor"]
ENGINES = ("auto", "compiled", "tensor")
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LOSS_INCREASE = 1e-10
"""Relative loss increase that counts as divergence: far above the rounding of a sum of log-losses at any margin."""
CHUNK_SECONDS = 0.02
REPORT_SECONDS = 0.1
COMPILED_SECONDS = 15e-9
TENSOR_SECONDS, TENSOR_OVERHEAD = 25e-9, 2e-4
LOOP_PRODUCT_SECONDS, TENSOR_PRODUCT_SECONDS = 0.2e-9, 0.1e-9


class Program(Protocol):
    """Models that advance together.

    ``size`` is the work of one step in entries (exponentials), ``advance(until)`` performs the steps up to number
    ``until`` and returns when they are done, ``finished`` is true when no model is left to advance.
    """

    @property
    def size(self) -> int: ...

    @property
    def finished(self) -> bool: ...

    def advance(self, until: int) -> None: ...


def run_programs(
    programs: Sequence[Program], steps: int, report: Callable[[float], None], stop: Callable[[], bool]
) -> None:
    """Advance each program by ``steps`` steps, in chunks of about 20 ms.

    ``report(fraction)`` is called at most ten times a second and once at the end; ``stop()`` before every chunk.

    Raises:
        Cancelled: ``stop()`` turned true.
    """
    # One step first: nothing is known about its cost.
    seconds_per_entry = CHUNK_SECONDS / max((program.size for program in programs), default=1)
    reported = perf_counter()
    work = float(sum(program.size for program in programs)) * steps
    finished_work = 0.0
    for program in programs:
        done = 0
        while done < steps and not program.finished:
            if stop():
                raise Cancelled
            chunk = max(1, int(CHUNK_SECONDS / (seconds_per_entry * program.size)))
            until = min(done + chunk, steps)
            started = perf_counter()
            program.advance(until)
            now = perf_counter()
            measured = (now - started) / ((until - done) * program.size)
            # A short chunk is mostly call overhead: never let one measurement make the next chunk 8 times longer.
            seconds_per_entry = max(measured, seconds_per_entry / 8)
            done = until
            if now - reported > REPORT_SECONDS:
                report((finished_work + done * program.size) / work)
                reported = now
        finished_work += float(steps) * program.size
    if stop():
        raise Cancelled
    report(1.0)


def choose_engine(
    n_models: int, size: int, steps: int, device: str = "cpu", products: int = 0, engine: str = "auto"
) -> EngineName:
    """The engine that is expected to finish first; an explicit ``engine`` and any device but the CPU are obeyed.

    Args:
        n_models: number of models in the batch.
        size: exponentials per model and step.
        steps: number of steps.
        device: ``"cpu"`` or ``"cuda"``.
        products: multiply-adds per model and step in dense matrix products.
        engine: ``"auto"``, ``"compiled"`` or ``"tensor"``.

    Raises:
        ParameterError: an unknown engine, or the compiled engine asked for on another device than the CPU.

    >>> choose_engine(64, 40, 300_000), choose_engine(1, 40, 1000, "cuda"), choose_engine(8, 10**5, 50, products=10**9)
    ('compiled', 'tensor', 'tensor')
    """
    if engine not in ENGINES:
        raise ParameterError("engine", engine, "one of " + ", ".join(ENGINES))
    if device != "cpu":
        if engine == "compiled":
            raise ParameterError("engine", engine, f"tensor on the device {device}")
        return "tensor"
    if engine != "auto":
        return "compiled" if engine == "compiled" else "tensor"
    seconds = {name: predicted_seconds(name, n_models, size, steps, products) for name in _ENGINE_NAMES}
    return min(_ENGINE_NAMES, key=seconds.__getitem__)


_ENGINE_NAMES: tuple[EngineName, EngineName] = ("compiled", "tensor")


def predicted_seconds(engine: EngineName, n_models: int, size: int, steps: int, products: int = 0) -> float:
    """Wall seconds on one core that a training run is expected to take; arguments as in :func:`choose_engine`."""
    if engine == "compiled":
        return steps * n_models * (size * COMPILED_SECONDS + products * LOOP_PRODUCT_SECONDS + 5e-8)
    return steps * (TENSOR_OVERHEAD + n_models * (size * TENSOR_SECONDS + products * TENSOR_PRODUCT_SECONDS))


def log_checkpoints(steps: int, per_decade: int = 12) -> IntArray:
    """Step numbers at which to record: 0, then evenly spaced in log(step), ending at ``steps``; no duplicates.

    >>> log_checkpoints(100, per_decade=2).tolist()
    [0, 1, 3, 10, 32, 100]
    """
    if steps < 1:
        raise ParameterError("steps", steps, "a whole number of at least 1")
    count = max(2, round(np.log10(steps) * per_decade) + 1)
    spaced = np.round(np.geomspace(1, steps, count)).astype(np.int64)
    return np.unique(np.concatenate([np.zeros(1, np.int64), spaced]))


def check_checkpoints(checkpoints: npt.ArrayLike | None, steps: int) -> IntArray:
    """Sorted distinct checkpoints, by default :func:`log_checkpoints`.

    Raises:
        ParameterError: a checkpoint is not a whole number from 0 to ``steps``.
    """
    if checkpoints is None:
        return log_checkpoints(steps)
    given = np.atleast_1d(np.asarray(checkpoints))
    if given.size == 0 or given.dtype.kind not in "iu" or given.min() < 0 or given.max() > steps:
        raise ParameterError("checkpoints", checkpoints, f"whole numbers from 0 to {steps}")
    return np.unique(given.astype(np.int64))


def check_device(device: str) -> str:
    """The device, when this machine has it.

    Raises:
        ParameterError: the device is unknown or not available.
    """
    if device == "cpu":
        return device
    if device.split(":")[0] != "cuda":
        raise ParameterError("device", device, "cpu or cuda")
    import torch

    available = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if device not in ["cuda"] * bool(available) + available:
        found = ", ".join(["cpu", *available])
        raise ParameterError("device", device, f"a device of this machine: {found}")
    return device


def silent(fraction: float) -> None:
    """The ``report`` of a run that nobody watches."""


def never() -> bool:
    """The ``stop`` of a run that nobody cancels."""
    return False
