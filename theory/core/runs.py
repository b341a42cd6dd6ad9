"""One way to run an experiment: through the store, for verdicts, pictures and measurements of a page alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from xarray import Dataset

from theory.core.errors import NoDevice, ParameterError
from theory.core.keys import result_key
from theory.core.parameters import restricted
from theory.core.store import Store, StoreReport, default_store
from theory.core.vocabulary import D, Emit, Experiment, P, Replicate, Stop


def fetch(
    experiment: Experiment[P, D],
    params: P,
    replicates: Sequence[Replicate[D]],
    *,
    device: str = "cpu",
    store: Store | None = None,
    emit: Emit | None = None,
    stop: Stop | None = None,
) -> tuple[list[Dataset], StoreReport]:
    """The raw Dataset of each replicate, in order, computed where the store has none.

    Raises:
        ParameterError: no such kind of device. NoDevice: this machine has none. Cancelled: ``stop()`` turned true.
    """
    require(device)
    visible = restricted(params, experiment.uses, experiment.id)
    keys = [result_key(experiment, params, replicate, device) for replicate in replicates]

    def compute(missing: Sequence[int]) -> list[Dataset]:
        return experiment.run(visible, [replicates[i] for i in missing], device, emit or _ignore, stop or _never)

    return (store or default_store()).fetch(keys, compute, stop)


def require(device: str) -> None:
    """Say early, and without importing torch for the CPU, that a device is unknown or missing."""
    if device == "cpu":
        return
    if re.fullmatch(r"cuda(:\d+)?", device) is None:
        raise ParameterError("device", device, "cpu or cuda")
    import torch

    if int(device.partition(":")[2] or 0) >= torch.cuda.device_count():
        raise NoDevice(f"this machine has no device {device}")


def _ignore(fraction: float, partial: Any) -> None:
    pass


def _never() -> bool:
    return False
