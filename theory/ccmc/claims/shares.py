"""Claims about what restores mixing, judged by long-run shares: output temperature, and a cap on counts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from xarray import Dataset

from theory.ccmc.claims import assumptions as needs
from theory.ccmc.claims.measures import by_columns, entry_check, record_at, run_counts
from theory.ccmc.cures import Balance, balance, left_of_start, stationary_law
from theory.ccmc.experiments.generation import generation
from theory.ccmc.mapping import tempered
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain, Floats
from theory.core.vocabulary import Assumption, Check, Claim, Compare, Predict, Rival, Symbol
from theory.shared.statistics import mean_of, variables

SHARE_RESOLUTION = 0.04
SETTLED = SHARE_RESOLUTION / 2
CAP_RESOLUTION, BURN_IN = 0.03, 0.1
"""The second is the share of the text that is dropped before shares are measured under a cap."""


def compare_shares(resolution: float) -> Compare[Params, Chain]:
    """Mean measured share of each token against its predicted share."""

    def compare(params: Params, chain: Chain, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
        return tuple(
            entry_check(f"share of {chain.name(token)}", prediction, measured, "share", resolution, token=token)
            for token in range(chain.vocab_size)
        )

    return compare


def share_dataset(shares: Floats, allowed: float) -> Dataset:
    """Predicted long-run shares with the allowance for what is left of the start."""
    return Dataset(
        {
            "share": (("token",), shares, {"long_name": "share of the text", "spec_name": "m"}),
            "share_allowance": ((), allowed, {"long_name": "what is left of the start"}),
        },
        coords={"token": np.arange(len(shares))},
    )


def move_shares(prediction: Dataset, amount: float) -> Dataset:
    """Moves ``amount`` of the share from the largest token to the smallest."""
    shares = prediction.share.values.copy()
    shares[shares.argmin()] += 1.05 * amount
    shares[shares.argmax()] -= 1.05 * amount
    return prediction.assign(share=(("token",), shares))


# --- output-temperature-cure -----------------------------------------------------------------------------------------


def _balance(params: Params, chain: Chain) -> Balance:
    """The balance; where none attracts (T_o at most 1), the stationary law stands in and nothing is judged."""
    if params.output_temperature > 1 and (chain.transition > 0).all():
        return balance(chain.transition, params.output_temperature)
    return Balance(stationary_law(chain.transition), 0.0, False)


def _left(params: Params, chain: Chain) -> float:
    """How far the flow of the shares may still be from its balance."""
    if params.output_temperature > 1 and (chain.transition > 0).all():
        return left_of_start(chain.transition, params.output_temperature, chain.initial_counts, params.n_tokens)
    return 1.0


def _output_needs(params: Params, chain: Chain) -> tuple[Assumption, ...]:
    found = _balance(params, chain)
    hot = params.output_temperature > 1
    return (
        Assumption("output temperature above 1", hot, f"T_o = {params.output_temperature:g}"),
        needs.plain_generation(params, but="output_temperature"),
        needs.full_support(chain),
        needs.whole_prompt(chain),
        Assumption("one balance", found.unique, "all starts meet" if found.unique else "starts end apart"),
        needs.small_enough("balance reached", _left(params, chain), SETTLED, "what is left of the start"),
    )


def _predict_output(params: Params, chain: Chain) -> Dataset:
    found = _balance(params, chain)
    about = {"long_name": "a deviation falls as n to minus this", "not_measured": "only where texts end is judged"}
    return share_dataset(found.shares, _left(params, chain)).assign(rate=((), found.rate, about))


def _measure_output(params: Params, chain: Chain, raw: Dataset) -> Dataset:
    """Shares at the end, averaged over runs."""
    times, counts = run_counts(raw)
    return Dataset(variables("share", ("token",), mean_of(counts[:, -1] / times[-1])))


def _other_shares(law: Callable[[Params, Chain], Floats]) -> Predict[Params, Chain]:
    return lambda params, chain: _predict_output(params, chain).assign(share=(("token",), law(params, chain)))


_TRIANGLE = ((0.7, 0.2, 0.1), (0.3, 0.6, 0.1), (0.2, 0.3, 0.5))

output_temperature_cure = Claim(
    id="output-temperature-cure",
    title="Any output temperature above one heals repetition",
    statement="Sampling from the next-token law to the power 1/T_o weakens reinforcement to N to the power 1/T_o. For "
    "every T_o above one all tokens keep a positive share, whatever the prompt; with equal rows the share is p to the "
    "power 1/(T_o − 1), and at T_o = 2 it is p itself.",
    latex=r"T_o>1:\quad m=v_\gamma(m),\ \ Q_m[k,j]\propto(m_jP_{kj})^{\gamma},\ \gamma=1/T_o;\qquad "
    r"P_{kj}=p_j:\ m_j\propto p_j^{1/(T_o-1)}",
    short="Output heat heals",
    symbols={
        "T_o": Symbol("output temperature", "output_temperature"),
        r"\gamma": Symbol("1/T_o: the power to which counts reinforce themselves"),
        "m_j": Symbol("share of token j", "share"),
        r"v_\gamma": Symbol("stationary law of the last token while the shares stand still"),
        "Q_m": Symbol("moves of the last token at shares m"),
        "p_j": Symbol("probability of token j where all rows are equal"),
    },
    source="ours, beyond arXiv 2402.13512",
    kind="extension",
    defaults={"transition": _TRIANGLE, "output_temperature": 2.0, "n_tokens": 50_000, "replicates": 5},
    uses=needs.TEXT | {"n_tokens"},
    resolution=SHARE_RESOLUTION,
    assumptions=_output_needs,
    predict=_predict_output,
    measure=_measure_output,
    compare=compare_shares(SHARE_RESOLUTION),
    mutate=move_shares,
    experiment=generation,
    rivals=(
        Rival(
            "base chain",
            _other_shares(lambda params, chain: stationary_law(chain.transition)),
            {"output_temperature": 3.0},
            "expects the stationary law of P at every temperature",
        ),
        Rival(
            "law to the power 1/T",
            _other_shares(lambda params, chain: stationary_law(tempered(chain.transition, params.output_temperature))),
            {},
            "forgets that counts are tempered too",
        ),
    ),
    power="0 false alarms in 60 fresh blocks of 40 texts, and on 60 random chains and temperatures; a share off by "
    "0.08 is rejected in all blocks",
)


# --- count-cap-base-chain ---------------------------------------------------------------------------------------------


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
        Rival(
            "transposed chain",
            _cap_shares(lambda params, chain: stationary_law(by_columns(chain.transition))),
            {},
            "reads P column by column",
        ),
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
