"""Plots that an evaluator draws for a test case: what is shown, not how.

A plot checks itself when it is made, and keeps plain lists of its own: numpy arrays and other series are copied.
NaN and infinity are kept where a number may be anything, and NaN equals NaN when plots are compared.

As JSON (`to_json`, `Plot.from_json`) a plot is an object with its class's name as `data_type`. JSON has no NaN and no
infinities: they are the strings `"NaN"`, `"Infinity"` and `"-Infinity"`, which stand in no place where text may stand.
What comes back equals what was written; canonical JSON makes of a whole float an integer, and of minus zero a zero.
Integers from 2**53 on, which JSON's readers may not keep, are taken as floats.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal, Protocol, Self, TypeAlias, TypeVar, cast

from localreg.canonical import JsonObject, JsonValue
from localreg.errors import FormatError, InvalidInputError
from localreg.names import shown_value

__all__ = [
    "AxisConfig",
    "BarPlot",
    "ConfusionMatrix",
    "Curve",
    "CurvePlot",
    "Histogram",
    "NullableNumberSeries",
    "NumberSeries",
    "Plot",
]

ItemT = TypeVar("ItemT")
ItemT_co = TypeVar("ItemT_co", covariant=True)


class Series(Protocol[ItemT_co]):
    """A list, a tuple, a numpy array, a column of a data frame. A plot gives back a list."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[ItemT_co]: ...

    def __getitem__(self, index: int, /) -> ItemT_co: ...


NumberSeries: TypeAlias = Series[float]
NullableNumberSeries: TypeAlias = Series[float | None]

_WHOLE = 2**53
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclass(frozen=True)
class AxisConfig:
    """How an axis is laid out.

    Attributes:
        type: `linear` or `log`.
    """

    type: Literal["linear", "log"]

    def __post_init__(self) -> None:
        if self.type not in ("linear", "log"):
            raise InvalidInputError(f"AxisConfig.type is {shown_value(self.type)}; write 'linear' or 'log'")


@dataclass(frozen=True)
class Plot:
    """Base of all plots."""

    _kinds: ClassVar[dict[str, type[Plot]]] = {}

    def __init_subclass__(cls) -> None:
        Plot._kinds.setdefault(cls.__name__, cls)

    def to_json(self) -> JsonObject:
        """The plot as JSON, ready to be written as it is; see the module."""
        return {"data_type": type(self).__name__, **_members(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, JsonValue]) -> Self:
        """The inverse of `to_json`. Called on a class of plots, it gives one of that class.

        Raises:
            FormatError: no such plot, a member that it does not have, or one that is missing.
            InvalidInputError: values that no plot could have.
        """
        if not isinstance(value, Mapping):
            raise FormatError(f"{shown_value(value)} is no {cls.__name__}; pass the object that to_json gave")
        members = dict(value)
        name = members.pop("data_type", None)
        kind = cls._kinds.get(name) if isinstance(name, str) else None
        if kind is None or not issubclass(kind, cls):
            shown = shown_value(name)
            raise FormatError(f"the data_type {shown} is no {cls.__name__} that this release knows; upgrade localreg")
        return cast(Self, _made(kind, members))


@dataclass(frozen=True)
class Curve:
    """One line of a `CurvePlot`.

    Attributes:
        x: as many as `y`; in order of drawing.
        label: what tells it from other curves of the same test case.
        extra: further values for each point, by name, such as thresholds.
    """

    x: NumberSeries
    y: NumberSeries
    label: str | None = None
    extra: Mapping[str, NumberSeries] | None = None

    def __post_init__(self) -> None:
        x = _set(self, "x", _numbers(self.x, "Curve.x"))
        y = _set(self, "y", _numbers(self.y, "Curve.y"))
        if len(x) != len(y):
            raise InvalidInputError(f"Curve.x has {len(x)} values, and y has {len(y)}; give one y for each x")
        _check_text(self.label, "Curve.label", optional=True)
        if self.extra is None:
            return
        if not isinstance(self.extra, Mapping):
            raise InvalidInputError(f"Curve.extra is {shown_value(self.extra)}; write a dict of series by name")
        extra = {name: _numbers(series, f"Curve.extra[{name!r}]") for name, series in self.extra.items()}
        for name, series in extra.items():
            _check_text(name, "a name in Curve.extra")
            if len(series) != len(x):
                raise InvalidInputError(
                    f"Curve.extra[{name!r}] has {len(series)} values; give one for each x: {len(x)}"
                )
        _set(self, "extra", extra)


@dataclass(frozen=True)
class CurvePlot(Plot):
    """Curves, such as ROC, precision over recall, or detection error trade-off. There may be none."""

    title: str
    x_label: str
    y_label: str
    curves: Series[Curve]
    x_config: AxisConfig | None = None
    y_config: AxisConfig | None = None

    def __post_init__(self) -> None:
        _check_frame(self, "title", "x_label", "y_label")
        _check_configs(self, "x_config", "y_config")
        for curve in _set(self, "curves", _listed(self.curves, "CurvePlot.curves")):
            if not isinstance(curve, Curve):
                raise InvalidInputError(f"CurvePlot.curves has {shown_value(curve)}; make it a Curve(x, y)")


