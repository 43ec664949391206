"""Tables of any kind, as batches of Arrow columns: only the columns that are asked for, and a bounded amount at once.

| given | read as |
|---|---|
| Arrow tables, batches, readers, datasets; pandas; Polars; DuckDB relations; `Result` | what it is |
| a Hugging Face `Dataset` | Arrow, in its own order |
| a path: `.parquet`, `.csv`, `.tsv`, `.jsonl`, `.ndjson`, `.arrow`, `.feather` (texts also `.gz`) | its rows |
| a list of dicts, a dict of columns | its rows |
| an iterable of any of these | one after the other |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError
from localreg.names import shown_value

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BATCH_BYTES", "BATCH_ROWS", "Source", "opened"]

BATCH_ROWS = 131_072
BATCH_BYTES = 64 * 2**20
"""So many rows, or bytes as far as that can be told, are looked at at once."""


@dataclass(frozen=True, eq=False)
class Source:
    """Rows to read, once.

    Attributes:
        schema: of the columns that there are; texts only, if `is_text`.
        batches: gives the rows of some columns, as tables of at most `BATCH_ROWS`.
        rows: how many there are; None = unknown.
        is_text: every value is text, and is to be read as what it is wanted as.
        what: it is, for messages.
    """

    schema: pa.Schema
    read: Any
    rows: int | None
    what: str
    is_text: bool = False

    def batches(self, columns: list[str]) -> Iterator[pa.Table]:
        """The rows of some columns, cut into batches.

        Raises:
            InvalidInputError: what is read is damaged, or too large to be read piece by piece.
        """
        for table in self.read(columns):
            yield from cut(table.select(columns))


def cut(table: pa.Table) -> Iterator[pa.Table]:
    """A table in batches, each with its columns in one piece."""
    rows = max(1, min(BATCH_ROWS, BATCH_BYTES * table.num_rows // max(1, table.nbytes)))
    for begin in range(0, table.num_rows, rows):
        yield table.slice(begin, rows).combine_chunks()


def opened(given: object) -> Source:
    """What was given, as something to read.

    Raises:
        InvalidInputError: it is no table, or a file of an unknown kind, or has two columns of one name.
        NotFoundError: there is no such file.
    """
    source = _opened(given)
    names = source.schema.names
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise InvalidInputError(f"{source.what} has two columns called {double!r}; rename one")
    return source


def _opened(given: object) -> Source:
    if isinstance(given, str | Path):
        from localreg.workflow.bulk.files import opened_file

        return opened_file(given)
    for known in (_arrow, _frame, _hugging_face, _stream, _plain):
        source = known(given)
        if source is not None:
            return source
    if isinstance(given, Iterable):
        return _one_after_the_other(given)
    raise InvalidInputError(
        f"the table is {shown_value(given)}; give Arrow, pandas, Polars, a DuckDB relation, a path, or an iterator of "
        "these"
    )


def _arrow(given: Any) -> Source | None:
    import pyarrow as pa

    if isinstance(given, pa.RecordBatch):
        given = pa.Table.from_batches([given])
    if isinstance(given, pa.Table):
        return Source(given.schema, lambda _: [given], given.num_rows, "the table")
    if isinstance(given, pa.RecordBatchReader):
        return Source(given.schema, lambda _: map(_as_table, given), None, "the reader")
    if type(given).__module__ == "pyarrow._dataset":
        if hasattr(given, "to_reader"):
            return Source(given.dataset_schema, lambda _: map(_as_table, given.to_reader()), None, "the scanner")
        return Source(
            given.schema,
            lambda columns: map(_as_table, given.to_batches(columns=columns, batch_size=BATCH_ROWS)),
            given.count_rows(),
            "the data set",
        )
    return None


def _as_table(batch: Any) -> pa.Table:
    import pyarrow as pa

    return batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])


def _frame(given: Any) -> Source | None:
    """Data frames, and results of queries: what knows how to become an Arrow table."""
    import pyarrow as pa

    module = type(given).__module__.partition(".")[0]
    if module == "pandas" and hasattr(given, "columns"):
        odd = next((name for name in given.columns if not isinstance(name, str)), None)
        if odd is not None:
            raise InvalidInputError(f"the data frame has a column called {odd!r}, which is no text; rename it")
        try:
            table = pa.Table.from_pandas(given, preserve_index=False)
        except pa.ArrowException as error:
            raise InvalidInputError(f"the data frame has a column of mixed types: {_first_line(error)}") from error
        return Source(table.schema.remove_metadata(), lambda _: [table], table.num_rows, "the data frame")
    if module == "polars" and hasattr(given, "collect"):
        given = given.collect()
    if module == "polars" and hasattr(given, "to_arrow"):
        table = given.to_arrow()
        return Source(table.schema, lambda _: [table], table.num_rows, "the data frame")
    if module == "localreg" and hasattr(given, "arrow"):
        table = given.arrow()
        return Source(table.schema, lambda _: [table], table.num_rows, "the result")
    return None


def _hugging_face(given: Any) -> Source | None:
    if type(given).__module__.partition(".")[0] != "datasets":
        return None
    if not hasattr(given, "with_format") or not hasattr(given, "features"):
        raise InvalidInputError(f"{type(given).__name__} holds several data sets; give one of them, as data['train']")
    arrow = given.with_format("arrow")
    rows = len(given) if hasattr(given, "__len__") else None
    if given.features is None:
        return _one_after_the_other(arrow.iter(batch_size=10_000))
    return Source(given.features.arrow_schema, lambda _: arrow.iter(batch_size=10_000), rows, "the data set")


def _stream(given: Any) -> Source | None:
    """Whatever gives Arrow by its C interface, as DuckDB's relations do."""
    import pyarrow as pa

    if not hasattr(given, "__arrow_c_stream__"):
        return None
    reader = pa.RecordBatchReader.from_stream(given)
    return Source(reader.schema, lambda _: map(_as_table, reader), None, f"the {type(given).__name__}")


