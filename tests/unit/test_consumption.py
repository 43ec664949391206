"""Consumption: who uses a version is told once for each process, and nothing is kept from serving by that."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest

import localreg
from localreg import ModelVersion, NotFoundError, Registry, UnknownOutcomeError
from localreg.log import Log
from localreg.testing.stores import FaultyStore

PROJECT = Path(localreg.__file__).parents[1]


@pytest.fixture
def version(registry: Registry) -> ModelVersion:
    model = registry.create_model("m")
    made = model.create_version("1")
    model.create_version("2")
    model.set_alias("production", "1")
    return made


def events(registry: Registry) -> list[tuple[str, Any]]:
    return [(row["name"], row["details"]) for row in registry.audit() if row["action"] == "consume"]


HERE = {"via": None, "process": os.getpid()}


def test_a_version_is_told_once_with_who_where_and_when(registry: Registry, version: ModelVersion) -> None:
    updated, commit = version.updated_at, registry.commit
    assert version.consume() is version
    assert version.consume() is version
    assert registry.get_version("m@1").consume() == version
    assert registry.consume("m@1") == version
    assert events(registry) == [("1", HERE)]
    assert (version.updated_at, registry.commit) == (updated, commit + 1)
    (row,) = version.consumers()
    (event,) = registry.audit(since=commit)
    assert row == {
        "time": event["time"],
        "actor": "ana",
        "host": event["host"],
        "process": os.getpid(),
        "version": "1",
        "via": None,
    }
    assert registry.get_version("m@2").consumers().dicts() == []


def test_what_is_meant_is_served_and_the_alias_is_told(registry: Registry, version: ModelVersion) -> None:
    registry.create_model("m@home").create_version("x")
    assert registry.consume("m@production") == version
    assert registry.consume("m").version == "2"
    assert registry.consume("m@home").version == "x", "an exact name wins"
    assert registry.consume(version) == version
    version.model.set_alias("production", "2")
    assert registry.consume("m@production").version == "2"
    assert [(row["version"], row["via"]) for row in version.model.consumers()] == [("1", "production"), ("2", None)]
    with pytest.raises(NotFoundError, match="neither a version nor an alias 'prod'"):
        registry.consume("m@prod")
    assert len(events(registry)) == 3


def test_resolving_without_serving_tells_nothing(registry: Registry, version: ModelVersion) -> None:
    assert registry.get_version("m@production") == version.model.resolve("production") == version
    assert events(registry) == []


CHILD = """
import os, sys, localreg
version = localreg.open(sys.argv[1], actor="ben").get_version("m@production")
version.consume()
child = os.fork()
version.consume().consume()
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(os.getpid(), child)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_each_process_tells_it_a_forked_one_too(registry: Registry, version: ModelVersion) -> None:
    version.consume()
    command = [sys.executable, "-c", CHILD, registry.uri]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, cwd=PROJECT)
    processes = [os.getpid(), *map(int, ran.stdout.split())]
    assert [(row["process"], row["actor"]) for row in version.consumers()] == list(
        zip(processes, ["ana", "ben", "ben"], strict=True)
    )


def test_threads_tell_it_once(registry: Registry, version: ModelVersion) -> None:
    together = threading.Barrier(8)

    def serve() -> None:
        together.wait()
        for _ in range(3):
            registry.consume("m@production")

    threads = [threading.Thread(target=serve) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(events(registry)) == 1


def test_a_copy_elsewhere_is_told_of_its_own_use(registry: Registry, version: ModelVersion, tmp_path: Path) -> None:
    shutil.copytree(registry.uri, tmp_path / "copy")
    copy = localreg.open(tmp_path / "copy")
    for each in (registry, copy):
        each.consume("m@1")
        assert len(events(each)) == 1


# --- where nothing can be written -------------------------------------------------------------------------------------


def test_who_may_only_read_is_served_with_a_warning(registry: Registry, version: ModelVersion) -> None:
    for reader in (localreg.open(registry.uri, read_only=True), registry.at(commit=registry.commit)):
        with pytest.warns(UserWarning, match="version .m@1. is used is not in the audit log: cannot change") as seen:
            assert reader.consume("m@production") == version
        assert seen[0].filename == __file__
        with pytest.warns(UserWarning, match="is not in the audit log") as seen:
            reader.get_version("m@1").consume()
        assert seen[0].filename == __file__
    version.consume()
    assert len(events(registry)) == 1, "what could not be told before is told now"
    reader.get_version("m@1").consume()


def test_a_store_that_fails_keeps_nobody_from_serving(registry: Registry, version: ModelVersion) -> None:
    log, store = version._session.log, version._session.log.store
    version._session.log.store = FaultyStore(store, fail_at=1, when="before")
    try:
        with pytest.warns(UserWarning, match="is used is not in the audit log"):
            assert version.consume() is version
    finally:
        log.store = store
    assert events(registry) == []
    version.consume()
    assert len(events(registry)) == 1


def test_a_telling_of_unknown_outcome_is_not_repeated(
    registry: Registry, version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = Log.publish

    def silent(self: Log, *arguments: Any, **options: Any) -> Any:
        publish(self, *arguments, **options)
        raise UnknownOutcomeError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(Log, "publish", silent)
        with pytest.warns(UserWarning, match="no answer"):
            version.consume()
    version.consume()
    assert len(events(registry)) == 1


def test_a_version_that_is_gone_is_not_served(registry: Registry, version: ModelVersion) -> None:
    version.delete(force=True)
    for _ in range(2):
        with pytest.raises(NotFoundError, match="it was deleted"):
            version.consume()
    assert events(registry) == []


# --- within transactions ----------------------------------------------------------------------------------------------


def test_a_transaction_tells_it_with_its_commit(registry: Registry, version: ModelVersion) -> None:
    with registry.transaction("deploy"):
        registry.consume("m@1")
        version.consume()
        assert len(version.consumers()) == 0, "no commit says so yet"
    version.consume().consume()
    assert events(registry) == [("1", HERE)]
    assert registry.audit()[-1]["message"] == "deploy"


def test_what_a_transaction_gave_up_is_told_by_the_next_use(registry: Registry, version: ModelVersion) -> None:
    def give_up() -> None:
        with registry.transaction():
            version.consume()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        give_up()
    assert events(registry) == []
    version.consume().consume()
    assert events(registry) == [("1", HERE)]


def test_undoing_and_verifying_pass_over_it(registry: Registry, version: ModelVersion) -> None:
    version.consume()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        registry.undo(registry.commit)
    assert registry.verify().ok
    assert len(version.consumers()) == 1


def test_a_version_knows_its_checkpoint(registry: Registry, version: ModelVersion, tmp_path: Path) -> None:
    with registry.experiment("e", code=False) as experiment:
        saved = experiment.checkpoint(b"w", step=3, metrics={"loss": 0.5})
    made = saved.promote("m", "3")
    found = made.checkpoint
    assert found is not None
    assert (found, found.step, found.metrics, found.experiment) == (saved, 3, {"loss": 0.5}, experiment)
    assert found.download(tmp_path).read_bytes() == b"w"
    assert version.checkpoint is None
