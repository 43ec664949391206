"""Values that are no containers ↔ Arrow columns.

Nothing is changed on the way: a value that its column could not give back is refused.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import pathlib
import typing
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from localreg.tables.hints import member_name
from localreg.tables.schema import Node, arrow_type

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Codec", "EnumCodec", "MisfitError", "PlainCodec", "TextCodec", "VectorCodec", "article", "types_of"]

NoneType = type(None)


class MisfitError(Exception):
    """A value is not of its field's type."""


class Codec(Protocol):
    """One node of a schema at work, both ways.

    Attributes:
        can_have_extras: whether a class within takes keywords beyond its fields.
    """

    can_have_extras: bool

    def encode(self, values: Sequence[Any], path: str, absent: int) -> pa.Array:
        """Values as a column; so many Nones among them as `absent` says are owed to what they would stand in.

        Raises:
            MisfitError: a value is not of the node's type.
        """
        ...

    def decode(self, column: pa.Array) -> list[Any]:
        """The values of a column, None where it is null."""
        ...

    def has_extras(self, values: Sequence[Any]) -> bool:
        """Whether any object within values has an attribute that is no field. Asked only if one can."""
        ...


class Leaf:
    """A codec of values that hold no others."""

    can_have_extras = False

    def has_extras(self, values: Sequence[Any]) -> bool:
        """See `Codec`."""
        return False


def article(noun: str) -> str:
    """A noun with its article."""
    return f"{'an' if noun[0] in 'aeiouAEIOU' else 'a'} {noun}"


def types_of(values: Iterable[object]) -> set[type]:
    """The types among values: one pass in C, after which only odd ones need a closer look."""
    return set(map(type, values))


def refuse_nones(values: Sequence[object], types: set[type], node: Node, path: str, absent: int, wanted: str) -> int:
    """How many Nones there are; more than are owed to absent owners are refused, unless the node is optional."""
    if NoneType not in types:
        return 0
    nones = sum(value is None for value in values)
    if nones > absent and not node.optional:
        raise MisfitError(f"{path} is None; it must be {wanted}")
    return nones


_ACCEPTED: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "bytes": (bytes,),
    "datetime": (datetime.datetime,),
    "date": (datetime.date,),
    "timedelta": (datetime.timedelta,),
}


FIRST_US, LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999
"""Python's first and last moment, in microseconds since 1970."""


