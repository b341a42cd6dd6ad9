"""The Datasets behind the figures: against the modules that they show, and against plain recomputation."""

from __future__ import annotations

import numpy as np
import pytest
from xarray import Dataset

from theory.ccmc import views
from theory.ccmc.data import draw
from theory.ccmc.experiments.shown import FEWEST_RUNS, MOST_RUNS, cured_texts, wins_by_count
from theory.ccmc.fisher import information_of
from theory.ccmc.flow import basins
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain
from theory.ccmc.simulation.sampling import generate_text, simulate
from theory.ccmc.views.runs import TIMES
from theory.ccmc.views.simplex import ROWS
from theory.core.errors import DataError
from theory.core.vocabulary import Experiment, Replicate

TWO_WINNERS = ((0.3, 0.5, 0.15, 0.05), (0.55, 0.2, 0.15, 0.1), (0.2, 0.2, 0.5, 0.1), (0.3, 0.3, 0.3, 0.1))


def chain_of(**changes: object) -> Chain:
    return draw(Params(**changes), 0)  # type: ignore[arg-type]


def runs_of(chain: Chain, tokens: int = 3000, runs: int = 10) -> Dataset:
    text = simulate(chain.transition, chain.prompt, tokens, [(0, r) for r in range(runs)], transitions_counted=True)
    return Dataset(
        {
            "counts": (("replicate", "time", "token"), text.counts),
            "moves": (("replicate", "time", "last", "token"), text.moves),
        },
        coords={"time": text.times},
    )


@pytest.mark.parametrize(
    ("changes", "kind"),
    [({}, "phases"), ({"chain": "circulant"}, "flow"), ({"transition": TWO_WINNERS}, "winner_sets")],
)
def test_the_structure_depends_on_the_number_of_tokens(changes: dict[str, object], kind: str) -> None:
    assert views.structure(chain_of(**changes)).attrs["kind"] == kind


def test_lines_have_the_predicted_slope_and_pass_through_the_runs() -> None:
    chain = chain_of(transition=TWO_WINNERS)
    raw = runs_of(chain, runs=30)
    growth = views.growth(chain, raw)
    assert np.allclose(growth.share.sum("token"), 1)
    time = np.log(growth.time.values)
    reached = np.unique(growth.winner.values[growth.winner.values >= 0])
    assert len(reached)
    last = raw.counts.values[:, -1] / raw.counts.values[:, -1].sum(axis=1, keepdims=True)
    for which in reached:
        line = np.log(growth.line.values[which])
        known = np.isfinite(line[0])
        slopes = (line[:, known][:, -1] - line[:, known][:, 0]) / (time[known][-1] - time[known][0])
        assert np.allclose(slopes, growth.slope.values[which])
        losers = ~growth.member.values[which]
        inside = np.abs(last - growth.line.values[which][:, -1] * ~losers - last * losers).sum(axis=1) < 0.5
        assert np.allclose(np.exp(line[losers, -1]), np.median(last[inside], axis=0)[losers], rtol=0.5)


def test_without_runs_lines_start_at_the_prompt() -> None:
    chain = chain_of(count_first=3, count_others=1)
    growth = views.growth(chain, until=1e9)
    assert "share" not in growth
    assert growth.time.values[0] == 4
    assert growth.time.values[-1] == 1e9
    loser = growth.line.values[0, 1]
    assert np.isclose(loser[0], 0.25)
    assert growth.slope.values.tolist() == [[0.0, -0.5], [-0.5, 0.0]]


def test_cures_take_the_lines_away_and_keep_the_runs() -> None:
    chain = chain_of()
    growth = views.growth(chain, runs_of(chain), plain=False)
    assert growth.sizes["set"] == 0
    assert (growth.winner == -1).all()
    assert growth.sizes["time"] <= TIMES


