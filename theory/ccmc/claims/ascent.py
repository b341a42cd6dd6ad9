"""The claim that the shares climb a hill when the base chain is reversible."""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from theory.ccmc.claims import assumptions as needs
from theory.ccmc.claims.measures import at_most, by_winners, run_counts, set_label
from theory.ccmc.experiments.flows import ascent_paths
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain, Floats
from theory.ccmc.reversible import ascent, balance_defect, height, local_maxima, potential_matrix
from theory.core.vocabulary import Assumption, Check, Claim, Rival, Symbol
from theory.shared.statistics import mean_check, pooled

REVERSIBLE = 1e-8
LONG_WALK = 2**20
AT_REST = 1e-3
"""Tokens with a larger share where a path of the flow ends are those of its limit."""
SLOWEST = 0.05
"""Rates below this, per log-time, leave the flow off its goal at the end of the integration."""


def _climb(chain: Chain, potential: Floats, factor: float = 2.0, only_highest: bool = False) -> Dataset:
    """The form, the speed of the climb in units of Var_m(S m)/Phi, and the maxima it can end at."""
    maxima = local_maxima(potential)
    kept = slice(1 if only_highest else None)
    return Dataset(
        {
            "potential": (("last", "token"), potential, {"spec_name": "S"}),
            "speed": ((), factor, {"units": "Var_m(Sm)/Phi"}),
            "limit_share": (("limit", "token"), maxima.shares[kept], {"long_name": "strict local maxima of the form"}),
        },
        coords={"limit": [set_label(chain, members) for members in maxima.support[kept]]},
    )


def _predict(params: Params, chain: Chain) -> Dataset:
    return _climb(chain, potential_matrix(chain.transition))


def _measure(params: Params, chain: Chain, raw: Dataset) -> Dataset:
    """The form by a long walk along the base chain, how fast it rose along the flow, and where paths ended."""
    walked = np.linalg.matrix_power(chain.transition, LONG_WALK)
    flows = walked.mean(axis=0)[:, None] * chain.transition
    form = (flows + flows.T) / 2
    shares, speed = pooled(raw.flow_shares, ("seed",)), pooled(raw.flow_speed, ("seed",))
    reach = shares @ form
    level = np.sum(shares * reach, axis=-1)
    variance = np.sum(shares * reach**2, axis=-1) - level**2
    ends = shares.reshape(-1, *shares.shape[2:])[:, -1]
    sets, having = by_winners(ends, AT_REST)
    tokens, counts = run_counts(raw)
    return Dataset(
        {
            "potential": (("last", "token"), form),
            "speed": ((), float(2 * np.sum(speed * reach) / np.sum(variance / level))),
            "limit_share": (("limit", "token"), np.array([ends[rows].mean(axis=0) for rows in having])),
            "flow_shares": (("seed", "path", "moment", "token"), shares),
            "flow_speed": (("seed", "path", "moment", "token"), speed),
            "text_shares": (("run", "time", "token"), counts / tokens[:, None]),
        },
        coords={"limit": [set_label(chain, members) for members in sets], "time": tokens},
    )


