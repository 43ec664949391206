from __future__ import annotations

import io
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from localreg.errors import FormatError, InvalidInputError
from localreg.log import foreign, parquet
from localreg.log.parquet import COLUMNS, EntryRow, decode, encode

int64 = st.integers(-(2**63), 2**63 - 1)
texts = st.text(max_size=40)
rows_of_all_kinds = st.lists(st.builds(EntryRow, int64, int64, texts, texts, texts, texts), max_size=5)

SAMPLE = [
    EntryRow(42, 0, '{"kind":"model"}', '{"after":{"name":"é😀"}}', "a1" * 32, ""),
    EntryRow(42, 1, '{"kind":"alias"}', "", "b2" * 32, "signed"),
]
LARGE = [EntryRow(1, 0, "é" * 500_000, "x" * 2**20, "d" * 64, "")]
MANY = [
    EntryRow(7, event, "r" * event, "😀" * (event % 7), sha256(b"%d" % event).hexdigest(), "") for event in range(3000)
]

ARROW_SCHEMA = pa.schema([(name, pa.int64() if name in ("commit", "event") else pa.string()) for name in COLUMNS])
ARROW_SCHEMA = pa.schema([field.with_nullable(False) for field in ARROW_SCHEMA])


def as_table(rows: list[EntryRow], schema: pa.Schema = ARROW_SCHEMA) -> pa.Table:
    return pa.table([[row[place] for row in rows] for place in range(len(COLUMNS))], schema=schema)


