"""Results of an evaluation, read back from the registry."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

from localreg.canonical import JsonObject, parse
from localreg.errors import InvalidInputError, NotFoundError
from localreg.log import Row, State
from localreg.names import did_you_mean, shown_value
from localreg.records.workflows import EvaluationRecord
from localreg.session import Session
from localreg.tables import Node, StructCodec, objects_of, read_part
from localreg.workflow.evaluation_inputs import Coverage
from localreg.workflow.evaluation_store import evaluation_name
from localreg.workflow.evaluator import EvaluatorConfiguration
from localreg.workflow.metric_rows import metrics_of, settings
from localreg.workflow.plot import Plot
from localreg.workflow.recorded_columns import put_into_dicts
from localreg.workflow.samples import absolute_indices, files_of, objects_at
from localreg.workflow.test_suite import TestSuite

__all__ = ["EvaluationView", "SampleResult", "find_evaluation"]


class SampleResult(NamedTuple):
    """What an evaluator said of one sample.

    Attributes:
        test_sample: the sample.
        metrics: what it said: a dict of numbers, texts, lists, dicts.
        test_case: name of the test case that it was said in; None = of the sample wherever it stands.
    """

    test_sample: Any
    metrics: dict[str, Any]
    test_case: str | None


class EvaluationView:
    """What an evaluator said of a test run with one configuration, or without any. Read when it is looked at.

    Metrics are dicts, whatever classes they were of, with NaN and infinity as they were.

    Attributes:
        configuration: display name of the configuration; None = without any.
        settings: what the configuration says; None = without any.
        coverage: how many samples were evaluated, skipped, and left out.
    """

    def __init__(self, session: Session, state: State, row: Row, suite: TestSuite) -> None:
        record = row.load(EvaluationRecord)
        self.configuration = record.configuration
        self.settings: JsonObject | None = record.settings
        self.coverage = Coverage(**{name: record.samples.get(name, 0) for name in Coverage._fields})
        self._session = session
        self._state = state
        self._id = row.id
        self._suite = suite
        self._names = [case.name for case in suite.test_cases]

    @cached_property
    def suite(self) -> dict[str, Any] | None:
        """Metrics of the whole suite; None = there are none."""
        rows = self._values.get(None)
        return None if rows is None else metrics_of(rows)

    @cached_property
    def cases(self) -> dict[str, dict[str, Any]]:
        """Metrics of each test case, by its name, in the suite's order."""
        return {
            self._names[place]: metrics_of(rows)
            for place, rows in sorted((place, rows) for place, rows in self._values.items() if place is not None)
        }

    @cached_property
    def _values(self) -> dict[int | None, list[dict[str, Any]]]:
        values: dict[int | None, list[dict[str, Any]]] = {}
        for row in self._rows("metric_values"):
            values.setdefault(row["test_case"], []).append(row)
        return values

    @cached_property
    def plots(self) -> dict[str, list[Plot]]:
        """Plots of test cases, by name; those without any are left out."""
        plots: dict[str, list[Plot]] = {}
        for row in self._rows("plots"):
            value = parse(row["plot"])
            assert isinstance(value, dict), "that is what to_json gives"
            plots.setdefault(self._names[row["test_case"]], []).append(Plot.from_json(value))
        return plots

    def _rows(self, table: str) -> list[dict[str, Any]]:
        return [
            row
            for pointer in files_of(self._state, self._id, table)
            for row in read_part(self._session.store, pointer).to_pylist()
        ]

    @cached_property
    def samples(self) -> list[SampleResult]:
        """Metrics of each sample, in the order in which the samples came into the registry."""
        types = self._suite.workflow.types(self._state)
        workflow = self._state.find("workflow", self._suite.workflow.name)
        assert workflow is not None, "a test suite of it was loaded"
        made: list[tuple[int, SampleResult]] = []
        for pointer in files_of(self._state, self._id, "sample_metrics"):
            rows = read_part(self._session.store, pointer)
            schema = pointer.details["schema"]
            assert isinstance(schema, dict), "it is written with the part"
            metrics = objects_of(rows["metrics"], StructCodec(Node.from_json(schema), None))
            if "extra" in rows.column_names:
                for value, text in zip(metrics, rows["extra"].to_pylist(), strict=True):
                    put_into_dicts(value, {} if text is None else parse(text))
            indices = absolute_indices(rows["sample_idx"].to_numpy(), pointer.details)
            samples = objects_at(self._session, self._state, workflow.id, types.test_sample, indices)
            cases = [None if place is None else self._names[place] for place in rows["test_case"].to_pylist()]
            told = map(SampleResult, samples, metrics, cases)
            made += zip(indices.tolist(), told, strict=True)
        return [each for _, each in sorted(made, key=lambda pair: pair[0])]

    def __repr__(self) -> str:
        told = "" if self.configuration is None else f" with {self.configuration!r}"
        return (
            f"<EvaluationView{told} on {self._suite.name!r}: {self.coverage.evaluated:,} samples, "
            f"{len(self.cases)} test cases>"
        )


def find_evaluation(state: State, run: Row | None, wanted: EvaluatorConfiguration | str | None, what: str) -> Row:
    """The evaluation of a run with a configuration, or with its only one.

    Args:
        state: where to look.
        run: the test run; None = there is none.
        wanted: the configuration, or its display name; None = none, or the only one that there is.
        what: the run, for messages.

    Raises:
        NotFoundError: it was not evaluated so.
        InvalidInputError: there are several that it could be.
    """
    if wanted is not None and not isinstance(wanted, EvaluatorConfiguration | str):
        raise InvalidInputError(f"configuration is {shown_value(wanted)}; pass one, or its display name")
    rows = [] if run is None else state.children(EvaluationRecord.kind, run.id)
    if not rows:
        raise NotFoundError(f"{what} was not evaluated yet; call evaluate()")
    names = [row.load(EvaluationRecord).configuration for row in rows]
    if isinstance(wanted, EvaluatorConfiguration):
        name = evaluation_name(wanted.display_name(), settings(wanted))
        found = [row for row in rows if row.name == name]
    elif wanted is None and None not in names:
        found = rows
    else:
        found = [row for row, name in zip(rows, names, strict=True) if name == wanted]
    if len(found) == 1:
        return found[0]
    shown = ", ".join(repr(name) for name in names)
    if not found:
        asked = wanted if isinstance(wanted, str) else wanted.display_name() if wanted is not None else ""
        hint = did_you_mean(asked, [name for name in names if name is not None])
        raise NotFoundError(f"{what} was not evaluated with configuration {asked!r}, but with {shown}{hint}")
    raise InvalidInputError(f"{what} was evaluated with several configurations: {shown}; pass the one that you mean")
