"""Whether a record, as somebody recorded it, has the form that its class declares.

Whoever may write a log may write anything that JSON can say, chained as it should be. Records that are looked at as
plain JSON, without making objects of them, are looked at through here first. It goes by the annotations of the
classes and takes a microsecond; what pydantic would say beyond that, of words that are none of a few, say, is left to
who makes objects.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from localreg.canonical import JsonObject, JsonValue
from localreg.errors import FormatError
from localreg.records.base import Record
from localreg.records.files import FilePointer

__all__ = ["FILES", "MODULES", "has_declared_form"]

Check = Callable[[Any], bool]

FILES = frozenset({"file", "condemned_file"})
"""Kinds whose records are pointers to files, and no models."""

MODULES = {
    "alias": "models",
    "artifact": "artifacts",
    "checkpoint": "experiments",
    "comparison": "comparisons",
    "dataset": "datasets",
    "definition": "definitions",
    "evaluation": "workflows",
    "experiment": "experiments",
    "grant": "access",
    "metrics": "models",
    "model": "models",
    "model_version": "models",
    "namespace": "models",
    "pending_action": "policies",
    "policy": "policies",
    "registry": "models",
    "signer": "access",
    "test_case": "workflows",
    "test_case_version": "workflows",
    "test_run": "workflows",
    "test_suite": "workflows",
    "test_suite_version": "workflows",
    "workflow": "workflows",
}
"""Where the class of a kind is: it is imported once there is a record of it to look at."""


KEPT = 4_096
"""Records that were found so and are kept, to know them again: one is looked at many times."""

_found: dict[int, JsonObject] = {}


def has_declared_form(kind: str, record: JsonObject) -> bool:
    """Whether all that the class of a kind declares is there, in a form that it may have; true of other kinds."""
    if _found.get(id(record)) is record:
        return True
    if kind in FILES:
        fits = _is_pointer(record)
    else:
        fits = all(check(record[name]) if name in record else optional for name, check, optional in _declared(kind))
    if fits:
        if len(_found) >= KEPT:
            _found.clear()
        _found[id(record)] = record
    return fits


def _is_pointer(record: JsonObject) -> bool:
    try:
        FilePointer.from_json(record)
    except FormatError:
        return False
    return True


@cache
def _declared(kind: str) -> tuple[tuple[str, Check, bool], ...]:
    """Of each field its name, what it may be, and whether it may be left out."""
    if kind not in MODULES:
        return ()
    module = import_module(f"localreg.records.{MODULES[kind]}")
    (of,) = (
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Record) and getattr(each, "kind", None) == kind
    )
    return tuple((name, _check(field.annotation), not field.is_required()) for name, field in of.model_fields.items())


def _check(annotation: Any) -> Check:
    """What tells whether a value may stand where this is declared."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return lambda value: True
    if origin in (Union, UnionType):
        checks = [_check(each) for each in inner]
        return lambda value: any(check(value) for check in checks)
    if origin is Literal:
        return lambda value: isinstance(value, str)
    if origin is list:
        item = _check(inner[0])
        return lambda value: isinstance(value, list) and all(map(item, value))
    if origin is dict:
        of_values = _check(inner[1])
        return lambda value: isinstance(value, dict) and all(map(of_values, value.values()))
    return _PLAIN[annotation]


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_PLAIN: dict[object, Check] = {
    str: lambda value: isinstance(value, str),
    bool: lambda value: isinstance(value, bool),
    int: lambda value: isinstance(value, int) and not isinstance(value, bool),
    float: _is_number,
    type(None): lambda value: value is None,
}
