"""The law of undo: after a commit and its undoing, all is as before it; after two, as after it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from localreg import Registry
from localreg.errors import ConflictError
from localreg.session import Session
from localreg.session.location import open_or_make
from localreg.storage import MemoryStore
from tests.history import STEPS, Step, play, seen


def played(steps: list[Step]) -> Registry:
    root = MemoryStore()
    file, _ = open_or_make(root, make=True)
    registry = Registry(Session(root, file, "default", actor="ana"))
    for step in steps:
        play(registry, step)
    return registry


def at(registry: Registry, commit: int) -> dict[tuple[str, str], str]:
    return seen(registry.at(commit=commit)._session.state())


def check(registry: Registry) -> None:
    """What a stranger reads is whole, and no name means two records."""
    assert registry.verify().ok
    state = registry.at(commit=registry.commit)._session.state()
    names = [(row.kind, row.parent, row.name) for row in state.rows()]
    assert len(names) == len(set(names))


@given(STEPS)
def test_undoing_the_last_commits_one_after_the_other_leads_back_through_every_state(steps: list[Step]) -> None:
    registry = played(steps)
    last = registry.commit
    genesis = {key for key in at(registry, last) if key[0] in ("registry", "namespace")}
    for commit in range(last, 0, -1):
        registry.undo(commit)
        expected = at(registry, commit - 1) or {key: text for key, text in at(registry, 1).items() if key in genesis}
        assert at(registry, registry.commit) == expected
    check(registry)


@given(STEPS)
def test_undoing_an_undo_is_doing_again(steps: list[Step]) -> None:
    registry = played(steps)
    last = registry.commit
    if not last:
        return
    undone = registry.undo(last)
    if undone is not None:
        registry.undo(undone)
    assert at(registry, registry.commit) == at(registry, last)
    check(registry)


@given(STEPS, st.integers(0, 6))
def test_any_commit_is_undone_for_every_record_or_not_at_all(steps: list[Step], place: int) -> None:
    """Records that nobody touched since are as before the commit; all others are as they were."""
    registry = played(steps)
    last = registry.commit
    if not last:
        return
    commit = place % last + 1
    now, before, after = at(registry, last), at(registry, commit - 1), at(registry, commit)
    try:
        registry.undo(commit)
    except ConflictError:
        assert at(registry, registry.commit) == now
        assert registry.commit == last
        return
    touched = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    touched = {key for key in touched if key[0] not in ("registry", "namespace")}
    expected = {key: text for key, text in now.items() if key not in touched}
    expected |= {key: before[key] for key in touched if key in before}
    assert at(registry, registry.commit) == expected
    check(registry)
