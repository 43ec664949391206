"""How far two inferences for one sample agree: to the bit, within a tolerance, in what they decide, or not.

Values are plain Python, as Arrow gives them: a struct is a dict, a map a list of pairs.

- *bit-exact*: the same fields with the same values. NaN is like NaN; 0.0 and -0.0 are two values, as their bits are.
- *within tolerance*: the same, but that floats x and y may differ by `atol + rtol · max(|x|, |y|)`. Integers may not:
  they number classes and count things.
- *decision-stable*: the same decisions. A text, a whole number, a boolean, an enum, a date, bytes, and whether
  something is there at all, decide by themselves. A float decides nothing. A list of floats decides its length and
  which of them is the greatest (the first, of equal ones), a map to floats its keys and which has the greatest. A list
  of objects decides how many of each decision it holds, in any order, and which decision has the greatest score, if the
  objects have a `score`; any other list, what each item decides. Vectors, `metadata` and extra fields decide nothing.
  A type in which nothing is decided, such as one of embeddings alone, can agree only within tolerance.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from localreg.canonical import JsonValue, canonical, sha256_hex
from localreg.records.determinism import Level
from localreg.records.machines import Digests
from localreg.tables import Node
from localreg.tables.schema import TAG

__all__ = [
    "Answer",
    "Difference",
    "Tolerance",
    "agreement",
    "agreement_of_digests",
    "decides",
    "differences",
    "digests_of",
]


class Tolerance(NamedTuple):
    """How far floats may differ."""

    rtol: float
    atol: float

    def holds(self, found: Difference) -> bool:
        """Whether a difference is one of numbers, and small enough."""
        if found.size is None:
            return False
        return bool(found.size <= self.atol + self.rtol * max(abs(found.before), abs(found.after)))


@dataclass(frozen=True, slots=True)
class Answer:
    """What `infer` gave for a sample.

    Attributes:
        status: `ok`, `skipped` or `error`.
        inference: the declared fields; None unless `status` is `ok`.
        beside: vectors, and what is kept as JSON: `vectors`, `metadata`, `extra`.
        error: type and message of the exception, if there was one.
    """

    status: str
    inference: Any
    beside: Mapping[str, Any]
    error: str | None = None


class Difference(NamedTuple):
    """A field in which two answers differ.

    Attributes:
        path: where; "" = as a whole.
        before: there in the first.
        after: there in the second.
        size: how much, of two floats that are finite; else None.
    """

    path: str
    before: Any
    after: Any
    size: float | None


def agreement(before: Answer, after: Answer, node: Node, tolerance: Tolerance) -> tuple[Level, list[Difference]]:
    """How far two answers agree, and all in which they differ."""
    found = differences(before, after)
    if not found:
        return "bit-exact", found
    if all(map(tolerance.holds, found)):
        return "within tolerance", found
    are_both = before.status == after.status == "ok"
    if are_both and decides(node) and _decision(before.inference, node) == _decision(after.inference, node):
        return "decision-stable", found
    return "not deterministic", found


def differences(before: Answer, after: Answer) -> list[Difference]:
    """All in which two answers differ, to the bit."""
    if before.status != after.status or before.status == "error":
        return [Difference("", _whole(before), _whole(after), None)]
    found = list(_differing(before.inference, after.inference, ""))
    for name in sorted({*before.beside, *after.beside}):
        # Vectors are fields of the object; metadata is one as well.
        path = "" if name in ("vectors", "extra") else name
        found += _differing(before.beside.get(name), after.beside.get(name), path)
    return found


def digests_of(answer: Answer, node: Node) -> Digests:
    """What two answers that differ in nothing have in common, and what two that decide the same do."""
    form = [answer.status, _bits(answer.inference), _bits(dict(answer.beside))]
    is_deciding = answer.status == "ok" and decides(node)
    decision = sha256_hex(canonical(_bits(_decision(answer.inference, node)))) if is_deciding else None
    return Digests(sha256_hex(canonical(form)), decision)


def agreement_of_digests(before: Digests, after: Digests, answer: Answer) -> tuple[Level, list[Difference]]:
    """How far two answers agree at least, of which one is known by its digests alone.

    Between a difference of the last digits and one that is greater, nobody can tell.

    Args:
        before: of the one.
        after: of the other.
        answer: the other.
    """
    if before.answer == after.answer:
        return "bit-exact", []
    is_stable = before.decision is not None and before.decision == after.decision
    return "decision-stable" if is_stable else "not deterministic", [Difference("", None, _whole(answer), None)]


def _whole(answer: Answer) -> Any:
    return answer.inference if answer.status == "ok" else answer.error or answer.status


def _differing(before: Any, after: Any, path: str) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() == after.keys():
        for name, value in before.items():
            yield from _differing(value, after[name], f"{path}.{name}" if path else name)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            if isinstance(one, tuple) and isinstance(other, tuple) and _bits(one[0]) == _bits(other[0]):  # of a map
                yield from _differing(one[1], other[1], f"{path}[{one[0]!r}]")
            else:
                yield from _differing(one, other, f"{path}[{number}]")
    elif _bits(before) != _bits(after):
        yield Difference(path, before, after, _size(before, after))


def _bits(value: Any) -> JsonValue:
    """What is equal for values that are the same to the bit, and of one kind: 1 == True in Python."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return ["int", str(value)]
    if isinstance(value, float):
        return ["float", "NaN" if math.isnan(value) else struct.pack("<d", value).hex()]
    if isinstance(value, dict):
        return {name: _bits(item) for name, item in value.items()}
    if isinstance(value, frozenset):
        return ["set", *sorted((_bits(item) for item in value), key=canonical)]
    if isinstance(value, list | tuple):
        return [type(value).__name__, *map(_bits, value)]
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    return [type(value).__name__, value.isoformat() if hasattr(value, "isoformat") else repr(value)]


