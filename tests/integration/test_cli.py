"""The command line says what the library says."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer import Typer

import localreg
from localreg.cli import INTERRUPTED, PIPE_CLOSED, main, run
from localreg.cli.app import command as root
from localreg.cli.output import Rows
from localreg.policies import Action, Label
from localreg.query.bulk_tables import BULK
from localreg.query.tables import TABLES
from localreg.query.text import aligned, cell
from localreg.workflow import (
    EvaluationResults,
    EvaluatorConfiguration,
    GroundTruth,
    Inference,
    MetricsTestCase,
    MetricsTestSample,
    MetricsTestSuite,
    StoredTestCase,
    StoredTestRun,
    StoredTestSuite,
    StoredWorkflow,
    TestCases,
    TestSample,
    Vector,
    define_workflow,
    test,
)
from localreg.workflow.annotation import LabeledBoundingBox
from tests.coco_files import annotations_file, results_file
from tests.definitions import entry, models, write
from tests.signing import key_file, public_text

SAMPLES = 20


@dataclass(frozen=True)
class Plate(TestSample):
    number: int


@dataclass(frozen=True)
class Text(GroundTruth):
    text: str


@dataclass(frozen=True)
class Reading(Inference):
    text: str


@dataclass(frozen=True)
class Price(GroundTruth):
    price: float


@dataclass(frozen=True)
class Offer(Inference):
    price: float


class Color(Enum):
    RED = "red"
    GREEN = "green"


@dataclass(frozen=True)
class Reader(EvaluatorConfiguration):
    name: str
    weight: float

    def display_name(self) -> str:
        return self.name


@dataclass(frozen=True)
class Nested(TestSample):
    number: int
    color: Color
    boxes: list[LabeledBoundingBox]
    embedding: Vector[4]
    by_name: dict[str, float]
    either: Text | Reading | None = None


@dataclass(frozen=True)
class Right(MetricsTestSample):
    right: bool


@dataclass(frozen=True)
class Share(MetricsTestCase):
    right: float
    by_half: dict[str, int]


@dataclass(frozen=True)
class Total(MetricsTestSuite):
    worst: float


def exact(
    samples: list[Any], truths: list[Any], inferences: list[Any], cases: TestCases, configuration: Reader
) -> EvaluationResults:
    """The share of plates that were read right."""
    right = [Right(each.text == truth.text) for truth, each in zip(truths, inferences, strict=True)]
    of_cases = [
        (case, Share(configuration.weight * sum(each.right for each in own) / len(own), {"first": len(own) // 2}))
        for case, _, _, _, own in cases.iter(samples, truths, inferences, right)
    ]
    worst = Total(min(share.right for _, share in of_cases))
    return EvaluationResults(list(zip(samples, right, strict=True)), of_cases, metrics_test_suite=worst)


def blinded(plate: Plate) -> Reading:
    if plate.number == 99:
        raise RuntimeError("the sun\n\x1b[31mstood low")
    return Reading(str(plate.number))


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The registry that the examples in the help texts speak of."""
    folder = tmp_path_factory.mktemp("made") / "registry"
    registry = localreg.open(folder, actor="ana")
    registry.create_model("meadow-4", metadata={"framework": "pytorch"}, tags={"detector"}, owner="ana")
    registry.create_model("meadow-5", metadata={"framework": "pytorch", "lr": 0.1, "optim": {"deep": [1, None]}})
    registry.create_model("night-owl", description="two\nlines")
    registry.create_model("retired").archive()
    _, case_class, suite_class, model_class = define_workflow("Plates", Plate, Text, Reading)

    def wrong_on(*numbers: int) -> Callable[[Plate], Reading]:
        return lambda plate: Reading("?" if plate.number in numbers else str(plate.number))

    with localreg.use(registry):
        halves = [range(SAMPLES // 2), range(SAMPLES // 2, SAMPLES)]
        cases = [
            case_class(name, test_samples=[(Plate(n), Text(str(n))) for n in numbers])
            for name, numbers in zip(["day", "night"], halves, strict=True)
        ]
        suite = suite_class("plates", test_cases=cases)
        case_class("retired", test_samples=[(Plate(0), Text("0"))]).archive()
        suite_class("retired", test_cases=cases[:1]).archive()
        test(model_class("meadow-4", wrong_on(0, 1, 11, 12)), suite)
        test(model_class("meadow-5", wrong_on(1, 2)), suite)
        registry.get_model("meadow-5").create_version("2", metadata={"lr": 0.2})
        test(model_class("meadow-5", wrong_on(2)), suite)
        test(model_class("meadow-5"), suite, exact, [Reader("strict", 1.0), Reader("lenient", 0.5)])
        glare = case_class("glare", test_samples=[(Plate(n), Text(str(n))) for n in (99, 100)])
        test(model_class("meadow-4", blinded), suite_class("glare", test_cases=[glare]), on_error="record")
    registry.get_model("meadow-5").set_alias("production", "2")
    registry.compare("meadow-4", "meadow-5", suite="plates").save("release 5")
    registry.import_coco(annotations_file(1), suite="val2017")
    with registry.experiment("lr 0.1", params={"lr": 0.1}) as experiment:
        experiment.event("epoch_start", source="trainer")
        experiment.log({"train": {"loss": 0.25}}, step=30)
        experiment.checkpoint(b"w", step=30)
        experiment.event("epoch_end", source="trainer")
    registry.get_version("meadow-5@2").upload(b"w", name="weights")
    registry.get_version("meadow-5@2").set_metrics({"accuracy": 0.93, "size": 12}).tag("old")
    registry.add_policy("good ones", Label(when="metrics.accuracy > 0.95", tag="good"))
    registry.add_policy("release", Action(run="os:fspath", on="promote", attempts=1), model="meadow-5")
    registry.get_model("meadow-5").add_dataset("s3://bucket/plates", role="train")
    for version in "12":
        registry.push(plate_reader(folder.parent / "code", version))
    registry.get_model("plate-reader").set_alias("production", "1")
    registry.get_version("meadow-5@2").event("deployed", source="server-3", metadata={"port": 80})
    registry.snapshot()  # hundreds of copies are opened
    return folder


def plate_reader(folder: Path, version: str) -> Path:
    """A model that reads plates by its definition; the path of that."""
    code = "def predict(plates):\n    return [{'text': str(each['number'])} for each in plates]\n"
    predict = f"""
    runtime:
      image: python:3.1{version}
      predict:
        entrypoint: inference:predict
        inputs: [{{name: plates, value: "${{datapoints}}"}}]
        output: {{keys: [text]}}
    """
    model = entry("plate-reader", f"version: '{version}'", predict)
    text = models(model, entry("${model.name}", predict))
    return write(folder, {"inference.py": code, "models.yaml": text}) / "models.yaml"


@cache
def coco_files() -> dict[str, str]:
    """Annotations and results as JSON, by file name."""
    annotations = annotations_file(1)
    results = results_file(2, annotations, masks=False)
    return {"annotations.json": json.dumps(annotations), "results.json": json.dumps(results)}


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, and the one that the commands find."""
    copy = tmp_path / "registry"
    shutil.copytree(made, copy)
    monkeypatch.setenv("LOCALREG_URI", str(copy))
    monkeypatch.setenv("LOCALREG_ACTOR", "ben")
    monkeypatch.chdir(tmp_path)
    for name, text in coco_files().items():
        (tmp_path / name).write_text(text)
    rows = {"number": list(range(SAMPLES)), "text": list(map(str, range(SAMPLES)))}
    pq.write_table(pa.table(rows), tmp_path / "predictions.parquet")
    pq.write_table(pa.table({"number": [200, 201], "text": ["200", "201"]}), tmp_path / "truth.parquet")
    (tmp_path / "weights.pt").write_bytes(b"weights")
    (tmp_path / "notes.md").write_text("slow")
    (tmp_path / "events.csv").write_text("name,source,wallclock\nwrite_begin,saver,1.5\nwrite_end,saver,2.5\n")
    plate_reader(tmp_path, "3")
    (tmp_path / "gate.yaml").write_text("metrics: {accuracy: {min_value: 0.8, max_drop: 0}}\ncritical: [night]\n")
    (tmp_path / "predictions.csv").write_text("number,plate\n1,1\n0,?\n")
    (tmp_path / "truth.csv").write_text("number,plate,weather\n300,300,rain\n301,301,\n")
    return copy


@pytest.fixture
def registry(folder: Path) -> localreg.Registry:
    return localreg.open(folder, actor="ben")


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli: TypeAlias = Callable[..., Ran]


@pytest.fixture
def cli(folder: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    def call(*arguments: str) -> Ran:
        capsys.readouterr()
        code = run(arguments)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return call


def done(ran: Ran) -> Ran:
    assert (ran.code, ran.err) == (0, "")
    return ran


def process(*arguments: str, code: str = "from localreg.cli import main; main()") -> list[str]:
    return [sys.executable, "-c", code, *arguments]


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process started in another folder finds the package that is tested."""
    monkeypatch.setenv("PYTHONPATH", str(Path(localreg.__file__).parents[1]))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def native(rows: localreg.Result) -> list[dict[str, Any]]:
    """The library's rows as JSON has them."""

    def value(item: object) -> object:
        return item.isoformat() if isinstance(item, datetime) else item

    return [{name: value(item) for name, item in row.items()} for row in rows.dicts()]


# --- every command ----------------------------------------------------------------------------------------------------


def commands(command: Any = None, path: Sequence[str] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    command = command or root()
    yield tuple(path), command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, [*path, name])


COMMANDS = {" ".join(path): command for path, command in commands()}
EXAMPLES = [
    (name, line.strip())
    for name, command in COMMANDS.items()
    for line in (command.epilog or "").splitlines()
    if line.startswith("  ")
]


EVENTS = {
    "durations": "events durations",
    "event": "events add",
    "events": "events show",
    "log_events": "events import",
    "timeline": "events timeline",
}
VERBS: dict[type, dict[str, str]] = {
    localreg.Registry: {
        "all": "models list",
        "audit": "audit",
        "compact": "compact",
        "copy": "copy",
        "copy_suite": "copy",
        "import_namespace": "namespaces import",
        "gc": "gc",
        "retain": "retain",
        "compare": "compare",
        "leaderboard": "leaderboard",
        "measure": "measure",
        "predictions": "inferences list",
        "comparisons": "comparisons list",
        "definitions": "definitions list",
        "get_definition": "definitions show",
        "push": "push",
        "test": "test",
        "verify_determinism": "determinism",
        "add_policy": "policies gate",
        "apply_policies": "policies apply",
        "get_policy": "policies show",
        "model_metrics": "metrics list",
        "pending_actions": "policies actions",
        "policies": "policies list",
        "run_pending": "policies run",
        "artifacts": "artifacts list",
        "datasets": "datasets list",
        "checkpoints": "checkpoints list",
        "events": "events list",
        "experiments": "experiments list",
        "get_experiment": "experiments show",
        "recover_experiments": "experiments recover",
        "get_comparison": "comparisons show",
        "create_model": "models create",
        "diff": "diff",
        "disk_usage": "du",
        "doctor": "doctor",
        "facets": "facets",
        "page": "ui",
        "find_model": "models show",
        "get_model": "models show",
        "get_test_case": "cases show",
        "get_test_run": "runs show",
        "get_test_suite": "suites show",
        "get_version": "versions show",
        "model_card": "card",
        "consume": "versions consume",
        "get_workflow": "workflows show",
        "model_versions": "versions list",
        "models": "models list",
        "namespaces": "namespaces list",
        "grant": "namespaces grant",
        "grants": "namespaces grants",
        "signers": "signers list",
        "add_signer": "signers add",
        "remove_signer": "signers remove",
        "void_entries": "signers void",
        "protect": "namespaces protect",
        "revoke": "namespaces revoke",
        "redact": "redact",
        "resolve": "resolve",
        "snapshot": "snapshot",
        "sql": "sql",
        "test_cases": "cases list",
        "test_runs": "runs list",
        "test_suites": "suites list",
        "undo": "undo",
        "import_coco": "coco import",
        "import_inferences": "inferences import",
        "import_samples": "suites import",
        "import_coco_results": "coco results",
        "export_coco": "coco export",
        "verify": "verify",
        "watch": "watch",
        "workflows": "workflows list",
    },
    localreg.Model: {
        "consumers": "versions consumers",
        "add_dataset": "datasets add",
        "datasets": "datasets list",
        "get_dataset": "datasets show",
        "aliases": "aliases list",
        "archive": "models archive",
        "artifacts": "artifacts list",
        "create_version": "versions create",
        "delete": "models delete",
        "get_artifact": "artifacts show",
        "track": "artifacts track",
        "upload": "artifacts upload",
        "metrics": "metrics list",
        "set_metrics": "metrics set",
        "unset_metrics": "metrics unset",
        **EVENTS,
        "differences": "models diff",
        "history": "models history",
        "inferences": "inferences list",
        "export_inferences": "inferences export",
        "remove_alias": "aliases remove",
        "rename": "models rename",
        "resolve": "aliases list",
        "restore": "models restore",
        "set_alias": "aliases set",
        "tag": "models tag",
        "untag": "models untag",
        "update": "models set",
        "version": "versions show",
        "versions": "versions list",
    },
    localreg.ModelVersion: {
        "lineage": "lineage",
        "consume": "versions consume",
        "consumers": "versions consumers",
        "add_dataset": "datasets add",
        "datasets": "datasets list",
        "get_dataset": "datasets show",
        "artifacts": "artifacts list",
        "get_artifact": "artifacts show",
        "track": "artifacts track",
        "upload": "artifacts upload",
        "metrics": "metrics list",
        "set_metrics": "metrics set",
        "unset_metrics": "metrics unset",
        "tag": "versions tag",
        "untag": "versions untag",
        "delete": "versions delete",
        "differences": "models diff",
        "history": "versions history",
        "inferences": "inferences list",
        **EVENTS,
        "export_inferences": "inferences export",
        "update": "versions set",
    },
    StoredWorkflow: {"delete": "workflows delete", "model": "inferences import", "test_suite": "suites import"},
    StoredTestCase: {
        "archive": "cases archive",
        "delete": "cases delete",
        "restore": "cases restore",
        "update": "cases set",
        "versions": "cases show",
    },
    StoredTestSuite: {
        "archive": "suites archive",
        "delete": "suites delete",
        "restore": "suites restore",
        "stratify": "suites stratify",
        "add": "suites import",
        "test_suite": "suites show",
        "update": "suites set",
        "versions": "suites show",
    },
    StoredTestRun: {
        "lineage": "lineage",
        "configurations": "runs show",
        "counts": "runs show",
        "delete": "runs delete",
        "changed_files": "runs changed",
        "errors": "runs errors",
        "results": "runs results",
    },
}
"""The command for each method. These are options there: `at`, `namespace`; these mean nothing to a shell: `close`,
`frozen`, `transaction`; `experiment` and `load`, which a program runs."""


@pytest.mark.parametrize("owner", VERBS)
def test_what_the_library_can_do_the_command_line_can(owner: type) -> None:
    methods = {name for name in dir(owner) if not name.startswith("_") and callable(getattr(owner, name))}
    if owner in (StoredWorkflow, StoredTestCase, StoredTestSuite, StoredTestRun):
        methods -= {"differences", "history"}  # of any record: `diff` and `audit` tell these
    meaningless = {"at", "namespace", "close", "frozen", "transaction", "experiment", "load"}
    assert methods - meaningless == VERBS[owner].keys()
    assert set(VERBS[owner].values()) <= COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_says_what_the_command_does_and_shows_an_example_of_it(cli: Cli, name: str) -> None:
    text = done(cli(*name.split(), "--help")).out
    assert COMMANDS[name].help.split("\n")[0].strip() in " ".join(text.split())
    assert f"Examples:\n    localreg {name}".rstrip() in text
    assert "\x1b" not in text


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_every_example_runs(
    cli: Cli, registry: localreg.Registry, name: str, example: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localreg.storage.protection.Protection.gid", property(lambda _: 0))  # of any group
    monkeypatch.setattr("localreg.ui.serving.serve", lambda _, *, opened, **__: opened("http://127.0.0.1:1/"))
    monkeypatch.setattr("webbrowser.open", lambda _: True)
    if name == "redact":  # which is refused where nothing was taken out before
        registry.get_model("meadow-5").update(metadata={"key": "AKIA"}).update(unset=["key"])
    if name.startswith("signers"):
        monkeypatch.setenv("LOCALREG_SIGNING_KEY", str(key_file(Path.cwd(), "ana")))
        Path("id_ed25519.pub").write_text(public_text("ana"), encoding="utf-8")
        if name == "signers remove":
            registry.add_signer("ana", public_text("ana"))
            registry.add_signer("ben", public_text("ben"))
    if name == "namespaces revoke":
        registry.grant("eve", "reader")
    if "--level machine" in example:  # which needs another one
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr("localreg.session.session.host", lambda: "build-7")
            registry.verify_determinism("plate-reader@production", "plates")
    program, *arguments = shlex.split(example)
    assert program == "localreg"
    assert done(cli(*arguments)).out


READS = [
    "models list",
    "models show meadow-5",
    "models history meadow-5",
    "versions list meadow-5",
    "aliases list meadow-5",
    "audit",
    "verify",
    "doctor",
    "du",
    "sql 'SELECT * FROM models'",
    "models diff meadow-4 meadow-5",
    "versions show meadow-5 1",
    "versions history meadow-5 1",
    "versions consumers meadow-5",
    "workflows list",
    "workflows show Plates",
    "cases list",
    "cases show day",
    "suites list",
    "suites show plates",
    "runs list",
    "runs show meadow-5 plates",
    "runs changed meadow-5 plates",
    "runs errors meadow-4 glare",
    "runs errors meadow-4 plates --traceback",
    "runs results meadow-5 plates",
    "inferences list meadow-5@1 --suite plates",
    "namespaces list",
    "namespaces grants",
    "signers list",
    "signers void",
    "facets models --by tags",
    "diff 1",
    f"resolve {'0' * 32}",
    "compare meadow-4 meadow-5 --suite plates",
    "leaderboard meadow-4 meadow-5 --suite plates",
    "measure meadow-5 --suite plates",
    "comparisons list",
    "comparisons show 'release 5'",
    "experiments list",
    "experiments show 'lr 0.1'",
    "experiments points 'lr 0.1'",
    "checkpoints list",
    "artifacts list",
    "artifacts show meadow-5@2 weights",
    "metrics list",
    "policies list",
    "policies show 'good ones'",
    "policies plan",
    "policies actions",
    "datasets list",
    "datasets show meadow-5@2 plates",
    "lineage meadow-5@2",
    "card meadow-5@production",
    "events list",
    "events show meadow-5@2",
    "events durations 'lr 0.1' --experiment --start epoch_start --end epoch_end",
    "events timeline meadow-5",
    "definitions list",
    "definitions show plate-reader",
    "definitions diff plate-reader@1 plate-reader@2",
    "definitions log plate-reader",
]
EXPORTS = ("inferences export", "coco export", "artifacts download", "definitions export")
WRITES = [
    "experiments archive 'lr 0.1'",
    "experiments delete 'lr 0.1' --force",
    "checkpoints promote 'lr 0.1' 'step 30' meadow-5 3",
    "checkpoints delete 'lr 0.1' 'step 30'",
    "artifacts upload meadow-5 weights.pt",
    "artifacts track meadow-5 s3://bucket/x",
    "artifacts delete meadow-5@2 weights",
    "metrics set meadow-5 cost=3",
    "metrics unset meadow-5@2 size",
    "versions tag meadow-5 2 checked",
    "versions untag meadow-5 2 old",
    "policies retention few --keep-last 5",
    "policies label better --when true --tag x",
    "policies promotion best --best accuracy --model meadow-5",
    "policies gate quality --alias staging --require true",
    "policies action onnx --run os:fspath --on promote",
    "policies delete 'good ones'",
    "datasets add meadow-5 s3://bucket/x --role eval",
    "datasets set meadow-5 plates --role eval",
    "datasets delete meadow-5 plates",
    "events add meadow-5@2 deployed",
    "events import meadow-5 events.csv",
    "push models.yaml --only plate-reader",
    "definitions delete '${model.name}'",
    "models create x",
    "models set meadow-5 a=1",
    "models unset meadow-5 lr",
    "models tag meadow-5 t",
    "models untag meadow-4 detector",
    "models rename meadow-5 x",
    "models archive meadow-4",
    "models restore retired",
    "models delete night-owl",
    "versions create meadow-5 3",
    "versions set meadow-5 1 epochs=41",
    "versions unset meadow-5 2 lr",
    "versions delete meadow-5 1 --force",
    "workflows delete Plates --force",
    "cases set day --description sunlit",
    "cases archive day",
    "cases restore retired",
    "cases delete day --force",
    "suites set plates --description all --tag nightly",
    "suites stratify plates --by test_case",
    "suites archive plates",
    "suites restore retired",
    "suites delete plates --force",
    "runs delete meadow-5 plates",
    "coco import annotations.json --suite val2026",
    "coco results results.json --suite val2017 --model detr",
    "inferences import predictions.parquet --model meadow-6 --workflow Plates --on number",
    "suites import truth.parquet --suite more --workflow Plates",
    "comparisons delete 'release 5'",
    "undo 3",
    "aliases set meadow-5 a 1",
    "aliases remove meadow-5 production",
    "namespaces grant '*' owner",
]


def test_archived_models_are_listed_alone_shown_and_found_again(cli: Cli) -> None:
    assert done(cli("models", "archive", "meadow-4")).out == "archived model 'meadow-4'\n"
    listed = [row["name"] for row in done(cli("models", "list", "--format", "json")).json]
    assert "meadow-4" not in listed
    archived = done(cli("models", "list", "--archived", "--format", "json")).json
    assert [row["name"] for row in archived] == ["meadow-4", "retired"]
    assert "meadow-4" in done(cli("models", "show", "meadow-4")).out
    done(cli("models", "restore", "meadow-4"))
    assert "meadow-4" in [row["name"] for row in done(cli("models", "list", "--format", "json")).json]


def test_search_and_forced_deletion(cli: Cli) -> None:
    found = done(cli("models", "list", "--search", "MEADOW -4", "--format", "json")).json
    assert [row["name"] for row in found] == ["meadow-5"]
    done(cli("models", "delete", "meadow-5", "--force"))
    assert not done(cli("models", "list", "--search", "meadow -4", "--format", "json")).json
    assert done(cli("models", "delete", "meadow-4", "--force")).out == "deleted model 'meadow-4'\n"


def test_the_lists_of_reads_and_writes_above_hold_every_command() -> None:
    leaves = {name for name, command in COMMANDS.items() if not hasattr(command, "commands")}
    known = {name for name in leaves if any(line.startswith(name) for line in [*READS, *WRITES])}
    others = {
        "init",
        "watch",
        "redact",
        "snapshot",
        "compact",
        "copy",
        "gc",
        "retain",
        "experiments restore",
        "experiments recover",
    }
    others |= {"signers add", "signers remove", "signers keygen"}
    others |= {
        "namespaces revoke",
        "namespaces protect",
        "namespaces import",
        "policies apply",
        "policies run",
        "test",
        "determinism",
        "ui",
    }
    assert known == leaves - {*EXPORTS, *others}, "these have tests of their own"


def test_watch_tells_each_event_on_a_line_with_the_place_to_go_on_from(cli: Cli, registry: localreg.Registry) -> None:
    events = list(registry.watch(0, timeout=0))
    lines = done(cli("watch", "--since", "0", "--timeout", "0")).out.splitlines()
    assert [line.split()[0] for line in lines] == [f"{event.commit}.{event.event}" for event in events]
    rest = done(cli("watch", "--since", lines[4].split()[0], "--timeout", "0", "-f", "json")).out.splitlines()
    assert [json.loads(line)["digest"] for line in rest] == [event.digest for event in events[5:]]
    kinds = done(cli("watch", "--since", "0", "--kind", "alias", "--timeout", "0", "-f", "json")).out.splitlines()
    assert {json.loads(line)["kind"] for line in kinds} == {"alias"}
    for wrong in (["--since", "soon"], ["--since", "1.x"], ["--format", "csv"], ["--at", "1"]):
        assert cli("watch", "--timeout", "0", *wrong).code == 2


def test_redact_empties_the_past_and_tells_how_much(cli: Cli, registry: localreg.Registry) -> None:
    done(cli("models", "create", "leaky", "--metadata", "key=s3cr3t"))
    assert cli("redact", "--model", "leaky", "--reason", "slipped in").code == 1, "it stands in the present, too"
    done(cli("models", "unset", "leaky", "key"))
    assert done(cli("redact", "--model", "leaky", "--reason", "slipped in")).out == "redacted 2 events\n"
    assert "s3cr3t" not in done(cli("audit", "--name", "leaky", "--format", "json")).out
    assert done(cli("redact", "--model", "leaky", "--reason", "slipped in")).out == "nothing to redact\n"
    assert done(cli("verify")).out
    assert cli("redact", "--reason", "why").code == cli("redact", "--model", "leaky").code == 2


def test_compact_merges_and_tells_what(cli: Cli, registry: localreg.Registry) -> None:
    _, case, _, _ = define_workflow("Plates", Plate, Text, Reading)
    assert done(cli("compact")).out == "nothing to merge\n"
    with localreg.use(registry):
        for number in range(8):
            case(str(number), test_samples=[(Plate(500 + number), Text("a"))])
    commit = registry.commit
    planned = done(cli("compact", "--dry-run")).out
    assert re.match(r"test_samples of workflow 'Plates': \d+ parts \(.*\) → 1, \d+ rows\n", planned)
    assert registry.commit == commit
    done(cli("compact", "-m", "too many"))
    (event,) = registry.audit(since=commit)
    assert (event["action"], event["message"]) == ("compact", "too many")
    assert done(cli("compact")).out == "nothing to merge\n"


def test_gc_and_retain_tell_what_they_would_do_and_do_it_when_told(
    cli: Cli, folder: Path, registry: localreg.Registry
) -> None:
    left = folder / f"namespaces/default/data/inferences/{'a' * 32}/{'b' * 32}.parquet"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"of a dead writer")
    seen = "uploads: 1 file (16 bytes) seen for the first time; condemned in 0 seconds if they stay as they are, and"
    told = done(cli("gc", "--grace", "0s")).out
    assert told.startswith(f"a dry run changes nothing; what is due:\n{seen}")
    assert told.endswith("\n--apply does it\n")
    assert done(cli("gc", "--grace", "0s", "--apply")).out.startswith(seen)
    commit = registry.commit
    done(cli("gc", "--grace", "0s", "--apply", "-m", "tidy"))
    (event,) = registry.audit(since=commit)
    assert (event["action"], event["message"]) == ("condemn", "tidy")
    assert done(cli("gc", "--grace", "0s", "--apply")).out == "condemned: 1 file (16 bytes) deleted\n"
    assert not left.exists()
    assert done(cli("gc")).out == "no garbage\n"
    registry.create_model("short-lived").upload(b"weights", name="w")
    registry.get_model("short-lived").delete()
    assert "90 days" in done(cli("retain")).out
    assert done(cli("retain", "--deleted", "0s", "--apply")).out.startswith(
        "deleted records: 1 file (7 bytes) condemned"
    )
    assert cli("gc", "--grace", "soon").code == cli("retain", "--deleted", "7").code == 1


def test_doctor_repairs_when_told(cli: Cli, folder: Path, registry: localreg.Registry) -> None:
    registry.snapshot()
    hint = folder / "namespaces/default/snapshots/latest.json"
    hint.unlink()
    assert "repaired" not in cli("doctor").out
    assert not hint.exists()
    assert "default: repaired" in cli("doctor", "--repair").out
    assert hint.exists()


def test_snapshot_is_of_the_newest_commit(cli: Cli, folder: Path, registry: localreg.Registry) -> None:
    assert done(cli("snapshot")).out == f"snapshot of commit {registry.commit}\n"
    assert list((folder / "namespaces/default/snapshots").glob(f"{registry.commit:020d}-*.parquet"))
    assert cli("snapshot", "--at", "1").code == 2


@pytest.mark.parametrize(
    ("line", "rows"),
    [
        ("workflows list", lambda registry: registry.workflows()),
        ("cases list", lambda registry: registry.test_cases(archived=False)),
        ("cases list --archived --limit 1", lambda registry: registry.test_cases(archived=True, limit=1)),
        ("suites list --search plates", lambda registry: registry.test_suites(search="plates")),
        ("runs list --order-by 'version DESC'", lambda registry: registry.test_runs(order_by="version DESC")),
        ("facets models --by tags", lambda registry: registry.facets("models", "tags")),
        ("models list --all-namespaces", lambda registry: registry.all().models()),
        ("audit --all-namespaces --kind alias", lambda registry: registry.all().audit(kind="alias")),
        ("sql -A 'SELECT namespace, name FROM models'", lambda r: r.all().sql("SELECT namespace, name FROM models")),
    ],
)
def test_listings_of_all_kinds_are_the_librarys(
    cli: Cli, registry: localreg.Registry, line: str, rows: Callable[[localreg.Registry], localreg.Result]
) -> None:
    expected = native(rows(registry))
    assert expected
    assert done(cli(*shlex.split(line), "--format", "json")).json == expected


def test_diffs_are_the_librarys(cli: Cli, registry: localreg.Registry) -> None:
    registry.get_model("meadow-5").update(metadata={"lr": 0.5})
    diff, told = registry.diff(2, registry.commit), done(cli("diff", "2", "-f", "json")).json
    assert done(cli("diff", "2")).out.rstrip() == str(diff)
    assert (told["before"], told["after"]) == (2, registry.commit)
    for name, records in (("created", diff.created), ("deleted", diff.deleted), ("changed", diff.changed)):
        assert [each["id"] for each in told[name]] == [each.id for each in records]
        for each, record in zip(told[name], records, strict=True):
            assert each["differences"] == [row._asdict() for row in record.differences], "by the names of their fields"
    assert {"path": "metadata.lr", "before": 0.1, "after": 0.5, "change": "changed"} in [
        row for each in told["changed"] for row in each["differences"]
    ]


def test_models_and_versions_are_compared_as_the_library_does(cli: Cli, registry: localreg.Registry) -> None:
    rows = done(cli("models", "diff", "meadow-4", "meadow-5", "-f", "json")).json
    assert rows == registry.get_model("meadow-4").differences(registry.get_model("meadow-5")).dicts()
    first, second = (registry.get_version(f"meadow-5@{version}") for version in ("1", "2"))
    rows = done(cli("models", "diff", "meadow-5@1", "meadow-5@production", "-f", "json")).json
    assert rows == first.differences(second).dicts() != []
    assert done(cli("models", "diff", "meadow-5@2", "meadow-5@production", "-f", "csv")).out == (
        "path,before,after,change\n"
    )
    registry.create_model("meadow-5@1-like")
    assert done(cli("models", "diff", "meadow-5@1-like", "meadow-4")).out, "an exact name is a model"
    for wrong, told in (("meadow-5@9", "'9'"), ("meadw-5", "did you mean"), ("meadow-5@1", "cannot be compared")):
        ran = cli("models", "diff", "meadow-4", wrong)
        assert (ran.code, told in ran.err) == (1, True)


def test_a_models_history_tells_in_words_what_changed(cli: Cli, registry: localreg.Registry) -> None:
    before = registry.commit
    model = registry.get_model("meadow-5")
    model.update(metadata={"lr": 0.2}, tags={"detector"})
    model.set_alias("production", "1")
    rows = done(cli("models", "history", "meadow-5", "-f", "json")).json
    assert [row["changes"] for row in rows if row["commit"] > before] == [
        "metadata.lr 0.1 → 0.2, tags +detector",
        "version 2 → 1",
    ]
    assert "workflow null → Plates" in [row["changes"] for row in rows], "by its name"
    assert "metadata.lr 0.1 → 0.2" in done(cli("models", "history", "meadow-5")).out


@pytest.mark.parametrize(("kind", "name"), [("models", "meadow-4"), ("cases", "day"), ("suites", "plates")])
def test_archived_ones_are_listed_alone_or_with_the_others(cli: Cli, kind: str, name: str) -> None:
    def listed(*options: str) -> set[str]:
        return {row["name"] for row in done(cli(kind, "list", *options, "-f", "json")).json}

    assert listed("--archived") == {"retired"}
    assert name in listed()
    assert listed("--all") == listed() | {"retired"} != listed()
    both = cli(kind, "list", "--all", "--archived")
    assert (both.code, both.out) == (2, "")


def test_columns_are_chosen_and_unknown_ones_told(cli: Cli) -> None:
    assert done(cli("models", "list", "--columns", "name,task")).out.splitlines()[0].split() == ["name", "task"]
    ran = cli("models", "list", "--columns", "name,frist")
    assert (ran.code, "no column 'frist'" in ran.err) == (2, True)


def test_the_readme_has_a_row_for_each_command_with_what_its_help_says() -> None:
    readme = (Path(localreg.__file__).parents[1] / "README.md").read_text()
    rows = dict(re.findall(r"^\| `localreg ([a-z ]+)` \| (.*) \|$", readme, re.MULTILINE))
    leaves = {name: command for name, command in COMMANDS.items() if not hasattr(command, "commands")}
    assert rows == {name: " ".join(command.help.split("\n\n")[0].split()) for name, command in leaves.items()}


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("models show mea", ["meadow-4", "meadow-5"]),
        ("models show --namespace default ni", ["night-owl"]),
        ("models show zzz", []),
        ("cases show n", ["night"]),
        ("suites set pla", ["plates"]),
        ("workflows show P", ["Plates"]),
        ("runs results meadow-5 pla", ["plates"]),
        ("aliases set meadow-5 pro", ["production"]),
        ("aliases set meadow-4 pro", []),
        ("versions show meadow-5 ", ["1", "2"]),
        ("datasets show meadow-5@2 pl", ["plates"]),
        ("datasets show meadow-4 pl", []),
        ("compare meadow-4 meadow-5 --suite pla", ["plates"]),
        ("facets test_c", ["test_cases"]),
        ("models list --namespace de", ["default"]),
        ("-r /nowhere models show mea", []),
        ("models sh", ["show"]),
    ],
)
@pytest.mark.usefixtures("importable")
def test_a_shell_offers_names_from_the_registry(folder: Path, line: str, offered: list[str]) -> None:
    ran = offer(line)
    assert (ran.out.split(), ran.err) == (offered, "")


