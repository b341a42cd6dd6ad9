"""What the talk picture draws: which tokens can win, and the share of each as a model feeds on its own output.

Runs come from the experiment ``generation`` (see :mod:`theory.ccmc.views.runs`).
"""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from theory.ccmc.problem import Booleans, Chain, Floats
from theory.ccmc.simulation.cost import log_times
from theory.ccmc.two_tokens import two_tokens
from theory.ccmc.views.runs import TIMES, all_shares, names_of, reached, some_shares
from theory.ccmc.views.simplex import flow
from theory.ccmc.winners import LARGEST_VOCABULARY, single_winners, winner_sets

MOST_RUNS, MOST_CURVES = 20, 72
"""Runs shown, and curves (runs times tokens): more are slow to draw and hide each other."""
SEEN_FROM = 0.4
"""Predicted lines start at this part of the logarithmic time axis: before, no asymptote holds."""
PHASES = {
    "first wins": "{0} wins from every prompt",
    "second wins": "{1} wins from every prompt",
    "bistable": "{0} or {1} wins, and the prompt decides which",
    "mixed": "both stay, whatever the prompt",
    "boundary": "the chain is on the boundary between two phases",
}


def structure(chain: Chain, raw: Dataset | None = None) -> Dataset:
    """What can win, as the left panel of the talk picture shows it; attribute ``kind`` names the view.

    Two tokens: :func:`phases`. Three: :func:`flow`. More: :func:`winners`.
    """
    if chain.vocab_size == 2:
        return phases(chain)
    return flow(chain, raw) if chain.vocab_size == 3 else winners(chain, raw)


def phases(chain: Chain) -> Dataset:
    """A chain of two tokens in the phase diagram.

    Returns:
        ``odds_first`` α, ``odds_second`` β (scalars), ``name`` (token); attribute ``phase`` is a sentence.

    Raises:
        DataError: there are more than two tokens.
    """
    odds = two_tokens(chain.transition)
    return Dataset(
        {"odds_first": odds.first, "odds_second": odds.second, "name": ("token", names_of(chain))},
        attrs={"kind": "phases", "phase": PHASES[odds.phase].format(*names_of(chain))},
    )


def winners(chain: Chain, raw: Dataset | None = None) -> Dataset:
    """All stable winner sets, those that most runs reached first. Above 12 tokens only single winners are listed.

    Returns:
        ``share_of_winner`` (set, token): shares in the limit, 0 for losers. ``exponent`` (set, token): counts grow as n
        to this power. ``won`` (set): runs that ended there. ``name`` (token). Attributes ``runs``, ``vocab_size``.
    """
    shares, exponent = stable_sets(chain)
    last = all_shares(raw)[:, -1] if raw is not None else np.zeros((0, chain.vocab_size))
    won = np.bincount(reached(last, shares) + 1, minlength=len(shares) + 1)[1:]
    order = np.argsort(-won, kind="stable")
    return Dataset(
        {
            "share_of_winner": (("set", "token"), shares[order]),
            "exponent": (("set", "token"), exponent[order]),
            "won": ("set", won[order]),
            "name": ("token", names_of(chain)),
        },
        attrs={"kind": "winner_sets", "vocab_size": chain.vocab_size, "runs": len(last)},
    )


def growth(chain: Chain, raw: Dataset | None = None, *, until: float = 1e6, plain: bool = True) -> Dataset:
    """Shares of all tokens against the number of tokens, in runs and in theory.

    The theory gives the slope of log share against log n in each winner set, not the height: lines pass through the
    median of the runs that ended in that set, at the last point; without runs, through the first prompt.

    Args:
        until: where the axis ends when there are no runs.
        plain: whether generation is the plain process; if a cure is on, no line is predicted.

    Returns:
        ``line`` (set, token, time), ``slope`` (set, token), ``member`` (set, token: who wins), ``name`` (token), with
        runs ``share`` (run, time, token) and ``winner`` (run: index of a set, -1 for none). Coordinate ``time``.
        Attribute ``vocab_size``.
    """
    goals, exponent = stable_sets(chain)
    if not plain:
        goals, exponent = goals[:0], exponent[:0]
    data: dict[str, tuple[object, ...]] = {}
    if raw is None:
        counts = chain.initial_counts.astype(np.float64)
        time = log_times(counts.sum(), max(until, 10 * counts.sum()), TIMES)
        anchors = np.tile(counts / counts.sum(), (len(goals), 1))
        at, start = 0, 0
    else:
        shares, time = some_shares(raw, max(5, min(MOST_RUNS, MOST_CURVES // chain.vocab_size)))
        last = all_shares(raw)[:, -1]
        ended = reached(last, goals)
        anchors = np.full(goals.shape, np.nan)
        for which in np.unique(ended[ended >= 0]).tolist():
            anchors[which] = np.median(last[ended == which], axis=0)
        at, start = -1, int(SEEN_FROM * len(time))
        data["share"] = (("run", "time", "token"), shares, {"long_name": "share of the text"})
        data["winner"] = ("run", ended[: len(shares)])
    member: Booleans = goals > 0
    slope = exponent - 1
    line = np.full((*goals.shape, len(time)), np.nan)
    for which in np.flatnonzero(np.isfinite(anchors[:, 0])).tolist():
        losing = anchors[which][:, None] * (time / time[at]) ** slope[which][:, None]
        line[which] = np.where(member[which][:, None], goals[which][:, None], losing)
    line[:, :, :start] = np.nan
    data |= {
        "line": (("set", "token", "time"), np.where(line > 0, line, np.nan), {"long_name": "share of the text"}),
        "slope": (("set", "token"), np.where(member, 0.0, slope)),
        "member": (("set", "token"), member),
        "name": ("token", names_of(chain)),
    }
    return Dataset(data, coords={"time": ("time", time)}, attrs={"vocab_size": chain.vocab_size})


def stable_sets(chain: Chain) -> tuple[Floats, Floats]:
    """Shares and growth exponents (set, token) of the winner sets; above 12 tokens only of the single winners."""
    if chain.vocab_size <= LARGEST_VOCABULARY:
        found = winner_sets(chain.transition)
        return found.shares, found.exponents
    alone = single_winners(chain.transition)
    rows = chain.transition[alone]
    return np.eye(chain.vocab_size)[alone], rows / rows[np.arange(len(alone)), alone][:, None]
