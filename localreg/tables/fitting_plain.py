"""Columns of plain values of any origin → those of a recorded schema: see `localreg.tables.fitting`."""

from __future__ import annotations

import datetime
import decimal
import pathlib
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from localreg.errors import InvalidInputError
from localreg.tables.plain_codecs import FIRST_US, LAST_US
from localreg.tables.schema import Node, arrow_type, described

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PLAIN", "decoded"]

Fitted: TypeAlias = "tuple[pa.Array, pa.Array | None, str]"
"""The column; which values do not fit, None if all do; what they must be."""


def decoded(column: pa.Array) -> pa.Array:
    """A column without encodings: dictionaries, runs, views, extension types."""
    import pyarrow as pa

    kind = column.type
    if isinstance(kind, pa.BaseExtensionType) and not isinstance(kind, pa.UuidType):
        return decoded(column.storage)
    if pa.types.is_dictionary(kind):
        return decoded(column.dictionary_decode())
    if pa.types.is_run_end_encoded(kind):
        return decoded(pa.compute.run_end_decode(column))
    views = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
    if kind in views:
        return column.cast(views[kind])
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        return column.cast(pa.large_list(kind.value_type))
    return column


def _refused(column: pa.Array, node: Node, path: str, advice: str = "") -> InvalidInputError:
    return InvalidInputError(f"{path} is wanted as {described(node)}, and the column holds {column.type}{advice}")


