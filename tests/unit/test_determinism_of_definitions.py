"""Registered models: whether they give one answer for one sample, and what stands with a run of what ran."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import localreg
from localreg import Registry
from localreg.cli import run
from localreg.errors import InvalidInputError, NotFoundError
from localreg.workflow import (
    GroundTruth,
    Inference,
    ScoredClassificationLabel,
    TestSample,
    define_workflow,
    determinism,
    fingerprint,
)
from localreg.workflow.fresh_process import Pass, Work, infer_here
from tests.definitions import FILES, bare_repository, commit_of, entry, git, models, write


@dataclass(frozen=True)
class Word(TestSample):
    text: str


@dataclass(frozen=True)
class Length(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    guess: ScoredClassificationLabel


WORDS = [f"word-{'x' * number}" for number in range(12)]

_, TestCase, TestSuite, Net = define_workflow("Words", Word, Length, Guess)

CODE = """
import os


def get_model(weights):
    with open(weights) as file, open(os.environ["LOADS"], "a") as loads:
        loads.write(f"{os.getpid()}\\n")
        return int(file.read())


def label(each, model):
    return str(len(each["text"]) % model)


def predict(model, datapoints):
    return {"labels": [label(each, model) for each in datapoints], "scores": [0.5] * len(datapoints)}
"""

RUNTIME = """
runtime:
  batch: {max_size: 4}
  load:
    entrypoint: inference:get_model
    inputs: [{name: weights, value: "${model.files.weights.url}"}]
    output: {name: model}
  predict:
    entrypoint: inference:predict
    inputs:
      - {name: model, value: "${model.runtime.load.output.model}"}
      - {name: datapoints, value: "${datapoints}"}
    output: {keys: [labels, scores]}
