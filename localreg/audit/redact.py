"""Removing a secret from the past while the chain of digests holds.

In this order, so that a crash leaves nothing done, or something declared that the next call finishes:

1. A commit says which events are emptied, by whom and why, and puts again, as they are now, the records whose newest
   value stood in one of them. From here on the redaction is a fact of the log.
2. The entries concerned are replaced by twins without those payloads, and caches deleted (`localreg.log.redaction`).
3. What is kept in memory is let go of, and a snapshot is made anew.

What still stands in the record cannot be hidden: a call that would hide nothing is refused, for it would only seem to
have removed the secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from localreg.audit.event import Position
from localreg.canonical import JsonObject, JsonValue, canonical
from localreg.errors import ConflictError, InvalidInputError, LocalregError, NotFoundError
from localreg.handles.handle import Handle
from localreg.handles.words import noun
from localreg.log import Change, Event, Row
from localreg.log.features import FEATURE
from localreg.log.log import SNAPSHOT_EVERY
from localreg.log.redaction import REDACT, declared, finish
from localreg.log.signing import SIGNER
from localreg.models import Model, ModelVersion
from localreg.names import check_text, shown_value
from localreg.records.access import OWNER
from localreg.records.base import is_known
from localreg.records.models import NamespaceRecord, RegistryRecord
from localreg.session import Changes, Session

__all__ = ["Key", "redact"]


class Key(NamedTuple):
    """Which record."""

    kind: str
    id: str


GENESIS = frozenset({RegistryRecord.kind, NamespaceRecord.kind})
"""Their values are ours and hold no secrets: where their event goes for its message, they are put as they are."""


def redact(
    session: Session, *, record: Model | ModelVersion | None, commit: int | None, event: int | None, reason: str
) -> list[Position]:
    """Empty payloads for good; see `Registry.redact`."""
    session.refuse_without(OWNER)
    if (record is None) == (commit is None) or (event is not None and commit is None):
        raise InvalidInputError("redact() takes a record; or a commit, and perhaps an event of it")
    asked = None if record is None else _key_of(session, record)
    if not check_text(reason, what="reason").strip():
        raise InvalidInputError("reason is empty; say why: it stands in the log for ever, so without the secret")
    if session.transaction_here() is not None:
        raise InvalidInputError("a redaction is a commit of its own; call it outside the transaction")
    emptied: list[Position] = []

    history = _History(session, _Asked(asked, commit, event))

    def operation(changes: Changes) -> None:
        emptied.clear()
        history.read_on(changes)
        wanted = history.of_record(asked) if asked is not None else history.of_commit(commit, event)
        history.refuse_if_nothing_is_hidden(wanted)
        for key, positions in wanted.items():
            emptied.extend(positions)
            changes.make(_declaration(key, positions, changes.draft.get(*key), history.names[key], reason))

    finish(session.log, session.change(operation).head.commit)
    session.close()  # state and connections that were made of what is gone
    state = session.committed()
    if state.head.commit >= SNAPSHOT_EVERY:
        with suppress(LocalregError):  # a cache: whoever commits next will try again
            session.log.write_snapshot(state)
    return sorted(emptied)


def _key_of(session: Session, record: Model | ModelVersion) -> Key:
    if not isinstance(record, Handle):
        raise InvalidInputError(f"record is {shown_value(record)}; pass a model or a model version, not its name")
    if not session.is_same_namespace(record._session):
        raise InvalidInputError(f"{record!r} is of another registry or namespace; redact it there")
    return Key(record._record_class.kind, record.id)


class _Told(NamedTuple):
    """What is needed to know of an event."""

    position: Position
    key: Key
    touches: bool
    """It puts or removes the record."""
    has_before: bool
    """Its payload holds an older value of the record."""


class _Asked(NamedTuple):
    """What is to be redacted."""

    record: Key | None
    commit: int | None
    event: int | None

    def begins_with(self, event: Event) -> bool:
        """Whether the event is one of those from which on its record's payloads may be emptied."""
        if self.commit is None:
            return self.record == (event.kind, event.id)
        return event.commit == self.commit and self.event in (None, event.event)