class PlainCodec(Leaf):
    """Texts, numbers, bytes, dates: what Arrow has a type for."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._accepted = _ACCEPTED[node.type]

    def encode(self, values: Sequence[Any], path: str, absent: int) -> pa.Array:
        """See `Codec`."""
        types = types_of(values)
        wanted = article(self.node.type)
        nones = refuse_nones(values, types, self.node, path, absent, wanted)
        self._refuse_other_types(values, types, path, wanted)
        if self.node.values:
            self._refuse_other_values(values, path)
        try:
            return self._column(values, types, nones)
        except (OverflowError, UnicodeError, ValueError) as error:  # Arrow's own are ValueErrors, too
            # A whole number beyond 64 bits, or one that no float is equal to; half of a surrogate pair.
            shown = repr(values[0]) if len(values) == 1 else "a value"
            raise MisfitError(f"{path} is {shown}, which cannot be stored exactly as {wanted}") from error

    def _column(self, values: Sequence[Any], types: set[type], nones: int) -> pa.Array:
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        kind = self.node.type
        if kind == "timedelta":
            unit = datetime.timedelta(microseconds=1)
            return pa.array([None if value is None else value // unit for value in values], pa.int64())
        dtype: Any = {"float": np.float64, "int": np.int64}.get(kind)
        if dtype is not None and not nones and types == {self._accepted[0]}:
            return pa.array(np.fromiter(values, dtype, len(values)))
        column = pa.array(values, arrow_type(self.node))
        if kind == "datetime":
            ends = pc.min_max(column.cast(pa.int64())).as_py()
            if any(end is not None and not FIRST_US <= end <= LAST_US for end in ends.values()):
                raise ValueError("in UTC the year is not between 1 and 9999")
        return column

    def _refuse_other_types(self, values: Sequence[object], types: set[type], path: str, wanted: str) -> None:
        for odd in types - {*self._accepted, NoneType}:
            for value in values:
                if type(value) is odd and not self._fits(value):
                    raise MisfitError(f"{path} is {value!r}, of type {odd.__name__}; it must be {wanted}")
        if self.node.type == "datetime" and any(value is not None and value.tzinfo is None for value in values):  # type: ignore[attr-defined]
            shown = next(value for value in values if value is not None and value.tzinfo is None)  # type: ignore[attr-defined]
            raise MisfitError(f"{path} is {shown!r}, without a time zone; give it one, as datetime.now(UTC) has")

    def _fits(self, value: object) -> bool:
        if isinstance(value, bool) and self.node.type != "bool":
            return False
        if isinstance(value, datetime.datetime) and self.node.type == "date":
            return False
        if isinstance(value, self._accepted):
            return True
        item = getattr(value, "item", None)  # a numpy scalar
        return type(value).__module__ == "numpy" and callable(item) and self._fits(item())

    def _refuse_other_values(self, values: Sequence[object], path: str) -> None:
        other = set(values) - {*self.node.values, None}
        if other:
            allowed = ", ".join(map(repr, self.node.values))
            raise MisfitError(f"{path} is {next(iter(other))!r}; it must be one of {allowed}")

    def decode(self, column: pa.Array) -> list[Any]:
        """See `Codec`."""
        if self.node.type in ("int", "float") and not column.null_count:
            numbers: list[Any] = column.to_numpy(zero_copy_only=False).tolist()
            return numbers
        plain: list[Any] = column.to_pylist()
        if self.node.type == "timedelta":
            return [None if value is None else datetime.timedelta(microseconds=value) for value in plain]
        if self.node.type == "datetime":
            return [None if value is None else value.replace(tzinfo=datetime.UTC) for value in plain]
        return plain


class TextCodec(Leaf):
    """What Arrow has no type for, and has one exact text: UUIDs, decimals, paths, times of day."""

    def __init__(self, node: Node, hint: Any) -> None:
        self.node = node
        kinds: dict[str, tuple[type, Callable[[str], Any]]] = {
            "uuid": (uuid.UUID, uuid.UUID),
            "decimal": (decimal.Decimal, decimal.Decimal),
            "path": (pathlib.PurePath, hint or pathlib.PurePath),
            "time": (datetime.time, datetime.time.fromisoformat),
        }
        self._class, self._parse = kinds[node.type]
        self._exact = {
            uuid.UUID,
            decimal.Decimal,
            datetime.time,
            type(self._parse(".")) if node.type == "path" else None,
        }

    def encode(self, values: Sequence[Any], path: str, absent: int) -> pa.Array:
        """See `Codec`."""
        import pyarrow as pa

        types = types_of(values)
        wanted = article(self.node.type)
        refuse_nones(values, types, self.node, path, absent, wanted)
        for odd in types - {NoneType}:
            if not issubclass(odd, self._class):
                shown = next(value for value in values if type(value) is odd)
                raise MisfitError(f"{path} is {shown!r}, of type {odd.__name__}; it must be {wanted}")
            if odd not in self._exact:
                self._refuse_lossy([value for value in values if type(value) is odd], path, wanted)
        try:
            return pa.array([None if value is None else str(value) for value in values], pa.string())
        except UnicodeError as error:
            shown = next(value for value in values if value is not None and not _is_text(str(value)))
            raise MisfitError(f"{path} is {shown!r}, which cannot be stored exactly as {wanted}") from error

    def _refuse_lossy(self, values: Sequence[Any], path: str, wanted: str) -> None:
        for value in values:
            if self._parse(str(value)) != value:
                raise MisfitError(f"{path} is {value!r}, which cannot be stored exactly as {wanted}")

    def decode(self, column: pa.Array) -> list[Any]:
        """See `Codec`."""
        return [None if text is None else self._parse(text) for text in column.to_pylist()]


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeError:
        return False
    return True


class EnumCodec(Leaf):
    """Members of an `Enum`, or the texts of a `Literal`."""

    def __init__(self, node: Node, hint: Any) -> None:
        self.node = node
        self._codes = {text: code for code, text in enumerate(node.values)}
        self._class = _enum_class(hint)
        if self._class is not None:
            self._members: dict[Any, Any] = {member_name(member): member for member in self._class}
        else:
            self._members = {text: text for text in node.values}

    def encode(self, values: Sequence[Any], path: str, absent: int) -> pa.Array:
        """See `Codec`."""
        import pyarrow as pa

        types = types_of(values)
        allowed = ", ".join(map(str, self.node.values))
        wanted = f"one of {allowed}" if self._class is None else f"a {self._class.__name__} ({allowed})"
        refuse_nones(values, types, self.node, path, absent, wanted)
        for odd in types - {NoneType}:
            # A notebook's cell that was run again leaves members of the older class of that name.
            if not issubclass(odd, str) if self._class is None else odd.__name__ != self._class.__name__:
                shown = next(value for value in values if type(value) is odd)
                raise MisfitError(f"{path} is {shown!r}, of type {odd.__name__}; it must be {wanted}")
        codes = {value: self._code(value, path, wanted) for value in set(values) - {None}}
        indices = pa.array([None if value is None else codes[value] for value in values], pa.int32())
        return pa.DictionaryArray.from_arrays(indices, pa.array(list(self.node.values), pa.string()))

    def _code(self, value: Any, path: str, wanted: str) -> int:
        code = self._codes.get(value if self._class is None else member_name(value))
        if code is None:
            raise MisfitError(f"{path} is {value!r}; it must be {wanted}")
        return code

    def decode(self, column: pa.Array) -> list[Any]:
        """See `Codec`."""
        # A value that a wider class wrote stays a text, where this one has no member for it.
        return [None if text is None else self._members.get(text, text) for text in column.to_pylist()]


def _enum_class(hint: Any) -> type[enum.Enum] | None:
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint
    values = typing.get_args(hint)
    return type(values[0]) if values and isinstance(values[0], enum.Enum) else None


class VectorCodec(Leaf):
    """Numpy vectors of one size, float32."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def encode(self, values: Sequence[Any], path: str, absent: int) -> pa.Array:
        """See `Codec`."""
        import numpy as np
        import pyarrow as pa

        size = self.node.size
        wanted = f"a vector of {size} numbers"
        refuse_nones(values, types_of(values), self.node, path, absent, wanted)
        numbers = np.zeros((len(values), size), np.float32)
        for row, value in enumerate(values):
            if value is not None:
                try:
                    vector = np.asarray(value, np.float32)
                except (TypeError, ValueError) as error:
                    raise MisfitError(f"{path} is of type {type(value).__name__}; it must be {wanted}") from error
                if vector.shape != (size,):
                    raise MisfitError(f"{path} has the shape {vector.shape}; it must be {wanted}")
                numbers[row] = vector
        mask = pa.array([value is None for value in values], pa.bool_())
        return pa.FixedSizeListArray.from_arrays(pa.array(numbers.reshape(-1)), size, mask=mask)

    def decode(self, column: pa.Array) -> list[Any]:
        """See `Codec`."""
        import numpy as np
        import pyarrow as pa

        if not pa.types.is_fixed_size_list(column.type):
            column = column.cast(arrow_type(self.node))
        flat = column.drop_null().flatten().to_numpy(zero_copy_only=False)
        rows = iter(np.ascontiguousarray(flat, np.float32).reshape(-1, self.node.size))
        made = [next(rows) if there else None for there in column.is_valid().to_pylist()]
        for vector in made:
            if vector is not None:
                vector.flags.writeable = False
        return made
