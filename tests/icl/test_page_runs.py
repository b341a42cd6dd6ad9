"""What the page trains and draws: the surface of aligned prompts by sampling, layers that land, and their keys."""

from __future__ import annotations

import numpy as np
import pytest
from xarray import Dataset

from theory.core.errors import BenchError, Cancelled
from theory.icl.aligned_surface import AlignedSurface, alignment_surface, retrieval_surface
from theory.icl.claims.best_steps import best_step
from theory.icl.data import draw
from theory.icl.low_rank import low_rank_risks
from theory.icl.optimum import independent_optimum
from theory.icl.parameters import Params
from theory.icl.retrieval import alignment_optimum, rag_optimum
from theory.icl.simulation import layers as landing
from theory.icl.simulation import page_runs as layer_runs

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


def test_layers_land_on_the_predicted_step_as_they_are_watched() -> None:
    params = Params(dim=3, context_length=8)
    problem = draw(params, 0)
    seen: list[tuple[float, Dataset]] = []
    found = landing.landed(params, problem, lambda fraction, data: seen.append((fraction, data)), never, [3, 8])
    assert found.n.values.tolist() == [3, 3, 8, 8, 8, 8]
    for n, step, measured, error in zip(
        found.n.values, found.preconditioner.values, found.risk.values, found.standard_error.values, strict=True
    ):
        best = best_step(params.model_copy(update={"context_length": int(n)}), problem, weighted=False)
        assert np.abs(step - best.preconditioner).max() < 0.1 * np.abs(best.preconditioner).max()
        assert abs(measured - best.risk) < 4 * error + 0.02 * best.risk
    assert seen
    assert "risk" not in seen[0][1]
    assert found.path.sizes["time"] == found.done.size


def test_a_layer_does_not_depend_on_its_neighbours() -> None:
    params = Params(dim=2, context_length=12)
    problem = draw(params, 0)
    pair = landing.landed(params, problem, lambda *_: None, never, [8, 12])
    more = landing.landed(params, problem, lambda *_: None, never, [8, 10, 12])
    first = [data.preconditioner.values[data.n.values == 12][0] for data in (pair, more)]
    assert np.allclose(*first, rtol=1e-4)


def test_the_key_says_what_training_depends_on() -> None:
    params = Params(dim=3)
    problem = draw(params, 0)
    key = landing.landed_key(params, problem)
    for name, value in {"context_length": 33, "step_size": 0.2, "alignment": 0.9, "task_correlation": 0.1}.items():
        assert landing.landed_key(params.model_copy(update={name: value}), problem) == key
    for name, value in {"noise_variance": 1.0, "design": "rag", "features": "signs", "task_mean": 1.0}.items():
        assert landing.landed_key(params.model_copy(update={name: value}), problem) != key


def test_training_stops_when_it_is_asked_to() -> None:
    params = Params(dim=3)
    with pytest.raises(Cancelled):
        landing.landed(params, draw(params, 0), lambda *_: None, lambda: True)


def test_trained_ranks_are_on_the_ladder() -> None:
    params = Params(dim=3, context_length=10)
    problem = draw(params, 0)
    found = layer_runs.rank_layers(params, problem, lambda _: None, never)
    ladder = low_rank_risks(problem.spectrum[0], 10, params.noise_variance)
    for rank, measured, error in zip(found["rank"], found.risk, found.standard_error, strict=True):
        assert abs(float(measured) - ladder[int(rank)]) < 4 * float(error) + 0.02 * ladder[int(rank)]


def test_other_lengths_are_measured_on_the_layers_of_one() -> None:
    params = Params(dim=3, context_length=6, n_test=12)
    problem = draw(params, 0)
    found = layer_runs.length_layers(params, problem, lambda *_: None, never)
    assert found.test_length.values[-1] == 24
    near = int(np.abs(found.test_length.values - 6).argmin())
    best = float(independent_optimum(problem.spectrum[0], 6, params.noise_variance).risk)
    assert np.abs(found.risk.values[:, near] / best - 1).max() < 0.35


def test_prompts_too_long_for_a_page_are_refused() -> None:
    params = Params(dim=3, context_length=200)
    for run in (layer_runs.h3_layers, layer_runs.softmax_layers):
        with pytest.raises(BenchError, match="context_length = 200"):
            run(params, draw(params, 0), lambda _: None, never)
