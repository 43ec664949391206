"""Metrics of test cases and test suites as flat rows, one for each value, and back.

A row is found by its `path`, such as `by_class[0].recall`: names of fields, places in lists, and keys of dicts in
brackets as JSON text. So that a query need not take paths apart, `metric` says the last name in it, and `class` what
tells the object that it stands in from the others of its list: its first text, or the key of a dict.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import math
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from localreg.canonical import JsonObject, JsonValue
from localreg.errors import FormatError, InvalidInputError
from localreg.names import shown_value

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MetricRow", "metric_rows", "metrics_of", "plain", "settings", "value_table"]

LABELS = ("class", "class_name", "label", "name", "category")
"""Fields that tell an object from others of its list, if it has one of them; else its first text does."""

EXACT = 2**53
"""From here on a float does not tell every integer from its neighbours: those are kept as text, too."""

STEP = re.compile(r"([^\W\d]\w*)|\[(\d+)\]|\[(\"(?:[^\"\\]|\\.)*\")\]")


class MetricRow(NamedTuple):
    """One value.

    Attributes:
        path: where it stands; empty for metrics that have no field at all.
        metric: the last name in the path.
        label: what tells its object from others of a list; None = nothing.
        type: `number`, `integer`, `bool`, `text`, `null`; `list` or `object`, of one that is empty.
        value: the number; 1 and 0 of a bool; None of what is no number.
        text: the text; the digits of a large integer.
    """

    path: str
    metric: str
    label: str | None
    type: str
    value: float | None
    text: str | None


class _Keyed(dict[str, Any]):
    """What was a dict, whose keys are no names of fields."""


# --- what is stored ---------------------------------------------------------------------------------------------------


def plain(value: Any, path: str) -> Any:
    """A value as dicts, lists, numbers, texts, bools and None, of which JSON is made.

    Args:
        value: what a user's dataclass holds: dataclasses, lists, dicts, numpy arrays, enums, dates and so on.
        path: where it stands, for messages.

    Raises:
        InvalidInputError: something that is none of these.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, enum.Enum):
        return plain(value.value, path)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        _refuse_undecorated(type(value), path)
        names = [field.name for field in dataclasses.fields(value)]  # of an object: its extras as well
        return {name: plain(getattr(value, name), f"{path}.{name}") for name in names}
    if isinstance(value, Mapping):
        keys = {key: plain(key, f"a key of {path}") for key in value}
        return _Keyed({str(keys[key]): plain(item, f"{path}[{keys[key]!r}]") for key, item in value.items()})
    if isinstance(value, set | frozenset):
        return sorted((plain(item, f"{path}[]") for item in value), key=lambda item: (str(type(item)), str(item)))
    if isinstance(value, list | tuple):
        return [plain(item, f"{path}[{place}]") for place, item in enumerate(value)]
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return plain(value.tolist(), path)
    if isinstance(value, bool | int | float | str):  # of subclasses
        return next(kind(value) for kind in (int, float, str) if isinstance(value, kind))
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, PurePath | uuid.UUID | decimal.Decimal | datetime.timedelta):
        return str(value)
    raise InvalidInputError(
        f"{path} is {shown_value(value)}, of type {type(value).__name__}, which cannot be stored; use numbers, texts, "
        "dataclasses, lists or dicts"
    )


def _refuse_undecorated(cls: type, path: str) -> None:
    """A subclass of a dataclass that is none itself would lose its fields in silence."""
    if "__dataclass_fields__" not in vars(cls) and vars(cls).get("__annotations__"):
        raise InvalidInputError(
            f"{path} is of class {cls.__name__}, whose fields are not those of a dataclass; decorate it with "
            "@dataclass(frozen=True)"
        )


def settings(configuration: object) -> JsonObject:
    """What a configuration says, as JSON; numbers that JSON has no room for as text, such as `"NaN"`.

    Raises:
        InvalidInputError: a field that cannot be stored; it is named.
    """
    given = {field.name: getattr(configuration, field.name) for field in dataclasses.fields(cast(Any, configuration))}
    given |= {name: each for name, each in vars(configuration).items() if not name.startswith("_")}
    name = type(configuration).__name__
    return {key: _finite(plain(each, f"{name}.{key}")) for key, each in given.items()}


def _finite(value: Any) -> JsonValue:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return {key: _finite(item) for key, item in value.items()} if isinstance(value, dict) else cast(JsonValue, value)


