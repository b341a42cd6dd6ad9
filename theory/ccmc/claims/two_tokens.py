"""The claim about the four fates of two tokens."""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from theory.ccmc.claims import assumptions as needs
from theory.ccmc.claims.measures import at_most, record_at, run_counts
from theory.ccmc.experiments.generation import generation
from theory.ccmc.flow import trajectories
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain, Floats
from theory.ccmc.two_tokens import TwoTokens, two_tokens
from theory.core.vocabulary import Assumption, Check, Claim, Rival, Symbol
from theory.shared.statistics import mean_check, mean_of

SAFE = 6.0
"""Standard deviations off the separatrix from which a run does not come back: twice in 10^9 runs it does."""
EARLIEST = 1000
"""Tokens from which the shares count as slow against the last token."""
SLOWEST = 0.05


def two_token_needs(params: Params, chain: Chain) -> tuple[Assumption, ...]:
    return (
        needs.two_tokens(chain),
        needs.full_support(chain),
        needs.whole_prompt(chain),
        needs.plain_generation(params),
    )


def first_block(chain: Chain) -> Floats:
    """P among the first two tokens, rows renormalised, (2, 2)."""
    block = chain.transition[:2, :2]
    return block / np.maximum(block.sum(axis=1, keepdims=True), 1e-12)


def odds_of(chain: Chain) -> TwoTokens:
    """The odds; with more than two tokens (outside the assumptions) those among the first two."""
    return two_tokens(first_block(chain))


def _diagram(limits: tuple[float, ...], separatrix: float, phase: str) -> Dataset:
    """Limits of the share of token 0; ``separatrix`` is 0 or 1 where every start leads to one limit."""
    padded = np.full(2, limits[-1] if limits else 0.5)
    padded[: len(limits)] = limits
    return Dataset(
        {
            "limit_share": (("limit",), padded, {"long_name": "shares of token 0 that generation can end at"}),
            "separatrix": (
                (),
                separatrix,
                {
                    "long_name": "share of token 0 above which the first limit attracts",
                    "not_measured": "judged by the runs that come back over it",
                },
            ),
            "phase": ((), phase, {"not_measured": "a name for the limits"}),
        }
    )


def _of(chain: TwoTokens, balance: float) -> Dataset:
    """The diagram of a chain, with the balance (separatrix or mixed share) at ``balance``."""
    match chain.phase:
        case "bistable":
            return _diagram((1.0, 0.0), balance, chain.phase)
        case "mixed":
            return _diagram((balance,), 0.0, chain.phase)
        case _:
            return _diagram(chain.limits, 0.0, chain.phase)


def _predict_diagram(params: Params, chain: Chain) -> Dataset:
    odds = odds_of(chain)
    return _of(odds, odds.balance)


def first_shares(raw: Dataset) -> Dataset:
    """Share of token 0 in every run at every record: ``run_share`` (run, time)."""
    tokens, counts = run_counts(raw)
    return Dataset({"run_share": (("run", "time"), counts[:, :, 0] / counts.sum(axis=2))}, coords={"time": tokens})


def _measure_diagram(params: Params, chain: Chain, raw: Dataset) -> Dataset:
    """Mean final share of token 0 where it has the majority, and where it has not; of all runs if they agree."""
    found = first_shares(raw)
    last = found.run_share.values[:, -1]
    sides = [mean_of(side if len(side) else last) for side in (last[last > 0.5], last[last <= 0.5])]
    return found.assign(
        limit_share=(("limit",), np.array([side.mean for side in sides])),
        limit_share_se=(("limit",), np.array([side.error for side in sides])),
    )