def written_by_pyarrow(table: pa.Table, **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def read_by_pyarrow(data: bytes) -> list[EntryRow]:
    table = pq.ParquetFile(pa.BufferReader(data)).read()
    return [EntryRow(**row) for row in table.to_pylist()]


# --- others read what we write ----------------------------------------------------------------------------------------


@given(rows_of_all_kinds)
@example([])
@example(LARGE)
@example(MANY)
def test_pyarrow_reads_types_and_values(rows: list[EntryRow]) -> None:
    table = pq.ParquetFile(pa.BufferReader(encode(rows))).read()
    assert table.schema.remove_metadata() == ARROW_SCHEMA
    table.validate(full=True)
    assert [EntryRow(**row) for row in table.to_pylist()] == rows


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("entries") / "entry.parquet"


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    # duckdb would answer from its cache of a file that is written anew within one tick of the clock.
    with duckdb.connect(config={"enable_external_file_cache": "false"}) as connection:
        yield connection


@given(rows=rows_of_all_kinds)
@example(rows=[])
@example(rows=LARGE)
@example(rows=MANY)
def test_duckdb_reads_types_and_values(path: Path, database: duckdb.DuckDBPyConnection, rows: list[EntryRow]) -> None:
    path.write_bytes(encode(rows))
    found = database.execute("FROM read_parquet(?)", [str(path)])
    assert [(name, str(type_)) for name, type_, *_ in found.description or []] == [
        (name, "BIGINT" if name in ("commit", "event") else "VARCHAR") for name in COLUMNS
    ]
    assert found.fetchall() == rows


@pytest.mark.parametrize("rows", [SAMPLE, LARGE, MANY], ids=["sample", "large", "many"])
def test_polars_reads_values(rows: list[EntryRow]) -> None:
    assert polars.read_parquet(io.BytesIO(encode(rows))).rows() == rows


def metadata(path: Path, database: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    chunks: list[dict[str, Any]] = database.sql(f"FROM parquet_metadata('{path}')").to_arrow_table().to_pylist()
    return chunks


@pytest.mark.parametrize("rows", [SAMPLE, LARGE, MANY], ids=["sample", "large", "many"])
def test_metadata_tells_the_truth_about_every_column(
    path: Path, database: duckdb.DuckDBPyConnection, rows: list[EntryRow]
) -> None:
    path.write_bytes(encode(rows))
    chunks = metadata(path, database)
    position = 4
    for chunk, name in zip(chunks, COLUMNS, strict=True):
        assert chunk["path_in_schema"] == name
        assert chunk["type"] == ("INT64" if name in ("commit", "event") else "BYTE_ARRAY")
        assert chunk["num_values"] == chunk["row_group_num_rows"] == len(rows)
        assert chunk["compression"] == "UNCOMPRESSED"
        assert chunk["encodings"] == "PLAIN, RLE"
        assert chunk["data_page_offset"] == position
        assert chunk["dictionary_page_offset"] is None
        assert chunk["stats_min_value"] is chunk["stats_max_value"] is chunk["stats_null_count"] is None
        assert chunk["total_compressed_size"] == chunk["total_uncompressed_size"]
        position += chunk["total_compressed_size"]
    assert chunks[0]["row_group_bytes"] == chunks[0]["row_group_compressed_bytes"] == position - 4
    footer = int.from_bytes(path.read_bytes()[-8:-4], "little")
    assert position + footer + 8 == path.stat().st_size


def test_schema_is_required_and_annotated_as_text(path: Path, database: duckdb.DuckDBPyConnection) -> None:
    path.write_bytes(encode(SAMPLE))
    found = database.sql(
        f"SELECT name, type, repetition_type, converted_type, logical_type FROM parquet_schema('{path}')"
    ).fetchall()
    integers = [(name, "INT64", "REQUIRED", None, None) for name in COLUMNS[:2]]
    strings = [(name, "BYTE_ARRAY", "REQUIRED", "UTF8", "StringType()") for name in COLUMNS[2:]]
    assert found[1:] == integers + strings


def test_bytes_of_format_1_never_change() -> None:
    # A change here is a new format: twins, copies and digests of files compare these bytes.
    assert sha256(encode(SAMPLE)).hexdigest() == "1cf88638e3c3e930702b8f366b0ab8c7c6e3ee4e69db06d030eafc865a625c10"


# --- we read what we write --------------------------------------------------------------------------------------------


@pytest.fixture
def without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(data: bytes, name: str) -> list[EntryRow]:
        raise AssertionError(f"{name} went the long way: {data[:20]!r}")

    monkeypatch.setattr(parquet, "_decode_foreign", never)


@pytest.mark.usefixtures("without_pyarrow")
@pytest.mark.parametrize("rows", [[], SAMPLE[:1], SAMPLE, LARGE, MANY], ids=["none", "one", "two", "large", "many"])
def test_own_files_take_the_short_way(rows: list[EntryRow]) -> None:
    decoded = decode(encode(rows), name="42")
    assert decoded == rows
    assert all(type(row) is EntryRow for row in decoded)


@given(rows_of_all_kinds)
def test_decode_is_the_inverse_of_encode(rows: list[EntryRow]) -> None:
    assert decode(encode(rows), name="42") == rows


@pytest.mark.parametrize("number", [63, 64, 8191, 8192, 2**20 - 1, 2**20, 2**27])
def test_varints_at_the_edges_of_their_groups(number: int) -> None:
    rows = [EntryRow(1, 0, "r" * (number - 4), "", "", "")]
    data = encode(rows)
    assert decode(data, name="42") == rows
    assert pq.ParquetFile(pa.BufferReader(data)).read(columns=["record"])["record"][0].as_buffer().size == number - 4


@pytest.mark.parametrize(
    "row",
    [
        EntryRow(2**63, 0, "", "", "", ""),
        EntryRow(0, -(2**63) - 1, "", "", "", ""),
        EntryRow(0, 0, "\ud800", "", "", ""),
    ],
)
def test_encode_refuses_what_the_columns_cannot_hold(row: EntryRow) -> None:
    with pytest.raises(InvalidInputError, match="nothing was written"):
        encode([row])


def test_encode_refuses_an_entry_that_readers_could_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "LARGEST_ENTRY", 1000)
    with pytest.raises(InvalidInputError, match="split the transaction"):
        encode([EntryRow(1, 0, "r" * 1000, "", "", "")])


# --- we read what others write ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "none"},
        {"compression": "zstd"},
        {"compression": "snappy", "use_dictionary": False},
        {"compression": "gzip", "data_page_version": "2.0"},
        {"compression": "lz4", "version": "1.0"},
        {"use_dictionary": False, "column_encoding": {"record": "DELTA_BYTE_ARRAY", "commit": "DELTA_BINARY_PACKED"}},
        {"row_group_size": 100, "store_schema": False},
        {"data_page_size": 64, "write_page_checksum": True, "write_statistics": False},
        {"write_page_index": True, "sorting_columns": [pq.SortingColumn(0)]},
    ],
)
@pytest.mark.parametrize("rows", [[], SAMPLE, MANY], ids=["none", "two", "many"])
def test_twins_in_any_encoding_are_read_the_same(rows: list[EntryRow], options: dict[str, object]) -> None:
    assert decode(written_by_pyarrow(as_table(rows), **options), name="42") == rows


@pytest.mark.parametrize(
    "text", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
)
@pytest.mark.parametrize("integer", [pa.int64(), pa.int32(), pa.uint8()])
def test_twins_of_other_types_are_read_the_same(text: pa.DataType, integer: pa.DataType) -> None:
    schema = pa.schema([(name, integer if name in ("commit", "event") else text) for name in COLUMNS])
    assert decode(written_by_pyarrow(as_table(SAMPLE).cast(schema)), name="42") == SAMPLE


