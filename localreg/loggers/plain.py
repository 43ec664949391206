"""What frameworks hand over, as experiments hold it."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterable, Mapping, Set
from contextlib import suppress
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from localreg.canonical import JsonObject, JsonValue, checked_json
from localreg.errors import InvalidInputError

__all__ = ["numbers", "params_of", "structure"]

DEEPEST = 20
"""Levels of hyperparameters; what lies deeper is kept as text."""
LONGEST = 1_000
"""Characters of a text that stands for something else."""


def params_of(given: Mapping[str, Any] | Namespace) -> JsonObject:
    """Hyperparameters as JSON; what it cannot hold as text, so that no object of a framework loses the others."""
    return {str(name): _plain(value) for name, value in _items(given)}


def _items(given: object) -> Iterable[tuple[object, object]]:
    return (vars(given) if isinstance(given, Namespace) else dict(given)).items()  # type: ignore[call-overload]


def _plain(value: Any, depth: int = 0) -> JsonValue:
    try:
        return checked_json(value, what="params")
    except InvalidInputError:
        pass
    if depth < DEEPEST:
        if isinstance(value, Mapping | Namespace):
            return {str(name): _plain(each, depth + 1) for name, each in _items(value)}
        if isinstance(value, list | tuple | Set):
            return [_plain(each, depth + 1) for each in value]
        if is_dataclass(value) and not isinstance(value, type):
            return {each.name: _plain(getattr(value, each.name), depth + 1) for each in fields(value)}
        if isinstance(value, Enum):
            return _plain(value.value, depth + 1)
        if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):  # a tensor of one number
            return _plain(value.item(), depth + 1)
    return _text(value)


def _text(value: object) -> str:
    if isinstance(value, os.PathLike):
        told = str(os.fspath(value))
    elif hasattr(value, "__qualname__"):  # a class or a function: its address says nothing
        told = f"{value.__module__}.{value.__qualname__}"
    elif type(value).__repr__ is object.__repr__ and type(value).__str__ is object.__str__:
        told = f"{type(value).__module__}.{type(value).__qualname__}"
    else:
        told = str(value)
    return told.encode("utf-8", "backslashreplace").decode()[:LONGEST]


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Those of metrics that are one number."""
    found = {}
    for name, value in metrics.items():
        if not isinstance(value, str | bytes):
            with suppress(TypeError, ValueError, RuntimeError, OverflowError):
                found[str(name)] = float(value)
    return found


def structure(model: Any) -> str:
    """A module of PyTorch as text, with the number of its parameters."""
    text = str(model)
    try:
        sizes = [(each.numel(), each.requires_grad) for each in model.parameters()]
    except (ValueError, RuntimeError):  # lazy ones have no size yet
        return text
    trained = sum(size for size, is_trained in sizes if is_trained)
    return f"{text}\n\n{sum(size for size, _ in sizes):,} parameters, {trained:,} of them trained\n"
