"""Questions to all namespaces of a registry at once."""

from __future__ import annotations

import gc
import os
import weakref
from pathlib import Path

import pytest

import localreg
from localreg import Registry
from localreg.errors import InvalidInputError, StorageError
from localreg.log import log as log_module
from localreg.storage import LocalStore
from tests.users import open_folder, without_privileges


@pytest.fixture
def three(registry: Registry) -> Registry:
    """Models of the same names in `default`, `ai/text` and `vision`."""
    for name, seed in (("default", 1), ("vision", 2), ("ai/text", 3)):
        namespace = registry.namespace(name)
        model = namespace.create_model("meadow", metadata={"seed": seed}, tags={"t"})
        model.create_version(f"v{seed}")
        model.set_alias("production", f"v{seed}")
    return registry


def test_namespaces_are_those_that_hold_a_commit(three: Registry) -> None:
    three.namespace("empty").models().dicts()
    Path(three.uri, "namespaces", "died", "log").mkdir(parents=True)
    assert three.namespaces() == three.all().namespaces() == ["ai/text", "default", "vision"]


def test_rows_come_from_all_namespaces_and_refer_within_their_own(three: Registry) -> None:
    rows = three.all().models().dicts()
    assert [(row["namespace"], row["latest_version"], row["aliases"]) for row in rows] == [
        ("ai/text", "v3", ["production"]),
        ("default", "v1", ["production"]),
        ("vision", "v2", ["production"]),
    ]
    assert [row["metadata"] for row in three.all().model_versions().dicts()] == [{"seed": 3}, {"seed": 1}, {"seed": 2}]


def test_conditions_searches_limits_and_facets_are_over_all_of_them(three: Registry) -> None:
    view = three.all()
    found = view.models("metadata.seed > 1", order_by="metadata.seed DESC", limit=1).dicts()
    assert [row["namespace"] for row in found] == ["ai/text"]
    assert len(view.models(search="meadow")) == 3
    assert view.facets("models", by="metadata.seed").dicts() == [{"value": n, "count": 1} for n in (1, 2, 3)]
    assert view.sql("SELECT count(*) AS n FROM models JOIN model_versions v ON v.model = models.name").dicts() == [
        {"n": 9}
    ], "names mean nothing across namespaces: that is for the query to say"
    assert {row["namespace"] for row in view.audit(kind="alias").dicts()} == {"default", "vision", "ai/text"}
    assert view.sql("SELECT count(*) AS n FROM inferences").dicts() == [{"n": 0}]


def test_what_is_committed_in_any_namespace_shows_at_once(three: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "SNAPSHOT_EVERY", 2)
    view = three.all()
    for number in range(5):
        three.namespace("vision").create_model(f"new {number}")
        assert len(view.models()) == 4 + number
    three.namespace("fresh").create_model("first")
    assert len(view.models()) == 9


def test_a_registry_without_a_commit_has_no_rows(registry: Registry) -> None:
    assert registry.namespaces() == []
    assert registry.all().models().dicts() == []


def test_the_past_can_be_asked_by_time_and_not_by_commit(three: Registry) -> None:
    time = three.namespace("vision").sql("SELECT max(time) AS t FROM audit_events").dicts()[0]["t"]
    three.create_model("later")
    assert len(three.at(time=time).all().models()) >= 2
    with pytest.raises(InvalidInputError, match="means nothing in 'ai/text'"):
        three.at(commit=1).all().models()


def test_a_frozen_registry_says_why_it_cannot_answer_for_the_others(three: Registry) -> None:
    with three.frozen() as frozen, pytest.raises(InvalidInputError, match=r"'default' as of commit 3.*at\(time=…\)"):
        frozen.all().models()


def test_a_transaction_sees_its_own_changes_among_all_namespaces(three: Registry) -> None:
    with three.transaction():
        three.create_model("inside")
        assert [row["namespace"] for row in three.all().models("name = 'inside'").dicts()] == ["default"]
        assert len(three.namespace("vision").all().models()) == 4
    other = three.namespace("vision")
    with other.transaction():
        other.create_model("inside, too")
        assert len(three.all().models()) == 5


def test_a_namespace_that_has_commits_is_not_asked_for_its_first_again(
    three: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = three.all()
    view.models().dicts()
    asked: list[str] = []
    size = LocalStore.size

    def telling(store: LocalStore, path: str) -> int | None:
        asked.append(path)
        return size(store, path)

    monkeypatch.setattr(LocalStore, "size", telling)
    assert len(view.models()) == 3
    assert not [path for path in asked if path.startswith("namespaces/")]


def test_closing_lets_go_of_the_other_namespaces_too(three: Registry) -> None:
    three.all().models().dicts()
    others = [weakref.ref(each) for each in three._session.siblings._others.values()]
    assert len(others) == 2
    three.close()
    gc.collect()
    assert [ref() for ref in others] == [None, None]
    assert len(three.all().models()) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="takes another user's identity")
def test_namespaces_that_may_not_be_read_are_left_out() -> None:
    with open_folder() as place:
        registry = localreg.open(place / "registry")
        for name in ("open", "secret"):
            registry.namespace(name).create_model(name)
        secret = place / "registry/namespaces/secret/log"

        def look() -> None:
            names = [row["name"] for row in localreg.open(place / "registry").all().models().dicts()]
            assert names == ["open"]
            with pytest.raises(StorageError) as caught:
                localreg.open(place / "registry", namespace="secret").models().dicts()
            assert caught.value.code == "forbidden"

        secret.chmod(0o700 if os.geteuid() == 0 else 0)
        without_privileges(look)
        secret.chmod(0o700)
