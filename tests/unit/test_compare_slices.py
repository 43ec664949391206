"""Comparisons in slices, of several candidates, and what is told beside the numbers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from localreg import InvalidInputError, NotFoundError, Registry
from localreg.workflow import GroundTruth, Inference, ScoredLabel, TestSample, define_workflow, test


@dataclass(frozen=True)
class Shot(TestSample):
    n: int
    weather: str | None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Animal(GroundTruth):
    label: str | None


@dataclass(frozen=True)
class Guess(Inference):
    label: ScoredLabel | None


_, Case, Suite, Net = define_workflow("Shots", Shot, Animal, Guess)

WEATHERS = ("sun", "rain", None, "", "null", "fog ")


def shots(count: int) -> list[tuple[Shot, Animal]]:
    return [
        (Shot(n, WEATHERS[n % len(WEATHERS)], {"iso": 100 * (n % 4), "site": "ab"[n % 2]}), Animal("xyz"[n % 3]))
        for n in range(count)
    ]


def record(name: str, labels: list[str | None], scores: list[float] | None = None) -> None:
    """What a model says of shots 0, 1, …; None = not asked."""
    rows = [
        {"n": n, "label": {"label": label, "score": 0.5 if scores is None else scores[n]}}
        for n, label in enumerate(labels)
        if label is not None
    ]
    Net(name).record(_table(rows), on="n")


def _table(rows: list[dict[str, Any]]) -> Any:
    import pyarrow as pa

    return pa.Table.from_pylist(rows)


def rows_of(comparison: Any, **wanted: Any) -> list[Any]:
    return [row for row in comparison.rows if all(getattr(row, name) == value for name, value in wanted.items())]


@pytest.fixture
def compared(registry: Registry) -> Registry:
    """240 shots, two models that differ by chance, and one that is much better."""
    dice = random.Random(3)
    suite = shots(240)
    Suite("s", test_cases=[Case("all", test_samples=suite)])
    for name, right in (("a", 0.6), ("b", 0.62), ("c", 0.95)):
        record(name, [str(truth.label) if dice.random() < right else "w" for _, truth in suite])
    return registry


@pytest.mark.parametrize("by", ["weather", "sample.weather", "weather || ''", "metadata.site", "ground_truth.label"])
def test_slices_add_up_to_the_suite(compared: Registry, by: str) -> None:
    comparison = compared.compare("a", "b", suite="s", by=by, metrics=["accuracy"])
    whole, slices = comparison.row(), rows_of(comparison, by=by)
    assert len(slices) > 1
    assert sum(row.n for row in slices) == whole.n == 240
    assert sum(row.fixed for row in slices) == whole.fixed
    assert sum(row.broken for row in slices) == whole.broken
    assert whole.a is not None
    assert sum(row.a * row.n for row in slices) == pytest.approx(whole.a * 240)


def test_a_field_of_text_makes_the_slices_that_sql_makes(compared: Registry) -> None:
    """The short way by dictionaries of files, and the long one by DuckDB."""
    short = compared.compare("a", "b", suite="s", by="weather")
    long = compared.compare("a", "b", suite="s", by="(weather)")
    told = [[(row.slice, row.metric, row.n, row.a, row.b) for row in each.rows if row.by] for each in (short, long)]
    assert told[0] == told[1]
    assert [row.slice for row in rows_of(short, metric="accuracy") if row.by] == [
        '""',
        '"fog "',
        '"null"',
        "rain",
        "sun",
        "null",
    ]


def test_numbers_are_cut_into_bins(compared: Registry) -> None:
    comparison = compared.compare("a", "b", suite="s", by="metadata.iso", bins=2, metrics=["accuracy"])
    assert [row.slice for row in rows_of(comparison, by="metadata.iso")] == ["iso ≤ 100", "iso > 100"]
    each = compared.compare("a", "b", suite="s", by="metadata.iso", metrics=["accuracy"])
    assert [row.slice for row in rows_of(each, by="metadata.iso")] == ["0", "100", "200", "300"]


def test_several_expressions_are_several_breakdowns(compared: Registry) -> None:
    comparison = compared.compare("a", "b", suite="s", by=["weather", "metadata.site"], metrics=["accuracy"])
    assert {row.by for row in comparison.rows} == {None, "weather", "metadata.site"}
    assert [row.slice for row in rows_of(comparison, by="metadata.site")] == ["a", "b"]


def test_each_candidate_is_compared_with_the_baseline(compared: Registry) -> None:
    together = compared.compare("a", "b", "c", suite="s", metrics=["accuracy", "recall"])
    assert together.candidates == ("b@1", "c@1")
    for name in "bc":
        alone = compared.compare("a", name, suite="s", metrics=["accuracy", "recall"])
        mine = rows_of(together, candidate=f"{name}@1")
        assert [(row.a, row.b, row.p, row.low, row.high) for row in mine] == [
            (row.a, row.b, row.p, row.low, row.high) for row in alone.rows
        ]
    assert (together.row(candidate="c@1").verdict, together.row().verdict) == ("improved", "inconclusive")
    assert len(together.samples("fixed", candidate="c@1")) == together.row(candidate="c@1").fixed
    with pytest.raises(NotFoundError, match=r"'d@1' is not compared here; did you mean 'b@1' or 'c@1'\?$"):
        together.samples(candidate="d@1")


def test_p_values_are_adjusted_within_a_metric_and_a_breakdown(compared: Registry) -> None:
    comparison = compared.compare("a", "c", suite="s", by=["weather", "metadata.site"], metrics=["accuracy"])
    for by, count in (("weather", 6), ("metadata.site", 2)):
        rows = sorted(rows_of(comparison, by=by), key=lambda row: row.p)
        assert len(rows) == count
        assert rows[0].p_adjusted == pytest.approx(min(1, count * rows[0].p))
    assert comparison.row().p_adjusted == comparison.p
    plain = compared.compare("a", "c", suite="s", by="weather", metrics=["accuracy"], adjust="none")
    assert all(row.p_adjusted == row.p for row in plain.rows)
    shares = compared.compare("a", "c", suite="s", by="weather", metrics=["accuracy"], adjust="bh")
    holm = rows_of(comparison, by="weather")
    bh = rows_of(shares, by="weather")
    assert all(a.p_adjusted <= b.p_adjusted for a, b in zip(bh, holm, strict=True))
    assert any(a.p_adjusted < b.p_adjusted for a, b in zip(bh, holm, strict=True))


def test_the_first_metric_decides(compared: Registry) -> None:
    comparison = compared.compare("a", "c", suite="s", metrics=["f1_macro", "accuracy"])
    assert comparison.values == (comparison.rows[0].a, comparison.rows[0].b)
    assert [row.metric for row in comparison.rows[:2]] == ["f1_macro", "accuracy"]


def test_values_are_those_of_scikit_learn(compared: Registry) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    comparison = compared.compare("a", "c", suite="s")
    rows = comparison.samples()
    truth, said = rows.arrow()["ground_truth"].to_pylist(), rows.arrow()["b"].to_pylist()
    labels = sorted({*truth})
    macro = {"average": "macro", "labels": labels, "zero_division": 0}
    assert comparison.row("f1_macro").b == pytest.approx(metrics.f1_score(truth, said, **macro), abs=1e-12)
    assert comparison.row("recall_macro").b == pytest.approx(metrics.recall_score(truth, said, **macro), abs=1e-12)
    assert comparison.row("matthews_corrcoef").b == pytest.approx(metrics.matthews_corrcoef(truth, said), abs=1e-12)
    assert comparison.row("cohen_kappa").b == pytest.approx(metrics.cohen_kappa_score(truth, said), abs=1e-12)
    each = metrics.recall_score(truth, said, average=None, labels=["x", "y", "z"])
    assert [comparison.row("recall", label=label).b for label in "xyz"] == pytest.approx(each.tolist())


def test_samples_are_listed_with_labels_scores_outcome_and_slices(registry: Registry) -> None:
    Suite("s", test_cases=[Case("all", test_samples=[*shots(4), (Shot(9, "sun"), Animal(None))])])
    record("a", ["x", "x", "w", None], [0.1, 0.2, 0.3, 0.4])
    record("b", ["x", "y", "x", "x"], [0.5, 0.6, 0.7, 0.8])
    comparison = registry.compare("a", "b", suite="s", by="weather")
    told = [
        (row["sample"]["n"], row["ground_truth"], row["a"], row["b"], row["score_a"], row["score_b"], row["outcome"])
        for row in comparison.samples()
    ]
    assert told == [
        (0, "x", "x", "x", 0.1, 0.5, "both_right"),
        (1, "y", "x", "y", 0.2, 0.6, "fixed"),
        (2, "z", "w", "x", 0.3, 0.7, "both_wrong"),
        (3, "x", None, "x", None, 0.8, "other"),
        (9, None, None, None, None, None, "other"),
    ]
    assert comparison.samples().arrow()["weather"].to_pylist()[:2] == ["sun", "rain"]
    assert [row["sample"]["n"] for row in comparison.fixed] == [1]
    assert "1 sample without a label in the ground truth: left out" in comparison.warnings
    strict = registry.compare("a", "b", suite="s", strict=True)
    assert [row["sample"]["n"] for row in strict.fixed] == [1, 3]
    with pytest.raises(InvalidInputError, match="outcome is 'better'; it must be one of other, both_wrong"):
        comparison.samples("better")  # type: ignore[arg-type]


def test_an_inference_without_a_label_is_wrong_and_not_missing(registry: Registry) -> None:
    import pyarrow as pa

    Suite("s", test_cases=[Case("all", test_samples=shots(3))])
    kind = pa.struct([("label", pa.string()), ("score", pa.float64())])
    said = pa.array([{"label": "x", "score": 0.5}, None, {"label": "z", "score": 0.5}], kind)
    Net("a").record(pa.table({"n": [0, 1, 2], "label": said}), on="n")
    record("b", ["x", "y", "z"])
    comparison = registry.compare("a", "b", suite="s")
    assert (comparison.n, comparison.row().fixed, comparison.coverage[0].ok) == (3, 1, 3)


def test_a_reversal_is_told(registry: Registry) -> None:
    """Precision may rise in each slice and fall over all, though the same samples are compared."""
    truth, a, b, sites = [], [], [], []
    for site, cells in {"p": [("y", "y", 0, 9), ("n", "y", 0, 90)], "q": [("y", "y", 90, 0), ("n", "y", 9, 0)]}.items():
        for label, said, with_a, with_b in cells:
            for model, count in (("a", with_a), ("b", with_b)):
                for _ in range(count):
                    truth.append(label)
                    sites.append(site)
                    a.append(said if model == "a" else "n")
                    b.append(said if model == "b" else "n")
    # A little of the other kind in each slice, so that both have a precision there.
    extra = [("p", "y", "y", "n", 1), ("p", "n", "y", "n", 40), ("q", "y", "n", "y", 40), ("q", "n", "n", "y", 1)]
    for site, label, said_a, said_b, count in extra:
        for _ in range(count):
            truth.append(label)
            sites.append(site)
            a.append(said_a)
            b.append(said_b)
    samples = [(Shot(n, site), Animal(label)) for n, (site, label) in enumerate(zip(sites, truth, strict=True))]
    Suite("s", test_cases=[Case("all", test_samples=samples)])
    record("a", list(a))
    record("b", list(b))
    comparison = registry.compare("a", "b", suite="s", by="weather", metrics=["precision_macro"])
    slices = rows_of(comparison, by="weather")
    assert all(row.difference > 0 for row in slices)
    assert comparison.difference is not None
    assert comparison.difference < 0
    assert any("Simpson's paradox" in each for each in comparison.warnings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": "accuracy"}, "metrics is 'accuracy'; it must be a list"),
        ({"metrics": ["acuracy"]}, "'acuracy' is no metric of classification; did you mean 'accuracy'"),
        ({"confidence": 95}, "confidence is 95; it must be between 0 and 1"),
        ({"adjust": "bonferroni"}, "adjust is 'bonferroni'; it must be 'holm', 'bh' or 'none'"),
        ({"by": ["weather", "weather"]}, "one stands there twice"),
        ({"by": "n", "bins": 1}, "bins is 1; write a whole number, 2 or more"),
        ({"by": 3}, "by is 3; it must be an SQL expression"),
        ({"by": "wether"}, "wether.*did you mean 'weather'"),
        ({"by": "metadata"}, "cannot go by"),
    ],
)
def test_what_cannot_be_meant_is_refused(compared: Registry, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        compared.compare("a", "b", suite="s", **arguments)


def test_a_comparison_needs_a_candidate(compared: Registry) -> None:
    with pytest.raises(InvalidInputError, match="name a candidate"):
        compared.compare("a", suite="s")


def test_few_pairs_are_told(compared: Registry) -> None:
    Suite("few", test_cases=[Case("few", test_samples=shots(12))])
    assert any(each.startswith("only 12 samples paired") for each in compared.compare("a", "b", suite="few").warnings)
    sliced = compared.compare("a", "b", suite="s", by="n % 10")
    assert any("10 of the test cases and slices have fewer than 30 pairs" in each for each in sliced.warnings)


def test_a_breakdown_is_a_table_of_one_metric(compared: Registry) -> None:
    comparison = compared.compare("a", "b", "c", suite="s", by="metadata.site")
    told = comparison.breakdown("metadata.site", metric="f1_macro", candidate="c@1")
    rows = rows_of(comparison, by="metadata.site", metric="f1_macro", candidate="c@1")
    assert [(row["slice"], row["a"], row["b"], row["verdict"]) for row in told] == [
        (row.slice, row.a, row.b, row.verdict) for row in rows
    ]
    assert "reason" not in told.arrow().column_names
    assert [row["test_case"] for row in comparison.breakdown()] == ["all"]
    with pytest.raises(NotFoundError, match=r"nothing was compared by 'weather', but by 'metadata.site'"):
        comparison.breakdown("weather")
    with pytest.raises(NotFoundError, match="no row of metric 'f1'"):
        comparison.breakdown(metric="f1")


def test_macro_metrics_of_parts_are_those_of_scikit_learn_over_classes_of_the_ground_truth(registry: Registry) -> None:
    oracle = pytest.importorskip("sklearn.metrics")
    dice = random.Random(5)
    truth = ["xyz"[n % 3] if n % 4 else "x" for n in range(120)]
    both = shots(120)
    halves = [[(shot, Animal(truth[shot.n])) for shot, _ in both if shot.n % 2 == half] for half in (0, 1)]
    Suite("s", test_cases=[Case("even", test_samples=halves[0]), Case("odd", test_samples=halves[1])])
    said = {
        name: [label if dice.random() < 0.7 else dice.choice("xyz" + astray) for label in truth]
        for name, astray in (("a", "v"), ("b", "wu"))
    }
    for name, labels in said.items():
        record(name, list(labels))
    names = [f"{score}_{average}" for score in ("precision", "recall", "f1") for average in ("macro", "weighted")]
    comparison = registry.compare("a", "b", suite="s", by="n // 12", metrics=[*names, "balanced_accuracy"])
    parts: dict[tuple[str | None, str | None], list[int]] = {(None, None): list(range(120))}
    parts |= {(("even", "odd")[half], None): list(range(half, 120, 2)) for half in (0, 1)}
    parts |= {(None, str(part)): list(range(12 * part, 12 * part + 12)) for part in range(10)}
    astray = 0
    for (test_case, slice), rows in parts.items():
        true = [truth[n] for n in rows]
        for name in names:
            row = comparison.row(name, test_case=test_case, slice=slice)
            score, _, average = name.partition("_")
            assert row.low is not None, "the models are averaged over the same classes"
            for value, labels in ((row.a, said["a"]), (row.b, said["b"])):
                own = [labels[n] for n in rows]
                score_of = getattr(oracle, f"{score}_score")
                expected = score_of(true, own, labels=sorted({*true}), average=average, zero_division=0)
                assert value == pytest.approx(expected, abs=1e-12), (name, test_case, slice)
        astray += len({said["a"][n] for n in rows} ^ {said["b"][n] for n in rows})
    assert astray > 10, "the models say different classes"


def test_slices_of_one_name_are_told_apart_by_their_expression(registry: Registry) -> None:
    frames = [(Shot(n, None, {"fog": n % 2 == 0, "night": n % 3 == 0}), Animal("x")) for n in range(60)]
    Suite("s", test_cases=[Case("all", test_samples=frames)])
    for name, step in (("a", 2), ("b", 5)):
        record(name, ["x" if n % step else "y" for n in range(60)])
    by = ["metadata.fog", "metadata.night"]
    found, measured = registry.compare("a", "b", suite="s", by=by), registry.measure("a", suite="s", by=by)
    for row in (found.row, measured.row):
        assert [row("accuracy", by=each, slice="true").n for each in by] == [30, 20]
        with pytest.raises(
            InvalidInputError, match=r"'metadata.fog' and 'metadata.night' have a slice .* by='metadata"
        ):
            row("accuracy", slice="true")
        with pytest.raises(NotFoundError, match="did you mean 'true'"):
            row("accuracy", by="metadata.fog", slice="ture")


def test_names_of_slices_are_looked_at_without_reading_what_is_listed(
    compared: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a million scores would be read for two names")

    monkeypatch.setattr("localreg.compare.classified.Classification.shown", never)
    assert compared.compare("a", "b", suite="s", by="weather").rows
    with pytest.raises(InvalidInputError, match="a column of that name already"):
        compared.compare("a", "b", suite="s", by="outcome")


def test_a_metric_of_classes_that_is_named_first_does_not_decide(registry: Registry) -> None:
    Suite("s", test_cases=[Case("all", test_samples=[(Shot(n, None), Animal("xy"[n % 2])) for n in range(60)])])
    record("old", ["xy"[n % 2] if n % 4 else "y" for n in range(60)])
    record("new", ["x"] * 60)
    found = registry.compare("old", "new", suite="s", metrics=["recall", "f1"])
    assert list(dict.fromkeys(row.metric for row in found.rows)) == ["recall_macro", "recall", "f1"]
    assert (found.rows[0].label, found.verdict) == (None, "regressed")
    assert found.row("recall", label="x").verdict == "improved"
    assert registry.measure("old", suite="s", metrics=["f1"]).rows[0].metric == "f1_macro"
    assert registry.leaderboard("new", "old", suites="s", metric="f1").dicts()[0]["model"] == "old@1"


@dataclass(frozen=True)
class Taken(TestSample):
    """A sample with fields that are called as columns of lists of samples are."""

    a: str
    outcome: str
    error_b: int
    score_a: str = "none"


@dataclass(frozen=True)
class Size(GroundTruth):
    size: float


@dataclass(frozen=True)
class Measured(Inference):
    size: float


@pytest.mark.parametrize(
    ("types", "taken", "free"),
    [
        ((Animal, Guess), ("a", "outcome", "score_a"), "error_b"),
        ((Size, Measured), ("a", "error_b", "outcome"), "score_a"),
    ],
)
def test_slices_take_the_place_of_no_other_column(
    registry: Registry, types: tuple[Any, Any], taken: Sequence[str], free: str
) -> None:
    truth, said = (types[0]("x"), types[1](ScoredLabel("x", 0.5))) if types[0] is Animal else (Size(1.0), Measured(2.0))
    _, case, suite, net = define_workflow("taken", Taken, *types)
    content = [(Taken("yes" if n % 2 else "no", f"{n % 3}", n % 4), truth) for n in range(12)]
    suite("s", test_cases=[case("one", test_samples=content)])
    test(net("a", lambda _: said), suite("s"))
    plain = registry.compare("a", "a", suite="s").samples().arrow()
    for name in taken:
        with pytest.raises(InvalidInputError, match=f"by is {name!r}.*a column of that name already.*sample.{name}$"):
            registry.compare("a", "a", suite="s", by=[free, name])
    by = [free, "sample.a", "sample.outcome", "test_case"]
    listed = registry.compare("a", "a", suite="s", by=by).samples().arrow()
    assert listed.select(plain.column_names) == plain
    assert set(listed["sample.a"].to_pylist()) == {"yes", "no"}
    assert set(listed.column_names) - set(plain.column_names) == {*by} - {"test_case"}
