"""What sync programs leave in `log/`: never read, always told, and what it is as far as it can be seen."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import localreg
from localreg import Registry
from localreg.log.entry import entry_path

NUMBER = "00000000000000000002"
COPIES = [
    f"{NUMBER} (conflicted copy 2026-11-21).parquet",
    f"{NUMBER} (Ana's conflicted copy 2026-11-21).parquet",
    f"{NUMBER}.sync-conflict-20261121-101530-ABCDEFG.parquet",
    f"{NUMBER} (1).parquet",
    f"{NUMBER}-LAPTOP.parquet",
    f"{NUMBER}_conflict-20261121.parquet",
    f"{NUMBER} 2.parquet",
    f"Copy of {NUMBER}.parquet",
    f"{NUMBER}.parquet.orig",
    f"sub/{NUMBER}.parquet",
]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two synced copies of one registry: both went on from commit 1, without each other."""
    here, there = tmp_path / "here", tmp_path / "there"
    localreg.open(here, actor="ana").create_model("one")
    shutil.copytree(here, there)
    localreg.open(here, actor="ana").create_model("mine")
    other = localreg.open(there, actor="ben")
    with other.transaction():
        for name in ("theirs", "b", "c", "d"):
            other.create_model(name)
    return here, there


def log(folder: Path) -> Path:
    return folder / "namespaces/default/log"


def place(folder: Path, name: str, data: bytes) -> None:
    path = log(folder) / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)


def told(folder: Path) -> tuple[str, str, str]:
    """The one problem of a registry, but for what this machine misses when an entry has another name."""
    (problem,) = (each for each in localreg.open(folder).verify().problems if each.code != "entry_missing")
    return problem.path, problem.code, problem.message


def assert_undisturbed(folder: Path) -> None:
    registry = localreg.open(folder, actor="ana")
    assert [row["name"] for row in registry.models().dicts()] == ["one", "mine"]
    assert len(registry.audit()) == 4
    registry.create_model("next")
    assert localreg.open(folder).commit == 3
    assert (folder / "namespaces/default" / entry_path(3)).exists()


@pytest.mark.parametrize("name", COPIES)
def test_a_lost_commit_of_another_machine_is_told_with_what_it_did(folders: tuple[Path, Path], name: str) -> None:
    here, there = folders
    place(here, name, (log(there) / f"{NUMBER}.parquet").read_bytes())
    path, code, message = told(here)
    assert (path, code) == (f"log/{name}", "stray_file")
    for part in (
        "conflict copy",
        "commit 2",
        "ben create model 'theirs'",
        "ben create model 'c'",
        "1 more",
        "do again here",
    ):
        assert part in message
    assert_undisturbed(here)


@pytest.mark.parametrize("name", COPIES)
def test_a_mere_copy_of_an_entry_is_told_as_such(folders: tuple[Path, Path], name: str) -> None:
    here, _ = folders
    place(here, name, (log(here) / f"{NUMBER}.parquet").read_bytes())
    _, code, message = told(here)
    assert code == "stray_file"
    assert "is a copy of the entry" in message
    assert_undisturbed(here)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (f"._{NUMBER}.parquet", "macOS"),
        (".DS_Store", "no entry of this log"),
        ("Thumbs.db", "no entry of this log"),
        ("2.parquet", "no entry of this log"),
        ("00000000000000000000.parquet", "no entry of this log"),
        (f"{NUMBER} (1).parquet", "no entry of this log"),
        ("٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٢.parquet", "no entry of this log"),
        ("9" * 200 + ".parquet", "no entry of this log"),
        ("back\\slash.parquet", "no entry of this log"),
        ("new\nline.parquet", "no entry of this log"),
    ],
)
def test_what_holds_no_events_is_told_and_not_taken_for_more(folders: tuple[Path, Path], name: str, said: str) -> None:
    here, _ = folders
    place(here, name, b"whatever")
    path, code, message = told(here)
    assert (path, code) == (f"log/{name}", "stray_file")
    assert said in message
    assert_undisturbed(here)


def test_an_entry_that_was_renamed_is_told_where_it_belongs(folders: tuple[Path, Path]) -> None:
    here, _ = folders
    entry = log(here) / f"{NUMBER}.parquet"
    entry.rename(log(here) / COPIES[0])
    _, code, message = told(here)
    assert code == "stray_file"
    assert f"{entry_path(2)} is missing: rename it back" in message
    entry_back = log(here) / COPIES[0]
    entry_back.rename(entry)
    assert_undisturbed(here)


def test_a_file_of_a_huge_number_costs_no_more_than_a_line(folders: tuple[Path, Path]) -> None:
    here, _ = folders
    place(here, "9" * 20 + ".parquet", b"whatever")
    problems = localreg.open(here).verify().problems
    assert [problem.code for problem in problems] == ["entry_missing"] * 101 + ["entry_torn"]
    assert f"all up to {entry_path(10**20 - 2)} are missing" in problems[100].message


def test_a_copy_far_behind_the_end_is_no_gap(folders: tuple[Path, Path]) -> None:
    here, there = folders
    data = (log(there) / f"{NUMBER}.parquet").read_bytes()
    place(here, "00000000000000000009 (1).parquet", data)
    assert [problem.code for problem in Registry(localreg.open(here)._session).verify().problems] == ["stray_file"]
    assert_undisturbed(here)
