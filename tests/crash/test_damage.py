"""Damage on disk: each kind is told by an error of its own that names the file, or does no harm."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

import localreg
from localreg import Registry
from localreg.canonical import sha256_hex
from localreg.errors import FormatError, IntegrityError, LocalregError, NotFoundError, ReadOnlyError, StorageError
from localreg.log import snapshot
from localreg.log.entry import Change, Head, Provenance, chain, entry_path, read
from localreg.log.parquet import EntryRow, decode, encode
from localreg.log.row import Row
from localreg.log.state import State
from localreg.log.verify import Problem
from localreg.names import new_id
from localreg.records.files import FilePointer
from localreg.storage import LocalStore
from tests.crash.scenarios import upload_and_run, view
from tests.mounts import tmpfs
from tests.pictures import Picture, TestCase, Truth
from tests.users import open_folder, without_privileges

COMMITS = 5
LONG = 130

# Becoming nobody takes a fork, and newer Pythons warn of one beside the threads of libraries.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
posix = pytest.mark.skipif(os.name != "posix", reason="about POSIX permissions")


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Registries to copy: `short` (5 commits), `other` (the same again), `long` (130), `bulk` (with files)."""
    folder = tmp_path_factory.mktemp("templates")
    for name in ("short", "other"):
        registry = localreg.open(folder / name, actor="ana")
        for target in (registry, registry.namespace("vision")):
            target.create_model("one", metadata={"secret": "hunter2"})
            target.create_model("two")
            target.get_model("one").update(metadata={"lr": 0.1})
            with target.transaction("three at once"):
                target.create_model("three")
                target.create_model("four")
                target.get_model("two").rename("zwei")
            target.create_model("five")
    registry = localreg.open(folder / "long", actor="ana")
    for number in range(LONG):
        registry.create_model(f"model {number}", metadata={"number": number})
    registry = localreg.open(folder / "bulk", actor="ana")
    for step in upload_and_run():
        step(registry)
    return folder


@pytest.fixture
def folder(templates: Path, tmp_path: Path) -> Path:
    """Five commits in the namespace `default`, five in `vision`."""
    return copied(templates / "short", tmp_path)


@pytest.fixture
def long(templates: Path, tmp_path: Path) -> Path:
    """130 commits, with snapshots at 64 and 128."""
    return copied(templates / "long", tmp_path)


@pytest.fixture
def bulk(templates: Path, tmp_path: Path) -> Path:
    """A test case, a suite, a model and its inferences."""
    return copied(templates / "bulk", tmp_path)


def copied(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template, tmp_path / "registry")
    return tmp_path / "registry"


def entry(folder: Path, commit: int, namespace: str = "default") -> Path:
    return folder / "namespaces" / namespace / entry_path(commit)


def rows_of(path: Path) -> list[EntryRow]:
    return decode(path.read_bytes(), name=path.name)


def state_of(folder: Path) -> State:
    return localreg.open(folder)._session.state()


def problems(folder: Path) -> list[Problem]:
    return localreg.open(folder).verify().problems


def named(folder: Path) -> list[tuple[str, str]]:
    """What `verify` finds: path and code."""
    return [(problem.path, problem.code) for problem in problems(folder)]


def assert_refused(folder: Path, kind: type[LocalregError], code: str, commit: int) -> None:
    """Reading tells the damage and names the entry; so does `verify`; nothing can be written."""
    path = entry_path(commit)
    acts: list[Callable[[], object]] = [
        lambda: localreg.open(folder).commit,
        lambda: localreg.open(folder).find_model("one"),
        lambda: localreg.open(folder).create_model("six"),
        lambda: localreg.open(folder).models().dicts(),
    ]
    for act in acts:
        with pytest.raises(kind) as caught:
            act()
        assert caught.value.code == code
        assert path in str(caught.value)
        assert str(folder) in str(caught.value)
    assert (path, code) in named(folder)
    assert path in str(localreg.open(folder).verify())


# Entries


@pytest.mark.parametrize("commit", [1, 4, COMMITS])
def test_a_torn_entry_is_told_wherever_it_was_cut(folder: Path, commit: int) -> None:
    whole = entry(folder, commit).read_bytes()
    for length in [*range(0, len(whole), 97), len(whole) - 1]:
        with pytest.raises(FormatError, match="entry 17 is damaged") as caught:
            read(whole[:length], Head(0, "", ""), name="17")
        assert caught.value.code == "entry_torn"
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        entry(folder, commit).write_bytes(whole[:length])
        assert_refused(folder, FormatError, "entry_torn", commit)


