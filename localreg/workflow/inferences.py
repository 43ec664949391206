"""Inferences by sample: which there are, and where their rows stand.

The inferences of a model version stand in the parts of its test runs. Read in order of commit, a newer row for a sample
takes the place of an older one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localreg.canonical import JsonObject
from localreg.log import State
from localreg.records.files import FilePointer
from localreg.tables import read_part, write_part
from localreg.workflow.samples import absolute_indices

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from localreg.session import Session

__all__ = ["ERROR", "MISSING", "OK", "SKIPPED", "STATUSES", "Inferences", "write_inferences"]

MISSING, OK, SKIPPED, ERROR = -1, 0, 1, 2
STATUSES = ("ok", "skipped", "error")
"""How a row says what became of its sample: inferred; `infer` returned None; `infer` raised."""


class Inferences:
    """All inferences of one model version as of one state, by `sample_idx`.

    Attributes:
        rows: the rows of all parts, one after the other: `status`, `inference`.
        place: for each sample its row in `rows`, int64; -1 = no inference.
        status: for each sample `MISSING`, `OK`, `SKIPPED` or `ERROR`, int8.
    """

    def __init__(self, session: Session, state: State, version_id: str, samples: int) -> None:
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        self.place = np.full(samples, -1, np.int64)
        self.status = np.full(samples, MISSING, np.int8)
        tables: list[pa.Table] = []
        begin = 0
        for pointer in _pointers(state, version_id):
            part = read_part(session.store, pointer)
            indices = absolute_indices(part["sample_idx"].to_numpy(), pointer.details)
            self.place[indices] = np.arange(begin, begin + len(indices))
            codes = pc.index_in(part["status"], pa.array(STATUSES))
            self.status[indices] = codes.to_numpy()
            tables.append(part.select(["status", "inference"]))
            begin += len(indices)
        self.rows: pa.Table | None = pa.concat_tables(tables) if tables else None

    def column(self, indices: np.ndarray) -> pa.ChunkedArray | None:
        """The `inference` column for samples, in that order; null where there is none. None = no inference at all."""
        import numpy as np
        import pyarrow as pa

        if self.rows is None:
            return None
        places = self.place[indices]
        return self.rows["inference"].take(pa.array(places, mask=np.asarray(places < 0)))


def _pointers(state: State, version_id: str) -> list[FilePointer]:
    rows = [file for run in state.children("test_run", version_id) for file in state.children("file", run.id)]
    pointers = [FilePointer.from_json(row.fields) for row in sorted(rows, key=lambda row: row.created)]
    return [pointer for pointer in pointers if pointer.table == "inferences"]


def write_inferences(
    session: Session, workflow_id: str, owner: str, indices: np.ndarray, made: pa.Array
) -> FilePointer:
    """Stage inferences as a part, sorted by sample.

    Args:
        session: whose store takes the part.
        workflow_id: whose samples they are of.
        owner: id of the test run.
        indices: `sample_idx` of each.
        made: the inferences as a column; null = skipped.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    order = np.argsort(indices, kind="stable")
    column = made.take(pa.array(order))
    status = pc.if_else(column.is_valid(), STATUSES[OK], STATUSES[SKIPPED])
    rows = pa.table({"sample_idx": pa.array(indices[order], pa.int64()), "status": status, "inference": column})
    details: JsonObject = {"workflow": workflow_id, "generation": 1, "index_digest": _digest(indices[order])}
    return write_part(session.store, "inferences", owner, rows, details)


def _digest(indices: np.ndarray) -> str:
    """Digest of the index vector (int64, little-endian): equal digests mean that rows are aligned by position."""
    from localreg.canonical import sha256_hex

    return sha256_hex(indices.astype("<i8").tobytes())
