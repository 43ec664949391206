"""Each example is run as a user would, by its path and from another folder; twice, and what it tells is checked."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import localreg

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
Run = Callable[..., tuple[str, localreg.Registry]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs an example twice: what it prints, and the registry that it made."""
    pytest.importorskip("sklearn", reason="the examples need the extra `demo`")
    pytest.importorskip("skimage", reason="the examples need the extra `demo`")

    def twice(name: str, *arguments: str) -> tuple[str, localreg.Registry]:
        first = shown(name, tmp_path, *arguments)
        registry = localreg.open(tmp_path / "registry", read_only=True)
        commit = registry.commit
        assert shown(name, tmp_path, *arguments) == first
        assert registry.commit == commit, "the second run did something again"
        beside = {path.name for path in tmp_path.iterdir()} - {"registry"}
        assert beside <= {"registry-pictures"}, "what an example makes lies where it was told to"
        assert registry.verify().ok
        return first, registry

    return twice


def shown(name: str, folder: Path, *arguments: str) -> str:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LOCALREG")}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), "registry", *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def row(text: str, name: str) -> list[str]:
    """The words of the line that begins with a name."""
    return next(line.split()[1:] for line in text.splitlines() if line.split()[:1] == [name])


@pytest.mark.slow
def test_the_detectors_find_coins(run: Run) -> None:
    text, registry = run("detection.py")
    assert "coins: 24 coins in 4 images" in text
    assert row(text, "otsu") == ["24", "0", "25", "0.490", "1.000", "0.658"]
    assert row(text, "otsu-cleaned") == ["23", "1", "1", "0.958", "0.958", "0.958"]
    assert [each["n"] for each in registry.sql("SELECT count(*) AS n FROM inferences GROUP BY model")] == [4, 4]


