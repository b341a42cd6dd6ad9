"""A person's own covariances, or own regression tasks, as a problem; every message names the row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from theory.core.errors import DataError
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Integers, Regression, checked_covariance
from theory.shared.files.arrays import matrix_from_json, read_arrays
from theory.shared.files.tables import MOST_ENTRIES, Row, Table, check_finite, read_table
from theory.shared.files.text import decode_upload

MOST_BYTES = 16 * 2**20
"""Largest file of arrays."""
LARGEST_DIM = 200
LARGEST_RATIO = 1e12
"""Eigenvalues further apart than this are worth a warning: float64 hardly tells the small ones from zero."""
_FEATURES = ("feature_covariance", "Sigma_x", "Sigma")
_TASKS = ("task_covariance", "Sigma_beta")
_NEW = ("new_task_covariance", "Sigma_beta_new")
_TASK_NAMES = ("task", "task_id", "task id", "id")
_LABELS = ("y", "label", "target")
_NUMBER_KINDS = "fiu"


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
        arrays = read_arrays(content, suffix, _NUMBER_KINDS, MOST_BYTES)
        return _problem(_named(arrays) if suffix == "npz" else _stacked(arrays[""]))
    if suffix == "json":
        return _from_json(decode_upload(content))
    table = read_table(content, label_column=_task_column, largest=(MOST_ENTRIES, LARGEST_DIM + 2))
    if table.names and table.names[-1].lower() in _LABELS:
        return _from_tasks(table)
    return _problem({"task_covariance": table.values})


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


def _task_column(header: Sequence[str], _: Row) -> int | None:
    return 0 if header and header[0].lower() in _TASK_NAMES and header[-1].lower() in _LABELS else None


def _from_tasks(table: Table) -> Regression:
    header, dim = table.names, len(table.names) - 1
    if table.labels is None or not dim:
        expected = "task, then the features, then y"
        raise DataError("wrong_columns", f"the header is {', '.join(header)[:80]}; expected {expected}.")
    _check_dim(dim)
    check_finite(table.values, header)
    names: dict[object, int] = {}
    task = np.array([names.setdefault(own, len(names)) for own in table.labels.tolist()], dtype=np.int64)
    order = np.argsort(task, kind="stable")
    features, labels, task = table.values[order, :-1], table.values[order, -1], task[order]
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
    tables = _named(cast("dict[str, Any]", found)) if isinstance(found, dict) else {_TASKS[0]: found}
    return _problem({name: matrix_from_json(rows, name) for name, rows in tables.items()})


def _stacked(table: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """Covariances of a ``.npy`` file: (d, d) tasks, or (2, d, d) or (3, d, d) features, tasks and new tasks."""
    if table.ndim == 2:
        return {_TASKS[0]: table}
    if table.ndim == 3 and len(table) in (2, 3):
        return dict(zip((_FEATURES[0], _TASKS[0], _NEW[0]), table, strict=False))
    raise DataError("wrong_shape", f"the array has shape {table.shape}; expected (d, d), (2, d, d) or (3, d, d).")


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
    tables: Mapping[str, npt.NDArray[Any]],
    features: Floats | None = None,
    labels: Floats | None = None,
    task: Integers | None = None,
    notes: list[str] | None = None,
) -> Regression:
    said = list(notes or [])
    first = next(iter(tables.values()))
    _check_dim(size := len(first) if first.ndim else 0)
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


def _check_dim(size: int) -> None:
    if not 1 <= size <= LARGEST_DIM:
        raise DataError("wrong_size", f"{size} features; expected 1 to {LARGEST_DIM}.")
