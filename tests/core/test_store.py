"""The store: exact, atomic under kill -9, honest about damage, shared by threads without sharing failures."""

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from xarray import Dataset

from theory.core.errors import Cancelled
from theory.core.netcdf import decode, encode
from theory.core.store import Store, default_store, session_store

KEYS = [f"{index:064x}" for index in range(20)]


def dataset(number: float = 1.0, size: int = 3) -> Dataset:
    return Dataset({"x": ("step", np.full(size, number))}, coords={"step": np.arange(size)})


def make(number: float = 1.0):
    return lambda missing: [dataset(number + index) for index in missing]


def never(missing):
    raise AssertionError("computed again")


def open_files() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def entries(store: Store) -> list[Path]:
    return sorted(path for path in store.path.rglob("*") if path.is_file())


def test_everything_comes_back_exactly():
    original = Dataset(
        {
            "numbers": (("a", "b"), np.array([[np.nan, np.inf, -np.inf], [0.0, -0.0, 1e-320]]), {"units": "1", "n": 3}),
            "single": ("b", np.ones(3, np.float32)),
            "count": ("b", np.array([1, 2, 2**62])),
            "flags": ("a", np.array([True, False])),
            "flag": ((), True),
            "names": ("b", np.array(["A", "βγ", ""])),
            "objects": ("a", np.array(["a", "bc"], dtype=object)),
            "empty": (("c", "b"), np.zeros((0, 3))),
            "text": ((), "one"),
        },
        coords={"b": ["x", "y", "z"], "extra": ("a", [1.5, 2.5])},
        attrs={"none": None, "flag": True, "list": [1, 2.5, "x"], "inf": -np.inf, "nested": {"a": [1]}, "": ""},
    )
    again = decode(encode(original))
    assert again.identical(original)
    assert {n: v.dtype for n, v in again.variables.items()} == {n: v.dtype for n, v in original.variables.items()}
    assert np.signbit(again["numbers"].values[1, 1])
    assert decode(encode(Dataset())).identical(Dataset())


def test_only_what_is_missing_is_computed_and_in_order(store: Store):
    asked = []

    def compute(missing):
        asked.append(list(missing))
        return [dataset(index) for index in missing]

    first, report = store.fetch(KEYS[:4], compute)
    assert (report.hits, report.computed, report.notes) == (0, 4, ())
    again, report = store.fetch([KEYS[5], *KEYS[:4], KEYS[6]], compute)
    assert asked == [[0, 1, 2, 3], [0, 5]]
    assert (report.hits, report.computed) == (4, 2)
    assert all(one.identical(other) for one, other in zip(first, again[1:5], strict=True))
    assert Store(store.path).fetch(KEYS[:4], never)[1].hits == 4


def test_a_key_asked_twice_is_computed_once(store: Store):
    found, report = store.fetch([KEYS[0], KEYS[1], KEYS[0]], make())
    assert report.computed == 2
    assert found[2].identical(found[0])
    assert [float(one["x"][0]) for one in found] == [1.0, 2.0, 1.0]


def test_a_hit_is_fast_and_leaves_nothing_open(store: Store):
    store.fetch(KEYS, make())
    store.fetch(KEYS, never)
    before = open_files()
    started = time.perf_counter()
    for _ in range(5):
        store.fetch(KEYS, never)
    assert (time.perf_counter() - started) / 100 < 0.02  # about 2 ms each on an idle core
    assert open_files() == before


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "other", "swapped"])
def test_a_damaged_entry_is_computed_again_and_said_so(store: Store, damage: str):
    store.fetch(KEYS[:2], make())
    path, other = (next(store.path.rglob(f"{key}*")) for key in KEYS[:2])
    content = path.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    damaged = {"truncated": content[:-7], "flipped": flipped, "empty": b"", "other": b"hello" * 50}
    path.write_bytes(damaged.get(damage, other.read_bytes()))
    found, report = store.fetch(KEYS[:2], make())
    assert (report.hits, report.computed) == (1, 1)
    assert report.notes == ("One stored result was damaged on disk and computed again.",)
    assert found[0].identical(dataset(1.0))
    assert store.fetch(KEYS[:2], never)[1].notes == ()