def test_no_altered_byte_of_an_entry_changes_what_is_read(folder: Path) -> None:
    first, second = (entry(folder, commit).read_bytes() for commit in (1, 2))
    head = read(first, localreg.open(folder)._session.log.origin, name="1").head
    whole = read(second, head, name="2")
    told = 0
    for place in range(len(second)):
        altered = bytearray(second)
        altered[place] ^= 0x11
        try:
            assert read(bytes(altered), head, name="17") == whole, f"byte {place} was altered without notice"
        except (FormatError, IntegrityError):
            told += 1
    assert told > len(second) * 0.8


@pytest.mark.parametrize("column", ["record", "payload", "digest", "commit", "event"])
def test_an_altered_value_is_told(folder: Path, column: str) -> None:
    rows = rows_of(entry(folder, 4))
    values = rows[1]._asdict()
    value = values[column]
    if isinstance(value, int):
        values[column] = value + 1
    elif column == "digest":
        values[column] = ("1" if value.startswith("0") else "0") + value[1:]
    else:
        values[column] = value.replace("four", "five")
    assert values[column] != value
    rows[1] = EntryRow(**values)
    entry(folder, 4).write_bytes(encode(rows))
    assert_refused(folder, IntegrityError, "entry_altered", 4)


@pytest.mark.parametrize("previous", ['"zz"', "17", "null", '""'])
def test_a_previous_digest_that_is_none_is_told_as_altered(folder: Path, previous: str) -> None:
    """Named for a bug: a letter beyond f in it was a ValueError, also out of `verify`."""
    rows = rows_of(entry(folder, 3))
    before = rows_of(entry(folder, 2))[-1].digest
    rows[0] = rows[0]._replace(record=rows[0].record.replace(f'"{before}"', previous))
    entry(folder, 3).write_bytes(encode(rows))
    assert_refused(folder, IntegrityError, "entry_altered", 3)


def test_an_altered_record_with_its_own_digest_made_new_is_told_by_the_next_entry(folder: Path) -> None:
    rows = rows_of(entry(folder, 3))
    record = rows[0].record.replace('"actor":"ana"', '"actor":"eve"')
    assert record != rows[0].record
    previous = rows_of(entry(folder, 2))[-1].digest
    rows[0] = rows[0]._replace(record=record, digest=chain(previous, record))
    entry(folder, 3).write_bytes(encode(rows))
    assert_refused(folder, IntegrityError, "entry_swapped", 4)


@pytest.mark.parametrize("last", [4, COMMITS])
def test_an_event_left_out_of_an_entry_is_told(folder: Path, last: int) -> None:
    """Named for a bug: nothing told it of the newest entry, on which no digest builds yet."""
    for commit in range(last + 1, COMMITS + 1):
        entry(folder, commit).unlink()
    for kept in (2, 1):
        entry(folder, 4).write_bytes(encode(rows_of(entry(folder, 4))[:kept]))
        assert_refused(folder, IntegrityError, "entry_altered", 4)


def test_an_entry_without_events_is_torn(folder: Path) -> None:
    entry(folder, 4).write_bytes(encode([]))
    assert_refused(folder, FormatError, "entry_torn", 4)
    entry(folder, 3).write_bytes(encode([]))
    assert named(folder) == [(entry_path(3), "entry_torn"), (entry_path(4), "entry_torn")]


def test_events_in_another_order_are_told(folder: Path) -> None:
    entry(folder, 4).write_bytes(encode(rows_of(entry(folder, 4))[::-1]))
    assert_refused(folder, IntegrityError, "entry_swapped", 4)


def test_two_swapped_entries_are_told(folder: Path) -> None:
    second, third = entry(folder, 2).read_bytes(), entry(folder, 3).read_bytes()
    entry(folder, 2).write_bytes(third)
    entry(folder, 3).write_bytes(second)
    assert_refused(folder, IntegrityError, "entry_swapped", 2)
    assert (entry_path(3), "entry_swapped") in named(folder)


@pytest.mark.parametrize("commit", [1, 3, COMMITS])
def test_an_entry_of_another_registry_is_told(folder: Path, templates: Path, commit: int) -> None:
    shutil.copy(entry(templates / "other", commit), entry(folder, commit))
    assert_refused(folder, IntegrityError, "entry_swapped", commit)


