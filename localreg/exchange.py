"""Rows in and out of a registry, in forms that other programs read and write: tables, files, COCO JSON."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from localreg import models
from localreg.errors import InvalidInputError
from localreg.session import Session

if TYPE_CHECKING:
    from localreg.coco import Model as CocoModel
    from localreg.coco import TestSuite as CocoSuite
    from localreg.workflow import StoredWorkflow, TestSuite
    from localreg.workflow.bulk.add import OnKnown
    from localreg.workflow.bulk.record import OnUnknown
    from localreg.workflow.bulk.report import BulkReport, OnInvalid

__all__ = ["Exchange"]


def _inference_reader() -> models.InferenceReader:
    from localreg.workflow.reader import READER

    return READER


models.serve_inferences(_inference_reader)  # models stand below workflows, which know how


class Exchange:
    """What a `Registry` takes in and gives out by name; who has the types has `TestSuite.add` and `Model.record`."""

    _session: Session

    # --- tables -----------------------------------------------------------------------------------------------------

    def import_samples(
        self,
        table: object,
        *,
        suite: str,
        workflow: str | None = None,
        case: str | None = None,
        columns: Mapping[str, str] | None = None,
        metadata: Sequence[str] = (),
        on_invalid: OnInvalid = "raise",
        on_known: OnKnown = "raise",
    ) -> BulkReport:
        """Add test samples with their ground truths to a test suite, from a table with a row for each, in one commit.

        See `TestSuite.add` for what a table may be, and for the other arguments.

        Args:
            table: what has the rows.
            suite: its name; made if there is none.
            workflow: name of the one that a new suite is of; None = the suite is there.
            case: the test case; None = the one named like the suite.
            columns: by field the column that holds it, where that is called otherwise.
            metadata: columns that become metadata of the samples.
            on_invalid: `raise` or `skip`, for rows that cannot be stored.
            on_known: `raise`, `skip` or `replace`, for rows whose sample is there with another ground truth.

        Raises:
            InvalidInputError: a row or a column cannot be taken; nothing is stored.
            NotFoundError: there is no such workflow, or no such suite and no workflow is named.
            WorkflowMismatchError: the suite is of another workflow.
        """
        return self._suite(suite, workflow).add(
            table, case, columns=columns, metadata=metadata, on_invalid=on_invalid, on_known=on_known
        )

    def import_inferences(
        self,
        table: object,
        *,
        model: str,
        workflow: str | None = None,
        suite: str | None = None,
        on: str | Sequence[str] | None = None,
        columns: Mapping[str, str] | None = None,
        on_invalid: OnInvalid = "raise",
        on_unknown: OnUnknown = "raise",
        reset: bool = False,
    ) -> BulkReport:
        """Record inferences that were made elsewhere, from a table with a row for each sample, in one commit.

        See `Model.record` for what a table may be, and for the other arguments.

        Args:
            table: what has the rows.
            model: its name, `name@version` or `name@alias`; made if there is none.
            workflow: name of the one that the model is of; None = the suite's, or the one that the model is bound to.
            suite: whose samples these are; None = any samples of the workflow.
            on: the fields by which a row tells its sample; None = `locator`, if there is one, else all fields.
            columns: by field the column that holds it, where that is called otherwise.
            on_invalid: `raise` or `skip`, for rows that cannot be stored.
            on_unknown: `raise` or `skip`, for rows whose sample is not known.
            reset: replace what is stored of these samples.

        Raises:
            InvalidInputError: a row or a column cannot be taken, or it cannot be told which workflow is meant.
            NotFoundError: there is no such workflow or test suite.
            NonDeterministicError: something else is stored of a sample for this version, and `reset` is not set.
            WorkflowMismatchError: the model or the suite is of another workflow.
        """
        found = None if suite is None else self._suite(suite, None)
        of = self._workflow(workflow, found, model)
        return of.model(model).record(
            table, on, suite=found, columns=columns, on_invalid=on_invalid, on_unknown=on_unknown, reset=reset
        )

    def _suite(self, name: str, workflow: str | None) -> TestSuite:
        from localreg.workflow.stored import get_stored_test_suite, get_stored_workflow

        if workflow is not None:
            return get_stored_workflow(self._session, workflow).test_suite(name)
        return get_stored_test_suite(self._session, name).test_suite()

    def _workflow(self, name: str | None, suite: TestSuite | None, model: str) -> StoredWorkflow:
        from localreg.workflow.stored import get_stored_workflow

        if name is None and suite is not None:
            name = suite.workflow.name
        if name is None:
            state = self._session.state()
            known = models.find_model(self._session, model)
            bound = None if known is None or known.info.workflow is None else state.get("workflow", known.info.workflow)
            if bound is None:
                raise InvalidInputError(f"model {model!r} is of no workflow yet; pass workflow= to say which it is")
            name = bound.name
        return get_stored_workflow(self._session, name)

    # --- COCO -------------------------------------------------------------------------------------------------------

    def import_coco(
        self,
        annotations: str | os.PathLike[str] | Mapping[str, object],
        *,
        suite: str,
        images_root: str | os.PathLike[str] | None = None,
        description: str | None = None,
        reset: bool = False,
    ) -> CocoSuite:
        """Make a test suite of COCO annotations, of one test case of its name, in one commit.

        Images without annotations are samples, too. The same file again changes nothing.

        Args:
            annotations: path of the JSON file, or what stands in it.
            suite: its name.
            images_root: a folder, or an address, that goes before each `file_name` in the image's locator.
            description: free text.
            reset: replace what the suite holds, as a new version.

        Raises:
            InvalidInputError: it is no such file, or something in it cannot be (an id twice, an unknown image or
                category, a box of negative width, NaN): how often, and where first. Nothing is written.
            NotFoundError: there is no such file.
            AlreadyExistsError: the suite holds something else, and `reset` is not set.
        """
        from localreg.coco.annotations import import_annotations

        return import_annotations(
            self._session, annotations, suite=suite, images_root=images_root, description=description, reset=reset
        )

    def import_coco_results(
        self,
        results: str | os.PathLike[str] | Sequence[Mapping[str, object]],
        *,
        suite: str | CocoSuite,
        model: str | CocoModel,
        reset: bool = False,
    ) -> CocoModel:
        """Store COCO results as what a model saw in the images of a test suite, in one commit.

        A results file does not name the images in which nothing was found. So an image without a result counts as
        looked at, with an empty list: if it were missing instead, a model would be measured only where it saw
        something, and COCO metrics, which count what was overlooked in all images, could not be told.

        Args:
            results: path of the JSON file, or what stands in it.
            suite: that the images belong to; its name, at its newest version.
            model: its name, `name@version` or `name@alias`; made if there is none.
            reset: replace what is stored of these images.

        Raises:
            InvalidInputError: it is no such file, or something in it cannot be (an image or category that the suite
                does not have, a score that is NaN): how often, and where first. Nothing is written.
            NotFoundError: there is no such file or suite.
            NonDeterministicError: other results are stored of the same model version, and `reset` is not set.
            WorkflowMismatchError: the model, or the suite, belongs to another workflow.
        """
        from localreg.coco.results import import_results

        return import_results(self._session, results, suite=suite, model=model, reset=reset)

    def export_coco(
        self, path: str | os.PathLike[str], *, suite: str | models.SuiteVersion, overwrite: bool = False
    ) -> int:
        """Write a test suite as COCO annotations; `model.export_inferences` writes the results that go with them.

        Any workflow will do whose ground truth has one list of labelled boxes. Categories without an id are numbered by
        name, images and annotations as they come.

        Args:
            path: a local file, in a folder that is there; it appears when it is whole.
            suite: its name, at its newest version; or a `TestSuite`, at the version that it shows.
            overwrite: replace a file that is there.

        Returns:
            How many annotations were written.

        Raises:
            AlreadyExistsError: there is a file, and `overwrite` is not set.
            InvalidInputError: the types have no such boxes; or two images, or categories, have one id.
            NotFoundError: there is no such suite.
            StorageError: it cannot be written; what was there before is there still.
        """
        from localreg.coco.export import export_annotations

        return export_annotations(self._session, path, suite=suite, overwrite=overwrite)
