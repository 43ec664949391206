"""Events: what was reported is there, in order, of whatever it was reported, and pairs as parentheses do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import localreg
from localreg import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    ReadOnlyError,
    Registry,
    Result,
    UnknownOutcomeError,
)
from localreg.events import HasEvents, reporting
from localreg.events.pairing import pairs
from localreg.events.reading import as_json
from localreg.records.files import FilePointer
from localreg.session import Session
from localreg.tables.streamed import named_segments
from localreg.upkeep import merges

LATE = 3_600.0
"""Nothing is flushed by itself."""


def names(owner: HasEvents[Any], **arguments: Any) -> list[str]:
    return [row["name"] for row in owner.events(**arguments)]


def given_up(registry: Registry, owner: HasEvents[Any]) -> None:
    """Report `a` in a transaction that comes to nothing."""
    with registry.transaction():
        owner.event("a")
        raise RuntimeError


Owners = dict[str, HasEvents[Any]]


@pytest.fixture
def owners(registry: Registry) -> Owners:
    """One of each kind."""
    model = registry.create_model("m")
    with registry.experiment("e") as experiment:
        checkpoint = experiment.checkpoint(b"w", step=3)
    return {"m": model, "m@1": model.create_version("1"), "e": experiment, "e: step 3": checkpoint}


# --- one by one -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["m", "m@1", "e", "e: step 3"])
def test_an_event_is_a_commit_of_its_owner(registry: Registry, owners: Owners, name: str) -> None:
    owner, before = owners[name], registry.commit
    owner.event("deployed", source="server-3", wallclock=5.0, metadata={"port": 80, "deep": {"a": [1, None]}})
    assert registry.commit == before + 1
    (event,) = registry.audit(since=before)
    assert (event["id"], event["action"], event["details"]) == (owner.id, "report", {"events": {"deployed": 1}})
    row = {
        "name": "deployed",
        "source": "server-3",
        "wallclock": datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC),
        "metadata": {"port": 80, "deep": {"a": [1, None]}},
        "commit": before + 1,
    }
    assert owner.events().dicts() == [row]
    (listed,) = registry.events()
    assert listed == {
        "namespace": "default",
        "owner_kind": owner.info.kind,
        "owner": name,
        "owner_id": owner.id,
        "sequence": 0,
        **row,
    }
    assert registry.verify().ok


CLOCKS = [
    (1.5, 1_500_000),
    (-3, -3_000_000),
    (datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC), 1_772_600_767_000_089),
    (datetime(2026, 3, 4, 7, 6, 7, 89, tzinfo=timezone(timedelta(hours=2))), 1_772_600_767_000_089),
    ("2026-03-04T05:06:07.000089Z", 1_772_600_767_000_089),
    (datetime.min.replace(tzinfo=UTC), -62_135_596_800_000_000),
]


@pytest.mark.parametrize(("given", "micros"), CLOCKS)
def test_any_wall_clock_is_that_moment(registry: Registry, given: Any, micros: int) -> None:
    model = registry.create_model("m")
    model.event("one", wallclock=given)
    model.log_events([{"name": "many", "wallclock": given}])
    with registry.experiment("e", strict=True) as experiment:
        experiment.event("one", wallclock=given)
    found = [each.events().arrow()["wallclock"].cast(pa.int64()).to_pylist() for each in (model, experiment)]
    assert found == [[micros, micros], [micros]]


def test_without_a_wall_clock_it_is_now(registry: Registry) -> None:
    model = registry.create_model("m")
    before = datetime.now(UTC)
    model.event("one")
    model.log_events([{"name": "a"}, {"name": "b"}])
    after = datetime.now(UTC)
    assert all(before - timedelta(seconds=1) <= row["wallclock"] <= after for row in model.events())
    assert names(model) == ["one", "a", "b"]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name of the event"),
    ({"name": 5}, "name of the event"),
    ({"name": "a\nb"}, "name of the event"),
    ({"name": "x", "source": ""}, "source"),
    ({"name": "x", "wallclock": "soon"}, "wallclock is 'soon'"),
    ({"name": "x", "wallclock": float("nan")}, "wallclock is nan"),
    ({"name": "x", "wallclock": 1e12}, "no moment of the years 1 to 9999"),
    ({"name": "x", "wallclock": datetime(2026, 1, 1)}, "has no time zone"),  # noqa: DTZ001
    ({"name": "x", "metadata": [5]}, "metadata is"),
    ({"name": "x", "metadata": {"a": object()}}, "metadata"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_what_is_no_event_is_refused(registry: Registry, arguments: dict[str, Any], message: str) -> None:
    model = registry.create_model("m")
    before = registry.commit
    with pytest.raises(InvalidInputError, match=message):
        model.event(**arguments)
    assert registry.commit == before
    strict = registry.experiment("strict", strict=True)
    with pytest.raises(InvalidInputError, match=message):
        strict.event(**arguments)
    lenient = registry.experiment("lenient")
    lenient.event(**arguments)
    assert (lenient.refused, names(lenient), names(strict)) == (1, [], [])


def test_nothing_is_reported_where_nothing_may_be_written(registry: Registry) -> None:
    model = registry.create_model("m")
    model.event("before")
    files = sorted(Path(registry.uri).rglob("data/events/*/*"))
    with pytest.raises(ReadOnlyError):
        registry.at(commit=1).get_model("m").event("x")
    assert names(registry.at(commit=1).get_model("m")) == []
    model.delete()
    for call in (lambda: model.event("x"), lambda: model.log_events([{"name": "x"}])):
        with pytest.raises(NotFoundError):
            call()
    reads: tuple[Callable[[], Result], ...] = (
        model.events,
        model.timeline,
        lambda: model.durations(start="a", end="b"),
    )
    for read in reads:
        with pytest.raises(NotFoundError):
            read().dicts()
    assert sorted(Path(registry.uri).rglob("data/events/*/*")) == files
    assert len(registry.events()) == 0, "rows go with their owner"
    registry.undo(registry.commit)
    assert names(registry.get_model("m")) == ["before"], "and come back with it"


def test_an_event_is_not_taken_back(registry: Registry) -> None:
    registry.create_model("m").event("x")
    with pytest.raises(InvalidInputError, match="it brought bulk files"):
        registry.undo(registry.commit)


def test_events_of_a_transaction_are_one_commit_or_none(registry: Registry) -> None:
    model = registry.create_model("m")
    before = registry.commit
    with registry.transaction():
        model.event("a", wallclock=1)
        model.create_version("1").event("b")
        assert names(model) == ["a"], "reads see it"
    assert (registry.commit, names(model)) == (before + 1, ["a"])
    with pytest.raises(RuntimeError):
        given_up(registry, model)
    assert (registry.commit, names(model)) == (before + 1, ["a"])


def test_a_refused_commit_leaves_no_part_and_a_doubtful_one_does(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = registry.create_model("m")

    def files() -> int:
        return len(list(Path(registry.uri).rglob("data/events/*/*.parquet")))

    for error, left in ((ConflictError("no"), 0), (UnknownOutcomeError("perhaps"), 1)):

        def refused(*_: object, error: Exception = error) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(Session, "change", refused)
            with pytest.raises(type(error)):
                model.event("x")
        assert files() == left


def test_the_log_counts_a_hundred_names_and_says_that_there_are_more(registry: Registry) -> None:
    model = registry.create_model("m")
    model.log_events([{"name": f"{number % 130:03}"} for number in range(230)])
    details = registry.audit()[-1]["details"]
    assert len(details["events"]) == 100
    assert all(details["events"][f"{number:03}"] == 2 for number in range(100))
    assert details["more_events"] == {"names": 30, "events": 30}
    with registry.experiment("e") as experiment:
        experiment.event("a")
        experiment.event("a")
        experiment.event("b")
    assert registry.audit()[-1]["details"] == {"events": {"a": 2, "b": 1}}
    with registry.experiment("f") as quiet:
        quiet.log({"x": 1})
    assert registry.audit()[-1]["details"] is None


# --- of an experiment that runs ---------------------------------------------------------------------------------------


def test_events_are_read_live_and_as_of_commits(registry: Registry) -> None:
    with registry.experiment("e", flush_every=LATE, strict=True) as running:
        before = registry.commit
        running.event("a", wallclock=1)
        running.log_events([{"name": "b", "wallclock": 2}])
        other = registry.get_experiment("e")
        assert (names(other), names(other, live=False), len(registry.events())) == (["a", "b"], [], 0)
        assert [row["commit"] for row in other.events()] == [None, None]
        running.flush()
        assert (names(other), names(other, live=False)) == (["a", "b"], [])
        assert registry.commit == before, "nothing is committed before the end"
        other.event("from elsewhere", wallclock=1.5)
        assert (registry.commit, names(other, live=False)) == (before + 1, ["from elsewhere"])
    running.event("after", wallclock=3)
    assert names(other, live=False) == ["a", "from elsewhere", "b", "after"]
    assert [row["action"] for row in registry.audit(kind="experiment")] == ["create", "report", "finish", "report"]
    assert names(registry.at(commit=before + 1).get_experiment("e")) == ["from elsewhere"]
    assert len(list(Path(registry.uri).rglob("data/events/*/*.parquet"))) == 3
    assert registry.verify().ok


def test_events_within_a_transaction_go_the_way_of_points(registry: Registry) -> None:
    with registry.experiment("e", flush_every=LATE) as running:
        with pytest.raises(RuntimeError):
            given_up(registry, running)
        assert names(running) == ["a"], "what happened has happened"
    assert names(running, live=False) == ["a"]


FORKS = """
import os, sys, localreg
running = localreg.open(sys.argv[1]).experiment("e", flush_every=3_600.0, strict=True)
if sys.argv[2] == "later":
    running.event("parent")
