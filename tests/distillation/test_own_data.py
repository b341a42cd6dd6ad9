"""A person's own features: what is read, what is refused, what the report says."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.core.errors import BenchError, DataError, ParameterError
from theory.distillation.features import from_features
from theory.distillation.own.read import load
from theory.distillation.own.report import feature_report
from theory.distillation.own.tables import MOST_BYTES
from theory.distillation.parameters import Params

GENERATOR = np.random.default_rng(0)
FEATURES = (GENERATOR.standard_normal((400, 10)) * np.arange(1, 11) ** -0.5).round(4)
LABELS = (FEATURES @ np.arange(10) + GENERATOR.standard_normal(400)).round(4)
PARAMS = Params()


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def csv(rows: Any, header: str = "", delimiter: str = ",") -> bytes:
    lines = [delimiter.join(str(cell) for cell in row) for row in rows]
    return "\n".join(([header] if header else []) + lines).encode()


NAMES = ",".join(f"f{i}" for i in range(10))
LABELLED = np.column_stack([FEATURES, LABELS])


@pytest.mark.parametrize(
    ("content", "filename", "labelled"),
    [
        (csv(FEATURES), "a.csv", False),
        (csv(FEATURES, NAMES), "a.csv", False),
        (csv(LABELLED, NAMES + ",y"), "a.csv", True),
        (csv(LABELLED, NAMES + ",Target"), "A.CSV", True),
        (csv(LABELLED, NAMES.replace(",", ";") + ";label", ";").replace(b".", b","), "a.csv", True),
        (csv(LABELLED, "# made by hand\n\n" + NAMES.replace(",", "\t") + "\ty", "\t"), "a.tsv", True),
        (csv(FEATURES, "", "  "), "a.txt", False),
        (csv([(i, *row) for i, row in enumerate(FEATURES.tolist())], "," + NAMES), "pandas.csv", False),
        (npy(FEATURES), "a.npy", False),
        (npy(np.asfortranarray(FEATURES)), "a.npy", False),
        (npz(features=FEATURES, labels=LABELS), "a.npz", True),
        (npz(X=FEATURES, y=LABELS[:, None]), "a.npz", True),
        (npz(whatever=FEATURES), "a.npz", False),
    ],
)
def test_features_are_read(content: bytes, filename: str, labelled: bool) -> None:
    problem = load(content, filename, PARAMS)
    expected = from_features(FEATURES, LABELS if labelled else None)
    assert np.allclose(problem.eigenvalues, expected.eigenvalues) and np.allclose(problem.signal, expected.signal)
    assert (problem.targets is None) is not labelled
    assert any("No labels" in note for note in problem.notes) is not labelled


def test_classes_become_outputs() -> None:
    names = np.array(["ant", "bee", "cat"])[np.argsort(FEATURES[:, :3], axis=1)[:, 0]]
    text = load(csv(np.column_stack([FEATURES.astype(str), names]), NAMES + ",label"), "a.csv", PARAMS)
    number = load(npz(features=FEATURES, labels=np.unique(names, return_inverse=True)[1]), "a.npz", PARAMS)
    assert text.targets is not None and text.targets.shape == (400, 3) and "3 classes" in text.notes[0]
    assert number.targets is not None and np.allclose(text.targets, number.targets)
    assert np.allclose(text.targets.mean(axis=0), 0)
    binary = load(npz(features=FEATURES, labels=LABELS > 0), "a.npz", PARAMS)
    assert binary.targets is not None and binary.targets.shape == (400, 1)


def test_cleaning_is_counted() -> None:
    table = np.column_stack([np.vstack([FEATURES, FEATURES[:7]]), np.full(407, 3.0)])
    problem = load(csv(table, NAMES + ",same"), "a.csv", PARAMS)
    assert problem.features is not None and problem.features.shape == (400, 10)
    assert problem.feature_names == tuple(NAMES.split(","))
    assert "1 columns with one value" in problem.notes[0] and "7 repeated rows" in problem.notes[1]


@pytest.mark.parametrize("columns", [80, 900])
def test_too_many_columns_are_reduced(columns: int) -> None:
    wide = np.random.default_rng(0).standard_normal((400, columns)) * np.arange(1, columns + 1) ** -1.0
    problem = load(npy(wide), "a.npy", PARAMS)
    assert problem.n_features == 50 and any("50 principal directions" in note for note in problem.notes)
    whole = np.linalg.eigvalsh(np.cov(wide.T, bias=True))[::-1][:50]
    assert np.allclose(problem.eigenvalues, whole / whole.sum())


class Trap:
    def __reduce__(self) -> Any:
        raise AssertionError("a file was unpickled")


def damaged() -> bytes:
    return npy(FEATURES)[:-8]


def huge_header() -> bytes:
    return npy(FEATURES).replace(b"(400, 10), }", b"(4000000, 100000), }")


def bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("features.npy", bytes(MOST_BYTES + 1))
    return file.getvalue()


def with_cell(row: int, column: int, value: object) -> bytes:
    table = FEATURES.astype(object)
    table[row, column] = value
    return csv(table, NAMES)


@pytest.mark.parametrize("start", [0, 1])
def test_row_numbers_are_left_out_with_a_note(start: int) -> None:
    numbered = np.column_stack([np.arange(400) + start, FEATURES]).astype(object)
    problem = load(csv(numbered, "," + NAMES), "a.csv", PARAMS)
    assert problem.feature_names == tuple(NAMES.split(","))
    assert problem.notes[0] == "A column of row numbers was left out."


def test_texts_and_missing_labels() -> None:
    names = np.where(FEATURES[:, 0] > 0, "big", "small").astype(object)
    names[4] = "NA"
    with pytest.raises(DataError, match="column 1 of the labels, row 5 has no finite number or text; 1 rows"):
        load(csv(np.column_stack([FEATURES.astype(object), names]), NAMES + ",y"), "a.csv", PARAMS)
    yes = np.where(FEATURES[:, 0] > 0, "True", "False").astype(object)
    problem = load(csv(np.column_stack([FEATURES.astype(object), yes]), NAMES + ",y"), "a.csv", PARAMS)
    assert problem.targets is not None
    assert problem.targets.shape == (400, 1)


@pytest.mark.parametrize(
    ("content", "filename", "code", "said"),
    [
        (b"", "a.csv", "upload_empty", ""),
        (b"\x00\x01\x02\x03" * 50, "a.csv", "upload_binary", ""),
        (with_cell(16, 2, "tall"), "a.csv", "not_numbers", "column f2, row 17 is 'tall'"),
        (with_cell(4, 9, ""), "a.csv", "missing_values", "column f9, row 5"),
        (with_cell(4, 9, "NaN"), "a.csv", "missing_values", "1 rows"),
        (with_cell(4, 3, "inf"), "a.csv", "missing_values", "column f3, row 5"),
        (csv(FEATURES) + b"\n1,2,3,4,5,6,7,8,9,10,11", "a.csv", "wrong_shape", "line 401"),
        (csv(FEATURES[:150]), "a.csv", "too_few_rows", "150 different rows"),
        (csv(np.tile(FEATURES[:10], (40, 1))), "a.csv", "too_few_rows", "10 different rows"),
        (csv(np.ones((300, 3))), "a.csv", "too_few_features", "0 columns"),
        (csv(FEATURES[:, :1]), "a.csv", "too_few_features", "1 columns"),
        (csv(LABELS[:, None], "y"), "a.csv", "wrong_shape", "no column of features"),
        (csv(np.column_stack([FEATURES, np.ones(400)]), NAMES + ",y"), "a.csv", "constant_labels", ""),
        (npz(features=FEATURES, labels=LABELS[:300]), "a.npz", "rows_mismatch", "400 rows"),
        (npz(features=FEATURES, labels=np.arange(400).astype(str)), "a.npz", "too_many_classes", "400 different"),
        (npz(a=FEATURES, b=FEATURES), "a.npz", "wrong_shape", "named features"),
        (
            npz(features=FEATURES, labels=np.full(400, np.nan)),
            "a.npz",
            "missing_values",
            "column 1 of the labels, row 1",
        ),
        (
            npz(features=np.array([[Trap()]], dtype=object).astype(object).repeat(300, 0)[:0]),
            "a.npz",
            "not_numbers",
            "",
        ),
        (npy(LABELS), "a.npy", "wrong_shape", "(400,)"),
        (npy(FEATURES.astype(np.complex128)), "a.npy", "not_numbers", "complex128"),
        (npy(FEATURES.astype(str)), "a.npy", "not_numbers", ""),
        (damaged(), "a.npy", "upload_binary", "damaged"),
        (huge_header(), "a.npy", "upload_binary", "damaged"),
        (b"PK\x03\x04 nonsense", "a.npz", "upload_binary", ""),
        (bomb(), "a.npz", "upload_too_large", "unpacked"),
        (b"\x93NUMPY", "a.npy", "upload_binary", ""),
    ],
)
def test_bad_files_are_refused_by_name(content: bytes, filename: str, code: str, said: str) -> None:
    with pytest.raises(DataError) as raised:
        load(content, filename, PARAMS)
    assert raised.value.code == code and said in str(raised.value), raised.value


def test_files_that_are_too_large_are_not_read() -> None:
    with pytest.raises(DataError, match="upload_too_large"):
        load(bytes(MOST_BYTES + 1), "a.csv", PARAMS)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["a.csv", "a.npy", "a.npz", "a"]))
def test_arbitrary_bytes_are_refused_with_a_sentence(content: bytes, filename: str) -> None:
    for start in (b"", b"\x93NUMPY\x01\x00", b"1,2\n"):
        with pytest.raises(BenchError):
            load(start + content, filename, PARAMS)


def test_the_report() -> None:
    generator = np.random.default_rng(3)
    features = generator.standard_normal((2000, 60)) * np.arange(1, 61) ** -0.8
    problem = from_features(features, features @ generator.standard_normal(60) + generator.standard_normal(2000))
    report = feature_report(problem, 40, trials=40)
    assert report.rank == 60 and report.n_rows == 2000 and report.population_is_large and all(report.reliable)
    assert report.predicted.shape == report.measured.shape == (len(report.sizes), 4)
    # Gaussian rows with linear labels: the formula's own finite-size error, of order 1 / n_free, at n_free above 10.
    judged = report.sizes >= 20
    deviation = np.abs(report.measured / report.predicted - 1)[judged]
    assert (deviation < 0.15 + 4 * (report.standard_error / report.predicted)[judged]).all()
    actions = [item.action for item in report.advice]
    assert actions[0] == "amplify" or report.advice[0].factor < 1.01
    assert actions.index("drop") > actions.index("amplify") and set(actions[actions.index("drop") :]) == {"drop"}
    assert report.advice[0].column == "column 1" and report.n_samples == 40 and "40 samples" in report.summary


def test_the_report_refuses_what_it_cannot_say() -> None:
    with pytest.raises(DataError, match="no_interpolation_gap"):
        feature_report(from_features(FEATURES[:, :4]))
    with pytest.raises(ParameterError, match="n_samples"):
        feature_report(from_features(FEATURES), 10)
    problem = from_features(FEATURES)
    bare = type(problem)(problem.eigenvalues, problem.signal, problem.surrogate, problem.eigenvalues)
    with pytest.raises(DataError, match="no_features"):
        feature_report(bare)
