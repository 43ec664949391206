from __future__ import annotations

import math
import re
import shutil
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Any, cast

import pytest

import localreg
from localreg import (
    ConflictError,
    IntegrityError,
    InvalidInputError,
    NonDeterministicError,
    NotFoundError,
    ReadOnlyError,
    Registry,
    WorkflowMismatchError,
)
from localreg.errors import StorageError
from localreg.workflow import (
    ClassificationLabel,
    GroundTruth,
    Inference,
    Label,
    Metadata,
    Model,
    ScoredClassificationLabel,
    ScoredLabel,
    TestCase,
    TestRun,
    TestSample,
    TestSuite,
    Workflow,
    define_workflow,
    test,
)


@dataclass(frozen=True)
class Photo(TestSample):
    locator: str
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Animal(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    animal: ScoredClassificationLabel | None = None
    others: list[ScoredClassificationLabel] = field(default_factory=list)


Animals, Case, Suite, Net = define_workflow("Animals", Photo, Animal, Guess)
Pair = tuple[Photo, Animal]


def pairs(*names: object, truth: str = "cat") -> list[Pair]:
    return [(Photo(str(name)), Animal(truth)) for name in names]


def guess(label: str, score: float = 0.5) -> Guess:
    return Guess(ScoredClassificationLabel(label, score))


class Counting:
    """An `infer` that remembers what it was asked."""

    def __init__(self, answer: Callable[[Photo], Guess | None] = lambda photo: guess(photo.locator)) -> None:
        self.asked: list[str] = []
        self._answer = answer

    def __call__(self, photo: Photo) -> Guess | None:
        self.asked.append(photo.locator)
        return self._answer(photo)


def files(registry: Registry) -> list[Path]:
    return sorted(Path(registry.uri).rglob("data/*/*/*.parquet"))


def truths_in_sql(registry: Registry, case: str) -> list[tuple[str, str]]:
    """What SQL says a case holds: joined by index, so that a wrong index shows."""
    rows = registry.sql(
        """SELECT s.locator, g.label FROM "Animals".ground_truths g JOIN "Animals".test_samples s USING (sample_idx)
        WHERE g.test_case = ? AND g.version = (SELECT version FROM test_cases WHERE name = ?) ORDER BY ALL""",
        [case, case],
    )
    return [(row["locator"], row["label"]) for row in rows]


def check_indices(registry: Registry, cases: dict[str, list[Pair]]) -> None:
    """Indices are dense, no sample stands twice, and every ground truth points to its sample, by objects and by SQL."""
    samples = registry.sql('SELECT sample_idx, locator FROM "Animals".test_samples ORDER BY sample_idx').dicts()
    assert [row["sample_idx"] for row in samples] == list(range(len(samples)))
    assert len({row["locator"] for row in samples}) == len(samples)
    fresh = localreg.open(registry.uri)
    with localreg.use(fresh):
        for name, content in cases.items():
            assert Case(name).load_test_samples() == content, name
            assert truths_in_sql(fresh, name) == sorted((photo.locator, animal.label) for photo, animal in content)
    assert fresh.verify().ok


# --- defining ---------------------------------------------------------------------------------------------------------


def test_defining_opens_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOCALREG_URI", raising=False)
    workflow, case, suite, model = define_workflow(
        name=" w ", test_sample_type=Photo, ground_truth_type=Animal, inference_type=Guess
    )
    assert list(tmp_path.iterdir()) == []
    assert workflow == Workflow("w", Photo, Animal, Guess)
    assert issubclass(case, TestCase)
    assert issubclass(suite, TestSuite)
    assert issubclass(model, Model)
    assert case.workflow is suite.workflow is model.workflow is workflow
    assert (Label, ScoredLabel) == (ClassificationLabel, ScoredClassificationLabel)


def test_what_cannot_be_a_workflow_is_refused_where_it_is_defined() -> None:
    @dataclass(frozen=True)
    class Bare(TestSample):
        pass

    @dataclass(frozen=True)
    class OnlyMetadata(TestSample):
        metadata: Metadata

    types: list[tuple[Any, Any, Any, str]] = [
        (Animal, Animal, Guess, "test_sample_type is .*must be a subclass of localreg.workflow.TestSample"),
        (Photo, Photo, Guess, "ground_truth_type"),
        (Photo, Animal, Guess(), "inference_type"),
        (Bare, Animal, Guess, "no field to tell one sample from another"),
        (OnlyMetadata, Animal, Guess, "no field to tell one sample from another"),
    ]
    for sample, truth, inference, message in types:
        with pytest.raises(InvalidInputError, match=message):
            define_workflow("w", sample, truth, inference)
    with pytest.raises(InvalidInputError, match="workflow name"):
        define_workflow(" ", Photo, Animal, Guess)


def test_nothing_here_is_taken_for_a_test_by_pytest() -> None:
    for thing in (TestSample, TestCase, TestSuite, TestRun, test, Photo, Case, Suite):
        assert cast(Any, thing).__test__ is False


def redefined(name: str, base: type, **fields: Any) -> type:
    """A class of that name with other fields, as a changed script defines it."""
    return make_dataclass(name, fields.items(), bases=(base,), frozen=True)


def test_the_same_types_again_are_the_same_workflow_and_other_ones_are_refused(registry: Registry) -> None:
    case = Case("c", test_samples=pairs(1))
    commit = registry.commit
    _, again, _, _ = define_workflow("Animals", Photo, Animal, Guess)
    assert again("c") == case
    assert registry.commit == commit

    label = ScoredClassificationLabel | None
    others: list[tuple[Any, Any, Any, str]] = [
        (
            redefined("Photo", TestSample, locator=list[str]),
            Animal,
            Guess,
            r"sample: Photo\.locator was .* is now a list",
        ),
        (
            Photo,
            redefined("Animal", GroundTruth, label=int),
            Guess,
            r"Animal\.label was recorded as a str and is now an i",
        ),
        (
            Photo,
            Animal,
            redefined("Guess", Inference, animal=str),
            r"inference: Guess\.animal was recorded as a ScoredCl",
        ),
        (Photo, Animal, redefined("Guess", Inference, Animal=label), "from which 'Animal' differs only by case"),
    ]
    for sample, truth, inference, message in others:
        _, other_case, other_suite, other_model = define_workflow("Animals", sample, truth, inference)
        for make in (other_case, other_suite, other_model):
            with pytest.raises(WorkflowMismatchError, match=message):
                cast(Any, make)("x")
        with pytest.raises(WorkflowMismatchError, match=message):
            other_case("c")
    assert registry.commit == commit


def test_names_of_cases_suites_and_models_are_unique_across_workflows(registry: Registry) -> None:
    Case("x", test_samples=pairs(1))
    Suite("x", test_cases=[Case("x")])
    Net("x")
    _, case, suite, model = define_workflow("Other", Photo, Animal, Guess)
    for make, what in ((case, "test case 'x'"), (suite, "test suite 'x'"), (model, "model 'x'")):
        with pytest.raises(WorkflowMismatchError, match=f"{what} belongs to workflow 'Animals', not to 'Other'"):
            make("x")
    with pytest.raises(InvalidInputError, match="it must be a test case of 'Other'"):
        suite("y", test_cases=[Case("x")])
    with pytest.raises(WorkflowMismatchError, match="'Other'"):
        test(model("m"), Suite("x"))
    free = registry.create_model("free")
    assert Net("free").id == free.id
    test(Net("free", Counting()), Suite("x"))
    assert free.info.workflow is not None
    with pytest.raises(WorkflowMismatchError):
        model("free")


# --- test cases -------------------------------------------------------------------------------------------------------


def test_a_case_without_content_is_version_0_and_with_content_version_1(registry: Registry) -> None:
    assert (Case("empty").version, len(Case("empty")), Case("empty").load_test_samples()) == (0, 0, [])
    assert Case("nothing", test_samples=[]).version == 0
    commit = registry.commit
    assert Case("nothing", test_samples=[], reset=True).version == 0
    assert registry.commit == commit
    assert Case("empty", test_samples=pairs(1)).version == 1
    full = Case("full", test_samples=iter(pairs(1, 2)), description="d")  # type: ignore[arg-type]
    assert (full.version, len(full), full.description, full.name) == (1, 2, "d", "full")
    assert repr(full) == "<TestCase 'full' version 1, 2 samples>"
    assert full == Case("full")
    assert len({full, Case("full"), Case("empty")}) == 2
    assert full != "full"


def test_equal_content_is_no_edit_and_other_content_is_ignored_with_a_warning(registry: Registry) -> None:
    case = Case("c", test_samples=pairs(1, 2))
    commit = registry.commit
    assert Case("c", test_samples=pairs(1, 2)) == case
    assert Case("c", test_samples=pairs(1, 2), reset=True) == case
    for content in (pairs(1), pairs(2, 1), pairs(1, 2, truth="dog"), pairs(1, 3), []):
        with pytest.warns(UserWarning, match="the test samples given are ignored; pass reset=True") as told:
            assert Case("c", test_samples=content) == case
        assert told[0].filename == __file__
    assert registry.commit == commit


def test_reset_makes_the_next_version_and_old_ones_stay(registry: Registry) -> None:
    contents = [pairs(1, 2), pairs(2, 1), pairs(1, 2, truth="dog"), pairs(3), []]
    for content in contents:
        Case("c", test_samples=content, reset=True)
    assert Case("c").version == len(contents)
    for number, content in enumerate(contents, 1):
        assert Case("c", version=number).load_test_samples() == content
    with pytest.raises(NotFoundError, match="has no version 9; the newest is 5"):
        Case("c", version=9)
    with pytest.raises(NotFoundError, match=r"no test case 'd' .*did you mean 'c'|no test case 'd'"):
        Case("d", version=1)
    with pytest.raises(InvalidInputError, match="does not change"):
        Case("c", version=1, test_samples=pairs(1))


def test_content_comes_back_in_order_with_metadata(registry: Registry) -> None:
    content = [(Photo("b", {"iso": [1, {"x": None}]}), Animal("cat")), (Photo("a"), Animal("dog")), *pairs("ü 日")]
    Case("c", test_samples=content)
    with localreg.use(localreg.open(registry.uri)):
        assert Case("c").load_test_samples() == content


def test_a_sample_is_known_by_its_fields_not_by_its_metadata(registry: Registry) -> None:
    Case("a", test_samples=[(Photo("1", {"iso": 100}), Animal("cat"))])
    Case("b", test_samples=[(Photo("1", {"lens": "wide"}), Animal("dog")), *pairs(2)])
    assert registry.sql("SELECT count(*) AS n FROM test_samples")[0]["n"] == 2
    merged = {"iso": 100, "lens": "wide"}
    assert Case("b").load_test_samples()[0] == (Photo("1", merged), Animal("dog"))
    assert Case("a").load_test_samples() == [(Photo("1", merged), Animal("cat"))]
    before = Case("a").version
    Case("a", test_samples=[(Photo("1", {"iso": 200}), Animal("cat"))])  # what is known, and one thing more of it
    assert Case("a").version == before
    merged["iso"] = 200
    assert Case("b").load_test_samples()[0] == (Photo("1", merged), Animal("dog"))
    commit = registry.commit
    Case("a", test_samples=[(Photo("1", {"iso": 200}), Animal("cat"))])
    assert registry.commit == commit
    with pytest.raises(InvalidInputError, match=r"'1'.* stands in the test case twice"):
        Case("c", test_samples=[(Photo("1", {"iso": 1}), Animal("cat")), (Photo("1", {"iso": 2}), Animal("dog"))])
    with pytest.raises(InvalidInputError, match=r"test_samples\[0\].*iso"):
        Case("c", test_samples=[(Photo("9", {"iso": math.nan}), Animal("cat"))])


def test_two_cases_may_hold_different_truths_for_one_sample(registry: Registry) -> None:
    cases = {"day": pairs(1, 2, truth="cat"), "night": pairs(2, 3, truth="dog")}
    for name, content in cases.items():
        Case(name, test_samples=content)
    check_indices(registry, cases)
    assert registry.sql("SELECT count(*) AS n FROM test_samples")[0]["n"] == 3


def test_sample_fields_of_any_type_tell_samples_apart(registry: Registry) -> None:
    @dataclass(frozen=True)
    class Inner:
        v: float | None

    @dataclass(frozen=True)
    class Deep(TestSample):
        a: str | None
        b: list[Inner]
        c: float

    globals()["Inner"] = Inner
    _, case, _, _ = define_workflow("Deep", Deep, Animal, Guess)
    different = [
        Deep(None, [], 0.0),
        Deep("", [], 0.0),
        Deep("a", [Inner(None)], 0.0),
        Deep("a", [Inner(0.0)], 0.0),
        Deep("a", [Inner(0.0), Inner(0.0)], 0.0),
        Deep("a", [], 1e-300),
        Deep("a", [], math.inf),
    ]
    content = [(sample, Animal("x")) for sample in different]
    assert case("c", test_samples=content).load_test_samples() == content
    case("d", test_samples=content[::-1])
    case("nan", test_samples=[(Deep("a", [], math.nan), Animal("x"))])
    case("nan again", test_samples=[(Deep("a", [], math.nan), Animal("y"))])
    assert len(registry.sql('FROM "Deep".test_samples')) == len(different) + 1
    for twin in ((Deep("a", [], 0.0), Deep("a", [], -0.0)), (Deep("a", [], math.nan), Deep("a", [], math.nan))):
        with pytest.raises(InvalidInputError, match="twice"):
            case("twins", test_samples=[(sample, Animal("x")) for sample in twin])


WRONG: list[tuple[Any, str]] = [
    ([(Photo("1"), "cat")], r"test_samples\[0\] holds 'cat' where an Animal is wanted"),
    ([*pairs(1), (Animal("x"), Animal("x"))], r"test_samples\[1\] holds .* a Photo is wanted"),
    ([Photo("1")], r"test_samples\[0\] is .*; it must be a \(test sample, ground truth\)"),
    ([(Photo("1"), Animal("x"), 1)], r"test_samples\[0\]"),
    (5, "test_samples is 5; it must be a list"),
    ([*pairs(1), (Photo(cast(str, 2)), Animal("x"))], r"test_samples\[1\], Photo\(locator=2.*: Photo\.locator is 2"),
    (
        [*pairs(1), (Photo("2"), Animal(cast(str, None)))],
        r"test_samples\[1\], Photo\(locator='2'.*Animal\.label is None",
    ),
    (pairs(1, 2, 1), r"'1'.* stands in the test case twice"),
    ([(Photo("1", cast(Any, [1])), Animal("x"))], r"metadata of test_samples\[0\]"),
]


@pytest.mark.parametrize(("content", "message"), WRONG, ids=[message for _, message in WRONG])
def test_wrong_content_is_refused_with_its_place_and_nothing_is_written(
    registry: Registry, content: Any, message: str
) -> None:
    Case("known", test_samples=pairs("known"))
    before = (registry.commit, files(registry))
    with pytest.raises(InvalidInputError, match=message):
        Case("c", test_samples=content)
    with pytest.raises(InvalidInputError, match=message):
        Case("known", test_samples=content, reset=True)
    assert (registry.commit, files(registry)) == before


def test_a_blank_label_of_a_ground_truth_is_refused_with_its_sample(registry: Registry) -> None:
    @dataclass(frozen=True)
    class Boxes(GroundTruth):
        labels: list[ClassificationLabel]

    _, case, _, _ = define_workflow("Boxes", Photo, Boxes, Guess)
    content = [(Photo(str(n)), Boxes([ClassificationLabel("a"), ClassificationLabel(" " * n)])) for n in (1, 2)]
    with pytest.raises(InvalidInputError, match=r"test_samples\[0\], Photo\(locator='1'.*labels\[\].label is ' '"):
        case("c", test_samples=content)
    assert registry.commit == 0


@pytest.mark.parametrize("damage", ["missing", "torn"])
def test_damaged_samples_are_an_integrity_error_without_sql(registry: Registry, damage: str) -> None:
    Case("c", test_samples=pairs(1, 2))
    (file,) = Path(registry.uri).rglob("data/test_samples/*/*.parquet")
    file.unlink()
    if damage == "torn":
        file.write_bytes(b"PAR1")
    for act in (lambda: Case("c").load_test_samples(), lambda: Case("d", test_samples=pairs(1))):
        with pytest.raises(IntegrityError, match=file.name) as told:
            act()
        assert "SELECT" not in str(told.value)


# --- test suites ------------------------------------------------------------------------------------------------------


def test_a_suite_is_versioned_as_a_case_is(registry: Registry) -> None:
    a, b = Case("a", test_samples=pairs(1)), Case("b", test_samples=pairs(2))
    assert (Suite("empty").version, Suite("empty", test_cases=[]).version) == (0, 0)
    assert Suite("empty").test_cases == []
    assert Suite("empty", test_cases=[a]).version == 1
    suite = Suite("s", test_cases=[a, b], description="d", tags=["y", "x"])
    assert (suite.version, suite.description, suite.tags, suite.name) == (1, "d", ["x", "y"], "s")
    assert suite.test_cases == [a, b]
    assert suite == Suite("s", test_cases=[a, b])
    with pytest.warns(UserWarning, match="the test cases given are ignored; pass reset=True") as told:
        assert Suite("s", test_cases=[b, a]) == suite
    assert told[0].filename == __file__
    again = Suite("s", test_cases=[b, a], reset=True)
    assert (again.version, again.test_cases, again.id) == (2, [b, a], suite.id)
    assert again != suite
    assert Suite("s", version=1).test_cases == [a, b]
    assert [(case.name, samples) for case, samples in again.load_test_samples()] == [
        ("b", [Photo("2")]),
        ("a", [Photo("1")]),
    ]
    with pytest.raises(NotFoundError, match="has no version 3; the newest is 2"):
        Suite("s", version=3)
    with pytest.raises(NotFoundError, match="no test suite 'sx'"):
        Suite("sx", version=1)
    assert repr(suite) == "<TestSuite 's' version 1>"


def test_a_suites_description_and_tags_change_without_a_version(registry: Registry) -> None:
    Suite("s", test_cases=[Case("a", test_samples=pairs(1))], description="d", tags=["x"])
    commit = registry.commit
    suite = Suite("s", description="new")
    assert (suite.version, suite.description, suite.tags) == (1, "new", ["x"])
    assert Suite("s", tags=["z"]).tags == ["z"]
    assert Suite("s").description == "new"
    assert Suite("s", description="new", tags=["z"]).version == 1
    assert registry.commit == commit + 2


def test_a_suite_keeps_the_case_version_that_it_was_given(registry: Registry) -> None:
    old = Case("a", test_samples=pairs(1))
    suite = Suite("s", test_cases=[old])
    new = Case("a", test_samples=pairs(1, 2), reset=True)
    assert [case.version for case in Suite("s").test_cases] == [1]
    assert Suite("s", test_cases=[new], reset=True).version == 2
    assert [len(case) for case in suite.test_cases] == [1]
    with pytest.raises(InvalidInputError, match=r"test_cases\[1\], 'a', stands in the suite twice"):
        Suite("t", test_cases=[old, new])


def test_only_cases_of_this_namespace_and_workflow_make_a_suite(registry: Registry, tmp_path: Path) -> None:
    with localreg.use(localreg.open(tmp_path / "elsewhere")):
        stranger = Case("a", test_samples=pairs(1))
    with pytest.raises(InvalidInputError, match="copy it here first"):
        Suite("s", test_cases=[stranger])
    with pytest.raises(InvalidInputError, match=r"test_cases\[0\] is 'a'"):
        Suite("s", test_cases=cast(Any, ["a"]))


def test_a_case_whose_transaction_failed_makes_no_suite(registry: Registry) -> None:
    with pytest.raises(ZeroDivisionError), registry.transaction():  # noqa: PT012 - the block is what is tested
        case = Case("a", test_samples=pairs(1))
        suite = Suite("s", test_cases=[case])
        raise ZeroDivisionError
    with pytest.raises(ConflictError, match="was not committed"):
        Suite("t", test_cases=[case])
    with pytest.raises(ConflictError, match="was not committed"):
        test(Net("m", Counting()), suite)
    assert len(registry.sql("FROM test_suites")) == 0


# --- models -----------------------------------------------------------------------------------------------------------


def test_a_model_is_created_or_loaded_by_name(registry: Registry) -> None:
    made = Net("m", metadata={"a": 1}, tags=["x"])
    commit = registry.commit
    again = Net("m", Counting())
    assert made.id == again.id == registry.get_model("m").id
    assert (again.name, again.metadata, again.tags) == ("m", {"a": 1}, ["x"])
    assert Net("m", metadata={"a": 1}, tags=["x"]).id == made.id
    assert registry.commit == commit
    assert again.registered.versions() == []
    again.update(metadata={"b": 2}, unset=["a"])
    assert made.metadata == {"b": 2}
    assert repr(made) == "<Model 'm' of workflow 'Animals'>"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"metadata": {"a": 2}}, "metadata"),
        ({"tags": ["y"]}, "tags"),
        ({"metadata": {}, "tags": []}, "metadata and tags"),
    ],
)
def test_what_differs_on_an_existing_model_is_told_and_not_applied(
    registry: Registry, given: dict[str, Any], named: str
) -> None:
    Net("m", metadata={"a": 1}, tags=["x"])
    with pytest.warns(UserWarning, match=f"its {named} stay as they are; use update") as told:
        model = Net("m", **given)
    assert told[0].filename == __file__
    assert (model.metadata, model.tags) == ({"a": 1}, ["x"])