def metric_rows(metrics: object, what: str) -> list[MetricRow]:
    """The values of an object of metrics, in order.

    Args:
        metrics: a dataclass.
        what: they are of, for messages.

    Raises:
        InvalidInputError: a value that cannot be stored.
    """
    value = plain(metrics, type(metrics).__name__ if not what else f"{type(metrics).__name__} of {what}")
    rows = [row for name, item in value.items() for row in _rows(item, name, name, None)]
    return rows or [MetricRow("", "", None, "object", None, None)]


def _rows(value: Any, path: str, metric: str, label: str | None) -> Iterator[MetricRow]:
    if isinstance(value, list) and value:
        for place, item in enumerate(value):
            own = _label(item) if isinstance(item, dict) else None
            yield from _rows(item, f"{path}[{place}]", metric, own if own is not None else label)
    elif isinstance(value, dict) and value:
        for key, item in value.items():
            if isinstance(value, _Keyed) or STEP.fullmatch(key) is None:  # an extra may be called anything
                yield from _rows(item, f"{path}[{json.dumps(key)}]", metric, key)
            else:
                yield from _rows(item, f"{path}.{key}", key, label)
    else:
        yield MetricRow(path, metric, label, *_leaf(value))


def _label(item: Mapping[str, Any]) -> str | None:
    texts = {key.lower(): value for key, value in item.items() if isinstance(value, str)}
    return next((texts[name] for name in LABELS if name in texts), next(iter(texts.values()), None))


def _leaf(value: Any) -> tuple[str, float | None, str | None]:
    match value:
        case None:
            return "null", None, None
        case bool():
            return "bool", float(value), None
        case float():
            return "number", value, None
        case int():
            return "integer", _float(value), None if -EXACT < value < EXACT else str(value)
        case str():
            return "text", None, value
        case list():
            return "list", None, None
    return "object", None, None


def _float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def value_table(cases: Mapping[int | None, Sequence[MetricRow]]) -> pa.Table:
    """The rows of a part of table `metric_values`.

    Args:
        cases: rows by the place of the test case in its suite's version; None = of the suite.
    """
    import pyarrow as pa

    rows = [(case, row) for case, own in cases.items() for row in own]
    columns = {
        "test_case": pa.array([case for case, _ in rows], pa.int32()),
        "path": pa.array([row.path for _, row in rows], pa.string()),
        "metric": pa.array([row.metric for _, row in rows], pa.string()),
        "class": pa.array([row.label for _, row in rows], pa.string()),
        "type": pa.array([row.type for _, row in rows], pa.string()),
        "value": pa.array([row.value for _, row in rows], pa.float64()),  # NaN stays NaN
        "text": pa.array([row.text for _, row in rows], pa.string()),
    }
    return pa.table(columns)


# --- what is read back ------------------------------------------------------------------------------------------------


def metrics_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The metrics that rows were made of, as dicts, lists and values.

    Raises:
        FormatError: they are no rows of metrics.
    """
    made: dict[Any, Any] = {}
    for row in rows:
        if not row["path"]:
            continue  # stands for metrics without a field
        steps = _steps(row["path"])
        place = made
        for step in steps[:-1]:
            place = place.setdefault(step, {})
        place[steps[-1]] = _Leaf(_value(row))
    return cast("dict[str, Any]", _joined(made))


class _Leaf(NamedTuple):
    value: Any


def _steps(path: str) -> list[str | int]:
    steps: list[str | int] = []
    end = 0
    for found in STEP.finditer(path):
        if path[end : found.start()] not in ("", "."):
            break
        name, place, key = found.groups()
        steps.append(int(place) if place is not None else json.loads(key) if key is not None else name)
        end = found.end()
    if not steps or end != len(path):
        raise FormatError(f"{path!r} is no path of a metric; restore the file of metric_values from a copy")
    return steps


def _value(row: Mapping[str, Any]) -> Any:
    match row["type"]:
        case "number":
            return row["value"]
        case "integer":
            return int(row["text"] if row["text"] is not None else row["value"])
        case "bool":
            return bool(row["value"])
        case "text":
            return row["text"]
        case "list":
            return []
        case "object":
            return {}
    return None


def _joined(made: dict[Any, Any]) -> Any:
    """Dicts whose keys are places as lists."""
    values = {key: each.value if isinstance(each, _Leaf) else _joined(each) for key, each in made.items()}
    return [values[key] for key in sorted(values)] if values and all(isinstance(key, int) for key in values) else values
