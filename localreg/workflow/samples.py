"""Test samples by index: which are known, and where the new ones go.

Each distinct sample of a workflow has a dense integer, its `sample_idx`: the place of its row in the workflow's parts
of table `test_samples`, in order of commit. All other rows refer to samples by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from localreg.canonical import JsonObject, canonical, checked_object, parse
from localreg.errors import IntegrityError, StorageError
from localreg.log import State
from localreg.query.quoting import literal
from localreg.records.files import FilePointer
from localreg.tables import objects_of, part_file, read_part, struct_column
from localreg.workflow.labels import refuse_bad_labels
from localreg.workflow.test_sample import TestSample
from localreg.workflow.workflow import Workflow

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from localreg.session import Session

__all__ = [
    "absolute_indices",
    "case_indices",
    "files_of",
    "objects_at",
    "sample_count",
    "sample_rows",
    "samples_at",
    "split_known",
]

PROBE = "{'t': 'localreg', 'i': 7, 'f': 1.5, 'b': true, 'n': NULL::VARCHAR, 'l': ['a', NULL], 's': [{'x': [1.5]}]}"
"""Hashed beside the samples: a DuckDB whose `hash` answers otherwise recomputes the keys instead of trusting them.

It holds every type that a sample may have.
"""


def files_of(state: State, owner: str, table: str) -> list[FilePointer]:
    """The parts of one table that a record owns, in order of commit."""
    pointers = (FilePointer.from_json(row.fields) for row in state.children("file", owner))
    return [pointer for pointer in pointers if pointer.table == table]


def sample_count(state: State, workflow_id: str) -> int:
    """How many distinct samples a workflow has: the index that the next new one gets."""
    return sum(pointer.rows for pointer in files_of(state, workflow_id, "test_samples"))


def sample_rows(workflow: Workflow, samples: Sequence[object]) -> pa.Table:
    """Samples as the rows of a part, without their keys: `sample`, `metadata` (JSON text)."""
    import pyarrow as pa

    def named(number: int) -> str:
        return f"test_samples[{number}], {samples[number]!r}"

    column = struct_column(samples, workflow.test_sample, what=workflow.test_sample_type.__name__, named=named)
    refuse_bad_labels(column, workflow.test_sample_type, named=named)
    metadata: list[str | None] = [None] * len(samples)
    if workflow.has_metadata:
        for number, sample in enumerate(samples):
            given = getattr(sample, "metadata", None)
            if given:
                metadata[number] = canonical(checked_object(given, what=f"metadata of {named(number)}"))
    return pa.table({"sample": column, "metadata": pa.array(metadata, pa.string())})


def split_known(
    session: Session, state: State, workflow_id: str, rows: pa.Table
) -> tuple[np.ndarray, pa.Table, JsonObject]:
    """Look samples up among the known ones.

    Args:
        session: whose store holds the parts.
        state: what is known.
        workflow_id: the workflow.
        rows: as `sample_rows` makes them; may hold one sample several times.

    Returns:
        The index of each row (int64), where the n-th new sample gets `sample_count + n`; the new samples once each,
        with their `key`; and what the part of them must say about its keys.
    """
    import duckdb
    import pyarrow as pa

    connection = duckdb.connect(":memory:")
    try:
        known = _known_samples(connection, session, state, workflow_id)
        connection.register(
            "incoming", pa.table({"i": pa.array(range(rows.num_rows), pa.int64()), "sample": rows["sample"]})
        )
        connection.execute(
            f"""CREATE TABLE distinct_samples AS
            SELECT d.i, d.key, known.idx
            FROM (SELECT min(i) AS i, sample, hash(sample) AS key FROM incoming GROUP BY sample) d
            LEFT JOIN ({known}) known ON known.key = d.key AND known.sample IS NOT DISTINCT FROM d.sample"""
        )
        first = sample_count(state, workflow_id)
        new = connection.execute("SELECT i, key FROM distinct_samples WHERE idx IS NULL ORDER BY i").to_arrow_table()
        indices = connection.execute(
            """SELECT coalesce(s.idx, ? + s.place) AS idx FROM incoming JOIN (
                SELECT sample, idx, row_number() OVER (PARTITION BY idx IS NULL ORDER BY i) - 1 AS place
                FROM distinct_samples JOIN incoming USING (i)
            ) s ON s.sample IS NOT DISTINCT FROM incoming.sample ORDER BY incoming.i""",
            [first],
        ).to_arrow_table()
        made = rows.take(new["i"]).append_column("key", new["key"])
        return indices["idx"].to_numpy(), made, {"hash_probe": _probe(connection)}
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


def _known_samples(connection: Any, session: Session, state: State, workflow_id: str) -> str:
    """SQL of `(idx, key, sample)` over all known samples."""
    pointers = files_of(state, workflow_id, "test_samples")
    if not pointers:
        return "SELECT NULL::BIGINT AS idx, NULL::UBIGINT AS key, NULL AS sample WHERE false"
    probe = _probe(connection)
    selects = []
    for pointer in pointers:
        file = literal(str(part_file(session.store, pointer)))
        key = "key" if pointer.details.get("hash_probe") == probe else "hash(sample)"
        first = cast(int, pointer.details["first"])
        selects.append(
            f"SELECT {first} + file_row_number AS idx, {key} AS key, sample "
            f"FROM read_parquet({file}, file_row_number = true)"
        )
    return " UNION ALL ".join(selects)


def _probe(connection: Any) -> str:
    return str(connection.execute(f"SELECT hash({PROBE})").fetchone()[0])


def absolute_indices(indices: np.ndarray, details: JsonObject) -> np.ndarray:
    """Indices as stored in a part → indices in the workflow.

    A part that was staged when the workflow had `staged_first` samples counts the new ones of its own commit from
    there. When another commit was faster, they landed at `first` instead, and the part was not written again.
    """
    import numpy as np

    staged, first = cast(int, details["staged_first"]), cast(int, details["first"])
    return indices if staged == first else np.where(indices >= staged, indices + (first - staged), indices)


def samples_at(session: Session, state: State, workflow_id: str, indices: np.ndarray) -> pa.Table:
    """The rows (`sample`, `metadata`) of samples, in the order of `indices`."""
    import pyarrow as pa

    pointers = files_of(state, workflow_id, "test_samples")
    tables = [read_part(session.store, pointer, ["sample", "metadata"]) for pointer in pointers]
    return pa.concat_tables(tables).take(pa.array(indices))


def case_indices(session: Session, state: State, version_id: str) -> np.ndarray:
    """The `sample_idx` of each sample (int64) of a test case version, in the order of adding."""
    import numpy as np

    parts = [
        absolute_indices(read_part(session.store, pointer, ["sample_idx"])["sample_idx"].to_numpy(), pointer.details)
        for pointer in files_of(state, version_id, "ground_truths")
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def objects_at(
    session: Session, state: State, workflow: Workflow, workflow_id: str, indices: np.ndarray
) -> list[TestSample]:
    """Test samples as objects, in the order of `indices`."""
    if not len(indices):
        return []
    rows = samples_at(session, state, workflow_id, indices)
    extra: dict[str, list[object]] = {}
    if workflow.has_metadata:
        extra["metadata"] = [{} if text is None else parse(text) for text in rows["metadata"].to_pylist()]
    return objects_of(rows["sample"], workflow.test_sample, workflow.test_sample_type, **extra)
