"""What one process logs to a running experiment: points, as they come, through a spool and open parts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from time import time

from localreg.errors import InvalidInputError, LocalregError
from localreg.experiments.bulk import tables_of_points
from localreg.experiments.points import Loggable, line_of, points_of, rows_of
from localreg.names import shown_value
from localreg.session import Session
from localreg.session.presence import Presence
from localreg.storage import Store
from localreg.tables.streams import Stream
from localreg.times import utc

__all__ = ["POINTS", "Now", "NOW", "Recorder", "checked_step", "checked_wallclock", "presence_of"]

POINTS = "metric_points"
"""The bulk table."""

LOGGER = logging.getLogger("localreg")


class Now:
    """Stands for a wall clock that was not given, where None means "none"."""

    def __repr__(self) -> str:
        return "NOW"


NOW = Now()


class Recorder:
    """A process that logs to an experiment. Threads may share it.

    Args:
        session: where the experiment is.
        experiment: its id.
        every_s: how long a point waits at most until others can read it.
    """

    def __init__(self, session: Session, experiment: str, *, every_s: float) -> None:
        self._experiment = experiment
        self._sequence, self._counting = 0, threading.Lock()
        self._stack = ExitStack()
        self._stream = Stream(session.store, POINTS, experiment, rows_of, every_s=every_s, failed=_tell)
        self._stack.enter_context(presence_of(session.store, experiment, self._stream.writer).shown())

    @property
    def writer(self) -> str:
        """Id of this process among those that log."""
        return self._stream.writer

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
            with self._counting:
                self._sequence += 1
                sequence = self._sequence
            self._stream.append(line_of(sequence, number, at, points))

    def log_table(self, given: object) -> int:
        """Take many points at once, which are durable when this returns; how many they are.

        Raises:
            InvalidInputError: see `tables_of_points`; nothing was taken.
            StorageError: the store does not answer.
        """
        import pyarrow as pa

        with self._counting:
            begin = self._sequence + 1
            tables = list(tables_of_points(given, begin))
            self._sequence += sum(map(len, tables))
        rows = pa.concat_tables(tables) if tables else None
        if rows is None or not len(rows):
            return 0
        self._stream.write(rows)
        return len(rows)

    def flush(self) -> None:
        """Let others read all that was logged so far."""
        self._stream.flush()

    def close(self) -> None:
        """Flush, and be gone in the eyes of others.

        Raises:
            StorageError: the store does not answer; what was logged waits in the spool.
        """
        try:
            self._stream.close()
        finally:
            self._stack.close()


def presence_of(store: Store, experiment: str, writer: str) -> Presence:
    """Who logs to an experiment."""
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


def checked_wallclock(wallclock: object) -> int | None:
    """A wall clock in microseconds since 1970, UTC.

    Raises:
        InvalidInputError: it is no time.
    """
    if wallclock is None:
        return None
    if isinstance(wallclock, Now):
        return round(time() * 1e6)
    if isinstance(wallclock, datetime | str):
        return round(datetime.fromisoformat(utc(wallclock, what="wallclock")).timestamp() * 1e6)
    try:
        micros = round(float(wallclock) * 1e6)  # type: ignore[arg-type]
        if isinstance(wallclock, bool) or not -(2**63) <= micros < 2**63:
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInputError(
            f"wallclock is {shown_value(wallclock)}; write seconds since 1970, an aware datetime, or None"
        ) from error
    return micros


def _tell(error: LocalregError) -> None:
    LOGGER.warning("points wait to be written: %s", error)
