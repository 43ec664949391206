"""Odd tables: each is stored exactly as it says, or refused in one line that names the place, and leaves nothing."""

from __future__ import annotations

import datetime
import decimal
import enum
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import localreg
from localreg import InvalidInputError, Registry
from localreg.workflow import GroundTruth, Inference, Metadata, TestSample, Vector, define_workflow
from localreg.workflow.bulk import spool


class Color(enum.Enum):
    RED = 1
    GREEN = 2


@dataclass(frozen=True)
class Left:
    x: int


@dataclass(frozen=True)
class Right:
    y: str


@dataclass(frozen=True)
class Tagged(TestSample):
    tags: set[str]
    size: int = 3
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Noted(GroundTruth):
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Thing(TestSample):
    name: str
    number: int | None = None
    share: float | None = None
    color: Color | None = None
    day: datetime.date | None = None
    moment: datetime.datetime | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Said(GroundTruth):
    text: str | None = None
    either: Left | Right | None = None
    kinds: set[str] | None = None
    shares: frozenset[float] | None = None
    counts: dict[str, int] | None = None
    pair: tuple[int, float] | None = None
    time: datetime.time | None = None
    span: datetime.timedelta | None = None
    who: uuid.UUID | None = None
    things: list[Left] | None = None
    is_so: bool | None = None
    vector: Vector[2] | None = None


@dataclass(frozen=True)
class Guess(Inference):
    text: str | None = None


_, TaggedCase, TaggedSuite, _Tagger = define_workflow("Tagged things", Tagged, Noted, Guess)
_, Case, Suite, Model = define_workflow("Things", Thing, Said, Guess)


@pytest.fixture(autouse=True)
def registry(tmp_path: Path) -> Iterator[Registry]:
    made = localreg.open(tmp_path / "registry")
    with localreg.use(made):
        yield made


def left_behind(registry: Registry) -> tuple[int, list[str]]:
    store = registry._session.store
    return registry.commit, [path for folder in ("data", "tmp") for path in store.list(folder)]


def held(registry: Registry) -> dict[str, tuple[Thing, Said]]:
    """What is stored, which the same again as objects must find known and equal."""
    (case,) = Suite("suite").test_cases
    found = list(case.load_test_samples())
    before = rows_of(registry, "test_samples")
    Case("objects", test_samples=found)
    assert rows_of(registry, "test_samples") == before
    return {sample.name: (sample, truth) for sample, truth in found}


def rows_of(registry: Registry, table: str) -> int:
    (row,) = registry.sql(f"SELECT count(*) AS rows FROM {table}").dicts()
    return int(row["rows"])


def added(registry: Registry, table: Any, name: str) -> list[Any]:
    """The values of a field in the order of the rows, through and through."""
    Suite("suite").add(table)
    found = held(registry)
    return [vars(truth if name in vars(truth) else sample)[name] for sample, truth in found.values()]


def column(name: str, values: Any, kind: pa.DataType | None = None) -> pa.Table:
    values = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, kind)
    return pa.table({"name": [f"{number}" for number in range(len(values))], name: values})


def bits(values: list[int], kind: pa.DataType) -> pa.Array:
    return pa.array(values, pa.int32() if kind == pa.date32() else pa.int64()).view(kind)


LISTS = [["b", "a", "b"], None, []]
EITHER = pa.struct(
    [
        ("type", pa.string()),
        ("Left", pa.struct([("x", pa.int64())])),
        ("Right", pa.struct([("y", pa.string())])),
    ]
)
TEXTS = pa.map_(pa.string(), pa.int64())
NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)

