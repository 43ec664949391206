"""`${…}` in texts: environment variables, and values that are known when a model is loaded or run.

| written | means |
|---|---|
| `${NAME}` | the environment variable |
| `${NAME:-text}` | the same, or the text if it is not set, or empty |
| `${model.files.params.url}`, `${datapoints}` | a value of the model: see `localreg.definitions.variables` |
| `$${` | `${` itself |

A text that is one variable and nothing else stands for the value itself; otherwise the value is put into the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

__all__ = ["Environment", "Runtime", "Template", "parsed", "texts_in"]

_PART = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_ENVIRONMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
DATAPOINTS = "datapoints"


class Environment(NamedTuple):
    """An environment variable."""

    name: str
    default: str | None

    def value(self, environment: Mapping[str, str]) -> str | None:
        """What it is; None if it is not set and has no default."""
        found = environment.get(self.name)
        return found if found or self.default is None else self.default


class Runtime(NamedTuple):
    """A value of the model."""

    name: str


Part: TypeAlias = "str | Environment | Runtime"


class Template(NamedTuple):
    """A text in its parts."""

    parts: tuple[Part, ...]

    @property
    def environment(self) -> list[Environment]:
        """The environment variables in it."""
        return [part for part in self.parts if isinstance(part, Environment)]

    @property
    def runtime(self) -> list[Runtime]:
        """The values of the model in it."""
        return [part for part in self.parts if isinstance(part, Runtime)]

    @property
    def literals(self) -> list[str]:
        """What is written out."""
        return [part for part in self.parts if isinstance(part, str)]


@lru_cache(maxsize=4096)
def parsed(text: str) -> Template:
    """The parts of a text.

    Raises:
        ValueError: a variable is not closed, or has no name; the message says which.
    """
    if "${" not in text:
        return Template((text,) if text else ())
    parts: list[Part] = []
    end = 0
    for match in _PART.finditer(text):
        _append(parts, text[end : match.start()])
        end = match.end()
        if match[0] == "$${":
            _append(parts, "${")
        elif match[1] is None:
            raise ValueError(f"{text[match.start() :][:40]!r} is not closed by }}; write $${{ for a plain ${{")
        else:
            parts.append(_variable(match[1]))
    _append(parts, text[end:])
    return Template(tuple(parts))


def _append(parts: list[Part], text: str) -> None:
    if not text:
        return
    last = parts[-1] if parts else None
    if isinstance(last, str):
        parts[-1] = last + text
    else:
        parts.append(text)


def _variable(name: str) -> Environment | Runtime:
    match = _ENVIRONMENT.fullmatch(name)
    if match is not None and match[1] != DATAPOINTS:
        return Environment(match[1], match[2])
    if re.fullmatch(r"[A-Za-z_][^\s:]*", name):
        return Runtime(name)
    raise ValueError(
        f"${{{name}}} is no variable; write ${{NAME}}, ${{NAME:-default}}, ${{model.…}} or ${{datapoints}}"
    )


def texts_in(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """All texts within a value, with their paths; keys are none."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from texts_in(each, (*path, key))
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value):
            yield from texts_in(each, (*path, number))
