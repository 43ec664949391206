"""All metrics of classes in one table, and what must be told beside them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from localreg.metrics.confusion import METRICS, Average, Confusion, Marginals
from localreg.metrics.printing import aligned, decimal
from localreg.metrics.reading import Column
from localreg.metrics.tallying import averaged, confusion_matrix, defined

__all__ = ["ClassRow", "ClassificationReport", "classification_report", "report_of"]


@dataclass(frozen=True)
class ClassRow:
    """One class against the rest, or an average of classes. None = undefined; the report's notes say why.

    Attributes:
        label: the class; "macro" or "weighted" of an average.
        precision: share of what was predicted as it that is of it.
        recall: share of it that was predicted as it.
        f1: harmonic mean of both.
        specificity: share of the other samples that were not predicted as it.
        support: samples of it.
        predicted: samples predicted as it.
    """

    label: Hashable
    precision: float | None
    recall: float | None
    f1: float | None
    specificity: float | None
    support: int
    predicted: int


@dataclass(frozen=True)
class ClassificationReport:
    """All metrics of classes. It prints as a table.

    Attributes:
        classes: a row for each class.
        macro: plain means of the classes that are true or predicted; a recall that is undefined counts 0.
        weighted: means by support.
        accuracy: share of samples that are right.
        balanced_accuracy: mean recall of the classes with truth.
        mcc: Matthews' correlation coefficient.
        kappa: Cohen's kappa.
        n: samples.
        unpredicted: those without a prediction, which count as wrong.
        notes: sentences on what is 0 by convention, or undefined.
    """

    classes: tuple[ClassRow, ...]
    macro: ClassRow
    weighted: ClassRow
    accuracy: float | None
    balanced_accuracy: float | None
    mcc: float | None
    kappa: float | None
    n: int
    unpredicted: int
    notes: tuple[str, ...]

    def __str__(self) -> str:
        head = ["", "precision", "recall", "f1", "specificity", "support", "predicted"]
        table = aligned([head, *map(_cells, (*self.classes, self.macro, self.weighted))])
        numbers = {
            "accuracy": self.accuracy,
            "balanced accuracy": self.balanced_accuracy,
            "MCC": self.mcc,
            "kappa": self.kappa,
        }
        line = ", ".join(f"{name} {decimal(value)}" for name, value in numbers.items())
        return "\n".join([table, "", f"{line}, n {self.n}", *self.notes])


def classification_report(
    truth: Column, predicted: Column, *, labels: Sequence[object] | None = None
) -> ClassificationReport:
    """All metrics of classes in one table.

    Args:
        truth: (n,) labels.
        predicted: (n,) labels; missing = wrong, and counted apart.
        labels: the classes, in order; None = all that occur, sorted. Samples of others are left out.

    Raises:
        InvalidInputError: lengths differ, a truth is missing, labels do not compare or stand there twice.
    """
    return report_of(confusion_matrix(truth, predicted, labels=labels))


def report_of(confusion: Confusion) -> ClassificationReport:
    """The same of counts that are there already."""
    marginals = confusion.marginals
    columns = [[defined(value) for value in marginals.per_class(metric)] for metric in METRICS]
    rows = zip(confusion.labels, *columns, marginals.support.tolist(), marginals.predicted.tolist(), strict=True)
    missing = int(confusion.unpredicted.sum())
    return ClassificationReport(
        classes=tuple(ClassRow(*row) for row in rows),
        macro=_average(marginals, "macro"),
        weighted=_average(marginals, "weighted"),
        accuracy=defined(marginals.accuracy()),
        balanced_accuracy=defined(marginals.balanced_accuracy()),
        mcc=defined(marginals.mcc()),
        kappa=defined(marginals.kappa()),
        n=confusion.n,
        unpredicted=missing,
        notes=_notes(confusion, marginals),
    )


def _average(marginals: Marginals, average: Average) -> ClassRow:
    precision, recall, f1, specificity = (averaged(marginals, metric, average, named=False) for metric in METRICS)
    return ClassRow(average, precision, recall, f1, specificity, int(marginals.n), int(marginals.predicted.sum()))


def _notes(confusion: Confusion, marginals: Marginals) -> tuple[str, ...]:
    def named(mask: Sequence[bool]) -> str:
        return ", ".join(repr(label) for label, there in zip(confusion.labels, mask, strict=True) if there)

    told = {
        "never predicted, so their precision is 0": named(marginals.never_predicted.tolist()),
        "without truth, so they have no recall, which counts 0 in macro": named(marginals.without_truth.tolist()),
        "neither true nor predicted, and in no average": named((~marginals.present).tolist()),
    }
    notes = [f"{what}: {classes}" for what, classes in told.items() if classes]
    if missing := int(confusion.unpredicted.sum()):
        notes.append(f"without a prediction, counted as wrong: {missing} of {confusion.n} samples")
    return tuple(notes)


def _cells(row: ClassRow) -> list[str]:
    values = [decimal(value) for value in (row.precision, row.recall, row.f1, row.specificity)]
    return [str(row.label), *values, str(row.support), str(row.predicted)]
