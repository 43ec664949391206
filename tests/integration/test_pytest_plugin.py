"""The fixture, as pytest finds it in somebody else's project: a run of its own, with warnings as errors."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import localreg

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


# --- the other fixtures, and the assertion ----------------------------------------------------------------------------

Project = Callable[..., pytest.RunResult]

HEAD = """
from dataclasses import dataclass

import pytest

import localreg
from localreg.testing import assert_no_regression as imported
from localreg.workflow import GroundTruth, Inference, TestSample, define_workflow, test


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
TRUTH = {n: "ab"[n % 2] for n in range(40)}


def fill(registry, **versions):
    # Versions of model "m": on how many of the first samples each is wrong.
    with localreg.use(registry):
        parts = {"night": range(20), "day": range(20, 40)}
        halves = [
            TestCase(name, test_samples=[(Photo(n), Truth(TRUTH[n])) for n in numbers])
            for name, numbers in parts.items()
        ]
        suite = TestSuite("s", test_cases=halves)
        model = registry.create_model("m", exist_ok=True)
        for version, wrong in versions.items():
            model.create_version(version, exist_ok=True)
            infer = lambda photo: Guess("?" if photo.n < wrong else TRUTH[photo.n])
            test(Model(f"m@{version}", infer), suite)
    return model
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Runs a test module in somebody else's project, in a process of its own.

    The fixture `pytester` would do so, too, but forgets at its end what was imported meanwhile: duckdb and pyarrow,
    which cannot be imported twice, would be broken for all tests that come after.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "LOCALREG", "COV"))}
    environment = {**kept, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "localreg.pytest_plugin", "-p", "xdist"]
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", encoding="utf-8")
    runs = iter(range(100))

    def run(body: str, *options: str) -> pytest.RunResult:
        (tmp_path / "test_models.py").write_text(HEAD + body, encoding="utf-8")
        own = ["--basetemp", str(tmp_path / f"base{next(runs)}"), "-p", "no:cacheprovider", *options]
        done = subprocess.run(
            [*command, *own], cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", check=False
        )
        print(done.stdout, done.stderr)  # shown if the test fails
        return pytest.RunResult(done.returncode, done.stdout.splitlines(), done.stderr.splitlines(), 0.0)

    return run


def test_a_factory_makes_as_many_registries_as_a_test_wants(project: Project) -> None:
    result = project("""
def test_two(localreg_factory, localreg_registry, tmp_path):
    a, b = localreg_factory(), localreg_factory()
    assert len({a.id, b.id, localreg_registry.id}) == 3
    a.create_model("m")
    assert len(b.models()) == 0
    assert localreg.open().id == localreg_registry.id
    assert a.uri.startswith(str(tmp_path))
""")
    result.assert_outcomes(passed=1)


SHARED = """
@pytest.mark.parametrize("turn", range(8))
def test_turns(localreg_shared_registry, turn, tmp_path_factory):
    fill(localreg_shared_registry, a=0)
    localreg_shared_registry.create_model(f"turn {turn}")
    (tmp_path_factory.getbasetemp() / "id").write_text(localreg_shared_registry.id)
    assert [row["model"] for row in localreg_shared_registry.test_runs()] == ["m"]
"""


def test_the_workers_of_xdist_share_one_registry(project: Project, tmp_path: Path) -> None:
    base = tmp_path / "base"
    result = project(SHARED, "-n", "2", "--basetemp", str(base))
    result.assert_outcomes(passed=8)
    (folder,) = base.glob("localreg_shared_registry-*")
    registry = localreg.open(folder, read_only=True)
    assert len(registry.models()) == 1 + 8
    assert {path.read_text() for path in base.glob("popen-gw*/id")} == {registry.id}
    assert len(list(base.glob("popen-gw*"))) == 2
    assert registry.verify().ok


def test_each_run_has_a_shared_registry_of_its_own_unless_one_is_named(project: Project, tmp_path: Path) -> None:
    for _ in range(2):
        project(SHARED).assert_outcomes(passed=8)
    uri = str(tmp_path / "kept")
    project(SHARED, "--localreg-uri", uri).assert_outcomes(passed=8)
    assert len(localreg.open(uri, read_only=True).models()) == 9
    project(SHARED, "--localreg-uri", uri).assert_outcomes(failed=8)


WORSE = """
def test_worse(localreg_registry, assert_no_regression):
    fill(localreg_registry, old=0, new=15).set_alias("baseline", "old")
    assert_no_regression("m", "m@baseline", "s")
"""


