"""Python types → a schema that is stored in the log → native nested Parquet columns.

The schema recorded when a workflow was first used decides what a column is, so that data can be read without the
Python classes. A type is a tree of nodes: plain values, lists, and structs (dataclasses).

Accepted so far: `str`, `int`, `float`, `bool`, dataclasses of these (standard or pydantic), `list[…]` and
`Sequence[…]`, `tuple[X, ...]`, each also `| None`. Anything else is refused with the field named.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import types
import typing
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from localreg.canonical import JsonObject
from localreg.errors import InvalidInputError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ANY_JSON_FIELDS", "Field", "Node", "arrow_type", "schema_of", "without_none"]

ANY_JSON_FIELDS = ("metadata",)
"""Fields of test samples kept as JSON text in a column of their own, and not part of a sample's identity."""

_PLAIN = {str: "str", int: "int", float: "float", bool: "bool"}
_LISTS = (list, tuple, collections.abc.Sequence)


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a type.

    Attributes:
        type: `str`, `int` (64 bits), `float` (64 bits), `bool`, `list` or `struct`.
        optional: whether None is a value.
        items: of a list.
        name: the class of a struct.
        fields: of a struct, in order of declaration.
    """

    type: str
    optional: bool = False
    items: Node | None = None
    name: str | None = None
    fields: tuple[Field, ...] = ()

    def to_json(self) -> JsonObject:
        """The node as it stands in the log."""
        value: JsonObject = {"type": self.type}
        if self.optional:
            value["optional"] = True
        if self.items is not None:
            value["items"] = self.items.to_json()
        if self.type == "struct":
            value["class"] = self.name
            value["fields"] = [{"name": field.name, **field.node.to_json()} for field in self.fields]
        return value

    @classmethod
    def from_json(cls, value: JsonObject) -> Node:
        """The inverse of `to_json`."""
        fields = cast("list[JsonObject]", value.get("fields", []))
        return cls(
            type=str(value["type"]),
            optional=bool(value.get("optional", False)),
            items=cls.from_json(cast(JsonObject, value["items"])) if "items" in value else None,
            name=cast("str | None", value.get("class")),
            fields=tuple(Field(str(field["name"]), cls.from_json(field)) for field in fields),
        )


@dataclass(frozen=True, slots=True)
class Field:
    """A named member of a struct."""

    name: str
    node: Node


def schema_of(cls: type, *, without: Collection[str] = ()) -> Node:
    """The schema of a dataclass.

    Args:
        cls: the dataclass.
        without: fields that are stored elsewhere.

    Raises:
        InvalidInputError: no dataclass, a field of a type that cannot be stored, two fields that differ only by case.
    """
    return _struct(cls, cls.__name__, optional=False, within=(), without=without)


def _struct(cls: type, path: str, *, optional: bool, within: tuple[type, ...], without: Collection[str] = ()) -> Node:
    if not dataclasses.is_dataclass(cls):
        raise InvalidInputError(f"{path} is {cls!r}, which is no dataclass; decorate it with @dataclass(frozen=True)")
    if "__dataclass_fields__" not in vars(cls) and vars(cls).get("__annotations__"):
        raise InvalidInputError(
            f"the fields of {path} are not those of a dataclass; decorate it with @dataclass(frozen=True)"
        )
    if cls in within:
        raise InvalidInputError(f"{path} contains itself; a column cannot be that deep")
    try:
        hints = typing.get_type_hints(cls)
    except NameError as error:
        raise InvalidInputError(f"an annotation of {path} cannot be resolved: {error}; import the name") from error
    fields = []
    seen: dict[str, str] = {}
    for field in dataclasses.fields(cls):
        if field.name in without:
            continue
        # DuckDB would bind `score` to a column `Score`, silently the wrong one.
        twin = seen.setdefault(field.name.lower(), field.name)
        if twin != field.name:
            raise InvalidInputError(
                f"{path} has fields {twin!r} and {field.name!r}, which differ only by case; rename one"
            )
        fields.append(Field(field.name, _node(hints[field.name], f"{path}.{field.name}", within=(*within, cls))))
    return Node("struct", optional, name=cls.__name__, fields=tuple(fields))


def _node(hint: Any, path: str, *, within: tuple[type, ...]) -> Node:
    hint, optional = without_none(hint)
    if hint in _PLAIN:
        return Node(_PLAIN[hint], optional)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in _LISTS and arguments and (origin is not tuple or arguments[1:] == (Ellipsis,)):
        return Node("list", optional, items=_node(arguments[0], f"{path}[]", within=within))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _struct(hint, path, optional=optional, within=within)
    raise InvalidInputError(
        f"{path} has the type {hint!r}, which cannot be stored; "
        "use str, int, float, bool, a dataclass, or a list of these"
    )


def without_none(hint: Any) -> tuple[Any, bool]:
    """A type hint without its `| None`, and whether it had one."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        members = [member for member in typing.get_args(hint) if member is not type(None)]
        if len(members) == 1:
            return members[0], True
    return hint, False


def arrow_type(node: Node) -> pa.DataType:
    """The Arrow type of a node."""
    import pyarrow as pa

    if node.type == "list":
        assert node.items is not None
        return pa.list_(arrow_type(node.items))
    if node.type == "struct" and not node.fields:
        return pa.bool_()  # Parquet has no group without fields: true where there is one
    if node.type == "struct":
        return pa.struct([pa.field(field.name, arrow_type(field.node)) for field in node.fields])
    plain: pa.DataType = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}[node.type]
    return plain
