"""Definitions in YAML: what they say, and that all that is wrong is told at once, each with its line."""

from __future__ import annotations

import textwrap
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localreg.definitions.document import read_document
from localreg.definitions.parsing import Parsed, parse
from localreg.definitions.schema import UNIVERSAL
from localreg.definitions.templates import Environment, Runtime, parsed
from localreg.errors import DefinitionError

WHOLE = """
# ${NOBODY_LOOKS_AT_COMMENTS} and ${not even this
project: {name: "${NEITHER_AT_THIS}"}
datasets: []
models:
  - name: plate-reader-m6
    description: trained on the March set
    version: "6"
    repository:
      url: https://host/team/plates
      branch: main
      access_token: ${GIT_KEY}
    files:
      - name: params
        url: results/plates_m6.npz
        upload: true
        credentials: ${BUCKET_KEY}
    runtime:
      image: python:3.11-slim
      device: gpu
      batch: {max_size: 16}
      load:
        entrypoint: inference:get_model
        inputs:
          - {name: params_url, value: "${model.files.params.url}"}
        output: {name: model}
      predict:
        entrypoint: inference:predict
        inputs:
          - {name: model, value: "${model.runtime.load.output.model}"}
          - {name: datapoints, value: "${datapoints}"}
        output:
          name: predictions
          keys: [boxes, classes, scores]
"""


def read(text: str, environment: dict[str, str] | None = None, **given: Any) -> Parsed:
    return parse(textwrap.dedent(text), "models.yaml", environment or {}, **given)


def one(text: str, environment: dict[str, str] | None = None) -> Any:
    """The one definition of a text."""
    found = read(text, environment)
    found.faults.refuse()
    (entry,) = found.entries
    return entry.definition


def faults(text: str, environment: dict[str, str] | None = None, **given: Any) -> list[str]:
    """What is wrong with a text, in order."""
    try:
        read(text, environment, **given).faults.refuse()
    except DefinitionError as error:
        return list(error.faults)
    return []


def test_the_whole_of_a_definition_is_read_and_secrets_stay_variables() -> None:
    found = read(WHOLE, {"GIT_KEY": "hunter2", "BUCKET_KEY": "hunter3"})
    found.faults.refuse()
    assert found.notes == ["section 'project' is ignored", "section 'datasets' is ignored"]
    (entry,) = found.entries
    made = entry.definition
    assert (made.name, made.version, made.description) == ("plate-reader-m6", "6", "trained on the March set")
    assert made.repository is not None
    assert made.repository.access_token == "${GIT_KEY}"
    assert made.files[0].credentials == "${BUCKET_KEY}"
    assert made.runtime is not None
    assert made.runtime.batch is not None
    assert (made.runtime.device, made.runtime.batch.max_size) == ("gpu", 16)
    assert [each.name for each in made.runtime.predict.inputs] == ["model", "datapoints"]
    assert made.runtime.predict.output.keys == ["boxes", "classes", "scores"]
    assert "hunter" not in repr(found)
    assert "GIT_KEY" not in repr(made)
    assert entry.lines["runtime", "predict", "entrypoint"] == 28


# --- variables --------------------------------------------------------------------------------------------------------


def test_variables_are_resolved_in_texts_and_nowhere_else() -> None:
    made = one(
        """
        models:
          - name: reader-${SITE}
            description: "${SITE}: 'a' # ${SITE}"
            metadata: {site: "${SITE}", empty: "${UNSET:-}", default: "${UNSET:-a b}", plain: "$${SITE} $SITE $"}
        """,
        {"SITE": "x: [1, 2]"},
    )
    assert made.name == "reader-x: [1, 2]"
    assert made.description == "x: [1, 2]: 'a' # x: [1, 2]"
    assert made.metadata == {"site": "x: [1, 2]", "empty": "", "default": "a b", "plain": "${SITE} $SITE $"}


def test_name_and_version_are_known_where_they_are_said() -> None:
    made = one("models: [{name: m, version: 2.10, files: [{name: w, url: 'w/${model.name}-${model.version}.npz'}]}]")
    assert made.files[0].url == "w/m-2.10.npz"
    assert faults("models: [{name: m, files: [{name: w, url: '${model.version}.npz'}]}]") == [
        "models[0].files[0].url, line 1: refers to ${model.version}; model.name, and model.version where it is given, "
        "can be used here, and everything in values of inputs"
    ]


