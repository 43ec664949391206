"""By which fields rows of a table are told to be of which sample."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.names import did_you_mean, shown_value
from localreg.query.shared import scratch
from localreg.session import Session
from localreg.tables import Node, arrow_type, read_part
from localreg.workflow.bulk.keys import SampleKeys
from localreg.workflow.samples import conformed, files_of
from localreg.workflow.typed import TypedColumn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["Key", "key_of"]


@dataclass(frozen=True)
class Key:
    """Fields of a sample that stand for it.

    Attributes:
        fields: their names.
        node: the schema of a sample with these fields alone.
        is_whole: whether these are all fields, so that no two samples are equal in them.
    """

    fields: tuple[str, ...]
    node: Node
    is_whole: bool

    def column(self, samples: pa.Array) -> pa.Array:
        """One plain value for each sample: the field, or JSON of several, or of one that may be null or NaN.

        A sample that has nothing but a field that is null is a sample like others; where there are more fields, null
        is no key.

        Args:
            samples: structs of the fields.
        """
        import pyarrow as pa

        only = self.node.fields[0].node
        is_odd = self.is_whole and (only.optional or only.type == "float")
        if len(self.fields) == 1 and not only.fields and not is_odd:
            column = samples.field(0)
            if pa.types.is_dictionary(column.type):
                column = column.dictionary_decode()
            if not pa.types.is_nested(column.type):
                return column
        return _as_json(samples)

    def of_samples(
        self, session: Session, state: State, workflow_id: str, column: TypedColumn, among: Indices | None
    ) -> SampleKeys:
        """The keys of all samples of a workflow, or of some, by `sample_idx`, in that order."""
        import numpy as np
        import pyarrow as pa

        kind = arrow_type(self.node)
        paths = [f"{column.name}.{name}" for name in self.fields]
        keys: list[pa.Array] = []
        for pointer in files_of(state, workflow_id, "test_samples"):
            rows = conformed(read_part(session.store, pointer, paths), {column.name: kind})[column.name]
            keys += [self.column(chunk) for chunk in rows.chunks]
        if among is None or np.array_equal(among, np.arange(sum(map(len, keys)))):
            return SampleKeys(keys, None, are_distinct=self.is_whole)
        return SampleKeys([pa.concat_arrays(keys).take(pa.array(among))], among, are_distinct=self.is_whole)

    def told(self, keys: pa.Array, rows: Indices) -> str:
        """Some keys in words."""
        import pyarrow as pa

        shown = ", ".join(repr(value) for value in keys.take(pa.array(rows)).to_pylist())
        return f"{' and '.join(self.fields)} {shown}"


def _as_json(samples: pa.Array) -> pa.Array:
    import pyarrow as pa

    from localreg.tables import unpacked

    with scratch() as connection:
        connection.register("given", pa.table({"sample": unpacked(pa.chunked_array([_without_sign(samples)]))}))
        found = connection.execute("SELECT CAST(to_json(sample) AS VARCHAR) AS key FROM given").to_arrow_table()
    return found["key"].combine_chunks().cast(pa.string())


def _without_sign(column: pa.Array) -> pa.Array:
    """The same with 0.0 for -0.0, of fields at any depth, since they are one sample, and two texts."""
    import numpy as np
    import pyarrow as pa

    if pa.types.is_floating(column.type):
        return pa.compute.add(column, 0.0)
    if pa.types.is_struct(column.type):
        children = [_without_sign(column.field(number)) for number in range(column.type.num_fields)]
        return pa.StructArray.from_arrays(children, [field.name for field in column.type], mask=column.is_null())
    if pa.types.is_list(column.type):
        lengths = pa.compute.list_value_length(column).fill_null(0).to_numpy()
        begins = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
        mask = column.is_null() if column.null_count else None
        return pa.ListArray.from_arrays(begins, _without_sign(column.flatten()), mask=mask)
    if pa.types.is_map(column.type):
        pairs = pa.struct([("key", column.type.key_type), ("value", column.type.item_type)])
        return _without_sign(column.cast(pa.list_(pairs)))
    return column


def key_of(column: TypedColumn, on: str | Sequence[str] | None, names: Sequence[str]) -> Key:
    """The key that is asked for; None = `locator` if samples have one and the table, too, else all fields.

    Raises:
        InvalidInputError: a field is not there, or cannot be looked up.
    """
    all_fields = [field.name for field in column.node.fields]
    if on is None:
        on = "locator" if "locator" in all_fields and "locator" in names else all_fields
    fields = [on] if isinstance(on, str) else list(on) if isinstance(on, Iterable) else []
    if not fields or not all(isinstance(name, str) for name in fields):
        raise InvalidInputError(f"on is {shown_value(on)}; it must be a field of the test samples, or several")
    for name in fields:
        node = column.node.field(name)
        if node is None:
            raise InvalidInputError(
                f"on names {name!r}, which is no field of {column.cls.__name__}{did_you_mean(name, all_fields)}; its "
                f"fields are {', '.join(all_fields)}"
            )
        if node.type == "vector":
            raise InvalidInputError(
                f"on names {name!r}, a vector, by which nothing can be looked up; name other fields"
            )
    chosen = tuple(field for field in column.node.fields if field.name in fields)
    return Key(
        tuple(field.name for field in chosen), replace(column.node, fields=chosen), len(chosen) == len(all_fields)
    )