def test_twins_with_columns_shuffled_added_and_null_are_read_the_same() -> None:
    table = as_table(SAMPLE).cast(pa.schema([(field.name, field.type) for field in ARROW_SCHEMA]))
    for name in ("payload", "signature"):
        texts = [text or None for text in table[name].to_pylist()]
        table = table.set_column(COLUMNS.index(name), name, pa.array(texts, pa.string()))
    table = table.append_column("note", pa.array([[1], [2]])).select(["note", *reversed(COLUMNS)])
    assert decode(written_by_pyarrow(table), name="42") == SAMPLE


@pytest.mark.parametrize("rows", [SAMPLE, MANY], ids=["two", "many"])
def test_twins_by_duckdb_and_polars_are_read_the_same(path: Path, rows: list[EntryRow]) -> None:
    entry = as_table(rows)
    duckdb.sql(f"COPY (FROM entry) TO '{path}' (FORMAT parquet)")
    assert decode(path.read_bytes(), name="42") == rows
    polars.DataFrame(entry).write_parquet(path)
    assert decode(path.read_bytes(), name="42") == rows


def without(column: str) -> pa.Table:
    return as_table(SAMPLE).drop_columns([column])


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (pa.table({"x": [1]}), "it has no columns named 'commit'"),
        *((without(name), f"it has no columns named '{name}'") for name in COLUMNS),
        (as_table(SAMPLE).append_column("digest", pa.array(["x", "y"])), "it has 2 columns named 'digest'"),
        (without("event").append_column("event", pa.array(["x", "y"])), "'event' has the type string"),
        (without("event").append_column("event", pa.array([0.5, 1])), "'event' has the type double"),
        (without("record").append_column("record", pa.array([1, 2])), "'record' has the type int64"),
        (without("record").append_column("record", pa.array([b"\xff", b""])), "'record' has the type"),
        (without("record").append_column("record", pa.array([{"a": 1}] * 2)), "'record' has the type struct<a: int64>"),
    ],
)
def test_parquet_of_something_else_is_told_so(table: pa.Table, reason: str) -> None:
    with pytest.raises(FormatError) as caught:
        decode(written_by_pyarrow(table), name="log/42.parquet")
    assert caught.value.code == "entry_columns"
    assert "log/42.parquet is a Parquet file, but no log entry" in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize("column", ["commit", "event", "record", "digest"])
def test_null_where_a_value_must_be_is_damage(column: str) -> None:
    nulls = pa.array([None, None], ARROW_SCHEMA.field(column).type)
    assert_torn(written_by_pyarrow(without(column).append_column(column, nulls)))


# --- damage -----------------------------------------------------------------------------------------------------------


def assert_torn(data: bytes, reason: str = "") -> None:
    with pytest.raises(FormatError) as caught:
        decode(data, name="log/42.parquet")
    assert caught.value.code == "entry_torn"
    assert "log entry log/42.parquet is damaged" in str(caught.value)
    assert reason in str(caught.value)
    assert "restore this file from a copy; `localreg verify` lists all damage" in str(caught.value)


def between_magic(footer: bytes) -> bytes:
    return b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def test_footers_that_pyarrow_might_not_survive_never_reach_it() -> None:
    # Its accessors for metadata were seen to abort the process on row groups that lack columns.
    assert_torn(OURS[:4] + OURS[40:], "a column lies outside the file")
    group = parquet._struct((1, 9, parquet._list(12)), (2, 6, b"\0"), (3, 6, b"\0"))
    footer = parquet._struct((1, 5, b"\2"), (2, 9, parquet._SCHEMA), (3, 6, b"\0"), (4, 9, parquet._list(12, group)))
    assert_torn(between_magic(footer), "a row group without all columns")


def test_a_footer_that_never_ends_is_torn() -> None:
    assert_torn(between_magic(b"\x15\x02\x19\x0c" + b"\x1c" * 100), "the footer ends too soon")
    assert_torn(between_magic(b"\x15\x02\x19\x0c" + b"\x1c" * 100_000), "RecursionError")
    assert_torn(between_magic(b"\x15" + b"\xff" * 99), "an integer without end")
    assert_torn(between_magic(b"\x15\x02\x19\xfc" + b"\xff" * 8 + b"\x00"), "more columns than any log entry")
    assert_torn(between_magic(b"\x15\x02\x19\x0c" + b"\x1b\x00"), "a kind of value that Parquet does not use")
    assert_torn(between_magic(b"\x17" + bytes(9)), "does not begin as one does")


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1PAR1", b"PAR1" * 3, b"{}" * 20, b"PAR1" + b"\0" * 99 + b"PAR1"])
def test_what_is_no_parquet_is_torn(data: bytes) -> None:
    assert_torn(data)


