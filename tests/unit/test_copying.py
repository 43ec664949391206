"""Copies of namespaces: mirrors, imports, and folders that somebody copied by hand."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import localreg
from localreg import (
    AccessDeniedError,
    ConflictError,
    FormatError,
    IntegrityError,
    InvalidInputError,
    NotFoundError,
    ReadOnlyError,
    Registry,
)
from localreg.copies import moving
from localreg.log import features
from localreg.log.entry import entry_path
from localreg.log.parquet import decode, encode
from tests.compat.independent_reader import Namespace
from tests.crash.scenarios import short_spans, upload_and_run, view


@pytest.fixture
def source(tmp_path: Path) -> Registry:
    """Models, an artifact, a test suite and inferences; a long enough log for snapshots."""
    registry = localreg.open(tmp_path / "source", actor="ana")
    registry.create_model("yolor", metadata={"lr": 0.1}).upload(b"weights", name="weights")
    for step in upload_and_run():
        step(registry)
    return registry


def entries(registry: Registry) -> list[bytes | None]:
    store = registry._session.store
    return [store.get(entry_path(number)) for number in range(1, registry.commit + 1)]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def seen(registry: Registry) -> list[str]:
    """What there is, but for where it says that it lies."""
    return [line for line in view(registry._session.state()) if not line.startswith(("namespace", "feature"))]


# --- mirrors ----------------------------------------------------------------------------------------------------------


def test_a_mirror_has_the_id_the_entries_and_the_files_of_the_original(source: Registry, tmp_path: Path) -> None:
    report = source.copy(tmp_path / "mirror")
    mirror = localreg.open(tmp_path / "mirror", actor="ben")
    assert mirror.id == source.id
    assert (report.commit, report.commits, report.imported) == (source.commit, source.commit, None)
    assert entries(mirror) == entries(source)
    assert seen(mirror) == seen(source)
    verified = mirror.verify()
    assert verified.ok, verified
    assert verified.digest == report.digest == source.verify().digest
    assert verified.files == report.files == source.verify().files


def test_a_second_copy_brings_only_what_is_new(source: Registry, tmp_path: Path) -> None:
    source.copy(tmp_path / "mirror")
    before = files(tmp_path / "mirror")
    again = source.copy(tmp_path / "mirror")
    assert (again.commits, again.files, again.bytes) == (0, 0, 0)
    assert files(tmp_path / "mirror") == before
    source.get_model("yolor").upload(b"more", name="more")
    more = source.copy(tmp_path / "mirror")
    assert (more.commits, more.files, more.bytes) == (1, 1, 4)
    assert entries(localreg.open(tmp_path / "mirror")) == entries(source)


def test_a_dry_run_says_what_a_copy_does_and_does_nothing(source: Registry, tmp_path: Path) -> None:
    told = source.copy(tmp_path / "mirror", dry_run=True)
    assert not (tmp_path / "mirror").exists()
    done = source.copy(tmp_path / "mirror")
    assert (told.commits, told.files, told.bytes) == (done.commits, done.files, done.bytes)
    assert told.dry_run
    assert str(told).startswith("would copy")
    source.create_model("new")
    before = files(tmp_path / "mirror")
    assert source.copy(tmp_path / "mirror", dry_run=True).commits == 1
    assert files(tmp_path / "mirror") == before


def test_a_mirror_that_was_written_to_is_refused_and_left_as_it_is(source: Registry, tmp_path: Path) -> None:
    source.copy(tmp_path / "mirror")
    localreg.open(tmp_path / "mirror").create_model("own")
    assert "1 more commits of its own" in str(source.copy(tmp_path / "mirror"))
    source.create_model("other")
    before = files(tmp_path / "mirror")
    differs = source.commit
    with pytest.raises(ConflictError, match=f"differ from commit {differs} on") as raised:
        source.copy(tmp_path / "mirror")
    assert raised.value.code == "diverged"
    assert files(tmp_path / "mirror") == before


def test_where_two_logs_part_is_found_in_a_long_log(tmp_path: Path) -> None:
    source = localreg.open(tmp_path / "source")
    for number in range(20):
        source.create_model(f"model {number}")
    source.at(commit=7).copy(tmp_path / "mirror")
    mirror = localreg.open(tmp_path / "mirror")
    assert mirror.commit == 7
    for number in range(9):
        mirror.create_model(f"own {number}")
    with pytest.raises(ConflictError, match="differ from commit 8 on"):
        source.copy(tmp_path / "mirror")


def test_an_earlier_commit_is_copied_with_its_files_and_goes_on_later(source: Registry, tmp_path: Path) -> None:
    report = source.at(commit=2).copy(tmp_path / "mirror")
    assert (report.commit, report.files) == (2, 1)
    mirror = localreg.open(tmp_path / "mirror")
    assert mirror.verify().ok
    assert [model.name for model in map(mirror.get_model, ("yolor",))] == ["yolor"]
    source.copy(tmp_path / "mirror")
    assert entries(mirror) == entries(source)
    assert source.at(commit=2).copy(tmp_path / "mirror").ahead == source.commit - 2


def test_what_was_redacted_since_the_last_copy_is_emptied_in_the_copy(source: Registry, tmp_path: Path) -> None:
    model = source.create_model("leaky", metadata={"key": "s3cr3t"})
    source.snapshot()
    source.copy(tmp_path / "mirror")
    assert any(b"s3cr3t" in data for data in files(tmp_path / "mirror").values())
    model.update(unset=["key"])
    source.redact(model, reason="slipped in")
    source.copy(tmp_path / "mirror")
    assert not [path for path, data in files(tmp_path / "mirror").items() if b"s3cr3t" in data]
    assert entries(localreg.open(tmp_path / "mirror")) == entries(source)
    assert localreg.open(tmp_path / "mirror").verify().ok


def test_what_is_redacted_while_it_is_copied_is_redacted_in_the_copy(
    source: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = source.create_model("leaky", metadata={"key": "s3cr3t"})
    model.update(unset=["key"])
    original, redacting = moving.put_entry, localreg.open(source.uri, actor="ben")

    def put_beside_one_who_redacts(*args: object) -> None:
        if args[1] == 1:
            redacting.redact(redacting.get_model("leaky"), reason="slipped in")
        original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr("localreg.copies.namespace.put_entry", put_beside_one_who_redacts)
    before = source.commit
    report = source.copy(tmp_path / "mirror")
    assert report.commit == source.commit > before
    assert localreg.open(tmp_path / "mirror").verify().ok
    assert not [path for path, data in files(tmp_path / "mirror").items() if b"s3cr3t" in data]


def test_an_earlier_commit_of_which_something_was_redacted_is_not_copied_any_more(
    source: Registry, tmp_path: Path
) -> None:
    model = source.create_model("leaky", metadata={"key": "s3cr3t"})
    earlier, before = source.at(commit=source.commit), source.commit
    model.update(unset=["key"])
    source.redact(model, reason="slipped in")
    redaction = source.commit
    with pytest.raises(ConflictError, match=f"commit {redaction} redacted what commit {before} said") as raised:
        earlier.copy(tmp_path / "mirror")
    assert raised.value.code == "redacted_since"
    assert source.at(commit=redaction).copy(tmp_path / "mirror").commit == redaction
    assert localreg.open(tmp_path / "mirror").verify().ok
    assert source.at(commit=before - 1).copy(tmp_path / "other").commit == before - 1


def test_an_event_that_lost_its_content_in_the_original_does_so_in_the_copy(source: Registry, tmp_path: Path) -> None:
    source.create_model("more")
    path = tmp_path / "source/namespaces/default" / entry_path(2)
    rows = decode(path.read_bytes(), name="x")
    path.write_bytes(encode([row._replace(payload="") for row in rows]))
    assert not source.verify().ok
    assert source.copy(tmp_path / "mirror").commit == source.commit


def test_a_copy_into_the_registry_itself_is_refused(source: Registry, tmp_path: Path) -> None:
    before = files(tmp_path)
    for dry_run in (False, True):
        with pytest.raises(InvalidInputError, match="lies within"):
            source.copy(f"{source.uri}/backup", dry_run=dry_run)
    with pytest.raises(NotFoundError, match="no test suite"):
        source.copy_suite("none", tmp_path / "new")
    assert files(tmp_path) == before


def test_a_copy_of_a_registry_that_is_written_to_shows_one_commit(
    source: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, writers = moving.copy_file, localreg.open(source.uri, actor="ben")

    def copy_beside_a_writer(*args: object) -> bool:
        writers.create_model(f"beside {writers.commit}").upload(b"late", name="late")
        return original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr("localreg.copies.namespace.copy_file", copy_beside_a_writer)
    before = source.commit
    report = source.copy(tmp_path / "mirror")
    mirror = localreg.open(tmp_path / "mirror")
    assert report.commit == mirror.commit == before < source.commit
    assert mirror.verify().ok
    assert seen(mirror) == seen(source.at(commit=before))


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"other"), lambda path: path.unlink()])
def test_a_damaged_file_is_told_and_no_entry_that_names_it_is_copied(
    source: Registry, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    source.at(commit=1).copy(tmp_path / "mirror")
    (artifact,) = (tmp_path / "source/namespaces/default/artifacts").rglob("*-*")
    damage(artifact)
    with pytest.raises(IntegrityError, match=artifact.name):
        source.copy(tmp_path / "mirror")
    mirror = localreg.open(tmp_path / "mirror")
    assert mirror.commit == 1
    assert mirror.verify().ok
    assert not list((tmp_path / "mirror").rglob(artifact.name))


def test_a_damaged_entry_is_told_and_ends_the_copy_before_it(source: Registry, tmp_path: Path) -> None:
    path = tmp_path / "source/namespaces/default" / entry_path(3)
    path.write_bytes(path.read_bytes().replace(b"case", b"CASE"))
    with pytest.raises(IntegrityError, match=r"00003\.parquet"):
        source.frozen().copy(tmp_path / "mirror")
    assert not (tmp_path / "mirror").exists() or localreg.open(tmp_path / "mirror").verify().ok


def test_a_file_that_is_there_is_believed_only_by_its_digest(source: Registry, tmp_path: Path) -> None:
    source.at(commit=1).copy(tmp_path / "mirror")
    (artifact,) = (tmp_path / "source/namespaces/default/artifacts").rglob("*-*")
    half = tmp_path / "mirror" / artifact.relative_to(tmp_path / "source")
    half.parent.mkdir(parents=True)
    half.write_bytes(b"\0" * len(artifact.read_bytes()))  # as a power cut leaves it
    source.copy(tmp_path / "mirror")
    assert localreg.open(tmp_path / "mirror").verify().ok


def test_files_that_a_log_names_elsewhere_are_not_written(source: Registry, tmp_path: Path) -> None:
    from localreg.log import Change
    from localreg.records.files import FilePointer

    pointer = FilePointer("log/00000000000000000099.parquet", "artifacts", "o", 0, 1, "0" * 64)
    session = source._session
    session.change(lambda changes: changes.make(Change("model", "upload", "m" * 32, "m", files=(pointer,))))
    with pytest.raises(FormatError, match="outside of data/ and artifacts/"):
        source.copy(tmp_path / "mirror")


def test_what_the_original_gave_up_is_deleted_in_the_mirror_without_a_commit(source: Registry, tmp_path: Path) -> None:
    model = source.create_model("old")
    model.upload(b"old weights", name="weights")
    source.copy(tmp_path / "mirror")
    model.delete()
    source.retain(deleted="0s", dry_run=False)
    source.copy(tmp_path / "mirror")
    mirror = localreg.open(tmp_path / "mirror")
    assert b"old weights" in files(tmp_path / "mirror").values()
    commit = mirror.commit
    mirror.gc(grace="0s", dry_run=False)
    assert b"old weights" not in files(tmp_path / "mirror").values()
    assert mirror.commit == commit
    source.create_model("next")
    assert source.copy(tmp_path / "mirror").commits == 1
    assert mirror.verify().ok


def test_garbage_that_is_collected_in_a_mirror_beside_a_copy_ends_it(
    source: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.copy(tmp_path / "mirror")
    source.get_model("yolor").upload(b"more", name="more")
    mirror = localreg.open(tmp_path / "mirror", actor="ben")
    original = moving.put_entry

    def put_beside_a_collector(*args: object) -> None:
        for _ in range(2):  # the file that the entry will name is there, and looks like one that a dead copy left
            mirror.gc(grace="0s", dry_run=False)
        original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr("localreg.copies.namespace.put_entry", put_beside_a_collector)
    commit = mirror.commit
    with pytest.raises(ConflictError) as raised:
        source.copy(tmp_path / "mirror")
    assert raised.value.code == "diverged"
    assert mirror.commit == commit + 1
    assert mirror.verify().ok


def test_a_file_given_up_meanwhile_lets_the_copy_begin_anew(
    source: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from localreg.log import Change

    original, given_up = moving.copy_file, list[str]()

    def copy_beside_a_collector(*args: object) -> bool:
        if not given_up:
            pointer = args[2]
            row = source._session.state().get("file", pointer.path)  # type: ignore[attr-defined]
            assert row is not None
            given_up.append(row.name)
            condemn = Change("namespace", "condemn", row.id, row.name, files=(pointer,))  # type: ignore[arg-type]
            session = source._session
            log, state = session.log, session.state()
            from localreg.log import Provenance
            from localreg.names import new_id

            assert log.publish(state.head, [condemn], Provenance("gc", "here"), new_id())
            session.store.delete(row.name)
        return original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr("localreg.copies.namespace.copy_file", copy_beside_a_collector)
    report = source.copy(tmp_path / "mirror")
    assert given_up
    assert report.commit == source.commit
    assert localreg.open(tmp_path / "mirror").verify().ok


# --- imports ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def other(tmp_path: Path) -> Registry:
    """Another registry, in which something is already."""
    registry = localreg.open(tmp_path / "other", actor="ben")
    registry.create_model("own")
    return registry


def assert_at_work(registry: Registry, original: Registry, upto: int) -> None:
    """All that can be done with a namespace can be done with an imported one."""
    assert registry.verify().ok
    assert seen(registry) == seen(original)
    assert (
        registry.sql("SELECT count(*) AS n FROM inferences").dicts()
        == original.sql("SELECT count(*) AS n FROM inferences").dicts()
    )
    assert seen(registry.at(commit=upto)) == seen(original.at(commit=upto))
    assert [row["digest"] for row in registry.audit()][: len(list(original.audit()))] == [
        row["digest"] for row in original.audit()
    ]
    past = [row["digest"] for row in registry.at(commit=upto).audit()]
    assert past == [row["digest"] for row in original.at(commit=upto).audit()]
    registry.create_model("written here")
    assert registry.snapshot() == registry.commit
    again = localreg.open(registry.uri, namespace=registry.namespace_name, actor="eve")
    assert again.get_model("written here")
    assert again._session.log.snapshot() is not None, "its snapshots are its own"
    assert again.diff(upto).created
    assert next(again.watch(again.commit - 1, timeout=0)).name == "written here"
    assert again.verify().ok
    own = [problem for problem in again.doctor().problems if problem.what.startswith(f"{again.namespace_name}:")]
    assert own == []
    assert Namespace(Path(again.uri), again.namespace_name).digest == again.verify().digest


def test_an_import_keeps_its_chain_and_is_at_work_in_another_registry(
    source: Registry, other: Registry, tmp_path: Path
) -> None:
    report = source.copy(other, name="team/copied", message="from the old share")
    copied = other.namespace("team/copied")
    assert report.imported == source.commit + 2
    assert entries(copied)[: source.commit] == entries(source)
    assert copied.id == other.id
    with short_spans():
        assert_at_work(copied, source, source.commit)
    by_commit = {row["commit"]: row for row in copied.audit()}
    feature, imported = by_commit[source.commit + 1], by_commit[source.commit + 2]
    assert (feature["kind"], feature["name"], feature["after"]["needed_by"]) == ("feature", "imported", "readers")
    assert (imported["action"], imported["name"], imported["after"]["registry"]) == ("import", "team/copied", other.id)
    assert imported["message"] == "from the old share"
    assert imported["details"] == {"from": "default", "from_registry": source.id}
    assert other.all().models(where="name = 'yolor'").dicts()[0]["namespace"] == "team/copied"


def test_an_import_under_another_name_of_the_same_registry(source: Registry) -> None:
    source.copy(source, name="second")
    assert_at_work(source.namespace("second"), source, source.commit)


def test_an_import_of_an_import_says_only_where_it_lies_now(source: Registry, other: Registry, tmp_path: Path) -> None:
    source.copy(other, name="copied")
    copied = other.namespace("copied")
    third = localreg.open(tmp_path / "third")
    report = copied.copy(third, name="again")
    assert report.imported == copied.commit + 1
    assert_at_work(third.namespace("again"), copied, copied.commit)


def test_a_mirror_of_an_import_goes_on_with_it(source: Registry, other: Registry, tmp_path: Path) -> None:
    source.copy(other, name="copied")
    copied = other.namespace("copied")
    assert copied.copy(tmp_path / "mirror").imported is None
    copied.create_model("later")
    assert copied.copy(tmp_path / "mirror").commits == 1
    assert_at_work(localreg.open(tmp_path / "mirror", namespace="copied"), copied, copied.commit)


def test_an_import_again_is_nothing_or_a_refusal_once_the_original_has_gone_on(
    source: Registry, other: Registry
) -> None:
    first = source.copy(other, name="copied")
    again = source.copy(other, name="copied")
    assert (again.commits, again.imported, again.ahead) == (0, first.imported, 0)
    other.namespace("copied").create_model("own")
    assert source.copy(other, name="copied").ahead == 1
    source.create_model("later")
    with pytest.raises(ConflictError, match=r"1 more commits\. Copy it under another name"):
        source.copy(other, name="copied")
    assert source.copy(other, name="copied-too").imported


def test_a_name_that_is_taken_is_refused(source: Registry, other: Registry) -> None:
    with pytest.raises(ConflictError, match="differ from commit 1 on"):
        source.copy(other)
    assert [row["name"] for row in other.models()] == ["own"]


def test_an_import_back_home_lies_where_it_does_not_belong(source: Registry, other: Registry, tmp_path: Path) -> None:
    """Its chain fits, since it began there; but what it says of itself since does not."""
    source.copy(other, name="copied")
    shutil.rmtree(tmp_path / "source/namespaces/default")
    shutil.copytree(tmp_path / "other/namespaces/copied", tmp_path / "source/namespaces/default")
    home = localreg.open(tmp_path / "source")
    with pytest.raises(IntegrityError, match="namespace 'copied' of registry") as raised:
        home.models().dicts()
    assert raised.value.code == "entry_swapped"
    assert [problem.code for problem in home.verify().problems] == ["entry_swapped"]


def test_an_older_release_stays_away_from_an_import(
    source: Registry, other: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.copy(other, name="copied")
    monkeypatch.setattr(features, "KNOWN", frozenset())
    with pytest.raises(FormatError, match="uses imported, which readers must know"):
        localreg.open(other.uri, namespace="copied").models().dicts()


def test_a_copy_needs_a_readers_role_and_keeps_the_grants(source: Registry, other: Registry, tmp_path: Path) -> None:
    source.grant("ben", "reader")
    with pytest.raises(AccessDeniedError):
        localreg.open(source.uri, actor="eve")
    localreg.open(source.uri, actor="ben").copy(other, name="copied")
    with pytest.raises(AccessDeniedError):
        localreg.open(other.uri, namespace="copied", actor="ben").create_model("x")
    assert localreg.open(other.uri, namespace="copied", actor="ana").create_model("x")


def test_an_undo_does_not_take_an_import_back(source: Registry, other: Registry) -> None:
    source.copy(other, name="copied")
    copied = other.namespace("copied")
    for commit in (copied.commit - 1, copied.commit):
        with pytest.raises(InvalidInputError, match="holds for other programs"):
            copied.undo(commit)


def test_a_redaction_leaves_an_import_where_it_lies(source: Registry, other: Registry) -> None:
    source.copy(other, name="copied", message="secret")
    copied = other.namespace("copied")
    copied.redact(commit=1, event=2, reason="what it was called")
    copied.redact(commit=source.commit + 2, reason="its message")
    again = localreg.open(other.uri, namespace="copied")
    assert again.verify().ok
    assert len(list(again.models())) == len(list(source.models()))


def test_a_reader_that_was_there_first_sees_an_import_come(source: Registry, other: Registry) -> None:
    waiting = localreg.open(other.uri, namespace="copied")
    assert waiting.commit == 0
    source.copy(other, name="copied")
    assert waiting.commit == source.commit + 2


# --- folders that were copied by hand ---------------------------------------------------------------------------------


def test_a_folder_that_was_copied_by_hand_is_refused_until_it_is_imported(
    source: Registry, other: Registry, tmp_path: Path
) -> None:
    shutil.copytree(tmp_path / "source/namespaces/default", tmp_path / "other/namespaces/team.copied")
    with pytest.raises(IntegrityError, match="localreg namespaces import team/copied"):
        other.namespace("team/copied").models().dicts()
    report = other.import_namespace("team/copied")
    assert (report.former_name, report.former_registry, report.commit) == ("default", source.id, source.commit)
    assert f"imported namespace 'default' of registry {source.id}" in str(report)
    assert_at_work(other.namespace("team/copied"), source, source.commit)
    assert other.import_namespace("team/copied").imported is None


def test_a_folder_that_lies_elsewhere_is_copied_in(source: Registry, other: Registry, tmp_path: Path) -> None:
    folder = shutil.copytree(tmp_path / "source/namespaces/default", tmp_path / "handed.over")
    report = other.import_namespace(folder)
    assert (report.name, report.former_registry) == ("handed/over", source.id)
    assert_at_work(other.namespace("handed/over"), source, source.commit)
    other.import_namespace(tmp_path / "source/namespaces/default", name="direct")
    assert_at_work(other.namespace("direct"), source, source.commit)


def test_a_folder_within_the_registry_is_imported_under_another_name_by_a_copy(
    source: Registry, other: Registry, tmp_path: Path
) -> None:
    shutil.copytree(tmp_path / "source/namespaces/default", tmp_path / "other/namespaces/raw")
    other.import_namespace(tmp_path / "other/namespaces/raw", name="good")
    assert_at_work(other.namespace("good"), source, source.commit)


def test_a_folder_that_was_copied_in_part_is_not_imported(source: Registry, other: Registry, tmp_path: Path) -> None:
    raw = tmp_path / "other/namespaces/raw"
    shutil.copytree(tmp_path / "source/namespaces/default", raw)
    (artifact,) = (raw / "artifacts").rglob("*-*")
    artifact.unlink()
    before = files(raw)
    with pytest.raises(IntegrityError, match="copied only in part"):
        other.import_namespace("raw")
    assert files(raw) == before


def test_a_folder_whose_chain_does_not_hold_is_not_imported(source: Registry, other: Registry, tmp_path: Path) -> None:
    raw = tmp_path / "other/namespaces/raw"
    shutil.copytree(tmp_path / "source/namespaces/default", raw)
    path = raw / entry_path(3)
    path.write_bytes(path.read_bytes().replace(b"case", b"CASE"))
    before = files(raw)
    with pytest.raises(IntegrityError, match="altered"):
        other.import_namespace("raw")
    assert files(raw) == before
    assert other.namespace("raw").verify().problems


def test_a_damaged_import_is_verified_as_what_it_is(source: Registry, other: Registry, tmp_path: Path) -> None:
    source.copy(other, name="copied")
    path = tmp_path / "other/namespaces/copied" / entry_path(3)
    path.write_bytes(path.read_bytes().replace(b"case", b"CASE"))
    shutil.rmtree(tmp_path / "other/namespaces/copied/snapshots")
    problems = localreg.open(other.uri, namespace="copied").verify().problems
    assert [(problem.path, problem.code) for problem in problems] == [(entry_path(3), "entry_altered")]


# --- what cannot be ---------------------------------------------------------------------------------------------------


def test_what_cannot_be_copied_is_refused(source: Registry, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="is what is to be copied"):
        source.copy(source.uri)
    with pytest.raises(NotFoundError, match="nothing was committed"):
        source.namespace("empty").copy(tmp_path / "mirror")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign/file").write_text("x")
    with pytest.raises(FormatError, match="not a registry"):
        source.copy(tmp_path / "foreign")
    with pytest.raises(InvalidInputError, match="target is empty"):
        source.copy(" ")
    with pytest.raises(ReadOnlyError):
        source.copy(localreg.open(source.uri, read_only=True), name="x")
    with pytest.raises(NotFoundError, match="holds no log"):
        source.import_namespace("nothing")


def test_a_copy_mends_what_the_place_has_lost_since(tmp_path: Path) -> None:
    registry = localreg.open(tmp_path / "original", actor="ana")
    registry.create_model("m").upload(b"weights", name="weights")
    registry.copy(str(tmp_path / "mirror"))
    (lost,) = [path for path in (tmp_path / "mirror").rglob("artifacts/*/*") if path.is_file()]
    lost.unlink()
    assert registry.copy(str(tmp_path / "mirror"), dry_run=True).files == 1
    assert registry.copy(str(tmp_path / "mirror")).files == 1
    assert localreg.open(tmp_path / "mirror").verify().ok


def test_nothing_is_copied_of_a_log_with_a_hole(tmp_path: Path) -> None:
    """As far as the hole it would look like a whole backup."""
    registry = localreg.open(tmp_path / "original", actor="ana")
    for number in range(6):
        registry.create_model(f"m{number}")
    shutil.copytree(tmp_path / "original", tmp_path / "backup")
    (tmp_path / "backup/namespaces/default/log" / f"{4:020d}.parquet").unlink()
    with pytest.raises(IntegrityError, match="nothing was copied"):
        localreg.open(tmp_path / "backup", read_only=True).copy(str(tmp_path / "mirror"))
