"""What the page trains and draws: the surface of aligned prompts by sampling, layers that land, and their keys."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from xarray import Dataset

from theory.core.errors import BenchError, Cancelled
from theory.icl import views
from theory.icl.aligned_surface import AlignedSurface, alignment_surface, retrieval_surface
from theory.icl.claims.best_steps import best_step
from theory.icl.data import draw
from theory.icl.experiments import layers as page
from theory.icl.low_rank import low_rank_risks
from theory.icl.optimum import independent_optimum
from theory.icl.parameters import Params
from theory.icl.retrieval import alignment_optimum, rag_optimum
from theory.icl.simulation.layers import attention_layers

pytestmark = pytest.mark.slow

PROMPTS = 60_000
STEP = np.diag([0.05, 0.1, -0.02]) + 0.01


def risk(surface: AlignedSurface, step: np.ndarray) -> float:
    traces = np.trace(step), np.trace(step @ step)
    quadratic = surface.squared_trace * traces[0] ** 2 + surface.trace_of_square * traces[1]
    return float(surface.power - 2 * surface.linear * traces[0] + quadratic)


@pytest.mark.parametrize("design", ["rag", "alignment"])
def test_the_aligned_surface_is_that_of_sampled_prompts(design: str) -> None:
    dim, n, alpha, noise = 3, 5, 0.6, 0.3
    generator = np.random.default_rng(3)
    beta, drawn = generator.standard_normal((2, PROMPTS, dim))
    fresh = generator.standard_normal((PROMPTS, n, dim))
    if design == "rag":
        query, examples, gamma = drawn, alpha * drawn[:, None] + np.sqrt(1 - alpha**2) * fresh, 1.0
    else:
        query, examples, gamma = alpha * beta + drawn, alpha * beta[:, None] + fresh, (alpha**2 * dim + 1) ** -0.5
    labels = gamma * np.einsum("rnd,rd->rn", examples, beta)
    labels += np.sqrt(noise) * generator.standard_normal((PROMPTS, n))
    answer = np.einsum("rd,de,re->r", query, STEP, np.einsum("rnd,rn->rd", examples, labels))
    errors = (gamma * np.einsum("rd,rd->r", query, beta) - answer) ** 2 + noise
    surface = (retrieval_surface if design == "rag" else alignment_surface)(dim, n, alpha, noise)
    assert abs(errors.mean() - risk(surface, STEP)) < 4 * errors.std() / PROMPTS**0.5


@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("n", [1, 7, 50])
def test_the_bottom_of_the_aligned_surface_is_the_known_optimum(alpha: float, n: int) -> None:
    for surface, optimum in ((retrieval_surface, rag_optimum), (alignment_surface, alignment_optimum)):
        found, known = surface(4, n, alpha, 0.3), optimum(4, n, alpha, 0.3)
        assert np.isclose(found.lowest, known.risk)
        assert np.isclose(found.scale, known.c)


def never() -> bool:
    return False


def trained_at(params: Params, lengths: list[int], emit: Any = lambda *_: None) -> Dataset:
    return attention_layers(page.at_lengths(params, lengths), draw(params, 0), "cpu", emit, never)


def test_layers_land_on_the_predicted_step_as_they_are_watched() -> None:
    params = Params(dim=3, context_length=8)
    seen: list[tuple[float, Dataset]] = []
    found = trained_at(params, [3, 8], lambda fraction, data: seen.append((fraction, data)))
    assert found.n.values.tolist() == [3, 3, 8, 8, 8, 8]
    for n, step, measured, error in zip(
        found.n.values, found.preconditioner.values, found.risk.values, found.standard_error.values, strict=True
    ):
        here = params.model_copy(update={"context_length": int(n)})
        best = best_step(here, draw(params, 0), weighted=False)
        assert np.abs(step - best.preconditioner).max() < 0.1 * np.abs(best.preconditioner).max()
        assert abs(measured - best.risk) < 4 * error + 0.02 * best.risk
    assert seen
    assert "risk" not in seen[0][1]
    assert found.path.sizes["time"] == found.done.size


def test_a_layer_does_not_depend_on_its_neighbours() -> None:
    params = Params(dim=2, context_length=12)
    pair, more = trained_at(params, [8, 12]), trained_at(params, [8, 10, 12])
    first = [data.preconditioner.values[data.n.values == 12][0] for data in (pair, more)]
    assert np.allclose(*first, rtol=1e-4)


def test_the_key_says_what_training_depends_on() -> None:
    params = Params(dim=3)
    problem = draw(params, 0)
    key = views.landed_key(params, problem)
    for name, value in {"context_length": 33, "step_size": 0.2, "alignment": 0.9, "task_correlation": 0.1}.items():
        assert views.landed_key(params.model_copy(update={name: value}), problem) == key
    for name, value in {"noise_variance": 1.0, "design": "rag", "features": "signs", "task_mean": 1.0}.items():
        assert views.landed_key(params.model_copy(update={name: value}), problem) != key


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("theory.icl.simulation.layers.STEPS", 2)
    monkeypatch.setattr("theory.icl.simulation.layers.FEWEST_STEPS", 2)


@pytest.mark.usefixtures("cheap")
def test_layers_of_the_curve_come_from_the_store_unless_something_that_acts_has_changed() -> None:
    params, said = Params(dim=2, context_length=5, noise_variance=0.125), list[float]()

    def trains(**values: object) -> bool:
        said.clear()
        here = params.model_copy(update=values)
        found = views.landed(here, draw(params, 0), lambda fraction, _: said.append(fraction), never)
        assert found.attrs["trained"] == views.landed_key(here, draw(params, 0))
        return bool(said)

    assert trains()
    assert not trains()
    assert not trains(alignment=0.9, period=7)
    assert trains(noise_variance=0.375)


def test_training_stops_when_it_is_asked_to() -> None:
    params = Params(dim=3)
    with pytest.raises(Cancelled):
        views.landed(params, draw(params, 0), lambda *_: None, lambda: True)


def measured(experiment: Any, params: Params) -> Dataset:
    return views.fetched(experiment, params, draw(params, 0), lambda *_: None, never)


def test_trained_ranks_are_on_the_ladder() -> None:
    params = Params(dim=3, context_length=10)
    found = measured(page.rank_layers, params)
    ladder = low_rank_risks(draw(params, 0).spectrum[0], 10, params.noise_variance)
    for rank, risk, error in zip(found["rank"], found.risk, found.standard_error, strict=True):
        assert abs(float(risk) - ladder[int(rank)]) < 4 * float(error) + 0.02 * ladder[int(rank)]


def test_other_lengths_are_measured_on_the_layers_of_one() -> None:
    params = Params(dim=3, context_length=6, n_test=12)
    found = measured(page.length_layers, params)
    assert found.test_length.values[-1] == 24
    near = int(np.abs(found.test_length.values - 6).argmin())
    best = float(independent_optimum(draw(params, 0).spectrum[0], 6, params.noise_variance).risk)
    assert np.abs(found.risk.values[:, near] / best - 1).max() < 0.35


@pytest.mark.usefixtures("cheap")
def test_every_layer_of_a_page_reads_only_what_is_in_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "SOFTMAX_STEPS", 2)
    for design in ("independent", "rag", "alignment", "drift"):
        params = Params(dim=2, context_length=4, design=design, noise_variance=0.875)
        for experiment in (page.retrieval_layers, page.softmax_layers, page.h3_layers, page.own_length_layers):
            assert np.isfinite(measured(experiment, params).risk.values).all()


def test_prompts_too_long_for_a_page_are_refused() -> None:
    for experiment in (page.h3_layers, page.softmax_layers):
        with pytest.raises(BenchError, match="context_length = 200"):
            measured(experiment, Params(dim=3, context_length=200))