def _compare(params: Params, chain: Chain, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    """The climb along the flow and along generated text.

    Flow: integrated to a relative 1e-10 (the steps add up to less than 1e-8); it never falls, its speed is the
    formula's, and it ends at a maximum. Text: the form gains the integral of its speed along the run's own shares,
    up to a martingale and to tr(S Sigma)/n in each log-time, which adds up to at most 1/(4 n0) times the eigenvalue
    spread of S and the fast chain's memory; 20/n0 covers it. The integral over 120 log-steps is exact to their square.
    """
    form, factor = prediction.potential.values, float(prediction.speed) / 2
    top = float(form.max())
    shares = measured.flow_shares.values
    levels = height(form, shares)
    fall = float((levels[..., :-1] - levels[..., 1:]).max()) / top
    risen = 2 * np.einsum("...j,jk,...k->...", measured.flow_speed.values, form, shares)
    slip = float(np.abs(risen - factor * ascent(form, shares)).max() / np.abs(risen).max())
    ends = shares[:, :, -1].reshape(-1, shares.shape[-1])
    limits = prediction.limit_share.values.reshape(-1, shares.shape[-1])
    nearest = np.abs(ends[:, None] - limits).sum(axis=2).min(axis=1, initial=2.0)
    return (
        at_most("largest fall along the flow", fall, 1e-8, 0.05),
        at_most("speed of the climb, largest relative error", slip, 1e-8, 0.05),
        at_most("flow ends off every local maximum", nearest.max(), 1e-3, 0.05),
        _text_climb(form, factor, measured),
    )


def _text_climb(form: Floats, factor: float, measured: Dataset) -> Check:
    tokens, shares = measured["time"].values, measured.text_shares.values
    levels, log_time = height(form, shares), np.log(tokens)
    expected = np.asarray(np.trapezoid(factor * ascent(form, shares), log_time, axis=1))
    allowed = 20 / float(tokens[0]) + float(np.diff(log_time).max(initial=0.0)) ** 2
    return mean_check(
        "climb of generated text over its prediction",
        (levels[:, -1] - levels[:, 0] - expected) / float(form.max()),
        (-allowed, allowed),
        0.05,
        "initial_tokens",
    )


def _row_potential(params: Params, chain: Chain) -> Dataset:
    """The chain's own entries, symmetrised: forgets how often each row is visited."""
    return _climb(chain, (chain.transition + chain.transition.T) / 2)


def _needs(params: Params, chain: Chain) -> tuple[Assumption, ...]:
    defect = balance_defect(chain.transition)
    maxima = local_maxima(potential_matrix(chain.transition))
    slowest = float(maxima.margin.min(initial=1.0))
    length = len(chain.prompt)
    detail = f"{len(maxima.height)} strict local maxima, the slowest approached at rate {slowest:.2g}"
    return (
        needs.full_support(chain),
        needs.whole_prompt(chain),
        needs.plain_generation(params),
        Assumption("reversible", defect <= REVERSIBLE, f"triangles differ by a log ratio of at most {defect:.2g}"),
        Assumption("strict maxima", len(maxima.height) > 0 and slowest >= SLOWEST, detail),
        Assumption("long start", length >= 1000, f"{length} tokens in the first prompt, at least 1,000"),
        Assumption("text to generate", params.n_tokens > length, f"{params.n_tokens:,} tokens from {length:,}"),
    )


reversible_ascent = Claim(
    id="reversible-ascent",
    title="With a reversible chain, text climbs a hill",
    short="Text climbs a hill",
    statement="If the base chain is reversible, the shares follow the replicator equation of a symmetric game: a "
    "quadratic form of them rises at a known speed, and texts end at its strict local maxima.",
    latex=r"\Phi=m^\top S m,\quad S_{kj}=\mu_kP_{kj}=S_{jk}:\qquad "
    r"\frac{d\Phi}{d\tau}=\frac{2\,\mathrm{Var}_m(Sm)}{\Phi}\ \ge 0",
    symbols={
        r"\Phi": Symbol("a quadratic form of the shares: the hill"),
        "S": Symbol("how often the base chain makes each move, symmetric", "potential"),
        r"\mu": Symbol("the base chain's own stationary law"),
        r"\mathrm{Var}_m": Symbol("variance over tokens, weighted by their shares"),
    },
    source="ours",
    kind="extension",
    defaults={"chain": "reversible", "vocab_size": 4, "initial_tokens": 10_000, "n_tokens": 100_000, "replicates": 10},
    uses=needs.TEXT | {"n_tokens"},
    resolution=0.05,
    assumptions=_needs,
    predict=_predict,
    measure=_measure,
    compare=_compare,
    mutate=lambda prediction, amount: prediction.assign(speed=prediction.speed * (1 + amount)),
    experiment=ascent_paths,
    rivals=(
        Rival("unweighted potential", _row_potential, {}, "forgets how often the chain visits each row"),
        Rival(
            "half the speed",
            lambda params, chain: _climb(chain, potential_matrix(chain.transition), factor=1.0),
            {},
            "forgets that both factors of the form move",
        ),
        Rival(
            "the highest wins",
            lambda params, chain: _climb(chain, potential_matrix(chain.transition), only_highest=True),
            {},
            "lets every text end at the highest maximum",
        ),
    ),
    power="0 false alarms on 36 random reversible chains and 26 blocks; a speed off by 10 % is rejected on all",
)
