"""Test runs: batches, exceptions, resets, uploads by hand, what stands open between a kill and the next run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest

import localreg
from localreg import (
    AlreadyExistsError,
    ConflictError,
    InvalidInputError,
    NonDeterministicError,
    NotFoundError,
    Registry,
    WorkflowMismatchError,
)
from localreg.workflow import GroundTruth, Inference, ScoredLabel, TestRun, TestSample, define_workflow, running, test
from localreg.workflow.inferences import inference_rows
from localreg.workflow.inferring import Inferring
from localreg.workflow.open_parts import OpenParts
from localreg.workflow.running import told
from localreg.workflow.sharing import Claims
from localreg.workflow.upload import deduplicated


@dataclass(frozen=True)
class Photo(TestSample):
    locator: str


@dataclass(frozen=True)
class Animal(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    animal: ScoredLabel | None = None


_, Case, Suite, Net = define_workflow("Animals", Photo, Animal, Guess)


def pairs(*names: object) -> list[tuple[Photo, Animal]]:
    return [(Photo(str(name)), Animal("cat")) for name in names]


def guess(label: str, score: float = 0.9) -> Guess:
    return Guess(ScoredLabel(label, score))


class Model:
    """A model that remembers what it was asked, and fails where it is told to."""

    def __init__(self, *failing: str, said: str = "cat") -> None:
        self.asked: list[str] = []
        self.failing = set(failing)
        self.said = said

    def __call__(self, photo: Photo) -> Guess:
        self.asked.append(photo.locator)
        if photo.locator in self.failing:
            raise RuntimeError(f"cannot see {photo.locator}")
        return guess(self.said)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    registry = localreg.open(tmp_path / "registry", actor="ana")
    with localreg.use(registry):
        yield registry


def said(model: Any, case: Any) -> dict[str, str | None]:
    return {photo.locator: made and made.animal and made.animal.label for photo, _, made in model.load_inferences(case)}


# --- batches ----------------------------------------------------------------------------------------------------------


def test_infer_is_given_batches_when_asked_for(registry: Registry) -> None:
    sizes = []

    def infer(photos: list[Photo]) -> list[Guess | None]:
        assert isinstance(photos, list)
        sizes.append(len(photos))
        return [None if photo.locator == "3" else guess(photo.locator) for photo in photos]

    case = Case("c", test_samples=pairs(*range(7)))
    model = Net("m", cast(Any, infer))
    test(model, Suite("s", test_cases=[case]), batch_size=3)
    assert max(sizes) == 3
    assert sum(sizes) == 7
    assert said(model, case) == {str(n): None if n == 3 else str(n) for n in range(7)}


def test_of_a_batch_that_fails_only_the_sample_that_does_is_an_error(registry: Registry) -> None:
    def infer(photos: Sequence[Photo]) -> list[Guess]:
        if any(photo.locator == "4" for photo in photos):
            raise RuntimeError("4 is in it")
        return [guess("x") for _ in photos]

    case = Case("c", test_samples=pairs(*range(7)))
    model, suite = Net("m", cast(Any, infer)), Suite("s", test_cases=[case])
    with pytest.raises(RuntimeError, match="4 is in it"):
        test(model, suite, batch_size=3)
    run = test(model, suite, batch_size=3, on_error="record")
    assert [photo.locator for photo, _ in run.errors()] == ["4"]
    assert said(model, case).keys() == {"0", "1", "2", "3", "5", "6"}


@pytest.mark.parametrize("answer", [[], [Guess()] * 3, None, Guess()])
def test_a_batch_of_another_length_is_refused(registry: Registry, answer: Any) -> None:
    suite = Suite("s", test_cases=[Case("c", test_samples=pairs(1, 2))])
    with pytest.raises(InvalidInputError, match="must return a list with one inference for each"):
        test(Net("m", cast(Any, lambda _: answer)), suite, batch_size=2)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": "2"}, "batch_size"),
        ({"on_error": "skip"}, "on_error is"),
    ],
)
def test_a_run_that_is_asked_for_wrongly_is_refused(registry: Registry, how: dict[str, Any], message: str) -> None:
    suite = Suite("s", test_cases=[Case("c", test_samples=pairs(1))])
    with pytest.raises(InvalidInputError, match=message):
        test(Net("m", Model()), suite, **how)


# --- exceptions -------------------------------------------------------------------------------------------------------


def test_errors_are_kept_by_sample_and_tried_again_alone(registry: Registry) -> None:
    case = Case("c", test_samples=pairs(*range(6)))
    suite, infer = Suite("s", test_cases=[case]), Model("1", "4")
    run = test(Net("m", infer), suite, on_error="record")
    assert infer.asked == [str(n) for n in range(6)]
    assert [(photo.locator, why["type"], why["message"]) for photo, why in run.errors()] == [
        ("1", "RuntimeError", "cannot see 1"),
        ("4", "RuntimeError", "cannot see 4"),
    ]
    assert "in __call__" in str(run.errors()[0][1]["traceback"])
    counts = registry.sql("SELECT status, count(*) AS n FROM inferences GROUP BY ALL ORDER BY ALL").dicts()
    assert counts == [{"status": "error", "n": 2}, {"status": "ok", "n": 4}]
    infer.failing, infer.asked = {"4"}, []
    assert TestRun(Net("m", infer), suite, on_error="record").run() == 2
    assert infer.asked == ["1", "4"]
    assert [photo.locator for photo, _ in run.errors()] == ["4"]
    counts = registry.sql("SELECT status, count(*) AS n FROM inferences GROUP BY ALL ORDER BY ALL").dicts()
    assert counts == [{"status": "error", "n": 1}, {"status": "ok", "n": 5}]
    assert (
        str(registry.sql("SELECT error.message AS m FROM inferences WHERE status = 'error'")[0]["m"]) == "cannot see 4"
    )


def test_an_interruption_keeps_what_was_made(registry: Registry) -> None:
    case = Case("c", test_samples=pairs(*range(9)))
    model, suite = Net("m"), Suite("s", test_cases=[case])

    def infer(photo: Photo) -> Guess:
        if photo.locator == "5":
            raise KeyboardInterrupt
        return guess("x")

    model.infer = infer
    with pytest.raises(KeyboardInterrupt):
        test(model, suite)
    assert list(said(model, case)) == ["0", "1", "2", "3", "4"]
    assert TestRun(model, suite).errors() == []


def test_a_bad_inference_among_many_is_found_and_the_others_are_kept(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "FLUSH_SHARE", 1e-9)  # all in one write, as with a fast model
    case = Case("c", test_samples=pairs(*range(200)))
    suite = Suite("s", test_cases=[case])
    bad = {"77": guess("x", math.nan), "150": "no guess"}
    model = Net("m", cast(Any, lambda photo: bad.get(photo.locator, guess("x"))))
    run = test(model, suite, on_error="record")
    assert [(photo.locator, why["type"]) for photo, why in run.errors()] == [
        ("77", "InvalidInputError"),
        ("150", "InvalidInputError"),
    ]
    assert "Photo(locator='77'" in str(run.errors()[0][1]["message"])
    assert len(said(model, case)) == 198
    other = Net("other", cast(Any, lambda photo: bad.get(photo.locator, guess("x"))))
    with pytest.raises(InvalidInputError, match=r"Photo\(locator='77'.*score is nan"):
        test(other, suite)
    assert list(said(other, case)) == [str(n) for n in range(77)]


# --- what stands open -------------------------------------------------------------------------------------------------


def left_open(registry: Registry, model: Any, suite: Any, monkeypatch: pytest.MonkeyPatch, **how: Any) -> None:
    """Run, and die before the commit that ends it."""
    with monkeypatch.context() as patch:
        patch.setattr(Inferring, "_commit", lambda *_, **__: None)
        patch.setattr(OpenParts, "discard", lambda *_: None)
        patch.setattr(Claims, "clear", lambda _: None)
        test(model, suite, **how)


def test_an_exception_that_was_left_open_is_tried_again(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case("c", test_samples=pairs(1, 2, 3))
    suite, infer = Suite("s", test_cases=[case]), Model("2")
    left_open(registry, Net("m", infer), suite, monkeypatch, on_error="record")
    infer.failing, infer.asked = set(), []
    test(Net("m", infer), suite)
    assert infer.asked == ["2"]
    assert set(said(Net("m"), case).values()) == {"cat"}


def test_an_inference_counts_more_than_an_exception_whichever_came_first() -> None:
    column = Net.workflow.types(cast(Any, NoState())).inference
    made = inference_rows(column, np.array([7, 3]), [guess("a"), None], {}, str)
    failed = inference_rows(
        column, np.array([7, 9]), [None, None], {0: told(ValueError("x")), 1: told(ValueError("y"))}, str
    )
    for tables in ([made, failed], [failed, made]):
        rows = deduplicated(pa.concat_tables(tables, promote_options="default"))
        assert rows["sample_idx"].to_pylist() == [3, 7, 9]
        assert rows["status"].to_pylist() == ["skipped", "ok", "error"]


class NoState:
    """A state in which no workflow is recorded yet."""

    def find(self, *_: object) -> None:
        return None


def test_what_a_model_left_open_before_it_had_versions_is_not_its_second_ones(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case("c", test_samples=pairs(1, 2))
    suite, infer = Suite("s", test_cases=[case]), Model(said="old")
    left_open(registry, Net("m", infer), suite, monkeypatch)
    model = Net("m", Model(said="new"))
    model.create_version("1")
    model.create_version("2")
    test(model, suite)
    assert set(said(model, case).values()) == {"new"}
    infer.asked.clear()
    test(Net("m", infer, version="1"), suite)
    assert infer.asked == []
    assert set(said(Net("m", version="1"), case).values()) == {"old"}


def test_a_run_that_did_not_end_is_taken_up(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case("c", test_samples=pairs(*range(9)))
    suite, infer = Suite("s", test_cases=[case]), Model()
    left_open(registry, Net("m", infer), suite, monkeypatch)
    assert said(Net("m"), case) == {}
    assert len(registry.sql("FROM inferences")) == 0
    infer.asked.clear()
    test(Net("m", infer), suite)
    assert infer.asked == []
    assert len(said(Net("m"), case)) == 9


def test_what_a_dead_run_of_one_suite_left_serves_another(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    case, other = Case("c", test_samples=pairs(1, 2, 3)), Case("d", test_samples=pairs(3, 4))
    infer = Model()
    left_open(registry, Net("m", infer), Suite("s", test_cases=[case]), monkeypatch)
    infer.asked.clear()
    test(Net("m", infer), Suite("t", test_cases=[other]))
    assert infer.asked == ["4"]
    assert said(Net("m"), other).keys() == {"3", "4"}
    test(Net("m", infer), Suite("s"))
    assert infer.asked == ["4"]
    assert said(Net("m"), case).keys() == {"1", "2", "3"}


def test_a_torn_part_is_as_if_it_were_not_there(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case("c", test_samples=pairs(1, 2, 3))
    suite, infer = Suite("s", test_cases=[case]), Model()
    monkeypatch.setattr(running, "FLUSHED_S", 0.0)
    left_open(registry, Net("m", infer), suite, monkeypatch)
    store = registry._session.store
    torn, *_ = [path for path in store.list("data/inferences") if "open-" in path]
    data = store.get(torn)
    assert data is not None
    store.put(torn, data[: len(data) // 2])
    infer.asked.clear()
    test(Net("m", infer), suite)
    assert len(infer.asked) == 1
    assert len(said(Net("m"), case)) == 3


def test_many_small_parts_are_joined(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "FLUSHED_S", 0.0)
    monkeypatch.setattr("localreg.workflow.open_parts.MANY", 4)
    store = registry._session.store
    most = 0

    def infer(photo: Photo) -> Guess:
        nonlocal most
        most = max(most, sum("open-" in path for path in store.list("data/inferences")))
        return guess(photo.locator)

    case = Case("c", test_samples=pairs(*range(40)))
    test(Net("m", infer), Suite("s", test_cases=[case]))
    assert 1 < most <= 5
    assert said(Net("m"), case) == {str(n): str(n) for n in range(40)}
    assert not [path for path in store.list("data/inferences") if "open-" in path]


# --- reset ------------------------------------------------------------------------------------------------------------


def test_reset_infers_again_and_replaces_in_one_commit(registry: Registry) -> None:
    case = Case("c", test_samples=pairs(1, 2, 3))
    suite = Suite("s", test_cases=[case])
    test(Net("m", Model(said="cat")), suite)
    commit = registry.commit
    again = Model(said="dog")
    test(Net("m", again), suite, reset=True)
    assert again.asked == ["1", "2", "3"]
    assert registry.commit == commit + 1
    assert set(said(Net("m"), case).values()) == {"dog"}
    rows = registry.sql('SELECT animal.label AS label, count(*) AS n FROM "Animals".inferences GROUP BY ALL').dicts()
    assert rows == [{"label": "dog", "n": 3}]
    past = registry.at(commit=commit).sql('SELECT DISTINCT animal.label AS label FROM "Animals".inferences').dicts()
    assert past == [{"label": "cat"}]
    assert TestRun(Net("m", again), suite).run() == 0


def test_a_reset_that_fails_changes_nothing_and_begins_anew(registry: Registry) -> None:
    case = Case("c", test_samples=pairs(1, 2, 3))
    suite = Suite("s", test_cases=[case])
    test(Net("m", Model(said="cat")), suite)
    commit = registry.commit
    failing = Model("3", said="dog")
    with pytest.raises(RuntimeError, match="cannot see 3"):
        test(Net("m", failing), suite, reset=True)
    assert registry.commit == commit
    assert set(said(Net("m"), case).values()) == {"cat"}
    owl = Model(said="owl")
    test(Net("m", owl), suite, reset=True)
    assert owl.asked == ["1", "2", "3"]
    assert set(said(Net("m"), case).values()) == {"owl"}


def test_an_unused_reset_changes_nothing(registry: Registry) -> None:
    suite = Suite("s", test_cases=[Case("c", test_samples=pairs(1))])
    test(Net("m", Model()), suite)
    commit = registry.commit
    TestRun(Net("m", Model()), suite, reset=True)
    assert registry.commit == commit


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_inferences_made_elsewhere_are_uploaded_once(registry: Registry) -> None:
    case = Case("c", test_samples=pairs(1, 2, 3))
    suite = Suite("s", test_cases=[case])
    run = TestRun(Net("m"), suite)
    assert run.load_test_samples() == [Photo("1"), Photo("2"), Photo("3")]
    run.upload_inferences([(Photo("3"), guess("c")), (Photo("1"), None)])
    assert run.load_test_samples() == [Photo("2")]
    assert said(Net("m"), case) == {"1": None, "3": "c"}
    commit = registry.commit
    with pytest.raises(AlreadyExistsError, match="has inferences for 1 of these samples already"):
        run.upload_inferences([(Photo("2"), guess("b")), (Photo("3"), guess("c"))])
    assert (registry.commit, run.load_test_samples()) == (commit, [Photo("2")])
    run.upload_inferences([(Photo("2"), guess("b"))])
    again = TestRun(Net("m"), suite, reset=True)
    assert len(again.load_test_samples()) == 3
    again.upload_inferences([(photo, guess("z")) for photo in again.load_test_samples()])
    assert set(said(Net("m"), case).values()) == {"z"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([(Photo("9"), Guess())], r"1 of the samples are not in the test suite, the first of them Photo\(locator='9'"),
        ([(Photo("1"), Guess()), (Photo("1"), Guess())], r"Photo\(locator='1'.*is given twice"),
        ([(Photo("1"), guess("x", math.inf))], r"the inference for Photo\(locator='1'.*score is inf"),
        ([(Photo("1"), Animal("x"))], r"inferences\[0\] holds .* where a Guess is wanted"),
        ([(Animal("x"), Guess())], r"inferences\[0\] holds .* where a Photo is wanted"),
        ([Photo("1")], r"inferences\[0\] is .* must be a \(test sample, inference\)"),
        ("ab", "it must be a list of"),
    ],
)
def test_a_wrong_upload_is_refused_and_nothing_is_stored(registry: Registry, given: Any, message: str) -> None:
    run = TestRun(Net("m"), Suite("s", test_cases=[Case("c", test_samples=pairs(1, 2))]))
    commit = registry.commit
    with pytest.raises(InvalidInputError, match=message):
        run.upload_inferences(given)
    assert registry.commit == commit


def test_another_answer_for_a_sample_that_came_meanwhile_is_refused(registry: Registry) -> None:
    suite = Suite("s", test_cases=[Case("c", test_samples=pairs(1))])
    with localreg.use(localreg.open(registry.uri)):
        theirs = TestRun(Net("m"), Suite("s"))

    def infer(photo: Photo) -> Guess:
        theirs.upload_inferences([(photo, guess("theirs"))])
        return guess("mine")

    with pytest.raises(NonDeterministicError, match=r"gave .*mine.* and .*theirs.* is stored"):
        test(Net("m", infer), suite)
    assert said(Net("m"), suite.test_cases[0]) == {"1": "theirs"}


# --- models -----------------------------------------------------------------------------------------------------------


def test_models_are_created_loaded_and_listed(registry: Registry) -> None:
    made = Net.create("a", metadata={"x": 1}, tags=["old", "detector"])
    with pytest.raises(AlreadyExistsError, match="a model 'a' exists already"):
        Net.create("a")
    assert Net.load("a") == made
    with pytest.raises(NotFoundError, match=r"no model 'aa'.*did you mean 'a'"):
        Net.load("aa")
    Net.create("c", tags=["detector"])
    Net.create("b").archive()
    registry.create_model("stranger")
    assert [model.name for model in Net.load_all()] == ["a", "c"]
    assert [model.name for model in Net.load_all(tags=["detector", "old"])] == ["a"]
    other = define_workflow("Other", Photo, Animal, Guess)[3]
    assert other.load_all() == []
    with pytest.raises(WorkflowMismatchError, match="belongs to workflow 'Animals'"):
        other.load("a")


def test_a_model_has_all_that_handles_have(registry: Registry) -> None:
    model = Net("m", metadata={"x": 1})
    model.create_version("1")
    model.tag("good").update(metadata={"y": 2}).set_alias("production", "1").rename("n")
    assert (model.name, model.tags, model.metadata) == ("n", ["good"], {"x": 1, "y": 2})
    assert len(model.history()) > 3
    assert model == registry.get_model("n")
    assert isinstance(model, localreg.Model)


def test_a_chosen_version_runs_and_loads(registry: Registry) -> None:
    case = Case("c", test_samples=pairs(1))
    suite, model = Suite("s", test_cases=[case]), Net("m")
    model.create_version("1")
    model.create_version("2")
    model.set_alias("production", "1")
    test(Net("m", Model(said="one"), version="1"), suite)
    test(Net("m", Model(said="two")), suite)
    for shown, label in (
        (Net("m", version=1), "one"),
        (Net("m@1"), "one"),
        (Net.load("m@production"), "one"),
        (Net("m"), "two"),
    ):
        assert said(shown, case) == {"1": label}
    with pytest.raises(NotFoundError, match="no version '3'"):
        Net("m", version="3")
    with pytest.raises(NotFoundError, match="no model 'absent'"):
        Net("absent", version="3")


# --- cases and suites -------------------------------------------------------------------------------------------------


def test_a_case_is_edited(registry: Registry) -> None:
    case = Case("c", test_samples=pairs(1, 2, 3))
    with case.edit() as editor:
        editor.description("numbers")
        editor.remove(Photo("2"))
        editor.remove(Photo("absent"))
        editor.add(Photo("1"), Animal("dog"))
        editor.add(Photo("4"), Animal("cat"))
    assert (case.version, case.description) == (2, "numbers")
    assert case.load_test_samples() == [*pairs(3), (Photo("1"), Animal("dog")), *pairs(4)]
    assert Case("c", version=1).load_test_samples() == pairs(1, 2, 3)
    commit = registry.commit
    with case.edit() as editor:
        editor.add(Photo("4"), Animal("cat"))  # it is the last already
        editor.add(Photo("5"), Animal("cat"))
        editor.remove(Photo("5"))
    assert (case.version, registry.commit) == (2, commit)
    with case.edit() as editor:
        editor.description("other words")
    assert (case.version, case.description, registry.commit) == (2, "other words", commit + 1)
    with case.edit(reset=True) as editor:
        editor.add(Photo("9"), Animal("cat"))
    assert case.load_test_samples() == pairs(9)
    assert len(registry.sql("FROM test_samples")) == 5  # not 5, which came and went within an edit


def test_an_edit_that_raises_or_that_another_overtook_changes_nothing(registry: Registry) -> None:
    case, stale = Case("c", test_samples=pairs(1)), Case("c")
    commit = registry.commit
    with pytest.raises(ZeroDivisionError), case.edit() as editor:
        editor.add(Photo(str(1 / 0)), Animal("cat"))
    with pytest.raises(InvalidInputError, match="where an Animal is wanted"), case.edit() as editor:
        editor.add(Photo("2"), cast(Any, Photo("2")))
    assert registry.commit == commit
    with case.edit() as editor:
        editor.add(Photo("2"), Animal("cat"))
    overtaken = "was at version 1 when this edit began, and is at version 2"
    with pytest.raises(ConflictError, match=overtaken), stale.edit() as editor:
        editor.add(Photo("3"), Animal("cat"))
    assert Case("c").load_test_samples() == pairs(1, 2)


def test_many_cases_are_one_commit(registry: Registry) -> None:
    Case("known", test_samples=pairs(1))
    commit = registry.commit
    data = [("a", pairs(1, 2)), ("b", pairs(3, 2)), ("empty", []), ("c", pairs(4))]
    cases = Case.init_many(data)
    assert registry.commit == commit + 1
    assert [(case.name, case.version) for case in cases] == [("a", 1), ("b", 1), ("empty", 0), ("c", 1)]
    assert [case.load_test_samples() for case in cases] == [content for _, content in data]
    assert len(registry.sql("FROM test_samples")) == 4
    Case.init_many(data)
    assert registry.commit == commit + 1
    with pytest.warns(UserWarning, match="test case 'known' exists already"):
        Case.init_many([("known", pairs(7)), ("new", pairs(8))])
    assert sorted(row["sample"]["locator"] for row in registry.sql("FROM test_samples")) == ["1", "2", "3", "4", "8"]
    assert Case("new").load_test_samples() == pairs(8)
    Case.init_many([("known", pairs(7)), ("new", pairs(9, 7))], reset=True)
    assert (Case("known").load_test_samples(), Case("new").load_test_samples()) == (pairs(7), pairs(9, 7))
    commit = registry.commit
    for wrong, message in (
        ([("x", pairs(1)), ("x", pairs(2))], r"data\[1\], 'x', is the name of an earlier one"),
        ([("x", pairs(1, 1))], "stands in the test case twice"),
        ([("x",)], r"data\[0\] is .* must be a \(name, test samples\)"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            Case.init_many(cast(Any, wrong))
    assert registry.commit == commit


def test_cases_and_suites_are_created_and_loaded(registry: Registry) -> None:
    case = Case.create("c", description="d", test_samples=pairs(1))
    assert (Case.load("c"), case.description) == (case, "d")
    suite = Suite.create("s", description="e", test_cases=[case], tags=["x", "y"])
    assert (Suite.load("s"), suite.tags) == (suite, ["x", "y"])
    for make in (lambda: Case.create("c"), lambda: Suite.create("s")):
        with pytest.raises(AlreadyExistsError, match="exists already"):
            make()
    for load in (lambda: Case.load("absent"), lambda: Suite.load("absent"), lambda: Case.load("c", 9)):
        with pytest.raises(NotFoundError):
            load()
    Suite.create("t", tags=["x"])
    Suite.create("hidden", tags=["x"]).archive()
    assert [each.name for each in Suite.load_all()] == ["s", "t"]
    assert [each.name for each in Suite.load_all(tags={"y", "x"})] == ["s"]


def test_a_suite_is_edited(registry: Registry) -> None:
    a, b = Case("a", test_samples=pairs(1)), Case("b", test_samples=pairs(2))
    suite, stale = Suite("s", test_cases=[a, b], tags=["x"]), Suite("s")
    newer = Case("a", test_samples=pairs(1, 3), reset=True)
    with suite.edit() as editor:
        editor.add(newer)
        editor.tags.add("y")
        editor.description("words")
    assert (suite.version, suite.tags, suite.description) == (2, ["x", "y"], "words")
    assert suite.test_cases == [b, newer]
    assert suite.load_test_samples() == [(b, [Photo("2")]), (newer, [Photo("1"), Photo("3")])]
    commit = registry.commit
    with suite.edit() as editor:
        editor.remove(Case("absent"))
    assert suite.version == 2
    with suite.edit() as editor:
        editor.tags.discard("x")
    assert (suite.version, suite.tags) == (2, ["y"])
    with pytest.raises(ConflictError, match="was at version 1 when this edit began"), stale.edit() as editor:
        editor.remove(a)
    with pytest.raises(InvalidInputError, match="is no test case"), suite.edit() as editor:
        editor.add(cast(Any, "a"))
    with suite.edit(reset=True) as editor:
        pass
    assert (suite.version, suite.test_cases, registry.commit) == (3, [], commit + 3)


# --- the code that ran ------------------------------------------------------------------------------------------------


def test_a_run_keeps_the_fingerprint_of_the_code_and_a_change_is_told(
    registry: Registry, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    suite = Suite("s", test_cases=[Case("c", test_samples=pairs(1))])
    weights = tmp_path / "w.bin"
    weights.write_bytes(b"one")
    test(Net("m", Model(), metadata={"weights": str(weights), "seed": 7}), suite)
    fingerprint = registry.sql("FROM test_runs")[0]["fingerprint"]
    assert fingerprint["seed"] == 7
    assert "pyarrow" in fingerprint["packages"]
    assert len(fingerprint["weights"]["sha256"]) == len(fingerprint["infer"]) == 64
    assert fingerprint["git"] is None or len(fingerprint["git"]["commit"]) == 40
    caplog.set_level("INFO", logger="localreg")
    test(Net("m", Model()), suite)
    assert caplog.records == []
    weights.write_bytes(b"two")
    test(Net("m", lambda photo: guess("other")), suite)
    assert "the code of infer and the file of weights changed since model 'm' was first run" in caplog.text
