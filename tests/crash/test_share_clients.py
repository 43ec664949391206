"""Several clients of one share, each with a view of its own: what they remember of it is old, and nothing is lost."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import localreg
from localreg import Registry
from localreg.errors import IntegrityError, StorageError, UnknownOutcomeError
from tests.crash.scenarios import short_spans, upload_and_run
from tests.fuse import Share, mounted_share

pytestmark = pytest.mark.root

PROJECT = Path(__file__).parents[2]
PATIENCE_S = 120
COMMITS = 12


def entry(number: int) -> str:
    return f"*/log/{number:020}.parquet"


def models(share: Share, *, whole: bool = True) -> list[str]:
    """What the server has, in order; all digests hold, and each was made once."""
    with localreg.open(share.behind / "r", actor="server") as registry:
        report = registry.verify()
        assert report.ok, report
        made = [str(row["name"]) for row in registry.audit(kind="model") if row["action"] == "create"]
        assert sorted(made) == sorted(row["name"] for row in registry.models())
        assert not whole or registry.commit == len(made)
        return made


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Share, Share]]:
    with mounted_share(tmp_path, clients=2) as (one, two):
        yield one, two


@pytest.fixture
def opened(pair: tuple[Share, Share]) -> tuple[Registry, Registry]:
    """Ana's handle on the one client, and Ben's on the other, after one commit."""
    ana, ben = (localreg.open(share.path / "r", actor=actor) for share, actor in zip(pair, ("ana", "ben"), strict=True))
    ana.create_model("first")
    assert ben.commit == 1
    return ana, ben


@pytest.fixture
def unpaused(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    pauses: list[int] = []
    monkeypatch.setattr("localreg.log.publish.pause", pauses.append)
    monkeypatch.setattr("localreg.log.patience.pause", pauses.append)
    monkeypatch.setattr("localreg.session.turns.LONGEST_PAUSE_S", 0.0)
    return pauses


# Names that are there and do not show


@pytest.mark.parametrize("looks", [1, 2, 3, 4, 7, 12])
def test_a_writer_who_does_not_see_the_others_entry_puts_his_own_behind_it(
    pair: tuple[Share, Share], opened: tuple[Registry, Registry], unpaused: list[int], looks: int
) -> None:
    ana, ben = opened
    ana.create_model("second")
    pair[1].hide(entry(2), looks=looks)
    ben.create_model("third")
    assert models(pair[0]) == ["first", "second", "third"]
    assert ana.commit == ben.commit == 3


def test_a_writer_to_whom_the_others_entry_never_shows_says_that_he_does_not_know(
    pair: tuple[Share, Share], opened: tuple[Registry, Registry], unpaused: list[int]
) -> None:
    ana, ben = opened
    ana.create_model("second")
    pair[1].hide(entry(2))
    with pytest.raises(UnknownOutcomeError) as caught:
        ben.create_model("third")
    pair[1].clear()
    assert ben.resolve(caught.value.commit_id, commit=caught.value.commit) is None
    ben.create_model("third")
    assert models(pair[0]) == ["first", "second", "third"]


def test_a_reader_who_does_not_see_the_newest_entry_shows_an_older_state_and_then_the_newest(
    pair: tuple[Share, Share], opened: tuple[Registry, Registry]
) -> None:
    ana, ben = opened
    ana.create_model("second")
    pair[1].hide(entry(2), looks=2)
    assert [row["name"] for row in ben.models()] == ["first"]
    assert [row["name"] for row in ben.models()] == ["first", "second"]


@pytest.mark.parametrize("looks", [1, 2, 4])
def test_an_entry_in_the_middle_that_does_not_show_is_no_loss(
    pair: tuple[Share, Share], opened: tuple[Registry, Registry], unpaused: list[int], looks: int
) -> None:
    """Opening probes for the end, and beyond it for what was lost."""
    ana, ben = opened
    for name in ("second", "third", "fourth", "fifth"):
        ana.create_model(name)
    pair[1].hide(entry(3), looks=looks)
    localreg.open(pair[1].path / "r", actor="ben").create_model("sixth")
    pair[1].clear()
    assert ben.commit == 6
    pair[1].hide(entry(3), looks=looks)
    assert len(ben.at(commit=4).models()) == 4
    assert models(pair[0]) == ["first", "second", "third", "fourth", "fifth", "sixth"]


def test_an_entry_that_is_lost_is_told_on_a_share_too(
    pair: tuple[Share, Share], opened: tuple[Registry, Registry], unpaused: list[int]
) -> None:
    for name in ("second", "third"):
        opened[0].create_model(name)
    (pair[0].behind / "r/namespaces/default/log/00000000000000000002.parquet").unlink()
    with pytest.raises(IntegrityError, match=r"00000000000000000002\.parquet is missing"):
        localreg.open(pair[1].path / "r", actor="ben").models()


def test_a_snapshot_that_shows_before_its_entry_is_no_rolled_back_log(
    pair: tuple[Share, Share], opened: tuple[Registry, Registry], unpaused: list[int]
) -> None:
    opened[0].create_model("second")
    opened[0].snapshot()
    pair[1].hide(entry(2), looks=3)
    assert len(localreg.open(pair[1].path / "r", actor="ben").models()) == 2


def test_a_part_that_a_commit_names_and_that_does_not_show_is_looked_for(
    pair: tuple[Share, Share], opened: tuple[Registry, Registry]
) -> None:
    ana, ben = opened
    for step in upload_and_run():
        step(ana)
    pair[1].hide("*/data/*.parquet", looks=1)
    assert ben.verify().ok


# Listings that are old


def test_listings_that_lack_what_is_there_hide_no_commit_from_verify(
    pair: tuple[Share, Share], opened: tuple[Registry, Registry]
) -> None:
    ana, ben = opened
    ana.create_model("second")
    ana.create_model("third")
    for hidden in (entry(3), entry(2), "*/log/*"):
        pair[1].hide(hidden, looks=0)
        report = ben.verify()
        assert (report.commits, report.ok) == (3, True), hidden
        pair[1].clear()


@pytest.mark.parametrize("path", ["*/snapshots/*", "*/history/*", "*/namespaces/*"])
def test_listings_that_lack_caches_or_namespaces_lose_no_record(
    pair: tuple[Share, Share], opened: tuple[Registry, Registry], path: str
) -> None:
    ana, _ = opened
    ana.create_model("second")
    ana.snapshot()
    pair[1].hide(path, looks=0)
    ben = localreg.open(pair[1].path / "r", actor="ben")
    assert len(ben.models()) == 2
    ben.create_model("third")
    assert models(pair[0]) == ["first", "second", "third"]


def test_files_that_are_gone_and_still_listed_disturb_nobody(
    pair: tuple[Share, Share], opened: tuple[Registry, Registry]
) -> None:
    ana, _ = opened
    with short_spans():
        for number in range(2, 20):
            ana.create_model(f"model {number}")
    folder = pair[0].behind / "r/namespaces/default"
    for path in [*folder.glob("snapshots/*.parquet"), *folder.glob("history/*")]:
        pair[1].ghost(f"/{path.relative_to(pair[0].behind)}")
        path.unlink()
    pair[1].ghost("/r/namespaces/default/tmp/.gone.tmp")
    ben = localreg.open(pair[1].path / "r", actor="ben")
    assert len(ben.models()) == 19
    ben.create_model("last")
    assert not [finding for finding in ben.doctor().problems if "snapshot" not in finding.what]
    assert models(pair[0])[-1] == "last"


def test_points_of_a_dead_process_that_a_listing_hides_are_found_by_the_next_look(
    pair: tuple[Share, Share], opened: tuple[Registry, Registry]
) -> None:
    program = (
        "import sys, os, localreg\n"
        "e = localreg.open(sys.argv[1]).experiment('e')\n"
        "e.log({'x': 1.0}, step=1); e.flush(); e.log({'x': 2.0}, step=2); e.flush(); e.log({'x': 3.0}, step=3)\n"
        "os._exit(9)"
    )
    run([sys.executable, "-c", program, str(pair[0].path / "r")], expected=9)
    pair[1].hide("*/data/*", looks=0, listings=40)
    pair[1].hide("*/tmp/spool/*", looks=0, listings=2)
    opened[1].recover_experiments()
    pair[1].clear()
    localreg.open(pair[1].path / "r", actor="ben").recover_experiments()
    experiment = localreg.open(pair[0].behind / "r").get_experiment("e")
    assert sorted(row["value"] for row in experiment.points("x", live=True)) == [1.0, 2.0, 3.0]


# Two at once


@pytest.mark.parametrize("kept_s", [0, 3600], ids=["no cache", "names are kept for an hour"])
def test_two_clients_commit_against_each_other_and_each_commit_lands_once(tmp_path: Path, kept_s: int) -> None:
    """The kernel keeps for an hour which names are there and which are not; only who commits has it look again."""
    with mounted_share(tmp_path, clients=2, kept_s=kept_s) as shares:
        localreg.open(shares[0].path / "r", actor="ana").create_model("first")
        program = (
            "import sys, localreg\n"
            "registry = localreg.open(sys.argv[1], actor=sys.argv[2])\n"
            f"for number in range({COMMITS}):\n"
            "    registry.create_model(f'{sys.argv[2]} {number}')\n"
        )
        commands = [[sys.executable, "-c", program, str(share.path / "r"), name] for share in shares for name in "ab"]
        named = [[*command[:-1], f"{command[-1]}{number}"] for number, command in enumerate(commands)]
        running = [threading.Thread(target=run, args=(command,)) for command in named]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        wanted = {f"{command[-1]} {number}" for command in named for number in range(COMMITS)} | {"first"}
        assert set(models(shares[0])) == wanted


def run(command: list[str], *, expected: int = 0, **environment: str) -> None:
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT), **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == expected, done.stderr


# Clocks


@pytest.mark.parametrize("years", [-30, 40])
def test_a_server_whose_clock_is_years_away_changes_nothing_and_is_told(tmp_path: Path, years: int) -> None:
    with mounted_share(tmp_path, clock_s=years * 31_557_600) as (share,), short_spans():
        registry = localreg.open(share.path / "r", actor="ana")
        for step in upload_and_run():
            step(registry)
        with registry.experiment("e") as experiment:
            experiment.log({"x": 1.0}, step=1)
        for number in range(12):
            registry.create_model(f"model {number}")
        assert registry.verify().ok
        assert registry.at(time=registry.audit().dicts()[-1]["time"]).commit == registry.commit
        report = registry.doctor()
        assert report.ok, report
        [told] = [finding.message for finding in report.findings if finding.what == "network share: clock"]
        assert ("ahead of" if years > 0 else "behind") in told
        assert re.search(r"[\d,]+ days", told)
        assert not list((share.behind / "r").glob(".localreg-*"))


def test_writers_whose_clocks_are_years_apart_keep_one_order(pair: tuple[Share, Share]) -> None:
    faketime = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
    if not faketime.exists():
        pytest.skip("libfaketime is not installed")
    program = (
        "import sys, localreg\n"
        "registry = localreg.open(sys.argv[1], actor=sys.argv[2])\n"
        "registry.create_model(sys.argv[2])\n"
        "with registry.experiment(sys.argv[2]) as experiment:\n"
        "    experiment.log({'x': 1.0}, step=1)\n"
        "assert registry.verify().ok\n"
    )
    offsets = ["+0y", "+30y", "-20y", "+5y"]
    for number, offset in enumerate(offsets):
        run(
            [sys.executable, "-c", program, str(pair[number % 2].path / "r"), f"writer {number}"],
            LD_PRELOAD=str(faketime),
            FAKETIME=offset,
            FAKETIME_DONT_FAKE_MONOTONIC="1",
        )
    registry = localreg.open(pair[0].behind / "r")
    assert models(pair[0], whole=False) == [f"writer {number}" for number in range(len(offsets))]
    rows = registry.audit().dicts()
    years = [row["time"].year for row in rows if row["kind"] == "model"]
    assert years[1] - years[0] in (29, 30, 31)
    assert years[0] - years[2] in (19, 20, 21)
    assert [row["commit"] for row in rows] == sorted(row["commit"] for row in rows)
    newest = max(row["time"] for row in rows)
    assert registry.at(time=newest).commit == registry.commit
    before = min(row["commit"] for row in rows if row["time"].year > years[0] + 20) - 1
    assert registry.at(time=rows[0]["time"].replace(year=years[0] + 1)).commit == before


# Names, deletions, and the mount itself


def test_names_of_any_script_stay_within_ascii_and_apart_without_case(tmp_path: Path) -> None:
    with mounted_share(tmp_path, case_insensitive=True, names=r"[A-Za-z0-9._-]{1,200}") as (share,), short_spans():
        registry = localreg.open(share.path / "r", actor="ana 🌱", namespace="vision/plates")
        for name in ('Größe: 模型 🌱 <a|b>?*\\"', "CON", "x/../y", "A", "a", "ä", "a\u0308"):
            registry.create_model(name, metadata={"🌱": name}, tags={"🌱"}, description=name)
        for step in upload_and_run():
            step(registry)
        file = tmp_path / "Größe: 🌱.txt"
        file.write_text("content")
        artifact = registry.get_model("A").create_version("v: 🌱").upload(file)
        artifact.download(tmp_path / "out")
        with registry.experiment("e: 🌱") as experiment:
            experiment.log({"x: 🌱": 1.0}, step=1)
        for number in range(10):
            registry.get_model("a").update(metadata={"n": number})
        assert registry.verify().ok
        assert registry.doctor().ok
        made = share.names()
        assert len({path.casefold() for path in made}) == len(set(made)), "some names differ in case alone"
        assert all(path.isascii() for path in made)
        assert len(localreg.open(share.behind / "r", namespace="vision/plates").models()) == 8


def test_files_that_are_deleted_while_they_are_open_are_no_files_of_a_registry(tmp_path: Path) -> None:
    with mounted_share(tmp_path, silly_rename=True) as (share,):
        registry = localreg.open(share.path / "r", actor="ana")
        for step in upload_and_run():
            step(registry)
        registry.snapshot()
        folder = share.path / "r/namespaces/default"
        doomed = [next(folder.glob("snapshots/*.parquet")), folder / "log/stray"]
        doomed[1].write_text("stray")
        held = [path.open("rb") for path in doomed]
        for path in doomed:
            path.unlink()
        left = [path.name for path in (share.behind / "r").rglob(".nfs*")]
        assert len(left) == len(doomed)
        again = localreg.open(share.path / "r", actor="ben")
        assert again.verify().ok
        assert again.doctor().ok
        again.create_model("last")
        for file in held:
            file.close()


def test_a_mount_that_vanishes_and_comes_back_is_gone_on_with(tmp_path: Path) -> None:
    with mounted_share(tmp_path) as (share,):
        registry = localreg.open(share.path / "r", actor="ana")
        registry.create_model("first")
        assert registry.sql("SELECT count(*) AS n FROM models").dicts() == [{"n": 1}]
        share.vanish()
        for act in (registry.models, lambda: registry.create_model("second"), lambda: registry.sql("SELECT 1")):
            with pytest.raises(StorageError):
                act()
        share.unmount()
        with pytest.raises(StorageError, match="unmounted, moved or emptied"):
            registry.create_model("second")
        assert list(share.path.iterdir()) == [], "nothing is written where the mount was"
        share.mount()
        registry.create_model("second")
        assert [row["name"] for row in registry.models()] == ["first", "second"]
        assert models(share) == ["first", "second"]


def test_nothing_of_a_share_is_mapped_into_memory(
    pair: tuple[Share, Share], opened: tuple[Registry, Registry], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages that a share takes away kill the process that has them mapped, and nothing can catch that."""
    opened[0].snapshot()
    mapped: list[str] = []
    memory_map = pa.memory_map
    monkeypatch.setattr("localreg.log.layer.LARGEST_READ", 0)

    def told(path: str) -> object:
        mapped.append(path)
        return memory_map(path)

    monkeypatch.setattr(pa, "memory_map", told)
    assert len(localreg.open(pair[1].path / "r").models()) == 1
    assert mapped == []
    assert len(localreg.open(pair[1].behind / "r").models()) == 1
    assert len(mapped) == 1, "where nobody takes files away, large ones are mapped"


