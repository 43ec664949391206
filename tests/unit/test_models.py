from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import localreg
from localreg import AlreadyExistsError, ConflictError, InvalidInputError, NotFoundError, ReadOnlyError, Registry


def acts(registry: Registry) -> list[tuple[str, str, str]]:
    """Who did what to which models, versions and aliases."""
    return [
        (row["action"], row["kind"], row["name"])
        for row in registry.audit()
        if row["kind"] not in ("registry", "namespace")
    ]


# --- making and finding -----------------------------------------------------------------------------------------------


def test_a_model_comes_back_as_it_was_made(registry: Registry, other: Registry) -> None:
    metadata = {"framework": "pytorch", "optim": {"lr": 0.01, "betas": [0.9, 0.999]}, "none": None, "big": 2**80}
    made = registry.create_model(
        "  m  ", metadata=metadata, tags=["b", "a", "b"], owner="ana", description="two\nlines", task="detection"
    )
    for found in (made, registry.get_model("m"), other.get_model(" m "), other.find_model("m")):
        assert found is not None
        assert found == made
        assert (found.name, found.metadata, found.tags) == ("m", metadata, ["a", "b"])
        assert (found.owner, found.description, found.task) == ("ana", "two\nlines", "detection")
        assert found.created_by == "ana"
        assert found.created_at == found.updated_at
        assert found.created_at.utcoffset() is not None
    assert repr(made) == "<Model 'm'>"


def test_a_taken_name_is_refused_and_exist_ok_gives_what_is_there(registry: Registry) -> None:
    made = registry.create_model("m", metadata={"a": 1}, tags=["x"], owner="ana")
    commit = registry.commit
    with pytest.raises(AlreadyExistsError, match="'m' exists already"):
        registry.create_model("m ")
    assert registry.create_model("m", exist_ok=True) == made
    assert registry.create_model("m", metadata={"a": 1}, tags=["x"], owner="ana", exist_ok=True) == made
    assert registry.commit == commit


def test_what_differs_under_exist_ok_is_told_at_the_callers_line_and_left(registry: Registry) -> None:
    registry.create_model("m", metadata={"a": 1})
    with pytest.warns(UserWarning, match="its metadata and owner stay as they are") as told:
        model = registry.create_model("m", metadata={"a": 2}, owner="ben", exist_ok=True)
    assert told[0].filename == __file__
    assert (model.metadata, model.owner) == ({"a": 1}, None)


def test_a_missing_model_is_none_or_an_error_that_suggests(registry: Registry) -> None:
    registry.create_model("yolor")
    assert registry.find_model("yolr") is None
    with pytest.raises(NotFoundError, match=r"no model 'yolr' in namespace 'default'; did you mean 'yolor'\?"):
        registry.get_model("yolr")


NAMES = [
    "../x",
    "/etc/passwd",
    "CON",
    "nul.txt",
    "a/b\\c:d*e?",
    "👩‍👧 model",
    "\u00e9 composed",
    "e\u0301 composed",
    "meadow-5 (YOLOR-D6, 1280x1280)",
    "a@b",
    "%2e%2e",
    "'; DROP TABLE models; --",
    "x" * 512,
    "日" * 512,
]


def test_names_are_kept_exactly_and_become_no_path(registry: Registry, tmp_path: Path) -> None:
    for name in NAMES:
        registry.create_model(name).create_version("1")
    assert [row["name"] for row in registry.models()] == NAMES
    for name in NAMES:
        assert registry.get_model(name).name == name
        assert registry.get_version(f"{name}@1").model.name == name
    paths = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")]
    assert all(path.isascii() and "CON" not in path and "passwd" not in path for path in paths)
    assert {path.split("/")[0] for path in paths} == {"registry"}


@pytest.mark.parametrize("name", ["", "  ", "\u200b", "x" * 513, "a\nb", "a\x00b", "\ud800", 5, None])
def test_names_that_would_break_something_are_refused(registry: Registry, name: Any) -> None:
    with pytest.raises(InvalidInputError, match="model name"):
        registry.create_model(name)
    assert registry.commit == 0


