"""The claim about a sliding window: one token takes over for good."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from xarray import Dataset

from theory.ccmc.claims import assumptions as needs
from theory.ccmc.claims.assumptions import CHAIN as PROBLEM
from theory.ccmc.claims.measures import mean_error
from theory.ccmc.experiments.generation import generation
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain, Floats, Integers
from theory.ccmc.window_fixation import MOST_WINDOWS, fixation, longest_neutral_time, neutral_fixation
from theory.core.vocabulary import Assumption, Check, Claim, Rival

CHANCE_RESOLUTION = 0.1
UNDECIDED = 0.005
"""Largest share of the runs that may not be decided by the end."""


def _window(params: Params, chain: Chain) -> Integers:
    """The last tokens of the prompt, as many as the window holds."""
    return chain.prompt[-(params.window or len(chain.prompt)) :]


def _neutral(chain: Chain) -> bool:
    return bool(np.ptp(chain.transition) <= needs.SAME)


def _solvable(params: Params, chain: Chain) -> bool:
    return params.window is not None and chain.vocab_size**params.window <= MOST_WINDOWS


def _predict_window(params: Params, chain: Chain) -> Dataset:
    window = _window(params, chain)
    width, size = len(window), chain.vocab_size
    known = _solvable(params, chain) and width == params.window and bool((chain.transition > 0).all())
    exact = fixation(chain.transition, window) if known else None
    chance = neutral_fixation(window, size) if exact is None else exact.chance
    longest = longest_neutral_time(width, size) if exact is None else exact.longest_mean
    # By Markov's inequality in pieces of e times the longest mean time, a run outlasts t with chance exp(-[t/(e M)]).
    pieces = np.floor(max(params.n_tokens - len(chain.prompt), 0) / (np.e * max(longest, 1.0)))
    return Dataset(
        {
            "chance": (("token",), chance, {"long_name": "chance to take over the window"}),
            "mean_time": (
                (),
                exact.mean_time if exact else longest,
                {"long_name": "mean tokens until one token fills the window", "units": "tokens"},
            ),
            "time_spread": ((), exact.time_spread if exact else longest, {"units": "tokens"}),
            "undecided": ((), float(np.exp(-pieces)), {"long_name": "bound on the share of runs not fixed by the end"}),
            "exact": ((), exact is not None),
        },
        coords={"token": np.arange(size)},
    )


def _window_needs(params: Params, chain: Chain) -> tuple[Assumption, ...]:
    others = params.model_copy(update={"window": None})
    full = params.window is not None and len(chain.prompt) >= params.window
    known = _neutral(chain) or _solvable(params, chain)
    undecided = float(_predict_window(params, chain).undecided)
    return (
        Assumption("a window", params.window is not None, f"window {params.window or 'off'}"),
        Assumption("a full window", full, f"the prompt has {len(chain.prompt)} tokens"),
        needs.plain_generation(others),
        needs.full_support(chain),
        Assumption("neutral or small", known, "all of P equal" if _neutral(chain) else f"K = {chain.vocab_size}"),
        needs.small_enough("time to fix", undecided, UNDECIDED, "share of the runs that may be undecided"),
    )


def _compare_window(params: Params, chain: Chain, prediction: Dataset, raw: Dataset) -> tuple[Check, ...]:
    """Which token fills the window at the end, and when it first did (where the mean time is exact)."""
    if "fixed_at" not in raw:
        return ()
    fixed_at = raw.fixed_at.values.ravel()
    fixed = np.isfinite(fixed_at)
    final = raw["last"].transpose("seed", "replicate", "time").values[:, :, -1].ravel()
    runs = len(final)
    allowed = float(prediction.undecided)
    undecided, error = float((~fixed).mean()), float(np.sqrt(max(allowed, 1 / runs) / runs))
    found = [
        Check(
            name="runs not fixed by the end",
            deviation=undecided,
            allowance=(-np.inf, allowed),
            resolution=0.05,
            standard_error=error,
            dof=np.inf,
            replicates=runs,
            raise_hint="n_tokens",
        )
    ]
    for token in range(chain.vocab_size - 1):
        expected = float(prediction.chance[token])
        # Under the prediction the number of wins is binomial; one run more or less is never evidence.
        error = float(np.sqrt(max(expected * (1 - expected), 1 / runs) / runs))
        value = float(((final == token) & fixed).mean()) - expected
        name = f"chance that {chain.name(token)} takes over"
        found.append(
            Check(
                name=name,
                deviation=value,
                allowance=(-allowed, allowed),
                resolution=CHANCE_RESOLUTION,
                standard_error=error,
                dof=np.inf,
                replicates=runs,
                raise_hint="replicates",
            )
        )
    if bool(prediction.exact) and fixed.any():
        waited = fixed_at[fixed] - len(chain.prompt)
        expected = float(prediction.mean_time)
        if expected > 0:
            # The exact spread: rare long runs may be missing from a sample. What unfixed runs would add is at most
            # their share times the length of the text, itself a multiple of the mean.
            spread = max(float(prediction.time_spread) / np.sqrt(len(waited)), float(mean_error(waited)))
            censored = allowed * (1 + params.n_tokens / expected)
            value, error = float(waited.mean() / expected - 1), spread / expected
            name = "mean time to fixation over prediction, minus one"
            found.append(
                Check(
                    name=name,
                    deviation=value,
                    allowance=(-censored, censored),
                    resolution=0.25,
                    standard_error=error,
                    dof=len(waited) - 1,
                    replicates=len(waited),
                    raise_hint="replicates",
                )
            )
    return tuple(found)


def _by_places(weigh: Callable[[Integers], Floats]) -> Callable[[Params, Chain], Dataset]:
    def predict(params: Params, chain: Chain) -> Dataset:
        window = _window(params, chain)
        worth = np.bincount(window, weigh(np.arange(1, len(window) + 1)), minlength=chain.vocab_size)
        return _predict_window(params, chain).assign(chance=(("token",), worth / worth.sum()))

    return predict


def _move_chance(prediction: Dataset, amount: float) -> Dataset:
    chance = prediction.chance.values.copy()
    chance[0] += 1.05 * amount if chance[0] < 0.5 else -1.05 * amount
    return prediction.assign(chance=(("token",), chance))


window_fixation = Claim(
    id="window-fixation",
    title="A sliding window makes it worse: one token takes over for good",
    statement="If attention sees the last w tokens only, a token that leaves the window never returns, so one token "
    "takes over in finite time. When all of P is equal its chance is its weight in the window, the newest place "
    "counting w times the oldest.",
    latex=r"\Pr(j\text{ takes over})=\frac{\sum_{i:x_i=j}i}{w(w+1)/2}\quad(i=1\text{ the oldest place})",
    source="ours, beyond arXiv 2402.13512",
    kind="extension",
    defaults={
        "chain": "uniform",
        "vocab_size": 2,
        "window": 7,
        "prompt": (0, 0, 0, 0, 1, 1, 1),
        "n_tokens": 2000,
        "replicates": 200,
    },
    uses=PROBLEM | {"n_tokens", "window"},
    resolution=CHANCE_RESOLUTION,
    assumptions=_window_needs,
    predict=_predict_window,
    compare=_compare_window,
    mutate=_move_chance,
    experiment=generation,
    rivals=(
        Rival(
            "plain shares",
            _by_places(lambda place: np.ones(len(place), dtype=np.float64)),
            {},
            "counts all places alike",
        ),
        Rival(
            "oldest first",
            _by_places(lambda place: place[::-1].astype(np.float64)),
            {},
            "lets the oldest place count most",
        ),
    ),
    power="0 false alarms in 60 fresh blocks of 1,600 texts, and on 60 random chains and windows; a chance off by "
    "0.2 is rejected in all blocks",
)
