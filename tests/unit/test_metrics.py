from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from localreg import InvalidInputError, metrics
from localreg.metrics import accuracy_score, mcnemar_exact

counts = st.integers(0, 500_000)


@pytest.mark.parametrize(
    ("fixed", "broken", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (1, 1, 1.0), (2, 0, 0.5), (5, 0, 0.0625), (6, 1, 0.125), (31, 4, 3.46545e-06)],
)
def test_mcnemar_by_hand(fixed: int, broken: int, p: float) -> None:
    assert mcnemar_exact(fixed, broken) == pytest.approx(p, rel=1e-4)


@settings(deadline=None)  # the first call imports scipy
@given(counts, counts)
@example(500, 500)
@example(450, 550)
@example(450, 551)  # the first total beyond whole numbers
@example(0, 1_000_000)
@example(499_000, 501_000)
@example(500_000, 499_999)
def test_mcnemar_is_the_two_sided_binomial_test(fixed: int, broken: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    p = mcnemar_exact(fixed, broken)
    if fixed + broken:
        expected = stats.binomtest(min(fixed, broken), fixed + broken).pvalue
        assert p == pytest.approx(expected, rel=1e-7, abs=1e-300)
    assert 0 <= p <= 1
    assert mcnemar_exact(broken, fixed) == p


@given(st.integers(0, 700), st.integers(0, 700))
def test_mcnemar_falls_as_the_counts_part(few: int, more: int) -> None:
    assert mcnemar_exact(few, few + more + 1) <= mcnemar_exact(few, few + more) * (1 + 1e-8)


def test_mcnemar_takes_numbers_of_numpy_without_overflow() -> None:
    few, many = cast(int, np.int64(3)), cast(int, np.int8(80))
    assert mcnemar_exact(few, many) == mcnemar_exact(3, 80) < 1e-19


@pytest.mark.parametrize(("fixed", "broken"), [(-1, 3), (3, -1), (1.5, 2), ("3", 2), (None, 1)])
def test_mcnemar_refuses_what_is_no_count(fixed: Any, broken: Any) -> None:
    with pytest.raises(InvalidInputError, match="counts are"):
        mcnemar_exact(fixed, broken)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), max_size=30))
def test_accuracy_score_is_that_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    oracle = pytest.importorskip("sklearn.metrics")
    truth, predicted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    if not pairs:
        assert accuracy_score(truth, predicted) is None
        return
    assert accuracy_score(truth, predicted) == pytest.approx(oracle.accuracy_score(truth, predicted), abs=1e-15)


@pytest.mark.parametrize(("truth", "predicted"), [([1, 2], [1]), ([[1]], [[1]]), (1, 1)])
def test_accuracy_score_refuses_columns_that_do_not_pair(truth: Any, predicted: Any) -> None:
    with pytest.raises(InvalidInputError, match="shape"):
        accuracy_score(truth, predicted)


def test_the_metrics_that_the_readme_lists_are_there() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## Metrics by themselves")[2].partition("\n## ")[0]
    listed = re.findall(r"`([a-z0-9_]+)`", section.partition("| for |")[2])
    assert len(listed) > 50
    assert {*listed} <= {*metrics.__all__}
