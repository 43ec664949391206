"""A definition is written back as what was pushed: as YAML that reads as the same, and as a folder to push from."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import dedent
from typing import Any

import fsspec
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

import localreg
from localreg import AlreadyExistsError, IntegrityError, InvalidInputError, Registry
from localreg.canonical import canonical
from localreg.definitions import schema
from localreg.definitions.document import read_document
from localreg.definitions.export import as_yaml
from localreg.definitions.parsing import parse
from localreg.definitions.writing import written
from localreg.errors import LocalregError
from localreg.names import check_name, check_text

CODE = "def get_model(params):\n    return params\n\n\ndef predict(model, datapoints):\n    return datapoints\n"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
RUNTIME = """
        runtime:
          predict:
            entrypoint: inference:predict
            inputs:
              - {name: model, value: 1}
              - {name: datapoints, value: "${datapoints}"}
"""
READER = """\
models:
  - name: plate-reader
    description: |
      trained on the March set

      but for the nights
    task: detection
    owner: ana
    tags: [detector, "yes"]
    metadata: {framework: numpy, released: "2026-03-31", lr: 1.0e-05}
    version: "6"
    files:
      - name: params
        url: results/plates.npz
      - name: labels
        url: s3://bucket/labels.txt
        credentials: {key: "${BUCKET_KEY}"}
    runtime:
      image: python:3.11-slim
      device: gpu
      batch: {max_size: 16}
      load:
        entrypoint: inference:get_model
        inputs:
          - {name: params, value: "${model.files.params.url}"}
        output: {name: model}
      predict:
        entrypoint: inference:predict
        inputs:
          - {name: model, value: "${model.runtime.load.output.model}"}
          - {name: datapoints, value: "${datapoints}"}
        output:
          name: predictions
          keys: [boxes, scores]
"""
"""As it would be written back."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a model's code and weights."""
    made = tmp_path / "plates"
    (made / "results").mkdir(parents=True)
    (made / "inference.py").write_text(CODE)
    (made / "results/plates.npz").write_bytes(b"weights")
    return made


@pytest.fixture
def elsewhere(tmp_path: Path) -> Registry:
    """Another registry."""
    return localreg.open(tmp_path / "elsewhere")


def pushed(registry: Registry, folder: Path, text: str, *, file: str = "models.yaml") -> localreg.ModelVersion | None:
    (folder / file).write_text(dedent(text), encoding="utf-8")
    return registry.push(folder / file, network=False)[0].version


