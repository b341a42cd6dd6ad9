"""Networks trained on digits with the labels of several teachers, judged on digits that they did not see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Emit, Experiment, Plan, Replicate, Stop
from theory.distillation.digits import CLASSES, digits
from theory.distillation.features import digits_source
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats, Integers, Regression
from theory.distillation.simulation.teachers import arms
from theory.distillation.training import STEPS, initial_weights, operations, train

LABELS = ("strong", "mask", "optimal", "weak", "flipped", "weak_flipped")
"""True classes; the best mask's and best teacher's linear labels, an oracle's (they use the truth of the whole
population); a least-squares teacher's on few principal components of other digits; true classes with a fifth flipped;
the weak teacher's, itself fitted on flipped classes."""
ORACLE = ("mask", "optimal")
FLIPPED = 0.2
MOST_UNSEEN, FEWEST_UNSEEN = 1000, 100
PIXELS = 64


@dataclass(frozen=True, eq=False)
class _Trial:
    """What one seed draws: images (n, 8, 8), labels (T, n, 10), unseen images and classes, accuracies of teachers."""

    images: Floats
    labels: Floats
    unseen: Floats
    classes: Integers
    teacher_accuracy: Floats
    start: dict[str, Floats]


def _draw(params: Params, problem: Regression, seed: int) -> _Trial:
    assert problem.features is not None and problem.basis is not None and problem.signals is not None
    images, classes = digits()
    n, m = params.n_samples, params.n_teacher_samples
    generator = np.random.default_rng([seed, 2])
    order = generator.permutation(len(images))
    rows, others, unseen = order[:n], order[n : n + m], order[n + m : n + m + MOST_UNSEEN]
    centred = np.eye(CLASSES) - 1 / CLASSES
    factors = arms(problem.eigenvalues, np.ones(problem.n_features), n, 0.0)
    inputs = problem.features[rows] @ problem.basis  # the digits themselves are the population's first rows
    flipped = _flipped(classes[rows], generator)
    weak = _weak_teacher(images, others, centred[classes[others]], params.teacher_features)
    noisy = centred[_flipped(classes[others], generator)]
    weak_noisy = _weak_teacher(images, others, noisy, params.teacher_features)
    labels = np.stack(
        [
            centred[classes[rows]],
            inputs @ (factors["mask"][:, None] * problem.signals),
            inputs @ (factors["optimal"][:, None] * problem.signals),
            weak[rows],
            centred[flipped],
            weak_noisy[rows],
        ]
    )
    right = [_accuracy(found[unseen], classes[unseen]) for found in (weak, weak_noisy)]
    mean = images.mean(axis=0)
    start = initial_weights(params.features, CLASSES, generator)
    return _Trial(images[rows] - mean, labels, images[unseen] - mean, classes[unseen], np.array(right), start)


def _flipped(classes: Integers, generator: np.random.Generator) -> Integers:
    """Classes of which each is replaced by another one, chosen at random, with probability 0.2."""
    moved = (classes + generator.integers(1, CLASSES, len(classes))) % CLASSES
    return np.where(generator.random(len(classes)) < FLIPPED, moved, classes)


def _weak_teacher(images: Floats, rows: Integers, labels: Floats, components: int | None) -> Floats:
    """Least squares on the leading principal components of ``rows``; its labels (N, 10) for all images."""
    pixels = images.reshape(len(images), -1)
    mean = pixels[rows].mean(axis=0)
    directions = np.linalg.svd(pixels[rows] - mean, full_matrices=False)[2][: components or PIXELS]
    scores = np.column_stack([(pixels - mean) @ directions.T, np.ones(len(pixels))])
    return scores @ np.linalg.lstsq(scores[rows], labels, rcond=None)[0]


def _accuracy(outputs: Floats, classes: Integers) -> float:
    return float((outputs.argmax(axis=1) == classes).mean())


def _measure(trial: _Trial, outputs: Floats, errors: Floats) -> Dataset:
    """``outputs`` (T, k, 10) on the unseen images."""
    truth = np.eye(CLASSES)[trial.classes] - 1 / CLASSES
    accuracy = [_accuracy(found, trial.classes) for found in outputs]
    return Dataset(
        {
            "accuracy": (("label",), accuracy, {"long_name": "share of unseen digits named right"}),
            "squared_error": (("label",), ((outputs - truth) ** 2).sum(axis=2).mean(axis=1)),
            "training_error": (("label",), errors, {"long_name": "final squared error on the labels given"}),
            "teacher_accuracy": (("teacher",), trial.teacher_accuracy),
        },
        coords={"label": list(LABELS), "teacher": ["weak", "weak_flipped"]},
    )


def _run(
    params: Params, replicates: Sequence[Replicate[Regression]], device: str, emit: Emit, stop: Stop
) -> list[Dataset]:
    problems = [replicate.problem for replicate in replicates]
    source = digits_source(params.features, params.population_copies, params.data_seed)
    left = len(digits()[0]) - params.n_samples - params.n_teacher_samples
    if any(problem.source != source for problem in problems):
        refused = "Not run: these networks read handwritten digits; choose the spectrum of their features."
    elif left < FEWEST_UNSEEN:
        refused = f"Not run: {max(left, 0)} digits are left to judge on, fewer than {FEWEST_UNSEEN}."
    elif params.n_samples >= problems[0].n_features:
        refused = f"Not run: {params.n_samples} samples leave the linear teachers nothing to interpolate with."
    else:
        refused = ""
    if refused:
        return [Dataset(attrs={"not_run": refused}) for _ in replicates]
    seeds = [replicate.seed for replicate in replicates]
    trials = [_draw(params, problem, seed) for problem, seed in zip(problems, seeds, strict=True)]
    outputs, errors = train(
        params.features,
        [trial.start for trial in trials],
        np.stack([trial.images for trial in trials]),
        np.stack([trial.labels for trial in trials]),
        np.stack([trial.unseen for trial in trials]),
        device,
        lambda fraction: emit(fraction, None),
        stop,
    )
    return [_measure(*found) for found in zip(trials, outputs, errors, strict=True)]


def _plan(params: Params, problem: Regression, seeds: int) -> Plan:
    networks, kind = seeds * len(LABELS), params.features
    work = networks * operations(kind, params.n_samples, CLASSES) * STEPS * 3
    return Plan(1.0 + work / 8e9, 40 * networks * MOST_UNSEEN * 128, "seed")


network_students = Experiment(
    id="distillation-network-students",
    uses=frozenset(
        {"features", "population_copies", "data_seed", "n_samples", "n_teacher_samples", "teacher_features"}
    ),
    replication="seed",
    plan=_plan,
    run=_run,
)