@pytest.mark.parametrize("commit", [1, 3, COMMITS])
def test_an_entry_of_another_namespace_is_told(folder: Path, commit: int) -> None:
    shutil.copy(entry(folder, commit, "vision"), entry(folder, commit))
    assert_refused(folder, IntegrityError, "entry_swapped", commit)


def test_the_whole_log_of_another_namespace_or_registry_is_told(folder: Path, templates: Path) -> None:
    log = folder / "namespaces/default/log"
    for origin in (folder / "namespaces/vision/log", templates / "other/namespaces/default/log"):
        shutil.rmtree(log)
        shutil.copytree(origin, log)
        assert_refused(folder, IntegrityError, "entry_swapped", 1)


@pytest.mark.parametrize("commit", [1, 2, 4])
def test_an_entry_missing_from_the_middle_is_told_on_opening(folder: Path, commit: int) -> None:
    entry(folder, commit).unlink()
    assert_refused(folder, IntegrityError, "entry_missing", commit)
    assert not entry(folder, commit).exists(), "a writer filled the gap"


@pytest.mark.parametrize("missing", [(2, 3), (1, 2, 3, 4)])
def test_several_entries_missing_from_the_middle_are_told_on_opening(folder: Path, missing: tuple[int, ...]) -> None:
    for commit in missing:
        entry(folder, commit).unlink()
    assert_refused(folder, IntegrityError, "entry_missing", missing[0])


def test_verify_names_each_missing_entry_and_goes_on(folder: Path) -> None:
    for commit in (2, 3):
        entry(folder, commit).unlink()
    report = localreg.open(folder).verify()
    assert named(folder) == [(entry_path(2), "entry_missing"), (entry_path(3), "entry_missing")]
    assert report.commits == COMMITS - 2


@pytest.mark.parametrize("commit", [1, 64, 100, 127])
def test_an_entry_missing_below_a_snapshot_is_told_by_verify_and_by_history(long: Path, commit: int) -> None:
    """Named for a bug: `audit` showed the log up to the gap as if that were all."""
    whole = localreg.open(long).audit().dicts()
    entry(long, commit).unlink()
    assert (entry_path(commit), "entry_missing") in named(long)
    assert localreg.open(long).audit().dicts() == whole, "a segment still has it"
    shutil.rmtree(long / "namespaces/default/history")
    with pytest.raises(IntegrityError, match=entry_path(commit)) as caught:
        localreg.open(long).audit().dicts()
    assert caught.value.code == "entry_missing"


def test_entries_lost_from_the_end_are_told_by_verify_while_a_snapshot_knows_of_them(long: Path) -> None:
    for commit in range(120, LONG + 1):
        entry(long, commit).unlink()
    assert named(long) == [(entry_path(128), "entry_missing")]


def test_entries_lost_from_the_end_are_not_written_over_while_a_snapshot_knows_of_them(long: Path) -> None:
    """Named for a bug: the next commits took their numbers, and `verify` found nothing wrong."""
    for commit in range(120, LONG + 1):
        entry(long, commit).unlink()
    assert_refused(long, IntegrityError, "entry_missing", 128)
    assert not entry(long, 120).exists()
    remove_all(long)
    registry = localreg.open(long)
    assert registry.commit == 119, "rolled back on purpose"
    for number in range(120, LONG + 1):
        registry.create_model(f"anew {number}")
    assert registry.verify().ok


def test_a_snapshot_of_another_end_of_the_log_is_told(long: Path, tmp_path: Path) -> None:
    """Two copies were written to, and one got the snapshots of the other."""
    remains = tmp_path / "remains"
    shutil.copytree(long / "namespaces/default/snapshots", remains)
    remove_all(long)
    for commit in range(120, LONG + 1):
        entry(long, commit).unlink()
    registry = localreg.open(long)
    for number in range(120, LONG + 1):
        registry.create_model(f"anew {number}")
    shutil.rmtree(long / "namespaces/default/snapshots", ignore_errors=True)
    shutil.copytree(remains, long / "namespaces/default/snapshots")
    assert_refused(long, IntegrityError, "entry_swapped", 128)


# A registry that vanishes under an open handle


def put_an_empty_folder_there(folder: Path) -> None:
    folder.mkdir()


