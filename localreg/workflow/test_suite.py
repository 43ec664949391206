"""Test suites: named, versioned lists of test cases."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from localreg.errors import ConflictError, InvalidInputError
from localreg.log import State
from localreg.names import check_name, check_tags, check_text, shown_value
from localreg.records.workflows import TestSuiteRecord, TestSuiteVersionRecord
from localreg.session import Changes
from localreg.session.current import current_session
from localreg.workflow.test_case import TestCase
from localreg.workflow.versioned import Versioned

__all__ = ["TestSuite"]


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
        self._session = current_session()
        self._ignored = False
        name = check_name(name, what="test suite name")
        if version is not None and test_cases is not None:
            raise InvalidInputError(f"a version of test suite {name!r} does not change; leave out test_cases")
        content = None if test_cases is None else self._checked(test_cases)
        said: dict[str, Any] = {}
        if description is not None:
            said["description"] = check_text(description, what="description")
        if tags is not None:
            said["tags"] = check_tags(tags)
        state = self._session.state()
        missing = version is None and state.find("test_suite", name) is None
        if said or content is not None or missing:
            state = self._session.change(lambda changes: self._ensure(changes, name, content, reset, said))
        if self._ignored:
            warnings.warn(
                f"test suite {name!r} exists already, and the test cases given are ignored; pass reset=True to make "
                "them its next version",
                stacklevel=2,
            )
        self._row = self._find(state, name, version)

    @property
    def tags(self) -> list[str]:
        """Sorted, unique."""
        return self._record().tags

    @property
    def test_cases(self) -> list[TestCase[Any, Any]]:
        """Its test cases, each in the version that belongs to this version of the suite, in the order of adding."""
        version = self._row.load(TestSuiteVersionRecord)
        return [self.test_case_class._of_version(self._session, id) for id in version.test_cases]

    def load_test_samples(self) -> list[tuple[TestCase[Any, Any], list[Any]]]:
        """Each test case with its test samples, in order."""
        return [(case, [sample for sample, _ in case.load_test_samples()]) for case in self.test_cases]

    def _checked(self, cases: Sequence[TestCase[Any, Any]]) -> list[str]:
        """Ids of the versions of the cases."""
        if not isinstance(cases, Iterable):
            raise InvalidInputError(f"test_cases is {shown_value(cases)}; it must be a list of test cases")
        ids: dict[str, str] = {}
        for number, case in enumerate(cases):
            if not isinstance(case, TestCase) or case.workflow != self.workflow:
                raise InvalidInputError(
                    f"test_cases[{number}] is {case!r}; it must be a test case of {self.workflow.name!r}"
                )
            if not case.session.is_same_namespace(self._session):
                raise InvalidInputError(f"test_cases[{number}] lies in {case.session!r}; copy it here first")
            if case.id in ids:
                raise InvalidInputError(
                    f"test_cases[{number}], {case.name!r}, stands in the suite twice; leave one out"
                )
            ids[case.id] = case.version_id
        return list(ids.values())

    def _ensure(
        self, changes: Changes, name: str, content: list[str] | None, reset: bool, said: dict[str, Any]
    ) -> None:
        workflow_id = self.workflow.ensure(changes)
        if any(changes.draft.get("test_case_version", id) is None for id in content or ()):
            raise ConflictError(
                f"a test case given to test suite {name!r} is not in {self._session.namespace!r}: it was deleted, "
                "the transaction that made it was not committed, or another writer made one of its name first; make it "
                "again"
            )
        row = changes.draft.find("test_suite", name)
        if row is None:
            record = TestSuiteRecord(
                id=changes.new_id("test_suite", name),
                name=name,
                workflow=workflow_id,
                version=int(bool(content)),
                **said,
            )
            changes.create(record)
            _add_version(changes, record, content or [])
            return
        record = row.load(TestSuiteRecord)
        self._check_workflow(changes.draft, record)
        newer = record.replaced(**said)
        if content is not None and content != _content(changes.draft, record):
            self._ignored = bool(record.version) and not reset
            if not self._ignored:
                newer = newer.replaced(version=record.version + 1)
        changes.update(row, newer)
        if content is not None and newer.version != record.version:
            _add_version(changes, newer, content)

    def __repr__(self) -> str:
        return f"<TestSuite {self.name!r} version {self.version}>"


def _add_version(changes: Changes, suite: TestSuiteRecord, content: list[str]) -> None:
    changes.create(
        TestSuiteVersionRecord(
            id=changes.new_id("test_suite_version", suite.id),
            name=str(suite.version),
            test_suite=suite.id,
            test_cases=content,
        )
    )


def _content(state: State, suite: TestSuiteRecord) -> list[str]:
    row = state.find("test_suite_version", str(suite.version), suite.id)
    return [] if row is None else row.load(TestSuiteVersionRecord).test_cases
