"""Data sets: what something was trained on is said once, and holds for every version."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import localreg
from localreg import (
    AlreadyExistsError,
    ConflictError,
    InvalidInputError,
    Model,
    ModelVersion,
    NotFoundError,
    ReadOnlyError,
    Registry,
)
from localreg.canonical import sha256_hex
from localreg.datasets import find_dataset


@pytest.fixture
def model(registry: Registry) -> Model:
    return registry.create_model("m")


@pytest.fixture
def version(model: Model) -> ModelVersion:
    return model.create_version("1")


def told(registry: Registry, since: int) -> list[str]:
    return [f"{row['action']} {row['kind']} {row['name']}" for row in registry.audit(since=since)]


def held(owner: Any) -> dict[str, tuple[str, str]]:
    return {row["name"]: (row["owner"], row["uri"]) for row in owner.datasets()}


# --- what is said -----------------------------------------------------------------------------------------------------


def test_a_place_is_kept_as_it_is_and_not_opened(registry: Registry, model: Model, tmp_path: Path) -> None:
    made = model.add_dataset("s3://gone/plates/2026.parquet", role="train", metadata={"n": 3}, description="by night")
    assert (made.name, made.role, made.uri, made.artifact) == (
        *("2026.parquet", "train"),
        "s3://gone/plates/2026.parquet",
        None,
    )
    assert (made.metadata, made.description, made.sha256) == ({"n": 3}, "by night", None)
    assert model.get_dataset("2026.parquet") == made
    (row,) = registry.datasets("metadata.n = 3")
    assert {key: row[key] for key in ("owner_kind", "owner", "role", "artifact", "uri")} == {
        "owner_kind": "model",
        "owner": "m",
        "role": "train",
        "artifact": None,
        "uri": "s3://gone/plates/2026.parquet",
    }
    assert told(registry, registry.commit - 1) == ["create dataset 2026.parquet"]


@pytest.mark.parametrize(
    ("source", "name", "uri"),
    [
        ("doi:10.5281/zenodo.1", "zenodo.1", "doi:10.5281/zenodo.1"),
        ("hf:plates", "plates", "hf:plates"),
        ("https://host/data/", "data", "https://host/data/"),
        ("data/night", "night", os.path.abspath("data/night")),
        (Path("data") / "a:b", "b", os.path.abspath("data/a:b")),
    ],
)
def test_a_data_set_is_called_as_the_last_part_of_its_place(model: Model, source: Any, name: str, uri: str) -> None:
    made = model.add_dataset(source, role="eval")
    assert (made.name, made.uri) == (name, uri)


def test_an_artifact_of_anybody_is_a_data_set_with_the_bytes_that_it_held_then(
    registry: Registry, model: Model, version: ModelVersion
) -> None:
    with registry.experiment("e") as experiment:
        rows = experiment.upload(b"rows", name="plates.csv")
    made = version.add_dataset(rows, role="train")
    assert (made.name, made.artifact, made.uri, made.sha256) == ("plates.csv", rows, None, sha256_hex(b"rows"))
    experiment.upload(b"other rows", name="plates.csv", replace=True)
    assert made.artifact is not None
    assert (made.sha256, made.artifact.sha256) == (sha256_hex(b"rows"), sha256_hex(b"other rows"))
    tracked = model.add_dataset(model.track("s3://bucket/x"), role="eval")
    assert (tracked.uri, registry.datasets("name = 'x'")[0]["uri"]) == ("s3://bucket/x", "s3://bucket/x")
    assert [row["name"] for row in registry.datasets(search="plates.CSV")] == ["plates.csv"]
    past = registry.at(commit=registry.commit).get_model("m").get_artifact("x")
    assert model.add_dataset(past, role="eval", name="by a look into the past").artifact == past


def test_a_version_has_those_of_its_model_unless_its_own_is_called_so(model: Model, version: ModelVersion) -> None:
    model.add_dataset("s3://of-model/plates", role="train")
    model.add_dataset("s3://of-model/night", role="eval")
    version.add_dataset("s3://own/plates", role="train")
    later = model.create_version("2")
    assert held(model) == {"plates": ("m", "s3://of-model/plates"), "night": ("m", "s3://of-model/night")}
    assert held(version) == {"plates": ("m@1", "s3://own/plates"), "night": ("m", "s3://of-model/night")}
    assert held(later) == held(model)
    assert [version.get_dataset(name).uri for name in ("plates", "night")] == ["s3://own/plates", "s3://of-model/night"]
    with pytest.raises(NotFoundError, match="model 'm' has no data set 'plate'; did you mean 'plates'"):
        model.get_dataset("plate")
    state = version._session.state()
    assert find_dataset(state, version._row(state), "night").id == model.get_dataset("night").id
    version.get_dataset("plates").delete()
    assert held(version) == held(model)
    assert model.create_version("3").datasets().columns == model.datasets().columns


def test_differences_tell_the_data(registry: Registry, model: Model, version: ModelVersion) -> None:
    model.add_dataset("s3://a/plates", role="train")
    before = registry.at(commit=registry.commit).get_model("m")
    later = model.create_version("2")
    later.add_dataset("s3://b/plates", role="train")
    found = version.differences(later)
    assert [(each.path, each.before, each.after) for each in found] == [
        ("datasets.plates.uri", "s3://a/plates", "s3://b/plates")
    ]
    model.get_dataset("plates").update(role="eval")
    assert [(each.path, each.after) for each in before.differences(model)] == [("datasets.plates.role", "eval")]
    one, other = (registry.experiment(name, code=False).finish() for name in ("one", "other"))
    one.add_dataset("s3://a/plates", role="train")
    assert [each.path for each in one.differences(other)] == ["datasets.plates"]


def test_a_data_set_is_changed_and_replaced_and_the_past_keeps_it(registry: Registry, model: Model) -> None:
    made = model.add_dataset("s3://a/plates", role="train", metadata={"n": 1})
    commit = registry.commit
    with pytest.raises(AlreadyExistsError, match=r"model 'm' has a data set 'plates' already; .* pass replace=True"):
        model.add_dataset("s3://b/plates", role="train")
    assert made.update(metadata={"m": 2}, unset=["n"], role="eval", description="x") is made
    assert (made.metadata, made.role, made.description) == ({"m": 2}, "eval", "x")
    artifact = model.upload(b"rows", name="rows")
    assert model.add_dataset(artifact, role="train", name="plates", replace=True) == made
    assert (made.uri, made.artifact, made.metadata, made.description) == (None, artifact, {}, None)
    model.add_dataset(artifact, role="train", name="plates", replace=True)
    assert told(registry, commit) == ["update dataset plates", "upload artifact rows", "update dataset plates"]
    assert made.history()[-1]["changes"].startswith("artifact null → rows, "), "it is told by its name"
    past = registry.at(commit=commit).get_model("m").get_dataset("plates")
    assert (past.uri, past.metadata) == ("s3://a/plates", {"n": 1})
    assert [row["kind"] for row in model.history()].count("dataset") == 3


@pytest.mark.parametrize("role", ["test", "Train", "", None, 5, [], ["train"]])
def test_a_role_is_one_of_two(model: Model, role: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"^role is .*; write 'train' or 'eval'$"):
        model.add_dataset("s3://a/b", role=role)
    made = model.add_dataset("s3://a/b", role="eval")
    with pytest.raises(InvalidInputError, match=r"^role is "):
        made.update(role=role)
    assert made.role == "eval"


def test_what_is_no_data_set_is_refused_and_nothing_is_written(
    registry: Registry, model: Model, tmp_path: Path
) -> None:
    elsewhere = localreg.open(tmp_path / "other").create_model("m").upload(b"x", name="x")
    beside = registry.namespace("beside").create_model("m").upload(b"x", name="x")
    gone = model.upload(b"x", name="gone")
    gone.delete()
    commit = registry.commit
    for foreign in (elsewhere, beside):
        with pytest.raises(InvalidInputError, match="is of another registry or namespace; upload it here, or give"):
            model.add_dataset(foreign, role="train")
    with pytest.raises(NotFoundError, match="it was deleted"):
        model.add_dataset(gone, role="train")
    for wrong in (5, None, b"x", ["s3://a"]):
        with pytest.raises(
            InvalidInputError, match="is no data set; give an artifact of this registry, a URI or a loc"
        ):
            model.add_dataset(wrong, role="train")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="artifact_or_uri is blank"):
        model.add_dataset(" ", role="train")
    with pytest.raises(InvalidInputError, match="name of the data set"):
        model.add_dataset("s3://a/b", role="train", name="")
    with pytest.raises(ReadOnlyError):
        localreg.open(registry.uri, read_only=True).get_model("m").add_dataset("s3://a/b", role="train")
    assert (registry.commit, len(registry.datasets())) == (commit, 0)


# --- what goes --------------------------------------------------------------------------------------------------------


def test_an_artifact_that_a_data_set_stands_on_stays_unless_forced(registry: Registry, version: ModelVersion) -> None:
    artifact = version.upload(b"rows", name="rows")
    version.add_dataset(artifact, role="train")
    with pytest.raises(
        ConflictError, match="artifact 'rows' cannot be deleted: data set 'rows' of version 'm@1' depends on it"
    ):
        artifact.delete()
    commit = registry.commit
    artifact.delete(force=True)
    assert told(registry, commit) == ["delete dataset rows", "delete artifact rows"]
    registry.undo(registry.commit)
    restored = version.get_dataset("rows")
    assert restored.artifact == artifact
    restored.delete()
    artifact.delete()


def test_data_sets_go_with_what_they_belong_to_before_the_artifacts(registry: Registry, model: Model) -> None:
    model.add_dataset(model.upload(b"rows", name="rows"), role="train")
    commit = registry.commit
    model.delete()
    assert told(registry, commit) == ["delete dataset rows", "delete artifact rows", "delete model m"]
    registry.undo(registry.commit)
    assert registry.get_model("m").get_dataset("rows").role == "train"


def test_what_holds_the_data_of_others_is_not_deleted_without_force(registry: Registry, version: ModelVersion) -> None:
    with registry.experiment("e") as experiment:
        rows = experiment.upload(b"rows", name="rows")
        weights = experiment.checkpoint(b"w", step=1)
    version.add_dataset(rows, role="train")
    version.add_dataset(weights.content, role="train", name="weights")
    with pytest.raises(ConflictError, match="checkpoint 'e@step 1', data set 'rows' of version 'm@1' depend on it"):
        experiment.delete()
    with pytest.raises(ConflictError, match="data set 'weights' of version 'm@1' depends on it"):
        weights.delete()
    commit = registry.commit
    experiment.delete(force=True)
    assert told(registry, commit) == [
        *("delete dataset weights", "delete artifact checkpoint", "delete checkpoint step 1"),
        *("delete dataset rows", "delete artifact rows", "delete experiment e"),
    ]
    assert len(registry.datasets()) == 0


def test_a_model_whose_data_lie_with_its_version_is_deleted_by_force(registry: Registry, version: ModelVersion) -> None:
    rows = version.upload(b"rows", name="rows")
    version.model.add_dataset(rows, role="train")
    with pytest.raises(ConflictError, match="data set 'rows' of model 'm' depends on it"):
        version.delete()
    version.model.delete(force=True)
    assert (len(registry.datasets()), len(registry.artifacts()), len(registry.models())) == (0, 0, 0)
    assert registry.verify().ok


def test_data_sets_are_listed_across_namespaces(registry: Registry, model: Model) -> None:
    model.add_dataset("s3://a/b", role="train")
    registry.namespace("beside").create_model("m").add_dataset("s3://a/c", role="eval")
    assert [(row["namespace"], row["name"]) for row in registry.all().datasets(order_by="name")] == [
        ("default", "b"),
        ("beside", "c"),
    ]
    assert registry.facets("datasets", "role").dicts() == [{"value": "train", "count": 1}]
