from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import localreg
from localreg import InvalidInputError, ReadOnlyError, Registry, WorkflowMismatchError
from localreg.query import strata as strata_module
from localreg.workflow import (
    GroundTruth,
    Inference,
    Metadata,
    ScoredClassificationLabel,
    TestSample,
    TestSuite,
    define_workflow,
    test,
)
from localreg.workflow.stratify import case_name


@dataclass(frozen=True)
class Shot(TestSample):
    locator: str
    iso: int = 100
    size: tuple[float, float] = (0.0, 0.0)
    exposure: float | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Kind(GroundTruth):
    label: str
    weight: float = 1.0


@dataclass(frozen=True)
class Guess(Inference):
    animal: ScoredClassificationLabel


_, Case, Suite, Net = define_workflow("Shots", Shot, Kind, Guess)


def suite_of(*pairs: tuple[Shot, Kind], name: str = "photos") -> TestSuite:
    return Suite(name, test_cases=[Case(f"{name}, all", test_samples=list(pairs), reset=True)], reset=True)


def held(suite: TestSuite) -> dict[str, list[str]]:
    """What the cases of a suite hold, by the end of their names."""
    return {
        case.name.removeprefix(f"{suite.name}: "): [sample.locator for sample, _ in case.load_test_samples()]
        for case in suite.test_cases
    }


def shots(of: Callable[[int], Any], count: int) -> list[tuple[Shot, Kind]]:
    return [(Shot(str(number), **of(number)), Kind("cat" if number % 2 else "dog")) for number in range(count)]


def commits(registry: Registry) -> int:
    return int(registry.sql("SELECT max(commit) AS n FROM audit_events").dicts()[0]["n"])


def test_strata_are_test_cases_with_their_ground_truths_in_one_commit(registry: Registry) -> None:
    weather = ["rain", "sun", None, "fog"]
    suite = suite_of(*shots(lambda n: {"metadata": {"weather": weather[n % 4], "n": n}}, 8))
    before = commits(registry)
    made = suite.stratify(by="metadata.weather")
    assert commits(registry) == before + 1
    assert made.name == "photos by metadata.weather"
    assert held(made) == {"fog": ["3", "7"], "rain": ["0", "4"], "sun": ["1", "5"], "null": ["2", "6"]}
    assert made.test_cases[0].name == "photos by metadata.weather: fog"
    assert made.test_cases[0].load_test_samples()[0] == (
        Shot("3", metadata={"n": 3, "weather": "fog"}),
        Kind("cat"),
    )
    assert made.test_cases[0].sample_indices().tolist() == [3, 7]
    assert len(registry.sql('SELECT * FROM "Shots".test_samples')) == 8, "no sample stands there twice"
    assert registry.verify().ok


def test_the_same_again_changes_nothing_and_only_what_changed_has_a_new_version(registry: Registry) -> None:
    pairs = shots(lambda n: {"metadata": {"weather": ["rain", "sun"][n % 2]}, "exposure": math.nan}, 4)
    suite = suite_of(*pairs)
    made = suite.stratify(by="metadata.weather")
    before = commits(registry)
    assert suite.stratify(by="metadata.weather") == made
    assert commits(registry) == before
    grown = suite_of(*pairs, (Shot("late", metadata={"weather": "sun"}), Kind("cat")))
    again = grown.stratify(by="metadata.weather")
    assert [(case.name[-4:], case.version) for case in again.test_cases] == [("rain", 1), (" sun", 2)]
    assert (made.version, again.version) == (1, 2)
    assert held(made)["sun"] == ["1", "3"]
    assert held(again)["sun"] == ["1", "3", "late"]


