"""Definitions registered: what becomes of code, files and versions, and that a wrong one leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import traceback
from pathlib import Path
from typing import Any

import pytest

from localreg import ConflictError, Registry
from localreg.definitions import check_definitions
from localreg.errors import DefinitionError, InvalidInputError, NotFoundError, ReadOnlyError
from tests.definitions import (
    CODE,
    FILES,
    RUNTIME,
    bare_repository,
    commit_of,
    entry,
    git,
    models,
    write,
    write_model,
)


def stored(registry: Registry, name: str) -> dict[str, Any]:
    """The record of a definition."""
    return dict(registry.get_definition(name).info.to_json())


def paths(registry: Registry, name: str) -> list[str]:
    """The files of a snapshot."""
    return [row["path"] for row in registry.get_version(name).get_artifact("code").files()]


def test_code_and_weights_are_stored_and_named_by_one_commit(registry: Registry, tmp_path: Path) -> None:
    path = write_model(tmp_path / "m")
    commit = registry.commit
    (done,) = registry.push(path)
    assert done.version is not None
    assert (done.name, done.outcome, registry.commit) == ("m", "created", commit + 1)
    record = stored(registry, "m")
    assert done.version.version == record["content"][:12]
    assert paths(registry, "m") == ["inference.py"]
    weights = done.version.get_artifact("weights")
    assert weights.download(tmp_path / "out").read_text() == "cat"
    assert record["files"] == [
        {
            "name": "weights",
            "url": "weights.txt",
            "upload": True,
            "credentials": None,
            "sha256": weights.sha256,
            "bytes": 3,
            "folder": False,
        }
    ]
    assert record["repository"] is None
    assert record["source"]["name"] == "models.yaml"
    assert record["source"]["lines"]["runtime.load.entrypoint"] == 6
    (row,) = registry.definitions()
    assert (row["model"], row["version"], row["content"]) == ("m", done.version.version, record["content"])
    assert registry.verify().ok


def test_the_same_content_is_no_new_version_wherever_it_lies(registry: Registry, tmp_path: Path) -> None:
    (first,) = registry.push(write_model(tmp_path / "a"))
    commit = registry.commit
    (second,) = registry.push(write_model(tmp_path / "b"))
    assert (second.outcome, second.version, registry.commit) == ("unchanged", first.version, commit)
    text = (tmp_path / "b" / "models.yaml").read_text()
    (tmp_path / "b" / "models.yaml").write_text(f"# a comment\n{text}")
    assert registry.push(tmp_path / "b" / "models.yaml")[0].outcome == "unchanged"


@pytest.mark.parametrize("changed", ["code", "weights", "runtime", "name of a file", "path of a file"])
def test_other_content_is_another_version(registry: Registry, tmp_path: Path, changed: str) -> None:
    path = write_model(tmp_path / "m")
    (first,) = registry.push(path)
    text = path.read_text()
    match changed:
        case "code":
            write(tmp_path / "m", {"inference.py": CODE + "\n"})
        case "weights":
            write(tmp_path / "m", {"weights.txt": "dog"})
        case "runtime":
            path.write_text(text.replace("runtime:", "runtime:\n    image: python:3.11"))
        case "name of a file":
            path.write_text(
                text.replace("name: weights, url", "name: params, url").replace("files.weights", "files.params")
            )
        case "path of a file":
            (tmp_path / "m" / "weights.txt").rename(tmp_path / "m" / "w.txt")
            path.write_text(text.replace("weights.txt", "w.txt"))
    (second,) = registry.push(path)
    assert second.outcome == "created"
    assert second.version != first.version
    assert [version.version for version in registry.get_model("m").versions()] == [
        first.version.version if first.version else "",
        second.version.version if second.version else "",
    ]


def test_a_named_version_stays_what_it_is(registry: Registry, tmp_path: Path) -> None:
    path = write_model(tmp_path / "m", "m", "version: '6'", FILES, RUNTIME)
    (first,) = registry.push(path)
    assert first.version is not None
    assert first.version.version == "6"
    assert registry.push(path)[0].outcome == "unchanged"
    commit = registry.commit
    write(tmp_path / "m", {"weights.txt": "dog"})
    with pytest.raises(ConflictError, match=r"version '6' of model 'm' is there with other files"):
        registry.push(path)
    assert registry.commit == commit
    # The same content under no name is that version.
    write_model(tmp_path / "m")
    assert registry.push(path)[0].version == first.version


def test_artifacts_of_others_do_not_make_room(registry: Registry, tmp_path: Path) -> None:
    made = registry.create_model("m").create_version("6")
    made.upload(b"precious", name="weights")
    with pytest.raises(ConflictError, match="has an artifact 'weights' with other content"):
        registry.push(write_model(tmp_path / "m", "m", "version: '6'", FILES, RUNTIME))
    assert made.get_artifact("weights").bytes == 8


def test_all_conflicts_are_told_with_their_lines(registry: Registry, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m").parent
    text = models(*(entry(name, "version: '1'", FILES, RUNTIME) for name in "ab"))
    write(folder, {"models.yaml": text})
    registry.push(folder / "models.yaml")
    write(folder, {"weights.txt": "dog"})
    with pytest.raises(ConflictError) as raised:
        registry.push(folder / "models.yaml")
    told = str(raised.value)
    assert told.startswith("models.yaml: models[0], line 3: version '1' of model 'a'")
    assert "version '1' of model 'b'" in told


@pytest.mark.parametrize("url", ["", ".", "..", "a\\0b", "fifo"])
def test_what_is_no_file_is_refused(registry: Registry, tmp_path: Path, url: str) -> None:
    folder = write_model(tmp_path / "m", "m", f'files: [{{name: weights, url: "{url}"}}]', RUNTIME).parent
    os.mkfifo(folder / "fifo")
    write(folder, {".gitignore": "fifo"})
    with pytest.raises(DefinitionError, match=r"files\[0\]\.url, line 3"):
        registry.push(folder / "models.yaml")


def test_credentials_stay_out_of_what_their_place_says(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("K", "hunter2-protocol")
    said = "files: [{name: weights, url: 'memory://x/absent', upload: true, credentials: {target_protocol: '${K}'}}]"
    with pytest.raises(DefinitionError) as raised:
        registry.push(write_model(tmp_path / "m", "m", said, RUNTIME))
    assert "models[0].files[0].url, line 3" in str(raised.value)
    assert "hunter2" not in "".join(traceback.format_exception(raised.value))


def test_a_version_that_was_made_before_gets_its_definition(registry: Registry, tmp_path: Path) -> None:
    made = registry.create_model("m").create_version("6", metadata={"a": 1})
    assert made.definition is None
    (done,) = registry.push(write_model(tmp_path / "m", "m", "version: '6'", FILES, RUNTIME))
    assert (done.outcome, done.version) == ("created", made)
    assert registry.get_definition("m@6").version == made
    assert made.info.metadata == {"a": 1}


def test_the_model_says_what_its_definition_says_of_it(registry: Registry, tmp_path: Path) -> None:
    said = "description: first\ntask: detection\nowner: ana\ntags: [a]\nmetadata: {framework: numpy, n: 1}"
    registry.push(write_model(tmp_path / "m", "m", said, FILES, RUNTIME))
    model = registry.get_model("m")
    assert (model.description, model.task, model.owner) == ("first", "detection", "ana")
    assert (model.tags, model.metadata) == (["a"], {"framework": "numpy", "n": 1})
    registry.push(write_model(tmp_path / "m", "m", "description: second\ntags: [b]\nmetadata: {n: 2}", FILES, RUNTIME))
    assert (model.description, model.owner, model.tags) == ("second", "ana", ["a", "b"])
    assert model.metadata == {"framework": "numpy", "n": 2}
    assert len(model.versions()) == 1


def test_several_models_of_a_file_are_one_commit_or_none(registry: Registry, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m").parent
    text = models(entry("a", FILES, RUNTIME), entry("b", "version: '1'", FILES, RUNTIME), entry("c", FILES, RUNTIME))
    write(folder, {"models.yaml": text})
    commit = registry.commit
    assert [each.name for each in registry.push(folder / "models.yaml")] == ["a", "b", "c"]
    assert registry.commit == commit + 1
    write(folder, {"models.yaml": text.replace("'a'", "'d'"), "weights.txt": "dog"})
    with pytest.raises(ConflictError):
        registry.push(folder / "models.yaml")
    assert registry.find_model("d") is None
    assert registry.commit == commit + 1


def test_only_some_entries(registry: Registry, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m").parent
    write(folder, {"models.yaml": models(entry("a", FILES, RUNTIME), entry("b", "nonsense: 1"))})
    (done,) = registry.push(folder / "models.yaml", only=["a"])
    assert done.name == "a"
    with pytest.raises(DefinitionError, match=r"has no entry 'aa'; did you mean 'a'"):
        registry.push(folder / "models.yaml", only=["aa"])


def test_the_snapshot_is_the_same_whichever_entries_are_pushed(registry: Registry, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m").parent
    other = "files: [{name: weights, url: others.txt}]"
    write(folder, {"others.txt": "dog", "models.yaml": models(entry("a", FILES, RUNTIME), entry("b", other, RUNTIME))})
    registry.push(folder / "models.yaml", only=["a"])
    assert paths(registry, "a") == ["inference.py"]
    assert [each.outcome for each in registry.push(folder / "models.yaml")] == ["unchanged", "created"]


# --- snapshots --------------------------------------------------------------------------------------------------------


def test_a_snapshot_leaves_out_what_is_no_code(registry: Registry, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m").parent
    left_out = {
        ".git/config": "",
        "__pycache__/a.pyc": "",
        "package/__pycache__/b.pyc": "",
        ".venv/pyvenv.cfg": "",
        "env-of-mine/pyvenv.cfg": "",
        "env-of-mine/lib/a.py": "",
        "node_modules/a.js": "",
        ".env": "SECRET=1",
        "registry/localreg.json": "{}",
        "registry/a.py": "",
        "ignored.log": "",
        "build/a.py": "",
        "package/local.txt": "",
    }
    kept = {
        "package/__init__.py": "",
        "package/kept.log": "",
        "package/.gitignore": "!kept.log\nlocal.txt\n",
        ".gitignore": "*.log\nbuild/\n",
        ".github/workflow.yml": "",
    }
    write(folder, left_out | kept)
    os.symlink("inference.py", folder / "alias.py")
    registry.push(folder / "models.yaml")
    assert paths(registry, "m") == sorted([*kept, "inference.py", "alias.py"])


def test_ignore_files_above_the_folder_count_as_far_as_the_repository_goes(registry: Registry, tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "inference.py"})
    folder = write_model(tmp_path / "repository" / "models" / "m").parent
    write(tmp_path / "repository", {".gitignore": "models/m/*.log", "models/m/a.log": ""})
    git(tmp_path / "repository", "init", "--quiet")
    registry.push(folder / "models.yaml")
    assert paths(registry, "m") == ["inference.py"]


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside.txt", "../m2", "absent", "package"])
def test_links_out_of_the_code_or_to_folders_are_refused(registry: Registry, tmp_path: Path, target: str) -> None:
    folder = write_model(tmp_path / "m").parent
    write(tmp_path, {"outside.txt": "secret", "m2/a.py": "", "m/package/a.py": ""})
    os.symlink(target, folder / "link.py")
    with pytest.raises(DefinitionError, match=r"models\[0\], line 2: .*link\.py is a link"):
        registry.push(folder / "models.yaml")
    assert registry.commit == 0
    write(folder, {".gitignore": "link.py"})
    registry.push(folder / "models.yaml")


def test_unusually_large_code_is_told(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localreg.definitions.snapshot.LARGE_BYTES", 1_000)
    folder = write_model(tmp_path / "m").parent
    write(folder, {"data/video.bin": "x" * 2_000})
    with pytest.warns(UserWarning, match=r"2 files of 0 MiB.*the largest is data/video.bin"):
        registry.push(folder / "models.yaml")


def test_a_working_tree_is_told_with_the_commit_and_whether_it_differs(registry: Registry, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m").parent
    bare_repository(tmp_path / "bare.git", folder)
    registry.push(folder / "models.yaml")
    assert stored(registry, "m")["code"]["git"] == {"commit": commit_of(folder), "dirty": False}
    write(folder, {"inference.py": CODE + "# changed"})
    registry.push(folder / "models.yaml")
    assert stored(registry, "m")["code"]["git"] == {"commit": commit_of(folder), "dirty": True}


# --- repositories -----------------------------------------------------------------------------------------------------


def from_git(registry: Registry, tmp_path: Path, repository: str, **options: Any) -> Any:
    """Push a model whose code lies in a repository."""
    write(tmp_path / "w", {"weights.txt": "cat", "models.yaml": models(entry("m", repository, FILES, RUNTIME))})
    return registry.push(tmp_path / "w" / "models.yaml", **options)[0]


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A repository with the code of a model."""
    code = write(tmp_path / "code", {"inference.py": CODE})
    return bare_repository(tmp_path / "code.git", code)


