"""Gates: what passes, what fails, and whether every reason is told."""

from __future__ import annotations

import json
import random
from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

import pytest

from localreg import Comparison, InvalidInputError, NotFoundError, Registry
from localreg.compare import Asked, Coverage, Gate, GateResult, MetricRow, Side, read_gate
from localreg.compare.verdicts import regressed
from localreg.testing.regression import _reasons
from tests.animals import animal_case, animal_suite, run_animals


def row(metric: str = "accuracy", **values: Any) -> MetricRow:
    usual: dict[str, Any] = {"label": None, "test_case": None, "by": None, "slice": None, "candidate": "b@1"}
    usual |= {"a": 0.91, "b": 0.90, "difference": 0.90 - 0.91, "low": -0.03, "high": 0.01, "p": 0.3, "p_adjusted": 0.3}
    usual |= {"n": 400, "fixed": 3, "broken": 7, "verdict": "inconclusive", "least_detectable": 0.028, "reason": None}
    return MetricRow(metric=metric, **{**usual, **values})


def compared(
    *rows: MetricRow,
    lower_is_better: Collection[str] = (),
    undirected: Collection[str] = (),
    missing: int = 0,
    strict: bool = False,
) -> Comparison:
    names = ["a@1", *dict.fromkeys(each.candidate for each in rows)]
    return Comparison(
        sides=tuple(Side(name, Coverage(400 - missing, 0, 0, missing), None, paired=400) for name in names),
        suite="s",
        suite_version=1,
        task="classification",
        strict=strict,
        confidence=0.95,
        rows=rows,
        warnings=(),
        commit=7,
        adjust="holm",
        lower_is_better=lower_is_better,
        undirected=undirected,
        _list=lambda *_: pytest.fail("a gate looks at no samples"),
        _evidence=lambda: pytest.fail("a gate looks at no samples"),
        _session=cast("Any", None),
        _question=None,
    )


def reasons(*rows: MetricRow, lower_is_better: Collection[str] = (), **rules: Any) -> list[str]:
    return compared(*rows, lower_is_better=lower_is_better).gate(**rules).reasons


def test_what_has_no_better_direction_cannot_drop() -> None:
    bias = compared(row("mean_bias"), undirected=("mean_bias",))
    for rule in (Gate(max_drop=0.1), Gate(margin=0.1)):
        with pytest.raises(InvalidInputError, match="neither more nor less of 'mean_bias' is better"):
            bias.gate(mean_bias=rule)
    assert bias.gate(mean_bias=Gate(min_value=-1, max_value=1)).passed


# --- one rule ---------------------------------------------------------------------------------------------------------


def test_a_limit_is_met_exactly_whatever_binary_makes_of_it() -> None:
    assert 0.90 - 0.91 < -0.01, "the trap"
    rule = Gate(min_value=0.9, max_value=0.9, max_drop=0.01)
    assert reasons(row(), accuracy=rule) == []
    assert reasons(row(b=0.8999, difference=-0.0101), accuracy=rule) == [
        "accuracy: 0.8999 is below min_value 0.9",
        "accuracy: the difference -0.0101 is worse than max_drop 0.01 allows",
    ]
    assert reasons(row(b=0.9001), accuracy=rule) == ["accuracy: 0.9001 is above max_value 0.9"]


def test_a_drop_goes_by_the_direction_of_the_metric() -> None:
    worse, better = row("mae", difference=0.2), row("mae", difference=-0.2)
    assert reasons(worse, lower_is_better=["mae"], mae=Gate(max_drop=0.1)) == [
        "mae: the difference +0.2000 is worse than max_drop 0.1 allows"
    ]
    assert reasons(better, lower_is_better=["mae"], mae=Gate(max_drop=0.1)) == []
    assert reasons(worse, mae=Gate(max_drop=0.1)) == []
    assert len(reasons(better, mae=Gate(max_drop=0.1))) == 1


