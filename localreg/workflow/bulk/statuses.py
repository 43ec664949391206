"""The column `status` of exported inferences: what a row says that has no value.

Without it such a row is a sample that the model skipped. An export has them, too, of samples of which there is an
exception, or nothing at all, and those are no answers of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from localreg.tables import VECTORS
from localreg.workflow.inferences import ERROR, SKIPPED, STATUSES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Rows = npt.NDArray[np.int64]

__all__ = ["STATUS", "is_status", "told_of"]

STATUS = "status"

NO_ANSWERS = (STATUSES[ERROR], "missing")


def is_status(schema: pa.Schema, unused: Sequence[str]) -> bool:
    """Whether a table has such a column: of texts, and no field's."""
    return STATUS in unused and _is_text(schema.field(STATUS).type)


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view())


def told_of(made: pa.Table, status: Any, name: str) -> tuple[pa.Table, Rows]:
    """Inferences, null where the status says that the sample was skipped; and the rows that are no answers.

    Args:
        made: the columns of the inferences.
        status: of each row; what is none of our words says nothing.
        name: of the struct column.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if not _is_text(status.type):  # of a later batch
        return made, np.empty(0, np.int64)
    status = status.cast(pa.string())
    nothing = _is_nothing(made, name)
    skipped = pc.and_(pc.equal(status, STATUSES[SKIPPED]).fill_null(False), nothing)
    if skipped.true_count:
        place, column = made.column_names.index(name), made[name].combine_chunks()
        made = made.set_column(place, name, pc.if_else(skipped, pa.scalar(None, column.type), column))
    no_answer = pc.and_(pc.is_in(status, pa.array(NO_ANSWERS)), nothing)
    return made, np.flatnonzero(no_answer.to_numpy(zero_copy_only=False))


def _is_nothing(made: pa.Table, name: str) -> pa.Array:
    """Which rows have no value in any field."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = made[name].combine_chunks()
    fields = column.flatten() if pa.types.is_struct(column.type) else []
    if VECTORS in made.column_names:
        fields += made[VECTORS].combine_chunks().flatten()
    nothing = pa.array([True] * len(column))
    for each in fields:
        nothing = pc.and_(nothing, each.is_null())
    return nothing