STORED: dict[str, tuple[pa.Table, str, list[Any]]] = {
    "a set out of order": (column("kinds", LISTS), "kinds", [{"a", "b"}, None, set()]),
    "a set of floats": (column("shares", [[2.0, 1.0, 2.0]]), "shares", [frozenset({1.0, 2.0})]),
    "list views": (column("kinds", LISTS, pa.list_view(pa.string())), "kinds", [{"a", "b"}, None, set()]),
    "large list views": (column("kinds", LISTS, pa.large_list_view(pa.string())), "kinds", [{"a", "b"}, None, set()]),
    "string views": (column("text", ["a", None], pa.string_view()), "text", ["a", None]),
    "runs": (column("text", pc.run_end_encode(pa.array(["a", "a", "b"]))), "text", ["a", "a", "b"]),
    "an empty object for a map": (column("counts", [{}, None], pa.struct([])), "counts", [{}, None]),
    "an object for a map": (column("counts", [{"a": 1, "b": None}, None]), "counts", [{"a": 1}, None]),
    "a sum of DuckDB": (column("number", [decimal.Decimal(5)], pa.decimal128(38, 0)), "number", [5]),
    "decimals for floats": (
        column("share", [decimal.Decimal("60821.8254430"), decimal.Decimal("0.1")], pa.decimal128(38, 10)),
        "share",
        [60821.825443, 0.1],
    ),
    "dates as text": (column("day", ["2026-01-02", None]), "day", [datetime.date(2026, 1, 2), None]),
    "moments as text": (column("moment", ["2026-01-02T13:00:00.000000+01:00"]), "moment", [NOON]),
    "whole days in milliseconds": (column("day", bits([86_400_000], pa.date64())), "day", [datetime.date(1970, 1, 2)]),
    "a zone of its own": (column("moment", [NOON], pa.timestamp("s", "+05:30")), "moment", [NOON]),
    "members in turns": (
        column("either", [{"type": "Left", "Left": {"x": 1}}, {"type": "Right", "Right": {"y": "q"}}, None], EITHER),
        "either",
        [Left(1), Right("q"), None],
    ),
    "dictionaries that differ": (
        column(
            "text",
            pa.chunked_array([pa.array(["a", "b"]).dictionary_encode(), pa.array(["c", "a"]).dictionary_encode()]),
        ),
        "text",
        ["a", "b", "c", "a"],
    ),
    "structs of other order": (
        column("things", [[{"z": 2, "x": 1}], [{"z": 2, "x": 3}]]),
        "things",
        [[Left(1)], [Left(3)]],
    ),
}


@pytest.mark.parametrize("kind", sorted(STORED))
def test_odd_columns_are_stored_as_objects_would_be(registry: Registry, kind: str) -> None:
    table, name, expected = STORED[kind]
    assert added(registry, table, name) == expected
    parts = list(registry._session.store.list("data/ground_truths"))
    both = [pq.read_table(registry._session.store.local_file(path))["ground_truth"].to_pylist() for path in parts]
    assert both[0] == both[1]


@pytest.mark.parametrize("kind", sorted(STORED))
def test_pieces_of_a_column_are_stored_as_the_whole(registry: Registry, kind: str) -> None:
    table, name, expected = STORED[kind]
    table = pa.concat_tables([table.slice(0, 1), table.slice(0, 0), table.slice(1)])
    assert added(registry, table, name) == expected


def damaged(text: bytes) -> pa.Array:
    offsets = pa.array([0, len(text)], pa.int32()).buffers()[1]
    return pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(text)])


