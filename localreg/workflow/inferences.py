"""Inferences by sample: which there are, and where their rows stand.

The inferences of a model version stand in the parts of its test runs, and in its own: those that were recorded for no
test suite. Read in order of commit, a newer row for a sample takes the place of an older one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from localreg.canonical import JsonObject, canonical, sha256_hex
from localreg.log import State
from localreg.records.files import FilePointer
from localreg.tables import VECTORS, read_part, write_rows
from localreg.workflow.gathering import Gathered, Stretch
from localreg.workflow.local_files import FILES, files_type
from localreg.workflow.samples import SAID, absolute_indices, conformed, read_typed, vectors_beside
from localreg.workflow.typed import TypedColumn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from localreg.session import Session

    Indices = npt.NDArray[np.int64]

__all__ = [
    "ERROR",
    "MISSING",
    "OK",
    "SKIPPED",
    "STATUSES",
    "Inferences",
    "by_sample",
    "inference_pointers",
    "inference_rows",
    "keeps_files",
    "write_inferences",
]

MISSING, OK, SKIPPED, ERROR = -1, 0, 1, 2
STATUSES = ("ok", "skipped", "error")
"""How a row says what became of its sample: inferred; `infer` returned None; `infer` raised."""

ROWS_OF_A_PART = 1_000_000


def error_type() -> pa.DataType:
    """The Arrow type of what is kept of an exception."""
    import pyarrow as pa

    return pa.struct([(name, pa.string()) for name in ("type", "message", "traceback")])


FEW = 1_000
"""Rows, for which row groups are read instead of whole parts."""


class Inferences:
    """All inferences of one model version as of one state, by `sample_idx`.

    Attributes:
        place: for each sample its row among all rows of all parts, int64; -1 = no row.
        status: for each sample `MISSING`, `OK`, `SKIPPED` or `ERROR`, int8.
        pointers: the parts, in order of commit.
    """

    def __init__(self, session: Session, state: State, version_id: str, samples: int) -> None:
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        self._session = session
        self._state = state
        self._read: tuple[dict[str, pa.DataType], bool, Gathered] | None = None
        self.pointers = inference_pointers(state, version_id)
        self.place: Indices = np.full(samples, -1, np.int64)
        self.status: npt.NDArray[np.int8] = np.full(samples, MISSING, np.int8)
        begin = 0
        for pointer in self.pointers:
            part = read_part(session.store, pointer, ["sample_idx", "status"])
            indices = absolute_indices(part["sample_idx"].to_numpy(), pointer.details)
            self.place[indices] = np.arange(begin, begin + len(indices))
            self.status[indices] = pc.index_in(part["status"], pa.array(STATUSES)).to_numpy()
            begin += len(indices)

    @property
    def paths(self) -> list[str]:
        """The files of the parts, in order of commit."""
        return [pointer.path for pointer in self.pointers]

    def digest(self, indices: Indices) -> str:
        """Of the rows that stand for samples: equal as long as their inferences are the same."""
        import numpy as np

        begins = np.cumsum([0, *(pointer.rows for pointer in self.pointers)])
        places = self.place[indices]
        part = np.searchsorted(begins, places, side="right") - 1  # -1 = no row
        used, number = np.unique(part, return_inverse=True)
        files = [self.pointers[each].sha256 if each >= 0 else "" for each in used.tolist()]
        row = np.where(part >= 0, places - begins[part], -1)
        return sha256_hex(canonical(files).encode() + number.astype("<i8").tobytes() + row.astype("<i8").tobytes())

    def rows(self, column: TypedColumn, indices: Indices) -> pa.Table:
        """`inference`, `metadata`, `extra`, `error` for samples, in that order; null where there is none."""
        import numpy as np
        import pyarrow as pa

        places = self.place[indices]
        if not column.has_vectors:
            return self._gathered(column, whole=len(places) > FEW).rows(places)
        columns = self._with_vectors(column)
        if columns.num_rows == len(places) and np.array_equal(places, np.arange(len(places))):
            return columns
        return columns.take(pa.array(places, mask=np.asarray(places < 0)))

    def _gathered(self, column: TypedColumn, *, whole: bool) -> Gathered:
        """All rows under the schema now, read as they are asked for: row groups, or whole parts."""
        types = _types(column)
        if self._read is None or self._read[:2] != (types, whole):
            stretches = [Stretch(pointer, pointer.rows) for pointer in self.pointers]
            self._read = types, whole, Gathered(self._session.store, stretches, types, whole=whole)
        return self._read[2]

    def files(self, indices: Indices) -> pa.ChunkedArray:
        """The local files of samples as they were when these were inferred; null where nobody looked."""
        import numpy as np
        import pyarrow as pa

        kind = files_type()
        empty = pa.table({FILES: pa.nulls(0, kind)})
        parts = [
            conformed(read_part(self._session.store, pointer, [FILES]), {FILES: kind})
            if _has_files(pointer)
            else pa.table({FILES: pa.nulls(pointer.rows, kind)})
            for pointer in self.pointers
        ]
        places = self.place[indices]
        return pa.concat_tables([empty, *parts])[FILES].take(pa.array(places, mask=np.asarray(places < 0)))

    def _with_vectors(self, column: TypedColumn) -> pa.Table:
        """All rows under the schema now, with their vectors."""
        import pyarrow as pa

        types = {**_types(column), VECTORS: column.vectors}
        beside = vectors_beside(self._state, {pointer.owner for pointer in self.pointers})
        parts = [read_typed(self._session, pointer, beside) for pointer in self.pointers]
        empty = pa.table({name: pa.nulls(0, kind) for name, kind in types.items()})
        return pa.concat_tables([empty, *(conformed(part, types) for part in parts)])


def _types(column: TypedColumn) -> dict[str, pa.DataType]:
    """The columns that are read of inferences, without vectors, and their types."""
    import pyarrow as pa

    return {"inference": column.type, **dict.fromkeys(SAID, pa.string()), "error": error_type()}


def failed(rows: pa.Table) -> npt.NDArray[np.bool_]:
    """Which rows of inferences tell of an exception."""
    import numpy as np
    import pyarrow.compute as pc

    return np.asarray(pc.equal(rows["status"], STATUSES[ERROR]))


def keeps_files(state: State, version_id: str) -> bool:
    """Whether any inference of a model version has the local files of its sample beside it."""
    return any(map(_has_files, inference_pointers(state, version_id)))


def _has_files(pointer: FilePointer) -> bool:
    columns = pointer.details.get("columns", [])
    return isinstance(columns, list) and FILES in columns


def inference_pointers(state: State, version_id: str) -> list[FilePointer]:
    """The parts of a model version's inferences, in order of commit."""
    owners = [version_id, *(run.id for run in state.children("test_run", version_id))]
    rows = [file for owner in owners for file in state.children("file", owner)]
    pointers = [FilePointer.from_json(row.fields) for row in sorted(rows, key=lambda row: row.created)]
    return [pointer for pointer in pointers if pointer.table == "inferences"]


