"""What the figures about cures draw: the winner's share under each change of generation, and pieces of the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from xarray import Dataset

from theory.ccmc.cures import balance, stationary_law
from theory.ccmc.experiments.shown import SETTINGS
from theory.ccmc.mapping import tempered
from theory.ccmc.problem import Chain, Floats, Integers
from theory.ccmc.simulation.sampling import simulate
from theory.ccmc.views.runs import STATISTICS, bars, names_of
from theory.ccmc.winners import LARGEST_VOCABULARY, winner_sets


def cures(chain: Chain, now: Mapping[str, float | None], raw: Dataset | None = None) -> Dataset:
    """Share of the most frequent token against each cure alone, the others off.

    Args:
        now: where the sliders stand, by the name of the cure; None for off.
        raw: ``top_share`` (replicate, cure, point), of the experiment ``cured_texts``; None draws the theory alone.

    Returns:
        ``setting`` (cure, point; NaN after the last), ``predicted`` (cure, point): the limit of ever longer texts, NaN
        where none is known, ``top_share`` (statistic, cure, point): mean over the runs, mean -+ 2 standard errors.
        ``now`` (cure; NaN for off).
    """
    shape = (len(SETTINGS), max(len(values) for values in SETTINGS.values()))
    setting, predicted = np.full(shape, np.nan), np.full(shape, np.nan)
    for row, (kind, values) in enumerate(SETTINGS.items()):
        setting[row, : len(values)] = values
        predicted[row, : len(values)] = [_limit(chain, kind, float(value)) for value in values]
    top = np.full((3, *shape), np.nan) if raw is None else bars(raw.top_share.values)
    return Dataset(
        {
            "setting": (("cure", "point"), setting),
            "predicted": (("cure", "point"), predicted, {"long_name": "limit of the top token's share"}),
            "top_share": (("statistic", "cure", "point"), top, {"long_name": "share of the top token"}),
            "now": ("cure", [_off_is_nan(now.get(kind)) for kind in SETTINGS]),
        },
        coords={"cure": list(SETTINGS), "statistic": STATISTICS},
    )


def generated_text(
    chain: Chain,
    variants: Mapping[str, Mapping[str, Any]],
    *,
    starts: tuple[int, ...] = (0, 10_000),
    length: int = 100,
    seed: int = 0,
) -> Dataset:
    """Pieces of text generated from the first prompt, plain and with cures.

    Args:
        variants: label -> keyword arguments of :func:`theory.ccmc.simulate`, or ``attention_temperature``.
        starts: generated tokens before each piece. length: tokens of a piece.

    Returns:
        ``token`` (variant, place, position), ``start`` (place), ``label`` (variant), ``name`` (token).
    """
    first = len(chain.prompt) + 1
    places = np.array([[start + first + at for at in range(length)] for start in starts], dtype=np.float64)
    times = np.unique(places)
    pieces: list[Integers] = []
    for options in variants.values():
        cures = dict(options)
        transition = tempered(chain.transition, float(cures.pop("attention_temperature", 1.0)))
        text = simulate(transition, chain.prompt, int(times[-1]), [seed], times=times, **cures)
        pieces.append(text.last[0][np.searchsorted(times, places)])
    return Dataset(
        {
            "token": (("variant", "place", "position"), np.array(pieces)),
            "start": ("place", list(starts)),
            "label": ("variant", list(variants)),
            "name": ("token_id", names_of(chain)),
        }
    )


def _limit(chain: Chain, kind: str, value: float) -> float:
    """The top token's share in ever longer texts; NaN where it depends on the run, or nothing is known."""
    match kind:
        case "attention_temperature":
            return _winners_share(tempered(chain.transition, value))
        case "output_temperature" if value == 1:
            return _winners_share(chain.transition)
        case "count_cap":
            return float(stationary_law(chain.transition).max())
        case "window":
            return 1.0
        case _ if value < 1:
            return 1.0
        case _:
            return float(balance(chain.transition, value).shares.max())


def _winners_share(transition: Floats) -> float:
    if len(transition) > LARGEST_VOCABULARY:
        return float("nan")
    tops = winner_sets(transition).shares.max(axis=1)
    return float(tops[0]) if len(tops) and np.ptp(tops) < 1e-9 else float("nan")


def _off_is_nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)
