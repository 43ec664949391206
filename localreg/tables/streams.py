"""Streams: bulk rows of something that still runs, such as an experiment's points, written as they come.

What is appended stands in a spool (`spool.py`) before `append` returns. Every few seconds a thread makes a *segment*,
the lines since the last one, an open part, `data/<table>/<owner>/open-<writer>-<number>.parquet`, which no log entry
names and whoever looks at what is live reads. Then the segment's spool goes. So a process that dies leaves open parts
and a few spools, which the next one makes parts of: a segment is known by its writer and its number, and made a part of
twice it is still read once. Who ends what runs merges the open parts into a few that an entry names, and says there
which segments they hold.
"""

from __future__ import annotations

import os
import re
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from localreg.errors import LocalregError
from localreg.names import new_id
from localreg.storage import Store
from localreg.tables.parts import write_part
from localreg.tables.spool import Spool, spooled

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["OpenPart", "Segment", "Stream", "left_spools", "open_parts"]

MANY_BYTES = 64 * 2**20
"""Lines that wait for a store that does not answer stay in memory up to so many; beyond, their spool has them."""

_PART = re.compile(r"open-(?P<writer>[0-9a-f]{32})-(?P<number>[0-9]{8})(-[0-9a-f]{32})?\.parquet")
_SPOOL = re.compile(r"(?P<writer>[0-9a-f]{32})-(?P<number>[0-9]{8})\.jsonl")

_STREAMS: weakref.WeakSet[Stream] = weakref.WeakSet()

ToRows: TypeAlias = "Callable[[Sequence[bytes]], pa.Table]"
"""Makes rows of lines."""


class Segment(NamedTuple):
    """What a writer appended between two flushes."""

    writer: str
    number: int


class OpenPart(NamedTuple):
    """A part that no log entry names."""

    segment: Segment
    path: str


@dataclass(eq=False)
class _Waiting:
    """Lines that are not in a part yet.

    Attributes:
        number: of their segment.
        tried: whether a part was begun, whose remains may be there.
        spool: that holds them, too; None = there is none.
        lines: themselves; None = only the spool has them.
    """

    number: int
    spool: Spool | None
    lines: list[bytes] | None = field(default_factory=list)
    size: int = 0
    tried: bool = False

    def all_lines(self) -> Sequence[bytes]:
        """Them, from wherever they are."""
        if self.lines is not None:
            return self.lines
        assert self.spool is not None, "only what is spooled is dropped from memory"
        return list(spooled(self.spool.path))


