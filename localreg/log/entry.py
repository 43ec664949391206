"""One log entry: from changes to the rows of a Parquet file, and back, with every digest checked.

A commit is a numbered list of audit events. Each event is two canonical JSON texts: `record`, which says who did what
to which thing and is covered by the digest chain, and `payload`, which says what the thing was before and is after,
and is covered by its sha256 inside the record. So a payload can be emptied later (a redaction) while the chain holds.

`compose` and `parse` are inverse to each other; neither does I/O. `localreg/FORMAT.md` gives the format in full.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal, NamedTuple, cast

from localreg.canonical import JsonObject, canonical, parse, quoted, sha256_hex
from localreg.errors import FormatError, IntegrityError
from localreg.log.parquet import EntryRow, decode, encode
from localreg.log.signing import NO_SIGNERS, Signers, SigningKey, signature_of, statement
from localreg.names import is_digest
from localreg.records.files import FilePointer

__all__ = [
    "Change",
    "Entry",
    "Event",
    "Head",
    "Place",
    "Provenance",
    "compose",
    "entry_number",
    "entry_path",
    "entry_statement",
    "genesis",
    "is_time",
    "now",
    "read",
    "read_rows",
]

Effect = Literal["put", "remove", "none"]

NUMBER_DIGITS = 20
"""Of the name of an entry."""


class Head(NamedTuple):
    """Where a log stands: what the next entry chains on.

    Attributes:
        commit: number of the last commit; 0 before the first.
        digest: of that commit's last event, 64 hex digits; before the first, `genesis(...)`.
        time: the running maximum of commit times up to here, ISO 8601 UTC; "" before the first.
    """

    commit: int
    digest: str
    time: str


class Place(NamedTuple):
    """Where a log stands, and who may sign what comes next.

    Attributes:
        head: where it stands.
        signers: who may sign; none = nobody has to.
    """

    head: Head
    signers: Signers = NO_SIGNERS


class Provenance(NamedTuple):
    """Who commits, and why: the same on each event of an entry."""

    actor: str
    host: str
    message: str | None = None


class Change(NamedTuple):
    """An event that has no place in the log yet: what a verb of the API asks to be recorded.

    Attributes:
        kind: the record's singular snake_case noun.
        action: one bare verb.
        id: of the record.
        name: of the record, as it is after the change.
        parent: id of the record that the name is unique within; "" = the namespace.
        before: the record before; None if it was not there or is not touched.
        after: the record afterwards; None if it is removed or not touched.
        files: bulk files that become visible with this event.
        details: what else belongs to the event for ever, in clear: never secrets.
    """

    kind: str
    action: str
    id: str
    name: str
    parent: str = ""
    before: JsonObject | None = None
    after: JsonObject | None = None
    files: tuple[FilePointer, ...] = ()
    details: JsonObject | None = None

    @property
    def effect(self) -> Effect:
        """What the event does to the state: put a record, remove one, or nothing."""
        if self.after is not None:
            return "put"
        return "none" if self.before is None else "remove"


class Event(NamedTuple):
    """An audit event in its place.

    Attributes:
        commit: number of the commit.
        event: number within the commit, from 1.
        commit_id: 32 hex digits, unique to the attempt that became this commit.
        time: ISO 8601, UTC, microseconds; the committer's clock.
        digest: chains everything up to and including this event.
        redacted: the payload has been emptied: `before`, `after` and `message` are gone, the effect stands.
    """

    commit: int
    event: int
    commit_id: str
    time: str
    actor: str
    host: str
    kind: str
    action: str
    id: str
    name: str
    parent: str
    effect: Effect
    files: tuple[FilePointer, ...]
    details: JsonObject | None
    message: str | None
    before: JsonObject | None
    after: JsonObject | None
    digest: str
    redacted: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One commit, as read from or as written to the log."""

    events: tuple[Event, ...]
    head: Head
    """Where the log stands after this entry."""
    signature: str = ""
    """By whom it was signed, and how; "" = by nobody."""

    @property
    def commit(self) -> int:
        """Its number."""
        return self.head.commit

    @property
    def commit_id(self) -> str:
        """The id that its writer gave it."""
        return self.events[0].commit_id


def entry_path(commit: int) -> str:
    """Path of an entry within its namespace: 20 digits, so that names sort as numbers."""
    return f"log/{commit:0{NUMBER_DIGITS}d}.parquet"


def entry_number(path: str) -> int:
    """The number of an entry by its path; 0 of what is none."""
    stem = path.removeprefix("log/").removesuffix(".parquet")
    is_number = len(stem) == NUMBER_DIGITS and stem.isascii() and stem.isdecimal()
    return int(stem) if is_number and entry_path(int(stem)) == path else 0


