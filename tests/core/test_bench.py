"""The flow from parameters to a verdict, on a room small enough to know every answer."""

from dataclasses import replace

import numpy as np
import pytest
from xarray import Dataset

from tests import toy
from theory.core import bench, catalog, keys
from theory.core.errors import BenchError, Cancelled, ParameterError
from theory.core.parameters import Undeclared
from theory.core.store import Store


@pytest.fixture(autouse=True)
def room(monkeypatch):
    toy.install(monkeypatch)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_seeds_replicate_the_randomness(store):
    result = bench.check("heads", 6, store=store)
    assert result.verdict.status == "holds"
    assert result.raw.sizes == {"seed": 6}
    assert result.measurement["heads"].dims == result.prediction["heads"].dims == ()
    assert result.measurement["heads_se"].attrs == {"dof": 5, "replicates": 6}
    assert len(result.instances) == 1
    assert result.computed == 6
    assert result.params.flips == 500


def test_more_seeds_run_only_the_new_ones_and_equal_requests_none(store):
    bench.check("heads", 4, store=store)
    bench.check("heads", 8, store=store)
    bench.check("heads", 8, store=store)
    assert toy.runs == [4, 4]


def test_claims_share_an_experiment_and_unused_parameters_do_not_enter(store):
    bench.check("heads", 4, store=store)
    bench.check("seen", 4, store=store, flips=500)
    assert toy.runs == [4]
    bench.check("heads", 4, store=store, p=0.6)
    assert toy.runs == [4, 4]


def test_rivals_are_judged_on_the_same_raw_data(store):
    result = bench.check("heads", 6, store=store)
    assert result.rivals["too many"].status == "fails"
    assert result.rivals["too many"].checks[0].check.deviation == pytest.approx(
        result.verdict.checks[0].check.deviation - 0.4
    )
    assert toy.runs == [6]
    assert bench.check("heads", 6, store=store, rivals=False).rivals == {}


def test_a_rival_is_rejected_at_its_witness(store):
    for claim in (toy.HEADS, toy.IDENTITY):
        assert all(bench.check_rival(claim, rival, 6, store=store).status == "fails" for rival in claim.rivals)


def test_instances_outside_the_assumptions_are_counted_not_judged(store):
    result = bench.check("identity", 8, store=store)
    statuses = [instance.verdict.status for instance in result.instances]
    assert result.verdict.status == "holds"
    assert set(statuses) == {"holds", "outside_assumptions"}
    assert statuses.count("holds") >= 4
    assert result.computed == statuses.count("holds")
    assert result.raw.sizes["seed"] == statuses.count("holds")
    assert "outside the assumptions" in result.verdict.explanation


def test_at_least_four_instances_are_judged(store):
    result = bench.check("identity", 1, store=store)
    assert sum(instance.verdict.status == "holds" for instance in result.instances) == 4


def test_given_data_are_one_instance(store):
    result = bench.check("identity", 8, store=store, values=[1.0, 2.0, 4.0])
    assert result.verdict.status == "holds"
    assert "this one data set" in result.verdict.explanation
    problem = toy.Numbers(np.array([1.0, 2.0]))
    assert bench.check("identity", 8, store=store, problem=problem).shown.problem is problem


def test_outside_the_assumptions_the_numbers_are_still_shown(store):
    result = bench.check("identity", 8, store=store, values=[-1.0, -2.0])
    assert result.verdict.status == "outside_assumptions"
    assert result.verdict.checks[0].status == "holds"
    assert float(result.measurement["variance"]) == pytest.approx(0.25)
    assert bench.check("heads", 4, store=store, p=1.0).verdict.status == "outside_assumptions"


def test_observations_are_observed(store):
    assert bench.check("seen", 4, store=store).verdict.status == "observed"
    result = bench.check_claim(replace(toy.IDENTITY, kind="observation"), toy.Params(), store=store, rivals=False)
    assert result.verdict.status == "observed"
    assert result.verdict.checks


def test_a_diverged_replicate_is_not_run_with_its_reason(store):
    result = bench.check("heads", 4, store=store, mode="diverge")
    assert (result.verdict.status, result.verdict.explanation) == ("not_run", "Seed 2 diverged at step 7.")
    assert result.raw.sizes["seed"] == 3
    assert result.measurement is None
    assert bench.check("heads", 2, store=store, mode="diverge").verdict.status == "inconclusive"


