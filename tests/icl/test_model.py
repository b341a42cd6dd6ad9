"""The models against their definitions, written out token by token, and prompts against their laws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from theory.core.errors import ParameterError
from theory.icl.data import draw
from theory.icl.model import MODELS, build, initial_weights, weights_of
from theory.icl.parameters import Params
from theory.icl.prompt_law import PromptLaw, law_of
from theory.icl.simulation.training_prompts import Sampler, generator_of

DIM, LENGTH, MODELS_AT_ONCE, PROMPTS = 3, 4, 2, 5


def law(**values: Any) -> PromptLaw:
    params = Params(**({"dim": DIM, "context_length": LENGTH, "noise_variance": 0.5} | values))
    return law_of(params, draw(params, 0))


def sampled(values: PromptLaw, seed: int, count: int, **options: Any) -> Any:
    return Sampler([values], [generator_of(seed)], dtype=torch.float64, **options).draw(count)


def tokens_of(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = generator_of(seed)
    shape = (MODELS_AT_ONCE, PROMPTS, LENGTH, DIM + 1)
    options: dict[str, Any] = {"generator": generator, "dtype": torch.float64}
    return torch.randn(shape, **options), torch.randn(MODELS_AT_ONCE, PROMPTS, DIM, **options)


def written_out(name: str, weights: dict[str, Any], tokens: Any, query: Any) -> float:
    """One prediction by loops over tokens and channels."""
    asked = np.append(query, 0.0)
    if name in ("preconditioner", "factored"):
        table = weights["weights"] if name == "preconditioner" else factored(weights)
        return sum(float(query @ table @ token[:-1]) * token[-1] for token in tokens)
    if name == "h3":
        total = 0.0
        for channel in range(DIM + 1):
            state = sum(
                weights["filter"][i] * (weights["key"][:, channel] @ z) * (weights["value"][:, channel] @ z)
                for i, z in enumerate(tokens)
            )
            total += weights["output"][channel] * (weights["query"][:, channel] @ asked) * state
        return float(total) / LENGTH
    scores = np.array([asked @ weights["query"] @ weights["key"].T @ z for z in tokens])
    values = np.array([z @ weights["value"] @ weights["output"] for z in tokens])
    if name == "attention":
        return float(scores @ values) / LENGTH
    attention = np.exp(scores - scores.max())
    return float(attention @ values / attention.sum())


def factored(weights: dict[str, Any]) -> Any:
    return weights["scale"] * (weights["left"] * weights["mask"]) @ weights["right"].T


@pytest.mark.parametrize("name", MODELS)
def test_a_batched_model_is_its_definition(name: str) -> None:
    tokens, query = tokens_of(1)
    own = [initial_weights(name, DIM, LENGTH, generator_of(seed), rank=2) for seed in range(MODELS_AT_ONCE)]
    if name == "preconditioner":
        own = [{"weights": torch.randn(DIM, DIM, dtype=torch.float64)} for _ in own]
    module = build(name, own, [LENGTH] * MODELS_AT_ONCE, dtype=torch.float64)
    found = module(tokens, query, torch.ones(MODELS_AT_ONCE, LENGTH, dtype=torch.bool)).detach().numpy()
    for model in range(MODELS_AT_ONCE):
        arrays = {part: value.numpy() for part, value in own[model].items()}
        for prompt in range(PROMPTS):
            expected = written_out(name, arrays, tokens[model, prompt].numpy(), query[model, prompt].numpy())
            assert found[model, prompt] == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_the_mask_bounds_the_rank_and_is_not_trained() -> None:
    own = initial_weights("factored", 5, 4, generator_of(0), rank=2)
    module = build("factored", [own], [4], dtype=torch.float64)
    assert torch.linalg.matrix_rank(module.preconditioner()).tolist() == [2]
    assert "mask" not in dict(module.named_parameters())
    assert set(weights_of(module, 0, 4)) == {"left", "right", "scale"}


def test_prompts_of_different_lengths_share_a_batch() -> None:
    laws = [law(context_length=2), law(context_length=5)]
    sampler = Sampler(laws, [generator_of(3), generator_of(4)], dtype=torch.float64)
    drawn = sampler.draw(7)
    assert sampler.present.sum(dim=1).tolist() == [2, 5] and sampler.present[0, -1]
    assert not drawn.tokens[0, :, :3].any()
    alone = sampled(laws[0], 3, 7)
    assert torch.allclose(drawn.tokens[0, :, 3:], alone.tokens[0])
    weights = [initial_weights("softmax", DIM, size, generator_of(9)) for size in (2, 5)]
    together = build("softmax", weights, [2, 5], dtype=torch.float64)(drawn.tokens, drawn.query, sampler.present)
    single = build("softmax", weights[:1], [2], dtype=torch.float64)(alone.tokens, alone.query)
    assert torch.allclose(together[0], single[0])


LAWS = [
    {"feature_decay": 1.0, "basis_rotation": 0.5},
    {"design": "rag", "alignment": 0.6},
    {"design": "rag", "alignment": 1.0},
    {"design": "alignment", "alignment": 0.6},
]


@pytest.mark.parametrize("length", [1, 2, 4, 9])
@pytest.mark.parametrize("values", LAWS, ids=str)
def test_statistics_have_the_law_of_the_examples(values: dict[str, Any], length: int) -> None:
    """Means and second moments of Z'Z, the task and the query, within 5 standard errors of entry-wise spreads."""
    count = 40_000
    found = []
    for statistics in (False, True):
        drawn = sampled(law(context_length=length, **values), 10 + statistics, count, statistics=statistics)
        table = (drawn.tokens[0].mT @ drawn.tokens[0]).flatten(1)
        every = torch.cat([table, drawn.task[0], drawn.query_mean[0], drawn.query[0]], dim=1)
        mean, square = every.mean(0), every.T @ every / count
        spread = ((every**2).T @ every**2 / count - square**2).clamp_min(0)
        found.append((mean, every.std(0), square, spread.sqrt()))
    (mean, deviation, square, spread), (other_mean, other_deviation, other_square, other_spread) = found
    scale = 5 * count**-0.5
    assert ((mean - other_mean).abs() <= scale * torch.hypot(deviation, other_deviation) + 1e-9).all()
    assert ((square - other_square).abs() <= scale * torch.hypot(spread, other_spread) + 1e-9).all()


