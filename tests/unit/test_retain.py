"""Bytes of the past: given up in time, never while anything live needs them, and told wherever they are missed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import localreg
from localreg import ConflictError, IntegrityError, Registry
from localreg.artifacts.content import file_of
from localreg.records.files import FilePointer
from localreg.session import Changes
from localreg.storage import MemoryStore
from localreg.upkeep import merges
from localreg.workflow import test
from tests.garbage import Clocks, there
from tests.pictures import Guess, Picture, TestCase, TestSuite, Truth, TypedModel


@pytest.fixture(autouse=True)
def clocks() -> Iterator[Clocks]:
    with Clocks.set() as clocks:
        yield clocks


@pytest.fixture(params=["disk", "memory"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Registry:
    place = tmp_path / "registry" if request.param == "disk" else MemoryStore.named(request.node.name).uri
    registry = localreg.open(place, actor="ana")
    registry.create_model("m")
    return registry


@pytest.fixture
def other(registry: Registry) -> Registry:
    return localreg.open(registry.uri, actor="ben")


def retained(registry: Registry) -> dict[str, int]:
    """One call: how many files of what are at which step."""
    return {f"{each.what} {each.step}": each.files for each in registry.retain(dry_run=False).garbage}


def gone(registry: Registry, clocks: Clocks) -> None:
    """Let everything go that is due after a year."""
    clocks.pass_days(365)
    registry.retain(dry_run=False)
    clocks.pass_days(8)
    registry.gc(dry_run=False)


def of(content: bytes) -> str:
    return sha256(content).hexdigest()


def holds(registry: Registry, content: bytes) -> bool:
    pointer = file_of(registry._session.state(), of(content))
    return pointer is not None and registry._session.store.get(pointer.path) == content


# --- when -------------------------------------------------------------------------------------------------------------


def test_bytes_of_a_deleted_record_are_kept_for_so_long_and_then_given_up(registry: Registry, clocks: Clocks) -> None:
    artifact = registry.get_model("m").upload(b"weights", name="w")
    clocks.pass_days(200)
    assert retained(registry) == {}, "it is alive"
    artifact.delete()
    assert retained(registry) == {"deleted records wait": 1}
    clocks.pass_days(89.9)
    assert retained(registry) == {"deleted records wait": 1}
    clocks.pass_days(0.2)
    commit, before = registry.commit, there(registry)
    told = registry.retain()
    assert (registry.commit, told.condemned) == (commit, 1)
    assert str(told) == (
        "a dry run changes nothing; what is due:\ndeleted records: 1 file (7 bytes) condemned; `gc` deletes them later"
    )
    assert retained(registry) == {"deleted records condemn": 1}
    assert retained(registry) == {}
    assert there(registry) == before
    clocks.pass_days(7)
    assert registry.gc(dry_run=False).deleted == 1
    assert there(registry) == set()
    assert registry.verify().ok


def test_a_clock_elsewhere_that_is_years_ahead_makes_nothing_old(registry: Registry, clocks: Clocks) -> None:
    clocks.off["future"] = timedelta(days=9000)
    registry.get_model("m").upload(b"weights", name="w").delete()
    with clocks.at("future"):
        registry.create_model("from the future")
        assert retained(registry) == {"deleted records wait": 1}
    assert retained(registry) == {"deleted records wait": 1}


def test_content_that_was_uploaded_and_deleted_again_counts_from_the_last_time(
    registry: Registry, clocks: Clocks
) -> None:
    for _ in range(2):
        registry.get_model("m").upload(b"weights", name="w").delete()
        clocks.pass_days(60)
    assert retained(registry) == {"deleted records wait": 1}
    clocks.pass_days(31)
    assert retained(registry) == {"deleted records condemn": 1}


# --- what live records speak for --------------------------------------------------------------------------------------


def test_content_that_any_live_record_mentions_is_kept(registry: Registry, clocks: Clocks) -> None:
    model = registry.get_model("m")
    for name in ("shared", "data", "said", "free"):
        model.upload(name.encode(), name=name)
    registry.create_model("n").upload(b"shared", name="other name")
    model.add_dataset(model.get_artifact("data"), role="train", name="d")
    registry.create_model("o", metadata={"weights": {"sha256": f"sha256:{of(b'said')}"}})
    for name in ("shared", "said", "free"):
        model.get_artifact(name).delete()
    gone(registry, clocks)
    held = [name for name in ("shared", "data", "said", "free") if holds(registry, name.encode())]
    assert held == ["shared", "data", "said"]
    assert registry.verify().ok


def test_a_folders_files_are_kept_as_long_as_the_folder_and_go_with_it(
    registry: Registry, clocks: Clocks, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).write_bytes(name.encode())
    model = registry.get_model("m")
    kept, whole = model.upload(folder, name="folder"), model.upload(b"a", name="a")
    whole.delete()
    gone(registry, clocks)
    assert holds(registry, b"a")
    kept.delete()
    clocks.pass_days(89)
    assert retained(registry) == {"deleted records wait": 3}
    clocks.pass_days(2)
    assert retained(registry) == {"deleted records condemn": 3}


def test_a_file_of_a_folder_that_was_deleted_long_ago_by_itself_waits_with_the_folder(
    registry: Registry, clocks: Clocks, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/a").write_bytes(b"a")
    model = registry.get_model("m")
    folder = model.upload(tmp_path / "folder", name="folder")
    clocks.pass_days(365)
    folder.delete()
    clocks.pass_days(10)
    assert retained(registry) == {"deleted records wait": 2}


def test_where_the_list_of_a_folder_is_missing_nothing_is_given_up(
    registry: Registry, clocks: Clocks, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/a").write_bytes(b"a")
    model = registry.get_model("m")
    folder = model.upload(tmp_path / "folder", name="folder")
    model.upload(b"free", name="free").delete()
    clocks.pass_days(365)
    pointer = file_of(registry._session.state(), str(folder.info.sha256))
    assert pointer is not None
    registry._session.store.delete(pointer.path)
    with pytest.raises(IntegrityError, match="the list of a folder"):
        registry.retain(dry_run=False)


def test_where_a_live_record_was_redacted_no_content_is_given_up(registry: Registry, clocks: Clocks) -> None:
    model = registry.get_model("m")
    model.upload(b"weights", name="w").delete()
    row = registry._session.state().find("model", "m")
    assert row is not None
    hidden = row._replace(record=None)
    session: Any = registry._session
    state = session.committed()
    state._rows["model", row.id] = hidden
    clocks.pass_days(365)
    assert registry.retain().garbage == ()


def test_what_a_later_release_keeps_for_whomever_it_says_is_left_alone(registry: Registry, clocks: Clocks) -> None:
    pointer = FilePointer(f"data/dreams/{'d' * 32}/{'e' * 32}.parquet", "dreams", "of nobody", 1, 1, "ab" * 32)

    def bring(changes: Changes) -> None:
        changes.note(changes.draft.children("model")[0], action="upload", files=(pointer,))

    registry._session.change(bring)
    clocks.pass_days(365)
    assert retained(registry) == {}


# --- races ------------------------------------------------------------------------------------------------------------


def before_the_commit(registry: Registry, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    session: Any = registry._session
    change = session.change

    def changed(*args: Any, **how: Any) -> Any:
        monkeypatch.setattr(session, "change", change)
        act()
        return change(*args, **how)

    monkeypatch.setattr(session, "change", changed)


@pytest.mark.parametrize("back", ["upload", "undo", "mention"])
def test_what_comes_to_be_needed_between_plan_and_commit_is_spared(
    registry: Registry, other: Registry, clocks: Clocks, monkeypatch: pytest.MonkeyPatch, back: str
) -> None:
    model = registry.get_model("m")
    model.upload(b"weights", name="w").delete()
    deleted = registry.commit or 0
    clocks.pass_days(365)
    acts = {
        "upload": lambda: other.create_model("n").upload(b"weights", name="w"),
        "undo": lambda: other.undo(deleted),
        "mention": lambda: other.create_model("n", metadata={"of": of(b"weights")}),
    }
    before_the_commit(registry, monkeypatch, acts[back])
    registry.retain(dry_run=False)
    assert holds(registry, b"weights")
    assert retained(registry) == {}


def test_a_model_that_comes_back_between_plan_and_commit_keeps_its_rows(
    registry: Registry, other: Registry, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = registry.get_model("m").create_version("1")
    version.event("deployed")
    version.delete()
    deleted = registry.commit or 0
    clocks.pass_days(365)
    before_the_commit(registry, monkeypatch, lambda: other.undo(deleted))
    registry.retain(dry_run=False)
    assert [row["name"] for row in registry.events()] == ["deployed"]


# --- what is missed afterwards ----------------------------------------------------------------------------------------


def test_the_past_says_which_commit_gave_its_bytes_up(registry: Registry, clocks: Clocks) -> None:
    version = registry.get_model("m").create_version("1")
    version.upload(b"weights", name="w")
    version.event("deployed")
    before = registry.commit or 0
    version.delete()
    deleted = registry.commit or 0
    past = registry.at(commit=before)
    gone(registry, clocks)
    condemned = deleted + 1
    for look in (past, registry.at(commit=before)):
        shown = look.get_model("m").version("1")
        with pytest.raises(ConflictError, match=rf"commit {condemned} \(ana, ") as caught:
            b"".join(shown.get_artifact("w").stream())
        assert caught.value.code == "file_condemned"
        with pytest.raises(ConflictError, match=rf"commit {condemned} \(ana, ") as caught:
            look.sql("SELECT * FROM events").dicts()
        assert caught.value.code == "file_condemned"
        assert [row["version"] for row in look.sql("SELECT version FROM model_versions")] == ["1"]
    with pytest.raises(ConflictError, match="given up by garbage") as caught:
        registry.undo(deleted)
    assert caught.value.code == "file_condemned"
    assert registry.verify().ok


def test_a_deletion_whose_content_was_given_up_cannot_be_undone(registry: Registry, clocks: Clocks) -> None:
    registry.get_model("m").upload(b"weights", name="w").delete()
    deleted = registry.commit or 0
    clocks.pass_days(365)
    registry.retain(dry_run=False)
    with pytest.raises(ConflictError, match="given up by garbage") as caught:
        registry.undo(deleted)
    assert caught.value.code == "file_condemned"
    registry.get_model("m").upload(b"weights", name="again")
    registry.undo(deleted)
    assert b"".join(registry.get_model("m").get_artifact("w").stream()) == b"weights"


def test_what_is_missing_for_another_reason_is_told_as_before(registry: Registry) -> None:
    registry.get_model("m").upload(b"weights", name="w")
    pointer = file_of(registry._session.state(), of(b"weights"))
    assert pointer is not None
    registry._session.store.delete(pointer.path)
    with pytest.raises(IntegrityError, match="restore it from a copy"):
        b"".join(registry.at(commit=2).get_model("m").get_artifact("w").stream())


# --- test runs, merged parts, comparisons -----------------------------------------------------------------------------


def run(registry: Registry, name: str) -> None:
    with localreg.use(registry):
        if not registry.sql("SELECT name FROM test_suites").dicts():
            TestSuite("suite", test_cases=[TestCase("case", test_samples=pairs(3))])
        test(TypedModel(name, lambda sample: Guess(f"{sample.number % 2}{name[:1]}")), TestSuite("suite"))


def pairs(samples: int) -> list[tuple[Picture, Truth]]:
    return [(Picture(number), Truth(str(number))) for number in range(samples)]


def tables(registry: Registry) -> dict[str, int]:
    """How many files of each table are there."""
    counts: dict[str, int] = {}
    for path in there(registry):
        table = path.split("/")[1] if path.startswith("data/") else path.split("/")[0]
        counts[table] = counts.get(table, 0) + 1
    return counts


def test_rows_of_a_deleted_model_go_and_those_of_others_stay(registry: Registry, clocks: Clocks) -> None:
    for name in ("one", "two"):
        run(registry, name)
    before = tables(registry)
    registry.get_model("one").delete(force=True)
    gone(registry, clocks)
    assert tables(registry) == {**before, "inferences": before["inferences"] - 1}
    assert registry.sql("SELECT count(*) AS n FROM inferences").dicts() == [{"n": 3}]
    assert registry.verify().ok


def test_parts_that_were_merged_go_and_nobody_sees_it(
    registry: Registry, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merges, "LEAST_PARTS", 2)
    with localreg.use(registry):
        for number in range(3):
            TestCase(f"case {number}", test_samples=[(Picture(number), Truth("x"))])
    registry.compact()
    before = registry.sql("SELECT * FROM test_samples").dicts()
    assert tables(registry)["test_samples"] == 4
    clocks.pass_days(89)
    assert retained(registry) == {"merged parts wait": 3}
    clocks.pass_days(2)
    assert retained(registry) == {"merged parts condemn": 3}
    clocks.pass_days(8)
    registry.gc(dry_run=False)
    assert tables(registry)["test_samples"] == 1
    assert registry.sql("SELECT * FROM test_samples").dicts() == before
    assert registry.verify().ok


def test_what_a_saved_comparison_looks_at_is_kept_until_it_is_deleted(registry: Registry, clocks: Clocks) -> None:
    for name in ("one", "two", "three"):
        run(registry, name)
    comparison = registry.compare("one", "two", suite="suite")
    comparison.save("kept")
    before = tables(registry)
    for name in ("one", "three"):
        registry.get_model(name).delete(force=True)
    gone(registry, clocks)
    assert tables(registry)["inferences"] == before["inferences"] - 1, "that of the third is not looked at"
    saved = registry.get_comparison("kept")
    assert saved._samples(0, None, None).num_rows == 3, "it can look at the samples again"
    saved.delete()
    gone(registry, clocks)
    assert tables(registry)["inferences"] == before["inferences"] - 2
    assert registry.verify().ok