WRITER = """
import sys, numpy as np
from xarray import Dataset
from theory.core.store import Store
store = Store(sys.argv[1])
print("ready", flush=True)
number = 0
while True:
    keys = [f"{number + i:064x}" for i in range(4)]
    store.fetch(keys, lambda missing: [Dataset({"x": ("i", np.full(20_000, float(number + i)))}) for i in missing])
    number += 4
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs signals")
def test_killed_at_any_moment_every_entry_is_whole(tmp_path: Path):
    rng = np.random.default_rng(0)
    whole = 0
    for attempt in range(6):
        folder = tmp_path / str(attempt)
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        with writer.stdout:
            writer.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.5))
            os.kill(writer.pid, signal.SIGKILL)
            writer.wait()
        store = Store(folder)
        keys = sorted(path.stem for path in folder.rglob("*.nc"))
        found, report = store.fetch(keys, never)
        assert report.notes == ()
        assert all((one["x"] == int(key, 16)).all() for key, one in zip(keys, found, strict=True))
        whole += len(keys)
    assert whole > 0


@pytest.mark.parametrize("moment", ["before", "in the middle", "before the rename"])
def test_an_interrupted_write_leaves_no_entry(store: Store, monkeypatch: pytest.MonkeyPatch, moment: str):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    where = {
        "before": "theory.core.store.encode",
        "in the middle": "os.fsync",
        "before the rename": "pathlib.Path.replace",
    }
    with monkeypatch.context() as patched:
        patched.setattr(where[moment], interrupt)
        with pytest.raises(KeyboardInterrupt):
            store.fetch(KEYS[:1], make())
    assert entries(store) == []
    assert store.fetch(KEYS[:1], make())[1].computed == 1


def test_half_written_files_of_killed_processes_are_removed(store: Store):
    store.fetch(KEYS[:1], make())
    old, young = (entries(store)[0].parent / f"{name}.partial" for name in ("old", "young"))
    for path in (old, young):
        path.write_bytes(b"x")
    os.utime(old, (0, 0))
    Store(store.path).fetch(KEYS[1:2], make())
    assert not old.exists()
    assert young.exists()


def test_a_disk_that_cannot_be_written_costs_nothing_but_a_note(tmp_path: Path):
    (tmp_path / "file").write_text("not a folder")
    found, report = Store(tmp_path / "file" / "store").fetch(KEYS[:2], make())
    assert [float(one["x"][0]) for one in found] == [1.0, 2.0]
    assert len(report.notes) == 1
    assert "could not be saved" in report.notes[0]


def test_a_full_disk_costs_nothing_but_a_note(store: Store, monkeypatch: pytest.MonkeyPatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    found, report = store.fetch(KEYS[:1], make())
    assert found[0].identical(dataset(1.0))
    assert "No space left on device" in report.notes[0]
    assert entries(store) == []


def test_the_least_recently_used_entries_go_first(tmp_path: Path):
    store = Store(tmp_path)
    store.fetch(KEYS[:10], make())
    size = entries(store)[0].stat().st_size
    for age, key in enumerate(KEYS[:10]):
        os.utime(next(tmp_path.rglob(f"{key}*")), (1000 + age, 1000 + age))
    bounded = Store(tmp_path, limit_bytes=10 * size)
    bounded.fetch(KEYS[:1], never)
    bounded.fetch(KEYS[10:11], make())
    kept = {path.stem for path in entries(bounded)}
    assert KEYS[0] in kept
    assert KEYS[10] in kept
    assert KEYS[1] not in kept
    assert KEYS[9] in kept
    for key in KEYS[11:]:
        bounded.fetch([key], make())
    assert sum(path.stat().st_size for path in entries(bounded)) <= 10 * size


class Blocked:
    """A computation that waits until it is released, and then answers or raises."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.started, self.release, self.error = threading.Event(), threading.Event(), error

    def __call__(self, missing):
        self.started.set()
        assert self.release.wait(10)
        if self.error:
            raise self.error
        return [dataset(7.0) for _ in missing]


