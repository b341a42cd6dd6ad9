"""A person's own covariances, or own regression tasks, as a problem; every message names the row."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from theory.core.errors import DataError
from theory.icl.own.arrays import arrays_of
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Integers, Regression, checked_covariance
from theory.shared.files.text import decode_upload

LARGEST_DIM = 200
LARGEST_RATIO = 1e12
"""Eigenvalues further apart than this are worth a warning: float64 hardly tells the small ones from zero."""
_FEATURES = ("feature_covariance", "Sigma_x", "Sigma")
_TASKS = ("task_covariance", "Sigma_beta")
_NEW = ("new_task_covariance", "Sigma_beta_new")
_TASK_NAMES = ("task", "task_id", "task id", "id")
_LABELS = ("y", "label", "target")


@dataclass(frozen=True, eq=False)
class TaskMoments:
    """What raw tasks say: ``features`` and ``tasks`` (d, d) covariances, ``noise_variance``, ``clipped`` eigenvalues.

    Task covariance estimates are unbiased but need not be positive: ``clipped`` negative eigenvalues were set to 0.
    """

    features: Floats
    tasks: Floats
    noise_variance: float
    clipped: int


def load(content: bytes, filename: str, params: Params) -> Regression:
    """A person's own file as a problem; its name and first line say what it is.

    ``.json``: an object with ``feature_covariance``, ``task_covariance`` and ``new_task_covariance`` (what is missing
    is the identity, or the task itself), or one matrix, the task covariance. ``.npz``: arrays of these names. ``.npy``:
    a (d, d) task covariance, or (2, d, d) or (3, d, d): features, tasks, new tasks. ``.csv`` with a header
    ``task, ..., y``: raw regression tasks, one example a row; covariances are estimated. Any other ``.csv``: rows of a
    task covariance.

    Raises:
        DataError: empty, too large, or not usable; the message names the row and column.
    """
    suffix = filename.lower().rpartition(".")[2]
    if suffix in ("npy", "npz"):
        return _problem(_named(arrays_of(content, suffix)))
    text = decode_upload(content)
    if suffix == "json":
        return _from_json(text)
    rows = [
        (number, [cell.strip().strip('"') for cell in line.split(_delimiter(line))])
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not rows:
        raise DataError("empty_file", "the file has no rows.")
    headed = any(cell and not _is_number(cell) for cell in rows[0][1])
    if headed and rows[0][1][-1].lower() in _LABELS:
        return _from_tasks(rows)
    return _problem({"task_covariance": _numbers(rows[1:] if headed else rows, len(rows[0][1]))})


def task_moments(features: Floats, labels: Floats, task: Integers) -> TaskMoments:
    """Covariances from raw tasks: ``features`` (N, d), ``labels`` (N,), ``task`` (N,) contiguous numbers.

    Least squares within each task; its scatter ``s^2 (X'X)^-1`` is taken off the covariance of the estimates, so that
    noise does not count as variation of tasks (ours).

    Raises:
        DataError: ``too_few_rows`` (a task with no more rows than features), ``one_task``, ``singular_features``.
    """
    dim = features.shape[1]
    number = np.unique(task)
    if len(number) < 2:
        raise DataError("one_task", "all rows belong to one task; expected at least 2, better 2 for each feature.")
    residual, freedom = 0.0, 0
    estimates: list[Floats] = []
    scatter = np.zeros((dim, dim))
    for own in number.tolist():
        rows = task == own
        X, y = features[rows], labels[rows]
        if len(y) <= dim:
            detail = f"task {own + 1} has {len(y)} rows for {dim} features"
            raise DataError("too_few_rows", f"{detail}; expected at least {dim + 1}.")
        gram = X.T @ X
        if np.linalg.matrix_rank(gram, hermitian=True) < dim:
            raise DataError("singular_features", f"the features of task {own + 1} do not vary in every direction.")
        beta: Floats = np.linalg.solve(gram, X.T @ y).astype(np.float64)
        estimates.append(beta)
        residual, freedom = residual + float(np.sum((y - X @ beta) ** 2)), freedom + len(y) - dim
        scatter += np.linalg.inv(gram)
    noise = residual / freedom
    stacked = np.stack(estimates)
    raw = (stacked.T @ stacked - noise * scatter) / len(number)
    values, vectors = np.linalg.eigh((raw + raw.T) / 2)
    kept = np.maximum(values, 0.0)
    second = features.T @ features / len(features)
    return TaskMoments(second, (vectors * kept) @ vectors.T, noise, int((values < 0).sum()))


def _from_tasks(rows: list[tuple[int, list[str]]]) -> Regression:
    header = rows[0][1]
    first = header[0].lower() in _TASK_NAMES
    if not first or len(header) < 3:
        expected = "task, then the features, then y"
        raise DataError("wrong_columns", f"the header is {', '.join(header)[:80]}; expected {expected}.")
    dim = len(header) - 2
    _check_dim(dim)
    names: dict[str, int] = {}
    table = _numbers([(number, cells[1:]) for number, cells in rows[1:]], dim + 1)
    task = np.array([names.setdefault(cells[0], len(names)) for _, cells in rows[1:]], dtype=np.int64)
    order = np.argsort(task, kind="stable")
    features, labels, task = table[order, :-1], table[order, -1], task[order]
    if not len(labels):
        raise DataError("empty_file", "the file has a header and no rows.")
    found = task_moments(features, labels, task)
    notes = [f"{len(names)} tasks with {len(labels):,} rows; label noise is about {found.noise_variance:.3g}."]
    mean = features.mean(axis=0)
    spread = np.sqrt(np.maximum(np.diag(found.features) - mean**2, 1e-300))
    if (np.abs(mean) > 0.5 * spread).any():
        notes.append("Features have a mean: the theory is for features around zero, so centre them.")
    if len(names) < 2 * dim:
        notes.append(f"{len(names)} tasks for {dim} features: small eigenvalues of the tasks are uncertain.")
    if found.clipped:
        notes.append(f"{found.clipped} eigenvalues of the task covariance drowned in noise and were set to 0.")
    return _problem(
        {"feature_covariance": found.features, "task_covariance": found.tasks}, features, labels, task, notes
    )


def _from_json(text: str) -> Regression:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError("not_json", f"the file is not JSON: {error}.") from None
    if isinstance(found, list):
        return _problem({"task_covariance": found})
    if not isinstance(found, dict):
        raise DataError("wrong_shape", "expected an object of covariances, or rows of one.")
    return _problem(_named(cast("dict[str, Any]", found)))


def _named(given: dict[str, Any]) -> dict[str, Any]:
    """The covariances by the names of the fields; any other name is an error."""
    tables = {
        names[0]: given[alias] for names in (_FEATURES, _TASKS, _NEW) for alias in names if given.get(alias) is not None
    }
    unknown = sorted(set(given) - {alias for names in (_FEATURES, _TASKS, _NEW) for alias in names})
    if unknown or not tables:
        expected = ", ".join((_FEATURES[0], _TASKS[0], _NEW[0]))
        raise DataError("unknown_names", f"found {', '.join(unknown)[:80] or 'no covariance'}; expected {expected}.")
    return tables


def _problem(
    tables: dict[str, Any],
    features: Floats | None = None,
    labels: Floats | None = None,
    task: Integers | None = None,
    notes: list[str] | None = None,
) -> Regression:
    said = list(notes or [])
    first = next(iter(tables.values()))
    try:
        size = len(first)
    except TypeError:
        raise DataError("covariance_shape", f"{next(iter(tables))} must be rows of numbers.") from None
    _check_dim(size)
    checked = {
        name: checked_covariance(table, name, definite=name == "feature_covariance", dim=size)
        for name, table in tables.items()
    }
    for name, table in checked.items():
        values = np.linalg.eigvalsh(table)
        if 0 < values[0] < values[-1] / LARGEST_RATIO:
            said.append(f"{name} has eigenvalues {values[-1] / values[0]:.1g} times apart: the smallest are uncertain.")
    identity = np.eye(size)
    tasks = checked.get("task_covariance", identity)
    return Regression(
        checked.get("feature_covariance", identity),
        tasks,
        checked.get("new_task_covariance", tasks),
        np.zeros((0, 0)) if features is None else features,
        np.zeros(0) if labels is None else labels,
        np.zeros(0, dtype=np.int64) if task is None else task,
        tuple(said),
    )


def _numbers(rows: list[tuple[int, list[str]]], width: int) -> Floats:
    table = np.zeros((len(rows), width))
    for place, (number, cells) in enumerate(rows):
        if len(cells) != width:
            raise DataError("ragged_rows", f"row {number} has {len(cells)} values; expected {width}.")
        for column, cell in enumerate(cells):
            if not _is_number(cell):
                raise DataError(
                    "not_numbers", f"row {number}, column {column + 1} is {cell[:40]!r}; expected a number."
                )
            table[place, column] = float(cell)
            if not np.isfinite(table[place, column]):
                raise DataError("not_finite", f"row {number}, column {column + 1} is {cell[:40]}.")
    return table


def _check_dim(size: int) -> None:
    if not 1 <= size <= LARGEST_DIM:
        raise DataError("wrong_size", f"{size} features; expected 1 to {LARGEST_DIM}.")


def _delimiter(line: str) -> str | None:
    return next((mark for mark in ";\t," if mark in line), None)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
