"""Models for face recognition 1:1: what they made, and the two functions that make it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from localreg.errors import InvalidInputError, WorkflowMismatchError
from localreg.fr.batching import batches
from localreg.fr.workflow import WORKFLOW, Identity, Pair, Similarity
from localreg.names import shown_value
from localreg.query import Result
from localreg.workflow.case_content import version_rows
from localreg.workflow.inferences import OK, Inferences
from localreg.workflow.model import Model as AnyModel
from localreg.workflow.samples import concatenated, sample_count, samples_at
from localreg.workflow.test_case import TestCase as AnyCase
from localreg.workflow.test_suite import TestSuite as AnySuite

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Vector: TypeAlias = npt.NDArray[np.floating[Any]] | npt.NDArray[np.integer[Any]]
    Extract: TypeAlias = Callable[[str], Vector | None]
    Compare: TypeAlias = Callable[[npt.NDArray[np.float32], npt.NDArray[np.float32]], float]

__all__ = ["InferenceModel", "Model"]


class Model(AnyModel[Pair, Identity, Similarity]):
    """A model for face recognition 1:1, by its name: to look at what it made. To run one, take `InferenceModel`."""

    workflow = WORKFLOW

    @classmethod
    def create(cls, name: str, metadata: Mapping[str, object] | None = None) -> Self:  # type: ignore[override]
        """Register a model.

        Raises:
            AlreadyExistsError: there is one of that name.
        """
        return super().create(name, None, metadata)

    @classmethod
    def load_by_name(cls, name: str) -> Self:
        """A model that is there; `name@version` and `name@alias` mean that version.

        Raises:
            NotFoundError: there is none of that name.
            WorkflowMismatchError: it belongs to another workflow.
        """
        return cls.load(name)

    def load_pair_results(self, test_object: AnyCase[Any, Any] | AnySuite) -> Result:
        """The pairs of a test case or test suite that the model has compared; `.df()` makes a data frame of them.

        Columns: `locator_a`, `locator_b`, `is_same`, `image_a_fte` and `image_b_fte` (the image failed to enrol), and
        `similarity` (DOUBLE; null if one of them did). A pair that several test cases of a suite hold stands there
        once, or twice if they tell different truths. Pairs not compared yet are left out.

        Raises:
            InvalidInputError: neither a test case nor a test suite.
            WorkflowMismatchError: it belongs to another workflow.
        """
        cases = _cases(self, test_object)
        return Result(lambda: self._pair_results(cases))

    def iter_pair_results(
        self, test_object: AnyCase[Any, Any] | AnySuite, batch_size: int = 10_000_000
    ) -> Iterator[Result]:
        """The same in batches of so many rows."""
        return batches(self.load_pair_results(test_object), batch_size)

    def _pair_results(self, cases: list[AnyCase[Any, Any]]) -> pa.Table:
        import numpy as np
        import pyarrow.compute as pc

        state = self._session.state()
        types, workflow_id = self.workflow.types(state), self.workflow_id(state)
        contents = [version_rows(self._session, state, types, case.version_id) for case in cases]
        indices = concatenated(content.indices for content in contents)
        truths = [content.truths["ground_truth"].combine_chunks() for content in contents]
        is_same = concatenated(pc.struct_field(each, "is_same").to_numpy(zero_copy_only=False) for each in truths)
        _, first = np.unique(indices * 2 + is_same.astype(bool), return_index=True)
        rows = np.sort(first)
        version = self.version_id(state) or ""  # of no version there are no inferences
        inferences = Inferences(self._session, state, version, sample_count(state, workflow_id))
        rows = rows[inferences.status[indices[rows]] == OK]
        samples = samples_at(self._session, state, workflow_id, types.test_sample, indices[rows])
        made = inferences.rows(types.inference, indices[rows])
        return _table(samples["sample"], is_same[rows].astype(bool), made["inference"])


def _table(pairs: pa.ChunkedArray, is_same: npt.NDArray[np.bool_], made: pa.ChunkedArray) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = {name: pc.struct_field(pairs, name) for name in ("locator_a", "locator_b")}
    results = {name: pc.struct_field(made, name) for name in ("image_a_fte", "image_b_fte", "similarity")}
    return pa.table({**columns, "is_same": pa.array(is_same, pa.bool_()), **results})


def _cases(model: Model, test_object: object) -> list[AnyCase[Any, Any]]:
    if not isinstance(test_object, AnyCase | AnySuite):
        raise InvalidInputError(f"{shown_value(test_object)} is neither a test case nor a test suite; load one by name")
    if test_object.workflow.name != model.workflow.name:
        raise WorkflowMismatchError(
            f"{test_object!r} belongs to workflow {test_object.workflow.name!r}, and model {model.name!r} to "
            f"{model.workflow.name!r}"
        )
    return [test_object] if isinstance(test_object, AnyCase) else test_object.test_cases


class InferenceModel(Model):
    """A model for face recognition 1:1 with its functions, created or loaded by name.

    Args:
        name: unique in the namespace, across workflows; `name@version` and `name@alias` mean that version.
        extract: from a locator to a numpy vector; None = the image fails to enrol. Called once for each image.
        compare: from two vectors to how alike they are, a finite number: the higher, the more. Both are what is stored
            (float32, read-only), whether the image was extracted now or long ago. Not called for failed images.
        metadata: any JSON object, for a model that is made now; on an existing one it is not applied, with a warning.
    """

    _functions: tuple[Extract, Compare] | None = None

    def __init__(
        self, name: str, extract: Extract, compare: Compare, metadata: Mapping[str, object] | None = None
    ) -> None:
        _check_functions(name, extract, compare)
        super().__init__(name, None, metadata)
        self._functions = extract, compare

    @classmethod
    def create(  # type: ignore[override] # two functions instead of one
        cls, name: str, extract: Extract, compare: Compare, metadata: Mapping[str, object] | None = None
    ) -> Self:
        """Register a model.

        Raises:
            AlreadyExistsError: there is one of that name.
        """
        _check_functions(name, extract, compare)
        return super().create(name, metadata)._with(extract, compare)

    @classmethod
    def load_by_name(cls, name: str, extract: Extract, compare: Compare) -> Self:  # type: ignore[override]
        """A model that is there; `name@version` and `name@alias` mean that version.

        Raises:
            NotFoundError: there is none of that name.
            WorkflowMismatchError: it belongs to another workflow.
        """
        _check_functions(name, extract, compare)
        return super().load_by_name(name)._with(extract, compare)

    def _with(self, extract: Extract, compare: Compare) -> Self:
        self._functions = extract, compare
        return self

    @property
    def functions(self) -> tuple[Extract, Compare]:
        """`extract` and `compare`.

        Raises:
            InvalidInputError: it was loaded without.
        """
        if self._functions is None:
            raise InvalidInputError(
                f"model {self.name!r} was loaded without its functions; take InferenceModel.load_by_name(name, "
                "extract, compare)"
            )
        return self._functions

    @property
    def extract(self) -> Extract:
        """From a locator to a numpy vector, or None."""
        return self.functions[0]

    @property
    def compare(self) -> Compare:
        """From two vectors to how alike they are."""
        return self.functions[1]


def _check_functions(name: str, extract: object, compare: object) -> None:
    for what, function in {"extract": extract, "compare": compare}.items():
        if not callable(function):
            raise InvalidInputError(f"{what} of model {name!r} is {shown_value(function)}; pass a function")