here, there = os.pipe(), os.pipe()
child = os.fork()
if not child:
    try:
        running.event("child")
        running.log({"x": 1.0})
        os.write(here[1], b"x")
        os.read(there[0], 1)
        running.event("child")
        running.log({"x": 2.0})
    finally:
        os._exit(0)
os.read(here[0], 1)
running.finish()
print(running.status)
os.write(there[1], b"x")
os.waitpid(child, 0)
print(running.status)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("when", ["first", "later"])
def test_a_fork_reports_as_a_process_of_its_own(tmp_path: Path, when: str) -> None:
    """Also while its parent ends: what it says then comes with its own end. In a process of few threads, which may."""
    folder = tmp_path / "registry"
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKS, str(folder), when],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (run.stdout.split(), run.stderr) == (["running", "killed"], "")
    disk = localreg.open(folder)
    (recovered,) = disk.recover_experiments()
    assert names(recovered, live=False) == [*(["parent"] if when == "later" else []), "child", "child"]
    assert [row["value"] for row in recovered.points("x", live=False)] == [1.0, 2.0]


# --- tables -----------------------------------------------------------------------------------------------------------

TABLE = [
    {"name": "a", "source": "s", "wallclock": 1.5, "metadata": {"n": 1}},
    {"name": "b", "source": None, "wallclock": 2.5, "metadata": None},
]


