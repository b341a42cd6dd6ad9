"""Claims about temperature: of the output, which restores mixing, and of the attention, which does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from xarray import Dataset

from theory.ccmc.claims import assumptions as needs
from theory.ccmc.claims.assumptions import CHAIN as PROBLEM
from theory.ccmc.claims.measures import mean_error, run_counts
from theory.ccmc.cures import Balance, balance, left_of_start, stationary_law
from theory.ccmc.experiments.generation import generation
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain, Floats
from theory.ccmc.simulation.sampling import tempered
from theory.core.vocabulary import Assumption, Check, Claim, Rival

SHARE_RESOLUTION = 0.04
SETTLED = SHARE_RESOLUTION / 2


def share_checks(measured: Floats, predicted: Floats, allowed: float, chain: Chain, resolution: float) -> list[Check]:
    """Mean measured share (R, K) of each token against its predicted share (K,)."""
    runs = len(measured)
    errors = mean_error(measured)
    return [
        Check(
            name=f"share of {chain.name(token)}",
            deviation=float(measured[:, token].mean() - predicted[token]),
            allowance=(-allowed, allowed),
            resolution=resolution,
            standard_error=float(errors[token]),
            dof=runs - 1,
            replicates=runs,
            raise_hint="n_tokens",
        )
        for token in range(chain.vocab_size)
    ]


def share_dataset(shares: Floats, allowed: float) -> Dataset:
    """Predicted long-run shares with the allowance for what is left of the start."""
    return Dataset(
        {
            "share": (("token",), shares, {"long_name": "share of the text", "spec_name": "m"}),
            "allowance": ((), allowed, {"long_name": "what is left of the start"}),
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
    others = params.model_copy(update={"output_temperature": 1.0})
    hot = params.output_temperature > 1
    return (
        Assumption("output temperature above 1", hot, f"T_o = {params.output_temperature:g}"),
        needs.plain_generation(others),
        needs.full_support(chain),
        needs.whole_prompt(chain),
        Assumption("one balance", found.unique, "all starts meet" if found.unique else "starts end apart"),
        needs.small_enough("balance reached", _left(params, chain), SETTLED, "what is left of the start"),
    )


def _predict_output(params: Params, chain: Chain) -> Dataset:
    found = _balance(params, chain)
    return share_dataset(found.shares, _left(params, chain)).assign(
        rate=((), found.rate, {"long_name": "a deviation falls as n to minus this"})
    )


def _compare_output(params: Params, chain: Chain, prediction: Dataset, raw: Dataset) -> tuple[Check, ...]:
    """Shares at the end, averaged over runs."""
    times, counts = run_counts(raw)
    shares = counts[:, -1] / times[-1]
    return tuple(share_checks(shares, prediction.share.values, float(prediction.allowance), chain, SHARE_RESOLUTION))


def _other_shares(law: Callable[[Params, Chain], Floats]) -> Callable[[Any, Any], Dataset]:
    def predict(params: Params, chain: Chain) -> Dataset:
        return _predict_output(params, chain).assign(share=(("token",), law(params, chain)))

    return predict


_TRIANGLE = ((0.7, 0.2, 0.1), (0.3, 0.6, 0.1), (0.2, 0.3, 0.5))

output_temperature_cure = Claim(
    id="output-temperature-cure",
    title="Any output temperature above one heals repetition",
    statement="Sampling from the next-token law to the power 1/T_o weakens reinforcement to N to the power 1/T_o. For "
    "every T_o above one all tokens keep a positive share, whatever the prompt; with equal rows the share is p to the "
    "power 1/(T_o − 1), and at T_o = 2 it is p itself.",
    latex=r"T_o>1:\quad m=v_\gamma(m),\ \ Q_m[k,j]\propto(m_jP_{kj})^{\gamma},\ \gamma=1/T_o;\qquad "
    r"P_{kj}=p_j:\ m_j\propto p_j^{1/(T_o-1)}",
    source="ours, beyond arXiv 2402.13512",
    kind="extension",
    defaults={"transition": _TRIANGLE, "output_temperature": 2.0, "n_tokens": 50_000, "replicates": 5},
    uses=PROBLEM | {"n_tokens", "output_temperature"},
    resolution=SHARE_RESOLUTION,
    assumptions=_output_needs,
    predict=_predict_output,
    compare=_compare_output,
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