def put_another_registry_there(folder: Path) -> None:
    localreg.open(folder).create_model("another")


@pytest.mark.parametrize("instead", [None, put_an_empty_folder_there], ids=["nothing", "an empty folder"])
def test_no_commit_is_acknowledged_where_the_registry_is_not(
    folder: Path, instead: Callable[[Path], None] | None
) -> None:
    """Named for a bug: an unmounted share was begun anew below its mount point."""
    registry = localreg.open(folder)
    vision = registry.namespace("vision")
    assert registry.commit == vision.commit == COMMITS
    folder.rename(folder.with_name("away"))
    if instead is not None:
        instead(folder)
    for handle in (registry, vision):
        with pytest.raises(StorageError, match=str(folder)) as caught:
            handle.create_model("six")
        assert caught.value.code == "registry_gone"
    assert not folder.exists() or list(folder.iterdir()) == []
    if instead is not None:
        folder.rmdir()
    folder.with_name("away").rename(folder)
    registry.create_model("six")
    assert localreg.open(folder).commit == COMMITS + 1
    assert problems(folder) == []


def test_no_commit_is_acknowledged_in_another_registry_that_took_the_place(folder: Path) -> None:
    vision = localreg.open(folder).namespace("vision")
    assert vision.commit == COMMITS
    folder.rename(folder.with_name("away"))
    put_another_registry_there(folder)
    with pytest.raises(StorageError) as caught:
        vision.create_model("six")
    assert caught.value.code == "registry_gone"
    assert not (folder / "namespaces/vision").exists()


# What a later release may write


def publish(folder: Path, change: Change) -> None:
    session = localreg.open(folder)._session
    assert session.log.publish(session.state().head, [change], Provenance("later", "host"), new_id())


def add_feature(folder: Path, needed_by: str) -> None:
    id = new_id()
    record = {"id": id, "name": "time-travel", "needed_by": needed_by}
    publish(folder, Change("feature", "create", id, "time-travel", after={**record}))


def test_a_feature_that_readers_must_know_refuses_reading_and_names_itself(folder: Path) -> None:
    live = localreg.open(folder)
    assert live.commit == COMMITS
    add_feature(folder, "readers")

    def read_on(registry: Registry) -> object:
        return registry.commit

    def write_on(registry: Registry) -> object:
        return registry.create_model("six")

    for registry in (live, localreg.open(folder)):
        for act in (read_on, write_on):
            with pytest.raises(FormatError, match=r"time-travel.*upgrade") as caught:
                act(registry)
            assert caught.value.code == "format_newer"
            assert str(folder) in str(caught.value)
    assert not entry(folder, COMMITS + 2).exists()


def test_a_feature_that_writers_must_know_leaves_reading_alone(folder: Path) -> None:
    add_feature(folder, "writers")
    registry = localreg.open(folder)
    assert registry.find_model("one") is not None
    with pytest.raises(FormatError, match=r"time-travel.*upgrade") as caught:
        registry.create_model("six")
    assert caught.value.code == "format_newer"
    assert not entry(folder, COMMITS + 2).exists()


# localreg.json


def edited(folder: Path, **fields: object) -> None:
    path = folder / "localreg.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_a_newer_format_is_refused(folder: Path) -> None:
    edited(folder, format=2, least_reader=2, least_writer=2)
    with pytest.raises(FormatError, match=r"has format 2, and this release reads up to 1; upgrade") as caught:
        localreg.open(folder)
    assert caught.value.code == "format_newer"
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("fields", [{"format": 2, "least_writer": 2}, {"commit_mode": "telepathy"}], ids=str)
def test_a_registry_that_only_newer_releases_may_write_opens_read_only(folder: Path, fields: dict[str, object]) -> None:
    edited(folder, **fields)
    registry = localreg.open(folder)
    assert registry.read_only
    assert registry.get_model("one").metadata["lr"] == 0.1
    with pytest.raises(ReadOnlyError, match="upgrade"):
        registry.create_model("six")
    assert not entry(folder, COMMITS + 1).exists()


def test_a_torn_registry_file_is_told_wherever_it_was_cut(folder: Path) -> None:
    path = folder / "localreg.json"
    whole = path.read_text().rstrip()
    for length in range(len(whole)):
        path.write_text(whole[:length])
        with pytest.raises(FormatError, match=r"registry/localreg\.json is no registry file") as caught:
            localreg.open(folder)
        assert caught.value.code == "foreign_directory"
        assert path.read_text() == whole[:length]