# --- running ----------------------------------------------------------------------------------------------------------


def test_each_sample_is_inferred_once_over_suites_and_reruns(registry: Registry) -> None:
    a, b = Case("a", test_samples=pairs(1, 2)), Case("b", test_samples=pairs(2, 3, truth="dog"))
    one, both = Suite("one", test_cases=[a]), Suite("both", test_cases=[a, b])
    infer = Counting()
    test(Net("m", infer), one)
    assert infer.asked == ["1", "2"]
    test(Net("m", infer), both)
    assert infer.asked == ["1", "2", "3"]
    commit = registry.commit
    for suite in (one, both):
        assert TestRun(Net("m", infer), suite).run() == 0
    assert (infer.asked, registry.commit) == (["1", "2", "3"], commit)
    other = Counting()
    test(Net("other", other), both)
    assert other.asked == ["1", "2", "3"]
    model = registry.get_model("m")
    assert [version.version for version in model.versions()] == ["1"]
    runs = registry.sql("SELECT model, test_suite, test_suite_version FROM test_runs WHERE model = 'm'")
    assert [tuple(row.values()) for row in runs] == [("m", "one", 1), ("m", "both", 1)]
    indices = registry.sql("SELECT sample_idx FROM inferences WHERE model = 'm' ORDER BY ALL").dicts()
    assert [row["sample_idx"] for row in indices] == [0, 1, 2]