def _arrow(folder: Path) -> object:
    wallclock = pa.array([1_500_000, 2_500_000], pa.timestamp("us", "UTC"))
    source = pa.array(["s", None]).dictionary_encode()
    return pa.table({"name": ["a", "b"], "source": source, "wallclock": wallclock, "metadata": ['{"n": 1}', None]})


def _csv(folder: Path) -> object:
    path = folder / "events.csv"
    path.write_text('name,source,wallclock,metadata\na,s,1.5,"{""n"": 1}"\nb,,1970-01-01T00:00:02.5Z,\n')
    return path


def _lines(folder: Path) -> object:
    path = folder / "events.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in TABLE))
    return str(path)


TABLES: dict[str, Callable[[Path], object]] = {
    "rows": lambda _: TABLE,
    "arrow": _arrow,
    "batches": lambda _: iter([TABLE[:1], TABLE[1:]]),
    "csv": _csv,
    "jsonl": _lines,
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_of_any_kind_are_reported_in_one_commit(registry: Registry, tmp_path: Path, kind: str) -> None:
    model = registry.create_model("m")
    before = registry.commit
    assert model.log_events(TABLES[kind](tmp_path)) == 2
    assert (registry.commit, registry.audit()[-1]["details"]) == (before + 1, {"events": {"a": 1, "b": 1}})
    with registry.experiment("e", strict=True) as experiment:
        assert experiment.log_events(TABLES[kind](tmp_path)) == 2
    for owner in (model, experiment):
        rows = [(row["name"], row["source"], row["wallclock"].timestamp(), row["metadata"]) for row in owner.events()]
        assert rows == [("a", "s", 1.5, {"n": 1}), ("b", None, 2.5, {})]


def test_a_large_table_is_cut_into_parts_and_stays_in_order(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "PART_ROWS", 3)
    model = registry.create_model("m")
    said = [f"{number}" for number in range(10)]
    assert model.log_events(iter([{"name": name} for name in group] for group in (said[:4], said[4:6], said[6:]))) == 10
    assert names(model) == [row["name"] for row in registry.events()] == said
    assert len(list(Path(registry.uri).rglob("data/events/*/*.parquet"))) == 2
    assert model.log_events(pa.table({"name": pa.array([], pa.string())})) == 0
    assert registry.audit()[-1]["details"]["events"] == dict.fromkeys(said, 1)


WRONG_TABLES: list[tuple[object, str]] = [
    ([{"nmae": "a"}], "no column name among nmae"),
    ([{"name": "a", "step": 3}], "column 'step' is none of an event"),
    ([{"name": "a", "sorce": "x"}], "did you mean 'source'"),
    ([{"name": "a"}, {"name": None}], "row 1 has no name"),
    ([{"name": "a"}, {"name": " "}], "name of the event"),
    ([{"name": 5}], "column name holds int64; it must hold texts"),
    ([{"name": "a", "wallclock": 1.0}, {"name": "b", "wallclock": None}], "row 1 has no wallclock"),
    ([{"name": "a", "wallclock": 1e12}], "row 0 has no wallclock of the years 1 to 9999"),
    ([{"name": "a", "wallclock": "soon"}], "wallclock is 'soon'"),
    ([{"name": "a", "wallclock": datetime(2026, 1, 1)}], "time stamps with a time zone"),  # noqa: DTZ001
    ([{"name": "a", "metadata": "[5]"}], "row 0: metadata is '\\[5\\]'; it must be a JSON object"),
    ([{"name": "a", "metadata": {"n": float("nan")}}], "row 0: metadata.n"),
]


@pytest.mark.parametrize(("table", "message"), WRONG_TABLES)
def test_a_table_with_one_wrong_row_reports_nothing(registry: Registry, table: object, message: str) -> None:
    model = registry.create_model("m")
    before = registry.commit
    with pytest.raises(InvalidInputError, match=message):
        model.log_events(table)
    running = registry.experiment("e")
    with pytest.raises(InvalidInputError, match=message):
        running.log_events(table)
    assert (registry.commit, names(model), names(running)) == (before + 1, [], [])


def test_a_fault_in_a_late_batch_leaves_nothing(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "PART_ROWS", 1)
    model = registry.create_model("m")
    with pytest.raises(InvalidInputError, match="row 2 has no name"):
        model.log_events(iter([[{"name": "a"}], [{"name": "b"}], [{"name": None}]]))
    assert not list(Path(registry.uri).rglob("data/events/*/*.parquet"))


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def busy(registry: Registry) -> localreg.Model:
    model = registry.create_model("m")
    rows = [
        {"name": name, "source": source, "wallclock": float(second), "metadata": {"n": second, "tag": name * 2}}
        for second, (name, source) in enumerate([("a", "s"), ("b", "s"), ("a", "t"), ("c", None)])
    ]
    model.log_events(list(reversed(rows)))
    return model


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "abac"),
    ({"name": "a"}, "aa"),
    ({"name": "a", "source": "t"}, "a"),
    ({"source": "s"}, "ab"),
    ({"since": 1}, "bac"),
    ({"until": 1}, "a"),
    ({"since": datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), "until": "1970-01-01T00:00:03Z"}, "ba"),
    ({"where": "metadata.n > 1 AND metadata.tag = 'cc'"}, "c"),
    ({"where": "source IS NULL OR name LIKE 'b%'"}, "bc"),
    ({"where": "wallclock < TIMESTAMPTZ '1970-01-01 00:00:01+00'"}, "a"),
    ({"where": "commit = 2", "name": "b"}, "b"),
    ({"where": "metadata.none > 1"}, ""),
]


