"""Results of evaluations on their way into the log, all in one commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from localreg.canonical import JsonObject, canonical, checked_object, sha256_hex
from localreg.errors import LocalregError
from localreg.log import State
from localreg.names import shown_value
from localreg.records.files import FilePointer
from localreg.records.workflows import EvaluationRecord
from localreg.session import Changes, Session
from localreg.tables import schema_of, write_part
from localreg.workflow.evaluation import Measured
from localreg.workflow.evaluation_inputs import Coverage, Given
from localreg.workflow.meaning import declared
from localreg.workflow.metric_rows import MetricRow, metric_rows, value_table
from localreg.workflow.samples import sample_count
from localreg.workflow.typed import EXTRA, TypedColumn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["EvaluationTables", "NewEvaluation", "StoreEvaluations", "evaluation_name", "evaluation_tables"]

VALUES = "metric_values"


@dataclass(frozen=True, eq=False)
class EvaluationTables:
    """Results as rows.

    Attributes:
        samples: of table `sample_metrics`, one for each class of metrics, with the details of its part; instead of
            `sample_idx`, which may yet change, `row` says where in the suite the sample stands.
        others: of the other tables, by name.
    """

    samples: list[tuple[pa.Table, JsonObject]]
    others: dict[str, pa.Table]
    meanings: JsonObject = field(default_factory=dict)
    """What is to be known of metrics of test cases and the suite, by their names."""


@dataclass(frozen=True, eq=False)
class NewEvaluation:
    """One evaluation that was made.

    Attributes:
        configuration: display name; None = without any.
        settings: what the configuration says.
        key: what the results hang on; None = unknown.
        seen: id of the evaluation that these results are to replace; None = there was none.
        coverage: of the suite's samples.
        tables: the results.
    """

    configuration: str | None
    settings: JsonObject | None
    key: str | None
    seen: str | None
    coverage: Coverage
    tables: EvaluationTables


def evaluation_name(configuration: str | None, settings: JsonObject | None) -> str:
    """What tells an evaluation from others of its run."""
    if configuration is None:
        return "without configuration"
    return f"{configuration} ({sha256_hex(canonical(settings))[:12]})"


# --- rows -------------------------------------------------------------------------------------------------------------


def evaluation_tables(results: Measured, given: Given, names: Sequence[str]) -> EvaluationTables:
    """Results as rows.

    Args:
        results: what the evaluator said.
        given: what it was given.
        names: of the test cases of the suite, for messages.

    Raises:
        InvalidInputError: a value that cannot be stored; its sample or test case is named.
    """
    values: dict[int | None, list[MetricRow]] = {}
    if results.suite is not None:
        values[None] = metric_rows(results.suite, "")
    for place in sorted(results.cases):
        values[place] = metric_rows(results.cases[place], f"test case {names[place]!r}")
    others = {VALUES: value_table(values), "plots": _plot_table(results)}
    said = [each for each in (results.suite, *results.cases.values()) if each is not None]
    meanings: JsonObject = {
        path[-1]: told.to_json() for cls in dict.fromkeys(map(type, said)) for path, told in declared(cls).items()
    }
    return EvaluationTables(_sample_tables(results, given), others, meanings)


def _plot_table(results: Measured) -> pa.Table:
    import pyarrow as pa

    plots = [(place, plot) for place in sorted(results.plots) for plot in results.plots[place]]
    rows = [(place, checked_object(plot.to_json(), what=shown_value(plot))) for place, plot in plots]
    return pa.table(
        {
            "test_case": pa.array([place for place, _ in rows], pa.int32()),
            "name": pa.array([getattr(plot, "title", None) for _, plot in plots], pa.string()),
            "plot": pa.array([canonical(plot) for _, plot in rows], pa.string()),
        }
    )


def _sample_tables(results: Measured, given: Given) -> list[tuple[pa.Table, JsonObject]]:
    """One table for each class, which has columns of its own, with its schema."""
    import numpy as np

    metrics = [each for block in results.samples for each in block.metrics]
    positions = np.concatenate([np.empty(0, np.int64), *(np.asarray(each.positions) for each in results.samples)])
    case = np.concatenate(
        [
            np.empty(0, np.int64),
            *(np.full(len(each.positions), -1 if each.case is None else each.case) for each in results.samples),
        ]
    )
    classes = list(dict.fromkeys(map(type, metrics)))
    if len(classes) == 1:
        return [_sample_table(classes[0], metrics, positions, case, given)]
    tables = []
    for cls in classes:
        own = np.flatnonzero([type(each) is cls for each in metrics])
        tables.append(_sample_table(cls, [metrics[each] for each in own], positions[own], case[own], given))
    return tables


def _sample_table(
    cls: type, metrics: Sequence[Any], positions: Indices, case: Indices, given: Given
) -> tuple[pa.Table, JsonObject]:
    import pyarrow as pa

    column = TypedColumn("metrics", cls, schema_of(cls))

    def named(number: int) -> str:
        return f"the metrics of {shown_value(given.samples[positions[number]])}"

    columns = column.table(metrics, named)
    table = pa.table(
        {
            "row": pa.array(given.rows[positions.astype(int)], pa.int64()),
            "test_case": pa.array(case, pa.int32(), mask=case < 0),
            **{name: columns[name] for name in columns.column_names},
        }
    )
    meanings: JsonObject = {".".join(path): told.to_json() for path, told in declared(cls).items()}
    details: JsonObject = {"schema": column.node.to_json()}
    return table, {**details, "meanings": meanings} if meanings else details


# --- commit -----------------------------------------------------------------------------------------------------------


class StoreEvaluations:
    """An operation that puts evaluations into the log; may be run again on a newer state.

    An evaluation that somebody else stored meanwhile, of the same key, stays: it says the same.

    Args:
        session: the namespace.
        made: the evaluations.
        ensure: makes what they belong to; ids of workflow, model version and test run.
        suite_rows: the `sample_idx` of each row of the suite in a state.
    """

    def __init__(
        self,
        session: Session,
        made: Sequence[NewEvaluation],
        *,
        ensure: Callable[[Changes], tuple[str, str, str]],
        suite_rows: Callable[[State], Indices],
    ) -> None:
        self._session = session
        self._made = made
        self._ensure = ensure
        self._suite_rows = suite_rows
        self._staged: dict[str, tuple[Indices, list[FilePointer]]] = {}

    def __call__(self, changes: Changes) -> None:
        """Put the evaluations into the draft."""
        workflow_id, _, run_id = self._ensure(changes)
        rows = self._suite_rows(changes.draft)
        count = sample_count(changes.draft, workflow_id)
        for each in self._made:
            name = evaluation_name(each.configuration, each.settings)
            old = changes.draft.find(EvaluationRecord.kind, name, run_id)
            id = changes.new_id(EvaluationRecord.kind, name)
            if old is not None:
                if old.id != each.seen and each.key is not None and old.fields.get("key") == each.key:
                    self._discard(id)
                    continue
                changes.delete(old)
            record = EvaluationRecord(
                id=id,
                name=name,
                test_run=run_id,
                configuration=each.configuration,
                settings=each.settings,
                key=each.key,
                samples=each.coverage._asdict(),
            )
            changes.create(record, files=self._files(id, each.tables, rows, workflow_id, count))

    def _files(
        self, id: str, tables: EvaluationTables, rows: Indices, workflow_id: str, count: int
    ) -> tuple[FilePointer, ...]:
        """The parts, written again only if the samples have other numbers by now."""
        import numpy as np

        if id in self._staged and not np.array_equal(self._staged[id][0], rows):
            self._discard(id)
        if id not in self._staged:
            self._staged[id] = rows, self._written(id, tables, rows, workflow_id)
        place: JsonObject = {"first": count, "staged_first": count}
        return tuple(replace(part, details={**part.details, **place}) for part in self._staged[id][1])

    def _written(self, id: str, tables: EvaluationTables, rows: Indices, workflow_id: str) -> list[FilePointer]:
        import numpy as np
        import pyarrow as pa

        store = self._session.store
        parts = []
        for table, said in tables.samples:
            order = pa.array(np.argsort(indices := rows[table["row"].to_numpy()], kind="stable"))
            columns = [name for name in table.column_names if name == EXTRA]
            part = table.set_column(0, "sample_idx", pa.array(indices, pa.int64())).take(order)
            details: JsonObject = {"workflow": workflow_id, "columns": list(columns), **said}
            parts.append(write_part(store, "sample_metrics", id, part, details))
        for name, table in tables.others.items():
            if table.num_rows:
                more: JsonObject = {"meanings": tables.meanings} if name == VALUES and tables.meanings else {}
                parts.append(write_part(store, name, id, table, {"workflow": workflow_id, **more}))
        return parts

    def _discard(self, id: str) -> None:
        for pointer in self._staged.pop(id, (None, []))[1]:
            with suppress(LocalregError):  # an invisible orphan: garbage collection finds it
                self._session.store.delete(pointer.path)
