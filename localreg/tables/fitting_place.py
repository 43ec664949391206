"""What fitting a column goes by: where it stands, and what came up; see `localreg.tables.fitting`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError
from localreg.tables.faults import Fault
from localreg.tables.schema import Node, described

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["Fitting", "Place", "either", "note", "note_missing", "nulls_of", "refused"]


@dataclass(eq=False)
class Fitting:
    """What came up while columns were fitted.

    Attributes:
        faults: values that their field cannot take.
        unknown: paths of fields within structs that the schema does not have, which were left out.
    """

    faults: list[Fault] = dataclasses.field(default_factory=list)
    unknown: set[str] = dataclasses.field(default_factory=set)


@dataclass(frozen=True, eq=False)
class Place:
    """Where a column stands.

    Attributes:
        path: for messages.
        hint: the Python type of its values; None = unknown.
        rows: the rows in which values stand, by their positions in the column.
        absent: which values nobody will look at, since what they would stand in is null; None = none.
        needed: whether null is a fault where the schema does not say that it is a value.
    """

    path: str
    hint: Any
    rows: Callable[[Indices], Indices]
    absent: pa.Array | None = None
    needed: bool = True

    def within(self, name: str, hint: Any, *, absent: pa.Array | None, needed: bool = True) -> Place:
        """The place of a field, whose values stand in the same rows."""
        return replace(self, path=f"{self.path}{name}", hint=hint, absent=absent, needed=needed)


def note(column: pa.Array, bad: pa.Array, place: Place, found: Fitting, wanted: str) -> None:
    """Note the values for which `bad` is true, unless nobody will look at them."""
    import numpy as np
    import pyarrow.compute as pc

    if place.absent is not None:
        bad = pc.and_not(bad, place.absent)
    positions = np.flatnonzero(bad.fill_null(False).to_numpy(zero_copy_only=False))
    if len(positions):
        found.faults.append(Fault(place.rows(positions), place.path, column.take(positions), wanted))


def note_missing(column: pa.Array, node: Node, place: Place, found: Fitting) -> None:
    """Note where null stands for a value that must be given."""
    import numpy as np
    import pyarrow.compute as pc

    if node.optional or not place.needed or not column.null_count:
        return
    missing = column.is_null()
    if place.absent is not None:
        missing = pc.and_not(missing, place.absent)
    positions = np.flatnonzero(missing.to_numpy(zero_copy_only=False))
    if len(positions):
        found.faults.append(Fault(place.rows(positions), place.path, None, f"be {described(node)}"))


def refused(column: pa.Array, node: Node, path: str, advice: str = "; convert it first") -> InvalidInputError:
    """The error to raise for a column whose type can say nothing that is wanted."""
    return InvalidInputError(f"{path} is wanted as {described(node)}, and the column holds {column.type}{advice}")


def either(one: pa.Array | None, other: pa.Array | None) -> pa.Array | None:
    """Where one or the other is true; None = nowhere."""
    import pyarrow.compute as pc

    if one is None or other is None:
        return one if other is None else other
    return pc.or_(one, other)


def nulls_of(column: pa.Array) -> pa.Array | None:
    """Where a column is null; None = nowhere."""
    return column.is_null() if column.null_count else None
