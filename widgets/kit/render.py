"""Figures as SVG, PDF and PNG through one browser that keeps running: the first takes seconds, others tenths."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import threading
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Literal

Format = Literal["svg", "pdf", "png"]
FIRST_SECONDS = 60.0
"""Time for one picture, the start of the browser included, before it is given up."""
CLOSE_SECONDS = 5.0


class RenderError(RuntimeError):
    """No picture, and why: there is no browser, it did not start, or it did not answer in time."""


class Renderer:
    """A browser in an event loop of its own thread; safe to use from any thread, one picture at a time.

    A browser that hangs or dies is thrown away, and the next picture starts a new one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._browser: Any = None

    def render(self, figure: dict[str, Any], kind: Format, width: int, height: int, scale: float = 1.0) -> bytes:
        """The picture's bytes; ``figure`` is Plotly's plain form, ``width`` and ``height`` are CSS pixels.

        Raises:
            RenderError: see its sentence.
        """
        options = {"format": kind, "width": width, "height": height, "scale": scale}
        if not self._lock.acquire(timeout=2 * FIRST_SECONDS):
            raise RenderError("the browser that draws pictures is busy; try again")
        try:
            return self._submit(self._draw(figure, options), FIRST_SECONDS)
        except (FutureTimeout, TimeoutError):
            self._forget()
            raise RenderError(f"the browser did not draw the figure within {FIRST_SECONDS:.0f} seconds") from None
        except Exception as error:
            self._forget()
            if type(error).__name__ == "ChromeNotFoundError":
                raise RenderError("no browser was found; install Chromium or Chrome, or set BROWSER_PATH") from None
            raise RenderError(
                f"the browser failed: {str(error).splitlines()[0] if str(error) else type(error)}"
            ) from error
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the browser and its thread."""
        with self._lock:
            self._forget()
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._loop = None
            if self._thread is not None:
                self._thread.join(CLOSE_SECONDS)
                self._thread = None

    async def _draw(self, figure: dict[str, Any], options: dict[str, Any]) -> bytes:
        if self._browser is None:
            import kaleido

            # Without MathJax: pictures need no network, and formulas in figures are Unicode.
            browser = kaleido.Kaleido(n=1, timeout=FIRST_SECONDS, mathjax=False)
            await browser.open()
            self._browser = browser
        drawn: bytes = await self._browser.calc_fig(figure, opts=options)
        return drawn

    def _submit(self, coroutine: Any, seconds: float) -> Any:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=_serve, args=(self._loop,), name="render", daemon=True)
            self._thread.start()
            atexit.register(self.close)
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(seconds)
        except FutureTimeout:
            future.cancel()
            raise

    def _forget(self) -> None:
        browser, self._browser = self._browser, None
        if browser is not None:
            # A browser that is already gone cannot be closed, and need not be.
            with contextlib.suppress(Exception):
                self._submit(browser.close(), CLOSE_SECONDS)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run the loop until it is stopped, then end what it still holds."""
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=CLOSE_SECONDS))
    finally:
        loop.close()


RENDERER = Renderer()
"""The one renderer of this process."""
