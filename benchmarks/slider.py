"""A slider move in Chromium: from the key press to the redrawn figure, beside a bare marimo cell in the same run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

from playwright.sync_api import Page, sync_playwright

from benchmarks.harness import Line
from tests.browser import NO_BROWSER, ROOT, find, launch

BLOCKS, MOVES, WARM_UP = 5, 10, 2
"""Blocks of the bare cell and of the room take turns, so that both see the same load of the machine."""
ALLOWED_SECONDS = 0.060
FIRST_FIGURE_SECONDS = 5.0
BARE = """
import marimo
app = marimo.App(width="full")
@app.cell
def _():
    import marimo as mo
    slider = mo.ui.slider(2, 32, value=4)
    slider
    return mo, slider
@app.cell
def _(mo, slider):
    mo.md(f"value-{slider.value}")
    return
"""
WATCH = """
([slider, watched]) => new Promise((resolve, reject) => {
    const roots = selector => [...document.querySelectorAll(selector)].flatMap(e => [e, e.shadowRoot].filter(Boolean));
    const started = performance.now();
    const seen = new MutationObserver(() => {
        seen.disconnect();
        requestAnimationFrame(() => resolve((performance.now() - started) / 1000));
    });
    for (const root of roots(watched)) seen.observe(root, {childList: true, subtree: true, characterData: true});
    setTimeout(() => { seen.disconnect(); reject(new Error("nothing was redrawn")); }, 10000);
})
"""


@contextmanager
def served(notebook: Path, store: Path) -> Iterator[str]:
    """A notebook under ``marimo run`` on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "marimo", "run", str(notebook), "--headless", "--no-token", "-p", str(port)]
    environment = os.environ | {"THEOREM_BENCH_STORE": str(store)}
    process = subprocess.Popen(  # noqa: S603 (the command is ours)
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(timeout=10)


def moves(page: Page, slider: str, watched: str, count: int) -> list[float]:
    """Seconds from each key press on ``slider`` to the next change inside ``watched``, painted."""
    page.bring_to_front()
    page.locator(slider).first.focus()
    found: list[float] = []
    for number in range(count + WARM_UP):
        waiting = page.evaluate_handle(f"args => ({{done: ({WATCH})(args)}})", [slider, watched])
        page.keyboard.press("ArrowRight" if number % (count + WARM_UP) < (count + WARM_UP) // 2 else "ArrowLeft")
        found.append(page.evaluate("held => held.done", waiting))
        page.wait_for_timeout(250)
    return found[WARM_UP:]


def run() -> Iterator[Line]:
    """A slider move over the bare cell's floor (95th percentile), and the time to the first figure on a warm server."""
    browser_path = find()
    if browser_path is None:
        raise RuntimeError(NO_BROWSER)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE)
        browser = launch(playwright, browser_path)
        room = ROOT / "notebooks" / "next_token.py"
        with served(bare, Path(folder)) as bare_address, served(room, Path(folder)) as address:
            bare_page = browser.new_page()
            bare_page.goto(bare_address)
            bare_page.get_by_text("value-4").wait_for(timeout=60_000)
            for _ in range(2):  # the first visit warms the server
                page = browser.new_page()
                started = time.perf_counter()
                page.goto(address)
                page.locator("bench-figure svg").first.wait_for(timeout=60_000)
                first = time.perf_counter() - started
                page.wait_for_timeout(8000)
            floor: list[float] = []
            ours: list[float] = []
            for _ in range(BLOCKS):
                floor += moves(bare_page, "[role=slider]", ".output-area", MOVES)
                ours += moves(page, "[role=slider]", "#play bench-figure", MOVES)
                page.wait_for_timeout(2000)  # the experiment of the last position ends
        browser.close()
    extra = quantiles(ours, n=20)[-1] - quantiles(floor, n=20)[-1]
    yield Line(
        "slider move over a bare cell, p95",
        f"{1e3 * extra:.0f} ms",
        f"median {1e3 * median(ours):.0f} ms, bare cell {1e3 * median(floor):.0f} ms, "
        f"p95 {1e3 * quantiles(ours, n=20)[-1]:.0f} and {1e3 * quantiles(floor, n=20)[-1]:.0f} ms",
        ALLOWED_SECONDS / max(extra, 1e-3),
        1.0,
    )
    yield Line("first figure, warm server", f"{first:.2f} s", f"goal {FIRST_FIGURE_SECONDS:.0f} s")
