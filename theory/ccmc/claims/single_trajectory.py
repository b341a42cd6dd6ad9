"""The claim about learning from one endless text: which moves it holds often enough."""

from __future__ import annotations

from math import inf

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.ccmc.claims import assumptions as needs
from theory.ccmc.claims.assumptions import CHAIN as PROBLEM
from theory.ccmc.claims.measures import run_counts
from theory.ccmc.experiments.moves import counted_moves
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain
from theory.ccmc.single_trajectory import flow_exponents, learnable, measured_exponents, move_exponents
from theory.ccmc.winners import FixedPoints, winner_sets
from theory.core.judge import SIGMA
from theory.core.vocabulary import Assumption, Check, Claim, Rival

Floats = npt.NDArray[np.float64]

RESOLUTION = 0.15
FEWEST_MOVES = 100
"""Moves i -> l, over all runs, from which the logarithm of their number has a normal error."""
FEWEST_TOKENS = 10.0
FEWEST_RUNS = 30
SLOWEST = 0.1


def _dataset(winners: FixedPoints, exponents: Floats) -> Dataset:
    dims = ("winner_set", "last", "token")
    return Dataset(
        {
            "move_exponent": (dims, exponents, {"long_name": "exponent of the number of moves"}),
            "learnable": (dims, learnable(winners.exponents)),
            "winner_share": (("winner_set", "token"), winners.shares),
        }
    )


def _predict(params: Params, chain: Chain) -> Dataset:
    winners = winner_sets(chain.transition)
    return _dataset(winners, move_exponents(winners.exponents))


def _compare(params: Params, chain: Chain, prediction: Dataset, raw: Dataset) -> tuple[Check, ...]:
    """Slopes between the last two thirds of log-time, for the runs that ended at each winner set.

    Judged are pairs moved between often enough to see the resolution; where no two losers are, the best such pair is
    judged all the same, and leaves the verdict open. Allowed is twice what the slope along the flow, started from the
    shares at the first third, differs from its limit (twice for its bend over their fluctuations), and 1/N_i + 1/N_l
    for the chance in the counts there, over the log-time of a third.
    """
    times, counts = run_counts(raw)
    moves = raw.moves.transpose("seed", "replicate", "time", "last", "token").values
    moves = moves.reshape(-1, *moves.shape[2:])
    shares = counts / counts.sum(axis=2, keepdims=True)
    goals = prediction.winner_share.values
    if not len(goals):
        return ()
    fate = np.abs(shares[:, -1, None] - goals).sum(axis=2).argmin(axis=1)
    found: list[Check] = []
    for index in np.flatnonzero(np.bincount(fate, minlength=len(goals)) >= FEWEST_RUNS):
        mine = fate == index
        theta = winner_sets(chain.transition).exponents[index]
        found += _of_set(chain, prediction.isel(winner_set=index), theta, times, counts[mine], moves[mine])
    return tuple(found)


def _of_set(
    chain: Chain, prediction: Dataset, theta: Floats, times: Floats, counts: Floats, moves: Floats
) -> list[Check]:
    """Checks of the runs that ended at one winner set, with growth exponents ``theta`` (K,)."""
    third = (len(times) - 1) // 3
    stretch = float(np.log(times[-1] / times[third])) / 2
    slope, error, fewest = measured_exponents(moves[:, [third, 2 * third, -1]], counts[:, third], stretch)
    shares = counts[:, third] / counts[:, third].sum(axis=1, keepdims=True)
    bias = 2 * (flow_exponents(chain.transition, shares, stretch) - move_exponents(theta))
    single = (1 / np.maximum(counts[:, third], 1)).mean(axis=0)
    grain = (single[:, None] + single[None, :]) / stretch
    low, high = np.minimum(bias, 0) - grain, np.maximum(bias, 0) + grain
    allowed = np.maximum(high, -low)
    plenty = counts[:, third].mean(axis=0) >= FEWEST_TOKENS
    countable = (fewest >= FEWEST_MOVES) & plenty[:, None] & plenty[None, :]
    sharp = countable & (allowed + 1.5 * SIGMA * error <= RESOLUTION)
    lost = prediction.winner_share.values == 0
    losers = lost[:, None] & lost[None, :]
    pairs = [tuple(pair) for pair in np.argwhere(sharp).tolist()]
    if losers.any() and not (sharp & losers).any() and (countable & losers).any():
        best = np.where(countable & losers, allowed + error, inf)
        pairs.append(divmod(int(best.argmin()), len(best)))
    deviation = slope - prediction.move_exponent.values
    return [
        Check(
            name=f"exponent of moves {chain.name(i)} to {chain.name(j)}",
            deviation=float(deviation[i, j]),
            allowance=(float(low[i, j]), float(high[i, j])),
            resolution=RESOLUTION,
            standard_error=float(error[i, j]),
            dof=len(counts) - 1,
            replicates=len(counts),
            raise_hint="n_tokens",
        )
        for i, j in pairs
    ]


