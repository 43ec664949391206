from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from localreg.errors import LocalregError, StorageError
from localreg.storage import LocalStore, MemoryStore
from localreg.testing import CrashedError, FaultyStore
from tests.contract.store_contract import StoreContract

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from localreg.storage import Store


class TestFaultyStoreWithoutFault(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return FaultyStore(MemoryStore(), fail_at=0, when="before")


def test_a_fault_before_the_call_leaves_it_undone() -> None:
    store = FaultyStore(MemoryStore(), fail_at=2, when="before")
    store.put("a", b"first")
    with pytest.raises(StorageError) as caught:
        store.put("a", b"second")
    assert caught.value.code == "storage"
    assert store.get("a") == b"first"


def test_a_fault_after_the_call_tells_a_success_as_a_failure() -> None:
    store = FaultyStore(MemoryStore(), fail_at=1, when="after")
    with pytest.raises(StorageError) as caught:
        store.put_if_absent("a", b"x")
    assert caught.value.code == "doubtful"
    assert store.get("a") == b"x"


def test_calls_are_counted_over_scopes_with_whole_paths() -> None:
    store = FaultyStore(MemoryStore(), fail_at=0, when="before")
    scope = store.scope("namespaces/vision").scope("deep")
    scope.put_if_absent("log/1", b"x")
    with store.writer("data/part") as file:
        file.write(b"x")
    list(store.list(""))
    store.folders("namespaces")
    scope.size("log/1")
    scope.sync("log/1")
    scope.local_file("log/1")
    scope.delete("log/1")
    scope.writable()
    assert store.calls == scope.calls
    assert store.calls == [
        ("put_if_absent", "namespaces/vision/deep/log/1"),
        ("writer", "data/part"),
        ("writer_close", "data/part"),
        ("list", ""),
        ("folders", "namespaces"),
        ("size", "namespaces/vision/deep/log/1"),
        ("sync", "namespaces/vision/deep/log/1"),
        ("local_file", "namespaces/vision/deep/log/1"),
        ("delete", "namespaces/vision/deep/log/1"),
    ]


def test_a_fault_hits_the_scope_that_makes_the_call() -> None:
    store = FaultyStore(MemoryStore(), fail_at=2, when="before")
    store.get("a")
    with pytest.raises(StorageError):
        store.scope("b").get("a")
    assert store.scope("b").get("a") is None


def test_an_error_of_ones_own_is_raised() -> None:
    store = FaultyStore(MemoryStore(), fail_at=1, when="before", error=TimeoutError("slow"))
    with pytest.raises(TimeoutError, match="slow"):
        store.get("a")


def test_a_crash_passes_every_handler_of_exceptions() -> None:
    assert not issubclass(CrashedError, Exception)
    store = FaultyStore(MemoryStore(), fail_at=1, when="before", then_dead=True)
    with pytest.raises(CrashedError):
        store.get("a")


def test_a_dead_store_does_nothing_more() -> None:
    inner = MemoryStore()
    store = FaultyStore(inner, fail_at=1, when="after", error=StorageError("last words"), then_dead=True)
    scope = store.scope("b")
    with pytest.raises(StorageError, match="last words"):
        store.put("a", b"x")
    calls: list[Callable[[], object]] = [
        lambda: store.delete("a"),
        lambda: scope.put("a", b""),
        lambda: store.writable(),
        lambda: store.list(""),
        lambda: store.writer("c").__enter__(),
    ]
    for call in calls:
        with pytest.raises(CrashedError):
            call()
    assert list(inner.list("")) == ["a"]
    assert store.calls == [("put", "a")]


@pytest.mark.parametrize("fail_at", [1, 2])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_writer_that_fails_leaves_nothing_but_what_it_had_finished(
    tmp_path: Path, fail_at: int, when: Literal["before", "after"]
) -> None:
    store = FaultyStore(LocalStore(tmp_path), fail_at=fail_at, when=when)
    with pytest.raises(StorageError), store.writer("data/part") as file:  # noqa: PT012
        assert fail_at == 2
        file.write(b"content")
    assert store.get("data/part") == (b"content" if (fail_at, when) == (2, "after") else None)


def test_a_crash_leaves_the_file_that_was_being_streamed(tmp_path: Path) -> None:
    store = FaultyStore(LocalStore(tmp_path), fail_at=2, when="before", then_dead=True)
    with pytest.raises(CrashedError), store.writer("data/part") as file:  # noqa: PT012
        file.write(b"x" * 100_000)
        store.get("a")
    assert LocalStore(tmp_path).size("data/part") == 100_000


def test_a_loop_over_k_ends_after_the_last_call() -> None:
    failed = []
    for k in range(1, 10):
        store = FaultyStore(MemoryStore(), fail_at=k, when="before")
        try:
            store.put("a", b"x")
            store.get("a")
        except LocalregError:
            failed.append(k)
        if len(store.calls) < k:
            break
    assert failed == [1, 2]
    assert k == 3