@pytest.mark.slow
def test_two_models_are_run_by_their_definitions(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the examples need the extra `demo`")
    text = shown("definitions/digits.py", tmp_path)
    assert re.findall(r"^(digits-\w+): version [0-9a-f]{12} created$", text, re.MULTILINE) == [
        "digits-logistic",
        "digits-centroids",
    ]
    assert "the first picture that nobody learnt from: 8" in text
    assert [float(each) for each in row(text, "accuracy")[:2]] == pytest.approx([0.8754, 0.9344], abs=2e-3)
    registry = localreg.open(tmp_path / "registry" / "registry", read_only=True)
    assert registry.verify().ok
    versions = registry.model_versions().dicts()
    again = shown("definitions/digits.py", tmp_path)
    assert again.count("unchanged") == 2
    assert again.count("0 samples inferred now") == 2
    assert registry.model_versions().dicts() == versions
    runs = {each["model"]: each["fingerprint"] for each in registry.test_runs()}
    assert runs["digits-centroids"]["git"]["dirty"] is False
    assert runs["digits-logistic"]["files"].keys() == {"weights"}


@pytest.mark.slow
def test_the_verification_tells_its_figures(run: Run) -> None:
    text, registry = run("verification.py")
    for name, auc, accuracy in (("pca", 0.9715, 0.9714), ("lda", 0.9796, 0.9742)):
        pairs, failed, *figures = row(text, name)
        assert (pairs, failed) == ("4950", "294")
        # The last digit hangs on the linear algebra of the machine.
        assert [float(each) for each in figures[:2]] == pytest.approx([auc, accuracy], abs=5e-4)
    assert re.search(r"^lda +100 +3 +9$", text, re.MULTILINE)
    assert len(registry.sql("FROM embeddings")) == 200


@pytest.mark.slow
def test_inferences_from_a_file_are_told_and_the_others_are_wrong(run: Run) -> None:
    text, registry = run("inferences_from_csv.py")
    assert re.search(r"^899 +897 +724 +0\.805339$", text, re.MULTILINE)
    assert registry.models()[0]["workflow"] == "Digits from a file"


def test_predictions_in_bulk_are_recorded_and_compared(run: Run) -> None:
    text, registry = run("bulk.py", "10000")
    assert "regression: 10,000 rows, 0 of them invalid" in text
    assert re.search(r"^bayes +0 +0\.[78]\d+$", text, re.MULTILINE)
    assert re.search(r"^regression +0 +0\.9[0-4]\d*$", text, re.MULTILINE)
    assert re.search(r"^accuracy .* \+0\.\d+ .* improved$", text, re.MULTILINE)
    assert re.search(r"^[\d,]+ fixed, [\d,]+ broken$", text, re.MULTILINE)
    (row,) = registry.sql("SELECT count(*) AS n FROM inferences").dicts()
    assert row["n"] == 20_000


def test_the_test_suite_that_is_there_to_be_copied_passes_and_fails_where_a_model_is_worse(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the examples need the extra `demo`")
    text = (EXAMPLES / "test_no_regression.py").read_text(encoding="utf-8")
    worse = text.replace('("2", 0.001)', '("2", 0.1)')
    assert worse != text
    assert pytest_of(text, tmp_path / "good").returncode == 0
    done = pytest_of(worse, tmp_path / "bad")
    assert done.returncode == 1
    assert "AssertionError: svc@2 is worse than svc@1 on 'digits':" in done.stdout
    accepted = pytest_of(worse, tmp_path / "bad", "--localreg-update-baseline")
    assert (accepted.returncode, "svc: 1 → 2" in accepted.stdout) == (0, True)
    assert pytest_of(worse, tmp_path / "bad", "-n", "2").returncode == 0


def pytest_of(text: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a test suite as a user would, with a registry that is kept."""
    folder.mkdir(exist_ok=True)
    (folder / "test_no_regression.py").write_text(text, encoding="utf-8")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LOCALREG", "PYTEST", "COV"))}
    environment = {**kept, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    plugins = ["-p", "localreg.pytest_plugin", "-p", "xdist", "-p", "no:cacheprovider"]
    command = [sys.executable, "-W", "error", "-m", "pytest", *plugins, "--localreg-uri", "registry", *options]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False)


@pytest.mark.slow
def test_the_report_is_one_page_and_the_same_each_time(tmp_path: Path) -> None:
    for module in ("sklearn", "vl_convert", "PIL"):
        pytest.importorskip(module, reason="the example needs the extras `demo` and `ui`")
    first = shown("report.py", tmp_path)
    page = (tmp_path / "registry" / "report.html").read_bytes()
    assert "the plots: by metadata.ink, confusion, reliability, coverage" in first
    assert b"31 fixed and 4 broken" in page
    assert page.count(b"data:image/png") == 20 + 4 + 20
    assert shown("report.py", tmp_path) == first
    assert (tmp_path / "registry" / "report.html").read_bytes() == page


@pytest.mark.skipif(os.name != "posix", reason="about permissions of POSIX, and kills")
def test_three_users_share_a_folder(tmp_path: Path) -> None:
    text = shown("shared_drive.py", tmp_path)
    assert "bo moved production to 2" in text
    assert "ana was too late, and nothing was written: alias 'production' was changed by another commit" in text
    assert "ana finds the steps [0, 1, 2] of the training, which was killed" in text
    assert "bo woke up, and tagged the model 'checked'" in text
    assert "files of the log have the permissions 660; problems: []" in text
    registry = localreg.open(tmp_path / "registry", read_only=True)
    assert [row["actor"] for row in registry.sql("SELECT DISTINCT commit, actor FROM audit_events ORDER BY ALL")] == [
        *("ana", "ana", "bo", "bo", "cy", "ana", "bo")
    ]
    model = registry.get_model("plate reader")
    assert model.resolve("production").version == "2"
    assert "alias 'production'" in text
    assert registry.verify().ok


def test_the_readme_names_each_example_and_each_is_run_by_a_test() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    examples = sorted(path.name for path in EXAMPLES.glob("*.py"))
    assert len(examples) >= 5
    for name in examples:
        assert f"`examples/{name}`" in readme
        assert f'"{name}"' in tests
        assert ast.get_docstring(ast.parse((EXAMPLES / name).read_text(encoding="utf-8")))


def trained(folder: Path, *, killed_at: int | None = None) -> str:
    """Run the example of training as a user would; killed, if so wished, as it begins to save its n-th checkpoint."""
    pytest.importorskip("sklearn", reason="the examples need the extra `demo`")
    if killed_at is None:
        return shown("train_and_promote.py", folder)
    code = f"""
import os, runpy, signal, sys
from localreg.experiments import Experiment

saved, count = Experiment.checkpoint, 0

def checkpoint(self, *arguments, **options):
    global count
    count += 1
    if count == {killed_at}:
        os.kill(os.getpid(), signal.SIGKILL)
    return saved(self, *arguments, **options)

Experiment.checkpoint = checkpoint
sys.argv = ["train_and_promote.py", "registry"]
runpy.run_path({str(EXAMPLES / "train_and_promote.py")!r}, run_name="__main__")
"""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LOCALREG")}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env={**kept, "PYTHONPATH": str(ROOT)})
    assert done.returncode == -signal.SIGKILL
    return ""


def curve(registry: localreg.Registry) -> list[tuple[int, float]]:
    """The accuracies, each epoch once; one that was logged twice must say the same."""
    rows = registry.get_experiment("sgd").points("accuracy").dicts()
    return sorted({(row["step"], row["value"]) for row in rows})


def test_training_goes_from_points_to_production(tmp_path: Path) -> None:
    told = trained(tmp_path)
    registry = localreg.open(tmp_path / "registry", read_only=True)
    assert registry.verify().ok
    assert "refused: alias 'production' may not point to version 'digit-reader@epoch" in told
    assert "'report.md' IN artifacts does not hold" in told
    assert "30 epochs, 30 checkpoints, 30 writes timed" in told
    experiment = registry.get_experiment("sgd")
    assert experiment.status == "finished"
    assert [step for step, _ in curve(registry)] == list(range(1, 31))
    assert len(registry.events("name = 'write_end'")) == 30
    version = registry.get_version("digit-reader@production")
    best = experiment.best_checkpoint("accuracy", mode="max")
    assert version.checkpoint is not None
    assert version.checkpoint.metrics == best.metrics
    lineage = {(row["source"], row["target"]) for row in version.lineage()}
    assert {
        ("train", "sgd"),
        ("sgd", f"sgd: {version.checkpoint.name}"),
        ("day", f"digit-reader@{version.name}"),
    } <= lineage
    moved, used = registry.sql(
        "SELECT action, kind, actor FROM audit_events WHERE action IN ('set_alias', 'consume') ORDER BY commit, event"
    ).dicts()
    assert [moved["action"], used["action"]] == ["set_alias", "consume"]


def test_training_that_is_killed_half_way_goes_on_and_loses_nothing(tmp_path: Path) -> None:
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    whole.mkdir()
    halves.mkdir()
    trained(whole)
    trained(halves, killed_at=15)
    half = localreg.open(halves / "registry", read_only=True)
    assert half.get_experiment("sgd").status == "killed"
    assert len(half.checkpoints()) == 14
    assert [step for step, _ in curve(half)] == list(range(1, 16)), "what was logged before the kill is there"
    told = trained(halves)
    assert "30 epochs, 30 checkpoints" in told or "31 epochs, 30 checkpoints" in told
    resumed, straight = (localreg.open(folder / "registry", read_only=True) for folder in (halves, whole))
    assert curve(resumed) == curve(straight)
    assert [row["version"] for row in resumed.model_versions()] == [row["version"] for row in straight.model_versions()]
    assert resumed.verify().ok