def test_all_variables_that_are_not_set_are_named_at_once() -> None:
    text = """
        # ${IN_A_COMMENT}
        models:
          - name: a
            description: ${ONE} and ${TWO}
            repository: {url: "https://${THREE}/x", access_token: "${GIT_KEY}"}
        """
    found = faults(text)
    assert [fault.partition(" refers to the environment variable ")[2].partition(",")[0] for fault in found] == [
        "ONE",
        "TWO",
        "THREE",
    ]
    assert found[0].startswith("models[0].description, line 5: ")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("plain $ $x }", ("plain $ $x }",)),
        ("${A}", (Environment("A", None),)),
        ("a${A:-b:-c}d", ("a", Environment("A", "b:-c"), "d")),
        ("$${A}", ("${A}",)),
        ("$$${A}", ("$${A}",)),
        ("${datapoints}", (Runtime("datapoints"),)),
        ("${model.files.a-b.c.url}", (Runtime("model.files.a-b.c.url"),)),
    ],
)
def test_a_text_is_taken_apart(text: str, parts: tuple[object, ...]) -> None:
    assert parsed(text).parts == parts


@pytest.mark.parametrize("text", ["${", "${A", "${}", "${a b}", "${A:b}", "${1A}", "${A:-${B}}"])
def test_what_is_no_variable_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no variable|is not closed"):
        parsed(text)


@given(st.text())
def test_any_text_can_be_written_with_its_braces_escaped(text: str) -> None:
    template = parsed(text.replace("${", "$${"))
    assert "".join(map(str, template.parts)) == text


def test_names_that_secrets_would_give_are_not_told() -> None:
    text = "models: [{name: '${GIT_KEY}'}, {name: '${GIT_KEY}'}]"
    assert SECRET not in "".join(faults(text, {"GIT_KEY": SECRET}))
    assert SECRET not in str(read(text, {"GIT_KEY": SECRET}).names)


def test_an_empty_variable_is_not_one_that_is_missing() -> None:
    assert one("models: [{name: m, description: '${A}'}]", {"A": ""}).description == ""
    assert one("models: [{name: m, description: '${A:-x}'}]", {"A": ""}).description == "x"


# --- what inputs refer to ---------------------------------------------------------------------------------------------


def of_inputs(load: str, predict: str, more: str = "") -> list[str]:
    """What is wrong with the inputs of two calls."""
    text = f"""
        models:
          - name: m
            files: [{{name: params, url: p.npz}}]
            runtime:
              {more}
              load: {{entrypoint: "a:b", inputs: [{load}], output: {{name: model}}}}
              predict: {{entrypoint: "a:c", inputs: [{predict}], output: {{name: out}}}}
        """
    return [each.partition(", line ")[0] + each.partition(":")[2] for each in faults(text)]


def given_input(name: str, value: str) -> str:
    return f'{{name: {name}, value: "{value}"}}'


@pytest.mark.parametrize(
    "value",
    [
        "${model.name}@${model.version}",
        "${model.files.params.url}.txt",
        "${model.runtime.load.inputs.x}",
        "$${not.a.variable}",
        "${HOME}/x",
    ],
)
def test_what_is_known_when_load_is_called(value: str) -> None:
    assert of_inputs(f"{given_input('x', 'a')}, {given_input('y', value)}", "") == []


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("${datapoints}", "which is not known yet when load is called"),
        ("${model.runtime.load.output.model}", "which is not known yet when load is called"),
        ("${model.runtime.predict.inputs.z}", "which is not known yet when load is called"),
        ("${model.runtime.predict.output.out}", "which is not known before predict has returned"),
        ("${model.runtime.device}", "and the runtime names no device"),
        ("${model.files.parms.url}", "and there is no file 'parms'; did you mean 'params'?"),
        ("${model.nam}", "which is no variable; did you mean 'model.name'"),
        ("${model.files.params}", "which is no variable"),
        ("${y}${", "is not closed by }"),
        ("${model.runtime.load.inputs.y}", "refers to itself"),
    ],
)
def test_what_is_not_known_when_load_is_called(value: str, reason: str) -> None:
    found = of_inputs(given_input("y", value), given_input("z", "1"))
    assert any(each.startswith("models[0].runtime.load.inputs[0].value") and reason in each for each in found)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("${model.runtime.predict.output.out}", "which is not known before predict has returned"),
        ("x ${datapoints}", "puts ${datapoints} into a text, and it is an object"),
        ("${model.runtime.load.output.model}!", "into a text, and it is an object"),
        ("${model.runtime.load.output.modle}", "did you mean 'model.runtime.load.output.model'"),
    ],
)
def test_what_is_not_known_when_predict_is_called(value: str, reason: str) -> None:
    (found,) = of_inputs("", given_input("y", value))
    assert reason in found


def test_inputs_that_refer_to_each_other_in_circles_are_refused() -> None:
    around = ", ".join(
        given_input(name, f"${{model.runtime.predict.inputs.{other}}}") for name, other in ("ab", "bc", "ca")
    )
    found = of_inputs("", around)
    assert len(found) == 3
    assert all("refers to itself" in each for each in found)


