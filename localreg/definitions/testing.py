"""A registered model on a test suite, as its definition says: no Python types, no function to pass."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast
from uuid import uuid4

from localreg.canonical import JsonObject, JsonValue, canonical, sha256_hex
from localreg.definitions.definition import Definition, definition_of
from localreg.definitions.finding import recipe_of
from localreg.definitions.inferences import Assignment, made_by
from localreg.definitions.loading import Limits, started
from localreg.definitions.recipe import Recipe
from localreg.definitions.values import plain
from localreg.definitions.worker.base import Worker
from localreg.errors import ConflictError, DefinitionError, InvalidInputError, NotFoundError
from localreg.models import Model, ModelVersion, get_version
from localreg.names import check_text
from localreg.records.determinism import Determinism
from localreg.records.workflows import WorkflowRecord
from localreg.session import Elsewhere, Session
from localreg.session.current import use_session
from localreg.workflow import Evaluator, EvaluatorConfiguration, TestRun
from localreg.workflow.define_workflow import bound_classes
from localreg.workflow.determinism import Trial, verify_determinism
from localreg.workflow.evaluator_function import BasicEvaluatorFunction
from localreg.workflow.fingerprint import packages_of
from localreg.workflow.recorded import RecordedWorkflow
from localreg.workflow.running import OnError
from localreg.workflow.stored import get_stored_test_suite
from localreg.workflow.workflow import Workflow

__all__ = ["Asked", "run_model", "runnable", "verify_model"]

BATCH = 64
"""How many samples go to a model at once that does not say how many it takes."""


Assign: TypeAlias = Callable[[Any], "dict[str, Any] | None"]


class Asked(NamedTuple):
    """How a model is run."""

    device: str | None
    limits: Limits


class NotLoadedError(BaseException):
    """A model cannot be loaded: no fault of a sample, so a run ends where exceptions of samples are recorded, too.

    Args:
        error: why.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error

    def __str__(self) -> str:
        return f"{type(self.error).__name__}: {self.error}"


class DefinedInfer:
    """`infer` of a model as its definition says: dicts of samples in, dicts of inferences out.

    A process that it comes to loads the model once, in a process beside it. It brings no secret: environment variables
    are those of the process where it runs. A machine that does not have the code yet fetches it from the registry.

    Args:
        recipe: how it is run on this machine.
        assign: makes inferences of predictions.
        elsewhere: the registry, for other machines.
        asked: how it is run.
        told: for the fingerprint of a test run, but for what is known only once the model is loaded.
    """

    def __init__(
        self, recipe: Recipe, assign: Assign, elsewhere: Elsewhere, version: str, asked: Asked, told: JsonObject
    ) -> None:
        self._key = uuid4().hex
        self._recipe = recipe
        self._assign = assign
        self._elsewhere = elsewhere
        self._version = version
        self._asked = asked
        self._told = told

    def __call__(self, samples: Sequence[dict[str, Any]]) -> list[dict[str, Any] | None]:
        try:
            worker = _at_work.worker(self._key, self._started)
        except Exception as error:
            raise NotLoadedError(error) from error
        made = (prediction for batch in worker.predict([list(samples)]) for prediction in batch)
        return [self._assign(each) for each in made]

    def _started(self) -> Worker:
        recipe = self._recipe
        if not recipe.is_here:  # but on another machine
            session = self._elsewhere.opened()
            folder = _at_work.folder(self._key)
            recipe = recipe_of(session, ModelVersion(session, self._version), self._asked.device, folder)
        return started(recipe.plan(converted=True), "process", self._asked.limits)

    def __localreg_fingerprint__(self) -> JsonObject:
        """See `TellsWhatRuns`; with the packages of the model's process, if this process has started it."""
        modules = _at_work.modules(self._key)
        return {**self._told, **({"packages": packages_of(modules)} if modules else {})}

    def close(self) -> None:
        """End the process of the model, if this process has one."""
        _at_work.end(self._key)


class _AtWork:
    """The models that this process has loaded for test runs."""

    def __init__(self) -> None:
        self._workers: dict[str, Worker] = {}
        self._folders: dict[str, Path] = {}
        self._lock = threading.Lock()

    def worker(self, key: str, start: Callable[[], Worker]) -> Worker:
        """The one of a key, started if there is none; threads wait for each other."""
        with self._lock:
            if key not in self._workers:
                self._workers[key] = start()
            return self._workers[key]

    def modules(self, key: str) -> Collection[str]:
        """Those that one has loaded; none if there is none."""
        worker = self._workers.get(key)
        return () if worker is None else worker.modules

    def folder(self, key: str) -> Path:
        """A folder for links to files."""
        self._folders[key] = Path(tempfile.mkdtemp(prefix="localreg-model-"))
        return self._folders[key]

    def end(self, key: str) -> None:
        """Let go of one."""
        with self._lock:
            worker, folder = self._workers.pop(key, None), self._folders.pop(key, None)
        if worker is not None:
            worker.close()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def end_all(self) -> None:
        """Let go of all."""
        for key in list(self._workers):
            self.end(key)


_at_work = _AtWork()
atexit.register(_at_work.end_all)


def _converted(prediction: Any) -> dict[str, Any] | None:
    """What the model's own function made of a prediction."""
    return made_by(plain, prediction)


