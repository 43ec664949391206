"""What the names in an expression mean, and of which kind an expression is before it is rewritten."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from localreg.errors import InvalidInputError
from localreg.names import shown_value
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
from localreg.query.quoting import identifier, literal
from localreg.query.syntax import Node, column_ref, functions
from localreg.records.differences import path_text

__all__ = ["ARITHMETIC", "NOW", "TEXT_OPERATORS", "Scope", "Source", "alternatives", "quote", "unchained"]

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


def quote(text: object, *, length: int = 200) -> str:
    """What the user wrote, in quotes and cut to fit into a message."""
    shown = text if isinstance(text, str) else shown_value(text)
    return repr(shown if len(shown) <= length else shown[: length - 1] + "…")


HasKey = Callable[[str], bool]
"""Whether some row has a key in its metadata. Asked only where something is refused, since it costs a look at them."""


def no_key(key: str) -> bool:
    """Nothing is known of the rows."""
    return False


@dataclass(frozen=True, slots=True)
class Source:
    """One text with what it may refer to, and how to complain about it."""

    label: str
    """`where` or `order_by`."""
    text: str
    columns: Mapping[str, str]
    """Documented name → DuckDB type."""
    table: str
    has_key: HasKey = no_key

    def error(self, reason: str) -> InvalidInputError:
        """The error to raise, with what the user wrote."""
        return InvalidInputError(f"cannot use {self.label} {quote(self.text)}: {reason}")

    def column(self, name: str) -> str | None:
        """The documented name that `name` means, in whatever case."""
        if name in self.columns:
            return name
        return next((each for each in self.columns if each.lower() == name.lower()), None)

    def unknown_column(self, names: list[str]) -> InvalidInputError:
        """The error to raise for a name, perhaps with fields, that is no column."""
        name = names[0]
        if len(names) == 1 and re.search(re.escape(identifier(name)), self.text):
            return self.error(
                f"no column {identifier(name)} in {self.table}; text stands in single quotes: {literal(name)}"
            )
        if "metadata" in self.columns and self.has_key(name):
            path = "metadata"
            for each in names:
                path = path_text(path, each)
            return self.error(f"no column '{name}' in {self.table}; did you mean {path}?")
        near = difflib.get_close_matches(name.lower(), self.columns, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else "."
        return self.error(f"no column '{name}' in {self.table}{hint} Columns: {', '.join(self.columns)}")


class Scope:
    """The documented columns, and the parameters of the lambdas around the place where one looks from."""

    def __init__(self, source: Source) -> None:
        self.source = source
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
        if resolved is None or kind_of_type(self.source.columns[resolved[0]]) != JSON:
            return None
        return Path(resolved[0], tuple(resolved[1:]))

    def resolve(self, names: list[str]) -> list[str] | None:
        """Column and fields that dotted `names` mean, less the table's name; None if they mean something else."""
        if names[0] in self._lambda_names:
            return None
        if self.source.column(names[0]) is None and len(names) > 1 and names[0].lower() == self.source.table.lower():
            names = names[1:]
        column = self.source.column(names[0])
        return None if column is None else [column, *names[1:]]

    def is_value(self, names: list[str]) -> bool:
        """Whether `names` are a lambda's parameter, or a value such as `current_timestamp`."""
        return names[0] in self._lambda_names or (len(names) == 1 and names[0].lower() in NOW)

    def _step(self, base: Path, key: Node) -> str | int:
        value = key["value"] if key["class"] == "CONSTANT" else None
        if value is None or value["is_null"] or value["type"]["id"] not in ("VARCHAR", "INTEGER", "BIGINT"):
            raise self.source.error(f"in brackets after {base} there must be a key in single quotes or a whole number")
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
                raise self.source.unknown_column(names)
            return kind_of_type(NOW.get(names[0].lower(), "")) if len(names) == 1 else UNKNOWN
        return kind_of_type(self.source.columns[resolved[0]]) if len(resolved) == 1 else UNKNOWN

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
