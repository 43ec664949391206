"""The example on S3 is run as a user would, with a server of its own and on a bucket that is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.remote import KEY, SECRET, Server

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "s3.py"


def run(folder: Path, *arguments: str, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LOCALREG", "AWS_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT), *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), "LOCALREG_CACHE": str(folder / "cache"), **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert sorted(path.name for path in folder.iterdir()) == ["cache"]
    return done.stdout


def check(shown: str) -> None:
    assert [line.split()[-1] for line in shown.splitlines() if "'s model" in line] == ["ana"] * 3 + ["ben"] * 3
    assert "6 commits" in shown
    assert "all digests hold" in shown
    assert "6 models as of commit 6" in shown


def test_what_it_needs_is_told_where_it_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "boto3.py").write_text('raise ModuleNotFoundError("No module named boto3", name="boto3")')
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True,
        text=True,
    )
    told = "the example's own server needs boto3: pip install -e '.[s3,test]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", told)
    assert told.split(": ")[1].strip() in SCRIPT.read_text(encoding="utf-8").split('"""')[1]


@pytest.mark.slow
def test_it_runs_against_a_server_of_its_own(tmp_path: Path) -> None:
    check(run(tmp_path))


@pytest.mark.slow
def test_it_runs_on_a_bucket_and_again(tmp_path: Path, s3: Server) -> None:
    credentials = {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    arguments = [f"s3://{s3.bucket()}/registry", "--endpoint", s3.endpoint]
    for _ in range(2):
        shown = run(tmp_path, *arguments, **credentials)
        check(shown)
        assert SECRET not in shown