@pytest.mark.parametrize("content", ["[]", "null", '"x"', "{}", '{"format": "1"}', '{"registry": "x"}'])
def test_another_program_s_registry_file_is_refused(folder: Path, content: str) -> None:
    (folder / "localreg.json").write_text(content)
    with pytest.raises(FormatError, match=r"localreg\.json") as caught:
        localreg.open(folder)
    assert caught.value.code == "foreign_directory"


@pytest.mark.parametrize("key", ["format", "registry", "least_writer", "commit_mode", "shared"])
@pytest.mark.parametrize("value", [None, [1], {}])
def test_a_registry_file_with_a_value_of_another_type_is_refused(folder: Path, key: str, value: object) -> None:
    """Named for a bug: this was a TypeError from deep within."""
    edited(folder, **{key: value})
    with pytest.raises(FormatError, match=r"localreg\.json"):
        localreg.open(folder)


def test_a_lost_registry_file_is_not_replaced_by_another(folder: Path) -> None:
    (folder / "localreg.json").unlink()
    with pytest.raises(FormatError, match=r"has lost its localreg\.json") as caught:
        localreg.open(folder)
    assert caught.value.code == "foreign_directory"
    assert not (folder / "localreg.json").exists()


def test_a_foreign_folder_is_never_adopted(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    for read_only in (False, True):
        with pytest.raises(LocalregError, match=str(tmp_path)):
            localreg.open(tmp_path, read_only=read_only)
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "thesis.tex").rename(tmp_path / "deep/er/thesis.tex")
    with pytest.raises(FormatError, match=r"it holds 'deep/er/thesis\.tex'"):
        localreg.open(tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["thesis.tex"]


# What sync programs leave, and what people empty


@pytest.mark.parametrize(
    "name",
    [
        "00000000000000000003 (conflicted copy).parquet",
        "00000000000000000003.parquet.part",
        "3.parquet",
        "00000000000000000000.parquet",
        "sub/00000000000000000006.parquet",
    ],
)
def test_a_stray_file_in_the_log_does_no_harm_and_is_named_by_verify(folder: Path, name: str) -> None:
    before = view(state_of(folder))
    stray = folder / "namespaces/default/log" / name
    stray.parent.mkdir(exist_ok=True)
    shutil.copy(entry(folder, 3), stray)
    assert view(state_of(folder)) == before
    (problem,) = problems(folder)
    assert (problem.path, problem.code) == (f"log/{name}", "stray_file")
    assert f"log/{name}" in problem.message
    localreg.open(folder).create_model("six")
    assert localreg.open(folder).commit == COMMITS + 1


def test_a_payload_emptied_without_an_entry_that_says_so_is_named_by_verify(folder: Path) -> None:
    rows = rows_of(entry(folder, 1))
    place = next(number for number, row in enumerate(rows) if "hunter2" in row.payload)
    rows[place] = rows[place]._replace(payload="")
    entry(folder, 1).write_bytes(encode(rows))
    assert named(folder) == [(entry_path(1), "payload_missing")]
    assert localreg.open(folder).commit == COMMITS, "the chain holds without the payload"
    publish(folder, Change("model", "redact", "x", "one", details={"events": [[1, place + 1]]}))
    assert problems(folder) == []


# Bulk files


def parts(folder: Path, table: str) -> Path:
    (path,) = (folder / "namespaces/default/data" / table).rglob("*.parquet")
    return path


def alter(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"!")


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def make_empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("table", ["test_samples", "ground_truths", "inferences"])
@pytest.mark.parametrize(
    ("damage", "code"),
    [(alter, "file_altered"), (truncate, "file_altered"), (make_empty, "file_altered"), (Path.unlink, "file_missing")],
)
def test_a_damaged_bulk_file_is_named(bulk: Path, table: str, damage: Callable[[Path], None], code: str) -> None:
    assert problems(bulk) == []
    path = parts(bulk, table)
    damage(path)
    (problem,) = problems(bulk)
    relative = str(path.relative_to(bulk / "namespaces/default"))
    assert (problem.path, problem.code) == (relative, code)
    assert relative in problem.message
    with pytest.raises(LocalregError, match=path.name):
        localreg.open(bulk).sql(f"SELECT * FROM {table}").dicts()


@pytest.mark.parametrize(
    ("error", "code"),
    [(StorageError("the store cannot be reached", code="unreachable"), "unreachable"), (None, "file_missing")],
)
def test_a_bulk_file_that_could_not_be_looked_at_is_not_called_missing(
    bulk: Path, error: LocalregError | None, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = LocalStore.local_file

    def local_file(store: LocalStore, path: str, *, fresh: bool = False) -> Path:
        if error is None:
            return there(store, path, fresh=fresh).with_name("deleted since")
        raise error if path.startswith("data/") else NotFoundError(path)

    monkeypatch.setattr(LocalStore, "local_file", local_file)
    told = {(problem.code, "restore it from a copy" in problem.message) for problem in problems(bulk)}
    assert told == {(code, error is None)}


@posix
def test_a_bulk_file_that_may_not_be_read_is_not_called_missing(templates: Path) -> None:
    with open_folder() as folder:
        shutil.copytree(templates / "bulk", folder / "bulk")
        path = parts(folder / "bulk", "inferences")
        path.chmod(0)

        def look() -> None:
            (problem,) = problems(folder / "bulk")
            assert (problem.code, problem.path.rpartition("/")[2]) == ("file_unreadable", path.name)
            assert problem.path in problem.message
            assert "Permission denied; check the disk and its permissions" in problem.message

        without_privileges(look)


@pytest.mark.parametrize(
    ("wrong", "code", "message"),
    [({"rows": 99}, "rows_wrong", "the log says 99"), ({"bytes": 99}, "file_altered", "the log says 99")],
)
def test_a_pointer_that_says_something_else_than_its_file_is_named(
    bulk: Path, wrong: dict[str, int], code: str, message: str
) -> None:
    (row,) = (row for row in state_of(bulk).rows("file") if row.fields["table"] == "test_samples")
    pointer = replace(FilePointer.from_json(row.fields), **wrong)  # type: ignore[arg-type]
    publish(bulk, Change("workflow", "upload", pointer.owner, "w", files=(pointer,)))
    (problem,) = problems(bulk)
    assert (problem.path, problem.code) == (pointer.path, code)
    assert message in problem.message
    assert pointer.path in problem.message


def test_a_part_that_is_no_parquet_file_is_named(bulk: Path) -> None:
    (row,) = (row for row in state_of(bulk).rows("file") if row.fields["table"] == "test_samples")
    pointer = replace(FilePointer.from_json(row.fields), path="data/t/o/p.parquet", bytes=1, sha256=sha256_hex("x"))
    path = bulk / "namespaces/default" / pointer.path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    publish(bulk, Change("workflow", "upload", pointer.owner, "w", files=(pointer,)))
    assert named(bulk) == [(pointer.path, "rows_wrong")]


@pytest.mark.parametrize("damage", [truncate, Path.unlink])
def test_a_damaged_part_of_samples_is_told_by_the_next_upload(bulk: Path, damage: Callable[[Path], None]) -> None:
    """Named for a bug: an error of duckdb came through."""
    path = parts(bulk, "test_samples")
    damage(path)
    registry = localreg.open(bulk)
    with localreg.use(registry), pytest.raises(IntegrityError, match=path.name):
        TestCase("another", test_samples=[(Picture(77), Truth("x"))])
    assert registry.commit == 4


# Caches


def snapshots(folder: Path) -> list[Path]:
    return sorted((folder / "namespaces/default/snapshots").glob("*.parquet"))


def hint(folder: Path) -> Path:
    return folder / "namespaces/default/snapshots/latest.json"


def remove_all(folder: Path) -> None:
    shutil.rmtree(folder / "namespaces/default/snapshots")


def tear(folder: Path) -> None:
    for path in snapshots(folder):
        path.write_bytes(path.read_bytes()[:-9])


def tear_newest(folder: Path) -> None:
    newest = snapshots(folder)[-1]
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])


