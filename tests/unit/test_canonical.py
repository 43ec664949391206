from __future__ import annotations

import contextlib
import datetime as dt
import enum
import json
import math
import struct
from collections import OrderedDict, defaultdict
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, cast

import numpy as np
import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from localreg.canonical import JsonValue, canonical, checked_json, checked_object, parse, quoted, sha256_hex
from localreg.errors import FormatError, InvalidInputError

# Characters on both sides of every border that matters: escapes, ASCII, surrogates' place, E000…FFFF, astral.
_border = st.sampled_from('\x00\x08\t\n\x0b\x1f "/\\\x7f\x80é€\u2028\ud7ff\ue000\ufb33\ufeff\uffff𐀀😀\U0010ffff')
text = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), _border), max_size=12)
whole_floats = st.integers(-(10**22), 10**22).map(float)
any_bits = st.binary(min_size=8, max_size=8).map(lambda b: float(struct.unpack("<d", b)[0])).filter(math.isfinite)
powers_of_ten = st.builds(lambda m, e: float(f"{m}e{e}"), st.integers(-99, 99), st.integers(-30, 30))
floats = st.one_of(st.floats(allow_nan=False, allow_infinity=False), whole_floats, any_bits, powers_of_ten)
doubles = st.integers(-(2**53) + 1, 2**53 - 1)  # integers that JCS allows


def json_values(integers: st.SearchStrategy[int]) -> st.SearchStrategy[JsonValue]:
    leaves: st.SearchStrategy[JsonValue] = st.one_of(st.none(), st.booleans(), integers, floats, text)
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(text, inner, max_size=5), max_leaves=20
    )


@given(json_values(doubles))
@example({"\ue000": 1, "😀": 2})
@example({"a": [1.0], "b": {"c": 1e-5}, "d": -0.0})
def test_is_what_the_reference_implementation_writes(value: JsonValue) -> None:
    assert canonical(value).encode() == rfc8785.dumps(value)


@given(json_values(st.integers()))
@example(2.912314454243423e16)
@example([1e21, -1e16, 2.0**53])
def test_what_is_checked_and_written_reads_back_equal(value: JsonValue) -> None:
    assert parse(canonical(checked_json(value, what="value"))) == value


@given(floats)
def test_writes_a_lone_float_as_the_reference_implementation(number: float) -> None:
    assert canonical(number).encode() == rfc8785.dumps(number)


@given(text)
def test_quoted_is_the_canonical_text_of_a_string(value: str) -> None:
    assert quoted(value) == canonical(value)


# RFC 8785, appendix B: the bits of a double, and what ECMAScript writes.
APPENDIX_B = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


@pytest.mark.parametrize(("bits", "written"), APPENDIX_B)
def test_numbers_of_rfc_8785_appendix_b(bits: str, written: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical(number) == written
    assert canonical({"n": [number]}) == f'{{"n":[{written}]}}'


def test_example_of_rfc_8785_section_3_2_2() -> None:
    given_text = r"""{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }"""
    expected = (
        r'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        r'"string":"€$\u000f\nA' + "'" + r'B\"\\\\\"/"}'
    )
    assert canonical(parse(given_text)) == expected


def test_keys_of_rfc_8785_section_3_2_3_stand_in_utf_16_order() -> None:
    value: JsonValue = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\u00f6": 7}
    assert list(json.loads(canonical(value)).values()) == [2, 4, 6, 7, 1, 5, 3]


@given(json_values(st.integers(-(10**40), 10**40)))
def test_reading_back_gives_an_equal_value_and_the_same_text(value: JsonValue) -> None:
    written = canonical(checked_json(value, what="value"))
    assert canonical(parse(written)) == canonical(parse(written.encode())) == written
    assert _as_floats(parse(written)) == _as_floats(value)


def _as_floats(value: JsonValue) -> JsonValue:
    """Whole floats beyond 2**53 read back as integers of other digits but the same float."""
    if isinstance(value, list):
        return [_as_floats(item) for item in value]
    if isinstance(value, dict):
        return {key: _as_floats(item) for key, item in value.items()}
    return float(value) if isinstance(value, float | int) and not isinstance(value, bool) else value


def test_integers_of_any_size_keep_all_digits() -> None:
    assert canonical({"id": 2**64 + 1, "n": -(10**30), "x": 1e-7}) == (
        '{"id":18446744073709551617,"n":-1000000000000000000000000000000,"x":1e-7}'
    )


@pytest.mark.parametrize("value", ["1.0,", "v1e-5", "x.0]", "e-1}"])
def test_text_that_looks_like_a_number_is_left_alone(value: str) -> None:
    assert canonical({"a": value}) == f'{{"a":"{value}"}}'


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": {1}}, {"a": 1, 2: "b"}])
def test_canonical_of_unchecked_values_raises_our_own_error(value: object) -> None:
    with pytest.raises(InvalidInputError, match="checked_json"):
        canonical(cast(JsonValue, value))


# --- checked ----------------------------------------------------------------------------------------------------------


class Pair(NamedTuple):
    left: object
    right: object


class Colour(enum.StrEnum):
    RED = "red"


class Old(str, enum.Enum):  # noqa: UP042  # the style whose str() is not its value
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Shouting(float):
    def __float__(self) -> float:
        return 99.0


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ((1, (2,)), [1, [2]]),
        (Pair(1, [Pair(2, 3)]), [1, [[2, 3]]]),
        (Colour.RED, "red"),
        (Old.RED, "red"),
        (Level.HIGH, 3),
        (Shouting(1.5), 1.5),
        (np.float64(0.5), 0.5),
        (np.float32(0.5), 0.5),
        (np.int16(-3), -3),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.array(2.5), 2.5),
        (OrderedDict(a=1), {"a": 1}),
        (defaultdict(int, a=1), {"a": 1}),
        (MappingProxyType({"a": [1]}), {"a": [1]}),
        ({Colour.RED: Colour.RED}, {"red": "red"}),
    ],
)
def test_near_json_becomes_plain(value: object, plain: JsonValue) -> None:
    checked = checked_json(value, what="v")
    assert checked == plain
    assert _types(checked) == _types(plain)


