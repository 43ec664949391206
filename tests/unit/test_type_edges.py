"""Types and values at the edges: what is refused, what is kept, and how columns grow."""

from __future__ import annotations

import datetime
import enum
import math
import pathlib
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, make_dataclass
from typing import Annotated, Any, Literal, NewType

import numpy as np
import pyarrow as pa
import pydantic.dataclasses
import pytest

from localreg import InvalidInputError, Registry, WorkflowMismatchError
from localreg.canonical import canonical, parse
from localreg.tables import (
    Names,
    Node,
    StructCodec,
    arrow_type,
    conform,
    extras_of,
    merged,
    objects_of,
    put_extras,
    schema_of,
    struct_column,
    unpacked,
)
from localreg.workflow import ClassificationLabel, GroundTruth, Inference, TestRun, TestSample, define_workflow, test

MaybeInt = NewType("MaybeInt", int)
Either: Any = int | None


@dataclass(frozen=True)
class Edge:
    path: pathlib.Path = pathlib.Path()
    at: datetime.datetime = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    number: float | str = 0.0
    words: AbstractSet[str] = frozenset()
    groups: frozenset[frozenset[int]] = frozenset()
    marks: frozenset[float] = frozenset()
    odd: str | Annotated[MaybeInt, "an alias"] | None = None


def codec_of(cls: type) -> StructCodec:
    return StructCodec(schema_of(cls), cls)


def back(*values: Any) -> list[Any]:
    codec = codec_of(type(values[0]))
    return objects_of(struct_column(values, codec, what="value"), codec)


EARLY = datetime.datetime(1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=14)))
LATE = datetime.datetime(9999, 12, 31, 23, tzinfo=datetime.timezone(datetime.timedelta(hours=-2)))
PureWindowsPath: Any = pathlib.PureWindowsPath


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"path": pathlib.Path("a\udcff")}, "path"),
        ({"path": PureWindowsPath("C:\\a")}, "path"),
        ({"at": EARLY}, "at"),
        ({"at": LATE}, "at"),
        ({"at": datetime.datetime(2026, 1, 1)}, "at"),  # noqa: DTZ001 - that is what is refused
        ({"number": True}, "number"),
        ({"number": 2**60 + 1}, "number"),
        ({"words": "abc"}, "words"),
    ],
)
def test_what_a_column_could_not_give_back_is_refused_with_its_field(fields: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"^number 1: Edge\.{name}"):
        struct_column([Edge(), Edge(**fields)], codec_of(Edge), what="Edge")


def test_values_at_the_edges_come_back() -> None:
    instants = [
        datetime.datetime(1, 1, 1, tzinfo=datetime.UTC),
        datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=datetime.UTC),
    ]
    values = [*(Edge(at=at) for at in instants), Edge(number=3), Edge(number="3"), Edge(words={"a"}), Edge(odd="x")]
    assert back(*values) == values
    assert type(back(Edge(words=frozenset("a")))[0].words) is frozenset


def test_equal_sets_are_one_column_whatever_order_they_have() -> None:
    groups = [frozenset({1, 2}), frozenset({8, 16}), frozenset({3}), frozenset()]
    marks = [math.nan, 8.0, 1.0, 0.5, -3.0]

    def column(order: int) -> pa.Array:
        made = Edge(groups=frozenset(groups[::order]), marks=frozenset(marks[::order]))
        codec = codec_of(Edge)
        return struct_column([made], codec, what="Edge")

    # A set keeps its items by their hashes: another order of the same hash bucket shows in the order of insertion.
    first, second = _Backwards(groups), _Backwards(reversed(groups))
    codec = codec_of(Edge)
    one, other = (struct_column([Edge(groups=each)], codec, what="Edge") for each in (first, second))  # type: ignore[arg-type]
    assert one.equals(other)
    one, other = (
        struct_column([Edge(marks=_Backwards(each))], codec, what="Edge")  # type: ignore[arg-type]
        for each in (marks, marks[::-1])
    )
    assert str(one) == str(other)
    assert str(column(1)) == str(column(-1))


class _Backwards(AbstractSet[Any]):
    """A set that shows its items in the order given."""

    def __init__(self, items: Any) -> None:
        self._items = list(items)

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __iter__(self) -> Any:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


class Twins(enum.Enum):
    A = 1
    OTHER = "A"


@dataclass(frozen=True)
class Odd:
    pass