@pytest.mark.parametrize(("low", "passes"), [(-0.0299, True), (-0.03, False), (-0.0301, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_not_inferior_is_who_is_shown_to_be_within_the_margin(low: float, passes: bool, sign: int) -> None:
    ends = sorted((sign * low, sign * 0.01))
    found = row("m", difference=sign * -0.01, low=ends[0], high=ends[1])
    lower = ["m"] if sign < 0 else []
    assert (reasons(found, lower_is_better=lower, m=Gate(margin=0.03)) == []) is passes


def test_too_few_samples_fail_and_how_many_it_would_take_is_told() -> None:
    (reason,) = reasons(row(low=-0.05, high=0.03), accuracy=Gate(margin=0.02))
    # The half width 0.04 at 400 samples must become 0.01: 16 times as many.
    assert reason == (
        "accuracy: not shown to be worse by less than margin 0.02: difference -0.0100 (-0.0500 to +0.0300); with 400 "
        "samples (least detectable difference 0.0280) that cannot be told, and would take about 6,400 of the same kind"
    )
    (beyond,) = reasons(row(), accuracy=Gate(margin=0.005))
    assert beyond.endswith("what was observed is beyond the margin already")
    assert reasons(row(low=-0.0201), accuracy=Gate(margin=0.02))[0].endswith("would take about 410 of the same kind")


def test_what_is_null_fails_with_its_reason() -> None:
    empty: dict[str, Any] = dict.fromkeys(("a", "b", "difference", "low", "high", "p", "p_adjusted"))
    rule = Gate(min_value=0, max_drop=1, margin=1)
    assert reasons(row(**empty, reason="no class occurs"), accuracy=rule) == [
        "accuracy: no value to hold against a limit: no class occurs",
        "accuracy: no difference to hold against max_drop: no class occurs",
        "accuracy: no interval to hold against margin: no class occurs",
    ]
    assert reasons(row(**{**empty, "n": 0}), accuracy=Gate(min_value=0))[0].endswith("no samples were compared")
    assert reasons(row(low=None), accuracy=Gate(margin=1)) == [
        "accuracy: no interval to hold against margin: it is undefined here"
    ]


def test_a_rule_of_a_metric_of_classes_holds_in_each() -> None:
    rows = [row(), row("recall", label="cat", b=0.5), row("recall", label="dog", b=0.9)]
    assert reasons(*rows, recall=Gate(min_value=0.8)) == ["recall of 'cat': 0.5000 is below min_value 0.8"]


def test_improvement_must_be_proven_if_it_is_required() -> None:
    result = compared(row()).gate(require_improvement=True)
    assert result.reasons == [
        "accuracy: no improvement, inconclusive: difference -0.0100 (-0.0300 to +0.0100), p = 0.3"
    ]
    assert compared(row(verdict="improved")).gate(require_improvement=True).passed


# --- critical parts ---------------------------------------------------------------------------------------------------

PARTS = (
    row(b=0.95),
    row(test_case="day", b=0.96),
    row(test_case="night", b=0.7, n=50),
    row("f1_macro", test_case="night", b=0.7, n=50, difference=-0.2, low=-0.3, high=-0.1, p=1e-4),
    row(by="metadata.light", slice="night", b=0.6),
    row(by="metadata.light", slice="dusk", n=0, b=None, difference=None),
)


def test_many_metrics_do_not_give_luck_many_chances() -> None:
    names = [f"metric_{n}" for n in range(10)]

    def parts(p: float) -> list[MetricRow]:
        by_luck = [row(name, test_case="night", p=0.9) for name in names[1:]]
        return [row(), row("metric_0", test_case="night", p=p, p_adjusted=p, verdict="regressed"), *by_luck]

    assert compared(*parts(0.006)).gate(critical=["night"]).passed, "0.06 among ten"
    assert len(compared(*parts(0.004)).gate(critical=["night"]).reasons) == 1
    elsewhere = [row("metric_0", test_case=f"day {n}", p=0.9) for n in range(50)]
    assert not compared(*parts(0.004), *elsewhere).gate(critical=["night"]), "other parts are not asked for"


def test_an_assertion_of_no_regression_counts_its_metrics() -> None:
    def reasons_of(p: float) -> list[str]:
        by_luck = [row(f"metric_{n}", p=0.9) for n in range(9)]
        return _reasons(compared(row(p=p, p_adjusted=p, verdict="regressed"), *by_luck), None, None, ())

    assert reasons_of(0.006) == [], "0.06 among ten"
    assert reasons_of(0.004) == ["accuracy: regressed, difference -0.0100 (-0.0300 to +0.0100), p = 0.004"]


def test_what_is_worse_goes_by_the_direction_of_the_metric() -> None:
    rows = [row(name, difference=sign * 0.1, p=1e-6) for name in ("up", "down", "neither") for sign in (1, -1)]
    asked: dict[str, Any] = {"lower_is_better": ("down",), "undirected": ("neither",), "confidence": 0.95}
    for adjust in ("holm", "bh", "none"):
        assert regressed(rows, adjust=adjust, **asked) == [rows[1], rows[2]]
    unsure = [row("up", difference=-0.1, p=0.04) for _ in range(3)]
    assert len(regressed(unsure, adjust="none", **asked)) == 3
    assert not regressed(unsure, adjust="holm", **asked)
    assert not regressed([row("up", difference=None, p=None)], adjust="holm", **asked)


def test_rules_hold_in_critical_parts_and_a_regression_there_fails_whatever_the_rules_say() -> None:
    result = compared(*PARTS).gate(accuracy=Gate(min_value=0.8), critical=["night"])
    assert result.reasons == [
        "critical f1_macro in test case 'night': regressed, difference -0.2000 (-0.3000 to -0.1000)",
        "critical accuracy in test case 'night': 0.7000 is below min_value 0.8",
        "critical accuracy where metadata.light is 'night': 0.6000 is below min_value 0.8",
    ]
    assert compared(*PARTS).gate(accuracy=Gate(min_value=0.8), critical=["day"]).passed
    assert compared(*PARTS).gate(accuracy=Gate(min_value=0.8)).passed, "parts that are not critical are not looked at"
    assert len(compared(*PARTS).gate(critical=["night"]).reasons) == 1


def test_a_slice_is_told_from_another_one_of_its_name_by_its_expression() -> None:
    result = compared(*PARTS).gate(accuracy=Gate(min_value=0.65), critical=["metadata.light=night"])
    assert result.reasons == ["critical accuracy where metadata.light is 'night': 0.6000 is below min_value 0.65"]


def test_a_critical_part_without_samples_fails() -> None:
    assert compared(*PARTS).gate(critical=["dusk"]).reasons == ["critical 'dusk': no samples were compared there"]


def test_a_critical_part_that_is_not_there_is_an_error_that_names_those_that_are() -> None:
    with pytest.raises(NotFoundError, match=r"'nigth' was compared; did you mean 'night'\?$"):
        compared(*PARTS).gate(critical=["nigth"])
    with pytest.raises(NotFoundError, match=r"'x' was compared; there are 'day', 'night', 'dusk'.*by="):
        compared(*PARTS).gate(critical=["x"])


def test_a_rule_that_does_not_reach_into_a_critical_part_is_told() -> None:
    rows = [row(), row("recall", label="cat"), row(test_case="day")]
    result = compared(*rows).gate(recall=Gate(min_value=0.5), critical=["day"])
    assert result.passed
    assert result.notes == ["recall is told for the whole suite only; its rule does not reach into critical parts"]
    assert "note: recall" in str(result)


# --- whom and what ----------------------------------------------------------------------------------------------------


def test_every_candidate_has_to_pass_unless_one_is_named() -> None:
    both = compared(row(), row(candidate="c@2", b=0.5))
    assert both.gate(accuracy=Gate(min_value=0.9)).reasons == ["c@2: accuracy: 0.5000 is below min_value 0.9"]
    assert both.gate(accuracy=Gate(min_value=0.9), candidate="b@1").passed
    assert both.gate(accuracy=Gate(min_value=0.9), candidate="c@2").reasons == [
        "accuracy: 0.5000 is below min_value 0.9"
    ]
    with pytest.raises(NotFoundError, match=r"'c' is not compared here; did you mean 'c@2'\?$"):
        both.gate(accuracy=Gate(min_value=0.9), candidate="c")


def test_samples_that_the_candidate_left_out_are_told_unless_they_counted_as_wrong() -> None:
    told = "30 samples of the suite without an inference of b@1 left out; strict counts that as wrong"
    assert compared(row(), missing=30).gate(accuracy=Gate(min_value=0)).notes == [told]
    assert compared(row(), missing=30, strict=True).gate(accuracy=Gate(min_value=0)).notes == []


def test_a_metric_that_was_not_compared_is_an_error_that_names_those_that_were() -> None:
    it = compared(row(), row("f1_macro"))
    with pytest.raises(InvalidInputError, match=r"'acuracy' was not compared; did you mean 'accuracy'\?$"):
        it.gate(acuracy=Gate(min_value=0))
    with pytest.raises(InvalidInputError, match="those that were: accuracy, f1_macro"):
        it.gate({"mAP@0.5": Gate(min_value=0)})


def test_a_gate_that_asks_for_nothing_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="a Gate asks for nothing"):
        Gate()
    with pytest.raises(InvalidInputError, match="the gate asks for nothing"):
        compared(row()).gate()


@pytest.mark.parametrize(
    "limits",
    [
        {"min_value": float("nan")},
        {"max_value": True},
        {"max_drop": -0.1},
        {"margin": -1},
        {"min_value": "0.9"},
        {"min_value": 0.9, "max_value": 0.8},
        {"margin": float("inf")},
    ],
)
def test_limits_that_make_no_sense_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(limits))):
        Gate(**limits)


