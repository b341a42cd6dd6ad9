"""Whether the gain survives in networks that learn their features: an observation, outside the theorem."""

from __future__ import annotations

from math import inf

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Assumption, Check, Claim
from theory.distillation.claims.students import SPECTRUM, safe_stats
from theory.distillation.experiments.networks import LABELS, ORACLE, network_students
from theory.distillation.feature_risk import held_out_risks
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats, Regression

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
            "frozen_risk_ratio": (
                ("oracle",),
                ratio,
                {"long_name": "risk over that of true linear labels, with frozen features", "missing_allowed": 1},
            ),
        },
        coords={"oracle": list(ORACLE)},
    )


def _compare(params: Params, problem: Regression, prediction: Dataset, raw: Dataset) -> tuple[Check, ...]:
    """Paired differences over seeds: networks of a seed share initial weights and images."""
    accuracy = {label: raw.accuracy.sel(label=label).values.astype(np.float64) for label in LABELS}
    error = {label: raw.squared_error.sel(label=label).values.astype(np.float64) for label in LABELS}
    checks: list[Check] = []
    for label, base in COMPARED:
        against = f"{_SAID[label]} over {_SAID[base]}"
        checks.append(_gain(f"accuracy gained, {against}", accuracy[label] - accuracy[base]))
        checks.append(_gain(f"squared error saved, {against}", error[base] - error[label]))
    for label in ("weak", "weak_flipped"):
        own = raw.teacher_accuracy.sel(teacher=label).values.astype(np.float64)
        checks.append(_gain(f"accuracy gained, {_SAID[label]} over that teacher itself", accuracy[label] - own))
    return tuple(checks)


def _gain(name: str, differences: Floats) -> Check:
    count = len(differences)
    spread = float(differences.std(ddof=1) / np.sqrt(count)) if count > 1 else 0.0
    return Check(
        name=name,
        deviation=float(differences.mean()),
        allowance=(-inf, inf),
        resolution=0.02,
        standard_error=spread,
        dof=count - 1,
        replicates=count,
        raise_hint="n_samples",
    )


def _needs(params: Params, problem: Regression) -> tuple[Assumption, ...]:
    return (
        Assumption("handwritten digits", "handwritten digits" in problem.source, problem.source or "no images"),
        Assumption("frozen features", False, f"the {params.features} network learns its features"),
    )


trained_network_w2s = Claim(
    id="trained-network-w2s",
    title="Does the best teacher also help networks that learn their features?",
    statement="A small network (an MLP or an attention model) is trained on few digits to almost zero error. Labels of "
    "the best mask and the best teacher come from an oracle that knows all digits: an upper illustration, no method. "
    "They raise the accuracy, clearly in the MLP, within two standard errors in the attention model, whose squared "
    "error rises. Labels of a real weak teacher beat noisy labels, but not clean ones.",
    latex=r"\text{outside the theorem: } \phi \text{ is learnt, not frozen}",
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
    compare=_compare,
    mutate=lambda prediction, amount: prediction.assign(frozen_risk_ratio=prediction.frozen_risk_ratio + amount),
    experiment=network_students,
    power="paired differences over seeds, with standard errors; nothing is judged",
)