@pytest.mark.parametrize("values", [*LAWS, {"design": "drift", "task_correlation": 0.5}], ids=str)
def test_the_integrated_query_is_the_average_over_queries(values: dict[str, Any]) -> None:
    """For directions that the context decides, the mean over one drawn query each agrees with the exact integral."""
    drawn = sampled(law(**values), 5, 60_000)
    correlation = (drawn.tokens[..., :-1] * drawn.tokens[..., -1:]).sum(dim=2)
    direction = 0.1 * correlation + 0.05 * drawn.tokens[..., :-1].sum(dim=2)
    integrated = drawn.error(direction)[0]
    off = ((drawn.task - direction) * drawn.query).sum(dim=2)[0] ** 2
    gap = (off - integrated).mean() / ((off - integrated).std() / len(off) ** 0.5 + 1e-12)
    assert abs(float(gap)) < 4.5


def test_tasks_drift_as_told() -> None:
    drawn = sampled(law(design="drift", spectrum_decay=0.0, task_correlation=0.5, noise_variance=0.0), 6, 40_000)
    products = (drawn.tokens[0, :, :, :-1] * drawn.tokens[0, :, :, -1:] * drawn.task[0][:, None]).mean(dim=0)
    assert np.allclose(products.mean(dim=1).numpy(), 0.5 ** np.arange(LENGTH, 0, -1), atol=0.03)


def test_signs_are_signs_and_their_query_too() -> None:
    drawn = sampled(law(features="signs"), 7, 50)
    assert torch.allclose(drawn.tokens[..., :-1].abs(), torch.ones(()).double())
    assert torch.allclose(drawn.query.abs(), torch.ones(()).double())


def test_bad_input_is_refused_by_name() -> None:
    with pytest.raises(ParameterError, match="model"):
        initial_weights("mamba", 2, 2, generator_of(0))
    with pytest.raises(ParameterError, match="rank"):
        initial_weights("factored", 2, 2, generator_of(0), rank=3)
    with pytest.raises(ParameterError, match="statistics"):
        Sampler([law(design="drift")], [generator_of(0)], statistics=True)
    with pytest.raises(ParameterError, match="dim"):
        Sampler([law(), law(dim=2)], [generator_of(0), generator_of(1)])