def genesis(registry_id: str, namespace: str) -> Head:
    """Where a log stands before its first commit; bound to its registry and name, so that a swapped log is seen."""
    return Head(0, sha256_hex(registry_id + namespace), "")


def now() -> str:
    """The present as it stands in the log: ISO 8601, UTC, always with six digits of microseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def entry_statement(origin: str, commit: int, digest: str) -> bytes:
    """What the signature of an entry signs: where its log began, its number, and the digest of its last event.

    The digest covers the other two; they are named so that an entry which was brought from elsewhere is told from one
    that was signed for this place and does not fit.
    """
    return statement("entry", origin, commit, digest)


def compose(
    head: Head,
    changes: Sequence[Change],
    provenance: Provenance,
    commit_id: str,
    time: str,
    *,
    number: int | None = None,
    key: SigningKey | None = None,
    origin: str = "",
) -> tuple[Entry, bytes]:
    """Make the entry that follows `head`, and its bytes.

    Each payload carries 16 random bytes, so that a redacted value cannot be guessed from the hash that stays.

    Args:
        head: what it chains on.
        changes: what it says.
        provenance: who, where and why.
        commit_id: by which it is known again.
        time: by this machine's clock.
        number: its number, if void entries have taken the next ones.
        key: to sign it with.
        origin: digest that the log began with.
    """
    commit = number or head.commit + 1
    nonces = os.urandom(16 * len(changes)).hex()
    # The texts are put together by hand: `canonical` of the whole would sort and quote the same words for each event.
    actor, host = quoted(provenance.actor), quoted(provenance.host)
    message = canonical(provenance.message)
    digest = head.digest
    rows: list[EntryRow] = []
    events: list[Event] = []
    for number, change in enumerate(changes, 1):
        nonce = nonces[32 * number - 32 : 32 * number]
        payload = (
            f'{{"after":{_object_or_null(change.after)},"before":{_object_or_null(change.before)},'
            f'"message":{message},"nonce":"{nonce}"}}'
        )
        details = "" if change.details is None else f'"details":{canonical(change.details)},'
        files = f'"files":{canonical([file.to_json() for file in change.files])},' if change.files else ""
        record = (
            f'{{"action":{quoted(change.action)},"actor":{actor},"commit":{commit},"commit_id":"{commit_id}",'
            f'{details}"effect":"{change.effect}","event":{number},"events":{len(changes)},{files}"host":{host},"id":{quoted(change.id)},'
            f'"kind":{quoted(change.kind)},"name":{quoted(change.name)},"parent":{quoted(change.parent)},'
            f'"payload":"{sha256_hex(payload)}","previous":"{digest}","time":"{time}"}}'
        )
        digest = chain(digest, record)
        rows.append(EntryRow(commit, number, record, payload, digest, ""))
        place = (commit, number, commit_id, time, provenance.actor, provenance.host)
        what = (change.kind, change.action, change.id, change.name, change.parent, change.effect)
        texts = (provenance.message, change.before, change.after, digest)
        events.append(Event(*place, *what, change.files, change.details, *texts))
    signature = "" if key is None else signature_of(key, entry_statement(origin, commit, digest))
    rows[-1] = rows[-1]._replace(signature=signature)
    return Entry(tuple(events), Head(commit, digest, max(head.time, time)), signature), encode(rows)


def _object_or_null(value: JsonObject | None) -> str:
    return "null" if value is None else canonical(value)


def chain(previous: str, record: str) -> str:
    """The digest of an event: sha256 over the 32 bytes of the previous digest and the record's UTF-8 text."""
    return sha256(bytes.fromhex(previous) + record.encode()).hexdigest()


def read(data: bytes, previous: Head, *, name: str) -> Entry:
    """Parse and check the entry that should follow `previous`.

    Args:
        data: the file.
        previous: where the log stands before this entry.
        name: what to call the file in errors.

    Raises:
        FormatError: torn, or not an entry.
        IntegrityError: altered (a digest does not fit its text) or swapped (it belongs elsewhere in a log).
    """
    return read_rows(decode(data, name=name), previous, name=name)


