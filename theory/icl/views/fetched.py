"""Trained layers for a picture, through the store."""

from __future__ import annotations

import json

from xarray import Dataset

from theory.core import runs
from theory.core.errors import BenchError
from theory.core.result import stack
from theory.core.vocabulary import Emit, Experiment, Replicate, Stop
from theory.icl.data import active
from theory.icl.experiments.descent import factored
from theory.icl.experiments.layers import curve_layers
from theory.icl.experiments.prompts import LAW
from theory.icl.parameters import Params
from theory.icl.problem import Regression

DESCENTS = 2


def fetched(
    experiment: Experiment[Params, Regression], params: Params, problem: Regression, emit: Emit, stop: Stop
) -> Dataset:
    """The first replicate of an experiment; parameters that cannot act count as their defaults."""
    idle = {name: Params.model_fields[name].default for name in LAW - active(params)}
    found, _ = runs.fetch(experiment, params.model_copy(update=idle), [Replicate(problem, 0)], emit=emit, stop=stop)
    return found[0]


def landed(params: Params, problem: Regression, emit: Emit, stop: Stop) -> Dataset:
    """Attention layers at several context lengths, which know by ``trained`` what they were trained for."""
    about = {"trained": landed_key(params, problem)}

    def watched(fraction: float, found: Dataset | None) -> None:
        emit(fraction, None if found is None else found.assign_attrs(about))

    return fetched(curve_layers, params, problem, watched, stop).assign_attrs(about)


def landed_key(params: Params, problem: Regression) -> str:
    """What the layers of :func:`landed` depend on: the context length is not in it, each layer has its own."""
    values = params.model_dump(include=set((LAW - {"context_length"}) & active(params)))
    return json.dumps([problem.fingerprint, values], sort_keys=True)


def descents(params: Params, problem: Regression, emit: Emit, stop: Stop) -> Dataset:
    """Gradient descent over factors from small starts.

    Raises:
        BenchError: it diverged.
    """
    replicates = [Replicate(problem, seed) for seed in range(DESCENTS)]
    found = stack(runs.fetch(factored, params, replicates, emit=emit, stop=stop)[0])
    if "not_run" in found.attrs:
        raise BenchError(str(found.attrs["not_run"]))
    return found
