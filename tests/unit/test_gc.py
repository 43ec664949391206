"""Garbage collection: what nobody names goes, in time, and nothing else ever does, whoever sleeps meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest

import localreg
from localreg import AccessDeniedError, ConflictError, GarbageReport, InvalidInputError, ReadOnlyError, Registry
from localreg.artifacts.content import file_of
from localreg.canonical import JsonObject, canonical
from localreg.errors import StorageError
from localreg.log import Change
from localreg.names import new_id
from localreg.records.files import FilePointer
from localreg.session.presence import Presence
from localreg.storage import MemoryStore
from localreg.upkeep.notes import NOTES
from localreg.workflow import open_parts, test
from tests.compat.independent_reader import Namespace
from tests.garbage import Clocks, collected, lay, there
from tests.pictures import Guess, Picture, TestCase, TestSuite, Truth, TypedModel
from tests.signing import LogFolder, signed_registry

PATIENCE_S = 30


@pytest.fixture(autouse=True)
def clocks() -> Iterator[Clocks]:
    with Clocks.set() as clocks:
        yield clocks


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "registry"


@pytest.fixture(params=["disk", "memory"])
def registry(request: pytest.FixtureRequest, folder: Path) -> Registry:
    place = folder if request.param == "disk" else MemoryStore.named(request.node.name).uri
    registry = localreg.open(place, actor="ana")
    registry.create_model("m")
    return registry


@pytest.fixture
def disk(folder: Path) -> Registry:
    registry = localreg.open(folder, actor="ana")
    registry.create_model("m")
    return registry


@pytest.fixture
def other(registry: Registry) -> Registry:
    return localreg.open(registry.uri, actor="ben")


# --- the way of garbage -----------------------------------------------------------------------------------------------


def test_what_a_dead_writer_left_is_seen_condemned_and_deleted_a_grace_period_apart(
    registry: Registry, clocks: Clocks
) -> None:
    part = lay(registry)
    content = lay(registry, f"artifacts/ab/{'ab' * 32}-{new_id()}", b"content")
    assert collected(registry) == {"uploads see": 2}
    assert collected(registry) == {"uploads wait": 2}
    clocks.pass_days(6.9)
    assert collected(registry) == {"uploads wait": 2}
    clocks.pass_days(0.2)
    commit = registry.commit or 0
    assert collected(registry) == {"uploads condemn": 2}
    assert (registry.commit, there(registry)) == (commit + 1, {part, content})
    (event,) = registry.audit(since=commit)
    assert (event["kind"], event["action"], event["actor"]) == ("namespace", "condemn", "ana")
    assert collected(registry) == {"condemned wait": 2}
    clocks.pass_days(6.9)
    assert collected(registry) == {"condemned wait": 2}
    clocks.pass_days(0.2)
    assert collected(registry) == {"condemned delete": 2}
    assert (there(registry), collected(registry)) == (set(), {})
    assert registry._session.store.get(NOTES) is None, "nothing is left to note"
    assert registry.verify().ok
    assert registry.commit == commit + 1


def test_a_dry_run_tells_the_same_and_writes_nothing(registry: Registry, clocks: Clocks) -> None:
    lay(registry)
    store = registry._session.store
    for _ in range(3):
        before = {path: store.get(path) for path in [*store.list(""), *store.list("tmp")]}
        told = registry.gc()
        assert {path: store.get(path) for path in [*store.list(""), *store.list("tmp")]} == before
        assert told.dry_run
        done = registry.gc(dry_run=False)
        assert done.garbage == told.garbage
        assert not done.dry_run
        clocks.pass_days(7)
    assert there(registry) == set()


def test_the_report_says_what_comes_and_when(registry: Registry, clocks: Clocks) -> None:
    assert str(registry.gc()) == "no garbage"
    lay(registry, data=b"x" * 1500)
    told = registry.gc(grace="2d")
    assert str(told) == (
        "a dry run changes nothing; what is due:\n"
        "uploads: 1 file (1.5 kB) seen for the first time; condemned in 2 days if they stay as they are, and deleted "
        "2 days later"
    )
    assert repr(told) == "<GarbageReport: 0 condemned, 0 deleted, dry run>"
    registry.gc(dry_run=False)
    clocks.pass_days(1)
    assert "waiting; condemned in 24 hours" in str(registry.gc(grace="2d")).replace("1 day,", "24 hours,")
    clocks.pass_days(1)
    report = registry.gc(grace=timedelta(days=2), dry_run=False, message="tidy")
    assert (report.condemned, report.deleted) == (1, 0)
    assert str(report) == "uploads: 1 file (1.5 kB) condemned; deleted in 2 days"
    assert [row["message"] for row in registry.audit(since=1)] == ["tidy"]
    clocks.pass_days(2)
    report = registry.gc(grace="2d", dry_run=False)
    assert (report.condemned, report.deleted) == (0, 1)
    assert isinstance(report, GarbageReport)


def test_what_a_commit_names_is_never_touched(disk: Registry, clocks: Clocks, folder: Path) -> None:
    with localreg.use(disk):
        TestSuite("suite", test_cases=[TestCase("case", test_samples=[(Picture(1), Truth("1"))])])
        test(TypedModel("typed", lambda sample: Guess(str(sample.number))), TestSuite("suite"))
    disk.get_model("m").upload(b"weights", name="w")
    with disk.experiment("e") as experiment:
        experiment.log({"loss": 1.0}, step=1)
        experiment.event("begun")
    before = there(disk)
    lay(disk)
    for _ in range(4):
        collected(disk)
        clocks.pass_days(8)
    assert there(disk) == before
    assert disk.verify().ok
    assert len(Namespace(folder).of("condemned_file")) == 1, "a stranger reads it, too"


def test_a_file_that_was_committed_between_the_listing_and_the_look_is_no_garbage(
    registry: Registry, other: Registry, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, sizes = registry._session.store, registry._session.store.sizes

    def listed(prefix: str) -> Any:
        found = list(sizes(prefix))
        other.get_model("m").upload(b"in between", name=new_id())
        return iter(found)

    monkeypatch.setattr(store, "sizes", listed)
    for _ in range(3):
        assert collected(registry) == {}
        clocks.pass_days(8)


def test_a_file_that_still_grows_is_not_given_up(registry: Registry, clocks: Clocks) -> None:
    path = f"data/inferences/{new_id()}/{new_id()}.parquet"
    for length in range(3):
        registry._session.store.delete(path)
        lay(registry, path, b"x" * length)
        assert collected(registry) == {"uploads see": 1}
        clocks.pass_days(8)
    assert collected(registry) == {"uploads condemn": 1}


@pytest.mark.parametrize(
    "path",
    [
        "data/notes.txt",
        "data/inferences/readme.parquet",
        f"data/inferences/{'a' * 32}/{'b' * 32} (conflicted copy).parquet",
        f"artifacts/ab/{'ab' * 32}",
        "snapshots/of mine.parquet",
        "log/00000000000000000009 2.parquet",
        "mine/too.parquet",
    ],
)
def test_what_localreg_would_not_have_written_is_left_alone(registry: Registry, clocks: Clocks, path: str) -> None:
    registry._session.store.put(path, b"somebody's")
    for _ in range(3):
        assert collected(registry) == {}
        clocks.pass_days(8)
    assert registry._session.store.get(path) == b"somebody's"


def test_temporary_files_go_without_a_commit(disk: Registry, folder: Path, clocks: Clocks) -> None:
    left = [folder / "namespaces/default" / name for name in ("tmp/.entry.0011.tmp", "log/.x.tmp", "tmp/old.json")]
    for path in left:
        path.write_bytes(b"on its way")
    commit = disk.commit
    assert collected(disk) == {"leftovers see": 3}
    clocks.pass_days(7)
    assert collected(disk) == {"leftovers delete": 3}
    assert not [path for path in left if path.exists()]
    assert disk.commit == commit


def test_notes_that_are_lost_or_damaged_only_make_it_wait_anew(registry: Registry, clocks: Clocks) -> None:
    lay(registry)
    store = registry._session.store
    for data in (None, b"{", b"[]", b'{"layout":2,"looks":[]}', b'{"layout":1,"looks":[{"commit":"1"}]}', b"\xff"):
        assert collected(registry) == {"uploads see": 1}
        clocks.pass_days(8)
        if data is None:
            store.delete(NOTES)
        else:
            store.put(NOTES, data)
    assert collected(registry) == {"uploads see": 1}


def test_a_clock_elsewhere_that_is_years_ahead_lets_no_time_pass(registry: Registry, clocks: Clocks) -> None:
    clocks.off["future"] = timedelta(days=9000)
    lay(registry)
    for number in range(4):
        with clocks.at("future" if number % 2 else "desk"):
            registry.create_model(f"by {number}")
            assert collected(registry) == {f"uploads {'wait' if number else 'see'}": 1}
    clocks.pass_days(7)
    with clocks.at("future"):  # which has seen these seven days, too
        assert collected(registry) == {"uploads condemn": 1}
        assert collected(registry) == {"condemned wait": 1}
    assert collected(registry) == {"condemned wait": 1}


def test_a_clock_that_is_set_back_only_makes_it_wait_longer(registry: Registry, clocks: Clocks) -> None:
    lay(registry)
    collected(registry)
    clocks.pass_days(5)
    clocks.off["desk"] = timedelta(days=-9000)
    assert collected(registry) == {"uploads wait": 1}
    clocks.pass_days(6)
    assert collected(registry) == {"uploads wait": 1}
    clocks.pass_days(2)
    assert collected(registry) == {"uploads condemn": 1}


# --- who may, and where -----------------------------------------------------------------------------------------------


def test_only_owners_collect_and_everybody_may_ask(registry: Registry, other: Registry) -> None:
    registry.grant("ben", "writer")
    lay(registry)
    assert len(other.gc().garbage) == len(other.retain().garbage) + 1 == 1
    for act in (other.gc, other.retain):
        with pytest.raises(AccessDeniedError, match="'owner'"):
            act(dry_run=False)
    assert collected(registry) == {"uploads see": 1}


def test_within_a_transaction_or_read_only_it_is_refused(registry: Registry) -> None:
    lay(registry)
    with registry.transaction():
        for act in (registry.gc, registry.retain):
            with pytest.raises(InvalidInputError, match="commits by itself"):
                act()
    for reader in (localreg.open(registry.uri, read_only=True), registry.at(commit=1)):
        assert [each.step for each in reader.gc().garbage] == ["see"]
        for act in (reader.gc, reader.retain):
            with pytest.raises(ReadOnlyError):
                act(dry_run=False)


@pytest.mark.parametrize("grace", ["", "7", "-1d", "1e9d", "99999999999w", timedelta(days=-1), 7, None])
def test_a_grace_that_is_none_is_refused(registry: Registry, grace: Any) -> None:
    with pytest.raises(InvalidInputError, match="grace"):
        registry.gc(grace=grace)
    with pytest.raises(InvalidInputError, match="deleted"):
        registry.retain(deleted=grace)


def test_a_namespace_without_commits_gets_none(tmp_path: Path, clocks: Clocks) -> None:
    registry = localreg.open(tmp_path / "registry")
    lay(registry)
    for _ in range(3):
        registry.gc(dry_run=False)
        clocks.pass_days(8)
    assert not registry.commit


def test_where_listings_tell_no_lengths_it_asks_for_them(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_sizes(_: str) -> Any:
        raise StorageError("listings tell none", code="no_sizes")

    lay(registry, data=b"x" * 1500)
    monkeypatch.setattr(registry._session.store, "sizes", no_sizes)
    assert [(each.files, each.bytes) for each in registry.gc().garbage] == [(1, 1500)]


# --- writers that sleep -----------------------------------------------------------------------------------------------


def asleep(registry: Registry, monkeypatch: pytest.MonkeyPatch, verb: str, act: Callable[[], object]) -> None:
    """Let a writer sleep where it would publish, or delete, the next time, while others act."""
    store = registry._session.store
    go_on = getattr(store, verb)

    def woken(path: str, *args: Any, **how: Any) -> Any:
        if path.startswith("log/") or verb == "delete":
            monkeypatch.setattr(store, verb, go_on)
            act()
        return go_on(path, *args, **how)

    monkeypatch.setattr(store, verb, woken)


def collects(registry: Registry, clocks: Clocks, times: int) -> Callable[[], object]:
    def act() -> None:
        for _ in range(times):
            registry.gc(dry_run=False)
            clocks.pass_days(8)

    return act


def record(registry: Registry, number: int) -> object:
    with localreg.use(registry):
        return TestCase(f"case {number}", test_samples=[(Picture(number), Truth("1"))])


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_writer_that_slept_between_staging_and_commit_is_done_or_refused_and_can_do_it_again(
    registry: Registry, other: Registry, clocks: Clocks, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    asleep(registry, monkeypatch, "put_if_absent", collects(other, clocks, times))
    if times == 1:  # seen only: nothing was given up
        record(registry, 1)
    else:
        with pytest.raises(ConflictError, match="given up by garbage collection") as caught:
            record(registry, 1)
        assert caught.value.code == "file_condemned"
        record(registry, 1)
    for _ in range(3):
        collects(other, clocks, 1)()
    assert other.sql("SELECT count(*) AS n FROM test_samples").dicts() == [{"n": 1}]
    assert other.verify().ok


def test_a_writer_that_slept_within_an_upload_stores_it_anew_by_itself(
    registry: Registry, other: Registry, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    asleep(registry, monkeypatch, "put_if_absent", collects(other, clocks, 3))
    artifact = registry.get_model("m").upload(b"weights", name="w")
    assert b"".join(artifact.stream()) == b"weights"
    collects(other, clocks, 3)()
    assert b"".join(other.get_model("m").get_artifact("w").stream()) == b"weights"
    assert other.verify().ok


def test_who_takes_over_a_dead_writers_content_that_is_being_given_up_stores_it_anew(
    registry: Registry, other: Registry, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hashlib import sha256

    content = sha256(b"weights").hexdigest()
    left = lay(registry, f"artifacts/{content[:2]}/{content}-{new_id()}", b"weights")
    other.gc(dry_run=False)
    clocks.pass_days(8)
    asleep(registry, monkeypatch, "put_if_absent", collects(other, clocks, 2))
    artifact = registry.get_model("m").upload(b"weights", name="w")
    pointer = file_of(registry._session.state(), content)
    assert pointer is not None
    assert pointer.path != left
    assert there(registry) == {pointer.path}
    assert b"".join(artifact.stream()) == b"weights"


def test_a_collection_that_slept_before_its_commit_spares_what_was_committed_meanwhile(
    registry: Registry, other: Registry, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hashlib import sha256

    content = sha256(b"weights").hexdigest()
    left = lay(registry, f"artifacts/{content[:2]}/{content}-{new_id()}", b"weights")
    registry.gc(dry_run=False)
    clocks.pass_days(8)
    asleep(registry, monkeypatch, "put_if_absent", lambda: other.get_model("m").upload(b"weights", name="w"))
    registry.gc(dry_run=False)
    assert not registry._session.state().is_condemned(left)
    assert b"".join(registry.get_model("m").get_artifact("w").stream()) == b"weights"
    collects(registry, clocks, 3)()
    assert there(registry) == {left}


def test_a_commit_whose_temporary_file_was_taken_lands_all_the_same(
    disk: Registry, folder: Path, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = localreg.open(folder)
    store: Any = disk._session.store
    stage, staged = store._stage, list[str]()

    def sleeps(*args: Any, **how: Any) -> str:
        temporary = str(stage(*args, **how))
        if not staged:
            staged.append(temporary)
            collects(other, clocks, 2)()
        return temporary

    monkeypatch.setattr(store, "_stage", sleeps)
    disk.create_model("slept")
    assert not Path(staged[0]).exists()
    assert [model["name"] for model in other.models()] == ["m", "slept"]
    assert other.verify().ok


def test_two_collections_at_once_condemn_each_file_once(
    registry: Registry, other: Registry, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {lay(registry) for _ in range(3)}
    registry.gc(dry_run=False)
    clocks.pass_days(8)
    asleep(registry, monkeypatch, "put_if_absent", lambda: other.gc(dry_run=False))
    registry.gc(dry_run=False)
    assert (registry.commit, there(registry)) == (2, paths)
    clocks.pass_days(8)
    asleep(registry, monkeypatch, "delete", lambda: other.gc(dry_run=False))
    registry.gc(dry_run=False)
    assert (registry.commit, there(registry)) == (2, set())


def test_collections_and_compaction_beside_writers_lose_nothing(folder: Path) -> None:
    registry = localreg.open(folder)
    errors: list[BaseException] = []

    def runs(act: Callable[[Registry, int], object]) -> threading.Thread:
        def go() -> None:
            mine = localreg.open(folder)
            try:
                for number in range(12):
                    act(mine, number)
            except BaseException as error:
                errors.append(error)
                raise

        thread = threading.Thread(target=go)
        thread.start()
        return thread

    def stores(mine: Registry, number: int) -> None:
        for _ in count():
            try:
                with localreg.use(mine):
                    TestCase(f"case {number}", test_samples=[(Picture(number), Truth("x"))])
                break
            except ConflictError as error:
                if error.code != "file_condemned":
                    raise

    upload = runs(lambda mine, number: mine.create_model(f"m{number}").upload(bytes([number]) * 9, name="w"))
    others = [
        runs(stores),
        runs(lambda mine, _: mine.gc(grace="0s", dry_run=False)),
        runs(lambda mine, _: mine.compact()),
    ]
    for thread in (upload, *others):
        thread.join(PATIENCE_S)
    assert errors == []
    for number in range(12):
        assert b"".join(registry.get_model(f"m{number}").get_artifact("w").stream()) == bytes([number]) * 9
    assert registry.sql("SELECT count(*) AS n FROM test_samples").dicts() == [{"n": 12}]
    assert registry.verify().ok


# --- experiments and test runs ----------------------------------------------------------------------------------------

KILLED = """
import os, sys, localreg
experiment = localreg.open({folder!r}).experiment("e", flush_every=0.001)
for step in range(20):
    experiment.log({{"loss": float(step)}}, step=step)
