"""SQL as DuckDB's own parser sees it: text to a JSON tree and back, and the nodes that we put into such a tree.

What users write is never spliced into SQL. DuckDB parses it (`json_serialize_sql`, on a bound parameter, so that no
quoting of ours stands between the text and the parser), we read and change the tree, and DuckDB writes the SQL
(`json_deserialize_sql`). So there is no second grammar to keep in step with the first.

The connection behind this is in memory, holds no table, has one thread and no access to files: some statements are
*executed* by merely being parsed (`IMPORT DATABASE` opens its script, some `PRAGMA`s expand).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from localreg.query.quoting import literal
from localreg.query.shared import Shared

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = [
    "FunctionInfo",
    "Node",
    "SyntaxFault",
    "call",
    "cast",
    "check_text",
    "clean_message",
    "column_ref",
    "functions",
    "operator",
    "parse",
    "parse_cursor",
    "text_constant",
    "unparse_expression",
    "walk",
    "when",
]

Node: TypeAlias = dict[str, Any]
"""One node of DuckDB's tree; its shape is DuckDB's and varies by `class`, hence the `Any`."""

MAX_TEXT = 250_000
"""Longest SQL text taken, in characters. DuckDB is quadratic in a chain of ANDs: 0.2 s for 90,000, 10 s for 900,000."""

_SKELETON = "SELECT * FROM t WHERE "


class SyntaxFault(ValueError):
    """DuckDB could not make a tree of the text. Internal: callers turn it into an InvalidInputError.

    Attributes:
        kind: DuckDB's own word, `parser` or `not implemented` (no SELECT); or ours, `text` (it was not even parsed)
            or `depth`.
        position: where in the text, in characters from 0, if DuckDB said so.
    """

    def __init__(self, message: str, *, kind: str = "parser", position: int | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.position = position


_parser = Shared(
    {
        "threads": 1,
        "enable_external_access": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
)


def parse_cursor() -> DuckDBPyConnection:
    """A cursor of its own for this call, to parse with."""
    return _parser.cursor()


def check_text(text: object) -> str:
    """The text itself, if it can be given to the parser at all.

    Raises:
        SyntaxFault: not a str, blank, too long, or with characters that no SQL text may hold.
    """
    if not isinstance(text, str):
        raise SyntaxFault(f"it must be text, not {type(text).__name__}", kind="text")
    if not text.strip():
        raise SyntaxFault("it is empty", kind="text")
    if len(text) > MAX_TEXT:
        raise SyntaxFault(f"it has {len(text):,} characters; the most is {MAX_TEXT:,}", kind="text")
    if "\x00" in text:
        raise SyntaxFault("it holds a NUL character", kind="text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SyntaxFault("it holds half of a surrogate pair, which is no character", kind="text") from None
    return text


def parse(sql: str) -> list[Node]:
    """The statements of an SQL text as trees, without positions in the text, which mean nothing once it is changed.

    Raises:
        SyntaxFault: it does not parse, holds a statement that is no SELECT, or is nested too deeply.
    """
    # Within the text, quoted: to bind a value, DuckDB imports pandas where that is installed, for half a second.
    row = parse_cursor().execute(f"SELECT json_serialize_sql({literal(sql)})").fetchone()
    assert row is not None  # a SELECT without FROM has one row
    try:
        answer = json.loads(row[0], object_hook=_without_positions)
    except RecursionError:
        raise SyntaxFault("it is nested too deeply", kind="depth") from None
    if answer["error"]:
        raise _fault(answer)
    statements: list[Node] = answer["statements"]
    return statements


def _without_positions(node: Node) -> Node:
    node.pop("query_location", None)
    return node


def _fault(answer: Node) -> SyntaxFault:
    message = clean_message(answer["error_message"])
    # DuckDB has two words for it: its own limit, and the stack of its grammar.
    if "expression depth" in message or "memory exhausted" in message:
        return SyntaxFault("it is nested too deeply", kind="depth")
    position = answer.get("position")
    return SyntaxFault(message, kind=answer["error_type"], position=None if position is None else int(position))


def clean_message(message: str) -> str:
    """A message of DuckDB as one line, without the excerpt of SQL, the list of overloads, or the class of error."""
    line = message.strip().partition("\n")[0].strip()
    head, colon, rest = line.partition(": ")
    if colon and head.endswith("Error") and len(head.split()) <= 3:
        line = rest
    return line.rstrip(" .")


def unparse_expression(expression: Node) -> str:
    """The SQL of one expression, with its own parentheses where it needs them."""
    statement = {
        "error": False,
        "statements": [{**_skeleton(), "node": {**_skeleton()["node"], "where_clause": expression}}],
    }
    row = parse_cursor().execute(f"SELECT json_deserialize_sql({literal(json.dumps(statement))})").fetchone()
    assert row is not None
    sql: str = row[0]
    if not sql.startswith(_SKELETON):  # a DuckDB that writes otherwise must not pass half a statement on
        raise SyntaxFault("this DuckDB writes expressions in a way that localreg does not know", kind="internal")
    return sql.removeprefix(_SKELETON)


@lru_cache(maxsize=1)
def _skeleton() -> Node:
    return parse(_SKELETON + "TRUE")[0]


@dataclass(frozen=True, slots=True)
class FunctionInfo:
    """What DuckDB knows of one function name, over all of its overloads."""

    kinds: frozenset[str]
    """`scalar`, `macro`, `aggregate`, `table`, …; one name may be several."""
    parameters: tuple[tuple[str, ...], ...]
    """The types of the parameters of each overload; `ANY` and single letters are generic."""
    returns: frozenset[str]


@lru_cache(maxsize=1)
def functions() -> Mapping[str, FunctionInfo]:
    """Every function of this DuckDB by lower-case name. The first call takes about 25 ms."""
    rows = parse_cursor().execute(
        "SELECT lower(function_name), function_type, parameter_types, return_type FROM duckdb_functions()"
    )
    grouped: dict[str, list[tuple[str, tuple[str, ...], str]]] = {}
    for name, kind, parameters, returned in rows.fetchall():
        grouped.setdefault(name, []).append((kind, tuple(p or "ANY" for p in parameters or ()), returned or "ANY"))
    return {
        name: FunctionInfo(
            kinds=frozenset(kind for kind, _, _ in overloads),
            parameters=tuple(parameters for kind, parameters, _ in overloads if kind == "scalar"),
            returns=frozenset(returned for kind, _, returned in overloads if kind == "scalar"),
        )
        for name, overloads in grouped.items()
    }


# Nodes that we add. Fields that are left out take DuckDB's defaults.


def text_constant(value: str) -> Node:
    """The SQL string `'value'`."""
    return {
        "class": "CONSTANT",
        "type": "VALUE_CONSTANT",
        "value": {"type": {"id": "VARCHAR"}, "is_null": False, "value": value},
    }


def column_ref(*names: str) -> Node:
    """A column, or with several names the field of one."""
    return {"class": "COLUMN_REF", "type": "COLUMN_REF", "column_names": list(names)}


def call(name: str, *arguments: Node) -> Node:
    """A function of `arguments`."""
    return {"class": "FUNCTION", "type": "FUNCTION", "function_name": name, "children": list(arguments)}


def operator(kind: str, *operands: Node) -> Node:
    """An operator by DuckDB's name, such as `OPERATOR_IS_NULL`."""
    return {"class": "OPERATOR", "type": kind, "children": list(operands)}


