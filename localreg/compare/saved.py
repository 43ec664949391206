"""Comparisons in the registry: what was found at a commit, kept whatever becomes of the models.

The rows lie in a part of their own: of a thousand classes and many slices they are megabytes, which the state does not
carry. Samples are not kept. They are read again as of the commit that was compared, for as long as their files and what
names them are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from localreg.canonical import JsonObject
from localreg.compare.asked import checked
from localreg.compare.compared import Side
from localreg.compare.comparison import Comparison
from localreg.compare.confusions import Confusion
from localreg.compare.coverage import Coverage
from localreg.compare.evidence import AT_MOST, Errors, Evidence, Scored
from localreg.compare.listing import BAD_CONDITION, Examples
from localreg.compare.opened import Opened
from localreg.compare.output import as_dict
from localreg.compare.question import Question
from localreg.compare.rows import MetricRow, as_table
from localreg.compare.verified_pair import Similarities
from localreg.errors import AlreadyExistsError, LocalregError, NotFoundError
from localreg.handles.handle import Handle
from localreg.names import check_name, did_you_mean, new_id
from localreg.query.text import plain
from localreg.records.access import RUNNER
from localreg.records.comparisons import ComparisonRecord
from localreg.records.determinism import Determinism
from localreg.records.workflows import TestSuiteRecord
from localreg.session import Changes, Session
from localreg.statistics.values import UNDIRECTED
from localreg.tables.parts import read_part, write_part
from localreg.workflow.samples import files_of

if TYPE_CHECKING:
    import pyarrow as pa

    from localreg.compare.compared import Compared

__all__ = ["SavedComparison", "get_saved", "save"]

TABLE = "comparison_rows"
LONGEST = 500
FIELDS = {each.name for each in fields(Comparison)} - {"_session"}


class SavedComparison(Handle[ComparisonRecord], Comparison):
    """A comparison as it was saved: all that a `Comparison` is. `print` shows it as it was printed then.

    Rows, warnings and text are those that were saved. Samples, and what a report draws of them, are read from the
    registry as of `commit`, whatever became of models and inferences since.

    Raises:
        NotFoundError: samples are looked at whose files are gone, or what names them was redacted.
    """

    _record_class = ComparisonRecord

    def __init__(self, session: Session, id: str) -> None:
        vars(self).update(_session=session, _id=id)  # a comparison's fields are set once

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """A field of the comparison at the first look: what cannot be read can still be deleted."""
            if name not in FIELDS:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            found = self._rows() if name == "rows" else self._fields().get(name)
            if found is None and name != "_question":
                raise NotFoundError(f"comparison {self.name!r} was saved by a release that did not keep its {name} yet")
            return vars(self).setdefault(name, found)

    def _fields(self) -> dict[str, Any]:
        """The fields that the record holds."""
        record = self.info
        content: dict[str, Any] = record.content
        names = ("suite", "suite_version", "task", "strict", "confidence", "adjust", "lower_is_better")
        return {
            **{name: content.get(name) for name in names},
            "commit": record.commit,
            "warnings": tuple(content["warnings"]),
            "sides": tuple(_side(each, content) for each in content["sides"]),
            "undirected": content["undirected"] if "undirected" in content else self._undirected(content),
            "_question": None if record.question is None else Question.from_json(record.question),
            "_list": self._samples,
            "_evidence": self._behind,
        }

    def _undirected(self, content: dict[str, Any]) -> set[str]:
        """Metrics that an earlier release did not mark: of an evaluator's, where nobody said what is better."""
        if not content["task"].startswith("evaluator "):
            return set(UNDIRECTED)
        directed = {
            row.metric for row in self.rows if row.fixed is not None or row.verdict in ("improved", "regressed")
        }
        return {row.metric for row in self.rows} - directed - set(content["lower_is_better"])

    def _rows(self) -> tuple[MetricRow, ...]:
        return tuple(MetricRow(**row) for row in self._table().to_pylist())

    def _table(self) -> pa.Table:
        state = self._session.state()
        self._row(state)
        (pointer,) = files_of(state, self._id, TABLE)
        return read_part(self._session.store, pointer)

    def to_dict(self) -> JsonObject:
        """As `Comparison.to_dict` gave it."""
        return {**self.info.content, "metrics": cast("list[JsonObject]", plain(self._table().to_pylist()))}

    def delete(self) -> None:
        """Delete it. Its history stays in the audit log, and its name is free."""
        self._delete(force=False)

    # --- what was not kept --------------------------------------------------------------------------------------------

    def _samples(self, candidate: int, outcome: str | None, where: str | None) -> pa.Table:
        with self._looking_back():
            return self._opened.samples(candidate, outcome, where)

    def _behind(self) -> Evidence:
        with self._looking_back():
            return _PastEvidence(self._opened.evidence(), self._looking_back)

    @cached_property
    def _opened(self) -> Opened:
        """The models and the suite as they were."""
        question = self._question
        if question is None:
            raise NotFoundError("an earlier release saved it, and did not keep how it was asked", code="not_kept")
        past = self._session.at(commit=self.commit)
        state = past.state()
        version = state.get("test_suite_version", question.suite)
        suite = None if version is None else state.get("test_suite", version.parent)
        if suite is None or version is None:
            raise NotFoundError(f"test suite {self.suite!r} is not there at that commit")
        names = [side.name for side in self.sides]
        models = list(zip(question.versions, names, strict=True))
        settings = checked(question.asked)
        return Opened(past, state, suite.load(TestSuiteRecord), version, models, question.asked, settings)

    @contextmanager
    def _looking_back(self) -> Iterator[None]:
        try:
            yield
        except LocalregError as error:
            if error.code == BAD_CONDITION:
                raise
            raise NotFoundError(
                f"samples of comparison {self.name!r} cannot be read as of commit {self.commit:,}: {error}. Its rows, "
                "warnings and gates are kept; for samples compare anew",
                code=error.code,
            ) from error

    def _stated(self) -> JsonObject:
        return {key: value for key, value in self.info.to_json().items() if key not in ("id", "name")}

    def __str__(self) -> str:
        return self.info.text


