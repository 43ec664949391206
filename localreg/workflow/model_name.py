"""Names of models that tell what is in them: `helpful-meadow-5 (YOLOR-D6, 1280x1280, pytorch-1.7)`.

A base that nobody confuses with another, and in brackets what tells the model from others: architecture, input size,
framework. It is a recommendation: a model may have any name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self, cast

from localreg.errors import InvalidInputError
from localreg.names import check_name, shown_value

__all__ = ["ModelName"]


@dataclass(frozen=True)
class ModelName:
    """A name in parts: `str` puts it together, `parse` takes it apart; each is exactly the inverse of the other.

    Attributes:
        base: what people call the model.
        details: what stands in brackets after it; may be empty.

    Raises:
        InvalidInputError: a part that could not be told from the others again, or that no name may have.
    """

    base: str
    details: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "base", _checked(self.base, "base"))
        given = cast(object, self.details)
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise InvalidInputError(f"details is {shown_value(given)}; write a list of texts")
        details = tuple(_checked(detail, f"details[{place}]") for place, detail in enumerate(given))
        object.__setattr__(self, "details", details)
        for place, detail in enumerate(details):
            if not _is_balanced(detail):
                raise InvalidInputError(f"details[{place}] is {detail!r}; close each bracket that it opens, in order")
            if len(_split(detail)) > 1:
                raise InvalidInputError(f"details[{place}] is {detail!r}; write it as several details, without ', '")
        if not details and _parts(self.base)[1]:
            raise InvalidInputError(
                f"base is {self.base!r}, which ends in details; use ModelName.parse, or other brackets"
            )
        check_name(str(self))

    @classmethod
    def parse(cls, name: str) -> Self:
        """Take a name apart. One without brackets at its end, or with others than a list of details, is all base."""
        return cls(*_parts(check_name(name)))

    def __str__(self) -> str:
        return f"{self.base} ({', '.join(self.details)})" if self.details else self.base


def _checked(value: object, what: str) -> str:
    text = check_name(value, what=what)
    if text != value:
        raise InvalidInputError(f"{what} is {value!r}; remove the white space around it")
    return text


def _parts(name: str) -> tuple[str, tuple[str, ...]]:
    opening = _last_group(name)
    base = name[:opening]
    if opening is None or not base.endswith(" "):
        return name, ()
    details = _split(name[opening + 1 : -1])
    base = base[:-1]
    if not _is_plain(base) or not all(map(_is_plain, details)):
        return name, ()
    return base, tuple(details)


def _last_group(name: str) -> int | None:
    """Where the bracket opens that the last character closes."""
    depth = 0
    for place in range(len(name) - 1, -1, -1):
        depth += (name[place] == ")") - (name[place] == "(")
        if depth <= 0:
            return place if depth == 0 and name[place] == "(" else None
    return None


def _split(text: str) -> list[str]:
    """What stands between commas with a space after them; those within brackets do not count. Brackets are closed."""
    pieces: list[str] = []
    depth = 0
    for part in text.split(", "):
        if depth:
            pieces[-1] += f", {part}"
        else:
            pieces.append(part)
        depth += part.count("(") - part.count(")")
    return pieces


def _is_balanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return False
    return depth == 0


def _is_plain(part: str) -> bool:
    """Whether a part is neither blank nor has white space around it."""
    try:
        return check_name(part) == part
    except InvalidInputError:
        return False
