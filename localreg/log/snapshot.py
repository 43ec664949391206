"""Snapshot files: the state at one commit, as a cache that may be deleted at any time.

A snapshot is a Parquet file of rows `(kind, parent, name, id, record, …)`, sorted by kind, parent and name. Which
commit it shows stands in its key-value metadata; a hint beside it names the newest. A snapshot that is missing, torn,
of another log or of a layout that we do not know is passed over: the log alone is the truth.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

from localreg.canonical import JsonObject, canonical, parse, sha256_hex
from localreg.errors import LocalregError
from localreg.log.entry import Head
from localreg.log.state import Row, State

if TYPE_CHECKING:
    import pyarrow as pa

    from localreg.storage import Store

__all__ = ["SnapshotBase", "hinted_commit", "load", "rows_table", "save"]

HINT = "snapshots/latest.json"
LAYOUT = 1
"""Snapshots of another layout are passed over and rebuilt."""
KEPT = 2
"""Complete snapshots that stay: one for a reader that has just read an older hint."""

COLUMNS = (
    "kind",
    "parent",
    "name",
    "id",
    "record",
    "created_commit",
    "created_event",
    "created_at",
    "created_by",
    "updated_commit",
    "updated_event",
    "updated_at",
    "updated_by",
)
_INTEGERS = frozenset({"created_commit", "created_event", "updated_commit", "updated_event"})


class SnapshotBase:
    """The records of a snapshot file, in memory; a record's JSON is parsed when it is asked for."""

    def __init__(self, table: pa.Table, *, file: str, commit: int) -> None:
        self.file = file
        self.commit = commit
        self._columns = {name: table[name].to_pylist() for name in COLUMNS}
        self._ids: dict[tuple[str, str], int] = {}
        self._names: dict[tuple[str, str], dict[str, int]] = {}
        columns = (self._columns[name] for name in ("kind", "parent", "name", "id"))
        for number, (kind, parent, name, id) in enumerate(zip(*columns, strict=True)):
            self._ids[kind, id] = number
            self._names.setdefault((kind, parent), {})[name] = number

    def get(self, kind: str, id: str) -> Row | None:
        """The record, or None."""
        number = self._ids.get((kind, id))
        return None if number is None else self._row(number)

    def find(self, kind: str, name: str, parent: str) -> Row | None:
        """The record of that name, or None."""
        number = self._names.get((kind, parent), {}).get(name)
        return None if number is None else self._row(number)

    def children(self, kind: str, parent: str) -> Iterable[Row]:
        """All of one kind within one parent."""
        return map(self._row, self._names.get((kind, parent), {}).values())

    def rows(self, kind: str | None = None) -> Iterable[Row]:
        """All of them, or all of one kind."""
        return (self._row(number) for (of_kind, _), number in self._ids.items() if kind in (None, of_kind))

    def _row(self, number: int) -> Row:
        column = {name: values[number] for name, values in self._columns.items()}
        text = column["record"]
        return Row(
            kind=column["kind"],
            parent=column["parent"],
            name=column["name"],
            id=column["id"],
            record=None if text is None else cast(JsonObject, parse(text)),
            created=(column["created_commit"], column["created_event"]),
            created_at=column["created_at"],
            created_by=column["created_by"],
            updated=(column["updated_commit"], column["updated_event"]),
            updated_at=column["updated_at"],
            updated_by=column["updated_by"],
        )


def rows_table(rows: Iterable[Row]) -> pa.Table:
    """Rows as an Arrow table with the columns of a snapshot; `record` is canonical JSON text."""
    import pyarrow as pa

    values = [
        (
            row.kind,
            row.parent,
            row.name,
            row.id,
            None if row.record is None else canonical(row.record),
            *row.created,
            row.created_at,
            row.created_by,
            *row.updated,
            row.updated_at,
            row.updated_by,
        )
        for row in rows
    ]
    columns: Sequence[Sequence[object]] = list(zip(*values, strict=True)) or [()] * len(COLUMNS)
    arrays = [pa.array(column, _type(name)) for name, column in zip(COLUMNS, columns, strict=True)]
    return pa.table(arrays, names=list(COLUMNS))


