"""The server: who may enter, what its answers carry, where it listens, how it ends."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from urllib.parse import urlencode

import pytest
import uvicorn

from notebooks._app import server
from notebooks._app.access import Access
from notebooks._app.board import Board
from notebooks._app.gallery import WORDS, gallery_page, gallery_status
from tests.toy import ROOM

pytestmark = pytest.mark.slow

NOTEBOOK = """
import marimo
app = marimo.App()

@app.cell
def _():
    import marimo as mo
    mo.md("hello")
    return
"""


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    headers: Mapping[str, str]
    text: str


class Visitor:
    """A browser in small: asks over a real connection and keeps the cookie that it is given."""

    def __init__(self, port: int) -> None:
        self.port, self.cookie = port, ""

    def get(self, path: str, query: Mapping[str, str] | None = None, **headers: str) -> Answer:
        """Ask for a path; header names are written with underscores."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        sent = {"host": f"127.0.0.1:{self.port}", "cookie": self.cookie} | headers
        connection.putrequest("GET", path + (f"?{urlencode(query)}" if query else ""), skip_host=True)
        for name, value in sent.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        response = connection.getresponse()
        answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, "")
        if response.status != 101:
            answer = replace(answer, text=response.read().decode())
        connection.close()
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].split(";")[0]
        return answer

    def websocket(self, path: str, **headers: str) -> int:
        """The status of a websocket's handshake: 101 when it opens."""
        key = {"sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ==", "sec_websocket_version": "13"}
        return self.get(path, upgrade="websocket", connection="Upgrade", **key, **headers).status


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Access, Board]]:
    """The app with one small room, served for real."""
    folder = tmp_path_factory.mktemp("notebooks")
    (folder / f"{ROOM.id}.py").write_text(NOTEBOOK)
    board = Board((ROOM,))
    with server.bind("127.0.0.1", 0) as listener:
        access = Access("127.0.0.1", listener.getsockname()[1])
        config = uvicorn.Config(server.create_app(access, board, (ROOM,), folder), log_level="warning")
        running = uvicorn.Server(config)
        thread = Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        while not running.started:
            time.sleep(0.02)
        yield access, board
        running.should_exit = True
        thread.join()


@pytest.fixture
def access(serving: tuple[Access, Board]) -> Access:
    return serving[0]


@pytest.fixture
def board(serving: tuple[Access, Board]) -> Board:
    return serving[1]


@pytest.fixture
def client(access: Access) -> Visitor:
    """A visitor who has nothing yet."""
    return Visitor(access.port)


def enter(client: Visitor, access: Access) -> None:
    assert client.get("/", {"token": access.token}).status == 303


@pytest.mark.parametrize(
    "path", ["/", "/status.json", f"/{ROOM.id}/", "/static/gallery.css", f"/thumbnail/{ROOM.id}.svg"]
)
def test_nothing_is_served_without_a_token(client: Visitor, path: str) -> None:
    answer = client.get(path)
    assert answer.status == 401
    assert "Open the address that the server printed" in answer.text


@pytest.mark.parametrize("token", ["", "wrong", "é", "a" * 5000])
def test_wrong_tokens_are_refused(client: Visitor, token: str) -> None:
    assert client.get("/", {"token": token}).status == 401


def test_first_visit_sets_a_strict_cookie_and_hides_the_token(client: Visitor, access: Access) -> None:
    answer = client.get(f"/{ROOM.id}/", {"token": access.token, "size": "7", "theme": "dark"})
    assert answer.status == 303
    assert answer.headers["location"] == f"/{ROOM.id}/?size=7&theme=dark"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert access.token not in answer.headers["set-cookie"]
    assert client.get("/").status == 200


def test_redirect_stays_on_this_server(client: Visitor, access: Access) -> None:
    answer = client.get("//elsewhere.example/", {"token": access.token})
    assert not answer.headers.get("location", "/").startswith(("//", "http"))


def test_a_cookie_of_another_run_is_refused(client: Visitor, access: Access) -> None:
    client.cookie = f"{access.cookie}={Access('127.0.0.1', access.port).session}"
    assert client.get("/").status == 401


