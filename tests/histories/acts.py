"""What clients do: each act is a call of the public API, and what it means for a plain dict."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import TypeAlias

from localreg import Registry
from localreg.errors import AlreadyExistsError, LocalregError, NotFoundError
from localreg.log import State
from localreg.records.models import ModelRecord
from localreg.session import Changes

__all__ = ["Act", "Book", "ImpossibleError", "Page", "drawn", "names_in", "shown"]

NAMES = ("a", "b", "c")
COUNT = "count"
GRACE = timedelta(seconds=20)
"""A turn takes a second."""


@dataclass
class Page:
    """A model as the oracle has it."""

    name: str
    count: int = 0
    words: dict[str, str] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    versions: list[str] = field(default_factory=list)
    alias: str = ""
    files: set[str] = field(default_factory=set)


Book: TypeAlias = dict[str, Page]
"""Models by id: a handle means the same model, whatever it is called by then."""


class ImpossibleError(Exception):
    """An act that landed where it had to be refused."""


@dataclass(frozen=True)
class Act:
    """One call.

    Attributes:
        verb: which one.
        name: of the model.
        other: of a second one.
        token: nobody else's.
    """

    verb: str
    name: str
    other: str
    token: str

    def __str__(self) -> str:
        return f"{self.verb} {self.name} {self.other} {self.token}"

    def do(self, registry: Registry) -> None:
        """Call the registry."""
        VERBS[self.verb](registry, self)

    def told(self, book: Book, ids: Sequence[str]) -> Book:
        """What it makes of a book.

        Args:
            book: before; stays as it is.
            ids: of the models that it changes.

        Raises:
            ImpossibleError: it had to be refused there.
        """
        book = {id: copy.deepcopy(page) if id in ids else page for id, page in book.items()}
        if self.verb == "create":
            if self.name in names_in(book) or ids[0] in book:
                raise ImpossibleError(f"{self}: the name is taken")
            book[ids[0]] = Page(self.name, words={"made": self.token})
            return book
        if any(id not in book for id in ids):
            raise ImpossibleError(f"{self}: there is no such model")
        EFFECTS[self.verb](self, book, *(book[id] for id in ids))
        return book

    def refusals(self, book: Book) -> set[type[LocalregError]]:
        """With what it may be refused at some moment."""
        names = names_in(book)
        taken = {"create": self.name, "rename": self.other}.get(self.verb) in names
        missing = self.verb not in FREE and (
            self.name not in names or (self.verb == "move" and self.other not in names)
        )
        return {*([AlreadyExistsError] if taken else []), *([NotFoundError] if missing else [])}


def names_in(book: Book) -> set[str]:
    """What models are called."""
    return {page.name for page in book.values()}


def drawn(chance: Random, token: str, *, verbs: tuple[str, ...]) -> Act:
    """Any act."""
    return Act(chance.choice(verbs), chance.choice(NAMES), chance.choice(NAMES), token)


def shown(state: State) -> Book:
    """What a state says, in the oracle's words."""
    book: Book = {}
    for row in state.children("model"):
        record = row.load(ModelRecord)
        words = {key: str(value) for key, value in record.metadata.items() if key != COUNT}
        count = record.metadata.get(COUNT, 0)
        assert isinstance(count, int)
        versions = state.children("model_version", row.id)
        names = {version.id: version.name for version in versions}
        aliases = [names[str(alias.fields["version"])] for alias in state.children("alias", row.id)]
        book[row.id] = Page(
            row.name,
            count,
            words,
            set(record.tags),
            [version.name for version in versions],
            aliases[0] if aliases else "",
            {file.name for file in state.children("artifact", row.id)},
        )
    return book


def _create(registry: Registry, act: Act) -> None:
    registry.create_model(act.name, metadata={"made": act.token})


