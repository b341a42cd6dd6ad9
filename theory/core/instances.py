"""The data sets that a check rests on: drawing enough of them, and judging each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from xarray import Dataset

from theory.core import catalog
from theory.core.compare import default_compare
from theory.core.judge import MINIMUM_INSTANCES, judge, judge_instances
from theory.core.parameters import restricted
from theory.core.problem import Problem
from theory.core.result import Instance
from theory.core.vocabulary import AnyClaim, Check, Predict, Verdict

ATTEMPTS = 4
"""Instances drawn at most, as a multiple of those wanted, in search of enough that satisfy the assumptions."""


def examine(claim: AnyClaim, params: Any, problem: Problem) -> Instance:
    """What a claim says about one data set before anything is measured."""
    visible = restricted(params, claim.uses, claim.id)
    return Instance(problem, claim.assumptions(visible, problem), claim.predict(visible, problem))


def draw_instances(claim: AnyClaim, params: Any, seeds: int, problem: Problem | None) -> tuple[list[Instance], int]:
    """Draw instances; for an instance-replicated claim go on until enough satisfy the assumptions.

    Also returns how many distinct instances these parameters can draw (as far as was tried).
    """
    room = catalog.room_of(claim)
    if problem is not None or claim.replication == "seed":
        return [examine(claim, params, problem or room.draw(params, params.data_seed))], 1
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
        drawn.append(examine(claim, params, found))
        inside += all(assumption.holds for assumption in drawn[-1].assumptions)
    return drawn, len(drawn)


def measure(claim: AnyClaim, params: Any, instance: Instance) -> Instance:
    """The instance with what was measured on it, under the prediction's names."""
    if instance.raw is None or "not_run" in instance.raw.attrs:
        return instance
    visible = restricted(params, claim.reads, claim.id)
    return replace(instance, measured=claim.measure(visible, instance.problem, instance.raw))


def judge_all(
    claim: AnyClaim,
    params: Any,
    instances: Sequence[Instance],
    available: int,
    predicted: Predict[Any, Any] | None = None,
) -> tuple[list[Instance], Verdict]:
    """Judge every instance and combine; also returns the instances with their verdicts.

    ``predicted`` is a wrong formula to judge in place of the claim's own prediction.
    """
    judged: list[Instance] = []
    for instance in instances:
        if instance.measured is None:
            verdict = judge((), instance.assumptions, claim.kind)
            # Outside the assumptions a run may diverge: that is what the assumptions are for.
            if instance.raw is not None and all(assumption.holds for assumption in instance.assumptions):
                verdict = Verdict("not_run", (), str(instance.raw.attrs["not_run"]))
        else:
            prediction = instance.prediction
            if predicted is not None:
                prediction = predicted(restricted(params, claim.uses, claim.id), instance.problem)
            checks = _compare(claim, params, instance.problem, prediction, instance.measured)
            verdict = judge(checks, instance.assumptions, claim.kind, len(checks) * len(instances))
        judged.append(replace(instance, verdict=verdict))
    verdicts = [instance.verdict for instance in judged if instance.verdict is not None]
    if claim.replication == "seed":
        return judged, verdicts[0]
    return judged, judge_instances(verdicts, available)


def _compare(
    claim: AnyClaim, params: Any, problem: Problem, prediction: Dataset, measured: Dataset
) -> tuple[Check, ...]:
    if claim.compare is None:
        return default_compare(prediction, measured, claim.resolution)
    return claim.compare(restricted(params, claim.reads, claim.id), problem, prediction, measured)