def test_a_grown_suite_is_inferred_for_what_is_new(registry: Registry) -> None:
    infer = Counting()
    test(Net("m", infer), Suite("s", test_cases=[Case("a", test_samples=pairs(1, 2))]))
    grown = Suite("s", test_cases=[Case("a", test_samples=pairs(3, 2, 1), reset=True)], reset=True)
    run = test(Net("m", infer), grown)
    assert infer.asked == ["1", "2", "3"]
    assert repr(run) == "<TestRun of 'm' on 's' version 2: 1 samples inferred now, 2 before>"
    loaded = Net("m").load_inferences(grown.test_cases[0])
    assert [(photo.locator, said and said.animal and said.animal.label) for photo, _, said in loaded] == [
        ("3", "3"),
        ("2", "2"),
        ("1", "1"),
    ]


def test_a_new_version_is_inferred_anew(registry: Registry) -> None:
    suite = Suite("s", test_cases=[Case("a", test_samples=pairs(1, 2))])
    test(Net("m", Counting()), suite)
    registry.get_model("m").create_version("2")
    assert Net("m").load_inferences(suite.test_cases[0]) == []
    infer = Counting(lambda photo: guess("new"))
    test(Net("m", infer), suite)
    assert infer.asked == ["1", "2"]
    counted = registry.sql("SELECT model_version, count(*) AS n FROM inferences GROUP BY ALL ORDER BY ALL").dicts()
    assert counted == [{"model_version": "1", "n": 2}, {"model_version": "2", "n": 2}]
    assert all(said == guess("new") for _, _, said in Net("m").load_inferences(suite.test_cases[0]))


