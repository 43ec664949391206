"""A namespace's folder under permissions of the operating system: set, kept for new files, verified."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

import localreg
from localreg import Registry
from localreg.errors import AccessDeniedError, InvalidInputError, NotFoundError
from localreg.storage.protection import MARK, Protection, imposed_mode, protection_of

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")
OWN = os.getegid() if hasattr(os, "getegid") else 0


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def folder(registry: Registry) -> Path:
    """The folder of `default`, in which something was committed."""
    registry.create_model("m").create_version("1").upload(b"weights", name="w")
    return Path(registry.uri) / "namespaces/default"


def modes(folder: Path) -> set[tuple[bool, int]]:
    paths = [folder, *folder.rglob("*")]
    return {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in paths}


@pytest.mark.parametrize(
    ("members", "others", "mode", "of_files"),
    [
        (None, None, 0o2770, 0o660),
        ("write", "read", 0o2775, 0o664),
        ("read", "none", 0o2750, 0o640),
        ("read", "read", 0o2755, 0o644),
    ],
)
def test_all_that_is_there_and_all_that_comes_gets_the_permissions_whatever_the_umask(
    registry: Registry, folder: Path, members: str | None, others: str | None, mode: int, of_files: int
) -> None:
    report = registry.protect(OWN, members=members, others=others)  # type: ignore[arg-type]
    assert modes(folder) == {(True, mode), (False, of_files)}
    for umask in (0o077, 0o000):
        os.umask(umask)
        registry.create_model(f"with {umask}").create_version("1").upload(f"{umask}".encode(), name="w")
        registry.snapshot()
        assert modes(folder) == {(True, mode), (False, of_files)}
    assert {path.stat().st_gid for path in folder.rglob("*")} == {OWN}
    assert registry.protect(dry_run=True).deviations == report.deviations
    assert not [each for each in report.deviations if each.path.startswith(str(folder))]


def test_it_is_an_event_of_the_log_and_marked_in_the_folder(registry: Registry, folder: Path) -> None:
    before = registry.commit
    registry.protect(str(OWN), others="read")
    assert registry.commit == before + 1
    (event,) = registry.audit(since=before).dicts()
    assert (event["action"], event["kind"], event["name"]) == ("protect", "namespace", "default")
    assert event["details"] == {"group": str(OWN), "members": "write", "others": "read"}
    assert protection_of(str(folder)) == Protection(str(OWN), "write", "read")
    assert registry.verify().ok


def test_what_is_left_out_stays_as_it_is(registry: Registry, folder: Path) -> None:
    registry.protect(OWN, members="read", others="read")
    registry.protect(others="none")
    assert protection_of(str(folder)) == Protection(str(OWN), "read", "none")
    assert modes(folder) == {(True, 0o2750), (False, 0o640)}


def test_a_dry_run_changes_nothing_and_names_what_deviates(registry: Registry, folder: Path) -> None:
    before, commit = modes(folder), registry.commit
    report = registry.protect(OWN, dry_run=True)
    assert (modes(folder), registry.commit) == (before, commit)
    assert not (folder / MARK).exists()
    found = {each.path: each.fault for each in report.deviations}
    assert "has mode 0755, not 2770" in found[str(folder)]
    assert found[str(folder / "log" / f"{1:020}.parquet")] == "has mode 0644, not 0660"
    assert not report.ok
    assert "members of" in str(report)
    assert str(folder) in str(report)


def test_what_was_changed_since_is_told_by_the_doctor_and_mended(registry: Registry, folder: Path) -> None:
    registry.protect(OWN)
    assert "ok" in {each.level for each in registry.doctor().findings if each.what == "default: protection"}
    entry = folder / "log" / f"{1:020}.parquet"
    entry.chmod(0o644)
    (told,) = [each for each in registry.doctor().problems if each.what == "default: protection"]
    assert told.message.startswith(f"{entry} has mode 0644, not 0660")
    assert "`localreg namespaces protect default`" in told.message
    registry.protect()
    assert not [each for each in registry.doctor().problems if each.what == "default: protection"]


def test_a_mark_in_a_folder_without_the_setgid_bit_imposes_nothing(registry: Registry, folder: Path) -> None:
    registry.protect(OWN)
    assert imposed_mode(str(folder)) == 0o2770
    folder.chmod(0o755)
    assert imposed_mode(str(folder)) is None
    (told,) = [each for each in registry.doctor().problems if each.what == "default: protection"]
    assert str(folder) in told.message
    (folder / MARK).write_bytes(b"no json")
    assert protection_of(str(folder)) is None


def test_a_folder_that_hands_its_group_down_without_a_mark_imposes_nothing(registry: Registry, folder: Path) -> None:
    folder.chmod(0o2775)
    os.umask(0o077)
    registry.create_model("n")
    entries = sorted((folder / "log").iterdir())
    assert stat.S_IMODE(entries[-1].stat().st_mode) == 0o600


def test_what_the_registry_promises_to_a_group_gives_way_to_the_protection(tmp_path: Path) -> None:
    registry = localreg.open(tmp_path / "shared", shared="all", actor="ana")
    registry.create_model("m")
    registry.protect(OWN, members="read")
    registry.create_model("n")
    assert modes(tmp_path / "shared/namespaces/default") == {(True, 0o2750), (False, 0o640)}
    assert not [each for each in registry.doctor().problems if each.what == "shared"]
    registry.namespace("other").create_model("m")
    assert (tmp_path / "shared/namespaces/other/log").stat().st_mode & 0o7777 == 0o2775


def test_a_link_is_passed_over(registry: Registry, folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    (folder / "link").symlink_to(outside)
    registry.protect(OWN)
    assert stat.S_IMODE(outside.stat().st_mode) == 0o700


def test_folders_above_that_the_group_cannot_pass_are_named(registry: Registry, folder: Path) -> None:
    above = Path(registry.uri)
    above.chmod(0o700)
    other = OWN + 1 if os.geteuid() == 0 else OWN
    faults = {each.path: each.fault for each in registry.protect(other, dry_run=True).deviations}
    assert "does not let the group" in faults[str(above)]
    above.chmod(0o755)


def test_only_an_owner_protects(registry: Registry, other: Registry, folder: Path) -> None:
    registry.grant("ben", "writer")
    before = modes(folder)
    with pytest.raises(AccessDeniedError, match="takes 'owner'"):
        other.protect(OWN)
    assert modes(folder) == before
    assert not other.protect(OWN, dry_run=True).ok


def test_what_cannot_be_protected_is_refused_and_nothing_is_changed(registry: Registry, folder: Path) -> None:
    before = modes(folder), registry.commit
    with pytest.raises(InvalidInputError, match="not protected yet: name the group"):
        registry.protect()
    for wrong in ("no such group", 2**40, True, "", "99999999999999"):
        with pytest.raises(InvalidInputError):
            registry.protect(wrong)
    with pytest.raises(InvalidInputError, match="members is 'all'; it must be 'read' or 'write'"):
        registry.protect(OWN, members="all")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="others is 'write'"):
        registry.protect(OWN, others="write")  # type: ignore[arg-type]
    with pytest.raises(NotFoundError, match="nothing was committed in namespace 'new'"):
        registry.namespace("new").protect(OWN)
    assert (modes(folder), registry.commit) == before


def in_a_transaction(registry: Registry) -> None:
    with registry.transaction():
        registry.protect(OWN)


def test_it_is_no_part_of_a_transaction(registry: Registry, folder: Path) -> None:
    before = modes(folder)
    with pytest.raises(InvalidInputError, match="not part of a transaction"):
        in_a_transaction(registry)
    assert modes(folder) == before


def test_a_place_without_folders_is_refused_with_the_next_step() -> None:
    registry = localreg.open("memory://protection", actor="ana")
    registry.create_model("m")
    with pytest.raises(InvalidInputError, match="such as in the policy of the bucket, for namespaces/"):
        registry.protect("staff")
