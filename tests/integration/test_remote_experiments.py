"""Experiments and artifacts in S3: what is logged waits on this machine until it is in the bucket."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import localreg
from localreg import Registry
from localreg.experiments import Experiment
from tests.crash.pipes import read_line
from tests.remote import KEY, SECRET, Server, options

LATE = 3_600.0


@pytest.fixture
def uri(s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LOCALREG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALREG_STATE", str(tmp_path / "state"))
    return f"s3://{s3.bucket()}/training"


def opened(uri: str, s3: Server) -> Registry:
    return localreg.open(uri, storage_options=options(s3.endpoint))


def values(experiment: Experiment, *, live: bool) -> list[float]:
    return [row["value"] for row in experiment.points("x", live=live)]


def test_points_and_artifacts_go_to_the_bucket(uri: str, s3: Server, tmp_path: Path) -> None:
    with opened(uri, s3).experiment("e", strict=True, flush_every=LATE) as experiment:
        experiment.log({"x": 1.0}, step=1)
        assert len(list((tmp_path / "state").rglob("*.jsonl"))) == 1
        experiment.flush()
        experiment.log({"x": 2.0}, step=2)
        other = opened(uri, s3).get_experiment("e")
        assert (values(other, live=True), values(other, live=False)) == ([1.0, 2.0], [])
        experiment.checkpoint(b"weights", step=2)
    assert values(other, live=False) == [1.0, 2.0]
    last = other.latest_checkpoint()
    assert last is not None
    assert last.download(tmp_path / "out").read_bytes() == b"weights"
    assert list((tmp_path / "state").rglob("*.jsonl")) == []
    assert opened(uri, s3).verify().ok


TRAINS = """
import sys, localreg
from tests.remote import options
experiment = localreg.open({uri!r}, storage_options=options({endpoint!r})).experiment("e", flush_every={every})
for step in range(20):
    experiment.log({{"x": float(step)}}, step=step)
    if step == 9:
        experiment.flush()
print("there", flush=True)
sys.stdin.read()
"""


def test_kill_9_loses_no_point(uri: str, s3: Server) -> None:
    code = TRAINS.format(uri=uri, endpoint=s3.endpoint, every=LATE)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    environment |= {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environment
    ) as process:
        assert read_line(process.stdout).strip() == "there"
        process.send_signal(signal.SIGKILL)
    registry = opened(uri, s3)
    assert values(registry.get_experiment("e"), live=True) == list(range(20))
    assert registry.recover_experiments() == [registry.get_experiment("e")]
    assert values(registry.get_experiment("e"), live=False) == list(range(20))
