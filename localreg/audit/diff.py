"""What is different between two commits: records made, deleted and changed, told from the events between.

Nothing is compared but what the events say: each tells the record before and after itself, so the first that touches a
record in between and the last give both ends. Only where a payload was redacted, the state itself is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from localreg.canonical import JsonObject, JsonValue, canonical
from localreg.handles.words import Look, Named, in_names, names_in, one_line, parent_of, readable_bytes, told
from localreg.log import Event, State
from localreg.log.state import CONDEMNED
from localreg.names import amount
from localreg.records.base import is_known
from localreg.records.differences import Difference, differences
from localreg.session import Session

__all__ = ["Diff", "RecordDiff", "diff"]


@dataclass(frozen=True, slots=True)
class RecordDiff:
    """One record that is not the same at both commits."""

    kind: str
    """Of the record, such as `model`; `file` for a bulk file that became visible."""

    id: str
    """Of the record; of a file, its path."""

    name_before: str | None
    """What it was called; None if it was not there."""

    name_after: str | None
    """What it is called; None if it is not there."""

    differences: tuple[Difference, ...]
    """By path; of a record that was made or deleted, all that it says. Empty if that was redacted."""

    parent_name: str | None
    """Name of the record that it lies within, such as the model of an alias; None if there is none."""

    subject: str
    """The record in words, with whose it is: `alias 'm@staging'`, `test run 'bc@1' of 'm@1'`."""

    names: Mapping[str, str] = field(hash=False)
    """What the records are called whose ids stand in the differences, by id."""

    redacted: bool
    """What it said at one of the commits was redacted: that it differs is likely, and how is unknown."""

    @property
    def name(self) -> str:
        """What it is called, or was called last."""
        return self.name_after or self.name_before or ""

    def __str__(self) -> str:
        renamed = self.name_before is not None and self.name_after not in (None, self.name_before)
        words = f"{self.subject}, now {self.name_after!r}" if renamed else self.subject
        return f"{words} (redacted)" if self.redacted else words

    def _lines(self) -> Iterator[str]:
        for found in self.differences:
            _, *sides, _ = in_names(found, self.names)
            before, after = map(_shown, sides)
            match found.change:
                case "added":
                    yield f"+ {found.path}: {after}"
                case "removed":
                    yield f"- {found.path}: {before}"
                case _:
                    yield f"{found.path}: {before} → {after}"


@dataclass(frozen=True, slots=True, repr=False)
class Diff:
    """What is different at one commit from another; empty, and false, if nothing is."""

    before: int
    """Number of the commit that is compared with."""

    after: int
    """Number of the commit that is looked at; the earlier one, if it was asked so."""

    created: tuple[RecordDiff, ...]
    """Records that only `after` has, in the order in which they were touched."""

    deleted: tuple[RecordDiff, ...]
    """Records that only `before` has."""

    changed: tuple[RecordDiff, ...]
    """Records that both have, and that say something else."""

    def __len__(self) -> int:
        return len(self.created) + len(self.deleted) + len(self.changed)

    def __repr__(self) -> str:
        counts = f"{len(self.created)} created, {len(self.deleted)} deleted, {len(self.changed)} changed"
        return f"<Diff of commit {self.before} and {self.after}: {counts}>"

    def __str__(self) -> str:
        """A line for each record, and for each path of a changed one; bulk files are counted."""
        return "\n".join([f"commit {self.before} → {self.after}", *map(one_line, self._lines())])

    def _lines(self) -> Iterator[str]:
        for sign, records in (("+", self.created), ("-", self.deleted)):
            yield from (f"  {sign} {record}" for record in records if record.kind not in FILES)
            for kind in FILES:
                yield from (f"  {sign} {counted}" for counted in _counted(kind, records))
        set_aside = sum(record.kind in FILES for record in self.changed)
        if set_aside:
            yield f"  ~ {amount(set_aside, 'file')} set aside"
        for record in self.changed:
            if record.kind in FILES:
                continue
            yield f"  ~ {record}"
            yield from (f"      {line}" for line in record._lines())


FILES = ("file", CONDEMNED)
"""Kinds that stand for bulk files: there may be thousands, and their paths tell people nothing."""


def _counted(kind: str, records: Iterable[RecordDiff]) -> Iterator[str]:
    """How many files of a kind there are, if there are any."""
    sizes = [
        value
        for record in records
        if record.kind == kind
        for found in record.differences
        if found.path == "bytes" and isinstance(value := found.after or found.before or 0, int)
    ]
    if sizes:
        what = "file" if len(sizes) == 1 else "files"
        given_up = " given up" if kind == CONDEMNED else ""
        yield f"{len(sizes):,} {what}{given_up}, {readable_bytes(sum(sizes))}"


class _End(NamedTuple):
    """What a record was at one commit; None in place of this = it was not there."""

    name: str
    record: JsonObject | None
    """None: redacted."""
    parent: str = ""


_NOTHING = _End("", None)


class _Span(NamedTuple):
    before: _End | None
    after: _End | None


def diff(session: Session, before: int, after: int) -> Diff:
    """What is different at commit `after` from commit `before`; see `Registry.diff`. Both exist."""
    begin, end = sorted((before, after))
    spans = _spans(session, begin, end)
    if before > after:
        spans = {key: _Span(span.after, span.before) for key, span in spans.items()}
    look = _look(spans, session.committed())
    found = [(span, _told(*key, span, look)) for key, span in spans.items() if _differs(span)]
    return Diff(
        before,
        after,
        created=tuple(told for span, told in found if span.before is None),
        deleted=tuple(told for span, told in found if span.after is None),
        changed=tuple(told for span, told in found if span.before is not None and span.after is not None),
    )


def _spans(session: Session, begin: int, end: int) -> dict[tuple[str, str], _Span]:
    newest = session.committed()
    at_begin = cache(lambda: session.log.at(begin, newest))
    spans: dict[tuple[str, str], _Span] = {}
    for entry in session.log.past(session.log.head_at(begin), end):
        for event in entry.events:
            for touch in _touches(event):
                span = spans.get(touch.key)
                before = _before(touch, newest, at_begin) if span is None else span.before
                spans[touch.key] = _Span(before, touch.after)
    return spans


class _Touch(NamedTuple):
    """What one event does to one record."""

    key: tuple[str, str]
    event: Event
    after: _End | None
    before: JsonObject | None = None
    """What the record was before; None if it was not there."""
    tells_before: bool = False


def _touches(event: Event) -> Iterator[_Touch]:
    """The records that an event touches, as the fold has it."""
    for pointer in event.files:
        end = _End(pointer.path, pointer.to_json())
        if event.action == "condemn":
            yield _Touch(("file", pointer.path), event, None)
            yield _Touch((CONDEMNED, pointer.path), event, end)
        else:
            yield _Touch(("file", pointer.path), event, end)
    if event.action != "condemn" and event.effect != "none":
        after = _End(event.name, event.after, event.parent) if event.effect == "put" else None
        known = not event.redacted and (event.before is None or is_known(event.before))
        yield _Touch((event.kind, event.id), event, after, event.before, tells_before=known)


def _before(touch: _Touch, newest: State, at_begin: Callable[[], State]) -> _End | None:
    """What a record was before the first event that touches it.

    Args:
        touch: by that event.
        newest: a later state: its rows remember which event made them.
        at_begin: the state before; costs a fold of what leads to it.
    """
    if touch.tells_before:
        if touch.before is None:
            return None
        return _End(str(touch.before.get("name", touch.event.name)), touch.before, touch.event.parent)
    by_now = newest.get(*touch.key)
    if by_now is not None and by_now.created == (touch.event.commit, touch.event.event):
        return None
    row = at_begin().get(*touch.key)
    return None if row is None else _End(row.name, row.record, row.parent)


def _differs(span: _Span) -> bool:
    before, after = span
    if before is None or after is None:
        return before is not after
    if before.record is None or after.record is None:
        return True
    return canonical(before.record) != canonical(after.record)


def _told(kind: str, id: str, span: _Span, look: Look) -> RecordDiff:
    redacted = any(end is not None and end.record is None for end in span)
    before, after = (end or _NOTHING for end in span)
    found = () if redacted else tuple(differences(before.record, after.record))
    name, parent = before.name or after.name, before.parent or after.parent
    return RecordDiff(
        kind,
        id,
        before.name or None,
        after.name or None,
        found,
        parent_of(kind, parent, look),
        told(kind, name, parent, look),
        names_in(kind, found, look),
        redacted,
    )


def _look(spans: Mapping[tuple[str, str], _Span], newest: State) -> Look:
    """Names of records: as the events between left them, else as they are now."""

    def look(kind: str, id: str) -> Named | None:
        span = spans.get((kind, id))
        return newest.outline(kind, id) if span is None else span.after or span.before

    return look


def _shown(value: JsonValue) -> str:
    text = canonical(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
