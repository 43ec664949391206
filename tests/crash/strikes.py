"""Which calls of an act are disturbed, where it is done once for each: some of those that look alike, or all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tests.thorough import THOROUGH

__all__ = ["Strikes", "firsts", "look"]

_T = TypeVar("_T")


def look(text: str) -> str:
    """What is the same of calls that differ in digits alone, such as numbers of commits and random names."""
    return re.sub("[0-9a-f]{5,}|[0-9]+", "#", text)


def firsts(calls: Iterable[_T], by: Callable[[_T], object]) -> list[_T]:
    """The first of those that look alike, in their order."""
    given = [*calls]
    return given if THOROUGH else [group[0] for group in _alike(given, by)]


def _alike(calls: Iterable[_T], by: Callable[[_T], object]) -> list[list[_T]]:
    groups: dict[object, list[_T]] = {}
    for call in calls:
        groups.setdefault(by(call), []).append(call)
    return [*groups.values()]


class Strikes:
    """The storage calls of an act, by their numbers: 0, so that it is done undisturbed; then those that are to fail.

    Of calls that look alike these are the first and the last. Whoever does the act tells what it called the first time.
    """

    def __init__(self) -> None:
        self._numbers: list[int] | None = None

    def __iter__(self) -> Iterator[int]:
        yield 0
        assert self._numbers, "nobody told what was called"
        yield from self._numbers

    def called(self, calls: Iterable[tuple[str, str]]) -> None:
        """What the act called."""
        if self._numbers is None:
            numbered = [*enumerate(calls, 1)]
            groups = _alike(numbered, lambda each: look(" ".join(each[1])))
            chosen = numbered if THOROUGH else [each for group in groups for each in {group[0], group[-1]}]
            self._numbers = sorted(number for number, _ in chosen)
