"""Types as users write them, of any depth, with values of them: for property tests of what is stored and comes back."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import math
import pathlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import count
from typing import Annotated, Any, Literal, NewType, Optional, Union, get_type_hints

import numpy as np
import numpy.typing as npt
import pydantic.dataclasses
from hypothesis import strategies as st
from pydantic import ConfigDict

from localreg.tables import Names, Vector
from localreg.workflow.annotation import BoundingBox, ClassificationLabel, Point, Polyline, ScoredBoundingBox

__all__ = ["Kind", "classes", "hints", "same", "widened"]

_numbers = count()

# Parametrised when the test runs, so that type checkers need not follow.
_list: Any = list
_tuple: Any = tuple
_set: Any = set
_frozenset: Any = frozenset
_dict: Any = dict
_any_sequence: Any = Sequence
_any_set: Any = AbstractSet
_any_mapping: Any = Mapping
_optional: Any = Optional
_annotated: Any = Annotated
_union_of: Any = Union
_vector: Any = Vector
_box: Any = BoundingBox
_polyline: Any = Polyline


@dataclass(frozen=True)
class Kind:
    """A type and its values.

    Attributes:
        hint: as in an annotation.
        values: of that type.
        is_key: whether they may be the keys of a dict, and the items of a set.
        is_member: whether it may be a member of a union.
        default: a value that a dataclass may have as a default; None = none.
    """

    hint: Any
    values: st.SearchStrategy[Any]
    is_key: bool = False
    is_member: bool = True
    default: Any = None


class Color(enum.Enum):
    RED = 1
    GREEN = "green"
    DARK_BLUE = "dark blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Word(str, enum.Enum):  # noqa: UP042 - as it was written before 3.11
    YES = "yes"
    NO = "no"


@dataclass(frozen=True)
class Nothing:
    """No fields."""


@dataclass(frozen=True, order=True)
class Hashable:
    """May be the item of a set."""

    a: int
    b: str | None = None


floats = st.floats() | st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf])
texts = st.text(st.characters(codec="utf-8"), max_size=5)
whole = st.integers(-(2**63), 2**63 - 1)
instants = st.datetimes(
    datetime.datetime(1, 1, 3),  # noqa: DTZ001 - hypothesis adds the zone
    datetime.datetime(9999, 12, 29),  # noqa: DTZ001
    timezones=st.sampled_from([datetime.UTC, datetime.timezone(datetime.timedelta(hours=5, minutes=30))]),
)
times = st.times(timezones=st.none() | st.just(datetime.UTC))
spans = st.timedeltas(datetime.timedelta(days=-(10**8)), datetime.timedelta(days=10**8))
decimals = st.decimals() | st.sampled_from([decimal.Decimal("1E+5"), decimal.Decimal("-0.00"), decimal.Decimal("NaN")])
Named = NewType("Named", str)


def _vectors(size: int, dtype: Any = np.float32) -> st.SearchStrategy[Any]:
    items = st.floats(width=32) | st.sampled_from([-0.0, math.nan])
    return st.lists(items, min_size=size, max_size=size).map(lambda values: np.array(values, dtype))


LEAVES = [
    Kind(str, texts, is_key=True, default="d"),
    Kind(int, whole, is_key=True, default=7),
    Kind(float, floats, default=0.5),
    Kind(bool, st.booleans(), is_key=True, default=False),
    Kind(bytes, st.binary(max_size=4), is_key=True, default=b""),
    Kind(datetime.datetime, instants, is_key=True),
    Kind(datetime.date, st.dates(), is_key=True),
    Kind(datetime.time, times, is_key=True),
    Kind(datetime.timedelta, spans, is_key=True),
    Kind(uuid.UUID, st.uuids(), is_key=True),
    Kind(decimal.Decimal, decimals),
    Kind(pathlib.Path, texts.filter(lambda text: "\x00" not in text).map(pathlib.Path), is_key=True),
    Kind(pathlib.PurePosixPath, st.just(pathlib.PurePosixPath("/a/b")), is_key=True),
    Kind(Color, st.sampled_from(Color), is_key=True, default=Color.RED),
    Kind(Level, st.sampled_from(Level), is_key=True),
    Kind(Word, st.sampled_from(Word), is_key=True),
    Kind(Literal["a", "b"], st.sampled_from(["a", "b"]), is_key=True, is_member=False, default="b"),
    Kind(Literal[1, 2], st.sampled_from([1, 2]), is_key=True, is_member=False),
    Kind(Literal["x", None], st.sampled_from(["x", None]), is_member=False),
    Kind(Named, texts, is_key=True),
    Kind(Annotated[int, "a note"], whole, is_key=True),
    Kind(Nothing, st.just(Nothing())),
    Kind(Hashable, st.builds(Hashable, whole, st.none() | texts), is_key=False),
    Kind(Point, st.tuples(st.floats(-9, 9), st.floats(-9, 9)), is_member=False),
    Kind(
        ClassificationLabel, st.builds(ClassificationLabel, texts.map("l{}".format), extra=st.lists(whole, max_size=2))
    ),
    Kind(BoundingBox, st.just(_box((0.0, 0.0), (1.0, 2.0), iou=0.5, who={"a": [1]}))),
    Kind(ScoredBoundingBox, st.just(ScoredBoundingBox((0.0, 0.0), (1.0, 2.0), 0.5))),
    Kind(Polyline, st.just(_polyline([(0.0, 0.0), (1.0, 2.0)], width=3))),
    Kind(_vector[3], _vectors(3), is_member=False),
]
NUMPY = [
    Kind(npt.NDArray[np.float64], st.lists(floats, max_size=3).map(lambda v: np.array(v, np.float64)), is_member=False),
    Kind(npt.NDArray[np.float32], _vectors(2), is_member=False),
    Kind(npt.NDArray[np.int16], st.just(np.array([1, -2], np.int16)), is_member=False),
    Kind(npt.NDArray[np.bool_], st.just(np.array([True, False])), is_member=False),
]
"""Not in pydantic's dataclasses, which do not know them unless told."""


