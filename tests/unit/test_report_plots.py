from __future__ import annotations

import json
import random
import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, average_precision_score, roc_auc_score, roc_curve

from localreg import Comparison, Registry
from localreg.compare.report.rendering import rendered
from localreg.html import theme
from tests.reports import Page, compared

Spec = dict[str, Any]


def values(spec: Spec) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = spec["data"]["values"]
    return found


def subtitle(spec: Spec) -> str:
    return " ".join(spec["title"]["subtitle"])


def animals(registry: Registry, **asked: Any) -> tuple[Comparison, list[str], list[list[str]], list[list[float]]]:
    """Two classes, two models, scores that may be probabilities."""
    dice = random.Random(11)
    truth = [dice.choice(["cat", "dog"]) for _ in range(300)]
    answers = [[each if dice.random() < good else "cat" for each in truth] for good in (0.5, 0.9)]
    scores = [[round(dice.uniform(0.5, 1), 2) for _ in truth] for _ in answers]
    return compared(registry, truth, *answers, scores=scores, **asked), truth, answers, scores


# --- differences with intervals ---------------------------------------------------------------------------------------


def test_a_forest_shows_each_part_sorted_with_its_interval_and_zero(registry: Registry) -> None:
    comparison, *_ = animals(registry, weather=["fine", "rain", "fog"], by="weather")
    spec = comparison.plots()["by weather"]
    drawn = values(spec)
    rows = {row.slice: row for row in comparison.rows if row.by == "weather" and row.metric == "accuracy"}
    assert sorted(each["part"].split()[0] for each in drawn) == sorted(map(str, rows))
    for each in drawn:
        row = rows[each["part"].split()[0]]
        assert each["part"].endswith(f"(n = {row.n})")
        told = (each["low"], each["difference"], each["high"], each["verdict"])
        assert (row.low, row.difference, row.high) != (None, None, None)
        assert told == pytest.approx((100 * row.low, 100 * row.difference, 100 * row.high, row.verdict))  # type: ignore[operator]
    assert [each["difference"] for each in drawn] == sorted((each["difference"] for each in drawn), reverse=True)
    zero, whole, *_ = [layer["encoding"]["x"].get("datum") for layer in spec["layer"]]
    assert zero == 0
    assert whole == pytest.approx(100 * comparison.difference)  # type: ignore[operator]
    low, high = spec["layer"][-1]["encoding"]["x"]["scale"]["domain"]
    assert low < 0 < high
    assert all(low < each["difference"] < high for each in drawn)
    assert "points" in " ".join(spec["layer"][-1]["encoding"]["x"]["axis"]["title"])


def test_of_many_parts_the_best_and_worst_are_drawn_and_that_is_told(registry: Registry) -> None:
    comparison, *_ = animals(registry, by="n % 60", bins=100)
    spec = comparison.plots()["by n % 60"]
    differences = sorted(row.difference for row in comparison.rows if row.by and row.metric == "accuracy")  # type: ignore[type-var]
    assert len(differences) == 60
    drawn = sorted(each["difference"] / 100 for each in values(spec))
    assert drawn == pytest.approx([*differences[:20], *differences[-20:]])
    assert "Of 60 only the 20 best and the 20 worst" in subtitle(spec)


def test_parts_whose_names_begin_alike_stay_apart(registry: Registry) -> None:
    comparison, *_ = animals(registry, weather=["x" * 50 + "1", "x" * 50 + "2"], by="weather")
    names = [each["part"] for each in values(comparison.plots()["by weather"])]
    assert len(set(names)) == 2


