"""Raw results on disk: content-addressed, checksummed, atomic, bounded, never pickled.

An entry is one NetCDF-4 file followed by a SHA-256 of its key and bytes. It is written to a temporary file beside its
place, flushed to the disk and renamed, so that a process killed at any moment leaves either the whole entry or none.
What cannot be trusted is computed again, and the report says so; what cannot be saved is still returned.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Self

from platformdirs import user_cache_path
from xarray import Dataset

from theory.core.errors import Cancelled
from theory.core.netcdf import decode, encode

LIMIT_BYTES = 2 * 2**30
"""Above this size the entries that were not used for the longest time are deleted."""

KEPT_SHARE = 0.9
"""Deleting goes on down to this share of the limit, so that it is rare."""

_ABANDONED_SECONDS = 3600.0
_POLL_SECONDS = 0.05
_SUFFIX, _TEMPORARY = ".nc", ".partial"
_DIGEST_BYTES = hashlib.sha256().digest_size

Compute = Callable[[Sequence[int]], list[Dataset]]


@dataclass(frozen=True)
class StoreReport:
    """Where the results of one request came from, and what a person should know about it."""

    hits: int
    computed: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Usage:
    """The room that a store takes: its directory, entries, their bytes, and the limit in bytes."""

    path: Path
    entries: int
    bytes: int
    limit_bytes: int


class Store:
    """Results found by key (a SHA-256 in hexadecimal) in one directory, shared safely by threads and processes.

    Equal keys in flight in other threads of this process are joined, not computed twice. The directory exceeds
    ``limit_bytes`` by the results of one request at most.
    """

    def __init__(self, path: str | os.PathLike[str], limit_bytes: int = LIMIT_BYTES) -> None:
        self.path = Path(path)
        self.limit_bytes = limit_bytes
        self._lock = Lock()
        self._in_flight: dict[str, Future[Dataset]] = {}
        self._size: int | None = None

    def fetch(
        self, keys: Sequence[str], compute: Compute, stop: Callable[[], bool] | None = None
    ) -> tuple[list[Dataset], StoreReport]:
        """The Datasets of ``keys``, in order, and where they came from.

        ``compute`` receives the positions of missing keys and returns their Datasets in that order. It is called a
        second time for keys that another thread was computing when that thread was cancelled or ran out of memory;
        any other error of that thread is raised here too.

        Raises:
            Cancelled: ``stop()`` turned true while another thread was computing.
        """
        position = {key: index for index, key in reversed(list(enumerate(keys)))}
        found: dict[str, Dataset] = {}
        notes: list[str] = []
        computed = 0
        while missing := sorted((key for key in position if key not in found), key=position.__getitem__):
            with self._lock:
                joined = {key: self._in_flight[key] for key in missing if key in self._in_flight}
                own: dict[str, Future[Dataset]] = {key: Future() for key in missing if key not in joined}
                self._in_flight |= own
            try:
                stored = self._read_all(own, notes)
                _settle(own, stored)
                absent = [key for key in own if key not in stored]
                made = compute([position[key] for key in absent]) if absent else []
                fresh = dict(zip(absent, made, strict=True))
                _settle(own, fresh)
                self._write_all(fresh, notes)
            except BaseException as error:
                for future in own.values():
                    if not future.done():
                        future.set_exception(error)
                raise
            finally:
                with self._lock:
                    for key in own:
                        del self._in_flight[key]
            computed += len(fresh)
            found |= stored | fresh
            for key, future in joined.items():
                if (dataset := _join(future, stop)) is not None:
                    found[key] = dataset
        report = StoreReport(len(position) - computed, computed, tuple(dict.fromkeys(notes)))
        return [found[key] for key in keys], report

    def usage(self) -> Usage:
        """How many entries there are, and how much room they take of how much."""
        sizes = [size for _, size, _ in self._entries()]
        return Usage(self.path, len(sizes), sum(sizes), self.limit_bytes)

    def prune(self, limit_bytes: int | None = None) -> Usage:
        """Delete the least recently used entries above ``limit_bytes`` (the store's own limit); what is left.

        Raises:
            OSError: the directory cannot be changed.
        """
        with self._lock:
            self._size = None
        self._prune(self.limit_bytes if limit_bytes is None else limit_bytes)
        return self.usage()

    def _entries(self) -> list[tuple[float, int, Path]]:
        """Time of last use, bytes and path of each entry."""
        found: list[tuple[float, int, Path]] = []
        for path in self.path.glob(f"??/*{_SUFFIX}"):
            with suppress(FileNotFoundError):
                about = path.stat()
                found.append((about.st_mtime, about.st_size, path))
        return found

    def _entry(self, key: str) -> Path:
        return self.path / key[:2] / f"{key}{_SUFFIX}"

    def _read_all(self, keys: Mapping[str, object], notes: list[str]) -> dict[str, Dataset]:
        found: dict[str, Dataset] = {}
        damaged = 0
        for key in keys:
            path = self._entry(key)
            try:
                content = path.read_bytes()
                body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
                if digest != _digest(key, body):
                    raise ValueError("checksum")
                found[key] = decode(body)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except PermissionError as error:
                notes.append(f"The store could not be read ({error.strerror}), so the results were computed again.")
                continue
            except (OSError, ValueError, KeyError, TypeError):
                damaged += 1
                with suppress(OSError):
                    path.unlink()
                continue
            with suppress(OSError):
                os.utime(path)
        if damaged:
            subject = "One stored result was" if damaged == 1 else f"{damaged} stored results were"
            notes.append(f"{subject} damaged on disk and computed again.")
        return found

    def _write_all(self, entries: Mapping[str, Dataset], notes: list[str]) -> None:
        try:
            for key, dataset in entries.items():
                self._write(key, dataset)
            if entries:
                self._prune(self.limit_bytes)
        except OSError as error:
            reason = error.strerror or str(error)
            notes.append(f"The results could not be saved to {self.path} ({reason}); they are shown all the same.")

    def _write(self, key: str, dataset: Dataset) -> None:
        target = self._entry(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        body = encode(dataset)
        handle, name = tempfile.mkstemp(suffix=_TEMPORARY, dir=target.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(body)
                file.write(_digest(key, body))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        with self._lock:
            if self._size is not None:
                self._size += len(body) + _DIGEST_BYTES

    def _prune(self, limit: int) -> None:
        """Delete the least recently used entries above the limit, and what killed processes left half written."""
        with self._lock:
            if self._size is not None and self._size <= limit:
                return
            entries = self._entries()
            size = sum(bytes_used for _, bytes_used, _ in entries)
            if size > limit:
                for _, bytes_used, path in sorted(entries):
                    if size <= KEPT_SHARE * limit:
                        break
                    path.unlink(missing_ok=True)
                    size -= bytes_used
            self._size = size
            for path in self.path.glob(f"??/*{_TEMPORARY}"):
                with suppress(FileNotFoundError):
                    if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                        path.unlink()


class SessionStore(Store):
    """The store of one person's uploads: a private temporary directory, deleted on :meth:`close` or at exit."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        super().__init__(tempfile.mkdtemp(prefix="theorem-bench-"), limit_bytes)
        self._remove = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    def close(self) -> None:
        """Delete the directory with everything in it; calling it twice does no harm."""
        self._remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def default_store() -> Store:
    """The store of this computer's user: ``$THEOREM_BENCH_STORE``, or the user's cache directory."""
    return _store_at(os.environ.get("THEOREM_BENCH_STORE", ""))


def session_store() -> SessionStore:
    """A new store for one person's own data; nobody else's session can reach it."""
    return SessionStore()


def _digest(key: str, body: bytes) -> bytes:
    digest = hashlib.sha256(key.encode())
    digest.update(body)
    return digest.digest()


def _settle(futures: Mapping[str, Future[Dataset]], datasets: Mapping[str, Dataset]) -> None:
    for key, dataset in datasets.items():
        futures[key].set_result(dataset)


def _join(future: Future[Dataset], stop: Callable[[], bool] | None) -> Dataset | None:
    """Another thread's result as an own copy; None when that thread gave up for reasons of its own."""
    while not wait([future], None if stop is None else _POLL_SECONDS).done:
        if stop is not None and stop():
            raise Cancelled
    error = future.exception()
    if error is None:
        return future.result().copy(deep=True)
    if isinstance(error, (Cancelled, MemoryError)) or not isinstance(error, Exception):
        return None
    raise error


@cache
def _store_at(path: str) -> Store:
    return Store(Path(path).expanduser() if path else user_cache_path("theorem-bench", appauthor=False) / "results")
