"""The statistics of verdicts: margins, quantiles, remedies and how instances are combined."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from theory.core.judge import judge, judge_check, judge_instances, quantile, ratio
from theory.core.vocabulary import Assumption, Check, Verdict
from theory.shared.statistics import mean_check

INF = math.inf
MET = (Assumption("fine", True, ""),)
BROKEN = (Assumption("fine", True, ""), Assumption("small", False, "x = 7"))


def test_quantile_is_four_sigma_two_sided_shared_by_the_checks():
    assert quantile(INF, 1) == pytest.approx(4.0)
    assert quantile(7, 1) == pytest.approx(t.isf(3.167124183e-5, 7), rel=1e-6)
    assert quantile(INF, 10) > quantile(INF, 1)


def test_false_alarms_of_a_true_claim_are_as_rare_as_promised():
    """With the level of one sigma in place of four the share of failures is the nominal one."""
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(4000, 6))
    means, errors = samples.mean(1), samples.std(1, ddof=1) / math.sqrt(6)
    assert np.mean(abs(means) > quantile(5, 1) * errors) < 1e-3
    assert np.mean(abs(means) > t.isf(0.05, 5) * errors) == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    ("check", "status"),
    [
        (Check(name="a", deviation=0.0, allowance=(0, 0), resolution=0.5), "holds"),
        (Check(name="a", deviation=1e-12, allowance=(0, 0), resolution=0.5), "fails"),
        (Check(name="a", deviation=0.5, allowance=(-1, 1), resolution=1.0), "holds"),
        (Check(name="a", deviation=0.5, allowance=(-1, 1), resolution=0.9), "inconclusive"),
        (Check(name="a", deviation=-50.0, allowance=(-INF, 0.1), resolution=0.2), "holds"),
        (Check(name="a", deviation=0.11, allowance=(-INF, 0.1), resolution=0.2), "fails"),
        (Check(name="a", deviation=50.0, allowance=(-0.1, INF), resolution=0.2), "holds"),
        (Check(name="a", deviation=-INF, allowance=(-0.1, INF), resolution=0.2), "fails"),
        (Check(name="a", deviation=0.0, allowance=(-INF, INF), resolution=0.2), "inconclusive"),
        (Check(name="a", deviation=0.1, allowance=(0, 0), resolution=1.0, standard_error=0.1), "holds"),
        (Check(name="a", deviation=0.5, allowance=(0, 0), resolution=1.0, standard_error=0.1), "fails"),
        (Check(name="a", deviation=0.5, allowance=(0, 0), resolution=1.0, standard_error=0.3), "inconclusive"),
        (Check(name="a", deviation=math.nan, allowance=(0, 0), resolution=1.0), "not_run"),
        (Check(name="a", deviation=0.0, allowance=(0, math.nan), resolution=1.0), "not_run"),
        (Check(name="a", deviation=0.0, allowance=(0, 0), resolution=1.0, standard_error=INF), "not_run"),
        (Check(name="a", deviation=0.0, allowance=(0, 0), resolution=1.0, standard_error=0.1, dof=0), "not_run"),
    ],
)
def test_one_check(check, status):
    judged = judge_check(check)
    assert judged.status == status
    assert judged.explanation.startswith("a: ")
    assert judged.explanation.endswith(".")
    assert "nan" not in judged.explanation


def test_the_seeds_it_asks_for_are_enough():
    check = Check(
        name="gap", deviation=0.0, allowance=(-0.02, 0.02), resolution=0.05, standard_error=0.05, replicates=8
    )
    explanation = judge_check(check).explanation
    needed = int(explanation.split("needs ")[1].split(" more")[0])
    error = 0.05 * math.sqrt(8 / (8 + needed))
    assert (
        judge_check(
            Check(name="gap", deviation=0.0, allowance=(-0.02, 0.02), resolution=0.05, standard_error=error)
        ).status
        == "holds"
    )
    error = 0.05 * math.sqrt(8 / (8 + needed - 2))
    assert (
        judge_check(
            Check(name="gap", deviation=0.0, allowance=(-0.02, 0.02), resolution=0.05, standard_error=error)
        ).status
        == "inconclusive"
    )


def test_more_seeds_cannot_settle_what_the_allowance_hides():
    check = Check(
        name="gap",
        deviation=0.0,
        allowance=(-0.2, 0.2),
        resolution=0.05,
        standard_error=0.05,
        replicates=8,
        raise_hint="n",
    )
    assert "more seeds cannot settle this: raise n" in judge_check(check).explanation


numbers = st.floats(-1e6, 1e6)
positive = st.floats(1e-9, 1e6)


@given(
    deviation=numbers, low=positive, high=positive, resolution=positive, error=st.floats(0, 1e3), n=st.integers(1, 50)
)
def test_a_theorem_and_a_rival_two_resolutions_away_never_both_hold(deviation, low, high, resolution, error, n):
    def status(moved):
        return judge_check(
            Check(name="a", deviation=moved, allowance=(-low, high), resolution=resolution, standard_error=error), n
        ).status

    assert not (status(deviation) == "holds" and status(deviation + 2.001 * resolution) == "holds")


@given(deviation=numbers, high=positive, resolution=positive)
def test_sign_does_not_matter(deviation, high, resolution):
    one = judge_check(Check(name="a", deviation=deviation, allowance=(-high, high), resolution=resolution))
    other = judge_check(Check(name="a", deviation=-deviation, allowance=(-high, high), resolution=resolution))
    assert one.status == other.status
    assert ratio(one) == pytest.approx(ratio(other))
    assert (ratio(one) > 1) == (one.status == "fails")


def test_a_verdict_is_its_worst_check():
    good, wide, bad = (
        Check(name="good", deviation=0, allowance=(0, 0), resolution=1),
        Check(name="wide", deviation=0, allowance=(-2, 2), resolution=1),
        Check(name="bad", deviation=3, allowance=(-1, 1), resolution=1),
    )
    assert judge([good, wide, bad], MET, "theorem").status == "fails"
    assert judge([good, wide], MET, "theorem").explanation.startswith("wide")
    assert judge([good], MET, "extension").status == "holds"
    assert judge([], MET, "theorem").status == "not_run"


def test_outside_the_assumptions_the_numbers_are_still_there():
    verdict = judge([Check(name="bad", deviation=3, allowance=(-1, 1), resolution=1)], BROKEN, "theorem")
    assert verdict.status == "outside_assumptions"
    assert verdict.explanation == "Outside its assumptions: small (x = 7)."
    assert verdict.checks[0].status == "fails"


def test_an_observation_is_never_judged():
    assert (
        judge(
            [Check(name="slope", deviation=3, allowance=(-1, 1), resolution=1, standard_error=0.5)],
            BROKEN,
            "observation",
        ).status
        == "observed"
    )
    assert judge([], BROKEN, "observation").status == "outside_assumptions"
    assert judge([], MET, "observation").status == "not_run"


def verdicts(*statuses):
    seen = (judge_check(Check(name="slope", deviation=1.0, allowance=(-2, 2), resolution=5)),)
    return [Verdict(status, seen if status == "observed" else (), f"{status}.") for status in statuses]


@pytest.mark.parametrize(
    ("statuses", "available", "expected"),
    [
        (["holds"] * 4, 32, "holds"),
        (["holds"] * 3, 32, "inconclusive"),
        (["holds"] * 3, 3, "holds"),
        (["holds"] * 4 + ["inconclusive"], 32, "holds"),
        (["holds"] * 3 + ["inconclusive"], 32, "inconclusive"),
        (["holds"] * 9 + ["fails"], 32, "fails"),
        (["holds"] * 9 + ["not_run"], 32, "not_run"),
        (["holds", "fails", "not_run"], 32, "fails"),
        (["outside_assumptions"] * 5, 32, "outside_assumptions"),
        (["outside_assumptions"] * 5 + ["holds"] * 4, 32, "holds"),
        (["observed"] * 4, 32, "observed"),
        ([], 0, "not_run"),
    ],
)
def test_instances_are_combined(statuses, available, expected):
    assert judge_instances(verdicts(*statuses), available).status == expected


def test_the_tally_counts():
    text = judge_instances(verdicts("holds", "holds", "outside_assumptions"), 32).explanation
    assert "Needs 2 more instances" in text
    assert "2 of 2 judged instances hold, 1 more were outside the assumptions." in text


def test_one_sampled_replicate_decides_nothing() -> None:
    check = mean_check("share", [0.9], (-0.1, 0.1), 0.2)
    assert judge_check(check).status == "inconclusive"
    assert "one replicate" in judge_check(check).explanation
    assert judge_check(mean_check("share", [0.9, 0.91] * 8, (-0.1, 0.1), 0.2)).status == "fails"
