"""Test suites of face recognition 1:1: test cases, some of which are the baseline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Self

from localreg.fr.test_case import TestCase
from localreg.fr.workflow import WORKFLOW, Pair
from localreg.names import check_flag
from localreg.records.workflows import TestSuiteVersionRecord
from localreg.workflow.test_case import TestCase as AnyCase
from localreg.workflow.test_suite import TestSuite as AnySuite
from localreg.workflow.test_suite import TestSuiteEditor as AnySuiteEditor

__all__ = ["TestSuite", "TestSuiteEditor"]


class TestSuiteEditor(AnySuiteEditor):
    """Collects the changes of one `with suite.edit()` block; they become one version when the block ends."""

    __test__ = False

    def __init__(self, suite: TestSuite, *, reset: bool) -> None:
        super().__init__([] if check_flag(reset, what="reset") else suite.test_cases, suite.tags)
        baseline = {case.id for case in suite.baseline_test_cases}
        self._is_baseline = {case.id: case.id in baseline for case in self._cases.values()}

    def add(self, test_case: AnyCase[Any, Any], is_baseline: bool | None = None) -> None:
        """Add a test case at the end; another version of it that is there goes.

        Args:
            test_case: the case.
            is_baseline: whether thresholds are set by it; None = as it was in this suite, else False.
        """
        before = self._is_baseline.get(getattr(test_case, "id", ""), False)
        super().add(test_case)
        self._is_baseline[test_case.id] = before if is_baseline is None else is_baseline

    def remove(self, test_case: AnyCase[Any, Any]) -> None:
        """Remove a test case, whatever its version; one that is not there is no mistake."""
        super().remove(test_case)
        self._is_baseline.pop(test_case.id, None)

    def _baseline(self) -> list[AnyCase[Any, Any]]:
        return [case for case in self._cases.values() if self._is_baseline[case.id]]


class TestSuite(AnySuite):
    """One version of a test suite: a named, versioned list of test cases.

    Args:
        name: unique in the namespace, across workflows.
        version: load this version; None = the newest, made if there is none.
        description: free text; where given, applied without a new version.
        baseline_test_cases: those by which thresholds are set.
        non_baseline_test_cases: the others. Content given for an existing suite is ignored with a warning, unless the
            suite is empty or `reset` is set.
        reset: replace the content by what is given, as a new version.

    Raises:
        InvalidInputError: what is given is no test case of this workflow, or one case stands there twice.
        WorkflowMismatchError: the name belongs to a suite of another workflow.
        NotFoundError: no such version.
    """

    workflow = WORKFLOW
    test_case_class: ClassVar[type[AnyCase[Any, Any]]] = TestCase

    def __init__(
        self,
        name: str,
        version: int | None = None,
        description: str | None = None,
        baseline_test_cases: Sequence[TestCase] | None = None,
        non_baseline_test_cases: Sequence[TestCase] | None = None,
        reset: bool = False,
    ) -> None:
        cases, baseline = _content(baseline_test_cases, non_baseline_test_cases)
        self._open(name, version, description, cases, reset, baseline=baseline)

    @classmethod
    def create(  # type: ignore[override] # two lists of test cases instead of one
        cls,
        name: str,
        description: str | None = None,
        baseline_test_cases: Sequence[TestCase] | None = None,
        non_baseline_test_cases: Sequence[TestCase] | None = None,
    ) -> Self:
        """Make a test suite.

        Raises:
            AlreadyExistsError: there is one of that name.
        """
        cases, baseline = _content(baseline_test_cases, non_baseline_test_cases)
        return cls._created(name, description, cases, baseline=baseline)

    @classmethod
    def load_by_name(cls, name: str, version: int | None = None) -> Self:
        """`load`, by another name."""
        return cls.load(name, version)

    @contextmanager
    def edit(self, reset: bool = False) -> Iterator[TestSuiteEditor]:
        """Change the test suite in a `with` block; when it ends, the changes become the next version.

        An edit without effect makes no version, and an exception inside the block changes nothing.

        Args:
            reset: begin with no test case, instead of those that the suite holds.

        Raises:
            ConflictError: the suite was edited by somebody else since this object was loaded.
        """
        editor = TestSuiteEditor(self, reset=reset)
        tags = set(editor.tags)
        yield editor
        self._edited(editor, editor.tags if editor.tags != tags else None, editor._baseline())

    @property
    def baseline_test_cases(self) -> list[AnyCase[Any, Any]]:
        """Those of its test cases by which thresholds are set, for the others too."""
        return [case for case in self.test_cases if case.version_id in self._baseline_ids()]

    @property
    def non_baseline_test_cases(self) -> list[AnyCase[Any, Any]]:
        """The others."""
        return [case for case in self.test_cases if case.version_id not in self._baseline_ids()]

    @property
    def baseline_image_count(self) -> int:
        """How many images stand in the pairs of its baseline, each counted once."""
        pairs = self._baseline_pairs()
        return len({locator for pair in pairs for locator in (pair.locator_a, pair.locator_b)})

    @property
    def baseline_pair_count_genuine(self) -> int:
        """How many pairs of its baseline show one person."""
        return sum(self._baseline_pairs().values())

    @property
    def baseline_pair_count_imposter(self) -> int:
        """How many pairs of its baseline show two persons."""
        pairs = self._baseline_pairs()
        return len(pairs) - sum(pairs.values())

    def _baseline_pairs(self) -> dict[Pair, bool]:
        """The pairs of its baseline, each once, and whether they show one person."""
        return {pair: truth.is_same for case in self.baseline_test_cases for pair, truth in case.iter_test_samples()}

    def _baseline_ids(self) -> list[str]:
        version = self._row.load(TestSuiteVersionRecord)
        return version.test_cases if version.baseline is None else version.baseline


def _content(
    baseline: Sequence[TestCase] | None, others: Sequence[TestCase] | None
) -> tuple[list[TestCase] | None, list[TestCase] | None]:
    """All test cases, and those that are the baseline; None = nothing is said of either."""
    if baseline is None and others is None:
        return None, None
    return [*(baseline or ()), *(others or ())], list(baseline or ())
