"""Who leads on which suite, and who cannot be told from the leader."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
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


@dataclass(frozen=True)
class Same(GroundTruth):
    genuine: bool


@dataclass(frozen=True)
class Alike(Inference):
    similarity: float


_, Case, Suite, Net = define_workflow("Shots", Shot, Animal, Guess)
_, SizeCase, SizeSuite, SizeNet = define_workflow("Sizes", Shot, Size, Guessed)


def record(name: str, right: int, asked: int, of: int = 200) -> None:
    """A model that is right on so many of the shots that it was asked, the first ones."""
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
    SizeSuite("s", test_cases=[SizeCase("c", test_samples=[(Shot(n), Size(float(n))) for n in range(40)])])
    for name, off in (("near", 0.1), ("far", 2.0)):
        rows = [{"n": n, "value": n + off * (-1) ** n} for n in range(40)]
        SizeNet(name).record(pa.Table.from_pylist(rows), on="n")
    board = registry.leaderboard("far", "near", suites=["s"], metric="mean_absolute_error")
    assert told(board, "rank", "model", "verdict") == [(1, "near@1", "leads"), (2, "far@1", "regressed")]


def test_one_model_has_nobody_to_lead(shots: Registry) -> None:
    (row,) = shots.leaderboard("a", suites=["all"])
    assert (row["model"], row["reason"]) == ("a@1", "no other model has inferences on this test suite")
    assert (row["rank"], row["metric"], row["value"], row["n"], row["missing"]) == (None, "accuracy", 0.5, 200, 0)
    alone = shots.leaderboard("d", "e", suites=["all"])
    assert told(alone, "model", "value", "missing") == [("d@1", 0.5, 100), ("e@1", None, 200)]
    assert told(shots.leaderboard("d", suites="all", strict=False), "value", "n", "missing") == [(1.0, 100, 100)]


def test_samples_without_an_inference_are_counted_beside_the_model(shots: Registry) -> None:
    board = shots.leaderboard("a", "c", "d", "e", suites=["all"])
    assert told(board, "model", "missing") == [("c@1", 0), ("a@1", 0), ("d@1", 100), ("e@1", 200)]


def test_nobody_leads_where_nothing_can_be_measured(registry: Registry) -> None:
    _, case, suite, net = define_workflow("Pairs", Shot, Same, Alike)
    suite("pairs", test_cases=[case("pairs", test_samples=[(Shot(n), Same(n % 3 == 0)) for n in range(60)])])
    for name, noise in (("lda", 3), ("pca", 5)):
        net(name).record(
            pa.Table.from_pylist([{"n": n, "similarity": (n % 3 == 0) + n % noise / 4} for n in range(60)]), on="n"
        )
    board = registry.leaderboard("lda", "pca", suites="pairs", fmr=1e-5)
    for row in board:
        assert (row["rank"], row["value"], row["verdict"]) == (None, None, None)
        assert row["reason"].startswith("an FMR of 1e-05 cannot be measured with 40 impostor pairs")
    (one,) = registry.leaderboard("lda", suites="pairs", fmr=1e-5)
    assert one["reason"].startswith("an FMR of 1e-05 cannot be measured")
    leading, behind = registry.leaderboard("lda", "pca", suites="pairs", fmr=0.1)
    assert (leading["verdict"], leading["rank"]) == ("leads", 1)
    assert f"({leading['model']})" in behind["reason"], "the models by their names"
    assert f"({behind['model']})" in behind["reason"]
    fixed = registry.leaderboard("lda", "pca", suites="pairs", metric="fnmr", score_threshold=0.75).dicts()
    for row in fixed:
        assert (
            row["value"]
            == registry.measure(row["model"], suite="pairs", metrics=["fnmr"], score_threshold=0.75).row().value
        )


@pytest.mark.parametrize("metric", ["f1", "precision"])
def test_a_metric_of_single_classes_ranks_by_its_average(shots: Registry, metric: str) -> None:
    for models in (["a", "b"], ["a"]):
        by = [shots.leaderboard(*models, suites=["all"], metric=each).dicts() for each in (metric, f"{metric}_macro")]
        assert by[0] == by[1]
        assert by[0][0]["metric"] == f"{metric}_macro"


def test_a_metric_without_a_better_side_ranks_nobody(registry: Registry) -> None:
    SizeSuite("s", test_cases=[SizeCase("c", test_samples=[(Shot(n), Size(float(n))) for n in range(40)])])
    for name in ("near", "far"):
        SizeNet(name).record(pa.Table.from_pylist([{"n": n, "value": n + len(name)} for n in range(40)]), on="n")
    for models in (["near", "far"], ["near"]):
        with pytest.raises(InvalidInputError, match="neither more nor less of 'mean_bias' is better"):
            registry.leaderboard(*models, suites="s", metric="mean_bias")


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


def test_models_of_several_workflows_are_ranked_on_suites_of_their_own(shots: Registry) -> None:
    SizeSuite("sizes", test_cases=[SizeCase("sizes", test_samples=[(Shot(n), Size(float(n))) for n in range(40)])])
    for name, off in (("near", 1.0), ("far", 3.0)):
        rows = [{"n": n, "value": n + off + n % 2} for n in range(40)]
        SizeNet(name).record(pa.Table.from_pylist(rows), on="n")
    board = shots.leaderboard("far", "a", "near", "b", suites=["all", "sizes"]).dicts()
    ranked = [(row["test_suite"], row["model"]) for row in board if row["rank"]]
    assert ranked[2:] == [("sizes", "near@1"), ("sizes", "far@1")]
    assert {model for suite, model in ranked[:2] if suite == "all"} == {"a@1", "b@1"}
    others = [(row["test_suite"], row["model"]) for row in board if not row["rank"]]
    assert others == [("all", "far@1"), ("all", "near@1"), ("sizes", "a@1"), ("sizes", "b@1")]
    assert {row["reason"] for row in board if not row["rank"]} == {
        "it belongs to another workflow than this test suite"
    }


def test_a_suite_of_another_workflow_is_refused(shots: Registry) -> None:
    SizeSuite("sizes", test_cases=[SizeCase("sizes", test_samples=[(Shot(n), Size(1.0)) for n in range(3)])])
    with pytest.raises(WorkflowMismatchError, match="'a@1' belongs to another workflow than test suite 'sizes'"):
        shots.leaderboard("a", "b", suites="sizes")
    board = shots.leaderboard("a", "b", suites=["all", "sizes"]).dicts()
    assert [(row["test_suite"], row["rank"] is None) for row in board] == [
        ("all", False),
        ("all", False),
        ("sizes", True),
        ("sizes", True),
    ]