def test_variables_within_lists_and_mappings_of_inputs_are_checked_with_their_place() -> None:
    value = '{name: y, value: {a: [1, "${model.nmae}"]}}'
    (found,) = of_inputs("", value)
    assert found.startswith("models[0].runtime.predict.inputs[0].value.a[1]")


def test_the_device_is_known_if_the_runtime_names_one() -> None:
    assert of_inputs(given_input("d", "${model.runtime.device}"), "", "device: gpu") == []


# --- secrets ----------------------------------------------------------------------------------------------------------

SECRET = "hunter2-never-told"


@pytest.mark.parametrize(
    "part",
    [
        f"repository: {{url: 'https://h/x', access_token: {SECRET}}}",
        f"repository: {{url: 'https://h/x', access_token: '${{GIT_KEY:-{SECRET}}}'}}",
        f"repository: {{url: 'https://h/x', access_token: '{SECRET}${{GIT_KEY}}'}}",
        f"repository: {{url: 'https://h/x', access_token: '${{{SECRET}'}}",
        f"repository: {{url: 'https://h/x', access_token: [{SECRET}]}}",
        f"repository: {{url: 'https://ana:{SECRET}@h/x'}}",
        f"repository: {{url: 'https://{SECRET}@h/x'}}",
        f"files: [{{name: w, url: 's3://b/w', credentials: {SECRET}}}]",
        f"files: [{{name: w, url: 's3://b/w', credentials: {{key: '${{K}}', secret: {SECRET}}}}}]",
        f"files: [{{name: w, url: 'https://h/w?X-Amz-Signature={SECRET}'}}]",
        f"files: [{{name: w, url: 'https://h/w?sig={SECRET}&sv=1'}}]",
        f"runtime: {{predict: {{entrypoint: 'a:b', inputs: [{{name: api_key, value: {SECRET}}}]}}}}",
        f"runtime: {{predict: {{entrypoint: 'a:b', inputs: [{{name: k, value: '${{API_KEY:-{SECRET}}}'}}]}}}}",
    ],
)
def test_a_secret_that_is_written_out_is_refused_and_not_repeated(part: str) -> None:
    text = f"models: [{{name: m, {part}}}]"
    found = faults(text)
    assert found
    assert SECRET not in "".join(found)
    with pytest.raises(DefinitionError) as raised:
        read(text).faults.refuse()
    assert SECRET not in str(raised.value)
    assert SECRET not in repr(raised.value)


@pytest.mark.parametrize("name", ["GIT_TOKEN", "BUCKET_KEY", "db_password", "SECRET", "AWS_SECRET_ACCESS_KEY"])
def test_a_variable_named_as_a_secret_is_not_resolved_into_what_is_stored(name: str) -> None:
    (found,) = faults(f"models: [{{name: m, description: 'x ${{{name}}}'}}]", {name: SECRET})
    assert f"would store what ${{{name}}} holds" in found
    assert SECRET not in found
    assert faults("models: [{name: m, description: '${KEYBOARD} ${PWD}'}]", {"KEYBOARD": "a", "PWD": "b"}) == []


# --- keys and values --------------------------------------------------------------------------------------------------


def test_all_that_is_wrong_is_told_at_once_with_path_and_line() -> None:
    text = """
        models:
          - nam: x
            files:
              - {name: a b, ulr: 3}
            runtime:
              batch: {max_size: 0}
              load: {entrypoint: x, inputs: [{name: a, value: "${model.nmae}"}]}
              predict: {entrypoint: "a:b", output: {keys: []}}
            repository: {url: yes, branch: a, hash: b}
          - name: y
            version: [1]
        """
    found = [each.partition(": ")[0] for each in faults(text)]
    assert found == [
        "models[0].name, line 3",
        "models[0].nam, line 3",
        "models[0].files[0].name, line 5",
        "models[0].files[0].url, line 5",
        "models[0].files[0].ulr, line 5",
        "models[0].runtime.batch.max_size, line 7",
        "models[0].runtime.load.entrypoint, line 8",
        "models[0].runtime.predict.output.keys, line 9",
        "models[0].repository.url, line 10",
        "models[1].version, line 12",
    ]


