"""Extras: attributes of an object beyond what its column has fields for, kept as JSON beside the column.

The JSON mirrors the object: an object for a dataclass or a dict with keys of text, an array for a list, a tuple, or the
values of another dict; a name that is no
field stands for the extra itself, one that is a field for the extras within it, null for none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from localreg.tables.codecs import note_extras, takes_extras
from localreg.tables.schema import Node

__all__ = ["extras_of", "put_extras"]


def extras_of(value: object, node: Node | None) -> Any:
    """What an object says beyond its node's fields, as a JSON value; None if there is nothing.

    Args:
        value: the object.
        node: what its column has fields for; None inside something that stands in the extras itself.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _of_object(value, node) or None
    if isinstance(value, Mapping):
        if any(type(key) is not str for key in value):  # by place: JSON has no other names than text
            return extras_of(list(value.values()), node)
        inner = {key: extras_of(item, _inner(node)) for key, item in value.items()}
        return inner if any(each is not None for each in inner.values()) else None
    if isinstance(value, list | tuple):
        items = [extras_of(item, _inner(node)) for item in value]
        return items if any(each is not None for each in items) else None
    return None


def _inner(node: Node | None) -> Node | None:
    return None if node is None else node.items


def _of_object(value: Any, node: Node | None) -> dict[str, Any]:
    if node is not None and node.type == "union":
        node = node.field(next((base.__name__ for base in type(value).__mro__ if node.field(base.__name__)), ""))
    fields = {field.name for field in dataclasses.fields(type(value))}
    found = {name: extras_of(getattr(value, name), None if node is None else node.field(name)) for name in fields}
    if takes_extras(type(value)):
        recorded = set() if node is None else {field.name for field in node.fields}
        for name, extra in vars(value).items():
            if name not in fields and name not in recorded and not _is_derived(type(value), name):
                found[name] = extra
    return {name: each for name, each in found.items() if each is not None}


def _is_derived(cls: type, name: str) -> bool:
    return isinstance(getattr(cls, name, None), cached_property)


def put_extras(value: Any, extras: Any) -> None:
    """Give an object that was made just now, and that nobody has seen, its extras again; the inverse of `extras_of`."""
    if isinstance(extras, list) and isinstance(value, list | tuple | Mapping):
        items = value.values() if isinstance(value, Mapping) else value
        for item, extra in zip(items, extras, strict=False):
            put_extras(item, extra)
    elif isinstance(extras, Mapping) and isinstance(value, Mapping):
        for key, extra in extras.items():
            put_extras(value.get(key), extra)
    elif isinstance(extras, Mapping) and dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name for field in dataclasses.fields(type(value))}
        for name, extra in extras.items():
            if name in fields and getattr(value, name) is not None:
                put_extras(getattr(value, name), extra)
            else:
                vars(value)[name] = extra
                note_extras(type(value))