HUGE = "that Python has no value for"
REFUSED: dict[str, tuple[pa.Table, str]] = {
    "part of a day": (
        column("day", bits([86_400_001], pa.date64())),
        "column 'day' of the table is damaged: .*whole number of days",
    ),
    "a day too late": (column("day", bits([2_932_897], pa.date32())), f"sample.day is a date32.day. {HUGE}"),
    "a day too early": (column("day", bits([-719_163], pa.date32())), f"sample.day is a date32.day. {HUGE}"),
    "a moment too late": (
        column("moment", bits([2**62], pa.timestamp("us", "UTC"))),
        f"moment is a timestamp.* {HUGE}",
    ),
    "a span too long": (column("span", bits([2**60], pa.duration("s"))), f"span is a duration.* {HUGE}"),
    "nanoseconds of a day": (
        column("time", bits([1], pa.time64("ns"))),
        "time is .*; it must be a time of day in whole",
    ),
    "a time as finer text": (column("time", ["12:00:00.1234567"]), "time is '12:00:00.1234567'"),
    "a moment as finer text": (column("moment", ["2026-01-02T00:00:00.1234567Z"]), "sample.moment is '2026"),
    "a moment without a zone": (column("moment", ["2026-01-02T00:00:00"]), "it must be a moment with its time zone"),
    "a text that is no date": (column("day", ["2026-13-02"]), "sample.day is '2026-13-02'; it must be a date"),
    "text that is not UTF-8": (column("text", damaged(b"\xff\xfe")), "column 'text' of the table is damaged: .*UTF8"),
    "such text for an enum": (column("color", damaged(b"\xff\xfe")), "column 'color' of the table is damaged: .*UTF8"),
    "a key twice": (column("counts", [[("a", 1)], [("b", 1), ("b", 2)]], TEXTS), "row 1 .*counts is .* each key once"),
    "2^53 + 1 as a float": (column("number", [9007199254740993.0]), "number is 9007199254740992.0; it must be a whole"),
    "2^53 + 1 for a float": (
        column("share", [2**53 + 1]),
        "share is 9007199254740993; it must be a number that a float",
    ),
    "a large sum for a float": (
        column("share", [decimal.Decimal(2**53 + 1)]),
        "share is Decimal.'9007199254740993'.; it",
    ),
    "a sum beyond 64 bits": (
        column("number", [decimal.Decimal(2**63)]),
        "number is Decimal.*; it must be a whole number",
    ),
    "half a whole number": (column("number", [decimal.Decimal("0.5")]), "number is Decimal.'0.5'.; it must be a whole"),
    "a vector of too large numbers": (
        column("vector", [[1.0, 2.0], [1e300, 0.0]]),
        "row 1 .*floats of 32 bits can hold",
    ),
    "a long text": (column("color", ["x" * 100_000]), "sample.color is 'x{150,199}…; it must be one of"),
    "metadata that is NaN": (
        column("metadata.k", [1.0, float("nan")]),
        "row 1 .*sample.metadata.k is nan; it must be what",
    ),
    "metadata of dates": (
        column("metadata.k", [datetime.date(2026, 1, 1)]),
        "row 0 .*sample.metadata.k is datetime.date",
    ),
    "metadata with a key twice": (column("metadata", [[("a", 1), ("a", 2)]], TEXTS), "row 0 .*sample.metadata is"),
}


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_odd_values_are_refused_in_one_line_and_leave_nothing(registry: Registry, kind: str) -> None:
    table, message = REFUSED[kind]
    suite, before = Suite("suite"), left_behind(registry)
    with pytest.raises(InvalidInputError, match=message) as caught:
        suite.add(table)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert left_behind(registry) == before


def test_rows_without_a_fault_are_stored_beside_others_as_ever(registry: Registry) -> None:
    counts = pa.array([[("b", 1), ("b", 2)], [("b", 1), ("a", 2)]], TEXTS)
    table = pa.table({"name": ["x", "y"], "counts": counts, "shares": [[2.0, None], [2.0, 1.0, 2.0]]})
    report = Suite("suite").add(table, on_invalid="skip")
    assert (report.stored, report.invalid) == (1, 1)
    ((_, truth),) = held(registry).values()
    assert (truth.counts, truth.shares) == ({"b": 1, "a": 2}, frozenset({1.0, 2.0}))


def test_a_set_is_one_sample_in_whatever_order_it_comes(registry: Registry) -> None:
    TaggedCase("objects", test_samples=[(Tagged({"a", "b"}), Noted())])
    suite = TaggedSuite("suite")
    assert suite.add(pa.table({"tags": [["b", "a"]]})).stored == 1
    assert suite.add(pa.table({"tags": [["a", "b", "a"]]})).unchanged == 1
    assert rows_of(registry, "test_samples") == 1


def test_of_several_columns_of_metadata_all_may_be_null(registry: Registry) -> None:
    table = pa.table({"name": ["a", "b", "c"], "metadata.j": ["x", None, None], "metadata.k": pa.array([1, None, 3])})
    assert added(registry, table, "metadata") == [{"j": "x", "k": 1}, {}, {"k": 3}]


def test_columns_of_metadata_are_stored_as_canonical_json(registry: Registry) -> None:
    odd = {
        "metadata.k": [-0.0],
        "metadata.\U0001f600": [1e22],
        "metadata.\uffff": [1e-7],
        "metadata.j": ['"\n'],
        "metadata.i": [[1.0]],
    }
    Suite("suite").add(pa.table({"name": ["a"], **odd}))
    (path,) = registry._session.store.list("data/test_samples")
    (text,) = pq.read_table(registry._session.store.local_file(path))["metadata"].to_pylist()
    assert text == '{"i":[1],"j":"\\"\\n","k":0,"\U0001f600":1e+22,"\uffff":1e-7}'