def test_a_failure_shows_why_the_metrics_and_the_first_broken_samples(project: Project) -> None:
    result = project(WORSE)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            '>   *assert_no_regression("m", "m@baseline", "s")',
            "E  *AssertionError: m@new is worse than m@old on 's':",
            "E  *accuracy: regressed, difference -0.3750 (-0.5* to -0.2*), p = 6.1e-05",
            "E  *regressed, too: balanced_accuracy, *",
            "E  *metric *m@old *m@new *",
            "E  *accuracy *1.0000 *0.6250 *regressed*",
            "E  *broken (a = m@old, b = m@new):",
            "E  *night *a *a *?*",
            "E  *and 5 more*",
        ]
    )
    assert "regression.py" not in result.stdout.str(), "the traceback ends in the user's test"


def test_what_is_no_worse_passes_and_is_returned(project: Project) -> None:
    result = project("""
def test_it(localreg_registry, assert_no_regression):
    fill(localreg_registry, old=15, new=14)
    assert assert_no_regression("m", "m@old", "s").difference == pytest.approx(1 / 40)
    with localreg.use(localreg_registry):
        assert imported("m", "m@old", "s").difference == pytest.approx(1 / 40)


def test_a_margin_asks_for_proof(localreg_registry, assert_no_regression):
    fill(localreg_registry, old=1, new=1, two=3)
    assert_no_regression("m", "m@old", "s")
    with pytest.raises(AssertionError, match="accuracy: not shown to be worse by less than margin 0.01"):
        assert_no_regression("m", "m@old", "s", margin=0.01)
    assert_no_regression("m", "m@old", "s", margin=0.5)
    with pytest.raises(AssertionError, match="critical accuracy in test case 'night'"):
        assert_no_regression("m", "m@old", "s", margin=0.14, critical=["night"])
    assert_no_regression("m", "m@old", "s", metrics=["f1_macro"], margin=0.7)


def test_critical_parts_must_not_regress(localreg_registry, assert_no_regression):
    fill(localreg_registry, old=0, new=7)
    with pytest.raises(AssertionError, match="critical accuracy in test case 'night': regressed"):
        assert_no_regression("m", "m@old", "s", metrics=["accuracy"], critical=["night"])


def test_what_was_not_inferred_counts_as_wrong(localreg_registry, assert_no_regression):
    fill(localreg_registry, old=0)
    localreg_registry.get_model("m").create_version("new")
    with localreg.use(localreg_registry):
        test(Model("m@new", lambda photo: None if photo.n < 15 else Guess(TRUTH[photo.n])), TestSuite("s"))
    with pytest.raises(AssertionError, match="accuracy: regressed"):
        assert_no_regression("m", "m@old", "s")
    assert_no_regression("m", "m@old", "s", strict=False)
""")
    result.assert_outcomes(passed=4)


def test_a_baseline_is_moved_instead_of_failing(project: Project, tmp_path: Path) -> None:
    uri = str(tmp_path / "kept")
    body = """
def test_worse(localreg_shared_registry, assert_no_regression):
    fill(localreg_shared_registry, old=0, new=15)
    assert_no_regression("m", "m@baseline", "s")
"""
    result = project(body, "--localreg-uri", uri)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*'m' has no alias 'baseline' yet;*--localreg-update-baseline once*"])
    model = localreg.open(uri).get_model("m")
    model.set_alias("baseline", "old")
    project(body, "--localreg-uri", uri).assert_outcomes(failed=1)
    assert model.resolve("baseline").version == "old"
    for options in (["-n", "2"], []):
        result = project(body, "--localreg-uri", uri, "--localreg-update-baseline", *options)
        result.assert_outcomes(passed=1)
        assert model.resolve("baseline").version == "new"
        moved = "test_models.py::test_worse: m: old → new" in result.stdout.str()
        assert moved is (options != []), "the second time nothing is moved"
    project(body, "--localreg-uri", uri).assert_outcomes(passed=1)
    model.remove_alias("baseline")
    result = project(body, "--localreg-uri", uri, "--localreg-update-baseline")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*test_worse: m: none → new"])


def test_only_the_alias_of_the_candidates_model_is_moved(project: Project) -> None:
    body = WORSE.replace("m@baseline", "m@old")
    project(body, "--localreg-update-baseline").assert_outcomes(failed=1)


def test_an_error_moves_no_baseline(project: Project) -> None:
    result = project(
        """
def test_it(localreg_registry, assert_no_regression):
    model = fill(localreg_registry, old=0).set_alias("baseline", "old")
    model.create_version("unrun")
    with pytest.raises(localreg.NotFoundError, match="'m@unrun' has no inferences"):
        assert_no_regression("m", "m@baseline", "s")
    assert model.resolve("baseline").version == "old"
""",
        "--localreg-update-baseline",
    )
    result.assert_outcomes(passed=1)


def test_the_plugin_loads_nothing_heavy_before_its_fixture_is_used() -> None:
    code = "import sys, localreg.pytest_plugin; print(*{'duckdb', 'pyarrow', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_pytest_finds_the_plugin_of_an_installed_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"localreg": "localreg.pytest_plugin"}
