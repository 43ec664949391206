"""Samples behind a comparison: those that a condition fits, and page by page with all that is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from unittest import mock

import pyarrow as pa
import pytest

import localreg
from localreg import Comparison, InvalidInputError, NotFoundError, Registry
from localreg.compare import Examples
from localreg.compare.listing import SampleList
from localreg.workflow.inferences import Inferences
from tests.reports import compared, segmented

TRUTH = ["cat", "dog", "cow"] * 4
"""The baseline says that all are cats, and the candidate that all but the last are what they are."""


def made(registry: Registry, **asked: Any) -> Comparison:
    said = [*TRUTH[:-1], "cat"]
    scores = [[0.5] * 12, [n / 16 for n in range(12)]]
    given: dict[str, Any] = {"weather": ["fog", "sun"], "metadata": {"iso": 200, "site": {"name": "north"}}}
    return compared(registry, TRUTH, ["cat"] * 12, said, scores=scores, **given, **asked)


def numbers(found: Any) -> list[int]:
    return [row["sample"]["n"] for row in found]


@pytest.mark.parametrize(
    ("outcome", "where", "expected"),
    [
        (None, "sample.weather = 'fog' AND score_b > 0.3", [6, 8, 10]),
        (None, "SAMPLE.n BETWEEN 2 AND 4 or b = 'dog'", [1, 2, 3, 4, 7, 10]),
        ("fixed", "sample.weather.upper() = 'SUN'", [1, 5, 7]),
        ("both_wrong", "sample.n > 0", [11]),
        (None, "outcome = 'both_wrong'", [11]),
        ("broken", "TRUE", []),
        (None, "metadata.iso > 100 AND metadata.site.name LIKE 'n%' AND ground_truth = 'cow'", [2, 5, 8, 11]),
        (None, "metadata.nothing = 1", []),
        (None, "test_case = 'night' AND sample_idx < 9", [1, 3, 5]),
        (None, "\"sample.n % 6\" = '5' OR samples.sample.n = 0", [0, 5, 11]),
        ("fixed", "a <> 'cat' -- nothing", []),
    ],
)
def test_samples_are_those_that_a_condition_fits(
    registry: Registry, outcome: Any, where: str, expected: Sequence[int]
) -> None:
    comparison = made(registry, cases=["day", "night"], by="sample.n % 6")
    found = comparison.samples(outcome, where=where)
    every = comparison.samples(outcome)
    wanted = [row["sample"]["n"] in expected for row in every]
    assert found.arrow() == every.arrow().filter(pa.array(wanted, pa.bool_()))
    assert sorted(numbers(found)) == expected
    shown = comparison.examples(outcome, where=where)
    assert (shown.total, [each.sample["n"] for each in shown.examples]) == (len(expected), numbers(found))


def test_only_columns_that_a_condition_speaks_of_are_read(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    comparison = made(registry)
    whole, read = SampleList._samples, []

    def counted(self: SampleList, indices: Any, **asked: Any) -> Any:
        read.append(len(indices))
        return whole(self, indices, **asked)

    monkeypatch.setattr(SampleList, "_samples", counted)
    assert comparison.examples(where="score_b > 0.3", limit=0).total == 7
    assert sum(read) == 0  # their types are known without any
    assert comparison.examples(where="Sample.n > 10", limit=0).total == 1
    assert sum(read) == 12


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("scoreb > 1", "no column 'scoreb' in samples; did you mean 'score_b'"),
        ("weather = 'fog'", "no column 'weather' in samples.*Columns: test_case, sample_idx, sample, metadata"),
        ("sample.wether = 'fog'", "cannot use where \"sample.wether = 'fog'\".*wether"),
        ("sample.n > 1; DROP TABLE x", "syntax error at or near"),
        ("sample_idx IN (SELECT 1)", "cannot use where"),
        ("score_b >", "it ends too early"),
        (" ", "it is empty"),
        ("sample.weather::INT > 3", "cannot use where.*sample is STRUCT"),
        ("read_text('/etc/passwd') IS NULL", "cannot use where"),
    ],
)
def test_a_condition_that_cannot_be_used_says_why(registry: Registry, where: str, told: str) -> None:
    live = made(registry)
    for comparison in (live, live.save()):
        with pytest.raises(InvalidInputError, match=told):
            comparison.samples(where=where).arrow()
        with pytest.raises(InvalidInputError, match=told):
            comparison.examples("fixed", where=where)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"outcome": "better"}, "outcome is 'better'; it must be one of"),
        ({"where": 1}, "where is 1; write a condition as text"),
        ({"offset": -1}, "offset is below 0"),
        ({"offset": True}, "offset is True"),
        ({"limit": 2.0}, "limit is 2.0"),
    ],
)
def test_pages_are_asked_for_by_what_makes_sense(registry: Registry, given: dict[str, Any], told: str) -> None:
    comparison = made(registry)
    with pytest.raises(InvalidInputError, match=told):
        comparison.examples(**given)
    with pytest.raises(NotFoundError, match="'newest@1' is not compared here"):
        comparison.examples(candidate="newest@1")


def test_pages_of_examples_follow_each_other_in_the_order_of_the_suite(registry: Registry) -> None:
    comparison = made(registry, cases=["day", "night"], by=["sample.weather"])
    every = comparison.examples()
    assert isinstance(every, Examples)
    assert (every.total, len(every.examples)) == (12, 12)
    assert [each.sample["n"] for each in every.examples] == numbers(comparison.samples())
    pages = [comparison.examples(offset=begin, limit=5) for begin in (0, 5, 10, 15, 2**63 - 1)]
    assert [page.total for page in pages] == [12] * 5
    assert [len(page.examples) for page in pages] == [5, 5, 2, 0, 0]
    assert [each for page in pages for each in page.examples] == every.examples
    last = every.examples[-1]
    assert (last.test_case, last.sample["weather"], last.slices) == ("night", "sun", {"sample.weather": "sun"})
    assert last.metadata == '{"iso":200,"site":{"name":"north"}}'
    assert last.shown == {"ground_truth": "cow", "a": "cat", "b": "cat", "score_a": 0.5, "score_b": 11 / 16}
    truth, a, b = last.typed
    assert (truth["label"], a["animal"], b["animal"]["score"]) == ("cow", {"label": "cat", "score": 0.5}, 11 / 16)


def test_each_candidate_has_examples_of_its_own(registry: Registry) -> None:
    comparison = compared(registry, ["x", "y"], ["x", "x"], ["x", "y"], ["y", "y"])
    assert [each.shown["b"] for each in comparison.examples(candidate="newest@1").examples] == ["y", "y"]
    assert comparison.examples("fixed", candidate="newest@1", where="b = 'y'").total == 1


def test_a_saved_comparison_pages_through_what_was_compared(registry: Registry) -> None:
    live = made(registry)
    live.save("kept")
    registry.get_model("old").delete(force=True)
    found = localreg.open(registry.uri).get_comparison("kept")
    where = "sample.weather = 'fog'"
    assert found.samples(where=where).arrow() == live.samples(where=where).arrow()
    assert found.examples("fixed", where=where, offset=1, limit=2) == live.examples(
        "fixed", where=where, offset=1, limit=2
    )


def test_shapes_can_be_asked_for(registry: Registry, tmp_path: Any) -> None:
    comparison = segmented(registry, tmp_path)
    assert comparison.examples(where="len(a) = 0 AND b[1].score > 0.7 AND ground_truth[1].label = '<b>'").total == 1
    assert comparison.examples(where="b[1].score > 0.8").total == 0


def test_a_comparison_that_remembers_reads_its_inferences_once(registry: Registry) -> None:
    comparison = made(registry)
    same = comparison.remembering()
    assert (type(same), same.rows, str(same)) == (type(comparison), comparison.rows, str(comparison))
    expected = [comparison.examples("fixed", offset=n, limit=2) for n in range(3)]
    with mock.patch("localreg.compare.evidence.Inferences", wraps=Inferences) as read:
        assert [same.examples("fixed", offset=n, limit=2) for n in range(3)] == expected
        assert same.examples("fixed", where="sample.n > 3").total < same.examples("fixed").total
    assert read.call_count == 2  # of each model once
    saved = comparison.save("then").remembering()
    assert saved.examples("fixed").total == same.examples("fixed").total


def test_nothing_is_read_for_a_number_of_samples_alone(registry: Registry) -> None:
    found = made(registry).examples("fixed", limit=0)
    assert (found.total, found.examples) == (7, [])
