"""Driving programs: chunks, progress, cancelling, the choice between the engines; stacked models and their rules."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import torch

from theory.core.errors import Cancelled, ParameterError
from theory.shared.training.engine import (
    check_checkpoints,
    check_device,
    choose_engine,
    log_checkpoints,
    never,
    predicted_seconds,
    run_programs,
)
from theory.shared.training.optimisers import adam, descent
from theory.shared.training.tensor_program import TensorProgram, slope_of


class Sleeper:
    """A program whose steps take a known time."""

    def __init__(self, seconds: float, size: int = 100, ends_at: float = np.inf) -> None:
        self.seconds, self.size, self.ends_at = seconds, size, ends_at
        self.calls: list[int] = []

    @property
    def finished(self) -> bool:
        return bool(self.calls) and self.calls[-1] >= self.ends_at

    def advance(self, until: int) -> None:
        done = self.calls[-1] if self.calls else 0
        time.sleep(self.seconds * (until - done))
        self.calls.append(until)


def test_every_program_reaches_the_last_step_in_increasing_chunks() -> None:
    programs = [Sleeper(1e-7, size=10), Sleeper(1e-6, size=1000)]
    fractions: list[float] = []
    run_programs(programs, 5000, fractions.append, never)
    for program in programs:
        assert program.calls[-1] == 5000
        assert program.calls == sorted(set(program.calls))
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


@pytest.mark.parametrize("seconds_per_step", [1e-4, 1e-3, 1e-2])
def test_stop_is_polled_often_however_slow_a_step_is(seconds_per_step: float) -> None:
    polls: list[float] = []

    def stop() -> bool:
        polls.append(time.perf_counter())
        return polls[-1] - polls[0] > 0.3

    with pytest.raises(Cancelled):
        run_programs([Sleeper(seconds_per_step)], 10**9, lambda _: None, stop)
    assert np.median(np.diff(polls)) < 0.05


def test_progress_is_reported_at_most_ten_times_a_second() -> None:
    seen: list[float] = []
    started = time.perf_counter()
    run_programs([Sleeper(1e-4)], 4000, seen.append, never)
    assert 2 <= len(seen) <= 10 * (time.perf_counter() - started) + 1


def test_a_finished_program_is_left_and_the_next_one_runs() -> None:
    diverged, healthy = Sleeper(1e-4, ends_at=1), Sleeper(1e-6)
    run_programs([diverged, healthy], 3000, lambda _: None, never)
    assert diverged.calls[-1] < 3000
    assert healthy.calls[-1] == 3000


def test_a_run_that_is_cancelled_at_its_end_is_cancelled() -> None:
    answers = iter([False, True])
    with pytest.raises(Cancelled):
        run_programs([Sleeper(0.0)], 1, lambda _: None, lambda: next(answers))


def test_engine_choice() -> None:
    assert choose_engine(64, 40, 10**5) == "compiled"
    assert choose_engine(64, 40, 10**5, products=10**9) == "tensor"
    assert choose_engine(1, 10, 10, device="cuda") == "tensor"
    assert choose_engine(1, 10, 10, engine="tensor") == "tensor"
    assert predicted_seconds("compiled", 2, 100, 10) < predicted_seconds("compiled", 2, 100, 20)
    with pytest.raises(ParameterError, match="engine"):
        choose_engine(1, 10, 10, device="cuda", engine="compiled")


@pytest.mark.parametrize("steps", [1, 2, 10, 999, 10**6])
def test_checkpoints_start_at_0_and_end_at_the_last_step(steps: int) -> None:
    found = log_checkpoints(steps)
    assert found[0] == 0
    assert found[-1] == steps
    assert (np.diff(found) > 0).all()
    np.testing.assert_array_equal(check_checkpoints(None, steps), found)
    np.testing.assert_array_equal(check_checkpoints([1, 0, 1], steps), [0, 1])


@pytest.mark.parametrize("bad", [[], [-1], [11], [1.5], ["a"], [np.nan]])
def test_bad_checkpoints_are_refused(bad: list[object]) -> None:
    with pytest.raises(ParameterError, match="checkpoints"):
        check_checkpoints(bad, 10)  # pyright: ignore


@pytest.mark.parametrize("device", ["tpu", "", "cudaa", "cuda:99"])
def test_unknown_devices_are_refused(device: str) -> None:
    with pytest.raises(ParameterError, match="device"):
        check_device(device)


class Quadratic:
    """Losses ``curvature / 2 w²`` of models with one weight each; counts how often it is asked."""

    def __init__(self, curvatures: list[float], strides: list[float], **options: Any) -> None:
        self.weights, self.curvatures = torch.ones(len(curvatures), 1, dtype=torch.float64), torch.tensor(curvatures)
        self.asked: list[int] = []
        rule = descent([self.weights], torch.tensor(strides, dtype=torch.float64))
        self.program = TensorProgram([self.weights], self.slope, rule, 1, **options)

    def slope(self, step: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
        self.asked.append(step)
        gradient = self.curvatures[:, None] * self.weights
        return (gradient * self.weights).sum(dim=1) / 2, [gradient]


@pytest.mark.parametrize("chunks", [[20], [3, 4, 20], [0, 5, 5, 10, 20]])
def test_a_slope_is_asked_once_a_step_however_the_steps_are_cut(chunks: list[int]) -> None:
    tested = Quadratic([1.0, 2.0], [0.1, 0.1], checkpoints=[0, 5, 20])
    for until in chunks:
        tested.program.advance(until)
    assert tested.asked == list(range(21))
    for model, factor in enumerate((0.9, 0.8)):
        steps, (weights, losses) = tested.program.history(model)
        assert steps.tolist() == [0, 5, 20]
        np.testing.assert_allclose(weights[:, 0], factor**steps, rtol=1e-14)
        np.testing.assert_allclose(losses, (1 + model) / 2 * factor ** (2 * steps), rtol=1e-14)


def test_a_model_that_diverges_stands_still_alone() -> None:
    tested = Quadratic([1.0, 1.0], [2.5, 0.5], checkpoints=[0, 1, 9], rise=1e-10)
    tested.program.advance(9)
    assert (tested.program.diverged_at(0), tested.program.diverged_at(1)) == (1, None)
    assert tested.weights.ravel().tolist() == [-1.5, 0.5**9] and not tested.program.finished
    assert tested.program.history(0)[0].tolist() == [0]
    alone = Quadratic([1.0], [2.5], checkpoints=[5], rise=1e-10)
    alone.program.advance(5)
    assert alone.program.finished and [part.shape for part in alone.program.history(0)[1]] == [(0, 1), (0,)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.9, 0.95)])
def test_adam_is_that_of_torch(dtype: torch.dtype, betas: tuple[float, float]) -> None:
    start = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=dtype)
    start[0, 0] = 0.0  # its gradient stays 0
    ours, theirs = (start.clone().requires_grad_() for _ in range(2))
    rates = [0.1, 0.03, 0.01]
    move, other = adam([ours], lambda step: rates[step % 3], betas), torch.optim.Adam([theirs], lr=1.0, betas=betas)
    slope = slope_of(lambda _: (ours**4).sum(dim=1), [ours])
    for step in range(60):
        move(slope(step)[1])
        other.param_groups[0]["lr"] = rates[step % 3]
        other.zero_grad()
        (theirs**4).sum().backward()
        other.step()
    rounding = 100 * torch.finfo(dtype).eps
    torch.testing.assert_close(ours, theirs, rtol=rounding, atol=rounding)
