"""Test suites: named, versioned lists of test cases."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Self

from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.names import check_flag, check_name, check_tags, check_text, check_whole, shown_value
from localreg.records.workflows import TestSuiteRecord, TestSuiteVersionRecord
from localreg.session import Changes, Session
from localreg.session.current import current_session
from localreg.workflow.suite_change import SuiteChange, content_of
from localreg.workflow.test_case import TestCase
from localreg.workflow.versioned import Versioned

if TYPE_CHECKING:
    from localreg.workflow.bulk.add import OnKnown
    from localreg.workflow.bulk.report import BulkReport, OnInvalid

__all__ = ["TestSuite", "TestSuiteEditor"]


_BINS_HINT = "write a whole number, 2 or more"


class TestSuiteEditor:
    """Collects the changes of one `with suite.edit()` block; they become one version when the block ends.

    Attributes:
        tags: change this set to change the suite's tags; that alone makes no new version.
    """

    __test__ = False

    def __init__(self, cases: Iterable[TestCase[Any, Any]], tags: Iterable[str]) -> None:
        self.tags = set(tags)
        self._cases = {case.id: case for case in cases}
        self._description: str | None = None

    def description(self, description: str) -> None:
        """Replace the description; that alone makes no new version."""
        self._description = check_text(description, what="description")

    def add(self, test_case: TestCase[Any, Any]) -> None:
        """Add a test case at the end; another version of it that is there goes."""
        self.remove(test_case)
        self._cases[test_case.id] = test_case

    def remove(self, test_case: TestCase[Any, Any]) -> None:
        """Remove a test case, whatever its version; one that is not there is no mistake."""
        if not isinstance(test_case, TestCase):
            raise InvalidInputError(f"{shown_value(test_case)} is no test case; load one by its name")
        self._cases.pop(test_case.id, None)


class TestSuite(Versioned[TestSuiteRecord]):
    """One version of a test suite. Get the class from `define_workflow`, which binds it to the types.

    Args:
        name: unique in the namespace, across workflows.
        version: load this version; None = the newest, made if there is none.
        description: free text; where given, applied without a new version.
        test_cases: the content, in order. Given for an existing suite it is ignored with a warning, unless the suite
            is empty or `reset` is set.
        reset: replace the content by `test_cases`, as a new version.
        tags: words to find it by; where given, applied without a new version.

    Raises:
        InvalidInputError: what is given is no test case of this workflow, or one case stands there twice.
        WorkflowMismatchError: the name belongs to a suite of another workflow.
        NotFoundError: no such version.
    """

    __test__ = False
    _record_class = TestSuiteRecord
    test_case_class: ClassVar[type[TestCase[Any, Any]]]

    def __init__(
        self,
        name: str,
        version: int | None = None,
        description: str | None = None,
        test_cases: Sequence[TestCase[Any, Any]] | None = None,
        reset: bool = False,
        tags: Iterable[str] | None = None,
    ) -> None:
        self._open(name, version, description, test_cases, reset, tags)

    def _open(
        self,
        name: str,
        version: int | None,
        description: str | None,
        test_cases: Sequence[TestCase[Any, Any]] | None,
        reset: bool,
        tags: Iterable[str] | None = None,
        baseline: Sequence[TestCase[Any, Any]] | None = None,
    ) -> None:
        """What the constructor does; `baseline` are those of the test cases by which thresholds are set."""
        self._session = current_session()
        name = check_name(name, what="test suite name")
        if version is not None and test_cases is not None:
            raise InvalidInputError(f"a version of test suite {name!r} does not change; leave out test_cases")
        change = self._asked(self._session, name, description, test_cases, tags, baseline)
        change.reset = check_flag(reset, what="reset")
        state = self._session.state()
        missing = version is None and state.find("test_suite", name) is None
        if change.said or change.content is not None or missing:
            state = self._session.change(change)
        if change.ignored:
            warnings.warn(
                f"test suite {name!r} exists already, and the test cases given are ignored; pass reset=True to make "
                "them its next version",
                stacklevel=3,
            )
        self._row = self._find(state, name, version)

    @classmethod
    def create(
        cls,
        name: str,
        description: str | None = None,
        test_cases: Sequence[TestCase[Any, Any]] | None = None,
        tags: Iterable[str] | None = None,
    ) -> Self:
        """Make a test suite.

        Raises:
            AlreadyExistsError: there is one of that name.
        """
        return cls._created(name, description, test_cases, tags)

    @classmethod
    def _created(
        cls,
        name: str,
        description: str | None,
        test_cases: Sequence[TestCase[Any, Any]] | None,
        tags: Iterable[str] | None = None,
        baseline: Sequence[TestCase[Any, Any]] | None = None,
    ) -> Self:
        session = current_session()
        change = cls._asked(session, check_name(name, what="test suite name"), description, test_cases, tags, baseline)
        change.is_new = True
        return cls._loaded(session, session.change(change), change.name)

    @classmethod
    def load(cls, name: str, version: int | None = None) -> Self:
        """A test suite that is there; the newest version, if none is named.

        Raises:
            NotFoundError: there is none of that name or version.
        """
        session = current_session()
        return cls._loaded(session, session.state(), check_name(name, what="test suite name"), version)

    @classmethod
    def load_all(cls, tags: Iterable[str] | None = None) -> list[Self]:
        """All test suites of the workflow that are not archived, newest versions, in order of creation.

        Args:
            tags: only those that have all of these.
        """
        session = current_session()
        state, wanted = session.state(), set(check_tags(tags or ()))
        workflow = state.find("workflow", cls.workflow.name)
        records = [row.load(TestSuiteRecord) for row in state.children("test_suite")] if workflow is not None else []
        return [
            cls._loaded(session, state, record.name)
            for record in records
            if workflow is not None
            and record.workflow == workflow.id
            and not record.archived
            and wanted <= set(record.tags)
        ]

    @contextmanager
    def edit(self, reset: bool = False) -> Iterator[TestSuiteEditor]:
        """Change the test suite in a `with` block; when it ends, the changes become the next version.

        This object then shows that version. An edit without effect makes no version, and an exception inside the block
        changes nothing.

        Args:
            reset: begin with no test case, instead of those that the suite holds.

        Raises:
            ConflictError: the suite was edited by somebody else since this object was loaded.
        """
        editor = TestSuiteEditor([] if check_flag(reset, what="reset") else self.test_cases, self.tags)
        tags = sorted(editor.tags)
        yield editor
        self._edited(editor, editor.tags if sorted(editor.tags) != tags else None)

    def _edited(
        self,
        editor: TestSuiteEditor,
        tags: Iterable[str] | None,
        baseline: Sequence[TestCase[Any, Any]] | None = None,
    ) -> None:
        """Make what an editor collected the next version."""
        cases = list(editor._cases.values())
        change = self._asked(self._session, self.name, editor._description, cases, tags, baseline)
        change.edited = self.version
        self._row = self._find(self._session.change(change), self.name, None)

    @classmethod
    def _asked(
        cls,
        session: Session,
        name: str,
        description: str | None,
        test_cases: Sequence[TestCase[Any, Any]] | None,
        tags: Iterable[str] | None,
        baseline: Sequence[TestCase[Any, Any]] | None = None,
    ) -> SuiteChange:
        said: dict[str, Any] = {}
        if description is not None:
            said["description"] = check_text(description, what="description")
        if tags is not None:
            said["tags"] = check_tags(tags)
        content = None if test_cases is None else cls._checked(session, test_cases)
        change = SuiteChange(session, cls.workflow, name, said, content)
        change.baseline = None if baseline is None else cls._checked(session, baseline)
        return change

    @property
    def tags(self) -> list[str]:
        """Sorted, unique."""
        return self._record().tags

    @property
    def test_cases(self) -> list[TestCase[Any, Any]]:
        """Its test cases, each in the version that belongs to this version of the suite, in the order of adding."""
        version = self._row.load(TestSuiteVersionRecord)
        return [self.test_case_class._of_version(self._session, id) for id in version.test_cases]

    def stratify(self, by: str, *, bins: int = 4, name: str | None = None) -> Self:
        """A test suite of the same samples, with a test case for each stratum of them, in one commit.

        The test cases are called `<suite> by <expression>: <value>`, in order of value. The same call again makes the
        same test cases: a new version only of those, and of the suite, whose content changed.

        Args:
            by: an expression, as `where` takes it, over the fields of the samples (also `sample.<field>`),
                `metadata.<path>`, `ground_truth.<field>` and `test_case`, the name of the case that a sample is in.
                Texts, booleans and dates by value; what is null is a stratum of its own.
            bins: numbers of more different values are cut into so many bins that hold about equally many samples.
            name: of the suite; None = `<suite> by <expression>`, which the names of its test cases begin with, too.

        Raises:
            InvalidInputError: the expression does not parse, names what is not there, gives something else than
                texts, numbers, dates or booleans, or has more than 1,000 values; a sample has different ground truths
                in two test cases; the suite is empty.
            WorkflowMismatchError: a name belongs to a test case or test suite of another workflow.
        """
        from localreg.workflow.stratify import StrataChange, stratified

        version = self._row.load(TestSuiteVersionRecord)
        if check_whole(bins, what="bins", hint=_BINS_HINT) < 2:
            raise InvalidInputError(f"bins is {bins}; {_BINS_HINT}")
        cut = stratified(self._session, self.workflow, version, by, bins)
        title = check_name(f"{self.name} by {' '.join(by.split())}" if name is None else name, what="test suite name")
        if title == self.name:
            raise InvalidInputError(f"test suite {title!r} would take its own place; choose another name")
        cases = StrataChange(self._session, self.workflow, version, title, cut)

        def operation(changes: Changes) -> None:
            cases(changes)
            suite = SuiteChange(self._session, self.workflow, title, {}, cases.versions)
            suite.reset = True
            suite(changes)

        return self._loaded(self._session, self._session.change(operation), title)

    def add(
        self,
        table: object,
        case: str | None = None,
        *,
        columns: Mapping[str, str] | None = None,
        metadata: Sequence[str] = (),
        on_invalid: OnInvalid = "raise",
        on_known: OnKnown = "raise",
    ) -> BulkReport:
        """Add test samples with their ground truths from a table, a row for each: one commit, or nothing.

        They become the next version of a test case, and of this suite, which this object then shows. Rows that the
        test case holds already, with the same ground truth, are left as they are.

        Args:
            table: Arrow, pandas, Polars, a DuckDB relation, a Hugging Face data set, the path of a Parquet, CSV, JSON
                lines or Arrow file, rows as dicts, or an iterator of batches of these: read once, piece by piece.
            case: the test case to add to, made if there is none of that name; None = the one named like the suite.
            columns: by field (`label`, `ground_truth.label`, `box.top_left.x`) the column that holds it, where that is
                called otherwise.
            metadata: columns that become metadata of the samples; so do `metadata.…` and JSON objects in `metadata`.
            on_invalid: what a row does that cannot be stored, or whose sample stands in an earlier row: `raise` refuses
                all, `skip` leaves it out, and the report tells it.
            on_known: what a row does whose sample the test case holds with another ground truth: `raise` refuses all,
                `skip` keeps what is there, `replace` takes the row's, at the end.

        Returns:
            How many rows were stored, there already, and left out, and why.

        Raises:
            InvalidInputError: a row or a column cannot be taken, with its number and the reason; nothing is stored.
            AlreadyExistsError: the test case holds a sample with another ground truth.
            ConflictError: the test case was edited meanwhile.
        """
        from localreg.workflow.bulk.add import add

        report, state = add(
            self, table, case, columns=columns, metadata=metadata, on_invalid=on_invalid, on_known=on_known
        )
        self._row = self._find(state, self.name, None)
        return report

    def newest_content(self, state: State) -> list[str]:
        """Ids of the versions of test cases that the newest version holds."""
        return content_of(state, self._thing(state).load(TestSuiteRecord))[0]

    def load_test_samples(self) -> list[tuple[TestCase[Any, Any], list[Any]]]:
        """Each test case with its test samples, in order."""
        return [(case, [sample for sample, _ in case.load_test_samples()]) for case in self.test_cases]

    @classmethod
    def _checked(cls, session: Session, cases: Sequence[TestCase[Any, Any]]) -> list[str]:
        """Ids of the versions of the cases."""
        if not isinstance(cases, Iterable):
            raise InvalidInputError(f"test_cases is {shown_value(cases)}; it must be a list of test cases")
        ids: dict[str, str] = {}
        for number, case in enumerate(cases):
            # Of the same name: that the types fit was checked against what is recorded, when the case was loaded.
            if not isinstance(case, TestCase) or case.workflow.name != cls.workflow.name:
                raise InvalidInputError(
                    f"test_cases[{number}] is {case!r}; it must be a test case of {cls.workflow.name!r}"
                )
            if not case.session.is_same_namespace(session):
                raise InvalidInputError(f"test_cases[{number}] lies in {case.session!r}; copy it here first")
            if case.id in ids:
                raise InvalidInputError(
                    f"test_cases[{number}], {case.name!r}, stands in the suite twice; leave one out"
                )
            ids[case.id] = case.version_id
        return list(ids.values())

    def __repr__(self) -> str:
        return f"<TestSuite {self.name!r} version {self.version}>"