def test_a_column_of_metadata_is_of_the_first_part_that_has_any(registry: Registry) -> None:
    suite = TaggedSuite("suite")
    suite.add(
        pa.table({"tags": [["a"]], "metadata": ['{"of": "sample"}'], "ground_truth.metadata": ['{"of": "truth"}']})
    )
    suite.add(pa.table({"tags": [["b"]], "metadata": ['{"of": "sample"}']}))
    (case,) = suite.test_cases
    found: list[Any] = case.load_test_samples()
    assert [(sample.metadata, truth.metadata) for sample, truth in found] == [
        ({"of": "sample"}, {"of": "truth"}),
        ({"of": "sample"}, {}),
    ]


def test_a_default_stands_where_nothing_is_given(registry: Registry) -> None:
    suite = TaggedSuite("suite")
    suite.add(pa.table({"tags": [["a"], ["b"], ["c"]], "size": [5, None, 7]}))
    (case,) = suite.test_cases
    found: list[Any] = case.load_test_samples()
    assert [sample.size for sample, _ in found] == [5, 3, 7]


def test_unions_are_spooled_with_the_members_that_each_batch_has(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "KEPT_BYTES", 0)
    table, name, expected = STORED["members in turns"]
    assert added(registry, (table.slice(row, 1) for row in range(3)), name) == expected


# --- data frames, relations, Python's own ---------------------------------------------------------------------------


def closed() -> Any:
    with duckdb.connect() as connection:
        return connection.sql("SELECT 'a' AS name")


def frame(**columns: Any) -> Any:
    return pd.DataFrame({"name": ["a"], **columns})


def endless() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


def after(*tables: Any) -> Iterator[Any]:
    yield from tables


PLAIN = pa.table({"name": ["a"], "text": ["x"]})
NO_TABLES: dict[str, tuple[Any, str]] = {
    "pandas, a name twice": (lambda: pd.DataFrame([["a", "b"]], columns=["name", "name"]), "Duplicate column names"),
    "pandas, sparse": (lambda: frame(number=pd.arrays.SparseArray([5])), "column number"),
    "pandas, beyond 64 bits": (lambda: frame(number=[2**70]), "cannot be taken: Python int too large"),
    "pandas, mixed": (lambda: pd.DataFrame({"name": ["a", 5]}), "Expected bytes, got a 'int' object.*column name"),
    "pandas, half a surrogate pair": (
        lambda: pd.DataFrame({"name": pd.Series(["\ud83d"], dtype=object)}),
        "cannot be taken: .*surrogates",
    ),
    "pandas, one column": (lambda: pd.Series(["a"], name="name"), "the Series cannot be read"),
    "Polars, one column": (lambda: pl.Series("name", ["a"]), "the Series cannot be read"),
    "Polars, a bad query": (
        lambda: pl.LazyFrame({"name": ["a"]}).select("nope"),
        "the data frame cannot be read: .*nope",
    ),
    "Polars, 128 bits": (
        lambda: pl.DataFrame({"name": ["a"], "number": pl.Series([5], dtype=pl.Int128)}),
        "data frame",
    ),
    "DuckDB, a bad query": (
        lambda: duckdb.connect().sql("SELECT 'a' AS name, ('x' || i)::int AS number FROM range(3) t(i)"),
        "the DuckDBPyRelation cannot be read: Conversion Error",
    ),
    "DuckDB, closed": (closed, "the DuckDBPyRelation cannot be read"),
    "rows beyond 64 bits": (lambda: [{"name": "a", "number": 2**70}], "cannot be made a table: Python int too large"),
    "a list in itself": (endless, r"the table is \[\[\["),
    "bytes": (lambda: b"abc", "the table is b'abc'"),
    "an iterator of rows, and a table": (lambda: after({"name": "a"}, PLAIN), "gives rows as dicts, and then"),
    "a batch with one column more": (lambda: after(PLAIN.select(["name"]), PLAIN), "batch 1 has column 'text', which"),
    "a batch with one column less": (
        lambda: after(PLAIN, PLAIN.select(["name"])),
        "batch 1 lacks column 'text', which",
    ),
    "a reader of something else": (
        lambda: pa.RecordBatchReader.from_batches(PLAIN.schema, after(*PLAIN.to_batches(), 5)),
        "the reader cannot be read",
    ),
}


