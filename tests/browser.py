"""A Chromium to look through, and a running app to look at: shared by the browser tests and ``make look``.

``python -m tests.browser`` makes sure that there is a browser: one on PATH, else Playwright's own download, else
Debian's package.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from urllib.parse import parse_qs, urlencode, urlsplit

from playwright.sync_api import Browser, Page, Playwright, sync_playwright

ROOT = Path(__file__).parent.parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NO_BROWSER = (
    "No browser: there is no Chromium on PATH, Playwright could not download its own, and Debian's chromium could not "
    "be installed. Install Chromium or Chrome, or set BROWSER_PATH to it."
)
STARTED = re.compile(r"http://127\.0\.0\.1:\d+/\?token=\S+")


def find() -> Path | None:
    """A browser that starts, or None; ``BROWSER_PATH`` goes before PATH, and PATH before Playwright's own."""
    named = [os.environ.get("BROWSER_PATH"), *(shutil.which(name) for name in NAMES)]
    return next((Path(path) for path in named if path and _starts(path)), None) or _playwrights_own()


def obtain() -> Path | None:
    """Like :func:`find`, but get a browser when there is none; None when every way is barred."""
    ways = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if shutil.which("apt-get") and os.geteuid() == 0:
        ways += [["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]]
    found = find()
    for way in ways:
        if found is None:
            print(f"Getting a browser: {' '.join(way)}", flush=True)
            with suppress(subprocess.TimeoutExpired):
                subprocess.run(way, check=False, timeout=900, capture_output=True)
            found = find()
    return found


def _starts(path: str | Path) -> bool:
    """A download without its system libraries is there, but does not start."""
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _playwrights_own() -> Path | None:
    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    return path if path.exists() and _starts(path) else None


def launch(playwright: Playwright, path: Path) -> Browser:
    """A headless browser without sandbox and without calls home."""
    return playwright.chromium.launch(executable_path=path, args=list(FLAGS))


@dataclass(frozen=True)
class App:
    """A running server: its origin, its token and its process."""

    origin: str
    token: str
    process: subprocess.Popen[str]

    def url(self, path: str = "/", **query: object) -> str:
        """The address of a page, with the token and the page's state in the query."""
        return f"{self.origin}{path}?{urlencode({'token': self.token} | query)}"


@contextmanager
def serve(store: Path, seconds: float = 60) -> Iterator[App]:
    """Start the app on a free port with its own store; stop it on leaving.

    Raises:
        RuntimeError: the server ended, or did not print its address in time; the message shows what it said.
    """
    environment = os.environ | {"THEOREM_BENCH_STORE": str(store), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        # Pages that a test has closed take no processor time from the next one.
        [sys.executable, "-m", "notebooks", "--port", "0", "--no-browser", "--session-seconds", "2"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: Queue[str] = Queue()
    # A thread goes on reading after the address was found: a full pipe would stop the server.
    reader = Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    try:
        address = urlsplit(_address(process, lines, seconds))
        yield App(f"{address.scheme}://{address.netloc}", parse_qs(address.query)["token"][0], process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join()
        assert process.stdout is not None
        process.stdout.close()


def _read(process: subprocess.Popen[str], lines: Queue[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)


def _address(process: subprocess.Popen[str], lines: Queue[str], seconds: float) -> str:
    said: list[str] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and (process.poll() is None or not lines.empty()):
        try:
            said.append(lines.get(timeout=0.2))
        except Empty:
            continue
        if match := STARTED.search(said[-1]):
            return match.group()
    raise RuntimeError(f"python -m notebooks printed no address within {seconds:.0f} s. It said:\n{''.join(said)}")


def settle(page: Page, quiet: float = 1.5, seconds: float = 45) -> bool:
    """Wait until nothing loads and text, size and figures rest for ``quiet`` seconds; False if they never do."""
    state = (
        "() => [document.querySelectorAll('[class*=skeleton]').length, document.body.innerText,"
        " document.documentElement.scrollHeight, document.querySelectorAll('.js-plotly-plot path').length].join('|')"
    )
    deadline = time.monotonic() + seconds
    before, since = None, time.monotonic()
    while time.monotonic() < deadline:
        now = page.evaluate(state)
        if now != before or not now.startswith("0|"):
            before, since = now, time.monotonic()
        elif time.monotonic() - since >= quiet:
            return True
        page.wait_for_timeout(100)
    return False


if __name__ == "__main__":
    print(f"Browser: {obtain() or NO_BROWSER}")