@pytest.mark.parametrize("form", ["path", "relative", "file"])
def test_a_branch_is_pinned_to_its_commit(registry: Registry, tmp_path: Path, bare: Path, form: str) -> None:
    url = {"path": str(bare), "relative": "../code.git", "file": bare.as_uri()}[form]
    done = from_git(registry, tmp_path, f"repository: {{url: '{url}', branch: main}}")
    record = stored(registry, "m")
    assert record["repository"]["commit"] == commit_of(bare)
    assert record["repository"]["branch"] == "main"
    assert record["code"] is None
    assert [row["name"] for row in done.version.artifacts()] == ["weights"]


def test_a_commit_counts_by_its_hash_and_not_by_where_it_was_found(
    registry: Registry, tmp_path: Path, bare: Path
) -> None:
    first = from_git(registry, tmp_path, f"repository: {{url: '{bare}', branch: main}}")
    copied = tmp_path / "copy.git"
    shutil.copytree(bare, copied)
    again = from_git(registry, tmp_path, f"repository: {{url: '{copied}', hash: {commit_of(bare)}}}")
    assert (again.outcome, again.version) == ("updated", first.version)
    assert stored(registry, "m")["repository"]["url"] == str(copied)
    write(tmp_path / "code", {"inference.py": CODE + "# more"})
    git(tmp_path / "code", "commit", "--quiet", "--all", "--message", "second")
    git(tmp_path / "code", "push", "--quiet", str(bare), "main")
    assert from_git(registry, tmp_path, f"repository: {{url: '{bare}', branch: main}}").outcome == "created"


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("{url: 'BARE', branch: mian}", r"models\[0\]\.repository\.branch, line 3: .*'mian'.*main"),
        ("{url: 'BARE', hash: 0123456789012345678901234567890123456789}", r"repository\.hash, line 3: .*0123456789"),
        ("{url: 'BARE', hash: xyz}", r"repository\.\w+, line 3: .*'xyz'"),
        ("{url: '../nowhere.git'}", r"repository\.url, line 3: .*nowhere\.git"),
        ("{url: 'https://127.0.0.1:1/x.git'}", r"repository\.url, line 3: .*127\.0\.0\.1"),
        ("{url: 'ext::sh -c id'}", r"repository\.url, line 3: "),
        ("{url: 'BARE', access_token: '${NO_TOKEN_HERE}'}", r"access_token, line 3: .*NO_TOKEN_HERE, which is not set"),
    ],
)
def test_what_is_wrong_with_a_repository_is_told_with_its_line(
    registry: Registry, tmp_path: Path, bare: Path, said: str, fault: str
) -> None:
    with pytest.raises(DefinitionError, match=fault):
        from_git(registry, tmp_path, f"repository: {said.replace('BARE', str(bare))}")
    assert registry.commit == 0


