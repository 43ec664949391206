"""Rows put into strata by an expression: equal values, or bins of numbers, each with a readable name."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from localreg.errors import InvalidInputError
from localreg.names import did_you_mean
from localreg.query.expressions import Facet, rewrite_facet
from localreg.query.failures import explain_error
from localreg.query.guard import locked_connection
from localreg.query.user_text import quote
from localreg.records.differences import path_text

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

__all__ = ["Stratum", "strata", "stratum_name"]

MOST = 1_000
"""More strata than these are no strata, but a field that tells each row from the others."""

LONG = 7
"""Digits up to which a number is a name; a bin's end of more is told by the shortest number that ends it there, too."""

_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
_NUMBERS = ("UBIGINT", "HUGEINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL")
_TEXTS = ("VARCHAR", "ENUM", "DATE", "TIME", "TIMESTAMP", "UUID", "INTERVAL")
_BOOLEAN = "BOOLEAN"


class Stratum(NamedTuple):
    """One of them.

    Attributes:
        name: such as `rain`, `iso ≤ 200` or `null`; unique among them.
        rows: places of its rows, ascending.
    """

    name: str
    rows: npt.NDArray[np.int64]


def strata(
    rows: Callable[[DuckDBPyConnection], None],
    columns: Mapping[str, str],
    by: str,
    *,
    table: str,
    bins: int | None,
    counted: npt.NDArray[np.bool_],
    field_names: Sequence[str],
) -> list[Stratum]:
    """The strata of rows, in order of value; what has none comes last.

    Args:
        rows: makes a relation `table` with these columns and `place`, the number of each row.
        columns: name → DuckDB type.
        by: an expression over them, as `where` takes it.
        table: the relation, for messages, too.
        bins: numbers of more different values than that are cut into so many bins, about equally many rows in each;
            None = each value is a stratum, and there may be any number of them.
        counted: the rows that count for that, where others repeat them.
        field_names: of what stands within columns, to suggest one where a name is unknown.

    Raises:
        InvalidInputError: the expression does not parse, names an unknown column or a key that no row has, or gives
            values that are neither texts nor booleans nor numbers, or too many different ones.
    """
    import duckdb

    connection = locked_connection([], setup=rows)
    try:

        def has_key(key: str) -> bool:
            found = f"SELECT 1 FROM {table} WHERE list_contains(json_keys(metadata), ?) LIMIT 1"
            return connection.execute(found, [key]).fetchone() is not None

        facet = rewrite_facet(by, columns, table=table, has_key=has_key)
        if len(counted):
            _refuse_unknown(connection, facet, by, table)
        try:
            connection.execute(f"CREATE TABLE found AS SELECT place, {facet.sql} AS value FROM {table}")
        except duckdb.Error as error:
            raise _explained(error, by, columns, field_names) from error
        made = _strata(connection, facet, by, bins, counted)
        return made if bins is None else _few(made, by)
    finally:
        connection.close()


def _refuse_unknown(connection: DuckDBPyConnection, facet: Facet, by: str, table: str) -> None:
    """A key that no row has is misspelt: it would put all rows into one stratum without a word."""
    for key in facet.keys:
        if connection.execute(f"SELECT 1 FROM {table} WHERE {key.exists} LIMIT 1").fetchone() is not None:
            continue
        found = connection.execute(
            f"SELECT DISTINCT unnest({key.beside}) AS name FROM {table} ORDER BY name"
        ).fetchall()
        names = [name for (name,) in found]
        near = get_close_matches(key.name.casefold(), {name.casefold(): name for name in names}, n=3)
        hint = [name for name in names if name.casefold() in near] or names[:10]
        told = ", ".join(path_text(key.parent, name) for name in hint)
        after = f"; did you mean {told}?" if near else f"; there are {told or 'no keys'}"
        raise InvalidInputError(f"cannot go by {quote(by)}: no sample has {path_text(key.parent, key.name)}{after}")


def _few(made: list[Stratum], by: str) -> list[Stratum]:
    """The strata, unless they are too many."""
    if len(made) > MOST:
        raise InvalidInputError(
            f"cannot go by {quote(by)}: it has {len(made):,} different values, and each would be a stratum; group "
            f"them to {MOST:,} at most, as with left(…, 1)"
        )
    return made


