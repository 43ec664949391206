"""Metadata as it is typed in a shell."""

import json
from collections.abc import Mapping, Sequence
from typing import NoReturn

import typer

__all__ = ["commit_or_text", "metadata", "storage_options", "value"]


def metadata(pairs: Sequence[str], text: str | None = None) -> dict[str, object]:
    """One JSON object of `key=value` words and a JSON text.

    Args:
        pairs: each split at its first `=`; dots in a key are plain characters.
        text: a JSON object.

    Raises:
        typer.BadParameter: no `=`, no JSON object, a key given twice.
    """
    merged = {} if text is None else _json_object(text)
    for pair in pairs:
        key, equals, written = pair.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"{pair!r} is no KEY=VALUE pair", param_hint="KEY=VALUE")
        if key in merged:
            raise typer.BadParameter(f"the key {key!r} is given twice", param_hint="KEY=VALUE")
        merged[key] = value(written)
    return merged


def storage_options(pairs: Sequence[str]) -> dict[str, object]:
    """Options of a file system, from `key=value` words. They may be secrets: no message repeats them.

    Raises:
        typer.BadParameter: no `=`.
    """
    options: dict[str, object] = {}
    for pair in pairs:
        key, equals, written = pair.partition("=")
        if not equals or not key:
            raise typer.BadParameter("it is no KEY=VALUE pair", param_hint="--storage-option")
        options[key] = value(written)
    return options


def value(text: str) -> object:
    """What a written value means: JSON if it is JSON, else the text itself, so that `5` is a number, `"5"` a text."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text


def commit_or_text(text: str) -> int | str:
    """A commit's number, or the text of a time. More digits than a number of commits can have are taken for neither."""
    return int(text) if text.isdecimal() and len(text) < 19 else text


def _json_object(text: str) -> dict[str, object]:
    try:
        parsed = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"no JSON: {error}", param_hint="--json") from error
    if not isinstance(parsed, dict):
        raise typer.BadParameter('a JSON object is needed, such as {"seed": 7}', param_hint="--json")
    return parsed


def _unique(pairs: Sequence[tuple[str, object]]) -> Mapping[str, object]:
    merged = dict(pairs)
    if len(merged) < len(pairs):
        raise ValueError("a key is given twice")
    return merged


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
