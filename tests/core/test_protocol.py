"""One contract for every claim in the catalog: a new claim is tested from the moment it exists."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from theory.core import bench, catalog
from theory.core.compare import ALLOWANCE, STANDARD_ERROR, shared_variables
from theory.core.instances import judge_all
from theory.core.parameters import restricted, specs
from theory.core.report import check_document, prediction_document
from theory.core.store import Store
from theory.core.vocabulary import AnyClaim as Claim
from theory.core.vocabulary import AnyRival as Rival
from widgets.kit.claim_picture import picture_of

pytestmark = pytest.mark.slow

CLAIMS = catalog.claims()
JUDGED = [claim for claim in CLAIMS if claim.kind != "observation"]
RIVALS = [(claim, rival) for claim in CLAIMS for rival in claim.rivals]


LONGEST_SHORT = 22
Checked = Callable[..., bench.Result]


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    """Checks of this module, each done once: a claim at its own defaults or at a witness, all rivals judged."""
    store, done = Store(Path(tmp_path_factory.mktemp("store"))), dict[tuple[str, str], bench.Result]()

    def check(claim: Claim, witness: Mapping[str, object] | None = None) -> bench.Result:
        key = claim.id, repr(witness or {})
        if key not in done:
            done[key] = bench.check_claim(claim, catalog.parameters(claim, witness), store=store)
        return done[key]

    return check


def name(item: Claim | Rival) -> str:
    return item.name if hasattr(item, "slip") else getattr(item, "id", "")


def test_ids_are_unique() -> None:
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)


@pytest.mark.parametrize("claim", CLAIMS, ids=name)
def test_claim_is_fully_described(claim: Claim) -> None:
    fields = set(catalog.room_of(claim).Params.model_fields)
    assert claim.title and claim.statement and claim.latex and claim.source
    assert claim.reads <= fields and set(claim.defaults) <= fields
    assert 0 < len(claim.short) <= LONGEST_SHORT
    assert claim.resolution > 0
    assert len({rival.name for rival in claim.rivals}) == len(claim.rivals)
    assert len(claim.rivals) == 0 if claim.kind == "observation" else len(claim.rivals) >= 2
    assert claim.kind == "observation" or claim.power, "measured false-alarm rate and power are documented"


@pytest.mark.parametrize("claim", CLAIMS, ids=name)
def test_symbols_of_the_formula_are_explained(claim: Claim) -> None:
    home = catalog.room_of(claim)
    params: Any = catalog.parameters(claim)
    known = set(home.Params.model_fields) | set(claim.predict(params, home.draw(params, params.data_seed)).variables)
    assert claim.symbols or home.symbols
    assert all(symbol in claim.latex for symbol in claim.symbols)
    for symbol in (claim.symbols | home.symbols).values():
        assert symbol.means
    assert {symbol.name for symbol in claim.symbols.values()} - {""} <= known


@pytest.mark.parametrize("claim", CLAIMS, ids=name)
def test_what_is_predicted_is_measured_under_the_same_name(claim: Claim, checked: Checked) -> None:
    result = checked(claim)
    prediction, measured = result.prediction, result.measurement
    assert measured is not None
    judged = shared_variables(prediction, measured)
    assert judged, "nothing that is predicted is measured"
    for variable in judged:
        assert prediction[variable].dims == measured[variable].dims
        assert prediction[variable].shape == measured[variable].shape
        if (error := variable + STANDARD_ERROR) in measured:
            assert measured[error].dims == measured[variable].dims
    companions = {name.removesuffix(ALLOWANCE) for name in map(str, prediction.data_vars) if name.endswith(ALLOWANCE)}
    assert companions <= set(prediction.data_vars), "an allowance belongs to a variable"
    silent = {name for name in map(str, prediction.data_vars) if not name.endswith(ALLOWANCE)} - set(judged)
    unexplained = {name for name in silent if not prediction[name].attrs.get("not_measured")}
    assert not unexplained, f"neither measured nor said why not: {', '.join(sorted(unexplained))}"


@pytest.mark.parametrize("claim", CLAIMS, ids=name)
def test_prediction_is_reproducible_and_writable_as_json(claim: Claim) -> None:
    params: Any = catalog.parameters(claim)
    problem = catalog.room_of(claim).draw(params, params.data_seed)
    first, second = claim.predict(params, problem), claim.predict(params, problem)
    assert first.identical(second)
    document = prediction_document(claim, params, claim.assumptions(params, problem), first)
    text = json.dumps(document, allow_nan=False)
    assert json.loads(text)["claim"] == claim.id


@pytest.mark.parametrize("claim", CLAIMS, ids=name)
def test_claim_stands_at_its_own_defaults(claim: Claim, checked: Checked) -> None:
    result = checked(claim)
    expected = "observed" if claim.kind == "observation" else "holds"
    assert result.verdict.status == expected, result.verdict.explanation
    json.dumps(check_document(result), allow_nan=False)


@pytest.mark.parametrize(("claim", "rival"), RIVALS, ids=name)
def test_rival_is_rejected_at_its_witness(claim: Claim, rival: Rival, checked: Checked) -> None:
    result = checked(claim, rival.witness)
    assert result.verdict.status == "holds", f"the claim itself at the witness: {result.verdict.explanation}"
    assert result.rivals[rival.name].status == "fails", result.rivals[rival.name].explanation


@pytest.mark.parametrize("claim", JUDGED, ids=name)
def test_a_prediction_off_by_twice_the_resolution_fails(claim: Claim, checked: Checked) -> None:
    def mutated(params: Any, problem: Any) -> Any:
        return claim.mutate(claim.predict(params, problem), 2 * claim.resolution)

    found = checked(claim)
    _, verdict = judge_all(claim, found.params, found.instances, len(found.instances), mutated)
    assert verdict.status == "fails", verdict.explanation


@pytest.mark.parametrize("claim", CLAIMS, ids=name)
def test_slider_ends_neither_crash_nor_give_nan(claim: Claim) -> None:
    home = catalog.room_of(claim)
    base: Any = catalog.parameters(claim)
    for spec in specs(home.Params):
        if spec.kind == "array":
            continue
        low, high = home.bounds(base).get(spec.name, (spec.low, spec.high))
        for value in spec.choices or (low, high):
            cast = int(value) if spec.kind == "integer" else value
            try:
                params: Any = catalog.parameters(claim, {spec.name: cast})
            except catalog.ParameterError as error:
                assert error.parameter in str(error)
                continue
            problem = home.draw(params, params.data_seed)
            visible = restricted(params, claim.uses, claim.id)
            assumptions = claim.assumptions(visible, problem)
            prediction = claim.predict(visible, problem)
            if all(assumption.holds for assumption in assumptions):
                for variable in prediction.data_vars.values():
                    values = variable.values
                    if values.dtype.kind == "f" and not variable.attrs.get("missing_allowed"):
                        assert not np.isnan(values).any(), f"{variable.name} at {spec.name} = {value}"


@pytest.mark.parametrize("claim", CLAIMS, ids=name)
def test_the_picture_shows_the_numbers_of_the_verdict(claim: Claim, checked: Checked) -> None:
    result = checked(claim)
    measured = result.measurement
    assert measured is not None
    picture = picture_of(result)
    go.Figure(picture.to_dict())  # every property is one that Plotly knows
    predicted, found = (
        np.unique(
            np.concatenate(
                [np.ravel(data[v].values).astype(float) for v in shared_variables(result.prediction, measured)]
            )
        )
        for data in (result.prediction, measured)
    )
    traces = {kind: [t for t in picture.data if t.name.startswith(kind)] for kind in ("predicted", "measured")}
    assert traces["predicted"] and traces["measured"]
    for trace in traces["predicted"]:
        assert np.isin(np.asarray(trace.y, dtype=float), predicted).all()
    for trace in traces["measured"]:
        values = np.asarray(trace.y, dtype=float)
        assert np.isin(values[np.isfinite(values)], found).all()
    assert len(picture.layout.meta["alt"]) > 40
