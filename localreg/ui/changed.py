"""JSON with marks where it differs from another: what an event did to a record, side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from localreg.records.differences import path_text

__all__ = ["Line", "marked"]

MOST_LINES = 1500
SIGNS = {"added": "+", "removed": "\N{MINUS SIGN}", "changed": "~"}


class Line(NamedTuple):
    """A line of JSON."""

    text: str
    mark: str
    """`added`, `removed`, `changed`; "" = it is the same on both sides."""

    @property
    def sign(self) -> str:
        """The mark for who sees no colours."""
        return SIGNS.get(self.mark, " ")


def marked(value: object, changes: Mapping[str, str], other: str) -> list[Line]:
    """The lines of a value.

    Args:
        value: a JSON value, one of two that are compared.
        changes: what differs, by path: `added`, `removed` or `changed`.
        other: the change of what only the other one has.
    """
    own = {path: change for path, change in changes.items() if change != other}
    found = []
    for line in _lines(value, "", own, "", "", ""):
        found.append(line)
        if len(found) == MOST_LINES:
            return [*found, Line("… and more", "")]
    return found


def _lines(value: Any, path: str, changes: Mapping[str, str], indent: str, before: str, mark: str) -> Iterator[Line]:
    """Lines of a value that stands behind `before`, such as its key."""
    mark = mark or changes.get(path, "")
    deeper = f"{indent}  "
    if isinstance(value, dict) and value:
        inner = [(path_text(path, key), each, f"{_text(key)}: ") for key, each in value.items()]
        brackets = "{}"
    elif isinstance(value, list) and any(isinstance(each, dict | list) for each in value):
        inner = [(f"{path}[{number}]", each, "") for number, each in enumerate(value)]
        brackets = "[]"
    else:
        yield Line(f"{indent}{before}{_text(value)}", mark)
        return
    yield Line(f"{indent}{before}{brackets[0]}", mark)
    for place, each, key in inner:
        yield from _lines(each, place, changes, deeper, key, mark)
    yield Line(f"{indent}{brackets[1]}", mark)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