@pytest.mark.parametrize(
    ("metadata", "where"),
    [
        ({"a": {"b": [1, {"c": object()}]}}, r"a\.b\[1\]\.c"),
        ({"a": {"lr": float("nan")}}, r"a\.lr"),
        ({"a": {1: "x"}}, "a"),
        ({"s": {1, 2}}, "s"),
        ([1], "metadata"),
        ("text", "metadata"),
    ],
)
def test_metadata_that_is_no_json_is_refused_with_the_path_of_its_key(
    registry: Registry, metadata: Any, where: str
) -> None:
    model = registry.create_model("m")
    for act in (
        lambda: registry.create_model("n", metadata=metadata),
        lambda: model.update(metadata=metadata),
        lambda: model.create_version("1", metadata=metadata),
    ):
        with pytest.raises(InvalidInputError, match=where):
            act()
    assert registry.commit == 1


def test_metadata_is_a_copy_both_ways(registry: Registry) -> None:
    given: dict[str, Any] = {"optim": {"lr": [1, 2]}}
    model = registry.create_model("m", metadata=given)
    version = model.create_version("1", metadata=given)
    given["optim"]["lr"].append(3)
    for handle in (model, version):
        taken: Any = handle.metadata
        taken["optim"]["lr"].append(4)
        handle.info.metadata["optim"]["lr"].append(5)
        registry.models()[0]["metadata"]["optim"]["lr"].append(6)
        model.tags.append("x")
        assert handle.metadata == {"optim": {"lr": [1, 2]}}
    assert model.tags == []
    new: dict[str, Any] = {"deep": [1]}
    model.update(metadata=new)
    new["deep"].append(2)
    assert model.metadata["deep"] == [1]


# --- changing ---------------------------------------------------------------------------------------------------------


def test_update_merges_by_top_level_key_and_unsets(registry: Registry) -> None:
    model = registry.create_model("m", metadata={"a": {"x": 1, "y": 2}, "b": 1, "c": 1})
    assert model.update(metadata={"a": {"z": 3}, "d": None}, unset=["b", "absent"]) is model
    assert model.metadata == {"a": {"z": 3}, "c": 1, "d": None}
    model.update(metadata={"c": 2}, unset=["c"])
    assert model.metadata["c"] == 2
    with pytest.raises(InvalidInputError, match="pass a list of keys"):
        model.update(unset="ab")


def test_update_leaves_what_is_not_given_and_none_removes(registry: Registry) -> None:
    model = registry.create_model("m", tags=["t"], owner="ana", description="d", task="k", metadata={"a": 1})
    model.update(owner=None)
    assert (model.owner, model.description, model.task, model.tags, model.metadata) == (None, "d", "k", ["t"], {"a": 1})
    model.update(description=None, task="x", tags=["u"])
    assert (model.owner, model.description, model.task, model.tags) == (None, None, "x", ["u"])
    version = model.create_version("1", description="v")
    version.update(metadata={"a": 2})
    assert (version.description, version.update(description=None).description) == ("v", None)
    assert repr(localreg.models.UNCHANGED) == "UNCHANGED"


def test_a_change_that_changes_nothing_makes_no_commit(registry: Registry) -> None:
    model = registry.create_model("m", metadata={"a": {"b": 1}}, tags=["t"], owner="ana")
    version = model.create_version("1", metadata={"x": 1})
    model.set_alias("production", "1")
    commit = registry.commit
    model.update()
    model.update(metadata={"a": {"b": 1}}, unset=["absent"], owner="ana", tags=["t", "t"])
    model.tag("t").tag().untag("absent").untag()
    model.rename("m")
    model.set_alias("production", version)
    version.update(metadata={"x": 1})
    registry.create_model("m", exist_ok=True)
    assert registry.commit == commit


def test_true_in_the_place_of_one_is_a_change(registry: Registry) -> None:
    model = registry.create_model("m", metadata={"a": 1})
    model.update(metadata={"a": True})
    assert model.metadata["a"] is True


