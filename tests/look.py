"""Screenshots of every page and preset, light and dark, narrow and wide, for whoever changes them.

``python -m tests.look [WORD]`` fills ``look/``; with a word, only shots whose name contains it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import NO_BROWSER, ROOT, App, find, launch, serve, settle
from theory.core import catalog

SCHEMES = ("light", "dark")
WIDTHS = (400, 1400)
TALLEST = 16_000
CONTENT_HEIGHT = """() => Math.ceil(Math.max(...[...document.querySelectorAll('body *')]
    .filter(element => !element.childElementCount && element.checkVisibility())
    .map(element => element.getBoundingClientRect().bottom + window.scrollY)))"""


def pages() -> dict[str, tuple[str, dict[str, str]]]:
    """Name of each shot -> path and query of its page: the gallery, each room, each preset of each room."""
    found: dict[str, tuple[str, dict[str, str]]] = {"gallery": ("/", {})}
    for room in catalog.rooms():
        found[room.id] = (f"/{room.id}", {})
        found |= {f"{room.id}-{preset.name}": (f"/{room.id}", {"preset": preset.name}) for preset in room.presets}
    return found


def shoot(browser: Browser, app: App, name: str, scheme: str, width: int, folder: Path) -> str:
    """Take one full-length screenshot; returns a line about it."""
    path, query = pages()[name]
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(app.url(path, theme=scheme, **query))
    if path != "/":
        page.wait_for_selector(".js-plotly-plot", timeout=60_000)
    quiet = settle(page)
    _stretch(page, width)
    target = folder / f"{name}-{scheme}-{width}.png"
    page.screenshot(path=target)
    overflow = page.evaluate("() => document.documentElement.scrollWidth > window.innerWidth")
    context.close()
    return f"{target.name}{'' if quiet else '  (still changing)'}{'  (wider than the window)' if overflow else ''}"


def _stretch(page: Page, width: int) -> None:
    """Make the window as tall as what it shows: the content scrolls inside the page, which full-page shots miss."""
    page.set_viewport_size({"width": width, "height": min(TALLEST, max(900, page.evaluate(CONTENT_HEIGHT) + 40))})
    settle(page, quiet=0.8, seconds=10)


def main(word: str = "") -> int:
    """Take all shots whose name contains ``word``; 1 when there is no browser."""
    path = find()
    if path is None:
        print(NO_BROWSER)
        return 1
    folder = ROOT / "look"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as store, serve(Path(store)) as app, sync_playwright() as playwright:
        browser = launch(playwright, path)
        for name in pages():
            for scheme in SCHEMES:
                for width in WIDTHS:
                    if word in f"{name}-{scheme}-{width}":
                        print("look/" + shoot(browser, app, name, scheme, width, folder), flush=True)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