class _History:
    """All events up to the state that a redaction is declared on.

    Attributes:
        names: of every record, its last.
    """

    def __init__(self, session: Session, asked: _Asked) -> None:
        self._log = session.log
        self._head = session.log.origin
        self._asked = asked
        self._events: list[_Told] = []
        self._declared: set[tuple[int, int]] = set()
        self._said: dict[Key, set[str]] = {}
        self._has_message = False
        self.names: dict[Key, tuple[str, str]] = {}

    def read_on(self, changes: Changes) -> None:
        """Go on to the state that changes begin with. Of a lost race only what the winners wrote is read."""
        self._draft = changes.draft
        for entry in self._log.past(self._head, changes.before.head.commit):
            for event in entry.events:
                self._declared.update(declared(event))
                self._events.append(_told(event))
                self.names[Key(event.kind, event.id)] = (event.name, event.parent)
                self._note(event)
            self._head = entry.head

    def _note(self, event: Event) -> None:
        """Keep what was said of the records asked for, and of no others: a log may be larger than memory."""
        key = Key(event.kind, event.id)
        if self._asked.begins_with(event):
            self._said.setdefault(key, set())
            self._has_message = self._has_message or event.message is not None
        if key in self._said:
            self._said[key].update(_leaves(event.before), _leaves(event.after))

    def of_record(self, key: Key) -> dict[Key, list[Position]]:
        """Everything that was said of a record, but for its present value.

        Raises:
            NotFoundError: there never was such a record.
            ConflictError: nothing was said of it but its present value.
        """
        own = [told for told in self._events if told.key == key]
        if not own:
            raise NotFoundError(f"the log of this namespace knows no {noun(key.kind)} {key.id}")
        positions = [told.position for told in own if not self._is_clean(told)]
        if not positions:
            raise self._newest_value(own[0])
        return self._left({key: positions})

    def of_commit(self, commit: int | None, event: int | None) -> dict[Key, list[Position]]:
        """The events of a commit, or one of them, and the later ones that may repeat what they said.

        Raises:
            InvalidInputError: there is no such commit or event.
            ConflictError: one of them holds the present value of a record.
        """
        named = [told for told in self._events if told.position.commit == commit]
        if not named:
            last = self._events[-1].position.commit if self._events else 0
            raise InvalidInputError(f"no commit {commit} to redact: there are 1 to {last}", code="no_such_commit")
        if event is not None:
            if not 1 <= event <= len(named):
                raise InvalidInputError(
                    f"commit {commit} has no event {event}: it has 1 to {len(named)}", code="no_such_event"
                )
            named = [named[event - 1]]
        wanted: dict[Key, set[Position]] = {}
        for told in named:
            if told.position in self._declared:
                continue  # so what had spread from it has been declared, too
            if told.position == self._newest(told.key) and told.key.kind not in GENESIS:
                raise self._newest_value(told)
            wanted.setdefault(told.key, set()).update((told.position, *self._spread(told)))
        return self._left({key: sorted(positions) for key, positions in wanted.items()})

    def _spread(self, told: _Told) -> list[Position]:
        """Later events that may repeat what an event said: any that holds the record, unless all it holds is clean."""
        later = [each for each in self._events if each.key == told.key and each.position > told.position]
        return [each.position for each in later if told.touches and each.touches and not self._is_clean(each)]

    def _newest(self, key: Key) -> Position | None:
        """The event that holds the present value of a record; None if there is none."""
        row = self._draft.get(*key)
        return Position(*row.updated) if row is not None and row.record is not None else None

    def _is_clean(self, told: _Told) -> bool:
        """It holds the present value of the record, and no older one."""
        return told.position == self._newest(told.key) and not told.has_before

    def _left(self, wanted: dict[Key, list[Position]]) -> dict[Key, list[Position]]:
        """Those that no earlier redaction has declared."""
        for key in wanted:
            if key.kind in (FEATURE, SIGNER):
                raise InvalidInputError(f"a {key.kind} cannot be redacted: programs must know what it says")
        left = {key: [each for each in positions if each not in self._declared] for key, positions in wanted.items()}
        return {key: positions for key, positions in left.items() if positions}

    def refuse_if_nothing_is_hidden(self, wanted: dict[Key, list[Position]]) -> None:
        """All that would be emptied of a record that lives on must not stand in it still.

        Raises:
            ConflictError: it does, so that the secret is in its present value, which the declaration would repeat.
        """
        if self._has_message and self._is_whole_commit():
            return  # the message goes with it
        for key, positions in wanted.items():
            row = self._draft.get(*key)
            if key.kind in GENESIS or row is None or row.record is None:
                continue
            if self._said[key] and self._said[key] <= set(_leaves(row.record)):
                raise self._newest_value(next(told for told in self._events if told.position == positions[-1]))

    def _is_whole_commit(self) -> bool:
        _, commit, event = self._asked
        of_commit = [told for told in self._events if told.position.commit == commit]
        return commit is not None and (event is None or len(of_commit) == 1)

    def _newest_value(self, told: _Told) -> ConflictError:
        what = f"{noun(told.key.kind)} {self.names[told.key][0]!r}"
        return ConflictError(
            f"commit {told.position.commit}, event {told.position.event} holds the present value of {what}: change "
            "that first, so that it holds no secret (such as by update(unset=[…])), or delete the record; then redact; "
            "nothing was written",
            code="newest_value",
        )


def _leaves(value: JsonValue, path: str = "") -> Iterator[str]:
    """The values within a record, each with its path. Not its id and name, which stand in clear, nor what says nothing.

    Places in lists do not count: what has only moved in a list is hidden from nobody.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            if path or key not in ("id", "name"):
                yield from _leaves(item, f"{path}{canonical(key)}.")
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, f"{path}[].")
    elif value is not None:
        yield path + canonical(value)


def _told(event: Event) -> _Told:
    position, key = Position(event.commit, event.event), Key(event.kind, event.id)
    has_before = event.before is not None and is_known(event.before)
    return _Told(position, key, event.effect != "none", has_before)


def _declaration(
    key: Key, positions: Sequence[Position], row: Row | None, name: tuple[str, str], reason: str
) -> Change:
    """The event that says so; it puts the record as it is, if the event that did is one of those emptied."""
    places: list[JsonValue] = [[*position] for position in positions]
    details: JsonObject = {"events": places, "reason": reason}
    if row is None or row.updated not in positions:
        return Change(key.kind, REDACT, key.id, *name, details=details)
    before: JsonObject = {"id": row.id, "name": row.name}
    return Change(key.kind, REDACT, row.id, row.name, row.parent, before=before, after=row.record, details=details)
