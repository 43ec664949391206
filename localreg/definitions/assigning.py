"""What makes fields of keys, one part for each: a tree like that of the fields, called with each prediction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from localreg.definitions.naming import BOX, OUTLINE, Tree, is_box, is_outline
from localreg.definitions.values import Source, bad_prediction, boxes_of, fitted, fitted_column, outlines_of, plain
from localreg.errors import InvalidInputError
from localreg.names import did_you_mean
from localreg.tables import JSON_FIELD, Node
from localreg.tables.schema import TAG

__all__ = ["Assigner", "assigner_of"]


class Assigner(Protocol):
    """Makes the value of a field."""

    def __call__(self, prediction: Mapping[str, Any]) -> Any:
        """The value.

        Raises:
            InvalidInputError: a key is missing, or holds what the field cannot take; `bad_prediction`.
        """
        ...


class _Part(Assigner, Protocol):
    """The same of an item of a list, too."""

    def column(self, prediction: Mapping[str, Any]) -> list[Any]:
        """The values of all items."""
        ...

    def sources(self) -> list[Source]:
        """Where they come from."""
        ...


def assigner_of(node: Node, tree: Tree) -> Assigner:
    """What makes whole inferences.

    Args:
        node: the recorded schema of inferences.
        tree: where their fields come from.

    Raises:
        InvalidInputError: a field that must be given has no key, or one has two.
    """
    return replace(_group(node, tree, ""), is_optional=False)


# --- kinds of assigners -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Whole:
    """A field that is the value of one key."""

    node: Node
    source: Source

    def __call__(self, prediction: Mapping[str, Any]) -> Any:
        return fitted(_value(prediction, self.source), self.node, self.source)

    def column(self, prediction: Mapping[str, Any]) -> list[Any]:
        """Its value in each item of a list."""
        return fitted_column(_value(prediction, self.source), self.node, self.source)

    def sources(self) -> list[Source]:
        """Where it comes from."""
        return [self.source]


@dataclass(frozen=True, slots=True)
class _Json:
    """The metadata."""

    source: Source

    def __call__(self, prediction: Mapping[str, Any]) -> Any:
        return plain(_value(prediction, self.source))


@dataclass(frozen=True, slots=True)
class _Group:
    """A struct of which each field comes from elsewhere; None if it may be, and all of them are."""

    is_optional: bool
    parts: tuple[tuple[str, Any], ...]

    def __call__(self, prediction: Mapping[str, Any]) -> Any:
        made = {name: part(prediction) for name, part in self.parts}
        return None if self.is_optional and all(value is None for value in made.values()) else made

    def column(self, prediction: Mapping[str, Any]) -> list[Any]:
        """Its value in each item of a list."""
        return _rows({name: part.column(prediction) for name, part in self.parts}, self.sources)

    def sources(self) -> list[Source]:
        """Where it comes from."""
        return [source for _, part in self.parts for source in part.sources()]


@dataclass(frozen=True, slots=True)
class _Items:
    """A list of structs of which each part is a list of the same length.

    Attributes:
        node: of the list.
        shape: makes the part that is a shape, such as the corners of boxes; None = there is none.
        source: of the shape.
        rest: the other parts.
        tag: of a union, which member the items are.
    """

    node: Node
    shape: Callable[[Any, Source], dict[str, list[Any]]] | None
    source: Source | None
    rest: _Group
    tag: str | None

    def __call__(self, prediction: Mapping[str, Any]) -> Any:
        if self.node.optional and all(_value(prediction, each) is None for each in self.sources()):
            return None
        columns: dict[str, list[Any]] = {}
        if self.shape is not None and self.source is not None:
            value = _value(prediction, self.source)
            if not self.rest.parts and isinstance(value, list | tuple) and all(isinstance(v, Mapping) for v in value):
                assert self.node.items is not None, "it is a list"
                return fitted_column(value, self.node.items, self.source)
            columns = self.shape(value, self.source)
        columns |= {name: part.column(prediction) for name, part in self.rest.parts}
        made = _rows(columns, self.sources)
        return made if self.tag is None else [{TAG: self.tag, **item} for item in made]

    def sources(self) -> list[Source]:
        """Where it comes from."""
        return [*([] if self.source is None else [self.source]), *self.rest.sources()]


def _rows(columns: Mapping[str, list[Any]], sources: Callable[[], list[Source]]) -> list[dict[str, Any]]:
    """Columns as dicts.

    Raises:
        InvalidInputError: they differ in length.
    """
    lengths = list(map(len, columns.values()))
    if len(set(lengths)) > 1:
        raise _unequal(columns, sources())
    names = tuple(columns)
    return [dict(zip(names, row)) for row in zip(*columns.values())]  # noqa: B905 - lengths were compared


def _value(prediction: Mapping[str, Any], source: Source) -> Any:
    try:
        return prediction[source.key]
    except KeyError:
        hint = did_you_mean(source.key, map(str, prediction)) or f"; it has {', '.join(map(str, prediction)) or 'none'}"
        raise InvalidInputError(
            f"a prediction has no key {source.key!r}, from which field {source.field!r} comes{hint}",
            code="bad_prediction",
        ) from None


def _unequal(columns: Mapping[str, list[Any]], sources: list[Source]) -> InvalidInputError:
    first, *others = columns
    other = next(name for name in others if len(columns[name]) != len(columns[first]))
    source = next(each for each in sources if f".{other}." in f"{each.field}.")
    told = f"{len(columns[other])} values, and {sources[0].key!r} {len(columns[first])}"
    return bad_prediction(source, told, "as many of each")


# --- from trees to assigners ------------------------------------------------------------------------------------------


def _group(node: Node, tree: Tree, path: str, *, given: tuple[str, ...] = (), inside: bool = False) -> _Group:
    """The plan of a struct.

    Args:
        node: of the struct.
        tree: where its fields come from.
        path: of the struct, for messages.
        given: fields that come from elsewhere.
        inside: whether it is an item of a list.

    Raises:
        InvalidInputError: a field that must be given has no key.
    """
    for field in node.fields:
        if field.name not in tree.within and field.name not in given and not field.node.optional:
            raise InvalidInputError(
                f"no key of the predictions gives field {_joined(path, field.name)!r} of {node.name}, which must be "
                "there; say in output.mapping which one does"
            )
    parts: list[tuple[str, Any]] = []
    for name, inner in tree.within.items():
        found = node.field(name)
        if found is None:  # the only name that is no field
            parts.append((name, _Json(Source(_key(inner), JSON_FIELD))))
        else:
            parts.append((name, _part(found, inner, _joined(path, name), inside=inside)))
    return _Group(node.optional, tuple(parts))


def _part(node: Node, tree: Tree, path: str, *, inside: bool) -> Any:
    is_shape = node.type == "list" and not inside
    if tree.key is not None and tree.within and not is_shape:
        raise _twice(path)
    if node.type == "list" and inside and tree.within:
        raise InvalidInputError(
            f"field {path!r} is a list within a list, of which output.mapping names parts; name the whole"
        )
    if is_shape:
        return _list(node, tree, path)
    return _group(node, tree, path, inside=inside) if tree.within else _Whole(node, Source(_key(tree), path))


def _list(node: Node, tree: Tree, path: str) -> Any:
    """The plan of a list: the value of one key, or items that are made of several."""
    item, tag = node.items, None
    assert item is not None, "it is a list"
    if item.type == "union" and tree.within:
        (tag, tree), *others = tree.within.items()
        if others:
            raise InvalidInputError(f"field {path!r} can be given items of one kind; write a function to mix them")
        item = next(field.node for field in item.fields if field.name == tag)
    shape, given = (boxes_of, BOX) if is_box(item) else (outlines_of, OUTLINE) if is_outline(item) else (None, ())
    is_whole = any(field.name not in given and not field.node.optional for field in item.fields)
    if not tree.within and (shape is None or is_whole):
        return _Whole(node, Source(_key(tree), path))
    if tree.key is None:
        return _Items(node, None, None, _group(item, tree, path, inside=True), tag)
    if shape is None or not tree.within.keys().isdisjoint(given):
        raise _twice(path)
    rest = _group(item, tree, path, given=given, inside=True)
    return _Items(node, shape, Source(tree.key, path), rest, tag)


def _twice(path: str) -> InvalidInputError:
    return InvalidInputError(f"output.mapping names field {path!r} and parts of it; name the one or the other")


def _key(tree: Tree) -> str:
    assert tree.key is not None, "what has no parts has a key"
    return tree.key


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