def _add(registry: Registry, name: str, number: int) -> None:
    """Read and write in one operation: what a lost update would show."""
    id = registry.get_model(name)._id

    def operation(changes: Changes) -> None:
        row = changes.draft.get("model", id)
        if row is None:
            raise NotFoundError("it is gone")
        record = row.load(ModelRecord)
        count = record.metadata.get(COUNT, 0)
        assert isinstance(count, int)
        changes.update(row, record.replaced(metadata={**record.metadata, COUNT: count + number}))

    registry._session.change(operation)


def _count(registry: Registry, act: Act) -> None:
    _add(registry, act.name, 1)


def _counted(act: Act, book: Book, model: Page) -> None:
    model.count += 1


def _set(registry: Registry, act: Act) -> None:
    registry.get_model(act.name).update(metadata={"word": act.token})


def _was_set(act: Act, book: Book, model: Page) -> None:
    model.words["word"] = act.token


def _tag(registry: Registry, act: Act) -> None:
    registry.get_model(act.name).tag(act.token)


def _tagged(act: Act, book: Book, model: Page) -> None:
    model.tags.add(act.token)


def _rename(registry: Registry, act: Act) -> None:
    registry.get_model(act.name).rename(act.other)


def _renamed(act: Act, book: Book, model: Page) -> None:
    if act.other in names_in(book):
        raise ImpossibleError(f"{act}: the name is taken")
    model.name = act.other


def _delete(registry: Registry, act: Act) -> None:
    registry.get_model(act.name).delete(force=True)


def _deleted(act: Act, book: Book, model: Page) -> None:
    for id in [id for id, page in book.items() if page is model]:
        del book[id]


def _version(registry: Registry, act: Act) -> None:
    registry.get_model(act.name).create_version(act.token)


def _versioned(act: Act, book: Book, model: Page) -> None:
    model.versions.append(act.token)


def _alias(registry: Registry, act: Act) -> None:
    model = registry.get_model(act.name)
    with registry.transaction():
        model.create_version(act.token)
        model.set_alias("best", act.token)


def _aliased(act: Act, book: Book, model: Page) -> None:
    model.versions.append(act.token)
    model.alias = act.token


def _move(registry: Registry, act: Act) -> None:
    """The sum of all counts stays as it is."""
    with registry.transaction():
        _add(registry, act.name, -1)
        _add(registry, act.other, 1)


def _moved(act: Act, book: Book, model: Page, other: Page | None = None) -> None:
    model.count -= 1
    (other or model).count += 1


def _upload(registry: Registry, act: Act) -> None:
    """Few contents, so that one is stored, and taken over, by several."""
    registry.get_model(act.name).upload(act.other.encode() * 100, name=act.token)


def _uploaded(act: Act, book: Book, model: Page) -> None:
    model.files.add(act.token)


def _snapshot(registry: Registry, act: Act) -> None:
    registry.snapshot()


def _collect(registry: Registry, act: Act) -> None:
    """With a grace period that any writer outlasts now and then."""
    collect = getattr(registry, "gc", None)
    if collect is not None:
        collect(grace=GRACE, dry_run=False)


def _collected(act: Act, book: Book) -> None:
    """Records stay as they are."""


def _look(registry: Registry, act: Act) -> None:
    """What is seen is compared after each act."""


FREE = ("create", "look", "reopen", "snapshot", "collect")
"""They need no model."""

VERBS: dict[str, Callable[[Registry, Act], None]] = {
    "create": _create,
    "count": _count,
    "set": _set,
    "tag": _tag,
    "rename": _rename,
    "delete": _delete,
    "version": _version,
    "alias": _alias,
    "move": _move,
    "upload": _upload,
    "snapshot": _snapshot,
    "collect": _collect,
    "look": _look,
    "reopen": _look,
}

EFFECTS: dict[str, Callable[..., None]] = {
    "count": _counted,
    "set": _was_set,
    "tag": _tagged,
    "rename": _renamed,
    "delete": _deleted,
    "version": _versioned,
    "alias": _aliased,
    "move": _moved,
    "upload": _uploaded,
    "collect": _collected,
}
"""Each takes the act, the book, and the pages of the models that are changed."""