def test_each_call_is_one_commit_with_one_event(registry: Registry) -> None:
    model = registry.create_model("m")
    model.update(metadata={"a": 1}, unset=["b"], owner="o", tags=["t"])
    model.tag("x", "y")
    model.untag("x")
    model.create_version("1")
    model.create_version(2, metadata={"a": 1})
    model.set_alias("production", "1")
    model.set_alias("production", "2")
    model.remove_alias("production")
    model.version("2").update(description="d")
    model.version("2").delete()
    model.version(1).delete()
    model.rename("n")
    model.delete()
    expected = [
        ("create", "model", "m"),
        ("update", "model", "m"),
        ("tag", "model", "m"),
        ("untag", "model", "m"),
        ("create", "model_version", "1"),
        ("create", "model_version", "2"),
        ("set_alias", "alias", "production"),
        ("set_alias", "alias", "production"),
        ("remove_alias", "alias", "production"),
        ("update", "model_version", "2"),
        ("delete", "model_version", "2"),
        ("delete", "model_version", "1"),
        ("rename", "model", "n"),
        ("delete", "model", "n"),
    ]
    assert acts(registry) == expected
    assert registry.commit == len(expected)
    assert {row["actor"] for row in registry.audit()} == {"ana"}


def test_tags_are_sorted_unique_and_refused_as_one_text(registry: Registry) -> None:
    model = registry.create_model("m", tags=["b"])
    assert model.tag("c", "a", "b").tags == ["a", "b", "c"]
    assert model.untag("a", "z").tags == ["b", "c"]
    odd = ['"', "\\", ",", "[x]", "null", "'", '{"a":1}', "ü x"]
    assert model.update(tags=odd).tags == sorted(odd)
    assert registry.models()[0]["tags"] == sorted(odd)
    with pytest.raises(InvalidInputError, match="several tags belong"):
        registry.create_model("n", tags="abc")
    with pytest.raises(InvalidInputError, match="tag"):
        model.tag("")


def test_a_history_tells_in_words_what_each_event_changed(registry: Registry) -> None:
    model = registry.create_model("m", metadata={"lr": 0.1}, tags={"old"})
    model.create_version("1")
    model.create_version("2")
    model.set_alias("production", "1")
    model.set_alias("production", "2")
    model.update(metadata={"lr": 0.2}, tags={"detector"})
    model.rename("n")
    model.remove_alias("production")
    history = model.history()
    assert history.columns[-1] == "changes"
    assert [row["changes"] for row in history if row["changes"]] == [
        "+version 1",
        "version 1 → 2",
        "metadata.lr 0.1 → 0.2, tags +detector -old",
        "name m → n",
    ]
    assert [row["action"] for row in history if not row["changes"]] == [*("create", "create", "create", "remove_alias")]
    assert model.version("1").history()[0]["changes"] is None
    registry.redact(model, reason="a secret")
    assert not any("lr" in (row["changes"] or "") for row in model.history())


# --- names that change ------------------------------------------------------------------------------------------------


def test_a_renamed_model_keeps_all_but_its_name(registry: Registry) -> None:
    model = registry.create_model("old", metadata={"a": 1})
    version = model.create_version("1")
    model.set_alias("production", "1")
    assert model.rename("new") is model
    assert model.name == "new"
    assert registry.get_model("new") == model
    assert registry.get_version("new@production") == version
    assert [row["action"] for row in model.history()] == ["create", "create", "set_alias", "rename"]


def test_asking_for_an_old_name_tells_the_new_one_until_it_is_taken(registry: Registry) -> None:
    model = registry.create_model("old")
    model.create_version("1")
    model.rename("newer").rename("newest")
    for ask in (lambda: registry.get_model("old"), lambda: registry.get_version("old@1")):
        with pytest.raises(NotFoundError, match="no model 'old' in 'default': it is now called 'newest'") as told:
            ask()
        assert told.value.code == "renamed"
    taker = registry.create_model("old")
    assert registry.get_model("old") == taker
    with pytest.raises(AlreadyExistsError):
        model.rename("old")
    taker.rename("other")
    assert model.rename("old").name == "old"
    with pytest.raises(NotFoundError, match="now called 'old'"):
        registry.get_model("newest")


