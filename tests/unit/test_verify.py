"""`verify`: what it names, from where on it looks, what it expects, and how it goes on after it was stopped."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import localreg
from localreg import Registry
from localreg.canonical import sha256_hex
from localreg.errors import InvalidInputError, StorageError
from localreg.log.entry import chain, entry_path, genesis
from localreg.log.parquet import EntryRow, decode, encode
from localreg.log.verification import files
from localreg.log.verification.sound import Sound
from localreg.log.verify import Problem
from localreg.names import new_id
from localreg.records.files import FilePointer
from localreg.storage import LocalStore
from tests.remote import Server, options
from tests.signing import LogFolder, signed_registry

MODELS = 6


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models with an artifact each: a commit for each model, one for its version's file."""
    base = tmp_path_factory.mktemp("template")
    with localreg.open(base / "registry", actor="ana") as registry:
        for number in range(MODELS):
            (base / "file").write_bytes(b"%d" % number * 1000)
            registry.create_model(f"m{number}").create_version("1").upload(base / "file")
    return base / "registry"


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template, tmp_path / "registry")
    return tmp_path / "registry"


@pytest.fixture
def namespace(folder: Path) -> Path:
    return folder / "namespaces/default"


def artifacts(namespace: Path) -> list[Path]:
    """Files in the order in which they were committed."""
    state = localreg.open(namespace.parent.parent, read_only=True)._session.state()
    rows = sorted(state.rows("file"), key=lambda row: row.created)
    return [namespace / row.name for row in rows if row.name.startswith("artifacts/")]


def told(folder: Path, **options: object) -> list[tuple[str, str]]:
    report = localreg.open(folder, read_only=True).verify(**options)  # type: ignore[arg-type]
    return [(problem.path, problem.code) for problem in report.problems]


def path_of(file: Path, namespace: Path) -> str:
    return str(file.relative_to(namespace))


def rows_of(namespace: Path, commit: int) -> list[EntryRow]:
    return decode((namespace / entry_path(commit)).read_bytes(), name=str(commit))


# --- what it names ----------------------------------------------------------------------------------------------------


def cut_short(file: Path, _: Path) -> None:
    file.write_bytes(file.read_bytes()[:-3])


def add_bytes(file: Path, _: Path) -> None:
    with file.open("ab") as stream:
        stream.write(b"more")


def flip_a_bit(file: Path, _: Path) -> None:
    data = bytearray(file.read_bytes())
    data[7] ^= 1
    file.write_bytes(data)


def empty(file: Path, _: Path) -> None:
    file.write_bytes(b"")


def remove(file: Path, _: Path) -> None:
    file.unlink()


def put_another_there(file: Path, other: Path) -> None:
    shutil.copy(other, file)