@pytest.mark.parametrize(("arguments", "found"), FILTERS)
def test_events_are_filtered(busy: localreg.Model, arguments: dict[str, Any], found: str) -> None:
    assert "".join(names(busy, **arguments)) == found


def test_a_condition_that_cannot_be_is_refused(busy: localreg.Model) -> None:
    for where, message in (("nmae = 'a'", "no column 'nmae'"), ("name = ", "where"), ("name > 5", "where")):
        with pytest.raises(InvalidInputError, match=message):
            busy.events(where=where).dicts()


def test_events_are_listed_of_everything(registry: Registry, busy: localreg.Model) -> None:
    with registry.experiment("e") as experiment:
        experiment.event("a", wallclock=0.5)
    assert [row["owner"] for row in registry.events()] == ["m", "e", "m", "m", "m"]
    assert [row["owner"] for row in registry.events("name = 'a'", order_by="wallclock DESC", limit=2)] == ["m", "e"]
    assert len(registry.namespace("other").events()) == 0
    other = registry.namespace("other").create_model("far")
    other.event("z", wallclock=0.25)
    assert [row["owner"] for row in registry.all().events()] == ["m", "far", "e", "m", "m", "m"]
    assert registry.facets("events", "name").dicts()[0] == {"value": "a", "count": 3}


