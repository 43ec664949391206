"""Templates: all text is escaped; names are isolated, so that one written from right to left turns nothing else."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemBytecodeCache, PackageLoader, StrictUndefined
from jinja2.bccache import Bucket

from localreg.handles.words import readable_bytes
from localreg.html.markup import Markup, clean, cut, isolated, joined, tag
from localreg.names import WELL_KNOWN, amount
from localreg.query.text import cell, plain
from localreg.storage.cache import cache_folder

__all__ = ["rendered"]

LINKED = ("http", "https")
"""Addresses that a click may follow; others are shown."""
LONGEST = 2000


def rendered(template: str, **told: Any) -> str:
    """A template with what it shows.

    Args:
        template: its file in `templates/`.
        told: by name.
    """
    return _environment().get_template(template).render(**told)


class _Compiled(FileSystemBytecodeCache):
    """Templates as Python compiles them, in the cache folder; where it cannot be written, each start compiles again."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            super().dump_bytecode(bucket)


def _compiled() -> _Compiled | None:
    folder = cache_folder() / "page"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    return _Compiled(str(folder))


@cache
def _environment() -> Environment:
    environment = Environment(
        bytecode_cache=_compiled(),
        loader=PackageLoader("localreg.ui"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
        auto_reload=False,
    )
    environment.filters |= {
        "name": _name,
        "time": _time,
        "bytes": readable_bytes,
        "whole": lambda number: f"{number:,}",
        "number": _number,
        "json": _json,
        "value": _value,
        "told": _told,
        "amount": amount,
        "cut": cut,
        "shell": shlex.quote,
    }
    environment.tests["moment"] = lambda value: isinstance(value, datetime)
    from localreg.ui.assets import address_of

    environment.globals |= {"asset": address_of, "well_known": WELL_KNOWN}
    return environment


def _shown(value: Any) -> Any:
    """What `{{ value }}` puts into the page: without what no HTML document may hold."""
    if value is None:
        return ""
    return clean(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _name(text: str | None, longest: int = 160) -> Markup:
    return isolated(text, longest) if text else tag("span", "none", class_="none")


def _time(given: datetime | None) -> Markup:
    """A moment of UTC to the minute, and to the second where one points."""
    if given is None:
        return Markup("")
    moment = given.astimezone(UTC)
    return tag("time", f"{moment:%Y-%m-%d %H:%M}", datetime=moment.isoformat(), title=f"{moment:%Y-%m-%d %H:%M:%S} UTC")


def _number(value: float | None, digits: int = 4) -> str:
    """A value as people read it; "" = there is none."""
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.{digits}g}"


def _json(value: object) -> str:
    """A value as JSON, on lines where it is long; what is no JSON becomes what it is in tables."""
    told = plain(value)
    short = json.dumps(told, ensure_ascii=False)
    return short if len(short) <= 60 else json.dumps(told, ensure_ascii=False, indent=2)


def _value(value: object, longest: int = LONGEST) -> Markup:
    """A value of metadata as it is looked at: addresses as links, texts as such, objects as JSON."""
    if value is None:
        return tag("span", "null", class_="none")
    if isinstance(value, str):
        if _scheme(value) in LINKED:
            return tag("a", cut(value, 200), href=value, rel="noreferrer noopener", target="_blank")
        return tag("span", cut(value, longest), class_="text", dir="auto")
    if isinstance(value, bool | int | float):
        return tag("span", json.dumps(value), class_="number")
    if isinstance(value, list) and value and all(isinstance(each, str) and len(each) <= 40 for each in value):
        return joined(*(tag("span", each, class_="chip") for each in value[:50]))
    if isinstance(value, Mapping | list) and len(value):
        return tag("pre", cut(_json(value), longest), class_="json")
    return tag("span", _json(value), class_="number")


def _told(value: object, longest: int = 300) -> Markup:
    """A value on one line, as in a table of the command line."""
    if value is None:
        return tag("span", "null", class_="none")
    text = cell(value)
    return tag("span", cut(text, longest), dir="auto", title=cut(text, LONGEST) if len(text) > longest else None)


def _scheme(text: str) -> str:
    """The scheme of an address, lower case; "" = it has none, or is no address."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return parts.scheme.lower() if parts.netloc else ""
