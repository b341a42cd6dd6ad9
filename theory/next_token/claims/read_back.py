"""The claim that the automaton can be read back from the trained weights."""

from __future__ import annotations

from math import inf

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Assumption, Check, Claim, Predict, Rival, Symbol
from theory.next_token.claims import assumptions as needs
from theory.next_token.claims.measures import TOKENS, at_step, time_at
from theory.next_token.experiments.descent import training
from theory.next_token.extraction import THRESHOLD, extract, pair_relation, true_relation
from theory.next_token.graph import pair_order, priority_structure
from theory.next_token.parameters import Params
from theory.next_token.problem import Prompts
from theory.next_token.schedule import timeline
from theory.next_token.structure import solve

_PAIRS = ("token", "other", "last")


def _relation(sign: int = 1, threshold: float = THRESHOLD) -> Predict[Params, Prompts]:
    """Slopes differ by 0 inside a component and by at least 1 across a priority: one half classifies every pair."""

    def predict(params: Params, prompts: Prompts) -> Dataset:
        same, above = pair_order(priority_structure(prompts))
        relation, comparable = true_relation(same | above)
        named = {"long_name": "1: token over other, −1: other over token, 0: same component"}
        return Dataset(
            {
                "relation": (_PAIRS, sign * relation, named),
                "comparable": (_PAIRS, comparable, {"not_measured": "which pairs the data compare"}),
                "threshold": ((), threshold, {"not_measured": "how slopes are read"}),
            }
        )

    return predict


def _measure_relation(params: Params, prompts: Prompts, raw: Dataset) -> Dataset:
    slopes = extract(at_step(raw.logits, 2), at_step(raw.logits), time_at(raw) - time_at(raw, 2))
    return Dataset({"slopes": (TOKENS, slopes), "relation": (_PAIRS, pair_relation(slopes))})


def _compare_relation(params: Params, prompts: Prompts, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    found = pair_relation(measured.slopes.values, float(prediction.threshold))
    wrong = float(((found != prediction.relation.values) & prediction.comparable.values).sum())
    return (Check(name="comparable pairs read wrongly", deviation=wrong, allowance=(-inf, 0.0), resolution=1.0),)


def _flip_relations(prediction: Dataset, amount: float) -> Dataset:
    changed = prediction.copy(deep=True)
    pairs = np.argwhere(changed.comparable.values)[: int(np.ceil(amount))]
    for i, j, k in pairs:
        changed.relation.values[i, j, k] = 1 if changed.relation.values[i, j, k] <= 0 else -1
    return changed


def _extraction_needs(params: Params, prompts: Prompts) -> tuple[Assumption, ...]:
    time = float(np.exp(time_at(timeline(params, prompts))))
    return (
        *needs.descent(params, prompts),
        needs.separable(solve(prompts)),
        Assumption("late enough", time >= 100, f"step size × steps = {time:,.0f}, at least 100"),
    )


extraction = Claim(
    id="extraction",
    title="The automaton can be read back from the trained weights",
    short="Reading the automaton",
    statement="Slopes of the trained logits in log-time separate components from priorities: a slope difference below "
    "one half means one component, above it a priority with that sign.",
    latex=r"\hat z_j=\frac{S_{jk}(t_2)-S_{jk}(t_1)}{\log(t_2/t_1)}\to z_j,\qquad |\hat z_i-\hat z_j|\gtrless\tfrac12",
    symbols={
        r"\hat z_j": Symbol("slope of the trained logit of the token j in log-time"),
        "S_{jk}": Symbol("logit of the token j under the last token k"),
        "t_1": Symbol("half of the steps"),
        "t_2": Symbol("all steps", "steps"),
        r"\tfrac12": Symbol("threshold between a component and a priority", "threshold"),
        r"\gtrless": Symbol("above: a priority with that sign; below: one component", "relation"),
    },
    source="ours, the idea of arXiv 2403.08081 reversed",
    kind="extension",
    defaults={"steps": 40_000, "vocab_size": 8, "prompt_length": 5, "n_sequences": 20},
    uses=needs.TRAINED,
    resolution=1.0,
    assumptions=_extraction_needs,
    predict=_relation(),
    measure=_measure_relation,
    compare=_compare_relation,
    mutate=_flip_relations,
    experiment=training,
    rivals=(
        Rival("order transposed", _relation(sign=-1), {}, "reads a rising logit as lower priority"),
        Rival("threshold one", _relation(threshold=1.05), {}, "expects slopes to differ by more than the margin"),
        Rival(
            "threshold near zero",
            _relation(threshold=1e-6),
            {"steps": 1000},
            "takes every unequal slope for a priority",
        ),
    ),
    power="exact comparison: 0 false alarms in 150 fresh instances at 4 x 10^4 steps; one wrong pair is noticed in "
    "every one of them",
)
