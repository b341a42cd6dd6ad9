"""Gradient descent in logit space: two engines, one answer, and no digit lost at large margins."""

from __future__ import annotations

import time

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.next_token.training_cases import random_prompts
from theory.core.errors import Cancelled, DataError, ParameterError
from theory.next_token.problem import Prompts, make_prompts
from theory.next_token.schedule import curvature_bound
from theory.next_token.simulation.descent import Trajectory, descend
from theory.next_token.simulation.rows import build_layout

ENGINES = ["compiled", "tensor"]
LOSSES = ["log", "squared", "linear"]


def brute_force(prompts: Prompts, logits: np.ndarray, loss: str) -> tuple[float, np.ndarray]:
    """Loss and gradient in the logits straight from the definition, prompt by prompt, with 500 digits."""
    value, gradient = mpmath.mpf(0), mpmath.matrix(*logits.shape)
    with mpmath.workdps(500):
        for row in range(prompts.n):
            sequence, label = prompts.sequence(row).tolist(), int(prompts.labels[row])
            last = sequence[-1]
            mass = {token: sequence.count(token) * mpmath.exp(float(logits[token, last])) for token in sequence}
            total = mpmath.fsum(mass.values())
            p = mass[label] / total
            derivative = {"log": -1 / p, "squared": -2 * (1 - p), "linear": mpmath.mpf(-1)}[loss]
            value += {"log": -mpmath.log(p), "squared": (1 - p) ** 2, "linear": 1 - p}[loss] / prompts.n
            for token in mass:
                gradient[token, last] += derivative * p * ((token == label) - mass[token] / total) / prompts.n
        return float(value), np.array(gradient.tolist(), dtype=float)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dim", [None, 8])
def test_one_step_is_the_gradient_of_the_definition(engine: str, loss: str, dim: int | None) -> None:
    prompts = random_prompts(3, dim=dim)
    initial = np.random.default_rng(0).standard_normal((6, 6))
    value, gradient = brute_force(prompts, initial, loss)
    run = descend([prompts], 1, 0.5, loss=loss, initial=initial, engine=engine)[0]  # pyright: ignore
    direction = prompts.gram @ gradient @ prompts.gram
    np.testing.assert_allclose(run.loss[0], value, rtol=1e-13)
    np.testing.assert_allclose(run.gradient_norm[0], np.sqrt(np.sum(gradient * direction)), rtol=1e-12)
    np.testing.assert_allclose(run.logits[1] - initial, -run.eta * direction, atol=1e-13)
    assert run.eta == pytest.approx(0.5 / curvature_bound(prompts), rel=1e-14)


