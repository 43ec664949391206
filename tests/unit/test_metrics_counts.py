from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from math import nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localreg import InvalidInputError, metrics
from localreg.metrics import accuracy, f1_score, fpr, precision, recall, specificity

counts = st.integers(0, 10**9) | st.floats(0, 1e9)
RATIOS: list[tuple[Callable[..., float], list[str]]] = [
    (accuracy, ["true_positives", "false_positives", "false_negatives", "true_negatives"]),
    (precision, ["true_positives", "false_positives"]),
    (recall, ["true_positives", "false_negatives"]),
    (f1_score, ["true_positives", "false_positives", "false_negatives"]),
    (fpr, ["true_negatives", "false_positives"]),
    (specificity, ["true_negatives", "false_positives"]),
]
EACH = pytest.mark.parametrize(("ratio", "names"), RATIOS)
EACH_COUNT = pytest.mark.parametrize(
    ("ratio", "names", "name"), [(ratio, names, name) for ratio, names in RATIOS for name in names]
)


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (accuracy(50, 10, 5, 35), 0.85),
        (precision(6, 2), 0.75),
        (recall(6, 4), 0.6),
        (f1_score(6, 2, 4), 2 / 3),
        (fpr(9, 3), 0.25),
        (specificity(9, 3), 0.75),
        (precision(0, 3), 0.0),
        (precision(3, 0), 1.0),
        (fpr(0, 3), 1.0),
        (specificity(0, 3), 0.0),
        (precision(0.5, 1.5), 0.25),
    ],
)
def test_ratios_by_hand(got: float, expected: float) -> None:
    assert got == pytest.approx(expected, abs=1e-15)


def test_scripts_for_workflows_find_them_there() -> None:
    import localreg.workflow
    from localreg.workflow import metrics as there

    assert localreg.workflow.metrics is there
    assert {name: getattr(there, name) for name in there.__all__}.items() <= vars(metrics).items()


@EACH
def test_ratios_take_the_counts_by_name_and_in_the_order_of_the_original(
    ratio: Callable[..., float], names: list[str]
) -> None:
    values = [3, 5, 7, 11][: len(names)]
    assert ratio(**dict(zip(names, values, strict=True))) == ratio(*values)


@EACH
def test_nothing_counted_gives_zero(ratio: Callable[..., float], names: list[str]) -> None:
    got = ratio(*[0] * len(names))
    assert got == 0.0
    assert type(got) is float


@EACH_COUNT
def test_a_nan_anywhere_gives_zero(ratio: Callable[..., float], names: list[str], name: str) -> None:
    assert ratio(**dict.fromkeys(names, 3) | {name: nan}) == 0.0


@EACH_COUNT
@pytest.mark.parametrize("value", [-1, -0.5, float("inf"), "3", b"3", None, [3], np.array([3, 4]), 10**400, 1j])
def test_what_is_no_count_is_refused_by_name(
    ratio: Callable[..., float], names: list[str], name: str, value: Any
) -> None:
    with pytest.raises(InvalidInputError, match=f"^{name} is .*0 or more"):
        ratio(**dict.fromkeys(names, 3) | {name: value})


@EACH
def test_counts_whose_sum_no_float_holds_are_refused(ratio: Callable[..., float], names: list[str]) -> None:
    with pytest.raises(InvalidInputError, match="too large"):
        ratio(*[1.7e308] * len(names))


@EACH
@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.float16, Decimal, Fraction])
def test_other_kinds_of_numbers_neither_overflow_nor_change_the_result(
    ratio: Callable[..., float], names: list[str], kind: Callable[[int], Any]
) -> None:
    values = [120, 100, 90, 80][: len(names)]
    assert ratio(*map(kind, values)) == ratio(*values)


@given(counts, counts, counts)
def test_f1_is_the_harmonic_mean_of_precision_and_recall(tp: float, fp: float, fn: float) -> None:
    p, r = precision(tp, fp), recall(tp, fn)
    assert f1_score(tp, fp, fn) == pytest.approx(2 * p * r / (p + r) if p + r else 0.0, rel=1e-12)


@given(counts, counts)
def test_specificity_and_fpr_add_up_to_one(tn: float, fp: float) -> None:
    assert specificity(tn, fp) + fpr(tn, fp) == pytest.approx(1.0 if tn + fp else 0.0)


@settings(deadline=None, max_examples=50)  # the first call imports scikit-learn
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_ratios_are_those_of_scikit_learn(pairs: list[tuple[bool, bool]]) -> None:
    oracle = pytest.importorskip("sklearn.metrics")
    truth, said = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    tp, fp, fn, tn = (pairs.count(cell) for cell in [(True, True), (False, True), (True, False), (False, False)])
    assert accuracy(tp, fp, fn, tn) == pytest.approx(oracle.accuracy_score(truth, said))
    assert precision(tp, fp) == pytest.approx(oracle.precision_score(truth, said, zero_division=0))
    assert recall(tp, fn) == pytest.approx(oracle.recall_score(truth, said, zero_division=0))
    assert f1_score(tp, fp, fn) == pytest.approx(oracle.f1_score(truth, said, zero_division=0))
    assert specificity(tn, fp) == pytest.approx(oracle.recall_score(truth, said, pos_label=False, zero_division=0))


def test_the_names_of_the_package_are_sorted() -> None:
    assert metrics.__all__ == sorted(metrics.__all__)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, localreg.metrics; print(*{'numpy', 'shapely', 'scipy'} & sys.modules.keys())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
