from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Optional
from typing import Literal as Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pydantic.dataclasses
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localreg import IntegrityError, InvalidInputError
from localreg.canonical import JsonObject
from localreg.records.files import FilePointer
from localreg.storage import MemoryStore
from localreg.tables import Node, StructCodec, arrow_type, objects_of, read_part, schema_of, struct_column, write_part
from localreg.tables import Vector as Vector


@dataclass(frozen=True)
class Point:
    x: float
    y: float


@dataclass(frozen=True)
class Nothing:
    """No fields."""


@dataclass(frozen=True)
class Shape:
    name: str
    points: list[Point]
    tags: tuple[str, ...]
    center: Point | None
    nested: list[list[int | None]] | None
    score: float
    count: int
    fine: bool
    old_style: Optional[str]  # noqa: UP045 - an annotation that users write
    nothing: Nothing
    maybe_nothing: list[Nothing | None]


def through_parquet(column: pa.Array) -> pa.ChunkedArray:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"v": column}), sink)
    return pq.read_table(pa.BufferReader(sink.getvalue()))["v"]


def codec_of(cls: type) -> StructCodec:
    return StructCodec(schema_of(cls), cls)


def there_and_back(values: Sequence[object], cls: type) -> list[Any]:
    codec = codec_of(cls)
    column = struct_column(values, codec, what=cls.__name__)
    assert column.type == arrow_type(codec.node)
    return objects_of(through_parquet(column), codec)


# --- schemas ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [Shape, Point, Nothing])
def test_a_schema_survives_json(cls: type) -> None:
    node = schema_of(cls)
    stored = node.to_json()
    assert Node.from_json(json.loads(json.dumps(stored))) == node
    assert Node.from_json(stored).to_json() == stored


def test_a_schema_says_what_each_field_is() -> None:
    fields: Any = schema_of(Shape).to_json()["fields"]
    assert {each["name"]: each for each in fields}["nested"] == {
        "name": "nested",
        "type": "list",
        "optional": True,
        "items": {"type": "list", "items": {"type": "int", "optional": True}},
    }
    assert [each["name"] for each in fields][:3] == ["name", "points", "tags"]
    assert {each["name"]: each.get("optional", False) for each in fields}["old_style"] is True


def test_sequences_are_lists_and_fields_may_stand_elsewhere() -> None:
    @dataclass(frozen=True)
    class Loose:
        values: Sequence[float]
        metadata: str

    assert [each.name for each in schema_of(Loose, without=("metadata",)).fields] == ["values"]
    assert [each.name for each in schema_of(Loose).fields] == ["values", "metadata"]
    globals()["Loose"] = Loose
    assert there_and_back([Loose((1.0,), "m")], Loose) == [Loose([1.0], "m")]


@dataclass(frozen=True)
class Cyclic:
    inner: Cyclic | None


class Plain:
    """No dataclass."""


@pytest.mark.parametrize(
    "hint",
    [
        "dict[str, Any]",
        "dict[Point, int]",
        "dict",
        "list",
        "list[int] | str",
        "Any",
        "object",
        "Vector",
        "Literal['a', 1]",
        "int | Literal['a']",
        "Plain",
        "list[complex]",
        "NoSuchName",
        "Cyclic",
    ],
)
def test_a_type_that_cannot_be_stored_is_refused_with_its_field(hint: str) -> None:
    cls: type = dataclass(frozen=True)(type("Odd", (), {"__annotations__": {"good": "int", "odd": hint}}))
    cls.__module__ = __name__
    with pytest.raises(InvalidInputError, match="Odd" if hint == "NoSuchName" else r"Odd\.odd"):
        schema_of(cls)


def test_fields_that_differ_only_by_case_are_refused() -> None:
    @dataclass(frozen=True)
    class Twins:
        score: float
        Score: float

    @dataclass(frozen=True)
    class Holder:
        deep: list[Twins]

    globals()["Twins"] = Twins
    for cls in (Twins, Holder):
        with pytest.raises(InvalidInputError, match="'score' and 'Score', which differ only by case"):
            schema_of(cls)
    with pytest.raises(InvalidInputError, match="is no dataclass"):
        schema_of(Plain)


# --- round trips ------------------------------------------------------------------------------------------------------

