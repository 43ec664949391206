"""Tables that are being taken in when the process is killed, or the disk is full: all of it is there, or nothing."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import localreg
from localreg import Registry
from localreg.errors import StorageError
from tests.crash.bulk_writers import ACTS, BATCHES, ROWS, Model, Suite, batches, prepare, table
from tests.crash.forks import Program, forking
from tests.crash.tracing import kill_at, strace
from tests.mounts import tmpfs

LINK, MKDIR = "link,linkat", "mkdir,mkdirat"
LONGEST = 80
"""Calls of one kind; a safeguard against a loop without end."""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="kills by signal")]

NOTHING, WHOLE = 0, ROWS


@pytest.fixture(scope="module")
def writers() -> Iterator[Program]:
    with forking("tests.crash.bulk_writers") as program:
        yield program


@pytest.fixture(params=sorted(ACTS))
def act(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def template(tmp_path: Path, act: str) -> Path:
    with localreg.use(localreg.open(tmp_path / "template")):
        prepare(act)
    return tmp_path / "template"


def rows_of(registry: Registry, act: str) -> int:
    """How many rows of the act are to be seen."""
    (row,) = registry.sql(f"SELECT count(*) AS rows FROM {'test_samples' if act == 'add' else 'inferences'}").dicts()
    return int(row["rows"])


def named(registry: Registry) -> set[str]:
    """The files that entries name."""
    return {str(row.fields["path"]) for row in registry._session.state().rows() if row.kind == "file"}


def check(folder: Path, act: str, commit: int) -> int:
    """What is left of a killed process: nothing or all of it. The same again makes it whole; the rows seen before."""
    registry = localreg.open(folder)
    seen = rows_of(registry, act)
    assert (seen, registry.commit) in {(NOTHING, commit), (WHOLE, commit + 1)}
    assert registry.verify().ok
    orphans = {*registry._session.store.list("data")} - named(registry)
    assert not orphans or seen == NOTHING
    with localreg.use(registry):
        report = ACTS[act](batches())
        assert (report.stored, report.unchanged) == ((ROWS, 0) if seen == NOTHING else (0, ROWS))
        (case,) = Suite("suite").test_cases
        labels = [truth.label for _, truth in case.load_test_samples()]
        assert labels == table()["label"].to_pylist()
        if act == "record":
            found = registry.sql("SELECT inference.label FROM inferences ORDER BY sample_idx").dicts()
            assert [row["label"] for row in found] == labels
            made: list[Any] = [each for _, _, each in Model("model").load_inferences(case)]
            assert [each.embedding.tolist() for each in made] == table()["embedding"].to_pylist()
    assert (rows_of(registry, act), registry.commit) == (WHOLE, commit + 1)
    assert {*registry._session.store.list("data")} - named(registry) == orphans
    assert localreg.open(folder).verify().ok
    return seen


@pytest.mark.parametrize("batch", range(BATCHES))
def test_a_kill_at_any_batch_leaves_nothing_to_be_seen(template: Path, writers: Program, act: str, batch: int) -> None:
    commit = localreg.open(template).commit
    with writers.child(act, str(template), "slowly") as child:
        assert child.line() == "ready"
        for number in range(batch + 1):
            child.tell()
            assert child.line() == str(number)
        child.kill()
        assert (child.rest(), child.code) == ([], -signal.SIGKILL)
    assert check(template, act, commit) == NOTHING


@pytest.mark.usefixtures("_attachable")
@pytest.mark.parametrize("calls", ["fsync", LINK, MKDIR])
def test_a_kill_at_any_system_call_leaves_nothing_or_all(
    tmp_path: Path, template: Path, writers: Program, act: str, calls: str
) -> None:
    commit = localreg.open(template).commit
    seen = []
    for k in range(1, LONGEST):
        folder = tmp_path / str(k)
        shutil.copytree(template, folder)
        with writers.child(act, str(folder)) as child:
            assert child.line() == "ready"
            with strace(child.pid, *kill_at(calls, k)):
                child.tell()
                said = child.rest()
        assert child.code in (0, -signal.SIGKILL)
        seen.append(check(folder, act, commit))
        assert "done" not in said or seen[-1] == WHOLE, "what was acknowledged is not there"
        if child.code == 0:
            assert k > 1, "no such call was made: nothing was tested"
            assert seen == sorted(seen), "what was there once is lost by a later kill"
            return
    pytest.fail(f"still killed at the call number {LONGEST} of {calls}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 kB."""
    with tmpfs(tmp_path / "small", size="512k") as mount:
        yield mount


@pytest.mark.root
def test_a_disk_that_fills_leaves_nothing_and_serves_again(
    small_disk: Path, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localreg.workflow.bulk.staged.PART_ROWS", 6)
    monkeypatch.setattr("localreg.workflow.staging.PART_ROWS", 6)
    registry = localreg.open(small_disk / "registry")
    with localreg.use(registry):
        prepare(act)
        before = registry.commit, [*registry._session.store.list("data")]
        noise = np.random.default_rng(5)
        rows = table().set_column(1, "label", pa.array([noise.bytes(40_000).hex() for _ in range(ROWS)]))
        with pytest.raises(StorageError, match="free space") as caught:
            ACTS[act]([rows])
        assert caught.value.code == "disk_full"
        assert (registry.commit, [*registry._session.store.list("data")]) == before
        assert not [*registry._session.store.list("tmp")]
        assert registry.verify().ok
        assert ACTS[act](batches()).stored == ROWS
    assert localreg.open(small_disk / "registry").verify().ok