@dataclass(frozen=True)
class Histogram(Plot):
    """How often values fall between bounds.

    Attributes:
        buckets: the bounds, ascending: one more than there are buckets.
        frequency: one number for each bucket; or one such series for each of `labels`.
        labels: names of several distributions; needed if `frequency` has several.
    """

    title: str
    x_label: str
    y_label: str
    buckets: NumberSeries
    frequency: NumberSeries | Series[NumberSeries]
    labels: Series[str] | None = None
    x_config: AxisConfig | None = None
    y_config: AxisConfig | None = None

    def __post_init__(self) -> None:
        _check_frame(self, "title", "x_label", "y_label")
        _check_configs(self, "x_config", "y_config")
        buckets = _set(self, "buckets", _numbers(self.buckets, "Histogram.buckets"))
        if len(buckets) < 2:
            raise InvalidInputError(f"Histogram.buckets has {len(buckets)} bounds; a bucket needs two")
        for place, (low, high) in enumerate(pairwise(buckets)):
            if not low < high:
                raise InvalidInputError(
                    f"Histogram.buckets goes from {low!r} to {high!r} at position {place}; sort the bounds, each once"
                )
        labels = None if self.labels is None else _set(self, "labels", _labels(self.labels, "Histogram.labels"))
        rows = _listed(self.frequency, "Histogram.frequency")
        if labels:
            _set(self, "frequency", _rows(rows, "Histogram.frequency", _numbers, len(labels), len(buckets) - 1))
            return
        if any(_is_series(row) for row in rows):
            raise InvalidInputError("Histogram.frequency has several series; name each of them in labels")
        if len(rows) != len(buckets) - 1:
            raise InvalidInputError(
                f"Histogram.frequency has {len(rows)} values for {len(buckets) - 1} buckets; give one for each"
            )
        _set(self, "frequency", _numbers(rows, "Histogram.frequency"))


@dataclass(frozen=True)
class BarPlot(Plot):
    """Bars.

    Attributes:
        x_label: of the axis along which the bars stand.
        y_label: of the axis of their heights.
        labels: one for each bar: text, or a number below 2**53.
        values: the heights; None = no bar.
        config: of the axis of heights.
    """

    title: str
    x_label: str
    y_label: str
    labels: Series[str | float]
    values: NullableNumberSeries
    config: AxisConfig | None = None

    def __post_init__(self) -> None:
        _check_frame(self, "title", "x_label", "y_label")
        _check_configs(self, "config")
        labels = _set(self, "labels", [_bar_label(label) for label in _listed(self.labels, "BarPlot.labels")])
        values = _set(self, "values", _numbers_or_none(self.values, "BarPlot.values"))
        if not labels or len(labels) != len(values):
            raise InvalidInputError(
                f"BarPlot has {len(labels)} labels and {len(values)} values; give one label for each value, and some"
            )


@dataclass(frozen=True)
class ConfusionMatrix(Plot):
    """Which class was taken for which.

    Attributes:
        labels: the classes, two at least.
        matrix: square; a row for each actual class, a column for each predicted one. None = nothing to show.
    """

    title: str
    labels: Series[str]
    matrix: Series[NullableNumberSeries]
    x_label: str = "Predicted"
    y_label: str = "Actual"

    def __post_init__(self) -> None:
        _check_frame(self, "title", "x_label", "y_label")
        labels = _set(self, "labels", _labels(self.labels, "ConfusionMatrix.labels"))
        if len(labels) < 2:
            raise InvalidInputError(f"ConfusionMatrix.labels names {len(labels)} classes; two at least are confused")
        rows = _listed(self.matrix, "ConfusionMatrix.matrix")
        _set(self, "matrix", _rows(rows, "ConfusionMatrix.matrix", _numbers_or_none, len(labels), len(labels)))


# --- checking ---------------------------------------------------------------------------------------------------------


def _set(plot: object, name: str, value: ItemT) -> ItemT:
    object.__setattr__(plot, name, value)
    return value


def _is_series(value: object) -> bool:
    is_sized = hasattr(value, "__len__") and hasattr(value, "__getitem__")
    return is_sized and not isinstance(value, str | bytes | bytearray | Mapping)


def _listed(value: object, what: str) -> list[Any]:
    if not _is_series(value):
        raise InvalidInputError(f"{what} is {shown_value(value)}; write a list")
    plain = getattr(value, "tolist", None) or getattr(value, "to_list", None)  # numpy and pandas; polars
    made = plain() if callable(plain) else list(cast(Any, value))
    if not isinstance(made, list):  # an array without dimensions
        raise InvalidInputError(f"{what} is {shown_value(value)}; write a list")
    return made