def inference_rows(
    column: TypedColumn, indices: Indices, made: Sequence[object], errors: dict[int, JsonObject], named: Any
) -> pa.Table:
    """Inferences as the rows of a part, in the order given.

    Args:
        column: their type, as it is stored.
        indices: `sample_idx` of each.
        made: the inferences; None = skipped, or failed.
        errors: by place, `type`, `message` and `traceback` of the exception that there was instead.
        named: says for a message which the n-th is.

    Raises:
        InvalidInputError: one of them cannot be stored; it is named.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = column.table(made, named)
    status = pc.if_else(rows["inference"].is_valid(), STATUSES[OK], STATUSES[SKIPPED])
    columns: dict[str, Any] = {"sample_idx": pa.array(indices, pa.int64()), "status": status}
    if errors:
        failed = pa.array([number in errors for number in range(len(made))])
        columns["status"] = pc.if_else(failed, STATUSES[ERROR], status)
        columns["error"] = pa.array([errors.get(number) for number in range(len(made))], error_type())
    return pa.table({**columns, **{name: rows[name] for name in rows.column_names}})


def write_inferences(session: Session, workflow_id: str, owner: str, tables: Iterable[pa.Table]) -> list[FilePointer]:
    """Stage rows as a few parts, each sorted by sample.

    Args:
        session: whose store takes them.
        workflow_id: whose samples they are of.
        owner: id of the test run.
        tables: rows as `inference_rows` makes them.
    """
    pointers: list[FilePointer] = []
    waiting: list[pa.Table] = []
    for table in tables:
        if waiting and sum(each.num_rows for each in waiting) + table.num_rows > ROWS_OF_A_PART:
            pointers += _write(session, workflow_id, owner, waiting)
            waiting = []
        waiting.append(table)
    return [*pointers, *_write(session, workflow_id, owner, waiting)] if waiting else pointers


def _write(session: Session, workflow_id: str, owner: str, tables: list[pa.Table]) -> list[FilePointer]:
    import pyarrow as pa

    rows = by_sample(pa.concat_tables(tables, promote_options="default"))
    indices = rows["sample_idx"].to_numpy()
    details: JsonObject = {
        "workflow": workflow_id,
        "generation": 1,
        "index_digest": _digest(indices),
        "columns": [name for name in rows.column_names if name in (*SAID, "error", FILES)],
    }
    return write_rows(session.store, "inferences", owner, rows, details)


def by_sample(rows: pa.Table) -> pa.Table:
    """Rows, sorted by `sample_idx`."""
    import numpy as np
    import pyarrow as pa

    indices = rows["sample_idx"].to_numpy()
    if not (np.diff(indices) < 0).any():
        return rows
    return rows.combine_chunks().take(pa.array(_order(indices)))


def _order(indices: Indices) -> Indices:
    """Where rows stand when they are sorted; where most samples of a stretch are there, without comparing any."""
    import numpy as np

    least, greatest = int(indices.min()), int(indices.max())
    if greatest - least >= 4 * len(indices):
        return np.argsort(indices, kind="stable")
    places = np.full(greatest - least + 1, -1, np.int64)
    places[indices - least] = np.arange(len(indices))
    order = places[places >= 0]
    return order if len(order) == len(indices) else np.argsort(indices, kind="stable")


def _digest(indices: Indices) -> str:
    """Digest of the index vector (int64, little-endian): equal digests mean that rows are aligned by position."""
    return sha256_hex(indices.astype("<i8").tobytes())