@pytest.mark.parametrize("critical", ["night", 3, [1]])
def test_critical_is_a_list_of_names(critical: Any) -> None:
    with pytest.raises(InvalidInputError, match="critical"):
        compared(*PARTS).gate(critical=critical)
    with pytest.raises(InvalidInputError, match=r"the rule of 'accuracy' is 0\.9"):
        compared(row()).gate(accuracy=0.9)  # type: ignore[arg-type]


def test_a_result_tells_itself() -> None:
    failed = compared(row()).gate(accuracy=Gate(min_value=0.95))
    assert (bool(failed), failed.passed) == (False, False)
    assert str(failed) == "b@1 fails the gate against a@1 on 's':\n  accuracy: 0.9000 is below min_value 0.95"
    assert json.loads(failed.to_json()) == {
        "passed": False,
        "baseline": "a@1",
        "candidates": ["b@1"],
        "suite": "s",
        "suite_version": 1,
        "reasons": ["accuracy: 0.9000 is below min_value 0.95"],
        "notes": [],
    }
    passed = compared(row(), row(candidate="c@1")).gate(accuracy=Gate(min_value=0.5))
    assert passed
    assert str(passed) == "b@1, c@1 pass the gate against a@1 on 's'"
    assert isinstance(passed, GateResult)