def empty_all(folder: Path) -> None:
    for path in snapshots(folder):
        path.write_bytes(b"")


def put_an_entry_there(folder: Path) -> None:
    shutil.copy(entry(folder, 7), snapshots(folder)[-1])


def make_folders_of_them(folder: Path) -> None:
    for path in snapshots(folder):
        path.unlink()
        path.mkdir()


def make_a_folder_of_the_hint(folder: Path) -> None:
    hint(folder).unlink()
    hint(folder).mkdir()


def write_hint(content: str) -> Callable[[Path], object]:
    return lambda folder: hint(folder).write_text(content)


CACHE_DAMAGE: dict[str, Callable[[Path], object]] = {
    "all gone": remove_all,
    "torn": tear,
    "the newest torn": tear_newest,
    "emptied": empty_all,
    "an entry in its place": put_an_entry_there,
    "folders in their place": make_folders_of_them,
    "the newest gone": lambda folder: snapshots(folder)[-1].unlink(),
    "no hint": lambda folder: hint(folder).unlink(),
    "an empty hint": write_hint(""),
    "a torn hint": write_hint('{"path": "snapsh'),
    "a hint that is no object": write_hint("[1]"),
    "a hint to a number": write_hint('{"path": 64}'),
    "a stale hint": write_hint(json.dumps({"path": f"snapshots/{64:020d}.parquet"})),
    "a hint to nothing": write_hint(json.dumps({"path": f"snapshots/{9999:020d}.parquet"})),
    "a hint to itself": write_hint('{"path": "snapshots/latest.json"}'),
    "a hint outside": write_hint('{"path": "snapshots/../../../../etc/passwd"}'),
    "a hint to an entry": write_hint(json.dumps({"path": entry_path(3)})),
    "a folder as hint": make_a_folder_of_the_hint,
}


