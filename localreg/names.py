"""Names, ids and references: what is accepted, and what a refusal says.

Guarantees: what a check returns is the text that is stored, compared and shown: stripped at both ends and otherwise
kept to the character. Slashes, brackets, emoji, `../x` and `CON` are good names, because no name ever becomes a path;
namespaces alone do, and are held to letters that every file system and URL carries.

Accepted, and worth knowing: nothing is normalised, so `é` in one code point and `é` in two are two names. Characters
that cannot be seen but carry meaning (the joiner inside an emoji, private use) are kept; control characters, line
breaks and halves of surrogate pairs are refused, as they break tables, terminals and UTF-8; so are characters that turn
the direction of text in names, which then look like other names.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from itertools import islice
from operator import index
from reprlib import Repr
from typing import SupportsIndex, TypeGuard

from localreg.errors import InvalidInputError

__all__ = [
    "WELL_KNOWN",
    "amount",
    "check_alias",
    "check_flag",
    "check_id",
    "check_name",
    "check_namespace",
    "check_tag",
    "check_tags",
    "check_text",
    "check_version",
    "check_whole",
    "did_you_mean",
    "is_digest",
    "namespace_folder",
    "new_id",
    "shown_value",
    "split_reference",
    "whole_number",
]

WELL_KNOWN = (
    *("framework", "weights", "dataset", "commit", "trained_by", "seed"),
    *("notes", "keywords", "hyperparameters", "tracker"),
)
"""Metadata keys that are shown before the others."""

_NAME_LIMIT = 512
_SHORT_LIMIT = 128  # tags, aliases, versions: shown in columns and typed by hand
_NAMESPACE_LIMIT = 200  # a folder's name: file systems allow 255 bytes


# --- free text --------------------------------------------------------------------------------------------------------


def check_name(name: object, *, what: str = "model name") -> str:
    """The name, stripped, of anything that users name freely.

    Args:
        name: what a user passed in: text of 1 to 512 characters that are no control characters.
        what: what is named, for messages.

    Raises:
        InvalidInputError: no text, blank (also: nothing but invisible characters), too long, a line break or another
            control character.
    """
    return _label(name, what, _NAME_LIMIT)


def check_tag(tag: object, *, what: str = "tag") -> str:
    """The tag, stripped: free text as a name, of at most 128 characters.

    Raises:
        InvalidInputError: as for `check_name`.
    """
    return _label(tag, what, _SHORT_LIMIT)


def check_tags(tags: Iterable[str], *, what: str = "tags") -> list[str]:
    """The tags stripped, each once, sorted by code point.

    Raises:
        InvalidInputError: one text instead of several, pairs, or a tag that `check_tag` refuses.
    """
    if isinstance(tags, str):
        raise InvalidInputError(
            f"{what} is one text, {_shown(tags)}, where several tags belong; write [{_shown(tags)}]"
        )
    if isinstance(tags, Mapping):
        raise InvalidInputError(f"{what} is a mapping, but tags have no values; store pairs as metadata")
    if not isinstance(tags, Iterable):
        raise InvalidInputError(f"{what} is of type {type(tags).__qualname__}; write a list or a set of texts")
    return sorted({check_tag(tag) for tag in tags})


def check_alias(name: object, *, what: str = "alias") -> str:
    """The alias, stripped: free text of at most 128 characters without `@`, which parts it from the model's name.

    Raises:
        InvalidInputError: as for `check_name`, and for an `@`.
    """
    alias = _label(name, what, _SHORT_LIMIT)
    if "@" in alias:
        bare = alias.rpartition("@")[2].strip()
        hint = f"; give the alias alone, {_shown(bare)}" if bare else "; leave it out"
        raise InvalidInputError(f"{what} {_shown(alias)} contains '@', which parts a model's name from its alias{hint}")
    return alias


def check_version(version: object, *, what: str = "version") -> str:
    """The version string, stripped: free text of at most 128 characters; an integer is taken as its digits.

    Raises:
        InvalidInputError: as for `check_name`; a float (is 1.10 the version `1.1`?) and a negative number.
    """
    if isinstance(version, str):
        return _label(version, what, _SHORT_LIMIT)
    if isinstance(version, float):
        raise InvalidInputError(
            f"{what} {version!r} is a float, which has no one spelling; write it as text, '{version}'"
        )
    number = whole_number(version)
    if number is not None:
        if 0 <= number < 10**18:
            return str(number)
        raise InvalidInputError(
            f"{what} is the number {'below 0' if number < 0 else 'above 10**18'}; "
            "for the newest version give the model's name alone, else write the version as text"
        )
    return _label(version, what, _SHORT_LIMIT)


def check_text(value: object, *, what: str, limit: int = 100_000) -> str:
    """A description or message, exactly as given: tabs and line breaks are welcome, it may be empty.

    Args:
        value: what a user passed in.
        what: the argument's name, for messages.
        limit: the most characters.

    Raises:
        InvalidInputError: no text, too long, or with control characters.
    """
    if not isinstance(value, str):
        raise InvalidInputError(f"{what} is of type {type(value).__qualname__}, not text; write a str")
    text = str.__str__(value)
    if len(text) > limit:
        raise InvalidInputError(
            f"{what} has {len(text):,} characters, more than {limit:,}; shorten it, or store it as an artifact"
        )
    if not text.isprintable():
        _refuse_match(_BAD_IN_TEXT.search(text), what, text)
    return text


def check_whole(value: object, *, what: str, hint: str = "write a whole number, 0 or more") -> int:
    """A count or a commit's number: a plain int, 0 or more and below 2**63.

    True and 1.0 equal 1 to Python, and stand where something else was meant: they are refused.

    Args:
        value: what a user passed in; an integer of another library, such as numpy's, is taken as well.
        what: the argument's name, for messages.
        hint: what to do instead.

    Raises:
        InvalidInputError: no whole number, or out of range.
    """
    number = whole_number(value)
    if number is None:
        raise InvalidInputError(f"{what} is {shown_value(value)}, of type {type(value).__qualname__}; {hint}")
    if 0 <= number < 2**63:
        return number
    raise InvalidInputError(f"{what} is {'below 0' if number < 0 else 'above 2**63'}; {hint}")


def check_flag(value: object, *, what: str) -> bool:
    """True or False, and nothing else: "no" is true to Python, and so is an argument that stands in the wrong place.

    Raises:
        InvalidInputError: it is something else.
    """
    if not isinstance(value, bool):
        raise InvalidInputError(f"{what} is {shown_value(value)}; write True or False")
    return value


def whole_number(value: object) -> int | None:
    """The plain int that a value is, or None: True and False are none, and what only has the method may refuse."""
    if not isinstance(value, SupportsIndex) or isinstance(value, bool):
        return None
    try:
        return index(value)
    except TypeError:  # an array, or a class: `int` itself has the method
        return None


# Control characters (category Cc), line and paragraph separators, halves of surrogate pairs.
# Characters that turn the direction of the text after them, which then looks like other text; marks (U+200E, U+200F) do
# so for their place alone, and names in Arabic or Hebrew have them.
_TURNING = "\u202a-\u202e\u2066-\u2069"
_BAD_IN_NAME = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff{_TURNING}]")
_BAD_IN_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def _label(value: object, what: str, limit: int) -> str:
    if not isinstance(value, str):
        raise InvalidInputError(f"{what} is of type {type(value).__qualname__}, not text; write a str")
    text = str.strip(value)  # the type's own method: a plain str comes back from a subclass, such as an enum, too
    if 0 < len(text) <= limit and text.isprintable():
        return text
    return _odd_label(text, what, limit)


def _odd_label(text: str, what: str, limit: int) -> str:
    """Says what is wrong, or that the name is only unusual: joiners, private use, characters newer than Python's."""
    if len(text) > limit:
        raise InvalidInputError(
            f"{what} {_shown(text)} has {len(text):,} characters, more than {limit}; "
            "shorten it and store the rest as metadata"
        )
    _refuse_match(_BAD_IN_NAME.search(text), what, text)
    if all(unicodedata.category(character) in ("Cf", "Zs") for character in text):
        raise InvalidInputError(f"{what} {_shown(text)} is blank; write at least one visible character")
    return text


