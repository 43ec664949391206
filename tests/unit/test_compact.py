"""Parts that are merged: nobody sees a difference, now, earlier or later, whoever writes meanwhile."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

import localreg
from localreg import InvalidInputError, Registry
from localreg.canonical import JsonObject
from localreg.errors import (
    ConflictError,
    IntegrityError,
    LocalregError,
    ReadOnlyError,
    StorageError,
    UnknownOutcomeError,
)
from localreg.log import Log
from localreg.records.files import FilePointer
from localreg.session import Session
from localreg.tables import write_part
from localreg.upkeep import merges, merging
from localreg.upkeep.merges import Merge
from localreg.workflow import (
    GroundTruth,
    Inference,
    Metadata,
    ScoredLabel,
    TestRun,
    TestSample,
    Vector,
    define_workflow,
    inferences,
    test,
)
from localreg.workflow.inferences import Inferences
from localreg.workflow.samples import sample_count
from tests.compat.independent_reader import Namespace


@dataclass(frozen=True)
class Photo(TestSample):
    locator: str
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Animal(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    animal: ScoredLabel | None = None
    embedding: Vector[2] | None = None
    metadata: Metadata = field(default_factory=dict)


_, Case, Suite, Net = define_workflow("Animals", Photo, Animal, Guess)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two parts are many."""
    monkeypatch.setattr(merges, "LEAST_PARTS", 2)


def pairs(*numbers: int, **metadata: object) -> list[tuple[Photo, Animal]]:
    return [(Photo(f"{number}.png", dict(metadata)), Animal("cat" if number % 3 else "dog")) for number in numbers]


def guesses(*numbers: int, said: str = "cat") -> pa.Table:
    rows = [{"locator": f"{number}.png", "label": said, "score": 0.5} for number in numbers]
    return pa.Table.from_pylist(rows)


def told(said: str, number: int) -> Guess | None:
    """An answer that has something of everything."""
    if number % 5 == 0:
        return None
    near = np.array([number, 0.5], np.float32) if number % 2 else None
    return Guess(ScoredLabel(said, number / 64), near, {"n": number} if number % 4 == 0 else {})


def answering(said: str, failing: tuple[int, ...] = ()) -> Callable[[Photo], Guess | None]:
    def infer(photo: Photo) -> Guess | None:
        number = int(photo.locator.removesuffix(".png"))
        if number in failing:
            raise RuntimeError(f"cannot see {number}")
        return told(said, number)

    return infer


def parts(registry: Registry, table: str) -> list[FilePointer]:
    """Those that readers look at."""
    state = registry._session.state()
    kinds = ("workflow", "test_run", "model_version")
    rows = [row for row in state.rows("file") if any(state.get(kind, row.parent) for kind in kinds)]
    found = [FilePointer.from_json(row.fields) for row in sorted(rows, key=lambda row: (row.created, row.name))]
    return [pointer for pointer in found if pointer.table == table]


TABLES = {
    "inferences": "model, model_version, sample_idx, status, inference, metadata, extra, error.message, files",
    "test_samples": "*",
    "ground_truths": "*",
    '"Animals".inferences': "model, sample_idx, status, animal, embedding",
}


def shown(registry: Registry) -> dict[str, object]:
    """All that can be read of a registry, but for ids."""
    tables = [name for name in TABLES if '"' not in name or registry.sql("SELECT 1 FROM inferences LIMIT 1").dicts()]
    answers: dict[str, object] = {
        name: registry.sql(f"SELECT {TABLES[name]} FROM {name} ORDER BY ALL").dicts() for name in tables
    }
    state = registry._session.state()
    with localreg.use(registry):
        for row in state.rows("model_version"):
            name = next(model.name for model in state.rows("model") if model.id == row.parent)
            workflow = next(iter(state.rows("workflow")))
            found = Inferences(registry._session, state, row.id, sample_count(state, workflow.id))
            answers[f"status of {name}"] = found.status.tolist()
            for case in {case.name: case for suite in Suite.load_all() for case in suite.test_cases}.values():
                answers[f"{name} on {case.name}"] = repr(Net(name).load_inferences(case))
        for suite in Suite.load_all() if len(list(state.rows("model_version"))) > 1 else ():
            try:
                answers[f"compared on {suite.name}"] = str(registry.compare("a", "b", suite=suite))
            except LocalregError as error:
                answers[f"compared on {suite.name}"] = type(error)
    return answers