def test_many_numbers_are_cut_into_bins_of_about_equally_many_samples(registry: Registry) -> None:
    pairs = shots(lambda n: {"iso": 100 * (n + 1), "exposure": None if n == 0 else n / 8}, 8)
    everything = Case("c", test_samples=pairs)
    # Those that stand in a second case do not count twice.
    suite = Suite("photos", test_cases=[everything, Case("d", test_samples=pairs[:4])])
    assert held(suite.stratify("iso")) == {
        "iso ≤ 200": ["0", "1"],
        "200 < iso ≤ 400": ["2", "3"],
        "400 < iso ≤ 600": ["4", "5"],
        "iso > 600": ["6", "7"],
    }
    assert list(held(suite.stratify("exposure * 2", bins=2, name="twice"))) == [
        "(exposure * 2) ≤ 1",
        "(exposure * 2) > 1",
        "null",
    ]
    assert list(held(suite.stratify("iso", bins=8, name="each"))) == [str(100 * (n + 1)) for n in range(8)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0] * 6 + [1, 2, 3], ["n ≤ 0", "n > 0"]),
        ([5] * 8 + [4, 3, 1], ["n ≤ 4", "n > 4"]),
        ([0.5, 0.25, 0.5, None], ["0.25", "0.5", "null"]),
        ([0.1, 1e300, -2, 7, None], ["n ≤ 0.1", "0.1 < n ≤ 7", "n > 7", "null"]),
        ([0.1 + 0.2, 0.7, 0.1 * 3], ["0.3", "0.7"]),
        ([0.1 + 0.2, 0.3], ["0.3", "0.30000000000000004"]),
        ([0.1, 0.1 + 0.2, 0.4, 0.5], ["n ≤ 0.3", "0.3 < n ≤ 0.4", "n > 0.4"]),
        ([0.43708610696, 0.1, 0.4371102, 9.5e-7 / 7], ["n ≤ 0.1", "0.1 < n ≤ 0.4371", "n > 0.4371"]),
        ([-0.43708610696, -0.4370, -1.5, 3], ["n ≤ -0.43708", "-0.43708 < n ≤ -0.437", "n > -0.437"]),
        ([1 / 3, 1 / 3 + 1e-12, 1, 0.1], ["n ≤ 0.333333333333333", "0.333333333333333 < n ≤ 0.4", "n > 0.4"]),
        ([2**60, 2**60 + 1], ["1152921504606846976", "1152921504606846977"]),
        ([True, False, True], ["false", "true"]),
        (["b", "a", "", " a", "null", '"', None], ['""', '" a"', '"\\""', "a", "b", '"null"', "null"]),
        (["x" * 5000], None),
        ([None, None], ["null"]),
    ],
)
def test_values_have_readable_names_in_order(registry: Registry, values: list[Any], expected: list[str] | None) -> None:
    made = suite_of(*shots(lambda n: {"metadata": {"n": values[n]}}, len(values))).stratify("metadata.n", bins=3)
    if expected is None:
        (name,) = [case.name for case in made.test_cases]
        assert len(name) == 200
    else:
        assert list(held(made)) == expected
    assert sum(map(len, held(made).values())) == len(values)


def test_nan_is_a_stratum_of_its_own_and_minus_zero_is_zero(registry: Registry) -> None:
    values = [math.nan, -0.0, 0.0, None, math.inf]
    suite = suite_of(*shots(lambda n: {"exposure": values[n]}, 5))
    assert held(suite.stratify("exposure")) == {"0": ["1", "2"], "inf": ["4"], "NaN": ["0"], "null": ["3"]}


def test_ground_truths_cases_and_computed_values_make_strata(registry: Registry) -> None:
    pairs = shots(lambda n: {"iso": n}, 4)
    suite = Suite("s", test_cases=[Case("a", test_samples=pairs[:3]), Case("b", test_samples=pairs[2:])])
    assert held(suite.stratify("ground_truth.label")) == {"cat": ["1", "3"], "dog": ["0", "2"]}
    assert held(suite.stratify("test_case")) == {"a": ["0", "1", "2"], "b": ["2", "3"]}
    assert held(suite.stratify("iso >= 2 AND test_case = 'b'")) == {"false": ["0", "1", "2"], "true": ["2", "3"]}
    assert held(suite.stratify("sample.locator || '!'", name="n")) == {f"{n}!": [str(n)] for n in range(4)}
    assert held(suite.stratify('size."_1"', name="m")) == {"0": ["0", "1", "2", "3"]}


def test_a_sample_with_two_ground_truths_is_refused_with_its_name(registry: Registry) -> None:
    one, other = (Shot("same"), Kind("cat")), (Shot("same"), Kind("dog"))
    suite = Suite("s", test_cases=[Case("a", test_samples=[one]), Case("b", test_samples=[other])])
    before = commits(registry)
    with pytest.raises(InvalidInputError, match=r"'same'.* has different ground truths in two test cases"):
        suite.stratify("iso")
    assert commits(registry) == before
    nan = (Shot("nan"), Kind("cat", math.nan))
    twice = Suite("t", test_cases=[Case("c", test_samples=[nan]), Case("d", test_samples=[nan])])
    assert held(twice.stratify("iso")) == {"100": ["nan"]}


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("isso", "no column 'isso' in samples; did you mean 'iso'"),
        ("weather", r"did you mean metadata\.weather"),
        ("ground_truth.labl", "no field 'labl'; did you mean 'label'"),
        ("ground_truth.qqqqqq", "no field 'qqqqqq'; there are .*label"),
        ("size", "it gives STRUCT.*; strata are of texts"),
        ("[iso]", r"it gives INTEGER\[\]|it gives BIGINT\[\]"),
        ("metadata", "it gives a JSON list or object"),
        ("metadata.mixed", "of several types .*metadata.mixed::VARCHAR"),
        ("(SELECT 1)", "it holds a subquery"),
        ("read_text('/etc/passwd')", "gives rows, not a value|not taken"),
        ("iso; DROP TABLE x", "more than one expression|another statement|syntax error"),
        ("count(*)", "over many rows"),
        ("1", "a constant is the same"),
        ("", "it is empty"),
        ("iso DESC", "more than one expression"),
        ("iso / ", "ends too early|no function"),
        ("error('x')", "cannot use by"),
    ],
)
def test_what_makes_no_strata_is_refused_with_the_next_step(registry: Registry, by: str, message: str) -> None:
    suite = suite_of(*shots(lambda n: {"metadata": {"weather": "sun", "mixed": [1, "a"][n]}}, 2))
    before = commits(registry)
    with pytest.raises(InvalidInputError, match=message):
        suite.stratify(by)
    assert commits(registry) == before


