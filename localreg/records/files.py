"""Pointers to bulk files: how an event names the Parquet parts and artifacts that it brings in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from localreg.canonical import JsonObject
from localreg.errors import FormatError
from localreg.names import is_digest, shown_value

__all__ = ["BULK_FOLDERS", "FilePointer"]

BULK_FOLDERS = ("data/", "artifacts/")
"""Where the files lie that pointers may name. A log that names others must have us write and delete none of them."""


@dataclass(frozen=True, slots=True)
class FilePointer:
    """A bulk file that an event brings in.

    Attributes:
        path: relative to the namespace's folder, such as `data/inferences/<owner>/<part>.parquet`.
        table: which bulk table the rows belong to.
        owner: id of the record that the file hangs on.
        rows: number of rows.
        bytes: size of the file.
        sha256: of the file's bytes; "" = not known, of a file that no event named before it was condemned.
        details: what a reader of this table must know of the part, such as `first` (index of its first sample).
    """

    path: str
    table: str
    owner: str
    rows: int
    bytes: int
    sha256: str
    details: JsonObject = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """The pointer as it stands in the event's record."""
        return {
            "bytes": self.bytes,
            "details": self.details,
            "owner": self.owner,
            "path": self.path,
            "rows": self.rows,
            "sha256": self.sha256,
            "table": self.table,
        }

    @classmethod
    def from_json(cls, value: JsonObject) -> FilePointer:
        """The inverse of `to_json`; keys that a later release may add are ignored.

        Raises:
            FormatError: it lacks a field, a field has another type, or the path leads out of the namespace's folder.
        """
        fields = {key: value.get(key) for key in cls.__slots__}
        if not all(_CHECKS[key](field) for key, field in fields.items()):
            odd = next(key for key, field in fields.items() if not _CHECKS[key](field))
            raise FormatError(f"a pointer to a file has the {odd} {shown_value(fields[odd])}", code="entry_torn")
        return cls(**fields)  # type: ignore[arg-type]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_inside(value: object) -> bool:
    """Whether a path is relative and climbs nowhere, also where backslashes part folders."""
    if not isinstance(value, str) or "\\" in value or not value.isprintable():
        return False
    return not {"", ".", ".."} & set(value.split("/"))


def _is_digest_or_unknown(value: object) -> bool:
    return value == "" or is_digest(value)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _are_segments(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, list) and len(each) == 2 and _is_text(each[0]) and _is_count(each[1]) for each in value
    )


def _are_details(value: object) -> bool:
    return isinstance(value, dict) and all(check(value[key]) for key, check in _DETAILS.items() if key in value)


_DETAILS: dict[str, Callable[[object], bool]] = {
    "workflow": _is_text,
    "first": _is_count,
    "staged_first": _is_count,
    "columns": _are_texts,
    "segments": _are_segments,
}
_CHECKS: dict[str, Callable[[object], bool]] = {
    "path": _is_inside,
    "table": _is_text,
    "owner": _is_text,
    "rows": _is_count,
    "bytes": _is_count,
    "sha256": _is_digest_or_unknown,
    "details": _are_details,
}
"""What each field must be. Elsewhere it is taken as that."""
