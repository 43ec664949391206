"""Registered models on test suites: straight from the definition, by whoever infers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import localreg
from localreg import Registry
from localreg.errors import ConflictError, DefinitionError, InvalidInputError, NotFoundError, WorkflowMismatchError
from localreg.workflow import GroundTruth, Inference, ScoredClassificationLabel, TestSample, define_workflow
from tests.definitions import FILES, bare_repository, commit_of, entry, models, write


@dataclass(frozen=True)
class Word(TestSample):
    text: str


@dataclass(frozen=True)
class Length(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    guess: ScoredClassificationLabel


WORDS = [f"word-{'x' * number}" for number in range(40)]

_, TestCase, TestSuite, Model = define_workflow("Words", Word, Length, Guess)


@pytest.fixture
def words(registry: Registry) -> Registry:
    """A registry with a suite."""
    samples = [(Word(word), Length(str(len(word) % 3))) for word in WORDS]
    with localreg.use(registry):
        TestSuite("words", test_cases=[TestCase("words", test_samples=samples)])
    return registry


CODE = """
import os


def get_model(weights):
    with open(weights) as file, open(os.environ["LOADS"], "a") as loads:
        loads.write("x")
        return int(file.read())


def predict(model, datapoints):
    return {"labels": [str(len(each["text"]) % model) for each in datapoints], "scores": [0.5] * len(datapoints)}
"""

RUNTIME = """
runtime:
  batch: {{max_size: 4}}
  load:
    entrypoint: inference:get_model
    inputs: [{{name: weights, value: "${{model.files.weights.url}}"}}]
    output: {{name: model}}
  predict:
    entrypoint: inference:predict
    inputs:
      - {{name: model, value: "${{model.runtime.load.output.model}}"}}
      - {{name: datapoints, value: "${{datapoints}}"}}
    output: {output}
"""


def push(
    registry: Registry,
    folder: Path,
    name: str = "m",
    *,
    output: str = "{keys: [labels, scores]}",
    code: str = CODE,
    divisor: int = 3,
) -> None:
    text = models(entry(name, FILES, RUNTIME.format(output=output)))
    write(folder, {"inference.py": code, "weights.txt": str(divisor), "models.yaml": text})
    registry.push(folder / "models.yaml")


@pytest.fixture
def loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a letter for each time that a model was loaded."""
    path = tmp_path / "loads"
    path.write_text("")
    monkeypatch.setenv("LOADS", str(path))
    return path


def guesses(registry: Registry, name: str) -> dict[str, Any]:
    rows = registry.get_version(name).inferences("words").dicts()
    return {row["text"]: (row["status"], row["guess"]) for row in rows}


def right(word: str) -> tuple[str, dict[str, Any]]:
    return "ok", {"label": str(len(word) % 3), "score": 0.5}


def test_a_model_is_tested_by_its_name(words: Registry, tmp_path: Path, loads: Path) -> None:
    push(words, tmp_path / "m")
    run = words.test("m", "words", "classification")
    assert guesses(words, "m") == {word: right(word) for word in WORDS}
    assert run.results().suite is not None
    assert loads.read_text() == "x"
    (row,) = words.test_runs()
    assert row["id"] == run.id
    assert words.get_model("m").info.workflow is not None
    # What is there is not inferred again, and the model not loaded for it.
    words.test("m", "words", "classification")
    assert loads.read_text() == "x"


def test_two_models_are_tested_and_compared(words: Registry, tmp_path: Path, loads: Path) -> None:
    push(words, tmp_path / "a", "a")
    push(words, tmp_path / "b", "b", divisor=2)
    for name in ("a", "b"):
        words.test(name, "words")
    found = words.compare("b", "a", suite="words")
    assert found.metrics.dicts()[0]["b"] == 1.0


