"""Canonical JSON: one text for one value, so that equal records have equal digests.

Guarantees: `canonical` writes RFC 8785 (JSON Canonicalization Scheme, JCS: A. Rundgren, B. Jordan, S. Erdtman, 2020):
no white space, keys in the order of their UTF-16 code units, numbers as ECMAScript writes them, the shortest escapes.
`checked_json` stands at the door: what it lets in can be written, hashed, read back and queried; what it refuses is
named by its path. `parse` never returns what `canonical` could not write again.

Accepted, and worth knowing:

- **Integers are written in full**, where JCS would round beyond 2**53 (its section 3.2.2.3 sees only doubles): an id
  or a nanosecond time that a user gave is never changed. This is the one extension; texts without such integers are
  JCS to the byte.
- **A float of integral value is written as an integer** (`1.0` → `1`), as JCS says, and so it reads back as an `int`;
  `-0.0` becomes `0`. `checked_json` makes those from 2**53 to 1e21 integers itself, since JCS would write their
  shortest digits, which as an integer are another number: what comes back is always equal to what was given.
- `parse` keeps the last of duplicate keys. Whoever must know compares `canonical(parse(text))` with the text.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from json.encoder import encode_basestring
from reprlib import repr as short_repr
from typing import Any, NoReturn, TypeAlias

from localreg.errors import FormatError, InvalidInputError

__all__ = [
    "JsonObject",
    "JsonValue",
    "canonical",
    "checked_json",
    "checked_object",
    "parse",
    "quoted",
    "sha256_hex",
]

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
"""What JSON can say, in plain Python types."""

JsonObject: TypeAlias = dict[str, JsonValue]
"""A JSON object: metadata, a record, a payload."""

_DEEPEST = 100
"""Levels of nesting let in. Every JSON reader in reach copes with it, and a cycle ends there."""

_WHOLE = 2.0**53
"""Floats from here on are whole numbers."""

_LARGEST = 10**640
"""Integers are smaller: 640 digits is what every setting of `sys.set_int_max_str_digits` can read and write."""


# --- what users pass in -----------------------------------------------------------------------------------------------


def checked_json(value: object, *, what: str) -> JsonValue:
    """A deep copy of `value` in plain types, independent of the caller's object from then on.

    Tuples become lists, mappings dicts; subclasses of str, int and float (members of a `StrEnum`, `numpy.float64`)
    and numpy scalars become the plain value.

    Args:
        value: what a user passed in.
        what: the argument's name, which begins the path in messages: `metadata.optim.lr`.

    Raises:
        InvalidInputError: JSON cannot hold it: NaN, infinities, bytes, dates, sets, keys that are not text, lone
            surrogates, cycles, more than 100 levels. The message names the key and what to do.
    """
    try:
        return _plain(value, 0)
    except _RefusedError as refused:
        raise InvalidInputError(refused.told(what)) from None


def checked_object(value: object, *, what: str) -> JsonObject:
    """As `checked_json`, for an argument that must be a mapping.

    Raises:
        InvalidInputError: also for a list, a JSON text and everything else that is no mapping.
    """
    if not isinstance(value, Mapping):
        raise InvalidInputError(f"{what} is {_article(value)}, not a mapping of names to values{_object_hint(value)}")
    try:
        return _plain_object(value, 0)
    except _RefusedError as refused:
        raise InvalidInputError(refused.told(what)) from None


class _RefusedError(Exception):
    """A value that is refused. Each level adds its key as the stack unwinds, so good input pays nothing for paths."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.steps: list[str] = []

    def told(self, what: str) -> str:
        return f"{what}{''.join(reversed(self.steps))} {self.reason}"


def _plain(value: object, depth: int) -> JsonValue:
    known: Any = value  # the exact type is asked below, in a way that mypy does not follow
    kind = type(value)
    if kind is float:
        return _finite(known)
    if kind is int:
        return _bounded(known)
    if kind is str:
        return _text(known)
    if kind is dict:
        return _plain_object(known, depth)
    if kind is list or kind is tuple:
        return _plain_list(known, depth)
    if value is None or value is True or value is False:
        return value
    return _unusual(value, depth)


def _plain_object(value: Mapping[Any, Any], depth: int) -> JsonObject:
    if depth >= _DEEPEST:
        raise _RefusedError(_TOO_DEEP)
    plain: JsonObject = {}
    key = None
    try:
        for key, item in value.items():
            name = key if type(key) is str and key.isascii() else _key(key)
            # Most metadata is plain text: it is taken here, without another call.
            plain[name] = item if type(item) is str and item.isascii() else _plain(item, depth + 1)
    except _RefusedError as refused:
        refused.steps.append(_step(key))
        raise
    return plain


