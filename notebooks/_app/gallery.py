"""The gallery: a card per room with its finding, its picture and the outcomes of its claims."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from notebooks._app.board import Board, Outcome
from theory.core.vocabulary import Claim, Room, Status

WORDS: dict[Status, tuple[str, str]] = {
    "holds": ("✓", "Holds"),
    "fails": ("✗", "Fails"),
    "inconclusive": ("?", "Inconclusive"),
    "outside_assumptions": ("∉", "Outside its assumptions"),
    "observed": ("◦", "Observed"),
    "not_run": ("–", "Not run"),
}
"""Sign and word of each verdict: colour never speaks alone."""
PENDING = "Not yet checked here"
_PAGE = """<!doctype html>
<html lang="en"{theme}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Theorem Bench</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/gallery.css">
<script src="/static/theme.js"></script>
<script src="/static/gallery.js" defer></script>
</head>
<body>
<a class="skip" href="#rooms">Skip to the rooms</a>
<header>
<a class="brand" href="/" aria-current="page">Theorem Bench</a>
<form role="search" class="search">
<label class="unseen" for="search">Search findings, claims and authors</label>
<input id="search" type="search" placeholder="Search findings, claims, authors" autocomplete="off" spellcheck="false">
<kbd aria-hidden="true">/</kbd>
</form>
<button type="button" data-theme-switch class="switch" aria-label="Switch between light and dark">
<span aria-hidden="true">◐</span></button>
</header>
<main>
<h1>Theorems about attention, tested where you sit</h1>
<p class="lead">Each room holds one paper. Its lines are known before anything is trained; its points are measured on
this machine; its verdict says whether they agree, and how far a wrong formula would have been.</p>
<ul class="key" aria-label="What the signs mean">{key}</ul>
<ul id="rooms" class="rooms">{cards}</ul>
<p id="nothing" class="nothing" hidden>Nothing here matches <q></q>. <button type="button" id="clear">Show all
rooms</button></p>
<p id="news" class="unseen" role="status" aria-live="polite"></p>
</main>
</body>
</html>
"""
_CARD = """
<li class="card" data-room="{id}" data-search="{search}">
<a class="picture" href="/{id}/" tabindex="-1" aria-hidden="true">
<img class="on-light" src="/thumbnail/{id}.svg?theme=light" alt="" width="720" height="330">
<img class="on-dark" src="/thumbnail/{id}.svg?theme=dark" alt="" width="720" height="330">
</a>
<div class="words">
<p class="room">{title}</p>
<h2><a href="/{id}/">{finding}</a></h2>
<p class="paper">{authors}: <cite>{paper}</cite>, {venue} {year}. {arxiv}</p>
<div class="claims">
<ul class="dots">{dots}</ul>
<p class="tally">{tally}</p>
<details><summary>{total} claims</summary><ul class="list">{rows}</ul></details>
</div>
</div>
</li>
"""


def gallery_page(rooms: Sequence[Room], board: Board, theme: str = "") -> str:
    """The whole page as HTML; ``theme`` is ``"light"``, ``"dark"`` or anything else for the visitor's system."""
    chosen = f' data-theme="{theme}"' if theme in ("light", "dark") else ""
    key = "".join(
        f'<li><span class="dot {status}" aria-hidden="true">{sign}</span>{word}</li>'
        for status, (sign, word) in WORDS.items()
    )
    return _PAGE.format(theme=chosen, key=key, cards="".join(_card(room, board) for room in rooms))


