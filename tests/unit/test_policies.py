"""Policies: rules that every commit keeps to, with the reason in its events; the plan shows the same beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import localreg
from localreg import (
    AccessDeniedError,
    AlreadyExistsError,
    InvalidInputError,
    Model,
    NotFoundError,
    PolicyError,
    Registry,
)
from localreg.policies import Action, AliasGate, Label, Promotion, Retention, Rule, pending
from localreg.session.presence import Presence
from localreg.workflow import GroundTruth, Inference, ScoredLabel, TestSample, define_workflow, test


@dataclass(frozen=True)
class Scan(TestSample):
    n: int


@dataclass(frozen=True)
class Finding(GroundTruth):
    label: str


@dataclass(frozen=True)
class Said(Inference):
    finding: ScoredLabel


_, Case, Suite, Net = define_workflow("Scans", Scan, Finding, Said)

GOOD = "metrics.accuracy > 0.9"


@pytest.fixture
def model(registry: Registry) -> Model:
    return registry.create_model("m")


def versions(model: Model, *accuracies: float) -> None:
    for accuracy in accuracies:
        model.create_version(len(model.versions()) + 1).set_metrics({"accuracy": accuracy})


def names(model: Model) -> list[str]:
    return [version.name for version in model.versions()]


# --- declaring --------------------------------------------------------------------------------------------------------


def test_a_policy_is_stored_as_it_was_said(registry: Registry, model: Model) -> None:
    rules: dict[str, Rule] = {
        "r": Retention(keep_last=3, keep_best=2, metric="accuracy", younger_than=timedelta(days=2)),
        "l": Label(when=GOOD, tag="good"),
        "p": Promotion(experiment="e", best="accuracy", version="{step}"),
        "g": AliasGate(alias="production", require=(GOOD, "'onnx' IN artifacts"), no_regression=True),
        "a": Action(run="os:getcwd", on="promote"),
    }
    for name, rule in rules.items():
        registry.add_policy(name, rule, model=model, description=f"says {name}")
    for name, rule in rules.items():
        policy = registry.get_policy(name)
        assert (policy.rule, policy.kind, policy.model, policy.description) == (rule, rule.kind, model, f"says {name}")
    assert [row["kind"] for row in registry.policies("model = 'm'")] == [rule.kind for rule in rules.values()]
    registry.get_policy("r").delete()
    with pytest.raises(NotFoundError, match="no policy 'r'"):
        registry.get_policy("r")


def test_an_age_is_kept_to_the_microsecond() -> None:
    assert Retention(younger_than=timedelta(milliseconds=300)).younger_than == "0.3s"
    assert Retention(younger_than=timedelta(days=30)).younger_than == "2592000s"


def test_one_is_replaced_on_request_alone(registry: Registry) -> None:
    registry.add_policy("l", Label(when=GOOD, tag="good"))
    with pytest.raises(AlreadyExistsError, match="pass replace=True"):
        registry.add_policy("l", Label(when=GOOD, tag="better"))
    assert registry.add_policy("l", Label(when=GOOD, tag="better"), replace=True).rule == Label(when=GOOD, tag="better")
    assert len(registry.policies()) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Retention(), "would delete all"),
        (lambda: Retention(keep_last=0), "keep_last is 0"),
        (lambda: Retention(keep_best=1), "give both"),
        (lambda: Retention(keep_best=1, metric="a", mode="most"), "mode is 'most'"),  # type: ignore[arg-type]
        (lambda: Retention(younger_than="long"), "'long' is no age"),
        (lambda: Retention(younger_than=timedelta(0)), "is none"),
        (lambda: Label(when=GOOD), "give one of both"),
        (lambda: Label(when=GOOD, tag="a", alias="b"), "give one of both"),
        (lambda: Promotion(), "say best= or when="),
        (lambda: Promotion(best="a", version="{seed}"), "cannot be filled in"),
        (lambda: Promotion(best="a", version="{step.__class__}"), "cannot be filled in"),
        (lambda: AliasGate(alias="production"), "lets all pass"),
        (lambda: AliasGate(alias="a@b", require=(GOOD,)), "alias"),
        (lambda: Action(run="os.getcwd", on="promote"), "write module:function"),
        (lambda: Action(run="os:getcwd", on="event:"), "write a verb"),
        (lambda: Action(run="os:getcwd", on="promote", attempts=0), "attempts is 0"),
    ],
)
def test_a_rule_that_says_nothing_sensible_is_refused(make: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        make()


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Label(when="metrics.a >", tag="x"), "it ends too early"),
        (Label(when="metric.a > 1", tag="x"), "no column 'metric' in versions; did you mean 'metrics'"),
        (Label(when="(SELECT true)", tag="x"), "subquery"),
        (Label(when="true; DROP TABLE x", tag="x"), "syntax error"),
        (Label(when="getenv('HOME') = 'x'", tag="x"), "getenv"),
        (Promotion(when="model = 'm'"), "no column 'model' in checkpoints"),
        (AliasGate(alias="a", require=(GOOD, "nothing = 1")), "no column 'nothing'"),
        (Retention(keep_when="stp > 3", of="checkpoints"), "did you mean 'step'"),
        (Action(run="os:getcwd", on="x", when="stage = 1"), "no column 'stage'"),
    ],
)
def test_a_condition_is_checked_when_it_is_declared(registry: Registry, rule: Rule, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        registry.add_policy("p", rule)
    assert registry.commit == 0


def test_bad_arguments_are_refused(registry: Registry, model: Model) -> None:
    rule = Label(when=GOOD, tag="x")
    with pytest.raises(NotFoundError, match="no model 'n'"):
        registry.add_policy("p", rule, model="n")
    with pytest.raises(InvalidInputError, match="give one of these: Retention"):
        registry.add_policy("p", "keep 3")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="belong to experiments"):
        registry.add_policy("p", Retention(keep_last=1, of="checkpoints"), model=model)
    registry.add_policy("p", Label(when=GOOD, alias="best"), model=model)
    with pytest.raises(InvalidInputError, match="policy 'p' sets the alias 'best' already"):
        registry.add_policy("q", Promotion(best="accuracy", alias="best"), model=model)
    with pytest.raises(InvalidInputError, match="versions of one model; say which by model="):
        registry.add_policy("q", Promotion(best="accuracy"))


# --- labels -----------------------------------------------------------------------------------------------------------


def test_versions_get_a_tag_when_the_condition_holds(registry: Registry, model: Model) -> None:
    registry.add_policy("good ones", Label(when=GOOD, tag="good"))
    versions(model, 0.95, 0.5)
    assert [version.tags for version in model.versions()] == [["good"], []]
    event = registry.audit(kind="model_version").dicts()[1]
    assert (event["action"], event["commit"]) == ("tag", 4)
    assert event["details"] == {"policy": "good ones", "reason": f"{GOOD} holds: metrics.accuracy = 0.95"}


def test_the_effect_stands_in_the_commit_that_caused_it(registry: Registry, model: Model) -> None:
    registry.add_policy("good ones", Label(when=GOOD, tag="good"))
    versions(model, 0.95)
    then = registry.commit
    assert registry.at(commit=then - 1).get_model("m").version("1").metrics() == {}
    seen = registry.at(commit=then).get_model("m").version("1")
    assert (seen.metrics(), seen.tags) == ({"accuracy": 0.95}, ["good"])


def test_the_newest_that_fits_gets_the_alias(registry: Registry, model: Model) -> None:
    registry.add_policy("best", Label(when=GOOD, alias="candidate"), model="m")
    versions(model, 0.95, 0.97, 0.5)
    assert model.aliases() == {"candidate": model.version(2)}
    model.version(1).set_metrics({"accuracy": 0.99})
    assert model.resolve("candidate").name == "2", "an older one takes no alias from a newer one"


def test_policies_of_another_model_do_not_count(registry: Registry, model: Model) -> None:
    registry.add_policy("good ones", Label(when=GOOD, tag="good"), model=registry.create_model("other"))
    versions(model, 0.95)
    assert model.version(1).tags == []


def test_metadata_of_the_model_counts_for_all_its_versions(registry: Registry, model: Model) -> None:
    versions(model, 0.1, 0.2)
    registry.add_policy("license", Label(when="metadata.license = 'MIT'", tag="free"))
    model.update(metadata={"license": "MIT"})
    assert [version.tags for version in model.versions()] == [["free"], ["free"]]


def test_effects_set_off_no_policies(registry: Registry, model: Model) -> None:
    registry.add_policy("first", Label(when=GOOD, tag="good"))
    registry.add_policy("second", Label(when="'good' IN tags", tag="very good"))
    versions(model, 0.95)
    assert model.version(1).tags == ["good"]
    model.version(1).update(description="touched again")
    assert model.version(1).tags == ["good", "very good"]


def test_in_a_transaction_they_look_at_the_whole(registry: Registry, model: Model) -> None:
    registry.add_policy("good ones", Label(when=GOOD, tag="good"))
    with registry.transaction() as transaction:
        version = model.create_version(1)
        version.set_metrics({"accuracy": 0.95})
        assert version.tags == []
    assert version.tags == ["good"]
    assert transaction.commit == registry.commit


def test_what_cannot_be_computed_does_not_hold(registry: Registry, model: Model) -> None:
    registry.add_policy("odd", Label(when="CAST(description AS INTEGER) = 1", tag="x"))
    model.create_version(1, description="1")
    model.create_version(2, description="many")
    plan = registry.apply_policies(dry_run=True).dicts()
    (told,) = [row["reason"] for row in plan if row["subject"] == "m@2"]
    assert "cannot be computed: Could not convert" in told
    assert [version.tags for version in model.versions()] == [["x"], []]


# --- gates ------------------------------------------------------------------------------------------------------------


def test_an_alias_moves_only_when_all_criteria_hold(registry: Registry, model: Model) -> None:
    gate = AliasGate(alias="production", require=(GOOD, "'model.onnx' IN artifacts"))
    registry.add_policy("quality", gate, model=model)
    versions(model, 0.95)
    before = registry.commit
    with pytest.raises(PolicyError) as refused:
        model.set_alias("production", 1)
    assert str(refused.value) == (
        "alias 'production' may not point to version 'm@1': gate 'quality': 'model.onnx' IN artifacts does not hold: "
        "artifacts = []"
    )
    assert registry.commit == before
    model.set_alias("staging", 1)
    model.version(1).upload(b"weights", name="model.onnx")
    model.set_alias("production", 1)
    assert model.resolve("production").name == "1"


def test_all_that_does_not_hold_is_named(registry: Registry, model: Model) -> None:
    registry.add_policy("a", AliasGate(alias="production", require=(GOOD, "metrics.size < 10")))
    registry.add_policy("b", AliasGate(alias="production", require=("owner IS NOT NULL",)))
    versions(model, 0.5)
    with pytest.raises(PolicyError, match=r"0\.5; gate 'a': .*size is not known; gate 'b': owner IS NOT NULL"):
        model.set_alias("production", 1)


def test_criteria_met_in_the_same_commit_count(registry: Registry, model: Model) -> None:
    registry.add_policy("quality", AliasGate(alias="production", require=(GOOD,)))
    model.create_version(1)
    with registry.transaction():
        model.set_alias("production", 1)
        model.version(1).set_metrics({"accuracy": 0.95})
    assert model.resolve("production").name == "1"


def test_no_way_leads_around_a_gate(registry: Registry, model: Model) -> None:
    versions(model, 0.95, 0.5)
    model.set_alias("production", 2)
    model.set_alias("production", 1)
    moved = registry.commit
    registry.add_policy("quality", AliasGate(alias="production", require=(GOOD,)))
    with pytest.raises(PolicyError, match="gate 'quality'"):
        registry.undo(moved)
    registry.add_policy("newest", Label(when="true", alias="production"))
    model.version(2).update(description="touched")
    assert model.resolve("production").name == "1"
    plan = registry.apply_policies(dry_run=True).dicts()
    assert [row["effect"] for row in plan if row["subject"] == "m@2"] == [None, "refuse"]


def run(registry: Registry, name: str, right: int, version: int) -> Model:
    """A model that says of so many of 40 samples what is true, on the suite `scans`."""

    def infer(scan: Scan) -> Said:
        return Said(ScoredLabel("y" if scan.n < right else "n", 0.9))

    registry.create_model(name, exist_ok=True).create_version(version)
    with localreg.use(registry):
        case = Case("all", test_samples=[(Scan(n), Finding("y" if n < 39 else "n")) for n in range(40)])
        test(Net(name, infer, version=version), Suite("scans", test_cases=[case]), "classification")
    return registry.get_model(name)


def test_what_the_evaluator_said_of_the_suite_counts(registry: Registry) -> None:
    model = run(registry, "net", 19, 1)
    value = 0.5  # 19 of 39 are right, and the one that is not "y"
    registry.add_policy("half", AliasGate(alias="half", require=(f"suite_metrics.scans.accuracy = {value}",)))
    registry.add_policy("all", AliasGate(alias="all", require=("suite_metrics.scans.accuracy = 1",)))
    model.set_alias("half", 1)
    with pytest.raises(PolicyError, match=r"suite_metrics\.scans\.accuracy = 0\.5"):
        model.set_alias("all", 1)
    model.version(1).set_metrics({"accuracy": 1}, suite="scans")
    model.set_alias("all", 1)


def test_a_gate_asks_for_a_comparison_with_the_version_that_has_the_alias(registry: Registry) -> None:
    for version, right in ((1, 30), (2, 5), (3, 38)):
        model = run(registry, "net", right, version)
    registry.add_policy("no worse", AliasGate(alias="production", no_regression="scans"))
    model.set_alias("production", 1)
    with pytest.raises(PolicyError, match=r"no comparison with version 'net@1' on 'scans' is saved"):
        model.set_alias("production", 2)
    registry.compare("net@1", "net@2", "net@3", suite="scans").save("three")
    with pytest.raises(PolicyError, match=r"it regressed against version 'net@1' in comparison 'three': accuracy"):
        model.set_alias("production", 2)
    model.set_alias("production", 3)
    with pytest.raises(PolicyError, match=r"no comparison with version 'net@3'"):
        model.set_alias("production", 1)
    with pytest.raises(PolicyError, match="'production' may be moved, but not removed: gate 'no worse'"):
        model.remove_alias("production")
    model.delete(force=True)


def test_a_version_that_has_a_guarded_alias_is_not_deleted_around_the_gate(registry: Registry) -> None:
    for version, right in ((1, 30), (2, 5)):
        model = run(registry, "net", right, version)
    registry.add_policy("no worse", AliasGate(alias="production", no_regression=True))
    model.set_alias("production", 1)
    with pytest.raises(PolicyError, match="may be moved, but not removed"):
        model.version(1).delete(force=True)


def test_a_comparison_that_left_something_out_opens_no_gate(registry: Registry) -> None:
    for version, right in ((1, 30), (2, 30)):
        model = run(registry, "net", right, version)
    registry.add_policy("no worse", AliasGate(alias="production", no_regression="scans"))
    model.set_alias("production", 1)
    registry.compare("net@1", "net@2", suite="scans", metrics=["accuracy"]).save("chosen")
    with pytest.raises(PolicyError, match="comparison 'chosen' is of chosen metrics alone, and says too little"):
        model.set_alias("production", 2)
    registry.compare("net@1", "net@2", suite="scans").save("whole")
    model.set_alias("production", 2)
    with localreg.use(registry):
        suite = Suite("scans")
        with suite.edit() as editor:
            editor.add(Case("more", test_samples=[(Scan(99), Finding("y"))]))
    registry.compare("net@2", "net@1", suite="scans").save("now")
    with pytest.raises(PolicyError, match=r"leaves out 1 sample \(strict=True counts them\)"):
        model.set_alias("production", 1)


def test_no_version_is_called_like_a_guarded_alias(registry: Registry, model: Model) -> None:
    registry.add_policy("quality", AliasGate(alias="production", require=(GOOD,)))
    with pytest.raises(PolicyError, match="no version may be called 'production': gate 'quality' guards an alias"):
        model.create_version("production")
    assert names(model) == []


def test_numbers_of_another_data_set_of_the_same_name_do_not_count(registry: Registry, model: Model) -> None:
    model.add_dataset("s3://a", name="ev", role="eval")
    model.set_metrics({"acc": 0.9}, dataset="ev")
    registry.add_policy("quality", Label(when="dataset_metrics.ev.acc > 0.8", tag="good"))
    version = model.create_version(1)
    assert version.tags == ["good"]
    other = model.create_version(2, description="x")
    other.untag("good").add_dataset("s3://b", name="ev", role="eval")
    other.set_metrics({"f1": 0.5}, dataset="ev")
    registry.add_policy("quality", Label(when="dataset_metrics.ev.acc > 0.8", tag="still good"), replace=True)
    other.update(description="y")
    assert "still good" not in other.tags


def test_what_cannot_be_read_keeps_no_commit_but_closes_gates(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    model = run(registry, "net", 38, 1)
    condition = "suite_metrics.scans.accuracy > 0.5"
    registry.add_policy("tested", Label(when=condition, tag="tested"))
    registry.add_policy("release", AliasGate(alias="production", require=(condition,)))
    (part,) = Path(registry.uri).glob("namespaces/default/data/metric_values/*/*.parquet")
    part.write_bytes(b"altered")
    model.version(1).update(description="changed all the same")
    assert "a policy cannot look at what it speaks of" in caplog.text
    assert (model.version(1).description, model.version(1).tags) == ("changed all the same", [])
    with pytest.raises(PolicyError, match=r"suite_metrics\.scans\.accuracy is not known"):
        model.set_alias("production", 1)


def test_a_condition_sees_the_comparison(registry: Registry) -> None:
    for version, right in ((1, 5), (2, 38)):
        model = run(registry, "net", right, version)
    registry.compare("net@1", "net@2", suite="scans").save()
    registry.add_policy(
        "better", Label(when="comparison.verdict = 'improved' AND comparison.baseline = 'net@1'", tag="up")
    )
    registry.apply_policies()
    assert [version.tags for version in model.versions()] == [[], ["up"]]


# --- promotion --------------------------------------------------------------------------------------------------------


def trained(registry: Registry, name: str, *accuracies: float) -> None:
    with registry.experiment(name, code=False) as experiment:
        for step, accuracy in enumerate(accuracies, 1):
            experiment.checkpoint(b"%d" % step, step=step, metrics={"accuracy": accuracy})


def test_the_best_checkpoints_become_versions(registry: Registry, model: Model) -> None:
    rule = Promotion(best="accuracy", version="{experiment}-{step}", alias="candidate")
    registry.add_policy("best", rule, model=model)
    trained(registry, "e", 0.5, 0.4, 0.7, 0.7)
    assert names(model) == ["e-1", "e-3"]
    assert model.resolve("candidate").name == "e-3"
    event = registry.audit(kind="model_version").dicts()[-1]
    assert event["action"] == "promote"
    assert event["details"] == {
        "experiment": "e",
        "checkpoint": "step 3",
        "policy": "best",
        "reason": "accuracy = 0.7, and the best before it 0.5",
    }


def test_a_checkpoint_that_cannot_be_called_as_wished_is_saved_all_the_same(registry: Registry, model: Model) -> None:
    registry.add_policy("best", Promotion(best="accuracy", version="{experiment}"), model=model)
    trained(registry, "a" * 130, 0.5)
    assert len(registry.checkpoints()) == 1
    assert names(model) == []
    (row,) = registry.apply_policies(dry_run=True).dicts()
    assert row["effect"] is None
    assert "128" in row["reason"]


def test_an_alias_that_is_a_version_is_left_alone(registry: Registry, model: Model) -> None:
    model.create_version("prod")
    registry.add_policy("best", Promotion(best="accuracy", alias="prod"), model=model)
    trained(registry, "e", 0.5)
    assert names(model) == ["prod", "1"]
    assert model.aliases() == {}


def test_those_over_a_threshold_become_versions_once(registry: Registry, model: Model) -> None:
    registry.add_policy("enough", Promotion(when="metrics.accuracy > 0.6 AND experiment = 'e'"), model=model)
    trained(registry, "e", 0.5, 0.65, 0.7)
    trained(registry, "other", 0.9)
    registry.apply_policies()
    assert names(model) == ["1", "2"]
    plan = registry.apply_policies(dry_run=True).dicts()
    assert {row["effect"] for row in plan} == {None}
    assert any("it has been promoted" in row["reason"] for row in plan)


# --- retention --------------------------------------------------------------------------------------------------------


def test_the_last_and_the_best_are_kept_and_what_is_needed(registry: Registry, model: Model) -> None:
    versions(model, 0.9, 0.1, 0.2, 0.3, 0.4)
    model.set_alias("production", 2)
    registry.add_policy("few", Retention(keep_last=1, keep_best=1, metric="accuracy"), model=model)
    assert names(model) == ["1", "2", "3", "4", "5"], "to declare it deletes nothing"
    plan = {row["subject"]: row for row in registry.apply_policies(dry_run=True)}
    assert names(model) == ["1", "2", "3", "4", "5"]
    assert [name for name, row in plan.items() if row["effect"] == "delete"] == ["m@3", "m@4"]
    assert plan["m@2"]["reason"] == "kept: alias 'm@production' depends on it"
    model.create_version(6)
    assert names(model) == ["1", "2", "6"]
    event = registry.audit(kind="model_version").dicts()[-1]
    assert event["action"] == "delete"
    assert event["details"]["policy"] == "few"


def test_the_young_are_kept(registry: Registry, model: Model) -> None:
    versions(model, 0.1, 0.2)
    registry.add_policy("young", Retention(younger_than="30d"))
    versions(model, 0.3)
    assert names(model) == ["1", "2", "3"]


def test_checkpoints_of_which_a_version_was_made_are_kept(registry: Registry, model: Model) -> None:
    registry.add_policy("few", Retention(keep_last=2, of="checkpoints"))
    with registry.experiment("e", code=False) as experiment:
        for step in (1, 2, 3, 4):
            saved = experiment.checkpoint(b"%d" % step, step=step)
            if step == 1:
                saved.promote("m", 1)
    assert [row["name"] for row in registry.checkpoints()] == ["step 1", "step 3", "step 4"]


@pytest.mark.parametrize(
    "rule",
    [Retention(keep_best=1, metric="accuracy"), Retention(keep_when="'keep' IN tags"), Retention(younger_than="1s")],
)
def test_what_a_commit_makes_or_speaks_of_is_not_deleted_by_it(registry: Registry, model: Model, rule: Rule) -> None:
    versions(model, 0.9)
    registry.add_policy("few", rule)
    made = model.create_version(2, description="x").set_metrics({"accuracy": 0.5})
    assert made.name == "2"


def test_a_note_sets_off_no_policy(registry: Registry, model: Model) -> None:
    versions(model, 0.9, 0.1)
    registry.add_policy("few", Retention(keep_last=1))
    registry.consume("m@1")
    model.version(1).event("deployed")
    assert names(model) == ["1", "2"]


def test_what_is_not_known_or_cannot_be_computed_is_kept(registry: Registry, model: Model) -> None:
    for number, score in enumerate(("n/a", "5", "1"), 1):
        model.create_version(number, metadata={"score": score})
    model.create_version(4)
    registry.add_policy("scored", Retention(keep_when="CAST(metadata.score AS INTEGER) > 3"))
    registry.add_policy("best", Retention(keep_best=1, metric="accuracy"))
    plan = [row for row in registry.apply_policies(dry_run=True) if row["policy"] == "scored"]
    assert [row["effect"] for row in plan if row["subject"] != "m@1"] == [None, "delete", None]
    assert {row["reason"] for row in registry.apply_policies(dry_run=True) if row["policy"] == "best"} == {
        "kept: its accuracy is not known"
    }


# --- actions ----------------------------------------------------------------------------------------------------------

CALLS: list[str] = []


def convert(subject: Any) -> dict[str, bytes]:
    CALLS.append(subject.name)
    return {"model.onnx": b"converted"}


def fail(subject: Any) -> None:
    CALLS.append(subject.name)
    raise RuntimeError("no converter")


@pytest.fixture
def calls() -> list[str]:
    CALLS.clear()
    return CALLS


def test_a_function_is_called_for_an_event_and_its_output_kept(
    registry: Registry, model: Model, calls: list[str]
) -> None:
    registry.add_policy("onnx", Action(run=f"{__name__}:convert", on="set_alias:production"), model=model)
    versions(model, 0.9)
    model.set_alias("staging", 1)
    assert len(registry.pending_actions()) == 0
    model.set_alias("production", 1)
    (waiting,) = registry.pending_actions().dicts()
    assert (waiting["status"], waiting["subject"], waiting["event"]) == ("pending", "m@1", "set_alias:production")
    assert registry.run_pending() == [waiting["id"]]
    assert registry.run_pending() == []
    assert calls == ["1"]
    artifact = model.version(1).get_artifact("model.onnx")
    assert artifact.metadata == {"action": f"{__name__}:convert", "policy": "onnx"}
    (row,) = registry.pending_actions().dicts()
    assert (row["status"], row["attempts"]) == ("finished", 1)


def test_what_programs_report_asks_for_actions_too(registry: Registry, model: Model, calls: list[str]) -> None:
    registry.add_policy("onnx", Action(run=f"{__name__}:convert", on="event:exported"))
    versions(model, 0.9)
    model.version(1).event("deployed")
    with registry.experiment("e", code=False) as experiment:
        experiment.event("exported")
    model.version(1).log_events([{"name": "exported"}, {"name": "exported"}, {"name": "other"}])
    assert [row["subject"] for row in registry.pending_actions()] == ["e", "m@1"], "once for a commit, however many"
    assert len(registry.run_pending()) == 2
    assert calls == ["e", "1"]
    assert experiment.get_artifact("model.onnx").bytes == len(b"converted")


def test_who_may_only_run_runs_actions_and_sets_off_policies(
    registry: Registry, model: Model, calls: list[str]
) -> None:
    registry.add_policy("onnx", Action(run=f"{__name__}:convert", on="create"), model=model)
    registry.add_policy("any", Label(when="len(artifacts) > 0", tag="has artifacts"))
    model.create_version(1)
    registry.grant("rob", "runner")
    runner = localreg.open(registry.uri, actor="rob")
    assert len(runner.run_pending()) == 1
    assert model.version(1).tags == ["has artifacts"]
    with pytest.raises(AccessDeniedError):
        runner.get_model("m").version(1).tag("x")
    with pytest.raises(AccessDeniedError):
        runner.get_policy("any").delete()


def test_none_of_many_events_is_passed_over(registry: Registry, model: Model) -> None:
    registry.add_policy("onnx", Action(run=f"{__name__}:convert", on="event:zzz"))
    model.create_version(1).log_events([{"name": f"a{number}"} for number in range(150)] + [{"name": "zzz"}])
    assert [row["subject"] for row in registry.pending_actions()] == ["m@1"]


def test_what_people_uploaded_is_not_replaced(registry: Registry, model: Model) -> None:
    registry.add_policy("onnx", Action(run=f"{__name__}:convert", on="tag", attempts=1))
    model.create_version(1).upload(b"mine", name="model.onnx")
    model.version(1).tag("a")
    assert registry.run_pending() == []
    assert "'model.onnx' is there, and somebody else's" in registry.pending_actions().dicts()[0]["error"]
    assert model.version(1).get_artifact("model.onnx").bytes == len(b"mine")
    model.version(1).get_artifact("model.onnx").delete()
    for tag in ("b", "c"):
        model.version(1).tag(tag)
    assert len(registry.run_pending()) == 2, "its own is replaced"


def delete_it(subject: Any) -> bytes:
    subject.delete(force=True)
    return b"too late"


def test_nothing_is_attached_to_what_was_deleted_meanwhile(registry: Registry, model: Model) -> None:
    registry.add_policy("odd", Action(run=f"{__name__}:delete_it", on="create", attempts=1), model=model)
    model.create_version(1)
    assert registry.run_pending() == []
    assert len(registry.artifacts()) == 0


def test_a_failing_one_is_tried_again_and_given_up(registry: Registry, model: Model, calls: list[str]) -> None:
    registry.add_policy("bad", Action(run=f"{__name__}:fail", on="create", attempts=2))
    model.create_version(1)
    assert registry.run_pending() == []
    assert calls == ["1", "1"]
    (row,) = registry.pending_actions().dicts()
    assert (row["status"], row["attempts"]) == ("failed", 2)
    assert "RuntimeError: no converter" in row["error"]
    assert registry.run_pending() == []
    said = [event["action"] for event in registry.audit(kind="pending_action")]
    assert said == ["ask", "begin", "retry", "fail"]


def test_a_condition_decides_whether_it_is_called(registry: Registry, model: Model) -> None:
    registry.add_policy("onnx", Action(run=f"{__name__}:convert", on="create", when="metadata.export = true"))
    model.create_version(1)
    model.create_version(2, metadata={"export": True})
    assert [row["subject"] for row in registry.pending_actions()] == ["m@2"]


def test_one_whose_runner_died_is_called_again(registry: Registry, model: Model, calls: list[str]) -> None:
    registry.add_policy("onnx", Action(run=f"{__name__}:convert", on="create"), model=model)
    model.create_version(1)
    session, writer = registry._session, "0" * 32
    (row,) = session.state().children("pending_action")
    presence = Presence(session.store, "tmp/actions", writer)
    with presence.shown():
        assert pending._claimed(session, presence, row.id, writer)
        assert registry.run_pending() == [], "somebody is at it"
    assert registry.run_pending() == [row.id]
    assert calls == ["1"]
    (told,) = registry.pending_actions().dicts()
    assert (told["status"], told["attempts"]) == ("finished", 2)


def test_a_function_that_is_not_there_is_told(registry: Registry, model: Model) -> None:
    registry.add_policy("odd", Action(run="no.such.module:f", on="create", attempts=1), model=model)
    model.create_version(1)
    registry.run_pending()
    assert "no.such.module:f cannot be imported" in registry.pending_actions().dicts()[0]["error"]


# --- the whole --------------------------------------------------------------------------------------------------------


def test_the_plan_is_what_is_done_and_is_done_once(registry: Registry, model: Model) -> None:
    versions(model, 0.95, 0.5)
    registry.add_policy("good ones", Label(when=GOOD, tag="good"))
    before = registry.commit
    plan = registry.apply_policies(dry_run=True).dicts()
    assert registry.commit == before
    assert [(row["subject"], row["effect"]) for row in plan] == [("m@1", "tag 'good'"), ("m@2", None)]
    assert plan[1]["reason"] == f"{GOOD} does not hold: metrics.accuracy = 0.5"
    assert registry.apply_policies().dicts() == plan
    assert registry.commit == before + 1
    registry.apply_policies()
    assert registry.commit == before + 1


def test_to_apply_them_is_a_commit_of_its_own(registry: Registry, model: Model) -> None:
    registry.add_policy("quality", AliasGate(alias="production", require=(GOOD,)))
    model.create_version(1)
    with pytest.raises(InvalidInputError, match="call it after the block"), registry.transaction():
        registry.apply_policies()
    with registry.transaction():
        assert registry.apply_policies(dry_run=True).dicts()[0]["effect"] == "refuse"


def test_policies_go_with_their_model(registry: Registry, model: Model) -> None:
    registry.add_policy("good ones", Label(when=GOOD, tag="good"), model=model)
    registry.add_policy("of all", Label(when=GOOD, tag="good"))
    model.delete()
    assert [row["name"] for row in registry.policies()] == ["of all"]
    registry.undo(registry.commit)
    assert len(registry.policies()) == 2


def test_another_writer_in_between_changes_nothing_about_it(registry: Registry, model: Model) -> None:
    registry.add_policy("good ones", Label(when=GOOD, tag="good"))
    model.create_version(1)
    other = localreg.open(registry.uri)
    with registry.transaction():
        model.version(1).set_metrics({"accuracy": 0.95})
        other.create_model("meanwhile")
    assert model.version(1).tags == ["good"]
    assert len(registry.audit(kind="model_version").dicts()) == 2
