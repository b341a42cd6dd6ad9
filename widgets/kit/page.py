"""What the page of every room does: where a visitor stands, what runs for them, and figures with their numbers.

A :class:`Page` says what is particular about a room's page; a :class:`Visit` is one visitor on it. A notebook composes
both with the room's own figures; nothing here knows which room it serves.
"""

from __future__ import annotations

import hashlib
import html
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from xarray import Dataset

from theory.core import catalog
from theory.core.bench import check_claim
from theory.core.compare import named_alike
from theory.core.errors import BenchError
from theory.core.store import session_store
from theory.core.vocabulary import AnyClaim, AnyRoom, Assumption, Stop
from widgets.kit import controls, panel, sources, theme
from widgets.kit.claim_picture import claim_picture, picture_of
from widgets.kit.export import Upload

SEEDS = 8
"""Replicates behind the verdict of a page."""
CLAIM_CAPTION = "Lines are predicted; points are measured, with four standard errors; dotted lines are wrong formulas."
HEIGHT = 414
"""Pixels of a figure, for the place that it takes before it is there."""


@dataclass(frozen=True)
class Screen:
    """What the visitor's address says about the screen."""

    dark: bool = False
    narrow: bool = False

    @staticmethod
    def of(query: Mapping[str, Any]) -> Screen:
        """Read the keys ``theme`` and ``layout``."""
        return Screen(query.get("theme") == "dark", query.get("layout") == "narrow")


@dataclass(frozen=True)
class Shown:
    """A figure on the page: how to build it (dark, narrow), the numbers that it shows, and what to say below it.

    ``judged`` says whether the verdict of the page is about this figure.
    """

    name: str
    build: Callable[[bool, bool], Any]
    data: Mapping[str, Dataset]
    caption: str
    html: str = ""
    upload: Upload | None = None
    judged: bool = False


def show(
    name: str,
    build: Callable[[bool, bool], Any],
    data: Mapping[str, Dataset],
    caption: str,
    screen: Screen,
    upload: Upload | None = None,
    judged: bool = False,
) -> Shown:
    """Build a figure for the visitor's screen; ``upload`` is the person's own file that it shows."""
    fig = build(screen.dark, screen.narrow)
    below = f'<p class="bench-caption">{html.escape(caption)}</p>' if caption else ""
    return Shown(name, build, data, caption, panel.figure(fig, theme.figure_text(fig)) + below, upload, judged)


@dataclass(frozen=True)
class Page:
    """What is particular about a room's page.

    ``home`` is the claim of a bare address and ``opening`` its preset, ``sliders`` are the parameters shown first, and
    ``job(claim, params, problem)`` says what is measured when the controls rest: it reports ``raw`` (the run in the
    opening picture), ``result`` (the verdict) and ``extra`` (whatever else the room's figures show).
    """

    room_id: str
    home: str
    lead: str
    sliders: tuple[str, ...]
    job: Callable[[AnyClaim, Any, Any], panel.Job]
    opening: str = ""

    @property
    def room(self) -> AnyRoom:
        return catalog.room(self.room_id)


@dataclass(frozen=True)
class Now:
    """Where the controls stand: the claim with its assumptions, parameters, their problem, what to say about them.

    ``key`` is what a run belongs to: results of another claim, other parameters or other data are not shown.
    """

    claim: AnyClaim
    assumptions: tuple[Assumption, ...]
    params: Any
    problem: Any
    said: tuple[str, ...]
    key: str

    @property
    def statement(self) -> tuple[AnyClaim, tuple[Assumption, ...]]:
        """What the page says above the controls."""
        return self.claim, self.assumptions


@dataclass(frozen=True)
class Rested:
    """What the sections below the opening picture show: the last run that is over, and what it was about."""

    run: panel.Run
    params: Any
    problem: Any


@dataclass(frozen=True)
class Pinned:
    """A setting that is kept on the page while the sliders move."""

    shown: Shown
    params: Any
    result: Any


