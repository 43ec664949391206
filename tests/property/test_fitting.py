"""Columns of any origin become the columns that a schema asks for, or tell what they cannot take."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from localreg.tables import Fitting, StructCodec, fit, schema_of, struct_column
from tests.generated_types import Kind, classes

QUICKLY = [Phase.explicit, Phase.generate]


def widely(kind: pa.DataType) -> pa.DataType:
    """A type as another library has it."""
    if pa.types.is_string(kind):
        return pa.large_string()
    if pa.types.is_binary(kind):
        return pa.large_binary()
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, widely(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.large_list(widely(kind.value_type))
    if pa.types.is_dictionary(kind):
        return kind.value_type
    return kind


def given_column(kind: Kind, data: st.DataObject) -> tuple[StructCodec, pa.Array]:
    codec = StructCodec(schema_of(kind.hint), kind.hint)
    values = data.draw(st.lists(kind.values, max_size=4))
    return codec, struct_column(values, codec, what="value")


@given(classes(numpy=False), st.data())
@settings(max_examples=300, phases=QUICKLY)
def test_what_fits_already_stays_as_it_is(kind: Kind, data: st.DataObject) -> None:
    codec, column = given_column(kind, data)
    found = Fitting()
    begin = data.draw(st.integers(0, len(column)))
    made = fit(column.slice(begin), codec.node, "value", found, hint=kind.hint)
    made.validate(full=True)
    assert made.type == column.type
    assert made.to_pylist() == column.slice(begin).to_pylist() or "nan" in repr(column.to_pylist()).lower()
    assert not found.faults
    assert not found.unknown


@given(classes(numpy=False), st.data())
@settings(max_examples=200, phases=QUICKLY)
def test_wider_types_of_other_libraries_are_taken(kind: Kind, data: st.DataObject) -> None:
    codec, column = given_column(kind, data)
    found = Fitting()
    made = fit(column.cast(widely(column.type)), codec.node, "value", found, hint=kind.hint)
    made.validate(full=True)
    assert made.type == column.type
    assert repr(made.to_pylist()) == repr(column.to_pylist())
    assert not found.faults
