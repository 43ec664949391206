"""What differs between two states of models, or of versions: the answer to "what did I change?"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from localreg.canonical import JsonValue, canonical
from localreg.errors import NotFoundError
from localreg.names import shown_value
from localreg.records.differences import Difference

__all__ = ["Differences"]


@dataclass(frozen=True, repr=False)
class Differences:
    """Only what differs, path by path; false if nothing does. Iterating gives the rows.

    Attributes:
        before: what the first is called.
        after: what the second is called.
        rows: each `path` as `where` takes it, with the values `before` and `after`.
    """

    before: str
    after: str
    rows: tuple[Difference, ...]

    def __iter__(self) -> Iterator[Difference]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.rows)

    def __getitem__(self, path: str) -> Difference:
        """The difference at a path.

        Raises:
            NotFoundError: nothing differs there.
        """
        found = next((row for row in self.rows if row.path == path), None)
        if found is None:
            raise NotFoundError(f"{self.before!r} and {self.after!r} do not differ at {shown_value(path)}")
        return found

    def dicts(self) -> list[dict[str, JsonValue]]:
        """The rows as dicts: `path`, `before`, `after`, `change`."""
        return [row._asdict() for row in self.rows]

    def __repr__(self) -> str:
        if not self.rows:
            return f"{self.before!r} and {self.after!r} do not differ"
        from localreg.query.text import aligned  # its package brings the engine

        rows = [(row.path, _side(row.before, row, "added"), _side(row.after, row, "removed")) for row in self.rows]
        return "\n".join(aligned(["path", self.before, self.after], rows, longest=48))


def _side(value: JsonValue, row: Difference, absent: str) -> str:
    """A value as JSON; nothing where there is none."""
    return "" if row.change == absent else canonical(value)