def _plain(given: Any) -> Source | None:
    """Python's own: rows as dicts, or columns by name."""
    import pyarrow as pa

    try:
        if isinstance(given, Mapping):
            table = pa.table(dict(given))
        elif isinstance(given, list) and all(isinstance(row, Mapping) for row in given):
            names = list(dict.fromkeys(chain.from_iterable(given)))
            table = pa.table({name: pa.array([row.get(name) for row in given]) for name in names})
        else:
            return None
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InvalidInputError(f"the rows cannot be made a table: {_first_line(error)}") from error
    return Source(table.schema, lambda _: [table], table.num_rows, "the table")


def _one_after_the_other(given: Iterable[object]) -> Source:
    """Batches of any kind; the first one says which columns there are."""
    parts = iter(given)
    first = next(parts, None)
    if first is None:
        raise InvalidInputError("the iterator is empty: there is not even a batch that says which columns there are")
    if isinstance(first, Mapping) and not any(map(_is_column, first.values())):
        return _rows_one_by_one(chain([first], parts))
    source = opened(first)

    def read(columns: list[str]) -> Iterator[pa.Table]:
        yield from source.read(columns)
        for number, part in enumerate(parts, 1):
            more = opened(part)
            lacking = sorted(set(columns) - set(more.schema.names))
            if lacking:
                raise InvalidInputError(f"batch {number} lacks column {lacking[0]!r}, which the first one has")
            yield from more.read(columns)

    return Source(source.schema, read, None, "the iterator", source.is_text)


def _is_column(value: object) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str | bytes | Mapping | tuple | list)


def _rows_one_by_one(rows: Iterator[Any]) -> Source:
    """An iterator of dicts, each of which is a row."""
    from itertools import islice

    groups = iter(lambda: list(islice(rows, 10_000)), [])
    return _one_after_the_other(groups)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
