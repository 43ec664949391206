"""Taking commits back: what comes of it, and what stands against it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import localreg
from localreg import Registry
from localreg.canonical import JsonValue
from localreg.errors import ConflictError, InvalidInputError, LocalregError, ReadOnlyError
from localreg.log import Change
from localreg.log.entry import entry_path
from localreg.log.parquet import decode, encode
from localreg.records.files import FilePointer
from localreg.session import Session
from localreg.session.location import open_or_make
from localreg.storage import MemoryStore, Store
from tests.compat.independent_reader import Namespace
from tests.crash.scenarios import upload_and_run
from tests.history import seen
from tests.unit.test_session import before_publishing


@pytest.fixture
def root() -> Store:
    return MemoryStore()


def opened(root: Store, actor: str = "ana") -> Registry:
    file, _ = open_or_make(root, make=True)
    return Registry(Session(root, file, "default", actor=actor))


@pytest.fixture
def registry(root: Store) -> Registry:
    """A model `m` with versions 1 and 2, and the alias `production` at 1: four commits."""
    registry = opened(root)
    model = registry.create_model("m", metadata={"lr": 0.1})
    model.create_version("1")
    model.create_version("2")
    model.set_alias("production", "1")
    return registry


def shown(registry: Registry) -> dict[tuple[str, str], str]:
    return seen(registry._session.state())


def refused(registry: Registry, commit: int, code: str, kind: type[LocalregError] = ConflictError, **how: Any) -> str:
    """Undoing is refused and writes nothing; the message."""
    before, last = shown(registry), registry.commit
    with pytest.raises(kind) as caught:
        registry.undo(commit, **how)
    assert caught.value.code == code
    assert (shown(registry), registry.commit) == (before, last)
    assert "nothing was written" in str(caught.value)
    return str(caught.value)


ACTS: dict[str, tuple[Callable[[Registry], object], str]] = {
    "create": (lambda registry: registry.create_model("new"), "delete"),
    "update": (lambda registry: registry.get_model("m").update(metadata={"lr": 0.2, "x": 1}), "update"),
    "rename": (lambda registry: registry.get_model("m").rename("n"), "rename"),
    "tag": (lambda registry: registry.get_model("m").tag("a", "b"), "untag"),
    "create version": (lambda registry: registry.get_model("m").create_version("3"), "delete"),
    "delete version": (lambda registry: registry.get_model("m").version("2").delete(), "create"),
    "move alias": (lambda registry: registry.get_model("m").set_alias("production", "2"), "set_alias"),
    "new alias": (lambda registry: registry.get_model("m").set_alias("staging", "2"), "remove_alias"),
    "remove alias": (lambda registry: registry.get_model("m").remove_alias("production"), "set_alias"),
}


@pytest.mark.parametrize(("act", "verb"), ACTS.values(), ids=ACTS)
def test_an_act_is_taken_back_by_an_act_with_a_verb_of_its_own_and_done_again_by_undoing_that(
    registry: Registry, act: Callable[[Registry], object], verb: str
) -> None:
    before = shown(registry)
    act(registry)
    after = shown(registry)
    assert registry.undo(5, message="a slip") == 6
    assert shown(registry) == before
    (event,) = registry.watch(5, timeout=0)
    assert (event.action, event.message) == (verb, "a slip")
    assert event.details is not None
    assert {"undoes": 5, "undoes_event": 1}.items() <= event.details.items()
    assert registry.undo(6) == 7
    assert shown(registry) == after
    assert registry.undo(7) == 8
    assert shown(registry) == before
    assert registry.verify().ok


def test_who_moved_production_back_from_where_is_told_in_words(registry: Registry) -> None:
    registry.get_model("m").set_alias("production", "2")
    registry.undo(5)
    assert registry.get_version("m@production").version == "1"
    last = registry.audit(name="production").dicts()[-1]
    assert (last["action"], last["details"]) == (
        "set_alias",
        {"version": "1", "from": "2", "undoes": 5, "undoes_event": 1},
    )


def test_what_was_deleted_together_comes_back_together_under_its_ids(registry: Registry) -> None:
    model = registry.get_model("m")
    before, versions = shown(registry), model.versions()
    with registry.transaction():
        model.remove_alias("production")
        for version in versions:
            version.delete()
        model.delete()
    assert registry.find_model("m") is None
    assert registry.undo(5) == 6
    assert shown(registry) == before
    assert registry.get_model("m") == model
    assert model.versions() == versions
    assert model.resolve("production") == versions[0]


def test_what_comes_back_stands_where_it_stood_among_the_others(tmp_path: Path) -> None:
    registry = localreg.open(tmp_path / "registry")
    model = registry.create_model("m")
    for version in ("1", "2", "3"):
        model.create_version(version)
    made = model.version("2").created_at
    model.version("2").delete()
    registry.undo(5)
    assert [each.version for each in model.versions()] == ["1", "2", "3"]
    assert registry.get_version("m").version == "3", "what came back is not the newest"
    assert model.version("2").created_at == made
    assert [row["version"] for row in registry.sql("SELECT version FROM model_versions").dicts()] == ["1", "2", "3"]
    for number in range(64):
        registry.create_model(f"{number}")
    assert (tmp_path / "registry/namespaces/default/snapshots/latest.json").exists()
    again = localreg.open(tmp_path / "registry")
    assert [each.version for each in again.get_model("m").versions()] == ["1", "2", "3"], "behind a snapshot"
    assert Namespace(tmp_path / "registry").models()["m"]["versions"] == ["1", "2", "3"], "by the format's page"
    assert again.verify().ok


@pytest.mark.parametrize(
    "created",
    [
        {"commit": 9, "event": 1, "time": "2026-01-02T03:04:05.000006Z", "actor": "x"},
        {"commit": 0, "event": 1, "time": "2026-01-02T03:04:05.000006Z", "actor": "x"},
        {"commit": 1, "event": 2**70, "time": "2026-01-02T03:04:05.000006Z", "actor": "x"},
        {"commit": 1, "event": 1, "time": "yesterday", "actor": "x"},
        {"commit": 1, "event": 1, "time": "2026-01-02T03:04:05.000006Z"},
        "long ago",
        [1, 1],
    ],
)
def test_a_creation_that_cannot_have_been_is_not_believed(registry: Registry, created: JsonValue) -> None:
    row = registry._session.state().get("model", registry.get_model("m").id)
    assert row is not None
    change = Change("model", "create", "f" * 32, "new", after={"id": "f" * 32, "name": "new"})
    registry._session.change(lambda changes: changes.make(change._replace(details={"created": created})))
    put = registry._session.state().get("model", "f" * 32)
    assert put is not None
    assert put.created == (5, 1)


def test_names_that_went_round_within_one_commit_go_round_back(registry: Registry) -> None:
    other = registry.create_model("other")
    before = shown(registry)
    with registry.transaction():
        registry.get_model("m").rename("free")
        other.rename("m")
        registry.get_model("free").rename("other")
    registry.undo(6)
    assert shown(registry) == before
    assert registry.verify().ok


def test_one_event_of_a_commit_is_taken_back_alone(registry: Registry) -> None:
    with registry.transaction():
        registry.create_model("a")
        registry.create_model("b")
        registry.get_model("m").update(metadata={"lr": 0.9})
    assert registry.undo(5, event=2) == 6
    assert registry.find_model("a") is not None
    assert registry.find_model("b") is None
    assert registry.get_model("m").metadata == {"lr": 0.9}
    assert registry.undo(5) == 7, "the rest of it"
    assert registry.find_model("a") is None
    assert registry.get_model("m").metadata == {"lr": 0.1}


def test_what_is_as_before_already_needs_no_commit(registry: Registry) -> None:
    registry.get_model("m").update(metadata={"lr": 0.2})
    registry.get_model("m").update(metadata={"lr": 0.1})
    assert registry.undo(5) is None
    assert registry.commit == 6
    registry.create_model("x").delete()
    assert registry.undo(7) is None


def test_what_was_changed_and_changed_back_is_still_what_the_commit_left(registry: Registry) -> None:
    model = registry.get_model("m")
    model.update(metadata={"lr": 0.2})
    model.update(metadata={"lr": 0.3})
    model.update(metadata={"lr": 0.2})
    assert registry.undo(5) == 8
    assert model.metadata == {"lr": 0.1}


def test_in_a_transaction_it_joins_the_others(registry: Registry) -> None:
    registry.get_model("m").update(metadata={"lr": 0.2})
    with registry.transaction("together") as transaction:
        assert registry.undo(5) is None
        assert registry.get_model("m").metadata == {"lr": 0.1}
        registry.create_model("new")
    assert transaction.commit == 6
    assert [event.action for event in registry.watch(5, timeout=0)] == ["update", "create"]


def test_the_first_commit_is_taken_back_but_for_the_namespace(registry: Registry, root: Store) -> None:
    alone = opened(MemoryStore())
    alone.create_model("only")
    assert alone.undo(1) == 2
    assert [row.kind for row in alone._session.state().rows("model")] == []
    assert {row.kind for row in alone._session.state().rows()} == {"registry", "namespace"}
    assert alone.verify().ok


# What stands against it


def test_a_record_that_was_changed_since_is_a_conflict_that_names_what_and_where(registry: Registry) -> None:
    model = registry.get_model("m")
    model.update(metadata={"lr": 0.2})
    registry.create_model("other")
    model.update(metadata={"lr": 0.3}, description="new")
    message = refused(registry, 5, "changed_since")
    for part in ("commit 5", "model 'm'", "metadata.lr", "description", "commit 7"):
        assert part in message


def test_a_record_that_was_deleted_since_is_a_conflict(registry: Registry) -> None:
    registry.create_model("x").update(metadata={"a": 1})
    registry.get_model("x").delete()
    assert "was deleted in commit 7" in refused(registry, 6, "changed_since")


def test_a_record_that_was_made_again_since_and_changed_is_a_conflict(registry: Registry) -> None:
    registry.create_model("x").delete()
    registry.undo(6)
    registry.get_model("x").update(metadata={"a": 1})
    assert "made again" in refused(registry, 6, "changed_since")


def test_a_record_changed_twice_in_one_commit_cannot_lose_the_first_change_alone(registry: Registry) -> None:
    with registry.transaction():
        registry.get_model("m").update(metadata={"lr": 0.2})
        registry.get_model("m").update(metadata={"x": 1})
    refused(registry, 5, "changed_since", event=1)
    assert registry.undo(5, event=2) == 6
    assert registry.get_model("m").metadata == {"lr": 0.2}


def test_a_name_taken_meanwhile_is_a_conflict(registry: Registry) -> None:
    registry.create_model("x").delete()
    registry.create_model("x")
    assert "made in commit 7" in refused(registry, 6, "name_taken")
    registry.get_model("m").rename("n")
    registry.create_model("m")
    refused(registry, 8, "name_taken")


def test_a_name_that_means_a_version_of_another_model_by_now_is_a_conflict(registry: Registry) -> None:
    registry.create_model("n@9").delete()
    registry.create_model("n").create_version("9")
    assert "n@9" in refused(registry, 6, "name_taken")


def test_an_alias_and_a_version_of_one_name_are_a_conflict(registry: Registry) -> None:
    model = registry.get_model("m")
    model.set_alias("3", "1")
    model.remove_alias("3")
    model.create_version("3")
    refused(registry, 6, "name_taken")


def test_what_others_made_of_a_record_keeps_it_from_being_unmade(registry: Registry) -> None:
    message = refused(registry, 1, "has_dependants")
    assert "depends on model 'm'" in message
    refused(registry, 2, "has_dependants")
    assert registry.undo(3) == 5, "nothing depends on version 2"


def test_what_a_record_refers_to_must_be_there_still(registry: Registry) -> None:
    model = registry.get_model("m")
    model.set_alias("staging", "2")
    model.remove_alias("staging")
    model.version("2").delete()
    assert "model version that was deleted in commit 7" in refused(registry, 6, "reference_gone")
    other = registry.create_model("x")
    other.create_version("1")
    other.version("1").delete()
    other.delete()
    assert "deleted in commit 11" in refused(registry, 10, "reference_gone")


def test_what_the_open_transaction_did_counts_as_well(registry: Registry) -> None:
    registry.create_model("x")
    with registry.transaction():
        registry.get_model("x").create_version("1")
        with pytest.raises(ConflictError, match="depends on model 'x'"):
            registry.undo(5)
    assert registry.find_model("x") is not None


def test_a_model_s_metadata_may_mention_ids(registry: Registry) -> None:
    made = registry.create_model("x")
    registry.create_model("y", metadata={"from": made.id})
    assert registry.undo(5) == 7


def test_bulk_files_that_were_brought_in_stay(registry: Registry) -> None:
    for step in upload_and_run():
        step(registry)
    last = registry.commit
    for commit in range(5, last + 1):
        brought = any(event.files for event in registry.watch(commit - 1, timeout=0) if event.commit == commit)
        if brought:
            assert "bulk files" in refused(registry, commit, "not_undoable", InvalidInputError)
    assert registry.verify().ok


def test_what_owns_bulk_files_cannot_be_unmade_beneath_them(registry: Registry) -> None:
    pointer = FilePointer("data/t/x.parquet", "t", registry.get_model("m").id, 1, 1, "0" * 64)
    owner = registry.create_model("owner")
    pointer = FilePointer("data/t/x.parquet", "t", owner.id, 1, 1, "0" * 64)
    row = registry._session.state().get("model", owner.id)
    assert row is not None
    registry._session.change(lambda changes: changes.note(row, action="upload", files=(pointer,)))
    assert "file 'data/t/x.parquet'" in refused(registry, 5, "has_dependants")


def test_files_given_up_meanwhile_keep_their_owner_from_coming_back(registry: Registry) -> None:
    owner = registry.create_model("owner")
    pointer = FilePointer("data/t/x.parquet", "t", owner.id, 1, 1, "0" * 64)
    row = registry._session.state().get("model", owner.id)
    assert row is not None
    registry._session.change(lambda changes: changes.note(row, action="upload", files=(pointer,)))
    owner.delete()
    condemn = Change("namespace", "condemn", owner.id, "default", files=(pointer,))
    registry._session.change(lambda changes: changes.make(condemn))
    assert "given up" in refused(registry, 7, "file_condemned")
    assert "stay given up" in refused(registry, 8, "not_undoable", InvalidInputError)


def test_what_was_redacted_cannot_be_brought_back(registry: Registry, root: Store) -> None:
    model = registry.get_model("m")
    model.update(metadata={"lr": 0.2})
    store, path = registry._session.store, entry_path(5)
    rows = decode(store.get(path) or b"", name=path)
    store.put(path, encode([row._replace(payload="") for row in rows]))
    assert "redacted" in refused(opened(root), 5, "not_undoable", InvalidInputError)
    fresh = opened(root)
    fresh.get_model("m").update(metadata={"lr": 0.3})
    assert "redacted" in refused(fresh, 6, "not_undoable", InvalidInputError), "it would put what nobody knows"


@pytest.mark.parametrize("wrong", [0, 5, -1, True, 1.0, "1"])
def test_a_commit_that_is_not_there_is_refused(registry: Registry, wrong: int) -> None:
    with pytest.raises(InvalidInputError, match="commit"):
        registry.undo(wrong)


@pytest.mark.parametrize("wrong", [0, 2, -1, True])
def test_an_event_that_is_not_there_is_refused(registry: Registry, wrong: int) -> None:
    with pytest.raises(InvalidInputError, match="event"):
        registry.undo(4, event=wrong)


def test_where_nothing_may_be_written_nothing_is_undone(registry: Registry) -> None:
    with pytest.raises(ReadOnlyError):
        registry.at(commit=4).undo(4)


def test_another_writer_who_was_first_counts_as_changed_since(
    registry: Registry, root: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.get_model("m").update(metadata={"lr": 0.2})
    other = opened(root, "ben")
    before_publishing(monkeypatch, registry, lambda: other.get_model("m").update(metadata={"lr": 0.3}))
    with pytest.raises(ConflictError, match="commit 6"):
        registry.undo(5)
    assert registry.commit == 6
    before_publishing(monkeypatch, registry, lambda: other.create_model("unrelated"))
    assert registry.undo(6) == 8
