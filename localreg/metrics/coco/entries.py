"""The lists of a COCO file as columns: each key of all objects at once; of what is wrong, how often and where first."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError, NotFoundError, StorageError
from localreg.garbage import without_collector
from localreg.names import shown_value

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Flags = npt.NDArray[np.bool_]

__all__ = ["Entries", "loaded", "not_finite"]

_WRONG = (ValueError, TypeError, OverflowError, AttributeError)
"""What Arrow raises of values that do not fit; its own errors are among these."""


def loaded(source: object, what: str) -> Any:
    """The JSON of a file; what is no path is taken as it is.

    Raises:
        NotFoundError: there is no such file.
        StorageError: it cannot be read.
        InvalidInputError: it is no JSON, or half of one.
    """
    if not isinstance(source, str | os.PathLike):
        return source
    try:
        with open(source, encoding="utf-8") as file, without_collector():
            return json.load(file)
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {shown_value(os.fspath(source))} of {what}") from error
    except OSError as error:
        raise StorageError(f"{shown_value(os.fspath(source))} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(
            f"{shown_value(os.fspath(source))} is no whole JSON file of {what}: {error}; get it or write it again"
        ) from error


class Entries:
    """The objects of one list of a COCO file.

    Args:
        given: the list.
        what: its name there, for messages.

    Raises:
        InvalidInputError: it is no list of objects.
    """

    def __init__(self, given: object, what: str) -> None:
        self.what = what
        if not isinstance(given, list | tuple):
            raise InvalidInputError(f"{what} is {shown_value(given)}; it must be a list of objects")
        self.items: Sequence[Mapping[str, Any]] = given
        if not {*map(type, given)} <= {dict}:
            number, value = next((n, each) for n, each in enumerate(given) if not isinstance(each, Mapping))
            raise InvalidInputError(f"{what}[{number}] is {shown_value(value)}; it must be an object")

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def keys(self) -> set[str]:
        """All keys that any of them has."""
        return set().union(*self.items)

    def values(self, key: str) -> list[Any]:
        """What each says under a key; None where it says nothing."""
        return [each.get(key) for each in self.items]

    def refuse(self, bad: Flags, why: str, key: str | None = None) -> None:
        """Refuse entries, if there are any, with their number and the first of them.

        Args:
            bad: which.
            why: such as `have no score`.
            key: whose value is shown of the first.

        Raises:
            InvalidInputError: there are some.
        """
        count = int(bad.sum())
        if count:
            number = int(bad.argmax())
            shown = "" if key is None else f": {key} is {shown_value(self.items[number].get(key))}"
            raise InvalidInputError(f"{count:,} of {self.what} {why}; the first is {self._named(number)}{shown}")

    def _named(self, number: int) -> str:
        each = self.items[number]
        said = [f"{key} {shown_value(each[key])}" for key in ("id", "image_id") if key in each]
        return f"{self.what}[{number}]" + (f" ({', '.join(said)})" if said else "")

    def column(
        self, key: str, type: pa.DataType, *, wanted: str, required: bool = False, values: list[Any] | None = None
    ) -> pa.Array:
        """What all say under a key.

        Args:
            key: in the objects.
            type: the Arrow type.
            wanted: what a value must be, for messages.
            required: whether each must say something.
            values: what they say, if it is not to be taken as it stands.

        Raises:
            InvalidInputError: a value is something else, or missing.
        """
        import pyarrow as pa

        said = self.values(key) if values is None else values
        try:
            column = pa.array(said, type)
        except _WRONG:
            bad = [not _fits(value, type) for value in said]
            self.refuse(_flags(bad), f"must have {wanted} as {key}", key)
            raise  # a value that fits alone, and not among the others: there is no such
        if required and column.null_count:
            self.refuse(_flags(column.is_null()), f"have no {key}")
        return column

    def whole(self, key: str, *, required: bool = False) -> pa.Array:
        """Whole numbers; `1.0` counts as one, and true does not.

        Raises:
            InvalidInputError: a value is something else, or missing.
        """
        import pyarrow as pa

        said = self.values(key)
        if {*map(type, said)} - {int, type(None)}:
            bad = [value is not None and not _is_whole(value) for value in said]
            self.refuse(_flags(bad), f"must have a whole number as {key}", key)
            said = [None if value is None else int(value) for value in said]
        return self.column(key, pa.int64(), wanted="a whole number of 64 bits", required=required, values=said)

    def number(self, key: str, *, required: bool = False) -> pa.Array:
        """Finite numbers.

        Raises:
            InvalidInputError: a value is something else, or missing.
        """
        import pyarrow as pa

        said = self.values(key)
        bad = [isinstance(value, bool) for value in said] if bool in {*map(type, said)} else [False]
        self.refuse(_flags(bad), f"must have a number as {key}", key)
        column = self.column(key, pa.float64(), wanted="a number", required=required)
        self.refuse(not_finite(column), f"have no finite number as {key}", key)
        return column

    def flag(self, key: str) -> pa.Array:
        """0 or 1, false or true; null where nothing is said.

        Raises:
            InvalidInputError: a value is something else.
        """
        import pyarrow as pa

        said = self.values(key)
        bad = [value is not None and value not in (0, 1) for value in said]
        self.refuse(_flags(bad), f"must have 0 or 1 as {key}", key)
        return pa.array([None if value is None else bool(value) for value in said], pa.bool_())


def _fits(value: object, type: pa.DataType) -> bool:
    import pyarrow as pa

    try:
        pa.array([value], type)
    except _WRONG:
        return False
    return True


def _is_whole(value: object) -> bool:
    try:
        return not isinstance(value, bool | str | bytes) and int(value) == value  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return False


def _flags(values: Any) -> Flags:
    import numpy as np

    return np.asarray(values, bool)


def not_finite(column: pa.Array) -> Flags:
    """Where a number, or any number in a list of any depth, is NaN or infinite; not where it is null."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    count = len(column)
    rows = np.arange(count)
    while pa.types.is_list(column.type) or pa.types.is_fixed_size_list(column.type):
        rows = rows[pc.list_parent_indices(column).to_numpy()]
        column = column.flatten()
    bad = np.zeros(count, bool)
    wrong = pc.invert(pc.is_finite(column)).fill_null(False).to_numpy(zero_copy_only=False)
    bad[rows[wrong]] = True
    return bad
