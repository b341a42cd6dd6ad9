"""Softmax attention beside the best linear one: the lower bound of linear attention does not bind it."""

from __future__ import annotations

from math import inf

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Assumption, Check, Claim
from theory.icl.claims.best_steps import best_step, step_assumptions
from theory.icl.claims.equivalence import PROMPTS
from theory.icl.experiments.training import trained_softmax
from theory.icl.parameters import Params
from theory.icl.problem import Regression


def _predict(params: Params, problem: Regression) -> Dataset:
    found = best_step(params, problem, weighted=False)
    return Dataset(
        {
            "preconditioner": (
                ("row", "column"),
                found.preconditioner,
                {"long_name": "W of the best linear attention"},
            ),
            "risk": ((), found.risk, {"long_name": "best risk of linear attention"}),
            "label_power": ((), found.label_power, {"long_name": "risk of predicting 0", "spec_name": "M"}),
        }
    )


def _compare(params: Params, problem: Regression, prediction: Dataset, raw: Dataset) -> tuple[Check, ...]:
    """Risk of softmax attention, and its difference to the best linear layer on the same prompts (one mean per seed).

    The errors are standard errors over seeds: each is another trained model with prompts of its own.
    """
    linear = raw.correlation.values @ prediction.preconditioner.values.T
    answered = (linear * raw["query"].values).sum(axis=-1)
    other = (raw.truth.values - answered) ** 2 + params.noise_variance
    softmax = raw.error.values

    def observed(name: str, values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Check:
        each = values.mean(axis=1)
        error = float(each.std(ddof=1) / np.sqrt(len(each))) if len(each) > 1 else 0.0
        return Check(
            name=name,
            deviation=float(each.mean()),
            allowance=(-inf, inf),
            resolution=1.0,
            standard_error=error,
            dof=max(len(each) - 1, 1),
            replicates=len(each),
        )

    return (
        observed("risk of softmax attention", softmax),
        observed("risk of the best linear attention on the same prompts", other),
        observed("softmax minus linear", softmax - other),
    )


def _needs(params: Params, problem: Regression) -> tuple[Assumption, ...]:
    linear = Assumption("linear attention", False, "softmax weights are not linear in the context")
    return (linear, *step_assumptions(params, problem)[:3])


icl_softmax_contrast = Claim(
    id="icl-softmax-contrast",
    title="The bound does not bind softmax attention",
    statement="Softmax attention smooths labels over neighbours of the query. It does worse than the best linear "
    "attention on independent examples, and far better where examples were retrieved near the query.",
    latex=r"\hat y=\sum_i\operatorname{softmax}_i\big(z^\top W_qW_k^\top z_i\big)\,z_i^\top W_vh",
    source="ours: no theorem, an experiment",
    kind="observation",
    defaults={
        "design": "rag",
        "dim": 5,
        "context_length": 10,
        "noise_variance": 0.0,
        "alignment": 0.6,
        "spectrum_decay": 0.0,
        "steps": 500,
        "batch_size": 192,
        "replicates": 4000,
    },
    uses=PROMPTS | {"steps"},
    resolution=1.0,
    assumptions=_needs,
    predict=_predict,
    compare=_compare,
    mutate=lambda prediction, amount: prediction.assign(risk=prediction.risk + amount),
    experiment=trained_softmax,
)
