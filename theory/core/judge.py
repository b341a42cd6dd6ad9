"""Checks in, verdict out: the only place with statistical thresholds.

For a check with deviation D, standard error SE, allowance [low, high] and resolution delta, the margin is the allowance
widened by q SE on both sides, where q is the Student-t quantile (dof of the check) at the two-sided level of four sigma
divided by the number of checks that are judged together. D outside the margin: *fails*. Inside, and no finite end of
the margin beyond delta: *holds*. Inside a margin wider than delta: *inconclusive*, because a deviation that the claim
promises to notice could hide there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from theory.core.vocabulary import Assumption, Check, JudgedCheck, Kind, Status, Verdict

SIGMA = 4.0
MINIMUM_INSTANCES = 4
"""A deterministic claim is judged on at least this many instances inside its assumptions (where that many exist)."""

_SEVERITY: tuple[Status, ...] = ("fails", "not_run", "inconclusive", "outside_assumptions", "observed", "holds")


def quantile(dof: float, n_checks: int) -> float:
    """The Student-t quantile of a two-sided four-sigma level shared by ``n_checks`` checks."""
    level = float(ndtr(-SIGMA)) / max(n_checks, 1)
    return -float(ndtri(level) if math.isinf(dof) else stdtrit(dof, level))


def judge_check(check: Check, n_checks: int = 1) -> JudgedCheck:
    """Decide one check; ``n_checks`` is how many are judged together.

    >>> judge_check(Check(name="gap", deviation=0.01, allowance=(-0.02, 0.02), resolution=0.05)).status
    'holds'
    >>> judge_check(Check(name="gap", deviation=0.03, allowance=(-0.02, 0.02), resolution=0.05)).status
    'fails'
    >>> judge_check(Check(name="gap", deviation=0.03, allowance=(-0.10, 0.10), resolution=0.05)).explanation
    'gap: deviation 0.03 lies within [-0.1, 0.1], but that is wider than the resolution 0.05;
    more seeds cannot settle this: raise steps.'
    """
    spread = quantile(check.dof, n_checks) * check.standard_error if check.standard_error else 0.0
    low, high = check.allowance[0] - spread, check.allowance[1] + spread
    shown = f"deviation {check.deviation:.3g}" + (f" ± {check.standard_error:.2g}" if check.standard_error else "")
    span = _interval(low, high)
    if math.isnan(check.deviation) or not math.isfinite(spread) or any(map(math.isnan, check.allowance)):
        return JudgedCheck(check, "not_run", (low, high), f"{check.name}: the measurement gave no number.")
    if check.replicates == 1 and math.isfinite(check.dof) and check.standard_error == 0:
        alone = f"{check.name}: {shown} comes from one replicate, whose sampling error is unknown; needs 1 more seeds."
        return JudgedCheck(check, "inconclusive", (-math.inf, math.inf), alone)
    if not low <= check.deviation <= high:
        return JudgedCheck(check, "fails", (low, high), f"{check.name}: {shown} lies outside {span}.")
    width = _width((low, high))
    if low == high == check.deviation == 0:
        return JudgedCheck(check, "holds", (low, high), f"{check.name}: prediction and measurement agree exactly.")
    if width <= check.resolution:
        sentence = f"{check.name}: {shown} lies within {span}, narrower than the resolution {check.resolution:.3g}."
        return JudgedCheck(check, "holds", (low, high), sentence)
    sentence = f"{check.name}: {shown} lies within {span}, but that is wider than the resolution {check.resolution:.3g}"
    return JudgedCheck(check, "inconclusive", (low, high), f"{sentence}; {_remedy(check, spread)}.")


def judge(
    checks: Sequence[Check], assumptions: Sequence[Assumption], kind: Kind, n_checks: int | None = None
) -> Verdict:
    """The verdict of one replicate (or of all seeds together): the worst of its checks."""
    judged = tuple(judge_check(check, n_checks or len(checks)) for check in checks)
    if kind == "observation" and judged:
        text = "; ".join(
            f"{c.name} {c.deviation:.3g}" + (f" ± {c.standard_error:.2g}" if c.standard_error else "") for c in checks
        )
        return Verdict("observed", judged, f"Observed, not claimed: {text}.")
    broken = [assumption for assumption in assumptions if not assumption.holds]
    if broken:
        named = "; ".join(f"{a.name} ({a.detail})" for a in broken)
        return Verdict("outside_assumptions", judged, f"Outside its assumptions: {named}.")
    if not judged:
        return Verdict("not_run", (), "There was nothing to compare.")
    decisive = min(judged, key=_rank)
    return Verdict(decisive.status, judged, decisive.explanation)


def judge_instances(verdicts: Sequence[Verdict], available: int) -> Verdict:
    """Combine the verdicts of several instances (data sets) of a deterministic claim.

    Instances outside the assumptions are counted, not judged. One failure fails the claim. It holds when no instance
    fails and at least ``min(MINIMUM_INSTANCES, available)`` hold, where ``available`` is how many distinct instances
    the parameters can draw.
    """
    inside = [verdict for verdict in verdicts if verdict.status not in ("outside_assumptions",)]
    if not inside:
        return verdicts[0] if verdicts else Verdict("not_run", (), "No instance could be drawn.")
    by_status: dict[Status, list[Verdict]] = {}
    for verdict in inside:
        by_status.setdefault(verdict.status, []).append(verdict)
    needed = min(MINIMUM_INSTANCES, available)
    holding = len(by_status.get("holds", []))
    tally = _tally(len(verdicts), len(inside), holding, len(by_status.get("inconclusive", [])))
    if "observed" in by_status:
        return judge(_averaged(by_status["observed"]), (), "observation")
    for status in ("fails", "not_run"):
        if status in by_status:
            worst = max(by_status[status], key=_worst_ratio)
            return Verdict(status, worst.checks, f"{worst.explanation} {tally}")
    shown = max(by_status.get("holds", inside), key=_worst_ratio)
    if holding >= needed:
        return Verdict("holds", shown.checks, f"{shown.explanation} {tally}")
    if "inconclusive" in by_status:
        shown = max(by_status["inconclusive"], key=_worst_ratio)
        return Verdict("inconclusive", shown.checks, f"{shown.explanation} {tally}")
    missing = needed - holding
    return Verdict("inconclusive", shown.checks, f"Needs {missing} more instances inside its assumptions. {tally}")


def ratio(judged: JudgedCheck) -> float:
    """How much of its margin a check uses: 0 is perfect agreement, above 1 fails."""
    low, high = judged.margin
    deviation = judged.check.deviation
    end = high if deviation >= 0 else low
    if math.isinf(end):
        return 0.0
    if end == 0:
        return 0.0 if deviation == 0 else math.inf
    return deviation / end if deviation / end >= 0 else math.inf


def _averaged(verdicts: Sequence[Verdict]) -> list[Check]:
    """Each observed number as its mean over the instances, with the standard error of that mean."""
    found: list[Check] = []
    for position, judged in enumerate(verdicts[0].checks):
        values = np.array([verdict.checks[position].check.deviation for verdict in verdicts])
        n = len(values)
        spread = float(values.std(ddof=1) / math.sqrt(n)) if n > 1 else 0.0
        found.append(
            replace(judged.check, deviation=float(values.mean()), standard_error=spread, dof=n - 1, replicates=n)
        )
    return found


def _rank(judged: JudgedCheck) -> tuple[int, float]:
    return _SEVERITY.index(judged.status), -ratio(judged)


def _worst_ratio(verdict: Verdict) -> float:
    return max((ratio(judged) for judged in verdict.checks), default=0.0)


def _tally(tried: int, inside: int, holding: int, undecided: int) -> str:
    if tried == 1:
        return "Judged on this one data set."
    parts = [f"{holding} of {inside} judged instances hold"]
    if undecided:
        parts.append(f"{undecided} undecided")
    if tried > inside:
        parts.append(f"{tried - inside} more were outside the assumptions")
    return ", ".join(parts) + "."


def _remedy(check: Check, spread: float) -> str:
    width = _width(check.allowance)
    if width >= check.resolution or spread == 0:
        return f"more seeds cannot settle this: raise {check.raise_hint}"
    needed = math.ceil(check.replicates * (spread / (check.resolution - width)) ** 2) - check.replicates
    return f"needs {max(needed, 1)} more seeds"


def _width(interval: tuple[float, float]) -> float:
    """How far a deviation can lie from zero inside; an interval without a finite end excludes nothing."""
    return max((abs(end) for end in interval if math.isfinite(end)), default=math.inf)


def _interval(low: float, high: float) -> str:
    if low == high == 0:
        return "zero (an exact comparison)"
    if math.isinf(low):
        return f"the bound {high:.3g}"
    if math.isinf(high):
        return f"the bound {low:.3g} from below"
    return f"[{low:.3g}, {high:.3g}]"
