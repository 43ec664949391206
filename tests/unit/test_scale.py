"""What operations cost in large registries: work is counted, such as records parsed, or row groups decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import localreg
from localreg import ConflictError, NotFoundError, Registry
from localreg.log import Change, State, layer_rows, layer_writer, snapshot
from localreg.log import history as history_module
from localreg.log import layer as layer_module
from localreg.log import log as log_module
from localreg.log import verify as verify_module
from localreg.log.layer import Layer
from localreg.log.snapshot import LayeredBase
from localreg.names import new_id
from localreg.query.source import Source
from localreg.records.base import Record
from localreg.records.models import AliasRecord, ModelVersionRecord
from localreg.records.workflows import (
    TestCaseRecord,
    TestCaseVersionRecord,
    TestRunRecord,
    TestSuiteRecord,
    TestSuiteVersionRecord,
    WorkflowRecord,
)
from localreg.storage import LocalStore
from tests.flow import compare_two_models

GROUP = 8
"""Rows of a row group in these tests."""


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row groups of a few rows, of which the last one used stays in memory; a snapshot every sixteenth commit."""
    monkeypatch.setattr(layer_writer, "GROUP", GROUP)
    monkeypatch.setattr(log_module, "SNAPSHOT_EVERY", 16)
    monkeypatch.setattr(layer_module, "BYTES_KEPT", {layer_rows.COLUMNS: 0, layer_rows.OUTLINE: 0})


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts: JSON texts of snapshots `parsed`, row groups `decoded`, passes over a kind, entries `opened`."""
    counts: Counter[str] = Counter()

    def counted(place: object, name: str, what: str, counts_call: Callable[..., bool] = lambda *_: True) -> None:
        function = getattr(place, name)

        def counting(*args: Any, **rest: Any) -> Any:
            counts[what] += bool(counts_call(*args))
            return function(*args, **rest)

        monkeypatch.setattr(place, name, counting)

    counted(layer_rows, "parse", "parsed")
    counted(Layer, "_columns", "decoded")
    counted(LayeredBase, "containing", "passes")
    counted(LocalStore, "get", "opened", lambda _, path: path.startswith(("log/", "namespaces/default/log/")))
    return counts


def reopened(registry: Registry, counts: Counter[str]) -> Registry:
    """The registry behind a snapshot of all of it, nothing of which has been looked at."""
    registry.snapshot()
    again = localreg.open(registry.uri, actor="ana")
    assert again._session.state().changed == 0
    counts.clear()
    return again


def put(registry: Registry, records: list[Record]) -> None:
    """Records in one commit."""

    def operation(changes: Any) -> None:
        for record in records:
            changes.create(record)

    registry._session.change(operation)


# --- names ------------------------------------------------------------------------------------------------------------


def test_a_name_that_nobody_has_is_looked_for_once_however_it_can_be_read(
    registry: Registry, work: Counter[str]
) -> None:
    with registry.transaction():
        for number in range(5 * GROUP):
            registry.create_model(f"a{number}")
        registry.get_model("a0").rename("b")
    again = reopened(registry, work)
    with pytest.raises(NotFoundError, match="no model 'a@") as told:
        again.get_version("a" + "@a" * 60)
    assert told.value.code != "renamed"
    assert work["passes"] == 1
    assert work["parsed"] <= 4, "the one that was renamed, and it had none of these names"


def test_a_former_name_is_told_by_the_longest_way_to_read_it_and_the_latest_rename(
    registry: Registry, work: Counter[str]
) -> None:
    for number, former in enumerate(["a", "a@1", "a@1", "a@1@x", "other"]):
        registry.create_model(former).rename(f"new {number}")
    for each in (registry, reopened(registry, work)):
        with pytest.raises(NotFoundError, match="no model 'a@1' in 'default': it is now called 'new 2'"):
            each.get_version("a@1@2")
        with pytest.raises(NotFoundError, match="no model 'a' in 'default': it is now called 'new 0'"):
            each.get_version("a@2@3")
        with pytest.raises(NotFoundError, match="no model 'a' in 'default': it is now called 'new 0'"):
            each.get_model("a")


# --- versions and deletion --------------------------------------------------------------------------------------------

MANY = 6 * GROUP


def with_versions(registry: Registry, aliases: int) -> None:
    """One model with many versions, and aliases on the first of them."""
    model = registry.create_model("m")
    versions = [ModelVersionRecord(id=new_id(), name=f"v{number}", model=model.id) for number in range(MANY)]
    pointing = [
        AliasRecord(id=new_id(), name=f"a{number}", model=model.id, version=version.id)
        for number, version in enumerate(versions[:aliases])
    ]
    put(registry, [*versions, *pointing])


def test_the_newest_version_is_found_without_reading_the_others(registry: Registry, work: Counter[str]) -> None:
    with_versions(registry, 0)
    model = reopened(registry, work).get_model("m")
    work.clear()
    newest = model.latest_version
    assert newest is not None
    assert work["parsed"] <= 6
    assert newest.name == f"v{MANY - 1}"
    assert [version.id for version in model.versions()][-1] == newest.id


def test_a_refused_deletion_reads_none_of_what_stands_in_its_way(registry: Registry, work: Counter[str]) -> None:
    with_versions(registry, 0)
    model = reopened(registry, work).get_model("m")
    work.clear()
    message = (
        f"version 'm@v0', version 'm@v1', version 'm@v2', version 'm@v3', version 'm@v4' and {MANY - 5} more depend"
    )
    with pytest.raises(ConflictError, match=message):
        model.delete()
    assert work["parsed"] <= 6


def test_a_forced_deletion_reads_each_record_a_bounded_number_of_times(registry: Registry, work: Counter[str]) -> None:
    with_versions(registry, MANY)
    model = reopened(registry, work).get_model("m")
    work.clear()
    model.delete(force=True)
    # A record is two texts, itself and its metadata; it is read to be deleted, and once more when the commit is folded.
    assert work["parsed"] <= 4 * (2 * MANY) + 20
    assert list(registry._session.state().rows("alias")) == []
    assert list(registry._session.state().rows("model_version")) == []


def with_suites(registry: Registry, count: int) -> None:
    """A workflow with as many cases and suites, each suite with one case and runs."""
    workflow = WorkflowRecord(id=new_id(), name="w", test_sample={}, ground_truth={}, inference={})
    model = registry.create_model("m")
    version = ModelVersionRecord(id=new_id(), name="1", model=model.id)
    records: list[Record] = [workflow, version]
    for number in range(count):
        case = TestCaseRecord(id=new_id(), name=f"case {number}", workflow=workflow.id)
        of_case = TestCaseVersionRecord(id=new_id(), name="1", test_case=case.id, samples=0)
        suite = TestSuiteRecord(id=new_id(), name=f"suite {number}", workflow=workflow.id)
        cases = [of_case.id]
        of_suite = TestSuiteVersionRecord(id=new_id(), name="1", test_suite=suite.id, test_cases=cases)
        run = TestRunRecord(
            id=new_id(),
            name=f"suite {number}@1",
            model=model.id,
            model_version=version.id,
            test_suite_version=of_suite.id,
        )
        records += [case, of_case, suite, of_suite, run]
    put(registry, records)


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("test_case", "case 3", "test case 'case 3' cannot be deleted: test suite 'suite 3' depend"),
        ("test_suite", "suite 3", "test suite 'suite 3' cannot be deleted: test run 'suite 3@1' of 'm@1' depends"),
        ("workflow", "w", f"test suite 'suite 0', .* and {2 * MANY - 5} more depend"),
    ],
)
def test_what_refers_to_a_record_is_found_without_reading_all_that_might(
    registry: Registry, work: Counter[str], kind: str, name: str, message: str
) -> None:
    from localreg.handles.deletion import delete

    with_suites(registry, MANY)
    again = reopened(registry, work)
    row = again._session.state().find(kind, name)
    assert row is not None
    work.clear()
    with pytest.raises(ConflictError, match=message):
        again._session.change(lambda changes: delete(changes, row, force=False))
    assert work["parsed"] <= 6


def test_a_workflow_is_deleted_with_one_look_at_each_suite_and_run(registry: Registry, work: Counter[str]) -> None:
    from localreg.handles.deletion import delete

    with_suites(registry, MANY)
    again = reopened(registry, work)
    row = again._session.state().find("workflow", "w")
    assert row is not None
    work.clear()
    again._session.change(lambda changes: delete(changes, row, force=True))
    # Five records each, without metadata: read to be deleted and when the commit is folded, versions also as parts.
    assert work["parsed"] <= 15 * MANY
    kinds = ("workflow", "test_case", "test_case_version", "test_suite", "test_suite_version", "test_run")
    assert [row for kind in kinds for row in again._session.state().rows(kind)] == []


# --- looking up many --------------------------------------------------------------------------------------------------


def test_an_undo_decodes_each_row_group_a_bounded_number_of_times(registry: Registry, work: Counter[str]) -> None:
    names = [f"m{number * 37 % 1009}" for number in range(20 * GROUP)]
    with registry.transaction():
        for name in names:
            registry.create_model(name)
    with registry.transaction():
        for name in names:
            registry.get_model(name).update(metadata={"a": 1})
    commit = registry.commit
    again = reopened(registry, work)
    again.undo(commit)
    assert work["decoded"] <= 100, "20 groups, and not 160 look-ups"
    assert [row["metadata"] for row in again.models()] == [{}] * len(names)


def test_many_records_are_looked_up_at_once_in_any_layer(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "SMALL", 4)
    with registry.transaction():
        for number in range(20 * GROUP):
            registry.create_model(f"m{number}")
    registry.snapshot()
    with registry.transaction():
        registry.get_model("m1").delete()
        registry.get_model("m2").update(owner="snapshot")
    registry.snapshot()
    registry.get_model("m3").update(owner="tail")
    registry.get_model("m4").delete()
    state = localreg.open(registry.uri)._session.state()
    assert isinstance(state.base, LayeredBase)
    assert len(state.base.layers) > 1
    assert state.changed == 2
    every = {(event["kind"], event["id"]) for event in registry.audit()} | {("model", "0" * 32)}
    found = {(row.kind, row.id): row for row in state.get_many(every)}
    assert found == {key: row for key in every if (row := state.get(*key)) is not None}
    assert len(found) == 20 * GROUP + 2 - 2, "registry and namespace are records, too"
    draft = state.draft()
    draft.prefetch(every)
    assert {key: draft.get(*key) for key in every} == {key: state.get(*key) for key in every}
    row = found["model", registry.get_model("m2").id]
    draft.apply(Change("model", "delete", row.id, row.name, before=row.record), _Now())
    assert draft.get("model", row.id) is None


class _Now:
    commit, event, time, actor = 99, 1, "2030-01-01T00:00:00Z", "ana"


def test_what_was_read_whole_is_not_decoded_again_for_an_outline(registry: Registry, work: Counter[str]) -> None:
    registry.create_model("m")
    base = reopened(registry, work)._session.state().base
    row = base.find("model", "m", "")
    assert row is not None
    decoded = work["decoded"]
    assert base.outline("model", row.id) is not None
    assert work["decoded"] == decoded


# --- the past ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def old(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Two hundred commits, in history segments as far as the last snapshot."""
    monkeypatch.setattr(history_module, "GROWTH", 2)
    model = registry.create_model("m")
    for number in range(2, 201):
        model.update(metadata={"n": number})
    return registry