OURS = encode(SAMPLE)
FOREIGN = written_by_pyarrow(as_table(SAMPLE), compression="zstd", write_page_checksum=True)
files = pytest.mark.parametrize("data", [OURS, FOREIGN], ids=["ours", "foreign"])


@files
def test_every_truncation_is_torn(data: bytes) -> None:
    for length in range(len(data)):
        assert_torn(data[:length])
        assert_torn(data[:length] + bytes(len(data) - length))


@files
def test_a_missing_or_doubled_middle_is_never_a_foreign_error(data: bytes) -> None:
    for start in range(4, len(data) - 4, 7):
        decode_or_refuse(data[:start] + data[start + 5 :])
        decode_or_refuse(data[: start + 5] + data[start:])


@files
@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_every_flipped_byte_gives_our_error_or_what_other_readers_see(data: bytes, flip: int) -> None:
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= flip
        rows = decode_or_refuse(bytes(damaged))
        if data is OURS and rows is not None:
            assert rows == read_by_pyarrow(bytes(damaged))


@given(st.data())
def test_random_damage_gives_our_error_or_what_other_readers_see(data: st.DataObject) -> None:
    damaged = bytearray(OURS)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(OURS) - 1))] = data.draw(st.integers(0, 255))
    rows = decode_or_refuse(bytes(damaged))
    if rows is not None:
        assert rows == read_by_pyarrow(bytes(damaged))


@given(st.binary(max_size=600))
def test_noise_between_the_magic_bytes_is_never_a_foreign_error(noise: bytes) -> None:
    decode_or_refuse(b"PAR1" + noise + b"PAR1")
    decode_or_refuse(OURS[:300] + noise + OURS[-60:])


def decode_or_refuse(data: bytes) -> list[EntryRow] | None:
    try:
        return decode(data, name="42")
    except FormatError:
        return None


@pytest.mark.parametrize("layout", [b"-000000002", b"+000000002", b"0000_00002", b"         2", b"9999999999"])
def test_a_layout_that_lies_is_not_believed(layout: bytes) -> None:
    end = len(OURS) - parquet._LAYOUT_END
    start = end - parquet._LAYOUT_SIZE
    assert OURS[start : start + 10] == b"0000000002"
    lying = OURS[:start] + layout + OURS[start + 10 :]
    assert decode(lying, name="42") == SAMPLE  # by pyarrow, which does not look at it


def test_a_footer_that_says_otherwise_than_the_layout_is_believed() -> None:
    # The layout alone would find SAMPLE; every other reader finds two columns exchanged, and so must we.
    values, footer = OURS[: OURS.index(b"\x15\x02\x19")], OURS[OURS.index(b"\x15\x02\x19") :]
    exchanged = values + footer.replace(b"record", b"??????").replace(b"digest", b"record").replace(
        b"??????", b"digest"
    )
    expected = [row._replace(record=row.digest, digest=row.record) for row in SAMPLE]
    assert decode(exchanged, name="42") == read_by_pyarrow(exchanged) == expected


# --- hostile sizes ----------------------------------------------------------------------------------------------------


def test_rows_without_the_bytes_for_their_digests_are_refused() -> None:
    repeated = pa.concat_tables([as_table(SAMPLE[:1])] * 100_000).combine_chunks()
    data = written_by_pyarrow(repeated, compression="zstd")
    assert len(data) < 10_000
    assert_torn(data, "it claims 100,000 rows")


def test_a_claim_of_more_bytes_than_an_entry_may_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = written_by_pyarrow(as_table([EntryRow(1, 0, "r", "p" * 10_000, "d" * 64, "")]), compression="zstd")
    monkeypatch.setattr(foreign, "LARGEST_ENTRY", 10_000)
    assert_torn(data, "it claims 1 rows")


@pytest.mark.parametrize("options", [{}, {"use_dictionary": False, "column_encoding": {"record": "DELTA_BYTE_ARRAY"}}])
def test_a_text_repeated_into_gigabytes_is_refused(options: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "LARGEST_ENTRY", 20_000_000)
    row = EntryRow(1, 0, "r" * 1_000_000, "", "d" * 64, "")
    few = written_by_pyarrow(as_table([row] * 19), compression="zstd", **options)
    assert decode(few, name="42") == [row] * 19
    many = written_by_pyarrow(as_table([row] * 21), compression="zstd", **options)
    assert len(many) < 50_000
    assert_torn(many, "its texts have more than 20,000,000 bytes")


def test_texts_are_unpacked_a_portion_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "LARGEST_ENTRY", 1_000_000)
    rows = [row._replace(record="r") for row in MANY]
    assert decode(written_by_pyarrow(as_table(rows), row_group_size=1000), name="42") == rows
