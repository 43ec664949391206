"""An entry that is wrong in places, with those left out or filled in: so that all else in it can be looked at, too."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

__all__ = ["UNKNOWN", "mended"]

ModelT = TypeVar("ModelT", bound=BaseModel)

UNKNOWN = "unknown"
"""Stands for a text that is told as missing, so that nothing else is told of it."""
ROUNDS = 4
"""What was filled in may be wrong within once more."""

_ENTRYPOINT = f"{UNKNOWN}:{UNKNOWN}"
_FILLED: dict[str, object] = {
    "name": UNKNOWN,
    "url": UNKNOWN,
    "entrypoint": _ENTRYPOINT,
    "predict": {"entrypoint": _ENTRYPOINT},
}
_ITEMS: dict[str, object] = {
    "files": {"name": UNKNOWN, "url": UNKNOWN},
    "inputs": {"name": UNKNOWN},
    "keys": UNKNOWN,
}


def mended(value: object, of: type[ModelT]) -> ModelT | None:
    """The data of a value as far as it has any; None if it is past mending.

    Args:
        value: a mapping, as YAML says it.
        of: what it should be.
    """
    if not isinstance(value, Mapping):
        return None
    whole = deepcopy(dict(value))
    for _ in range(ROUNDS):
        try:
            return of.model_validate(whole)
        except ValidationError as error:
            for each in error.errors(include_url=False, include_context=False, include_input=False):
                _mend(whole, list(each["loc"]), is_extra=each["type"] == "extra_forbidden")
    return None


def _mend(whole: dict[str, Any], place: list[str | int], *, is_extra: bool) -> None:
    holder: Any = whole
    for each in place[:-1]:
        try:
            holder = holder[each]
        except (LookupError, TypeError):
            return  # left out already
    key = place[-1] if place else None
    if isinstance(holder, list) and isinstance(key, int):
        name = str(place[-2]) if len(place) > 1 else ""
        if name in _ITEMS:
            holder[key] = deepcopy(_ITEMS[name])
        else:
            _mend(whole, place[:-1], is_extra=False)
    elif isinstance(holder, dict) and key is not None:
        if key in _FILLED and not is_extra:
            holder[str(key)] = deepcopy(_FILLED[str(key)])
        else:
            holder.pop(key, None)
