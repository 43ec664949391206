"""The content of test cases on its way from Python objects into the log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.names import shown_value
from localreg.query.shared import scratch
from localreg.session import Session
from localreg.tables import unpacked
from localreg.workflow.look_up import LookUp
from localreg.workflow.samples import (
    SAID,
    absolute_indices,
    as_rows,
    files_of,
    read_typed,
    sample_rows,
    vectors_beside,
)
from localreg.workflow.workflow import Types

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["CaseContent", "VersionRows", "different_rows", "first_difference", "taken", "version_rows"]


@dataclass(frozen=True, eq=False)
class CaseContent:
    """What is given for one test case.

    Attributes:
        samples: rows as `sample_rows` makes them.
        truths: `ground_truth`, `metadata`, `extra`: one row for each sample.
        added: of an edit, whether each sample is added or removed; of one sample the last row counts. None = this is
            all that the case will hold, each sample once.
        onto: of an edit, id of the version that it begins with; None = with nothing.
        known: the samples, looked up already; it serves as long as no others come.
        told: of an edit, which rows only say something of their sample, and leave the case as it is.
    """

    samples: pa.Table
    truths: pa.Table
    added: npt.NDArray[np.bool_] | None = None
    onto: str | None = None
    known: LookUp | None = None
    told: npt.NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, types: Types, pairs: Iterable[tuple[object, object]]) -> CaseContent:
        """Check objects, and turn them into columns.

        Raises:
            InvalidInputError: one of them is of another type, or cannot be stored; it is named.
        """
        return cls(*_columns(types, *_unzipped(types, pairs)))

    @classmethod
    def of_edit(cls, types: Types, steps: Sequence[tuple[object, object]], *, onto: str | None) -> CaseContent:
        """The same of an edit: steps are (test sample, ground truth), where None removes the sample.

        Raises:
            InvalidInputError: one of them is of another type, or cannot be stored; it is named.
        """
        import numpy as np

        samples = [types.test_sample.of(sample, "the edit") for sample, _ in steps]
        truths = [None if truth is None else types.ground_truth.of(truth, "the edit") for _, truth in steps]
        added = np.array([truth is not None for truth in truths], bool)
        return cls(*_columns(types, samples, truths), added, onto)


def _columns(types: Types, samples: Sequence[object], truths: Sequence[object]) -> tuple[pa.Table, pa.Table]:
    def named(number: int) -> str:
        return f"the ground truth of test_samples[{number}], {samples[number]!r}"

    rows = as_rows(types.ground_truth.table(truths, named), "ground_truth", types.ground_truth)
    return sample_rows(types.test_sample, samples), rows


@dataclass(eq=False)
class VersionRows:
    """The rows of one version of a test case.

    Attributes:
        indices: `sample_idx` of each, int64.
        truths: `ground_truth`, `metadata`, `extra` of each.
    """

    indices: Indices
    truths: pa.Table

    def same_as(self, other: VersionRows) -> bool:
        """Whether both hold the same, in the same order."""
        import numpy as np

        return np.array_equal(self.indices, other.indices) and first_difference(self.truths, other.truths) is None

    def table(self) -> pa.Table:
        """As a part."""
        import pyarrow as pa

        columns = {name: self.truths[name] for name in self.truths.column_names}
        for name in SAID:
            if columns[name].null_count == len(columns[name]):
                del columns[name]
        return pa.table({"sample_idx": pa.array(self.indices, pa.int64()), **columns})


def first_difference(one: pa.Table, other: pa.Table) -> int | None:
    """The first row that differs between two tables of one type and length; None if they are the same, NaN like NaN."""
    differ = different_rows(one, other)
    return int(differ[0]) if len(differ) else None


def different_rows(one: pa.Table, other: pa.Table) -> Indices:
    """The rows that differ between two tables of one type and length, NaN like NaN."""
    import numpy as np
    import pyarrow as pa

    if not one.num_rows or _combined(one).equals(_combined(other)):
        return np.empty(0, np.int64)
    one, other = (pa.table({name: unpacked(each[name]) for name in each.column_names}) for each in (one, other))
    with scratch() as connection:  # Arrow takes each NaN for another
        connection.register("one", one.append_column("row", pa.array(np.arange(one.num_rows))))
        connection.register("other", other)
        differs = " OR ".join(f'one."{name}" IS DISTINCT FROM other."{name}"' for name in one.column_names)
        found = connection.execute(f"SELECT row FROM one POSITIONAL JOIN other WHERE {differs}").to_arrow_table()
    return np.sort(found["row"].to_numpy())


def _combined(table: pa.Table) -> pa.Table:
    return table.unify_dictionaries().combine_chunks()


def version_rows(session: Session, state: State, types: Types, version_id: str, *, vectors: bool = True) -> VersionRows:
    """What a version of a test case holds; without the vectors of ground truths, if nobody will look at them."""
    import numpy as np
    import pyarrow as pa

    indices: list[Any] = [np.empty(0, np.int64)]
    column = types.ground_truth
    beside = vectors_beside(state, [version_id]) if vectors and column.vectors is not None else {}
    truths = [column.table([], str)]
    for pointer in files_of(state, version_id, "ground_truths"):
        part = read_typed(session, pointer, beside)
        indices.append(absolute_indices(part["sample_idx"].to_numpy(), pointer.details))
        truths.append(part)
    conformed = [as_rows(each, "ground_truth", column, vectors=vectors) for each in truths]
    return VersionRows(np.concatenate(indices), pa.concat_tables(conformed))


def taken(table: pa.Table, rows: Indices) -> pa.Table:
    """Rows of a table, which are not copied where they are all of it."""
    import numpy as np
    import pyarrow as pa

    is_all = len(rows) == table.num_rows and np.array_equal(rows, np.arange(len(rows)))
    return table if is_all else table.take(pa.array(rows))


def _unzipped(types: Types, pairs: Iterable[tuple[object, object]]) -> tuple[list[object], list[object]]:
    samples, truths = [], []
    if not isinstance(pairs, Iterable):
        raise InvalidInputError(
            f"test_samples is {shown_value(pairs)}; it must be a list of (test sample, ground truth)"
        )
    for number, pair in enumerate(pairs):
        if not (isinstance(pair, tuple | list) and len(pair) == 2):
            raise InvalidInputError(f"test_samples[{number}] is {pair!r}; it must be a (test sample, ground truth)")
        samples.append(types.test_sample.of(pair[0], f"test_samples[{number}]"))
        truths.append(types.ground_truth.of(pair[1], f"test_samples[{number}]"))
    return samples, truths