def _refuse_match(match: re.Match[str] | None, what: str, text: str) -> None:
    if match is None:
        return
    code = ord(match[0])
    if 0xD800 <= code <= 0xDFFF:
        kind = "half of a surrogate pair"
    elif re.match(f"[{_TURNING}]", match[0]):
        kind = "a character that turns the direction of text"
    else:
        kind = "a control character or line break"
    raise InvalidInputError(
        f"{what} {_shown(text)} contains {kind}, U+{code:04X}, at position {match.start()}; remove it"
    )


_SHORT = Repr()
_SHORT.maxother = 100  # of 30 characters of a sample, those in the middle would be the ones that tell which it is


def shown_value(value: object) -> str:
    """Any value on one short line, for a message. Never raises: Python refuses to write integers of 5,000 digits."""
    try:
        text = _SHORT.repr(value)
        return " ".join(text.split()) if "\n" in text else text
    except Exception:  # a message about a bad value must not fail over that value
        return f"a value of type {type(value).__qualname__}"


def _shown(text: str) -> str:
    """The text quoted, short and printable, for a message."""
    return repr(text if len(text) <= 80 else f"{text[:77]}…")


# --- namespaces -------------------------------------------------------------------------------------------------------

_DEVICE = r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])"
_SEGMENT = rf"(?!{_DEVICE}(?:/|\Z))[a-z0-9][a-z0-9_-]*"
_is_segment = re.compile(_SEGMENT).fullmatch
_is_namespace = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*").fullmatch
_is_device = re.compile(_DEVICE).fullmatch


