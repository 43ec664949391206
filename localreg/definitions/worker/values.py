"""Values that any process knows, and others made of such."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import chain
from types import NoneType
from typing import Any

from localreg.definitions.worker.sources import PRIVATE

__all__ = ["SCALARS", "SINGLE", "Unknown", "is_plain", "kind_of", "known", "listed"]

PLAIN: frozenset[type] = frozenset({NoneType, bool, int, float, str, bytes, datetime})
LISTS: frozenset[type] = frozenset({list, tuple})
CONTAINERS = LISTS | {dict}
SINGLE = PLAIN | {dict}
"""Types without a length that counts."""
ARRAYS = "biufSUM"
"""Kinds of numpy arrays that are kept: numbers, text, bytes, times."""
DEEPEST = 32
SCALARS = (bytes, str, int, float, bool, NoneType)


class Unknown(Exception):
    """A value that is of no known type."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason, self.path = reason, ""


def is_plain(values: list[Any]) -> bool:
    """Whether all of them, and all that they hold, are of known types as they stand."""
    array = getattr(sys.modules.get("numpy"), "ndarray", None)
    for _ in range(DEEPEST):
        kinds = set(map(type, values))
        if kinds <= PLAIN:
            return True
        if kinds <= LISTS:  # as boxes and scores are
            values = list(chain.from_iterable(values))
            continue
        kinds -= PLAIN
        if array in kinds:
            kinds.remove(array)
            if not all(each.ndim and each.dtype.kind in ARRAYS for each in values if type(each) is array):
                return False
        if not kinds <= CONTAINERS:
            return False
        lists = [each for each in values if type(each) in LISTS]
        mappings = [each for each in values if type(each) is dict]
        if not set(map(type, set(chain.from_iterable(mappings)))) <= {str}:
            return False
        values = list(chain(chain.from_iterable(map(dict.values, mappings)), chain.from_iterable(lists)))
    return False


def known(value: Any, depth: int) -> object:
    """A value of known types.

    Raises:
        Unknown: it is of another one.
    """
    if type(value) in PLAIN:
        return value
    if depth > DEEPEST:
        raise Unknown(f"is nested more than {DEEPEST} deep, or holds itself")
    if isinstance(value, Mapping):
        return dict(_known_items(value, depth))
    if isinstance(value, list | tuple):
        made = [_within(each, f"[{place}]", depth) for place, each in enumerate(value)]
        return made if isinstance(value, list) else tuple(made)
    array = _array(value)
    if array is not None:
        return _known_array(array, depth)
    if isinstance(value, str):
        return str.__str__(value)
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if callable(getattr(value, "tolist", None)) and not isinstance(value, type):
        return known(value.tolist(), depth + 1)
    raise Unknown(f"holds {kind_of(value)}, which is {_advice(value)}")


def _known_items(value: Mapping[Any, Any], depth: int) -> Iterable[tuple[str, object]]:
    for key, each in value.items():
        if not isinstance(key, str):
            raise Unknown(f"holds a mapping with the key {key!r}, which is no text")
        yield str.__str__(key), _within(each, f"[{key!r}]", depth)


def _within(value: object, step: str, depth: int) -> object:
    try:
        return known(value, depth + 1)
    except Unknown as error:
        error.path = step + error.path
        raise


def _known_array(array: Any, depth: int) -> object:
    kind = array.dtype.kind
    if array.ndim == 0:
        if kind == "M":  # of nanoseconds, item() would make a whole number
            array = array.astype("datetime64[us]")
        item = array.item()
        if type(item) in PLAIN:
            return item
        if kind == "f":  # wider than Python's
            return float(item)
    elif kind in ARRAYS:
        return array
    elif kind == "O":
        return known(array.tolist(), depth + 1)
    raise Unknown(f"holds an array of {array.dtype}, which is of no known type")


def _array(value: Any) -> Any:
    """The numpy array of an array, a tensor, a scalar of numpy or what can be made one; None for all else."""
    numpy = sys.modules.get("numpy")
    is_tensor = type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "detach")
    if isinstance(value, type) or not (is_tensor or (numpy is not None and hasattr(value, "__array__"))):
        return None
    try:
        if is_tensor:
            value = value.detach().cpu()
            return (value.float() if str(value.dtype) == "torch.bfloat16" else value).numpy()  # numpy has no bfloat16
        return numpy.asarray(value)  # type: ignore[union-attr]  # it is there, or value is a tensor
    except Exception as error:  # it is the library's own, and may raise anything
        raise Unknown(f"holds {kind_of(value)} that is no array ({type(error).__name__}: {error})") from error


def listed(value: Any) -> list[Any] | None:
    """The entries of an array or a tensor; None if it has none."""
    try:
        array = _array(value)
    except Unknown:
        return None
    if array is not None:
        if array.ndim == 0:
            return None
        return list(array) if array.ndim > 1 or array.dtype.kind == "M" else list(array.tolist())
    made = value.tolist() if callable(getattr(value, "tolist", None)) else None
    return made if isinstance(made, list) else None


def kind_of(value: object) -> str:
    """What something is, such as `a str` or `an inference.Box`."""
    if value is None:
        return "None"
    kind = type(value)
    module = kind.__module__.partition(".")[2] if kind.__module__.startswith(PRIVATE) else kind.__module__
    name = kind.__name__ if module == "builtins" else f"{module}.{kind.__qualname__}"
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _advice(value: object) -> str:
    if hasattr(value, "__dataclass_fields__"):
        return "of no known type; return dataclasses.asdict(...) of it"
    if isinstance(value, set | frozenset):
        return "in no order; return a list"
    return "of no known type; return numbers, text, lists, mappings or arrays"
