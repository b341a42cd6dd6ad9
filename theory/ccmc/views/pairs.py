"""What the figures over pairs of tokens draw: which pairs training prompts connect, which moves one text contains."""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from theory.ccmc.problem import Chain, Floats, Integers
from theory.ccmc.prompt_coverage import coverage_of
from theory.ccmc.single_trajectory import move_exponents
from theory.ccmc.views.runs import all_shares, names_of, reached
from theory.ccmc.views.talk import stable_sets
from theory.core.errors import DataError

LENGTHS = 3
"""Lengths of the text at which moves are shown: the whole, and two shorter ones on the logarithmic axis."""


def coverage(chain: Chain) -> Dataset:
    """Which tokens occur together in the training prompts, for each last token, and which log-ratios they determine.

    Returns:
        ``component`` (last, token): 0 for the largest component. ``edge`` (pair, end): last token and two tokens that
        some prompt has among its keys. ``known`` (last, token, other). ``name`` (token). Attribute ``unknown``: how
        many directions of log P stay free.
    """
    found = coverage_of(chain.counts, chain.last)
    component = np.zeros_like(found.component)
    edges: list[Integers] = []
    for last in range(chain.vocab_size):
        _, label, size = np.unique(found.component[last], return_inverse=True, return_counts=True)
        component[last] = np.argsort(np.argsort(-size, kind="stable"))[label]
        present = (chain.counts[chain.last == last] > 0).astype(np.int64)
        first, second = np.nonzero(np.triu(present.T @ present, 1))
        edges.append(np.column_stack([np.full(len(first), last), first, second]).astype(np.int64))
    return Dataset(
        {
            "component": (("last", "token"), component),
            "edge": (("pair", "end"), np.concatenate(edges)),
            "known": (("last", "token", "other"), found.known),
            "name": ("token", names_of(chain)),
        },
        attrs={"unknown": found.n_unidentifiable},
    )


def transition_exponents(chain: Chain, raw: Dataset | None = None) -> Dataset:
    """With which power of the text's length each move i to l is seen, next to the winner set most runs reached.

    Args:
        raw: ``counts`` (replicate, time, token) and cumulative ``moves`` (replicate, time, last, token), ``seed``
            perhaps before; without it only the theory is shown, for the first winner set.

    Returns:
        ``exponent`` (from, to), ``name`` (token); with runs ``moves`` (length, from, to): their mean over the runs that
        reached the winner set, at coordinate ``length``. Attribute ``winners``: the names of the winners.

    Raises:
        DataError: ``no_winner``, no winner set is stable.
    """
    goals, exponent = stable_sets(chain)
    if not len(goals):
        raise DataError("no_winner", "no set of tokens is a stable winner set, so no move has an exponent.")
    which = 0
    data: dict[str, tuple[object, ...]] = {}
    coords: dict[str, Floats] = {}
    if raw is not None:
        ended = reached(all_shares(raw)[:, -1], goals)
        which = int(np.bincount(ended + 1, minlength=len(goals) + 1)[1:].argmax())
        order = [name for name in ("seed", "replicate", "time", "last", "token") if name in raw.moves.dims]
        moves = np.asarray(raw.moves.transpose(*order).values, dtype=np.float64)
        moves = moves.reshape(-1, *moves.shape[-3:])[ended == which]
        time = np.asarray(raw["time"].values, dtype=np.float64)
        shown = [int(at) for at in np.linspace(0, len(time) - 1, LENGTHS + 1).round()[1:]]
        if len(moves):
            data["moves"] = (("length", "from", "to"), moves[:, shown].mean(axis=0), {"long_name": "moves seen"})
            coords["length"] = time[shown]
    data["exponent"] = (("from", "to"), move_exponents(exponent[which]), {"long_name": "exponent of the text's length"})
    data["name"] = ("token", names_of(chain))
    winners = ", ".join(chain.name(int(token)) for token in np.flatnonzero(goals[which]))
    return Dataset(data, coords=coords, attrs={"winners": winners})