@pytest.mark.parametrize("optimizer", ["plain", "normalised"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dim", [None, 12])
def test_engines_agree(optimizer: str, loss: str, dim: int | None) -> None:
    # Acyclic data and short steps: where normalised descent bounces, the last digit decides the direction.
    flip, learning_rate = (0.3, 1.0) if optimizer == "plain" else (0.0, 0.01)
    problems = [random_prompts(seed, flip=flip, dim=dim) for seed in range(4)]
    problems.append(random_prompts(9, vocab_size=9, n=20, length=6, n_last=3, flip=flip, dim=dim))
    runs = [
        descend(problems, 300, learning_rate, optimizer=optimizer, loss=loss, engine=engine)  # pyright: ignore
        for engine in ENGINES
    ]
    for one, other in zip(*runs, strict=True):
        np.testing.assert_array_equal(one.steps, other.steps)
        np.testing.assert_allclose(one.logits, other.logits, rtol=0, atol=1e-12)
        np.testing.assert_allclose(one.loss, other.loss, rtol=1e-11)
        np.testing.assert_allclose(one.gradient_norm, other.gradient_norm, rtol=1e-11)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("margin", [20.0, 45.0, 300.0, 900.0])
@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_keeps_all_digits_at_large_margins(engine: str, margin: float, loss: str) -> None:
    prompts = make_prompts([[0, 1, 1, 2], [1, 2]], [0, 1], vocab_size=3)
    initial = np.zeros((3, 3))
    initial[:, 2] = [2.0 * margin, margin, 0.0]
    value, gradient = brute_force(prompts, initial, loss)
    run = descend([prompts], 1, loss=loss, initial=initial, engine=engine)[0]  # pyright: ignore
    smallest = np.finfo(float).tiny
    np.testing.assert_allclose(run.loss[0], value, rtol=1e-12, atol=smallest)
    np.testing.assert_allclose(run.gradient_norm[0], np.linalg.norm(gradient), rtol=1e-12, atol=1e-150)


@pytest.mark.parametrize("engine", ENGINES)
def test_loss_of_a_hopelessly_wrong_model_is_finite(engine: str) -> None:
    prompts = make_prompts([[0, 1]], [0])
    run = descend([prompts], 1, initial=np.array([[0.0, -2000.0], [0.0, 0.0]]), engine=engine)[0]
    assert run.diverged_at is None
    assert run.loss[0] == 2000.0


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    flip=st.floats(0, 1),
    dim=st.sampled_from([None, 6, 10]),
    learning_rate=st.floats(0.05, 1.0),
    scale=st.floats(0, 3),
)
def test_loss_never_rises_at_a_safe_step(
    seed: int, flip: float, dim: int | None, learning_rate: float, scale: float
) -> None:
    prompts = random_prompts(seed, n=8, flip=flip, dim=dim)
    initial = scale * np.random.default_rng(seed).standard_normal((6, 6))
    run = descend([prompts], 300, learning_rate, initial=initial, checkpoints=np.arange(301))[0]
    assert run.diverged_at is None
    assert (np.diff(run.loss) <= 1e-12 * run.loss[:-1]).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_divergence_is_reported_for_the_model_that_diverges_only(engine: str) -> None:
    # 3:1 votes on one pair: the curvature bound is nearly attained, so 2.5 times the safe step overshoots.
    sharp, calm = make_prompts([[0, 0, 0, 1]] * 2 + [[0, 1, 1]], [0, 1, 1]), random_prompts(1, flip=0.0)
    alone = descend([sharp], 100, 2.5, engine=engine)[0]
    assert alone.diverged_at is not None
    assert (alone.steps < alone.diverged_at).all()
    beside = descend([calm, sharp], 100, 2.5, engine=engine)
    assert beside[1].diverged_at == alone.diverged_at
    assert beside[0].diverged_at is None
    assert beside[0].steps[-1] == 100


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dim", [None, 7])
def test_a_model_does_not_see_its_neighbours(engine: str, dim: int | None) -> None:
    problems = [random_prompts(seed, dim=dim) for seed in range(3)]
    problems.append(random_prompts(8, vocab_size=7, n=30, length=9, dim=7))
    together = descend(problems, 100, engine=engine)
    for prompts, run in zip(problems, together, strict=True):
        alone = descend([prompts], 100, engine=engine)[0]
        # Matrix products of another shape may round differently; compiled loops may not.
        tolerance = 0.0 if engine == "compiled" else 1e-13
        np.testing.assert_allclose(alone.logits, run.logits, rtol=0, atol=tolerance)


def test_columns_without_data_move_only_through_correlated_embeddings() -> None:
    orthonormal, general = random_prompts(5, n_last=1), random_prompts(5, n_last=1, dim=8)
    silent = np.setdiff1d(np.arange(6), orthonormal.last)
    initial = np.random.default_rng(1).standard_normal((6, 6))
    run, other = descend([orthonormal, general], 50, initial=initial, engine="compiled")
    np.testing.assert_array_equal(run.logits[-1][:, silent], initial[:, silent])
    assert np.abs(other.logits[-1][:, silent] - initial[:, silent]).min() > 1e-6


def test_equal_prompts_are_merged_and_lonely_labels_left_out() -> None:
    prompts = make_prompts([[0, 1, 2], [1, 0, 2], [0, 0, 2], [2, 2]], [0, 0, 0, 2])
    layout = build_layout(prompts)
    assert len(layout.weights) == 2
    assert sorted(layout.weights.tolist()) == [0.25, 0.5]
    assert descend([prompts], 1)[0].loss[0] == pytest.approx((2 * np.log(3) + np.log(1.5)) / 4)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dim", [None, 3])
def test_data_without_information_leave_the_model_alone(engine: str, dim: int | None) -> None:
    embed = None if dim is None else np.array([[1.0, 0.5, 0.0], [0.0, 1.0, 0.5]])
    prompts = make_prompts([[0, 0], [1]], [0, 1], embed=embed)
    for optimizer in ("plain", "normalised"):
        run = descend([prompts], 5, optimizer=optimizer, engine=engine)[0]  # pyright: ignore
        assert run.diverged_at is None
        assert not run.loss.any() and not run.logits.any()


def test_cancelling_takes_less_than_a_tenth_of_a_second() -> None:
    asked: list[float] = []

    def stop() -> bool:
        asked.append(time.perf_counter())
        return len(asked) > 5

    for engine in ENGINES:
        asked.clear()
        with pytest.raises(Cancelled):
            descend([random_prompts(2)] * 4, 10**8, checkpoints=[10**8], engine=engine, stop=stop)
        assert np.diff(asked).max() < 0.1


def test_partial_trajectories_are_prefixes_of_the_result() -> None:
    seen: list[tuple[float, list[Trajectory]]] = []
    final = descend([random_prompts(2)], 1_500_000, emit=lambda fraction, partial: seen.append((fraction, partial)))[0]
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    for _, partial in seen:
        count = len(partial[0].steps)
        np.testing.assert_array_equal(partial[0].loss, final.loss[:count])
        np.testing.assert_array_equal(partial[0].logits, final.logits[:count])


def test_chunks_do_not_change_the_result() -> None:
    problems = [random_prompts(2), random_prompts(2, dim=8)]
    fine, coarse = (descend(problems, 4000, checkpoints=[0, 5, 4000], engine="compiled") for _ in range(2))
    dense = descend(problems, 4000, checkpoints=np.arange(4001), engine="compiled")
    for one, two, three in zip(fine, coarse, dense, strict=True):
        np.testing.assert_array_equal(one.logits, two.logits)
        np.testing.assert_array_equal(one.logits, three.logits[[0, 5, 4000]])


def test_a_large_vocabulary_needs_no_dense_logits() -> None:
    prompts = random_prompts(4, vocab_size=20_000, n=300, length=16, n_last=40)
    run = descend([prompts], 20)[0]
    assert run.values.shape[1] < 6000
    with pytest.raises(DataError, match="too_large"):
        _ = run.logits


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"steps": 0}, "steps"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"optimizer": "adam"}, "optimizer"),
        ({"loss": "hinge"}, "loss"),
        ({"engine": "quantum"}, "engine"),
        ({"device": "abacus"}, "device"),
        ({"checkpoints": [11]}, "checkpoints"),
        ({"checkpoints": [0.5]}, "checkpoints"),
        ({"initial": np.zeros((2, 2))}, "initial"),
        ({"initial": np.full((6, 6), np.nan)}, "initial"),
        ({"initial": [None, None]}, "initial"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], name: str) -> None:
    with pytest.raises(ParameterError, match=name):
        descend([random_prompts(0)], **({"steps": 10} | arguments))  # pyright: ignore


def test_nothing_to_train() -> None:
    assert descend([], 10) == []
