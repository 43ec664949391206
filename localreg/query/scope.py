"""What the names in an expression mean, and of which kind an expression is before it is rewritten."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from localreg.query.json_paths import Path
from localreg.query.kinds import (
    BOOLEAN,
    DOUBLE,
    JSON,
    NUMBER,
    OPEN,
    TEXT,
    UNKNOWN,
    WHOLE,
    Family,
    Kind,
    arithmetic_result,
    constant_kind,
    joined_kind,
    kind_of_type,
    kind_of_type_node,
)
from localreg.query.syntax import Node, column_ref, functions
from localreg.query.user_text import UserText

__all__ = ["ARITHMETIC", "NOW", "TEXT_OPERATORS", "Scope", "alternatives", "unchained"]

NOW = {
    "current_timestamp": "TIMESTAMP WITH TIME ZONE",
    "current_date": "DATE",
    "current_time": "TIME",
    "localtimestamp": "TIMESTAMP",
    "localtime": "TIME",
}
"""Values that look like columns, by type."""

ARITHMETIC = frozenset({"+", "-", "*", "/", "//", "%", "**", "^"})
TEXT_OPERATORS = frozenset({"~~", "!~~", "~~*", "!~~*", "~~~", "like_escape", "not_like_escape", "ilike_escape"})


class Scope:
    """The documented columns, and the parameters of the lambdas around the place where one looks from."""

    def __init__(self, written: UserText) -> None:
        self.written = written
        self._lambda_names: tuple[str, ...] = ()

    @contextmanager
    def inside_lambda(self, names: list[str]) -> Iterator[None]:
        """Within, `names` are parameters, whatever columns are called so."""
        outer = self._lambda_names
        self._lambda_names = (*outer, *names)
        try:
            yield
        finally:
            self._lambda_names = outer

    def path(self, node: Node) -> Path | None:
        """The path that `node` is, or the bare JSON column; None if it is anything else."""
        if node["class"] == "COLUMN_REF":
            return self._column_path(node["column_names"])
        if node["class"] == "OPERATOR" and node["type"] in ("ARRAY_EXTRACT", "STRUCT_EXTRACT"):
            base = self.path(node["children"][0])
            return base and base.then(self._step(base, node["children"][1]))
        return None

    def _column_path(self, names: list[str]) -> Path | None:
        resolved = self.resolve(names)
        if resolved is None or kind_of_type(self.written.columns[resolved[0]]) != JSON:
            return None
        return Path(resolved[0], tuple(resolved[1:]))

    def resolve(self, names: list[str]) -> list[str] | None:
        """Column and fields that dotted `names` mean, less the table's name; None if they mean something else."""
        if names[0] in self._lambda_names:
            return None
        if self.written.column(names[0]) is None and len(names) > 1 and names[0].lower() == self.written.table.lower():
            names = names[1:]
        column = self.written.column(names[0])
        return None if column is None else [column, *names[1:]]

    def is_value(self, names: list[str]) -> bool:
        """Whether `names` are a lambda's parameter, or a value such as `current_timestamp`."""
        return names[0] in self._lambda_names or (len(names) == 1 and names[0].lower() in NOW)

    def _step(self, base: Path, key: Node) -> str | int:
        value = key["value"] if key["class"] == "CONSTANT" else None
        if value is None or value["is_null"] or value["type"]["id"] not in ("VARCHAR", "INTEGER", "BIGINT"):
            raise self.written.error(f"in brackets after {base} there must be a key in single quotes or a whole number")
        step: str | int = value["value"]
        return step

    def open_paths(self, node: Node) -> list[Path]:
        """The paths that an open expression is made of."""
        path = self.path(node)
        if path is not None:
            return [path]
        return [path for each in alternatives(node) for path in self.open_paths(each)]

    def kind(self, node: Node) -> Kind:
        """The kind of an expression before it is rewritten."""
        path = self.path(node)
        if path is not None:
            return OPEN if path.steps else JSON
        class_ = node["class"]
        if class_ == "CONSTANT":
            return constant_kind(node["value"])
        if class_ == "CAST":
            return kind_of_type_node(node["cast_type"])
        if class_ in ("COMPARISON", "CONJUNCTION", "BETWEEN"):
            return BOOLEAN
        if class_ == "COLLATE":
            return TEXT
        if class_ == "COLUMN_REF":
            return self._column_kind(node["column_names"])
        if class_ == "FUNCTION":
            return self._function_kind(unchained(node))
        return self._operator_kind(node) if class_ in ("OPERATOR", "CASE") else UNKNOWN

    def _column_kind(self, names: list[str]) -> Kind:
        resolved = self.resolve(names)
        if resolved is None:
            if not self.is_value(names):
                raise self.written.unknown_column(names)
            return kind_of_type(NOW.get(names[0].lower(), "")) if len(names) == 1 else UNKNOWN
        return kind_of_type(self.written.columns[resolved[0]]) if len(resolved) == 1 else UNKNOWN

    def _operator_kind(self, node: Node) -> Kind:
        if node["type"] == "ARRAY_EXTRACT":
            return self.kind(node["children"][0]).element or UNKNOWN
        if choices := alternatives(node):
            return joined_kind([self.kind(each) for each in choices])
        return UNKNOWN if node["type"] in ("ARRAY_SLICE", "STRUCT_EXTRACT") else BOOLEAN

    def _function_kind(self, node: Node) -> Kind:
        name = node["function_name"].lower()
        if name in ARITHMETIC:
            return arithmetic_result([self.kind(each) for each in node["children"]])
        if name in TEXT_OPERATORS:
            return BOOLEAN
        if name == "list_value":
            return Kind(Family.LIST, element=joined_kind([self.kind(each) for each in node["children"]]))
        if alternatives(node):
            return joined_kind([self.kind(each) for each in alternatives(node)])
        info = functions().get(name)
        returned = {kind_of_type(each) for each in info.returns} if info else set()
        families = {kind.family for kind in returned}
        if families and families <= {Family.NUMBER, Family.WHOLE}:
            if {OPEN, DOUBLE} & {self.kind(each) for each in node["children"]}:
                return DOUBLE
            return WHOLE if families == {Family.WHOLE} else NUMBER
        return returned.pop() if len(returned) == 1 else UNKNOWN


def alternatives(node: Node) -> list[Node]:
    """The expressions one of which `node` is, or `[]`."""
    children: list[Node] = node.get("children", [])
    if node["class"] == "CASE":
        return [*(check["then_expr"] for check in node["case_checks"]), node["else_expr"]]
    if node["type"] in ("OPERATOR_COALESCE", "OPERATOR_TRY"):
        return children
    named = node["class"] == "FUNCTION" and node["function_name"].lower()
    return children if named in ("greatest", "least") else children[:1] if named == "nullif" else []


def unchained(node: Node) -> Node:
    """`lower(name)` for `name.lower()`, which DuckDB parses as a function in the schema `name`."""
    prefix = [part for part in (node.get("catalog", ""), node.get("schema", "")) if part]
    if prefix in ([], ["main"]):
        return node
    return {**node, "catalog": "", "schema": "", "children": [column_ref(*prefix), *node["children"]]}
