"""Claims about chance and choice: how well soft composition estimates the truth, and what other losses do."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.core.compare import default_compare
from theory.core.vocabulary import Assumption, Check, Claim, Rival, Symbol
from theory.next_token.claims import assumptions as needs
from theory.next_token.claims.measures import TOKENS
from theory.next_token.experiments.brute_force import luce_replicates
from theory.next_token.experiments.descent import LOSSES
from theory.next_token.experiments.descent import other_losses as other_losses_experiment
from theory.next_token.parameters import Params
from theory.next_token.problem import Prompts
from theory.next_token.structure import solve
from theory.shared.choice import estimation_variance, fisher_information
from theory.shared.statistics import Mean, pooled, standard_error, variables

Floats = npt.NDArray[np.float64]


def _risk(prompts: Prompts, value: float) -> Dataset:
    """The asymptote is reached up to 30/n."""
    named = {"long_name": "expected squared error of the centred scores", "units": "nats²", "comparison": "relative"}
    return Dataset({"risk": ((), value, named), "risk_allowance": value * _finite_size(prompts)})


def _finite_size(prompts: Prompts) -> float:
    return 30 / prompts.n


def _information(prompts: Prompts) -> Floats:
    """At the true scores, or at zeros where nobody knows them (then the assumption is broken)."""
    scores = np.zeros(prompts.vocab_size) if prompts.true_scores is None else prompts.true_scores
    return fisher_information(prompts.counts(), scores)


def _predict_risk(params: Params, prompts: Prompts) -> Dataset:
    return _risk(prompts, estimation_variance(_information(prompts)))


def _measure_risk(params: Params, prompts: Prompts, raw: Dataset) -> Dataset:
    """Mean squared error over all label redraws; not finite when some redraw does not determine all scores."""
    errors = pooled(raw.squared_error, ("seed", "trial"))
    finite = errors[np.isfinite(errors)]
    mean = float(errors.mean()) if len(finite) == len(errors) else np.nan
    return Dataset(variables("risk", (), Mean(mean, standard_error(finite), len(finite))))


def _compare_risk(params: Params, prompts: Prompts, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    found = default_compare(prediction, measured, 0.25, "n_sequences")
    return tuple(replace(check, name="mean squared error over prediction − 1") for check in found)


def _consistency_needs(params: Params, prompts: Prompts) -> tuple[Assumption, ...]:
    known, allowed = prompts.true_scores is not None, _finite_size(prompts)
    largest = int(solve(prompts).condensation.size.max(initial=1))
    return (
        needs.labels_present(prompts),
        Assumption("labels from a choice model", known, "true scores known" if known else "true scores unknown"),
        Assumption("one component", largest == prompts.vocab_size, f"the largest component has {largest} tokens"),
        Assumption("enough prompts", allowed <= 0.15, f"{prompts.n} prompts leave a relative error of {allowed:.2g}"),
    )


def _parameters_over_samples(params: Params, prompts: Prompts) -> Dataset:
    return _risk(prompts, (prompts.vocab_size - 1) / prompts.n)


def _trace_inverted(params: Params, prompts: Prompts) -> Dataset:
    return _risk(prompts, (prompts.vocab_size - 1) / float(np.trace(_information(prompts))))


consistency = Claim(
    id="consistency",
    title="Soft composition estimates the truth at the best possible rate",
    short="Risk of the estimate",
    statement="When labels are drawn by Luce's rule from true scores, the finite scores are their maximum-likelihood "
    "estimate, with mean squared error equal to the trace of the inverse information.",
    latex=r"\mathbb E\,\|f-\theta\|^2\simeq \operatorname{tr} H^{+},\qquad "
    r"H=\sum_i\big(\mathrm{diag}\,p_i-p_ip_i^\top\big)",
    symbols={
        r"\mathbb E\,\|f-\theta\|^2": Symbol("mean squared error of the fitted scores", "risk"),
        r"\theta": Symbol("true scores, centred"),
        "f": Symbol("fitted scores, centred"),
        "H": Symbol("information of all prompts about the scores"),
        "p_i": Symbol("probabilities of the labels of the prompt i at the true scores"),
    },
    source="ours, from classical likelihood theory",
    kind="extension",
    defaults={"generator": "luce", "vocab_size": 5, "n_sequences": 400, "prompt_length": 4},
    uses=needs.DATA,
    resolution=0.25,
    assumptions=_consistency_needs,
    predict=_predict_risk,
    measure=_measure_risk,
    compare=_compare_risk,
    mutate=lambda prediction, amount: Dataset(
        {name: (found.dims, found.values / (1 + amount), found.attrs) for name, found in prediction.data_vars.items()}
    ),
    experiment=luce_replicates,
    rivals=(
        Rival("parameters over samples", _parameters_over_samples, {}, "counts parameters, forgets the information"),
        Rival("trace inverted", _trace_inverted, {}, "inverts the trace instead of tracing the inverse"),
    ),
    power="0 false alarms in 12 fresh data sets of 1,536 redraws each; a risk off by 50 % is rejected in all of them",
)


# --- other-losses ----------------------------------------------------------------------------------------------------


def _unit(matrices: Floats) -> Floats:
    """Matrices (..., K, K) at unit Frobenius norm; NaN for zero."""
    norms = np.linalg.norm(matrices, axis=(-2, -1), keepdims=True)
    return matrices / np.where(norms > 0, norms, np.nan)


def _directions(matrices: Floats) -> Dataset:
    named = {"long_name": "logits at unit norm"}
    return Dataset(
        {"direction": (("loss_function", *TOKENS), _unit(matrices), named)}, coords={"loss_function": list(LOSSES)}
    )


def _predict_other(params: Params, prompts: Prompts) -> Dataset:
    levels = solve(prompts).known_levels
    found = _directions(np.repeat(levels[None], len(LOSSES), axis=0))
    return found.assign(levels=(TOKENS, levels, {"spec_name": "z", "not_measured": "only their direction is"}))


def _measure_other(params: Params, prompts: Prompts, raw: Dataset) -> Dataset:
    return _directions(raw.logits.values)


def _compare_other(params: Params, prompts: Prompts, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    """Cosine between the Graph-SVM direction and the logits that each loss reaches."""
    cosines = (prediction.direction * measured.direction).sum(TOKENS, skipna=False)
    return tuple(
        Check(name=f"cosine with W_svm, {name} loss", deviation=value, allowance=(-inf, inf), resolution=1e-2)
        for name, value in zip(LOSSES, cosines.values.tolist(), strict=True)
    )


def _other_needs(params: Params, prompts: Prompts) -> tuple[Assumption, ...]:
    solution = solve(prompts)
    return (
        needs.labels_present(prompts),
        needs.orthonormal(prompts),
        needs.separable(solution),
        needs.acyclic(solution),
        needs.zero_start(params),
    )


other_losses = Claim(
    id="other-losses",
    title="Other losses seem to find the same direction",
    short="Other losses",
    statement="On acyclic data, normalised descent on (1−p)² and on 1−p reaches nearly the direction of the log-loss. "
    "This is an observation: nothing is proved, and cyclic data are outside it.",
    latex=r"\ell(p)\in\{-\log p,\;(1-p)^2,\;1-p\}:\qquad \frac{W_t}{\|W_t\|}\approx\frac{W_{svm}}{\|W_{svm}\|}",
    symbols={
        r"\ell(p)": Symbol("loss of a prompt whose label has probability p"),
        r"\frac{W_t}{\|W_t\|}": Symbol("direction of the trained weights", "direction"),
        "W_{svm}": Symbol("the smallest matrix that gives every priority a margin of one", "levels"),
    },
    source="ours, an observation",
    kind="observation",
    defaults={"label_flip_probability": 0.0, "optimizer": "normalised", "steps": 10_000},
    uses=needs.DATA | {"steps", "optimizer", "initial_scale"},
    resolution=1e-2,
    assumptions=_other_needs,
    predict=_predict_other,
    measure=_measure_other,
    compare=_compare_other,
    mutate=lambda prediction, amount: prediction,
    experiment=other_losses_experiment,
)
