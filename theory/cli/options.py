"""The command line's input: options, parameter files and data files, with a sentence for whatever cannot be used."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn, cast

from theory.core import catalog
from theory.core.errors import BenchError, ParameterError
from theory.core.parameters import canonical, read_value
from theory.core.problem import Problem
from theory.core.vocabulary import AnyClaim

MAX_FILE_BYTES = 256 * 2**20
DEFAULT_SEEDS = 8


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are the same sentences as all others."""

    def error(self, message: str) -> NoReturn:
        raise BenchError(f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.")


@dataclass(frozen=True)
class Request:
    """What was asked about one claim: validated parameters, the data when they were given, seeds, the data's hash."""

    claim: AnyClaim
    params: Any
    problem: Problem | None
    seeds: int
    notes: tuple[str, ...]


def parser() -> argparse.ArgumentParser:
    """The options of ``theory``."""
    common = Parser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    common.add_argument("--debug", action="store_true", help="print the traceback of an internal error")
    asked = Parser(add_help=False, parents=[common])
    asked.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter; repeatable")
    asked.add_argument("--params", metavar="FILE", help="parameters as JSON, or an exported claim.json")
    asked.add_argument("--data", metavar="FILE", help="your own data instead of generated data")
    asked.add_argument("--expect-data", metavar="SHA256", help="refuse data with another hash")
    asked.add_argument("--seeds", help=f"replicates, or instances of a deterministic claim (default {DEFAULT_SEEDS})")
    asked.add_argument("--device", default="cpu", help="cpu or cuda")
    asked.add_argument("--no-store", action="store_true", help="neither read nor keep results on disk")
    main = Parser(prog="theory", description="Test what theorems say against models trained on the spot.")
    main.add_argument("--version", action="version", version=f"theorem-bench {version('theorem-bench')}")
    commands = main.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    commands.add_parser("list", parents=[common], help="all claims")
    show = commands.add_parser("show", parents=[common], help="what a claim says, assumes and depends on")
    show.add_argument("claim")
    predict = commands.add_parser("predict", parents=[asked], help="what a claim predicts; trains nothing")
    predict.add_argument("claim")
    check = commands.add_parser("check", parents=[asked], help="predict, measure and judge")
    check.add_argument("claim", nargs="?")
    check.add_argument("--all", action="store_true", help="every claim at its own parameters")
    check.add_argument("--rivals", action="store_true", help="also every wrong formula where it must be rejected")
    store = commands.add_parser("store", parents=[common], help="the results kept on this computer")
    store.add_argument(
        "action",
        choices=("show", "prune", "path"),
        help="how much is kept; delete what was not used for the longest time; where it is",
    )
    store.add_argument("--limit-mb", help="prune: megabytes to keep (default: the store's limit; 0 deletes everything)")
    new_room = commands.add_parser("new-room", parents=[common], help="write a room with one toy claim, to begin from")
    new_room.add_argument("name", help="the room's id: a Python name in lower case")
    return main


def request(options: argparse.Namespace) -> Request:
    """Read and validate everything that was asked.

    Raises:
        BenchError: an option, a file or a value cannot be used; the sentence says which and what is expected.
    """
    claim = catalog.claim(options.claim)
    home = catalog.room_of(claim)
    values: dict[str, object] = {}
    expected: str | None = options.expect_data
    seeds: object = DEFAULT_SEEDS
    notes: list[str] = []
    if options.params:
        document = read_json(options.params)
        values = document
        if isinstance(document.get("params"), dict):
            values = cast(dict[str, object], document["params"])
            if document.get("claim") not in (None, claim.id):
                raise ParameterError("claim", claim.id, f"{document['claim']}, the claim of {options.params}")
            expected = expected or cast(str | None, document.get("data"))
            seeds = document.get("seeds", seeds)
        values = canonical(home.Params, values)
    values |= canonical(home.Params, settings(options.set))
    params = catalog.parameters(claim, values)
    problem = home.load(read_bytes(options.data), Path(options.data).name, params) if options.data else None
    if expected:
        fingerprint = (problem or home.draw(params, cast(Any, params).data_seed)).fingerprint
        if fingerprint != str(expected).lower():
            hint = "" if problem else " (give the same file again with --data if the data were your own)"
            raise ParameterError("data", f"sha256 {fingerprint[:16]}…", f"sha256 {expected}{hint}")
    return Request(claim, params, problem, whole_number("seeds", options.seeds or seeds), tuple(notes))


def settings(pairs: list[str]) -> dict[str, object]:
    """``NAME=VALUE`` pairs as values; the last one wins."""
    values: dict[str, object] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise ParameterError("--set", pair, "name=value")
        values[name.strip()] = read_value(text)
    return values


def whole_number(name: str, value: object, low: int = 1, high: int = 10_000) -> int:
    """An option that counts something.

    Raises:
        ParameterError: it is not a whole number from ``low`` to ``high``.
    """
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
        raise ParameterError(name, value, f"a whole number from {low:,} to {high:,}")
    return int(text)


def read_bytes(name: str) -> bytes:
    """The content of a file that a person named, if it is a file of reasonable size."""
    path = Path(name)
    try:
        if not path.is_file():
            raise BenchError(f"{name} is not a file." if path.exists() else f"{name} does not exist.")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise BenchError(f"{name} has {size / 2**20:,.0f} MB: expected at most {MAX_FILE_BYTES / 2**20:,.0f} MB.")
        return path.read_bytes()
    except OSError as error:
        raise BenchError(f"{name} cannot be read: {error.strerror}.") from None


def read_json(name: str) -> dict[str, object]:
    """The JSON object in a file that a person named."""
    try:
        text = read_bytes(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BenchError(f"{name} is not a text file in UTF-8 (byte {error.start}): expected a JSON object.") from None
    try:
        document = json.loads(text, parse_constant=lambda constant: constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BenchError(f"{name} is not JSON ({error.msg} at {where}): expected a JSON object.") from None
    except (ValueError, RecursionError):
        raise BenchError(f"{name} holds a number or a nesting beyond all bounds: expected a JSON object.") from None
    if not isinstance(document, dict):
        raise BenchError(f"{name} holds a {type(document).__name__}: expected a JSON object of parameters.")
    return cast(dict[str, object], document)
