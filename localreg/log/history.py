"""History segments: old events as columns, so that nobody opens ten thousand entries to look back.

A segment is a Parquet file of the events of a run of commits, a row each. Segments are a cache, as snapshots are: the
log alone is the truth, and what no readable segment covers is read from there. New segments are short and are merged
as they grow, so that a log has a handful of them.

Accepted: events that come from a segment have been checked against the chain when it was written, not when it is
read; its bytes are checked against the digest in its name and, where signers are listed, against the signature of one.
`verify` reads entries only.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from hashlib import sha256
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from localreg.arrow import array, numbers
from localreg.canonical import JsonObject, canonical, parse
from localreg.errors import FormatError, LocalregError
from localreg.log.bounded import read_group, refuse_absurd_footer
from localreg.log.caches import given_up, unless_unreadable
from localreg.log.entry import Entry, Event, Head, Place
from localreg.log.signing import (
    NO_SIGNERS,
    UNSIGNED,
    Signer,
    Signers,
    SigningKey,
    signature_of,
    signed_by,
    signers_after,
    statement,
)
from localreg.records.files import FilePointer

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from localreg.storage import Store

__all__ = ["HISTORY_DAMAGED", "History", "Segment", "events_table"]

HISTORY_DAMAGED = "history_damaged"
"""Code of the error of a segment that is missing, or not what was written."""

FOLDER = "history"
LAYOUT = 1
"""Segments of another layout are passed over."""
GROWTH = 8
"""A segment is merged with the newer ones once these hold an eighth of its events."""
LONGEST = 65_536
"""Events up to which segments are merged: it bounds the memory that it takes."""
BATCH = 16_384
"""Events that are read at once, or little more, to make segments of a log that has none."""

TEXTS = ("commit_id", "time", "actor", "host", "kind", "action", "id", "name", "parent", "effect", "message", "digest")
OBJECTS = ("details", "before", "after")
COLUMNS = ("commit", "event", *TEXTS, *OBJECTS, "files", "redacted")

_NAME = re.compile(r"history/(\d{20})-(\d{20})-(\d{1,18})-[0-9a-f]{32}\.parquet", re.ASCII)


class Segment(NamedTuple):
    """The events of some commits in a row.

    Attributes:
        first: number of the first commit.
        last: number of the last one.
        events: how many.
        path: of the file, within the namespace.
    """

    first: int
    last: int
    events: int
    path: str


class Opened(NamedTuple):
    """A segment that was found sound.

    Attributes:
        native: its file, on this machine.
        before: where the log stands before it.
        after: where the log stands after it.
        signers: who may sign what comes then.
    """

    native: Path
    before: Head
    after: Head
    signers: Signers = NO_SIGNERS

    @property
    def end(self) -> Place:
        """Where to read on."""
        return Place(self.after, self.signers)


class History:
    """The segments of one namespace.

    Attributes:
        store: the namespace's.
        origin: where its log began.
    """

    def __init__(self, store: Store, origin: Head, vouching: Callable[[], Collection[str]] = frozenset[str]) -> None:
        """Prepare; `vouching` gives the public keys of those who sign segments, none = nobody has to."""
        self.store = store
        self.origin = origin
        self._vouching = vouching

    # --- reading ------------------------------------------------------------------------------------------------------

    def cover(self, upto: int) -> list[Segment]:
        """The segments that hold the log from commit 1 on, as far as they do; the last one may go beyond `upto`."""
        return _cover(self.listed(), upto)

    def sound(self, upto: int, leads_to: Callable[[Head], bool]) -> list[Segment]:
        """The cover as far as each segment can be read, follows the one before, and belongs to the log as it is now.

        Args:
            upto: as in `cover`.
            leads_to: whether the log stands at a head after that head's commit: where it was rolled back, what
                segments say is no longer true.
        """
        sound: list[Segment] = []
        head = self.origin
        for segment in self.cover(upto):
            try:
                opened = self.opened(segment)
            except LocalregError:
                break  # a cache that cannot be read is no cache
            if opened.before != head:
                break
            sound.append(segment)
            head = opened.after
        return sound if sound and leads_to(head) else []

    def entries(self, segment: Segment, *, after: int = 0) -> Iterator[Entry]:
        """The entries in a segment that come after a commit, in order.

        Raises:
            LocalregError: before the first one; it is not there, not what was written, or not of this log.
        """
        import numpy as np

        table, opened = self._table(segment)
        commits = numbers(table["commit"])
        begin = int(np.searchsorted(commits, after, side="right"))
        time = max([opened.before.time, *table["time"][:begin].to_pylist()])
        for _, group in groupby(_events(table.slice(begin)), key=lambda event: event.commit):
            events = tuple(group)
            time = max(time, events[0].time)
            yield Entry(events, Head(events[0].commit, events[-1].digest, time))

    def opened(self, segment: Segment) -> Opened:
        """A segment's file, checked, and where the log stands around it.

        Raises:
            LocalregError: as `entries`.
        """
        return self._opened(segment, self._data(segment))

    def listed(self) -> list[Segment]:
        """All segments that are there, sound or not."""
        there = unless_unreadable(self.store, lambda: list(self.store.list(FOLDER)), list[str]())
        named = map(_NAME.fullmatch, there)
        return [Segment(int(match[1]), int(match[2]), int(match[3]), match[0]) for match in named if match]

    def _data(self, segment: Segment) -> bytes:
        data = self.store.get(segment.path)
        if data is None or _digest(data) not in segment.path:
            raise _damaged(segment)
        return data

    def _opened(self, segment: Segment, data: bytes) -> Opened:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            refuse_absurd_footer(memoryview(data))
            with pq.ParquetFile(pa.BufferReader(data)) as file:
                meta = cast(JsonObject, parse(file.metadata.metadata[b"localreg"]))
            if (meta["layout"], meta["origin"]) != (LAYOUT, self.origin.digest):
                raise _damaged(segment)
            before, after = (Head(*cast(Any, meta[key])) for key in ("before", "after"))
            signers = {id: Signer(name, key) for id, name, key in cast(Any, meta.get("signers", ()))}
        except (pa.ArrowException, OSError, KeyError, TypeError, ValueError, MemoryError, FormatError) as error:
            raise _damaged(segment) from error
        self._refuse_unsigned(segment, data, str(meta.get("signature") or ""))
        return Opened(self.store.local_file(segment.path), before, after, signers)

    def _refuse_unsigned(self, segment: Segment, data: bytes, signature: str) -> None:
        """As a snapshot: where signers are listed, only what one of them vouches for; elsewhere what none signed."""
        vouching = self._vouching()
        if vouching or signature:
            by = signed_by(signature, _statement(data, signature)) if signature else None
            if by not in vouching:
                raise _damaged(segment)

    def _table(self, segment: Segment) -> tuple[pa.Table, Opened]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        data = self._data(segment)
        opened = self._opened(segment, data)
        try:
            with pq.ParquetFile(pa.BufferReader(data)) as file:
                groups = [read_group(file, group, COLUMNS) for group in range(file.num_row_groups)]
                return pa.concat_tables(groups), opened
        except (pa.ArrowException, OSError, MemoryError, FormatError) as error:
            raise _damaged(segment) from error

    # --- writing ------------------------------------------------------------------------------------------------------

    def extend(
        self,
        read: Callable[[Place], Iterator[Entry]],
        upto: int,
        leads_to: Callable[[Head], bool],
        *,
        key: SigningKey | None = None,
    ) -> None:
        """Write a segment of what none holds yet, merged with as many of the last ones as it has outgrown.

        What is not sound is made anew, and deleted.

        Args:
            read: the checked entries after a place.
            upto: number of the last commit.
            leads_to: see `sound`.
            key: to sign segments with.

        Raises:
            StorageError: it could not be written; of code `GIVEN_UP`: what was to be merged was deleted meanwhile.
        """
        before = cover = self.sound(upto, leads_to)
        if cover and cover[-1].last >= upto:
            return  # another writer was faster
        there = self.listed()
        try:
            place = self.opened(cover[-1]).end if cover else Place(self.origin)
            for entries in _batches(read(place), upto - place.head.commit):
                events = (event for entry in entries for event in entry.events)
                end = Place(entries[-1].head, signers_after(place.signers, events))
                cover = self._append(cover, place.head, entries, end, key)
                place = end
        except FormatError as error:
            if error.code != HISTORY_DAMAGED:
                raise
            raise given_up(FOLDER) from error  # a moment ago it was sound
        self._clean_up(there, {*before, *cover}, upto)

    def _append(
        self, cover: list[Segment], before: Head, entries: list[Entry], end: Place, key: SigningKey | None
    ) -> list[Segment]:
        """The cover with some more entries, written."""
        import pyarrow as pa

        after = end.head
        tables = [events_table(entries)]
        stays, events = len(cover), tables[0].num_rows
        while stays and cover[stays - 1].events <= min(GROWTH * events, LONGEST - events):
            stays -= 1
            events += cover[stays].events
            table, opened = self._table(cover[stays])
            tables.insert(0, table)
            before = opened.before
        data = self._file(pa.concat_tables(tables), before, end, key)
        first = before.commit + 1
        path = f"{FOLDER}/{first:020d}-{after.commit:020d}-{events}-{_digest(data)}.parquet"
        self.store.put(path, data)
        if any(self.store.size(merged.path) is None for merged in cover[stays:]):  # a redaction forbids their rows
            self.store.delete(path)
            raise given_up(path)
        return [*cover[:stays], Segment(first, after.commit, events, path)]

    def _file(self, table: pa.Table, before: Head, end: Place, key: SigningKey | None) -> bytes:
        import pyarrow as pa
        import pyarrow.parquet as pq

        meta: JsonObject = {"layout": LAYOUT, "origin": self.origin.digest, "before": [*before], "after": [*end.head]}
        if key is not None:
            meta |= {"signers": [[id, *signer] for id, signer in end.signers.items()], "signature": UNSIGNED}
        sink = pa.BufferOutputStream()
        with pq.ParquetWriter(sink, table.schema, compression="zstd") as writer:
            writer.write_table(table, row_group_size=16_384)
            writer.add_key_value_metadata({"localreg": canonical(meta)})
        data = cast(bytes, sink.getvalue().to_pybytes())
        if key is None:
            return data
        start, _, rest = data.rpartition(UNSIGNED.encode())
        return start + signature_of(key, _statement(data, UNSIGNED)).encode() + rest

    def _clean_up(self, there: Iterable[Segment], kept: Collection[Segment], upto: int) -> None:
        """Delete what was merged a while ago, or is not sound; what has just been merged stays for who listed it."""
        with contextlib.suppress(LocalregError):  # tidying is worth no error: the next segment tries again
            for segment in there:
                if segment not in kept and segment.last <= upto:
                    self.store.delete(segment.path)


def _cover(there: Iterable[Segment], upto: int) -> list[Segment]:
    longest = {segment.first: segment for segment in sorted(there)}
    cover: list[Segment] = []
    while (first := cover[-1].last + 1 if cover else 1) in longest and first <= upto:
        cover.append(longest[first])
    return cover


def _batches(entries: Iterator[Entry], count: int) -> Iterator[list[Entry]]:
    """Up to `count` entries, in lists of about `BATCH` events."""
    batch: list[Entry] = []
    events = 0
    for entry in islice(entries, count):
        batch.append(entry)
        events += len(entry.events)
        if events >= BATCH:
            yield batch
            batch, events = [], 0
    if batch:
        yield batch


def _events(table: pa.Table) -> Iterator[Event]:
    columns = {name: table[name].to_pylist() for name in COLUMNS}
    for name in OBJECTS:
        columns[name] = [None if text is None else parse(text) for text in columns[name]]
    columns["files"] = [() if text is None else _pointers(text) for text in columns["files"]]
    yield from map(Event._make, zip(*(columns[name] for name in Event._fields), strict=True))


def _pointers(text: str) -> tuple[FilePointer, ...]:
    return tuple(FilePointer.from_json(pointer) for pointer in cast("list[JsonObject]", parse(text)))


def events_table(entries: Iterable[Entry]) -> pa.Table:
    """Events as an Arrow table with the columns of a segment; objects are canonical JSON text."""
    import pyarrow as pa

    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for entry in entries:
        for event in entry.events:
            for name in ("commit", "event", *TEXTS, "redacted"):
                columns[name].append(getattr(event, name))
            for name in OBJECTS:
                value = getattr(event, name)
                columns[name].append(None if value is None else canonical(value))
            columns["files"].append(canonical([file.to_json() for file in event.files]) if event.files else None)
    kinds: dict[str, pa.DataType] = {"commit": pa.int64(), "event": pa.int64(), "redacted": pa.bool_()}
    arrays = [array(values, kinds.get(name, pa.string())) for name, values in columns.items()]
    return pa.Table.from_arrays(arrays, names=list(columns))


def _statement(data: bytes, signature: str) -> bytes:
    """What the signature of a segment signs: all of the file, with `UNSIGNED` where the signature stands last."""
    start, _, rest = data.rpartition(signature.encode())
    return statement("history", sha256(start + UNSIGNED.encode() + rest).hexdigest())


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()[:32]


def _damaged(segment: Segment) -> FormatError:
    return FormatError(f"{segment.path} is missing or damaged; it is made again from the log", code=HISTORY_DAMAGED)
