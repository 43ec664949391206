"""Values of users as a card shows them: on one line, not too long, and without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import PurePath
from typing import Any

from localreg.definitions.secrets import is_secret_name
from localreg.markdown import safe, table
from localreg.query.text import cell

__all__ = ["commit_text", "date", "grid", "line", "number", "place", "public", "rows_of", "shown"]

LONGEST = 300
"""Characters of a value."""
MOST_ROWS = 200
"""Of one table."""
HIDDEN = "(not shown)"

# What an address must not show: who opens it, and what is handed to it as a token or a signature.
_USER = re.compile(r"(?i)(?<=://)[^/\s@]*:[^/\s@]*@|(?<=https://)[^/\s@]*@|(?<=http://)[^/\s@]*@|(?<=ftp://)[^/\s@]*@")
_QUERY = re.compile(r"(?i)([?&;](?:[\w.%-]*[-_])?(?:sig|signature|token|key|secret|password|credential)=)[^&;#\s\"']+")

_LOCAL = re.compile(r"(?i)file:|[/\\~]|[a-z]:[/\\]")


def public(text: str) -> str:
    """A text without passwords, tokens and signatures in addresses."""
    return _QUERY.sub(r"\1…", _USER.sub("", text)) if "://" in text else text


def line(text: str) -> str:
    """A text within a line of Markdown."""
    return safe(public(text))


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table of Markdown; none if it has no rows."""
    told = [[public(each) for each in row] for row in rows[:MOST_ROWS]]
    if len(rows) > MOST_ROWS:
        told.append([f"… {len(rows) - MOST_ROWS:,} more", *("" for _ in head[1:])])
    return table(head, told)


def place(uri: str) -> str:
    """Where something lies, as it can be told to others: of a path of one machine its last part."""
    return PurePath(uri.replace("\\", "/")).name if _LOCAL.match(uri) else public(uri)


def shown(value: object) -> str:
    """A value on one line."""
    text = cell(_without_secrets(value))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def rows_of(values: Mapping[str, Any], path: str = "") -> Iterator[list[str]]:
    """Names and values of a JSON object: objects within it by their paths; null and empty ones are left out."""
    for key, value in values.items():
        name = f"{path}{key}"
        if isinstance(value, Mapping):
            yield from rows_of(value, f"{name}.")
        elif is_secret_name(key) and isinstance(value, str):
            yield [name, HIDDEN]
        elif value is not None and value not in ("", []):
            yield [name, shown(value)]


def _without_secrets(value: object) -> object:
    """The same with texts in place of what is named as a secret, however deep that stands."""
    if isinstance(value, str):
        return public(value)
    if isinstance(value, list):
        return [_without_secrets(each) for each in value]
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if isinstance(each, str) and is_secret_name(key) else _without_secrets(each)
            for key, each in value.items()
        }
    return value


def number(value: float | None) -> str:
    """A metric's value."""
    if value is None or not isfinite(value):
        return "none"
    if isinstance(value, int) or value == int(value):
        return f"{value:,.0f}" if abs(value) < 1e15 else f"{value:g}"
    return f"{value:.4f}" if 0.001 <= abs(value) < 1000 else f"{value:.4g}"


def date(time: str) -> str:
    """A time of the log, to the minute: `2026-03-31 12:05 UTC`."""
    return f"{time[:10]} {time[11:16]} UTC"


def commit_text(git: object) -> str:
    """Commit, and whether files differed from it; "" = not known."""
    if not isinstance(git, Mapping) or not git.get("commit"):
        return ""
    return f"{git['commit']}{', with changes that are not committed' if git.get('dirty') else ''}"
