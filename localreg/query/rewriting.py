"""The walk over a parsed expression: every node is checked, every path gets its type.

What is not known to be harmless is refused: node classes and operators go by what may be. A function must be one that
DuckDB computes from one row, and none of those that do more than compute (`allowed.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from localreg.query.allowed import OPERATORS, allowed_function
from localreg.query.json_paths import Path, read, reads_whole_number
from localreg.query.kinds import (
    BOOLEAN,
    DOUBLE,
    JSON,
    NUMBER,
    OPEN,
    RAW,
    TEXT,
    UNKNOWN,
    WHOLE,
    Family,
    Kind,
    arithmetic_operand,
    common_kind,
    kind_of_type_node,
    parameter_kind,
)
from localreg.query.quoting import literal
from localreg.query.scope import ARITHMETIC, TEXT_OPERATORS, Scope, alternatives, unchained
from localreg.query.syntax import (
    FunctionInfo,
    Node,
    call,
    cast,
    column_ref,
    operator,
    text_constant,
    walk,
    when,
)
from localreg.query.user_text import UserText

__all__ = ["TOO_DEEP", "Rewriter"]

MAX_DEPTH = 100
"""How deep an expression may be nested. Chains of AND and OR are flat, so that no sane text comes near."""
MAX_STEPS = 200_000
"""How many nodes are written. Some are written twice, so that nesting alone could double the work at each level."""

TOO_DEEP = "it is nested too deeply; write it flatter"

_REFUSED_CLASSES = {
    "SUBQUERY": "it holds a subquery, which only `registry.sql` takes",
    "WINDOW": "it holds a window function, which only `registry.sql` takes",
    "STAR": "`*` and COLUMNS() stand for many columns; name one",
    "PARAMETER": "it has parameters (?, $1); put the values in",
    "POSITIONAL_REFERENCE": "it names a column by its position (#1); use its name",
    "DEFAULT": "DEFAULT is no value here",
}
_ARROW = "`->` is read as a function here; write a path with dots, such as metadata.key"
_CONTAINS = frozenset({"contains", "list_contains", "list_has", "array_contains", "array_has"})
_ALIKE = frozenset({"greatest", "least", "nullif", "list_value"})
"""Functions whose arguments are of one type."""

_EQUALITIES = frozenset({"COMPARE_EQUAL", "COMPARE_NOTEQUAL", "COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM"})


class Rewriter:
    """One walk over the tree of one text; checks every node and gives every path its type."""

    def __init__(self, written: UserText) -> None:
        self._written = written
        self._depth = 0
        self._steps = 0
        self._scope = Scope(written)

    def condition(self, node: Node) -> Node:
        """A boolean expression."""
        self._refuse(node)
        return self._rewrite(node, BOOLEAN)

    def order_expressions(self, node: Node) -> list[Node]:
        """The keys to order by for one that the user wrote."""
        self._refuse(node)
        if node["class"] == "CONSTANT":
            raise self._written.error("a constant orders nothing, and positions are not taken; name a column")
        if self._scope.kind(node) != OPEN:
            self._refuse_sign(node)
            return [self._rewrite(node)]
        return [self._rewrite(node, NUMBER), self._rewrite(node, Kind(Family.ANY_TEXT))]

    def _refuse_sign(self, node: Node) -> None:
        """`-created_at`: elsewhere the way to turn an order round, here arithmetic, which only numbers have."""
        if node["class"] != "FUNCTION" or node["function_name"] not in ("-", "+") or len(node["children"]) != 1:
            return
        column = node["children"][0]
        numbers = (Family.NUMBER, Family.WHOLE, Family.OPEN)
        if column["class"] == "COLUMN_REF" and self._scope.kind(column).family not in numbers:
            direction = "DESC" if node["function_name"] == "-" else "ASC"
            raise self._written.error(
                f"a sign gives no direction; write {'.'.join(column['column_names'])} {direction}"
            )

    def facet(self, node: Node) -> tuple[Node, Kind]:
        """An expression to count by, and its kind; a path gives the JSON that stands there."""
        self._refuse(node)
        if node["class"] == "CONSTANT":
            raise self._written.error("a constant is the same for every row; name a column")
        kind = self._scope.kind(node)
        return (self._rewrite(node, JSON), JSON) if kind == OPEN else (self._rewrite(node), kind)

    def _refuse(self, root: Node) -> None:
        """Refuses what may stand nowhere, before anything else is said about the expression."""
        for node in walk(root):
            reason = _REFUSED_CLASSES.get(node.get("class", ""))
            if reason:
                raise self._written.error(reason)

    def _rewrite(self, node: Node, want: Kind | None = None) -> Node:
        """`node` with its paths read; `want` is the kind that the place asks for, if it asks for one."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._written.error(TOO_DEEP)
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise self._written.error("it is too large; split it, or use `registry.sql`")
        try:
            return self._dispatch(node, want)
        finally:
            self._depth -= 1

    def _dispatch(self, node: Node, want: Kind | None) -> Node:
        path = self._scope.path(node)
        if path is not None:
            return column_ref(path.column) if not path.steps else self._read(path, want)
        rewriters = {
            "COLUMN_REF": self._column,
            "CONSTANT": self._constant,
            "COMPARISON": self._comparison,
            "BETWEEN": self._between,
            "CONJUNCTION": self._conjunction,
            "OPERATOR": self._operator,
            "FUNCTION": self._function,
            "CAST": self._cast,
            "CASE": self._case,
            "COLLATE": self._collate,
        }
        rewriter = rewriters.get(node["class"])
        if rewriter is None:
            reason = _ARROW if node["class"] == "LAMBDA" else f"{_words(node['class'])} has no place in it"
            raise self._written.error(reason)
        return rewriter(node, want)

    def _all(self, nodes: Iterable[Node], want: Kind | None) -> list[Node]:
        return [self._rewrite(each, want) for each in nodes]

    def _read(self, path: Path, want: Kind | None) -> Node:
        if want is None or want.family in (Family.OPEN, Family.UNKNOWN, Family.NULL):
            raise self._written.error(
                f"nothing tells the type of {path} here; say it, such as {path}::DOUBLE or {path}::VARCHAR"
            )
        return read(path, want)

    # Columns and paths

    def _column(self, node: Node, want: Kind | None) -> Node:
        names = node["column_names"]
        resolved = self._scope.resolve(names)
        if resolved is None:
            if self._scope.is_value(names):
                return node
            raise self._written.unknown_column(names)
        column, *fields = resolved
        type_name = self._written.columns[column]
        if fields and not type_name.upper().startswith(("STRUCT", "MAP", "UNION")):
            raise self._written.error(f"'{column}' is {type_name}, not JSON: there is no '{'.'.join(fields)}' in it")
        return column_ref(*resolved)

    # Values and comparisons

    def _constant(self, node: Node, want: Kind | None) -> Node:
        """The constant; as DOUBLE by its digits where it meets a DOUBLE.

        DuckDB turns a DECIMAL such as 0.12345678901234567 into another DOUBLE than the same digits in JSON.
        """
        value = node["value"]
        if value["type"]["id"] == "DOUBLE" and value["value"] in (float("inf"), float("-inf")):
            raise self._written.error("it holds a number beyond the range of DOUBLE")
        element = want.element if want is not None and want.family is Family.LIST else want
        if value["type"]["id"] != "DECIMAL" or element is None or element.family not in (Family.NUMBER, Family.WHOLE):
            return node
        return cast(text_constant(_decimal_digits(value)), "DOUBLE", safe=False)

    def _comparison(self, node: Node, want: Kind | None) -> Node:
        tested = self._tested_for_truth(node)
        if tested is not None:
            return {**node, "left": self._rewrite(tested, BOOLEAN)}
        ordered = node["type"] not in _EQUALITIES
        return self._compare([node["left"], node["right"]], ordered, lambda o: {**node, "left": o[0], "right": o[1]})

    def _tested_for_truth(self, node: Node) -> Node | None:
        """The `x` of `x IS [NOT] TRUE`, which DuckDB parses as a cast and a constant that no user can write."""
        left, right = node["left"], node["right"]
        is_constant = right["class"] == "CONSTANT" and right["value"]["type"]["id"] == "BOOLEAN"
        if is_constant and left["class"] == "CAST" and self._scope.kind(left["child"]) == OPEN:
            child: Node = left["child"]
            return child
        return None

    def _between(self, node: Node, want: Kind | None) -> Node:
        names = ("input", "lower", "upper")
        return self._compare([node[n] for n in names], True, lambda o: {**node, **dict(zip(names, o, strict=True))})

    def _compare(self, operands: list[Node], ordered: bool, build: Callable[[list[Node]], Node]) -> Node:
        """`build(operands)`, all read as the kind that they have in common."""
        kinds = [self._scope.kind(each) for each in operands]
        self._refuse_list_beside_text(operands, kinds)
        target = self._common(kinds, otherwise=NUMBER if ordered else RAW)
        if OPEN in kinds and target == WHOLE:
            return self._compare_exactly(operands, kinds, build)
        meets_double = OPEN in kinds or DOUBLE in kinds
        return build(self._all(operands, target if meets_double else None))

    def _refuse_list_beside_text(self, operands: list[Node], kinds: list[Kind]) -> None:
        """`tags = 'svm'`; but not `tags = '[svm]'`, which DuckDB takes for a list."""
        for column in (each for each, kind in zip(operands, kinds, strict=True) if kind.family is Family.LIST):
            for other in operands:
                value = (
                    other["value"]["value"] if other["class"] == "CONSTANT" and not other["value"]["is_null"] else ""
                )
                if column["class"] == "COLUMN_REF" and isinstance(value, str) and value and value[0] != "[":
                    name = column["column_names"][-1]
                    raise self._written.error(f"'{name}' is a list; write {literal(value)} IN {name}")

    def _compare_exactly(self, operands: list[Node], kinds: list[Kind], build: Callable[[list[Node]], Node]) -> Node:
        """The comparison with a whole number of any size: by HUGEINT where the JSON is one, too, else by DOUBLE.

        HUGEINT alone would round 0.9 to 1, DOUBLE alone takes 2**53 + 1 for 2**53.
        """
        opened = [each for each, kind in zip(operands, kinds, strict=True) if kind == OPEN]
        whole = [reads_whole_number(path) for each in opened for path in self._scope.open_paths(each)]
        every = {"class": "CONJUNCTION", "type": "CONJUNCTION_AND", "children": whole}
        condition = whole[0] if len(whole) == 1 else every
        exact = build(self._all(operands, WHOLE))
        return when((condition, exact), otherwise=build(self._all(operands, DOUBLE)))

    def _conjunction(self, node: Node, want: Kind | None) -> Node:
        return {**node, "children": self._all(node["children"], BOOLEAN)}

    def _operator(self, node: Node, want: Kind | None) -> Node:
        kind, children = node["type"], node["children"]
        if kind not in OPERATORS:
            raise self._written.error(f"{_words(kind)} has no place in it")
        if kind in ("COMPARE_IN", "COMPARE_NOT_IN"):
            return self._compare(children, False, lambda operands: {**node, "children": operands})
        if kind in ("OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL"):
            want = RAW
        elif kind == "OPERATOR_NOT":
            want = BOOLEAN
        elif kind == "OPERATOR_COALESCE":
            want = self._agreed([self._scope.kind(each) for each in children], want)
        elif kind in ("ARRAY_EXTRACT", "ARRAY_SLICE", "STRUCT_EXTRACT"):
            self._refuse_slices(children[0])
            return {**node, "children": self._all(children, None)}
        return {**node, "children": self._all(children, want)}

    def _refuse_slices(self, base: Node) -> None:
        path = self._scope.path(base)
        if path is not None:
            raise self._written.error(f"a slice of {path} is not taken; name one element, such as {path}[0]")

    def _case(self, node: Node, want: Kind | None) -> Node:
        results = self._agreed([self._scope.kind(each) for each in alternatives(node)], want)
        checks = [
            {
                **check,
                "when_expr": self._rewrite(check["when_expr"], BOOLEAN),
                "then_expr": self._rewrite(check["then_expr"], results),
            }
            for check in node["case_checks"]
        ]
        return {**node, "case_checks": checks, "else_expr": self._rewrite(node["else_expr"], results)}

    def _cast(self, node: Node, want: Kind | None) -> Node:
        """The cast; of a path, one that gives NULL where it fails."""
        child = node["child"]
        if self._scope.kind(child) != OPEN:
            return {**node, "child": self._rewrite(child)}
        family = kind_of_type_node(node["cast_type"]).family
        if family is Family.JSON:
            return self._rewrite(child, JSON)
        nested = family in (Family.LIST, Family.UNKNOWN)
        return {**node, "child": self._rewrite(child, JSON if nested else Kind(Family.ANY_TEXT)), "try_cast": True}

    def _collate(self, node: Node, want: Kind | None) -> Node:
        return {**node, "child": self._rewrite(node["child"], TEXT)}

    # Functions

    def _function(self, node: Node, want: Kind | None) -> Node:
        node = unchained(node)
        if node.get("filter") or node.get("distinct") or node.get("order_bys", {}).get("orders"):
            raise self._written.error("FILTER, DISTINCT and ORDER BY inside a function are for aggregates")
        name, arguments = node["function_name"].lower(), node["children"]
        kinds = [self._scope.kind(each) for each in arguments]
        if name in ARITHMETIC:
            meets_double = OPEN in kinds or DOUBLE in kinds
            return {**node, "children": self._all(arguments, arithmetic_operand(kinds) if meets_double else None)}
        if name in TEXT_OPERATORS:
            return {**node, "children": self._all(arguments, TEXT)}
        info = allowed_function(name, self._written)
        if name in _ALIKE:
            element = want.element if want is not None and name == "list_value" else want
            return {**node, "children": self._all(arguments, self._agreed(kinds, element))}
        if name in _CONTAINS and len(arguments) == 2:
            return self._contains(node, kinds)
        if any(each["class"] == "LAMBDA" for each in arguments):
            return {**node, "children": self._with_lambdas(name, arguments, info)}
        return {**node, "children": self._by_parameters(name, arguments, info, kinds)}

    def _by_parameters(self, name: str, arguments: list[Node], info: FunctionInfo, kinds: list[Kind]) -> list[Node]:
        """The arguments, those with paths as the function's parameters ask for."""
        rewritten = []
        for position, (argument, kind) in enumerate(zip(arguments, kinds, strict=True)):
            holds_path = kind == OPEN or kind.family is Family.LIST
            rewritten.append(
                self._rewrite(argument, parameter_kind(name, info, position, kinds) if holds_path else None)
            )
        return rewritten

    def _contains(self, node: Node, kinds: list[Kind]) -> Node:
        """`x IN list` and `contains(text, part)`: with a path on the left, the JSON decides which of the two."""
        haystack, needle = node["children"]
        path = self._scope.path(haystack)
        if path is None or not path.steps:
            element = (kinds[0].element or UNKNOWN) if kinds[0].family is Family.LIST else TEXT
            element = _inexact(kinds[1] if element == OPEN else element)
            return {
                **node,
                "children": [
                    self._rewrite(haystack, Kind(Family.LIST, element=element)),
                    self._rewrite(needle, element),
                ],
            }
        want = RAW if kinds[1] == OPEN else _inexact(kinds[1])
        if want.family is Family.UNKNOWN:
            raise self._written.error(f"nothing tells the type to look for in {path}; cast what stands before IN")
        value = self._rewrite(needle, want)
        inside = call("list_contains", read(path, Kind(Family.LIST, element=want)), value)
        if node["function_name"].lower() != "contains" or want != TEXT:
            return inside
        return operator("OPERATOR_COALESCE", inside, call("contains", read(path, TEXT), value))

    def _with_lambdas(self, name: str, arguments: list[Node], info: FunctionInfo) -> list[Node]:
        if not any("LAMBDA" in parameters for parameters in info.parameters):
            raise self._written.error(_ARROW)
        result = BOOLEAN if "filter" in name else None
        values = Kind(Family.LIST, element=TEXT)
        return [self._lambda(a, result) if a["class"] == "LAMBDA" else self._rewrite(a, values) for a in arguments]

    def _lambda(self, node: Node, result: Kind | None) -> Node:
        heads = node["lhs"]["children"] if node["lhs"]["class"] == "FUNCTION" else [node["lhs"]]
        if any(head["class"] != "COLUMN_REF" or len(head["column_names"]) != 1 for head in heads):
            raise self._written.error(_ARROW)
        with self._scope.inside_lambda([head["column_names"][0] for head in heads]):
            return {**node, "expr": self._rewrite(node["expr"], result)}

    def _agreed(self, kinds: list[Kind], want: Kind | None) -> Kind | None:
        """What the alternatives of one expression are read as; `want` is what its place asks for."""
        if OPEN in kinds or DOUBLE in kinds:
            chosen = self._common(kinds, otherwise=want or UNKNOWN)
            return DOUBLE if chosen == WHOLE and WHOLE in kinds else chosen
        return want

    def _common(self, kinds: list[Kind], *, otherwise: Kind) -> Kind:
        chosen = common_kind(kinds, otherwise=otherwise)
        if chosen is None:
            raise self._written.error("a path meets values of several types; compare with each of them, joined by OR")
        return chosen


def _words(kind: str) -> str:
    """DuckDB's name of a kind of node, to be read."""
    return kind.lower().replace("_", " ")


def _inexact(kind: Kind) -> Kind:
    """DOUBLE for whole numbers, where nothing sees to it that only whole numbers are read as such."""
    return DOUBLE if kind == WHOLE else kind


def _decimal_digits(value: Node) -> str:
    """The digits of a DECIMAL constant, which DuckDB gives as a whole number and a scale."""
    unscaled = value["value"]
    if isinstance(unscaled, dict):
        unscaled = (unscaled["upper"] << 64) + unscaled["lower"]
    return format(Decimal(f"{unscaled}e-{value['type']['type_info']['scale']}"), "f")