def test_wrong_arguments_empty_suites_and_names_that_are_taken_are_refused(registry: Registry) -> None:
    suite = suite_of(*shots(lambda n: {}, 2))
    for bins in (1, 0, -1, 2.5, "4", True):
        with pytest.raises(InvalidInputError, match="bins is"):
            suite.stratify("iso", bins=bins)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="would take its own place"):
        suite.stratify("iso", name="photos")
    with pytest.raises(InvalidInputError, match="holds no test samples"):
        Suite("empty").stratify("iso")
    with pytest.raises(InvalidInputError, match="cannot use by"):
        suite.stratify(5)  # type: ignore[arg-type]
    _, other, _, _ = define_workflow("Others", Shot, Kind, Guess)
    other("x: 100")
    before = commits(registry)
    with pytest.raises(WorkflowMismatchError, match="belongs to workflow 'Others'"):
        suite.stratify("iso", name="x")
    assert commits(registry) == before
    with localreg.use(registry.at(commit=before)), pytest.raises(ReadOnlyError):
        Suite.load("photos").stratify("iso")


def test_too_many_strata_are_refused(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strata_module, "MOST", 3)
    suite = suite_of(*shots(lambda n: {}, 4))
    with pytest.raises(InvalidInputError, match=r"it has 4 different values.*left\("):
        suite.stratify("locator")
    assert len(suite.stratify("left(locator, 0) || 'x'").test_cases) == 1


def test_names_of_test_cases_are_short_and_differ() -> None:
    assert case_name("s", "a") == "s: a"
    one, other = case_name("s", "x" * 300 + "a"), case_name("s", "x" * 300 + "b")
    assert len(one) == len(other) == 200
    assert one != other
    assert one == case_name("s", "x" * 300 + "a")


def test_strata_made_in_a_transaction_that_lost_a_race_hold_the_right_samples(
    registry: Registry, other: Registry
) -> None:
    def theirs() -> None:
        with localreg.use(other):
            Case("theirs", test_samples=shots(lambda n: {"iso": 1}, 3))

    with registry.transaction():
        mine = [(Shot(f"mine {n}", iso=n), Kind("cat")) for n in range(4)]
        suite = suite_of(*mine)
        made = suite.stratify("iso > 1")
        theirs()
    assert held(made) == {"false": ["mine 0", "mine 1"], "true": ["mine 2", "mine 3"]}
    rows = registry.sql(
        """SELECT g.test_case, list(s.locator ORDER BY s.locator) AS names FROM "Shots".ground_truths g
        JOIN "Shots".test_samples s USING (sample_idx) WHERE g.test_case LIKE '%true' GROUP BY ALL"""
    ).dicts()
    assert rows == [{"test_case": "photos by iso > 1: true", "names": ["mine 2", "mine 3"]}]
    assert registry.verify().ok


def test_a_model_that_ran_on_the_suite_is_not_run_again_on_its_strata(registry: Registry) -> None:
    asked = []

    def infer(shot: Shot) -> Guess:
        asked.append(shot.locator)
        return Guess(ScoredClassificationLabel("cat", 0.5))

    suite = suite_of(*shots(lambda n: {"iso": n}, 4))
    test(Net("m", infer), suite)
    test(Net("m", infer), suite.stratify("iso > 1"))
    assert asked == ["0", "1", "2", "3"]


def test_strata_hold_each_row_once_whatever_the_numbers() -> None:
    generator = np.random.default_rng(5)
    for bins in (2, 3, 7):
        for values in (generator.integers(0, 12, 200), generator.normal(size=200).round(1), np.zeros(200)):
            made = strata_module._of_numbers(pa.array(values), "n", bins, np.ones(200, bool))
            assert sorted(np.concatenate([each.rows for each in made]).tolist()) == list(range(200))
            assert len({each.name for each in made}) == len(made) <= bins
            tops = [values[each.rows].max() for each in made]
            assert tops == sorted(tops)
