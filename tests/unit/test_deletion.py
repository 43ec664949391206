"""Archiving, restoring and deleting: what is hidden, what goes, what stays, and what the log says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import localreg
from localreg import ConflictError, InvalidInputError, NotFoundError, Registry
from localreg.log import Change
from localreg.query.bulk_tables import BULK
from localreg.query.tables import TABLES
from localreg.session.preconditions import preconditions
from localreg.workflow import GroundTruth, Inference, TestRun, TestSample, define_workflow, test
from tests.compat.independent_reader import Namespace


@dataclass(frozen=True)
class Photo(TestSample):
    file: str


@dataclass(frozen=True)
class Truth(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    label: str


Plates, TestCase, TestSuite, Model = define_workflow("plates", Photo, Truth, Guess)
PAIRS = [(Photo("1.png"), Truth("cat")), (Photo("2.png"), Truth("dog")), (Photo("3.png"), Truth("cat"))]


def infer(photo: Photo) -> Guess:
    return Guess("cat")


@pytest.fixture
def tested(registry: Registry) -> Registry:
    """Two models on two suites, which share a test case."""
    both, one = TestCase("both", test_samples=PAIRS[:2]), TestCase("one", test_samples=PAIRS[1:])
    wide, narrow = TestSuite("wide", test_cases=[both, one]), TestSuite("narrow", test_cases=[both])
    for name in ("old", "new"):
        for suite in (wide, narrow):
            test(Model(name, infer), suite)
    registry.get_model("old").set_alias("production", "1")
    return registry


def told(registry: Registry, since: int) -> list[str]:
    return [f"{row['action']} {row['kind']} {row['name']}" for row in registry.audit(since=since)]


def counts(registry: Registry) -> dict[str, int]:
    others = (
        "audit_events",
        "artifacts",
        "ancestors",
        "checkpoints",
        "datasets",
        "definitions",
        "events",
        "lineage",
        "experiments",
        "metric_points",
        "model_metrics",
        "pending_actions",
        "policies",
    )
    every = [name for name in (*TABLES, *BULK) if name not in others]
    return {name: registry.sql(f"SELECT count(*) AS n FROM {name}")[0]["n"] for name in every}


# --- archive and restore ----------------------------------------------------------------------------------------------

Thing = tuple[Callable[[], Any], str]
THINGS: dict[str, Thing] = {
    "model": (lambda: Model("old").registered, "models"),
    "test_case": (lambda: TestCase("one"), "test_cases"),
    "test_suite": (lambda: TestSuite("wide"), "test_suites"),
}


@pytest.mark.parametrize("kind", THINGS)
def test_what_is_archived_is_hidden_from_listings_and_nowhere_else(tested: Registry, kind: str) -> None:
    get, table = THINGS[kind]
    thing, listing = get(), getattr(tested, table)
    before, commit = {row["name"] for row in listing()}, tested.commit
    assert not thing.archived
    assert thing.archive() is thing
    assert get().archived
    assert {row["name"] for row in listing()} == before - {thing.name}
    assert [row["name"] for row in listing(archived=True)] == [thing.name]
    assert {row["name"] for row in listing(archived=None)} == before
    assert not listing("archived"), "where does not bring them back"
    assert [row["name"] for row in listing("archived", archived=None)] == [thing.name]
    assert [row["name"] for row in tested.sql(f"SELECT name FROM {table} WHERE archived")] == [thing.name]
    assert thing.archive().restore().restore() is thing
    assert not get().archived
    assert {row["name"] for row in listing()} == before
    assert told(tested, commit) == [f"archive {kind} {thing.name}", f"restore {kind} {thing.name}"]
    assert {row["name"] for row in getattr(tested.at(commit=commit + 1), table)()} == before - {thing.name}


def test_what_is_archived_is_not_locked(tested: Registry) -> None:
    tested.get_model("old").archive()
    suite = TestSuite("wide").archive()
    TestCase("one").archive()
    assert tested.get_version("old@production").model.update(metadata={"a": 1}).metadata == {"a": 1}
    assert test(Model("old", infer), suite).run() == 0
    TestCase("one", test_samples=PAIRS, reset=True)
    assert TestCase("one").archived, "a new version stays archived"
    assert tested.compare("old", "new", suite="wide").n == 3


def test_a_suite_recorded_without_the_field_is_not_changed_by_reading_it(tested: Registry) -> None:
    """An older release did not write `archived`: nothing of that is an event."""

    def without(changes: Any) -> None:
        row = changes.draft.find("test_suite", "wide")
        after = {key: value for key, value in row.record.items() if key != "archived"}
        changes._add(Change("test_suite", "update", row.id, row.name, before=row.record, after=after))

    tested._session.change(without)
    commit = tested.commit
    TestSuite("wide", tags=[]).restore()
    assert tested.commit == commit
    TestSuite("wide").archive()
    assert told(tested, commit) == ["archive test_suite wide"]


# --- delete -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("get", "message"),
    [
        (
            lambda: Model("old").registered,
            "model 'old' cannot be deleted: version 'old@1' depends on it; delete that first, or pass "
            "force=True to delete it, too",
        ),
        (
            lambda: Model("old").registered.version("1"),
            "version 'old@1' cannot be deleted: alias 'old@production', test run 'wide@1' of 'old@1', test run "
            "'narrow@1' of 'old@1' depend on it; delete those first, or pass force=True to delete them, too",
        ),
        (lambda: TestCase("both"), "test case 'both' cannot be deleted: test suite 'wide', test suite 'narrow'"),
        (lambda: TestCase("one"), "test case 'one' cannot be deleted: test suite 'wide' depend"),
        (
            lambda: TestSuite("wide"),
            "test suite 'wide' cannot be deleted: test run 'wide@1' of 'old@1', test run 'wide@1' of 'new@1' depend",
        ),
        (
            lambda: Plates,
            "workflow 'plates' cannot be deleted: test suite 'wide', test suite 'narrow', test case 'both', "
            "test case 'one', model 'old' and 1 more depend",
        ),
    ],
)
def test_a_deletion_is_refused_with_what_depends_on_it(tested: Registry, get: Callable[[], Any], message: str) -> None:
    commit, before = tested.commit, counts(tested)
    with pytest.raises(ConflictError, match=message) as refused:
        get().delete()
    assert refused.value.code == "has_dependants"
    with pytest.raises(InvalidInputError, match="force is 'no'; write True or False"):
        get().delete(force="no")
    assert (tested.commit, counts(tested)) == (commit, before)


ROWS = {
    "models": 2,
    "model_versions": 2,
    "workflows": 1,
    "test_cases": 2,
    "test_suites": 2,
    "test_runs": 4,
    "test_samples": 3,
    "ground_truths": 4,
    "inferences": 6,
    "metric_values": 0,
    "sample_metrics": 0,
    "plots": 0,
    "comparisons": 0,
    "embeddings": 0,
    "grants": 0,
    "signers": 0,
}


@pytest.mark.parametrize(
    ("get", "left", "events"),
    [
        (
            lambda: Model("old").registered,
            {"models": 1, "model_versions": 1, "test_runs": 2, "inferences": 3},
            [
                *("delete alias production", "delete test_run wide@1", "delete test_run narrow@1"),
                *("delete model_version 1", "delete model old"),
            ],
        ),
        (
            lambda: Model("old").registered.version("1"),
            {"model_versions": 1, "test_runs": 2, "inferences": 3},
            [
                *("delete alias production", "delete test_run wide@1", "delete test_run narrow@1"),
                "delete model_version 1",
            ],
        ),
        (
            lambda: TestCase("one"),
            {"test_cases": 1, "ground_truths": 2, "test_suites": 1, "test_runs": 2, "inferences": 0},
            [
                *("delete test_run wide@1", "delete test_run wide@1", "delete test_suite_version 1"),
                *("delete test_suite wide", "delete test_case_version 1", "delete test_case one"),
            ],
        ),
        (
            lambda: TestSuite("narrow"),
            {"test_suites": 1, "test_runs": 2, "inferences": 6},
            [
                *("delete test_run narrow@1", "delete test_run narrow@1"),
                *("delete test_suite_version 1", "delete test_suite narrow"),
            ],
        ),
        (
            lambda: Plates,
            dict.fromkeys(ROWS, 0) | {"models": 2, "model_versions": 2},
            [
                *("delete test_run wide@1", "delete test_run wide@1", "delete test_suite_version 1"),
                *("delete test_suite wide", "delete test_run narrow@1", "delete test_run narrow@1"),
                *("delete test_suite_version 1", "delete test_suite narrow", "delete test_case_version 1"),
                *("delete test_case both", "delete test_case_version 1", "delete test_case one"),
                *("update model old", "update model new", "delete workflow plates"),
            ],
        ),
    ],
    ids=["model", "version", "test case", "test suite", "workflow"],
)
def test_a_forced_deletion_takes_what_depends_on_it_one_event_each(
    tested: Registry, get: Callable[[], Any], left: dict[str, int], events: list[str]
) -> None:
    assert counts(tested) == ROWS
    commit = tested.commit
    get().delete(force=True)
    assert tested.commit == commit + 1
    assert told(tested, commit) == events
    assert counts(tested) == ROWS | left
    assert counts(tested.at(commit=commit)) == ROWS, "the past shows it all"
    assert tested.verify().ok
    assert tested.verify().files == len(list(tested._session.state().rows("file"))), "bytes are still vouched for"


def test_views_of_a_workflow_show_no_rows_of_what_was_deleted_behind_a_snapshot_either(tested: Registry) -> None:
    Model("old").registered.delete(force=True)
    for number in range(70):
        tested.get_model("new").update(metadata={"n": number})
    fresh = localreg.open(tested.uri)
    assert {row["model"] for row in fresh.sql('FROM "plates".inferences')} == {"new"}
    assert {row["model"] for row in fresh.sql("FROM inferences")} == {"new"}
    assert Namespace(Path(tested.uri)).models().keys() == {"new"}


def test_a_freed_name_can_be_taken_and_begins_anew(tested: Registry) -> None:
    old = Model("old").registered
    old.delete(force=True)
    TestSuite("narrow").delete(force=True)
    with pytest.raises(NotFoundError, match="no model 'old'"):
        tested.get_model("old")
    again = Model("old", infer)
    assert again.id != old.id
    assert again.registered.versions() == []
    assert test(again, TestSuite("wide")).run() == 0
    assert counts(tested)["inferences"] == 6
    suite = TestSuite("narrow", test_cases=[TestCase("one")])
    assert [case.name for case in suite.test_cases] == ["one"]
    assert len(TestCase("one")) == 2
    TestCase("one").delete(force=True)
    assert TestCase("one", test_samples=PAIRS[:1]).load_test_samples() == PAIRS[:1]
    assert len(tested.sql("FROM test_samples")) == 3, "samples belong to the workflow, and are known"
    Plates.delete(force=True)
    assert TestCase("one", test_samples=PAIRS[1:]).load_test_samples() == PAIRS[1:]
    assert len(tested.sql("FROM test_samples")) == 2
    assert test(Model("new", lambda photo: Guess("dog")), TestSuite("wide", test_cases=[TestCase("one")])).run() == 0
    assert tested.verify().ok


def test_the_history_of_what_was_deleted_stays(tested: Registry) -> None:
    model = Model("old").registered
    model.delete(force=True)
    assert [row["action"] for row in tested.audit(kind="model", name="old")] == ["create", "delete"]
    last = tested.audit(kind="test_run").dicts()[-1]
    assert (last["action"], last["after"]) == ("delete", None)
    assert last["before"]["name"] == last["name"] == "narrow@1"


def test_a_test_run_is_deleted_with_its_inferences_and_made_again(tested: Registry) -> None:
    model, wide, narrow = Model("old", infer), TestSuite("wide"), TestSuite("narrow")
    commit = tested.commit
    TestRun(model, wide).delete()
    assert told(tested, commit) == ["delete test_run wide@1"]
    assert len(tested.sql("FROM inferences WHERE model = 'old'")) == 0, "the run on narrow used those of wide"
    with pytest.raises(NotFoundError, match="there is no test run of 'old' on <TestSuite 'wide' version 1> to delete"):
        TestRun(model, wide).delete()
    assert TestRun(model, narrow).run() == 2
    assert TestRun(model, wide).run() == 1
    assert len(tested.sql("FROM inferences WHERE model = 'old'")) == 3


def test_objects_of_what_was_deleted_say_so(tested: Registry) -> None:
    case, suite, model = TestCase("one"), TestSuite("wide"), Model("old", infer)
    case.delete(force=True)
    for look in (
        lambda: case.name,
        lambda: case.archive(),
        lambda: case.delete(),
        lambda: suite.tags,
        lambda: suite.test_cases,
        lambda: tested.compare("old", "new", suite=suite),
    ):
        with pytest.raises(NotFoundError, match="it was deleted, or not made yet"):
            look()
    with pytest.raises(ConflictError, match="it was deleted"):
        test(model, suite)
    with pytest.raises(ConflictError, match="it was deleted"):
        TestSuite("other", test_cases=[case])
    Plates.delete(force=True)
    with pytest.raises(NotFoundError, match="no workflow 'plates' in namespace 'default'"):
        Plates.delete()


def test_a_deletion_within_a_transaction_is_seen_inside_and_undone_by_an_error(tested: Registry) -> None:
    commit = tested.commit
    with pytest.raises(RuntimeError), tested.transaction():  # noqa: PT012 - the block is the subject
        Model("old").registered.delete(force=True)
        assert counts(tested) == ROWS | {"models": 1, "model_versions": 1, "test_runs": 2, "inferences": 3}
        raise RuntimeError
    assert (tested.commit, counts(tested)) == (commit, ROWS)


def test_a_version_made_meanwhile_is_deleted_too_and_never_left_behind(tested: Registry, other: Registry) -> None:
    """The operation runs again on what another writer left."""
    model = Model("old").registered
    made: list[object] = []

    def race(before: Any, after: Any, changes: Any) -> None:
        if not made and any(change.action == "delete" for change in changes):
            made.append(other.get_model("old").create_version("late"))

    preconditions.append(race)
    try:
        model.delete(force=True)
    finally:
        preconditions.remove(race)
    assert made
    assert [row["model"] for row in tested.model_versions()] == ["new"]
