"""Columns of plain values of any origin → those of a recorded schema: see `localreg.tables.fitting`."""

from __future__ import annotations

import datetime
import decimal
import pathlib
import re
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from localreg.tables.fitting_place import either, refused
from localreg.tables.plain_codecs import FIRST_US, LAST_US
from localreg.tables.schema import Node, arrow_type, described

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PLAIN", "decoded"]

FIRST_DAY, LAST_DAY = -719_162, 2_932_896
"""Python's first and last date, in days since 1970."""
_FINER = re.compile(r"[.,]\d{6}\d*[1-9]")
"""A fraction of a microsecond, which Python's parsers leave out without a word."""

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
        return _listed(column)
    return column


def _listed(column: pa.Array) -> pa.Array:
    """A column of list views as one of lists: Arrow's cast makes arrays with nulls of it that are none."""
    import numpy as np
    import pyarrow as pa

    lengths = pa.compute.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    begins = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    mask = column.is_null() if column.null_count else None
    return pa.LargeListArray.from_arrays(pa.array(begins), column.flatten(), mask=mask)


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
        raise refused(column, node, path)
    return column.cast(pa.string()), None, ""


def _int(column: pa.Array, node: Node, path: str) -> Fitted:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind, bad = column.type, None
    if pa.types.is_floating(kind):  # pandas makes floats of whole numbers, some of which are missing
        column = column.cast(pa.float64())
        # Beyond, one float stands for several whole numbers, and nobody knows which it was.
        whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), 2.0**53))
        column, bad = _blanked(column, pc.invert(whole.fill_null(True)))
    elif pa.types.is_decimal(kind):  # sums of DuckDB
        column, bad = _blanked(column, pc.invert(_is_int64(column)))
    elif kind == pa.uint64():
        column, bad = _blanked(column, pc.greater(column, pa.scalar(2**63 - 1, pa.uint64())))
    elif not pa.types.is_integer(kind):
        raise refused(column, node, path)
    made = column.cast(pa.int64())
    if node.values:
        made, other = _blanked(made, pc.invert(pc.is_in(made, pa.array([*node.values, None], pa.int64()))))
        return made, either(bad, other), f"be one of {', '.join(map(repr, node.values))}"
    return made, bad, "be a whole number of 64 bits"


