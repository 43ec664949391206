"""The public API beside plain dicts: models with all that hangs on them, transactions, search, the past, undo, watch.

Listings, searches and facets are compared with a walk over the dicts; another namespace has a book of its own.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import localreg
from localreg import Model, Position, Registry
from localreg.canonical import canonical
from localreg.errors import AlreadyExistsError, ConflictError, LocalregError, NotFoundError, ReadOnlyError
from localreg.query.search import terms

NAMES = st.sampled_from(["a", "b", "a@b", "yolo/é 🌱"])
VERSIONS = st.sampled_from(["1", "2", "rc"])
ALIASES = st.sampled_from(["production", "best"])
TAGS = st.lists(st.sampled_from(["x", "y", "z"]), max_size=2)
KEYS = st.sampled_from(["lr", "note"])
VALUES = st.one_of(st.integers(-3, 3), st.none(), st.booleans(), st.text("aé", max_size=2), st.lists(st.integers(0, 2)))
METADATA = st.dictionaries(KEYS, VALUES, max_size=2)

_stores = itertools.count()


@dataclass
class Plain:
    """A model as the oracle has it."""

    metadata: dict[str, Any]
    tags: list[str]
    description: str | None = None
    former: list[str] = field(default_factory=list)
    archived: bool = False
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)


Book = dict[str, Plain]
Deed = tuple[Callable[[Registry], object], Callable[[Book], None]]
"""One call, and what it means for the book; both raise the same error, or neither raises."""


class RefusedError(Exception):
    """What the book says where the registry raises an error."""

    def __init__(self, kind: type[LocalregError]) -> None:
        super().__init__(kind)
        self.kind = kind


def entry_in(book: Book, name: str) -> Plain:
    if name not in book:
        raise RefusedError(NotFoundError)
    return book[name]


def create(name: str, metadata: dict[str, Any], tags: list[str]) -> Deed:
    def told(book: Book) -> None:
        if name in book:
            raise RefusedError(AlreadyExistsError)
        book[name] = Plain(dict(metadata), sorted(set(tags)))

    return lambda registry: registry.create_model(name, metadata=metadata, tags=tags), told


def update(name: str, metadata: dict[str, Any], unset: list[str]) -> Deed:
    def told(book: Book) -> None:
        model = entry_in(book, name)
        kept = {key: value for key, value in model.metadata.items() if key not in unset}
        model.metadata = {**kept, **metadata}

    return lambda registry: registry.get_model(name).update(metadata=metadata, unset=unset), told


def retag(name: str, added: list[str], removed: list[str]) -> Deed:
    """Two calls on one model: within a transaction still one commit."""

    def told(book: Book) -> None:
        model = entry_in(book, name)
        model.tags = sorted({*model.tags, *added} - {*removed})

    return lambda registry: registry.get_model(name).tag(*added).untag(*removed), told


def rename(name: str, new: str) -> Deed:
    def told(book: Book) -> None:
        model = entry_in(book, name)
        if name == new:
            return
        if new in book:
            raise RefusedError(AlreadyExistsError)
        model.former = [*(old for old in model.former if old != new), name]
        del book[name]
        book[new] = model

    return lambda registry: registry.get_model(name).rename(new), told


def delete(name: str, force: bool) -> Deed:
    def told(book: Book) -> None:
        if entry_in(book, name).versions and not force:
            raise RefusedError(ConflictError)
        del book[name]

    return lambda registry: registry.get_model(name).delete(force=force), told


def archive(name: str) -> Deed:
    def told(book: Book) -> None:
        entry_in(book, name).archived = True

    return lambda registry: registry.get_model(name).archive(), told


def restore(name: str) -> Deed:
    def told(book: Book) -> None:
        entry_in(book, name).archived = False

    return lambda registry: registry.get_model(name).restore(), told


def describe(name: str, description: str | None) -> Deed:
    def told(book: Book) -> None:
        entry_in(book, name).description = description

    return lambda registry: registry.get_model(name).update(description=description), told


def create_version(name: str, version: str, metadata: dict[str, Any]) -> Deed:
    def told(book: Book) -> None:
        model = entry_in(book, name)
        if version in model.versions:
            raise RefusedError(AlreadyExistsError)
        model.versions[version] = dict(metadata)

    return lambda registry: registry.get_model(name).create_version(version, metadata=metadata), told


def update_version(name: str, version: str, metadata: dict[str, Any]) -> Deed:
    def told(book: Book) -> None:
        model = entry_in(book, name)
        if version not in model.versions:
            raise RefusedError(NotFoundError)
        model.versions[version].update(metadata)

    return lambda registry: registry.get_model(name).version(version).update(metadata=metadata), told


def delete_version(name: str, version: str, force: bool) -> Deed:
    def told(book: Book) -> None:
        model = entry_in(book, name)
        if version not in model.versions:
            raise RefusedError(NotFoundError)
        if version in model.aliases.values() and not force:
            raise RefusedError(ConflictError)
        del model.versions[version]
        model.aliases = {alias: target for alias, target in model.aliases.items() if target != version}

    return lambda registry: registry.get_model(name).version(version).delete(force=force), told


def set_alias(name: str, alias: str, version: str) -> Deed:
    def told(book: Book) -> None:
        model = entry_in(book, name)
        if version not in model.versions:
            raise RefusedError(NotFoundError)
        model.aliases[alias] = version

    return lambda registry: registry.get_model(name).set_alias(alias, version), told


def remove_alias(name: str, alias: str) -> Deed:
    def told(book: Book) -> None:
        if alias not in entry_in(book, name).aliases:
            raise RefusedError(NotFoundError)
        del book[name].aliases[alias]

    return lambda registry: registry.get_model(name).remove_alias(alias), told


DEEDS = st.one_of(
    st.builds(create, NAMES, METADATA, TAGS),
    st.builds(create, NAMES, METADATA, TAGS),
    st.builds(update, NAMES, METADATA, st.lists(KEYS, max_size=1)),
    st.builds(retag, NAMES, TAGS, TAGS),
    st.builds(rename, NAMES, NAMES),
    st.builds(delete, NAMES, st.booleans()),
    st.builds(archive, NAMES),
    st.builds(restore, NAMES),
    st.builds(describe, NAMES, st.sampled_from([None, "", "a NIGHT owl"])),
    st.builds(create_version, NAMES, VERSIONS, METADATA),
    st.builds(create_version, NAMES, VERSIONS, METADATA),
    st.builds(update_version, NAMES, VERSIONS, METADATA),
    st.builds(delete_version, NAMES, VERSIONS, st.booleans()),
    st.builds(set_alias, NAMES, ALIASES, VERSIONS),
    st.builds(remove_alias, NAMES, ALIASES),
)


BEGINNING = [
    create("a", {"lr": 1, "note": "é"}, ["x"]),
    create_version("a", "1", {"lr": 2}),
    create_version("a", "rc", {}),
    set_alias("a", "production", "1"),
    set_alias("a", "best", "rc"),
    create("b", {"note": ["a", 2]}, ["y", "z"]),
    create_version("b", "1", {}),
    describe("b", "a NIGHT owl"),
]


def tried(deed: Deed, registry: Registry, book: Book) -> None:
    """Do a deed on both sides. What one refuses, the other refuses, and neither is changed."""
    act, told = deed
    before = copy.deepcopy(book)
    try:
        told(book)
    except RefusedError as refused:
        assert book == before
        with pytest.raises(refused.kind):
            act(registry)
    else:
        act(registry)


def shown(registry: Registry) -> Book:
    """All that the registry says of its models, by the calls of the API."""
    return {model.name: shown_model(model) for model in map(registry.get_model, names(registry))}


def names(registry: Registry) -> list[str]:
    return [row.name for row in registry._session.state().children("model")]


def shown_model(model: Model) -> Plain:
    own = {version.version: version.info.metadata for version in model.versions()}
    for version in model.versions():
        assert version.metadata == {**model.metadata, **own[version.version]}
    newest = model.latest_version
    assert (newest.version if newest else None) == (list(own)[-1] if own else None)
    aliases = {alias: version.version for alias, version in model.aliases().items()}
    assert all(model.resolve(alias).version == version for alias, version in aliases.items())
    record = model.info
    said = (model.tags, model.description, list(record.former_names), model.archived)
    return Plain(dict(model.metadata), *said, own, aliases)


def listed_names(book: Book, *, archived: bool | None) -> set[str]:
    return {name for name, model in book.items() if archived in (None, model.archived)}


def folded(text: str) -> str:
    return text.lower().replace("é", "e")


def texts(name: str, model: Plain) -> list[str]:
    """All texts of a model that a search looks in."""

    def leaves(value: object) -> list[str]:
        if isinstance(value, dict):
            return [text for key, item in value.items() for text in (key, *leaves(item))]
        if isinstance(value, list):
            return [text for item in value for text in leaves(item)]
        return [value if isinstance(value, str) else json.dumps(value)]

    return [folded(each) for each in (name, model.description or "", *model.tags, *leaves(model.metadata))]


WORDS = ['"t o"', "lr -x", "-a", "note y"]


def fits(search: str, name: str, model: Plain) -> bool:
    return all(any(folded(term.text) in text for text in texts(name, model)) is term.wanted for term in terms(search))


class GivenUpError(Exception):
    """Ends a transaction."""


class RegistryMachine(RuleBasedStateMachine):
    """A registry, the book beside it, and a copy of the book for each commit."""

    @initialize()
    def open(self) -> None:
        self.uri = f"memory://machine-{next(_stores)}"
        self.registry = localreg.open(self.uri, actor="ana")
        self.book: Book = {}
        self.past: dict[int, Book] = {0: {}}
        # Something to work on from the start: most verbs need a model, a version, an alias.
        with self.registry.transaction("begin"):
            for deed in BEGINNING:
                tried(deed, self.registry, self.book)
        self.past[1] = copy.deepcopy(self.book)
        self.elsewhere = self.registry.namespace("else/where")
        self.other_book: Book = {}
        self.watched: list[Position] = []

    def remember(self) -> None:
        """Each commit has its own page; what made no commit has changed nothing."""
        commit = self.registry.commit
        if commit in self.past:
            assert self.book == self.past[commit]
        self.past[commit] = copy.deepcopy(self.book)

    @rule(deeds=st.lists(DEEDS, min_size=1, max_size=3))
    def a_few_calls(self, deeds: list[Deed]) -> None:
        for deed in deeds:
            tried(deed, self.registry, self.book)
            self.remember()

    @rule(deed=DEEDS)
    def one_call_of_another_handle(self, deed: Deed) -> None:
        tried(deed, localreg.open(self.uri, actor="bob"), self.book)
        self.remember()

    @rule(deeds=st.lists(DEEDS, min_size=1, max_size=4))
    def a_transaction(self, deeds: list[Deed]) -> None:
        before, commit = copy.deepcopy(self.book), self.registry.commit
        with self.registry.transaction("several") as transaction:
            for deed in deeds:
                tried(deed, self.registry, self.book)
                assert shown(self.registry) == self.book, "a read inside does not see the transaction's own writes"
            assert shown(localreg.open(self.uri)) == before, "it is seen before its end"
        assert self.registry.commit in (commit, commit + 1)
        assert transaction.commit in (None, commit + 1)
        self.remember()

    @rule(deeds=st.lists(DEEDS, min_size=1, max_size=4))
    def a_transaction_that_is_given_up(self, deeds: list[Deed]) -> None:
        commit, book = self.registry.commit, copy.deepcopy(self.book)
        with pytest.raises(GivenUpError), self.registry.transaction():  # noqa: PT012 - the block is the subject
            for deed in deeds:
                tried(deed, self.registry, book)
            raise GivenUpError
        assert self.registry.commit == commit

    @rule(mine=DEEDS, theirs=DEEDS)
    def a_transaction_beside_another_commit(self, mine: Deed, theirs: Deed) -> None:
        """What the other did is never lost: mine lands on top of it, or is refused as a whole."""
        other, book = localreg.open(self.uri, actor="bob"), copy.deepcopy(self.book)
        try:
            with self.registry.transaction():
                before = copy.deepcopy(book)
                tried(mine, self.registry, book)
                tried(theirs, other, self.book)
        except LocalregError:
            pass  # a name is taken now, a model is gone, a record was changed
        else:
            # What was refused inside is not tried again at the end, though the other may have made room for it.
            if book != before:
                on_top = copy.deepcopy(self.book)
                try:
                    mine[1](on_top)
                except RefusedError:
                    on_top = copy.deepcopy(self.book)
                self.book = on_top
        commit = self.registry.commit
        for number in range(max(self.past) + 1, commit):
            self.past[number] = shown(self.registry.at(commit=number))
        self.remember()

    @precondition(lambda self: self.registry.commit > 1 and self.registry.commit - 1 in self.past)
    @rule()
    def undo_the_newest_commit(self) -> None:
        commit = self.registry.commit
        assert self.registry.undo(commit) == commit + 1
        self.book = copy.deepcopy(self.past[commit - 1])
        self.remember()

    @rule(deeds=st.lists(DEEDS, min_size=1, max_size=2))
    def a_frozen_look_does_not_move(self, deeds: list[Deed]) -> None:
        before = copy.deepcopy(self.book)
        with self.registry.frozen() as frozen:
            for deed in deeds:
                tried(deed, self.registry, self.book)
                self.remember()
            assert shown(frozen) == before
            assert {row["name"] for row in frozen.models(archived=None)} == before.keys()

    @rule()
    def watch_what_is_new(self) -> None:
        """From where the last look ended: nothing is lost, and nothing comes twice."""
        since = self.watched[-1] if self.watched else 0
        self.watched += [event.position for event in self.registry.watch(since, timeout=0)]

    @rule(data=st.data())
    def tell_two_commits_apart(self, data: st.DataObject) -> None:
        """Who knows the names at one commit, and what is different, knows them at the other."""
        a, b = (data.draw(st.sampled_from(sorted(self.past))) for _ in range(2))
        told = self.registry.diff(a, b)
        models = [each for each in (*told.created, *told.deleted, *told.changed) if each.kind == "model"]
        names = self.past[a].keys() - {each.name_before for each in models}
        names |= {each.name_after for each in models if each.name_after is not None}
        assert names == self.past[b].keys()

    @rule()
    def reopen(self) -> None:
        self.registry.close()
        self.registry = localreg.open(self.uri, actor="ana")

    @rule(archived=st.sampled_from([None, True, False]), limit=st.sampled_from([None, 0, 1, 9]))
    def search_the_models(self, archived: bool | None, limit: int | None) -> None:
        among = listed_names(self.book, archived=archived)
        for search in WORDS:
            expected = {name for name in among if fits(search, name, self.book[name])}
            found = [
                row["name"]
                for row in self.registry.models(search=search, archived=archived, order_by="name", limit=limit)
            ]
            assert found == sorted(expected)[:limit], search

    @rule(least=st.integers(-3, 3), tag=st.sampled_from(["x", "y", "z"]))
    def list_by_a_condition(self, least: int, tag: str) -> None:
        where = f"metadata.lr >= {least} OR '{tag}' IN tags"
        found = {row["name"] for row in self.registry.models(where)}
        numbers = {
            name: lr
            for name, model in self.book.items()
            if isinstance(lr := model.metadata.get("lr"), int) and not isinstance(lr, bool)
        }
        assert found == {
            name
            for name, model in self.book.items()
            if not model.archived and (tag in model.tags or (name in numbers and numbers[name] >= least))
        }

    @rule()
    def count_the_tags(self) -> None:
        counted = {row["value"]: row["count"] for row in self.registry.facets("models", "tags")}
        expected: Counter[str | None] = Counter()
        for model in self.book.values():
            absent: list[str | None] = [None]
            expected.update(model.tags or absent)
        assert counted == dict(expected)

    @rule(one=NAMES, other=NAMES)
    def tell_two_models_apart(self, one: str, other: str) -> None:
        if one not in self.book or other not in self.book:
            return
        a, b = self.book[one], self.book[other]
        told = {
            row.path.partition(".")[0]
            for row in self.registry.get_model(one).differences(self.registry.get_model(other))
        }
        assert told == {
            field
            for field in ("metadata", "tags", "description", "archived")
            if canonical(getattr(a, field)) != canonical(getattr(b, field))
        }

    @rule(deed=DEEDS)
    def one_call_in_another_namespace(self, deed: Deed) -> None:
        """Names of one namespace mean nothing in another."""
        tried(deed, self.elsewhere, self.other_book)
        assert shown(self.elsewhere) == self.other_book

    @precondition(lambda self: len(self.past) > 1)
    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        commit = data.draw(st.sampled_from(sorted(self.past)))
        past = self.registry.at(commit=commit)
        assert past.commit == commit
        assert shown(past) == self.past[commit]
        assert {row["name"] for row in past.models()} == listed_names(self.past[commit], archived=False)
        with pytest.raises(ReadOnlyError):
            past.create_model("anachronism")

    @rule(name=NAMES, what=st.one_of(VERSIONS, ALIASES))
    def ask_for_a_version(self, name: str, what: str) -> None:
        reference = f"{name}@{what}"
        if reference in self.book or name not in self.book:
            return
        model = self.book[name]
        wanted = what if what in model.versions else model.aliases.get(what)
        if wanted is None:
            with pytest.raises(NotFoundError):
                self.registry.get_version(reference)
        else:
            assert self.registry.get_version(reference).version == wanted

    @invariant()
    def the_registry_says_what_the_book_says(self) -> None:
        assert shown(self.registry) == self.book
        for name in ("a", "b", "never"):
            model = self.registry.find_model(name)
            assert (model is not None) == (name in self.book)

    def teardown(self) -> None:
        assert shown(localreg.open(self.uri)) == self.book
        assert localreg.open(self.uri).verify().ok
        self.watch_what_is_new()
        assert self.watched == [(row["commit"], row["event"]) for row in self.registry.audit()]
        assert shown(localreg.open(self.uri, namespace="else/where")) == self.other_book
        assert {row["name"] for row in self.registry.models()} == listed_names(self.book, archived=False)
        listed = {row["name"]: row for row in self.registry.models(archived=None).dicts()}
        assert listed.keys() == self.book.keys()
        assert {name: sorted(row["aliases"]) for name, row in listed.items()} == {
            name: sorted(model.aliases) for name, model in self.book.items()
        }


RegistryMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=25, deadline=None, derandomize=True)
TestRegistry = RegistryMachine.TestCase
