"""Whether the gain survives in networks that learn their features: an observation, outside the theorem."""

from __future__ import annotations

from math import inf

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Assumption, Check, Claim, Symbol
from theory.distillation.claims.students import SPECTRUM, safe_stats
from theory.distillation.experiments.networks import LABELS, ORACLE, network_students
from theory.distillation.feature_risk import held_out_risks
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats, Regression
from theory.shared.statistics import mean_check, pooled, ratio_of, variables

_SAID = {
    "mask": "best-mask labels (oracle)",
    "optimal": "best-teacher labels (oracle)",
    "weak": "weak-teacher labels",
    "weak_flipped": "labels of a weak teacher of flipped classes",
    "strong": "true classes",
    "flipped": "flipped classes",
}
COMPARED = (("mask", "strong"), ("optimal", "strong"), ("weak", "strong"), ("weak_flipped", "flipped"))


def _predict(params: Params, problem: Regression) -> Dataset:
    """What the theorem says of the frozen features that the oracle's labels come from; nothing is known of networks."""
    risks = held_out_risks(safe_stats(params, problem), problem, params.n_samples)
    # Where true labels leave no risk there is no ratio to it.
    ratio = np.divide(risks[1:3], risks[0], out=np.full(2, np.nan), where=risks[0] > 0)
    return Dataset(
        {
            "error_ratio": (
                ("oracle",),
                ratio,
                {
                    "long_name": "squared error over that of true labels; predicted for frozen features",
                    "missing_allowed": 1,
                },
            ),
        },
        coords={"oracle": list(ORACLE)},
    )


def _measure(params: Params, problem: Regression, raw: Dataset) -> Dataset:
    """What labels of the oracle make of the squared error of true ones, and what every network and teacher reached."""
    error = {label: pooled(raw.squared_error.sel(label=label)) for label in LABELS}
    ratio = ratio_of(np.stack([error[label] for label in ORACLE], axis=1), error["strong"][:, None])
    kept = raw[["accuracy", "squared_error", "teacher_accuracy"]]
    return kept.assign(variables("error_ratio", ["oracle"], ratio) | {"oracle": ("oracle", list(ORACLE))})


def _compare(params: Params, problem: Regression, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    """Paired differences over seeds: networks of a seed share initial weights and images."""
    accuracy = {label: pooled(measured.accuracy.sel(label=label)) for label in LABELS}
    error = {label: pooled(measured.squared_error.sel(label=label)) for label in LABELS}
    own = {label: pooled(measured.teacher_accuracy.sel(teacher=label)) for label in ("weak", "weak_flipped")}
    gains: dict[str, Floats] = {}
    for label, base in COMPARED:
        against = f"{_SAID[label]} over {_SAID[base]}"
        gains[f"accuracy gained, {against}"] = accuracy[label] - accuracy[base]
        gains[f"squared error saved, {against}"] = error[base] - error[label]
    for label, reached in own.items():
        gains[f"accuracy gained, {_SAID[label]} over that teacher itself"] = accuracy[label] - reached
    return tuple(mean_check(name, gained, (-inf, inf), 0.02, "n_samples") for name, gained in gains.items())


def _needs(params: Params, problem: Regression) -> tuple[Assumption, ...]:
    return (
        Assumption("handwritten digits", "handwritten digits" in problem.source, problem.source or "no images"),
        Assumption("frozen features", False, f"the {params.features} network learns its features"),
    )


trained_network_w2s = Claim(
    id="trained-network-w2s",
    title="Does the best teacher also help networks that learn their features?",
    short="Networks that learn",
    statement="A small network (an MLP or an attention model) is trained on few digits to almost zero error. Labels of "
    "the best mask and the best teacher come from an oracle that knows all digits: an upper illustration, no method. "
    "They raise the accuracy, clearly in the MLP, within two standard errors in the attention model, whose squared "
    "error rises. Labels of a real weak teacher beat noisy labels, but not clean ones.",
    latex=r"\text{outside the theorem: } \phi \text{ is learnt, not frozen}",
    symbols={r"\phi": Symbol("the features of the network", "features")},
    source="ours; arXiv 2410.18837 has an experiment of this kind",
    kind="observation",
    defaults={
        "spectrum": "features",
        "n_samples": 100,
        "n_teacher_samples": 300,
        "teacher_features": 20,
    },
    uses=SPECTRUM | {"n_samples", "ridge", "n_teacher_samples", "teacher_features"},
    resolution=0.02,
    assumptions=_needs,
    predict=_predict,
    measure=_measure,
    compare=_compare,
    mutate=lambda prediction, amount: prediction.assign(error_ratio=prediction.error_ratio + amount),
    experiment=network_students,
    power="paired differences over seeds, with standard errors; nothing is judged",
)
