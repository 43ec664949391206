"""An rsync or a zip of a live registry opens at a consistent commit."""

from __future__ import annotations

import itertools
import logging
import random
import shutil
import threading
from pathlib import Path

import pytest

import localreg
from localreg.errors import IntegrityError
from localreg.log import log, telling, torn
from localreg.log.entry import entry_path
from localreg.log.verify import VerifyReport
from localreg.storage import LocalStore
from tests.crash.copying import FOLDERS, Writer, assert_consistent, copied, zipped

SPAN = 8
"""Commits from one snapshot to the next, so that a copy sees several."""


@pytest.fixture(autouse=True)
def _many_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "SNAPSHOT_EVERY", SPAN)
    monkeypatch.setattr(telling, "_told", set())


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with something of everything."""
    folder = tmp_path_factory.mktemp("template") / "registry"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "SNAPSHOT_EVERY", SPAN)
        writer = Writer(folder)
        for _ in range(5):
            writer.step()
        writer.registry.close()
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template, tmp_path / "registry")
    return tmp_path / "registry"


ORDERS = [FOLDERS, *itertools.permutations(("data", "artifacts", "log", "snapshots"))]


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_a_copy_with_a_commit_between_each_two_files_is_a_beginning_of_the_log(
    folder: Path, tmp_path: Path, order: tuple[str, ...]
) -> None:
    writer = Writer(folder)
    begun = writer.registry.commit
    left = iter(range(40))  # lest the copying goes on for ever

    def between() -> None:
        if next(left, None) is not None:
            writer.registry.create_model(f"between {writer.registry.commit}")
            writer.step()

    copied(folder, tmp_path / "copy", order, between)
    registry = localreg.open(tmp_path / "copy", read_only=True)
    assert_consistent(registry, writer.registry, begun)
    again = localreg.open(tmp_path / "copy", read_only=True)
    assert again.commit == registry.commit, "the second look shows the same as the first"
    assert localreg.open(folder).verify().ok


@pytest.mark.parametrize("seed", range(4))
def test_copies_while_threads_write_are_beginnings_of_the_log(folder: Path, tmp_path: Path, seed: int) -> None:
    order = list(FOLDERS) if seed == 0 else random.Random(seed).sample(FOLDERS, len(FOLDERS))
    begun = localreg.open(folder).commit
    with writing(folder) as writer:
        for number in range(3):
            copied(folder, tmp_path / f"copy {number}", order, lambda: None)
        zipped(folder, tmp_path / "copy.zip")
    for number in range(3):
        assert_consistent(localreg.open(tmp_path / f"copy {number}", read_only=True), writer.registry, begun)
    shutil.unpack_archive(tmp_path / "copy.zip", tmp_path / "unpacked")
    assert_consistent(localreg.open(tmp_path / "unpacked", read_only=True), writer.registry, begun)
    assert localreg.open(f"zip://{tmp_path / 'copy.zip'}", read_only=True).commit >= begun


class writing:
    """A thread that commits until the block ends."""

    def __init__(self, folder: Path) -> None:
        self._writer = Writer(folder)
        self._stop = threading.Event()
        self._failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._writer.step()
        except BaseException as error:
            self._failed.append(error)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self._writer

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        assert self._failed == []


# One kind after another


def brought(folder: Path) -> dict[int, list[Path]]:
    """Files by the commit that brought them."""
    registry = localreg.open(folder, read_only=True)
    found: dict[int, list[Path]] = {}
    for row in registry._session.state().rows("file"):
        found.setdefault(row.updated[0], []).append(folder / "namespaces/default" / row.name)
    return found


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


def copy_of(folder: Path) -> Path:
    """Where this machine has seen nothing yet."""
    target = folder.with_name("copy")
    shutil.copytree(folder, target)
    return target


def lose(copy: Path, files: list[Path], folder: Path) -> None:
    for path in files:
        (copy / path.relative_to(folder)).unlink()


def test_a_reader_of_a_torn_copy_stays_at_the_last_whole_commit_and_a_writer_goes_on(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files, copy = brought(folder), copy_of(folder)
    *_, before, last = sorted(files)
    newest = localreg.open(folder).commit
    lose(copy, files[last], folder)
    lose(copy, files[before][:1], folder)
    reader = localreg.open(copy, read_only=True)
    assert reader.commit == before - 1
    (told,) = warnings(caplog)
    assert f"of the last {newest - before + 1} commits files are not there" in told
    assert f"Who only reads is shown commit {before - 1}; copy again" in told
    writer = localreg.open(copy)
    assert writer.commit == newest
    assert warnings(caplog) == [told], "the same warning"
    assert localreg.open(copy, read_only=True).commit == before - 1
    (problem,) = (each for each in writer.doctor().problems if each.what == "default: copy")
    assert problem.message == told
    writer.create_model("goes on")
    assert reader.commit == before - 1, "until it is opened again"


def test_a_file_that_was_copied_in_part_is_one_that_is_not_there(folder: Path) -> None:
    files, copy = brought(folder), copy_of(folder)
    last = max(files)
    path = copy / files[last][0].relative_to(folder)
    path.write_bytes(path.read_bytes()[:-1])
    assert localreg.open(copy, read_only=True).commit == last - 1


def test_files_lost_in_the_middle_are_damage_and_change_nothing(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    writer = Writer(folder)
    for _ in range(5):
        writer.step()
    samples = sorted(brought(folder).items())
    first, *_ = (path for _, paths in samples for path in paths if "test_samples" in path.parts)
    copy = copy_of(folder)
    lose(copy, [first], folder)
    reader = localreg.open(copy, read_only=True)
    assert reader.commit == localreg.open(folder).commit
    assert warnings(caplog) == []
    assert {each.code for each in reader.verify().problems} == {"file_missing"}


def test_a_registry_that_was_seen_whole_is_damaged_and_not_torn(folder: Path) -> None:
    files = brought(folder)
    newest = localreg.open(folder, read_only=True).commit
    for path in files[max(files)]:
        path.unlink()
    assert localreg.open(folder, read_only=True).commit == newest
    assert not localreg.open(folder).verify().ok


def test_a_copy_that_is_made_again_is_read_to_its_end(folder: Path) -> None:
    files, copy = brought(folder), copy_of(folder)
    lose(copy, files[max(files)], folder)
    assert localreg.open(copy, read_only=True).commit == max(files) - 1
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    assert localreg.open(copy, read_only=True).commit == localreg.open(folder).commit


def test_condemned_files_are_not_missed(folder: Path) -> None:
    from localreg.log import Change, Provenance
    from localreg.names import new_id
    from localreg.records.files import FilePointer

    files = brought(folder)
    session = localreg.open(folder)._session
    state = session.state()
    condemned = [row for row in state.rows("file") if row.updated[0] == max(files)]
    pointers = tuple(FilePointer.from_json(row.fields) for row in condemned)
    change = Change("namespace", "condemn", "x", "default", files=pointers)
    assert session.log.publish(state.head, [change], Provenance("gc", "host"), new_id())
    newest = localreg.open(folder).commit
    copy = copy_of(folder)
    lose(copy, files[max(files)], folder)
    assert localreg.open(copy, read_only=True).commit == newest


def test_a_snapshot_ahead_of_the_log_leaves_a_reader_the_end_of_the_log(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    localreg.open(folder).snapshot()
    newest = localreg.open(folder).commit
    copy = copy_of(folder)
    (copy / "namespaces/default" / entry_path(newest)).unlink()
    reader = localreg.open(copy, read_only=True)
    assert reader.commit == newest - 1
    (told,) = warnings(caplog)
    assert "copy again" in told
    assert "doctor --accept" in told
    with pytest.raises(IntegrityError, match="copy again") as caught:
        localreg.open(copy).create_model("next")
    assert caught.value.code == "entry_missing"
    assert localreg.open(copy).doctor(accept=True) is not None
    localreg.open(copy).create_model("next")


def test_an_entry_that_a_listing_left_out_leaves_a_reader_what_is_before_it(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(folder / "namespaces/default/snapshots", ignore_errors=True)
    newest = localreg.open(folder).commit
    copy = copy_of(folder)
    shutil.rmtree(copy / "namespaces/default/snapshots")
    (copy / "namespaces/default" / entry_path(newest - 1)).unlink()
    for _ in range(2):
        assert localreg.open(copy, read_only=True).commit == newest - 2
    assert len(warnings(caplog)) == 1
    with pytest.raises(IntegrityError) as caught:
        localreg.open(copy).create_model("next")
    assert caught.value.code == "entry_missing"
    shutil.rmtree(folder / "namespaces/default/snapshots")
    (folder / "namespaces/default" / entry_path(newest - 1)).unlink()
    with pytest.raises(IntegrityError):  # where this machine has seen it, it was lost
        assert localreg.open(folder, read_only=True).commit


def test_a_copy_without_its_files_is_read_as_it_is(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes the log alone has left them out."""
    monkeypatch.setattr(torn, "TORN_AT_MOST", 3)
    newest = localreg.open(folder).commit
    copy = copy_of(folder)
    for name in ("data", "artifacts"):
        shutil.rmtree(copy / "namespaces/default" / name)
    assert localreg.open(copy, read_only=True).commit == newest
    assert warnings(caplog) == []


def test_an_opening_looks_at_no_file_that_was_seen_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = copy_of(folder)
    asked: list[str] = []
    size = LocalStore.size

    def counted(store: LocalStore, path: str) -> int | None:
        asked.append(path)
        return size(store, path)

    monkeypatch.setattr(LocalStore, "size", counted)
    for expected in (True, False):
        asked.clear()
        assert localreg.open(copy, read_only=True).commit
        assert any(path.startswith(("data/", "artifacts/")) for path in asked) is expected


def test_a_torn_copy_is_named_file_by_file_by_verify(folder: Path) -> None:
    files, copy = brought(folder), copy_of(folder)
    lose(copy, files[max(files)], folder)
    report: VerifyReport = localreg.open(copy, read_only=True).verify()
    assert {each.path for each in report.problems} == {
        str(path.relative_to(folder / "namespaces/default")) for path in files[max(files)]
    }


def test_no_beginning_is_whole_where_no_commit_is(tmp_path: Path) -> None:
    assert localreg.open(tmp_path / "registry").commit == 0
    assert localreg.open(tmp_path / "registry", read_only=True).commit == 0