def test_functions_of_a_repository_are_looked_for_before_anything_is_registered(
    registry: Registry, tmp_path: Path, bare: Path
) -> None:
    write(tmp_path / "w", {"weights.txt": "cat"})
    runtime = RUNTIME.replace("inference:predict", "inference:predicts").replace("inference:get", "infernce:get")
    text = models(entry("m", f"repository: {{url: '{bare}'}}", FILES, runtime))
    with pytest.raises(DefinitionError) as raised:
        registry.push(write(tmp_path / "w", {"models.yaml": text}) / "models.yaml")
    assert len(raised.value.faults) == 2
    assert "did you mean 'inference'" in raised.value.faults[0]
    assert "did you mean 'predict'" in raised.value.faults[1]


def test_without_network_nothing_is_asked_and_that_is_said(registry: Registry, tmp_path: Path) -> None:
    done = from_git(registry, tmp_path, "repository: {url: 'https://127.0.0.1:1/x.git', branch: main}", network=False)
    assert done.outcome == "created"
    assert done.notes == ("models[0].repository, line 3: was not asked, as the network is off",)
    assert stored(registry, "m")["repository"]["commit"] is None
    full = "0123456789012345678901234567890123456789"
    from_git(registry, tmp_path, f"repository: {{url: 'https://127.0.0.1:1/x.git', hash: '{full}'}}", network=False)
    assert stored(registry, "m")["repository"]["commit"] == full


