"""Plain values as YAML that reads back as the same, whatever texts they hold, and that is fit to be read by people.

What YAML 1.1 or 1.2 would take for something else is quoted, as is what cannot be seen; other text is written as it is.
Short lists and mappings stand on one line, long texts of several lines as such.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

import yaml

__all__ = ["Block", "written"]

LONGEST_LINE = 80
"""Characters of a list or mapping on one line."""

_TAG = "tag:yaml.org,2002:"
# Numbers of YAML 1.2 (schema "core") that are texts in 1.1, and truth values that PyYAML alone does not take for some.
_ODD = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|0o[0-7]+|[yYnN]|[-+]?\.(inf|nan)", re.IGNORECASE)
# Not printable in YAML (section 5.1), line breaks of 1.1, the byte order mark, and what turns the direction of text.
_HIDDEN = "[^ -~\xa0-\u2027\u202f-\u2065\u2070-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
_ESCAPED = re.compile(f'[\\\\"]|{_HIDDEN}')
_HIDES = re.compile(_HIDDEN)
_SHORT = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}


class Block(dict[str, Any]):
    """A mapping that stands on several lines, however short it is."""


def written(value: object) -> str:
    """YAML of mappings, lists, texts, numbers, truth values and nulls; keys are texts, in their order."""
    text: str = yaml.serialize(_node(value), Dumper=_Dumper, width=sys.maxsize, allow_unicode=True)
    return text


class _Dumper(yaml.SafeDumper):
    """PyYAML's writer, with lists indented, double quotes, and characters beyond the first plane left as they are."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Lists within mappings are indented, too."""
        super().increase_indent(flow, False)

    def choose_scalar_style(self) -> str:
        """How a text is written: "" plain, or `"`, or `|`."""
        style: str = super().choose_scalar_style()
        return '"' if style == "'" else style

    def write_double_quoted(self, text: str, split: bool = True) -> None:
        """Quoted, on one line."""
        told = _ESCAPED.sub(lambda found: _escape(found[0]), text)
        self.write_indicator(f'"{told}"', True)


def _escape(character: str) -> str:
    code = ord(character)
    return _SHORT.get(character) or (
        f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    )


def _node(value: object) -> yaml.Node:
    if isinstance(value, str):
        return _text(value, "|" if _is_passage(value) else None)
    if isinstance(value, Mapping):
        pairs = [(_text(key, None), _node(each)) for key, each in value.items()]
        return yaml.MappingNode(f"{_TAG}map", pairs, flow_style=_fits(value))
    if isinstance(value, list | tuple):
        return yaml.SequenceNode(f"{_TAG}seq", [_node(each) for each in value], flow_style=_fits(value))
    if value is None:
        return yaml.ScalarNode(f"{_TAG}null", "null")
    if isinstance(value, bool):
        return yaml.ScalarNode(f"{_TAG}bool", "true" if value else "false")
    if isinstance(value, int):
        return yaml.ScalarNode(f"{_TAG}int", str(int(value)))
    assert isinstance(value, float), f"{type(value)} is no plain value"
    return yaml.ScalarNode(f"{_TAG}float", _float(value))


def _text(text: str, style: str | None) -> yaml.ScalarNode:
    if style is None and (_ODD.fullmatch(text) or _HIDES.search(text)):
        style = '"'
    return yaml.ScalarNode(f"{_TAG}str", text, style=style)


def _float(value: float) -> str:
    if value != value:
        return ".nan"
    if value in (float("inf"), float("-inf")):
        return ".inf" if value > 0 else "-.inf"
    mantissa, e, exponent = repr(float(value)).partition("e")
    return f"{mantissa if '.' in mantissa else f'{mantissa}.0'}{e}{exponent}"


def _is_passage(text: str) -> bool:
    """Whether a text of several lines can be written as it is, between lines that are indented."""
    body = text.removesuffix("\n")
    lines = body.split("\n")
    return (
        len(lines) > 1
        and not _HIDES.search(body.replace("\n", ""))
        and lines[0][:1] not in ("", " ")
        and lines[-1] != ""
    )


def _fits(value: object) -> bool:
    """Whether a list or mapping stands on one line."""
    return _length(value, LONGEST_LINE) <= LONGEST_LINE and not _is_block(value)


def _is_block(value: object) -> bool:
    """Whether a value stands on several lines: a list of mappings does."""
    if isinstance(value, Mapping):
        return isinstance(value, Block) or any(map(_is_block, value.values()))
    return isinstance(value, list | tuple) and any(isinstance(each, Mapping) or _is_block(each) for each in value)


def _length(value: object, most: int) -> int:
    """About how many characters a value takes on one line; no more is counted than `most` and a little."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, Mapping):
        value = [each for pair in value.items() for each in pair]
    if not isinstance(value, list | tuple):
        return len(str(value))
    total = 2
    for each in value:
        total += _length(each, most - total) + 2
        if total > most:
            break
    return total
