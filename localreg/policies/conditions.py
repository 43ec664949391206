"""Conditions: DuckDB boolean expressions over the columns of versions or checkpoints, told with what they met.

They are rewritten as `where` is (`localreg.query.expressions`), so that they can do nothing but compute, and run over
rows of our own in a connection that can read no file.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from localreg.canonical import canonical
from localreg.errors import InvalidInputError

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from localreg.query.json_paths import Path

__all__ = ["Judgement", "check_condition", "judged"]

LONGEST = 80


class Judgement(NamedTuple):
    """What became of a condition.

    Attributes:
        holds: whether it does; of what is not known it does not.
        reason: it, and what the columns hold that it speaks of.
        known: whether that could be told at all.
    """

    holds: bool
    reason: str
    known: bool


class _Connection:
    """One connection of this process; a fork opens another, and leaves the old one to its parent."""

    def __init__(self) -> None:
        self._of: tuple[int, DuckDBPyConnection] | None = None
        self.lock = threading.Lock()

    def renew_lock(self) -> None:
        """One that another thread held at a fork would never be released in the child."""
        self.lock = threading.Lock()

    def get(self) -> DuckDBPyConnection:
        from localreg.query.guard import locked_connection

        if self._of is None or self._of[0] != os.getpid():
            self._of = os.getpid(), locked_connection([], setup=lambda _: None)
        return self._of[1]


_CONNECTION = _Connection()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_CONNECTION.renew_lock)


def check_condition(text: str, columns: Mapping[str, str], *, of: str) -> str:
    """The SQL of a condition.

    Args:
        text: as the user wrote it.
        columns: that there are, with their types.
        of: `versions` or `checkpoints`.

    Raises:
        InvalidInputError: it does not parse, or names an unknown column.
    """
    from localreg.query.expressions import rewrite_where

    return rewrite_where(text, columns, table=of, label="condition")


def judged(
    conditions: Sequence[str], rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, of: str
) -> list[list[Judgement]]:
    """Whether conditions hold, for each row one judgement a condition.

    Args:
        conditions: that were checked once.
        rows: by column; only those that a condition speaks of are looked at.
        columns: with their types.
        of: as in `check_condition`.
    """
    from localreg.query.expressions import paths_in

    if not rows or not conditions:
        return [[] for _ in rows]
    try:
        sql = [check_condition(text, columns, of=of) for text in conditions]
    except InvalidInputError as error:  # a later release knew more columns
        return [[Judgement(False, str(error), False) for _ in conditions] for _ in rows]
    paths = [paths_in(text, columns, table=of) for text in conditions]
    needed = sorted({path.column for each in paths for path in each})
    with _CONNECTION.lock:
        connection = _CONNECTION.get()
        _load(connection, needed, rows, columns)
        answers = [_answers(connection, each, len(rows)) for each in sql]
    return [
        [
            _judgement(text, answer[number], spoken, row)
            for text, answer, spoken in zip(conditions, answers, paths, strict=True)
        ]
        for number, row in enumerate(rows)
    ]


def _load(
    connection: DuckDBPyConnection, names: Sequence[str], rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]
) -> None:
    import pyarrow as pa

    from localreg.query.database import load

    arrays = {"_place": pa.array(range(len(rows)), pa.int64())}
    for name in names:
        values = [row[name] for row in rows]
        if columns[name] == "JSON":
            values = [None if value is None else canonical(value) for value in values]
        arrays[name] = pa.array(values, _arrow_type(columns[name]))
    load(connection, "loaded", pa.table(arrays))
    cast = ", ".join(f'CAST("{name}" AS {columns[name]}) AS "{name}"' for name in names)
    connection.execute(f"CREATE OR REPLACE TABLE subjects AS SELECT _place, {cast or '1'} FROM loaded")


def _arrow_type(kind: str) -> pa.DataType:
    """What a column is handed over as; DuckDB makes the rest of it."""
    import pyarrow as pa

    return {"VARCHAR[]": pa.list_(pa.string()), "BIGINT": pa.int64()}.get(kind, pa.string())


def _answers(connection: DuckDBPyConnection, sql: str, count: int) -> list[bool | str | None]:
    """Of each row whether a condition holds; a text says why that cannot be told."""
    import duckdb

    from localreg.query.syntax import clean_message

    try:
        found = connection.execute(f"SELECT CAST(({sql}) AS BOOLEAN) FROM subjects ORDER BY _place").fetchall()
        return [value for (value,) in found]
    except duckdb.Error as error:
        if count == 1:
            return [clean_message(str(error))]
    told: list[bool | str | None] = []
    for number in range(count):  # one row that cannot be computed says nothing of the others
        try:
            row = connection.execute(
                f"SELECT CAST(({sql}) AS BOOLEAN) FROM subjects WHERE _place = {number}"
            ).fetchone()
            told.append(None if row is None else row[0])
        except duckdb.Error as error:
            told.append(clean_message(str(error)))
    return told


def _judgement(text: str, answer: bool | str | None, paths: Sequence[Path], row: Mapping[str, Any]) -> Judgement:
    if isinstance(answer, str):
        return Judgement(False, f"{text} cannot be computed: {answer}", False)
    met = ", ".join(dict.fromkeys(_met(path, row) for path in paths))
    told = f"{text} {'holds' if answer else 'does not hold'}{f': {met}' if met else ''}"
    return Judgement(bool(answer), told, answer is not None)


def _met(path: Path, row: Mapping[str, Any]) -> str:
    value = row[path.column]
    for step in path.steps:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            value = None
    if value is None:
        return f"{path} is not known"
    shown = value if isinstance(value, str) else canonical(value)
    return f"{path} = {shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + '…'}"