def offer(line: str, *, first: str = "", last: str = "") -> Ran:
    """What a shell is offered for the last word, by a process that runs code before and after."""
    words = f"localreg {line}".split(" ")
    asked = {"_LOCALREG_COMPLETE": "complete_bash", "COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    code = f"import sys; sys.argv = ['localreg']\n{first}\nfrom localreg.cli import run\nrun([])\n{last}"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **asked}
    )
    return Ran(ran.returncode, ran.stdout.strip(), ran.stderr)


@pytest.mark.parametrize("line", ["models show mea", "aliases set meadow-5 pro", "compare x y --suite pla"])
@pytest.mark.usefixtures("importable", "folder")
def test_completion_loads_no_engine(line: str) -> None:
    ran = offer(line, last="print('duckdb' in sys.modules, file=sys.stderr)")
    assert ran.out
    assert ran.err == "False\n"


@pytest.mark.usefixtures("importable", "folder")
def test_completion_asks_no_network_and_says_nothing_of_what_is_wrong() -> None:
    forbid = (
        "import socket\n"
        "def refuse(*_, **__): print('asked the network', file=sys.stderr); raise OSError\n"
        "socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse"
    )
    for line in (
        "-r https://localhost:9/registry models show mea",
        "--storage-option hush -r https://localhost:9/registry models show mea",
        "-r nonsense://x models show mea",
    ):
        assert offer(line, first=forbid) == Ran(0, "", "")


