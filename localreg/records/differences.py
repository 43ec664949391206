"""What differs between two JSON objects, path by path.

Paths are written as `where` takes them: `metadata.optim.lr`, `metadata['a.b']`, `metadata.layers[0].units`; lists count
from 0. Values are compared as JSON has them: 1 and 1.0 are one number, 1 and true are two values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, TypeGuard

from localreg.canonical import JsonValue, canonical

__all__ = ["Change", "Difference", "differences", "in_words", "path_text"]

Change = Literal["added", "removed", "changed"]


class Difference(NamedTuple):
    """One path at which two JSON objects differ.

    Attributes:
        path: where, as `where` takes it.
        before: the value there in the first; None if there is none, or if it is null.
        after: the value there in the second; None if there is none, or if it is null.
        change: `added` if the first has nothing there, `removed` if the second has not, else `changed`: tells nothing
            from null.
    """

    path: str
    before: JsonValue
    after: JsonValue
    change: Change = "changed"


def differences(before: Mapping[str, JsonValue] | None, after: Mapping[str, JsonValue] | None) -> list[Difference]:
    """The paths at which two objects differ, in the order of the first, then of what only the second has.

    Objects are compared key by key, to any depth. Lists of one length that hold objects or lists are compared place by
    place; any other list is one value, since what moved within it cannot be told from what was replaced. What was added
    or removed as a whole is one difference. None is an object that is not there: as an empty one.
    """
    return list(_of_objects("", before or {}, after or {}))


def in_words(found: Sequence[Difference]) -> str:
    """Differences on one line, to be read and not to be taken apart: `metadata.lr 0.1 → 0.2, tags +detector -old`.

    Long values are cut, and after `MOST_TOLD` paths it is said how many more there are.
    """
    told = [_told(each) for each in found[:MOST_TOLD]]
    if len(found) > MOST_TOLD:
        told.append(f"and {len(found) - MOST_TOLD} more")
    return ", ".join(told)


MOST_TOLD = 5
LONGEST_TOLD = 40


def _told(found: Difference) -> str:
    path, before, after, change = found
    if change == "added":
        return f"+{path} {_short(after)}"
    if change == "removed":
        return f"-{path}"
    if _are_words(before) and _are_words(after) and set(before) != set(after):
        signed = [f"+{word}" for word in after if word not in before] + [
            f"-{word}" for word in before if word not in after
        ]
        return f"{path} {_cut(' '.join(signed))}"
    return f"{path} {_short(before)} → {_short(after)}"


def _are_words(value: JsonValue) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _short(value: JsonValue) -> str:
    return _cut(value if isinstance(value, str) and value else canonical(value))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TOLD else f"{text[: LONGEST_TOLD - 1]}…"


def path_text(parent: str, key: str) -> str:
    """The path of a key within `parent` ("" = the top), quoted where it is no plain word."""
    if _WORD.fullmatch(key):
        return f"{parent}.{key}" if parent else key
    if not parent:
        return '"' + key.replace('"', '""') + '"'  # a column, which takes no brackets
    return f"{parent}['" + key.replace("'", "''") + "']"


_WORD = re.compile("[A-Za-z_][A-Za-z0-9_]*")


def _of_objects(path: str, before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]) -> Iterator[Difference]:
    for key, old in before.items():
        place = path_text(path, key)
        if key in after:
            yield from _of_values(place, old, after[key])
        else:
            yield Difference(place, old, None, "removed")
    for key, new in after.items():
        if key not in before:
            yield Difference(path_text(path, key), None, new, "added")


def _of_values(path: str, before: JsonValue, after: JsonValue) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _of_objects(path, before, after)
    elif isinstance(before, list) and isinstance(after, list) and _is_by_place(before, after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _of_values(f"{path}[{number}]", old, new)
    elif canonical(before) != canonical(after):
        yield Difference(path, before, after)


def _is_by_place(before: list[JsonValue], after: list[JsonValue]) -> bool:
    return len(before) == len(after) and all(isinstance(item, dict | list) for item in (*before, *after))
