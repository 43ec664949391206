"""The types of a workflow as a tree to read: a line for each field, what lies within it indented below."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localreg.tables import Node

__all__ = ["tree"]

MOST_VALUES = 8
"""Of an enum; the others are told by their number."""


def tree(node: Node) -> Iterator[str]:
    """The lines of the fields of a type."""
    for field in node.fields:
        yield f"{field.name}: {_type(field.node)}"
        yield from (f"  {line}" for inner in _with_fields(field.node) for line in tree(inner))


def _type(node: Node) -> str:
    """A type as one would write it in Python."""
    items = "" if node.items is None else _type(node.items)
    match node.type:
        case "struct":
            told = node.name or "struct"
        case "map":
            told = f"dict[{'' if node.keys is None else _type(node.keys)}, {items}]"
        case "tuple":
            told = f"tuple[{', '.join(_type(field.node) for field in node.fields)}]"
        case "union":
            told = " | ".join(_type(field.node) for field in node.fields)
        case "vector":
            told = f"Vector[{node.size}]"
        case _:
            told = f"{node.type}[{items}]" if items else _values(node)
    return f"{told} | None" if node.optional else told


def _values(node: Node) -> str:
    if not node.values:
        return node.type
    rest = len(node.values) - MOST_VALUES
    shown = ", ".join(map(repr, node.values[:MOST_VALUES])) + (f", and {rest} more" if rest > 0 else "")
    return f"{node.name or node.type} ({shown})"


def _with_fields(node: Node) -> Iterator[Node]:
    """The structs that a type speaks of by name."""
    if node.type == "struct":
        yield node
        return
    inner = [each for each in (node.keys, node.items) if each is not None]
    for each in [*inner, *(field.node for field in node.fields)]:
        yield from _with_fields(each)