def test_many_small_parts_become_one_and_nobody_sees_it(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merges, "LEAST_PARTS", 2)
    model, experiment = registry.create_model("m"), registry.experiment("e")
    for number in range(5):
        model.event(f"{number}", wallclock=7, metadata={"n": number})
        experiment.event(f"{number}")
        experiment.finish().resume()
    experiment.finish()

    def seen() -> list[pa.Table]:
        return [model.events().arrow(), experiment.events().arrow(), registry.events().arrow()]

    for _ in range(2):
        before = seen()
        assert [(each.table, each.parts_after) for each in registry.compact().merges] == [("events", 1)] * 2
        assert seen() == before
        model.event("again", wallclock=7)
        experiment.event("again")
    # An open part that could not be removed, of a segment that went into a part, counts once.
    parts = (FilePointer.from_json(row.fields) for row in registry._session.state().children("file", experiment.id))
    part = next(each for each in parts if "segments" in each.details)
    segment = next(iter(named_segments([part])))
    file = Path(registry.uri, "namespaces/default", part.path)
    shutil.copy(file, file.with_name(f"open-{segment.writer}-{segment.number:08}.parquet"))
    assert names(experiment) == [*"01234", "again", "again"]
    assert len(named_segments([part])) == 5
    assert registry.verify().ok


# --- durations --------------------------------------------------------------------------------------------------------


def lasted(owner: HasEvents[Any], **arguments: Any) -> list[tuple[Any, Any]]:
    """Seconds of start and end."""
    rows = owner.durations(start="(", end=")", **arguments).dicts()
    assert all(
        row["seconds"] == (None if None in (row["start"], row["end"]) else (row["end"] - row["start"]).total_seconds())
        for row in rows
    )
    seconds = [[None if row[side] is None else row[side].timestamp() for row in rows] for side in ("start", "end")]
    return list(zip(*seconds, strict=True))


def reported(registry: Registry, text: str, source: Callable[[int], str | None] = lambda _: None) -> localreg.Model:
    """A model of which each parenthesis is an event, a second apart; a letter after it is its key."""
    model = registry.create_model(text)
    marks = [(each, text[place + 1 : place + 2]) for place, each in enumerate(text) if not each.isalpha()]
    model.log_events(
        [
            {
                "name": mark,
                "source": source(second),
                "wallclock": float(second),
                "metadata": {"key": key} if key.isalpha() else {},
            }
            for second, (mark, key) in enumerate(marks)
        ]
    )
    return model


PAIRS = [
    ("()", [(0, 1)]),
    ("()()", [(0, 1), (2, 3)]),
    ("(())", [(0, 3), (1, 2)]),
    ("(()", [(0, None), (1, 2)]),
    ("())", [(0, 1), (None, 2)]),
    (")(", [(None, 0), (1, None)]),
    ("[(])", [(1, 3)]),
    ("(", [(0, None)]),
]


@pytest.mark.parametrize(("text", "expected"), PAIRS)
def test_an_end_closes_the_last_start_that_is_open(registry: Registry, text: str, expected: list[Any]) -> None:
    assert lasted(reported(registry, text)) == expected


def test_only_events_of_one_source_and_one_key_make_a_pair(registry: Registry) -> None:
    apart = reported(registry, "(())", lambda second: "st"[second % 2])
    assert lasted(apart) == [(0, 2), (1, 3)]
    assert lasted(apart, source="t") == [(1, 3)]
    keyed = reported(registry, "(a(b)a)b()")
    assert lasted(keyed) == [(0, 3), (1, 2), (4, 5)]
    assert lasted(keyed, by="key") == [(0, 2), (1, 3), (4, 5)]
    (first, *_) = keyed.durations(start="(", end=")", by="key")
    assert (first["start_metadata"], first["end_metadata"], first["source"]) == ({"key": "a"}, {"key": "a"}, None)


