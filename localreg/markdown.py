"""Markdown, GitHub's flavour, in which text is text, whatever it holds: nothing of it formats, links or mentions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

__all__ = ["paragraphs", "safe", "table"]

_MARKUP = re.compile(r"([\\`*\[\]|~#$]|(?<!\w)_|_(?!\w))")
_MENTION = re.compile(r"(?<!\w)@(?=\w)")
_BEGINS = re.compile(r"([-+=:]|\d+(?=[.)]))")
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")


def safe(text: str) -> str:
    """Text on one line, as Markdown shows it within a line or the cell of a table."""
    line = _HIDDEN.sub("\ufffd", " ".join(text.split()))
    return _MENTION.sub("@\u2060", _MARKUP.sub(r"\\\1", escape(line, quote=False)))


def paragraphs(text: str) -> list[str]:
    """Text of several lines as paragraphs, in which its lines stay lines."""
    parts = re.split(r"\n[^\S\n]*\n\s*", "\n".join(text.strip().splitlines()))
    return ["\\\n".join(_alone(line) for line in part.split("\n")) for part in parts if part.strip()]


def _alone(line: str) -> str:
    """A line that begins no list and underlines no heading."""
    told = safe(line)
    found = _BEGINS.match(told)
    if found is None:
        return told
    return f"{found[0]}\\{told[found.end() :]}" if found[0].isdigit() else f"\\{told}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table of texts, and an empty one behind it; none if it has no rows."""
    if not rows:
        return []
    lines = ["| " + " | ".join(map(safe, each)) + " |" for each in (head, *rows)]
    return [lines[0], "|" + "---|" * len(head), *lines[1:], ""]