def test_an_interval_that_is_cut_ends_in_an_arrow_and_that_is_told(registry: Registry) -> None:
    truth = ["x"] * 402
    said = ["y" if n % 9 == 0 else "x" for n in range(402)]
    weather = ["fine" if n < 200 else "rain" if n < 400 else "fog" for n in range(402)]
    comparison = compared(registry, truth, said, truth, weather=weather, by="weather")
    spec = comparison.plots()["by weather"]
    (fog,) = [each for each in values(spec) if each["part"].startswith("fog")]
    low, high = spec["layer"][-1]["encoding"]["x"]["scale"]["domain"]
    assert fog["low"] < low
    assert fog["high"] > high
    assert "end in an arrow reach further" in subtitle(spec)
    arrows = [layer for layer in spec["layer"] if "triangle-" in layer["mark"].get("shape", "")]
    assert [(each["mark"]["shape"], each["encoding"]["x"]["datum"]) for each in arrows] == [
        ("triangle-left", low),
        ("triangle-right", high),
    ]
    # Drawn for the one that is cut, and for no other.
    marks = [rendered({**spec, "layer": [{**each, "encoding": {**each["encoding"]}}]}, "p") for each in arrows]
    assert [len(re.findall(r"mark-symbol role-mark.*?</g>", svg)[0].split("<path")) - 1 for svg in marks] == [1, 1]


# --- confusions -------------------------------------------------------------------------------------------------------


def test_the_confusion_plot_has_the_differences_coloured_by_what_is_good(registry: Registry) -> None:
    truth = ["a", "a", "a", "b", "b", "c"]
    old = ["a", "b", "b", "b", "a", "c"]
    new = ["a", "a", "c", "b", "b", "c"]
    found = {
        (each["truth"], each["said"]): each for each in values(compared(registry, truth, old, new).plots()["confusion"])
    }
    expected = Counter(zip(truth, new, strict=True))
    expected.subtract(Counter(zip(truth, old, strict=True)))
    assert {cell: each["difference"] for cell, each in found.items()} == dict(expected)
    assert found["a", "a"]["change"] == "better"  # more right answers
    assert found["a", "b"]["change"] == "better"  # fewer mistakes
    assert found["a", "c"]["change"] == "worse"
    assert found["c", "c"]["change"] == "same"
    assert (found["a", "b"]["shown"], found["a", "c"]["shown"]) == ("\N{MINUS SIGN}2", "+1")


def test_of_many_classes_those_with_most_changes_are_drawn_and_that_is_told(registry: Registry) -> None:
    truth = [f"class {n:02}" for n in range(30) for _ in range(3)]
    new = [("class 00" if label == "class 29" else label) for label in truth]
    spec = compared(registry, truth, truth, new).plots()["confusion"]
    drawn = {each["truth"] for each in values(spec)}
    assert len(drawn) == 20
    assert {"class 29"} <= drawn
    assert "Of 30 classes the 20 with most changes" in subtitle(spec)


def test_what_has_no_answer_is_a_column_of_its_own(registry: Registry) -> None:
    comparison = compared(registry, ["x", "y", "x"], ["x", None, "x"], ["x", "y", "x"], strict=True)
    cells = {(each["truth"], each["said"]): each["difference"] for each in values(comparison.plots()["confusion"])}
    assert cells["y", "(no answer)"] == -1


# --- curves -----------------------------------------------------------------------------------------------------------


def test_curves_are_those_of_scikit_learn(registry: Registry) -> None:
    comparison, truth, answers, scores = animals(registry)
    plots = comparison.plots()
    positive = np.array(truth) == "dog"
    for name, said, own in zip(("old@1", "new@1"), answers, scores, strict=True):
        probability = np.where(np.array(said) == "dog", own, 1 - np.array(own))
        assert f"{name}: AUC {roc_auc_score(positive, probability):.4f}" in subtitle(plots["roc"])
        assert f"{name}: AP {average_precision_score(positive, probability):.4f}" in subtitle(plots["precision_recall"])
        fpr, tpr, _ = roc_curve(positive, probability, drop_intermediate=False)
        assert points(plots["roc"], name) == pytest.approx(np.column_stack([fpr, tpr]), abs=1e-6)
        right = np.array(said) == np.array(truth)
        share, mean = calibration_curve(right, own, n_bins=15)
        assert points(plots["reliability"], name) == pytest.approx(np.column_stack([mean, share]))
        bins = np.ceil(np.round(np.array(own) * 15, 6)).astype(int)
        gaps = [abs(right[bins == each].mean() - np.array(own)[bins == each].mean()) for each in np.unique(bins)]
        error = np.average(gaps, weights=np.unique(bins, return_counts=True)[1])
        assert f"{name}: ECE {error:.3f}" in subtitle(plots["reliability"])
        assert points(plots["coverage"], name)[-1] == pytest.approx([1, accuracy_score(truth, said)], abs=1e-6)
    assert "positive: dog" in subtitle(plots["roc"])
    assert {layer["mark"]["type"] for layer in plots["coverage"]["layer"]} == {"line"}


