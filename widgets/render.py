"""Figures as SVG, PDF and PNG through one browser that is kept running: the first picture takes seconds, others tenths."""

from __future__ import annotations

import asyncio
import atexit
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
            threading.Thread(target=self._loop.run_forever, name="render", daemon=True).start()
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
            try:
                self._submit(browser.close(), CLOSE_SECONDS)
            except Exception:  # noqa: S110 - a browser that is already gone cannot be closed, and need not be
                pass


RENDERER = Renderer()
"""The one renderer of this process."""
