"""Independent answers to what the theory predicts: slow, generic, and sharing no code with it.

``generic_qp`` hands the uncollapsed margin problem to a general-purpose cone solver; ``luce_replicates`` redraws labels
from a known choice model and fits them again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.core.vocabulary import Emit, Experiment, Plan, Replicate, Stop
from theory.next_token.parameters import Params
from theory.next_token.problem import Prompts
from theory.next_token.subspace import reachability
from theory.shared.choice import fit_choice
from theory.shared.experiments import each

Floats = npt.NDArray[np.float64]
Replicates = Sequence[Replicate[Prompts]]

TRIALS = 192
"""Label redraws in each replicate of ``luce_replicates``."""


def generic_margin_problem(prompts: Prompts) -> Floats:
    """Solve the Graph-SVM on the whole d x d matrix with one constraint per ordered pair; returns logits [token, last].

    Minimise ||W||_F subject to (e_i - e_j)' W e_k = 0 for i, j in one component and >= 1 when i has priority over j.
    """
    import cvxpy  # heavy, and needed by this experiment only

    cp = cast(Any, cvxpy)  # its type hints are partial

    embed = prompts.vectors
    weights = cp.Variable((embed.shape[1], embed.shape[1]))
    scores = embed @ weights @ embed.T
    reach = np.stack([reachability(prompts, last) for last in range(prompts.vocab_size)], axis=2)
    constraints: list[Any] = []
    for i, j, k in np.argwhere(reach).tolist():
        gap = scores[i, k] - scores[j, k]
        if not reach[j, i, k]:
            constraints.append(gap >= 1)
        elif i < j:
            constraints.append(gap == 0)
    problem = cp.Problem(cp.Minimize(cp.sum_squares(weights)), constraints)
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    if weights.value is None:
        return np.full((prompts.vocab_size, prompts.vocab_size), np.nan)
    return embed @ cast(Floats, weights.value) @ embed.T


def _generic_qp(params: Params, replicates: Replicates, device: str, emit: Emit, stop: Stop) -> list[Dataset]:
    def one(replicate: Replicate[Prompts]) -> Dataset:
        levels = generic_margin_problem(replicate.problem)
        embed = np.linalg.pinv(replicate.problem.vectors)
        norm_squared = float(np.sum((embed @ levels @ embed.T) ** 2))
        return Dataset({"levels": (("token", "last"), levels), "norm_squared": ((), norm_squared)})

    return each(replicates, one, emit, stop)


def _luce_replicates(params: Params, replicates: Replicates, device: str, emit: Emit, stop: Stop) -> list[Dataset]:
    def one(replicate: Replicate[Prompts]) -> Dataset:
        prompts, generator = replicate.problem, np.random.default_rng(replicate.seed)
        counts, true = prompts.counts(), prompts.true_scores
        if true is None:
            return Dataset(attrs={"not_run": "Not judged: nobody knows the scores that drew the labels."})
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

    return each(replicates, one, emit, stop)


def _plan(seconds: float, unit: str) -> Callable[[Params, Prompts, int], Plan]:
    def plan(params: Params, problem: Prompts, replicates: int) -> Plan:
        size = (problem.vocab_size / 6) ** 3
        return Plan(seconds * size * replicates, 8 * problem.vocab_size**3, unit)

    return plan


generic_qp = Experiment("next_token/generic_qp", frozenset(), "instance", _plan(0.1, "instance"), _generic_qp)
luce_replicates = Experiment("next_token/luce_replicates", frozenset(), "seed", _plan(0.3, "trial"), _luce_replicates)
