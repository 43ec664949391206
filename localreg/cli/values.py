"""Metadata as it is typed in a shell."""

import json
from collections.abc import Mapping, Sequence

import typer

from localreg.written import written_value

__all__ = ["metadata", "storage_options"]


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
        merged[key] = written_value(written)
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
        options[key] = written_value(written)
    return options


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
