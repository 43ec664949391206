"""What `predict` returned, as one prediction for each datapoint, of types that any process knows.

Taken as predictions: a list or tuple of them; a mapping of lists or arrays with an entry for each datapoint, as
`{"boxes": [...], "scores": [...]}`; an array or tensor, by its first axis.

A prediction may hold None, bool, int, float, text, bytes, datetime, lists, tuples, mappings with text keys, and numpy
arrays. Scalars of numpy become Python's; tensors become numpy arrays, and so does what has `__array__`; what has
`tolist` becomes a list, and subclasses become the type that they extend.

A prediction may hold more keys than `Plan.keys` asks for: they are kept. Among the keys that it asks for, lists and
arrays of one prediction have equal lengths.

Most predictions are plain, and each costs less than a function call: types are looked at level by level, in C.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import chain
from operator import itemgetter
from types import NoneType
from typing import Any

from localreg.definitions.plan import Plan
from localreg.definitions.worker.sources import PRIVATE
from localreg.errors import InvalidInputError

__all__ = ["Outputs"]

PLAIN: frozenset[type] = frozenset({NoneType, bool, int, float, str, bytes, datetime})
LISTS: frozenset[type] = frozenset({list, tuple})
CONTAINERS = LISTS | {dict}
SINGLE = PLAIN | {dict}
"""Types without a length that counts."""
ARRAYS = "biufSUM"
"""Kinds of numpy arrays that are kept: numbers, text, bytes, times."""
DEEPEST = 32
SCALARS = (bytes, str, int, float, bool, NoneType)


class _Unknown(Exception):
    """A value that is of no known type."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason, self.path = reason, ""


