"""Commits to a mounted share that fails, lies or is away: an error or a retry, never a false success."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import localreg
from localreg import Registry
from localreg.errors import LocalregError, ReadOnlyError, StorageError, UnknownOutcomeError
from localreg.log.patience import PAUSES_S
from tests.crash.scenarios import upload_and_run
from tests.fuse import Share, mounted_share

pytestmark = pytest.mark.root

LOG = "/r/namespaces/default/log/*"
TEMPORARY = "/r/namespaces/default/tmp/.*"
LIES = ["EEXIST", "EIO", "ETIMEDOUT", "ESTALE"]


@pytest.fixture(scope="module")
def _mount(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Share]:
    with mounted_share(tmp_path_factory.mktemp("share")) as (share,):
        yield share


@pytest.fixture
def share(_mount: Share) -> Iterator[Share]:
    """One mount for all tests of this file, emptied before each."""
    _mount.clear()
    if (_mount.behind / "r").exists():
        os.rename(_mount.behind / "r", _mount.behind / f"r-{len(os.listdir(_mount.behind))}")
    yield _mount
    _mount.clear()


@pytest.fixture
def registry(share: Share) -> Registry:
    """With one commit in it, so that folders are there."""
    registry = localreg.open(share.path / "r", actor="ana")
    registry.create_model("first")
    return registry


@pytest.fixture
def unpaused(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Nobody waits for what will never show; how often somebody would have."""
    pauses: list[int] = []
    monkeypatch.setattr("localreg.log.publish.pause", pauses.append)
    monkeypatch.setattr("localreg.log.patience.pause", pauses.append)
    return pauses


def stands(share: Share, *names: str) -> None:
    """The server has these models, each made by one commit, and all digests hold."""
    with localreg.open(share.behind / "r", actor="server") as registry:
        made = [row["name"] for row in registry.audit(kind="model") if row["action"] == "create"]
        assert sorted(made) == sorted(names)
        assert registry.commit == len(names)
        assert registry.verify().ok
        assert registry.verify().commits == len(names)


def left_behind(share: Share) -> list[str]:
    return [path.name for path in (share.behind / "r").rglob(".*") if path.is_file()]


# Links that lie


@pytest.mark.parametrize("error", LIES)
def test_a_link_that_succeeds_and_says_it_failed_is_a_success_and_lands_once(
    share: Share, registry: Registry, error: str
) -> None:
    share.fault("link", error, path=LOG, times=1, mode="after")
    registry.create_model("second")
    assert share.hits() == [1]
    registry.create_model("third")
    stands(share, "first", "second", "third")
    assert left_behind(share) == []


@pytest.mark.parametrize("error", LIES)
def test_a_link_that_always_lies_costs_nothing_but_looks(share: Share, registry: Registry, error: str) -> None:
    share.fault("link", error, path=LOG, mode="after")
    for name in ("second", "third"):
        registry.create_model(name)
    stands(share, "first", "second", "third")


@pytest.mark.parametrize("error", ["EIO", "ETIMEDOUT", "ESTALE", "EINTR"])
def test_a_link_that_failed_once_is_made_again(share: Share, registry: Registry, error: str) -> None:
    share.fault("link", error, path=LOG, times=1)
    registry.create_model("second")
    stands(share, "first", "second")


@pytest.mark.parametrize("looks", [1, 2, 5])
def test_what_exists_and_is_not_there_yet_is_looked_for_until_it_shows(
    share: Share, registry: Registry, unpaused: list[int], looks: int
) -> None:
    """ENOENT after EEXIST: the first answer was lost, and the client remembers that nothing was there."""
    share.fault("link", "EEXIST", path=LOG, times=1, mode="after")
    share.fault("getattr", "ENOENT", path=LOG, times=2 * looks)
    registry.create_model("second")
    stands(share, "first", "second")


def test_what_exists_and_never_shows_is_an_unknown_outcome_and_settles(
    share: Share, registry: Registry, unpaused: list[int]
) -> None:
    second = "*/00000000000000000002.parquet"
    share.fault("link", "EEXIST", path=second, times=1, mode="after")
    share.hide(second)
    with pytest.raises(UnknownOutcomeError, match="whether it landed is unknown") as caught:
        registry.create_model("second")
    assert len(unpaused) == len(PAUSES_S)
    share.clear()
    assert registry.resolve(caught.value.commit_id, commit=caught.value.commit) == 2
    registry.create_model("third")
    stands(share, "first", "second", "third")


def test_where_links_are_made_and_not_there_no_registry_is_made(share: Share) -> None:
    share.fault("link", path="*", mode="skip")
    with pytest.raises(StorageError):
        localreg.open(share.path / "r", actor="ana")
    assert os.listdir(share.behind / "r") == []
    share.clear()
    localreg.open(share.path / "r", actor="ana").create_model("first")
    stands(share, "first")


