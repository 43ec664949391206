"""Who leads on which suite, and who cannot be told from the leader."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest

from localreg import InvalidInputError, NotFoundError, Registry, WorkflowMismatchError
from localreg.workflow import GroundTruth, Inference, ScoredLabel, TestSample, define_workflow


@dataclass(frozen=True)
class Shot(TestSample):
    n: int


@dataclass(frozen=True)
class Animal(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    label: ScoredLabel


@dataclass(frozen=True)
class Size(GroundTruth):
    value: float


@dataclass(frozen=True)
class Guessed(Inference):
    value: float


_, Case, Suite, Net = define_workflow("Shots", Shot, Animal, Guess)
_, SizeCase, SizeSuite, SizeNet = define_workflow("Sizes", Shot, Size, Guessed)


def record(name: str, right: int, asked: int, of: int = 200) -> None:
    """A model that is right on so many of the shots that it was asked, the first ones."""
    import pyarrow as pa

    rows = [{"n": n, "label": {"label": "x" if n < right else "y", "score": 0.5}} for n in range(min(asked, of))]
    Net(name).record(pa.Table.from_pylist(rows), on="n")


@pytest.fixture
def shots(registry: Registry) -> Registry:
    """Two suites; "c" is best, "b" close behind, "a" far, "d" was asked half of it, "e" nothing."""
    Suite("all", test_cases=[Case("all", test_samples=[(Shot(n), Animal("x")) for n in range(200)])])
    Suite("few", test_cases=[Case("few", test_samples=[(Shot(n), Animal("x")) for n in range(150, 200)])])
    for name, right, asked in (("a", 100, 200), ("b", 178, 200), ("c", 180, 200), ("d", 100, 100)):
        record(name, right, asked)
    Net("e", lambda _: None)
    registry.get_model("e").create_version("1")
    return registry


def told(rows: Any, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def test_models_stand_in_order_with_what_parts_them_from_the_leader(shots: Registry) -> None:
    board = shots.leaderboard("a", "b", "c", "d", "e", suites=["all", "few"])
    assert told(board, "test_suite", "rank", "model", "value", "n", "verdict") == [
        ("all", 1, "c@1", 0.9, 200, "leads"),
        ("all", 2, "b@1", 0.89, 200, "inconclusive"),
        ("all", 3, "a@1", 0.5, 200, "regressed"),
        ("all", 3, "d@1", 0.5, 200, "regressed"),
        ("all", None, "e@1", None, None, None),
        ("few", 1, "c@1", 0.6, 50, "leads"),
        ("few", 2, "b@1", 0.56, 50, "inconclusive"),
        ("few", 3, "a@1", 0.0, 50, "regressed"),
        ("few", None, "d@1", None, None, None),
        ("few", None, "e@1", None, None, None),
    ]
    rows = board.dicts()
    assert rows[4]["reason"] == "it has no inferences on this test suite"
    direct = shots.compare("c", "b", "a", "d", suite="all", metrics=["accuracy"], strict=True)
    names = ("difference", "low", "high", "p_adjusted")
    whole = [row for row in direct.rows if row.test_case is None]
    assert told(rows[1:4], *names) == [tuple(getattr(row, name) for name in names) for row in whole]


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_models_does_not_matter(shots: Registry, seed: int) -> None:
    models = ["a", "b", "c", "d", "e"]
    expected = shots.leaderboard(*models, suites=["all"]).dicts()
    random.Random(seed).shuffle(models)
    found = shots.leaderboard(*models, suites="all").dicts()
    assert sorted(found, key=lambda row: (row["rank"] or 9, row["model"])) == expected


def test_what_is_left_out_instead_of_wrong(shots: Registry) -> None:
    board = shots.leaderboard("d", "c", suites=["all"], strict=False)
    assert told(board, "model", "rank", "value", "n", "verdict") == [
        ("d@1", 1, 1.0, 100, "leads"),
        ("c@1", 1, 1.0, 100, "equal"),
    ]


def test_less_of_an_error_leads(registry: Registry) -> None:
    import pyarrow as pa

    SizeSuite("s", test_cases=[SizeCase("c", test_samples=[(Shot(n), Size(float(n))) for n in range(40)])])
    for name, off in (("near", 0.1), ("far", 2.0)):
        rows = [{"n": n, "value": n + off * (-1) ** n} for n in range(40)]
        SizeNet(name).record(pa.Table.from_pylist(rows), on="n")
    board = registry.leaderboard("far", "near", suites=["s"], metric="mean_absolute_error")
    assert told(board, "rank", "model", "verdict") == [(1, "near@1", "leads"), (2, "far@1", "regressed")]


def test_one_model_has_nobody_to_lead(shots: Registry) -> None:
    (row,) = shots.leaderboard("a", suites=["all"])
    assert (row["model"], row["reason"]) == ("a@1", "no other model has inferences on this test suite")


def test_what_cannot_be_ranked_is_refused(shots: Registry) -> None:
    with pytest.raises(InvalidInputError, match="name at least one of each"):
        shots.leaderboard(suites=["all"])
    with pytest.raises(InvalidInputError, match="name at least one of each"):
        shots.leaderboard("a", suites=[])
    with pytest.raises(InvalidInputError, match="'b@1' is named twice"):
        shots.leaderboard("a", "b", "b", suites=["all"])
    with pytest.raises(InvalidInputError, match="'b@1' is named twice"):
        shots.compare("a", "b", "b@1", suite="all")
    with pytest.raises(NotFoundError, match="no test suite 'al'"):
        shots.leaderboard("a", "b", suites=["al"])
    with pytest.raises(InvalidInputError, match="'acuracy' is no metric"):
        shots.leaderboard("a", "b", suites=["all"], metric="acuracy")


def test_a_suite_of_another_workflow_is_refused(shots: Registry) -> None:
    SizeSuite("sizes", test_cases=[SizeCase("sizes", test_samples=[(Shot(n), Size(1.0)) for n in range(3)])])
    with pytest.raises(WorkflowMismatchError, match="'a@1' belongs to another workflow than test suite 'sizes'"):
        shots.leaderboard("a", "b", suites=["all", "sizes"])
