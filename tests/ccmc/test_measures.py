"""What the claims read off raw results, on data whose answer is known, without the theory's help."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from xarray import Dataset

from theory.ccmc.claims.measures import at_most, by_winners, entry_check, growth_from, steps_apart
from theory.core import catalog


def at(claim_id: str, **values: object) -> tuple[Any, Any, Any]:
    claim = catalog.claim(claim_id)
    params: Any = catalog.parameters(claim, values)
    return claim, params, catalog.room_of(claim).draw(params, params.data_seed)


def texts(counts: np.ndarray, times: list[float], **more: Any) -> Dataset:
    """Raw texts from counts (R, M, K), as one seed's."""
    return Dataset({"counts": (("seed", "replicate", "time", "token"), counts[None]), **more}, coords={"time": times})


def test_winners_are_grouped_by_the_tokens_that_are_left() -> None:
    shares = np.array([[0.6, 0.39, 0.01], [0.0, 0.02, 0.98], [0.5, 0.5, 0.0], [0.97, 0.02, 0.01]])
    sets, having = by_winners(shares)
    assert [np.flatnonzero(members).tolist() for members in sets] == [[0], [2], [0, 1]]
    assert [np.flatnonzero(rows).tolist() for rows in having] == [[3], [1], [0, 2]]


def test_growth_is_the_slope_on_log_axes() -> None:
    times = np.array([10.0, 100.0, 1e4])
    counts = np.stack([times**0.5, times], axis=1)[None]
    np.testing.assert_allclose(growth_from(times, counts, 1), [[0.5, 1.0]])


def test_distance_of_a_sample_from_its_own_law() -> None:
    assert steps_apart(np.array([0.25, 0.75])) == 0.25
    assert steps_apart(np.array([1.0, 1.0])) == 1.0


def test_an_entry_is_compared_with_what_stands_beside_it() -> None:
    prediction = Dataset({"share": ("token", [0.5, 0.5]), "share_allowance": 0.01})
    about = {"dof": 9, "replicates": 10}
    measured = Dataset({"share": ("token", [0.52, 0.48]), "share_se": ("token", [0.1, 0.2], about)})
    check = entry_check("share of 1", prediction, measured, "share", 0.05, token=1)
    assert check.deviation == pytest.approx(-0.02)
    assert (check.allowance, check.standard_error, check.dof, check.replicates) == ((-0.01, 0.01), 0.2, 9, 10)
    assert at_most("fall", -1, 0.0, 0.05, replicates=3).allowance == (-np.inf, 0.0)


def test_covariance_is_read_off_quantiles() -> None:
    claim, params, chain = at("mixed-clt", transition=((0.1, 0.7, 0.2), (0.15, 0.05, 0.8), (0.75, 0.2, 0.05)))
    true = np.array([[0.4, -0.2, -0.2], [-0.2, 0.3, -0.1], [-0.2, -0.1, 0.3]])
    n = 10_000.0
    drawn = np.random.default_rng(0).multivariate_normal(np.full(3, n / 3), n * true, size=40_000, method="eigh")
    measured = claim.measure(params, chain, texts(drawn[:, None], [n]))
    np.testing.assert_allclose(measured.covariance, true, atol=4 * float(measured.covariance_se.max()))
    np.testing.assert_allclose(measured.mean_shares, 1 / 3, atol=1e-3)
    assert float(measured.covariance_se.max()) < 0.01


def test_a_run_is_won_by_the_token_that_the_flow_favours() -> None:
    claim, params, chain = at("winner-probability")  # odds 3 and 2: the separatrix is at 1/3
    shares = np.array([0.2, 0.3, 0.36, 0.45, 0.9])
    counts = 1e5 * np.stack([shares, 1 - shares], axis=1)[:, None]
    measured = claim.measure(params, chain, texts(counts, [1e5]))
    np.testing.assert_allclose(measured.win_probability, [0.6, 0.4])
    assert float(measured.win_probability_se[0]) > 0


def test_limits_are_the_mean_shares_on_either_side() -> None:
    claim, params, chain = at("k2-phase-diagram")
    shares = np.array([0.99, 0.97, 0.02])
    measured = claim.measure(params, chain, texts(100 * np.stack([shares, 1 - shares], axis=1)[:, None], [100.0]))
    np.testing.assert_allclose(measured.limit_share, [0.98, 0.02])
    one_sided = claim.measure(params, chain, texts(100 * np.stack([shares, 1 - shares], axis=1)[:2, None], [100.0]))
    np.testing.assert_allclose(one_sided.limit_share, [0.98, 0.98])


def test_windows_that_no_token_fills_are_counted() -> None:
    claim, params, chain = at("window-fixation")
    last = np.array([[[0], [1], [1], [0]]])
    fixed_at = np.array([[17.0, 27.0, np.nan, np.nan]])
    raw = Dataset(
        {"last": (("seed", "replicate", "time"), last), "fixed_at": (("seed", "replicate"), fixed_at)},
        coords={"time": [2000.0]},
    )
    measured = claim.measure(params, chain, raw)
    assert measured.chance.values.tolist() == [0.25, 0.25]
    assert float(measured.undecided) == 0.5
    assert (float(measured.mean_time), float(measured.mean_time_se)) == (15.0, 5.0)
    nobody = claim.measure(params, chain, raw.assign(fixed_at=raw.fixed_at * np.nan))
    assert float(nobody.undecided) == 1.0 and np.isnan(float(nobody.mean_time))


def test_components_are_what_fits_from_all_starts_agree_on() -> None:
    claim, params, chain = at("coverage-connectivity", vocab_size=3)
    generator = np.random.default_rng(0)
    fitted = generator.standard_normal((8, 3, 3))
    fitted[:, 0, 2] = fitted[:, 0, 0] + 1.5  # after token 0, tokens 0 and 2 are known to differ by 1.5
    raw = Dataset({"fitted": (("start", "last", "token"), fitted), "law_spread": ("prompt", [0.0, 0.5])})
    measured = claim.measure(params, chain, raw)
    assert measured.component.values.tolist() == [[0, 1, 0], [0, 1, 2], [0, 1, 2]]
    assert measured.law_known.values.tolist() == [True, False]


def test_estimates_that_do_not_exist_are_left_out() -> None:
    claim, params, chain = at("fisher-constant", n_samples=100)
    errors = np.array([[0.01, 0.03, np.nan]])
    dims = ("seed", "replicate")
    measured = claim.measure(params, chain, Dataset({"squared_error": (dims, errors), "weights_error": (dims, errors)}))
    assert float(measured.error_constant) == pytest.approx(2.0)
    assert measured.error_constant_se.attrs == {"dof": 1, "replicates": 2}
    alone = Dataset({"squared_error": (dims, errors[:, 1:]), "weights_error": (dims, errors[:, 1:])})
    (check, _) = claim.compare(params, chain, claim.predict(params, chain), claim.measure(params, chain, alone))
    assert np.isnan(check.deviation) and check.replicates == 1


@pytest.mark.parametrize("claim_id", ["identical-rows-law", "recency-exponent"])
def test_the_longest_texts_from_the_longest_prompts_are_predicted(claim_id: str) -> None:
    claim, params, chain = at(claim_id, n_tokens=10**15, initial_tokens=10**6)
    assert np.isfinite(claim.predict(params, chain).exponent).all()
