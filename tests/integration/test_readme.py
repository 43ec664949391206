"""What the README shows is run as it stands there, and what it says that comes out is compared word for word."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"


@dataclass(frozen=True)
class Block:
    """A fenced block of the README: its language, the line that it begins at, its text."""

    language: str
    line: int
    text: str


def blocks() -> list[Block]:
    text = README.read_text(encoding="utf-8")
    found = re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(each[1], text.count("\n", 0, each.start()) + 1, each[2]) for each in found]


def of(language: str) -> list[Block]:
    return [block for block in blocks() if block.language == language]


def environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LOCALREG", "PYTEST", "COV"))}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}


def python(code: str, folder: Path) -> str:
    """What a block prints, run from a file as a script."""
    folder.mkdir(exist_ok=True)
    lay_out(folder)
    script = folder / "block.py"
    script.write_text(code, encoding="utf-8")
    command = [sys.executable, "-W", "error", script.name]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, encoding="utf-8")
    script.unlink()
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def lay_out(folder: Path) -> None:
    """Write the files that blocks show: those that begin with their path."""
    for block in (*of("yaml"), *of("py")):
        named = re.match(r"# (\w+/[\w.]+)\n", block.text)
        if named is not None:
            (folder / named[1]).parent.mkdir(exist_ok=True)
            (folder / named[1]).write_text(block.text, encoding="utf-8")


def shown_outputs() -> dict[int, str | None]:
    """By the line of a python block: the text block that follows it at once, or None."""
    every = blocks()
    following = [*every[1:], None]
    return {
        block.line: after.text if after is not None and after.language == "text" else None
        for block, after in zip(every, following, strict=True)
        if block.language == "python"
    }


SCRIPTS = [block for block in of("python") if not block.text.startswith("def test_")]
TESTS = [block for block in of("python") if block.text.startswith("def test_")]


def test_the_readme_has_what_the_tests_below_run() -> None:
    assert len(SCRIPTS) >= 2
    assert len(TESTS) >= 1
    assert len(of("console")) >= 1
    assert len(of("sh")) == 3
    assert README.read_text(encoding="utf-8").count("```") == 2 * len(blocks())


def test_its_pictures_are_there_and_small() -> None:
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README.read_text(encoding="utf-8"))
    assert pictures == ["docs/comparison.png", *(f"docs/page-{name}.png" for name in ("models", "compare", "sample"))]
    for picture in pictures:
        data = (ROOT / picture).read_bytes()
        assert data.startswith(b"\x89PNG")
        assert len(data) < 200_000


@pytest.mark.parametrize("block", SCRIPTS, ids=lambda block: f"line {block.line}")
def test_a_python_block_prints_what_the_text_block_below_shows(block: Block, tmp_path: Path) -> None:
    expected = shown_outputs()[block.line]
    assert expected is not None, "the README shows no output"
    assert python(block.text, tmp_path) == expected


def answers(block: Block, folder: Path) -> list[str]:
    """What each command of a block prints."""
    told = []
    for line in block.text.splitlines():
        prompt, program, *arguments = shlex.split(line)
        assert (prompt, program) == ("$", "localreg")
        code = "import sys; from localreg.cli import main; main(sys.argv[1:])"
        command = [sys.executable, "-W", "error", "-c", code, *arguments]
        done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, encoding="utf-8")
        assert (done.returncode, done.stderr) == (0, ""), line
        told.append(done.stdout)
    return told


def test_the_command_lines_answer_and_the_directory_is_as_drawn(tmp_path: Path) -> None:
    python(SCRIPTS[0].text, tmp_path)
    listed, updated, audited = answers(of("console")[0], tmp_path)
    assert "meadow-5 (YOLOR-D6, 1280x1280)" in listed
    assert updated == "updated model 'meadow-5 (YOLOR-D6, 1280x1280)'\n"
    assert len([line for line in audited.splitlines() if "meadow-5" in line]) == 2
    (drawn,) = [block.text for block in of("text") if block.text.startswith("registry/")]
    folders: list[str] = []
    for line in drawn.splitlines():
        depth, name = (len(line) - len(line.lstrip())) // 2, line.strip()
        folders[depth:] = [name]
        assert name == "…" or (tmp_path / "".join(folders)).exists(), line


def test_the_command_line_reads_what_the_second_block_made(tmp_path: Path) -> None:
    python(SCRIPTS[1].text, tmp_path)
    types, cut, run, results = answers(of("console")[1], tmp_path)
    assert "\nground_truth: Animal\n  label: str\n" in types
    assert cut == "made test suite 'animals by left(ground_truth.label, 1)' of 2 test cases\n"
    assert "\nsamples             4 ok\n" in run
    assert re.search(r"^farm +0\.75$", results, re.MULTILINE)


def test_the_command_line_checks_pushes_and_tests_what_the_definition_says(tmp_path: Path) -> None:
    (script,) = [block for block in SCRIPTS if "registry.push(" in block.text]
    python(script.text.replace('write_text("sun again")', 'write_text("sun")').partition("model.create")[0], tmp_path)
    python(script.text, tmp_path / "whole")
    (told,) = [block for block in of("console") if "localreg check" in block.text]
    *first, _ = told.text.splitlines(keepends=True)
    checked, pushed, tested = answers(Block("console", 0, "".join(first)), tmp_path)
    assert checked == "moods/models.yaml is fine: moods\n"
    assert pushed == "model 'moods': version '1' is the same, nothing to change\n"
    assert "4 samples" in tested
    assert re.search(r"^sentences +4 +0 +0\.75", tested, re.MULTILINE)
    (different,) = answers(Block("console", 0, told.text.splitlines()[-1]), tmp_path / "whole")
    assert "files" in different


def test_a_retrained_model_is_inferred_again_as_the_last_line_of_the_second_block_makes_it(tmp_path: Path) -> None:
    *before, last = SCRIPTS[1].text.splitlines()
    assert 'create_version("2")' in last
    again = "asked = []\ntest(Model('new', lambda photo: asked.append(photo)), suite)\nprint('asked', len(asked))"
    assert python("\n".join([*before, again]), tmp_path / "a").endswith("\nasked 0\n")
    assert python("\n".join([*before, last, again]), tmp_path / "b").endswith("\nasked 4\n")


def plain_duckdb(sql: str, namespace: Path) -> list[tuple[Any, ...]]:
    """What statements give at last, run in the folder of a namespace by DuckDB alone."""
    code = (
        "import duckdb, json, sys\nconnection = duckdb.connect()\n"
        "for each in duckdb.extract_statements(sys.stdin.read()): done = connection.execute(each)\n"
        "assert 'localreg' not in sys.modules\nprint(json.dumps(done.fetchall()))"
    )
    run = subprocess.run([sys.executable, "-c", code], input=sql, cwd=namespace, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return [tuple(row) for row in json.loads(run.stdout)]


def test_plain_duckdb_reads_what_the_block_above_the_query_made(tmp_path: Path) -> None:
    (script,) = [block for block in SCRIPTS if "export_inferences" in block.text]
    (query,) = of("sql")
    python(script.text, tmp_path)
    read = plain_duckdb(query.text, tmp_path / "registry" / "namespaces" / "default")
    assert read == [(f"{text}.png", "ok", text) for text in ("AB 1", "CD 2", "EF 3")]


def test_plain_duckdb_reads_several_parts_resets_and_what_was_left_by_deletions(tmp_path: Path) -> None:
    (script,) = [block for block in SCRIPTS if "export_inferences" in block.text]
    (query,) = of("sql")
    more = """