@pytest.mark.parametrize("error", LIES)
def test_a_registry_is_made_where_links_lie(share: Share, error: str) -> None:
    share.fault("link", error, mode="after")
    made = localreg.open(share.path / "r", actor="ana")
    assert '"commit_mode":"link"' in (share.behind / "r/localreg.json").read_text()
    made.create_model("first")
    share.clear()
    again = localreg.open(share.path / "r", actor="ben")
    assert again.id == made.id
    again.create_model("second")
    stands(share, "first", "second")
    assert left_behind(share) == []


# Other ways to publish


@pytest.mark.parametrize("error", ["EPERM", "ENOTSUP", "EMLINK"])
def test_without_links_a_registry_is_made_by_renames_that_replace_nothing(share: Share, error: str) -> None:
    share.fault("link", error)
    registry = localreg.open(share.path / "r", actor="ana")
    registry.create_model("first")
    assert '"commit_mode":"rename-noreplace"' in (share.behind / "r/localreg.json").read_text()
    stands(share, "first")


@pytest.mark.parametrize("error", [*LIES, "ENOENT"])
def test_a_rename_that_succeeds_and_says_it_failed_lands_once(share: Share, unpaused: list[int], error: str) -> None:
    share.fault("link", "EPERM")
    registry = localreg.open(share.path / "r", actor="ana")
    registry.create_model("first")
    share.fault("rename_noreplace", error, path=LOG, times=1, mode="after")
    registry.create_model("second")
    assert share.hits()[1] == 1
    stands(share, "first", "second")


@pytest.mark.parametrize("error", ["ENOENT", "EACCES", "ENOSPC", "EEXIST"])
@pytest.mark.parametrize("means", ["link", "rename_noreplace"])
def test_what_landed_behind_a_refusal_and_does_not_show_is_never_told_as_refused(
    share: Share, unpaused: list[int], means: str, error: str
) -> None:
    if means != "link":
        share.fault("link", "EPERM")
    registry = localreg.open(share.path / "r", actor="ana")
    registry.create_model("first")
    second = "*/00000000000000000002.parquet"
    share.fault(means, error, path=second, times=1, mode="after")
    share.hide(second)
    share.fault("create", "EIO", path=TEMPORARY, skip=1)
    with pytest.raises(UnknownOutcomeError) as caught:
        registry.create_model("second")
    share.clear()
    assert registry.resolve(caught.value.commit_id, commit=caught.value.commit) == 2
    stands(share, "first", "second")