def _plain_list(value: Sequence[object], depth: int) -> list[JsonValue]:
    if depth >= _DEEPEST:
        raise _RefusedError(_TOO_DEEP)
    plain: list[JsonValue] = []
    try:
        for item in value:
            plain.append(_plain(item, depth + 1))
    except _RefusedError as refused:
        refused.steps.append(f"[{len(plain)}]")
        raise
    return plain


def _unusual(value: object, depth: int) -> JsonValue:
    """Subclasses, other mappings, numpy scalars: right, but seldom."""
    # The types' own methods, since a subclass (an enum, above all) may say something else in str() or float().
    if isinstance(value, str):
        return _text(str.__str__(value))
    if isinstance(value, float):
        return _finite(float.__float__(value))
    if isinstance(value, int):
        return _bounded(int.__int__(value))
    if isinstance(value, Mapping):
        return _plain_object(value, depth)
    if isinstance(value, list | tuple):
        return _plain_list(value, depth)
    # Told by the module's name: importing numpy to ask would cost a hundred times the rest of the call.
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        item = value.item()  # type: ignore[attr-defined]
        if type(item) in (bool, int, float, str):
            return _plain(item, depth)
    raise _RefusedError(f"is {_article(value)}, which JSON cannot hold{_hint(value)}")


def _text(value: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _RefusedError(_LONE_SURROGATE) from None
    return value


def _finite(value: float) -> float | int:
    if -_WHOLE < value < _WHOLE:
        return value
    if math.isfinite(value):
        # Up to 1e21 it would be written with its shortest digits, which read back as another integer.
        return int(value) if abs(value) < 1e21 else value
    if math.isnan(value):  # in data frames, what is missing
        raise _RefusedError("is NaN: JSON has no NaN; write None, leave the key out, or store it as text")
    raise _RefusedError("is infinite: JSON has no infinity; leave the key out or store it as text")


def _bounded(value: int) -> int:
    if -_LARGEST < value < _LARGEST:
        return value
    raise _RefusedError("is an integer of more than 640 digits; store it as text")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise _RefusedError(f"has the key {short_repr(key)}, {_article(key)}: keys in JSON are text; write str(key)")
    return _text(str.__str__(key))


_TOO_DEEP = f"is nested more than {_DEEPEST} levels deep, or contains itself; store deep structures as an artifact"
_LONE_SURROGATE = (
    "contains half of a surrogate pair, which is not valid Unicode; "
    "text decoded with errors='surrogateescape' must be decoded properly"
)
_SIMPLE_KEY = re.compile(r"[^\W\d][\w-]{0,99}", re.ASCII)


def _step(key: object) -> str:
    """One step of a path, `.lr` or `["a.b"]`: pure ASCII and short, whatever the key is."""
    if not isinstance(key, str):
        return ""  # the key itself is refused, in the object that holds it
    if _SIMPLE_KEY.fullmatch(key):
        return f".{key}"
    shown = json.dumps(key)
    return f"[{shown}]" if len(shown) <= 100 else f'[{shown[:97]}…"]'


def _article(value: object) -> str:
    if value is None:
        return "None"
    name = type(value).__qualname__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


_HINTS: tuple[tuple[str, str], ...] = (
    # An attribute that gives the kind away without importing its library, and what to write.
    ("isoformat", "; write value.isoformat()"),
    ("total_seconds", "; write value.total_seconds()"),
    ("tolist", "; write value.tolist()"),
    ("model_dump", "; write value.model_dump(mode='json')"),
    ("to_dict", "; write value.to_dict()"),
    ("__dataclass_fields__", "; write dataclasses.asdict(value)"),
    ("__fspath__", "; write str(value)"),
    ("issuperset", "; write sorted(value)"),
    ("decode", "; store bytes as an artifact, or as base64 text"),
    ("as_integer_ratio", "; write float(value) or str(value)"),
    ("__next__", "; write list(value)"),
    ("__iter__", "; write list(value)"),
)


def _hint(value: object) -> str:
    if callable(value):
        return "; write its name"
    return next((hint for attribute, hint in _HINTS if hasattr(value, attribute)), "; store it as text")


def _object_hint(value: object) -> str:
    if isinstance(value, str):
        return "; for a JSON text pass json.loads(text)"
    if isinstance(value, list | tuple):
        return "; give each value a name: {'name': value}"
    return "; pass {} for none" if value is None else _hint(value)


# --- writing ----------------------------------------------------------------------------------------------------------

_encode: Callable[[object], str] = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False, check_circular=False
).encode

