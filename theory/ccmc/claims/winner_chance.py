"""The claim about the probability that one of two tokens wins."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from scipy.optimize import brentq
from xarray import Dataset

from theory.ccmc.claims import assumptions as needs
from theory.ccmc.claims.measures import moved
from theory.ccmc.claims.two_tokens import SAFE, SLOWEST, first_block, first_shares, odds_of, two_token_needs
from theory.ccmc.experiments.flows import growth
from theory.ccmc.experiments.generation import generation
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain
from theory.ccmc.two_tokens import winner_probability
from theory.core.vocabulary import Assumption, Check, Claim, Rival, Symbol


def _probability(value: float, error: float = 0.0) -> Dataset:
    return Dataset(
        {
            "win_probability": (("token",), np.array([value, 1 - value])),
            "win_probability_allowance": ((), error, {"long_name": "numerical error of the probability"}),
        },
        coords={"token": [0, 1]},
    )


def _start(chain: Chain) -> tuple[tuple[int, int], int]:
    """Counts of the first two tokens and which of them is last; at least one of the last."""
    counts = chain.initial_counts[:2].tolist()
    last = min(chain.initial_last, 1)
    counts[last] = max(counts[last], 1)
    return (counts[0], counts[1]), last


def _predict_probability(params: Params, chain: Chain) -> Dataset:
    counts, last = _start(chain)
    return _probability(*winner_probability(first_block(chain), counts, last))


def _measure_probability(params: Params, chain: Chain, raw: Dataset) -> Dataset:
    """Fraction of runs that end where the flow, integrated from its definition, drives the share of token 0 up.

    The standard error adds two wins and two losses (Agresti and Coull), so that it is not zero where all runs agree.
    """
    found, block = first_shares(raw), first_block(chain)

    def pull(share: float) -> float:
        speed = growth(block, np.log([share, 1 - share]))
        return float(speed[0] - speed[1])

    ends = (1e-9, 1 - 1e-9)
    turns = pull(ends[0]) < 0 < pull(ends[1])
    won = found.run_share.values[:, -1] > (float(cast(Any, brentq)(pull, *ends)) if turns else 0.5)
    fraction, error = float(won.mean()), _counting_error(float(won.sum()), len(won))
    return found.assign(
        win_probability=(("token",), np.array([fraction, 1 - fraction])),
        win_probability_se=(("token",), np.full(2, error), {"replicates": len(won)}),
    )


def _counting_error(won: float, runs: int) -> float:
    smoothed = (won + 2) / (runs + 4)
    return float(np.sqrt(smoothed * (1 - smoothed) / (runs + 4)))


def _compare_probability(params: Params, chain: Chain, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    """Fraction of runs that end above the separatrix. Runs within SAFE standard deviations of it are undecided: each
    counts half, and half of their fraction is allowed, besides the error of the dynamic programme."""
    odds = odds_of(chain)
    last, runs = measured.run_share.values[:, -1], measured.sizes["run"]
    undecided = np.abs(last - odds.balance) < SAFE * odds.noise / np.sqrt(measured["time"].values[-1])
    won = np.where(undecided, 0.5, last > odds.balance)
    allowed = float(undecided.mean()) / 2 + float(prediction.win_probability_allowance)
    return (
        Check(
            name="fraction won by token 0 over its probability",
            deviation=float(won.mean() - prediction.win_probability[0]),
            allowance=(-allowed, allowed),
            resolution=0.05,
            standard_error=_counting_error(float(won.sum()), runs),
            replicates=runs,
            raise_hint="n_tokens",
        ),
    )


def _prompt_share(params: Params, chain: Chain) -> Dataset:
    """As in Polya's urn: the share of the prompt."""
    counts, _ = _start(chain)
    return _probability(counts[0] / sum(counts))


def _other_last(params: Params, chain: Chain) -> Dataset:
    """Averaged over the last token by the shares, as if it did not matter which one it is."""
    counts, _ = _start(chain)
    block = first_block(chain)
    each = [winner_probability(block, counts, token)[0] if counts[token] else 0.0 for token in (0, 1)]
    return _probability((counts[0] * each[0] + counts[1] * each[1]) / sum(counts))


def _certain(params: Params, chain: Chain) -> Dataset:
    """The side of the separatrix decides, without chance."""
    counts, _ = _start(chain)
    return _probability(float(counts[0] / sum(counts) > odds_of(chain).balance))


def _bistable(chain: Chain) -> Assumption:
    odds = odds_of(chain)
    detail = f"odds {odds.first:.3g} and {odds.second:.3g}: {odds.phase}, rate {odds.rate:.2g} per log-time"
    return Assumption("either token can win", odds.phase == "bistable" and odds.rate >= SLOWEST, detail)


winner_chance = Claim(
    id="winner-probability",
    title="Chance picks the winner, with a probability that the prompt fixes",
    statement="When both tokens can win, the probability that token 0 does follows exactly from the counts and the "
    "last token of the prompt, by a dynamic programme over the counts.",
    latex=r"V_n(x,\ell)=\pi_0V_{n+1}(x{+}1,0)+(1-\pi_0)V_{n+1}(x,1),\qquad V_\infty=\mathbf 1\{m_0>m_0^*\}",
    short="Chance of winning",
    symbols={
        "V_n": Symbol("probability that token 0 wins, after n tokens", "win_probability"),
        "x": Symbol("count of token 0", "count_first"),
        r"\ell": Symbol("the last token", "initial_last"),
        r"\pi_0": Symbol("probability that token 0 comes next"),
        "m_0^*": Symbol("share of token 0 that parts the fates"),
    },
    source="ours",
    kind="extension",
    defaults={"odds_first": 3.0, "odds_second": 2.0, "initial_last": 1, "n_tokens": 100_000, "replicates": 250},
    uses=needs.TEXT,
    resolution=0.05,
    assumptions=lambda params, chain: (*two_token_needs(params, chain), _bistable(chain)),
    predict=_predict_probability,
    measure=_measure_probability,
    compare=_compare_probability,
    mutate=moved("win_probability", 1.0),
    experiment=generation,
    rivals=(
        Rival("share of the prompt", _prompt_share, {"count_first": 3}, "takes the share, as in Polya's urn"),
        Rival("any last token", _other_last, {}, "ignores which token comes last"),
        Rival("no chance", _certain, {}, "lets the side of the separatrix decide"),
    ),
    power="0 false alarms in 60 blocks of 2,000 runs and at 74 random slider positions; a probability off by 0.1 is "
    "rejected in all 60 blocks",
)
