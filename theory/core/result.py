"""What a check found: the instances behind a verdict and everything that was said and measured about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import xarray as xr
from xarray import Dataset

from theory.core.problem import Problem
from theory.core.vocabulary import AnyClaim, Assumption, Verdict


@dataclass(frozen=True)
class Instance:
    """One data set with everything that was said and measured about it; ``raw`` is None when it was not run.

    ``measured`` has the names and dimensions of ``prediction``; it is None where ``raw`` says why there is no result.
    """

    problem: Problem
    assumptions: tuple[Assumption, ...]
    prediction: Dataset
    raw: Dataset | None = None
    measured: Dataset | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Result:
    """A checked claim: the verdict, the instances behind it, the rivals on the same raw data, and what it took."""

    claim: AnyClaim
    params: Any
    seeds: int
    device: str
    verdict: Verdict
    instances: tuple[Instance, ...]
    rivals: Mapping[str, Verdict] = field(default_factory=dict[str, Verdict])
    seconds: float = 0.0
    computed: int = 0
    notes: tuple[str, ...] = ()

    @property
    def shown(self) -> Instance:
        """The instance at ``data_seed`` itself: the one a figure shows."""
        return self.instances[0]

    @property
    def assumptions(self) -> tuple[Assumption, ...]:
        return self.shown.assumptions

    @property
    def prediction(self) -> Dataset:
        return self.shown.prediction

    @property
    def measurement(self) -> Dataset | None:
        """What was measured, under the names of :attr:`prediction` and ``<name>_se``; None when nothing ran."""
        return self.shown.measured

    @property
    def raw(self) -> Dataset | None:
        """What the experiment recorded, with a leading dimension ``seed``; None when nothing could be run.

        For a claim that replicates over instances, ``seed`` counts the judged instances.
        """
        raws = [instance.raw for instance in self.instances if instance.raw is not None]
        if not raws:
            return None
        return raws[0] if "seed" in raws[0].dims else stack(raws)


def stack(raws: Sequence[Dataset]) -> Dataset:
    """Replicates along ``seed``; one that could not be run says so for all of them."""
    failed = [raw for raw in raws if "not_run" in raw.attrs]
    ran = [raw for raw in raws if "not_run" not in raw.attrs] or failed[:1]
    stacked = xr.concat(
        ran, "seed", data_vars="all", coords="different", compat="equals", join="outer", combine_attrs="override"
    )
    return stacked.assign_attrs(not_run=failed[0].attrs["not_run"]) if failed else stacked