def points(spec: Spec, name: str) -> np.ndarray[Any, Any]:
    return np.array([(each["x"], each["y"]) for each in values(spec) if each["model"] == name])


def test_samples_of_one_score_are_answered_together(registry: Registry) -> None:
    """Within equal scores there is no order: a curve that had one would depend on the order of the suite."""
    spec = compared(registry, ["x", "x", "y", "y"], ["x"] * 4, ["y"] * 4, score_of="predicted").plots()["coverage"]
    assert points(spec, "old@1") == pytest.approx(np.array([[1, 0.5]]))
    # A line of one point is not seen.
    drawn = [layer["transform"][0]["filter"]["equal"] for layer in spec["layer"] if layer["mark"]["type"] == "point"]
    assert drawn == ["old@1", "new@1"]
    assert "A point alone: all scores of old@1 and of new@1 are equal." in subtitle(spec)
    assert len(re.findall(r"mark-symbol role-mark.*?</g>", rendered(spec, "p"))) == 2


def of_positive(registry: Registry, **asked: Any) -> tuple[Comparison, list[bool], list[list[float]]]:
    """Two models whose score is P(malignant), whatever they say, as `predict_proba` of scikit-learn gives it."""
    dice = random.Random(5)
    truth = [dice.choice(["benign", "malignant"]) for _ in range(400)]
    scores = [
        [min(0.999, max(0.001, dice.gauss(0.75 if each == "malignant" else 0.25, spread))) for each in truth]
        for spread in (0.3, 0.15)
    ]
    answers = [["malignant" if each >= 0.5 else "benign" for each in own] for own in scores]
    comparison = compared(registry, truth, *answers, scores=scores, **asked)
    return comparison, [each == "malignant" for each in truth], scores


@pytest.mark.parametrize("asked", [{"positive": "malignant", "score_of": "positive"}, {}, {"positive": "benign"}])
def test_curves_and_metrics_take_the_same_scores(registry: Registry, asked: dict[str, Any]) -> None:
    comparison, truth, scores = of_positive(registry, **({"score_of": "positive"} | asked if asked else {}))
    if asked.get("positive") == "benign":  # then the scores are told to be of the other label
        truth = [not each for each in truth]
    plots = comparison.plots()
    assert {"reliability", "roc", "precision_recall", "coverage"} <= plots.keys()
    for name, own, side in zip(("old@1", "new@1"), scores, "ab", strict=True):
        rows = {each.metric: getattr(each, side) for each in comparison.rows if each.test_case is each.label is None}
        assert rows["roc_auc"] == pytest.approx(roc_auc_score(truth, own))
        assert f"{name}: AUC {rows['roc_auc']:.4f}" in subtitle(plots["roc"])
        assert f"{name}: AP {rows['average_precision']:.4f}" in subtitle(plots["precision_recall"])
        assert f"{name}: ECE {rows['expected_calibration_error']:.3f}" in subtitle(plots["reliability"])
    assert f"positive: {asked.get('positive', 'malignant')}" in subtitle(plots["roc"])


