"""What is wrong with a definition: all of it at once, each with its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from localreg.errors import DefinitionError
from localreg.names import amount

__all__ = ["Faults", "Path", "path_text"]

Path: TypeAlias = tuple[str | int, ...]
"""Keys and places in lists, from the top of a document."""


def path_text(path: Path) -> str:
    """Such as `models[0].files[1].url`."""
    text = ""
    for each in path:
        text += f"[{each}]" if isinstance(each, int) else f".{each}" if text else each
    return text


class Faults:
    """Collects what is wrong with one document.

    Args:
        name: of the document, such as `models.yaml`; "" = the values come from Python, and have no lines.
        lines: where each value stands, from 1.
    """

    def __init__(self, name: str, lines: Mapping[Path, int] | None = None) -> None:
        self._name = name
        self._lines = {} if lines is None else lines
        self._found: dict[tuple[Path, str], int] = {}

    def add(self, path: Path, reason: str) -> None:
        """Note a fault, once.

        Args:
            path: of the value.
            reason: goes on after the place: `is missing`, and what to do.
        """
        self._found.setdefault((path, reason), self._line(path))

    def place(self, path: Path) -> str:
        """Where a value stands: `models[0].name, line 3`."""
        line = self._line(path)
        return (path_text(path) or "the top") + (f", line {line}" if line else "")

    def __bool__(self) -> bool:
        return bool(self._found)

    def under(self, path: Path) -> bool:
        """Whether there is a fault at a place, or within."""
        return any(found[: len(path)] == path for found, _ in self._found)

    def found(self) -> list[tuple[Path, str]]:
        """The faults, each with its place."""
        return list(self._found)

    def told(self) -> tuple[str, ...]:
        """The faults as lines, in order of their lines in the document."""
        ordered = sorted(self._found.items(), key=lambda each: each[1])
        return tuple(f"{self.place(path)}: {reason}" for (path, reason), _ in ordered)

    def refuse(self) -> None:
        """Raise if there is any.

        Raises:
            DefinitionError: it tells all of them.
        """
        if not self._found:
            return
        told = self.told()
        named = f"{self._name}: " if self._name else ""
        if len(told) == 1:
            raise DefinitionError(f"{named}{told[0]}", faults=told)
        lines = "\n".join(f"  {each}" for each in told)
        raise DefinitionError(f"{named}{amount(len(told), 'error')}; nothing was registered\n{lines}", faults=told)

    def _line(self, path: Path) -> int:
        """The line of a value; of one that is not there, that of what should hold it; 0 = not known."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 0)
