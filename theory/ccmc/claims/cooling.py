"""The claim that temperature of the attention changes exponents, but not who can win."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from xarray import Dataset

from theory.ccmc.chain import Chain, Floats
from theory.ccmc.claims import assumptions as needs
from theory.ccmc.claims.collapse import PROBLEM
from theory.ccmc.claims.measures import mean_error, record_at, run_counts
from theory.ccmc.generation import generation
from theory.ccmc.parameters import Params
from theory.ccmc.sampling import tempered
from theory.ccmc.winners import winner_sets
from theory.vocabulary import Assumption, Check, Claim, Rival

SLOPE_RESOLUTION = 0.08
FEWEST_RUNS = 25
"""Runs that a winner must have won before its losers are judged."""


def _predict_attention(params: Params, chain: Chain) -> Dataset:
    return _growth(params, chain, lambda plain, temperature: plain ** (1 / temperature))


def _growth(params: Params, chain: Chain, cooled: Callable[[Floats, float], Floats]) -> Dataset:
    """Growth exponents [winner, token] at this temperature, and which tokens win alone: those that do at T_a = 1."""
    base = np.maximum(chain.transition, 1e-300)
    plain = base / np.diag(base)[:, None]
    alone = (plain <= 1 - 1e-9).sum(axis=1) == chain.vocab_size - 1
    exponent = cooled(plain, params.attention_temperature)
    np.fill_diagonal(exponent, 1.0)
    middle = np.sqrt(params.n_tokens * len(chain.prompt))
    strongest = np.where(np.eye(chain.vocab_size, dtype=bool), 0.0, exponent).max(axis=1, keepdims=True)
    grown = max(middle / len(chain.prompt), 1.0)
    size = np.maximum(chain.initial_counts, 1) * grown ** np.clip(exponent, 0.0, 1.0)
    # The winner lacks the strongest loser's share, grown^(strongest - 1) times a random factor whose mean stays below 2
    # unless the prompt is tiny; counting a random size N in whole tokens costs about log N / N.
    left = np.minimum(2 * grown ** (np.minimum(strongest, 1.0) - 1), 1.0) + (1 + np.log(size)) / size
    span = max(float(np.log(params.n_tokens / middle)), 1e-3)
    return Dataset(
        {
            "exponent": (("winner", "token"), exponent, {"long_name": "growth exponent", "spec_name": "theta"}),
            "allowance": (("winner", "token"), left / span),
            "wins_alone": (("winner",), alone, {"long_name": "can win alone"}),
        },
        coords={"winner": np.arange(chain.vocab_size), "token": np.arange(chain.vocab_size)},
    )


def _attention_needs(params: Params, chain: Chain) -> tuple[Assumption, ...]:
    plain = params.model_copy(update={"attention_temperature": 1.0})
    sets = [winner_sets(tempered(chain.transition, t)) for t in (1.0, params.attention_temperature)]
    sizes = [int(found.support.sum(axis=1).max(initial=0)) for found in sets]
    single = all(size == 1 for size in sizes)
    prediction = _predict_attention(params, chain)
    judged = prediction.wins_alone.values
    worst = float(prediction.allowance.values[judged].max(initial=0.0)) if judged.any() else 1.0
    return (
        needs.plain_generation(plain),
        needs.full_support(chain),
        needs.whole_prompt(chain),
        Assumption("single winners", single, f"largest winner sets: {sizes[0]} at T_a = 1, {sizes[1]} now"),
        needs.small_enough("long enough text", worst, SLOPE_RESOLUTION / 2, "error of the growth exponent about"),
    )


def _compare_attention(params: Params, chain: Chain, prediction: Dataset, raw: Dataset) -> tuple[Check, ...]:
    """Runs are won by tokens that win alone at T_a = 1; in each winner's runs losers grow with the cooled exponents."""
    times, counts = run_counts(raw)
    start = record_at(times, float(np.sqrt(times[0] * times[-1])))
    won = counts[:, -1].argmax(axis=1)
    foreign = float((~prediction.wins_alone.values[won]).mean())
    found = [Check("runs won by a token that cannot win alone", foreign, (0.0, 0.0), 0.05)]
    logs = np.log(np.maximum(counts[:, [start, -1]], 1.0))
    slopes = (logs[:, 1] - logs[:, 0]) / np.log(times[-1] / times[start])
    for winner in np.flatnonzero(np.bincount(won, minlength=chain.vocab_size) >= FEWEST_RUNS):
        mine = slopes[won == winner]
        for token in range(chain.vocab_size):
            if token != winner:
                allowed = float(prediction.allowance[winner, token])
                value = float(mine[:, token].mean() - prediction.exponent[winner, token])
                name = f"growth of {chain.name(token)} where {chain.name(int(winner))} wins"
                error, runs = float(mean_error(mine)[token]), len(mine)
                found.append(
                    Check(name, value, (-allowed, allowed), SLOPE_RESOLUTION, error, runs - 1, runs, "n_tokens")
                )
    return tuple(found)


attention_temperature_no_cure = Claim(
    id="attention-temperature-no-cure",
    title="No attention temperature heals a single winner",
    statement="Dividing the attention logits by T_a replaces P by its power 1/T_a. Row maxima stay where they are, so "
    "the same tokens win alone at every temperature; losers only fade with other exponents, θ to the power 1/T_a.",
    latex=r"P_{kj}\mapsto P_{kj}^{1/T_a}/\textstyle\sum_l P_{kl}^{1/T_a}:\qquad \theta_i\mapsto\theta_i^{1/T_a}",
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
    uses=PROBLEM | {"n_tokens", "attention_temperature"},
    resolution=SLOPE_RESOLUTION,
    assumptions=_attention_needs,
    predict=_predict_attention,
    compare=_compare_attention,
    mutate=lambda prediction, amount: prediction.assign(exponent=prediction.exponent + 1.05 * amount),
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
    power="",
)