def test_faults_of_one_part_do_not_hide_those_of_another() -> None:
    found = "\n".join(
        faults(
            """
            models:
              - name: m
                nme: x
                description: ${UNSET}
                repository: {url: "https://a:b@h/x"}
                runtime: {predict: {entrypoint: "a:b", inputs: [{name: a, value: "${model.nmae}"}]}}
            """
        )
    )
    assert "did you mean 'name'" in found
    assert "environment variable UNSET" in found
    assert "holds a secret" in found
    assert "model.nmae" in found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- 1", "it must have a list named models"),
        ("", "it must have a list named models"),
        ("model: []", "has no list named models; is it 'model'?"),
        ("models: {}", "must be a list of one model or more"),
        ("models: []", "must be a list of one model or more"),
        ("models:\n- a", "models[0], line 2: is a text; it must be a mapping"),
        ("models: [{name: m, files: {a: b}}]", "it must be a list"),
        ("models: [{name: m, tags: a}]", "tags"),
        ("models: [{name: m, version: ' '}]", "version"),
        ("models: [{name: m, runtime: {}}]", "models[0].runtime.predict, line 1: is missing"),
        ("models: [{name: m, files: [{name: a, url: b}, {name: a, url: c}]}]", "is 'a', as another one"),
        ("models: [{name: m, runtime: {predict: {entrypoint: 'a/b.py:c'}}}]", "without .py and slashes"),
        ("models: [{name: m, runtime: {predict: {entrypoint: 'a.py:c d'}}}]", "is no name in Python"),
        ("models:\n- name: m\n- name: m", "line 3: is 'm', which models[0].name, line 2 is already"),
        ("models: [{name: '${model.name}'}]", "runtime, line 1: is missing"),
        ("models: [{name: '${model.name}', version: 1, runtime: {predict: {entrypoint: 'a:b'}}}]", "leave it out"),
        ("models: [a: b", "is no YAML"),
        ("models: [{name: m, metadata: {a: .nan}}]", "models[0].metadata, line 1: value.a is NaN"),
        ("models: [{name: m, runtime: {predict: {entrypoint: 'a:b', output: {keys: [a, a]}}}}]", "keys are unique"),
        (
            "models: [{name: m, runtime: {predict: "
            "{entrypoint: 'a:b', output: {keys: [label], mapping: {x: lable}}}}}]",
            "takes 'lable', which is none of the keys; did you mean 'label'",
        ),
        ("a: 1\na: 2", "a, line 1: stands twice, again in line 2"),
        ("models: [{name: m, name: n}]", "stands twice"),
        ("x: !!python/object:os.system a\nmodels: []", "has the tag"),
        ("a: &a [*a]", "holds itself"),
        ("? [1]\n: 2", "has a key in line 1 that is no text"),
        ("a: b\n--- \nc: d", "is no YAML"),
        ("models: [{name: m, metadata: {a: 99999999999999999999999}}]", ""),
    ],
)
def test_what_is_wrong_with_a_file(text: str, reason: str) -> None:
    found = faults(text)
    if reason:
        assert any(reason in each for each in found), found


def test_numbers_are_taken_as_they_are_written_where_text_is_wanted() -> None:
    for written in ("1.10", "0x10", "1_000", "2026-03-01", "1e3", "6"):
        assert one(f"models: [{{name: m, version: {written}}}]").version == written
    assert "put it in quotes" in faults("models: [{name: m, runtime: {image: yes}}]")[0]
    assert one("models: [{name: m, metadata: {a: 0x10, b: 1_000, c: .5, d: yes, e: ~, f: 2026-03-01}}]").metadata == {
        "a": 16,
        "b": 1000,
        "c": 0.5,
        "d": True,
        "e": None,
        "f": "2026-03-01",
    }


def test_anchors_and_merge_keys_work_and_a_bomb_of_aliases_does_not() -> None:
    made = read(
        """
        models:
          - &first {name: a, description: x, tags: [t]}
          - {<<: *first, name: b}
        """
    )
    made.faults.refuse()
    assert [(each.definition.name, each.definition.description) for each in made.entries] == [("a", "x"), ("b", "x")]
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]\n" for n in range(9))
    with pytest.raises(DefinitionError, match="aliases"):
        read_document(bomb, "bomb.yaml")


def test_deep_nesting_is_an_error_of_ours() -> None:
    with pytest.raises(DefinitionError):
        read_document("[" * 100_000, "deep.yaml")


def test_only_named_entries_are_looked_at() -> None:
    text = """
        models:
          - {name: a}
          - {name: b, description: "${UNSET}", nonsense: 1}
        """
    found = read(text, only={"a"})
    found.faults.refuse()
    assert [each.definition.name for each in found.entries] == ["a"]
    assert found.names == ["a", "b"]


def test_the_universal_entry_keeps_its_name() -> None:
    made = one("models: [{name: '${model.name}', runtime: {predict: {entrypoint: 'a:b'}}}]")
    assert made.name == UNIVERSAL
    assert made.is_universal


@given(st.text())
def test_any_text_is_read_or_refused_in_our_words(text: str) -> None:
    with suppress(DefinitionError):
        parse(text, "x.yaml", {})
