"""Training runs: the measurements that most claims of this room are judged on.

``training`` fits the attention logits with the optimiser that the parameters name. Seven claims judge this one run.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.core.vocabulary import Emit, Experiment, Plan, Replicate, Stop
from theory.next_token.parameters import Params
from theory.next_token.problem import Prompts
from theory.next_token.schedule import checkpoint_steps, curvature_bound
from theory.next_token.simulation.descent import LossName, Trajectory, descend
from theory.next_token.simulation.regularisation import PENALTIES, loss_of, newton_path
from theory.shared.experiments import each
from theory.shared.training.engine import choose_engine, predicted_seconds

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Replicates = Sequence[Replicate[Prompts]]

LOSSES: tuple[LossName, ...] = ("log", "squared", "linear")
"""What :data:`other_losses` trains with."""


def initial_logits(params: Params, prompts: Prompts) -> Floats | None:
    """Gaussian initial logits with standard deviation ``initial_scale``, fixed by the data; None when it is 0."""
    if params.initial_scale == 0:
        return None
    generator = np.random.default_rng(int(prompts.fingerprint[:15], 16))
    return params.initial_scale * generator.standard_normal((prompts.vocab_size, prompts.vocab_size))


def newton_path_run(prompts: Prompts, stop: Stop) -> Dataset:
    """The regularisation path as a run: dimension ``step`` counts penalties from strong to weak.

    ``log_time`` is the length R of the path in units of W_svm, ``R + log R = log(1 / penalty)``, which takes the place
    of log-time; ``loss`` is without the ridge.
    """
    logits = newton_path(prompts, PENALTIES, stop)
    # Newton for R + log R = log(1 / penalty), independent of what predicts it.
    radius = np.ones(len(PENALTIES))
    for _ in range(60):
        radius = np.maximum(radius - (radius + np.log(radius * PENALTIES)) / (1.0 + 1.0 / radius), 1e-3)
    run = _run(np.arange(1, len(PENALTIES) + 1), logits, loss_of(prompts, logits), radius)
    return run.assign(penalty=("step", PENALTIES, {"units": "nats", "spec_name": "mu"}))


def log_time_flow_run(prompts: Prompts, steps: int, stop: Stop) -> Dataset:
    """The flow as a run, at the times of gradient descent with the largest safe step size."""
    from theory.next_token.simulation.flow import log_time_flow  # its solver is slow to import

    step_size, step = 1.0 / curvature_bound(prompts), checkpoint_steps(steps)
    log_time = np.log(step_size * step)
    logits = log_time_flow(prompts, log_time, stop)
    return _run(step, logits, loss_of(prompts, logits), log_time).assign_attrs(step_size=step_size)


def _run(step: Ints, logits: Floats, loss: Floats, log_time: Floats) -> Dataset:
    return Dataset(
        {
            "logits": (("step", "token", "last"), logits, {"units": "nats", "spec_name": "S"}),
            "loss": ("step", loss, {"units": "nats", "spec_name": "L"}),
            "log_time": ("step", log_time, {"units": "log(step size x steps)", "spec_name": "tau"}),
        },
        coords={"step": step},
    )


def _descent_run(trajectory: Trajectory) -> Dataset:
    kept = trajectory.steps > 0
    data = _run(trajectory.steps[kept], trajectory.logits[kept], trajectory.loss[kept], trajectory.log_time[kept])
    data.attrs["step_size"] = trajectory.eta
    if trajectory.diverged_at is not None:
        data.attrs["not_run"] = (
            f"Not judged: training diverged at step {trajectory.diverged_at:,} (the loss rose or was not finite); "
            "lower learning_rate"
        )
    return data


def _train(params: Params, replicates: Replicates, device: str, emit: Emit, stop: Stop) -> list[Dataset]:
    if params.optimizer == "newton_path":
        return each(replicates, lambda replicate: newton_path_run(replicate.problem, stop), emit, stop)
    if params.optimizer == "log_time_flow":
        return each(replicates, lambda replicate: log_time_flow_run(replicate.problem, params.steps, stop), emit, stop)
    prompts = [replicate.problem for replicate in replicates]
    trajectories = descend(
        prompts,
        params.steps,
        params.learning_rate,
        optimizer=params.optimizer,
        initial=[initial_logits(params, problem) for problem in prompts],
        checkpoints=checkpoint_steps(params.steps),
        device=device,
        emit=lambda fraction, partial: emit(fraction, _descent_run(partial[0])),
        stop=stop,
    )
    return [_descent_run(trajectory) for trajectory in trajectories]


def _train_other_losses(params: Params, replicates: Replicates, device: str, emit: Emit, stop: Stop) -> list[Dataset]:
    prompts = [replicate.problem for replicate in replicates]
    runs = [
        descend(prompts, params.steps, 0.05, optimizer="normalised", loss=loss, checkpoints=[params.steps], stop=stop)
        for loss in LOSSES
    ]
    emit(1.0, None)
    return [
        Dataset(
            {"logits": (("loss_function", "token", "last"), np.stack([run.logits[-1] for run in of_problem]))},
            coords={"loss_function": list(LOSSES)},
        )
        for of_problem in zip(*runs, strict=True)
    ]


def _plan(params: Params, problem: Prompts, replicates: int) -> Plan:
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
