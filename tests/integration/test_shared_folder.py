"""Colleagues of one group with private umasks: nobody locks the others out of anything."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import localreg
from tests.users import open_folder

TEAM = 61_000
ANA, BEN = 61_001, 61_002
PROJECT = Path(__file__).parents[2]
PATIENCE_S = 120

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="becomes other users: needs root"),
]


@pytest.fixture(params=["their primary group", "handed down by the folder"])
def share(request: pytest.FixtureRequest) -> Iterator[tuple[Path, bool]]:
    """A folder of the team, outside of those that pytest closes to others; whether the team is all's primary group."""
    with open_folder() as folder:
        inner = folder / "share"
        inner.mkdir()
        os.chown(inner, 0, TEAM)
        primary = request.param == "their primary group"
        inner.chmod(0o770 if primary else 0o2770)
        yield inner / "registry", primary


def work(place: Path, name: str, uid: int, *, primary: bool) -> None:
    group = TEAM if primary else uid
    command = [sys.executable, "-m", "tests.integration.colleague", str(place), name, str(uid), str(group), str(TEAM)]
    run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert run.returncode == 0, run.stderr


def test_colleagues_with_private_umasks_work_on_one_registry_both_ways(share: tuple[Path, bool]) -> None:
    place, primary = share
    work(place, "ana", ANA, primary=primary)
    work(place, "ben", BEN, primary=primary)
    work(place, "ana-again", ANA, primary=primary)
    made = [place, *place.rglob("*")]
    assert {path.stat().st_uid for path in made} == {ANA, BEN}
    kinds = {path.relative_to(place / "namespaces/default").parts[0] for path in made if "default" in path.parts[-3:-1]}
    assert {"log", "data", "snapshots", "tmp"} <= kinds
    assert (place / "namespaces/default/tmp/queue.lock").exists()
    for path in made:
        status = path.stat()
        assert status.st_gid == TEAM, path
        wanted = 0o2770 if stat.S_ISDIR(status.st_mode) else 0o660
        assert stat.S_IMODE(status.st_mode) == wanted, path
    assert localreg.open(place).verify().ok


def test_a_stranger_to_the_group_is_told_that_he_may_not(share: tuple[Path, bool]) -> None:
    place, primary = share
    work(place, "ana", ANA, primary=primary)
    command = [sys.executable, "-m", "tests.integration.colleague", str(place), "eve", "61003", "61003"]
    run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert run.returncode == 1
    assert re.search(r"StorageError: cannot read .*localreg\.json: Permission denied", run.stderr)