def test_seeds_and_replicates_are_all_runs() -> None:
    chain = chain_of(transition=TWO_WINNERS)
    raw = runs_of(chain, runs=12)
    stacked = Dataset(
        {"counts": (("seed", "replicate", "time", "token"), raw.counts.values.reshape(3, 4, -1, 4))},
        coords={"time": raw["time"].values},
    )
    assert views.winners(chain, stacked).identical(views.winners(chain, raw))
    assert int(views.winners(chain, raw).won.sum()) <= 12


def test_basins_are_those_of_the_flow() -> None:
    chain = chain_of(transition=((0.6, 0.25, 0.15), (0.3, 0.55, 0.15), (0.2, 0.3, 0.5)))
    flow = views.flow(chain)
    assert flow.sizes["cell"] == ROWS**2
    stable = np.flatnonzero(flow.stable.values)
    rows = []
    for row in range(ROWS):
        for at in range(2 * (ROWS - row) - 1):
            corners = [(at // 2, row), (at // 2 + 1, row), (at // 2, row + 1)]
            hanging = [(at // 2 + 1, row), (at // 2 + 1, row + 1), (at // 2, row + 1)]
            rows.append(np.mean(hanging if at % 2 else corners, axis=0) / ROWS)
    centres = np.array(rows)
    shares = np.column_stack([1 - centres.sum(axis=1), centres])
    exact = basins(chain.transition, shares, flow.fixed.values[stable])[0]
    different = (stable[exact] != flow.basin.values) & (exact >= 0)
    assert different.mean() < 0.005


def test_arrows_stay_in_the_simplex() -> None:
    for changes in ({"chain": "circulant"}, {"chain": "uniform"}, {"chain": "identical_rows", "top_probability": 0.95}):
        flow = views.flow(chain_of(**changes))
        assert np.allclose(flow.arrow_tip.sum("token"), 1)
        assert (flow.arrow_tip >= 0).all()


def test_more_than_twelve_tokens_list_single_winners() -> None:
    size = 14
    rows = np.full((size, size), 0.5 / (size - 1))
    np.fill_diagonal(rows, 0.5)
    rows[3] = 1 / size
    found = views.winners(chain_of(transition=tuple(map(tuple, rows.tolist())), prompt=tuple(range(size))))
    assert found.sizes["set"] == size - 1
    assert (found.share_of_winner.sum("token") == 1).all()
    assert (found.exponent.max("token") == 1).all()


def test_coverage_numbers_components_by_size() -> None:
    chain = chain_of(chain="random", vocab_size=5, islands=2, include_self="no")
    data = views.coverage(chain)
    for row in data.component.values:
        sizes = np.bincount(row)
        assert (np.diff(sizes) <= 0).all()
    same = data.component.values[:, :, None] == data.component.values[:, None, :]
    assert (same == data.known.values).all()
    assert data.attrs["unknown"] == int((data.component.max("token")).sum())
    for last, first, second in data.edge.values:
        assert ((chain.counts[chain.last == last][:, [first, second]] > 0).all(axis=1)).any()


def test_moves_are_those_of_runs_with_the_same_winners() -> None:
    chain = chain_of(transition=TWO_WINNERS)
    data = views.transition_exponents(chain, runs_of(chain))
    assert data.sizes["length"] == 3
    assert np.allclose(data.moves.sum(("from", "to")) + len(chain.prompt), data.length, rtol=1e-12)
    assert data.exponent.values[0, 1] == 1
    with pytest.raises(DataError, match="no set of tokens"):
        views.transition_exponents(chain_of(chain="uniform"))


def found_in(experiment: Experiment[Params, Chain], **changes: object) -> Dataset:
    params = Params(**changes)  # type: ignore[arg-type]
    return experiment.run(params, [Replicate(draw(params, 0), 0)], "cpu", lambda *_: None, lambda: False)[0]


def test_winner_probability_brackets_the_theory() -> None:
    raw = found_in(wins_by_count)
    assert raw.sizes["replicate"] == MOST_RUNS
    data = views.winner_probability(chain_of(), raw.isel(count=[0, 2]))
    assert (np.diff(data.predicted) > 0).all()
    low, high = data.won.sel(statistic="low"), data.won.sel(statistic="high")
    # Twice the interval: about four standard errors.
    mean = data.won.sel(statistic="mean")
    assert (data.predicted > mean - 2.2 * (mean - low)).all()
    assert (data.predicted < mean + 2.2 * (high - mean)).all()
    with pytest.raises(DataError, match="phase diagram"):
        views.winner_probability(chain_of(chain="circulant"))
    with pytest.raises(DataError, match="phase diagram"):
        found_in(wins_by_count, chain="circulant")


def test_fewer_texts_are_tried_where_each_takes_long() -> None:
    assert found_in(wins_by_count, odds_first=0.5, odds_second=0.5).sizes["replicate"] < 2 * FEWEST_RUNS


def test_learning_error_leaves_out_replicates_without_an_estimate() -> None:
    errors = np.array([[1.0, 3.0, np.inf], [0.5, 0.5, 0.5]])
    finite = np.isfinite(errors)
    raws = [
        Dataset({"squared_error": ("replicate", row), "kl": ("replicate", row / 2), "exists": ("replicate", known)})
        for row, known in zip(errors, finite, strict=True)
    ]
    chain = chain_of(chain="random")
    data = views.learning_error([10, 20], raws, chain)
    assert (float(data.trace), int(data["rank"])) == (information_of(chain).constant, 6)
    assert data.error.sel(statistic="mean").values.tolist() == [20.0, 10.0]
    assert np.allclose(data.missing, [1 / 3, 0])
    assert data.error.sel(statistic="high").values[1] == 10.0
    half = data.error.sel(statistic="high") - data.error.sel(statistic="mean")
    assert np.isclose(half[0], 2 * 10 * np.sqrt(2) / np.sqrt(2))


def test_limits_of_the_cures() -> None:
    rows = ((0.5, 0.3, 0.2), (0.2, 0.6, 0.2), (0.1, 0.1, 0.8))
    chain = chain_of(transition=rows)
    data = views.cures(chain, {"window": 64, "count_cap": None}, found_in(cured_texts, transition=rows))
    law = np.linalg.matrix_power(chain.transition, 200)[0]
    cap = data.sel(cure="count_cap")
    known = np.isfinite(cap.setting.values)
    assert np.allclose(cap.predicted.values[known], law.max())
    assert np.isclose(cap.top_share.sel(statistic="mean").values[0], law.max(), atol=0.03)
    assert data.now.sel(cure="window") == 64
    assert np.isnan(data.now.sel(cure="count_cap"))
    assert np.nanmin(data.sel(cure="attention_temperature").predicted.values) == 1.0
    window = data.sel(cure="window", statistic="mean").top_share.values
    assert window[0] > 0.99 and window[np.isfinite(window)][-1] < window[0]


def test_output_temperature_two_gives_identical_rows_their_own_law() -> None:
    law = np.array([0.5, 0.3, 0.2])
    data = views.cures(chain_of(transition=(tuple(law.tolist()),) * 3), {}).sel(cure="output_temperature")
    for temperature, found in zip(data.setting.values, data.predicted.values, strict=True):
        if temperature > 1:
            expected = law ** (1 / (temperature - 1))
            assert np.isclose(found, (expected / expected.sum()).max(), atol=1e-4)
        elif temperature <= 1:
            assert found == 1.0


def test_pieces_of_text_are_what_the_sampler_writes() -> None:
    chain = chain_of(chain="circulant")
    data = views.generated_text(chain, {"plain": {"method": "direct"}}, starts=(0, 50), length=20, seed=4)
    text = generate_text(chain.transition, chain.prompt, 80, 4)[len(chain.prompt) :]
    assert data.token.values[0, 0].tolist() == text[:20].tolist()
    assert data.token.values[0, 1].tolist() == text[50:70].tolist()