def hints(*, numpy: bool = True) -> st.SearchStrategy[Kind]:
    """Kinds of any depth."""
    leaves = st.sampled_from([*LEAVES, *(NUMPY if numpy else [])])
    return st.recursive(leaves, lambda inner: _containers(inner, numpy), max_leaves=5)


def _containers(inner: st.SearchStrategy[Kind], numpy: bool) -> st.SearchStrategy[Kind]:
    keys = st.sampled_from([leaf for leaf in LEAVES if leaf.is_key])
    return st.one_of(
        inner.map(lambda kind: _of(_optional[kind.hint], st.none() | kind.values, is_member=False)),
        inner.map(lambda kind: _of(_list[kind.hint], _lists(kind), is_member=False)),
        inner.map(lambda kind: _of(_list[kind.hint | None], _lists(_or_none(kind)), is_member=False))
        if numpy
        else inner.map(lambda kind: _of(_list[_optional[kind.hint]], _lists(_or_none(kind)), is_member=False)),
        inner.map(lambda kind: _of(_tuple[kind.hint, ...], _lists(kind).map(tuple), is_member=False)),
        inner.map(lambda kind: _of(_any_sequence[kind.hint], _lists(kind), is_member=False)),
        st.tuples(inner, inner).map(_pair),
        keys.map(lambda kind: _of(_set[kind.hint], _lists(kind).map(set), is_member=False)),
        keys.map(lambda kind: _of(_frozenset[kind.hint], _lists(kind).map(frozenset), is_member=False)),
        keys.map(lambda kind: _of(_any_set[kind.hint], _lists(kind).map(frozenset), is_member=False)),
        st.tuples(keys, inner).map(_dictionary),
        st.lists(inner.filter(lambda kind: kind.is_member), min_size=2, max_size=3).map(_union),
        classes(inner=inner, numpy=numpy),
    )


def _of(hint: Any, values: st.SearchStrategy[Any], **how: Any) -> Kind:
    return Kind(hint, values, **how)


def _or_none(kind: Kind) -> Kind:
    return Kind(kind.hint, st.none() | kind.values)


def _lists(kind: Kind) -> st.SearchStrategy[list[Any]]:
    return st.lists(kind.values, max_size=3)


def _pair(kinds: tuple[Kind, Kind]) -> Kind:
    first, second = kinds
    plain = _tuple[first.hint, second.hint]
    named = _annotated[plain, Names("left", "right")]
    return Kind(named, st.tuples(first.values, second.values), is_member=False)


def _dictionary(kinds: tuple[Kind, Kind]) -> Kind:
    key, value = kinds
    hint = _any_mapping if key.hint is str else _dict
    return Kind(hint[key.hint, value.hint], st.dictionaries(key.values, value.values, max_size=3), is_member=False)


