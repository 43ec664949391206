"""`where` and `order_by`: what users write, checked and turned into SQL over one documented view.

The text is parsed by DuckDB, the tree is walked against a list of what an expression may hold, and paths into JSON
columns get a type; then DuckDB writes it back. What comes out is one expression over the documented columns: it can
read nothing else and has no room for a second statement.

A path (`metadata.deep.lr`, `metadata['a.b']`, `metadata.layers[0]`) takes the type of what it meets, and is NULL where
it is missing or of another type, never an error:

| it meets | it is read as |
|---|---|
| a number, arithmetic | a number; whole numbers are compared exactly, whatever their size |
| text, LIKE, ~, a function of text | a JSON string |
| TRUE or FALSE, NOT, AND, OR, or nothing | a JSON boolean (1 is none) |
| a DATE, TIMESTAMP, UUID… | a JSON string that can be cast to it |
| a list (`metadata.k = ['a']`), IN on its right (`'a' IN metadata.k`) | a JSON list |
| another path | equal: the same JSON; less or greater: two numbers |
| IS NULL | missing, or JSON null |
| a cast (`metadata.x::DOUBLE`) | the cast of its text, NULL where that fails |

Lists inside JSON count from 0, as in JSON paths, and from the end with negative numbers; SQL lists such as `tags` count
from 1, as in DuckDB. Columns match in any case, keys exactly. A key may have any characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from localreg.errors import InvalidInputError
from localreg.query.json_paths import Path, exists, keys_at
from localreg.query.kinds import Family
from localreg.query.rewriting import TOO_DEEP, Rewriter
from localreg.query.scope import Scope
from localreg.query.syntax import Node, SyntaxFault, check_text, parse, unparse_expression, walk
from localreg.query.user_text import HasKey, UserText, no_key

__all__ = ["Facet", "paths_in", "rewrite_facet", "rewrite_order_by", "rewrite_where"]

BuiltT = TypeVar("BuiltT")

_CONDITION = ("SELECT * FROM t WHERE CASE WHEN ", "\nTHEN 0 END")
_ORDER = ("SELECT * FROM t ORDER BY ", "\n")
_CONDITIONAL = "write one condition, without ;, SELECT, ORDER BY or LIMIT"
_ONE = {
    "where": _CONDITIONAL,
    "condition": _CONDITIONAL,
    "order_by": "write columns with ASC or DESC, without ; or LIMIT",
    "by": "write one column or path, such as tags or metadata.framework",
}


def rewrite_where(
    text: str, columns: Mapping[str, str], *, table: str, has_key: HasKey = no_key, label: str = "where"
) -> str:
    """The SQL of a boolean expression over the documented columns of `table`.

    Args:
        text: what the user wrote, such as `metadata.acc > 0.9 AND 'detector' IN tags`.
        columns: documented name → DuckDB type, such as `VARCHAR[]`; paths are for columns of type JSON.
        table: the view's name, for messages and for `models.name`.
        has_key: whether some row's metadata has a key, for messages.
        label: what the argument is called in messages: `where` or `condition`.

    Raises:
        InvalidInputError: it does not parse, is more than one expression, or uses what a `where` may not.
    """
    written = UserText(label, text, columns, table, has_key)
    return _guarded(written, lambda: unparse_expression(Rewriter(written).condition(_parse_condition(written))))


def paths_in(text: str, columns: Mapping[str, str], *, table: str) -> list[Path]:
    """The columns, and the paths into JSON, that a condition speaks of, each once and as far as it goes.

    Raises:
        InvalidInputError: as in `rewrite_where`.
    """
    written = UserText("condition", text, columns, table)

    def build() -> list[Path]:
        scope, found = Scope(written), []
        for node in walk(_parse_condition(written)):
            path = scope.path(node) if node.get("class") in ("COLUMN_REF", "OPERATOR") else None
            if path is None and node.get("class") == "COLUMN_REF":
                names = scope.resolve(node["column_names"])
                path = None if names is None else Path(names[0])
            if path is not None and path not in found:
                found.append(path)
        return [path for path in found if not any(_goes_on(path, other) for other in found)]

    return _guarded(written, build)


def _goes_on(path: Path, other: Path) -> bool:
    begin = (other.column, other.steps[: len(path.steps)])
    return path != other and begin == (path.column, path.steps)


def rewrite_order_by(
    text: str | Sequence[str], columns: Mapping[str, str], *, table: str, has_key: HasKey = no_key
) -> str:
    """What stands after ORDER BY: `created_at DESC, metadata.acc` → keys, each with its direction and place of NULLs.

    NULLs come last both ways unless said otherwise. A path puts numbers first, by value, then everything else by its
    text, then what is missing.

    Args:
        text: one text, or several, in order of weight.
        columns: as in `rewrite_where`.
        table: as in `rewrite_where`.
        has_key: as in `rewrite_where`.

    Raises:
        InvalidInputError: as in `rewrite_where`; also for positions (`1`) and other constants, which order nothing.
    """
    texts = [text] if isinstance(text, str) or not isinstance(text, Sequence) else list(text)
    if not texts:
        raise InvalidInputError("order_by is empty: name a column, such as 'created_at DESC', or leave it out")
    return ", ".join(_order_keys(UserText("order_by", each, columns, table, has_key)) for each in texts)


@dataclass(frozen=True, slots=True)
class Facet:
    """What rows are counted by.

    Attributes:
        sql: the expression.
        is_json: it gives JSON values.
        is_list: it gives lists.
        is_path: it is a column or a path, and nothing is computed: it never fails, and a row has one for good.
        keys: into JSON columns that it reads.
    """

    sql: str
    is_json: bool
    is_list: bool
    is_path: bool = False
    keys: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class Key:
    """A key of objects in a JSON column.

    Attributes:
        name: the key.
        parent: the path of the objects, such as `metadata`.
        exists: SQL of whether a row has it.
        beside: SQL of the keys of a row's object.
    """

    name: str
    parent: str
    exists: str
    beside: str


def rewrite_facet(text: str, columns: Mapping[str, str], *, table: str, has_key: HasKey = no_key) -> Facet:
    """The one expression to count rows by: a column, a path into JSON, or what can be computed from them.

    Raises:
        InvalidInputError: as in `rewrite_where`; also for several expressions, and for a direction (`DESC`).
    """
    written = UserText("by", text, columns, table, has_key)

    def build() -> Facet:
        keys = _parse_order(written)
        if len(keys) != 1 or {keys[0]["type"], keys[0]["null_order"]} != {"ORDER_DEFAULT"}:
            raise written.error(f"it is more than one expression; {_ONE['by']}")
        root, scope = keys[0]["expression"], Scope(written)
        expression, kind = Rewriter(written).facet(root)
        is_column = root["class"] == "COLUMN_REF" and scope.resolve(root["column_names"]) is not None
        return Facet(
            unparse_expression(expression),
            is_json=kind.family is Family.JSON,
            is_list=kind.family is Family.LIST,
            is_path=is_column or scope.path(root) is not None,
            keys=_keys(scope, root),
        )

    return _guarded(written, build)


def _keys(scope: Scope, root: Node) -> tuple[Key, ...]:
    """The keys on all paths into JSON, each once, outer ones first."""
    paths = [scope.path(node) for node in walk(root) if node.get("class") in ("COLUMN_REF", "OPERATOR")]
    found = {
        Path(path.column, path.steps[: depth + 1])
        for path in paths
        if path is not None
        for depth, step in enumerate(path.steps)
        if isinstance(step, str)
    }
    return tuple(_key(path) for path in sorted(found, key=lambda path: (len(path.steps), str(path))))


def _key(path: Path) -> Key:
    *above, name = path.steps
    parent = Path(path.column, tuple(above))
    sql = [unparse_expression(each) for each in (exists(path), keys_at(parent))]
    return Key(str(name), str(parent), *sql)


def _guarded(written: UserText, build: Callable[[], BuiltT]) -> BuiltT:
    """`build()`, with the faults of the parser and of our own recursion told as the user's."""
    try:
        check_text(written.text)
        return build()
    except SyntaxFault as fault:
        raise written.error(_explain(written, fault)) from None
    except RecursionError:
        raise written.error(TOO_DEEP) from None


