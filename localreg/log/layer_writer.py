"""Snapshot files, as they are written: from rows, or by merging layers row group by row group.

Merging holds one row group of the largest layer in memory at a time, and all of the others, which are an eighth of it
at most. Nothing is parsed: a record's text goes from file to file as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from io import BytesIO
from itertools import groupby
from typing import TYPE_CHECKING

from localreg.arrow import array, numbers
from localreg.canonical import JsonObject, JsonValue, canonical
from localreg.log.layer import LAYOUT, Group, Layer, footer_statement
from localreg.log.layer_index import Matches, id_key, index_bytes, name_key
from localreg.log.layer_rows import COLUMNS, JSON_COLUMNS, as_json, rows_table
from localreg.log.row import Row
from localreg.log.signing import UNSIGNED, SigningKey, signature_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


__all__ = ["changes_table", "merged_bytes"]

GROUP = 2_048
"""Rows of a row group at least, but for the last one of a kind; it never has twice as many. To look one row up is to
decode its group: with 8,192 that takes three times as long, and with 1,024 a query begins to."""

UNIQUE = ("name", "id", *JSON_COLUMNS)
"""Columns whose values hardly repeat: a dictionary would only cost."""

KEYS = ("id_key", "name_key")
"""Columns that rows carry with them on the way into a file, where they become its index."""


def changes_table(changes: Iterable[tuple[tuple[str, str], Row | None]]) -> pa.Table:
    """What an overlay says, with keys: rows that were put, and those of records that are gone."""
    import numpy as np
    import pyarrow as pa

    put = [row if row is not None else _gone(kind, id) for (kind, id), row in changes]
    gone = array([row.created == (0, 0) for row in put], pa.bool_())
    table = rows_table(put)
    table = table.set_column(COLUMNS.index("removed"), "removed", gone)
    ids = np.array([id_key(row.kind, row.id) for row in put], np.uint64)
    names = np.array([name_key(row.kind, row.parent, row.name) for row in put], np.uint64)
    return _with_keys(table, ids, names)


def _gone(kind: str, id: str) -> Row:
    return Row(kind, "", "", id, None, (0, 0), "", "", (0, 0), "", "")


def merged_bytes(
    layers: Sequence[Layer],
    changes: pa.Table,
    below: Sequence[Layer],
    meta: JsonObject,
    key: SigningKey | None = None,
) -> bytes:
    """The file of a layer that holds what `layers` and, over them, `changes` say.

    Args:
        layers: to be merged, oldest first; perhaps none.
        changes: what came after them, from `changes_table`.
        below: the layers that the new one will lie upon, oldest first.
        meta: for the footer: `commit`, `digest`, `time`, `origin`, `under`, `replaced`.
        key: to sign the footer with, and so all that it holds digests of.

    Raises:
        DamagedLayerError: a layer is not what was written.
    """
    writer = _LayerWriter()
    upper = _newest([_all_of(layer) for layer in layers[1:]], changes)
    for kind, table in _merged(layers[0] if layers else None, upper):
        table = _relative_to(table, below)
        if table.num_rows:
            writer.add(kind, table)
    if key is None:
        return writer.finish(meta)
    return _signed(writer.finish({**meta, "signature": UNSIGNED}), key)


def _signed(data: bytes, key: SigningKey) -> bytes:
    """The same file with a signature in its footer, which is as long as what stands in its place."""
    begin = len(data) - int.from_bytes(data[-8:-4], "little") - 8
    footer = data[begin:]
    signature = signature_of(key, footer_statement(footer, UNSIGNED))
    before, _, after = footer.rpartition(UNSIGNED.encode())
    return data[:begin] + before + signature.encode() + after


def _with_keys(table: pa.Table, ids: npt.NDArray[np.uint64], names: npt.NDArray[np.uint64]) -> pa.Table:
    import pyarrow as pa

    for column, keys in zip(KEYS, (ids, names), strict=True):
        table = table.append_column(column, array(keys, pa.uint64()))
    return table


def _all_of(layer: Layer) -> pa.Table:
    """A whole layer, with keys."""
    import pyarrow as pa

    tables = [layer.table(number) for number in range(len(layer.groups))]
    return _with_keys(pa.concat_tables(tables or [rows_table([])]), *layer.index.keys())


def _newest(older: Sequence[pa.Table], changes: pa.Table) -> pa.Table:
    """One row for each record: what was said of it last; sorted."""
    import pyarrow as pa

    table = pa.concat_tables([changes, *reversed(older)])
    if older:
        first: dict[tuple[str, str], int] = {}
        for number, key in enumerate(zip(table["kind"].to_pylist(), table["id"].to_pylist(), strict=True)):
            first.setdefault(key, number)
        table = table.take(array([*first.values()], pa.int64()))
    return _sorted(table)


def _sorted(table: pa.Table) -> pa.Table:
    # Strings sort by their bytes, which is the order of code points.
    return table.sort_by([("kind", "ascending"), ("parent", "ascending"), ("name", "ascending")]).combine_chunks()


def _merged(target: Layer | None, upper: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """The rows of a layer with those of `upper` in their places, as (kind, table), sorted."""
    import pyarrow as pa

    keys = list(zip(*(upper[column].to_pylist() for column in ("kind", "parent", "name")), strict=True))
    position = 0
    if target is not None:
        matches = target.index.matches(numbers(upper["id_key"]))
        ids, names = target.index.keys()
        for number, group in enumerate(target.groups):
            begin = position
            while position < len(keys) and keys[position] <= (group.kind, *group.highest):
                position += 1
            span = slice(group.first, group.first + group.rows)
            table = _without(_with_keys(target.table(number), ids[span], names[span]), group, matches, upper)
            for kind, few in _by_kind(upper, keys, begin, position):
                if kind != group.kind:
                    yield kind, few
                else:
                    table = _sorted(pa.concat_tables([table, few]))
            yield group.kind, table
    yield from _by_kind(upper, keys, position, len(keys))


def _by_kind(
    table: pa.Table, keys: Sequence[tuple[str, str, str]], begin: int, end: int
) -> Iterator[tuple[str, pa.Table]]:
    for kind, run in groupby(range(begin, end), key=lambda number: keys[number][0]):
        numbers = list(run)
        yield kind, table.slice(numbers[0], len(numbers))


def _without(table: pa.Table, group: Group, matches: Matches, upper: pa.Table) -> pa.Table:
    """A row group without what `upper` says anew: the hashes gave the candidates, the rows themselves decide."""
    import numpy as np
    import pyarrow as pa

    begin, end = np.searchsorted(matches.numbers, [group.first, group.first + group.rows])
    if begin == end:
        return table
    rows = matches.numbers[begin:end] - group.first
    said = upper.select(["kind", "id"]).take(array(matches.places[begin:end], pa.int64()))
    ids = table["id"].take(array(rows, pa.int64()))
    same = [
        (kind, new) == (group.kind, old)
        for kind, new, old in zip(*(column.to_pylist() for column in (said["kind"], said["id"], ids)), strict=True)
    ]
    stays = np.ones(table.num_rows, np.bool_)
    stays[rows[same]] = False
    return table.filter(array(stays, pa.bool_()))


def _relative_to(table: pa.Table, below: Sequence[Layer]) -> pa.Table:
    """The rows with `replaces` as it is above the layers `below`; those that are gone only if these may hold them."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    replaces = np.zeros(table.num_rows, np.bool_)
    keys = numbers(table["id_key"])
    for layer in below:
        replaces |= layer.index.holding(keys)
    column = array(replaces, pa.bool_())
    table = table.set_column(table.column_names.index("replaces"), "replaces", column)
    return table.filter(pc.or_(pc.invert(table["removed"]), column))