def test_a_diff_over_many_commits_opens_few_of_them(old: Registry, work: Counter[str]) -> None:
    again = reopened(old, work)
    (changed,) = again.diff(3, 190).changed
    assert (changed.differences[0].before, changed.differences[0].after) == (3, 190)
    assert work["opened"] <= 10


def test_an_undo_of_an_old_commit_opens_few_of_those_since(old: Registry, work: Counter[str]) -> None:
    again = reopened(old, work)
    with pytest.raises(ConflictError, match="was changed"):
        again.undo(3)
    assert work["opened"] <= 12


def test_a_short_diff_does_not_open_all_the_history(old: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module.History, "listed", lambda _: pytest.fail("the history was listed"))
    assert len(old.diff(198, 200)) == 1


def test_a_watcher_from_the_beginning_opens_few_commits(old: Registry, work: Counter[str]) -> None:
    again = reopened(old, work)
    numbers = [event.commit for event in again.watch(0, timeout=0)]
    assert sorted(set(numbers)) == list(range(1, 201))
    assert numbers == sorted(numbers)
    assert work["opened"] <= 10


def test_a_redaction_reads_each_commit_to_make_the_caches_anew_and_no_more(old: Registry, work: Counter[str]) -> None:
    again = reopened(old, work)
    assert again.redact(commit=198, reason="why") == [(198, 1), (199, 1), (200, 1)]
    assert work["opened"] <= 2 * 201 + 20, "state and history segments"


