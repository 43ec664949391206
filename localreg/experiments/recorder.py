"""What one process reports of a running experiment: points and events, as they come, by spools and open parts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from datetime import datetime
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError, LocalregError
from localreg.events.rows import EVENTS, Reported, line_of_event
from localreg.experiments.bulk import tables_of_points
from localreg.experiments.points import POINTS, Loggable, line_of, points_of
from localreg.names import shown_value
from localreg.session import Session
from localreg.session.presence import Presence
from localreg.storage import Store
from localreg.tables.streamed import Streamed, numbered
from localreg.tables.streams import Stream
from localreg.times import Now, checked_wallclock

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["STREAMED", "Recorder", "checked_step", "presence_of"]

STREAMED = (POINTS, EVENTS)
"""The bulk tables whose rows come while an experiment runs."""

LOGGER = logging.getLogger("localreg")


class Recorder:
    """A process that reports of an experiment. Threads may share it; a fork goes on as a process of its own.

    Args:
        session: where the experiment is.
        experiment: its id.
        every_s: how long a row waits at most until others can read it.
    """

    def __init__(self, session: Session, experiment: str, *, every_s: float) -> None:
        self._session = session
        self._experiment = experiment
        self._every_s = every_s
        self._sequence, self._counting = 0, threading.Lock()
        self._stack = ExitStack()
        self._streams: dict[str, Stream] = {}
        self._seen: set[str] = set()
        self._stream(POINTS)
        self._seen_stream(POINTS)

    def _stream(self, table: Streamed, writer: str | None = None) -> Stream:
        """The stream of a table; it is made at its first use."""
        stream = self._streams.get(table.name)
        if stream is None:
            store, every_s = self._session.store, self._every_s
            made = Stream(
                store, table.name, self._experiment, table.rows_of, every_s=every_s, failed=_tell, writer=writer
            )
            stream = self._streams.setdefault(table.name, made)
        return stream

    def _seen_stream(self, table: Streamed) -> Stream:
        """The stream of a table, whose writer is alive in the eyes of others: of a fork it is a new one."""
        stream = self._stream(table, self._streams[POINTS.name].writer)
        if stream.writer not in self._seen:
            with suppress(LocalregError):  # what was reported counts more, and this is tried again
                presence = presence_of(self._session.store, self._experiment, stream.writer)
                self._stack.enter_context(presence.shown())
                self._seen.add(stream.writer)
        return stream

    def log(
        self, metrics: Mapping[str, Loggable], step: int | None, wallclock: float | datetime | str | Now | None
    ) -> None:
        """Take points: they outlive this process once this returns.

        Raises:
            InvalidInputError: something cannot be logged; nothing was.
            StorageError: there is no room for it on this machine.
        """
        points, at, number = points_of(metrics), checked_wallclock(wallclock), checked_step(step)
        if points:
            self._seen_stream(POINTS).append(line_of(self._numbers(1), number, at, points))

    def report(self, event: Reported) -> None:
        """Take an event: it outlives this process once this returns.

        Raises:
            StorageError: there is no room for it on this machine.
        """
        self._seen_stream(EVENTS).append(line_of_event(self._numbers(1), event))

    def log_table(self, given: object) -> int:
        """Take many points at once, which are durable when this returns; how many they are.

        Raises:
            InvalidInputError: see `tables_of_points`; nothing was taken.
            StorageError: the store does not answer.
        """
        return self._write(POINTS, tables_of_points(given))

    def report_tables(self, tables: Iterable[pa.Table]) -> int:
        """Take many events at once, which are durable when this returns; how many they are.

        Raises:
            InvalidInputError: one of them is none; nothing was taken.
            StorageError: the store does not answer.
        """
        return self._write(EVENTS, tables)

    def _write(self, table: Streamed, tables: Iterable[pa.Table]) -> int:
        """Take rows that are numbered from 0."""
        rows = table.joined([*tables])
        if len(rows):
            self._seen_stream(table).write(numbered(rows, self._numbers(len(rows))))
        return len(rows)

    def _numbers(self, count: int) -> int:
        """The first of so many numbers in the order of reporting."""
        with self._counting:
            first = self._sequence + 1
            self._sequence += count
        return first

    @property
    def writers(self) -> set[str]:
        """As whom this process has reported; of a fork not what its parent was."""
        return {stream.writer for stream in self._streams.values()}

    def flush(self) -> None:
        """Let others read all that was reported so far."""
        for stream in list(self._streams.values()):
            stream.flush()

    def close(self) -> None:
        """Flush, and be gone in the eyes of others.

        Raises:
            StorageError: the store does not answer; what was reported waits in the spool.
        """
        with self._stack, ExitStack() as closing:
            for stream in self._streams.values():
                closing.callback(stream.close)


def presence_of(store: Store, experiment: str, writer: str) -> Presence:
    """Who reports of an experiment."""
    return Presence(store, f"tmp/experiments/{experiment}/writers", writer)


def checked_step(step: object, *, what: str = "step") -> int | None:
    """A step, or an epoch, as it is stored.

    Raises:
        InvalidInputError: it is no whole number of 64 bits.
    """
    if step is None:
        return None
    try:
        number = int(step)  # type: ignore[call-overload]
        if isinstance(step, str | bytes | bool) or number != step or not -(2**63) <= number < 2**63:
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInputError(f"{what} is {shown_value(step)}; write a whole number, or None") from error
    return int(number)


def _tell(error: LocalregError) -> None:
    LOGGER.warning("what was reported waits to be written: %s", error)