def models(text: str) -> str:
    """YAML without the comments above it."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))


# --- what is written --------------------------------------------------------------------------------------------------


def test_what_was_pushed_is_written_as_it_was(registry: Registry, folder: Path) -> None:
    pushed(registry, folder, READER)
    definition = registry.get_definition("plate-reader")
    comment, _, rest = definition.yaml().partition("\n")
    assert comment == f"# Its code belongs beside this file: 1 file, sha256 {definition.code['sha256']}"  # type: ignore[index]
    assert rest == READER


def test_what_is_written_registers_nothing_new(registry: Registry, folder: Path) -> None:
    pushed(registry, folder, READER)
    commit = registry.commit
    (folder / "models.yaml").write_text(registry.get_definition("plate-reader").yaml(), encoding="utf-8")
    (again,) = registry.push(folder / "models.yaml")
    assert (again.outcome, registry.commit) == ("unchanged", commit)


def test_a_repository_is_pinned_to_its_commit_where_that_is_known(registry: Registry, tmp_path: Path) -> None:
    pushed(
        registry,
        tmp_path,
        f"""
        models:
          - name: pinned
            repository: {{url: https://host/plates.git, hash: {COMMIT}, access_token: "${{GIT_KEY}}"}}
          - name: floating
            repository: {{url: https://host/plates.git, branch: main}}
        """,
    )
    assert registry.get_definition("pinned").yaml() == dedent(
        f"""\
        models:
          - name: pinned
            repository:
              url: https://host/plates.git
              hash: {COMMIT}
              access_token: ${{GIT_KEY}}
        """
    )
    assert registry.get_definition("floating").yaml().endswith("url: https://host/plates.git\n      branch: main\n")
    for name in ("pinned", "floating"):
        (tmp_path / "models.yaml").write_text(registry.get_definition(name).yaml())
        assert registry.push(tmp_path / "models.yaml", network=False)[0].outcome == "unchanged"


def test_a_commit_that_was_found_takes_the_place_of_the_branch(registry: Registry, tmp_path: Path) -> None:
    pushed(registry, tmp_path, "models: [{name: m, repository: {url: https://host/plates.git, branch: main}}]")
    definition = registry.get_definition("m")

    class Found:
        """The same, when the network was on."""

        repository = {**(definition.repository or {}), "commit": COMMIT}  # noqa: RUF012

    Found.__getattr__ = lambda _, name: getattr(definition, name)  # type: ignore[attr-defined]
    from localreg.definitions.export import said_by

    said = said_by(Found()).repository  # type: ignore[arg-type]
    assert said == schema.Repository(url="https://host/plates.git", hash=COMMIT)


def test_what_holds_a_dollar_and_a_brace_is_escaped_where_it_would_be_a_variable(
    registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRICE", "5 ${EUR}")
    pushed(
        registry,
        folder,
        """
        models:
          - name: m
            description: costs ${PRICE}, not $${PRICE}, nor $$${x}
            metadata: {"${key}": "$${value}"}
            files: [{name: w, url: "s3://b/$${x}"}]
            runtime:
              predict:
                entrypoint: inference:predict
                inputs:
                  - {name: model, value: ["$${plain}", "${HOME:-none}/x"]}
                  - {name: datapoints, value: "${datapoints}"}
        """,
    )
    monkeypatch.delenv("PRICE")
    text = registry.get_definition("m").yaml()
    said = yaml.safe_load(text)["models"][0]
    assert said["description"] == "costs 5 $${EUR}, not $${PRICE}, nor $$${x}"
    assert said["metadata"] == {"${key}": "$${value}"}
    assert said["files"][0]["url"] == "s3://b/$${x}"
    assert said["runtime"]["predict"]["inputs"][0]["value"] == ["$${plain}", "${HOME:-none}/x"]
    (folder / "models.yaml").write_text(text, encoding="utf-8")
    assert registry.push(folder / "models.yaml")[0].outcome == "unchanged"


def test_the_entry_for_all_models_is_written_too(registry: Registry, folder: Path) -> None:
    pushed(registry, folder, "models:\n  - name: ${model.name}" + RUNTIME.replace("\n    ", "\n"))
    text = registry.get_definition("${model.name}").yaml()
    assert models(text).startswith("models:\n  - name: ${model.name}\n    runtime:\n      predict:\n")
    (folder / "models.yaml").write_text(text)
    assert registry.push(folder / "models.yaml")[0].outcome == "unchanged"


def test_a_version_that_is_called_by_its_content_has_no_name(registry: Registry, folder: Path) -> None:
    version = pushed(registry, folder, "models: [{name: m, files: [{name: w, url: results/plates.npz}]}]")
    assert version is not None
    assert version.name == registry.get_definition("m").content[:12]
    assert "version" not in registry.get_definition("m").yaml()


def test_what_is_said_of_the_version_goes_before_what_is_said_of_its_model(registry: Registry, folder: Path) -> None:
    pushed(registry, folder, "models: [{name: m, version: '1', description: March, metadata: {set: 3}}]")
    (folder / "inference.py").write_text("other = 1\n")
    pushed(registry, folder, "models: [{name: m, version: '2', description: April}]")
    model = registry.get_model("m")
    model.version("1").update(metadata={"note": "old"})
    model.rename("n")
    model.update(task="detection")
    first, second = (yaml.safe_load(registry.get_definition(f"n@{each}").yaml())["models"][0] for each in "12")
    assert (first["name"], first["description"], first["metadata"]) == ("n", "March", {"set": 3, "note": "old"})
    assert (second["description"], second["metadata"], second["task"]) == ("April", {"set": 3}, "detection")


def test_whether_a_file_is_stored_is_written_where_it_is_not_the_rule(registry: Registry, folder: Path) -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe("/bucket/far.npz", b"far")
    pushed(
        registry,
        folder,
        """
        models:
          - name: m
            files:
              - {name: here, url: results/plates.npz}
              - {name: beside, url: results/plates.npz, upload: false}
              - {name: there, url: "s3://bucket/x"}
        """,
    )
    (folder / "models.yaml").write_text(
        "models: [{name: far, files: [{name: w, url: 'memory://bucket/far.npz', upload: true}]}]"
    )
    registry.push(folder / "models.yaml")
    said = {each["name"]: each for each in yaml.safe_load(registry.get_definition("m").yaml())["models"][0]["files"]}
    assert said["here"] == {"name": "here", "url": "results/plates.npz"}
    assert said["beside"] == {"name": "beside", "url": str(folder / "results/plates.npz"), "upload": False}
    assert said["there"] == {"name": "there", "url": "s3://bucket/x"}
    assert "        upload: true\n" in registry.get_definition("far").yaml()


# --- any text ---------------------------------------------------------------------------------------------------------

ODD = [
    *("yes", "No", "on", "null", "~", "", "6", "1.10", "1e5", "0x1F", "0o17", "1_000", ".5", ".inf", ".NaN", "y", "="),
    *("2026-03-31", "12:30", "<<", "a: b", "a #b", "# a", "- a", "? a", "*a", "&a", "!a", "!!str a", "%a", "@a", "`a`"),
    *("[a", "{a", "a,b", "'", '"', "\\", "---", "...", " a", "a ", "a:", ":a", "|", ">", "${X}", "$${X}", "$", "${"),
    *(
        "a\nb",
        "a\n",
        "\na",
        "a\n\nb\n",
        "a\n\n",
        "a \nb",
        "a\n b",
        " a\nb",
        "a\tb",
        "\t",
        "a\r\nb",
        "a\n---\nb",
        "#a\n#b",
    ),
    *(
        "🦉: 🦉",
        "é",
        "\u2028",
        "\x85",
        "\ufeff",
        "\x00",
        "\x7f",
        "\u202e",
        "\ufffe",
        "\U0010ffff",
        "x" * 200,
        "a b " * 60,
    ),
]
texts = st.sampled_from(ODD) | st.text(st.characters(codec="utf-8"), max_size=12)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
templates = st.sampled_from(["${datapoints}", "${HOME}/x", "${X:-yes: no}", "$${x}", "yes"]) | numbers


def accepted(check: Any) -> st.SearchStrategy[str]:
    """Texts that a check accepts, as it gives them."""

    def passed(text: str) -> str | None:
        try:
            return str(check(text))
        except LocalregError:
            return None

    return texts.map(passed).filter(lambda text: text is not None)  # type: ignore[return-value]


names = accepted(check_name).filter(lambda name: name != schema.UNIVERSAL)
passages = accepted(lambda text: check_text(text, what="text"))


@st.composite
def definitions(draw: Any) -> schema.Definition:
    """Definitions as they come out of a file."""
    parts: dict[str, Any] = {
        "name": draw(names),
        "description": draw(st.none() | passages),
        "owner": draw(st.none() | passages),
        "tags": sorted({each[:100].strip() for each in draw(st.lists(names, max_size=3))}),
        "metadata": draw(st.dictionaries(texts, values, max_size=4)),
        "version": draw(st.none() | names.map(lambda name: name[:100].strip())),
        "files": [
            schema.File(name=f"f{number}", url=url, upload=draw(st.none() | st.booleans()))
            for number, url in enumerate(draw(st.lists(names, max_size=2)))
        ],
    }
    if draw(st.booleans()):
        inputs = [schema.Input(name="x", value=draw(templates | st.lists(templates, max_size=3)))]
        output = schema.Predictions(keys=draw(st.none() | st.lists(texts, min_size=1, max_size=3, unique=True)))
        predict = schema.Predict(entrypoint="a:b", inputs=inputs, output=output)
        parts["runtime"] = schema.Runtime(predict=predict, image=draw(st.none() | texts))
    return schema.Definition(**parts)


@given(definitions())
@example(schema.Definition(name="m", metadata={text: text for text in ODD}))
@example(schema.Definition(name="m", metadata={"deep": [[[{"a": [{"b": None}]}]]], "empty": [{}, [], ""]}))
def test_a_definition_reads_as_what_was_written(definition: schema.Definition) -> None:
    parsed = parse(as_yaml(definition), "models.yaml", {"HOME": "h"})
    assert not parsed.faults
    (entry,) = parsed.entries
    assert entry.definition == definition
    assert canonical(entry.definition.model_dump()) == canonical(definition.model_dump()), "with the types of numbers"


@given(st.dictionaries(texts, values, max_size=4))
def test_every_reader_of_yaml_reads_the_same(value: dict[str, Any]) -> None:
    text = written(value)
    assert canonical(yaml.safe_load(text)) == canonical(read_document(text, "x").value) == canonical(value)


@pytest.mark.parametrize("text", ODD)
def test_nothing_is_hidden_in_what_is_written(text: str) -> None:
    assert not set(written([text, f"a{text}b", {text: text}])) & set("\x00\x7f\x85\u2028\u202e\ufeff\ufffe\r\t")


def test_what_another_version_of_yaml_would_take_for_something_else_is_quoted() -> None:
    for text in ("1e5", "0o17", "y", "N", ".5", "-.INF", "28e5", "on", "2026-03-31", "12:30", "~"):
        assert written([text]) == f'["{text}"]\n'
    assert written(["28595c2f89d6", "v1", "plates/6", "é", "🦉"]) == "[28595c2f89d6, v1, plates/6, é, 🦉]\n"


# --- as a folder ------------------------------------------------------------------------------------------------------


def test_from_an_exported_folder_another_registry_registers_the_same(
    registry: Registry, elsewhere: Registry, folder: Path, tmp_path: Path
) -> None:
    (folder / "parts").mkdir()
    (folder / "parts/__init__.py").write_text("")
    pushed(registry, folder, READER, file="plates.yml")
    definition, commit = registry.get_definition("plate-reader"), registry.commit
    file = definition.export(tmp_path / "new" / "folder")
    assert file == tmp_path / "new/folder/models.yaml"
    assert sorted(path.relative_to(file.parent).as_posix() for path in file.parent.rglob("*") if path.is_file()) == [
        *("inference.py", "models.yaml", "parts/__init__.py", "results/plates.npz")
    ]
    assert (file.read_text(encoding="utf-8"), registry.commit) == (definition.yaml(), commit)
    (got,) = elsewhere.push(file)
    assert (got.outcome, got.version and got.version.name) == ("created", "6")
    assert elsewhere.get_definition("plate-reader").content == definition.content
    assert elsewhere.get_definition("plate-reader").yaml() == definition.yaml()


def test_the_same_is_exported_twice_and_another_one_only_if_asked(
    registry: Registry, folder: Path, tmp_path: Path
) -> None:
    pushed(registry, folder, "models: [{name: m, version: a, files: [{name: w, url: results/plates.npz}]}]")
    (folder / "results/plates.npz").write_bytes(b"better")
    pushed(registry, folder, "models: [{name: m, version: b, files: [{name: w, url: results/plates.npz}]}]")
    to = tmp_path / "out"
    first, second = (registry.get_definition(f"m@{each}") for each in "ab")
    assert first.export(to) == first.export(to)
    (to / "__pycache__").mkdir()
    (to / "__pycache__/inference.pyc").write_bytes(b"")
    with pytest.raises(AlreadyExistsError, match=r"plates\.npz is there, and holds something else"):
        second.export(to)
    assert (to / "results/plates.npz").read_bytes() == b"weights"
    second.export(to, overwrite=True)
    assert (to / "results/plates.npz").read_bytes() == b"better"
    (to / "models.yaml").write_text("# mine")
    with pytest.raises(AlreadyExistsError, match=r"models\.yaml is there, and says something else"):
        second.export(to)


def test_files_that_would_become_code_are_in_the_way(registry: Registry, folder: Path, tmp_path: Path) -> None:
    pushed(registry, folder, "models: [{name: m}, {name: far, repository: {url: 'https://h/p.git'}}]")
    to = tmp_path / "out"
    to.mkdir()
    (to / "notes.md").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(AlreadyExistsError, match=r"holds 'notes\.md', which would become part of the code"):
            registry.get_definition("m").export(to, overwrite=overwrite)
    assert os.listdir(to) == ["notes.md"]
    registry.get_definition("far").export(to)  # whose code is in its repository
    assert sorted(os.listdir(to)) == ["models.yaml", "notes.md"]


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("../w.npz", "w.npz"),
        ("a/../../w.npz", "w.npz"),
        ("a/../inner.npz", "inner.npz"),
        ("memory://b/deep/w.npz?x=1", "w.npz"),
        ("../inference.py", "w"),
    ],
)
def test_a_file_from_without_lies_within_and_the_yaml_says_so(
    registry: Registry, elsewhere: Registry, folder: Path, tmp_path: Path, url: str, place: str
) -> None:
    fsspec.filesystem("memory").pipe("/b/deep/w.npz?x=1", b"w")
    (folder / "a").mkdir()
    for path in (tmp_path / "w.npz", tmp_path / "inference.py", folder / "inner.npz"):
        path.write_bytes(b"w")
    (folder / "models.yaml").write_text(f"models: [{{name: m, files: [{{name: w, url: '{url}', upload: true}}]}}]")
    registry.push(folder / "models.yaml")
    file = registry.get_definition("m").export(tmp_path / "out" / "in")
    assert f"# File 'w' was registered as {url!r}\n" in file.read_text()
    assert yaml.safe_load(file.read_text())["models"][0]["files"] == [{"name": "w", "url": place}]
    assert (file.parent / place).read_bytes() == b"w"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["in"]
    elsewhere.push(file)
    assert elsewhere.get_version("m").get_artifact("w").sha256 == registry.get_version("m").get_artifact("w").sha256


def test_an_absolute_path_was_registered_by_its_last_part_and_is_the_same_content(
    registry: Registry, elsewhere: Registry, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "w.npz").write_bytes(b"w")
    pushed(registry, folder, f"models: [{{name: m, files: [{{name: w, url: '{tmp_path / 'w.npz'}'}}]}}]")
    elsewhere.push(registry.get_definition("m").export(tmp_path / "out"))
    assert elsewhere.get_definition("m").content == registry.get_definition("m").content


def test_folders_and_odd_names_of_code_come_along(
    registry: Registry, elsewhere: Registry, folder: Path, tmp_path: Path
) -> None:
    (folder / "models.yaml").write_text("the code has one\n")
    text = "models: [{name: m, files: [{name: all, url: ./results}, {name: y, url: models-2.yaml}]}]"
    (folder / "models-2.yaml").write_text("a file")
    pushed(registry, folder, text, file="other.yaml")
    file = registry.get_definition("m").export(tmp_path / "out")
    assert (file.name, (file.parent / "models.yaml").read_text()) == ("models-3.yaml", "the code has one\n")
    assert (file.parent / "results/plates.npz").read_bytes() == b"weights"
    elsewhere.push(file)
    assert elsewhere.get_definition("m").content == registry.get_definition("m").content


def test_a_version_of_files_alone_is_one_elsewhere_too(
    registry: Registry, elsewhere: Registry, folder: Path, tmp_path: Path
) -> None:
    registry.create_model("m").create_version(files={"w": folder / "results/plates.npz"})
    elsewhere.push(registry.get_definition("m").export(tmp_path / "out"))
    assert elsewhere.get_definition("m").code is None
    assert elsewhere.get_definition("m").content == registry.get_definition("m").content


def test_altered_bytes_are_not_exported(registry: Registry, folder: Path, tmp_path: Path) -> None:
    pushed(registry, folder, "models: [{name: m, files: [{name: w, url: results/plates.npz}]}]")
    for path in (tmp_path / "registry").rglob("artifacts/*/*"):
        if path.read_bytes() == b"weights":
            path.chmod(0o600)
            path.write_bytes(b"other!!")
    with pytest.raises(IntegrityError, match="has been altered"):
        registry.get_definition("m").export(tmp_path / "out")
    assert not (tmp_path / "out/results/plates.npz").exists()
    assert not (tmp_path / "out/models.yaml").exists()


def test_what_was_deleted_cannot_be_exported(registry: Registry, folder: Path, tmp_path: Path) -> None:
    version = pushed(registry, folder, "models: [{name: m, files: [{name: w, url: results/plates.npz}]}]")
    assert version is not None
    version.get_artifact("w").delete()
    with pytest.raises(IntegrityError, match="that artifact was deleted"):
        registry.get_definition("m").export(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_beyond_a_link(registry: Registry, folder: Path, tmp_path: Path) -> None:
    pushed(
        registry,
        folder,
        "models: [{name: m, repository: {url: 'https://h/p.git'}, files: [{name: w, url: results/plates.npz}]}]",
    )
    (tmp_path / "out").mkdir()
    (tmp_path / "victim").mkdir()
    (tmp_path / "out/results").symlink_to(tmp_path / "victim")
    with pytest.raises(IntegrityError, match="leads out of"):
        registry.get_definition("m").export(tmp_path / "out")
    assert list((tmp_path / "victim").iterdir()) == []


@pytest.mark.parametrize("to", ["", "a\0b", 5, None])
def test_a_folder_that_cannot_be_is_refused(registry: Registry, folder: Path, to: Any) -> None:
    pushed(registry, folder, "models: [{name: m}]")
    with pytest.raises(InvalidInputError, match="folder is"):
        registry.get_definition("m").export(to)