# --- beside a registry that never compacts ----------------------------------------------------------------------------

NUMBERS = st.lists(st.integers(0, 7), min_size=1, max_size=5, unique=True)
MODELS = st.sampled_from(["a", "a", "a", "b"])
RESETS = st.sampled_from([True, True, False])
NAMES = st.sampled_from(["x", "y"])
SAYS = st.sampled_from(["cat", "dog"])
_stores = itertools.count()


class Twins(RuleBasedStateMachine):
    """The same acts on two registries, of which one compacts at any moment: neither can be told from the other."""

    @initialize()
    def begin(self) -> None:
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(merges, "LEAST_PARTS", 2)
        self._patch.setattr(merging, "PART_ROWS", 7)
        self._patch.setattr(merges, "PART_ROWS", 7)
        number = next(_stores)
        self.compacted = localreg.open(f"memory://compact/{number}/a")
        self.plain = localreg.open(f"memory://compact/{number}/b")
        self.past: list[tuple[int, dict[str, object]]] = []
        for name, numbers in (("x", range(5)), ("y", range(2, 7))):
            self.both(lambda _, n=name, some=numbers: Suite(n, test_cases=[Case(n, test_samples=pairs(*some))]))  # type: ignore[misc]

    def both(self, act: Callable[[Registry], object]) -> None:
        ends: list[object] = []
        for registry in (self.plain, self.compacted):
            with localreg.use(registry):
                try:
                    act(registry)
                    ends.append(None)
                except LocalregError as error:
                    ends.append(type(error))
        assert ends[0] == ends[1]

    @rule(name=NAMES, numbers=NUMBERS, metadata=st.dictionaries(st.sampled_from("pq"), st.integers(0, 2), max_size=1))
    def add(self, name: str, numbers: list[int], metadata: dict[str, int]) -> None:
        def act(registry: Registry) -> None:
            Suite(name, test_cases=[Case(name, test_samples=pairs(*numbers, **metadata), reset=True)], reset=True)

        self.both(act)

    @rule(model=MODELS, name=NAMES, said=SAYS, reset=RESETS, failing=NUMBERS)
    def run(self, model: str, name: str, said: str, reset: bool, failing: list[int]) -> None:
        def act(registry: Registry) -> None:
            infer = answering(said, tuple(failing[:2]))
            test(Net(model, infer), Suite.load(name), on_error="record", reset=reset)

        self.both(act)

    @rule(model=MODELS, numbers=NUMBERS, said=SAYS, reset=RESETS)
    def record(self, model: str, numbers: list[int], said: str, reset: bool) -> None:
        self.both(
            lambda _: Net(model).record(guesses(*numbers, said=said), on="locator", on_unknown="skip", reset=reset)
        )

    @rule(place=st.integers(0, 5), back=st.booleans())
    def delete_a_run(self, place: int, back: bool) -> None:
        def act(registry: Registry) -> None:
            rows = registry._session.state().rows("test_run")
            runs = sorted(rows, key=lambda row: row.created)
            if runs:
                registry.get_test_run(runs[place % len(runs)].id).delete()
                if back:
                    registry.undo(registry.commit)

        self.both(act)

    @rule()
    def compact(self) -> None:
        before = shown(self.compacted)
        self.past.append((self.compacted.commit, before))
        self.compacted.compact()
        assert shown(self.compacted) == before

    def teardown(self) -> None:
        assert shown(self.compacted) == shown(self.plain)
        for commit, was in self.past:
            assert shown(self.compacted.at(commit=commit)) == was
        assert self.compacted.verify().ok
        self._patch.undo()


Twins.TestCase.settings = settings(max_examples=5, stateful_step_count=20)
TestTwins = Twins.TestCase


# --- what is merged, and what is not ----------------------------------------------------------------------------------


