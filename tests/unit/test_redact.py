"""Removing a secret from the past: gone from every file, with the chain whole and somebody to answer for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import localreg
from localreg import Registry
from localreg.errors import ConflictError, InvalidInputError, LocalregError, NotFoundError, ReadOnlyError
from localreg.log.entry import entry_path
from localreg.log.redaction import finish
from localreg.names import new_id
from localreg.session import Session
from localreg.session.location import open_or_make
from localreg.storage import MemoryStore, Store
from tests.compat.independent_reader import Namespace
from tests.unit.test_session import before_publishing

SECRET = "hunter2"


@pytest.fixture
def root() -> Store:
    return MemoryStore()


def opened(root: Store, actor: str = "ana") -> Registry:
    file, _ = open_or_make(root, make=True)
    return Registry(Session(root, file, "default", actor=actor))


@pytest.fixture
def registry(root: Store) -> Registry:
    """The model `m`: made with a secret (1), changed (2), cleaned (3); another model `x` (4)."""
    registry = opened(root)
    model = registry.create_model("m", metadata={"key": SECRET})
    model.update(metadata={"lr": 0.1})
    model.update(unset=["key"])
    registry.create_model("x")
    return registry


def holding(root: Store) -> list[str]:
    """The files in which the secret stands."""
    return [path for path in root.list("") if SECRET.encode() in (root.get(path) or b"")]


def test_all_that_was_said_of_a_record_goes_but_for_its_present_value(registry: Registry, root: Store) -> None:
    assert len(holding(root)) == 3
    chain = [event.digest for event in registry.watch(0, timeout=0)]
    assert registry.redact(registry.get_model("m"), reason="a key got in") == [(1, 3), (2, 1), (3, 1)]
    assert holding(root) == []
    for reader in (registry, opened(root)):
        assert reader.get_model("m").metadata == {"lr": 0.1}
        assert [event.digest for event in reader.watch(0, timeout=0)][: len(chain)] == chain
        assert reader.find_model("x") is not None
    report = registry.verify()
    assert report.ok
    (redaction,) = report.redactions
    assert (redaction.commit, redaction.actor, redaction.kind, redaction.name) == (5, "ana", "model", "m")
    assert (redaction.reason, redaction.events) == ("a key got in", ((1, 3), (2, 1), (3, 1)))
    assert "ana redacted what was said of model 'm' (events 1.3, 2.1, 3.1) in commit 5" in str(report)
    assert "a key got in" in str(report)


def test_what_is_left_says_who_did_what_to_which_name(registry: Registry) -> None:
    registry.redact(registry.get_model("m"), reason="a key got in")
    events = list(registry.watch(0, kinds="model", timeout=0))
    assert [(event.action, event.name, event.redacted) for event in events] == [
        ("create", "m", True),
        ("update", "m", True),
        ("update", "m", True),
        ("create", "x", False),
        ("redact", "m", False),
    ]
    assert (events[0].before, events[0].after, events[0].message) == (None, None, None)
    assert events[-1].after is not None
    assert events[-1].after["metadata"] == {"lr": 0.1}
    assert SECRET not in str(registry.audit().dicts())


def test_the_past_shows_id_and_name_of_what_was_redacted(registry: Registry) -> None:
    model = registry.get_model("m")
    registry.redact(model, reason="a key got in")
    for commit in (1, 2, 3):
        past = registry.at(commit=commit).get_model("m")
        assert (past.id, past.metadata) == (model.id, {})


def test_a_deleted_record_goes_whole(registry: Registry, root: Store) -> None:
    model = registry.create_model("y", metadata={"key": SECRET})
    model.delete()
    assert registry.redact(model, reason="why") == [(5, 1), (6, 1)]
    registry.redact(registry.get_model("m"), reason="why")
    assert holding(root) == []
    assert registry.find_model("y") is None
    assert opened(root).verify().ok


def test_from_the_commit_that_brought_it_later_events_of_the_record_go_too(registry: Registry, root: Store) -> None:
    assert registry.redact(commit=1, event=3, reason="why") == [(1, 3), (2, 1), (3, 1)]
    assert holding(root) == []
    assert registry.get_model("m").metadata == {"lr": 0.1}


def test_what_came_before_the_secret_stays(root: Store) -> None:
    registry = opened(root)
    model = registry.create_model("m", metadata={"lr": 0.1})
    model.update(metadata={"key": SECRET})
    model.update(unset=["key"])
    model.update(metadata={"lr": 0.2})
    assert registry.redact(commit=2, event=1, reason="why") == [(2, 1), (3, 1), (4, 1)]
    assert holding(root) == []
    assert registry.at(commit=1).get_model("m").metadata == {"lr": 0.1}
    assert registry.get_model("m").metadata == {"lr": 0.2}


def test_a_message_goes_with_all_events_of_its_commit(registry: Registry, root: Store) -> None:
    registry.redact(registry.get_model("m"), reason="why")
    with registry.transaction(f"the key is {SECRET}"):
        registry.get_model("m").tag("a")
        registry.get_model("x").tag("a")
    registry.get_model("m").tag("b")
    registry.get_model("x").tag("b")
    assert len(holding(root)) == 1
    positions = registry.redact(commit=6, reason="in the message")
    assert {(6, 1), (6, 2)} <= set(positions)
    assert holding(root) == []
    assert registry.get_model("x").tags == ["a", "b"]
    assert registry.verify().ok


def test_the_message_of_the_very_first_commit_goes_and_the_namespace_stays(root: Store) -> None:
    registry = opened(root)
    with registry.transaction(f"the key is {SECRET}"):
        registry.create_model("m")
    registry.get_model("m").tag("a")
    registry.redact(commit=1, reason="why")
    assert holding(root) == []
    state = opened(root)._session.state()
    assert [row.fields["registry"] for row in state.rows("namespace")] == [registry.id]
    assert [row.fields["commit_mode"] for row in state.rows("registry")] == ["link"]
    assert opened(root).verify().ok


def test_the_present_value_must_be_clean_before(root: Store) -> None:
    registry = opened(root)
    model = registry.create_model("m", metadata={"key": SECRET})
    named: list[dict[str, Any]] = [{"record": model}, {"commit": 1}, {"commit": 1, "event": 3}]
    for which in named:
        with pytest.raises(ConflictError, match="holds the present value of model 'm'") as caught:
            registry.redact(**which, reason="why")
        assert caught.value.code == "newest_value"
    assert registry.commit == 1
    assert registry.verify().redactions == []


def test_a_redaction_that_would_hide_nothing_is_refused_while_the_secret_is_live(root: Store) -> None:
    registry = opened(root)
    model = registry.create_model("m", metadata={"seed": 1, "list": [{"of": "things"}]}, tags=["b"])
    model.update(metadata={"key": SECRET})
    model.tag("a")
    named: list[dict[str, Any]] = [{"record": model}, {"commit": 2}, {"commit": 2, "event": 1}]
    for which in named:
        with pytest.raises(ConflictError, match=r"present value of model 'm': change that first.*unset=") as caught:
            registry.redact(**which, reason="why")
        assert caught.value.code == "newest_value"
    assert registry.commit == 3
    model.update(unset=["key"])
    assert registry.redact(model, reason="why") == [(1, 3), (2, 1), (3, 1), (4, 1)]
    assert holding(root) == []


def test_a_secret_that_only_moved_within_a_list_is_live(root: Store) -> None:
    registry = opened(root)
    model = registry.create_model("m", tags=[SECRET])
    model.tag("a", "z")
    with pytest.raises(ConflictError):
        registry.redact(model, reason="why")
    model.untag(SECRET)
    registry.redact(model, reason="why")
    assert len(holding(root)) == 0


def test_a_message_may_go_though_all_that_was_said_still_stands(root: Store) -> None:
    registry = opened(root)
    model = registry.create_model("m")
    for number in range(2):
        with registry.transaction(f"{SECRET} {number}"):
            model.tag(f"{number}")
    model.tag("z")
    assert registry.redact(commit=2, reason="why") == [(2, 1), (3, 1), (4, 1)]
    assert holding(root) == []
    with registry.transaction(SECRET):
        model.tag("a")
        registry.create_model("n")
    model.tag("b")
    with pytest.raises(ConflictError):  # the other event of the commit would go on to say it
        registry.redact(commit=5, event=1, reason="why")


def test_what_is_live_in_one_record_does_not_count_for_another(root: Store) -> None:
    registry = opened(root)
    model = registry.create_model("m", metadata={"key": SECRET})
    registry.create_model("other", metadata={"key": SECRET})
    model.update(unset=["key"])
    assert registry.redact(model, reason="why") == [(1, 3), (3, 1)]


def test_what_was_not_clean_after_all_is_redacted_once_more(registry: Registry, root: Store) -> None:
    model = registry.get_model("m")
    model.update(metadata={"other": SECRET})
    registry.redact(model, reason="first")
    assert len(holding(root)) == 1, "the value that stands"
    model.update(unset=["other"])
    assert registry.redact(model, reason="second") == [(6, 1), (7, 1)]
    assert holding(root) == []
    assert model.metadata == {"lr": 0.1}
    assert [each.reason for each in registry.verify().redactions] == ["first", "second"]


def test_doing_it_again_writes_nothing(registry: Registry) -> None:
    model = registry.get_model("m")
    registry.redact(model, reason="why")
    last = registry.commit
    assert registry.redact(model, reason="why") == []
    assert registry.redact(commit=1, event=3, reason="why") == []
    assert registry.commit == last
    model.tag("a")
    assert registry.redact(commit=1, event=3, reason="why") == [], "what is clean has spread nothing"


def test_caches_that_hold_it_are_made_anew(tmp_path: Path) -> None:
    registry = localreg.open(tmp_path / "registry", actor="ana")
    model = registry.create_model("m", metadata={"key": SECRET})
    for number in range(130):
        registry.create_model(f"{number}")
    session = registry._session
    session.store.put("history/1.parquet", SECRET.encode())
    old = {*session.store.list("snapshots"), *session.store.list("history")}
    assert len(old) == 6
    model.update(unset=["key"])
    registry.redact(model, reason="why")
    new = {*session.store.list("snapshots"), *session.store.list("history")}
    assert len(new) == 3
    assert new & old == {"snapshots/latest.json"}
    for path in new - old:
        assert SECRET not in str(pq.read_table(session.store.local_file(path)).to_pylist())
    again = localreg.open(tmp_path / "registry")
    assert again.get_model("m").metadata == {}
    assert len(again.models()) == 131
    assert again.verify().ok
    assert Namespace(tmp_path / "registry").models()["m"]["metadata"] == {}


def test_a_snapshot_that_a_slow_writer_leaves_afterwards_is_told(tmp_path: Path) -> None:
    from localreg.log import snapshot

    registry = localreg.open(tmp_path / "registry", actor="ana")
    model = registry.create_model("m", metadata={"key": SECRET})
    stale = registry._session.state()
    model.update(unset=["key"])
    registry.redact(model, reason="why")
    snapshot.save(registry._session.store, registry._session.log.origin.digest, stale, lambda: stale)
    assert [problem.code for problem in registry.verify().problems] == ["snapshot_wrong"]
    registry.redact(model, reason="why")
    assert registry.verify().ok


def test_who_has_the_registry_open_sees_no_harm(registry: Registry, root: Store) -> None:
    other = opened(root, "ben")
    with other.frozen() as frozen:
        other.models().dicts()
        registry.redact(registry.get_model("m"), reason="why")
        assert other.get_model("m").metadata == {"lr": 0.1}
        assert frozen.get_model("m").metadata == {"lr": 0.1}
        assert len(other.models().dicts()) == 2
    other.create_model("goes on")
    assert opened(root).verify().ok


def test_a_reader_that_has_the_old_file_open_reads_it_to_its_end(tmp_path: Path) -> None:
    registry = localreg.open(tmp_path / "registry")
    model = registry.create_model("m", metadata={"key": SECRET})
    model.update(unset=["key"])
    path = tmp_path / "registry/namespaces/default" / entry_path(1)
    with path.open("rb") as file:
        begin = file.read(4)
        registry.redact(model, reason="why")
        assert SECRET.encode() in begin + file.read()
    assert SECRET.encode() not in path.read_bytes()


def test_a_change_that_lands_meanwhile_is_redacted_as_well(
    registry: Registry, root: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = opened(root, "ben")
    before_publishing(monkeypatch, registry, lambda: other.get_model("m").update(metadata={"lr": 0.5}))
    assert registry.redact(registry.get_model("m"), reason="why") == [(1, 3), (2, 1), (3, 1), (5, 1)]
    assert registry.get_model("m").metadata == {"lr": 0.5}
    assert holding(root) == []


def test_two_that_redact_one_entry_at_once_both_succeed(root: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one with the older view of the log writes the entry last, and would bring back what the other emptied."""
    registry, other = opened(root), opened(root, "ben")
    with registry.transaction():
        registry.create_model("a", metadata={"key": SECRET})
        registry.create_model("b", metadata={"key": SECRET})
    registry.get_model("a").update(unset=["key"])
    registry.get_model("b").update(unset=["key"])
    store = registry._session.store
    put, calls = store.put, list[str]()

    def put_late(path: str, data: bytes) -> None:
        calls.append(path)
        if len(calls) == 1:
            other.redact(other.get_model("b"), reason="ben's")
        put(path, data)

    monkeypatch.setattr(store, "put", put_late)
    registry.redact(registry.get_model("a"), reason="ana's")
    assert calls[0] == entry_path(1)
    assert holding(root) == []
    assert opened(root).verify().ok


