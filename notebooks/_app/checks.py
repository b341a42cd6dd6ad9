"""The gallery's background work, as a process of its own: every claim at its own defaults, one JSON line per result.

A process, not a thread: it leaves the visitors' sessions the interpreter, ends when the server does, and may import
Plotly, which inside the server must be imported by a notebook first (marimo then shows figures as its own elements).
Results go through the shared store, so that a room which opens later finds them there.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from theory.core import catalog
from theory.core.bench import check_claim
from theory.core.vocabulary import AnyClaim
from widgets.kit.pictures import pictured, thumbnail

LOGGER = logging.getLogger(__name__)


def main(room_ids: Sequence[str]) -> int:
    """Check all claims of these rooms, those with a picture first."""
    if hasattr(os, "nice"):
        os.nice(10)
    for message in messages(room_ids):
        print(json.dumps(message), flush=True)
    return 0


def messages(room_ids: Sequence[str]) -> Iterator[dict[str, Any]]:
    """One message per picture (``room``, ``dark``, ``svg``) and per claim (``claim``, ``status``, ``explanation``).

    Each claim waits for a line on standard input; the end of input ends the work. The status is None for a claim whose
    check broke; a broken check does not stop the others.
    """
    rooms = [catalog.room(name) for name in room_ids]
    order = [(room, claim) for room in rooms for claim in room.claims]
    order.sort(key=lambda pair: pictured(pair[0].id) != pair[1].id)
    for room, claim in order:
        if not sys.stdin.readline():
            return
        try:
            yield from _examine(room.id, claim)
        except BrokenPipeError:
            raise
        except Exception:
            LOGGER.exception("the background check of %s failed", claim.id)
            yield {"claim": claim.id, "status": None, "explanation": ""}


def _examine(room_id: str, claim: AnyClaim) -> Iterator[dict[str, Any]]:
    result = check_claim(claim, catalog.parameters(claim), rivals=False)
    if pictured(room_id) == claim.id:
        for dark in (False, True):
            yield {"room": room_id, "dark": dark, "svg": thumbnail(room_id, result, dark=dark)}
    yield {"claim": claim.id, "status": result.verdict.status, "explanation": result.verdict.explanation}


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:
        # The server went away: nobody is left to tell, not even by the interpreter's last flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
