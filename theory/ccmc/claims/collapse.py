"""Claims about one law for every last token: how fast the weak tokens fade, and by how much they differ by chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.special
from xarray import Dataset

from theory.ccmc import identical_rows as theory
from theory.ccmc.claims import assumptions as needs
from theory.ccmc.claims.measures import at_most, entry_check, last_half, moved, run_counts, steps_apart
from theory.ccmc.experiments.generation import generation
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain, Floats
from theory.core.vocabulary import Assumption, Check, Claim, Rival, Symbol
from theory.shared.statistics import mean_of, variables

RESOLUTION, SLOPE_RESOLUTION, LAW_RESOLUTION = 0.25, 0.06, 0.15
STANDARDISED = np.linspace(-8.0, 6.0, 113)
SLOW = 0.02
special: Any = scipy.special
FALSE_ALARM = 3e-5
"""One-sided level of the distance between two laws, shared by its checks: that of four standard errors."""


def _law(chain: Chain) -> Floats:
    """The common row, restricted to the tokens of the first prompt; the mean row where rows differ."""
    return np.where(chain.initial_counts > 0, chain.transition.mean(axis=0), 0.0)


def _dataset(params: Params, chain: Chain, exponents: Floats, mean: Floats) -> Dataset:
    """Growth exponents, and the law of the log prefactor: of log N_j - theta_j log n at the end."""
    law, counts = _law(chain), chain.initial_counts.astype(np.float64)
    present = np.maximum(counts, 1.0)
    winner_noise = float(special.polygamma(1, counts[theory.winners(law)].sum()))
    own_noise: Floats = special.polygamma(1, present)
    spread = np.sqrt(own_noise + exponents**2 * winner_noise)
    rows = [
        theory.log_prefactor_cdf(law, present, token, mean[token] + spread[token] * STANDARDISED)
        if np.isfinite(mean[token])
        else np.ones(len(STANDARDISED))
        for token in range(len(law))
    ]
    left = theory.finite_size_error(law, present, params.n_tokens)
    middle = np.sqrt(float(params.n_tokens) * len(chain.prompt))
    run_by_run = {"not_measured": "judged by the counts of each run"}
    return Dataset(
        {
            "exponent": (("token",), exponents, {"long_name": "growth exponent", "spec_name": "theta"}),
            "exponent_allowance": (
                ("token",),
                theory.finite_size_error(law, present, middle) / _log_range(params, chain),
            ),
            "mean_log_count": (
                ("token",),
                mean + exponents * np.log(params.n_tokens),
                {"long_name": "mean log count at the end", "units": "nats"},
            ),
            "mean_log_count_allowance": (("token",), left),
            "mean_log_prefactor": (
                ("token",),
                mean,
                {"long_name": "mean log prefactor", "units": "nats", "not_measured": "judged by mean_log_count"},
            ),
            "log_prefactor_spread": (("token",), spread, {"units": "nats"} | run_by_run),
            "log_prefactor_cdf": (("token", "standardised"), np.array(rows), {"long_name": "limit law"} | run_by_run),
            "judged": (("token",), _judged(params, chain), {"not_measured": "which tokens are judged"}),
        },
        coords={"token": np.arange(len(law)), "standardised": STANDARDISED},
    )


def _log_range(params: Params, chain: Chain) -> float:
    """Length of the last half of the records, in log-time."""
    return max(np.log(params.n_tokens / len(chain.prompt)) / 2, 1e-3)


def _judged(params: Params, chain: Chain) -> npt.NDArray[np.bool_]:
    """Tokens with a random limit whose finite-size error is small against the resolution."""
    law, counts = _law(chain), chain.initial_counts.astype(np.float64)
    top = theory.winners(law)
    error = theory.finite_size_error(law, np.maximum(counts, 1.0), params.n_tokens)
    return (counts > 0) & ~(top & (int(top.sum()) == 1)) & (error <= RESOLUTION / 2)


def _predict(params: Params, chain: Chain) -> Dataset:
    law, counts = _law(chain), chain.initial_counts.astype(np.float64)
    return _dataset(params, chain, theory.exponents(law), theory.mean_log_prefactor(law, counts))


def _measure(params: Params, chain: Chain, raw: Dataset) -> Dataset:
    """Mean log count at the end, and growth over the last half of the log-spaced records."""
    times, counts = run_counts(raw)
    logs = np.log(np.maximum(counts[:, -1], 1.0))
    return Dataset(
        {
            **variables("exponent", ("token",), mean_of(last_half(times, counts))),
            **variables("mean_log_count", ("token",), mean_of(logs), units="nats"),
            "log_count": (("run", "token"), logs),
        },
        coords={"token": np.arange(chain.vocab_size)},
    )


def _compare(params: Params, chain: Chain, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    """Mean and law of log N_j − θ_j log n at the end, and growth over the last half of the log-spaced records."""
    tokens: list[int] = np.flatnonzero(prediction.judged.values).tolist()
    found: list[Check] = []
    for token in tokens:
        name = chain.name(token)
        mean = entry_check(
            f"mean log prefactor of {name}", prediction, measured, "mean_log_count", RESOLUTION, token=token
        )
        found.append(mean)
        if float(prediction.exponent_allowance[token]) <= SLOPE_RESOLUTION / 2:
            growth = f"growth exponent of {name}"
            found.append(entry_check(growth, prediction, measured, "exponent", SLOPE_RESOLUTION, token=token))
        # Massart's inequality P(D > d) <= 2 exp(-2 R d²), widened by the steps of whole counts.
        bound = float(np.sqrt(np.log(2 * 3 * len(tokens) / FALSE_ALARM) / (2 * mean.replicates)))
        distance = _distance(prediction.isel(token=token), measured.log_count.values[:, token])
        found.append(
            at_most(
                f"distance between laws of {name}",
                distance,
                bound + mean.allowance[1],
                LAW_RESOLUTION,
                replicates=mean.replicates,
                raise_hint="replicates",
            )
        )
    return tuple(found)


def _distance(prediction: Dataset, log_counts: Floats) -> float:
    """Kolmogorov distance of one token's log counts (R,) from their limit law."""
    above_mean = np.sort(log_counts) - float(prediction.mean_log_count)
    scaled = above_mean / float(prediction.log_prefactor_spread)
    limit: Floats = prediction.log_prefactor_cdf.values
    return steps_apart(np.interp(scaled, STANDARDISED, limit))