@pytest.mark.usefixtures("importable")
def test_completion_offers_what_the_cache_holds_of_a_remote_registry(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALREG_CACHE", str(tmp_path / "cache"))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        assert offer(f"-r {address} models show mea") == Ran(0, "", ""), "it was never opened"
        assert localreg.open(address).get_model("meadow-4")
        server.shutdown()
    assert offer(f"-r {address} models show mea").out.split() == ["meadow-4", "meadow-5"]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Not on the terminal of the tests."""


def test_options_of_a_remote_place_are_handed_on_and_never_shown(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: dict[str, Any] = {}

    def opened(*_: object, **options: object) -> localreg.Registry:
        handed.update(options)
        return localreg.open(folder)

    monkeypatch.setattr("localreg.api.open_registry", opened)
    line = (
        "--storage-option endpoint_url=http://x --storage-option secret=old models --storage-option key=k "
        "list --offline --storage-option secret=hush"
    )
    assert "hush" not in done(cli(*line.split())).out
    assert handed["offline"] is True
    refused = cli("models", "list", "--storage-option", "hush")
    assert (refused.code, "hush" in refused.err) == (2, False)
    assert handed["storage_options"] == {"endpoint_url": "http://x", "key": "k", "secret": "hush"}, "the last one wins"


@pytest.mark.usefixtures("importable")
def test_the_command_line_needs_no_click_of_its_own(folder: Path) -> None:
    """Named for a fault: typer brings click along within itself, and an installed one is luck."""
    code = "import sys; sys.modules['click'] = None; from localreg.cli import main; main(['--version'])"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


@pytest.mark.usefixtures("importable")
def test_the_package_runs_as_the_command_does(folder: Path) -> None:
    ran = [sys.executable, "-m", "localreg", "models", "list", "-f", "json"]
    assert json.loads(subprocess.run(ran, check=True, capture_output=True).stdout)[0]["name"] == "meadow-4"


@pytest.mark.parametrize("line", READS)
def test_every_read_takes_three_formats_and_writes_nothing(cli: Cli, folder: Path, line: str) -> None:
    before = files(folder)
    assert done(cli(*shlex.split(line))).out
    assert isinstance(done(cli(*shlex.split(line), "--format", "json")).json, (list, dict))
    rows = list(csv.reader(io.StringIO(done(cli(*shlex.split(line), "--format", "csv")).out)))
    assert len({len(row) for row in rows}) == 1
    assert files(folder) == before


@pytest.mark.parametrize("line", [*READS, *WRITES])
def test_no_command_but_init_makes_a_registry(cli: Cli, tmp_path: Path, line: str) -> None:
    typo = tmp_path / "typo"
    ran = cli(*shlex.split(line), "--registry", str(typo))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"localreg: no registry at {typo}; check the path, or make one with `localreg init`\n"
    assert not typo.exists()


@pytest.mark.parametrize("line", WRITES)
def test_a_write_into_the_past_is_refused(cli: Cli, folder: Path, registry: localreg.Registry, line: str) -> None:
    before = files(folder)
    ran = cli("--at", str(registry.commit), *shlex.split(line))
    assert ran.code == 1
    assert "as of commit" in ran.err
    assert files(folder) == before


@pytest.mark.parametrize("line", WRITES)
def test_a_write_is_one_commit_by_the_actor_with_the_message(cli: Cli, registry: localreg.Registry, line: str) -> None:
    before = registry.commit
    words = shlex.split(line)
    assert done(cli(*words, "--actor", "cleo", "--message", "why not")).out.count("\n") == 1
    assert registry.commit == before + 1
    event = registry.audit(since=before)[0]
    assert (event["actor"], event["message"]) == ("cleo", "why not")


# --- the same answers -------------------------------------------------------------------------------------------------


def test_listings_are_the_librarys_rows(cli: Cli, registry: localreg.Registry) -> None:
    assert done(cli("models", "list", "-f", "json")).json == native(registry.models())
    where = "metadata.lr > 0.05 AND name LIKE 'meadow%'"
    ran = cli("models", "list", "--where", where, "--order-by", "name DESC", "--limit", "1", "-f", "json")
    assert done(ran).json == native(registry.models(where, order_by="name DESC", limit=1))
    order = ["owner DESC", "name DESC"]
    ran = cli("models", "list", "--order-by", order[0], "--order-by", order[1], "-f", "json")
    assert done(ran).json == native(registry.models(order_by=order))
    assert done(cli("models", "history", "meadow-5", "-f", "json")).json == native(
        registry.get_model("meadow-5").history()
    )


def test_audit_is_the_librarys_audit(cli: Cli, registry: localreg.Registry) -> None:
    assert done(cli("audit", "-f", "json")).json == native(registry.audit())
    ran = cli("audit", "--kind", "model", "--name", "meadow-5", "--since", "2", "-f", "json")
    assert done(ran).json == native(registry.audit(kind="model", name="meadow-5", since=2))
    time = registry.audit()[6]["time"].isoformat()
    assert done(cli("audit", "--since", time, "-f", "json")).json == native(registry.audit(since=time))


def test_sql_is_the_librarys_sql(cli: Cli, registry: localreg.Registry) -> None:
    query = "SELECT name, tags, created_at, {'x': [1, NULL]} AS s FROM models ORDER BY name"
    assert done(cli("sql", query, "-f", "json")).json == native(registry.sql(query))


def test_show_is_one_object_and_verify_is_the_report(cli: Cli, registry: localreg.Registry) -> None:
    model = registry.get_model("meadow-5")
    (row,) = native(registry.models("name = 'meadow-5'"))
    assert done(cli("models", "show", "meadow-5", "-f", "json")).json == {
        **row,
        "measured": [],
        "datasets": native(model.datasets()),
    }
    assert done(cli("verify", "-f", "json")).json == {"ok": True, **asdict(registry.verify())}


def test_versions_and_aliases_are_the_librarys(cli: Cli, registry: localreg.Registry) -> None:
    model = registry.get_model("meadow-5")
    listed = done(cli("versions", "list", "meadow-5", "-f", "json")).json
    assert [(row["version"], row["metadata"], row["aliases"]) for row in listed] == [
        (version.version, version.metadata, version.aliases) for version in model.versions()
    ]
    assert [row["version"] for row in listed] == ["1", "2"]
    assert done(cli("aliases", "list", "meadow-5", "-f", "json")).json == [{"alias": "production", "version": "2"}]


def test_compare_is_the_librarys_comparison(cli: Cli, registry: localreg.Registry) -> None:
    comparison = registry.compare("meadow-4", "meadow-5@production", suite="plates")
    ran = done(cli("compare", "meadow-4", "meadow-5@production", "--suite", "plates", "--fixed", "--broken"))
    assert ran.out.startswith(f"{comparison}\n")
    slices = ran.out.partition("accuracy by test case:\n")[2].partition("\n\n")[0].splitlines()
    assert slices[0].split("  ")[2:] != []
    assert all(name in slices[0] for name in ("meadow-4@1", "meadow-5@2", "95 % interval"))
    assert [line.split()[0] for line in slices[2:]] == ["day", "night"]
    row = comparison.row("accuracy", test_case="day")
    assert f"{row.a:.4f}" in slices[2]
    assert f"{row.low:+.4f} to {row.high:+.4f}" in slices[2]
    assert re.search(r"\n\d+ more metrics of test cases and slices: --metric NAME, or --format csv or json\n", ran.out)
    assert ran.out.index("\nfixed:\n") < ran.out.index("\nbroken:\n")
    answer = done(cli("compare", "meadow-4", "meadow-5@production", "--suite", "plates", "-f", "json")).json
    listed = {name: native(getattr(comparison, name)) for name in ("fixed", "broken")}
    assert answer == {**comparison.to_dict(), **listed}
    assert len(answer["fixed"]) == 4


def test_compare_asks_as_the_library_does(cli: Cli, registry: localreg.Registry) -> None:
    words = ["--by", "ground_truth.text", "--by", "test_case", "--metric", "f1_macro", "--metric", "accuracy"]
    words += ["--confidence", "0.9", "--adjust", "bh", "--strict"]
    answer = done(cli("compare", "meadow-4", "meadow-5@1", "meadow-5", "--suite", "plates", *words, "-f", "json")).json
    expected = registry.compare(
        "meadow-4",
        "meadow-5@1",
        "meadow-5",
        suite="plates",
        by=["ground_truth.text", "test_case"],
        metrics=["f1_macro", "accuracy"],
        confidence=0.9,
        adjust="bh",
        strict=True,
    )
    assert {name: answer[name] for name in expected.to_dict()} == expected.to_dict()
    assert [each["candidate"] for each in answer["broken"]] == ["meadow-5@1", "meadow-5@2"]
    assert cli("compare", "meadow-4", "meadow-5", "--suite", "plates", "--adjust", "x").code == 2
    refused = cli("compare", "meadow-4", "meadow-5", "--suite", "plates", "--metric", "acuracy")
    assert (refused.code, "did you mean 'accuracy'" in refused.err) == (1, True)


def test_measure_is_the_librarys_measurement(cli: Cli, registry: localreg.Registry) -> None:
    words = ["measure", "meadow-5", "--suite", "plates", "--by", "test_case", "--strict", "--confidence", "0.9"]
    expected = registry.measure("meadow-5", suite="plates", by="test_case", strict=True, confidence=0.9)
    ran = done(cli(*words))
    assert ran.out.startswith(f"{expected}\n\nmetric     class ")
    assert ran.out.count("\naccuracy by test_case:\n") == ran.out.count("\naccuracy by test case:\n") == 1
    row = expected.row("accuracy", test_case="day")
    assert re.search(rf"^day +{row.n} +{row.value:.4f} +{row.low:.4f} to {row.high:.4f}$", ran.out, re.MULTILINE)
    assert done(cli(*words, "-f", "json")).json == expected.to_dict()
    lines = done(cli(*words, "--metric", "accuracy", "-f", "csv")).out.splitlines()
    assert lines[0] == "metric,label,test_case,by,slice,value,low,high,n,reason"
    assert all(line.startswith("accuracy,") for line in lines[1:])
    refused = cli("measure", "meadow-5", "--suite", "plates", "--metric", "acuracy")
    assert (refused.code, "did you mean 'accuracy'" in refused.err) == (1, True)


@pytest.fixture
def prices(registry: localreg.Registry) -> localreg.Registry:
    """Two models of numbers on suite `houses`, whose samples have a number, too."""
    _, case, suite, net = define_workflow("Prices", Plate, Price, Offer)
    with localreg.use(registry):
        houses = [(Plate(n), Price(float(n))) for n in range(40)]
        suite("houses", test_cases=[case("all", test_samples=houses)])
        for name, error in (("near", 1.0), ("far", 3.0)):
            rows = [{"number": n, "price": n + error * (n % 4) - 1.5} for n in range(40)]
            net(name).record(pa.Table.from_pylist(rows), on="number")
    return registry


def test_numbers_are_not_right_or_wrong_but_near_or_far(cli: Cli, prices: localreg.Registry) -> None:
    words = ["compare", "near", "far", "--suite", "houses"]
    for option, name in ((["--broken"], "broken"), (["--outcome", "both_wrong"], "both wrong")):
        refused = cli(*words, *option)
        assert (refused.code, refused.out) == (1, "")
        told = " ".join(refused.err.split())
        assert f"nothing is right or wrong in a comparison of regression, and so no sample is {name}" in told
        assert "--worst 10 lists those whose error grew most" in told
    listed = done(cli(*words, "--worst", "3", "-f", "json")).json["worst"]
    assert [each["growth"] for each in listed] == [6.0, 6.0, 6.0]
    assert listed == native(prices.compare("near", "far", suite="houses").worst(3))
    assert "\nworst:\n" in done(cli(*words, "--worst", "3")).out
    assert len(done(cli(*words, "--worst", "3", "-f", "csv")).out.splitlines()) == 4
    none = cli(*words, "--worst", "0")
    assert (none.code, "--worst is 0; write how many samples, 1 or more" in none.err) == (1, True)
    labels = cli("compare", "meadow-4", "meadow-5", "--suite", "plates", "--worst", "3")
    assert labels.code == 1, "as of --broken where numbers are compared"
    assert "there are no errors in a comparison of classification; --broken lists what got worse" in labels.err


def test_compare_says_bins_and_the_next_step_as_options(cli: Cli, prices: localreg.Registry) -> None:
    words = ["compare", "near", "far", "--suite", "houses"]
    answer = done(cli(*words, "--by", "number", "--bins", "4", "-f", "json")).json
    names = ["number ≤ 9", "9 < number ≤ 19", "19 < number ≤ 29", "number > 29"]
    assert list(dict.fromkeys(row["slice"] for row in answer["metrics"] if row["by"])) == names
    for option, told in (
        (["--bins", "1"], "--bins is 1; write a whole number, 2 or more"),
        (["--better", "x=lower"], "no evaluator is named; pass --evaluator, too"),
        (["--better", "x"], "'x' is no METRIC=higher or METRIC=lower"),
        (["--better", "x=lower", "--better", "x=higher"], "'x' is given twice"),
        (["--evaluator", "near"], "there is no evaluation of 'near@1'"),
    ):
        refused = cli(*words, *option)
        assert told in " ".join(refused.err.split())
        assert refused.code in (1, 2)
        assert not re.search(r"\b(better|evaluator|strict)=", refused.err)


def test_compare_as_csv_is_one_table(cli: Cli) -> None:
    words = ["compare", "meadow-4", "meadow-5", "--suite", "plates", "--format", "csv"]
    assert done(cli(*words)).out.startswith("metric,label,test_case,")
    assert len(done(cli(*words, "--broken")).out.splitlines()) == 2
    assert len(done(cli(*words, "--outcome", "both_right")).out.splitlines()) == 1 + SAMPLES - 5
    assert cli(*words, "--broken", "--fixed").code == 2


def test_compare_lists_the_samples_that_fit(cli: Cli, registry: localreg.Registry) -> None:
    words = ["compare", "meadow-4", "meadow-5", "--suite", "plates", "--where"]
    where = "test_case = 'day'"
    comparison = registry.compare("meadow-4", "meadow-5", suite="plates")
    listed = done(cli(*words, where, "--outcome", "both_right", "--format", "json")).json["both_right"]
    assert listed == native(comparison.samples("both_right", where=where))
    assert 0 < len(listed) < len(comparison.samples("both_right"))
    nothing = cli(*words, where)
    assert (nothing.code, "say which, such as --broken" in nothing.err) == (1, True)
    refused = cli(*words, "scoreb > 1", "--broken", "--save", "kept")
    assert (refused.code, "no column 'scoreb' in samples" in refused.err) == (1, True)
    assert len(registry.comparisons(where="name = 'kept'")) == 0


GATED = ["compare", "meadow-4", "meadow-5", "--suite", "plates", "--gate", "gate.yaml"]


def test_a_gate_that_is_passed_exits_with_0_and_one_that_is_not_with_1_and_every_reason(
    cli: Cli, folder: Path, registry: localreg.Registry
) -> None:
    assert done(cli(*GATED)).out.endswith("\nmeadow-5@2 passes the gate against meadow-4@1 on 'plates'\n")
    rules = "{metrics: {accuracy: {min_value: 0.99, margin: 0}, matthews_corrcoef: {min_value: 1}}, by: test_case}"
    (folder.parent / "gate.yaml").write_text(rules)
    ran = cli(*GATED)
    assert (ran.code, ran.err) == (1, "")
    told = ran.out.partition("meadow-5@2 fails the gate against meadow-4@1 on 'plates':\n")[2].splitlines()
    assert [line.split(":")[0].strip() for line in told] == ["accuracy", "accuracy", "matthews_corrcoef"]
    ran = cli(*GATED, "--format", "json")
    gate = registry.compare("meadow-4", "meadow-5", suite="plates", by="test_case").gate("gate.yaml")
    assert (ran.code, ran.json["gate"]) == (1, gate.to_dict())
    assert {row["by"] for row in ran.json["metrics"]} == {None, "test_case"}


def test_a_gate_may_ask_for_metrics_that_are_not_among_the_usual_ones(cli: Cli, folder: Path) -> None:
    (folder.parent / "gate.yaml").write_text("metrics: {recall_weighted: {min_value: 0.5}}")
    answer = done(cli(*GATED, "-f", "json")).json
    assert answer["metrics"][0]["metric"] == "accuracy"
    assert "recall_weighted" in {row["metric"] for row in answer["metrics"]}
    answer = done(cli(*GATED, "-f", "json", "--metric", "f1_macro")).json
    assert {row["metric"] for row in answer["metrics"]} == {"recall_weighted", "f1_macro"}


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("metrics: {accuracy: {min_vlaue: 1}}", "did you mean 'min_value'"),
        ("metrics: {acuracy: {min_value: 1}}", "did you mean 'accuracy'"),
        ("critical: [nigth]", "did you mean 'night'"),
        ("{}", "asks for nothing"),
    ],
)
def test_a_gate_that_cannot_be_understood_is_wrong_usage(cli: Cli, folder: Path, rules: str, told: str) -> None:
    (folder.parent / "gate.yaml").write_text(rules)
    ran = cli(*GATED)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert ran.err.startswith("localreg: --gate: ")
    assert len(ran.err.splitlines()) == 1, "the usage was right, and is not told"
    assert cli(*GATED[:-1], "gone.yaml").code == 2


def test_a_card_is_printed_and_written_to_a_file_that_is_not_there(
    cli: Cli, folder: Path, registry: localreg.Registry
) -> None:
    card = registry.model_card("meadow-5@production")
    assert done(cli("card", "meadow-5@production")).out == card
    assert done(cli("card", "meadow-5@production", "-f", "json")).json == {"card": card}
    assert done(cli("card", "meadow-5@production", "--output", "CARD.md")).out == "wrote CARD.md\n"
    assert Path("CARD.md").read_text(encoding="utf-8") == card
    refused = cli("card", "meadow-5", "--output", "CARD.md")
    assert (refused.code, "pass --overwrite" in refused.err) == (1, True)
    done(cli("card", "meadow-5", "--output", "CARD.md", "--overwrite"))
    assert Path("CARD.md").read_text(encoding="utf-8") == registry.model_card("meadow-5")
    assert "no model 'meadow-9'; did" in cli("card", "meadow-9").err.replace(" in namespace 'default'", "")


def test_a_definition_is_exported_into_a_folder(cli: Cli, tmp_path: Path, registry: localreg.Registry) -> None:
    (tmp_path / "w.npz").write_bytes(b"w")
    registry.create_model("m").create_version(files={"w": tmp_path / "w.npz"})
    to = tmp_path / "exported"
    assert done(cli("definitions", "export", "m", str(to))).out == f"wrote {to / 'models.yaml'}\n"
    assert (to / "models.yaml").read_text() == registry.get_definition("m").yaml()
    (to / "w.npz").write_bytes(b"other")
    refused = cli("definitions", "export", "m", str(to))
    assert (refused.code, "pass --overwrite to replace it" in refused.err) == (1, True)
    done(cli("definitions", "export", "m", str(to), "--overwrite"))
    assert (to / "w.npz").read_bytes() == b"w"


def test_a_comparison_is_written_as_markdown(cli: Cli, folder: Path, registry: localreg.Registry) -> None:
    ran = done(cli("compare", "meadow-4", "meadow-5", "--suite", "plates", "--markdown", "report.md"))
    comparison = registry.compare("meadow-4", "meadow-5", suite="plates")
    assert (folder.parent / "report.md").read_text(encoding="utf-8") == comparison.to_markdown()
    assert ran.out.startswith(str(comparison))


def test_a_comparison_is_written_as_a_page(cli: Cli, folder: Path) -> None:
    done(cli("compare", "meadow-4", "meadow-5", "--suite", "plates", "--html", "report.html"))
    assert "meadow-5@" in (folder.parent / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("--group-by number%5", {"group_by": "number%5"}),
        ("--bootstrap 200", {"bootstrap": 200}),
        ("--score-of positive", {"score_of": "positive"}),
    ],
)
def test_options_of_compare_are_arguments(
    cli: Cli, registry: localreg.Registry, words: str, asked: dict[str, Any]
) -> None:
    answer = done(cli("compare", "meadow-4", "meadow-5", "--suite", "plates", *words.split(), "-f", "json")).json
    plain, expected = (registry.compare("meadow-4", "meadow-5", suite="plates", **each) for each in ({}, asked))
    assert answer["metrics"] == native(expected.metrics) != native(plain.metrics)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--positive gold", "'gold'"),
        ("--evaluator exact", "meadow-4@1"),
        ("--score-threshold f1_optimal", "speak of boxes"),
        ("--score-threshold high", "--score-threshold is 'high'"),
        ("--iou 0.7", "speak of boxes"),
        ("--fmr 0.01", "fmr speaks of pairs"),
        ("--iou-type segm", "iou_type speak of boxes, polygons or masks"),
        ("--configuration strict", "no evaluator is named"),
    ],
)
def test_options_that_do_not_fit_what_is_compared_are_refused(cli: Cli, words: str, told: str) -> None:
    ran = cli("compare", "meadow-4", "meadow-5", "--suite", "plates", *words.split())
    assert ran.code == 1
    assert told in ran.err


def test_a_comparison_is_saved_and_told_again(cli: Cli, registry: localreg.Registry) -> None:
    words = ["compare", "meadow-4", "meadow-5", "--suite", "plates"]
    before = registry.commit
    done(cli(*words, "--save", "nightly", "--actor", "cy"))
    assert registry.commit == before + 1
    comparison = registry.compare("meadow-4", "meadow-5", suite="plates")
    assert done(cli("comparisons", "show", "nightly", "-f", "json")).json == comparison.to_dict()
    assert done(cli("comparisons", "show", "nightly")).out == done(cli(*words)).out
    listed = done(cli("comparisons", "list", "-f", "json")).json
    assert [(each["name"], each["created_by"]) for each in listed] == [("release 5", "ana"), ("nightly", "cy")]
    again = cli(*words, "--save", "nightly")
    assert (again.code, "'nightly' is saved already" in again.err) == (1, True)
    assert done(cli(*words, "--actor", "cy")).out, "who asks has a role, too"
    assert done(cli("comparisons", "delete", "nightly")).out == "deleted comparison 'nightly'\n"
    assert cli("comparisons", "show", "nightly").code == 1


def test_a_saved_comparison_is_held_against_a_gate_and_written(
    cli: Cli, folder: Path, registry: localreg.Registry
) -> None:
    here = folder.parent
    live = registry.compare("meadow-4", "meadow-5", suite="plates")
    live.save("nightly")
    (here / "strict.yaml").write_text("{metrics: {accuracy: {min_value: 0.99}}}")
    written = ["--markdown", "saved.md", "--html", "saved.html"]
    ran = cli("comparisons", "show", "nightly", "--gate", "strict.yaml", *written)
    assert ran.code == 1
    assert ran.out.endswith(f"\n\ngate:\n{live.gate(here / 'strict.yaml')}\n")
    assert (here / "saved.md").read_text(encoding="utf-8") == live.to_markdown()
    assert (here / "saved.html").read_bytes() == live.to_html(here / "live.html").read_bytes()
    asked = cli("comparisons", "show", "nightly", "--gate", "strict.yaml", "-f", "json")
    assert (asked.code, asked.json["gate"]["passed"]) == (1, False)
    assert cli("comparisons", "show", "nightly", "--gate", "gone.yaml").code == 2


def test_metrics_of_classes_alone_are_printed(cli: Cli, registry: localreg.Registry) -> None:
    words = ["--suite", "plates", "--metric", "f1"]
    for ran in (cli("compare", "meadow-4", "meadow-5", *words), cli("measure", "meadow-5", *words)):
        assert len(re.findall(r"^f1 of \S+ +\S", done(ran).out, re.MULTILINE)) > 3
        assert not re.search("^metric .*\n─.*\n\n", ran.out, re.MULTILINE), "no table is empty"
    assert {row["metric"] for row in done(cli("leaderboard", "meadow-4", "meadow-5", *words, "-f", "json")).json} == {
        "f1_macro"
    }


def test_a_leaderboard_asks_as_the_library_does_and_tells_who_lacks_inferences(
    cli: Cli, registry: localreg.Registry
) -> None:
    words = ["leaderboard", "meadow-4", "meadow-5@1", "meadow-5@2", "--suite", "plates"]
    options = ["--group-by", "number%5", "--confidence", "0.9", "--score-of", "positive", "--bootstrap", "200"]
    answer = done(cli(*words, *options, "-f", "json")).json
    asked: dict[str, Any] = {"group_by": "number%5", "confidence": 0.9, "score_of": "positive", "bootstrap": 200}
    models = ["meadow-4", "meadow-5@1", "meadow-5@2"]
    board = registry.leaderboard(*models, suites="plates", **asked)
    assert answer == native(board) != native(registry.leaderboard(*models, suites="plates"))
    lacking = [row for row in board if row["missing"] and row["n"] is not None]
    told = done(cli(*words)).out.partition("samples without an inference: ")[2]
    assert bool(told) is bool(lacking)
    for row in lacking:
        assert f"{row['missing']} of {row['model']} on 'plates'" in told
    refused = cli(*words, "--positive", "gold")
    assert (refused.code, "'gold'" in refused.err) == (1, True)


def test_the_help_of_sql_names_every_documented_table(cli: Cli) -> None:
    text = " ".join(done(cli("sql", "--help")).out.split())
    named = text.partition("Tables: ")[2].partition(".")[0]
    assert set(named.split(", ")) == {*TABLES, *BULK}


# --- where, when ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "--namespace team/x models list",
        "models --namespace team/x list",
        "models list --namespace team/x",
        "-n a models -n b list -n team/x",
    ],
)
def test_the_namespace_may_stand_before_or_after_the_command(cli: Cli, registry: localreg.Registry, line: str) -> None:
    registry.namespace("team/x").create_model("other")
    assert [row["name"] for row in done(cli(*line.split(), "--format", "json")).json] == ["other"]


def test_the_registry_may_stand_before_or_after_the_command(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCALREG_URI")
    assert cli("models", "list").code == 1
    assert done(cli("--registry", str(folder), "verify")).out == done(cli("verify", "-r", folder.as_uri())).out


def test_at_shows_the_registry_as_it_was(cli: Cli, registry: localreg.Registry) -> None:
    assert [row["name"] for row in done(cli("models", "list", "--at", "1", "-f", "json")).json] == ["meadow-4"]
    assert done(cli("--at", "2", "audit", "-f", "json")).json == native(registry.at(commit=2).audit())
    assert done(cli("models", "list", "--at", "2001-01-01T00:00:00Z", "-f", "json")).json == []
    assert cli("models", "list", "--at", "99").err.startswith("localreg: no commit 99")
    assert cli("models", "list", "--at", "soon").err.startswith("localreg: time is 'soon', which is no time")
    assert cli("verify", "--at", "2").code == 2


def test_init_makes_a_registry_once(cli: Cli, tmp_path: Path) -> None:
    new = tmp_path / "deep" / "new"
    made = done(cli("init", str(new), "--shared", "group")).out
    registry = localreg.open(new, read_only=True)
    assert made == f"registry {registry.id} made: {new}\n"
    before = files(new)
    assert done(cli("init", "-r", str(new))).out == f"registry {registry.id} is there already: {new}\n"
    assert files(new) == before
    assert json.loads((new / "localreg.json").read_text())["shared"] == "group"


def test_init_refuses_what_it_cannot_make(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    assert "not a registry and not empty" in cli("init", "full").err
    assert cli("init", "a", "-r", "b").code == 2
    assert cli("init", "a", "--at", "1").code == 2
    ran = cli("init", "a", "--shared", "nobody")
    assert (ran.code, "'nobody'" in ran.err) == (1, True)
    assert not (tmp_path / "a").exists()


def test_a_printed_time_can_be_pasted_back(cli: Cli, registry: localreg.Registry) -> None:
    printed = done(cli("audit", "--columns", "time")).out.splitlines()[2].strip()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", printed)
    assert len(done(cli("audit", "--since", printed, "-f", "json")).json) == len(registry.audit())
    assert done(cli("models", "list", "--at", printed)).out.splitlines()[-1] == "0 rows", "to the second, downwards"
    assert printed in done(cli("watch", "--since", "0", "--timeout", "0")).out.splitlines()[0]
    told = cli("models", "list", "--at", printed.removesuffix("Z"))
    assert (told.code, told.err.endswith("add Z for UTC, as in 2026-03-31T12:00:00Z\n")) == (1, True)


def test_a_time_is_printed_in_utc_and_one_without_a_zone_as_it_is() -> None:
    ahead = timezone(timedelta(hours=5, minutes=30))
    assert cell(datetime(2026, 11, 21, 12, 43, 27, 999, tzinfo=ahead)) == "2026-11-21 07:13:27Z"
    assert cell(datetime.fromisoformat("2026-11-21T12:43:27")) == "2026-11-21 12:43:27"


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, columns: int, *arguments: str) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    printed = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr(printed, "isatty", lambda: True)
        patch.setattr(sys, "stdout", printed)
        assert run(arguments) == 0
    return printed.getvalue().splitlines()


@pytest.mark.parametrize(
    ("line", "head"),
    [
        ("models history meadow-5", "commit time actor action name changes"),
        ("audit", "commit time actor action kind name details message"),
        (
            "audit --columns commit,event,time,actor,action,kind,name,parent_name,details,message",
            "commit event time actor action kind name parent_name details message",
        ),
        ("models list", "name latest_version aliases tags owner updated_at"),
        ("versions list meadow-5", None),
        ("runs list", None),
        ("du", None),
    ],
)
def test_no_listing_is_wider_than_the_terminal(
    registry: localreg.Registry, monkeypatch: pytest.MonkeyPatch, line: str, head: str | None
) -> None:
    registry.get_model("meadow-5").update(metadata={"note": "long " * 50}, description="d" * 100)
    shown = at_a_terminal(monkeypatch, 80, *line.split())
    assert len(shown) > 2
    assert max(map(len, shown)) <= 80
    if head is not None:
        whole = at_a_terminal(monkeypatch, 1_000, *line.split())
        assert whole[0].split() == head.split()
        assert len(shown[0].split()) == len(head.split()), "no column is lost"


def test_a_table_of_numbers_is_cut_where_the_terminal_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = Rows([f"n{number}" for number in range(10)], [[10**9] * 10])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    assert max(map(len, listing.lines())) == 40


def test_the_columns_of_a_history_can_be_chosen_and_json_holds_all(cli: Cli, registry: localreg.Registry) -> None:
    head = done(cli("models", "history", "meadow-5", "--columns", "kind,message")).out.splitlines()[0]
    assert head.split() == ["kind", "message"]
    rows = done(cli("models", "history", "meadow-5", "-f", "json")).json
    assert rows == native(registry.get_model("meadow-5").history())


def test_show_tells_which_version_each_alias_means(cli: Cli, registry: localreg.Registry) -> None:
    registry.get_model("meadow-5").set_alias("candidate", "1")
    (line,) = [line for line in done(cli("models", "show", "meadow-5")).out.splitlines() if line.startswith("aliases")]
    assert line.removeprefix("aliases").strip() == "candidate → 1, production → 2"
    assert "candidate" in done(cli("models", "show", "meadow-5", "-f", "json")).json["aliases"]
    assert not [each for each in done(cli("models", "show", "meadow-4")).out.splitlines() if each.startswith("aliases")]


def test_a_run_is_shown_with_what_became_of_its_samples(cli: Cli, registry: localreg.Registry) -> None:
    _, case_class, suite_class, model_class = define_workflow("Plates", Plate, Text, Reading)

    def infer(plate: Plate) -> Reading | None:
        return None if plate.number < 103 else Reading(str(plate.number))

    with localreg.use(registry):
        case = case_class("more", test_samples=[(Plate(n), Text(str(n))) for n in range(100, 110)])
        test(model_class("skipping", infer), suite_class("more", test_cases=[case]))
    shown = done(cli("runs", "show", "skipping", "more")).out
    assert "\nsamples             7 ok, 3 skipped\n" in shown
    assert re.search(r"^fingerprint +Python 3[^;]+; .*infer [0-9a-f]{12}; \d+ packages", shown, re.MULTILINE)
    (run,) = registry.test_runs("model = 'skipping'").dicts()
    told = done(cli("runs", "show", run["id"][:8].upper(), "-f", "json")).json
    assert told["samples"] == {"ok": 7, "skipped": 3, "error": 0, "missing": 0}
    assert told["fingerprint"] == run["fingerprint"]
    assert cli("runs", "show", "").code == 1
    assert "no test run whose id begins with 'zz'" in cli("runs", "show", "zz").err
    assert "was never run on 'glare'" in cli("runs", "show", "skipping", "glare").err


def test_an_id_of_a_run_may_be_cut_as_long_as_it_means_one(cli: Cli, registry: localreg.Registry) -> None:
    _, _, suite_class, model_class = define_workflow("Plates", Plate, Text, Reading)
    with localreg.use(registry):
        for version in range(3, 20):  # of 17 ids, two begin with the same of 16 digits
            registry.get_model("meadow-5").create_version(str(version))
            test(model_class("meadow-5", lambda _: None), suite_class.load("glare"))
    runs = [run["id"] for run in registry.test_runs()]
    digits = [id[0] for id in runs]
    several = next(digit for digit in digits if digits.count(digit) > 1)
    ran = cli("runs", "show", several)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"localreg: several test runs have an id that begins with {several!r}; write more of it\n"
    assert done(cli("runs", "show", runs[-1][:12], "-f", "json")).json["id"] == runs[-1]


def test_errors_of_a_run_are_listed_and_no_control_character_reaches_the_terminal(cli: Cli) -> None:
    (error,) = done(cli("runs", "errors", "meadow-4", "glare", "-f", "json")).json
    assert (error["sample"], error["type"]) == ({"number": 99}, "RuntimeError")
    assert error["message"] == "the sun\n\x1b[31mstood low"
    assert "raise RuntimeError" in error["traceback"]
    table = done(cli("runs", "errors", "meadow-4", "glare")).out
    assert table.splitlines()[0].split() == ["sample", "type", "message"]
    assert table.splitlines()[2].split()[2:] == ["RuntimeError", "the", "sun", "\\x1b[31mstood", "low"]
    told = done(cli("runs", "errors", "meadow-4", "glare", "--traceback")).out
    assert told.startswith('sample {"number": 99}\n  Traceback')
    assert "\n  \\x1b[31mstood low\n" in told
    assert done(cli("runs", "errors", "meadow-4", "plates")).out.endswith("0 rows\n")


def test_results_of_a_run_are_the_librarys(cli: Cli, registry: localreg.Registry) -> None:
    answer = done(cli("runs", "results", "meadow-5", "plates", "-f", "json")).json
    assert [each["configuration"] for each in answer] == ["strict", "lenient"]
    (row,) = registry.test_runs("evaluator IS NOT NULL")
    for told in answer:
        view = registry.get_test_run(row["id"]).results(told["configuration"])
        assert (told["cases"], told["suite"], told["settings"]) == (view.cases, view.suite, view.settings)
        assert told["coverage"] == {"evaluated": SAMPLES, "skipped": 0, "failed": 0, "missing": 0}
    lenient = done(cli("runs", "results", "meadow-5", "plates", "--configuration", "lenient")).out.splitlines()
    assert lenient[0] == "configuration 'lenient', 20 samples"
    assert lenient[1].split() == ["test_case", "worst", "right", "by_half"]
    assert [line.split()[:2] for line in lenient[3:]] == [["0.45"], ["day", "0.45"], ["night", "0.5"]]
    table = list(csv.DictReader(io.StringIO(done(cli("runs", "results", "meadow-5", "plates", "-f", "csv")).out)))
    assert [(row["configuration"], row["test_case"], row["right"]) for row in table] == [
        *[("strict", "", ""), ("strict", "day", "0.9"), ("strict", "night", "1.0")],
        *[("lenient", "", ""), ("lenient", "day", "0.45"), ("lenient", "night", "0.5")],
    ]
    ran = cli("runs", "results", "meadow-5", "plates", "--configuration", "lenint")
    assert (ran.code, "did you mean 'lenient'?" in ran.err) == (1, True)
    ran = cli("runs", "results", "meadow-4", "plates")
    assert (ran.code, "was not evaluated yet; evaluate it in Python" in ran.err) == (1, True)
    assert "strict, lenient" in done(cli("runs", "show", "meadow-5", "plates")).out


def test_a_workflow_is_shown_with_a_tree_of_its_types(cli: Cli, registry: localreg.Registry) -> None:
    with localreg.use(registry):
        _, case_class, *_ = define_workflow("Nested", Nested, Text, Reading)
        case_class("one")
    shown = done(cli("workflows", "show", "Nested")).out
    tree = shown.partition("\ntest_sample: ")[2].partition("\n\n")[0]
    assert tree.splitlines() == [
        "Nested",
        "  number: int",
        "  color: Color ('red', 'green')",
        "  boxes: list[LabeledBoundingBox]",
        "    top_left: tuple[float, float]",
        "    bottom_right: tuple[float, float]",
        "    label: str",
        "  embedding: Vector[4]",
        "  by_name: dict[str, float]",
        "  either: Text | Reading | None",
        "    text: str",
        "    text: str",
    ]
    assert "\ninference: Reading\n  text: str\n" in shown
    told = done(cli("workflows", "show", "Nested", "-f", "json")).json
    assert told == native(registry.workflows("name = 'Nested'"))[0], "the whole schemas"


def test_a_suite_is_shown_with_the_versions_that_it_holds(cli: Cli, registry: localreg.Registry) -> None:
    shown = done(cli("suites", "show", "plates")).out
    assert "\ntest_cases  2\n" in shown
    lines = [line.split() for line in shown.splitlines()]
    place = lines.index(["day", "1", "10"])
    assert lines[place + 1] == ["night", "1", "10"]
    assert lines[-1][0] == "1", "its versions stand below"
    told = done(cli("suites", "show", "plates", "-f", "json")).json
    assert told["members"] == [{"name": name, "version": 1, "samples": 10} for name in ("day", "night")]
    [first] = told.pop("versions")
    assert (first["version"], first["samples"], first["created_by"]) == (1, 20, "ana")
    assert {**told, "members": None} == {**native(registry.test_suites("name = 'plates'"))[0], "members": None}


def test_suites_and_cases_are_described(cli: Cli, registry: localreg.Registry) -> None:
    ran = cli("suites", "set", "plates", "--description", "of 2026", "--tag", "a", "--tag", "b", "--untag", "c")
    assert done(ran).out == "updated test suite 'plates'\n"
    done(cli("suites", "set", "plates", "--untag", "a"))
    assert (registry.get_test_suite("plates").info.tags, registry.get_test_suite("plates").info.description) == (
        ["b"],
        "of 2026",
    )
    assert done(cli("suites", "set", "plates", "--tag", "b")).out == "nothing to change\n"
    done(cli("cases", "set", "day", "--description", "sunlit"))
    assert registry.get_test_case("day").info.description == "sunlit"
    assert cli("suites", "set", "plates").code == cli("cases", "set", "day").code == 2


def test_a_suite_is_cut_into_strata(cli: Cli, registry: localreg.Registry) -> None:
    words = ["suites", "stratify", "plates", "--by", "number", "--bins", "2", "--name", "halves"]
    assert done(cli(*words)).out == "made test suite 'halves' of 2 test cases\n"
    assert [tuple(each) for each in registry.get_test_suite("halves").members] == [
        ("halves: number ≤ 9", 1, 10),
        ("halves: number > 9", 1, 10),
    ]
    assert done(cli(*words)).out == "nothing to change\n"
    compared = done(cli("compare", "meadow-4", "meadow-5", "--suite", "halves", "-f", "json")).json
    of_cases = [row for row in compared["metrics"] if row["metric"] == "accuracy" and row["test_case"] is not None]
    assert [(row["test_case"], row["n"]) for row in of_cases] == [
        ("halves: number ≤ 9", 10),
        ("halves: number > 9", 10),
    ], "what was inferred is used"
    ran = cli("suites", "stratify", "plates", "--by", "nummer")
    assert (ran.code, "did you mean 'number'?" in ran.err) == (1, True)


@pytest.mark.parametrize(
    ("namespace", "told"), [("visoin", "; did you mean 'vision'?"), ("nosuchns", ""), ("defualt", "did you mean")]
)
def test_a_namespace_that_is_not_there_is_told_on_a_read(cli: Cli, folder: Path, namespace: str, told: str) -> None:
    localreg.open(folder, namespace="vision").create_model("seen")
    for line in ("models list", "audit", "sql 'SELECT * FROM models'", "watch --since 0 --timeout 0"):
        ran = cli("-n", namespace, *shlex.split(line))
        assert (ran.code, ran.err.count("\n")) == (0, 1)
        assert ran.err.startswith(f"localreg: warning: nothing was committed in namespace {namespace!r}")
        assert told in ran.err
    assert done(cli("-n", "vision", "models", "list")).out
    assert done(cli("-n", "vision", "--at", "0", "models", "list")).out, "it was not there yet"
    assert done(cli("-n", namespace, "models", "create", "first")).out, "a write makes it"


def test_an_empty_registry_is_listed_without_a_warning(cli: Cli, tmp_path: Path) -> None:
    localreg.open(tmp_path / "empty")
    assert done(cli("-r", str(tmp_path / "empty"), "models", "list")).out
    assert done(cli("-r", str(tmp_path / "empty"), "-n", "default", "models", "list")).out


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_an_unknown_model_is_a_line_that_suggests_a_near_one(cli: Cli) -> None:
    ran = cli("models", "show", "meadw-5")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("localreg: no model 'meadw-5' in namespace 'default'; did you mean 'meadow-5'")
    assert ran.err.count("\n") == 1


def test_a_renamed_model_is_told_by_its_new_name(cli: Cli) -> None:
    assert done(cli("models", "rename", "night-owl", "barn-owl")).out == "renamed model 'night-owl' to 'barn-owl'\n"
    assert "it is now called 'barn-owl'" in cli("models", "set", "night-owl", "a=1").err


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("models delete meadow-5", "depend on it"),
        ("models create meadow-5", "exists already"),
        ("models list --where 'nme = 1'", "did you mean 'name'"),
        ("models list --limit -1", "limit is below 0"),
        ("models list --namespace UP", "namespace 'UP'"),
        ("models create x --metadata '=1'", "KEY=VALUE"),
        ("sql 'DROP TABLE models'", "not a SELECT"),
        ("sql 'SELECT * FROM nothing'", "no table 'nothing'"),
        ("compare meadow-4 night-owl --suite plates", "no version yet"),
        ("compare meadow-4 meadow-5 --suite plate", "did you mean 'plates'"),
        ("aliases set meadow-5 production 7", "no version '7'"),
        ("audit --since yesterday", "is no time"),
    ],
)
def test_a_refusal_is_told_without_a_traceback(cli: Cli, line: str, told: str) -> None:
    ran = cli(*shlex.split(line))
    assert ran.code in (1, 2)
    assert told in ran.err
    assert ran.out == ""
    if ran.code == 1:
        assert ran.err.startswith("localreg: ")
        assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    "line",
    [
        "nothing",
        "models show",
        "models list --format xml",
        "models list --limit many",
        "models set meadow-5",
        "models set meadow-5 word",
        "models set meadow-5 a=1 a=2",
        "models set meadow-5 --json '[1]'",
        "models set meadow-5 --json '{'",
        "models set meadow-5 a=1 --json '{\"a\": 2}'",
        'models set meadow-5 --json \'{"a": 2, "a": 3}\'',
        "models unset meadow-5",
        "models tag meadow-5",
        "compare meadow-4 meadow-5",
        "copy . elsewhere --reset",
        "copy . elsewhere --all --as other",
        "copy . elsewhere --all --suite plates",
    ],
)
def test_wrong_usage_is_exit_code_2_and_changes_nothing(cli: Cli, folder: Path, line: str) -> None:
    before = files(folder)
    ran = cli(*shlex.split(line))
    assert (ran.code, ran.out) == (2, "")
    assert "--help" in ran.err
    assert files(folder) == before


def test_an_unknown_command_suggests_a_near_one(cli: Cli) -> None:
    assert "Did you mean 'models'?" in cli("model", "list").err
    assert "Did you mean 'rename'?" in cli("models", "renam").err


def test_only_a_near_option_is_suggested(cli: Cli) -> None:
    told = cli("undo", "3", "--format", "json").err
    assert "No such option: --format" in told
    assert "--at" not in told
    assert "--columns" in cli("models", "list", "--colums", "name").err


@pytest.mark.parametrize("name", COMMANDS)
def test_no_usage_line_has_braces_or_doubled_brackets(cli: Cli, name: str) -> None:
    usage = done(cli(*name.split(), "--help")).out.split("\n\n")[0]
    assert usage.strip().startswith("Usage: localreg")
    assert not re.search(r"[{}]|\[\[", usage)


def test_watch_offers_the_formats_that_it_takes(cli: Cli) -> None:
    assert "csv" not in done(cli("watch", "--help")).out
    assert cli("watch", "--format", "csv", "--timeout", "0").code == 2


def test_a_version_that_is_there_is_left_as_it_is_with_exist_ok(cli: Cli) -> None:
    refused = cli("versions", "create", "meadow-5", "2")
    assert (refused.code, refused.err.endswith("or pass --exist-ok\n")) == (1, True)
    assert done(cli("versions", "create", "meadow-5", "2", "--exist-ok")).out == "nothing to change\n"


def test_damage_is_exit_code_1_and_a_line_that_names_the_file(cli: Cli, folder: Path) -> None:
    damaged = next((folder / "namespaces" / "default" / "data" / "inferences").rglob("*.parquet"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    (folder / "namespaces" / "default" / "log" / f"{3:020}.parquet").unlink()
    ran = cli("verify")
    assert (ran.code, ran.err) == (1, "")
    assert [line for line in ran.out.splitlines() if damaged.name in line and "altered" in line]
    assert [line for line in ran.out.splitlines() if f"{3:020}.parquet is missing" in line]
    ran = cli("verify", "-f", "json")
    assert (ran.code, ran.json["ok"]) == (1, False)
    assert any(problem["path"].endswith(damaged.name) for problem in ran.json["problems"])


def test_verify_looks_from_a_commit_on_expects_a_digest_and_resumes(cli: Cli, registry: localreg.Registry) -> None:
    digest, commit = registry.verify().digest, registry.commit
    ran = done(cli("verify", "--since", str(commit - 2), "--expect", digest, "--resume"))
    assert f"2 commits after commit {commit - 2}" in ran.out
    assert f"the expected digest is that of commit {commit}" in ran.out
    assert done(cli("verify", "--since", "2000-01-01T00:00:00Z", "-f", "json")).json["commits"] == commit
    ran = cli("verify", "--expect", "0" * 64)
    assert (ran.code, ran.err) == (1, "")
    assert "no event of the log has the digest" in ran.out
    ran = cli("verify", "--expect", "0")
    assert (ran.code, ran.out) == (1, "")
    assert "give a digest of 64 hexadecimal digits" in ran.err


def test_a_warning_is_one_line_on_stderr(cli: Cli) -> None:
    ran = cli("models", "create", "meadow-4", "--exist-ok", "--owner", "zoe")
    assert (ran.code, ran.out) == (0, "nothing to change\n")
    assert ran.err.startswith("localreg: warning: model 'meadow-4' exists already")
    assert ran.err.count("\n") == 1


def test_an_interrupt_is_quiet(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("localreg.api.open_registry", interrupt)
    ran = cli("models", "list")
    assert (ran.code, ran.out, ran.err.strip()) == (INTERRUPTED, "", "")


# --- words ------------------------------------------------------------------------------------------------------------


def test_values_are_json_where_they_are_json_and_text_elsewhere(cli: Cli, registry: localreg.Registry) -> None:
    typed = {
        "n=5": 5,
        "f=0.1": 0.1,
        "t=true": True,
        "z=null": None,
        "l=[1, {\"a\": 2}]": [1, {"a": 2}],
        's="5"': "5",
        "word=yes=no": "yes=no",
        "nan=NaN": "NaN",
        "empty=": "",
        "a.b=1": 1,
        "p=[broken": "[broken",
        "u=ü 🌱": "ü 🌱",
    }  # fmt: skip
    done(cli("models", "create", "typed"))
    done(cli("models", "set", "typed", *typed, "--json", '{"deep": {"er": 1}}'))
    expected = {pair.partition("=")[0]: value for pair, value in typed.items()}
    assert registry.get_model("typed").metadata == {**expected, "deep": {"er": 1}}
    done(cli("models", "unset", "typed", *expected))
    assert registry.get_model("typed").metadata == {"deep": {"er": 1}}


def test_create_takes_everything_that_the_library_takes(cli: Cli, registry: localreg.Registry) -> None:
    words = '--metadata a=1 --metadata b=x --json {"c":[]} --tag t --tag s --owner o --description d --task k'
    assert done(cli("models", "create", "full", *words.split())).out == "created model 'full'\n"
    model = registry.get_model("full")
    assert model.metadata == {"a": 1, "b": "x", "c": []}
    assert (model.tags, model.owner, model.description, model.task) == (["s", "t"], "o", "d", "k")
    done(cli("models", "unset", "full", "a", "--owner", "--description", "--task"))
    assert (model.metadata, model.owner, model.description, model.task) == ({"b": "x", "c": []}, None, None, None)


def test_a_change_that_changes_nothing_says_so_and_is_no_commit(cli: Cli, registry: localreg.Registry) -> None:
    before = registry.commit
    assert done(cli("models", "set", "meadow-5", "lr=0.1")).out == "nothing to change\n"
    assert done(cli("models", "tag", "meadow-4", "detector")).out == "nothing to change\n"
    assert registry.commit == before
    assert done(cli("models", "tag", "meadow-4", "detector", "new")).out == "tagged model 'meadow-4'\n"


@pytest.mark.parametrize(
    "name",
    [
        "🌱 meadow/5",
        'it\'s "quoted"',
        "--version",
        "-n",
        "a@b",
        "100 % *",
        "$HOME `x` \\n",
        "../x",
        "a=b",
        "名前",
        "[red]x",
    ],
)
def test_odd_names_go_in_and_come_out_as_they_are(cli: Cli, registry: localreg.Registry, name: str) -> None:
    done(cli("models", "create", "--owner", name, "--", name))
    done(cli("models", "set", "--", name, "a=1"))
    assert registry.get_model(name).metadata == {"a": 1}
    assert done(cli("models", "show", "-f", "json", "--", name)).json["name"] == name
    assert f"\n{name} " in done(cli("models", "list")).out
    assert [row["name"] for row in done(cli("audit", f"--name={name}", "-f", "json")).json] == [name, name]
    rows = csv.DictReader(io.StringIO(done(cli("models", "list", "-f", "csv")).out))
    assert [row["owner"] for row in rows][-1] == name
    done(cli("models", "delete", "--", name))


# --- formats ----------------------------------------------------------------------------------------------------------


def test_values_that_json_does_not_know_are_written_as_it_can(cli: Cli) -> None:
    query = (
        "SELECT 'NaN'::DOUBLE AS nan, sum(commit) AS whole, 1.5 AS part, 'ab'::BLOB AS blob, DATE '2026-03-01' AS day, "
        "NULL AS nothing FROM audit_events"
    )
    row = done(cli("sql", query, "-f", "json")).json[0]
    assert isinstance(row.pop("whole"), int)
    assert row == {"nan": None, "part": 1.5, "blob": "6162", "day": "2026-03-01", "nothing": None}


def test_two_columns_of_one_name_are_two_columns(cli: Cli) -> None:
    assert done(cli("sql", "SELECT 1 AS a, 2 AS a", "-f", "csv")).out == "a,a_1\n1,2\n"
    assert done(cli("sql", "SELECT 1 AS a, 2 AS a")).out == "a  a_1\n─  ───\n1  2\n"


def test_a_table_in_a_pipe_is_whole_and_plain(cli: Cli) -> None:
    long = "x" * 500
    done(cli("models", "create", long, "--owner", "tab\there"))
    table = done(cli("models", "list")).out
    assert f"\n{long}  " in table
    assert "tab here" in table
    assert "\x1b" not in table
    assert len(done(cli("sql", "SELECT unnest(range(1000)) AS n")).out.splitlines()) == 1002
    assert done(cli("models", "list", "--where", "false")).out.splitlines()[-1] == "0 rows"


def test_a_control_character_reaches_no_terminal(cli: Cli) -> None:
    assert done(cli("sql", "SELECT chr(27) || '[31mred' AS c")).out.splitlines()[-1] == "\\x1b[31mred"


def test_a_table_on_a_terminal_shrinks_to_fit() -> None:
    rows = [["meadow", "y" * 200, 1234567890], ["🌱" * 50, "z", 1]]
    whole = list(aligned(["name", "text", "n"], rows))
    assert len(whole[2]) == 100 + 2 + 200 + 2 + 10
    assert list(aligned(["name", "text", "n"], rows, room=40)) == [
        "name           text           n",
        "─────────────  ─────────────  ──────────",
        "meadow         yyyyyyyyyyyy…  1234567890",
        "🌱🌱🌱🌱🌱🌱…  z              1",
    ]


def test_a_listing_fits_the_terminal_it_is_printed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = Rows(["name", "text"], [["meadow", "y" * 200]])
    assert max(map(len, listing.lines())) == 208
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    assert max(map(len, listing.lines())) == 40


def test_show_puts_well_known_metadata_first_and_leaves_out_what_is_empty(cli: Cli) -> None:
    done(cli("models", "create", "ordered", "--json", '{"a": [1], "seed": 7, "framework": "jax"}'))
    lines = done(cli("models", "show", "ordered")).out.splitlines()
    assert [line.split() for line in lines[-4:]] == [["metadata"], ["framework", "jax"], ["seed", "7"], ["a", "[1]"]]
    assert not any(line.startswith("owner") for line in lines)


# --- as a process -----------------------------------------------------------------------------------------------------


def test_main_exits_with_the_code_of_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["models", "show", "nobody"])
    assert ended.value.code == 1
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"localreg {localreg.__version__}\n")


@pytest.mark.usefixtures("importable")
def test_a_process_answers_in_utf8_whatever_the_terminal_knows(folder: Path) -> None:
    name = "🌱 Ü"
    subprocess.run(process("models", "create", name), check=True, capture_output=True)
    plain = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    ran = subprocess.run(process("models", "list", "-f", "json"), check=True, capture_output=True, env=plain)
    assert json.loads(ran.stdout)[-1]["name"] == name
    ran = subprocess.run(process("models", "list"), check=True, capture_output=True, env=plain)
    assert rb"\U0001f331 \xdc" in ran.stdout


@pytest.mark.parametrize("lines", [1, 3000])
@pytest.mark.usefixtures("importable")
def test_a_reader_who_leaves_is_no_error(folder: Path, lines: int) -> None:
    query = f"SELECT repeat('x', 100) AS x FROM (SELECT unnest(range({lines})))"
    with subprocess.Popen(process("sql", query), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as ran:
        assert ran.stdout is not None
        assert ran.stderr is not None
        ran.stdout.close()
        assert ran.stderr.read() == ""
    assert ran.returncode == PIPE_CLOSED


@pytest.mark.usefixtures("importable")
def test_a_listing_loads_its_own_commands_and_nothing_that_it_can_do_without(folder: Path) -> None:
    shutil.rmtree(folder / "namespaces" / "default" / "snapshots")  # of policies, a snapshot's are looked up by Arrow
    code = (
        "import sys; from localreg.cli import run\n"
        "run(['models', 'list'])\n"
        "spared = {'pandas', 'rich', 'fsspec', 'filelock', 'pyarrow.compute', 'pyarrow.dataset', 'localreg.workflow'}\n"
        "print(sorted(spared & set(sys.modules)), file=sys.stderr)\n"
        "groups = ('models', 'past', 'questions', 'upkeep', 'versions', 'workflows')\n"
        "print([name for name in groups if f'localreg.cli.{name}' in sys.modules], file=sys.stderr)"
    )
    ran = subprocess.run(process(code=code), check=True, capture_output=True, text=True)
    assert "meadow-4" in ran.stdout
    assert ran.stderr == "[]\n['models']\n"


def test_every_command_of_a_module_is_in_the_table_that_finds_it() -> None:
    folder = Path(localreg.__file__).parent / "cli"
    found = set(COMMANDS)
    for path in folder.glob("*.py"):
        module = import_module(f"localreg.cli.{path.stem}")
        for name, app in vars(module).items():
            if isinstance(app, Typer):
                prefix = [] if name == "app" else [name]
                assert {" ".join([*prefix, str(info.name)]) for info in app.registered_commands} <= found


@pytest.mark.parametrize("arguments", ["", "--help", "models list --help"])
@pytest.mark.usefixtures("importable")
def test_help_loads_nothing_heavy(arguments: str) -> None:
    code = (
        "import sys, atexit; from localreg.cli import main\n"
        "heavy = {'duckdb', 'pyarrow', 'pandas', 'numpy', 'fsspec', 'localreg.registry', 'rich.table'}\n"
        "atexit.register(lambda: print('loaded', sorted(heavy & set(sys.modules)), file=sys.stderr))\n"
        + ("main()" if arguments else "")
    )
    ran = subprocess.run(process(*arguments.split(), code=code), check=True, capture_output=True, text=True)
    assert ran.stderr == "loaded []\n"


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "soon", "9" * 30, "9" * 5_000, "2026-01-01"])
@pytest.mark.parametrize("words", [["models", "list", "--at"], ["audit", "--since"]])
def test_a_time_that_is_none_is_one_line(
    folder: Path, words: list[str], time: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, time, "--registry", str(folder)]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert len(told) < 1_000


def test_metadata_that_is_nested_too_deeply_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "create", "deep", "--json", "[" * 100_000, "--registry", str(folder)]) == 2
    assert "no JSON" in capsys.readouterr().err


def test_who_acted_is_asked_with_by_and_actor_is_for_writing(cli: Cli, registry: localreg.Registry) -> None:
    done(cli("--actor", "zoe", "models", "tag", "meadow-4", "seen"))
    assert [row["action"] for row in done(cli("audit", "--by", "zoe", "-f", "json")).json] == ["tag"]
    assert done(cli("audit", "--actor", "zoe")).out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_answer_that_cannot_be_written_is_told_in_one_line(registry: localreg.Registry, importable: None) -> None:
    command = [sys.executable, "-c", "from localreg.cli import main; main()", "-r", registry.uri, "models", "list"]
    with open("/dev/full", "w") as full:
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert "cannot write the answer" in ran.stderr


# --- upkeep -----------------------------------------------------------------------------------------------------------


def test_doctor_says_what_the_library_says_and_fails_on_a_problem(
    cli: Cli, folder: Path, registry: localreg.Registry
) -> None:
    report = registry.doctor()
    assert done(cli("doctor")).out == f"{report}\n"
    assert done(cli("doctor", "--format", "json")).json == {"ok": True, **asdict(report)}
    assert "tried, and it holds" in str(report), "it looks as a writer, though it is a command that reads"
    (folder / "namespaces" / "default" / "log" / f"{1:020d}.parquet").unlink()
    ran = cli("doctor", "--format", "csv")
    assert (ran.code, ran.err) == (1, "")
    assert [row["level"] for row in csv.DictReader(io.StringIO(ran.out)) if "is missing" in row["message"]] == [
        "problem"
    ]


def test_a_log_that_was_rolled_back_is_told_and_can_be_accepted(
    cli: Cli, folder: Path, registry: localreg.Registry
) -> None:
    last, path = registry.commit, folder / "namespaces" / "default" / "log" / f"{registry.commit:020d}.parquet"
    done(cli("snapshot"))
    path.unlink()
    ran = cli("models", "create", "next")
    assert (ran.code, ran.out) == (1, "")
    assert "run `localreg doctor --accept`" in ran.err
    done(cli("models", "list"))
    assert cli("doctor").code == 1
    ran = done(cli("doctor", "--accept"))
    assert f"commit {last}, which this machine saw, is forgotten" in ran.out
    done(cli("models", "create", "next"))
    assert path.exists()


def test_du_has_the_librarys_rows(cli: Cli, registry: localreg.Registry) -> None:
    assert done(cli("du", "--format", "json")).json == registry.disk_usage().dicts()


def test_inferences_are_imported_and_what_is_wrong_is_told_in_words_of_the_shell(cli: Cli, tmp_path: Path) -> None:
    command = shlex.split("inferences import predictions.csv --model new --suite plates --column text=plate")
    told = done(cli(*command)).out
    assert told == "2 rows: 2 stored\n"
    (row,) = done(cli("sql", "SELECT count(*) AS n FROM inferences WHERE model = 'new'", "--format", "json")).json
    assert row["n"] == 2
    again = cli(*command)
    assert done(again).out == "2 rows: 2 there already\n"
    (tmp_path / "bad.csv").write_text("number,text\n7,7\nx,8\n99999,9\n")
    refused = cli("inferences", "import", "bad.csv", "--model", "new", "--workflow", "Plates")
    assert (refused.code, refused.out) == (1, "")
    assert "row 1 of bad.csv: sample.number is 'x'; it must be a whole number" in refused.err
    assert "pass --on-invalid skip to leave such rows out" in refused.err
    skipped = cli(
        *["inferences", "import", "bad.csv", "--model", "new", "--on-invalid", "skip", "--on-unknown", "skip"]
    )
    assert done(skipped).out.splitlines() == [
        "3 rows: 1 stored, 1 left out as invalid, 1 left out, of unknown samples",
        "  row 1: sample.number is 'x'; it must be a whole number",
        "  row 2: number 99999 is not in the registry",
    ]
    (tmp_path / "unknown.csv").write_text("number,text\n99999,9\n")
    unknown = cli("inferences", "import", "unknown.csv", "--model", "new", "--on-unknown", "skip")
    assert done(unknown).out.splitlines() == [
        "1 row: 1 left out, of unknown samples",
        "  row 0: number 99999 is not in the registry",
    ], "why nothing changed is what there is to know"
    missing = cli("inferences", "import", "predictions.csv", "--model", "new@9", "--suite", "plates")
    assert "`localreg models create`" in missing.err
    wrong = cli("inferences", "import", "predictions.csv", "--model", "new", "--suite", "plates", "--column", "x=plate")
    assert "--column names 'x', which is no field" in wrong.err


def test_a_few_inferences_are_listed_without_reading_all(cli: Cli, registry: localreg.Registry) -> None:
    everything = done(cli("inferences", "list", "meadow-5", "--suite", "plates", "--format", "json")).json
    for limit in (0, 1, len(everything), 10**6):
        some = cli("inferences", "list", "meadow-5", "--suite", "plates", "--limit", str(limit), "--format", "json")
        assert done(some).json == everything[:limit]
    assert cli("inferences", "list", "meadow-5", "--limit", "-1").code == 1


def test_nothing_is_exported_to_a_file_called_like_standard_output(cli: Cli, tmp_path: Path) -> None:
    refused = cli("inferences", "export", "meadow-5", "-", "--suite", "plates", "--format", "csv")
    assert (refused.code, "localreg inferences list --format csv" in refused.err) == (2, True)
    assert not (tmp_path / "-").exists()


def test_samples_are_imported_into_a_test_case(cli: Cli, registry: localreg.Registry) -> None:
    arguments = "--suite plates --case night --column text=plate --metadata weather"
    assert done(cli("suites", "import", "truth.csv", *arguments.split())).out == "2 rows: 2 stored\n"
    found = registry.sql("SELECT metadata->>'weather' AS weather FROM test_samples ORDER BY sample_idx DESC LIMIT 2")
    assert [row["weather"] for row in found.dicts()] == [None, "rain"]
    assert registry.get_test_suite("plates").info.version == 2
    unknown = cli("suites", "import", "truth.csv", "--suite", "plats", "--column", "text=plate")
    assert (unknown.code, "did you mean 'plates'" in unknown.err) == (1, True)


# --- who may do what --------------------------------------------------------------------------------------------------


def test_roles_are_given_listed_and_taken(cli: Cli, registry: localreg.Registry) -> None:
    assert done(cli("namespaces", "grant", "eve", "reader", "-m", "an audit")).out == (
        "granted reader to 'eve' in namespace 'default'\n"
    )
    assert done(cli("namespaces", "grant", "eve", "reader")).out == "nothing to change\n"
    rows = done(cli("namespaces", "grants", "--format", "json")).json
    assert [(row["principal"], row["role"]) for row in rows] == [("eve", "reader"), ("ben", "owner")]
    assert cli("namespaces", "grants").out.splitlines()[0].split() == ["principal", "role", "created_by", "updated_at"]
    assert [row["namespace"] for row in done(cli("namespaces", "grants", "-A", "--format", "json")).json] == [
        "default"
    ] * 2
    assert registry.audit(kind="grant")[0]["message"] == "an audit"
    refused = cli("models", "tag", "meadow-4", "x", "--actor", "eve")
    assert (refused.code, refused.out) == (1, "")
    assert "'eve' has the role 'reader' in namespace 'default', and to tag a model takes 'writer'" in refused.err
    assert done(cli("models", "list", "--actor", "eve")).out, "a reader reads"
    assert done(cli("namespaces", "revoke", "eve")).out == "revoked the grant of 'eve' in namespace 'default'\n"
    for words in (
        ["models", "list", "--actor", "eve"],
        ["namespaces", "revoke", "eve"],
        ["namespaces", "revoke", "ben"],
    ):
        assert cli(*words).code == 1


def test_namespaces_are_listed_with_the_role_and_those_that_are_closed(
    cli: Cli, registry: localreg.Registry, folder: Path
) -> None:
    secret = localreg.open(folder, namespace="secret", actor="ana")
    secret.create_model("hidden")
    secret.grant("ana", "owner")
    rows = done(cli("namespaces", "list", "--format", "json")).json
    assert [(row["namespace"], row["role"]) for row in rows] == [("default", "owner"), ("secret", "inaccessible")]
    assert "'ben' has no role" in rows[1]["reason"]
    assert rows[0]["reason"] is None
    ran = cli("models", "list", "-A")
    assert ran.code == 0
    assert "left out, since they may not be read: secret" in ran.err
    assert "hidden" not in ran.out
    (folder / "namespaces/default/log" / f"{1:020d}.parquet").write_bytes(b"torn")
    for snapshot in (folder / "namespaces/default/snapshots").glob("*"):
        snapshot.unlink()
    rows = done(cli("namespaces", "list", "--format", "json")).json
    assert [row["role"] for row in rows] == ["unknown", "inaccessible"], "damage is no reason to list nothing"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")
def test_a_namespace_is_protected_and_verified(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = str(os.getegid())
    assert cli("namespaces", "protect", "default", "--verify").code == 1, "it is not yet"
    told = cli("namespaces", "protect", "default", "--group", group, "--dry-run")
    assert told.code == 0
    assert "should" not in told.err
    assert (
        "has mode 0755, not 2750" in cli("namespaces", "protect", "--group", group, "--members", "read", "--verify").out
    )
    monkeypatch.setattr("localreg.access.protection._barriers", lambda *_: [])  # pytest's own folders
    done(cli("namespaces", "protect", "default", "--group", group, "--others", "read"))
    assert (folder / "namespaces/default").stat().st_mode & 0o7777 == 0o2775
    assert done(cli("namespaces", "protect", "default", "--verify")).out.endswith("all of it is so\n")
    (folder / "namespaces/default/log").chmod(0o700)
    ran = cli("namespaces", "protect", "default", "--verify")
    assert ran.code == 1
    assert "has mode 0700, not 2775" in ran.out


def test_copy_makes_a_mirror_and_brings_it_up_to_date(cli: Cli, registry: localreg.Registry, tmp_path: Path) -> None:
    registry.namespace("second").create_model("x")
    told = done(cli("copy", "registry", "backup", "--all", "--dry-run")).out
    assert re.match(r"would copy namespace 'default' to backup: \d+ commits, \d+ files", told)
    assert not (tmp_path / "backup").exists()
    assert len(done(cli("copy", "registry", "backup", "--all")).out.splitlines()) == 2
    mirror = localreg.open(tmp_path / "backup")
    assert mirror.id == registry.id
    assert mirror.namespaces() == ["default", "second"]
    assert done(cli("-r", "backup", "verify")).out
    assert "is in backup already" in done(cli("copy", "registry", "backup")).out
    assert "as 'third'" in done(cli("-n", "second", "copy", "registry", "backup", "--as", "third")).out
    assert mirror.namespace("third").get_model("x")
    mirror.create_model("own")
    registry.create_model("own")
    assert "their logs differ from commit" in cli("copy", "registry", "backup").err
    for wrong in (["--all", "--as", "x"], ["--all", "--at", "1"], ["-r", "registry"], ["--target-option", "x"]):
        assert cli("copy", "registry", "backup", *wrong).code == 2


def test_copy_brings_a_test_suite_over(cli: Cli, registry: localreg.Registry, tmp_path: Path) -> None:
    told = "test suite 'plates@1' to namespace 'gate' of other: "
    line = ["copy", "registry", "other", "--suite", "plates@1", "--as", "gate"]
    assert done(cli(*line, "--dry-run")).out.startswith(f"would copy {told}")
    assert done(cli(*line)).out.startswith(f"copied {told}")
    assert "is in namespace 'gate' of other already" in done(cli(*line)).out
    other = localreg.open(tmp_path / "other", namespace="gate")
    assert other.get_test_suite("plates").info.version == 1
    assert cli(*line, "--all").code == 2


def test_copy_of_all_says_what_it_had_to_leave_out(cli: Cli, registry: localreg.Registry, tmp_path: Path) -> None:
    localreg.open(registry.uri, namespace="closed", actor="eve").grant("eve", "owner")
    ran = cli("copy", "registry", "backup", "--all")
    assert ran.code == 1
    assert "left out namespace 'closed': 'ben' has no role" in ran.out
    assert localreg.open(tmp_path / "backup").namespaces() == ["default"]


def test_a_folder_copied_by_hand_is_imported(cli: Cli, registry: localreg.Registry, folder: Path) -> None:
    shutil.copytree(folder / "namespaces/default", folder / "namespaces/team.copied")
    refused = cli("-n", "team/copied", "models", "list")
    assert refused.code == 1
    assert "run `localreg namespaces import team/copied`" in refused.err
    told = done(cli("namespaces", "import", "team/copied", "-m", "from the old share")).out
    assert told.startswith(f"imported namespace 'default' of registry {registry.id}, commits 1 to {registry.commit}, ")
    assert done(cli("-n", "team/copied", "models", "list")).out
    assert "belongs here already" in done(cli("namespaces", "import", "team/copied")).out


def test_signers_from_the_key_to_the_first_void_entry(
    cli: Cli, registry: localreg.Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    made = done(cli("signers", "keygen", "key")).out
    assert made.splitlines()[1] == Path("key.pub").read_text(encoding="utf-8").strip()
    assert os.stat("key").st_mode & 0o777 == 0o600
    assert cli("signers", "keygen", "key").code == 1, "it is there already"
    refused = cli("signers", "add", "ana", "key.pub")
    assert (refused.code, refused.out) == (1, "")
    assert "this process has none" in refused.err
    monkeypatch.setenv("LOCALREG_SIGNING_KEY", "key")
    assert done(cli("signers", "add", "ana", "key.pub")).out == "'ana' signs in namespace 'default'\n"
    assert done(cli("signers", "add", "ana", "key.pub")).out == "nothing to change\n"
    done(cli("signers", "add", "ben", public_text("ben"), "-m", "an audit"))
    assert [row["name"] for row in done(cli("signers", "list", "--format", "json")).json] == ["ana", "ben"]
    assert cli("signers", "list").out.splitlines()[0].split() == ["name", "fingerprint", "created_by", "created_at"]
    assert done(cli("signers", "remove", "ben")).out == "'ben' signs no more in namespace 'default'\n"
    assert "no signer" in cli("signers", "remove", "ana").err
    last = registry.commit
    Path(registry._session.store.uri, f"log/{last + 1:020d}.parquet").write_bytes(b"")
    assert [row["commit"] for row in done(cli("signers", "void", "--format", "json")).json] == [last + 1]
    assert "is void: it is no log entry" in done(cli("verify")).out
    assert "is void" in done(cli("doctor")).out
    told = subprocess.run(
        [sys.executable, "-m", "localreg", "-r", registry.uri, "signers", "list"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.fullmatch(r"localreg: warning: .* is void: .*\n", told.stderr), "who asks for something else is warned"
    monkeypatch.delenv("LOCALREG_SIGNING_KEY")
    assert "name the file of one by LOCALREG_SIGNING_KEY" in cli("models", "create", "x").err


def test_a_key_is_encrypted_with_what_the_environment_or_a_person_says(
    cli: Cli, registry: localreg.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALREG_SIGNING_PASSPHRASE", "horse")
    done(cli("signers", "keygen", "key"))
    monkeypatch.setenv("LOCALREG_SIGNING_KEY", "key")
    done(cli("signers", "add", "ana", "key.pub"))
    monkeypatch.delenv("LOCALREG_SIGNING_PASSPHRASE")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert "is encrypted; give its passphrase" in cli("models", "create", "x").err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", lambda *_, **__: "horse")
    monkeypatch.setattr("localreg.session.signing_key.ask_passphrase", [])
    done(cli("models", "create", "x"))


def test_hints_name_the_registry_that_was_named(cli: Cli, folder: Path, tmp_path: Path) -> None:
    """Pasted as it stood, `localreg doctor --accept` accepted the roll-back of another registry."""
    shutil.copytree(folder, tmp_path / "the other")
    shutil.copytree(folder / "namespaces/default", tmp_path / "the other/namespaces/team.copied")
    told = cli("-r", "the other", "-n", "team/copied", "models", "list").err
    assert "run `localreg -r 'the other' namespaces import team/copied`" in told
    assert cli("-r", "the other", "-n", "nobody", "verify").code == 1