@pytest.mark.parametrize(
    ("hint", "message"),
    [
        (Twins, "two members would be kept as 'A'"),
        (Literal[Twins.A, Twins.OTHER], "two members would be kept as 'A'"),
        (Annotated[tuple[int, int], Names("x", "X")], "differ only by case"),
        (Annotated[tuple[int, int], Names("x")], "name each item"),
        (list[dict[str, Any]], "cannot be stored"),
    ],
)
def test_types_whose_values_could_not_be_told_apart_are_refused(hint: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        schema_of(make_dataclass("Made", [("field", hint)]))


# --- growing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Leaf:
    a: int


@dataclass(frozen=True)
class Wider:
    a: int
    b: str | None = None


Wider.__name__ = "Leaf"


def holder(of: Any) -> type:
    return make_dataclass("Holder", [("x", of)], frozen=True)


@pytest.mark.parametrize(
    ("wrap", "value"),
    [
        (lambda of: dict[str, of], lambda made: {"k": made, "l": made}),  # type: ignore[valid-type]
        (lambda of: dict[str, of] | None, lambda made: None),  # type: ignore[valid-type]
        (lambda of: list[of | None] | None, lambda made: [made, None]),  # type: ignore[valid-type]
        (lambda of: tuple[of, ...], lambda made: (made,)),  # type: ignore[valid-type]
        (lambda of: tuple[of, int], lambda made: (made, 1)),  # type: ignore[valid-type]
        (lambda of: of | str, lambda made: made),
    ],
)
def test_what_grows_within_containers_is_read_through_the_wider_class(
    wrap: Callable[[Any], Any], value: Callable[[Any], Any]
) -> None:
    old, new = holder(wrap(Leaf)), holder(wrap(Wider))
    both = merged(schema_of(old), schema_of(new), "Holder")
    values = [old(value(Leaf(1))), None, old(value(Leaf(2)))]
    column = struct_column(values, codec_of(old), what="Holder")
    codec = StructCodec(both, new)
    wanted = [new(value(Wider(1))), None, new(value(Wider(2)))]
    for part in (column, column.slice(0, 3), conform(column, arrow_type(both))):
        assert objects_of(part, codec) == wanted
    cut = conform(column.slice(2), arrow_type(both))
    cut.validate(full=True)
    assert objects_of(cut, codec) == wanted[2:]
    assert objects_of(conform(column, arrow_type(both)), StructCodec(both, old)) == values


@pytest.mark.parametrize(
    ("one", "other", "grows"),
    [
        (Literal["a", "b"], Literal["b", "c"], ("a", "b", "c")),
        (Literal[1, 2], Literal[2, 3], (1, 2, 3)),
        (Literal[1, 2], int, ()),
        (int, Literal[1], ()),
    ],
)
def test_allowed_values_grow(one: Any, other: Any, grows: tuple[object, ...]) -> None:
    made = merged(schema_of(holder(one)), schema_of(holder(other)), "Holder").field("x")
    assert made is not None
    assert made.values == grows


def test_an_enum_without_members_gains_some() -> None:
    bare, full = Node("enum", name="E"), Node("enum", name="E", values=("a",))
    assert merged(bare, full, "E").values == merged(full, bare, "E").values == ("a",)


@pytest.mark.parametrize(
    ("one", "other"), [(int, str), (int, float), (str, Literal["a"]), (list[int], tuple[int, int])]
)
def test_a_changed_type_is_refused(one: Any, other: Any) -> None:
    with pytest.raises(WorkflowMismatchError, match=r"Holder\.x was recorded as .* and is now"):
        merged(schema_of(holder(one)), schema_of(holder(other)), "Holder")


@pytest.mark.parametrize("wrap", [lambda of: of, lambda of: list[of], lambda of: of | str])  # type: ignore[valid-type]
def test_a_class_without_fields_within_another_gains_none(wrap: Callable[[Any], Any]) -> None:
    full = make_dataclass("Odd", [("a", int)], frozen=True)
    with pytest.raises(WorkflowMismatchError, match=r"Holder\.x.* without fields, and cannot gain any; add a field"):
        merged(schema_of(holder(wrap(Odd))), schema_of(holder(wrap(full))), "Holder")
    narrower = merged(schema_of(holder(wrap(full))), schema_of(holder(wrap(Odd))), "Holder")
    assert narrower == schema_of(holder(wrap(full)))
    assert merged(schema_of(Odd), schema_of(full), "Odd") == schema_of(full), "a root may"


@pydantic.dataclasses.dataclass(frozen=True)
class Strict:
    a: int
    late: str


def test_a_class_that_cannot_be_made_of_older_rows_says_what_to_do() -> None:
    column = struct_column([Leaf(1)], codec_of(Leaf), what="Leaf")
    with pytest.raises(
        InvalidInputError, match=r"cannot be made a Strict.*give late a default, or let it be None"
    ) as told:
        objects_of(column, codec_of(Strict))
    assert isinstance(told.value.__cause__, pydantic.ValidationError)


def test_what_was_written_before_a_field_was_there_has_its_default() -> None:
    later = make_dataclass(
        "Leaf", [("a", int), ("n", int, 7), ("m", list[int], field(default_factory=list)), ("o", Either, 3)]
    )
    codec = codec_of(later)
    column = struct_column([Leaf(1)], codec_of(Leaf), what="Leaf")
    for part in (column, conform(column, arrow_type(codec.node))):
        (made,) = objects_of(part, codec)
        assert (made.n, made.m, made.o) == (7, [], None), "where None is a value, that is what was said"


def test_extras_within_a_dict_come_back_whatever_its_keys_are() -> None:
    extensible: Any = ClassificationLabel
    plain, noted = extensible("a"), extensible("b", note=1)
    for value in ({1: plain, 2: noted}, {"1": plain, "2": noted}, {Twins.A: noted}, {1: plain}):
        bare: dict[Any, Any] = {key: extensible(label.label) for key, label in value.items()}
        extras = extras_of(value, None)
        if extras is not None:
            put_extras(bare, parse(canonical(extras)))
        assert bare == value


def test_dictionaries_are_unpacked_at_any_depth() -> None:
    made = holder(dict[str, list[set[Literal["a"]] | None]] | None)
    codec = codec_of(made)
    values = [made({"k": [{"a"}, None]}), made(None), None]
    column = pa.chunked_array([struct_column(values, codec, what="Holder")])
    plain = unpacked(column)
    assert "dictionary" in str(column.type)
    assert "dictionary" not in str(plain.type)
    assert plain.to_pylist() == column.to_pylist()
    assert objects_of(plain, codec) == values


# --- through a registry -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Photo(TestSample):
    locator: str


@dataclass(frozen=True)
class Unlabelled(GroundTruth):
    pass


@dataclass(frozen=True)
class Measured(GroundTruth):
    value: float
    kind: Literal["a", "b"] | None = None


Measured.__name__ = "Unlabelled"


@dataclass(frozen=True)
class Numbers(Inference):
    values: Any = None


Numbers.__annotations__["values"] = "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"


def test_a_root_without_fields_gains_some_in_objects_and_in_sql(registry: Registry) -> None:
    bare = define_workflow("w", Photo, Unlabelled, Numbers)[1]
    bare("old", test_samples=[(Photo("1"), Unlabelled()), (Photo("2"), Unlabelled())])
    assert registry.sql("SELECT ground_truth FROM ground_truths").dicts() == [{"ground_truth": {}}] * 2
    full = define_workflow("w", Photo, Measured, Numbers)[1]
    full("none yet")
    rows = registry.sql("SELECT value, kind FROM w.ground_truths").dicts()
    assert rows == [{"value": None, "kind": None}] * 2, "before any part has the fields"
    full("new", test_samples=[(Photo("1"), Measured(0.5, "a"))])
    rows = registry.sql("SELECT test_case, value, kind FROM w.ground_truths ORDER BY ALL").dicts()
    assert [tuple(row.values()) for row in rows] == [("new", 0.5, "a"), ("old", None, None), ("old", None, None)]
    told = registry.sql("SELECT ground_truth FROM ground_truths ORDER BY test_case LIMIT 2").dicts()
    assert [row["ground_truth"] for row in told] == [{"value": 0.5, "kind": "a"}, {"value": None, "kind": None}]
    assert [truth.value for _, truth in full("old").load_test_samples()] == [None, None]
    assert bare("new").load_test_samples() == [(Photo("1"), Unlabelled())]


def test_the_same_ground_truths_with_nan_are_no_new_version(registry: Registry) -> None:
    case = define_workflow("w", Photo, Measured, Numbers)[1]
    for value in (math.nan, math.nan):
        assert case("c", test_samples=[(Photo("1"), Measured(value))], reset=True).version == 1
    assert case("c", test_samples=[(Photo("1"), Measured(1.0))], reset=True).version == 2


def test_arrays_that_were_stored_meanwhile_are_compared_and_not_asked_for_their_truth(registry: Registry) -> None:
    _, case, suite, net = define_workflow("w", Photo, Unlabelled, Numbers)
    made = suite("s", test_cases=[case("c", test_samples=[(Photo("1"), Unlabelled())])])

    def infer(photo: Photo) -> Numbers:
        TestRun(net("m"), made).upload_inferences([(photo, Numbers(np.array([1.0, math.nan])))])
        return Numbers(np.array([1.0, math.nan]))

    test(net("m", infer), made)
    assert len(registry.sql("SELECT * FROM inferences")) == 1


def test_a_name_that_only_a_function_knows_says_where_it_belongs() -> None:
    @dataclass(frozen=True)
    class Holds:
        inner: "Hidden"  # type: ignore[name-defined]  # noqa: F821, UP037

    with pytest.raises(InvalidInputError, match=r"Holds.*'Hidden' is not defined; .* at the top of the module"):
        schema_of(Holds)