def _numbers(value: object, what: str) -> list[float]:
    return [_number(item, f"{what}[{place}]") for place, item in enumerate(_listed(value, what))]


def _numbers_or_none(value: object, what: str) -> list[float | None]:
    items = enumerate(_listed(value, what))
    return [None if item is None else _number(item, f"{what}[{place}]") for place, item in items]


def _number(value: object, what: str) -> float:
    kind = type(value)
    if kind is not float and kind is not int:
        item = getattr(value, "item", None)  # a numpy scalar
        value = item() if callable(item) else value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidInputError(f"{what} is {shown_value(value)}, of type {kind.__name__}; write a number")
        value = int(value) if isinstance(value, int) else float(value)
    number = cast(float, value)
    if number != number:
        return math.nan  # the same object everywhere, so that lists with it are equal
    try:
        return number if -_WHOLE < number < _WHOLE else float(number)
    except OverflowError as error:
        raise InvalidInputError(f"{what} is larger than any float; scale the values") from error


def _rows(
    rows: list[Any], what: str, read: Callable[[object, str], list[ItemT]], count: int, width: int
) -> list[list[ItemT]]:
    if len(rows) != count:
        raise InvalidInputError(f"{what} has {len(rows)} rows for {count} labels; give one for each")
    made = [read(row, f"{what}[{place}]") for place, row in enumerate(rows)]
    for place, row in enumerate(made):
        if len(row) != width:
            raise InvalidInputError(f"{what}[{place}] has {len(row)} values; it must have {width}")
    return made


def _labels(value: object, what: str) -> list[str]:
    labels = _listed(value, what)
    for place, label in enumerate(labels):
        _check_text(label, f"{what}[{place}]")
    return [str(label) for label in labels]  # of numpy's own kind of text, a plain one


def _bar_label(label: object) -> str | float:
    if isinstance(label, str):
        _check_text(label, "a label of BarPlot")
        return str(label)
    number = _number(label, "a label of BarPlot")
    if not -_WHOLE < number < _WHOLE:
        raise InvalidInputError(f"a label of BarPlot is {shown_value(label)}; write it as text")
    return number


def _check_frame(plot: object, *names: str) -> None:
    for name in names:
        _check_text(getattr(plot, name), f"{type(plot).__name__}.{name}")


def _check_text(value: object, what: str, *, optional: bool = False) -> None:
    if value is None and optional:
        return
    if not isinstance(value, str):
        raise InvalidInputError(f"{what} is {shown_value(value)}; write a text")
    if not value.strip():
        raise InvalidInputError(f"{what} is blank; write what it shows")


def _check_configs(plot: object, *names: str) -> None:
    for name in names:
        config = getattr(plot, name)
        if config is not None and not isinstance(config, AxisConfig):
            raise InvalidInputError(
                f"{type(plot).__name__}.{name} is {shown_value(config)}; write AxisConfig('linear'), or with 'log'"
            )


# --- JSON -------------------------------------------------------------------------------------------------------------


def _members(value: Any) -> JsonObject:
    given = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {name: _to_json(item) for name, item in given.items() if item is not None}


def _to_json(value: Any) -> JsonValue:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    if isinstance(value, dict):
        return {name: _to_json(item) for name, item in value.items()}
    return _members(value) if dataclasses.is_dataclass(value) else cast(JsonValue, value)


_PARTS: dict[str, Callable[[Any], Any]] = {
    "curves": lambda curves: [_made(Curve, dict(curve)) for curve in curves],
    "x_config": lambda config: _made(AxisConfig, dict(config)),
    "y_config": lambda config: _made(AxisConfig, dict(config)),
    "config": lambda config: _made(AxisConfig, dict(config)),
    "extra": lambda extra: {name: _from_json(series) for name, series in extra.items()},
    **dict.fromkeys(("x", "y", "buckets", "frequency", "values", "matrix"), lambda numbers: _from_json(numbers)),
}
"""How members that are no texts are read."""


def _made(cls: type[Any], members: dict[str, Any]) -> Any:
    known = {field.name for field in dataclasses.fields(cls)}
    if members.keys() - known:
        odd = ", ".join(sorted(members.keys() - known))
        raise FormatError(f"a {cls.__name__} has members that this release does not know: {odd}; upgrade localreg")
    try:
        return cls(**{name: _PARTS.get(name, _as_it_is)(value) for name, value in members.items()})
    except InvalidInputError:
        raise
    except (TypeError, ValueError, AttributeError) as error:  # a member is missing, or of another shape
        raise FormatError(f"this is no {cls.__name__} as localreg writes it: {error}") from error


def _as_it_is(value: Any) -> Any:
    return value


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    return _NOT_FINITE.get(value, value) if isinstance(value, str) else value
