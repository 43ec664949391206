"""The fixture, as pytest finds it in somebody else's project: a run of its own, with warnings as errors."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]

SUITE = """
from dataclasses import dataclass
from pathlib import Path

import pytest

import localreg
from localreg.workflow import GroundTruth, Inference, TestRun, TestSample, define_workflow, test


@dataclass(frozen=True)
class Photo(TestSample):
    n: int


@dataclass(frozen=True)
class Truth(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    label: str


_, TestCase, TestSuite, Model = define_workflow("w", Photo, Truth, Guess)
seen = []


@pytest.mark.parametrize("turn", range(3))
def test_each_test_has_a_fresh_registry(localreg_registry, turn):
    assert len(localreg_registry.models()) == 0
    localreg_registry.create_model("m")
    seen.append(localreg_registry.id)
    assert len(set(seen)) == turn + 1


def test_open_and_class_style_mean_the_same_registry(localreg_registry, tmp_path):
    suite = TestSuite("s", test_cases=[TestCase("c", test_samples=[(Photo(1), Truth("a"))])])
    test(Model("m", lambda photo: Guess("a")), suite)
    assert localreg.open().id == localreg_registry.id
    assert localreg_registry.compare("m", "m", suite="s").values == (1.0, 1.0)
    assert Path(localreg_registry.uri).is_relative_to(tmp_path)


def test_a_test_without_the_fixture_has_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert localreg.open().id not in seen
    assert (tmp_path / ".localreg").is_dir()
"""


def test_the_fixture_gives_each_test_a_fresh_registry(tmp_path: Path) -> None:
    (tmp_path / "test_models.py").write_text(SUITE, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "LOCALREG", "COV"))}
    # The entry point is there only when the package is installed; -p loads the plugin the same way from a checkout.
    environment |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "localreg.pytest_plugin", "-q", "-p", "no:cacheprovider", "-rA"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
    assert "skipped" not in done.stdout


def test_the_plugin_loads_nothing_heavy_before_its_fixture_is_used() -> None:
    code = "import sys, localreg.pytest_plugin; print(*{'duckdb', 'pyarrow', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_pytest_finds_the_plugin_of_an_installed_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"localreg": "localreg.pytest_plugin"}
