"""What a value means that somebody typed: in a shell, or on the page."""

from __future__ import annotations

import json
from typing import NoReturn

__all__ = ["commit_or_text", "written_value"]


def written_value(text: str) -> object:
    """What a written value means: JSON if it is JSON, else the text itself, so that `5` is a number, `"5"` a text."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text


def commit_or_text(text: str) -> int | str:
    """A commit's number, or the text of a time. More digits than a number of commits can have are taken for neither."""
    return int(text) if text.isdecimal() and len(text) < 19 else text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