def test_a_deleted_model_frees_its_name_and_keeps_its_history(registry: Registry, other: Registry) -> None:
    model = registry.create_model("m", metadata={"a": 1})
    seen = other.get_model("m")
    model.delete()
    assert registry.find_model("m") is None
    looks: list[Callable[[localreg.Model], object]] = [
        lambda handle: handle.name,
        lambda handle: handle.metadata,
        lambda handle: handle.versions(),
        lambda handle: handle.latest_version,
        lambda handle: handle.aliases(),
        lambda handle: handle.update(owner="x"),
        lambda handle: handle.rename("n"),
        lambda handle: handle.create_version("1"),
        lambda handle: handle.set_alias("a", "1"),
        lambda handle: handle.version("1"),
        lambda handle: handle.resolve("a"),
        lambda handle: handle.delete(),
    ]
    for handle, look in itertools.product((model, seen), looks):
        with pytest.raises(NotFoundError, match=model.id):
            look(handle)
    again = registry.create_model("m")
    assert again != model
    assert again.metadata == {}
    assert [row["action"] for row in registry.audit(kind="model", name="m")] == ["create", "delete", "create"]
    assert registry.at(commit=1).get_model("m").metadata == {"a": 1}


def test_deletion_is_refused_with_what_depends_on_it(registry: Registry) -> None:
    model = registry.create_model("m")
    for number in range(7):
        model.create_version(number)
    model.set_alias("production", "3")
    with pytest.raises(ConflictError, match=r"model 'm' cannot be deleted: version 'm@0', .* and 2 more") as told:
        model.delete()
    assert told.value.code == "has_dependants"
    with pytest.raises(ConflictError, match="version 'm@3' cannot be deleted: alias 'm@production' depends"):
        model.version("3").delete()
    model.remove_alias("production")
    model.version("3").delete()
    with pytest.raises(NotFoundError, match="has no version '3'; it has '0', '1', '2', '4', '5' and 1 more"):
        model.version("3")
    assert model.create_version("3") == model.latest_version


# --- versions and aliases ---------------------------------------------------------------------------------------------


def test_versions_are_ordered_by_creation_and_the_bare_name_means_the_newest(registry: Registry) -> None:
    model = registry.create_model("m")
    assert model.versions() == []
    assert model.latest_version is None
    with pytest.raises(NotFoundError, match="'m' has no version yet"):
        registry.get_version("m")
    with pytest.raises(NotFoundError, match="it has no version yet"):
        model.version("1")
    for name in ("10", "9", "2026-03", 1):
        model.create_version(name)
    assert [version.version for version in model.versions()] == ["10", "9", "2026-03", "1"]
    assert registry.get_version("m").version == "1"
    assert registry.get_version(model).version == "1"
    assert model.latest_version == registry.get_version("m@1")
    assert registry.models()[0]["latest_version"] == "1"
    with pytest.raises(AlreadyExistsError, match="has a version '9' already"):
        model.create_version(9)
    for odd in (1.1, True, -1, "", "a\nb"):
        with pytest.raises(InvalidInputError, match="version"):
            model.create_version(odd)  # type: ignore[arg-type]


def test_a_versions_metadata_overlays_the_models(registry: Registry) -> None:
    model = registry.create_model("m", metadata={"a": 1, "b": {"x": 1}})
    version = model.create_version("1", metadata={"b": {"y": 2}, "c'\"": None})
    assert version.metadata == {"a": 1, "b": {"y": 2}, "c'\"": None}
    model.update(metadata={"a": 5})
    assert version.metadata["a"] == 5
    assert registry.sql("SELECT metadata FROM model_versions")[0]["metadata"] == version.metadata
    assert version.model == model
    assert repr(version) == "<ModelVersion 'm' '1'>"


