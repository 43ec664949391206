"""Claims: who infers what, and how others tell that a process is dead."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import cast

import numpy as np
import pytest

from localreg.canonical import JsonObject, canonical, parse
from localreg.session.presence import STALE_S
from localreg.storage import MemoryStore, Store
from localreg.workflow.sharing import Claim, Claims, claim_next


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    return MemoryStore.named(request.node.name).scope("namespaces/default")


def test_of_two_who_claim_at_once_one_gets_it(store: Store) -> None:
    one, other = Claims(store, "run"), Claims(store, "run")
    with one.taking_part(), other.taking_part():
        assert one.others() == other.others() == []
        assert one.claim(0, 10)
        assert not other.claim(0, 5)
        assert other.others() == [Claim(one.writer, 0, 10)]
        assert other.claim(10, 20)
        assert one.others() == [Claim(other.writer, 10, 20)]


def test_what_is_claimed_and_not_made_is_free_when_its_writer_ends(store: Store) -> None:
    one, other = Claims(store, "run"), Claims(store, "run")
    with other.taking_part():
        with one.taking_part():
            one.claim(0, 10)
            assert other.others() == [Claim(one.writer, 0, 10)]
        assert other.others() == []


def told(store: Store, writer: str, **changes: object) -> None:
    """Rewrite what a writer's file says of its process."""
    path = f"tmp/test_runs/run/writers/{writer}.json"
    data = store.get(path)
    assert data is not None
    store.put(path, canonical({**cast(JsonObject, parse(data)), **cast(JsonObject, changes)}).encode())


def test_a_process_of_this_machine_that_is_gone_is_dead_at_once(store: Store) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    one, other = Claims(store, "run"), Claims(store, "run")
    with one.taking_part(), other.taking_part():
        one.claim(0, 10)
        told(store, one.writer, pid=gone.pid)
        assert other.others() == []
        told(store, one.writer, pid=os.getpid(), started=1)  # another process, which got the number since
        assert other.others() == [] or not sys.platform.startswith("linux")


def test_a_process_elsewhere_is_dead_once_its_file_is_not_renewed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 50.0
    monkeypatch.setattr("localreg.session.presence.time.monotonic", lambda: now)
    one, other = Claims(store, "run"), Claims(store, "run")
    with one.taking_part(), other.taking_part():
        one.claim(0, 10)
        told(store, one.writer, host="elsewhere", renewed=1)
        assert len(other.others()) == 1
        now += STALE_S - 1
        assert len(other.others()) == 1
        told(store, one.writer, renewed=2)
        assert len(other.others()) == 1
        now += STALE_S - 1
        assert len(other.others()) == 1
        now += 2
        assert other.others() == []


def test_next_claims_pass_over_what_is_done_and_what_others_have(store: Store) -> None:
    one, other = Claims(store, "run"), Claims(store, "run")
    done = np.zeros(10, bool)
    done[[0, 3]] = True
    with one.taking_part(), other.taking_part():
        mine = claim_next(one, done, 3, lambda: None)
        assert mine is not None
        assert mine.tolist() == [1, 2, 4]
        theirs = claim_next(other, done, 100, lambda: None)
        assert theirs is not None
        assert theirs.tolist() == [5, 6, 7, 8, 9]
        done[:] = True
        assert claim_next(one, done, 3, lambda: None) is None


def test_what_was_made_between_the_look_and_the_claim_is_left_out(store: Store) -> None:
    done = np.zeros(4, bool)
    looks = iter([False, True])

    def refresh() -> None:
        if next(looks, False):
            done[[0, 1]] = True

    with (claims := Claims(store, "run")).taking_part():
        mine = claim_next(claims, done, 3, refresh)
        assert mine is not None
        assert mine.tolist() == [2]


def test_who_finds_only_others_work_left_waits_and_takes_over_what_they_leave(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = Claims(store, "run"), Claims(store, "run")
    done = np.zeros(4, bool)
    with other.taking_part():
        living = one.taking_part()
        living.__enter__()
        one.others()
        assert one.claim(0, 4)
        waits = []

        def wait(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 3:
                done[:2] = True  # what it made,
                living.__exit__(None, None, None)  # before it died

        monkeypatch.setattr("localreg.workflow.sharing.time.sleep", wait)
        mine = claim_next(other, done, 10, lambda: None)
        assert mine is not None
        assert mine.tolist() == [2, 3]
        assert len(waits) == 3


def test_claims_are_cleared_once_all_is_done(store: Store) -> None:
    with (claims := Claims(store, "run")).taking_part():
        claims.claim(0, 4)
        claims.clear()
    assert list(store.list("tmp/test_runs")) == []
