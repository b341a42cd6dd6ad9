"""A person's covariances and tasks: the report against brute force, and every bad file a sentence."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from scipy.optimize import minimize

from theory.core.errors import BenchError
from theory.icl.low_rank import lora_risks, low_rank_risks
from theory.icl.optimum import independent_optimum, step_risk
from theory.icl.own.read import load
from theory.icl.own.report import lora_report, own_report
from theory.icl.parameters import Params
from theory.icl.problem import Regression


def covariance(seed: int, size: int = 3) -> np.ndarray:
    root = np.random.default_rng(seed).standard_normal((size, size))
    return root @ root.T + 0.1 * np.eye(size)


PROBLEM = Regression(covariance(0), covariance(1), covariance(2))


def test_the_step_has_the_risk_that_is_said_and_none_is_better() -> None:
    report = own_report(PROBLEM, 12, 0.3)
    assert np.isclose(report.risk, step_risk(report.preconditioner, PROBLEM, 12, 0.3))
    found = minimize(lambda w: float(step_risk(w.reshape(3, 3), PROBLEM, 12, 0.3)), np.zeros(9), tol=1e-10)
    assert np.isclose(found.fun, report.risk, rtol=1e-6)
    assert np.allclose(report.rank_risks, low_rank_risks(PROBLEM.spectrum[0], 12, 0.3))


def test_directions_build_the_preconditioner() -> None:
    report = own_report(PROBLEM, 12, 0.3)
    built = np.einsum("k,ki,kj->ij", report.weights, report.directions, report.directions)
    assert np.allclose(built, report.preconditioner)


def test_the_rank_keeps_the_wanted_share() -> None:
    for share in (0.5, 0.9, 1.0):
        report = own_report(PROBLEM, 12, 0.3, share)
        kept = (report.rank_risks[0] - report.rank_risks) / (report.rank_risks[0] - report.rank_risks[-1])
        assert kept[report.rank] >= share - 1e-12
        assert report.rank == 0 or kept[report.rank - 1] < share


def test_a_lora_update_has_its_risk_and_rank() -> None:
    from theory.icl.optimum import optimal_preconditioner

    fresh = Regression(PROBLEM.feature_covariance, PROBLEM.new_task_covariance, PROBLEM.new_task_covariance)
    old = optimal_preconditioner(PROBLEM, 12, 0.3)
    for share in (0.3, 0.8, 1.0):
        lora = lora_report(PROBLEM, 12, 0.3, share)
        assert np.linalg.matrix_rank(lora.update) == lora.rank
        assert np.isclose(step_risk(old + lora.update, fresh, 12, 0.3), lora.risks[lora.rank])
    # rank 1 by brute force
    best = min(
        minimize(
            lambda w: float(step_risk(old + np.outer(w[:3], w[3:]), fresh, 12, 0.3)),
            np.random.default_rng(seed).standard_normal(6),
            tol=1e-12,
        ).fun
        for seed in range(4)
    )
    assert np.isclose(best, lora_report(PROBLEM, 12, 0.3, 1.0).risks[1], rtol=1e-5)


def test_shared_directions_agree_with_the_room() -> None:
    problem = Regression(np.eye(3), np.diag([3.0, 1.0, 0.2]), np.diag([0.1, 1.0, 2.0]))
    lora = lora_report(problem, 12, 0.3, 1.0)
    assert np.allclose(lora.risks, lora_risks(np.array([3.0, 1.0, 0.2]), np.array([0.1, 1.0, 2.0]), 12, 0.3)[0])


def test_no_new_tasks_need_no_update() -> None:
    report = own_report(Regression(covariance(0), covariance(1), covariance(1)), 12, 0.3)
    assert report.lora.rank == 0
    assert not report.lora.update.any()


def test_singular_tasks_and_no_tasks_at_all() -> None:
    report = own_report(Regression(np.eye(3), np.diag([1.0, 1.0, 0.0]), np.zeros((3, 3))), 5, 0.0)
    assert np.isfinite(report.lora.update).all()
    assert report.rank == 2
    nothing = own_report(Regression(np.eye(3), np.zeros((3, 3)), np.zeros((3, 3))), 5, 0.0)
    assert nothing.risk == 0
    assert nothing.rank == 0


def tasks_file(tasks: int = 80, rows: int = 30, noise: float = 0.5, seed: int = 0) -> bytes:
    generator = np.random.default_rng(seed)
    lines = ["task,a,b,y"]
    for task in range(tasks):
        beta = generator.standard_normal(2) * [2.0, 0.5]
        for x in generator.standard_normal((rows, 2)):
            lines.append(f"{task},{x[0]},{x[1]},{x @ beta + noise * generator.standard_normal()}")
    return "\n".join(lines).encode()


def test_raw_tasks_are_judged_on_tasks_that_were_not_learnt_from() -> None:
    reports = [own_report(load(tasks_file(seed=seed), "own.csv", Params()), 15, 9.0) for seed in range(6)]
    for report in reports:
        assert abs(report.noise - 0.25) < 0.03
        assert report.held_out is not None
        assert report.held_out.tasks == 40
    # A held-out mean differs from its prediction by the spread of the tasks on both sides.
    gaps = [report.held_out.step[0] - report.held_out.predicted for report in reports if report.held_out]
    errors = [report.held_out.step[1] for report in reports if report.held_out]
    assert abs(np.mean(gaps)) < 4 * np.sqrt(2 * np.mean(np.square(errors)) / len(gaps))


def test_tasks_are_read_in_other_spellings() -> None:
    plain = load(tasks_file(), "own.csv", Params())
    commas = tasks_file().replace(b",", b";").replace(b".", b",")
    quoted = b"\n".join(b'"ward ' + line.replace(b",", b', north",', 1) for line in tasks_file().split(b"\n")[1:])
    for content in (commas, b"Task,a,b,Y\n" + quoted):
        assert np.array_equal(load(content, "own.csv", Params()).task_covariance, plain.task_covariance)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b,y\n1,2,3", "wrong_columns: the header is a, b, y"),
        (b"task,y\n1,2", "wrong_columns"),
        (b"task,a,y\n1,2,inf", "missing_values: column y, row 1 has no finite number"),
        (b"task,a,y\n1,2", "wrong_shape"),
        (b"1,0\n0,x", "row 2, column 2 is 'x'"),
        (b"1,0\n0", "row 2 of the table has 1 entries"),
        (b"1,0,0\n0,1,0", "covariance_shape"),
        (b"1,nan\nnan,1", "covariance_not_finite"),
        (b",".join([b"1"] * 203), "203 columns"),
    ],
)
def test_unusable_tables_are_sentences(content: bytes, said: str) -> None:
    with pytest.raises(BenchError, match=said):
        load(content, "own.csv", Params())


@pytest.mark.parametrize("matrix", [[["0.5", 0], [0, 1]], [[False, 0], [0, 1]], [[10**400, 0], [0, 1]]])
def test_only_numbers_are_numbers(matrix: list[list[object]]) -> None:
    with pytest.raises(BenchError, match="not_numbers: row 1 has"):
        load(json.dumps({"task_covariance": matrix}).encode(), "own.json", Params())


def test_the_law_that_was_drawn_is_found_by_the_known_optimum() -> None:
    report = own_report(load(tasks_file(tasks=600), "own.csv", Params()), 15, 0.0)
    exact = float(independent_optimum([4.0, 0.25], 15, 0.25).risk)
    assert abs(report.risk / exact - 1) < 0.15


@pytest.mark.parametrize(
    ("n", "noise", "share", "said"),
    [
        (0, 0.1, 0.9, "context_length = 0"),
        (10**6, 0.1, 0.9, "context_length = 1000000"),
        (10, -1.0, 0.9, "noise_variance = -1.0"),
        (10, float("nan"), 0.9, "noise_variance = nan"),
        (10, 0.1, 0.0, "share = 0.0"),
        (10, 0.1, 1.5, "share = 1.5"),
    ],
)
def test_numbers_out_of_range_are_refused(n: int, noise: float, share: float, said: str) -> None:
    with pytest.raises(BenchError, match=said):
        own_report(PROBLEM, n, noise, share)


def test_prompts_longer_than_tasks_are_refused() -> None:
    with pytest.raises(BenchError, match=r"context_length = 30: tasks have at most 30 rows; expected 1 to 29"):
        own_report(load(tasks_file(), "own.csv", Params()), 30, 0.0)


def packed(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def saved(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_covariances_come_in_four_formats() -> None:
    features, tasks = covariance(0), covariance(1)
    asked = {"feature_covariance": features, "task_covariance": tasks}
    found = [
        load(packed(**asked), "own.npz", Params()),
        load(saved(np.stack([features, tasks])), "own.npy", Params()),
        load(json.dumps({name: table.tolist() for name, table in asked.items()}).encode(), "own.json", Params()),
    ]
    for problem in found:
        assert np.allclose(problem.feature_covariance, features)
        assert np.allclose(problem.task_covariance, tasks)
    rows = "\n".join(",".join(f"{value!r}" for value in row) for row in tasks.tolist())
    assert np.allclose(load(rows.encode(), "own.csv", Params()).task_covariance, tasks)


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"\x93NUMPYxxxx", "own.npy", "not in NumPy's format"),
        (b"PK\x03\x04broken", "own.npz", "not a NumPy archive"),
        (saved(np.eye(3))[:-8], "own.npy", "damaged"),
        (saved(np.array([object()])), "own.npy", "never unpickled"),
        (saved(np.zeros(3)), "own.npy", r"shape \(3,\); expected \(d, d\)"),
        (packed(weird=np.eye(2)), "own.npz", "found weird; expected feature_covariance"),
        (
            packed(feature_covariance=np.zeros((2, 2))),
            "own.npz",
            "feature_covariance has the smallest eigenvalue 0; expected more than 0",
        ),
        (packed(task_covariance=-np.eye(2)), "own.npz", "task_covariance has the eigenvalue -1; expected at least 0"),
    ],
)
def test_unusable_arrays_are_sentences(content: bytes, name: str, said: str) -> None:
    with pytest.raises(BenchError, match=said):
        load(content, name, Params())
