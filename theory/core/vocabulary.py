"""The vocabulary of the project: a theorem is an object that predicts, is tested, and can be refuted.

A :class:`Room` holds one paper's parameter model and its claims. A :class:`Claim` predicts labelled arrays from a
:class:`~theory.core.problem.Problem`, names the assumptions it needs, and compares its prediction with what an
:class:`Experiment` measured. A :class:`Rival` is a wrong formula that the same comparison must reject.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal

from xarray import Dataset

from theory.core.parameters import Parameters
from theory.core.problem import Problem

Status = Literal["holds", "fails", "inconclusive", "outside_assumptions", "observed", "not_run"]
Kind = Literal["theorem", "extension", "observation"]
Emit = Callable[[float, Dataset | None], None]
"""Progress: a fraction in [0, 1] and, when there is one, a partial result of the first replicate."""
Stop = Callable[[], bool]


@dataclass(frozen=True)
class Paper:
    """Bibliographic facts of the paper that a room tests."""

    authors: str
    title: str
    year: int
    venue: str
    arxiv: str
    bibtex: str


@dataclass(frozen=True)
class Assumption:
    """One hypothesis of a theorem, decided on the data at hand, with the numbers that say so."""

    name: str
    holds: bool
    detail: str


@dataclass(frozen=True)
class Check:
    """One comparison of prediction and measurement.

    ``deviation`` should lie in ``allowance`` widened by the sampling error; ``resolution`` is the smallest deviation
    that the claim promises to notice. An exact comparison has ``standard_error`` 0. A one-sided bound has an infinite
    end in ``allowance``.
    """

    name: str
    deviation: float
    allowance: tuple[float, float]
    resolution: float
    standard_error: float = 0.0
    dof: float = inf
    replicates: int = 1
    raise_hint: str = "steps"
    """The parameter to raise when the allowance, not the sampling error, hides the answer."""


@dataclass(frozen=True)
class JudgedCheck:
    """A check with its margin: what :func:`theory.core.judge.judge` decided and why, in one sentence."""

    check: Check
    status: Status
    margin: tuple[float, float]
    explanation: str


@dataclass(frozen=True)
class Verdict:
    """The outcome of a claim: the worst of its checks, explained in one sentence with its numbers."""

    status: Status
    checks: tuple[JudgedCheck, ...]
    explanation: str


@dataclass(frozen=True)
class Plan:
    """What an experiment will cost: predicted wall seconds on one core, peak bytes, and its unit of replication."""

    seconds: float
    bytes: int
    unit: str


@dataclass(frozen=True)
class Replicate:
    """One unit of replication: a problem and the seed of the randomness inside the experiment."""

    problem: Problem
    seed: int


Run = Callable[[Any, Sequence[Replicate], str, Emit, Stop], list[Dataset]]


@dataclass(frozen=True)
class Experiment:
    """A computation that shares no code with the predictions it tests; several claims can judge one experiment.

    ``run(params, replicates, device, emit, stop)`` returns one Dataset per replicate, in order, and raises
    :class:`Cancelled` when ``stop()`` turns true. ``uses`` names the parameters that enter besides the
    problem: only these are in the store's key. ``replication`` says what a seed is: a replicate of the randomness
    inside the experiment (``"seed"``) or, for a deterministic experiment, another instance (``"instance"``).
    ``modules`` are the modules whose source decides the result.
    """

    id: str
    uses: frozenset[str]
    replication: Literal["seed", "instance"]
    plan: Callable[[Any, Problem, int], Plan]
    run: Run
    modules: tuple[str, ...]


Predict = Callable[[Any, Any], Dataset]
Compare = Callable[[Any, Any, Dataset, Dataset], tuple[Check, ...]]


@dataclass(frozen=True)
class Rival:
    """A slip that a careful person makes, and parameters (a witness) at which the verdict must reject it."""

    name: str
    predict: Predict
    witness: Mapping[str, object]
    slip: str
    """What the wrong formula does, in a few words: the label on the verdict ruler's explanation."""


@dataclass(frozen=True)
class Preset:
    """A named point of parameter space worth visiting, and what it shows."""

    name: str
    title: str
    values: Mapping[str, object]
    shows: str
    breaks: bool = False
    """True when the preset leaves a claim's assumptions on purpose (the section *Break it*)."""
    claim: str = ""
    """Id of the claim that the preset is about; "" keeps the claim that is shown."""


@dataclass(frozen=True)
class Claim:
    """A statement that predicts, is tested and can be refuted.

    ``compare`` receives one replicate's raw Dataset when the experiment replicates over instances, and all replicates
    along a leading dimension ``seed`` otherwise. ``mutate(prediction, amount)`` perturbs the prediction so that its
    deviation moves by at least ``amount``: the mutation test uses it to see the verdict fail.
    """

    id: str
    title: str
    statement: str
    latex: str
    source: str
    kind: Kind
    defaults: Mapping[str, object]
    uses: frozenset[str]
    resolution: float
    assumptions: Callable[[Any, Any], tuple[Assumption, ...]]
    predict: Predict
    compare: Compare
    mutate: Callable[[Dataset, float], Dataset]
    experiment: Experiment
    rivals: tuple[Rival, ...] = ()
    presets: tuple[str, ...] = ()
    version: int = 1
    power: str = ""
    """Measured false-alarm rate and power, as text for the report."""


def every_parameter(params: Parameters) -> frozenset[str]:
    """The names of all parameters: what a room shows when each of them matters everywhere."""
    return frozenset(type(params).model_fields)


@dataclass(frozen=True)
class Room:
    """One paper: its parameter model, its data, its claims."""

    id: str
    title: str
    finding: str
    paper: Paper
    Params: type[Parameters]
    claims: tuple[Claim, ...]
    draw: Callable[[Any, int], Problem]
    load: Callable[[bytes, str, Any], Problem]
    """``load(content, filename, params)``: a person's own data becomes the same type as generated data."""
    bounds: Callable[[Any], dict[str, tuple[float, float]]]
    presets: tuple[Preset, ...] = field(default=())
    active: Callable[[Any], frozenset[str]] = every_parameter
    """Names of the parameters that matter at these values: controls of the others are hidden."""