DAMAGE: dict[str, tuple[Callable[[Path, Path], None], str, str]] = {
    "cut short": (cut_short, "file_altered", "has been cut short: it has 997 bytes, and the log says 1000"),
    "added to": (add_bytes, "file_altered", "has been added to: it has 1004 bytes, and the log says 1000"),
    "altered": (flip_a_bit, "file_altered", "has been altered: its sha256 is not the one in the log"),
    "emptied": (empty, "file_altered", "has been cut short: it has 0 bytes"),
    "removed": (remove, "file_missing", "is missing; restore it from a copy"),
    "replaced": (put_another_there, "file_altered", "is not the file that was written there: it is artifacts/"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_bulk_file_is_named_with_what_became_of_it(folder: Path, namespace: Path, damage: str) -> None:
    _, second, _, fourth, *_ = artifacts(namespace)
    act, code, message = DAMAGE[damage]
    act(second, fourth)
    report = localreg.open(folder, read_only=True).verify()
    (problem,) = report.problems
    assert (problem.path, problem.code) == (path_of(second, namespace), code)
    assert problem.message.startswith(f"{problem.path} {message}")
    assert problem.message in str(report)
    assert not report.ok


def test_two_swapped_bulk_files_are_both_named_with_each_other(folder: Path, namespace: Path) -> None:
    first, second, *_ = artifacts(namespace)
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    problems = localreg.open(folder, read_only=True).verify().problems
    found = {problem.path: problem.message for problem in problems}
    assert found.keys() == {path_of(first, namespace), path_of(second, namespace)}
    assert f"it is {path_of(second, namespace)}" in found[path_of(first, namespace)]
    assert f"it is {path_of(first, namespace)}" in found[path_of(second, namespace)]


def test_entries_in_another_order_are_named(folder: Path, namespace: Path) -> None:
    """Each of them is whole, and by a log of its own even renumbered: the chain is what tells."""
    contents = {number: (namespace / entry_path(number)).read_bytes() for number in (3, 4, 5)}
    for number, other in ((3, 5), (4, 3), (5, 4)):
        (namespace / entry_path(number)).write_bytes(contents[other])
    assert {(entry_path(number), "entry_swapped") for number in (3, 4, 5)} <= set(told(folder))


def test_damage_of_all_kinds_is_told_in_the_order_of_the_log(folder: Path, namespace: Path) -> None:
    found = artifacts(namespace)
    for file in (found[4], found[0], found[2]):
        file.unlink()
    (namespace / entry_path(2)).unlink()
    assert told(folder) == [
        (entry_path(2), "entry_missing"),
        *((path_of(found[place], namespace), "file_missing") for place in (0, 2, 4)),
    ]


def forge(namespace: Path, commit: int, registry_id: str) -> None:
    """Write history anew from a commit on, every digest right: who may write the folder can do that."""
    previous = rows_of(namespace, commit - 1)[-1].digest if commit > 1 else genesis(registry_id, "default").digest
    number = commit
    while (namespace / entry_path(number)).exists():
        rows = []
        for row in rows_of(namespace, number):
            old = f'"previous":"{row.record.partition(chr(34) + "previous" + chr(34) + ":" + chr(34))[2][:64]}"'
            record = row.record.replace(old, f'"previous":"{previous}"').replace('"actor":"ana"', '"actor":"eve"')
            previous = chain(previous, record)
            rows.append(row._replace(record=record, digest=previous))
        (namespace / entry_path(number)).write_bytes(encode(rows))
        number += 1


def test_a_chain_that_was_computed_anew_is_told_by_a_digest_and_by_who_saw_the_other(
    folder: Path, namespace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = localreg.open(folder)
    digest, commit = registry.verify().digest, registry.commit
    registry.close()
    shutil.rmtree(namespace / "snapshots", ignore_errors=True)
    shutil.rmtree(namespace / "history", ignore_errors=True)
    forge(namespace, 4, registry.id)
    assert told(folder) == [(entry_path(commit), "entry_swapped")], "this machine saw the other"
    monkeypatch.setenv("LOCALREG_STATE", str(tmp_path / "another machine"))
    assert told(folder) == [], "the folder alone does not show it"
    assert told(folder, expect=digest) == [("log", "digest_unknown")]
    early = rows_of(namespace, 3)[-1].digest
    report = localreg.open(folder, read_only=True).verify(expect=early)
    assert report.ok
    assert report.expected == (3, len(rows_of(namespace, 3)))


# --- since, expect ----------------------------------------------------------------------------------------------------


def test_since_looks_only_at_what_came_after(folder: Path, namespace: Path) -> None:
    registry = localreg.open(folder, read_only=True)
    whole = registry.verify()
    files = artifacts(namespace)
    commit = registry.commit - 4
    report = registry.verify(since=commit)
    assert (report.since, report.commits, report.digest) == (commit, 4, whole.digest)
    assert 0 < report.files < whole.files
    assert f"4 commits after commit {commit}" in str(report)
    files[0].unlink()
    (namespace / entry_path(2)).unlink()
    assert registry.verify(since=commit).ok
    files[-1].unlink()
    assert told(folder, since=commit) == [(path_of(files[-1], namespace), "file_missing")]


def test_since_takes_a_time(folder: Path) -> None:
    registry = localreg.open(folder, read_only=True)
    assert registry.verify(since=datetime.now(UTC)).commits == 0
    assert registry.verify(since="2000-01-01T00:00:00Z").commits == registry.commit
    assert registry.verify(since=registry.commit).digest == registry.verify().digest


def test_the_entry_after_since_must_chain_on_it(folder: Path, namespace: Path) -> None:
    rows = rows_of(namespace, 5)
    forged = [row._replace(digest="0" * 64) for row in rows]
    (namespace / entry_path(5)).write_bytes(encode(forged))
    assert (entry_path(6), "entry_swapped") in told(folder, since=5)


@pytest.mark.parametrize(("content", "code"), [(None, "entry_missing"), (b"x", "entry_torn")])
def test_a_start_that_is_lost_is_a_problem(folder: Path, namespace: Path, content: bytes | None, code: str) -> None:
    path = namespace / entry_path(5)
    path.unlink() if content is None else path.write_bytes(content)
    assert (entry_path(5), code) in told(folder, since=5)


def test_a_start_beyond_the_end_tells_where_the_log_ends(folder: Path) -> None:
    registry = localreg.open(folder, read_only=True)
    (problem,) = registry.verify(since=99).problems
    assert problem.code == "entry_missing"
    assert f"the log ends at commit {registry.commit}" in problem.message


def test_a_digest_of_any_event_may_be_expected(folder: Path, namespace: Path) -> None:
    registry = localreg.open(folder, read_only=True)
    for commit in (1, registry.commit):
        for place, row in enumerate(rows_of(namespace, commit), 1):
            report = registry.verify(expect=row.digest)
            assert (report.ok, report.expected) == (True, (commit, place))
            assert f"that of commit {commit}, event {place}" in str(report)
    start = rows_of(namespace, 5)
    assert registry.verify(since=5, expect=start[-1].digest).expected == (5, len(start))
    before = registry.verify(since=5, expect=rows_of(namespace, 4)[0].digest)
    assert (before.ok, before.expected) == (True, (4, 1)), "the log has it, though what came before is not checked"
    assert [each.code for each in registry.verify(since=5, expect="0" * 64).problems] == ["digest_unknown"]


@pytest.mark.parametrize("digest", ["", "abc", "G" * 64, "0" * 63, "0" * 65, 17, b"0" * 64])
def test_a_digest_that_is_none_is_refused(folder: Path, digest: object) -> None:
    with pytest.raises(InvalidInputError, match="give a digest of 64 hexadecimal digits"):
        localreg.open(folder).verify(expect=digest)  # type: ignore[arg-type]


# --- stopped and resumed ----------------------------------------------------------------------------------------------


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The bulk files that are read, in order, one after another."""
    monkeypatch.setattr(files, "AT_ONCE_NEAR", 1)
    paths: list[str] = []
    inner = files._Work._size_and_digest

    def counted(work: files._Work, path: str, file: Path) -> tuple[int, str]:
        paths.append(path)
        return inner(work, path, file)

    monkeypatch.setattr(files._Work, "_size_and_digest", counted)
    return paths


def stop_after(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the next check stopped, as by Ctrl-C, once it has looked at so many files."""
    inner = files.check_files

    def stopped(*args: object, **options: object) -> Iterator[files.Checked]:
        for number, checked in enumerate(inner(*args, **options)):  # type: ignore[arg-type]
            if number == count:
                raise KeyboardInterrupt
            yield checked

    monkeypatch.setattr("localreg.log.verify.check_files", stopped)
    monkeypatch.setattr(files, "AHEAD", 0)


def test_a_stopped_check_goes_on_where_it_was(
    folder: Path, namespace: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = localreg.open(folder, read_only=True)
    found = artifacts(namespace)
    found[0].write_bytes(b"damaged")
    with monkeypatch.context() as patch:
        stop_after(3, patch)
        with pytest.raises(KeyboardInterrupt):
            registry.verify()
    sound = read[1:]
    assert len(sound) >= 2
    read.clear()
    report = registry.verify(resume=True)
    assert not set(sound) & set(read), "not read again"
    assert path_of(found[0], namespace) in read, "what was damaged is told again"
    assert [(each.path, each.code) for each in report.problems] == [(path_of(found[0], namespace), "file_altered")]
    assert (report.files, report.resumed) == (MODELS, len(sound))
    assert f"({len(sound)} of them known from the run before)" in str(report)
    read.clear()
    assert registry.verify(resume=True).resumed == 0, "that one was complete"
    assert len(read) == MODELS


@pytest.mark.parametrize("damage", ["altered", "cut short", "replaced", "removed"])
def test_a_file_that_changed_since_it_was_found_sound_is_read_again(
    folder: Path, namespace: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = localreg.open(folder, read_only=True)
    found = artifacts(namespace)
    with monkeypatch.context() as patch:
        stop_after(4, patch)
        with pytest.raises(KeyboardInterrupt):
            registry.verify()
    status = found[1].stat()
    DAMAGE[damage][0](found[1], found[3])
    if found[1].exists():
        os.utime(found[1], ns=(status.st_atime_ns, status.st_mtime_ns))
    assert told(folder, resume=True) == [(path_of(found[1], namespace), DAMAGE[damage][1])]


def test_a_check_without_resume_begins_anew(folder: Path, read: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    registry = localreg.open(folder, read_only=True)
    with monkeypatch.context() as patch:
        stop_after(3, patch)
        with pytest.raises(KeyboardInterrupt):
            registry.verify()
    read.clear()
    report = registry.verify()
    assert (report.resumed, len(read)) == (0, MODELS)


def test_notes_that_are_torn_or_of_something_else_are_passed_over(
    folder: Path, tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALREG_STATE", str(tmp_path / "state"))
    registry = localreg.open(folder, read_only=True)
    with monkeypatch.context() as patch:
        stop_after(3, patch)
        with pytest.raises(KeyboardInterrupt):
            registry.verify()
    (note,) = (tmp_path / "state/notes/verify").iterdir()
    first, *rest = note.read_bytes().splitlines(keepends=True)
    junk = [b"\xff\n", b"[]\n", b"{}\n", b'[1,"x",2]\n', b'["p",3,4]\n', b"null\n", b'["artifacts/x","y"]\n']
    note.write_bytes(b"".join([*junk, first, *(line[:-9] for line in rest[:1])]))
    report = registry.verify(resume=True)
    assert (report.ok, report.resumed) == (True, 1)
    assert list((tmp_path / "state/notes/verify").iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="has a file without end")
def test_who_has_had_enough_does_not_wait_for_the_end_of_a_large_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = localreg.open(folder, read_only=True)._session.store
    first, second = (FilePointer(path, "t", "o", 0, 0, sha256_hex(b""), {}) for path in ("artifacts/1", "artifacts/2"))
    begun = threading.Event()

    def advance(_: int) -> None:
        begun.set()

    def local_file(_: LocalStore, path: str, *, fresh: bool = False) -> Path:
        return Path("/dev/null" if path == first.path else "/dev/zero")

    monkeypatch.setattr(LocalStore, "local_file", local_file)
    monkeypatch.setattr(files, "AHEAD", 1)
    checking = files.check_files(
        store, {each.path: each for each in (first, second)}, Sound(store, "", resume=False), advance=advance
    )
    assert next(iter(checking)).problem is None
    assert begun.wait(60)
    checking.close()  # type: ignore[attr-defined]
    assert [each for each in threading.enumerate() if each.name.startswith("localreg-verify")] == []


def test_a_remote_registry_is_checked_several_files_at_once_and_resumed(
    s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = s3.bucket()
    uri, access = f"s3://{bucket}/reg", options(s3.endpoint)
    with localreg.open(uri, storage_options=access) as registry:
        for number in range(3):
            (tmp_path / "file").write_bytes(b"%d" % number * 100)
            registry.create_model(f"m{number}").create_version("1").upload(tmp_path / "file")
        whole = registry.verify()
        assert (whole.ok, whole.files) == (True, 3)
        with monkeypatch.context() as patch:
            stop_after(1, patch)
            with pytest.raises(KeyboardInterrupt):
                registry.verify()
        again = registry.verify(resume=True)
        assert (again.ok, again.files) == (True, 3)
        assert again.resumed >= 1
        listed = s3.client.list_objects_v2(Bucket=bucket, Prefix="reg/namespaces/default/artifacts/")["Contents"]
        s3.client.delete_object(Bucket=bucket, Key=listed[0]["Key"])
        s3.client.put_object(Bucket=bucket, Key=listed[1]["Key"], Body=b"x" * 100)
        assert sorted(each.code for each in registry.verify().problems) == ["file_altered", "file_missing"]


# --- problems of reading ----------------------------------------------------------------------------------------------


def test_an_entry_that_cannot_be_read_is_a_problem_and_the_rest_is_looked_at(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = localreg.open(folder, read_only=True)
    assert registry.commit
    get = LocalStore.get

    def failing(store: LocalStore, path: str, *, fresh: bool = False) -> bytes | None:
        if path == entry_path(3):
            raise StorageError(f"{path} cannot be read", code="file_unreadable")
        return get(store, path, fresh=fresh)

    monkeypatch.setattr(LocalStore, "get", failing)
    report = registry.verify()
    assert report.problems == [Problem(entry_path(3), "file_unreadable", f"{entry_path(3)} cannot be read")]
    assert report.commits == registry.commit - 1


def test_a_condemned_file_is_not_expected(folder: Path, namespace: Path) -> None:
    from localreg.log import Change, Provenance

    file = artifacts(namespace)[0]
    registry = localreg.open(folder)
    session = registry._session
    pointers = tuple(
        FilePointer.from_json(row.fields)
        for row in session.state().rows("file")
        if row.name == path_of(file, namespace)
    )
    change = Change("namespace", "condemn", "x", "default", files=pointers)
    assert session.log.publish(session.state().head, [change], Provenance("gc", "host"), new_id())
    file.unlink()
    report = localreg.open(folder).verify()
    assert (report.ok, report.files) == (True, MODELS - 1)


def test_a_registry_of_nothing_is_sound(tmp_path: Path) -> None:
    registry: Registry = localreg.open(tmp_path / "empty")
    report = registry.verify(resume=True)
    assert (report.ok, report.commits, report.files, report.digest) == (True, 0, 0, "")


@pytest.mark.parametrize("garbage", [b"no entry", b""])
def test_a_check_since_a_void_entry_begins_where_the_log_stood(tmp_path: Path, garbage: bytes) -> None:
    with signed_registry(tmp_path) as registry:
        log = LogFolder(registry)
        void = log.last + 1
        log.write(void, garbage or log.forged(None, after=log.last, number=void))
        registry.create_model("n")
        registry.create_model("o")
        for since in range(registry.commit + 1):
            report = registry.verify(since=since)
            assert report.ok, (since, report.problems)
            assert report.digest == registry.verify().digest
