"""Joint counts, leave-one-out values and intervals of counting metrics, beside scikit-learn and brute force."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from localreg import InvalidInputError
from localreg.statistics import METRICS, Estimate, JointCounts, compare_counts, joint_counts, mcnemar_exact
from localreg.statistics.counting import FEW_CLUSTERS
from localreg.statistics.distributions import t_quantile
from localreg.statistics.jackknife import Pair, cluster_errors
from localreg.statistics.marginals import AGGREGATES, Marginals
from localreg.statistics.per_class import ClassTables
from tests.simulations.coverage import simulate
from tests.simulations.populations import held_out, populations

sklearn_metrics = pytest.importorskip("sklearn.metrics")

Ints = NDArray[np.int64]


def samples(n: int, classes: int, seed: int, right: float = 0.6, silent: float = 0.05) -> tuple[Ints, Ints, Ints]:
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, classes, n) * generator.integers(0, 2, n)  # class 0 is the most frequent
    said = []
    for _ in range(2):
        guess = np.where(generator.random(n) < right, truth, generator.integers(0, classes, n))
        said.append(np.where(generator.random(n) < silent, -1, guess))
    return truth, said[0], said[1]


def by_name(estimates: list[Estimate], label: int | None = None) -> dict[str, Estimate]:
    return {each.metric: each for each in estimates if each.label == label}


def by_scikit_learn(truth: Ints, said: Ints, labels: list[int]) -> dict[str, float]:
    metrics = sklearn_metrics
    true = sorted(set(truth.tolist()))
    values = {}
    for average, over in (("macro", true), ("micro", labels), ("weighted", labels)):
        for name in ("precision", "recall", "f1"):
            score = getattr(metrics, f"{name}_score")
            values[f"{name}_{average}"] = score(truth, said, labels=over, average=average, zero_division=0)
    matrix = metrics.multilabel_confusion_matrix(truth, said, labels=true)
    return {
        **values,
        "accuracy": metrics.accuracy_score(truth, said),
        "balanced_accuracy": metrics.recall_score(truth, said, labels=true, average="macro"),
        "specificity_macro": float(np.mean(matrix[:, 0, 0] / matrix[:, 0].sum(axis=1))),
        "matthews_corrcoef": metrics.matthews_corrcoef(truth, said),
        "cohen_kappa": metrics.cohen_kappa_score(truth, said),
    }


# --- counting ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 4), st.integers(-1, 4), st.integers(0, 2)), max_size=40))
def test_joint_counts_are_those_of_counting(rows: list[tuple[int, int, int, int]]) -> None:
    columns = [np.array([row[place] for row in rows], dtype=np.int64) for place in range(4)]
    joint = joint_counts(*columns[:3], classes=4, groups=columns[3])
    expected: dict[tuple[int, ...], int] = {}
    for truth, a, b, group in rows:
        key = (group, truth, a % 5, b % 5)  # -1 and 4 both say nothing
        expected[key] = expected.get(key, 0) + 1
    assert joint.groups is not None
    cells = zip(*(x.tolist() for x in (joint.groups, joint.truth, joint.a, joint.b)), strict=True)
    assert dict(zip(cells, joint.count.tolist(), strict=True)) == expected
    assert list(expected) == [] or sorted(expected) == list(
        zip(*(x.tolist() for x in (joint.groups, joint.truth, joint.a, joint.b)), strict=True)
    )


def test_joint_counts_are_the_same_by_index_and_by_sorting(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = samples(500, 6, seed=1)
    counts = np.arange(500) % 4
    dense = joint_counts(*columns, classes=6, count=counts)
    monkeypatch.setattr("localreg.statistics.joint.DENSE_UPTO", 0)
    sparse = joint_counts(*columns, classes=6, count=counts)
    for name in ("truth", "a", "b", "count"):
        assert np.array_equal(getattr(dense, name), getattr(sparse, name))


def test_counts_of_parts_add_up() -> None:
    truth, a, b = samples(300, 5, seed=2)
    groups = np.arange(300) % 7
    for grouped in (None, groups):
        parts = [
            joint_counts(truth[x:y], a[x:y], b[x:y], classes=5, groups=None if grouped is None else grouped[x:y])
            for x, y in pairwise((0, 10, 10, 150, 300))
        ]
        whole = joint_counts(truth, a, b, classes=5, groups=grouped)
        assert compare_counts(JointCounts.sum(parts)) == compare_counts(whole)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([0, 1], [0], [0, 1]), "shapes"),
        (([0, 3], [0, 1], [0, 1]), "truth is 3 in row 1"),
        (([0, -1], [0, 1], [0, 1]), "truth is -1 in row 1"),
        (([0, 1], [0, 4], [0, 1]), "a is 4 in row 1"),
        (([0, 1], [0, 1], [-2, 1]), "b is -2 in row 0"),
        (([0.5, 1], [0, 1], [0, 1]), "whole numbers"),
        ((["x"], ["x"], ["x"]), "whole numbers"),
    ],
)
def test_codes_that_are_none_are_refused(columns: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        joint_counts(*columns, classes=3)


def test_parts_that_do_not_fit_are_refused() -> None:
    small, large = (joint_counts([0], [0], [0], classes=classes) for classes in (2, 3))
    with pytest.raises(InvalidInputError, match="classes"):
        JointCounts.sum([small, large])
    with pytest.raises(InvalidInputError, match="at least one part"):
        JointCounts.sum([])
    with pytest.raises(InvalidInputError, match="count is -1"):
        joint_counts([0], [0], [0], classes=1, count=[-1])


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "classes", "silent"), [(40, 2, 0.0), (200, 5, 0.1), (300, 30, 0.05), (12, 4, 0.3)])
def test_values_are_those_of_scikit_learn(n: int, classes: int, silent: float) -> None:
    for seed in range(10):
        truth, a, b = samples(n, classes, seed, silent=silent)
        found = by_name(compare_counts(joint_counts(truth, a, b, classes=classes)))
        for said, model in ((a, "a"), (b, "b")):
            own = sorted({*truth.tolist(), *said.tolist()} - {-1})  # what it takes by itself, but for silence
            for metric, expected in by_scikit_learn(truth, said, own).items():
                value = getattr(found[metric], model)
                assert value == pytest.approx(expected, abs=1e-13), metric


def test_a_value_does_not_hang_on_the_other_model() -> None:
    truth = np.repeat([0, 1, 2], 20)
    plain = np.where(np.arange(60) % 7 == 0, 1, truth)
    astray = np.where(np.arange(60) % 10 == 0, 3, truth)  # a class that is not there
    alone = by_name(compare_counts(joint_counts(truth, plain, plain, classes=5)))
    both = by_name(compare_counts(joint_counts(truth, plain, astray, classes=5)))
    for metric in AGGREGATES:
        assert both[metric].a == alone[metric].a, metric
    for average in ("precision", "recall", "f1"):
        score = getattr(sklearn_metrics, f"{average}_score")
        expected = score(truth, astray, labels=[0, 1, 2], average="macro", zero_division=0)
        assert both[f"{average}_macro"].b == pytest.approx(expected)


@pytest.mark.parametrize("grouped", [False, True])
def test_a_class_that_no_sample_has_is_a_miss_and_no_more(grouped: bool) -> None:
    truth = np.arange(900) % 3
    astray = np.where((truth == 0) & (np.arange(900) < 30), 3, truth)
    silent = np.where(astray == 3, -1, astray)
    groups = np.arange(900) // 3 if grouped else None
    models = {name: joint_counts(truth, truth, said, classes=4, groups=groups) for name, said in
              (("astray", astray), ("silent", silent))}  # fmt: skip
    astrays, silents = (by_name(compare_counts(each, metrics=AGGREGATES)) for each in models.values())
    for metric in ("recall_macro", "precision_macro", "f1_macro", "balanced_accuracy"):
        assert astrays[metric].b == silents[metric].b, metric
        assert astrays[metric].low == pytest.approx(silents[metric].low), metric
        assert astrays[metric].p == pytest.approx(silents[metric].p), metric
        assert astrays[metric].p is not None


@pytest.mark.parametrize(("n", "true", "classes", "wrong"), [(18, 1, 3, 0.08), (48, 2, 10, 0.03), (18, 2, 5, 0.1)])
def test_equal_models_seldom_pass_for_different_where_classes_are_absent(
    n: int, true: int, classes: int, wrong: float
) -> None:
    generator = np.random.default_rng(7)
    alarms = dict.fromkeys(AGGREGATES, 0)
    for _ in range(250):
        truth = generator.integers(0, true, n)
        hard, shared = generator.random(n) < 0.5, generator.random(n) < wrong
        said = []
        for _ in range(2):
            errs = np.where(hard, shared, generator.random(n) < wrong)
            said.append(np.where(errs, (truth + generator.integers(1, classes, n)) % classes, truth))
        for each in compare_counts(joint_counts(truth, *said, classes=classes), metrics=AGGREGATES):
            alarms[each.metric] += each.p is not None and each.p < 0.05
    assert max(alarms.values()) <= 0.06 * 250, alarms


def test_precision_counts_the_samples_that_are_said_to_be_of_the_class() -> None:
    truth, a, b = samples(300, 4, seed=4)
    alone, both = (compare_counts(joint_counts(truth, a, each, classes=4)) for each in (a, b))
    for label in range(4):
        of_one, of_two = by_name(alone, label), by_name(both, label)
        assert of_one["precision"].n == (a == label).sum(), "its denominator"
        assert of_one["precision"].a == pytest.approx(((a == label) & (truth == label)).sum() / of_one["precision"].n)
        assert of_two["precision"].n == ((a == label) | (b == label)).sum()
        assert of_two["f1"].n == ((a == label) | (b == label) | (truth == label)).sum()


def test_values_of_classes_are_those_of_scikit_learn() -> None:
    truth, a, b = samples(300, 6, seed=3)
    estimates = compare_counts(joint_counts(truth, a, b, classes=6))
    for label in range(6):
        found = by_name(estimates, label)
        matrix = sklearn_metrics.multilabel_confusion_matrix(truth, b, labels=[label])[0]
        assert found["specificity"].b == pytest.approx(matrix[0, 0] / matrix[0].sum())
        for metric in ("precision", "recall", "f1"):
            score = getattr(sklearn_metrics, f"{metric}_score")
            assert found[metric].b == pytest.approx(score(truth, b, labels=[label], average="macro"), abs=1e-14)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(1, 5), st.sampled_from([-1.0, 1.0]))
def test_closed_forms_are_those_of_leaving_out_and_adding_for_real(
    seed: int, n: int, classes: int, step: float
) -> None:
    truth, a, b = samples(n, classes, seed)
    pair = Pair.of(joint_counts(truth, a, b, classes=classes))
    said = np.where(a < 0, classes, a)
    found = pair.a.shifted(truth, said, np.full(n, step))
    for row in range(n):
        hits, support, predicted = (each.copy() for each in (pair.a.hits, pair.a.support, pair.a.predicted))
        support[truth[row]] += step
        if said[row] < classes:
            predicted[said[row]] += step
        hits[truth[row]] += step * (truth[row] == said[row])
        expected = Marginals(hits, support, predicted, pair.a.in_truth).values()
        for metric in AGGREGATES:
            assert found[metric][row] == pytest.approx(expected[metric], abs=1e-12), metric


def test_tempered_changes_of_a_class_add_up_to_the_unbiased_variance_of_its_recall() -> None:
    truth, said = np.array([0] * 5 + [1] * 4), np.array([0, 0, 0, 1, 1, 1, 1, 1, 0])
    joint = joint_counts(truth, said, said, classes=2)
    model = Pair.of(joint).a
    changes = model.shifted(truth, said, np.full(9, -1.0), tempered=True)["balanced_accuracy"]
    changes = changes - model.values()["balanced_accuracy"]
    expected = sum(share * (1 - share) / (trials - 1) for share, trials in ((3 / 5, 5), (3 / 4, 4))) / 4
    assert float(changes @ changes) == pytest.approx(expected)


# --- intervals --------------------------------------------------------------------------------------------------------


def test_the_error_of_accuracy_is_that_of_agresti_and_min() -> None:
    truth, a, b = samples(150, 4, seed=5)
    estimate = by_name(compare_counts(joint_counts(truth, a, b, classes=4)))["accuracy"]
    fixed, broken = int(((b == truth) & (a != truth)).sum()), int(((a == truth) & (b != truth)).sum())
    n, difference = 150, (fixed - broken) / 150
    plain = (fixed + broken - n * difference**2) / n / (n - 1)
    unseen = 0.5 * (1 / (n + 1)) ** 2 * ((1 + difference) ** 2 + (1 - difference) ** 2)
    assert estimate.standard_error == pytest.approx(np.sqrt(plain + unseen), rel=1e-12)
    assert estimate.p == mcnemar_exact(fixed, broken)
    assert estimate.difference == pytest.approx(difference)


def test_intervals_come_near_those_of_the_bootstrap() -> None:
    generator = np.random.default_rng(0)
    truth, a, b = samples(2_000, 5, seed=6)
    joint = joint_counts(truth, a, b, classes=5)
    found = compare_counts(joint)
    draws: dict[tuple[str, int | None], list[float]] = {}
    for _ in range(400):
        rows = generator.integers(0, 2_000, 2_000)
        drawn = joint_counts(truth[rows], a[rows], b[rows], classes=5)
        models = Pair.of(drawn).a.values(), Pair.of(drawn).b.values()
        for metric in AGGREGATES:
            draws.setdefault((metric, None), []).append(float(models[1][metric] - models[0][metric]))
        tables = ClassTables.of(drawn)
        for metric, values in tables.values(1).items():
            for label, difference in enumerate((values - tables.values(0)[metric]).tolist()):
                draws.setdefault((metric, label), []).append(difference)
    for each in found:
        assert each.standard_error == pytest.approx(np.std(draws[each.metric, each.label]), rel=0.12)


def test_exchanging_the_models_turns_differences_round() -> None:
    truth, a, b = samples(120, 5, seed=7)
    there = compare_counts(joint_counts(truth, a, b, classes=5))
    back = compare_counts(joint_counts(truth, b, a, classes=5))
    for one, other in zip(there, back, strict=True):
        if one.difference is None:
            continue
        assert one.difference == pytest.approx(-(other.difference or 0), abs=1e-15)
        assert (one.a, one.a_low) == (other.b, other.b_low)
        if one.low is not None and other.high is not None and one.p is not None:
            assert one.low == pytest.approx(-other.high, abs=1e-12)
            assert one.p == pytest.approx(other.p, rel=1e-9)
            assert one.high is not None
            assert (one.difference - one.low) * (one.high - one.difference) >= -1e-12


def test_models_that_never_differ_are_not_certain_to_be_equal() -> None:
    truth, a, _ = samples(60, 3, seed=8, silent=0.0)
    for each in compare_counts(joint_counts(truth, a, a, classes=3)):
        assert each.difference == 0
        assert each.low is not None
        assert each.high is not None
        assert each.low < 0 < each.high, each
        assert each.p == 1


def test_two_perfect_models_of_few_samples_leave_room_for_error() -> None:
    truth = np.arange(50) % 5
    for each in compare_counts(joint_counts(truth, truth, truth, classes=5)):
        assert (each.a, each.b) == (1, 1)
        assert each.a_low is not None
        assert each.a_low < 1
        assert each.low is not None
        assert each.low < -0.005


@pytest.mark.parametrize("count", [10**7, 10**12])
def test_large_counts_lose_nothing(count: int) -> None:
    joint = joint_counts([0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 1, 0], classes=2, count=[count] * 4)
    for each in compare_counts(joint):
        assert each.standard_error is not None
        assert 0 < each.standard_error < 2 / np.sqrt(count)


def test_more_confidence_is_a_wider_interval() -> None:
    joint = joint_counts(*samples(100, 3, seed=9), classes=3)
    narrow, wide = (compare_counts(joint, confidence=level) for level in (0.9, 0.99))
    for one, other in zip(narrow, wide, strict=True):
        assert one.p == other.p
        assert (other.low or 0) < (one.low or 0)
        assert (other.a_low or 0) <= (one.a_low or 0)


# --- what is undefined ------------------------------------------------------------------------------------------------


def test_no_sample_is_no_number() -> None:
    for each in compare_counts(joint_counts([], [], [], classes=3)):
        assert (each.a, each.difference, each.low, each.p) == (None,) * 4
        assert each.reason == "there is no sample"


def test_one_sample_has_values_but_no_interval() -> None:
    found = by_name(compare_counts(joint_counts([0], [0], [1], classes=2)))
    assert (found["accuracy"].a, found["accuracy"].b, found["accuracy"].low) == (1, 0, None)
    assert found["accuracy"].reason == "there is one sample only"


def test_a_ground_truth_of_one_class_says_nothing_of_false_positives() -> None:
    estimates = compare_counts(joint_counts([0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1], classes=2))
    found = by_name(estimates)
    assert found["accuracy"].low is not None
    assert found["matthews_corrcoef"].a is None
    assert "one class only" in str(found["matthews_corrcoef"].reason)
    assert "no negative" in str(found["specificity_macro"].reason)
    for metric in ("f1_macro", "precision_macro", "cohen_kappa"):
        assert found[metric].a is not None
        assert found[metric].low is None
        assert "no false positive can occur" in str(found[metric].reason)
    assert by_name(estimates, 0)["specificity"].reason == "all samples are of the class"
    assert by_name(estimates, 1)["recall"].reason == "no sample is of the class"
    assert by_name(estimates, 1)["recall"].a is None


def test_what_only_one_model_never_says_has_precision_0_by_convention_and_no_interval() -> None:
    found = by_name(compare_counts(joint_counts([0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 1], classes=2)), 1)["precision"]
    assert (found.a, found.b, found.difference) == (0.0, 1.0, 1.0)
    assert (found.low, found.p, found.a_low) == (None, None, None)
    assert found.reason == "model a never says the class, so that its precision is 0 by convention"
    assert found.b_low is not None


def test_a_class_that_only_one_model_says_has_no_precision_and_f1_of_the_other() -> None:
    found = by_name(compare_counts(joint_counts([0, 0, 0], [0, 0, 0], [0, 0, 1], classes=2)), 1)
    assert (found["precision"].a, found["precision"].b) == (None, 0.0)
    assert found["precision"].reason == "model a never says the class"
    assert (found["f1"].a, found["f1"].b) == (None, 0.0)
    assert found["f1"].reason == "no sample is of the class, and model a never says the class"


def test_a_model_that_says_nothing_is_wrong_everywhere() -> None:
    found = by_name(compare_counts(joint_counts([0, 1, 0, 1], [-1] * 4, [0, 1, 1, 1], classes=2)))
    assert (found["accuracy"].a, found["accuracy"].b) == (0, 0.75)
    assert found["precision_micro"].a is None
    assert found["precision_micro"].reason == "model a says nothing"
    assert found["matthews_corrcoef"].reason == "model a says one class only"


def test_classes_that_do_not_occur_are_not_told() -> None:
    estimates = compare_counts(joint_counts([0, 7], [0, 7], [7, 0], classes=1_000))
    assert {each.label for each in estimates} == {None, 0, 7}


def test_an_unknown_metric_and_a_wrong_confidence_are_refused() -> None:
    joint = joint_counts([0], [0], [0], classes=1)
    with pytest.raises(InvalidInputError, match="no counting metric 'f2'"):
        compare_counts(joint, metrics=["f2"])
    with pytest.raises(InvalidInputError, match="confidence is 95"):
        compare_counts(joint, confidence=95)
    assert [each.metric for each in compare_counts(joint, metrics=["f1_macro", "accuracy"])] == ["f1_macro", "accuracy"]
    assert set(METRICS) >= {"accuracy", "recall"}


# --- clusters ---------------------------------------------------------------------------------------------------------


def test_clusters_of_one_sample_are_the_plain_jackknife() -> None:
    truth, a, b = samples(80, 3, seed=10)
    joint = joint_counts(truth, a, b, classes=3, groups=np.arange(80))
    pair, errors = Pair.of(joint), cluster_errors(Pair.of(joint))
    step = np.full(80, -1.0)
    said = [np.where(each < 0, 3, each) for each in (a, b)]
    left = [model.shifted(truth, each, step) for model, each in zip((pair.a, pair.b), said, strict=True)]
    for metric in AGGREGATES:
        change = left[1][metric] - left[0][metric]
        plain = 79 / 80 * float(((change - change.mean()) ** 2).sum())
        assert plain < errors.difference[metric] < 1.3 * plain + 1e-3  # and what was not seen


def test_repeated_samples_of_a_cluster_bring_no_certainty() -> None:
    truth, a, b = samples(60, 3, seed=11, silent=0.0)
    once = compare_counts(joint_counts(truth, a, b, classes=3))
    groups = np.repeat(np.arange(60), 20)
    often = compare_counts(joint_counts(*(np.repeat(each, 20) for each in (truth, a, b)), classes=3, groups=groups))
    for one, other in zip(once, often, strict=True):
        assert one.standard_error is not None
        assert other.standard_error is not None
        low, high = (0.8, 1.25) if one.label is None else (0.8, 2)
        assert low < other.standard_error / one.standard_error < high, one.metric


def test_clusters_on_which_models_never_differ_do_not_count_as_many_samples() -> None:
    truth = np.repeat(np.arange(60) % 3, 20)
    joint = joint_counts(truth, truth, truth, classes=3, groups=np.repeat(np.arange(60), 20))
    once = joint_counts(truth[::20], truth[::20], truth[::20], classes=3)
    for one, other in zip(compare_counts(once), compare_counts(joint), strict=True):
        assert one.standard_error is not None
        assert other.standard_error is not None
        assert other.standard_error > 0.8 * one.standard_error, one.metric


def test_the_number_of_clusters_at_a_time_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, a, b = samples(200, 4, seed=12)
    joint = joint_counts(truth, a, b, classes=4, groups=np.arange(200) % 23)
    whole = cluster_errors(Pair.of(joint))
    monkeypatch.setattr("localreg.statistics.jackknife.VALUES_AT_ONCE", 20)
    for metric, variance in cluster_errors(Pair.of(joint)).difference.items():
        assert variance == pytest.approx(whole.difference[metric], rel=1e-9)


def test_few_clusters_are_told() -> None:
    truth, a, b = samples(200, 4, seed=13)
    for clusters, told in ((FEW_CLUSTERS - 1, True), (FEW_CLUSTERS, False)):
        joint = joint_counts(truth, a, b, classes=4, groups=np.arange(200) % clusters)
        assert all((f"{clusters} clusters only" in str(each.reason)) == told for each in compare_counts(joint))
    single = compare_counts(joint_counts(truth, a, b, classes=4, groups=np.zeros(200, dtype=np.int64)))
    assert {each.reason for each in single} == {"all samples are of one cluster"}
    assert {each.low for each in single} == {None}


# --- coverage ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["2 classes, 1 % positive", "5 classes, near-perfect"])
def test_intervals_cover(name: str) -> None:
    """A small part of `python -m tests.simulations.coverage`, whose seeds make it come out the same each time."""
    (population,) = [each for each in populations() if each.name == name]
    tally = simulate(population, 100, 150, seed=1, published=True)
    for length in (2, 3):
        after, before = ([share for share, _ in tally.shares(way, length, 20)] for way in ("after", "before"))
        assert min(after) >= 91
        assert min(before) < min(after)


def test_few_samples_of_a_class_leave_few_degrees_of_freedom() -> None:
    """Two of seven classes have five samples each: Student's t with n - 1 would hold 92.0 % of macro recalls."""
    (population,) = [each for each in held_out() if each.name == "7 classes, two of 0.5 %"]
    joint = joint_counts(*population.draw(1_000, np.random.default_rng(4)), classes=7)
    found = {each.metric: each for each in compare_counts(joint, metrics=("accuracy", "recall_macro"))}
    freedom = {}
    for metric, each in found.items():
        assert each.low is not None
        assert each.high is not None
        assert each.standard_error is not None
        half = (each.high - each.low) / 2 / each.standard_error
        freedom[metric] = next(df for df in range(1, 1_000) if t_quantile(0.975, df) <= half + 1e-9)
    assert freedom["accuracy"] > 200
    assert 3 <= freedom["recall_macro"] <= 40
