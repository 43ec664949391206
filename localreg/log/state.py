"""Every record of a namespace as one commit left it.

A state is a *base* (nothing, or a snapshot) and an *overlay* of what the entries after it did. Looking up never touches
more than the overlay and one look-up in the base, and to fold an entry in (`localreg.log.folding`) is to copy the
overlay alone, so a state is immutable and cheap to keep.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from localreg.canonical import JsonObject, canonical
from localreg.log.base import Base, EmptyBase
from localreg.log.entry import Head
from localreg.log.row import Row
from localreg.log.signing import NO_SIGNERS, Signers

if TYPE_CHECKING:
    from localreg.log.folding import Draft

__all__ = ["CONDEMNED", "State"]

CONDEMNED = "condemned_file"

AT_ONCE = 65_536
"""Records that `get_many` holds in memory at most."""


class State:
    """Every record of a namespace at one commit. Immutable.

    Attributes:
        head: where the log stood.
        base: what it stands on.
        signers: whose entries count from here on; none = everybody's.
    """

    def __init__(self, head: Head, base: Base | None = None, signers: Signers = NO_SIGNERS) -> None:
        self.head = head
        self.base: Base = base or EmptyBase()
        self.signers = signers
        self._rows: dict[tuple[str, str], Row | None] = {}
        self._names: dict[tuple[str, str], dict[str, str]] = {}

    def get(self, kind: str, id: str) -> Row | None:
        """The record of that kind and id, or None."""
        try:
            return self._rows[kind, id]
        except KeyError:
            return self.base.get(kind, id)

    def get_many(self, keys: Iterable[tuple[str, str]]) -> Iterator[Row]:
        """Those of the records that are there, in no order: what lies together in a snapshot is read together."""
        waiting = iter(keys)
        while few := list(islice(waiting, AT_ONCE)):
            yield from (row for key in few if (row := self._rows.get(key)) is not None)
            yield from self.base.get_many([key for key in few if key not in self._rows])

    def outline(self, kind: str, id: str) -> Row | None:
        """The record, perhaps with None for what it says, or None."""
        return self._rows[kind, id] if (kind, id) in self._rows else self.base.outline(kind, id)

    def find(self, kind: str, name: str, parent: str = "") -> Row | None:
        """The record of that name within its parent, or None."""
        id = self._names.get((kind, parent), {}).get(name)
        if id is not None:
            return self._rows[kind, id]
        row = self._find_in_base(kind, name, parent)
        # The overlay may have renamed or removed what the base still calls so.
        return row if row is not None and (kind, row.id) not in self._rows else None

    def _find_in_base(self, kind: str, name: str, parent: str) -> Row | None:
        return self.base.find(kind, name, parent)

    def children(self, kind: str, parent: str = "") -> list[Row]:
        """All of one kind within one parent, in order of creation."""
        return self._in_order(self.base.children(kind, parent), kind, parent)

    def has_new(self, kind: str, parent: str = "") -> bool:
        """Whether any record of one kind within one parent was put since the base, and is there; a look-up."""
        return bool(self._names.get((kind, parent)))

    def outlines(self, kind: str, parent: str = "") -> list[Row]:
        """The same, perhaps with None for what they say: a fraction of the reading."""
        return self._in_order(self.base.outlines(kind, parent), kind, parent)

    def newest(self, kind: str, parent: str) -> Row | None:
        """The one of them that was made last, or None; only that one is read whole."""
        rows = self.outlines(kind, parent)
        return self.get(kind, rows[-1].id) if rows else None

    def _in_order(self, of_base: Iterable[Row], kind: str, parent: str) -> list[Row]:
        rows = [row for row in of_base if (kind, row.id) not in self._rows]
        for id in self._names.get((kind, parent), {}).values():
            row = self._rows[kind, id]
            if row is not None:
                rows.append(row)
        # One event may bring several files; their paths decide, so that a snapshot changes nothing.
        return sorted(rows, key=lambda row: (row.created, row.name))

    def rows(self, kind: str | None = None) -> Iterator[Row]:
        """Every record, or every record of one kind, in no order."""
        for row in self.base.rows(kind):
            if (row.kind, row.id) not in self._rows:
                yield row
        for changed in self._rows.values():
            if changed is not None and kind in (None, changed.kind):
                yield changed

    def names(self, kind: str, parent: str = "") -> Iterator[str]:
        """The names of one kind within one parent, in no order; without reading the records."""
        yield from self._names.get((kind, parent), {})
        yield from (name for id, name in self.base.names(kind, parent) if (kind, id) not in self._rows)

    def containing(self, kind: str, *texts: str) -> Iterator[Row]:
        """Those of one kind whose record contains all these texts: as JSON, and not in its metadata."""
        for row in self.base.containing(kind, *texts):
            if (kind, row.id) not in self._rows:
                yield row
        for changed in self._rows.values():
            if changed is not None and changed.kind == kind:
                said = _without_metadata(changed.record)
                if all(text in said for text in texts):
                    yield changed

    def referring(self, kind: str, field: str) -> Iterator[tuple[Row, list[str]]]:
        """Those of one kind that have ids in a field, one or a list, each with these ids; the row perhaps an outline.

        All of the kind are looked through: to ask for one record after another would be quadratic.
        """
        for row, ids in self.base.referring(kind, field):
            if (kind, row.id) not in self._rows:
                yield row, ids
        for changed in self._rows.values():
            if changed is not None and changed.kind == kind:
                value = changed.fields.get(field)
                ids = [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]
                if ids:
                    yield changed, ids

    def overlay(self) -> Iterator[tuple[tuple[str, str], Row | None]]:
        """What changed since the base, by (kind, id); None = removed."""
        return iter(self._rows.items())

    @property
    def changed(self) -> int:
        """How many records changed since the base."""
        return len(self._rows)

    def on(self, base: Base) -> State:
        """The same records on a base of a commit between that of the present base and that of this state."""
        state = State(self.head, base, self.signers)
        for key, row in self._rows.items():
            if row is None:
                if base.outline(*key) is not None:
                    state._rows[key] = None
            elif row.updated[0] > base.commit:
                state._rows[key] = row
                state._names.setdefault((row.kind, row.parent), {})[row.name] = row.id
        return state

    def is_condemned(self, path: str) -> bool:
        """Whether garbage collection has condemned the file: no commit may name it again."""
        return self.get(CONDEMNED, path) is not None

    def draft(self) -> Draft:
        """A copy that can be changed; this state stays as it is."""
        from localreg.log.folding import Draft  # which is a state itself

        return Draft(self)


def _without_metadata(record: JsonObject | None) -> str:
    return canonical({key: value for key, value in (record or {}).items() if key != "metadata"})
