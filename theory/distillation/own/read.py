"""A person's own features as a problem: checked, cleaned with notes of what was done, and reduced where needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh

from theory.core.errors import DataError
from theory.distillation.features import from_features
from theory.distillation.own.tables import read_features
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats, Regression

FEWEST_ROWS = 200
ROWS_PER_FEATURE = 8
"""With fewer rows for each feature, population least squares fits the rows' noise: the truth is not identified."""
MOST_CLASSES = 50


def load(content: bytes, filename: str, params: Params) -> Regression:
    """A person's own features, perhaps with labels, as a problem; the rows are taken for the whole population.

    ``.csv``: columns of numbers, a column named y, label or target holds the labels. ``.npz``: an array ``features``
    and perhaps ``labels``. ``.npy``: features. Texts and whole numbers with 3 to 50 different values are classes, with
    one output each; without labels the truth is made up from ``params.signal_exponent``. Columns that do not vary and
    repeated rows are left out, and more columns than an eighth of the rows are reduced to that many principal
    directions; ``notes`` say so with numbers.

    Raises:
        DataError: the file is not usable; row and column are named.
    """
    table = read_features(content, filename)
    features, labels = table.features, table.labels
    given = table.names or ("",) * features.shape[1]
    names = tuple(name or f"column {number}" for number, name in enumerate(given, start=1))
    notes = [*table.notes]
    varies = np.ptp(features, axis=0) > 0
    if not varies.all():
        features = features[:, varies]
        names = tuple(name for name, kept in zip(names, varies, strict=True) if kept)
        notes.append(f"{int((~varies).sum())} columns with one value only were left out.")
    if features.shape[1] < 2:
        raise DataError("too_few_features", f"{features.shape[1]} columns vary; expected at least 2.")
    first = _first_of_each(features)
    if len(first) < len(features):
        notes.append(f"{len(features) - len(first)} repeated rows were left out.")
        features, labels = features[first], None if labels is None else labels[first]
    if len(features) < FEWEST_ROWS:
        raise DataError("too_few_rows", f"{len(features)} different rows; expected at least {FEWEST_ROWS}.")
    targets = None
    if labels is None:
        notes.append(f"No labels: the truth is made up, with signal exponent {params.signal_exponent:g}.")
    else:
        targets, said = _targets(labels)
        notes += said
    most = len(features) // ROWS_PER_FEATURE
    if features.shape[1] > most:
        columns = features.shape[1]
        features, kept = _principal(features, most)
        names = ()
        detail = f"{columns} columns for {len(first)} rows: reduced to {most} principal directions"
        notes.append(f"{detail}, which hold {100 * kept:.3g} % of the variance.")
    problem = from_features(
        features, targets, signal_exponent=params.signal_exponent, source=f"own features, {len(first):,} rows"
    )
    return replace(problem, feature_names=names, notes=(*notes, *problem.notes))


def _first_of_each(features: Floats) -> npt.NDArray[np.int64]:
    """Positions of the first of each group of equal rows, ascending."""
    whole = np.ascontiguousarray(features + 0.0)  # -0.0 and 0.0 differ in their bytes
    keys = whole.view(np.dtype((np.void, whole.dtype.itemsize * whole.shape[1]))).ravel()
    return np.sort(np.unique(keys, return_index=True)[1]).astype(np.int64)


def _targets(labels: npt.NDArray[Any]) -> tuple[Floats, list[str]]:
    """Labels as numbers (N, o): classes as one output each."""
    text = labels.dtype.kind in "US"
    if labels.ndim == 1 or text:
        values, place = np.unique(labels, return_inverse=True)
        if len(values) < 2:
            raise DataError("constant_labels", f"all labels are {values[0]!s}; expected at least 2 different ones.")
        if text and len(values) > MOST_CLASSES:
            found = f"the labels are {len(values)} different texts"
            raise DataError("too_many_classes", f"{found}; expected numbers or at most {MOST_CLASSES} classes.")
        whole = labels.dtype.kind in "iub" or (not text and bool((labels == np.round(labels)).all()))
        if text or (whole and 3 <= len(values) <= MOST_CLASSES):
            if place.ndim > 1:
                raise DataError("wrong_shape", f"text labels have shape {labels.shape}; expected one for each row.")
            return np.eye(len(values))[place], [f"{len(values)} classes, one output for each."]
    targets = labels.reshape(len(labels), -1).astype(np.float64)
    if not (np.ptp(targets, axis=0) > 0).any():
        raise DataError("constant_labels", "the labels do not vary.")
    return targets, []


def _principal(features: Floats, count: int) -> tuple[Floats, float]:
    """Coordinates (N, count) along the leading principal directions, and the share of the variance they hold."""
    centred = features - features.mean(axis=0)
    rows, columns = centred.shape
    wide = columns > rows
    gram = centred @ centred.T if wide else centred.T @ centred
    side = len(gram)
    solve = cast("Callable[..., tuple[Floats, Floats]]", eigh)
    values, vectors = solve(gram, subset_by_index=[side - count, side - 1], overwrite_a=True, check_finite=False)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    found = vectors * np.sqrt(values) if wide else centred @ vectors
    return np.ascontiguousarray(found), float(values.sum() / np.einsum("ij,ij->", centred, centred))