floats = st.floats(allow_nan=False)
texts = st.text(st.characters(codec="utf-8"), max_size=8)
whole = st.integers(-(2**63), 2**63 - 1)
points = st.builds(Point, floats, floats)
shapes = st.builds(
    Shape,
    texts,
    st.lists(points, max_size=3),
    st.lists(texts, max_size=3).map(tuple),
    st.none() | points,
    st.none() | st.lists(st.lists(st.none() | whole, max_size=3), max_size=3),
    floats,
    whole,
    st.booleans(),
    st.none() | texts,
    st.just(Nothing()),
    st.lists(st.none() | st.just(Nothing()), max_size=3),
)


@given(st.lists(st.none() | shapes, max_size=6))
def test_objects_come_back_as_they_went(values: list[Shape | None]) -> None:
    assert there_and_back(values, Shape) == values


@given(st.lists(shapes, min_size=1, max_size=6), st.data())
def test_a_slice_of_a_column_gives_its_objects(values: list[Shape], data: st.DataObject) -> None:
    codec = codec_of(Shape)
    column = struct_column(values, codec, what="Shape")
    begin = data.draw(st.integers(0, len(values)))
    assert objects_of(column.slice(begin), codec) == values[begin:]
    chunked = pa.chunked_array([column.slice(begin), column.slice(0, begin)])
    assert objects_of(chunked, codec) == values[begin:] + values[:begin]


def test_nan_and_infinity_in_a_plain_float_come_back() -> None:
    back = there_and_back([Point(math.nan, math.inf), Point(-math.inf, -0.0)], Point)
    assert math.isnan(back[0].x)
    assert back[0].y == math.inf
    assert math.copysign(1, back[1].y) == -1


def test_a_class_without_fields_comes_back() -> None:
    assert there_and_back([Nothing(), None, Nothing()], Nothing) == [Nothing(), None, Nothing()]
    assert there_and_back([], Nothing) == []


@pydantic.dataclasses.dataclass(frozen=True)
class Checked:
    """Validates itself, so that it cannot be made from nothing."""

    label: str
    inner: Point
    maybe: list[Point] | None = None


def test_pydantic_dataclasses_come_back_beside_none() -> None:
    values = [Checked("a", Point(1, 2)), None, Checked("b", Point(3, 4), [Point(0, 0)])]
    assert there_and_back(values, Checked) == values


@dataclass(frozen=True)
class Derived:
    side: float
    area: float = field(init=False)
    later: str = field(default="d", kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "area", self.side**2)


def test_a_derived_field_is_stored_and_derived_again() -> None:
    assert there_and_back([Derived(3.0, later="x")], Derived) == [Derived(3.0, later="x")]
    column = struct_column([Derived(3.0)], codec_of(Derived), what="Derived")
    assert column.to_pylist() == [{"side": 3.0, "area": 9.0, "later": "d"}]


def test_fields_beside_the_column_are_taken_row_by_row() -> None:
    codec = StructCodec(schema_of(Point, without=("y",)), Point)
    column = struct_column([Point(1, 0), None, Point(2, 0)], codec, what="Point")
    assert objects_of(column, codec, y=[7.0, 8.0, 9.0]) == [Point(1, 7), None, Point(2, 9)]


def test_numbers_of_numpy_are_numbers() -> None:
    @dataclass(frozen=True)
    class Mixed:
        i: int
        f: float
        b: bool
        s: str
        l: list[float]  # noqa: E741 - short

    codec = codec_of(Mixed)
    odd: Any = Mixed(np.int32(3), np.float32(0.5), np.True_, np.str_("x"), np.array([1.0, 2.0]))  # type: ignore[arg-type]
    assert objects_of(struct_column([odd], codec, what="Mixed"), codec) == [Mixed(3, 0.5, True, "x", [1.0, 2.0])]
    for wrong in (Mixed(np.float64(3), 0.5, True, "x", []), Mixed(3, np.True_, True, "x", [])):  # type: ignore[arg-type]
        with pytest.raises(InvalidInputError, match="it must be"):
            struct_column([wrong], codec, what="Mixed")


# --- refusals ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    i: int = 1
    f: float = 0.5
    s: str = ""
    b: bool = True
    p: Point | None = None
    q: Point = Point(0, 0)
    xs: list[str] = field(default_factory=list)
    ps: list[Point] = field(default_factory=list)


@dataclass(frozen=True)
class Point3(Point):
    z: float


