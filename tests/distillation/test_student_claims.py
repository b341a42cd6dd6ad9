"""What the claims about one student say at the edges: ties, huge ridges, and leaving the assumptions."""

from __future__ import annotations

import numpy as np
import pytest

from theory.core.judge import judge
from theory.core.parameters import restricted
from theory.core.result import stack
from theory.core.vocabulary import AnyClaim as Claim
from theory.core.vocabulary import Check, Replicate, Verdict
from theory.distillation.claims.fluctuations import finite_sample_band, relative_spread
from theory.distillation.claims.gain import w2s_gain_bounds
from theory.distillation.claims.mask import optimal_mask_claim
from theory.distillation.claims.risk import omniscient_risk
from theory.distillation.claims.scaling import scaling_law
from theory.distillation.claims.surrogate import optimal_surrogate_claim
from theory.distillation.data import draw
from theory.distillation.parameters import Params

CLAIMS = (omniscient_risk, optimal_surrogate_claim, optimal_mask_claim, w2s_gain_bounds)
CURVES = (scaling_law, finite_sample_band)


def verdict(claim: Claim, values: dict[str, object], blocks: int = 2) -> Verdict:
    params = Params.model_validate({**claim.defaults, **values})
    problem = draw(params, 0)
    replicates = [Replicate(problem, 100 + block) for block in range(blocks)]
    inside, seen = (restricted(params, names, claim.id) for names in (claim.experiment.uses, claim.reads))
    raw = stack(claim.experiment.run(inside, replicates, "cpu", lambda done, partial: None, lambda: False))
    checks: tuple[Check, ...] = ()
    if "not_run" not in raw.attrs:
        prediction = claim.predict(restricted(params, claim.uses, claim.id), problem)
        checks = claim.compare(seen, problem, prediction, claim.measure(seen, problem, raw))
    return judge(checks, claim.assumptions(params, problem), claim.kind)


def broken(claim: Claim, values: dict[str, object]) -> list[str]:
    params = Params.model_validate({**claim.defaults, **values})
    return [found.name for found in claim.assumptions(params, draw(params, 0)) if not found.holds]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
@pytest.mark.parametrize(
    "values",
    [
        {"spectrum_exponent": 0.0},
        {"ridge": 10.0, "noise_variance_target": 2.0},
        {"n_samples": 300, "n_features": 100, "ridge": 0.5},
        {"surrogate": tuple([0.5] * 80), "eigenvalues": tuple(np.geomspace(1, 0.01, 80)), "n_samples": 30},
    ],
)
def test_edges_inside_the_assumptions_never_fail(claim: Claim, values: dict[str, object]) -> None:
    assert verdict(claim, values).status in ("holds", "inconclusive")


def test_equal_eigenvalues_leave_the_truth_the_best_teacher() -> None:
    params = Params(spectrum_exponent=0.0)
    found = optimal_surrogate_claim.predict(params, draw(params, 0))
    assert np.allclose(found.factor, 1, atol=1e-12) and int(found.amplified) == 0


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_leaving_the_assumptions_is_said(claim: Claim) -> None:
    assert broken(claim, {"spectrum": "exponential", "rate": 1.0}) == [
        "enough effective samples",
        "spectrum within 12 decades",
    ]
    assert verdict(claim, {"spectrum": "exponential", "rate": 0.5}).status == "outside_assumptions"
    assert "enough effective samples" in broken(claim, {"n_samples": 5})


@pytest.mark.parametrize("claim", CURVES, ids=lambda claim: claim.id)
def test_curves_need_a_power_law_without_ridge(claim: Claim) -> None:
    assert "power-law spectrum" in broken(claim, {"spectrum": "exponential"})
    assert "power-law spectrum" in broken(claim, {"eigenvalues": tuple(np.geomspace(1, 0.01, 200))})
    assert "finite trace" in broken(claim, {"spectrum_exponent": 1.0})
    assert "no ridge" in broken(claim, {"ridge": 0.1})
    assert broken(claim, {}) == []


def test_scaling_law_names_what_hides_it() -> None:
    assert broken(scaling_law, {"noise_variance_target": 0.1}) == ["no label noise"]
    assert broken(scaling_law, {"signal_exponent": 4.9}) == ["away from β = 2α + 1"]


def test_an_exponential_spectrum_changes_the_exponent() -> None:
    params = Params.model_validate({**scaling_law.defaults, "spectrum": "exponential", "signal_exponent": 3.0})
    found = scaling_law.predict(params, draw(params, 0))
    apart = float(found.local_slope.sel(arm="optimal") - found.local_slope.sel(arm="strong"))
    assert apart == pytest.approx(-1, abs=0.01)


def test_spread_and_its_error_against_many_samples() -> None:
    generator = np.random.default_rng(0)
    samples = generator.lognormal(0, 0.4, (400, 300, 1))
    found = np.array([relative_spread(block)[0][0] for block in samples])
    claimed = np.mean([relative_spread(block)[1][0] for block in samples])
    assert found.mean() == pytest.approx(0.5 * np.log(np.expm1(0.4**2)), abs=0.02)
    assert claimed == pytest.approx(found.std(), rel=0.12)
