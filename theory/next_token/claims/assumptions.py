"""The hypotheses of this room's theorems, each decided on the data at hand, with the numbers that say so."""

from __future__ import annotations

import numpy as np

from theory.core.vocabulary import Assumption
from theory.next_token.parameters import Params
from theory.next_token.problem import Prompts
from theory.next_token.structure import Solution, solve

DATA = frozenset(
    {"generator", "vocab_size", "n_sequences", "prompt_length", "label_flip_probability", "contradictions", "n_last"}
    | {"embedding", "correlation", "dim", "data_seed", "scc_sizes", "order", "sequences", "labels", "embed"}
    | {"token_names", "missing_label"}
)
"""The parameters that decide the data; every claim uses them."""
TRAINED = DATA | {"steps", "learning_rate", "optimizer", "initial_scale"}
"""Those and the parameters of training."""


def descent(params: Params, prompts: Prompts) -> tuple[Assumption, ...]:
    """What every claim about the end of gradient descent needs."""
    return (
        labels_present(prompts),
        embeddings_independent(prompts),
        plain_descent(params),
        step_size_safe(params),
    )


def sharp(prompts: Prompts) -> tuple[Assumption, ...]:
    """What the laws of every single logit need."""
    return (labels_present(prompts), orthonormal(prompts), *determined(prompts))


def determined(prompts: Prompts) -> tuple[Assumption, ...]:
    """A direction whose offset the data determine."""
    solution = solve(prompts)
    return (separable(solution), strict_complementarity(solution), connected_support(solution))


def labels_present(prompts: Prompts) -> Assumption:
    """Every label occurs in its own prompt (otherwise its loss is infinite)."""
    dropped = f"; {prompts.dropped} others were dropped" if prompts.dropped else ""
    return Assumption("labels present", True, f"all {prompts.n} prompts contain their label{dropped}")


def embeddings_independent(prompts: Prompts) -> Assumption:
    """The embeddings are linearly independent: a linear head that inverts them exists."""
    size = prompts.vocab_size
    rank = size if prompts.is_orthonormal else int(np.linalg.matrix_rank(prompts.vectors))
    return Assumption(
        "independent embeddings", rank == size, f"rank {rank} of {size} tokens in {prompts.dim} dimensions"
    )


def orthonormal(prompts: Prompts) -> Assumption:
    """The embeddings are orthonormal."""
    if prompts.is_orthonormal:
        return Assumption("orthonormal embeddings", True, "the Gram matrix is the identity to 1e-10")
    distance = float(np.abs(prompts.gram - np.eye(prompts.vocab_size)).max())
    return Assumption("orthonormal embeddings", False, f"the Gram matrix is {distance:.2g} away from the identity")


def step_size_safe(params: Params) -> Assumption:
    """The step size does not exceed 1/beta, the inverse of a bound on the curvature of the loss."""
    rate = params.learning_rate
    warning = "; above 2 descent may diverge" if rate > 2 else ""
    return Assumption("safe step size", rate <= 1.0, f"step size {rate:g} of the limit 1/β{warning}")


def plain_descent(params: Params) -> Assumption:
    """Time is counted by plain gradient descent."""
    return Assumption("plain gradient descent", params.optimizer == "plain", f"optimiser {params.optimizer}")


def regularisation_path(params: Params) -> Assumption:
    """The measured object is the regularisation path, not a trajectory."""
    return Assumption("regularisation path", params.optimizer == "newton_path", f"optimiser {params.optimizer}")


def zero_start(params: Params) -> Assumption:
    """Training starts from zero weights."""
    return Assumption("zero initial weights", params.initial_scale == 0, f"initial scale {params.initial_scale:g}")


def strict_complementarity(solution: Solution) -> Assumption:
    """Every tight margin constraint can carry a positive multiplier."""
    if not solution.feasible:
        return Assumption("strict complementarity", False, "no matrix gives every priority a positive margin")
    count = len(solution.degenerate_edges)
    detail = "every tight edge carries a multiplier" if count == 0 else f"{count} tight edges carry no multiplier"
    return Assumption("strict complementarity", count == 0, detail)


def connected_support(solution: Solution) -> Assumption:
    """The support edges join all seen components of each last token: every logit is determined."""
    if not solution.feasible:
        return Assumption("connected support", False, "no matrix gives every priority a positive margin")
    columns = solution.condensation.columns
    loose = int(np.sum(~solution.connected[columns]))
    return Assumption(
        "connected support", loose == 0, f"{len(columns) - loose} of {len(columns)} last tokens connected"
    )


def separable(solution: Solution) -> Assumption:
    """Some token has priority over another: the weights diverge and have a direction."""
    count = len(solution.condensation.edges)
    return Assumption("some priority", count > 0, f"{count} priorities between components")


def composes(solution: Solution) -> Assumption:
    """Some component has two tokens or more: there is a finite part to predict."""
    largest = int(solution.condensation.size.max(initial=1))
    return Assumption("some cycle", largest > 1, f"the largest component has {largest} tokens")


def acyclic(solution: Solution) -> Assumption:
    """No component has more than one token."""
    largest = int(solution.condensation.size.max(initial=1))
    return Assumption("acyclic graphs", largest == 1, f"the largest component has {largest} tokens")