def test_inferences_belong_to_the_version_that_was_the_newest_when_they_were_made(registry: Registry) -> None:
    suite = Suite("s", test_cases=[Case("a", test_samples=pairs(1, 2))])
    model = Net("m")
    model.registered.create_version("1")

    def infer(photo: Photo) -> Guess:
        if photo.locator == "2":
            model.registered.create_version("2")
        return guess("x")

    model.infer = infer
    test(model, suite)
    assert registry.sql("SELECT DISTINCT model_version FROM inferences").dicts() == [{"model_version": "1"}]
    model.registered.create_version("3")

    def infer_and_delete(photo: Photo) -> Guess:
        if photo.locator == "2":
            model.registered.version("3").delete(force=True)
        return guess("x")

    model.infer = infer_and_delete
    with pytest.raises(ConflictError, match="was deleted during the test run"):
        test(model, suite)


def test_none_is_skipped_and_nothing_found_is_not(registry: Registry) -> None:
    case = Case("a", test_samples=pairs(1, 2, 3))
    infer = Counting(lambda photo: {"1": None, "2": Guess()}.get(photo.locator, guess("x")))
    test(Net("m", infer), Suite("s", test_cases=[case]))
    test(Net("m", infer), Suite("s"))
    assert infer.asked == ["1", "2", "3"]
    assert Net("m").load_inferences(case) == [
        (Photo("1"), Animal("cat"), None),
        (Photo("2"), Animal("cat"), Guess()),
        (Photo("3"), Animal("cat"), guess("x")),
    ]
    statuses = registry.sql("SELECT status, inference IS NULL AS none FROM inferences ORDER BY sample_idx")
    assert [tuple(row.values()) for row in statuses] == [("skipped", True), ("ok", False), ("ok", False)]