def _types(value: JsonValue) -> object:
    if isinstance(value, dict):
        return [(type(key), _types(item)) for key, item in value.items()]
    return [_types(item) for item in value] if isinstance(value, list) else type(value)


@given(json_values(st.integers()))
def test_checked_is_an_equal_copy_that_shares_nothing(value: JsonValue) -> None:
    checked = checked_json(value, what="v")
    assert checked == value
    assert not _containers(checked) & _containers(value)


def _containers(value: JsonValue) -> set[int]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return set() if inner is None else {id(value)}.union(*map(_containers, inner))


cyclic: dict[str, object] = {}
cyclic["self"] = [cyclic]


def nested(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"optim": {"lr": math.nan}},
            "metadata.optim.lr is NaN: JSON has no NaN; write None, leave the key out, or store it as text",
        ),
        ({"a": [1, -math.inf]}, "metadata.a[1] is infinite: JSON has no infinity; leave the key out or store"),
        ({"a": np.float32("nan")}, "metadata.a is NaN"),
        ({"a": b"x"}, "metadata.a is a bytes, which JSON cannot hold; store bytes as an artifact"),
        ({"a": {1}}, "metadata.a is a set, which JSON cannot hold; write sorted(value)"),
        ({"when": dt.date(2026, 1, 1)}, "metadata.when is a date, which JSON cannot hold; write value.isoformat()"),
        ({"a": np.arange(3)}, "metadata.a is a ndarray, which JSON cannot hold; write value.tolist()"),
        ({"a": np.array([1])}, "metadata.a is a ndarray"),
        ({"a": np.complex64(1)}, "metadata.a is a complex64"),
        ({"a": np.datetime64("2026-01-01")}, "metadata.a is a datetime64"),
        ({"a": Path("x")}, "; write str(value)"),
        ({"a": print}, "; write its name"),
        ({"a": object()}, "metadata.a is an object, which JSON cannot hold; store it as text"),
        ({"a": {3: 1}}, "metadata.a has the key 3, an int: keys in JSON are text; write str(key)"),
        ({None: 1}, "metadata has the key None, None"),
        ({"a": "x\ud800"}, "metadata.a contains half of a surrogate pair"),
        ({"a\udc00": 1}, r'metadata["a\udc00"] contains half of a surrogate pair'),
        ({"a.b": {"": [math.nan]}}, 'metadata["a.b"][""][0] is NaN'),
        ({"k" * 300: math.nan}, 'k…"] is NaN'),
        ({"n": 10**640}, "metadata.n is an integer of more than 640 digits; store it as text"),
        ({"n": -(10**9999)}, "metadata.n is an integer of more than 640 digits"),
        (cyclic, "is nested more than 100 levels deep, or contains itself"),
        ({"a": nested(100)}, "is nested more than 100 levels deep"),
        ("x", "metadata is a str, not a mapping of names to values; for a JSON text pass json.loads(text)"),
        ([1], "metadata is a list, not a mapping of names to values; give each value a name"),
        (None, "metadata is None, not a mapping of names to values; pass {} for none"),
        (dt.date(2026, 1, 1), "metadata is a date, not a mapping"),
    ],
)
def test_refuses_with_the_path_and_the_next_step(value: object, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        checked_object(value, what="metadata")
    assert message in str(caught.value)
    str(caught.value).encode()  # a message can be printed, whatever was in the input


def test_lets_in_what_is_just_not_too_much() -> None:
    value = {"deep": nested(99), "big": 10**640 - 1, "small": -(10**640) + 1, "text": "𐀀\x00\n"}
    assert parse(canonical(checked_object(value, what="v"))) == value


def test_checked_json_names_the_value_itself_when_there_is_no_path() -> None:
    with pytest.raises(InvalidInputError, match=r"^score is NaN"):
        checked_json(math.nan, what="score")


# --- parse ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "{",
        "{'a':1}",
        "[1,]",
        "NaN",
        "[-Infinity]",
        "1e999",
        "-1e999",
        "1" * 5000,
        "[" * 100_000,
        '"\\ud800"',
        '"\ud800"',
        "\ufeff{}",
        b"\xff\xfe",
        b'"\xed\xa0\x80"',
        "1 2",
        '"\n"',
    ],
)
def test_parse_refuses_with_our_own_error(bad: str | bytes) -> None:
    with pytest.raises(FormatError, match="restore the file from a copy"):
        parse(bad)


def test_parse_takes_what_others_wrote() -> None:
    assert parse(b' {"b" : 1e2, "a": "\\ud83d\\ude00"} ') == {"b": 100.0, "a": "😀"}


@given(st.binary(max_size=30) | st.text(max_size=30))
def test_parse_raises_nothing_but_our_own_error(data: str | bytes) -> None:
    with contextlib.suppress(FormatError):
        canonical(parse(data))


def test_sha256_of_text_is_that_of_its_utf_8() -> None:
    assert sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_hex("é") == sha256_hex(b"\xc3\xa9")


def test_what_is_nested_too_deep_is_told_as_that() -> None:
    with pytest.raises(FormatError, match=r"JSON nested deeper than about 1,000 levels"):
        parse("[" * 100_000 + "]" * 100_000)
