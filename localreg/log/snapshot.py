"""Snapshots: the state at one commit, as a set of layers that may be deleted at any time.

A set is a large layer and a few smaller ones over it, each with what changed since: writing a snapshot costs what has
changed, not what there is. The newest layer names those that it lies upon, so one path is a whole set; a hint beside
them names the newest. Names end with a digest, so a file never changes under its name, and two writers of one
snapshot do not meet. A set with a layer that is missing, torn, of another log or of a layout that we do not know is
passed over: the log alone is the truth.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from localreg.canonical import canonical, parse
from localreg.errors import LocalregError, NotFoundError
from localreg.log.caches import DamagedLayerError, given_up, unless_unreadable
from localreg.log.layer import REMOVED, Layer, Removed, footer_digest, layer_commit
from localreg.log.row import Row
from localreg.log.state import State

if TYPE_CHECKING:
    from pathlib import Path

    from localreg.log.signing import SigningKey
    from localreg.storage import Store

__all__ = ["HINT", "LayeredBase", "hinted", "hinted_commit", "load", "paths", "read", "save"]

FOLDER = "snapshots"
HINT = "snapshots/latest.json"

SMALL = 4_096
"""Rows up to which a layer is rewritten with every snapshot: it costs less than one more file for every reader."""
GROWTH = 8
"""A layer is merged with the newer ones once these have an eighth of its rows. So each row is rewritten a few times in
its life, and a set of n rows has about log8(n / 4,096) + 1 layers."""

FEW_ROWS, FEW_LISTS = 16, 64
"""Lists of so many records, and so many lists, are kept: each commit asks for features, signers and policies."""

_T = TypeVar("_T")

Rebuild = Callable[[], State]
"""Gives the same state from the log alone."""


class LayeredBase:
    """The records of a set of layers; what the newest layer says of a record counts.

    When a layer turns out to be damaged the records are folded from the log instead, once, and nobody above notices.
    """

    def __init__(self, layers: Sequence[Layer], rebuild: Rebuild) -> None:
        self.layers = tuple(layers)
        self.commit = layers[-1].head.commit
        self.path = layers[-1].path
        self.signature = layers[-1].signature
        self._rebuild = rebuild
        self._rebuilt: State | None = None
        self._few: dict[tuple[str, str], list[Row]] = {}

    @property
    def damaged(self) -> bool:
        """Whether a layer turned out to be damaged: the next snapshot must not be built on these."""
        return self._rebuilt is not None

    @property
    def is_there(self) -> bool:
        """Whether all its files are, as far as one look at each can tell."""
        return all(os.path.exists(layer.native) for layer in self.layers)

    def get(self, kind: str, id: str) -> Row | None:
        """The record, or None."""
        return self._answer(lambda: self._get(kind, id), lambda state: state.get(kind, id))

    def get_many(self, keys: Sequence[tuple[str, str]]) -> Iterable[Row]:
        """Those of the records that are there."""
        return self._answer(
            lambda: self._get_many(keys), lambda state: [row for key in keys if (row := state.get(*key)) is not None]
        )

    def outline(self, kind: str, id: str) -> Row | None:
        """The record, without what it says."""
        return self._answer(lambda: self._get(kind, id, Layer.outline), lambda state: state.get(kind, id))

    def find(self, kind: str, name: str, parent: str) -> Row | None:
        """The record of that name, or None."""
        return self._answer(lambda: self._find(kind, name, parent), lambda state: state.find(kind, name, parent))

    def holds(self, kind: str, id: str) -> bool:
        """Whether a layer says anything of the record."""
        return any(layer.holds(kind, id) for layer in self.layers)

    def children(self, kind: str, parent: str) -> Iterable[Row]:
        """All of one kind within one parent."""
        if (kind, parent) in self._few:
            return self._few[kind, parent]
        rows = list(
            self._answer(
                lambda: list(self._newest(lambda layer: layer.children(kind, parent), kind, lambda row: row.id)),
                lambda state: state.children(kind, parent),
            )
        )
        if len(rows) <= FEW_ROWS and len(self._few) < FEW_LISTS:
            self._few[kind, parent] = rows
        return rows

    def outlines(self, kind: str, parent: str) -> Iterable[Row]:
        """All of one kind within one parent, without what they say."""
        return self._answer(
            lambda: list(self._newest(lambda layer: layer.outlines(kind, parent), kind, lambda row: row.id)),
            lambda state: state.children(kind, parent),
        )

    def rows(self, kind: str | None = None) -> Iterable[Row]:
        """All of them, or all of one kind."""
        return self._answer(lambda: list(self._shown(Layer.all, kind)), lambda state: state.rows(kind))

    def names(self, kind: str, parent: str) -> Iterable[tuple[str, str]]:
        """(id, name) of each of one kind within one parent."""
        return self._answer(
            lambda: list(self._newest(lambda layer: layer.names(kind, parent), kind, lambda pair: pair[0])),
            lambda state: ((row.id, row.name) for row in state.children(kind, parent)),
        )

    def containing(self, kind: str, *texts: str) -> Iterable[Row]:
        """Those of one kind whose record (without metadata) contains all these texts, as JSON."""
        return self._answer(
            lambda: list(self._newest(lambda layer: layer.containing(kind, *texts), kind, lambda row: row.id)),
            lambda state: state.containing(kind, *texts),
        )

    def referring(self, kind: str, field: str) -> Iterable[tuple[Row, list[str]]]:
        """Those of one kind that have ids in a field, without what else they say, each with these ids."""
        return self._answer(
            lambda: list(self._newest(lambda layer: layer.referring(kind, field), kind, lambda pair: pair[0].id)),
            lambda state: state.referring(kind, field),
        )

    def stream(self) -> Iterator[Row]:
        """All of them, never more than a row group in memory.

        Raises:
            DamagedLayerError: a layer turned out to be damaged.
        """
        return self._shown(Layer.all, None)

    def files(self) -> list[Path]:
        """Native paths of the layers, oldest first; none if they cannot be read as they are."""

        def checked() -> list[Path]:
            return [layer.native for layer in self.layers] if all(layer.check_file() for layer in self.layers) else []

        return self._answer(checked, lambda _: [])

    def _get(
        self, kind: str, id: str, look: Callable[[Layer, str, str], Row | Removed | None] = Layer.get
    ) -> Row | None:
        for layer in reversed(self.layers):
            row = look(layer, kind, id)
            if row is not None:
                return None if row is REMOVED else row
        return None

    def _get_many(self, keys: Sequence[tuple[str, str]]) -> list[Row]:
        found: dict[tuple[str, str], Row | Removed] = {}
        for layer in reversed(self.layers):
            found.update(layer.get_many([key for key in keys if key not in found]))
        return [row for row in found.values() if row is not REMOVED]

    def _find(self, kind: str, name: str, parent: str) -> Row | None:
        for place in range(len(self.layers) - 1, -1, -1):
            row = self.layers[place].find(kind, name, parent)
            # A newer layer may have renamed or removed what this one still calls so.
            newer = self.layers[place + 1 :]
            if row is not None and not any(layer.outline(kind, row.id) is not None for layer in newer):
                return row
        return None

    def _shown(self, of: Callable[[Layer, str], Iterable[Row]], kind: str | None) -> Iterator[Row]:
        kinds = {kind} if kind is not None else frozenset[str]().union(*(layer.kinds for layer in self.layers))
        for each in sorted(kinds):
            yield from self._newest(partial(_of_kind, of, each), each, lambda row: row.id)

    def _newest(self, of: Callable[[Layer], Iterable[_T]], kind: str, id_of: Callable[[_T], str]) -> Iterator[_T]:
        """What the layers hold of one kind, without what a newer one says anew."""
        shadowed: set[str] = set()
        holding = [layer for layer in self.layers if kind in layer.kinds]
        for layer in reversed(holding):
            yield from (each for each in of(layer) if id_of(each) not in shadowed) if shadowed else of(layer)
            if layer is not holding[0]:
                shadowed.update(layer.shadows(kind))

    def _answer(self, ask: Callable[[], _T], instead: Callable[[State], _T]) -> _T:
        if self._rebuilt is None:
            try:
                return ask()
            except DamagedLayerError as error:
                import logging

                logging.getLogger("localreg").warning("%s; the log is read instead, which takes longer", error)
                self._rebuilt = self._rebuild()  # by two threads at once, perhaps, to the same end
        return instead(self._rebuilt)


def _of_kind(of: Callable[[Layer, str], Iterable[Row]], kind: str, layer: Layer) -> Iterable[Row]:
    return of(layer, kind)


def save(store: Store, origin: str, state: State, rebuild: Rebuild, *, key: SigningKey | None = None) -> State:
    """Write the snapshot of a state and its hint; clean up older ones. Returns the same state on the new base.

    Args:
        store: the namespace's.
        origin: digest that the log began with: tells this log from any other.
        state: what to write.
        rebuild: gives this state again from the log alone, should the files be damaged later.
        key: to sign it with.
    """
    from localreg.log.layer_writer import changes_table, merged_bytes  # numpy and pyarrow come with it

    layers = _sound_layers(store, state)
    if not layers and state.base.commit:  # on a base that cannot be built upon: all of it is new
        changes = changes_table(((row.kind, row.id), row) for row in state.rows())
    else:
        overlay = state.overlay()
        changes = changes_table((key, row) for key, row in overlay if row is not None or _held(layers, key))
    merged = _worth_merging(layers, changes.num_rows)
    below = layers[: len(layers) - merged]
    under = [layer.path for layer in below]
    data = merged_bytes(
        layers[len(below) :],
        changes,
        below,
        {"origin": origin, "under": list(under), "replaced": [layer.path for layer in layers], **state.head._asdict()},
        key,
    )
    path = _path(state.head.commit, data)
    store.put(path, data)
    if any(store.size(layer.path) is None for layer in layers):  # a redaction came in between, and forbids their rows
        store.delete(path)
        raise given_up(path)
    store.put(HINT, canonical({"path": path}).encode())
    try:
        layer = Layer(path, store.local_file(path), origin=origin)
    except NotFoundError as error:  # tidied away by whoever has written a newer one since
        raise given_up(path) from error
    _clean_up(store, layer)
    return State(state.head, LayeredBase([*below, layer], rebuild), state.signers)


def _sound_layers(store: Store, state: State) -> tuple[Layer, ...]:
    """The layers under a state; none if a new one cannot be laid upon them."""
    base = state.base
    if not isinstance(base, LayeredBase) or base.damaged or any(store.size(path.path) is None for path in base.layers):
        return ()
    return base.layers


def _held(layers: Sequence[Layer], key: tuple[str, str]) -> bool:
    return any(layer.holds(*key) for layer in layers)


def _worth_merging(layers: Sequence[Layer], changes: int) -> int:
    """How many of the newest layers a snapshot with so many changed rows takes in."""
    merged, rows = 0, changes
    for layer in reversed(layers):
        if layer.rows > max(SMALL, GROWTH * rows):
            break
        rows += layer.rows
        merged += 1
    return merged


def _path(commit: int, data: bytes) -> str:
    footer = int.from_bytes(data[-8:-4], "little") + 8
    return f"{FOLDER}/{commit:020d}-{footer_digest(data[-footer:])}.parquet"


def _clean_up(store: Store, newest: Layer) -> None:
    """Leave this set, and the one before it for a reader that has just read an older hint."""
    kept = {newest.path, *newest.under, *newest.replaced}
    with contextlib.suppress(LocalregError):  # tidying is worth no error: the next snapshot tries again
        for path in store.list(FOLDER):
            commit = layer_commit(path)
            if path.endswith(".parquet") and path not in kept and (commit is None or commit <= newest.head.commit):
                store.delete(path)


def load(
    store: Store,
    origin: str,
    rebuild: Callable[[int], State],
    *,
    at_most: int | None = None,
    trusts: Callable[[Layer], bool] | None = None,
) -> State | None:
    """The state of the newest readable snapshot, not newer than commit `at_most`; None if there is none."""
    for path in _candidates(store, at_most):
        state = read(store, origin, rebuild, path, trusts=trusts)
        if state is not None and (at_most is None or state.head.commit <= at_most):
            return state
    return None


def read(
    store: Store,
    origin: str,
    rebuild: Callable[[int], State],
    path: str,
    *,
    trusts: Callable[[Layer], bool] | None = None,
) -> State | None:
    """The state that one snapshot shows; None if it cannot be read.

    Args:
        store: the namespace's.
        origin: digest that the log began with.
        rebuild: gives the state at a commit from the log alone, should a layer turn out to be damaged.
        path: of the newest layer of the set.
        trusts: whether to believe a set, told by its newest layer.
    """
    try:
        newest = Layer(path, store.local_file(path), origin=origin)
        if trusts is not None and not trusts(newest):
            return None
        natives = store.local_files(newest.under)
        under = [Layer(each, native, origin=origin) for each, native in zip(newest.under, natives, strict=True)]
        if newest.signature:
            for layer in (*under, newest):
                layer.check_content()
    except LocalregError:
        return None  # a cache that cannot be read is no cache
    return State(newest.head, LayeredBase([*under, newest], partial(rebuild, newest.head.commit)))


def _candidates(store: Store, at_most: int | None) -> Iterator[str]:
    newest = hinted(store)
    if newest is not None and (at_most is None or (layer_commit(newest) or 0) <= at_most):
        yield newest
    for path in reversed(paths(store)):
        if path != newest and (at_most is None or (layer_commit(path) or 0) <= at_most):
            yield path


def paths(store: Store) -> list[str]:
    """The snapshot files that are there, oldest first; each is the newest layer of a set."""
    there = unless_unreadable(store, lambda: list(store.list(FOLDER)), list[str]())
    return [path for path in there if layer_commit(path) is not None]


def hinted(store: Store) -> str | None:
    """The newest snapshot, as the hint says; None if there is no hint that can be read. It may not be there."""
    data = unless_unreadable(store, lambda: store.get(HINT), None)
    try:
        hint = parse(data) if data is not None else None
    except LocalregError:
        return None
    path = hint.get("path") if isinstance(hint, dict) else None
    return path if isinstance(path, str) and path.startswith(f"{FOLDER}/") and layer_commit(path) is not None else None


def hinted_commit(store: Store) -> int | None:
    """The commit of the newest snapshot, as the hint says; None if it does not."""
    path = hinted(store)
    return None if path is None else layer_commit(path)
