"""A room small enough to know every answer: a coin (replicated over seeds) and an identity (over instances)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from xarray import Dataset

from theory.core import catalog
from theory.core.compare import default_compare
from theory.core.errors import Cancelled, DataError
from theory.core.parameters import Parameters, array, choice, number
from theory.core.problem import Problem
from theory.core.vocabulary import Assumption, Check, Claim, Emit, Experiment, Paper, Plan, Replicate, Rival, Room, Stop
from theory.shared.statistics import mean_of, variables

runs: list[int] = []
"""The number of replicates of every call of an experiment, newest last."""


class Params(Parameters):
    probability: float = number(0.5, 0.0, 1.0, symbol="p", label="p", description="of heads", spec_names=("p",))
    flips: int = number(
        400, 10, 100_000, scale="log10", symbol="n", label="n", description="flips", log10_name="log10_flips"
    )
    size: int = number(5, 2, 50, symbol="m", label="m", description="numbers", spec_names=("m",))
    mode: Literal["normal", "diverge", "crash", "memory"] = choice(
        "normal", ("normal", "diverge", "crash", "memory"), symbol="mode", label="mode", description="what happens"
    )
    values: tuple[float, ...] | None = array(symbol="x", label="x", description="a list of numbers", spec_names=("x",))
    data_seed: int = number(0, 0, 999, symbol="seed", label="seed", description="which data", spec_names=("seed",))


@dataclass(frozen=True, eq=False)
class Numbers(Problem):
    values: npt.NDArray[np.float64]


Replicates = Sequence[Replicate[Numbers]]


def draw(params: Params, data_seed: int) -> Numbers:
    if params.values is not None:
        return Numbers(np.array(params.values))
    return Numbers(np.random.default_rng(data_seed).normal(size=params.size))


def load(content: bytes, filename: str, params: Params) -> Numbers:
    try:
        return Numbers(np.array(json.loads(content), dtype=float))
    except ValueError:
        raise DataError("not_numbers", f"{filename} is not a list of numbers.") from None


def bounds(params: Params) -> dict[str, tuple[float, float]]:
    return {"size": (2, params.flips)}


def flip(params: Params, replicates: Replicates, device: str, emit: Emit, stop: Stop) -> list[Dataset]:
    runs.append(len(replicates))
    emit(0.5, None)
    if stop():
        raise Cancelled
    if params.mode == "crash":
        raise RuntimeError("a bug")
    if params.mode == "memory":
        raise MemoryError
    results: list[Dataset] = []
    for replicate in replicates:
        heads = np.random.default_rng(replicate.seed).binomial(params.flips, params.probability)
        results.append(Dataset({"heads": ((), heads / params.flips, {"units": "1"})}))
        if params.mode == "diverge" and replicate.seed == 2:
            results[-1] = Dataset(attrs={"not_run": "Seed 2 diverged at step 7."})
    return results


def square(params: Params, replicates: Replicates, device: str, emit: Emit, stop: Stop) -> list[Dataset]:
    runs.append(len(replicates))
    return [Dataset({"variance": np.var(replicate.problem.values)}) for replicate in replicates]


def heads_of(extra: float) -> Any:
    def predict(params: Params, problem: Numbers) -> Dataset:
        attrs = {"units": "1", "long_name": "share of heads", "spec_name": "p_hat"}
        bound = ("side", np.array([np.inf, np.nan]), {"not_measured": "a limit"})
        return Dataset({"heads": ((), params.probability + extra, attrs), "bound": bound})

    return predict


def measure_heads(params: Params, problem: Numbers, raw: Dataset) -> Dataset:
    return Dataset(variables("heads", (), mean_of(raw["heads"].values)))


def compare_heads(params: Params, problem: Numbers, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    (found,) = default_compare(prediction, measured, 0.15, "flips")
    return (replace(found, name="share"),)


def variance_with(ddof: int) -> Any:
    def predict(params: Params, problem: Numbers) -> Dataset:
        x = problem.values
        variance = (np.sum(x**2) - x.sum() ** 2 / x.size) / (x.size - ddof)
        return Dataset({"variance": variance, "variance_allowance": 1e-9})

    return predict


def mutate(prediction: Dataset, amount: float) -> Dataset:
    return prediction.map(lambda values: values + 2 * amount, keep_attrs=True)


def fair(params: Params, problem: Numbers) -> tuple[Assumption, ...]:
    return (Assumption("not a certain coin", 0 < params.probability < 1, f"p = {params.probability:g}"),)


def positive_sum(params: Params, problem: Numbers) -> tuple[Assumption, ...]:
    total = float(problem.values.sum())
    return (Assumption("positive sum", total > 0, f"the sum is {total:.3g}"),)


COIN = Experiment(
    "coin",
    frozenset({"probability", "flips", "mode"}),
    "seed",
    lambda params, problem, seeds: Plan(0.0, 0, "seed"),
    flip,
)
VARIANCE = Experiment(
    "variance",
    frozenset(),
    "instance",
    lambda params, problem, seeds: Plan(0.0, 0, "instance"),
    square,
)
HEADS = Claim(
    id="heads",
    title="The share of heads is the probability",
    statement="A coin of probability p shows heads in a share p of its flips.",
    latex=r"\mathbb{E} \hat p = p",
    source="ours",
    kind="theorem",
    defaults={"flips": 500},
    uses=frozenset({"probability"}),
    resolution=0.15,
    assumptions=fair,
    predict=heads_of(0.0),
    measure=measure_heads,
    compare=compare_heads,
    mutate=mutate,
    experiment=COIN,
    rivals=(Rival("too many", heads_of(0.4), {"probability": 0.3}, "adds 0.4"),),
)
IDENTITY = Claim(
    id="identity",
    title="The variance is the mean square minus the squared mean",
    statement="The two ways to write a variance agree.",
    latex=r"\sigma^2 = \overline{x^2} - \bar x^2",
    source="ours",
    kind="extension",
    defaults={},
    uses=frozenset({"size", "values"}),
    resolution=1e-3,
    assumptions=positive_sum,
    predict=variance_with(0),
    mutate=mutate,
    experiment=VARIANCE,
    rivals=(Rival("unbiased", variance_with(1), {"size": 4}, "divides by n - 1"),),
)
SEEN = Claim(
    id="seen",
    title="How many heads are seen",
    statement="Nothing is claimed.",
    latex=r"\hat p",
    source="ours",
    kind="observation",
    defaults={},
    uses=frozenset({"probability"}),
    resolution=1.0,
    assumptions=fair,
    predict=heads_of(0.0),
    measure=measure_heads,
    compare=compare_heads,
    mutate=mutate,
    experiment=COIN,
)
PAPER = Paper("A. Author", "On coins", 2024, "Journal of Coins", "0000.00000", "@article{coins}")
ROOM = Room(
    id="toy",
    title="Coins",
    finding="Coins are fair",
    paper=PAPER,
    Params=Params,
    claims=(HEADS, IDENTITY, SEEN),
    draw=draw,
    load=load,
    bounds=bounds,
)


def install(monkeypatch: pytest.MonkeyPatch, room: Room[Any, Any] = ROOM) -> None:
    """Make this the only room, for one test."""
    monkeypatch.setattr(catalog, "room_ids", lambda: (room.id,))
    monkeypatch.setattr(catalog, "room", lambda room_id: room)
    runs.clear()
