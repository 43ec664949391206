"""Taking a commit back: a commit of its own, which makes the records what they were before.

Each event has an inverse, and the inverses are made in reverse order, so that the state goes back through the same
steps, each of which was a good one. What anybody did to the same records since is not taken back with them: it is a
conflict, as is whatever the records need that is no longer there. To undo an undo is to do again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from localreg.canonical import JsonObject, canonical
from localreg.errors import AlreadyExistsError, ConflictError, InvalidInputError
from localreg.handles.words import noun
from localreg.log import Change, Event, Row, State
from localreg.log.folding import restoring
from localreg.log.state import CONDEMNED
from localreg.models import refuse_shadowing
from localreg.records.access import GrantRecord
from localreg.records.base import is_known
from localreg.records.differences import differences
from localreg.records.models import AliasRecord, NamespaceRecord, RegistryRecord
from localreg.session import Changes, Session

if TYPE_CHECKING:
    from localreg.log import Entry

__all__ = ["undo"]

Key = tuple[str, str]
"""Kind and id of a record."""

GENESIS = frozenset({RegistryRecord.kind, NamespaceRecord.kind})
"""Made by a first commit beside what was asked for; they stay."""

INVERSE = {"archive": "restore", "restore": "archive", "tag": "untag", "untag": "tag"}
"""Verbs of changes that have a name for the way back; that of the others is their own."""


def undo(session: Session, commit: int, *, event: int | None, message: str | None) -> int | None:
    """Take a commit back, or one event of it; see `Registry.undo`."""
    inverses: list[Change] = []

    def operation(changes: Changes) -> None:
        inverses[:] = _take_back(session, changes, commit, event)

    joined = session.transaction_here() is not None
    state = session.change(operation, message=message)
    return state.head.commit if inverses and not joined else None


def _take_back(session: Session, changes: Changes, commit: int, number: int | None) -> list[Change]:
    """Make the inverses of a commit's events; which they were."""
    last = changes.before.head.commit
    if not 1 <= commit <= last:
        raise InvalidInputError(f"no commit {commit} to undo: there are 1 to {last}", code="no_such_commit")
    entries = session.log.past(session.log.head_at(commit - 1), last)
    entry = next(entries)
    if entry.commit != commit:
        raise InvalidInputError(f"commit {commit} is void, and changed nothing; there is nothing to undo", code="void")
    chosen = list(_undoable(_chosen(entry, number)))
    restored = _removed_rows(session, changes.before, entry, chosen)
    touched = _touched(entry, entries, changes)
    draft = changes.draft
    draft.prefetch(map(_key, chosen))
    was = {_key(event): draft.get(*_key(event)) for event in chosen}
    inverses = []
    for event in reversed(_to_do(draft, chosen, touched)):
        inverse = _inverse(draft, event, restored.get(event.event))
        _refuse_taken(draft, inverse)
        changes.make(inverse)
        inverses.append(inverse)
    _refuse_missing(draft, was, touched, commit)
    _refuse_dependants(draft, was, touched, commit)
    return inverses


def _key(event: Event | Change) -> Key:
    return event.kind, event.id


def _chosen(entry: Entry, number: int | None) -> Sequence[Event]:
    if number is None:
        return entry.events
    if not 1 <= number <= len(entry.events):
        raise InvalidInputError(
            f"commit {entry.commit} has no event {number}: it has 1 to {len(entry.events)}", code="no_such_event"
        )
    return [entry.events[number - 1]]


def _undoable(events: Iterable[Event]) -> Iterator[Event]:
    """Those that changed a record; refuses what cannot be taken back by any commit."""
    for event in events:
        if event.action == "redact":
            raise _final(event, "a redaction is for good")
        if event.action == "condemn":
            raise _final(event, "files that were given up stay given up; upload them again")
        if event.files:
            raise _final(event, f"it brought bulk files ({event.files[0].path}), which later rows may count on")
        if event.effect == "none" or (event.kind in GENESIS and event.action == "create"):
            continue
        if event.kind == "feature" or event.kind in GENESIS:
            raise _final(event, f"what it says of this {event.kind} holds for other programs, too")
        if event.redacted or (event.before is not None and not is_known(event.before)):
            raise _final(event, "what the record was before has been redacted")
        yield event


