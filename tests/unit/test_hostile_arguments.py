"""Whatever a caller passes in by mistake, what comes back is an answer or an error of ours that says what to do.

One table: each public method, and arguments with which it works. Each argument in turn is replaced by each hostile
value. Methods and their parameters are read from the classes, so that a new one without an entry fails here.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, time, timedelta, timezone
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import localreg
from localreg import InvalidInputError, LocalregError, Registry, Result
from localreg.artifacts import Artifact
from localreg.datasets import Dataset
from localreg.experiments import Checkpoint, Experiment
from localreg.models import Model, ModelVersion
from localreg.policies import Label
from localreg.storage import MemoryStore
from tests.definitions import write
from tests.signing import key_file, public_text

NOBODY = object()
CODE = {"inference.py": "def predict(datapoints):\n    return list(datapoints)\n"}
RUNTIME = {"predict": {"entrypoint": "inference:predict", "inputs": [{"name": "datapoints", "value": "${datapoints}"}]}}

HOSTILE: dict[str, object] = {
    "None": None,
    "5": 5,
    "-1": -1,
    "2**70": 2**70,
    "10**5000": 10**5000,
    "True": True,
    "1.5": 1.5,
    "nan": float("nan"),
    "bytes": b"x",
    "empty": "",
    "blank": " ",
    "surrogate": "\ud800",
    "NUL": "a\0b",
    "quotes": "'\"; --",
    "@": "@" * 900,
    "10 MB": "x" * 10_000_000,
    "[]": [],
    "{}": {},
    "[5]": [5],
    "[[]]": [[]],
    "[surrogate]": ["\ud800"],
    "{5: 5}": {5: 5},
    "object": NOBODY,
    "[object]": [NOBODY],
    "type": int,
    "date": date(2026, 1, 1),
    "time": time(12),
    "naive": datetime(2026, 1, 1),  # noqa: DTZ001
    "first moment": datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    "path": Path("x"),
}

Arguments = Mapping[str, object]
EVENTS: dict[str, Arguments] = {
    "event": {"name": "x", "source": "s", "wallclock": 1.0, "metadata": {}},
    "log_events": {"events": [{"name": "x", "source": "s", "wallclock": 1.0, "metadata": {}}]},
    "events": {"name": "x", "source": "s", "since": 0.0, "until": 9.0, "where": "name = 'x'", "live": True},
    "durations": {"start": "x", "end": "y", "source": "s", "by": "k", "live": True},
    "timeline": {"live": True},
}
"""Of all that events are reported of."""
ARTIFACTS: dict[str, Arguments] = {
    "artifacts": {},
    "get_artifact": {"name": "w"},
    "track": {
        "uri": "s3://bucket/x",
        "name": "x",
        "media_type": "text/plain",
        "metadata": {},
        "stat": False,
        "storage_options": None,
        "replace": True,
    },
    "upload": {"content": b"x", "name": "x", "media_type": "text/plain", "metadata": {}, "replace": True},
}
DATASETS: dict[str, Arguments] = {
    "add_dataset": {
        "artifact_or_uri": "s3://bucket/x",
        "role": "train",
        "name": "d",
        "description": "",
        "metadata": {},
        "replace": True,
    },
    "datasets": {},
    "get_dataset": {"name": "d"},
}
METRICS: dict[str, Arguments] = {
    "metrics": {"dataset": None, "suite": None},
    "set_metrics": {"values": {"a": 1}, "dataset": None, "suite": None},
    "unset_metrics": {"names": "a", "dataset": None, "suite": None},
}
CALLS: dict[type, dict[str, Arguments]] = {
    Registry: {
        "namespace": {"name": "other"},
        "create_model": {
            "name": "new",
            "metadata": {},
            "tags": [],
            "owner": "ana",
            "description": "",
            "task": "detection",
            "exist_ok": True,
        },
        "get_model": {"name": "m"},
        "find_model": {"name": "m"},
        "get_version": {"reference": "m@1"},
        "model_card": {"reference": "m@1"},
        "consume": {"reference": "m@1"},
        "get_workflow": {"name": "m"},
        "get_test_case": {"name": "m"},
        "get_test_suite": {"name": "m"},
        "get_test_run": {"id": "0" * 32},
        "import_samples": {
            "table": [{"a": 1}],
            "suite": "s",
            "workflow": "m",
            "case": "c",
            "columns": {"a": "a"},
            "metadata": ["a"],
            "on_invalid": "skip",
            "on_known": "skip",
        },
        "import_inferences": {
            "table": [{"a": 1}],
            "model": "m",
            "workflow": "m",
            "suite": "s",
            "on": "a",
            "columns": {"a": "a"},
            "on_invalid": "skip",
            "on_unknown": "skip",
            "reset": False,
        },
        "import_coco": {
            "annotations": {"images": [{"id": 1, "file_name": "a"}], "annotations": [], "categories": []},
            "suite": "s",
            "images_root": None,
            "description": None,
            "reset": False,
        },
        "import_coco_results": {"results": [], "suite": "m", "model": "m", "reset": False},
        "export_coco": {"path": "out.json", "suite": "m", "overwrite": True},
        "models": {"where": "name = 'm'", "search": "m", "order_by": "id", "limit": 1, "archived": None},
        "model_versions": {"where": "model = 'm'", "search": "m", "order_by": "id", "limit": 1},
        "definitions": {"where": "name = 'm'", "search": "m", "order_by": "id", "limit": 1},
        "get_definition": {"reference": "m@1"},
        "push": {"path": "models.yaml", "only": ["m"], "network": False},
        "load": {
            "reference": "m@1",
            "worker": "thread",
            "device": "cpu",
            "load_timeout_s": 9.0,
            "predict_timeout_s": 9.0,
        },
        "test": {
            "reference": "m@1",
            "suite": "s",
            "evaluator": "classification",
            "configurations": None,
            "reset": False,
            "on_error": "record",
            "executor": None,
            "hash_files": True,
            "device": "cpu",
            "load_timeout_s": 9.0,
            "predict_timeout_s": 9.0,
        },
        "verify_determinism": {
            "reference": "m@1",
            "suite": None,
            "n": 4,
            "level": "machine",
            "batch_size": 2,
            "rtol": 1e-5,
            "atol": 1e-8,
            "timeout_s": 9.0,
            "device": "cpu",
        },
        "model_metrics": {"where": "model = 'm'", "order_by": "metric", "limit": 1},
        "policies": {"where": "name = 'p'", "search": "p", "order_by": "id", "limit": 1},
        "pending_actions": {"where": "policy = 'p'", "search": "p", "order_by": "id", "limit": 1},
        "add_policy": {
            "name": "p",
            "rule": Label(when="true", tag="x"),
            "model": "m",
            "description": "",
            "replace": True,
        },
        "get_policy": {"name": "p"},
        "apply_policies": {"dry_run": True},
        "run_pending": {},
        "workflows": {"where": "name = 'm'", "search": "m", "order_by": "id", "limit": 1},
        "test_cases": {"where": "name = 'm'", "search": "m", "order_by": "id", "limit": 1, "archived": None},
        "test_suites": {"where": "name = 'm'", "search": "m", "order_by": "id", "limit": 1, "archived": None},
        "test_runs": {"where": "model = 'm'", "search": "m", "order_by": "id", "limit": 1},
        "facets": {
            "table": "models",
            "by": "tags",
            "where": "name = 'm'",
            "search": "m",
            "limit": 1,
            "archived": None,
        },
        "page": {
            "table": "models",
            "where": "name = 'm'",
            "search": "m",
            "order_by": "id",
            "limit": 1,
            "offset": 0,
            "archived": None,
            "facets": ["tags"],
            "most": 1,
        },
        "transaction": {"message": "why"},
        "sql": {"query": "SELECT ?", "parameters": [1], "timeout_s": 60.0},
        "compare": {
            "baseline": "m@1",
            "candidates": "m@2",
            "suite": "none",
            "by": "metadata.a",
            "bins": 4,
            "metrics": ["accuracy"],
            "strict": False,
            "confidence": 0.9,
            "adjust": "bh",
            "group_by": "metadata.b",
            "evaluator": "e",
            "configuration": "c",
            "better": {"loss": "lower"},
            "positive": "cat",
            "score_of": "positive",
            "bootstrap": 100,
            "score_threshold": 0.5,
            "iou": 0.5,
            "executor": None,
            "fmr": 0.001,
            "iou_type": "segm",
        },
        "measure": {
            "model": "m@1",
            "suite": "s",
            "metrics": ["accuracy"],
            "by": "metadata.a",
            "bins": 3,
            "strict": False,
            "confidence": 0.9,
            "group_by": "metadata.b",
            "evaluator": "e",
            "configuration": "c",
            "better": {"loss": "lower"},
            "positive": "cat",
            "score_of": "positive",
            "score_threshold": 0.5,
            "iou": 0.5,
            "iou_type": "segm",
            "fmr": 0.001,
        },
        "predictions": {"model": "m@1", "suite": "s", "by": "metadata.a", "bins": 3, "strict": False},
        "leaderboard": {
            "models": "m@1",
            "suites": ["none"],
            "metric": "accuracy",
            "strict": True,
            "confidence": 0.9,
            "group_by": "metadata.b",
            "evaluator": "e",
            "configuration": "c",
            "better": {"loss": "lower"},
            "positive": "cat",
            "score_of": "positive",
            "bootstrap": 100,
            "score_threshold": 0.5,
            "iou": 0.5,
            "iou_type": "segm",
            "fmr": 0.001,
        },
        "experiment": {
            "name": "new",
            "owner": "ana",
            "framework": "torch",
            "task": "detection",
            "params": {},
            "external_id": "x",
            "description": "",
            "tags": [],
            "metadata": {},
            "resume": True,
            "flush_every": 5.0,
            "strict": True,
            "system_metrics": None,
            "code": False,
        },
        "get_experiment": {"name": "e"},
        "recover_experiments": {},
        "experiments": {"where": "name = 'e'", "search": "e", "order_by": "id", "limit": 1, "archived": None},
        "checkpoints": {"where": "name = 'e'", "search": "e", "order_by": "id", "limit": 1},
        "artifacts": {"where": "name = 'e'", "search": "e", "order_by": "id", "limit": 1},
        "datasets": {"where": "name = 'd'", "search": "d", "order_by": "id", "limit": 1},
        "events": {"where": "name = 'x'", "order_by": "name", "limit": 1},
        "comparisons": {"where": "name = 'm'", "search": "m", "order_by": "name", "limit": 1},
        "get_comparison": {"name": "c"},
        "at": {"commit": 1, "time": None},
        "audit": {
            "where": "name = 'm'",
            "kind": "model",
            "name": "m",
            "actor": "ana",
            "since": 0,
            "until": 9,
            "search": "m",
            "order_by": "id",
            "limit": 1,
            "in_words": True,
        },
        "frozen": {},
        "diff": {"a": 0, "b": 1},
        "watch": {"since": 0, "kinds": "model", "timeout": 0},
        "undo": {"commit": 4, "event": 1, "message": "why"},
        "redact": {"record": None, "commit": 1, "event": 3, "reason": "why"},
        "resolve": {"commit_id": "0" * 32, "commit": 1},
        "verify": {"since": 0, "expect": "0" * 64, "resume": False},
        "namespaces": {},
        "all": {},
        "snapshot": {},
        "disk_usage": {},
        "doctor": {"repair": True, "accept": False},
        "compact": {"dry_run": False, "message": "why"},
        "copy": {"target": "copies", "name": "other", "storage_options": None, "dry_run": True, "message": "why"},
        "copy_suite": {
            "suite": "m",
            "target": "copies",
            "namespace": "other",
            "storage_options": None,
            "reset": False,
            "dry_run": True,
            "message": "why",
        },
        "import_namespace": {"folder": "default", "name": "default", "message": "why"},
        "gc": {"grace": "7d", "dry_run": False, "message": "why"},
        "retain": {"deleted": "90d", "dry_run": False, "message": "why"},
        "grant": {"principal": "eve", "role": "reader"},
        "revoke": {"principal": "eve"},
        "grants": {"where": "role = 'owner'", "search": "eve", "order_by": "id", "limit": 1},
        "add_signer": {"name": "eve", "public_key": public_text("eve")},
        "remove_signer": {"name": "eve"},
        "signers": {"where": "name = 'eve'", "search": "eve", "order_by": "id", "limit": 1},
        "void_entries": {},
        "protect": {"group": "staff", "members": "read", "others": "none", "dry_run": True},
        "close": {},
    },
    Model: {
        "consumers": {},
        **DATASETS,
        **ARTIFACTS,
        "update": {"metadata": {}, "unset": [], "tags": [], "owner": None, "description": None, "task": None},
        **METRICS,
        "tag": {"tags": "x"},
        "untag": {"tags": "x"},
        "rename": {"name": "other"},
        "archive": {},
        "restore": {},
        "delete": {"force": True},
        "differences": {"other": None},
        "create_version": {
            "version": "3",
            "metadata": {},
            "description": "",
            "exist_ok": True,
            "code": None,
            "repository": None,
            "files": None,
            "runtime": None,
        },
        "versions": {},
        "version": {"version": "1"},
        "set_alias": {"alias": "production", "version": "1"},
        "remove_alias": {"alias": "a"},
        "aliases": {},
        "resolve": {"alias": "a"},
        "history": {},
        "inferences": {"suite": None},
        "export_inferences": {"path": "out.csv", "suite": None, "format": "csv", "overwrite": True},
        **EVENTS,
    },
    ModelVersion: {
        "lineage": {},
        "consume": {},
        "consumers": {},
        **DATASETS,
        **ARTIFACTS,
        "update": {"metadata": {}, "unset": [], "tags": [], "description": None},
        **METRICS,
        "tag": {"tags": "x"},
        "untag": {"tags": "x"},
        "delete": {"force": True},
        "differences": {"other": None},
        "history": {},
        "inferences": {"suite": None},
        "export_inferences": {"path": "out.csv", "suite": None, "format": "csv", "overwrite": True},
        **EVENTS,
    },
    Experiment: {
        "lineage": {},
        **DATASETS,
        **ARTIFACTS,
        "update": {
            "metadata": {},
            "unset": [],
            "tags": [],
            "description": None,
            "owner": None,
            "framework": None,
            "task": None,
            "external_id": None,
        },
        "log": {"metrics": {"x": 1.0}, "step": 1, "wallclock": 1.0},
        **EVENTS,
        "log_params": {"params": {}},
        "log_table": {"points": [{"x": 1.0}]},
        "log_model_summary": {"summary": "text", "name": "s"},
        "points": {"key": "x", "live": True},
        "keys": {"live": True},
        "latest": {"key": "x"},
        "best": {"key": "x", "mode": "min"},
        "summary": {"live": True},
        "checkpoint": {
            "content": b"x",
            "step": 1,
            "epoch": 1,
            "metrics": {"x": 1.0},
            "name": "c",
            "metadata": {},
        },
        "checkpoints": {},
        "get_checkpoint": {"name": "step 1"},
        "latest_checkpoint": {},
        "best_checkpoint": {"key": "x", "mode": "min"},
        "watch_dir": {"pattern": "*.none", "every": 3_600.0, "step": None},
        "flush": {},
        "finish": {},
        "fail": {"error": "why"},
        "resume": {"flush_every": 5.0, "strict": True},
        "archive": {},
        "restore": {},
        "delete": {"force": True},
        "differences": {"other": None},
        "history": {},
    },
    Checkpoint: {
        "lineage": {},
        **ARTIFACTS,
        "download": {"to": "out", "overwrite": True},
        "promote": {"model": "m", "version": "9", "description": "", "metadata": {}},
        **EVENTS,
        "delete": {"force": True},
        "differences": {"other": None},
        "history": {},
    },
    Artifact: {
        "lineage": {},
        "files": {},
        "stream": {"path": "w"},
        "download": {"to": "out", "overwrite": True, "storage_options": None},
        "update": {"metadata": {}, "unset": [], "media_type": None},
        "rename": {"name": "other"},
        "delete": {"force": True},
        "differences": {"other": None},
        "history": {},
    },
    Dataset: {
        "lineage": {},
        "update": {"metadata": {}, "unset": [], "role": "eval", "description": None},
        "delete": {},
        "differences": {"other": None},
        "history": {},
    },
    Result: {
        "arrow": {},
        "batches": {},
        "df": {},
        "pl": {},
        "dicts": {},
        "text": {"rows": 5},
        "__getitem__": {"number": 0},
    },
}
"""Each public method and its arguments; names of their own for what is taken by position."""

FUNCTIONS: dict[Callable[..., object], Arguments] = {
    localreg.open: {
        "uri": "registry",
        "namespace": "n",
        "actor": "ana",
        "read_only": False,
        "shared": "umask",
        "storage_options": None,
        "commit_mode": "link",
        "offline": False,
        "signing_key": None,
    },
    localreg.use: {"registry": None},
}

CASES = [
    pytest.param(owner, method, argument, id=f"{owner.__name__}.{method}({argument})")
    for owner, methods in CALLS.items()
    for method, arguments in methods.items()
    for argument in arguments
]


def public(owner: type) -> dict[str, Callable[..., object]]:
    """The methods that a user calls by name, those of base classes included, and `__getitem__`."""
    return {
        name: function
        for name, function in inspect.getmembers(owner, inspect.isfunction)
        if not name.startswith("_") or name == "__getitem__"
    }


def parameters(function: Callable[..., object]) -> set[str]:
    return set(inspect.signature(function).parameters) - {"self"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a registry that holds one of each; made once, since making takes longer than most calls."""
    folder = tmp_path_factory.mktemp("filled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("localreg.experiments.opening._environment", dict)  # which asks git each time
        registry = localreg.open(f"memory://{folder}")
        model = registry.create_model("m", metadata={"a": 1})
        version = model.create_version("1", code=write(folder / "code", CODE), runtime=RUNTIME)
        model.create_version("2")
        model.set_alias("a", "1")
        model.update(metadata={"b": 2}, unset=["a"])
        for each in (model, version):
            each.upload(b"w", name="w")
            each.add_dataset("s3://bucket/d", role="train", name="d")
        with registry.experiment("e", strict=True) as experiment:
            experiment.log({"x": 1.0}, step=1)
            artifact = experiment.upload(b"w", name="w")
            experiment.add_dataset(artifact, role="train", name="d")
            checkpoint = experiment.checkpoint(b"w", step=1)
            checkpoint.upload(b"w", name="w")
        for owner in (model, version, experiment, checkpoint):
            owner.log_events([{"name": "x", "metadata": {"k": 1}}, {"name": "y", "metadata": {"k": 1}}])
    store = MemoryStore.named(str(folder))
    return {path: store.get(path) or b"" for path in store.list("")}


@pytest.fixture
def subjects(
    filled: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], dict[type, Any]]:
    """What the methods are called on; a registry of its own for each call, unless the one before changed nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCALREG_SIGNING_KEY", str(key_file(tmp_path, "eve")))
    write(tmp_path, {"models.yaml": "models: [{name: m, description: pushed}]"})
    monkeypatch.setattr("localreg.experiments.opening._environment", dict)
    names = count()
    kept: dict[type, Any] = {}
    commit = 0

    def make() -> dict[type, Any]:
        name = f"{tmp_path}/{next(names)}"
        for path, data in filled.items():
            MemoryStore.named(name).put(path, data)
        registry = localreg.open(f"memory://{name}")
        model, experiment = registry.get_model("m"), registry.get_experiment("e")
        version = registry.get_version("m@1")
        return {
            Registry: registry,
            Model: model,
            ModelVersion: version,
            Experiment: experiment,
            Checkpoint: experiment.get_checkpoint("step 1"),
            Artifact: experiment.get_artifact("w"),
            Dataset: version.get_dataset("d"),
            Result: registry.models(),
        }

    def unchanged() -> dict[type, Any]:
        nonlocal commit
        if not kept or kept[Registry].commit != commit:
            kept.update(make())
            commit = kept[Registry].commit
        return {**kept, Result: kept[Registry].models()}

    return unchanged


def called(function: Callable[..., Any], arguments: Arguments) -> object:
    """The call, positional where the signature says so, and looked at: results and transactions are lazy."""
    kinds = inspect.signature(function).parameters
    spread = [name for name in arguments if kinds[name].kind is inspect.Parameter.VAR_POSITIONAL]
    first = [name for name in list(kinds)[: list(kinds).index(spread[0]) + 1] if name in arguments] if spread else []
    named = {name: value for name, value in arguments.items() if name not in first}
    answer = function(*(arguments[name] for name in first), **named)
    if isinstance(answer, Result):
        assert isinstance(answer.text(), str)
        return answer.dicts()
    if isinstance(answer, Registry):
        return answer.models().dicts()
    if isinstance(answer, Iterator):
        return next(answer, None)
    if isinstance(answer, AbstractContextManager) and not isinstance(answer, Path):
        with answer:
            return None
    return repr(answer)


def answers_or_refuses(function: Callable[..., object], arguments: Arguments, what: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            called(function, arguments)
    except LocalregError as error:
        if len(str(error)) > 5_000:
            raise AssertionError(f"{what}: the message holds all of the value") from error
    except IndexError:
        assert function.__name__ == "__getitem__", what
    except Exception as error:
        raise AssertionError(f"{what}: {type(error).__name__}: {str(error)[:200]}") from error


@pytest.mark.parametrize("owner", CALLS)
def test_every_public_method_and_argument_stands_in_the_table(owner: type) -> None:
    assert {name: parameters(function) for name, function in public(owner).items()} == {
        name: set(arguments) for name, arguments in CALLS[owner].items()
    }


NOT_RUNNING = ("log", "log_table", "watch_dir", "flush", "finish", "fail")
"""What an experiment that has ended does not take."""
NOT_THERE = (
    *("get_workflow", "get_test_case", "get_test_suite", "get_test_run", "get_comparison", "get_policy"),
    *("import_samples", "import_inferences", "import_coco_results", "export_coco", "inferences", "export_inferences"),
    *("copy_suite", "revoke", "remove_signer", "protect", "test", "verify_determinism"),
)
"""What the registry of these tests holds none of, nor its place: folders with permissions."""


@pytest.mark.parametrize("owner", CALLS)
def test_every_method_works_with_the_arguments_of_the_table(
    owner: type, subjects: Callable[[], dict[type, Any]]
) -> None:
    for method, arguments in CALLS[owner].items():
        if method not in (
            "compare",
            "measure",
            "predictions",
            "leaderboard",
            "delete",
            "differences",
            "pl",
            "df",
        ) and method not in (*NOT_THERE, *NOT_RUNNING):
            called(getattr(subjects()[owner], method), arguments)


@pytest.mark.parametrize(("owner", "method", "argument"), CASES)
def test_a_hostile_argument_is_answered_or_refused(
    owner: type, method: str, argument: str, subjects: Callable[[], dict[type, Any]]
) -> None:
    for name, value in HOSTILE.items():
        arguments = {**CALLS[owner][method], argument: value}
        if (method, argument) == ("at", "time"):
            arguments["commit"] = None
        answers_or_refuses(getattr(subjects()[owner], method), arguments, f"{method}({argument} = {name})")


@pytest.mark.parametrize(
    ("function", "argument"), [(function, name) for function, given in FUNCTIONS.items() for name in given]
)
@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_open_and_use_answer_or_refuse(
    function: Callable[..., object],
    argument: str,
    value: object,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert parameters(function) == set(FUNCTIONS[function])
    answers_or_refuses(function, {**FUNCTIONS[function], argument: value}, f"{function.__name__}({argument})")


# --- what must be refused, not merely survived ------------------------------------------------------------------------


@pytest.mark.parametrize("metadata", [[], "", 0, False, (), b""])
def test_metadata_that_is_empty_but_no_object_is_refused(
    metadata: Any, subjects: Callable[[], dict[type, Any]]
) -> None:
    made = subjects()
    calls: tuple[Callable[[], object], ...] = (
        lambda: made[Registry].create_model("new", metadata=metadata),
        lambda: made[Model].update(metadata=metadata),
        lambda: made[Model].create_version("3", metadata=metadata),
        lambda: made[ModelVersion].update(metadata=metadata),
    )
    for call in calls:
        with pytest.raises(InvalidInputError, match=r"^metadata is "):
            call()


@pytest.mark.parametrize("unset", [5, "a", [5], [[]], [None], {5: 1}, b"a"])
def test_keys_to_remove_that_are_no_texts_are_refused(unset: Any, subjects: Callable[[], dict[type, Any]]) -> None:
    with pytest.raises(InvalidInputError, match=r"^unset "):
        subjects()[Model].update(unset=unset)


@pytest.mark.parametrize("commit", ["x", 1.5, True, -1, 2**70, [], None])
def test_a_commit_that_is_no_number_is_refused(commit: Any, subjects: Callable[[], dict[type, Any]]) -> None:
    with pytest.raises(InvalidInputError, match="commit"):
        subjects()[Registry].at(commit=commit)


@pytest.mark.parametrize(
    "moment",
    [
        5,
        1.5,
        True,
        date(2026, 1, 1),
        datetime(2026, 1, 1),  # noqa: DTZ001
        "soon",
        "2026-01-01",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_a_time_that_is_none_is_refused(moment: Any, subjects: Callable[[], dict[type, Any]]) -> None:
    registry = subjects()[Registry]
    with pytest.raises(InvalidInputError, match=r"^time is .*(write an aware datetime|add Z for UTC)"):
        registry.at(time=moment)
    if moment != 5:
        with pytest.raises(InvalidInputError, match=r"^since is .*(write a|add Z for UTC)"):
            registry.audit(since=moment)


def test_years_before_1000_come_before_the_first_commit(subjects: Callable[[], dict[type, Any]]) -> None:
    registry = subjects()[Registry]
    assert registry.at(time=datetime(900, 1, 1, tzinfo=UTC)).commit == 0
    assert registry.at(time="0900-01-01T00:00:00Z").commit == 0
    assert registry.at(time="9999-12-31T23:59:59Z").commit == registry.commit
    assert len(registry.audit(since=datetime(900, 1, 1, tzinfo=UTC))) == len(registry.audit())
    assert len(registry.audit(since="9999-12-31T23:59:59Z")) == 0


@pytest.mark.parametrize("limit", [True, 1.5, "1", -1, 2**70])
def test_a_limit_that_is_no_count_is_refused(limit: Any, subjects: Callable[[], dict[type, Any]]) -> None:
    with pytest.raises(InvalidInputError, match=r"^limit is .*or None for all"):
        subjects()[Registry].models(limit=limit)


@pytest.mark.parametrize("uri", [5, b"x", "a\0b", "\ud800", "~nosuchuser/x", ["x"]])
def test_a_place_that_is_none_is_refused(uri: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInputError, match=r"^uri "):
        localreg.open(uri)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("parameters", [5, "ab", b"ab", None, {"a": 1}, ["\ud800"], [NOBODY], [[NOBODY]], [10**100]])
def test_parameters_that_cannot_be_bound_are_refused(parameters: Any, subjects: Callable[[], dict[type, Any]]) -> None:
    registry = subjects()[Registry]
    with pytest.raises(InvalidInputError):
        registry.sql("SELECT ?", parameters).dicts()
    assert registry.sql("SELECT 1 AS n").dicts() == [{"n": 1}]


def test_only_a_registry_is_used() -> None:
    with pytest.raises(InvalidInputError, match="takes an open registry, not 5"):
        localreg.use(5)  # type: ignore[arg-type]


def test_what_was_deleted_still_has_a_repr(subjects: Callable[[], dict[type, Any]]) -> None:
    registry = subjects()[Registry]
    model = registry.create_model("gone")
    version = model.create_version("1")
    assert (repr(model), repr(version)) == ("<Model 'gone'>", "<ModelVersion 'gone' '1'>")
    version.delete()
    model.delete()
    assert repr(model) == f"<Model deleted …{model.id[-8:]}>"
    assert repr(version) == f"<ModelVersion deleted …{version.id[-8:]}>"
