"""What `predict` returned, taken as predictions, or refused."""

from __future__ import annotations

import array
import enum
import re
import sys
from collections import OrderedDict, UserDict, namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from localreg.definitions.worker.outputs import Outputs
from localreg.errors import InvalidInputError
from tests.models import make_plan

PLACES = {"predict.output.keys": "KEYS", "predict.entrypoint": "ENTRY"}


def outputs(*keys: str) -> Outputs:
    return Outputs(make_plan("nowhere", keys=keys or None, places=PLACES))


def checked(result: object, count: int, *keys: str) -> list[Any]:
    return outputs(*keys).checked(result, count)


def same(made: object, wanted: object) -> None:
    """Equal, and of the same types, all the way down."""
    assert type(made) is type(wanted)
    if isinstance(wanted, np.ndarray):
        assert isinstance(made, np.ndarray)
        assert (made.dtype, made.tolist()) == (wanted.dtype, wanted.tolist())
    elif isinstance(wanted, dict):
        assert isinstance(made, dict)
        assert list(made) == list(wanted)
        for key in wanted:
            same(made[key], wanted[key])
    elif isinstance(wanted, list | tuple):
        assert isinstance(made, list | tuple)
        assert len(made) == len(wanted)
        for one, other in zip(made, wanted, strict=True):
            same(one, other)
    else:
        assert made == wanted


class Level(enum.IntEnum):
    HIGH = 3


class Word(str):
    __slots__ = ()


Pair = namedtuple("Pair", "a b")
NOW = datetime(2026, 11, 3, tzinfo=UTC)


PLAIN: list[object] = [
    None,
    True,
    3,
    0.5,
    float("inf"),
    "text",
    b"bytes",
    NOW,
    [],
    {},
    (),
    [1, "a", None],
    (1, (2, [3])),
]
NESTED = [{"a": {"b": [{"c": 1}]}}, [[1.0, 2.0], [3.0, 4.0]]]
ARRAYS = [np.arange(3), [np.eye(2), 1], {"a": [np.array(["x", "y"])]}]


@pytest.mark.parametrize("value", [*PLAIN, *NESTED, *ARRAYS])
def test_what_is_known_stays_as_it_is(value: object) -> None:
    same(checked([value, value], 2), [value, value])
    same(checked([{"k": value}], 1, "k"), [{"k": value}])


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.longdouble(0.5), 0.5),
        (np.array(4), 4),
        (np.datetime64("2026-11-03T00:00:00", "ns"), datetime(2026, 11, 3)),  # noqa: DTZ001 - numpy has no zones
        (np.array([1, "a"], dtype=object), [1, "a"]),
        (Level.HIGH, 3),
        (Word("w"), "w"),
        (Pair(1, np.int8(2)), (1, 2)),
        (OrderedDict(a=1), {"a": 1}),
        (UserDict(a=[np.int8(1)]), {"a": [1]}),
        (bytearray(b"x"), b"x"),
        (memoryview(b"x"), b"x"),
        (array.array("d", [0.5]), [0.5]),
        ([{"a": (np.float32(1), "b")}], [{"a": (1.0, "b")}]),
    ],
)
def test_what_can_be_made_known_is(value: object, wanted: object) -> None:
    same(checked([value, 1], 2), [wanted, 1])
    same(checked([{"k": [value]}], 1, "k"), [{"k": [wanted]}])
    same(checked([{"k": value, "more": value}], 1, "k"), [{"k": wanted, "more": wanted}])


class Tensor:
    """What `torch.Tensor` does, as far as it is used."""

    def __init__(self, data: Any, dtype: str = "torch.float32", place: str = "gpu") -> None:
        self.data, self.dtype, self.place = data, dtype, place

    def detach(self) -> Tensor:
        return Tensor(self.data, self.dtype, f"{self.place} detached")

    def cpu(self) -> Tensor:
        assert self.place == "gpu detached"
        return Tensor(self.data, self.dtype, "cpu")

    def float(self) -> Tensor:
        return Tensor(self.data, "torch.float32", self.place)

    def numpy(self) -> Any:
        assert self.place == "cpu"
        if self.dtype != "torch.float32":
            raise TypeError(f"Got unsupported ScalarType {self.dtype}")
        return np.asarray(self.data, np.float32)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


Tensor.__module__ = "torch"


def test_tensors_become_arrays() -> None:
    wanted = np.array([1, 2], np.float32)
    same(checked([Tensor([1, 2]), Tensor(3.0), Tensor([1, 2], "torch.bfloat16")], 3), [wanted, 3.0, wanted])
    same(checked(Tensor([[1, 2], [1, 2]]), 2), [wanted, wanted])
    same(checked({"a": Tensor([0.5, 1.5])}, 2, "a"), [{"a": 0.5}, {"a": 1.5}])
    with pytest.raises(InvalidInputError, match=r"holds a torch\.Tensor that is no array \(TypeError: Got .* in \[0\]"):
        checked([[Tensor([1], "torch.complex32")]], 1)


