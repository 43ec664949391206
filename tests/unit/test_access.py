"""Roles in a namespace: who may read, run, change and own, at every look and every commit."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import localreg
from localreg import Registry
from localreg.errors import AccessDeniedError, InvalidInputError, NotFoundError, PolicyError, StorageError
from localreg.handles.words import KINDS
from localreg.log import Change, Head, State
from localreg.records.access import OWNER, READER, ROLES, RUNNER, WRITER, GrantRecord
from localreg.session import Changes, access
from localreg.session.access import NEEDED, Guard, needed_role
from localreg.workflow import test
from tests.compat import scenario
from tests.flow import compare_two_models
from tests.pictures import Guess, Picture, TestCase, TestSuite, Truth, TypedModel

OF_RUNS = {
    ("model_version", "create"),
    *(("model_version", action) for action in ("upload", "verify")),
    *(("workflow", action) for action in ("create", "update")),
    *(("test_run", action) for action in ("create", "upload")),
    *(("evaluation", action) for action in ("create", "delete")),
    ("comparison", "create"),
}


@pytest.fixture
def team(registry: Registry) -> Callable[[str], Registry]:
    """Handles of each role's holder, called like the role, and of `stranger`; ana owns."""
    registry.create_model("m", metadata={"a": 1}).create_version("1").upload(b"weights", name="w")
    for role in ROLES:
        registry.grant(role, role)
    registry.get_model("m").update(metadata={"a": 3})
    return lambda name: localreg.open(registry.uri, actor=name)


# --- the table --------------------------------------------------------------------------------------------------------


def test_every_kind_of_record_stands_in_the_table() -> None:
    assert set(KINDS) <= NEEDED.keys()
    package = Path(localreg.__file__).parent
    said = {
        found
        for path in (package / "records").glob("*.py")
        for found in re.findall(r'kind: ClassVar\[str\] = "(\w+)"', path.read_text(encoding="utf-8"))
    }
    assert len(said) > 10
    assert said <= NEEDED.keys(), "a new kind of record: say in localreg/session/access.py who may change it"


def test_all_roles_in_the_table_are_roles_and_every_kind_says_what_any_other_action_needs() -> None:
    for kind, needs in NEEDED.items():
        assert all(callable(need) or need in ROLES for need in needs.values()), kind
        assert "*" in needs or kind == "*"