# --- files ------------------------------------------------------------------------------------------------------------


def test_files_are_tracked_where_they_are_if_that_is_asked_for(registry: Registry, tmp_path: Path) -> None:
    said = "files: [{name: weights, url: weights.txt, upload: false}, {name: far, url: 's3://bucket/w.npz'}]"
    (done,) = registry.push(write_model(tmp_path / "m", "m", said, RUNTIME))
    assert done.version is not None
    near, far = done.version.get_artifact("weights"), done.version.get_artifact("far")
    assert (near.uri, far.uri) == (str(tmp_path / "m" / "weights.txt"), "s3://bucket/w.npz")
    assert near.sha256 is not None
    assert far.sha256 is None
    assert paths(registry, "m") == ["inference.py"]
    assert stored(registry, "m")["files"][1]["url"] == "s3://bucket/w.npz"


def test_files_from_elsewhere_are_fetched_if_that_is_asked_for(registry: Registry, tmp_path: Path) -> None:
    import fsspec

    with fsspec.open("memory://weights/far.txt", "wb") as file:
        file.write(b"dog")
    said = "files: [{name: weights, url: 'memory://weights/far.txt', upload: true}]"
    (done,) = registry.push(write_model(tmp_path / "m", "m", said, RUNTIME))
    assert done.version is not None
    assert done.version.get_artifact("weights").download(tmp_path / "out").read_text() == "dog"


