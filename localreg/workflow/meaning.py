"""What metrics of an evaluator mean to a comparison, said where they are declared.

    @dataclass(frozen=True)
    class OfPage(MetricsTestSample):
        right: bool
        errors: int = field(metadata=meaning(better="lower"))
        words: int = field(metadata=meaning(aside=True))

    @dataclass(frozen=True)
    class OfSuite(MetricsTestSuite):
        error_rate: float = field(metadata=meaning(better="lower", ratio=Ratio(of={"errors": 1}, to={"words": 1})))

It is stored beside the results, in the details of their parts, so that who compares them needs no classes.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal, TypeAlias, cast

from localreg.canonical import JsonObject
from localreg.errors import InvalidInputError
from localreg.names import shown_value

__all__ = ["Direction", "Meaning", "Ratio", "declared", "meaning"]

Direction: TypeAlias = Literal["higher", "lower"]

KEY = "localreg.meaning"


@dataclass(frozen=True)
class Ratio:
    """A sum over samples as a share of another, such as errors of words; each of numbers of samples, with factors.

    Attributes:
        of: factors by the name of a metric of samples; what is counted.
        to: the same; what it is counted against.
        most: the most that the ratio can be; None = anything. It is 0 or more.

    Raises:
        InvalidInputError: nothing is summed, or a factor is no finite number.
    """

    of: Mapping[str, float]
    to: Mapping[str, float]
    most: float | None = None

    def __post_init__(self) -> None:
        for name, side in (("of", self.of), ("to", self.to)):
            if not side or not all(isinstance(factor, int | float) and isfinite(factor) for factor in side.values()):
                raise InvalidInputError(f"{name} is {shown_value(side)}; name metrics of samples, each with its factor")


@dataclass(frozen=True)
class Meaning:
    """What a comparison is to know of one metric; see `meaning`."""

    better: Direction | None = None
    aside: bool = False
    mean_of: str | None = None
    ratio: Ratio | None = None
    beside: bool = False

    def to_json(self) -> JsonObject:
        """As it is stored, without what is not said."""
        told = cast(JsonObject, dataclasses.asdict(self))
        return {name: value for name, value in told.items() if value not in (None, False)}

    @classmethod
    def from_json(cls, value: JsonObject) -> Meaning:
        """The inverse of `to_json`; what a later version says beside it is passed over."""
        said = cast("dict[str, Any]", value)
        ratio = said.get("ratio")
        return cls(
            said.get("better"),
            said.get("aside", False),
            said.get("mean_of"),
            None if ratio is None else Ratio(ratio["of"], ratio["to"], ratio.get("most")),
            said.get("beside", False),
        )


def meaning(
    *,
    better: Direction | None = None,
    aside: bool = False,
    mean_of: str | None = None,
    ratio: Ratio | None = None,
    beside: bool = False,
) -> Mapping[str, Meaning]:
    """For `dataclasses.field(metadata=…)`: what a comparison is to know of a metric.

    Args:
        better: whether more or less of it is better; None = nobody knows, unless `compare(…, better=…)` says so. More
            of a boolean is better if nothing is said.
        aside: it is compared only if it is asked for by name, as counts are that other metrics are made of.
        mean_of: of a test case or the suite: the mean of this metric of samples, which is compared in its place.
        ratio: of a test case or the suite: what it is made of, so that an interval can be given.
        beside: with `mean_of`: it is told beside that metric, too, under the name that people know it by.

    Raises:
        InvalidInputError: `better` is neither "higher" nor "lower".
    """
    if better not in (None, "higher", "lower"):
        raise InvalidInputError(f"better is {shown_value(better)}; it must be 'higher' or 'lower', or left out")
    return {KEY: Meaning(better, aside, mean_of, ratio, beside)}


def declared(cls: type) -> dict[tuple[str, ...], Meaning]:
    """What a class of metrics says of its fields and of those of classes within it, by names from the outside."""
    return dict(_declared(cls, (), ()))


def _declared(cls: type, before: tuple[str, ...], within: Sequence[type]) -> Iterator[tuple[tuple[str, ...], Meaning]]:
    if not dataclasses.is_dataclass(cls) or cls in within:
        return
    try:
        hints = typing.get_type_hints(cls)
    except NameError:  # a class within a function names others that are there alone
        hints = {}
    for field in dataclasses.fields(cls):
        path = (*before, field.name)
        if KEY in field.metadata:
            yield path, field.metadata[KEY]
        for inner in _classes(hints.get(field.name)):
            yield from _declared(inner, path, (*within, cls))


def _classes(hint: object) -> Iterator[type]:
    """The classes that a type hint names, within lists and unions, too."""
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        yield hint
    for each in typing.get_args(hint):
        yield from _classes(each)