def cast(operand: Node, type_: str | Node, *, safe: bool = True) -> Node:
    """`TRY_CAST(operand AS type)`, or `CAST` if not `safe`. `type_` is a plain type's name, or DuckDB's node of one."""
    return {
        "class": "CAST",
        "type": "OPERATOR_CAST",
        "child": operand,
        "cast_type": {"id": type_} if isinstance(type_, str) else type_,
        "try_cast": safe,
    }


def when(*branches: tuple[Node, Node], otherwise: Node | None = None) -> Node:
    """`CASE WHEN condition THEN value … ELSE otherwise END`; NULL if nothing else is said."""
    null = {"class": "CONSTANT", "type": "VALUE_CONSTANT", "value": {"type": {"id": "NULL"}, "is_null": True}}
    return {
        "class": "CASE",
        "type": "CASE_EXPR",
        "case_checks": [{"when_expr": condition, "then_expr": value} for condition, value in branches],
        "else_expr": otherwise or null,
    }


def walk(root: object) -> Iterator[Node]:
    """Every node below and including `root`, in no particular order. Needs no recursion: depth is the user's."""
    stack = [root]
    while stack:
        current = stack.pop()
        if isinstance(current, dict):
            yield current
            stack.extend(current.values())
        elif isinstance(current, list):
            stack.extend(current)
