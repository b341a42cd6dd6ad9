"""Claims about chance and choice: how well soft composition estimates the truth, and what other losses do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.core.vocabulary import Assumption, Check, Claim, Rival
from theory.next_token.claims import assumptions as needs
from theory.next_token.claims.measures import cosine, levels_of
from theory.next_token.claims.order import DATA
from theory.next_token.experiments.brute_force import luce_replicates
from theory.next_token.experiments.descent import other_losses as other_losses_experiment
from theory.next_token.parameters import Params
from theory.next_token.problem import Prompts
from theory.next_token.structure import solve
from theory.shared.choice import estimation_variance, fisher_information

Floats = npt.NDArray[np.float64]


def _risk(value: float) -> Dataset:
    return Dataset(
        {"risk": ((), value, {"long_name": "expected squared error of the centred scores", "units": "nats²"})}
    )


def _scores(prompts: Prompts) -> Floats:
    """The true scores, or zeros where nobody knows them (then the assumption is broken)."""
    return np.zeros(prompts.vocab_size) if prompts.true_scores is None else prompts.true_scores


def _predict_risk(params: Params, prompts: Prompts) -> Dataset:
    return _risk(estimation_variance(fisher_information(prompts.counts(), _scores(prompts))))


def _compare_risk(params: Params, prompts: Prompts, prediction: Dataset, raw: Dataset) -> tuple[Check, ...]:
    """Mean squared error over all label redraws, relative to the prediction; the asymptote is reached up to 30/n."""
    errors = raw.squared_error.values.ravel() / float(prediction.risk)
    finite = errors[np.isfinite(errors)]
    allowed = 30 / prompts.n
    spread = float(finite.std(ddof=1) / np.sqrt(len(finite)))
    mean = float(errors.mean()) if len(finite) == len(errors) else np.nan
    return (
        Check(
            name="mean squared error over prediction − 1",
            deviation=mean - 1,
            allowance=(-allowed, allowed),
            resolution=0.25,
            standard_error=spread,
            dof=len(finite) - 1,
            replicates=len(finite),
            raise_hint="n_sequences",
        ),
    )


def _consistency_needs(params: Params, prompts: Prompts) -> tuple[Assumption, ...]:
    known = prompts.true_scores is not None
    solution = solve(prompts)
    whole = int(solution.condensation.size.max(initial=1)) == prompts.vocab_size
    allowed = 30 / prompts.n
    return (
        needs.labels_present(prompts),
        Assumption("labels from a choice model", known, "true scores known" if known else "true scores unknown"),
        Assumption("one component", whole, f"the largest component has {solution.condensation.size.max()} tokens"),
        Assumption("enough prompts", allowed <= 0.15, f"{prompts.n} prompts leave a relative error of {allowed:.2g}"),
    )


def _parameters_over_samples(params: Params, prompts: Prompts) -> Dataset:
    return _risk((prompts.vocab_size - 1) / prompts.n)


def _trace_inverted(params: Params, prompts: Prompts) -> Dataset:
    information = fisher_information(prompts.counts(), _scores(prompts))
    return _risk((prompts.vocab_size - 1) / float(np.trace(information)))


consistency = Claim(
    id="consistency",
    title="Soft composition estimates the truth at the best possible rate",
    statement="When labels are drawn by Luce's rule from true scores, the finite scores are their maximum-likelihood "
    "estimate, with mean squared error equal to the trace of the inverse information.",
    latex=r"\mathbb E\,\|f-\theta\|^2\simeq \operatorname{tr} H^{+},\qquad "
    r"H=\sum_i\big(\mathrm{diag}\,p_i-p_ip_i^\top\big)",
    source="ours, from classical likelihood theory",
    kind="extension",
    defaults={"generator": "luce", "vocab_size": 5, "n_sequences": 400, "prompt_length": 4},
    uses=DATA,
    resolution=0.25,
    assumptions=_consistency_needs,
    predict=_predict_risk,
    compare=_compare_risk,
    mutate=lambda prediction, amount: prediction.assign(risk=prediction.risk / (1 + amount)),
    experiment=luce_replicates,
    rivals=(
        Rival("parameters over samples", _parameters_over_samples, {}, "counts parameters, forgets the information"),
        Rival("trace inverted", _trace_inverted, {}, "inverts the trace instead of tracing the inverse"),
    ),
    power="0 false alarms in 12 fresh data sets of 1,536 redraws each; a risk off by 50 % is rejected in all of them",
)


# --- other-losses ----------------------------------------------------------------------------------------------------


def _predict_other(params: Params, prompts: Prompts) -> Dataset:
    return Dataset({"levels": (("token", "last"), levels_of(solve(prompts)), {"spec_name": "z"})})


def _compare_other(params: Params, prompts: Prompts, prediction: Dataset, raw: Dataset) -> tuple[Check, ...]:
    """Cosine between the Graph-SVM direction and the logits that each loss reaches."""
    found: list[Check] = []
    for name in raw.loss_function.values:
        value = cosine(raw.logits.sel(loss_function=name).values, prediction.levels.values)
        found.append(
            Check(name=f"cosine with W_svm, {name} loss", deviation=value, allowance=(-np.inf, np.inf), resolution=1e-2)
        )
    return tuple(found)


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
    statement="On acyclic data, normalised descent on (1−p)² and on 1−p reaches nearly the direction of the log-loss. "
    "This is an observation: nothing is proved, and cyclic data are outside it.",
    latex=r"\ell(p)\in\{-\log p,\;(1-p)^2,\;1-p\}:\qquad \frac{W_t}{\|W_t\|}\approx\frac{W_{svm}}{\|W_{svm}\|}",
    source="ours, an observation",
    kind="observation",
    defaults={"label_flip_probability": 0.0, "optimizer": "normalised", "steps": 10_000},
    uses=DATA | {"steps", "optimizer", "initial_scale"},
    resolution=1e-2,
    assumptions=_other_needs,
    predict=_predict_other,
    compare=_compare_other,
    mutate=lambda prediction, amount: prediction,
    experiment=other_losses_experiment,
)
