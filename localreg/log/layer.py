"""One snapshot file, as far as it is read: look-ups by id and by name without loading it.

A layer is a Parquet file of rows `(kind, parent, name, id, record, …)`, sorted by kind, parent and name, a row group
for each run of a kind. Between the last row group and the footer, where Parquet keeps its own indexes, lies one of
ours: the 64-bit hashes of all (kind, id) and of all (kind, parent, name), each sorted and with the numbers of their
rows. A look-up in a million rows touches a few pages of it, and one for what is not there costs nothing else. What the
hash finds is compared with the row.

Guarantees: the name of the file ends with the digest of its footer, the footer holds the digests of the index and of
the rows, and pages have checksums of their own: damage is noticed by whoever reads the damaged place, as
`DamagedLayerError`, and never read past.
"""

from __future__ import annotations

import os
import re
import threading
import weakref
from bisect import bisect
from collections.abc import Iterator, Sequence
from enum import Enum
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple, cast

from localreg.arrow import array
from localreg.canonical import JsonObject, parse
from localreg.errors import FormatError, LocalregError
from localreg.log.bounded import read_group, refuse_absurd_footer
from localreg.log.caches import damaged_layer
from localreg.log.entry import Head
from localreg.log.layer_index import LayerIndex, id_key
from localreg.log.layer_rows import COLUMNS, OUTLINE, all_rows, plain, rows, schema
from localreg.log.row import Row
from localreg.log.signing import UNSIGNED, signed_by, statement
from localreg.storage.mounts import is_on_network

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa
    import pyarrow.parquet as pq

    Keys = npt.NDArray[np.uint64]

__all__ = ["LAYOUT", "REMOVED", "Group", "Layer", "Removed", "footer_digest", "footer_statement", "layer_commit"]

LAYOUT = 2
"""Snapshot files of another layout are passed over and rebuilt."""

LARGEST_READ = 64 << 20
"""Bytes of a file up to which it is read into memory when it is opened."""

CHUNK = 1 << 20
"""Bytes of a file that are read at once to be compared with a digest."""

BYTES_KEPT = {COLUMNS: 64 << 20, OUTLINE: 16 << 20}
"""Of decoded row groups that stay in memory: about 100,000 records of some hundred bytes, and as many outlines."""

_ID = re.compile("[0-9a-f]{32}")


class Removed(Enum):
    """What a layer says of a record that older layers hold and that is gone."""

    REMOVED = "removed"


REMOVED: Final = Removed.REMOVED


class Group(NamedTuple):
    """A row group: rows of one kind.

    Attributes:
        first: number of its first row in the file.
        lowest: parent and name of its first row.
        highest: parent and name of its last row.
    """

    kind: str
    first: int
    rows: int
    lowest: tuple[str, str]
    highest: tuple[str, str]


