"""A log that was rolled back or replaced is told to who saw it before: reading goes on, and writing does not."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import localreg
from localreg import Registry
from localreg.canonical import JsonObject, canonical, parse
from localreg.errors import IntegrityError
from localreg.log import last_seen
from localreg.log.entry import entry_path
from localreg.log.known_signers import known_signers
from localreg.storage import notes
from tests.signing import key_of, signed_registry

MOST = 8


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What this machine notes, from now on."""
    return on_machine("here", tmp_path, monkeypatch)


def on_machine(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCALREG_STATE", str(tmp_path / f"state of {name}"))
    monkeypatch.setattr(last_seen, "_process", last_seen._Process())
    return tmp_path / f"state of {name}"


def forget_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if another process looked next."""
    monkeypatch.setattr(last_seen, "_process", last_seen._Process())


@pytest.fixture
def folder(tmp_path: Path, state: Path) -> Path:
    """A registry of six commits, which this machine has seen."""
    with localreg.open(tmp_path / "registry", actor="ana") as registry:
        for number in range(6):
            registry.create_model(f"m{number}")
    return tmp_path / "registry"


def noted(state: Path) -> list[JsonObject]:
    found = [parse(path.read_bytes()) for path in sorted((state / "notes" / "heads").glob("*.json"))]
    return [each for each in found if isinstance(each, dict)]


def entry(folder: Path, number: int) -> Path:
    return folder / "namespaces/default" / entry_path(number)


def roll_back(folder: Path) -> None:
    for number in (5, 6):
        entry(folder, number).unlink()


def roll_back_and_write_on_elsewhere(folder: Path) -> None:
    """With as many commits as before: a log that is whole, and another."""
    roll_back(folder)
    elsewhere = {**os.environ, "LOCALREG_STATE": str(folder.parent / "state elsewhere")}
    code = f"""
import localreg
registry = localreg.open({str(folder)!r}, actor="eve")
for number in range(3):
    registry.create_model(f"e{{number}}")
"""
    subprocess.run([sys.executable, "-c", code], env=elsewhere, check=True)


def empty_the_log(folder: Path) -> None:
    for number in range(1, 7):
        entry(folder, number).unlink()


FAULTS: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "rolled back": (roll_back, "entry_missing", "it is gone"),
    "written anew": (roll_back_and_write_on_elsewhere, "entry_swapped", "another entry stands there now"),
    "emptied": (empty_the_log, "entry_missing", "it is gone"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("same_process", [True, False])
def test_a_log_that_is_not_the_one_that_was_seen_is_read_and_not_written_to(
    folder: Path,
    fault: str,
    same_process: bool,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    damage, code, told = FAULTS[fault]
    damage(folder)
    if not same_process:
        forget_in_memory(monkeypatch)
    entries = sorted(path.name for path in entry(folder, 1).parent.iterdir())
    registry = localreg.open(folder)
    assert len(registry.models()) == {"rolled back": 4, "written anew": 7, "emptied": 0}[fault]
    assert len(localreg.open(folder, read_only=True).models()) == len(registry.models())
    warnings = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert len(warnings) == 1, "once, however often it is opened"
    assert told in warnings[0]
    acts = (
        (lambda: registry.create_model("next"), registry.snapshot)
        if fault != "emptied"
        else (lambda: registry.create_model("next"),)
    )
    for act in acts:
        with pytest.raises(IntegrityError, match=r"this machine saw commit 6.*doctor --accept") as caught:
            act()
        assert caught.value.code == code
    assert sorted(path.name for path in entry(folder, 1).parent.iterdir()) == entries
    report = registry.verify()
    assert [(each.path, each.code) for each in report.problems] == [(entry_path(6), code)]
    (problem,) = (each for each in registry.doctor().problems if each.what == "default: last seen")
    assert told in problem.message


@pytest.mark.parametrize("fault", FAULTS)
def test_what_was_meant_can_be_accepted(folder: Path, fault: str) -> None:
    FAULTS[fault][0](folder)
    registry = localreg.open(folder)
    commit = registry.commit
    report = registry.doctor(accept=True)
    assert report.ok
    assert "commit 6, which this machine saw, is forgotten" in str(report)
    assert registry.create_model("next") is not None, "the same handle goes on"
    assert localreg.open(folder).commit == max(commit, 0) + 1
    assert localreg.open(folder).verify().ok


def test_what_another_process_saw_before_does_not_undo_that_it_was_accepted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, another = last_seen._Process(), last_seen._Process()
    monkeypatch.setattr(last_seen, "_process", another)
    running = localreg.open(folder)
    running.create_model("which the other process has not seen")
    monkeypatch.setattr(last_seen, "_process", first)
    entry(folder, 7).unlink()
    roll_back(folder)
    registry = localreg.open(folder)
    assert registry.doctor(accept=True).ok
    monkeypatch.setattr(last_seen, "_process", another)
    running.close()
    another.keep_all()
    caplog.clear()
    with localreg.open(folder) as again:
        assert again.create_model("next") is not None, "that process goes on from there, too"
    assert not caplog.records
    entry(folder, 5).unlink()
    forget_in_memory(monkeypatch)
    with pytest.raises(IntegrityError, match="this machine saw commit 5"):
        localreg.open(folder).create_model("what was seen since counts")


def test_to_accept_deletes_snapshots_that_the_log_does_not_lead_to(folder: Path) -> None:
    localreg.open(folder).snapshot()
    roll_back(folder)
    registry = localreg.open(folder)
    with pytest.raises(IntegrityError, match="doctor --accept"):
        registry.create_model("next")
    assert registry.doctor(accept=True).ok
    registry.create_model("next")
    assert registry.commit == 5
    assert registry.verify().ok


def test_to_accept_changes_nothing_where_nothing_is_wrong(folder: Path, state: Path) -> None:
    before, files = noted(state), sorted(folder.rglob("*"))
    report = localreg.open(folder).doctor(accept=True)
    assert report.ok
    assert "accepted" not in str(report)
    assert (noted(state), sorted(folder.rglob("*"))) == (before, files)


def test_what_is_restored_is_as_if_nothing_had_been(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "backup")
    roll_back(folder)
    with pytest.raises(IntegrityError):
        localreg.open(folder).create_model("next")
    for number in (5, 6):
        shutil.copy(entry(tmp_path / "backup", number), entry(folder, number))
    localreg.open(folder).create_model("next")
    assert localreg.open(folder).verify().ok


def test_a_handle_that_is_not_closed_is_noted_at_the_end_of_the_process(tmp_path: Path, state: Path) -> None:
    code = f"""
import localreg
registry = localreg.open({str(tmp_path / "registry")!r})
registry.create_model("a")
registry.create_model("b")
del registry
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert [each["commit"] for each in noted(state)] == [2]


def test_a_folder_that_was_a_temporary_one_leaves_no_note(tmp_path: Path, state: Path) -> None:
    code = f"""
import localreg, shutil
localreg.open({str(tmp_path / "registry")!r}).create_model("a")
shutil.rmtree({str(tmp_path / "registry")!r})
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert noted(state) == []


def test_commits_are_not_noted_one_by_one(tmp_path: Path, state: Path) -> None:
    registry = localreg.open(tmp_path / "registry")
    registry.create_model("a")
    assert noted(state) == [], "nothing was there when it was looked at first"
    localreg.open(tmp_path / "registry").find_model("a")
    assert [each["commit"] for each in noted(state)] == [1]
    for number in range(5):
        registry.create_model(f"m{number}")
    assert [each["commit"] for each in noted(state)] == [1]
    registry.snapshot()
    assert [each["commit"] for each in noted(state)] == [6]
    registry.create_model("b")
    registry.close()
    assert [each["commit"] for each in noted(state)] == [7]


def test_an_older_head_does_not_take_the_place_of_a_newer_one(folder: Path, state: Path) -> None:
    behind = localreg.open(folder)
    assert behind.commit == 6
    with localreg.open(folder) as ahead:
        ahead.create_model("next")
    (path,) = (state / "notes" / "heads").glob("*.json")
    kept = path.read_bytes()
    behind.close()
    assert path.read_bytes() == kept


def test_another_registry_in_the_same_place_is_no_fault(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People and scripts delete and recreate folders all the time."""
    caplog.set_level(logging.INFO, logger="localreg")
    first = localreg.open(folder).id
    shutil.rmtree(folder)
    registry = localreg.open(folder)
    registry.create_model("a")
    registry.close()
    assert not [each for each in caplog.records if each.levelno > logging.INFO]
    told = [each.getMessage() for each in caplog.records if "another registry lay here" in each.getMessage()]
    assert len(told) == 1
    forget_in_memory(monkeypatch)
    report = localreg.open(folder).doctor()
    assert report.ok
    (note,) = (each for each in report.findings if each.what == "default: last seen")
    assert (note.level, first in note.message) == ("note", True)


def test_a_copy_elsewhere_is_another_place(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    roll_back(tmp_path / "copy")
    assert localreg.open(tmp_path / "copy").create_model("next") is not None
    assert localreg.open(folder).commit == 6


def test_namespaces_are_noted_apart(folder: Path) -> None:
    with localreg.open(folder, namespace="vision") as vision:
        vision.create_model("a")
    roll_back(folder)
    localreg.open(folder, namespace="vision").create_model("b")
    with pytest.raises(IntegrityError):
        localreg.open(folder).create_model("next")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"commit": "6"}', b"\xff", b'{"registry": 1}'])
def test_a_note_that_cannot_be_read_is_none(
    folder: Path, state: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = (state / "notes" / "heads").glob("*.json")
    path.write_bytes(content)
    roll_back(folder)
    forget_in_memory(monkeypatch)
    localreg.open(folder).create_model("next")


def test_a_state_folder_that_cannot_be_written_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("LOCALREG_STATE", str(tmp_path / "file"))
    with localreg.open(tmp_path / "registry") as registry:
        registry.create_model("a")
        registry.snapshot()
        assert registry.verify(resume=True).ok
    assert localreg.open(tmp_path / "registry").commit == 1
    assert caplog.records == []


def test_memory_has_no_notes(state: Path) -> None:
    with localreg.open("memory://of-the-last-seen") as registry:
        registry.create_model("a")
        registry.snapshot()
    assert not state.exists()


def test_notes_are_not_kept_without_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "MOST_NOTES", MOST)
    for number in range(MOST + 1):
        path = tmp_path / "heads" / f"{number}.json"
        notes.write_note(str(path), {"number": number})
        os.utime(path, (number, number))
    notes._prune(str(tmp_path / "heads"))
    assert {path.stem for path in (tmp_path / "heads").iterdir()} == {str(number) for number in range(3, MOST + 1)}


def test_a_process_remembers_places_up_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    monkeypatch.setattr(last_seen, "MOST_PLACES", MOST)
    opened: list[Registry] = []
    for number in range(MOST + 3):
        opened.append(localreg.open(tmp_path / str(number)))
        opened[-1].create_model("a")
    assert len(last_seen._process._heads) == MOST
    last_seen._process.keep_all()
    assert len(noted(state)) == MOST
    opened[0].close()
    assert len(noted(state)) == MOST, "let go of, which costs nothing but the note"


def test_a_note_says_where_and_when(folder: Path, state: Path) -> None:
    (note,) = noted(state)
    assert note["place"] == str(folder / "namespaces/default")
    assert set(note) == {"registry", "commit", "digest", "noted", "place"}
    assert canonical(note)


def test_to_accept_deletes_history_that_the_log_does_not_lead_to(folder: Path) -> None:
    localreg.open(folder).snapshot()
    roll_back(folder)
    shutil.rmtree(folder / "namespaces/default/snapshots")
    registry = localreg.open(folder)
    assert registry.doctor(accept=True).ok
    assert not list((folder / "namespaces/default/history").iterdir())
    assert registry.doctor(repair=True).ok


def test_a_rolled_back_import_can_be_accepted(folder: Path, tmp_path: Path) -> None:
    localreg.open(folder).copy(localreg.open(tmp_path / "other"), name="copied")
    copied = localreg.open(tmp_path / "other", namespace="copied")
    copied.create_model("own")
    copied.create_model("lost")
    copied.snapshot()
    entry_of_last = tmp_path / "other/namespaces/copied" / entry_path(copied.commit)
    copied.close()
    entry_of_last.unlink()
    registry = localreg.open(tmp_path / "other", namespace="copied")
    with pytest.raises(IntegrityError, match="doctor --accept"):
        registry.create_model("next")
    assert registry.doctor(accept=True).ok
    registry.create_model("next")
    assert registry.verify().ok


def test_a_spoiled_last_entry_of_a_signed_log_is_told_to_who_saw_it(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is void, so that the log is whole without it: only who saw it knows that it counted."""
    with signed_registry(tmp_path) as registry:
        last = registry.create_model("n")
        spoiled = entry(tmp_path / "registry", registry.commit)
    assert last
    spoiled.write_bytes(b"junk")
    forget_in_memory(monkeypatch)
    registry = localreg.open(tmp_path / "registry", actor="ana", signing_key=tmp_path / "ana.key")
    assert {problem.code for problem in registry.verify().problems} == {"entry_swapped"}
    with pytest.raises(IntegrityError, match="another entry stands there now"):
        registry.create_model("over it")


def test_a_signed_log_that_was_rolled_back_brings_no_signer_back_who_was_removed(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with signed_registry(tmp_path, "ana", "eve") as registry:
        registry.remove_signer("eve")
        log, last = registry._session.log, registry.commit
    origin, store = log.origin.digest, log.store
    assert known_signers(store, origin) == {key_of("ana").public}
    entry(tmp_path / "registry", last).unlink()
    forget_in_memory(monkeypatch)
    with localreg.open(tmp_path / "registry", read_only=True) as rolled_back:
        assert {row["name"] for row in rolled_back.signers()} == {"ana", "eve"}
    assert known_signers(store, origin) == {key_of("ana").public}


def test_a_handle_does_not_commit_onto_a_log_that_was_rolled_back_under_it(tmp_path: Path, state: Path) -> None:
    """Its commit would stand beyond a gap that others fill, and be lost with all that follows."""
    registry = localreg.open(tmp_path / "registry", actor="ana")
    for number in range(20):
        registry.create_model(f"m{number}")
    for number in range(11, 21):
        entry(tmp_path / "registry", number).unlink()
    with pytest.raises(IntegrityError, match="is missing"):
        registry.create_model("late")
    assert not entry(tmp_path / "registry", 21).exists()


def test_nothing_is_imported_where_this_machine_saw_more_of_another_log(folder: Path, tmp_path: Path) -> None:
    with localreg.open(tmp_path / "elsewhere", actor="eve") as other:
        other.create_model("brought")
    shutil.rmtree(folder / "namespaces/default")
    shutil.copytree(tmp_path / "elsewhere/namespaces/default", folder / "namespaces/default")
    registry = localreg.open(folder, actor="ana", namespace="another")
    with pytest.raises(IntegrityError, match="this machine saw commit 6"):
        registry.import_namespace("default")
    assert not entry(folder, 2).exists()
