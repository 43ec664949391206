"""Python types → the schema that is stored for them.

Whatever `typing.get_type_hints` resolves: dataclasses (standard or pydantic), `X | None`, unions, `Literal`, `Enum`,
`dict`, nested lists, tuples and sets, `NewType`, `Annotated`, dates, UUIDs, decimals, paths, numpy vectors,
`Vector[n]`. What has no exact column (`Any`, `object`, a bare `list`) is refused with the field named.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import decimal
import enum
import pathlib
import types
import typing
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from localreg.errors import InvalidInputError
from localreg.tables.schema import MOST_NODES, Field, Node, refuse_twins

__all__ = ["Names", "Vector", "hints_of", "is_dataclass_type", "member_name", "peeled", "schema_of", "union_members"]

NoneType = type(None)

PLAIN: dict[object, str] = {
    str: "str",
    int: "int",
    float: "float",
    bool: "bool",
    bytes: "bytes",
    datetime.datetime: "datetime",
    datetime.date: "date",
    datetime.time: "time",
    datetime.timedelta: "timedelta",
    uuid.UUID: "uuid",
    decimal.Decimal: "decimal",
}
SETS = (set, frozenset, collections.abc.Set)
LISTS = (list, tuple, collections.abc.Sequence, *SETS)
MAPS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


class Names:
    """Names the items of a tuple in an annotation: `Annotated[tuple[float, float], Names("x", "y")]`.

    SQL then reaches them as `box.top_left.x`; unnamed ones are `_1`, `_2`.
    """

    def __init__(self, *names: str) -> None:
        self.names = names


@dataclass(frozen=True)
class Dimensions:
    """Of how many numbers a vector is, in an annotation."""

    count: int


if TYPE_CHECKING:
    Vector: Any  # a number in brackets is a type to no type checker; mypy lets it pass with what is Any
else:

    class Vector:
        """A vector of a fixed number of floats (32 bits), such as an embedding: `embedding: Vector[512]`.

        Kept in files of its own, so that who reads the other fields does not read it. Comes back as a numpy array,
        float32, read-only. Type checkers see Any.
        """

        def __class_getitem__(cls, count: int) -> Any:
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                raise InvalidInputError(f"Vector[{count!r}] has no such size; give a whole number, as in Vector[512]")
            return Annotated[Vector, Dimensions(count)]

        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            from pydantic_core import core_schema  # it is there: it is pydantic's who asks

            return core_schema.any_schema()  # whether it fits is seen when it is stored


def schema_of(cls: type, *, without: Collection[str] = ()) -> Node:
    """The schema of a dataclass.

    Args:
        cls: the dataclass.
        without: fields that are stored elsewhere.

    Raises:
        InvalidInputError: no dataclass, a field of a type that cannot be stored, two fields that differ only by
            case, more than 10,000 fields in all.
    """
    node = _struct(cls, cls.__name__, within=(), without=without)
    if node.nodes() > MOST_NODES:
        raise InvalidInputError(f"{cls.__name__} has {node.nodes():,} fields in all, more than {MOST_NODES:,}")
    return node


def hints_of(cls: type, path: str | None = None) -> dict[str, Any]:
    """The resolved annotations of a dataclass, with what `Annotated` says.

    Raises:
        InvalidInputError: a name in them cannot be resolved.
    """
    try:
        return typing.get_type_hints(cls, include_extras=True)
    except NameError as error:
        shown = path or cls.__name__
        raise InvalidInputError(
            f"an annotation of {shown} cannot be resolved: {error}; define or import that name at the top of the "
            "module, not within a function or under TYPE_CHECKING"
        ) from error


def _struct(cls: type, path: str, *, within: tuple[type, ...], without: Collection[str] = ()) -> Node:
    if not dataclasses.is_dataclass(cls):
        raise InvalidInputError(f"{path} is {cls!r}, which is no dataclass; decorate it with @dataclass(frozen=True)")
    if "__dataclass_fields__" not in vars(cls) and vars(cls).get("__annotations__"):
        raise InvalidInputError(
            f"the fields of {path} are not those of a dataclass; decorate it with @dataclass(frozen=True)"
        )
    if cls in within:
        raise InvalidInputError(f"{path} contains itself; a column cannot be that deep")
    hints = hints_of(cls, path)
    names = [field.name for field in dataclasses.fields(cls) if field.name not in without]
    refuse_twins(names, path)
    fields = tuple(Field(name, _node(hints[name], f"{path}.{name}", (*within, cls))) for name in names)
    return Node("struct", name=cls.__name__, fields=fields)


def _node(hint: Any, path: str, within: tuple[type, ...]) -> Node:
    hint, notes, optional = peeled(hint)
    node = _inner(hint, notes, path, within)
    return dataclasses.replace(node, optional=optional or node.optional)


def peeled(hint: Any) -> tuple[Any, list[Any], bool]:
    """A hint without `| None`, `Annotated`, `NewType` and aliases; the notes of `Annotated`; whether it had `None`."""
    notes: list[Any] = []
    optional = False
    while True:
        if typing.get_origin(hint) is Annotated:
            notes += hint.__metadata__
            hint = hint.__origin__
        elif isinstance(hint, typing.NewType):
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":  # `type X = …`, from Python 3.12 on
            hint = hint.__value__
        elif typing.get_origin(hint) is typing.Literal and None in typing.get_args(hint):
            optional = True
            rest = tuple(value for value in typing.get_args(hint) if value is not None)
            hint = typing.Literal[rest] if rest else NoneType
        elif _is_union(hint) and NoneType in typing.get_args(hint):
            optional = True
            rest = tuple(member for member in typing.get_args(hint) if member is not NoneType)
            hint = typing.Union[rest]  # noqa: UP007 - of one member it is that member
        else:
            return hint, notes, optional


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _inner(hint: Any, notes: list[Any], path: str, within: tuple[type, ...]) -> Node:
    if hint in PLAIN:
        return Node(PLAIN[hint])
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if _is_union(hint):
        return _union(hint, path, within)
    if origin is typing.Literal:
        return _literal(arguments, path)
    if hint is Vector or any(isinstance(note, Dimensions) for note in notes):
        return _vector(notes, path)
    if origin is tuple and arguments and arguments[1:] != (Ellipsis,):
        return _tuple(arguments, notes, path, within)
    if origin in LISTS and arguments:
        return Node("list", items=_node(arguments[0], f"{path}[]", within))
    if origin in MAPS and arguments[1] is not Any:
        keys = _node(arguments[0], f"keys of {path}", within)
        if keys.optional or keys.type in ("list", "map", "struct", "union", "tuple", "vector"):
            raise _unstorable(hint, path)
        return Node("map", keys=keys, items=_node(arguments[1], f"{path}[]", within))
    if origin is not None and getattr(origin, "__module__", "") == "numpy":
        return _numpy_list(arguments, hint, path)
    if isinstance(hint, type):
        return _class(hint, path, within)
    raise _unstorable(hint, path)


def _class(cls: type, path: str, within: tuple[type, ...]) -> Node:
    if dataclasses.is_dataclass(cls):
        return _struct(cls, path, within=within)
    if issubclass(cls, enum.Enum):
        return _enum(cls, list(cls), path)
    if issubclass(cls, pathlib.PurePath):
        return Node("path")
    raise _unstorable(cls, path)


def _enum(cls: type, members: Collection[Any], path: str) -> Node:
    names = tuple(map(member_name, members))
    if len(set(names)) < len(names):
        twin = next(name for name in names if names.count(name) > 1)
        raise InvalidInputError(
            f"{path} is a {cls.__name__}, of which two members would be kept as {twin!r}: one by its name, one by its "
            "value; rename one"
        )
    return Node("enum", name=cls.__name__, values=names)


def member_name(member: enum.Enum) -> str:
    """How an enum's member stands in its column: as its value if that is text, else as its name."""
    return member.value if isinstance(member.value, str) else member.name


