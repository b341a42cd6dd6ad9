"""What the tests share: their own store, hypothesis profiles, a browser, a running app."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, Page, sync_playwright

from tests import browser as chromium

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

STORE = pytest.StashKey[Path]()
OpenPage = Callable[..., Page]


def pytest_configure(config: pytest.Config) -> None:
    """Results of a test run never meet a person's own: doctests included, hence no fixture."""
    config.stash[STORE] = Path(tempfile.mkdtemp(prefix="theorem-bench-"))
    os.environ["THEOREM_BENCH_STORE"] = str(config.stash[STORE])


def pytest_unconfigure(config: pytest.Config) -> None:
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
def app(tmp_path_factory: pytest.TempPathFactory, browser_path: Path) -> Iterator[chromium.App]:
    """The app as ``make app`` starts it, on a free port, with an empty store."""
    with chromium.serve(tmp_path_factory.mktemp("app") / "store") as served:
        yield served


@pytest.fixture
def open_page(browser: Browser, app: chromium.App) -> Iterator[OpenPage]:
    """Open a page: ``open_page("/next_token", scheme="dark", width=400, preset="slow_tie")``."""
    contexts = []

    def opened(
        path: str = "/", *, scheme: str = "light", width: int = 1400, height: int = 900, **query: object
    ) -> Page:
        # Animations, drawn without a graphics card, would take the processor from the experiments.
        context = browser.new_context(
            color_scheme=scheme, viewport={"width": width, "height": height}, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(app.url(path, **query))
        return page

    yield opened
    for context in contexts:
        context.close()
