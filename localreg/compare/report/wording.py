"""Numbers and sentences as people read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import ceil, floor, log10

from localreg.compare.compared import Compared
from localreg.compare.rows import MetricRow
from localreg.compare.verified_pair import METRICS as VERIFICATION
from localreg.names import amount
from localreg.statistics import METRICS
from localreg.statistics.counting import SIGNED
from localreg.workflow.verification_evaluator import FMR

__all__ = [
    "MINUS",
    "change",
    "difference",
    "how",
    "in_points",
    "interval",
    "is_share",
    "least",
    "named",
    "p_text",
    "points",
    "power",
    "readable",
    "sentence",
    "value",
    "whole_numbers",
    "with_names",
]

MINUS = "\N{MINUS SIGN}"

SIGNIFICANT = 3
"""Digits of a value without a range."""

# Of what may be below 0 hundredths are no percentage points.
SHARES = {*METRICS, *VERIFICATION, "roc_auc", "average_precision"} - set(SIGNED)

NAMES = {
    "matthews_corrcoef": "Matthews correlation",
    "cohen_kappa": "Cohen's kappa",
    "roc_auc": "ROC AUC",
    "f1": "F1",
    "average_precision": "average precision",
    "fnmr_at_fmr": "FNMR at FMR",
    "fnmr": "FNMR",
    "fmr": "FMR",
    "failure_to_enrol_rate": "failure-to-enrol rate",
}

OF_IMAGES = (
    "average precision and recall: what each image does to them, in closed form (infinitesimal jackknife); precision, "
    "recall and F1: jackknife over images; all with Student's t"
)
TESTS = {
    "classification": "accuracy, and recall of a class: McNemar's exact test; other metrics over all classes: "
    "jackknife over joint counts with Student's t; precision and F1 of a class: smoothed delta method",
    "regression": "MAE, MSE, MAPE and bias: paired t; RMSE, R² and Pearson: jackknife with Student's t",
    "detection": OF_IMAGES,
    "segmentation": OF_IMAGES,
    "evaluator": "numbers of samples: paired t; yes and no: McNemar's exact test; ratios of sums over samples: "
    "jackknife with Student's t; what is said of test cases and the suite alone has none",
    "verification": "rates at thresholds that the pairs set, and equal error rate: pairs, or clusters, drawn again, "
    "with the thresholds set anew in each draw; ROC AUC: DeLong; at a fixed threshold, and failures to enrol: "
    "McNemar's exact test",
}
"""How the numbers of a task were made."""

ADJUSTED = {
    "holm": "p-values of one metric in one breakdown are adjusted by Holm's method",
    "bh": "p-values of one metric in one breakdown are adjusted by Benjamini and Hochberg's method",
    "none": "p-values are not adjusted for how many there are",
}


def is_share(metric: str) -> bool:
    """Whether hundredths of a metric are percentage points."""
    return metric in SHARES


def in_points(metric: str) -> bool:
    """Whether a metric is one of those from 0, or -1, to 1, which can be drawn on one scale."""
    return metric in SHARES or metric in SIGNED


def readable(metric: str) -> str:
    """The name of a metric in words."""
    return NAMES.get(metric) or metric.replace("_", " ").replace("f1", "F1")


def named(metric: str, comparison: Compared) -> str:
    """The name of a metric in words, with the target that it is of: `FNMR at FMR 0.001`."""
    if metric != "fnmr_at_fmr" or comparison.task != "verification" or comparison._question is None:
        return readable(metric)
    asked = comparison._question.asked.fmr
    return f"{readable(metric)} {FMR if asked is None else asked:g}"


def with_names(reason: str, comparison: Compared, candidate: str) -> str:
    """A reason that calls models by the columns that they stand in, (a) and (b), with their names."""
    names = {"(a)": comparison.baseline, "(b)": candidate}
    return re.sub(r"\([ab]\)", lambda found: f"({names[found[0]]})", reason)


def value(row: MetricRow, number: float | None) -> str:
    """A value of a metric, with as many digits as its difference deserves."""
    if number is None:
        return "none"
    if in_points(row.metric):
        return f"{number:.{_digits(row) + 2 * is_share(row.metric)}f}"
    return f"{number:,.{_digits(row)}f}" if abs(number) < 1e6 else f"{number:.6g}"


def points(metric: str, number: float | None) -> float | None:
    """A difference in the unit that it is told and drawn in: points for shares."""
    return None if number is None else 100 * number if is_share(metric) else number


def difference(row: MetricRow, *, unit: bool = False) -> str:
    """The difference, such as `+0.9 points`."""
    return _signed(row, row.difference) + (" points" if unit and is_share(row.metric) else "")


def interval(row: MetricRow) -> str:
    """Its interval, such as `+0.8 to +1.0`."""
    return "none" if row.low is None or row.high is None else f"{_signed(row, row.low)} to {_signed(row, row.high)}"


def change(count: int) -> str:
    """A number of samples that were gained or lost."""
    return f"{count:+,}".replace("-", MINUS) if count else "0"


def least(row: MetricRow) -> str:
    """The least difference that would have been found."""
    found = _signed(row, row.least_detectable)
    return found.removeprefix("+") + (" points" if is_share(row.metric) else "")


def power(row: MetricRow) -> str:
    """What a comparison of this size could have found."""
    if is_share(row.metric) and row.least_detectable is not None and row.least_detectable > 1:
        return "So few samples would hardly show any difference."
    return f"A true difference of {least(row)} would be found in 4 of 5 comparisons like this one."


def _signed(row: MetricRow, number: float | None) -> str:
    told = points(row.metric, number)
    if told is None:
        return "none"
    text = f"{told:+,.{_digits(row)}f}"
    return (text if text.strip("+-0.,") else text[1:]).replace("-", MINUS)


def _digits(row: MetricRow) -> int:
    """Digits behind the point that show half of the interval's width, and on which side of zero it ends.

    Of what has no range of its own, such as a loss, three digits that count at least: what is small is told, too.
    """
    low, high = points(row.metric, row.low), points(row.metric, row.high)
    largest = max(abs(row.a or 0.0), abs(row.b or 0.0))
    usual = 1 if is_share(row.metric) else 3
    if not in_points(row.metric) and largest:
        usual = min(9, max(0, SIGNIFICANT - 1 - floor(log10(largest))))
    if low is None or high is None or high <= low:
        return usual
    digits = max(usual, min(6, ceil(-log10((high - low) / 2) - 1e-9)))
    nearest = min(abs(low), abs(high))
    return digits if not nearest or round(nearest, digits) else min(digits + 2, ceil(-log10(nearest)))


def p_text(p: float | None) -> str:
    """A p-value."""
    if p is None:
        return "none"
    if p >= 0.001:
        return f"{p:.3f}"
    mantissa, _, exponent = f"{p:.1e}".partition("e")
    return f"{mantissa}e{MINUS}{abs(int(exponent))}" if p else f"< 1e{MINUS}300"


def whole_numbers(text: str) -> str:
    """Numbers in names of bins, such as `200 < iso <= 400`, kept to six digits."""
    return re.sub(r"\d+\.\d{6,}", lambda found: f"{float(found[0]):.6g}", text)


def sentence(comparison: Compared, candidate: str) -> str:
    """The verdict on a candidate, in one sentence."""
    row = next(row for row in comparison.rows if row.candidate == candidate)
    baseline, metric = comparison.baseline, named(row.metric, comparison)
    if row.difference is None:
        reason = f": {row.reason}" if row.reason else ""
        return f"{candidate} and {baseline} cannot be compared by {metric}{reason}"
    if row.verdict == "equal":
        told = f"{metric} {value(row, row.b)}"
        if row.fixed is None:
            return f"{candidate} and {baseline} are equal on all samples: {told}"
        return f"{candidate} and {baseline} are right on the same samples: {told}, nothing fixed and nothing broken"
    begin = {
        "improved": f"{candidate} is better than {baseline}",
        "regressed": f"{candidate} is worse than {baseline}",
        "different": f"{candidate} differs from {baseline}",
    }.get(row.verdict, f"Whether {candidate} is better than {baseline} cannot be told")
    return ", ".join([f"{begin}: {metric} {value(row, row.b)} against {value(row, row.a)}", *_details(row, comparison)])


def _details(row: MetricRow, comparison: Compared) -> Iterator[str]:
    within = f" ({100 * comparison.confidence:g} % interval {interval(row)})" if row.low is not None else ""
    yield f"{difference(row, unit=True)}{within}"
    if row.fixed is not None:
        yield f"{row.fixed:,} fixed and {row.broken:,} broken"


def how(comparison: Compared) -> list[str]:
    """How the numbers came about, line by line."""
    missing = "counted as wrong" if comparison.strict else "left out"
    told = [
        f"Test suite {comparison.suite}, version {comparison.suite_version}, as of commit {comparison.commit:,}",
        f"Task: {comparison.task}; {amount(comparison.n, 'sample')} paired; samples without an inference are {missing}",
        f"A difference is told as real where its adjusted p-value is below {1 - comparison.confidence:.3g}; "
        f"{ADJUSTED[comparison.adjust]}",
    ]
    told.append(f"Tests and intervals: {TESTS[comparison.task.split()[0]]}")
    asked = None if comparison._question is None else comparison._question.asked
    if asked is not None and asked.group_by is not None:
        told.append(f"Samples of one {asked.group_by} are left out, or drawn, together, and none of the tests is exact")
    if asked is not None and asked.bootstrap is not None:
        kept = ", but for single classes, ROC AUC and average precision" if comparison.task == "classification" else ""
        told.append(f"{asked.bootstrap:,} draws of samples took the place of that{kept}")
    return told
