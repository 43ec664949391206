"""Streams: what was appended is there, whatever becomes of the process that appended it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from localreg import LocalregError, StorageError
from localreg.storage import LocalStore, MemoryStore, Store
from localreg.tables.spool import Spool, spooled
from localreg.tables.streams import Segment, Stream, left_spools, open_parts
from localreg.testing.stores import FaultyStore
from tests.crash.pipes import read_line

OWNER = "0" * 32


def to_rows(lines: Sequence[bytes]) -> pa.Table:
    return pa.table({"n": pa.array([json.loads(line) for line in lines], pa.int64())})


def stream(store: Store, every_s: float = 3_600, failed: list[LocalregError] | None = None) -> Stream:
    errors: list[LocalregError] = [] if failed is None else failed
    return Stream(store, "points", OWNER, to_rows, every_s=every_s, failed=errors.append)


def parted(store: Store) -> list[int]:
    """What open parts hold."""
    seen: set[Segment] = set()
    numbers = []
    for part in open_parts(store, "points", OWNER):
        if part.segment not in seen:
            with suppress(pa.ArrowInvalid):  # it is being written at this moment
                numbers += pq.read_table(store.local_file(part.path))["n"].to_pylist()
                seen.add(part.segment)
    return sorted(numbers)


def left(store: Store) -> list[int]:
    """What spools hold."""
    return sorted(int(line) for _, path in left_spools(store, "points", OWNER) for line in spooled(path))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return LocalStore(tmp_path / "ns", staging="tmp")


def test_what_is_appended_is_spooled_and_then_a_part(store: Store) -> None:
    own = stream(store)
    for number in range(5):
        own.append(str(number).encode())
    assert (left(store), parted(store)) == ([0, 1, 2, 3, 4], [])
    own.flush()
    assert (left(store), parted(store)) == ([], [0, 1, 2, 3, 4])
    own.append(b"5")
    own.write(pa.table({"n": [6, 7]}))
    own.close()
    assert (left(store), parted(store)) == ([], list(range(8)))
    assert len(list(open_parts(store, "points", OWNER))) == 3


def test_others_see_it_within_the_interval(store: Store) -> None:
    own = stream(store, every_s=0.01)
    own.append(b"1")
    while not parted(store):
        threading.Event().wait(0.005)
    assert own._thread is not None
    own.close()


@pytest.mark.parametrize("count", [1, 500])
def test_kill_9_loses_nothing(tmp_path: Path, count: int) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom localreg.storage import LocalStore\n"
        "from tests.unit.test_streams import stream\n"
        f"own = stream(LocalStore(Path({str(tmp_path)!r}), staging='tmp'), every_s=0.002)\n"
        "number = 0\n"
        "while True:\n"
        "    own.append(str(number).encode())\n"
        "    number += 1\n"
        f"    if number == {count}: print('there', flush=True)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, bufsize=0, env=environment) as process:
        assert read_line(process.stdout).strip() == "there"
        process.send_signal(signal.SIGKILL)
    store = LocalStore(tmp_path, staging="tmp")
    made = {part.segment for part in open_parts(store, "points", OWNER) if _is_whole(store, part.path)}
    numbers = [
        int(line)
        for segment, path in left_spools(store, "points", OWNER)
        if segment not in made
        for line in spooled(path)
    ]
    for part in open_parts(store, "points", OWNER):
        if part.segment in made:
            numbers += pq.read_table(store.local_file(part.path))["n"].to_pylist()
    assert sorted(numbers) == list(range(len(numbers)))
    assert len(numbers) >= count


def _is_whole(store: Store, path: str) -> bool:
    try:
        pq.read_metadata(store.local_file(path))
    except (pa.ArrowException, OSError):
        return False
    return True


def test_a_store_that_fails_keeps_nobody_waiting(tmp_path: Path) -> None:
    store = FaultyStore(LocalStore(tmp_path, staging="tmp"), fail_at=1, when="before")
    errors: list[LocalregError] = []
    own = stream(store, failed=errors)
    own.append(b"1")
    own.flush_or_tell()
    assert len(errors) == 1
    own.append(b"2")
    assert left(store) == [1, 2]
    own.flush()
    assert (left(store), parted(store)) == ([], [1, 2])


def test_many_lines_that_wait_are_left_to_their_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localreg.tables.streams.MANY_BYTES", 3)
    own = stream(FaultyStore(LocalStore(tmp_path, staging="tmp"), fail_at=1, when="before"))
    for number in range(9):
        own.append(str(number).encode())
    own.flush_or_tell()
    assert [each.lines for each in own._waiting] == [None]
    own.close()
    assert parted(LocalStore(tmp_path, staging="tmp")) == list(range(9))


def test_in_memory_nothing_is_spooled() -> None:
    store = MemoryStore()
    own = stream(store)
    own.append(b"1")
    assert left(store) == []
    own.close()
    assert [part.segment for part in open_parts(store, "points", OWNER)] == [Segment(own.writer, 1)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_is_another_writer(store: Store) -> None:
    own = stream(store)
    own.append(b"1")
    child = os.fork()
    if not child:
        try:
            own.append(b"2")
            own.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert (left(store), parted(store)) == ([1], [2])
    own.append(b"3")
    own.close()
    assert (left(store), parted(store)) == ([], [1, 2, 3])
    assert len({part.segment.writer for part in open_parts(store, "points", OWNER)}) == 2


def test_many_threads(store: Store) -> None:
    own = stream(store, every_s=0.001)

    def append(begin: int) -> None:
        for number in range(begin, begin + 200):
            own.append(str(number).encode())

    threads = [threading.Thread(target=append, args=(begin,)) for begin in range(0, 1000, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    own.close()
    assert parted(store) == list(range(1000))


# --- spools -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    own = Spool(tmp_path / "a" / "b.jsonl")
    yield own
    own.close()


def test_half_a_line_is_passed_over(spool: Spool) -> None:
    spool.append(b"1\n")
    with spool.path.open("ab") as file:
        file.write(b"2")
    assert list(spooled(spool.path)) == [b"1"]


@pytest.mark.parametrize("can_truncate", [True, False])
def test_a_full_disk_takes_no_half_line(spool: Spool, monkeypatch: pytest.MonkeyPatch, can_truncate: bool) -> None:
    write = os.write
    spool.append(b"1\n")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: write(file, data[:3]))
        if not can_truncate:
            patch.setattr(os, "ftruncate", _refused)
        with pytest.raises(StorageError, match=r"cannot be written .*; free some room"):
            spool.append(b"22222\n")
    spool.append(b"3\n")
    found = list(spooled(spool.path))
    assert found == ([b"1", b"3"] if can_truncate else [b"1", b"222", b"3"])


def _refused(file: int, length: int) -> None:
    raise OSError("not now")


def test_a_spool_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be made"):
        Spool(tmp_path / "file" / "x.jsonl")
    assert list(spooled(tmp_path / "none.jsonl")) == []