def test_a_folder_may_be_a_file(registry: Registry, tmp_path: Path) -> None:
    write(tmp_path / "m", {"saved/a.bin": "1", "saved/b/c.bin": "2"})
    (done,) = registry.push(write_model(tmp_path / "m", "m", "files: [{name: weights, url: saved}]", RUNTIME))
    assert done.version is not None
    assert [row["path"] for row in done.version.get_artifact("weights").files()] == ["a.bin", "b/c.bin"]
    assert paths(registry, "m") == ["inference.py", "weights.txt"]


def test_missing_files_and_functions_are_all_told_and_nothing_is_registered(registry: Registry, tmp_path: Path) -> None:
    runtime = RUNTIME.replace("inference:predict", "inference:predicts").replace(
        "{name: weights, value", "{name: wieghts, value"
    )
    said = "files: [{name: weights, url: wights.txt}, {name: code, url: weights.txt}]"
    path = write_model(tmp_path / "m", "m", said, runtime)
    with pytest.raises(DefinitionError) as raised:
        registry.push(path)
    told = "\n".join(raised.value.faults)
    assert len(raised.value.faults) == 4
    assert "there is no file" in told
    assert "as the code itself is called" in told
    assert "inference.py defines no 'predicts'; did you mean 'predict'" in told
    assert "is 'wieghts', and get_model in inference.py, line 2, takes weights; did you mean 'weights'" in told
    assert registry.commit == 0
    with pytest.raises(DefinitionError):
        check_definitions(path)


