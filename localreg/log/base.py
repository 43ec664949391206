"""What a state stands on: records as of a snapshot, which are looked up rather than loaded, or nothing at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from localreg.log.row import Row

__all__ = ["Base", "EmptyBase"]


class Base(Protocol):
    """Records as of a snapshot: ways to look them up."""

    @property
    def commit(self) -> int:
        """The commit that it shows."""

    @property
    def path(self) -> str:
        """The snapshot's file, within the namespace; "" if there is none."""

    @property
    def signature(self) -> str:
        """Of who vouches for it; "" = nobody does."""

    def files(self) -> list[Path]:
        """Native paths of Parquet files with these records, oldest first, for queries; none if there are none."""

    def get(self, kind: str, id: str) -> Row | None:
        """The record, or None."""

    def get_many(self, keys: Sequence[tuple[str, str]]) -> Iterable[Row]:
        """Those of the records with these (kind, id) that are there, in any order."""

    def outline(self, kind: str, id: str) -> Row | None:
        """The record with None for what it says, or None: who it is and by whom it was made."""

    def find(self, kind: str, name: str, parent: str) -> Row | None:
        """The record of that name, or None."""

    def children(self, kind: str, parent: str) -> Iterable[Row]:
        """All of one kind within one parent, in any order."""

    def outlines(self, kind: str, parent: str) -> Iterable[Row]:
        """The same, perhaps with None for what they say."""

    def rows(self, kind: str | None = None) -> Iterable[Row]:
        """All of them, or all of one kind, in any order."""

    def stream(self) -> Iterator[Row]:
        """All of them, a few in memory at a time; raises `DamagedLayerError` instead of asking the log."""

    def names(self, kind: str, parent: str) -> Iterable[tuple[str, str]]:
        """(id, name) of each of one kind within one parent, in any order; without reading the records."""

    def containing(self, kind: str, *texts: str) -> Iterable[Row]:
        """Those of one kind whose record, as JSON without metadata, contains all these texts."""

    def referring(self, kind: str, field: str) -> Iterable[tuple[Row, list[str]]]:
        """Those of one kind that have ids in a field, perhaps with None for what they say, each with these ids."""


class EmptyBase:
    """What stands before the first commit."""

    commit = 0
    path = ""
    signature = ""

    def files(self) -> list[Path]:
        """None."""
        return []

    def get(self, kind: str, id: str) -> Row | None:
        """Nothing."""
        return None

    def get_many(self, keys: Sequence[tuple[str, str]]) -> Iterable[Row]:
        """Nothing."""
        return ()

    def outline(self, kind: str, id: str) -> Row | None:
        """Nothing."""
        return None

    def find(self, kind: str, name: str, parent: str) -> Row | None:
        """Nothing."""
        return None

    def children(self, kind: str, parent: str) -> Iterable[Row]:
        """Nothing."""
        return ()

    def outlines(self, kind: str, parent: str) -> Iterable[Row]:
        """Nothing."""
        return ()

    def rows(self, kind: str | None = None) -> Iterable[Row]:
        """Nothing."""
        return ()

    def stream(self) -> Iterator[Row]:
        """Nothing."""
        return iter(())

    def names(self, kind: str, parent: str) -> Iterable[tuple[str, str]]:
        """Nothing."""
        return ()

    def containing(self, kind: str, *texts: str) -> Iterable[Row]:
        """Nothing."""
        return ()

    def referring(self, kind: str, field: str) -> Iterable[tuple[Row, list[str]]]:
        """Nothing."""
        return ()
