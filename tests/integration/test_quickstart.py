"""The example is run as a user would, by its path and from another folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import localreg

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "quickstart.py"


def quickstart(folder: Path, *arguments: str) -> str:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "utf-8",
        "LOCALREG_URI": str(folder / "no"),
    }
    command = [sys.executable, "-W", "error", str(SCRIPT), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def inferences(folder: Path) -> list[tuple[str, int]]:
    counted = localreg.open(folder, read_only=True).sql(
        "SELECT model, count(*) AS n FROM inferences GROUP BY ALL ORDER BY ALL"
    )
    return [(row["model"], row["n"]) for row in counted]


def slices(text: str) -> list[tuple[str, str, str, int, int]]:
    """Name, accuracy of both, fixed and broken of each slice that the script tells."""
    told = text.partition("\naccuracy by ink:\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^  (.+?) +(\S+) → (\S+)  (\d+) fixed, (\d+) broken: ", told, re.MULTILINE)
    return [(name, a, b, int(fixed), int(broken)) for name, a, b, fixed, broken in rows]


@pytest.mark.slow
def test_the_quickstart_tells_the_same_each_time_and_infers_once(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the example needs the extra `demo`")
    first = quickstart(tmp_path, "registry")
    for number in ("0.938821", "0.968854", "31 fixed", "4 broken", "3.5e-06", "improved", "899 samples paired"):
        assert number in first
    assert slices(first) == [
        ("all", "0.938821", "0.968854", 31, 4),
        ("ink ≤ 4.40625", "0.920000", "0.955556", 9, 1),
        ("4.40625 < ink ≤ 4.859375", "0.934783", "0.982609", 11, 0),
        ("4.859375 < ink ≤ 5.265625", "0.946429", "0.964286", 5, 1),
        ("ink > 5.265625", "0.954545", "0.972727", 6, 2),
    ]
    assert "all digests hold" in first
    assert re.search(r"^digits-svc +1 +production +sklearn\.datasets\.load_digits$", first, re.MULTILINE)
    registry = tmp_path / "registry"
    commit = localreg.open(registry, read_only=True).commit
    parts = sorted(registry.rglob("data/*/*/*"))
    assert inferences(registry) == [("digits-logistic", 899), ("digits-svc", 899)]
    assert quickstart(tmp_path, str(registry)) == first.replace("the directory registry:", f"the directory {registry}:")
    assert sorted(registry.rglob("data/*/*/*")) == parts
    assert localreg.open(registry, read_only=True).commit == commit
    assert [path.name for path in tmp_path.iterdir()] == ["registry"]