# --- files ------------------------------------------------------------------------------------------------------------

FILE = """
# What a release must keep.
metrics:
  accuracy: {min_value: 0.9, max_drop: 0.01}
  f1_macro:
    margin: 0.02
critical: [night, "metadata.light=dusk"]
require_improvement: true
by: metadata.light
bins: 4
strict: true
confidence: 0.99
adjust: bh
"""


def gate_file(folder: Path, text: str) -> Path:
    path = folder / "gate.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_gate_file_is_read(tmp_path: Path) -> None:
    gate = read_gate(gate_file(tmp_path, FILE))
    assert gate.metrics == {"accuracy": Gate(min_value=0.9, max_drop=0.01), "f1_macro": Gate(margin=0.02)}
    assert (gate.critical, gate.require_improvement) == (["night", "metadata.light=dusk"], True)
    assert gate.asked() == {"by": ["metadata.light"], "bins": 4, "strict": True, "confidence": 0.99, "adjust": "bh"}
    as_json = gate_file(tmp_path, json.dumps({"metrics": {"accuracy": {"max_drop": 0}}}))
    assert read_gate(as_json).metrics == {"accuracy": Gate(max_drop=0)}
    assert read_gate(as_json).asked() == {}


def test_a_gate_file_takes_what_a_comparison_takes(tmp_path: Path) -> None:
    said: dict[str, Any] = {
        "by": ["n % 2"],
        "bins": 3,
        "strict": True,
        "confidence": 0.9,
        "adjust": "none",
        "group_by": "metadata.patient",
        "evaluator": "judge",
        "configuration": "easy",
        "better": {"seconds": "lower"},
        "positive": "dog",
        "score_of": "positive",
        "bootstrap": 2000,
        "score_threshold": 0.3,
        "iou": 0.75,
        "executor": "processes:2",
        "fmr": 0.01,
        "iou_type": "segm",
    }
    assert said.keys() == {*Asked._fields} - {"metrics"}, "metrics are the rules"
    read = read_gate(gate_file(tmp_path, json.dumps({"critical": ["night"], **said})))
    assert (read.asked(), read.critical) == (said, ["night"])
    for threshold, kept in (("f1_optimal", "f1_optimal"), ("30", 30.0)):
        assert read_gate(gate_file(tmp_path, f"score_threshold: {threshold}")).asked() == {"score_threshold": kept}