def _final(event: Event, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"commit {event.commit} cannot be undone: event {event.event} ({event.action} {event.kind} {event.name!r}) "
        f"stands, since {why}; nothing was written",
        code="not_undoable",
    )


def _touched(entry: Entry, later: Iterable[Entry], changes: Changes) -> dict[Key, int]:
    """Every record that the commit, those since, or the open transaction touched: by which commit last."""
    touched: dict[Key, int] = {}
    for each in (entry, *later):
        for event in each.events:
            touched.update({("file", pointer.path): event.commit for pointer in event.files})
            touched[_key(event)] = event.commit
    touched.update({_key(change): changes.before.head.commit + 1 for change in changes.made})
    return touched


def _to_do(draft: State, chosen: Sequence[Event], touched: dict[Key, int]) -> list[Event]:
    """The events whose records are still what they left; those of records that are as before already need nothing."""
    left = {_key(event): event.after for event in chosen}
    before = {_key(event): event.before for event in reversed(chosen)}
    done = set()
    for event in chosen:
        key = _key(event)
        row = draft.get(*key)
        if not _says(row, left[key]):
            if not _says(row, before[key]):
                raise _changed_since(event, row, left[key], touched[key])
            done.add(key)
    return [event for event in chosen if _key(event) not in done]


def _says(row: Row | None, record: JsonObject | None) -> bool:
    if row is None or record is None:
        return row is None and record is None
    return row.record is not None and canonical(row.record) == canonical(record)


def _changed_since(event: Event, row: Row | None, left: JsonObject | None, commit: int) -> ConflictError:
    if row is None:
        what = "was deleted"
    elif row.record is None:
        what = "was redacted"
    elif left is None:
        what = "was made again"
    else:
        paths = [difference.path for difference in differences(left, row.record)]
        what = f"was changed ({', '.join(paths[:5])}{' …' if len(paths) > 5 else ''})"
    name = event.name if row is None else row.name
    return ConflictError(
        f"commit {event.commit} cannot be undone: {noun(event.kind)} {name!r} {what} in commit {commit}; undo that "
        "first, or change the record itself; nothing was written",
        code="changed_since",
    )


def _removed_rows(session: Session, newest: State, entry: Entry, chosen: Sequence[Event]) -> dict[int, Row]:
    """The rows that events of an entry removed, by event: they come back in their place in the order of creation.

    A bare model name means its newest version: one that came back as the newest would change what people run.
    """
    if all(event.effect == "put" for event in chosen):
        return {}
    draft = session.log.at(entry.commit - 1, newest).draft()
    rows = {}
    for event in entry.events:
        row = draft.get(*_key(event))
        if event.effect == "remove" and row is not None:
            rows[event.event] = row
        draft.apply(event, event)
    return rows


def _inverse(draft: State, event: Event, removed: Row | None) -> Change:
    before, after = event.after, event.before
    details: JsonObject = {"undoes": event.commit, "undoes_event": event.event}
    if removed is not None:
        details["created"] = restoring(removed)
    action = INVERSE.get(event.action, event.action)
    if event.kind == AliasRecord.kind:
        action = "remove_alias" if after is None else "set_alias"
        if after is not None:
            details |= {"version": _version(draft, after), "from": _version(draft, before or {})}
    elif event.kind == GrantRecord.kind:
        action = "revoke" if after is None else "grant"
    elif after is None:
        action = "delete"
    elif before is None:
        action = "create"
    name = event.name if after is None else str(after["name"])
    return Change(event.kind, action, event.id, name, event.parent, before=before, after=after, details=details)


def _version(draft: State, alias: JsonObject) -> str | None:
    """The version that an alias points to, in words."""
    row = draft.get("model_version", str(alias.get("version")))
    return row.name if row is not None else None