experiment._recorder.flush()
experiment.log({{"loss": 20.0}}, step=20)
os._exit(9)
"""


def test_what_a_killed_experiment_logged_waits_until_it_is_closed(disk: Registry, folder: Path, clocks: Clocks) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    killed = subprocess.run([sys.executable, "-c", KILLED.format(folder=str(folder))], env=environment)
    assert killed.returncode == 9, "it died where it should"
    for _ in range(4):
        collected(disk)
        clocks.pass_days(30)
    assert [each.name for each in disk.recover_experiments()] == ["e"]
    steps = [point["step"] for point in disk.sql("SELECT step FROM metric_points ORDER BY step").dicts()]
    assert steps == list(range(21))
    assert collected(disk) == {}


def open_part(registry: Registry, table: str, owner: str, writer: str | None = None, number: int = 1) -> str:
    return lay(registry, f"data/{table}/{owner}/open-{writer or new_id()}-{number:08}.parquet")


def test_of_an_experiment_only_what_the_log_has_goes(registry: Registry, clocks: Clocks) -> None:
    with registry.experiment("e") as experiment:
        experiment.log({"loss": 1.0}, step=1)
    id = experiment.id
    (row,) = registry._session.state().children("file", id)
    writer, number = cast("list[list[Any]]", cast(JsonObject, row.fields["details"])["segments"])[0]
    twice = open_part(registry, "metric_points", id, writer, number)
    unnamed = open_part(registry, "metric_points", id)
    of_nobody = open_part(registry, "events", new_id())
    spool = f"tmp/spool/{id}/metric_points/{new_id()}-00000001.jsonl"
    spent = f"tmp/spool/{id}/metric_points/{writer}-{number:08}.jsonl"
    for path in (spool, spent):
        registry._session.store.put(path, b"[]\n")
    assert collected(registry) == {"open parts see": 2, "leftovers see": 1}
    for _ in range(3):
        clocks.pass_days(8)
        collected(registry)
    assert there(registry) == {row.id, unnamed, spool}
    assert twice
    assert of_nobody


def test_nothing_of_a_running_experiment_is_touched(registry: Registry, clocks: Clocks) -> None:
    with registry.experiment("e", flush_every=600) as experiment:
        for step in range(3):
            experiment.log({"loss": 1.0}, step=step)
            recorder = experiment._recorder
            assert recorder is not None
            recorder.flush()
            assert collected(registry) == {}
            clocks.pass_days(30)
    assert [row["step"] for row in registry.sql("SELECT step FROM metric_points ORDER BY step")] == [0, 1, 2]


def test_open_parts_of_test_runs_stay_while_any_run_is_under_way(registry: Registry, clocks: Clocks) -> None:
    store, run = registry._session.store, f"inferences-{new_id()}-{new_id()}"
    paths = {open_part(registry, table, new_id()) for table in ("inferences", "resets", "embeddings-reset")}
    claim = f"tmp/test_runs/{run}/{1:020}.json"
    store.put(claim, b"{}")
    with Presence(store, f"tmp/test_runs/{run}/writers", new_id()).shown():
        for _ in range(3):
            assert collected(registry) == {}
            clocks.pass_days(30)
    assert collected(registry) == {"open parts see": 3, "leftovers see": 1}
    clocks.pass_days(8)
    collected(registry)
    assert {path for path in there(registry) if not registry._session.state().is_condemned(path)} == set()
    assert there(registry) == paths


def test_a_writer_elsewhere_is_dead_once_it_shows_no_sign_of_life_for_the_grace(
    registry: Registry, clocks: Clocks
) -> None:
    store, writer = registry._session.store, new_id()
    sign = f"tmp/test_runs/{new_id()}/writers/{writer}.json"
    open_part(registry, "inferences", new_id())

    def renew(renewed: int) -> None:
        said = {"host": "rack", "boot": "elsewhere", "pid": 1, "started": 1, "renewed": renewed}
        store.put(sign, canonical(cast(JsonObject, said)).encode())

    for renewed in range(3):
        renew(renewed)
        assert collected(registry) == {"leftovers see": 1}, "alive: its parts are no garbage"
        clocks.pass_days(8)
    assert collected(registry) == {"leftovers delete": 1, "open parts see": 1}
    clocks.pass_days(8)
    assert collected(registry) == {"open parts condemn": 1}


def test_a_torn_sign_of_life_counts_as_one_until_it_is_old(registry: Registry, clocks: Clocks) -> None:
    sign = f"tmp/test_runs/{new_id()}/writers/{new_id()}.json"
    registry._session.store.put(sign, b"{")
    open_part(registry, "inferences", new_id())
    assert collected(registry) == {"leftovers see": 1}
    clocks.pass_days(8)
    assert collected(registry) == {"leftovers delete": 1, "open parts see": 1}


@pytest.mark.parametrize("reset", [False, True])
def test_a_run_whose_open_parts_vanished_is_not_committed_as_if_it_were_whole(
    disk: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch, reset: bool
) -> None:
    monkeypatch.setattr(open_parts, "KEPT_BYTES", 0)
    number = 4
    vanish = True

    def infer(sample: Picture) -> Guess:
        if sample.number == number - 1 and vanish:
            for path in folder.rglob("open-*.parquet"):
                path.unlink()
        return Guess(str(sample.number))

    with localreg.use(disk):
        TestCase("case", test_samples=[(Picture(each), Truth(str(each))) for each in range(number)])
        suite = TestSuite("suite", test_cases=[TestCase("case")])
        model = TypedModel("typed", infer)
        if reset:
            vanish = False
            test(model, suite)
            vanish = True
        with pytest.raises(StorageError, match="open parts were deleted") as caught:
            test(model, suite, reset=reset)
        assert caught.value.code == "open_parts_gone"
        vanish = False
        test(model, suite, reset=reset)
    rows = disk.sql("SELECT count(DISTINCT sample_idx) AS n FROM inferences WHERE status = 'ok'").dicts()
    assert rows == [{"n": number}]
    assert disk.verify().ok


# --- where signers are listed -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("by", "step"), [("eve", "wait"), ("ana", "condemn")])
def test_only_what_a_signer_signed_tells_the_time(tmp_path: Path, clocks: Clocks, by: str, step: str) -> None:
    clocks.host, clocks.true = "laptop", datetime(2025, 12, 1, tzinfo=UTC)  # forged entries are a month later, there
    with signed_registry(tmp_path) as registry:
        lay(registry)
        assert collected(registry) == {"uploads see": 1}
        for name in ("n", "o"):
            registry.create_model(name)
        log, last = LogFolder(registry), registry.commit
        log.write(last + 1, log.forged(by, after=last, number=last + 1))
        assert collected(registry) == {f"uploads {step}": 1}
        assert registry.verify().ok


def test_what_nobody_signed_gives_up_no_file(tmp_path: Path, clocks: Clocks) -> None:
    with signed_registry(tmp_path) as registry:
        registry.create_model("a").upload(b"weights", name="weights")
        log, row = LogFolder(registry), next(iter(registry._session.state().rows("file")))
        condemn = Change("namespace", "condemn", new_id(), "default", files=(FilePointer.from_json(row.fields),))
        for by in ("eve", None):
            number = log.last + 1
            log.write(number, log.forged(by, after=registry.commit, number=number, changes=[condemn]))
        for _ in range(4):
            assert collected(registry) == {}
            clocks.pass_days(8)
        assert row.name in there(registry)
        assert not registry._session.state().is_condemned(row.name)


def test_a_commit_that_gives_up_entries_of_the_log_has_none_deleted(disk: Registry) -> None:
    """Whoever may commit may write anything into an event, and the owner runs the collection."""
    disk.create_model("n")
    place = Path(disk._session.store.uri)
    named = [path.relative_to(place).as_posix() for path in place.rglob("log/*")]
    files = tuple(FilePointer(path, "log", "", 0, 0, "", {}) for path in [*named, "protection.json", "tmp/queue.lock"])

    def forge(changes: Any) -> None:
        changes.note(changes.draft.children("model")[0], action="condemn", files=files)

    disk._session.change(forge)
    disk.gc(grace="0s", dry_run=False)
    assert all((place / path).exists() for path in named)
    assert disk.verify().ok