class Request(threading.Thread):
    def __init__(self, store, keys, compute, stop=None):
        super().__init__()
        self.arguments, self.outcome = (store, keys, compute, stop), None
        self.start()

    def run(self):
        store, keys, compute, stop = self.arguments
        try:
            self.outcome = store.fetch(keys, compute, stop)
        except BaseException as error:
            self.outcome = error

    def result(self):
        self.join(10)
        assert not self.is_alive()
        return self.outcome


def test_equal_requests_in_flight_are_joined(store: Store):
    slow = Blocked()
    first = Request(store, KEYS[:2], slow)
    assert slow.started.wait(10)
    others = [Request(store, [KEYS[1], KEYS[5 + index]], make(3.0)) for index in range(4)]
    time.sleep(0.1)
    assert all(thread.is_alive() for thread in others)
    slow.release.set()
    assert first.result()[1].computed == 2
    for thread in others:
        found, report = thread.result()
        assert (report.hits, report.computed) == (1, 1)
        assert found[0].identical(dataset(7.0))
    found[0]["x"][:] = 0.0
    assert first.result()[0][1].identical(dataset(7.0))


def test_requests_that_want_each_others_keys_do_not_wait_for_ever(store: Store):
    one, two = Blocked(), Blocked()
    first = Request(store, [KEYS[0]], one)
    second = Request(store, [KEYS[1]], two)
    assert one.started.wait(10)
    assert two.started.wait(10)
    crossed = [Request(store, keys, make()) for keys in (KEYS[:3], [KEYS[2], KEYS[1], KEYS[0]])]
    one.release.set()
    two.release.set()
    for thread in (first, second, *crossed):
        assert not isinstance(thread.result(), BaseException)


@pytest.mark.parametrize("error", [Cancelled(), MemoryError(), KeyboardInterrupt(), SystemExit()])
def test_nobody_inherits_another_persons_cancellation(store: Store, error: BaseException):
    slow = Blocked(error)
    first = Request(store, KEYS[:2], slow)
    assert slow.started.wait(10)
    others = [Request(store, KEYS[:2], make()) for _ in range(3)]
    time.sleep(0.05)
    slow.release.set()
    assert first.result() is error
    reports = [thread.result()[1] for thread in others]
    assert sum(report.computed for report in reports) == 2


def test_a_failure_reaches_those_who_wait(store: Store):
    slow = Blocked(ValueError("a bug"))
    first = Request(store, KEYS[:1], slow)
    assert slow.started.wait(10)
    second = Request(store, KEYS[:1], never)
    time.sleep(0.05)
    slow.release.set()
    assert str(first.result()) == str(second.result()) == "a bug"
    assert store.fetch(KEYS[:1], make())[1].computed == 1


def test_who_waits_can_move_on(store: Store):
    slow, moved_on = Blocked(), threading.Event()
    first = Request(store, KEYS[:1], slow)
    assert slow.started.wait(10)
    second = Request(store, KEYS[:1], never, moved_on.is_set)
    moved_on.set()
    assert isinstance(second.result(), Cancelled)
    slow.release.set()
    assert first.result()[1].computed == 1


def test_the_default_store_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("THEOREM_BENCH_STORE", str(tmp_path))
    assert default_store().path == tmp_path
    assert default_store() is default_store()
    monkeypatch.delenv("THEOREM_BENCH_STORE")
    assert "theorem-bench" in str(default_store().path)


def test_a_session_store_is_private_and_leaves_nothing():
    with session_store() as store, session_store() as other:
        store.fetch(KEYS[:1], make())
        assert stat.S_IMODE(store.path.stat().st_mode) == 0o700
        assert other.fetch(KEYS[:1], make())[1].hits == 0
    assert not store.path.exists()
    store.close()


def test_a_session_store_is_removed_at_exit(tmp_path: Path):
    code = "from theory.core.store import session_store; store = session_store(); print(store.path)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not Path(done.stdout.strip()).exists()