def test_only_what_was_inferred_is_loaded(registry: Registry) -> None:
    Suite("s", test_cases=[Case("a", test_samples=pairs(1))])
    wider = Case("wider", test_samples=pairs(2, 1))
    assert Net("m").load_inferences(wider) == []
    Net("m").registered.create_version("1")
    assert Net("m").load_inferences(wider) == []
    test(Net("m", Counting()), Suite("s"))
    assert [photo.locator for photo, _, _ in Net("m").load_inferences(wider)] == ["1"]


def test_infer_never_sees_a_ground_truth(registry: Registry) -> None:
    seen: list[object] = []
    test(
        Net("m", lambda photo: seen.append(photo)),
        Suite("s", test_cases=[Case("a", test_samples=pairs(1, truth="secret"))]),
    )
    assert seen == [Photo("1")]
    assert "secret" not in repr(vars(cast(Any, seen[0])))


BAD: list[tuple[Any, str]] = [
    ("cat", r"infer of model 'm' returned 'cat' for Photo\(locator='2'.*must return a Guess, or None"),
    (Animal("x"), "must return a Guess"),
    (Guess(cast(Any, "cat")), r"Photo\(locator='2'.*: Guess\.animal is 'cat', of type str"),
    (Guess(None, cast(Any, None)), r"Photo\(locator='2'.*: Guess\.others is None; it must be a list"),
    (guess("cat", cast(Any, "0.5")), r"Photo\(locator='2'.*: Guess\.animal\.score is '0\.5'"),
    (guess("cat", math.nan), r"Photo\(locator='2'.*: Guess\.animal\.score is nan; it must be a finite number"),
    (guess("cat", math.inf), r"Photo\(locator='2'.*: Guess\.animal\.score is inf"),
    (guess("  "), r"Photo\(locator='2'.*: Guess\.animal\.label is '  '; it must not be blank"),
    (guess(""), r"Photo\(locator='2'.*: Guess\.animal\.label is ''"),
    (
        Guess(None, [ScoredClassificationLabel("a", 1), ScoredClassificationLabel("b", -math.inf)]),
        r"Photo\(locator='2'.*: Guess\.others\[\]\.score is -inf",
    ),
]


@pytest.mark.parametrize(("answer", "message"), BAD, ids=[message for _, message in BAD])
def test_a_bad_inference_is_refused_with_its_sample_and_what_stands_before_it_is_kept(
    registry: Registry, answer: Any, message: str
) -> None:
    case = Case("a", test_samples=pairs(1, 2, 3))
    suite = Suite("s", test_cases=[case])
    model = Net("m", lambda photo: guess("fine") if photo.locator == "1" else answer)
    with pytest.raises(InvalidInputError, match=message):
        test(model, suite)
    assert [said for *_, said in model.load_inferences(case)] == [guess("fine")]
    ((failed, why),) = TestRun(model, suite).errors()
    assert (failed, why["type"]) == (Photo("2"), "InvalidInputError")
    assert re.search(message, str(why["message"]))
    infer = Counting()
    test(Net("m", infer), suite)
    assert infer.asked == ["2", "3"]
    assert TestRun(model, suite).errors() == []


def test_a_score_may_be_any_finite_number(registry: Registry) -> None:
    case = Case("a", test_samples=pairs(1, 2, 3))
    scores = {"1": -12.5, "2": 0.0, "3": 1e300}
    test(Net("m", lambda photo: guess("x", scores[photo.locator])), Suite("s", test_cases=[case]))
    assert [said and said.animal and said.animal.score for _, _, said in Net("m").load_inferences(case)] == [
        -12.5,
        0.0,
        1e300,
    ]


def test_nan_in_a_plain_float_comes_back_and_in_a_label_of_ones_own_is_refused(registry: Registry) -> None:
    @dataclass(frozen=True)
    class Ranked(ScoredClassificationLabel):
        rank: int

    @dataclass(frozen=True)
    class Raw(Inference):
        score: float
        ranked: Ranked | None = None

    globals()["Ranked"] = Ranked
    _, case_class, suite_class, model_class = define_workflow("Raw", Photo, Animal, Raw)
    suite = suite_class("s", test_cases=[case_class("c", test_samples=pairs(1, 2))])
    with pytest.raises(InvalidInputError, match=r"Raw\.ranked\.score is nan"):
        test(model_class("bad", lambda _: Raw(0.5, Ranked("x", math.nan, 1))), suite)
    test(model_class("m", lambda _: Raw(math.nan, Ranked("x", 0.5, 1))), suite)
    loaded = model_class("m").load_inferences(suite.test_cases[0])
    assert all(
        said is not None and math.isnan(said.score) and said.ranked == Ranked("x", 0.5, 1) for *_, said in loaded
    )
    assert math.isnan(registry.sql("FROM inferences WHERE model = 'm'")[0]["inference"]["score"])
    assert math.isnan(registry.sql("FROM \"Raw\".inferences WHERE model = 'm'")[0]["score"])