class _PastEvidence(Evidence):
    """What lies behind the numbers, as long as it is there.

    Args:
        behind: all that is asked goes to it.
        looking_back: what stands around each look.
    """

    def __init__(self, behind: Evidence, looking_back: Callable[[], AbstractContextManager[None]]) -> None:
        self._behind = behind
        self._looking_back = looking_back

    def confusion(self, candidate: int) -> Confusion | None:
        with self._looking_back():
            return self._behind.confusion(candidate)

    def similarities(self, candidate: int) -> Similarities | None:
        with self._looking_back():
            return self._behind.similarities(candidate)

    def scored(self, candidate: int, *, most: int = AT_MOST) -> Scored | None:
        with self._looking_back():
            return self._behind.scored(candidate, most=most)

    def examples(self, candidate: int, outcome: str, most: int) -> Examples:
        with self._looking_back():
            return self._behind.examples(candidate, outcome, most)

    def stretch(self, candidate: int, outcome: str | None, where: str | None, wanted: range) -> Examples:
        with self._looking_back():
            return self._behind.stretch(candidate, outcome, where, wanted)

    def grown(self, candidate: int, most: int, begin: int = 0) -> Examples | None:
        with self._looking_back():
            return self._behind.grown(candidate, most, begin)

    def errors(self, candidate: int, *, most: int) -> Errors | None:
        with self._looking_back():
            return self._behind.errors(candidate, most=most)


def _side(side: dict[str, Any], content: dict[str, Any]) -> Side:
    """A model as it was kept; earlier releases kept no number of pairs of each candidate."""
    determinism = side["determinism"]
    return Side(
        side["name"],
        Coverage(**side["coverage"]),
        None if determinism is None else Determinism.from_json(determinism),
        side["changed_files"],
        side.get("paired", None if side["name"] == content["baseline"] else content["n"]),
    )


def save(session: Session, comparison: Compared, name: str | None) -> SavedComparison:
    """Keep a comparison; see `Comparison.save`."""
    session.refuse_without(RUNNER)
    if name is None:
        against = f"{', '.join(comparison.candidates)} against {comparison.baseline}"
        name = f"{against} on {comparison.suite}@{comparison.suite_version}"[:LONGEST]
    content = {key: value for key, value in as_dict(comparison).items() if key != "metrics"}
    record = ComparisonRecord(
        id=new_id(),
        name=check_name(name, what="name of the comparison"),
        commit=comparison.commit,
        content=content,
        text=str(comparison),
        question=None if comparison._question is None else comparison._question.to_json(),
    )
    part = write_part(session.store, TABLE, record.id, as_table(comparison.rows), {})

    def operation(changes: Changes) -> None:
        if changes.draft.find(record.kind, record.name) is not None:
            raise AlreadyExistsError(
                f"a comparison {record.name!r} is saved already; choose another name, or delete that one"
            )
        changes.create(record, files=(part,))

    try:
        session.change(operation)
    except AlreadyExistsError:
        with suppress(LocalregError):  # an invisible orphan: garbage collection finds it
            session.store.delete(part.path)
        raise
    return SavedComparison(session, record.id)


def get_saved(session: Session, name: str) -> SavedComparison:
    """A saved comparison by its name; see `Registry.get_comparison`."""
    state = session.state()
    row = state.find(ComparisonRecord.kind, check_name(name, what="name of the comparison"))
    if row is None:
        hint = did_you_mean(name, (each.name for each in state.rows(ComparisonRecord.kind)))
        raise NotFoundError(f"no saved comparison {name!r} in namespace {session.namespace!r}{hint}")
    return SavedComparison(session, row.id)
