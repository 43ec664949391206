"""What answers in other circumstances come to: how far they agree, and the first sample that shows it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from localreg.canonical import JsonValue
from localreg.names import shown_value
from localreg.records.determinism import VARIATIONS, Deviation, Level, Variation, is_as_good, weakest
from localreg.workflow.agreement import Answer, Difference, Tolerance, agreement
from localreg.workflow.fresh_process import Work
from localreg.workflow.machines import OnAnother

__all__ = ["Judged", "shown_sample"]

SHOWN_CHARS = 200
"""Of a sample, or of a value that differs, in the record."""


class _Worst(NamedTuple):
    """The first sample of which answers agree no further.

    Attributes:
        number: its place.
        found: in what they differ.
        host: the machine that answered otherwise, if it was another one.
    """

    number: int
    found: list[Difference]
    host: str | None = None


class Judged:
    """How far answers agree with the first ones, variation by variation.

    Attributes:
        first: the first answers of a fresh process, one for each sample.
        levels: the level under each variation so far.
    """

    def __init__(self, work: Work, first: Sequence[Answer], tolerance: Tolerance) -> None:
        self._work = work
        self.first = first
        self._tolerance = tolerance
        self._worst: dict[Variation, _Worst] = {}
        self.levels: dict[Variation, Level] = {}

    def add(self, variation: Variation, answers: Sequence[Answer]) -> None:
        """Judge further answers, one for each sample."""
        for number, (first, other) in enumerate(zip(self.first, answers, strict=True)):
            before, after = (other, first) if variation == "stored" else (first, other)
            level, found = agreement(before, after, self._work.job.inferences.node, self._tolerance)
            self._note(variation, level, _Worst(number, found))

    def add_others(self, compared: Iterable[OnAnother]) -> None:
        """Judge the answers by those of other machines."""
        for each in compared:
            self._note("machine", each.level, _Worst(each.place, each.found, each.host))

    def _note(self, variation: Variation, level: Level, worst: _Worst) -> None:
        known = self.levels.setdefault(variation, level)
        if worst.found and (variation not in self._worst or not is_as_good(level, known)):
            self._worst[variation] = worst
            self.levels[variation] = weakest([level, known])

    @property
    def level(self) -> Level:
        """The weakest so far."""
        return weakest(self.levels.values())

    @property
    def verdict(self) -> Level:
        """The same; `machine`, if another one answered all the same."""
        return "machine" if self.level == self.levels.get("machine") == "bit-exact" else self.level

    def in_order(self) -> dict[Variation, Level]:
        """The level under each variation that was tried, from the least variation to the most."""
        return {each: self.levels[each] for each in VARIATIONS if each in self.levels}

    def deviation(self) -> Deviation | None:
        """The first sample that agrees no further than the verdict says, under the least variation that shows it."""
        if self.level == "bit-exact":
            return None
        variation = next(each for each, level in self.in_order().items() if level == self.level)
        number, found, host = self._worst[variation]
        # Where it differs by more than the last digits, if it does anywhere.
        shown = next((each for each in found if not self._tolerance.holds(each)), found[0])
        sizes = [each.size for each in found if each.size is not None]
        return Deviation(
            variation,
            int(self._work.indices[number]),
            shown_sample(self._work, number),
            shown.path,
            _storable(shown.before),
            _storable(shown.after),
            max(sizes, default=None),
            host,
        )


def shown_sample(work: Work, number: int) -> str:
    """A sample on one line."""
    return _cut(shown_value(work.job.samples.objects(work.samples.slice(number, 1))[0]))


def _storable(value: Any) -> JsonValue:
    """A value that differs, as JSON; what JSON cannot tell from others, as text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        told = not math.isfinite(value) or (value == 0 and math.copysign(1, value) < 0)
        return repr(value) if told else value
    return _cut(value if isinstance(value, str) else repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARS else f"{text[: SHOWN_CHARS - 1]}…"