class Outputs:
    """Checks what `predict` returned.

    Args:
        plan: what was said of it.
    """

    def __init__(self, plan: Plan) -> None:
        self._keys = plan.keys
        self._place = plan.place("predict.output.keys" if plan.keys else "predict.entrypoint")
        self._entry = plan.place("predict.entrypoint")

    def checked(self, result: object, count: int) -> list[object]:
        """One prediction for each datapoint.

        Args:
            result: what the function returned.
            count: how many datapoints it was given.

        Raises:
            InvalidInputError: it is something else (`bad_prediction`).
        """
        rows = self._rows(result, count)
        if len(rows) != count:
            many = "few" if len(rows) < count else "many"
            raise self._wrong(
                f"predict returned too {many} predictions, {len(rows)} for {_datapoints(count)}; return one for each",
                self._entry,
            )
        columns = None if self._keys is None else _columns(rows, self._keys)
        if columns is None:
            rows = rows if _is_plain(rows) else self._all_converted(rows)
        elif not all(map(_is_plain, columns)):
            rows, columns = self._all_converted(rows), None
        if self._keys is not None:
            if columns is None:
                self._check_keys(rows, self._keys)
                columns = [[row[key] for row in rows] for key in self._keys]
            self._check_lengths(columns, self._keys)
        return rows

    def known(self, value: object) -> object:
        """What a function made of a prediction, as any process knows it.

        Raises:
            InvalidInputError: it holds something of no known type (`bad_prediction`).
        """
        try:
            return _known(value, 0)
        except _Unknown as error:
            where = f" in {error.path}" if error.path else ""
            raise self._wrong(f"what was made of a prediction {error.reason}{where}") from None

    # --- a list of predictions ---

    def _rows(self, result: object, count: int) -> list[Any]:
        if type(result) is list:
            return result
        if isinstance(result, list | tuple):
            return list(result)
        if isinstance(result, Mapping):
            return self._transposed(result, count)
        listed = None if isinstance(result, SCALARS) else _listed(result)
        if listed is not None:
            return listed
        raise self._wrong(
            f"predict returned {_kind(result)}; return a list with one prediction for each datapoint "
            f"({count} here), or a mapping of such lists",
            self._entry,
        )

    def _transposed(self, result: Mapping[Any, Any], count: int) -> list[Any]:
        """Predictions of a mapping of columns."""
        if not result and count:
            raise self._wrong(f"predict returned an empty mapping for {_datapoints(count)}", self._entry)
        if self._keys is not None:
            self._check_named(tuple(result), self._keys, "the mapping that predict returned")
        columns = {}
        for key, value in result.items():
            column = list(value) if isinstance(value, list | tuple) else _listed(value)
            if column is None:
                raise self._wrong(
                    f"predict returned one mapping, with {_kind(value)} in {key!r}; return a list with one mapping for "
                    f"each datapoint, as [prediction], or one mapping with a list for each key",
                    self._entry,
                )
            if len(column) != count:
                raise self._wrong(
                    f"predict returned a mapping with {_entries(len(column))} in {key!r} for {_datapoints(count)}; "
                    "each key needs one entry for each datapoint, or return a list with one mapping for each",
                    self._entry,
                )
            columns[key] = column
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _all_converted(self, rows: list[Any]) -> list[object]:
        made: list[object] = []
        for place, row in enumerate(rows, 1):
            try:
                made.append(_known(row, 0))
            except _Unknown as error:
                where = f" in {error.path}" if error.path else ""
                raise self._wrong(f"prediction {place} of {len(rows)} {error.reason}{where}") from None
        return made

    # --- what each must hold ---

    def _check_keys(self, rows: list[Any], keys: tuple[str, ...]) -> None:
        for place, row in enumerate(rows, 1):
            if type(row) is not dict:
                raise self._wrong(
                    f"prediction {place} of {len(rows)} is {_kind(row)}; it must be a mapping with {', '.join(keys)}"
                )
            self._check_named(tuple(row), keys, f"prediction {place} of {len(rows)}")

    def _check_named(self, named: tuple[object, ...], keys: tuple[str, ...], what: str) -> None:
        lacking = [key for key in keys if key not in named]
        if not lacking:
            return
        from localreg.names import did_you_mean  # only an error needs it

        there = [str(each) for each in named]
        near = did_you_mean(lacking[0], [each for each in there if each not in keys]) if len(lacking) == 1 else ""
        has = f"it has {', '.join(there)}" if there else "it is empty"
        raise self._wrong(f"{what} has no {', '.join(map(repr, lacking))}{near or f'; {has}'}")

    def _check_lengths(self, columns: list[list[Any]], keys: tuple[str, ...]) -> None:
        kinds = [set(map(type, column)) for column in columns]
        sized = [place for place, each in enumerate(kinds) if not each <= SINGLE]
        if len(sized) < 2:
            return
        if all(kinds[place].isdisjoint(SINGLE) for place in sized):
            lengths = [list(map(len, columns[place])) for place in sized]
            if all(each == lengths[0] for each in lengths):
                return
        for row in range(len(columns[0])):
            found = {keys[at]: len(columns[at][row]) for at in sized if type(columns[at][row]) not in SINGLE}
            if len(set(found.values())) > 1:
                told = ", ".join(f"{_entries(length)} in {key!r}" for key, length in found.items())
                raise self._wrong(
                    f"prediction {row + 1} of {len(columns[0])} has unequal lengths: {told}; what does not belong "
                    "together entry by entry stands better outside of output.keys"
                )

    def _wrong(self, text: str, place: str | None = None) -> InvalidInputError:
        return InvalidInputError(f"{place or self._place}: {text}", code="bad_prediction")


# --- types ------------------------------------------------------------------------------------------------------------


def _columns(rows: list[Any], keys: tuple[str, ...]) -> list[list[Any]] | None:
    """Values of mappings that hold these keys and no others, by key; None if they are something else."""
    if set(map(type, rows)) != {dict} or set(map(len, rows)) != {len(keys)}:
        return None
    try:
        return [list(map(itemgetter(key), rows)) for key in keys]
    except KeyError:
        return None


def _is_plain(values: list[Any]) -> bool:
    """Whether all of them, and all that they hold, are of known types as they stand."""
    array = getattr(sys.modules.get("numpy"), "ndarray", None)
    for _ in range(DEEPEST):
        kinds = set(map(type, values))
        if kinds <= PLAIN:
            return True
        if kinds <= LISTS:  # as boxes and scores are
            values = list(chain.from_iterable(values))
            continue
        kinds -= PLAIN
        if array in kinds:
            kinds.remove(array)
            if not all(each.ndim and each.dtype.kind in ARRAYS for each in values if type(each) is array):
                return False
        if not kinds <= CONTAINERS:
            return False
        lists = [each for each in values if type(each) in LISTS]
        mappings = [each for each in values if type(each) is dict]
        if not set(map(type, set(chain.from_iterable(mappings)))) <= {str}:
            return False
        values = list(chain(chain.from_iterable(map(dict.values, mappings)), chain.from_iterable(lists)))
    return False