def read_rows(rows: Sequence[EntryRow], previous: Head, *, name: str, number: int | None = None) -> Entry:
    """`read`, of a file that is decoded already; `number` is that of its name, if void entries lie before it."""
    commit = number or previous.commit + 1
    if not rows:
        raise FormatError(f"{name} holds no event; restore it from a copy", code="entry_torn")
    digest = previous.digest
    events = []
    for place, row in enumerate(rows, 1):
        event = _event(row, digest, len(rows), name)
        if (event.commit, event.event) != (commit, place):
            raise _swapped(name, f"it says commit {event.commit}, event {event.event}")
        digest = event.digest
        events.append(event)
    return Entry(tuple(events), Head(commit, digest, max(previous.time, events[0].time)), rows[-1].signature)


def _event(row: EntryRow, previous: str, of: int, name: str) -> Event:
    fields = _object(row.record, name)
    claimed = fields.get("previous")
    if not is_digest(claimed) or chain(claimed, row.record) != row.digest:
        raise _altered(name, row, "record")
    if claimed != previous:
        raise _swapped(name, "it does not chain on the entry before it")
    if (fields.get("commit"), fields.get("event")) != (row.commit, row.event):
        raise _altered(name, row, "number")
    # Each digest covers what stands before it: without this, events cut off the end of the last entry leave no trace.
    if fields.get("events") != of:
        raise IntegrityError(
            f"{name} has been altered: it was written with {fields.get('events')} events and holds {of}; restore it "
            "from a copy",
            code="entry_altered",
        )
    redacted = row.payload == ""
    payload = {} if redacted else _object(row.payload, name)
    if not redacted and sha256_hex(row.payload) != fields.get("payload"):
        raise _altered(name, row, "payload")
    _refuse_unknown_forms(fields, payload, name)
    try:
        return Event(
            redacted=redacted,
            digest=row.digest,
            files=_pointers(fields, name),
            details=cast("JsonObject | None", fields.get("details")),
            **{key: payload.get(key) for key in ("message", "before", "after")},  # type: ignore[arg-type]
            commit=row.commit,
            event=row.event,
            **{key: fields[key] for key in _TEXT_FIELDS},  # type: ignore[arg-type]
        )
    except (KeyError, TypeError) as error:
        raise FormatError(f"{name} lacks {error} in an event; restore it from a copy", code="entry_torn") from error


def _pointers(fields: JsonObject, name: str) -> tuple[FilePointer, ...]:
    pointers = fields.get("files", [])
    if not isinstance(pointers, list) or not all(isinstance(each, dict) for each in pointers):
        raise FormatError(f"{name} has files that are none; restore it from a copy", code="entry_torn")
    try:
        return tuple(FilePointer.from_json(cast(JsonObject, each)) for each in pointers)
    except FormatError as error:
        raise FormatError(f"{name} cannot be read: {error}; restore it from a copy", code="entry_torn") from error


def _refuse_unknown_forms(fields: JsonObject, payload: JsonObject, name: str) -> None:
    """What the chain holds together but this release could only misread."""
    if not all(isinstance(fields.get(key), str) for key in _TEXT_FIELDS) or not is_time(str(fields["time"])):
        raise FormatError(f"{name} holds an event without its plain fields; restore it from a copy", code="entry_torn")
    said = (fields.get("details"), payload.get("before"), payload.get("after"))
    if not all(value is None or isinstance(value, dict) for value in said) or not isinstance(
        payload.get("message"), str | None
    ):
        raise FormatError(f"{name} holds an event that says no records; restore it from a copy", code="entry_torn")
    if fields["effect"] not in ("put", "remove", "none"):
        raise FormatError(
            f"{name} has an effect {fields['effect']!r} that this release does not know; upgrade localreg",
            code="format_newer",
        )


def is_time(text: str) -> bool:
    """Whether times can be compared as text: all of them have 27 characters and one zone."""
    return len(text) == 27 and text.endswith("Z")


_TEXT_FIELDS = (
    "commit_id",
    "time",
    "actor",
    "host",
    "kind",
    "action",
    "id",
    "name",
    "parent",
    "effect",
)


def _object(text: str, name: str) -> JsonObject:
    try:
        value = parse(text)
    except FormatError as error:
        raise IntegrityError(
            f"{name} has been altered: {error}; restore it from a copy", code="entry_altered"
        ) from error
    if not isinstance(value, dict):
        raise IntegrityError(f"{name} has been altered: an event is no object", code="entry_altered")
    return value


def _altered(name: str, row: EntryRow, what: str) -> IntegrityError:
    return IntegrityError(
        f"{name} has been altered: the {what} of event {row.event} does not fit its digest; restore it from a copy",
        code="entry_altered",
    )


def _swapped(name: str, why: str) -> IntegrityError:
    return IntegrityError(
        f"{name} is not the entry that was written there: {why}; restore it from a copy", code="entry_swapped"
    )
