"""Running a model for face recognition 1:1 on a test suite: extract each image, then compare each pair."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from localreg.errors import ConflictError, InvalidInputError
from localreg.fr.embeddings import EmbeddingUpload
from localreg.fr.extraction import Extraction
from localreg.fr.model import InferenceModel
from localreg.fr.test_suite import TestSuite
from localreg.fr.workflow import Pair, Similarity
from localreg.log import State
from localreg.metrics.reading import number_of
from localreg.names import shown_value
from localreg.session import Changes
from localreg.session.changes import Operation
from localreg.workflow.run_content import unique
from localreg.workflow.samples import samples_at
from localreg.workflow.test_run import TestRun as AnyRun

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TestRun", "test"]


def test(model: InferenceModel, test_suite: TestSuite, reset: bool = False) -> TestRun:  # noqa: PT028
    """Run a model on a test suite: see `TestRun`.

    Raises:
        InvalidInputError: the suite is empty, or a function returned something else; the image, or pair, is named.
        Exception: what `extract` or `compare` raised; what was made before is kept.
    """
    run = TestRun(model, test_suite, reset=reset)
    run.run()
    return run


test.__test__ = False  # type: ignore[attr-defined]


class TestRun(AnyRun):
    """One model version on one version of a test suite. The same two are the same run.

    Each image is extracted once for a model version, whatever suites it stands in, and each pair compared once. What
    is made is written every second; embeddings and similarities become one commit when the run ends. A run that was
    killed, or ended by an exception, is taken up there.

    Args:
        model: with its functions.
        test_suite: of face recognition 1:1.
        reset: extract and compare all again; what is stored is replaced in one commit, when all are done.
    """

    def __init__(self, model: InferenceModel, test_suite: TestSuite, reset: bool = False) -> None:
        if not isinstance(model, InferenceModel):
            raise InvalidInputError(
                f"{shown_value(model)} has no functions to run; take InferenceModel.create(name, extract, compare), or "
                "InferenceModel.load_by_name(name, extract, compare)"
            )

        def infer(pair: Pair) -> Similarity:
            return self._similarity(pair)

        self._extract, self._compare = model.functions
        infer.__localreg_calls__ = model.functions  # type: ignore[attr-defined] # whose code the fingerprint tells
        running = copy.copy(model)
        running.infer = infer
        super().__init__(running, test_suite, reset=reset)
        self._extraction: Extraction | None = None

    def run(self) -> int:
        """Extract and compare what is missing, and store it.

        Several processes may run the same at once: each extracts other images, and compares other pairs.

        Returns:
            How many pairs were compared now.
        """
        state = self._session.state()
        locators = self._locators(state)
        if not locators:
            return super().run()
        extraction = Extraction(self._session, self._model_name, self._extract, locators)
        self._extraction = extraction
        try:
            if self._session.transaction_here() is not None:
                extraction.run_alone(self.model.version_id(state), reset=self.reset)
                return super().run()
            return self._run_outside(extraction)
        finally:
            self._extraction = None

    def _run_outside(self, extraction: Extraction) -> int:
        """The run outside of a transaction: also what was made before an exception is stored."""
        version = self.model.version_id(self._session.change(self._record.begin))
        assert version is not None, "the run was begun with one"
        pinned, self.model._pinned = self.model._pinned, version  # also if a newer one is made meanwhile
        try:
            extraction.run(version, self.test_suite.version_id, reset=self.reset)
            return super().run()
        finally:
            try:
                if extraction.fresh and not self.reset:
                    self._session.change(self._upload(extraction))
                extraction.discard()
            finally:
                self.model._pinned = pinned

    def _with(self, upload: Operation) -> Operation:
        if self._extraction is None or not self._extraction.fresh:
            return upload
        embeddings = self._upload(self._extraction)

        def both(changes: Changes) -> None:
            upload(changes)
            embeddings(changes)

        return both

    def _upload(self, extraction: Extraction) -> EmbeddingUpload:
        def ensure(changes: Changes) -> tuple[str, str, str]:
            return self._record.ensure(changes, self.model.version_id(changes.draft))

        return EmbeddingUpload(self._session, extraction.fresh, replaces=self.reset, ensure=ensure)

    def _locators(self, state: State) -> list[str]:
        """The images of the pairs that lack a similarity, each once, in the order of the suite."""
        import pyarrow as pa
        import pyarrow.compute as pc

        rows = unique(self._record.suite_indices(state))
        lacking = rows if self.reset else rows[self._inferring.lacking(state, rows)]
        column, workflow_id = self.model.workflow.types(state).test_sample, self.model.workflow_id(state)
        pairs = samples_at(self._session, state, workflow_id, column, lacking)["sample"]
        sides = [pc.struct_field(pairs, name) for name in ("locator_a", "locator_b")]
        locators: pa.Array = pc.unique(
            pa.chunked_array([chunk for side in sides for chunk in side.chunks], pa.string())
        )
        return [str(locator) for locator in locators.to_pylist()]

    def _similarity(self, pair: Pair) -> Similarity:
        assert self._extraction is not None, "images are extracted before pairs are compared"
        vectors = self._extraction.vectors
        try:
            a, b = vectors[pair.locator_a], vectors[pair.locator_b]
        except KeyError as error:
            raise ConflictError(
                f"what {self._model_name!r} made of {pair!r} was deleted during the test run; run it again"
            ) from error
        if a is None or b is None:
            return Similarity(None, a is None, b is None)
        value = self._compare(a, b)
        similarity = number_of(value)
        if similarity is None:
            raise InvalidInputError(
                f"compare of model {self._model_name!r} returned {shown_value(value)} for {pair.locator_a!r} and "
                f"{pair.locator_b!r}; it must return a number"
            )
        return Similarity(similarity, False, False)
