"""What one model version said of a test suite, beside what is true: columns for any metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from localreg.canonical import JsonObject
from localreg.compare.comparing import of_workflow, refuse_nothing, suite_rows
from localreg.compare.coverage import Coverage
from localreg.compare.predictions import predicted_labels, predicted_numbers
from localreg.compare.scores import (
    NO_OTHER,
    NO_PROBABILITIES,
    NO_SCORES,
    ModelScores,
    ScoreOf,
    check_scoring,
    positive_label,
    turned,
    whose,
    why_unclear,
)
from localreg.compare.slices import check_by, sliced
from localreg.compare.suite_rows import SuiteRows
from localreg.compare.values import coverage_of
from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.models import ModelVersion
from localreg.query import Result
from localreg.records.workflows import WorkflowRecord
from localreg.session import Session
from localreg.tables import NO_LABEL, Node, Vocabulary
from localreg.workflow.right import (
    LabelPath,
    flag_path,
    has_labels,
    has_pairs,
    label_path,
    number_path,
    similarity_path,
)
from localreg.workflow.shape_lists import shape_lists
from localreg.workflow.test_suite import TestSuite

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Codes = npt.NDArray[np.signedinteger]
    Floats = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]
    Rows = npt.NDArray[np.int64]

__all__ = ["Predictions", "predictions"]

OWN = ("sample_idx", "test_case", "truth", "predicted", "score")


class Predictions(Result):
    """What one model version said of a test suite beside what is true: `accuracy_score(p.truth, p.predicted)`.

    Rows: samples that have both, each (sample, ground truth) once, in the order of the suite; how many have not is in
    `coverage`, `unlabelled` and `silent`. With them the functions of `localreg.metrics` give the values of
    `registry.measure` over the suite. Columns of the table (`arrow()`, `df()`, `pl()`): `sample_idx`, `test_case` (the
    first that holds the sample), `truth`, `predicted`, `score` if there are scores, and one for each expression of
    `by`. Text is dictionaries in Arrow, and categories in data frames: a million rows are quickly there.

    Attributes:
        model: `name@version`.
        suite: name of the test suite.
        suite_version: its version.
        coverage: what became of the suite's samples.
        unlabelled: samples whose ground truth has no label, or no finite number: left out.
        silent: inferences without a finite number: left out. (One without a label is wrong, and null.)
        commit: the registry was asked as of this commit.
    """

    def __init__(
        self,
        table: pa.Table,
        labels: Sequence[str] | None,
        *,
        model: str,
        suite: str,
        suite_version: int,
        coverage: Coverage,
        unlabelled: int,
        silent: int,
        commit: int,
    ) -> None:
        super().__init__(lambda: table)
        self._labels = labels
        self.model = model
        self.suite = suite
        self.suite_version = suite_version
        self.coverage = coverage
        self.unlabelled = unlabelled
        self.silent = silent
        self.commit = commit

    @property
    def sample_idx(self) -> Rows:
        """int64 (n,), which sample each row is of, as in `inferences`."""
        rows: Rows = self._numbers("sample_idx")
        return rows

    @property
    def truth(self) -> pa.Array | Floats:
        """(n,): labels as a dictionary of Arrow, or numbers as float64; of pairs bool, whether they are genuine."""
        return self._said("truth")

    @property
    def predicted(self) -> pa.Array | Floats:
        """(n,): as `truth`; null where an inference holds no label, or, with `strict`, where there is none.

        Of pairs float64, how alike they are: `fnmr_at_fmr(p.truth, p.predicted, 0.001)`.
        """
        return self._said("predicted")

    @property
    def scores(self) -> Floats | None:
        """float64 (n,): as they stand beside the labels, NaN where there is none; None = inferences have no score."""
        return self._numbers("score") if "score" in self.columns[: len(OWN)] else None

    def positive_scores(self, positive: str | None = None, *, score_of: ScoreOf | None = None) -> Floats:
        """Scores of one label, for metrics of rankings and probabilities: `roc_auc_score(p.truth, …, pos_label="y")`.

        Args:
            positive: the label; None = of two labels the last one in order of the alphabet, as in `compare`.
            score_of: whose the scores beside labels are: of the label that is said ("predicted"), or of the positive
                one whatever is said ("positive"). None = what they can only be.

        Returns:
            float64 (n,); NaN where there is no score.

        Raises:
            InvalidInputError: there are no scores, or they are not, or may not be, of that label.
        """
        scoring, scores, labels = check_scoring(positive, score_of), self.scores, self._labels
        if scores is None or labels is None:
            raise InvalidInputError(f"{NO_SCORES}, of which scores could be made")
        label = positive_label(scoring, labels)
        if label is None:
            raise InvalidInputError(f"there are {len(labels)} labels; say which one is positive")
        code, model = labels.index(label), ModelScores(self._codes(labels), scores)
        known = model.where(model.known)
        told = score_of or whose(known, code, len(labels))
        if told is None:
            raise InvalidInputError(why_unclear([known], label, labels))
        if told == "positive":
            return scores
        if len(labels) != 2:
            raise InvalidInputError(NO_OTHER.format(positive=label))
        if len(known.scores) and not 0 <= known.scores.min() <= known.scores.max() <= 1:
            raise InvalidInputError(NO_PROBABILITIES)
        return turned(model, code)

    def _codes(self, labels: Sequence[str]) -> Codes:
        """Places in `labels` of what was predicted; -1 for nothing."""
        import numpy as np

        column = self.arrow()["predicted"].combine_chunks()
        places = np.array([*(labels.index(each) for each in column.dictionary.to_pylist()), NO_LABEL], np.int64)
        codes: Codes = column.indices.fill_null(len(places) - 1).to_numpy(zero_copy_only=False)
        return places[codes]

    def _said(self, name: str) -> pa.Array | Floats:
        return self._numbers(name) if self._labels is None else self.arrow()[name].combine_chunks()

    def _numbers(self, name: str) -> Any:
        return self.arrow()[name].to_numpy()  # float64 or int64, as in the table

    def __repr__(self) -> str:
        gaps = [(name, getattr(self.coverage, name)) for name in ("skipped", "error", "missing")]
        gaps += [("without a truth", self.unlabelled), ("without an answer", self.silent)]
        told = "".join(f"; {count:,} {name}" for name, count in gaps if count)
        return f"{self.model} on test suite {self.suite!r} version {self.suite_version}{told}\n{self.text()}"


def predictions(
    session: Session,
    version: ModelVersion,
    *,
    suite: str | TestSuite,
    by: str | Sequence[str] | None,
    bins: int,
    strict: bool,
) -> Predictions:
    """See `Registry.predictions`."""
    state, expressions = session.state(), check_by(by)
    rows = suite_rows(session, state, suite)
    (name,) = of_workflow([version], rows.suite)
    for each in expressions:
        if each in OWN:
            raise InvalidInputError(
                f"by is {each!r}, and there is a column of that name already; a field of samples is sample.{each}"
            )
    said = _read(session, state, rows, version.id)
    whole = said.once
    coverage = coverage_of(said.status if whole is None else said.status[whole])
    refuse_nothing(name, rows.suite.name, coverage)
    if strict and said.labels is None and coverage.gaps:
        raise InvalidInputError(
            "strict counts a sample without an inference as wrong, and a number is not right or wrong; pass "
            "strict=False, and look at .coverage for how many there are"
        )
    places, unlabelled, silent = said.chosen(strict=strict)
    columns = {**_own(rows, places), **said.columns(places)}
    for each in expressions:
        found = sliced(session, state, rows, each, bins=bins)
        columns[each] = _dictionary(found.codes[places], found.names)
    import pyarrow as pa

    return Predictions(
        pa.table(columns),
        said.labels,
        model=name,
        suite=rows.suite.name,
        suite_version=rows.version.number,
        coverage=coverage,
        unlabelled=unlabelled,
        silent=silent,
        commit=state.head.commit,
    )


# --- what is read -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Said:
    """The rows of the suite.

    Attributes:
        truth: codes of labels, below 0 for none; or numbers, NaN for none.
        predicted: the same.
        status: 0 = inferred; else why not, as in `localreg.compare.predictions`.
        scores: NaN where there is none; None = there are none.
        labels: by code; None = truth and predicted are numbers.
        once: the rows that count in the suite's total; None = all.
        of_pairs: truth says by 1 and 0 whether a pair is genuine.
    """

    truth: Codes | Floats
    predicted: Codes | Floats
    status: npt.NDArray[np.int8]
    scores: Floats | None
    labels: list[str] | None
    once: Flags | None
    of_pairs: bool = False

    def chosen(self, *, strict: bool) -> tuple[Rows, int, int]:
        """The rows that have a truth and an inference, or with `strict` a truth; how many lack a truth, an answer."""
        import numpy as np

        whole = np.ones(len(self.truth), bool) if self.once is None else self.once
        inferred = self.status == 0
        if self.labels is not None:
            true = self.truth != NO_LABEL
            there = whole & true & (inferred | strict)
            return np.flatnonzero(there), int((whole & ~true).sum()), 0
        true, said = np.isfinite(self.truth), np.isfinite(self.predicted)
        silent = int((whole & inferred & ~said).sum())
        return np.flatnonzero(whole & true & said), int((whole & ~true).sum()), silent

    def columns(self, places: Rows) -> dict[str, Any]:
        """Those of some rows."""
        columns: dict[str, Any] = {"truth": self.truth[places], "predicted": self.predicted[places]}
        if self.labels is not None:
            columns = {name: _dictionary(codes, self.labels) for name, codes in columns.items()}
        if self.of_pairs:
            columns["truth"] = columns["truth"] == 1
        if self.scores is not None:
            columns["score"] = self.scores[places]
        return columns


def _read(session: Session, state: State, rows: SuiteRows, version_id: str) -> _Said:
    """By the types of the workflow: labels, numbers, or how alike pairs are, as comparisons take them.

    Raises:
        InvalidInputError: there is not one of either.
    """
    workflow = rows.workflow.load(WorkflowRecord)
    truth, said = (Node.from_json(cast(JsonObject, each)) for each in (workflow.ground_truth, workflow.inference))
    lists = shape_lists(truth, said)
    if lists is not None:
        raise InvalidInputError(
            f"workflow {workflow.name!r} has lists of {lists.truth.kind}, and no column of one answer each; "
            "measure the model instead, or read its inferences"
        )
    is_pairs = has_pairs(truth, said)
    if has_labels(truth, said) and not is_pairs:
        paths = label_path(truth, "ground truth"), label_path(said, "inference")
        return _labels(session, state, rows, version_id, *paths)
    if is_pairs:
        numbers = flag_path(truth, "ground truth"), similarity_path(said, "inference")
    else:
        numbers = number_path(truth, said, "ground truth"), number_path(said, truth, "inference")
    true = rows.true_numbers(numbers[0])
    found = predicted_numbers(session, state, version_id, numbers[1], rows.span)
    status = rows.of_samples(found.status)
    return _Said(true, rows.of_samples(found.values), status, None, None, rows.once(true), is_pairs)


def _labels(
    session: Session, state: State, rows: SuiteRows, version_id: str, truth: LabelPath, said: LabelPath
) -> _Said:
    import numpy as np

    vocabulary = Vocabulary()
    true = rows.truths(truth.label, vocabulary)
    codes = rows.of_samples(predicted_labels(session, state, version_id, said.label, vocabulary, rows.span))
    once = rows.once(true)
    scores = None
    if said.score is not None:
        found = predicted_numbers(session, state, version_id, said.score, rows.span)
        scores = rows.of_samples(found.values)
    status = np.where(codes < NO_LABEL, codes, 0).astype(np.int8)
    ranks = np.append(vocabulary.ranks(), NO_LABEL)  # -1 finds the last
    true, codes = (ranks[np.maximum(each, NO_LABEL)] for each in (true, codes))
    return _Said(true, codes, status, scores, sorted(vocabulary.labels()), once)


def _own(rows: SuiteRows, places: Rows) -> dict[str, Any]:
    import numpy as np

    cases = np.searchsorted(rows.ends, places, side="right")
    return {"sample_idx": rows.indices[places].astype(np.int64), "test_case": _dictionary(cases, rows.case_names)}


def _dictionary(codes: Any, names: Sequence[str]) -> pa.DictionaryArray:
    """Texts by their numbers, below 0 for none; only those that occur, in their order."""
    import numpy as np
    import pyarrow as pa

    there = np.zeros(len(names), bool)
    there[codes[codes >= 0]] = True
    places = np.append(np.cumsum(there) - 1, NO_LABEL)
    found = places[codes].astype(np.int32)
    kept = [name for name, is_there in zip(names, there.tolist(), strict=True) if is_there]
    return pa.DictionaryArray.from_arrays(pa.array(found, mask=found < 0), pa.array(kept, pa.string()))
