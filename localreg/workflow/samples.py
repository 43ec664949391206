"""Test samples by index: which are known, and where the new ones go.

Each distinct sample of a workflow has a dense integer, its `sample_idx`: the place of its row in the workflow's parts
of table `test_samples`, in order of commit. All other rows refer to samples by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from localreg.canonical import JsonObject, sha256_hex
from localreg.errors import IntegrityError, StorageError
from localreg.log import State
from localreg.query.quoting import literal
from localreg.query.typed_columns import grown
from localreg.records.files import FilePointer
from localreg.tables import EMPTY, JSON_FIELD, VECTORS, conform, part_file, read_part, unpacked, vector_digests
from localreg.workflow.typed import EXTRA, TypedColumn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from localreg.session import Session

    Indices = npt.NDArray[np.int64]

__all__ = [
    "DIGEST",
    "SAID",
    "LookUp",
    "absolute_indices",
    "as_rows",
    "case_indices",
    "conformed",
    "files_of",
    "look_up",
    "objects_at",
    "read_typed",
    "sample_count",
    "sample_rows",
    "samples_at",
    "vectors_beside",
]

PROBE = "{'t': 'localreg', 'i': 7, 'f': 1.5, 'b': true, 'n': NULL::VARCHAR, 'l': ['a', NULL], 's': [{'x': [1.5]}]}"
"""Hashed beside the samples: a DuckDB whose `hash` answers otherwise recomputes the keys instead of trusting them."""

DIGEST = "vectors_digest"
"""The column that stands for a sample's vectors, where samples are told apart."""

SAID = (JSON_FIELD, EXTRA)
"""The columns of JSON that are said of a sample, and are no part of what it is."""


def files_of(state: State, owner: str, table: str) -> list[FilePointer]:
    """The parts of one table that a record owns, in order of commit."""
    pointers = (FilePointer.from_json(row.fields) for row in state.children("file", owner))
    return [pointer for pointer in pointers if pointer.table == table]


def sample_count(state: State, workflow_id: str) -> int:
    """How many distinct samples a workflow has: the index that the next new one gets."""
    return sum(pointer.rows for pointer in files_of(state, workflow_id, "test_samples"))


