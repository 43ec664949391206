"""The command line for experiments, checkpoints and artifacts: what the library says, and what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import localreg
from localreg import Registry
from localreg.cli import run

Cli = Callable[..., str]


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A model with a version, and an experiment with three checkpoints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCALREG_URI", str(tmp_path / "registry"))
    made = localreg.open(tmp_path / "registry")
    made.create_model("m").create_version("1")
    with made.experiment("lr 0.1", params={"lr": 0.1}, owner="ana") as experiment:
        for step in range(3):
            experiment.log({"train": {"loss": 1 / (step + 1)}}, step=step)
            experiment.checkpoint(f"w{step}".encode(), step=step, metrics={"acc": step / 10})
    return made


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    def call(*words: str, code: int = 0) -> str:
        capsys.readouterr()
        found = run(words)
        told = capsys.readouterr()
        assert found == code, told.err
        return told.out if code == 0 else told.err

    return call


def test_experiments_are_listed_and_shown(cli: Cli, registry: Registry) -> None:
    assert re.search(r"lr 0.1 +finished +ana +{\"lr\": 0.1}", cli("experiments", "list", "--where", "params.lr < 0.2"))
    assert "lr 0.1" not in cli("experiments", "list", "--where", "params.lr > 0.2")
    shown = cli("experiments", "show", "lr 0.1")
    assert re.search(r"^environment +Python 3", shown, re.MULTILINE)
    assert re.search(r"^train/loss +3 +2 +0.333333 +0.333333 +1 +0.611111$", shown, re.MULTILINE)
    points = cli("experiments", "points", "lr 0.1", "train/", "--format", "csv").splitlines()
    assert [line.split(",")[:2] for line in points[1:]] == [["train/loss", str(step)] for step in range(3)]
    assert "no experiment 'lr' in namespace 'default'; did you mean 'lr 0.1'" in cli(
        "experiments", "show", "lr", code=1
    )
    cli("experiments", "archive", "lr 0.1")
    assert "lr 0.1" not in cli("experiments", "list")
    assert "lr 0.1" in cli("experiments", "list", "--archived")


def test_what_runs_is_told_and_what_was_killed_is_closed(cli: Cli, registry: Registry) -> None:
    running = registry.experiment("second")
    assert re.search(r"^status +running$", cli("experiments", "show", "second"), re.MULTILINE)
    assert cli("experiments", "recover") == "nothing to change\n"
    assert running._recorder is not None
    running._recorder.close()  # gone, without a word
    assert re.search(r"^status +killed$", cli("experiments", "show", "second"), re.MULTILINE)
    assert cli("experiments", "recover") == "closed 1 experiment: 'second'\n"
    cli("experiments", "delete", "second")
    assert len(registry.experiments()) == 1


def test_checkpoints_become_versions(cli: Cli, registry: Registry) -> None:
    listed = cli("checkpoints", "list", "--order-by", "metrics.acc DESC", "--limit", "1")
    assert re.search(r"lr 0.1 +step 2 +2 ", listed)
    assert cli("checkpoints", "promote", "lr 0.1", "step 2", "m", "2") == "made version '2' of model 'm'\n"
    assert registry.get_version("m@2").info.checkpoint is not None
    refused = cli("checkpoints", "delete", "lr 0.1", "step 2", code=1)
    assert "version 'm@2' depends on it; delete that first, or pass --force" in refused
    assert "did you mean 'step 2'" in cli("checkpoints", "delete", "lr 0.1", "step 22", code=1)
    cli("checkpoints", "delete", "lr 0.1", "step 2", "--force")
    assert [version.name for version in registry.get_model("m").versions()] == ["1"]


def test_artifacts_go_in_and_come_out(cli: Cli, registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "a.bin").write_bytes(b"abc")
    told = cli("artifacts", "upload", "m@1", "weights", "--metadata", "epoch=3")
    assert re.fullmatch(r"stored 'weights', 3 bytes, sha256 [0-9a-f]{64}\n", told)
    shown = cli("artifacts", "show", "m@1", "weights")
    assert re.search(r"^  epoch +3$", shown, re.MULTILINE)
    assert re.search(r"^a.bin +ba7816bf", shown, re.MULTILINE)
    assert cli("artifacts", "download", "m@1", "weights", "out") == "wrote out\n"
    assert (tmp_path / "out" / "a.bin").read_bytes() == b"abc"
    assert "has an artifact 'weights' already" in cli("artifacts", "upload", "m@1", "weights", code=1)
    cli("artifacts", "upload", "lr 0.1", "weights", "--experiment", "--name", "notes")
    cli("artifacts", "download", "lr 0.1", "checkpoint", "out", "--checkpoint", "step 1")
    assert (tmp_path / "out" / "checkpoint").read_text() == "w1"
    assert cli("artifacts", "track", "m", "s3://bucket/x.bin") == "tracked 'x.bin' at s3://bucket/x.bin\n"
    assert [row["owner"] for row in registry.artifacts("owner_kind <> 'checkpoint'", order_by="owner")] == [
        "lr 0.1",
        "m",
        "m@1",
    ]
    cli("artifacts", "delete", "m@1", "weights")
    assert "has no artifact 'weights'" in cli("artifacts", "show", "m@1", "weights", code=1)


def test_data_sets_are_added_shown_changed_and_deleted(cli: Cli, registry: Registry) -> None:
    assert cli("datasets", "add", "m", "s3://a/plates", "--role", "train", "--metadata", "n=3") == (
        "added data set 'plates' to 'm'\n"
    )
    registry.get_version("m@1").upload(b"rows", name="rows")
    cli("datasets", "add", "m@1", "rows", "--artifact", "--role", "eval")
    cli("datasets", "add", "lr 0.1", "rows", "--artifact-of", "m@1", "--role", "train", "--experiment")
    assert [(row["owner"], row["artifact"]) for row in registry.datasets(order_by="owner")] == [
        ("lr 0.1", "rows"),
        ("m", None),
        ("m@1", "rows"),
    ]
    for words in (["versions", "show", "m", "1"], ["models", "show", "m"]):
        assert re.search(r"^plates +train +m +s3://a/plates$", cli(*words), re.MULTILINE), words
    assert re.search(r"^rows +train +lr 0.1 +rows$", cli("experiments", "show", "lr 0.1"), re.MULTILINE)
    assert re.search(r"^  n +3$", cli("datasets", "show", "m@1", "plates"), re.MULTILINE)
    assert cli("datasets", "set", "m@1", "plates", "n=4", "--role", "eval") == "updated data set 'plates'\n"
    assert registry.datasets("role = 'eval' AND metadata.n = 4")[0]["owner"] == "m"
    assert "pass --replace" in cli("datasets", "add", "m", "s3://b/plates", "--role", "train", code=1)
    assert "did you mean 'plates'" in cli("datasets", "show", "m", "plate", code=1)
    assert "nothing to set" in cli("datasets", "set", "m", "plates", code=2)
    refused = cli("artifacts", "delete", "m@1", "rows", code=1)
    assert "data set 'rows' of version 'm@1', data set 'rows' of experiment 'lr 0.1' depend on it" in refused
    assert "pass --force" in refused
    cli("artifacts", "delete", "m@1", "rows", "--force")
    cli("datasets", "delete", "m", "plates")
    assert "0 rows" in cli("datasets", "list")
    assert "data" not in cli("models", "show", "m"), "nothing is told of none"


def test_who_uses_a_version_is_told_and_asked(cli: Cli, registry: Registry) -> None:
    registry.get_model("m").set_alias("production", "1")
    assert "0 rows" in cli("versions", "consumers", "m")
    for _ in range(2):
        assert cli("versions", "consume", "m@production", "--actor", "zoe") == "m@1\n"
    header, _, row = cli("versions", "consumers", "m").splitlines()
    assert header.split() == ["time", "actor", "host", "process", "version", "via"]
    assert re.search(r"Z +zoe +.* +\d+ +1 +production$", row)
    assert cli("versions", "consumers", "m", "1").splitlines()[2] == row
    assert "has neither a version nor an alias 'prod'" in cli("versions", "consume", "m@prod", code=1)


def test_lineage_is_a_tree_that_reads_well(cli: Cli, registry: Registry) -> None:
    model, experiment = registry.get_model("m"), registry.get_experiment("lr 0.1")
    model.add_dataset("s3://a/night", role="eval")
    rows = experiment.upload(b"rows", name="rows.csv")
    experiment.add_dataset(rows, role="train", name="plates")
    version = experiment.get_checkpoint("step 2").promote(model, "2")
    version.add_dataset(rows, role="train", name="plates")
    version.upload(b"c", name="card.md")
    assert cli("lineage", "m@2") == (
        "version 'm@2'\n"
        "  comes from\n"
        "    checkpoint 'lr 0.1: step 2'\n"
        "      experiment 'lr 0.1'\n"
        "        data set 'plates' (train)\n"
        "          artifact 'rows.csv'\n"
        "    data set 'night' (eval)\n"
        "    data set 'plates' (train)\n"
        "      artifact 'rows.csv'\n"
        "  leads to\n"
        "    artifact 'card.md'\n"
    )
    assert cli("lineage", "m@2", "--dataset", "night").splitlines() == [
        "data set 'night'",
        "  leads to",
        "    version 'm@1' (eval)",
        "    version 'm@2' (eval)",
        "      artifact 'card.md'",
    ]
    assert cli("lineage", "lr 0.1", "--experiment", "--artifact", "rows.csv").splitlines()[:6] == [
        "artifact 'rows.csv'",
        "  leads to",
        "    data set 'plates'",
        "      experiment 'lr 0.1' (train)",
        *("        checkpoint 'lr 0.1: step 0'", "          artifact 'checkpoint'"),
    ]
    told = cli("lineage", "lr 0.1", "--checkpoint", "step 0")
    assert told.startswith("checkpoint 'lr 0.1: step 0'\n  comes from\n    experiment 'lr 0.1'\n")
    registry.get_model("m").get_dataset("night").delete()
    assert "nothing is known of what it comes from" in cli("lineage", "m@1")
    assert json.loads(cli("lineage", "m@2", "--format", "json")) == version.lineage().dicts()
    assert cli("lineage", "m@2", "--format", "csv").splitlines()[0].startswith("depth,source_kind,")
    assert "leave out the other options" in cli("lineage", "0" * 32, "--run", "--experiment", code=2)
    assert "no test run" in cli("lineage", "0" * 32, "--run", code=1)
    assert "a data set is one of" in cli("lineage", "lr 0.1", "--checkpoint", "step 0", "--dataset", "x", code=2)


def test_events_are_added_shown_paired_and_told_in_time(cli: Cli, registry: Registry, tmp_path: Path) -> None:
    told = cli("events", "add", "m@1", "deployed", "--source", "ops", "--wallclock", "5", "--metadata", "port=80")
    assert told == "reported 'deployed' of 'm@1'\n"
    (tmp_path / "events.csv").write_text("name,wallclock,metadata\nbegin,1.5,{}\nend,2.25,{}\n")
    assert cli("events", "import", "lr 0.1", "events.csv", "--experiment") == "reported 2 events of 'lr 0.1'\n"
    cli("events", "add", "lr 0.1", "saved", "--experiment", "--checkpoint", "step 1")
    listed = cli("events", "list", "--order-by", "name", "--format", "csv").splitlines()
    assert [line.split(",")[2:5:2] for line in listed[1:]] == [
        ["lr 0.1", "begin"],
        ["m@1", "deployed"],
        ["lr 0.1", "end"],
        ["lr 0.1: step 1", "saved"],
    ]
    shown = cli("events", "show", "lr 0.1", "--experiment", "--since", "1970-01-01T00:00:02Z")
    assert re.search(r"^end +1970-01-01 00:00:02Z", shown, re.MULTILINE)
    assert "begin" not in shown
    lasted = cli("events", "durations", "lr 0.1", "--experiment", "--start", "begin", "--end", "end", "-f", "json")
    assert '"seconds": 0.75' in lasted
    timeline = cli("events", "timeline", "m")
    assert re.search(r"^1970-01-01 00:00:05Z +event +deployed +version 'm@1' +ops", timeline, re.MULTILINE)
    assert re.search(r"audit +create +version 'm@1'", timeline)
    assert "wallclock is 'soon'" in cli("events", "add", "m", "x", "--wallclock", "soon", code=1)
    assert "start and end are both 'a'" in cli("events", "durations", "m", "--start", "a", "--end", "a", code=1)


def test_policies_are_declared_planned_applied_and_their_actions_run(
    cli: Cli, registry: Registry, tmp_path: Path
) -> None:
    told = cli("policies", "promotion", "best", "--model", "m", "--best", "acc", "--version", "step {step}")
    assert told == "added promotion policy 'best' of model 'm'\n"
    cli("policies", "gate", "release", "--alias", "production", "--require", "metrics.size < 10")
    (tmp_path / "converters.py").write_text("def to_onnx(version):\n    return {'model.onnx': b'converted'}\n")
    cli("policies", "action", "onnx", "--run", "converters:to_onnx", "--on", "set_alias:production")
    planned = cli("policies", "plan", "--format", "csv").splitlines()
    assert "best,promotion,m,lr 0.1: step 2,promote to 'm'" in planned[3]
    assert cli("policies", "apply").splitlines() == [
        "lr 0.1: step 0: promote to 'm' (best: acc = 0, the first)",
        "lr 0.1: step 1: promote to 'm' (best: acc = 0.1, and the best before it 0)",
        "lr 0.1: step 2: promote to 'm' (best: acc = 0.2, and the best before it 0.1)",
        "3 effects of policies",
    ]
    assert cli("policies", "apply") == "0 effects of policies\n"
    assert "it has been promoted" not in cli("policies", "plan")
    assert "it has been promoted" in cli("policies", "plan", "--all")
    refused = cli("aliases", "set", "m", "production", "step 2", code=1)
    assert "gate 'release': metrics.size < 10 does not hold: metrics.size is not known" in refused
    suited = registry.get_version("m@step 2").set_metrics({"acc": 0.5})
    suited.add_dataset("s3://bucket/night", role="eval")
    suited.set_metrics({"acc": 0.25}, dataset="night")
    assert re.search(r"^acc +0.25 +night$", cli("versions", "show", "m", "step 2"), re.MULTILINE)
    assert cli("metrics", "set", "m@step 2", "size=3") == "set size of 'm@step 2'\n"
    cli("aliases", "set", "m", "production", "step 2")
    assert re.search(
        r"^onnx +m@step 2 +set_alias:production +converters:to_onnx +pending", cli("policies", "actions"), re.M
    )
    assert cli("policies", "run") == "finished 1 of 1 action\n"
    assert cli("policies", "run") == "finished 0 of 0 actions\n"
    assert registry.get_version("m@step 2").get_artifact("model.onnx").bytes == len(b"converted")
    assert "acc = 0.1, and the best before it 0" in cli("policies", "show", "best")
    assert "nothing" not in cli("policies", "list")