def check_namespace(name: object) -> str:
    """The name of a namespace, as given: `vision`, `ai/langtech/translation`.

    It becomes a folder on every system that the registry may be copied to, so the names of devices, which Windows
    keeps for itself even with an ending, are refused everywhere.

    Raises:
        InvalidInputError: not lower-case segments `[a-z0-9][a-z0-9_-]*` joined by `/`, of at most 200 characters in
            all. The message names the segment and suggests what is near.
    """
    if not isinstance(name, str):
        raise InvalidInputError(
            f"namespace is of type {type(name).__qualname__}, not text; write a str such as 'default'"
        )
    text = str.__str__(name)
    if _is_namespace(text) and len(text) <= _NAMESPACE_LIMIT:
        return text
    raise InvalidInputError(f"namespace {_shown(text)} {_namespace_fault(text)}{_namespace_hint(text)}")


def namespace_folder(namespace: str) -> str:
    """The folder of a checked namespace: `ai/langtech` → `ai.langtech`. A segment has no dot, so none collide."""
    return namespace.replace("/", ".")


def _namespace_fault(text: str) -> str:
    if len(text) > _NAMESPACE_LIMIT:
        return f"has {len(text):,} characters, more than {_NAMESPACE_LIMIT}"
    if not text:
        return "is empty"
    segment = next(part for part in text.split("/") if not _is_segment(part))
    if not segment:
        return "has an empty segment: '/' stands between segments only"
    if _is_device(segment):
        return f"has the segment {_shown(segment)}, the name of a device on Windows"
    return (
        f"has the segment {_shown(segment)}: a segment is lower-case letters a-z, digits, '_' and '-', "
        "and begins with a letter or digit"
    )


def _namespace_hint(text: str) -> str:
    ascii_text = unicodedata.normalize("NFKD", text[: 2 * _NAMESPACE_LIMIT]).encode("ascii", "ignore").decode()
    parts = re.split(r"[/\\]", ascii_text.lower())
    tidy = (re.sub(r"[^a-z0-9_-]+", "-", part).strip("-_") for part in parts)
    near = "/".join(f"{part}_" if _is_device(part) else part for part in tidy if part)
    return f"; try {near!r}" if near and len(near) <= _NAMESPACE_LIMIT else "; 'default' is the usual one"


# --- ids and digests --------------------------------------------------------------------------------------------------

_is_id = re.compile(r"[0-9a-f]{32}").fullmatch
_is_sha256 = re.compile(r"[0-9a-f]{64}").fullmatch


def new_id() -> str:
    """A random identity: 128 bits of the system's generator as 32 lower-case hexadecimal digits."""
    return os.urandom(16).hex()


