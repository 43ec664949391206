"""YAML as plain values that know their lines.

Nothing is made but mappings, lists, texts, numbers, truth values and nulls. Numbers keep the text that was written
(`version: 1.10` is not 1.1), dates are text. A key that stands twice is an error: PyYAML lets the last one win.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import yaml

from localreg.definitions.faults import Faults, Path
from localreg.names import shown_value

__all__ = ["Document", "WrittenFloat", "WrittenInt", "read_document"]

MOST_VALUES = 2_000_000
"""Aliases may make a short file a huge one."""

DEEPEST = 1_000
_BRACKET = re.compile(r"[\[\]{}]")
_INDENTATION = re.compile(r"^[ \t?:-]+", re.MULTILINE)

_TAG = "tag:yaml.org,2002:"
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C ten times as fast
_TEXT = f"{_TAG}str"


class _Loader(_Base):  # type: ignore[misc]
    """Tells plain scalars that can only be text from the others by their first character, sooner than PyYAML does."""

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: Any) -> str:
        """The tag of a node."""
        if kind is yaml.ScalarNode and value and (not implicit[0] or value[0] not in self.yaml_implicit_resolvers):
            return _TEXT
        return str(super().resolve(kind, value, implicit))


class WrittenInt(int):
    """A whole number, and how it was written."""

    text: str


class WrittenFloat(float):
    """A number, and how it was written."""

    text: str


class Document(NamedTuple):
    """What a file says.

    Attributes:
        name: of the file, for messages.
        value: what stands in it.
        lines: of each value, from 1.
    """

    name: str
    value: Any
    lines: dict[Path, int]


def read_document(text: str, name: str) -> Document:
    """Read YAML.

    Args:
        text: one document.
        name: for messages.

    Raises:
        DefinitionError: it is no YAML, or not one document, or a key stands twice.
    """
    faults = Faults(name)
    if _is_deep(text):
        faults.add((), "is nested too deeply")
    faults.refuse()
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 0 if mark is None else mark.line + 1
        faults = Faults(name, {(): line})
        faults.add((), f"is no YAML: {error.problem or error.context}")
    except (yaml.YAMLError, RecursionError) as error:
        faults.add((), f"is no YAML: {str(error).splitlines()[0]}")
    faults.refuse()
    lines: dict[Path, int] = {}
    faults = Faults(name, lines)
    try:
        value = None if node is None else _Building(lines, faults).value(node, ())
    except RecursionError:
        faults.add((), "is nested too deeply")
    faults.refuse()
    return Document(name, value, lines)


def _is_deep(text: str) -> bool:
    """Whether a text may be nested so deeply that libyaml, which recurses in C, would end the process.

    Each level of flow opens a bracket, and each of blocks begins further to the right.
    """
    depth = 0
    for match in _BRACKET.finditer(text):
        depth = max(0, depth + (1 if match[0] in "[{" else -1))
        if depth > DEEPEST:
            return True
    return any(match.end() - match.start() > DEEPEST for match in _INDENTATION.finditer(text))


class _Building:
    """Values of nodes."""

    def __init__(self, lines: dict[Path, int], faults: Faults) -> None:
        self._lines = lines
        self._faults = faults
        self._above: set[int] = set()

    def value(self, node: yaml.Node, path: Path) -> Any:
        """The value of a node and of all that it holds."""
        self._lines[path] = node.start_mark.line + 1
        if len(self._lines) > MOST_VALUES:
            self._faults.add((), f"holds more than {MOST_VALUES:,} values; aliases (*name) repeat what they name")
            self._faults.refuse()
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._above:
            self._faults.add(path, "holds itself, by an alias")
            return None
        self._above.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.value(each, (*path, number)) for number, each in enumerate(node.value)]
            return self._mapping(node, path)
        finally:
            self._above.discard(id(node))

    def _mapping(self, node: Any, path: Path) -> dict[str, Any]:
        made: dict[str, Any] = {}
        own: set[str] = set()
        for key, value in node.value:
            if key.tag == f"{_TAG}merge":
                for inner in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    merged = self.value(inner, path)
                    made = {**(merged if isinstance(merged, dict) else {}), **made}
                continue
            if not isinstance(key, yaml.ScalarNode):
                self._faults.add(path, f"has a key in line {key.start_mark.line + 1} that is no text")
                continue
            name = key.value
            if name in own:
                self._faults.add((*path, name), f"stands twice, again in line {key.start_mark.line + 1}")
                continue
            own.add(name)
            made[name] = self.value(value, (*path, name))
            self._lines[(*path, name)] = key.start_mark.line + 1
        return made

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        kind = node.tag.removeprefix(_TAG)
        read = _READ.get(kind)
        if read is None:
            self._faults.add(path, f"has the tag {shown_value(node.tag)}, which is not taken; write a plain value")
            return None
        try:
            return read(node.value)
        except ValueError:
            self._faults.add(path, f"is {shown_value(node.value)}, which cannot be read as {kind}; put it in quotes")
            return None


def _int(text: str) -> WrittenInt:
    plain = text.replace("_", "").lower()
    sign, digits = (-1, plain[1:]) if plain.startswith("-") else (1, plain.lstrip("+"))
    if ":" in digits:  # sixty by sixty, as YAML 1.1 has it
        raise ValueError(text)
    base = {"0b": 2, "0x": 16, "0o": 8}.get(digits[:2])
    if base is None:
        base = 8 if len(digits) > 1 and digits.startswith("0") else 10
    made = WrittenInt(sign * int(digits, base))
    made.text = text
    return made


def _float(text: str) -> WrittenFloat:
    made = WrittenFloat(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))
    made.text = text
    return made


_READ: dict[str, Callable[[str], Any]] = {
    "str": str,
    "timestamp": str,
    "null": lambda _: None,
    "bool": lambda text: text.lower() in ("yes", "true", "on"),
    "int": _int,
    "float": _float,
}
