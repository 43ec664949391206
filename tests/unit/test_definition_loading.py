"""Registered models at work: loaded by name, whoever's runtime it is, from code that is what was registered."""

from __future__ import annotations

import os
import shutil
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import localreg
from localreg import Registry
from localreg.definitions.loading import Loaded
from localreg.definitions.materialising import code_folder
from localreg.errors import DefinitionError, IntegrityError, InvalidInputError, LocalregError, NotFoundError
from localreg.storage.cache import cache_folder
from tests.definitions import CODE, FILES, RUNTIME, bare_repository, commit_of, entry, git, models, write, write_model


def label(loaded: Loaded) -> Any:
    """What a model of these tests says of anything."""
    with loaded:
        (prediction,) = loaded.predict([{}])
    return prediction["label"]


@pytest.mark.parametrize("worker", ["process", "thread"])
def test_a_model_is_loaded_by_name_version_and_alias(registry: Registry, tmp_path: Path, worker: Any) -> None:
    path = write_model(tmp_path / "m", "m", "version: '1'", FILES, RUNTIME)
    registry.push(path)
    registry.push(write_model(tmp_path / "m", "m", "version: '2'", FILES, RUNTIME, answer="dog"))
    registry.get_model("m").set_alias("production", "1")
    shutil.rmtree(tmp_path / "m")
    assert label(registry.load("m", worker=worker)) == "dog"
    assert label(registry.load("m@1", worker=worker)) == "cat"
    assert label(registry.load("m@production", worker=worker)) == "cat"
    assert [(row["version"], row["via"]) for row in registry.get_model("m").consumers()] == [("2", None), ("1", None)]


def test_predictions_come_in_order_in_batches_of_the_size_that_is_said(registry: Registry, tmp_path: Path) -> None:
    code = "def predict(datapoints):\n    return [(each, len(datapoints)) for each in datapoints]"
    runtime = """
    runtime:
      batch: {max_size: 3}
      predict: {entrypoint: "inference:predict", inputs: [{name: datapoints, value: "${datapoints}"}]}
    """
    registry.push(write_model(tmp_path / "m", "m", runtime, code=code))
    with registry.load("m") as loaded:
        assert loaded.batch_size == 3
        assert loaded.predict(range(7)) == [(0, 3), (1, 3), (2, 3), (3, 3), (4, 3), (5, 3), (6, 1)]
        assert loaded.predict(iter([1])) == [(1, 1)]
        assert loaded.predict([]) == []
        assert list(loaded.predict_batches([[1, 2], [3]])) == [[(1, 2), (2, 2)], [(3, 1)]]
        with pytest.raises(InvalidInputError, match="give a list"):
            loaded.predict("abc")
        assert repr(loaded).startswith("<Loaded 'm@")
    with pytest.raises(InvalidInputError, match="closed"):
        loaded.predict([1])


def test_two_models_with_a_module_of_one_name_coexist(registry: Registry, tmp_path: Path) -> None:
    registry.push(write_model(tmp_path / "a", "a", answer="cat"))
    registry.push(
        write_model(tmp_path / "b", "b", answer="dog", code=CODE.replace('"label": model', '"label": model * 2'))
    )
    for worker in ("process", "thread"):
        with registry.load("a", worker=worker) as a, registry.load("b", worker=worker) as b:
            assert [each.predict([0])[0]["label"] for each in (a, b, a)] == ["cat", "dogdog", "cat"]


def test_a_weight_file_has_the_name_that_it_had(registry: Registry, tmp_path: Path) -> None:
    code = CODE.replace("return file.read().strip()", "return weights")
    registry.push(write_model(tmp_path / "m", code=code))
    assert label(registry.load("m")).endswith("/0/weights.txt")