@dataclass
class Visit:
    """One visitor on a page: what must outlive a move of the controls."""

    page: Page
    point: controls.Point
    now: Now = field(init=False)
    stopped: threading.Event = field(default_factory=threading.Event)
    shown: Pinned | None = None
    _found: tuple[Any, Any] | None = field(default=None, init=False)
    _stands: tuple[controls.Point, dict[str, object]] | None = field(default=None, init=False)
    _publish: Callable[[panel.Run], None] | None = field(default=None, init=False)

    @staticmethod
    def of(page: Page, query: Mapping[str, Any]) -> Visit:
        """A visit that begins at an address."""
        bare = not set(query) - controls.VISITOR_KEYS
        start = {"preset": page.opening} if bare and page.opening else {}
        visit = Visit(page, controls.from_address(page.room, {**query, **start}, page.home))
        visit.follow(visit.point, {})
        return visit

    def follow(self, point: controls.Point, moved: Mapping[str, object]) -> Now:
        """Where the page stands at a point with some controls moved.

        Parameters that give no problem leave the page as it was, and the reason is said.
        """
        if self._stands == (point, moved):
            return self.now
        self._stands = point, dict(moved)
        room = self.page.room
        claim = controls.claim_of(room, point.claim)
        wanted, notes = controls.settle(room, point, moved)
        params, problem, trouble = self._drawn(wanted)
        said = (*point.notes, *notes, *trouble)
        self.now = Now(
            claim, claim.assumptions(params, problem), params, problem, said, _key_of(claim, params, problem)
        )
        return self.now

    def report_to(self, publish: Callable[[panel.Run], None], rest: Callable[[panel.Run], None]) -> None:
        """Send every update of a run to ``publish``, the last one also to ``rest``, whose readers are slow to draw."""
        self._publish = panel.also_when_over(publish, rest)

    def run(self, get: Callable[[], panel.Run]) -> panel.Run:
        """The run for where the page stands, as far as it is.

        A served page draws first and measures behind. Elsewhere (an export, a test) nothing is drawn a second time, so
        that the experiment comes first.
        """
        if not panel.is_served():
            self._start(lambda: None)
        return panel.current(get(), self.now.key)

    def measure(self, settled: Callable[[], None]) -> None:
        """Start the page's job for where it stands; ``settled()`` is called once the controls have rested."""
        if panel.is_served():
            self._start(settled)

    def _start(self, settled: Callable[[], None]) -> None:
        if self._publish is None:
            raise RuntimeError("report_to() says where results go, and comes first.")
        now, self.stopped = self.now, threading.Event()
        panel.run_in_background(
            now.key,
            self.page.job(now.claim, now.params, now.problem),
            self._publish,
            self.stopped,
            (now.params, now.problem),
            lambda _: settled(),
        )

    def address(self, point: controls.Point, shown: int | None) -> dict[str, str]:
        """The keys and values of the address of what the page shows."""
        page = self.page
        found = controls.address(page.room, replace(point, shown=shown), self.now.params, page.home)
        # A bare address would lead to the opening preset instead.
        return found or ({"claim": page.home} if page.opening else {})

    def rested(self, run: panel.Run) -> Rested:
        """The last run that is over with its subject; before the first, where the page stands."""
        params, problem = run.subject or (self.now.params, self.now.problem)
        return Rested(run, params, problem)

    def _drawn(self, params: Any) -> tuple[Any, Any, tuple[str, ...]]:
        """Parameters with their problem; those found last when these give none, and why."""
        room = self.page.room
        said: tuple[str, ...] = ()
        try:
            self._found = params, room.draw(catalog.validated(room, params), params.data_seed)
        except BenchError as error:
            said = (str(error),)
        if self._found is None:
            plain: Any = catalog.parameters(controls.claim_of(room, self.page.home))
            self._found = plain, room.draw(plain, plain.data_seed)
        return *self._found, said