def recorded(registry: Registry, *, times: int = 12, model: str = "a") -> Any:
    """A model with a part for each of its samples."""
    Suite("s", test_cases=[Case("c", test_samples=pairs(*range(times)))])
    net = Net(model)
    for number in range(times):
        net.record(guesses(number), on="locator")
    return net


def test_eight_small_parts_become_one_in_one_commit(registry: Registry) -> None:
    recorded(registry)
    before, commit = shown(registry), registry.commit
    report = registry.compact(message="spring")
    (merge,) = report.merges
    assert (merge.table, merge.owner, merge.parts_before, merge.parts_after, merge.rows) == (
        *("inferences", "version 'a@1'"),
        *(12, 1, 12),
    )
    assert str(merge).startswith("inferences of version 'a@1': 12 parts (")
    (part,) = parts(registry, "inferences")
    assert (merge.bytes_after, merge.bytes_before > part.bytes) == (part.bytes, True)
    assert registry.commit == commit + 1
    assert shown(registry) == before
    (event,) = [row for row in registry.audit() if row["action"] == "compact"]
    assert (event["kind"], event["message"]) == ("model_version", "spring")
    assert registry.compact().merges == ()
    assert str(registry.compact()) == "nothing to merge"


def test_fewer_than_eight_are_left_alone(registry: Registry) -> None:
    recorded(registry, times=7)
    assert registry.compact().merges == ()


def test_a_dry_run_tells_and_changes_nothing(registry: Registry) -> None:
    recorded(registry)
    commit, files = registry.commit, list(registry._session.store.list("data"))
    with localreg.open(registry.uri, read_only=True) as reader:
        report = reader.compact(dry_run=True)
    assert (report.parts_before, report.parts_after, report.merges[0].bytes_after) == (12, 1, None)
    assert (registry.commit, list(registry._session.store.list("data"))) == (commit, files)


