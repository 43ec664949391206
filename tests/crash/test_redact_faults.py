"""A fault at every storage call of a redaction: what is half done is told, and finished by another call."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from localreg import Registry
from localreg.errors import LocalregError
from localreg.log import snapshot
from localreg.storage import MemoryStore, Store
from localreg.testing import CrashedError, FaultyStore
from tests.crash.scenarios import open_at
from tests.crash.strikes import Strikes
from tests.crash.test_commit_faults import Disk, Memory, Place
from tests.unit.test_redact import SECRET, holding

When = Literal["before", "after"]


@pytest.fixture(params=["memory", "disk"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Memory() if request.param == "memory" else Disk(tmp_path)


@pytest.fixture(scope="module")
def prepared() -> Store:
    """A secret in three entries, cleaned by now, with a snapshot that holds it and others after."""
    root = MemoryStore()
    registry = Registry(open_at(root))
    model = registry.create_model("m", metadata={"key": SECRET})
    model.update(metadata={"lr": 0.1})
    session = registry._session
    snapshot.save(session.store, session.log.origin.digest, session.state(), session.state)
    model.update(unset=["key"])
    session.store.put("history/a.parquet", SECRET.encode())
    assert len(list(session.store.list("snapshots"))) == 2
    return root


def copied(place: Place, source: Store) -> Store:
    root = place.empty()
    for path in source.list(""):
        root.put(path, source.get(path) or b"")
    return root


def redact(registry: Registry) -> None:
    registry.redact(registry.get_model("m"), reason="a key got in")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("dead", [True, False], ids=["crash", "failure"])
def test_a_fault_leaves_nothing_declared_or_what_is_told_until_it_is_done_again(
    place: Place, prepared: Store, when: When, dead: bool
) -> None:
    outcomes = set()
    for k in (strikes := Strikes()):
        root = copied(place, prepared)
        store = FaultyStore(root, fail_at=k, when=when, then_dead=dead)
        failed = False
        try:
            redact(Registry(open_at(store)))
        except (LocalregError, CrashedError):
            failed = True
        strikes.called(store.calls)
        if k == 0:
            assert not failed
            continue
        told = f"{when} call {k}, {' '.join(store.calls[k - 1])}"
        outcomes.add(check(root, told, failed))
    assert outcomes == {"nothing", "declared", "done"}, "the faults struck at every stage"


def check(root: Store, told: str, failed: bool) -> str:
    """A stranger opens what is left; what was left of the work it can finish."""
    before = Registry(open_at(root, actor="bob"))
    report = before.verify()
    declared = bool(report.redactions)
    left = holding(root)
    assert before.get_model("m").metadata == {"lr": 0.1}, told
    entries = [path for path in left if "/log/" in path]
    if not declared:
        assert failed, told
        assert len(entries) == 3, told
        assert report.ok, told
    else:
        unfinished = [problem.path for problem in report.problems if problem.code == "redaction_unfinished"]
        assert unfinished == [path.removeprefix("namespaces/default/") for path in entries], f"{told}\n{report}"
        # A snapshot that shows too much is told once the entries below it no longer say so.
        others = {problem.code for problem in report.problems} - {"redaction_unfinished"}
        assert others <= {"snapshot_wrong"}, f"{told}\n{report}"
    if not failed:
        assert left == [], told
    redact(Registry(open_at(root, actor="bob")))
    assert holding(root) == [], told
    assert list(root.list("namespaces/default/snapshots")) == [], told
    after = Registry(open_at(root))
    report = after.verify()
    assert report.ok, f"{told}\n{report}"
    assert len(report.redactions) == 1, f"declared once: {told}"
    assert after.get_model("m").metadata == {"lr": 0.1}, told
    return "nothing" if not declared else "declared" if left else "done"
