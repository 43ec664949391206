"""Columns of texts, as CSV has them, read as what they are wanted as."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError
from localreg.query.shared import connected
from localreg.tables import Fault, Fitting, Node
from localreg.workflow.bulk.source import told

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

__all__ = ["Texts"]

_READ: dict[str, tuple[str, str]] = {
    # Unlike a cast alone, these take no fraction for a whole number, no finite number for an infinite one, no moment
    # for a date, no date that Python does not have, and no moment without a zone or in less than microseconds.
    "int": (r"regexp_full_match(trim(x), '[+-]?\d+(\.0*)?')", "BIGINT"),
    "float": (
        r"regexp_full_match(trim(x), '[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?') "
        r"AND isfinite(TRY_CAST(trim(x) AS DOUBLE)) OR regexp_full_match(trim(x), '[+-]?(inf|infinity|nan)', 'i')",
        "DOUBLE",
    ),
    "bool": ("true", "BOOLEAN"),
    "date": (r"regexp_full_match(trim(x), '\d{4}-\d{1,2}-\d{1,2}')", "DATE"),
    "datetime": (
        r"regexp_full_match(trim(x), '\d{4}-\d\d?-\d\d?[tT ]+\d\d?:\d\d(:\d\d(\.\d{1,6}0*)?)?"
        r" *([zZ]|[+-]\d\d(:?\d\d)?)')",
        "TIMESTAMPTZ",
    ),
    "timedelta": (r"regexp_full_match(trim(x), '[+-]?\d+')", "BIGINT"),
}
_WANTED = {
    "int": "be a whole number",
    "float": "be a number that a float can hold",
    "bool": "be true or false",
    "date": "be a date, as 2026-03-31",
    "timedelta": "be a whole number of microseconds",
    "datetime": "be a moment with its time zone, as 2026-03-31T12:00:00Z",
}
_KINDS = {
    "bool": (("BOOLEAN",), "be true or false"),
    **dict.fromkeys(("int", "float", "timedelta"), (("BIGINT", "UBIGINT", "HUGEINT", "DOUBLE"), "be a number")),
}
"""What JSON calls values of a type; others are texts."""
_NOT_FINITE = """'"NaN"', '"Infinity"', '"-Infinity"'"""
"""The texts that our JSON has where JSON has no number."""
_ALL_EMPTY = "SELECT bool_and(x IS NULL OR json_valid(x) AND json_type(x) = 'OBJECT' AND json_keys(x) = []) FROM given"
_JSON = ("list", "struct", "map", "tuple", "vector", "union")


class Texts:
    """Reads texts; what is nested is JSON."""

    def __init__(self) -> None:
        self._connection: DuckDBPyConnection = connected({})
        self._connection.execute("SET TimeZone = 'UTC'")

    def read(self, column: pa.Array, node: Node, path: str, found: Fitting) -> pa.Array:
        """A column of texts as one of values; null where a text cannot be read, with a fault.

        Args:
            column: texts.
            node: what they are wanted as.
            path: of the column, for messages.
            found: where faults go.
        """
        if node.type in _READ:
            condition, kind = _READ[node.type]
            return self._read(
                column, f"CASE WHEN {condition} THEN TRY_CAST(trim(x) AS {kind}) END", path, found, _WANTED[node.type]
            )
        if node.type in _JSON and _holds_json(column):
            return self._json(column, path, found)
        return column

    def of_json(self, column: pa.Array, node: Node, path: str, found: Fitting) -> pa.Array:
        """A column of JSON, each value of its own type, as one of values; else as `read`."""
        if node.type in _JSON:
            return self._json(column, path, found)
        kinds, wanted = _KINDS.get(node.type, (("VARCHAR",), "be text"))
        listed = ", ".join(map(_quoted, kinds))
        condition = f"json_type(x) IN ({listed})"
        if node.type == "float":
            condition += f" OR x IN ({_NOT_FINITE})"
        expression = f"CASE WHEN {condition} THEN x->>'$' END"
        texts = self._read(column, expression, path, found, wanted, is_json=True)
        return self.read(texts, node, path, found)

    def _json(self, column: pa.Array, path: str, found: Fitting) -> pa.Array:
        """JSON by its own structure: whether that fits is seen later."""
        import pyarrow as pa
        import pyarrow.compute as pc

        self._register(column)
        structure = self._one("SELECT json_group_structure(CAST(x AS JSON)) FROM given WHERE json_valid(x)")
        if structure == '"JSON"' and self._one(_ALL_EMPTY):
            empty = pa.array([{}], pa.struct([]))
            return empty.take(pc.if_else(column.is_valid(), 0, None))
        if structure is not None and '"JSON"' in structure:
            raise InvalidInputError(
                f"{path} holds JSON with values of several types where one is wanted; its structure is "
                f"{structure[:200]}"
            )
        expression = (
            "NULL" if structure is None else f"json_transform(CASE WHEN json_valid(x) THEN x END, {_quoted(structure)})"
        )
        return self._read(column, expression, path, found, "be JSON", is_json=True)

    def _read(
        self, column: pa.Array, expression: str, path: str, found: Fitting, wanted: str, *, is_json: bool = False
    ) -> pa.Array:
        import numpy as np
        import pyarrow.compute as pc

        self._register(column)
        query = f"SELECT {expression} AS value FROM given"
        with told(path):
            made = self._connection.execute(query).to_arrow_table()["value"].combine_chunks()
        positions = np.flatnonzero(pc.and_(made.is_null(), column.is_valid()).to_numpy(zero_copy_only=False))
        if is_json:
            positions = positions[[text.strip() != "null" for text in column.take(positions).to_pylist()]]
        if len(positions):
            found.faults.append(Fault(positions, path, column.take(positions), wanted))
        return made

    def _register(self, column: pa.Array) -> None:
        import pyarrow as pa

        self._connection.register("given", pa.table({"x": column}))

    def _one(self, query: str) -> Any:
        row = self._connection.execute(query).fetchone()
        return None if row is None else row[0]


def _holds_json(column: pa.Array) -> bool:
    """Whether the first text is an object or a list: else it is a plain value that stands for a struct."""
    import pyarrow.compute as pc

    first = pc.index(column.is_valid(), True).as_py()
    return first >= 0 and column[first].as_py().lstrip()[:1] in ("{", "[")


def _quoted(text: str) -> str:
    from localreg.query.quoting import literal

    return literal(text)