def _card(room: Room, board: Board) -> str:
    paper = room.paper
    outcomes = {claim.id: board.outcome(claim.id) for claim in room.claims}
    words = [room.title, room.finding, paper.authors, paper.title, paper.venue, str(paper.year), paper.arxiv]
    link = f'<a href="https://arxiv.org/abs/{escape(paper.arxiv)}" rel="noreferrer">arXiv:{escape(paper.arxiv)}</a>'
    return _CARD.format(
        id=escape(room.id),
        search=escape(" ".join(words).lower()),
        title=escape(room.title),
        finding=escape(room.finding),
        authors=escape(paper.authors),
        paper=escape(paper.title),
        venue=escape(paper.venue.removesuffix(str(paper.year)).strip()),
        year=paper.year,
        arxiv=link,
        dots="".join(_dot(claim, outcomes[claim.id]) for claim in room.claims),
        tally=escape(tally(list(outcomes.values()), board.done)),
        total=len(room.claims),
        rows="".join(_row(claim, outcomes[claim.id], room) for claim in room.claims),
    )


def gallery_status(board: Board) -> dict[str, Any]:
    """What the open page polls: for each claim its verdict in all the forms shown, for each room its tally."""
    outcomes = {claim.id: board.outcome(claim.id) for room in board.rooms for claim in room.claims}
    return {
        "verdicts": {
            name: {
                "status": found.status,
                "sign": WORDS[found.status][0],
                "word": WORDS[found.status][1],
                "explanation": found.explanation,
            }
            for name, found in outcomes.items()
            if found is not None
        },
        "tallies": {room.id: tally([outcomes[claim.id] for claim in room.claims], board.done) for room in board.rooms},
        "pictures": [room.id for room in board.rooms if board.picture(room.id, dark=False)],
        "done": board.done,
    }


def tally(outcomes: Sequence[Outcome | None], done: bool) -> str:
    """The outcomes of a room in words: ``"9 hold, 2 inconclusive, 1 being checked"``."""
    names = {
        "holds": "hold",
        "fails": "fail",
        "inconclusive": "inconclusive",
        "outside_assumptions": "outside their assumptions",
        "observed": "observed",
        "not_run": "not run",
    }
    found = [outcome.status if outcome else None for outcome in outcomes]
    parts = [f"{found.count(status)} {word}" for status, word in names.items() if status in found]
    parts += [f"{found.count(None)} {'could not be checked' if done else 'being checked'}"] if None in found else []
    return ", ".join(parts)


def _dot(claim: Claim, outcome: Outcome | None) -> str:
    sign, word = WORDS[outcome.status] if outcome else ("", PENDING)
    state = outcome.status if outcome else "pending"
    label = escape(f"{claim.title}: {word}")
    return (
        f'<li class="dot {state}" data-claim="{escape(claim.id)}" data-title="{escape(claim.title)}" title="{label}">'
        f'<span class="sign" aria-hidden="true">{sign}</span><span class="unseen">{label}</span></li>'
    )


def _row(claim: Claim, outcome: Outcome | None, room: Room) -> str:
    sign, word = WORDS[outcome.status] if outcome else ("", PENDING)
    state = outcome.status if outcome else "pending"
    search = escape(f"{claim.id} {claim.title} {claim.statement}".lower())
    return (
        f'<li data-claim="{escape(claim.id)}" data-search="{search}">'
        f'<span class="dot {state}"><span class="sign" aria-hidden="true">{sign}</span></span>'
        f'<a href="/{escape(room.id)}/?claim={escape(claim.id)}">{escape(claim.title)}</a>'
        f'<span class="word">{word}</span></li>'
    )


def skeleton(dark: bool) -> str:
    """The shape of a thumbnail whose numbers are still being computed."""
    paper, line = ("#1d2027", "#2c313b") if dark else ("#ffffff", "#e7e3da")
    fan = "".join(
        f'<path d="M330 {165 + slope / 4:.0f} L680 {165 - slope:.0f}" stroke="{line}" stroke-width="7"/>'
        for slope in (110, 40, -40, -110)
    )
    dots = "".join(f'<circle cx="150" cy="{y}" r="17" fill="{line}"/>' for y in (70, 135, 200, 265))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 330" role="img" aria-label="being computed">'
        f'<rect width="720" height="330" fill="{paper}"/>{dots}<g stroke-linecap="round">{fan}'
        '<animate attributeName="opacity" values="1;.45;1" dur="2.4s" repeatCount="indefinite"/></g></svg>'
    )