def _is_int64(column: pa.Array) -> pa.Array:
    """Which decimals are whole numbers of 64 bits."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = column.cast(pa.decimal256(76, max(0, column.type.scale)))
    ends = (pa.scalar(decimal.Decimal(end), pa.decimal128(19, 0)) for end in (-(2**63), 2**63 - 1))
    least, greatest = ends
    inside = pc.and_(pc.greater_equal(column, least), pc.less_equal(column, greatest))
    return pc.and_(inside, pc.equal(pc.floor(column), column))


def _float(column: pa.Array, node: Node, path: str) -> Fitted:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_floating(kind):
        return column.cast(pa.float64()), None, ""
    if pa.types.is_decimal(kind):
        made = column.cast(pa.string()).cast(pa.float64())  # to the nearest: Arrow's own cast misses it by a bit
        if kind.scale > 0:
            return made, None, ""
    elif pa.types.is_integer(kind):
        made = column.cast(pa.float64(), safe=False)
    else:
        raise refused(column, node, path)
    if kind.bit_width <= 32:
        return made, None, ""
    beyond = pc.greater_equal(pc.abs(made), 2.0**53)
    if not beyond.true_count:
        return made, None, ""
    exact = pc.equal(made.cast(pa.decimal256(76, 0), safe=False), column.cast(pa.decimal256(76, 0)))
    made, bad = _blanked(made, pc.invert(exact))
    return made, bad, "be a number that a float is equal to"


def _bool(column: pa.Array, node: Node, path: str) -> Fitted:
    import pyarrow as pa

    if not pa.types.is_boolean(column.type):
        raise refused(column, node, path)
    return column, None, ""


def _bytes(column: pa.Array, node: Node, path: str) -> Fitted:
    import pyarrow as pa

    kinds = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    if not any(is_kind(column.type) for is_kind in kinds):
        raise refused(column, node, path)
    return column.cast(pa.binary()), None, ""


def _datetime(column: pa.Array, node: Node, path: str) -> Fitted:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):  # JSON has no moments
        return _parsed_texts(column, _moment, pa.timestamp("us", "UTC"), "be a moment with its time zone, in ISO 8601")
    if not pa.types.is_timestamp(kind):
        raise refused(column, node, path)
    if kind.tz is None:
        raise refused(column, node, path, ", without a time zone; give it one")
    first, last = (pa.scalar(each, pa.int64()) for each in (FIRST_US, LAST_US))
    made, bad = _in_microseconds(column, pa.timestamp("us", "UTC"))
    moment = made.cast(pa.int64())
    made, outside = _blanked(made, pc.or_(pc.less(moment, first), pc.greater(moment, last)))
    return made, either(bad, outside), "be a moment in whole microseconds between the years 1 and 9999"


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
    import pyarrow.compute as pc

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return _parsed_texts(column, datetime.date.fromisoformat, pa.date32(), "be a date, in ISO 8601")
    if not pa.types.is_date(column.type):
        raise refused(column, node, path)
    made = column.cast(pa.date32())
    day = made.cast(pa.int32())
    made, bad = _blanked(made, pc.or_(pc.less(day, FIRST_DAY), pc.greater(day, LAST_DAY)))
    return made, bad, "be a date between the years 1 and 9999"


def _timedelta(column: pa.Array, node: Node, path: str) -> Fitted:
    import pyarrow as pa

    if pa.types.is_integer(column.type) and column.type != pa.uint64():  # microseconds, as they are stored
        return column.cast(pa.int64()), None, ""
    if not pa.types.is_duration(column.type):
        raise refused(column, node, path)
    made, bad = _in_microseconds(column, pa.duration("us"))
    return made.cast(pa.int64()), bad, "be a duration in whole microseconds"


def _through_python(parse: Callable[[Any], str], *accepted: str) -> Callable[[pa.Array, Node, str], Fitted]:
    """For what has one exact text: each distinct value is looked at in Python."""

    def made(column: pa.Array, node: Node, path: str) -> Fitted:
        import pyarrow as pa

        if not any(getattr(pa.types, f"is_{kind}")(column.type) for kind in accepted) and not (
            node.type == "uuid" and isinstance(column.type, pa.UuidType)
        ):
            raise refused(column, node, path)
        plain = column.storage if isinstance(column.type, pa.UuidType) else column
        return _parsed_texts(plain, parse, pa.string(), f"be {described(node)}")

    return made


def _parsed_texts(column: pa.Array, parse: Callable[[Any], Any], kind: pa.DataType, wanted: str) -> Fitted:
    """What is made of each value, which is null where nothing can be."""
    import pyarrow as pa
    import pyarrow.compute as pc

    codes = column.dictionary_encode()
    values = [_parsed(parse, value) for value in codes.dictionary]
    made = pa.array(values, kind).take(codes.indices)
    bad = pc.and_(made.is_null(), column.is_valid())
    return made, bad if bad.true_count else None, wanted


def _parsed(parse: Callable[[Any], Any], value: pa.Scalar) -> Any:
    try:
        return parse(value.as_py()) if value.is_valid else None
    except (ValueError, ArithmeticError):
        return None


def _moment(value: str) -> datetime.datetime:
    moment = datetime.datetime.fromisoformat(value)
    if moment.tzinfo is None or _FINER.search(value):
        raise ValueError("without a time zone, or in less than microseconds")
    return moment.astimezone(datetime.UTC)


def _uuid(value: Any) -> str:
    return str(uuid.UUID(bytes=value) if isinstance(value, bytes) else uuid.UUID(value))


def _decimal(value: Any) -> str:
    return str(decimal.Decimal(value))


def _time(value: Any) -> str:
    if isinstance(value, str) and _FINER.search(value):
        raise ValueError("in less than microseconds")
    return str(datetime.time.fromisoformat(value) if isinstance(value, str) else value)


def _time_of_day(column: pa.Array, node: Node, path: str) -> Fitted:
    """Times of day; nanoseconds are looked at first, since Python leaves them out without a word."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.type != pa.time64("ns"):
        return _time_texts(column, node, path)
    count = column.cast(pa.int64())
    column, bad = _blanked(column, pc.not_equal(count, pc.multiply(pc.divide(count, 1000), 1000)))
    made, _, _ = _time_texts(column, node, path)
    return made, bad, "be a time of day in whole microseconds"


def _enum(column: pa.Array, node: Node, path: str) -> Fitted:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise refused(column, node, path)
    values = pa.array(list(node.values), pa.string())
    codes = pc.index_in(column.cast(pa.string()), values)
    bad = pc.and_(codes.is_null(), column.is_valid())
    made = pa.DictionaryArray.from_arrays(codes.cast(pa.int32()), values)
    assert made.type == arrow_type(node), "one type for all enums"
    return made, bad if bad.true_count else None, f"be one of {', '.join(map(repr, node.values))}"


_time_texts = _through_python(_time, "string", "large_string", "time")

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
    "time": _time_of_day,
    "enum": _enum,
}
"""What makes a column of each plain type."""