def test_faults_of_every_kind_are_told_at_once(registry: Registry, tmp_path: Path) -> None:
    text = """
models:
  - name: x
    descripton: typo
    files: [{name: w, url: nope.npz}, {name: v}]
    metadata: {a: "${UNSET_THING}"}
    runtime:
      load: {entrypoint: inference.get_model, output: {name: model}}
      predict:
        entrypoint: "inference:predikt"
        inputs:
          - {name: m, value: "${model.runtime.load.output.model}"}
          - {name: n, value: "${model.nmae}"}
  - nam: y
    repository: {url: ../nowhere.git}
    runtime: {predict: {entrypoint: "inference:predict", inputs: {a: b}}}
"""
    write(tmp_path / "m", {"inference.py": CODE, "models.yaml": text})
    with pytest.raises(DefinitionError) as raised:
        registry.push(tmp_path / "m" / "models.yaml")
    assert [fault.partition(": ")[0] for fault in raised.value.faults] == [
        "models[0].descripton, line 4",
        "models[0].files[1].url, line 5",
        "models[0].files[0].url, line 5",
        "models[0].metadata.a, line 6",
        "models[0].runtime.load.entrypoint, line 8",
        "models[0].runtime.predict.entrypoint, line 10",
        "models[0].runtime.predict.inputs[1].value, line 13",
        "models[1].name, line 14",
        "models[1].nam, line 14",
        "models[1].repository.url, line 15",
        "models[1].runtime.predict.inputs, line 16",
    ]
    assert registry.commit == 0


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (
            "def get_model(weights): ...\ndef predict(model): ...",
            "is 'datapoints', and predict in inference.py, line 2",
        ),
        ("def get_model(weights): ...\ndef predict(model, datapoints, extra): ...", "lacks 'extra'"),
        ("def get_model(weights, /): ...\ndef predict(model, datapoints): ...", "takes nothing by keyword"),
        ("def get_model(weights: ...", "is no Python"),
        ("def get_model(weights): ...", "defines no 'predict'"),
    ],
)
def test_functions_that_cannot_be_called_so_are_told(registry: Registry, tmp_path: Path, code: str, fault: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        registry.push(write_model(tmp_path / "m", code=code))
    assert any(fault in each for each in raised.value.faults), raised.value.faults


@pytest.mark.parametrize(
    "code",
    [
        "from helpers import *",
        "def get_model(**inputs): ...\ndef predict(model, *, datapoints, extra=1, device='cpu'): ...",
        "from helpers import get_model\npredict = lambda model, datapoints: []",
        "import functools\n@functools.cache\ndef get_model(): ...\nclass predict: ...",
        "def __getattr__(name): ...",
        "try:\n    import torch\n    def get_model(weights): ...\nexcept ImportError:\n    get_model = None\n"
        "if True:\n    def predict(model, datapoints): ...",
    ],
)
def test_functions_of_which_nobody_can_know_better_are_not_refused(
    registry: Registry, tmp_path: Path, code: str
) -> None:
    registry.push(write_model(tmp_path / "m", code=code))


def test_a_runtime_needs_code(registry: Registry, tmp_path: Path) -> None:
    folder = write(tmp_path / "m", {"weights.txt": "cat", "models.yaml": models(entry("m", FILES, RUNTIME))})
    with pytest.raises(DefinitionError, match=r"models\[0\]\.runtime, line 4: has no code to run"):
        registry.push(folder / "models.yaml")


@pytest.mark.parametrize("given", ["absent.yaml", ".", "latin.yaml"])
def test_a_file_that_cannot_be_read(registry: Registry, tmp_path: Path, given: str) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"models: \xff")
    with pytest.raises((NotFoundError, InvalidInputError, OSError)):
        registry.push(tmp_path / given)