def test_many_cases_are_each_looked_through_a_few_times(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of cases in one commit: work for each of them must not grow with the number of the others."""
    from localreg.workflow.staging import Staging

    walked, places = [0], Staging._places

    def counted(self: Staging, known: Any, among: Any) -> Any:
        walked[0] += len(among)
        return places(self, known, among)

    monkeypatch.setattr(Staging, "_places", counted)
    made = Case.init_many([(str(number), pairs(number, number + 1)) for number in range(40)])
    assert walked[0] <= 6 * 40
    assert [case.load_test_samples() for case in made] == [pairs(number, number + 1) for number in range(40)]


def test_a_mistyped_version_makes_no_model(registry: Registry) -> None:
    Net("m", Counting())
    registry.get_model("m").create_version("1")
    before = registry.commit
    for name in ("m@2", "m@1@production"):
        with pytest.raises(
            NotFoundError, match=f"model 'm' has no version or alias '.*'; make one .*new model .*'{name}'"
        ):
            Net(name, Counting())
    assert registry.commit == before
    assert Net("m@1").name == "m"
    assert Net.create("m@2").name == Net("m@2").name == "m@2"
    assert Net("at@home").name == "at@home"


def test_a_model_with_no_function_for_infer_is_not_made(registry: Registry) -> None:
    for make in (Net, Net.create):
        with pytest.raises(InvalidInputError, match="infer is 3; pass a function from test sample to inference"):
            make("m", 3)  # type: ignore[arg-type]
    assert len(registry.models()) == 0


def test_inferences_of_a_suite_are_asked_for_by_test_case(registry: Registry) -> None:
    suite = Suite("s", test_cases=[Case("a", test_samples=pairs(1))])
    with pytest.raises(InvalidInputError, match=r"'s'.* is no test case; .* a suite's test_cases"):
        Net("m").load_inferences(suite)  # type: ignore[arg-type]


@pytest.mark.parametrize("reset", ["no", 1, None])
def test_a_reset_is_asked_for_in_no_other_way(registry: Registry, reset: Any) -> None:
    """What stands in its place by mistake, such as a configuration, must not throw away what was inferred."""
    suite = Suite("s", test_cases=[Case("a", test_samples=pairs(1, 2))])
    before = registry.commit
    calls: list[Callable[[], object]] = [
        lambda: test(Net.load("m"), suite, reset=reset),
        lambda: Case("a", test_samples=pairs(3), reset=reset),
        lambda: Case.init_many([("a", pairs(3))], reset=reset),
        lambda: Suite("s", test_cases=[], reset=reset),
        lambda: suite.edit(reset=reset).__enter__(),
        lambda: suite.test_cases[0].edit(reset=reset).__enter__(),
    ]
    Net("m", Counting())
    for call in calls:
        with pytest.raises(InvalidInputError, match=f"reset is {reset!r}; write True or False"):
            call()
    assert registry.commit == before + 1


def test_a_run_that_cannot_be_is_refused(registry: Registry, tmp_path: Path) -> None:
    suite = Suite("s", test_cases=[Case("a", test_samples=pairs(1, 2))])
    with pytest.raises(InvalidInputError, match="made without infer, and 2 samples lack an inference"):
        test(Net("m"), suite)
    for empty in (Suite("empty"), Suite("hollow", test_cases=[Case("nothing")])):
        with pytest.raises(InvalidInputError, match=r"holds no test samples; .* TestSuite\.load"):
            test(Net("m", Counting()), empty)
    with localreg.use(localreg.open(tmp_path / "elsewhere")):
        stranger = Net("m", Counting())
    with pytest.raises(InvalidInputError, match="different registries"):
        test(stranger, suite)
    doomed = Net("doomed", Counting())
    doomed.infer = lambda photo: doomed.delete(force=True) if photo.locator == "2" else guess("x")
    with pytest.raises(ConflictError, match="was deleted during the test run"):
        test(doomed, suite)
    assert len(registry.sql("FROM test_runs")) == 0
    test(Net("done", Counting()), suite)
    test(Net("done"), suite)


def test_an_exception_in_infer_comes_out_as_it_is_and_is_kept_with_its_sample(registry: Registry) -> None:
    case = Case("a", test_samples=pairs(1, 2, 3))
    suite = Suite("s", test_cases=[case])

    def infer(photo: Photo) -> Guess:
        if photo.locator == "2":
            raise ZeroDivisionError(photo.locator)
        return guess("x")

    model = Net("m", infer)
    with pytest.raises(ZeroDivisionError, match="2") as raised:
        test(model, suite)
    assert "raised this for Photo(locator='2'" in raised.value.__notes__[0]
    assert [photo.locator for photo, *_ in model.load_inferences(case)] == ["1"]
    run = test(model, suite, on_error="record")
    assert repr(run) == "<TestRun of 'm' on 's' version 1: 2 samples inferred now, 1 before, 1 failed>"
    ((photo, why),) = run.errors()
    assert photo == Photo("2")
    assert (why["type"], why["message"]) == ("ZeroDivisionError", "2")
    assert "in infer" in str(why["traceback"])
    assert [photo.locator for photo, *_ in model.load_inferences(case)] == ["1", "3"]
    statuses = registry.sql("SELECT status, error.type FROM inferences ORDER BY sample_idx").dicts()
    assert statuses[1:] == [{"status": "error", "type": "ZeroDivisionError"}, {"status": "ok", "type": None}]
    mended = Counting()
    assert TestRun(Net("m", mended), suite).run() == 1
    assert mended.asked == ["2"]
    assert len(model.load_inferences(case)) == 3


def test_types_without_fields_work_all_the_way(registry: Registry) -> None:
    @dataclass(frozen=True)
    class Unlabelled(GroundTruth):
        pass

    @dataclass(frozen=True)
    class Seen(Inference):
        pass

    _, case_class, suite_class, model_class = define_workflow("Bare", Photo, Unlabelled, Seen)
    case = case_class("c", test_samples=[(Photo(str(n)), Unlabelled()) for n in range(3)])
    test(model_class("m", lambda photo: None if photo.locator == "1" else Seen()), suite_class("s", test_cases=[case]))
    assert [said for _, _, said in model_class("m").load_inferences(case)] == [Seen(), None, Seen()]
    assert [row["ground_truth"] for row in registry.sql("FROM ground_truths")] == [{}, {}, {}]
    assert [row["inference"] for row in registry.sql("FROM inferences")] == [{}, None, {}]
    assert len(registry.sql('FROM "Bare".inferences')) == 3
    with pytest.raises(InvalidInputError, match="does not say what is right"):
        registry.compare("m", "m", suite="s")


def test_ten_thousand_samples_are_known_again(registry: Registry) -> None:
    content = pairs(*range(10_000))
    Case("a", test_samples=content)
    Case("b", test_samples=[*reversed(content), *pairs("new")])
    assert registry.sql("SELECT count(*) AS n FROM test_samples")[0]["n"] == 10_001
    assert Case("b").load_test_samples()[:2] == content[:-3:-1]


# --- transactions and lost races --------------------------------------------------------------------------------------


def everything(prefix: str, *names: object) -> None:
    case = Case(f"{prefix}case", test_samples=pairs(*names))
    test(Net(f"{prefix}model", Counting()), Suite(f"{prefix}suite", test_cases=[case]))


def test_a_case_a_suite_and_a_run_are_one_commit_or_none(registry: Registry, other: Registry) -> None:
    with pytest.raises(ZeroDivisionError), registry.transaction():  # noqa: PT012 - the block is what is tested
        everything("a ", 1, 2)
        assert len(Net("a model").load_inferences(Case("a case"))) == 2
        raise ZeroDivisionError
    assert (registry.commit, other.commit) == (0, 0)
    assert len(registry.sql("FROM test_samples")) == 0
    with registry.transaction("import"):
        everything("a ", 1, 2)
        assert other.commit == 0
    assert other.commit == 1
    assert {row["message"] for row in registry.audit()} == {"import"}
    check_indices(registry, {"a case": pairs(1, 2)})
    with localreg.use(other):
        assert len(Net("a model").load_inferences(Case("a case"))) == 2


def test_a_refused_verb_leaves_the_rest_of_its_transaction_whole(registry: Registry) -> None:
    with registry.transaction():
        Case("a", test_samples=pairs(1, 2))
        with pytest.raises(InvalidInputError, match="twice"):
            Case("b", test_samples=pairs(3, 3))
        Case("c", test_samples=pairs(2, 3, truth="dog"))
    check_indices(registry, {"a": pairs(1, 2), "c": pairs(2, 3, truth="dog")})
    assert len(registry.sql("FROM test_cases")) == 2


@pytest.mark.parametrize("workflow_known", [True, False])
@pytest.mark.parametrize("theirs", [["x", "y"], ["x", 2], [3, 1], [2], [1, 2, 3, 4]], ids=str)
def test_a_transaction_that_lost_a_race_lands_on_the_right_samples(
    registry: Registry, other: Registry, theirs: list[object], workflow_known: bool
) -> None:
    if workflow_known:
        Case("before", test_samples=pairs("b0", 4))
    mine = {"a": pairs(1, 2), "b": pairs(4, 2, 3, truth="dog"), "c": pairs(2, 1, truth="cow")}
    infer = Counting()
    with registry.transaction():
        suite = Suite("s", test_cases=[Case(name, test_samples=content) for name, content in mine.items()])
        test(Net("m", infer), suite)
        with localreg.use(other):
            Case("theirs", test_samples=pairs(*theirs, truth="owl"))
    check_indices(registry, {**mine, "theirs": pairs(*theirs, truth="owl")})
    assert sorted(infer.asked) == ["1", "2", "3", "4"]
    for name, content in mine.items():
        loaded = Net("m").load_inferences(Case(name))
        assert [(photo, animal) for photo, animal, _ in loaded] == content
        assert all(said == guess(photo.locator) for photo, _, said in loaded)
    said = registry.sql(
        """SELECT s.locator, i.animal.label AS label FROM "Animals".inferences i
        JOIN "Animals".test_samples s USING (sample_idx)"""
    )
    assert {row["locator"]: row["label"] for row in said} == {name: name for name in "1234"}
    assert len(said) == 4


class Interfering:
    """Lets another writer commit just before a handle's next publish, as often as told."""

    def __init__(self, registry: Registry, acts: list[Callable[[], object]]) -> None:
        store = registry._session.log.store
        publish = store.put_if_absent

        def put_if_absent(path: str, data: bytes, **how: Any) -> bool:
            if acts and path.startswith("log/"):
                acts.pop(0)()
            return publish(path, data, **how)

        store.put_if_absent = put_if_absent  # type: ignore[method-assign]


def quietly(registry: Registry, act: Callable[[], object]) -> Callable[[], object]:
    def run() -> object:
        with localreg.use(registry):
            return act()

    return run


@pytest.mark.parametrize("theirs", [["x", "y"], ["x", 2], [3, 1], [1, 2, 3]], ids=str)
def test_a_case_that_lost_a_race_while_publishing_lands_on_the_right_samples(
    registry: Registry, other: Registry, theirs: list[object]
) -> None:
    Case("before", test_samples=pairs("b0", 2))
    staged = len(files(registry))
    Interfering(
        registry,
        [
            quietly(other, lambda: Case("one", test_samples=pairs(*theirs))),
            quietly(other, lambda: Case("two", test_samples=pairs("z", *theirs, truth="owl"))),
        ],
    )
    mine = Case("mine", test_samples=pairs(1, 2, 3, truth="dog"))
    assert registry.audit()[-1]["commit"] == 4
    assert mine.load_test_samples() == pairs(1, 2, 3, truth="dog")
    check_indices(
        registry,
        {
            "before": pairs("b0", 2),
            "one": pairs(*theirs),
            "two": pairs("z", *theirs, truth="owl"),
            "mine": pairs(1, 2, 3, truth="dog"),
        },
    )
    named = registry.sql("SELECT count(*) AS n FROM test_samples")[0]["n"]
    assert named == len({"b0", "z", "2", "1", "3", *map(str, theirs)})
    assert len(files(registry)) - staged <= 6, "what was staged in vain is left lying"


def test_parts_that_still_serve_after_a_lost_race_are_not_written_again(registry: Registry, other: Registry) -> None:
    Case("before", test_samples=pairs("b0"))
    before = set(files(registry))
    Interfering(registry, [quietly(other, lambda: Case("theirs", test_samples=pairs("x", "y")))])
    Case("mine", test_samples=pairs(1, "b0", 2))
    assert len(set(files(registry)) - before) == 4
    parts = registry._session.state().rows("file")
    shifted = [row for row in parts if row.fields["details"]["first"] != row.fields["details"]["staged_first"]]  # type: ignore[index,call-overload]
    assert len(shifted) == 2
    check_indices(registry, {"mine": pairs(1, "b0", 2), "theirs": pairs("x", "y")})


def test_a_run_that_lost_a_race_stores_no_sample_twice(registry: Registry, other: Registry) -> None:
    case = Case("a", test_samples=pairs(1, 2, 3))
    suite = Suite("s", test_cases=[case])
    part = quietly(other, lambda: Suite("part", test_cases=[Case("b", test_samples=pairs(2, "x"))]))
    part()
    mine = Net("m", Counting())

    def theirs() -> None:
        with localreg.use(other):
            test(Net("m", Counting()), Suite("part"))

    Interfering(registry, [theirs])
    test(mine, suite)
    rows = registry.sql(
        """SELECT s.locator, i.animal.label AS label FROM "Animals".inferences i
        JOIN "Animals".test_samples s USING (sample_idx) ORDER BY ALL"""
    )
    assert [tuple(row.values()) for row in rows] == [("1", "1"), ("2", "2"), ("3", "3"), ("x", "x")]
    assert [version.version for version in mine.registered.versions()] == ["1"]
    assert len(mine.load_inferences(case)) == 3


def test_another_answer_that_landed_first_is_told_and_ours_are_not_stored(registry: Registry, other: Registry) -> None:
    suite = Suite("s", test_cases=[Case("a", test_samples=pairs(1, 2))])
    mine = Net("m", Counting())

    def theirs() -> None:
        with localreg.use(other):
            answers = [(photo, guess("theirs")) for photo, _ in pairs(1, 2)]
            TestRun(Net("m"), Suite("s")).upload_inferences(answers)

    Interfering(registry, [theirs])
    with pytest.raises(NonDeterministicError, match=r"(?s)sample_idx \d+ \(.*'theirs'.*new version"):
        test(mine, suite)
    assert {row["label"] for row in registry.sql('SELECT animal.label AS label FROM "Animals".inferences')} == {
        "theirs"
    }


def test_a_name_that_another_writer_took_during_a_transaction_is_a_conflict(
    registry: Registry, other: Registry
) -> None:
    Case("known", test_samples=pairs(0))

    def lose() -> None:
        with registry.transaction():
            Suite("s", test_cases=[Case("a", test_samples=pairs(1))])
            with localreg.use(other):
                Case("a", test_samples=pairs(2))

    with pytest.raises(ConflictError, match="another writer made one of its name first"):
        lose()
    assert Case("a").load_test_samples() == pairs(2)
    assert len(registry.sql("FROM test_suites")) == 0


def test_threads_that_upload_the_same_samples_agree(registry: Registry) -> None:
    contents = {f"case {n}": pairs(*range(n, n + 6), truth=f"t{n}") for n in range(8)}
    errors: list[BaseException] = []

    def work(name: str) -> None:
        try:
            Case(name, test_samples=contents[name])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert registry.sql("SELECT count(*) AS n FROM test_samples")[0]["n"] == 13
    check_indices(registry, contents)


def test_a_store_that_fails_while_staging_leaves_the_case_as_it_was(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case("c", test_samples=pairs(1))

    def refuse(path: str) -> Any:
        raise StorageError(f"no space for {path}", code="disk_full")

    with monkeypatch.context() as patch:
        patch.setattr(registry._session.store, "writer", refuse)
        with pytest.raises(StorageError, match="no space"):
            Case("c", test_samples=pairs(1, 2), reset=True)
    assert Case("c") == case
    assert Case("c", test_samples=pairs(1, 2), reset=True).version == 2


# --- which registry ---------------------------------------------------------------------------------------------------


def test_use_lasts_for_a_block_or_for_good_and_blocks_nest(tmp_path: Path) -> None:
    registries = [localreg.open(tmp_path / name) for name in "abc"]
    outer = localreg.use(registries[0])
    with outer:
        Net("m")
        with localreg.use(registries[1]):
            Net("m")
            forgotten = localreg.use(registries[2])
            Net("m")
            forgotten.__exit__(None, None, None)
        Net("n")
    assert [len(registry.models()) for registry in registries] == [2, 1, 1]


def test_use_holds_in_other_threads(registry: Registry) -> None:
    thread = threading.Thread(target=lambda: Net("from a thread"))
    thread.start()
    thread.join()
    assert registry.find_model("from a thread") is not None


def test_without_use_the_registry_is_the_one_that_open_would_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from localreg.session import current

    monkeypatch.setattr(current, "_used", [])
    monkeypatch.setattr(current, "_opened", {})
    monkeypatch.setenv("LOCALREG_URI", str(tmp_path / "named"))
    Net("m")
    assert len(localreg.open().models()) == 1
    monkeypatch.delenv("LOCALREG_URI")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep")
    Net("here")
    monkeypatch.chdir(tmp_path / "deep" / "er")
    Net("below")
    assert [row["name"] for row in localreg.open(tmp_path / "deep" / ".localreg").models()] == ["here", "below"]


def test_a_read_only_registry_can_be_looked_at_in_class_style(registry: Registry, tmp_path: Path) -> None:
    everything("", 1, 2)
    copy = shutil.copytree(registry.uri, tmp_path / "copy")
    for look in (localreg.open(copy, read_only=True), registry.at(commit=registry.commit)):
        with localreg.use(look):
            assert len(Case("case")) == 2
            assert Suite("suite").test_cases == [Case("case", version=1)]
            assert len(Net("model").load_inferences(Case("case"))) == 2
            for change in (
                lambda: Case("new"),
                lambda: Case("case", test_samples=pairs(9), reset=True),
                lambda: Suite("new"),
                lambda: Suite("suite", description="x"),
                lambda: Net("new"),
            ):
                with pytest.raises(ReadOnlyError):
                    change()
    assert len(list(Path(copy).rglob("data/*/*/*.parquet"))) == len(files(registry))


def test_warnings_as_errors_leave_nothing_half_done(registry: Registry) -> None:
    Case("c", test_samples=pairs(1))
    commit = registry.commit
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="ignored"):
            Case("c", test_samples=pairs(2))
    assert registry.commit == commit


def test_a_notebook_cell_that_is_run_again_defines_the_same_workflow(registry: localreg.Registry) -> None:
    def cell() -> tuple[Any, type[Any], type[Any], type[Any]]:
        @dataclass(frozen=True)
        class Text(TestSample):
            text: str

        @dataclass(frozen=True)
        class Kind(GroundTruth):
            label: str

        @dataclass(frozen=True)
        class Said(Inference):
            label: str

        return define_workflow("Texts", Text, Kind, Said), Text, Kind, Said

    (first, case_class, _, _), text, kind, _ = cell()
    case = case_class("c", test_samples=[(text("a"), kind("x"))])
    (second, _, suite_class, model_class), _, _, said = cell()
    assert first == second
    assert hash(first) == hash(second)
    suite = suite_class("s", test_cases=[case])
    test(model_class("m", lambda sample: said("x")), suite)
    assert registry.sql("SELECT count(*) AS n FROM inferences")[0]["n"] == 1
