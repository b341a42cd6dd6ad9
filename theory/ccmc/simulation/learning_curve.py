"""How well P is learnt from ever more prompts: errors of simulated fits beside the constants that theory predicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from xarray import Dataset

from theory.ccmc.data import draw
from theory.ccmc.experiments.learning import fits
from theory.ccmc.fisher import information_of
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain
from theory.ccmc.views.curves import learning_error
from theory.core.errors import Cancelled, DataError
from theory.core.vocabulary import Replicate


def learning_curve(
    chain: Chain, params: Params, sizes: Sequence[int], replicates: int, *, stop: Callable[[], bool] = bool
) -> Dataset:
    """Errors and risks of ``replicates`` fits to each of ``sizes`` training prompts, drawn as ``params`` say.

    Returns:
        What :func:`theory.ccmc.views.learning_error` returns; its constants are those of the largest design.

    Raises:
        DataError: P has zeros, so log P is infinite. Cancelled: ``stop()`` turned true.
    """
    if not (chain.transition > 0).all():
        raise DataError("transition_zero", "P has zeros: log P is infinite, and its error too.")
    found: list[Dataset] = []
    designed = chain
    for size in sizes:
        if stop():
            raise Cancelled
        brief = params.with_values(n_samples=size, replicates=replicates, sequences=None, labels=None)
        designed = draw(brief, params.data_seed)
        found += fits.run(brief, [Replicate(designed, 0)], "cpu", _ignore, stop)
    information = information_of(designed)
    errors, risks, finite = (
        np.stack([np.asarray(raw[name].values) for raw in found]) for name in ("squared_error", "kl", "exists")
    )
    return learning_error(sizes, errors, risks, finite.astype(bool), trace=information.constant, rank=information.rank)


def _ignore(fraction: float, partial: Any) -> None:
    pass
