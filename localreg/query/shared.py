"""Databases in memory that a process makes once: to start one takes DuckDB longer than most work on a few rows."""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Shared", "connected", "scratch"]

Setting: TypeAlias = str | bool | int | float | list[str]


_connections: weakref.WeakSet[DuckDBPyConnection] = weakref.WeakSet()
_left_behind: list[DuckDBPyConnection] = []


def connected(config: Mapping[str, Setting]) -> DuckDBPyConnection:
    """A new database in memory.

    What is closed waits for its threads, which the child of a fork does not have. So it closes none of its parent's,
    also when it collects what was garbage there.
    """
    import duckdb

    connection = duckdb.connect(":memory:", config=dict(config))
    _connections.add(connection)
    return connection


def _after_fork() -> None:
    _left_behind.extend(_connections)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@dataclass(slots=True)
class Shared:
    """A database of this process; forks make their own and never touch the parent's.

    Attributes:
        config: DuckDB's settings.
    """

    config: Mapping[str, Setting] = field(default_factory=dict)
    pid: int | None = None
    connection: DuckDBPyConnection | None = None

    def cursor(self) -> DuckDBPyConnection:
        """A cursor of its own for this call: cursors, unlike connections, may be used by threads side by side.

        Two threads that come first at the same instant both make a connection, and one is dropped: cheaper than a
        lock, which a fork could inherit locked.
        """
        if self.pid != os.getpid() or self.connection is None:
            self.connection = connected(self.config)
            self.pid = os.getpid()
        return self.connection.cursor()


_scratch = Shared()
_serial = Shared({"threads": 1})


def scratch(*, serial: bool = False) -> DuckDBPyConnection:
    """A cursor for queries about Arrow tables that are registered with it, and seen by no other cursor.

    A context manager. Make no tables and change no settings: the next one would meet them.

    Args:
        serial: whether queries run in the calling thread alone, where there are many already.
    """
    return (_serial if serial else _scratch).cursor()
