"""Whether a log lies where it belongs: where it began or, if it was imported, where it says that it lies now.

A log chains on the id of its registry and the name of its namespace, so that one that was swapped for another is seen.
One that was imported elsewhere keeps its chain. It announces so by the feature `imported`, and its newest `namespace`
record says where it belongs since; then its first event says where it began.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from localreg.canonical import JsonObject, parse
from localreg.errors import IntegrityError, LocalregError
from localreg.log.entry import Event, Head, entry_path, genesis
from localreg.log.features import FEATURE, IMPORTED
from localreg.log.parquet import EntryRow, decode
from localreg.log.state import State
from localreg.names import is_digest
from localreg.records.models import NamespaceRecord
from localreg.storage import Store

__all__ = ["Home", "belongs_to", "begun", "home_of", "says_somewhere", "stranger", "tells_of_home"]


class Home(NamedTuple):
    """Where a log belongs.

    Attributes:
        registry: id of the registry.
        namespace: name of the namespace.
    """

    registry: str
    namespace: str

    def __str__(self) -> str:
        return f"namespace {self.namespace!r} of registry {self.registry}"


def belongs_to(state: State) -> Home | None:
    """Where a log belongs by the newest `namespace` record; None before the first one, and if it was redacted."""
    newest = max(state.children(NamespaceRecord.kind), key=lambda row: row.updated, default=None)
    return None if newest is None else _home(newest.name, newest.record)


def tells_of_home(event: Event) -> bool:
    """Whether an event is about where its log belongs."""
    return event.kind == NamespaceRecord.kind or (event.kind == FEATURE and event.name == IMPORTED)


def home_of(events: Iterable[Event]) -> tuple[bool, Home | None]:
    """Whether a log was imported, and where it belongs, by the events that tell of it."""
    imported, belongs = False, None
    for event in events:
        if event.kind == FEATURE:
            imported = True
        elif event.after is not None:
            belongs = _home(event.name, event.after)
    return imported, belongs


def begun(store: Store) -> Head | None:
    """Where the chain of a log begins, by what its first entry says; None if it cannot be told.

    Where the first `namespace` record was redacted, the digest that the first event chains on is all there is.
    """
    data = store.get(entry_path(1), fresh=True)
    try:
        rows = [] if data is None else decode(data, name=entry_path(1))
        previous = _object(rows[0].record).get("previous") if rows else None
        homes = [home for row in rows if (home := _said(row)) is not None]
    except LocalregError:
        return None
    if not is_digest(previous) or (homes and genesis(*homes[0]).digest != previous):
        return None
    return Head(0, previous, "")


def says_somewhere(store: Store, home: Home) -> bool:
    """Whether any entry that can be read says that the log belongs there, of a log that cannot be read as a whole."""
    for path in store.list("log"):
        try:
            if any(_said(row) == home for row in decode(store.get(path) or b"", name=path)):
                return True
        except LocalregError:
            continue
    return False


def stranger(name: str, lies: Home, belongs: Home | None) -> IntegrityError:
    """The error to raise for a log that lies where it does not belong.

    Args:
        name: of its first entry, for the message.
        lies: where.
        belongs: where it does; None = it cannot be told.
    """
    of = "another log" if belongs is None else f"the log of {belongs}"
    return IntegrityError(
        f"{name} is not the entry that was written there: it is of {of}; restore it from a copy or, if the folder was "
        f"copied here on purpose, run `localreg namespaces import {lies.namespace}`",
        code="entry_swapped",
    )


def _said(row: EntryRow) -> Home | None:
    """Where an event says that the log belongs, if it puts the `namespace` record."""
    record = _object(row.record)
    if record.get("kind") != NamespaceRecord.kind or record.get("effect") != "put" or not row.payload:
        return None
    after = _object(row.payload).get("after")
    return _home(str(record.get("name")), after if isinstance(after, dict) else None)


def _home(name: str, record: JsonObject | None) -> Home | None:
    registry = (record or {}).get("registry")
    return Home(registry, name) if isinstance(registry, str) else None


def _object(text: str) -> JsonObject:
    value = parse(text)
    return value if isinstance(value, dict) else {}
