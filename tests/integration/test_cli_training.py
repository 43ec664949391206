"""The command line for experiments, checkpoints and artifacts: what the library says, and what it refuses."""

from __future__ import annotations

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
