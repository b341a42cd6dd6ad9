"""The claim that temperature of the attention changes exponents, but not who can win."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from xarray import Dataset

from theory.ccmc import flow
from theory.ccmc.claims import assumptions as needs
from theory.ccmc.claims.measures import at_most, moved
from theory.ccmc.claims.winners import growth_checks, measured_sets, sets_dataset
from theory.ccmc.experiments.generation import generation
from theory.ccmc.mapping import tempered
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain, Floats
from theory.ccmc.winners import single_winners, winner_sets
from theory.core.vocabulary import Assumption, Check, Claim, Rival, Symbol
from theory.shared.statistics import mean_of, variables

SLOPE_RESOLUTION, WON_RESOLUTION = 0.08, 0.1
PATHS = 256


def _cold(params: Params, chain: Chain) -> Chain:
    return replace(chain, transition=tempered(chain.transition, params.attention_temperature))


def _predict_attention(params: Params, chain: Chain) -> Dataset:
    return _growth(params, chain, lambda plain, temperature: plain ** (1 / temperature))


def _growth(params: Params, chain: Chain, cooled: Callable[[Floats, float], Floats]) -> Dataset:
    """Winner sets and exponents from those at T_a = 1; how far the flow is from them after so many tokens."""
    sets = winner_sets(chain.transition)
    sets = replace(sets, exponents=np.where(sets.support, 1.0, cooled(sets.exponents, params.attention_temperature)))
    about = {"long_name": "at most this share of texts is won by tokens that cannot win alone"}
    return sets_dataset(params, _cold(params, chain), sets).assign(elsewhere=((), _elsewhere(params, chain), about))


def _elsewhere(params: Params, chain: Chain) -> float:
    """Share of the flow's paths that end, after so many tokens, at a token that does not win alone at T_a = 1.

    By the rule of three, none among ``PATHS`` still means up to 3/PATHS of all.
    """
    end = np.array([max(float(np.log(params.n_tokens / len(chain.prompt))), 0.0)])
    starts = flow.spread_starts(chain.initial_counts, PATHS)
    won = flow.trajectories(_cold(params, chain).transition, starts, end)[:, 0].argmax(axis=1)
    return min(float((~np.isin(won, single_winners(chain.transition))).mean()) + 3 / PATHS, 1.0)


def _attention_needs(params: Params, chain: Chain) -> tuple[Assumption, ...]:
    sets = [winner_sets(tempered(chain.transition, t)) for t in (1.0, params.attention_temperature)]
    sizes = [int(found.support.sum(axis=1).max(initial=0)) for found in sets]
    detail = f"largest winner sets: {sizes[0]} at T_a = 1, {sizes[1]} now"
    return (
        needs.plain_generation(params, but="attention_temperature"),
        needs.full_support(chain),
        needs.whole_prompt(chain),
        needs.generates(params, chain),
        Assumption("single winners", sizes == [1, 1], detail),
        needs.small_enough("settled by the end", _elsewhere(params, chain), WON_RESOLUTION / 2, "elsewhere: up to"),
    )


def _measure_attention(params: Params, chain: Chain, raw: Dataset) -> Dataset:
    """Where texts end, and how many are won by a token that is not the most probable one after itself."""
    found = measured_sets(chain, raw)
    repeats = np.diag(chain.transition) >= chain.transition.max(axis=1)
    won = found.run_share.values.argmax(axis=1)
    return found.assign(variables("elsewhere", (), mean_of(~repeats[won])))


def _compare_attention(params: Params, chain: Chain, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    """Runs are won by tokens that win alone at T_a = 1; in each winner's runs losers grow with the cooled exponents."""
    runs, allowed = measured.sizes["run"], float(prediction.elsewhere)
    found = at_most(
        "runs won by a token that cannot win alone",
        measured.elsewhere,
        allowed,
        WON_RESOLUTION,
        standard_error=float(np.sqrt(max(allowed, 1 / runs) / runs)),
        replicates=runs,
        raise_hint="n_tokens",
    )
    if not prediction.sizes["winner_set"]:
        return (found,)
    nearest = prediction.winner_shares.values[:, measured.run_share.values.argmax(axis=1)].argmax(axis=0)
    return (found, *growth_checks(chain, prediction, measured, nearest, SLOPE_RESOLUTION))


attention_temperature_no_cure = Claim(
    id="attention-temperature-no-cure",
    title="No attention temperature heals a single winner",
    statement="Dividing the attention logits by T_a replaces P by its power 1/T_a. Row maxima stay where they are, so "
    "the same tokens win alone at every temperature; losers only fade with other exponents, θ to the power 1/T_a.",
    latex=r"P_{kj}\mapsto P_{kj}^{1/T_a}/\textstyle\sum_l P_{kl}^{1/T_a}:\qquad \theta_i\mapsto\theta_i^{1/T_a}",
    short="Cold attention repeats",
    symbols={
        "T_a": Symbol("attention temperature", "attention_temperature"),
        r"\theta_i": Symbol("growth exponent of token i", "growth_exponents"),
    },
    source="ours, beyond arXiv 2402.13512",
    kind="extension",
    defaults={
        "chain": "identical_rows",
        "top_probability": 0.6,
        "attention_temperature": 1.5,
        "count_first": 3,
        "count_others": 3,
        "n_tokens": 10_000_000,
    },
    uses=needs.TEXT | {"n_tokens"},
    resolution=SLOPE_RESOLUTION,
    assumptions=_attention_needs,
    predict=_predict_attention,
    measure=_measure_attention,
    compare=_compare_attention,
    mutate=moved("growth_exponents"),
    experiment=generation,
    rivals=(
        Rival(
            "exponent over temperature",
            lambda params, chain: _growth(params, chain, lambda plain, temperature: plain / temperature),
            {},
            "divides the exponent by the temperature",
        ),
        Rival(
            "temperature ignored",
            lambda params, chain: _growth(params, chain, lambda plain, temperature: plain * 1.0),
            {"attention_temperature": 2.0, "replicates": 8},
            "keeps the exponents of T_a = 1",
        ),
    ),
    power="0 false alarms in 50 fresh blocks of 200 texts, and on 60 random chains and temperatures; an exponent "
    "off by 0.16 is rejected in all blocks",
)