def test_moving_an_alias_is_one_audited_act_with_before_and_after(registry: Registry) -> None:
    model = registry.create_model("m")
    first, second = model.create_version("1"), model.create_version("2")
    model.set_alias("production", "1").set_alias("production", second)
    assert model.resolve("production") == second
    assert model.aliases() == {"production": second}
    assert (first.aliases, second.aliases) == ([], ["production"])
    move = registry.audit(kind="alias")[-1]
    assert (move["action"], move["before"]["version"], move["after"]["version"]) == ("set_alias", first.id, second.id)
    assert registry.audit(since=registry.commit - 1).dicts() == [move]
    model.remove_alias("production")
    with pytest.raises(NotFoundError, match="has no alias 'production'"):
        model.resolve("production")
    with pytest.raises(NotFoundError, match="has no alias 'production'"):
        model.remove_alias("production")


def test_an_alias_points_to_a_version_of_its_own_model_only(registry: Registry) -> None:
    model, stranger = registry.create_model("m"), registry.create_model("n")
    model.create_version("1")
    same_name, other_name = stranger.create_version("1"), stranger.create_version("2")
    with pytest.raises(InvalidInputError, match="is no version of model 'm'"):
        model.set_alias("production", same_name)
    with pytest.raises(NotFoundError, match="has no version '2'"):
        model.set_alias("production", other_name)
    with pytest.raises(InvalidInputError, match="contains '@'"):
        model.set_alias("m@production", "1")
    assert model.aliases() == {}
    model.set_alias("production", "1")
    with pytest.raises(NotFoundError, match="did you mean 'production'"):
        model.resolve("prodution")


def test_references_take_versions_and_aliases_and_an_exact_name_wins(registry: Registry) -> None:
    model = registry.create_model("a")
    one, two = model.create_version("1"), model.create_version("2")
    model.set_alias("production", "1")
    assert registry.get_version("a@2") == two
    assert registry.get_version(" a @ production ") == one
    odd = registry.create_model("a@3").create_version("x@y")
    model.create_version("3")
    assert registry.get_version("a@3") == odd
    assert registry.get_version("a@3@x@y") == odd
    assert registry.get_version(two) == two
    with pytest.raises(NotFoundError, match="model 'a' has neither a version nor an alias 'z'"):
        registry.get_version("a@z")
    with pytest.raises(NotFoundError, match="no model 'b@1'"):
        registry.get_version("b@1")


def test_a_handle_of_another_registry_is_no_reference(registry: Registry, tmp_path: Path) -> None:
    stranger = localreg.open(tmp_path / "elsewhere").create_model("m")
    version = stranger.create_version("1")
    for reference in (stranger, version):
        with pytest.raises(NotFoundError, match="is not in 'default'"):
            registry.get_version(reference)


# --- handles ----------------------------------------------------------------------------------------------------------


def test_handles_are_equal_and_hash_by_identity(registry: Registry, other: Registry, tmp_path: Path) -> None:
    model, stranger = registry.create_model("m"), registry.create_model("n")
    assert {model, other.get_model("m"), registry.get_model("m")} == {model}
    assert model != stranger
    assert model != "m"
    assert model.create_version("1") == other.get_version("m")


def test_two_handles_on_one_folder_see_each_others_commits(registry: Registry, other: Registry) -> None:
    mine = registry.create_model("m")
    theirs = other.get_model("m")
    theirs.update(metadata={"by": "ben"})
    assert mine.metadata == {"by": "ben"}
    mine.rename("n")
    assert theirs.name == "n"
    assert (registry.commit, other.commit) == (3, 3)
    assert [row["actor"] for row in mine.history()] == ["ana", "ben", "ana"]


def test_a_handle_may_be_shared_by_threads(registry: Registry) -> None:
    model = registry.create_model("m")
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(5):
                model.update(metadata={f"{number}.{step}": step})
                assert model.metadata[f"{number}.{step}"] == step
                assert len(registry.models("metadata IS NOT NULL")) == 1
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(model.metadata) == 30
    assert registry.commit == 31
    assert registry.verify().ok


