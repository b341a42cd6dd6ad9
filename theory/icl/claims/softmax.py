"""Softmax attention beside the best linear one: the lower bound of linear attention does not bind it."""

from __future__ import annotations

from math import inf

from xarray import Dataset

from theory.core.vocabulary import Assumption, Check, Claim, Symbol
from theory.icl.claims.best_steps import best_step, step_assumptions
from theory.icl.claims.equivalence import PROMPTS
from theory.icl.experiments.training import trained_softmax
from theory.icl.parameters import Params
from theory.icl.problem import Regression
from theory.shared.statistics import mean_check, mean_of, variables


def _predict(params: Params, problem: Regression) -> Dataset:
    found = best_step(params, problem, weighted=False).dataset(preconditioner="softmax attention has none")
    found.risk.attrs["long_name"] = "best risk of linear attention"
    return found.drop_vars("omega")


def _measure(params: Params, problem: Regression, raw: Dataset) -> Dataset:
    """Risk of softmax attention, and of predicting 0; a seed is another layer with prompts of its own."""
    risks = raw.error.values.mean(axis=1)
    powers = (raw.truth.values**2).mean(axis=1) + params.noise_variance
    return raw.assign(
        **variables("risk", (), mean_of(risks), long_name="risk of softmax attention"),
        **variables("label_power", (), mean_of(powers)),
    )


def _compare(params: Params, problem: Regression, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    """Risk of softmax attention, and its difference to the best linear layer on the same prompts (one mean per seed).

    The errors are standard errors over seeds: each is another trained model with prompts of its own.
    """
    answered = measured.correlation.values @ prediction.preconditioner.values.T * measured["query"].values
    linear = (measured.truth.values - answered.sum(axis=-1)) ** 2 + params.noise_variance
    softmax = measured.error.values
    found = {
        "risk of softmax attention": softmax,
        "risk of the best linear attention on the same prompts": linear,
        "softmax minus linear": softmax - linear,
    }
    return tuple(mean_check(name, values.mean(axis=1), (-inf, inf), 1.0, "steps") for name, values in found.items())


def _needs(params: Params, problem: Regression) -> tuple[Assumption, ...]:
    linear = Assumption("linear attention", False, "softmax weights are not linear in the context")
    return (linear, *step_assumptions(params, problem)[:3])


icl_softmax_contrast = Claim(
    id="icl-softmax-contrast",
    title="The bound does not bind softmax attention",
    short="Softmax attention",
    statement="Softmax attention smooths labels over neighbours of the query. It does worse than the best linear "
    "attention on independent examples, and far better where examples were retrieved near the query.",
    latex=r"\hat y=\sum_i\operatorname{softmax}_i\big(z^\top W_qW_k^\top z_i\big)\,z_i^\top W_vh",
    symbols={
        r"\hat y": Symbol("the layer's answer"),
        "z_i": Symbol("token of example i: features and label"),
        "W_q": Symbol("query weights"),
        "W_k": Symbol("key weights"),
        "W_v": Symbol("value weights"),
        "h": Symbol("output weights"),
    },
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
    measure=_measure,
    compare=_compare,
    mutate=lambda prediction, amount: prediction.assign(risk=prediction.risk + amount),
    experiment=trained_softmax,
)
