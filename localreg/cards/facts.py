"""What is known of a model version, gathered from one state of the registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from localreg.datasets.dataset import Dataset, holding
from localreg.definitions.definition import Definition, definition_of
from localreg.definitions.finding import runtime_of
from localreg.definitions.schema import Runtime
from localreg.definitions.templates import parsed, texts_in
from localreg.log import Row, State
from localreg.models import Model, ModelVersion
from localreg.records.artifacts import ArtifactRecord
from localreg.records.experiments import ExperimentRecord
from localreg.records.models import MetricsRecord
from localreg.records.workflows import EvaluationRecord, TestRunRecord, TestSuiteRecord
from localreg.session import Session
from localreg.workflow.evaluation_inputs import Coverage
from localreg.workflow.evaluation_results import EvaluationView
from localreg.workflow.stored import get_stored_test_run

__all__ = ["Evaluated", "Facts", "KeptFile", "Ran", "Said", "Trained", "facts_of"]


class Ran(NamedTuple):
    """A test run.

    Attributes:
        row: of it.
        suite: name of the test suite.
        version: of that.
    """

    row: Row
    suite: str
    version: int

    @property
    def record(self) -> TestRunRecord:
        """What it says."""
        return self.row.load(TestRunRecord)


class Evaluated(NamedTuple):
    """What an evaluator said of the version on the newest version of a test suite that it ran on.

    Attributes:
        run: the test run.
        configuration: that it was evaluated with; None = without any.
        coverage: how many samples.
        suite: metrics of the suite, as they were nested; {} = there are none.
        cases: the same of each test case.
    """

    run: Ran
    configuration: str | None
    coverage: Coverage
    suite: Mapping[str, Any]
    cases: Mapping[str, Mapping[str, Any]]


class Said(NamedTuple):
    """Numbers that somebody said: on a data set, on a test suite, or (both None) on nothing in particular."""

    dataset: str | None
    suite: str | None
    values: Mapping[str, float | None]


class KeptFile(NamedTuple):
    """A file or folder of the version.

    Attributes:
        name: of its artifact.
        record: of that.
        url: as a definition named it; None = none did.
    """

    name: str
    record: ArtifactRecord
    url: str | None


class Trained(NamedTuple):
    """Where the version was trained.

    Attributes:
        experiment: what the experiment says.
        name: of the checkpoint that the version was made of.
        metrics: of that.
    """

    experiment: ExperimentRecord
    name: str
    metrics: Mapping[str, float | None]


@dataclass(frozen=True)
class Facts:
    """Everything that a card tells."""

    version: ModelVersion
    model: Model
    row: Row
    is_newest: bool
    aliases: list[str]
    metadata: Mapping[str, Any]
    definition: Definition | None
    runtime: Runtime | None
    runs: list[Ran]
    evaluated: list[Evaluated]
    said: list[Said]
    datasets: list[Dataset]
    """Of version and model, and of the experiment that the version came of."""
    files: list[KeptFile]
    trained: Trained | None
    lineage: list[dict[str, Any]] = field(repr=False)

    @property
    def tags(self) -> list[str]:
        """Of model and version."""
        return sorted({*self.model.tags, *self.version.tags})

    def variables(self) -> list[str]:
        """Names of the environment variables that loading it needs."""
        if self.definition is None:
            return []
        repository, files = self.definition.repository or {}, self.definition.files
        texts = [repository.get("access_token"), *(each.get("credentials") for each in files if not each["upload"])]
        if self.runtime is not None:
            texts += [each.value for _, call in self.runtime.calls() for each in call.inputs]
        found = (variable for _, text in texts_in(texts) for variable in parsed(text).environment)
        return sorted({variable.name for variable in found if variable.default is None})


def facts_of(session: Session, version: ModelVersion) -> Facts:
    """What is known of a version.

    Args:
        session: that shows one state; within it the version is looked up.
        version: which one.

    Raises:
        DefinitionError: its definition was registered by a later release.
    """
    state, model = session.state(), version.model
    row = version._row(state)
    definition = definition_of(session, version.id, state)
    runs = list(_runs(state, row))
    return Facts(
        version=version,
        model=model,
        row=row,
        is_newest=model.latest_version == version,
        aliases=version.aliases,
        metadata=version.metadata,
        definition=definition,
        runtime=None if definition is None else runtime_of(definition),
        runs=runs,
        evaluated=[each for run in _newest(runs) for each in _evaluations(session, state, run)],
        said=list(_said(state, row)),
        datasets=list(_datasets(session, state, version)),
        files=list(_files(state, row, definition)),
        trained=_trained(state, version),
        lineage=version.lineage().dicts(),
    )


def _runs(state: State, version: Row) -> Iterator[Ran]:
    """The test runs of a version, in order of creation."""
    for row in state.children(TestRunRecord.kind, version.id):
        of = state.get("test_suite_version", row.load(TestRunRecord).test_suite_version)
        suite = None if of is None else state.get(TestSuiteRecord.kind, of.parent)
        if of is not None and suite is not None:
            yield Ran(row, suite.name, of.number)


def _newest(runs: list[Ran]) -> list[Ran]:
    """Of each suite and evaluator the run on the newest version of the suite, by their names."""
    found: dict[tuple[str, str], Ran] = {}
    for each in sorted(runs, key=lambda each: each.version):
        found[each.suite, each.record.evaluator or ""] = each
    return [each for _, each in sorted(found.items())]


def _evaluations(session: Session, state: State, run: Ran) -> Iterator[Evaluated]:
    suite = get_stored_test_run(session, run.row.id)._suite(state)
    for row in state.children(EvaluationRecord.kind, run.row.id):
        view = EvaluationView(session, state, row, suite)
        yield Evaluated(run, view.configuration, view.coverage, view.suite or {}, view.cases)


def _said(state: State, version: Row) -> Iterator[Said]:
    """What `set_metrics` was told, the version's laid over its model's."""
    values: dict[tuple[str, str], dict[str, float | None]] = {}
    for owner in (version.parent, version.id):
        for row in state.children(MetricsRecord.kind, owner):
            record = row.load(MetricsRecord)
            kind = "dataset" if record.dataset else "test_suite" if record.test_suite else ""
            subject = state.get(kind, row.name) if kind else None
            if not kind or subject is not None:
                named = "" if subject is None else subject.name
                values.setdefault((kind, named), {}).update(record.values)
    for (kind, name), numbers in sorted(values.items()):
        yield Said(name if kind == "dataset" else None, name if kind == "test_suite" else None, numbers)


def _datasets(session: Session, state: State, version: ModelVersion) -> Iterator[Dataset]:
    experiment = _experiment(state, version)
    found = {**({} if experiment is None else holding(state, experiment)), **holding(state, version._row(state))}
    for _, row in sorted(found.items()):
        yield Dataset(session, row.id)


def _files(state: State, version: Row, definition: Definition | None) -> Iterator[KeptFile]:
    urls = {} if definition is None else {str(each["name"]): str(each["url"]) for each in definition.files}
    has_code = definition is not None and definition.code is not None
    for row in sorted(state.children(ArtifactRecord.kind, version.id), key=lambda row: row.name):
        if not (has_code and row.name == "code"):
            yield KeptFile(row.name, row.load(ArtifactRecord), urls.get(row.name))


def _trained(state: State, version: ModelVersion) -> Trained | None:
    checkpoint, row = version.checkpoint, _experiment(state, version)
    if checkpoint is None or row is None:
        return None
    return Trained(row.load(ExperimentRecord), checkpoint.name, checkpoint.metrics)


def _experiment(state: State, version: ModelVersion) -> Row | None:
    """Of which a version was made."""
    checkpoint = version.checkpoint
    return None if checkpoint is None else state.get(ExperimentRecord.kind, checkpoint.experiment.id)
