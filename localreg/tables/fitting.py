"""Columns of any origin → columns of a recorded schema, whole arrays at a time.

What users bring (Arrow, pandas, Polars, files) has types of its own: 32-bit numbers, large strings, dictionaries,
lists where a tuple is wanted. `fit` takes every type that can say exactly what the schema's can, value by value where
that depends on the value, and tells which values it cannot take. Nothing is changed on the way: what its column could
not give back is a fault.

Within a struct, a plain value stands for a struct with one required field: `"cat"` for `Label(label="cat")`.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast

from localreg.errors import InvalidInputError
from localreg.tables.codecs import codec_of
from localreg.tables.fitting_containers import CONTAINERS
from localreg.tables.fitting_place import Fitting, Place, either, note, note_missing, nulls_of, refused
from localreg.tables.fitting_plain import PLAIN, decoded
from localreg.tables.hints import hints_of, is_dataclass_type, peeled
from localreg.tables.schema import Node, arrow_type, described

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Fitting", "fit"]


def fit(column: pa.Array, node: Node, path: str, found: Fitting, *, hint: Any = None) -> pa.Array:
    """A column as the schema has it; where a value does not fit, a fault is noted, and null stands there.

    Args:
        column: any Arrow array that is valid (`validate(full=True)`); one row for each value.
        node: what it is to be.
        path: of the column, for messages.
        found: where faults go.
        hint: the Python type of the values, whose defaults stand for what is not given; None = unknown.

    Raises:
        InvalidInputError: the column's type can say nothing that the schema's can.
    """
    return _fit(column, node, Place(path, hint, lambda positions: positions), found)


def _fit(column: pa.Array, node: Node, place: Place, found: Fitting) -> pa.Array:
    import pyarrow as pa

    column = decoded(column)
    if column.null_count == len(column):  # whatever its type
        column = pa.nulls(len(column), arrow_type(node))
        note_missing(column, node, place, found)
        return column
    note_missing(column, node, place, found)
    if node.type in PLAIN:
        made, bad, wanted = PLAIN[node.type](column, node, place.path)
        if bad is not None:
            note(column, bad, place, found, wanted)
        return made
    if node.type == "struct":
        return _struct(column, node, place, found)
    return CONTAINERS[node.type](column, node, place, found, _fit)


def _struct(column: pa.Array, node: Node, place: Place, found: Fitting) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    cls = peeled(place.hint)[0] if place.hint is not None else None
    fields = _Fields(node, cls)
    null = nulls_of(column)
    if not pa.types.is_struct(column.type):
        only = fields.only_required()
        if not node.fields and pa.types.is_boolean(column.type):
            return pc.if_else(column, True, None)
        if only is None or pa.types.is_map(column.type):
            wanted = ", ".join(field.name for field in node.fields if fields.is_needed(field.name))
            raise refused(column, node, place.path, f"; give a struct of {wanted}, or a column for each")
        column = pa.StructArray.from_arrays([column], [only])
    if not node.fields:
        return pc.if_else(column.is_valid(), True, None) if null is None else pc.if_else(null, None, True)
    given = {field.name for field in column.type}
    found.unknown |= {f"{place.path}.{name}" for name in given - {field.name for field in node.fields}}
    absent = either(place.absent, null)
    children = []
    for field in node.fields:
        inner = place.within(
            f".{field.name}", fields.hint(field.name), absent=absent, needed=fields.is_needed(field.name)
        )
        if field.name in given:
            children.append(fields.defaulted(field.name, _fit(column.field(field.name), field.node, inner, found)))
        else:
            children.append(fields.default(field.name, len(column), inner.path))
    return pa.StructArray.from_arrays(children, fields=list(arrow_type(node)), mask=null)


class _Fields:
    """The fields of a struct, and what stands for those that are not given."""

    def __init__(self, node: Node, cls: Any) -> None:
        self._node = node
        self._declared = {each.name: each for each in dataclasses.fields(cls)} if is_dataclass_type(cls) else None
        self._hints = hints_of(cls) if is_dataclass_type(cls) else {}

    def hint(self, name: str) -> Any:
        return self._hints.get(name)

    def is_needed(self, name: str) -> bool:
        """Whether a value must be given: a field that the class does not know may always be null."""
        return self._declared is None or (name in self._declared and not self._has_default(name))

    def _has_default(self, name: str) -> bool:
        field = None if self._declared is None else self._declared.get(name)
        missing = dataclasses.MISSING
        return field is not None and (field.default is not missing or field.default_factory is not missing)

    def only_required(self) -> str | None:
        """The field that a plain value stands for; None unless exactly one is required."""
        names = [each.name for each in self._node.fields if not each.node.optional and self.is_needed(each.name)]
        return names[0] if len(names) == 1 else None

    def default(self, name: str, count: int, path: str) -> pa.Array:
        """What stands for a field that no row gives.

        Raises:
            InvalidInputError: it must be given.
        """
        import pyarrow as pa

        node = self._node.field(name)
        assert node is not None, "it is one of the fields"
        if not self._has_default(name):
            if not node.optional and self.is_needed(name):
                raise InvalidInputError(f"{path} is not given; it must be {described(node)}")
            return pa.nulls(count, arrow_type(node))
        return self._made(name).take(pa.array([0] * count, pa.int32()))

    def defaulted(self, name: str, column: pa.Array) -> pa.Array:
        """A field that some rows give."""
        node = self._node.field(name)
        assert node is not None, "it is one of the fields"
        if not column.null_count or node.optional or not self._has_default(name):
            return column
        import pyarrow as pa
        import pyarrow.compute as pc

        return pa.concat_arrays([column, self._made(name)]).take(
            pc.if_else(column.is_valid(), pa.array(range(len(column)), pa.int64()), len(column))
        )

    def _made(self, name: str) -> pa.Array:
        """The default as a column of one."""
        field, node = cast(Any, self._declared)[name], self._node.field(name)
        value = field.default if field.default is not dataclasses.MISSING else field.default_factory()
        return codec_of(cast(Node, node), self._hints[name]).encode([value], name, 1)
