"""The probe believes those that keep the promise, and finds those that do not."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from localreg.errors import StorageError
from localreg.storage import MemoryStore, Store
from localreg.storage.probe import RACERS, probe
from localreg.testing import FaultyStore
from tests.remote import Server, options, store_at


class Overwriting(MemoryStore):
    """Says yes to every conditional put."""

    def put_if_absent(self, path: str, data: bytes, **how: Any) -> bool:
        self.put(path, data)
        return True


class OverwritingInSilence(MemoryStore):
    """Says no, and overwrites all the same."""

    def put_if_absent(self, path: str, data: bytes, **how: Any) -> bool:
        created = super().put_if_absent(path, data, **how)
        self.put(path, data)
        return created


class CheckThenWrite(MemoryStore):
    """Right for one writer at a time; of several that look before any has written, all win."""

    def __init__(self) -> None:
        super().__init__()
        self._race = threading.Barrier(RACERS)

    def put_if_absent(self, path: str, data: bytes, **how: Any) -> bool:
        if self.get(path) is not None:
            return False
        if data.startswith(b"racer"):
            self._race.wait(30)
        self.put(path, data)
        return True


class FirstWinsLastStays(CheckThenWrite):
    """One is told that it won, and another one's content is there."""

    def put_if_absent(self, path: str, data: bytes, **how: Any) -> bool:
        if not data.startswith(b"racer"):
            return super().put_if_absent(path, data, **how)
        self._race.wait(30)
        self.put(path, b"racer of nobody")
        return data == b"racer 0"


class Refusing(MemoryStore):
    def put_if_absent(self, path: str, data: bytes, **how: Any) -> bool:
        raise StorageError("not implemented", code="unsupported")


class NotExclusive(MemoryStore):
    @property
    def exclusive(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("store", "found"),
    [
        (Overwriting(), "created twice"),
        (OverwritingInSilence(), "overwritten"),
        (CheckThenWrite(), f"{RACERS} of {RACERS} writers"),
        (FirstWinsLastStays(), "what another one wrote"),
        (Refusing(), "refuses"),
        (NotExclusive(), "whole and only if absent"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_store_that_breaks_the_promise_is_found_and_left_clean(store: Store, found: str) -> None:
    assert found in probe(store)
    assert list(store.list("")) == []


def test_a_store_that_keeps_the_promise_is_believed_and_left_clean(s3: Server) -> None:
    for store in (MemoryStore(), store_at(f"s3://{s3.bucket()}", options(s3.endpoint))):
        assert probe(store) == ""
        assert list(store.list("")) == []


def test_a_store_that_fails_proves_nothing() -> None:
    for call in range(1, 5):
        with pytest.raises(StorageError, match="planned fault"):
            probe(FaultyStore(MemoryStore(), fail_at=call, when="before"))


class SilentAfter(MemoryStore):
    """Creates, and tells nobody, from the n-th call on."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self._left = calls

    def put_if_absent(self, path: str, data: bytes, **how: Any) -> bool:
        self._left -= 1
        created = super().put_if_absent(path, data, **how)
        if self._left < 0:
            raise StorageError("no answer", code="doubtful")
        return created


def test_servers_that_fail_among_many_at_once_are_believed_by_what_they_did() -> None:
    assert probe(SilentAfter(2)) == ""


def test_a_place_that_does_not_answer_is_told_as_such() -> None:
    with pytest.raises(StorageError, match=r"memory://.* did not answer while .*no answer.*try again") as caught:
        probe(SilentAfter(0))
    assert caught.value.code != "doubtful"


def test_what_may_not_be_deleted_stays_and_is_no_fault() -> None:
    class KeepsAll(MemoryStore):
        def delete(self, path: str) -> None:
            raise StorageError("retention")

    store = KeepsAll()
    assert probe(store) == ""
    assert all(path.startswith(".") for path in store.list(""))
