"""Populations of real features: digits, whitening, and the risk of students of sampled rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.core.errors import DataError
from theory.distillation.claims.features import feature_universality
from theory.distillation.digits import WIDTH, attention_features, augmented, digits
from theory.distillation.effective_ridge import stats
from theory.distillation.experiments.features import feature_trials
from theory.distillation.feature_risk import ARMS, held_out_risks
from theory.distillation.features import digits_population, from_features
from theory.distillation.parameters import Params
from theory.distillation.problem import Regression


@pytest.fixture(scope="module")
def small() -> Regression:
    """The 1,797 digits themselves, in 512 ReLU features."""
    return digits_population("relu", 0, 0)


def test_augmented_digits_keep_the_originals_first() -> None:
    images, classes = augmented(2, 3)
    originals, labels = digits()
    assert images.shape == (3 * 1797, 8, 8) and np.array_equal(classes, np.tile(labels, 3))
    assert np.array_equal(images[:1797], originals)
    moved = images[1797:3594] - originals
    assert 0.05 < moved.std() < 0.4 and not np.array_equal(images[1797:3594], images[3594:])


def test_a_shift_moves_a_lone_pixel_by_linear_interpolation() -> None:
    from theory.distillation.digits import _moves

    image = np.zeros((1, 8, 8))
    image[0, 3, 3] = 1.0
    moved = (_moves(np.array([0.25])) @ image @ _moves(np.array([-0.5])).transpose(0, 2, 1))[0]
    expected = np.zeros((8, 8))
    expected[3:5, 2:4] = np.outer([0.75, 0.25], [0.5, 0.5])
    assert np.allclose(moved, expected)


def test_attention_features_against_a_loop() -> None:
    images = augmented(0, 0)[0][:3]
    found = attention_features(images, np.random.default_rng(1))
    generator = np.random.default_rng(1)
    tokens = images - images.mean(axis=0) + 0.5 * generator.standard_normal((8, 8))
    query, key = generator.standard_normal((2, 8, 8)) * 1.5 / np.sqrt(8)
    value = generator.standard_normal((8, 16)) * 2 / np.sqrt(8)
    for row, own in enumerate(tokens):
        scores = np.exp(own @ query @ (own @ key).T / np.sqrt(8))
        attended = scores / scores.sum(axis=1, keepdims=True) @ own @ value
        assert np.allclose(found[row, :16], np.maximum(attended, 0).mean(axis=0))
    assert found.shape == (3, WIDTH)


def test_population_is_what_it_says(small: Regression) -> None:
    assert small.features is not None and small.targets is not None and small.basis is not None
    assert small.signals is not None and small.residual_variance is not None
    rotated = small.features @ small.basis
    assert np.allclose(rotated.T @ rotated / 1797, np.diag(small.eigenvalues), atol=1e-12)
    assert np.isclose(small.eigenvalues.sum(), 1) and (np.diff(small.eigenvalues) <= 0).all()
    left = small.targets - rotated @ small.signals
    assert np.allclose(rotated.T @ left / 1797, 0, atol=1e-9)
    assert np.allclose((left**2).mean(axis=0), small.residual_variance, rtol=1e-6)
    assert np.allclose(small.signal**2, (small.signals**2).sum(axis=1))
    assert digits_population("relu", 0, 0) is small


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 8), st.floats(0.1, 1e6))
def test_invariance_to_shift_and_scale_and_least_squares(seed: int, size: int, scale: float) -> None:
    generator = np.random.default_rng(seed)
    features = generator.standard_normal((40, size)) @ generator.standard_normal((size, size))
    targets = generator.standard_normal((40, 2))
    first, second = from_features(features, targets), from_features(scale * features + 7, targets - 3)
    assert np.allclose(first.eigenvalues, second.eigenvalues, rtol=1e-6)
    assert np.allclose(first.signal, second.signal, rtol=1e-5)
    assert first.residual_variance is not None
    design = np.column_stack([features, np.ones(40)])
    left = targets - design @ np.linalg.lstsq(design, targets, rcond=None)[0]
    assert np.allclose(first.residual_variance, (left**2).mean(axis=0), rtol=1e-6)


def test_redundant_features_lose_rank_and_say_so() -> None:
    features = np.random.default_rng(0).standard_normal((50, 6))
    problem = from_features(np.column_stack([features, features[:, 0], np.ones(50)]))
    assert problem.n_features == 6 and "rank 6 of 8" in problem.notes[0]
    assert np.allclose(problem.eigenvalues * problem.signal**2, np.arange(1, 7) ** -1.5)


@pytest.mark.parametrize(
    ("features", "targets", "code"),
    [
        (np.ones(5), None, "wrong_shape"),
        (np.ones((9, 3)), None, "too_few_features"),
        ([[1.0, np.nan], [2.0, 3.0]], None, "not_finite"),
        (np.eye(4), np.ones(3), "rows_mismatch"),
        (np.eye(4), [1.0, 2.0, np.inf, 0.0], "not_finite"),
    ],
)
def test_unusable_features_are_refused(features: object, targets: object, code: str) -> None:
    with pytest.raises(DataError) as raised:
        from_features(features, targets)  # pyright: ignore
    assert raised.value.code == code


@pytest.mark.parametrize("ridge", [0.0, 0.01])
def test_trials_against_a_pass_over_all_unseen_rows(small: Regression, ridge: float) -> None:
    assert small.features is not None and small.targets is not None
    assert small.basis is not None and small.signals is not None
    found = feature_trials(small, 60, [(5, 0), (5, 1)], ridge)
    assert tuple(found.arm.values) == ARMS and found.singular == 0
    truth = small.basis @ small.signals
    for trial in range(2):
        rows = np.random.default_rng((5, trial)).choice(1797, 60, replace=False)
        unseen = np.setdiff1d(np.arange(1797), rows)
        inputs = small.features[rows]
        for column, labels in ((0, inputs @ truth), (3, small.targets[rows])):
            if ridge:
                weights = np.linalg.solve(inputs.T @ inputs + ridge * np.eye(512), inputs.T @ labels)
            else:
                weights = np.linalg.lstsq(inputs, labels, rcond=None)[0]
            risk = ((small.features[unseen] @ (weights - truth)) ** 2).sum(axis=1).mean()
            assert np.isclose(found.risk.values[trial, column], risk, rtol=1e-6)
    alone = feature_trials(small, 60, [(5, 1)], ridge)
    assert np.allclose(alone.risk.values[0], found.risk.values[1])


def test_a_singular_gram_matrix_is_inverted_on_its_range() -> None:
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((40, 10))
    problem = from_features(np.repeat(rows, 2, axis=0), np.repeat(rows[:, 0], 2))
    found = feature_trials(problem, 9, [(0, trial) for trial in range(40)])
    assert found.singular > 0 and np.isfinite(found.risk).all() and (found.risk > -1e-9).all()


def test_finite_population_risk_of_a_rotationally_invariant_frame() -> None:
    """The formula's finite-population part where universality is not in question; n/N = 0.2, n (1 - Omega) = 24.

    Mean over 24 frames and 40 samples each; the finite-size error is of order 1 / n_free.
    """
    generator = np.random.default_rng(1)
    ratios: list[np.ndarray] = []
    for frame in range(24):
        rows = np.linalg.qr(generator.standard_normal((500, 200)))[0] * np.arange(1, 201) ** -0.75
        labels = rows @ (np.arange(1, 201) ** 0.3 * generator.standard_normal(200)) * 3
        labels += 0.05 * generator.standard_normal(500)
        problem = from_features(rows, labels)
        found = feature_trials(problem, 100, [(frame, trial) for trial in range(40)])
        expected = held_out_risks(stats(problem.eigenvalues, 100), problem, 100)
        ratios.append(found.risk.values.mean(axis=0) / expected)
    deviation = np.mean(ratios, axis=0) - 1
    error = np.std(ratios, axis=0, ddof=1) / np.sqrt(24)
    assert (np.abs(deviation) < 1 / 24 + 4 * error).all(), (deviation, error)
    assert (1 / 24 + 4 * error < 0.1).all()  # without the factor N / (N - n) all would be off by 0.25


def test_the_claim_says_what_is_missing(small: Regression) -> None:
    held = {
        a.name: a.holds for a in feature_universality.assumptions(Params(spectrum="features", n_samples=170), small)
    }
    assert not held["many rows for each feature"] and held["a small share is sampled"]
    held = {a.name: a.holds for a in feature_universality.assumptions(Params(spectrum="features", ridge=0.5), small)}
    assert not held["minimum-norm student"] and not held["a small share is sampled"]
    from theory.distillation.data import draw

    bare = draw(Params(), 0)
    assert not feature_universality.assumptions(Params(), bare)[0].holds
    assert np.isfinite(feature_universality.predict(Params(), bare).risk).all()
