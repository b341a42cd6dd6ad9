"""What the figures of measured points on predicted curves draw: who wins, and what learning costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.ccmc.problem import Chain, prompt_of_counts
from theory.ccmc.simulation.sampling import simulate
from theory.ccmc.two_tokens import two_tokens
from theory.ccmc.two_tokens import winner_probability as predicted_probability
from theory.ccmc.views.runs import names_of
from theory.core.errors import Cancelled
from theory.shared.intervals import wilson

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

STATISTICS = ["mean", "low", "high"]
DECIDED = 100_000
"""Tokens after which a run is on the side of the separatrix that it stays on."""


def winner_probability(
    chain: Chain,
    counts: Sequence[int] = tuple(range(1, 13)),
    *,
    runs: int = 0,
    seed: int = 0,
    stop: Callable[[], bool] = bool,
) -> Dataset:
    """Probability that token 0 wins from prompts with these counts of it; token 1 and the last token stay as they are.

    Args:
        runs: simulated runs per count; 0 draws the theory alone.

    Returns:
        ``predicted`` (count), ``name`` (token), with runs ``won`` (statistic, count): share of runs and its 95 %
        Wilson interval.

    Raises:
        DataError: there are more than two tokens. Cancelled: ``stop`` said so.
    """
    odds = two_tokens(chain.transition)
    last, other = chain.initial_last, int(chain.initial_counts[1])
    predicted: list[float] = []
    measured: list[tuple[float, float, float]] = []
    for count in counts:
        if stop():
            raise Cancelled
        prompt = (int(count), max(other, last))
        predicted.append(predicted_probability(chain.transition, prompt, last)[0])
        if runs:
            seeds = [(seed, int(count), run) for run in range(runs)]
            text = simulate(chain.transition, prompt_of_counts(prompt, last), DECIDED, seeds, times=np.array([DECIDED]))
            share = text.counts[:, -1, 0] / text.counts[:, -1].sum(axis=1)
            separatrix = odds.balance if odds.phase == "bistable" else 0.5
            measured.append(wilson(int((share > separatrix).sum()), runs))
    data: dict[str, tuple[object, ...]] = {
        "predicted": ("count", predicted, {"long_name": "probability that token 0 wins"}),
        "name": ("token", names_of(chain)),
    }
    if runs:
        data["won"] = (("statistic", "count"), np.array(measured).T, {"long_name": "runs that token 0 won"})
    return Dataset(data, coords={"count": list(counts), "statistic": STATISTICS})


def learning_error(
    n: Sequence[int], errors: Floats, risks: Floats, finite: Booleans, *, trace: float, rank: int
) -> Dataset:
    """n times squared error and 2n times excess risk against n, with mean and 2 standard errors over the replicates.

    Args:
        n: numbers of training prompts, ascending, (N,).
        errors: squared error of the centred logits (N, R). risks: excess risk (N, R), nats.
        finite: whether the estimate exists (N, R); only those replicates enter the means.
        trace: predicted limit of n times squared error. rank: predicted limit of 2n times excess risk.

    Returns:
        ``error``, ``risk`` (statistic, n), ``missing`` (n: share of replicates without a finite estimate), ``trace``,
        ``rank``.
    """
    sizes = np.asarray(n, dtype=np.float64)
    return Dataset(
        {
            "error": (("statistic", "n"), _bars(sizes[:, None] * errors, finite), {"long_name": "n x squared error"}),
            "risk": (("statistic", "n"), _bars(2 * sizes[:, None] * risks, finite), {"long_name": "2n x excess risk"}),
            "missing": ("n", 1 - finite.mean(axis=1), {"long_name": "replicates without a finite estimate"}),
            "trace": float(trace),
            "rank": int(rank),
        },
        coords={"n": [int(size) for size in n], "statistic": STATISTICS},
    )


def _bars(values: Floats, kept: Booleans) -> Floats:
    """Mean and mean -+ 2 standard errors (3, N) of the kept values (N, R); NaN with fewer than two."""
    found = np.full((3, len(values)), np.nan)
    for row, (line, good) in enumerate(zip(values, kept, strict=True)):
        if good.sum() > 1:
            mean, error = float(line[good].mean()), float(line[good].std(ddof=1)) / int(good.sum()) ** 0.5
            found[:, row] = mean, mean - 2 * error, mean + 2 * error
    return found