def test_how_sure_a_model_is_follows_from_the_score_of_the_positive_label(registry: Registry) -> None:
    comparison, truth, scores = of_positive(registry)
    plots = comparison.plots()
    for name, own in zip(("old@1", "new@1"), scores, strict=True):
        said = np.array(own)
        sure, right = np.maximum(said, 1 - said), (said >= 0.5) == np.array(truth)
        share, mean = calibration_curve(right, sure, n_bins=15)
        assert points(plots["reliability"], name) == pytest.approx(np.column_stack([mean, share]), abs=1e-6)
        drawn = points(plots["coverage"], name)
        for x, y in drawn[[0, len(drawn) // 2, -1]]:
            taken = np.argsort(-sure)[: round(x * len(sure))]
            assert y == pytest.approx(right[taken].mean(), abs=1e-6)


def test_where_it_is_not_clear_whose_scores_they_are_the_page_says_what_the_table_says(
    registry: Registry, tmp_path: Any
) -> None:
    truth = ["x", "y"] * 12
    comparison = compared(registry, truth, ["x"] * 24, truth, metrics=["accuracy", "roc_auc"])
    reason = comparison.row("roc_auc").reason
    assert reason is not None
    assert "it is not clear whether scores are of the label that is said or of 'y'" in reason
    assert set(comparison.plots()) == {"confusion"}
    text = Page(comparison.to_html(tmp_path / "r.html").read_text(encoding="utf-8")).text
    assert f"No reliability, ROC, precision-recall and accuracy-over-coverage curves: {reason}." in text


@pytest.mark.parametrize(
    ("labels", "scores", "there", "told"),
    [
        ("xy", [0.6, 0.9], {"reliability", "roc", "precision_recall", "coverage"}, None),
        ("xy", [0.4, 0.9], {"reliability", "roc", "precision_recall", "coverage"}, None),
        ("xy", [0.6, 7.5], {"coverage"}, "No reliability, ROC and precision-recall curves: scores are no probab"),
        ("xyz", [0.6, 0.9], {"reliability", "coverage"}, "precision-recall curves: there are 3 labels; say which one"),
    ],
)
def test_curves_that_scores_do_not_allow_are_left_out_with_the_reason(
    registry: Registry, tmp_path: Any, labels: str, scores: list[float], there: set[str], told: str | None
) -> None:
    truth = [labels[n % len(labels)] for n in range(24)]
    said = [labels[0]] * 24
    comparison = compared(registry, truth, said, truth, scores=[scores * 12, scores * 12], score_of="predicted")
    assert set(comparison.plots()) - {"confusion"} == there
    page = Page(comparison.to_html(tmp_path / "r.html").read_text(encoding="utf-8")).text
    assert ("No ROC" in page) is (labels == "xyz")
    assert told is None or told in page


# --- all of them ------------------------------------------------------------------------------------------------------


def test_a_plot_has_only_colours_that_the_dark_page_knows(registry: Registry) -> None:
    comparison, *_ = animals(registry, weather=["fine", "rain"], cases=["one", "two"], by="weather")
    plots = comparison.plots()
    assert set(plots) == {
        "by test case", "by weather", "confusion", "reliability", "roc", "precision_recall", "coverage"
    }  # fmt: skip
    for spec in plots.values():
        svg = rendered(spec, "p")
        colors = set(re.findall(r'(?:fill|stroke)="([^"]+)"', svg)) - {"none", "transparent"}
        assert colors <= set(theme.DARK)
        assert 'style="' not in svg, "the page's policy would refuse it"


def test_both_models_look_the_same_in_all_curves_and_differ_without_colour(registry: Registry) -> None:
    plots = animals(registry)[0].plots()
    for name in ("reliability", "roc", "precision_recall", "coverage"):
        encoding = next(layer["encoding"] for layer in plots[name]["layer"] if "color" in layer["encoding"])
        assert encoding["color"]["scale"] == {"domain": ["old@1", "new@1"], "range": [theme.BASELINE, theme.CANDIDATE]}
        assert encoding["strokeDash"]["scale"]["range"] == [[5, 3], [1, 0]]


def test_specifications_are_plain_json_and_the_same_each_time(registry: Registry) -> None:
    comparison, *_ = animals(registry, by="weather")
    first = comparison.plots()
    assert json.loads(json.dumps(first, allow_nan=False)) == first
    assert comparison.plots() == first
    for spec in first.values():
        assert rendered(spec, "p") == rendered(spec, "p"), "ids go on from picture to picture"


def test_plots_of_several_candidates_say_whose_they_are(registry: Registry) -> None:
    comparison = compared(registry, ["x", "y"], ["x", "x"], ["x", "y"], ["y", "y"])
    assert {name.partition(": ")[0] for name in comparison.plots()} == {"new@1", "newest@1"}


def test_a_model_beside_itself_has_two_lines(registry: Registry) -> None:
    compared(registry, ["x", "y"], ["x", "x"], ["x", "y"])
    spec = registry.compare("old", "old", suite="shots", score_of="predicted").plots()["coverage"]
    assert {each["model"] for each in values(spec)} == {"old@1", "old@1 (candidate)"}