def test_the_commit_at_a_time_is_found_in_one_segment(
    old: Registry, work: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    again = reopened(old, work)
    times = [entry.head.time for entry in again._session.entries()]
    assert len(again._session.log.history.listed()) > 1
    work.clear()
    decode, tables = history_module.History._table, list[str]()

    def counting(history: history_module.History, segment: history_module.Segment) -> Any:
        tables.append(segment.path)
        return decode(history, segment)

    monkeypatch.setattr(history_module.History, "_table", counting)
    for commit in (1, 100, 199, 200):
        tables.clear()
        asked = times[commit - 1]
        assert again._session.commit_at(asked) == max(n for n, time in enumerate(times, 1) if time <= asked)
        assert len(tables) <= 1
    assert again._session.commit_at("1999-01-01T00:00:00.000000Z") == 0
    assert again.at(commit=50)._session.commit_at(times[-1]) == 50
    assert work["opened"] <= 30


# --- verify -----------------------------------------------------------------------------------------------------------


def test_verify_compares_a_snapshot_row_by_row_as_it_is_read(
    registry: Registry, work: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with registry.transaction():
        for number in range(20 * GROUP):
            registry.create_model(f"m{number}")
    again = reopened(registry, work)
    decoded: list[int] = []
    get = State.get

    def seen(self: State, kind: str, id: str) -> object:
        decoded.append(work["decoded"])
        return get(self, kind, id)

    monkeypatch.setattr(State, "get", seen)
    assert again.verify().ok
    models = decoded[-20 * GROUP :]
    assert models[0] + 10 <= models[-1], "the last group was decoded long after the first was compared"


def test_verify_tells_a_snapshot_that_shows_one_row_twice_and_another_not_at_all(registry: Registry) -> None:
    for name in ("a", "b", "c"):
        registry.create_model(name)
    log, state = registry._session.log, registry._session.state()
    first, second = (row for row in state.rows("model") if row.name in "ab")
    wrong = state.draft()
    wrong._rows["model", second.id] = first
    snapshot.save(log.store, log.origin.digest, wrong.frozen(state.head), lambda: state)
    assert [problem.code for problem in verify_module.verify(log, "default").problems] == ["snapshot_wrong"]


# --- bulk rows --------------------------------------------------------------------------------------------------------


def test_a_query_reads_of_the_bulk_files_those_of_its_tables_once(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare_two_models(registry)
    read: list[str] = []
    part = Source._part

    def seen(self: Source, row: Any, *rest: Any) -> Any:
        read.append(row.fields["table"])
        return part(self, row, *rest)

    monkeypatch.setattr(Source, "_part", seen)
    assert len(registry.sql("FROM inferences")) == 40
    assert read == ["inferences"] * 2
    assert len(registry.sql("FROM inferences i JOIN ground_truths USING (sample_idx)")) == 40
    assert read == ["inferences"] * 2 + ["ground_truths"]


def test_after_a_commit_a_query_sees_the_bulk_rows_that_it_brought_or_took_away(registry: Registry) -> None:
    compare_two_models(registry)
    assert len(registry.sql("FROM inferences")) == 40
    registry.get_model("old").delete(force=True)
    assert {row["model"] for row in registry.sql("FROM inferences")} == {"new"}
    assert len(registry.at(commit=registry.commit - 1).sql("FROM inferences")) == 40