def test_snapshots_that_cannot_be_read_any_more_are_told_and_gone_on_with(
    pair: tuple[Share, Share], opened: tuple[Registry, Registry]
) -> None:
    ana, ben = opened
    ana.snapshot()
    pair[1].fault("read", "EIO", path="*/snapshots/*")
    ben = localreg.open(pair[1].path / "r", actor="ben")
    assert len(ben.models()) == 1, "the log tells, too"
    ben.create_model("second")
    pair[1].clear()
    assert len(ben.models()) == 2
    assert models(pair[0]) == ["first", "second"]


# What is told


def test_the_doctor_says_which_share_it_is_and_what_that_means(tmp_path: Path) -> None:
    with mounted_share(tmp_path, subtype="nfs") as (share,):
        registry = localreg.open(share.path / "r", actor="ana")
        registry.create_model("first")
        told = {finding.what: finding for finding in registry.doctor().findings}
        assert told["network share"].level == "note"
        assert "fuse.nfs, server:/export at " in told["network share"].message
        assert told["network share: clock"].level == "ok"
        assert told["commit mode"].message == "link; tried, and it holds"
        assert not list((share.behind / "r").glob(".localreg-*"))
        there = localreg.open(share.behind / "r").doctor()
        assert not [finding for finding in there.findings if finding.what.startswith("network share")]
        told = {finding.what: finding for finding in localreg.open(share.path / "r", read_only=True).doctor().findings}
        assert "network share: clock" not in told
