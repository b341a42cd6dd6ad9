"""What the page shows and no claim judges: the real attention layer, and how often random data are cyclic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xarray import Dataset

from theory.core.problem import Problem
from theory.core.vocabulary import Emit, Experiment, Plan, Replicate, Stop
from theory.next_token.parameters import Params
from theory.next_token.problem import Prompts
from theory.next_token.simulation.surveys import phase_map
from theory.shared.experiments import each

ATTENTION_STEPS = 1000
"""Steps of the real attention layer that is trained beside the logits: enough to see that they agree."""


def _attend(
    params: Params, replicates: Sequence[Replicate[Prompts]], device: str, emit: Emit, stop: Stop
) -> list[Dataset]:
    from theory.next_token.training import train_attention

    steps = min(params.steps, ATTENTION_STEPS)
    trained = train_attention(
        [replicate.problem for replicate in replicates],
        steps,
        params.learning_rate,
        optimizer="normalised" if params.optimizer == "normalised" else "plain",
        checkpoints=np.unique(np.geomspace(1, steps, 10).round().astype(np.int64)),
        device=device,
        emit=lambda fraction: emit(fraction, None),
        stop=stop,
    )
    return [
        Dataset(
            {
                "logits": (("step", "token", "last"), run.logits, {"units": "nats", "spec_name": "S"}),
                "weights": (("step", "key", "query"), run.weights, {"spec_name": "W"}),
                "loss": ("step", run.loss, {"units": "nats", "spec_name": "L"}),
            },
            coords={"step": run.steps},
            attrs={"step_size": run.eta},
        )
        for run in trained
    ]


attention = Experiment(
    "next_token/attention",
    frozenset({"steps", "learning_rate", "optimizer"}),
    "instance",
    lambda params, problem, replicates: Plan(replicates, 80 * problem.dim**2, "instance"),
    _attend,
)
"""The real attention layer with autograd, for at most ATTENTION_STEPS steps; without any where it diverges."""


def _survey(
    params: Params, replicates: Sequence[Replicate[Problem]], device: str, emit: Emit, stop: Stop
) -> list[Dataset]:
    def one(replicate: Replicate[Problem]) -> Dataset:
        return phase_map(params.vocab_size, params.prompt_length, seed=replicate.seed)

    return each(replicates, one, emit, stop)


phases = Experiment[Params, Problem](
    "next_token/phases",
    frozenset({"vocab_size", "prompt_length"}),
    "seed",
    lambda params, problem, replicates: Plan(replicates, 10**7, "survey"),
    _survey,
)
"""200 random data sets for each number of prompts and probability of a flip; depends on no problem."""
