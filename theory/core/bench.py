"""From parameters to a verdict: assumptions, prediction, experiment (through the store), checks, judgement.

Notebooks, the command line and the tests all go through :func:`check`, so that a verdict means the same everywhere.
"""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import Any

from xarray import Dataset

from theory.core import catalog, runs
from theory.core.errors import NoDevice, ParameterError
from theory.core.instances import draw_instances, examine, judge_all, measure
from theory.core.judge import MINIMUM_INSTANCES
from theory.core.problem import Problem
from theory.core.result import Instance as Instance
from theory.core.result import Result as Result
from theory.core.result import stack
from theory.core.store import Store, StoreReport
from theory.core.vocabulary import AnyClaim, AnyRival, Emit, Replicate, Stop, Verdict


def predict(claim_id: str, problem: Problem | None = None, **values: object) -> Dataset:
    """The prediction of a claim as a labelled Dataset; needs no training and imports no torch."""
    claim = catalog.claim(claim_id)
    params: Any = catalog.parameters(claim, values)
    return examine(claim, params, problem or catalog.room_of(claim).draw(params, params.data_seed)).prediction


def check(
    claim_id: str,
    seeds: int = 8,
    *,
    device: str = "cpu",
    problem: Problem | None = None,
    store: Store | None = None,
    emit: Emit | None = None,
    stop: Stop | None = None,
    rivals: bool = True,
    **values: object,
) -> Result:
    """Test a claim: predict, measure, compare, judge.

    ``seeds`` counts replicates of the randomness inside the experiment, or for a deterministic experiment the instances
    (drawn at ``data_seed``, ``data_seed + 1``, ...) that satisfy the assumptions; those outside are counted, not run.
    ``problem`` replaces the generated data by given data. ``rivals`` also judges every wrong formula on the same raw
    data at the same parameters.

    Raises:
        ParameterError: a value is not allowed. Cancelled: ``stop()`` turned true.
    """
    claim = catalog.claim(claim_id)
    return check_claim(
        claim,
        catalog.parameters(claim, values),
        seeds,
        device=device,
        problem=problem,
        store=store,
        emit=emit,
        stop=stop,
        rivals=rivals,
    )


def check_claim(
    claim: AnyClaim,
    params: Any,
    seeds: int = 8,
    *,
    device: str = "cpu",
    problem: Problem | None = None,
    store: Store | None = None,
    emit: Emit | None = None,
    stop: Stop | None = None,
    rivals: bool = True,
) -> Result:
    """Like :func:`check`, for a claim object and validated parameters."""
    if not 1 <= seeds <= 10_000:
        raise ParameterError("seeds", seeds, "a whole number from 1 to 10,000")
    started = perf_counter()
    drawn, available = draw_instances(claim, params, seeds, problem)
    inside = [i for i, instance in enumerate(drawn) if all(a.holds for a in instance.assumptions)]
    chosen = inside or list(range(min(len(drawn), MINIMUM_INSTANCES)))
    by_seed = claim.replication == "seed"
    replicates = (
        [Replicate(drawn[0].problem, seed) for seed in range(seeds)]
        if by_seed
        else [Replicate(drawn[i].problem, 0) for i in chosen]
    )
    try:
        runs.require(device)
        if claim.experiment is None:
            raws, report = [Dataset() for _ in replicates], StoreReport(0, 0)
        else:
            raws, report = runs.fetch(
                claim.experiment, params, replicates, device=device, store=store, emit=emit, stop=stop
            )
    except (MemoryError, NoDevice) as error:
        verdict = Verdict("not_run", (), f"Not run: {str(error) or 'out of memory'}.")
        return Result(claim, params, seeds, device, verdict, tuple(drawn), seconds=perf_counter() - started)
    found = list(drawn)
    for i, raw in zip([0], [stack(raws)], strict=True) if by_seed else zip(chosen, raws, strict=True):
        found[i] = measure(claim, params, replace(drawn[i], raw=raw))
    found, verdict = judge_all(claim, params, found, available)
    others = {
        rival.name: judge_all(claim, params, found, available, rival.predict)[1] for rival in claim.rivals if rivals
    }
    return Result(
        claim,
        params,
        seeds,
        device,
        verdict,
        tuple(found),
        others,
        perf_counter() - started,
        report.computed,
        report.notes,
    )


def check_rival(claim: AnyClaim, rival: AnyRival, seeds: int = 8, *, store: Store | None = None) -> Verdict:
    """Judge a wrong formula at its witness, on the raw data that the claim itself is judged on."""
    params = catalog.parameters(claim, rival.witness)
    return check_claim(claim, params, seeds, store=store).rivals[rival.name]
