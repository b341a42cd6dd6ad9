"""The attention layer trained on a problem's prompts: what the claim about training is judged on.

Training knows nothing of chains, choices or components; it sees W, the embeddings and the log-loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import orth
from xarray import Dataset

from theory.ccmc.experiments.turns import full, no_logarithms
from theory.ccmc.label_sets import initial_weights, label_sets
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain, Floats
from theory.ccmc.training import Training, train
from theory.core.vocabulary import Emit, Experiment, Plan, Replicate, Stop


def outside_part(chain: Chain, weights: Floats) -> Floats:
    """The part of W (d, d) that no prompt feels: its projection on the complement of S = span{(e_i − e_j) e_kᵀ}."""
    embed = chain.vectors
    left = np.asarray(orth((embed[1:] - embed[0]).T), dtype=np.float64)
    right = np.asarray(orth(embed.T), dtype=np.float64)
    return weights - left @ (left.T @ weights @ right) @ right.T


def _dataset(chain: Chain, start: Floats, found: Training) -> Dataset:
    if not np.isfinite(found.loss).all():
        return Dataset(attrs={"not_run": "Not judged: the loss is not finite; lower learning_rate."})
    weights = found.layer.weights
    before, after = outside_part(chain, start), outside_part(chain, weights)
    logits = (chain.vectors @ weights @ chain.vectors.T).T
    return Dataset(
        {
            "logits": (("last", "token"), logits, {"units": "nats", "spec_name": "A"}),
            "gradient_norm": ((), found.gradient_norm),
            "outside_change": ((), float(np.linalg.norm(after - before))),
            "outside_norm": ((), float(np.linalg.norm(after))),
        }
    )


def _train(
    params: Params, replicates: Sequence[Replicate[Chain]], device: str, emit: Emit, stop: Stop
) -> list[Dataset]:
    chains = [replicate.problem for replicate in replicates]
    usable = [chain for chain in chains if chain.has_labels or full(chain)]
    starts = [initial_weights(chain, params.initial_scale) for chain in usable]
    runs = train(
        usable,
        [label_sets(chain, 1)[0] for chain in usable],
        params.steps,
        params.learning_rate,
        optimizer=params.optimizer,
        initial=starts,
        device=device,
        emit=lambda fraction: emit(fraction, None),
        stop=stop,
    )
    trained = {id(chain): _dataset(chain, start, run) for chain, start, run in zip(usable, starts, runs, strict=True)}
    return [trained.get(id(chain), no_logarithms()) for chain in chains]


def _plan(params: Params, problem: Chain, replicates: int) -> Plan:
    entries = problem.counts.size
    return Plan(0.2 + replicates * params.steps * (1e-4 + 2e-8 * entries), 64 * entries * replicates, "instance")


attention_training = Experiment(
    "ccmc/attention_training",
    frozenset({"steps", "learning_rate", "optimizer", "initial_scale"}),
    "instance",
    _plan,
    _train,
)