def _compare_diagram(params: Params, chain: Chain, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    """Where runs end, and on which side of the separatrix.

    The mean distance to the limit is allowed twice what the flow, started from the shares at a tenth of the tokens,
    still leaves (twice for its bend over their fluctuations), and 5/n for single tokens. A run that is once SAFE
    standard deviations off the separatrix must end on that side: the flow only drives it away, and the noise yet to
    come has variance noise^2/n.
    """
    tokens, shares = measured["time"].values, measured.run_share.values
    left, grain = _still_to_go(chain, tokens, shares), 5 / tokens[-1]
    found = [
        mean_check(
            "distance of the share of token 0 from its limit",
            _inward(shares[:, -1], _limit_of(prediction, shares[:, -1])),
            (2 * min(left, 0.0) - grain, 2 * max(left, 0.0) + grain),
            0.05,
            "n_tokens",
        )
    ]
    if prediction.phase.item() == "bistable":
        crossed = _crossings(odds_of(chain), tokens, shares, float(prediction.separatrix))
        found.append(at_most("runs that come back over the separatrix", crossed, 0.0, 0.05, replicates=len(shares)))
    return tuple(found)


def _limit_of(prediction: Dataset, share: Floats) -> Floats:
    """The limit on whose side of the separatrix each share (R,) of token 0 is."""
    high, low = prediction.limit_share.values.tolist()
    return np.where(share > float(prediction.separatrix), float(high), float(low)).astype(np.float64)


def _inward(share: Floats, limit: Floats) -> Floats:
    """Distance (R,) of shares from their limits, positive towards equal shares: so that two limits do not cancel."""
    return (share - limit) * np.where(limit > 0.5, -1.0, 1.0)


def _still_to_go(chain: Chain, tokens: Floats, shares: Floats) -> float:
    """Mean distance from its limit at which the flow leaves the last tenth of log-time; 0 without a limit."""
    goals = np.array(odds_of(chain).limits)
    start = record_at(tokens, tokens[-1] / 10)
    if not len(goals) or chain.vocab_size != 2:
        return 0.0
    both = np.stack([shares[:, start], 1 - shares[:, start]], axis=1)
    elapsed = np.array([np.log(tokens[-1] / tokens[start])])
    ends = np.exp(trajectories(chain.transition, both, elapsed)[:, 0, 0])
    return float(_inward(ends, goals[np.abs(ends[:, None] - goals).argmin(axis=1)]).mean())


def _crossings(odds: TwoTokens, tokens: Floats, shares: Floats, separatrix: float) -> float:
    """Fraction of runs that were safely on one side of the separatrix and ended on the other."""
    off, kept, last = SAFE * odds.noise / np.sqrt(tokens), tokens >= EARLIEST, shares[:, -1]
    above = (shares > separatrix + off)[:, kept].any(axis=1) & (last < separatrix)
    below = (shares < separatrix - off)[:, kept].any(axis=1) & (last > separatrix)
    return float((above | below).mean())


def _swapped_odds(params: Params, chain: Chain) -> Dataset:
    odds = odds_of(chain)
    return _of(odds, 1 - odds.balance)


def _stationary_share(params: Params, chain: Chain) -> Dataset:
    """The balance at the stationary law of P itself."""
    odds = odds_of(chain)
    return _of(odds, (1 + odds.first) / (2 + odds.first + odds.second))


def _larger_odds(params: Params, chain: Chain) -> Dataset:
    odds = odds_of(chain)
    return _diagram((1.0,) if odds.first >= odds.second else (0.0,), 0.0, "larger odds win")


def _off_boundaries(chain: Chain) -> Assumption:
    odds = odds_of(chain)
    detail = f"odds {odds.first:.3g} and {odds.second:.3g}: {odds.phase}, slowest rate {odds.rate:.2g} per log-time"
    return Assumption("off the phase boundaries", odds.rate >= SLOWEST, detail)


phase_diagram = Claim(
    id="k2-phase-diagram",
    title="Two tokens have four fates",
    statement="A token whose odds of repeating itself exceed one can win. When both odds do, the share of token 0 "
    "decides on which side of a separatrix the text collapses; when neither does, both stay, at that same share.",
    latex=r"m_0^*=\frac{1-\beta}{2-\alpha-\beta},\quad \alpha=\tfrac{P_{00}}{P_{01}},\ \beta=\tfrac{P_{11}}{P_{10}}:"
    r"\quad \alpha,\beta>1\ \text{separatrix},\quad \alpha,\beta<1\ \text{mix}",
    short="Four fates",
    symbols={
        r"\alpha": Symbol("odds that token 0 repeats itself", "odds_first"),
        r"\beta": Symbol("odds that token 1 repeats itself", "odds_second"),
        "m_0^*": Symbol("share of token 0 that parts the fates, or at which both stay", "separatrix"),
        "P_{00}": Symbol("probability that 0 follows 0", "transition"),
    },
    source="ours; arXiv 2402.13512 shows the collapse for two tokens",
    kind="extension",
    defaults={"odds_first": 6.0, "odds_second": 3.0, "count_first": 10, "count_others": 25, "n_tokens": 1_000_000},
    uses=needs.TEXT,
    resolution=0.05,
    assumptions=lambda params, chain: (*two_token_needs(params, chain), _off_boundaries(chain)),
    predict=_predict_diagram,
    measure=_measure_diagram,
    compare=_compare_diagram,
    mutate=lambda prediction, amount: prediction.assign(
        limit_share=prediction.limit_share + amount * np.where(prediction.limit_share > 0.5, -1.0, 1.0)
    ),
    experiment=generation,
    rivals=(
        Rival(
            "odds swapped",
            _swapped_odds,
            {"odds_first": 8.0, "odds_second": 2.0, "initial_tokens": 10_000},
            "takes the separatrix for the share of token 1",
        ),
        Rival(
            "stationary share",
            _stationary_share,
            {"odds_first": 0.1, "odds_second": 0.6, "n_tokens": 100_000},
            "mixes in the proportions of P's own stationary law",
        ),
        Rival("larger odds win", _larger_odds, {}, "lets the more persistent token win always"),
    ),
    power="0 false alarms in 60 blocks of 200 runs and at 142 random slider positions; a limit off by 0.1 is rejected "
    "in all 60 blocks",
)
