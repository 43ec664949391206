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

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError, LocalregError
from localreg.names import shown_value
from localreg.workflow.bulk.csv_kinds import Kind, Kinds, chosen, common

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BATCH_BYTES", "BATCH_ROWS", "Source", "opened", "told"]

BATCH_ROWS = 131_072
BATCH_BYTES = 64 * 2**20
"""So many rows, or bytes as far as that can be told, are looked at at once."""
GROUP_ROWS = 10_000
"""So many rows that come one by one are made a batch."""


@dataclass(frozen=True, eq=False)
class Source:
    """Rows to read, once.

    Attributes:
        schema: of the columns that there are; texts only, if `is_text`.
        batches: gives the rows of some columns, as tables of at most `BATCH_ROWS`.
        rows: how many there are; None = unknown.
        what: it is, for messages.
        is_text: every value is text, and is to be read as what it is wanted as.
        json: columns of JSON as text, since their values are of several types.
        reread: the same, with more such columns; None = there is no JSON.
        look: what columns of texts can be read as, by a look at all of them; None = nothing can be looked at twice.
        kinds: what columns of texts are that no type says it of.
    """

    schema: pa.Schema
    read: Any
    rows: int | None
    what: str
    is_text: bool = False
    json: frozenset[str] = frozenset()
    reread: Callable[[frozenset[str]], Source] | None = None
    look: Callable[[list[str]], Kinds] | None = None
    kinds: Mapping[str, Kind] = field(default_factory=dict)

    def with_objects(self, columns: Iterable[str]) -> Source:
        """The same, where columns of JSON objects are as they are written, if this is JSON: with nulls, and exact."""
        return self if self.reread is None else self.reread(self.json | {*columns})

    def with_kinds(self, columns: Iterable[str]) -> Source:
        """The same, where it is known what columns of texts hold that no type says it of."""
        names = [*columns]
        return self if self.look is None or not names else replace(self, kinds=chosen(self.look(names)))

    def batches(self, columns: list[str]) -> Iterator[pa.Table]:
        """The rows of some columns, cut into batches.

        Raises:
            InvalidInputError: what is read is damaged, or too large to be read piece by piece.
        """
        with told(self.what):
            for table in self.read(columns):
                yield from _cut(table.select(columns), self.what)


@contextmanager
def told(what: str, *others: type[Exception]) -> Iterator[None]:
    """What Arrow and DuckDB, and others that are named, raise while something is read is ours to tell.

    Raises:
        InvalidInputError: it cannot be read.
    """
    import duckdb
    import pyarrow as pa

    try:
        yield
    except LocalregError:
        raise
    except (pa.ArrowException, duckdb.Error, *others) as error:
        raise InvalidInputError(f"{what} cannot be read: {_first_line(error)}") from error