def test_a_malformed_cookie_of_another_program_does_not_lock_out(client: Visitor, access: Access) -> None:
    header = f'_x[y]={{"a":1}}; {access.cookie}={access.session}; broken'
    assert client.get("/", cookie=header).status == 200


def test_websocket_needs_the_cookie(client: Visitor, access: Access) -> None:
    address = f"/{ROOM.id}/ws?session_id=s_123456"
    assert client.websocket(address) == 403
    assert client.websocket(f"{address}&token={access.token}") == 403
    enter(client, access)
    assert client.websocket(address, origin="http://127.0.0.1:1") == 403
    assert client.websocket(address, origin=f"http://127.0.0.1:{access.port}") == 101


@pytest.mark.parametrize("host", ["evil.example", "evil.example:2718", "127.0.0.1.evil.example", "", "[::1", "a b"])
def test_other_host_names_are_refused(client: Visitor, access: Access, host: str) -> None:
    enter(client, access)
    assert client.get("/", host=host).status == 400


@pytest.mark.parametrize("host", ["127.0.0.1:2718", "localhost:9000", "[::1]:2718", "LOCALHOST"])
def test_own_host_names_are_accepted(access: Access, host: str) -> None:
    assert access.known_host(host)


def test_requests_from_other_origins_are_refused(client: Visitor, access: Access) -> None:
    enter(client, access)
    assert client.get("/status.json", origin="http://127.0.0.1:9999").status == 403
    assert client.get("/status.json", origin="null").status == 403
    assert client.get("/status.json", origin=f"http://127.0.0.1:{access.port}").status == 200


@pytest.mark.parametrize("path", ["/", f"/{ROOM.id}/", "/static/theme.js", "/nowhere"])
def test_every_answer_carries_the_headers(client: Visitor, access: Access, path: str) -> None:
    enter(client, access)
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'self'" in policy
    assert "http" not in policy
    assert ("'unsafe-inline'" in policy) == path.startswith(f"/{ROOM.id}")


def test_room_address_without_slash_keeps_its_state(client: Visitor, access: Access) -> None:
    enter(client, access)
    answer = client.get(f"/{ROOM.id}?size=7")
    assert answer.headers["location"] == f"/{ROOM.id}/?size=7"


def test_files_named_by_their_contents_are_fetched_once(client: Visitor, access: Access) -> None:
    enter(client, access)
    page = client.get(f"/{ROOM.id}/")
    named = re.search(r"assets/[\w.-]+\.js", page.text)
    assert named
    assert "immutable" in client.get(f"/{ROOM.id}/{named.group()}").headers["cache-control"]
    assert "immutable" not in page.headers.get("cache-control", "")
    assert "immutable" not in client.get(f"/{ROOM.id}/assets/nothing.js").headers.get("cache-control", "")


def test_gallery_shows_each_room_and_escapes_its_words(board: Board) -> None:
    page = gallery_page((ROOM,), board)
    for claim in ROOM.claims:
        assert f'data-claim="{claim.id}"' in page
    assert page.count('class="dot pending"') == 2 * len(ROOM.claims)
    assert "being checked" in page
    assert 'data-theme="dark"' in gallery_page((ROOM,), board, "dark")
    assert "<script>alert" not in gallery_page((ROOM,), board, "<script>alert(1)</script>")


def test_thumbnail_is_a_skeleton_until_it_is_drawn(client: Visitor, access: Access) -> None:
    enter(client, access)
    answer = client.get(f"/thumbnail/{ROOM.id}.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert "being computed" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert client.get("/thumbnail/nowhere.svg").status == 404


def fill(board: Board) -> None:
    board.want()
    board.start()
    wait_for(lambda: board.done)


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.02)


def test_board_fills_from_the_checks(tmp_path: Path) -> None:
    first, *others = (claim.id for claim in ROOM.claims)
    script = tmp_path / "checks.py"
    script.write_text(
        "import json\n"
        f"print(json.dumps({{'room': {ROOM.id!r}, 'dark': False, 'svg': '<svg/>'}}))\n"
        f"print(json.dumps({{'claim': {first!r}, 'status': 'holds', 'explanation': 'because'}}))\n"
        f"for name in {others!r}: print(json.dumps({{'claim': name, 'status': None, 'explanation': ''}}))\n"
    )
    board = Board((ROOM,), [sys.executable, str(script)])
    fill(board)
    status = gallery_status(board)
    assert status["done"]
    assert status["pictures"] == [ROOM.id]
    assert status["verdicts"] == {first: {"status": "holds", "sign": "✓", "word": "Holds", "explanation": "because"}}
    assert status["tallies"][ROOM.id].startswith("1 hold")
    assert "could not be checked" in status["tallies"][ROOM.id] or not others
    assert board.picture(ROOM.id, dark=False) == "<svg/>"


