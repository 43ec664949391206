"""A fault before and after every storage call while a table is taken in, one after the other."""

from __future__ import annotations

from typing import Any, Literal

import pytest

import localreg
from localreg import Registry
from localreg.errors import LocalregError, StorageError, UnknownOutcomeError
from localreg.session import Session
from localreg.storage import MemoryStore
from localreg.testing import CrashedError, FaultyStore
from tests.crash.bulk_writers import ACTS, ROWS, batches, prepare
from tests.crash.scenarios import open_at
from tests.crash.strikes import Strikes


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localreg.workflow.bulk.staged.PART_ROWS", 6)
    monkeypatch.setattr("localreg.workflow.staging.PART_ROWS", 6)
    monkeypatch.setattr("localreg.workflow.staging.LARGE_ROWS", 6)


def filled(act: str) -> MemoryStore:
    root = MemoryStore()
    with localreg.use(Registry(open_at(root))):
        prepare(act)
    return root


def twin(root: MemoryStore) -> MemoryStore:
    """Another root with the same files."""
    copy = MemoryStore()
    for path in root.list(""):
        copy.put(path, root.get(path) or b"")
    return copy


def files(root: MemoryStore) -> set[str]:
    return {path for path in root.list("") if "/data/" in path}


def count(root: MemoryStore, act: str) -> int:
    registry = Registry(open_at(root))
    assert registry.verify().ok
    (row,) = registry.sql(f"SELECT count(*) AS rows FROM {'test_samples' if act == 'add' else 'inferences'}").dicts()
    return int(row["rows"])


@pytest.mark.parametrize("dead", [False, True], ids=["alive", "dead"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("act", sorted(ACTS))
def test_a_fault_at_any_storage_call_leaves_nothing_or_all(
    act: str, when: Literal["before", "after"], dead: bool
) -> None:
    template = filled(act)
    for k in (strikes := Strikes()):
        root = twin(template)
        before, error = files(root), None
        store = FaultyStore(root, fail_at=k, when=when, then_dead=dead)
        try:
            with localreg.use(Registry(open_at(store))):
                ACTS[act](batches())
        except (LocalregError, CrashedError) as caught:
            error = caught
        rows = count(root, act)
        assert rows == ROWS or (rows == 0 and error is not None), f"call {k}"
        strikes.called(store.calls)
        if k == 0:
            assert error is None
            assert len(store.calls) > 10
            continue
        if not dead and rows == 0:
            # What a writer wrote before its answer was lost, it does not know of.
            assert len(files(root) - before) <= (when == "after"), f"call {k}"
        with localreg.use(Registry(open_at(root))):
            report = ACTS[act](batches())
        assert report.stored + report.unchanged == ROWS
        assert count(root, act) == ROWS


@pytest.mark.parametrize("error", [UnknownOutcomeError("nobody answers"), KeyboardInterrupt()], ids=["unknown", "key"])
@pytest.mark.parametrize("act", sorted(ACTS))
def test_parts_stay_where_an_entry_may_name_them(
    monkeypatch: pytest.MonkeyPatch, act: str, error: BaseException
) -> None:
    """Named for a bug: parts of a commit whose answer was lost were deleted, though it had landed."""
    root = filled(act)
    change = Session.change

    def lost(session: Session, *arguments: Any, **named: Any) -> Any:
        change(session, *arguments, **named)
        raise error

    with localreg.use(Registry(open_at(root))), monkeypatch.context() as patched:
        patched.setattr(Session, "change", lost)
        with pytest.raises(type(error)):
            ACTS[act](batches())
    assert count(root, act) == ROWS


@pytest.mark.parametrize("act", sorted(ACTS))
def test_parts_go_when_a_commit_is_refused(monkeypatch: pytest.MonkeyPatch, act: str) -> None:
    root = filled(act)
    before = files(root)
    change = Session.change

    def refused(session: Session, operation: Any) -> Any:
        def late(changes: Any) -> None:
            operation(changes)
            raise StorageError("refused at last")

        return change(session, late)

    with localreg.use(Registry(open_at(root))), monkeypatch.context() as patched:
        patched.setattr(Session, "change", refused)
        with pytest.raises(StorageError, match="refused at last"):
            ACTS[act](batches())
    assert (files(root), count(root, act)) == (before, 0)
