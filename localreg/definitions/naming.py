"""Which fields keys are meant for: as a definition says it by paths, or by names that models give what they return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from localreg.errors import InvalidInputError
from localreg.names import did_you_mean, shown_value
from localreg.tables import JSON_FIELD, Node

__all__ = ["BOX", "OUTLINE", "Tree", "is_box", "is_outline", "named_tree", "tree_of"]

BOX, OUTLINE = ("top_left", "bottom_right"), ("points",)
"""The fields that make an item of a list a box, or a polygon."""
OPEN = ("Keypoints", "Polyline")
"""Classes that have points, and are no outlines."""
TEXTS = ("str", "enum")
SHAPES = ("boxes", "masks")
LABELS = ("labels", "classes", "label", "class")
SCORES = ("scores", "score", "confidences", "confidence")
SCORE_FIELDS = ("score", "confidence")
KNOWN = (*SHAPES, *LABELS, *SCORES)
SINGLE = ("label", "class")
"""Names of one label, and not of many."""
ADVICE = "say in output.mapping which key becomes which field"


@dataclass
class Tree:
    """Where a field comes from.

    Attributes:
        key: of the prediction; None = its parts come from several.
        within: its parts, by name: fields of a struct or of a list's items, or the one member of a union.
    """

    key: str | None = None
    within: dict[str, Tree] = field(default_factory=dict)


def tree_of(node: Node, mapping: Mapping[str, str]) -> Tree:
    """A mapping by paths as a tree.

    Args:
        node: of inferences.
        mapping: by path, the key.

    Raises:
        InvalidInputError: a path leads to no field, or there is no path at all.
    """
    if not isinstance(mapping, Mapping) or not mapping:
        raise InvalidInputError(f"output.mapping is {shown_value(mapping)}; it must be a dict from field to key")
    root = Tree()
    for path, key in mapping.items():
        if not isinstance(path, str) or not isinstance(key, str):
            raise InvalidInputError(
                f"output.mapping says {shown_value(path)}: {shown_value(key)}; give the path of a field, and a key"
            )
        here, tree = node, root
        for name in path.split("."):
            here = _within(here, name, path, is_root=tree is root)
            tree = tree.within.setdefault(name, Tree())
        tree.key = key
    return root


def _within(node: Node, name: str, path: str, *, is_root: bool) -> Node:
    holder = node.items if node.type == "list" and node.items is not None else node
    is_member = holder.type == "union" and holder is not node
    if holder.type == "struct" or is_member:
        found = holder.field(name)
        if found is not None:
            return found
        if is_root and name == JSON_FIELD:
            return Node("json")
    known = [each.name for each in holder.fields] if holder.type == "struct" or is_member else []
    whose = node.name if is_root else repr(path.rpartition(f".{name}")[0])
    if not known:
        raise InvalidInputError(f"output.mapping names field {path!r}, and {whose} has no parts to be named; name it")
    hint = did_you_mean(name, known) or f"; there are {', '.join(known)}"
    what = "kind of items" if is_member else "field"
    raise InvalidInputError(f"output.mapping names field {path!r}, and {whose} has no {what} {name!r}{hint}")


# --- by names ---------------------------------------------------------------------------------------------------------


def named_tree(node: Node, keys: Sequence[str]) -> Tree:
    """What keys mean by their names: see `Assignment`.

    Raises:
        InvalidInputError: a key means nothing, or could mean several fields.
    """
    return _Naming(node, keys).tree()


class _Naming:
    def __init__(self, node: Node, keys: Sequence[str]) -> None:
        self._node = node
        self._names = {each.name for each in node.fields} | {JSON_FIELD}
        self._direct = [key for key in keys if key in self._names]
        self._rest = [key for key in keys if key not in self._names]
        self._keys = ", ".join(keys) or "none"

    def tree(self) -> Tree:
        if not self._rest:
            return tree_of(self._node, {key: key for key in self._direct}) if self._direct else Tree()
        self._refuse_unknown()
        shapes = [key for key in (*self._rest, *self._direct) if key in SHAPES and self._is_shape(key)]
        label, score = (self._one(names) for names in (LABELS, SCORES))
        paths = {key: key for key in self._direct if key not in (*shapes, label, score)}
        if shapes:
            for key in shapes:
                paths |= self._shaped(key, label, score)
        elif label is not None:
            paths |= self._labelled(label, score)
        elif score is not None:
            paths |= self._scored(score)
        else:
            raise self._lost(self._rest[0])
        return tree_of(self._node, paths)

    def _refuse_unknown(self) -> None:
        for key in self._rest:
            if key not in KNOWN:
                raise self._lost(key)

    def _lost(self, key: str) -> InvalidInputError:
        names = [each.name for each in self._node.fields]
        hint = did_you_mean(key, (*names, *KNOWN)) or f"; its fields are {', '.join(names)}"
        return InvalidInputError(
            f"key {key!r} of the predictions ({self._keys}) means no field of {self._node.name}{hint}; {ADVICE}"
        )

    def _is_shape(self, key: str) -> bool:
        """Whether a key is more than a field of its name: its values may be a part of items."""
        found = self._node.field(key)
        return found is None or (found.type == "list" and bool(_members(found, key)))

    def _one(self, names: Sequence[str]) -> str | None:
        """The key of labels, or of scores: one that is no field; else, if others need it, one that is.

        Raises:
            InvalidInputError: there are two.
        """
        found = [key for key in self._rest if key in names]
        if len(found) > 1:
            raise InvalidInputError(
                f"keys {found[0]!r} and {found[1]!r} of the predictions could mean the same; {ADVICE}"
            )
        direct = [key for key in self._direct if key in names and not self._stands_alone(key)]
        return found[0] if found else direct[0] if direct else None

    def _stands_alone(self, key: str) -> bool:
        """Whether the field of a key takes its values as they are, such as a text, or numbers."""
        found = self._node.field(key)
        inner = found.items if found is not None and found.type == "list" else found
        return inner is None or inner.type != "struct"

    # --- lists of shapes ------------------------------------------------------------------------------------------

    def _shaped(self, key: str, label: str | None, score: str | None) -> dict[str, str]:
        """Paths of the one list of boxes, or of polygons, or of the one mask."""
        found = [
            (f"{each.name}.{member}" if member else each.name, item)
            for each in self._node.fields
            if each.node.type == "list"
            for member, item in _members(each.node, key)
        ]
        masks = [each.name for each in self._node.fields if key == "masks" and _is_mask(each.node)]
        path = self._chosen(key, [path for path, _ in found] + masks)
        if path in masks:
            return {path: key}
        return {path: key, **self._parts(path, dict(found)[path], label, score)}

    def _chosen(self, key: str, paths: Sequence[str]) -> str:
        named = [path for path in paths if path.partition(".")[0] == key]
        if len(paths) != 1 and len(named) != 1:
            there = f"could become {' or '.join(paths)}" if paths else "means no field"
            raise InvalidInputError(f"key {key!r} of the predictions {there} of {self._node.name}; {ADVICE}")
        return (named or paths)[0]

    def _parts(self, path: str, item: Node, label: str | None, score: str | None) -> dict[str, str]:
        """Paths of labels and scores within a struct.

        Raises:
            InvalidInputError: it has no field for one of them.
        """
        parts = {}
        for key, names in ((label, ("label",)), (score, SCORE_FIELDS)):
            name = next((name for name in names if item.field(name) is not None), None)
            if key is not None and name is None:
                raise InvalidInputError(
                    f"key {key!r} of the predictions means no field: {path!r} of {self._node.name} has no {names[0]}; "
                    f"leave the key out of output.keys, or {ADVICE}"
                )
            if key is not None:
                parts[f"{path}.{name}"] = key
        return parts

    # --- labels without shapes ------------------------------------------------------------------------------------

    def _labelled(self, key: str, score: str | None) -> dict[str, str]:
        """Paths of the one list of labels, or of the one label: of both, that which the key is in the number of."""
        single = {each.name: each.node for each in self._node.fields if _is_label(each.node, each.name)}
        many = {
            each.name: each.node.items
            for each in self._node.fields
            if each.node.type == "list" and each.node.items is not None and _is_label(each.node.items, each.name)
        }
        nodes = (single or many) if key in SINGLE else (many or single)
        path = self._chosen(key, list(nodes))
        item = nodes[path]
        if item.type == "struct":
            return {f"{path}.label": key, **self._parts(path, item, None, score)}
        return {path: key, **(self._scored(score) if score is not None else {})}

    def _scored(self, key: str) -> dict[str, str]:
        """The path of the one score, a number."""
        for name in SCORE_FIELDS:
            found = self._node.field(name)
            if found is not None and found.type == "float" and name not in self._direct:
                return {name: key}
        raise self._lost(key)


def is_box(node: Node) -> bool:
    """Whether items are boxes: structs with two corners."""
    return node.type == "struct" and all(_is_point(node.field(name)) for name in BOX)


def is_outline(node: Node) -> bool:
    """Whether items are polygons: structs with points that are neither keypoints nor open lines."""
    points = node.field("points") if node.type == "struct" and node.name not in OPEN else None
    return points is not None and points.type == "list" and _is_point(points.items)


def _is_point(node: Node | None) -> bool:
    return node is not None and [each.name for each in node.fields] == ["x", "y"]


def _is_mask(node: Node) -> bool:
    """Whether a field is one mask: a struct with the locator of an image."""
    locator = node.field("locator") if node.type == "struct" else None
    return locator is not None and locator.type == "str"


def _is_label(node: Node, name: str) -> bool:
    """Whether a field is a label: a text of that name, or a struct that needs no more than a label and a score."""
    if node.type in TEXTS:
        return name in LABELS
    label = node.field("label") if node.type == "struct" else None
    if label is None or label.type not in TEXTS:
        return False
    return all(each.node.optional or each.name in ("label", *SCORE_FIELDS) for each in node.fields)


def _members(node: Node, key: str) -> list[tuple[str, Node]]:
    """What items of a list may be that a key means, each with the name of the union's member, "" for no union."""
    fits, item = (is_box if key == "boxes" else is_outline), node.items
    if item is None:
        return []
    if item.type == "union":
        found = [(each.name, each.node) for each in item.fields if fits(each.node)]
        return found if len(found) == 1 else []
    return [("", item)] if fits(item) else []
