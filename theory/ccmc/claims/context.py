"""Claims about what the model may look at: capped counts, a sliding window, and weights that fade with distance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from xarray import Dataset

from theory.ccmc.chain import Chain, Floats, Integers
from theory.ccmc.claims import assumptions as needs
from theory.ccmc.claims.collapse import PROBLEM
from theory.ccmc.claims.measures import mean_error, record_at, run_counts
from theory.ccmc.claims.temperatures import move_shares, share_checks, share_dataset
from theory.ccmc.cures import MOST_WINDOWS, fixation, neutral_fixation, stationary_law
from theory.ccmc.generation import generation
from theory.ccmc.parameters import Params
from theory.vocabulary import Assumption, Check, Claim, Rival

CAP_RESOLUTION, CHANCE_RESOLUTION = 0.03, 0.1
BURN_IN = 0.1
"""Share of the text that is dropped before shares are measured under a cap."""
PATIENCE = 15
"""A text must be this many mean fixation times long: by then e^-15 of the runs are still undecided."""


# --- count-cap-base-chain --------------------------------------------------------------------------------------------


def _time_to_cap(params: Params, chain: Chain) -> float:
    """Bound on the mean number of tokens until every count has reached the cap c.

    A token with count i < c follows with probability at least ``i P_kj / c``, so it needs at most
    ``sum_i c / (i min P)`` tokens.
    """
    cap = float(params.count_cap or 1)
    return cap * (1 + np.log(cap)) / max(float(chain.transition.min()), 1e-300)


def _relaxation(transition: Floats) -> float:
    """Tokens that the base chain needs to forget: 1 / (1 - second largest eigenvalue modulus)."""
    sizes = np.sort(np.abs(np.linalg.eigvals(transition)))
    return float(1 / max(1 - sizes[-2], 1e-12))


def _cap_error(params: Params, chain: Chain) -> float:
    """What is left of the start in shares over the measured part of the text."""
    return min(2 * _relaxation(chain.transition) / ((1 - BURN_IN) * params.n_tokens), 1.0)


def _cap_needs(params: Params, chain: Chain) -> tuple[Assumption, ...]:
    others = params.model_copy(update={"count_cap": None})
    wait = _time_to_cap(params, chain) / (BURN_IN * params.n_tokens)
    error = _cap_error(params, chain)
    return (
        Assumption("a count cap", params.count_cap is not None, f"cap {params.count_cap or 'off'}"),
        needs.plain_generation(others),
        needs.full_support(chain),
        needs.whole_prompt(chain),
        needs.small_enough("caps reached", wait, 0.5, "bound on the time to reach them over the dropped part"),
        needs.small_enough("long enough text", error, CAP_RESOLUTION / 2, "what is left of the start"),
    )


def _cap_shares(law: Callable[[Params, Chain], Floats]) -> Callable[[Params, Chain], Dataset]:
    return lambda params, chain: share_dataset(law(params, chain), _cap_error(params, chain))


def _compare_cap(params: Params, chain: Chain, prediction: Dataset, raw: Dataset) -> tuple[Check, ...]:
    """Shares of what was generated after the burn-in, averaged over runs."""
    times, counts = run_counts(raw)
    start = record_at(times, BURN_IN * times[-1])
    shares = (counts[:, -1] - counts[:, start]) / (times[-1] - times[start])
    return tuple(share_checks(shares, prediction.share.values, float(prediction.allowance), chain, CAP_RESOLUTION))


def _column_law(params: Params, chain: Chain) -> Floats:
    """The chain read column by column."""
    turned = np.maximum(chain.transition.T, 1e-300)
    return stationary_law(turned / turned.sum(axis=1, keepdims=True))


count_cap_base_chain = Claim(
    id="count-cap-base-chain",
    title="A cap on counts gives the base chain back",
    statement="If no token counts more than c times, all weights are equal once every count has reached c: attention "
    "over a set. From then on the text is the base chain P itself, and shares go to its stationary law.",
    latex=r"\text{weights }\min(N_j,c)\,P_{kj}\;\Rightarrow\; m\to\mu,\quad \mu P=\mu",
    source="ours, beyond arXiv 2402.13512",
    kind="extension",
    defaults={
        "transition": ((0.7, 0.2, 0.1), (0.3, 0.6, 0.1), (0.2, 0.3, 0.5)),
        "count_cap": 5,
        "n_tokens": 20_000,
    },
    uses=PROBLEM | {"n_tokens", "count_cap"},
    resolution=CAP_RESOLUTION,
    assumptions=_cap_needs,
    predict=_cap_shares(lambda params, chain: stationary_law(chain.transition)),
    compare=_compare_cap,
    mutate=move_shares,
    experiment=generation,
    rivals=(
        Rival("transposed chain", _cap_shares(_column_law), {}, "reads P column by column"),
        Rival(
            "equal shares",
            _cap_shares(lambda params, chain: np.full(chain.vocab_size, 1 / chain.vocab_size)),
            {},
            "takes equal weights for equal shares",
        ),
    ),
    power="",
)


# --- window-fixation -------------------------------------------------------------------------------------------------


def _window(params: Params, chain: Chain) -> Integers:
    """The last tokens of the prompt, as many as the window holds."""
    return chain.prompt[-(params.window or len(chain.prompt)) :]


def _neutral(chain: Chain) -> bool:
    return bool(np.ptp(chain.transition) <= needs.SAME)


def _solvable(params: Params, chain: Chain) -> bool:
    return params.window is not None and chain.vocab_size**params.window <= MOST_WINDOWS


def _fixation(params: Params, chain: Chain, chance: Floats, exact: bool) -> Dataset:
    window = _window(params, chain)
    weighted = neutral_fixation(window, chain.vocab_size)
    entropy = -float(np.sum(weighted[weighted > 0] * np.log(weighted[weighted > 0])))
    width = len(window)
    # Without an exact solution the mean time is the diffusion limit, which holds up to a factor near one.
    mean = fixation(chain.transition, window).mean_time if exact else width * (width + 1) / 2 * entropy
    return Dataset(
        {
            "chance": (("token",), chance, {"long_name": "chance to take over the window"}),
            "mean_time": ((), mean, {"long_name": "mean tokens until one token fills the window", "units": "tokens"}),
            "exact": ((), exact),
        },
        coords={"token": np.arange(chain.vocab_size)},
    )


def _predict_window(params: Params, chain: Chain) -> Dataset:
    window = _window(params, chain)
    exact = _solvable(params, chain) and len(window) == params.window and bool((chain.transition > 0).all())
    if exact:
        return _fixation(params, chain, fixation(chain.transition, window).chance, True)
    return _fixation(params, chain, neutral_fixation(window, chain.vocab_size), False)


def _window_needs(params: Params, chain: Chain) -> tuple[Assumption, ...]:
    others = params.model_copy(update={"window": None})
    full = params.window is not None and len(chain.prompt) >= params.window
    known = _neutral(chain) or _solvable(params, chain)
    wait = PATIENCE * float(_predict_window(params, chain).mean_time) / params.n_tokens
    return (
        Assumption("a window", params.window is not None, f"window {params.window or 'off'}"),
        Assumption("a full window", full, f"the prompt has {len(chain.prompt)} tokens"),
        needs.plain_generation(others),
        needs.full_support(chain),
        Assumption("neutral or small", known, "all of P equal" if _neutral(chain) else f"K = {chain.vocab_size}"),
        needs.small_enough("time to fix", wait, 1.0, f"{PATIENCE} mean times over the length of the text"),
    )


def _compare_window(params: Params, chain: Chain, prediction: Dataset, raw: Dataset) -> tuple[Check, ...]:
    """Which token fills the window at the end, and when it first did (where the mean time is exact)."""
    if "fixed_at" not in raw:
        return ()
    fixed_at = raw.fixed_at.values.ravel()
    fixed = np.isfinite(fixed_at)
    final = raw["last"].transpose("seed", "replicate", "time").values[:, :, -1].ravel()
    runs = len(final)
    undecided = float((~fixed).mean())
    found = [Check("runs not fixed by the end", undecided, (0.0, 0.01), 0.05)]
    for token in range(chain.vocab_size - 1):
        expected = float(prediction.chance[token])
        # Under the prediction the number of wins is binomial; one run more or less is never evidence.
        error = float(np.sqrt(max(expected * (1 - expected), 1 / runs) / runs))
        value = float(((final == token) & fixed).mean()) - expected
        name = f"chance that {chain.name(token)} takes over"
        found.append(Check(name, value, (-0.01, 0.01), CHANCE_RESOLUTION, error, np.inf, runs, "replicates"))
    if bool(prediction.exact) and fixed.any():
        waited = fixed_at[fixed] - len(chain.prompt)
        expected = float(prediction.mean_time)
        if expected > 0:
            value, error = float(waited.mean() / expected - 1), float(mean_error(waited) / expected)
            name = "mean time to fixation over prediction, minus one"
            found.append(Check(name, value, (-0.02, 0.02), 0.25, error, len(waited) - 1, len(waited), "replicates"))
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
        "window": 7,
        "prompt": (0, 0, 0, 0, 1, 2, 2),
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
    power="",
)