def check_job(claim: AnyClaim, params: Any, problem: Any) -> panel.Job:
    """Measure the claim and nothing else: what a room's page does that shows the claim's own picture."""

    def work(report: panel.Report, stop: Stop) -> None:
        result = check_claim(claim, params, SEEDS, emit=lambda fraction, _: report(fraction), stop=stop)
        report(1.0, result=result)

    return work


def claim_talk(now: Now, run: panel.Run, screen: Screen) -> Shown:
    """The claim's own picture where the controls stand: what it predicts, and what was measured once that is known."""
    if run.result is not None:
        found = claim_figure(run, screen)
        assert isinstance(found, Shown)
        return found
    claim, prediction = now.claim, now.claim.predict(now.params, now.problem)
    rivals = {rival.name: rival.predict(now.params, now.problem) for rival in claim.rivals}
    return show(
        "claim",
        lambda dark, narrow: claim_picture(claim.title, prediction, None, rivals, dark=dark, narrow=narrow),
        {"prediction": prediction},
        CLAIM_CAPTION,
        screen,
    )


def claim_figure(run: panel.Run, screen: Screen) -> Shown | str:
    """The picture of the claim that a run judged, from the very numbers of its verdict; before that a sentence."""
    result = run.result
    if result is None:
        return panel.sentence(run.message or "The picture of the claim follows its verdict.")
    data = {"prediction": result.prediction}
    if result.measurement is not None:
        data["measurement"] = named_alike(result.prediction, result.measurement)
    return show(
        "claim",
        lambda dark, narrow: picture_of(result, dark=dark, narrow=narrow),
        data,
        f"{result.claim.title}. {CLAIM_CAPTION}",
        screen,
        judged=True,
    )


def study(
    page: Page, pasted: str, uploaded: Sequence[Any], rested: Rested, publish: Callable[[panel.Run], None]
) -> str:
    """Judge the page's claim on a person's own data; returns what the run belongs to, "" while nothing was given.

    Nothing measured on a person's own data outlives the run.
    """
    if not uploaded and not pasted.strip():
        return ""
    source = sources.source_of(pasted, uploaded)
    claim = rested.run.result.claim if rested.run.result else controls.claim_of(page.room, page.home)
    key = source.key(claim.id, rested.params)

    def work(report: panel.Report, stop: Stop) -> None:
        problem = page.room.load(source.content, source.name, rested.params)
        with session_store() as store:
            result = check_claim(claim, rested.params, SEEDS, problem=problem, store=store, stop=stop)
        report(1.0, result=result)

    panel.run_in_background(key, work, publish)
    return key


def measure_figure(
    which: str,
    rested: Rested,
    work: panel.Job,
    publish: Callable[[panel.Run], None],
    cancelled: threading.Event | None = None,
) -> str:
    """Measure what a figure of a section shows, once the page's own run is over; returns what the run belongs to."""
    key = f"{which} {rested.run.key}"
    if rested.run.key:
        if cancelled is not None:
            cancelled.clear()
        panel.run_in_background(key, work, publish, cancelled)
    return key


def measured_figure(which: str, run: panel.Run, screen: Screen, build: Callable[..., Any], caption: str) -> Shown | str:
    """What ``build(data, dark=, narrow=)`` makes of what a run found; before that a sentence in its place."""
    if run.extra is None:
        return panel.sentence(run.message) if run.message else panel.skeleton(HEIGHT)
    data: Dataset = run.extra
    shown = show(which, lambda dark, narrow: build(data, dark=dark, narrow=narrow), {which: data}, caption, screen)
    return replace(shown, html=shown.html + panel.sentence(run.message)) if run.message else shown


def _key_of(claim: AnyClaim, params: Any, problem: Any) -> str:
    said = json.dumps([claim.id, params.model_dump(), problem.fingerprint], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()
