"""What the simplex shows: fixed points, drift and basins of attraction of the shares of three tokens."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from xarray import Dataset

from theory.ccmc.flow import velocity
from theory.ccmc.flow_compiled import integrate
from theory.ccmc.problem import Chain, Floats, Integers
from theory.ccmc.views.runs import names_of, reached, some_shares
from theory.ccmc.winners import fixed_points

ROWS = 28
"""Rows of small triangles whose basins are computed: ROWS^2 of them."""
ARROWS = 10
PATHS = 10
LONGEST_ARROW = 0.065
COARSE = 1e-4
"""Tolerance of the basins' paths: some times faster than the flow's own; only cells on a separatrix can tell."""
ENOUGH = 60.0
"""Log-time after which a start has reached its winner set, or is shown as reaching none."""


def flow(chain: Chain, raw: Dataset | None = None) -> Dataset:
    """Three tokens: where the shares drift, and which winner set each start reaches.

    Returns:
        ``fixed`` (point, token), ``stable`` (point): the fixed points. ``basin`` (cell): index of the fixed point that
        each small triangle of the simplex flows to, -1 for none; triangles row by row from the edge of tokens 0 and 1,
        standing and hanging ones in turn. ``arrow_tail``, ``arrow_tip`` (arrow, token). ``name`` (token). With runs
        ``path`` (run, time, token). Attribute ``rows``: rows of triangles.
    """
    found = fixed_points(chain.transition)
    tail, tip = _arrows(chain.transition.tobytes())
    data: dict[str, tuple[object, ...]] = {
        "fixed": (("point", "token"), found.shares),
        "stable": ("point", found.stable),
        "basin": ("cell", _basins(chain.transition.tobytes())),
        "arrow_tail": (("arrow", "token"), tail),
        "arrow_tip": (("arrow", "token"), tip),
        "name": ("token", names_of(chain)),
    }
    if raw is not None:
        shares, _ = some_shares(raw, PATHS)
        data["path"] = (("run", "time", "token"), shares)
    return Dataset(data, attrs={"kind": "flow", "rows": ROWS})


@lru_cache(maxsize=32)
def _basins(content: bytes) -> Integers:
    transition = np.frombuffer(content).reshape(3, 3)
    found = fixed_points(transition)
    stable = np.flatnonzero(found.stable)
    if not len(stable):
        return np.full(ROWS**2, -1, dtype=np.int64)
    centres: list[tuple[float, float]] = []
    for row in range(ROWS):
        for place in range(2 * (ROWS - row) - 1):
            # A standing triangle has its centre a third of the way up, a hanging one two thirds.
            up = row + (1 + place % 2) / 3
            centres.append((place // 2 + (1 + place % 2) / 3, up))
    first = np.array(centres) / ROWS
    starts = np.column_stack([1 - first.sum(axis=1), first])
    ends = integrate(transition, np.log(starts), np.array([ENOUGH]), COARSE)[:, 0]
    which = reached(np.exp(ends), found.shares[stable])
    return np.where(which >= 0, np.append(stable, -1)[which], -1)


@lru_cache(maxsize=32)
def _arrows(content: bytes) -> tuple[Floats, Floats]:
    transition = np.frombuffer(content).reshape(3, 3)
    grid = np.array([(i + 1 / 3, j + 1 / 3) for i in range(ARROWS) for j in range(ARROWS - i)]) / ARROWS
    tail = np.column_stack([1 - grid.sum(axis=1), grid])
    drift = velocity(transition, tail)
    speed = np.linalg.norm(drift, axis=1, keepdims=True)
    # Slow places must still show a direction: lengths grow with the square root of the speed.
    length = LONGEST_ARROW * np.sqrt(speed / max(float(speed.max()), 1e-12))
    tip = tail + drift / np.maximum(speed, 1e-12) * length
    return tail, np.maximum(tip, 0.0) / np.maximum(tip, 0.0).sum(axis=1, keepdims=True)
