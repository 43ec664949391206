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

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from localreg.definitions.plan import Plan
from localreg.definitions.worker.values import SCALARS, SINGLE, Unknown, is_plain, kind_of, known, listed
from localreg.errors import InvalidInputError

__all__ = ["Outputs"]


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
            rows = rows if is_plain(rows) else self._all_converted(rows)
        elif not all(map(is_plain, columns)):
            rows, columns = self._all_converted(rows), None
        if self._keys is not None:
            if columns is None:
                self._check_keys(rows, self._keys)
                columns = [[row[key] for row in rows] for key in self._keys]
            self._check_lengths(columns, self._keys)
        return rows

    def made(self, value: object) -> object:
        """What a function made of a prediction, as any process knows it.

        Raises:
            InvalidInputError: it holds something of no known type (`bad_prediction`).
        """
        return self._known(value, "what was made of a prediction")

    # --- a list of predictions ---

    def _rows(self, result: object, count: int) -> list[Any]:
        if type(result) is list:
            return result
        if isinstance(result, list | tuple):
            return list(result)
        if isinstance(result, Mapping):
            return self._transposed(result, count)
        entries = None if isinstance(result, SCALARS) else listed(result)
        if entries is not None:
            return entries
        raise self._wrong(
            f"predict returned {kind_of(result)}; return a list with one prediction for each datapoint "
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
            column = list(value) if isinstance(value, list | tuple) else listed(value)
            if column is None:
                raise self._wrong(
                    f"predict returned one mapping, with {kind_of(value)} in {key!r}; return a list with one mapping "
                    f"for each datapoint, as [prediction], or one mapping with a list for each key",
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
        return [self._known(row, f"prediction {place} of {len(rows)}") for place, row in enumerate(rows, 1)]

    def _known(self, value: object, what: str) -> object:
        try:
            return known(value, 0)
        except Unknown as error:
            where = f" in {error.path}" if error.path else ""
            raise self._wrong(f"{what} {error.reason}{where}") from None

    # --- what each must hold ---

    def _check_keys(self, rows: list[Any], keys: tuple[str, ...]) -> None:
        for place, row in enumerate(rows, 1):
            if type(row) is not dict:
                raise self._wrong(
                    f"prediction {place} of {len(rows)} is {kind_of(row)}; it must be a mapping with {', '.join(keys)}"
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


def _columns(rows: list[Any], keys: tuple[str, ...]) -> list[list[Any]] | None:
    """Values of mappings that hold these keys and no others, by key; None if they are something else."""
    if set(map(type, rows)) != {dict} or set(map(len, rows)) != {len(keys)}:
        return None
    try:
        return [list(map(itemgetter(key), rows)) for key in keys]
    except KeyError:
        return None


def _datapoints(count: int) -> str:
    return f"{count} datapoint{'' if count == 1 else 's'}"


def _entries(count: int) -> str:
    return f"{count} entr{'y' if count == 1 else 'ies'}"
