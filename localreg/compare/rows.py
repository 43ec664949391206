"""The rows of a comparison: one metric of two models on the suite, a test case, a slice or a class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from localreg.errors import InvalidInputError, NotFoundError
from localreg.names import did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MeasuredRow", "MetricRow", "RowT", "Verdict", "as_table", "one_row"]

RowT = TypeVar("RowT", "MetricRow", "MeasuredRow")

Verdict = Literal["improved", "regressed", "different", "inconclusive", "equal"]
"""`different` is said of a metric of which neither more nor less is better, or nobody said which."""


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric of baseline and candidate."""

    metric: str
    label: str | None
    """The class that it is of; None = of all of them."""
    test_case: str | None
    """None = the whole suite, where a sample of several test cases counts once."""
    by: str | None
    """The expression that the slice was made by; None = no slice."""
    slice: str | None
    candidate: str
    a: float | None
    """Of the baseline; None = not measurable, and `reason` says why."""
    b: float | None
    """Of the candidate."""
    difference: float | None
    """b - a."""
    low: float | None
    """Lower end of the confidence interval of the difference."""
    high: float | None
    """Upper end."""
    p: float | None
    """Two-sided p-value of this row alone."""
    p_adjusted: float | None
    """The same, adjusted for how many rows of this metric there are in the same breakdown, over all candidates."""
    n: int
    """Paired samples that it is made of; one that has two different ground truths, in two test cases, counts as two.

    Of a class: for recall those that have it, for precision those that either model says to have it, for F1 those of
    which truth or either model says so, for specificity those that do not have it."""
    fixed: int | None
    """Samples that only the candidate gets right; None where right and wrong do not exist."""
    broken: int | None
    """Samples that only the baseline gets right."""
    verdict: Verdict
    least_detectable: float | None
    """The least difference that would be found in 4 of 5 comparisons of this size, as uncertain as this one."""
    reason: str | None
    """Why a number is None, or what it leaves out."""


@dataclass(frozen=True, slots=True)
class MeasuredRow:
    """One metric of a model."""

    metric: str
    label: str | None
    """The class that it is of; None = of all of them."""
    test_case: str | None
    """None = the whole suite, where a sample of several test cases counts once."""
    by: str | None
    """The expression that the slice was made by; None = no slice."""
    slice: str | None
    value: float | None
    """None = not measurable, and `reason` says why."""
    low: float | None
    """Lower end of the confidence interval of the value; None = there is none, and `reason` says why."""
    high: float | None
    """Upper end."""
    n: int
    """Samples that it is made of; one that has two different ground truths, in two test cases, counts as two.

    Of a class: for recall those that have it, for precision those that the model says to have it (both are shares of
    these), for F1 those of which truth or model says so, for specificity those that do not have it."""
    reason: str | None
    """Why a number is None, or what to beware of."""


def one_row(rows: Sequence[RowT], what: str, **wanted: str | None) -> RowT:
    """The row of a metric, test case, slice and class.

    Args:
        rows: objects with these attributes, and `by`.
        what: they are of, for messages.
        wanted: by attribute; None = rows that have none there. Without `by` of any expression.

    Raises:
        InvalidInputError: several expressions have a slice of that name.
        NotFoundError: there is none such.
    """
    found = [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]
    expressions = list(dict.fromkeys(getattr(row, "by", None) for row in found))
    if len(expressions) > 1:
        told = " and ".join(map(repr, expressions))
        raise InvalidInputError(f"{told} have a slice of that name each; say which is meant, as by={expressions[0]!r}")
    if found:
        return found[0]
    raise _no_row(what, rows, wanted)


def as_table(rows: Iterable[Any], kind: type[Any] = MetricRow) -> pa.Table:
    """Rows as a table, with the names of their fields as columns.

    Args:
        rows: objects of one class.
        kind: the class.
    """
    import pyarrow as pa

    kinds = {"float | None": pa.float64(), "int": pa.int64(), "int | None": pa.int64()}
    schema = pa.schema([(each.name, kinds.get(str(each.type), pa.string())) for each in fields(kind)])
    return pa.Table.from_pylist([{name: getattr(row, name) for name in schema.names} for row in rows], schema)


def _no_row(where: str, rows: Sequence[RowT], wanted: Mapping[str, str | None]) -> NotFoundError:
    """The error that there is no such row: it names what is nowhere, or that nothing has it all.

    Args:
        where: the comparison, or the measurement.
        rows: those that there are.
        wanted: fields of the row; None = it is of no single one.
    """
    for name, value in wanted.items():
        there = list(dict.fromkeys(str(getattr(row, name)) for row in rows if getattr(row, name) is not None))
        if value is not None and value not in there:
            what = name.replace("_", " ")
            hint = did_you_mean(str(value), there) or (f"; there are {', '.join(there[:10])}" if there else "")
            told = f"{what} {value!r}{hint}"
            return NotFoundError(f"the {where} has no row of {told}; .metrics shows those that there are")
    told = ", ".join(f"{name.replace('_', ' ')} {value!r}" for name, value in wanted.items() if value is not None)
    return NotFoundError(f"the {where} has no row of {told} together; .metrics shows those that there are")
