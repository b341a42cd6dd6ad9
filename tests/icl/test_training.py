"""Training: batches do not mix, statistics train like examples, and trained layers land where the theory says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from theory.core.errors import Cancelled, ParameterError
from theory.icl.data import draw
from theory.icl.effective import effective_preconditioner
from theory.icl.optimum import independent_optimum, step_risk
from theory.icl.parameters import Params
from theory.icl.problem import Floats
from theory.icl.prompt_law import PromptLaw, law_of
from theory.icl.training import Trained, default_statistics, schedule, train

BASE: dict[str, Any] = {"dim": 3, "context_length": 8, "noise_variance": 0.25}


def law(**values: Any) -> PromptLaw:
    params = Params(**(BASE | values))
    return law_of(params, draw(params, 0))


def step_of(found: Trained) -> Floats:
    weights = [found.weights[name] for name in ("query", "key", "value", "output")]
    return effective_preconditioner(*weights, found.law.length)[0]


def excess(found: Trained, **values: Any) -> float:
    """Risk of the trained layer's step over the closed-form minimum, relative."""
    params = Params(**(BASE | values))
    problem = draw(params, 0)
    best = float(independent_optimum(problem.spectrum[0], params.context_length, params.noise_variance).risk)
    return float(step_risk(step_of(found), problem, params.context_length, params.noise_variance)) / best - 1


@pytest.mark.parametrize("model", ["attention", "h3", "preconditioner", "factored", "attention by statistics"])
def test_a_model_does_not_depend_on_its_neighbours(model: str) -> None:
    laws = [law(), law(noise_variance=1.0, spectrum_decay=0.0)]
    model, _, statistics = model.partition(" by ")
    options: dict[str, Any] = {"statistics": bool(statistics), "dtype": "float64"}
    alone = train(model, laws[1:], [5], 8, 16, **options)[0]
    together = train(model, laws, [4, 5], 8, 16, **options)[1]
    assert np.allclose(alone.losses, together.losses, rtol=1e-9)
    assert all(np.allclose(alone.weights[k], together.weights[k], rtol=1e-7, atol=1e-10) for k in alone.weights)


@pytest.mark.parametrize("statistics", [False, True])
def test_statistics_train_to_the_same_minimum_as_examples(statistics: bool) -> None:
    found = [excess(one) for one in train("attention", [law()] * 3, [0, 1, 2], 300, 128, statistics=statistics)]
    assert min(found) > -1e-6 and sorted(found)[1] <= 16 * 9 / (300 * 128)


def test_a_direct_preconditioner_and_a_factored_one_land_there_too() -> None:
    best = step_of(train("attention", [law()], [0], 300, 64)[0])
    direct = train("preconditioner", [law()], [0], 300, 64)[0].weights["weights"]
    factors = train("factored", [law()], [0], 300, 64)[0].weights
    product = factors["scale"] * factors["left"] @ factors["right"].T
    assert np.allclose(direct, best, atol=0.02) and np.allclose(product, best, atol=0.02)


def test_sampled_queries_train_softmax_and_integrated_ones_are_refused() -> None:
    found = train("softmax", [law(design="rag", alignment=0.9)], [0], 150, 64, query="sampled")[0]
    assert found.finite and found.losses[-30:].mean() < found.losses[:30].mean()
    with pytest.raises(ParameterError, match="query"):
        train("softmax", [law()], [0], 10, 16)


def test_values_at_random_can_end_in_a_poor_minimum_of_rank_one() -> None:
    """Why values start by reading the label: features as values are a minimum too, and a worse one (ours).

    At v = (v_x, 0), Q_xx = 0 the step is the rank-one ``q v_x'``. Making room for a second direction costs an even
    part, more than it gains while ``sqrt(n) M w_1 > lambda_2``: descent from nearby returns.
    """
    import torch

    from theory.icl.model import build
    from theory.icl.simulation.training_prompts import Sampler, generator_of

    tested = law(dim=5, context_length=10, spectrum_decay=3.0)
    params = Params(**(BASE | {"dim": 5, "context_length": 10, "spectrum_decay": 3.0}))
    problem = draw(params, 0)
    top = independent_optimum(problem.spectrum[0], 10, 0.25)
    size = 6
    weights = {name: np.zeros((size, size)) for name in ("query", "key", "value")} | {"output": np.zeros(size)}
    scale = (10 * float(top.weights[0])) ** 0.25
    weights["query"][0, 0], weights["key"][-1, 0] = scale, scale
    weights["value"][0, 0], weights["output"][0] = scale, scale
    generator = np.random.default_rng(0)
    weights = {name: value + 0.02 * generator.standard_normal(value.shape) for name, value in weights.items()}
    module = build("attention", [weights], [10])
    sampler = Sampler([tested], [generator_of(0)])
    adam = torch.optim.Adam(module.parameters(), lr=0.003)
    for _ in range(300):
        drawn = sampler.draw(256)
        adam.zero_grad()
        drawn.error(module.direction(drawn.tokens)).mean().backward()
        adam.step()
    arrays = [dict(module.named_parameters())[k].detach()[0].numpy() for k in ("query", "key", "value", "output")]
    step, _ = effective_preconditioner(*arrays, 10)
    risk = float(step_risk(step, problem, 10, 0.25))
    assert risk > 1.1 * float(top.risk)
    rest = float(top.risk) + float(np.sort(top.gain)[:-1].sum())
    assert risk == pytest.approx(rest, rel=0.02)


def test_statistics_are_chosen_where_they_pay() -> None:
    assert default_statistics("attention", [law(context_length=50)])
    assert not default_statistics("attention", [law()])
    assert not default_statistics("h3", [law(context_length=50)])
    assert not default_statistics("attention", [law(design="drift", context_length=50)])
    with pytest.raises(ParameterError, match="statistics"):
        train("h3", [law()], [0], 10, 16, statistics=True)


def test_schedule_warms_up_and_ends_at_nothing() -> None:
    rates = [schedule(step, 200) for step in range(200)]
    assert max(rates) == rates[49] == 1.0 and rates[0] < 0.1 and rates[-1] < 1e-3
    assert schedule(0, 1) == 1.0


def test_bad_input_and_cancelling() -> None:
    with pytest.raises(ParameterError, match="steps"):
        train("attention", [law()], [0], 0, 16)
    with pytest.raises(ParameterError, match="batch_size"):
        train("attention", [law()], [0], 10, 0)
    with pytest.raises(ParameterError, match="model"):
        train("rnn", [law()], [0], 10, 16)
    with pytest.raises(ParameterError, match="device"):
        train("attention", [law()], [0], 10, 16, device="tpu")
    with pytest.raises(Cancelled):
        train("attention", [law()], [0], 1000, 16, stop=lambda: True)
    assert train("attention", [], [], 10, 16) == []