@pytest.mark.parametrize("kind", sorted(NO_TABLES))
def test_what_cannot_be_read_is_refused_in_one_line_and_leaves_nothing(registry: Registry, kind: str) -> None:
    make, message = NO_TABLES[kind]
    suite, before = Suite("suite"), left_behind(registry)
    with pytest.raises(InvalidInputError, match=message) as caught:
        suite.add(make())
    assert "\n" not in str(caught.value)
    str(caught.value).encode()
    assert left_behind(registry) == before


@pytest.mark.parametrize("first", [pa.table({}), [], PLAIN.slice(0, 0)], ids=["no columns", "no dicts", "no rows"])
def test_an_iterator_may_begin_with_nothing(registry: Registry, first: Any) -> None:
    assert added(registry, after(first, PLAIN), "text") == ["x"]


def test_rows_that_come_one_by_one_may_lack_what_others_have(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localreg.workflow.bulk.source.GROUP_ROWS", 2)
    rows = after({"name": "0"}, {"name": "1", "text": "x"}, {"name": "2"}, {"name": "3"})
    assert added(registry, rows, "text") == [None, "x", None, None]


def test_a_row_may_hold_a_vector(registry: Registry) -> None:
    found = added(registry, after({"name": "a", "vector": np.array([1.0, 2.0])}), "vector")
    assert [vector.tolist() for vector in found] == [[1.0, 2.0]]


@pytest.mark.parametrize("arguments", [{"metadata": 5}, {"metadata": "name"}])
def test_metadata_is_a_list_of_columns(arguments: Any) -> None:
    with pytest.raises(InvalidInputError, match="it must be a list of columns"):
        Suite("suite").add(PLAIN, **arguments)


def test_on_is_a_field_or_several() -> None:
    arguments: Any = {"on": 5}
    with pytest.raises(InvalidInputError, match="on is 5; it must be a field"):
        Model("new").record(PLAIN, **arguments)


# --- files ----------------------------------------------------------------------------------------------------------

LINES: dict[str, tuple[str, str, list[Any]]] = {
    "dates": ('{"name":"a","day":"2026-01-02"}', "day", [datetime.date(2026, 1, 2)]),
    "metadata of several types": (
        '{"name":"a","metadata":{"k":"x","n":null,"z":[1,"a"],"big":123456789012345678901234}}\n'
        '{"name":"b","metadata":{"k":1}}',
        "metadata",
        [{"big": 123456789012345678901234, "k": "x", "n": None, "z": [1, "a"]}, {"k": 1}],
    ),
    "metadata with nulls": ('{"name":"a","metadata":{"k":null,"j":1}}', "metadata", [{"k": None, "j": 1}]),
    "empty objects": ('{"name":"a","counts":{}}\n{"name":"b"}', "counts", [{}, None]),
    "maps": ('{"name":"a","counts":{"x":1}}\n{"name":"b","counts":{"y":2}}', "counts", [{"x": 1}, {"y": 2}]),
    "sets": ('{"name":"a","kinds":["b","a"]}', "kinds", [{"a", "b"}]),
    "escapes": ('{"name":"a","text":"\\u00e9\\ud83d\\ude00\\n"}', "text", ["é😀\n"]),
    "text like a date": ('{"name":"a","text":"2026-01-02"}', "text", ["2026-01-02"]),
}


@pytest.mark.parametrize("kind", sorted(LINES))
def test_json_lines_are_stored_as_they_are_written(registry: Registry, tmp_path: Path, kind: str) -> None:
    text, name, expected = LINES[kind]
    (tmp_path / "rows.jsonl").write_text(text)
    assert added(registry, tmp_path / "rows.jsonl", name) == expected


BAD_FILES: dict[str, tuple[str, str]] = {
    "texts and numbers.jsonl": (
        '{"name":"a","text":"x"}\n{"name":"b","text":5}',
        "row 1 .*ground_truth.text is '5'; it must be text",
    ),
    "numbers and texts.jsonl": (
        '{"name":"a","share":5}\n{"name":"b","share":"5"}',
        "row 1 .*sample.share is '\"5\"'; it must be a number",
    ),
    "a list of both.jsonl": (
        '{"name":"a","kinds":["x",1]}',
        "ground_truth.kinds holds JSON with values of several types",
    ),
    "a list of both.csv": ('name,kinds\na,"[""x"",1]"', "ground_truth.kinds holds JSON with values of several types"),
    "deep.csv": (f'name,things\na,"{"[" * 5000}{"]" * 5000}"', "ground_truth.things cannot be read"),
    "a fraction.csv": ("name,number\na,2.5", "sample.number is '2.5'; it must be a whole number"),
    "no date.csv": ("name,day\na,infinity", "sample.day is 'infinity'; it must be a date"),
    "a late date.csv": ("name,day\na,12026-01-02", "sample.day is '12026-01-02'; it must be a date"),
    "a moment.csv": ("name,day\na,2026-01-02 12:00:00", "sample.day is '2026-01-02 12:00:00'; it must be a date"),
    "before Christ.csv": ("name,moment\na,-2026-01-02 00:00:00+00", "sample.moment is '-2026"),
    "finer.csv": ("name,moment\na,2026-01-02T00:00:00.1234567Z", "sample.moment is '2026"),
    "too large.csv": ("name,share\na,1e400", "sample.share is '1e400'; it must be a number that a float can hold"),
    "an underscore.csv": ("name,share\na,1_000", "sample.share is '1_000'; it must be a number"),
    "semicolons.csv": ("name;text\na;x\n", "sample.name is not given.*the columns are name;text"),
    "a name twice.csv": ("name,text,text\na,x,y\n", "has two columns called 'text'"),
}


@pytest.mark.parametrize("name", sorted(BAD_FILES))
def test_files_that_say_something_else_are_refused_and_leave_nothing(
    registry: Registry, tmp_path: Path, name: str
) -> None:
    text, message = BAD_FILES[name]
    (tmp_path / name).write_text(text)
    suite, before = Suite("suite"), left_behind(registry)
    with pytest.raises(InvalidInputError, match=message) as caught:
        suite.add(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert left_behind(registry) == before


def test_csv_has_spans_as_it_is_exported(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("\ufeffname,span,share\na,1500000,-inf\n")
    assert added(registry, tmp_path / "rows.csv", "span") == [datetime.timedelta(seconds=1.5)]


def test_files_of_two_kinds_are_not_one_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name,number\na,5\n")
    pq.write_table(pa.table({"name": ["b"], "number": [5]}), tmp_path / "b.parquet")
    for names in (["a.csv", "b.parquet"], ["b.parquet", "a.csv"]):
        with pytest.raises(InvalidInputError, match=f"batch 1 is {names[1]}, .* unlike the first one, {names[0]}"):
            Suite("suite").add([tmp_path / name for name in names])


def test_a_column_of_parquet_may_have_dots_in_its_name(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(pa.table({"sample.name": ["x"], "zz": ["y"]}), tmp_path / "rows.parquet")
    assert added(registry, tmp_path / "rows.parquet", "name") == ["x"]
    monkeypatch.setattr("localreg.workflow.bulk.files.MAX_GROUP_VALUES", 0)
    with pytest.raises(InvalidInputError, match=r"holds 1 values of sample\.name, more than"):
        Suite("suite").add(tmp_path / "rows.parquet")


def test_a_damaged_arrow_file_is_refused_whatever_byte_it_is(registry: Registry, tmp_path: Path) -> None:
    from pyarrow import ipc

    path = tmp_path / "rows.arrow"
    with ipc.new_file(str(path), PLAIN.schema) as writer:
        writer.write_table(PLAIN)
    whole, suite, refused = path.read_bytes(), Suite("suite"), 0
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            suite.add(path, f"case {place}", on_known="replace")
        except localreg.LocalregError:
            refused += 1
    assert refused > 10
    assert registry.verify().ok