def test_what_was_declared_and_not_emptied_is_told_and_finished_by_anybody(registry: Registry, root: Store) -> None:
    store = registry._session.store
    whole = store.get(entry_path(2)) or b""
    registry.redact(registry.get_model("m"), reason="why")
    store.put(entry_path(2), whole)  # from a backup
    report = registry.verify()
    assert [(problem.code, problem.path) for problem in report.problems] == [("redaction_unfinished", entry_path(2))]
    assert "call registry.redact again" in str(report)
    finish(opened(root)._session.log)
    assert holding(root) == []
    assert opened(root).verify().ok


@pytest.mark.parametrize(
    "details",
    [
        {"events": [[1, 3]]},
        {"events": [[1, 3], [9, 1], [5, 1], ["x"], 7, [True], [0, 1]], "reason": 3},
        {"events": "all"},
        None,
    ],
)
def test_a_declaration_by_another_program_is_read_as_far_as_it_makes_sense(
    registry: Registry, root: Store, details: dict[str, Any] | None
) -> None:
    row = registry._session.state().get("model", registry.get_model("m").id)
    assert row is not None
    registry._session.change(lambda changes: changes.note(row, action="redact", details=details))
    named = ((1, 3),) if details and details["events"] != "all" else ()
    (redaction,) = registry.verify().redactions
    assert (redaction.events, redaction.reason) == (named, "")
    finish(registry._session.log)
    assert opened(root).verify().ok