def _blanked(column: pa.Array, bad: pa.Array) -> tuple[pa.Array, pa.Array | None]:
    """A column with nulls for bad values; and the bad ones, None if there are none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    bad = bad.fill_null(False)
    if not bad.true_count:
        return column, None
    return pc.if_else(bad, pa.scalar(None, column.type), column), bad


def _str(column: pa.Array, node: Node, path: str) -> Fitted:
    import pyarrow as pa

    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise _refused(column, node, path)
    return column.cast(pa.string()), None, ""


def _int(column: pa.Array, node: Node, path: str) -> Fitted:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind, bad = column.type, None
    if pa.types.is_floating(kind):  # pandas makes floats of whole numbers, some of which are missing
        column = column.cast(pa.float64())
        whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), 2.0**63))
        column, bad = _blanked(column, pc.invert(whole.fill_null(True)))
    elif kind == pa.uint64():
        column, bad = _blanked(column, pc.greater(column, pa.scalar(2**63 - 1, pa.uint64())))
    elif not pa.types.is_integer(kind):
        raise _refused(column, node, path)
    made = column.cast(pa.int64())
    if node.values:
        made, other = _blanked(made, pc.invert(pc.is_in(made, pa.array([*node.values, None], pa.int64()))))
        bad = other if bad is None else bad if other is None else pc.or_(bad, other)
        return made, bad, f"be one of {', '.join(map(repr, node.values))}"
    return made, bad, "be a whole number of 64 bits"


def _float(column: pa.Array, node: Node, path: str) -> Fitted:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_floating(kind):
        return column.cast(pa.float64()), None, ""
    if pa.types.is_decimal(kind):
        return column.cast(pa.float64()), None, ""
    if not pa.types.is_integer(kind):
        raise _refused(column, node, path)
    made = column.cast(pa.float64(), safe=False)
    if kind.bit_width <= 32:
        return made, None, ""
    beyond = pc.greater(pc.abs(made), 2.0**53)
    if not beyond.true_count:
        return made, None, ""
    exact = pc.equal(made.cast(pa.decimal256(40, 0), safe=False), column.cast(pa.decimal256(40, 0)))
    made, bad = _blanked(made, pc.invert(exact))
    return made, bad, "be a number that a float is equal to"


def _bool(column: pa.Array, node: Node, path: str) -> Fitted:
    import pyarrow as pa

    if not pa.types.is_boolean(column.type):
        raise _refused(column, node, path)
    return column, None, ""


def _bytes(column: pa.Array, node: Node, path: str) -> Fitted:
    import pyarrow as pa

    kinds = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    if not any(is_kind(column.type) for is_kind in kinds):
        raise _refused(column, node, path)
    return column.cast(pa.binary()), None, ""


def _datetime(column: pa.Array, node: Node, path: str) -> Fitted:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if not pa.types.is_timestamp(kind):
        raise _refused(column, node, path)
    if kind.tz is None:
        raise _refused(column, node, path, ", without a time zone; give it one")
    first, last = (pa.scalar(each, pa.int64()) for each in (FIRST_US, LAST_US))
    made, bad = _in_microseconds(column, pa.timestamp("us", "UTC"))
    moment = made.cast(pa.int64())
    made, outside = _blanked(made, pc.or_(pc.less(moment, first), pc.greater(moment, last)))
    bad = outside if bad is None else bad if outside is None else pc.or_(bad, outside)
    return made, bad, "be a moment in whole microseconds between the years 1 and 9999"


def _in_microseconds(column: pa.Array, kind: pa.DataType) -> tuple[pa.Array, pa.Array | None]:
    """Times or durations in microseconds, and which of them that would change."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.type.unit == "ns":
        left = pc.not_equal(column.cast(pa.int64()), pc.multiply(pc.divide(column.cast(pa.int64()), 1000), 1000))
        made = column.cast(kind, safe=False)
        return _blanked(made, left)
    try:
        return column.cast(kind), None
    except pa.ArrowInvalid:  # seconds that are too many for microseconds
        whole = column.cast(pa.int64())
        factor = {"s": 1_000_000, "ms": 1_000}[column.type.unit]
        beyond = pc.greater(pc.abs(whole), (2**63 - 1) // factor)
        column, bad = _blanked(column, beyond)
        return column.cast(kind), bad


def _date(column: pa.Array, node: Node, path: str) -> Fitted:
    import pyarrow as pa

    if not pa.types.is_date(column.type):
        raise _refused(column, node, path)
    return column.cast(pa.date32()), None, ""


def _timedelta(column: pa.Array, node: Node, path: str) -> Fitted:
    import pyarrow as pa

    if pa.types.is_integer(column.type) and column.type != pa.uint64():  # microseconds, as they are stored
        return column.cast(pa.int64()), None, ""
    if not pa.types.is_duration(column.type):
        raise _refused(column, node, path)
    made, bad = _in_microseconds(column, pa.duration("us"))
    return made.cast(pa.int64()), bad, "be a duration in whole microseconds"


def _through_python(parse: Callable[[Any], str], *accepted: str) -> Callable[[pa.Array, Node, str], Fitted]:
    """For what has one exact text: each distinct value is looked at in Python."""

    def made(column: pa.Array, node: Node, path: str) -> Fitted:
        import pyarrow as pa
        import pyarrow.compute as pc

        if not any(getattr(pa.types, f"is_{kind}")(column.type) for kind in accepted) and not (
            node.type == "uuid" and isinstance(column.type, pa.UuidType)
        ):
            raise _refused(column, node, path)
        plain = column.storage if isinstance(column.type, pa.UuidType) else column
        codes = plain.dictionary_encode()
        texts = [_parsed(parse, value) for value in codes.dictionary.to_pylist()]
        column = pa.array(texts, pa.string()).take(codes.indices)
        bad = pc.and_(column.is_null(), plain.is_valid())
        return column, bad if bad.true_count else None, f"be {described(node)}"

    return made


def _parsed(parse: Callable[[Any], str], value: object) -> str | None:
    try:
        return None if value is None else parse(value)
    except (ValueError, ArithmeticError):
        return None


def _uuid(value: Any) -> str:
    return str(uuid.UUID(bytes=value) if isinstance(value, bytes) else uuid.UUID(value))


def _decimal(value: Any) -> str:
    return str(decimal.Decimal(value))


def _time(value: Any) -> str:
    return str(datetime.time.fromisoformat(value) if isinstance(value, str) else value)


def _enum(column: pa.Array, node: Node, path: str) -> Fitted:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise _refused(column, node, path)
    values = pa.array(list(node.values), pa.string())
    codes = pc.index_in(column.cast(pa.string()), values)
    bad = pc.and_(codes.is_null(), column.is_valid())
    made = pa.DictionaryArray.from_arrays(codes.cast(pa.int32()), values)
    assert made.type == arrow_type(node), "one type for all enums"
    return made, bad if bad.true_count else None, f"be one of {', '.join(map(repr, node.values))}"


PLAIN: dict[str, Callable[[Any, Node, str], Fitted]] = {
    "str": _str,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "bytes": _bytes,
    "datetime": _datetime,
    "date": _date,
    "timedelta": _timedelta,
    "uuid": _through_python(_uuid, "string", "large_string", "fixed_size_binary"),
    "decimal": _through_python(_decimal, "string", "large_string", "decimal"),
    "path": _through_python(lambda value: str(pathlib.PurePath(value)), "string", "large_string"),
    "time": _through_python(_time, "string", "large_string", "time"),
    "enum": _enum,
}
"""What makes a column of each plain type."""