def test_with_neither_links_nor_such_renames_a_single_writer_is_asked_for(
    share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localreg.storage.lease.SETTLE_S", 0.0)
    share.fault("link", "EPERM")
    share.fault("rename_noreplace", "EINVAL")
    with pytest.raises(StorageError, match="commit_mode='single-writer'") as caught:
        localreg.open(share.path / "r", actor="ana")
    assert caught.value.code == "no_commit_mode"
    with localreg.open(share.path / "r", actor="ana", commit_mode="single-writer") as registry:
        registry.create_model("first")
    stands(share, "first")


# Syncs, closes and writes


@pytest.mark.parametrize("op", ["fsync", "fsyncdir", "close", "write", "create"])
@pytest.mark.parametrize("error", ["EIO", "EDQUOT", "ESTALE"])
def test_a_call_that_fails_once_costs_an_error_or_a_retry(
    share: Share, registry: Registry, op: str, error: str
) -> None:
    share.fault(op, error, path="/r/namespaces/*", times=1)
    done = ["first"]
    for name in ("second", "third"):
        try:
            registry.create_model(name)
            done.append(name)
        except StorageError:
            assert name not in [row["name"] for row in registry.models()]
    assert "third" in done
    assert share.hits() == [1]
    stands(share, *done)
    assert left_behind(share) == []


@pytest.mark.parametrize("op", ["fsync", "close", "write", "create"])
@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EDQUOT", "ENOTCONN"])
def test_a_call_that_always_fails_is_told_and_the_handle_goes_on_after_it(
    share: Share, registry: Registry, op: str, error: str
) -> None:
    share.fault(op, error, path=TEMPORARY)
    with pytest.raises(StorageError, match="nothing was changed"):
        registry.create_model("second")
    assert [row["name"] for row in registry.models()] == ["first"]
    share.clear()
    registry.create_model("second")
    stands(share, "first", "second")


def test_a_folder_whose_sync_always_fails_leaves_the_outcome_unknown(share: Share, registry: Registry) -> None:
    share.fault("fsyncdir", "EIO")
    with pytest.raises(UnknownOutcomeError) as caught:
        registry.create_model("second")
    share.clear()
    assert registry.resolve(caught.value.commit_id, commit=caught.value.commit) == 2
    registry.create_model("third")
    stands(share, "first", "second", "third")


def test_writes_that_take_half_are_finished(share: Share, registry: Registry) -> None:
    share.fault("write", mode="short")
    registry.create_model("second", metadata={"long": "x" * 100_000})
    for step in upload_and_run():
        step(registry)
    share.clear()
    assert localreg.open(share.behind / "r").verify().ok


@pytest.mark.parametrize("op", ["fsync", "close", "write", "create"])
@pytest.mark.parametrize("error", ["EIO", "EDQUOT"])
def test_bulk_files_that_cannot_be_written_are_named_by_no_commit(
    share: Share, registry: Registry, op: str, error: str
) -> None:
    steps = upload_and_run()
    for number, step in enumerate(steps):
        share.fault(op, error, path="/r/namespaces/default/data/*")
        try:
            step(registry)
        except LocalregError:
            assert registry.verify().ok
            share.clear()
            step(registry)
        else:
            assert number in (1, 2), "only suites and models have no files"
        share.clear()
    assert localreg.open(share.behind / "r").verify().ok


@pytest.mark.parametrize("error", ["EINVAL", "EBADF", "ENOTSUP"])
def test_a_share_that_has_no_syncs_of_folders_is_committed_to(share: Share, registry: Registry, error: str) -> None:
    share.fault("fsyncdir", error)
    registry.create_model("second")
    stands(share, "first", "second")


@pytest.mark.parametrize("op", ["unlink", "close"])
@pytest.mark.parametrize("error", ["EIO", "EACCES", "ESTALE"])
def test_spools_that_cannot_be_closed_or_removed_cost_no_point_and_end_no_flushing(
    share: Share, registry: Registry, op: str, error: str
) -> None:
    share.fault(op, error, path="*/tmp/spool/*")
    experiment = registry.experiment("e", strict=True, flush_every=3_600.0)
    for step in range(4):
        experiment.log({"x": float(step)}, step=step)
        experiment.flush()
    experiment.finish()
    share.clear()
    there = localreg.open(share.behind / "r").get_experiment("e")
    assert [row["value"] for row in there.points("x")] == [0.0, 1.0, 2.0, 3.0]
    assert [row["value"] for row in there.points("x", live=True)] == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize("fault", ["EIO", "ENOSPC", "EDQUOT", "half"])
def test_points_that_a_share_does_not_take_are_told_and_the_others_are_there(
    share: Share, registry: Registry, fault: str
) -> None:
    experiment = registry.experiment("e", strict=True, flush_every=3_600.0)
    taken = []
    for step in range(6):
        if step == 2:
            if fault == "half":
                share.fault("write", path="*/tmp/spool/*", mode="short", times=2)
            else:
                share.fault("write", fault, path="*/tmp/spool/*", times=2)
        try:
            experiment.log({"x": float(step)}, step=step)
            taken.append(float(step))
        except StorageError:
            assert step in (2, 3)
    experiment.finish()
    assert {0.0, 1.0, 4.0, 5.0} <= set(taken)
    there = localreg.open(share.behind / "r").get_experiment("e")
    assert [row["value"] for row in there.points("x")] == taken


# Looks


@pytest.mark.parametrize("op", ["open", "getattr", "readdir", "read"])
def test_a_stale_file_handle_is_looked_up_again(share: Share, registry: Registry, op: str) -> None:
    share.fault(op, "ESTALE", path=f"{LOG[:-2]}*", times=1)
    assert localreg.open(share.path / "r").verify().commits == 1
    registry.create_model("second")
    stands(share, "first", "second")


def test_an_entry_whose_size_is_an_old_one_is_told_as_torn_and_read_by_the_next_look(
    share: Share, registry: Registry
) -> None:
    registry.create_model("second")
    share.fault("getattr fgetattr", path="*/00000000000000000002.parquet", mode="short")
    again = localreg.open(share.path / "r", actor="ben")
    with pytest.raises(LocalregError, match=r"00000000000000000002\.parquet"):
        again.create_model("third")
    share.clear()
    again.create_model("third")
    stands(share, "first", "second", "third")


@pytest.mark.parametrize("error", ["ESTALE", "ENOTCONN", "EIO", "EHOSTDOWN"])
def test_a_share_that_answers_nothing_is_told_and_the_handle_goes_on_after_it(
    share: Share, registry: Registry, error: str
) -> None:
    share.fault("*", error)
    with pytest.raises(StorageError) as caught:
        registry.create_model("second")
    assert os.strerror(getattr(errno, error)) in str(caught.value)
    with pytest.raises(StorageError):
        registry.models()
    with pytest.raises(LocalregError):
        localreg.open(share.path / "r")
    share.clear()
    assert [row["name"] for row in registry.models()] == ["first"]
    registry.create_model("second")
    stands(share, "first", "second")


def test_a_share_that_is_lost_between_publishing_and_its_answer_leaves_an_unknown_outcome(
    share: Share, registry: Registry
) -> None:
    share.fault("link", "ENOTCONN", path=LOG, mode="last")
    with pytest.raises(UnknownOutcomeError) as caught:
        registry.create_model("second")
    share.clear()
    assert registry.resolve(caught.value.commit_id, commit=caught.value.commit) == 2
    stands(share, "first", "second")


# Permissions


@pytest.mark.parametrize("error", ["EACCES", "EPERM", "EROFS"])
@pytest.mark.parametrize(
    ("ops", "path"),
    [("link", LOG), ("create", TEMPORARY), ("create write", "/r/namespaces/default/tmp/*")],
    ids=["entries", "staging", "all of staging"],
)
def test_a_folder_that_may_not_be_written_any_more_is_told_and_nothing_is_half_done(
    share: Share, registry: Registry, ops: str, path: str, error: str
) -> None:
    share.fault(ops, error, path=path)
    with pytest.raises((ReadOnlyError, StorageError)):
        registry.create_model("second")
    assert [row["name"] for row in registry.models()] == ["first"]
    share.clear()
    registry.create_model("second")
    stands(share, "first", "second")
    assert left_behind(share) == []


@pytest.mark.parametrize("error", ["EPERM", "ENOTSUP", "EROFS"])
def test_a_share_that_grants_no_permissions_is_told_and_leaves_nothing(share: Share, error: str) -> None:
    share.fault("chmod", error)
    with pytest.raises(LocalregError, match=r"(may not|cannot) write"):
        localreg.open(share.path / "r", actor="ana", shared="group")
    share.clear()
    assert os.listdir(share.behind / "r") == [] if (share.behind / "r").exists() else True
    localreg.open(share.path / "r", actor="ana", shared="group").create_model("first")
    stands(share, "first")


def test_bulk_data_that_may_not_be_written_leaves_the_rest_to_go_on(share: Share, registry: Registry) -> None:
    share.fault("create mkdir", "EACCES", path="/r/namespaces/default/data*")
    with pytest.raises(ReadOnlyError):
        upload_and_run()[0](registry)
    registry.create_model("second")
    share.clear()
    for step in upload_and_run():
        step(registry)
    assert localreg.open(share.behind / "r").verify().ok


def test_snapshots_that_may_not_be_written_or_read_cost_time_only(
    share: Share, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    share.fault("create mkdir open readdir getattr", "EACCES", path="/r/namespaces/default/snapshots*")
    names = ["first"]
    for number in range(70):
        names.append(f"model {number}")
        registry.create_model(names[-1])
    assert "no snapshot" in caplog.text
    assert len(localreg.open(share.behind / "r").models()) == len(names)
    share.clear()
    stands(share, *names)


def test_entries_that_may_not_be_read_are_told_as_such(share: Share, registry: Registry) -> None:
    share.fault("open", "EACCES", path=LOG)
    with pytest.raises(StorageError, match="check the disk and its permissions") as caught:
        localreg.open(share.path / "r").models()
    assert caught.value.code == "forbidden"


# Locks


@pytest.mark.parametrize("error", ["ENOLCK", "EOPNOTSUPP", "EIO"])
def test_a_share_without_locks_costs_retries_only(share: Share, registry: Registry, error: str) -> None:
    share.fault("flock", error)
    assert _contended(share, registry) > 0


def test_a_lock_that_hangs_is_left_alone_and_commits_go_on(share: Share, registry: Registry) -> None:
    share.fault("flock", mode="hang")
    assert _contended(share, registry) == 1, "who got no answer does not ask again"


def _contended(share: Share, registry: Registry) -> int:
    """A writer that has met another one queues; how often it met the fault."""
    session = registry._session
    session._turns._queued = 8
    for name in ("second", "third"):
        registry.create_model(name)
    [hits] = share.hits()
    share.clear()
    registry.create_model("fourth")
    stands(share, "first", "second", "third", "fourth")
    return hits


def test_the_place_of_these_tests_is_a_folder_of_the_server(share: Share, registry: Registry) -> None:
    assert Path(share.behind / "r/localreg.json").read_bytes() == Path(share.path / "r/localreg.json").read_bytes()