class Stream:
    """What this process appends to one owner's rows of one table. Threads may share it; a fork begins one of its own.

    Args:
        store: the namespace's.
        table: which bulk table.
        owner: id of the record that the rows belong to.
        to_rows: makes rows of lines.
        every_s: how long a line waits at most to become part of what others can read.
        failed: is told what kept lines from becoming a part; they wait, and are tried again.
        writer: id of this process among writers, if it has one already; of a fork it is another one.
    """

    def __init__(
        self,
        store: Store,
        table: str,
        owner: str,
        to_rows: ToRows,
        *,
        every_s: float,
        failed: Callable[[LocalregError], None],
        writer: str | None = None,
    ) -> None:
        self._store = store
        self._table = table
        self._owner = owner
        self._to_rows = to_rows
        self._every_s = every_s
        self._failed = failed
        self._folder = store.spool_folder()
        self._begin()
        if writer is not None:
            self.writer = writer
        _STREAMS.add(self)

    def _begin(self) -> None:
        """As a writer of its own, with nothing appended yet: what a fork copied is its parent's to write."""
        self.writer = new_id()
        self._numbers = 0
        self._now: _Waiting | None = None
        self._waiting: list[_Waiting] = []
        self._appending, self._flushing = threading.Lock(), threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    # --- appending ----------------------------------------------------------------------------------------------------

    def append(self, line: bytes) -> None:
        """Take a line: it outlives this process once this returns.

        Args:
            line: without a line break.

        Raises:
            StorageError: there is no room for it on this machine; nothing was taken.
        """
        line += b"\n"
        with self._appending:
            now = self._now or self._next()
            if now.spool is not None:
                now.spool.append(line)
            if now.lines is not None:
                now.lines.append(line[:-1])
            now.size += len(line)
        if self._thread is None:
            self._start()

    def _next(self) -> _Waiting:
        self._numbers += 1
        path = None if self._folder is None else self._folder / self._owner / self._table
        name = f"{self.writer}-{self._numbers:08}.jsonl"
        self._now = _Waiting(self._numbers, None if path is None else Spool(path / name, self._store.new_spool))
        return self._now

    def write(self, rows: pa.Table) -> None:
        """Take many rows at once, which are durable when this returns.

        Raises:
            StorageError: the store does not answer; nothing was taken.
        """
        with self._appending:
            self._numbers += 1
            number = self._numbers
        self._write(number, rows)

    # --- flushing -----------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        with self._appending:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=_flush_again, args=(weakref.ref(self), self._wake, self._every_s), daemon=True
                )
                self._thread.name = f"localreg {self._table}"
                self._thread.start()

    def flush(self) -> None:
        """Make a part of all that was appended before this call.

        Raises:
            StorageError: the store does not answer; what was appended waits.
        """
        with self._flushing:
            with self._appending:
                if self._now is not None:
                    self._waiting.append(self._now)
                    self._now = None
            while self._waiting:
                first = self._waiting[0]
                tried, first.tried = first.tried, True
                self._write(first.number, self._to_rows(first.all_lines()), again=tried)
                if first.spool is not None:
                    first.spool.remove()
                del self._waiting[0]

    def flush_or_tell(self) -> None:
        """Flush; what goes wrong is told, and tried again the next time."""
        try:
            self.flush()
        except LocalregError as error:
            self._shed()
            self._failed(error)

    def _shed(self) -> None:
        """Leave lines to their spools once there are many."""
        total = sum(each.size for each in self._waiting)
        for each in self._waiting:
            if total > MANY_BYTES and each.spool is not None:
                each.lines = None

    def _write(self, number: int, rows: pa.Table, *, again: bool = False) -> None:
        name = f"open-{self.writer}-{number:08}"
        if again:  # a disk that failed may have kept its remains
            name += f"-{new_id()}"
        write_part(self._store, self._table, self._owner, rows, {}, name=name)

    def close(self) -> None:
        """Flush, and let go of the thread.

        Raises:
            StorageError: see `flush`.
        """
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None
        self._wake = threading.Event()
        self.flush()


def _flush_again(held: weakref.ref[Stream], wake: threading.Event, every_s: float) -> None:
    """Flush every so often, as long as there is somebody to append, and once more at the end of the process."""
    while not wake.wait(every_s):
        stream = held()
        if stream is None:
            return
        stream.flush_or_tell()
        del stream


def _begin_anew() -> None:
    for stream in list(_STREAMS):
        stream._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


# --- what writers left ------------------------------------------------------------------------------------------------


def open_parts(store: Store, table: str, owner: str) -> Iterator[OpenPart]:
    """The open parts of an owner, those of one segment side by side: read the first that can be read."""
    for path in store.list(f"data/{table}/{owner}"):
        found = _PART.fullmatch(path.rpartition("/")[2])
        if found is not None:
            yield OpenPart(Segment(found["writer"], int(found["number"])), path)


def left_spools(store: Store, table: str, owner: str) -> list[tuple[Segment, Path]]:
    """The spools that lie on this machine, of writers dead and alive."""
    folder = store.spool_folder()
    if folder is None:
        return []
    with suppress(OSError):
        files = sorted((folder / owner / table).iterdir())
        found = [(_SPOOL.fullmatch(file.name), file) for file in files]
        return [(Segment(match["writer"], int(match["number"])), file) for match, file in found if match]
    return []