def test_the_environment_is_that_of_who_loads(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = RUNTIME.replace('"${model.files.weights.url}"', '"${SECRET_PLACE}-${OTHER_PLACE}"')
    code = CODE.replace("    with open(weights) as file:\n        return file.read().strip()", "    return weights")
    registry.push(write_model(tmp_path / "m", "m", FILES, runtime, code=code))
    with pytest.raises(DefinitionError) as raised:
        registry.load("m")
    assert "SECRET_PLACE" in str(raised.value)
    assert "OTHER_PLACE" in str(raised.value)
    assert "models[0].runtime.load.inputs[0].value, line 7 of models.yaml" in str(raised.value)
    monkeypatch.setenv("SECRET_PLACE", "a")
    monkeypatch.setenv("OTHER_PLACE", "b")
    assert label(registry.load("m")) == "a-b"


def test_the_device_goes_to_who_takes_it(registry: Registry, tmp_path: Path) -> None:
    code = "def predict(datapoints, device='none'):\n    return [{'label': device, 'score': 1} for _ in datapoints]"
    said = """
    runtime:
      device: gpu
      predict: {entrypoint: "inference:predict", inputs: [{name: datapoints, value: "${datapoints}"}]}
    """
    registry.push(write_model(tmp_path / "m", "m", said, code=code))
    assert label(registry.load("m")) == "gpu"
    assert label(registry.load("m", device="cpu")) == "cpu"


@pytest.mark.parametrize(
    "given", [{"worker": "fork"}, {"load_timeout_s": 0}, {"predict_timeout_s": "a"}, {"device": 3}]
)
def test_impossible_ways_to_load_are_refused(registry: Registry, tmp_path: Path, given: dict[str, Any]) -> None:
    registry.push(write_model(tmp_path / "m"))
    with pytest.raises(InvalidInputError):
        registry.load("m", **given)


def test_what_cannot_be_loaded_is_told(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no model 'm'"):
        registry.load("m")
    registry.create_model("m").create_version("1")
    with pytest.raises(NotFoundError, match=r"nothing says how .* is run; push a definition"):
        registry.load("m")
    weights = write(tmp_path, {"w.txt": "cat"}) / "w.txt"
    registry.get_model("m").create_version("2", files={"weights": weights})
    with pytest.raises(NotFoundError, match="no runtime of its own"):
        registry.load("m")


# --- code and files are what was registered ---------------------------------------------------------------------------


def test_code_in_the_cache_that_was_changed_is_not_run(registry: Registry, tmp_path: Path) -> None:
    registry.push(write_model(tmp_path / "m"))
    assert label(registry.load("m")) == "cat"
    code = registry.get_definition("m").code
    assert code is not None
    (found,) = (cache_folder() / "code" / str(code["sha256"])).rglob("inference.py")
    for change in (
        lambda: found.write_text(CODE.replace('"label": model', '"label": "evil"')),
        found.unlink,
        lambda: (found.parent / "evil.py").write_text(""),
    ):
        change()
        assert label(registry.load("m")) == "cat"
        assert [path.name for path in found.parent.iterdir()] == ["inference.py"]


def test_weights_that_were_changed_are_not_loaded(registry: Registry, tmp_path: Path) -> None:
    (done,) = registry.push(write_model(tmp_path / "m"))
    assert done.version is not None
    content = str(done.version.get_artifact("weights").sha256)
    (stored,) = (path for path in Path(registry.uri).rglob(f"{content}*") if path.is_file())
    stored.chmod(0o600)
    stored.write_text("dog")
    with pytest.raises(IntegrityError, match="altered"):
        registry.load("m")


def test_a_tracked_file_that_changed_or_is_gone_is_told(registry: Registry, tmp_path: Path) -> None:
    said = "files: [{name: weights, url: weights.txt, upload: false}]"
    registry.push(write_model(tmp_path / "m", "m", said, RUNTIME))
    assert label(registry.load("m")) == "cat"
    write(tmp_path / "m", {"weights.txt": "dog"})
    with pytest.raises(IntegrityError, match="is not what it was"):
        registry.load("m")
    (tmp_path / "m" / "weights.txt").unlink()
    with pytest.raises(NotFoundError, match=r"not at .* any more"):
        registry.load("m")


def test_what_was_registered_is_loaded_whatever_became_of_the_artifacts(registry: Registry, tmp_path: Path) -> None:
    (done,) = registry.push(write_model(tmp_path / "m"))
    assert done.version is not None
    done.version.upload(b"dog", name="weights", replace=True)
    write(tmp_path / "evil", {"inference.py": CODE.replace('"label": model', '"label": "evil"')})
    done.version.upload(tmp_path / "evil", name="code", replace=True)
    assert label(registry.load("m")) == "cat"
    for name in ("weights", "code"):
        done.version.get_artifact(name).delete()
    assert label(registry.load("m")) == "cat"
    assert registry.push(tmp_path / "m" / "models.yaml")[0].outcome == "updated"
    assert done.version.get_artifact("weights").bytes == 3


def test_the_name_of_a_file_leads_nowhere(registry: Registry, tmp_path: Path) -> None:
    for name in ("/abs/x", "../../x", "..", "a/b", "a\\b"):
        said = f"files: [{{name: {name!r}, url: weights.txt}}]"
        with pytest.raises(DefinitionError, match=r"files\[0\]\.name, line 4"):
            registry.push(write_model(tmp_path / "m", "m", f"description: x\n{said}"))
    assert registry.commit == 0


def test_code_of_a_repository_is_loaded_once_fetched_even_if_that_is_gone(registry: Registry, tmp_path: Path) -> None:
    code = write(tmp_path / "code", {"inference.py": CODE, "package/a.py": ""})
    os.symlink("package", code / "link")
    bare = bare_repository(tmp_path / "code.git", code)
    text = models(entry("m", f"repository: {{url: '{bare}', branch: main}}", FILES, RUNTIME))
    registry.push(write(tmp_path / "w", {"weights.txt": "cat", "models.yaml": text}) / "models.yaml")
    shutil.rmtree(bare)
    assert label(registry.load("m")) == "cat"
    (found,) = (cache_folder() / "code" / commit_of(code)).rglob("inference.py")
    found.write_text("evil")
    assert label(registry.load("m")) == "cat"
    shutil.rmtree(cache_folder())
    with pytest.raises(LocalregError, match=r"code\.git"):
        registry.load("m")


def test_a_branch_that_nobody_could_ask_about_is_asked_about_when_it_is_loaded(
    registry: Registry, tmp_path: Path
) -> None:
    code = write(tmp_path / "code", {"inference.py": CODE})
    bare = bare_repository(tmp_path / "code.git", code)
    text = models(entry("m", f"repository: {{url: '{bare}', branch: main}}", FILES, RUNTIME))
    write(tmp_path / "w", {"weights.txt": "cat", "models.yaml": text})
    registry.push(tmp_path / "w" / "models.yaml", network=False)
    assert label(registry.load("m")) == "cat"
    write(code, {"inference.py": CODE.replace('"label": model', '"label": "new"')})
    git(code, "commit", "--quiet", "--all", "--message", "second")
    git(code, "push", "--quiet", str(bare), "main")
    assert label(registry.load("m")) == "new"


def test_a_model_of_another_place_is_loaded(tmp_path: Path) -> None:
    registry = localreg.open("memory://models")
    registry.push(write_model(tmp_path / "m"))
    assert label(registry.load("m")) == "cat"
    registry.close()


def test_the_past_is_loaded_as_it_was(registry: Registry, tmp_path: Path) -> None:
    registry.push(write_model(tmp_path / "m"))
    commit = registry.commit
    registry.push(write_model(tmp_path / "m", answer="dog"))
    past = registry.at(commit=commit)
    with pytest.warns(UserWarning, match="not in the audit log"):
        assert label(past.load("m")) == "cat"


# --- whose runtime ----------------------------------------------------------------------------------------------------

UNIVERSAL = "${model.name}"
WITHOUT = FILES


def answering(text: str) -> str:
    """A runtime with a `predict` that says where it came from."""
    return f"""
runtime:
  load:
    entrypoint: inference:get_model
    inputs: [{{name: weights, value: "${{model.files.weights.url}}"}}]
    output: {{name: model}}
  predict:
    entrypoint: inference:predict
    inputs:
      - {{name: model, value: "${{model.runtime.load.output.model}}"}}
      - {{name: datapoints, value: "${{datapoints}}"}}
      - {{name: said, value: "{text} ${{model.name}} ${{model.version}}"}}
"""


SAYING = CODE.replace("predict(model, datapoints)", "predict(model, datapoints, said)").replace(
    '"label": model', '"label": f"{model}: {said}"'
)


def test_all_in_one_file(registry: Registry, tmp_path: Path) -> None:
    text = models(entry("a", "version: '1'", FILES), entry(UNIVERSAL, answering("all")), entry("b", FILES, RUNTIME))
    write(tmp_path / "m", {"inference.py": SAYING, "weights.txt": "cat", "models.yaml": text.replace("label", "label")})
    with pytest.raises(DefinitionError, match="lacks 'said'"):  # of b
        registry.push(tmp_path / "m" / "models.yaml")
    write(tmp_path / "m", {"inference.py": SAYING.replace("said)", "said='own')")})
    done = registry.push(tmp_path / "m" / "models.yaml")
    assert [(each.name, each.outcome) for each in done] == [("a", "created"), (UNIVERSAL, "created"), ("b", "created")]
    assert label(registry.load("a")) == "cat: all a 1"
    assert label(registry.load("b")) == "cat: own"
    assert [each.outcome for each in registry.push(tmp_path / "m" / "models.yaml")] == ["unchanged"] * 3


def test_a_small_file_with_name_and_files_only(registry: Registry, tmp_path: Path) -> None:
    write(tmp_path / "code", {"inference.py": SAYING, "models.yaml": models(entry(UNIVERSAL, answering("all")))})
    registry.push(tmp_path / "code" / "models.yaml")
    small = write(tmp_path / "small", {"weights.txt": "cat", "model.yaml": models(entry("a", "version: '1'", FILES))})
    (done,) = registry.push(small / "model.yaml")
    assert done.version is not None
    assert [row["name"] for row in done.version.artifacts()] == ["weights"]  # there is no code beside it
    assert label(registry.load("a")) == "cat: all a 1"


def test_a_version_said_in_python_with_files_only(registry: Registry, tmp_path: Path) -> None:
    write(tmp_path / "code", {"inference.py": SAYING, "models.yaml": models(entry(UNIVERSAL, answering("all")))})
    registry.push(tmp_path / "code" / "models.yaml")
    weights = write(tmp_path, {"weights.txt": "cat"}) / "weights.txt"
    model = registry.create_model("a")
    model.create_version("1", files={"weights": weights}, runtime=None)
    assert label(registry.load("a")) == "cat: all a 1"
    # Another definition of the entry counts from then on.
    write(tmp_path / "code", {"models.yaml": models(entry(UNIVERSAL, answering("changed")))})
    assert registry.push(tmp_path / "code" / "models.yaml")[0].outcome == "updated"
    assert label(registry.load("a")) == "cat: changed a 1"
    universal = registry.get_definition(UNIVERSAL)
    assert [row["action"] for row in universal.log()] == ["create", "update"]
    assert universal.previous().runtime != universal.runtime
    universal.delete()
    with pytest.raises(NotFoundError):
        registry.load("a")


@pytest.mark.parametrize("name", ["localreg.yaml", "efemarai.yaml"])
def test_a_runtime_at_the_root_of_the_code(registry: Registry, tmp_path: Path, name: str) -> None:
    text = models(entry("other", "nonsense: 1"), entry(UNIVERSAL, answering("root")))
    code = write(tmp_path / "code", {"inference.py": SAYING, name: text, "weights.txt": "cat"})
    bare = bare_repository(tmp_path / "code.git", code)
    weights = write(tmp_path, {"weights.txt": "cat"}) / "weights.txt"
    registry.create_model("a").create_version("1", repository=bare, files={"weights": weights})
    assert label(registry.load("a")) == "cat: root a 1"
    registry.create_model("b").create_version("1", code=code, files={"weights": weights})
    assert label(registry.load("b")) == "cat: root b 1"


def test_the_exact_name_goes_before_the_universal_one_wherever_they_stand(registry: Registry, tmp_path: Path) -> None:
    weights = write(tmp_path, {"weights.txt": "cat"}) / "weights.txt"
    code = {"inference.py": SAYING}

    def version(model: str, name: str, **root: str) -> None:
        text = models(*(entry(each, answering(said)) for each, said in root.items())) if root else ""
        folder = write(tmp_path / name, {**code, **({"localreg.yaml": text} if root else {})})
        known = registry.find_model(model) or registry.create_model(model)
        known.create_version(name, code=folder, files={"weights": weights})

    version("a", "plain")
    version("a", "universal at root", **{UNIVERSAL: "universal at root"})
    version("a", "both at root", **{UNIVERSAL: "universal at root", "a": "exact at root"})
    assert label(registry.load("a@universal at root")).startswith("cat: universal at root")
    write(tmp_path / "all", {**code, "models.yaml": models(entry(UNIVERSAL, answering("registered universal")))})
    registry.push(tmp_path / "all" / "models.yaml")
    assert label(registry.load("a@plain")).startswith("cat: registered universal")
    assert label(registry.load("a@universal at root")).startswith("cat: registered universal")
    assert label(registry.load("a@both at root")).startswith("cat: exact at root")
    exact = write(tmp_path / "exact", {**code, "weights.txt": "cat"})
    write(exact, {"models.yaml": models(entry("a", "version: exact", FILES, answering("registered exact")))})
    registry.push(exact / "models.yaml")
    for name in ("plain", "universal at root", "both at root", "exact"):
        assert label(registry.load(f"a@{name}")) == f"cat: registered exact a {name}"


def test_a_runtime_of_others_that_does_not_fit_is_told(registry: Registry, tmp_path: Path) -> None:
    write(tmp_path / "code", {"inference.py": SAYING, "models.yaml": models(entry(UNIVERSAL, answering("all")))})
    registry.push(tmp_path / "code" / "models.yaml")
    weights = write(tmp_path, {"w.txt": "cat"}) / "w.txt"
    registry.create_model("a").create_version("1", files={"params": weights})
    with pytest.raises(DefinitionError) as raised:
        registry.load("a")
    assert "models[0].runtime.load.inputs[0].value, line 6 of models.yaml" in str(raised.value)
    assert "there is no file 'weights'; there are params" in str(raised.value)


def test_a_file_at_the_root_that_is_wrong_is_told(registry: Registry, tmp_path: Path) -> None:
    code = write(tmp_path / "code", {"inference.py": CODE, "localreg.yaml": "models:\n- {name: a, runtime: {}}\n"})
    registry.create_model("a").create_version("1", code=code)
    with pytest.raises(DefinitionError, match=r"localreg\.yaml: models\[0\]\.runtime\.predict, line 2: is missing"):
        registry.load("a")


def test_a_version_that_nobody_can_run_yet_is_told(registry: Registry, tmp_path: Path) -> None:
    small = write(tmp_path / "small", {"weights.txt": "cat", "model.yaml": models(entry("a", FILES))})
    (done,) = registry.push(small / "model.yaml")
    assert done.notes == ("model 'a' has no runtime, nor is one registered for it or for '${model.name}' yet",)
    write(tmp_path / "code", {"inference.py": SAYING, "models.yaml": models(entry(UNIVERSAL, answering("all")))})
    registry.push(tmp_path / "code" / "models.yaml")
    (done,) = registry.push(small / "model.yaml")
    assert done.notes == ()


def test_a_small_file_beside_other_files_without_code(registry: Registry, tmp_path: Path) -> None:
    write(tmp_path / "code", {"inference.py": SAYING, "models.yaml": models(entry(UNIVERSAL, answering("all")))})
    registry.push(tmp_path / "code" / "models.yaml")
    small = write(tmp_path / "small", {"weights.txt": "cat", "README.md": "", "model.yaml": models(entry("a", FILES))})
    registry.push(small / "model.yaml")
    assert label(registry.load("a")).startswith("cat: all a ")


def test_many_load_a_new_version_at_once(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.push(write_model(tmp_path / "m"))
    definition = registry.get_definition("m")
    for number in range(10):
        monkeypatch.setenv("LOCALREG_CACHE", str(tmp_path / f"cache-{number}"))
        with ThreadPoolExecutor(6) as pool:
            folders = list(pool.map(lambda _: code_folder(definition, lambda: None), range(6)))
        assert len(set(folders)) == 1
        assert [path.name for path in folders[0].iterdir()] == ["inference.py"]  # type: ignore[union-attr]


def test_programs_among_the_code_can_be_run(registry: Registry, tmp_path: Path) -> None:
    code = (
        "import subprocess\nfrom pathlib import Path\n\ndef predict(datapoints):\n"
        "    said = subprocess.run([Path(__file__).with_name('said.sh')], capture_output=True, text=True).stdout\n"
        "    return [{'label': said} for _ in datapoints]\n"
    )
    said = """
    runtime:
      predict: {entrypoint: "inference:predict", inputs: [{name: datapoints, value: "${datapoints}"}]}
    """
    folder = write(write_model(tmp_path / "m", "m", said, code=code).parent, {"said.sh": "#!/bin/sh\nprintf hello\n"})
    (folder / "said.sh").chmod(0o755)
    registry.push(folder / "models.yaml")
    assert label(registry.load("m")) == "hello"


def test_a_file_at_the_root_that_is_no_text_is_told(registry: Registry, tmp_path: Path) -> None:
    code = write(tmp_path / "code", {"inference.py": CODE})
    (code / "localreg.yaml").write_bytes(b"models: \xff")
    registry.create_model("a").create_version("1", code=code)
    with pytest.raises(DefinitionError, match="no text in UTF-8"):
        registry.load("a")


def test_numbers_of_inputs_are_plain_numbers(registry: Registry, tmp_path: Path) -> None:
    said = """
    runtime:
      predict:
        entrypoint: inference:predict
        inputs: [{name: datapoints, value: "${datapoints}"}, {name: n, value: [1, 0.5]}]
    """
    code = (
        "def predict(datapoints, n):\n    return [{'label': [type(each).__name__ for each in n]} for _ in datapoints]"
    )
    bare = write(tmp_path / "root", {"inference.py": code, "localreg.yaml": models(entry("a", said))})
    registry.create_model("a").create_version("1", code=bare)
    assert label(registry.load("a", worker="thread")) == ["int", "float"]


def test_pushing_one_entry_without_a_runtime_brings_the_universal_one_along(registry: Registry, tmp_path: Path) -> None:
    text = models(entry("a", "version: '1'", FILES), entry("b", FILES), entry(UNIVERSAL, answering("all")))
    write(tmp_path / "m", {"inference.py": SAYING, "weights.txt": "cat", "models.yaml": text})
    done = registry.push(tmp_path / "m" / "models.yaml", only=["a"])
    assert [each.name for each in done] == ["a", UNIVERSAL]
    with pytest.raises(DefinitionError, match=r"has no entry 'aa'; did you mean 'a'"):
        registry.push(tmp_path / "m" / "models.yaml", only=["a", "aa"])
    assert label(registry.load("a")) == "cat: all a 1"


# --- a handle ---------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("ending", ["close", "exit"])
def test_a_fork_of_a_handle_leaves_the_files_of_its_parent(registry: Registry, tmp_path: Path, ending: str) -> None:
    code = CODE.replace("return file.read().strip()", "return weights")
    registry.push(write_model(tmp_path / "m", code=code))
    with registry.load("m", worker="thread") as loaded:
        weights = Path(loaded.predict([0])[0]["label"])
        pid = os.fork()
        if not pid:
            try:
                loaded.close() if ending == "close" else loaded._remove_folder()  # as at the exit of Python
            finally:
                os._exit(0)
        assert os.waitpid(pid, 0) == (pid, 0)
        assert weights.exists()
    assert not weights.exists()


def test_a_mapping_is_no_list_of_datapoints(registry: Registry, tmp_path: Path) -> None:
    registry.push(write_model(tmp_path / "m"))
    with registry.load("m", worker="thread") as loaded:
        with pytest.raises(InvalidInputError, match="give a list of datapoints"):
            loaded.predict({"text": "x"})
        assert len(loaded.predict([{"text": "x"}])) == 1


def test_what_inputs_take_from_the_environment_is_not_told(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = "https://h/x?token=${API_TOKEN}&p=${PIN}&at=${REGION:-nowhere-else}"
    runtime = RUNTIME.replace('"${model.files.weights.url}"', f'"{place}"')
    code = CODE.replace("return file.read().strip()", "raise").replace("open(weights)", "reach(weights)")
    code += """

from urllib.parse import quote


def reach(url):
    raise OSError(f"cannot reach {url}, {quote(url)} or {[url]}")
"""
    registry.push(write_model(tmp_path / "m", "m", FILES, runtime, code=code))
    token = "a b/'\\c"
    monkeypatch.setenv("API_TOKEN", token)
    monkeypatch.setenv("PIN", "12345")
    monkeypatch.delenv("REGION", raising=False)
    for worker in ("process", "thread"):
        with pytest.raises(InvalidInputError) as raised:
            registry.load("m", worker=worker)
        told = "".join(traceback.format_exception(raised.value))
        assert "cannot reach https://h/x?token=${API_TOKEN}&p=12345&at=nowhere-else, " in raised.value.message
        assert raised.value.message.count("${API_TOKEN}") == 3
        assert not [each for each in (token, repr(token)[1:-1], "a%20b") if each in told]
