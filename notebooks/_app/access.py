"""Who may talk to the server: a token, a cookie, the right host name, and headers that keep pages to themselves.

Written as plain ASGI because Starlette's ``BaseHTTPMiddleware`` never sees websockets, through which a notebook runs.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COMMON_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_REFUSAL_STYLE = (
    ":root{color-scheme:light dark}body{margin:0;background:#fbfaf7;color:#1f2430;font:16px/1.5 system-ui,sans-serif}"
    "main{max-width:34rem;margin:18vh auto;padding:0 1.5rem}h1{font:600 1.9rem/1.2 Georgia,serif;margin:0 0 .6rem}"
    "@media(prefers-color-scheme:dark){body{background:#15171c;color:#e9e7e1}}"
)
_REFUSAL_HASH = b64encode(hashlib.sha256(_REFUSAL_STYLE.encode()).digest()).decode()
_SHARED_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; font-src 'self' data:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'; "
)
PAGE_POLICY = _SHARED_POLICY + (f"script-src 'self'; style-src 'self' 'sha256-{_REFUSAL_HASH}'; connect-src 'self'")
"""The gallery: nothing inline, nothing from elsewhere."""
ROOM_POLICY = _SHARED_POLICY + (
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self' data: blob:; worker-src 'self' blob:; frame-src 'self' data: blob:"
)
"""A room: marimo starts from inline scripts and Plotly compiles functions; everything still comes from this server."""


@dataclass(frozen=True)
class Access:
    """The secrets of one run of the server; both are random per start and never stored.

    ``token`` is shown in the address; visiting with it once sets a cookie that holds ``session``.
    """

    host: str
    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    session: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def cookie(self) -> str:
        """Cookies ignore ports: the name keeps two servers on one machine apart."""
        return f"theorem_bench_{self.port}"

    @property
    def url(self) -> str:
        """The address to open first."""
        everywhere = ("0.0.0.0", "::")  # noqa: S104 - the person asked to listen on every address
        host = "127.0.0.1" if self.host in (*everywhere, "localhost") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/?token={self.token}"

    def known_host(self, header: str) -> bool:
        """Whether a Host header names this server.

        A page on another site can point its own *name* at this machine (DNS rebinding), never an IP address; so
        addresses, ``localhost`` and the name given at start are accepted, on any port (tunnels change ports).
        """
        try:
            name = urlsplit(f"//{header}").hostname or ""
            _ = urlsplit(f"//{header}").port
        except ValueError:
            return False
        if name in ("localhost", self.host.lower()):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def has_cookie(self, headers: Headers) -> bool:
        """Whether the request carries the cookie of this run."""
        # Split by hand: http.cookies gives up on all of them when another program's cookie is malformed.
        pairs = (part.strip().partition("=") for part in ";".join(headers.getlist("cookie")).split(";"))
        return any(name == self.cookie and _same(value, self.session) for name, _, value in pairs)


class Guard:
    """Middleware that lets in who has the token, and no one else; http and websockets alike."""

    def __init__(self, app: ASGIApp, access: Access, rooms: tuple[str, ...] = ()) -> None:
        self.app, self.access, self.rooms = app, access, rooms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self.app(scope, receive, self._with_headers(scope, send))
        elif scope["type"] == "websocket":
            # Closing before accepting is answered with status 403 during the handshake.
            await send({"type": "websocket.close", "code": 4401, "reason": "open the address with its token first"})
        else:
            await refusal(scope, receive, self._with_headers(scope, send))

    def _refusal(self, scope: Scope) -> Response | None:
        """None for a welcome request; otherwise what to answer instead (for a token: the way in)."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self.access.known_host(host):
            return _page(400, "Unknown host name", "Open the address that the server printed when it started.")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return _page(403, "Another site asked", "This server answers only to its own pages.")
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        tokens = [value for name, value in query if name == "token"]
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and tokens:
            if _same(tokens[0], self.access.token):
                return self._welcome(scope["path"], [pair for pair in query if pair[0] != "token"])
        elif self.access.has_cookie(headers):
            return None
        return _page(
            401,
            "A token is needed",
            "Open the address that the server printed when it started; it ends in ?token=… and is new at every start.",
        )

    def _welcome(self, path: str, query: list[tuple[str, str]]) -> Response:
        # One leading slash: "//elsewhere" would be an address of another machine.
        target = "/" + quote(path.lstrip("/\\")) + (f"?{urlencode(query)}" if query else "")
        response = RedirectResponse(target, status_code=303)
        response.set_cookie(self.access.cookie, self.access.session, httponly=True, samesite="strict", path="/")
        return response

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        first, _, rest = scope["path"].strip("/").partition("/")
        policy = ROOM_POLICY if first in self.rooms else PAGE_POLICY
        lasting = first in self.rooms and rest.startswith("assets/")

        async def sender(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in COMMON_HEADERS.items():
                    headers[name] = value
                headers["Content-Security-Policy"] = policy
                if lasting and message["status"] == 200:
                    # marimo names its three hundred files by their contents: asking again for each is half of a start.
                    headers["Cache-Control"] = "private, max-age=31536000, immutable"
            await send(message)

        return sender


def _same(given: str, expected: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def _page(status: int, title: str, sentence: str) -> HTMLResponse:
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_REFUSAL_STYLE}</style></head>"
        f"<body><main><h1>{title}</h1><p>{sentence}</p></main></body></html>",
        status_code=status,
        headers={"Cache-Control": "no-store"},
    )
