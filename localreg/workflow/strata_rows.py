"""The rows of a test suite, put into strata by an expression over samples, ground truths and test cases."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from localreg.log import State
from localreg.query.database import load
from localreg.query.quoting import identifier, literal
from localreg.query.strata import Stratum, strata
from localreg.query.typed_columns import sql_type
from localreg.session import Session
from localreg.tables import JSON_FIELD, Node, unpacked, without_vectors
from localreg.workflow.case_content import version_rows
from localreg.workflow.samples import case_name, concatenated, samples_at
from localreg.workflow.workflow import Workflow

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    Indices = npt.NDArray[np.int64]

__all__ = ["StrataRows"]

TABLE = "samples"


class StrataRows:
    """The rows (test case, sample) of test cases, one after the other.

    Args:
        session: where they lie.
        state: as of which commit.
        workflow: whose they are.
        cases: ids of the versions of the test cases.

    Attributes:
        indices: `sample_idx` of each row, int64.
        truths: `ground_truth` and what is said beside it, for each row.
        places: of each row, that of its sample in `samples`.
    """

    def __init__(self, session: Session, state: State, workflow: Workflow, cases: Sequence[str]) -> None:
        import numpy as np
        import pyarrow as pa

        self._session = session
        self._state = state
        self._workflow = workflow
        self._types = workflow.types(state)
        held = [version_rows(session, state, self._types, id) for id in cases]
        self.indices = concatenated(case.indices for case in held)
        self.truths: pa.Table = pa.concat_tables([case.truths for case in held]) if held else pa.table({})
        self._distinct, self._first, self.places = np.unique(self.indices, return_index=True, return_inverse=True)
        names = pa.array([case_name(state, id) or "" for id in cases], pa.string())
        self._cases = names.take(pa.array(np.repeat(np.arange(len(held)), [len(case.indices) for case in held])))

    @cached_property
    def samples(self) -> pa.Table:
        """The distinct samples, in the order of their numbers."""
        row = self._state.find("workflow", self._workflow.name)
        assert row is not None, "a test suite of it was loaded"
        column = self._types.test_sample
        return samples_at(self._session, self._state, row.id, column, self._distinct, vectors=False)

    def strata(self, by: str, bins: int | None) -> list[Stratum]:
        """The strata, each with its rows; see `localreg.query.strata`."""
        import numpy as np

        sample, truth = (without_vectors(each.node) for each in (self._types.test_sample, self._types.ground_truth))
        own = {"sample": sql_type(sample), JSON_FIELD: "JSON", "ground_truth": sql_type(truth), "test_case": "VARCHAR"}
        fields = {field.name: sql_type(field.node) for field in sample.fields if field.name.lower() not in own}
        rows = self._table()

        def make(connection: DuckDBPyConnection) -> None:
            load(connection, "loaded", rows)
            columns = "".join(f"struct_extract(sample, {literal(name)}) AS {identifier(name)}, " for name in fields)
            connection.execute(
                f"CREATE VIEW {TABLE} AS SELECT place, {columns}sample, CAST(metadata AS JSON) AS metadata, "
                "ground_truth, test_case FROM loaded"
            )

        counted = np.zeros(len(self.indices), bool)
        counted[self._first] = True
        names = sorted(_names_within(sample) | _names_within(truth))
        return strata(make, {**fields, **own}, by, table=TABLE, bins=bins, counted=counted, field_names=names)

    def _table(self) -> pa.Table:
        import numpy as np
        import pyarrow as pa

        places = pa.array(self.places)
        return pa.table(
            {
                "place": pa.array(np.arange(len(self.indices))),
                "sample": unpacked(self.samples["sample"].take(places)),
                JSON_FIELD: self.samples[JSON_FIELD].take(places),
                "ground_truth": unpacked(self.truths["ground_truth"]),
                "test_case": self._cases,
            }
        )


def _names_within(node: Node) -> set[str]:
    inner = [each for each in (node.items, node.keys) if each is not None]
    names = {field.name for field in node.fields}
    return names.union(*map(_names_within, [*inner, *(field.node for field in node.fields)]))