@pytest.mark.parametrize("damage", CACHE_DAMAGE)
def test_a_damaged_cache_does_no_harm(long: Path, damage: str) -> None:
    before = view(state_of(long))
    CACHE_DAMAGE[damage](long)
    registry = localreg.open(long)
    assert view(registry._session.state()) == before
    assert len(registry.models()) == LONG
    assert registry.at(commit=128).commit == 128
    assert registry.verify().ok
    registry.create_model("next")
    assert localreg.open(long).commit == LONG + 1
    assert localreg.open(long).get_model("model 17").metadata == {"number": 17}


def test_a_snapshot_of_another_registry_is_passed_over(long: Path, tmp_path: Path) -> None:
    other = localreg.open(tmp_path / "other", actor="ana")
    for number in range(64):
        other.create_model(f"foreign {number}")
    (foreign,) = snapshots(tmp_path / "other")
    before = view(state_of(long))
    for path in snapshots(long):
        shutil.copy(foreign, path)
    assert view(state_of(long)) == before
    assert localreg.open(long).verify().ok


def test_no_altered_byte_of_a_snapshot_changes_what_is_seen(long: Path) -> None:
    """Named for a bug: without checksums of pages, a flipped bit was a record that nobody wrote."""
    snapshots(long)[0].unlink()
    (newest,) = snapshots(long)
    whole = newest.read_bytes()
    session = localreg.open(long)._session

    def seen() -> dict[tuple[str, str], Row]:
        return {(row.kind, row.id): row for row in session.state().rows()}

    before = seen()
    for place in range(0, len(whole), 149):
        newest.write_bytes(whole[:place] + bytes([whole[place] ^ 0x11]) + whole[place + 1 :])
        session.close()
        assert seen() == before, f"byte {place}"


def test_a_snapshot_that_says_something_else_is_named_by_verify(long: Path) -> None:
    session = localreg.open(long)._session
    state = session.log.at(128, session.state())
    draft = state.draft()
    row = draft.find("model", "model 17")
    assert row is not None
    forged = Change("model", "update", row.id, "model 17", before=row.record, after={**row.fields, "owner": "eve"})
    draft.apply(forged, next(session.entries()).events[0])
    sound = snapshots(long)
    forger = draft.frozen(state.head)
    snapshot.save(session.store, session.log.origin.digest, forger, lambda: forger)
    (wrong,) = set(snapshots(long)) - set(sound)
    (problem,) = problems(long)
    assert (Path(problem.path).name, problem.code) == (wrong.name, "snapshot_wrong")
    assert problem.path in problem.message
    wrong.unlink()
    assert problems(long) == []


def test_a_snapshot_deleted_under_an_open_handle_does_no_harm(long: Path) -> None:
    """Named for a bug: a handle that stays at its commit could not be queried once its snapshot was cleaned up."""
    registry = localreg.open(long)
    past = registry.at(commit=128)
    assert (len(registry.models()), len(past.models())) == (LONG, 128)
    remove_all(long)
    assert (len(registry.models()), len(past.models())) == (LONG, 128)
    assert (len(registry.models("owner IS NULL")), len(past.models("owner IS NULL"))) == (LONG, 128)
    registry.create_model("next")
    assert len(registry.models()) == LONG + 1


