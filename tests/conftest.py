"""What the tests share: their own store, hypothesis profiles, a browser, a running app."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests import browser as chromium

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

STORE = pytest.StashKey[Path]()
OpenPage = Callable[..., Page]


def pytest_configure(config: pytest.Config) -> None:
    """Results of a test run never meet a person's own: doctests included, hence no fixture. Its workers share them."""
    if not hasattr(config, "workerinput"):
        config.stash[STORE] = Path(tempfile.mkdtemp(prefix="theorem-bench-"))
        os.environ["THEOREM_BENCH_STORE"] = str(config.stash[STORE])


def pytest_unconfigure(config: pytest.Config) -> None:
    if STORE in config.stash:
        shutil.rmtree(config.stash[STORE], ignore_errors=True)


@pytest.fixture
def store_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store of one test's own."""
    monkeypatch.setenv("THEOREM_BENCH_STORE", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture(scope="session")
def browser_path() -> Path:
    """Chromium's executable; without one the browser tests fail, so that they cannot be skipped unnoticed."""
    path = chromium.find()
    if path is None:
        pytest.fail(chromium.NO_BROWSER)
    os.environ.setdefault("BROWSER_PATH", str(path))  # image export finds the same one
    return path


# Per module, not per session: an open Playwright keeps an event loop running, which asyncio.run elsewhere refuses.
@pytest.fixture(scope="module")
def browser(browser_path: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = chromium.launch(playwright, browser_path)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def app(browser_path: Path) -> Iterator[chromium.App]:
    """The app as ``make app`` starts it, on a free port; its store holds what the app computed in this test run."""
    # Not the tests' own store: what a page shows must have been computed by a page.
    with chromium.serve(Path(os.environ["THEOREM_BENCH_STORE"]) / "app") as served:
        yield served


@pytest.fixture(scope="module")
def context(browser: Browser) -> BrowserContext:
    """Pages of one context share marimo's scripts, once loaded."""
    # Animations, drawn without a graphics card, would take the processor from the experiments.
    return browser.new_context(reduced_motion="reduce")


def _opening(context: BrowserContext, app: chromium.App) -> Iterator[OpenPage]:
    """Open a page: ``open_page("/next_token", scheme="dark", width=400, preset="slow_tie")``."""
    pages: list[Page] = []

    def opened(
        path: str = "/", *, scheme: str = "light", width: int = 1400, height: int = 900, **query: object
    ) -> Page:
        page = context.new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        page.goto(app.url(path, **query))
        return page

    yield opened
    for page in pages:
        # The next test meets a browser that remembers nothing but files.
        page.evaluate("() => localStorage.clear()")
        page.context.clear_cookies()
        page.close()


open_page = pytest.fixture(_opening)
open_once = pytest.fixture(_opening, scope="module", name="open_once")
