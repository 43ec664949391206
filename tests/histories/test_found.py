"""What histories have found, each as small as it can be told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from localreg import Registry
from localreg.errors import StorageError, UnknownOutcomeError
from localreg.log.caches import GIVEN_UP
from localreg.log.entry import entry_path
from localreg.session import Session
from localreg.session.location import NAME, open_or_make
from localreg.session.proof import Proof
from localreg.storage import MemoryStore, Store
from localreg.testing import FaultyStore
from tests.crash.scenarios import open_at


class Hiding(MemoryStore):
    """A share that says of one's own success that the file was there before, and shows it only later."""

    hidden = ""

    def put_if_absent(
        self, path: str, data: bytes, *, make: bool = True, visible: Callable[[], None] | None = None
    ) -> bool:
        created = super().put_if_absent(path, data, make=make, visible=visible)
        return created and path != self.hidden

    def get(self, path: str, *, fresh: bool = False) -> bytes | None:
        return None if path == self.hidden else super().get(path, fresh=fresh)

    def scope(self, folder: str) -> MemoryStore:
        return self._namespace

    def __init__(self) -> None:
        super().__init__()
        self._namespace: MemoryStore = MemoryStore()


def test_a_commit_that_is_said_to_exist_and_cannot_be_seen_is_not_called_absent() -> None:
    root, namespace = Hiding(), Hiding()
    root._namespace = namespace
    session = open_at(root)
    namespace.hidden = entry_path(1)
    with pytest.raises(UnknownOutcomeError) as caught:
        Registry(session).create_model("m")
    namespace.hidden = ""
    assert session.resolve(caught.value.commit_id, commit=caught.value.commit) == 1
    assert Registry(session).get_model("m").name == "m"


def test_a_registry_that_another_has_just_made_and_that_is_not_seen_yet_is_no_missing_one() -> None:
    store = Hiding()
    store.hidden = NAME
    with pytest.raises(StorageError, match="open it again") as caught:
        open_or_make(store, make=True)
    assert caught.value.code == "not_seen_yet"
    store.hidden = ""
    assert open_or_make(store, make=True)[1] is False


class MadeMeanwhile(MemoryStore):
    """Far away; another makes the registry, and commits, when its folders are looked at."""

    @property
    def remote(self) -> bool:
        return True

    def folders(self, prefix: str) -> list[str]:
        if super().get(NAME) is None:
            other = MemoryStore()
            Registry(open_at(other)).create_model("first")
            for path in other.list(""):
                self.put(path, other.get(path) or b"")
        return super().folders(prefix)


def test_a_registry_that_is_made_between_two_looks_is_no_foreign_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localreg.storage.probe.probe", lambda store: "")
    store = MadeMeanwhile()
    assert open_or_make(store, make=True)[1] is False


def synced(root: FaultyStore) -> list[str]:
    return [call.path for call in root.calls if call.verb == "sync"]


def test_a_first_commit_makes_the_file_of_its_registry_durable_unless_it_has_made_it() -> None:
    """Its maker may be about to: a power cut would leave a commit that belongs to no registry."""
    there = MemoryStore()
    maker, finder = (FaultyStore(there, fail_at=0, when="before") for _ in range(2))
    for store in (maker, finder):
        file, made = open_or_make(store, make=True)
        session = Session(store, file, "default" if made else "other", actor="ana", proof=Proof(store, made=made))
        Registry(session).create_model("m")
        Registry(session).create_model("n")
    assert synced(maker) == []
    assert synced(finder) == [NAME]


def test_a_snapshot_makes_the_commit_durable_that_it_shows() -> None:
    """It may be another's, seen before it was durable: after a power cut the snapshot would tell of a lost commit."""
    there = MemoryStore()
    Registry(open_at(there)).create_model("m")
    store = FaultyStore(there, fail_at=0, when="before")
    open_at(store).snapshot()
    entry = f"namespaces/default/{entry_path(1)}"
    assert entry in synced(store)
    verbs = [call.verb for call in store.calls]
    assert verbs.index("sync") < verbs.index("put")


def test_snapshots_of_two_at_once_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other's tidied away what this one was built upon."""
    there = MemoryStore()
    one, other = open_at(there), open_at(there)
    for number in range(3):
        Registry(one).create_model(f"m{number}")
        one.snapshot()
        Registry(other).find_model("m0")
    real: Any = MemoryStore.put
    done: list[int] = []

    def put(self: Store, path: str, data: bytes) -> None:
        if path.startswith("snapshots/") and not done:
            done.append(1)
            for name in ("more", "most"):
                Registry(other).create_model(name)
                other.snapshot()
        real(self, path, data)

    Registry(one).create_model("last")
    monkeypatch.setattr(MemoryStore, "put", put)
    assert one.snapshot() >= 4
    assert done
    assert one.verify().ok


def test_history_that_was_merged_meanwhile_is_given_up_and_not_called_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    session = open_at(MemoryStore())
    for number in range(3):
        Registry(session).create_model(f"m{number}")
        session.snapshot()
    history, newest = session.log.history, session.state().head
    sound = history.sound(newest.commit, session.log.leads_to)
    Registry(session).create_model("next")

    def entries(_: object) -> Iterator[Any]:
        for segment in sound:
            session.store.delete(segment.path)
        return session.log.entries(newest)

    with pytest.raises(StorageError) as caught:
        history.extend(entries, newest.commit + 1, session.log.leads_to)
    assert caught.value.code == GIVEN_UP
