"""From a workflow's recorded types to the label that decides what is right, and the score that stands with it."""

from __future__ import annotations

from typing import NamedTuple

from localreg.errors import InvalidInputError
from localreg.tables import Node

__all__ = ["LabelPath", "label_path"]

TEXTS = ("str", "enum")


class LabelPath(NamedTuple):
    """Where the one label of a type stands, and its score.

    Attributes:
        label: names of fields, from the outside.
        score: the same of the score; None = there is none.
    """

    label: tuple[str, ...]
    score: tuple[str, ...] | None


def label_path(node: Node, what: str) -> LabelPath:
    """Where the one label of a type stands: a field that has a `label`, else the one field that is text.

    Raises:
        InvalidInputError: there is none, or more than one.
    """
    annotated = [
        LabelPath((field.name, "label"), (field.name, "score") if _kind(field.node, "score") == "float" else None)
        for field in node.fields
        if field.node.type == "struct" and _kind(field.node, "label") in TEXTS
    ]
    scores = [(field.name,) for field in node.fields if field.name == "score" and field.node.type == "float"]
    texts = [LabelPath((field.name,), scores[0] if scores else None) for field in node.fields if _is_text(field.node)]
    candidates = annotated or texts
    if len(candidates) != 1:
        found = ", ".join(path.label[0] for path in candidates) or "none"
        raise InvalidInputError(
            f"{what} {node.name!r} does not say what is right: one field with a label is needed, and there is {found}; "
            "compare models of a workflow whose types have one label each, or name the metrics of an evaluator"
        )
    return candidates[0]


def _is_text(node: Node) -> bool:
    return node.type in TEXTS


def _kind(node: Node, name: str) -> str | None:
    return next((field.node.type for field in node.fields if field.name == name), None)
