"""What the experiments of all rooms share: running one replicate after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xarray import Dataset

from theory.core.errors import Cancelled
from theory.core.vocabulary import D, Emit, Replicate, Stop


def each(
    replicates: Sequence[Replicate[D]], one: Callable[[Replicate[D]], Dataset], emit: Emit, stop: Stop
) -> list[Dataset]:
    """What ``one`` finds in each replicate, in order; says how far it is, and shows the first result as soon as it is.

    Raises:
        Cancelled: ``stop()`` turned true.
    """
    found: list[Dataset] = []
    for replicate in replicates:
        if stop():
            raise Cancelled
        found.append(one(replicate))
        emit(len(found) / len(replicates), found[0])
    return found
