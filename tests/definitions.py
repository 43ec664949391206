"""Models on disk, for tests of definitions: a folder with code, weights and YAML, and repositories made of it."""

from __future__ import annotations

import os
import subprocess
import textwrap
from pathlib import Path

__all__ = ["CODE", "RUNTIME", "bare_repository", "commit_of", "write", "write_model"]

CODE = '''
def get_model(weights):
    """Whatever stands in the file."""
    with open(weights) as file:
        return file.read().strip()


def predict(model, datapoints):
    return [{"label": model, "score": 0.5} for _ in datapoints]
'''

RUNTIME = """
runtime:
  load:
    entrypoint: inference:get_model
    inputs: [{name: weights, value: "${model.files.weights.url}"}]
    output: {name: model}
  predict:
    entrypoint: inference:predict
    inputs:
      - {name: model, value: "${model.runtime.load.output.model}"}
      - {name: datapoints, value: "${datapoints}"}
    output: {keys: [label, score]}
"""


def write(folder: Path, files: dict[str, str]) -> Path:
    """Files with their texts; the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def entry(name: str, *parts: str) -> str:
    """One entry of `models`, of parts at its own level."""
    body = "\n".join(textwrap.dedent(part).strip("\n") for part in (f"name: {name!r}", *parts))
    return "- " + textwrap.indent(body, "  ").strip()


def models(*entries: str) -> str:
    """A file of definitions."""
    return "models:\n" + "\n".join(entries) + "\n"


FILES = "files: [{name: weights, url: weights.txt}]"


def write_model(folder: Path, name: str = "m", *parts: str, answer: str = "cat", code: str = CODE) -> Path:
    """A model with code, a file of weights and a definition; the path of that."""
    text = models(entry(name, *(parts or (FILES, RUNTIME))))
    write(folder, {"inference.py": code, "weights.txt": answer, "models.yaml": text})
    return folder / "models.yaml"


WHO = ("-c", "user.name=ana", "-c", "user.email=ana@example.org", "-c", "commit.gpgsign=false")
WHEN = {"GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"}


def git(folder: Path, *arguments: str) -> str:
    """What git says."""
    command = ["git", "-C", os.fspath(folder), *WHO, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **WHEN}).stdout


def bare_repository(folder: Path, code: Path) -> Path:
    """A bare repository with one commit of a folder's files, on the branch main."""
    git(code, "init", "--quiet", "--initial-branch=main")
    git(code, "add", "--all")
    git(code, "commit", "--quiet", "--message", "first")
    subprocess.run(["git", "clone", "--quiet", "--bare", os.fspath(code), os.fspath(folder)], check=True)
    return folder


def commit_of(repository: Path, name: str = "main") -> str:
    """The hash of a branch."""
    return git(repository, "rev-parse", name).strip()
