"""Independent answers to what the theory predicts: slow, generic, and sharing no code with it.

``closure`` decides priorities by boolean matrix closure; ``generic_qp`` hands the uncollapsed margin problem to a
general-purpose cone solver; ``luce_replicates`` redraws labels from a known choice model and fits them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.core.errors import Cancelled
from theory.core.vocabulary import Emit, Experiment, Plan, Replicate, Stop
from theory.next_token.problem import Prompts
from theory.shared.choice import fit_choice

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

TRIALS = 192
"""Label redraws in each replicate of ``luce_replicates``."""


def reachability(prompts: Prompts) -> Bools:
    """``reach[i, j, k]``: is there a path from token i to token j in the graph of last token k (i = j included)."""
    size = prompts.vocab_size
    reach = np.zeros((size, size, size), dtype=bool)
    for row in range(prompts.n):
        present = prompts.tokens[prompts.offsets[row] : prompts.offsets[row + 1]]
        reach[prompts.labels[row], present, present[-1]] = True
    for k in range(size):
        column = reach[:, :, k] | np.eye(size, dtype=bool)
        for middle in range(size):
            column |= np.outer(column[:, middle], column[middle])
        reach[:, :, k] = column
    return reach


def _closure(params: Any, replicates: Sequence[Replicate], device: str, emit: Emit, stop: Stop) -> list[Dataset]:
    def one(prompts: Prompts, seed: int) -> Dataset:
        reach = reachability(prompts)
        back = reach.transpose(1, 0, 2)
        dims = ("token", "other", "last")
        return Dataset({"same_component": (dims, reach & back), "has_priority": (dims, reach & ~back)})

    return _each(replicates, one, emit, stop)


def generic_margin_problem(prompts: Prompts) -> Floats:
    """Solve the Graph-SVM on the whole d x d matrix with one constraint per ordered pair; returns logits [token, last].

    Minimise ||W||_F subject to (e_i - e_j)' W e_k = 0 for i, j in one component and >= 1 when i has priority over j.
    """
    import cvxpy  # heavy, and needed by this experiment only

    cp = cast(Any, cvxpy)  # its type hints are partial

    reach = reachability(prompts)
    embed = prompts.vectors
    weights = cp.Variable((embed.shape[1], embed.shape[1]))
    scores = embed @ weights @ embed.T
    constraints: list[Any] = []
    for i, j, k in np.argwhere(reach):
        if i == j:
            continue
        gap = scores[int(i), int(k)] - scores[int(j), int(k)]
        if not reach[j, i, k]:
            constraints.append(gap >= 1)
        elif i < j:
            constraints.append(gap == 0)
    problem = cp.Problem(cp.Minimize(cp.sum_squares(weights)), constraints)
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    if weights.value is None:
        return np.full((prompts.vocab_size, prompts.vocab_size), np.nan)
    return embed @ cast(Floats, weights.value) @ embed.T


def _generic_qp(params: Any, replicates: Sequence[Replicate], device: str, emit: Emit, stop: Stop) -> list[Dataset]:
    def one(prompts: Prompts, seed: int) -> Dataset:
        levels = generic_margin_problem(prompts)
        embed = np.linalg.pinv(prompts.vectors)
        norm_squared = float(np.sum((embed @ levels @ embed.T) ** 2))
        return Dataset({"levels": (("token", "last"), levels), "norm_squared": ((), norm_squared)})

    return _each(replicates, one, emit, stop)


def _luce_replicates(
    params: Any, replicates: Sequence[Replicate], device: str, emit: Emit, stop: Stop
) -> list[Dataset]:
    def one(prompts: Prompts, seed: int) -> Dataset:
        generator = np.random.default_rng(seed)
        counts, true = prompts.counts(), np.asarray(prompts.true_scores)
        chance = counts * np.exp(true - true.max())
        chance /= chance.sum(axis=1, keepdims=True)
        errors = np.empty(TRIALS)
        for trial in range(TRIALS):
            draws = generator.random((prompts.n, 1))
            chosen = (draws < np.cumsum(chance, axis=1)).argmax(axis=1)
            fit = fit_choice(counts, chosen)
            # Labels that do not determine all scores make the estimate infinite.
            errors[trial] = np.sum((fit.scores - (true - true.mean())) ** 2) if fit.exists else np.inf
        return Dataset({"squared_error": (("trial",), errors)})

    return _each(replicates, one, emit, stop)


def _each(replicates: Sequence[Replicate], one: Any, emit: Emit, stop: Stop) -> list[Dataset]:
    found: list[Dataset] = []
    for replicate in replicates:
        if stop():
            raise Cancelled
        found.append(one(replicate.problem, replicate.seed))
        emit(len(found) / len(replicates), None)
    return found


def _plan(seconds: float, unit: str) -> Any:
    def plan(params: Any, problem: Prompts, replicates: int) -> Plan:
        size = (problem.vocab_size / 6) ** 3
        return Plan(seconds * size * replicates, 8 * problem.vocab_size**3, unit)

    return plan


closure = Experiment("next_token/closure", frozenset(), "instance", _plan(1e-3, "instance"), _closure)
generic_qp = Experiment("next_token/generic_qp", frozenset(), "instance", _plan(0.1, "instance"), _generic_qp)
luce_replicates = Experiment(
    "next_token/luce_replicates",
    frozenset(),
    "seed",
    _plan(0.3, "trial"),
    _luce_replicates,
)