def test_large_parts_are_left_alone(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(registry)
    Net("a").record(guesses(0, 1, 2), on="locator", reset=True)
    monkeypatch.setattr(merges, "SMALL_ROWS", 3)
    assert registry.compact().parts_before == 12
    assert sorted(part.rows for part in parts(registry, "inferences")) == [3, 9]


def test_a_part_is_full_after_its_rows_or_bytes(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(registry)
    before = shown(registry)
    monkeypatch.setattr(merging, "PART_ROWS", 5)
    registry.compact()
    assert sorted(part.rows for part in parts(registry, "inferences")) == [2, 5, 5]
    assert shown(registry) == before


def test_rows_that_their_own_run_replaced_are_dropped(registry: Registry, few: None) -> None:
    suite = Suite("s", test_cases=[Case("c", test_samples=pairs(1, 2, 3))])
    test(Net("a", answering("cat", failing=(1, 2))), suite, on_error="record")
    test(Net("a", answering("cat", failing=(1,))), suite, on_error="record")
    test(Net("a", answering("cat")), suite, on_error="record")
    before = shown(registry)
    assert sum(part.rows for part in parts(registry, "inferences")) == 6
    registry.compact()
    (part,) = parts(registry, "inferences")
    assert (part.rows, part.details["replaces"]) == (3, False)
    assert shown(registry) == before


def test_rows_of_a_large_part_stay_replaced(registry: Registry, few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    Suite("s", test_cases=[Case("c", test_samples=pairs(*range(4)))])
    for numbers in ((0, 1, 2, 3), (1,), (2,)):
        Net("a").record(guesses(*numbers, said="cat" if len(numbers) > 1 else "dog"), on="locator", reset=True)
    monkeypatch.setattr(merges, "SMALL_ROWS", 3)
    before = shown(registry)
    registry.compact()
    assert [part.rows for part in parts(registry, "inferences")] == [4, 2]
    assert shown(registry) == before


def test_a_row_that_another_run_replaced_comes_back_when_that_run_is_deleted(registry: Registry, few: None) -> None:
    model, suite = recorded(registry, times=4), Suite.load("s")
    model.record(guesses(2, said="dog"), on="locator", suite=suite, reset=True)
    registry.compact()
    assert len(parts(registry, "inferences")) == 3, "the part with the replaced row stays, as does the run's"
    (run,) = registry._session.state().rows("test_run")
    registry.get_test_run(run.id).delete()
    assert {str(row["inference"]["animal"]["label"]) for row in registry.sql("SELECT * FROM inferences")} == {"cat"}
    assert len(registry.sql("SELECT * FROM inferences")) == 4


def test_samples_are_merged_from_the_first_place_that_is_worth_it(
    registry: Registry, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        Case(f"a{number}", test_samples=pairs(number))
    Case("large", test_samples=pairs(*range(10, 20)))
    for number in range(4):
        Case(f"b{number}", test_samples=pairs(30 + number))
    monkeypatch.setattr(merges, "SMALL_ROWS", 10)
    before = shown(registry)
    registry.compact()
    assert [(part.details["first"], part.rows) for part in parts(registry, "test_samples")] == [(0, 17)]
    assert shown(registry) == before
    Case("again", test_samples=[*pairs(12), *pairs(99)])
    assert registry.sql("SELECT count(*) AS n FROM test_samples").dicts() == [{"n": 18}], "a known one was found again"


def test_a_large_part_is_not_written_anew_for_a_few_small_ones(
    registry: Registry, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for numbers in ((0,), range(10, 20), (1,), (2,)):
        Case(str(numbers), test_samples=pairs(*numbers))
    monkeypatch.setattr(merges, "SMALL_ROWS", 10)
    before = shown(registry)
    registry.compact()
    assert [(part.details["first"], part.rows) for part in parts(registry, "test_samples")] == [
        (0, 1),
        (1, 10),
        (11, 2),
    ]
    assert shown(registry) == before


def test_keys_that_were_computed_in_two_ways_do_not_share_a_part(
    registry: Registry, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        if number == 3:
            monkeypatch.setattr("localreg.workflow.look_up.HASH", "hash({}) + 1")
            monkeypatch.setattr("localreg.workflow.look_up.PROBE", "1")
        Case(f"c{number}", test_samples=pairs(number))
    before = shown(registry)
    registry.compact()
    first, second = parts(registry, "test_samples")
    assert (first.rows, second.rows, second.details["first"]) == (3, 3, 3)
    assert first.details["hash_probe"] != second.details["hash_probe"]
    Case("again", test_samples=pairs(*range(6)))
    assert shown(registry)["test_samples"] == before["test_samples"], "each was found again"


def test_parts_of_a_growing_type_are_read_as_before(registry: Registry, few: None) -> None:
    @dataclass(frozen=True)
    class Opinion(Inference):
        pass

    def of(cls: type[Any]) -> Any:
        return define_workflow("Opinions", Photo, Animal, cls)

    _, case, suite, model = of(Opinion)
    cases = [case(str(number), test_samples=pairs(number)) for number in range(4)]
    test(model("a", lambda _: Opinion()), suite("0", test_cases=cases[:1]))
    whole = suite("s", test_cases=cases)
    run = TestRun(model("a"), whole)
    run.upload_inferences([(pairs(1)[0][0], Opinion())])

    @dataclass(frozen=True)
    class Grown(Inference):
        text: str | None = None
        near: Vector[2] | None = None

    Grown.__name__ = "Opinion"
    _, _, suite, model = of(Grown)
    run = TestRun(model("a"), suite.load("s"))
    run.upload_inferences([(pairs(2)[0][0], Grown("well", np.array([1.0, 2.0], np.float32)))])
    run.upload_inferences([(pairs(3)[0][0], None)])

    def read() -> list[Any]:
        rows = registry.sql('SELECT sample_idx, status, text, near FROM "Opinions".inferences ORDER BY 1').dicts()
        made = [model("a").load_inferences(each) for each in suite.load("s").test_cases]
        return [rows, repr(made)]

    before = read()
    registry.compact()
    assert len(parts(registry, "inferences")) == 2
    assert read() == before


def test_parts_that_landed_later_than_staged_keep_their_samples(registry: Registry, few: None) -> None:
    Case("c", test_samples=pairs(*range(6)))
    session = registry._session
    (workflow,) = session.state().rows("workflow")
    for number in range(3):  # as of a writer who saw three samples, and landed when there were five
        said = pa.table(
            {"sample_idx": [number + 1], "metadata": [f'{{"n":{number}}}'], "extra": pa.nulls(1, pa.string())}
        )
        details: JsonObject = {"workflow": workflow.id, "staged_first": 3, "first": 5}
        part = write_part(session.store, "sample_metadata", workflow.id, said, details)
        session.change(lambda changes, part=part: changes.note(workflow, action="upload", files=(part,)))  # type: ignore[misc]
    before = shown(registry)
    registry.compact()
    (part,) = parts(registry, "sample_metadata")
    assert (part.rows, part.details["first"], part.details["staged_first"]) == (3, 6, 6)
    assert shown(registry) == before
    told = registry.sql("SELECT sample_idx FROM test_samples WHERE metadata IS NOT NULL ORDER BY 1").dicts()
    assert [row["sample_idx"] for row in told] == [1, 2, 5]


# --- readers and writers meanwhile ------------------------------------------------------------------------------------


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Lets something happen after a merge has written its parts, before it commits; counts how often."""

    def arrange(act: Callable[[], object], *, times: int = 1) -> list[int]:
        written, count = Merge.write, [0]

        def write(self: Merge, progress: Any) -> None:
            written(self, progress)
            count[0] += 1
            if count[0] <= times:
                act()

        monkeypatch.setattr(Merge, "write", write)
        return count

    return arrange


def elsewhere(registry: Registry, act: Callable[[Registry], object]) -> Callable[[], None]:
    def run() -> None:
        with localreg.open(registry.uri) as other, localreg.use(other):
            act(other)

    return run


def test_a_part_that_comes_meanwhile_stays(registry: Registry, meanwhile: Callable[..., list[int]]) -> None:
    recorded(registry)
    Case("more", test_samples=pairs(50))
    count = meanwhile(elsewhere(registry, lambda _: Net("a").record(guesses(50), on="locator")))
    registry.compact()
    assert count == [1], "rows of other samples are no reason to do it again"
    assert sorted(part.rows for part in parts(registry, "inferences")) == [1, 12]
    assert len(registry.sql("SELECT * FROM inferences")) == 13


def test_rows_that_are_replaced_meanwhile_do_not_come_back(
    registry: Registry, meanwhile: Callable[..., list[int]]
) -> None:
    recorded(registry)
    count = meanwhile(
        elsewhere(registry, lambda _: Net("a").record(guesses(3, 4, said="dog"), on="locator", reset=True))
    )
    registry.compact()
    assert count == [2]
    rows = registry.sql("SELECT sample_idx, inference FROM inferences ORDER BY 1").dicts()
    assert [row["sample_idx"] for row in rows if row["inference"]["animal"]["label"] == "dog"] == [3, 4]
    assert registry.verify().ok


def test_samples_that_come_meanwhile_keep_their_numbers(
    registry: Registry, few: None, meanwhile: Callable[..., list[int]]
) -> None:
    for number in range(3):
        Case(f"c{number}", test_samples=pairs(number))
    count = meanwhile(elsewhere(registry, lambda _: Case("new", test_samples=pairs(70, 71))))
    registry.compact()
    assert count == [2]
    rows = registry.sql("SELECT sample_idx, sample FROM test_samples ORDER BY 1").dicts()
    names = ["0.png", "1.png", "2.png", "70.png", "71.png"]
    assert [(row["sample_idx"], row["sample"]["locator"]) for row in rows] == list(enumerate(names))
    assert [part.details["first"] for part in parts(registry, "test_samples")] == [0]


def test_an_owner_that_is_deleted_meanwhile_is_left_alone(
    registry: Registry, meanwhile: Callable[..., list[int]]
) -> None:
    recorded(registry)
    meanwhile(elsewhere(registry, lambda other: other.get_model("a").delete(force=True)))
    commit = registry.commit
    assert registry.compact().merges == ()
    assert registry.commit == commit + 1
    assert registry.verify().ok


def test_of_two_at_once_one_merges_and_the_other_finds_nothing(
    registry: Registry, meanwhile: Callable[..., list[int]]
) -> None:
    recorded(registry)
    before, commit = shown(registry), registry.commit
    found = []
    meanwhile(elsewhere(registry, lambda other: found.append(other.compact())))
    assert (registry.compact().merges, found[0].parts_before) == ((), 12)
    assert registry.commit == commit + 1
    assert shown(registry) == before
    named = {row.name for row in registry._session.state().rows("file")}
    assert set(registry._session.store.list("data")) == named, "the loser leaves no orphans"


def test_parts_of_which_no_row_counts_go_once(
    registry: Registry, few: None, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[..., list[int]]
) -> None:
    Suite("s", test_cases=[Case("c", test_samples=pairs(*range(4)))])
    for numbers in ((0,), (1,), (0, 1, 2, 3)):
        Net("a").record(guesses(*numbers), on="locator", reset=True)
    monkeypatch.setattr(merges, "SMALL_ROWS", 3)
    before, commit = shown(registry), registry.commit
    found = []
    meanwhile(elsewhere(registry, lambda other: found.append(other.compact().merges)))
    assert registry.compact().merges == ()
    assert [(merge.parts_before, merge.parts_after, merge.rows) for merge in found[0]] == [(2, 0, 0)]
    assert (registry.commit, shown(registry)) == (commit + 1, before)


def test_who_never_gets_a_turn_is_told(registry: Registry, meanwhile: Callable[..., list[int]]) -> None:
    recorded(registry)
    answers = itertools.cycle(["dog", "cat"])

    def replace(_: Registry) -> None:
        Net("a").record(guesses(0, said=next(answers)), on="locator", reset=True)

    meanwhile(elsewhere(registry, replace), times=99)
    with pytest.raises(ConflictError, match=r"others go on to write inferences of version 'a@1'"):
        registry.compact()


def test_who_reads_while_parts_are_merged_goes_on(registry: Registry) -> None:
    net = recorded(registry)
    (case,) = Suite.load("s").test_cases
    expected = net.load_inferences(case)
    frozen, lazy, walk = registry.frozen(), registry.sql("SELECT * FROM inferences"), net.iter_inferences(case)
    begun = [next(walk)]
    registry.compact()
    assert [*begun, *walk] == expected
    assert len(lazy) == len(frozen.sql("SELECT * FROM inferences")) == 12


def test_a_run_that_was_begun_before_lands_after(registry: Registry) -> None:
    net, suite = recorded(registry), Suite.load("s")
    Case("more", test_samples=pairs(50, 51))
    run = TestRun(Net("a"), Suite("more", test_cases=[Case.load("more")]))

    def begun() -> Iterator[pa.Table]:
        yield guesses(50)
        registry.compact()
        yield guesses(51)

    net.record(begun(), on="locator")
    assert run.load_test_samples() == []
    assert len(net.load_inferences(suite.test_cases[0])) == 12
    assert len(registry.sql("SELECT * FROM inferences")) == 14


# --- the log ----------------------------------------------------------------------------------------------------------


def test_old_parts_stay_in_the_log_and_on_disk(registry: Registry) -> None:
    recorded(registry)
    commit, before = registry.commit, shown(registry)
    files = set(registry._session.store.list("data/inferences"))
    registry.compact()
    assert shown(registry.at(commit=commit)) == before
    there = {row.name: row for row in registry._session.state().rows("file")}
    version = next(iter(registry._session.state().rows("model_version"))).id
    assert {(there[path].parent, there[path].fields["details"]["former_owner"]) for path in files} == {("", version)}  # type: ignore[call-overload, index]
    assert registry.verify().ok
    registry._session.store.delete(min(files))
    assert [problem.code for problem in registry.verify().problems] == ["file_missing"], "earlier commits show it"
    assert [finding.what for finding in registry.doctor().problems] == ["default: data"]


def test_a_snapshot_shows_the_same(registry: Registry) -> None:
    recorded(registry)
    registry.snapshot()
    before = shown(registry)
    registry.compact()
    registry.snapshot()
    with localreg.open(registry.uri) as again:
        assert shown(again) == before
        assert len(parts(again, "inferences")) == 1
    assert registry.verify().ok


def test_it_cannot_be_undone(registry: Registry) -> None:
    recorded(registry)
    registry.compact()
    with pytest.raises(InvalidInputError, match="it brought bulk files"):
        registry.undo(registry.commit)


def test_a_deleted_run_comes_back_with_what_was_merged(registry: Registry, few: None) -> None:
    suite = Suite("s", test_cases=[Case("c", test_samples=pairs(1, 2))])
    run = TestRun(Net("a"), suite)
    for photo, _ in pairs(1, 2):
        run.upload_inferences([(photo, told("cat", 1))])
    registry.compact()
    before = shown(registry)
    (row,) = registry._session.state().rows("test_run")
    registry.get_test_run(row.id).delete()
    assert len(registry.sql("SELECT * FROM inferences")) == 0
    registry.undo(registry.commit)
    assert shown(registry) == before


def test_a_diff_counts_what_was_set_aside(registry: Registry) -> None:
    recorded(registry)
    registry.compact()
    lines = str(registry.diff(registry.commit - 1)).splitlines()
    assert [line.strip()[:21] for line in lines[1:]] == ["+ 1 file, " + lines[1].strip()[10:21], "~ 12 files set aside"]


def test_a_reader_made_from_the_format_alone_gives_the_same_answers(registry: Registry, few: None) -> None:
    samples = [Case(str(number), test_samples=pairs(number, number + 1)) for number in range(6)]
    suite = Suite("s", test_cases=samples)
    run = TestRun(Net("a"), suite)
    for number in range(7):
        run.upload_inferences([(pairs(number)[0][0], None if number == 5 else Guess(ScoredLabel("cat", number)))])
    folder = Path(registry.uri)
    before = Namespace(folder)
    registry.compact()
    after = Namespace(folder)
    assert len(after.of("file")) > len(before.of("file"))
    assert after.inferences("a") == before.inferences("a")
    assert len(after.inferences("a")) == 7
    for case in samples:
        assert after.ground_truths(case.name) == before.ground_truths(case.name)


# --- faults -----------------------------------------------------------------------------------------------------------


def test_what_a_disk_has_altered_is_not_written_anew(registry: Registry) -> None:
    recorded(registry)
    path = Path(registry.uri, "namespaces/default", parts(registry, "inferences")[5].path)
    path.write_bytes(path.read_bytes().replace(b"parquet-cpp-arrow", b"parquet-cpp-arrov"))
    commit, files = registry.commit, list(registry._session.store.list("data"))
    with pytest.raises(IntegrityError, match="is not the file that the log names"):
        registry.compact()
    assert (registry.commit, list(registry._session.store.list("data"))) == (commit, files)


def test_parts_of_a_merge_that_fails_halfway_are_taken_away(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(registry)
    monkeypatch.setattr(merging, "PART_ROWS", 5)
    write, files = inferences.write_inferences, list(registry._session.store.list("data"))
    count = itertools.count()

    def full(*arguments: Any) -> Any:
        if next(count) == 1:
            raise StorageError("no space left")
        return write(*arguments)

    monkeypatch.setattr(merges, "write_inferences", full)
    with pytest.raises(StorageError, match="no space left"):
        registry.compact()
    assert list(registry._session.store.list("data")) == files


def test_a_merge_of_unknown_outcome_keeps_its_files(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(registry)
    before, publish = shown(registry), Log.publish

    def silent(self: Log, *arguments: Any, **options: Any) -> Any:
        publish(self, *arguments, **options)
        raise UnknownOutcomeError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(Log, "publish", silent)
        with pytest.raises(UnknownOutcomeError):
            registry.compact()
    assert len(parts(registry, "inferences")) == 1
    assert shown(registry) == before


def test_it_is_refused_where_it_cannot_be(registry: Registry) -> None:
    recorded(registry)
    with registry.transaction(), pytest.raises(InvalidInputError, match="a transaction is open"):
        registry.compact()
    with pytest.raises(ReadOnlyError):
        registry.frozen().compact()
    with pytest.raises(InvalidInputError, match="dry_run is 'no'"):
        registry.compact(dry_run="no")  # type: ignore[arg-type]


def test_a_look_into_the_past_tells_what_could_have_been_merged(registry: Registry) -> None:
    recorded(registry)
    commit = registry.commit
    registry.compact()
    session: Session = registry.at(commit=commit)._session
    assert Registry(session).compact(dry_run=True).parts_before == 12
