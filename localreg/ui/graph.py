"""What came of what, as a drawing: things in columns from the data to the test runs, and arrows between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from localreg.html.markup import Markup, cut, joined, tag
from localreg.names import amount

__all__ = ["Graph", "graph"]

WIDTH, HEIGHT = 172, 44
"""Of a box, in pixels."""
GAP, ROOM = 84, 14
"""Between columns, which holds the word on an arrow; between rows."""
MOST = 40
"""Boxes in a column; a list below the drawing has the others."""
SHOWN = 22
"""Characters of a name in a box."""


class Node(NamedTuple):
    """A box."""

    kind: str
    id: str
    name: str
    column: int


class Graph(NamedTuple):
    """The drawing, and the same as rows."""

    drawing: Markup | None
    rows: list[Mapping[str, Any]]
    left_out: str
    """What the drawing has no room for; "" = nothing."""


def graph(edges: Iterable[Mapping[str, Any]], address: Callable[[str, str], str | None]) -> Graph:
    """A drawing of rows as `lineage()` gives them; of several things' one after the other, too.

    Args:
        edges: with `depth`, `source_kind`, `source_id`, `source`, `relation` and the same of the target.
        address: of a thing's page, by its kind and id.
    """
    rows = list({(each["source_id"], each["target_id"], each["relation"]): each for each in edges}.values())
    nodes = _nodes(rows)
    if not nodes:
        return Graph(None, [], "")
    columns: dict[int, list[Node]] = defaultdict(list)
    for node in nodes.values():
        columns[node.column].append(node)
    ordered = _ordered(columns, rows)
    drawn = {node.id: place for node, place in _places(ordered).items()}
    seen = [each for each in rows if each["source_id"] in drawn and each["target_id"] in drawn]
    lines = [_arrow(drawn[each["source_id"]], drawn[each["target_id"]]) for each in seen]
    # The word stands where arrows begin, once for all that say the same.
    words = {(each["source_id"], each["relation"]): drawn[each["source_id"]] for each in seen}
    lines += [_word(relation, place) for (_, relation), place in words.items()]
    boxes = [_box(node, drawn[node.id], address(node.kind, node.id)) for node in nodes.values() if node.id in drawn]
    width = len(ordered) * (WIDTH + GAP) - GAP
    height = max(min(len(each), MOST) for each in ordered) * (HEIGHT + ROOM) - ROOM
    drawing = tag(
        "svg",
        *lines,
        *boxes,
        viewBox=f"-2 -2 {width + 4} {height + 4}",
        width=width + 4,
        height=height + 4,
        class_="lineage",
        role="img",
        aria_label=f"lineage of {amount(len(nodes), 'thing')}; the table below has the same",
    )
    missing = len(nodes) - len(drawn)
    return Graph(drawing, rows, f"{missing:,} more are in the table alone" if missing else "")


def _nodes(rows: Sequence[Mapping[str, Any]]) -> dict[str, Node]:
    """Boxes by id, each in the column that its first edge tells."""
    found: dict[str, Node] = {}
    for each in sorted(rows, key=lambda row: abs(row["depth"])):
        depth = each["depth"]
        source, target = (depth, depth + 1) if depth < 0 else (depth - 1, depth)
        for side, column in (("source", source), ("target", target)):
            id = each[f"{side}_id"]
            found.setdefault(id, Node(each[f"{side}_kind"], id, each[side] or "", column))
    return found


def _ordered(columns: Mapping[int, list[Node]], rows: Sequence[Mapping[str, Any]]) -> list[list[Node]]:
    """Columns from left to right; within one, things stand where those do that they came of."""
    sources: dict[str, list[str]] = defaultdict(list)
    for each in rows:
        sources[each["target_id"]].append(each["source_id"])
    place: dict[str, float] = {}
    ordered = []
    for number in sorted(columns):
        column = sorted(columns[number], key=lambda node: (_middle(sources[node.id], place), node.kind, node.name))
        place |= {node.id: float(row) for row, node in enumerate(column)}
        ordered.append(column)
    return ordered


def _middle(ids: Sequence[str], place: Mapping[str, float]) -> float:
    known = [place[id] for id in ids if id in place]
    return sum(known) / len(known) if known else float("inf")


def _places(ordered: Sequence[Sequence[Node]]) -> dict[Node, tuple[float, float]]:
    """Upper left corners of the boxes; columns stand around one middle."""
    tallest = max(min(len(each), MOST) for each in ordered)
    return {
        node: (
            number * (WIDTH + GAP),
            (row + (tallest - min(len(column), MOST)) / 2) * (HEIGHT + ROOM),
        )
        for number, column in enumerate(ordered)
        for row, node in enumerate(column[:MOST])
    }


def _word(relation: str, place: tuple[float, float]) -> Markup:
    return tag("text", relation, x=place[0] + WIDTH + 5, y=place[1] + HEIGHT / 2 - 5, class_="relation")


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> Markup:
    x, y = start[0] + WIDTH, start[1] + HEIGHT / 2
    to_x, to_y = end[0], end[1] + HEIGHT / 2
    bend = max(24.0, (to_x - x) / 2)
    path = f"M{x:g} {y:g}C{x + bend:g} {y:g} {to_x - bend:g} {to_y:g} {to_x - 5:g} {to_y:g}"
    head = f"M{to_x - 7:g} {to_y - 4:g}L{to_x:g} {to_y:g}L{to_x - 7:g} {to_y + 4:g}z"
    return joined(tag("path", d=path, class_="arrow"), tag("path", d=head, class_="head"))


def _box(node: Node, place: tuple[float, float], address: str | None) -> Markup:
    x, y = place
    told = f"{node.kind.replace('_', ' ')} {node.name}"
    content = [
        tag("title", told),
        tag("rect", x=x, y=y, width=WIDTH, height=HEIGHT, rx=6, class_="here" if node.column == 0 else None),
        tag("text", node.kind.replace("_", " "), x=x + 10, y=y + 16, class_="kind"),
        tag("text", cut(node.name, SHOWN), x=x + 10, y=y + 33),
    ]
    return tag("g", *content) if address is None else tag("a", *content, href=address)