def _type(column: str) -> pa.DataType:
    import pyarrow as pa

    return pa.int64() if column in _INTEGERS else pa.string()


def save(store: Store, origin: str, state: State) -> State:
    """Write the snapshot of a state and its hint; clean up older ones. Returns the same state on the new base.

    Args:
        store: the namespace's.
        origin: digest that the log began with: tells this log from any other.
        state: what to write.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = rows_table(sorted(state.rows(), key=lambda row: (row.kind, row.parent, row.name)))
    meta = _signed({"layout": LAYOUT, "origin": origin, "rows": table.num_rows, **state.head._asdict()})
    path = f"snapshots/{state.head.commit:020d}.parquet"
    sink = pa.BufferOutputStream()
    schema = table.schema.with_metadata({"localreg": meta})
    with pq.ParquetWriter(sink, schema, compression="zstd", write_page_checksum=True) as writer:
        for begin, end in _runs(table["kind"].to_pylist()):
            writer.write_table(table.slice(begin, end - begin), row_group_size=10_000)
    store.put(path, sink.getvalue())
    store.put(HINT, canonical({"path": path}).encode())
    _clean_up(store)
    return State(state.head, SnapshotBase(table, file=path, commit=state.head.commit))


def _signed(meta: JsonObject) -> str:
    """The text of the metadata with its own digest: Parquet has checksums for its pages alone."""
    return canonical({**meta, "check": sha256_hex(canonical(meta))})


def _runs(kinds: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where each kind begins and ends: a row group holds one kind only."""
    begin = 0
    for number in range(1, len(kinds) + 1):
        if number == len(kinds) or kinds[number] != kinds[begin]:
            yield begin, number
            begin = number


def _clean_up(store: Store) -> None:
    with contextlib.suppress(LocalregError):  # tidying is worth no error: the next snapshot tries again
        for path in _newest_first(store)[KEPT:]:
            store.delete(path)


def load(store: Store, origin: str, *, at_most: int | None = None) -> State | None:
    """The state of the newest readable snapshot, not newer than commit `at_most`; None if there is none."""
    for path in _candidates(store, at_most):
        state = _read(store, origin, path)
        if state is not None and (at_most is None or state.head.commit <= at_most):
            return state
    return None


def _candidates(store: Store, at_most: int | None) -> Iterator[str]:
    hinted = _hinted(store)
    if hinted is not None and at_most is None:
        yield hinted
    for path in _newest_first(store):
        if path != hinted or at_most is not None:
            yield path


def _hinted(store: Store) -> str | None:
    data = store.get(HINT)
    try:
        hint = parse(data) if data is not None else None
    except LocalregError:
        return None
    path = hint.get("path") if isinstance(hint, dict) else None
    return path if isinstance(path, str) and path.startswith("snapshots/") else None


def hinted_commit(store: Store) -> int | None:
    """The commit of the newest snapshot, as the hint says; None if it does not."""
    stem = (_hinted(store) or "").removeprefix("snapshots/").removesuffix(".parquet")
    return int(stem) if stem.isdecimal() else None


def _newest_first(store: Store) -> list[str]:
    return sorted((path for path in store.list("snapshots") if path.endswith(".parquet")), reverse=True)


def _read(store: Store, origin: str, path: str) -> State | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        data = store.get(path)
        if data is None:
            return None
        with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True) as file:
            meta = parse((file.schema_arrow.metadata or {}).get(b"localreg", b"null"))
            if not isinstance(meta, dict) or (meta.get("layout"), meta.get("origin")) != (LAYOUT, origin):
                return None
            if meta.pop("check", None) != sha256_hex(canonical(meta)):
                return None
            table = file.read(columns=list(COLUMNS), use_threads=False)
        if table.num_rows != meta["rows"] or table.schema.types != [_type(name) for name in COLUMNS]:
            return None  # no checksum covers the footer's own claims
        head = Head(cast(int, meta["commit"]), cast(str, meta["digest"]), cast(str, meta["time"]))
        return State(head, SnapshotBase(table, file=path, commit=head.commit))
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError, LocalregError):
        return None  # a cache that cannot be read is no cache
