"""One contract for every claim in the catalog: a new claim is tested from the moment it exists."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from theory.core import bench, catalog
from theory.core.parameters import specs
from theory.core.report import check_document, prediction_document
from theory.core.store import Store
from theory.core.vocabulary import Claim, Rival

CLAIMS = catalog.claims()
JUDGED = [claim for claim in CLAIMS if claim.kind != "observation"]
RIVALS = [(claim, rival) for claim in CLAIMS for rival in claim.rivals]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Raw results shared by all tests of this module: each training run happens once."""
    return Store(Path(tmp_path_factory.mktemp("store")))


def name(item: Claim | Rival) -> str:
    return item.id if isinstance(item, Claim) else item.name


def test_ids_are_unique() -> None:
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)


@pytest.mark.parametrize("claim", CLAIMS, ids=name)
def test_claim_is_fully_described(claim: Claim) -> None:
    fields = set(catalog.room_of(claim).Params.model_fields)
    assert claim.title and claim.statement and claim.latex and claim.source
    assert claim.uses <= fields and claim.experiment.uses <= fields and set(claim.defaults) <= fields
    assert claim.resolution > 0
    assert len({rival.name for rival in claim.rivals}) == len(claim.rivals)
    assert len(claim.rivals) == 0 if claim.kind == "observation" else len(claim.rivals) >= 2
    assert claim.kind == "observation" or claim.power, "measured false-alarm rate and power are documented"


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
def test_claim_stands_at_its_own_defaults(claim: Claim, store: Store) -> None:
    result = bench.check_claim(claim, catalog.parameters(claim), store=store)
    expected = "observed" if claim.kind == "observation" else "holds"
    assert result.verdict.status == expected, result.verdict.explanation
    json.dumps(check_document(result), allow_nan=False)
    assert result.measurement is not None
    for variable in set(result.prediction.data_vars) & set(result.measurement.data_vars):
        predicted, measured = result.prediction[variable].dims, result.measurement[variable].dims
        assert set(predicted) <= set(measured), f"{variable}: {predicted} against {measured}"


@pytest.mark.parametrize(("claim", "rival"), RIVALS, ids=name)
def test_rival_is_rejected_at_its_witness(claim: Claim, rival: Rival, store: Store) -> None:
    params = catalog.parameters(claim, rival.witness)
    result = bench.check_claim(claim, params, store=store)
    assert result.verdict.status == "holds", f"the claim itself at the witness: {result.verdict.explanation}"
    assert result.rivals[rival.name].status == "fails", result.rivals[rival.name].explanation


@pytest.mark.parametrize("claim", JUDGED, ids=name)
def test_a_prediction_off_by_twice_the_resolution_fails(claim: Claim, store: Store) -> None:
    def mutated(params: Any, problem: Any) -> Any:
        return claim.mutate(claim.predict(params, problem), 2 * claim.resolution)

    wrong = Rival("mutated", mutated, {}, "twice the resolution off")
    result = bench.check_claim(replace(claim, rivals=(wrong,)), catalog.parameters(claim), store=store)
    assert result.rivals["mutated"].status == "fails", result.rivals["mutated"].explanation


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
            assumptions = claim.assumptions(params, problem)
            prediction = claim.predict(params, problem)
            if all(assumption.holds for assumption in assumptions):
                for variable in prediction.data_vars.values():
                    values = variable.values
                    if values.dtype.kind == "f" and not variable.attrs.get("missing_allowed"):
                        assert not np.isnan(values).any(), f"{variable.name} at {spec.name} = {value}"