"""


@pytest.fixture
def words(registry: Registry) -> Registry:
    """A registry with a suite."""
    samples = [(Word(word), Length(str(len(word) % 3))) for word in WORDS]
    with localreg.use(registry):
        TestSuite("words", test_cases=[TestCase("words", test_samples=samples)])
    return registry


@pytest.fixture(autouse=True)
def loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with the process of each model that was loaded."""
    path = tmp_path / "loads"
    path.write_text("")
    monkeypatch.setenv("LOADS", str(path))
    return path


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing hangs on the process that asks, this one does; the model has its own all the same."""

    def infer(work: Work, passes: Sequence[Pass], *, called: Callable[[int], None], **_: object) -> list[pa.Table]:
        return [infer_here(work, each) for each in passes]

    monkeypatch.setattr(determinism, "infer_elsewhere", infer)


def push(registry: Registry, folder: Path, name: str = "m", *, code: str = CODE, weights: str = "3") -> None:
    text = models(entry(name, FILES, RUNTIME))
    write(folder, {"inference.py": code, "weights.txt": weights, "models.yaml": text})
    registry.push(folder / "models.yaml")


def labelled(by: str) -> str:
    """Code whose labels are an expression."""
    return CODE.replace('str(len(each["text"]) % model)', by)


UNREADABLE = CODE.replace("return int(", "raise ValueError('no weights') or int(")


def is_there(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    return True


# --- determinism ------------------------------------------------------------------------------------------------------


def test_a_registered_model_is_verified_by_its_name(words: Registry, tmp_path: Path, loads: Path) -> None:
    push(words, tmp_path / "m")
    verdict = words.verify_determinism("m", "words")
    assert verdict.ok
    tried = ["repeat", "order", "batch size", "process", "threads"]
    assert verdict.variations == dict.fromkeys(tried, "bit-exact")
    assert (verdict.samples, verdict.batch_size, verdict.test_suite) == (12, 4, "words@1")
    version = words.get_version("m")
    assert version.determinism == verdict
    assert version.definition is not None
    assert verdict.fingerprint["infer"] == version.definition.content
    assert "packages" not in verdict.fingerprint, "this process has not loaded what the model has"
    processes = loads.read_text().split()
    assert len(processes) == 2, "one in each fresh process"
    assert not any(map(is_there, processes))


def test_other_threads_reach_the_process_of_the_model(
    words: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    push(words, tmp_path / "m", code=labelled('os.environ["OMP_NUM_THREADS"]'))
    verdict = words.verify_determinism("m", "words", n=2)
    assert (verdict.level, verdict.broken_by) == ("not deterministic", "threads")
    assert verdict.deviation is not None
    assert (verdict.deviation.before, verdict.deviation.after) == ("3", "1")


def test_a_model_that_cannot_be_loaded_is_told_and_loaded_once(words: Registry, tmp_path: Path, loads: Path) -> None:
    push(words, tmp_path / "m", code=UNREADABLE)
    commit = words.commit
    with pytest.raises(InvalidInputError, match=r"fresh process cannot infer with model 'm': .*ValueError: no weights"):
        words.verify_determinism("m", "words")
    assert len(loads.read_text().split()) == 1
    assert words.commit == commit


@pytest.mark.usefixtures("near")
def test_without_a_suite_it_is_any_samples_of_its_workflow(words: Registry, tmp_path: Path, loads: Path) -> None:
    push(words, tmp_path / "m")
    with pytest.raises(NotFoundError, match="belongs to no workflow yet; say on which test suite"):
        words.verify_determinism("m")
    assert loads.read_text() == ""
    words.test("m", "words")
    verdict = words.verify_determinism("m", n=5, batch_size=2)
    assert (verdict.level, verdict.samples, verdict.batch_size, verdict.test_suite) == ("bit-exact", 5, 2, None)
    assert verdict.variations["stored"] == "bit-exact"
    assert not any(map(is_there, loads.read_text().split()))


@pytest.mark.usefixtures("near")
def test_another_machine_answers_all_the_same_or_not(
    words: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERE", "laptop")
    monkeypatch.setattr("localreg.session.session.host", lambda: os.environ["HERE"])
    push(words, tmp_path / "m")
    push(words, tmp_path / "n", "n", code=labelled('os.environ["HERE"]'))
    alone = words.verify_determinism("m", "words", level="machine")
    assert (alone.ok, alone.lacking) == (False, "no other machine has verified it yet; run it there")
    words.verify_determinism("n", "words")
    monkeypatch.setenv("HERE", "build-7")
    verdict = words.verify_determinism("m", "words", level="machine")
    assert (verdict.level, verdict.ok, verdict.compared) == ("machine", True, {"laptop": 12})
    other = words.verify_determinism("n", "words", level="machine")
    assert (other.level, other.broken_by) == ("not deterministic", "machine")
    assert other.deviation is not None
    assert other.deviation.host == "laptop"


@pytest.mark.usefixtures("near")
@pytest.mark.parametrize(
    ("odd", "message"),
    [
        ({"n": 0}, "n is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"level": "exact"}, "level is 'exact'"),
        ({"rtol": -1}, "rtol is -1"),
        ({"timeout_s": "long"}, "timeout_s is 'long'"),
        ({"device": 5}, "device"),
        ({"suite": "wrods"}, "did you mean 'words'"),
        ({"reference": "n"}, "no model 'n'"),
        ({"reference": "bare"}, "push a definition"),
    ],
)
def test_what_cannot_be_verified_is_refused(
    words: Registry, tmp_path: Path, loads: Path, odd: dict[str, Any], message: str
) -> None:
    push(words, tmp_path / "m")
    words.create_model("bare").create_version("1")
    with pytest.raises(localreg.LocalregError, match=message):
        words.verify_determinism(**{"reference": "m", "suite": "words", **odd})
    assert loads.read_text() == ""


@pytest.mark.usefixtures("near")
def test_the_command_says_the_same(words: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    push(words, tmp_path / "m")
    push(words, tmp_path / "n", "n", code=labelled("__import__('uuid').uuid4().hex"))
    command = ["--registry", words.uri, "determinism"]
    assert run([*command, "m", "--suite", "words", "--samples", "5", "--level", "within-tolerance"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("bit-exact, 5 samples, 20")
    assert shown[1] == "  repeat      bit-exact"
    assert run([*command, "n", "--suite", "words", "--level", "decision-stable", "--format", "json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["level"], told["wanted"], told["ok"]) == ("not deterministic", "decision-stable", False)
    assert run([*command, "n", "--suite", "words", "--format", "csv"]) == 1
    assert capsys.readouterr().out.splitlines()[:2] == ["variation,level", "repeat,not deterministic"]
    for option, value, message in [
        ("--samples", "0", "--samples is 0; give the number"),
        ("--batch-size", "0", "--batch-size is 0"),
        ("--level", "exact", "--level is 'exact'; it must be one of machine, bit-exact"),
        ("--timeout", "-1", "--timeout is -1"),
    ]:
        assert run([*command, "m", "--suite", "words", option, value]) == 1
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("executor", [None, "processes:1"])
def test_a_run_whose_model_cannot_be_loaded_ends_and_no_sample_is_blamed(
    words: Registry, tmp_path: Path, loads: Path, executor: str | None
) -> None:
    push(words, tmp_path / "m", code=UNREADABLE)
    with pytest.raises((ValueError, InvalidInputError), match="no weights"):
        words.test("m", "words", on_error="record", executor=executor)
    assert len(loads.read_text().split()) <= 2, "at most one for each chunk that was under way"
    assert words.sql("SELECT count(*) AS n FROM inferences").dicts() == [{"n": 0}]


# --- fingerprints -----------------------------------------------------------------------------------------------------


def told_of(registry: Registry, model: str) -> dict[str, Any]:
    (row,) = registry.test_runs(f"model = '{model}'")
    told = row["fingerprint"]
    assert isinstance(told, dict)
    return told


@pytest.fixture
def only_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package that nothing here loads."""
    place = write(tmp_path / "packages", {"only_there.py": "", "only_there-1.2.dist-info/METADATA": ""})
    monkeypatch.syspath_prepend(str(place))
    fingerprint._installed.cache_clear()
    yield
    fingerprint._installed.cache_clear()