def _explained(error: Exception, by: str, columns: Mapping[str, str], field_names: Sequence[str]) -> InvalidInputError:
    unknown = re.search(r'[Cc]ould not find key "([^"]+)" in struct', str(error))
    if unknown:
        hint = did_you_mean(unknown[1], list(field_names)) or f"; there are {', '.join(field_names)}"
        return InvalidInputError(f"cannot go by {quote(by)}: no field {unknown[1]!r}{hint}")
    return explain_error(error, {"by": by}, columns)


def _strata(
    connection: DuckDBPyConnection, facet: Facet, by: str, bins: int | None, counted: npt.NDArray[np.bool_]
) -> list[Stratum]:
    kind, reading = _reading(connection, facet, by)
    values = connection.execute(f"SELECT {reading} AS value FROM found ORDER BY place").to_arrow_table()["value"]
    values = values.combine_chunks()
    if kind == "number":
        return _of_numbers(values, _label(by), bins, counted)
    return _of_values(values, str if kind == "boolean" else stratum_name)


def _reading(connection: DuckDBPyConnection, facet: Facet, by: str) -> tuple[str, str]:
    """Whether values are numbers, booleans or texts, and the SQL that reads them as such."""
    if facet.is_json:
        return _reading_of_json(connection, by)
    described = connection.execute("SELECT column_type FROM (DESCRIBE found) WHERE column_name = 'value'").fetchone()
    type_name = str(described[0]) if described else ""
    base = re.split(r"[( ]", type_name)[0].partition("_")[0]
    if not type_name.endswith("]"):
        if base in _WHOLE:
            return "number", "CAST(value AS BIGINT)"
        if base in _NUMBERS:
            return "number", "CAST(value AS DOUBLE)"
        if base == _BOOLEAN:
            return "boolean", "value"
        if base in _TEXTS:
            return "text", "CAST(value AS VARCHAR)"
    raise _of_another_type(by, type_name)


def _reading_of_json(connection: DuckDBPyConnection, by: str) -> tuple[str, str]:
    found = connection.execute(
        "SELECT json_type(value) AS kind, bool_and(TRY_CAST(value AS BIGINT) IS NOT NULL) FROM found GROUP BY kind"
    ).fetchall()
    kinds = {kind: whole for kind, whole in found if kind not in (None, "NULL")}
    if kinds.keys() <= {"VARCHAR"}:
        return "text", "value->>'$'"
    if kinds.keys() <= {"BOOLEAN"}:
        return "boolean", "TRY_CAST(value AS BOOLEAN)"
    if kinds.keys() <= {"BIGINT", "UBIGINT", "HUGEINT", "DOUBLE"}:
        exact = "DOUBLE" not in kinds and all(kinds.values())
        return "number", f"TRY_CAST(value AS {'BIGINT' if exact else 'DOUBLE'})"
    if kinds.keys() & {"ARRAY", "OBJECT"}:
        raise _of_another_type(by, "a JSON list or object")
    raise InvalidInputError(
        f"cannot go by {quote(by)}: its values are of several types ({', '.join(sorted(kinds))}); say which you mean, "
        f"such as {by.strip()}::VARCHAR"
    )


def _of_another_type(by: str, type_name: str) -> InvalidInputError:
    return InvalidInputError(
        f"cannot go by {quote(by)}: it gives {type_name}; strata are of texts, numbers, dates or booleans, so make "
        "one of it, such as len(…) or a path to a field"
    )


def _label(by: str) -> str:
    """What numbers are of: the last name of a path, else the expression in parentheses."""
    last = re.fullmatch(r"(?:\w+\.)*(\w+)", by.strip())
    return last[1] if last else f"({' '.join(by.split())})"


def _of_values(values: pa.Array, shown: Callable[[Any], str]) -> list[Stratum]:
    import numpy as np

    encoded = values.dictionary_encode()
    distinct = encoded.dictionary.to_pylist()
    order = sorted(range(len(distinct)), key=distinct.__getitem__)
    names = [_named(shown, distinct[code]) for code in order]
    rank = np.empty(len(distinct) + 1, np.int64)
    rank[order] = np.arange(len(distinct))
    rank[len(distinct)] = len(distinct)
    codes = encoded.indices.fill_null(len(distinct)).to_numpy()
    return _grouped(rank[codes], [*names, "null"])


