"""Rules of FORMAT.md that are easy to break, one test each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import localreg
from localreg.errors import FormatError
from localreg.log.entry import Change, Provenance, compose, genesis
from localreg.log.folding import fold
from localreg.log.snapshot import save
from localreg.log.state import State
from localreg.records.files import FilePointer
from localreg.session import Changes
from localreg.storage import MemoryStore
from localreg.workflow import GroundTruth, define_workflow
from tests.compat.independent_reader import Namespace
from tests.pictures import Guess, Picture, TestCase, Truth


@dataclass(frozen=True)
class NoTruth(GroundTruth):
    pass


@dataclass(frozen=True)
class NotedTruth(GroundTruth):
    label: str
    metadata: dict[str, Any]


def pairs(*numbers: int) -> list[tuple[Picture, Truth]]:
    return [(Picture(number), Truth(str(number))) for number in numbers]


def test_cases_of_one_transaction_that_share_new_samples_survive_a_lost_race(tmp_path: Path) -> None:
    registry, rival = (localreg.open(tmp_path / "registry", actor=actor) for actor in ("ana", "bo"))

    def other() -> None:
        with localreg.use(rival):
            TestCase("other", test_samples=pairs(100))

    with localreg.use(registry):
        TestCase("zero", test_samples=pairs(0))
        with registry.transaction():
            TestCase("one", test_samples=pairs(1, 2))
            TestCase("two", test_samples=pairs(2, 3))
            thread = Thread(target=other)
            thread.start()
            thread.join()
        assert TestCase("two").load_test_samples() == pairs(2, 3)
    assert [sample["number"] for sample, _ in Namespace(tmp_path / "registry").ground_truths("two")] == [2, 3]


def test_a_struct_without_fields_is_a_boolean_column(tmp_path: Path) -> None:
    case = define_workflow("unlabelled", Picture, NoTruth, Guess)[1]
    with localreg.use(localreg.open(tmp_path / "registry")):
        made = case("all", test_samples=[(Picture(1), NoTruth())])
        assert made.load_test_samples() == [(Picture(1), NoTruth())]
    rows: list[Any] = [*Namespace(tmp_path / "registry").ground_truths("all")]
    assert rows == [({"number": 1}, True)]


def test_metadata_of_a_ground_truth_is_json_in_a_column_of_its_own(tmp_path: Path) -> None:
    _, case_class, _, _ = define_workflow("noted", Picture, NotedTruth, Guess)
    truths = [(Picture(1), NotedTruth("a", {"by": "ana", "sure": [0.5, None]})), (Picture(2), NotedTruth("b", {}))]
    registry = localreg.open(tmp_path / "registry")
    with localreg.use(registry):
        assert case_class("c", test_samples=truths).load_test_samples() == truths
    rows = registry.sql("SELECT ground_truth.label AS label, metadata FROM ground_truths ORDER BY sample_idx").dicts()
    assert rows == [
        {"label": "a", "metadata": {"by": "ana", "sure": [0.5, None]}},
        {"label": "b", "metadata": None},
    ]


def test_metadata_of_a_ground_truth_stands_in_the_file_as_told(tmp_path: Path) -> None:
    case = define_workflow("noted", Picture, NotedTruth, Guess)[1]
    pair = Picture(1), NotedTruth("a", {"who": "ana"})
    with localreg.use(localreg.open(tmp_path / "registry")):
        assert case("all", test_samples=[pair]).load_test_samples() == [pair]
    namespace = Namespace(tmp_path / "registry")
    owners = [row.id for row in namespace.of("test_case_version")]
    rows = [row for _, row in namespace.part_rows("ground_truths", owners)]
    assert [row["metadata"] for row in rows] == ['{"who":"ana"}']


def test_files_of_one_event_are_in_order_of_path_before_and_behind_a_snapshot() -> None:
    origin = genesis("0" * 32, "default")
    files = tuple(FilePointer(f"data/t/o/{name}.parquet", "t", "o", 1, 1, "0" * 64) for name in "zab")
    change = Change("thing", "create", "o", "o", after={"id": "o", "name": "o"}, files=files)
    entry, _ = compose(origin, [change], Provenance("ana", "host"), "0" * 32, "2026-01-01T00:00:00.000000Z")
    state = fold(State(origin), [entry])
    names = [row.name for row in save(MemoryStore(), origin.digest, state, lambda: state).children("file", "o")]
    assert names == sorted(names)
    assert [row.name for row in state.children("file", "o")] == names


@pytest.mark.parametrize(
    ("needed_by", "reads"),
    [
        ("readers", False),
        ("writers", True),
        (None, False),
        ("all", False),
    ],
)
def test_an_unknown_feature_is_refused(tmp_path: Path, needed_by: str | None, reads: bool) -> None:
    folder = tmp_path / "registry"
    record: dict[str, Any] = {"id": "f", "name": "levelled tags"} | ({"needed_by": needed_by} if needed_by else {})

    def announce(changes: Changes) -> None:
        changes.made.append(Change("feature", "create", "f", "levelled tags", after=record))

    with localreg.open(folder) as registry:
        registry.create_model("m")
        registry._session.change(announce)
    if reads:
        assert localreg.open(folder).get_model("m").name == "m"
        assert list(Namespace(folder).models()) == ["m"]
    else:
        with pytest.raises(AssertionError, match="a newer writer"):
            Namespace(folder)
        with pytest.raises(FormatError, match="levelled tags"):
            localreg.open(folder).get_model("m")
    with pytest.raises(FormatError, match="levelled tags"):
        localreg.open(folder).create_model("n")


@pytest.mark.parametrize(
    ("old", "new", "outcome"),
    [
        ('"format":1', '"format":2', "writes"),
        ('"least_reader":1', '"least_reader":2', "refused"),
        ('"least_writer":1', '"least_writer":2', "reads"),
        ('"commit_mode":"link"', '"commit_mode":"telepathy"', "reads"),
        ('"shared":"umask"', '"shared":"umask","later":true', "writes"),
        ('"shared":"umask"', '"shared":"0640"', "reads"),
    ],
)
def test_what_localreg_json_allows(tmp_path: Path, old: str, new: str, outcome: str) -> None:
    folder = tmp_path / "registry"
    localreg.open(folder).create_model("m")
    file = folder / "localreg.json"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    if outcome == "refused":
        with pytest.raises(FormatError, match="upgrade"):
            localreg.open(folder)
        return
    with localreg.open(folder) as registry:
        assert registry.get_model("m").name == "m"
        assert registry.read_only == (outcome == "reads")