def test_a_registry_that_is_only_read_takes_nothing(registry: Registry, tmp_path: Path) -> None:
    registry.create_model("x")
    with pytest.raises(ReadOnlyError):
        registry.at(commit=1).push(write_model(tmp_path / "m"))


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_no_secret_is_written_anywhere(
    registry: Registry, tmp_path: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "hunter2-never-written"
    monkeypatch.setenv("GIT_KEY", secret)
    monkeypatch.setenv("BUCKET_KEY", secret)
    monkeypatch.setenv("API_KEY", secret)
    runtime = RUNTIME.replace("output: {name: model}", "output: {name: model}").replace(
        'inputs: [{name: weights, value: "${model.files.weights.url}"}]',
        'inputs: [{name: weights, value: "${model.files.weights.url}"}, {name: key, value: "${API_KEY}"}]',
    )
    write(tmp_path / "code", {"inference.py": CODE.replace("get_model(weights)", "get_model(weights, key)")})
    git(tmp_path / "code", "commit", "--quiet", "--all", "--message", "second")
    git(tmp_path / "code", "push", "--quiet", str(bare), "main")
    files = "files: [{name: weights, url: weights.txt, credentials: '${BUCKET_KEY}'}]"
    repository = f"repository: {{url: '{bare}', access_token: '${{GIT_KEY}}'}}"
    text = models(entry("m", repository, files, runtime))
    write(tmp_path / "w", {"weights.txt": "cat", "models.yaml": text})
    registry.push(tmp_path / "w" / "models.yaml")
    first = registry.get_definition("m").content
    record = stored(registry, "m")
    assert record["repository"]["access_token"] == "${GIT_KEY}"
    assert record["files"][0]["credentials"] == "${BUCKET_KEY}"
    assert secret not in str(registry.audit().dicts())
    assert secret not in repr(registry.get_definition("m"))
    found = [path for path in Path(registry.uri).rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert found == []
    cache = Path(os.environ["LOCALREG_CACHE"])
    assert [path for path in cache.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()] == []
    # Nor does it count for the content.
    monkeypatch.setenv("API_KEY", "other")
    assert registry.push(tmp_path / "w" / "models.yaml")[0].outcome == "unchanged"
    assert registry.get_definition("m").content == first


# --- without YAML -----------------------------------------------------------------------------------------------------


RUN = {
    "load": {
        "entrypoint": "inference:get_model",
        "inputs": [{"name": "weights", "value": "${model.files.weights.url}"}],
        "output": {"name": "model"},
    },
    "predict": {
        "entrypoint": "inference:predict",
        "inputs": [
            {"name": "model", "value": "${model.runtime.load.output.model}"},
            {"name": "datapoints", "value": "${datapoints}"},
        ],
        "output": {"keys": ["label", "score"]},
    },
}


def test_a_version_can_be_said_in_python(registry: Registry, tmp_path: Path) -> None:
    path = write_model(tmp_path / "m")
    (pushed,) = registry.push(path)
    model = registry.create_model("n")
    made = model.create_version(
        code=tmp_path / "m",
        files={"weights": tmp_path / "m" / "weights.txt"},
        runtime=RUN,
        metadata={"a": 1},
        description="x",
    )
    assert (made.metadata, made.description) == ({"a": 1}, "x")
    assert made.definition is not None
    assert made.definition.files[0]["url"] == "weights.txt"
    assert paths(registry, "n") == ["inference.py", "models.yaml"]
    assert (
        model.create_version(code=tmp_path / "m", files={"weights": tmp_path / "m" / "weights.txt"}, runtime=RUN)
        == made
    )
    assert pushed.version != made


def test_weights_that_are_said_by_an_address_of_this_machine_are_no_code(registry: Registry, tmp_path: Path) -> None:
    weights = write_model(tmp_path / "m").parent / "weights.txt"
    registry.create_model("m").create_version(code=tmp_path / "m", files={"weights": weights.as_uri()}, runtime=RUN)
    assert paths(registry, "m") == ["inference.py", "models.yaml"]


def test_a_version_of_a_repository_can_be_said_in_python(registry: Registry, tmp_path: Path, bare: Path) -> None:
    weights = write(tmp_path, {"weights.txt": "cat"}) / "weights.txt"
    model = registry.create_model("m")
    made = model.create_version("1", repository=bare, files={"weights": weights}, runtime=RUN)
    assert made.definition is not None
    assert made.definition.repository is not None
    assert made.definition.repository["commit"] == commit_of(bare)
    assert model.create_version("1", repository=bare, files={"weights": weights}, runtime=RUN) == made
    weights.write_text("dog")
    with pytest.raises(ConflictError, match="with other files"):
        model.create_version("1", repository=bare, files={"weights": weights}, runtime=RUN)


def test_what_is_wrong_in_python_is_told_without_lines(registry: Registry, tmp_path: Path) -> None:
    model = registry.create_model("m ${x} ${model.name}")
    with pytest.raises(DefinitionError, match=r"files\[0\]\.url: there is no file .*absent"):
        model.create_version(files={"weights": tmp_path / "absent"})
    with pytest.raises(DefinitionError, match=r"runtime\.predict: is missing"):
        model.create_version(code=tmp_path, runtime={})
    with pytest.raises(InvalidInputError, match="give one of both"):
        model.create_version(code=tmp_path, repository="https://h/x")
    with pytest.raises(InvalidInputError, match="that is no folder"):
        model.create_version(code=tmp_path / "absent")
    with pytest.raises(InvalidInputError, match="version is None"):
        model.create_version()
    assert model.versions() == []
    write(tmp_path, {"weights.txt": "cat"})
    made = model.create_version("v ${y}", files={"weights": tmp_path / "weights.txt"})
    assert made.version == "v ${y}"


def test_an_artifact_of_a_definition_goes_with_its_version(registry: Registry, tmp_path: Path) -> None:
    (done,) = registry.push(write_model(tmp_path / "m"))
    assert done.version is not None
    done.version.delete()
    assert registry.definitions().dicts() == []
    assert registry.artifacts().dicts() == []


def test_a_definition_of_a_version_is_not_deleted_alone(registry: Registry, tmp_path: Path) -> None:
    registry.push(write_model(tmp_path / "m"))
    with pytest.raises(ConflictError, match="goes with that"):
        registry.get_definition("m").delete()


def test_what_was_registered_under_a_name_is_listed_and_compared(registry: Registry, tmp_path: Path) -> None:
    path = write_model(tmp_path / "m")
    registry.push(path)
    first = registry.get_definition("m")
    with pytest.raises(NotFoundError, match="the first of its model"):
        first.previous()
    write(tmp_path / "m", {"weights.txt": "dog"})
    registry.push(path)
    second = registry.get_definition("m")
    assert second.previous() == first
    assert {each.path for each in first.differences(second)} == {"files"} or any(
        each.path.startswith("files") for each in first.differences(second)
    )
    assert [row["action"] for row in second.log()] == ["create", "create"]
    assert [row["content"] for row in second.log()] == [first.content, second.content]
