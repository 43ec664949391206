"""Databases in memory that a process makes once: to start one takes DuckDB longer than most work on a few rows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Shared", "scratch"]

Setting: TypeAlias = str | bool | int | float | list[str]


@dataclass(slots=True)
class Shared:
    """A database of this process; forks make their own and never touch the parent's.

    Attributes:
        config: DuckDB's settings.
    """

    config: Mapping[str, Setting] = field(default_factory=dict)
    pid: int | None = None
    connection: DuckDBPyConnection | None = None
    left_behind: list[DuckDBPyConnection] = field(default_factory=list)

    def cursor(self) -> DuckDBPyConnection:
        """A cursor of its own for this call: cursors, unlike connections, may be used by threads side by side.

        Two threads that come first at the same instant both make a connection, and one is dropped: cheaper than a
        lock, which a fork could inherit locked.
        """
        if self.pid != os.getpid() or self.connection is None:
            import duckdb

            if self.connection is not None:  # closing what the parent still uses may block: keep it, unused
                self.left_behind.append(self.connection)
            self.connection = duckdb.connect(":memory:", config=dict(self.config))
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
