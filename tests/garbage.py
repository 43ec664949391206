"""A clock that tests set, and what they leave lying about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from localreg import Registry
from localreg.names import new_id

__all__ = ["DAY", "Clocks", "collected", "lay", "there"]

DAY = timedelta(days=1)


@dataclass
class Clocks:
    """The clocks of machines, at one of which the process is.

    Attributes:
        host: its name.
        true: the time that really is.
        off: by how much the clocks are wrong.
    """

    host: str = "desk"
    true: datetime = datetime(2026, 3, 1, tzinfo=UTC)
    off: dict[str, timedelta] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def set(cls) -> Iterator[Clocks]:
        """Clocks by which everything goes meanwhile."""
        clocks = cls()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("localreg.upkeep.age.now", clocks.now)
            patch.setattr("localreg.log.publish.now", clocks.now)
            patch.setattr("localreg.session.session.now", clocks.now)
            patch.setattr("localreg.session.session.host", lambda: clocks.host)
            patch.setattr("localreg.upkeep.age.host", lambda: clocks.host)
            patch.setattr("localreg.upkeep.age._machine", lambda: "0")
            yield clocks

    def now(self) -> str:
        """What the clock of this machine shows."""
        return (self.true + self.off.get(self.host, timedelta())).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def pass_days(self, days: float) -> None:
        """Let time go by, everywhere."""
        self.true += days * DAY

    @contextmanager
    def at(self, host: str) -> Iterator[None]:
        """Be at another machine meanwhile."""
        before, self.host = self.host, host
        try:
            yield
        finally:
            self.host = before


def lay(registry: Registry, path: str | None = None, data: bytes = b"of a dead writer") -> str:
    """Put a file where a writer would, that no commit names; its path."""
    path = path or f"data/inferences/{new_id()}/{new_id()}.parquet"
    with registry._session.store.writer(path) as file:
        file.write(data)
    return path


def there(registry: Registry) -> set[str]:
    """The files that are there, but for the log, caches and notes."""
    store = registry._session.store
    left_out = ("log/", "snapshots/", "history/", "tmp/garbage.notes", "tmp/queue.lock")
    return {path for path, _ in store.sizes("") if not path.startswith(left_out)}


def collected(registry: Registry) -> dict[str, int]:
    """One collection: how many files of what are at which step."""
    report = registry.gc(dry_run=False)
    return {f"{each.what} {each.step}": each.files for each in report.garbage}