def test_out_of_memory_and_missing_devices_are_not_run(store):
    result = bench.check("heads", 4, store=store, mode="memory")
    assert (result.verdict.status, result.verdict.explanation) == ("not_run", "Not run: out of memory.")
    assert result.measurement is None
    result = bench.check("heads", 4, store=store, device="cuda:99")
    assert (result.verdict.status, result.verdict.explanation) == (
        "not_run",
        "Not run: this machine has no device cuda:99.",
    )


@pytest.mark.parametrize("device", ["tpu", "", "cuda:x", "CPU"])
def test_unknown_devices_are_refused(store, device):
    with pytest.raises(ParameterError, match="device"):
        bench.check("heads", 4, store=store, device=device)


@pytest.mark.parametrize("seeds", [0, -1, 10_001])
def test_seeds_are_bounded(store, seeds):
    with pytest.raises(ParameterError, match="seeds"):
        bench.check("heads", seeds, store=store)


def test_moving_on_cancels_and_keeps_nothing(store):
    seen = []
    with pytest.raises(Cancelled):
        bench.check("heads", 4, store=store, emit=lambda fraction, partial: seen.append(fraction), stop=lambda: True)
    assert seen == [0.5]
    assert bench.check("heads", 4, store=store).computed == 4


def test_damage_is_said(store):
    bench.check("heads", 4, store=store)
    next(store.path.rglob("*.nc")).write_bytes(b"damaged")
    assert bench.check("heads", 4, store=store).notes == ("One stored result was damaged on disk and computed again.",)


def test_predict_takes_papers_names_and_data():
    assert float(bench.predict("heads", p=0.25)["heads"]) == 0.25
    assert float(bench.predict("identity", toy.Numbers(np.array([0.0, 2.0])))["variance"]) == 1.0


def test_the_catalog_names_what_it_expects():
    assert catalog.claim("heads") is toy.HEADS
    assert catalog.room_of(toy.SEEN) is toy.ROOM
    with pytest.raises(BenchError, match="claim = head is not known: expected one of heads"):
        catalog.claim("head")
    with pytest.raises(ParameterError, match="size = 40 is not allowed: expected a value from 2 to 20"):
        catalog.parameters(toy.HEADS, {"size": 40, "flips": 20})


def test_changed_code_never_answers_from_old_results(store, monkeypatch):
    bench.check("heads", 4, store=store)
    monkeypatch.setattr(keys, "code_fingerprint", lambda made_by: "changed")
    bench.check("heads", 4, store=store)
    assert toy.runs == [4, 4]


def test_an_exact_identity_needs_no_experiment(store):
    def by_hand(params, problem, raw):
        assert not raw.data_vars
        return Dataset({"variance": float(np.mean((problem.values - problem.values.mean()) ** 2))})

    exact = replace(toy.IDENTITY, experiment=None, measure=by_hand)
    result = bench.check_claim(exact, toy.Params(), store=store)
    assert (result.verdict.status, result.computed, toy.runs) == ("holds", 0, [])
    assert result.rivals["unbiased"].status == "fails"


def test_what_is_not_declared_cannot_be_read(store):
    def peeks(params, problem):
        return Dataset({"heads": params.probability + params.size})

    def assumes(params, problem):
        return (*toy.fair(params, problem), params.size)

    for changed in ({"predict": peeks}, {"assumptions": assumes}):
        with pytest.raises(Undeclared, match="heads reads the parameter size"):
            bench.check_claim(replace(toy.HEADS, **changed), toy.Params(), store=store)
    narrow = replace(toy.COIN, uses=frozenset({"probability", "mode"}))
    with pytest.raises(Undeclared, match="coin reads the parameter flips"):
        bench.check_claim(replace(toy.HEADS, experiment=narrow), toy.Params(), store=store)


@pytest.mark.parametrize("spelling", ["heads", "toy/heads", "toy-heads", "toy/toy-heads"])
def test_ids_are_short_while_unique(spelling):
    assert catalog.claim(spelling) is toy.HEADS
    assert catalog.canonical_id(toy.HEADS) == "toy/heads"


def test_an_ambiguous_id_is_refused_with_the_canonical_ones(monkeypatch):
    twin = replace(toy.ROOM, id="twin", claims=(replace(toy.HEADS, title="twin"),))
    monkeypatch.setattr(catalog, "room_ids", lambda: ("toy", "twin"))
    monkeypatch.setattr(catalog, "room", {"toy": toy.ROOM, "twin": twin}.__getitem__)
    with pytest.raises(BenchError, match="claim = heads is not unique: expected toy/heads or twin/heads"):
        catalog.claim("heads")
    assert catalog.claim("twin/heads").title == "twin"
