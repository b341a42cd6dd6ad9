"""How this room's experiments run: one replicate after another, with progress inside each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xarray import Dataset

from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain
from theory.core.vocabulary import Emit, Replicate, Run, Stop
from theory.shared.experiments import each

Told = Callable[[float], None]
One = Callable[[Params, Chain, int, Told, Stop], Dataset]


def in_turn(one: One) -> Run[Params, Chain]:
    """Run ``one(params, problem, seed, told, stop)`` for every replicate; ``told(fraction)`` says how far it is."""

    def run(
        params: Params, replicates: Sequence[Replicate[Chain]], device: str, emit: Emit, stop: Stop
    ) -> list[Dataset]:
        done = 0

        def next_one(replicate: Replicate[Chain]) -> Dataset:
            nonlocal done
            found = one(params, replicate.problem, replicate.seed, told, stop)
            done += 1
            return found

        def told(fraction: float) -> None:
            emit((done + fraction) / len(replicates), None)

        return each(replicates, next_one, emit, stop)

    return run


def with_logarithms(one: One) -> Run[Params, Chain]:
    """The same for what needs log P: a chain with zeros has no attention weights and says so."""

    def checked(params: Params, chain: Chain, seed: int, told: Told, stop: Stop) -> Dataset:
        return one(params, chain, seed, told, stop) if full(chain) else no_logarithms()

    return in_turn(checked)


def on_instances(measure: Callable[[Params, Chain], Dataset]) -> Run[Params, Chain]:
    """The same for a deterministic ``measure(params, problem)`` that needs log P."""
    return with_logarithms(lambda params, chain, seed, told, stop: measure(params, chain))


def full(chain: Chain) -> bool:
    """Whether every entry of P is positive, so that its logarithm is finite."""
    return bool((chain.transition > 0).all())


def no_logarithms() -> Dataset:
    return Dataset(attrs={"not_run": "Not run: P has zeros, so log P is infinite."})
