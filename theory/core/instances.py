"""The data sets that a check rests on: drawing enough of them, and judging each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from theory.core import catalog
from theory.core.judge import MINIMUM_INSTANCES, judge, judge_instances
from theory.core.problem import Problem
from theory.core.result import Instance
from theory.core.vocabulary import Claim, Predict, Verdict

ATTEMPTS = 4
"""Instances drawn at most, as a multiple of those wanted, in search of enough that satisfy the assumptions."""


def draw_instances(claim: Claim, params: Any, seeds: int, problem: Problem | None) -> tuple[list[Instance], int]:
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


def judge_all(
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