def _needs(params: Params, chain: Chain) -> tuple[Assumption, ...]:
    law = _law(chain)
    theta = theory.exponents(law)
    losers = theta[~theory.winners(law)]
    left = float(params.n_tokens ** (losers.max(initial=0.0) - 1)) if len(losers) else 0.0
    judged = int(_judged(params, chain).sum())
    return (
        needs.plain_generation(params),
        needs.identical_rows(chain),
        needs.whole_prompt(chain),
        needs.small_enough("exponents away from 1", left, SLOW, "the strongest loser keeps a share of order"),
        Assumption("some countable loser", judged > 0, f"{judged} tokens are frequent enough at the end"),
    )


def _share_exponent(params: Params, chain: Chain) -> Dataset:
    law, counts = _law(chain), chain.initial_counts.astype(np.float64)
    theta = np.where(theory.winners(law), 1.0, 1 - theory.exponents(law))
    shift = (theory.exponents(law) - theta) * float(special.digamma(counts[theory.winners(law)].sum()))
    return _dataset(params, chain, theta, theory.mean_log_prefactor(law, counts) + shift)


def _one_more(params: Params, chain: Chain) -> Dataset:
    law, counts = _law(chain), chain.initial_counts.astype(np.float64)
    return _dataset(params, chain, theory.exponents(law), theory.mean_log_prefactor(law, counts + 1))


def _certain_winner(params: Params, chain: Chain) -> Dataset:
    law, counts = _law(chain), chain.initial_counts.astype(np.float64)
    return _dataset(params, chain, theory.exponents(law), special.digamma(counts))


identical_rows_law = Claim(
    id="identical-rows-law",
    title="One law for every last token: the most probable token wins, and the others' traces are Gamma ratios",
    statement="When all rows of P are one law p, the count of token j grows as n to the power p_j / p_max, times a "
    "random factor that never settles: a ratio of independent Gamma variables, fixed by the prompt's counts.",
    latex=r"\frac{N_j(n)}{n^{\theta_j}}\Rightarrow\frac{G_j}{G_a^{\theta_j}},\quad \theta_j=\frac{p_j}{p_a},\quad "
    r"G_j\sim\Gamma(N_j(0)),\qquad \mathbb E\log=\psi(N_j(0))-\theta_j\,\psi(N_a(0))",
    short="Identical rows",
    symbols={
        r"\theta_j": Symbol("growth exponent of token j", "exponent"),
        "p_j": Symbol("probability of token j after every token", "transition"),
        "N_j(n)": Symbol("count of token j among n tokens"),
        "N_j(0)": Symbol("its count in the prompt", "initial_counts"),
        "G_j": Symbol("a Gamma variable, which chance draws once for all"),
        "a": Symbol("the most probable token: the winner"),
        r"\psi": Symbol("the digamma function"),
    },
    source="ours; the two-token case is in the paper",
    kind="extension",
    defaults={"chain": "identical_rows", "top_probability": 0.65, "n_tokens": 10_000_000_000, "replicates": 200},
    uses=needs.TEXT | {"n_tokens"},
    resolution=RESOLUTION,
    assumptions=_needs,
    predict=_predict,
    measure=_measure,
    compare=_compare,
    mutate=moved("mean_log_count", 1.0),
    experiment=generation,
    rivals=(
        Rival("share exponent", _share_exponent, {}, "takes 1 − p ratio, the decay of the share, for the growth"),
        Rival("digamma at N + 1", _one_more, {}, "starts the Yule processes one token too late"),
        Rival("certain winner", _certain_winner, {"count_first": 4}, "forgets that the winner's own count is random"),
    ),
    power="0 false alarms in 50 fresh blocks of 1,600 texts; a mean off by 0.5 nats is rejected in all of them",
)