# Full disks and folders without permission


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    with tmpfs(tmp_path / "small", size="256k") as mount:
        yield mount


def fill(path: Path) -> None:
    """Take all the room that there is."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(512))


@pytest.mark.root
def test_a_full_disk_refuses_a_commit_cleanly_and_works_again_when_there_is_room(small_disk: Path) -> None:
    folder = small_disk / "registry"
    registry = localreg.open(folder)
    registry.create_model("old")
    before = view(registry._session.state())
    ballast = small_disk / "ballast"
    fill(ballast)

    def create() -> None:
        registry.create_model("new")

    def upload() -> None:
        with localreg.use(registry):
            TestCase("case", test_samples=[(Picture(1), Truth("x"))])

    def transact() -> None:
        with registry.transaction():
            registry.create_model("new")
            registry.get_model("old").rename("newer")

    for act in (create, upload, transact):
        with pytest.raises(StorageError, match="no room") as caught:
            act()
        assert caught.value.code == "disk_full"
        assert str(folder) in str(caught.value)
        assert view(registry._session.state()) == before
        assert view(state_of(folder)) == before
        assert localreg.open(folder).verify().ok
    ballast.unlink()
    create()
    upload()
    assert localreg.open(folder).commit == 3
    assert localreg.open(folder).verify().ok
    assert list(folder.rglob(".*.tmp")) == []


@pytest.mark.root
def test_a_disk_that_fills_up_keeps_all_that_was_acknowledged(small_disk: Path) -> None:
    folder = small_disk / "registry"
    registry = localreg.open(folder)
    made: list[str] = []
    with pytest.raises(StorageError) as caught:
        made.extend(registry.create_model(f"model {number}").name for number in range(1000))
    assert caught.value.code == "disk_full"
    assert len(made) > 10
    assert [row.name for row in state_of(folder).children("model")] == made
    assert localreg.open(folder).verify().ok


@pytest.fixture
def locked(templates: Path) -> Iterator[Path]:
    """A registry that all may read and nobody may write, in a folder that all may enter."""
    with open_folder() as place:
        folder = copied(templates / "short", place)
        inside = [folder, *folder.rglob("*")]
        for path in inside:
            path.chmod(0o555 if path.is_dir() else 0o444)
        # Modules are loaded now: nobody may not read them, if they lie in root's home.
        warm = localreg.open(folder, read_only=True)
        assert len(warm.models()) == COMMITS
        assert warm.verify().ok
        warm.close()
        yield folder
        for path in inside:
            path.chmod(0o755)


def assert_read_only(act: Callable[[], object], folder: Path) -> None:
    with pytest.raises(ReadOnlyError, match=str(folder)):
        act()


@posix
def test_a_folder_without_write_permission_opens_read_only(locked: Path) -> None:
    files = sorted(locked.rglob("*"))

    def act() -> None:
        registry = localreg.open(locked, actor="nobody")
        assert registry.read_only
        assert registry.commit == COMMITS
        assert registry.get_model("one").metadata == {"secret": "hunter2", "lr": 0.1}
        assert registry.at(commit=1).find_model("two") is None
        assert registry.verify().ok
        assert_read_only(lambda: registry.create_model("six"), locked)
        assert_read_only(lambda: registry.get_model("one").update(metadata={"x": 1}), locked)
        assert_read_only(lambda: registry.namespace("new").create_model("six"), locked)
        assert_read_only(lambda: registry.transaction().__enter__(), locked)

    without_privileges(act)
    assert sorted(locked.rglob("*")) == files


@posix
def test_a_folder_that_was_locked_after_opening_refuses_and_reads_on(locked: Path) -> None:
    """The handle believes that it may write; the store says no, and nothing is left in doubt."""
    session = localreg.open(locked, read_only=True)._session
    session.read_only = ""
    registry = Registry(session)

    def act() -> None:
        assert_read_only(lambda: registry.create_model("six"), locked)
        assert registry.commit == COMMITS

    without_privileges(act)


@posix
def test_no_registry_is_made_where_nothing_may_be_written(locked: Path) -> None:
    without_privileges(lambda: assert_read_only(lambda: localreg.open(locked / "namespaces" / "deeper"), locked))
    assert not (locked / "namespaces/deeper").exists()