def test_checks_wait_until_somebody_looks_at_the_gallery(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    board = Board((ROOM,), [sys.executable, "-c", f"open({str(begun)!r}, 'w')"])
    board.start()
    time.sleep(0.5)
    assert not begun.exists()
    board.want()
    wait_for(lambda: board.done)
    assert begun.exists()


def test_checks_pause_when_nobody_looks_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notebooks._app.board.ATTENTION", 0.3)
    script = (
        "import json, sys, time\n"
        "for number, _ in enumerate(sys.stdin):\n"
        "    time.sleep(0.02)\n"
        "    print(json.dumps({'claim': f'{number}', 'status': 'holds', 'explanation': ''}), flush=True)\n"
    )
    board = Board((ROOM,), [sys.executable, "-c", script])

    def checked() -> int:
        return next(number for number in range(10**6) if board.outcome(f"{number}") is None)

    def look_until_more_than(number: int) -> None:
        def looked() -> bool:
            board.want()
            return checked() > number

        wait_for(looked)
        assert checked() > number

    board.start()
    look_until_more_than(0)
    time.sleep(0.6)
    paused = checked()
    time.sleep(1.0)
    assert checked() <= paused + 1  # the one that was under way
    look_until_more_than(paused)
    board.stop()


def test_the_gallery_asks_for_the_checks(client: Visitor, access: Access, serving: tuple[Access, Board]) -> None:
    enter(client, access)
    client.get("/")
    assert serving[1].wanted


def test_stopping_ends_running_checks(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    board = Board((ROOM,), [sys.executable, "-c", f"import time; open({str(begun)!r}, 'w'); time.sleep(60)"])
    board.want()
    board.start()
    wait_for(begun.exists)
    started = time.monotonic()
    board.stop()
    assert time.monotonic() - started < 5
    assert board.done


def test_every_status_has_a_sign_and_a_word() -> None:
    assert len({sign for sign, _ in WORDS.values()}) == len({word for _, word in WORDS.values()}) == 6


def test_busy_friendly_port_falls_back_to_a_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(server, "FRIENDLY_PORT", port)
        with server.bind("127.0.0.1", None) as listener:
            assert listener.getsockname()[1] != port


def test_busy_port_that_was_asked_for_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert server.main(["--port", str(port), "--no-browser"]) == 2
    assert f"port {port}" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["-1", "70000"])
def test_impossible_port_is_said(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert server.main(["--port", port, "--no-browser"]) == 2
    assert port in capsys.readouterr().err


def test_tokens_are_new_at_every_start() -> None:
    assert Access("127.0.0.1", 1).token != Access("127.0.0.1", 1).token
    assert len(Access("127.0.0.1", 1).token) >= 32


def test_server_loads_no_plotly() -> None:
    """Plotly must first be imported by a notebook, or its figures become iframes."""
    program = "import sys, notebooks._app.server; sys.exit('plotly' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=server.NOTEBOOKS.parent).returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent otherwise there")
def test_ctrl_c_ends_the_server_cleanly(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "notebooks", "--port", "0", "--no-browser"],
        cwd=server.NOTEBOOKS.parent,
        env={"PATH": "", "HOME": str(tmp_path), "THEOREM_BENCH_STORE": str(tmp_path / "store")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2)]
    match = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\?token=[\w-]{32,}\n", lines[1])
    assert match, lines
    socket.create_connection(("127.0.0.1", int(match[1])), timeout=5).close()
    process.send_signal(signal.SIGINT)
    said, complained = process.communicate(timeout=20)
    assert process.returncode == 0
    assert said.endswith("Stopped.\n")
    assert "Traceback" not in complained
