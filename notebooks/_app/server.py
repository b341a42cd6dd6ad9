"""The app as one process on this machine: gallery, rooms and static files behind one token."""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import json
import logging
import os
import socket
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import AsyncIterator, Sequence
from importlib import import_module
from pathlib import Path

import marimo
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from notebooks._app.access import Access, Guard
from notebooks._app.board import Board
from notebooks._app.gallery import gallery_page, gallery_status, skeleton
from theory.core import catalog
from theory.core.bench import check_claim
from theory.core.store import Store
from theory.core.vocabulary import AnyRoom
from widgets.kit.pictures import pictured

LOGGER = logging.getLogger(__name__)

FRIENDLY_PORT = 2718
SESSION_SECONDS = 120
HERE = Path(__file__).resolve().parent
NOTEBOOKS = HERE.parent
ROOM_HEAD = '<script src="/static/theme.js" data-room></script>'
"""Runs before marimo starts in each room: carries the visitor's light or dark choice into the page's address."""
VISITORS_FIRST = 6.0
"""Seconds for which a visitor who comes at once has the processor: the slow loading waits so long."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted. Returns the exit code: 0, or 2 when the address cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m notebooks", description="Serve Theorem Bench on this machine.")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default: this machine only)")
    parser.add_argument(
        "--port", type=int, help=f"port; 0 takes a free one (default: {FRIENDLY_PORT}, or a free one when it is taken)"
    )
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument(
        "--session-seconds",
        type=int,
        default=SESSION_SECONDS,
        help=f"how long a closed page can be reconnected, and its experiments go on (default: {SESSION_SECONDS})",
    )
    options = parser.parse_args(arguments)
    try:
        listener = bind(options.host, options.port)
    except (OSError, OverflowError) as error:
        print(f"Cannot listen on {options.host} port {options.port or FRIENDLY_PORT}: {error}.", file=sys.stderr)
        return 2
    if not _is_loopback(options.host):
        print(
            f"Note: {options.host} can be reached by other machines; the token is all that stops them.", file=sys.stderr
        )
    access = Access(options.host, listener.getsockname()[1])
    built = rooms()
    board = Board(built)
    config = uvicorn.Config(
        create_app(access, board, built, session_seconds=options.session_seconds),
        log_level="warning",
        workers=1,
        timeout_graceful_shutdown=2,
        ws_max_size=2**27,
    )
    server = _Server(config, access, board, browser=not options.no_browser)
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    board.stop()
    print("Stopped.", flush=True)
    return 0


def bind(host: str, port: int | None) -> socket.socket:
    """A listening socket; without a wish for a port, the friendly one or else any free one.

    Raises:
        OSError: the host is not an address of this machine, or the port asked for is taken.
        OverflowError: there is no such port.
    """
    wishes = (FRIENDLY_PORT, 0) if port is None else (port,)
    family, *_ = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
    for wish in wishes:
        listener = socket.socket(family, socket.SOCK_STREAM)
        if os.name == "posix":
            # Restarting at once must not fail on the old connections' TIME_WAIT.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, wish))
            listener.listen(128)
        except (OSError, OverflowError):
            listener.close()
            if wish == wishes[-1]:
                raise
        else:
            return listener
    raise AssertionError("unreachable: the last wish either binds or raises")


def rooms() -> tuple[AnyRoom, ...]:
    """The rooms whose notebook is there, in the order of the catalog."""
    return tuple(room for room in catalog.rooms() if notebook_of(room.id).is_file())


def notebook_of(room_id: str, folder: Path = NOTEBOOKS) -> Path:
    """``<room>.py`` in the folder of notebooks, or ``notebook.py`` beside the room of another package."""
    own = folder / f"{room_id}.py"
    home = catalog.home(room_id)
    return own if own.is_file() or home is None else home / "notebook.py"


def create_app(
    access: Access,
    board: Board,
    built: Sequence[AnyRoom],
    folder: Path = NOTEBOOKS,
    session_seconds: int = SESSION_SECONDS,
) -> Starlette:
    """Gallery, thumbnails, static files and one marimo app per room (``folder/<room>.py``), all behind the guard."""
    names = tuple(room.id for room in built)
    builder = marimo.create_asgi_app(quiet=True, html_head=ROOM_HEAD, session_ttl=session_seconds)
    for name in names:
        builder = builder.with_app(path=f"/{name}", root=str(notebook_of(name, folder)))
    notebooks = builder.build()

    async def index(request: Request) -> Response:
        theme = request.query_params.get("theme", "")
        board.want()
        return Response(
            gallery_page(built, board, theme), media_type="text/html", headers={"Cache-Control": "no-store"}
        )

    async def picture(request: Request) -> Response:
        name, dark = request.path_params["room"], request.query_params.get("theme") == "dark"
        if name not in names:
            return Response("no such room", status_code=404)
        drawn = board.picture(name, dark)
        age = "max-age=3600" if drawn else "no-store"
        return Response(drawn or skeleton(dark), media_type="image/svg+xml", headers={"Cache-Control": age})

    async def status(request: Request) -> Response:
        board.want()
        return JSONResponse(gallery_status(board), headers={"Cache-Control": "no-store"})

    async def favicon(request: Request) -> Response:
        return RedirectResponse("/static/icon.svg", status_code=308)

    async def with_slash(request: Request) -> Response:
        # marimo's own redirect drops the query, in which a room's whole state lives.
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{request.url.path}/{query}", status_code=307)

    routes: list[BaseRoute] = [
        Route("/", index),
        Route("/status.json", status),
        Route("/favicon.ico", favicon),
        Route("/thumbnail/{room}.svg", picture),
        Mount("/static", StaticFiles(directory=HERE / "static")),
        *(Route(f"/{name}", with_slash) for name in names),
        Mount("/", notebooks),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        for route in getattr(notebooks, "routes", ()):
            manager = getattr(getattr(getattr(route, "app", None), "state", None), "session_manager", None)
            if manager is not None:
                await manager.shutdown()

    return Starlette(routes=routes, lifespan=lifespan, middleware=[Middleware(Guard, access=access, rooms=names)])


class _Server(uvicorn.Server):
    """Says where it listens once it really does, and only then starts the slow work."""

    def __init__(self, config: uvicorn.Config, access: Access, board: Board, browser: bool) -> None:
        super().__init__(config)
        self._access, self._board, self._browser = access, board, browser

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.started:
            return
        print("Theorem Bench is ready. Open this address (Ctrl-C stops the server):", flush=True)
        print(self._access.url, flush=True)
        threading.Thread(target=warm_up, args=(self._board,), name="warm-up", daemon=True).start()
        if self._browser and _has_browser():
            threading.Thread(target=webbrowser.open, args=(self._access.url,), daemon=True).start()


def warm_up(board: Board) -> None:
    """Load what the first visitor would wait for: the pages at once, torch and the compiled kernels a little later.

    In between the gallery's checks may start, in a process of their own, if somebody looks at the gallery.
    """
    started = time.perf_counter()
    load_pages()
    LOGGER.info("pages loaded after %.1f s", time.perf_counter() - started)
    board.start()
    time.sleep(VISITORS_FIRST)
    with contextlib.suppress(ImportError):
        import_module("torch")
    with tempfile.TemporaryDirectory() as folder:
        for room in board.rooms:
            claim = catalog.claim(f"{room.id}/{pictured(room.id)}")
            params = catalog.parameters(claim, {"steps": 100} if "steps" in claim.reads else {})
            check_claim(claim, params, seeds=1, store=Store(Path(folder)), rivals=False)
    LOGGER.info("warm after %.1f s", time.perf_counter() - started)


def load_pages() -> None:
    """Import Plotly and the rooms' notebooks, and draw an empty figure.

    marimo learns to show a library's figures when a notebook imports it first; here Plotly is there before any
    notebook runs, so marimo is told.
    """
    import plotly.graph_objects as go
    from marimo._output.formatters.plotly_formatters import PlotlyFormatter
    from marimo._output.formatting import formatter

    @formatter(go.Figure)
    def _(figure: go.Figure) -> tuple[str, str]:
        return "text/html", PlotlyFormatter.render_plotly_dict(json.loads(figure.to_json())).text

    for room in rooms():
        if notebook_of(room.id).parent == NOTEBOOKS:
            import_module(f"notebooks.{room.id}")
    # Plotly loads its renderers with the first figure that it shows, which takes seconds.
    PlotlyFormatter.render_plotly_dict(json.loads(go.Figure().to_json()))


def _has_browser() -> bool:
    """Whether a graphical browser can open: on a server without a screen a text browser would take the terminal."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
