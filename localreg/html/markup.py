"""HTML that cannot be broken by what stands in it: text is escaped unless it was made here."""

from __future__ import annotations

import re
from html import escape

__all__ = ["Markup", "clean", "cut", "isolated", "joined", "tag"]

LONGEST = 160
"""Characters of a name that are shown."""

VOID = {"meta"}
EMPTY = {"line", "rect", "path", "circle", "image"}
"""SVG, which has no end tag if there is nothing within."""

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()

    def __html__(self) -> Markup:
        """What templates ask of text that they need not escape."""
        return self


def clean(text: str) -> str:
    """Text without what no HTML document may hold."""
    return _UNPRINTABLE.sub("\ufffd", text)


def cut(text: str, longest: int = LONGEST) -> str:
    """A text that is not longer than that."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def tag(name: str, /, *content: str | None, **attributes: str | float | None) -> Markup:
    """An element.

    Args:
        name: of the element.
        content: what stands in it; None = nothing.
        attributes: by name, `class_` for `class`, `_` for `-`; None = the element has no such attribute.
    """
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(clean(_text(given)))}"'
        for key, given in attributes.items()
        if given is not None
    )
    if name in VOID:
        return Markup(f"<{name}{told}>")
    if name in EMPTY and not content:
        return Markup(f"<{name}{told}/>")
    return Markup(f"<{name}{told}>{joined(*content)}</{name}>")


def joined(*content: str | None) -> Markup:
    """Pieces of content, one after the other."""
    return Markup("".join(each if isinstance(each, Markup) else escape(clean(each)) for each in content if each))


def isolated(text: str, longest: int = LONGEST) -> Markup:
    """A name of the user's, which may be written from right to left, or say that what follows is."""
    return tag("bdi", cut(text, longest), title=text if len(text) > longest else None)


def _text(given: str | float) -> str:
    return given if isinstance(given, str) else f"{given:.2f}".rstrip("0").rstrip(".")