def test_a_comparison_is_held_against_a_file(tmp_path: Path) -> None:
    path = gate_file(tmp_path, "{metrics: {accuracy: {min_value: 0.8}}, critical: [night], require_improvement: true}")
    found = compared(*PARTS).gate(path).reasons
    assert [each.split(":")[0] for each in found] == [
        "critical f1_macro in test case 'night'",
        "critical accuracy in test case 'night'",
        "critical accuracy where metadata.light is 'night'",
        "accuracy",
    ]
    assert compared(*PARTS).gate(str(path)).reasons == found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("metrics: {accuracy: {min_vlaue: 1}}", r"'metrics\.accuracy\.min_vlaue' in a gate; did you mean 'min_value'"),
        ("metrcs: {}", "no key 'metrcs' in a gate; did you mean 'metrics'"),
        ("metrics: {accuracy: {zzz: 1}}", "there are min_value, max_value, max_drop, margin"),
        ("metrics: {accuracy: 0.9}", r"metrics\.accuracy is 0\.9; it must be a mapping"),
        ("metrics: {accuracy: {max_drop: -1}}", r"gate\.yaml: metrics\.accuracy: max_drop is -1"),
        ("metrics: {accuracy: {min_value: high}}", r"gate\.yaml: metrics\.accuracy: min_value is 'high'"),
        ("metrics: {accuracy: {}}", r"metrics\.accuracy: a Gate asks for nothing"),
        ("- accuracy", "the file is .*; it must be a mapping"),
        ("", "the file is None; it must be a mapping"),
        ("critical: night", "critical: critical is 'night'; it must be a list"),
        ("strict: 'no'", "strict: 'no'; it must be true or false"),
        ("require_improvement: 1", "require_improvement: 1; it must be true or false"),
        ("bins: true", "bins: True; it must be a whole number"),
        ("confidence: '0.9'", "confidence: '0.9'; it must be a number"),
        ("by: [1]", "by: 1; it must be a list of texts"),
        ("adjust: bonferroni", "adjust: 'bonferroni'; it must be one of holm, bh, none"),
        ("bootstrap: 2e3", "bootstrap: '2e3'; it must be a whole number"),
        ("score_threshold: best", "score_threshold: 'best'; it must be a number, or f1_optimal"),
        ("score_threshold: true", "score_threshold: True; it must be a number"),
        ("better: {seconds: less}", r"gate.yaml: better\.seconds: 'less'; it must be one of higher, lower"),
        ("better: lower", "better is 'lower'; it must be a mapping"),
        ("positive: yes", "positive: True; it must be a text"),
        ("iou_type: box", "iou_type: 'box'; it must be one of bbox, segm"),
        ("grup_by: metadata.patient", "no key 'grup_by' in a gate; did you mean 'group_by'"),
        ("metrics: [", "is no YAML"),
        ("metrics: !!python/object/apply:os.getcwd []", "is no YAML"),
        ("metrics:\n  accuracy: {min_value: 1}\n  accuracy: {min_value: 0}", "key 'accuracy' stands twice"),
    ],
)  # fmt: skip
def test_a_gate_file_that_is_misread_is_refused_with_its_path(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InvalidInputError, match=told) as caught:
        read_gate(gate_file(tmp_path, text))
    assert str(tmp_path / "gate.yaml") in str(caught.value)


def test_a_gate_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"there is no gate file '.*gone\.yaml'"):
        read_gate(tmp_path / "gone.yaml")


# --- of a registry ----------------------------------------------------------------------------------------------------


def test_a_comparison_of_a_registry_is_held_against_rules(registry: Registry) -> None:
    dice = random.Random(5)
    truth = {n: dice.choice("xyz") for n in range(300)}
    night = {n: label for n, label in truth.items() if n < 60}
    animal_suite("s", [animal_case("night", night), animal_case("all", truth)])
    run_animals("a", truth, "s")
    run_animals("b", {n: "x" if n < 30 else label for n, label in truth.items()}, "s")
    comparison = registry.compare("a", "b", suite="s")
    assert comparison.gate(accuracy=Gate(max_drop=0.1)).passed
    result = comparison.gate(accuracy=Gate(max_drop=0.1), critical=["night"])
    assert "critical accuracy in test case 'night': regressed, difference" in result.reasons[0]
    assert result.reasons[-1].endswith("is worse than max_drop 0.1 allows")


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("strict: true", "asks for strict: True"),
        ("bootstrap: 300", "asks for bootstrap: 300"),
        ("confidence: 0.9", "asks for confidence: 0.9"),
        ("by: [metadata.gone]", r"asks for by: \['metadata.gone'\]"),
        ("confidence: 0.95", ""),
    ],
)
def test_a_file_that_asks_for_another_comparison_is_refused(
    registry: Registry, tmp_path: Path, said: str, refused: str
) -> None:
    animal_suite("s", [animal_case("all", dict.fromkeys(range(60), "x"))])
    for name in ("a", "b"):
        run_animals(name, dict.fromkeys(range(60), "x"), "s")
    path = tmp_path / "gate.yaml"
    path.write_text(f"metrics: {{accuracy: {{min_value: 0.5}}}}\n{said}\n")
    live = registry.compare("a", "b", suite="s")
    for comparison in (live, live.save("kept")):
        if refused:
            with pytest.raises(InvalidInputError, match=refused):
                comparison.gate(path)
        else:
            assert comparison.gate(path).passed
