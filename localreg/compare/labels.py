"""From a workflow's recorded types to the label that decides what is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.tables import Node

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["label_path", "labels"]


def label_path(node: Node, what: str) -> tuple[str, ...]:
    """Where the one label of a type stands: a field that has a `label`, else the one field that is text.

    Raises:
        InvalidInputError: there is none, or more than one.
    """
    annotated = [(field.name, "label") for field in node.fields if _has_label(field.node)]
    texts = [(field.name,) for field in node.fields if field.node.type == "str"]
    candidates: list[tuple[str, ...]] = [*annotated] or [*texts]
    if len(candidates) != 1:
        found = ", ".join(path[0] for path in candidates) or "none"
        raise InvalidInputError(
            f"{what} {node.name!r} does not say what is right: one field with a label is needed, and there is {found}; "
            "compare models of a workflow whose types have one label each"
        )
    return candidates[0]


def _has_label(node: Node) -> bool:
    return node.type == "struct" and any(field.name == "label" and field.node.type == "str" for field in node.fields)


def labels(column: pa.ChunkedArray, path: tuple[str, ...]) -> pa.Array:
    """The labels in a struct column, as text; null where there is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return pc.struct_field(array, list(path))