def runnable(session: Session, version: ModelVersion, workflow: Workflow, asked: Asked, folder: Path) -> Any:
    """A model of a workflow, with `infer` as its definition says, and how many samples that takes at once.

    Args:
        session: where both lie.
        version: which one.
        workflow: that the model belongs to, or will belong to by this.
        asked: how it is run.
        folder: in which links to its files come to lie.

    Raises:
        LocalregError: see `recipe_of` and `Assignment`.
    """
    recipe = recipe_of(session, version, asked.device, folder)
    output = recipe.runtime.predict.output
    state = session.state()
    assign: Assign = _converted
    if not isinstance(output.mapping, str):
        keys = None if output.keys is None else tuple(output.keys)
        try:
            assign = Assignment(workflow.types(state).inference.node, keys, output.mapping)
        except InvalidInputError as error:
            place = recipe.source.place("predict.output")
            raise DefinitionError(
                f"{place}: of predictions no {workflow.name} inferences can be made: {error}", faults=[str(error)]
            ) from error
    definition = definition_of(session, version.id)
    assert definition is not None, "there is a recipe"
    told = fingerprint_of(definition, recipe)
    infer = DefinedInfer(recipe, assign, Elsewhere.of(session, state), version.id, asked, told)
    with use_session(session):
        model_class = bound_classes(RecordedWorkflow(workflow.name))[2]
        return model_class.load(version.model.name, infer, version.version), recipe.max_size or BATCH


def fingerprint_of(definition: Definition, recipe: Recipe) -> JsonObject:
    """What stands with a test run: the content, the commit and whether files differed from it, the files' sha256.

    Args:
        definition: of the version.
        recipe: how it is run; its runtime, and its code, may be those of another definition.
    """
    content, code = definition.content, Path(recipe.root).name  # in the cache it is called by its content
    is_pinned = definition.repository is None or definition.repository.get("commit") is not None
    if definition.runtime is None or not is_pinned:  # what it comes to here is more than it says
        content = sha256_hex(canonical([content, code, recipe.runtime.model_dump(mode="json")]))
    git: JsonValue = None if definition.code is None else definition.code.get("git")
    if definition.repository is not None and definition.code is None:
        git = {"commit": code, "dirty": False}  # also where it was found out only now
    files: JsonObject = {
        str(each["name"]): {"sha256": each["sha256"], "bytes": each["bytes"]} for each in definition.files
    }
    return {"infer": content, "git": git, "files": files}


def run_model(
    session: Session,
    reference: str | Model | ModelVersion,
    suite: str,
    *,
    evaluator: Evaluator | type[Evaluator] | BasicEvaluatorFunction | str | None,
    configurations: Iterable[EvaluatorConfiguration] | None,
    reset: bool,
    on_error: OnError,
    executor: Executor | str | None,
    hash_files: bool,
    asked: Asked,
) -> TestRun:
    """See `Registry.test`."""
    asked.limits.checked()
    version = get_version(session, reference)
    found = get_stored_test_suite(session, suite).test_suite()
    with _made_ready(session, version, found.workflow, asked) as (model, batch_size):
        if not reset:
            _refuse_other_code(session, version, model.infer)
        run = TestRun(model, found, evaluator, configurations, reset, on_error, batch_size, executor, hash_files)
        run.run()
        return run


def _refuse_other_code(session: Session, version: ModelVersion, infer: DefinedInfer) -> None:
    """Raise if what is stored of a version was inferred by other code: a runtime of others, or a branch, has moved.

    Raises:
        ConflictError: it was.
    """
    now = infer.__localreg_fingerprint__()["infer"]
    for row in session.state().children("test_run", version.id):
        was = cast(JsonObject, row.fields.get("fingerprint") or {})
        if "files" in was and was.get("infer") not in (None, now):
            raise ConflictError(
                f"what is stored of {version!r} was inferred by other code: its runtime, or the branch of its "
                "repository, is not what it was; give the new one a version of its own, or pass reset=True to infer "
                "all again",
                code="other_code",
            )


def verify_model(
    session: Session, reference: str | Model | ModelVersion, suite: str | None, trial: Trial, device: str | None
) -> Determinism:
    """See `Registry.verify_determinism`."""
    trial.checked()
    version = get_version(session, reference)
    found = None if suite is None else get_stored_test_suite(session, suite).test_suite()
    workflow = _workflow_of(session, version) if found is None else found.workflow
    asked = Asked(None if device is None else check_text(device, what="device"), Limits(None, None))
    with _made_ready(session, version, workflow, asked) as (model, batch_size):
        return verify_determinism(model, found, trial._replace(batch_size=trial.batch_size or batch_size))


def _workflow_of(session: Session, version: ModelVersion) -> Workflow:
    """The workflow that a model is bound to.

    Raises:
        NotFoundError: to none.
    """
    bound = version.model.info.workflow
    row = None if bound is None else session.state().get(WorkflowRecord.kind, bound)
    if row is None:
        raise NotFoundError(f"{version.model!r} belongs to no workflow yet; say on which test suite to try it")
    return RecordedWorkflow(row.name)


@contextmanager
def _made_ready(session: Session, version: ModelVersion, workflow: Workflow, asked: Asked) -> Iterator[tuple[Any, int]]:
    """What `runnable` makes, for as long as it is used.

    Raises:
        Exception: why it could not be loaded.
    """
    folder = Path(tempfile.mkdtemp(prefix="localreg-model-"))
    try:
        model, batch_size = runnable(session, version, workflow, asked, folder)
        try:
            yield model, batch_size
        except NotLoadedError as failed:
            raise failed.error from failed.error.__cause__
        finally:
            model.infer.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
