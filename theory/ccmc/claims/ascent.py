"""The claim that the shares climb a hill when the base chain is reversible."""

from __future__ import annotations

from math import inf

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.ccmc.claims import assumptions as needs
from theory.ccmc.claims.measures import mean_error, run_counts
from theory.ccmc.experiments.flows import ascent_paths
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain
from theory.ccmc.reversible import ascent, balance_defect, height, local_maxima, potential_matrix
from theory.core.vocabulary import Assumption, Check, Claim, Rival

Floats = npt.NDArray[np.float64]

REVERSIBLE = 1e-8
SLOWEST = 0.05
"""Rates below this, per log-time, leave the flow off its goal at the end of the integration."""


def _climb(potential: Floats, factor: float = 2.0, only_highest: bool = False) -> Dataset:
    """The form, the speed of the climb in units of Var_m(S m)/Phi, and the maxima it can end at."""
    maxima = local_maxima(potential)
    kept = maxima.shares[:1] if only_highest else maxima.shares
    return Dataset(
        {
            "potential": (("last", "token"), potential, {"spec_name": "S"}),
            "speed": ((), factor, {"units": "Var_m(Sm)/Phi"}),
            "limit_share": (("limit", "token"), kept, {"long_name": "strict local maxima of the form"}),
        }
    )


def _predict_climb(params: Params, chain: Chain) -> Dataset:
    return _climb(potential_matrix(chain.transition))


def _compare_climb(params: Params, chain: Chain, prediction: Dataset, raw: Dataset) -> tuple[Check, ...]:
    """The climb along the flow and along generated text.

    Flow: integrated to a relative 1e-10 (the steps add up to less than 1e-8); it never falls, its speed is the
    formula's, and it ends at a maximum. Text: the form gains the integral of its speed along the run's own shares,
    up to a martingale and to tr(S Sigma)/n in each log-time, which adds up to at most 1/(4 n0) times the eigenvalue
    spread of S and the fast chain's memory; 20/n0 covers it. The integral over 120 log-steps is exact to their square.
    """
    form, factor = prediction.potential.values, float(prediction.speed) / 2
    top = float(form.max())
    shares = raw.flow_shares.transpose("seed", "path", "moment", "token").values
    speed = raw.flow_speed.transpose("seed", "path", "moment", "token").values
    levels = height(form, shares)
    fall = float((levels[..., :-1] - levels[..., 1:]).max()) / top
    measured = 2 * np.einsum("...j,jk,...k->...", speed, form, shares)
    predicted = factor * ascent(form, shares)
    slip = float(np.abs(measured - predicted).max() / np.abs(measured).max())
    ends = shares[:, :, -1].reshape(-1, shares.shape[-1])
    limits = prediction.limit_share.values.reshape(-1, shares.shape[-1])
    nearest = np.abs(ends[:, None] - limits).sum(axis=2).min(axis=1, initial=2.0)
    return (
        Check(name="largest fall along the flow", deviation=fall, allowance=(-inf, 1e-8), resolution=0.05),
        Check(
            name="speed of the climb, largest relative error", deviation=slip, allowance=(-inf, 1e-8), resolution=0.05
        ),
        Check(
            name="flow ends off every local maximum",
            deviation=float(nearest.max()),
            allowance=(-inf, 1e-3),
            resolution=0.05,
        ),
        _text_climb(form, factor, raw),
    )


def _text_climb(form: Floats, factor: float, raw: Dataset) -> Check:
    tokens, counts = run_counts(raw)
    shares: Floats = counts / tokens[:, None]
    levels, log_time = height(form, shares), np.log(tokens)
    expected = np.asarray(np.trapezoid(factor * ascent(form, shares), log_time, axis=1))
    excess: Floats = (levels[:, -1] - levels[:, 0] - expected) / float(form.max())
    runs = len(excess)
    step = float(np.diff(log_time).max(initial=0.0))
    allowed = 20 / float(tokens[0]) + step**2
    return Check(
        name="climb of generated text over its prediction",
        deviation=float(excess.mean()),
        allowance=(-allowed, allowed),
        resolution=0.05,
        standard_error=float(mean_error(excess)),
        dof=runs - 1,
        replicates=runs,
        raise_hint="initial_tokens",
    )


def _row_potential(params: Params, chain: Chain) -> Dataset:
    """The chain's own entries, symmetrised: forgets how often each row is visited."""
    return _climb((chain.transition + chain.transition.T) / 2)


def _half_speed(params: Params, chain: Chain) -> Dataset:
    return _climb(potential_matrix(chain.transition), factor=1.0)


def _highest_wins(params: Params, chain: Chain) -> Dataset:
    return _climb(potential_matrix(chain.transition), only_highest=True)


def _climb_needs(params: Params, chain: Chain) -> tuple[Assumption, ...]:
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
    statement="If the base chain is reversible, the shares follow the replicator equation of a symmetric game: a "
    "quadratic form of them rises at a known speed, and texts end at its strict local maxima.",
    latex=r"\Phi=m^\top S m,\quad S_{kj}=\mu_kP_{kj}=S_{jk}:\qquad "
    r"\frac{d\Phi}{d\tau}=\frac{2\,\mathrm{Var}_m(Sm)}{\Phi}\ \ge 0",
    source="ours",
    kind="extension",
    defaults={
        "chain": "reversible",
        "vocab_size": 4,
        "initial_tokens": 10_000,
        "n_tokens": 100_000,
        "replicates": 10,
    },
    uses=frozenset({"chain", "vocab_size", "concentration", "odds_first", "odds_second", "transition", "data_seed"}),
    resolution=0.05,
    assumptions=_climb_needs,
    predict=_predict_climb,
    compare=_compare_climb,
    mutate=lambda prediction, amount: prediction.assign(speed=prediction.speed * (1 + amount)),
    experiment=ascent_paths,
    rivals=(
        Rival("unweighted potential", _row_potential, {}, "forgets how often the chain visits each row"),
        Rival("half the speed", _half_speed, {}, "forgets that both factors of the form move"),
        Rival("the highest wins", _highest_wins, {}, "lets every text end at the highest maximum"),
    ),
    power="0 false alarms on 36 random reversible chains and 26 blocks; a speed off by 10 % is rejected on all",
)