def test_namespaces_are_worlds_of_their_own(registry: Registry) -> None:
    team = registry.namespace("team/vision")
    here, there = registry.create_model("m"), team.create_model("m", metadata={"a": 1})
    assert here != there
    assert (registry.commit, team.commit) == (1, 1)
    assert registry.models()[0]["namespace"] == "default"
    assert team.models().dicts()[0]["namespace"] == team.namespace_name == "team/vision"
    team.create_model("only there")
    assert registry.find_model("only there") is None
    with pytest.raises(NotFoundError, match="team/vision"):
        team.get_version(here)
    with pytest.raises(InvalidInputError, match="namespace"):
        registry.namespace("../up")


def test_the_past_can_be_read_and_not_changed(registry: Registry) -> None:
    model = registry.create_model("m", metadata={"a": 1})
    model.update(metadata={"a": 2})
    model.rename("n")
    then = registry.at(commit=1)
    assert then.read_only
    past = then.get_model("m")
    assert past == model
    assert (past.name, past.metadata, model.metadata) == ("m", {"a": 1}, {"a": 2})
    assert len(past.history()) == 1
    for act in (
        lambda: then.create_model("x"),
        lambda: past.update(owner="x"),
        lambda: past.update(metadata={"a": 1}),
        lambda: past.tag("x"),
        lambda: past.rename("x"),
        lambda: past.create_version("1"),
        lambda: past.delete(),
        lambda: then.transaction().__enter__(),
    ):
        with pytest.raises(ReadOnlyError, match="as of commit 1"):
            act()
    assert registry.commit == 3
    assert registry.at(commit=0).find_model("m") is None
    with pytest.raises(InvalidInputError, match="no commit 4"):
        registry.at(commit=4)


def test_a_read_only_handle_makes_and_changes_nothing(registry: Registry, tmp_path: Path) -> None:
    registry.create_model("m")
    reader = localreg.open(registry.uri, read_only=True)
    with pytest.raises(ReadOnlyError, match="opened read-only"):
        reader.get_model("m").tag("x")
    with pytest.raises(NotFoundError) as told:
        localreg.open(tmp_path / "none", read_only=True)
    assert told.value.code == "no_registry"
    assert not (tmp_path / "none").exists()


# --- two meanings of one word -----------------------------------------------------------------------------------------


def test_a_version_and_an_alias_of_one_model_never_have_one_name(registry: Registry) -> None:
    model = registry.create_model("m")
    model.create_version("1")
    model.create_version("2")
    with pytest.raises(AlreadyExistsError, match="has a version '2'"):
        model.set_alias("2", "1")
    model.set_alias("best", "1")
    with pytest.raises(AlreadyExistsError, match="has an alias 'best'"):
        model.create_version("best")
    assert registry.get_version("m@best").version == "1"


def test_a_handle_given_out_in_a_transaction_never_means_another_model(registry: Registry, other: Registry) -> None:
    def both_make_it() -> None:
        with registry.transaction():
            registry.create_model("x", exist_ok=True)
            with ThreadPoolExecutor(1) as elsewhere:
                elsewhere.submit(other.create_model, "x").result()

    with pytest.raises(ConflictError, match="changed by another commit"):
        both_make_it()
    assert [row["created_by"] for row in registry.models()] == ["ben"]


def test_a_new_name_never_hides_what_a_reference_means_already(registry: Registry) -> None:
    model = registry.create_model("a")
    model.create_version("1")
    model.set_alias("best", "1")
    other = registry.create_model("b")
    for name in ("a@1", "a@best"):
        with pytest.raises(AlreadyExistsError, match="of model 'a' already"):
            registry.create_model(name)
        with pytest.raises(AlreadyExistsError, match="of model 'a' already"):
            other.rename(name)
    registry.create_model("a@2")


def test_the_log_tells_in_words_from_where_to_where_an_alias_moved_and_by_whom(
    registry: Registry, other: Registry
) -> None:
    model = registry.create_model("m")
    model.create_version("1")
    model.create_version("2")
    model.set_alias("production", "1")
    other.get_model("m").set_alias("production", "2")
    moves = registry.audit(kind="alias")
    assert [row["details"] for row in moves] == [{"version": "1"}, {"version": "2", "from": "1"}]
    assert [row["details"] for row in registry.audit(actor="ben")] == [{"version": "2", "from": "1"}]
