"""The schema of a typed column: a tree of nodes that stands in the log.

It decides what a column is, so that the data can be read without the Python classes, and grows when a wider class is
used (`merged`). `localreg.tables.hints` makes it of Python types, `localreg.tables.codecs` follows it both ways.

| type | Python | Arrow and Parquet |
|---|---|---|
| `str`, `int`, `float`, `bool`, `bytes` | the same | string, int64, double, bool, binary |
| `datetime`, `date`, `timedelta` | aware; the same | timestamp(µs, UTC), date32, int64 (µs) |
| `uuid`, `decimal`, `path`, `time` | the same | string |
| `enum` | `Enum`, `Literal` of texts | string, dictionary-encoded |
| `list` | `list`, `tuple[X, ...]`, `Sequence`, sets, `numpy` vectors | list |
| `map` | `dict`, `Mapping` | map |
| `tuple` | `tuple[X, Y]` | struct; fields `_1`, `_2` if not named |
| `struct` | dataclass | struct; without fields a boolean |
| `union` | `Union[A, B]` | struct of `type` and one field a member, of which one is not null |
| `vector` | `Vector[n]` | fixed-size list of float |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any, cast

from localreg.canonical import JsonObject
from localreg.errors import FormatError, InvalidInputError, WorkflowMismatchError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["JSON_FIELD", "MOST_NODES", "TAG", "Field", "Node", "arrow_type", "merged"]

JSON_FIELD = "metadata"
"""A field of this name that takes any JSON object is kept as text in a column of its own."""

TAG = "type"
"""The field of a union's struct that says which member is there."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a type.

    Attributes:
        type: one of the table above.
        optional: whether None is a value.
        items: of a list; the values of a map.
        keys: of a map.
        name: the class of a struct or an enum, for people.
        fields: of a struct or a tuple, in order; the members of a union by name.
        values: of an enum, in order; the numbers that an int may be, none for any.
        size: of a vector.
    """

    type: str
    optional: bool = False
    items: Node | None = None
    keys: Node | None = None
    name: str | None = None
    fields: tuple[Field, ...] = ()
    values: tuple[str | int, ...] = ()
    size: int = 0

    def to_json(self) -> JsonObject:
        """The node as it stands in the log."""
        value: JsonObject = {"type": self.type}
        if self.optional:
            value["optional"] = True
        if self.keys is not None:
            value["keys"] = self.keys.to_json()
        if self.items is not None:
            value["items"] = self.items.to_json()
        if self.type == "struct" or self.name is not None:
            value["class"] = self.name
        if self.type in ("struct", "tuple", "union"):
            value["fields"] = [{"name": field.name, **field.node.to_json()} for field in self.fields]
        if self.values:
            value["values"] = list(self.values)
        if self.size:
            value["size"] = self.size
        return value

    @classmethod
    def from_json(cls, value: JsonObject) -> Node:
        """The inverse of `to_json`.

        Raises:
            FormatError: it is no such node, or more than `MOST_NODES`: whoever may write a log may say anything.
        """
        try:
            return _from_json(value, count(1), 0)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise FormatError(f"a recorded type cannot be read ({error}); upgrade localreg") from error

    def nodes(self) -> int:
        """How many it is made of, itself included."""
        inner = [self.items, self.keys, *(field.node for field in self.fields)]
        return 1 + sum(node.nodes() for node in inner if node is not None)

    def field(self, name: str) -> Node | None:
        """The node of a field."""
        return next((field.node for field in self.fields if field.name == name), None)


@dataclass(frozen=True, slots=True)
class Field:
    """A named member of a struct, a tuple or a union."""

    name: str
    node: Node


MOST_NODES = 10_000
"""Of a type: what is made of a type, columns and queries, takes a while for so many already."""
DEEPEST = 100
"""Levels of a type."""
_SCALARS = "str", "int", "float", "bool", "bytes", "datetime", "date", "timedelta", "uuid", "decimal", "path", "time"
_TYPES = frozenset((*_SCALARS, "enum", "list", "map", "tuple", "struct", "union", "vector"))


def _from_json(value: JsonObject, numbers: Iterator[int], depth: int) -> Node:
    """Raises whatever is met first in what is no node; so does what is too much."""
    if next(numbers) > MOST_NODES or depth > DEEPEST:
        raise ValueError(f"it has more than {MOST_NODES:,} parts, or {DEEPEST} levels")
    if value["type"] not in _TYPES:
        raise ValueError(f"there is no type {str(value['type'])[:40]!r}")

    def inner(key: str) -> Node | None:
        return _from_json(cast(JsonObject, value[key]), numbers, depth + 1) if key in value else None

    name, size = value.get("class"), value.get("size", 0)
    if not isinstance(name, str | None) or type(size) is not int or not 0 <= size < 2**31:
        raise ValueError("its class has no name, or its size is none")
    fields = [(each["name"], each) for each in cast("list[JsonObject]", value.get("fields", []))]
    values = cast("list[str | int]", value.get("values", []))
    if not all(isinstance(each, str) for each, _ in fields) or not all(type(each) in (str, int) for each in values):
        raise ValueError("its names and values are none")
    return Node(
        type=str(value["type"]),
        optional=bool(value.get("optional", False)),
        items=inner("items"),
        keys=inner("keys"),
        name=name,
        fields=tuple(Field(str(each), _from_json(node, numbers, depth + 1)) for each, node in fields),
        values=tuple(values),
        size=size,
    )


_PLAIN = {"str": "string", "int": "int64", "float": "float64", "bool": "bool_", "bytes": "binary", "date": "date32"}
_AS_TEXT = ("uuid", "decimal", "path", "time")


def arrow_type(node: Node) -> pa.DataType:
    """The Arrow type of a node."""
    import pyarrow as pa

    if node.type == "enum":
        return pa.dictionary(pa.int32(), pa.string())
    if node.type == "list":
        return pa.list_(arrow_type(cast(Node, node.items)))
    if node.type == "map":
        return pa.map_(arrow_type(cast(Node, node.keys)), arrow_type(cast(Node, node.items)))
    if node.type == "vector":
        return pa.list_(pa.float32(), node.size)
    if node.type in ("struct", "tuple", "union"):
        return _group_type(node)
    if node.type == "datetime":
        return pa.timestamp("us", "UTC")
    if node.type == "timedelta":
        return pa.int64()
    if node.type in _AS_TEXT:
        return pa.string()
    plain: pa.DataType = getattr(pa, _PLAIN[node.type])()
    return plain


def _group_type(node: Node) -> pa.DataType:
    import pyarrow as pa

    if not node.fields:
        return pa.bool_()  # Parquet has no group without fields: true where there is one
    fields = [pa.field(field.name, arrow_type(field.node)) for field in node.fields]
    if node.type == "union":
        fields.insert(0, pa.field(TAG, pa.dictionary(pa.int32(), pa.string())))
    return pa.struct(fields)


def merged(recorded: Node, given: Node, path: str) -> Node:
    """What a recorded node becomes when a class of another schema is used: what is new is added, nothing goes.

    Args:
        recorded: as it stands in the log.
        given: of the class that is used now; may have fewer fields.
        path: for messages.

    Raises:
        WorkflowMismatchError: a field has another type.
    """
    if recorded == given:
        return recorded
    if recorded.type != given.type or recorded.size != given.size:
        raise WorkflowMismatchError(f"{path} was recorded as {described(recorded)} and is now {described(given)}")
    made = replace(
        recorded,
        optional=recorded.optional or given.optional,
        values=_merged_values(recorded, given),
    )
    if recorded.items is not None and given.items is not None:
        made = replace(made, items=_merged_inner(recorded.items, given.items, f"{path}[]"))
    if recorded.keys is not None and given.keys is not None:
        made = replace(made, keys=_merged_inner(recorded.keys, given.keys, f"keys of {path}"))
    return replace(made, fields=_merged_fields(recorded, given, path))


def _merged_inner(recorded: Node, given: Node, path: str) -> Node:
    """The same within another value, where a class without fields stays one: its column is of another type."""
    if recorded.type == given.type == "struct" and given.fields and not recorded.fields:
        raise WorkflowMismatchError(
            f"{path} was recorded as {described(recorded)} without fields, and cannot gain any; add a field of another "
            "name, or use another workflow name"
        )
    return merged(recorded, given, path)


def _merged_values(recorded: Node, given: Node) -> tuple[str | int, ...]:
    if recorded.type != "enum" and not (recorded.values and given.values):
        return ()  # any
    return (*recorded.values, *(value for value in given.values if value not in recorded.values))


def _merged_fields(recorded: Node, given: Node, path: str) -> tuple[Field, ...]:
    names = [field.name for field in recorded.fields], [field.name for field in given.fields]
    if recorded.type == "tuple" and names[0] != names[1]:
        raise WorkflowMismatchError(f"{path} was recorded as {described(recorded)} and is now {described(given)}")
    fields = []
    for field in recorded.fields:
        node = given.field(field.name)
        inner = field.node if node is None else _merged_inner(field.node, node, f"{path}.{field.name}")
        fields.append(Field(field.name, inner))
    new = [field for field in given.fields if field.name not in names[0]]
    lower = {name.lower(): name for name in names[0]}
    for field in new:
        if field.name.lower() in lower:
            # DuckDB would bind the one to the other's column, silently the wrong one.
            raise WorkflowMismatchError(
                f"{path} was recorded with a field {lower[field.name.lower()]!r}, from which {field.name!r} differs "
                "only by case; rename it"
            )
    return (*fields, *new)


def described(node: Node) -> str:
    """A node in the words of a message."""
    inner = "" if node.items is None else f" of {described(node.items)}"
    if node.type == "tuple":
        inner = f" of {', '.join(described(field.node) for field in node.fields)}"
    name = node.name if node.type == "struct" and node.name else node.type
    article = "an" if name[0] in "aeiouAEIOU" else "a"
    return f"{article} {name}{f' of {node.size} numbers' if node.size else inner}"


def refuse_twins(names: list[str], path: str) -> None:
    """Refuse fields that differ only by case.

    Raises:
        InvalidInputError: DuckDB would bind `score` to a column `Score`, silently the wrong one.
    """
    seen: dict[str, Any] = {}
    for name in names:
        twin = seen.setdefault(name.lower(), name)
        if twin != name:
            raise InvalidInputError(f"{path} has fields {twin!r} and {name!r}, which differ only by case; rename one")
