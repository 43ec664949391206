"""Values as models give them → values as fields take them: numpy becomes Python, numbers of classes become text.

What has the wrong shape is refused here, where the key is known that it stands under; what a value may be, such as a
finite score, is checked when inferences are written, column by column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from localreg.errors import InvalidInputError
from localreg.names import shown_value
from localreg.tables import Node

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Source", "bad_prediction", "boxes_of", "fitted", "fitted_column", "outlines_of", "plain"]

TEXTS = ("str", "enum")
NUMBERS = ("float", "int", "bool")
PLAIN = {type(None), bool, int, float, str, bytes}
NUMERIC = "fiu"
"""Kinds of numpy types that are numbers."""


class Source(NamedTuple):
    """Where a value comes from, and goes.

    Attributes:
        key: of the prediction.
        field: of the inference, by its path.
    """

    key: str
    field: str


def bad_prediction(source: Source, told: str, wanted: str) -> InvalidInputError:
    """The error to raise for a value that its field cannot take.

    Args:
        source: names both.
        told: what the value is.
        wanted: what it must be.
    """
    return InvalidInputError(
        f"key {source.key!r} of a prediction holds {told}; field {source.field!r} takes {wanted}", code="bad_prediction"
    )


def plain(value: Any) -> Any:
    """A value without numpy, however deep that stands."""
    if type(value) in PLAIN:
        return value
    if type(value).__module__ == "numpy":
        return plain(value.tolist()) if value.dtype.hasobject else value.tolist()
    if isinstance(value, Mapping):
        return {plain(key): plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def fitted(value: Any, node: Node, source: Source) -> Any:
    """A value for a field.

    Args:
        value: None, bool, int, float, str, bytes, list, tuple, dict, datetime, or of numpy.
        node: the field's.
        source: for messages.

    Raises:
        InvalidInputError: it has another shape than the field, or is a number with a fraction where a label is wanted.
    """
    if value is None:
        return None
    if node.type == "vector":
        return _vector(value, node, source)
    if node.type in TEXTS:
        return _text(value, source)
    if node.type == "list" and node.items is not None:
        return fitted_column(value, node.items, source)
    if node.type == "tuple":
        return _tuple(value, node, source)
    if node.type == "struct":
        return _struct(value, node, source)
    return plain(value)


def fitted_column(values: Any, node: Node, source: Source) -> list[Any]:
    """Values for the items of a list.

    Raises:
        InvalidInputError: they are no list, or one of them does not fit.
    """
    is_array = type(values).__module__ == "numpy" and getattr(values, "ndim", 0) > 0
    if not is_array and not isinstance(values, list | tuple):
        raise bad_prediction(source, shown_value(values), "a list")
    if is_array and node.type in (*TEXTS, *NUMBERS):
        values = values.tolist()
    kinds = set(map(type, values))
    if node.type in TEXTS:
        if kinds in ({str}, {int}):
            return list(map(str, values))
        return [None if value is None else _text(value, source) for value in values]
    if node.type in NUMBERS:
        if kinds <= {list, tuple, dict, str} and kinds:
            raise bad_prediction(source, shown_value(plain(values)), "a list of numbers")
        return list(values) if kinds <= {float, int, bool} else [plain(value) for value in values]
    return [fitted(value, node, source) for value in values]


def _text(value: Any, source: Source) -> str:
    """A label; a number of a class as text."""
    if type(value) is str:
        return value
    number = plain(value)
    if isinstance(number, str) or (isinstance(number, int) and not isinstance(number, bool)):
        return str(number)
    more = ", or the whole number of a class" if isinstance(number, float) else ""
    raise bad_prediction(source, shown_value(number), f"text{more}")


def _vector(value: Any, node: Node, source: Source) -> npt.NDArray[np.float32]:
    import numpy as np

    vector = _numbers(value, source, f"a vector of {node.size} numbers")
    if vector.shape != (node.size,):
        raise bad_prediction(source, _shape(vector), f"a vector of {node.size} numbers")
    with np.errstate(over="ignore"):
        made = np.asarray(vector, np.float32)
    if (np.isinf(made) & np.isfinite(vector)).any():
        raise bad_prediction(source, "a number that floats of 32 bits cannot hold", f"a vector of {node.size} numbers")
    return made


def _tuple(value: Any, node: Node, source: Source) -> tuple[Any, ...]:
    given = plain(value)
    if not isinstance(given, list) or len(given) != len(node.fields):
        raise bad_prediction(source, shown_value(given), f"{len(node.fields)} values")
    return tuple(fitted(each, field.node, source) for each, field in zip(given, node.fields, strict=True))


def _struct(value: Any, node: Node, source: Source) -> dict[str, Any]:
    """A dict; any other value stands for the one field that has to be given."""
    if not isinstance(value, Mapping):
        needed = [field for field in node.fields if not field.node.optional]
        if len(needed) != 1:
            names = ", ".join(field.name for field in node.fields)
            raise bad_prediction(source, shown_value(plain(value)), f"a dict with {names}")
        return {needed[0].name: fitted(value, needed[0].node, source)}
    nodes = {field.name: field.node for field in node.fields}
    return {
        name: fitted(each, nodes[name], Source(source.key, f"{source.field}.{name}")) if name in nodes else plain(each)
        for name, each in value.items()
    }


# --- shapes -----------------------------------------------------------------------------------------------------------


def boxes_of(value: Any, source: Source) -> dict[str, list[Any]]:
    """Corners of boxes, as the columns `top_left` and `bottom_right`.

    Args:
        value: n x 4 numbers, left, top, right and bottom, in pixels.
        source: for messages.

    Raises:
        InvalidInputError: it has another shape.
    """
    wanted = "n x 4 numbers: left, top, right, bottom"
    boxes = _numbers(value, source, wanted)
    if not len(boxes):
        return {"top_left": [], "bottom_right": []}
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise bad_prediction(source, _shape(boxes), wanted)
    return {"top_left": boxes[:, :2].tolist(), "bottom_right": boxes[:, 2:].tolist()}


def outlines_of(value: Any, source: Source) -> dict[str, list[Any]]:
    """Outlines of polygons, as the column `points`.

    Args:
        value: n arrays of m x 2 numbers, x and y of each point, in pixels; m may differ.
        source: for messages.

    Raises:
        InvalidInputError: it has another shape.
    """
    wanted = "a list of outlines, each of m x 2 numbers: x, y"
    if not isinstance(value, Sequence) and type(value).__module__ != "numpy":
        raise bad_prediction(source, shown_value(value), wanted)
    made = []
    for each in value:
        points = _numbers(each, source, wanted)
        if points.ndim != 2 or points.shape[1] != 2:
            raise bad_prediction(source, f"an outline of {_shape(points).removeprefix('an array of ')}", wanted)
        made.append(points.tolist())
    return {"points": made}


def _numbers(value: Any, source: Source, wanted: str) -> npt.NDArray[Any]:
    """A value as an array of numbers.

    Raises:
        InvalidInputError: it is none.
    """
    import numpy as np

    try:
        array = np.asarray(value)
    except ValueError:  # lists of unequal lengths
        raise bad_prediction(source, "lists of unequal lengths", wanted) from None
    if array.dtype.kind not in NUMERIC or not array.ndim:
        raise bad_prediction(source, shown_value(plain(value)), wanted)
    return array


def _shape(array: npt.NDArray[Any]) -> str:
    return f"an array of the shape {' x '.join(map(str, array.shape))}"
