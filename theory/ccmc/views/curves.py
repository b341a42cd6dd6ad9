"""What the figures of measured points on predicted curves draw: who wins, and what learning costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xarray import Dataset

from theory.ccmc.data import draw
from theory.ccmc.experiments.learning import fits
from theory.ccmc.experiments.shown import FIRST_COUNTS
from theory.ccmc.fisher import information_of
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain, Floats, checked_positive
from theory.ccmc.two_tokens import two_tokens
from theory.ccmc.two_tokens import winner_probability as predicted_probability
from theory.ccmc.views.runs import STATISTICS, bars, names_of
from theory.core.runs import fetch
from theory.core.vocabulary import Replicate, Stop
from theory.shared.intervals import wilson


def winner_probability(chain: Chain, raw: Dataset | None = None) -> Dataset:
    """Probability that token 0 wins from prompts with more and more of it; token 1 and the last token stay as they are.

    Args:
        raw: ``share`` of token 0 (count, replicate), of the experiment ``wins_by_count``; None draws the theory alone.

    Returns:
        ``predicted`` (count), ``name`` (token), with runs ``won`` (statistic, count): share of runs and its 95 %
        Wilson interval.

    Raises:
        DataError: there are more than two tokens.
    """
    odds, last = two_tokens(chain.transition), chain.initial_last
    counts = list(FIRST_COUNTS) if raw is None else raw["count"].values.tolist()
    other = max(int(chain.initial_counts[1]), last)
    predicted = [predicted_probability(chain.transition, (count, other), last)[0] for count in counts]
    data: dict[str, tuple[object, ...]] = {
        "predicted": ("count", predicted, {"long_name": "probability that token 0 wins"}),
        "name": ("token", names_of(chain)),
    }
    if raw is not None:
        shares: Floats = raw.share.transpose("count", "replicate").values
        separatrix = odds.balance if odds.phase == "bistable" else 0.5
        won = [wilson(int((row > separatrix).sum()), len(row)) for row in shares]
        data["won"] = (("statistic", "count"), np.array(won).T, {"long_name": "runs that token 0 won"})
    return Dataset(data, coords={"count": counts, "statistic": STATISTICS})


def learning_curve(
    chain: Chain, params: Params, sizes: Sequence[int], replicates: int, *, stop: Stop = bool
) -> Dataset:
    """Errors and risks of ``replicates`` fits to each of ``sizes`` training prompts, drawn as ``params`` say.

    Returns:
        What :func:`learning_error` returns.

    Raises:
        DataError: P has zeros, so log P is infinite. Cancelled: ``stop()`` turned true.
    """
    checked_positive(chain.transition)
    designed, found = chain, list[Dataset]()
    for size in sizes:
        brief = params.with_values(n_samples=size, replicates=replicates, sequences=None, labels=None)
        designed = draw(brief, params.data_seed)
        found += fetch(fits, brief, [Replicate(designed, 0)], stop=stop)[0]
    return learning_error(sizes, found, designed)


def learning_error(sizes: Sequence[int], raws: Sequence[Dataset], largest: Chain) -> Dataset:
    """n times squared error and 2n times excess risk against n, with mean and 2 standard errors over the replicates.

    Args:
        sizes: numbers of training prompts, ascending, (N,). raws: what the experiment ``fits`` found for each; only
            replicates with a finite estimate enter the means. largest: the problem with the most prompts.

    Returns:
        ``error``, ``risk`` (statistic, n), ``missing`` (n: share of replicates without a finite estimate), ``trace``
        and ``rank``, which Fisher's information on the largest design predicts for them.
    """
    information = information_of(largest)
    errors, risks = (
        np.stack([factor * size * _means(raw, name) for size, raw in zip(sizes, raws, strict=True)], axis=1)
        for name, factor in (("squared_error", 1), ("kl", 2))
    )
    missing = [1 - float(raw.exists.mean()) for raw in raws]
    return Dataset(
        {
            "error": (("statistic", "n"), errors, {"long_name": "n x squared error"}),
            "risk": (("statistic", "n"), risks, {"long_name": "2n x excess risk"}),
            "missing": ("n", missing, {"long_name": "replicates without a finite estimate"}),
            "trace": information.constant,
            "rank": information.rank,
        },
        coords={"n": list(sizes), "statistic": STATISTICS},
    )


def _means(raw: Dataset, name: str) -> Floats:
    """Mean and mean -+ 2 standard errors (3,) over the replicates with an estimate; NaN with fewer than two."""
    kept: Floats = raw[name].values[raw.exists.values.astype(bool)]
    return bars(kept) if len(kept) > 1 else np.full(3, np.nan)
