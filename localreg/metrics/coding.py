"""Labels as whole numbers: what the counting of classes begins with."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

from localreg.errors import InvalidInputError
from localreg.metrics.reading import NUMBERS, Column, check_lengths, column_of, is_number, numpy_of

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

__all__ = ["Codes", "alike", "binary_of", "codes_of", "meant_label"]

Coded: TypeAlias = "tuple[tuple[Hashable, ...], dict[str, np.ndarray]]"

DENSE = 1 << 20
"""A span of whole numbers up to which labels are told by a table, however few samples there are."""


@dataclass(frozen=True)
class Codes:
    """Labels as whole numbers.

    Attributes:
        labels: K of them, sorted; each of its natural Python type.
        columns: int64 (n,) each: the place in `labels`; -1 = missing.
        asked: int64: the places of those that were asked for by name; None = none were.
    """

    labels: tuple[Hashable, ...]
    columns: tuple[np.ndarray, ...]
    asked: np.ndarray | None


def codes_of(
    columns: dict[str, Column], labels: Sequence[object] | None = None, required: Iterable[str] = ("truth",)
) -> Codes:
    """Columns of labels, coded alike; all of one length.

    Args:
        columns: each with its name in messages.
        labels: also these, whether they occur or not.
        required: those in which no value may be missing.

    Raises:
        InvalidInputError: lengths differ, a value is missing where it must not, or labels do not compare.
    """
    read = {what: column_of(values, what) for what, values in columns.items()}
    check_lengths(**read)
    if labels is not None:
        read["labels"] = column_of(labels, "labels")
    found, coded = _coded(read)
    for what in (*required, *(("labels",) if labels is not None else ())):
        if len(coded[what]) and coded[what].min() < 0:
            raise InvalidInputError(
                f"{what} has no label in row {int((coded[what] < 0).argmax())}; leave the sample out"
            )
    return Codes(found, tuple(coded[what] for what in columns), coded.get("labels"))


def binary_of(values: Column, what: str = "truth", pos_label: object = 1) -> np.ndarray:
    """Whether each sample is positive: bool (n,).

    Args:
        values: booleans, numbers 0 and 1, or any two labels.
        what: its name in messages.
        pos_label: the positive label; 1 is True as well.

    Raises:
        InvalidInputError: a label is missing, there are more than two, or two of which none is the positive one.
    """
    import numpy as np

    if isinstance(values, np.ndarray) and values.dtype == np.bool_ and values.ndim == 1 and pos_label in (True, 1):
        return values
    codes = codes_of({what: values}, required=(what,))
    positive = [place for place, label in enumerate(codes.labels) if label == pos_label]
    if (
        len(codes.labels) > 2
        or len(codes.labels) - len(positive) > 1
        or (not positive and alike(codes.labels, pos_label))
    ):
        raise InvalidInputError(
            f"{what} holds {_some(codes.labels)}; it must hold two labels, of which pos_label={pos_label!r} is one"
            + meant_label(codes.labels, pos_label)
        )
    return np.asarray(codes.columns[0] == positive[0]) if positive else np.zeros(len(codes.columns[0]), bool)


def alike(labels: Sequence[object], pos_label: object) -> list[object]:
    """The labels that are written like another one, though they are not it: "1" and 1."""
    return [label for label in labels if str(label).casefold() == str(pos_label).casefold()]


def meant_label(labels: Sequence[object], pos_label: object) -> str:
    """What to pass for the positive label, at the end of a message: the one that is written alike, or the last of two.

    Empty where there is nothing to say: of more than two labels none is written like it.
    """
    meant = alike(labels, pos_label) or (list(labels[1:]) if len(labels) == 2 else [])
    return f"; say which one is positive, such as pos_label={meant[0]!r}" if meant else ""


def _coded(columns: dict[str, np.ndarray | pa.Array]) -> Coded:
    import numpy as np

    filled, there = {}, {}
    for what, column in columns.items():
        if not isinstance(column, np.ndarray) and is_number(column.type):  # with nulls
            there[what] = numpy_of(column.is_valid())
            column = numpy_of(column.drop_null())
        if len(column):
            filled[what] = column
    if all(isinstance(column, np.ndarray) and column.dtype.kind in NUMBERS for column in filled.values()):
        coder: Callable[..., Coded] = _coded_numbers
    elif all(_is_text(column) for column in filled.values()):
        coder = _coded_texts
    else:
        coder = _coded_objects
    labels, coded = coder(filled)
    for what, valid in there.items():
        codes = np.full(len(valid), -1, np.int64)
        codes[valid] = coded.get(what, -1)
        coded[what] = codes
    return labels, {what: coded.get(what, np.zeros(0, np.int64)) for what in columns}


def _coded_numbers(columns: dict[str, np.ndarray]) -> Coded:
    """A table of what occurs if the numbers are whole and lie together; else sorting."""
    import numpy as np

    if not columns:
        return (), {}
    kind = np.result_type(*(column.dtype for column in columns.values()))
    if kind.kind in "iu":
        low = min(int(column.min()) for column in columns.values())
        span = max(int(column.max()) for column in columns.values()) - low + 1
        if span <= max(DENSE, 2 * max(map(len, columns.values()))):
            return _coded_dense(columns, low, span)
    if kind.kind == "f" and any(
        column.dtype.kind in "iu" and column.dtype.itemsize == 8 for column in columns.values()
    ):
        return _coded_objects(columns)  # as floats, large whole numbers would fall together
    every = np.concatenate([column.astype(kind, copy=False) for column in columns.values()])
    found, places = np.unique(every, return_inverse=True)
    if kind.kind == "f":
        found = found[~np.isnan(found)]
        places = np.where(places < len(found), places, -1)
    parts = np.split(places.astype(np.int64, copy=False), np.cumsum([len(column) for column in columns.values()])[:-1])
    return tuple(found.tolist()), dict(zip(columns, parts, strict=True))


def _coded_dense(columns: dict[str, np.ndarray], low: int, span: int) -> Coded:
    import numpy as np

    there, shifted = np.zeros(span, bool), {}
    signed = any(column.dtype.kind != "u" for column in columns.values())
    for what, column in columns.items():
        wide = column.astype(np.int64 if signed else np.uint64, copy=False)
        shifted[what] = (wide - wide.dtype.type(low)).astype(np.int64, copy=False)
        there[shifted[what]] = True
    codes = np.cumsum(there) - 1
    return tuple((np.flatnonzero(there) + low).tolist()), {what: codes[column] for what, column in shifted.items()}


def _is_text(column: np.ndarray | pa.Array) -> bool:
    import numpy as np

    if isinstance(column, np.ndarray):
        return False
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_null)) or (
        hasattr(pa.types, "is_string_view") and pa.types.is_string_view(kind)
    )


def _coded_texts(columns: dict[str, pa.Array]) -> Coded:
    import numpy as np
    import pyarrow as pa

    coded, words = {}, {}
    for what, column in columns.items():
        if pa.types.is_null(column.type):
            column = column.cast(pa.large_string())
        each = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        coded[what] = numpy_of(each.indices.cast(pa.int64()).fill_null(-1))  # Polars numbers without a sign
        words[what] = each.dictionary.to_pylist()
    used = {what: set(np.unique(coded[what]).tolist()) for what in columns}
    labels = sorted(
        {word for what in columns for code, word in enumerate(words[what]) if code in used[what] and word is not None}
    )
    places = {label: place for place, label in enumerate(labels)}
    for what in columns:  # one more place at the end, which -1 reaches
        table = np.array([*(places.get(word, -1) for word in words[what]), -1], np.int64)
        coded[what] = table[coded[what]]
    return tuple(labels), coded


def _coded_objects(columns: dict[str, np.ndarray | pa.Array]) -> Coded:
    import numpy as np

    listed = {what: [_label(value) for value in column.tolist()] for what, column in columns.items()}
    try:
        found = {value for column in listed.values() for value in column}
        labels = tuple(sorted(cast(set[str], found - {None})))  # or of any type that compares
    except TypeError as error:
        raise InvalidInputError(f"{' and '.join(columns)} hold labels that do not compare: {error}") from error
    places: dict[object, int] = {None: -1, **{label: place for place, label in enumerate(labels)}}
    return labels, {
        what: np.fromiter((places[value] for value in column), np.int64, len(column)) for what, column in listed.items()
    }


def _label(value: object) -> Hashable:
    """The label; None for what pandas and numpy write where there is none."""
    return value if value is not None and value == value else None


def _some(labels: Sequence[object]) -> str:
    shown = ", ".join(map(repr, labels[:4]))
    return f"{len(labels)} labels: {shown}{', …' if len(labels) > 4 else ''}" if labels else "no label"
