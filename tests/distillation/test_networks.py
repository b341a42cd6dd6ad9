"""Networks on digits: batched training, paired labels, and what the observation reports."""

from __future__ import annotations

import numpy as np
import pytest
from xarray import concat

from theory.core.errors import Cancelled
from theory.core.vocabulary import AnyClaim, Replicate
from theory.distillation.claims.networks import trained_network_w2s
from theory.distillation.data import draw
from theory.distillation.experiments.networks import LABELS, network_students
from theory.distillation.parameters import Params
from theory.distillation.training import initial_weights, train

pytestmark = pytest.mark.slow


def silent(*_: object) -> None:
    pass


@pytest.mark.parametrize("kind", ["relu", "attention"])
def test_networks_of_a_batch_do_not_see_each_other(kind: str) -> None:
    generator = np.random.default_rng(0)
    starts = [initial_weights(kind, 3, np.random.default_rng(seed)) for seed in range(2)]
    images = generator.standard_normal((2, 12, 8, 8)) * 0.3
    labels = generator.standard_normal((2, 2, 12, 3))
    unseen = generator.standard_normal((2, 5, 8, 8)) * 0.3
    both, errors = train(kind, starts, images, labels, unseen)
    alone, own = train(kind, starts[1:], images[1:], labels[1:, 1:], unseen[1:])
    assert both.shape == (2, 2, 5, 3) and errors.shape == (2, 2)
    assert (errors < 0.01).all()
    # Single precision: rounding differs with the batch and grows a little over 200 steps.
    assert np.allclose(alone[0, 0], both[1, 1], atol=0.02) and np.allclose(own[0, 0], errors[1, 1], atol=1e-3)


def test_equal_labels_give_equal_networks() -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat(generator.standard_normal((1, 1, 8, 2)), 2, axis=1)
    images = generator.standard_normal((1, 8, 8, 8))
    outputs, errors = train("relu", [initial_weights("relu", 2, generator)], images, labels, images)
    assert np.array_equal(outputs[0, 0], outputs[0, 1]) and errors[0, 0] == errors[0, 1]
    assert np.allclose(outputs[0, 0], labels[0, 0], atol=0.1)


def test_training_stops_when_asked() -> None:
    start = initial_weights("relu", 2, np.random.default_rng(0))
    with pytest.raises(Cancelled):
        train(
            "relu", [start], np.zeros((1, 3, 8, 8)), np.zeros((1, 1, 3, 2)), np.zeros((1, 2, 8, 8)), stop=lambda: True
        )


def test_the_observation_and_its_pairs() -> None:
    params = Params(spectrum="features", population_copies=0, n_samples=40, n_teacher_samples=100, teacher_features=15)
    problem = draw(params, 0)
    raws = network_students.run(params, [Replicate(problem, seed) for seed in range(3)], "cpu", silent, lambda: False)
    stacked = concat(raws, "seed")
    assert stacked.accuracy.dims == ("seed", "label") and list(stacked.label.values) == list(LABELS)
    assert (stacked.accuracy > 0.3).all() and (stacked.training_error < 0.02).all()
    assert (stacked.teacher_accuracy > 0.5).all()
    claim: AnyClaim = trained_network_w2s
    measured = claim.measure(params, problem, stacked)
    assert claim.compare is not None
    checks = claim.compare(params, problem, claim.predict(params, problem), measured)
    saved = stacked.squared_error.mean("seed").sel(label=["mask", "optimal"])
    assert np.allclose(measured.error_ratio, saved / stacked.squared_error.mean("seed").sel(label="strong"))
    paired = stacked.accuracy.sel(label="mask") - stacked.accuracy.sel(label="strong")
    assert np.isclose(checks[0].deviation, float(paired.mean())) and checks[0].replicates == 3
    assert np.isclose(checks[0].standard_error, float(paired.std(ddof=1)) / np.sqrt(3))
    assert any("oracle" in check.name for check in checks)


@pytest.mark.parametrize(
    "values", [{"spectrum": "power"}, {"spectrum": "features", "n_samples": 1500, "population_copies": 0}]
)
def test_what_cannot_be_run_says_so(values: dict[str, object]) -> None:
    params = Params.model_validate(values)
    raw = network_students.run(params, [Replicate(draw(params, 0), 0)], "cpu", silent, lambda: False)[0]
    assert str(raw.attrs["not_run"]).startswith("Not run")