def _refuse_taken(draft: State, inverse: Change) -> None:
    """The name that a record gets back may mean another one by now."""
    if inverse.after is None:
        return
    # `model@name` must mean one thing.
    kinds = ("model_version", "alias") if inverse.kind in ("model_version", "alias") else (inverse.kind,)
    for kind in kinds:
        row = draft.find(kind, inverse.name, inverse.parent)
        if row is not None and (row.kind, row.id) != _key(inverse):
            raise _taken(inverse, f"{noun(kind)} {inverse.name!r} was made in commit {row.created[0]}")
    if inverse.kind == "model":
        row = draft.get(*_key(inverse))
        try:
            if row is None or row.name != inverse.name:
                refuse_shadowing(draft, inverse.name)
        except AlreadyExistsError as error:
            raise _taken(inverse, str(error)) from error


def _taken(inverse: Change, why: str) -> ConflictError:
    return ConflictError(
        f"{noun(inverse.kind)} {inverse.name!r} cannot have its name back: {why}; nothing was written",
        code="name_taken",
    )


def _refuse_missing(draft: State, was: dict[Key, Row | None], touched: dict[Key, int], commit: int) -> None:
    """What comes back must find what it refers to, and its files."""
    places = {id: (kind, last) for (kind, id), last in touched.items()}
    for (kind, id), old in was.items():
        row = draft.get(kind, id)
        if row is None:
            continue
        for missing in sorted((_references(row) - _references(old)) & places.keys()):
            other, last = places[missing]
            if draft.outline(other, missing) is None:
                raise ConflictError(
                    f"commit {commit} cannot be undone: {noun(kind)} {row.name!r} refers to a {noun(other)} that was "
                    f"deleted in commit {last}; undo that first; nothing was written",
                    code="reference_gone",
                )
        if old is None and _was_given_up(draft, row, commit):
            raise ConflictError(
                f"commit {commit} cannot be undone: files of {noun(kind)} {row.name!r} were given up by garbage "
                "collection since; nothing was written",
                code="file_condemned",
            )


def _was_given_up(draft: State, row: Row, commit: int) -> bool:
    """Whether files of a record that comes back are gone for good, or a content that it speaks of."""
    if any(file.updated[0] >= commit for file in draft.children(CONDEMNED, row.id)):
        return True
    contents = set(_SHA256.findall(canonical(row.record)))
    return any(draft.children(CONDEMNED, each) and not draft.children("file", each) for each in contents)


def _refuse_dependants(draft: State, was: dict[Key, Row | None], touched: dict[Key, int], commit: int) -> None:
    """Nothing may be left that refers to what goes; whatever does has come with the commit, or since."""
    removed = {id: (kind, old.name) for (kind, id), old in was.items() if old and draft.get(kind, id) is None}
    if not removed:
        return
    needs = {
        (row.kind, row.id): (row.name, min(found))
        for row in draft.get_many(touched)
        if row.kind != CONDEMNED and (found := removed.keys() & _references(row))
    }
    for (kind, id), last in touched.items():
        if (kind, id) in needs:
            own, needed = needs[kind, id]
            of_kind, name = removed[needed]
            raise ConflictError(
                f"commit {commit} cannot be undone: {noun(kind)} {own!r} (commit {last}) depends on "
                f"{noun(of_kind)} {name!r}; delete it first, or undo that commit; nothing was written",
                code="has_dependants",
            )


_ID = re.compile("[0-9a-f]{32}")
_SHA256 = re.compile("(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_FREE = frozenset({"id", "name", "metadata"})
"""Fields in which an id would be no reference."""


def _references(row: Row | None) -> set[str]:
    """Ids of the records that one needs, whatever its kind: ids are random, so that none looks like another thing."""
    if row is None:
        return set()
    fields = [value for key, value in (row.record or {}).items() if key not in _FREE]
    values = [item for value in fields for item in (value if isinstance(value, list) else [value])]
    return {value for value in (row.parent, *values) if isinstance(value, str) and _ID.fullmatch(value)}
