"""The public API beside plain dicts: models, versions, aliases, tags, metadata, transactions, the past."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import localreg
from localreg import Model, Registry
from localreg.errors import AlreadyExistsError, ConflictError, LocalregError, NotFoundError, ReadOnlyError

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
    former: list[str] = field(default_factory=list)
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


def delete(name: str) -> Deed:
    def told(book: Book) -> None:
        if entry_in(book, name).versions:
            raise RefusedError(ConflictError)
        del book[name]

    return lambda registry: registry.get_model(name).delete(), told


def create_version(name: str, version: str, metadata: dict[str, Any]) -> Deed:
    def told(book: Book) -> None:
        model = entry_in(book, name)
        if version in model.versions:
            raise RefusedError(AlreadyExistsError)
        model.versions[version] = dict(metadata)

    return lambda registry: registry.get_model(name).create_version(version, metadata=metadata), told


def delete_version(name: str, version: str) -> Deed:
    def told(book: Book) -> None:
        model = entry_in(book, name)
        if version not in model.versions:
            raise RefusedError(NotFoundError)
        if version in model.aliases.values():
            raise RefusedError(ConflictError)
        del model.versions[version]

    return lambda registry: registry.get_model(name).version(version).delete(), told


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
    st.builds(delete, NAMES),
    st.builds(create_version, NAMES, VERSIONS, METADATA),
    st.builds(create_version, NAMES, VERSIONS, METADATA),
    st.builds(delete_version, NAMES, VERSIONS),
    st.builds(set_alias, NAMES, ALIASES, VERSIONS),
    st.builds(remove_alias, NAMES, ALIASES),
)


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
    own = {version.version: version.record.metadata for version in model.versions()}
    for version in model.versions():
        assert version.metadata == {**model.metadata, **own[version.version]}
    newest = model.latest_version
    assert (newest.version if newest else None) == (list(own)[-1] if own else None)
    aliases = {alias: version.version for alias, version in model.aliases().items()}
    assert all(model.resolve(alias).version == version for alias, version in aliases.items())
    return Plain(dict(model.metadata), model.tags, list(model.record.former_names), own, aliases)


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

    def remember(self) -> None:
        """Each commit has its own page; what made no commit has changed nothing."""
        commit = self.registry.commit
        if commit in self.past:
            assert self.book == self.past[commit]
        self.past[commit] = copy.deepcopy(self.book)

    @rule(deed=DEEDS)
    def one_call(self, deed: Deed) -> None:
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
                tried(mine, self.registry, book)
                tried(theirs, other, self.book)
        except LocalregError:
            pass  # a name is taken now, a model is gone, a record was changed
        else:
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

    @rule()
    def reopen(self) -> None:
        self.registry.close()
        self.registry = localreg.open(self.uri, actor="ana")

    @precondition(lambda self: len(self.past) > 1)
    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        commit = data.draw(st.sampled_from(sorted(self.past)))
        past = self.registry.at(commit=commit)
        assert past.commit == commit
        assert shown(past) == self.past[commit]
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
        listed = {row["name"]: row for row in self.registry.models().dicts()}
        assert listed.keys() == self.book.keys()
        assert {name: sorted(row["aliases"]) for name, row in listed.items()} == {
            name: sorted(model.aliases) for name, model in self.book.items()
        }


RegistryMachine.TestCase.settings = settings(max_examples=50, stateful_step_count=25, deadline=None, derandomize=True)
TestRegistry = RegistryMachine.TestCase