class Lazy:
    """As arrays of other libraries."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array([1, 2])


def test_arrays_of_other_libraries_become_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    same(checked([{"a": Lazy()}], 1, "a"), [{"a": np.array([1, 2])}])
    same(checked(Lazy(), 2), [1, 2])
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(InvalidInputError, match="of no known type"):
        checked([Lazy()], 1)
    same(checked([array.array("i", [1])], 1), [[1]])


def test_results_may_be_lists_mappings_of_lists_and_arrays() -> None:
    assert checked((1, 2), 2) == [1, 2]
    assert checked(np.array([1, 2]), 2) == [1, 2]
    same(checked(np.eye(2), 2), [np.array([1.0, 0.0]), np.array([0.0, 1.0])])
    same(checked({"a": [1, 2], "b": ("x", "y")}, 2), [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}])
    columns = {"boxes": np.ones((2, 3, 4)), "scores": [[1, 2, 3], [4, 5, 6]]}
    made = checked(columns, 2, "boxes", "scores")
    same(made[1], {"boxes": np.ones((3, 4)), "scores": [4, 5, 6]})
    same(checked({"at": np.array(["2026-11-03"], "M8[D]")}, 1)[0]["at"].year, 2026)


@pytest.mark.parametrize(
    ("result", "count", "said"),
    [
        ([1], 2, "predict returned too few predictions, 1 for 2 datapoints; return one for each"),
        ([1, 2], 1, "predict returned too many predictions, 2 for 1 datapoint; return one for each"),
        ("cat", 3, "predict returned a str; return a list with one prediction for each datapoint (3 here), or a "
         "mapping of such lists"),
        (None, 1, "predict returned None; return a list"),
        (b"x", 1, "predict returned a bytes; return a list"),
        (0.5, 1, "predict returned a float; return a list"),
        (np.float64(0.5), 1, "predict returned a numpy.float64; return a list"),
        ((each for each in "a"), 1, "predict returned a generator; return a list"),
        ({1, 2}, 2, "predict returned a set; return a list"),
        ({"label": "cat", "score": 0.5}, 1, "predict returned one mapping, with a str in 'label'; return a list with "
         "one mapping for each datapoint, as [prediction], or one mapping with a list for each key"),
        ({"a": [1, 2, 3]}, 1, "predict returned a mapping with 3 entries in 'a' for 1 datapoint; each key needs one"),
        ({}, 1, "predict returned an empty mapping for 1 datapoint"),
    ],
)  # fmt: skip
def test_what_is_no_list_of_predictions_is_refused(result: object, count: int, said: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^ENTRY: {re.escape(said)}") as caught:
        checked(result, count)
    assert caught.value.code == "bad_prediction"


@dataclass
class Box:
    x: int


looped: list[Any] = []
looped.append(looped)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"a": [0, object()]}, "holds an object, which is of no known type; return numbers, text, lists, mappings or "
         "arrays in ['a'][1]"),
        (Box(1), "holds a tests.unit.test_model_outputs.Box, which is of no known type; return dataclasses.asdict(...) "
         "of it"),
        ([{1}], "holds a set, which is in no order; return a list in [0]"),
        (1j, "holds a complex"),
        (np.complex64(1), "holds an array of complex64, which is of no known type"),
        (np.zeros(2, np.complex64), "holds an array of complex64"),
        (date(2026, 1, 1), "holds a datetime.date"),
        ({"a": {3: 1}}, "holds a mapping with the key 3, which is no text in ['a']"),
        (looped, "is nested more than 32 deep, or holds itself in [0][0]"),
        (len, "holds a builtin_function_or_method"),
        (np.ndarray, "holds a type"),
        (ModuleType("m"), "holds a module"),
    ],
)  # fmt: skip
def test_values_of_other_types_are_refused_with_their_place(value: object, said: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^ENTRY: prediction 2 of 2 {re.escape(said)}"):
        checked([1, value], 2)
    with pytest.raises(InvalidInputError, match=r"^KEYS: prediction 1 of 1 (holds|is nested)"):
        checked([{"k": value}], 1, "k")


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ([{"boxes": [], "score": []}] * 2, "prediction 1 of 2 has no 'scores'; did you mean 'score'?"),
        ([{"boxes": [], "scores": []}, {"boxes": []}], "prediction 2 of 2 has no 'scores'; it has boxes"),
        ([{"boxes": [], "scores": []}, {}], "prediction 2 of 2 has no 'boxes', 'scores'; it is empty"),
        ([{"boxes": [], "scores": []}, [1]], "prediction 2 of 2 is a list; it must be a mapping with boxes, scores"),
        ({"boxes": [1, 2]}, "the mapping that predict returned has no 'scores'; it has boxes"),
        ([{"boxes": [1], "scores": [1]}, {"boxes": [1], "scores": [1, 2]}], "prediction 2 of 2 has unequal lengths: 1 "
         "entry in 'boxes', 2 entries in 'scores'; what does not belong together entry by entry stands better outside "
         "of output.keys"),
        ([{"boxes": None, "scores": None}, {"boxes": np.ones((3, 4)), "scores": ()}], "prediction 2 of 2 has unequal "
         "lengths: 3 entries in 'boxes', 0 entries in 'scores'"),
    ],
)  # fmt: skip
def test_each_prediction_holds_all_keys_with_lists_of_equal_lengths(result: object, said: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^KEYS: {re.escape(said)}") as caught:
        checked(result, 2, "boxes", "scores")
    assert caught.value.code == "bad_prediction"


def test_more_keys_are_kept_and_have_lengths_of_their_own() -> None:
    rows = [{"boxes": [1], "scores": [2], "image": np.ones((4, 4)), "label": "abc"}]
    assert checked(rows, 1, "boxes", "scores") == rows
    assert checked([{"boxes": [1], "label": "abc"}], 1, "boxes", "label") == [{"boxes": [1], "label": "abc"}]
    assert checked([{"a": [1], "b": {"x": 1, "y": 2}}], 1, "a", "b") == [{"a": [1], "b": {"x": 1, "y": 2}}]
    assert checked([{"a": [1, 2], "b": [1]}], 1) == [{"a": [1, 2], "b": [1]}]
