"""What the gallery shows besides words: verdicts and pictures, as they arrive from the background checks."""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from theory.core.vocabulary import Room, Status

LOGGER = logging.getLogger(__name__)

ATTENTION = 10.0
"""Seconds after which somebody who asked nothing more looks at the gallery no longer; an open page asks each 4 s."""


@dataclass(frozen=True)
class Outcome:
    """A verdict as the gallery needs it: its status and the sentence that explains it."""

    status: Status
    explanation: str


class Board:
    """Outcomes by claim id and pictures by room id, filled by :mod:`notebooks._app.checks` in its own process.

    The checks go on from claim to claim while somebody looks at the gallery: who went into a room has the processor.
    Reads are safe from any thread: each entry is written once, whole, and never changed. ``command`` replaces the
    process that is started; it reads a line from its standard input before each claim.
    """

    def __init__(self, rooms: Sequence[Room], command: Sequence[str] = ()) -> None:
        self.rooms = tuple(rooms)
        self._command = list(command) or [sys.executable, "-m", "notebooks._app.checks", *(room.id for room in rooms)]
        self._outcomes: dict[str, Outcome] = {}
        self._pictures: dict[tuple[str, bool], str] = {}
        self._ended = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False
        self._turn = threading.Condition()
        self._wanted_at = -ATTENTION

    def want(self) -> None:
        """Say that somebody looks at the gallery: the checks wait for it."""
        with self._turn:
            self._wanted_at = time.monotonic()
            self._turn.notify_all()

    def start(self) -> None:
        """Start the checks as soon as they are wanted, unless they were stopped; returns at once."""
        threading.Thread(target=self._start, name="gallery-checks", daemon=True).start()

    def _start(self) -> None:
        with self._turn:
            self._turn.wait_for(lambda: self.wanted or self._stopped)
            if self._stopped:
                return
            # A session of its own: Ctrl-C in the terminal is for the server, which then ends the checks itself.
            self._process = subprocess.Popen(  # noqa: S603 - our own module and room ids
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
            )
        self._read(self._process)

    def _let_on(self, process: subprocess.Popen[str]) -> None:
        """Let the process check one more claim, once somebody looks; it may have ended meanwhile."""
        assert process.stdin is not None
        with self._turn:
            self._turn.wait_for(lambda: self.wanted or self._stopped)
        with contextlib.suppress(OSError):
            process.stdin.write("next\n")
            process.stdin.flush()

    def stop(self, timeout: float = 3.0) -> None:
        """End the checks, running or not; they do not start again."""
        with self._turn:
            self._stopped = True
            self._turn.notify_all()
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._ended.wait(timeout)

    def outcome(self, claim_id: str) -> Outcome | None:
        """The outcome at the claim's own defaults; None while it is not known."""
        return self._outcomes.get(claim_id)

    def picture(self, room_id: str, dark: bool) -> str | None:
        """The room's picture as SVG; None while it is not drawn."""
        return self._pictures.get((room_id, dark))

    @property
    def wanted(self) -> bool:
        """Whether somebody looks at the gallery."""
        return time.monotonic() - self._wanted_at < ATTENTION

    @property
    def done(self) -> bool:
        """Whether nothing more will come."""
        return self._ended.is_set()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        assert process.stdin is not None
        self._let_on(process)
        with process.stdout, contextlib.suppress(OSError), process.stdin:
            for line in process.stdout:
                message = json.loads(line)
                self._note(message)
                if "claim" in message:
                    self._let_on(process)
        if process.wait() > 0:
            LOGGER.warning("the gallery's background checks ended early, with exit code %s", process.returncode)
        self._ended.set()

    def _note(self, message: dict[str, Any]) -> None:
        if "svg" in message:
            self._pictures[message["room"], message["dark"]] = message["svg"]
        elif message["status"] is not None:
            self._outcomes[message["claim"]] = Outcome(message["status"], message["explanation"])
