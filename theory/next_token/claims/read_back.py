"""The claim that the automaton can be read back from the trained weights."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.core.vocabulary import Assumption, Check, Claim, Rival
from theory.next_token.claims import assumptions as needs
from theory.next_token.claims.limits import TRAINED
from theory.next_token.claims.measures import at_step, time_at
from theory.next_token.experiments.descent import training
from theory.next_token.extraction import THRESHOLD, extract, pair_relation
from theory.next_token.graph import priority_structure
from theory.next_token.parameters import Params
from theory.next_token.problem import Prompts
from theory.next_token.schedule import log_times
from theory.next_token.structure import solve

Floats = npt.NDArray[np.float64]


def _relation(params: Params, prompts: Prompts) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.bool_]]:
    """Priority [token, other, last] as 1, -1 or 0 (same component), and which pairs are comparable."""
    structure, size = priority_structure(prompts), prompts.vocab_size
    relation = np.zeros((size, size, size), dtype=np.int8)
    comparable = np.zeros((size, size, size), dtype=bool)
    for k in structure.columns:
        above = structure.priority(k)
        relation[:, :, k] = above.astype(np.int8) - above.T.astype(np.int8)
        component = structure.component[:, k]
        comparable[:, :, k] = above | above.T | (component[:, None] == component)
        comparable[np.arange(size), np.arange(size), k] = False
    return relation, comparable


def _extracted(relation: npt.NDArray[np.int8], comparable: npt.NDArray[np.bool_]) -> Dataset:
    dims = ("token", "other", "last")
    return Dataset(
        {
            "relation": (dims, relation, {"long_name": "1: token over other, −1: other over token, 0: same component"}),
            "comparable": (dims, comparable),
            "threshold": ((), THRESHOLD),
        }
    )


def _predict_relation(params: Params, prompts: Prompts) -> Dataset:
    return _extracted(*_relation(params, prompts))


def _slopes(raw: Dataset) -> Floats:
    return extract(at_step(raw.logits, 2), at_step(raw.logits), time_at(raw) - time_at(raw, 2))


def _compare_relation(params: Params, prompts: Prompts, prediction: Dataset, raw: Dataset) -> tuple[Check, ...]:
    """Slopes differ by 0 inside a component and by at least 1 across a priority: one half classifies every pair."""
    found = pair_relation(_slopes(raw), float(prediction.threshold))
    wrong = (found != prediction.relation.values) & prediction.comparable.values
    return (
        Check(
            name="comparable pairs read wrongly", deviation=float(wrong.sum()), allowance=(-inf, 0.0), resolution=1.0
        ),
    )


def _order_transposed(params: Params, prompts: Prompts) -> Dataset:
    relation, comparable = _relation(params, prompts)
    return _extracted(-relation, comparable)


def _threshold(value: float) -> Callable[[Any, Any], Dataset]:
    def predict(params: Params, prompts: Prompts) -> Dataset:
        exact = _predict_relation(params, prompts)
        return exact.assign(threshold=exact.threshold * 0 + value)

    return predict


def _flip_relations(prediction: Dataset, amount: float) -> Dataset:
    changed = prediction.copy(deep=True)
    pairs = np.argwhere(changed.comparable.values)[: int(np.ceil(amount))]
    for i, j, k in pairs:
        changed.relation.values[i, j, k] = 1 if changed.relation.values[i, j, k] <= 0 else -1
    return changed


def _extraction_needs(params: Params, prompts: Prompts) -> tuple[Assumption, ...]:
    time = float(np.exp(log_times(params, prompts)[-1]))
    return (
        needs.labels_present(prompts),
        needs.embeddings_independent(prompts),
        needs.plain_descent(params),
        needs.step_size_safe(params),
        needs.separable(solve(prompts)),
        Assumption("late enough", time >= 100, f"step size × steps = {time:,.0f}, at least 100"),
    )


extraction = Claim(
    id="extraction",
    title="The automaton can be read back from the trained weights",
    statement="Slopes of the trained logits in log-time separate components from priorities: a slope difference below "
    "one half means one component, above it a priority with that sign.",
    latex=r"\hat z_j=\frac{S_{jk}(t_2)-S_{jk}(t_1)}{\log(t_2/t_1)}\to z_j,\qquad |\hat z_i-\hat z_j|\gtrless\tfrac12",
    source="ours, the idea of arXiv 2403.08081 reversed",
    kind="extension",
    defaults={"steps": 40_000, "vocab_size": 8, "prompt_length": 5, "n_sequences": 20},
    uses=TRAINED,
    resolution=1.0,
    assumptions=_extraction_needs,
    predict=_predict_relation,
    compare=_compare_relation,
    mutate=_flip_relations,
    experiment=training,
    rivals=(
        Rival("order transposed", _order_transposed, {}, "reads a rising logit as lower priority"),
        Rival("threshold one", _threshold(1.05), {}, "expects slopes to differ by more than the margin"),
        Rival("threshold near zero", _threshold(1e-6), {"steps": 1000}, "takes every unequal slope for a priority"),
    ),
    power="exact comparison: 0 false alarms in 150 fresh instances at 4 x 10^4 steps; one wrong pair is noticed in "
    "every one of them",
)