def _named(shown: Callable[[Any], str], value: Any) -> str:
    return shown(value).lower() if isinstance(value, bool) else shown(value)


def stratum_name(text: str | None) -> str:
    """What a stratum is called whose value is a text; None = no value.

    It is the text, in quotes where that could be mistaken: nothing, `null`, edges of white space, control codes.
    """
    if text is None:
        return "null"
    is_plain = text.isprintable() and text == text.strip() and text not in ("", "null") and text[0] != '"'
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def _of_numbers(values: pa.Array, label: str, bins: int | None, counted: npt.NDArray[np.bool_]) -> list[Stratum]:
    import numpy as np

    missing = values.is_null().to_numpy(zero_copy_only=False)
    numbers = values.fill_null(0).to_numpy() + 0  # -0.0 is 0.0
    unordered = np.isnan(numbers) & ~missing
    there = ~missing & ~unordered
    distinct = np.unique(numbers[there])
    if bins is None or len(distinct) <= bins:
        names, codes = _numbers(distinct), np.searchsorted(distinct, numbers)
    else:
        once = there & counted
        edges = _edges(np.sort(numbers[once if once.any() else there]), distinct, bins)
        bounds = _bounds(edges, distinct)
        between = [f"{low} < {label} ≤ {high}" for low, high in pairwise(bounds)]
        names = [f"{label} ≤ {bounds[0]}", *between, f"{label} > {bounds[-1]}"]
        codes = np.searchsorted(edges, numbers, side="left")
    codes = np.where(missing, len(names) + 1, np.where(unordered, len(names), codes))
    return _grouped(codes, [*names, "NaN", "null"])


def _edges(ordered: npt.NDArray[np.generic], distinct: npt.NDArray[np.generic], bins: int) -> npt.NDArray[np.generic]:
    """Values that occur, up to which each bin but the last goes: quantiles, each once."""
    import numpy as np

    places = np.ceil(np.arange(1, bins) * len(ordered) / bins).astype(np.int64) - 1
    edges = np.unique(ordered[places])
    edges = edges[edges < distinct[-1]]
    return edges if len(edges) else distinct[-2:-1]


def _numbers(values: Iterable[Any]) -> list[str]:
    """Of each number the shortest text that is none of the others: arithmetic leaves a last digit that is no name."""
    values = list(values)
    short = [f"{value:.15g}" if isinstance(value.item(), float) else repr(value.item()) for value in values]
    twice = {text for text, count in Counter(short).items() if count > 1}
    exact = (repr(value.item()).removesuffix(".0") for value in values)
    return [long if text in twice or "e" in text else text for text, long in zip(short, exact, strict=True)]


def _bounds(edges: npt.NDArray[np.generic], distinct: npt.NDArray[np.generic]) -> list[str]:
    """What edges are called: of those with many digits the shortest number that cuts there, too."""
    import numpy as np

    names = []
    following = distinct[np.searchsorted(distinct, edges, side="right")]
    for edge, text, after in zip(edges.tolist(), _numbers(edges), following.tolist(), strict=True):
        is_long = isinstance(edge, float) and len(text.lstrip("-0.").replace(".", "")) > LONG
        shorter = (f"{number:.15g}" for number in _rounded_up(edge) if edge <= number < after) if is_long else iter(())
        names.append(next(shorter, text))
    return names


def _rounded_up(value: float) -> Iterator[float]:
    """A number with few digits, then with more and more of them."""
    exact = Decimal(value)
    for digits in range(LONG):
        places = digits - exact.adjusted()
        yield float(exact.scaleb(places).to_integral_value(ROUND_CEILING).scaleb(-places))


def _grouped(codes: npt.NDArray[np.int64], names: Sequence[str]) -> list[Stratum]:
    import numpy as np

    order = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(len(names) + 1))
    return [
        Stratum(name, order[begin:end]) for name, begin, end in zip(names, ends, ends[1:], strict=False) if end > begin
    ]
