"""Kinds: the types of expressions as far as they decide how a JSON path beside them is read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from localreg.query.syntax import FunctionInfo, Node

__all__ = [
    "BOOLEAN",
    "DOUBLE",
    "JSON",
    "NUMBER",
    "OPEN",
    "RAW",
    "TEXT",
    "UNKNOWN",
    "WHOLE",
    "Family",
    "Kind",
    "arithmetic_operand",
    "arithmetic_result",
    "common_kind",
    "constant_kind",
    "joined_kind",
    "kind_of_type",
    "kind_of_type_node",
    "parameter_kind",
]


class Family(Enum):
    """How values compare with each other."""

    NUMBER = auto()
    WHOLE = auto()
    """Whole numbers that may lie beyond 2**53, where DOUBLE no longer tells neighbours apart."""
    TEXT = auto()
    BOOLEAN = auto()
    TYPED = auto()
    """DATE, TIMESTAMP, UUID…: JSON has no such type, so it is read from a JSON string. `Kind.type_id` names it."""
    LIST = auto()
    JSON = auto()
    """A JSON value as such: what JSON functions take."""
    RAW = auto()
    """The JSON text, NULL for JSON null: what two paths are compared by."""
    ANY_TEXT = auto()
    """Text of whatever stands there, as `->>` gives it: what an explicit cast starts from."""
    OPEN = auto()
    """A path, or what is made of paths only: takes its type from what it meets."""
    NULL = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Kind:
    """The type of an expression, as far as reading a path beside it needs it."""

    family: Family
    type_id: str = ""
    """DuckDB's name of the type, for TYPED; `DOUBLE` marks numbers that are binary fractions."""
    element: Kind | None = None
    """For LIST."""


BOOLEAN = Kind(Family.BOOLEAN)
TEXT = Kind(Family.TEXT)
NUMBER = Kind(Family.NUMBER)
DOUBLE = Kind(Family.NUMBER, "DOUBLE")
WHOLE = Kind(Family.WHOLE)
OPEN = Kind(Family.OPEN)
UNKNOWN = Kind(Family.UNKNOWN)
RAW = Kind(Family.RAW)
JSON = Kind(Family.JSON)

_EXACT = 2**53
"""Beyond it DOUBLE no longer holds every whole number."""

_TYPED = ("DATE", "TIME", "TIMESTAMP", "INTERVAL", "UUID", "BLOB")
_WHOLE = frozenset({"BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT"})
_NUMBERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"})
_ALIASES = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE", "TIMETZ": "TIME WITH TIME ZONE", "STRING": "VARCHAR"}


def kind_of_type(name: str) -> Kind:
    """The kind of a type by its SQL name, such as `VARCHAR[]` or `DECIMAL(18,3)`."""
    name = name.strip().upper()
    name = _ALIASES.get(name, name)
    base = name.partition("(")[0]
    if name.endswith("]"):
        return Kind(Family.LIST, element=kind_of_type(name[: name.rindex("[")]))
    if base in _WHOLE:
        return Kind(Family.WHOLE)
    if base in _NUMBERS or base == "DECIMAL":
        return Kind(Family.NUMBER)
    if base in ("DOUBLE", "FLOAT"):
        return Kind(Family.NUMBER, base)
    if base in ("VARCHAR", "ENUM"):
        return Kind(Family.TEXT)
    if base == "BOOLEAN":
        return Kind(Family.BOOLEAN)
    if base == "JSON":
        return Kind(Family.JSON)
    return Kind(Family.TYPED, name) if base.split(" ")[0].split("_")[0] in _TYPED else Kind(Family.UNKNOWN)


def kind_of_type_node(node: Node) -> Kind:
    """The kind of a type as it stands in DuckDB's tree."""
    info = node.get("type_info") or {}
    if node["id"] in ("LIST", "ARRAY"):
        return Kind(Family.LIST, element=kind_of_type_node(info["child_type"]))
    return kind_of_type(info["name"] if node["id"] == "UNBOUND" else node["id"])


def constant_kind(value: Node) -> Kind:
    """The kind of a constant, by DuckDB's node of its value."""
    if value["is_null"]:
        return Kind(Family.NULL)
    kind = kind_of_type(value["type"]["id"])
    if kind.family is not Family.WHOLE:
        return kind
    number = value["value"]
    # Beyond 64 bits DuckDB gives two halves; such a number is certainly not small.
    return NUMBER if isinstance(number, int) and abs(number) < _EXACT else WHOLE


