"""What an evaluator said of each model: found in the log, and read column by column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import ne
from typing import TYPE_CHECKING, NamedTuple, cast

from localreg.canonical import JsonObject
from localreg.compare.suite_rows import SuiteRows
from localreg.errors import NotFoundError
from localreg.log import Row, State
from localreg.names import did_you_mean
from localreg.records.files import FilePointer
from localreg.records.workflows import WorkflowRecord
from localreg.session import Session
from localreg.tables import Node, coded_rows, read_part
from localreg.workflow.evaluation_results import find_evaluation
from localreg.workflow.evaluator import EvaluatorConfiguration
from localreg.workflow.inferences import OK, SKIPPED, Inferences
from localreg.workflow.meaning import Meaning
from localreg.workflow.samples import absolute_indices, files_of
from localreg.workflow.typed import TypedColumn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Bools = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]
    Statuses = npt.NDArray[np.int8]

__all__ = ["Evaluation", "Reported", "SampleValues", "counted_rows", "differing_rows", "evaluation_of", "refuse_stale"]

KINDS = {"bool": "bool", "int": "number", "float": "number"}


class Reported(NamedTuple):
    """A number that an evaluator said of a test case, or of the whole suite.

    Attributes:
        metric: its name; its path, if nothing else tells it from others.
        label: the class that it is of; None = of all.
    """

    metric: str
    label: str | None


class SampleValues(NamedTuple):
    """Metrics of the rows of a suite.

    Attributes:
        values: by name, float64 (rows,); booleans as 1 and 0; NaN where there is none.
        evaluated: the rows that the evaluator said anything of, (rows,).
    """

    values: dict[str, Floats]
    evaluated: Bools


class Evaluation:
    """What an evaluator said of one model version on the suite.

    Args:
        session: where it lies.
        state: as of which commit.
        rows: of the suite.
        row: the record.

    Attributes:
        kinds: of each metric of samples, by its name: `bool` or `number`.
        meanings: what is to be known of metrics of samples, by their names.
        meanings_reported: the same of those of test cases and the suite.
        reported: what was said of test cases, by their place in the suite, and of the suite (None).
    """

    def __init__(self, session: Session, state: State, rows: SuiteRows, row: Row) -> None:
        self._session = session
        self._state = state
        self._rows = rows
        self._row = row
        self._parts = [(pointer, _leaves(pointer)) for pointer in files_of(state, row.id, "sample_metrics")]
        self.kinds: dict[str, str] = {}
        self.meanings = _meanings(pointer for pointer, _ in self._parts)
        self.meanings_reported = _meanings(files_of(state, row.id, "metric_values"))
        for _, leaves in self._parts:
            for path, kind in leaves.items():
                name = ".".join(path)
                self.kinds[name] = kind if self.kinds.get(name, kind) == kind else "number"
        self.reported = self._reported()

    def _reported(self) -> dict[int | None, dict[Reported, float]]:
        found: dict[int | None, dict[Reported, float]] = {}
        for pointer in files_of(self._state, self._row.id, "metric_values"):
            for row in read_part(self._session.store, pointer).to_pylist():
                if row["type"] not in ("number", "integer", "bool"):
                    continue
                own = found.setdefault(row["test_case"], {})
                key = Reported(row["metric"], row["class"]) if row["class"] else Reported(row["path"], None)
                own[Reported(row["path"], None) if key in own else key] = row["value"]
        return found

    def samples(self) -> SampleValues:
        """Metrics of samples."""
        import numpy as np

        values = {name: np.full(len(self._rows), np.nan) for name in self.kinds}
        evaluated = np.zeros(len(self._rows), bool)
        for pointer, leaves in self._parts:
            paths = [("metrics", *path) for path in leaves]
            for _, (indices,), (cases, *columns) in coded_rows(
                self._session.store, pointer, [], ["sample_idx"], [("test_case",), *paths]
            ):
                for rows, places in self._placed(absolute_indices(indices, pointer.details), cases):
                    evaluated[rows] = True
                    for path, column in zip(leaves, columns, strict=True):
                        values[".".join(path)][rows] = column[places]
        return SampleValues(values, evaluated)

    def _placed(self, indices: Indices, cases: Floats) -> Iterator[tuple[Indices, Indices]]:
        """Rows of the suite, and where among these metrics theirs stand.

        Args:
            indices: `sample_idx` of each.
            cases: place of the test case that it was said in; NaN = of the sample wherever it stands.
        """
        import numpy as np

        anywhere = np.isnan(cases)
        ends = self._rows.ends
        stretches = [(slice(0, len(self._rows)), np.flatnonzero(anywhere))] if anywhere.any() else []
        for case in np.unique(cases[~anywhere]).astype(int).tolist():
            begin = int(ends[case - 1]) if case else 0
            stretches.append((slice(begin, int(ends[case])), np.flatnonzero(cases == case)))
        for stretch, said in stretches:
            said = said[np.argsort(indices[said], kind="stable")]
            ordered, wanted = indices[said], self._rows.indices[stretch]
            places = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
            found = np.flatnonzero(ordered[places] == wanted)
            yield stretch.start + found, said[places[found]]


def counted_rows(samples: SampleValues, status: Statuses, names: Sequence[str]) -> Bools:
    """Rows that the evaluator said something of, so that its numbers of test cases and the suite are made of them.

    An evaluator is given skipped samples, too, and may count them as wrong, or say nothing of them.

    Args:
        samples: what it said.
        status: what became of each row.
        names: of the metrics that tell; none, or none that is ever said = what was inferred counts.
    """
    import numpy as np

    said = np.zeros(len(status), bool)
    for name in names:
        said |= _said(samples, name)
    return said if said.any() else samples.evaluated & (status == OK)


def differing_rows(
    models: Sequence[SampleValues], statuses: Sequence[Statuses], counted: Sequence[Bools], names: Sequence[str]
) -> Bools:
    """Rows that two evaluations were not both made of: one counts them alone, or less is said of a skipped one."""
    import numpy as np

    a, b = models
    differs = np.zeros(len(counted[0]), bool)
    for name in names:
        differs |= _said(a, name) ^ _said(b, name)
    one_skipped = statuses[0] != statuses[1]
    return np.asarray((differs & one_skipped) | (counted[0] ^ counted[1]), bool)


def _said(samples: SampleValues, name: str) -> Bools:
    import numpy as np

    if name not in samples.values:
        return np.zeros(len(samples.evaluated), bool)
    return np.asarray(np.isfinite(samples.values[name]), bool)


def _meanings(parts: Iterable[FilePointer]) -> dict[str, Meaning]:
    found: dict[str, Meaning] = {}
    for pointer in parts:
        told = cast("dict[str, JsonObject]", pointer.details.get("meanings", {}))
        found |= {name: Meaning.from_json(each) for name, each in told.items()}
    return found


def _leaves(pointer: FilePointer) -> dict[tuple[str, ...], str]:
    """The paths of numbers and booleans in a part of metrics, and which of both they are."""
    return dict(_leaves_of(Node.from_json(cast(JsonObject, pointer.details["schema"])), ()))


def _leaves_of(node: Node, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for field in node.fields if node.type == "struct" else ():
        kind = KINDS.get(field.node.type)
        if kind is not None:
            yield (*path, field.name), kind
        else:
            yield from _leaves_of(field.node, (*path, field.name))


def evaluation_of(
    session: Session,
    state: State,
    version_id: str,
    model: str,
    rows: SuiteRows,
    evaluator: str,
    configuration: EvaluatorConfiguration | str | None,
) -> Row:
    """What an evaluator said of a model version on the suite.

    Args:
        session: where everything lies.
        state: where to look.
        version_id: of the model.
        model: `name@version`, for messages.
        rows: of the suite.
        evaluator: its display name.
        configuration: with which; None = without any, or with the only one.

    Raises:
        NotFoundError: it was not evaluated so, or inferred anew since; the message says what to run.
        InvalidInputError: there are several configurations, and none is named.
    """
    runs = [
        run for run in state.children("test_run", version_id) if run.fields.get("test_suite_version") == rows.version.id
    ]
    run = next((run for run in runs if run.fields.get("evaluator") == evaluator), None)
    what = f"{model!r} on test suite {rows.suite.name!r} version {rows.version.name} by {evaluator!r}"
    if run is None:
        raise NotFoundError(_not_evaluated(what, evaluator, [run.fields.get("evaluator") for run in runs]))
    found = find_evaluation(state, run, configuration, what)
    refuse_stale(session, state, version_id, rows, found, what)
    return found


def refuse_stale(session: Session, state: State, version_id: str, rows: SuiteRows, evaluation: Row, what: str) -> None:
    """What an evaluator said is of what the model said then: it must not have been inferred anew since.

    Samples that had none then, or an exception, are told to be left out, and no reason to refuse the others.

    Args:
        session: where everything lies.
        state: where to look.
        version_id: of the model.
        rows: of the suite.
        evaluation: what was said.
        what: of which model by which evaluator, for messages.

    Raises:
        NotFoundError: there are samples that were inferred anew.
    """
    import numpy as np

    commit = evaluation.updated[0]
    owners = [version_id, *(run.id for run in state.children("test_run", version_id))]
    if all(file.updated[0] <= commit for owner in owners for file in state.children("file", owner)):
        return
    past = session.at(commit=commit)
    indices = np.unique(rows.indices).astype(np.int64)
    now = Inferences(session, state, version_id, rows.samples)
    before = Inferences(past, past.state(), version_id, rows.samples)
    indices = indices[np.isin(before.status[indices], (OK, SKIPPED))]  # what evaluators are given
    if before.digest(indices) == now.digest(indices):
        return
    node = Node.from_json(cast(JsonObject, rows.workflow.load(WorkflowRecord).inference))
    column = TypedColumn("inference", object, node)
    then, since = (each.rows(column, indices)["inference"].to_pylist() for each in (before, now))
    anew = sum(map(ne, map(repr, then), map(repr, since)))  # NaN is itself
    if anew:
        raise NotFoundError(
            f"there is no evaluation of {what} as it is now: it was evaluated before {anew:,} of the samples were "
            f"inferred anew; run test(model, suite, evaluator) again, or compare registry.at(commit={commit})"
        )


def _not_evaluated(what: str, evaluator: str, others: Sequence[object]) -> str:
    names = [name for name in others if isinstance(name, str)]
    by = f" (there is one by {', '.join(map(repr, names))}){did_you_mean(evaluator, names)}" if names else ""
    return f"there is no evaluation of {what}{by}; run test(model, suite, evaluator) first: what is inferred stays"
