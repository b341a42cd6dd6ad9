"""Documents: strict JSON with the names that users rely on, and commands that reproduce."""

import json
import shlex

import numpy as np
import pytest
from xarray import Dataset

from tests import toy
from theory.cli.options import parser, request
from theory.core import bench, catalog, report
from theory.core.store import Store


@pytest.fixture(autouse=True)
def room(monkeypatch):
    toy.install(monkeypatch)


@pytest.fixture
def checked(tmp_path):
    return lambda claim, seeds=4, **values: bench.check(claim, seeds, store=Store(tmp_path / "store"), **values)


def strict(document):
    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(report.to_json(document), parse_constant=refuse)


def test_a_prediction(checked):
    params = catalog.parameters(toy.HEADS, {"p": 0.25})
    problem = toy.draw(params, 0)
    document = strict(
        report.prediction_document(toy.HEADS, params, toy.fair(params, problem), toy.HEADS.predict(params, problem))
    )
    assert set(document) == {"claim", "id", "params", "assumptions", "prediction"}
    assert document["params"]["probability"] == 0.25
    assert document["params"]["values"] is None
    assert document["assumptions"] == [{"name": "not a certain coin", "holds": True, "detail": "p = 0.25"}]
    assert document["prediction"]["heads"] == {
        "dims": [],
        "values": 0.25,
        "units": "1",
        "long_name": "share of heads",
        "spec_name": "p_hat",
    }
    assert document["prediction"]["bound"]["values"] == ["inf", None]


def test_arrays_of_every_kind():
    dataset = Dataset(
        {"names": ("i", np.array(["a", "β"])), "flags": ("i", np.array([True, False])), "n": ("i", np.array([1, 2]))},
        coords={"i": [-np.inf, 0.5]},
    )
    document = strict(report.dataset_document(dataset))
    assert {name: entry["values"] for name, entry in document.items()} == {
        "i": ["-inf", 0.5],
        "names": ["a", "β"],
        "flags": [True, False],
        "n": [1, 2],
    }


@pytest.mark.parametrize(
    ("claim", "values"), [("heads", {}), ("identity", {}), ("seen", {}), ("heads", {"mode": "memory"})]
)
def test_a_check(checked, claim, values):
    result = checked(claim, **values)
    document = strict(report.check_document(result))
    assert {"claim", "params", "assumptions", "prediction", "measurement", "verdict", "rivals", "seeds"} <= set(
        document
    )
    assert set(document["verdict"]) == {"status", "explanation", "checks"}
    assert document["verdict"]["status"] == result.verdict.status
    assert len(document["instances"]) == len(result.instances)
    assert (document["measurement"] is None) == ("mode" in values)
    for check in document["verdict"]["checks"]:
        assert {"name", "deviation", "standard_error", "dof", "allowance", "resolution", "margin", "status"} <= set(
            check
        )


def test_claim_json_says_what_is_needed_to_repeat_it(checked):
    document = strict(report.claim_document(checked("heads", 6)))
    assert document["packages"]["numpy"] == np.__version__
    assert len(document["data"]) == 64
    assert document["verdict"]["status"] == "holds"
    assert document["rivals"] == {"too many": "fails"}


@pytest.mark.parametrize(
    ("claim", "values"),
    [
        ("heads", {}),
        ("heads", {"p": 0.7, "flips": 1000, "data_seed": 5}),
        ("identity", {"x": [0.1, 2.5]}),
        ("heads", {"mode": "diverge"}),
        ("identity", {"x": [0.125] * 1000}),
    ],
)
def test_the_command_asks_for_the_same(checked, tmp_path, monkeypatch, claim, values):
    monkeypatch.chdir(tmp_path)
    result = checked(claim, 5, **values)
    command = report.reproduce_command(result)
    (tmp_path / "claim.json").write_text(report.to_json(report.claim_document(result)))
    words = shlex.split(command)
    assert words[:3] == ["theory", "check", claim]
    assert len(command) < 2000
    asked = request(parser().parse_args(words[1:]))
    assert asked.params == result.params
    assert asked.seeds == 5


def test_given_data_are_asked_for_again(checked):
    command = report.reproduce_command(checked("identity", problem=toy.Numbers(np.ones(3))), data_file="my data.txt")
    assert "--data 'my data.txt'" in command
