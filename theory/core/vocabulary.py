"""The vocabulary of the project: a theorem is an object that predicts, is tested, and can be refuted.

A :class:`Room` holds one paper's parameter model and its claims. A :class:`Claim` predicts labelled arrays from a
:class:`~theory.core.problem.Problem`, names the assumptions it needs, measures the same arrays in what an
:class:`Experiment` found, and compares the two. A :class:`Rival` is a wrong formula that the comparison must reject.

All are generic over a room's parameters ``P`` and its data type ``D``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Generic, Literal, TypeVar

from xarray import Dataset

from theory.core.parameters import Parameters
from theory.core.problem import Problem

P = TypeVar("P", bound=Parameters)
D = TypeVar("D", bound=Problem)
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


@dataclass(frozen=True, kw_only=True)
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
class Replicate(Generic[D]):
    """One unit of replication: a problem and the seed of the randomness inside the experiment."""

    problem: D
    seed: int


Run = Callable[[P, Sequence[Replicate[D]], str, Emit, Stop], list[Dataset]]
Predict = Callable[[P, D], Dataset]
Compare = Callable[[P, D, Dataset, Dataset], tuple[Check, ...]]


@dataclass(frozen=True)
class Experiment(Generic[P, D]):
    """A computation that shares no code with the predictions it tests; several claims can judge one experiment.

    ``run(params, replicates, device, emit, stop)`` returns one Dataset per replicate, in order, and raises
    :class:`Cancelled` when ``stop()`` turns true. ``uses`` names the parameters that enter besides the problem: only
    these are in the store's key, and ``run`` cannot read others. ``replication`` says what a seed is: a replicate of
    the randomness inside the experiment (``"seed"``) or, for a deterministic experiment, another instance
    (``"instance"``).
    """

    id: str
    uses: frozenset[str]
    replication: Literal["seed", "instance"]
    plan: Callable[[P, D, int], Plan]
    run: Run[P, D]


@dataclass(frozen=True)
class Rival(Generic[P, D]):
    """A slip that a careful person makes, and parameters (a witness) at which the verdict must reject it."""

    name: str
    predict: Predict[P, D]
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
class Symbol:
    """What a symbol of a formula means, and the parameter or the predicted variable that it is ("" when neither)."""

    means: str
    name: str = ""


def as_found(params: Any, problem: Any, raw: Dataset) -> Dataset:
    """The measurement of an experiment that records the predicted variables themselves."""
    return raw


@dataclass(frozen=True, kw_only=True)
class Claim(Generic[P, D]):
    """A statement that predicts, is tested and can be refuted.

    ``predict`` returns the variables of the statement, each with ``<name>_allowance`` where theory derives what finite
    size, steps or discretisation leave. ``measure`` returns the same names and dimensions from the raw Dataset of the
    experiment, with ``<name>_se`` where something was sampled; further variables are evidence for ``compare``. A
    predicted variable that nothing measures says why in its attribute ``not_measured``. Raw is one replicate's Dataset
    when the experiment replicates over instances, has all replicates along a leading dimension ``seed`` otherwise, and
    is empty without an experiment: an exact identity, which ``measure`` checks by brute force.

    ``compare`` turns the two Datasets into checks; by default it takes each shared variable
    (:func:`theory.core.compare.default_compare`). ``mutate(prediction, amount)`` perturbs the prediction so that its
    deviation moves by at least ``amount``: the mutation test uses it to see the verdict fail. ``uses`` names the
    parameters that ``assumptions``, ``predict`` and ``rivals`` read; ``measure`` and ``compare`` may also read those of
    the experiment.
    """

    id: str
    title: str
    short: str = ""
    """The title in at most 22 letters, for lists."""
    statement: str
    latex: str
    symbols: Mapping[str, Symbol] = field(default_factory=dict[str, Symbol])
    """LaTeX symbol of the formula -> what it means."""
    source: str
    kind: Kind
    defaults: Mapping[str, object]
    uses: frozenset[str]
    resolution: float
    assumptions: Callable[[P, D], tuple[Assumption, ...]]
    predict: Predict[P, D]
    measure: Callable[[P, D, Dataset], Dataset] = as_found
    compare: Compare[P, D] | None = None
    mutate: Callable[[Dataset, float], Dataset]
    experiment: Experiment[P, D] | None
    rivals: tuple[Rival[P, D], ...] = ()
    power: str = ""
    """Measured false-alarm rate and power, as text for the report."""

    @property
    def replication(self) -> Literal["seed", "instance"]:
        """What a seed is; an exact identity replicates over instances."""
        return "instance" if self.experiment is None else self.experiment.replication

    @property
    def reads(self) -> frozenset[str]:
        """All parameters that enter a check besides the problem."""
        return self.uses | (frozenset[str]() if self.experiment is None else self.experiment.uses)


def every_parameter(params: Parameters) -> frozenset[str]:
    """The names of all parameters: what a room shows when each of them matters everywhere."""
    return frozenset(type(params).model_fields)


@dataclass(frozen=True, kw_only=True)
class Room(Generic[P, D]):
    """One paper: its parameter model, its data, its claims."""

    id: str
    title: str
    finding: str
    paper: Paper
    Params: type[P]
    claims: tuple[Claim[P, D], ...]
    draw: Callable[[P, int], D]
    load: Callable[[bytes, str, P], D]
    """``load(content, filename, params)``: a person's own data becomes the same type as generated data."""
    bounds: Callable[[P], dict[str, tuple[float, float]]]
    presets: tuple[Preset, ...] = ()
    active: Callable[[P], frozenset[str]] = every_parameter
    """Names of the parameters that matter at these values: controls of the others are hidden."""
    symbols: Mapping[str, Symbol] = field(default_factory=dict[str, Symbol])
    """Symbols that several claims of the room share; a claim's own come first."""


AnyClaim = Claim[Any, Any]
AnyRoom = Room[Any, Any]
AnyRival = Rival[Any, Any]
