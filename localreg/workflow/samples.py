"""Test samples by index: which are known, and where the new ones go.

Each distinct sample of a workflow has a dense integer, its `sample_idx`: the place of its row in the workflow's parts
of table `test_samples`, in order of commit. All other rows refer to samples by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from localreg.canonical import JsonObject
from localreg.log import State
from localreg.records.files import FilePointer
from localreg.tables import JSON_FIELD, VECTORS, conform, read_part, vector_digests
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
    "absolute_indices",
    "as_rows",
    "case_indices",
    "case_name",
    "complete_samples",
    "conformed",
    "files_of",
    "objects_at",
    "read_typed",
    "sample_count",
    "sample_rows",
    "samples_at",
    "staged_range",
    "vectors_beside",
]

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
    return complete_samples(column.table(samples, lambda number: f"test_samples[{number}], {samples[number]!r}"))


def complete_samples(rows: pa.Table) -> pa.Table:
    """Columns of samples with those that a table of them has besides: what is said, and what stands for vectors."""
    import pyarrow as pa

    for name in SAID:
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
    if VECTORS not in rows.column_names:
        return rows.select(["sample", *SAID])
    rows = rows.append_column(DIGEST, vector_digests(rows[VECTORS]))
    return rows.select(["sample", *SAID, VECTORS, DIGEST])


def absolute_indices(indices: Indices, details: JsonObject) -> Indices:
    """Indices as stored in a part → indices in the workflow.

    A part that was staged when the workflow had `staged_first` samples counts the new ones of its own commit from
    there. When another commit was faster, they landed at `first` instead, and the part was not written again.
    """
    import numpy as np

    staged, first = cast(int, details["staged_first"]), cast(int, details["first"])
    return indices if staged == first else np.where(indices >= staged, indices + (first - staged), indices)


def staged_range(wanted: range, details: JsonObject) -> range:
    """Where samples of the workflow may stand among the indices of a part as they are stored."""
    staged, first = cast(int, details["staged_first"]), cast(int, details["first"])
    return range(min(wanted.start, wanted.start - (first - staged)), wanted.stop)


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


def case_name(state: State, version_id: str) -> str | None:
    """The name of the test case that a version is of; None if it is not there any more."""
    version = state.get("test_case_version", version_id)
    case = None if version is None else state.get("test_case", version.parent)
    return None if case is None else case.name


def concatenated(parts: Iterable[Indices]) -> Indices:
    """Indices one after the other."""
    import numpy as np

    arrays = list(parts)
    return np.concatenate(arrays) if arrays else np.empty(0, np.int64)


def objects_at(session: Session, state: State, workflow_id: str, column: TypedColumn, indices: Indices) -> list[Any]:
    """Test samples as objects, in the order of `indices`."""
    return column.objects(samples_at(session, state, workflow_id, column, indices)) if len(indices) else []
