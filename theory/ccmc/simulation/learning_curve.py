"""How well P is learnt from ever more prompts: errors of simulated fits beside the constants that theory predicts."""

from __future__ import annotations

from collections.abc import Sequence

from xarray import Dataset

from theory.ccmc.data import draw
from theory.ccmc.experiments.learning import fits
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain
from theory.ccmc.views.curves import learning_error
from theory.core.errors import DataError
from theory.core.runs import fetch
from theory.core.vocabulary import Replicate, Stop


def learning_curve(
    chain: Chain, params: Params, sizes: Sequence[int], replicates: int, *, stop: Stop = bool
) -> Dataset:
    """Errors and risks of ``replicates`` fits to each of ``sizes`` training prompts, drawn as ``params`` say.

    Returns:
        What :func:`theory.ccmc.views.learning_error` returns.

    Raises:
        DataError: P has zeros, so log P is infinite. Cancelled: ``stop()`` turned true.
    """
    if not (chain.transition > 0).all():
        raise DataError("transition_zero", "P has zeros: log P is infinite, and its error too.")
    designed, found = chain, list[Dataset]()
    for size in sizes:
        brief = params.with_values(n_samples=size, replicates=replicates, sequences=None, labels=None)
        designed = draw(brief, params.data_seed)
        found += fetch(fits, brief, [Replicate(designed, 0)], stop=stop)[0]
    return learning_error(sizes, found, designed)