def _union(kinds: list[Kind]) -> Kind:
    by_name = {getattr(kind.hint, "__name__", str(kind.hint)): kind for kind in kinds}
    # Members that Python or the registry could not tell apart.
    related = ({"float", "int"}, {"datetime", "date"}, {"str", "Word", "Named"}, {"int", "Level", "Annotated"})
    for group in related:
        for name in sorted(group & by_name.keys())[1:]:
            del by_name[name]
    chosen = list(by_name.values())
    hint = _union_of[tuple(kind.hint for kind in chosen)]
    return Kind(hint, st.one_of([kind.values for kind in chosen]), is_member=len(chosen) == 1 and chosen[0].is_member)


def classes(
    *,
    inner: st.SearchStrategy[Kind] | None = None,
    numpy: bool = True,
    base: type | None = None,
    made_by: Callable[..., Any] | None = None,
    least: int = 0,
) -> st.SearchStrategy[Kind]:
    """Dataclasses, standard ones and pydantic's, with fields of any kind, some with defaults, some keyword-only.

    Args:
        inner: what the fields are of.
        numpy: whether there may be numpy arrays of any length within.
        base: the class that they inherit from.
        made_by: the decorator; None = any.
        least: how many fields they have at least.
    """
    named = st.lists(hints(numpy=numpy) if inner is None else inner, min_size=least, max_size=3)
    decorators = [dataclass, *([] if numpy else [pydantic.dataclasses.dataclass])]
    chosen = st.sampled_from(decorators) if made_by is None else st.just(made_by)
    return st.builds(_class, named, chosen, st.booleans(), st.booleans(), base=st.just(base))


def _class(
    kinds: Sequence[Kind], decorator: Callable[..., Any], keywords: bool, extras: bool, *, base: type | None = None
) -> Kind:
    name = f"Made{next(_numbers)}"
    body: dict[str, Any] = {"__annotations__": {}, "__module__": __name__}
    defaulted = False
    for number, kind in enumerate(kinds):
        attribute = f"f{number}"
        body["__annotations__"][attribute] = kind.hint
        defaulted = defaulted or kind.default is not None
        if defaulted and not keywords:
            body[attribute] = field(default=kind.default)
        elif kind.default is not None:
            body[attribute] = kind.default
    how: dict[str, Any] = {"frozen": True, "kw_only": keywords}
    with_extras = decorator is pydantic.dataclasses.dataclass and extras
    if decorator is pydantic.dataclasses.dataclass:  # which refuses decimals that are NaN, unless told
        how["config"] = ConfigDict(allow_inf_nan=True, extra="allow" if with_extras else None)
    cls = decorator(**how)(type(name, () if base is None else (base,), body))
    values = {f"f{number}": kind.values for number, kind in enumerate(kinds)}
    if with_extras:
        values["added"] = st.integers(0, 5)
    return Kind(cls, st.builds(cls, **values))


def widened(kind: Kind, added: Kind) -> Kind:
    """The same class by name, with one field more, which may be None."""
    own = {each.name: each for each in dataclasses.fields(kind.hint)}
    hinted = get_type_hints(kind.hint, include_extras=True)
    body: dict[str, Any] = {
        "__annotations__": {name: hinted[name] for name in own} | {"new": _optional[added.hint]},
        "__module__": __name__,
        **{name: each.default for name, each in own.items() if each.default is not dataclasses.MISSING},
        "new": None,
    }
    bases = tuple(base for base in kind.hint.__bases__ if base is not object)
    wider: type = dataclass(frozen=True, kw_only=True)(type(kind.hint.__name__, bases, body))
    return Kind(wider, st.none() | added.values)


def same(one: object, other: object) -> bool:
    """Whether two values are the same in all that a user could see: type, NaN like NaN, the sign of zero, extras."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and same(one.tolist(), other.tolist())
    if isinstance(one, float) and isinstance(other, float):
        return (one != one and other != other) or (one == other and math.copysign(1, one) == math.copysign(1, other))
    if isinstance(one, decimal.Decimal) and isinstance(other, decimal.Decimal):
        return str(one) == str(other)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, datetime.datetime) and isinstance(other, datetime.datetime):
        return one == other
    if dataclasses.is_dataclass(one):
        return type(one) is type(other) and same(_attributes(one), _attributes(other))
    return type(one) is type(other) and one == other


def _attributes(value: Any) -> dict[str, object]:
    return {name: vars(value)[name] for name in sorted(vars(value))}