class Layer:
    """A snapshot file, open. Safe to share between threads; stays readable when the file is deleted.

    Attributes:
        path: of the file, within the namespace.
        native: of the file, on this machine.
        head: where the log stood.
        under: paths of the older layers that it lies upon, oldest first.
        rows: how many, removed ones included.
        index: where they are.
        groups: its row groups, in order.
        signature: by whom it was signed, and how; "" = by nobody.
    """

    def __init__(self, path: str, native: Path, *, origin: str) -> None:
        """Open a file and check its footer.

        Raises:
            DamagedLayerError: it is not what was written, of another layout, or of another log than `origin`.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path = path
        self.native = native
        self._lock = threading.Lock()
        self._checked: tuple[int, int, int] | None = None
        self._shadows: dict[str, frozenset[str]] = {}
        self._decoded: dict[tuple[str, ...], dict[int, tuple[pa.Table, int]]] = {COLUMNS: {}, OUTLINE: {}}
        try:
            self._buffer: pa.Buffer = _content(native)
            self._check_footer()
            self._file: pq.ParquetFile = pq.ParquetFile(pa.BufferReader(self._buffer), page_checksum_verification=True)
            meta = parse(self._file.metadata.metadata.get(b"localreg", b"null"))
            self._adopt(cast(JsonObject, meta), origin)
        except (
            pa.ArrowException,
            OSError,
            KeyError,
            ValueError,
            TypeError,
            AttributeError,
            MemoryError,
            LocalregError,
        ) as error:
            raise damaged_layer(path, error) from error
        _layers.add(self)

    @property
    def kinds(self) -> frozenset[str]:
        """Of which it says anything."""
        return frozenset(group.kind for group in self.groups)

    def _check_footer(self) -> None:
        """Before a parser sees it: pyarrow is not made to survive a footer that somebody has altered."""
        view = memoryview(self._buffer)
        self._footer = int.from_bytes(view[-8:-4], "little") + 8
        if self._footer > len(view) or footer_digest(view[-self._footer :]) not in self.path:
            raise FormatError("its footer does not fit its name")
        refuse_absurd_footer(view)

    def _adopt(self, meta: JsonObject, origin: str) -> None:
        if (meta["layout"], meta["origin"]) != (LAYOUT, origin):
            raise FormatError("another layout, or another log")
        self.head = Head(cast(int, meta["commit"]), cast(str, meta["digest"]), cast(str, meta["time"]))
        self.under = tuple(cast("list[str]", meta["under"]))
        self.replaced = tuple(cast("list[str]", meta["replaced"]))
        self.signature = str(meta.get("signature") or "")
        self.groups = tuple(
            Group(kind, first, rows, (low[0], low[1]), (high[0], high[1]))
            for kind, first, rows, low, high in cast("list[tuple[str, int, int, list[str], list[str]]]", meta["groups"])
        )
        self.rows = sum(group.rows for group in self.groups)
        claims = self._file.metadata
        if [group.rows for group in self.groups] != [
            claims.row_group(place).num_rows for place in range(claims.num_row_groups)
        ]:
            raise FormatError("its row groups are not those that it tells of")
        self._index_at = cast(int, meta["index"])
        self._rows_sha256 = meta["rows_sha256"]
        view = memoryview(self._buffer)[self._index_at :]
        self.index = LayerIndex(self.path, view, self.rows, cast(str, meta["index_sha256"]))

    def signed_by(self) -> str | None:
        """The public key of who vouches for it, and for the layers under it; None if nobody does."""
        footer = bytes(memoryview(self._buffer)[-self._footer :])
        return signed_by(self.signature, footer_statement(footer, self.signature)) if self.signature else None

    def check_content(self) -> None:
        """Compare all of it, as it was opened, with its digests: checksums of pages are nothing that cannot be forged.

        Raises:
            DamagedLayerError: it is not what was written.
        """
        if sha256(memoryview(self._buffer)[: self._index_at]).hexdigest() != self._rows_sha256:
            raise damaged_layer(self.path, "its content does not fit its digests")
        self.index.check()

    # --- look-ups -----------------------------------------------------------------------------------------------------

    def holds(self, kind: str, id: str) -> bool:
        """Whether it says anything of a record; by the hash alone, so once in 10^13 it says yes for nothing."""
        return bool(len(self.index.by_id(kind, id)))

    def get(self, kind: str, id: str, columns: tuple[str, ...] = COLUMNS) -> Row | Removed | None:
        """The record, or that it is gone; None if this layer does not say."""
        for number in self.index.by_id(kind, id):
            row, removed = self._row_at(int(number), columns)
            if (row.kind, row.id) == (kind, id):
                return REMOVED if removed else row
        return None

    def outline(self, kind: str, id: str) -> Row | Removed | None:
        """`get` without the record itself: a fraction of the reading."""
        return self.get(kind, id, OUTLINE)

    def find(self, kind: str, name: str, parent: str) -> Row | None:
        """The record of that name, or None."""
        for number in self.index.by_name(kind, parent, name):
            row, removed = self._row_at(int(number))
            if not removed and (row.kind, row.parent, row.name) == (kind, parent, name):
                return row
        return None

    def get_many(self, keys: Sequence[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], Row | Removed]]:
        """`get`, of many (kind, id) at once, as far as this layer says: each row group is decoded once."""
        import numpy as np
        import pyarrow as pa

        wanted = set(keys)
        hashes = np.fromiter((id_key(*key) for key in wanted), np.uint64, len(wanted))
        numbers = np.unique(self.index.matches(hashes).numbers)
        for place, group in enumerate(self.groups):
            begin, end = np.searchsorted(numbers, [group.first, group.first + group.rows])
            if begin < end:
                few = self.table(place).take(array(numbers[begin:end] - group.first, pa.int64()))
                for row, removed in all_rows(few):
                    if (row.kind, row.id) in wanted:
                        yield (row.kind, row.id), REMOVED if removed else row

    def outlines(self, kind: str, parent: str) -> Iterator[Row]:
        """`children` without the records themselves."""
        return self.children(kind, parent, OUTLINE)

    def children(self, kind: str, parent: str, columns: tuple[str, ...] = COLUMNS) -> Iterator[Row]:
        """All of one kind within one parent, without those that are gone."""
        for number, group in enumerate(self.groups):
            if group.kind == kind and group.lowest[0] <= parent <= group.highest[0]:
                import pyarrow as pa
                import pyarrow.compute as pc  # not for kinds that there are none of: each opening asks for one

                table = self._decoded_group(number, columns)
                within = pc.is_in(table["parent"], array([parent], pa.string()))
                yield from rows(table.filter(within), columns)

    def names(self, kind: str, parent: str) -> Iterator[tuple[str, str]]:
        """(id, name) of all of one kind within one parent, without those that are gone."""
        for number, group in enumerate(self.groups):
            if group.kind == kind and group.lowest[0] <= parent <= group.highest[0]:
                columns = ("parent", "id", "name", "removed")
                table = self._columns(number, columns)
                for of, id, name, removed in zip(*(table[column].to_pylist() for column in columns), strict=True):
                    if of == parent and not removed:
                        yield id, name

    def containing(self, kind: str, *texts: str) -> Iterator[Row]:
        """Those of one kind whose record (without metadata) contains all these texts, as JSON."""
        import pyarrow as pa
        import pyarrow.compute as pc

        for number, group in enumerate(self.groups):
            if group.kind == kind:
                records = plain(self._columns(number, ("record",)))["record"]
                found = array(range(group.rows), pa.int64())
                for text in texts:
                    found = found.filter(pc.match_substring(records.take(found), text).combine_chunks())
                if len(found):
                    yield from rows(self.table(number).take(found))

    def referring(self, kind: str, field: str) -> Iterator[tuple[Row, list[str]]]:
        """Outlines of those of one kind that have ids in a field, one or a list, each with these ids; not parsed."""
        place = re.compile(rf'"{field}":(?:"[0-9a-f]{{32}}"|\[[^]]*])')
        for number, group in enumerate(self.groups):
            if group.kind == kind:
                table = plain(self._columns(number, (*OUTLINE, "record")))
                table = table.filter(table["record"].is_valid())
                for row, text in zip(rows(table, OUTLINE), table["record"].to_pylist(), strict=True):
                    found = place.search(text)
                    if found and (ids := _ID.findall(found[0])):
                        yield row, ids

    def all(self, kind: str | None = None) -> Iterator[Row]:
        """All of them, or all of one kind, without those that are gone."""
        for number, group in enumerate(self.groups):
            if kind in (None, group.kind):
                yield from rows(self.table(number))

    def shadows(self, kind: str) -> frozenset[str]:
        """Ids of one kind that older layers may hold and must not show. Looked up once."""
        if kind not in self._shadows:
            self._shadows[kind] = frozenset(self._shadowed(kind))
        return self._shadows[kind]

    def _shadowed(self, kind: str) -> Iterator[str]:
        for number, group in enumerate(self.groups):
            if group.kind == kind:
                table = self._columns(number, ("id", "removed", "replaces"))
                columns = (table[name].to_pylist() for name in table.column_names)
                yield from (id for id, removed, replaces in zip(*columns, strict=True) if removed or replaces)

    def _row_at(self, number: int, columns: tuple[str, ...] = COLUMNS) -> tuple[Row, bool]:
        place = bisect(self.groups, number, key=lambda group: group.first) - 1
        one = self._decoded_group(place, columns).slice(number - self.groups[place].first, 1)
        return next(all_rows(one, columns))

    # --- columns ------------------------------------------------------------------------------------------------------

    def table(self, group: int) -> pa.Table:
        """The rows of one row group.

        Raises:
            DamagedLayerError: they are not what was written.
        """
        return self._decoded_group(group, COLUMNS)

    def _decoded_group(self, group: int, columns: tuple[str, ...]) -> pa.Table:
        with self._lock:
            kept = COLUMNS if group in self._decoded[COLUMNS] else columns
            decoded = self._decoded[kept]
            if group in decoded:
                decoded[group] = decoded.pop(group)  # the last one used
                return decoded[group][0]
        table = plain(self._columns(group, columns))
        if table.schema.types != [schema().field(column).type for column in columns]:
            raise damaged_layer(self.path, "a row group is not the one that was written")
        with self._lock:
            decoded[group] = table, table.nbytes
            while len(decoded) > 1 and sum(size for _, size in decoded.values()) > BYTES_KEPT[columns]:
                del decoded[next(iter(decoded))]
        return table

    def _columns(self, group: int, columns: Sequence[str]) -> pa.Table:
        import pyarrow as pa

        try:
            with self._lock:
                table = read_group(self._file, group, columns)
        except (pa.ArrowException, OSError, MemoryError, FormatError) as error:
            raise damaged_layer(self.path, error) from error
        if table.num_rows != self.groups[group].rows:
            raise damaged_layer(self.path, "a row group is not the one that was written")
        return table

    def check_file(self) -> bool:
        """Compare the file itself with its digests, for a reader that goes past us and looks at no checksums.

        What we hold in memory says nothing of it. It is read once, and again when it is another file or was written to
        since: bytes that a disk alters under the same time of change are not noticed.

        Returns:
            Whether it is still there.

        Raises:
            DamagedLayerError: it is not what was written, or cannot be read.
        """
        try:
            with self.native.open("rb") as file:
                status = os.fstat(file.fileno())
                signature = status.st_ino, status.st_size, status.st_mtime_ns
                if signature != self._checked:
                    self._check_content(file)
                    self._checked = signature
        except FileNotFoundError:
            return False
        except OSError as error:
            raise damaged_layer(self.path, error) from error
        return True

    def _check_content(self, file: BinaryIO) -> None:
        """Of rows and footer; nobody else looks into the index between them."""
        digest, left = sha256(), self._index_at
        while left and (chunk := file.read(min(left, CHUNK))):
            digest.update(chunk)
            left -= len(chunk)
        file.seek(-self._footer, os.SEEK_END)
        if digest.hexdigest() != self._rows_sha256 or footer_digest(file.read()) not in self.path:
            raise damaged_layer(self.path, "its content does not fit its digests")


def _content(native: Path) -> pa.Buffer:
    """The bytes of a file. Mapped only if they are many: a mapped file that a network share takes away kills us."""
    import pyarrow as pa

    if os.path.getsize(native) <= LARGEST_READ or is_on_network(str(native.parent)):
        return pa.py_buffer(native.read_bytes())
    with pa.memory_map(str(native)) as mapped:
        return mapped.read_buffer()


def footer_digest(footer: bytes | memoryview) -> str:
    """What a layer's name ends with: the digest of the last bytes of the file, from where the footer begins."""
    return sha256(footer).hexdigest()[:32]


def footer_statement(footer: bytes, signature: str) -> bytes:
    """What the signature of a layer signs: its footer, with the text `UNSIGNED` where the signature stands last."""
    before, _, after = footer.rpartition(signature.encode())
    return statement("snapshot", sha256(before + UNSIGNED.encode() + after).hexdigest())


def layer_commit(path: str) -> int | None:
    """The commit that a file in `snapshots/` shows, as its name says; None if it is no layer's name."""
    named = re.fullmatch(r"snapshots/(\d{20})-[0-9a-f]{32}\.parquet", path, re.ASCII)
    return int(named[1]) if named else None


_layers: weakref.WeakSet[Layer] = weakref.WeakSet()


def _after_fork() -> None:
    """A lock that another thread held at the fork would never be released in the child."""
    for layer in list(_layers):
        layer._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