def _literal(values: tuple[Any, ...], path: str) -> Node:
    kinds = set(map(type, values))
    if kinds == {str}:
        return Node("enum", values=values)
    if kinds == {int}:
        return Node("int", values=values)
    if kinds == {bool}:
        return Node("bool")
    if len(kinds) == 1 and issubclass(kind := kinds.pop(), enum.Enum):
        return _enum(kind, values, path)
    raise InvalidInputError(f"{path} is a Literal of several types, which cannot be one column; use values of one type")


def _tuple(arguments: tuple[Any, ...], notes: list[Any], path: str, within: tuple[type, ...]) -> Node:
    named = next((note.names for note in notes if isinstance(note, Names)), None)
    names = named or tuple(f"_{number}" for number in range(1, len(arguments) + 1))
    if len(names) != len(arguments):
        raise InvalidInputError(f"{path} is a tuple of {len(arguments)} with {len(names)} names; name each item")
    refuse_twins(list(names), path)
    return Node(
        "tuple",
        fields=tuple(
            Field(name, _node(item, f"{path}.{name}", within)) for name, item in zip(names, arguments, strict=True)
        ),
    )


def _vector(notes: list[Any], path: str) -> Node:
    size = next((note.count for note in notes if isinstance(note, Dimensions)), None)
    if size is None:
        raise InvalidInputError(f"{path} is a Vector of no size; say how many numbers it has, as in Vector[512]")
    return Node("vector", size=size)


