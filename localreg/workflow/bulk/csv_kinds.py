"""What columns of CSV hold that become metadata: no type says it, so all their texts together do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ALL_KINDS", "Kind", "Kinds", "as_kind", "chosen", "common", "narrowed"]

Kind: TypeAlias = Literal["bool", "int", "float"]
Kinds: TypeAlias = Mapping[str, frozenset[Kind]]
"""By column, what all its texts can be read as."""

_WHOLE = r"-?(0|[1-9]\d{0,14})"
_PATTERNS: dict[Kind, str] = {
    "bool": r"(?i)^(true|false)$",
    # Not 007, nor numbers of 16 digits and more: those tell who somebody is, and a float does not hold each of them.
    "int": rf"^{_WHOLE}$",
    "float": rf"^({_WHOLE}(\.\d+)?|-?\d(\.\d+)?[eE][+-]?[012]?\d\d?)$",
}
ALL_KINDS: frozenset[Kind] = frozenset(_PATTERNS)


def narrowed(kinds: frozenset[Kind], column: pa.Array) -> frozenset[Kind]:
    """Those of some kinds which all texts of a column can be read as, too; null can be anything."""
    import pyarrow.compute as pc

    return frozenset(
        kind
        for kind in kinds
        if pc.all(pc.match_substring_regex(column, _PATTERNS[kind]), min_count=0).as_py() is not False
    )


def common(found: Iterable[Kinds]) -> Kinds:
    """What columns can be read as in each of several files."""
    all_of: dict[str, frozenset[Kind]] = {}
    for kinds in found:
        for name, possible in kinds.items():
            all_of[name] = all_of.get(name, ALL_KINDS) & possible
    return all_of


def chosen(found: Kinds) -> dict[str, Kind]:
    """What columns are read as: those that are more than text."""
    return {name: next(kind for kind in _PATTERNS if kind in kinds) for name, kinds in found.items() if kinds}


def as_kind(column: pa.Array, kind: Kind) -> pa.Array:
    """Texts as what they can be read as."""
    import pyarrow as pa

    return column.cast({"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}[kind])
