"""Test samples, looked up among the known ones: at any size, and without a hash being trusted.

A sample is what its fields say, without `metadata` and what is beyond its fields. Each known one has its hash beside it
(`key`), so that ten million are searched by a pass over eight bytes each; those whose hash is asked for are read, and
compared field by field.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from localreg.canonical import sha256_hex
from localreg.errors import IntegrityError, StorageError
from localreg.hashing import HashIndex
from localreg.log import State
from localreg.query.quoting import literal
from localreg.query.shared import scratch
from localreg.query.typed_columns import grown
from localreg.records.files import FilePointer
from localreg.tables import EMPTY, part_file, read_part, unpacked
from localreg.workflow.samples import DIGEST, files_of, sample_count

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from localreg.session import Session

    Indices = npt.NDArray[np.int64]
    Hashes = npt.NDArray[np.uint64]

__all__ = ["LookUp", "look_up"]

PROBE = "{'t': 'localreg', 'i': 7, 'f': 1.5, 'b': true, 'n': NULL::VARCHAR, 'l': ['a', NULL], 's': [{'x': [1.5]}]}"
"""Hashed beside the samples: a DuckDB whose `hash` answers otherwise recomputes the keys instead of trusting them."""


HASH = "hash({})"
"""What a key is of a sample, in SQL."""


@dataclass(frozen=True)
class LookUp:
    """Samples, looked up among the known ones.

    Attributes:
        known: `sample_idx` of each row, int64; -1 = not known yet.
        first: the first row that holds the same sample, int64.
        key: hash of each, uint64.
        probe: says how the keys were computed.
        count: how many samples there were.
    """

    known: Indices
    first: Indices
    key: Hashes
    probe: str
    count: int

    def new(self, rows: Indices) -> Indices:
        """The rows, of some, that bring a new sample, each sample once, in order."""
        import numpy as np

        unknown = rows[self.known[rows] < 0]
        if (self.first[unknown] == unknown).all() and (np.diff(unknown) > 0).all():
            return unknown
        _, places = np.unique(self.first[unknown], return_index=True)
        return unknown[np.sort(places)]

    def indices(self, rows: Indices) -> Indices:
        """The `sample_idx` of some rows, where the n-th new sample among them gets `count + n`."""
        import numpy as np

        new = self.new(rows)
        if len(new) == len(rows):
            return self.count + np.arange(len(rows))
        numbers = np.full(len(self.first), -1, np.int64)
        numbers[self.first[new]] = self.count + np.arange(len(new))
        known = self.known[rows]
        return np.where(known >= 0, known, numbers[self.first[rows]])


def look_up(session: Session, state: State, workflow_id: str, rows: pa.Table) -> LookUp:
    """Look samples up among the known ones.

    Args:
        session: whose store holds the parts.
        state: what is known.
        workflow_id: the workflow.
        rows: as `sample_rows` makes them; may hold one sample several times.

    Raises:
        IntegrityError: known samples cannot be read.
    """
    import numpy as np

    with _told(session), scratch() as connection:
        incoming = _Incoming(connection, rows)
        known = np.full(rows.num_rows, -1, np.int64)
        if rows.num_rows:
            distinct = np.flatnonzero(incoming.first == np.arange(rows.num_rows))
            search = _Search(session, incoming, distinct)
            for pointer in files_of(state, workflow_id, "test_samples"):
                found, places = search.among(pointer)
                known[found] = cast(int, pointer.details["first"]) + places
            known = known[incoming.first]
        return LookUp(known, incoming.first, incoming.key, incoming.probe, sample_count(state, workflow_id))


@contextmanager
def _told(session: Session) -> Iterator[None]:
    import duckdb

    try:
        yield
    except (duckdb.IOException, duckdb.InvalidInputException, duckdb.SerializationException) as error:
        reason = str(error).partition("\n")[0]
        raise IntegrityError(
            f"known test samples cannot be read ({reason}); restore the file from a copy", code="file_altered"
        ) from error
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        raise StorageError(f"test samples in {session.store.uri} cannot be looked up: {reason}") from error


class _Incoming:
    """The samples that are looked up.

    Attributes:
        connection: where they are the relation `incoming`, with `i`, their place.
        identity: what they are told apart by.
        key: hash of each.
        first: the first row that holds the same sample.
        probe: what the keys hang on.
    """

    def __init__(self, connection: DuckDBPyConnection, rows: pa.Table) -> None:
        import numpy as np
        import pyarrow as pa

        self.connection = connection
        names = ["sample", *({DIGEST} & {*rows.column_names})]
        columns = {name: unpacked(rows[name]) for name in names}
        self.rows = pa.table({"i": pa.array(np.arange(rows.num_rows)), **columns})
        connection.register("incoming", self.rows)
        described = "SELECT column_type FROM (DESCRIBE incoming) WHERE column_name = 'sample'"
        kind = cast("tuple[str]", connection.execute(described).fetchone())[0]
        fields = list(rows["sample"].type) if pa.types.is_struct(rows["sample"].type) else []
        self.identity = _Identity(kind, fields[0].name if fields else "", DIGEST in names)
        self.probe = self.identity.probe(connection)
        self.key = self.column(f"SELECT {HASH.format(self.identity.of('sample', DIGEST))} AS key FROM incoming")
        self.first = self._first()

    def column(self, query: str) -> Any:
        """The only column of a query, as numpy has it."""
        return self.connection.execute(query).to_arrow_table().column(0).to_numpy()

    def _first(self) -> Indices:
        """The first row of the same sample: only rows of one hash are compared."""
        import numpy as np
        import pyarrow as pa

        first = np.arange(len(self.key))
        ordered = np.sort(self.key)
        shared = ordered[1:][ordered[1:] == ordered[:-1]]
        if not len(shared):
            return first
        rows = np.flatnonzero(np.isin(self.key, shared))
        self.connection.register("alike", self.rows.take(pa.array(rows)))
        identity = self.identity.of("sample", DIGEST)
        first[rows] = self.column(f"SELECT min(i) OVER (PARTITION BY {identity}) AS first FROM alike ORDER BY i")
        return first


class _Search:
    """The distinct incoming samples, searched in one part after the other."""

    def __init__(self, session: Session, incoming: _Incoming, distinct: Indices) -> None:
        self._session = session
        self._incoming = incoming
        self._distinct = distinct
        self._own = incoming.key[distinct]
        self._bits = max(12, len(distinct).bit_length() + 4)

    @cached_property
    def _index(self) -> HashIndex:
        return HashIndex(self._own)

    @cached_property
    def _there(self) -> npt.NDArray[np.bool_]:
        """By the first bits of a hash, whether any incoming sample has one of these: most known ones have not."""
        import numpy as np

        there = np.zeros(1 << self._bits, bool)
        there[self._own >> np.uint64(64 - self._bits)] = True
        return there

    def among(self, pointer: FilePointer) -> tuple[Indices, Indices]:
        """The incoming rows that a part holds, and their rows there."""
        import numpy as np

        keys = self._keys(pointer)
        shift = np.uint64(64 - self._bits)
        maybe = np.concatenate(
            [
                begin + np.flatnonzero(self._there[keys[begin : begin + CHUNK] >> shift])
                for begin in range(0, len(keys), CHUNK)
            ]
        )
        found = self._index.find(keys[maybe])
        places, rows = maybe[found >= 0], self._distinct[found[found >= 0]]
        places, rows = self._with_collisions(keys, places, rows)
        same = self._same(pointer, places, rows)
        return rows[same], places[same]

    def _with_collisions(self, keys: Hashes, places: Indices, rows: Indices) -> tuple[Indices, Indices]:
        """With the pairs of incoming samples whose hash another one has, too, by chance."""
        import numpy as np

        for double in self._distinct[self._index.doubles].tolist():
            own = places[keys[places] == self._incoming.key[double]]
            places = np.concatenate([places, own])
            rows = np.concatenate([rows, np.full(len(own), double)])
        return places, rows

    def _keys(self, pointer: FilePointer) -> Hashes:
        """The hash of each sample of a part: as it stands there, if this DuckDB hashes so, and no field came since."""
        if pointer.details.get("hash_probe") == self._incoming.probe:
            return cast("Hashes", read_part(self._session.store, pointer, ["key"])["key"].to_numpy())
        file = literal(str(part_file(self._session.store, pointer)))
        key = HASH.format(self._incoming.identity.of_part(pointer))
        return cast("Hashes", self._incoming.column(f"SELECT {key} AS key FROM read_parquet({file})"))

    def _same(self, pointer: FilePointer, places: Indices, rows: Indices) -> npt.NDArray[np.bool_]:
        """Whether samples of a part are those of incoming rows."""
        import numpy as np
        import pyarrow as pa

        if not len(places):
            return np.empty(0, bool)
        connection, identity = self._incoming.connection, self._incoming.identity
        pairs = {"pair": np.arange(len(places)), "place": places, "i": rows}
        connection.register("pairs", pa.table(pairs))
        file = literal(str(part_file(self._session.store, pointer)))
        least, greatest = int(places.min()), int(places.max())
        found = connection.execute(
            f"""SELECT pairs.pair FROM pairs
            JOIN (SELECT file_row_number AS place, {identity.of_part(pointer)} AS sample
                FROM read_parquet({file}, file_row_number = true)
                WHERE file_row_number BETWEEN {least} AND {greatest}) known USING (place)
            JOIN (SELECT i, {identity.of("sample", DIGEST)} AS sample FROM incoming) given USING (i)
            WHERE known.sample IS NOT DISTINCT FROM given.sample"""
        ).to_arrow_table()
        same = np.zeros(len(places), bool)
        same[found["pair"].to_numpy()] = True
        return same


CHUNK = 2**20
"""Hashes that are looked at at once, so that what comes of them stays near the processor."""


@dataclass(frozen=True)
class _Identity:
    """What samples are told apart by.

    Attributes:
        kind: the DuckDB type of column `sample`.
        field: any field of it, "" if it has none.
        has_vectors: whether they have vectors, which a digest stands for.
    """

    kind: str
    field: str
    has_vectors: bool

    def of(self, sample: str, digest: str) -> str:
        """The SQL of it."""
        return f"{{'sample': {sample}, 'vectors': {digest}}}" if self.has_vectors else sample

    def probe(self, connection: Any) -> str:
        """What a key hangs on: how this DuckDB hashes, and the fields that there are."""
        kind = f"{self.kind}, vectors" if self.has_vectors else self.kind
        return f"{connection.execute(f'SELECT hash({PROBE})').fetchone()[0]}-{sha256_hex(kind.encode())[:16]}"

    def of_part(self, pointer: FilePointer) -> str:
        """The SQL of it over the rows of a part, which may be older than some fields."""
        sample = f"CAST(sample AS {self.kind})"
        if pointer.details.get(EMPTY) and self.kind != "BOOLEAN":
            sample = grown("sample", self.kind, self.field)
        columns = cast("list[str]", pointer.details.get("columns", []))
        return self.of(sample, DIGEST if DIGEST in columns else "NULL::BLOB")
