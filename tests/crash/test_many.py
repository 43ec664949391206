"""Many processes with kills; see `tests.crash.many`, which also runs by itself, for as long as wanted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.forks import PROJECT
from tests.thorough import THOROUGH

SECONDS = 600 if THOROUGH else 60
PATIENCE_S = 3_600


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills by signal")
def test_what_many_processes_did_is_there_once_whoever_was_killed(tmp_path: Path) -> None:
    """At most 500 operations of each of 8 processes; fewer where time is up before."""
    command = [sys.executable, "-m", "tests.crash.many", "--minutes", str(SECONDS / 60), "--operations", "500"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path / "registry")],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5_000:]
    assert "all as it must be" in done.stdout