def sample_rows(column: TypedColumn, samples: Sequence[object]) -> pa.Table:
    """Samples as the rows of a part, without their keys: `sample`, and `metadata` and `extra` (JSON text or null).

    Raises:
        InvalidInputError: a sample cannot be stored as it is.
    """
    import pyarrow as pa

    rows = column.table(samples, lambda number: f"test_samples[{number}], {samples[number]!r}")
    for name in SAID:
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
    if VECTORS not in rows.column_names:
        return rows.select(["sample", *SAID])
    rows = rows.append_column(DIGEST, vector_digests(rows[VECTORS]))
    return rows.select(["sample", *SAID, VECTORS, DIGEST])


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
    key: npt.NDArray[np.uint64]
    probe: str
    count: int

    def new(self, rows: Indices) -> Indices:
        """The rows, of some, that bring a new sample, each sample once, in order."""
        import numpy as np

        unknown = rows[self.known[rows] < 0]
        _, places = np.unique(self.first[unknown], return_index=True)
        return unknown[np.sort(places)]

    def indices(self, rows: Indices) -> Indices:
        """The `sample_idx` of some rows, where the n-th new sample among them gets `count + n`."""
        import numpy as np

        numbers = np.full(len(self.first), -1, np.int64)
        new = self.new(rows)
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
    """
    import duckdb
    import pyarrow as pa

    connection = duckdb.connect(":memory:")
    try:
        places = pa.array(range(rows.num_rows), pa.int64())
        names = ["sample", *({DIGEST} & {*rows.column_names})]
        connection.register("incoming", pa.table({"i": places, **{name: unpacked(rows[name]) for name in names}}))
        kind = connection.execute("SELECT column_type FROM (DESCRIBE incoming) WHERE column_name = 'sample'").fetchone()
        fields = list(rows["sample"].type) if pa.types.is_struct(rows["sample"].type) else []
        field = fields[0].name if fields else ""
        identity = _Identity(str(cast("tuple[str]", kind)[0]), field, DIGEST in names)
        probe = identity.probe(connection)
        known = _known_samples(session, state, workflow_id, identity, probe)
        found = connection.execute(
            f"""WITH given AS (SELECT i, {identity.of("sample", DIGEST)} AS sample FROM incoming),
            distinct_samples AS (
                SELECT min(i) AS first, sample, hash(sample) AS key FROM given GROUP BY sample
            )
            SELECT d.first, d.key, coalesce(known.idx, -1) AS idx
            FROM given incoming JOIN distinct_samples d ON d.sample IS NOT DISTINCT FROM incoming.sample
            LEFT JOIN ({known}) known ON known.key = d.key AND known.sample IS NOT DISTINCT FROM d.sample
            ORDER BY incoming.i"""
        ).to_arrow_table()
        known_idx, first, key = (found[name].to_numpy() for name in ("idx", "first", "key"))
        return LookUp(known_idx, first, key, probe, sample_count(state, workflow_id))
    except (duckdb.IOException, duckdb.InvalidInputException, duckdb.SerializationException) as error:
        reason = str(error).partition("\n")[0]
        raise IntegrityError(
            f"known test samples cannot be read ({reason}); restore the file from a copy", code="file_altered"
        ) from error
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        raise StorageError(f"test samples in {session.store.uri} cannot be looked up: {reason}") from error
    finally:
        connection.close()


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


def _known_samples(session: Session, state: State, workflow_id: str, identity: _Identity, probe: str) -> str:
    """SQL of `(idx, key, sample)` over all known samples."""
    pointers = files_of(state, workflow_id, "test_samples")
    if not pointers:
        return "SELECT NULL::BIGINT AS idx, NULL::UBIGINT AS key, NULL AS sample WHERE false"
    selects = []
    for pointer in pointers:
        file = literal(str(part_file(session.store, pointer)))
        sample = identity.of_part(pointer)
        key = "key" if pointer.details.get("hash_probe") == probe else f"hash({sample})"
        first = cast(int, pointer.details["first"])
        selects.append(
            f"SELECT {first} + file_row_number AS idx, {key} AS key, {sample} AS sample "
            f"FROM read_parquet({file}, file_row_number = true)"
        )
    return " UNION ALL ".join(selects)


def absolute_indices(indices: Indices, details: JsonObject) -> Indices:
    """Indices as stored in a part → indices in the workflow.

    A part that was staged when the workflow had `staged_first` samples counts the new ones of its own commit from
    there. When another commit was faster, they landed at `first` instead, and the part was not written again.
    """
    import numpy as np

    staged, first = cast(int, details["staged_first"]), cast(int, details["first"])
    return indices if staged == first else np.where(indices >= staged, indices + (first - staged), indices)


def samples_at(
    session: Session,
    state: State,
    workflow_id: str,
    column: TypedColumn,
    indices: Indices,
    *,
    vectors: bool | None = None,
) -> pa.Table:
    """The rows (`sample`, `metadata`, `extra`) of samples, in the order of `indices`, with what was said last.

    `indices` has each sample once. `vectors` come, too, if told so; None = if objects of the class hold any.
    """
    import numpy as np
    import pyarrow as pa

    vectors = column.has_vectors if vectors is None else vectors
    least, greatest = (int(indices.min()), int(indices.max())) if len(indices) else (0, -1)
    beside = vectors_beside(state, [workflow_id]) if vectors else {}
    tables: list[pa.Table] = []
    base = 0
    for pointer in files_of(state, workflow_id, "test_samples"):
        first = cast(int, pointer.details["first"])
        if first <= greatest and first + pointer.rows > least:
            base = base if tables else first
            part = read_typed(session, pointer, beside)
            tables.append(as_rows(part, "sample", column, vectors=vectors))
    if not tables:
        return as_rows(pa.table({"sample": pa.nulls(0, column.type)}), "sample", column, vectors=vectors)
    rows = pa.concat_tables(tables)
    places = indices - base
    if len(places) != rows.num_rows or not np.array_equal(places, np.arange(len(places))):
        rows = rows.take(pa.array(places))
    return _with_said(rows, said_since(session, state, workflow_id, indices))


def vectors_beside(state: State, owners: Iterable[str]) -> dict[str, FilePointer]:
    """The vectors that records own, by the path of the part that they stand beside."""
    return {str(each.details.get("beside")): each for owner in owners for each in files_of(state, owner, VECTORS)}


def read_typed(session: Session, pointer: FilePointer, beside: Mapping[str, FilePointer]) -> pa.Table:
    """The rows of a part, with their vectors if these are among `beside`."""
    import pyarrow as pa

    part = read_part(session.store, pointer)
    if pointer.path not in beside:
        return part
    rows = read_part(session.store, beside[pointer.path]).combine_chunks()
    return part.append_column(VECTORS, pa.chunked_array(rows.to_struct_array().chunks))


def as_rows(part: pa.Table, name: str, column: TypedColumn, *, vectors: bool = True) -> pa.Table:
    """The rows of a part under the schema now: the struct column, `metadata`, `extra`, and `vectors` if it has any."""
    import pyarrow as pa

    types = {name: column.type, **dict.fromkeys(SAID, pa.string())}
    if vectors and column.vectors is not None:
        types[VECTORS] = column.vectors
    return conformed(part, types)


def conformed(part: pa.Table, types: Mapping[str, pa.DataType]) -> pa.Table:
    """Columns of a part, brought to types; those that it lacks are null."""
    import pyarrow as pa

    columns: dict[str, Any] = {
        name: pa.chunked_array([conform(chunk, kind) for chunk in part[name].chunks], kind)
        if name in part.column_names
        else pa.nulls(part.num_rows, kind)
        for name, kind in types.items()
    }
    return pa.table(columns)


def said_since(session: Session, state: State, workflow_id: str, indices: Indices) -> dict[str, dict[int, str | None]]:
    """What was said of samples after they came, by column and place in `indices`; the last word counts."""
    import numpy as np

    said: dict[str, dict[int, str | None]] = {name: {} for name in SAID}
    pointers = files_of(state, workflow_id, "sample_metadata")
    if not pointers or not len(indices):
        return said
    places = np.full(int(indices.max()) + 1, -1, np.int64)
    places[indices] = np.arange(len(indices))
    for pointer in pointers:
        part = read_part(session.store, pointer)
        told = absolute_indices(part["sample_idx"].to_numpy(), pointer.details)
        rows = np.flatnonzero((told < len(places)) & (places[np.minimum(told, len(places) - 1)] >= 0))
        for name in SAID:
            texts = part[name].to_pylist()
            said[name].update({int(places[told[row]]): texts[row] for row in rows})
    return said


def _with_said(rows: pa.Table, said: dict[str, dict[int, str | None]]) -> pa.Table:
    import pyarrow as pa

    for name, texts in said.items():
        if texts:
            values = rows[name].to_pylist()
            for place, text in texts.items():
                values[place] = text
            rows = rows.set_column(rows.column_names.index(name), name, pa.array(values, pa.string()))
    return rows


def case_indices(session: Session, state: State, version_id: str) -> Indices:
    """The `sample_idx` of each sample (int64) of a test case version, in the order of adding."""
    return concatenated(
        absolute_indices(read_part(session.store, pointer, ["sample_idx"])["sample_idx"].to_numpy(), pointer.details)
        for pointer in files_of(state, version_id, "ground_truths")
    )


def concatenated(parts: Iterable[Indices]) -> Indices:
    """Indices one after the other."""
    import numpy as np

    arrays = list(parts)
    return np.concatenate(arrays) if arrays else np.empty(0, np.int64)


def objects_at(session: Session, state: State, workflow_id: str, column: TypedColumn, indices: Indices) -> list[Any]:
    """Test samples as objects, in the order of `indices`."""
    return column.objects(samples_at(session, state, workflow_id, column, indices)) if len(indices) else []
