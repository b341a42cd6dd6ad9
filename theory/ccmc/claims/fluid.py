"""The claim that long texts follow the flow of the shares, not just its end points."""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from theory.ccmc import flow
from theory.ccmc.claims import assumptions as needs
from theory.ccmc.claims.measures import by_columns, entry_check, moved, run_counts
from theory.ccmc.experiments.generation import generation
from theory.ccmc.fluctuations import fundamental_matrix, long_run_covariance
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain, Floats
from theory.ccmc.simulation.cost import RECORDS, log_times
from theory.ccmc.winners import tangent_basis
from theory.core.vocabulary import Assumption, Check, Claim, Rival, Symbol
from theory.shared.statistics import mean_of, variables

RESOLUTION = 0.01
SMALL = 1e-3


def _start(chain: Chain) -> Floats:
    shares = np.maximum(chain.initial_counts / len(chain.prompt), 1e-12)
    return shares / shares.sum()


def _log_times(params: Params, chain: Chain) -> Floats:
    """Where texts are recorded, (M,), from 0 at the end of the prompt."""
    length = len(chain.prompt)
    return np.log(log_times(length, max(params.n_tokens, length + 1), RECORDS) / length)


def _allowance(chain: Chain, log_times: Floats) -> Floats:
    """How far (M, K) the mean of finitely many tokens may be from the flow, to order 1/n₀.

    Chance of covariance Σ/n₀ (Σ per token, summed over dn/n²) bends through the flow's second derivative; the first
    last token shifts the shares by its row of the fundamental matrix, over n₀; what remains of this order (steps of
    whole tokens, the fast chain's lag) is of the size of that matrix, times how much the flow stretches.
    """
    start, length, size = _start(chain), len(chain.prompt), chain.vocab_size
    values, vectors = np.linalg.eigh(long_run_covariance(chain.transition, start))
    noise = (np.sqrt(np.maximum(values, 0) / length) * vectors)[:, values > 1e-12].T
    matrix = fundamental_matrix(chain.transition, start)
    steps = np.concatenate([noise, SMALL * tangent_basis(size).T, matrix[chain.initial_last][None] / length])
    found = flow.response(chain.transition, start, steps, log_times)
    bend = np.abs(found.second[:, :, : len(noise)]).sum(axis=2)
    stretch = np.abs(found.first[:, :, len(noise) : -1]).max(axis=1).sum(axis=1) / SMALL
    lag = 2 * (1 + np.abs(matrix).max()) * np.maximum(stretch, 1) / length
    return 2 * bend + np.abs(found.first[:, :, -1]) + lag[:, None]


def _dataset(log_times: Floats, chain: Chain, shares: Floats) -> Dataset:
    return Dataset(
        {
            "shares": (("log_time", "token"), shares, {"long_name": "share of the text", "spec_name": "m"}),
            "shares_allowance": (("log_time", "token"), _allowance(chain, log_times)),
        },
        coords={"log_time": log_times, "token": np.arange(chain.vocab_size)},
    )


def _along(params: Params, chain: Chain, transition: Floats) -> Dataset:
    """The flow of a base chain from the prompt's shares."""
    times = _log_times(params, chain)
    return _dataset(times, chain, np.exp(flow.trajectories(transition, _start(chain)[None], times)[0]))


def _predict(params: Params, chain: Chain) -> Dataset:
    return _along(params, chain, chain.transition)


def _measure(params: Params, chain: Chain, raw: Dataset) -> Dataset:
    """Mean shares over all runs at every record."""
    times, counts = run_counts(raw)
    shares = counts / counts.sum(axis=2, keepdims=True)
    return Dataset(
        variables("shares", ("log_time", "token"), mean_of(shares)), coords={"log_time": np.log(times / times[0])}
    )


def _compare(params: Params, chain: Chain, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    """Mean shares half way (in log-time) and at the end."""
    log_times = measured.log_time.values
    half_way = int(np.abs(log_times - log_times[-1] / 2).argmin())
    return tuple(
        entry_check(
            f"share of {chain.name(token)} {place}",
            prediction,
            measured,
            "shares",
            RESOLUTION,
            "initial_tokens",
            log_time=record,
            token=token,
        )
        for place, record in (("half way", half_way), ("at the end", -1))
        for token in range(chain.vocab_size)
    )


def _needs(params: Params, chain: Chain) -> tuple[Assumption, ...]:
    worst = float(_allowance(chain, _log_times(params, chain)).max())
    return (
        needs.plain_generation(params),
        needs.full_support(chain),
        needs.whole_prompt(chain),
        needs.generates(params, chain),
        needs.small_enough("a start long enough", worst, RESOLUTION / 2, "chance may move the mean by"),
    )


def _transposed(params: Params, chain: Chain) -> Dataset:
    return _along(params, chain, by_columns(chain.transition))


def _base_chain(params: Params, chain: Chain) -> Dataset:
    times, size = _log_times(params, chain), chain.vocab_size
    law = flow.last_token_shares(chain.transition, np.full(size, 1 / size))
    return _dataset(times, chain, law + (_start(chain) - law) * np.exp(-times)[:, None])


def _one_time_scale(params: Params, chain: Chain) -> Dataset:
    times = _log_times(params, chain)
    shares = [_start(chain)]
    for step in np.diff(times):
        middle = shares[-1] + step / 2 * (shares[-1] @ flow.fast_chain(chain.transition, shares[-1]) - shares[-1])
        shares.append(shares[-1] + step * (middle @ flow.fast_chain(chain.transition, middle) - middle))
    return _dataset(times, chain, np.array(shares))


fluid_limit = Claim(
    id="fluid-limit",
    title="A long text follows a flow in log-time",
    statement="From n₀ tokens on, the shares at n tokens follow the flow dm/dτ = v(m) − m with τ = log(n/n₀), where "
    "v(m) is the stationary law of the last token while the shares stand still.",
    latex=r"\frac{dm}{d\tau}=v(m)-m,\quad \tau=\log\frac n{n_0},\qquad v=vQ_m,\quad "
    r"Q_m[k,j]=\frac{m_jP_{kj}}{(Pm)_k}",
    short="Flow in log-time",
    symbols={
        "m": Symbol("shares of the tokens", "shares"),
        r"\tau": Symbol("log-time: the logarithm of n/n₀", "log_time"),
        "n_0": Symbol("length of the prompt", "initial_tokens"),
        "v": Symbol("stationary law of the last token while the shares stand still"),
        "Q_m": Symbol("moves of the last token at shares m"),
    },
    source="ours",
    kind="extension",
    defaults={"chain": "random", "concentration": 0.5, "initial_tokens": 10_000, "n_tokens": 310_000, "replicates": 25},
    uses=needs.TEXT | {"n_tokens"},
    resolution=RESOLUTION,
    assumptions=_needs,
    predict=_predict,
    measure=_measure,
    compare=_compare,
    mutate=moved("shares", 1.0),
    experiment=generation,
    rivals=(
        Rival("transposed", _transposed, {}, "reads P by columns"),
        Rival("base chain", _base_chain, {}, "lets the last token follow P, whatever the counts"),
        Rival("one time scale", _one_time_scale, {}, "draws the last token from the shares, not from the fast chain"),
    ),
    power="0 false alarms in 50 fresh blocks of 200 texts; shares off by 0.02 are rejected in all of them",
)
