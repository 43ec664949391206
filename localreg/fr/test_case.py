"""Test cases of face recognition 1:1: named, versioned sets of image pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from localreg.errors import InvalidInputError
from localreg.fr.batching import batches
from localreg.fr.workflow import WORKFLOW, Identity, Pair
from localreg.names import shown_value
from localreg.query import Result
from localreg.workflow.test_case import TestCase as AnyCase
from localreg.workflow.test_case import TestCaseEditor as AnyCaseEditor

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TestCase", "TestCaseEditor"]

Row: TypeAlias = tuple[str, str, bool]
"""Locators of the left and of the right image, and whether they show the same person."""


class TestCaseEditor:
    """Collects the changes of one `with case.edit()` block; they become one version when the block ends."""

    __test__ = False

    def __init__(self, editor: AnyCaseEditor[Pair, Identity]) -> None:
        self._editor = editor

    def description(self, description: str) -> None:
        """Replace the description; that alone makes no new version."""
        self._editor.description(description)

    def add(self, locator_a: str, locator_b: str, is_same: bool) -> None:
        """Add a pair at the end; one that is there already gets this truth, and moves to the end."""
        self._editor.add(*_stored((locator_a, locator_b, is_same), "the pair to add"))

    def remove(self, locator_a: str, locator_b: str) -> None:
        """Remove a pair; one that is not there is no mistake."""
        self._editor.remove(_stored((locator_a, locator_b, False), "the pair to remove")[0])


class TestCase(AnyCase[Pair, Identity]):
    """One version of a test case: a named, versioned set of image pairs.

    Args:
        name: unique in the namespace, across workflows.
        version: load this version; None = the newest, made if there is none.
        description: free text; where given, applied without a new version.
        test_samples: the content, in order: (locator_a, locator_b, is_same). Given for an existing case it is ignored
            with a warning, unless the case is empty or `reset` is set.
        reset: replace the content by `test_samples`, as a new version.

    Raises:
        InvalidInputError: something else than such a row, or one pair twice; nothing is written.
        WorkflowMismatchError: the name belongs to a case of another workflow.
        NotFoundError: no such version.
    """

    workflow = WORKFLOW

    def __init__(
        self,
        name: str,
        version: int | None = None,
        description: str | None = None,
        test_samples: Sequence[Row] | None = None,
        reset: bool = False,
    ) -> None:
        self._open(name, version, description, _pairs(test_samples, "test_samples"), reset)

    @classmethod
    def create(  # type: ignore[override] # here a sample and its ground truth are one row
        cls,
        name: str,
        description: str | None = None,
        test_samples: Sequence[Row] | None = None,
        *,
        data: Sequence[Row] | None = None,
    ) -> Self:
        """Make a test case.

        Args:
            name: unique in the namespace, across workflows.
            description: free text.
            test_samples: (locator_a, locator_b, is_same), in order.
            data: the same by another name.

        Raises:
            AlreadyExistsError: there is one of that name.
        """
        if test_samples is not None and data is not None:
            raise InvalidInputError(f"test case {name!r} is given both test_samples and data, which mean the same")
        what = "data" if test_samples is None else "test_samples"
        return super().create(name, description, _pairs(data if test_samples is None else test_samples, what))

    @classmethod
    def load_by_name(cls, name: str, version: int | None = None) -> Self:
        """`load`, by another name."""
        return cls.load(name, version)

    @classmethod
    def init_many(cls, data: Sequence[tuple[str, Sequence[Row]]], reset: bool = False) -> list[Self]:  # type: ignore[override]
        """Make or load many test cases in one commit: name and rows of each, as the constructor does for one."""
        content: list[Any] = [
            (each[0], _pairs(each[1], f"data[{number}][1]") or [])
            if isinstance(each, tuple | list) and len(each) == 2
            else each
            for number, each in enumerate(_listed(data, "data", "(name, rows)"))
        ]
        return super().init_many(content, reset)

    @contextmanager
    def edit(self, reset: bool = False) -> Iterator[TestCaseEditor]:  # type: ignore[override]
        """Change the test case in a `with` block; when it ends, the changes become the next version.

        An edit without effect makes no version, and an exception inside the block changes nothing.

        Args:
            reset: begin with nothing, instead of what the case holds.

        Raises:
            ConflictError: the case was edited by somebody else since this object was loaded.
        """
        with super().edit(reset) as editor:
            yield TestCaseEditor(editor)

    def load_data(self) -> Result:
        """The pairs, in the order of adding: `locator_a`, `locator_b`, `is_same`; `.df()` makes a data frame."""
        return Result(self._rows)

    def iter_data(self, batch_size: int = 10_000_000) -> Iterator[Result]:
        """The same in batches of so many rows."""
        return batches(self.load_data(), batch_size)

    @property
    def image_count(self) -> int:
        """How many images stand in its pairs, each counted once."""
        rows = self._rows()
        return len({*rows["locator_a"].to_pylist(), *rows["locator_b"].to_pylist()})

    @property
    def pair_count_genuine(self) -> int:
        """How many of its pairs show one person."""
        return sum(self._rows()["is_same"].to_pylist())

    @property
    def pair_count_imposter(self) -> int:
        """How many of its pairs show two persons."""
        return len(self) - self.pair_count_genuine

    def _rows(self) -> pa.Table:
        import pyarrow as pa

        pairs = list(self.iter_test_samples())
        return pa.table(
            {
                "locator_a": pa.array([pair.locator_a for pair, _ in pairs], pa.string()),
                "locator_b": pa.array([pair.locator_b for pair, _ in pairs], pa.string()),
                "is_same": pa.array([truth.is_same for _, truth in pairs], pa.bool_()),
            }
        )


def _pairs(rows: Sequence[Row] | None, what: str) -> list[tuple[Pair, Identity]] | None:
    if rows is None:
        return None
    listed = _listed(rows, what, "(locator_a, locator_b, is_same)")
    return [_stored(row, f"{what}[{number}]") for number, row in enumerate(listed)]


def _stored(row: object, what: str) -> tuple[Pair, Identity]:
    if isinstance(row, tuple | list) and len(row) == 3:
        a, b, is_same = row
        if isinstance(a, str) and isinstance(b, str) and is_same in (True, False):  # numpy's, too
            return Pair(a, b), Identity(bool(is_same))
    raise InvalidInputError(
        f"{what} is {shown_value(row)}; it must be (locator_a, locator_b, is_same): two texts, and True or False"
    )


def _listed(values: object, what: str, wanted: str) -> list[Any]:
    if not isinstance(values, Iterable) or isinstance(values, str | bytes | Mapping):
        raise InvalidInputError(f"{what} is {shown_value(values)}; it must be a list of {wanted}")
    return list(values)