_EXPONENT = re.compile(r"e[-+]\d+(?:[],}]|\Z)")
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_ABOVE_SURROGATES = re.compile("[\ue000-\uffff]")


def canonical(value: JsonValue) -> str:
    """The RFC 8785 text of a value of plain types, as `checked_json` and `parse` return them.

    The encoder in C is right for all but the odd value; a glance at its text tells whether this is one. The glance
    may take text for a number (`"see 1e-5, please"`): that costs time, never correctness.

    Raises:
        InvalidInputError: the value was not checked: NaN, an infinity, a type that JSON lacks, nested without end.
    """
    try:
        text = _encode(value)
        return _canonical_slowly(value) if _may_differ(text) else text
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidInputError(f"the value has no JSON text: {error}; pass it through checked_json first") from error


def quoted(text: str) -> str:
    """The canonical text of a string; what `canonical` gives for it, in a tenth of the time."""
    return encode_basestring(text)


def _may_differ(text: str) -> bool:
    """Whether Python's JSON may differ from ECMAScript's: in the form of a number, or in the order of keys."""
    # Plain substring searches: five of them cost a fiftieth of one regular expression over the text.
    if ".0," in text or ".0}" in text or ".0]" in text or text[-2:] == ".0":
        return True
    if ("e-" in text or "e+" in text) and _EXPONENT.search(text):
        return True
    if text.isascii():
        return False
    # UTF-16 puts astral characters (as surrogates, D800…) before E000…FFFF; code points put them behind.
    return bool(_ASTRAL.search(text) and _ABOVE_SURROGATES.search(text))


def _canonical_slowly(value: JsonValue) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, float):
        return _ecmascript_number(value)
    if isinstance(value, list):
        return f"[{','.join(map(_canonical_slowly, value))}]"
    if isinstance(value, dict):
        keys = sorted(value)
        if not "".join(keys).isascii():
            keys.sort(key=_utf16)
        return f"{{{','.join([f'{encode_basestring(key)}:{_canonical_slowly(value[key])}' for key in keys])}}}"
    return _encode(value)


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")


def _ecmascript_number(number: float) -> str:
    """A float as ECMAScript's `Number::toString` writes it.

    `repr` already finds the shortest digits that give the same float back, and the closest among them; only their
    layout differs, and that only for whole, very small and very large numbers.

    Source: ECMA-262 (2019), section 7.1.12.1, named by RFC 8785, section 3.2.2.3; n, k and the cases are its own.
    """
    text = float.__repr__(number)
    if text.endswith(".0"):
        return text[:-2] if number else "0"
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return text
    sign = "-" if number < 0 else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = whole + fraction
    n = 1 + int(exponent)  # one digit stands before the point wherever repr writes an exponent
    k = len(digits)
    if k <= n <= 21:
        return f"{sign}{digits}{'0' * (n - k)}"
    if -6 < n <= 0:
        return f"{sign}0.{'0' * -n}{digits}"
    point = "." if k > 1 else ""
    return f"{sign}{whole}{point}{fraction}e{n - 1:+d}"


def sha256_hex(data: bytes | str) -> str:
    """The SHA-256 of bytes, or of a text in UTF-8, as 64 lower-case hexadecimal digits."""
    return sha256(data.encode() if isinstance(data, str) else data).hexdigest()


# --- reading ----------------------------------------------------------------------------------------------------------


def _parse_float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):  # 1e999: JSON may say it, a float cannot hold it
        raise ValueError(f"{digits[:40]} is larger than any float")
    return number


def _parse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decode: Callable[[str], JsonValue] = json.JSONDecoder(parse_float=_parse_float, parse_constant=_parse_constant).decode


def parse(text: str | bytes) -> JsonValue:
    """The value of a JSON text, in plain types; every value returned can be written by `canonical`.

    Args:
        text: JSON, as text or as UTF-8 without a byte order mark.

    Raises:
        FormatError: not JSON, not UTF-8, NaN or Infinity, a number that no float holds, a lone surrogate, too deep.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode()
        elif not text.isascii():
            text.encode()
        value = _decode(text)
        if "\\u" in text:  # an escape may hide half of a surrogate pair
            _encode(value).encode()
    except RecursionError as error:
        raise FormatError(
            "this is JSON nested deeper than about 1,000 levels, which cannot be read; restore the file from a copy"
        ) from error
    except ValueError as error:
        raise FormatError(f"this is not JSON that can be read: {error}; restore the file from a copy") from error
    return value