def test_durations_are_refused_that_cannot_be(registry: Registry) -> None:
    model = registry.create_model("m")
    with pytest.raises(InvalidInputError, match="start and end are both 'a'"):
        model.durations(start="a", end="a")
    assert model.durations(start="a", end="b").dicts() == []


Mark = tuple[str, str | None, int | None]


def naive(marks: list[Mark], by: bool) -> list[tuple[int | None, int | None]]:
    """Neighbours that make a pair are taken away, again and again, until none is left."""
    found: list[tuple[int | None, int | None]] = []
    for key in {(source, key if by else None) for _, source, key in marks}:
        left = [place for place, (_, source, own) in enumerate(marks) if (source, own if by else None) == key]
        while True:
            near = next(
                (
                    index
                    for index in range(len(left) - 1)
                    if (marks[left[index]][0], marks[left[index + 1]][0]) == ("(", ")")
                ),
                None,
            )
            if near is None:
                break
            found.append((left[near], left[near + 1]))
            del left[near : near + 2]
        found += [(place, None) if marks[place][0] == "(" else (None, place) for place in left]
    return sorted(found, key=lambda pair: next(place for place in pair if place is not None))


MARKS = st.lists(st.tuples(st.sampled_from("()"), st.sampled_from(["s", "t", None]), st.sampled_from([None, 1, 2])))


@given(marks=MARKS, by=st.booleans())
def test_pairs_are_those_of_a_naive_look(marks: list[Mark], by: bool) -> None:
    texts = ["{}" if key is None else json.dumps({"k": key}) for _, _, key in marks]
    events = pa.table(
        {
            "name": pa.array([name for name, _, _ in marks], pa.string()),
            "source": pa.array([source for _, source, _ in marks], pa.string()),
            "wallclock": pa.array(range(len(marks)), pa.int64()).cast(pa.timestamp("us", "UTC")),
            "metadata": pa.array(texts, pa.string()),
        }
    )
    found = pairs(as_json(events, "metadata"), "(", by="k" if by else None)
    places = [found[side].cast(pa.int64()).to_pylist() for side in ("start", "end")]
    assert list(zip(*places, strict=True)) == naive(marks, by)


# --- timelines --------------------------------------------------------------------------------------------------------


def test_a_timeline_mixes_what_was_reported_and_what_was_recorded(registry: Registry) -> None:
    model = registry.create_model("m")
    version = model.create_version("1")
    model.update(metadata={"lr": 0.1})
    version.event("deployed", source="ops", metadata={"port": 80})
    model.event("long ago", wallclock=0)
    registry.create_model("other").event("elsewhere")
    rows = model.timeline().dicts()
    assert [(row["what"], row["name"], row["subject"], row["source"], row["commit"]) for row in rows] == [
        ("event", "long ago", "model 'm'", None, 5),
        ("audit", "create", "model 'm'", "ana", 1),
        ("audit", "create", "version 'm@1'", "ana", 2),
        ("audit", "update", "model 'm'", "ana", 3),
        ("event", "deployed", "version 'm@1'", "ops", 4),
    ]
    assert "lr" in rows[3]["changes"]
    assert (rows[4]["details"], rows[4]["changes"]) == ({"port": 80}, None)
    assert [row["name"] for row in version.timeline()] == ["create", "deployed"]
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert [row["name"] for row in registry.at(commit=3).get_model("m").timeline()] == ["create", "create", "update"]


def test_a_timeline_of_an_experiment_shows_what_is_on_its_way(registry: Registry) -> None:
    with registry.experiment("e", flush_every=LATE) as experiment:
        experiment.event("begin")
        experiment.checkpoint(b"w", step=1).event("saved")
        shown = [(row["what"], row["name"], row["commit"]) for row in experiment.timeline()]
        first, second, *rest = shown
        assert (first, second) == (("audit", "create", 1), ("event", "begin", None))
        assert sorted(rest) == sorted([("audit", "create", 2), ("audit", "upload", 2), ("event", "saved", 3)]), (
            "of what belongs to it"
        )
        assert "begin" not in [row["name"] for row in experiment.timeline(live=False)]
    last = experiment.timeline().dicts()[-1]
    assert (last["name"], last["details"]) == ("finish", {"events": {"begin": 1}})
