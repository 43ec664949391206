"""A path into a JSON column, read as the type that its surroundings ask for; anything of another type is NULL.

`json_extract` gives the JSON text of a value: `0.9` for a number, `"0.9"` for a string. All readings start from that
text, since it still tells the two apart, which `->>` does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from localreg.query.kinds import TEXT, Family, Kind
from localreg.query.syntax import Node, call, cast, column_ref, text_constant, when

__all__ = ["Path", "exists", "keys_at", "read", "reads_whole_number"]


@dataclass(frozen=True, slots=True)
class Path:
    """`steps` into the JSON column `column`; no step is the column itself."""

    column: str
    steps: tuple[str | int, ...] = ()
    """A key, matched exactly, or an index into a list: from 0, or from the end if negative."""

    def then(self, step: str | int) -> Path:
        """One step further."""
        return Path(self.column, (*self.steps, step))

    def __str__(self) -> str:
        return self.column + "".join(f".{s}" if isinstance(s, str) else f"[{s}]" for s in self.steps)


# DuckDB's `$` paths take every key in double quotes, with \ and " escaped, but two: "*" is a wildcard even in quotes,
# and the empty key is refused. Those two go by the pointer syntax (RFC 6901), each in an extraction of its own.
_POINTER_ONLY = {"*": "/*", "": "/"}


def _locators(steps: tuple[str | int, ...], tail: str) -> list[str]:
    """The paths to extract one after the other."""
    locators: list[str] = []
    dollar = ""
    for step in steps:
        if isinstance(step, str) and step in _POINTER_ONLY:
            locators += ["$" + dollar] if dollar else []
            locators.append(_POINTER_ONLY[step])
            dollar = ""
        elif isinstance(step, str):
            escaped = step.replace("\\", "\\\\").replace('"', '\\"')
            dollar += f'."{escaped}"'
        else:
            dollar += f"[{step}]"
    return [*locators, "$" + dollar + tail] if dollar or tail else locators


def _extract(path: Path, function: str = "json_extract", *, tail: str = "") -> Node:
    """`function(column, '$.…')`; only the last of several extractions is by `function`."""
    node = column_ref(path.column)
    *inner, last = _locators(path.steps, tail) or ["$"]
    for locator in inner:
        node = call("json_extract", node, text_constant(locator))
    return call(function, node, text_constant(last))


def _raw(path: Path) -> Node:
    return cast(_extract(path), "VARCHAR", safe=False)


def _elements(path: Path) -> Node:
    """The JSON texts of a list's elements; `[]` if it is no list."""
    return cast(_extract(path, tail="[*]"), _list_of("VARCHAR"), safe=False)


def _has_type(path: Path, name: str) -> Node:
    return _equal(_extract(path, "json_type"), text_constant(name))


def _equal(left: Node, right: Node) -> Node:
    return {"class": "COMPARISON", "type": "COMPARE_EQUAL", "left": left, "right": right}


def _boolean(raw: Node) -> Node:
    """TRUE for `true`, FALSE for `false`: 1 and "true" are neither."""
    values = {word: cast(text_constant(word), "BOOLEAN", safe=False) for word in ("true", "false")}
    return when(*((_equal(raw, text_constant(word)), value) for word, value in values.items()))


def _text_of_raw(raw: Node) -> Node:
    return when((call("starts_with", raw, text_constant('"')), call("json_extract_string", raw, text_constant("$"))))


def _list(path: Path, element: Kind) -> Node:
    """The list at `path` with its elements read as `element`, NULL where they are of another type."""
    raws = _elements(path)
    readings = {
        Family.NUMBER: lambda: cast(raws, _list_of("DOUBLE")),
        Family.WHOLE: lambda: cast(raws, _list_of("DOUBLE")),
        Family.TEXT: lambda: _each(raws, _text_of_raw),
        Family.TYPED: lambda: cast(_each(raws, _text_of_raw), _list_of(element.type_id)),
        Family.BOOLEAN: lambda: _each(raws, _boolean),
    }
    return when((_has_type(path, "ARRAY"), readings.get(element.family, lambda: raws)()))


def _list_of(type_id: str) -> Node:
    return {"id": "LIST", "type_info": {"type": "LIST_TYPE_INFO", "child_type": {"id": type_id}}}


def _each(values: Node, body: Callable[[Node], Node]) -> Node:
    element = column_ref("element")
    return call("list_transform", values, {"class": "LAMBDA", "type": "LAMBDA", "lhs": element, "expr": body(element)})


def read(path: Path, kind: Kind) -> Node:
    """The expression that reads `path` as `kind`: NULL if it is missing, JSON null, or of another type."""
    text = when((_has_type(path, "VARCHAR"), _extract(path, "json_extract_string")))
    readings = {
        Family.NUMBER: lambda: cast(_raw(path), "DOUBLE"),
        Family.WHOLE: lambda: cast(_raw(path), "HUGEINT"),
        Family.TEXT: lambda: text,
        Family.BOOLEAN: lambda: _boolean(_raw(path)),
        Family.TYPED: lambda: cast(text, kind.type_id),
        Family.LIST: lambda: _list(path, kind.element or TEXT),
        Family.JSON: lambda: _extract(path),
        Family.RAW: lambda: when((_differs(_raw(path), "null"), _raw(path))),
        Family.ANY_TEXT: lambda: _extract(path, "json_extract_string"),
    }
    return readings[kind.family]()


def exists(path: Path) -> Node:
    """Whether there is anything at `path`, be it JSON null."""
    return _extract(path, "json_exists")


def keys_at(path: Path) -> Node:
    """The keys of the object at `path`; none if it is no object."""
    return _extract(path, "json_keys")


def _differs(left: Node, text: str) -> Node:
    return {"class": "COMPARISON", "type": "COMPARE_NOTEQUAL", "left": left, "right": text_constant(text)}


def reads_whole_number(path: Path) -> Node:
    """Whether `path` is a number written without fraction or exponent that HUGEINT holds, so that no digit is lost."""
    return call("regexp_full_match", _raw(path), text_constant("-?[0-9]{1,38}"))