def _union(hint: Any, path: str, within: tuple[type, ...]) -> Node:
    fields = []
    for name, member in union_members(hint).items():
        node = _node(member, f"{path}.{name}", within)
        is_literal = typing.get_origin(peeled(member)[0]) is typing.Literal
        if node.type in ("list", "map", "tuple", "union", "vector") or is_literal or name == "type":
            raise _unstorable(hint, path)
        fields.append(Field(name, node))
    refuse_twins([field.name for field in fields], path)
    # A member that may be None by itself, such as an alias of `X | None`.
    return Node("union", optional=any(field.node.optional for field in fields), fields=tuple(fields))


def union_members(hint: Any) -> dict[str, Any]:
    """The members of a union by the name of their class."""
    members: dict[str, Any] = {}
    for member in typing.get_args(hint):
        bare = peeled(member)[0]
        name = getattr(bare, "__name__", str(bare))
        if name in members:
            raise InvalidInputError(f"{hint!r} has two members called {name}, which could not be told apart")
        members[name] = member
    return members


def _numpy_list(arguments: tuple[Any, ...], hint: Any, path: str) -> Node:
    import numpy as np

    (scalar,) = typing.get_args(arguments[-1])[:1] or (None,)
    if isinstance(scalar, type):
        for base, name in ((np.bool_, "bool"), (np.integer, "int"), (np.floating, "float")):
            if issubclass(scalar, base) and scalar is not np.longdouble and scalar is not np.uint64:
                return Node("list", items=Node(name))
    raise _unstorable(hint, path)


def is_dataclass_type(hint: Any) -> bool:
    """Whether a hint is a dataclass."""
    return isinstance(hint, type) and dataclasses.is_dataclass(hint)


def is_json_object(hint: Any) -> bool:
    """Whether a hint is a dict of any kind, as `localreg.workflow.Metadata` is: what can be kept as a JSON object."""
    hint = peeled(hint)[0]
    return hint is dict or typing.get_origin(hint) in MAPS


def _unstorable(hint: Any, path: str) -> InvalidInputError:
    return InvalidInputError(
        f"{path} has the type {hint!r}, which cannot be stored; use str, int, float, bool, an Enum, a dataclass, "
        "or a list, tuple, dict or union of these"
    )
