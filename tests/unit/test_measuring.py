"""One model on a test suite: its numbers, and the columns that they are made of."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from localreg import InvalidInputError, NotFoundError, Registry, WorkflowMismatchError, metrics
from localreg.compare import Measurement
from localreg.workflow import (
    GroundTruth,
    Inference,
    LabeledBoundingBox,
    ScoredLabel,
    ScoredLabeledBoundingBox,
    TestSample,
    define_workflow,
    test,
)

COUNT = 90


@dataclass(frozen=True)
class Scan(TestSample):
    n: int
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding(GroundTruth):
    label: str | None


@dataclass(frozen=True)
class Said(Inference):
    finding: ScoredLabel | None


@dataclass(frozen=True)
class Size(GroundTruth):
    size: float | None


@dataclass(frozen=True)
class Guess(Inference):
    size: float | None


@dataclass(frozen=True)
class Boxes(GroundTruth):
    boxes: list[LabeledBoundingBox]


@dataclass(frozen=True)
class Seen(Inference):
    boxes: list[ScoredLabeledBoundingBox]


_, Case, Suite, Net = define_workflow("Scans", Scan, Finding, Said)
_, SizeCase, SizeSuite, SizeNet = define_workflow("Sizes", Scan, Size, Guess)
_, BoxCase, BoxSuite, BoxNet = define_workflow("Boxes", Scan, Boxes, Seen)

TRUTH = ["xyz"[n % 3] for n in range(COUNT)]
SITES = ["north" if n % 5 else "south" for n in range(COUNT)]


def scan(n: int) -> Scan:
    return Scan(n, {"site": SITES[n], "patient": n // 3})


def said(name: str, labels: str = "xyz", truth: list[str] = TRUTH) -> list[str]:
    dice = random.Random(name)
    return [label if dice.random() < 0.7 else dice.choice(labels) for label in truth]


@pytest.fixture
def scans(registry: Registry) -> Registry:
    """A suite of two overlapping test cases, and a model that answers all of it."""
    content = [(scan(n), Finding(label)) for n, label in enumerate(TRUTH)]
    held = Suite("s", test_cases=[Case("low", test_samples=content[:60]), Case("high", test_samples=content[40:])])
    answers = said("m")
    test(Net("m", lambda each: Said(ScoredLabel(answers[each.n], 0.9))), held)
    return registry


OF_COLUMNS: dict[str, Any] = {
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "f1_macro": lambda *columns: metrics.f1_score(*columns, average="macro"),
    "matthews_corrcoef": metrics.matthews_corrcoef,
    "cohen_kappa": metrics.cohen_kappa_score,
}


def test_the_numbers_of_a_model_are_those_of_its_predictions(scans: Registry) -> None:
    found, columns = scans.measure("m", suite="s"), scans.predictions("m", suite="s")
    assert len(columns) == found.n == COUNT
    for name, function in OF_COLUMNS.items():
        assert found.row(name).value == pytest.approx(function(columns.truth, columns.predicted)), name
    for label, recall in metrics.recall_score(columns.truth, columns.predicted, average=None).items():
        assert found.row("recall", label=str(label)).value == pytest.approx(recall)


def test_a_measurement_says_what_a_comparison_says_with_the_interval_of_the_value(scans: Registry) -> None:
    answers = said("b")
    test(Net("b", lambda each: Said(ScoredLabel(answers[each.n], 0.9))), Suite("s"))
    by = "metadata.site"
    found, compared = scans.measure("m", suite="s", by=by), scans.compare("m", "b", suite="s", by=by)
    there = {(row.metric, row.label, row.test_case, row.slice): row for row in compared.rows}
    assert len(found.rows) == len(compared.rows)
    for row in found.rows:
        other = there[row.metric, row.label, row.test_case, row.slice]
        assert (row.value, row.by) == (other.a, other.by)
        if row.label is None:
            assert row.n == other.n
    accuracy = found.row("accuracy")
    assert accuracy.low is not None
    assert accuracy.value is not None
    assert accuracy.high is not None
    assert accuracy.low < accuracy.value < accuracy.high
    share, z = accuracy.value, 1.959963984540054  # E. Wilson, 1927
    centre = (share + z * z / 2 / COUNT) / (1 + z * z / COUNT)
    half = z / (1 + z * z / COUNT) * (share * (1 - share) / COUNT + z * z / 4 / COUNT**2) ** 0.5
    assert (accuracy.low, accuracy.high) == pytest.approx((centre - half, centre + half))
    assert found.metrics.columns == [
        "metric", "label", "test_case", "by", "slice", "value", "low", "high", "n", "reason"
    ]  # fmt: skip
    assert {row.slice for row in found.rows if row.by} == {"north", "south"}


def test_what_has_no_answer_is_left_out_and_told_or_counted_as_wrong(registry: Registry) -> None:
    content = [(scan(n), Finding(None if n == 3 else label)) for n, label in enumerate(TRUTH[:40])]
    held = Suite("s", test_cases=[Case("c", test_samples=content)])

    def infer(each: Scan) -> Said | None:
        if each.n == 1:
            raise ValueError("no")
        return None if each.n == 0 else Said(None if each.n == 2 else ScoredLabel(TRUTH[each.n], 0.9))

    test(Net("m", infer), held, on_error="record")
    found, columns = registry.measure("m", suite="s"), registry.predictions("m", suite="s")
    assert (found.coverage.ok, found.coverage.skipped, found.coverage.error) == (38, 1, 1)
    assert columns.coverage == found.coverage
    assert (columns.unlabelled, columns.silent) == (1, 0)
    assert columns.sample_idx.tolist() == [2, *range(4, 40)]
    assert columns.arrow()["predicted"].to_pylist()[:2] == [None, "y"]
    assert found.row().value == metrics.accuracy_score(columns.truth, columns.predicted) == pytest.approx(36 / 37)
    assert "of m@1, 1 skipped, 1 error: left out" in found.warnings
    assert "1 sample without a label in the ground truth: left out" in found.warnings
    assert "1 skipped; 1 error; 1 without a truth" in repr(columns)
    strict, every = registry.measure("m", suite="s", strict=True), registry.predictions("m", suite="s", strict=True)
    assert every.arrow()["predicted"].to_pylist()[:4] == [None, None, None, "y"]
    assert strict.row().value == metrics.accuracy_score(every.truth, every.predicted) == pytest.approx(36 / 39)
    assert "of m@1, 1 skipped, 1 error: counted as wrong" in strict.warnings


def test_predictions_are_columns_for_anything(scans: Registry) -> None:
    columns = scans.predictions("m@1", suite="s", by=["metadata.site", "n % 2 = 0"])
    table = columns.arrow()
    assert table.column_names == [
        "sample_idx", "test_case", "truth", "predicted", "score", "metadata.site", "n % 2 = 0"
    ]  # fmt: skip
    assert table["truth"].to_pylist() == TRUTH
    assert table["predicted"].to_pylist() == said("m")
    assert table["metadata.site"].to_pylist() == SITES
    assert table["test_case"].to_pylist() == ["low"] * 60 + ["high"] * 30  # each sample once
    accuracy = metrics.accuracy_score(columns.truth, columns.predicted)
    frame, polars = columns.df(), columns.pl()
    assert metrics.accuracy_score(frame["truth"], frame["predicted"]) == accuracy
    assert (frame["truth"].astype(str) == frame["predicted"].astype(str)).mean() == pytest.approx(accuracy)
    assert metrics.accuracy_score(polars["truth"], polars["predicted"]) == accuracy
    relation = duckdb.connect().from_arrow(table)
    assert metrics.accuracy_score(relation.select("truth"), relation.select("predicted")) == accuracy
    by_site = metrics.per_group(table["metadata.site"], metrics.accuracy_score, columns.truth, columns.predicted)
    measured = scans.measure("m", suite="s", by="metadata.site")
    assert by_site == {site: measured.row(slice=site).value for site in ("north", "south")}


def test_numbers_are_columns_and_are_measured_alike(registry: Registry) -> None:
    dice = random.Random(3)
    truth = [None if n == 7 else dice.gauss(5, 2) for n in range(50)]
    guesses = [None if n == 8 else (truth[n] or 0) + dice.gauss(0, 1) for n in range(50)]
    held = SizeSuite("s", test_cases=[SizeCase("c", test_samples=[(scan(n), Size(truth[n])) for n in range(50)])])
    test(SizeNet("m", lambda each: None if each.n == 9 else Guess(guesses[each.n])), held)
    found, columns = registry.measure("m", suite="s"), registry.predictions("m", suite="s")
    assert columns.truth.tolist() == [truth[n] for n in range(50) if n not in (7, 8, 9)]
    assert (columns.unlabelled, columns.silent, columns.coverage.skipped, columns.scores) == (1, 1, 1, None)
    for name, function in (
        ("mean_absolute_error", metrics.mean_absolute_error),
        ("root_mean_squared_error", metrics.root_mean_squared_error),
        ("r2", metrics.r2_score),
        ("spearman", metrics.spearman),
        ("median_absolute_error", metrics.median_absolute_error),
    ):
        assert found.row(name).value == pytest.approx(function(columns.truth, columns.predicted)), name
    errors = np.abs(np.asarray(columns.predicted) - np.asarray(columns.truth))
    half = 2.0128955989194299 * errors.std(ddof=1) / len(errors) ** 0.5  # t, 46 degrees of freedom
    mae = found.row("mean_absolute_error")
    assert (mae.low, mae.high) == pytest.approx((errors.mean() - half, errors.mean() + half))
    assert found.row("spearman").low is None
    assert found.row("spearman").reason == "a metric of the order of samples has no interval"
    with pytest.raises(InvalidInputError, match="strict counts a sample without an inference as wrong"):
        registry.predictions("m", suite="s", strict=True)
    with pytest.raises(InvalidInputError, match="inferences have no score beside their label"):
        columns.positive_scores()


@pytest.mark.parametrize("score_of", ["predicted", "positive"])
def test_scores_are_turned_into_those_of_one_label(registry: Registry, score_of: str) -> None:
    dice = random.Random(8)
    truth = [dice.choice("ny") for _ in range(60)]
    of_y = [min(0.99, max(0.01, 0.5 + 0.2 * (label == "y") - 0.1 + dice.gauss(0, 0.2))) for label in truth]
    held = Suite("s", test_cases=[Case("c", test_samples=[(scan(n), Finding(truth[n])) for n in range(60)])])

    def infer(each: Scan) -> Said:
        label = "y" if of_y[each.n] >= 0.5 else "n"
        turned = label == "n" and score_of == "predicted"
        return Said(ScoredLabel(label, 1 - of_y[each.n] if turned else of_y[each.n]))

    test(Net("m", infer), held)
    found, columns = registry.measure("m", suite="s"), registry.predictions("m", suite="s")
    scores = columns.positive_scores("y")
    assert scores.tolist() == pytest.approx(of_y)
    assert columns.positive_scores().tolist() == scores.tolist()
    auc = metrics.roc_auc_score(columns.truth, scores, pos_label="y")
    assert found.row("roc_auc").value == pytest.approx(auc)
    low, high = found.row("roc_auc").low, found.row("roc_auc").high
    assert low is not None
    assert high is not None
    assert low < auc < high  # type: ignore[operator]
    loss = metrics.log_loss(columns.truth, scores, pos_label="y")
    assert found.row("log_loss").value == pytest.approx(loss)
    assert "'y' is taken for positive" in str(found.row("roc_auc").reason)
    with pytest.raises(InvalidInputError, match="positive is 'q', which no sample and no inference has"):
        columns.positive_scores("q")
    with pytest.raises(InvalidInputError, match="score_of is 'both'"):
        columns.positive_scores("y", score_of="both")  # type: ignore[arg-type]


def test_scores_that_may_be_of_either_label_are_not_guessed(scans: Registry) -> None:
    columns = scans.predictions("m", suite="s")
    assert columns.scores is not None
    assert set(columns.scores.tolist()) == {0.9}
    with pytest.raises(InvalidInputError, match="there are 3 labels; say which one is positive"):
        columns.positive_scores()
    with pytest.raises(InvalidInputError, match="scores of the label that is said tell nothing of 'y'"):
        columns.positive_scores("y", score_of="predicted")


def test_boxes_are_measured_and_are_no_columns(registry: Registry) -> None:
    box = ((0.0, 0.0), (10.0, 10.0), "cat")
    held = BoxSuite(
        "s", test_cases=[BoxCase("c", test_samples=[(scan(n), Boxes([LabeledBoundingBox(*box)])) for n in range(12)])]
    )
    seen = [ScoredLabeledBoundingBox(*box, 0.9)]
    test(BoxNet("m", lambda each: Seen(seen if each.n % 3 else [])), held)
    found = registry.measure("m", suite="s", metrics=["AP50", "recall"])
    assert found.task == "detection"
    assert found.row("recall").value == pytest.approx(8 / 12)
    for name in ("AP50", "recall"):
        low, high = found.row(name).low, found.row(name).high
        assert low is not None, name
        assert high is not None, name
        assert low < found.row(name).value < high  # type: ignore[operator]
        assert found.row(name).reason is None
    with pytest.raises(InvalidInputError, match="'Boxes' has lists of boxes"):
        registry.predictions("m", suite="s")


def test_what_an_evaluator_said_is_measured(scans: Registry) -> None:
    test(Net("m", lambda _: None), Suite("s"), "classification")
    found = scans.measure("m", suite="s", evaluator="classification", metrics=["right", "f1_macro"])
    assert found.row("right").value == scans.measure("m", suite="s").row("accuracy").value
    assert found.row("right").low == scans.measure("m", suite="s").row("accuracy").low
    assert found.row("f1_macro").value == pytest.approx(scans.measure("m", suite="s").row("f1_macro").value)
    assert found.row("f1_macro").low is None
    assert "said by the evaluator as one number" in str(found.row("f1_macro").reason)


def test_no_reason_speaks_of_two_models(registry: Registry) -> None:
    """A model that says nothing, or one class only, of a ground truth of one class or two."""
    for suite, truths in (("one", ["x"] * 8), ("two", ["x", "y"] * 4)):
        content = [(scan(n), Finding(label)) for n, label in enumerate(truths)]
        held = Suite(suite, test_cases=[Case(suite, test_samples=content)])
        for name, answer in (("x", "x"), ("q", "q"), ("silent", None)):
            label = None if answer is None else ScoredLabel(answer, 0.9)
            test(Net(f"{name} {suite}", lambda _, label=label: Said(label)), held)  # type: ignore[misc]
            every = [*registry.measure(f"{name} {suite}", suite=suite).rows]
            every += registry.measure(f"{name} {suite}", suite=suite, metrics=["roc_auc", "specificity"]).rows
            for row in every:
                assert not any(word in str(row.reason) for word in ("model a", "model b", "models", "bootstrap")), row
                assert row.low is not None or row.reason, row
    told = registry.measure("q two", suite="two").row("precision", label="x")
    assert (told.value, told.low) == (0.0, None)
    assert told.reason == "the model never says the class, so that its precision is 0 by convention"


def test_perfect_scores_have_an_end_of_range_and_no_interval(registry: Registry) -> None:
    content = [(scan(n), Finding("ny"[n % 2])) for n in range(30)]
    held = Suite("s", test_cases=[Case("c", test_samples=content)])
    test(Net("m", lambda each: Said(ScoredLabel("ny"[each.n % 2], 0.7))), held)
    row = registry.measure("m", suite="s", metrics=["roc_auc"], positive="y", score_of="predicted").row()
    assert (row.value, row.low) == (1.0, None)
    assert row.reason == "at the end of its range, its standard error tells nothing"
    usual = registry.measure("m", suite="s", score_of="predicted")
    taken = "'y' is taken for positive; positive= names another"
    assert usual.row("roc_auc").reason == f"{row.reason}; {taken}", "why there is no interval comes first"
    lines = str(usual).splitlines()
    assert [line.endswith(f": {taken}") for line in lines].count(True) == str(usual).count("is taken for") == 1
    assert f"no interval of roc_auc, average_precision: {row.reason}" in lines
    assert usual.row("expected_calibration_error").reason == "it is a mean over bins, and biased by how many there are"


def test_a_cluster_counts_as_one(scans: Registry) -> None:
    alone, clustered = (scans.measure("m", suite="s", group_by=by) for by in (None, "metadata.patient"))
    assert clustered.row().value == alone.row().value
    assert clustered.row().low != alone.row().low
    assert clustered.row("recall", label="x").reason == "there is no interval of it"
    of_classes = str(scans.measure("m", suite="s", group_by="metadata.patient", metrics=["recall"]))
    assert "no interval of recall of x, recall of y, recall of z" in of_classes.splitlines()


def test_a_measurement_is_told_as_text_json_and_in_a_notebook(scans: Registry) -> None:
    found = scans.measure("m", suite="s", metrics=["accuracy", "f1_macro"])
    assert str(found).splitlines()[0] == "m@1 on test suite 's' version 1: 90 samples"
    assert f"accuracy  {found.row().value:.4f}" in str(found)
    told = found.to_dict()
    assert told["coverage"] == {"ok": 90, "skipped": 0, "error": 0, "missing": 0}
    assert found.to_json() == scans.measure("m", suite="s", metrics=["accuracy", "f1_macro"]).to_json()
    assert "<td>accuracy</td>" in found._repr_html_()
    with pytest.raises(NotFoundError, match="the measurement has no row of metric 'acuracy'; did you mean 'accuracy'"):
        found.row("acuracy")


def test_few_samples_are_told(registry: Registry) -> None:
    content = [(scan(n), Finding(TRUTH[n])) for n in range(5)]
    test(
        Net("m", lambda each: Said(ScoredLabel(TRUTH[each.n], 0.9))),
        Suite("s", test_cases=[Case("c", test_samples=content)]),
    )
    assert "only 5 samples: intervals are rough" in registry.measure("m", suite="s").warnings


def test_a_million_rows_need_no_text_each(scans: Registry) -> None:
    truth = scans.predictions("m", suite="s").truth
    assert isinstance(truth, pa.DictionaryArray)
    assert truth.dictionary.to_pylist() == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"model": "m", "suite": "q"}, NotFoundError, "no test suite 'q'"),
        ({"model": "q", "suite": "s"}, NotFoundError, "no model 'q'"),
        ({"model": "idle", "suite": "s"}, NotFoundError, "'idle@1' has no inferences on test suite 's'"),
        ({"model": "other", "suite": "s"}, WorkflowMismatchError, "'other@1' belongs to another workflow"),
        ({"model": "m", "suite": "s", "by": "metadata.("}, InvalidInputError, "metadata"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    scans: Registry, asked: dict[str, Any], error: type[Exception], message: str
) -> None:
    Net("idle", lambda _: None)
    scans.get_model("idle").create_version("1")
    sizes = SizeSuite("sizes", test_cases=[SizeCase("sizes", test_samples=[(scan(0), Size(1.0))])])
    test(SizeNet("other", lambda _: Guess(1.0)), sizes)
    model = asked.pop("model")
    for verb in (scans.measure, scans.predictions):
        with pytest.raises(error, match=message.replace("(", r"\(")):
            verb(model, **asked)


def test_names_that_are_not_known_are_refused(scans: Registry) -> None:
    with pytest.raises(InvalidInputError, match="'acuracy' is no metric of classification; did you mean 'accuracy'"):
        scans.measure("m", suite="s", metrics=["acuracy"])
    with pytest.raises(InvalidInputError, match="by is 'truth', and there is a column of that name already"):
        scans.predictions("m", suite="s", by="truth")
    assert isinstance(scans.measure("m", suite=Suite("s")), Measurement)
