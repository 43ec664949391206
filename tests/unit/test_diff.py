"""What is different between two commits, told by the events between."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localreg import Diff, Registry
from localreg.canonical import JsonObject, canonical
from localreg.errors import InvalidInputError
from localreg.handles.words import readable_bytes
from localreg.log import Row, State
from localreg.log.entry import entry_path
from localreg.log.parquet import decode, encode
from localreg.records.differences import differences
from localreg.session import Session
from localreg.session.location import open_or_make
from localreg.storage import MemoryStore, Store
from localreg.testing import FaultyStore
from tests.history import STEPS, Step, play


def opened(root: Store) -> Registry:
    file, _ = open_or_make(root, make=True)
    return Registry(Session(root, file, "default", actor="ana"))


@pytest.fixture
def root() -> Store:
    return MemoryStore()


@pytest.fixture
def registry(root: Store) -> Registry:
    return opened(root)


def test_records_made_deleted_and_changed_are_told_with_their_names_and_paths(registry: Registry) -> None:
    stays = registry.create_model("stays", metadata={"lr": 0.1, "optim": {"name": "adam"}})
    goes = registry.create_model("goes", metadata={"x": 1})
    begin = registry.commit
    stays.update(metadata={"optim": {"name": "sgd"}, "note": "new"}, unset=["lr"])
    stays.rename("renamed")
    goes.delete()
    made = registry.create_model("made")
    diff = registry.diff(begin)
    (changed,) = diff.changed
    assert (changed.kind, changed.id, changed.name_before, changed.name_after) == (
        "model",
        stays.id,
        "stays",
        "renamed",
    )
    assert {each.path: (each.before, each.after) for each in changed.differences} == {
        "name": ("stays", "renamed"),
        "former_names": ([], ["stays"]),
        "metadata.lr": (0.1, None),
        "metadata.note": (None, "new"),
        "metadata.optim.name": ("adam", "sgd"),
    }
    (deleted,) = diff.deleted
    assert (deleted.id, deleted.name_before, deleted.name_after, deleted.name) == (goes.id, "goes", None, "goes")
    (created,) = diff.created
    assert (created.id, created.name_before, created.name_after) == (made.id, None, "made")
    assert {"name": "made", "metadata": {}}.items() <= {each.path: each.after for each in created.differences}.items()
    assert (diff.before, diff.after, len(diff), bool(diff)) == (begin, registry.commit, 3, True)


def test_it_reads_as_a_page(registry: Registry) -> None:
    registry.create_model("stays", metadata={"lr": 0.1})
    registry.create_model("goes")
    registry.get_model("stays").update(metadata={"lr": 0.2, "text": "y" * 100})
    registry.get_model("goes").delete()
    registry.create_model("made").rename("named")
    diff = registry.diff(2)
    assert str(diff).splitlines() == [
        "commit 2 → 6",
        "  + model 'named'",
        "  - model 'goes'",
        "  ~ model 'stays'",
        "      metadata.lr: 0.1 → 0.2",
        f'      + metadata.text: "{"y" * 56}…',
    ]
    assert repr(diff) == "<Diff of commit 2 and 6: 1 created, 1 deleted, 1 changed>"
    assert str(registry.diff(1, 1)) == "commit 1 → 1"
    assert not registry.diff(6)


def test_it_says_whose_and_by_names_instead_of_ids(registry: Registry) -> None:
    model = registry.create_model("m", metadata={"old": 1, "odd": {"a\nb": 1}})
    for version in ("1", "2"):
        model.create_version(version)
    model.set_alias("staging", "1").set_alias("gone", "1")
    begin = registry.commit
    model.set_alias("staging", "2").set_alias("new", "1").remove_alias("gone")
    model.version("1").update(description="why")
    model.update(unset=["old"], metadata={"odd": {"a\nb": 2}})
    model.rename("n")
    diff = registry.diff(begin)
    assert str(diff).splitlines()[1:] == [
        "  + alias 'n@new'",
        "  - alias 'n@gone'",
        "  ~ alias 'n@staging'",
        '      version: "1" → "2"',
        "  ~ version 'n@1'",
        '      description: null → "why"',
        "  ~ model 'm', now 'n'",
        '      former_names: [] → ["m"]',
        "      metadata.odd['a b']: 1 → 2",
        "      - metadata.old: 1",
        '      name: "m" → "n"',
    ]
    staging = diff.changed[0]
    assert (staging.parent_name, staging.subject, diff.changed[2].parent_name) == ("n", "alias 'n@staging'", None)
    moved = {model.version(version).id: version for version in ("1", "2")}
    assert dict(staging.names) == moved
    assert [str(each.before) for each in staging.differences] == [model.version("1").id], "ids for programs"


def test_what_went_with_its_model_still_says_whose_it_was(registry: Registry) -> None:
    model = registry.create_model("m")
    model.create_version("1")
    model.set_alias("staging", "1")
    begin = registry.commit
    model.delete(force=True)
    assert str(registry.diff(begin)).splitlines()[1:] == [
        "  - alias 'm@staging'",
        "  - version 'm@1'",
        "  - model 'm'",
    ]
    assert str(registry.diff(registry.commit, begin)).splitlines()[1:2] == ["  + alias 'm@staging'"]


def test_a_renamed_record_is_told_by_both_names(registry: Registry) -> None:
    registry.create_model("old").rename("new")
    assert "  ~ model 'old', now 'new'" in str(registry.diff(1)).splitlines()


def test_what_was_taken_back_in_between_is_no_difference(registry: Registry) -> None:
    model = registry.create_model("x", metadata={"lr": 0.1})
    begin = registry.commit
    model.update(metadata={"lr": 0.2})
    model.update(metadata={"lr": 0.1})
    registry.create_model("y").delete()
    assert not registry.diff(begin)
    deleted = registry.commit + 1
    model.delete()
    registry.undo(deleted)
    assert not registry.diff(begin), "removed and put again, as it was"
    model.update(metadata={"lr": 0.3})
    (changed,) = registry.diff(begin).changed
    assert [(each.path, each.before, each.after) for each in changed.differences] == [("metadata.lr", 0.1, 0.3)]


def test_a_name_that_another_record_took_is_one_made_and_one_deleted(registry: Registry) -> None:
    first = registry.create_model("x")
    begin = registry.commit
    first.delete()
    second = registry.create_model("x")
    diff = registry.diff(begin)
    assert [each.id for each in diff.deleted] == [first.id]
    assert [each.id for each in diff.created] == [second.id]


def test_backwards_everything_is_told_the_other_way_round(registry: Registry) -> None:
    registry.create_model("x", metadata={"lr": 0.1})
    registry.create_model("y").update(description="why")
    registry.get_model("x").delete()
    forwards, backwards = registry.diff(1, 4), registry.diff(4, 1)
    assert [each.id for each in forwards.created] == [each.id for each in backwards.deleted]
    assert [each.id for each in forwards.deleted] == [each.id for each in backwards.created]
    assert (backwards.before, backwards.after) == (4, 1)


def test_times_mean_commits_as_they_do_in_at(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    for minute in (10, 20, 30):
        monkeypatch.setattr("localreg.log.publish.now", lambda minute=minute: f"2026-03-01T12:{minute}:00.000000Z")
        registry.create_model(str(minute))
    diff = registry.diff("2026-03-01T12:15:00+00:00", datetime(2026, 3, 1, 12, 25, tzinfo=UTC))
    assert (diff.before, diff.after) == (1, 2)
    assert [each.name for each in diff.created] == ["20"]


@pytest.mark.parametrize("wrong", [3, -1, True, 1.0, None, "yesterday"])
def test_a_moment_that_is_none_is_refused(registry: Registry, wrong: int) -> None:
    registry.create_model("x")
    for arguments in [(wrong,), (0, wrong)] if wrong is not None else [(wrong,)]:
        with pytest.raises(InvalidInputError):
            registry.diff(*arguments)


def test_the_past_can_be_asked_and_knows_nothing_of_what_came_after(registry: Registry) -> None:
    for name in ("x", "y", "z"):
        registry.create_model(name)
    past = registry.at(commit=2)
    assert [each.name for each in past.diff(1).created] == ["y"]
    with pytest.raises(InvalidInputError, match="the newest is 2"):
        past.diff(1, 3)


def test_it_costs_what_happened_in_between(root: Store) -> None:
    writer = opened(root)
    for number in range(70):
        writer.create_model(f"m{number}")
    store = FaultyStore(root, fail_at=0, when="before")
    registry = opened(store)
    registry.commit  # noqa: B018
    before = len(store.calls)
    assert len(registry.diff(30, 33).created) == 3
    assert len(store.calls) - before == 1 + 1 + 3, "one probe, the digest at the beginning, the entries between"


def test_files_that_became_visible_are_told(registry: Registry) -> None:
    from tests.crash.scenarios import upload_and_run

    for step in upload_and_run():
        step(registry)
    for begin in range(registry.commit):
        assert_diff(registry, begin, registry.commit)
    kinds = {each.kind for each in registry.diff(0).created}
    assert {"file", "test_case_version", "test_run"} <= kinds
    diff = registry.diff(0)
    files = [each for each in diff.created if each.kind == "file"]
    lines = str(diff).splitlines()
    size = readable_bytes(sum(sizes(registry)))
    assert len(files) > 1
    assert f"  + {len(files)} files, {size}" in lines
    assert not any("data/" in line for line in lines)
    (run,) = (each for each in diff.created if each.kind == "test_run")
    (model,) = registry.models()
    assert str(run) == f"test run {run.name!r} of '{model['name']}@1'"


def sizes(registry: Registry) -> list[int]:
    return [int(str(row.fields["bytes"])) for row in registry._session.state().rows("file")]


def emptied(store: Store, commit: int, event: int) -> None:
    """Take a payload away, as a redaction by any program does."""
    path = entry_path(commit)
    rows = decode(store.get(path) or b"", name=path)
    store.put(path, encode([row._replace(payload="") if row.event == event else row for row in rows]))


def test_what_was_redacted_is_told_as_such_and_records_are_still_where_they_were(root: Store) -> None:
    registry = opened(root)
    registry.create_model("x", metadata={"secret": 1})
    registry.get_model("x").update(metadata={"secret": 2})
    registry.get_model("x").update(metadata={"secret": 3})
    registry.create_model("y")
    emptied(registry._session.store, 2, 1)
    registry = opened(root)
    (changed,) = registry.diff(1, 3).changed
    assert not changed.redacted
    assert [(each.before, each.after) for each in changed.differences] == [(1, 3)]
    (changed,) = registry.diff(1, 2).changed
    assert (changed.redacted, changed.differences, str(changed)) == (True, (), "model 'x' (redacted)")
    assert [each.redacted for each in registry.diff(2, 3).changed] == [False]
    emptied(registry._session.store, 4, 1)
    (created,) = opened(root).diff(3).created
    assert (created.name, created.redacted) == ("y", True)


# --- against the states themselves ------------------------------------------------------------------------------------


def assert_diff(registry: Registry, begin: int, end: int) -> None:
    """The diff says what a comparison of both whole states says."""
    before, after = (dict(rows(registry.at(commit=commit)._session.state())) for commit in (begin, end))
    diff = registry.diff(begin, end)
    assert {(each.kind, each.id) for each in diff.created} == after.keys() - before.keys()
    assert {(each.kind, each.id) for each in diff.deleted} == before.keys() - after.keys()
    both = {key for key in before.keys() & after.keys() if text(before[key]) != text(after[key])}
    assert {(each.kind, each.id) for each in diff.changed} == both
    for each in (*diff.created, *diff.deleted, *diff.changed):
        old, new = before.get((each.kind, each.id)), after.get((each.kind, each.id))
        assert each.name_before == (old.name if old else None)
        assert each.name_after == (new.name if new else None)
        assert list(each.differences) == differences(old.record if old else None, new.record if new else None)
    assert isinstance(diff, Diff)


def rows(state: State) -> list[tuple[tuple[str, str], Row]]:
    return [((row.kind, row.id), row) for row in state.rows()]


def text(row: Row) -> str:
    record: JsonObject = row.fields
    return canonical(record)


@given(STEPS, st.integers(0, 7), st.integers(0, 7))
def test_any_two_commits_differ_by_what_their_states_differ_by(steps: list[Step], a: int, b: int) -> None:
    registry = opened(MemoryStore())
    for step in steps:
        play(registry, step)
    last = registry.commit
    assert_diff(registry, a % (last + 1), b % (last + 1))