import json, pathlib, threading
def sample(text): return Plate(f"{text}.png"), Text(text)
def read(said, *texts, reset=False, model="reader"):
    case = TestCase(f"{said} {model}", test_samples=[sample(text) for text in texts])
    with localreg.use(registry):
        suite = TestSuite(f"{said} {model}", test_cases=[case])
        def infer(plate):
            if plate.locator == "IJ 5.png": raise ValueError("too dark")
            return None if plate.locator == "GH 4.png" else Reading(said, [])
        return test(Model(model, infer), suite, reset=reset, on_error="record")
read("other", "AB 1", "ZZ 9", model="other")
read("more", "CD 2", "GH 4", "IJ 5")
read("again", "EF 3", "KL 6", reset=True)
read("gone", "AB 1", "MN 7", reset=True).delete()
with registry.transaction("two at once"):
    read("late", "OP 8", "QR 9")
    # Another writer, whose samples come first.
    other = threading.Thread(target=lambda: TestCase("meanwhile", test_samples=[sample("ST 0")]))
    other.start(); other.join()
rows = registry.get_model("reader").inferences().dicts()
expected = [(row["locator"], row["status"], row["reading"]) for row in rows]
pathlib.Path("expected.json").write_text(json.dumps(expected))
"""
    python(script.text.replace("print(", "(") + more, tmp_path)
    moved = duckdb.sql(
        f"SELECT count(*) FROM '{tmp_path}/registry/namespaces/default/log/*.parquet', "
        "unnest(CAST(record->'files' AS JSON[])) AS each(f) "
        "WHERE CAST(f->>'$.details.first' AS BIGINT) > CAST(f->>'$.details.staged_first' AS BIGINT)"
    ).fetchone()
    assert moved is not None
    assert moved[0] > 0, "another writer's samples came in between"
    expected = [tuple(row) for row in json.loads((tmp_path / "expected.json").read_text())]
    assert {status for _, status, _ in expected} == {"ok", "skipped", "error"}
    assert {"AB 1", "again", "late"} <= {reading for _, _, reading in expected}
    assert plain_duckdb(query.text, tmp_path / "registry" / "namespaces" / "default") == expected


def test_the_readme_names_each_extra_that_there_is() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    (told,) = re.findall(r"^The package is `localreg`.*?\n\n", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert project["name"] in told
    assert set(re.findall(r"`(\w+)`", told.partition("Extras")[2])) == extras.keys()
    (everything,) = extras["all"]
    frameworks = {"lightning", "keras", "transformers"}  # gigabytes, of which nobody wants all
    assert set(re.findall(r"\w+", everything.partition("[")[2])) == extras.keys() - {"all", "test"} - frameworks


@pytest.mark.parametrize("block", TESTS, ids=lambda block: f"line {block.line}")
def test_a_block_that_is_a_test_passes(block: Block, tmp_path: Path) -> None:
    (tmp_path / "test_block.py").write_text(block.text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "localreg.pytest_plugin", "-q", "-p", "no:cacheprovider"]
    alone = {**environment(), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{block.text.count('def test_')} passed" in done.stdout


def test_the_test_command_is_that_of_the_continuous_integration() -> None:
    *_, command = [block.text.strip() for block in of("sh")]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert command in script.splitlines()
    assert ".venv-test/bin/pytest" in command


def test_the_command_of_the_example_names_an_extra_and_a_script_that_exist() -> None:
    install, example, _ = [block.text.strip() for block in of("sh")]
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = set(re.findall(r"\.\[(\w+)\]", example))
    assert extras == {"demo"}
    assert re.search(r"^demo = \[", project, re.MULTILINE)
    assert 'name = "localreg-registry"' in project
    assert install.startswith("pip install .")  # the index's own `localreg` is another package
    script = example.split()[-1]
    assert (ROOT / script).is_file()
    assert example.split(" && ")[0] == "python3 -m venv .venv"


def test_every_file_that_the_readme_names_is_there() -> None:
    text = README.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:tests|localreg|examples)/[\w./]+)`", text)) | set(
        re.findall(r"\]\(([\w./]+)\)", text)
    )
    assert len(named) >= 6
    assert sorted(name for name in named if not (ROOT / name).exists()) == []
    tests = set(re.findall(r"`(test_\w+\.py)`", text))
    assert sorted(tests - {path.name for path in (ROOT / "tests").rglob("test_*.py")}) == []
