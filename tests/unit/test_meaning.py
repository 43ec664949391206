"""What metrics of an evaluator say of themselves, and what a comparison makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from localreg import InvalidInputError, Registry
from localreg.workflow import (
    EvaluationResults,
    GroundTruth,
    Inference,
    MetricsTestCase,
    MetricsTestSample,
    MetricsTestSuite,
    TestSample,
    define_workflow,
    test,
)
from localreg.workflow.meaning import Meaning, Ratio, declared, meaning


@dataclass(frozen=True)
class Page(TestSample):
    n: int


@dataclass(frozen=True)
class Length(GroundTruth):
    words: int


@dataclass(frozen=True)
class Read(Inference):
    errors: int


@dataclass(frozen=True)
class Timing:
    seconds: float = field(metadata=meaning(better="lower"))


@dataclass(frozen=True)
class OfPage(MetricsTestSample):
    failed: bool = field(metadata=meaning(better="lower"))
    errors: int = field(metadata=meaning(aside=True))
    words: int = field(metadata=meaning(aside=True))
    timing: Timing
    other: float = 0.0


@dataclass(frozen=True)
class OfWord(MetricsTestCase):
    word: str
    misses: int = field(metadata=meaning(better="lower"))
    parts: list[OfWord] = field(default_factory=list)


@dataclass(frozen=True)
class OfCase(MetricsTestCase):
    by_word: list[OfWord]
    error_rate: float = field(metadata=meaning(better="lower", ratio=Ratio(of={"errors": 1}, to={"words": 1})))
    seconds: float = field(metadata=meaning(mean_of="timing.seconds", better="lower"))
    broken: float | None = field(default=None, metadata=meaning(ratio=Ratio(of={"gone": 1}, to={"words": 1})))


@dataclass(frozen=True)
class OfSuite(OfCase, MetricsTestSuite):
    pass


_, Case, Suite, Net = define_workflow("Reading", Page, Length, Read)


def reading(samples: Any, truths: Any, inferences: Any, cases: Any) -> EvaluationResults:
    metrics = [
        OfPage(said.errors > 5, said.errors, truth.words, Timing(said.errors / 2), 1.0 * said.errors)
        for truth, said in zip(truths, inferences, strict=True)
    ]

    def of_all(cls: type[Any], own: list[OfPage]) -> Any:
        errors = sum(each.errors for each in own)
        return cls([OfWord("w", errors)], errors / sum(each.words for each in own), 0.0, 1.0)

    of_cases = [(case, of_all(OfCase, own)) for case, *_, own in cases.iter(samples, truths, inferences, metrics)]
    return EvaluationResults(list(zip(samples, metrics, strict=True)), of_cases, (), of_all(OfSuite, metrics))


@pytest.fixture
def compared(registry: Registry) -> Registry:
    suite = Suite("s", test_cases=[Case("c", test_samples=[(Page(n), Length(20 + n)) for n in range(30)])])
    test(Net("a", lambda page: Read(5 + page.n % 5)), suite, reading)
    test(Net("b", lambda page: Read(page.n % 7)), suite, reading)
    return registry


def test_directions_are_those_that_metrics_declare(compared: Registry) -> None:
    found = compared.compare("a", "b", suite="s", evaluator="reading")
    verdicts = {row.metric: row.verdict for row in found.rows if row.test_case is None}
    assert verdicts == {
        "failed": "improved",
        "timing.seconds": "improved",
        "other": "different",
        "error_rate": "improved",
        "misses": "inconclusive",
        "broken": "inconclusive",
    }
    assert found.row("failed").fixed == len(found.fixed) > 0
    assert all(5 + row["sample"]["n"] % 5 > 5 >= row["sample"]["n"] % 7 for row in found.fixed)
    assert found.to_dict()["lower_is_better"] == ["error_rate", "failed", "misses", "timing.seconds"]


def test_ratios_are_made_of_the_samples_and_means_stand_for_them(compared: Registry) -> None:
    named = ["error_rate", "seconds", "errors", "broken"]
    found = compared.compare("a", "b", suite="s", evaluator="reading", by="n < 10", metrics=named)
    words = sum(20 + n for n in range(30))
    assert found.row("error_rate").b == pytest.approx(sum(n % 7 for n in range(30)) / words)
    (some,) = (row for row in found.rows if (row.metric, row.slice) == ("error_rate", "true"))
    assert some.a == pytest.approx(sum(5 + n % 5 for n in range(10)) / sum(20 + n for n in range(10)))
    assert found.row("seconds").a == pytest.approx(sum((5 + n % 5) / 2 for n in range(30)) / 30)
    assert found.row("broken").reason is not None, "what it is made of is not there, so it is told as it was said"
    assert (found.row("broken").a, found.row("broken").low) == (1.0, None)


def test_metrics_are_declared_within_others_too() -> None:
    lower = Meaning(better="lower")
    assert {".".join(path): each for path, each in declared(OfPage).items()} == {
        "failed": lower,
        "errors": Meaning(aside=True),
        "words": Meaning(aside=True),
        "timing.seconds": lower,
    }
    assert declared(OfCase)["by_word", "misses"] == lower


def test_what_is_declared_survives_being_stored() -> None:
    for each in (
        Meaning(),
        Meaning("higher", True, "x"),
        Meaning(ratio=Ratio(of={"a": 2}, to={"b": 1, "c": 0.5}, most=1)),
    ):
        assert Meaning.from_json(each.to_json()) == each
    assert Meaning().to_json() == {}
    assert Meaning.from_json({"better": "lower", "since": "a later version"}) == Meaning("lower")


def test_what_means_nothing_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="better is 'up'; it must be 'higher' or 'lower'"):
        meaning(better="up")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match=r"to is {}; name metrics of samples"):
        Ratio(of={"a": 1}, to={})
    with pytest.raises(InvalidInputError, match=r"of is {'a': nan}"):
        Ratio(of={"a": float("nan")}, to={"b": 1})