def _without_one(params: Params, chain: Chain) -> Dataset:
    """theta_i + theta_l: forgets that a move needs one token, not a free pair."""
    winners = winner_sets(chain.transition)
    return _dataset(winners, move_exponents(winners.exponents) + 1)


def _rarer_token(params: Params, chain: Chain) -> Dataset:
    theta = winner_sets(chain.transition).exponents
    return _dataset(winner_sets(chain.transition), np.minimum(theta[:, :, None], theta[:, None, :]))


def _ordinary_chain(params: Params, chain: Chain) -> Dataset:
    """Every move occurs at a constant rate, so that errors fall as one over the root of n."""
    winners = winner_sets(chain.transition)
    return _dataset(winners, np.ones_like(move_exponents(winners.exponents)))


def _threshold_needs(params: Params, chain: Chain) -> tuple[Assumption, ...]:
    winners = winner_sets(chain.transition)
    slowest = float(-winners.rate.max(initial=-1.0)) if len(winners.shares) else 0.0
    length, counts = len(chain.prompt), chain.initial_counts
    enough = params.n_tokens >= 1000 * length
    return (
        needs.full_support(chain),
        needs.whole_prompt(chain),
        needs.plain_generation(params),
        Assumption(
            "winner sets reached in time",
            slowest >= SLOWEST,
            f"{len(winners.shares)} winner sets, the slowest approached at rate {slowest:.2g}",
        ),
        Assumption("a long text", enough, f"{params.n_tokens:,} tokens from {length:,}, at least 1,000 times as many"),
        Assumption(
            "no rare start", int(counts.min()) >= 5, f"the rarest token of the prompt occurs {counts.min()} times"
        ),
    )


single_trajectory_threshold = Claim(
    id="single-trajectory-threshold",
    title="One endless text teaches a move only if its two tokens stay frequent enough",
    statement="A text of n tokens holds of order n to the power θᵢ + θₗ − 1 moves from token i to token l, where θ are "
    "the growth exponents next to its winners. Below zero the text never tells how likely the move was.",
    latex=r"\#\{i	o l\}symp n^{	heta_i+	heta_l-1},\qquad P_{il}\ 	ext{learnable}\iff	heta_i+	heta_l\ge 1",
    source="ours; arXiv 2402.13512 treats learning from one trajectory",
    kind="extension",
    defaults={
        "chain": "identical_rows",
        "vocab_size": 3,
        "top_probability": 0.55,
        "count_first": 50,
        "count_others": 50,
        "n_tokens": 10_000_000,
    },
    uses=PROBLEM,
    resolution=RESOLUTION,
    assumptions=_threshold_needs,
    predict=_predict,
    compare=_compare,
    mutate=lambda prediction, amount: prediction.assign(move_exponent=prediction.move_exponent + amount),
    experiment=counted_moves,
    rivals=(
        Rival("one forgotten", _without_one, {}, "counts pairs of tokens instead of moves"),
        Rival("rarer token", _rarer_token, {}, "lets the rarer of the two tokens decide alone"),
        Rival("ordinary chain", _ordinary_chain, {}, "expects every move at a constant rate, as when a chain mixes"),
    ),
    power="0 false alarms in 20 blocks and on 66 random chains (19 undecided); 0.3 off is rejected on 82 of these 86",
)
