"""The command ``theory``: list, show, predict and check claims.

Exit codes: 0 holds or observed, 1 fails, 2 bad input, 3 inconclusive or outside the assumptions, 4 not run,
70 internal error, 130 interrupted. Of many claims: the first that occurs in the order 70, 1, 4, 3, 0.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from threading import Event, current_thread, main_thread
from types import FrameType
from typing import Any, cast

from xarray import Dataset

from theory.cli import scaffold, terminal
from theory.cli.options import DEFAULT_SEEDS, parser, request, whole_number
from theory.core import bench, catalog, report
from theory.core.errors import BenchError, Cancelled, NoDevice
from theory.core.parameters import specs
from theory.core.store import Store, default_store, session_store
from theory.core.vocabulary import AnyClaim, Emit, Status

BAD_INPUT, NOT_RUN, INTERNAL, INTERRUPTED = 2, 4, 70, 130
EXIT: dict[Status, int] = {
    "holds": 0,
    "observed": 0,
    "fails": 1,
    "inconclusive": 3,
    "outside_assumptions": 3,
    "not_run": NOT_RUN,
}
WORST_FIRST = (INTERNAL, 1, NOT_RUN, 3, 0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            cast(Any, stream).reconfigure(errors="replace")
    try:
        options = parser().parse_args(given)
        with _interruptible() as options.interrupted:
            return COMMANDS[options.command](options)
    except BenchError as error:
        return _refuse(given, str(error), BAD_INPUT)
    except NoDevice as error:
        return _refuse(given, f"Not run: {error}.", NOT_RUN)
    except MemoryError as error:
        return _refuse(given, f"Not run: {str(error) or 'out of memory'}.", NOT_RUN)
    except (KeyboardInterrupt, Cancelled):
        return _refuse(given, "Interrupted.", INTERRUPTED)
    except Exception as error:
        return _refuse(given, _internal(error, "--debug" in given), INTERNAL)


def list_claims(options: argparse.Namespace) -> int:
    """``theory list``"""
    found = [(room, claim) for room in catalog.rooms() for claim in room.claims]
    if options.json:
        named = [{"claim": c.id, "id": catalog.canonical_id(c), "room": r.id} for r, c in found]
        about = [{"kind": c.kind, "title": c.title, "short": c.short} for _, c in found]
        _say(report.to_json([name | more for name, more in zip(named, about, strict=True)]))
    else:
        _say(terminal.list_text(catalog.rooms(), _style()))
    return 0


def show(options: argparse.Namespace) -> int:
    """``theory show CLAIM``"""
    claim = catalog.claim(options.claim)
    home = catalog.room_of(claim)
    params: Any = catalog.parameters(claim)
    assumptions = claim.assumptions(params, home.draw(params, params.data_seed))
    entering = [spec for spec in specs(home.Params) if spec.name in claim.reads]
    if options.json:
        _say(report.to_json(report.show_document(claim, params, assumptions, entering)))
    else:
        _say(terminal.show_text(claim, assumptions, entering, _style()))
    return 0


def predict(options: argparse.Namespace) -> int:
    """``theory predict CLAIM``"""
    asked = request(options)
    claim, params = asked.claim, asked.params
    problem = asked.problem or catalog.room_of(claim).draw(params, params.data_seed)
    assumptions, prediction = claim.assumptions(params, problem), claim.predict(params, problem)
    _note(asked.notes)
    if options.json:
        _say(report.to_json(report.prediction_document(claim, params, assumptions, prediction)))
    else:
        _say(terminal.prediction_text(claim, assumptions, prediction, _style()))
    return 0


def check(options: argparse.Namespace) -> int:
    """``theory check CLAIM`` and ``theory check --all``"""
    if options.all:
        return _check_all(options)
    if options.claim is None:
        raise BenchError("The name of a claim is missing: expected theory check CLAIM or theory check --all.")
    asked = request(options)
    _note(asked.notes)
    with _store(options, own_data=asked.problem is not None) as store, _progress(asked.claim.id) as emit:
        result = bench.check_claim(
            asked.claim,
            asked.params,
            asked.seeds,
            device=options.device,
            problem=asked.problem,
            store=store,
            emit=emit,
            stop=options.interrupted.is_set,
        )
    document = report.check_document(result) if options.json else {}
    if not options.json:
        _say(terminal.check_text(result, _style()))
    codes = [EXIT[result.verdict.status]]
    if options.rivals:
        document["witnesses"] = _check_rivals(asked.claim, asked.seeds, options, codes)
    if options.json:
        _say(report.to_json(document))
    return _worst(codes)


def _check_all(options: argparse.Namespace) -> int:
    refused = {"claim": options.claim, "--set": options.set, "--params": options.params, "--data": options.data}
    for name, value in (refused | {"--expect-data": options.expect_data}).items():
        if value:
            raise BenchError(
                f"{name} = {value} cannot be used with --all, which checks claims at their own parameters."
            )
    seeds = whole_number("seeds", options.seeds or DEFAULT_SEEDS)
    documents: list[report.Document] = []
    witnesses: list[report.Document] = []
    codes: list[int] = []
    for claim in catalog.claims():
        _obey(options)
        try:
            with _store(options) as store, _progress(claim.id) as emit:
                params = catalog.parameters(claim)
                result = bench.check_claim(
                    claim,
                    params,
                    seeds,
                    device=options.device,
                    store=store,
                    emit=emit,
                    stop=options.interrupted.is_set,
                )
            codes.append(EXIT[result.verdict.status])
            if options.json:
                documents.append(report.check_document(result))
            else:
                _say(terminal.check_text(result, _style()) + "\n")
            if options.rivals:
                witnesses += _check_rivals(claim, seeds, options, codes)
        except Cancelled:
            raise
        except Exception as error:
            codes.append(INTERNAL)
            documents.append({"claim": claim.id, "error": str(error)})
            sys.stderr.write(f"{claim.id}: {_internal(error, options.debug)}\n")
    code = _worst(codes)
    if options.json:
        _say(report.to_json({"results": documents, "witnesses": witnesses, "exit": code}))
    else:
        tally = ", ".join(f"{codes.count(c)} {meaning}" for c, meaning in MEANINGS.items() if c in codes)
        _say(_style().bold(f"{len(codes)} verdicts: {tally}."))
    return code


def _check_rivals(claim: AnyClaim, seeds: int, options: argparse.Namespace, codes: list[int]) -> list[report.Document]:
    """Judge every wrong formula at its witness; one that is not rejected counts as a failure."""
    documents: list[report.Document] = []
    for rival in claim.rivals:
        _obey(options)
        with _store(options) as store:
            verdict = bench.check_rival(claim, rival, seeds, store=store)
        codes.append(0 if verdict.status == "fails" else 1)
        documents.append({"claim": claim.id, "rival": rival.name} | report.verdict_document(verdict))
        if not options.json:
            _say(terminal.witness_text(claim, rival.name, verdict, _style()) + "\n")
    return documents


def store(options: argparse.Namespace) -> int:
    """``theory store show``, ``theory store prune`` and ``theory store path``"""
    kept = default_store()
    if options.limit_mb is not None and options.action != "prune":
        raise BenchError(f"--limit-mb = {options.limit_mb} acts with theory store prune alone.")
    if options.action == "path":
        _say(report.to_json({"path": str(kept.path)}) if options.json else str(kept.path))
        return 0
    if options.action == "prune":
        limit = None if options.limit_mb is None else whole_number("--limit-mb", options.limit_mb, 0, 10**6) * 10**6
        try:
            found = kept.prune(limit)
        except OSError as error:
            raise BenchError(f"The store at {kept.path} cannot be changed: {error.strerror}.") from None
    else:
        found = kept.usage()
    _say(
        report.to_json(report.plain(asdict(found) | {"path": str(found.path)}))
        if options.json
        else terminal.usage_text(found)
    )
    return 0


def new_room(options: argparse.Namespace) -> int:
    """``theory new-room NAME``"""
    written = scaffold.new_room(options.name)
    _say(
        report.to_json({"written": [str(path) for path in written]}) if options.json else terminal.written_text(written)
    )
    return 0


COMMANDS = {
    "list": list_claims,
    "show": show,
    "predict": predict,
    "check": check,
    "store": store,
    "new-room": new_room,
}
MEANINGS = {INTERNAL: "internal errors", 1: "failed", NOT_RUN: "not run", 3: "undecided or outside", 0: "as expected"}


def _worst(codes: Sequence[int]) -> int:
    return next((code for code in WORST_FIRST if code in codes), 0)


@contextmanager
def _interruptible() -> Generator[Event]:
    """Remember Ctrl-C: a KeyboardInterrupt raised inside a finaliser or a callback of a library is swallowed there."""
    interrupted = Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    if current_thread() is not main_thread():
        yield interrupted
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupted.is_set():
        raise KeyboardInterrupt


def _obey(options: argparse.Namespace) -> None:
    if options.interrupted.is_set():
        raise KeyboardInterrupt


@contextmanager
def _store(options: argparse.Namespace, own_data: bool = False) -> Generator[Store]:
    """The user's store; nothing measured on a person's own data outlives the command."""
    if options.no_store or own_data:
        with session_store() as store:
            yield store
    else:
        yield default_store()


@contextmanager
def _progress(name: str) -> Generator[Emit | None]:
    """A progress bar on a terminal, nothing in a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(
        total=100, desc=name, leave=False, bar_format="{desc} {bar} {percentage:3.0f} %  {remaining} left"
    ) as bar:

        def emit(fraction: float, partial: Dataset | None) -> None:
            bar.update(min(100 * fraction, 100.0) - bar.n)

        yield emit


def _style() -> terminal.Style:
    return terminal.Style(sys.stdout.isatty() and "NO_COLOR" not in os.environ)


def _say(text: str) -> None:
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has seen enough: the verdict is still the exit code
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _note(notes: Sequence[str]) -> None:
    for note in notes:
        sys.stderr.write(f"Note: {note}\n")


def _internal(error: Exception, debug: bool) -> str:
    if debug:
        return "".join(traceback.format_exception(error)).rstrip()
    return f"Internal error ({type(error).__name__}: {error}); --debug shows where."


def _refuse(given: Sequence[str], sentence: str, code: int) -> int:
    sys.stderr.write(sentence + "\n")
    if "--json" in given:
        _say(report.to_json({"error": sentence}))
    return code


if __name__ == "__main__":
    sys.exit(main())