def _size(before: Any, after: Any) -> float | None:
    numbers = [value for value in (before, after) if isinstance(value, int | float) and not isinstance(value, bool)]
    # One of them may be an int: JSON writes 1.0 as 1.
    if len(numbers) < 2 or not any(isinstance(value, float) for value in numbers):
        return None
    size = abs(float(before) - float(after))
    return size if math.isfinite(size) else None


# --- what is decided --------------------------------------------------------------------------------------------------


def decides(node: Node) -> bool:
    """Whether values of a type decide anything."""
    if node.type in ("float", "vector"):
        return node.optional
    if node.type in ("struct", "tuple"):
        return node.optional or any(decides(field.node) for field in node.fields)
    return True


def _decision(value: Any, node: Node) -> Any:
    """What a value decides, such that equal decisions are equal."""
    if value is None:
        return None
    if node.type in ("float", "vector"):
        return "there"
    if node.type in ("struct", "tuple"):
        fields = [field for field in node.fields if decides(field.node)] if isinstance(value, Mapping) else []
        return tuple((field.name, _decision(value.get(field.name), field.node)) for field in fields)
    if node.type == "union":
        member = value[TAG]
        inner = next((field.node for field in node.fields if field.name == member), None)
        return member, None if inner is None else _decision(value[member], inner)
    if node.type == "list":
        return _of_list(value, node.items or Node("str"))
    if node.type == "map":
        return _of_map(value, node.items or Node("str"))
    return type(value).__name__, value


def _of_list(values: Sequence[Any], items: Node) -> Any:
    if items.type == "float":
        return tuple(value is None for value in values), _greatest(values)
    decisions = [_decision(value, items) for value in values]
    if items.type != "struct":
        return tuple(decisions)
    scores = [value.get("score") if value is not None else None for value in values]
    best = _greatest(scores)
    return frozenset(Counter(decisions).items()), None if best is None else decisions[best]


def _of_map(pairs: Sequence[tuple[Any, Any]], items: Node) -> Any:
    keys = tuple(key for key, _ in pairs)
    if items.type != "float":
        return frozenset((key, _decision(value, items)) for key, value in pairs)
    best = _greatest([value for _, value in pairs])
    return frozenset(keys), None if best is None else keys[best]


def _greatest(values: Sequence[Any]) -> int | None:
    """The place of the greatest float, the first of equal ones; None if there is none."""
    places = [place for place, value in enumerate(values) if isinstance(value, float) and not math.isnan(value)]
    return max(places, key=lambda place: values[place], default=None)