@pytest.mark.parametrize("executor", ["threads", "processes:2", "dask"])
def test_each_worker_of_an_executor_loads_the_model_once(
    words: Registry, tmp_path: Path, loads: Path, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(words, tmp_path / "m")
    with _executor(executor) as used:
        words.test("m", "words", executor=used)
    assert guesses(words, "m") == {word: right(word) for word in WORDS}
    assert len(loads.read_text()) <= (1 if executor == "threads" else 2)


def _executor(name: str) -> Any:
    from contextlib import contextmanager, nullcontext

    if name == "threads":
        return ThreadPoolExecutor(2)
    if name != "dask":
        return nullcontext(name)

    @contextmanager
    def dask() -> Iterator[Executor]:
        from distributed import Client

        with Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address="127.0.0.1:0") as client:
            yield client.get_executor()

    return dask()


def test_a_machine_without_the_code_fetches_it(words: Registry, tmp_path: Path, loads: Path) -> None:
    from localreg.definitions.loading import Limits
    from localreg.definitions.testing import Asked, runnable

    push(words, tmp_path / "m")
    suite = words.get_test_suite("words").test_suite()
    version = words.get_version("m")
    folder = tmp_path / "links"
    folder.mkdir()
    model, size = runnable(words._session, version, suite.workflow, Asked(None, Limits(None, None)), folder)
    assert size == 4
    object.__setattr__(model.infer._recipe, "root", str(tmp_path / "not here"))
    try:
        (made,) = model.infer([{"text": "word"}])
    finally:
        model.infer.close()
    assert made == {"guess": {"label": "1", "score": 0.5}}


def test_keys_are_laid_to_fields_by_a_mapping(words: Registry, tmp_path: Path, loads: Path) -> None:
    code = CODE.replace('"labels"', '"length"').replace('"scores"', '"sure"')
    output = "{keys: [length, sure], mapping: {guess.label: length, guess.score: sure}}"
    push(words, tmp_path / "m", code=code, output=output)
    words.test("m", "words")
    assert guesses(words, "m") == {word: right(word) for word in WORDS}


def test_a_function_of_the_code_makes_inferences_of_predictions(words: Registry, tmp_path: Path, loads: Path) -> None:
    code = CODE + (
        "\ndef made(prediction):\n"
        "    if prediction['labels'] == '0':\n        return None\n"
        "    return {'guess': {'label': prediction['labels'], 'score': 0.5}}\n"
    )
    push(words, tmp_path / "m", code=code, output='{keys: [labels, scores], mapping: "inference:made"}')
    words.test("m", "words")
    found = guesses(words, "m")
    assert {word for word in WORDS if found[word][0] == "skipped"} == {word for word in WORDS if len(word) % 3 == 0}
    # What is asked of the model itself is told as it says it.
    with words.load("m") as loaded:
        assert loaded.predict([{"text": "ab"}]) == [{"labels": "2", "scores": 0.5}]


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("{keys: [boxes, scores]}", "boxes"),
        ("{keys: [labels, scores], mapping: {gues.label: labels}}", "did you mean"),
    ],
)
def test_keys_without_a_field_are_told_before_anything_runs(
    words: Registry, tmp_path: Path, loads: Path, output: str, reason: str
) -> None:
    push(words, tmp_path / "m", output=output)
    with pytest.raises(DefinitionError) as raised:
        words.test("m", "words")
    assert reason in str(raised.value)
    assert "models[0].runtime.predict.output, line " in str(raised.value)
    assert loads.read_text() == ""
    assert words.test_runs().dicts() == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ('return [{"labels": "a"}] * len(datapoints)', "has no 'scores'"),
        ('return [{"labels": "a", "scores": 1.0}] * (len(datapoints) - 1)', "too few predictions"),
        ('return [{"labels": ["a"], "scores": [1.0, 2.0]}] * len(datapoints)', "unequal lengths"),
        ('return [{"labels": object(), "scores": 1.0}] * len(datapoints)', "object"),
        ('return "abc"', "predict returned"),
        ('raise ValueError("of mine")', "of mine"),
        ("import os; os._exit(3)", "exit code 3"),
    ],
)
def test_what_a_model_does_wrong_is_told(words: Registry, tmp_path: Path, loads: Path, code: str, reason: str) -> None:
    head, _, _ = CODE.partition('    return {"labels"')
    push(words, tmp_path / "m", code=f"{head}    {code}\n")
    with pytest.raises(Exception, match=reason):
        words.test("m", "words")


