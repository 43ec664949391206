"""Batches of a table → rows of a part, with the rows that cannot be stored told apart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError
from localreg.tables import VECTORS, Fitting, Node, fit, split_vectors
from localreg.workflow.bulk.columns import Leaf, PartColumns, Tree
from localreg.workflow.bulk.csv_kinds import as_kind
from localreg.workflow.bulk.json_text import json_objects, objects_of_columns
from localreg.workflow.bulk.source import Source
from localreg.workflow.bulk.texts import Texts
from localreg.workflow.checking import impossible_values

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Fitter"]


class Fitter:
    """Makes the typed columns of one part of batches.

    Args:
        columns: of the part.
        source: the table.
    """

    def __init__(self, columns: PartColumns, source: Source) -> None:
        self._columns = columns
        self._source = source
        self._texts = Texts() if source.is_text or source.json else None

    @property
    def names(self) -> list[str]:
        """The columns that are read."""
        return self._columns.names()

    def struct(self, batch: pa.Table, found: Fitting, node: Node | None = None) -> pa.Array:
        """The struct column, with its vectors, as the schema has it.

        Args:
            batch: rows of the table.
            found: where faults go.
            node: fewer fields than the part has.

        Raises:
            InvalidInputError: a column is of a type that its field cannot take, or a required one is missing.
        """
        columns, typed = self._columns, self._columns.typed
        node = node or typed.node
        if columns.part == "inference" and any(not field.node.optional for field in node.fields):
            node = replace(node, optional=True)  # a row without any value is a sample that the model skipped
        given = self._given(batch, node, found)
        try:
            return fit(given, node, columns.part, found, hint=typed.hint)
        except InvalidInputError as error:
            names = ", ".join(self._source.schema.names[:20])
            raise InvalidInputError(f"{error}; the columns are {names}, and columns= says which holds what") from error

    def table(self, batch: pa.Table, found: Fitting) -> pa.Table:
        """The columns that `TypedColumn.table` makes of objects: the struct column, vectors, `metadata` and `extra`.

        Null stands where a row is to be left out.
        """
        import pyarrow as pa

        typed = self._columns.typed
        column = self.struct(batch, found)
        found.faults += impossible_values(column, typed.node, typed.hint, typed.name)
        column, vectors = split_vectors(column, typed.node)
        made = {typed.name: column}
        if vectors is not None:
            made[VECTORS] = vectors
        for name, columns in self._columns.said.items():
            texts = self._said(batch, name, columns, found)
            if texts.null_count < len(texts):
                made[name] = texts
        return pa.table(made)

    def _said(self, batch: pa.Table, name: str, columns: Leaf | dict[str, str], found: Fitting) -> pa.Array:
        if isinstance(columns, Leaf):
            return json_objects(_combined(batch[columns.name]), f"{self._columns.part}.{name}", found)
        values = {key: self._value(batch, column) for key, column in columns.items()}
        return objects_of_columns(values, batch.num_rows, f"{self._columns.part}.{name}", found)

    def _value(self, batch: pa.Table, name: str) -> pa.Array:
        column, kind = _combined(batch[name]), self._source.kinds.get(name)
        return column if kind is None else as_kind(column, kind)

    def _given(self, batch: pa.Table, node: Node, found: Fitting) -> pa.Array:
        """The part as the table has it: a struct of its columns; where it may be null, it is if all of them are."""
        columns = self._columns
        if columns.whole is not None:
            return self._leaf(batch, columns.whole, node, columns.part, found)
        return self._tree(batch, columns.tree, node, columns.part, found)[0]

    def _tree(
        self, batch: pa.Table, tree: Tree, node: Node, path: str, found: Fitting
    ) -> tuple[pa.Array, pa.Array | None]:
        """The struct of some columns; and where none of them has a value, None if there are no columns."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not tree:
            return pa.array([{}] * batch.num_rows, pa.struct([])), None
        children, null = [], None
        for name, each in tree.items():
            inner = node.field(name)
            assert inner is not None, "columns were matched to fields"
            if isinstance(each, Leaf):
                child = self._leaf(batch, each.name, inner, f"{path}.{name}", found)
                nothing = child.is_null()
            else:
                child, nothing = self._tree(batch, each, inner, f"{path}.{name}", found)
            children.append(child)
            null = nothing if null is None else pc.and_(null, nothing)
        is_masked = node.optional and null is not None and null.true_count
        return pa.StructArray.from_arrays(children, list(tree), mask=null if is_masked else None), null

    def _leaf(self, batch: pa.Table, name: str, node: Node, path: str, found: Fitting) -> pa.Array:
        column = _combined(batch[name])
        if self._texts is None:
            return column
        if name in self._source.json:
            return self._texts.of_json(column, node, path, found)
        return self._texts.read(column, node, path, found) if self._source.is_text else column


def _combined(column: Any) -> pa.Array:
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return column