CASES: list[tuple[type[LocalregError], Callable[[Registry], object]]] = [
    (InvalidInputError, lambda registry: registry.redact(reason="why")),
    (InvalidInputError, lambda registry: registry.redact(registry.get_model("m"), commit=1, reason="why")),
    (InvalidInputError, lambda registry: registry.redact(registry.get_model("m"), event=1, reason="why")),
    (InvalidInputError, lambda registry: registry.redact("m", reason="why")),  # type: ignore[arg-type]
    (InvalidInputError, lambda registry: registry.redact(registry.get_model("m"), reason=" ")),
    (InvalidInputError, lambda registry: registry.redact(registry.get_model("m"), reason=3)),  # type: ignore[arg-type]
    (InvalidInputError, lambda registry: registry.redact(commit=5, reason="why")),
    (InvalidInputError, lambda registry: registry.redact(commit=0, reason="why")),
    (InvalidInputError, lambda registry: registry.redact(commit=1, event=4, reason="why")),
    (InvalidInputError, lambda registry: registry.redact(commit=1, event=0, reason="why")),
    (ReadOnlyError, lambda registry: registry.at(commit=4).redact(commit=1, reason="why")),
    (NotFoundError, lambda registry: registry.redact(localreg.Model(registry._session, new_id()), reason="why")),
]


@pytest.mark.parametrize(("kind", "act"), CASES)
def test_what_cannot_be_meant_is_refused_and_writes_nothing(
    registry: Registry, kind: type[LocalregError], act: Callable[[Registry], object]
) -> None:
    with pytest.raises(kind):
        act(registry)
    assert registry.commit == 4
    assert registry.verify().redactions == []


def test_a_record_of_another_registry_is_refused(registry: Registry) -> None:
    stranger = opened(MemoryStore()).create_model("m")
    with pytest.raises(InvalidInputError, match="another registry"):
        registry.redact(stranger, reason="why")


def test_it_is_a_commit_of_its_own(registry: Registry) -> None:
    with registry.transaction(), pytest.raises(InvalidInputError, match="outside the transaction"):
        registry.redact(commit=1, event=3, reason="why")


def test_a_redaction_cannot_be_undone_nor_what_it_took(registry: Registry) -> None:
    registry.redact(registry.get_model("m"), reason="why")
    for commit in (5, 2):
        with pytest.raises(InvalidInputError, match="cannot be undone"):
            registry.undo(commit)
