"""Models as model testers hold them: a name, and a function from test sample to inference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

import localreg.models as registered
from localreg.canonical import JsonObject, checked_object
from localreg.errors import AlreadyExistsError, InvalidInputError, NotFoundError, WorkflowMismatchError
from localreg.log import Row, State
from localreg.names import check_name, check_tags, check_version, new_id, shown_value, split_reference
from localreg.records.models import ModelRecord
from localreg.session import Changes, Session
from localreg.session.current import current_session
from localreg.workflow.case_content import version_rows
from localreg.workflow.ground_truth import GroundTruth
from localreg.workflow.inference import Inference
from localreg.workflow.inferences import OK, SKIPPED, Inferences
from localreg.workflow.reader import READER
from localreg.workflow.samples import sample_count, samples_at
from localreg.workflow.test_case import TestCase
from localreg.workflow.test_sample import TestSample
from localreg.workflow.workflow import Workflow

if TYPE_CHECKING:
    from localreg.models import ModelVersion
    from localreg.records.determinism import Determinism, Level
    from localreg.workflow.bulk.record import OnUnknown
    from localreg.workflow.bulk.report import BulkReport, OnInvalid
    from localreg.workflow.test_suite import TestSuite

__all__ = ["Model"]

SampleT = TypeVar("SampleT", bound=TestSample)
TruthT = TypeVar("TruthT", bound=GroundTruth)
InferenceT = TypeVar("InferenceT", bound=Inference)

registered.serve_inferences(lambda: READER)

BATCH = 10_000
"""Rows that `iter_inferences` turns into objects at once."""


class Model(registered.Model, Generic[SampleT, TruthT, InferenceT]):
    """A model of a workflow, created or loaded by name: the handle of it, and the function that infers.

    Get the class from `define_workflow`.

    Args:
        name: unique in the namespace, across workflows; `name@version` and `name@alias` mean that version.
        infer: from a test sample to its inference; None = skipped. Never sees ground truth. May be left out if only
            stored inferences are wanted.
        metadata: any JSON object, for a model that is made now; on an existing one it is not applied, with a warning.
        tags: as `metadata`.
        version: the version to run and to load inferences of; None = the newest at each look.

    Raises:
        WorkflowMismatchError: the model belongs to another workflow.
        NotFoundError: it has no such version, or the name means a version of another model that it does not have.
    """

    workflow: ClassVar[Workflow]

    def __init__(
        self,
        name: str,
        infer: Callable[[SampleT], InferenceT | None] | None = None,
        metadata: Mapping[str, object] | None = None,
        tags: Iterable[str] | None = None,
        version: str | int | None = None,
    ) -> None:
        session = current_session()
        _check_infer(infer)
        fresh, asked = new_id(), _asked(metadata, tags)
        name, version = _referred(session.state(), check_name(name), version)
        state = session.state()
        row = state.find("model", name)
        if row is None and version is None:
            _refuse_missing_version(state, name)
            state = session.change(lambda changes: self._create(changes, fresh, name, asked, exist_ok=True))
            row = state.find("model", name)
            assert row is not None, "the change made it, or found it"
        if row is None:
            registered.get_model(session, name)  # raises, with near names
        assert row is not None
        self._show(session, state, row, infer, version)
        if row.id != fresh:
            registered.warn_of_differences(row, asked, stacklevel=2)

    @classmethod
    def create(
        cls,
        name: str,
        infer: Callable[[SampleT], InferenceT | None] | None = None,
        metadata: Mapping[str, object] | None = None,
        tags: Iterable[str] | None = None,
    ) -> Self:
        """Register a model.

        Raises:
            AlreadyExistsError: there is one of that name.
        """
        session, fresh, asked = current_session(), new_id(), _asked(metadata, tags)
        _check_infer(infer)
        name = check_name(name)
        state = session.change(lambda changes: cls._create(changes, fresh, name, asked, exist_ok=False))
        return cls._loaded(session, state, name, infer, None)

    @classmethod
    def load(
        cls,
        name: str,
        infer: Callable[[SampleT], InferenceT | None] | None = None,
        version: str | int | None = None,
    ) -> Self:
        """A model that is there.

        Raises:
            NotFoundError: there is none of that name or version.
            WorkflowMismatchError: it belongs to another workflow.
        """
        session = current_session()
        name, version = _referred(session.state(), check_name(name), version)
        registered.get_model(session, name)  # raises, with near names
        return cls._loaded(session, session.state(), name, infer, version)

    @classmethod
    def load_all(cls, tags: Iterable[str] | None = None) -> list[Self]:
        """All models of the workflow that are not archived, in order of creation.

        Args:
            tags: only those that have all of these.
        """
        session = current_session()
        state, wanted = session.state(), set(check_tags(tags or ()))
        workflow = state.find("workflow", cls.workflow.name)
        records = () if workflow is None else (row.load(ModelRecord) for row in state.children("model"))
        return [
            cls._loaded(session, state, record.name, None, None)
            for record in records
            if workflow is not None
            and record.workflow == workflow.id
            and not record.archived
            and wanted <= set(record.tags)
        ]

    @classmethod
    def _loaded(
        cls,
        session: Session,
        state: State,
        name: str,
        infer: Callable[[SampleT], InferenceT | None] | None,
        version: str | int | None,
    ) -> Self:
        made = cls.__new__(cls)
        row = state.find("model", name)
        assert row is not None, "it was looked for before"
        made._show(session, state, row, infer, version)
        return made

    def _show(
        self,
        session: Session,
        state: State,
        row: Row,
        infer: Callable[[SampleT], InferenceT | None] | None,
        version: str | int | None,
    ) -> None:
        _check_infer(infer)
        super().__init__(session, row.id)
        check_binding(state, row.load(ModelRecord), self.workflow)
        self.infer = infer
        self._pinned = None if version is None else self._pinned_id(version)

    def _pinned_id(self, version: str | int) -> str:
        return self.version(version).id

    @classmethod
    def _create(cls, changes: Changes, fresh: str, name: str, asked: dict[str, Any], *, exist_ok: bool) -> None:
        if changes.draft.find("model", name) is None:
            registered.refuse_shadowing(changes.draft, name)
            changes.create(ModelRecord(id=fresh, name=name, workflow=cls.workflow.ensure(changes), **asked))
        elif not exist_ok:
            raise AlreadyExistsError(f"a model {name!r} exists already; load it, or choose another name")

    # --- what it is -------------------------------------------------------------------------------------------------

    @property
    def registered(self) -> registered.Model:
        """The plain handle of the model, without a function."""
        return registered.Model(self._session, self._id)

    @property
    def session(self) -> Session:
        """Where the model lies."""
        return self._session

    @property
    def shown_version(self) -> ModelVersion | None:
        """The version that runs, and whose inferences are loaded; None if there is none yet."""
        version = self.version_id(self._session.state())
        return None if version is None else registered.ModelVersion(self._session, version)

    def version_id(self, state: State) -> str | None:
        """Id of that version in a state."""
        if self._pinned is not None:
            return self._pinned
        versions = state.outlines("model_version", self._id)
        return versions[-1].id if versions else None

    def _inferring_version(self) -> str:
        version = self.version_id(self._session.state())
        return super()._inferring_version() if version is None else version

    def version_metadata(self) -> JsonObject:
        """What is said of that version, or of the model if there is none yet."""
        version = self.shown_version
        return self.metadata if version is None else version.metadata

    # --- what was made elsewhere ------------------------------------------------------------------------------------

    def record(
        self,
        table: object,
        on: str | Sequence[str] | None = None,
        *,
        suite: TestSuite | None = None,
        columns: Mapping[str, str] | None = None,
        on_invalid: OnInvalid = "raise",
        on_unknown: OnUnknown = "raise",
        reset: bool = False,
    ) -> BulkReport:
        """Record inferences that were made elsewhere, from a table with a row for each sample: one commit, or nothing.

        Rows may come in any order; each is laid to its sample by the fields that `on` names. A row whose inference has
        no value at all is a sample that the model skipped; if a column `status`, as exports have it, says `error` or
        `missing`, it is left out. What is stored already, and equal, is left as it is.

        Args:
            table: Arrow, pandas, Polars, a DuckDB relation, a Hugging Face data set, the path of a Parquet, CSV, JSON
                lines or Arrow file, rows as dicts, or an iterator of batches of these: read once, piece by piece.
            on: the field of the test samples, or several, by which a row tells whose inference it is; they need
                columns, too. None = `locator`, if samples and table have one, else all fields.
            suite: whose samples these are; its test run owns the rows. None = any samples of the workflow.
            columns: by field (`label`, `inference.label`, `box.top_left.x`) the column that holds it, where that is
                called otherwise.
            on_invalid: what a row does that cannot be stored, or whose sample stands in an earlier row: `raise` refuses
                all, `skip` leaves it out, and the report tells it.
            on_unknown: likewise of a row whose sample is not known.
            reset: replace what is stored of these samples.

        Returns:
            How many rows were stored, there already, and left out, and why.

        Raises:
            InvalidInputError: a row or a column cannot be taken, with its number and the reason; nothing is stored.
            NonDeterministicError: something else is stored of a sample for this version, and `reset` is not set.
        """
        from localreg.workflow.bulk.record import record

        return record(
            self,
            table,
            on=on,
            suite=suite,
            columns=columns,
            on_invalid=on_invalid,
            on_unknown=on_unknown,
            reset=reset,
        )

    # --- what it made -----------------------------------------------------------------------------------------------

    def load_inferences(self, test_case: TestCase[SampleT, TruthT]) -> list[tuple[SampleT, TruthT, InferenceT | None]]:
        """Each sample of a test case that the version has inferred, with its ground truth and the inference.

        A sample that the model skipped has the inference None; samples not inferred, or that failed, are left out.
        """
        return list(self.iter_inferences(test_case))

    def iter_inferences(
        self, test_case: TestCase[SampleT, TruthT]
    ) -> Iterator[tuple[SampleT, TruthT, InferenceT | None]]:
        """The same, made in batches.

        Raises:
            InvalidInputError: something else than a test case.
            WorkflowMismatchError: the test case belongs to another workflow.
        """
        import numpy as np
        import pyarrow as pa

        if not isinstance(test_case, TestCase):
            raise InvalidInputError(
                f"{shown_value(test_case)} is no test case; load one by its name, or go through a suite's test_cases"
            )
        if test_case.workflow.name != self.workflow.name:
            raise WorkflowMismatchError(
                f"{shown_value(test_case)} is no test case of workflow {self.workflow.name!r}, to which model "
                f"{self.name!r} belongs"
            )
        state = self._session.state()
        version = self.version_id(state)
        if version is None:
            return
        types, workflow_id = self.workflow.types(state), self.workflow_id(state)
        case = version_rows(self._session, state, types, test_case.version_id)
        inferences = Inferences(self._session, state, version, sample_count(state, workflow_id))
        status = inferences.status[case.indices]
        done = np.flatnonzero((status == OK) | (status == SKIPPED))
        samples = samples_at(self._session, state, workflow_id, types.test_sample, case.indices[done])
        truths = case.truths if len(done) == len(case.indices) else case.truths.take(pa.array(done))
        made = inferences.rows(types.inference, case.indices[done])
        for begin in range(0, len(done), BATCH):
            yield from zip(
                types.test_sample.objects(samples.slice(begin, BATCH)),
                types.ground_truth.objects(truths.slice(begin, BATCH)),
                types.inference.objects(made.slice(begin, BATCH)),
                strict=True,
            )

    def verify_determinism(
        self,
        suite: TestSuite | None = None,
        n: int = 32,
        *,
        level: Level = "bit-exact",
        batch_size: int | None = None,
        rtol: float = 1e-5,
        atol: float = 1e-8,
        timeout_s: float = 600,
    ) -> Determinism:
        """Infer some samples again in a fresh process, and tell how far the answers stay the same; see `Determinism`.

        They are inferred twice, in another order, in batches of other sizes (if `batch_size` is given), by another
        process and with another number of threads, and compared with each other and with what is stored. What is
        compared with what is told in `localreg.workflow.agreement`. The verdict is kept with the version, in place of
        an earlier one, in one commit; a version that is weaker than `level` is no error: ask `verdict.ok`.

        `infer` must be one that another process can be told of: a function of a module; lambdas and functions of
        notebooks and scripts if `cloudpickle` is installed.

        Args:
            suite: samples of this one; None = any of the workflow's. Of those that the version has inferred, or of all
                if it has inferred none, which then are compared with each other alone.
            n: how many samples, at most. The same ones each time, chosen by their content.
            level: how much has to stay the same for `ok`.
            batch_size: as in `test`: give it if `infer` takes lists.
            rtol: of floats, relative to the greater of two, for `within tolerance`.
            atol: likewise, absolute, in addition.
            timeout_s: how long the process may take to start, or for one call of `infer`; then it is ended.

        Raises:
            InvalidInputError: there are no samples, or `infer` cannot be sent to the process, raises at the first time
                that it is asked there, ends the process, or does not return; nothing is stored.
            WorkflowMismatchError: the suite belongs to another workflow.
            ReadOnlyError: the verdict could not be kept.
        """
        from localreg.workflow.agreement import Tolerance
        from localreg.workflow.determinism import Trial, verify_determinism

        return verify_determinism(self._running(), suite, Trial(n, level, batch_size, Tolerance(rtol, atol), timeout_s))

    def _running(self) -> Self:
        """This model as it is run: with an `infer` from sample to inference."""
        return self

    def workflow_id(self, state: State) -> str:
        """Id of the workflow in the namespace.

        Raises:
            WorkflowMismatchError: it was not recorded there, or with other types.
        """
        row = state.find("workflow", self.workflow.name)
        if row is None:
            raise WorkflowMismatchError(f"workflow {self.workflow.name!r} has not been used in this namespace yet")
        self.workflow.check(row)
        return row.id

    def _shown(self) -> str:
        return f"{self.name!r} of workflow {self.workflow.name!r}"


def _asked(metadata: Mapping[str, object] | None, tags: Iterable[str] | None) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    if metadata is not None:
        asked["metadata"] = checked_object(metadata, what="metadata")
    if tags is not None:
        asked["tags"] = check_tags(tags)
    return asked


def _check_infer(infer: object) -> None:
    if infer is not None and not callable(infer):
        raise InvalidInputError(f"infer is {shown_value(infer)}; pass a function from test sample to inference")


def _refuse_missing_version(state: State, name: str) -> None:
    """Make no new model of a name that was to mean a version of one that is there."""
    for model, what in split_reference(name)[1:]:
        if state.find("model", model) is not None:
            raise NotFoundError(
                f"model {model!r} has no version or alias {what!r}; make one with create_version(), or, for a new "
                f"model that is named {name!r}, take Model.create"
            )


def _referred(state: State, name: str, version: str | int | None) -> tuple[str, str | int | None]:
    """The model and the version that a name means; an exact name wins over `name@version`."""
    if version is not None:
        return name, check_version(version)
    if state.find("model", name) is None:
        for model, what in split_reference(name):
            row = state.find("model", model)
            if row is None or what is None:
                continue
            if state.find("model_version", what, row.id) is not None:
                return model, what
            alias = state.find("alias", what, row.id)
            if alias is not None:
                found = state.get("model_version", str(alias.fields["version"]))
                if found is not None:
                    return model, found.name
    return name, None


def check_binding(state: State, model: ModelRecord, workflow: Workflow) -> None:
    """Raise `WorkflowMismatchError` if a model is bound to another workflow."""
    bound = None if model.workflow is None else state.get("workflow", model.workflow)
    if bound is None:
        return
    if bound.name != workflow.name:
        raise WorkflowMismatchError(
            f"model {model.name!r} belongs to workflow {bound.name!r}, not to {workflow.name!r}; choose another name"
        )
    workflow.check(bound)