def _cut(table: pa.Table, what: str) -> Iterator[pa.Table]:
    """A table in batches, each with its columns in one piece."""
    _refuse_damaged(table, what)
    rows = max(1, min(BATCH_ROWS, BATCH_BYTES * table.num_rows // max(1, table.nbytes)))
    for begin in range(0, table.num_rows, rows):
        yield table.slice(begin, rows).combine_chunks()


def _refuse_damaged(table: pa.Table, what: str) -> None:
    """Refuse text that is not UTF-8, and what points out of its buffer: Arrow itself trusts what it is given."""
    import pyarrow as pa

    for name, column in zip(table.column_names, table.columns, strict=True):
        try:
            column.validate(full=True)
        except pa.ArrowException as error:
            raise InvalidInputError(f"column {name!r} of {what} is damaged: {_first_line(error)}") from error


def opened(given: object) -> Source:
    """What was given, as something to read.

    Raises:
        InvalidInputError: it is no table, or a file of an unknown kind, or has no column, or two of one name.
        NotFoundError: there is no such file.
    """
    source = _with_distinct_names(_opened(given))
    if not source.schema.names:
        raise InvalidInputError(f"{source.what} is empty: not even columns are there")
    return source


def _with_distinct_names(source: Source) -> Source:
    with told(source.what, UnicodeDecodeError):
        names = source.schema.names
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise InvalidInputError(f"{source.what} has two columns called {double!r}; rename one")
    return source


def _opened(given: object) -> Source:
    if isinstance(given, str | Path):
        from localreg.workflow.bulk.files import opened_file

        return opened_file(given)
    source = _table(given)
    if source is None and isinstance(given, Iterable) and not isinstance(given, bytes | bytearray):
        source = _one_after_the_other(given)
    if source is not None:
        return source
    raise _refused(given)


def _table(given: object) -> Source | None:
    """What is a table, and no iterable of several."""
    for known in (_arrow, _frame, _hugging_face, _stream, _plain):
        source = known(given)
        if source is not None:
            return source
    return None


def _refused(given: object) -> InvalidInputError:
    return InvalidInputError(
        f"the table is {shown_value(given)}; give Arrow, pandas, Polars, a DuckDB relation, a path, rows as dicts, or "
        "an iterator of these"
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
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            reason = ". ".join(error.args) if isinstance(error, pa.ArrowException) else str(error)
            raise InvalidInputError(f"the data frame has a column that cannot be taken: {_one_line(reason)}") from error
        return Source(table.schema.remove_metadata(), lambda _: [table], table.num_rows, "the data frame")
    if module == "polars" and hasattr(given, "columns" if hasattr(given, "height") else "collect"):
        from polars.exceptions import PolarsError

        with told("the data frame", PolarsError):
            frame = given if hasattr(given, "height") else given.collect()
            table = frame.to_arrow()
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
        return _one_after_the_other(arrow.iter(batch_size=GROUP_ROWS))
    return Source(given.features.arrow_schema, lambda _: arrow.iter(batch_size=GROUP_ROWS), rows, "the data set")


def _stream(given: Any) -> Source | None:
    """Whatever gives Arrow by its C interface, as DuckDB's relations do."""
    import pyarrow as pa

    if not hasattr(given, "__arrow_c_stream__"):
        return None
    what = f"the {type(given).__name__}"
    with told(what, OSError, TypeError, ValueError):  # such as of a column alone
        reader = pa.RecordBatchReader.from_stream(given)

    def read(_: list[str]) -> Iterator[pa.Table]:
        with told(what, OSError):
            yield from map(_as_table, reader)

    return Source(reader.schema, read, None, what)


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
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise InvalidInputError(f"the rows cannot be made a table: {_first_line(error)}") from error
    return Source(table.schema, lambda _: [table], table.num_rows, "the table")


def _one_after_the_other(given: Iterable[object]) -> Source:
    """Batches of any kind; the first one that has columns says which there are."""
    parts = iter(given)
    first = next(parts, None)
    if first is None:
        raise InvalidInputError("the iterator is empty: there is not even a batch that says which columns there are")
    if isinstance(first, Mapping) and not _has_columns(first):
        return _batches(_groups(chain([first], parts)), fill=True)
    source = _batches(chain([first], parts), fill=False)
    if source.is_text and isinstance(given, list | tuple):
        return replace(source, look=lambda columns: common(_looked_at(opened(each), columns) for each in given))
    return source


def _looked_at(source: Source, columns: list[str]) -> Kinds:
    """What columns of one of several files can be read as: none is more than text, if it cannot be looked at."""
    there = [name for name in columns if name in source.schema.names]
    return dict.fromkeys(there, frozenset()) if source.look is None else source.look(there)


def _batches(parts: Iterator[object], *, fill: bool) -> Source:
    """Batches as one table.

    Args:
        parts: the batches; at least one.
        fill: whether a column that a batch does not have is null there.
    """
    number, source = 0, _batch(next(parts))
    while not source.schema.names and (more := next(parts, None)) is not None:
        number, source = number + 1, _batch(more)

    def read(columns: list[str]) -> Iterator[pa.Table]:
        yield from source.read(columns)
        for place, part in enumerate(parts, number + 1):
            yield from _alike(_batch(part), source, columns, place, fill=fill)

    return Source(source.schema, read, None, "the iterator", source.is_text, source.json)


def _batch(given: object) -> Source:
    """One of several; a path, or a table of any kind."""
    if isinstance(given, str | Path):
        return opened(given)
    source = _table(given)
    if source is None:
        raise _refused(given)
    return _with_distinct_names(source)


def _alike(batch: Source, first: Source, columns: list[str], number: int, *, fill: bool) -> Iterator[pa.Table]:
    """The rows of a batch that has the columns of the first one.

    Raises:
        InvalidInputError: it has others, or is of text where that is not.
    """
    import pyarrow as pa

    names = batch.schema.names
    added = [name for name in names if name not in first.schema.names]
    if added:
        raise InvalidInputError(
            f"batch {number} has column {added[0]!r}, which the first one lacks; give all batches the same columns"
        )
    lacking = [name for name in columns if name not in names]
    if lacking and not fill and names:
        raise InvalidInputError(f"batch {number} lacks column {lacking[0]!r}, which the first one has")
    odd = (batch.json ^ first.json) & {*columns}
    if odd:
        raise InvalidInputError(
            f"batch {number} has values of other types in column {min(odd)!r} than the first one; give files that are "
            "alike"
        )
    if batch.is_text != first.is_text:
        raise InvalidInputError(
            f"batch {number} is {batch.what}, with {'texts alone' if batch.is_text else 'typed values'}, unlike the "
            f"first one, {first.what}; give files of one kind"
        )
    for table in batch.read([name for name in columns if name in names]):
        for name in lacking:
            table = table.append_column(name, pa.nulls(table.num_rows))
        yield table


def _has_columns(given: Mapping[object, object]) -> bool:
    """Whether a dict is of columns, and not a row, in which a vector may stand among plain values."""
    values = list(given.values())
    return all(map(_is_listed, values)) and any(not isinstance(value, tuple | list) for value in values)


def _is_listed(value: object) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str | bytes | Mapping)


def _groups(rows: Iterator[Any]) -> Iterator[list[Any]]:
    """Rows that come one by one, in groups."""
    for group in iter(lambda: list(islice(rows, GROUP_ROWS)), []):
        odd = next((row for row in group if not isinstance(row, Mapping)), None)
        if odd is not None:
            raise InvalidInputError(
                f"the iterator gives rows as dicts, and then {shown_value(odd)}; give one or the other"
            )
        yield group


def _first_line(error: BaseException) -> str:
    return _one_line(str(error).partition("\n")[0])


def _one_line(text: str) -> str:
    text = " ".join(text.encode(errors="backslashreplace").decode().split())
    return text if len(text) <= 300 else f"{text[:299]}…"
