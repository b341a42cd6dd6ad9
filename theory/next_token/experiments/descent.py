"""Training runs: the measurements that most claims of this room are judged on.

``training`` fits the attention logits with the optimiser that the parameters name. Seven claims judge this one run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.core.vocabulary import Emit, Experiment, Plan, Replicate, Stop
from theory.next_token.parameters import Params
from theory.next_token.problem import Prompts
from theory.next_token.schedule import checkpoint_steps
from theory.next_token.simulation.descent import Trajectory, descend
from theory.shared.training.engine import choose_engine, predicted_seconds

Floats = npt.NDArray[np.float64]


def initial_logits(params: Any, prompts: Prompts) -> Floats | None:
    """Gaussian initial logits with standard deviation ``initial_scale``, fixed by the data; None when it is 0."""
    if params.initial_scale == 0:
        return None
    generator = np.random.default_rng(int(prompts.fingerprint[:15], 16))
    return params.initial_scale * generator.standard_normal((prompts.vocab_size, prompts.vocab_size))


def _dataset(trajectory: Trajectory) -> Dataset:
    kept = trajectory.steps > 0
    steps, log_time = trajectory.steps[kept], trajectory.log_time[kept]
    data = Dataset(
        {
            "logits": (("step", "token", "last"), trajectory.logits[kept], {"units": "nats", "spec_name": "S"}),
            "loss": (("step",), trajectory.loss[kept], {"units": "nats", "spec_name": "L"}),
            "log_time": (("step",), log_time, {"units": "log(step size x steps)", "spec_name": "tau"}),
        },
        coords={"step": steps},
        attrs={"step_size": trajectory.eta},
    )
    if trajectory.diverged_at is not None:
        data.attrs["not_run"] = (
            f"Not judged: training diverged at step {trajectory.diverged_at:,} (the loss rose or was not finite); "
            "lower learning_rate"
        )
    return data


def _train(params: Params, replicates: Sequence[Replicate], device: str, emit: Emit, stop: Stop) -> list[Dataset]:
    problems = [replicate.problem for replicate in replicates]
    prompts = [problem for problem in problems if isinstance(problem, Prompts)]
    if params.optimizer == "newton_path":
        from theory.next_token.simulation.regularisation import newton_path_dataset

        return [newton_path_dataset(problem, stop) for problem in prompts]
    if params.optimizer == "log_time_flow":
        from theory.next_token.simulation.flow import log_time_flow_dataset

        return [log_time_flow_dataset(problem, params.steps, stop) for problem in prompts]
    trajectories = descend(
        prompts,
        params.steps,
        params.learning_rate,
        optimizer=params.optimizer,
        initial=[initial_logits(params, problem) for problem in prompts],
        checkpoints=checkpoint_steps(params.steps),
        device=device,
        emit=lambda fraction, partial: emit(fraction, _dataset(partial[0])),
        stop=stop,
    )
    return [_dataset(trajectory) for trajectory in trajectories]


def _train_other_losses(
    params: Params, replicates: Sequence[Replicate], device: str, emit: Emit, stop: Stop
) -> list[Dataset]:
    prompts = [replicate.problem for replicate in replicates if isinstance(replicate.problem, Prompts)]
    losses = ("log", "squared", "linear")
    runs = [
        descend(prompts, params.steps, 0.05, optimizer="normalised", loss=loss, checkpoints=[params.steps], stop=stop)
        for loss in losses
    ]
    emit(1.0, None)
    return [
        Dataset(
            {"logits": (("loss_function", "token", "last"), np.stack([run[i].logits[-1] for run in runs]))},
            coords={"loss_function": list(losses)},
        )
        for i in range(len(prompts))
    ]


def _plan(params: Params, problem: Any, replicates: int) -> Plan:
    size = int(min(len(problem.tokens), problem.vocab_size * problem.n))
    engine = choose_engine(replicates, size, params.steps)
    return Plan(predicted_seconds(engine, replicates, size, params.steps), 8 * 40 * problem.vocab_size**2, "instance")


training = Experiment(
    "next_token/training",
    frozenset({"steps", "learning_rate", "optimizer", "initial_scale"}),
    "instance",
    _plan,
    _train,
)
other_losses = Experiment(
    "next_token/other_losses",
    frozenset({"steps"}),
    "instance",
    lambda params, problem, replicates: _plan(params, problem, 3 * replicates),
    _train_other_losses,
)
