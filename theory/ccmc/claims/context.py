"""The claim about capped counts: attention over a set, which is the base chain itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from xarray import Dataset

from theory.ccmc.claims import assumptions as needs
from theory.ccmc.claims.measures import record_at, run_counts
from theory.ccmc.claims.temperatures import compare_shares, move_shares, share_dataset
from theory.ccmc.cures import stationary_law
from theory.ccmc.experiments.generation import generation
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain, Floats
from theory.core.vocabulary import Assumption, Claim, Predict, Rival, Symbol
from theory.shared.statistics import mean_of, variables

CAP_RESOLUTION = 0.03
BURN_IN = 0.1
"""Share of the text that is dropped before shares are measured under a cap."""


def _cap_error(params: Params, chain: Chain) -> float:
    """Bound on the error of the mean shares over the measured part of the text, at most 1.

    A token with count i < c follows with probability at least ``i q / c``, q = min_k P_kj, so its time to the cap lies
    below a sum of c exponential variables of these rates, plus c. By Chernoff's bound at half the smallest rate, the
    measured part lacks at most ``sqrt(pi c) (2 c/q) exp(-q (b - c)/(2 c))`` tokens of it, b = tokens dropped. From then
    on the deviation matrix of the base chain bounds what its starting token adds to any count.
    """
    cap, dropped = float(params.count_cap or 1), BURN_IN * params.n_tokens
    rates = np.maximum(chain.transition.min(axis=0), 1e-300) / (2 * cap)
    early = float(np.sum(np.sqrt(np.pi * cap) / rates * np.exp(-rates * max(dropped - cap, 0.0))))
    law = stationary_law(chain.transition)
    deviations: Floats = np.linalg.pinv(np.eye(len(law)) - chain.transition + law) - law
    late = float(np.ptp(deviations, axis=0).max())
    return min(((early if cap > 1 else 0.0) + late) / ((1 - BURN_IN) * params.n_tokens), 1.0)


def _cap_needs(params: Params, chain: Chain) -> tuple[Assumption, ...]:
    error = _cap_error(params, chain)
    return (
        Assumption("a count cap", params.count_cap is not None, f"cap {params.count_cap or 'off'}"),
        needs.plain_generation(params, but="count_cap"),
        needs.full_support(chain),
        needs.whole_prompt(chain),
        needs.small_enough("long enough text", error, CAP_RESOLUTION / 2, "bound on what is left of the start"),
    )


def _cap_shares(law: Callable[[Params, Chain], Floats]) -> Predict[Params, Chain]:
    return lambda params, chain: share_dataset(law(params, chain), _cap_error(params, chain))


def _measure_cap(params: Params, chain: Chain, raw: Dataset) -> Dataset:
    """Shares of what was generated after the burn-in, averaged over runs."""
    times, counts = run_counts(raw)
    start = record_at(times, BURN_IN * times[-1])
    shares = (counts[:, -1] - counts[:, start]) / (times[-1] - times[start])
    return Dataset(variables("share", ("token",), mean_of(shares)))


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
    short="Capped counts",
    symbols={
        "c": Symbol("cap on counts", "count_cap"),
        r"\mu": Symbol("stationary law of the base chain", "share"),
        "m": Symbol("shares of the text", "share"),
    },
    source="ours, beyond arXiv 2402.13512",
    kind="extension",
    defaults={"transition": ((0.7, 0.2, 0.1), (0.3, 0.6, 0.1), (0.2, 0.3, 0.5)), "count_cap": 5, "n_tokens": 20_000},
    uses=needs.TEXT | {"n_tokens"},
    resolution=CAP_RESOLUTION,
    assumptions=_cap_needs,
    predict=_cap_shares(lambda params, chain: stationary_law(chain.transition)),
    measure=_measure_cap,
    compare=compare_shares(CAP_RESOLUTION),
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
    power="0 false alarms in 60 fresh blocks of 200 texts, and on 60 random chains and caps; a share off by 0.06 is "
    "rejected in all blocks",
)