def _explain(written: UserText, fault: SyntaxFault) -> str:
    if fault.kind == "depth":
        return TOO_DEEP
    if fault.kind == "not implemented":
        return f"it holds another statement; {_ONE[written.label]}"
    if fault.kind == "text":
        return str(fault)
    before = _CONDITION[0] if _ONE[written.label] is _CONDITIONAL else _ORDER[0]
    reason = str(fault)
    if fault.position is not None and fault.position >= len(before) + len(written.text):
        reason = "it ends too early"
    if re.search(r"(?i)(?<![\w.\"'])at(?!\s+time\s+zone\b)(?![\w\"'])", written.text):
        reason += "; `at` is a reserved word: put it in double quotes if you mean a column or key, or use `time`"
    return reason


def _parse_condition(written: UserText) -> Node:
    """The tree of the one expression in `written`.

    The text stands between CASE WHEN and THEN, with a line break before the latter: no comment can hide the end, no
    parenthesis can close one of ours, and everything around the one branch must be what it is for TRUE. Parameters
    are let through here: the walk has a better message for them.
    """
    before, after = _CONDITION
    statements = parse(before + written.text + after)
    if len(statements) == 1:
        node = statements[0]["node"]
        case = node.get("where_clause")  # a UNION has none
        if case is not None and case["class"] == "CASE":
            condition: Node = case["case_checks"][0].pop("when_expr")
            if node == _frame("where"):
                return condition
    raise written.error(f"it is more than one expression; {_ONE['where']}")


def _parse_order(written: UserText) -> list[Node]:
    """The keys in `written`, each with `type`, `null_order` and `expression`."""
    before, after = _ORDER
    statements = parse(before + written.text + after)
    if len(statements) == 1:
        node = statements[0]["node"]
        if len(node["modifiers"]) == 1:
            orders: list[Node] = node["modifiers"].pop()["orders"]
            if node == _frame("order_by"):
                return orders
    raise written.error(f"it is more than an order; {_ONE[written.label]}")


@lru_cache(maxsize=2)
def _frame(label: str) -> Node:
    """What stands around an expression, as DuckDB parses it around TRUE."""
    before, after = _CONDITION if label == "where" else _ORDER
    node: Node = parse(before + "TRUE" + after)[0]["node"]
    if label == "where":
        del node["where_clause"]["case_checks"][0]["when_expr"]
    else:
        node["modifiers"].pop()
    return node


def _order_keys(written: UserText) -> str:
    def build() -> str:
        rewriter = Rewriter(written)
        return ", ".join(
            f"{unparse_expression(expression)} {_direction(order)}"
            for order in _parse_order(written)
            for expression in rewriter.order_expressions(order["expression"])
        )

    return _guarded(written, build)


def _direction(order: Node) -> str:
    direction = "DESC" if order["type"] == "DESCENDING" else "ASC"
    return f"{direction} {'NULLS FIRST' if order['null_order'] == 'NULLS FIRST' else 'NULLS LAST'}"
