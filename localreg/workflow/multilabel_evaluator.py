"""The evaluator `multilabel`: any number of labels in the ground truth, and in the inference.

Classes are the labels that stand in any ground truth of the suite; what a model says beside these is wrong, and makes
no class more that hamming loss could be shared by. With scores beside the labels a threshold may decide what is said.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from localreg.errors import InvalidInputError
from localreg.metrics.confusion import Marginals
from localreg.metrics.multilabel import (
    hamming_loss,
    label_ranking_average_precision_score,
    multilabel_f1_score,
    subset_accuracy_score,
)
from localreg.metrics.tallying import defined
from localreg.metrics.thresholds import threshold_table
from localreg.names import shown_value
from localreg.workflow.evaluator import (
    EvaluatorConfiguration,
    MetricsTestCase,
    MetricsTestSample,
    MetricsTestSuite,
)
from localreg.workflow.evaluator_function import EvaluationResults, TestCases
from localreg.workflow.gathered_metrics import results_of
from localreg.workflow.meaning import Ratio, meaning
from localreg.workflow.shapes import LABELS, fields_of, numbers_by_label

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Bools = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]

__all__ = [
    "MultilabelOfCase",
    "MultilabelOfClass",
    "MultilabelOfSample",
    "MultilabelOfSuite",
    "ScoreThreshold",
    "multilabel",
]

HIGHER, LOWER, ASIDE = meaning(better="higher"), meaning(better="lower"), meaning(aside=True)

METRICS: tuple[Literal["precision", "recall", "f1"], ...] = ("precision", "recall", "f1")

Labels: TypeAlias = Mapping[str, float | None]


class _Row(NamedTuple):
    there: set[str]
    listed: Labels


@dataclass(frozen=True)
class ScoreThreshold(EvaluatorConfiguration):
    """A label is said if its score is at or above a threshold.

    Raises:
        InvalidInputError: `at` is no finite number.
    """

    at: float | None = None
    """None = where F1 of all labels together is highest over the whole suite; of several, the highest threshold."""

    def __post_init__(self) -> None:
        at: object = self.at
        if at is not None and (isinstance(at, bool) or not isinstance(at, int | float) or not isfinite(at)):
            raise InvalidInputError(f"at is {shown_value(at)}; it must be a finite number, or None for the best F1")

    def display_name(self) -> str:
        """Where labels begin to be said."""
        return "from best F1" if self.at is None else f"from {self.at:g}"


@dataclass(frozen=True)
class MultilabelOfSample(MetricsTestSample):
    """Of one sample; all None where the model skipped it, or there is no list in the ground truth."""

    exact_match: bool | None = field(default=None, metadata=HIGHER)
    """Whether all labels are right, and no other is said: what is right, or wrong."""
    jaccard: float | None = field(default=None, metadata=HIGHER)
    """None, too, where there is no label, and none is said; so is F1."""
    f1: float | None = field(default=None, metadata=HIGHER)
    hamming_loss: float | None = field(default=None, metadata=LOWER)
    """Wrong labels, overlooked or said, as a share of the classes; above 1 if as many are said that are no class."""
    ranking_average_precision: float | None = field(default=None, metadata=HIGHER)
    """By the scores, whatever the threshold; labels that are not listed come last. None, too, without scores, and where
    no class is there, or all are: no ranking can be wrong."""
    hits: int | None = field(default=None, metadata=ASIDE)
    """Labels that are there and are said."""
    labels: int | None = field(default=None, metadata=ASIDE)
    """Labels that are there."""
    said: int | None = field(default=None, metadata=ASIDE)
    """Labels that are said."""


@dataclass(frozen=True)
class MultilabelOfClass(MetricsTestCase):
    """Of one class."""

    label: str
    support: int = field(metadata=ASIDE)
    """Samples that have the label."""
    precision: float | None = field(metadata=HIGHER)
    recall: float | None = field(metadata=HIGHER)
    f1: float | None = field(metadata=HIGHER)


@dataclass(frozen=True)
class MultilabelOfCase(MetricsTestCase):
    """Of the samples that have both lists; None where undefined, as in `localreg.metrics.multilabel`."""

    n: int = field(metadata=ASIDE)
    left_out: int = field(metadata=ASIDE)
    """Samples that were skipped, or have no list in the ground truth."""
    subset_accuracy: float | None = field(metadata=meaning(better="higher", mean_of="exact_match"))
    mean_hamming_loss: float | None = field(metadata=meaning(better="lower", mean_of="hamming_loss"))
    f1_samples: float | None = field(metadata=meaning(better="higher", mean_of="f1"))
    precision_micro: float | None = field(
        metadata=meaning(better="higher", ratio=Ratio(of={"hits": 1}, to={"said": 1}, most=1))
    )
    recall_micro: float | None = field(
        metadata=meaning(better="higher", ratio=Ratio(of={"hits": 1}, to={"labels": 1}, most=1))
    )
    f1_micro: float | None = field(
        metadata=meaning(better="higher", ratio=Ratio(of={"hits": 2}, to={"labels": 1, "said": 1}, most=1))
    )
    f1_macro: float | None = field(metadata=HIGHER)
    """Mean over the labels that samples have."""
    f1_weighted: float | None = field(metadata=HIGHER)
    label_ranking_average_precision: float | None = field(
        metadata=meaning(better="higher", mean_of="ranking_average_precision")
    )
    threshold: float | None = field(default=None, metadata=ASIDE)
    """None = labels as they were said."""
    by_class: list[MultilabelOfClass] = field(default_factory=list)


@dataclass(frozen=True)
class MultilabelOfSuite(MultilabelOfCase, MetricsTestSuite):
    """The same of all samples of the suite, each once."""


def multilabel(
    test_samples: Sequence[Any],
    ground_truths: Sequence[Any],
    inferences: Sequence[Any],
    test_cases: TestCases,
    configuration: ScoreThreshold | None = None,
) -> EvaluationResults:
    """What is said rightly, overlooked and said wrongly: exact match, Jaccard, F1, hamming loss.

    Raises:
        InvalidInputError: the types have not one list of labels each; or there is a threshold, and no score.
    """
    of_truth, of_said = fields_of("multilabel", ground_truths, inferences, LABELS, LABELS)
    rows: list[_Row | None] = []
    for truth, said in zip(ground_truths, inferences, strict=True):
        there, listed = of_truth.of(truth), of_said.of(said)
        if there is None or listed is None:
            rows.append(None)
        else:
            labels = set(numbers_by_label(there, of_truth.node))
            rows.append(_Row(labels, numbers_by_label(listed, of_said.node)))
    metrics = _Metrics(rows, configuration)
    given = (test_samples, ground_truths, inferences, test_cases)
    return results_of(
        given, metrics.of_samples, of_case=MultilabelOfCase, of_suite=MultilabelOfSuite, summed=metrics.of_all
    )


class _Metrics:
    """Labels of all samples as tables, a column for each.

    Args:
        rows: the labels that are there, and those that are listed, with their scores; None = left out.
        configuration: what of these is said; None = all.
    """

    def __init__(self, rows: Sequence[_Row | None], configuration: ScoreThreshold | None) -> None:
        import numpy as np

        self._places = np.cumsum([row is not None for row in rows]) - 1
        self._known = [row is not None for row in rows]
        known = [row for row in rows if row is not None]
        self.threshold = None if configuration is None else _threshold(known, configuration)
        classes = sorted(set[str]().union(*(row.there for row in known)))
        said = [_said(row.listed, self.threshold) for row in known]
        others = sorted(set[str]().union(*(row.listed for row in known)) - set(classes))
        self._classes = len(classes)
        self._labels = [*classes, *others]
        column = {label: place for place, label in enumerate(self._labels)}
        self._true = _table([row.there for row in known], column)
        self._said = _table(said, column)
        self._scores = _scores([row.listed for row in known], column)
        found = self._of_known()
        self.of_samples = [
            found[place] if is_known else MultilabelOfSample()
            for is_known, place in zip(self._known, self._places.tolist(), strict=True)
        ]

    def _of_known(self) -> list[MultilabelOfSample]:
        counts = [each.sum(axis=1).tolist() for each in (self._true & self._said, self._true, self._said)]
        return [
            MultilabelOfSample(
                exact_match=hits == labels == said,
                jaccard=hits / (labels + said - hits) if labels + said else None,
                f1=2 * hits / (labels + said) if labels + said else None,
                hamming_loss=(labels + said - 2 * hits) / self._classes if self._classes else None,
                ranking_average_precision=self._ranking(slice(row, row + 1)),
                hits=hits,
                labels=labels,
                said=said,
            )
            for row, (hits, labels, said) in enumerate(zip(*counts, strict=True))
        ]

    def of_all(self, places: Sequence[int]) -> dict[str, Any]:
        """Of some samples."""
        import numpy as np

        own = np.asarray(places, dtype=np.int64)
        rows = self._places[own[np.asarray(self._known, dtype=bool)[own]]]
        true, said = self._true[rows], self._said[rows]
        hits = true & said
        marginals = Marginals(np.asarray(true.size), hits.sum(axis=0), true.sum(axis=0), said.sum(axis=0))
        loss = hamming_loss(true, said)
        return {
            "n": len(rows),
            "left_out": len(places) - len(rows),
            "subset_accuracy": subset_accuracy_score(true, said),
            # as a share of the classes, also where others are said
            "mean_hamming_loss": loss * len(self._labels) / self._classes
            if loss is not None and self._classes
            else None,
            "f1_samples": multilabel_f1_score(true, said, average="samples"),
            "precision_micro": _share(hits.sum(), said.sum()),
            "recall_micro": _share(hits.sum(), true.sum()),
            "f1_micro": multilabel_f1_score(true, said, average="micro"),
            "f1_macro": defined(marginals.averaged("f1", "macro", over=marginals.support > 0)),
            "f1_weighted": multilabel_f1_score(true, said, average="weighted"),
            "label_ranking_average_precision": self._ranking(rows),
            "threshold": self.threshold,
            "by_class": self._by_class(marginals),
        }

    def _ranking(self, rows: Any) -> float | None:
        if self._scores is None:
            return None
        return label_ranking_average_precision_score(self._true[rows], self._scores[rows])

    def _by_class(self, marginals: Marginals) -> list[MultilabelOfClass]:
        """Those that are there, or are said."""
        found = {metric: marginals.per_class(metric).tolist() for metric in METRICS}
        return [
            MultilabelOfClass(label, support, **{metric: defined(found[metric][place]) for metric in METRICS})
            for place, (label, support) in enumerate(zip(self._labels, marginals.support.tolist(), strict=True))
            if support or marginals.predicted[place]
        ]


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None


def _said(listed: Labels, threshold: float | None) -> set[str]:
    """The labels that are said."""
    return {label for label, score in listed.items() if threshold is None or (score is not None and score >= threshold)}


def _table(rows: Sequence[Collection[str]], column: Mapping[str, int]) -> Bools:
    import numpy as np

    table = np.zeros((len(rows), len(column)), dtype=bool)
    for place, labels in enumerate(rows):
        table[place, [column[label] for label in labels]] = True
    return table


def _scores(rows: Sequence[Labels], column: Mapping[str, int]) -> Floats | None:
    """Scores of all labels, those that are not listed below all others; None if a label has none."""
    import numpy as np

    every = [score for row in rows for score in row.values() if score is not None]
    if len(every) != sum(map(len, rows)) or not every:
        return None
    table = np.full((len(rows), len(column)), min(every) - 1)
    for place, listed in enumerate(rows):
        table[place, [column[label] for label in listed]] = list(listed.values())
    return table


def _threshold(rows: Sequence[_Row], configuration: ScoreThreshold) -> float | None:
    """From which score on labels are said; None = nothing is listed to find one by.

    Source:
        Z. C. Lipton, C. Elkan and B. Naryanaswamy, ECML PKDD 2014, 225: the threshold is picked on the samples that it
        is then measured on, and so is optimistic.
    """
    import numpy as np

    pairs = [(score, label in row.there) for row in rows for label, score in row.listed.items()]
    scores = [score for score, _ in pairs if score is not None]
    if len(scores) != len(pairs):
        raise InvalidInputError(
            f"configuration {configuration.display_name()!r} needs scores, and an inference has a label without one"
        )
    if configuration.at is not None or not scores:
        return configuration.at
    # Labels that are there and not listed are found at no threshold that is tried.
    unlisted = sum(len(row.there - row.listed.keys()) for row in rows)
    true = [*(hit for _, hit in pairs), *[True] * unlisted]
    table = threshold_table(true, [*scores, *[min(scores) - 1] * unlisted], np.unique(scores)[::-1])
    return float(table.threshold[int(np.nanargmax(table.f1))]) if any(true) else None
