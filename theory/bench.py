"""From parameters to a verdict: assumptions, prediction, experiment (through the store), checks, judgement.

Notebooks, the command line and the tests all go through :func:`check`, so that a verdict means the same everywhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import xarray as xr
from xarray import Dataset

from theory import catalog
from theory.errors import NoDevice, ParameterError
from theory.judge import MINIMUM_INSTANCES, judge, judge_instances
from theory.problem import Problem
from theory.store import Store, default_store
from theory.vocabulary import Assumption, Claim, Emit, Experiment, Predict, Replicate, Rival, Stop, Verdict

ATTEMPTS = 4
"""Instances drawn at most, as a multiple of those wanted, in search of enough that satisfy the assumptions."""


@dataclass(frozen=True)
class Instance:
    """One data set with everything that was said and measured about it; ``raw`` is None when it was not run."""

    problem: Problem
    assumptions: tuple[Assumption, ...]
    prediction: Dataset
    raw: Dataset | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Result:
    """A checked claim: the verdict, the instances behind it, the rivals on the same raw data, and what it took."""

    claim: Claim
    params: Any
    seeds: int
    device: str
    verdict: Verdict
    instances: tuple[Instance, ...]
    rivals: Mapping[str, Verdict] = field(default_factory=dict[str, Verdict])
    seconds: float = 0.0
    computed: int = 0
    notes: tuple[str, ...] = ()

    @property
    def shown(self) -> Instance:
        """The instance at ``data_seed`` itself: the one a figure shows."""
        return self.instances[0]

    @property
    def assumptions(self) -> tuple[Assumption, ...]:
        return self.shown.assumptions

    @property
    def prediction(self) -> Dataset:
        return self.shown.prediction

    @property
    def measurement(self) -> Dataset | None:
        """Raw results with a leading dimension ``seed``; None when nothing could be run.

        For a claim that replicates over instances, ``seed`` counts the judged instances.
        """
        raws = [instance.raw for instance in self.instances if instance.raw is not None]
        if not raws:
            return None
        return raws[0] if "seed" in raws[0].dims else _stack(raws)


def predict(claim_id: str, problem: Problem | None = None, **values: object) -> Dataset:
    """The prediction of a claim as a labelled Dataset; needs no training and imports no torch."""
    claim = catalog.claim(claim_id)
    params: Any = catalog.parameters(claim, values)
    return claim.predict(params, problem or catalog.room_of(claim).draw(params, params.data_seed))


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
    claim: Claim,
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
    drawn, available = _instances(claim, params, seeds, problem)
    inside = [i for i, instance in enumerate(drawn) if all(a.holds for a in instance.assumptions)]
    chosen = inside or list(range(min(len(drawn), MINIMUM_INSTANCES)))
    by_seed = claim.experiment.replication == "seed"
    replicates = (
        [Replicate(drawn[0].problem, seed) for seed in range(seeds)]
        if by_seed
        else [Replicate(drawn[i].problem, 0) for i in chosen]
    )
    keys = [_key(claim.experiment, params, replicate, device) for replicate in replicates]

    def compute(missing: Sequence[int]) -> list[Dataset]:
        wanted = [replicates[i] for i in missing]
        return claim.experiment.run(params, wanted, device, emit or _ignore, stop or _never)

    try:
        _require(device)
        raws, report = (store or default_store()).fetch(keys, compute, stop)
    except (MemoryError, NoDevice) as error:
        verdict = Verdict("not_run", (), f"Not run: {str(error) or 'out of memory'}.")
        return Result(claim, params, seeds, device, verdict, tuple(drawn), seconds=perf_counter() - started)
    if by_seed:
        measured = [replace(drawn[0], raw=_stack(raws))]
    else:
        measured = list(drawn)
        for i, raw in zip(chosen, raws, strict=True):
            measured[i] = replace(drawn[i], raw=raw)
    measured, verdict = _judge(claim, params, measured, available, claim.predict)
    others = {
        rival.name: _judge(claim, params, measured, available, rival.predict)[1] for rival in claim.rivals if rivals
    }
    return Result(
        claim,
        params,
        seeds,
        device,
        verdict,
        tuple(measured),
        others,
        perf_counter() - started,
        report.computed,
        report.notes,
    )


def check_rival(claim: Claim, rival: Rival, seeds: int = 8, *, store: Store | None = None) -> Verdict:
    """Judge a wrong formula at its witness, on the raw data that the claim itself is judged on."""
    params = catalog.parameters(claim, rival.witness)
    return check_claim(claim, params, seeds, store=store).rivals[rival.name]


def _instances(claim: Claim, params: Any, seeds: int, problem: Problem | None) -> tuple[list[Instance], int]:
    """Draw instances; for an instance-replicated claim go on until enough satisfy the assumptions.

    Also returns how many distinct instances these parameters can draw (as far as was tried).
    """
    room = catalog.room_of(claim)

    def examine(found: Problem) -> Instance:
        return Instance(found, claim.assumptions(params, found), claim.predict(params, found))

    if problem is not None or claim.experiment.replication == "seed":
        return [examine(problem or room.draw(params, params.data_seed))], 1
    drawn: list[Instance] = []
    seen: set[str] = set()
    wanted, inside = max(seeds, MINIMUM_INSTANCES), 0
    for attempt in range(wanted * ATTEMPTS):
        if inside >= wanted or (attempt >= 2 * wanted and inside == 0):
            break
        found = room.draw(params, params.data_seed + attempt)
        if found.fingerprint in seen:
            if attempt >= len(seen) + 3:
                break
            continue
        seen.add(found.fingerprint)
        drawn.append(examine(found))
        inside += all(assumption.holds for assumption in drawn[-1].assumptions)
    return drawn, len(drawn)


def _judge(
    claim: Claim, params: Any, instances: Sequence[Instance], available: int, predicted: Predict
) -> tuple[list[Instance], Verdict]:
    """Judge every instance with ``predicted`` and combine; also returns the instances with their verdicts."""
    judged: list[Instance] = []
    for instance in instances:
        if instance.raw is None:
            verdict = judge((), instance.assumptions, claim.kind)
        elif "not_run" in instance.raw.attrs:
            # Outside the assumptions a run may diverge: that is what the assumptions are for.
            verdict = judge((), instance.assumptions, claim.kind)
            if all(assumption.holds for assumption in instance.assumptions):
                verdict = Verdict("not_run", (), str(instance.raw.attrs["not_run"]))
        else:
            own = predicted is claim.predict
            prediction = instance.prediction if own else predicted(params, instance.problem)
            checks = claim.compare(params, instance.problem, prediction, instance.raw)
            verdict = judge(checks, instance.assumptions, claim.kind, len(checks) * len(instances))
        judged.append(replace(instance, verdict=verdict))
    verdicts = [instance.verdict for instance in judged if instance.verdict is not None]
    if claim.experiment.replication == "seed":
        return judged, verdicts[0]
    return judged, judge_instances(verdicts, available)


def _require(device: str) -> None:
    """Say early, and without importing torch for the CPU, that a device is unknown or missing."""
    if device == "cpu":
        return
    if re.fullmatch(r"cuda(:\d+)?", device) is None:
        raise ParameterError("device", device, "cpu or cuda")
    import torch

    if int(device.partition(":")[2] or 0) >= torch.cuda.device_count():
        raise NoDevice(f"this machine has no device {device}")


def _stack(raws: Sequence[Dataset]) -> Dataset:
    """Replicates along ``seed``; one that could not be run says so for all of them."""
    failed = [raw for raw in raws if "not_run" in raw.attrs]
    ran = [raw for raw in raws if "not_run" not in raw.attrs] or failed[:1]
    stacked = xr.concat(
        ran, "seed", data_vars="all", coords="different", compat="equals", join="outer", combine_attrs="override"
    )
    return stacked.assign_attrs(not_run=failed[0].attrs["not_run"]) if failed else stacked


def _key(experiment: Experiment, params: Any, replicate: Replicate, device: str) -> str:
    used = {name: getattr(params, name) for name in sorted(experiment.uses)}
    parts = {
        "experiment": experiment.id,
        "params": used,
        "problem": replicate.problem.fingerprint,
        "seed": replicate.seed,
        "dtype": "float64",
        "device": device.split(":")[0],
        "code": code_fingerprint(experiment.modules),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


@cache
def code_fingerprint(modules: tuple[str, ...]) -> str:
    """SHA-256 of the source of ``modules``: a changed experiment never answers from old results."""
    digest = hashlib.sha256()
    for name in sorted(modules):
        found = find_spec(name)
        if found is None or found.origin is None:
            raise ModuleNotFoundError(f"experiment module {name} does not exist")
        digest.update(Path(found.origin).read_bytes())
    return digest.hexdigest()


def _ignore(fraction: float, partial: Dataset | None) -> None:
    pass


def _never() -> bool:
    return False
