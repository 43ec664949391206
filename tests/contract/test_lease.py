"""The lease of stores that prove nothing: who is kept out, for how long, and what the holder notices."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import localreg
from localreg.errors import ConflictError, StorageError, UnknownOutcomeError
from localreg.storage import Lease, LocalStore, MemoryStore, Store
from localreg.storage.lease import LEASE, LONGEST_S, LeaseInfo, describe
from tests.world import World

SECONDS, SETTLE_S = 30.0, 2.0


class Overwriting(LocalStore):
    """A store whose exclusive creation is none at all."""

    def put_if_absent(self, path: str, data: bytes, **_: object) -> bool:
        self.put(path, data)
        return True


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(params=["memory", "disk", "overwriting"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "memory":
        return MemoryStore()
    return (LocalStore if request.param == "disk" else Overwriting)(tmp_path)


def lease(store: Store, world: World, actor: str = "ana") -> Lease:
    return Lease(
        store, actor=actor, host="here", seconds=SECONDS, settle_s=SETTLE_S, clock=world.clock, sleep=world.sleep
    )


def commit(lease: Lease) -> None:
    with lease.hold("c1"):
        pass


def holder(store: Store) -> LeaseInfo:
    info = describe(store)
    assert info is not None
    return info


def test_a_claim_settles_before_it_is_believed_and_then_costs_no_waiting(store: Store, world: World) -> None:
    ana = lease(store, world)
    assert describe(store) is None
    commit(ana)
    assert world.now == 1000 + SETTLE_S
    assert (holder(store).actor, holder(store).host, holder(store).pid) == ("ana", "here", os.getpid())
    for _ in range(5):
        commit(ana)
    assert world.now == 1000 + SETTLE_S
    assert holder(store).renewed == 0


def test_a_lease_is_renewed_when_half_of_it_is_over(store: Store, world: World) -> None:
    ana = lease(store, world)
    commit(ana)
    for renewed in (1, 2, 3):
        world.now += 10
        commit(ana)
        assert holder(store).renewed == renewed - 1
        world.now += 6
        commit(ana)
        assert holder(store).renewed == renewed


def test_who_is_released_lets_the_next_one_in_at_once(store: Store, world: World) -> None:
    ana, ben = lease(store, world), lease(store, world, "ben")
    commit(ana)
    ana.release()
    assert describe(store) is None
    begin = world.now
    commit(ben)
    assert world.now == begin + SETTLE_S
    ana.release()  # holds nothing any more, and takes nothing from others
    assert holder(store).actor == "ben"


def test_another_writer_is_refused_while_the_holder_is_alive(store: Store, world: World) -> None:
    ana, ben = lease(store, world), lease(store, world, "ben")
    commit(ana)
    world.after(SECONDS * 0.7, lambda: commit(ana))
    told = r"one writer at a time, and that is ana on here \(process \d+.*30 seconds"
    with pytest.raises(ConflictError, match=told) as caught:
        commit(ben)
    assert caught.value.code == "lease_held"
    assert holder(store).actor == "ana"


def test_who_waits_gets_in_when_the_holder_lets_go(store: Store, world: World) -> None:
    ana, ben = lease(store, world), lease(store, world, "ben")
    commit(ana)
    world.after(SECONDS * 0.3, ana.release)
    begin = world.now
    commit(ben)
    assert world.now < begin + SECONDS * 0.5 + SETTLE_S


def test_the_lease_of_the_dead_is_taken_over_when_it_has_run_out_and_not_before(store: Store, world: World) -> None:
    ana, ben = lease(store, world), lease(store, world, "ben")
    commit(ana)
    begin = world.now
    commit(ben)
    assert world.now == pytest.approx(begin + SECONDS + SETTLE_S)
    assert holder(store).actor == "ben"


def test_a_waiter_counts_from_when_he_saw_the_lease_and_believes_no_clock_of_others(store: Store, world: World) -> None:
    ana = lease(store, world)
    commit(ana)
    far = World()
    far.now = world.now + 10**6  # ana's lease was acquired "long ago", by ben's clock
    commit(lease(store, far, "ben"))
    assert far.now == pytest.approx(world.now + 10**6 + SECONDS + SETTLE_S)


def test_a_writer_who_slept_past_his_lease_notices_before_he_publishes(store: Store, world: World) -> None:
    ana, ben = lease(store, world), lease(store, world, "ben")
    commit(ana)
    world.now += SECONDS + 1
    commit(ben)
    world.after(SECONDS * 0.5, lambda: commit(ben))
    with pytest.raises(ConflictError, match="ben on here"), ana.hold("c2"):
        pytest.fail("published")


def test_a_writer_who_slept_and_lost_nothing_claims_anew(store: Store, world: World) -> None:
    ana = lease(store, world)
    commit(ana)
    first = holder(store).holder
    world.now += SECONDS + 1
    begin = world.now
    commit(ana)
    assert holder(store).holder != first
    assert world.now >= begin + SETTLE_S


def test_a_lease_that_was_lost_within_its_time_is_noticed_before_publishing(store: Store, world: World) -> None:
    ana, ben = lease(store, world), lease(store, world, "ben")
    commit(ana)
    store.delete(LEASE)  # a person who tidied up
    commit(ben)
    world.after(SECONDS * 0.5, lambda: commit(ben))
    with pytest.raises(ConflictError), ana.hold("c2"):
        pytest.fail("published")


def test_of_two_who_claim_at_once_one_gets_it(store: Store, world: World) -> None:
    ana, ben = lease(store, world), lease(store, world, "ben")
    refused = []

    def claim_in_between() -> None:
        # ben saw no lease either, and writes his claim while ana's settles
        patch = ben._wait_for_others
        ben._wait_for_others = lambda: None  # type: ignore[method-assign]
        commit(ben)
        ben._wait_for_others = patch  # type: ignore[method-assign]

    world.after(SETTLE_S / 2, claim_in_between)
    try:
        with ana.hold("c1"):
            pytest.fail("two writers")
    except ConflictError as error:
        refused.append(error)
    assert len(refused) == 1
    assert holder(store).actor == "ben"


def test_a_claim_that_took_too_long_is_not_believed(store: Store, world: World) -> None:
    ana = Lease(store, actor="ana", host="here", seconds=10, settle_s=6, clock=world.clock, sleep=world.sleep)
    with pytest.raises(ConflictError), ana.hold("c1"):
        pytest.fail("published with less than half of the time left")


def test_a_take_over_while_publishing_is_told(store: Store, world: World) -> None:
    ana, ben = lease(store, world), lease(store, world, "ben")
    with pytest.raises(UnknownOutcomeError, match="another writer took over") as caught, ana.hold("c7"):  # noqa: PT012
        world.now += SECONDS + 1  # stopped between the look and the put
        commit(ben)
    assert caught.value.commit_id == "c7"


def test_a_lease_that_cannot_be_read_back_leaves_the_outcome_open(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    ana = lease(store, world)

    def fail(path: str) -> bytes:
        raise StorageError("no network")

    with pytest.raises(UnknownOutcomeError, match="no network"), ana.hold("c1"):
        monkeypatch.setattr(store, "get", fail)


def test_an_error_of_the_block_stays_what_it_is(store: Store, world: World) -> None:
    with pytest.raises(StorageError, match="disk"), lease(store, world).hold("c1"):  # noqa: PT012
        store.delete(LEASE)
        raise StorageError("disk")


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"\xff", b'{"holder": 1}'])
def test_a_damaged_lease_is_waited_for_like_any_other(store: Store, world: World, data: bytes) -> None:
    store.put(LEASE, data)
    assert holder(store).actor == "somebody"
    begin = world.now
    commit(lease(store, world))
    assert world.now == pytest.approx(begin + SECONDS + SETTLE_S)


def test_a_lease_that_wants_ages_is_waited_for_within_bounds(store: Store, world: World) -> None:
    ana = Lease(store, actor="ana", host="here", seconds=10**9, settle_s=0, clock=world.clock, sleep=world.sleep)
    commit(ana)
    begin = world.now
    commit(lease(store, world, "ben"))
    assert world.now <= begin + LONGEST_S + SETTLE_S + 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_of_a_fork_does_not_hold_its_parents_lease(tmp_path: Path, world: World) -> None:
    store = LocalStore(tmp_path)
    ana = lease(store, world)
    commit(ana)
    child = os.fork()
    if child == 0:
        try:
            world.after(SECONDS * 0.5, lambda: store.put(LEASE, b"alive"))
            commit(ana)
        except ConflictError:
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_of_a_fork_does_not_release_its_parents_lease(tmp_path: Path, world: World) -> None:
    store = LocalStore(tmp_path)
    ana = lease(store, world)
    commit(ana)
    child = os.fork()
    if child == 0:
        ana.release()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert holder(store).actor == "ana"


def test_who_lost_the_lease_within_its_time_takes_nothing_from_the_next(store: Store, world: World) -> None:
    ana, ben = lease(store, world), lease(store, world, "ben")
    commit(ana)
    store.delete(LEASE)
    commit(ben)
    ana.release()
    assert holder(store).actor == "ben"


# In a registry


def test_a_registry_of_a_single_writer_works_from_end_to_end(tmp_path: Path, quick: World) -> None:
    with localreg.open(tmp_path, actor="ana", commit_mode="single-writer") as registry:
        registry.create_model("a")
        quick.after(20, lambda: registry.create_model("b"))
        ben = localreg.open(tmp_path, actor="ben")
        with pytest.raises(ConflictError, match="ana on"):
            ben.create_model("c")
        assert [row["name"] for row in ben.models()] == ["a", "b"]  # readers need no lease
    ben.create_model("c")
    assert ben.commit == 3
    assert ben.verify().ok
    assert '"commit_mode":"single-writer"' in (tmp_path / "localreg.json").read_text()


def test_no_lease_is_taken_where_the_store_proves_what_it_does(tmp_path: Path) -> None:
    localreg.open(tmp_path).create_model("a")
    assert not (tmp_path / "namespaces/default" / LEASE).exists()
