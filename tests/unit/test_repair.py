"""`doctor(repair=True)`: caches that are not what the log says are made anew; a damaged log is left as it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import localreg
from localreg import ReadOnlyError, Registry
from localreg.log import snapshot
from localreg.log.entry import entry_path
from localreg.upkeep import repair
from tests.signing import LogFolder, key_file, signed_registry

COMMITS = 66


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "registry"
    registry = localreg.open(folder, actor="ana")
    for number in range(COMMITS):
        registry.create_model(f"m{number}")
    return folder


@pytest.fixture
def default(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "registry")
    return tmp_path / "registry/namespaces/default"


def repaired(default: Path) -> list[str]:
    """What was done, or why not."""
    report = localreg.open(default.parents[1]).doctor(repair=True)
    return [f"{each.what}: {each.message}" for each in report.findings if "repaired" in each.what]


def only(folder: Path) -> Path:
    (path,) = folder.glob("*.parquet")
    return path


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))


def wrong(default: Path) -> None:
    """A snapshot that is whole, and shows other records."""
    registry = localreg.open(default.parents[1])
    session = registry._session
    state = session.log.load()
    changed = state.draft()
    row = state.find("model", "m3")
    assert row is not None
    changed._put(row._replace(name="forged"))
    shutil.rmtree(default / "snapshots")
    snapshot.save(session.store, session.log.origin.digest, changed.frozen(state.head), lambda: state)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a bit in a snapshot": lambda default: flip(only(default / "snapshots"), 200),
    "a torn snapshot": lambda default: only(default / "snapshots").write_bytes(b"PAR1"),
    "a wrong snapshot": wrong,
    "no snapshots": lambda default: shutil.rmtree(default / "snapshots"),
    "no hint": lambda default: (default / "snapshots/latest.json").unlink(),
    "a torn hint": lambda default: (default / "snapshots/latest.json").write_bytes(b"{"),
    "a bit in the history": lambda default: flip(only(default / "history"), 200),
    "no history": lambda default: shutil.rmtree(default / "history"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_cache_is_made_anew_once(default: Path, damage: Callable[[Path], object]) -> None:
    damage(default)
    (told,) = repaired(default)
    assert told.startswith("default: repaired: ")
    assert told.endswith(f"made anew from the log, up to commit {COMMITS}")
    registry = localreg.open(default.parents[1])
    assert registry.verify().ok
    assert len(registry.models()) == COMMITS
    assert len(registry.audit(kind="model")) == COMMITS
    assert not registry.doctor().problems
    assert repaired(default) == []


def test_what_is_sound_stays_as_it_is(default: Path) -> None:
    before = {path: path.read_bytes() for path in default.rglob("*") if path.is_file()}
    assert repaired(default) == []
    assert {path: path.read_bytes() for path in default.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("lost", [COMMITS, 64, 30, 1])
@pytest.mark.parametrize("caches", ["snapshots", "history"])
def test_a_log_that_lost_entries_is_not_papered_over(default: Path, lost: int, caches: str) -> None:
    localreg.open(default.parents[1]).snapshot()
    (default / entry_path(lost)).unlink()
    if caches == "history":  # then that is the last trace
        shutil.rmtree(default / "snapshots")
    else:
        (default / "snapshots/latest.json").unlink()
    before = {path: path.read_bytes() for path in default.rglob("*") if path.is_file()}
    (told,) = repaired(default)
    assert told.startswith("default: not repaired: ")
    assert "missing" in told
    assert {path: path.read_bytes() for path in default.rglob("*") if path.is_file()} == before


def test_a_log_that_is_damaged_is_not_papered_over(default: Path) -> None:
    flip(default / entry_path(20), 100)
    (default / "snapshots/latest.json").unlink()
    before = {path: path.read_bytes() for path in default.rglob("*") if path.is_file()}
    (told,) = repaired(default)
    assert told.startswith("default: not repaired: ")
    assert {path: path.read_bytes() for path in default.rglob("*") if path.is_file()} == before


def test_commits_that_come_while_it_looks_are_in_what_it_makes(default: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = localreg.open(default.parents[1])
    checked = repair._checked

    def meanwhile(*args: object) -> object:
        found = checked(*args)  # type: ignore[arg-type]
        other.create_model("meanwhile")
        return found

    monkeypatch.setattr(repair, "_checked", meanwhile)
    (default / "snapshots/latest.json").unlink()
    assert len(repaired(default)) == 1
    registry: Registry = localreg.open(default.parents[1])
    assert len(registry.models()) == COMMITS + 1
    assert registry.verify().ok


def test_who_may_not_write_may_not_repair(default: Path) -> None:
    with pytest.raises(ReadOnlyError):
        localreg.open(default.parents[1], read_only=True).doctor(repair=True)


def test_caches_of_an_import_are_made_anew(default: Path, tmp_path: Path) -> None:
    other = localreg.open(tmp_path / "other")
    localreg.open(default.parents[1]).copy(other, name="copied")
    copied = tmp_path / "other/namespaces/copied"
    assert repaired(copied) == []
    (copied / "snapshots/latest.json").unlink()
    (told,) = repaired(copied)
    assert told.startswith("copied: repaired: ")
    assert len(localreg.open(tmp_path / "other", namespace="copied").models()) == COMMITS
    assert localreg.open(tmp_path / "other", namespace="copied").verify().ok


def test_a_log_that_this_machine_saw_further_keeps_its_last_trace(default: Path) -> None:
    registry = localreg.open(default.parents[1])
    assert registry.commit == COMMITS
    registry.close()
    for number in (COMMITS - 1, COMMITS):
        (default / entry_path(number)).unlink()
    (default / "snapshots/latest.json").unlink()
    before = {path: path.read_bytes() for path in default.rglob("*") if path.is_file()}
    (told,) = repaired(default)
    assert "not repaired" in told
    assert f"saw commit {COMMITS}" in told
    assert {path: path.read_bytes() for path in default.rglob("*") if path.is_file()} == before


# --- where signers are listed -----------------------------------------------------------------------------------------


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    """A namespace in which ana signs, with a snapshot by her, and void entries in it and at its end."""
    (tmp_path / "signed").mkdir()
    with signed_registry(tmp_path / "signed") as registry:
        log = LogFolder(registry)
        log.write(log.last + 1, b"no entry")
        registry.create_model("n")
        registry.snapshot()
        log.write(log.last + 1, log.forged(None, after=log.last, number=log.last + 1))
    return log.folder


def test_void_entries_are_no_lost_ones_and_sound_caches_stay(signed: Path) -> None:
    before = {path: path.read_bytes() for path in signed.rglob("*") if path.is_file()}
    assert repaired(signed) == []
    assert {path: path.read_bytes() for path in signed.rglob("*") if path.is_file()} == before


def test_who_cannot_sign_leaves_damaged_caches_as_they_are(signed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (signed / "snapshots/latest.json").unlink()
    before = {path: path.read_bytes() for path in signed.rglob("*") if path.is_file()}
    (told,) = repaired(signed)
    assert "not repaired" in told
    assert "LOCALREG_SIGNING_KEY" in told
    assert {path: path.read_bytes() for path in signed.rglob("*") if path.is_file()} == before
    monkeypatch.setenv("LOCALREG_SIGNING_KEY", str(key_file(signed.parents[2], "ana")))
    (told,) = repaired(signed)
    assert told.startswith("default: repaired: ")
    assert repaired(signed) == []
    assert localreg.open(signed.parents[1]).verify().ok
