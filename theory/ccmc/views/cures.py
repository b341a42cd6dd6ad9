"""What the figures about cures draw: the winner's share under each change of generation, and pieces of the text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.ccmc.cures import balance, stationary_law
from theory.ccmc.problem import Chain
from theory.ccmc.simulation.sampling import simulate, tempered
from theory.ccmc.views.runs import names_of
from theory.ccmc.winners import LARGEST_VOCABULARY, winner_sets
from theory.core.errors import Cancelled

Floats = npt.NDArray[np.float64]

SETTINGS: dict[str, tuple[float, ...]] = {
    "output_temperature": (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0),
    "attention_temperature": (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0),
    "count_cap": (1, 3, 10, 30, 100, 300, 1000),
    "window": (4, 8, 16, 32, 64, 128, 256, 512, 1000),
}
"""Values at which each cure is tried."""
WHOLE = ("count_cap", "window")
TOKENS = 20_000
STATISTICS = ["mean", "low", "high"]


def cures(
    chain: Chain,
    now: Mapping[str, float | None],
    *,
    runs: int = 0,
    tokens: int = TOKENS,
    seed: int = 0,
    stop: Callable[[], bool] = bool,
) -> Dataset:
    """Share of the most frequent token against each cure alone, the others off.

    Args:
        now: where the sliders stand, by the name of the cure; None for off.
        runs: simulated runs per value, of ``tokens`` tokens; 0 draws the theory alone.

    Returns:
        ``setting`` (cure, point; NaN after the last), ``predicted`` (cure, point): the limit of ever longer texts, NaN
        where none is known, ``top_share`` (statistic, cure, point): mean over the runs, mean -+ 2 standard errors.
        ``now`` (cure; NaN for off).

    Raises:
        Cancelled: ``stop`` said so.
    """
    shape = (len(SETTINGS), max(len(values) for values in SETTINGS.values()))
    setting, predicted, top = np.full(shape, np.nan), np.full(shape, np.nan), np.full((3, *shape), np.nan)
    for row, (kind, values) in enumerate(SETTINGS.items()):
        for point, value in enumerate(values):
            if stop():
                raise Cancelled
            setting[row, point] = value
            predicted[row, point] = _limit(chain, kind, float(value))
            if runs:
                seeds = [(seed, row, point, run) for run in range(runs)]
                shares = _last_shares(chain, kind, value, tokens, seeds, stop).max(axis=1)
                half = 2 * float(shares.std(ddof=1)) / runs**0.5 if runs > 1 else 0.0
                top[:, row, point] = shares.mean(), shares.mean() - half, shares.mean() + half
    return Dataset(
        {
            "setting": (("cure", "point"), setting),
            "predicted": (("cure", "point"), predicted, {"long_name": "limit of the top token's share"}),
            "top_share": (("statistic", "cure", "point"), top, {"long_name": "share of the top token"}),
            "now": ("cure", [_off_is_nan(now.get(kind)) for kind in SETTINGS]),
        },
        coords={"cure": list(SETTINGS), "statistic": STATISTICS},
        attrs={"tokens": tokens, "runs": runs},
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
    pieces: list[npt.NDArray[np.int64]] = []
    for options in variants.values():
        text = _simulated(chain, dict(options), int(times[-1]), [seed], times)
        pieces.append(text.last[0][np.searchsorted(times, places)])
    return Dataset(
        {
            "token": (("variant", "place", "position"), np.array(pieces)),
            "start": ("place", list(starts)),
            "label": ("variant", list(variants)),
            "name": ("token_id", names_of(chain)),
        }
    )


def _simulated(chain: Chain, options: dict[str, Any], tokens: int, seeds: Any, times: Floats) -> Any:
    transition = tempered(chain.transition, float(options.pop("attention_temperature", 1.0)))
    return simulate(transition, chain.prompt, tokens, seeds, times=times, **options)


def _last_shares(chain: Chain, kind: str, value: float, tokens: int, seeds: Any, stop: Callable[[], bool]) -> Floats:
    end = len(chain.prompt) + tokens
    setting = int(value) if kind in WHOLE else value
    text = _simulated(chain, {kind: setting, "stop": stop}, end, seeds, np.array([end], dtype=np.float64))
    counts = np.asarray(text.counts[:, -1], dtype=np.float64)
    return counts / counts.sum(axis=1, keepdims=True)


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
