"""Test suites that are brought into another namespace or registry."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import localreg
from localreg import AccessDeniedError, AlreadyExistsError, NotFoundError, Registry, WorkflowMismatchError
from localreg.copies.suites import copy_suite, find_suite
from localreg.storage import MemoryStore
from localreg.testing import CrashedError, FaultyStore
from localreg.workflow import GroundTruth, Inference, TestSample, Vector, define_workflow, test
from tests.crash.scenarios import open_at
from tests.crash.strikes import Strikes
from tests.pictures import Picture, Truth
from tests.pictures import TestCase as PictureCase
from tests.pictures import TestSuite as PictureSuite


@dataclass(frozen=True)
class Plate(TestSample):
    number: int
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Text(GroundTruth):
    label: str
    boxes: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Reading(Inference):
    label: str


@dataclass(frozen=True)
class Embedded(TestSample):
    name: str
    embedding: Vector[3]


_, Case, Suite, Reader = define_workflow("plates", Plate, Text, Reading)


def made(registry: Registry, count: int = 40) -> None:
    """A suite of two overlapping test cases, at version 2, with descriptions, tags and metadata."""
    with localreg.use(registry):
        rows = [(Plate(n, {"rain": n % 3}), Text(str(n % 5), [n / 2] * (n % 3))) for n in range(count)]
        day = Case("day", test_samples=rows[: count // 2], description="in the sun")
        suite = Suite("reading", test_cases=[day], description="all weather", tags={"gate"})
        night = Case("night", test_samples=rows[count // 4 :])
        with suite.edit() as editor:
            editor.add(night)


def read_but(wrong: int) -> Callable[[Plate], Reading]:
    """A model that misreads each so-manieth plate."""
    return lambda plate: Reading(str(plate.number % 5 if plate.number % wrong else 9))


def judged(registry: Registry) -> list[dict[str, Any]]:
    """What a comparison of two models on the suite comes to."""
    with localreg.use(registry):
        for name, wrong in (("a", 4), ("b", 7)):
            test(Reader(name, read_but(wrong)), Suite("reading"))
    metrics: list[dict[str, Any]] = registry.compare("a", "b", suite="reading").metrics.dicts()
    return metrics


@pytest.fixture
def source(tmp_path: Path) -> Registry:
    registry = localreg.open(tmp_path / "source", actor="ana")
    made(registry)
    return registry


@pytest.fixture
def other(tmp_path: Path) -> Registry:
    return localreg.open(tmp_path / "other", namespace="vision", actor="ben")


def test_a_suite_comes_over_in_one_commit_with_all_that_it_stands_on(source: Registry, other: Registry) -> None:
    report = source.copy_suite("reading", other, message="for the gate")
    assert (report.suite, report.version, report.cases, report.samples, report.changed) == ("reading", 2, 2, 50, True)
    assert other.commit == 1
    mine, theirs = other.get_test_suite("reading"), source.get_test_suite("reading")
    assert (mine.info.description, mine.info.tags) == (theirs.info.description, theirs.info.tags)
    assert other.get_test_case("day").info.description == "in the sun"
    with localreg.use(source):
        there = [(case.name, case.load_test_samples()) for case in Suite("reading").test_cases]
    with localreg.use(other):
        here = [(case.name, case.load_test_samples()) for case in Suite("reading").test_cases]
    assert here == there
    assert here[0][1][4] == (Plate(4, {"rain": 1}), Text("4", [2.0]))
    (event,) = [row for row in other.audit() if row["action"] == "copy"]
    assert event["details"] == {
        "registry": source.id,
        "namespace": "default",
        "commit": source.commit,
        "suite": "reading",
        "version": 2,
    }
    assert (event["kind"], event["name"], event["message"]) == ("test_suite", "reading", "for the gate")
    assert other.verify().ok


def test_a_comparison_says_the_same_on_the_copy(source: Registry, other: Registry) -> None:
    source.copy_suite("reading", other)
    assert judged(other) == judged(source)


def test_it_lands_among_other_samples_of_the_same_workflow(source: Registry, other: Registry) -> None:
    """Their numbers are others there, and those that are known are not stored again."""
    with localreg.use(other):
        Case("own", test_samples=[(Plate(n), Text("x")) for n in range(30, 60)])
    source.copy_suite("reading", other)
    assert other.sql('SELECT count(*) AS n FROM "plates".test_samples').dicts() == [{"n": 60}]
    assert judged(other) == judged(source)
    assert other.verify().ok


def test_a_second_copy_commits_nothing(source: Registry, other: Registry) -> None:
    source.copy_suite("reading", other)
    before = other.commit
    report = source.copy_suite("reading", other)
    assert (report.changed, other.commit) == (False, before)
    assert "is in namespace 'vision'" in str(report)


def test_other_content_is_refused_unless_a_new_version_is_asked_for(source: Registry, other: Registry) -> None:
    source.copy_suite("reading", other)
    with localreg.use(source), Case("day").edit() as editor:
        editor.add(Plate(99), Text("9"))
    with localreg.use(source), Suite("reading").edit() as editor:
        editor.add(Case("day"))
    before = other.commit
    with pytest.raises(AlreadyExistsError, match="test case 'day' is in namespace 'vision' already"):
        source.copy_suite("reading", other)
    assert other.commit == before
    assert other.verify().ok
    source.copy_suite("reading", other, reset=True)
    assert (other.get_test_suite("reading").info.version, other.get_test_case("day").info.version) == (2, 2)
    assert other.get_test_case("night").info.version == 1, "it was the same"


def test_a_suite_of_the_same_name_and_other_cases_is_refused(source: Registry, other: Registry) -> None:
    with localreg.use(other):
        Suite("reading", test_cases=[Case("own", test_samples=[(Plate(1), Text("x"))])])
    with pytest.raises(AlreadyExistsError, match="test suite 'reading'"):
        source.copy_suite("reading", other)
    assert [row["name"] for row in other.test_cases()] == ["own"]


def test_an_earlier_version_is_named(source: Registry, other: Registry) -> None:
    report = source.copy_suite("reading@1", other)
    assert (report.version, report.cases) == (1, 1)
    assert [row["name"] for row in other.test_cases()] == ["day"]
    with pytest.raises(NotFoundError, match="no version '7'; the newest is 2"):
        source.copy_suite("reading@7", other)
    with pytest.raises(NotFoundError, match="did you mean 'reading'"):
        source.copy_suite("readin", other)


def test_a_workflow_of_other_types_is_refused(source: Registry, other: Registry) -> None:
    @dataclass(frozen=True)
    class Plate(TestSample):
        number: str

    _, case, _, _ = define_workflow("plates", Plate, Text, Reading)
    with localreg.use(other):
        case("own", test_samples=[(Plate("1"), Text("x"))])
    before = other.commit
    with pytest.raises(WorkflowMismatchError, match="number"):
        source.copy_suite("reading", other)
    assert other.commit == before


def test_a_workflow_that_is_wider_there_takes_the_rows_of_a_narrower_one(source: Registry, other: Registry) -> None:
    @dataclass(frozen=True)
    class Wide(GroundTruth):
        label: str
        boxes: list[float] = field(default_factory=list)
        note: str | None = None

    _, case, _, _ = define_workflow("plates", Plate, Wide, Reading)
    with localreg.use(other):
        case("own", test_samples=[(Plate(1000), Wide("x", note="n"))])
    source.copy_suite("reading", other)
    with localreg.use(other):
        here = Case("day").load_test_samples()
    with localreg.use(source):
        assert here == Case("day").load_test_samples()


def test_vectors_come_along(source: Registry, other: Registry) -> None:
    _, case, suite, _ = define_workflow("embedded", Embedded, Text, Reading)
    with localreg.use(source):
        rows = [(Embedded("x", np.array([n, 0, 1], np.float32)), Text(str(n))) for n in range(4)]
        suite("vectors", test_cases=[case("vectors", test_samples=rows)])
    source.copy_suite("vectors", other)
    with localreg.use(other):
        loaded = case("vectors").load_test_samples()
    assert [sample.embedding.tolist() for sample, _ in loaded] == [[n, 0, 1] for n in range(4)]
    assert not source.copy_suite("vectors", other).changed


def test_a_dry_run_looks_only_here(source: Registry, tmp_path: Path) -> None:
    report = source.copy_suite("reading", tmp_path / "new", dry_run=True)
    assert str(report) == (
        f"would copy test suite 'reading@2' to namespace 'default' of {tmp_path / 'new'}: 2 test cases, 50 test samples"
    )
    assert not (tmp_path / "new").exists()


def test_a_new_place_becomes_a_registry_of_its_own(source: Registry, tmp_path: Path) -> None:
    source.copy_suite("reading", tmp_path / "new", namespace="gate")
    new = localreg.open(tmp_path / "new", namespace="gate")
    assert new.id != source.id
    assert judged(new) == judged(source)


def test_a_reader_there_may_not(source: Registry, other: Registry) -> None:
    other.create_model("m")
    other.grant("ana", "reader")
    with pytest.raises(AccessDeniedError):
        source.copy_suite("reading", localreg.open(other.uri, namespace="vision", actor="ana"))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_copy_that_is_killed_at_any_storage_call_leaves_all_or_nothing(when: Any) -> None:
    original = Registry(open_at(MemoryStore()))
    with localreg.use(original):
        case = PictureCase("case", test_samples=[(Picture(number), Truth(str(number))) for number in range(3)])
        PictureSuite("suite", test_cases=[case])
    for k in (strikes := Strikes()):
        root = MemoryStore()
        Registry(open_at(root)).create_model("own")
        store = FaultyStore(root, fail_at=k, when=when, then_dead=True)
        with suppress(CrashedError):
            target = open_at(store)
            copy_suite(
                find_suite(original._session, "suite"), target, uri="", namespace="default", reset=False, message=None
            )
        session = open_at(root)
        names = [row.name for row in session.state().rows() if row.kind.startswith("test_")]
        assert sorted(names) in ([], ["1", "1", "case", "suite"]), store.calls[k - 1]
        assert session.verify().ok
        strikes.called(store.calls)
        copy_suite(
            find_suite(original._session, "suite"), session, uri="", namespace="default", reset=False, message=None
        )
        assert session.state().find("test_suite", "suite") is not None
        assert session.verify().ok
    assert k > 10