def test_errors_of_samples_are_recorded_if_that_is_asked_for(words: Registry, tmp_path: Path, loads: Path) -> None:
    code = CODE.replace(
        "    return {", '    assert all(each["text"] != "word-xxx" for each in datapoints)\n    return {'
    )
    push(words, tmp_path / "m", code=code)
    words.test("m", "words", on_error="record")
    found = guesses(words, "m")
    assert [word for word in WORDS if found[word][0] == "error"] == ["word-xxx"]
    assert loads.read_text() == "x"


def test_a_crash_is_one_of_its_sample_and_the_others_are_inferred(words: Registry, tmp_path: Path, loads: Path) -> None:
    code = CODE.replace(
        "    return {",
        '    if any(each["text"] == "word-xxx" for each in datapoints):\n        os._exit(7)\n    return {',
    )
    push(words, tmp_path / "m", code=code)
    words.test("m", "words", on_error="record")
    rows = {row["text"]: row for row in words.get_version("m").inferences("words").dicts()}
    assert [word for word in WORDS if rows[word]["status"] == "error"] == ["word-xxx"]
    assert "exit code 7" in rows["word-xxx"]["error"]["message"]


def test_what_ran_stands_with_the_run(words: Registry, tmp_path: Path, loads: Path) -> None:
    push(words, tmp_path / "m")
    words.test("m", "words")
    version = words.get_version("m")
    (row,) = words.test_runs()
    told = row["fingerprint"]
    assert version.definition is not None
    assert told["infer"] == version.definition.content
    assert told["files"]["weights"]["sha256"] == version.get_artifact("weights").sha256
    assert told["git"] is None
    code = write(tmp_path / "code", {"inference.py": CODE})
    bare = bare_repository(tmp_path / "code.git", code)
    text = models(
        entry("n", f"repository: {{url: '{bare}'}}", FILES, RUNTIME.format(output="{keys: [labels, scores]}"))
    )
    words.push(write(tmp_path / "m", {"models.yaml": text}) / "models.yaml")
    words.test("n", "words")
    (row,) = words.test_runs("model = 'n'")
    assert row["fingerprint"]["git"] == {"commit": commit_of(bare), "dirty": False}


def test_what_other_code_inferred_is_not_taken_for_new(words: Registry, tmp_path: Path, loads: Path) -> None:
    universal = entry("${model.name}", RUNTIME.format(output="{keys: [labels, scores]}"))
    code = write(tmp_path / "code", {"inference.py": CODE, "models.yaml": models(universal)})
    words.push(code / "models.yaml")
    small = write(tmp_path / "m", {"weights.txt": "3", "model.yaml": models(entry("m", FILES))})
    words.push(small / "model.yaml")
    words.test("m", "words")
    write(code, {"inference.py": CODE.replace('"scores": [0.5]', '"scores": [0.25]')})
    words.push(code / "models.yaml")
    with pytest.raises(ConflictError, match="inferred by other code"):
        words.test("m", "words")
    words.test("m", "words", reset=True)
    assert guesses(words, "m")[WORDS[0]][1]["score"] == 0.25


def test_what_cannot_be_tested_is_told(words: Registry, tmp_path: Path, loads: Path) -> None:
    push(words, tmp_path / "m")
    with pytest.raises(NotFoundError, match="suite"):
        words.test("m", "wrods")
    with pytest.raises(NotFoundError, match="no model"):
        words.test("n", "words")
    with pytest.raises(InvalidInputError):
        words.test("m", "words", "nonsense")
    other = define_workflow("Others", Word, Length, Guess)
    with localreg.use(words):
        other[3]("of others")
    push(words, tmp_path / "o", "of others")
    with pytest.raises(WorkflowMismatchError):
        words.test("of others", "words")
    assert loads.read_text() == ""