@pytest.mark.usefixtures("only_there")
def test_packages_are_those_that_the_process_of_the_model_has_loaded(words: Registry, tmp_path: Path) -> None:
    push(words, tmp_path / "m", code=labelled('str(len(each["text"]) % model) + (__import__("only_there") and "")'))
    words.test("m", "words")
    packages = told_of(words, "m")["packages"]
    assert packages["only_there"] == "1.2"
    assert "duckdb" not in packages, "it was not loaded there"
    push(words, tmp_path / "n", "n")
    words.test("n", "words")
    assert "only_there" not in told_of(words, "n")["packages"]


def test_packages_of_workers_are_not_guessed(words: Registry, tmp_path: Path) -> None:
    push(words, tmp_path / "m")
    words.test("m", "words", executor="processes:1")
    told = told_of(words, "m")
    assert "packages" not in told
    assert told["python"]


def test_a_snapshot_of_a_changed_tree_is_told_as_such(
    words: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "m", {"inference.py": CODE, "weights.txt": "3"})
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "first")
    push(words, folder, code=CODE + "# changed\n")
    words.test("m", "words")
    told = told_of(words, "m")
    commit = git(folder, "rev-parse", "HEAD").strip()
    assert told["git"] == {"commit": commit, "dirty": True}
    assert run(["--registry", words.uri, "runs", "show", "m", "words"]) == 0
    (line,) = [each for each in capsys.readouterr().out.splitlines() if each.startswith("fingerprint")]
    assert f"git {commit[:12]} with uncommitted changes; infer {told['infer'][:12]}; weights " in line
    assert f"weights {told['files']['weights']['sha256'][:12]} of 1 bytes" in line


def test_a_commit_that_is_found_out_at_the_load_is_told(words: Registry, tmp_path: Path) -> None:
    bare = bare_repository(tmp_path / "code.git", write(tmp_path / "code", {"inference.py": CODE}))
    text = models(entry("m", f"repository: {{url: '{bare}'}}", FILES, RUNTIME))
    words.push(write(tmp_path / "m", {"models.yaml": text, "weights.txt": "3"}) / "models.yaml", network=False)
    words.test("m", "words")
    told = told_of(words, "m")
    definition = words.get_definition("m")
    assert definition.repository is not None
    assert definition.repository["commit"] is None
    assert told["git"] == {"commit": commit_of(bare), "dirty": False}
    assert told["infer"] != definition.content, "which does not know the commit"


def test_the_runtime_of_another_definition_counts(words: Registry, tmp_path: Path) -> None:
    both = models(entry("${model.name}", RUNTIME), entry("m", FILES))
    folder = write(tmp_path / "m", {"inference.py": CODE, "weights.txt": "3", "models.yaml": both})
    words.push(folder / "models.yaml")
    words.test("m", "words")
    write(folder, {"models.yaml": both.replace("max_size: 4", "max_size: 5")})
    words.push(folder / "models.yaml", only=["${model.name}"])
    words.get_test_run(words.test_runs().dicts()[0]["id"]).delete()
    before = words.audit(kind="test_run").dicts()[0]["after"]
    told = before["fingerprint"]["infer"]
    words.test("m", "words")
    assert told_of(words, "m")["infer"] != told


def test_a_function_that_tells_what_runs_is_believed() -> None:
    class Far:
        def __call__(self, given: Any) -> Any:
            return given

        def __localreg_fingerprint__(self) -> dict[str, Any]:
            return {"infer": "ab", "git": None}

    told = fingerprint.fingerprint(Far(), {"seed": 7, "weights": __file__})
    assert told == {**fingerprint._interpreter(), "infer": "ab", "git": None, "seed": 7}
    assert fingerprint.code_digest(Far()) == "ab"
    assert fingerprint.changes_since({"infer": "cd"}, Far(), {}) == ["the code of infer"]