def check_id(value: object, *, what: str = "id") -> str:
    """The id, as given.

    Raises:
        InvalidInputError: not 32 lower-case hexadecimal digits.
    """
    if isinstance(value, str) and _is_id(value):
        return value
    shown = _shown(value) if isinstance(value, str) else f"of type {type(value).__qualname__}"
    raise InvalidInputError(f"{what} {shown} is not 32 lower-case hexadecimal digits; copy it whole from a listing")


def is_digest(value: object) -> TypeGuard[str]:
    """Whether this is a SHA-256 as we write it: 64 lower-case hexadecimal digits."""
    return isinstance(value, str) and _is_sha256(value) is not None


# --- finding what was meant -------------------------------------------------------------------------------------------

_CONSIDERED = 5_000  # candidates compared: about 50 ms, however many there are
_LOOKED_THROUGH = 1_000_000  # to find those
_COMPARED = 100  # characters compared, and candidates compared in full
_NEAR = 0.6  # difflib's own threshold


def amount(count: int, noun: str) -> str:
    """`1 sample`, `1,200 samples`."""
    return f"{count:,} {noun if count == 1 else f'{noun}s'}"


def did_you_mean(name: str, candidates: Iterable[str], n: int = 3) -> str:
    """The end of a "not found" message: `; did you mean 'yolor'?`, or nothing.

    Letter case does not count, and a candidate that contains the name is near whatever its length; a name of
    one or two letters has to be its beginning. Of many candidates 5,000 are looked at, those first that
    begin as the name does or contain it, and their first 100 characters.
    """
    near = _near(name, candidates, n)
    if not near:
        return ""
    *others, last = map(_shown, near)
    return f"; did you mean {', '.join(others)} or {last}?" if others else f"; did you mean {last}?"


def _near(name: str, candidates: Iterable[str], n: int) -> list[str]:
    from difflib import SequenceMatcher  # lazily: only an error needs it

    wanted = name.strip().casefold()[:_COMPARED]
    if not wanted:
        return []
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)  # the side whose index is kept

    def likeness(candidate: str, *, exact: bool) -> float:
        folded = candidate.casefold()
        if wanted in folded and (len(wanted) > 2 or folded.startswith(wanted)):
            return 0.9 + 0.1 * len(wanted) / (len(folded) or 1)
        matcher.set_seq1(folded[:_COMPARED])
        if matcher.real_quick_ratio() < _NEAR:
            return 0.0
        return matcher.ratio() if exact else matcher.quick_ratio()

    # The quick ratio is an upper bound: the full, quadratic one is only worth its cost for the best of those.
    bounds = [(likeness(candidate, exact=False), candidate) for candidate in _considered(wanted, candidates)]
    hopeful = sorted((pair for pair in bounds if pair[0] >= _NEAR), key=_first, reverse=True)[:_COMPARED]
    ratios = [(likeness(candidate, exact=True), candidate) for _, candidate in hopeful]
    best = sorted((pair for pair in ratios if pair[0] >= _NEAR), key=_first, reverse=True)
    return [candidate for _, candidate in best[:n]]


def _considered(wanted: str, candidates: Iterable[str]) -> list[str]:
    likely: list[str] = []
    others: list[str] = []
    for candidate in islice(candidates, _LOOKED_THROUGH):
        folded = candidate.casefold()
        chosen = likely if folded.startswith(wanted[:2]) or wanted in folded else others
        if len(chosen) < _CONSIDERED:
            chosen.append(candidate)
    return (likely + others)[:_CONSIDERED]


def _first(pair: tuple[float, str]) -> float:
    return pair[0]


def split_reference(text: str) -> list[tuple[str, str | None]]:
    """The ways to read `name`, `name@2`, `name@production`, in the order in which to try them.

    Names may contain `@`, so the text as a whole comes first; then each `@` from the right parts a name from a version
    or alias: `a@b@2` is `(a@b@2, None)`, `(a@b, 2)`, `(a, b@2)`.
    """
    whole = text.strip()
    ways: list[tuple[str, str | None]] = [(whole, None)]
    at = whole.rfind("@")
    while at > 0:
        name, selector = whole[:at].strip(), whole[at + 1 :].strip()
        if name and selector:
            ways.append((name, selector))
        at = whole.rfind("@", 0, at)
    return ways
