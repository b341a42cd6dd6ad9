"""Monte Carlo of fits in a row: each stage draws its own data and fits labels made by the stage before.

Nothing here uses the risk formulas. Noise enters every fit linearly, so that a stage returns its response to unit
noise beside its fit, and one simulation serves every noise level.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular

from theory.distillation.problem import Floats
from theory.distillation.simulation.students import check_resolvable, fit, solve_triangle


def fitted(
    eigenvalues: Floats,
    columns: Floats,
    n_samples: int,
    generator: np.random.Generator,
    ridge: float = 0.0,
    seen: int | None = None,
) -> Floats:
    """Fits (p, k + 1) of one sample: to the noiseless labels of each coefficient vector in ``columns`` (p, k), then to
    unit noise.

    Minimum-norm (or ridge) below p samples, least squares from there on. ``seen`` makes the fit weak: it uses the first
    coordinates only, while the labels come from all of them.

    Raises:
        DataError: ``gram_singular``.
    """
    size = len(eigenvalues)
    used = size if seen is None else seen
    found = np.zeros((size, columns.shape[1] + 1))
    if ridge == 0 and n_samples >= used:
        found[:used] = _least_squares(np.sqrt(eigenvalues), columns, n_samples, used, generator)
        return found
    check_resolvable(np.sort(eigenvalues[:used])[::-1], n_samples, ridge)
    inputs = generator.standard_normal((n_samples, size)) * np.sqrt(eigenvalues)
    labels = np.column_stack([inputs @ columns, generator.standard_normal(n_samples)])
    found[:used] = fit(inputs[:, :used], labels, ridge)
    return found


def _least_squares(scale: Floats, columns: Floats, n_samples: int, used: int, generator: np.random.Generator) -> Floats:
    """Least squares on the first ``used`` coordinates, in units where every feature has variance one.

    From p samples on, the data enter through their triangular factor only; its entries are independent (Bartlett), so
    that it is drawn directly, at a cost that does not grow with the sample size.
    """
    size = len(scale)
    if n_samples >= size:
        rows = np.triu(generator.standard_normal((used, size)), 1)
        rows[np.arange(used), np.arange(used)] = np.sqrt(generator.chisquare(n_samples - np.arange(used)))
    else:
        rows = generator.standard_normal((n_samples, size))
    labels = np.column_stack([rows @ (scale[:, None] * columns), generator.standard_normal(len(rows))])
    head = rows[:, :used]
    if n_samples >= size:
        white = solve_triangular(head, labels, check_finite=False)
    else:
        white = solve_triangle(head.T @ head, head.T @ labels, 0.0)
    return white / scale[:used, None]


def moments(eigenvalues: Floats, errors: Floats) -> Floats:
    """``E' diag(lambda) E`` (k, k) of error columns (p, k): the excess risk is the quadratic form of their weights."""
    return errors.T @ (eigenvalues[:, None] * errors)


def two_stage_trial(
    eigenvalues: Floats,
    teacher_eigenvalues: Floats,
    signal: Floats,
    n_samples: int,
    n_teacher_samples: int,
    generator: np.random.Generator,
    *,
    ridge: float = 0.0,
    teacher_features: int | None = None,
    teacher_basis: Floats | None = None,
) -> Floats:
    """Moments (3, 3, 3) of one trial, for the student, the teacher, and a student of strong labels on the same data.

    The parts are the error without noise, the response to the teacher's label noise, and to the student's.
    """
    truth = signal if teacher_basis is None else teacher_basis.T @ signal
    taught = fitted(
        teacher_eigenvalues, truth[:, None], n_teacher_samples, generator, seen=teacher_features
    )  # in the teacher's own coordinates
    if teacher_basis is not None:
        taught = teacher_basis @ taught
    learnt = fitted(eigenvalues, np.column_stack([taught, signal]), n_samples, generator, ridge)
    nothing = np.zeros(len(signal))
    arms = (
        (learnt[:, 0] - signal, learnt[:, 1], learnt[:, 3]),
        (taught[:, 0] - signal, taught[:, 1], nothing),
        (learnt[:, 2] - signal, nothing, learnt[:, 3]),
    )
    return np.array([moments(eigenvalues, np.column_stack(parts)) for parts in arms])


def generations_trial(
    eigenvalues: Floats, signal: Floats, sizes: tuple[int, ...], generator: np.random.Generator
) -> Floats:
    """Moments (T, T + 1, T + 1) of one chain: the error without noise, then the response to each generation's noise."""
    columns = signal[:, None]
    found = np.zeros((len(sizes), len(sizes) + 1, len(sizes) + 1))
    for stage, size in enumerate(sizes):
        columns = fitted(eigenvalues, columns, size, generator)
        errors = columns.copy()
        errors[:, 0] -= signal
        found[stage, : stage + 2, : stage + 2] = moments(eigenvalues, errors)
    return found


def penalties_trial(
    eigenvalues: Floats,
    signal: Floats,
    teachers: Floats,
    penalties: Floats,
    n_samples: int,
    generator: np.random.Generator,
) -> Floats:
    """Moments (2, P, 3) of ridge students of the truth and of a teacher per penalty, ``teachers`` (p, P).

    The last axis is the risk's constant, linear and quadratic coefficient in the noise's standard deviation. One
    eigendecomposition of the Gram matrix serves all penalties.
    """
    size = len(eigenvalues)
    inputs = generator.standard_normal((n_samples, size)) * np.sqrt(eigenvalues)
    noise = generator.standard_normal(n_samples)
    values, vectors = np.linalg.eigh(inputs @ inputs.T)
    kept = min(n_samples, size)  # beyond p samples the Gram matrix has rank p
    values, vectors = values[-kept:], vectors[:, -kept:]
    back = inputs.T @ vectors
    filters = 1 / (values[:, None] + penalties)
    scattered = back @ (filters * (vectors.T @ noise)[:, None])
    found = np.zeros((2, len(penalties), 3))
    for arm, labels in enumerate((vectors.T @ (inputs @ signal[:, None]), vectors.T @ (inputs @ teachers))):
        error = back @ (filters * labels) - signal[:, None]
        found[arm, :, 0] = eigenvalues @ error**2
        found[arm, :, 1] = 2 * eigenvalues @ (error * scattered)
        found[arm, :, 2] = eigenvalues @ scattered**2
    return found