def _known(value: Any, depth: int) -> object:
    """A value of known types.

    Raises:
        _Unknown: it is of another one.
    """
    if type(value) in PLAIN:
        return value
    if depth > DEEPEST:
        raise _Unknown(f"is nested more than {DEEPEST} deep, or holds itself")
    if isinstance(value, Mapping):
        return dict(_known_items(value, depth))
    if isinstance(value, list | tuple):
        made = [_within(each, f"[{place}]", depth) for place, each in enumerate(value)]
        return made if isinstance(value, list) else tuple(made)
    array = _array(value)
    if array is not None:
        return _known_array(array, depth)
    if isinstance(value, str):
        return str.__str__(value)
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if callable(getattr(value, "tolist", None)) and not isinstance(value, type):
        return _known(value.tolist(), depth + 1)
    raise _Unknown(f"holds {_kind(value)}, which is {_advice(value)}")


def _known_items(value: Mapping[Any, Any], depth: int) -> Iterable[tuple[str, object]]:
    for key, each in value.items():
        if not isinstance(key, str):
            raise _Unknown(f"holds a mapping with the key {key!r}, which is no text")
        yield str.__str__(key), _within(each, f"[{key!r}]", depth)


def _within(value: object, step: str, depth: int) -> object:
    try:
        return _known(value, depth + 1)
    except _Unknown as error:
        error.path = step + error.path
        raise


def _known_array(array: Any, depth: int) -> object:
    kind = array.dtype.kind
    if array.ndim == 0:
        if kind == "M":  # of nanoseconds, item() would make a whole number
            array = array.astype("datetime64[us]")
        item = array.item()
        if type(item) in PLAIN:
            return item
        if kind == "f":  # wider than Python's
            return float(item)
    elif kind in ARRAYS:
        return array
    elif kind == "O":
        return _known(array.tolist(), depth + 1)
    raise _Unknown(f"holds an array of {array.dtype}, which is of no known type")


def _array(value: Any) -> Any:
    """The numpy array of an array, a tensor, a scalar of numpy or what can be made one; None for all else."""
    numpy = sys.modules.get("numpy")
    is_tensor = type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "detach")
    if isinstance(value, type) or not (is_tensor or (numpy is not None and hasattr(value, "__array__"))):
        return None
    try:
        if is_tensor:
            value = value.detach().cpu()
            return (value.float() if str(value.dtype) == "torch.bfloat16" else value).numpy()  # numpy has no bfloat16
        return numpy.asarray(value)  # type: ignore[union-attr]  # it is there, or value is a tensor
    except Exception as error:  # it is the library's own, and may raise anything
        raise _Unknown(f"holds {_kind(value)} that is no array ({type(error).__name__}: {error})") from error


def _listed(value: Any) -> list[Any] | None:
    """The entries of an array or a tensor; None if it has none."""
    try:
        array = _array(value)
    except _Unknown:
        return None
    if array is not None:
        if array.ndim == 0:
            return None
        return list(array) if array.ndim > 1 or array.dtype.kind == "M" else list(array.tolist())
    made = value.tolist() if callable(getattr(value, "tolist", None)) else None
    return made if isinstance(made, list) else None


# --- words ------------------------------------------------------------------------------------------------------------


def _datapoints(count: int) -> str:
    return f"{count} datapoint{'' if count == 1 else 's'}"


def _entries(count: int) -> str:
    return f"{count} entr{'y' if count == 1 else 'ies'}"


def _kind(value: object) -> str:
    """What something is, such as `a str` or `an inference.Box`."""
    if value is None:
        return "None"
    kind = type(value)
    module = kind.__module__.partition(".")[2] if kind.__module__.startswith(PRIVATE) else kind.__module__
    name = kind.__name__ if module == "builtins" else f"{module}.{kind.__qualname__}"
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _advice(value: object) -> str:
    if hasattr(value, "__dataclass_fields__"):
        return "of no known type; return dataclasses.asdict(...) of it"
    if isinstance(value, set | frozenset):
        return "in no order; return a list"
    return "of no known type; return numbers, text, lists, mappings or arrays"