class _LayerWriter:
    """A file in the making, in memory."""

    def __init__(self) -> None:
        import pyarrow.parquet as pq

        self._sink = BytesIO()
        self._parquet = pq.ParquetWriter(
            self._sink,
            as_json(rows_table([])).schema,
            compression="zstd",
            use_dictionary=[column for column in COLUMNS if column not in UNIQUE],
            write_page_checksum=True,
            write_statistics=list(COLUMNS[:4]),
        )
        self._groups: list[JsonValue] = []
        self._rows = 0
        self._keys: tuple[list[npt.NDArray[np.uint64]], list[npt.NDArray[np.uint64]]] = ([], [])
        self._kind = ""
        self._waiting: list[pa.Table] = []

    def add(self, kind: str, table: pa.Table) -> None:
        """The next rows, in order, all of one kind."""
        import pyarrow as pa

        if kind != self._kind:
            self._flush()
            self._kind = kind
        self._waiting.append(table)
        if sum(each.num_rows for each in self._waiting) < 2 * GROUP:
            return
        table = pa.concat_tables(self._waiting)
        whole = table.num_rows // GROUP - 1
        for number in range(whole):
            self._write(table.slice(number * GROUP, GROUP))
        self._waiting = [table.slice(whole * GROUP)]

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            self._write(pa.concat_tables(self._waiting))
            self._waiting = []

    def _write(self, table: pa.Table) -> None:
        low, high = (table.slice(number, 1).to_pylist()[0] for number in (0, table.num_rows - 1))
        bounds: list[JsonValue] = [[row["parent"], row["name"]] for row in (low, high)]
        self._groups.append([self._kind, self._rows, table.num_rows, *bounds])
        self._rows += table.num_rows
        for keys, column in zip(self._keys, KEYS, strict=True):
            keys.append(numbers(table[column]))
        self._parquet.write_table(as_json(table.select(COLUMNS)), row_group_size=table.num_rows)

    def finish(self, meta: JsonObject) -> bytes:
        """The whole file."""
        import numpy as np

        self._flush()
        self._sink.write(b"\0" * (-self._sink.tell() % 8))  # an index at odd addresses could not be mapped
        begin = self._sink.tell()
        with self._sink.getbuffer() as written:
            rows_sha256 = sha256(written).hexdigest()
        index = index_bytes(*(np.concatenate(keys) if keys else np.empty(0, np.uint64) for keys in self._keys))
        self._sink.write(index)
        whole: JsonObject = {
            **meta,
            "layout": LAYOUT,
            "rows": self._rows,
            "groups": self._groups,
            "index": begin,
            "index_sha256": sha256(index).hexdigest(),
            "rows_sha256": rows_sha256,
        }
        self._parquet.add_key_value_metadata({"localreg": canonical(whole)})
        self._parquet.close()
        return self._sink.getvalue()