def test_what_stands_in_the_table_for_one_action_is_an_action_that_the_library_has() -> None:
    package = Path(localreg.__file__).parent
    texts = {
        node.value
        for path in package.rglob("*.py")
        if path.name != "access.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    named = {action for needs in NEEDED.values() for action in needs} - {"*"}
    assert named <= texts


def test_each_event_of_a_registry_with_something_of_everything_is_of_a_kind_that_stands_there(tmp_path: Path) -> None:
    registry = scenario.build(tmp_path / "registry", filler=0)
    kinds = {row["kind"] for row in registry.audit().dicts()}
    assert len(kinds) > 8
    assert kinds <= NEEDED.keys()


def test_an_unknown_kind_needs_a_writer_and_an_act_on_any_kind_comes_first() -> None:
    def need(kind: str, action: str) -> str:
        return needed_role(Change(kind, action, "0" * 32, "x", after={}), State(Head(0, "", "")))

    assert need("dream", "create") == WRITER
    assert (need("dream", "download"), need("model", "consume")) == (RUNNER, RUNNER)
    assert (need("model", "redact"), need("dream", "condemn"), need("evaluation", "redact")) == (OWNER, OWNER, OWNER)
    assert (need("grant", "grant"), need("namespace", "protect"), need("alias", "set_alias")) == (OWNER, OWNER, WRITER)


def test_what_a_test_run_commits_needs_a_runner_alone(registry: Registry) -> None:
    before = registry.commit
    compare_two_models(registry)
    made = {(row["kind"], row["action"]) for row in registry.audit(since=before).dicts()}
    ours = {("model", "create"), ("model", "update"), ("namespace", "create"), ("registry", "create")}
    ours |= {(f"test_{what}", "create") for what in ("case", "suite", "case_version", "suite_version")}
    assert made - ours <= OF_RUNS


# --- what each role may do --------------------------------------------------------------------------------------------

DEEDS: dict[str, tuple[str, Callable[[Registry], object]]] = {
    "read": (READER, lambda registry: registry.models().dicts()),
    "query": (READER, lambda registry: registry.sql("SELECT * FROM audit_events").dicts()),
    "look at the past": (READER, lambda registry: registry.at(commit=1).models().dicts()),
    "freeze": (READER, lambda registry: registry.frozen().get_model("m")),
    "watch": (READER, lambda registry: list(registry.watch(0, timeout=0))),
    "verify": (READER, lambda registry: registry.verify()),
    "create a model": (WRITER, lambda registry: registry.create_model("new")),
    "update": (WRITER, lambda registry: registry.get_model("m").update(metadata={"a": 2})),
    "tag": (WRITER, lambda registry: registry.get_model("m").tag("t")),
    "delete": (WRITER, lambda registry: registry.get_model("m").delete(force=True)),
    "make a version": (WRITER, lambda registry: registry.get_model("m").create_version("2")),
    "move an alias": (WRITER, lambda registry: registry.get_model("m").set_alias("production", "1")),
    "upload": (WRITER, lambda registry: registry.get_model("m").upload(b"x", name="x")),
    "track": (WRITER, lambda registry: registry.get_model("m").track("s3://bucket/x")),
    "begin an experiment": (WRITER, lambda registry: registry.experiment("e").finish()),
    "undo": (WRITER, lambda registry: registry.undo(registry.commit)),
    "begin a transaction": (RUNNER, lambda registry: registry.transaction().__enter__()),
    "grant": (OWNER, lambda registry: registry.grant("zoe", "reader")),
    "revoke": (OWNER, lambda registry: registry.revoke("reader")),
    "redact": (OWNER, lambda registry: registry.redact(registry.get_model("m"), reason="why")),
}


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("name", ["stranger", *ROLES])
def test_a_role_lets_do_what_it_says_and_no_more(team: Callable[[str], Registry], deed: str, name: str) -> None:
    needed, do = DEEDS[deed]
    before = team("owner").commit
    if name != "stranger" and ROLES.index(name) >= ROLES.index(needed):
        do(team(name))
        return
    with pytest.raises(AccessDeniedError, match=f"'{name}' has .*; ask an owner of it for one: 'ana'") as caught:
        do(team(name))
    assert caught.value.code == "access_denied"
    assert isinstance(caught.value, PermissionError)
    assert team("owner").commit == before


def run(registry: Registry, name: str = "m") -> None:
    with localreg.use(registry):
        test(TypedModel(name, lambda sample: Guess(str(sample.number))), TestSuite.load("suite"))


@pytest.fixture
def suite(registry: Registry) -> None:
    case = TestCase("case", test_samples=[(Picture(number), Truth(str(number))) for number in range(3)])
    TestSuite("suite", test_cases=[case])


def test_a_runner_runs_a_model_that_was_never_run_and_changes_nothing_else(
    registry: Registry, suite: None, team: Callable[[str], Registry]
) -> None:
    registry.create_model("fresh", metadata={"a": 1})
    before = registry.commit
    run(team("runner"), "fresh")
    assert {row["actor"] for row in registry.audit(since=before).dicts()} == {"runner"}
    assert registry.get_version("fresh@1").created_by == "runner"
    assert registry.get_model("fresh").info.metadata == {"a": 1}
    assert len(registry.sql("SELECT * FROM inferences")) == 3


def test_a_runner_makes_no_version_that_would_be_the_newest(team: Callable[[str], Registry]) -> None:
    model = team("writer").create_model("bare")
    ours = team("runner").get_model("bare")
    for version, metadata in (("2", None), ("1", {"a": 1})):
        with pytest.raises(AccessDeniedError, match="to create a model version takes 'writer'"):
            ours.create_version(version, metadata=metadata)
    assert model.versions() == []


def test_a_reader_is_refused_before_anything_is_inferred_read_or_written(
    registry: Registry, suite: None, team: Callable[[str], Registry]
) -> None:
    class Unread(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise AssertionError("read")

    def unwanted(_: Picture) -> Guess:
        raise AssertionError("inferred")

    reader = team("reader")
    before = {path for path in Path(registry.uri).rglob("*") if path.is_file()}
    with localreg.use(reader), pytest.raises(AccessDeniedError, match="takes 'runner'"):
        test(TypedModel("m", unwanted), TestSuite.load("suite"))
    with pytest.raises(AccessDeniedError, match="takes 'writer'"):
        reader.get_model("m").upload(Unread(), name="x")
    assert {path for path in Path(registry.uri).rglob("*") if path.is_file()} == before


def test_a_reader_downloads_and_is_told_that_nobody_will_know(
    registry: Registry, team: Callable[[str], Registry], tmp_path: Path
) -> None:
    before = registry.commit
    artifact = team("reader").get_version("m@1").get_artifact("w")
    with pytest.warns(UserWarning, match="is not in the audit log: 'reader' has the role 'reader'"):
        assert artifact.download(tmp_path).read_bytes() == b"weights"
    assert registry.commit == before
    assert team("runner").get_version("m@1").get_artifact("w").download(tmp_path / "other").read_bytes() == b"weights"
    assert registry.audit(since=before)[0]["action"] == "download"


# --- granting ---------------------------------------------------------------------------------------------------------


def test_without_grants_a_namespace_is_open_to_all(registry: Registry, other: Registry) -> None:
    registry.create_model("m")
    other.create_model("n")
    assert registry.grants().dicts() == []
    assert (registry.role, other.role) == ("owner", "owner")


def test_the_first_grant_makes_who_gives_it_an_owner_and_closes_the_namespace(
    registry: Registry, other: Registry
) -> None:
    registry.create_model("m")
    registry.grant("cleo", "reader")
    assert [(row["principal"], row["role"]) for row in registry.grants().dicts()] == [
        ("cleo", "reader"),
        ("ana", "owner"),
    ]
    assert registry.commit == 2, "in one commit"
    with pytest.raises(AccessDeniedError, match="'ben' has no role in namespace 'default'"):
        other.models()
    assert (registry.role, other.role) == ("owner", None)
    assert [(e["action"], e["kind"], e["name"]) for e in registry.audit(since=1).dicts()] == [
        ("grant", "grant", "cleo"),
        ("grant", "grant", "ana"),
    ]


def test_the_first_grant_may_be_the_first_commit(registry: Registry) -> None:
    registry.namespace("own").grant("ana", "owner")
    assert registry.namespace("own").commit == 1
    assert registry.grants().dicts() == [], "each namespace has its own"


def test_the_role_of_everybody_is_for_those_without_a_grant_of_their_own(registry: Registry, other: Registry) -> None:
    registry.grant("*", "writer")
    registry.grant("ben", "reader")
    assert other.role == "reader"
    stranger = localreg.open(registry.uri, actor="zoe")
    assert stranger.role == "writer"
    stranger.create_model("m")
    with pytest.raises(AccessDeniedError):
        other.create_model("n")
    registry.revoke("ben")
    other.create_model("n")


def test_a_grant_takes_the_place_of_the_one_before_and_the_same_again_is_no_commit(registry: Registry) -> None:
    registry.grant("ben", "reader")
    registry.grant("ben", "writer")
    before = registry.commit
    registry.grant("ben", "writer")
    assert registry.commit == before
    assert [row["role"] for row in registry.grants("principal = 'ben'").dicts()] == ["writer"]


def test_the_last_owner_stays(registry: Registry) -> None:
    registry.grant("ben", "writer")
    with pytest.raises(PolicyError, match="no owner, so that nobody could grant anything any more") as caught:
        registry.revoke("ana")
    assert caught.value.code == "no_owner"
    with pytest.raises(PolicyError, match="no owner"):
        registry.grant("ana", "writer")
    registry.revoke("ben")
    with pytest.raises(PolicyError, match=r"is the last owner .*grant '\*' the role 'owner' first"):
        registry.revoke("ana")
    registry.grant("*", "owner")
    registry.revoke("ana")
    assert localreg.open(registry.uri, actor="zoe").role == "owner"
    registry.revoke("*")
    assert registry.grants().dicts() == [], "as open as before"


def transaction(registry: Registry, act: Callable[[], object], meanwhile: Callable[[], object]) -> Callable[[], None]:
    """A transaction to run, with what somebody else commits before it does."""

    def commit() -> None:
        with registry.transaction():
            act()
            meanwhile()

    return commit


def test_a_role_that_was_taken_away_meanwhile_counts_no_more(registry: Registry, other: Registry) -> None:
    registry.grant("ben", "owner")
    other_commits = transaction(other, lambda: other.revoke("ana"), lambda: registry.revoke("ben"))
    with pytest.raises(AccessDeniedError, match="'ben' has no role"):
        other_commits()
    assert [row["principal"] for row in registry.grants().dicts()] == ["ana"]
    registry.grant("ben", "writer")
    other_commits = transaction(other, lambda: other.create_model("m"), lambda: registry.grant("ben", "runner"))
    with pytest.raises(AccessDeniedError, match="to create a model takes 'writer'"):
        other_commits()
    assert registry.find_model("m") is None


def test_who_loses_a_race_for_the_first_grant_is_refused(registry: Registry, other: Registry) -> None:
    other_commits = transaction(other, lambda: other.grant("ben", "owner"), lambda: registry.grant("ana", "owner"))
    with pytest.raises(AccessDeniedError, match="'ben' has no role"):
        other_commits()
    assert [row["principal"] for row in registry.grants().dicts()] == ["ana"]


def test_grants_have_a_history_and_are_undone_like_anything(registry: Registry, other: Registry) -> None:
    registry.create_model("m")
    registry.grant("ben", "writer")
    registry.grant("ben", "reader")
    assert [row["role"] for row in registry.at(commit=2).grants("principal = 'ben'").dicts()] == ["writer"]
    registry.undo(3)
    assert other.role == "writer"
    with pytest.raises(AccessDeniedError):
        other.undo(2)
    registry.revoke("ben")
    registry.undo(registry.commit)
    assert other.role == "writer"
    last = [(e["action"], e["name"]) for e in registry.audit(kind="grant").dicts()][-2:]
    assert last == [("revoke", "ben"), ("grant", "ben")]
    first = localreg.open(registry.uri, namespace="own", actor="ana")
    first.grant("ben", "reader")
    first.undo(1)
    assert first.grants().dicts() == [], "open again, as it was before"


def test_a_namespace_is_not_undone_into_one_without_an_owner(registry: Registry) -> None:
    registry.create_model("m")
    registry.grant("ana", "owner")
    registry.grant("ben", "reader")
    with pytest.raises(PolicyError, match="no owner"):
        registry.undo(2)


def test_what_is_no_grant_is_refused(registry: Registry) -> None:
    for principal, role in (("", "reader"), ("ben", "admin"), ("ben", None), (5, "reader")):
        with pytest.raises(InvalidInputError):
            registry.grant(principal, role)  # type: ignore[arg-type]
    with pytest.raises(NotFoundError, match="open to all"):
        registry.revoke("ben")
    registry.grant("benjamin", "reader")
    with pytest.raises(NotFoundError, match="did you mean 'benjamin'"):
        registry.revoke("benjamim")
    assert registry.commit == 1


def test_a_role_of_a_later_release_lets_read_alone(registry: Registry, other: Registry) -> None:
    registry.grant("ben", "writer")

    def operation(changes: Changes) -> None:
        row = changes.draft.find("grant", "ben")
        assert row is not None
        changes.update(row, row.load(GrantRecord).replaced(role="auditor"))

    registry._session.change(operation)
    assert other.role == "reader"
    assert [row["role"] for row in registry.grants("principal = 'ben'").dicts()] == ["auditor"]


# --- closed namespaces ------------------------------------------------------------------------------------------------


@pytest.fixture
def two(registry: Registry) -> Registry:
    """`default`, open to all, and `secret`, which is ana's."""
    registry.create_model("known")
    secret = registry.namespace("secret")
    secret.create_model("hidden")
    secret.grant("ana", "owner")
    return registry


def test_a_closed_namespace_is_listed_as_inaccessible_and_disturbs_nobody(two: Registry, other: Registry) -> None:
    for names in (other.namespaces(), other.all().namespaces()):
        assert names == ["default"]
        assert names.inaccessible.keys() == {"secret"}
        assert "'ben' has no role in namespace 'secret'" in names.inaccessible["secret"]
        assert repr(names) == "['default'], inaccessible: secret"
    assert [row["name"] for row in other.all().models().dicts()] == ["known"]
    assert [row["name"] for row in other.all().models(search="hidden").dicts()] == []
    assert (two.namespaces(), two.namespaces().inaccessible) == (["default", "secret"], {})
    assert repr(two.namespaces()) == "['default', 'secret']"
    assert len(two.all().models()) == 2


def test_no_way_leads_into_a_closed_namespace(two: Registry, other: Registry) -> None:
    two.namespace("secret").grant("ben", "reader")
    secret = other.namespace("secret")
    two.namespace("secret").revoke("ben")
    time = two.namespace("secret").audit()[0]["time"]
    ways: list[Callable[[], object]] = [
        lambda: secret.commit,
        lambda: secret.find_model("hidden"),
        lambda: secret.sql("SELECT 1"),
        lambda: secret.audit(),
        lambda: secret.at(commit=1),
        lambda: secret.at(time=time),
        lambda: secret.frozen(),
        lambda: secret.verify(),
        lambda: secret.diff(0, 1),
        lambda: list(secret.watch(0, timeout=0)),
        lambda: secret.resolve("0" * 32),
        lambda: other.at(time=time).namespace("secret"),
        lambda: localreg.open(two.uri, namespace="secret", actor="ben"),
        lambda: localreg.open(two.uri, namespace="secret", actor="ben", read_only=True),
        lambda: localreg.open(two.uri, actor="ben").namespace("secret"),
    ]
    for way in ways:
        with pytest.raises(AccessDeniedError):
            way()
    two.grant("ana", "owner")
    with pytest.raises(StorageError, match=r"may not read any namespace .* or ask for a role"):
        other.all().models()


def test_the_doctor_names_a_closed_namespace_and_goes_on(two: Registry, other: Registry) -> None:
    report = other.doctor()
    assert report.ok
    (told,) = [each for each in report.findings if each.what.startswith("secret")]
    assert (told.level, told.what) == ("note", "secret: inaccessible")
    assert any(each.what == "default: log" for each in report.findings)


def test_a_look_at_a_past_that_one_was_let_in_to_stays(two: Registry, other: Registry) -> None:
    two.grant("ben", "reader")
    frozen = other.frozen()
    two.revoke("ben")
    assert frozen.get_model("known").name == "known"
    with pytest.raises(AccessDeniedError):
        other.frozen()


def test_damage_is_told_as_damage_to_who_may_look(two: Registry) -> None:
    (Path(two.uri) / "namespaces/secret/log" / f"{1:020}.parquet").write_bytes(b"torn")
    assert localreg.open(two.uri, actor="ana").namespaces() == ["default", "secret"]
    assert not localreg.open(two.uri, namespace="secret", actor="ana").verify().ok


# --- what it costs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_open", [True, False])
def test_grants_are_looked_up_once_a_state_and_not_at_all_where_there_are_none(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, is_open: bool
) -> None:
    registry.create_model("m")
    if not is_open:
        registry.grant("ana", "owner")
    registry.snapshot()
    registry.get_model("m")
    asked: list[None] = []
    grants_in = access.grants_in

    def counted(state: State) -> dict[str, str]:
        asked.append(None)
        return grants_in(state)

    monkeypatch.setattr(access, "grants_in", counted)
    for _ in range(5):
        registry.get_model("m")
    registry.create_model("n")
    assert len(asked) == 0, "the state was seen already"
    registry.get_model("n")
    assert len(asked) == (not is_open)


def test_a_guard_does_not_keep_what_a_transaction_goes_on_changing(registry: Registry) -> None:
    guard = Guard("default", "ben")
    with registry.transaction():
        assert guard.role(registry._session.state()) == "owner"
        registry.grant("ana", "owner")
        assert guard.role(registry._session.state()) is None