_COMPARABLE = (
    {Family.NUMBER, Family.WHOLE},
    {Family.TEXT, Family.TYPED},  # '2024-01-01' beside a DATE is one
    {Family.BOOLEAN},
    {Family.LIST},
    {Family.JSON},
)


def common_kind(kinds: list[Kind], *, otherwise: Kind) -> Kind | None:
    """The kind that expressions of `kinds` are read as when they meet.

    `otherwise` if all of them are open; None if an open one meets several that do not compare with each other.
    """
    known = [kind for kind in kinds if kind.family not in (Family.OPEN, Family.NULL)]
    if not known:
        return TEXT if any(kind.family is Family.NULL for kind in kinds) else otherwise
    families = {kind.family for kind in known}
    if OPEN in kinds and Family.UNKNOWN not in families and not any(families <= group for group in _COMPARABLE):
        return None
    for family in (Family.UNKNOWN, Family.TYPED, Family.WHOLE, Family.LIST):
        if family in families:
            return next(kind for kind in known if kind.family is family)
    return DOUBLE if DOUBLE in known else known[0]


def joined_kind(kinds: list[Kind]) -> Kind:
    """The kind of an expression that is one of several, such as a CASE."""
    known = [kind for kind in kinds if kind.family is not Family.NULL]
    first = next((kind for kind in known if kind != OPEN), OPEN if known else Kind(Family.NULL))
    is_number = first.family in (Family.NUMBER, Family.WHOLE)
    return DOUBLE if is_number and (OPEN in known or DOUBLE in known) else first


def arithmetic_operand(kinds: list[Kind]) -> Kind:
    """What a path is read as in arithmetic with `kinds`."""
    typed = [kind.type_id for kind in kinds if kind.family is Family.TYPED]
    if not typed:
        return DOUBLE
    return Kind(Family.TYPED, "TIMESTAMP" if typed[0] == "INTERVAL" else typed[0])


def arithmetic_result(kinds: list[Kind]) -> Kind:
    """The kind of arithmetic on `kinds`: with a path among numbers, DOUBLE."""
    typed = [kind.type_id for kind in kinds if kind.family is Family.TYPED]
    moments = [type_id for type_id in typed if type_id != "INTERVAL"]
    if not typed:
        exact = all(kind.family is Family.WHOLE or kind == NUMBER for kind in kinds)
        return (WHOLE if Kind(Family.WHOLE) in kinds else NUMBER) if exact else DOUBLE
    if OPEN in kinds or len(moments) > 1:
        return UNKNOWN
    if not moments:
        return Kind(Family.TYPED, "INTERVAL")
    return Kind(Family.TYPED, "TIMESTAMP" if moments[0] == "DATE" and "INTERVAL" in typed else moments[0])


def parameter_kind(name: str, info: FunctionInfo, position: int, arguments: list[Kind]) -> Kind | None:
    """What a path is read as in place of the parameter at `position`; None if its type says nothing."""
    if name.startswith("json") or name == "to_json":
        return JSON if position == 0 else TEXT
    if name in ("||", "concat", "concat_ws", "format", "printf"):
        return next((kind for kind in arguments if kind.family is Family.LIST), TEXT)
    fitting = [each for each in info.parameters if len(each) == len(arguments)] or info.parameters
    types = [each[min(position, len(each) - 1)] for each in fitting if each]
    kinds = [kind_of_type(each) for each in types]
    families = {kind.family for kind in kinds}
    for family, kind in ((Family.JSON, JSON), (Family.TEXT, TEXT), (Family.NUMBER, DOUBLE), (Family.WHOLE, DOUBLE)):
        if family in families:
            return kind
    if "TIMESTAMP" in types:
        return Kind(Family.TYPED, "TIMESTAMP")
    if Family.LIST in families:
        others = [kind for kind in arguments if kind.family is Family.LIST]
        return others[0] if others else Kind(Family.LIST, element=TEXT)
    return kinds[0] if len(set(kinds)) == 1 and kinds[0] != UNKNOWN else None