class Lookalike:
    x = y = 0.0


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"i": "1"}, r"Row\.i is '1', of type str; it must be an int"),
    ({"i": 1.0}, r"Row\.i is 1\.0, of type float; it must be an int"),
    ({"i": True}, r"Row\.i is True, of type bool; it must be an int"),
    ({"i": None}, r"Row\.i is None; it must be an int"),
    ({"i": 2**63}, r"Row\.i is 9223372036854775808, which cannot be stored exactly"),
    ({"f": "0.5"}, r"Row\.f .* it must be a float"),
    ({"f": 2**60 + 1}, r"Row\.f is 1152921504606846977, which cannot be stored exactly"),
    ({"f": False}, r"Row\.f .* it must be a float"),
    ({"s": 5}, r"Row\.s is 5, of type int; it must be a str"),
    ({"s": b"x"}, r"Row\.s .* it must be a str"),
    ({"s": "\ud800"}, r"Row\.s .* cannot be stored exactly"),
    ({"b": 1}, r"Row\.b is 1, of type int; it must be a bool"),
    ({"p": "x"}, r"Row\.p is 'x', of type str; it must be a Point"),
    ({"p": {"x": 1.0, "y": 1.0}}, r"Row\.p .* it must be a Point"),
    ({"p": Lookalike()}, r"Row\.p .* it must be a Point"),
    ({"p": Point(1, None)}, r"Row\.p\.y is None; it must be a float"),  # type: ignore[arg-type]
    ({"p": Point3(1, 2, 3)}, r"Row\.p is a Point3, whose z would be lost"),
    ({"q": None}, r"Row\.q is None; it must be a Point"),
    ({"xs": "abc"}, r"Row\.xs is 'abc', of type str; it must be a list"),
    ({"xs": {"a"}}, r"Row\.xs .* it must be a list"),
    ({"xs": 5}, r"Row\.xs is 5, of type int; it must be a list"),
    ({"xs": None}, r"Row\.xs is None; it must be a list"),
    ({"xs": ["a", None]}, r"Row\.xs\[\] is None; it must be a str"),
    ({"xs": ["a", 1]}, r"Row\.xs\[\] is 1"),
    ({"ps": [Point(0, 0), Point("a", 0)]}, r"Row\.ps\[\]\.x is 'a'"),  # type: ignore[arg-type]
    ({"ps": [None]}, r"Row\.ps\[\] is None; it must be a Point"),
]


@pytest.mark.parametrize(("fields", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_wrong_value_is_refused_with_its_field_and_its_owner(fields: dict[str, Any], message: str) -> None:
    values = [Row(), None, Row(**fields), Row(**fields)]
    with pytest.raises(InvalidInputError, match=f"^number 2: {message}"):
        struct_column(values, codec_of(Row), what="Row")
    with pytest.raises(InvalidInputError, match=f"^row no. 2: {message}"):
        struct_column(values, codec_of(Row), what="Row", named=lambda number: f"row no. {number}")


def test_something_else_than_the_class_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="number 1: Point is 5, of type int; it must be a Point"):
        struct_column([Point(0, 0), 5], codec_of(Point), what="Point")


# --- parts ------------------------------------------------------------------------------------------------------------


def test_a_part_comes_back_and_its_pointer_tells_its_bytes() -> None:
    store = MemoryStore.named("parts")
    details: JsonObject = {"first": 3}
    pointer = write_part(store, "inferences", "owner", pa.table({"a": [1, 2], "b": ["x", "y"]}), details)
    assert (pointer.table, pointer.owner, pointer.rows, pointer.details) == ("inferences", "owner", 2, details)
    assert pointer.path.startswith("data/inferences/owner/")
    data = store.get(pointer.path)
    assert data is not None
    assert pointer.bytes == len(data)
    assert FilePointer.from_json(pointer.to_json()) == pointer
    assert read_part(store, pointer).to_pydict() == {"a": [1, 2], "b": ["x", "y"]}
    assert read_part(store, pointer, ["b"]).column_names == ["b"]
    store.delete(pointer.path)
    with pytest.raises(IntegrityError, match=r"\.parquet is missing; restore it") as told:
        read_part(store, pointer)
    assert told.value.code == "file_missing"
    store.put(pointer.path, b"PAR1")
    with pytest.raises(IntegrityError, match="cannot be read") as told:
        read_part(store, pointer)
    assert told.value.code == "file_altered"


def test_fields_that_a_forgotten_decorator_leaves_out_are_told() -> None:
    @dataclass(frozen=True)
    class Base:
        a: int

    class Forgotten(Base):
        b: int

    with pytest.raises(InvalidInputError, match="decorate it with @dataclass"):
        schema_of(Forgotten)
