"""The page of a test module's room, opened once."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.pages import talk
from tests.pages.talk import OpenPage

Visited = tuple[Page, dict[str, list[str]]]


@pytest.fixture(scope="module")
def visited(request: pytest.FixtureRequest, open_once: OpenPage) -> Visited:
    """The page of the room ``ROOM`` of the test's module, and what its address says once it rests."""
    page = talk.opened(open_once, request.module.ROOM)
    return page, talk.said(page.url)


@pytest.fixture
def page(visited: Visited) -> Page:
    """The room's page, shared by the tests of a module: each finds it as a bare address shows it."""
    page, home = visited
    talk.reset(page, home)
    return page
